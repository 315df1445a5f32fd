// Cyclic coordinate descent on a quadratic model, Anderson-accelerated.
//
// A model M offers gradient(j) = -(d loss / d b_j), update(j, delta) for b_j += delta,
// lipschitz(j), loss(b) and its state, a vector that can be put back: residual_model.hpp and
// gram_model.hpp.
#pragma once

#include <algorithm>
#include <iterator>
#include <vector>

#include "anderson.hpp"
#include "penalty.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// One epoch:  b_j := prox_j(b_j + c_j / L_j, 1 / L_j) for j in W. Returns the largest L_j
// delta_j^2.
template <class Model, class Penalty>
double epoch(Model& model, const Penalty& penalty, const std::vector<Index>& W, double* b) {
  double largest = 0.0;
  for (Index j : W) {
    const double L = model.lipschitz(j), old = b[j];
    if (!(L > 0.0)) continue;
    const double next = penalty.prox(j, old + model.gradient(j) / L, 1.0 / L);
    if (next != old) {
      b[j] = next;
      model.update(j, next - old);
      largest = std::max(largest, L * (next - old) * (next - old));
    }
  }
  return largest;
}

template <class Model, class Penalty>
double objective_on(const Model& model, const Penalty& penalty, const std::vector<Index>& W,
                    const double* b) {
  double sum = model.loss(b);
  for (Index j : W) sum += penalty.value(j, b[j]);
  return sum;
}

// Replaces b_W by its extrapolation, or goes half the way there, where that lowers the objective;
// whether it did. What would pass a kink at 0 or a bound stays there.
template <class Model, class Penalty>
bool accelerate(Anderson& anderson, Model& model, const Penalty& penalty,
                const std::vector<Index>& W, double* b) {
  Vector point;
  if (!anderson.extrapolate(point)) return false;
  const double before = objective_on(model, penalty, W, b);
  const Vector state = model.state();
  Vector from(W.size());
  for (std::size_t k = 0; k < W.size(); ++k) {
    const Index j = W[k];
    from[k] = b[j];
    if (point[k] * from[k] < 0.0 && penalty.slack(j, 0.0) > 0.0) point[k] = 0.0;
    point[k] = std::min(std::max(point[k], penalty.lo(j)), penalty.hi(j));
  }
  for (const double share : {1.0, 0.5}) {
    for (std::size_t k = 0; k < W.size(); ++k) {
      const double next = from[k] + share * (point[k] - from[k]), delta = next - b[W[k]];
      b[W[k]] = next;
      if (delta != 0.0) model.update(W[k], delta);
    }
    if (objective_on(model, penalty, W, b) < before) return true;
  }
  for (std::size_t k = 0; k < W.size(); ++k) b[W[k]] = from[k];
  model.state() = state;
  return false;
}

struct Never {
  bool operator()() const { return false; }
};

struct Descent {
  Index epochs = 0;
  bool stalled = false;  // an epoch changed nothing that float64 can show
};

// Epochs on W until done() says so (asked every 10 epochs), nothing moves, or max_epochs;
// stopped(), which costs next to nothing, is asked after each epoch. One epoch in five visits all
// of W, the others the support alone: zeros are many and seldom move.
template <class Model, class Penalty, class Done, class Stopped = Never>
Descent descend(Model& model, const Penalty& penalty, const std::vector<Index>& W, double* b,
                Index max_epochs, const Done& done, const Stopped& stopped = {}) {
  Descent result;
  Anderson anderson;
  const double scale = objective_on(model, penalty, W, b);
  int still = 0, failures = 0;
  Index spacing = 1;  // epochs between the iterates that are extrapolated
  std::vector<Index> support;
  double moved = 0.0;
  while (result.epochs < max_epochs) {
    const bool all = result.epochs % 5 == 0 || moved == 0.0;
    moved = epoch(model, penalty, all ? W : support, b);
    ++result.epochs;
    if (stopped()) break;
    if (all) {
      still = moved <= 1e-30 * scale ? still + 1 : 0;
      if (still >= 3 || moved == 0.0) {
        result.stalled = true;
        break;
      }
      support.clear();
      std::copy_if(W.begin(), W.end(), std::back_inserter(support),
                   [&](Index j) { return b[j] != 0.0; });
    }
    if (result.epochs % 10 == 0 && done()) break;
    // Not at the end: an epoch puts what is near 0 or a bound at it.
    if (result.epochs < max_epochs && result.epochs % spacing == 0 && anderson.push(W, b)) {
      failures = accelerate(anderson, model, penalty, W, b) ? 0 : failures + 1;
      // Where the slow modes hide behind the others, iterates further apart show them.
      spacing = std::min<Index>(64, Index(1) << (failures / 4));
    }
  }
  return result;
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

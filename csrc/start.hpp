// Where a path on working sets begins: the null model, and the features nearest to entering.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "directions.hpp"
#include "monitor.hpp"
#include "working_set.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

struct Start {
  NullModel null;
  AlphaMax alpha_max;
  Vector c;  // (p,) correlations at the null model
};

// All features without penalty join W at the null model, whose residual is the first direction.
inline Start start_at_null(Design& design, ElasticNet& penalty, WorkingSet& W,
                           Directions& directions, Report& report) {
  Start start;
  const std::size_t p = std::size_t(design.X.p);
  std::vector<Index> S;
  for (std::size_t j = 0; j < p; ++j)
    if (!penalty.excluded(Index(j)) && !penalty.penalised(Index(j))) S.push_back(Index(j));
  penalty.alpha = 1.0;
  W.add(S, report);
  const ElasticNet null = null_penalty(penalty, design.problem, design.stats);
  Vector b(p, 0.0);
  Vector q = solve_unpenalised(design, null, b, report);
  std::vector<Index> support;
  Vector values;
  for (std::size_t k = 0; k < S.size(); ++k) {
    support.push_back(Index(k));
    values.push_back(b[std::size_t(S[k])]);
  }
  W.set(support, values);
  W.state();
  const double norm = std::sqrt(dot_dense(q.data(), q.data(), design.X.n));
  start.null.objective = 0.5 * norm * norm;
  start.null.reached = 0.5 * W.residual_square;
  start.null.unfitted = 0.5 * design.t_square;
  start.null.size = design.gradient_size(design.t_square);
  for (double& v : q) v /= norm > 0.0 ? norm : 1.0;
  const bool known = std::all_of(W.b.begin(), W.b.end(), [](double v) { return v == 0.0; });
  if (known) {
    start.c.swap(design.stats.q);
    for (double& v : start.c) v /= norm > 0.0 ? norm : 1.0;
    directions.add_known(q, start.c);
  } else {
    directions.add(q, 1, report);
  }
  Vector().swap(design.stats.q);  // not read from here on
  start.c.assign(directions.correlations(0), directions.correlations(0) + p);
  for (double& v : start.c) v *= norm;
  start.null.gradient = steepest(penalty, start.c, design.stats.inv);
  start.alpha_max = AlphaMax(penalty, design.stats, start.c, design.t_square);
  return start;
}

// What joins W first: coef_init's support and the features nearest to entering.
inline std::vector<Index> first_features(const Design& design, const ElasticNet& penalty,
                                         const WorkingSet& W, const Vector& c,
                                         const double* coef_init) {
  const double wide =
      std::min(std::sqrt(12.0 * double(design.X.p)), 2.0 * double(design.X.n) + 20.0);
  const std::size_t most = std::size_t((design.X.sparse() ? 0.08 : 0.4) * wide);
  std::vector<Index> S;
  std::vector<std::pair<double, Index>> nearest;  // a heap, the farthest of them in front
  double least = 0.0;                             // |c_j| / l1_j below which j is too far
  for (Index j = 0; j < design.X.p; ++j) {
    const bool given = coef_init && coef_init[j] != 0.0;
    const double ratio = std::fabs(c[std::size_t(j)]) / penalty.factor1[std::size_t(j)];
    if (!given && ratio < least) continue;
    if (penalty.excluded(j) || W.position[std::size_t(j)] >= 0) continue;
    if (given) {
      S.push_back(j);
    } else if (most > 0 && penalty.slack(j, c[std::size_t(j)]) < infinity) {
      if (nearest.size() == most && !(std::pair(-ratio, j) < nearest.front())) continue;
      nearest.emplace_back(-ratio, j);
      std::push_heap(nearest.begin(), nearest.end());
      if (nearest.size() <= most) continue;
      std::pop_heap(nearest.begin(), nearest.end());
      nearest.pop_back();
      least = -nearest.front().first;
    }
  }
  std::sort_heap(nearest.begin(), nearest.end());
  for (const auto& near : nearest) S.push_back(near.second);
  return S;
}

// The factor, of those above 0, that all but a twentieth of the features exceed, by a sample.
template <class Factors>
double usual_factor(const ElasticNet& penalty, const Factors& factor, Index p) {
  Vector f;
  for (Index j = 0; j < p; j += 1 + p / 2000)
    if (!penalty.excluded(j) && factor[std::size_t(j)] > 0.0) f.push_back(factor[std::size_t(j)]);
  if (f.empty()) return 0.0;
  const auto low = f.begin() + std::ptrdiff_t(f.size() / 20);
  std::nth_element(f.begin(), low, f.end());
  return *low;
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

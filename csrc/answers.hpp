// Answers on a working set: as they wait for the proof of the features outside, and as they are
// recorded.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "monitor.hpp"
#include "screening.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

struct Answer {
  std::size_t step;
  double alpha, primal, deviance, violation;
  DualPoint dual;
  Screening seen;  // of the features outside
};

class Answers {
 public:
  Answers(const Design& design, const Options& options, const WorkingSet& W, const Vector& grid,
          const NullModel& null, Monitor& monitor)
      : design_(design), options_(options), W_(W), grid_(grid), null_(null), monitor_(monitor) {}

  // b on W as it is, the answer at a step of the grid.
  Answer present(std::size_t step) const {
    Answer w;
    w.step = step;
    w.alpha = grid_[step];
    w.primal = W_.primal();
    w.deviance = 1.0 - 0.5 * W_.residual_square / null_.objective;
    w.violation = W_.violation;
    w.dual = W_.dual;
    return w;
  }

  // True where the path ends with it. Features are named by their numbers in X, ascending.
  bool record(const Answer& w, double dual, Status otherwise) {
    bool is_null = true;
    values_.resize(W_.features.size(), 0.0);
    for (std::size_t k = 0; k < w.dual.at.b.size(); ++k) {
      const Index j = w.dual.at.features[k];
      is_null = is_null && !W_.penalty.penalised(j);
      values_[std::size_t(j)] = w.dual.at.b[k];
    }
    follow_set();
    std::vector<Index> support;
    Vector b;
    for (Index k : ascending_) {
      const double value = std::exchange(values_[std::size_t(k)], 0.0);
      if (value == 0.0) continue;
      support.push_back(W_.features[std::size_t(k)]);
      b.push_back(value);
    }
    Verdict verdict = judge_against(null_, w.primal, dual, w.violation, is_null);
    count_rounding(design_.problem, design_.stats, support, b, design_.t_mean, null_, verdict);
    const Status status = judge_status(design_.problem, verdict, options_.tol, false, otherwise);
    return monitor_.record(make_point(design_.problem, w.alpha, design_.stats, support, b,
                                      design_.t_mean, verdict, w.deviance, status),
                           Index(grid_.size()));
  }

  // W holds the unpenalised features alone, in ascending order.
  bool record_null(double alpha) {
    std::vector<Index> support;
    Vector b;
    for (std::size_t k = 0; k < W_.b.size(); ++k)
      if (W_.b[k] != 0.0) {
        support.push_back(W_.features[k]);
        b.push_back(W_.b[k]);
      }
    const Verdict verdict = exact_fit(null_);
    const Status status =
        judge_status(design_.problem, verdict, options_.tol, false, Status::stalled);
    return monitor_.record(make_point(design_.problem, alpha, design_.stats, support, b,
                                      design_.t_mean, verdict, 0.0, status),
                           Index(grid_.size()));
  }

 private:
  // Features that joined W take their places among the others.
  void follow_set() {
    const auto by_number = [&](Index k, Index l) {
      return W_.features[std::size_t(k)] < W_.features[std::size_t(l)];
    };
    const auto old = std::ptrdiff_t(ascending_.size());
    for (Index k = Index(old); k < W_.size(); ++k) ascending_.push_back(k);
    std::sort(ascending_.begin() + old, ascending_.end(), by_number);
    std::inplace_merge(ascending_.begin(), ascending_.begin() + old, ascending_.end(), by_number);
  }

  const Design& design_;
  const Options& options_;
  const WorkingSet& W_;
  const Vector& grid_;
  const NullModel& null_;
  Monitor& monitor_;
  std::vector<Index> ascending_;  // W by the numbers of its features in X
  Vector values_;                 // (|W|,) zeros between answers
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// The ray from b along a Newton direction d = H^{-1} r on the free features F, r = -gradient, that
// bends wherever a feature comes to zero or to a bound: it stays there, the others go on. With K
// those stopped, at t_k each, and e_k = -(t - t_k) d_k on K,
//   f(b + t d + e) - f(b) = -(t - t^2 / 2) r'd - (1 - t) r'e + e'H_KK e / 2,
// since H d = r: a piece between two stops is a parabola whose numbers are sums over K, and the
// first minimum on (0, 1] takes no more of H than H_KK. One linear system lets many features leave.
// Bertsekas (1982), projected Newton methods for optimization problems with simple constraints.
#pragma once

#include <algorithm>
#include <vector>

#include "gram_model.hpp"
#include "penalty.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// Where the k-th of some moving features comes to zero or to a bound.
struct Event {
  double t;
  std::size_t k;
  double jump;   // growth of the slope of f where b_k goes on; infinite at a bound
  double value;  // b there
};

// Where b + t d meets zero, where an l1 term has its kink, or bounds, for 0 <= t < cap; ascending.
inline std::vector<Event> breakpoints(const ElasticNet& penalty, const double* b,
                                      const std::vector<Index>& moving, const Vector& d,
                                      double cap) {
  std::vector<Event> events;
  for (std::size_t k = 0; k < moving.size(); ++k) {
    const Index j = moving[k];
    if (d[k] == 0.0) continue;
    const double bound = d[k] > 0.0 ? penalty.hi(j) : penalty.lo(j);
    const double at_bound = (bound - b[j]) / d[k], at_zero = -b[j] / d[k];
    if (std::isfinite(bound) && at_bound < cap)
      events.push_back({std::max(0.0, at_bound), k, infinity, bound});
    if (penalty.l1(j) > 0.0 && b[j] * d[k] < 0.0 && bound != 0.0 && at_zero < cap)
      events.push_back({at_zero, k, 2.0 * penalty.l1(j) * std::fabs(d[k]), 0.0});
  }
  std::sort(events.begin(), events.end(),
            [](const Event& x, const Event& y) { return x.t < y.t || (x.t == y.t && x.k < y.k); });
  return events;
}

class BentRay {
 public:
  BentRay(const GramModel& model, const ElasticNet& penalty, const std::vector<Index>& F,
          const Vector& d, const Vector& r)
      : model_(model),
        penalty_(penalty),
        F_(F),
        d_(d),
        r_(r),
        fall_(dot_dense(r.data(), d.data(), Index(d.size()))),
        rests_(F.size(), 0) {}

  // To the first minimum of f, by the events of t < 1, ascending.
  void search(const std::vector<Event>& events) {
    for (const Event& event : events) {
      if (rests_[event.k]) continue;
      if (minimum() <= event.t) break;
      stop(event);
    }
    t_ = std::min(1.0, minimum());
  }

  double t() const { return t_; }
  bool rests(std::size_t k) const { return rests_[k] != 0; }
  const std::vector<Event>& stopped() const { return stopped_; }
  // stopping nothing
  bool all_the_way() const { return stopped_.empty() && t_ == 1.0; }

 private:
  // Of the parabola that holds from t_ on.
  double minimum() const {
    const double curvature = fall_ - 2.0 * dr_ + dHd_, slope = -fall_ + dr_ + tdr_ - tdHd_;
    if (slope + t_ * curvature >= 0.0) return t_;
    return curvature > 0.0 ? std::max(t_, -slope / curvature) : infinity;
  }

  void stop(const Event& event) {
    t_ = event.t;
    const Index j = F_[event.k];
    const double* column = model_.G + j * model_.ld;
    const double d = d_[event.k], own = d * (1.0 + penalty_.l2(j));
    double Hd = 0.0, tHd = 0.0;
    for (const Event& other : stopped_) {
      const double product = column[F_[other.k]] * d_[other.k];
      Hd += product;
      tHd += other.t * product;
    }
    dr_ += d * r_[event.k];
    tdr_ += t_ * d * r_[event.k];
    dHd_ += d * (2.0 * Hd + own);
    tdHd_ += d * (t_ * Hd + tHd + t_ * own);
    stopped_.push_back(event);
    rests_[event.k] = 1;
  }

  const GramModel& model_;
  const ElasticNet& penalty_;
  const std::vector<Index>& F_;
  const Vector &d_, &r_;
  const double fall_;  // r'd = d'Hd
  double t_ = 0.0;
  double dr_ = 0.0, tdr_ = 0.0, dHd_ = 0.0, tdHd_ = 0.0;  // over K, t = diag(t_k)
  std::vector<Event> stopped_;
  std::vector<char> rests_;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

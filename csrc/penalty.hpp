// Penalties: scalar rules on one coefficient b_j of the unit-norm feature z_j; loops live in the
// solvers. A penalty P offers, for feature j:
//   value(j, b)           penalty_j(b), infinite outside the bounds
//   prox(j, v, step)      argmin_b (b - v)^2 / 2 + step penalty_j(b)
//   distance(j, b, c)     of c = -(gradient of the loss) to the subdifferential at b
//   conjugate(j, c)       max_b c b - penalty_j(b)
//   argument(j, c)        a b that attains it, 0 where it is infinite
//   argument_slope(j, c)  its derivative in c
//   limit(j, c)           largest s with conjugate(j, s c) finite
//   slack(j, c)           how far |c| is from moving b_j off 0; negative: it moves
//   has_argument          whether argument is known; else the dual point is scaled by 1 at most
//   lost_in(r, j)         whether a threshold that holds b_j is less than r
//   excluded(j)           b_j must be 0
//   free(j)               no penalty holds b_j
// To add a penalty: give it these members, name it in modes.hpp's dispatch and in penalties.py; the
// contract tests of tests/test_penalties.py and tests/test_invariances.py then hold it to its
// formula.
#pragma once

#include <cmath>
#include <limits>

#include "api.hpp"
#include "values.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

constexpr double infinity = std::numeric_limits<double>::infinity();

inline double soft_threshold(double v, double t) {
  return v > t ? v - t : (v < -t ? v + t : 0.0);
}

// A number of each feature, or one for them all: memory for what differs only.
class PerFeature {
 public:
  PerFeature() = default;
  explicit PerFeature(double one) : value_(1, one), mask_(0) {}

  double operator[](std::size_t j) const { return value_[j & mask_]; }
  void push_back(double value) { value_.push_back(value); }
  // j's own number, of p; all have one of their own from the first that differs.
  void set(std::size_t j, double value, std::size_t p) {
    if (mask_ == 0) {
      const double one = value_[0];
      if (value == one) return;
      value_.resize(p, one);
      mask_ = ~std::size_t(0);
    }
    value_[j] = value;
  }

 private:
  Vector value_;
  std::size_t mask_ = ~std::size_t(0);
};

// l1_j |b| + l2_j b^2 / 2 on lower_j <= b <= upper_j
struct ElasticNet {
  static constexpr bool has_argument = true;
  Vector factor1;           // (p,) l1 strengths at alpha = 1
  PerFeature factor2;       // l2 strengths
  PerFeature lower, upper;  // both 0: excluded
  double alpha = 1.0;

  double l1(Index j) const { return alpha * factor1[std::size_t(j)]; }
  double l2(Index j) const { return alpha * factor2[std::size_t(j)]; }
  double lo(Index j) const { return lower[std::size_t(j)]; }
  double hi(Index j) const { return upper[std::size_t(j)]; }
  bool excluded(Index j) const { return lo(j) == 0.0 && hi(j) == 0.0; }
  bool bounded(Index j) const { return std::isfinite(lo(j)) || std::isfinite(hi(j)); }
  // Feature j of p is held at 0.
  void exclude(std::size_t j, std::size_t p) {
    lower.set(j, 0.0, p);
    upper.set(j, 0.0, p);
  }

  // One more feature, with the rule of feature j of another.
  void append(const ElasticNet& other, std::size_t j) {
    factor1.push_back(other.factor1[j]);
    factor2.push_back(other.factor2[j]);
    lower.push_back(other.lower[j]);
    upper.push_back(other.upper[j]);
  }

  double value(Index j, double b) const {
    if (b < lo(j) || b > hi(j)) return infinity;
    return l1(j) * std::fabs(b) + 0.5 * l2(j) * b * b;
  }
  double prox(Index j, double v, double step) const {
    const double b = soft_threshold(v, step * l1(j)) / (1.0 + step * l2(j));
    return b < lo(j) ? lo(j) : (b > hi(j) ? hi(j) : b);
  }
  // The subdifferential is [below, above], with the normal cone of the bounds.
  double distance(Index j, double b, double c) const {
    if (excluded(j)) return 0.0;
    double below = l1(j), above = l1(j);
    if (b == 0.0)
      below = -below;
    else if (b < 0.0)
      below = above = -above;
    if (b <= lo(j)) below = -infinity;
    if (b >= hi(j)) above = infinity;
    const double v = c - l2(j) * b;
    return v < below ? below - v : (v > above ? v - above : 0.0);
  }
  bool bounded_argument(Index j, double c) const {
    return l2(j) > 0.0 || std::isfinite(c > 0.0 ? hi(j) : lo(j));
  }
  double argument(Index j, double c) const {
    const double v = soft_threshold(c, l1(j));
    if (v == 0.0 || excluded(j)) return 0.0;
    if (!bounded_argument(j, c)) return 0.0;
    const double b = l2(j) > 0.0 ? v / l2(j) : (v > 0.0 ? hi(j) : lo(j));
    return b < lo(j) ? lo(j) : (b > hi(j) ? hi(j) : b);
  }
  double argument_slope(Index j, double c) const {
    const double b = argument(j, c);
    return b == 0.0 || b == lo(j) || b == hi(j) || l2(j) == 0.0 ? 0.0 : 1.0 / l2(j);
  }
  // How far c is from where argument bends, l2_j > 0.
  double to_kink(Index j, double c) const {
    if (excluded(j)) return infinity;
    const double beyond = std::fabs(c) - l1(j), bound = c > 0.0 ? hi(j) : -lo(j);
    return std::min(std::fabs(beyond), std::fabs(beyond - l2(j) * bound));
  }
  double slack(Index j, double c) const {
    const bool moves = c > 0.0 ? hi(j) > 0.0 : lo(j) < 0.0;
    return moves ? l1(j) - std::fabs(c) : infinity;
  }
  double conjugate(Index j, double c) const {
    if (excluded(j)) return 0.0;
    // s c at s = limit(j, c) may exceed l1 by the rounding of the product
    constexpr double slack = 1.0 + 4.0 * std::numeric_limits<double>::epsilon();
    if (!bounded_argument(j, c)) return std::fabs(c) > slack * l1(j) ? infinity : 0.0;
    const double b = argument(j, c);
    return b == 0.0 ? 0.0 : c * b - l1(j) * std::fabs(b) - 0.5 * l2(j) * b * b;
  }
  bool lost_in(double rounding, Index j) const { return l1(j) > 0.0 && l1(j) < rounding; }
  double limit(Index j, double c) const {
    if (excluded(j) || c == 0.0 || bounded_argument(j, c)) return infinity;
    return l1(j) / std::fabs(c);
  }
  bool penalised(Index j) const {
    return factor1[std::size_t(j)] > 0.0 || factor2[std::size_t(j)] > 0.0;
  }
  bool free(Index j) const { return l1(j) == 0.0 && l2(j) == 0.0 && !excluded(j); }
  bool has_conjugate() const { return true; }
};

// The user's functions see v = e_j b, e_j = scale of feature j: value(v), prox with step e_j^2.
struct FunctionPenalty {
  static constexpr bool has_argument = false;
  CustomPenalty function;
  Vector weight, scale;  // (p,); scale 0: excluded
  double alpha = 1.0;

  double e(Index j) const { return scale[std::size_t(j)]; }
  double w(Index j) const { return weight[std::size_t(j)]; }
  bool excluded(Index j) const { return e(j) == 0.0; }

  double value(Index j, double b) const {
    if (excluded(j)) return 0.0;
    return function.value(e(j) * b, alpha, w(j));
  }
  double prox(Index j, double v, double step) const {
    if (excluded(j)) return 0.0;
    return function.prox(e(j) * v, step * e(j) * e(j), alpha, w(j)) / e(j);
  }
  double distance(Index j, double b, double c) const {
    if (excluded(j)) return 0.0;
    if (function.subdiff_distance)
      return e(j) * function.subdiff_distance(e(j) * b, -c / e(j), alpha, w(j));
    return std::fabs(b - prox(j, b + c, 1.0));
  }
  double conjugate(Index j, double c) const {
    return excluded(j) ? 0.0 : function.conjugate(c / e(j), alpha, w(j));
  }
  double argument(Index, double) const { return 0.0; }
  double argument_slope(Index, double) const { return 0.0; }
  double slack(Index j, double c) const {
    if (excluded(j)) return infinity;
    if (function.zero_threshold) return e(j) * function.zero_threshold(alpha, w(j)) - std::fabs(c);
    const double d = distance(j, 0.0, c);
    return d > 0.0 ? -d : infinity;
  }
  bool lost_in(double, Index) const { return false; }
  // conjugate is finite on an interval about 0: its end by bisection, from the finite side
  double limit(Index j, double c) const {
    if (excluded(j) || c == 0.0 || std::isfinite(conjugate(j, c))) return infinity;
    double low = 0.0, high = 1.0;
    for (int k = 0; k < 60; ++k) {
      const double middle = 0.5 * (low + high);
      (std::isfinite(conjugate(j, middle * c)) ? low : high) = middle;
    }
    return low;
  }
  double lo(Index) const { return -infinity; }
  double hi(Index) const { return infinity; }
  bool penalised(Index j) const { return w(j) > 0.0; }
  bool free(Index j) const { return !excluded(j) && (w(j) == 0.0 || alpha == 0.0); }
  bool has_conjugate() const { return function.conjugate != nullptr; }
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

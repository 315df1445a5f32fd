// Duality gap and optimality violation.
//
// Primal  P(b) = L(b) + sum_j penalty_j(b_j). For a dual point u with c = Z'u,
//   D(u) = -L*(u) - sum_j penalty_j*(c_j) <= min P,
// and for the quadratic loss -L*(u) = u't - ||u||^2 / 2. The residual u is scaled by the s that
// makes D(s u) largest: D is concave in s, and s <= limit keeps every conjugate finite. Features
// without penalty need c_j = 0: u is projected off them first and their c_j is then exactly 0.
#pragma once

#include <cmath>
#include <vector>

#include "penalty.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// Correlations c_k of the features `feature(k)`: all of them, or those of a working set.
struct Correlations {
  Vector c;
  const std::vector<Index>* of = nullptr;  // null: feature k is k

  Index feature(std::size_t k) const { return of ? (*of)[k] : Index(k); }
};

// Largest s for which every conjugate(j, s c_j) is finite.
template <class Penalty>
double scaling_limit(const Penalty& penalty, const Correlations& z) {
  double limit = infinity;
  for (std::size_t k = 0; k < z.c.size(); ++k)
    limit = std::min(limit, penalty.limit(z.feature(k), z.c[k]));
  return limit;
}

template <class Penalty>
double conjugate_sum(const Penalty& penalty, const Correlations& z, double s) {
  double sum = 0.0;
  for (std::size_t k = 0; k < z.c.size(); ++k) sum += penalty.conjugate(z.feature(k), s * z.c[k]);
  return sum;
}

// The correlations of a u of norm ||u||, by which no threshold that is lost in their rounding is
// met: a smaller c_j beside one of those counts as that rounding.
template <class Penalty>
Correlations rounded_up(const Penalty& penalty, const Correlations& z, double norm) {
  const double rounding = 8 * std::numeric_limits<double>::epsilon() * norm;
  Correlations out = z;
  for (std::size_t k = 0; k < z.c.size(); ++k)
    if (penalty.lost_in(rounding, z.feature(k)) && std::fabs(z.c[k]) < rounding)
      out.c[k] = std::copysign(rounding, z.c[k]);
  return out;
}

// max_{s <= most}  s ut - s^2 uu / 2 - sum_j penalty_j*(s c_j): Newton on the decreasing
// derivative, kept inside a bracket by bisection.
template <class Penalty>
double quadratic_dual(const Penalty& penalty, const Correlations& of_u, double ut, double uu,
                      double most = infinity) {
  if (!penalty.has_conjugate()) return std::numeric_limits<double>::quiet_NaN();
  if (!(ut > 0.0)) return 0.0;
  const Correlations z = rounded_up(penalty, of_u, std::sqrt(uu));
  const double limit = std::min(most, scaling_limit(penalty, z));
  double low = 0.0, high = std::min(limit, uu > 0.0 ? ut / uu : infinity);
  if (!std::isfinite(high)) high = 1.0;
  std::vector<std::size_t> curved;  // features whose conjugate is not 0 on all of [0, high]
  for (std::size_t k = 0; k < z.c.size(); ++k)
    if (penalty.argument(z.feature(k), high * z.c[k]) != 0.0) curved.push_back(k);
  double s = curved.empty() && Penalty::has_argument ? high : std::min(high, 1.0);
  for (int step = 0; step < 100 && Penalty::has_argument && !curved.empty(); ++step) {
    double slope = ut - s * uu, bend = uu;
    for (std::size_t k : curved) {
      const double c = z.c[k];
      slope -= c * penalty.argument(z.feature(k), s * c);
      bend += c * c * penalty.argument_slope(z.feature(k), s * c);
    }
    (slope > 0.0 ? low : high) = s;
    if (slope * slope <= 1e-17 * uu * ut || !(high - low > 1e-16 * high)) break;
    const double newton = bend > 0.0 ? s + slope / bend : infinity;
    const bool to_end = slope > 0.0 && newton >= high;
    s = newton > low && newton < high ? newton : (to_end ? high : 0.5 * (low + high));
  }
  return s * ut - 0.5 * s * s * uu - conjugate_sum(penalty, z, s);
}

// The same, less what uu and ut may be off by.
template <class Penalty>
double sure_dual(const Penalty& penalty, const Correlations& z, double ut, double uu,
                 double rounding, double most = infinity) {
  return quadratic_dual(penalty, z, ut, std::max(uu, rounding), most) - rounding;
}

// max_j |c_j| in X's units over the features that are not out
template <class Penalty>
double steepest(const Penalty& penalty, const Vector& c, const Vector& inv) {
  double largest = 0.0;
  for (std::size_t j = 0; j < c.size(); ++j)
    if (!penalty.excluded(Index(j))) largest = std::max(largest, std::fabs(c[j]) / inv[j]);
  return largest;
}

// The reference of both relative figures: the null model, penalised b = 0 and the rest optimal.
// Beside them the same at w = 0 and no intercept, against which rounding is told from a figure.
struct NullModel {
  double objective = 0.0;  // P0
  double reached = 0.0;  // that of the coefficients held for it: more where float64 has none better
  double gradient = 0.0;  // max_j |gradient_j|, in X's units
  double unfitted = 0.0;  // objective at w = 0, intercept 0
  double size = 0.0;      // bound of max_j sum_i |x_ij| |u_i| there

  // A user's loss may be negative.
  bool exact() const { return std::fabs(objective) <= 1e-28 * std::fabs(unfitted); }
};

struct Verdict {
  double primal = 0.0, dual = 0.0, gap = 0.0, relative_gap = 0.0, kkt = 0.0;
};

// The verdict on a null model that fits exactly: it is the minimiser, since losses are >= 0.
inline Verdict exact_fit(const NullModel& null) {
  Verdict v;
  v.primal = null.reached;
  v.gap = null.reached;
  v.relative_gap = null.reached <= 1e-20 * null.unfitted ? 0.0 : infinity;
  return v;
}

// The larger of two violations; NaN, which only a user's function can make, stays.
inline double worse(double a, double b) {
  return std::isnan(a) || a >= b ? a : b;
}

// Where the null model fits exactly, it is the answer: its figures are 0, all others infinite. No
// dual value exceeds P0, the primal value of a point that is known; where rounding says so, it does
// not count.
inline Verdict judge_against(const NullModel& null, double primal, double dual, double violation,
                             bool is_null) {
  Verdict v;
  v.primal = primal;
  v.dual = std::isnan(dual) ? dual : std::min(dual, null.objective);
  v.gap = primal - v.dual < 0.0 ? 0.0 : primal - v.dual;  // NaN stays NaN
  if (std::isnan(dual))
    v.relative_gap = dual;
  else if (null.exact())
    v.relative_gap = is_null && primal <= 1e-20 * null.unfitted ? 0.0 : infinity;
  else
    v.relative_gap = v.gap / std::fabs(null.objective);
  if (std::isnan(primal))
    v.kkt = primal;
  else if (null.gradient > 1e-14 * null.size)
    v.kkt = violation / null.gradient;
  else
    v.kkt = std::isnan(violation) ? violation : violation <= 1e-10 * null.size ? 0.0 : infinity;
  return v;
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

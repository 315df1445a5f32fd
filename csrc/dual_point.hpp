// Dual points of answers on a working set, known by their coefficients; the vector of n values is
// found when it is asked for.
#pragma once

#include <algorithm>
#include <limits>

#include "certificate.hpp"
#include "matrix.hpp"
#include "values.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// A dual point: the residual t - Zb of coefficients on W, less its part in the span of features
// that no penalty holds.
struct DualPoint {
  Support at;                        // b
  Vector c;                          // (|W|,) Z_W'v
  double square = 0.0, along = 0.0;  // v'v, v't
  double rounding = 0.0;             // that these two may be off by
  double terms = 0.0;                // of the sums in them that cancel
  Index span = 0;                    // what v is projected off; 0: nothing
  Vector v;                          // (n,); empty: nobody asked for it
};

// ||v - w||^2, rounded up, from v'w = v't - v'Zb_w where one of them was not asked for; infinite
// for points off different spans.
inline double distance_square(const DualPoint& v, const DualPoint& w) {
  if (v.span != w.span) return infinity;
  if (!v.v.empty() && !w.v.empty()) {
    const double* at = w.v.data();
    return (1.0 + 1e-12) * sum_of(Index(v.v.size()), [at, of = v.v.data()](Index i) {
             return (of[i] - at[i]) * (of[i] - at[i]);
           });
  }
  if (v.c.size() < w.c.size()) return distance_square(w, v);
  double product = v.along;
  for (std::size_t k = 0; k < w.at.b.size(); ++k)
    product -= v.c[std::size_t(w.at.features[k])] * w.at.b[k];
  const double rounding = 8 * std::numeric_limits<double>::epsilon() * (v.terms + w.terms);
  return std::max(0.0, v.square + w.square - 2.0 * product) + rounding;
}

// max_s D(s v), s <= most, less rounding, from correlations z with the features of `penalty`
template <class Penalty>
double value_of(const Penalty& penalty, const DualPoint& v, const Correlations& z,
                double most = infinity) {
  return sure_dual(penalty, z, v.along, v.square, v.rounding, most);
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

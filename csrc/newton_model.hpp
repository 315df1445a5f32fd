// The quadratic model of a Newton step, solved directly in Gram space: for features that coordinate
// descent separates slowly, such as columns far from zero where no intercept takes their mean.
#pragma once

#include <algorithm>
#include <vector>

#include "active_set.hpp"
#include "residual_model.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// Bytes of the columns W that a direct solve copies.
inline double direct_bytes(const AnyMatrix& X, const std::vector<Index>& W) {
  return 8.0 * double(X.n) * double(W.size());
}

// Whether a direct solve on W costs no more than the epochs that did not do, in time and memory,
// and its one product, which cannot be interrupted, a tenth of a second.
inline bool worth_direct(const AnyMatrix& X, const std::vector<Index>& W) {
  const double k = double(W.size());
  return k > 0.0 && k <= 400.0 && double(X.n) * k * k <= 4e9 &&
         direct_bytes(X, W) <= std::max(1.6e7, 0.25 * X.size());
}

// b_W := argmin  (b - b0)'H (b - b0) / 2 - g'(b - b0) + penalty(b) from b0 = b_W, with g = gradient
// of `model` at b0 and H = Z'diag(h) Z, z_j = (x_j - centre_j) / d_j: in s_j b_j, s_j = H_jj^(1/2),
// of unit curvature.
template <class Poll>
void solve_model(const Blas& blas, const AnyMatrix& X, const Vector& h, const Vector& centre,
                 const Vector& inv, ResidualModel& model, const ElasticNet& penalty,
                 const std::vector<Index>& W, double* b, const Poll& poll) {
  const std::size_t n = std::size_t(X.n);
  const Index m = Index(W.size());
  Vector Z(n * W.size()), s(W.size()), b0(W.size()), q(W.size());
  ElasticNet scaled;
  scaled.alpha = penalty.alpha;
  for (std::size_t k = 0; k < W.size(); ++k) {
    const std::size_t j = std::size_t(W[k]);
    double *z = &Z[n * k], square = 0.0;
    X.gather(W[k], z);
    for (std::size_t i = 0; i < n; ++i) {
      z[i] = std::sqrt(std::max(h[i], 0.0)) * (z[i] - centre[j]) * inv[j];
      square += z[i] * z[i];
    }
    s[k] = std::sqrt(square);
    const double scale = s[k] > 0.0 ? 1.0 / s[k] : 0.0;
    for (std::size_t i = 0; i < n; ++i) z[i] *= scale;
    b0[k] = s[k] * b[W[k]];
    q[k] = scale * model.gradient(W[k]);
    const bool out = scale == 0.0;
    scaled.factor1.push_back(out ? 0.0 : penalty.factor1[j] * scale);
    scaled.factor2.push_back(out ? 0.0 : penalty.factor2[j] * scale * scale);
    scaled.lower.push_back(out ? 0.0 : s[k] * penalty.lo(W[k]));
    scaled.upper.push_back(out ? 0.0 : s[k] * penalty.hi(W[k]));
  }
  const Vector G = gram_of(blas, Z, n, W.size());
  for (Index k = 0; k < m; ++k)
    for (Index i = 0; i < m; ++i)
      q[std::size_t(i)] += G[std::size_t(i + k * m)] * b0[std::size_t(k)];
  GramModel gram(G.data(), m, m, q.data(), 0.0);
  Vector beta = b0;
  ActiveSet(blas, gram, scaled, beta.data()).solve(0, poll);
  for (std::size_t k = 0; k < W.size(); ++k)
    if (s[k] > 0.0) {
      const double at = beta[k] / s[k], lo = penalty.lo(W[k]), hi = penalty.hi(W[k]);
      b[W[k]] = std::isfinite(at) ? std::min(std::max(at, lo), hi) : b[W[k]];
    }
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// The quadratic loss seen through its Gram matrix: loss(b) = (tt - 2 q'b + b'Gb) / 2, with the
// gradient g = q - Gb kept up to date. One of the two models that coordinate descent runs on.
#pragma once

#include <vector>

#include "matrix.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

struct GramModel {
  const double* G;  // (p, p) column-major, unit diagonal (0: constant feature)
  Index ld, p;
  const double* q;  // (p,)
  double tt;        // t't
  Vector g;         // (p,) q - Gb
  int n_threads = 1;

  GramModel(const double* gram, Index leading, Index size, const double* xt, double square)
      : G(gram), ld(leading), p(size), q(xt), tt(square), g(xt, xt + size) {}

  double gradient(Index j) const { return g[std::size_t(j)]; }
  double lipschitz(Index) const { return 1.0; }
  Vector& state() { return g; }

  // g -= delta G_j
  void update(Index j, double delta) {
    const double* column = G + j * ld;
    double* out = g.data();
#pragma omp simd
    for (Index k = 0; k < p; ++k) out[k] -= delta * column[k];
  }
  // g -= t G[:, F] d, four columns a sweep; threads share the rows where that is worth it
  void update(const std::vector<Index>& F, const double* d, double t) {
    constexpr Index least = Index(1) << 21, width = 1024;
    const bool worth = n_threads > 1 && p * Index(F.size()) > least;
    parallel_blocks(worth ? n_threads : 1, worth ? (p + width - 1) / width : 1, [&](Index block) {
      update_rows(F, d, t, worth ? block * width : 0, worth ? std::min(p, (block + 1) * width) : p);
    });
  }
  void refresh(const double* b) {
    std::copy(q, q + p, g.begin());
    const Support at(b, p);
    update(at.features, at.b.data(), 1.0);
  }
  // g of the features from `old` on, which joined at b_j = 0
  void extend(const double* b, Index old) {
    std::copy(q + old, q + p, g.begin() + old);
    const Support at(b, p);
    update_rows(at.features, at.b.data(), 1.0, old, p);
  }
  double residual_square(const double* b) const {  // ||t - Zb||^2 = tt - q'b - g'b
    double sum = tt;
    for (Index j = 0; j < p; ++j)
      if (b[j] != 0.0) sum -= (q[j] + g[std::size_t(j)]) * b[j];
    return std::max(0.0, sum);
  }
  double residual_target(const double* b) const {  // (t - Zb)'t = tt - q'b
    double sum = tt;
    for (Index j = 0; j < p; ++j)
      if (b[j] != 0.0) sum -= q[j] * b[j];
    return sum;
  }
  double loss(const double* b) const { return 0.5 * residual_square(b); }
  // of the terms that residual_square adds up, those of b'Gb in g among them: its rounding is a
  // share of this
  double terms(const double* b) const {
    double sum = tt;
    for (Index j = 0; j < p; ++j)
      if (b[j] != 0.0)
        sum += (std::fabs(q[j]) + std::fabs(g[std::size_t(j)]) + std::fabs(b[j])) * std::fabs(b[j]);
    return sum;
  }

 private:
  void update_rows(const std::vector<Index>& F, const double* d, double t, Index i0, Index i1) {
    double* out = g.data();
    std::size_t k = 0;
    for (; k + 4 <= F.size(); k += 4) {
      const double *c0 = G + F[k] * ld, *c1 = G + F[k + 1] * ld, *c2 = G + F[k + 2] * ld,
                   *c3 = G + F[k + 3] * ld;
      const double d0 = t * d[k], d1 = t * d[k + 1], d2 = t * d[k + 2], d3 = t * d[k + 3];
#pragma omp simd
      for (Index i = i0; i < i1; ++i)
        out[i] -= (d0 * c0[i] + d1 * c1[i]) + (d2 * c2[i] + d3 * c3[i]);
    }
    for (; k < F.size(); ++k) {
      const double* column = G + F[k] * ld;
      const double delta = t * d[k];
#pragma omp simd
      for (Index i = i0; i < i1; ++i) out[i] -= delta * column[i];
    }
  }
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// Pure L2 with fewer rows than features, by Cholesky on the side of the rows.
//
// With K = sum_j z_j z_j' / f_j over the penalised features, the residual of the solution at alpha
// satisfies (K + alpha I) r = alpha t, and then b_j = z_j'r / (alpha f_j). On the other side of the
// rectangle the same problem is one Cholesky solve of the Gram path.
#pragma once

#include <vector>

#include "cholesky.hpp"
#include "design.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class KernelRidge {
 public:
  // One reading of X, left unfinished where `stop` says so. penalty: no l1 term, no bounds, every
  // included feature penalised.
  KernelRidge(const Design& design, const ElasticNet& penalty, StopSign& stop, Report& report)
      : design_(design), n_(design.X.n), K_(std::size_t(n_ * n_), 0.0) {
    const Index width = 256, panel = 128, n_panels = (n_ + panel - 1) / panel;
    std::vector<double> B(std::size_t(n_ * width));
    for (Index j0 = 0; j0 < design.X.p && !stop.up(); j0 += width) {
      const Index m = std::min(width, design.X.p - j0);
      parallel_blocks(design.n_threads, m, [&](Index k) {
        scaled_column(j0 + k, penalty.factor2[std::size_t(j0 + k)], &B[std::size_t(n_ * k)]);
      });
      parallel_blocks(design.n_threads, n_panels, [&](Index block) {
        if (stop.up()) return;
        const Index c0 = block * panel, c1 = std::min(n_, c0 + panel);
        gemm(design.blas, 'N', 'T', int(c0), int(c1 - c0), int(m), 1.0, B.data(), int(n_),
             &B[std::size_t(c0)], int(n_), 1.0, &K_[std::size_t(c0 * n_)], int(n_));
        syrk_outer(design.blas, int(c1 - c0), int(m), &B[std::size_t(c0)], int(n_),
                   &K_[std::size_t(c0 + c0 * n_)], int(n_));
      });
    }
    finished_ = !stop.up();
    report.x_bytes += design.X.size();
    report.peak_bytes += 8.0 * double(n_ * n_) * 2 + 8.0 * double(B.size());
  }

  // b at penalty.alpha > 0; false if K + alpha I is singular to rounding, or K is not finished.
  bool solve(const ElasticNet& penalty, std::vector<double>& b, Report& report) const {
    const double alpha = penalty.alpha;
    if (!finished_ || !(alpha > 0.0)) return false;
    Cholesky factor(design_.blas);
    const bool definite = factor.factor(n_, 0.0, [&](double* R, Index ld) {
      for (Index k = 0; k < n_; ++k) {
        std::copy(&K_[std::size_t(k * n_)], &K_[std::size_t(k * n_)] + k + 1, R + k * ld);
        R[k + k * ld] += alpha;
      }
    });
    if (!definite) return false;
    std::vector<double> r(static_cast<std::size_t>(n_)), c;
    for (std::size_t i = 0; i < r.size(); ++i) r[i] = alpha * design_.root[i] * design_.t[i];
    factor.solve(r.data());
    double sum = 0.0;
    for (std::size_t i = 0; i < r.size(); ++i) sum += (r[i] *= design_.root[i]);
    c.resize(std::size_t(design_.X.p));
    design_.xtr(r.data(), 1, c.data(), report);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const double cj = (c[j] - design_.stats.mean[j] * sum) * design_.stats.inv[j];
      b[j] = penalty.excluded(Index(j)) ? 0.0 : cj / penalty.l2(Index(j));
    }
    return true;
  }
  bool solve(const FunctionPenalty&, std::vector<double>&, Report&) const { return false; }

 private:
  // sqrt(omega_i) (x_ij - m_j) / (d_j sqrt(f_j)); zero for a feature that is out
  void scaled_column(Index j, double factor, double* out) const {
    const std::size_t k = std::size_t(j);
    const double scale = factor > 0.0 ? design_.stats.inv[k] / std::sqrt(factor) : 0.0;
    design_.X.gather(j, out);
    for (Index i = 0; i < n_; ++i)
      out[i] = design_.root[std::size_t(i)] * (out[i] - design_.stats.mean[k]) * scale;
  }

  const Design& design_;
  Index n_;
  std::vector<double> K_;  // (n, n) upper
  bool finished_ = false;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

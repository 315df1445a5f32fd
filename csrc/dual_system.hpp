// The linear systems of Newton's method on the dual of an elastic net: K x = y with
//   K(alpha) = I + M / alpha,   M = sum_{j in A} z_j z_j' / f_j,   f_j the l2 term's factor,
// while A changes by a few features at a time and alpha falls. M does not depend on alpha and
// follows A by changes; a factor of K serves several sets A (Woodbury) and several alphas
// (conjugate gradients).
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "feature_set.hpp"
#include "penalty.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

inline double size_of(const Vector& v) {
  return std::sqrt(dot_dense(v.data(), v.data(), Index(v.size())));
}

class DualSystem {
 public:
  DualSystem(const Design& design, const FeatureSet& columns, const ElasticNet& penalty)
      : design_(design), columns_(columns), penalty_(penalty), n_(design.X.n) {}

  double bytes() const { return 8.0 * double(M_.size() + K_.size() + V_.capacity()); }

  // Features join A and leave it; `all` are those in it then, of which M is made anew when most
  // changed.
  void change(const std::vector<Index>& come, const std::vector<Index>& go,
              const std::vector<Index>& all) {
    changes_ += Index(come.size() + go.size());
    for (Index j : come) since_.emplace_back(j, 1.0);
    for (Index j : go) since_.emplace_back(j, -1.0);
    if (M_.empty() || come.size() + go.size() > all.size() || changes_ > 20 * n_) {
      M_.assign(std::size_t(n_ * n_), 0.0);
      columns_.add_outer(all, 1.0, penalty_.factor2, M_.data());
      changes_ = 0;
      return;
    }
    columns_.add_outer(come, 1.0, penalty_.factor2, M_.data());
    columns_.add_outer(go, -1.0, penalty_.factor2, M_.data());
  }

  // M x, from the upper triangle
  Vector product(const Vector& x) const {
    Vector y(std::size_t(n_), 0.0);
    if (M_.empty()) return y;
    for (Index k = 0; k < n_; ++k) {
      const double* column = M_.data() + k * n_;
      const double xk = x[std::size_t(k)];
#pragma omp simd
      for (Index i = 0; i < k; ++i) y[std::size_t(i)] += xk * column[i];
      y[std::size_t(k)] += dot_dense(column, x.data(), k) + xk * column[k];
    }
    return y;
  }

  // x := K(alpha)^{-1} x but for a residual of `enough` in norm; by a new factor where the one held
  // would take more than `rounds` and more than a new one costs. That is n / 6 products with its
  // triangles at one rate of arithmetic, but those are bound by memory.
  void solve(Vector& x, double alpha, double enough, double rounds = 1.0) {
    if (solve_near(x, alpha, enough, std::max(rounds, double(n_) / 40.0))) return;
    factorise(alpha);
    apply_inverse(x);
  }

  // The same by the factor held, K_0 at alpha_0: K = (1 + r) K_0 - r I, r = alpha_0 / alpha - 1, so
  // that K_0^{-1} K has its eigenvalues between 1 and 1 + r and conjugate gradients, preconditioned
  // by K_0, leave a share ((1 + r)^(1/2) - 1) / ((1 + r)^(1/2) + 1) of the error a round. False,
  // and x as it was, where no factor is near or that takes more than `most` rounds.
  bool solve_near(Vector& x, double alpha, double enough, double most) const {
    if (!(factored_ > 0.0)) return false;
    const double r = factored_ / alpha - 1.0, root = std::sqrt(1.0 + r);
    if (r == 0.0) return apply_inverse(x);
    const double rate = std::fabs(root - 1.0) / (root + 1.0);
    if (!(size_of(x) * std::pow(rate, most) <= enough)) return false;
    Vector y(x.size(), 0.0), residual(x), w(x), p(y), q(y), Kp(y);
    double last = infinity;
    for (double left = size_of(x); left > enough;) {
      w = residual;
      if (!apply_inverse(w)) return false;
      const double now = dot_dense(residual.data(), w.data(), n_), turn = now / last;
      last = now;
      for (std::size_t i = 0; i < y.size(); ++i) {
        p[i] = w[i] + turn * p[i];
        q[i] = residual[i] + turn * q[i];  // K_0 p
        Kp[i] = (1.0 + r) * q[i] - r * p[i];
      }
      const double step = now / dot_dense(p.data(), Kp.data(), n_);
      for (std::size_t i = 0; i < y.size(); ++i) {
        y[i] += step * p[i];
        residual[i] -= step * Kp[i];
      }
      const double before = std::exchange(left, size_of(residual));
      if (!(left < 0.9 * before)) return false;
    }
    x.swap(y);
    return true;
  }

 private:
  // x := K_0^{-1} x, where K_0 is what was factored and the changes of A since, K_0 = R'R + U S U'
  // with a column z_j / sqrt(l2_j) of U and a sign each:  R^{-1} (I - V (S + V'V)^{-1} V') R'^{-1},
  // V = R'^{-1} U. False where the changes are many.
  bool apply_inverse(Vector& x) const {
    const Index k = Index(since_.size());
    if (k > std::max<Index>(8, n_ / 8) || !follow_changes()) return false;
    trsv(design_.blas, 'T', int(n_), K_.data(), int(n_), x.data());
    if (k > 0) {
      Vector a(static_cast<std::size_t>(k));
      gemv(design_.blas, 'T', int(n_), int(k), 1.0, V_.data(), int(n_), x.data(), 0.0, a.data());
      getrs(design_.blas, int(k), T_.data(), pivots_.data(), a.data());
      gemv(design_.blas, 'N', int(n_), int(k), -1.0, V_.data(), int(n_), a.data(), 1.0, x.data());
    }
    trsv(design_.blas, 'N', int(n_), K_.data(), int(n_), x.data());
    return true;
  }

  // V and the factors of S + V'V for all changes since K_0; false if that is singular to rounding.
  bool follow_changes() const {
    const Index k = Index(since_.size()), held = Index(pivots_.size());
    if (k == held) return true;
    V_.resize(std::size_t(n_ * k));
    for (Index l = held; l < k; ++l) {
      const Index j = since_[std::size_t(l)].first;
      columns_.copy(j, 1.0 / std::sqrt(factored_ * penalty_.factor2[std::size_t(j)]),
                    V_.data() + n_ * l);
    }
    trsm(design_.blas, int(n_), int(k - held), K_.data(), int(n_), V_.data() + n_ * held, int(n_));
    T_.resize(std::size_t(k * k));
    pivots_.resize(std::size_t(k));
    gemm(design_.blas, 'T', 'N', int(k), int(k), int(n_), 1.0, V_.data(), int(n_), V_.data(),
         int(n_), 0.0, T_.data(), int(k));
    for (Index l = 0; l < k; ++l) T_[std::size_t(l * (k + 1))] += since_[std::size_t(l)].second;
    bool regular = getrf(design_.blas, int(k), T_.data(), pivots_.data()) == 0;
    for (Index l = 0; l < k; ++l)
      regular = regular && std::fabs(T_[std::size_t(l * (k + 1))]) > 1e-10;
    if (!regular) pivots_.clear();
    return regular;
  }

  // K_ := upper factor of K(alpha)
  void factorise(double alpha) {
    factored_ = alpha;
    since_.clear();
    V_.clear();
    pivots_.clear();
    K_.resize(M_.size());
    const double scale = 1.0 / alpha;
    for (Index k = 0; k < n_; ++k) {
      for (Index i = 0; i <= k; ++i)
        K_[std::size_t(i + k * n_)] = scale * M_[std::size_t(i + k * n_)];
      K_[std::size_t(k * (n_ + 1))] += 1.0;
    }
    if (potrf(design_.blas, int(n_), K_.data(), int(n_)) == 0) return;
    std::fill(K_.begin(), K_.end(), 0.0);  // rounding made K indefinite: a plain gradient step
    for (Index k = 0; k < n_; ++k) K_[std::size_t(k * (n_ + 1))] = 1.0;
  }

  const Design& design_;
  const FeatureSet& columns_;
  const ElasticNet& penalty_;
  const Index n_;
  Index changes_ = 0;                            // of A since M was made
  double factored_ = 0.0;                        // alpha of K_, 0 before the first
  Vector M_, K_;                                 // (n, n), upper triangles
  std::vector<std::pair<Index, double>> since_;  // features that joined (1) or left (-1) A since K_
  mutable Vector V_, T_;                         // (n, k) and (k, k) for the changes followed
  mutable std::vector<int> pivots_;              // (k,)
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// The features that the penalty leaves alone, with the intercept: an orthonormal basis of their
// span, off which dual points are projected, and their own least-squares problem.
#pragma once

#include <vector>

#include "gram_path.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class Basis {
 public:
  // Orthonormal basis of the columns sqrt(omega) z_j, j in U, by QR with column pivoting; columns
  // whose diagonal falls below rounding are dependent.
  void span(const Design& design, const std::vector<Index>& U, Report& report) {
    n_ = design.X.n;
    rank_ = 0;
    Q_.resize(std::size_t(n_) * U.size());
    for (std::size_t k = 0; k < U.size(); ++k) {
      double* z = &Q_[std::size_t(n_) * k];
      const std::size_t j = std::size_t(U[k]);
      design.X.gather(U[k], z);
      report.x_bytes += design.X.column_bytes(U[k]);
      for (Index i = 0; i < n_; ++i)
        z[i] = design.root[std::size_t(i)] * (z[i] - design.stats.mean[j]) * design.stats.inv[j];
    }
    if (U.empty() || n_ == 0) return;
    int n = int(n_), m = int(U.size()), info = 0, size = 32 * m + 3 * m + 1;
    const int k = std::min(n, m);
    std::vector<int> order(U.size(), 0);
    std::vector<double> tau(static_cast<std::size_t>(k)), work(static_cast<std::size_t>(size));
    design.blas.dgeqp3(&n, &m, Q_.data(), &n, order.data(), tau.data(), work.data(), &size, &info);
    const double top = std::fabs(Q_[0]);
    const double least = top * std::numeric_limits<double>::epsilon() * double(std::max(n, m)) * 4;
    while (rank_ < k && std::fabs(Q_[std::size_t(rank_) * std::size_t(n + 1)]) > least) ++rank_;
    if (top == 0.0) rank_ = 0;
    int rank = int(rank_);
    if (rank > 0)
      design.blas.dorgqr(&n, &rank, &rank, Q_.data(), &n, tau.data(), work.data(), &size, &info);
    Q_.resize(std::size_t(n_ * rank_));
  }

  bool empty() const { return rank_ == 0; }
  double bytes() const { return 8.0 * double(Q_.capacity()); }

  // u := u - sqrt(omega) Q Q' (u / sqrt(omega)), twice; rows without weight have u = 0
  void project(const Blas& blas, const std::vector<double>& root, std::vector<double>& u) const {
    if (rank_ == 0) return;
    std::vector<double> v(static_cast<std::size_t>(n_));
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = root[i] > 0.0 ? u[i] / root[i] : 0.0;
    project(blas, v);
    for (std::size_t i = 0; i < v.size(); ++i) u[i] = root[i] * v[i];
  }

  // v := v - Q Q'v, twice
  void project(const Blas& blas, std::vector<double>& v) const {
    if (rank_ == 0) return;
    std::vector<double> a(static_cast<std::size_t>(rank_));
    const double before = dot_dense(v.data(), v.data(), n_);
    for (int round = 0; round < 2; ++round) {
      gemv(blas, 'T', int(n_), int(rank_), 1.0, Q_.data(), int(n_), v.data(), 0.0, a.data());
      gemv(blas, 'N', int(n_), int(rank_), -1.0, Q_.data(), int(n_), a.data(), 1.0, v.data());
    }
    // what is left of a vector of the span is rounding, and scaling would make a bound of it
    if (dot_dense(v.data(), v.data(), n_) <= 1e-28 * before) std::fill(v.begin(), v.end(), 0.0);
  }

 private:
  Index n_ = 0, rank_ = 0;
  std::vector<double> Q_;  // (n, rank)
};

// b_U: minimiser of the quadratic loss over the features that `null` leaves in, within its bounds.
inline void solve_unpenalised(const Design& design, const ElasticNet& null, std::vector<double>& b,
                              Report& report) {
  std::vector<Index> U;
  for (std::size_t j = 0; j < b.size(); ++j)
    if (!null.excluded(Index(j))) U.push_back(Index(j));
  if (U.empty()) return;
  const std::size_t n = std::size_t(design.X.n);
  const Index m = Index(U.size());
  std::vector<double> Z(n * U.size()), G(std::size_t(m * m), 0.0), r(n);
  for (std::size_t k = 0; k < U.size(); ++k) {
    const std::size_t j = std::size_t(U[k]);
    double* z = &Z[n * k];
    design.X.gather(U[k], z);
    report.x_bytes += design.X.column_bytes(U[k]);
    for (std::size_t i = 0; i < n; ++i)
      z[i] = design.root[i] * (z[i] - design.stats.mean[j]) * design.stats.inv[j];
  }
  syrk(design.blas, int(m), int(n), 1.0, Z.data(), int(n), G.data(), int(m));
  for (Index k = 0; k < m; ++k)
    for (Index i = 0; i < k; ++i) G[std::size_t(k + i * m)] = G[std::size_t(i + k * m)];
  for (std::size_t i = 0; i < n; ++i) r[i] = design.root[i] * design.t[i];
  for (int round = 0; round < 3; ++round) {  // the second and third refine on the residual
    ElasticNet part;
    std::vector<double> q, step(U.size());
    for (std::size_t k = 0; k < U.size(); ++k) {
      q.push_back(dot_dense(&Z[n * k], r.data(), Index(n)));
      const double at = b[std::size_t(U[k])];
      part.factor1.push_back(0.0);
      part.factor2.push_back(0.0);
      part.lower.push_back(std::min(0.0, null.lo(U[k]) - at));
      part.upper.push_back(std::max(0.0, null.hi(U[k]) - at));
    }
    GramModel model(G.data(), m, m, q.data(), dot_dense(r.data(), r.data(), Index(n)));
    ActiveSet active(design.blas, model, part, step.data());
    active.solve(0, [] { return false; });
    for (std::size_t k = 0; k < U.size(); ++k) {
      b[std::size_t(U[k])] += step[k];
      for (std::size_t i = 0; i < n; ++i) r[i] -= step[k] * Z[n * k + i];
    }
  }
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

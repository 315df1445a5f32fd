// The features that the penalty leaves alone, with the intercept: an orthonormal basis of their
// span, off which dual points are projected, and their own least-squares problem.
#pragma once

#include <numeric>
#include <vector>

#include "gram_path.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// The columns sqrt(omega) z_j, j in U, (n, |U|). They are centred twice: what rounding leaves of a
// mean far from zero is much beside a small d_j.
inline Vector weighted_columns(const Design& design, const std::vector<Index>& U, Report& report) {
  const std::size_t n = std::size_t(design.X.n);
  Vector Z;
  Z.reserve(n * (U.size() + 1));  // with room for the intercept's
  Z.resize(n * U.size());
  for (std::size_t k = 0; k < U.size(); ++k) {
    const std::size_t j = std::size_t(U[k]);
    double *z = &Z[n * k], left = 0.0;
    design.X.gather(U[k], z);
    report.x_bytes += design.X.column_bytes(U[k]);
    for (std::size_t i = 0; i < n; ++i) {
      z[i] -= design.stats.mean[j];
      left += design.omega[i] * z[i];
    }
    if (!design.centred()) left = 0.0;
    for (std::size_t i = 0; i < n; ++i) z[i] = design.root[i] * (z[i] - left) * design.stats.inv[j];
  }
  return Z;
}

// Z (n, m), n >= m, becomes Q with orthonormal columns; returns R (m, m), upper, with Z = QR.
// Blocks of rows that stay in cache first, then their R one below the other (Demmel, Grigori,
// Hoemmen and Langou, 2012).
inline Vector orthonormalise(const Blas& blas, Vector& Z, Index n, Index m, int n_threads) {
  const Index blocks = std::max<Index>(1, n / std::max<Index>(1024, 4 * m));
  Vector R(std::size_t(m * m), 0.0);
  if (blocks == 1) {
    int rows = int(n), columns = int(m), size = 64 * columns, info = 0;
    Vector tau(static_cast<std::size_t>(m)), work(static_cast<std::size_t>(size));
    blas.dgeqrf(&rows, &columns, Z.data(), &rows, tau.data(), work.data(), &size, &info);
    for (Index c = 0; c < m; ++c) std::copy_n(Z.begin() + c * n, c + 1, R.begin() + c * m);
    blas.dorgqr(&rows, &columns, &columns, Z.data(), &rows, tau.data(), work.data(), &size, &info);
    return R;
  }
  Vector all(std::size_t(blocks * m * m));  // the R of the blocks, then their Q
  const Index height = blocks * m;
  auto over_blocks = [&](const auto& work) {
    parallel_blocks(worthwhile(n_threads, double(n * m)), blocks, [&](Index block) {
      const Index begin = block * n / blocks, rows = (block + 1) * n / blocks - begin;
      Vector part(std::size_t(rows * m));
      for (Index c = 0; c < m; ++c)
        std::copy_n(Z.begin() + begin + c * n, rows, part.begin() + c * rows);
      work(part, rows, all.begin() + block * m);
      for (Index c = 0; c < m; ++c)
        std::copy_n(part.begin() + c * rows, rows, Z.begin() + begin + c * n);
    });
  };
  over_blocks([&](Vector& part, Index rows, auto own) {
    const Vector upper = orthonormalise(blas, part, rows, m, 1);
    for (Index c = 0; c < m; ++c) std::copy_n(upper.begin() + c * m, m, own + c * height);
  });
  R = orthonormalise(blas, all, height, m, n_threads);
  over_blocks([&](Vector& part, Index rows, auto own) {
    const Vector Q = part;
    gemm(blas, 'N', 'N', int(rows), int(m), int(m), 1.0, Q.data(), int(rows), &*own, int(height),
         0.0, part.data(), int(rows));
  });
  return R;
}

class Basis {
 public:
  // Orthonormal basis of the columns sqrt(omega) z_j, j in U, by QR with column pivoting; columns
  // whose diagonal falls below rounding are dependent. With an intercept its column sqrt(omega) is
  // the first, and rows without weight are left out: in directions of small diagonal rounding
  // there, and what it left of the means, would be much.
  void span(const Design& design, const std::vector<Index>& U, Report& report) {
    span(design, weighted_columns(design, U, report));
  }
  void span(const Design& design, Vector columns) {
    const std::size_t all = std::size_t(design.X.n);
    rows_.clear();
    for (std::size_t i = 0; i < all; ++i)
      if (design.root[i] > 0.0) rows_.push_back(i);
    n_ = Index(rows_.size());
    rank_ = 0;
    R_.clear();
    order_.assign(columns.size() / std::max<std::size_t>(all, 1), 0);
    Q_ = std::move(columns);
    if (Q_.empty()) return;
    auto to = Q_.begin();
    for (std::size_t k = 0; k < Q_.size(); k += all)
      for (std::size_t i : rows_) *to++ = Q_[k + i];
    Q_.erase(to, Q_.end());
    first_ = design.centred() ? 1 : 0;
    if (first_ > 0) {
      const Vector intercept = on_rows(design.root.data());
      Q_.insert(Q_.end(), intercept.begin(), intercept.end());
      order_.push_back(1);  // goes to the front
    }
    factorise(design.blas, design.n_threads);
  }

  // a: coefficients of the columns that minimise ||v - sum_k a_k z_k||, 0 for the dependent ones,
  // which are those whose diagonal is below `finest` of the largest
  Vector least_squares(const Blas& blas, const Vector& v, double finest) const {
    Vector y(static_cast<std::size_t>(rank_)), a(order_.size() - std::size_t(first_));
    if (rank_ == 0) return a;
    const Vector x = on_rows(v.data());
    auto pivot = [&](Index k) { return std::fabs(R_[std::size_t(k * (rank_ + 1))]); };
    Index rank = first_;
    while (rank < rank_ && pivot(rank) > finest * pivot(first_)) ++rank;
    gemv(blas, 'T', int(n_), int(rank), 1.0, Q_.data(), int(n_), x.data(), 0.0, y.data());
    trsv(blas, 'N', int(rank), R_.data(), int(rank_), y.data());
    for (Index k = first_; k < rank; ++k)
      a[std::size_t(order_[std::size_t(k)] - 1)] = y[std::size_t(k)];
    return a;
  }

  Index rank() const { return std::max<Index>(0, rank_ - first_); }  // of the features
  double bytes() const { return 8.0 * double(Q_.capacity()); }

  // u := u - sqrt(omega) Q Q' (u / sqrt(omega)), twice; rows without weight have u = 0
  void project(const Blas& blas, const Vector& root, Vector& u) const {
    if (rank_ == 0) return;
    Vector v(root.size());
    for (std::size_t i = 0; i < v.size(); ++i) v[i] = root[i] > 0.0 ? u[i] / root[i] : 0.0;
    project(blas, v);
    for (std::size_t i = 0; i < v.size(); ++i) u[i] = root[i] * v[i];
  }

  // v := v - Q Q'v, twice; 0 in rows without weight
  void project(const Blas& blas, Vector& given) const {
    if (rank_ == 0) return;
    Vector a(static_cast<std::size_t>(rank_)), v = on_rows(given.data());
    const double before = dot_dense(v.data(), v.data(), n_);
    for (int round = 0; round < 2; ++round) {
      gemv(blas, 'T', int(n_), int(rank_), 1.0, Q_.data(), int(n_), v.data(), 0.0, a.data());
      gemv(blas, 'N', int(n_), int(rank_), -1.0, Q_.data(), int(n_), a.data(), 1.0, v.data());
    }
    // what is left of a vector of the span is rounding, and scaling would make a bound of it
    if (dot_dense(v.data(), v.data(), n_) <= 1e-28 * before) std::fill(v.begin(), v.end(), 0.0);
    std::fill(given.begin(), given.end(), 0.0);
    for (std::size_t k = 0; k < v.size(); ++k) given[rows_[k]] = v[k];
  }

 private:
  // Q, R and their rank from the columns in Q_; of long columns from those of their own R.
  void factorise(const Blas& blas, int n_threads) {
    const Index m = Index(order_.size());
    const bool tall = n_ > m;
    Vector T;
    if (tall) T = orthonormalise(blas, Q_, n_, m, n_threads);
    Vector& A = tall ? T : Q_;
    int rows = int(tall ? m : n_), k = int(m), side = int(std::min(n_, m)), info = 0,
        size = 64 * k + 64;
    Vector tau = numbers(side), work = numbers(size);
    blas.dgeqp3(&rows, &k, A.data(), &rows, order_.data(), tau.data(), work.data(), &size, &info);
    auto pivot = [&](Index c) { return std::fabs(A[std::size_t(c * (rows + 1))]); };
    const double unit = std::numeric_limits<double>::epsilon() * double(std::max(n_, m)) * 4;
    Index rank = first_;
    while (rank < side && pivot(rank) > unit * pivot(first_)) ++rank;
    if (rank == first_) Q_.clear();
    if (rank == first_) return;
    rank_ = rank;
    for (Index c = 0; c < rank_; ++c)
      R_.insert(R_.end(), A.begin() + c * rows, A.begin() + c * rows + rank_);
    int kept = int(rank_);
    blas.dorgqr(&rows, &kept, &kept, A.data(), &rows, tau.data(), work.data(), &size, &info);
    A.resize(std::size_t(rows * rank_));
    if (!tall) return;
    Vector Q(std::size_t(n_ * rank_));
    gemm(blas, 'N', 'N', int(n_), kept, k, 1.0, Q_.data(), int(n_), T.data(), k, 0.0, Q.data(),
         int(n_));
    Q_ = std::move(Q);
  }

  static Vector numbers(Index count) { return Vector(std::size_t(count), 0.0); }

  Vector on_rows(const double* v) const {
    Vector out;
    for (std::size_t i : rows_) out.push_back(v[i]);
    return out;
  }

  Index n_ = 0, rank_ = 0, first_ = 0;  // first_: 1 where the intercept's column is among them
  std::vector<std::size_t> rows_;       // (n,) of X, those of positive weight
  Vector Q_, R_;                        // (n, rank), (rank, rank) upper
  std::vector<int> order_;              // of the columns, from 1
};

// Features and a basis of their span.
struct Spanned {
  std::vector<Index> features;
  Basis basis;
};

// The bounds of b_U less b_U, no penalty; in this order.
inline ElasticNet moved_bounds(const ElasticNet& null, const std::vector<Index>& U,
                               const Vector& b) {
  ElasticNet out;
  for (Index j : U) {
    const double at = b[std::size_t(j)];
    out.factor1.push_back(0.0);
    out.factor2.push_back(0.0);
    out.lower.push_back(std::min(0.0, null.lo(j) - at));
    out.upper.push_back(std::max(0.0, null.hi(j) - at));
  }
  return out;
}

// Z'r of m columns of unit norm; 0 where it is rounding, which would lead far along columns that
// depend on each other.
inline Vector products(const Vector& Z, const Vector& r, Index m) {
  const Index n = Index(r.size());
  const double least =
      16 * std::numeric_limits<double>::epsilon() * std::sqrt(dot_dense(r.data(), r.data(), n));
  Vector q(static_cast<std::size_t>(m));
  for (Index k = 0; k < m; ++k) {
    const double product = dot_dense(&Z[std::size_t(n * k)], r.data(), n);
    if (std::fabs(product) > least) q[std::size_t(k)] = product;
  }
  return q;
}

// b_U: minimiser of the quadratic loss over the features that `null` leaves in, within its bounds;
// b is 0 before. Each solution but the first refines on the residual. Returns the minimiser's
// residual sqrt(omega) (t - Zb), (n,), which b may miss: x_ij w_j is known to rounding only, so
// directions of the span that are finer than rounding of the columns before they are centred,
// eps |m_j| / d_j, need coefficients that float64 cannot hold. Where no bound is finite, the basis
// made for it is left in `spanned`.
inline Vector solve_unpenalised(const Design& design, const ElasticNet& null, Vector& b,
                                Report& report, Spanned* spanned = nullptr) {
  std::vector<Index> U;
  for (std::size_t j = 0; j < b.size(); ++j)
    if (!null.excluded(Index(j))) U.push_back(Index(j));
  const std::size_t n = std::size_t(design.X.n);
  Vector r = design.weighted(design.t);
  if (U.empty()) return r;
  const Index m = Index(U.size());
  const Vector Z = weighted_columns(design, U, report);
  auto add = [&](const Vector& step) {
    for (std::size_t k = 0; k < U.size(); ++k) {
      b[std::size_t(U[k])] += step[k];
      for (std::size_t i = 0; i < n; ++i) r[i] -= step[k] * Z[n * k + i];
    }
  };
  const bool bounded = std::any_of(U.begin(), U.end(), [&](Index j) { return null.bounded(j); });
  if (!bounded) {
    double centre = 1.0;
    for (Index j : U)
      centre = std::max(
          centre, std::fabs(design.stats.mean[std::size_t(j)]) * design.stats.inv[std::size_t(j)]);
    const double finest =
        4 * std::numeric_limits<double>::epsilon() * double(std::max(Index(n), m)) * centre;
    Basis basis;
    basis.span(design, Z);
    Vector least = r;
    basis.project(design.blas, least);
    for (int round = 0; round < 3; ++round) add(basis.least_squares(design.blas, r, finest));
    if (spanned) *spanned = {std::move(U), std::move(basis)};
    return least;
  }
  const Vector G = gram_of(design.blas, Z, n, U.size());
  auto improves = [&](const Vector& step) {
    const Vector b_before = b, r_before = r;
    add(step);
    const Index size = Index(n);
    const double before = dot_dense(r_before.data(), r_before.data(), size);
    if (dot_dense(r.data(), r.data(), size) <= before) return true;
    b = b_before;
    r = r_before;
    return false;
  };
  for (int round = 0; round < 3; ++round) {
    const ElasticNet part = moved_bounds(null, U, b);
    const Vector q = products(Z, r, m);
    GramModel model(G.data(), m, m, q.data(), dot_dense(r.data(), r.data(), Index(n)));
    Vector step(U.size());
    ActiveSet(design.blas, model, part, step.data()).solve(0, [] { return false; });
    if (improves(step)) continue;
    // far along columns that depend on each other, where descent, if it goes, goes down
    std::fill(step.begin(), step.end(), 0.0);
    model.refresh(step.data());
    std::vector<Index> all(U.size());
    std::iota(all.begin(), all.end(), Index(0));
    descend(model, part, all, step.data(), 1000, Never());
    if (!improves(step)) break;
  }
  return r;
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

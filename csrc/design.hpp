// A problem made ready: normalised row weights, centred target, statistics, and the penalty in the
// coordinates of the unit-norm features z_j = (x_j - m_j) / d_j, b_j = d_j w_j.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "any_matrix.hpp"
#include "certificate.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// What sums over the rows tell of a problem: all that Gram mode needs beside X'X.
struct Sums {
  double t_mean = 0.0, tt = 0.0;  // tt = sum omega t^2
  double t_square = 0.0;          // sum omega (y - offset)^2, before centring
  Statistics stats;

  explicit Sums(Index p) : stats(p) {}

  // Cauchy's bound of max_j sum_i |x_ij| |u_i| over the features that may enter, with
  // square = sum_i u_i^2 / omega_i
  double gradient_size(double square) const {
    double spread = 0.0, centre = 0.0;
    for (std::size_t j = 0; j < stats.inv.size(); ++j)
      if (stats.norm(j) > 0.0) {
        spread = std::max(spread, stats.norm(j));
        centre = std::max(centre, std::fabs(stats.mean[j]));
      }
    return std::hypot(spread, centre) * std::sqrt(square);
  }
};

struct Design : Sums {
  const Problem& problem;
  std::unique_ptr<AnyMatrix> storage;
  const AnyMatrix& X;
  Vector omega;  // (n,), sum 1
  Vector root;   // sqrt(omega), (n,)
  Vector t;      // quadratic loss: y - offset, centred; else 0
  const Blas& blas;
  int n_threads;
  bool has_statistics = false;        // what a reading that others shared told
  std::unique_ptr<ByteColumns> copy;  // of X, if one was made

  Design(const Problem& given, const Blas& table, int threads)
      : Design(given, table, threads, open(given.X)) {}

  // X behind a door of another kind, such as one that shares its readings
  Design(const Problem& given, const Blas& table, int threads, std::unique_ptr<AnyMatrix> door)
      : Sums(door->p),
        problem(given),
        storage(std::move(door)),
        X(*storage),
        omega(std::size_t(X.n), 1.0 / double(X.n)),
        root(std::size_t(X.n)),
        t(std::size_t(X.n), 0.0),
        blas(table),
        n_threads(threads) {
    set_weights();
    if (problem.loss.quadratic) set_target();
  }

  bool centred() const { return problem.fit_intercept; }

  // sqrt(omega) v, (n,) or several of them one behind the other
  Vector weighted(Vector v) const {
    for (std::size_t i = 0; i < v.size(); ++i) v[i] *= root[i % root.size()];
    return v;
  }

  // out (p x k) = X'v for k vectors, but for the features that are settled
  void xtr(const double* R, int k, double* out, Report& report,
           const std::vector<char>& settled = {}) const {
    report.x_bytes += X.xtr(R, k, out, X.p, worthwhile(n_threads, reading_work(X, k)), settled);
    report.n_rhs += k;
  }

  // c (p x k) = Z'v for k vectors v: (x_j'v - m_j sum v) / d_j
  void correlate(const double* v, int k, double* c, Report& report,
                 const std::vector<char>& settled = {}) const {
    xtr(v, k, c, report, settled);
    scale(v, k, c);
  }
  void correlate(const double* v, int k, Vector& c, Report& report) const {
    c.resize(std::size_t(X.p) * std::size_t(k));
    correlate(v, k, c.data(), report);
  }

  // z_j'v, from the stored values of one feature; sum: that of v
  double correlation(Index j, const Vector& v, double sum) const {
    return scaled(j, X.dot(j, v.data()), sum);
  }

  // u = omega (t - Zb), (n,)
  Vector residual(const Vector& b, Report& report) const {
    Vector u(t);
    double shift = 0.0;
    for (std::size_t i = 0; i < u.size(); ++i) u[i] *= omega[i];
    for (std::size_t j = 0; j < b.size(); ++j) {
      if (b[j] == 0.0) continue;
      const double w = b[j] * stats.inv[j];
      X.axpy(Index(j), -w, omega.data(), u.data());
      report.x_bytes += X.column_bytes(Index(j));
      shift += w * stats.mean[j];
    }
    for (std::size_t i = 0; i < u.size(); ++i) u[i] += shift * omega[i];
    return u;
  }

  // sum_i u_i^2 / omega_i over the rows of weight
  double square(const Vector& u) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < omega.size(); ++i)
      if (omega[i] > 0.0) sum += u[i] * u[i] / omega[i];
    return sum;
  }

  // The same by the copy of X. For v = sqrt(omega) q, q orthonormal, c a is off by at most
  // (error_j ||a|| + half_j sum_l lost_l |a_l|) / d_j.
  void correlate_by_copy(const double* v, int k, double* c, double* lost, Report& report) const {
    copy->xtr(v, k, c, X.p, lost, worthwhile(n_threads, reading_work(X, k) / 4.0));
    report.x_bytes += copy->size();
    report.n_rhs += k;
    scale(v, k, c);
  }
  // The rows of `features` of c (p x k) = Z'v.
  void correlate_of(const std::vector<Index>& features, const double* v, int k, double* c,
                    Report& report) const {
    const double work = reading_work(X, k) * double(features.size()) / double(X.p);
    report.x_bytes += X.xtr_of(features, v, k, c, X.p, worthwhile(n_threads, work));
    for (int l = 0; l < k; ++l) {
      const double sum = total(v + l * X.n);
      for (Index j : features) c[j + l * X.p] = scaled(j, c[j + l * X.p], sum);
    }
  }

  void read_statistics(Report& report, bool with_copy = false) {
    if (has_statistics) return;
    const Vector omega_t = weighted_target();
    if (with_copy) copy = std::make_unique<ByteColumns>(X.n, X.p);
    report.x_bytes += X.statistics({{omega.data(), omega_t.data(), centred(), &stats}},
                                   worthwhile(n_threads, reading_work(X, 1)), copy.get());
    report.n_rhs += 1;
  }
  void take_statistics(Statistics known) {
    stats = std::move(known);
    has_statistics = true;
  }
  // omega t, (n,)
  Vector weighted_target() const {
    Vector out(t);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] *= omega[i];
    return out;
  }

 private:
  // 1'v
  double total(const double* v) const {
    double sum = 0.0;
    for (Index i = 0; i < X.n; ++i) sum += v[i];
    return sum;
  }
  // z_j'v from x_j'v and 1'v
  double scaled(Index j, double product, double sum) const {
    return (product - stats.mean[std::size_t(j)] * sum) * stats.inv[std::size_t(j)];
  }
  // c (p x k) := Z'v from X'v
  void scale(const double* v, int k, double* c) const {
    for (int l = 0; l < k; ++l, c += X.p) {
      const double sum = total(v + l * X.n);
      for (Index j = 0; j < X.p; ++j) c[j] = scaled(j, c[j], sum);
    }
  }

  void set_weights() {
    if (const double* s = problem.sample_weight) {
      const double most = *std::max_element(s, s + X.n);
      const double sum = sum_of(X.n, [&](Index i) { return s[i] / most; });
      for (Index i = 0; i < X.n; ++i) omega[std::size_t(i)] = s[i] / most / sum;
    }
    for (Index i = 0; i < X.n; ++i) root[std::size_t(i)] = std::sqrt(omega[std::size_t(i)]);
  }

  void set_target() {
    const double* y = problem.y;
    for (Index i = 0; i < X.n; ++i)
      t[std::size_t(i)] = y[i] - (problem.offset ? problem.offset[i] : 0.0);
    for (int round = 0; round < 2 && centred(); ++round) {  // the second removes rounding
      const double mean = dot_dense(omega.data(), t.data(), X.n);
      for (double& v : t) v -= mean;
      t_mean += mean;
    }
    auto square = [&](double shift) {
      return sum_of(X.n, [&](Index i) {
        const double v = t[std::size_t(i)] + shift;
        return omega[std::size_t(i)] * v * v;
      });
    };
    tt = square(0.0);
    t_square = square(t_mean);
  }
};

inline bool left_out(const Problem& problem, const Statistics& stats, Index j) {
  return stats.norm(std::size_t(j)) == 0.0 || (problem.factor && std::isinf(problem.factor[j]));
}

inline void set_bounds(const Problem& problem, const Statistics& stats, std::size_t j,
                       ElasticNet& out) {
  const std::size_t p = stats.inv.size();
  out.lower.set(j, problem.lower ? stats.norm(j) * problem.lower[j] : -infinity, p);
  out.upper.set(j, problem.upper ? stats.norm(j) * problem.upper[j] : infinity, p);
}

// f_j on w_j, on s_j w_j when standardised (s_j = d_j), becomes a penalty on b_j.
inline ElasticNet elastic_net(const Problem& problem, const Statistics& stats) {
  const Index p = Index(stats.inv.size());
  ElasticNet out;
  out.factor1.assign(std::size_t(p), 0.0);
  out.factor2 = PerFeature(0.0);
  out.lower = PerFeature(-infinity);
  out.upper = PerFeature(infinity);
  const bool bounded = problem.lower || problem.upper;
  for (Index j = 0; j < p; ++j) {
    const std::size_t k = std::size_t(j);
    if (left_out(problem, stats, j)) {
      out.exclude(k, std::size_t(p));
      continue;
    }
    const double f = problem.factor ? problem.factor[j] : 1.0;
    const double e = problem.standardize ? 1.0 : stats.inv[k];
    out.factor1[k] = problem.l1_ratio * f * e;
    out.factor2.set(k, (1.0 - problem.l1_ratio) * f * e * e, std::size_t(p));
    if (bounded) set_bounds(problem, stats, k, out);
  }
  return out;
}

inline FunctionPenalty function_penalty(const Problem& problem, const Statistics& stats) {
  const Index p = Index(stats.inv.size());
  FunctionPenalty out;
  out.function = problem.penalty;
  out.weight.assign(std::size_t(p), 1.0);
  out.scale.assign(std::size_t(p), 0.0);
  for (Index j = 0; j < p; ++j) {
    if (left_out(problem, stats, j)) continue;
    out.weight[std::size_t(j)] = problem.factor ? problem.factor[j] : 1.0;
    out.scale[std::size_t(j)] = problem.standardize ? 1.0 : stats.inv[std::size_t(j)];
  }
  return out;
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

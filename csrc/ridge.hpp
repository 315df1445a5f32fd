// Pure L2 with fewer rows than features, by Cholesky on the side of the rows.
//
// With K = sum_j z_j z_j' / f_j over the penalised features, the residual of the solution at alpha
// satisfies (K + alpha I) r = alpha t, and then b_j = z_j'r / (alpha f_j). On the other side of the
// rectangle the same problem is one Cholesky solve of the Gram path.
//
// Sparse columns meet row by row: with s_j = 1 / (d_j sqrt(f_j)), V = (s_j x_ij) by rows and
// v_j = s_j m_j, their part of K is (v_i - v)'(v_k - v) = V_i'V_k - V_i'v - V_k'v + v'v. A column
// that stores q of the n rows has a deviation of at least 1 - q / n of its mean square, so that
// columns with q <= n / 4 lose no digit to it; the others are centred one by one as dense ones are.
#pragma once

#include <vector>

#include "cholesky.hpp"
#include "design.hpp"
#include "gram.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// Sparse columns of X, scaled, by rows: X' in compressed columns.
class ByRows {
 public:
  explicit ByRows(Index n) : start_(std::size_t(n) + 1, 0) {}

  // The next column: `rows` that it stores and their values, times `scale`.
  void add(const std::vector<std::int32_t>& rows, const Vector& values, double scale, double mean) {
    for (std::size_t k = 0; k < rows.size(); ++k) {
      row_.push_back(rows[k]);
      column_.push_back(Index(mean_.size()));
      value_.push_back(scale * values[k]);
      ++start_[std::size_t(rows[k]) + 1];
    }
    mean_.push_back(scale * mean);
  }

  // M (n + 2, n + 2), upper, zero before = [V v 0]'s inner products by rows, as of gram.hpp
  void inner_products(const Blas& blas, int n_threads, double* M, StopSign& stop) {
    for (std::size_t i = 1; i < start_.size(); ++i) start_[i] += start_[i - 1];
    std::vector<Index> place(start_.begin(), start_.end() - 1), column(column_.size());
    Vector value(value_.size()), one(mean_.size(), 1.0), none(start_.size() - 1, 0.0);
    for (std::size_t k = 0; k < row_.size(); ++k) {
      const std::size_t at = std::size_t(place[std::size_t(row_[k])]++);
      column[at] = column_[k];
      value[at] = value_[k];
    }
    const Csc<double, Index> rows{value.data(),        column.data(),      {start_.data(), nullptr},
                                  Index(mean_.size()), Index(none.size()), Index(value.size())};
    cross_products(rows, one.data(), mean_.data(), none.data(), {}, blas, n_threads, M, stop);
  }

  double bytes() const { return 36.0 * double(row_.size()) + 16.0 * double(mean_.size()); }

 private:
  std::vector<Index> start_;  // (n + 1,)
  std::vector<std::int32_t> row_;
  std::vector<Index> column_;
  Vector value_, mean_;
};

class KernelRidge {
 public:
  // penalty: no l1 term, no bounds, every included feature penalised.
  KernelRidge(const Design& design, StopSign& stop)
      : design_(design), stop_(stop), n_(design.X.n), ld_(n_ + 2) {}

  // What K and its factor at one alpha are predicted to cost.
  double seconds() const {
    const double n = double(n_), blas3 = 3e10, pairs = 5e8;  // flops a second, pairs of values
    double sum = n * n * n / 3.0 / blas3;
    for (Index j = 0; j < design_.X.p; ++j) {
      const double stored = design_.X.column_bytes(j) / 12.0;
      sum += few(Index(stored)) ? stored * stored / pairs : n * n / blas3;
    }
    return sum;
  }

  // b at penalty.alpha > 0; false if K + alpha I is singular to rounding, or K is not finished.
  bool solve(const ElasticNet& penalty, Vector& b, Report& report) {
    const double alpha = penalty.alpha;
    if (K_.empty()) form(penalty, report);
    if (!finished_ || !(alpha > 0.0)) return false;
    Cholesky factor(design_.blas);
    const bool definite = factor.factor(n_, 0.0, [&](double* R, Index ld) {
      for (Index k = 0; k < n_; ++k) {
        const double* column = &K_[std::size_t(k * ld_)];
        std::copy(column, column + k + 1, R + k * ld);
        R[k + k * ld] += alpha;
      }
    });
    if (!definite) return false;
    Vector r(static_cast<std::size_t>(n_)), c;
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
  bool solve(const FunctionPenalty&, Vector&, Report&) { return false; }

 private:
  // K, in one reading of X, left unfinished where `stop` says so.
  void form(const ElasticNet& penalty, Report& report) {
    K_.assign(std::size_t(ld_ * ld_), 0.0);
    const std::vector<Index> others = add_sparse(penalty, report);
    add_columns(penalty, others, report);
    finished_ = !stop_.up();
    report.mode = "kernel";
    report.why = "pure L2 with fewer rows than features: Cholesky of the n x n matrix XX'";
    report.x_bytes += design_.X.size();
    report.peak_bytes += 16.0 * double(ld_ * ld_);
  }

  // Adds the columns that store few rows; the others are told.
  std::vector<Index> add_sparse(const ElasticNet& penalty, Report& report) {
    std::vector<Index> others;
    ByRows rows(n_);
    std::vector<std::int32_t> stored;
    Vector values;
    for (Index j = 0; j < design_.X.p; ++j) {
      stored.clear();
      values.clear();
      if (design_.X.sparse()) design_.X.stored(j, stored, values);
      if (!few(Index(stored.size())))
        others.push_back(j);
      else if (const double s = scale(j, penalty); s > 0.0)
        rows.add(stored, values, s, design_.stats.mean[std::size_t(j)]);
    }
    if (!design_.X.sparse()) return others;
    rows.inner_products(design_.blas, design_.n_threads, K_.data(), stop_);
    report.peak_bytes += rows.bytes();
    const double *with_v = &K_[std::size_t(n_ * ld_)], square = with_v[n_];
    parallel_blocks(design_.n_threads, n_, [&](Index k) {
      double* column = &K_[std::size_t(k * ld_)];
      for (Index i = 0; i <= k; ++i)
        column[i] = design_.root[std::size_t(i)] * design_.root[std::size_t(k)] *
                    (column[i] - with_v[i] - with_v[k] + square);
    });
    return others;
  }

  // Adds columns of any kind, in blocks by BLAS.
  void add_columns(const ElasticNet& penalty, const std::vector<Index>& which, Report& report) {
    const Index width = 256, panel = 128, n_panels = (n_ + panel - 1) / panel;
    const Index count = Index(which.size());
    Vector B(std::size_t(n_ * std::min(width, count)));
    for (Index j0 = 0; j0 < count && !stop_.up(); j0 += width) {
      const Index m = std::min(width, count - j0);
      parallel_blocks(design_.n_threads, m, [&](Index k) {
        const Index j = which[std::size_t(j0 + k)];
        scaled_column(j, scale(j, penalty), &B[std::size_t(n_ * k)]);
      });
      parallel_blocks(design_.n_threads, n_panels, [&](Index block) {
        if (stop_.up()) return;
        const Index c0 = block * panel, c1 = std::min(n_, c0 + panel);
        gemm(design_.blas, 'N', 'T', int(c0), int(c1 - c0), int(m), 1.0, B.data(), int(n_),
             &B[std::size_t(c0)], int(n_), 1.0, &K_[std::size_t(c0 * ld_)], int(ld_));
        syrk_outer(design_.blas, int(c1 - c0), int(m), &B[std::size_t(c0)], int(n_),
                   &K_[std::size_t(c0 + c0 * ld_)], int(ld_));
      });
    }
    report.peak_bytes += 8.0 * double(B.size());
  }

  // Whether so many stored values are better met by rows.
  bool few(Index stored) const { return design_.X.sparse() && 4 * stored <= n_; }

  // 1 / (d_j sqrt(f_j)); zero for a feature that is out
  double scale(Index j, const ElasticNet& penalty) const {
    const double factor = penalty.factor2[std::size_t(j)];
    return factor > 0.0 ? design_.stats.inv[std::size_t(j)] / std::sqrt(factor) : 0.0;
  }

  // sqrt(omega_i) (x_ij - m_j) scale
  void scaled_column(Index j, double scale, double* out) const {
    const std::size_t k = std::size_t(j);
    design_.X.gather(j, out);
    for (Index i = 0; i < n_; ++i)
      out[i] = design_.root[std::size_t(i)] * (out[i] - design_.stats.mean[k]) * scale;
  }

  const Design& design_;
  StopSign& stop_;
  Index n_, ld_;
  Vector K_;  // (n, n) upper, with room for two more rows and columns
  bool finished_ = false;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// Features gathered into memory of their own, as weighted unit-norm columns
//   z_ij = sqrt(omega_i) (x_ij - m_j) / d_j,
// so that all work on a working set happens away from X: products, correlations, Gram matrix.
// Dense features lie in one block; sparse ones as stored values by columns and by rows, with the
// centring kept apart: z_ij = s_ij - sqrt(omega_i) mu_j.
#pragma once

#include <memory>
#include <vector>

#include "design.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class FeatureSet {
 public:
  explicit FeatureSet(const Design& design) : design_(design) {}
  virtual ~FeatureSet() = default;

  Index size() const { return size_; }
  // Gathers the features S of X behind those that are there and, unless G is null, writes the new
  // columns of the Gram matrix G (size x size, leading dimension ld), both triangles.
  virtual void add(const std::vector<Index>& S, double* G, Index ld) = 0;
  // u -= Z b over the features k listed, u (n,) weighted by sqrt(omega)
  virtual void subtract(const std::vector<Index>& which, const double* b, double* u) const = 0;
  // c_k = z_k'u for the features from `first` on, c (size,)
  virtual void correlate(const double* u, double* c, Index first = 0) const = 0;
  // out (n,) = scale z_k
  virtual void copy(Index k, double scale, double* out) const = 0;
  // upper triangle of M (n x n) += sign sum_k z_k z_k' / divisor_k over the features k listed
  virtual void add_outer(const std::vector<Index>& which, double sign, const PerFeature& divisor,
                         double* M) const = 0;
  virtual double bytes() const = 0;
  virtual double stored() const = 0;  // values

 protected:
  const Design& design_;
  Index size_ = 0;
};

class DenseFeatures final : public FeatureSet {
 public:
  using FeatureSet::FeatureSet;

  void add(const std::vector<Index>& S, double* G, Index ld) override {
    const Index n = design_.X.n, m = Index(S.size()), old = size_;
    Z_.resize(std::size_t(n * (old + m)));
    parallel_blocks(worthwhile(design_.n_threads, double(m) * double(n)), m, [&](Index k) {
      double* z = Z_.data() + n * (old + k);
      const std::size_t j = std::size_t(S[std::size_t(k)]);
      const double mean = design_.stats.mean[j], inv = design_.stats.inv[j];
      design_.X.gather(Index(j), z);
      for (Index i = 0; i < n; ++i) z[i] = design_.root[std::size_t(i)] * ((z[i] - mean) * inv);
    });
    size_ += m;
    if (!G) return;
    const double* fresh = Z_.data() + n * old;
    constexpr Index width = 128;
    const double flops = double(n) * double(m) * double(size_);
    parallel_blocks(
        worthwhile(design_.n_threads, flops / 16.0), (size_ + width - 1) / width, [&](Index block) {
          const Index j0 = block * width, columns = std::min(width, size_ - j0);
          gemm(design_.blas, 'T', 'N', int(columns), int(m), int(n), 1.0, Z_.data() + n * j0,
               int(n), fresh, int(n), 0.0, G + j0 + old * ld, int(ld));
        });
    for (Index k = old; k < size_; ++k) {
      for (Index j = 0; j < old; ++j) G[k + j * ld] = G[j + k * ld];
      for (Index j = old; j < k; ++j) G[j + k * ld] = G[k + j * ld];
      G[k + k * ld] = design_.stats.inv[std::size_t(S[std::size_t(k - old)])] > 0.0 ? 1.0 : 0.0;
    }
  }

  // Blocks of features with a sum each, added in their order.
  void subtract(const std::vector<Index>& which, const double* b, double* u) const override {
    const Index n = design_.X.n, width = 1024, m = Index(which.size());
    const Index blocks = (m + width - 1) / width;
    if (blocks <= 1) return subtract_block(which.data(), which.data() + m, b, u);
    std::vector<double> sums(std::size_t(n * blocks), 0.0);
    parallel_blocks(worthwhile(design_.n_threads, double(n) * double(m)), blocks, [&](Index block) {
      subtract_block(which.data() + block * width, which.data() + std::min(m, (block + 1) * width),
                     b, sums.data() + n * block);
    });
    for (Index block = 0; block < blocks; ++block)
      for (Index i = 0; i < n; ++i) u[i] += sums[std::size_t(i + n * block)];
  }

  void correlate(const double* u, double* c, Index first) const override {
    const Index n = design_.X.n, m = size_ - first,
                width = std::max<Index>(64, (Index(1) << 19) / std::max<Index>(n, 1));
    parallel_blocks(m > width ? design_.n_threads : 1, (m + width - 1) / width, [&](Index block) {
      const Index j0 = first + block * width;
      gemv(design_.blas, 'T', int(n), int(std::min(width, size_ - j0)), 1.0, Z_.data() + n * j0,
           int(n), u, 0.0, c + j0);
    });
  }

  void copy(Index k, double scale, double* out) const override {
    const double* z = column(k);
    for (Index i = 0; i < design_.X.n; ++i) out[i] = scale * z[i];
  }

  void add_outer(const std::vector<Index>& which, double sign, const PerFeature& divisor,
                 double* M) const override {
    const Index n = design_.X.n, m = Index(which.size()), width = 64;
    if (m == 0) return;
    std::vector<double> A(std::size_t(n * m));
    for (Index k = 0; k < m; ++k) {
      const double* z = column(which[std::size_t(k)]);
      const double scale = 1.0 / std::sqrt(divisor[std::size_t(which[std::size_t(k)])]);
      for (Index i = 0; i < n; ++i) A[std::size_t(i + k * n)] = scale * z[i];
    }
    parallel_blocks(worthwhile(design_.n_threads, double(m) * double(n * n) / 16.0),
                    (n + width - 1) / width, [&](Index block) {
                      const Index j0 = block * width, columns = std::min(width, n - j0);
                      gemm(design_.blas, 'N', 'T', int(j0 + columns), int(columns), int(m), sign,
                           A.data(), int(n), A.data() + j0, int(n), 1.0, M + j0 * n, int(n));
                    });
  }

  double bytes() const override { return 8.0 * double(Z_.capacity()); }
  double stored() const override { return double(Z_.size()); }

 private:
  const double* column(Index k) const { return Z_.data() + design_.X.n * k; }

  void subtract_block(const Index* begin, const Index* end, const double* b, double* u) const {
    const Index n = design_.X.n;
    for (; begin + 4 <= end; begin += 4) {
      const double *z0 = column(begin[0]), *z1 = column(begin[1]), *z2 = column(begin[2]),
                   *z3 = column(begin[3]);
      const double b0 = b[begin[0]], b1 = b[begin[1]], b2 = b[begin[2]], b3 = b[begin[3]];
#pragma omp simd
      for (Index i = 0; i < n; ++i) u[i] -= (b0 * z0[i] + b1 * z1[i]) + (b2 * z2[i] + b3 * z3[i]);
    }
    for (; begin < end; ++begin) {
      const double* z = column(*begin);
      const double bk = b[*begin];
#pragma omp simd
      for (Index i = 0; i < n; ++i) u[i] -= bk * z[i];
    }
  }

  std::vector<double> Z_;  // (n, size)
};

class SparseFeatures final : public FeatureSet {
 public:
  explicit SparseFeatures(const Design& design)
      : FeatureSet(design), start_(1, 0), row_start_(std::size_t(design.X.n + 1)) {}

  // New columns of G meet arranged features row by row, and the features that joined since the last
  // arrangement by dots. Arranging again costs a sweep of all values: it is put off until the dots
  // have cost as much.
  void add(const std::vector<Index>& S, double* G, Index ld) override {
    const Index old = size_;
    for (Index j : S) gather(j);
    size_ += Index(S.size());
    if (!G) return;
    constexpr double arranging = 4.0;  // of a value, in units of a value met in a dot
    const double recent = double(Index(row_.size()) - start_[std::size_t(arranged_)]);
    Index sparse = 0;
    for (Index k = old; k < size_; ++k) sparse += !by_dots(k);
    dots_ += 0.5 * recent * double(sparse);
    if (dots_ > arranging * double(row_.size())) {
      arrange_rows();
      dots_ = 0.0;
    }
    const Index width = 8, m = size_ - old;
    const double products_a_column =
        double(row_.size()) * double(row_.size()) / double(std::max<Index>(1, design_.X.n * size_));
    parallel_blocks(
        worthwhile(design_.n_threads, double(m) * (products_a_column + recent)),
        (m + width - 1) / width, [&](Index block) {
          std::vector<double> z(arranged_ < size_ || sparse < m ? std::size_t(design_.X.n) : 0);
          for (Index k = old + block * width; k < std::min(size_, old + (block + 1) * width); ++k)
            products(k, z.data(), G + k * ld);
        });
    for (Index k = old; k < size_; ++k)
      for (Index j = 0; j < k; ++j) G[k + j * ld] = G[j + k * ld];
  }

  void subtract(const std::vector<Index>& which, const double* b, double* u) const override {
    double shift = 0.0;
    for (Index k : which) {
      const double bk = b[k];
      for (Index e = start_[std::size_t(k)]; e < start_[std::size_t(k + 1)]; ++e)
        u[row_[std::size_t(e)]] -= bk * value_[std::size_t(e)];
      shift += bk * mu_[std::size_t(k)];
    }
    if (shift == 0.0) return;
    for (Index i = 0; i < design_.X.n; ++i) u[i] += shift * design_.root[std::size_t(i)];
  }

  void correlate(const double* u, double* c, Index first) const override {
    const double sum = dot_dense(design_.root.data(), u, design_.X.n);
    const Index width = 64, m = size_ - first;
    const double values = double(Index(row_.size()) - start_[std::size_t(first)]);
    parallel_blocks(
        worthwhile(design_.n_threads, values), (m + width - 1) / width, [&](Index block) {
          const Index begin = first + block * width, end = std::min(size_, begin + width);
          for (Index k = begin; k < end; ++k) c[k] = dot(k, u) - sum * mu_[std::size_t(k)];
        });
  }

  void copy(Index k, double scale, double* out) const override {
    const double mu = mu_[std::size_t(k)];
    for (Index i = 0; i < design_.X.n; ++i) out[i] = -scale * mu * design_.root[std::size_t(i)];
    for (Index e = start_[std::size_t(k)]; e < start_[std::size_t(k + 1)]; ++e)
      out[row_[std::size_t(e)]] += scale * value_[std::size_t(e)];
  }

  void add_outer(const std::vector<Index>& which, double sign, const PerFeature& divisor,
                 double* M) const override {
    const Index n = design_.X.n;
    std::vector<double> z(static_cast<std::size_t>(n));
    for (Index k : which) {
      const double scale = sign / divisor[std::size_t(k)], mu = mu_[std::size_t(k)];
      const Index begin = start_[std::size_t(k)], end = start_[std::size_t(k + 1)];
      if (mu == 0.0) {
        for (Index e = begin; e < end; ++e)
          for (Index f = begin; f <= e; ++f)
            M[row_[std::size_t(f)] + row_[std::size_t(e)] * n] +=
                scale * value_[std::size_t(f)] * value_[std::size_t(e)];
        continue;
      }
      for (Index i = 0; i < n; ++i) z[std::size_t(i)] = -mu * design_.root[std::size_t(i)];
      for (Index e = begin; e < end; ++e)
        z[std::size_t(row_[std::size_t(e)])] += value_[std::size_t(e)];
      for (Index c = 0; c < n; ++c) {
        const double a = scale * z[std::size_t(c)];
        double* out = M + c * n;
        for (Index i = 0; i <= c; ++i) out[i] += a * z[std::size_t(i)];
      }
    }
  }

  double stored() const override { return double(row_.size()); }
  double bytes() const override {
    return 12.0 * double(row_.capacity() + by_row_.capacity()) + 8.0 * double(row_start_.size());
  }

 private:
  void gather(Index j) {
    const std::size_t k = std::size_t(j);
    const double inv = design_.stats.inv[k];
    const Index begin = Index(row_.size());
    design_.X.stored(j, row_, value_);
    const bool full = Index(row_.size()) - begin == design_.X.n;
    const double pilot = full ? design_.stats.mean[k] : 0.0;
    for (std::size_t e = std::size_t(begin); e < row_.size(); ++e)
      value_[e] = design_.root[std::size_t(row_[e])] * ((value_[e] - pilot) * inv);
    start_.push_back(Index(row_.size()));
    mu_.push_back((design_.stats.mean[k] - pilot) * inv);
    used_.push_back(inv > 0.0);
  }

  double dot(Index k, const double* u) const {
    return dot_csc(value_.data(), row_.data(), start_[std::size_t(k)], start_[std::size_t(k + 1)],
                   u);
  }

  // The same values by rows, features ascending in each.
  void arrange_rows() {
    std::fill(row_start_.begin(), row_start_.end(), 0);
    for (std::int32_t i : row_) ++row_start_[std::size_t(i) + 1];
    for (std::size_t i = 1; i < row_start_.size(); ++i) row_start_[i] += row_start_[i - 1];
    feature_.resize(row_.size());
    by_row_.resize(row_.size());
    std::vector<Index> place(row_start_.begin(), row_start_.end() - 1);
    for (Index k = 0; k < size_; ++k)
      for (Index e = start_[std::size_t(k)]; e < start_[std::size_t(k + 1)]; ++e) {
        const std::size_t at = std::size_t(place[std::size_t(row_[std::size_t(e)])]++);
        feature_[at] = std::int32_t(k);
        by_row_[at] = value_[std::size_t(e)];
      }
    arranged_ = size_;
  }

  // Rows come from far away in memory.
  void fetch_row(std::int32_t i) const {
    const Index at = row_start_[std::size_t(i)];
    for (Index line = 0; line < 4; ++line) prefetch(by_row_.data() + at + 8 * line);
    for (Index line = 0; line < 2; ++line) prefetch(feature_.data() + at + 16 * line);
  }

  // A product met in a row costs as much as some eight values of a dot.
  bool by_dots(Index k) const {
    return 8 * (start_[std::size_t(k + 1)] - start_[std::size_t(k)]) > design_.X.n;
  }

  // column (k + 1,) = z_j'z_k for j <= k; z (n,) is zero before and after
  void products(Index k, double* z, double* column) const {
    std::fill(column, column + k + 1, 0.0);
    const Index begin = start_[std::size_t(k)], end = start_[std::size_t(k + 1)];
    const Index first = by_dots(k) ? 0 : std::min(arranged_, k);
    for (Index e = begin; e < end && first > 0; ++e) {
      if (e + kAhead < end) fetch_row(row_[std::size_t(e + kAhead)]);
      const std::size_t i = std::size_t(row_[std::size_t(e)]);
      const double v = value_[std::size_t(e)];
      const std::size_t stop = std::size_t(row_start_[i + 1]);
      for (std::size_t at = std::size_t(row_start_[i]); at < stop; ++at) {
        if (feature_[at] > k) break;
        column[feature_[at]] += v * by_row_[at];
      }
    }
    if (first < k) {
      for (Index e = begin; e < end; ++e) z[row_[std::size_t(e)]] = value_[std::size_t(e)];
      for (Index j = first; j < k; ++j) column[j] = dot(j, z);
      for (Index e = begin; e < end; ++e) z[row_[std::size_t(e)]] = 0.0;
    }
    const double mu = mu_[std::size_t(k)];
    for (Index j = 0; j < k; ++j) column[j] -= mu * mu_[std::size_t(j)];
    column[k] = used_[std::size_t(k)] ? 1.0 : 0.0;
  }

  std::vector<std::int32_t> row_, feature_;  // of each value by columns; by rows
  std::vector<double> value_, by_row_, mu_;
  std::vector<Index> start_, row_start_;
  std::vector<char> used_;
  static constexpr Index kAhead = 6;  // values
  Index arranged_ = 0;                // features that the arrays by rows hold
  double dots_ = 0.0;                 // values met in dots since
};

inline std::unique_ptr<FeatureSet> make_feature_set(const Design& design) {
  if (design.X.sparse()) return std::make_unique<SparseFeatures>(design);
  return std::make_unique<DenseFeatures>(design);
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

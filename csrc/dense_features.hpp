// Gathered dense features, in one block.
#pragma once

#include <algorithm>
#include <vector>

#include "feature_set.hpp"
#include "values.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class DenseFeatures final : public FeatureSet {
 public:
  using FeatureSet::correlate;
  using FeatureSet::FeatureSet;
  using FeatureSet::subtract;

  void add(const std::vector<Index>& S) override {
    const Index n = design_.X.n, m = Index(S.size()), old = size_;
    make_room(n * (old + m));
    Z_.resize(std::size_t(n * (old + m)));
    parallel_blocks(worthwhile(design_.n_threads, double(m) * double(n)), m, [&](Index k) {
      double* z = Z_.data() + n * (old + k);
      const std::size_t j = std::size_t(S[std::size_t(k)]);
      const double mean = design_.stats.mean[j], inv = design_.stats.inv[j];
      design_.X.gather(Index(j), z);
      for (Index i = 0; i < n; ++i) z[i] = design_.root[std::size_t(i)] * ((z[i] - mean) * inv);
    });
    for (Index j : S) used_.push_back(design_.stats.inv[std::size_t(j)] > 0.0);
    size_ += m;
  }

  // Features asked for as they were gathered lie side by side; others are copied to do so.
  void add_gram(const std::vector<Index>& which, double* G, Index ld) override {
    const Index n = design_.X.n, m = Index(which.size()), old = asked_;
    if (prefix_ == asked_ && which.front() == asked_ && which.back() == asked_ + m - 1)
      prefix_ += m;
    else
      for (Index k : which) apart_.insert(apart_.end(), column(k), column(k) + n);
    asked_ += m;
    const double* fresh =
        prefix_ == asked_ ? column(old) : apart_.data() + apart_.size() - std::size_t(n * m);
    meet(Z_.data(), prefix_, fresh, m, G + old * ld, ld);
    meet(apart_.data(), asked_ - prefix_, fresh, m, G + prefix_ + old * ld, ld);
    for (Index j = 0; j < old; ++j)
      for (Index k = old; k < asked_; ++k) G[k + j * ld] = G[j + k * ld];
    for (Index k = old; k < asked_; ++k) {
      for (Index j = old; j < k; ++j) G[j + k * ld] = G[k + j * ld];
      G[k + k * ld] = used_[std::size_t(which[std::size_t(k - old)])] ? 1.0 : 0.0;
    }
  }

  bool in_any_order() const override { return true; }

  // Blocks of features with a sum each, added in their order.
  void subtract(const std::vector<Index>& which, const double* b, double* u) const override {
    const Index n = design_.X.n, width = 1024, m = Index(which.size());
    const Index blocks = (m + width - 1) / width;
    if (blocks <= 1) return subtract_block(which.data(), which.data() + m, b, u);
    Vector sums(std::size_t(n * blocks), 0.0);
    parallel_blocks(worthwhile(design_.n_threads, double(n) * double(m)), blocks, [&](Index block) {
      subtract_block(which.data() + block * width, which.data() + std::min(m, (block + 1) * width),
                     b, sums.data() + n * block);
    });
    for (Index block = 0; block < blocks; ++block)
      for (Index i = 0; i < n; ++i) u[i] += sums[std::size_t(i + n * block)];
  }

  void correlate(const double* u, int k, double* c, Index first) const override {
    const Index n = design_.X.n, m = size_ - first,
                width = std::max<Index>(64, (Index(1) << 19) / std::max<Index>(n, 1));
    parallel_blocks(m > width ? design_.n_threads : 1, (m + width - 1) / width, [&](Index block) {
      const Index j0 = first + block * width;
      xtr_columns(Z_.data() + n * j0, n, n, 0, std::min(width, size_ - j0), u, k, c + j0, size_);
    });
  }

  void correlate(const double* u, double* c, const std::vector<Index>& which) const override {
    const Index n = design_.X.n, width = 256, m = Index(which.size());
    parallel_blocks(worthwhile(design_.n_threads, double(n) * double(m)), (m + width - 1) / width,
                    [&](Index block) {
                      const Index end = std::min(m, (block + 1) * width);
                      for (Index l = block * width; l < end; ++l) {
                        const Index k = which[std::size_t(l)];
                        c[k] = dot_dense(column(k), u, n);
                      }
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
    Vector A(std::size_t(n * m));
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

  double bytes() const override { return 8.0 * double(Z_.size() + apart_.capacity()); }
  double stored() const override { return double(Z_.size()); }

 private:
  // Large blocks are copied seldom: memory that is not touched costs nothing.
  void make_room(Index values) {
    const Index room = Index(Z_.capacity()), all = design_.X.n * design_.X.p;
    if (values > room) Z_.reserve(std::size_t(std::max(values, std::min(8 * room, all))));
  }

  const double* column(Index k) const { return Z_.data() + design_.X.n * k; }

  // out (count x m, leading dimension ld) = Z'F, Z (n x count), F (n x m). BLAS lays Z out anew
  // before it multiplies, which few columns do not pay for.
  void meet(const double* Z, Index count, const double* F, Index m, double* out, Index ld) const {
    constexpr Index width = 240, few = 48;
    const Index n = design_.X.n;
    const double flops = double(n) * double(m) * double(count);
    parallel_blocks(worthwhile(design_.n_threads, flops / 16.0), (count + width - 1) / width,
                    [&](Index block) {
                      const Index j0 = block * width, columns = std::min(width, count - j0);
                      if (m <= few)
                        xtr_columns(Z + n * j0, n, n, 0, columns, F, int(m), out + j0, ld);
                      else
                        gemm(design_.blas, 'T', 'N', int(columns), int(m), int(n), 1.0, Z + n * j0,
                             int(n), F, int(n), 0.0, out + j0, int(ld));
                    });
  }

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

  Values Z_;                      // (n, size)
  std::vector<char> used_;        // (size,) whether a feature is no constant
  Index asked_ = 0, prefix_ = 0;  // features that G is of; that are its first as gathered
  Values apart_;                  // (n, asked - prefix) the others
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

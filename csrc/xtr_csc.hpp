// X'R for a sparse X by columns. R is laid out row by row, so that a stored value x_ij meets the
// numbers r_i1 .. r_ik in one cache line: eight vectors for about the traffic of one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "api.hpp"
#include "simd.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// R (n x k) row by row, k rounded up to 1, 2, 4 or 8, aligned to a cache line.
class RowBlock {
 public:
  RowBlock(const double* R, Index n, int k) : n_(n), k_(k), width_(k > 4 ? 8 : (k > 2 ? 4 : k)) {
    if (k == 1) {
      rows_ = R;
      return;
    }
    constexpr std::size_t line = kLineBytes / sizeof(double);
    store_.assign(std::size_t(n) * std::size_t(width_) + line, 0.0);
    const std::size_t off = reinterpret_cast<std::uintptr_t>(store_.data()) / sizeof(double) % line;
    double* rows = store_.data() + (line - off) % line;
    for (Index i = 0; i < n; ++i)
      for (int v = 0; v < k; ++v) rows[i * width_ + v] = R[i + v * n];
    rows_ = rows;
  }
  const double* rows() const { return rows_; }
  int vectors() const { return k_; }
  int width() const { return width_; }
  bool beyond_cache() const { return n_ * width_ * 8 > (Index(1) << 18); }

 private:
  Index n_;
  int k_, width_;
  const double* rows_ = nullptr;
  std::vector<double> store_;
};

constexpr int kAhead = 32;  // stored values between a prefetch and its use

// out[j + v ldo] = sum_i x_ij r_iv for v < k: even and odd stored values apart. With `prefetching`
// the indices must go on for kAhead beyond column j1.
template <int width, bool prefetching, class T, class I>
void xtr_csc_wide(const T* data, const I* indices, const I* indptr, Index j0, Index j1,
                  const double* rows, int k, double* out, Index ldo) {
  for (Index j = j0; j < j1; ++j) {
    double even[width] = {}, odd[width] = {};
    I e = indptr[j];
    const I end = indptr[j + 1];
    for (; e + 2 <= end; e += 2) {
      if constexpr (prefetching) {
        prefetch(rows + Index(indices[e + kAhead]) * width);
        prefetch(rows + Index(indices[e + kAhead + 1]) * width);
      }
      const double* r = rows + Index(indices[e]) * width;
      const double* s = rows + Index(indices[e + 1]) * width;
      const double x = static_cast<double>(data[e]), y = static_cast<double>(data[e + 1]);
      for (int v = 0; v < width; ++v) {
        even[v] += x * r[v];
        odd[v] += y * s[v];
      }
    }
    if (e < end) {
      const double* r = rows + Index(indices[e]) * width;
      for (int v = 0; v < width; ++v) even[v] += static_cast<double>(data[e]) * r[v];
    }
    for (int v = 0; v < k; ++v) out[j + v * ldo] = even[v] + odd[v];
  }
}

// One vector, four partial sums.
template <class T, class I>
double dot_csc(const T* data, const I* indices, I begin, I end, const double* u) {
  double sums[4] = {};
  I e = begin;
  for (; e + 4 <= end; e += 4)
    for (int l = 0; l < 4; ++l) sums[l] += static_cast<double>(data[e + l]) * u[indices[e + l]];
  double rest = 0.0;
  for (; e < end; ++e) rest += static_cast<double>(data[e]) * u[indices[e]];
  return ((sums[0] + sums[2]) + (sums[1] + sums[3])) + rest;
}

template <class T, class I>
void xtr_csc(const T* data, const I* indices, const I* indptr, Index j0, Index j1,
             const RowBlock& R, double* out, Index ldo) {
  auto run = [&](auto width) {
    constexpr int w = decltype(width)::value;
    Index middle = j0;  // columns before it may look ahead and stay inside the block's indices
    if (R.beyond_cache()) {
      const I last = indptr[j1] - kAhead - 1;
      middle =
          std::max<Index>(j0, std::upper_bound(indptr + j0, indptr + j1 + 1, last) - indptr - 1);
    }
    xtr_csc_wide<w, true>(data, indices, indptr, j0, middle, R.rows(), R.vectors(), out, ldo);
    xtr_csc_wide<w, false>(data, indices, indptr, middle, j1, R.rows(), R.vectors(), out, ldo);
  };
  switch (R.width()) {
    case 1:
      for (Index j = j0; j < j1; ++j)
        out[j] = dot_csc(data, indices, indptr[j], indptr[j + 1], R.rows());
      break;
    case 2:
      run(std::integral_constant<int, 2>());
      break;
    case 4:
      run(std::integral_constant<int, 4>());
      break;
    default:
      run(std::integral_constant<int, 8>());
      break;
  }
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

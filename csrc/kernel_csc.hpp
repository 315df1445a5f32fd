// X D X'V in one reading of a sparse X (n x p, compressed columns), D = diag(d) and V (n x k), k =
// 1..8: each column meets V, d_j and the sum while it is in cache. float32 is widened as it is
// read.
//
// Shares of the columns have sums of their own, added in their order at the end; how many there are
// depends on X alone, so the bits do not depend on the threads.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "xtr_csc.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

constexpr Index kMostShares = 8;
constexpr Index kShareEntries = Index{1} << 23;  // numbers in the sums of all shares together

inline Index kernel_shares(Index n, Index nnz, int width) {
  const Index worth =
      nnz / (8 * std::max<Index>(1, n));  // sums cost at most a share of the columns
  const Index fit = kShareEntries / std::max<Index>(1, n * width);
  return std::max<Index>(2, std::min({kMostShares, worth, fit}));
}

// out[i_t, :] += x_t z
template <int P, class T, class I>
REGSOLVE_INLINE void scatter_column(const T* data, const I* indices, Index start, Index end,
                                    Index last, const Pack* z, double* out) {
  for (Index t = start; t < end; ++t) {
    if (t + kDistance < last)
      prefetch(out + static_cast<Index>(indices[t + kDistance]) * (P * kLanes));
    double* row = out + static_cast<Index>(indices[t]) * (P * kLanes);
    const Pack x = broadcast(data[t]);
    for (int q = 0; q < P; ++q) {
      Pack sum = load(row + q * kLanes);
      multiply_add(x, z[q], sum);
      store(row + q * kLanes, sum);
    }
  }
}

// out += sum over j0 <= j < j1 of X_j d_j X_j'V; V and out by rows of P packs
template <int P, class T, class I>
void kernel_columns(const T* data, const I* indices, const I* indptr, Index j0, Index j1,
                    const double* d, const double* V, double* out) {
  const auto always = [](Index) { return true; };
  const Index last = indptr[j1];
  for (Index j = j0; j < j1; ++j) {
    const Index start = indptr[j], end = indptr[j + 1];
    Pack z[P];
    for (int q = 0; q < P; ++q) z[q] = broadcast(0.0);
    if (end + kDistance <= last)
      add_rows<P, true>(data, indices, start, end, V, z, always);
    else
      add_rows<P, false>(data, indices, start, end, V, z, always);
    const Pack scale = broadcast(d[j]);
    for (int q = 0; q < P; ++q) z[q] = z[q] * scale;
    scatter_column<P>(data, indices, start, end, last, z, out);
  }
}

// The same for one vector.
template <class T, class I>
void kernel_columns1(const T* data, const I* indices, const I* indptr, Index j0, Index j1,
                     const double* d, const double* v, double* out) {
  for (Index j = j0; j < j1; ++j) {
    const Index start = indptr[j], end = indptr[j + 1];
    const double z = d[j] * dot_csc(data, indices, start, end, v);
    for (Index t = start; t < end; ++t) out[indices[t]] += z * static_cast<double>(data[t]);
  }
}

// out (n x k, column-major) = X D X'V
template <class T, class I>
void kernel_csc(const T* data, const I* indices, const I* indptr, Index n, Index p, const double* d,
                const double* V, int k, double* out, int n_threads) {
  const RowBlock rows(V, n, k, n_threads);
  const Index width = rows.width;
  const Index shares = kernel_shares(n, static_cast<Index>(indptr[p] - indptr[0]), rows.width);
  const std::unique_ptr<double[]> sums(new double[static_cast<std::size_t>(shares * n * width)]);
  parallel_blocks(n_threads, shares, [&](Index share) {
    double* sum = sums.get() + share * n * width;
    std::fill(sum, sum + n * width, 0.0);
    const Index j0 = share_start(indptr, p, share, shares);
    const Index j1 = share_start(indptr, p, share + 1, shares);
    if (width == 1)
      kernel_columns1(data, indices, indptr, j0, j1, d, rows.rows, sum);
    else if (width == 8)
      kernel_columns<8 / kLanes>(data, indices, indptr, j0, j1, d, rows.rows, sum);
    else if constexpr (kLanes <= 4)
      kernel_columns<4 / kLanes>(data, indices, indptr, j0, j1, d, rows.rows, sum);
  });
  constexpr Index block = 1 << 12;
  parallel_blocks(n_threads, (n + block - 1) / block, [&](Index b) {
    for (Index i = b * block; i < std::min(n, (b + 1) * block); ++i)
      for (int v = 0; v < k; ++v) {
        double total = 0.0;
        for (Index share = 0; share < shares; ++share) total += sums[(share * n + i) * width + v];
        out[i + v * n] = total;
      }
  });
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

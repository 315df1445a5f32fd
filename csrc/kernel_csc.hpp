// X Z in one reading of a sparse X (n x p, compressed columns), where Z = D (X'V - 1 c'), D =
// diag(d), V (n x k) and c (k,), k = 1..8; and 1'Z besides, and Z itself where it is asked for.
// Each column meets V, d_j and the sum while it is in cache. float32 is widened as it is read.
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

// z_j = d_j (X_j'V - c) for j0 <= j < j1: out += sum of X_j z_j, total += sum of z_j; V and out by
// rows of P packs, c and total one such row; k of their entries count. Z (p x k) unless null
template <int P, class T, class I>
void kernel_csc_columns(const T* data, const I* indices, const Offsets<I>& offsets, Index j0,
                        Index j1, const double* d, const double* c, const double* V, double* out,
                        double* total, double* Z, Index p, int k) {
  const auto always = [](Index) { return true; };
  const Index last = j0 < j1 ? offsets.end(j1 - 1) : 0;
  Pack offset[P], all[P];
  for (int q = 0; q < P; ++q) {
    offset[q] = load(c + q * kLanes);
    all[q] = broadcast(0.0);
  }
  for (Index j = j0; j < j1; ++j) {
    const Index start = offsets.begin(j), end = offsets.end(j);
    Pack z[P];
    for (int q = 0; q < P; ++q) z[q] = broadcast(0.0);
    if (end + kDistance <= last)
      add_rows<P, true>(data, indices, start, end, V, z, always);
    else
      add_rows<P, false>(data, indices, start, end, V, z, always);
    const Pack scale = broadcast(d[j]);
    for (int q = 0; q < P; ++q) {
      z[q] = (z[q] - offset[q]) * scale;
      all[q] += z[q];
    }
    if (Z) {
      double values[P * kLanes];
      for (int q = 0; q < P; ++q) store(values + q * kLanes, z[q]);
      for (int v = 0; v < k; ++v) Z[j + v * p] = values[v];
    }
    scatter_column<P>(data, indices, start, end, last, z, out);
  }
  for (int q = 0; q < P; ++q) store(total + q * kLanes, all[q]);
}

// The same for one vector.
template <class T, class I>
void kernel_csc_columns1(const T* data, const I* indices, const Offsets<I>& offsets, Index j0,
                         Index j1, const double* d, double c, const double* v, double* out,
                         double* total, double* Z) {
  for (Index j = j0; j < j1; ++j) {
    const Index start = offsets.begin(j), end = offsets.end(j);
    const double z = d[j] * (dot_csc(data, indices, start, end, v) - c);
    for (Index t = start; t < end; ++t) out[indices[t]] += z * static_cast<double>(data[t]);
    *total += z;
    if (Z) Z[j] = z;
  }
}

// out (n x k, column-major) = X Z and total (k,) = 1'Z, Z = D (X'V - 1 c'); Z (p x k) unless null
template <class T, class I>
void kernel_csc(const T* data, const I* indices, const Offsets<I>& offsets, Index nnz, Index n,
                Index p, const double* d, const double* c, const double* V, int k, double* out,
                double* total, double* Z, int n_threads) {
  const RowBlock rows(V, n, k, n_threads);
  const Index width = rows.width, numbers = (n + 1) * width;  // of one share, its total last
  const Index shares = kernel_shares(n, nnz, width);
  const std::unique_ptr<double[]> sums(new double[static_cast<std::size_t>(shares * numbers)]);
  double offset[8] = {};
  std::copy_n(c, k, offset);
  parallel_blocks(n_threads, shares, [&](Index share) {
    double *sum = sums.get() + share * numbers, *all = sum + n * width;
    std::fill(sum, sum + numbers, 0.0);
    const Index j0 = share_start(offsets, p, share, shares);
    const Index j1 = share_start(offsets, p, share + 1, shares);
    if (width == 1)
      kernel_csc_columns1(data, indices, offsets, j0, j1, d, *c, rows.rows, sum, all, Z);
    else if (width == 8)
      kernel_csc_columns<8 / kLanes>(data, indices, offsets, j0, j1, d, offset, rows.rows, sum, all,
                                     Z, p, k);
    else if constexpr (kLanes <= 4)
      kernel_csc_columns<4 / kLanes>(data, indices, offsets, j0, j1, d, offset, rows.rows, sum, all,
                                     Z, p, k);
  });
  const auto added = [&](Index number) {
    double value = 0.0;
    for (Index share = 0; share < shares; ++share) value += sums[share * numbers + number];
    return value;
  };
  constexpr Index block = 1 << 12;
  parallel_blocks(n_threads, (n + block - 1) / block, [&](Index b) {
    for (Index i = b * block; i < std::min(n, (b + 1) * block); ++i)
      for (int v = 0; v < k; ++v) out[i + v * n] = added(i * width + v);
  });
  for (int v = 0; v < k; ++v) total[v] = added(n * width + v);
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// X'R for a dense row-major X (n x p) and any number of vectors, in groups of up to eight that meet
// a band of rows while it is in cache. The bits of a number depend on its column, its vector and
// the slabs of xtr_rows, which depend on n and p alone.
//
// `onto` adds to what is in out.
#pragma once

#include <algorithm>

#include "lines.hpp"
#include "threads.hpp"
#include "values.hpp"
#include "xtr_columns.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

constexpr Index kStreams = 8;  // rows of a row-major X read side by side, far apart in memory

// Columns of a row-major X whose k sums stay in cache.
template <int k>
constexpr Index kWidth = k <= 2   ? 2048
                         : k <= 4 ? 1024
                                  : 512;

// z[j + v kWidth] += sum_i x[j + i ld] r[v + i ldr],  C packs of columns j, V vectors v, i < rows;
// the packs read next lie `next` further on
template <int C, int V, Index width, bool part, class T>
REGSOLVE_INLINE void row_tile(const T* x, Index ld, Index next, Index rows, Index columns,
                              const double* r, Index ldr, double* z) {
  constexpr int asked = V <= 2 ? 1 : C;  // few vectors leave time to see a stream
  Pack sums[C][V], xs[C];
  REGSOLVE_UNROLL
  for (int c = 0; c < C; ++c) REGSOLVE_UNROLL
  for (int v = 0; v < V; ++v) sums[c][v] = broadcast(0.0);
  for (Index i = 0; i < rows; ++i) {
    REGSOLVE_UNROLL
    for (int c = 0; c < asked; ++c) prefetch_far(x + i * ld + next + c * kLanes);
    REGSOLVE_UNROLL
    for (int c = 0; c < C; ++c) {
      xs[c] = part ? load_part(x + i * ld, columns) : load(x + i * ld + c * kLanes);
      hold(xs[c]);
    }
    REGSOLVE_UNROLL
    for (int v = 0; v < V; ++v) {
      const Pack rv = broadcast(r[v + i * ldr]);
      REGSOLVE_UNROLL
      for (int c = 0; c < C; ++c) multiply_add(xs[c], rv, sums[c][v]);
    }
  }
  REGSOLVE_UNROLL
  for (int c = 0; c < C; ++c) REGSOLVE_UNROLL
  for (int v = 0; v < V; ++v) {
    double* zv = z + c * kLanes + v * width;
    sums[c][v] += load(zv);
    store(zv, sums[c][v]);
  }
}

// The same for any number of columns up to kWidth and all k vectors.
template <int k, class T>
REGSOLVE_INLINE void row_band(const T* x, Index ld, Index next, Index rows, Index columns,
                              const double* r, Index ldr, double* z) {
  using S = Shape<k>;
  constexpr Index width = kWidth<k>;
  constexpr int C = S::first <= 2 ? 2 : S::first == 3 ? 4 : 3;
  Index j = 0;
  for (; j + C * kLanes <= columns; j += C * kLanes) {
    row_tile<C, S::first, width, false>(x + j, ld, next, rows, 0, r, ldr, z + j);
    if constexpr (S::second > 0)
      row_tile<C, S::second, width, false>(x + j, ld, next, rows, 0, r + S::first, ldr,
                                           z + j + S::first * width);
  }
  for (; j + kLanes <= columns; j += kLanes)
    row_tile<1, k, width, false>(x + j, ld, next, rows, 0, r, ldr, z + j);
  if (j < columns) row_tile<1, k, width, true>(x + j, ld, next, rows, columns - j, r, ldr, z + j);
}

// out[j + v ldo] = sum_i X[i ld + j] R[i + v n],  i0 <= i < i1,  j0 <= j < j1,  v < vectors, k
// after k while a band of rows is in cache. Where these rows are there already, those `after` rows
// further on are asked for meanwhile.
template <int k, class T>
void xtr_rows_of(const T* X, Index ld, Index n, Index i0, Index i1, Index j0, Index j1,
                 const double* R, int vectors, double* out, Index ldo, bool onto = false,
                 Index after = 0) {
  constexpr Index width = kWidth<k>;
  const Index groups = (vectors + k - 1) / k, most = std::min(kRows, i1 - i0);
  const Lines sums(groups * k * width), packed(groups * k * most);
  for (Index i = i0; i < i1; i += kRows) {
    const Index rows = std::min(kRows, i1 - i);
    const Index spacing = (rows + kStreams - 1) / kStreams;
    double* r = packed.data();
    for (Index g = 0; g < groups; ++g)
      for (Index u = 0; u < rows; ++u)
        for (Index v = g * k; v < (g + 1) * k; ++v) *r++ = v < vectors ? R[i + u + v * n] : 0.0;
    for (Index j = j0; j < j1; j += width) {
      const Index columns = std::min(width, j1 - j);
      double* z = sums.data();
      std::fill(z, z + groups * k * width, 0.0);
      for (Index u = 0; u < spacing; ++u)
        for (Index g = 0; g < groups; ++g)
          row_band<k>(X + (i + u) * ld + j, spacing * ld,
                      after > 0 ? after * ld : (u + 1 < spacing ? ld : 0),
                      (rows - u + spacing - 1) / spacing, columns,
                      packed.data() + (g * rows + u) * k, spacing * k, z + g * k * width);
      for (Index v = 0; v < vectors; ++v)
        for (Index c = j; c < j + columns; ++c) {
          const double total = z[c - j + v * width];
          out[c + v * ldo] = i == i0 && !onto ? total : out[c + v * ldo] + total;
        }
    }
  }
}

// Rows of a slab, or n: a tall X is shared out by slabs with sums of their own, a wide one by
// columns.
inline Index slab_height(Index n, Index p) {
  constexpr Index widest = 8192, numbers = 1 << 16;
  if (p > widest || n <= kRows) return std::max<Index>(n, 1);
  const Index most = std::max<Index>(8, numbers / std::max<Index>(p, 1));
  const Index slabs = std::min(most, (n + kRows - 1) / kRows);
  return ((n + slabs - 1) / slabs + kRows - 1) / kRows * kRows;
}

// out[j + v ldo] = sum_i X[i ld + j] R[i + v n],  j < p,  v < k, any k;  X row-major, ld >= p
template <class T>
void xtr_rows(const T* X, Index ld, Index n, Index p, const double* R, int k, double* out,
              Index ldo, int n_threads) {
  constexpr Index block = 2048;  // columns
  const Index height = slab_height(n, p), slabs = (n + height - 1) / height;
  if (n == 0)
    for (int v = 0; v < k; ++v) std::fill(out + v * ldo, out + v * ldo + p, 0.0);
  with_count(std::min(8, k), [&](auto count) {
    if (slabs <= 1)
      return parallel_blocks(n_threads, (p + block - 1) / block, [&](Index b) {
        const Index j0 = b * block, j1 = std::min(p, j0 + block);
        xtr_rows_of<count()>(X, ld, n, 0, n, j0, j1, R, k, out, ldo);
      });
    Vector sums(static_cast<std::size_t>(slabs * p * k));
    parallel_blocks(n_threads, slabs, [&](Index s) {
      const Index i0 = s * height, i1 = std::min(n, i0 + height);
      xtr_rows_of<count()>(X, ld, n, i0, i1, 0, p, R, k, sums.data() + s * p * k, p);
    });
    for (int v = 0; v < k; ++v) {
      std::copy_n(sums.data() + v * p, p, out + v * ldo);
      for (Index s = 1; s < slabs; ++s)
        for (Index j = 0; j < p; ++j) out[j + v * ldo] += sums[std::size_t(s * k + v) * p + j];
    }
  });
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

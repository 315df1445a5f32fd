// X'R for a dense column-major X (n x p) and a block R (n x k) of k = 1..8 vectors, or several such
// blocks one after the other while the numbers of X are in cache. float32 is widened as it is read;
// every product and sum is in double.
//
// One number of the result is the sum of its rows in blocks of kRows, each block a fixed set of
// partial sums. Which columns are asked for together, and which vectors stand beside it, do not
// change its bits.
//
// `onto` adds to what is in out.
//
// Reading X is what costs. Four streams at a time outrun one, so a tile takes columns that lie some
// way apart; blocks of more vectors than the registers hold meet X twice, the second time in cache.
// A processor sees a stream only some reads after it began, and has no time for that between two
// tiles: the next panel is asked for while this one is multiplied.
#pragma once

#include <algorithm>
#include <vector>

#include "api.hpp"
#include "simd.hpp"
#include "values.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

constexpr Index kRows = 2048;  // rows whose part of R stays in cache

// How k vectors meet the registers: in one group, or in two of nearly equal size.
template <int k>
struct Shape {
  static constexpr int capacity = kRegisters == 32 ? 8 : 4;
  static constexpr int groups = (k + capacity - 1) / capacity;
  static constexpr int first = (k + groups - 1) / groups, second = k - first;
  static constexpr int columns = k > 2 ? 3 : kRegisters == 32 ? 6 : 4;  // of a tile
  static constexpr int spacing = groups == 1 ? 8 : 2;  // between the columns of a tile
  static constexpr Index depth = 2048 / k / 64 * 64;   // rows whose part of R the first cache keeps
  static constexpr int panel = columns * spacing;
  static constexpr int streams = k <= 2 || groups == 2 ? 2 : columns;  // of the next panel
};

// The numbers of the next panel of columns, asked for a cache line at a time and column by column.
struct Ahead {
  const char* line;
  const char* end;  // of the column in its block of rows
  Index height, stride;

  template <class T>
  static REGSOLVE_INLINE Ahead from(const T* x, Index ld, Index rows) {
    const char* start = reinterpret_cast<const char*>(x);
    const Index height = rows * Index(sizeof(T));
    return {start, start + height, height, ld * Index(sizeof(T))};
  }
  REGSOLVE_INLINE void next() {
    prefetch_far(line);
    line += kLineBytes;
    if (line >= end) {
      end += stride;
      line = end - height;
    }
  }
};

inline Index packed_rows(Index rows) {
  return (rows + kLanes - 1) / kLanes * kLanes;
}

// packed (rows / kLanes x V x kLanes): the rows of V vectors
template <int V>
REGSOLVE_INLINE void pack_vectors(const double* R, Index ldr, Index rows, double* packed) {
  Index i = 0;
  for (; i + kLanes <= rows; i += kLanes)
    for (int v = 0; v < V; ++v) store(packed + i * V + v * kLanes, load(R + i + v * ldr));
  if (i < rows)
    for (int v = 0; v < V; ++v)
      store(packed + i * V + v * kLanes, load_last_alone(R + v * ldr, rows));
}

// z_cv += x_c r_v
template <int C, int V>
REGSOLVE_INLINE void outer_product(Pack (&x)[C], const double* r, Pack (&z)[C][V]) {
  REGSOLVE_UNROLL
  for (int c = 0; c < C; ++c) hold(x[c]);
  REGSOLVE_UNROLL
  for (int v = 0; v < V; ++v) {
    Pack rv = load(r + v * kLanes);
    if constexpr (kRegisters == 32) hold(rv);
    REGSOLVE_UNROLL
    for (int c = 0; c < C; ++c) multiply_add(x[c], rv, z[c][v]);
  }
}

// parts[c stride + v] += sum_i x[i + c ld] r_iv, lane by lane
template <int C, int V, int streams, class T>
REGSOLVE_INLINE void tile(const T* x, Index ld, Index rows, const double* r, Pack* parts,
                          Index stride, Ahead* ahead) {
  Pack z[C][V], xs[C];
  REGSOLVE_UNROLL
  for (int c = 0; c < C; ++c) REGSOLVE_UNROLL
  for (int v = 0; v < V; ++v) z[c][v] = parts[c * stride + v];
  Index i = 0;
  if constexpr (streams > 0) {
    constexpr Index line = kLineBytes / Index(sizeof(T));
    Ahead streaming[streams];
    REGSOLVE_UNROLL
    for (int s = 0; s < streams; ++s) streaming[s] = ahead[s];
    for (; i + line <= rows; i += line) {
      REGSOLVE_UNROLL
      for (int s = 0; s < streams; ++s) streaming[s].next();
      for (Index u = i; u < i + line; u += kLanes) {
        REGSOLVE_UNROLL
        for (int c = 0; c < C; ++c) xs[c] = load(x + u + c * ld);
        outer_product(xs, r + u * V, z);
      }
    }
    REGSOLVE_UNROLL
    for (int s = 0; s < streams; ++s) ahead[s] = streaming[s];
  }
  for (; i + kLanes <= rows; i += kLanes) {
    REGSOLVE_UNROLL
    for (int c = 0; c < C; ++c) xs[c] = load(x + i + c * ld);
    outer_product(xs, r + i * V, z);
  }
  if (i < rows) {
    REGSOLVE_UNROLL
    for (int c = 0; c < C; ++c) xs[c] = load_last(x + c * ld, rows);
    outer_product(xs, r + i * V, z);
  }
  REGSOLVE_UNROLL
  for (int c = 0; c < C; ++c) REGSOLVE_UNROLL
  for (int v = 0; v < V; ++v) parts[c * stride + v] = z[c][v];
}

// out[j + v ldo] (+)= sum_i x[i + j ld] r_iv for C spacing columns j and k vectors v of one block
template <int k, int C, int spacing, int streams, class T>
REGSOLVE_INLINE void panel(const T* x, Index ld, Index rows, const double* packed, bool fresh,
                           double* out, Index ldo, Ahead* ahead) {
  using S = Shape<k>;
  Pack parts[C * spacing * k];
  for (Pack& part : parts) part = broadcast(0.0);
  for (Index i = 0; i < rows; i += S::depth) {
    const Index height = std::min(S::depth, rows - i);
    const double* r = packed + i * k;
    for (Index t = 0; t < spacing; ++t) {
      const T* xt = x + i + t * ld;
      tile<C, S::first, streams>(xt, spacing * ld, height, r, parts + t * k, spacing * k, ahead);
      if constexpr (S::second > 0)
        tile<C, S::second, streams>(xt, spacing * ld, height, r + S::first * packed_rows(height),
                                    parts + t * k + S::first, spacing * k, ahead);
    }
  }
  for (int v = 0; v < k; ++v) {
    double* to = out + v * ldo;
    Index j = 0;
    for (; j + kLanes <= C * spacing; j += kLanes) {
      Pack totals = sums(parts + j * k + v, k);
      if (!fresh) totals += load(to + j);
      store(to + j, totals);
    }
    for (; j < C * spacing; ++j) {
      const double total = sum(parts[j * k + v]);
      to[j] = fresh ? total : to[j] + total;
    }
  }
}

// Rows [i0, i1) of n; i0 is a multiple of kRows.
template <int k, class T>
void xtr_columns_of(const T* X, Index ld, Index n, Index i0, Index i1, Index j0, Index j1,
                    const double* R, double* out, Index ldo, bool onto = false) {
  using S = Shape<k>;
  alignas(kLineBytes) double packed[kRows * k];
  for (Index i = i0; i < i1; i += kRows) {
    const Index rows = std::min(kRows, i1 - i);
    const bool fresh = i == 0 && !onto;
    for (Index s = 0; s < rows; s += S::depth) {
      const Index height = std::min(S::depth, rows - s);
      const double* r = R + i + s;
      pack_vectors<S::first>(r, n, height, packed + s * k);
      if constexpr (S::second > 0)
        pack_vectors<S::second>(r + S::first * n, n, height,
                                packed + s * k + S::first * packed_rows(height));
    }
    Index j = j0;
    for (; j + S::panel <= j1; j += S::panel) {
      const T* x = X + i + j * ld;
      const T* next = j + 2 * S::panel <= j1 ? x + S::panel * ld : X + i + j0 * ld + rows;
      Ahead ahead[S::streams];
      for (int s = 0; s < S::streams; ++s)
        ahead[s] = Ahead::from(next + s * (S::panel / S::streams) * ld, ld, rows);
      panel<k, S::columns, S::spacing, S::streams>(x, ld, rows, packed, fresh, out + j, ldo, ahead);
    }
    for (; j + S::columns <= j1; j += S::columns)
      panel<k, S::columns, 1, 0>(X + i + j * ld, ld, rows, packed, fresh, out + j, ldo, nullptr);
    for (; j < j1; ++j)
      panel<k, 1, 1, 0>(X + i + j * ld, ld, rows, packed, fresh, out + j, ldo, nullptr);
  }
}

// out[j + v ldo] = sum_i X[i + j ld] R[i + v n],  j0 <= j < j1,  v < k;  X column-major, ld >= n,
// for any k: eight vectors after eight meet the same rows.
template <class T>
void xtr_columns(const T* X, Index ld, Index n, Index j0, Index j1, const double* R, int k,
                 double* out, Index ldo) {
  if (n == 0)
    for (int v = 0; v < k; ++v) std::fill(out + j0 + v * ldo, out + j1 + v * ldo, 0.0);
  const Index height = k > 8 ? kRows : n;
  for (Index i = 0; i < n; i += height)
    for (int v = 0; v < k; v += 8)
      with_count(std::min(8, k - v), [&](auto count) {
        xtr_columns_of<count()>(X, ld, n, i, std::min(n, i + height), j0, j1, R + v * n,
                                out + v * ldo, ldo);
      });
}

// out[j + v ldo] = sum_i x_ij R[i + v n] for the m `columns` j alone: lay(i, rows, to) puts rows
// i, i + 1, ... of them side by side, (rows x m), which costs little where the columns between them
// are not read.
template <class T, class Lay>
void xtr_some_columns(const Lay& lay, Index n, const Index* columns, Index m, const double* R,
                      int k, double* out, Index ldo) {
  std::vector<T, Uncleared<T>> beside(std::size_t(std::min(n, kRows) * m));
  Vector products(std::size_t(m * k), 0.0);
  for (Index i = 0; i < n; i += kRows) {
    const Index rows = std::min(kRows, n - i);
    lay(i, rows, beside.data());
    for (int v = 0; v < k; v += 8)
      with_count(std::min(8, k - v), [&](auto count) {
        xtr_columns_of<count()>(beside.data(), rows, n, 0, rows, 0, m, R + i + v * n,
                                products.data() + v * m, m, i > 0);
      });
  }
  for (int v = 0; v < k; ++v)
    for (Index c = 0; c < m; ++c) out[columns[c] + v * ldo] = products[std::size_t(c + v * m)];
}

// Columns to take at a time, a multiple of the panel's 24. R is laid out anew for every block, so
// that a block is far wider than R, unless a narrow X must be shared among threads.
inline Index column_block(Index n, Index p) {
  constexpr Index step = 24, widest = 96;
  const Index shared = (p / 8 + step - 1) / step * step,
              small = (Index(1) << 17) / (n + 1) / step * step;
  return std::max({step, std::min(widest, shared), small});
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

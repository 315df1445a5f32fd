// X'R for a sparse X (n x p, compressed columns) and a block R (n x k) of k = 1..8 vectors; float32
// is widened as it is read, every product and sum is in double.
//
// R is laid out by rows, so that a stored value meets its k numbers in one cache line: eight
// vectors use a whole line where one uses an eighth. The bits of a result depend on its column, its
// vector, n and whether k is 1; not on the vectors beside it, nor on the columns asked for
// together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>

#include "api.hpp"
#include "simd.hpp"
#include "threads.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// Where the stored values of a column lie. columns (p,), ascending: which of the stored columns
// make X; null: all.
template <class I>
struct Offsets {
  const I* indptr;
  const std::int32_t* columns;

  Index at(Index j) const { return columns ? Index(columns[j]) : j; }
  Index begin(Index j) const { return static_cast<Index>(indptr[at(j)]); }
  Index end(Index j) const { return static_cast<Index>(indptr[at(j) + 1]); }
  Index length(Index j) const { return end(j) - begin(j); }
};

// R (n x k, column-major) by rows of `width` numbers, zeros beyond k; one vector stays where it is.
class RowBlock {
 public:
  RowBlock(const double* R, Index n, int k, int n_threads = 1)
      : n(n), k(k), width(k == 1 ? 1 : std::max(k <= 4 ? 4 : 8, kLanes)), rows(R) {
    if (k == 1) return;
    constexpr std::size_t spare = kLineBytes / sizeof(double);
    memory_.reset(new double[static_cast<std::size_t>(n * width) + spare]);
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.get());
    double* aligned = memory_.get() + (kLineBytes - address % kLineBytes) % kLineBytes / 8;
    constexpr Index block = 1 << 14;
    parallel_blocks(n_threads, (n + block - 1) / block, [&](Index b) {
      constexpr Index tile = 64;  // rows whose lines stay in the first cache for all vectors
      const Index end = std::min(n, (b + 1) * block);
      for (Index i0 = b * block; i0 < end; i0 += tile) {
        const Index i1 = std::min(end, i0 + tile);
        for (int v = 0; v < width; ++v)
          for (Index i = i0; i < i1; ++i) aligned[i * width + v] = v < k ? R[i + v * n] : 0.0;
      }
    });
    rows = aligned;
  }

  const Index n;
  const int k, width;
  const double* rows;  // (n x width), each row within one cache line

 private:
  std::unique_ptr<double[]> memory_;
};

constexpr Index kDistance = 16;  // stored values between asking for a row of R and meeting it
constexpr Index kNear = 4096;    // rows of R that stay in cache
constexpr Index kFar = 1 << 16;  // n beyond which even the last cache loses R between two columns
constexpr Index kRun = 16;       // stored values a block of rows for which a column is worth a stop

// z += x_t R[i_t, :]
template <int P, class T, class I>
REGSOLVE_INLINE void add_row(const T* data, const I* indices, Index t, const double* rows,
                             Pack* z) {
  const double* r = rows + static_cast<Index>(indices[t]) * (P * kLanes);
  const Pack x = broadcast(data[t]);
  for (int q = 0; q < P; ++q) multiply_add(x, load(r + q * kLanes), z[q]);
}

// (sums_0 + sums_2) + (sums_1 + sums_3), added to z
template <int P>
REGSOLVE_INLINE void add_partial(Pack (&sums)[4][P], Pack* z) {
  for (int q = 0; q < P; ++q) {
    sums[0][q] += sums[2][q];
    sums[1][q] += sums[3][q];
    sums[0][q] += sums[1][q];
    z[q] += sums[0][q];
  }
}

// z += sum of x_t R[i_t, :] over t < end while `more` says that t is wanted; returns the first t
// left
template <int P, bool ahead, class T, class I, class More>
REGSOLVE_INLINE Index add_rows(const T* data, const I* indices, Index t, Index end,
                               const double* rows, Pack* z, const More& more) {
  auto ask = [&](Index s) {
    if constexpr (ahead) prefetch(rows + static_cast<Index>(indices[s + kDistance]) * (P * kLanes));
  };
  if (t + 4 <= end && more(t + 3)) {
    Pack sums[4][P];
    for (int u = 0; u < 4; ++u)
      for (int q = 0; q < P; ++q) sums[u][q] = broadcast(0.0);
    do {
      for (int u = 0; u < 4; ++u) {
        ask(t + u);
        add_row<P>(data, indices, t + u, rows, sums[u]);
      }
      t += 4;
    } while (t + 4 <= end && more(t + 3));
    add_partial<P>(sums, z);
  }
  for (; t < end && more(t); ++t) {
    ask(t);
    add_row<P>(data, indices, t, rows, z);
  }
  return t;
}

template <int P>
REGSOLVE_INLINE void write_row(const Pack* z, int k, double* out, Index ldo) {
  double lanes[P * kLanes];
  for (int q = 0; q < P; ++q) store(lanes + q * kLanes, z[q]);
  for (int v = 0; v < k; ++v) out[v * ldo] = lanes[v];
}

// out[j + v ldo] for columns taken whole, one after another
template <int P, class T, class I>
REGSOLVE_INLINE void whole_column(const T* data, const I* indices, Index start, Index end,
                                  Index last, const RowBlock& R, double* out, Index ldo) {
  const auto always = [](Index) { return true; };
  Pack z[P];
  for (int q = 0; q < P; ++q) z[q] = broadcast(0.0);
  if (end + kDistance <= last)
    add_rows<P, true>(data, indices, start, end, R.rows, z, always);
  else
    add_rows<P, false>(data, indices, start, end, R.rows, z, always);
  write_row<P>(z, R.k, out, ldo);
}

template <int P, class T, class I>
void xtr_csc_near(const T* data, const I* indices, const Offsets<I>& offsets, Index j0, Index j1,
                  const RowBlock& R, double* out, Index ldo) {
  if (j0 >= j1) return;
  const Index last = offsets.end(j1 - 1);
  for (Index j = j0; j < j1; ++j)
    whole_column<P>(data, indices, offsets.begin(j), offsets.end(j), last, R, out + j, ldo);
}

// Long columns go through kNear rows of R together before any of them goes on to the next rows.
// Rows that do not ascend within a column cost time, never the answer.
template <int P, class T, class I>
void xtr_csc_far(const T* data, const I* indices, const Offsets<I>& offsets, Index j0, Index j1,
                 const RowBlock& R, double* out, Index ldo) {
  if (j0 >= j1) return;
  constexpr Index batch = 256;
  const Index blocks = (R.n + kNear - 1) / kNear, last = offsets.end(j1 - 1);
  Index column[batch], at[batch];
  Pack z[batch][P];
  for (Index j = j0; j < j1;) {
    Index count = 0;
    for (; j < j1 && count < batch; ++j) {
      const Index start = offsets.begin(j), end = offsets.end(j);
      if (end - start < blocks * kRun) {
        whole_column<P>(data, indices, start, end, last, R, out + j, ldo);
        continue;
      }
      column[count] = j;
      at[count] = start;
      for (int q = 0; q < P; ++q) z[count][q] = broadcast(0.0);
      ++count;
    }
    for (Index b = 1; b <= blocks; ++b) {
      const I stop = b < blocks ? static_cast<I>(b * kNear) : std::numeric_limits<I>::max();
      const auto within = [&](Index t) { return indices[t] < stop; };
      for (Index c = 0; c < count; ++c)
        at[c] =
            add_rows<P, false>(data, indices, at[c], offsets.end(column[c]), R.rows, z[c], within);
    }
    for (Index c = 0; c < count; ++c) write_row<P>(z[c], R.k, out + column[c], ldo);
  }
}

// sum_t data[t] u[indices[t]], begin <= t < end: four partial sums, then the rest
template <class T, class I>
REGSOLVE_INLINE double dot_csc(const T* data, const I* indices, Index begin, Index end,
                               const double* u) {
  const auto product = [&](Index t) { return static_cast<double>(data[t]) * u[indices[t]]; };
  Index t = begin;
  double total = 0.0;
  if (t + 4 <= end) {
    double sums[4] = {};
    for (; t + 4 <= end; t += 4)
      for (int l = 0; l < 4; ++l) sums[l] += product(t + l);
    total = (sums[0] + sums[2]) + (sums[1] + sums[3]);
  }
  for (; t < end; ++t) total += product(t);
  return total;
}

// out[j] = sum_i x_ij r_i,  j0 <= j < j1
template <class T, class I>
void xtr_csc1(const T* data, const I* indices, const Offsets<I>& offsets, Index j0, Index j1,
              const double* r, double* out) {
  for (Index j = j0; j < j1; ++j)
    out[j] = dot_csc(data, indices, offsets.begin(j), offsets.end(j), r);
}

// out[j + v ldo] = sum_i x_ij R_iv,  j0 <= j < j1,  v < k
template <class T, class I>
void xtr_csc(const T* data, const I* indices, const Offsets<I>& offsets, Index j0, Index j1,
             const RowBlock& R, double* out, Index ldo) {
  auto run = [&](auto packs) {
    if (R.n > kFar)
      xtr_csc_far<packs()>(data, indices, offsets, j0, j1, R, out, ldo);
    else
      xtr_csc_near<packs()>(data, indices, offsets, j0, j1, R, out, ldo);
  };
  if (R.width == 1)
    xtr_csc1(data, indices, offsets, j0, j1, R.rows, out);
  else if (R.width == 8)
    run(std::integral_constant<int, 8 / kLanes>());
  else if constexpr (kLanes <= 4)
    run(std::integral_constant<int, 4 / kLanes>());
}

// Shares of the columns for threads: a far R is read once a share, so there are no more than
// threads.
inline Index csc_shares(Index n, int n_threads) {
  return n_threads == 1 ? 1 : n > kFar ? n_threads : 8 * n_threads;
}

// First column of a share when stored values and columns are shared out evenly.
template <class I>
Index share_start(const Offsets<I>& offsets, Index p, Index share, Index shares) {
  if (p == 0) return 0;
  const auto cost = [&](Index j) {
    return (j < p ? offsets.begin(j) : offsets.end(p - 1)) - offsets.begin(0) + j;
  };
  const double wanted = static_cast<double>(cost(p)) * static_cast<double>(share) / shares;
  Index low = 0, high = p;
  while (low < high) {
    const Index middle = low + (high - low) / 2;
    if (static_cast<double>(cost(middle)) < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

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
#include <type_traits>
#include <vector>

#include "api.hpp"
#include "lines.hpp"
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
  RowBlock(const double* R, Index n, int k, int n_threads = 1) : RowBlock(n, k, R) {
    if (k == 1) return;
    memory_ = Lines(n * width);
    double* aligned = memory_.data();
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

  // laid out by rows already
  RowBlock(Index n, int k, const double* by_rows) : n(n), k(k), width(width_of(k)), rows(by_rows) {}

  static int width_of(int k) { return k == 1 ? 1 : std::max(k <= 4 ? 4 : 8, kLanes); }

  const Index n;
  const int k, width;
  const double* rows;  // (n x width), each row within one cache line

 private:
  Lines memory_;
};

constexpr Index kDistance = 32;  // stored values between asking for a row of R and meeting it
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

template <int P, class T, class I, class O>
void xtr_csc_near(const T* data, const I* indices, const Offsets<O>& offsets, Index j0, Index j1,
                  const RowBlock& R, double* out, Index ldo) {
  if (j0 >= j1) return;
  const Index last = offsets.end(j1 - 1);
  for (Index j = j0; j < j1; ++j)
    whole_column<P>(data, indices, offsets.begin(j), offsets.end(j), last, R, out + j, ldo);
}

// z_c += sum over i0 <= i < i1 of x_ci R[i, :] for C columns that store every row
template <int P, int C, class T>
REGSOLVE_INLINE void add_full(const T* const* x, Index i0, Index i1, const double* rows,
                              Pack (*z)[P]) {
  Pack sums[C][P];
  for (int c = 0; c < C; ++c)
    for (int q = 0; q < P; ++q) sums[c][q] = broadcast(0.0);
  for (Index i = i0; i < i1; ++i)
    for (int q = 0; q < P; ++q) {
      const Pack r = load(rows + i * (P * kLanes) + q * kLanes);
      for (int c = 0; c < C; ++c)
        multiply_add(broadcast(static_cast<double>(x[c][i])), r, sums[c][q]);
    }
  for (int c = 0; c < C; ++c)
    for (int q = 0; q < P; ++q) z[c][q] += sums[c][q];
}

// Some columns of a far R, which go through kNear rows of it together before any of them goes on to
// the next rows: long ones, and those that store every row and so need no indices.
template <int P, class T>
struct FarColumns {
  static constexpr Index most = 256;
  Index n_long = 0, n_full = 0;
  Index column[most], at[most], full[most];
  const T* values[most];
  Pack z[most][P], z_full[most][P];

  bool room() const { return n_long < most && n_full < most; }
  void add_long(Index j, Index start) {
    column[n_long] = j;
    at[n_long] = start;
    for (int q = 0; q < P; ++q) z[n_long][q] = broadcast(0.0);
    ++n_long;
  }
  void add_full_one(Index j, const T* x) {
    full[n_full] = j;
    values[n_full] = x;
    for (int q = 0; q < P; ++q) z_full[n_full][q] = broadcast(0.0);
    ++n_full;
  }
  void go_through(Index i0, Index i1, const double* rows) {
    constexpr Index together = kRegisters == 32 ? 8 : 4;
    for (Index c = 0; c < n_full; c += together)
      with_count(int(std::min(together, n_full - c)),
                 [&](auto count) { add_full<P, count()>(values + c, i0, i1, rows, z_full + c); });
  }
};

// Rows that do not ascend within a column cost time, never the answer; a column that stores every
// row stores them in order.
template <int P, class T, class I, class O>
void xtr_csc_far(const T* data, const I* indices, const Offsets<O>& offsets, Index j0, Index j1,
                 const RowBlock& R, double* out, Index ldo) {
  if (j0 >= j1) return;
  const Index blocks = (R.n + kNear - 1) / kNear, last = offsets.end(j1 - 1);
  for (Index j = j0; j < j1;) {
    FarColumns<P, T> far;
    for (; j < j1 && far.room(); ++j) {
      const Index start = offsets.begin(j), end = offsets.end(j);
      if (end - start == R.n && indices[start] == 0)
        far.add_full_one(j, data + start);
      else if (end - start >= blocks * kRun)
        far.add_long(j, start);
      else
        whole_column<P>(data, indices, start, end, last, R, out + j, ldo);
    }
    for (Index b = 1; b <= blocks; ++b) {
      const I stop = b < blocks ? static_cast<I>(b * kNear) : std::numeric_limits<I>::max();
      const auto within = [&](Index t) { return indices[t] < stop; };
      far.go_through((b - 1) * kNear, std::min(R.n, b * kNear), R.rows);
      for (Index c = 0; c < far.n_long; ++c)
        far.at[c] = add_rows<P, false>(data, indices, far.at[c], offsets.end(far.column[c]), R.rows,
                                       far.z[c], within);
    }
    for (Index c = 0; c < far.n_long; ++c) write_row<P>(far.z[c], R.k, out + far.column[c], ldo);
    for (Index c = 0; c < far.n_full; ++c) write_row<P>(far.z_full[c], R.k, out + far.full[c], ldo);
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
template <class T, class I, class O>
void xtr_csc1(const T* data, const I* indices, const Offsets<O>& offsets, Index j0, Index j1,
              const double* r, double* out) {
  for (Index j = j0; j < j1; ++j)
    out[j] = dot_csc(data, indices, offsets.begin(j), offsets.end(j), r);
}

// out[j + v ldo] = sum_i x_ij R_iv,  j0 <= j < j1,  v < k
template <class T, class I, class O>
void xtr_csc(const T* data, const I* indices, const Offsets<O>& offsets, Index j0, Index j1,
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

// First columns of shares for threads, and p: stored values and columns are shared out evenly. A
// far R is read once a share, so that there are no more than threads; and there a value of a block
// costs six times as much in a column too short to go by blocks of rows, half in one that stores
// them all.
template <class I>
std::vector<Index> share_starts(const Offsets<I>& offsets, Index p, const RowBlock& R,
                                int n_threads) {
  if (n_threads == 1 || p == 0) return {0, p};
  const bool far = R.n > kFar;
  const Index shares = far ? n_threads : 8 * n_threads;
  std::vector<Index> starts;
  if (!far || R.width == 1) {
    for (Index k = 0; k <= shares; ++k) starts.push_back(share_start(offsets, p, k, shares));
    return starts;
  }
  const Index run = (R.n + kNear - 1) / kNear * kRun;
  const auto cost = [&](Index j) {
    const Index length = offsets.length(j);
    return 1.0 + (length == R.n ? 0.5 : length >= run ? 1.0 : 6.0) * double(length);
  };
  double all = 0.0, so_far = 0.0;
  for (Index j = 0; j < p; ++j) all += cost(j);
  for (Index j = 0; j < p; ++j) {
    while (so_far >= all * double(starts.size()) / double(shares)) starts.push_back(j);
    so_far += cost(j);
  }
  while (Index(starts.size()) <= shares) starts.push_back(p);
  return starts;
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// The statistics reading: weighted means, norms and X'y of every feature in one reading of X.
//
//   m_j = sum_i omega_i x_ij (0 when not centred),   d_j^2 = sum_i omega_i (x_ij - m_j)^2,
//   q_j = sum_i omega_i (x_ij - m_j) t_i,            sum_i omega_i = 1, sum_i omega_i t_i = 0 if
//   centred.
//
// Sums run over x - pilot, with the pilot a value near the mean, so that a mean far above the
// deviation costs no digits. NaN and infinity show up in the sums: no reading of their own.
#pragma once

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "byte_columns.hpp"
#include "matrix.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

struct Statistics {
  Vector mean;  // m, (p,)
  Vector inv;   // 1 / d, (p,); 0 for a feature that is constant to rounding
  Vector q;     // z_j't = q_j / d_j, (p,)
  explicit Statistics(Index p = 0) : mean(std::size_t(p)), inv(std::size_t(p)), q(std::size_t(p)) {}

  // d_j
  double norm(std::size_t j) const { return inv[j] == 0.0 ? 0.0 : 1.0 / inv[j]; }
  // |m_j| / d_j
  double mean_over_norm(std::size_t j) const { return std::fabs(mean[j]) * inv[j]; }

  std::vector<Index> pilot_rows;  // rows whose average is a feature's pilot

  // From sums over x - pilot: s1 = sum omega (x - pilot), s2 = sum omega (x - pilot)^2,
  // s3 = sum omega (x - pilot) t.
  void set(Index j, bool centred, double pilot, double s1, double s2, double s3) {
    const double variance = centred ? s2 - s1 * s1 : s2;
    const double m = centred ? pilot + s1 : 0.0;
    constexpr double rounding = 8 * std::numeric_limits<double>::epsilon();
    // of m, or of the difference s2 - s1^2
    const double noise = std::max(rounding * rounding * m * m, centred ? rounding * s1 * s1 : 0.0);
    const bool constant = !(variance > noise);
    mean[std::size_t(j)] = m;
    inv[std::size_t(j)] = constant ? 0.0 : 1.0 / std::sqrt(variance);
    q[std::size_t(j)] = s3 * inv[std::size_t(j)];
    if (!(std::isfinite(s1) && std::isfinite(s2) && std::isfinite(s3)))
      inv[std::size_t(j)] = std::numeric_limits<double>::quiet_NaN();
  }
  void copy(double* means, double* norms) const {
    std::copy(mean.begin(), mean.end(), means);
    for (std::size_t j = 0; j < inv.size(); ++j) norms[j] = norm(j);
  }
  // First column with NaN, infinity or an overflow in its squares; -1: none.
  Index bad_column() const {
    for (std::size_t j = 0; j < inv.size(); ++j)
      if (std::isnan(inv[j])) return Index(j);
    return -1;
  }
};

// What a reading is asked for: the statistics of a target under row weights.
struct Moments {
  const double* omega;    // (n,)
  const double* omega_t;  // (n,)
  bool centred;
  Statistics* out;
};

// Up to 16 evenly spread rows that have weight.
inline std::vector<Index> choose_pilot_rows(const double* omega, Index n) {
  std::vector<Index> used, out;
  for (Index i = 0; i < n; ++i)
    if (omega[i] > 0.0) used.push_back(i);
  const std::size_t count = std::min<std::size_t>(used.size(), 16);
  for (std::size_t k = 0; k < count; ++k) out.push_back(used[k * used.size() / count]);
  return out;
}

// The averages of C columns from j on over the rows given: values near their means.
template <class Kind, int C>
void average(const Kind& X, Index j, const std::vector<Index>& rows, double (&out)[C]) {
  std::fill(out, out + C, 0.0);
  for (Index i : rows)
    for (int c = 0; c < C; ++c) out[c] += X.at(i, j + c);
  for (double& value : out) value /= double(std::max<std::size_t>(rows.size(), 1));
}
template <class Kind>
double pilot_of(const Kind& X, Index j, const std::vector<Index>& rows) {
  double out[1];
  average(X, j, rows, out);
  return out[0];
}

constexpr int kAbreast = 4;  // columns that are summed side by side

// sums[c] = (sum_i omega_i v_ic, sum_i omega_i v_ic^2, sum_i omega_t_i v_ic), v_ic = x[i + c ld] -
// pilot[c], for C columns, in the same order for any C. What lies `ahead` of x is asked for.
template <int C, class T>
REGSOLVE_INLINE void column_sums(const T* x, Index ld, Index n, Index ahead, const double* pilot,
                                 const Moments& m, double (*sums)[3]) {
  constexpr Index line = kLineBytes / Index(sizeof(T));
  Pack shift[C], s1[C], s2[C], s3[C];
  REGSOLVE_UNROLL
  for (int c = 0; c < C; ++c) {
    shift[c] = broadcast(-pilot[c]);
    s1[c] = s2[c] = s3[c] = broadcast(0.0);
  }
  const auto add = [&](int c, Pack v, const Pack& w, const Pack& wt) {
    v += shift[c];
    const Pack wv = w * v;
    s1[c] += wv;
    multiply_add(wv, v, s2[c]);
    multiply_add(v, wt, s3[c]);
  };
  Index i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Pack w = load(m.omega + i), wt = load(m.omega_t + i);
    REGSOLVE_UNROLL
    for (int c = 0; c < C; ++c) {
      const T* at = x + i + c * ld;
      if (kLanes == line || i % line == 0) prefetch_far(at + ahead);
      add(c, load(at), w, wt);
    }
  }
  if (i < n) {
    const Pack w = load_last_alone(m.omega, n), wt = load_last_alone(m.omega_t, n);
    REGSOLVE_UNROLL
    for (int c = 0; c < C; ++c) add(c, load_last(x + c * ld, n), w, wt);
  }
  REGSOLVE_UNROLL
  for (int c = 0; c < C; ++c)
    sums[c][0] = sum(s1[c]), sums[c][1] = sum(s2[c]), sums[c][2] = sum(s3[c]);
}

// The statistics of C columns from j on, which are the features from `feature` on.
template <int C, class T>
REGSOLVE_INLINE void column_statistics(const Columns<T>& X, Index j, Index feature,
                                       const Moments& m) {
  // as many columns ahead as memory is late by
  const Index ahead = X.ld * std::max<Index>(C, 1 + 2048 / (X.n + 1));
  const T* x = X.data + j * X.ld;
  double pilot[C] = {}, sums[C][3];
  if (m.centred) average(X, j, m.out->pilot_rows, pilot);
  column_sums<C>(x, X.ld, X.n, ahead, pilot, m, sums);
  for (int c = 0; c < C; ++c) {
    double* s = sums[c];
    if (m.centred && s[0] * s[0] > 1e4 * (s[1] - s[0] * s[0]) && std::isfinite(s[1])) {
      pilot[c] += s[0];  // a pilot far from the mean: the sums once more, about the mean
      column_sums<1>(x + c * X.ld, X.ld, X.n, 0, pilot + c, m, sums + c);
    }
    m.out->set(feature + c, m.centred, pilot[c], s[0], s[1], s[2]);
  }
}

// N sums over begin <= k < end, to which add(k, s) adds; long ones on four independent partial sums
// each, since an addition waits for the one before it four times as long as it takes.
template <int N, class Add>
std::array<double, N> sums_over(Index begin, Index end, const Add& add) {
  constexpr Index lanes = 4, short_sum = 48;
  std::array<double, N> out{};
  Index k = begin;
  if (end - begin >= short_sum) {
    double s[lanes][N] = {};
    for (; k + lanes <= end; k += lanes)
      for (Index l = 0; l < lanes; ++l) add(k + l, s[l]);
    for (std::size_t m = 0; m < N; ++m) out[m] = (s[0][m] + s[1][m]) + (s[2][m] + s[3][m]);
  }
  for (; k < end; ++k) add(k, out.data());
  return out;
}

// Sums over stored values, the unstored ones in closed form. The rows stored, of weight q <= 1 in
// all, leave m_j^2 <= q sum_i omega_i x_ij^2: for q <= 1/4 a difference of the two loses no digit,
// others are summed again about the mean.
template <int C, class T, class I>
void column_statistics(const Csc<T, I>& X, Index j, Index feature, const Moments& wanted) {
  static_assert(C == 1, "sparse columns are summed one by one");
  const double *omega = wanted.omega, *omega_t = wanted.omega_t;
  const bool centred = wanted.centred;
  Statistics& out = *wanted.out;
  const Index begin = X.offsets.begin(j), end = X.offsets.end(j);
  const I* row = X.indices;
  const T* x = X.data;
  const auto [mass, s1, square, product] = sums_over<4>(begin, end, [&](Index k, double* s) {
    const double v = static_cast<double>(x[k]), w = omega[row[k]];
    s[0] += w;
    s[1] += w * v;
    s[2] += w * v * v;
    s[3] += v * omega_t[row[k]];
  });
  if (!centred || mass <= 0.25) {
    const double m = centred ? s1 : 0.0;
    out.set(feature, centred, m, 0.0, square - m * m, product);
    return;
  }
  const bool full = end - begin == X.n;
  const double m = full ? s1 / mass : s1, shift = full ? m : 0.0;
  const auto [rest, about, t_about] = sums_over<3>(begin, end, [&](Index k, double* s) {
    const double v = static_cast<double>(x[k]) - m, wv = omega[row[k]] * v;
    s[0] += wv;
    s[1] += wv * v;
    s[2] += (static_cast<double>(x[k]) - shift) * omega_t[row[k]];
  });
  const double unstored = full ? 0.0 : m * m * std::max(0.0, 1.0 - mass);
  // of a column that is not full m is the mean itself
  out.set(feature, true, m, full ? rest : 0.0, about + unstored, t_about);
}

// Rows in cells, each with a Gram matrix of its own. Held-out folds are cells, and what a fold is
// trained on is the sum of the others.
struct Cells {
  const std::int32_t* of = nullptr;  // (n,) the cell of each row; null: all in one
  Index count = 1;
};

// out (rows x columns, leading dimension ld) = the first columns of the rows x, squares of a line
// of the cache at a time.
template <class T>
void lay_by_columns(const T* x, Index ldx, Index rows, Index columns, T* out, Index ld) {
  constexpr Index line = kLineBytes / Index(sizeof(T)), ahead = 2 * line;
  for (Index i = 0; i < rows; i += line) {
    const Index height = std::min(line, rows - i);
    for (Index j = 0; j < columns; j += line) {
      const T* from = x + i * ldx + j;
      T* to = out + i + j * ld;
      if (i + ahead + line <= rows)
        for (Index l = 0; l < line; ++l) prefetch_far(from + (ahead + l) * ldx);
      if (height == line && j + line <= columns) {
        for (Index c = 0; c < line; ++c)
          for (Index l = 0; l < line; ++l) to[l + c * ld] = from[l * ldx + c];
      } else {
        for (Index c = 0; c < std::min(line, columns - j); ++c)
          for (Index l = 0; l < height; ++l) to[l + c * ld] = from[l * ldx + c];
      }
    }
  }
}

// The statistics of the columns [begin, end) of X, the features from `feature` on. Columns serve
// all that are asked for while they are in cache: several at once where they fit. A `copy` of dense
// ones is made on the way.
template <class Kind>
void statistics_of(const Kind& X, Index begin, Index end, Index feature,
                   const std::vector<Moments>& wanted, [[maybe_unused]] ByteColumns* copy) {
  constexpr int abreast = Kind::sparse ? 1 : kAbreast;
  const bool fit = wanted.size() == 1 || abreast * X.n <= Index(1) << 17;
  const auto take = [&](Index count) {
    if constexpr (!Kind::sparse)
      for (Index k = 0; copy && k < count; ++k)
        copy->take(feature + k, X.data + (begin + k) * X.ld);
    begin += count;
    feature += count;
  };
  while (fit && begin + abreast <= end) {
    for (const Moments& m : wanted) column_statistics<abreast>(X, begin, feature, m);
    take(abreast);
  }
  while (begin < end) {
    for (const Moments& m : wanted) column_statistics<1>(X, begin, feature, m);
    take(1);
  }
}

template <class Kind>
void statistics(const Kind& X, const std::vector<Moments>& wanted, int n_threads,
                ByteColumns* copy = nullptr) {
  constexpr int abreast = Kind::sparse ? 1 : kAbreast;
  const Index columns = std::min<Index>(1024, (Index(1) << 16) / (X.n + 1)),
              width = std::max<Index>(1, columns / abreast) * abreast;
  parallel_blocks(n_threads, (X.p + width - 1) / width, [&](Index block) {
    const Index j = block * width;
    statistics_of(X, j, std::min(X.p, j + width), j, wanted, copy);
  });
}

// Rows of which a panel of some 40 columns lies in the second cache: narrower ones are read in
// pieces of a few lines each, which costs more than a copy saves.
constexpr Index kPanelRows = 800;

// C-order, to be copied: panels of columns are laid by columns, which then lie in cache.
template <class T>
void statistics_by_panels(const Rows<T>& X, const std::vector<Moments>& wanted, int n_threads,
                          ByteColumns* copy) {
  constexpr Index line = kLineBytes / Index(sizeof(T)), bytes = Index(1) << 18;
  const Index fit = bytes / Index(sizeof(T)) / (X.n + line),
              width = std::clamp<Index>(fit / line, 1, 8) * line,
              ld = (X.n + line - 1) / line * line;
  parallel_blocks(n_threads, (X.p + width - 1) / width, [&](Index block) {
    const Index j = block * width, count = std::min(width, X.p - j);
    std::vector<T, Uncleared<T>> panel(std::size_t(ld * width));
    lay_by_columns(X.data + j, X.ld, X.n, count, panel.data(), ld);
    statistics_of(Columns<T>{panel.data(), X.n, count, ld}, 0, count, j, wanted, copy);
  });
}

// C-order: fixed slabs of rows, each with its own sums, added in slab order; a row serves all that
// are asked for while it is in cache.
template <class T>
void statistics(const Rows<T>& X, const std::vector<Moments>& wanted, int n_threads,
                ByteColumns* copy = nullptr) {
  if (copy) return statistics_by_panels(X, wanted, n_threads, copy);
  const Index p = X.p, m = Index(wanted.size()), most = std::max<Index>(1, 16 / m),
              n_slabs = std::max<Index>(1, std::min<Index>(most, X.n / 64));
  Vector pilot(std::size_t(p * m), 0.0), sums(std::size_t(3 * p * m * n_slabs), 0.0);
  for (Index k = 0; k < m; ++k)
    for (Index j = 0; j < p && wanted[std::size_t(k)].centred; ++j)
      pilot[std::size_t(j + p * k)] = pilot_of(X, j, wanted[std::size_t(k)].out->pilot_rows);
  parallel_blocks(n_threads, n_slabs, [&](Index slab) {
    for (Index i = X.n * slab / n_slabs; i < X.n * (slab + 1) / n_slabs; ++i)
      for (Index k = 0; k < m; ++k) {
        double *s1 = &sums[std::size_t(3 * p * (k + m * slab))], *s2 = s1 + p, *s3 = s2 + p;
        const double* shift = &pilot[std::size_t(p * k)];
        const T* x = X.data + i * X.ld;
        const double w = wanted[std::size_t(k)].omega[i], wt = wanted[std::size_t(k)].omega_t[i];
#pragma omp simd
        for (Index j = 0; j < p; ++j) {
          const double v = static_cast<double>(x[j]) - shift[j], wv = w * v;
          s1[j] += wv;
          s2[j] += wv * v;
          s3[j] += v * wt;
        }
      }
  });
  for (Index k = 0; k < m; ++k)
    for (Index j = 0; j < p; ++j) {
      double s[3] = {};
      for (Index slab = 0; slab < n_slabs; ++slab)
        for (Index l = 0; l < 3; ++l) s[l] += sums[std::size_t(3 * p * (k + m * slab) + l * p + j)];
      const Moments& one = wanted[std::size_t(k)];
      one.out->set(j, one.centred, pilot[std::size_t(j + p * k)], s[0], s[1], s[2]);
    }
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

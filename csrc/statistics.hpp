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

#include "matrix.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

struct Statistics {
  std::vector<double> mean;  // m, (p,)
  std::vector<double> inv;   // 1 / d, (p,); 0 for a feature that is constant to rounding
  std::vector<double> q;     // z_j't = q_j / d_j, (p,)
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

// Up to 16 evenly spread rows that have weight.
inline std::vector<Index> choose_pilot_rows(const double* omega, Index n) {
  std::vector<Index> used, out;
  for (Index i = 0; i < n; ++i)
    if (omega[i] > 0.0) used.push_back(i);
  const std::size_t count = std::min<std::size_t>(used.size(), 16);
  for (std::size_t k = 0; k < count; ++k) out.push_back(used[k * used.size() / count]);
  return out;
}

// The average of column j over the rows given: a value near its mean.
template <class Kind>
double pilot_of(const Kind& X, Index j, const std::vector<Index>& rows) {
  double sum = 0.0;
  for (Index i : rows) sum += X.at(i, j);
  return sum / double(std::max<std::size_t>(rows.size(), 1));
}

template <class T>
void column_sums(const T* x, Index n, double pilot, const double* omega, const double* omega_t,
                 double* sums) {
  double s1 = 0.0, s2 = 0.0, s3 = 0.0;
#pragma omp simd reduction(+ : s1, s2, s3)
  for (Index i = 0; i < n; ++i) {
    const double v = static_cast<double>(x[i]) - pilot, wv = omega[i] * v;
    s1 += wv;
    s2 += wv * v;
    s3 += v * omega_t[i];
  }
  sums[0] = s1, sums[1] = s2, sums[2] = s3;
}

template <class T>
void column_statistics(const Columns<T>& X, Index j, const double* omega, bool centred,
                       const double* omega_t, Statistics& out) {
  const T* x = X.data + j * X.ld;
  double pilot = centred ? pilot_of(X, j, out.pilot_rows) : 0.0, s[3];
  column_sums(x, X.n, pilot, omega, omega_t, s);
  if (centred && s[0] * s[0] > 1e4 * (s[1] - s[0] * s[0]) && std::isfinite(s[1])) {
    pilot += s[0];  // a pilot far from the mean: the sums once more, about the mean
    column_sums(x, X.n, pilot, omega, omega_t, s);
  }
  out.set(j, centred, pilot, s[0], s[1], s[2]);
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
template <class T, class I>
void column_statistics(const Csc<T, I>& X, Index j, const double* omega, bool centred,
                       const double* omega_t, Statistics& out) {
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
    out.set(j, centred, m, 0.0, square - m * m, product);
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
  out.set(j, true, m, full ? rest : 0.0, about + unstored, t_about);  // else m is the mean itself
}

// Rows in cells, each with a Gram matrix of its own. Held-out folds are cells, and what a fold is
// trained on is the sum of the others.
struct Cells {
  const std::int32_t* of = nullptr;  // (n,) the cell of each row; null: all in one
  Index count = 1;
};

// What a reading is asked for: the statistics of a target under row weights.
struct Moments {
  const double* omega;    // (n,)
  const double* omega_t;  // (n,)
  bool centred;
  Statistics* out;
};

// Each column serves all that are asked for while it is in cache.
template <class Kind>
void statistics(const Kind& X, const std::vector<Moments>& wanted, int n_threads) {
  const Index width = std::max<Index>(1, std::min<Index>(1024, (Index(1) << 16) / (X.n + 1)));
  const Index n_blocks = (X.p + width - 1) / width;
  parallel_blocks(n_threads, n_blocks, [&](Index block) {
    for (Index j = block * width; j < std::min(X.p, (block + 1) * width); ++j)
      for (const Moments& m : wanted)
        column_statistics(X, j, m.omega, m.centred, m.omega_t, *m.out);
  });
}

// C-order: fixed slabs of rows, each with its own sums, added in slab order; a row serves all that
// are asked for while it is in cache.
template <class T>
void statistics(const Rows<T>& X, const std::vector<Moments>& wanted, int n_threads) {
  const Index p = X.p, m = Index(wanted.size()), most = std::max<Index>(1, 16 / m),
              n_slabs = std::max<Index>(1, std::min<Index>(most, X.n / 64));
  std::vector<double> pilot(std::size_t(p * m), 0.0), sums(std::size_t(3 * p * m * n_slabs), 0.0);
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

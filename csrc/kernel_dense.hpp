// X Z in one reading of a dense X (n x p), where Z = D (X'V - 1 c'), D = diag(d), V (n x k) and c
// (k,), k = 1..8; and 1'Z besides, and Z itself where it is asked for. A panel of columns meets V
// and the sum before the next is read. Both products are X'R, of the panel and of its transpose,
// which is the same memory in the other order.
//
// Shares of the columns have sums of their own, added in their order at the end; how many there are
// depends on n and p alone, so the bits do not depend on the threads.
#pragma once

#include <algorithm>

#include "values.hpp"
#include "xtr_columns.hpp"
#include "xtr_rows.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// Columns of a panel. Of a column-major X: a multiple of xtr_columns' 24 that stays in the second
// cache, if any does. Of a row-major X: a page of each row, which the processor reads ahead in.
template <class T>
Index panel_of_columns(Index n) {
  constexpr Index step = 24, widest = 16 * step, bytes = Index{3} << 17;
  const Index fits = bytes / (std::max<Index>(1, n) * Index(sizeof(T)));
  return std::max(step, std::min(widest, fits) / step * step);
}
template <class T>
constexpr Index panel_of_rows = 4096 / Index(sizeof(T));

// Z from X'V, m rows of it: z = d (z - 1 c'); and total += 1'z
inline void centre_and_scale(const double* d, const double* c, Index m, int k, double* z,
                             double* total) {
  for (int v = 0; v < k; ++v)
    for (Index j = 0; j < m; ++j) total[v] += z[j + v * m] = d[j] * (z[j + v * m] - c[v]);
}

// out (n x k) = sum over panels of X_panel Z_panel, total (k,) = 1'Z, and Z (p x k) unless null.
// forth(j0, j1, z) makes z = X_panel'V, and back(j0, j1, z, sum) adds X_panel z to sum; z
// (j1 - j0, k).
template <class Forth, class Back>
void by_panels(Index n, Index p, Index width, const double* d, const double* c, int k, double* out,
               double* total, double* Z, int n_threads, const Forth& forth, const Back& back) {
  constexpr Index most = 8;
  const Index panels = (p + width - 1) / width, shares = std::min(most, panels);
  const Index numbers = n * k + 8;  // of one share
  Vector sums(std::size_t(shares * numbers));
  parallel_blocks(n_threads, shares, [&](Index share) {
    double* sum = sums.data() + share * numbers;
    Vector z(std::size_t(width * k));
    for (Index b = share * panels / shares; b < (share + 1) * panels / shares; ++b) {
      const Index j0 = b * width, j1 = std::min(p, j0 + width);
      forth(j0, j1, z.data());
      centre_and_scale(d + j0, c, j1 - j0, k, z.data(), sum + n * k);
      if (Z)
        for (int v = 0; v < k; ++v)
          std::copy_n(&z[std::size_t(v * (j1 - j0))], j1 - j0, Z + j0 + v * p);
      back(j0, j1, z.data(), sum);
    }
  });
  std::fill(out, out + n * k, 0.0);
  std::fill(total, total + k, 0.0);
  for (Index share = 0; share < shares; ++share) {
    const double* sum = sums.data() + share * numbers;
    for (Index i = 0; i < n * k; ++i) out[i] += sum[i];
    for (int v = 0; v < k; ++v) total[v] += sum[n * k + v];
  }
}

// X column-major, ld >= n
template <class T>
void kernel_columns(const T* X, Index ld, Index n, Index p, const double* d, const double* c,
                    const double* V, int k, double* out, double* total, double* Z, int n_threads) {
  with_count(k, [&](auto count) {
    const auto forth = [&](Index j0, Index j1, double* z) {
      xtr_columns_of<count()>(X + j0 * ld, ld, n, 0, n, 0, j1 - j0, V, z, j1 - j0);
    };
    const auto back = [&](Index j0, Index j1, const double* z, double* sum) {
      const Index m = j1 - j0, after = j1 + m <= p ? m : 0;
      xtr_rows_of<count()>(X + j0 * ld, ld, m, 0, m, 0, n, z, k, sum, n, true, after);
    };
    by_panels(n, p, panel_of_columns<T>(n), d, c, k, out, total, Z, n_threads, forth, back);
  });
}

// X row-major, ld >= p
template <class T>
void kernel_rows(const T* X, Index ld, Index n, Index p, const double* d, const double* c,
                 const double* V, int k, double* out, double* total, double* Z, int n_threads) {
  with_count(k, [&](auto count) {
    const auto forth = [&](Index j0, Index j1, double* z) {
      xtr_rows_of<count()>(X + j0, ld, n, 0, n, 0, j1 - j0, V, k, z, j1 - j0);
    };
    const auto back = [&](Index j0, Index j1, const double* z, double* sum) {
      xtr_columns_of<count()>(X + j0, ld, j1 - j0, 0, j1 - j0, 0, n, z, sum, n, true);
    };
    by_panels(n, p, panel_of_rows<T>, d, c, k, out, total, Z, n_threads, forth, back);
  });
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// The Gram reading: X'X, X'y, means and norms of all features from one sweep over X.
//
// With Z = [X - pilot, t, 1] and row weights omega, M = Z' diag(omega) Z holds every sum that the
// centred, scaled Gram matrix needs:  G_jk = (M_jk - M_j1 M_k1) / (d_j d_k),  M_11 = 1.
// Dense rows are packed in blocks that stay in cache, sparse rows in blocks of compressed rows.
#pragma once

#include <vector>

#include "statistics.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// out (rows x p, column-major) = root_i (x_ij - pilot_j) for rows i0 .. i1
template <class T>
void pack_rows(const Columns<T>& X, Index i0, Index i1, Index j0, Index j1, const double* pilot,
               const double* root, double* out) {
  const Index rows = i1 - i0;
  for (Index j = j0; j < j1; ++j) {
    const T* x = X.data + j * X.ld + i0;
    const double shift = pilot[j];
    double* z = out + j * rows;
#pragma omp simd
    for (Index i = 0; i < rows; ++i) z[i] = root[i0 + i] * (static_cast<double>(x[i]) - shift);
  }
}

template <class T>
void pack_rows(const Rows<T>& X, Index i0, Index i1, Index j0, Index j1, const double* pilot,
               const double* root, double* out) {
  const Index rows = i1 - i0, tile = 8;
  for (Index i = 0; i < rows; i += tile)
    for (Index j = j0; j < j1; ++j)
      for (Index l = i; l < std::min(rows, i + tile); ++l)
        out[l + j * rows] =
            root[i0 + l] * (static_cast<double>(X.data[(i0 + l) * X.ld + j]) - pilot[j]);
}

// M (P x P, upper) += Z'Z over fixed slabs of rows, each with its own sum, added in slab order.
template <class Kind>
void cross_products_by_slab(const Kind& X, const double* root, const double* t, const double* pilot,
                            const Blas& blas, int n_threads, double* M, StopSign& stop) {
  const Index P = X.p + 2;
  const Index n_slabs =
      std::max<Index>(1, std::min<Index>({16, (Index(32) << 20) / (8 * P * P), X.n / 256}));
  const Index rows = std::max<Index>(32, std::min<Index>(2048, (Index(1) << 15) / P));
  std::vector<double> sums(std::size_t(n_slabs > 1 ? n_slabs * P * P : 0));
  parallel_blocks(n_threads, n_slabs, [&](Index slab) {
    double* sum = n_slabs > 1 ? &sums[std::size_t(slab * P * P)] : M;
    std::vector<double> Z(std::size_t(rows * P));
    const Index end = X.n * (slab + 1) / n_slabs;
    for (Index i0 = X.n * slab / n_slabs; i0 < end && !stop.up(); i0 += rows) {
      const Index i1 = std::min(end, i0 + rows), m = i1 - i0;
      pack_rows(X, i0, i1, 0, X.p, pilot, root, Z.data());
      for (Index i = 0; i < m; ++i) {
        Z[std::size_t(i + X.p * m)] = root[i0 + i] * t[i0 + i];
        Z[std::size_t(i + (X.p + 1) * m)] = root[i0 + i];
      }
      syrk(blas, int(P), int(m), Z.data(), int(m), sum, int(P));
    }
  });
  for (Index slab = 0; n_slabs > 1 && slab < n_slabs; ++slab)
    for (Index k = 0; k < P * P; ++k) M[k] += sums[std::size_t(slab * P * P + k)];
}

// The same for wide X: threads share the columns of M, block by block of rows.
template <class Kind>
void cross_products_by_panel(const Kind& X, const double* root, const double* t,
                             const double* pilot, const Blas& blas, int n_threads, double* M,
                             StopSign& stop) {
  const Index P = X.p + 2, width = 256, n_panels = (P + width - 1) / width;
  const Index rows = std::max<Index>(64, std::min<Index>(X.n, (Index(1) << 21) / P));
  std::vector<double> Z(std::size_t(rows * P));
  for (Index i0 = 0; i0 < X.n && !stop.up(); i0 += rows) {
    const Index i1 = std::min(X.n, i0 + rows), m = i1 - i0;
    parallel_blocks(n_threads, n_panels, [&](Index panel) {
      pack_rows(X, i0, i1, panel * width, std::min(X.p, (panel + 1) * width), pilot, root,
                Z.data());
    });
    for (Index i = 0; i < m; ++i) {
      Z[std::size_t(i + X.p * m)] = root[i0 + i] * t[i0 + i];
      Z[std::size_t(i + (X.p + 1) * m)] = root[i0 + i];
    }
    parallel_blocks(n_threads, n_panels, [&](Index k) {
      if (stop.up()) return;
      const Index j0 = (n_panels - 1 - k) * width, j1 = std::min(P, j0 + width);
      const double* right = &Z[std::size_t(j0 * m)];
      gemm(blas, 'T', 'N', int(j0), int(j1 - j0), int(m), 1.0, Z.data(), int(m), right, int(m), 1.0,
           M + j0 * P, int(P));
      syrk(blas, int(j1 - j0), int(m), right, int(m), M + j0 + j0 * P, int(P));
    });
  }
}

template <class Kind>
void cross_products(const Kind& X, const double* root, const double* t, const double* pilot,
                    const Blas& blas, int n_threads, double* M, StopSign& stop) {
  if (X.p <= 1000)
    cross_products_by_slab(X, root, t, pilot, blas, n_threads, M, stop);
  else
    cross_products_by_panel(X, root, t, pilot, blas, n_threads, M, stop);
}

// One block of rows of X, less the pilot of full columns, by columns and by rows.
struct SparseBlock {
  std::vector<Index> column_start, row_start;  // (p + 1,), (rows + 1,)
  std::vector<std::int32_t> row, column;       // row of each value by columns, column by rows
  std::vector<double> by_column, by_row;
};

// Reads rows i0 .. i1, of which column j goes on at next_j, and moves next_j behind them.
template <class T, class I>
void read_block(const Csc<T, I>& X, Index i0, Index i1, const double* pilot, std::vector<I>& next,
                SparseBlock& out) {
  out.column_start.assign(std::size_t(X.p + 1), 0);
  out.row_start.assign(std::size_t(i1 - i0 + 1), 0);
  out.row.clear();
  out.by_column.clear();
  for (Index j = 0; j < X.p; ++j) {
    I& k = next[std::size_t(j)];
    for (; k < X.indptr[j + 1] && X.indices[k] < i1; ++k) {
      const std::size_t i = std::size_t(Index(X.indices[k]) - i0);
      out.row.push_back(std::int32_t(i));
      out.by_column.push_back(static_cast<double>(X.data[k]) - pilot[j]);
      ++out.row_start[i + 1];
    }
    out.column_start[std::size_t(j + 1)] = Index(out.row.size());
  }
  for (std::size_t i = 1; i < out.row_start.size(); ++i) out.row_start[i] += out.row_start[i - 1];
  out.column.resize(out.row.size());
  out.by_row.resize(out.row.size());
  std::vector<Index> place(out.row_start.begin(), out.row_start.end() - 1);
  for (Index j = 0; j < X.p; ++j)
    for (Index k = out.column_start[std::size_t(j)]; k < out.column_start[std::size_t(j + 1)];
         ++k) {
      const std::size_t at = std::size_t(place[std::size_t(out.row[std::size_t(k)])]++);
      out.column[at] = std::int32_t(j);
      out.by_row[at] = out.by_column[std::size_t(k)];
    }
}

// M[:, j] += sum over the rows i of column j of omega_i z_ij Z_i: the running sum stays in cache.
inline void add_block(const SparseBlock& block, Index j, const double* root, const double* t,
                      Index p, std::vector<double>& sum, double* M) {
  const Index P = p + 2;
  double with_t = 0.0, with_one = 0.0;
  for (Index k = block.column_start[std::size_t(j)]; k < block.column_start[std::size_t(j + 1)];
       ++k) {
    const std::size_t i = std::size_t(block.row[std::size_t(k)]);
    const double wz = root[i] * root[i] * block.by_column[std::size_t(k)];
    with_t += wz * t[i];
    with_one += wz;
    const std::size_t stop = std::size_t(block.row_start[i + 1]);
    for (std::size_t e = std::size_t(block.row_start[i]); e < stop; ++e) {
      if (block.column[e] > j) break;
      sum[std::size_t(block.column[e])] += wz * block.by_row[e];
    }
  }
  for (Index k = 0; k <= j; ++k) {
    M[k + j * P] += sum[std::size_t(k)];
    sum[std::size_t(k)] = 0.0;
  }
  M[j + p * P] += with_t;
  M[j + (p + 1) * P] += with_one;
}

template <class T, class I>
void cross_products(const Csc<T, I>& X, const double* root, const double* t, const double* pilot,
                    const Blas&, int n_threads, double* M, StopSign& stop) {
  const Index p = X.p, P = p + 2, width = 32, n_panels = (p + width - 1) / width;
  const double per_row = double(X.nnz()) / double(std::max<Index>(X.n, 1));
  const Index rows = std::max<Index>(256, Index(double(Index(1) << 20) / (per_row + 1.0)));
  std::vector<I> next(X.indptr, X.indptr + p);
  SparseBlock block;
  for (Index i0 = 0; i0 < X.n && !stop.up(); i0 += rows) {
    read_block(X, i0, std::min(X.n, i0 + rows), pilot, next, block);
    parallel_blocks(n_threads, n_panels, [&](Index panel) {
      if (stop.up()) return;
      std::vector<double> sum(static_cast<std::size_t>(p));
      for (Index j = panel * width; j < std::min(p, (panel + 1) * width); ++j)
        add_block(block, j, root + i0, t + i0, p, sum, M);
    });
  }
  for (Index i = 0; i < X.n; ++i) {
    const double w = root[i] * root[i];
    M[p + p * P] += w * t[i] * t[i];
    M[p + (p + 1) * P] += w * t[i];
    M[(p + 1) + (p + 1) * P] += w;
  }
}

template <class Kind>
double gram_pilot(const Kind& X, Index j, const std::vector<Index>& rows) {
  return pilot_of(X, j, rows);
}
template <class T, class I>
double gram_pilot(const Csc<T, I>& X, Index j, const std::vector<Index>& rows) {
  // a shift keeps zeros only in full columns
  return X.indptr[j + 1] - X.indptr[j] == X.n ? pilot_of(X, j, rows) : 0.0;
}

// M (P x P, P = p + 2, zeroed by the caller) becomes G in its leading p x p block, both triangles;
// t is centred when the features are. False if `stop` ended it.
template <class Kind>
bool gram(const Kind& X, const double* root, const double* t, bool centred, const Blas& blas,
          int n_threads, double* M, Statistics& out, StopSign& stop) {
  const Index p = X.p, P = p + 2;
  std::vector<double> pilot(std::size_t(p), 0.0);
  if (centred)
    for (Index j = 0; j < p; ++j) pilot[std::size_t(j)] = gram_pilot(X, j, out.pilot_rows);
  cross_products(X, root, t, pilot.data(), blas, n_threads, M, stop);
  if (stop.up()) return false;
  const double* one = M + (p + 1) * P;
  for (Index j = 0; j < p; ++j)
    out.set(j, centred, pilot[std::size_t(j)], one[j], M[j + j * P], M[j + p * P]);
  const Index tile = 64;
  parallel_blocks(n_threads, (p + tile - 1) / tile, [&](Index block) {
    for (Index j = block * tile; j < std::min(p, (block + 1) * tile); ++j) {
      const double shift = centred ? one[j] : 0.0, scale = out.inv[std::size_t(j)];
      for (Index k = 0; k < j; ++k)
        M[k + j * P] = (M[k + j * P] - shift * one[k]) * scale * out.inv[std::size_t(k)];
      M[j + j * P] = scale > 0.0 ? 1.0 : 0.0;
    }
  });
  for (Index j0 = 0; j0 < p; j0 += tile)
    for (Index k0 = 0; k0 <= j0; k0 += tile)
      for (Index j = j0; j < std::min(p, j0 + tile); ++j)
        for (Index k = k0; k < std::min(j, k0 + tile); ++k) M[j + k * P] = M[k + j * P];
  return true;
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

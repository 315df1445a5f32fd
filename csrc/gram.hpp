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

// Which rows are packed: all from one on, or those of a list.
struct RowRange {
  Index first;
  Index operator[](Index k) const { return first + k; }
};
struct RowList {
  const Index* rows;
  Index operator[](Index k) const { return rows[k]; }
};

// out (m x p, column-major) = root_i (x_ij - pilot_j) for m rows i
template <class T, class Which>
void pack_rows(const Columns<T>& X, Which which, Index m, Index j0, Index j1, const double* pilot,
               const double* root, double* out) {
  for (Index j = j0; j < j1; ++j) {
    const T* x = X.data + j * X.ld;
    const double shift = pilot[j];
    double* z = out + j * m;
#pragma omp simd
    for (Index k = 0; k < m; ++k)
      z[k] = root[which[k]] * (static_cast<double>(x[which[k]]) - shift);
  }
}

template <class T, class Which>
void pack_rows(const Rows<T>& X, Which which, Index m, Index j0, Index j1, const double* pilot,
               const double* root, double* out) {
  const Index tile = 8;
  for (Index k = 0; k < m; k += tile)
    for (Index j = j0; j < j1; ++j)
      for (Index l = k; l < std::min(m, k + tile); ++l)
        out[l + j * m] =
            root[which[l]] * (static_cast<double>(X.data[which[l] * X.ld + j]) - pilot[j]);
}

// The columns root t and root behind those of X.
template <class Which>
void pack_ends(Which which, Index m, Index p, const double* root, const double* t, double* out) {
  for (Index k = 0; k < m; ++k) {
    out[k + p * m] = root[which[k]] * t[which[k]];
    out[k + (p + 1) * m] = root[which[k]];
  }
}

// visit(cell, which, m) for the rows i0 .. i1 of each cell
template <class Visit>
void by_cell(const Cells& cells, Index i0, Index i1, const Visit& visit) {
  if (!cells.of) {
    visit(Index(0), RowRange{i0}, i1 - i0);
    return;
  }
  std::vector<Index> start(std::size_t(cells.count + 1), 0), order(std::size_t(i1 - i0));
  for (Index i = i0; i < i1; ++i) ++start[std::size_t(cells.of[i]) + 1];
  for (std::size_t c = 1; c < start.size(); ++c) start[c] += start[c - 1];
  std::vector<Index> place(start.begin(), start.end() - 1);
  for (Index i = i0; i < i1; ++i) order[std::size_t(place[std::size_t(cells.of[i])]++)] = i;
  for (Index c = 0; c < cells.count; ++c) {
    const Index m = start[std::size_t(c + 1)] - start[std::size_t(c)];
    const Index* rows = order.data() + start[std::size_t(c)];
    if (m > 0 && rows[m - 1] - rows[0] == m - 1)
      visit(c, RowRange{rows[0]}, m);
    else if (m > 0)
      visit(c, RowList{rows}, m);
  }
}

// M (P x P a cell, upper) += Z'Z over fixed slabs of rows, each with its own sum, added in slab
// order.
template <class Kind>
void cross_products_by_slab(const Kind& X, const double* root, const double* t, const double* pilot,
                            const Cells& cells, const Blas& blas, int n_threads, double* M,
                            StopSign& stop) {
  const Index P = X.p + 2, size = P * P * cells.count;
  const Index n_slabs =
      std::max<Index>(1, std::min<Index>({16, (Index(32) << 20) / (8 * size), X.n / 256}));
  const Index least = cells.count > 1 ? 128 * cells.count : 32;
  const Index rows = std::max<Index>(least, std::min<Index>(2048, (Index(1) << 15) / P));
  Vector sums(std::size_t(n_slabs > 1 ? n_slabs * size : 0));
  parallel_blocks(n_threads, n_slabs, [&](Index slab) {
    double* sum = n_slabs > 1 ? &sums[std::size_t(slab * size)] : M;
    Vector Z(std::size_t(rows * P));
    const Index end = X.n * (slab + 1) / n_slabs;
    for (Index i0 = X.n * slab / n_slabs; i0 < end && !stop.up(); i0 += rows)
      by_cell(cells, i0, std::min(end, i0 + rows), [&](Index cell, auto which, Index m) {
        pack_rows(X, which, m, 0, X.p, pilot, root, Z.data());
        pack_ends(which, m, X.p, root, t, Z.data());
        syrk(blas, int(P), int(m), 1.0, Z.data(), int(m), sum + cell * P * P, int(P));
      });
  });
  for (Index slab = 0; n_slabs > 1 && slab < n_slabs; ++slab)
    for (Index k = 0; k < size; ++k) M[k] += sums[std::size_t(slab * size + k)];
}

// The same for wide X: threads share the columns of M, block by block of rows.
template <class Kind>
void cross_products_by_panel(const Kind& X, const double* root, const double* t,
                             const double* pilot, const Cells& cells, const Blas& blas,
                             int n_threads, double* M, StopSign& stop) {
  const Index P = X.p + 2, width = 256, n_panels = (P + width - 1) / width;
  const Index rows = std::max<Index>(64 * cells.count, std::min<Index>(X.n, (Index(1) << 21) / P));
  Vector Z(std::size_t(rows * P));
  for (Index i0 = 0; i0 < X.n && !stop.up(); i0 += rows)
    by_cell(cells, i0, std::min(X.n, i0 + rows), [&](Index cell, auto which, Index m) {
      double* sum = M + cell * P * P;
      parallel_blocks(n_threads, n_panels, [&](Index panel) {
        pack_rows(X, which, m, panel * width, std::min(X.p, (panel + 1) * width), pilot, root,
                  Z.data());
      });
      pack_ends(which, m, X.p, root, t, Z.data());
      parallel_blocks(n_threads, n_panels, [&](Index k) {
        if (stop.up()) return;
        const Index j0 = (n_panels - 1 - k) * width, j1 = std::min(P, j0 + width);
        const double* right = &Z[std::size_t(j0 * m)];
        gemm(blas, 'T', 'N', int(j0), int(j1 - j0), int(m), 1.0, Z.data(), int(m), right, int(m),
             1.0, sum + j0 * P, int(P));
        syrk(blas, int(j1 - j0), int(m), 1.0, right, int(m), sum + j0 + j0 * P, int(P));
      });
    });
}

template <class Kind>
void cross_products(const Kind& X, const double* root, const double* t, const double* pilot,
                    const Cells& cells, const Blas& blas, int n_threads, double* M,
                    StopSign& stop) {
  if (X.p <= 1000)
    cross_products_by_slab(X, root, t, pilot, cells, blas, n_threads, M, stop);
  else
    cross_products_by_panel(X, root, t, pilot, cells, blas, n_threads, M, stop);
}

// One block of rows of X, less the pilot of full columns, by columns and by rows.
struct SparseBlock {
  std::vector<Index> column_start, row_start;  // (p + 1,), (rows + 1,)
  std::vector<std::int32_t> row, column;       // row of each value by columns, column by rows
  Vector by_column, by_row;
};

// Reads rows i0 .. i1, of which column j goes on at next_j, and moves next_j behind them.
template <class T, class I>
void read_block(const Csc<T, I>& X, Index i0, Index i1, const double* pilot,
                std::vector<Index>& next, SparseBlock& out) {
  out.column_start.assign(std::size_t(X.p + 1), 0);
  out.row_start.assign(std::size_t(i1 - i0 + 1), 0);
  out.row.clear();
  out.by_column.clear();
  for (Index j = 0; j < X.p; ++j) {
    Index& k = next[std::size_t(j)];
    for (const Index end = X.offsets.end(j); k < end && X.indices[k] < i1; ++k) {
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

// M[:, j] += sum over the rows i of column j, those of a cell, of omega_i z_ij Z_i: the running sum
// stays in cache.
inline void add_block(const SparseBlock& block, Index j, const double* root, const double* t,
                      const std::int32_t* of, Index cell, Index p, Vector& sum, double* M) {
  const Index P = p + 2;
  double with_t = 0.0, with_one = 0.0;
  for (Index k = block.column_start[std::size_t(j)]; k < block.column_start[std::size_t(j + 1)];
       ++k) {
    const std::size_t i = std::size_t(block.row[std::size_t(k)]);
    if (of && of[i] != cell) continue;
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
                    const Cells& cells, const Blas&, int n_threads, double* M, StopSign& stop) {
  const Index p = X.p, P = p + 2, width = 32, n_panels = (p + width - 1) / width;
  const double per_row = double(X.nnz) / double(std::max<Index>(X.n, 1));
  const Index rows = std::max<Index>(256, Index(double(Index(1) << 20) / (per_row + 1.0)));
  std::vector<Index> next(static_cast<std::size_t>(p));
  for (Index j = 0; j < p; ++j) next[std::size_t(j)] = X.offsets.begin(j);
  SparseBlock block;
  for (Index i0 = 0; i0 < X.n && !stop.up(); i0 += rows) {
    read_block(X, i0, std::min(X.n, i0 + rows), pilot, next, block);
    parallel_blocks(n_threads, n_panels, [&](Index panel) {
      if (stop.up()) return;
      Vector sum(static_cast<std::size_t>(p));
      for (Index j = panel * width; j < std::min(p, (panel + 1) * width); ++j)
        for (Index cell = 0; cell < cells.count; ++cell)
          add_block(block, j, root + i0, t + i0, cells.of ? cells.of + i0 : nullptr, cell, p, sum,
                    M + cell * P * P);
    });
  }
  for (Index i = 0; i < X.n; ++i) {
    const double w = root[i] * root[i];
    double* sum = M + (cells.of ? cells.of[i] : 0) * P * P;
    sum[p + p * P] += w * t[i] * t[i];
    sum[p + (p + 1) * P] += w * t[i];
    sum[(p + 1) + (p + 1) * P] += w;
  }
}

template <class Kind>
double gram_pilot(const Kind& X, Index j, const std::vector<Index>& rows) {
  return pilot_of(X, j, rows);
}
template <class T, class I>
double gram_pilot(const Csc<T, I>& X, Index j, const std::vector<Index>& rows) {
  // a shift keeps zeros only in full columns
  return X.offsets.length(j) == X.n ? pilot_of(X, j, rows) : 0.0;
}

template <class Kind>
Vector gram_pilots(const Kind& X, bool centred, const std::vector<Index>& rows) {
  Vector pilot(std::size_t(X.p), 0.0);
  for (Index j = 0; centred && j < X.p; ++j) pilot[std::size_t(j)] = gram_pilot(X, j, rows);
  return pilot;
}

// The sums M (P x P, upper) of some rows, about a pilot, become their Gram matrix in the leading
// p x p block, both triangles, and their statistics; the row weights need not sum to 1, nor the
// target's mean be 0.
inline void scale_gram(double* M, const Vector& pilot, bool centred, int n_threads, Statistics& out,
                       GramOf of = GramOf::unit_norm) {
  const Index p = Index(pilot.size()), P = p + 2, tile = 64;
  const double* one = M + (p + 1) * P;
  const double total = one[p + 1] > 0.0 ? one[p + 1] : 1.0;  // all sums of no row are 0
  const double mean_t = centred ? one[p] / total : 0.0;
  for (Index j = 0; j < p; ++j) {
    const double s1 = one[j] / total;
    out.set(j, centred, pilot[std::size_t(j)], s1, M[j + j * P] / total,
            M[j + p * P] / total - mean_t * s1);
  }
  Vector plain;
  if (of == GramOf::centred)
    for (double inv : out.inv) plain.push_back(inv > 0.0 ? 1.0 : 0.0);
  const double* factor = of == GramOf::centred ? plain.data() : out.inv.data();
  const double whole = of == GramOf::unit_norm ? 1.0 : total;
  parallel_blocks(n_threads, (p + tile - 1) / tile, [&](Index block) {
    for (Index j = block * tile; j < std::min(p, (block + 1) * tile); ++j) {
      const double shift = centred ? one[j] / total : 0.0, scale = factor[j] * (whole / total);
      for (Index k = 0; k < j; ++k)
        M[k + j * P] = (M[k + j * P] - shift * one[k]) * scale * factor[k];
      const double norm = out.norm(std::size_t(j)) * factor[j];
      M[j + j * P] = factor[j] > 0.0 ? whole * norm * norm : 0.0;
    }
  });
  for (Index j0 = 0; j0 < p; j0 += tile)
    for (Index k0 = 0; k0 <= j0; k0 += tile)
      for (Index j = j0; j < std::min(p, j0 + tile); ++j)
        for (Index k = k0; k < std::min(j, k0 + tile); ++k) M[j + k * P] = M[k + j * P];
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

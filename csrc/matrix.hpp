// The kinds of design matrix, and the only place that knows how one is stored.
//
// A kind K offers, with u and the row weights omega (n,):
//   n, p, size(), by_rows, sparse       rows, columns, bytes; whether rows are contiguous
//   column_bytes(j)                     bytes of column j
//   dot(j, u)                           sum_i x_ij u_i
//   square(j, omega)                    sum_i omega_i x_ij^2
//   axpy(j, a, omega, u)                u_i += a omega_i x_ij
//   add(j, a, z)                        z_i += a x_ij
//   gather(j, out)                      out (n,) = column j
//   together                            vectors that one reading serves
//   xtr(R, k, out, ldo, n_threads)      out (p x k) = X'R, R (n x k) column-major, k <= together
//   lay(columns, m, i, rows, out)       out (rows x m) = rows i, i + 1, ... of m columns (dense)
//   stored(j, rows, values)             appends what is stored of column j (sparse kinds)
//   kernel(d, c, V, k, out, total, Z, n_threads)
//                                       out = X Z and total = 1'Z for Z = diag(d) (X'V - 1 c')
// and overloads of column_statistics, pack_rows and cross_products in statistics.hpp and gram.hpp.
// To add a kind: give it these members, name it in visit() below, and add its layout to LAYOUTS in
// tests/test_matrix.py, which holds every kind to its dense array.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "api.hpp"
#include "kernel_csc.hpp"
#include "kernel_dense.hpp"
#include "simd.hpp"
#include "threads.hpp"
#include "xtr_columns.hpp"
#include "xtr_csc.hpp"
#include "xtr_rows.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// The non-zero b_j of (p,) and their features, ascending.
struct Support {
  std::vector<Index> features;
  Vector b;
  Support() = default;
  Support(const double* all, Index p) {
    for (Index j = 0; j < p; ++j)
      if (all[j] != 0.0) {
        features.push_back(j);
        b.push_back(all[j]);
      }
  }
  explicit Support(const Vector& all) : Support(all.data(), Index(all.size())) {}
};

// sum_i term(i), i < n, on 16 independent partial sums, added in a fixed order
template <class Term>
inline double sum_of(Index n, const Term& term) {
  constexpr int lanes = 16;
  double sums[lanes] = {};
  Index i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int l = 0; l < lanes; ++l) sums[l] += term(i + l);
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) sums[l] += sums[l + half];
  double rest = 0.0;
  for (; i < n; ++i) rest += term(i);
  return sums[0] + rest;
}

template <class T>
inline double dot_dense(const T* x, const double* u, Index n) {
  return sum_of(n, [x, u](Index i) { return static_cast<double>(x[i]) * u[i]; });
}

// X'R for some features of a dense kind alone, in their rows of out.
template <class Kind>
void xtr_some(const Kind& X, const std::vector<Index>& features, const double* R, int k,
              double* out, Index ldo, int n_threads) {
  using T = std::decay_t<decltype(*X.data)>;
  constexpr Index width = 48;
  const Index m = Index(features.size());
  parallel_blocks(n_threads, (m + width - 1) / width, [&](Index block) {
    const Index* columns = features.data() + block * width;
    const Index count = std::min(width, m - block * width);
    const auto lay = [&](Index i, Index rows, T* to) { X.lay(columns, count, i, rows, to); };
    xtr_some_columns<T>(lay, X.n, columns, count, R, k, out, ldo);
  });
}

// Dense, F-order: column j is contiguous.
template <class T>
struct Columns {
  const T* data;
  Index n, p, ld;

  static constexpr bool by_rows = false, sparse = false;
  static constexpr int together = 64;

  double size() const { return double(n) * double(p) * sizeof(T); }
  double column_bytes(Index) const { return double(n) * sizeof(T); }
  double at(Index i, Index j) const { return data[i + j * ld]; }
  double dot(Index j, const double* u) const { return dot_dense(data + j * ld, u, n); }

  double square(Index j, const double* omega) const {
    double sum = 0.0;
    const T* x = data + j * ld;
#pragma omp simd reduction(+ : sum)
    for (Index i = 0; i < n; ++i)
      sum += omega[i] * static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return sum;
  }
  void axpy(Index j, double a, const double* omega, double* u) const {
    const T* x = data + j * ld;
#pragma omp simd
    for (Index i = 0; i < n; ++i) u[i] += a * omega[i] * static_cast<double>(x[i]);
  }
  void add(Index j, double a, double* z) const {
    const T* x = data + j * ld;
#pragma omp simd
    for (Index i = 0; i < n; ++i) z[i] += a * static_cast<double>(x[i]);
  }
  void gather(Index j, double* out) const { std::copy(data + j * ld, data + j * ld + n, out); }

  // Blocks of columns that do not depend on the threads, so neither does the tile that a feature
  // falls in.
  void xtr(const double* R, int k, double* out, Index ldo, int n_threads) const {
    const Index width = column_block(n, p);
    parallel_blocks(n_threads, (p + width - 1) / width, [&](Index block) {
      const Index j0 = block * width, j1 = std::min(p, j0 + width);
      xtr_columns(data, ld, n, j0, j1, R, k, out, ldo);
    });
  }
  void lay(const Index* columns, Index m, Index i, Index rows, T* out) const {
    for (Index c = 0; c < m; ++c) std::copy_n(data + i + columns[c] * ld, rows, out + c * rows);
  }
  void kernel(const double* d, const double* c, const double* V, int k, double* out, double* total,
              double* Z, int n_threads) const {
    kernel_columns(data, ld, n, p, d, c, V, k, out, total, Z, n_threads);
  }
};

// Dense, C-order: row i is contiguous.
template <class T>
struct Rows {
  const T* data;
  Index n, p, ld;

  static constexpr bool by_rows = true, sparse = false;
  static constexpr int together = 64;

  double size() const { return double(n) * double(p) * sizeof(T); }
  double column_bytes(Index) const { return double(n) * sizeof(T); }
  double at(Index i, Index j) const { return data[j + i * ld]; }

  double dot(Index j, const double* u) const {
    double sum = 0.0;
    for (Index i = 0; i < n; ++i) sum += static_cast<double>(data[i * ld + j]) * u[i];
    return sum;
  }
  double square(Index j, const double* omega) const {
    double sum = 0.0;
    for (Index i = 0; i < n; ++i) {
      const double x = data[i * ld + j];
      sum += omega[i] * x * x;
    }
    return sum;
  }
  void axpy(Index j, double a, const double* omega, double* u) const {
    for (Index i = 0; i < n; ++i) u[i] += a * omega[i] * static_cast<double>(data[i * ld + j]);
  }
  void add(Index j, double a, double* z) const {
    for (Index i = 0; i < n; ++i) z[i] += a * static_cast<double>(data[i * ld + j]);
  }
  void gather(Index j, double* out) const {
    for (Index i = 0; i < n; ++i) out[i] = data[i * ld + j];
  }
  void xtr(const double* R, int k, double* out, Index ldo, int n_threads) const {
    xtr_rows(data, ld, n, p, R, k, out, ldo, n_threads);
  }
  void lay(const Index* columns, Index m, Index i, Index rows, T* out) const {
    for (Index l = 0; l < rows; ++l) {
      const T* x = data + (i + l) * ld;
      for (Index c = 0; c < m; ++c) out[l + c * rows] = x[columns[c]];
    }
  }
  void kernel(const double* d, const double* c, const double* V, int k, double* out, double* total,
              double* Z, int n_threads) const {
    kernel_rows(data, ld, n, p, d, c, V, k, out, total, Z, n_threads);
  }
};

// Compressed sparse columns, rows ascending and unique in each; or some of them.
template <class T, class I>
struct Csc {
  const T* data;
  const I* indices;
  Offsets<I> offsets;
  Index n, p, nnz;

  static constexpr bool by_rows = false, sparse = true;
  static constexpr int together = 8;

  double size() const { return double(nnz) * (sizeof(T) + sizeof(I)) + double(p + 1) * sizeof(I); }
  double column_bytes(Index j) const { return double(offsets.length(j)) * (sizeof(T) + sizeof(I)); }
  double at(Index i, Index j) const {
    const I* begin = indices + offsets.begin(j);
    const I* end = indices + offsets.end(j);
    const I* found = std::lower_bound(begin, end, static_cast<I>(i));
    return found != end && *found == static_cast<I>(i) ? static_cast<double>(data[found - indices])
                                                       : 0.0;
  }
  double dot(Index j, const double* u) const {
    return dot_csc(data, indices, offsets.begin(j), offsets.end(j), u);
  }
  double square(Index j, const double* omega) const {
    double sum = 0.0;
    for (Index k = offsets.begin(j), end = offsets.end(j); k < end; ++k) {
      const double x = data[k];
      sum += omega[indices[k]] * x * x;
    }
    return sum;
  }
  void axpy(Index j, double a, const double* omega, double* u) const {
    for (Index k = offsets.begin(j), end = offsets.end(j); k < end; ++k) {
      const Index i = indices[k];
      u[i] += a * omega[i] * static_cast<double>(data[k]);
    }
  }
  void add(Index j, double a, double* z) const {
    for (Index k = offsets.begin(j), end = offsets.end(j); k < end; ++k)
      z[indices[k]] += a * static_cast<double>(data[k]);
  }
  void gather(Index j, double* out) const {
    std::fill(out, out + n, 0.0);
    for (Index k = offsets.begin(j), end = offsets.end(j); k < end; ++k) out[indices[k]] = data[k];
  }
  // appends the rows and values stored of column j
  void stored(Index j, std::vector<std::int32_t>& rows, Vector& values) const {
    rows.insert(rows.end(), indices + offsets.begin(j), indices + offsets.end(j));
    values.insert(values.end(), data + offsets.begin(j), data + offsets.end(j));
  }
  // R is laid out by rows first, so that a stored value meets its k numbers in one cache line.
  void xtr(const double* R, int k, double* out, Index ldo, int n_threads) const {
    const RowBlock rows(R, n, k, n_threads);
    const std::vector<Index> starts = share_starts(offsets, p, rows, n_threads);
    parallel_blocks(n_threads, Index(starts.size()) - 1, [&](Index share) {
      const std::size_t k = std::size_t(share);
      xtr_csc(data, indices, offsets, starts[k], starts[k + 1], rows, out, ldo);
    });
  }
  void kernel(const double* d, const double* c, const double* V, int k, double* out, double* total,
              double* Z, int n_threads) const {
    kernel_csc(data, indices, offsets, nnz, n, p, d, c, V, k, out, total, Z, n_threads);
  }
};

// The ways X may lie in memory -> its kind; work is a generic function of the kind.
template <class Work>
void visit(const MatrixRef& X, const Work& work) {
  auto dense = [&](auto* data) {
    using T = std::remove_const_t<std::remove_pointer_t<decltype(data)>>;
    if (X.storage == Storage::columns)
      work(Columns<T>{data, X.n, X.p, X.ld});
    else
      work(Rows<T>{data, X.n, X.p, X.ld});
  };
  auto sparse = [&](auto* data, auto* indices) {
    using T = std::remove_const_t<std::remove_pointer_t<decltype(data)>>;
    using I = std::remove_const_t<std::remove_pointer_t<decltype(indices)>>;
    const I* indptr = static_cast<const I*>(X.indptr);
    const Index nnz = X.columns ? X.nnz : static_cast<Index>(indptr[X.p] - indptr[0]);
    work(Csc<T, I>{data, indices, {indptr, X.columns}, X.n, X.p, nnz});
  };
  auto by_scalar = [&](auto* data) {
    if (X.storage != Storage::csc)
      dense(data);
    else if (X.long_indices)
      sparse(data, static_cast<const std::int64_t*>(X.indices));
    else
      sparse(data, static_cast<const std::int32_t*>(X.indices));
  };
  if (X.scalar == Scalar::f64)
    by_scalar(static_cast<const double*>(X.data));
  else
    by_scalar(static_cast<const float*>(X.data));
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

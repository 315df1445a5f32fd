// Upper Cholesky factor R of a growing and shrinking matrix H: R'R = H. Column-major, leading
// dimension `capacity`, so that appending a feature writes one contiguous column.
#pragma once

#include <cmath>
#include <vector>

#include "blas.hpp"
#include "matrix.hpp"
#include "values.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class Cholesky {
 public:
  explicit Cholesky(const Blas& blas) : blas_(&blas) {}

  Index size() const { return size_; }
  const Blas& blas() const { return *blas_; }
  void clear() { size_ = 0; }
  double bytes() const { return 8.0 * double(data_.capacity()); }

  // Appends the column h (size(),) with diagonal `diagonal`. Returns the squared pivot,
  // h_kk - ||R'^{-1} h||^2, and appends only if that is above `least`.
  double append(const double* h, double diagonal, double least) {
    reserve(size_ + 1);
    double* column = data_.data() + size_ * capacity_;
    std::copy(h, h + size_, column);
    trsv(*blas_, 'T', int(size_), data_.data(), int(capacity_), column);
    double pivot = diagonal;
    for (Index k = 0; k < size_; ++k) pivot -= column[k] * column[k];
    if (pivot > least) {
      column[size_] = std::sqrt(pivot);
      ++size_;
    }
    return pivot;
  }

  // Columns of H that may join: fill(B, ld) writes H_FN above H_NN into the columns of B, m of
  // them. They become Z = R'^{-1} H_FN, and S (m x m, upper triangle) what H_NN is without its part
  // in F.
  template <class Fill>
  void stage(Index m, Vector& S, const Fill& fill) {
    reserve(size_ + m);
    double* Z = data_.data() + size_ * capacity_;
    fill(Z, capacity_);
    S.resize(std::size_t(m * m));
    for (Index k = 0; k < m; ++k)
      std::copy(Z + k * capacity_ + size_, Z + k * capacity_ + size_ + k + 1, S.data() + k * m);
    if (m == 1)
      trsv(*blas_, 'T', int(size_), data_.data(), int(capacity_), Z);
    else
      trsm(*blas_, int(size_), int(m), data_.data(), int(capacity_), Z, int(capacity_));
    syrk(*blas_, int(m), int(size_), -1.0, Z, int(capacity_), S.data(), int(m));
  }

  // Appends the staged columns `kept`, ascending; T (upper) is the factor of S on them.
  void append_staged(const std::vector<Index>& kept, const Vector& T) {
    const Index m = Index(kept.size());
    double* Z = data_.data() + size_ * capacity_;
    for (Index k = 0; k < m; ++k) {
      double* column = Z + k * capacity_;
      const double* from = Z + kept[std::size_t(k)] * capacity_;
      if (column != from) std::copy(from, from + size_, column);
      std::copy(T.data() + k * m, T.data() + k * m + k + 1, column + size_);
    }
    size_ += m;
  }

  // Deletes row and column k: the columns behind it move up and Givens rotations of rows
  // (i, i + 1) make them triangular again. The rotation of row i comes from column i, so columns
  // are taken in blocks, each of which first takes all rotations known.
  void remove(Index k) {
    for (Index j = k + 1; j < size_; ++j) {
      const double* from = data_.data() + j * capacity_;
      std::copy(from, from + j + 1, data_.data() + (j - 1) * capacity_);
    }
    --size_;
    constexpr Index width = 8;
    cosine_.resize(std::size_t(size_));
    sine_.resize(std::size_t(size_));
    for (Index j0 = k; j0 < size_; j0 += width) {
      const Index w = std::min(width, size_ - j0);
      double* block = data_.data() + j0 * capacity_;
      if (w == width)
        rotate<width>(block, k, j0);
      else
        for (Index c = 0; c < w; ++c) rotate<1>(block + c * capacity_, k, j0);
      for (Index j = j0; j < j0 + w; ++j) {
        double* column = data_.data() + j * capacity_;
        rotate<1>(column, j0, j);
        const double r = std::hypot(column[j], column[j + 1]);
        cosine_[std::size_t(j)] = column[j] / r;
        sine_[std::size_t(j)] = column[j + 1] / r;
        column[j] = r;
      }
    }
  }

  // x := H^{-1} x, x zero before `first`
  void solve(double* x, Index first = 0) const {
    trsv(*blas_, 'T', int(size_ - first), data_.data() + first * (capacity_ + 1), int(capacity_),
         x + first);
    trsv(*blas_, 'N', int(size_), data_.data(), int(capacity_), x);
  }

  // Factors the n x n matrix that fill(R, ld) writes into the upper triangle; false if it is
  // not positive definite to rounding (the factor is then empty).
  template <class Fill>
  bool factor(Index n, double least, const Fill& fill) {
    size_ = 0;
    reserve(n);
    fill(data_.data(), capacity_);
    if (potrf(*blas_, int(n), data_.data(), int(capacity_)) != 0) return false;
    for (Index k = 0; k < n; ++k) {
      const double pivot = data_[std::size_t(k + k * capacity_)];
      if (!(pivot * pivot > least)) return false;
    }
    size_ = n;
    return true;
  }

 private:
  // Rotations begin .. end - 1 on `width` columns together.
  template <Index width>
  void rotate(double* columns, Index begin, Index end) const {
    if (begin >= end) return;
    double above[width];
    for (Index c = 0; c < width; ++c) above[c] = columns[begin + c * capacity_];
    for (Index i = begin; i < end; ++i) {
      const double cosine = cosine_[std::size_t(i)], sine = sine_[std::size_t(i)];
      for (Index c = 0; c < width; ++c) {
        double* x = columns + i + c * capacity_;
        const double below = x[1];
        x[0] = cosine * above[c] + sine * below;
        above[c] = cosine * below - sine * above[c];
      }
    }
    for (Index c = 0; c < width; ++c) columns[end + c * capacity_] = above[c];
  }

  void reserve(Index n) {
    if (n <= capacity_) return;
    const Index wider = std::max<Index>({n, 2 * capacity_, 16});
    widen(data_, size_, capacity_, wider, [](Index j) { return j + 1; });
    capacity_ = wider;
  }

  const Blas* blas_;
  Index size_ = 0, capacity_ = 0;
  Triangle data_;
  Vector cosine_, sine_;  // of the rotation of rows (i, i + 1)
};

// Of the columns `of` of S (m x m, upper triangle), in order, those whose squared pivot is above
// `least` (m,); T (upper) is the factor of S on them.
inline std::vector<Index> independent(const Blas& blas, const Vector& S, Index m,
                                      const Vector& least, std::vector<Index> of, Vector& T) {
  const Index k = Index(of.size());
  auto gather = [&](Index i, double* column) {
    for (Index l = 0; l <= i; ++l)
      column[l] = S[std::size_t(of[std::size_t(l)] + of[std::size_t(i)] * m)];
  };
  T.assign(std::size_t(k * k), 0.0);
  for (Index i = 0; i < k; ++i) gather(i, T.data() + i * k);
  bool definite = potrf(blas, int(k), T.data(), int(k)) == 0;
  for (Index i = 0; i < k && definite; ++i) {
    const double pivot = T[std::size_t(i * (k + 1))];
    definite = pivot * pivot > least[std::size_t(of[std::size_t(i)])];
  }
  if (definite) return of;
  std::vector<Index> kept;
  Vector R(T.size()), column(of.size());
  for (Index i = 0; i < k; ++i) {
    gather(i, column.data());
    double* r = R.data() + Index(kept.size()) * k;
    double pivot = column[std::size_t(i)];
    for (std::size_t l = 0; l < kept.size(); ++l) {
      const double* left = R.data() + Index(l) * k;
      const double rest = column[std::size_t(kept[l])] - dot_dense(left, r, Index(l));
      r[l] = rest / left[l];
      pivot -= r[l] * r[l];
    }
    if (!(pivot > least[std::size_t(of[std::size_t(i)])])) continue;
    r[kept.size()] = std::sqrt(pivot);
    kept.push_back(i);
  }
  const Index size = Index(kept.size());
  T.resize(std::size_t(size * size));
  for (Index l = 0; l < size; ++l) {
    std::copy(R.data() + l * k, R.data() + l * k + l + 1, T.data() + l * size);
    kept[std::size_t(l)] = of[std::size_t(kept[std::size_t(l)])];
  }
  return kept;
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// Anderson extrapolation of a fixed-point sequence: of the last K + 1 iterates, the affine
// combination sum_k c_k x_k with sum c_k = 1 that makes sum_k c_k (x_{k+1} - x_k) smallest.
// Bertrand and Massias (2021). The c_k may be large with both signs: what depends on x is followed
// by the change of x, since a combination of it would carry its rounding c_k times.
#pragma once

#include <cmath>
#include <vector>

#include "matrix.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class Anderson {
 public:
  static constexpr int K = 10;

  // Appends b on W; true when K + 1 iterates are held.
  bool push(const std::vector<Index>& W, const double* b) {
    Vector& point = points_[count_];
    point.resize(W.size());
    for (std::size_t k = 0; k < W.size(); ++k) point[k] = b[W[k]];
    return ++count_ == K + 1;
  }

  // The extrapolated iterate, (|W|,); false if the system is singular.
  bool extrapolate(Vector& out) {
    count_ = 0;
    double A[K][K + 1];  // (U'U) z = 1, U's columns x_{k+1} - x_k
    double trace = 0.0;
    for (int a = 0; a < K; ++a)
      for (int c = 0; c <= a; ++c) {
        double sum = 0.0;
        for (std::size_t k = 0; k < points_[0].size(); ++k)
          sum += (points_[a + 1][k] - points_[a][k]) * (points_[c + 1][k] - points_[c][k]);
        A[a][c] = A[c][a] = sum;
        if (a == c) trace += sum;
      }
    if (!(trace > 0.0)) return false;
    for (int a = 0; a < K; ++a) {
      A[a][a] += 1e-14 * trace;
      A[a][K] = 1.0;
    }
    if (!eliminate(A)) return false;
    double total = 0.0;
    for (int a = 0; a < K; ++a) total += A[a][K];
    if (!(std::fabs(total) > 0.0) || !std::isfinite(total)) return false;
    out.assign(points_[0].size(), 0.0);
    for (int a = 0; a < K; ++a) {
      const double c = A[a][K] / total;
      const double* x = points_[a + 1].data();
      for (std::size_t k = 0; k < out.size(); ++k) out[k] += c * x[k];
    }
    return true;
  }

 private:
  // Gauss-Jordan with partial pivoting; the solution replaces the last column.
  static bool eliminate(double (&A)[K][K + 1]) {
    for (int a = 0; a < K; ++a) {
      int pivot = a;
      for (int c = a + 1; c < K; ++c)
        if (std::fabs(A[c][a]) > std::fabs(A[pivot][a])) pivot = c;
      if (A[pivot][a] == 0.0) return false;
      for (int c = 0; c <= K; ++c) std::swap(A[a][c], A[pivot][c]);
      for (int row = 0; row < K; ++row) {
        if (row == a) continue;
        const double factor = A[row][a] / A[a][a];
        for (int c = a; c <= K; ++c) A[row][c] -= factor * A[a][c];
      }
    }
    for (int a = 0; a < K; ++a) A[a][K] /= A[a][a];
    return true;
  }

  int count_ = 0;
  Vector points_[K + 1];
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

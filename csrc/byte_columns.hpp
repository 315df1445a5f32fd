// A copy of a dense X by one byte a number, of which a reading costs an eighth of what one of X in
// float64 does:
//
//   x_ij = mid_j + step_j k_ij + e_ij,   k_ij whole, |k_ij| <= 127,   |e_ij| <= error_j.
//
// A vector r is laid on whole numbers too, r = rho h + g, |h_i| <= 32767, so that its product with
// a column is a sum of whole numbers, exact in any order, and off x_j'r by at most
//
//   |e_j'r| + half_j ||g||_1,   half_j = 127 step_j.
//
// Genotypes, grey levels, zeros and ones have few values at even distances: there e is rounding.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "api.hpp"
#include "threads.hpp"
#include "values.hpp"
#include "words.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class ByteColumns {
 public:
  ByteColumns(Index n, Index p)
      : n_(n),
        p_(p),
        ld_(padded(n)),
        bytes_(std::size_t(ld_ * p)),
        mid_(std::size_t(p)),
        step_(std::size_t(p)),
        error_(std::size_t(p)) {}

  static double size_of(Index n, Index p) { return double(p) * (double(padded(n)) + 24.0); }
  double size() const { return size_of(n_, p_); }

  // Column j of X, finite.
  template <class T>
  void take(Index j, const T* x) {
    const std::size_t at = std::size_t(j);
    const auto [low, high] = range(x);
    mid_[at] = 0.5 * low + 0.5 * high;
    step_[at] = (0.5 * high - 0.5 * low) / kLargest;
    // of x - mid and of mid + step k
    const double rounding =
        8 * std::numeric_limits<double>::epsilon() * std::max(std::fabs(low), std::fabs(high));
    error_[at] = rounding + round(x, mid_[at], step_[at], bytes_.data() + ld_ * j);
  }

  // Largest |e_ij|, infinite for a column that bytes do not hold, and largest |x_ij - mid_j|.
  double error(Index j) const { return error_[std::size_t(j)]; }
  double half(Index j) const { return kLargest * step_[std::size_t(j)]; }

  // out (p x k) = X'R, R (n x k); lost (k,): ||g||_1
  void xtr(const double* R, int k, double* out, Index ldo, double* lost, int n_threads) const {
    for (int v = 0; v < k; v += kTogether) {
      const int width = std::min(kTogether, k - v);
      const Whole r(R + v * n_, n_, ld_, width);
      std::copy(r.lost.begin(), r.lost.end(), lost + v);
      parallel_blocks(n_threads, (p_ + kWidth - 1) / kWidth, [&](Index block) {
        multiply(block * kWidth, std::min(p_, (block + 1) * kWidth), r, width, out + v * ldo, ldo);
      });
    }
  }

 private:
  static constexpr double kLargest = 127.0, kLargestOfVector = 32767.0;
  static constexpr Index kPad = 32;      // rows of whole registers
  static constexpr int kTogether = 8;    // vectors that meet a column in cache
  static constexpr Index kWidth = 256;   // columns of a block
  static constexpr Index kExact = 2048;  // rows of which no sum of any lane passes 32 bits
  static constexpr Index kAhead = 8192;  // bytes ahead that are asked for

  static Index padded(Index n) { return (n + kPad - 1) / kPad * kPad; }

  // Vectors of whole numbers: r = rho h + g.
  struct Whole {
    std::vector<std::int16_t> h;  // (ld, k), zeros below row n
    Vector rho, sum, lost;        // sum: 1'r, lost: ||g||_1

    Whole(const double* R, Index n, Index ld, int k) : h(std::size_t(ld * k), 0) {
      for (int v = 0; v < k; ++v) {
        const double* r = R + v * n;
        std::int16_t* to = h.data() + ld * v;
        double most = 0.0, total = 0.0, off = 0.0;
        for (Index i = 0; i < n; ++i) {
          most = std::max(most, std::fabs(r[i]));
          total += r[i];
        }
        const double unit = most / kLargestOfVector, inverse = unit > 0.0 ? 1.0 / unit : 0.0;
        for (Index i = 0; i < n; ++i) {
          const double whole =
              std::clamp(std::nearbyint(r[i] * inverse), -kLargestOfVector, kLargestOfVector);
          to[i] = static_cast<std::int16_t>(whole);
          off += std::fabs(r[i] - unit * whole);
        }
        rho.push_back(unit);
        sum.push_back(total);
        lost.push_back(off);
      }
    }
  };

  template <class T>
  std::pair<double, double> range(const T* x) const {
    constexpr int lanes = 16;
    T low[lanes], high[lanes];
    std::fill(low, low + lanes, x[0]);
    std::fill(high, high + lanes, x[0]);
    Index i = 0;
    for (; i + lanes <= n_; i += lanes)
#pragma omp simd
      for (int l = 0; l < lanes; ++l) {
        low[l] = x[i + l] < low[l] ? x[i + l] : low[l];
        high[l] = x[i + l] > high[l] ? x[i + l] : high[l];
      }
    for (; i < n_; ++i) {
      low[0] = std::min(low[0], x[i]);
      high[0] = std::max(high[0], x[i]);
    }
    return {*std::min_element(low, low + lanes), *std::max_element(high, high + lanes)};
  }

  // k of one column; returns the largest |x_i - mid - step k_i|.
  template <class T>
  double round(const T* x, double mid, double step, std::int8_t* k) const {
    constexpr double shift = 6755399441055744.0;  // added and taken away, it leaves whole numbers
    constexpr Index chunk = 64;
    const double inverse = step > 0.0 ? 1.0 / step : 0.0;
    std::fill(k + n_, k + ld_, std::int8_t(0));
    if (!std::isfinite(step) || !std::isfinite(inverse)) {
      std::fill(k, k + n_, std::int8_t(0));
      return std::numeric_limits<double>::infinity();
    }
    double off = 0.0;
    for (Index i = 0; i < n_; i += chunk) {
      const Index rows = std::min(chunk, n_ - i);
      std::int32_t whole[chunk];
#pragma omp simd reduction(max : off)
      for (Index l = 0; l < rows; ++l) {
        const double from = static_cast<double>(x[i + l]) - mid,
                     nearest = (from * inverse + shift) - shift,
                     rest = std::fabs(from - step * nearest);
        whole[l] = static_cast<std::int32_t>(nearest);
        off = rest > off ? rest : off;
      }
      for (Index l = 0; l < rows; ++l) k[i + l] = static_cast<std::int8_t>(whole[l]);
    }
    return off;
  }

  // Tiles of four columns and of four, two or one vectors.
  void multiply(Index begin, Index end, const Whole& r, int k, double* out, Index ldo) const {
    Index j = begin;
    for (; j + 4 <= end; j += 4) multiply_columns<4>(j, r, k, out, ldo);
    for (; j < end; ++j) multiply_columns<1>(j, r, k, out, ldo);
  }
  template <int C>
  void multiply_columns(Index j, const Whole& r, int k, double* out, Index ldo) const {
    int v = 0;
    for (; v + 4 <= k; v += 4) multiply_tile<C, 4>(j, r, v, out, ldo);
    if (v + 2 <= k) {
      multiply_tile<C, 2>(j, r, v, out, ldo);
      v += 2;
    }
    if (v < k) multiply_tile<C, 1>(j, r, v, out, ldo);
  }
  template <int C, int V>
  void multiply_tile(Index j, const Whole& r, int v, double* out, Index ldo) const {
    const std::int8_t* k = bytes_.data() + ld_ * j;
    const std::int16_t* h = r.h.data() + ld_ * v;
    constexpr int count = (C * V + kLanes - 1) / kLanes * kLanes;
    Pack parts[count] = {};
    for (Index i = 0; i < ld_; i += kExact)
      add_tile<C, V>(k + i, h + i, std::min(kExact, ld_ - i), parts);
    double sum[count];
    for (int m = 0; m < count; m += kLanes) store(sum + m, sums(parts + m, 1));
    for (int l = 0; l < V; ++l)
      for (int c = 0; c < C; ++c) {
        const std::size_t at = std::size_t(j + c), of = std::size_t(v + l);
        out[j + c + (v + l) * ldo] = mid_[at] * r.sum[of] + step_[at] * r.rho[of] * sum[c + l * C];
      }
  }
  // parts[c + l C] += what adds up to the products of column c and vector l
  template <int C, int V>
  void add_tile(const std::int8_t* k, const std::int16_t* h, Index rows, Pack* parts) const {
    Totals totals[C][V] = {};
    for (Index i = 0; i < rows; i += kWords) {
      Words x[C];
      REGSOLVE_UNROLL
      for (int c = 0; c < C; ++c) {
        prefetch_far(k + i + c * ld_ + kAhead);
        x[c] = widen(k + i + c * ld_);
      }
      REGSOLVE_UNROLL
      for (int l = 0; l < V; ++l) {
        const Words y = load(h + i + l * ld_);
        REGSOLVE_UNROLL
        for (int c = 0; c < C; ++c) add_products(x[c], y, totals[c][l]);
      }
    }
    REGSOLVE_UNROLL
    for (int l = 0; l < V; ++l) REGSOLVE_UNROLL
    for (int c = 0; c < C; ++c) parts[c + l * C] += halved(totals[c][l]);
  }

  Index n_, p_, ld_;
  std::vector<std::int8_t, Uncleared<std::int8_t>> bytes_;  // k, (ld, p)
  Vector mid_, step_, error_;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

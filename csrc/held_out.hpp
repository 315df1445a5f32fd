// The squared errors of a fold's path on the rows that the fold leaves out.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "some_rows.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// The points of a path by features: each column of X that any of them uses is read once.
class HeldOut {
 public:
  HeldOut(std::vector<Point>& points, Index p) : points_(points), begin_(std::size_t(p) + 1, 0) {
    for (const Point& point : points)
      for (Index j : point.support) ++begin_[std::size_t(j) + 1];
    std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
    uses_.resize(std::size_t(begin_.back()));
    std::vector<Index> next(begin_.begin(), begin_.end() - 1);
    for (std::size_t m = 0; m < points.size(); ++m)
      for (std::size_t k = 0; k < points[m].support.size(); ++k)
        uses_[std::size_t(next[std::size_t(points[m].support[k])]++)] = {m, points[m].coef[k]};
  }

  // held_out of every point: the mean over `rows` of (y_i - b - x_i'w)^2 by weights, null: all 1;
  // the bytes read.
  double judge(const MatrixRef& X, const std::vector<Index>& rows, const double* y,
               const double* weight) {
    const std::size_t together = std::max<std::size_t>(1, kBlock / std::max(points_.size(), kRow));
    Vector sums(points_.size(), 0.0);
    double total = 0.0, bytes = 0.0;
    for (Index i : rows) total += weight ? weight[i] : 1.0;
    for (std::size_t begin = 0; begin < rows.size(); begin += together) {
      const std::size_t end = std::min(rows.size(), begin + together);
      const std::vector<Index> some(rows.begin() + Index(begin), rows.begin() + Index(end));
      const SomeRows block(open(X), some);
      const Vector z = predictions(block, bytes);
      for (std::size_t m = 0; m < points_.size(); ++m)
        for (std::size_t i = 0; i < some.size(); ++i) {
          const double error = y[some[i]] - z[i + m * some.size()];
          sums[m] += (weight ? weight[some[i]] : 1.0) * error * error;
        }
    }
    for (std::size_t m = 0; m < points_.size(); ++m) points_[m].held_out = sums[m] / total;
    return bytes;
  }

 private:
  struct Use {
    std::size_t point;
    double coef;
  };

  // (n, points) b + x_i'w of the rows of X
  Vector predictions(const AnyMatrix& X, double& bytes) const {
    const std::size_t n = std::size_t(X.n);
    Vector z(n * points_.size()), values(X.sparse() ? 0 : n);
    std::vector<std::int32_t> at;
    for (std::size_t m = 0; m < points_.size(); ++m)
      std::fill(z.begin() + Index(n * m), z.begin() + Index(n * (m + 1)), points_[m].intercept);
    for (Index j = 0; j < X.p; ++j) {
      const auto first = uses_.begin() + begin_[std::size_t(j)],
                 last = uses_.begin() + begin_[std::size_t(j) + 1];
      if (first == last) continue;
      if (X.sparse()) {
        at.clear();
        values.clear();
        X.stored(j, at, values);
      } else {
        X.gather(j, values.data());
      }
      bytes += X.column_bytes(j);
      for (auto use = first; use != last; ++use) {
        const double w = use->coef;
        double* to = z.data() + n * use->point;
        if (X.sparse())
          for (std::size_t i = 0; i < at.size(); ++i) to[at[i]] += w * values[i];
        else
          for (std::size_t i = 0; i < n; ++i) to[i] += w * values[i];
      }
    }
    return z;
  }

  static constexpr std::size_t kBlock = std::size_t{1} << 22;  // predictions held, 32 MB
  static constexpr std::size_t kRow = 8;  // numbers kept a row beside them, at most

  std::vector<Point>& points_;
  std::vector<Index> begin_;  // (p + 1,) of each feature's uses
  std::vector<Use> uses_;
};

// Of the path of problem k, trained on all rows but those of its cell; `all` has every row's
// weight.
inline void judge_held_out(const Problem& all, const Cells& cells, Index k, Solution& solution) {
  const Index cell = k % (cells.count + 1) - 1;
  if (!cells.of || cell < 0 || solution.points.empty()) return;
  std::vector<Index> rows;
  for (Index i = 0; i < all.X.n; ++i)
    if (cells.of[i] == cell) rows.push_back(i);
  HeldOut path(solution.points, all.X.p);
  solution.report.x_bytes += path.judge(all.X, rows, all.y, all.sample_weight);
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

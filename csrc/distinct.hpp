// Copies among the sparse columns of X, one of which may do the work of all.
//
// Under an l1 penalty equal columns of equal factor share |w_1| + |w_2| at will. The first takes it
// all, the others stay at zero, and what certifies it certifies them: the problem is that of the
// distinct columns. Columns of few values have many copies: of the word sequences in a text, most
// occur in the same few documents.
#pragma once

#include <cstring>

#include "matrix.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class Distinct {
 public:
  // Looks for copies, in one reading of X, where there may be enough of them.
  Distinct(const Problem& problem, const Options& options) : problem_(problem) {
    const bool whole = problem.loss.quadratic && !problem.custom && problem.l1_ratio == 1.0 &&
                       !options.coef_init && options.solver != Solver::cd &&
                       problem.X.storage == Storage::csc && !problem.X.columns &&
                       problem.X.p >= kMany && problem.X.p <= kMost;
    if (!whole) return;
    visit(problem.X, [&](const auto& X) {
      if constexpr (std::decay_t<decltype(X)>::sparse) {
        if (X.nnz > kFew * X.p) return;
        size_ = X.size();
        find(X, options.n_threads);
      }
    });
    gather(problem.factor, factor_);
    gather(problem.lower, lower_);
    gather(problem.upper, upper_);
  }

  bool fewer() const { return !columns_.empty(); }

  // A problem on X, its columns now the distinct ones.
  Problem reduce(Problem problem) const {
    problem.X.columns = columns_.data();
    problem.X.nnz = nnz_;
    problem.X.n_stored = problem.X.p;
    problem.X.p = Index(columns_.size());
    if (problem.factor) problem.factor = factor_.data();
    if (problem.lower) problem.lower = lower_.data();
    if (problem.upper) problem.upper = upper_.data();
    return problem;
  }

  // Readings are counted in X's size, that of the search among them.
  void begin(Report& report) const {
    report.x_size = size_;
    report.x_bytes += size_;
  }

  // Its solution in terms of X.
  void restore(Solution& solution) const {
    for (Point& point : solution.points)
      for (Index& j : point.support) j = columns_[std::size_t(j)];
    if (solution.bad_column >= 0) solution.bad_column = columns_[std::size_t(solution.bad_column)];
    const std::size_t held = factor_.size() + lower_.size() + upper_.size();
    solution.report.peak_bytes += 4.0 * double(columns_.size()) + 8.0 * double(held);
    solution.report.why += "; of " + std::to_string(problem_.X.p) + " columns " +
                           std::to_string(columns_.size()) + " are distinct";
  }

 private:
  static constexpr Index kMany = 50'000;  // columns for whose copies it is worth to look
  static constexpr Index kMost = std::numeric_limits<std::int32_t>::max();
  static constexpr Index kFew = 32;      // values of a column that may have copies
  static constexpr double kShare = 0.9;  // of the columns that may be distinct

  static std::uint64_t mix(std::uint64_t h, std::uint64_t value) {
    h = (h ^ value) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 32);
  }
  template <class T>
  static std::uint64_t bits(T value) {
    std::uint64_t out = 0;
    std::memcpy(&out, &value, sizeof(T));
    return out;
  }

  // Bounds that a sum of coefficients obeys where each does: none, or those of sign.
  bool free_of_size(Index j) const {
    const auto sign = [](double bound) { return bound == 0.0 || std::isinf(bound); };
    return (!problem_.lower || sign(problem_.lower[j])) &&
           (!problem_.upper || sign(problem_.upper[j]));
  }

  template <class T, class I>
  std::uint64_t key(const Csc<T, I>& X, Index j) const {
    std::uint64_t h = mix(0, std::uint64_t(X.offsets.length(j)));
    for (Index k = X.offsets.begin(j), end = X.offsets.end(j); k < end; ++k)
      h = mix(mix(h, std::uint64_t(X.indices[k])), bits(X.data[k]));
    for (const double* given : {problem_.factor, problem_.lower, problem_.upper})
      if (given) h = mix(h, bits(given[j]));
    return h;
  }

  template <class T, class I>
  bool same(const Csc<T, I>& X, Index j, Index k) const {
    const Index length = X.offsets.length(j), a = X.offsets.begin(j), b = X.offsets.begin(k);
    if (length != X.offsets.length(k)) return false;
    for (const double* given : {problem_.factor, problem_.lower, problem_.upper})
      if (given && given[j] != given[k]) return false;
    const std::size_t count = std::size_t(length);  // bit by bit: NaN equals itself
    return std::memcmp(X.indices + a, X.indices + b, count * sizeof(I)) == 0 &&
           std::memcmp(X.data + a, X.data + b, count * sizeof(T)) == 0;
  }

  // columns_: every column but later copies. Columns go through tables by the first bits of their
  // keys, so that each table stays in cache.
  template <class T, class I>
  void find(const Csc<T, I>& X, int n_threads) {
    constexpr Index block = 1 << 14, tables = 256;
    std::vector<std::uint64_t> keys(static_cast<std::size_t>(X.p));
    std::vector<char> copy(static_cast<std::size_t>(X.p), 0);
    parallel_blocks(n_threads, (X.p + block - 1) / block, [&](Index b) {
      for (Index j = b * block; j < std::min(X.p, (b + 1) * block); ++j)
        if (X.offsets.length(j) <= kFew && free_of_size(j)) keys[std::size_t(j)] = key(X, j) | 1;
    });
    std::vector<Index> start(tables + 1, 0);
    for (std::uint64_t h : keys) start[std::size_t(h >> 56) + 1] += h != 0;
    for (std::size_t t = 1; t < start.size(); ++t) start[t] += start[t - 1];
    std::vector<std::int32_t> order(static_cast<std::size_t>(start.back()));
    std::vector<Index> next(start.begin(), start.end() - 1);
    for (Index j = 0; j < X.p; ++j)
      if (const std::uint64_t h = keys[std::size_t(j)]; h != 0)
        order[std::size_t(next[std::size_t(h >> 56)]++)] = std::int32_t(j);
    parallel_blocks(n_threads, tables, [&](Index t) {
      const Index begin = start[std::size_t(t)], end = start[std::size_t(t + 1)];
      std::size_t slots = 16;
      while (slots < 2 * std::size_t(end - begin)) slots *= 2;
      std::vector<std::int32_t> table(slots, -1);
      for (Index i = begin; i < end; ++i) {
        const std::int32_t j = order[std::size_t(i)];
        const std::uint64_t h = keys[std::size_t(j)];
        std::size_t at = std::size_t(h >> 8) & (slots - 1);
        for (; table[at] >= 0; at = (at + 1) & (slots - 1))
          if (keys[std::size_t(table[at])] == h && same(X, table[at], j)) break;
        if (table[at] < 0)
          table[at] = j;
        else
          copy[std::size_t(j)] = 1;
      }
    });
    const Index copies = Index(std::count(copy.begin(), copy.end(), 1));
    if (double(X.p - copies) > kShare * double(X.p)) return;
    columns_.reserve(std::size_t(X.p - copies));
    for (Index j = 0; j < X.p; ++j) {
      if (copy[std::size_t(j)]) continue;
      columns_.push_back(std::int32_t(j));
      nnz_ += X.offsets.length(j);
    }
  }

  void gather(const double* given, Vector& out) const {
    if (!given) return;
    out.reserve(columns_.size());
    for (std::int32_t j : columns_) out.push_back(given[j]);
  }

  const Problem& problem_;
  std::vector<std::int32_t> columns_;  // ascending; none where all are taken
  Vector factor_, lower_, upper_;
  Index nnz_ = 0;
  double size_ = 0.0;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

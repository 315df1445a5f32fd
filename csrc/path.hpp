// The doors of a target: paths, the judge, and the pieces that tests reach by themselves.
#pragma once

#include "distinct.hpp"
#include "together.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

inline double quadratic_value(double y, double z) {
  return 0.5 * (y - z) * (y - z);
}
inline double quadratic_gradient(double y, double z) {
  return z - y;
}
inline double quadratic_curvature(double, double) {
  return 1.0;
}
inline double quadratic_conjugate(double y, double v) {
  return v * y + 0.5 * v * v;
}

inline Judgement judge(const Problem& given, double alpha, const double* coef, double intercept,
                       const Blas& blas, int n_threads) {
  Problem problem = given;
  if (problem.loss.quadratic)
    problem.loss = {true, quadratic_value, quadratic_gradient, quadratic_curvature,
                    quadratic_conjugate};
  Verdict v;
  Options options;
  Solution solution;
  Monitor monitor(options, solution);
  Design design(problem, blas, n_threads);
  design.read_statistics(solution.report);
  auto go = [&](auto penalty) {
    NewtonPath<decltype(penalty)> path(design, options, penalty, monitor, solution);
    v = path.judge(alpha, coef, intercept);
  };
  if (problem.custom)
    go(function_penalty(problem, design.stats));
  else
    go(elastic_net(problem, design.stats));
  return {v.primal, v.dual, v.gap, v.relative_gap, v.kkt};
}

inline void xtr(const MatrixRef& X, const double* R, int k, double* out, int n_threads) {
  open(X)->xtr(R, k, out, X.p, n_threads, {});
}
inline void kernel(const MatrixRef& X, const double* d, const double* c, const double* V, int k,
                   double* out, double* total, double* Z, int n_threads) {
  visit(X, [&](const auto& kind) { kind.kernel(d, c, V, k, out, total, Z, n_threads); });
}
inline double stream(const double* x, Index n, int n_threads) {
  const Index length = Index(1) << 16, n_blocks = (n + length - 1) / length;
  Vector sums(static_cast<std::size_t>(n_blocks));
  parallel_blocks(n_threads, n_blocks, [&](Index block) {
    constexpr int lanes = 64;
    double sum[lanes] = {};
    const Index end = std::min(n, (block + 1) * length);
    for (Index i = block * length; i + lanes <= end; i += lanes)
      for (int l = 0; l < lanes; ++l) sum[l] += x[i + l];
    for (double part : sum) sums[std::size_t(block)] += part;
  });
  double total = 0.0;
  for (double part : sums) total += part;
  return total;
}
inline double dot(const MatrixRef& X, Index j, const double* u) {
  return open(X)->dot(j, u);
}
inline void axpy(const MatrixRef& X, Index j, double a, const double* weight, double* u) {
  if (weight)
    open(X)->axpy(j, a, weight, u);
  else
    open(X)->add(j, a, u);
}
inline void gram_matrix(const MatrixRef& X, const double* weight, bool centred, GramOf of,
                        const Blas& blas, int n_threads, double* M, double* mean, double* norm) {
  const std::size_t n = std::size_t(X.n);
  Statistics stats(X.p);
  Vector root(n), zero(n, 0.0);
  for (std::size_t i = 0; i < n; ++i) root[i] = std::sqrt(weight[i]);
  StopSign never;
  Vector pilot;
  open(X)->sums(root.data(), zero.data(), centred, {}, blas, n_threads, M, pilot, never);
  scale_gram(M, pilot, centred, n_threads, stats, of);
  stats.copy(mean, norm);
}
inline void column_statistics(const MatrixRef& X, const double* weight, bool centred, int n_threads,
                              double* mean, double* norm) {
  Statistics stats(X.p);
  Vector zero(std::size_t(X.n), 0.0);
  open(X)->statistics({{weight, zero.data(), centred, &stats}}, n_threads);
  stats.copy(mean, norm);
}

// The path and the paths of problems whose copied columns are left out.
inline void distinct_path(const Problem& problem, const Options& options, const Blas& blas,
                          Solution& solution) {
  const Distinct distinct(problem, options);
  distinct.begin(solution.report);
  path(distinct.fewer() ? distinct.reduce(problem) : problem, options, blas, solution);
  if (distinct.fewer()) distinct.restore(solution);
}
inline void distinct_paths(const std::vector<Problem>& problems,
                           const std::vector<Options>& options, const std::int32_t* cell,
                           Index n_cells, Index per_round, const Blas& blas,
                           std::vector<Solution>& solutions) {
  solutions.resize(problems.size());
  const Problem& first = problems[0];
  const auto equal = [&](const double* a, const double* b) {
    return a == b || (a && b && std::equal(a, a + first.X.p, b));
  };
  const bool alike = std::all_of(problems.begin(), problems.end(), [&](const Problem& other) {
    return other.l1_ratio == first.l1_ratio && equal(other.factor, first.factor) &&
           equal(other.lower, first.lower) && equal(other.upper, first.upper);
  });
  if (!alike) return paths(problems, options, cell, n_cells, per_round, blas, solutions);
  const Distinct distinct(first, options[0]);
  distinct.begin(solutions[0].report);
  std::vector<Problem> reduced = problems;
  if (distinct.fewer())
    for (std::size_t k = 0; k < reduced.size(); ++k) {
      reduced[k] = distinct.reduce(problems[k]);
      solutions[k].report.x_size = solutions[0].report.x_size;
    }
  paths(reduced, options, cell, n_cells, per_round, blas, solutions);
  if (distinct.fewer())
    for (Solution& solution : solutions) distinct.restore(solution);
}

inline Target make_target(const char* name) {
  return {name, distinct_path, distinct_paths,   judge, xtr, kernel, stream, dot,
          axpy, gram_matrix,   column_statistics};
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// The doors of a target: which solver a problem goes to, and the pieces that tests reach by
// themselves.
#pragma once

#include <string>

#include "lockstep.hpp"
#include "newton_path.hpp"
#include "working_set_path.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// What the modes would cost in seconds. Rates of one core, order of magnitude: bytes from memory,
// flops of BLAS3 and of BLAS2, flops of a sparse Gram matrix.
struct Costs {
  double gram, working_set, residual;
};

inline Costs costs(const AnyMatrix& X, Index n_alphas) {
  constexpr double bandwidth = 1e10, blas3 = 3e10, blas2 = 4e9;
  const double n = double(X.n), p = double(X.p), m = double(n_alphas);
  const double support = std::min(n, p) / 3.0, set = std::min(p, 3.0 * support + 100.0);
  const double column = X.size() / std::max(p, 1.0), directions = 16.0;
  Costs out;
  out.gram = X.gram_seconds() + 2e-9 * p * p + m * 8.0 * p * support / blas2;
  const double products =
      X.sparse() ? X.gram_seconds() * set * set / (p * p) : n * set * set / blas3;
  out.working_set = 12.0 * X.size() / bandwidth + products + set * column / bandwidth +
                    m * (8.0 * set * support / blas2 + 2.0 * directions * p / blas2 +
                         4.0 * set * column / 8.0 / blas2 + 8.0 * directions * n / blas2);
  const double readings = 3.0 * m + 5.0, epochs = 50.0 * m;
  out.residual = readings * X.size() / bandwidth + epochs * 2.0 * support * column / bandwidth;
  return out;
}

inline std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2g s", seconds);
  return text;
}

// Whether the direct solver on a working set serves: an l1 term on every penalised feature.
inline bool can_use_working_set(const Problem& problem, const Options& options) {
  if (options.solver == Solver::cd || problem.custom || !(problem.l1_ratio > 0.0)) return false;
  for (Index k = 0; options.alphas && k < options.n_alphas; ++k)
    if (!(options.alphas[k] > 0.0)) return false;
  Index unpenalised = 0;
  for (Index j = 0; problem.factor && j < problem.X.p; ++j) unpenalised += problem.factor[j] == 0.0;
  return unpenalised <= 1000;
}

enum class Mode { gram, working_set, residual };

// The cheapest mode that fits. The Gram matrix is taken even where coordinate descent promises to
// be up to 20 times faster, since its direct solver reaches float64 accuracy.
inline Mode choose_mode(const Problem& problem, const AnyMatrix& X, const Options& options,
                        Report& report, Index sharing = 1, Index copies = 1) {
  const double bytes = 8.0 * double(X.p + 2) * double(X.p + 2) * double(copies);
  const double most = options.max_bytes > 0.0 ? options.max_bytes : 4e9;
  Costs cost = costs(X, options.n_alphas);
  cost.gram -= X.gram_seconds() * (1.0 - 1.0 / double(sharing));  // X'X serves all targets
  const bool fits = 1.5 * bytes <= std::min(most, 4e9),
             sets = can_use_working_set(problem, options);
  const double favour = options.solver == Solver::cd ? 1.0 : 20.0;
  bool gram = fits && (cost.gram <= favour * cost.residual || cost.gram < 1e-3);
  if (sets) gram = fits && (cost.gram <= cost.working_set || cost.gram < 1e-3);
  if (options.solver == Solver::gram) gram = fits;
  if (options.solver == Solver::working_set) gram = gram && !sets;
  const Mode mode = gram ? Mode::gram : (sets ? Mode::working_set : Mode::residual);
  report.mode = gram ? "gram" : (sets ? "working_set" : "residual");
  report.why = "predicted " + seconds_text(cost.gram) + " by one reading for X'X (" +
               std::to_string(Index(bytes / 1e6)) + " MB" + (fits ? "" : ", too much memory") +
               "), " + (sets ? seconds_text(cost.working_set) + " on working sets, " : "") +
               seconds_text(cost.residual) + " by coordinate descent on residuals";
  return mode;
}

inline bool check_finite(const Design& design, Solution& solution) {
  solution.bad_column = design.stats.bad_column();
  if (solution.bad_column >= 0) solution.failure = Failure::not_finite;
  return solution.bad_column < 0;
}

inline void residual_mode(Design& design, const Options& options, Monitor& monitor,
                          Solution& solution);

// M (P x P, P = p + 2), zero before, takes X'X and X't from one reading of X; false if `stop` ended
// it.
inline bool read_gram(Design& design, std::vector<double>& M, StopSign& stop, Report& report) {
  const Index P = design.X.p + 2;
  M.assign(std::size_t(P * P), 0.0);
  report.x_bytes += design.X.size();
  report.n_rhs += 1;
  report.peak_bytes += 8.0 * double(P * P) + 48e6;
  std::vector<double> pilot;
  if (!design.X.sums(design.root.data(), design.t.data(), design.centred(), {}, design.blas,
                     design.n_threads, M.data(), pilot, stop))
    return false;
  scale_gram(M.data(), pilot, design.centred(), design.n_threads, design.stats);
  return true;
}

// M: X'X scaled, (P x P); the problem may differ from the design's in its penalty.
inline void gram_path(const Design& design, const Problem& problem, const double* M,
                      const Options& options, Monitor& monitor, Solution& solution) {
  Report& report = solution.report;
  GramModel model(M, design.X.p + 2, design.X.p, design.stats.q.data(), design.tt);
  model.n_threads = design.n_threads;
  FromX from_x;
  from_x.square = [&](const std::vector<double>& b) {
    const std::vector<double> u = design.residual(b, report);
    double sum = 0.0;
    for (std::size_t i = 0; i < u.size(); ++i)
      if (design.omega[i] > 0.0) sum += u[i] * u[i] / design.omega[i];
    return sum;
  };
  from_x.project = [&](const std::vector<double>& b, const std::vector<Index>& U,
                       std::vector<double>& c, double& ut, double& uu) {
    std::vector<double> u = design.residual(b, report);
    Basis basis;
    basis.span(design, U, report);
    basis.project(design.blas, design.root, u);
    design.correlate(u.data(), 1, c, report);
    for (Index j : U) c[std::size_t(j)] = 0.0;
    ut = uu = 0.0;
    for (std::size_t i = 0; i < u.size(); ++i) {
      ut += u[i] * design.t[i];
      if (design.omega[i] > 0.0) uu += u[i] * u[i] / design.omega[i];
    }
  };
  auto go = [&](auto penalty) {
    GramPath<decltype(penalty)> path(problem, options, design.blas, design.stats, penalty, model,
                                     design.t_square, design.gradient_size(design.t_square), from_x,
                                     monitor, solution);
    path.run(design.t_mean);
  };
  if (problem.custom)
    go(function_penalty(problem, design.stats));
  else
    go(elastic_net(problem, design.stats));
}

inline void gram_mode(Design& design, const Options& options, Monitor& monitor,
                      Solution& solution) {
  std::vector<double> M;
  StopSign stop([&] { return monitor.stopped(); });
  if (!read_gram(design, M, stop, solution.report))
    residual_mode(design, options, monitor, solution);  // proves what there is, the null model
  else if (check_finite(design, solution))
    gram_path(design, design.problem, M.data(), options, monitor, solution);
}

// Whether K + alpha I on the rows serves: pure L2, nothing unpenalised or bounded, n < p.
inline bool use_kernel(const Problem& problem, const Options& options) {
  const double n = double(problem.X.n), bytes = 16.0 * n * n;
  if (options.solver == Solver::cd || problem.custom || problem.l1_ratio != 0.0 || problem.lower ||
      problem.upper || problem.X.n >= problem.X.p || !options.alphas)
    return false;
  for (Index j = 0; problem.factor && j < problem.X.p; ++j)
    if (problem.factor[j] == 0.0) return false;
  for (Index k = 0; k < options.n_alphas; ++k)
    if (!(options.alphas[k] > 0.0)) return false;
  return bytes <= (options.max_bytes > 0.0 ? options.max_bytes : 4e9);
}

inline void residual_mode(Design& design, const Options& options, Monitor& monitor,
                          Solution& solution) {
  design.read_statistics(solution.report);
  if (!check_finite(design, solution)) return;
  const Problem& problem = design.problem;
  auto go = [&](auto penalty) {
    ResidualPath<decltype(penalty)> path(design, options, penalty, monitor, solution);
    path.run();
  };
  if (problem.custom) {
    go(function_penalty(problem, design.stats));
    return;
  }
  const ElasticNet penalty = elastic_net(problem, design.stats);
  if (!use_kernel(problem, options)) {
    go(penalty);
    return;
  }
  solution.report.mode = "kernel";
  solution.report.why = "pure L2 with fewer rows than features: Cholesky of the n x n matrix XX'";
  StopSign stop([&] { return monitor.stopped(); });
  const KernelRidge kernel(design, penalty, stop, solution.report);
  ResidualPath<ElasticNet> path(design, options, penalty, monitor, solution);
  path.run(&kernel);
}

inline void working_set_mode(Design& design, const Options& options, Monitor& monitor,
                             Solution& solution) {
  design.read_statistics(solution.report);
  if (!check_finite(design, solution)) return;
  WorkingSetPath path(design, options, elastic_net(design.problem, design.stats), monitor,
                      solution);
  path.run();
}

inline void newton_mode(Design& design, const Options& options, Monitor& monitor,
                        Solution& solution) {
  design.read_statistics(solution.report);
  solution.report.mode = "newton";
  solution.report.why = "a smooth loss by its functions: proximal Newton with coordinate descent";
  if (!check_finite(design, solution)) return;
  const Problem& problem = design.problem;
  auto go = [&](auto penalty) {
    NewtonPath<decltype(penalty)> path(design, options, penalty, monitor, solution);
    path.run();
  };
  if (problem.custom)
    go(function_penalty(problem, design.stats));
  else
    go(elastic_net(problem, design.stats));
}

inline void run_mode(Mode mode, Design& design, const Options& options, Monitor& monitor,
                     Solution& solution) {
  if (use_kernel(design.problem, options))
    residual_mode(design, options, monitor, solution);
  else if (mode == Mode::gram)
    gram_mode(design, options, monitor, solution);
  else if (mode == Mode::working_set)
    working_set_mode(design, options, monitor, solution);
  else
    residual_mode(design, options, monitor, solution);
}

inline void path(const Problem& problem, const Options& options, const Blas& blas,
                 Solution& solution) {
  Monitor monitor(options, solution);
  Design design(problem, blas, options.n_threads);
  solution.report.x_size = design.X.size();
  if (!problem.loss.quadratic) {
    newton_mode(design, options, monitor, solution);
    return;
  }
  const Mode mode = choose_mode(problem, design.X, options, solution.report);
  run_mode(mode, design, options, monitor, solution);
}

// X'X is read once; each target then has a path of its own on it.
inline void gram_targets(const std::vector<Problem>& problems, const std::vector<Options>& options,
                         const Blas& blas, GroupPoll& poll, std::vector<Solution>& solutions) {
  constexpr Index together = 64;
  const Index targets = Index(problems.size());
  Monitor reading(options[0], solutions[0]);
  StopSign stop([&] { return reading.stopped(); });
  Design first(problems[0], blas, options[0].n_threads);
  std::vector<double> M;
  Report& report = solutions[0].report;
  if (!read_gram(first, M, stop, report)) {
    for (std::size_t k = 0; k < problems.size(); ++k)
      path(problems[k], options[k], blas, solutions[k]);
    return;
  }
  if (!check_finite(first, solutions[0])) return;
  for (Index begin = 0; begin < targets; begin += together) {
    const Index members = std::min(together, targets - begin);
    std::vector<std::unique_ptr<Design>> designs;
    std::vector<double> V, C;
    for (Index k = begin; k < begin + members; ++k) {
      designs.push_back(std::make_unique<Design>(problems[std::size_t(k)], blas, 1));
      designs.back()->stats = first.stats;
      for (std::size_t i = 0; i < first.omega.size(); ++i)
        V.push_back(first.omega[i] * designs.back()->t[i]);
    }
    C.resize(std::size_t(first.X.p * members));
    first.correlate(V.data(), int(members), C.data(), report);
    for (Index m = 0; m < members; ++m)
      std::copy(C.begin() + m * first.X.p, C.begin() + (m + 1) * first.X.p,
                designs[std::size_t(m)]->stats.q.begin());
    std::atomic<Index> next{0};
    run_group(std::min<Index>(members, options[0].n_threads), poll, [&](Index) {
      for (Index m; (m = next.fetch_add(1)) < members;) {
        const std::size_t k = std::size_t(begin + m);
        Options own = poll.member(options[k], 1);
        Monitor monitor(own, solutions[k]);
        gram_path(*designs[std::size_t(m)], problems[k], M.data(), own, monitor, solutions[k]);
      }
    });
  }
}

// Mean squared error of a point on the rows of a design, through their Gram matrix G (P x P).
inline double squared_error(const Design& design, const double* G, const Point& point) {
  const Statistics& stats = design.stats;
  const Index P = design.X.p + 2;
  double shift = design.t_mean - point.intercept, sum = design.tt;
  std::vector<double> b;
  for (std::size_t k = 0; k < point.support.size(); ++k) {
    const std::size_t j = std::size_t(point.support[k]);
    b.push_back(point.coef[k] * stats.norm[j]);
    shift -= point.coef[k] * stats.mean[j];
  }
  for (std::size_t k = 0; k < b.size(); ++k) {
    const double* column = G + point.support[k] * P;
    double product = 0.0;
    for (std::size_t l = 0; l < k; ++l) product += column[point.support[l]] * b[l];
    sum += b[k] * (b[k] + 2.0 * (product - stats.q[std::size_t(point.support[k])]));
  }
  return sum + (design.centred() ? shift * shift : 0.0);
}

// The folds of a cross-validation: one reading of X gives the sums of every cell, and what problem
// k of a round is trained on is all rows (k = 0) or all but those of cell k - 1. Problems come in
// rounds of `per_round`, which differ in their penalties and alphas alone.
inline void gram_folds(const std::vector<Problem>& problems, const std::vector<Options>& options,
                       const Cells& cells, Index per_round, const Blas& blas, GroupPoll& poll,
                       std::vector<Solution>& solutions) {
  Monitor reading(options[0], solutions[0]);
  StopSign stop([&] { return reading.stopped(); });
  Design first(problems[0], blas, options[0].n_threads);
  const Index P = first.X.p + 2, size = P * P;
  std::vector<double> M(std::size_t(size * (cells.count + 1)), 0.0), pilot;
  double* cell_sums = M.data() + size;
  Report& report = solutions[0].report;
  report.x_bytes += first.X.size();
  report.n_rhs += 1;
  report.peak_bytes += 8.0 * double(M.size()) + 48e6;
  first.X.sums(first.root.data(), first.t.data(), first.centred(), cells, blas, first.n_threads,
               cell_sums, pilot, stop);
  parallel_blocks(first.n_threads, P, [&](Index column) {
    for (Index k = column * P; k < (column + 1) * P; ++k) {
      double total = 0.0;
      for (Index c = 0; c < cells.count; ++c) total += cell_sums[k + c * size];
      M[std::size_t(k)] = total;
      for (Index c = 0; c < cells.count; ++c)
        cell_sums[k + c * size] = total - cell_sums[k + c * size];
    }
  });
  std::vector<double> mass(static_cast<std::size_t>(cells.count), 0.0);
  for (Index i = 0; i < first.X.n; ++i)
    mass[std::size_t(cells.of[i])] += first.omega[std::size_t(i)];
  std::vector<std::unique_ptr<Design>> designs(static_cast<std::size_t>(per_round));
  parallel_blocks(first.n_threads, per_round, [&](Index k) {
    designs[std::size_t(k)] = std::make_unique<Design>(problems[std::size_t(k)], blas, 1);
  });
  for (Index k = 0; k < per_round; ++k) {
    Design& design = *designs[std::size_t(k)];
    scale_gram(M.data() + k * size, pilot, design.centred(), first.n_threads, design.stats);
    if (!check_finite(design, solutions[std::size_t(k)])) return;
  }
  std::atomic<Index> next{0};
  const Index members = Index(problems.size());
  run_group(std::min<Index>(members, options[0].n_threads), poll, [&](Index) {
    for (Index m; (m = next.fetch_add(1)) < members;) {
      const std::size_t k = std::size_t(m);
      const Index fold = m % per_round;
      const double* G = M.data() + fold * size;
      const Design& design = *designs[std::size_t(fold)];
      Options own = poll.member(options[k], 1);
      Monitor monitor(own, solutions[k]);
      gram_path(design, problems[k], G, own, monitor, solutions[k]);
      if (fold == 0) continue;
      // rows of the cell = all rows less those trained on, by their shares of the weights
      const double share = mass[std::size_t(fold - 1)];
      for (Point& point : solutions[k].points)
        point.held_out = (squared_error(*designs[0], M.data(), point) -
                          (1.0 - share) * squared_error(design, G, point)) /
                         share;
    }
  });
}

// Problems that share X and differ in their targets, or, with cells, in the rows they are trained
// on: solved in lockstep, sharing what they read.
inline void paths(const std::vector<Problem>& problems, const std::vector<Options>& options,
                  const std::int32_t* cell, Index n_cells, const Blas& blas,
                  std::vector<Solution>& solutions) {
  const Index targets = Index(problems.size());
  solutions.resize(problems.size());
  const std::unique_ptr<AnyMatrix> X = open(problems[0].X);
  for (Solution& solution : solutions) solution.report.x_size = X->size();
  if (targets == 1 || !problems[0].loss.quadratic || use_kernel(problems[0], options[0])) {
    for (std::size_t k = 0; k < problems.size(); ++k)
      path(problems[k], options[k], blas, solutions[k]);
    return;
  }
  Mode mode = Mode::gram;
  const Index copies = cell ? n_cells + 1 : 1;
  for (std::size_t k = 0; k < problems.size(); ++k)
    mode = choose_mode(problems[k], *X, options[k], solutions[k].report, targets, copies);
  GroupPoll poll{options[0]};
  bool same_rows = true;
  for (const Problem& problem : problems)
    same_rows = same_rows && problem.sample_weight == problems[0].sample_weight;
  if (mode == Mode::gram && !cell && !same_rows) {
    for (std::size_t k = 0; k < problems.size(); ++k)
      path(problems[k], options[k], blas, solutions[k]);
    return;
  }
  if (mode == Mode::gram) {
    if (cell)
      gram_folds(problems, options, {cell, n_cells}, n_cells + 1, blas, poll, solutions);
    else
      gram_targets(problems, options, blas, poll, solutions);
    return;
  }
  const double memory = options[0].max_bytes > 0.0 ? options[0].max_bytes : 8e9,
               needed = 8.0 * 40.0 * double(X->n + X->p);
  const Index most = std::max<Index>(1, std::min<Index>(16, Index(memory / needed)));
  for (Index begin = 0; begin < targets; begin += most) {
    const Index members = std::min(most, targets - begin);
    SharedReading reading(*X, members, options[0].n_threads);
    run_group(members, poll, [&](Index m) {
      const std::size_t k = std::size_t(begin + m);
      Options own = poll.member(options[k], members);
      Monitor monitor(own, solutions[k]);
      Design design(problems[k], blas, own.n_threads, std::make_unique<Companion>(*X, reading, m));
      run_mode(mode, design, own, monitor, solutions[k]);
    });
  }
}

// --- reached by tests on their own -------------------------------------------------------------

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
  open(X)->xtr(R, k, out, X.p, n_threads);
}
inline double stream(const double* x, Index n, int n_threads) {
  const Index length = Index(1) << 16, n_blocks = (n + length - 1) / length;
  std::vector<double> sums(static_cast<std::size_t>(n_blocks));
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
inline void gram_matrix(const MatrixRef& X, const double* weight, bool centred, const Blas& blas,
                        int n_threads, double* M, double* mean, double* norm) {
  const std::size_t n = std::size_t(X.n);
  Statistics stats(X.p);
  std::vector<double> root(n), zero(n, 0.0);
  for (std::size_t i = 0; i < n; ++i) root[i] = std::sqrt(weight[i]);
  StopSign never;
  std::vector<double> pilot;
  open(X)->sums(root.data(), zero.data(), centred, {}, blas, n_threads, M, pilot, never);
  scale_gram(M, pilot, centred, n_threads, stats);
  std::copy(stats.mean.begin(), stats.mean.end(), mean);
  std::copy(stats.norm.begin(), stats.norm.end(), norm);
}
inline void column_statistics(const MatrixRef& X, const double* weight, bool centred, int n_threads,
                              double* mean, double* norm) {
  Statistics stats(X.p);
  std::vector<double> zero(std::size_t(X.n), 0.0);
  open(X)->statistics({{weight, zero.data(), centred, &stats}}, n_threads);
  std::copy(stats.mean.begin(), stats.mean.end(), mean);
  std::copy(stats.norm.begin(), stats.norm.end(), norm);
}

inline Target make_target(const char* name) {
  return {name, path, paths, judge, xtr, stream, dot, axpy, gram_matrix, column_statistics};
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// The modes of one problem: what each would cost, the choice, and the path in it.
#pragma once

#include <functional>
#include <memory>
#include <string>

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

enum class Mode { gram, working_set, residual, kernel };

// The cheapest mode that fits. The Gram matrix is taken even where coordinate descent promises to
// be up to 20 times faster, since its direct solver reaches float64 accuracy.
inline Mode choose_mode(const Problem& problem, const AnyMatrix& X, const Options& options,
                        Report& report, Index sharing = 1, Index copies = 1) {
  if (use_kernel(problem, options)) return Mode::kernel;
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

inline bool check_finite(const Sums& sums, Solution& solution) {
  solution.bad_column = sums.stats.bad_column();
  if (solution.bad_column >= 0) solution.failure = Failure::not_finite;
  return solution.bad_column < 0;
}

inline void residual_mode(Design& design, const Options& options, Monitor& monitor,
                          Solution& solution);

// M (P x P, P = p + 2), zero before, takes X'X and X't from one reading of X; false if `stop` ended
// it.
inline bool read_gram(Design& design, Vector& M, StopSign& stop, Report& report) {
  const Index P = design.X.p + 2;
  M.assign(std::size_t(P * P), 0.0);
  report.x_bytes += design.X.size();
  report.n_rhs += 1;
  report.peak_bytes += 8.0 * double(P * P) + 48e6;
  Vector pilot;
  if (!design.X.sums(design.root.data(), design.t.data(), design.centred(), {}, design.blas,
                     design.n_threads, M.data(), pilot, stop))
    return false;
  scale_gram(M.data(), pilot, design.centred(), design.n_threads, design.stats);
  return true;
}

// M: X'X scaled, (P x P). The rows are asked for where X'X is too blunt alone, by a design whose
// problem may differ in its penalty.
inline void gram_path(const Sums& sums, const std::function<const Design&()>& rows,
                      const Problem& problem, const double* M, const Blas& blas, int n_threads,
                      const Options& options, Monitor& monitor, Solution& solution) {
  Report& report = solution.report;
  const Index p = problem.X.p;
  GramModel model(M, p + 2, p, sums.stats.q.data(), sums.tt);
  model.n_threads = n_threads;
  FromX from_x;
  from_x.square = [&](const Vector& b) { return rows().square(rows().residual(b, report)); };
  Spanned spanned;
  auto span_of = [&](const std::vector<Index>& U) -> const Basis& {
    if (U != spanned.features) spanned.basis.span(rows(), U, report);
    spanned.features = U;
    return spanned.basis;
  };
  from_x.rank = [&](const std::vector<Index>& U) {
    const double bytes = 8.0 * double(problem.X.n) * double(U.size());
    return bytes > 1e9 ? Index{-1} : span_of(U).rank();
  };
  from_x.project = [&](const Vector& b, const std::vector<Index>& U, Vector& c, double& ut,
                       double& uu) {
    const Design& design = rows();
    Vector u = design.residual(b, report);
    span_of(U).project(design.blas, design.root, u);
    design.correlate(u.data(), 1, c, report);
    for (Index j : U) c[std::size_t(j)] = 0.0;
    ut = dot_dense(u.data(), design.t.data(), design.X.n);
    uu = design.square(u);
  };
  from_x.solve_null = [&](const ElasticNet& null, Vector& b, Vector& c) {
    const Design& design = rows();
    const Vector r = solve_unpenalised(design, null, b, report, &spanned);
    design.correlate(design.weighted(r).data(), 1, c, report);
    return dot_dense(r.data(), r.data(), design.X.n);
  };
  auto go = [&](auto penalty) {
    GramPath<decltype(penalty)> path(problem, options, blas, sums.stats, penalty, model,
                                     sums.t_square, sums.gradient_size(sums.t_square), from_x,
                                     monitor, solution);
    path.run(sums.t_mean);
  };
  if (problem.custom)
    go(function_penalty(problem, sums.stats));
  else
    go(elastic_net(problem, sums.stats));
}

inline void gram_path(const Design& design, const Problem& problem, const double* M,
                      const Options& options, Monitor& monitor, Solution& solution) {
  const auto rows = [&]() -> const Design& { return design; };
  gram_path(design, rows, problem, M, design.blas, design.n_threads, options, monitor, solution);
}

// By sums alone, while X'X is sharp enough: rows are laid out when they are asked for.
inline void gram_path(const Sums& sums, const Problem& problem, const double* M, const Blas& blas,
                      const Options& options, Solution& solution) {
  std::unique_ptr<Design> design;
  const auto rows = [&]() -> const Design& {
    if (!design) {
      design = std::make_unique<Design>(problem, blas, 1);
      static_cast<Sums&>(*design) = sums;
    }
    return *design;
  };
  Monitor monitor(options, solution);
  gram_path(sums, rows, problem, M, blas, 1, options, monitor, solution);
}

inline void gram_mode(Design& design, const Options& options, Monitor& monitor,
                      Solution& solution) {
  Vector M;
  StopSign stop([&] { return monitor.stopped(); });
  if (!read_gram(design, M, stop, solution.report))
    residual_mode(design, options, monitor, solution);  // proves what there is, the null model
  else if (check_finite(design, solution))
    gram_path(design, design.problem, M.data(), options, monitor, solution);
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
  solution.report.mode = "residual";
  solution.report.why = "pure L2: coordinate descent costs less than a matrix of the rows";
  StopSign stop([&] { return monitor.stopped(); });
  KernelRidge kernel(design, stop);
  ResidualPath<ElasticNet> path(design, options, penalty, monitor, solution);
  path.run(&kernel);
}

// Whether a copy of X by one byte a number saves more than it costs: where X lies beyond the
// caches, its columns are long beside what is kept for each of them, and memory will do for it, X'Q
// and n features, their Gram matrix and its factor. To be given up on the way it costs more than it
// saves.
inline bool copy_serves(const AnyMatrix& X, const Options& options) {
  const double n = double(X.n), size = ByteColumns::size_of(X.n, X.p),
               held = size + 20.0 * n * n + 256.0 * double(X.p);
  return X.copies() && X.size() >= 5e7 && X.n >= 200 && size <= options.copy_bytes &&
         keeps_promise(X, n, held, options);
}

inline void working_set_mode(Design& design, const Options& options, Monitor& monitor,
                             Solution& solution) {
  design.read_statistics(solution.report, copy_serves(design.X, options));
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
  if (mode == Mode::gram)
    gram_mode(design, options, monitor, solution);
  else if (mode == Mode::working_set)
    working_set_mode(design, options, monitor, solution);
  else
    residual_mode(design, options, monitor, solution);
}

inline void path(Design& design, const Options& options, Monitor& monitor, Solution& solution) {
  const Problem& problem = design.problem;
  if (solution.report.x_size == 0.0) solution.report.x_size = design.X.size();
  if (!problem.loss.quadratic) {
    newton_mode(design, options, monitor, solution);
    return;
  }
  const Mode mode = choose_mode(problem, design.X, options, solution.report);
  run_mode(mode, design, options, monitor, solution);
}

inline void path(const Problem& problem, const Options& options, const Blas& blas,
                 Solution& solution) {
  Monitor monitor(options, solution);
  Design design(problem, blas, options.n_threads);
  path(design, options, monitor, solution);
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

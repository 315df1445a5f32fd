// Several problems on one X at once: targets, and the folds of a cross-validation.
#pragma once

#include "lockstep.hpp"
#include "modes.hpp"
#include "some_rows.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// Problems one after the other, within the time of all. Once the callback stopped one, each ends at
// its first answer; once Ctrl-C did, the rest have none.
inline void one_by_one(const std::vector<Problem>& problems, const std::vector<Options>& options,
                       const Blas& blas, GroupPoll& poll, std::vector<Solution>& solutions) {
  for (std::size_t k = 0; k < problems.size(); ++k) {
    if (k > 0 && poll.cut) {
      solutions[k].stopped = true;
      solutions[k].stop = Status::interrupted;
      continue;
    }
    Options own = poll.member(options[k], 1);
    own.poll = GroupPoll::ask_alone;
    path(problems[k], own, blas, solutions[k]);
  }
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
  if (!read_gram(first, M, stop, report)) {  // each proves what there is, the null model
    poll.stop = poll.cut = reading.status == Status::interrupted;
    one_by_one(problems, options, blas, poll, solutions);
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
    b.push_back(point.coef[k] * stats.norm(j));
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

// Whether differences from sums over all rows, whose squares were `whole` (p + 1,), the target's
// last, leave the rows of a design, of that share of the weights, too few digits.
inline bool digits_lost(const Design& design, const std::vector<double>& whole, double share) {
  constexpr double most = 1e4;
  const std::size_t p = std::size_t(design.X.p);
  bool few = !(whole[p] <= most * share * design.tt) && design.tt > 0.0;
  for (std::size_t j = 0; j < p && !few; ++j) {
    const double norm = design.stats.norm(j);
    few = norm != 0.0 && !(whole[j] <= most * share * norm * norm);
  }
  return few;
}

// Options of problem k where none gives alphas: the grid of its round, which is that of the round's
// first problem, all rows; `top` is alpha_max of the first round.
class SharedGrids {
 public:
  // per_round = 0: problems share nothing
  SharedGrids(const std::vector<Problem>& problems, const std::vector<Options>& options,
              Index per_round)
      : problems_(problems), options_(options), per_round_(per_round) {}

  bool wanted() const { return per_round_ > 0 && !options_[0].alphas && options_[0].n_alphas > 0; }

  // alpha l1_ratio is what alpha_max depends on
  void set(double top) {
    for (std::size_t k = 0; k < problems_.size(); k += std::size_t(per_round_))
      grids_.push_back(
          alpha_grid(options_[k], AlphaMax(top * problems_[0].l1_ratio / problems_[k].l1_ratio)));
  }
  Options of(std::size_t k) const {
    Options own = options_[k];
    if (!grids_.empty()) own.alphas = grids_[k / std::size_t(per_round_)].data();
    return own;
  }
  std::vector<Options> all() const {
    std::vector<Options> out;
    for (std::size_t k = 0; k < options_.size(); ++k) out.push_back(of(k));
    return out;
  }

 private:
  const std::vector<Problem>& problems_;
  const std::vector<Options>& options_;
  Index per_round_;
  std::vector<std::vector<double>> grids_;
};

// alpha_max of the first problem, from one reading of X and no Gram matrix.
inline void set_by_reading(SharedGrids& grids, const Problem& problem, Options options,
                           const Blas& blas, Solution& solution) {
  Solution null;
  options.n_alphas = 0;
  options.solver = Solver::working_set;
  path(problem, options, blas, null);
  grids.set(null.alpha_max);
  solution.failure = null.failure;
  solution.bad_column = null.bad_column;
  solution.report.x_bytes += null.report.x_bytes;
  solution.report.n_rhs += null.report.n_rhs;
}

// The folds of a cross-validation: one reading of X gives the sums of every cell, and what problem
// k of a round is trained on is all rows (k = 0) or all but those of cell k - 1. Problems come in
// rounds of `per_round`, which differ in their penalties and alphas alone.
inline void gram_folds(const std::vector<Problem>& problems, const std::vector<Options>& options,
                       const Cells& cells, SharedGrids& grids, const Blas& blas, GroupPoll& poll,
                       std::vector<Solution>& solutions) {
  const Index per_round = cells.count + 1;
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
  if (!first.X.sums(first.root.data(), first.t.data(), first.centred(), cells, blas,
                    first.n_threads, cell_sums, pilot, stop)) {
    poll.stop = poll.cut = reading.status == Status::interrupted;
    if (grids.wanted()) set_by_reading(grids, problems[0], options[0], blas, solutions[0]);
    one_by_one(problems, grids.all(), blas, poll, solutions);
    return;
  }
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
  std::vector<double> whole;
  for (Index j = 0; j <= first.X.p; ++j) whole.push_back(M[std::size_t(j * (P + 1))]);
  std::vector<char> lost(std::size_t(per_round), 0);
  for (Index k = 0; k < per_round; ++k) {
    Design& design = *designs[std::size_t(k)];
    const double share = M[std::size_t(k * size + (P - 1) * (P + 1))];
    scale_gram(M.data() + k * size, pilot, design.centred(), first.n_threads, design.stats);
    lost[std::size_t(k)] = k > 0 && digits_lost(design, whole, share);
    if (!lost[std::size_t(k)] && !check_finite(design, solutions[std::size_t(k)])) return;
  }
  if (grids.wanted()) {
    Options ask = options[0];
    ask.n_alphas = 0;
    Solution null;
    gram_path(*designs[0], problems[0], M.data(), ask, reading, null);
    grids.set(null.alpha_max);
  }
  std::atomic<Index> next{0};
  const Index members = Index(problems.size());
  run_group(std::min<Index>(members, options[0].n_threads), poll, [&](Index) {
    for (Index m; (m = next.fetch_add(1)) < members;) {
      const std::size_t k = std::size_t(m);
      const Index fold = m % per_round;
      const double* G = M.data() + fold * size;
      const Design& design = *designs[std::size_t(fold)];
      Options own = poll.member(grids.of(k), 1);
      if (lost[std::size_t(fold)]) {
        path(problems[k], own, blas, solutions[k]);
        continue;
      }
      Monitor monitor(own, solutions[k]);
      gram_path(design, problems[k], G, own, monitor, solutions[k]);
      if (fold == 0) continue;
      // rows of the cell = all rows less those trained on, by their shares of the weights; little
      // beside t't has few digits
      const double share = mass[std::size_t(fold - 1)];
      for (Point& point : solutions[k].points) {
        const double all = squared_error(*designs[0], M.data(), point);
        const double held = all - (1.0 - share) * squared_error(design, G, point);
        if (held > 1e-5 * designs[0]->tt) point.held_out = held / share;
      }
    }
  });
}

// How many problems fit in memory together: in `most` bytes if given, in what one path may take (30
// directions of float32, ten numbers a row and feature, 64 MB), or in a quarter of X; two share a
// reading at least.
inline Index lockstep_members(const AnyMatrix& X, const MatrixRef& stored, double most) {
  const double n = double(X.n), p = double(X.p), all = double(std::max(stored.p, stored.n_stored));
  const double each = 8.0 * (140.0 * n + (22.0 + double(most_directions(X))) * p);
  const double one_path = 64e6 + 8.0 * (30.0 * (n + 0.5 * all) + 10.0 * (n + all));
  double room = std::max(one_path, 0.25 * X.size());
  room = std::max(room, 2.0 * each);
  if (most > 0.0) room = std::min(room, most);
  return std::max<Index>(1, std::min<Index>(16, Index(room / each)));
}

// Problems that share X and a mode, and differ in their targets, or in their penalties and the rows
// they are trained on.
inline void paths_in(Mode mode, const AnyMatrix& X, const std::vector<Problem>& problems,
                     const std::vector<Options>& options, const Cells& cells, SharedGrids& grids,
                     const Blas& blas, GroupPoll& poll, std::vector<Solution>& solutions) {
  bool same_rows = true;
  for (const Problem& problem : problems)
    same_rows = same_rows && problem.sample_weight == problems[0].sample_weight;
  if (mode == Mode::kernel || (mode == Mode::gram && !cells.of && !same_rows)) {
    one_by_one(problems, grids.all(), blas, poll, solutions);
    return;
  }
  if (mode == Mode::gram) {
    if (cells.of)
      gram_folds(problems, options, cells, grids, blas, poll, solutions);
    else
      gram_targets(problems, options, blas, poll, solutions);
    return;
  }
  const Index count = Index(problems.size());
  const Index most = lockstep_members(X, problems[0].X, options[0].max_bytes);
  for (Index begin = 0; begin < count; begin += most) {
    const Index members = std::min(most, count - begin);
    SharedReading reading(X, members, options[0].n_threads);
    run_group(members, poll, [&](Index m) {
      const std::size_t k = std::size_t(begin + m);
      const int ahead = int(Proofs::kInDoubt) + 1;  // the answers that wait, and a tangent
      const int share = X.together() > 8 ? ahead : !cells.of ? 4 : share_of(m, members, 2);
      auto companion = std::make_unique<Companion>(X, reading, m, share);  // leaves on any error
      Options own = poll.member(grids.of(k), members);
      Monitor monitor(own, solutions[k]);
      const Restricted own_rows(problems[k]);
      Design design(own_rows.problem, blas, own.n_threads, own_rows.view(std::move(companion)));
      run_mode(mode, design, own, monitor, solutions[k]);
    });
  }
}

// Problems that share X and differ in their targets, or come in rounds of `per_round` that differ
// in the rows they are trained on: those of one mode are solved together.
inline void paths(const std::vector<Problem>& problems, const std::vector<Options>& options,
                  const std::int32_t* cell, Index n_cells, Index per_round, const Blas& blas,
                  std::vector<Solution>& solutions) {
  solutions.resize(problems.size());
  const std::unique_ptr<AnyMatrix> X = open(problems[0].X);
  for (Solution& solution : solutions)
    if (solution.report.x_size == 0.0) solution.report.x_size = X->size();
  GroupPoll poll{options[0]};
  if (problems.size() == 1 || !problems[0].loss.quadratic) {
    one_by_one(problems, options, blas, poll, solutions);
    return;
  }
  const Cells cells{cell, n_cells};
  std::vector<std::vector<std::size_t>> of_mode(4);
  for (std::size_t k = 0; k < problems.size(); ++k) {
    const Mode mode = choose_mode(problems[k], *X, options[k], solutions[k].report,
                                  Index(problems.size()), cell ? n_cells + 1 : 1);
    of_mode[std::size_t(mode)].push_back(k);
  }
  SharedGrids grids(problems, options, per_round);
  const bool all_by_cells = cell && of_mode[std::size_t(Mode::gram)].size() == problems.size();
  if (grids.wanted() && !all_by_cells) {
    set_by_reading(grids, problems[0], options[0], blas, solutions[0]);
    if (solutions[0].failure != Failure::none) return;
  }
  for (std::size_t mode = 0; mode < of_mode.size(); ++mode) {
    const std::vector<std::size_t>& which = of_mode[mode];
    if (which.empty()) continue;
    if (which.size() == problems.size()) {
      paths_in(Mode(mode), *X, problems, options, cells, grids, blas, poll, solutions);
      return;
    }
    std::vector<Problem> own;
    std::vector<Options> own_options;
    std::vector<Solution> found;
    for (std::size_t k : which) {
      own.push_back(problems[k]);
      own_options.push_back(grids.of(k));
      found.push_back(std::move(solutions[k]));
    }
    SharedGrids set(own, own_options, 0);
    paths_in(Mode(mode), *X, own, own_options, cells, set, blas, poll, found);
    for (std::size_t i = 0; i < which.size(); ++i) solutions[which[i]] = std::move(found[i]);
  }
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

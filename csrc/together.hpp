// Several problems on one X at once: targets, and the folds of a cross-validation.
#pragma once

#include "gram_folds.hpp"
#include "held_out.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// X'X is read once; each target then has a path of its own on it.
inline void gram_targets(const std::vector<Problem>& problems, const std::vector<Options>& options,
                         const Blas& blas, GroupPoll& poll, std::vector<Solution>& solutions) {
  constexpr Index together = 64;
  const Index targets = Index(problems.size());
  Monitor reading(options[0], solutions[0]);
  StopSign stop([&] { return reading.stopped(); });
  Design first(problems[0], blas, options[0].n_threads);
  Vector M;
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
    Vector V, C;
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

// How many problems fit in memory together: in what is promised of one path, or in a quarter of X,
// within the memory allowed; two share a reading at least.
inline Index lockstep_members(const AnyMatrix& X, const MatrixRef& stored, const Options& options) {
  const double n = double(X.n), p = double(X.p), all = double(std::max(stored.p, stored.n_stored));
  const double each = 8.0 * (140.0 * n + (22.0 + double(most_directions(X))) * p);
  double room = std::max(options.promise(n, all, 0.0), 0.25 * X.size());
  room = std::max(room, 2.0 * each);
  if (options.max_bytes > 0.0) room = std::min(room, options.max_bytes);
  return std::max<Index>(1, std::min<Index>(16, Index(room / each)));
}

// The statistics of as many problems of the first round as are solved together, from one reading of
// X, and by them the grids of all rounds where none are given. Problem k of a round has the rows
// and the target of problem k of any other.
inline std::vector<Statistics> read_round(const AnyMatrix& X, const std::vector<Problem>& problems,
                                          const std::vector<Options>& options, Index per_round,
                                          SharedGrids& grids, const Blas& blas,
                                          Solution& solution) {
  const Index most = lockstep_members(X, problems[0].X, options[0]),
              count = std::min(per_round, most);
  std::vector<std::unique_ptr<Design>> designs;
  std::vector<Vector> targets;
  std::vector<Statistics> out(std::size_t(count), Statistics(X.p));
  std::vector<Moments> wanted;
  for (std::size_t k = 0; k < out.size(); ++k) {
    designs.push_back(std::make_unique<Design>(problems[k], blas, options[0].n_threads));
    targets.push_back(designs[k]->weighted_target());
    wanted.push_back({designs[k]->omega.data(), targets[k].data(), designs[k]->centred(), &out[k]});
  }
  solution.report.x_bytes +=
      X.statistics(wanted, worthwhile(options[0].n_threads, reading_work(X, int(count))));
  solution.report.n_rhs += count;
  designs[0]->take_statistics(out[0]);
  designs.resize(1);
  if (grids.wanted()) set_by_statistics(grids, *designs[0], options[0], solution);
  return out;
}

// The statistics of each problem, null where they are to be read. once: each belongs to one
// problem, which takes it, since a copy beside it is three numbers a feature.
struct Known {
  std::vector<Statistics*> of;
  bool once;

  Statistics take(std::size_t k) const {
    if (once) return std::move(*of[k]);
    return *of[k];
  }
};

// Problems that share X and a mode, and differ in their targets, or in their penalties and the rows
// they are trained on.
inline void paths_in(Mode mode, const AnyMatrix& X, const std::vector<Problem>& problems,
                     const std::vector<Options>& options, const Known& known, const Cells& cells,
                     SharedGrids& grids, const Blas& blas, GroupPoll& poll,
                     std::vector<Solution>& solutions) {
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
  const Index most = lockstep_members(X, problems[0].X, options[0]);
  for (Index begin = 0; begin < count; begin += most) {
    const Index members = std::min(most, count - begin);
    SharedReading reading(X, members, options[0].n_threads);
    run_group(members, poll, [&](Index m) {
      const std::size_t k = std::size_t(begin + m);
      const int share = X.together() > 8 ? X.share() : !cells.of ? 4 : share_of(m, members, 2);
      // folds wait for each other at every reading: the work between two evens out over six answers
      const Index patience = cells.of && !X.sparse() ? 6 : X.patience();
      Turn turn(reading, m);
      {
        auto companion = std::make_unique<Companion>(X, reading, m, share, patience);
        Options own = poll.member(grids.of(k), members);
        Monitor monitor(own, solutions[k]);
        const Restricted own_rows(problems[k]);
        Design design(own_rows.problem, blas, own.n_threads, own_rows.view(std::move(companion)));
        if (known.of[k]) design.take_statistics(known.take(k));
        run_mode(mode, design, own, monitor, solutions[k]);
      }
      turn.ask_no_more();
      judge_held_out(problems[0], cells, Index(k), solutions[k]);
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
  const bool on_x = !of_mode[std::size_t(Mode::working_set)].empty() ||
                    !of_mode[std::size_t(Mode::residual)].empty();
  std::vector<Statistics> read;
  if (per_round > 0 && !all_by_cells && (on_x || grids.wanted())) {
    read = read_round(*X, problems, options, per_round, grids, blas, solutions[0]);
    if (solutions[0].failure != Failure::none) return;
  }
  Known known{std::vector<Statistics*>(problems.size(), nullptr),
              problems.size() <= std::size_t(per_round)};
  for (std::size_t k = 0; !read.empty() && k < problems.size(); ++k)
    if (const std::size_t fold = k % std::size_t(per_round); fold < read.size())
      known.of[k] = &read[fold];
  for (std::size_t mode = 0; mode < of_mode.size(); ++mode) {
    const std::vector<std::size_t>& which = of_mode[mode];
    if (which.empty()) continue;
    if (which.size() == problems.size()) {
      paths_in(Mode(mode), *X, problems, options, known, cells, grids, blas, poll, solutions);
      return;
    }
    std::vector<Problem> own;
    std::vector<Options> own_options;
    Known own_known{{}, known.once};
    std::vector<Solution> found;
    for (std::size_t k : which) {
      own.push_back(problems[k]);
      own_options.push_back(grids.of(k));
      own_known.of.push_back(known.of[k]);
      found.push_back(std::move(solutions[k]));
    }
    SharedGrids set(own, own_options, 0);
    paths_in(Mode(mode), *X, own, own_options, own_known, cells, set, blas, poll, found);
    for (std::size_t i = 0; i < which.size(); ++i) solutions[which[i]] = std::move(found[i]);
  }
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

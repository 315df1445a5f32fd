// Problems on one X, one after the other, and the grids of alphas that rounds of them share.
#pragma once

#include "lockstep.hpp"
#include "modes.hpp"

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

// Options of problem k where none gives alphas: the grid of its round, which is that of the round's
// first problem, all rows; `null` knows alpha_max of the first round.
class SharedGrids {
 public:
  // per_round = 0: problems share nothing
  SharedGrids(const std::vector<Problem>& problems, const std::vector<Options>& options,
              Index per_round)
      : problems_(problems), options_(options), per_round_(per_round) {}

  bool wanted() const { return per_round_ > 0 && !options_[0].alphas && options_[0].n_alphas > 0; }

  // alpha l1_ratio is what alpha_max depends on
  void set(const Solution& null) {
    for (std::size_t k = 0; k < problems_.size(); k += std::size_t(per_round_))
      grids_.push_back(
          alpha_grid(options_[k], AlphaMax(null, problems_[0].l1_ratio / problems_[k].l1_ratio)));
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
  std::vector<Vector> grids_;
};

// alpha_max of the first problem from its statistics, which are read where they are not known.
inline void set_by_statistics(SharedGrids& grids, Design& first, Options options,
                              Solution& solution) {
  Solution null;
  options.n_alphas = 0;
  options.solver = Solver::working_set;
  Monitor monitor(options, null);
  path(first, options, monitor, null);
  grids.set(null);
  solution.failure = null.failure;
  solution.bad_column = null.bad_column;
  solution.report.x_bytes += null.report.x_bytes;
  solution.report.n_rhs += null.report.n_rhs;
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

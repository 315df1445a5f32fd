// The folds of a cross-validation in Gram mode, from one reading of X.
#pragma once

#include "shared_grids.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// Mean squared error of a point on some rows, through their Gram matrix G (P x P).
inline double squared_error(const Sums& sums, bool centred, const double* G, const Point& point) {
  const Statistics& stats = sums.stats;
  const Index P = Index(stats.inv.size()) + 2;
  double shift = sums.t_mean - point.intercept, sum = sums.tt;
  Vector b;
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
  return sum + (centred ? shift * shift : 0.0);
}

// Whether differences from sums over all rows, whose squares were `whole` (p + 1,), the target's
// last, leave those of a share of the weights too few digits.
inline bool digits_lost(const Sums& sums, const Vector& whole, double share) {
  constexpr double most = 1e4;
  const std::size_t p = sums.stats.inv.size();
  bool few = whole[p] > 0.0 && !(whole[p] <= most * share * sums.tt);
  for (std::size_t j = 0; j < p && !few; ++j) {
    const double norm = sums.stats.norm(j);
    few = norm != 0.0 && !(whole[j] <= most * share * norm * norm);
  }
  return few;
}

// What a problem of a round is trained on.
struct Trained {
  Sums sums;
  const double* G;    // (P x P), scaled
  double left_out;    // share of the weights
  bool lost = false;  // too few digits are left: the rows are read alone
};

// The sums over rows of that share of the weights by their matrix M (P x P), which is scaled; the
// target in it is centred at t_mean.
inline Sums sums_of(double* M, double share, const Vector& pilot, double t_mean, bool centred,
                    int n_threads) {
  const Index p = Index(pilot.size()), P = p + 2;
  Sums out(p);
  const double shift = centred ? M[p + (p + 1) * P] / share : 0.0;
  out.t_mean = t_mean + shift;
  out.tt = std::max(0.0, M[p + p * P] / share - shift * shift);
  out.t_square = out.tt + out.t_mean * out.t_mean;
  scale_gram(M, pilot, centred, n_threads, out.stats);
  return out;
}

// M, whose matrices behind the first are those of cells, becomes those of all rows and of all but
// each cell's: what the problems of a round are trained on.
inline std::vector<Trained> leave_out_each(Design& first, const Vector& pilot, Index n_cells,
                                           Vector& M) {
  const Index P = first.X.p + 2, size = P * P;
  double* cell_sums = M.data() + size;
  Vector cell_shares;
  for (Index c = 0; c < n_cells; ++c)
    cell_shares.push_back(cell_sums[(P - 1) * (P + 1) + c * size]);
  parallel_blocks(first.n_threads, P, [&](Index column) {
    for (Index k = column * P; k < (column + 1) * P; ++k) {
      double total = 0.0;
      for (Index c = 0; c < n_cells; ++c) total += cell_sums[k + c * size];
      M[std::size_t(k)] = total;
      for (Index c = 0; c < n_cells; ++c) cell_sums[k + c * size] = total - cell_sums[k + c * size];
    }
  });
  Vector whole;
  for (Index j = 0; j <= first.X.p; ++j) whole.push_back(M[std::size_t(j * (P + 1))]);
  scale_gram(M.data(), pilot, first.centred(), first.n_threads, first.stats);
  std::vector<Trained> out{{first, M.data(), 0.0}};
  for (double cell : cell_shares) {
    double* G = M.data() + size * Index(out.size());
    const double share = G[(P - 1) * (P + 1)];
    out.push_back(
        {sums_of(G, share, pilot, first.t_mean, first.centred(), first.n_threads), G, cell});
    out.back().lost = digits_lost(out.back().sums, whole, share);
  }
  return out;
}

// Of the rows of a cell, as a difference: all rows less those trained on, by their shares of the
// weights. What is little beside t't has few digits and stays unknown.
inline void set_held_out(const Trained& all, const Trained& fold, bool centred,
                         std::vector<Point>& points) {
  for (Point& point : points) {
    const double trained = squared_error(fold.sums, centred, fold.G, point);
    const double held =
        squared_error(all.sums, centred, all.G, point) - (1.0 - fold.left_out) * trained;
    if (held > 1e-5 * all.sums.tt) point.held_out = held / fold.left_out;
  }
}

// The folds of a cross-validation: one reading of X gives the sums of every cell, and what problem
// k of a round is trained on is all rows (k = 0) or all but those of cell k - 1. Problems come in
// rounds of `per_round`, which differ in their penalties and alphas alone.
inline void gram_folds(const std::vector<Problem>& problems, const std::vector<Options>& options,
                       const Cells& cells, SharedGrids& grids, const Blas& blas, GroupPoll& poll,
                       std::vector<Solution>& solutions) {
  Monitor reading(options[0], solutions[0]);
  StopSign stop([&] { return reading.stopped(); });
  Design first(problems[0], blas, options[0].n_threads);
  const Index P = first.X.p + 2, size = P * P;
  Vector M(std::size_t(size * (cells.count + 1)), 0.0), pilot;
  Report& report = solutions[0].report;
  report.x_bytes += first.X.size();
  report.n_rhs += 1;
  report.peak_bytes += 8.0 * double(M.size()) + 48e6;
  if (!first.X.sums(first.root.data(), first.t.data(), first.centred(), cells, blas,
                    first.n_threads, M.data() + size, pilot, stop)) {
    poll.stop = poll.cut = reading.status == Status::interrupted;
    if (grids.wanted()) set_by_statistics(grids, first, options[0], solutions[0]);
    one_by_one(problems, grids.all(), blas, poll, solutions);
    return;
  }
  const std::vector<Trained> round = leave_out_each(first, pilot, cells.count, M);
  for (std::size_t k = 0; k < round.size(); ++k)
    if (!round[k].lost && !check_finite(round[k].sums, solutions[k])) return;
  if (grids.wanted()) {
    Options ask = options[0];
    ask.n_alphas = 0;
    Solution null;
    gram_path(first, problems[0], M.data(), ask, reading, null);
    grids.set(null);
  }
  std::atomic<Index> next{0};
  const Index members = Index(problems.size());
  run_group(std::min<Index>(members, options[0].n_threads), poll, [&](Index) {
    for (Index m; (m = next.fetch_add(1)) < members;) {
      const std::size_t k = std::size_t(m);
      const Trained& mine = round[k % round.size()];
      const Options own = poll.member(grids.of(k), 1);
      if (mine.lost)
        path(problems[k], own, blas, solutions[k]);
      else
        gram_path(mine.sums, problems[k], mine.G, blas, own, solutions[k]);
      if (!mine.lost && mine.left_out > 0.0)
        set_held_out(round[0], mine, first.centred(), solutions[k].points);
    }
  });
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// The path in about ten readings of X: exact solves on a growing working set, and proofs for all
// other features from stored directions.
//
// One reading gives statistics and z_j't. Each alpha is then solved on the working set W, and the
// directions held bound every other |c_j|: features that cannot violate are certified without X,
// likely violators join W before anything is read. What is left waits: one reading of up to eight
// directions, which span the residuals of all alphas that wait, decides them together. The first
// alpha found to lack a feature is solved again from there.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "proofs.hpp"
#include "residual_path.hpp"
#include "screening.hpp"
#include "start.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// Whether what is counted keeps the promise of memory for W features: beside it a process holds a
// tenth and 10 MB.
inline bool keeps_promise(const AnyMatrix& X, double W, double bytes, const Options& options) {
  return 1.1 * bytes + 1e7 <= options.promise(double(X.n), double(X.p), W);
}

class WorkingSetPath {
 public:
  WorkingSetPath(Design& design, const Options& options, ElasticNet penalty, Monitor& monitor,
                 Solution& solution)
      : design_(design),
        options_(options),
        penalty_(std::move(penalty)),
        monitor_(monitor),
        solution_(solution),
        target_(design.weighted(design.t)),
        W_(design, penalty_, target_),
        directions_(design, W_, target_, most_directions(design.X)),
        screener_(design, penalty_, W_, directions_),
        start_(start_at_null(design, penalty_, W_, directions_, solution.report)),
        answers_(design, options, W_, grid_, start_.null, monitor),
        proofs_(design, penalty_, W_, directions_, screener_, solution.report) {
    directions_.read_copy(options.copy_bytes, solution.report);
    directions_.sharpen(W_.features, solution.report);
  }

  void run() {
    start_.alpha_max.report(solution_);
    solution_.null_objective = start_.null.objective;
    grid_ = alpha_grid(options_, start_.alpha_max);
    if (grid_.empty()) return;  // alpha_max is all that was asked for
    if (start_.null.exact()) {
      for (double alpha : grid_)
        if (answers_.record_null(alpha)) break;
      return;
    }
    penalty_.alpha = grid_.front();
    W_.least_alpha = grid_.back();
    join(first_features(design_, penalty_, W_, start_.c, options_.coef_init));
    Vector().swap(start_.c);
    const double usual_l1 = usual_factor(penalty_, penalty_.factor1, design_.X.p);
    if (usual_l1 > 0.0) proofs_.strength = usual_l1;
    usual_l2_ = usual_factor(penalty_, penalty_.factor2, design_.X.p);
    reached_ = from_above(start_.alpha_max.value);
    if (options_.coef_init && !cancels(penalty_, design_.stats, options_.coef_init, design_.tt))
      start_from(options_.coef_init);
    std::size_t k = 0, begun = grid_.size();
    while (k < grid_.size() && !done_ && !solution_.stopped) {
      if (k != begun) begin(begun = k);
      keep_promise();
      const double alpha = next_alpha(grid_[k]), above = reached_;
      const bool asked = alpha == grid_[k];
      share_ = asked || directions_.by_copy() || W_.size() >= design_.X.n ? 0.2 : 0.4;
      const bool solved = solve_at(alpha);
      if (solved) {
        reached_ = alpha;
        if (asked)
          k = wait(k);
        else
          look();
      } else if (!W_.spent()) {
        k = give_up(k);
      }
      if (!done_ && !solution_.stopped && descends(k, asked ? alpha : above)) break;
    }
    if (solution_.stopped && solution_.points.empty()) give_up(k);
    report();
  }

 private:
  // b from coef where its objective is less than the null model's: one reading of its residual says
  // for which alpha it is near the answer, and is a direction for the proofs.
  void start_from(const double* coef) {
    std::vector<Index> null_support, support;
    Vector null_b, b;
    const Vector given = scaled(penalty_, design_.stats, coef);
    for (Index k = 0; k < W_.size(); ++k) {
      const Index j = W_.features[std::size_t(k)];
      null_support.push_back(k);
      null_b.push_back(W_.b[std::size_t(k)]);
      if (given[std::size_t(j)] == 0.0) continue;
      support.push_back(k);
      b.push_back(given[std::size_t(j)]);
    }
    if (support.empty()) return;
    W_.set(support, b);
    W_.penalty.alpha = grid_.front();
    started_ = W_.objective() < start_.null.objective;
    if (!started_) {
      W_.set(null_support, null_b);
      return;
    }
    W_.state();
    proofs_.read_all();
    const Vector a = screener_.locate(W_.dual).a;
    Vector c(std::size_t(design_.X.p), 0.0);
    for (std::size_t k = 0; k < a.size(); ++k)
      for (Index j = 0; j < design_.X.p; ++j)
        c[std::size_t(j)] += a[k] * directions_.correlations(Index(k))[j];
    for (std::size_t k = 0; k < b.size(); ++k) {  // at an answer c = alpha (f1 + f2 |b|) there
      const std::size_t j = std::size_t(W_.features[std::size_t(support[k])]);
      const double f1 = penalty_.factor1[j];
      if (f1 > 0.0) c[j] *= f1 / (f1 + penalty_.factor2[j] * std::fabs(b[k]));
    }
    reached_ = from_above(std::min(start_.alpha_max.value, largest_alpha(penalty_, c)));
  }

  // Where the way down to the grid begins: what joins sooner has a factor of almost nothing, for
  // which alpha_max may be infinite.
  double from_above(double alpha) const {
    return std::max(std::min(alpha, 1e6 * grid_.front()), grid_.front());
  }

  // The grid's next alpha, or one on the way to it: a step too far makes W explode.
  double next_alpha(double wanted) const {
    return wanted < kStep * kStep * reached_ ? kStep * reached_ : wanted;
  }

  bool solve_at(double alpha) {
    const bool solved = solve_and_grow(alpha);
    W_.complete();
    return solved;
  }

  bool solve_and_grow(double alpha) {
    penalty_.alpha = alpha;
    const double goal = std::min(0.1 * options_.tol, 1e-11);
    grown_ = 0;
    for (int round = 0;; ++round) {
      const bool given =
          std::exchange(started_, false) && W_.proves(alpha, goal * start_.null.objective);
      const bool solved = given || W_.solve(alpha, goal, start_.null.objective, options_.max_iter,
                                            monitor_, solution_.report);
      if (options_.max_iter > 0) W_.complete();
      const bool limited =
          options_.max_iter > 0 && W_.gap() > 0.5 * options_.tol * start_.null.objective;
      if (!solved && (monitor_.stopped() || limited || W_.spent())) return false;
      now_ = screener_.screen(W_.dual);
      if (round >= 20 || !grow(now_)) return true;
    }
  }

  // Free growth: likely violators join W without a reading, the likeliest where they are many.
  bool grow(Screening& seen) {
    if (seen.suspects.empty()) return false;
    // far from what was read last little is known of many
    const bool guess = many_in_doubt() && !proofs_.empty();
    const double room = guess ? double(design_.X.n) / 16.0 : share_ * double(W_.size());
    const Index most = std::max<Index>(25, Index(room)) - grown_;
    if (most <= 0) return false;
    const std::size_t count = seen.suspects.size(), together = most_together(count);
    grown_ += Index(seen.suspects.size());
    seen.suspects.insert(seen.suspects.end(), seen.soon.begin(), seen.soon.end());
    add_largest(seen.suspects, std::min(std::size_t(most), together));
    return true;
  }

  // How many join where `count` are likely to violate: of those that will soon, the more the less
  // one costs. Sparse columns of the Gram matrix cost little more by the panel.
  std::size_t most_together(std::size_t count) const {
    if (W_.joins_by_columns()) return 16 * count + 32;
    return design_.X.sparse() ? 3 * count + 8 : 2 * count + 4;
  }

  void add_largest(std::vector<std::pair<double, Index>>& scored, std::size_t most) {
    const std::size_t count = std::min(most, scored.size());
    std::partial_sort(scored.begin(), scored.begin() + std::ptrdiff_t(count), scored.end(),
                      [](const auto& x, const auto& y) {
                        return x.first > y.first || (x.first == y.first && x.second < y.second);
                      });
    std::vector<Index> S;
    for (std::size_t k = 0; k < count; ++k)
      if (W_.position[std::size_t(scored[k].second)] < 0) S.push_back(scored[k].second);
    join(S);
    solution_.report.working_set = std::max(solution_.report.working_set, W_.size());
  }

  // The directions find points by the coefficients on W.
  void join(const std::vector<Index>& S) {
    W_.add(S, solution_.report);
    directions_.sharpen(S, solution_.report);
  }

  // Whether a share of all features is in doubt that calls for a reading: the residuals along the
  // path are of high rank there, and each of them needs a direction of its own.
  bool many_in_doubt() const { return in_doubt(kDoubt); }
  bool in_doubt(double share) const { return double(now_.uncertain) > share * double(design_.X.p); }

  // How many answers wait where most features are in doubt, that at grid_[k] among them. What joins
  // in vain meanwhile costs the more the larger W is, and on sparse X, where readings cost little,
  // always too much. The last answer has no reading of its own.
  Index most_in_doubt(std::size_t k) const {
    const Index least = design_.X.patience(),
                most = design_.X.sparse()
                           ? least
                           : std::clamp<Index>(5 * design_.X.n / (W_.size() + 1), least, 6);
    return k + 2 == grid_.size() ? most + 1 : most;
  }

  // On the way between alphas: a reading only where most features are in doubt, or some where it is
  // one of a copy, which costs less than features that join in vain. What it finds joins.
  void look() {
    if (!in_doubt(directions_.by_copy() ? kDoubtOfCopy : kDoubt)) return;
    proofs_.read();
    now_ = screener_.again(W_.dual, now_);
    grown_ = 0;
    grow(now_);
  }

  double bytes() const {
    return W_.bytes() + directions_.bytes() + screener_.bytes() + proofs_.bytes();
  }

  // The copy of X is given up where what is promised for W leaves no room for it.
  void keep_promise() {
    if (!design_.copy) return;
    const double held = bytes();
    held_ = std::max(held_, held);
    if (!keeps_promise(design_.X, double(W_.size()), held, options_))
      directions_.sharpen_all(solution_.report);
    if (!directions_.by_copy()) design_.copy.reset();
  }

  // The solution at grid_[k] waits for its proof; returns the next k to solve.
  std::size_t wait(std::size_t k) {
    Answer answer = answers_.present(k);
    answer.seen = now_;
    const bool last = k + 1 == grid_.size() || ends(answer);
    proofs_.push(std::move(answer));
    const bool doubtful = now_.violating > 0 || grown_ > 25 + W_.size() / 5 ||
                          (many_in_doubt() && proofs_.size() >= most_in_doubt(k));
    if (last || doubtful || proofs_.size() >= Proofs::kMost) return verify(k + 1);
    accept_certified();
    return k + 1;
  }

  // Whether the path ends behind this answer.
  bool ends(const Answer& w) const {
    return (options_.dfmax >= 0 && Index(w.dual.at.b.size()) > options_.dfmax) ||
           w.deviance >= options_.stop_at_deviance;
  }

  void accept_certified() {
    proofs_.accept([&](const Answer& w) {
      if (done_) return false;
      record(w);
      return true;
    });
  }

  // Decides all that waits; returns the next step to solve, which is `next` unless one of them
  // lacks a feature.
  std::size_t verify(std::size_t next) {
    for (;;) {
      std::vector<std::pair<double, Index>> missing = proofs_.decide();
      accept_certified();
      if (proofs_.empty() || done_) return next;
      if (!missing.empty() && proofs_.front().seen.violating > 0) return go_back(missing);
      if (solution_.stopped) return next;
      proofs_.read_for_all();
    }
  }

  // The first answer that waits lacks features: it and all behind it are solved again with them.
  std::size_t go_back(std::vector<std::pair<double, Index>>& missing) {
    const Answer w = proofs_.take_first();
    add_largest(missing, std::max<std::size_t>(64, w.dual.at.b.size()));
    W_.set(w.dual.at.features, w.dual.at.b);
    reached_ = w.alpha;
    screener_.kappa = std::min(6.0, 1.2 * screener_.kappa);
    return w.step;
  }

  void record(const Answer& w) {
    penalty_.alpha = W_.penalty.alpha = w.alpha;
    check_zeros(w);
    Correlations z;
    z.c = w.dual.c;
    const double dual = value_of(W_.penalty, w.dual, z, 1.0 / (1.0 + w.seen.excess));
    done_ = answers_.record(w, dual, Status::stalled);
  }

  // In a debug build every certified zero is held against its correlation, feature by feature: no
  // reading of X, which others may share.
  void check_zeros([[maybe_unused]] const Answer& w) const {
#ifdef REGSOLVE_DEBUG
    DualPoint exact = w.dual;
    W_.find_vectors({&exact});
    const Vector v = design_.weighted(exact.v);
    const double sum = std::accumulate(v.begin(), v.end(), 0.0), size = std::sqrt(exact.square);
    for (Index j = 0; j < design_.X.p; ++j) {
      const Index at = W_.position[std::size_t(j)];
      if ((at >= 0 && at < Index(w.dual.c.size())) || penalty_.excluded(j)) continue;
      const double room = 4.0 * directions_.rounding(j) * size;
      if (screener_.reach(j, design_.correlation(j, v, sum)) >
          penalty_.l1(j) * (1.0 + 2.0 * kRoom) + room)
        throw std::logic_error("a feature was certified zero that is not");
    }
#endif
  }

  // The solver was stopped before it finished grid_[k]: what waits is decided, and the first answer
  // without a proof gets its gap from a reading.
  std::size_t give_up(std::size_t k) {
    const std::size_t next = verify(k);
    if (done_ || (next < k && !solution_.stopped)) return next;
    Answer w;
    if (proofs_.empty()) {
      W_.penalty.alpha = grid_[next];
      W_.state();
      w = answers_.present(next);
    } else {
      w = proofs_.take_first();
    }
    penalty_.alpha = W_.penalty.alpha = w.alpha;
    W_.find_vectors({&w.dual});
    const Vector v = design_.weighted(w.dual.v);
    Correlations z;
    design_.correlate(v.data(), 1, z.c, solution_.report);
    for (Index j = 0; j < design_.X.p; ++j) {
      const std::size_t i = std::size_t(j);
      if (W_.position[i] >= 0 && W_.position[i] < Index(w.dual.c.size()))
        z.c[i] = w.dual.c[std::size_t(W_.position[i])];
      else
        w.violation =
            std::max(w.violation, design_.stats.norm(i) * penalty_.distance(j, 0.0, z.c[i]));
    }
    done_ = answers_.record(w, value_of(penalty_, w.dual, z),
                            solution_.stopped ? monitor_.status : Status::max_iter);
    reached_ = w.alpha;
    return w.step + 1;
  }

  // Where the next growth of W may pass the memory allowed, or the direct solver spends more on an
  // alpha than coordinate descent would: its cost grows with the cube of the support.
  bool too_large() const {
    const double most = options_.max_bytes > 0.0 ? options_.max_bytes : 8e9;
    return 2.0 * W_.bytes() > most || W_.n_free() > 8000 || W_.spent();
  }

  // Allows the work worth spending on grid[k] from where the path stands: of 60 epochs on W, and 60
  // more for each factor e that alpha falls; half on sparse X where the l2 term's curvature, beside
  // that of the loss along a feature of norm 1, makes descent fast. A stored value costs an epoch
  // what four entries of a triangle cost the direct solver. Who asks for working sets by name gets
  // them.
  void begin(std::size_t k) {
    descent_.reset();
    tried_ = 0;
    work_ = W_.work();
    if (options_.solver == Solver::working_set) return;
    const double fall = std::max(0.0, std::log(reached_ / grid_[k]));
    const bool well_conditioned = design_.X.sparse() && grid_[k] * usual_l2_ >= 0.002;
    W_.allow((well_conditioned ? 120.0 : 240.0) * (1.0 + fall));
  }

  // Whether the path ends here: coordinate descent did the rest, where the direct solver is spent
  // or within a trial. k may go back to an alpha that lacks a feature.
  bool descends(std::size_t& k, double above) {
    const bool large = too_large();
    const Index epochs = large ? 0 : worth_trying(k, above);
    if (!large && epochs == 0) return false;
    const std::size_t wanted = std::exchange(k, verify(k));
    if (done_ || solution_.stopped || k == grid_.size()) return true;
    if (!large && k != wanted) return false;
    if (hand_over(k, epochs)) return true;
    if (tried_ == 0) solution_.report.why += "; coordinate descent was tried";
    tried_ += epochs;
    W_.allow(infinity);
    return false;
  }

  // Epochs of coordinate descent worth trying on the way from `above` down to a far grid[k]. The
  // direct solver's work grows by a power of 1 / alpha, about 3, until n features are active. On
  // sparse columns, which are seldom near each other, an epoch costs a stored value about what an
  // entry of a triangle costs and a feature what 8 values do; a digit of the gap takes some 30
  // epochs. Where it takes far more, longer trials follow as the direct solver goes on.
  Index worth_trying(std::size_t k, double above) {
    const double active = double(W_.n_free()), digits = std::max(1.0, -std::log10(options_.tol)),
                 work = W_.work(), before = std::exchange(work_, work);
    if (!(above > reached_) || k == grid_.size() || !(active >= 100.0) || !design_.X.sparse() ||
        options_.solver == Solver::working_set || options_.max_iter > 0)
      return 0;
    const double power = std::min(3.0, std::log(work / before) / std::log(above / reached_)),
                 most = std::min(reached_ / grid_[k], std::max(1.0, double(design_.X.n) / active)),
                 epoch = W_.stored() + 8.0 * double(W_.size()),
                 ahead = work * (std::pow(most, power) - 1.0) / epoch;
    if (!(ahead >= std::max(33.0 * digits, 3.0 * double(tried_)))) return 0;
    return std::max(Index(std::clamp(ahead, 50.0 * digits, 100.0 * digits)), tried_);
  }

  // Coordinate descent on residuals does the rest from here; false where `most` epochs above 0
  // were too few for grid[k], from where the next ones go on.
  bool hand_over(std::size_t k, Index most) {
    Vector w;
    if (!descent_ || most == 0) {
      descent_ = std::make_unique<ResidualPath<ElasticNet>>(design_, options_, penalty_, monitor_,
                                                            solution_);
      w.assign(std::size_t(design_.X.p), 0.0);
      for (Index j = 0; j < W_.size(); ++j) {
        const std::size_t i = std::size_t(W_.features[std::size_t(j)]);
        w[i] = W_.b[std::size_t(j)] * design_.stats.inv[i];
      }
    }
    if (!descent_->go_on(grid_, k, w.empty() ? nullptr : w.data(), most)) return false;
    solution_.report.mode = "residual";
    solution_.report.why += "; the working set reached " + std::to_string(W_.size()) +
                            " features, and coordinate descent took over";
    return true;
  }

  void report() {
    Report& report = solution_.report;
    report.n_solves += W_.n_solves();
    report.working_set = std::max(report.working_set, W_.size());
    report.peak_bytes += std::max(held_, bytes());
  }

  static constexpr double kStep = 0.7;   // ratio of alphas on the way to a far one
  static constexpr double kDoubt = 0.3;  // share of features in doubt that calls for a reading
  static constexpr double kDoubtOfCopy = 0.05;  // ... of one of the copy

  Design& design_;
  const Options& options_;
  ElasticNet penalty_;
  Monitor& monitor_;
  Solution& solution_;
  Vector target_, grid_;
  WorkingSet W_;
  Directions directions_;
  Screener screener_;
  Start start_;
  Answers answers_;
  Proofs proofs_;
  Screening now_;
  double reached_ = 0.0;
  double held_ = 0.0;      // most bytes, with the copy
  double usual_l2_ = 0.0;  // factor of the l2 term
  Index grown_ = 0;
  double share_ = 0.2;  // of W by which it may grow at an alpha: most of n features will be active
  bool done_ = false, started_ = false;  // started_: b is coef_init, not looked at yet
  std::unique_ptr<ResidualPath<ElasticNet>> descent_;  // tried before the direct solver is spent
  Index tried_ = 0;                                    // its epochs
  double work_ = 0.0;                                  // of the direct solver, a step of alpha ago
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

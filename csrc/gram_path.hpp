// The path in Gram space: X'X and X'y come from one reading of X, and nothing reads X again.
#pragma once

#include <functional>

#include "active_set.hpp"
#include "monitor.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// The same bounds without penalty; penalised features are out: the null model's problem.
template <class Penalty>
ElasticNet null_penalty(const Penalty& penalty, const Problem& problem, const Statistics& stats) {
  const std::size_t p = stats.inv.size();
  ElasticNet out;
  out.factor1.assign(p, 0.0);
  out.factor2 = out.lower = out.upper = PerFeature(0.0);
  for (std::size_t j = 0; j < p; ++j)
    if (!penalty.penalised(Index(j)) && !left_out(problem, stats, Index(j)))
      set_bounds(problem, stats, j, out);
  return out;
}

// Free features with b_j strictly inside one or no bound: the dual point must be orthogonal to
// them, since their conjugate is infinite on one side of c_j = 0 at least.
template <class Penalty>
std::vector<Index> features_to_project(const Penalty& penalty, const Vector& b) {
  std::vector<Index> U;
  for (std::size_t k = 0; penalty.has_conjugate() && k < b.size(); ++k) {
    const Index j = Index(k);
    if (penalty.free(j) && (std::isinf(penalty.lo(j)) || std::isinf(penalty.hi(j))) &&
        b[k] > penalty.lo(j) && b[k] < penalty.hi(j))
      U.push_back(j);
  }
  return U;
}

// Adds the free features whose conjugate is infinite at c_j; false if there are none.
template <class Penalty>
bool add_infeasible(const Penalty& penalty, const Vector& c, std::vector<Index>& U) {
  const std::size_t before = U.size();
  for (std::size_t k = 0; penalty.has_conjugate() && k < c.size(); ++k)
    if (penalty.free(Index(k)) && penalty.limit(Index(k), c[k]) == 0.0) U.push_back(Index(k));
  std::sort(U.begin(), U.end());
  return U.size() > before;
}

// Rounds of descent, in each of which the gap, or what stands for it, must fall by a tenth; over
// all working sets, in each 30 long rounds or 300 short ones.
class Rounds {
 public:
  static constexpr Index epochs = 10000;  // of one

  bool stuck(const Descent& d, const Verdict& verdict) {
    const double now = std::isnan(verdict.gap) ? verdict.kkt : verdict.gap;
    const bool slow = d.epochs >= epochs && !(now < 0.9 * last_);
    improving_ = now < 0.99 * last_;
    last_ = now;
    const bool fell = now < 0.9 * least_;
    if (fell) least_ = now;
    spent_ = fell ? 0 : spent_ + std::max(d.epochs, epochs / 10);
    return d.stalled || slow;
  }
  bool improving() const { return improving_; }  // whether the last round was of use
  bool hopeless() const { return spent_ >= 30 * epochs; }

 private:
  double last_ = infinity, least_ = infinity;
  bool improving_ = true;
  Index spent_ = 0;  // epochs since the gap was least_
};

// What X itself says where its Gram matrix is too blunt.
struct FromX {
  // ||t - Zb||^2 from the residual
  std::function<double(const Vector& b)> square;
  // How many of the features U are independent; -1 where that would take too much memory to tell
  std::function<Index(const std::vector<Index>& U)> rank;
  // The residual at b projected off the features U: c = Z'u with c_U = 0, u't and u'u
  std::function<void(const Vector& b, const std::vector<Index>& U, Vector& c, double& ut,
                     double& uu)>
      project;
  // b (zero before) becomes the null model's, from its columns; returns u'u at the minimum, c = Z'u
  std::function<double(const ElasticNet& null, Vector& b, Vector& c)> solve_null;
};

template <class Penalty>
class GramPath {
 public:
  GramPath(const Problem& problem, const Options& options, const Blas& blas,
           const Statistics& stats, Penalty penalty, GramModel model, double t_square, double size,
           FromX from_x, Monitor& monitor, Solution& solution)
      : problem_(problem),
        options_(options),
        blas_(blas),
        stats_(stats),
        penalty_(std::move(penalty)),
        model_(std::move(model)),
        from_x_(std::move(from_x)),
        monitor_(monitor),
        solution_(solution),
        b_(std::size_t(model_.p), 0.0) {
    find_null(t_square, size);
  }

  void run(double base) {
    alpha_max_.report(solution_);
    solution_.null_objective = null_.objective;
    const Vector grid = alpha_grid(options_, alpha_max_);
    if (!null_.exact() && !grid.empty()) start_from(options_.coef_init, grid.front());
    ActiveSet* active = make_active();
    for (double alpha : grid) {
      penalty_.alpha = alpha;
      const Status otherwise = null_.exact() ? Status::stalled : solve_at(active);
      Verdict verdict = null_.exact() ? exact_fit(null_) : judge(nullptr);
      const Support at(b_);
      count_rounding(problem_, stats_, at.features, at.b, base, null_, verdict);
      const Status status = judge_status(problem_, verdict, options_.tol, false, otherwise);
      const double deviance = null_.exact() ? 0.0 : 1.0 - loss_ / null_.objective;
      if (monitor_.record(make_point(problem_, alpha, stats_, at.features, at.b, base, verdict,
                                     deviance, status),
                          Index(grid.size())))
        break;
    }
    Report& report = solution_.report;
    if (active) {
      report.n_solves += active->n_solves;
      report.peak_bytes += active->bytes();
    }
    report.working_set = model_.p;
  }

 private:
  void find_null(double t_square, double size) {
    ElasticNet null = null_penalty(penalty_, problem_, stats_);
    Vector b(std::size_t(model_.p), 0.0), c;
    std::size_t unpenalised = 0, independent = 0;
    bool solved = true;
    for (Index j = 0; j < model_.p; ++j) unpenalised += !null.excluded(j);
    if (unpenalised > 0) {
      ActiveSet active(blas_, model_, null, b.data());
      solved = active.solve(0, [&] { return monitor_.stopped(); });
      independent = active.free_features().size();
    }
    double uu = unpenalised > 0 ? from_x_.square(b) : model_.tt, reached = uu;
    c = model_.g;
    // not done in time, dependent to the Gram matrix's rounding, or fitting all but that: X knows
    // better
    if (!solved || independent < unpenalised || (unpenalised > 0 && uu <= 1e-6 * t_square)) {
      std::fill(b.begin(), b.end(), 0.0);
      uu = from_x_.solve_null(null, b, c);
      model_.refresh(b.data());
      reached = from_x_.square(b);
    }
    null_.objective = 0.5 * uu;
    null_.reached = 0.5 * reached;
    null_.unfitted = 0.5 * t_square;
    null_.size = size;
    null_.gradient = steepest(penalty_, c, stats_.inv);
    alpha_max_ = AlphaMax(penalty_, stats_, c, t_square);
    b_ = b;
  }

  void start_from(const double* coef, double alpha) {
    const Vector null = b_;
    penalty_.alpha = alpha;
    if (coef && !cancels(penalty_, stats_, coef, model_.tt)) {
      b_ = scaled(penalty_, stats_, coef);
      model_.refresh(b_.data());
      const double rounding = 4 * std::numeric_limits<double>::epsilon() * model_.terms(b_.data());
      if (worth_starting(penalty_, b_, model_.loss(b_.data()), rounding, null_)) return;
      b_ = null;
    }
    model_.refresh(b_.data());
  }

  ActiveSet* make_active() {
    if constexpr (std::is_same_v<Penalty, ElasticNet>) {
      if (options_.solver == Solver::cd) return nullptr;
      active_.emplace_back(blas_, model_, penalty_, b_.data());
      return &active_.back();
    }
    return nullptr;
  }

  bool proven(const std::vector<Index>* W) const { return is_proof(judge(W)); }
  bool is_proof(const Verdict& v) const {
    return judge_status(problem_, v, 0.5 * options_.tol, false, Status::stalled) != Status::stalled;
  }

  // What to call the answer if its gap does not prove it. Direct solve; where rounding stops it
  // short of tol, coordinate descent and once more.
  Status solve_at(ActiveSet* active) {
    if (!active) return descend_at(0);
    auto poll = [&] { return monitor_.stopped(); };
    Vector best;
    double least = infinity;
    for (int round = 0; round < 3; ++round) {
      const bool done = active->solve(options_.max_iter, poll);
      if (monitor_.stopped()) return monitor_.status;
      const Verdict v = judge(nullptr);
      if (is_proof(v)) return Status::stalled;
      if (v.gap < least) {
        least = v.gap;
        best = b_;
      }
      if (done && round > 0) break;
      if (!done && options_.max_iter > 0) return Status::max_iter;
      const Status status = descend_at(500);
      if (status != Status::stalled && status != Status::max_iter) return status;
      active->restart();
    }
    if (!best.empty() && !(judge(nullptr).gap <= least)) {  // where rounding decides, the best
      std::copy(best.begin(), best.end(), b_.begin());
      model_.refresh(b_.data());
      active->restart();
    }
    return Status::stalled;
  }

  // Coordinate descent on the support and what violates, until the gap over all features is small.
  // most_epochs 0: options.max_iter, or no limit.
  Status descend_at(Index most_epochs) {
    const bool limited = most_epochs > 0 || options_.max_iter > 0;
    Index left = most_epochs > 0 ? most_epochs
                                 : (options_.max_iter > 0 ? options_.max_iter
                                                          : std::numeric_limits<Index>::max());
    Rounds rounds;
    std::vector<Index> W, before;
    bool believed = true;  // a proof on W by the Gram matrix alone, while X does not contradict it
    for (;;) {
      W.clear();
      for (Index j = 0; j < model_.p; ++j)
        if (b_[std::size_t(j)] != 0.0 || penalty_.slack(j, model_.gradient(j)) < 0.0)
          W.push_back(j);
      bool on_set = false;
      const Descent d = descend(
          model_, penalty_, W, b_.data(), std::min(left, Rounds::epochs),
          [&] { return on_set = believed && proven(&W); }, [&] { return monitor_.stopped(); });
      solution_.report.n_epochs += d.epochs;
      left -= d.epochs;
      model_.refresh(b_.data());
      if (monitor_.stopped()) return monitor_.status;
      const Verdict verdict = judge(nullptr);
      if (is_proof(verdict)) return Status::stalled;
      if (left <= 0 && limited) return Status::max_iter;
      if (rounds.stuck(d, verdict) && W == before) return Status::stalled;
      if (rounds.hopeless()) return Status::stalled;
      if (on_set && W == before) believed = false;
      before = W;
    }
  }

  // Gap and violation at b, over all features or on W alone.
  Verdict judge(const std::vector<Index>* W) const {
    const double* b = b_.data();
    // what float64 cannot see in tt - q'b - g'b is counted as gap, or looked for in X
    double rounding = 4 * std::numeric_limits<double>::epsilon() * model_.terms(b);
    const bool blunt = !W && !(rounding <= 0.01 * options_.tol * null_.objective);
    double primal = model_.loss(b);
    if (blunt) {
      primal = 0.5 * from_x_.square(b_);
      double terms = std::sqrt(model_.tt);
      for (Index j = 0; j < model_.p; ++j) terms += std::fabs(b[j]);  // ||z_j|| = 1
      rounding = 4 * std::numeric_limits<double>::epsilon() * std::sqrt(2.0 * primal) * terms;
    }
    loss_ = primal;
    for (Index j = 0; j < model_.p; ++j)
      if (b[j] != 0.0) primal += penalty_.value(j, b[j]);
    double uu, ut;
    Correlations z;
    std::vector<Index> U = features_to_project(penalty_, b_);
    do {
      z.c = model_.g;
      uu = model_.residual_square(b), ut = model_.residual_target(b);
      if (blunt || (!project(U, rounding, z.c, ut, uu) && !W)) from_x_.project(b_, U, z.c, ut, uu);
    } while (add_infeasible(penalty_, z.c, U));
    if (W) {
      Correlations on;
      on.of = W;
      for (Index j : *W) on.c.push_back(z.c[std::size_t(j)]);
      z = on;
    }
    // far up, a point of which uu shows nothing would be scaled with the rounding of its ut and c
    const double most = uu > rounding ? infinity : 2.0;
    const double dual = sure_dual(penalty_, z, ut, uu, rounding, most);
    double violation = 0.0;
    bool is_null = true;
    for (Index j = 0; j < model_.p; ++j) {
      is_null = is_null && (b[j] == 0.0 || !penalty_.penalised(j));
      if (W && b[j] == 0.0) continue;
      violation = worse(violation, stats_.norm(std::size_t(j)) *
                                       penalty_.distance(j, b[j], model_.g[std::size_t(j)]));
    }
    return judge_against(null_, primal, dual, violation, is_null);
  }

  // u := u - Z_U a with G_UU a = c_U, so that c_U = 0. False if a feature whose dependence on the
  // others is beyond the Gram matrix's rounding still has a part of u, or is independent: along
  // what is left of it a part that looks like rounding moves u far.
  bool project(const std::vector<Index>& U, double rounding, Vector& c, double& ut,
               double& uu) const {
    if (U != span_.features) find_span(U);
    const double size = std::sqrt(model_.tt);
    double largest = 0.0, left = 0.0;
    for (Index j : U) largest = std::max(largest, std::fabs(c[std::size_t(j)]));
    if (largest > 1e-15 * size) {
      Vector a;
      for (Index j : span_.kept) a.push_back(c[std::size_t(j)]);
      span_.factor.solve(a.data());
      for (std::size_t k = 0; k < a.size(); ++k) {
        const Index j = span_.kept[k];
        const double* column = model_.G + j * model_.ld;
        ut -= a[k] * model_.q[j];
        uu -= a[k] * model_.g[std::size_t(j)];
        for (std::size_t i = 0; i < c.size(); ++i) c[i] -= a[k] * column[i];
      }
      for (Index j : span_.dependent) left = std::max(left, std::fabs(c[std::size_t(j)]));
      // a u within the span leaves rounding of uu and of ut
      if (!(uu > 1e-15 * model_.residual_square(b_.data()) || ut > rounding)) uu = ut = 0.0;
    }
    for (Index j : U) c[std::size_t(j)] = 0.0;
    return left <= 1e-14 * size && span_.certain;
  }

  // Which of the features U are independent to the Gram matrix; whether X says so of as many.
  void find_span(const std::vector<Index>& U) const {
    constexpr double least = 1e-11;  // pivot of a feature that joins
    span_ = Span(blas_);
    span_.features = U;
    const auto upper = [&](double* R, Index width) {
      for (std::size_t k = 0; k < U.size(); ++k)
        for (std::size_t i = 0; i <= k; ++i)
          R[Index(i) + Index(k) * width] = i == k ? 1.0 : model_.G[U[i] + U[k] * model_.ld];
    };
    if (span_.factor.factor(Index(U.size()), least, upper)) {
      span_.kept = U;
      return;
    }
    Vector h;
    for (Index j : U) {
      h.clear();
      for (Index k : span_.kept) h.push_back(model_.G[k + j * model_.ld]);
      const bool joins = span_.factor.append(h.data(), 1.0, least) > least;
      (joins ? span_.kept : span_.dependent).push_back(j);
    }
    if (span_.dependent.empty()) return;
    const Index rank = from_x_.rank(U);
    span_.certain = rank < 0 || rank == Index(span_.kept.size());
  }

  struct Span {
    std::vector<Index> features, kept, dependent;
    Cholesky factor;  // of the Gram matrix of those kept
    bool certain = true;

    explicit Span(const Blas& blas) : factor(blas) {}
  };

  const Problem& problem_;
  const Options& options_;
  const Blas& blas_;
  const Statistics& stats_;
  Penalty penalty_;
  GramModel model_;
  FromX from_x_;
  Monitor& monitor_;
  Solution& solution_;
  Vector b_;
  std::vector<ActiveSet> active_;  // none or one
  NullModel null_;
  mutable double loss_ = 0.0;  // at the last judgement
  mutable Span span_{blas_};   // of the features projected off last
  AlphaMax alpha_max_;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

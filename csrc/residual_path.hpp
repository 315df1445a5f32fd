// The path by coordinate descent on residuals, on working sets: X is read where it lies.
//
// At each alpha: solve on the working set W (the support and the features nearest to entering),
// then one reading of X gives c = Z'u for all features, the duality gap and the next W. While
// features that would move do not fit in, W is solved for no more than a reading costs.
#pragma once

#include "null_space.hpp"
#include "ridge.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

struct Chosen {
  std::vector<Index> W;
  bool complete;  // whether W holds every feature that would move
};

// The support and as many features of least slack, 100 at least.
template <class Penalty>
Chosen choose_working_set(const Penalty& penalty, const Vector& b, const Vector& c) {
  Chosen out;
  std::vector<Index>& W = out.W;
  std::vector<std::pair<double, Index>> others;
  for (std::size_t j = 0; j < b.size(); ++j) {
    const Index k = Index(j);
    if (penalty.excluded(k)) continue;
    const double slack = penalty.slack(k, c[j]);
    if (b[j] != 0.0 || penalty.free(k))
      W.push_back(k);
    else if (std::isfinite(slack))
      others.emplace_back(slack, k);
  }
  const std::size_t room = std::min(others.size(), std::max<std::size_t>(100, W.size()));
  std::nth_element(others.begin(), others.begin() + std::ptrdiff_t(room), others.end());
  for (std::size_t k = 0; k < room; ++k) W.push_back(others[k].second);
  std::sort(W.begin(), W.end());
  out.complete = std::none_of(others.begin() + std::ptrdiff_t(room), others.end(),
                              [](const auto& other) { return other.first < 0.0; });
  return out;
}

template <class Penalty>
class ResidualPath {
 public:
  ResidualPath(Design& design, const Options& options, Penalty penalty, Monitor& monitor,
               Solution& solution)
      : design_(design),
        options_(options),
        penalty_(std::move(penalty)),
        monitor_(monitor),
        solution_(solution),
        b_(std::size_t(design.X.p), 0.0),
        u_(std::size_t(design.X.n + 1)) {
    const ElasticNet null = null_penalty(penalty_, design_.problem, design_.stats);
    const Vector r = solve_unpenalised(design_, null, b_, solution_.report, &spanned_);
    refresh();
    null_.objective = 0.5 * dot_dense(r.data(), r.data(), design_.X.n);
    null_.reached = 0.5 * design_.square(u_);
    null_.unfitted = 0.5 * design_.t_square;
    null_.size = design_.gradient_size(design_.t_square);
    if (design_.stats.q.empty() ||
        std::any_of(b_.begin(), b_.end(), [](double v) { return v != 0.0; }))
      design_.correlate(design_.weighted(r).data(), 1, c_, solution_.report);
    else
      c_ = design_.stats.q;
    null_.gradient = steepest(penalty_, c_, design_.stats.inv);
    alpha_max_ = AlphaMax(penalty_, design_.stats, c_, design_.t_square);
  }

  // With a kernel, each alpha starts from its direct solution where descent is not cheaper.
  void run(KernelRidge* kernel = nullptr) {
    kernel_ = kernel;
    descends_ = design_.X.sparse();
    alpha_max_.report(solution_);
    solution_.null_objective = null_.objective;
    go_on(alpha_grid(options_, alpha_max_), 0, options_.coef_init);
  }

  // Solves grid[first], .. from the coefficients given (in X's units), or from the null model. With
  // `most` above 0, false and nothing told where so many epochs do not prove grid[first].
  bool go_on(const Vector& grid, std::size_t first, const double* coef, Index most = 0) {
    if (coef && first < grid.size()) start_from(coef, grid[first]);
    for (std::size_t k = first; k < grid.size(); ++k) {
      const double alpha = grid[k];
      penalty_.alpha = alpha;
      Verdict verdict;
      const Status otherwise =
          null_.exact() ? Status::stalled : solve_at(verdict, most > 0 ? most : options_.max_iter);
      if (null_.exact()) verdict = exact_fit(null_);
      if (std::exchange(most, 0) > 0 && !proven(verdict) && !monitor_.stopped()) {
        count_memory();
        return false;
      }
      const Support at(b_);
      count_rounding(design_.problem, design_.stats, at.features, at.b, design_.t_mean, null_,
                     verdict);
      const Status status =
          judge_status(design_.problem, verdict, options_.tol, unprojected_, otherwise);
      const double deviance =
          null_.exact() ? 0.0 : 1.0 - 0.5 * design_.square(u_) / null_.objective;
      if (monitor_.record(make_point(design_.problem, alpha, design_.stats, at.features, at.b,
                                     design_.t_mean, verdict, deviance, status),
                          Index(grid.size())))
        break;
    }
    count_memory();
    return true;
  }

 private:
  void count_memory() {
    solution_.report.peak_bytes +=
        spanned_.basis.bytes() + 8.0 * double(6 * design_.X.n + 10 * design_.X.p);
  }

  void refresh() {
    u_ = design_.residual(b_, solution_.report);
    u_.push_back(0.0);
  }

  void start_from(const double* coef, double alpha) {
    if (null_.exact() || cancels(penalty_, design_.stats, coef, design_.tt)) return;
    const Vector null = b_, residual = u_;
    penalty_.alpha = alpha;
    b_ = scaled(penalty_, design_.stats, coef);
    refresh();
    if (worth_starting(penalty_, b_, 0.5 * design_.square(u_), 0.0, null_)) {
      design_.correlate(u_.data(), 1, c_, solution_.report);
    } else {
      b_ = null;
      u_ = residual;
    }
  }

  // Chooses what to project off; the basis is made again only when the set changes.
  void set_basis(std::vector<Index> U) {
    const double bytes = 8.0 * double(design_.X.n) * double(U.size());
    unprojected_ = U.size() > 8000 || bytes > 2e9;
    if (unprojected_) U.clear();
    if (U == spanned_.features) return;
    spanned_.basis.span(design_, U, solution_.report);
    spanned_.features = std::move(U);
  }

  // One reading of X: gradient c_, gap and violation at b_.
  Verdict certify() {
    const std::size_t p = b_.size();
    Vector v(u_.begin(), u_.end() - 1);
    Correlations z;
    design_.correlate(v.data(), 1, c_, solution_.report);
    z.c = c_;
    std::vector<Index> U = features_to_project(penalty_, b_);
    unprojected_ = false;
    for (bool more = !U.empty() || add_infeasible(penalty_, z.c, U); more;
         more = add_infeasible(penalty_, z.c, U)) {
      set_basis(U);
      if (unprojected_) break;
      v.assign(u_.begin(), u_.end() - 1);
      spanned_.basis.project(design_.blas, design_.root, v);
      design_.correlate(v.data(), 1, z.c, solution_.report);
      for (Index j : spanned_.features) z.c[std::size_t(j)] = 0.0;
    }
    const double uu = design_.square(v), ut = dot_dense(v.data(), design_.t.data(), design_.X.n);
    double primal = 0.5 * design_.square(u_), violation = 0.0;
    bool is_null = true;
    for (std::size_t j = 0; j < p; ++j) {
      const Index k = Index(j);
      if (b_[j] != 0.0) {
        primal += penalty_.value(k, b_[j]);
        is_null = is_null && !penalty_.penalised(k);
      }
      violation = worse(violation, design_.stats.norm(j) * penalty_.distance(k, b_[j], c_[j]));
    }
    return judge_against(null_, primal, quadratic_dual(penalty_, z, ut, uu), violation, is_null);
  }

  bool proven(const Verdict& v) const {
    return judge_status(design_.problem, v, options_.tol, unprojected_, Status::stalled) !=
           Status::stalled;
  }

  // What to call the answer at this alpha if its gap does not prove it; `most` epochs, 0: any.
  Status solve_at(Verdict& verdict, Index most) {
    Index left = most > 0 ? most : std::numeric_limits<Index>::max();
    double target = options_.tol * null_.objective;
    Rounds rounds;
    std::vector<Index> before;
    bool fresh = false, rough = false;
    if (kernel_ && descends_ && (descends_ = descend_everywhere(left, target))) {
      verdict = certify();
      if (proven(verdict)) return Status::stalled;
      if (monitor_.stopped()) return monitor_.status;
    }
    if (kernel_ && kernel_->solve(penalty_, b_, solution_.report)) {
      solution_.report.n_solves += 1;
      refresh();
      verdict = certify();
      if (proven(verdict)) return Status::stalled;
    }
    for (;;) {
      // A set that lacks features which would move is no answer, however well it is solved: it gets
      // what a reading of X costs. The first that lacks none is solved to a part of the gap.
      auto [W, complete] = choose_working_set(penalty_, b_, c_);
      solution_.report.working_set = std::max(solution_.report.working_set, Index(W.size()));
      const bool first = std::exchange(rough, !complete && rounds.improving()) && complete;
      const Descent d = solve_on(W, std::min(left, Rounds::epochs),
                                 first ? std::max(target, 0.03 * verdict.gap) : target, rough);
      left -= d.epochs;
      refresh();
      verdict = certify();
      const bool stuck = rounds.stuck(d, verdict);
      if (proven(verdict)) return Status::stalled;
      if (monitor_.stopped()) return monitor_.status;
      if (left <= 0) return Status::max_iter;
      if (rounds.hopeless()) return Status::stalled;
      if (W == before && stuck) {
        if (fresh) return Status::stalled;
        fresh = true;
      }
      if (W == before) target *= 0.1;
      before = std::move(W);
    }
  }

  // Coordinate descent on all features for at most half of what the kernel is predicted to cost;
  // false where that did not do, as it will not at smaller alphas either.
  bool descend_everywhere(Index& left, double target) {
    constexpr double bandwidth = 1e10;  // bytes a second of an epoch, which reads X twice
    const double epoch = 2.0 * design_.X.size() / bandwidth;
    const Index most = std::min(left, Index(0.5 * kernel_->seconds() / epoch));
    if (most < 10) return false;
    std::vector<Index> W;
    for (Index j = 0; j < design_.X.p; ++j)
      if (!penalty_.excluded(j)) W.push_back(j);
    const Descent d = solve_on(W, most, target);
    left -= d.epochs;
    refresh();
    return d.epochs < most;
  }

  // Coordinate descent on W until the gap there is below 0.3 target; a rough answer may cost what
  // a reading of X does.
  Descent solve_on(const std::vector<Index>& W, Index most_epochs, double target,
                   bool rough = false) {
    ResidualModel model{
        design_.X, design_.omega.data(), design_.stats.mean.data(), design_.stats.inv.data(), 1.0,
        nullptr,   std::move(u_)};
    model.prepare(W);
    auto done = [&] {
      return (rough && model.x_bytes >= design_.X.size()) || gap_on(model, W) <= 0.3 * target;
    };
    const Descent d = descend(model, penalty_, W, b_.data(), most_epochs, done,
                              [&] { return monitor_.stopped(); });
    model.settle();
    u_ = std::move(model.u);
    solution_.report.x_bytes += model.x_bytes;
    solution_.report.n_epochs += d.epochs;
    solution_.report.peak_bytes = std::max(solution_.report.peak_bytes, model.gathered.bytes());
    return d;
  }

  // Gap of the problem on W; without a conjugate, the decrease that one more epoch would give.
  // Features that need c_j = 0 count with |c_j b_j|.
  double gap_on(ResidualModel& model, const std::vector<Index>& W) {
    Correlations z;
    z.of = &W;
    double primal = model.loss(nullptr), loose = 0.0, decrease = 0.0;
    for (Index j : W) {
      double c = model.gradient(j);
      const double b = b_[std::size_t(j)], distance = penalty_.distance(j, b, c);
      decrease += 0.5 * distance * distance;
      primal += penalty_.value(j, b);
      if (penalty_.free(j) && penalty_.limit(j, c) == 0.0) {
        loose += std::fabs(c * b);
        c = 0.0;
      }
      z.c.push_back(c);
    }
    if (!penalty_.has_conjugate() || !design_.problem.convex) return decrease;
    const double dual = quadratic_dual(penalty_, z, model.residual_target(design_.t.data()),
                                       model.residual_square());
    return primal - dual + loose;
  }

  Design& design_;
  const Options& options_;
  Penalty penalty_;
  Monitor& monitor_;
  Solution& solution_;
  Vector b_;  // (p,)
  Vector u_;  // (n + 1,) omega r, and the shift of the model
  Vector c_;  // (p,) Z'u at the last reading
  KernelRidge* kernel_ = nullptr;
  bool descends_ = false;     // whether descent is tried before the kernel
  Spanned spanned_;           // what dual points are projected off
  bool unprojected_ = false;  // too many free features to project off: KKT decides
  NullModel null_;
  AlphaMax alpha_max_;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// The path for any smooth loss: proximal Newton on working sets.
//
// At z the loss is replaced by its quadratic model with row weights h_i = omega_i f''(z_i);
// coordinate descent solves the penalised model, whose optimal intercept is implied by centring
// under h; a backtracking line search keeps the objective falling. Yuan, Ho and Lin (2012),
// newGLMNET.
#pragma once

#include "newton_model.hpp"
#include "residual_path.hpp"
#include "smooth_loss.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

template <class Penalty>
class NewtonPath {
 public:
  NewtonPath(Design& design, const Options& options, Penalty penalty, Monitor& monitor,
             Solution& solution)
      : design_(design),
        loss_{design},
        options_(options),
        penalty_(std::move(penalty)),
        monitor_(monitor),
        solution_(solution),
        n_(std::size_t(design.X.n)),
        b_(std::size_t(design.X.p), 0.0),
        z_(n_),
        u_(n_),
        h_(n_) {
    const ElasticNet null = null_penalty(penalty_, design_.problem, design_.stats);
    std::vector<Index> U;
    for (std::size_t j = 0; j < b_.size(); ++j)
      if (!null.excluded(Index(j))) U.push_back(Index(j));
    predict();
    const double at_zero = loss_.value(z_);
    const double square = design_.square(u_);
    Vector r;
    if (design_.problem.loss.quadratic) {
      r = solve_unpenalised(design_, null, b_, solution_.report);
      base_ = design_.t_mean;
      predict();
    }
    const auto fit_null = [&](double target) {
      while (newton_step(null, U, target) && !monitor_.stopped()) {
      }
    };
    if (!design_.problem.loss.quadratic) {
      fit_null(1e-14);
      // an exact fit is told by its rounding
      if (std::fabs(loss_.value(z_)) < 1e-20 * std::fabs(at_zero)) fit_null(1e-17);
    }
    null_.objective = null_.reached = loss_.value(z_);
    null_.unfitted = at_zero;
    null_.size = design_.gradient_size(square);
    null_u_ = u_;
    if (design_.problem.loss.quadratic) {
      null_.objective = 0.5 * dot_dense(r.data(), r.data(), design_.X.n);
      null_u_ = design_.weighted(r);
    }
    correlate(null_u_, c_);
    null_.gradient = steepest(penalty_, c_, design_.stats.inv);
    alpha_max_ = AlphaMax(penalty_, design_.stats, c_, square);
  }

  void run() {
    alpha_max_.report(solution_);
    solution_.null_objective = null_.objective;
    const Vector grid = alpha_grid(options_, alpha_max_);
    if (options_.coef_init && !null_.exact() && !grid.empty())
      start_from(options_.coef_init, grid.front());
    for (double alpha : grid) {
      penalty_.alpha = alpha;
      Verdict verdict;
      const Status otherwise = null_.exact() ? Status::stalled : solve_at(verdict);
      if (null_.exact()) verdict = exact_fit(null_);
      const Support at(b_);
      count_rounding(design_.problem, design_.stats, at.features, at.b, base_, null_, verdict);
      const Status status =
          judge_status(design_.problem, verdict, options_.tol, unprojected_, otherwise);
      const double fall = null_.objective - loss_.value(z_);
      const double deviance = null_.exact() ? 0.0 : fall / std::fabs(null_.objective);
      if (monitor_.record(make_point(design_.problem, alpha, design_.stats, at.features, at.b,
                                     base_, verdict, deviance, status),
                          Index(grid.size())))
        break;
    }
    solution_.report.peak_bytes +=
        basis_.bytes() + direct_bytes_ + 8.0 * double(16 * n_ + 10 * b_.size());
  }

  // The verdict on given coefficients (p,) and intercept.
  Verdict judge(double alpha, const double* coef, double intercept) {
    penalty_.alpha = alpha;
    base_ = intercept;
    for (std::size_t j = 0; j < b_.size(); ++j) {
      b_[j] = coef[j] * design_.stats.norm(j);
      base_ += design_.stats.mean[j] * coef[j];
    }
    predict();
    correlate(u_, c_);
    return certify();
  }

 private:
  static constexpr int most_idle = 100;   // Newton steps
  static constexpr int most_rounds = 30;  // certificates without a fall of the gap by a tenth
  static constexpr double kFloor = 1e-9;  // of curvature, as a share of the largest

  // z = Xw + intercept + offset, from scratch, and u
  void predict() {
    double constant = base_;
    for (std::size_t i = 0; i < n_; ++i)
      z_[i] = design_.problem.offset ? design_.problem.offset[i] : 0.0;
    for (std::size_t j = 0; j < b_.size(); ++j) {
      if (b_[j] == 0.0) continue;
      const double w = b_[j] * design_.stats.inv[j];
      design_.X.add(Index(j), w, z_.data());
      solution_.report.x_bytes += design_.X.column_bytes(Index(j));
      constant -= w * design_.stats.mean[j];
    }
    for (double& value : z_) value += constant;
    loss_.residual(z_, u_);
  }

  // c_j = x_j'v / d_j: the gradient of the loss in b_j, intercept held
  void correlate(const Vector& v, Vector& c) {
    c.resize(std::size_t(design_.X.p));
    design_.xtr(v.data(), 1, c.data(), solution_.report);
    for (std::size_t j = 0; j < c.size(); ++j) c[j] *= design_.stats.inv[j];
  }

  void start_from(const double* coef, double alpha) {
    const Vector null = b_;
    penalty_.alpha = alpha;
    b_ = scaled(penalty_, design_.stats, coef);
    predict();
    if (!worth_starting(penalty_, b_, loss_.value(z_), 0.0, null_)) {
      b_ = null;
      predict();
    }
    correlate(u_, c_);
  }

  bool too_many(const std::vector<Index>& U) const {
    return U.size() > 8000 || 8.0 * double(n_) * double(U.size()) > 2e9;
  }

  // u less its sum, projected off the basis: a null model that is short of its minimum needs it too
  Vector feasible(Vector u, double sum) const {
    for (std::size_t i = 0; i < n_; ++i) u[i] -= design_.omega[i] * sum;
    basis_.project(design_.blas, design_.root, u);
    return u;
  }

  // u centred, projected off U and moved into the conjugate's domain.
  Vector dual_point(const std::vector<Index>& U, double sum, bool has_dual) {
    if (U != projected_) {
      basis_.span(design_, U, solution_.report);
      projected_ = U;
    }
    Vector v = feasible(u_, sum);
    if (has_dual && !design_.problem.loss.quadratic && !std::isfinite(loss_.conjugate(v, 1.0))) {
      double null_sum = 0.0;
      for (std::size_t i = 0; design_.centred() && i < n_; ++i) null_sum += null_u_[i];
      loss_.into_domain(feasible(null_u_, null_sum), v);
      if (!std::isfinite(loss_.conjugate(v, 1.0))) std::fill(v.begin(), v.end(), 0.0);
    }
    return v;
  }

  // Gap and violation at b_: two readings of X.
  Verdict certify() {
    predict();
    const std::size_t p = b_.size();
    double intercept_gradient = 0.0;
    for (std::size_t i = 0; design_.centred() && i < n_; ++i) intercept_gradient += u_[i];
    const bool has_dual = design_.problem.loss.conjugate && penalty_.has_conjugate();
    correlate(u_, c_);
    Vector v;
    Correlations dual_c;
    std::vector<Index> U = features_to_project(penalty_, b_);
    unprojected_ = too_many(U);
    if (unprojected_) U.clear();
    do {
      v = dual_point(U, intercept_gradient, has_dual);
      correlate(v, dual_c.c);
      for (Index j : projected_) dual_c.c[std::size_t(j)] = 0.0;
    } while (!unprojected_ && add_infeasible(penalty_, dual_c.c, U) && !too_many(U));
    double primal = loss_.value(z_), violation = std::fabs(intercept_gradient);
    bool is_null = true;
    for (std::size_t j = 0; j < p; ++j) {
      const Index k = Index(j);
      if (b_[j] != 0.0) {
        primal += penalty_.value(k, b_[j]);
        is_null = is_null && !penalty_.penalised(k);
      }
      violation = worse(violation, design_.stats.norm(j) * penalty_.distance(k, b_[j], c_[j]));
    }
    double dual = std::numeric_limits<double>::quiet_NaN();
    if (design_.problem.loss.quadratic) {
      const double ut = dot_dense(v.data(), design_.t.data(), design_.X.n);
      dual = quadratic_dual(penalty_, dual_c, ut, design_.square(v));
    } else if (has_dual) {
      const double s = std::min(1.0, scaling_limit(penalty_, dual_c));
      dual = -loss_.conjugate(v, s) - conjugate_sum(penalty_, dual_c, s);
    }
    return judge_against(null_, primal, dual, violation, is_null);
  }

  Status solve_at(Verdict& verdict) {
    Index left = options_.max_iter > 0 ? options_.max_iter : std::numeric_limits<Index>::max();
    double target = 0.3 * options_.tol, least = infinity;
    std::vector<Index> before;
    std::size_t widest = 0;
    for (int same = 0, idle = 0;;) {
      const auto [W, complete] = choose_working_set(penalty_, b_, c_);
      solution_.report.working_set = std::max(solution_.report.working_set, Index(W.size()));
      bool moving = true;
      quiet_ = false;
      least_ = infinity;
      // a set that lacks features which would move gets what a reading of X costs, the first time
      const double most = complete || W == before ? infinity : design_.X.size(),
                   read = solution_.report.x_bytes;
      while (moving && left > 0 && !monitor_.stopped()) {
        moving = newton_step(penalty_, W, target) && solution_.report.x_bytes - read < most;
        --left;
      }
      verdict = certify();
      if (judge_status(design_.problem, verdict, options_.tol, unprojected_, Status::stalled) !=
          Status::stalled)
        return Status::stalled;
      if (monitor_.stopped()) return monitor_.status;
      if (left <= 0) return Status::max_iter;
      same = W == before ? same + 1 : 0;
      if (same > 0) target *= 0.1;
      // near an exact fit sets may take turns by rounding for ever
      const double missed = std::isnan(verdict.gap) ? verdict.kkt : verdict.gap;
      idle = missed < 0.9 * least || W.size() > widest ? 0 : idle + 1;
      if (same > 8 || idle > most_rounds) return Status::stalled;
      least = std::min(least, missed);
      widest = std::max(widest, W.size());
      before = W;
    }
  }

  // The quadratic model at z on W: centres under h, curvatures, and the model's residual.
  ResidualModel quadratic_model(const std::vector<Index>& W) {
    const AnyMatrix& X = design_.X;
    raised_ = loss_.curvature(z_, floor_, h_);
    double mass = 0.0, sum = 0.0;
    for (double h : h_) mass += h;
    if (design_.centred())
      for (double u : u_) sum += u;
    centre_.resize(b_.size());
    lipschitz_.resize(b_.size());
    for (Index j : W) {
      const std::size_t k = std::size_t(j);
      const double inv = design_.stats.inv[k];
      const double m = design_.centred() ? X.dot(j, h_.data()) / mass : 0.0;
      centre_[k] = m;
      lipschitz_[k] = inv * inv * std::max(0.0, X.square(j, h_.data()) - mass * m * m);
      solution_.report.x_bytes += 2.0 * X.column_bytes(j);
    }
    Vector state(u_);
    state.push_back(-sum / mass);
    ResidualModel model{X,    h_.data(),         centre_.data(),  design_.stats.inv.data(),
                        mass, lipschitz_.data(), std::move(state)};
    model.prepare(W);
    return model;
  }

  // max over W of the violation in X's units, with the intercept's; relative to the null model's
  template <class Rule>
  double violation_on(const Rule& penalty, const std::vector<Index>& W) {
    double largest = 0.0, sum = 0.0;
    if (design_.centred())
      for (double u : u_) sum += u;
    largest = std::fabs(sum);
    for (Index j : W) {
      const std::size_t k = std::size_t(j);
      const double c = design_.X.dot(j, u_.data()) * design_.stats.inv[k];
      solution_.report.x_bytes += design_.X.column_bytes(j);
      largest = std::max(largest, design_.stats.norm(k) * penalty.distance(j, b_[k], c));
    }
    const double scale = null_.gradient > 0.0 ? null_.gradient : first_gradient_;
    if (first_gradient_ == 0.0) first_gradient_ = largest;
    return scale > 0.0 ? largest / scale : (largest > 0.0 ? 1.0 : 0.0);
  }

  // One proximal Newton step on W; false when W is solved to `target` or nothing falls any more:
  // without a minimum, or near an exact fit, objectives may fall by rounding for ever.
  template <class Rule>
  bool newton_step(const Rule& penalty, const std::vector<Index>& W, double target) {
    const double violation = violation_on(penalty, W);
    if (violation <= target || (quiet_ && violation > 0.5 * last_violation_)) {
      quiet_ = false;
      return false;
    }
    last_violation_ = violation;
    idle_ = violation < 0.9 * least_ ? 0 : idle_ + 1;
    if (idle_ == 0) least_ = violation;
    if (idle_ > most_idle) return false;
    ResidualModel model = quadratic_model(W);
    const double intercept_first = -model.shift();
    const Vector old = b_;
    auto solved = [&] {
      double largest = 0.0;
      for (Index j : W)
        largest = std::max(largest, design_.stats.norm(std::size_t(j)) *
                                        penalty.distance(j, b_[std::size_t(j)], model.gradient(j)));
      const double scale = null_.gradient > 0.0 ? null_.gradient : first_gradient_;
      return largest <= std::max(0.1 * target, 0.01 * violation) * scale;
    };
    const Descent d =
        descend(model, penalty, W, b_.data(), 200, solved, [&] { return monitor_.stopped(); });
    solution_.report.n_epochs += d.epochs;
    solution_.report.x_bytes += model.x_bytes;
    if constexpr (std::is_same_v<Rule, ElasticNet>) {
      if (d.epochs >= 200 && !monitor_.stopped() && worth_direct(design_.X, W)) {
        solve_model(design_.blas, design_.X, h_, centre_, design_.stats.inv, model, penalty, W,
                    b_.data(), [&] { return monitor_.stopped(); });
        solution_.report.n_solves += 1;
        direct_bytes_ = std::max(direct_bytes_, direct_bytes(design_.X, W));
        for (Index j : W) solution_.report.x_bytes += design_.X.column_bytes(j);
      }
    }
    return accept(search(penalty, W, old, intercept_first));
  }

  // Whether to go on after a step of length t. Rows without curvature of their own (Huber's beyond
  // delta) bound no step: where it was too long for the rest of its way, the floor of curvature
  // rises, and falls again with full steps (Levenberg and Marquardt).
  bool accept(double t) {
    if (t == 1.0) floor_ = std::max(kFloor, 0.1 * floor_);
    if (t >= 0.1 || !raised_ || floor_ >= 1.0) return t > 0.0;
    floor_ = std::min(1.0, 100.0 * floor_);
    return true;
  }

  // Backtracking on the segment from `old` to b_, Armijo's rule on the penalised objective: the
  // share t of it that is gone, 0 for none.
  template <class Rule>
  double search(const Rule& penalty, const std::vector<Index>& W, const Vector& old,
                double intercept_first) {
    const AnyMatrix& X = design_.X;
    Vector dz(n_, 0.0), start = z_;
    // b_j multiplies z_j = (x_j - m_j) / d_j; under h the step is centred at centre_j
    double intercept = intercept_first, before = loss_.value(z_), fall = 0.0, step_base = 0.0;
    for (Index j : W) {
      const std::size_t k = std::size_t(j);
      const double w = (b_[k] - old[k]) * design_.stats.inv[k];
      before += penalty.value(j, old[k]);
      fall += penalty.value(j, b_[k]) - penalty.value(j, old[k]);
      if (w == 0.0) continue;
      X.add(j, w, dz.data());
      solution_.report.x_bytes += X.column_bytes(j);
      intercept -= w * centre_[k];
      step_base += w * design_.stats.mean[k];
    }
    step_base = design_.centred() ? step_base + intercept : 0.0;
    for (std::size_t i = 0; i < n_; ++i) {
      if (design_.centred()) dz[i] += intercept;
      fall -= u_[i] * dz[i];
    }
    const Vector target = b_;
    const double first_base = base_;
    for (double t = 1.0; t > 1e-10; t *= 0.5) {
      for (std::size_t i = 0; i < n_; ++i) z_[i] = start[i] + t * dz[i];
      double after = loss_.value(z_);
      for (Index j : W) {
        const std::size_t k = std::size_t(j);
        b_[k] = t == 1.0 ? target[k] : old[k] + t * (target[k] - old[k]);
        after += penalty.value(j, b_[k]);
      }
      if (after <= before + 1e-4 * t * std::min(0.0, fall) + 1e-15 * std::fabs(before)) {
        base_ = first_base + t * step_base;
        loss_.residual(z_, u_);
        quiet_ = !(after < before);
        return t;
      }
    }
    b_ = old;
    z_ = start;
    return 0.0;
  }

  Design& design_;
  SmoothLoss loss_;
  const Options& options_;
  Penalty penalty_;
  Monitor& monitor_;
  Solution& solution_;
  std::size_t n_;
  Vector b_;                   // (p,)
  double base_ = 0.0;          // intercept where every feature is at its mean
  Vector z_, u_, h_;           // (n,) predictor, -omega f', omega f''
  Vector null_u_;              // (n,) u at the null model
  Vector c_;                   // (p,)
  Vector centre_, lipschitz_;  // (p,) of the model, set on W
  Basis basis_;
  std::vector<Index> projected_;
  bool unprojected_ = false;
  NullModel null_;
  AlphaMax alpha_max_;
  double first_gradient_ = 0.0, last_violation_ = 0.0;
  double least_ = infinity;  // violation on this W, which must fall by a tenth within most_idle
  int idle_ = 0;
  double direct_bytes_ = 0.0;
  double floor_ = kFloor;  // of curvature in the model at hand
  bool raised_ = false;    // whether rows were raised to it
  bool quiet_ = false;     // the last step lowered nothing that float64 can show
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

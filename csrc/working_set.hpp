// The problem on a growing working set W: its features gathered, their Gram matrix, the direct
// solver on it, and what the true residual says of the answer.
#pragma once

#include "active_set.hpp"
#include "dual_newton.hpp"
#include "feature_set.hpp"
#include "null_space.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class WorkingSet {
 public:
  std::vector<Index> features;  // of X, in the order of joining; local index k is features[k]
  std::vector<std::int32_t> position;  // (p,) local index, -1 outside
  ElasticNet penalty;                  // on W
  std::vector<double> b;               // (|W|,)
  std::vector<double> u;               // (n,) t - Zb weighted by sqrt(omega)
  std::vector<double> dual;            // (n,) u less its part in the span of what no penalty holds
  std::vector<double> c;               // (|W|,) Z_W' dual
  double violation = 0.0;              // largest over W, in X's units
  double least_alpha = 0.0;            // of those to come

  WorkingSet(const Design& design, const ElasticNet& all, const std::vector<double>& target)
      : position(std::size_t(design.X.p), -1),
        design_(design),
        all_(all),
        target_(target),
        columns_(make_feature_set(design)),
        model_(nullptr, 0, 0, nullptr, dot_dense(target.data(), target.data(), design.X.n)),
        active_(design.blas, model_, penalty, nullptr),
        newton_(design, *columns_, penalty, target) {
    penalty.alpha = all.alpha;
    model_.n_threads = design.n_threads;
  }

  Index size() const { return Index(features.size()); }
  Index n_solves() const { return active_.n_solves + newton_.n_solves; }
  // Work of the direct solver from here on that it is worth where its systems are large: entries
  // of triangles read for each stored value of the features, those to come included.
  void allow(double each) {
    allowed_ = each;
    before_ = active_.work;
  }
  bool spent() const { return large_ && active_.work - before_ > allowed_ * stored(); }
  // features whose linear system is solved at once
  Index n_free() const { return on_rows_ ? 0 : Index(active_.free_features().size()); }
  double stored() const { return columns_->stored(); }
  double bytes() const {
    return columns_->bytes() + (on_rows_ ? 0.0 : 8.0 * double(ld_) * double(ld_)) +
           active_.bytes() + newton_.bytes();
  }

  // S, none of which is in W, joins at 0.
  void add(const std::vector<Index>& S, Report& report) {
    if (S.empty()) return;
    const Index old = size(), m = old + Index(S.size());
    if (!on_rows_ && rows_serve(m)) leave_gram();
    if (!on_rows_) reserve(m);
    columns_->add(S, on_rows_ ? nullptr : G_.get(), ld_);
    for (Index j : S) {
      position[std::size_t(j)] = std::int32_t(size());
      features.push_back(j);
      const std::size_t k = std::size_t(j);
      penalty.factor1.push_back(all_.factor1[k]);
      penalty.factor2.push_back(all_.factor2[k]);
      penalty.lower.push_back(all_.lower[k]);
      penalty.upper.push_back(all_.upper[k]);
      report.x_bytes += design_.X.column_bytes(j);
    }
    b.resize(std::size_t(m), 0.0);
    c.resize(std::size_t(m), 0.0);
    if (on_rows_) return;
    q_.resize(std::size_t(m));
    columns_->correlate(target_.data(), q_.data(), old);
    model_.G = G_.get();
    model_.ld = ld_;
    model_.p = m;
    model_.q = q_.data();
    model_.g.resize(std::size_t(m));
    active_.grown(b.data());
  }

  void set(const std::vector<Index>& support, const std::vector<double>& values) {
    std::fill(b.begin(), b.end(), 0.0);
    for (std::size_t k = 0; k < support.size(); ++k) b[std::size_t(support[k])] = values[k];
    if (!on_rows_) active_.restart();
    tracked_ = false;
    u = target_;
    subtract_fit();
  }

  // Whether b as it is has a gap on W of at most `goal` at alpha.
  bool proves(double alpha, double goal) {
    penalty.alpha = alpha;
    state();
    return gap() <= goal;
  }

  // Solves on W at alpha and states the residual; false if it was stopped or rounding keeps the
  // gap on W above `goal` (relative to `scale`).
  bool solve(double alpha, double goal, double scale, Index max_solves, Monitor& monitor,
             Report& report) {
    penalty.alpha = alpha;
    auto poll = [&] {
      large_ = n_free() >= 300;
      return monitor.stopped() || spent();
    };
    if (on_rows_) {
      if (u.empty()) u = target_;
      newton_.solve(u, b, 1e-11 * std::sqrt(model_.tt), poll);
      state_at_residual();
      return gap() <= goal * scale;
    }
    for (int round = 0; round < 6; ++round) {
      active_.solve(max_solves, poll, round == 0);
      tracked_ = true;
      state();
      if (gap() <= goal * scale) return true;
      if (monitor.stopped() || max_solves > 0 || spent()) return false;
      if (round < 2) continue;  // once more with the gradient of the true residual
      std::vector<Index> W;
      for (Index k = 0; k < size(); ++k)
        if (b[std::size_t(k)] != 0.0 || penalty.slack(k, model_.gradient(k)) < 0.0) W.push_back(k);
      report.n_epochs += descend(model_, penalty, W, b.data(), 500, poll).epochs;
      active_.restart();
    }
    state();
    return gap() <= goal * scale;
  }

  // Residual, dual point and correlations at b; the model's gradient is set to the true one.
  void state() {
    u = target_;
    subtract_fit();
    state_at_residual();
  }

  // The same where u is the residual at b already.
  void state_at_residual() {
    columns_->correlate(u.data(), c.data());
    if (!on_rows_ && !tracked_) model_.refresh(b.data());
    violation = 0.0;
    for (std::size_t k = 0; k < c.size(); ++k) {
      if (!on_rows_) {
        q_[k] += c[k] - model_.g[k];
        model_.g[k] = c[k];
      }
      violation = std::max(violation, design_.stats.norm(std::size_t(features[k])) *
                                          penalty.distance(Index(k), b[k], c[k]));
    }
    if (!on_rows_) {
      active_.set_fresh();
      tracked_ = true;
    }
    dual = u;
    project();
  }

  double primal() const {
    double sum = 0.5 * dot_dense(u.data(), u.data(), design_.X.n);
    for (std::size_t k = 0; k < b.size(); ++k)
      if (b[k] != 0.0) sum += penalty.value(Index(k), b[k]);
    return sum;
  }

  // D(s dual), s <= most the best scale on W
  double dual_value(double most) const {
    Correlations z;
    z.c = c;
    return quadratic_dual(penalty, z, dot_dense(dual.data(), target_.data(), design_.X.n),
                          dot_dense(dual.data(), dual.data(), design_.X.n), most);
  }
  double gap() const { return primal() - dual_value(1.0); }

  // How u moves as alpha falls by a unit, (n,)
  std::vector<double> tangent() const {
    if (on_rows_) return newton_.tangent();
    const std::vector<double> d = active_.tangent();
    std::vector<double> at(b.size(), 0.0), out(std::size_t(design_.X.n), 0.0);
    for (std::size_t k = 0; k < d.size(); ++k) at[std::size_t(active_.free_features()[k])] = d[k];
    columns_->subtract(active_.free_features(), at.data(), out.data());
    return out;
  }

 private:
  // n unknowns of the dual against |W| features, where every feature has an l2 term that is not
  // lost beside its unit norm: the dual's Hessian has condition 1 / l2.
  bool rows_serve(Index m) const {
    const Index n = design_.X.n;
    if (m < n || (m < 2 * n && 3 * n_free() < n) || n > 6000) return false;
    for (std::size_t j = 0; j < position.size(); ++j)
      if (!all_.excluded(Index(j)) && !(least_alpha * all_.factor2[j] > 1e-5)) return false;
    return true;
  }

  void leave_gram() {
    on_rows_ = true;
    active_.restart();
    G_.reset();
    u = target_;
    subtract_fit();
  }

  void subtract_fit() {
    std::vector<Index> support;
    for (Index k = 0; k < size(); ++k)
      if (b[std::size_t(k)] != 0.0) support.push_back(k);
    columns_->subtract(support, b.data(), u.data());
  }

  // Memory of G is not cleared: what is never written is never mapped.
  void reserve(Index m) {
    if (m <= ld_) return;
    const Index wider = std::max<Index>({m + m / 2, ld_ + ld_ / 2, 128}), old = size();
    std::unique_ptr<double[]> moved(new double[std::size_t(wider * wider)]);
    for (Index j = 0; j < old; ++j)
      std::copy(G_.get() + j * ld_, G_.get() + j * ld_ + old, moved.get() + j * wider);
    G_.swap(moved);
    ld_ = wider;
  }

  // Dual points must be orthogonal to features that no penalty holds.
  void project() {
    std::vector<Index> U = features_to_project(penalty, b);
    for (bool more = !U.empty() || add_infeasible(penalty, c, U); more;
         more = add_infeasible(penalty, c, U)) {
      if (U != projected_) {
        std::vector<Index> of_x;
        for (Index k : U) of_x.push_back(features[std::size_t(k)]);
        Report none;
        basis_.span(design_, of_x, none);
        projected_ = U;
      }
      dual = u;
      basis_.project(design_.blas, dual);
      columns_->correlate(dual.data(), c.data());
      for (Index k : U) c[std::size_t(k)] = 0.0;
    }
  }

  const Design& design_;
  const ElasticNet& all_;
  const std::vector<double>& target_;
  std::unique_ptr<FeatureSet> columns_;
  std::unique_ptr<double[]> G_;  // (|W|, |W|), leading dimension ld_
  std::vector<double> q_;
  Index ld_ = 0;
  GramModel model_;
  ActiveSet active_;
  DualNewton newton_;
  bool tracked_ = false;  // the model's gradient is that at b
  bool on_rows_ = false;  // solved in the dual's n unknowns, without a Gram matrix
  bool large_ = false;    // whether the last system of the direct solver was
  double allowed_ = infinity, before_ = 0.0;
  Basis basis_;
  std::vector<Index> projected_;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// The problem on a growing working set W: its features gathered, the direct solver on those of them
// that may move, and the dual point of the answer: by the Gram matrix alone where that has the
// digits and is less work, else by the true residual.
#pragma once

#include "dense_features.hpp"
#include "direct_solver.hpp"
#include "dual_newton.hpp"
#include "dual_point.hpp"
#include "null_space.hpp"
#include "sparse_features.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

inline std::unique_ptr<FeatureSet> make_feature_set(const Design& design) {
  if (design.X.sparse()) return std::make_unique<SparseFeatures>(design);
  return std::make_unique<DenseFeatures>(design);
}

class WorkingSet {
 public:
  std::vector<Index> features;  // of X, in the order of joining; local index k is features[k]
  std::vector<std::int32_t> position;  // (p,) local index, -1 outside
  ElasticNet penalty;                  // on W
  Vector b;                            // (|W|,)
  DualPoint dual;                      // that b gives
  double residual_square = 0.0;        // ||t - Zb||^2
  double violation = 0.0;              // largest over W, in X's units
  double least_alpha = 0.0;            // of those to come

  WorkingSet(const Design& design, const ElasticNet& all, const Vector& target)
      : position(std::size_t(design.X.p), -1),
        design_(design),
        all_(all),
        target_(target),
        columns_(make_feature_set(design)),
        direct_(design, *columns_, target),
        newton_(design, *columns_, penalty, target) {
    penalty.alpha = all.alpha;
  }

  Index size() const { return Index(features.size()); }
  // Features join by their columns alone, without Gram products.
  bool joins_by_columns() const { return on_rows_ || !direct_.whole(); }
  // Dual points are stated with their vectors from here on.
  bool states_vectors() const { return joins_by_columns(); }
  Index n_solves() const { return direct_.n_solves() + newton_.n_solves; }
  // Work of the direct solver from here on that it is worth where its systems are large: entries
  // of triangles read for each stored value of the features, those to come included.
  void allow(double each) {
    allowed_ = each;
    before_ = work();
  }
  double work() const { return direct_.work(); }  // so far, in those entries
  bool spent() const { return large_ && work() - before_ > allowed_ * stored(); }
  // features whose linear system is solved at once
  Index n_free() const { return on_rows_ ? 0 : direct_.n_free(); }
  double stored() const { return columns_->stored(); }
  double bytes() const { return columns_->bytes() + direct_.bytes() + newton_.bytes(); }

  // S, none of which is in W, joins at 0.
  void add(const std::vector<Index>& S, Report& report) {
    if (S.empty()) return;
    const Index old = size(), m = old + Index(S.size());
    if (!on_rows_ && rows_serve(m)) leave_gram();
    columns_->add(S);
    for (Index j : S) {
      position[std::size_t(j)] = std::int32_t(size());
      features.push_back(j);
      const std::size_t k = std::size_t(j);
      penalty.append(all_, k);
      far_ = std::max(far_, design_.stats.mean_over_norm(k));
      report.x_bytes += design_.X.column_bytes(j);
    }
    b.resize(std::size_t(m), 0.0);
    if (on_rows_) return;
    q_.resize(std::size_t(m));
    columns_->correlate(target_.data(), q_.data(), old);
    if (columns_->in_any_order() && m >= 2 * design_.X.n) direct_.narrow();  // n may be active
    if (direct_.whole()) {
      std::vector<Index> K;
      for (Index k = old; k < m; ++k) K.push_back(k);
      direct_.join(K, penalty, q_, b);
      return;
    }
    if (!found_) find_residual();
    Vector c(b.size());
    columns_->correlate(u_.data(), c.data(), old);
    join_moving(c, old);
  }

  // c (p x k) = Z'u in the rows of the features from `first` on, u (n, k)
  void correlate(const double* u, int k, Index first, double* c) const {
    columns_->correlate(features, u, k, first, c);
  }

  void set(const std::vector<Index>& support, const Vector& values) {
    const Vector before = b;
    std::fill(b.begin(), b.end(), 0.0);
    for (std::size_t k = 0; k < support.size(); ++k) b[std::size_t(support[k])] = values[k];
    if (b == before) return;
    found_ = false;
    if (on_rows_) return start_newton();
    if (!direct_.whole()) join_moving({}, 0);
    direct_.restart();
  }

  // Whether b as it is has a gap on W of at most `goal` at alpha.
  bool proves(double alpha, double goal) {
    penalty.alpha = alpha;
    state();
    return gap() <= goal;
  }

  // Solves on W at alpha and states the dual point; false if it was stopped or rounding keeps the
  // gap on W above `goal` (relative to `scale`).
  bool solve(double alpha, double goal, double scale, Index max_solves, Monitor& monitor,
             Report& report) {
    penalty.alpha = alpha;
    auto poll = [&] {
      large_ = n_free() >= 300;
      return monitor.stopped() || spent();
    };
    if (on_rows_) {
      newton_.solve(b, u_, 1e-11 * std::sqrt(direct_.model().tt), poll);
      const double error = newton_.gradient_size();  // the gap of b and u is its square / 2
      if (error > kSame * std::sqrt(direct_.model().tt)) {
        newton_.follow_all(b);
        state_at_residual();
        behind_ = false;
        return gap() <= goal * scale;
      }
      behind_ = true;
      dual.c.resize(b.size());
      state_vector();
      return 0.5 * error * error <= goal * scale;
    }
    if (!direct_.whole()) join_moving(of_residual(), 0);
    for (int round = 0; round < 6; ++round) {
      direct_.solve(alpha, b, max_solves, poll, round == 0);
      found_ = false;
      if (round == 0 && state_in_gram(goal * scale) && gap() <= goal * scale) return true;
      state();
      if (gap() <= goal * scale) return true;
      if (monitor.stopped() || max_solves > 0 || spent()) return false;
      if (!direct_.whole() && join_moving(of_residual(), 0)) {
        --round;
        continue;
      }
      if (round < 2) continue;  // once more with the gradient of the true residual
      report.n_epochs += direct_.descend_from(b, poll);
      found_ = false;
    }
    state();
    return gap() <= goal * scale;
  }

  // b, and what is stated of it, of the features that solve() had no need to follow.
  void complete() {
    if (!std::exchange(behind_, false)) return;
    newton_.follow_all(b);
    dual.c = newton_.correlations();
    state_from_correlations();
  }

  // Dual point and violation at b by the residual; the model's gradient is set to the true one.
  void state() {
    find_residual();
    state_at_residual();
  }

  // v of those points that were stated without.
  void find_vectors(const std::vector<DualPoint*>& points) const {
    std::vector<DualPoint*> without;
    for (DualPoint* point : points)
      if (point->v.empty()) without.push_back(point);
    if (without.empty()) return;
    const std::size_t n = target_.size(), p = b.size();
    Vector B(p * without.size(), 0.0), V;
    std::vector<char> used(p, 0);
    for (std::size_t l = 0; l < without.size(); ++l) {
      const Support& at = without[l]->at;
      for (std::size_t k = 0; k < at.b.size(); ++k) {
        B[std::size_t(at.features[k]) + p * l] = at.b[k];
        used[std::size_t(at.features[k])] = 1;
      }
      V.insert(V.end(), target_.begin(), target_.end());
    }
    std::vector<Index> which;
    for (std::size_t k = 0; k < p; ++k)
      if (used[k]) which.push_back(Index(k));
    columns_->subtract(which, B.data(), int(without.size()), V.data());
    for (std::size_t l = 0; l < without.size(); ++l)
      without[l]->v.assign(V.begin() + std::ptrdiff_t(n * l),
                           V.begin() + std::ptrdiff_t(n * (l + 1)));
  }

  // P(b) by the residual alone: correlations and the model stay as they are.
  double objective() {
    find_residual();
    residual_square = dot_dense(u_.data(), u_.data(), design_.X.n);
    return primal();
  }

  double primal() const {
    double sum = 0.5 * residual_square;
    for (std::size_t k = 0; k < b.size(); ++k)
      if (b[k] != 0.0) sum += penalty.value(Index(k), b[k]);
    return sum;
  }

  // D(s dual), s <= most the best scale on W
  double dual_value(double most) const {
    Correlations z;
    z.c = dual.c;
    return value_of(penalty, dual, z, most);
  }
  double gap() const { return primal() - dual_value(1.0); }

  // How u moves as alpha falls by a unit, (n,)
  Vector tangent() const {
    if (on_rows_) return newton_.tangent();
    const Vector d = direct_.tangent();
    const std::vector<Index> F = direct_.free_features();
    Vector at(b.size(), 0.0), out(std::size_t(design_.X.n), 0.0);
    for (std::size_t k = 0; k < d.size(); ++k) at[std::size_t(F[k])] = d[k];
    columns_->subtract(F, at.data(), out.data());
    return out;
  }

 private:
  // n unknowns of the dual, where nearly as many features are free or a Gram matrix of all in W
  // would be far larger, and every one has an l2 term that is not lost beside its unit norm: the
  // dual's Hessian has condition 1 / l2.
  bool rows_serve(Index m) const {
    const Index n = design_.X.n;
    const bool fits = m < 2 * n || columns_->in_any_order();
    if (m < n || (fits && 10 * n_free() < 9 * n) || n > 6000) return false;
    for (std::size_t j = 0; j < position.size(); ++j)
      if (!all_.excluded(Index(j)) && !(least_alpha * all_.factor2[j] > 1e-5)) return false;
    return true;
  }

  void leave_gram() {
    on_rows_ = true;
    direct_.clear();
    start_newton();
  }

  void start_newton() {
    find_residual();
    newton_.start(u_);
  }

  // u := t - Zb
  void find_residual() {
    u_ = target_;
    columns_->subtract(Support(b).features, b.data(), u_.data());
    found_ = true;
  }

  // Features from `first` on that b or their correlations c move, or nearly so, join the direct
  // solver; whether there were any.
  bool join_moving(const Vector& c, Index first) {
    std::vector<Index> K;
    for (Index k = first; k < size(); ++k) {
      const std::size_t i = std::size_t(k);
      if (direct_.has(k)) continue;
      if (b[i] != 0.0 || (i < c.size() && penalty.slack(k, c[i] / kNear) < 0.0)) K.push_back(k);
    }
    direct_.join(K, penalty, q_, b);
    return !K.empty();
  }

  // Z'u, which dual.c is not where the dual point is projected: a feature at a bound that it must
  // leave is orthogonal to that one.
  const Vector& of_residual() const { return c_.empty() ? dual.c : c_; }

  // The dual point where u is the residual at b.
  void state_at_residual() {
    dual.c.resize(b.size());
    columns_->correlate(u_.data(), dual.c.data());
    if (!on_rows_) direct_.correct(b, dual.c);
    state_from_correlations();
  }

  // ... and dual.c is Z'u.
  void state_from_correlations() {
    violation = largest_violation();
    c_.clear();
    dual.at = Support(b);
    dual.terms = terms();
    state_vector();
    project();
  }

  // v of the dual point is u, for the time being or for good.
  void state_vector() {
    dual.v = u_;
    dual.span = 0;
    dual.rounding = 0.0;
    residual_square = dual.square = dot_dense(u_.data(), u_.data(), design_.X.n);
    dual.along = dot_dense(u_.data(), target_.data(), design_.X.n);
  }

  // The dual point from the Gram matrix alone, without a vector of n values, where that is less
  // work, nothing needs projecting and rounding is far below `goal`.
  bool state_in_gram(double goal) {
    const GramModel& model = direct_.model();
    const double gram = double(size()) * double(n_free());
    if (!direct_.whole() ||
        !(stored() > std::max(kSmall, (design_.X.sparse() ? 0.5 : 4.0) * gram)) || far_ > kFarMean)
      return false;
    dual.c = model.g;
    dual.terms = terms();
    dual.rounding = 4 * std::numeric_limits<double>::epsilon() * dual.terms;
    std::vector<Index> U = features_to_project(penalty, b);
    if (!(dual.rounding <= 0.1 * goal) || !U.empty() || add_infeasible(penalty, dual.c, U))
      return false;
    c_.clear();
    dual.at = Support(b);
    dual.v.clear();
    dual.span = 0;
    residual_square = dual.square = model.residual_square(b.data());
    dual.along = model.residual_target(b.data());
    violation = largest_violation();
    return true;
  }

  // Entries of G are off by rounding of the means that they are centred by.
  double terms() const {
    double sum = direct_.model().tt, centring = 0.0;
    for (std::size_t k = 0; k < b.size(); ++k) {
      if (b[k] == 0.0) continue;
      sum += 2.0 * (std::fabs(dual.c[k]) + std::fabs(b[k])) * std::fabs(b[k]);
      centring += std::fabs(b[k]) * design_.stats.mean_over_norm(std::size_t(features[k]));
    }
    return sum + centring * centring;
  }

  double largest_violation() const {
    double largest = 0.0;
    for (std::size_t k = 0; k < b.size(); ++k)
      largest = std::max(largest, design_.stats.norm(std::size_t(features[k])) *
                                      penalty.distance(Index(k), b[k], dual.c[k]));
    return largest;
  }

  // Dual points must be orthogonal to features that no penalty holds.
  void project() {
    std::vector<Index> U = features_to_project(penalty, b);
    for (bool more = !U.empty() || add_infeasible(penalty, dual.c, U); more;
         more = add_infeasible(penalty, dual.c, U)) {
      if (U != projected_) {
        std::vector<Index> of_x;
        for (Index k : U) of_x.push_back(features[std::size_t(k)]);
        Report none;
        basis_.span(design_, of_x, none);
        projected_ = U;
        ++spans_;
      }
      if (c_.empty()) c_ = dual.c;
      dual.span = spans_;
      dual.v = u_;
      basis_.project(design_.blas, dual.v);
      dual.square = dot_dense(dual.v.data(), dual.v.data(), design_.X.n);
      dual.along = dot_dense(dual.v.data(), target_.data(), design_.X.n);
      columns_->correlate(dual.v.data(), dual.c.data());
      for (Index k : U) dual.c[std::size_t(k)] = 0.0;
    }
  }

  static constexpr double kNear = 0.97;  // |c_j| / l1_j from which on a feature is taken to move
  static constexpr double kSmall = 65536.0;  // values that are read faster than they are avoided
  static constexpr double kSame = 1e-14;     // apart, in norms of t: one dual point to rounding
  static constexpr double kFarMean = 10.0;   // means, in deviations, that cost G digits

  const Design& design_;
  const ElasticNet& all_;
  const Vector& target_;
  std::unique_ptr<FeatureSet> columns_;
  Vector q_;  // (|W|,) Z't
  DirectSolver direct_;
  DualNewton newton_;
  bool on_rows_ = false;  // solved in the dual's n unknowns, without a Gram matrix
  double far_ = 0.0;      // largest mean over deviation on W
  bool large_ = false;    // whether the last system of the direct solver was
  double allowed_ = infinity, before_ = 0.0;
  Vector u_;             // (n,) t - Zb weighted by sqrt(omega), where it was asked for
  bool found_ = false;   // u is that of b
  bool behind_ = false;  // b and dual.c are not those of dual.v yet
  Vector c_;             // (|W|,) Z'u, where the dual point is projected
  Basis basis_;
  std::vector<Index> projected_;
  Index spans_ = 0;  // met so far
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// Newton's method on the dual of the elastic net, n unknowns however many features are active.
//
// With l2_j > 0 for every feature the dual is smooth and without constraints,
//   min_u  ||u||^2 / 2 - u't + sum_j g_j(z_j'u),   g_j the conjugate of the penalty,
// and piecewise quadratic: gradient u - t + Z b(u), b_j(u) = argmax_b c_j b - penalty_j(b), and
// Hessian K = I + sum_{j in A} z_j z_j' / l2_j over the features A that are off zero and inside
// their bounds. An exact line search makes the iteration descend and end after finitely many steps
// (Li, Sun and Toh, 2018, use the same second-order sparsity inside an augmented Lagrangian).
//
// A step moves c_j by at most its length, so that most features keep their piece of b_j; what those
// add to the gradient is in K d, and only the others are followed. From alpha to alpha u / alpha
// moves nearly straight, and a step along its last move comes before the first of Newton's.
#pragma once

#include <algorithm>
#include <numeric>

#include "dual_system.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class DualNewton {
 public:
  Index n_solves = 0;

  DualNewton(const Design& design, const FeatureSet& columns, const ElasticNet& penalty,
             const Vector& target)
      : columns_(columns), penalty_(penalty), t_(target), system_(design, columns, penalty) {}

  double bytes() const { return system_.bytes() + 64.0 * double(c_.size()); }

  // u is where the next solve begins.
  void start(const Vector& u) {
    u_ = u;
    last_u_.clear();
    started_ = true;
  }

  // Moves u to the minimiser and writes the residual t - Z b(u); false if it was stopped or
  // rounding ended it before the gradient fell below `goal`. b and Z'u are known behind
  // follow_all(). Before the first, start(); between two of them features may join, with b = 0.
  template <class Poll>
  bool solve(Vector& b, Vector& residual, double goal, const Poll& poll) {
    const Index old = Index(c_.size());
    const bool fresh = std::exchange(started_, false), rough = !fresh && alpha_ != penalty_.alpha;
    const Index known = rough ? leave_alpha() : 0;
    in_.resize(b.size(), 0);
    c_.resize(b.size());
    along_.resize(b.size());
    rest_.resize(b.size());
    if (rough) scale();
    alpha_ = penalty_.alpha;
    if (fresh)
      state(b);
    else
      join(b, old);
    if (known > 0) follow_lead(b, known);
    const bool done = descend(b, goal, rough && known == 0, poll);
    residual.resize(u_.size());
    for (std::size_t i = 0; i < u_.size(); ++i) residual[i] = u_[i] - g_[i];
    return done;
  }

  // c = Z'u and b(u) of all features
  void follow_all(Vector& b) {
    if (!std::exchange(behind_, false)) return;
    reach_ = 0.0;
    columns_.correlate(u_.data(), c_.data());
    find_coefficients(b);
  }

  // Z'u and the size of the gradient, u less the residual
  const Vector& correlations() const { return c_; }
  double gradient_size() const { return size_of(g_); }

  // How u moves as alpha falls by a unit where A stays, K u = t + const: -K^{-1} (M / alpha^2) u
  Vector tangent() const {
    Vector out = system_.product(u_);
    for (double& v : out) v /= -alpha_ * alpha_;
    if (!system_.solve_near(out, alpha_, 1e-3 * size_of(out), 6.0)) out.assign(u_.size(), 0.0);
    return out;
  }

 private:
  // `rough`: A is far from known, and the first step is solved no better than that is.
  template <class Poll>
  bool descend(Vector& b, double goal, bool rough, const Poll& poll) {
    double last = infinity;
    int slow = 0;
    for (int step = 0; step < 500 && !poll(); ++step) {
      if (size_of(g_) <= goal && moves_ > kMoves) state(b);
      const double norm = size_of(g_);
      if (norm <= goal) return true;
      slow = norm > 0.5 * last ? slow + 1 : 0;
      last = std::min(last, norm);
      if (slow > 200 || (slow > 2 && norm <= 1e3 * goal)) break;  // what falls always is the dual
      follow(b);
      d_ = g_;
      if (std::exchange(rough, false))
        system_.solve(d_, alpha_, 1e-6 * size_of(t_), 6.0);
      else
        system_.solve(d_, alpha_, 1e-4 * goal);
      for (double& v : d_) v = -v;
      ++n_solves;
      find_curvature();
      look_near(kFar * size_of(d_), b);
      const double s = line_search(b);
      if (!(s > 0.0)) break;
      move(s, b);
    }
    if (moves_ > 0) state(b);
    return false;
  }

  // Lists the features whose c_j may pass a kink of b_j while u moves by `reach`, |z_j'd| <= ||d||,
  // and finds their Z'd.
  void look_near(double reach, Vector& b) {
    if (reach > reach_) {
      follow_all(b);
      near_.resize(b.size());
      std::iota(near_.begin(), near_.end(), Index(0));
    }
    const auto far = [&](Index j) { return penalty_.to_kink(j, c_[std::size_t(j)]) > reach; };
    near_.erase(std::remove_if(near_.begin(), near_.end(), far), near_.end());
    reach_ = reach;
    // side by side in memory all cost less than most of them one by one
    if (2 * near_.size() > b.size())
      columns_.correlate(d_.data(), along_.data());
    else
      columns_.correlate(d_.data(), along_.data(), near_);
  }

  // whether j is in A at b
  bool curved(Index j, double b) const {
    return b != 0.0 && b > penalty_.lo(j) && b < penalty_.hi(j);
  }

  static std::vector<Index> off_zero(const Vector& x, std::size_t first) {
    std::vector<Index> out;
    for (std::size_t j = first; j < x.size(); ++j)
      if (x[j] != 0.0) out.push_back(Index(j));
    return out;
  }

  // u := u + s d, with c of the features near a kink. A is as follow(b) left it.
  void move(double s, Vector& b) {
    for (Index k : near_) c_[std::size_t(k)] += s * along_[std::size_t(k)];
    pass(s, b);
    reach_ -= s * size_of(d_);
    behind_ = true;
  }

  // u and g behind s d, and b of the features near a kink, whose c is there: on A, Z b moves by
  // s M d / alpha, and only those that are not in A, or leave it, are read for their part.
  void pass(double s, Vector& b) {
    for (std::size_t i = 0; i < u_.size(); ++i) {
      u_[i] += s * d_[i];
      g_[i] += s * Kd_[i];
    }
    std::vector<Index> apart;
    for (Index k : near_) {
      const std::size_t j = std::size_t(k);
      const double was = b[j], is = penalty_.argument(k, c_[j]);
      b[j] = is;
      if (in_[j] && curved(k, is) && (is > 0.0) == (was > 0.0)) continue;
      rest_[j] = was - is;
      if (in_[j]) rest_[j] += s * along_[j] / penalty_.l2(k);
      if (rest_[j] != 0.0) apart.push_back(k);
    }
    columns_.subtract(apart, rest_.data(), g_.data());
    ++moves_;
  }

  // Features from `first` on joined, at 0.
  void join(Vector& b, Index first) {
    columns_.correlate(u_.data(), c_.data(), first);
    for (std::size_t j = std::size_t(first); j < b.size(); ++j) {
      b[j] = -penalty_.argument(Index(j), c_[j]);
      near_.push_back(Index(j));
    }
    const std::vector<Index> come = off_zero(b, std::size_t(first));
    columns_.subtract(come, b.data(), g_.data());
    for (Index j : come) b[std::size_t(j)] = -b[std::size_t(j)];
  }

  // To the penalty's alpha, at the point where b stays: u and alpha in one proportion, the
  // thresholds of c with them. Newton's step from there is the answer wherever A stays.
  void scale() {
    const double ratio = penalty_.alpha / alpha_;
    for (std::size_t i = 0; i < u_.size(); ++i) {
      g_[i] += (ratio - 1.0) * u_[i];
      u_[i] *= ratio;
    }
    for (double& v : c_) v *= ratio;
    reach_ *= ratio;
  }

  // Leaves u / alpha and c / alpha for the next time. d and Z'd become what they moved by since the
  // last time, Z'd of the features that were there then; returns their number.
  Index leave_alpha() {
    const std::size_t known = last_u_.empty() ? 0 : last_c_.size();
    d_.resize(u_.size());
    last_u_.resize(u_.size(), 0.0);
    last_c_.resize(c_.size(), 0.0);
    for (std::size_t i = 0; i < u_.size(); ++i)
      d_[i] = u_[i] / alpha_ - std::exchange(last_u_[i], u_[i] / alpha_);
    for (std::size_t j = 0; j < c_.size(); ++j)
      along_[j] = c_[j] / alpha_ - std::exchange(last_c_[j], c_[j] / alpha_);
    return Index(known);
  }

  // A step along the last move of u / alpha, of which Z'd is known for the features before `first`:
  // it costs no system, and leaves a few hundredths of the way.
  void follow_lead(Vector& b, Index first) {
    for (double& v : d_) v *= alpha_;
    for (double& v : along_) v *= alpha_;
    columns_.correlate(d_.data(), along_.data(), first);
    follow(b);
    find_curvature();
    near_.clear();
    for (std::size_t j = 0; j < b.size(); ++j)
      if (penalty_.to_kink(Index(j), c_[j]) <= kFar * std::fabs(along_[j]))
        near_.push_back(Index(j));
    const double s = line_search(b);
    if (s > 0.0) {
      for (std::size_t j = 0; j < b.size(); ++j) c_[j] += s * along_[j];
      pass(s, b);
      find_coefficients(b);
    }
    reach_ = 0.0;
  }

  // b(u) from c
  void find_coefficients(Vector& b) const {
    for (std::size_t j = 0; j < b.size(); ++j) b[j] = penalty_.argument(Index(j), c_[j]);
  }

  // K d
  void find_curvature() {
    Kd_ = system_.product(d_);
    for (std::size_t i = 0; i < d_.size(); ++i) Kd_[i] = d_[i] + Kd_[i] / alpha_;
  }

  // c = Z'u, b = b(u) and g = u - t + Z b
  void state(Vector& b) {
    behind_ = true;
    follow_all(b);
    const std::vector<Index> support = off_zero(b, 0);
    g_ = t_;
    columns_.subtract(support, b.data(), g_.data());
    for (std::size_t i = 0; i < u_.size(); ++i) g_[i] = u_[i] - g_[i];
    moves_ = 0;
  }

  // The system follows the set A of b.
  void follow(const Vector& b) {
    std::vector<Index> come, go, all;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const bool now = curved(Index(j), b[j]), was = in_[j];
      if (now) all.push_back(Index(j));
      if (now && !was) come.push_back(Index(j));
      if (!now && was) go.push_back(Index(j));
      in_[j] = now;
    }
    system_.change(come, go, all);
  }

  // The s in (0, kFar] that minimises the dual on u + s d: Newton on its increasing derivative,
  // kept inside a bracket. Along d it is d'g + s d'K d where no feature passes a kink.
  double line_search(const Vector& b) const {
    const Index n = Index(d_.size());
    const double dg = dot_dense(d_.data(), g_.data(), n), dKd = dot_dense(d_.data(), Kd_.data(), n);
    double low = 0.0, high = kFar, s = 1.0;
    for (int step = 0; step < 100; ++step) {
      double slope = dg + s * dKd, bend = dKd, terms = std::fabs(dg);
      for (Index k : near_) {
        const std::size_t j = std::size_t(k);
        const double a = along_[j], is = penalty_.argument(k, c_[j] + s * a);
        const double curve = a / penalty_.l2(k);
        slope += a * (is - b[j]);
        terms += std::fabs(a * is);
        if (in_[j]) slope -= s * a * curve;
        bend += a * curve * (double(curved(k, is)) - double(in_[j]));
      }
      const bool farther = slope < 0.0;
      if (std::fabs(slope) <= 1e-13 * terms || (farther && s == high)) break;
      (farther ? low : high) = s;
      if (high - low <= 1e-14 * high) break;
      const double newton = s - slope / bend;
      if (newton > low && newton < high)
        s = newton;
      else
        s = farther && high == kFar && newton >= high ? high : 0.5 * (low + high);
    }
    return s;
  }

  static constexpr int kMoves = 16;     // that may leave their rounding in g
  static constexpr double kFar = 1.25;  // longest step, in units of d

  const FeatureSet& columns_;
  const ElasticNet& penalty_;
  const Vector& t_;
  DualSystem system_;
  double alpha_ = 0.0;       // of u
  Vector u_, g_, d_, Kd_;    // (n,) iterate, gradient, direction, Hessian times it
  Vector c_, along_, rest_;  // (|W|,) Z'u, Z'd, what Z b moves by beside M d
  Vector last_u_, last_c_;   // (n,), (|W|,) u and Z'u where alpha was left last, in units of it
  std::vector<Index> near_;  // the features that may pass a kink while u moves by reach_
  double reach_ = 0.0;
  bool behind_ = false;   // c and b of the others are as they were
  bool started_ = false;  // u is new: nothing is known of it
  int moves_ = 0;         // of u since g was made anew
  std::vector<char> in_;  // (|W|,) whether j is in A
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

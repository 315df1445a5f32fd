// Newton's method on the dual of the elastic net, n unknowns however many features are active.
//
// With l2_j > 0 for every feature the dual is smooth and without constraints,
//   min_u  ||u||^2 / 2 - u't + sum_j g_j(z_j'u),   g_j the conjugate of the penalty,
// and piecewise quadratic: gradient u - t + Z b(u), b_j(u) = argmax_b c_j b - penalty_j(b), and
// Hessian K = I + sum_{j in A} z_j z_j' / l2_j over the features A that are off zero and inside
// their bounds. An exact line search makes the iteration descend and end after finitely many steps
// (Li, Sun and Toh, 2018, use the same second-order sparsity inside an augmented Lagrangian).
#pragma once

#include "dual_system.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class DualNewton {
 public:
  Index n_solves = 0;

  DualNewton(const Design& design, const FeatureSet& columns, const ElasticNet& penalty,
             const std::vector<double>& target)
      : columns_(columns), penalty_(penalty), t_(target), system_(design, columns, penalty) {}

  double bytes() const { return system_.bytes() + 48.0 * double(c_.size()); }

  // u is where the next solve begins.
  void start(const std::vector<double>& u) {
    u_ = u;
    started_ = true;
  }

  // Moves u to the minimiser and writes b(u) and the residual t - Z b; false if it was stopped or
  // rounding ended it before the gradient fell below `goal`. Before the first, start(); between two
  // of them features may join, with b = 0.
  template <class Poll>
  bool solve(std::vector<double>& b, std::vector<double>& residual, double goal, const Poll& poll) {
    in_.resize(b.size(), 0);
    if (std::exchange(started_, false)) {
      c_.resize(b.size());
      columns_.correlate(u_.data(), c_.data());
      gradient(b);
    } else {
      go_on(b);
    }
    alpha_ = penalty_.alpha;
    const bool done = descend(b, goal, poll);
    residual.resize(u_.size());
    for (std::size_t i = 0; i < u_.size(); ++i) residual[i] = u_[i] - g_[i];
    return done;
  }

  // Z'u and the size of the gradient, u less the residual
  const std::vector<double>& correlations() const { return c_; }
  double gradient_size() const { return size_of(g_); }

  // How u moves as alpha falls by a unit where A stays, K u = t + const: -K^{-1} (M / alpha^2) u
  std::vector<double> tangent() const {
    std::vector<double> out = system_.product(u_);
    for (double& v : out) v /= -alpha_ * alpha_;
    if (!system_.solve_near(out, alpha_, 1e-3 * size_of(out), 6.0)) out.assign(u_.size(), 0.0);
    return out;
  }

 private:
  template <class Poll>
  bool descend(std::vector<double>& b, double goal, const Poll& poll) {
    double last = infinity;
    int slow = 0;
    for (int step = 0; step < 500 && !poll(); ++step) {
      if (size_of(g_) <= goal && !exact_) gradient(b);
      const double norm = size_of(g_);
      if (norm <= goal) return true;
      slow = norm > 0.5 * last ? slow + 1 : 0;
      last = std::min(last, norm);
      if (slow > 200 || (slow > 2 && norm <= 1e3 * goal)) break;  // what falls always is the dual
      follow(b);
      d_ = g_;
      system_.solve(d_, alpha_, 1e-4 * goal);
      for (double& v : d_) v = -v;
      ++n_solves;
      along_.resize(b.size());
      columns_.correlate(d_.data(), along_.data());
      const double s = line_search();
      if (!(s > 0.0)) break;
      std::vector<double> u(u_), c(c_);
      for (std::size_t i = 0; i < u.size(); ++i) u[i] += s * d_[i];
      for (std::size_t j = 0; j < c.size(); ++j) c[j] += s * along_[j];
      move(u, c, b);
    }
    if (!exact_) gradient(b);
    return false;
  }

  // whether j is in A at b
  bool curved(Index j, double b) const {
    return b != 0.0 && b > penalty_.lo(j) && b < penalty_.hi(j);
  }

  static std::vector<Index> off_zero(const std::vector<double>& x, std::size_t first) {
    std::vector<Index> out;
    for (std::size_t j = first; j < x.size(); ++j)
      if (x[j] != 0.0) out.push_back(Index(j));
    return out;
  }

  // u := u', c := c' = Z'u', with b and g = u - t + Z b at them and at the penalty's alpha, from
  // those at alpha_: on A, Z b moves by M (u' / alpha' - u / alpha), and only features that are not
  // in A, or leave it, are read for their part. A is as follow(b) left it.
  void move(std::vector<double>& u, std::vector<double>& c, std::vector<double>& b) {
    const double now = penalty_.alpha;
    std::vector<double> x(u), rest(b.size());
    for (std::size_t i = 0; i < u.size(); ++i) x[i] = u[i] / now - u_[i] / alpha_;
    const std::vector<double> Mx = system_.product(x);
    for (std::size_t i = 0; i < u.size(); ++i) g_[i] += u[i] - u_[i] + Mx[i];
    for (std::size_t j = 0; j < b.size(); ++j) {
      const double was = b[j], is = penalty_.argument(Index(j), c[j]);
      b[j] = is;
      if (in_[j] && curved(Index(j), is) && (is > 0.0) == (was > 0.0)) continue;
      rest[j] = was - is;
      if (in_[j]) rest[j] += (c[j] / now - c_[j] / alpha_) / penalty_.factor2[j];
    }
    columns_.subtract(off_zero(rest, 0), rest.data(), g_.data());
    u_.swap(u);
    c_.swap(c);
    exact_ = false;
  }

  // From the last answer: to the new alpha, or to the features that joined at the same.
  void go_on(std::vector<double>& b) {
    const Index old = Index(c_.size());
    c_.resize(b.size());
    if (alpha_ == penalty_.alpha) {
      columns_.correlate(u_.data(), c_.data(), old);
      for (std::size_t j = std::size_t(old); j < b.size(); ++j)
        b[j] = -penalty_.argument(Index(j), c_[j]);
      const std::vector<Index> come = off_zero(b, std::size_t(old));
      columns_.subtract(come, b.data(), g_.data());
      for (Index j : come) b[std::size_t(j)] = -b[std::size_t(j)];
      return;
    }
    follow(b);
    std::vector<double> u = predicted(), c(b.size());
    columns_.correlate(u.data(), c.data());
    move(u, c, b);
  }

  // u where A stays: K' u' = K u
  std::vector<double> predicted() {
    std::vector<double> u(u_), step = system_.product(u_);
    for (double& v : step) v *= 1.0 / alpha_ - 1.0 / penalty_.alpha;
    system_.solve(step, penalty_.alpha, 1e-6 * size_of(t_), 6.0);
    for (std::size_t i = 0; i < u.size(); ++i) u[i] += step[i];
    return u;
  }

  // b = b(u) and g = u - t + Z b
  void gradient(std::vector<double>& b) {
    for (std::size_t j = 0; j < b.size(); ++j) b[j] = penalty_.argument(Index(j), c_[j]);
    const std::vector<Index> support = off_zero(b, 0);
    g_ = t_;
    columns_.subtract(support, b.data(), g_.data());
    for (std::size_t i = 0; i < u_.size(); ++i) g_[i] = u_[i] - g_[i];
    exact_ = true;
  }

  // The system follows the set A of b.
  void follow(const std::vector<double>& b) {
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

  // The s > 0 that minimises the dual on u + s d: Newton on its increasing derivative, kept inside
  // a bracket.
  double line_search() const {
    double ud = 0.0, td = 0.0, dd = 0.0;
    for (std::size_t i = 0; i < u_.size(); ++i) {
      ud += u_[i] * d_[i];
      td += t_[i] * d_[i];
      dd += d_[i] * d_[i];
    }
    double low = 0.0, high = infinity, s = 1.0;
    for (int step = 0; step < 100; ++step) {
      double slope = ud - td + s * dd, bend = dd;
      for (std::size_t j = 0; j < c_.size(); ++j) {
        const double at = c_[j] + s * along_[j];
        slope += along_[j] * penalty_.argument(Index(j), at);
        bend += along_[j] * along_[j] * penalty_.argument_slope(Index(j), at);
      }
      (slope < 0.0 ? low : high) = s;
      if (std::fabs(slope) <= 1e-13 * (std::fabs(ud) + std::fabs(td)) + 1e-12 * dd) break;
      if (high - low <= 1e-14 * high) break;
      const double newton = s - slope / bend;
      s = newton > low && newton < high ? newton
                                        : (std::isfinite(high) ? 0.5 * (low + high) : 2.0 * s);
    }
    return s;
  }

  const FeatureSet& columns_;
  const ElasticNet& penalty_;
  const std::vector<double>& t_;
  DualSystem system_;
  double alpha_ = 0.0;             // of u
  std::vector<double> u_, g_, d_;  // (n,) iterate, gradient, direction
  std::vector<double> c_, along_;  // (|W|,) Z'u, Z'd
  bool started_ = false;           // u is new: nothing is known of it
  bool exact_ = false;             // whether g does not come from its changes
  std::vector<char> in_;           // (|W|,) whether j is in A
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// Newton's method on the dual of the elastic net, n unknowns however many features are active.
//
// With l2_j > 0 for every feature the dual is smooth and without constraints,
//   min_u  ||u||^2 / 2 - u't + sum_j g_j(z_j'u),   g_j the conjugate of the penalty,
// and piecewise quadratic: gradient u - t + Z b(u), b_j(u) = argmax_b c_j b - penalty_j(b), and
// Hessian K = I + sum_{j in A} z_j z_j' / l2_j over the features A that are off zero and inside
// their bounds. An exact line search makes the iteration descend and end after finitely many steps
// (Li, Sun and Toh, 2018, use the same second-order sparsity inside an augmented Lagrangian).
// M = sum_A z_j z_j' / factor2_j does not depend on alpha and follows A by changes.
#pragma once

#include "feature_set.hpp"
#include "penalty.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class DualNewton {
 public:
  Index n_solves = 0;

  DualNewton(const Design& design, const FeatureSet& columns, const ElasticNet& penalty,
             const std::vector<double>& target)
      : design_(design), columns_(columns), penalty_(penalty), t_(target), n_(design.X.n) {}

  double bytes() const { return 16.0 * double(M_.size()) + 32.0 * double(c_.size()); }

  // Moves u to the minimiser, writes b(u) and leaves the residual t - Z b in u; false if it was
  // stopped or rounding ended it before the gradient fell below `goal`.
  template <class Poll>
  bool solve(std::vector<double>& u, std::vector<double>& b, double goal, const Poll& poll) {
    predict(u);
    c_.resize(b.size());
    along_.resize(b.size());
    in_.resize(b.size(), 0);
    columns_.correlate(u.data(), c_.data());
    const bool done = descend(u, b, goal, poll);
    for (Index i = 0; i < n_; ++i) u[std::size_t(i)] -= g_[std::size_t(i)];
    u_ = u;
    return done;
  }

  // How u moves as alpha falls by a unit: -K^{-1} Z_A (c_A / (alpha l2_A))
  std::vector<double> tangent() const { return tangent(alpha_); }

 private:
  template <class Poll>
  bool descend(std::vector<double>& u, std::vector<double>& b, double goal, const Poll& poll) {
    double last = infinity;
    int slow = 0;
    gradient(u, b);
    bool exact = true;  // whether g does not come from its changes
    for (int step = 0; step < 500 && !poll(); ++step) {
      if (size_of(g_) <= goal && !exact) gradient(u, b), exact = true;
      const double norm = size_of(g_);
      if (norm <= goal) return true;
      slow = norm > 0.5 * last ? slow + 1 : 0;
      last = std::min(last, norm);
      if (slow > 200 || (slow > 2 && norm <= 1e3 * goal)) break;  // what falls always is the dual
      follow(b);
      d_ = g_;
      if (!solve_updated(d_, penalty_.alpha)) {
        factorise();
        solve_updated(d_, penalty_.alpha);
      }
      for (double& v : d_) v = -v;
      ++n_solves;
      columns_.correlate(d_.data(), along_.data());
      const double s = line_search(u);
      if (!(s > 0.0)) break;
      step_along(s, u, b);
      exact = false;
    }
    if (!exact) gradient(u, b);
    return false;
  }

  double size_of(const std::vector<double>& v) const {
    return std::sqrt(dot_dense(v.data(), v.data(), n_));
  }

  // M x, from the upper triangle
  std::vector<double> product(const std::vector<double>& x) const {
    std::vector<double> y(std::size_t(n_), 0.0);
    for (Index k = 0; k < n_; ++k) {
      const double* column = M_.data() + k * n_;
      const double xk = x[std::size_t(k)];
#pragma omp simd
      for (Index i = 0; i < k; ++i) y[std::size_t(i)] += xk * column[i];
      y[std::size_t(k)] += dot_dense(column, x.data(), k) + xk * column[k];
    }
    return y;
  }

  // u += s d, with c, b and g = u - t + Z b after it: on A, Z b moves by s (M / alpha) d, and only
  // features that leave A or join it, or a bound, are read for their part.
  void step_along(double s, std::vector<double>& u, std::vector<double>& b) {
    const std::vector<double> Md = product(d_);
    for (std::size_t i = 0; i < u.size(); ++i) {
      u[i] += s * d_[i];
      g_[i] += s * (d_[i] + Md[i] / penalty_.alpha);
    }
    std::vector<Index> crossed;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const double before = b[j];
      c_[j] += s * along_[j];
      b[j] = penalty_.argument(Index(j), c_[j]);
      if (in_[j] && curved(Index(j), b[j]) && (b[j] > 0.0) == (before > 0.0)) continue;
      along_[j] = before - b[j] + (in_[j] ? s * along_[j] / penalty_.l2(Index(j)) : 0.0);
      if (along_[j] != 0.0) crossed.push_back(Index(j));
    }
    columns_.subtract(crossed, along_.data(), g_.data());
  }

  // Z_A (c_A / f_A) = M u
  std::vector<double> tangent(double alpha) const {
    std::vector<double> out(std::size_t(n_), 0.0);
    if (M_.empty() || K_.empty() || u_.empty()) return out;
    out = product(u_);
    for (double& v : out) v /= -alpha * alpha;
    if (!solve_updated(out, alpha)) std::fill(out.begin(), out.end(), 0.0);
    return out;
  }

  // u moves along its tangent to the new alpha.
  void predict(std::vector<double>& u) {
    const double fall = alpha_ - penalty_.alpha;
    if (alpha_ > 0.0 && fall > 0.0 && fall < 0.5 * alpha_ && alpha_ == factored_) {
      const std::vector<double> d = tangent(alpha_);
      for (Index i = 0; i < n_; ++i) u[std::size_t(i)] += fall * d[std::size_t(i)];
    }
    alpha_ = penalty_.alpha;
  }

  bool curved(Index j, double b) const {
    return b != 0.0 && b > penalty_.lo(j) && b < penalty_.hi(j);
  }

  // b = b(u) and g = u - t + Z b
  void gradient(const std::vector<double>& u, std::vector<double>& b) {
    std::vector<Index> support;
    for (std::size_t j = 0; j < b.size(); ++j) {
      b[j] = penalty_.argument(Index(j), c_[j]);
      if (b[j] != 0.0) support.push_back(Index(j));
    }
    g_ = t_;
    columns_.subtract(support, b.data(), g_.data());
    for (Index i = 0; i < n_; ++i) g_[std::size_t(i)] = u[std::size_t(i)] - g_[std::size_t(i)];
  }

  // M follows the set A of b; made anew when most of it changed.
  void follow(const std::vector<double>& b) {
    std::vector<Index> come, go, all;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const bool now = curved(Index(j), b[j]);
      if (now) all.push_back(Index(j));
      if (now && !in_[j]) come.push_back(Index(j));
      if (!now && in_[j]) go.push_back(Index(j));
      in_[j] = now;
    }
    changes_ += Index(come.size() + go.size());
    for (Index j : come) since_.emplace_back(j, 1.0);
    for (Index j : go) since_.emplace_back(j, -1.0);
    if (M_.empty() || come.size() + go.size() > all.size() || changes_ > 20 * n_) {
      M_.assign(std::size_t(n_ * n_), 0.0);
      columns_.add_outer(all, 1.0, penalty_.factor2, M_.data());
      changes_ = 0;
      return;
    }
    columns_.add_outer(come, 1.0, penalty_.factor2, M_.data());
    columns_.add_outer(go, -1.0, penalty_.factor2, M_.data());
  }

  // x := K^{-1} x from the factor of K_0 held, K = K_0 + U S U' with the changes of A since, a
  // column z_j / sqrt(l2_j) of U and a sign each:  K^{-1} = R^{-1} (I - V (S + V'V)^{-1} V')
  // R'^{-1}, V = R'^{-1} U. False where K_0 belongs to another alpha or the changes are many.
  bool solve_updated(std::vector<double>& x, double at) const {
    const Index k = Index(since_.size()), held = Index(V_.size()) / std::max<Index>(n_, 1);
    if (factored_ != at || k > std::max<Index>(8, n_ / 12)) return false;
    V_.resize(std::size_t(n_ * k));
    for (Index l = held; l < k; ++l) {
      const auto [j, sign] = since_[std::size_t(l)];
      columns_.copy(j, 1.0 / std::sqrt(at * penalty_.factor2[std::size_t(j)]), V_.data() + n_ * l);
    }
    if (k > held)
      trsm(design_.blas, int(n_), int(k - held), K_.data(), int(n_), V_.data() + n_ * held,
           int(n_));
    std::vector<double> y(x);
    trsv(design_.blas, 'T', int(n_), K_.data(), int(n_), y.data());
    if (k > 0) {
      std::vector<double> T(std::size_t(k * k)), a(static_cast<std::size_t>(k));
      gemm(design_.blas, 'T', 'N', int(k), int(k), int(n_), 1.0, V_.data(), int(n_), V_.data(),
           int(n_), 0.0, T.data(), int(k));
      for (Index l = 0; l < k; ++l) T[std::size_t(l * (k + 1))] += since_[std::size_t(l)].second;
      gemv(design_.blas, 'T', int(n_), int(k), 1.0, V_.data(), int(n_), y.data(), 0.0, a.data());
      if (!eliminate(T, a)) return false;
      gemv(design_.blas, 'N', int(n_), int(k), -1.0, V_.data(), int(n_), a.data(), 1.0, y.data());
    }
    trsv(design_.blas, 'N', int(n_), K_.data(), int(n_), y.data());
    x.swap(y);
    return true;
  }

  // a := T^{-1} a by Gauss elimination with partial pivoting, T (k, k) column-major; false if
  // singular to rounding.
  static bool eliminate(std::vector<double>& T, std::vector<double>& a) {
    const std::size_t k = a.size();
    for (std::size_t c = 0; c < k; ++c) {
      std::size_t pivot = c;
      for (std::size_t r = c + 1; r < k; ++r)
        if (std::fabs(T[r + c * k]) > std::fabs(T[pivot + c * k])) pivot = r;
      if (!(std::fabs(T[pivot + c * k]) > 1e-10)) return false;
      for (std::size_t l = c; l < k; ++l) std::swap(T[c + l * k], T[pivot + l * k]);
      std::swap(a[c], a[pivot]);
      for (std::size_t r = c + 1; r < k; ++r) {
        const double factor = T[r + c * k] / T[c + c * k];
        for (std::size_t l = c; l < k; ++l) T[r + l * k] -= factor * T[c + l * k];
        a[r] -= factor * a[c];
      }
    }
    for (std::size_t c = k; c-- > 0;) {
      for (std::size_t l = c + 1; l < k; ++l) a[c] -= T[c + l * k] * a[l];
      a[c] /= T[c + c * k];
    }
    return true;
  }

  // K_ := upper factor of I + M / alpha
  void factorise() {
    factored_ = penalty_.alpha;
    since_.clear();
    V_.clear();
    K_.resize(M_.size());
    const double scale = 1.0 / penalty_.alpha;
    for (Index k = 0; k < n_; ++k) {
      for (Index i = 0; i <= k; ++i)
        K_[std::size_t(i + k * n_)] = scale * M_[std::size_t(i + k * n_)];
      K_[std::size_t(k * (n_ + 1))] += 1.0;
    }
    if (potrf(design_.blas, int(n_), K_.data(), int(n_)) == 0) return;
    std::fill(K_.begin(), K_.end(), 0.0);  // rounding made K indefinite: a plain gradient step
    for (Index k = 0; k < n_; ++k) K_[std::size_t(k * (n_ + 1))] = 1.0;
  }

  // The s > 0 that minimises the dual on u + s d: Newton on its increasing derivative, kept inside
  // a bracket.
  double line_search(const std::vector<double>& u) const {
    double ud = 0.0, td = 0.0, dd = 0.0;
    for (std::size_t i = 0; i < u.size(); ++i) {
      ud += u[i] * d_[i];
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

  const Design& design_;
  const FeatureSet& columns_;
  const ElasticNet& penalty_;
  const std::vector<double>& t_;
  const Index n_;
  Index changes_ = 0;
  double alpha_ = 0.0, factored_ = 0.0;          // of the last solve; of K_
  std::vector<double> M_, K_;                    // (n, n), upper triangles
  std::vector<std::pair<Index, double>> since_;  // features that joined (1) or left (-1) A since K_
  mutable std::vector<double> V_;                // (n, those of since_ met so far)
  std::vector<double> c_, along_, g_, d_;        // Z'u, Z'd, gradient, direction
  std::vector<double> u_;                        // (n,) the last answer
  std::vector<char> in_;                         // (|W|,) whether j is in A
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

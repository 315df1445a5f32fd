// The direct solver on features V of a working set W: on all of them, whose Gram matrix then says
// their correlations too, or on those alone that a residual has shown to violate or nearly so.
#pragma once

#include <algorithm>
#include <vector>

#include "active_set.hpp"
#include "coordinate_descent.hpp"
#include "feature_set.hpp"
#include "values.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class DirectSolver {
 public:
  DirectSolver(const Design& design, FeatureSet& columns, const Vector& target)
      : columns_(columns),
        model_(nullptr, 0, 0, nullptr, dot_dense(target.data(), target.data(), design.X.n)),
        active_(design.blas, model_, penalty_, nullptr) {
    model_.n_threads = design.n_threads;
  }

  bool whole() const { return whole_; }  // V is W
  // From here on who joins W need not join V.
  void narrow() { whole_ = false; }
  Index size() const { return Index(features_.size()); }
  const GramModel& model() const { return model_; }
  Index n_solves() const { return active_.n_solves; }
  double work() const { return active_.work; }
  Index n_free() const { return Index(active_.free_features().size()); }
  bool has(Index k) const { return k < Index(in_.size()) && in_[std::size_t(k)]; }
  double bytes() const {
    const double rows = double(std::min(ld_, size() + kPage));  // mapped of each column of G
    return 8.0 * double(size()) * rows + active_.bytes();
  }

  // The features K of W join, whose target products are q_K; b and its penalties are on W.
  void join(const std::vector<Index>& K, const ElasticNet& penalty, const Vector& q,
            const Vector& b) {
    if (K.empty()) return;
    reserve(size() + Index(K.size()));
    columns_.add_gram(K, G_.data(), ld_);
    in_.resize(b.size(), 0);
    for (Index k : K) {
      const std::size_t i = std::size_t(k);
      in_[i] = 1;
      features_.push_back(k);
      q_.push_back(q[i]);
      penalty_.append(penalty, i);
    }
    model_.G = G_.data();
    model_.ld = ld_;
    model_.p = size();
    model_.q = q_.data();
    model_.g.resize(q_.size());
    take(b);
    active_.grown(b_.data());
    tracked_ = tracked_ && active_.fresh();  // else nothing says the gradient of who joined
  }

  // b on W moves to the minimiser on V, as far as `poll` and max_solves let it.
  template <class Poll>
  void solve(double alpha, Vector& b, Index max_solves, const Poll& poll, bool trusting) {
    penalty_.alpha = alpha;
    take(b);
    active_.solve(max_solves, poll, trusting);
    give(b);
    tracked_ = true;
  }

  // Coordinate descent, for what rounding keeps from the solver; returns its epochs.
  template <class Poll>
  Index descend_from(Vector& b, const Poll& poll) {
    take(b);
    std::vector<Index> moving;
    for (Index i = 0; i < size(); ++i)
      if (b_[std::size_t(i)] != 0.0 || penalty_.slack(i, model_.gradient(i)) < 0.0)
        moving.push_back(i);
    const Index epochs = descend(model_, penalty_, moving, b_.data(), 500, poll).epochs;
    give(b);
    active_.restart();
    return epochs;
  }

  // c (|W|,) = Z'(t - Zb) by the residual: the model's gradient is set to the true one.
  void correct(const Vector& b, const Vector& c) {
    take(b);
    if (!tracked_) model_.refresh(b_.data());
    for (std::size_t i = 0; i < q_.size(); ++i) {
      const double exact = c[std::size_t(features_[i])];
      q_[i] += exact - model_.g[i];
      model_.g[i] = exact;
    }
    active_.set_fresh();
    tracked_ = true;
  }

  // b was set to something else.
  void restart() {
    active_.restart();
    tracked_ = false;
  }

  void clear() {
    active_.restart();
    Growing().swap(G_);
    ld_ = 0;
  }

  // how b moves as alpha falls by a unit: the features of W that are free, and their d
  std::vector<Index> free_features() const {
    std::vector<Index> of_W;
    for (Index i : active_.free_features()) of_W.push_back(features_[std::size_t(i)]);
    return of_W;
  }
  Vector tangent() const { return active_.tangent(); }

 private:
  void take(const Vector& b) {
    b_.resize(features_.size());
    for (std::size_t i = 0; i < b_.size(); ++i) b_[i] = b[std::size_t(features_[i])];
  }
  void give(Vector& b) const {
    for (std::size_t i = 0; i < b_.size(); ++i) b[std::size_t(features_[i])] = b_[i];
  }

  // Memory of G is not cleared: what is never written is never mapped.
  void reserve(Index m) {
    if (m <= ld_) return;
    const Index wider = std::max<Index>(256, m < kWide ? 2 * m : m + m / 2), old = size();
    widen(G_, old, ld_, wider, [&](Index) { return old; });
    ld_ = wider;
  }

  static constexpr Index kWide = 4096;  // features from which on G grows by half, not to the double
  static constexpr Index kPage = 512;   // numbers of a page of memory

  FeatureSet& columns_;
  ElasticNet penalty_;           // on V
  std::vector<Index> features_;  // of W, in the order of joining
  std::vector<char> in_;         // (|W| at most,) whether a feature of W is in V
  Vector b_, q_;                 // (|V|,)
  Growing G_;                    // (|V|, |V|), leading dimension ld_
  Index ld_ = 0;
  GramModel model_;
  ActiveSet active_;
  bool whole_ = true;
  bool tracked_ = false;  // the model's gradient is that at b
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

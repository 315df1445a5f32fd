// C = Z'Q read from the copy of X: what that hides of each feature, and the features that are
// sharp, whose rows of C come from X itself or from what is gathered of it.
//
// With e_j and lost_l as the copy has them, for coordinates a, C a is off for a feature by at most
//   (|e_j'Q a| + half_j sum_l lost_l |a_l|) / d_j <= (error_j + half_j ||lost||) ||a|| / d_j.
#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "working_set.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class CopiedCorrelations {
 public:
  static constexpr double kCoarse = 0.1;  // blur of a feature that the copy says too little of

  CopiedCorrelations(const Design& design, const WorkingSet& W)
      : design_(design), W_(W), p_(design.X.p) {}

  double bytes() const {
    return 4.0 * double(blur_.size()) + (beside_ ? beside_->bytes() : 0.0) +
           (design_.copy ? design_.copy->size() : 0.0);
  }
  // Whether readings are of the copy.
  bool serves() const { return serves_; }
  bool blurs() const { return !blur_.empty(); }
  // (p,), what C a is off by for ||a|| = 1
  const float* blur() const { return blur_.data(); }

  // From here on readings are of the copy, if there is one; what it leaves of `most` bytes may be
  // taken by sharp features. Returns those that it is too coarse for.
  std::vector<Index> begin(double most) {
    std::vector<Index> coarse;
    serves_ = design_.copy != nullptr;
    if (!serves_) return coarse;
    is_sharp_.assign(std::size_t(p_), 0);
    const double left = (most - design_.copy->size()) / (8.0 * double(design_.X.n));
    room_ = design_.X.by_rows() ? Index(std::min(left, double(p_))) : 0;
    for (Index j = 0; j < p_; ++j) {
      const double off = design_.copy->error(j) + 1e-3 * design_.copy->half(j);
      if (!(design_.stats.inv[std::size_t(j)] * off <= kCoarse)) coarse.push_back(j);
    }
    return coarse;
  }

  // c (p x k) = Z'q for k new directions (n, k), but for what is settled: features of W, its first.
  void read(const Vector& fresh, int k, double* c, Report& report,
            const std::vector<char>& settled) {
    Vector lost(static_cast<std::size_t>(k));
    design_.correlate_by_copy(design_.weighted(fresh).data(), k, c, lost.data(), report);
    for (double g : lost) lost_square_ += g * g;
    Index first = 0;
    while (!settled.empty() && first < W_.size() &&
           settled[std::size_t(W_.features[std::size_t(first)])])
      ++first;
    const auto outside = [&](Index j) { return W_.position[std::size_t(j)] < 0; };
    by_x_.erase(std::partition(by_x_.begin(), by_x_.end(), outside), by_x_.end());
    correct(first, 0, by_x_, fresh, c, report);
    constexpr double up = 1.0 + double(std::numeric_limits<float>::epsilon());
    const double lost_norm = std::sqrt(lost_square_);
    blur_.resize(std::size_t(p_));
    for (Index j = 0; j < p_; ++j)
      blur_[std::size_t(j)] =
          is_sharp_[std::size_t(j)]
              ? 0.0f
              : float(up * design_.stats.inv[std::size_t(j)] *
                      (design_.copy->error(j) + design_.copy->half(j) * lost_norm));
  }

  // These features are sharp from here on, and so are their rows of C (p x m) = Z'Q. Returns those
  // that were not; where that makes most of all sharp the copy has served, and it is the rest too.
  std::vector<Index> sharpen(const std::vector<Index>& features, const Values& Q, double* C,
                             Report& report) {
    std::vector<Index> come;
    if (!serves_) return come;
    const auto take = [&](Index j) {
      if (!std::exchange(is_sharp_[std::size_t(j)], char(1))) come.push_back(j);
    };
    for (Index j : features) take(j);
    if (2 * (n_sharp_ + Index(come.size())) > p_) {
      serves_ = false;
      for (Index j = 0; j < p_; ++j) take(j);
    }
    n_sharp_ += Index(come.size());
    if (come.empty()) return come;
    if (!serves_) besides_.clear(), beside_.reset();
    Index first = W_.size();
    const Index kept = Index(besides_.size());
    std::vector<Index> fresh, others;
    for (Index j : come) {
      const Index at = W_.position[std::size_t(j)];
      if (at >= 0)
        first = std::min(first, at);
      else
        (serves_ && kept + Index(fresh.size()) < room_ ? fresh : others).push_back(j);
    }
    keep(fresh);
    report.x_bytes += double(fresh.size()) * design_.X.column_bytes(0);
    by_x_.insert(by_x_.end(), others.begin(), others.end());
    if (!blurs()) return come;
    correct(first, kept, others, Vector(Q.begin(), Q.end()), C, report);
    for (Index j : come) blur_[std::size_t(j)] = 0.0f;
    if (!serves_) blur_.clear();
    return come;
  }

 private:
  void keep(const std::vector<Index>& features) {
    if (features.empty()) return;
    if (!beside_) beside_ = std::make_unique<DenseFeatures>(design_);
    beside_->add(features);
    besides_.insert(besides_.end(), features.begin(), features.end());
  }

  // The rows of C (p x m) = Z'Q of W's features from `first` on, of those kept from `kept` on, and
  // of `others` by X.
  void correct(Index first, Index kept, const std::vector<Index>& others, const Vector& Q,
               double* C, Report& report) const {
    const int m = int(Q.size() / std::size_t(design_.X.n));
    W_.correlate(Q.data(), m, first, C);
    if (beside_) beside_->correlate(besides_, Q.data(), m, kept, C);
    if (others.empty()) return;
    design_.correlate_of(others, design_.weighted(Q).data(), m, C, report);
  }

  const Design& design_;
  const WorkingSet& W_;
  Index p_, n_sharp_ = 0;
  bool serves_ = false;
  std::vector<float> blur_;     // (p,), 0 for sharp features; empty: C is all by X
  std::vector<char> is_sharp_;  // (p,), or empty
  double lost_square_ = 0.0;    // sum_l lost_l^2 of all directions read from the copy
  // Sharp features outside W: where X lies by rows each of their numbers is read with those beside
  // it in a line of the cache, so that some are gathered once.
  std::unique_ptr<DenseFeatures> beside_;
  std::vector<Index> besides_, by_x_;
  Index room_ = 0;  // of beside_, in features
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// Direct active-set solver of  min_b  b'Gb/2 - q'b + sum_j l1_j |b_j| + l2_j b_j^2 / 2,
// lower <= b <= upper, in Gram space.
//
// On the free features F with signs s the problem is a linear system, H x = q - l1 s on F with
// H = G_FF + diag(l2), whose Cholesky factor follows F. From any b: Newton direction on F, exact
// search along its bent ray (objective falls strictly), features that stop at zero or at a bound
// leave F; once F is stationary, features that violate their optimality condition join,
// several at once, less those that would move against their sign. A feature that depends linearly
// on F moves along the null vector until another reaches zero and takes its place. Of features that
// no penalty holds any independent set fits as well: those far from dependent join first, since the
// others need large coefficients. Started from the solution at a larger alpha, the first Newton
// step is the predictor of the path. Lee, Battle, Raina and Ng (2007), feature-sign search;
// Osborne, Presnell and Turlach (2000), homotopy.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "bent_ray.hpp"
#include "cholesky.hpp"
#include "gram_model.hpp"
#include "penalty.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class ActiveSet {
 public:
  ActiveSet(const Blas& blas, GramModel& model, const ElasticNet& penalty, double* b)
      : model_(model), penalty_(penalty), factor_(blas) {
    grown(b);
  }

  // The model and its penalty have more features than before, b among them.
  void grown(double* b) {
    b_ = b;
    if (refreshed_) model_.extend(b, Index(in_.size()));
    in_.resize(std::size_t(model_.p), 0);
    change_.resize(std::size_t(model_.p), 0.0);
    for (Index j = 0; j < model_.p; ++j) largest_q_ = std::max(largest_q_, std::fabs(model_.q[j]));
  }

  // d_F = H^{-1} (l1 s)_F, how b moves as alpha falls by a unit
  Vector tangent() const {
    Vector d;
    for (std::size_t k = 0; k < F_.size(); ++k)
      d.push_back(penalty_.factor1[std::size_t(F_[k])] * sign_[k]);
    factor_.solve(d.data());
    return d;
  }
  const std::vector<Index>& free_features() const { return F_; }

  Index n_solves = 0;
  double work = 0.0;  // entries of triangles of F that were read; BLAS3 counts a twentieth
  double bytes() const { return factor_.bytes() + 8.0 * double(schur_.capacity()); }

  // The gradient of the model is exact at b: no need to compute it again.
  void set_fresh() { refreshed_ = true; }
  bool fresh() const { return refreshed_; }

  // Moves b to the minimiser at penalty.alpha; false if rounding or `poll` stopped it before.
  // `trusting`: the gradient kept by updates is believed, the caller looks at the true one.
  template <class Poll>
  bool solve(Index max_solves, const Poll& poll, bool trusting = false) {
    start();
    const Index limit = max_solves > 0 ? n_solves + max_solves : n_solves + 200 + 10 * model_.p;
    while (n_solves < limit && !poll()) {
      if (!make_stationary()) continue;
      sync();
      if (!grow()) {
        if (refreshed_ || trusting) return true;
        refresh();
      }
    }
    sync();
    return false;
  }

  // Takes over from whatever b is, for example after coordinate descent.
  void restart() {
    F_.clear();
    sign_.clear();
    slope_.clear();
    factor_.clear();
    std::fill(in_.begin(), in_.end(), char(0));
    alpha_ = -1.0;
    refreshed_ = false;
  }

 private:
  // Rounding of a gradient, |G_jk| <= 1; floor_ is what a full Newton step could not improve.
  double slack() const { return std::max(floor_, 4.0 * rounding * (largest_q_ + norm1_)); }

  // The gradient of all features; while b moves only that on F is kept.
  void sync() {
    if (moved_.empty()) return;
    Vector change;
    for (Index j : moved_) {
      change.push_back(change_[std::size_t(j)]);
      change_[std::size_t(j)] = 0.0;
    }
    model_.update(moved_, change.data(), 1.0);
    moved_.clear();
    take_slopes();
  }

  void take_slopes() {
    slope_.resize(F_.size());
    for (std::size_t k = 0; k < F_.size(); ++k) slope_[k] = model_.gradient(F_[k]);
  }

  // b_j moves by delta, which the gradient of the features outside F learns of by sync().
  void shift(Index j, double delta) {
    refreshed_ = false;
    b_[j] += delta;
    if (change_[std::size_t(j)] == 0.0) moved_.push_back(j);
    change_[std::size_t(j)] += delta;
    if (change_[std::size_t(j)] == 0.0)
      change_[std::size_t(j)] = std::numeric_limits<double>::min();
  }

  void refresh() {
    model_.refresh(b_);
    for (Index j : moved_) change_[std::size_t(j)] = 0.0;
    moved_.clear();
    take_slopes();
    norm1_ = 0.0;
    for (Index j = 0; j < model_.p; ++j) norm1_ += std::fabs(b_[j]);
    refreshed_ = true;
  }

  void start() {
    entries_.assign(std::size_t(model_.p), 0);
    single_ = false;
    full_step_ = false;
    floor_ = 0.0;
    if (!refreshed_)
      refresh();
    else
      take_slopes();
    bool same = alpha_ == penalty_.alpha;
    if (!same) {
      bool curved = false;
      for (Index j : F_) curved = curved || penalty_.factor2[std::size_t(j)] > 0.0;
      same = alpha_ > 0.0 && penalty_.alpha > 0.0 && !curved;
    }
    alpha_ = penalty_.alpha;
    if (!same) rebuild();
  }

  double sign_of(Index j) const {
    return penalty_.l1(j) == 0.0 || b_[j] == 0.0 ? 0.0 : (b_[j] > 0.0 ? 1.0 : -1.0);
  }
  bool inside(Index j) const { return b_[j] > penalty_.lo(j) && b_[j] < penalty_.hi(j); }

  // F from the support of b and all that has no l1 term, with a fresh factor; features that
  // depend on the others are moved to zero where they have an l1 term, and left out.
  void rebuild() {
    std::vector<Index> support;
    for (Index j = 0; j < model_.p; ++j)
      if ((b_[j] != 0.0 || penalty_.l1(j) == 0.0) && inside(j)) support.push_back(j);
    F_.clear();
    sign_.clear();
    slope_.clear();
    std::fill(in_.begin(), in_.end(), char(0));
    const bool definite =
        factor_.factor(Index(support.size()), least_pivot, [&](double* R, Index ld) {
          for (std::size_t k = 0; k < support.size(); ++k) {
            const double* column = model_.G + support[k] * model_.ld;
            for (std::size_t i = 0; i < k; ++i) R[Index(i) + Index(k) * ld] = column[support[i]];
            R[Index(k) * (ld + 1)] = 1.0 + penalty_.l2(support[k]);
          }
        });
    work += 0.02 * std::pow(double(support.size()), 3.0);
    if (!definite) factor_.clear();
    for (Index j : support) {
      if (definite)
        join(j, sign_of(j));
      else if (!append(j, sign_of(j), b_[j] != 0.0 ? least_pivot : first_pivot(j)) && b_[j] != 0.0)
        exchange(j, 0.0, sign_of(j));
    }
  }

  void join(Index j, double sign) {
    F_.push_back(j);
    sign_.push_back(sign);
    slope_.push_back(model_.gradient(j));
    in_[std::size_t(j)] = 1;
  }

  // The squared pivot, of 1, that j must have to join F while others may join in its place.
  double first_pivot(Index j) const { return penalty_.free(j) ? clear_pivot : least_pivot; }

  bool append(Index j, double sign, double least = least_pivot) {
    const double* column = model_.G + j * model_.ld;
    work_.resize(F_.size());
    for (std::size_t k = 0; k < F_.size(); ++k) work_[k] = column[F_[k]];
    const double diagonal = 1.0 + penalty_.l2(j);
    pivot_ = factor_.append(work_.data(), diagonal, least * diagonal);
    if (!(pivot_ > least * diagonal)) return false;
    join(j, sign);
    return true;
  }

  void leave(std::size_t k) {
    in_[std::size_t(F_[k])] = 0;
    work += std::pow(double(F_.size() - k), 2.0);  // rotations of half of these entries
    factor_.remove(Index(k));
    F_.erase(F_.begin() + std::ptrdiff_t(k));
    sign_.erase(sign_.begin() + std::ptrdiff_t(k));
    slope_.erase(slope_.begin() + std::ptrdiff_t(k));
  }

  // -(gradient of the objective) on F under the signs
  double downhill(Vector& out) const {
    out.resize(F_.size());
    double largest = 0.0;
    for (std::size_t k = 0; k < F_.size(); ++k) {
      const Index j = F_[k];
      out[k] = slope_[k] - penalty_.l2(j) * b_[j] - penalty_.l1(j) * sign_[k];
      largest = std::max(largest, std::fabs(out[k]));
    }
    return largest;
  }

  // One Newton step on F unless F is stationary already; true when it is.
  bool make_stationary() {
    const double worst = downhill(rhs_);
    if (full_step_ && worst > 0.5 * last_worst_) floor_ = std::max(floor_, 2.0 * worst);
    full_step_ = false;
    if (worst <= slack()) return true;
    last_worst_ = worst;
    full_step_ = step();
    return false;
  }

  // Brings violating features into F and moves; false when no feature violates.
  bool grow() {
    std::vector<std::pair<double, Index>> violators;
    const double tolerance = slack();
    for (Index j = 0; j < model_.p; ++j) {
      if (in_[std::size_t(j)] || entries_[std::size_t(j)] > most_entries) continue;
      const double v = violation(j);
      if (std::fabs(v) > tolerance + 1e-12 * penalty_.l1(j)) violators.emplace_back(v, j);
    }
    if (violators.empty()) return false;
    std::size_t most = single_ ? 1 : 16 + F_.size() / 2;
    most = std::min(most, violators.size());
    std::partial_sort(violators.begin(), violators.begin() + std::ptrdiff_t(most), violators.end(),
                      [](const auto& a, const auto& b) {
                        const double x = std::fabs(a.first), y = std::fabs(b.first);
                        return x > y || (x == y && a.second < b.second);
                      });
    std::vector<Index> S;
    Vector rhs;
    for (std::size_t k = 0; k < most; ++k) {
      rhs.push_back(violators[k].first);
      S.push_back(violators[k].second);
      if (++entries_[std::size_t(S.back())] > most_entries / 2) single_ = true;
    }
    if (!admit(S, rhs)) {
      const auto [v, j] = violators.front();
      if (append(j, entering_sign(j, v))) return true;  // by a hair; else its pivot is known
      if (!exchange(j, v, entering_sign(j, v))) entries_[std::size_t(j)] = most_entries + 1;
    }
    return true;
  }

  // S, violating by rhs, joins F less what depends on the others or may wait until they have
  // joined, then less what would move against its sign in the first Newton step; since F is
  // stationary that step on S alone is S_NN^{-1} rhs_N, S_NN being H_NN without its part in F, a
  // direction of descent: at least one of S remains. The step is made. False if all S depends on F.
  bool admit(const std::vector<Index>& S, const Vector& rhs) {
    const Index m = Index(S.size()), size = factor_.size();
    Vector pivots(S.size()), T;
    factor_.stage(m, schur_, [&](double* B, Index ld) {
      for (Index k = 0; k < m; ++k) {
        const double* column = model_.G + S[std::size_t(k)] * model_.ld;
        double* to = B + k * ld;
        for (Index i = 0; i < size; ++i) to[i] = column[F_[std::size_t(i)]];
        for (Index i = 0; i < k; ++i) to[size + i] = column[S[std::size_t(i)]];
        to[size + k] = 1.0 + penalty_.l2(S[std::size_t(k)]);
        pivots[std::size_t(k)] = first_pivot(S[std::size_t(k)]) * to[size + k];
      }
    });
    work += 0.05 * double(m) * double(size) * double(size + m);
    std::vector<Index> kept = join_first(S, pivots, T);
    if (kept.empty()) return false;
    for (std::size_t before = 0; before != kept.size();) {
      before = kept.size();
      drop_backward(S, rhs, T, kept);
      if (kept.size() < before)
        kept = independent(factor_.blas(), schur_, m, pivots, std::move(kept), T);
    }
    single_ = single_ || kept.empty();
    if (kept.empty()) return true;
    factor_.append_staged(kept, T);
    for (Index k : kept)
      join(S[std::size_t(k)], entering_sign(S[std::size_t(k)], rhs[std::size_t(k)]));
    downhill(rhs_);
    std::fill(rhs_.begin(), rhs_.begin() + size, 0.0);  // stationary
    step(std::size_t(size));
    return true;
  }

  // Of S, staged, what is independent by `pivots`, T its factor; if nothing is, by the least pivot
  // of all. What waits has not been tried.
  std::vector<Index> join_first(const std::vector<Index>& S, Vector& pivots, Vector& T) {
    std::vector<Index> all(S.size());
    std::iota(all.begin(), all.end(), Index(0));
    const Index m = Index(S.size());
    std::vector<Index> kept = independent(factor_.blas(), schur_, m, pivots, all, T);
    const auto waits = [&](Index k) {
      return penalty_.free(S[std::size_t(k)]) && !std::binary_search(kept.begin(), kept.end(), k);
    };
    if (std::none_of(all.begin(), all.end(), waits)) return kept;
    if (!kept.empty()) {
      for (Index k : all)
        if (waits(k)) --entries_[std::size_t(S[std::size_t(k)])];
      return kept;
    }
    for (std::size_t k = 0; k < S.size(); ++k) pivots[k] = least_pivot * (1.0 + penalty_.l2(S[k]));
    return independent(factor_.blas(), schur_, m, pivots, all, T);
  }

  // Of `kept`, whose Schur complement has the factor T, what would move against its sign leaves.
  void drop_backward(const std::vector<Index>& S, const Vector& rhs, const Vector& T,
                     std::vector<Index>& kept) {
    Vector d;
    for (Index k : kept) d.push_back(rhs[std::size_t(k)]);
    const int size = int(kept.size());
    trsv(factor_.blas(), 'T', size, T.data(), size, d.data());
    trsv(factor_.blas(), 'N', size, T.data(), size, d.data());
    std::size_t remain = 0;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      const Index k = kept[i], j = S[std::size_t(k)];
      const bool one_sided = penalty_.l1(j) > 0.0 || !inside(j);
      if (!(one_sided && d[i] * rhs[std::size_t(k)] <= 0.0)) kept[remain++] = k;
    }
    kept.resize(remain);
  }

  // x := H^{-1} x on F, x zero on its first `first` features
  void solve_free(Vector& x, std::size_t first = 0) {
    factor_.solve(x.data(), Index(first));
    ++n_solves;
    work += double(F_.size()) * double(F_.size());
  }

  // Newton step on F, downhill rhs_, which is zero on its first `first` features, along its bent
  // ray; whether it went all the way, stopping nothing.
  bool step(std::size_t first = 0) {
    d_ = rhs_;
    solve_free(d_, first);
    BentRay ray(model_, penalty_, F_, d_, rhs_);
    ray.search(breakpoints(penalty_, b_, F_, d_, 1.0));
    const double t = ray.t();
    for (std::size_t k = 0; k < F_.size(); ++k) {
      const Index j = F_[k];
      slope_[k] -= t * (rhs_[k] - penalty_.l2(j) * d_[k]);
      norm1_ += std::fabs(t * d_[k]);
      if (ray.rests(k)) continue;
      shift(j, t * d_[k]);
    }
    for (const Event& event : ray.stopped()) {
      const Index j = F_[event.k];
      const double* column = model_.G + j * model_.ld;
      const double moved = event.value - b_[j], e = moved - t * d_[event.k];
      for (std::size_t k = 0; k < F_.size(); ++k) slope_[k] -= e * column[F_[k]];
      norm1_ += std::fabs(e);
      shift(j, moved);
      b_[j] = event.value;
    }
    drop_stopped();
    return ray.all_the_way();
  }

  // The part of -(gradient) that lets b_j move from where it rests; 0: it stays.
  double violation(Index j) const {
    if (penalty_.excluded(j)) return 0.0;
    const double c = model_.gradient(j) - penalty_.l2(j) * b_[j], l1 = penalty_.l1(j);
    if (b_[j] == 0.0) {
      const double v = soft_threshold(c, l1);
      return (v > 0.0 && penalty_.hi(j) > 0.0) || (v < 0.0 && penalty_.lo(j) < 0.0) ? v : 0.0;
    }
    const double v = c - (b_[j] > 0.0 ? l1 : -l1);
    if (b_[j] >= penalty_.hi(j)) return std::min(0.0, v);
    if (b_[j] <= penalty_.lo(j)) return std::max(0.0, v);
    return v;
  }
  double entering_sign(Index j, double v) const {
    if (penalty_.l1(j) == 0.0) return 0.0;
    return b_[j] != 0.0 ? (b_[j] > 0.0 ? 1.0 : -1.0) : (v > 0.0 ? 1.0 : -1.0);
  }

  // j depends on F: H (d_F, d_j) = 0 with d_F = -H^{-1} G_Fj d_j. The objective is linear along
  // it until a feature reaches zero or a bound; that one leaves and j takes its place.
  bool exchange(Index j, double v, double sign) {
    const double* column = model_.G + j * model_.ld;
    std::vector<Index> moving = F_;
    Vector d(F_.size()), rhs;
    for (std::size_t k = 0; k < F_.size(); ++k) d[k] = -column[F_[k]];
    solve_free(d);
    downhill(rhs);
    moving.push_back(j);
    d.push_back(1.0);
    rhs.push_back(v != 0.0 ? v
                           : model_.gradient(j) - penalty_.l2(j) * b_[j] - penalty_.l1(j) * sign);
    double fall = 0.0;
    for (std::size_t k = 0; k < d.size(); ++k) fall += rhs[k] * d[k];
    const bool backwards = v != 0.0 ? v < 0.0 : fall < 0.0;
    if (backwards)
      for (double& value : d) value = -value;
    fall = backwards ? -fall : fall;
    if (!(fall >= 0.0)) return false;
    double length = 0.0;
    for (double value : d) length += std::fabs(value);
    const bool level = fall <= slack() * length;
    if (v != 0.0 && level) return false;
    // d'Hd is known to rounding, and where that is all a fall of l1 terms, or towards bounds, leads
    // far; without either it goes to what the pivot says is the minimiser
    const bool held = !penalty_.free(j) || penalty_.bounded(j);
    const double curvature = std::max(0.0, pivot_) + (held ? rounding * length * length : 0.0);
    const Index stop =
        level && penalty_.free(j) ? slide(moving, d) : move(moving, d, -fall, curvature);
    sync();
    const bool inserted = b_[j] != 0.0 && inside(j) && append(j, sign_of(j));
    return stop >= 0 || inserted;
  }

  // b += t d on the moving features, F first, H d = 0 on F: to the minimiser of the objective, of
  // `slope` at t = 0 and `curvature` at most. Where that is rounding alone it stops short, and does
  // not go beyond all that could stop it. Returns the feature that stopped the move at zero or at a
  // bound, -1 if none did.
  Index move(const std::vector<Index>& moving, const Vector& d, double slope, double curvature) {
    double t = 0.0, rate = slope;  // rate: slope of the objective at t
    const Event* stop = nullptr;
    const auto minimum = [&] {
      return curvature > 0.0 ? std::max(t, t - rate / curvature) : infinity;
    };
    const std::vector<Event> events = breakpoints(penalty_, b_, moving, d, infinity);
    for (const Event& event : events) {
      if (minimum() <= event.t) break;
      rate += curvature * (event.t - t);
      t = event.t;
      if (rate + event.jump >= 0.0) {
        stop = &event;
        break;
      }
      rate += event.jump;
    }
    if (!stop) t = minimum();
    const bool beyond = !stop && (events.empty() || t > events.back().t);
    if (!std::isfinite(t) || (beyond && !(pivot_ > 0.0))) return -1;
    return step_to(moving, d, t, stop);
  }

  // b +- t d likewise, where f is flat: a fall that is rounding does not say how far to go, nor
  // which way. To the nearest stop, at the latest where the last of `moving` comes to zero and the
  // others have taken over its part.
  Index slide(const std::vector<Index>& moving, Vector d) {
    const double to_zero = std::fabs(b_[moving.back()] / d.back());
    if (b_[moving.back()] * d.back() > 0.0)
      for (double& value : d) value = -value;
    Vector away(d);
    for (double& value : away) value = -value;
    const std::vector<Event> towards_zero = breakpoints(penalty_, b_, moving, d, to_zero),
                             away_from_it = breakpoints(penalty_, b_, moving, away, to_zero);
    Event stop{to_zero, moving.size() - 1, 0.0, 0.0};
    if (!towards_zero.empty()) stop = towards_zero.front();
    const bool turn = !away_from_it.empty() && away_from_it.front().t < stop.t;
    if (turn) stop = away_from_it.front();
    return step_to(moving, turn ? away : d, stop.t, &stop);
  }

  Index step_to(const std::vector<Index>& moving, const Vector& d, double t, const Event* stop) {
    for (std::size_t k = 0; k < moving.size(); ++k) {
      const Index j = moving[k];
      norm1_ += std::fabs(t * d[k]);
      shift(j, t * d[k]);
      if (k < F_.size()) slope_[k] += t * penalty_.l2(j) * d[k];
    }
    const Index stopped = stop ? moving[stop->k] : -1;
    if (stop) {
      shift(stopped, stop->value - b_[stopped]);
      b_[stopped] = stop->value;
    }
    drop_stopped();
    return stopped;
  }

  // Features at zero or at a bound leave F.
  void drop_stopped() {
    for (std::size_t k = F_.size(); k-- > 0;) {
      const Index j = F_[k];
      const bool at_zero = b_[j] == 0.0 && penalty_.l1(j) > 0.0;
      if (at_zero || !inside(j)) {
        b_[j] = std::min(std::max(b_[j], penalty_.lo(j)), penalty_.hi(j));
        leave(k);
      } else {
        sign_[k] = sign_of(j);
      }
    }
  }

  static constexpr double least_pivot = 1e-11, clear_pivot = 1e-4;
  static constexpr double rounding = 4.0 * std::numeric_limits<double>::epsilon();  // of G_jk
  static constexpr int most_entries = 12;  // of one feature at one alpha; beyond, rounding decides

  GramModel& model_;
  const ElasticNet& penalty_;
  double* b_;
  Cholesky factor_;
  std::vector<Index> F_;      // free features, in the order of the factor
  Vector sign_;               // of b_F, 0 without an l1 term
  Vector slope_;              // (q - Gb)_F
  std::vector<Index> moved_;  // features whose change the model's gradient does not know yet
  Vector change_;             // (p,)
  std::vector<char> in_;      // (p,) whether j is in F
  std::vector<int> entries_;  // (p,) how often j joined at this alpha
  Vector d_, rhs_, work_, schur_;
  double alpha_ = -1.0, largest_q_ = 0.0, norm1_ = 0.0, pivot_ = 0.0, floor_ = 0.0;
  double last_worst_ = 0.0;
  bool full_step_ = false, single_ = false, refreshed_ = false;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

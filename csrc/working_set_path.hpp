// The path in about ten readings of X: exact solves on a growing working set, and proofs for all
// other features from stored directions.
//
// One reading gives statistics and z_j't. Each alpha is then solved on the working set W, and the
// directions held bound every other |c_j|: features that cannot violate are certified without X,
// likely violators join W before anything is read. What is left waits: one reading of up to eight
// directions, which span the residuals of all alphas that wait, decides them together. The first
// alpha found to lack a feature is solved again from there.
#pragma once

#include <deque>
#include <stdexcept>

#include "directions.hpp"
#include "residual_path.hpp"
#include "working_set.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// What the directions say about the features outside W at one alpha.
struct Screening {
  Index uncertain = 0;  // neither certified nor seen to violate
  Index violating = 0;
  double excess = 0.0;                             // largest |c_j| / l1_j - 1 among the certified
  std::vector<Index> open;                         // the first of the uncertain
  std::vector<std::pair<double, Index>> suspects;  // likely |c_j| / l1_j > 1, feature

  bool certified() const { return uncertain == 0 && violating == 0; }
};

class WorkingSetPath {
 public:
  WorkingSetPath(Design& design, const Options& options, const ElasticNet& penalty,
                 Monitor& monitor, Solution& solution)
      : design_(design),
        options_(options),
        penalty_(penalty),
        monitor_(monitor),
        solution_(solution),
        target_(weighted_target(design)),
        W_(design, penalty_, target_),
        directions_(design, design.X.sparse() ? 16 : 32) {
    find_null();
  }

  void run() {
    solution_.alpha_max = alpha_max_;
    solution_.null_objective = null_.objective;
    grid_ = alpha_grid(options_, alpha_max_);
    if (null_.exact()) {
      for (double alpha : grid_)
        if (record_null(alpha)) break;
      return;
    }
    if (!grid_.empty()) {
      penalty_.alpha = grid_.front();
      W_.least_alpha = grid_.back();
    }
    start_set();
    reached_ = std::max(alpha_max_, grid_.empty() ? 0.0 : grid_.front());
    std::size_t k = 0;
    while (k < grid_.size() && !done_ && !solution_.stopped) {
      const double alpha = next_alpha(grid_[k]);
      if (!solve_at(alpha)) {
        k = give_up(k);
        continue;
      }
      reached_ = alpha;
      k = alpha == grid_[k] ? wait(k) : look(k);
    }
    report();
  }

 private:
  // A solution on W that waits for the proof of the features outside.
  struct Waiting {
    std::size_t step;
    double alpha, primal, deviance, violation;
    std::vector<Index> support;  // local
    std::vector<double> b, c, dual;
    bool certified = false, violates = false;
    double excess = 0.0;
  };

  static std::vector<double> weighted_target(const Design& design) {
    std::vector<double> out(design.t);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] *= design.root[i];
    return out;
  }

  void find_null() {
    const ElasticNet null = null_penalty(penalty_, design_.problem, design_.stats);
    const std::size_t p = std::size_t(design_.X.p);
    null_b_.assign(p, 0.0);
    solve_unpenalised(design_, null, null_b_, solution_.report);
    std::vector<Index> S;
    for (std::size_t j = 0; j < p; ++j)
      if (!penalty_.excluded(Index(j)) && !penalty_.penalised(Index(j))) S.push_back(Index(j));
    penalty_.alpha = 1.0;
    W_.add(S, solution_.report);
    for (std::size_t k = 0; k < S.size(); ++k) W_.b[k] = null_b_[std::size_t(S[k])];
    W_.state();
    const double norm = std::sqrt(dot_dense(W_.u.data(), W_.u.data(), design_.X.n));
    null_.objective = 0.5 * norm * norm;
    null_.unfitted = 0.5 * design_.t_square;
    null_.size = design_.gradient_size(design_.t_square);
    std::vector<double> q(W_.u);
    for (double& v : q) v /= norm > 0.0 ? norm : 1.0;
    const bool known = std::all_of(W_.b.begin(), W_.b.end(), [](double v) { return v == 0.0; });
    if (known) {
      c_ = design_.stats.q;
      for (double& v : c_) v /= norm > 0.0 ? norm : 1.0;
      directions_.add_known(q, c_, 1);
    } else {
      directions_.add(q, 1, solution_.report);
    }
    c_.assign(directions_.correlations(0), directions_.correlations(0) + p);
    for (double& v : c_) v *= norm;
    null_.gradient = steepest(penalty_, c_, design_.stats.norm);
    alpha_max_ = largest_alpha(penalty_, c_);
  }

  // W: besides what is there, coef_init's support and the features nearest to entering.
  void start_set() {
    std::vector<Index> S;
    std::vector<std::pair<double, Index>> ranked;
    for (Index j = 0; j < design_.X.p; ++j) {
      if (penalty_.excluded(j) || W_.position[std::size_t(j)] >= 0) continue;
      if (options_.coef_init && options_.coef_init[j] != 0.0)
        S.push_back(j);
      else if (penalty_.slack(j, c_[std::size_t(j)]) < infinity)
        ranked.emplace_back(-std::fabs(c_[std::size_t(j)]) / penalty_.factor1[std::size_t(j)], j);
    }
    set_strength();
    const double wide = std::sqrt(12.0 * double(design_.X.p));
    const std::size_t most =
        std::min(ranked.size(), std::size_t(design_.X.sparse() ? 0.25 * wide : wide));
    std::partial_sort(ranked.begin(), ranked.begin() + std::ptrdiff_t(most), ranked.end());
    for (std::size_t k = 0; k < most; ++k) S.push_back(ranked[k].second);
    W_.add(S, solution_.report);
  }

  // The l1 strength at alpha = 1 that all but a twentieth of the features exceed.
  void set_strength() {
    std::vector<double> f;
    for (Index j = 0; j < design_.X.p; ++j)
      if (!penalty_.excluded(j) && penalty_.factor1[std::size_t(j)] > 0.0)
        f.push_back(penalty_.factor1[std::size_t(j)]);
    if (f.empty()) return;
    const auto low = f.begin() + std::ptrdiff_t(f.size() / 20);
    std::nth_element(f.begin(), low, f.end());
    strength_ = *low;
  }

  // The grid's next alpha, or one on the way to it: a step too far makes W explode.
  double next_alpha(double wanted) const {
    constexpr double ratio = 0.7;
    return wanted < ratio * ratio * reached_ ? ratio * reached_ : wanted;
  }

  bool solve_at(double alpha) {
    penalty_.alpha = alpha;
    const double goal = std::min(0.1 * options_.tol, 1e-11);
    grown_ = 0;
    for (int round = 0;; ++round) {
      const bool solved =
          W_.solve(alpha, goal, null_.objective, options_.max_iter, monitor_, solution_.report);
      if (!solved && (monitor_.stopped() || W_.gap() > 0.5 * options_.tol * null_.objective))
        return false;
      split_residual();
      screen(W_.dual, a_, rest_, W_.size(), now_);
      if (round >= 20 || !grow(now_.suspects)) return true;
    }
  }

  void split_residual() { rest_ = directions_.split(W_.dual.data(), a_, e_); }

  // What is known of every feature outside the first `set` of W for the dual point v = Q a + e,
  // ||e|| = rest. Where e is rounding, what is left of doubt is decided by value: nothing will ever
  // be known better.
  void screen(const std::vector<double>& v, const std::vector<double>& a, double rest, Index set,
              Screening& out) {
    out = Screening{};
    if (!within_reach(v)) reach_from(v, a, rest);
    const bool listed = 4 * Index(near_.size()) < design_.X.p;
    const Index count = listed ? Index(near_.size()) : design_.X.p;
    const double typical = kappa_ / std::sqrt(double(design_.X.n));
    double size = 0.0;
    for (double value : a) size += std::fabs(value);
    const bool known = rest <= 1e-13 * size;
    std::vector<Screening> parts(std::size_t(blocks_of(count)));
    over_blocks(count, [&](Index block, Index begin, Index end) {
      Screening& part = parts[std::size_t(block)];
      auto look = [&](Index j, double c, double r, double rounding) {
        const Index at = W_.position[std::size_t(j)];
        if ((at >= 0 && at < set) || penalty_.excluded(j)) return;
        const double room = known ? 0.0 : r + rounding;
        classify(j, reach(j, c), room, std::min(room, typical * r), part);
      };
      if (listed)
        directions_.estimate(a, rest, near_.data() + begin, end - begin, look);
      else
        directions_.estimate(a, rest, begin, end, look);
    });
    for (Screening& part : parts) {
      out.uncertain += part.uncertain;
      out.violating += part.violating;
      out.excess = std::max(out.excess, part.excess);
      for (Index j : part.open)
        if (out.open.size() < kFew) out.open.push_back(j);
      out.suspects.insert(out.suspects.end(), part.suspects.begin(), part.suspects.end());
    }
  }

  static Index blocks_of(Index count) { return (count + kBlock - 1) / kBlock; }
  template <class Work>
  void over_blocks(Index count, const Work& work) const {
    parallel_blocks(count > 2 * kBlock ? design_.n_threads : 1, blocks_of(count), [&](Index block) {
      work(block, block * kBlock, std::min(count, (block + 1) * kBlock));
    });
  }

  // Features that a dual point near centre_ may bring to their threshold at alphas near far_: since
  // z_j has unit norm, |z_j'v - z_j'centre| <= ||v - centre||. All others are certified.
  bool within_reach(const std::vector<double>& v) const {
    if (centre_.empty() || penalty_.alpha < far_) return false;
    double square = 0.0;
    for (std::size_t i = 0; i < v.size(); ++i) square += (v[i] - centre_[i]) * (v[i] - centre_[i]);
    return square <= radius_ * radius_;
  }

  void reach_from(const std::vector<double>& v, const std::vector<double>& a, double rest) {
    centre_ = v;
    radius_ = 0.1 * std::sqrt(dot_dense(v.data(), v.data(), design_.X.n));
    far_ = 0.6 * penalty_.alpha;
    const Index p = design_.X.p;
    std::vector<std::vector<Index>> parts(std::size_t(blocks_of(p)));
    over_blocks(p, [&](Index block, Index begin, Index end) {
      directions_.estimate(a, rest, begin, end, [&](Index j, double c, double r, double rounding) {
        if (penalty_.excluded(j)) return;
        const double most = reach(j, c) + r + rounding + 1.001 * radius_;
        if (most > far_ * penalty_.factor1[std::size_t(j)]) parts[std::size_t(block)].push_back(j);
      });
    });
    near_.clear();
    for (const std::vector<Index>& part : parts)
      near_.insert(near_.end(), part.begin(), part.end());
  }

  // The largest correlation that may move b_j: |c_j|, or one side of it
  double reach(Index j, double c) const {
    return std::max(penalty_.hi(j) > 0.0 ? c : -infinity, penalty_.lo(j) < 0.0 ? -c : -infinity);
  }

  void classify(Index j, double c, double room, double typical, Screening& out) const {
    const double l1 = penalty_.l1(j), limit = l1 * (1.0 + kRoom);
    if (c + room <= limit) {
      if (c + room > l1) out.excess = std::max(out.excess, (c + room) / l1 - 1.0);
      return;
    }
    if (c - room > limit)
      ++out.violating;
    else if (++out.uncertain <= Index(kFew))
      out.open.push_back(j);
    if (c + typical > limit) out.suspects.emplace_back(c / l1, j);
  }

  // Free growth: likely violators join W without a reading, the likeliest where they are many.
  bool grow(std::vector<std::pair<double, Index>>& suspects) {
    if (suspects.empty()) return false;
    const Index most = std::max<Index>(25, Index(0.3 * double(W_.size()))) - grown_;
    if (most <= 0) return false;
    add_largest(suspects, std::size_t(most));
    grown_ += Index(suspects.size());
    return true;
  }

  void add_largest(std::vector<std::pair<double, Index>>& scored, std::size_t most) {
    const std::size_t count = std::min(most, scored.size());
    std::partial_sort(scored.begin(), scored.begin() + std::ptrdiff_t(count), scored.end(),
                      [](const auto& x, const auto& y) {
                        return x.first > y.first || (x.first == y.first && x.second < y.second);
                      });
    std::vector<Index> S;
    for (std::size_t k = 0; k < count; ++k)
      if (W_.position[std::size_t(scored[k].second)] < 0) S.push_back(scored[k].second);
    W_.add(S, solution_.report);
    solution_.report.working_set = std::max(solution_.report.working_set, W_.size());
  }

  // On the way between alphas: a reading only where most features are in doubt.
  std::size_t look(std::size_t k) {
    if (double(now_.uncertain) > kDoubt * double(design_.X.p)) read({});
    return k;
  }

  // The solution at grid_[k] waits for its proof; returns the next k to solve.
  std::size_t wait(std::size_t k) {
    Waiting w;
    w.step = k;
    w.alpha = penalty_.alpha;
    w.primal = W_.primal();
    w.deviance = 1.0 - 0.5 * dot_dense(W_.u.data(), W_.u.data(), design_.X.n) / null_.objective;
    w.violation = W_.violation;
    for (Index j = 0; j < W_.size(); ++j)
      if (W_.b[std::size_t(j)] != 0.0) {
        w.support.push_back(j);
        w.b.push_back(W_.b[std::size_t(j)]);
      }
    w.c = W_.c;
    w.dual = W_.dual;
    w.certified = now_.certified();
    w.excess = now_.excess;
    waiting_.push_back(std::move(w));
    const bool full = waiting_.size() >= 25 || k + 1 == grid_.size() || ends(waiting_.back());
    const bool doubtful = now_.violating > 0 || grown_ > 25 + W_.size() / 5 ||
                          double(now_.uncertain) > kDoubt * double(design_.X.p);
    if (full || doubtful) return verify(k + 1);
    accept_certified();
    return k + 1;
  }

  // Whether the path ends behind this answer.
  bool ends(const Waiting& w) const {
    return (options_.dfmax >= 0 && Index(w.support.size()) > options_.dfmax) ||
           w.deviance >= options_.stop_at_deviance;
  }

  // Records what is certified at the head of the queue.
  void accept_certified() {
    while (!waiting_.empty() && waiting_.front().certified && !done_) {
      record(waiting_.front());
      if (past_.size() == kPast) past_.pop_front();
      past_.push_back(std::move(waiting_.front().dual));
      waiting_.erase(waiting_.begin());
    }
  }

  // Decides all that waits; returns the next step to solve, which is `next` unless one of them
  // lacks a feature.
  std::size_t verify(std::size_t next) {
    for (;;) {
      std::vector<std::pair<double, Index>> missing;
      for (Waiting& w : waiting_) {
        if (w.certified) continue;
        decide(w, missing);
        if (!missing.empty()) break;
      }
      accept_certified();
      if (waiting_.empty() || done_) return next;
      if (!missing.empty() && waiting_.front().violates) return go_back(missing);
      if (solution_.stopped) return next;
      read_waiting();
    }
  }

  // Looks at one answer through the directions held, and at the features left, if few, through X.
  void decide(Waiting& w, std::vector<std::pair<double, Index>>& missing) {
    penalty_.alpha = w.alpha;
    std::vector<double> a, e;
    Screening s;
    const double rest = directions_.split(w.dual.data(), a, e);
    screen(w.dual, a, rest, Index(w.c.size()), s);  // what joined W later is outside
    if (s.violating == 0 && s.uncertain > 0 && s.uncertain <= Index(kFew)) look_at(w, s);
    w.certified = s.certified();
    w.violates = s.violating > 0;
    w.excess = s.excess;
    if (w.violates) missing = s.suspects;
  }

  // Exact dots for the features in doubt.
  void look_at(const Waiting& w, Screening& s) {
    const Index n = design_.X.n;
    std::vector<double> v(static_cast<std::size_t>(n));
    double sum = 0.0;
    for (Index i = 0; i < n; ++i) {
      v[std::size_t(i)] = design_.root[std::size_t(i)] * w.dual[std::size_t(i)];
      sum += v[std::size_t(i)];
    }
    s.uncertain = 0;
    s.suspects.clear();
    const std::vector<Index> open = std::move(s.open);
    for (Index j : open) {
      const std::size_t k = std::size_t(j);
      const double c = design_.X.dot(j, v.data()) - design_.stats.mean[k] * sum;
      solution_.report.x_bytes += design_.X.column_bytes(j);
      classify(j, reach(j, c * design_.stats.inv[k]), 0.0, 0.0, s);
    }
  }

  // The first answer that waits lacks features: it and all behind it are solved again with them.
  std::size_t go_back(std::vector<std::pair<double, Index>>& missing) {
    const Waiting w = std::move(waiting_.front());
    waiting_.clear();
    add_largest(missing, std::max<std::size_t>(64, w.support.size()));
    W_.set(w.support, w.b);
    reached_ = w.alpha;
    kappa_ = std::min(6.0, 1.2 * kappa_);
    return w.step;
  }

  // One reading of directions that span the residuals in doubt, the worst first.
  void read_waiting() {
    std::vector<std::vector<double>> rests;
    std::vector<double> a, e;
    for (const Waiting& w : waiting_)
      if (!w.certified) {
        directions_.split(w.dual.data(), a, e);
        for (double& v : e) v /= w.alpha * strength_;
        rests.push_back(e);
      }
    read(std::move(rests));
  }

  // Reads up to eight directions out of `rests` (the first one always), what u is made of now,
  // and its tangent.
  void read(std::vector<std::vector<double>> rests) {
    const Index n = design_.X.n;
    std::vector<double> a, e, fresh;
    auto offer = [&](const std::vector<double>& v, double scale) {
      directions_.split(v.data(), a, e);
      for (double& x : e) x *= scale;
      rests.push_back(e);
    };
    if (rests.empty()) offer(W_.dual, 1.0 / (penalty_.alpha * strength_));
    const std::size_t own = rests.size();
    const std::vector<double> tangent = W_.tangent();
    if (!W_.b.empty()) offer(tangent, 0.1 / strength_);
    int k = 0;
    std::vector<char> taken(rests.size(), 0);
    while (k < 8) {
      std::size_t best = rests.size();
      double largest = 0.0;
      for (std::size_t i = 0; i < rests.size(); ++i) {
        const double norm = std::sqrt(dot_dense(rests[i].data(), rests[i].data(), n));
        if (taken[i] || !(norm > 0.0)) continue;
        if (norm > largest) largest = norm, best = i;
        if (k == 0 && i == 0 && own > 0) {
          best = 0;
          break;
        }
      }
      if (best == rests.size() || (k > 0 && largest < kFlat)) break;
      taken[best] = 1;
      std::vector<double> q = rests[best];
      if (!normalise(q, fresh, k)) continue;
      fresh.insert(fresh.end(), q.begin(), q.end());
      ++k;
      for (std::size_t i = 0; i < rests.size(); ++i) {
        const double along = dot_dense(q.data(), rests[i].data(), n);
        for (Index r = 0; r < n; ++r) rests[i][std::size_t(r)] -= along * q[std::size_t(r)];
      }
    }
    if (k == 0) return;
    if (directions_.full(k)) forget();
    directions_.add(fresh, k, solution_.report);
  }

  // Directions that the latest residuals are not made of are given up.
  void forget() {
    std::vector<const std::vector<double>*> latest{&W_.dual};
    for (auto w = waiting_.rbegin(); w != waiting_.rend(); ++w) latest.push_back(&w->dual);
    for (auto v = past_.rbegin(); v != past_.rend(); ++v) latest.push_back(&*v);
    directions_.compress(latest);
  }

  // q := unit vector orthogonal to the directions held and the k fresh ones; false if nothing of it
  // is left.
  bool normalise(std::vector<double>& q, const std::vector<double>& fresh, int k) const {
    const Index n = design_.X.n;
    std::vector<double> a, e;
    const double before = std::sqrt(dot_dense(q.data(), q.data(), n));
    for (double& v : q) v /= before;
    for (int round = 0; round < 2; ++round) {
      directions_.split(q.data(), a, e);
      q = e;
      for (int l = 0; l < k; ++l) {
        const double* f = &fresh[std::size_t(l * n)];
        const double along = dot_dense(f, q.data(), n);
        for (Index i = 0; i < n; ++i) q[std::size_t(i)] -= along * f[i];
      }
      const double norm = std::sqrt(dot_dense(q.data(), q.data(), n));
      if (!(norm > 1e-8)) return false;
      for (double& v : q) v /= norm;
    }
    return true;
  }

  void record(const Waiting& w) {
    penalty_.alpha = w.alpha;
    check_zeros(w);
    W_.penalty.alpha = w.alpha;
    Correlations z;
    z.c = w.c;
    const double dual = quadratic_dual(
        W_.penalty, z, dot_dense(w.dual.data(), target_.data(), design_.X.n),
        dot_dense(w.dual.data(), w.dual.data(), design_.X.n), 1.0 / (1.0 + w.excess));
    const Verdict verdict = judge_against(null_, w.primal, dual, w.violation, is_null(w.support));
    done_ = monitor_.record(
        point(w.alpha, w.support, w.b, verdict, w.deviance,
              judge_status(design_.problem, verdict, options_.tol, false, Status::stalled)),
        Index(grid_.size()));
  }

  // In a debug build every certified zero is held against its exact correlation.
  void check_zeros([[maybe_unused]] const Waiting& w) const {
#ifdef REGSOLVE_DEBUG
    std::vector<double> v(w.dual), c;
    for (std::size_t i = 0; i < v.size(); ++i) v[i] *= design_.root[i];
    Report none;
    design_.correlate(v.data(), 1, c, none);
    const double size = std::sqrt(dot_dense(w.dual.data(), w.dual.data(), design_.X.n));
    for (Index j = 0; j < design_.X.p; ++j) {
      const Index at = W_.position[std::size_t(j)];
      if ((at >= 0 && at < Index(w.c.size())) || penalty_.excluded(j)) continue;
      const double room = 4.0 * directions_.rounding(j) * size;
      if (reach(j, c[std::size_t(j)]) > penalty_.l1(j) * (1.0 + 2.0 * kRoom) + room)
        throw std::logic_error("a feature was certified zero that is not");
    }
#endif
  }

  bool is_null(const std::vector<Index>& support) const {
    for (Index k : support)
      if (W_.penalty.penalised(k)) return false;
    return true;
  }

  Point point(double alpha, const std::vector<Index>& support, const std::vector<double>& values,
              const Verdict& verdict, double deviance, Status status) const {
    std::vector<double> b(std::size_t(design_.X.p), 0.0);
    for (std::size_t k = 0; k < support.size(); ++k)
      b[std::size_t(W_.features[std::size_t(support[k])])] = values[k];
    return make_point(design_.problem, alpha, design_.stats, b.data(), design_.t_mean, verdict,
                      deviance, status);
  }

  bool record_null(double alpha) {
    const Verdict verdict = exact_fit(null_);
    return monitor_.record(make_point(design_.problem, alpha, design_.stats, null_b_.data(),
                                      design_.t_mean, verdict, 0.0, Status::optimal),
                           Index(grid_.size()));
  }

  // The solver could not finish grid_[k]: what waits is decided, and b gets its gap from a reading.
  std::size_t give_up(std::size_t k) {
    const std::size_t next = verify(k);
    if (next < k || done_) return next;
    penalty_.alpha = W_.penalty.alpha = grid_[k];
    W_.state();
    std::vector<double> v(W_.dual);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] *= design_.root[i];
    Correlations z;
    design_.correlate(v.data(), 1, z.c, solution_.report);
    double violation = W_.violation;
    for (Index j = 0; j < design_.X.p; ++j) {
      const std::size_t i = std::size_t(j);
      if (W_.position[i] >= 0)
        z.c[i] = W_.c[std::size_t(W_.position[i])];
      else
        violation = std::max(violation, design_.stats.norm[i] * penalty_.distance(j, 0.0, z.c[i]));
    }
    const double dual =
        quadratic_dual(penalty_, z, dot_dense(W_.dual.data(), target_.data(), design_.X.n),
                       dot_dense(W_.dual.data(), W_.dual.data(), design_.X.n));
    std::vector<Index> support;
    std::vector<double> values;
    for (Index j = 0; j < W_.size(); ++j)
      if (W_.b[std::size_t(j)] != 0.0) {
        support.push_back(j);
        values.push_back(W_.b[std::size_t(j)]);
      }
    const Verdict verdict = judge_against(null_, W_.primal(), dual, violation, is_null(support));
    const double deviance =
        1.0 - 0.5 * dot_dense(W_.u.data(), W_.u.data(), design_.X.n) / null_.objective;
    Status status = options_.max_iter > 0 ? Status::max_iter : Status::stalled;
    if (solution_.stopped) status = monitor_.status;
    status = judge_status(design_.problem, verdict, options_.tol, false, status);
    done_ = monitor_.record(point(grid_[k], support, values, verdict, deviance, status),
                            Index(grid_.size()));
    reached_ = grid_[k];
    return k + 1;
  }

  void report() {
    Report& report = solution_.report;
    report.n_solves += W_.n_solves();
    report.working_set = std::max(report.working_set, W_.size());
    report.peak_bytes += W_.bytes() + directions_.bytes();
  }

  static constexpr double kRoom = 1e-11;  // |c_j| may exceed l1_j by this share: the dual is scaled
  static constexpr double kFlat = 0.02;   // ||e|| / alpha below which a direction is not worth it
  static constexpr double kDoubt = 0.3;   // share of features in doubt that calls for a reading
  static constexpr Index kBlock = Index(1) << 14;
  static constexpr std::size_t kPast = 24;
  static constexpr std::size_t kFew = 64;  // features left to exact dots

  Design& design_;
  const Options& options_;
  ElasticNet penalty_;
  Monitor& monitor_;
  Solution& solution_;
  std::vector<double> target_, null_b_, c_, a_, e_, grid_;
  WorkingSet W_;
  Directions directions_;
  Screening now_;
  std::vector<double> centre_;  // dual point about which near_ was listed
  double radius_ = 0.0, far_ = 0.0;
  std::vector<Index> near_;
  std::vector<Waiting> waiting_;
  std::deque<std::vector<double>> past_;  // dual points recorded last
  NullModel null_;
  double alpha_max_ = 0.0, reached_ = 0.0, rest_ = 0.0, kappa_ = 3.0, strength_ = 1.0;
  Index grown_ = 0;
  bool done_ = false;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

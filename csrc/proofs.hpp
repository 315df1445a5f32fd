// Answers that wait for the proof of the features outside the working set, and the readings of X
// that decide them together: one takes up to eight directions, which span the residuals of all.
#pragma once

#include <deque>
#include <numeric>
#include <utility>
#include <vector>

#include "answers.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class Proofs {
 public:
  static constexpr Index kMost = 25;  // answers that wait for one reading
  double strength = 1.0;              // usual l1 factor of a feature, the unit of what matters

  Proofs(const Design& design, ElasticNet& penalty, WorkingSet& W, Directions& directions,
         Screener& screener, Report& report)
      : design_(design),
        penalty_(penalty),
        W_(W),
        directions_(directions),
        screener_(screener),
        report_(report) {}

  double bytes() const {
    const Index listed = Screener::most_listed(design_.X.p);
    return 8.0 * double((kMost + kPast) * (design_.X.n + W_.size()) + kMost * listed);
  }

  Index size() const { return Index(waiting_.size()); }
  bool empty() const { return waiting_.empty(); }
  const Answer& front() const { return waiting_.front(); }
  void push(Answer answer) { waiting_.push_back(std::move(answer)); }

  // The first answer; all behind it are forgotten.
  Answer take_first() {
    Answer first = std::move(waiting_.front());
    waiting_.clear();
    return first;
  }

  // Records what is certified at the head, while record(answer) is true.
  template <class Record>
  void accept(const Record& record) {
    while (!waiting_.empty() && waiting_.front().seen.certified() && record(waiting_.front())) {
      if (Index(past_.size()) == kPast) past_.pop_front();
      past_.push_back(std::move(waiting_.front().dual));
      waiting_.pop_front();
    }
  }

  // Looks at what waits through the directions held, and at the features left, if few, through X:
  // all of it, or up to the first answer that lacks features, which are returned.
  std::vector<std::pair<double, Index>> decide() {
    std::vector<Answer*> asked;
    std::vector<DualPoint*> doubtful;
    look_at_blurred();
    for (Answer& w : waiting_) {
      if (w.seen.certified()) continue;
      penalty_.alpha = w.alpha;
      w.seen = screener_.again(w.dual, w.seen);  // later joiners are outside
      asked.push_back(&w);
      if (w.seen.violating > 0) break;
      if (few_open(w.seen)) doubtful.push_back(&w.dual);
    }
    W_.find_vectors(doubtful);
    for (Answer* w : asked) {
      penalty_.alpha = w->alpha;
      if (few_open(w->seen)) look_at(*w);
      if (w->seen.violating > 0) return w->seen.suspects;
    }
    return {};
  }

  // One reading of directions that span the residuals in doubt, the worst first. They are alike
  // along the path: a few say what directions all of them need.
  void read_for_all() {
    std::vector<Answer*> open;
    for (Answer& w : waiting_)
      if (!w.seen.certified()) open.push_back(&w);
    const std::size_t most = std::max(std::size_t(2 * directions_.room()),
                                      kOffered / std::size_t(design_.X.n)),
                      offered = std::min(open.size(), most);
    std::vector<DualPoint*> points;
    for (std::size_t k = 0; k < offered; ++k) {
      if (offered > 1) std::swap(open[k], open[k * (open.size() - 1) / (offered - 1)]);
      points.push_back(&open[k]->dual);
    }
    W_.find_vectors(points);
    std::vector<Vector> rests(offered);
    Vector a;
    for (std::size_t k = 0; k < offered; ++k) {
      directions_.split(points[k]->v.data(), a, rests[k]);
      for (double& v : rests[k]) v /= open[k]->alpha * strength;
    }
    read(std::move(rests), settled());
  }

  // A reading of what u is made of now, and its tangent.
  void read() { read({}, settled()); }
  // ... of all features.
  void read_all() { read({}, {}); }

 private:
  static bool few_open(const Screening& s) {
    return s.violating == 0 && s.uncertain > 0 && s.uncertain <= Screener::kFew;
  }

  // Where a copy of X leaves features in doubt, their correlations with the directions are found by
  // X itself: for all answers at once, which leave about the same ones.
  void look_at_blurred() {
    if (!directions_.blurs()) return;
    std::vector<Index> blurred;
    for (Answer& w : waiting_) {
      if (w.seen.certified()) continue;
      penalty_.alpha = w.alpha;
      w.seen = screener_.again(w.dual, w.seen);
      if (!w.seen.listed() && screener_.only_blurred(w.dual))
        return directions_.sharpen_all(report_);
      if (!w.seen.listed()) continue;
      const std::vector<Index> some = screener_.blurred(w.dual, w.seen);
      blurred.insert(blurred.end(), some.begin(), some.end());
    }
    directions_.sharpen(blurred, report_);
  }

  // Exact dots for the features in doubt.
  void look_at(Answer& w) {
    const Vector v = design_.weighted(w.dual.v);
    const double sum = std::accumulate(v.begin(), v.end(), 0.0);
    Screening exact;
    exact.excess = w.seen.excess;
    for (Index j : w.seen.open) {
      const double c = design_.correlation(j, v, sum);
      report_.x_bytes += design_.X.column_bytes(j);
      screener_.classify(j, screener_.reach(j, c), 0.0, 0.0, exact);
    }
    w.seen = std::move(exact);
  }

  // Reads directions out of `rests` (the first one always), or what u is made of now,
  // and its tangent.
  void read(std::vector<Vector> rests, const std::vector<char>& settled) {
    const bool for_waiting = !rests.empty();
    Vector a, e;
    auto offer = [&](const Vector& v, double scale) {
      directions_.split(v.data(), a, e);
      for (double& x : e) x *= scale;
      rests.push_back(e);
    };
    if (rests.empty()) {
      W_.find_vectors({&W_.dual});
      offer(W_.dual.v, 1.0 / (penalty_.alpha * strength));
    }
    const Vector tangent = W_.tangent();
    if (!W_.b.empty()) offer(tangent, 0.1 / strength);
    const int most = std::min(design_.X.share(), directions_.room());
    const Vector fresh = directions_.choose(rests, most, kFlat);
    const int k = int(fresh.size() / std::size_t(design_.X.n));
    if (k == 0) return;
    if (directions_.full(k)) forget(for_waiting);
    directions_.add(fresh, k, report_, settled);
  }

  // The features that no point asks the directions for any more, (p,), if they are many: those of W
  // whose correlations it states itself, as all to come will.
  std::vector<char> settled() const {
    std::size_t stated = W_.states_vectors() && !W_.dual.v.empty() ? W_.dual.c.size() : 0;
    for (const Answer& w : waiting_)
      stated = w.dual.v.empty() ? 0 : std::min(stated, w.dual.c.size());
    for (const DualPoint& v : past_) stated = v.v.empty() ? 0 : stated;
    if (8 * stated < std::size_t(design_.X.p)) return {};
    std::vector<char> out(std::size_t(design_.X.p), 0);
    for (std::size_t k = 0; k < stated; ++k) out[std::size_t(W_.features[k])] = 1;
    return out;
  }

  // Directions that the latest residuals are not made of are given up. What the reading is for
  // comes first: with the directions to be added it is known to the last digit.
  void forget(bool for_waiting) {
    std::vector<const DualPoint*> latest;
    if (for_waiting) latest.push_back(&waiting_.front().dual);
    latest.push_back(&W_.dual);
    for (auto w = waiting_.rbegin(); w != waiting_.rend(); ++w) latest.push_back(&w->dual);
    for (auto v = past_.rbegin(); v != past_.rend(); ++v) latest.push_back(&*v);
    directions_.compress(latest, [&](const DualPoint& v) { return screener_.locate(v); });
  }

  static constexpr double kFlat = 0.02;  // ||e|| / alpha below which a direction is not worth it
  static constexpr std::size_t kOffered = 1 << 16;  // values of residuals that wait, for a reading
  static constexpr Index kPast = 24;  // dual points that the directions should go on spanning

  const Design& design_;
  ElasticNet& penalty_;
  WorkingSet& W_;
  Directions& directions_;
  Screener& screener_;
  Report& report_;
  std::deque<Answer> waiting_;
  std::deque<DualPoint> past_;  // recorded last
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

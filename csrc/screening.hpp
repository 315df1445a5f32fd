// What the stored directions say about the features outside a working set: certified, violating, or
// in doubt, and who is likely to violate.
#pragma once

#include <atomic>

#include "directions.hpp"
#include "working_set.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

constexpr double kRoom = 1e-11;  // |c_j| may exceed l1_j by this share: the dual point is scaled

// What the directions say about the features outside W at one alpha.
struct Screening {
  Index uncertain = 0;  // neither certified nor seen to violate
  Index violating = 0;
  double excess = 0.0;                             // largest |c_j| / l1_j - 1 among the certified
  std::vector<Index> open;                         // these, unless they are too many to list
  std::vector<std::pair<double, Index>> suspects;  // likely |c_j| / l1_j > 1, feature
  std::vector<std::pair<double, Index>> soon;      // nearly: they join with suspects
  Index version = 0;                               // of the directions
  bool by_value = false;                           // the dual point was there by value

  bool certified() const { return uncertain == 0 && violating == 0; }
  bool listed() const { return Index(open.size()) == uncertain + violating; }
};

class Screener {
 public:
  static constexpr Index kFew = 64;  // features in doubt that are looked at one by one
  double kappa = 2.0;  // |z_j'e| is taken to be below kappa delta_j ||e|| / sqrt(n) for a guess

  Screener(const Design& design, const ElasticNet& penalty, const WorkingSet& W,
           const Directions& directions)
      : design_(design), penalty_(penalty), W_(W), directions_(directions) {}

  static Index most_listed(Index p) { return std::max(kFew, p / 8); }
  double bytes() const {
    double listed = 0.0;
    for (const Nearby& near : lists_)
      listed += double(near.features.size() + 2 * near.centre.at.b.size() + near.centre.c.size() +
                       near.centre.v.size());
    return 8.0 * (double(outside_.size()) + listed);
  }

  // Where the directions see v: by v itself where it is there, else by its coefficients.
  Directions::Located locate(const DualPoint& v) const {
    if (!v.v.empty()) return directions_.locate(v.v);
    std::vector<Index> of_x;
    for (Index k : v.at.features) of_x.push_back(W_.features[std::size_t(k)]);
    return directions_.locate(of_x, v.at.b, v.square, v.rounding);
  }

 private:
  // |c_j| / l1_j from which a feature is taken to come in at a smaller alpha, and joins with those
  // that come now: the more of them, the less one that joins in vain costs.
  double soon() const {
    if (W_.joins_by_columns()) return 0.95;
    return design_.X.sparse() ? 0.98 : 0.99;
  }

  void name(Index j, Screening& out) const {
    if (Index(out.open.size()) < most_listed(design_.X.p)) out.open.push_back(j);
  }

  Screening begun(const DualPoint& v) const {
    Screening out;
    out.version = directions_.version();
    out.by_value = !v.v.empty();
    return out;
  }

  // Share of the bound on what is not known of a feature that it is taken to reach. Of a crowd the
  // likeliest will do: what joins in vain is carried along the whole path.
  double typical() const {
    const double reached = (crowded_ ? 0.35 : 1.0) * kappa;
    return std::min(1.0, reached / std::sqrt(double(design_.X.n)));
  }

  // Classifies features by |z_j'v - c| <= r + rounding + blur.
  auto look_into(Screening& part, const DualPoint& v, const Directions::Located& at) const {
    const bool known = !v.v.empty() && at.rest <= 1e-13 * at.size;
    return [this, &part, share = typical(), known](Index j, double c, double r, double rounding,
                                                   double blur) {
      const double room = (known ? 0.0 : r + rounding) + blur;
      classify(j, reach(j, c), room, std::min(room, share * r), part);
    };
  }

  // All features outside, those of the list where there is one. Of a crowd those are named that are
  // likely to violate; the others in doubt are counted.
  Screening look_over(const DualPoint& v, const Directions::Located& at,
                      const std::vector<Index>* list, bool crowd) const {
    const double asked = soon() * penalty_.alpha;
    Directions::Question question{at, outside_.data(), asked};
    if (crowd) {
      question.typical = typical();
      question.counted = penalty_.alpha * (1.0 + kRoom);
    }
    const Index count = list ? Index(list->size()) : design_.X.p;
    std::vector<Screening> parts(std::size_t(blocks_of(count)) + 1);
    directions_.ask({at, penalty_.factor1.data(), asked}, W_.features.data(), Index(v.c.size()),
                    W_.size(), look_into(parts.back(), v, at));
    over_blocks(count, [&](Index block, Index begin, Index end) {
      Screening& part = parts[std::size_t(block)];
      part.uncertain += directions_.ask(question, list ? list->data() : nullptr, begin, end,
                                        look_into(part, v, at));
    });
    Screening out = begun(v);
    for (Screening& part : parts) {
      out.uncertain += part.uncertain;
      out.violating += part.violating;
      out.excess = std::max(out.excess, part.excess);
      for (Index j : part.open) name(j, out);
      out.suspects.insert(out.suspects.end(), part.suspects.begin(), part.suspects.end());
      out.soon.insert(out.soon.end(), part.soon.begin(), part.soon.end());
    }
    return out;
  }

 public:
  // What is known of every feature that was outside W when v was stated, v = Q a + e. Where e is
  // rounding, what is left of doubt is decided by value: nothing will ever be known better.
  Screening screen(const DualPoint& v) {
    const Directions::Located at = locate(v);
    follow_set();
    const Nearby* near = list_for(v);
    if (!near) near = list_about(v, at);
    const std::vector<Index>* list = near ? &near->features : nullptr;
    const bool crowd = crowded_ && !one_sided_;
    Screening out = look_over(v, at, list, crowd);
    if (crowd && out.uncertain + out.violating <= most_listed(design_.X.p))
      out = look_over(v, at, list, false);
    crowded_ = !out.listed();
    return out;
  }

  // The same at the same alpha, where directions came since: a bound that held holds, and only what
  // was open is asked for.
  Screening again(const DualPoint& v, const Screening& before) {
    Screening out = begun(v);
    if (out.version == before.version && out.by_value == before.by_value) return before;
    if (!before.listed()) return screen(v);
    const Directions::Located at = locate(v);
    out.excess = before.excess;
    directions_.ask({at, penalty_.factor1.data(), soon() * penalty_.alpha}, before.open.data(), 0,
                    Index(before.open.size()), look_into(out, v, at));
    return out;
  }

  // The features in doubt of which the copy of X hides more than the directions do.
  std::vector<Index> blurred(const DualPoint& v, const Screening& seen) const {
    std::vector<Index> out;
    const Directions::Located at = locate(v);
    if (at.rest > CopiedCorrelations::kCoarse * at.norm) return out;
    auto list = [&](Index j, double, double r, double rounding, double blur) {
      if (blur > r + rounding) out.push_back(j);
    };
    directions_.ask({at, penalty_.factor1.data(), 0.0}, seen.open.data(), 0,
                    Index(seen.open.size()), list);
    return out;
  }

  // Whether a reading of directions would tell little more of v than what a copy of X hides.
  bool only_blurred(const DualPoint& v) const {
    const Directions::Located at = locate(v);
    return at.rest <= 0.01 * at.norm;
  }

  // The largest correlation that may move b_j: |c_j|, or one side of it
  double reach(Index j, double c) const {
    return std::max(penalty_.hi(j) > 0.0 ? c : -infinity, penalty_.lo(j) < 0.0 ? -c : -infinity);
  }

  void classify(Index j, double c, double room, double typical, Screening& out) const {
    const double l1 = penalty_.l1(j), limit = l1 * (1.0 + kRoom);
    if (c + typical > limit)
      out.suspects.emplace_back(c / l1, j);
    else if (c + typical > soon() * l1)
      out.soon.emplace_back(c / l1, j);
    if (c + room <= limit) {
      if (c + room > l1) out.excess = std::max(out.excess, (c + room) / l1 - 1.0);
      return;
    }
    ++(c - room > limit ? out.violating : out.uncertain);
    name(j, out);
  }

 private:
  static constexpr Index kBlock = Index(1) << 14;

  static Index blocks_of(Index count) { return (count + kBlock - 1) / kBlock; }
  template <class Work>
  void over_blocks(Index count, const Work& work) const {
    parallel_blocks(count > 2 * kBlock ? design_.n_threads : 1, blocks_of(count), [&](Index block) {
      work(block, block * kBlock, std::min(count, (block + 1) * kBlock));
    });
  }

  // Features that joined W are asked for no more.
  void follow_set() {
    if (outside_.empty()) {
      outside_ = penalty_.factor1;
      for (Index j = 0; j < design_.X.p; ++j)
        if (penalty_.excluded(j))
          outside_[std::size_t(j)] = infinity;
        else
          one_sided_ = one_sided_ || !(penalty_.hi(j) > 0.0 && penalty_.lo(j) < 0.0);
    }
    for (; followed_ < W_.size(); ++followed_)
      outside_[std::size_t(W_.features[std::size_t(followed_)])] = infinity;
  }

  // Features that a dual point within `radius` of `centre` may bring to their threshold at alphas
  // from `least` on: since z_j has unit norm, |z_j'v - z_j'centre| <= ||v - centre||. All others
  // are certified.
  struct Nearby {
    DualPoint centre;
    double radius, least;
    std::vector<Index> features;
  };

  // The list that holds for v, the latest first; null: none does.
  const Nearby* list_for(const DualPoint& v) const {
    for (auto near = lists_.rbegin(); near != lists_.rend(); ++near) {
      if (penalty_.alpha < near->least) continue;
      if (W_.states_vectors() && near->centre.v.empty()) continue;  // c may not be that of v yet
      if (distance_square(v, near->centre) <= near->radius * near->radius) return &*near;
    }
    return nullptr;
  }

  // Lists the features about v; null where they are many: a list of a quarter saves nothing.
  const Nearby* list_about(const DualPoint& v, const Directions::Located& at) {
    if (pause_ > 0 && --pause_ > 0) return nullptr;
    const Index p = design_.X.p;
    Nearby near{v, kRadius * std::sqrt(v.square), kLeast * penalty_.alpha, {}};
    const double radius = 1.001 * near.radius;
    std::vector<std::vector<Index>> parts(std::size_t(blocks_of(p)));
    std::atomic<Index> listed{0};
    over_blocks(p, [&](Index block, Index begin, Index end) {
      if (4 * listed.load() >= p) return;
      std::vector<Index>& part = parts[std::size_t(block)];
      auto list = [&](Index j, double c, double r, double rounding, double blur) {
        const double most = reach(j, c) + r + rounding + blur + radius;
        if (most > near.least * penalty_.factor1[std::size_t(j)]) part.push_back(j);
      };
      directions_.ask({at, outside_.data(), near.least, radius}, nullptr, begin, end, list);
      listed += Index(part.size());
    });
    const bool few = 4 * listed.load() < p;
    pause_ = longest_ = few ? 0 : std::min(32, 2 * longest_ + 1);
    if (!few) return nullptr;
    near.features.reserve(std::size_t(listed.load()));
    for (const std::vector<Index>& part : parts)
      near.features.insert(near.features.end(), part.begin(), part.end());
    if (lists_.size() == kLists) lists_.erase(lists_.begin());
    lists_.push_back(std::move(near));
    return &lists_.back();
  }

  static constexpr double kRadius = 0.2;  // of a list, in units of ||v||
  static constexpr double kLeast = 0.75;  // alpha that it holds to, in units of that it is made at
  static constexpr std::size_t kLists = 4;  // answers that wait are asked for again

  const Design& design_;
  const ElasticNet& penalty_;
  const WorkingSet& W_;
  const Directions& directions_;
  Vector outside_;      // (p,) factor1 outside W, infinite on it
  Index followed_ = 0;  // features of W that outside_ knows of
  std::vector<Nearby> lists_;
  bool crowded_ = false;         // more features were in doubt than are named, the last time
  bool one_sided_ = false;       // a feature may move one way only: |c_j| says too much of it
  int pause_ = 0, longest_ = 0;  // times that no list is made after lists that were long, doubled
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

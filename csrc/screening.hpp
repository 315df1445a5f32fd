// What the stored directions say about the features outside a working set: certified, violating, or
// in doubt, and who is likely to violate.
#pragma once

#include <atomic>

#include "directions.hpp"
#include "working_set.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

constexpr double kRoom = 1e-11;  // |c_j| may exceed l1_j by this share: the dual point is scaled

constexpr double kSoon = 0.99;  // |c_j| / l1_j of a feature that a smaller alpha will bring in

// What the directions say about the features outside W at one alpha.
struct Screening {
  Index uncertain = 0;  // neither certified nor seen to violate
  Index violating = 0;
  double excess = 0.0;                             // largest |c_j| / l1_j - 1 among the certified
  std::vector<Index> open;                         // the first of the uncertain
  std::vector<std::pair<double, Index>> suspects;  // likely |c_j| / l1_j > 1, feature
  std::vector<std::pair<double, Index>> soon;      // likely > kSoon: they join with suspects

  bool certified() const { return uncertain == 0 && violating == 0; }
};

class Screener {
 public:
  static constexpr std::size_t kFew = 64;  // features in doubt that are named one by one
  double kappa = 2.0;  // |z_j'e| is taken to be below kappa delta_j ||e|| / sqrt(n) for a guess

  Screener(const Design& design, const ElasticNet& penalty, const WorkingSet& W,
           const Directions& directions)
      : design_(design), penalty_(penalty), W_(W), directions_(directions) {}

  // What is known of every feature outside the first `set` of W for the dual point v = Q a + e.
  // Where e is rounding, what is left of doubt is decided by value: nothing will ever be known
  // better.
  Screening screen(const std::vector<double>& v, Index set) {
    std::vector<double> a, e;
    const double rest = directions_.split(v.data(), a, e);
    Screening out;
    if (!within_reach(v)) reach_from(v, a, rest);
    const Index count = listed_ ? Index(near_.size()) : design_.X.p;
    const double typical = kappa / std::sqrt(double(design_.X.n));
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
      directions_.ask({a, rest, penalty_.factor1.data(), kSoon * penalty_.alpha, 0.0},
                      listed_ ? near_.data() : nullptr, begin, end, look);
    });
    for (Screening& part : parts) {
      out.uncertain += part.uncertain;
      out.violating += part.violating;
      out.excess = std::max(out.excess, part.excess);
      for (Index j : part.open)
        if (out.open.size() < kFew) out.open.push_back(j);
      out.suspects.insert(out.suspects.end(), part.suspects.begin(), part.suspects.end());
      out.soon.insert(out.soon.end(), part.soon.begin(), part.soon.end());
    }
    return out;
  }

  // The largest correlation that may move b_j: |c_j|, or one side of it
  double reach(Index j, double c) const {
    return std::max(penalty_.hi(j) > 0.0 ? c : -infinity, penalty_.lo(j) < 0.0 ? -c : -infinity);
  }

  void classify(Index j, double c, double room, double typical, Screening& out) const {
    const double l1 = penalty_.l1(j), limit = l1 * (1.0 + kRoom);
    if (c + typical > limit)
      out.suspects.emplace_back(c / l1, j);
    else if (c + typical > kSoon * l1)
      out.soon.emplace_back(c / l1, j);
    if (c + room <= limit) {
      if (c + room > l1) out.excess = std::max(out.excess, (c + room) / l1 - 1.0);
      return;
    }
    if (c - room > limit)
      ++out.violating;
    else if (++out.uncertain <= Index(kFew))
      out.open.push_back(j);
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
    listed_ = false;
    if (pause_ > 0 && --pause_ > 0) return;
    radius_ = 0.1 * std::sqrt(dot_dense(v.data(), v.data(), design_.X.n));
    far_ = 0.6 * penalty_.alpha;
    const Index p = design_.X.p;
    std::vector<std::vector<Index>> parts(std::size_t(blocks_of(p)));
    std::atomic<Index> listed{0};  // a list of a quarter of the features saves nothing
    over_blocks(p, [&](Index block, Index begin, Index end) {
      if (4 * listed.load() >= p) return;
      auto list = [&](Index j, double c, double r, double rounding) {
        if (penalty_.excluded(j)) return;
        const double most = reach(j, c) + r + rounding + 1.001 * radius_;
        if (most > far_ * penalty_.factor1[std::size_t(j)]) parts[std::size_t(block)].push_back(j);
      };
      directions_.ask({a, rest, penalty_.factor1.data(), far_, 1.001 * radius_}, nullptr, begin,
                      end, list);
      listed += Index(parts[std::size_t(block)].size());
    });
    listed_ = 4 * listed.load() < p;
    pause_ = longest_ = listed_ ? 0 : std::min(32, 2 * longest_ + 1);
    near_.clear();
    near_.shrink_to_fit();
    if (!listed_) return;
    near_.reserve(std::size_t(listed.load()));
    for (const std::vector<Index>& part : parts)
      near_.insert(near_.end(), part.begin(), part.end());
  }

  const Design& design_;
  const ElasticNet& penalty_;
  const WorkingSet& W_;
  const Directions& directions_;
  std::vector<double> centre_;  // dual point about which near_ was listed
  double radius_ = 0.0, far_ = 0.0;
  std::vector<Index> near_;
  bool listed_ = false;          // whether near_ holds them, being few
  int pause_ = 0, longest_ = 0;  // times that no list is made after lists that were long, doubled
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

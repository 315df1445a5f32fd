// Stored directions: an orthonormal basis Q (n x m) of residuals met on the path, with C = Z'Q.
//
// Any vector u splits into Q a + e, a = Q'u, so that for every feature, without reading X,
//   |z_j'u - (C a)_j| <= delta_j ||e||,   delta_j^2 = ||(I - QQ')z_j||^2 = 1 - sum_k C_jk^2.
// Residuals along a path are numerically of low rank, so a few directions decide nearly all
// features at nearly all alphas. Rounding is added to every bound, so none is ever too small.
#pragma once

#include <numeric>
#include <utility>
#include <vector>

#include "design.hpp"
#include "values.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// As many as pay; of very many sparse features, what fits beside X: four at least.
inline Index most_directions(const AnyMatrix& X) {
  if (!X.sparse()) return 32;
  const double fit = 0.4 * X.size() / (8.0 * double(std::max<Index>(X.p, 1)));
  return Index(std::min(8.0, std::max(4.0, fit)));
}

class Directions {
 public:
  static constexpr double kCoarse = 0.1;  // blur of a feature that the copy says too little of

  Directions(const Design& design, const Vector& target, Index most)
      : design_(design),
        target_(target),
        n_(design.X.n),
        p_(design.X.p),
        most_(most),
        deflated_(std::size_t(p_), 1.0f),
        size_(std::sqrt(dot_dense(target.data(), target.data(), n_))),
        unit_(4.0 * std::numeric_limits<double>::epsilon() * std::sqrt(double(n_) + 16.0)) {
    Q_.reserve(std::size_t(n_ * most_));  // mapped only as far as it is filled
    C_.reserve(std::size_t(p_ * most_));
  }

  double bytes() const {
    const double copy = design_.copy ? design_.copy->size() : 0.0;
    return 8.0 * double((n_ + p_) * m_) + 4.0 * double(p_ + Index(blur_.size())) + copy;
  }
  // of x_j'v / d_j with ||v|| = 1: a sum of n products about a mean m_j
  double rounding(Index j) const {
    return unit_ * (1.0 + design_.stats.mean_over_norm(std::size_t(j)));
  }
  const double* correlations(Index k) const { return C_.data() + p_ * k; }

  // e := u - Q Q'u, a := Q'u; returns ||e||. One round leaves rounding of u along Q in e, which
  // bounds count; two leave rounding of e.
  double split(const double* u, Vector& a, Vector& e, int rounds = 2) const {
    e.assign(u, u + n_);
    a.assign(std::size_t(m_), 0.0);
    Vector part(static_cast<std::size_t>(m_));
    for (int round = 0; round < rounds && m_ > 0; ++round) {
      gemv(design_.blas, 'T', int(n_), int(m_), 1.0, Q_.data(), int(n_), e.data(), 0.0,
           part.data());
      gemv(design_.blas, 'N', int(n_), int(m_), -1.0, Q_.data(), int(n_), part.data(), 1.0,
           e.data());
      for (std::size_t k = 0; k < a.size(); ++k) a[k] += part[k];
    }
    return std::sqrt(dot_dense(e.data(), e.data(), n_));
  }

  // v = Q a + e as far as it is known: ||e|| <= rest, and C a is off by rounding(j) size, and by
  // blur(j) ||a|| where C is read from a copy.
  struct Located {
    Vector a;
    double rest, size, norm = 0.0;  // norm: ||a||
  };

  Located locate(const Vector& v) const {
    Located at;
    Vector e;
    at.rest = split(v.data(), at.a, e, 1);
    at.size = at.rest + sum_of(m_, [&](Index k) { return std::fabs(at.a[std::size_t(k)]); });
    at.norm = std::sqrt(dot_dense(at.a.data(), at.a.data(), m_));
    return at;
  }

  // The same of v = t - Zb by C alone, Q'v = Q't - C'b, ||e||^2 = v'v - a'a, for features named by
  // their numbers in X; `square` is v'v, known but for `rounding`. What is left of ||e|| where v
  // lies in the span of Q is the root of rounding.
  Located locate(const std::vector<Index>& features, const Vector& b, double square,
                 double rounding) const {
    Located at{along_, 0.0, 0.0};
    double spread = size_;
    for (std::size_t i = 0; i < b.size(); ++i) {
      const std::size_t j = std::size_t(features[i]);
      spread += std::fabs(b[i]) * (1.0 + design_.stats.mean_over_norm(j));
      for (std::size_t k = 0; k < at.a.size(); ++k) at.a[k] -= b[i] * correlations(Index(k))[j];
    }
    const double share = std::sqrt(double(m_)) * spread, noise = unit_ * share,
                 aa = dot_dense(at.a.data(), at.a.data(), m_);
    at.rest =
        std::sqrt(std::max(0.0, square - aa) + rounding + noise * (2.0 * std::sqrt(aa) + noise));
    at.size =
        at.rest + share + sum_of(m_, [&](Index k) { return std::fabs(at.a[std::size_t(k)]); });
    at.norm = std::sqrt(aa);
    return at;
  }

  // Up to `most` orthonormal directions, orthogonal to those held, that span `rests`: the first of
  // them always, then by what is left of each, while that is more than `flat` in norm. (n, k)
  Vector choose(std::vector<Vector> rests, int most, double flat) const {
    Vector fresh;
    std::vector<char> taken(rests.size(), 0);
    for (int k = 0; k < most;) {
      std::size_t best = rests.size();
      double largest = 0.0;
      for (std::size_t i = 0; i < rests.size(); ++i) {
        const double norm = std::sqrt(dot_dense(rests[i].data(), rests[i].data(), n_));
        if (taken[i] || !(norm > largest)) continue;
        largest = norm;
        best = i;
        if (k == 0 && i == 0) break;
      }
      if (best == rests.size() || (k > 0 && largest < flat)) break;
      taken[best] = 1;
      Vector q = rests[best];
      if (!normalise(q, fresh, k)) continue;
      fresh.insert(fresh.end(), q.begin(), q.end());
      ++k;
      for (Vector& rest : rests) {
        const double along = dot_dense(q.data(), rest.data(), n_);
        for (Index i = 0; i < n_; ++i) rest[std::size_t(i)] -= along * q[std::size_t(i)];
      }
    }
    return fresh;
  }

  // Adds k orthonormal directions, orthogonal to those held, with one reading of X: of the features
  // that are not settled, where any are marked so; of those the directions will not be asked.
  void add(const Vector& fresh, int k, Report& report, const std::vector<char>& settled = {}) {
    const Vector v = design_.weighted(fresh);
    C_.resize(std::size_t(p_ * (m_ + k)));
    double* const c = C_.data() + p_ * m_;
    if (by_copy_)
      correlate_by_copy(v, k, c, report, settled);
    else
      design_.correlate(v.data(), k, c, report, settled);
    hold(fresh, k);
  }

  // From here on a reading is one of the copy of X, if there is one, and of the features it is too
  // coarse for.
  void read_copy(Report& report) {
    by_copy_ = design_.copy != nullptr;
    if (!by_copy_) return;
    is_sharp_.assign(std::size_t(p_), 0);
    std::vector<Index> coarse;
    for (Index j = 0; j < p_; ++j) {
      const double off = design_.copy->error(j) + 1e-3 * design_.copy->half(j);
      if (!(design_.stats.inv[std::size_t(j)] * off <= kCoarse)) coarse.push_back(j);
    }
    sharpen(coarse, report);
  }

  bool by_copy() const { return by_copy_; }
  bool blurs() const { return !blur_.empty(); }
  // blur(j) ||a|| bounds what C a is off by for having been read from the copy.
  double blur(Index j) const { return blur_.empty() ? 0.0 : double(blur_[std::size_t(j)]); }

  // The correlations of these features become those with X, and stay so. Where that is most of
  // them, the copy has served.
  void sharpen(const std::vector<Index>& features, Report& report) {
    if (!by_copy_) return;
    std::vector<Index> come;
    const auto take = [&](Index j) {
      if (!std::exchange(is_sharp_[std::size_t(j)], char(1))) come.push_back(j);
    };
    for (Index j : features) take(j);
    if (2 * Index(sharp_.size() + come.size()) > p_) {
      by_copy_ = false;
      for (Index j = 0; j < p_; ++j) take(j);
    }
    sharp_.insert(sharp_.end(), come.begin(), come.end());
    if (come.empty() || blur_.empty()) return;
    const Vector v = design_.weighted(Vector(Q_.begin(), Q_.end()));
    design_.correlate_of(come, v.data(), int(m_), C_.data(), report);
    for (Index j : come) blur_[std::size_t(j)] = 0.0f;
    if (!by_copy_) blur_.clear();
    ++version_;
    for (Index j : come) deflate(j, 1);
  }
  // ... of all features.
  void sharpen_all(Report& report) {
    if (!by_copy_) return;
    std::vector<Index> all(static_cast<std::size_t>(p_));
    std::iota(all.begin(), all.end(), Index(0));
    sharpen(all, report);
  }

  // One direction whose C is known already.
  void add_known(const Vector& fresh, const Vector& c) {
    C_.insert(C_.end(), c.begin(), c.end());
    hold(fresh, 1);
  }

  // a number for each set of directions held
  Index version() const { return version_; }
  bool full(int k) const { return m_ + k > most_; }
  // that may be added when those held are compressed
  int room() const { return int(most_ / 2); }

  // Keeps half of what may be held: the span of the points, those first in the list first;
  // locate(point).a are the coordinates of one.
  template <class Point, class Locate>
  void compress(const std::vector<const Point*>& points, const Locate& locate) {
    Vector T;
    Index kept = 0;
    for (const Point* point : points) {
      if (2 * kept >= most_) break;
      Vector a = locate(*point).a;
      const double before = std::sqrt(dot_dense(a.data(), a.data(), m_));
      for (int round = 0; round < 2; ++round)
        for (Index l = 0; l < kept; ++l) {
          const double* t = T.data() + l * m_;
          const double along = dot_dense(t, a.data(), m_);
          for (Index k = 0; k < m_; ++k) a[std::size_t(k)] -= along * t[k];
        }
      const double norm = std::sqrt(dot_dense(a.data(), a.data(), m_));
      if (!(norm > 1e-4 * before)) continue;
      for (double value : a) T.push_back(value / norm);
      ++kept;
    }
    rotate(Q_, n_, T, kept);
    rotate(C_, p_, T, kept);
    m_ = kept;
    ++version_;
    project_target(0);
    unit_ *= 1.5;  // a sum of m products each
  }

  // What is asked of features: whether |z_j'v| may exceed alpha factor_j - margin. With `typical`
  // below 1, whether it does at that share of the bound on what is not known of it; and how many of
  // the others may exceed counted factor_j - margin.
  struct Question {
    const Located& at;
    const double* factor;  // (p,), infinite for features that are not asked for
    double alpha, margin = 0.0, typical = 1.0, counted = infinity;
  };

  // visit(j, c, r, rounding, blur) for the features of [begin, end), or of list[begin, end), that
  // may: |z_j'v - c| <= r + rounding + blur. Returns how many are counted.
  template <class Visit>
  Index ask(const Question& question, const Index* list, Index begin, Index end,
            const Visit& visit) const {
    constexpr Index width = 1024, few = 32;
    double sum[width], over[width], doubt[width];
    Index counted = 0;
    for (Index at = begin; at < end; at += width) {
      const Index w = std::min(width, end - at);
      std::fill(sum, sum + w, 0.0);
      if (list)
        estimate(question, [&](Index i) { return list[at + i]; }, w, sum, over, doubt);
      else
        estimate(question, [&](Index i) { return at + i; }, w, sum, over, doubt);
      counted += count_where(doubt, over, std::isfinite(question.counted) ? w : 0);
      for (Index i = 0; i < w; i += few) {
        const Index stop = std::min(w, i + few);
        if (!any_positive(over + i, stop - i)) continue;
        for (Index l = i; l < stop; ++l) {
          if (!(over[l] > 0.0)) continue;
          const Index j = list ? list[at + l] : at + l;
          visit(j, sum[l], double(deflated_[std::size_t(j)]) * question.at.rest,
                rounding(j) * question.at.size, blur(j) * question.at.norm);
        }
      }
    }
    return counted;
  }

 private:
  // How many of x are positive where y is not.
  static Index count_where(const double* x, const double* y, Index count) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (Index i = 0; i < count; ++i) sum += x[i] > 0.0 ? (y[i] > 0.0 ? 0.0 : 1.0) : 0.0;
    return Index(sum);
  }

  static bool any_positive(const double* x, Index count) {
    double most = -infinity;
#pragma omp simd reduction(max : most)
    for (Index i = 0; i < count; ++i) most = x[i] > most ? x[i] : most;
    return most > 0.0;
  }

  // sum = C a, and by how much |sum| and its bound exceed the thresholds, for w features
  template <class Feature>
  void estimate(const Question& question, const Feature& feature, Index w, double* sum,
                double* over, double* doubt) const {
    const Index m = Index(question.at.a.size());
    Index k = 0;
    for (; k + 4 <= m; k += 4) {  // four streams at a time outrun one
      const double *c0 = correlations(k), *c1 = c0 + p_, *c2 = c1 + p_, *c3 = c2 + p_;
      const double* a = question.at.a.data() + k;
#pragma omp simd
      for (Index i = 0; i < w; ++i) {
        const Index j = feature(i);
        sum[i] += (a[0] * c0[j] + a[1] * c1[j]) + (a[2] * c2[j] + a[3] * c3[j]);
      }
    }
    for (; k < m; ++k) {
      const double *c = correlations(k), ak = question.at.a[std::size_t(k)];
#pragma omp simd
      for (Index i = 0; i < w; ++i) sum[i] += ak * c[feature(i)];
    }
    if (blur_.empty())
      exceed(question, feature, [](Index) { return 0.0; }, w, sum, over, doubt);
    else
      exceed(
          question, feature,
          [blur = blur_.data(), norm = question.at.norm](Index j) {
            return double(blur[j]) * norm;
          },
          w, sum, over, doubt);
  }
  template <class Feature, class Off>
  void exceed(const Question& question, const Feature& feature, const Off& off, Index w,
              const double* sum, double* over, double* doubt) const {
    const float* deflated = deflated_.data();
    const double *mean = design_.stats.mean.data(), *inv = design_.stats.inv.data(),
                 *factor = question.factor;
    const double rest = question.at.rest, alpha = question.alpha, typical = question.typical,
                 counted = question.counted, rounding = unit_ * question.at.size,
                 margin = question.margin + rounding;
#pragma omp simd
    for (Index i = 0; i < w; ++i) {
      const Index j = feature(i);
      const double known =
          std::fabs(sum[i]) + rounding * std::fabs(mean[j]) * inv[j] + off(j) + margin;
      const double unknown = double(deflated[j]) * rest;
      over[i] = known + typical * unknown - alpha * factor[j];
      doubt[i] = known + unknown - counted * factor[j];
    }
  }

  // c (p x k) = Z'v for k new directions, those of sharp features by X. Of the others, with e_j and
  // lost_l as in the copy, the error in C a is at most
  //   (|e_j'Q a| + half_j sum_l lost_l |a_l|) / d_j <= (error_j + half_j ||lost||) ||a|| / d_j.
  void correlate_by_copy(const Vector& v, int k, double* c, Report& report,
                         const std::vector<char>& settled) {
    Vector lost(static_cast<std::size_t>(k));
    design_.correlate_by_copy(v.data(), k, c, lost.data(), report);
    for (double g : lost) lost_square_ += g * g;
    std::vector<Index> asked;
    for (Index j : sharp_)
      if (settled.empty() || !settled[std::size_t(j)]) asked.push_back(j);
    design_.correlate_of(asked, v.data(), k, c, report);
    constexpr double up = 1.0 + double(std::numeric_limits<float>::epsilon());
    const double lost_norm = std::sqrt(lost_square_);
    blur_.resize(std::size_t(p_));
    for (Index j = 0; j < p_; ++j)
      blur_[std::size_t(j)] = float(up * design_.stats.inv[std::size_t(j)] *
                                    (design_.copy->error(j) + design_.copy->half(j) * lost_norm));
    for (Index j : sharp_) blur_[std::size_t(j)] = 0.0f;
  }

  // q := unit vector orthogonal to the directions held and the k fresh ones; false if nothing of it
  // is left.
  bool normalise(Vector& q, const Vector& fresh, int k) const {
    Vector a, e;
    const double before = std::sqrt(dot_dense(q.data(), q.data(), n_));
    for (double& v : q) v /= before;
    for (int round = 0; round < 2; ++round) {
      split(q.data(), a, e);
      q = e;
      for (int l = 0; l < k; ++l) {
        const double* f = fresh.data() + l * n_;
        const double along = dot_dense(f, q.data(), n_);
        for (Index i = 0; i < n_; ++i) q[std::size_t(i)] -= along * f[i];
      }
      const double norm = std::sqrt(dot_dense(q.data(), q.data(), n_));
      if (!(norm > 1e-8)) return false;
      for (double& v : q) v /= norm;
    }
    return true;
  }

  // A := A T, T (m, kept), in place by slabs of rows
  void rotate(Values& A, Index rows, const Vector& T, Index kept) const {
    constexpr Index width = 4096;
    Vector out(std::size_t(width * kept));
    for (Index i0 = 0; i0 < rows; i0 += width) {
      const Index w = std::min(width, rows - i0);
      gemm(design_.blas, 'N', 'N', int(w), int(kept), int(m_), 1.0, A.data() + i0, int(rows),
           T.data(), int(m_), 0.0, out.data(), int(w));
      for (Index k = 0; k < kept; ++k) std::copy_n(out.data() + w * k, w, A.data() + i0 + rows * k);
    }
    A.resize(std::size_t(rows * kept));
  }

  void hold(const Vector& fresh, int k) {
    Q_.insert(Q_.end(), fresh.begin(), fresh.begin() + k * n_);
    m_ += k;
    ++version_;
    project_target(m_ - k);
    deflate();
  }

  // Q't for the directions from `first` on
  void project_target(Index first) {
    along_.resize(std::size_t(m_));
    for (Index k = first; k < m_; ++k)
      along_[std::size_t(k)] = dot_dense(Q_.data() + n_ * k, target_.data(), n_);
  }

  // 1 - (||c|| - blur)^2, or 1 where ||c|| < blur, is at most 1 - ||c||^2 + 2 blur ||c||.
  static void allow_for_blur(const float* blur, Index width, double* rest) {
#pragma omp simd
    for (Index i = 0; i < width; ++i) {
      const double size = std::sqrt(std::max(0.0, 1.0 - rest[i]));
      rest[i] = std::min(1.0, rest[i] + 2.0 * double(blur[i]) * size);
    }
  }

  void deflate() {
    parallel_blocks(p_ * m_ > 1 << 18 ? design_.n_threads : 1, (p_ + kSlab - 1) / kSlab,
                    [&](Index block) {
                      const Index begin = block * kSlab;
                      deflate(begin, std::min(kSlab, p_ - begin));
                    });
  }
  // delta of up to kSlab features
  void deflate(Index begin, Index width) {
    constexpr double eps = std::numeric_limits<double>::epsilon();
    constexpr double up = 1.0 + double(std::numeric_limits<float>::epsilon());
    double rest[kSlab];
    std::fill(rest, rest + width, 1.0);
    for (Index k = 0; k < m_; ++k) {
      const double* c = correlations(k) + begin;
#pragma omp simd
      for (Index i = 0; i < width; ++i) rest[i] -= c[i] * c[i];
    }
    if (!blur_.empty()) allow_for_blur(blur_.data() + begin, width, rest);
    for (Index i = 0; i < width; ++i) {
      const double noise = 2.0 * double(m_ + 1) * std::max(8 * eps, 2.0 * rounding(begin + i));
      deflated_[std::size_t(begin + i)] = float(up * std::sqrt(std::max(0.0, rest[i]) + noise));
    }
  }

  static constexpr Index kSlab = 4096;  // features deflated at a time

  const Design& design_;
  const Vector& target_;
  Index n_, p_, most_, m_ = 0, version_ = 0;
  Values Q_, C_;                 // (n, m), (p, m)
  Vector along_;                 // Q't, (m,)
  std::vector<float> deflated_;  // delta, (p,), rounded up
  bool by_copy_ = false;
  std::vector<float> blur_;     // (p,), 0 for sharp features; empty: C is all by X
  std::vector<Index> sharp_;    // features whose rows of C are by X
  std::vector<char> is_sharp_;  // (p,), or empty
  double lost_square_ = 0.0;    // sum_l lost_l^2 of all directions read from the copy
  double size_;                 // ||t||
  double unit_;                 // rounding of one entry of C about a mean of 0
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

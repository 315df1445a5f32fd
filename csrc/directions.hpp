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

#include "copied_correlations.hpp"
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
  Directions(const Design& design, const WorkingSet& W, const Vector& target, Index most)
      : design_(design),
        target_(target),
        n_(design.X.n),
        p_(design.X.p),
        most_(most),
        copied_(design, W),
        deflated_(std::size_t(p_), 1.0f),
        size_(std::sqrt(dot_dense(target.data(), target.data(), n_))),
        unit_(4.0 * std::numeric_limits<double>::epsilon() * std::sqrt(double(n_) + 16.0)) {
    Q_.reserve(std::size_t(n_ * most_));  // mapped only as far as it is filled
    C_.reserve(std::size_t(p_ * most_));
  }

  double bytes() const { return 8.0 * double((n_ + p_) * m_) + 4.0 * double(p_) + copied_.bytes(); }
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
    C_.resize(std::size_t(p_ * (m_ + k)));
    double* const c = C_.data() + p_ * m_;
    if (copied_.serves())
      copied_.read(fresh, k, c, report, settled);
    else
      design_.correlate(design_.weighted(fresh).data(), k, c, report, settled);
    hold(fresh, k);
  }

  // From here on a reading is one of the copy of X, if there is one, and of the features it is too
  // coarse for; what is kept for that takes `most` bytes.
  void read_copy(double most, Report& report) { sharpen(copied_.begin(most), report); }
  bool by_copy() const { return copied_.serves(); }
  bool blurs() const { return copied_.blurs(); }
  // blur(j) ||a|| bounds what C a is off by for having been read from the copy.
  double blur(Index j) const { return blurs() ? double(copied_.blur()[j]) : 0.0; }

  // The correlations of these features become those with X, and stay so. Where that is most of
  // them, the copy has served.
  void sharpen(const std::vector<Index>& features, Report& report) {
    const bool blurred = blurs();
    const std::vector<Index> come = copied_.sharpen(features, Q_, C_.data(), report);
    if (come.empty() || !blurred) return;
    ++version_;
    for (Index j : come) deflate(j, 1);
  }
  // ... of all features.
  void sharpen_all(Report& report) {
    if (!by_copy()) return;
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
    if (!blurs())
      exceed(question, feature, [](Index) { return 0.0; }, w, sum, over, doubt);
    else
      exceed(
          question, feature,
          [blur = copied_.blur(), norm = question.at.norm](Index j) {
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
    if (blurs()) allow_for_blur(copied_.blur() + begin, width, rest);
    for (Index i = 0; i < width; ++i) {
      const double noise = 2.0 * double(m_ + 1) * std::max(8 * eps, 2.0 * rounding(begin + i));
      deflated_[std::size_t(begin + i)] = float(up * std::sqrt(std::max(0.0, rest[i]) + noise));
    }
  }

  static constexpr Index kSlab = 4096;  // features deflated at a time

  const Design& design_;
  const Vector& target_;
  Index n_, p_, most_, m_ = 0, version_ = 0;
  CopiedCorrelations copied_;
  Values Q_, C_;                 // (n, m), (p, m)
  Vector along_;                 // Q't, (m,)
  std::vector<float> deflated_;  // delta, (p,), rounded up
  double size_;                  // ||t||
  double unit_;                  // rounding of one entry of C about a mean of 0
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// Gathered sparse features: stored values by columns and, where that pays, by rows, with the
// centring kept apart: z_ij = s_ij - sqrt(omega_i) mu_j.
#pragma once

#include <algorithm>
#include <mutex>
#include <vector>

#include "feature_set.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class SparseFeatures final : public FeatureSet {
 public:
  explicit SparseFeatures(const Design& design)
      : FeatureSet(design), start_(1, 0), row_start_(std::size_t(design.X.n + 1)) {}

  void add(const std::vector<Index>& S) override {
    make_room(S);
    for (Index j : S) gather(j);
    size_ += Index(S.size());
  }

  // New columns of G meet the others in panels of up to eight: by a sweep of all stored values that
  // serves a whole panel, or, where the panel stores few, row by row.
  void add_gram(const std::vector<Index>& which, double* G, Index ld) override {
    const Index m = Index(which.size()), old = size_ - m, panels = (m + kPanel - 1) / kPanel;
    arrange_where_worth(values(old, size_), panels);
    parallel_blocks(worthwhile(design_.n_threads, double(panels) * stored()), panels,
                    [&](Index panel) {
                      const Index k0 = old + panel * kPanel;
                      products(k0, std::min(size_, k0 + kPanel), G, ld);
                    });
    for (Index k = old; k < size_; ++k)
      for (Index j = 0; j < k; ++j) G[k + j * ld] = G[j + k * ld];
  }

  bool in_any_order() const override { return false; }

  void subtract(const std::vector<Index>& which, const double* b, double* u) const override {
    double shift = 0.0;
    for (Index k : which) {
      const double bk = b[k];
      for (Index e = start_[std::size_t(k)]; e < start_[std::size_t(k + 1)]; ++e)
        u[row_[std::size_t(e)]] -= bk * value_[std::size_t(e)];
      shift += bk * mu_[std::size_t(k)];
    }
    if (shift == 0.0) return;
    for (Index i = 0; i < design_.X.n; ++i) u[i] += shift * design_.root[std::size_t(i)];
  }

  // Eight vectors side by side, so that a stored value meets them in one line of the cache.
  void subtract(const std::vector<Index>& which, const double* B, int k, double* R) const override {
    if (k < 2) return FeatureSet::subtract(which, B, k, R);
    const Index n = design_.X.n;
    Panel panel = take_panel(kPanel);
    for (int first = 0; first < k; first += int(kPanel)) {
      const Index m = std::min(kPanel, Index(k - first));
      double shift[kPanel] = {};
      for (Index f : which) {
        double b[kPanel] = {};
        for (Index l = 0; l < m; ++l) {
          b[l] = B[f + size_ * (first + l)];
          shift[l] += b[l] * mu_[std::size_t(f)];
        }
        for (Index e = start_[std::size_t(f)]; e < start_[std::size_t(f + 1)]; ++e) {
          double* row = panel.rows() + kPanel * row_[std::size_t(e)];
          const double value = value_[std::size_t(e)];
#pragma omp simd
          for (Index l = 0; l < kPanel; ++l) row[l] += value * b[l];
        }
      }
      for (Index i = 0; i < n; ++i) {
        double* row = panel.rows() + kPanel * i;
        for (Index l = 0; l < m; ++l)
          R[i + n * (first + l)] -= row[l] - shift[l] * design_.root[std::size_t(i)];
        std::fill(row, row + kPanel, 0.0);
      }
    }
    return_panel(std::move(panel));
  }

  void correlate(const double* u, int k, double* c, Index first) const override {
    for (int l = 0; l < k; ++l) correlate_one(u + design_.X.n * l, c + size_ * l, first);
  }

  void correlate_one(const double* u, double* c, Index first) const {
    const double sum = dot_dense(design_.root.data(), u, design_.X.n);
    const Index width = 64, m = size_ - first;
    const double values = double(Index(row_.size()) - start_[std::size_t(first)]);
    parallel_blocks(
        worthwhile(design_.n_threads, values), (m + width - 1) / width, [&](Index block) {
          const Index begin = first + block * width, end = std::min(size_, begin + width);
          for (Index k = begin; k < end; ++k) c[k] = dot(k, u) - sum * mu_[std::size_t(k)];
        });
  }

  void correlate(const double* u, double* c, const std::vector<Index>& which) const override {
    const double sum = dot_dense(design_.root.data(), u, design_.X.n);
    for (Index k : which) c[k] = dot(k, u) - sum * mu_[std::size_t(k)];
  }

  void copy(Index k, double scale, double* out) const override {
    const double mu = mu_[std::size_t(k)];
    for (Index i = 0; i < design_.X.n; ++i) out[i] = -scale * mu * design_.root[std::size_t(i)];
    for (Index e = start_[std::size_t(k)]; e < start_[std::size_t(k + 1)]; ++e)
      out[row_[std::size_t(e)]] += scale * value_[std::size_t(e)];
  }

  void add_outer(const std::vector<Index>& which, double sign, const PerFeature& divisor,
                 double* M) const override {
    const Index n = design_.X.n;
    Vector z(static_cast<std::size_t>(n));
    for (Index k : which) {
      const double scale = sign / divisor[std::size_t(k)], mu = mu_[std::size_t(k)];
      const Index begin = start_[std::size_t(k)], end = start_[std::size_t(k + 1)];
      if (mu == 0.0) {
        for (Index e = begin; e < end; ++e)
          for (Index f = begin; f <= e; ++f)
            M[row_[std::size_t(f)] + row_[std::size_t(e)] * n] +=
                scale * value_[std::size_t(f)] * value_[std::size_t(e)];
        continue;
      }
      for (Index i = 0; i < n; ++i) z[std::size_t(i)] = -mu * design_.root[std::size_t(i)];
      for (Index e = begin; e < end; ++e)
        z[std::size_t(row_[std::size_t(e)])] += value_[std::size_t(e)];
      for (Index c = 0; c < n; ++c) {
        const double a = scale * z[std::size_t(c)];
        double* out = M + c * n;
        for (Index i = 0; i <= c; ++i) out[i] += a * z[std::size_t(i)];
      }
    }
  }

  double stored() const override { return double(row_.size()); }
  double bytes() const override {
    double panels = 0.0;
    for (const Panel& held : panels_) panels += 8.0 * double(held.size);
    return 12.0 * double(row_.capacity() + by_row_.capacity()) + 8.0 * double(row_start_.size()) +
           panels;
  }

 private:
  // Memory once for all of S: what a vector gives up as it grows is memory touched for nothing.
  void make_room(const std::vector<Index>& S) {
    std::size_t all = row_.size();
    for (Index j : S) all += std::size_t(design_.X.length(j));
    if (all <= row_.capacity()) return;
    all = std::max(all, row_.capacity() + row_.capacity() / 2);
    row_.reserve(all);
    value_.reserve(all);
  }

  void gather(Index j) {
    const std::size_t k = std::size_t(j);
    const double inv = design_.stats.inv[k];
    const Index begin = Index(row_.size());
    design_.X.stored(j, row_, value_);
    const bool full = Index(row_.size()) - begin == design_.X.n;
    const double pilot = full ? design_.stats.mean[k] : 0.0;
    for (std::size_t e = std::size_t(begin); e < row_.size(); ++e)
      value_[e] = design_.root[std::size_t(row_[e])] * ((value_[e] - pilot) * inv);
    start_.push_back(Index(row_.size()));
    mu_.push_back((design_.stats.mean[k] - pilot) * inv);
    used_.push_back(inv > 0.0);
  }

  double dot(Index k, const double* u) const {
    return dot_csc(value_.data(), row_.data(), start_[std::size_t(k)], start_[std::size_t(k + 1)],
                   u);
  }

  // The same values by rows, features ascending in each.
  void arrange_rows() {
    std::fill(row_start_.begin(), row_start_.end(), 0);
    for (std::int32_t i : row_) ++row_start_[std::size_t(i) + 1];
    for (std::size_t i = 1; i < row_start_.size(); ++i) row_start_[i] += row_start_[i - 1];
    feature_.resize(row_.size());
    by_row_.resize(row_.size());
    std::vector<Index> place(row_start_.begin(), row_start_.end() - 1);
    for (Index k = 0; k < size_; ++k)
      for (Index e = start_[std::size_t(k)]; e < start_[std::size_t(k + 1)]; ++e) {
        const std::size_t at = std::size_t(place[std::size_t(row_[std::size_t(e)])]++);
        feature_[at] = std::int32_t(k);
        by_row_[at] = value_[std::size_t(e)];
      }
    arranged_ = size_;
  }

  double values(Index begin, Index end) const {
    return double(start_[std::size_t(end)] - start_[std::size_t(begin)]);
  }

  // What `fresh` values of new columns cost by rows that hold `arranged` values in all.
  double cost_by_rows(double fresh, double arranged) const {
    return fresh * (kRow + kProduct * arranged / double(design_.X.n));
  }

  // Arranging is put off until sweeps of the features that are not have lost as much.
  void arrange_where_worth(double fresh, Index panels) {
    const double recent = values(arranged_, size_);
    lost_ += std::max(0.0, double(panels) * recent - cost_by_rows(fresh, recent));
    if (!(lost_ > kArrange * stored())) return;
    arrange_rows();
    lost_ = 0.0;
  }

  // Columns [k0, k1) of G, entries j <= k each.
  void products(Index k0, Index k1, double* G, Index ld) const {
    const Index by_rows = std::min(arranged_, k1);
    const double arranged = values(0, by_rows);
    const bool few = cost_by_rows(values(k0, k1), arranged) < arranged;
    if (few)
      for (Index k = k0; k < k1; ++k) meet_rows(k, std::min(by_rows, k), G + k * ld);
    const Index first = few ? by_rows : 0;
    if (first < k1) sweep(first, k0, k1, G + k0 * ld, ld);
    for (Index k = k0; k < k1; ++k) {
      double* column = G + k * ld;
      const double mu = mu_[std::size_t(k)];
      for (Index j = 0; j < k; ++j) column[j] -= mu * mu_[std::size_t(j)];
      column[k] = used_[std::size_t(k)] ? 1.0 : 0.0;
    }
  }

  // Rows come from far away in memory.
  void fetch_row(std::int32_t i) const {
    const Index at = row_start_[std::size_t(i)];
    for (Index line = 0; line < 4; ++line) prefetch(by_row_.data() + at + 8 * line);
    for (Index line = 0; line < 2; ++line) prefetch(feature_.data() + at + 16 * line);
  }

  // column (stop,) = z_j'z_k for j < stop, all of them arranged
  void meet_rows(Index k, Index stop, double* column) const {
    std::fill(column, column + stop, 0.0);
    const Index begin = start_[std::size_t(k)], end = start_[std::size_t(k + 1)];
    for (Index e = begin; e < end; ++e) {
      if (e + kAhead < end) fetch_row(row_[std::size_t(e + kAhead)]);
      const std::size_t i = std::size_t(row_[std::size_t(e)]);
      const double v = value_[std::size_t(e)];
      const std::size_t last = std::size_t(row_start_[i + 1]);
      for (std::size_t at = std::size_t(row_start_[i]); at < last; ++at) {
        if (feature_[at] >= stop) break;
        column[feature_[at]] += v * by_row_[at];
      }
    }
  }

  // out[j + l ld] = z_j'z_(k0 + l) for the features j in [first, k1)
  void sweep(Index first, Index k0, Index k1, double* out, Index ld) const {
    const int m = int(k1 - k0);
    const Index width = RowBlock::width_of(m);
    Panel panel = take_panel(width);
    for (Index k = k0; k < k1; ++k)
      for (Index e = start_[std::size_t(k)]; e < start_[std::size_t(k + 1)]; ++e)
        panel.rows()[row_[std::size_t(e)] * width + (k - k0)] = value_[std::size_t(e)];
    xtr_csc(value_.data(), row_.data(), Offsets<Index>{start_.data(), nullptr}, first, k1,
            RowBlock(design_.X.n, m, panel.rows()), out, ld);
    for (Index k = k0; k < k1; ++k)
      for (Index e = start_[std::size_t(k)]; e < start_[std::size_t(k + 1)]; ++e)
        panel.rows()[row_[std::size_t(e)] * width + (k - k0)] = 0.0;
    return_panel(std::move(panel));
  }

  // Columns laid out by rows, (n, width) within lines of the cache; zeros while nobody holds it.
  struct Panel {
    Index size = 0;
    Lines memory;
    double* rows() const { return memory.data(); }
  };
  Panel take_panel(Index width) const {
    const Index size = design_.X.n * width;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (Panel& held : panels_)
        if (held.size >= size) {
          std::swap(held, panels_.back());
          Panel found = std::move(panels_.back());
          panels_.pop_back();
          return found;
        }
    }
    Panel fresh;
    fresh.size = size;
    fresh.memory = Lines(size);
    std::fill(fresh.rows(), fresh.rows() + size, 0.0);
    return fresh;
  }
  void return_panel(Panel panel) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    panels_.push_back(std::move(panel));
  }

  std::vector<std::int32_t> row_, feature_;  // of each value by columns; by rows
  Vector value_, by_row_, mu_;
  std::vector<Index> start_, row_start_;
  std::vector<char> used_;
  static constexpr Index kPanel = 8, kAhead = 6;  // columns; values
  // Costs in units of a value met in a sweep: a row, a product met in it, arranging a value.
  static constexpr double kRow = 8.0, kProduct = 2.0, kArrange = 12.0;
  Index arranged_ = 0;  // features that the arrays by rows hold
  double lost_ = 0.0;
  mutable std::mutex mutex_;
  mutable std::vector<Panel> panels_;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

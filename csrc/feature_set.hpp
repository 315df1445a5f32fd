// Features gathered into memory of their own, as weighted unit-norm columns
//   z_ij = sqrt(omega_i) (x_ij - m_j) / d_j,
// so that all work on a working set happens away from X: products, correlations, Gram matrix.
#pragma once

#include <memory>
#include <vector>

#include "design.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class FeatureSet {
 public:
  explicit FeatureSet(const Design& design) : design_(design) {}
  virtual ~FeatureSet() = default;

  Index size() const { return size_; }
  // Gathers the features S of X behind those that are there.
  virtual void add(const std::vector<Index>& S) = 0;
  // The Gram matrix G (leading dimension ld) of features that were asked for, in that order, gets
  // the rows and columns of the features `which` behind them, both triangles.
  virtual void add_gram(const std::vector<Index>& which, double* G, Index ld) = 0;
  // Whether any features may be asked for; otherwise all are, as they were gathered.
  virtual bool in_any_order() const = 0;
  // u -= Z b over the features k listed, u (n,) weighted by sqrt(omega)
  virtual void subtract(const std::vector<Index>& which, const double* b, double* u) const = 0;
  // R (n, k) -= Z B over the features listed, B (size, k)
  virtual void subtract(const std::vector<Index>& which, const double* B, int k, double* R) const {
    for (int l = 0; l < k; ++l) subtract(which, B + size_ * l, R + design_.X.n * l);
  }
  // c_jl = z_j'u_l for the features j from `first` on, c (size, k), u (n, k)
  virtual void correlate(const double* u, int k, double* c, Index first) const = 0;
  void correlate(const double* u, double* c, Index first = 0) const { correlate(u, 1, c, first); }
  // ... in the rows that they have in X of c (p x k)
  void correlate(const std::vector<Index>& of_x, const double* u, int k, Index first,
                 double* c) const {
    if (first >= size_) return;
    Vector own(std::size_t(size_ * k));
    correlate(u, k, own.data(), first);
    for (Index l = 0; l < k; ++l)
      for (Index i = first; i < size_; ++i)
        c[of_x[std::size_t(i)] + design_.X.p * l] = own[std::size_t(i + size_ * l)];
  }
  // ... for the features listed
  virtual void correlate(const double* u, double* c, const std::vector<Index>& which) const = 0;
  // out (n,) = scale z_k
  virtual void copy(Index k, double scale, double* out) const = 0;
  // upper triangle of M (n x n) += sign sum_k z_k z_k' / divisor_k over the features k listed
  virtual void add_outer(const std::vector<Index>& which, double sign, const PerFeature& divisor,
                         double* M) const = 0;
  virtual double bytes() const = 0;
  virtual double stored() const = 0;  // values

 protected:
  const Design& design_;
  Index size_ = 0;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

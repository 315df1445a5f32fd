// The quadratic loss seen through its residual: loss(b) = sum_i omega_i r_i^2 / 2, r = t - Zb, with
// u = omega r kept up to date. z_j = (x_j - m_j) / d_j is a view: X is read where it lies, and
// centring costs one scalar, u = stored + shift omega, so that an update of a sparse feature
// costs O(nnz_j). sum_i u_i = 0 whenever the features are centred.
#pragma once

#include <vector>

#include "penalty.hpp"
#include "statistics.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

// Columns of a C-ordered X, gathered so that each is contiguous; slot_j is its place.
struct Gathered {
  Vector data;
  std::vector<Index> slot;
  Columns<double> columns{};

  double column_bytes(Index) const { return 0.0; }  // a copy: not X's storage
  Index place(Index j) const { return slot[std::size_t(j)]; }
  double dot(Index j, const double* u) const { return columns.dot(place(j), u); }
  void axpy(Index j, double a, const double* omega, double* u) const {
    columns.axpy(place(j), a, omega, u);
  }
};

// The stored values of columns of a sparse X, gathered; slot_j is a column's place.
struct GatheredStored {
  std::vector<Index> slot, begin;  // begin: of each place, and the end of the last
  std::vector<std::int32_t> rows;
  Vector values;

  double column_bytes(Index) const { return 0.0; }
  double dot(Index j, const double* u) const {
    const std::size_t k = std::size_t(slot[std::size_t(j)]);
    return dot_csc(values.data(), rows.data(), begin[k], begin[k + 1], u);
  }
  void axpy(Index j, double a, const double* omega, double* u) const {
    const std::size_t k = std::size_t(slot[std::size_t(j)]);
    for (Index l = begin[k]; l < begin[k + 1]; ++l) {
      const Index i = rows[std::size_t(l)];
      u[i] += a * omega[i] * values[std::size_t(l)];
    }
  }
};

// What a working set is gathered into where X does not serve epochs as it lies.
struct WorkingColumns {
  Gathered dense{};
  GatheredStored stored{};

  double bytes() const {
    return 8.0 * double(dense.data.size() + stored.values.size()) +
           4.0 * double(stored.rows.size());
  }
};

// The columns W of X, each contiguous; returns the bytes of X read for it.
template <class Kind>
double gather_each(const Kind& X, const std::vector<Index>& W, Gathered& out) {
  double bytes = 0.0;
  out.slot.assign(std::size_t(X.p), -1);
  out.data.resize(std::size_t(X.n) * W.size());
  for (std::size_t k = 0; k < W.size(); ++k) {
    out.slot[std::size_t(W[k])] = Index(k);
    X.gather(W[k], &out.data[std::size_t(X.n) * k]);
    bytes += X.column_bytes(W[k]);
  }
  out.columns = {out.data.data(), X.n, Index(W.size()), X.n};
  return bytes;
}

// The same of what a sparse X stores.
template <class Kind>
double gather_stored(const Kind& X, const std::vector<Index>& W, GatheredStored& out) {
  double bytes = 0.0;
  out.slot.assign(std::size_t(X.p), -1);
  out.begin.assign(1, 0);
  out.rows.clear();
  out.values.clear();
  for (std::size_t k = 0; k < W.size(); ++k) {
    out.slot[std::size_t(W[k])] = Index(k);
    X.stored(W[k], out.rows, out.values);
    out.begin.push_back(Index(out.rows.size()));
    bytes += X.column_bytes(W[k]);
  }
  return bytes;
}

// The columns W where X's are not contiguous, else nothing.
template <class Kind>
double gather_columns(const Kind& X, const std::vector<Index>& W, Gathered& out) {
  if constexpr (!Kind::by_rows)
    return 0.0;
  else
    return gather_each(X, W, out);
}

struct ResidualModel;

// The verbs of a kind, its readings of all features, and an epoch of coordinate descent on it.
class AnyMatrix {
 public:
  const Index n, p;

  AnyMatrix(Index rows, Index columns) : n(rows), p(columns) {}
  virtual ~AnyMatrix() = default;
  virtual int together() const = 0;  // vectors that one reading serves
  // how many of them its owner may ask for
  virtual int share() const { return 8; }
  // answers that its owner lets wait for a reading, at least, where most features are in doubt
  virtual Index patience() const { return 4; }
  virtual double size() const = 0;
  virtual double column_bytes(Index j) const = 0;
  virtual double gram_seconds() const = 0;
  virtual double dot(Index j, const double* u) const = 0;
  virtual double square(Index j, const double* omega) const = 0;
  virtual void axpy(Index j, double a, const double* omega, double* u) const = 0;
  virtual void add(Index j, double a, double* z) const = 0;
  virtual void gather(Index j, double* out) const = 0;
  // of a dense kind: the same in some rows
  virtual void gather_rows(Index j, const std::vector<Index>& rows, double* out) const = 0;
  virtual bool sparse() const = 0;
  virtual bool by_rows() const = 0;  // of a dense kind: whether rows are contiguous
  // of a sparse kind: how many values column j stores, at most; appends them and their rows
  virtual Index length(Index j) const = 0;
  virtual void stored(Index j, std::vector<std::int32_t>& rows, Vector& values) const = 0;
  // Readings of all features, for any number of vectors; they return the bytes of X that were read.
  // Where `settled` has a mark for each feature, the products of those marked are not asked for:
  // they may come as 0.
  virtual double xtr(const double* R, int k, double* out, Index ldo, int n_threads,
                     const std::vector<char>& settled) const = 0;
  // The same of some features, in their rows of out.
  virtual double xtr_of(const std::vector<Index>& features, const double* R, int k, double* out,
                        Index ldo, int) const {
    double bytes = 0.0;
    for (Index j : features) {
      for (int v = 0; v < k; ++v) out[j + v * ldo] = dot(j, R + v * n);
      bytes += double(k) * column_bytes(j);
    }
    return bytes;
  }
  // Whether a reading of statistics makes a copy where it is given one to fill.
  virtual bool copies() const { return false; }
  virtual double statistics(const std::vector<Moments>& wanted, int n_threads,
                            ByteColumns* copy = nullptr) const = 0;
  // M (P x P a cell, zero before) += the sums of gram.hpp about `pilot`, which is set; false if
  // `stop` ended it.
  virtual bool sums(const double* root, const double* t, bool centred, const Cells& cells,
                    const Blas& blas, int n_threads, double* M, Vector& pilot,
                    StopSign& stop) const = 0;
  virtual double gather_set(const std::vector<Index>& W, WorkingColumns& out) const = 0;
  virtual double epoch(ResidualModel& model, const ElasticNet& penalty, const std::vector<Index>& W,
                       double* b) const = 0;
  virtual double epoch(ResidualModel& model, const FunctionPenalty& penalty,
                       const std::vector<Index>& W, double* b) const = 0;
};

struct ResidualModel {
  const AnyMatrix& X;
  const double* omega;       // (n,)
  const double* mean;        // (p,) 0 when not centred
  const double* inv;         // (p,) 1 / d
  double mass;               // sum_i omega_i
  const double* lipschitz_;  // (p,) sum_i omega_i z_ij^2, or null: all 1
  Vector u;                  // (n + 1,) stored, and the shift
  double x_bytes = 0.0;
  WorkingColumns gathered{};

  double& shift() { return u.back(); }
  Vector& state() { return u; }
  double lipschitz(Index j) const { return lipschitz_ ? lipschitz_[j] : 1.0; }

  // Makes the features W ready for epochs.
  void prepare(const std::vector<Index>& W) { x_bytes += X.gather_set(W, gathered); }

  // z_j'u, over the storage given
  template <class Storage>
  double gradient_on(const Storage& columns, Index j) {
    x_bytes += columns.column_bytes(j);
    return inv[j] * (columns.dot(j, u.data()) + shift() * mass * mean[j]);
  }
  // r -= delta z_j
  template <class Storage>
  void update_on(const Storage& columns, Index j, double delta) {
    x_bytes += columns.column_bytes(j);
    const double a = -delta * inv[j];
    columns.axpy(j, a, omega, u.data());
    shift() -= a * mean[j];
  }
  // work(columns) with W's columns where they lie
  template <class Work>
  decltype(auto) on_columns(const Work& work) {
    if (!gathered.stored.slot.empty()) return work(gathered.stored);
    if (!gathered.dense.data.empty()) return work(gathered.dense);
    return work(X);
  }
  double gradient(Index j) {
    return on_columns([&](const auto& columns) { return gradient_on(columns, j); });
  }
  void update(Index j, double delta) {
    on_columns([&](const auto& columns) { update_on(columns, j, delta); });
  }
  // u with the shift added in
  void settle() {
    const double s = shift();
    for (Index i = 0; i < X.n; ++i) u[std::size_t(i)] += s * omega[i];
    shift() = 0.0;
  }
  double residual_square() const {  // sum_i omega_i r_i^2 = sum_i u_i^2 / omega_i
    const double s = u.back();
    double sum = 0.0;
    for (Index i = 0; i < X.n; ++i) {
      const double w = omega[i], v = u[std::size_t(i)] + s * w;
      if (w > 0.0) sum += v * v / w;
    }
    return sum;
  }
  double residual_target(const double* t) const {  // u't
    const double s = u.back();
    double sum = 0.0;
    for (Index i = 0; i < X.n; ++i) sum += (u[std::size_t(i)] + s * omega[i]) * t[i];
    return sum;
  }
  double loss(const double*) const { return 0.5 * residual_square(); }
};

// The model with its storage known at compile time: what the loop of an epoch runs on.
template <class Storage>
struct OnStorage {
  const Storage& columns;
  ResidualModel& model;

  double lipschitz(Index j) const { return model.lipschitz(j); }
  double gradient(Index j) { return model.gradient_on(columns, j); }
  void update(Index j, double delta) { model.update_on(columns, j, delta); }
};

template <class Penalty>
double epoch(ResidualModel& model, const Penalty& penalty, const std::vector<Index>& W, double* b) {
  return model.X.epoch(model, penalty, W, b);
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

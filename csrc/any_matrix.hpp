// A kind of matrix behind one door, so that the paths are compiled once and only the loops over
// stored values once a kind.
#pragma once

#include <memory>
#include <type_traits>

#include "coordinate_descent.hpp"
#include "gram.hpp"
#include "residual_model.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

template <class Kind>
double gram_flop_seconds(const Kind& X) {  // n p^2 flops by BLAS3 at 3e10 a second
  return double(X.n) * double(X.p) * double(X.p) / 3e10;
}
template <class T, class I>
double gram_flop_seconds(const Csc<T, I>& X) {  // sum of squared row counts, if they were equal
  const double per_row = double(X.nnz) / double(std::max<Index>(X.n, 1));
  return double(X.nnz) * per_row / 5e8;
}

template <class Kind>
class Door final : public AnyMatrix {
 public:
  explicit Door(Kind kind) : AnyMatrix(kind.n, kind.p), kind_(kind) {}

  int together() const override { return Kind::together; }
  double size() const override { return kind_.size(); }
  double column_bytes(Index j) const override { return kind_.column_bytes(j); }
  double gram_seconds() const override { return gram_flop_seconds(kind_); }
  double dot(Index j, const double* u) const override { return kind_.dot(j, u); }
  double square(Index j, const double* omega) const override { return kind_.square(j, omega); }
  void axpy(Index j, double a, const double* omega, double* u) const override {
    kind_.axpy(j, a, omega, u);
  }
  void add(Index j, double a, double* z) const override { kind_.add(j, a, z); }
  void gather(Index j, double* out) const override { kind_.gather(j, out); }
  void gather_rows([[maybe_unused]] Index j, [[maybe_unused]] const std::vector<Index>& rows,
                   [[maybe_unused]] double* out) const override {
    if constexpr (!Kind::sparse)
      for (std::size_t i = 0; i < rows.size(); ++i) out[i] = kind_.at(rows[i], j);
  }
  bool sparse() const override { return Kind::sparse; }
  bool by_rows() const override { return Kind::by_rows; }
  Index length([[maybe_unused]] Index j) const override {
    if constexpr (Kind::sparse) return kind_.offsets.length(j);
    return n;
  }
  void stored([[maybe_unused]] Index j, [[maybe_unused]] std::vector<std::int32_t>& rows,
              [[maybe_unused]] Vector& values) const override {
    if constexpr (Kind::sparse) kind_.stored(j, rows, values);
  }
  double xtr(const double* R, int k, double* out, Index ldo, int n_threads,
             [[maybe_unused]] const std::vector<char>& settled) const override {
    if constexpr (!Kind::by_rows && !Kind::sparse)
      if (!settled.empty()) return xtr_of_others(settled, R, k, out, ldo, n_threads);
    return size() * in_turn(k, [&](int v, int width) {
             kind_.xtr(R + v * n, width, out + v * ldo, ldo, n_threads);
           });
  }
  double xtr_of(const std::vector<Index>& features, const double* R, int k, double* out, Index ldo,
                int n_threads) const override {
    if constexpr (Kind::sparse)
      return AnyMatrix::xtr_of(features, R, k, out, ldo, n_threads);
    else
      return column_bytes(0) * double(features.size()) * in_turn(k, [&](int v, int width) {
               xtr_some(kind_, features, R + v * n, width, out + v * ldo, ldo, n_threads);
             });
  }
  bool copies() const override { return !Kind::sparse && (!Kind::by_rows || n <= kPanelRows); }
  double statistics(const std::vector<Moments>& wanted, int n_threads,
                    ByteColumns* copy) const override {
    for (const Moments& m : wanted) m.out->pilot_rows = choose_pilot_rows(m.omega, n);
    REGSOLVE_TARGET::statistics(kind_, wanted, n_threads, copy);
    return size();
  }
  bool sums(const double* root, const double* t, bool centred, const Cells& cells, const Blas& blas,
            int n_threads, double* M, Vector& pilot, StopSign& stop) const override {
    pilot = gram_pilots(kind_, centred, choose_pilot_rows(root, n));
    cross_products(kind_, root, t, pilot.data(), cells, blas, n_threads, M, stop);
    return !stop.up();
  }
  double gather_set(const std::vector<Index>& W, WorkingColumns& out) const override {
    return gather_columns(kind_, W, out.dense);
  }
  double epoch(ResidualModel& model, const ElasticNet& penalty, const std::vector<Index>& W,
               double* b) const override {
    return cycle(model, penalty, W, b);
  }
  double epoch(ResidualModel& model, const FunctionPenalty& penalty, const std::vector<Index>& W,
               double* b) const override {
    return cycle(model, penalty, W, b);
  }

 private:
  double xtr_of_others(const std::vector<char>& settled, const double* R, int k, double* out,
                       Index ldo, int n_threads) const {
    std::vector<Index> features;
    for (Index j = 0; j < p; ++j) {
      if (!settled[std::size_t(j)])
        features.push_back(j);
      else
        for (int v = 0; v < k; ++v) out[j + v * ldo] = 0.0;
    }
    return xtr_of(features, R, k, out, ldo, n_threads);
  }

  // read(v, width) for k vectors, as many at a time as a reading serves; how many readings.
  template <class Read>
  static double in_turn(int k, const Read& read) {
    for (int v = 0; v < k; v += Kind::together) read(v, std::min(Kind::together, k - v));
    return double((k + Kind::together - 1) / Kind::together);
  }

  template <class Penalty>
  double cycle(ResidualModel& model, const Penalty& penalty, const std::vector<Index>& W,
               double* b) const {
    if constexpr (Kind::by_rows) {
      OnStorage<Gathered> columns{model.gathered.dense, model};
      return REGSOLVE_TARGET::epoch(columns, penalty, W, b);
    } else {
      OnStorage<Kind> columns{kind_, model};
      return REGSOLVE_TARGET::epoch(columns, penalty, W, b);
    }
  }

  Kind kind_;
};

// Operations of a reading for k vectors, in those of one for a single vector, about a value each.
inline double reading_work(const AnyMatrix& X, int k) {
  return X.size() / 8.0 * (0.75 + 0.25 * double(k));
}

inline std::unique_ptr<AnyMatrix> open(const MatrixRef& X) {
  std::unique_ptr<AnyMatrix> out;
  visit(X, [&](const auto& kind) { out.reset(new Door<std::decay_t<decltype(kind)>>(kind)); });
  return out;
}

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

// A problem on the rows of positive weight alone, for those that leave many out, such as the halves
// of stability selection: all that is kept a row is kept for those rows only. X itself is read as
// it lies, with zeros for the rows left out, so that one reading still serves problems on other
// rows.
#pragma once

#include <memory>

#include "design.hpp"

namespace regsolve {
namespace REGSOLVE_TARGET {

class SomeRows final : public AnyMatrix {
 public:
  // rows: ascending, of the X behind `whole`
  SomeRows(std::unique_ptr<AnyMatrix> whole, std::vector<Index> rows)
      : AnyMatrix(Index(rows.size()), whole->p),
        whole_(std::move(whole)),
        rows_(std::move(rows)),
        place_(std::size_t(whole_->n), -1) {
    for (Index i = 0; i < n; ++i) place_[std::size_t(rows_[std::size_t(i)])] = std::int32_t(i);
    constexpr Index line = 16;  // rows whose values come from memory together, at most
    Index lines = 0;
    for (Index i = 0; i < n; ++i)
      lines += i == 0 || rows_[std::size_t(i)] / line != rows_[std::size_t(i - 1)] / line;
    if (!whole_->sparse()) touched_ = std::min(1.0, double(lines * line) / double(whole_->n));
  }

  int together() const override { return whole_->together(); }
  int share() const override { return whole_->share(); }
  Index patience() const override { return whole_->patience(); }
  double size() const override { return whole_->size(); }
  double column_bytes(Index j) const override { return touched_ * whole_->column_bytes(j); }
  double gram_seconds() const override { return whole_->gram_seconds(); }
  bool sparse() const override { return whole_->sparse(); }
  bool by_rows() const override { return whole_->by_rows(); }

  double dot(Index j, const double* u) const override {
    double sum = 0.0;
    visit_column(j, [&](Index i, double x) { sum += x * u[i]; });
    return sum;
  }
  double square(Index j, const double* omega) const override {
    double sum = 0.0;
    visit_column(j, [&](Index i, double x) { sum += omega[i] * x * x; });
    return sum;
  }
  void axpy(Index j, double a, const double* omega, double* u) const override {
    visit_column(j, [&](Index i, double x) { u[i] += a * omega[i] * x; });
  }
  void add(Index j, double a, double* z) const override {
    visit_column(j, [&](Index i, double x) { z[i] += a * x; });
  }
  void gather(Index j, double* out) const override {
    if (!sparse()) {
      whole_->gather_rows(j, rows_, out);
      return;
    }
    std::fill(out, out + n, 0.0);
    visit_column(j, [&](Index i, double x) { out[i] = x; });
  }
  void gather_rows(Index j, const std::vector<Index>& rows, double* out) const override {
    std::vector<Index> of_whole;
    for (Index i : rows) of_whole.push_back(rows_[std::size_t(i)]);
    whole_->gather_rows(j, of_whole, out);
  }
  Index length(Index j) const override { return whole_->length(j); }
  void stored(Index j, std::vector<std::int32_t>& rows, Vector& values) const override {
    const std::size_t begin = rows.size();
    whole_->stored(j, rows, values);
    std::size_t end = begin;
    for (std::size_t k = begin; k < rows.size(); ++k)
      if (const std::int32_t i = place_[std::size_t(rows[k])]; i >= 0) {
        rows[end] = i;
        values[end++] = values[k];
      }
    rows.resize(end);
    values.resize(end);
  }

  double xtr(const double* R, int k, double* out, Index ldo, int n_threads,
             const std::vector<char>& settled) const override {
    Vector all(std::size_t(whole_->n * k), 0.0);
    for (int v = 0; v < k; ++v) spread(R + v * n, all.data() + v * whole_->n);
    return whole_->xtr(all.data(), k, out, ldo, n_threads, settled);
  }
  double statistics(const std::vector<Moments>& wanted, int n_threads,
                    ByteColumns*) const override {
    std::vector<Vector> kept;
    std::vector<Moments> moments;
    for (const Moments& m : wanted) {
      kept.push_back(spread(m.omega));
      kept.push_back(spread(m.omega_t));
      moments.push_back({kept.end()[-2].data(), kept.back().data(), m.centred, m.out});
    }
    return whole_->statistics(moments, n_threads);
  }
  bool sums(const double* root, const double* t, bool centred, const Cells& cells, const Blas& blas,
            int n_threads, double* M, Vector& pilot, StopSign& stop) const override {
    std::vector<std::int32_t> of(cells.of ? std::size_t(whole_->n) : 0, 0);
    for (Index i = 0; cells.of && i < n; ++i) of[std::size_t(rows_[std::size_t(i)])] = cells.of[i];
    const Cells whole_cells{cells.of ? of.data() : nullptr, cells.count};
    return whole_->sums(spread(root).data(), spread(t).data(), centred, whole_cells, blas,
                        n_threads, M, pilot, stop);
  }

  double gather_set(const std::vector<Index>& W, WorkingColumns& out) const override {
    return sparse() ? gather_stored(*this, W, out.stored) : gather_each(*this, W, out.dense);
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
  // visit(i, x_ij) for the rows i that there are, those with x_ij = 0 perhaps not
  template <class Visit>
  void visit_column(Index j, const Visit& visit) const {
    if (sparse()) {
      std::vector<std::int32_t> rows;
      Vector values;
      stored(j, rows, values);
      for (std::size_t k = 0; k < rows.size(); ++k) visit(Index(rows[k]), values[k]);
      return;
    }
    Vector column(static_cast<std::size_t>(n));
    whole_->gather_rows(j, rows_, column.data());
    for (Index i = 0; i < n; ++i) visit(i, column[std::size_t(i)]);
  }

  void spread(const double* v, double* out) const {
    for (Index i = 0; i < n; ++i) out[rows_[std::size_t(i)]] = v[i];
  }
  Vector spread(const double* v) const {
    Vector out(std::size_t(whole_->n), 0.0);
    spread(v, out.data());
    return out;
  }

  template <class Penalty>
  double cycle(ResidualModel& model, const Penalty& penalty, const std::vector<Index>& W,
               double* b) const {
    if (sparse()) {
      OnStorage<GatheredStored> columns{model.gathered.stored, model};
      return REGSOLVE_TARGET::epoch(columns, penalty, W, b);
    }
    OnStorage<Gathered> columns{model.gathered.dense, model};
    return REGSOLVE_TARGET::epoch(columns, penalty, W, b);
  }

  std::unique_ptr<AnyMatrix> whole_;
  std::vector<Index> rows_;
  std::vector<std::int32_t> place_;  // of each row of the whole, -1: left out
  double touched_ = 1.0;             // share of a column's bytes that its rows here are read with
};

// A problem and its rows of positive weight, with y, offset and weights for those alone where more
// than a tenth of the rows are left out, on sparse X a quarter, whose values do without copies;
// else the problem as it is, and no rows.
struct Restricted {
  Problem problem;
  std::vector<Index> rows;

  explicit Restricted(const Problem& given) : problem(given) {
    const Index n = given.X.n;
    for (Index i = 0; given.sample_weight && i < n; ++i)
      if (given.sample_weight[i] > 0.0) rows.push_back(i);
    const double most = given.X.storage == Storage::csc ? 0.75 : 0.9;
    if (double(rows.size()) > most * double(n)) rows.clear();
    if (rows.empty()) return;
    problem.X.n = Index(rows.size());
    problem.y = restricted(given.y, y_);
    problem.offset = restricted(given.offset, offset_);
    problem.sample_weight = restricted(given.sample_weight, weight_);
  }
  Restricted(const Restricted&) = delete;
  Restricted& operator=(const Restricted&) = delete;

  // X as this problem sees it
  std::unique_ptr<AnyMatrix> view(std::unique_ptr<AnyMatrix> X) const {
    if (rows.empty()) return X;
    return std::make_unique<SomeRows>(std::move(X), rows);
  }

 private:
  const double* restricted(const double* v, Vector& out) const {
    if (!v) return nullptr;
    for (Index i : rows) out.push_back(v[i]);
    return out.data();
  }
  Vector y_, offset_, weight_;
};

}  // namespace REGSOLVE_TARGET
}  // namespace regsolve

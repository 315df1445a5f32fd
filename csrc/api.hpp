// All that the binding sees: a Problem, Options, a Solution and the calls on them. No Python, no
// templates; the memory that a Problem points to is borrowed and read only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "blas.hpp"

namespace regsolve {

using Index = std::ptrdiff_t;

enum class Storage { columns, rows, csc };  // dense F-order, dense C-order, compressed columns
enum class Scalar { f64, f32 };

struct MatrixRef {
  Storage storage = Storage::columns;
  Scalar scalar = Scalar::f64;
  bool long_indices = false;      // int64 rather than int32 (csc)
  Index n = 0, p = 0, ld = 0;     // ld: elements between columns (columns) or rows (rows)
  const void* data = nullptr;     // dense values, or the stored values of csc
  const void* indices = nullptr;  // (nnz,) row of each stored value, ascending in a column
  const void* indptr = nullptr;   // (p + 1,)
  // Where csc columns are stored that X does without: those of X, ascending, their values, and how
  // many columns there are in all
  const std::int32_t* columns = nullptr;  // (p,), or null: all
  Index nnz = 0, n_stored = 0;
};

// A loss as functions of (y_i, z_i); null conjugate: none is known.
struct Loss {
  bool quadratic = true;  // (y - z)^2 / 2, for which no function is called
  double (*value)(double y, double z) = nullptr;
  double (*gradient)(double y, double z) = nullptr;
  double (*curvature)(double y, double z) = nullptr;
  double (*conjugate)(double y, double v) = nullptr;
};

// A user's penalty as functions of one coefficient; optional ones may be null.
struct CustomPenalty {
  double (*value)(double w, double alpha, double weight) = nullptr;
  double (*prox)(double z, double step, double alpha, double weight) = nullptr;
  double (*subdiff_distance)(double w, double grad, double alpha, double weight) = nullptr;
  double (*conjugate)(double c, double alpha, double weight) = nullptr;
  double (*zero_threshold)(double alpha, double weight) = nullptr;
};

struct Problem {
  MatrixRef X;
  const double* y = nullptr;              // (n,)
  const double* offset = nullptr;         // (n,) or null
  const double* sample_weight = nullptr;  // (n,) or null, >= 0
  const double* factor = nullptr;         // (p,) or null; 0: unpenalised, inf: out
  const double* lower = nullptr;          // (p,) or null, <= 0
  const double* upper = nullptr;          // (p,) or null, >= 0
  double l1_ratio = 1.0;
  bool custom = false;  // penalty is given by functions
  CustomPenalty penalty;
  Loss loss;
  bool fit_intercept = true;
  bool standardize = false;
  bool convex = true;
};

enum class Status { optimal, stationary, stalled, max_iter, time_limit, interrupted };
// Whose Gram matrix: of features of unit norm; of standardised ones, or of features centred only,
// with the row weights as they are.
enum class GramOf { unit_norm, standardised, centred };
enum class Solver { automatic, cd, gram, working_set };

struct Step {  // what a callback is told
  Index step, n_steps;
  double alpha, gap;
  Index support;
  double n_passes, seconds;
};

struct Options {
  const double* alphas = nullptr;  // (n_alphas,) descending, or null: a geometric grid
  Index n_alphas = 0;
  double alpha_min_ratio = 1e-3;
  double tol = 1e-6;            // on gap / P0
  Index max_iter = 0;           // outer iterations an alpha, 0: no limit
  double max_time = 0.0;        // seconds, 0: no limit
  double max_bytes = 0.0;       // memory the solver may hold, 0: no limit
  double copy_bytes = 0.0;      // of it a copy of X by one byte a number, 0: none
  double promised_bytes = 0.0;  // beside what a working set needs
  int n_threads = 1;
  Solver solver = Solver::automatic;
  Index dfmax = -1;                   // stop the path beyond this many non-zeros, -1: never
  double stop_at_deviance = 2.0;      // stop the path at this deviance ratio, > 1: never
  const double* coef_init = nullptr;  // (p,) or null
  // Called often; a non-zero answer stops the solve. step is null between alphas.
  int (*poll)(void* context, const Step* step) = nullptr;
  void* context = nullptr;

  // Bytes promised for a path by working sets of `side` features of X (n x p): their Gram matrix,
  // 30 directions, ten numbers a row and feature.
  double promise(double n, double p, double side) const {
    return promised_bytes + 8.0 * (side * side + 30.0 * (n + 0.5 * p) + 10.0 * (n + p));
  }
};

struct Point {  // the certified answer at one alpha
  double alpha = 0.0, intercept = 0.0;
  double primal = 0.0, dual = 0.0, gap = 0.0, relative_gap = 0.0, kkt = 0.0;
  double deviance_ratio = 0.0;
  double held_out = std::numeric_limits<double>::quiet_NaN();  // mean squared error on the rows of
                                                               // its cell, where it is known
  Status status = Status::optimal;
  std::vector<Index> support;  // features with a non-zero coefficient, ascending
  std::vector<double> coef;    // their coefficients
};

struct Report {
  std::string mode, why;
  double x_bytes = 0.0;  // bytes of X's storage read
  double x_size = 0.0;   // bytes of X's storage
  double peak_bytes = 0.0;
  Index n_rhs = 0, working_set = 0, n_solves = 0, n_epochs = 0;
};

enum class Failure { none, not_finite };

struct Solution {
  std::vector<Point> points;
  double alpha_max = 0.0;
  double alpha_floor = 0.0;  // what a grid has where alpha_max is 0 or infinite
  double null_objective = 0.0;
  Report report;
  Failure failure = Failure::none;
  bool stopped = false;  // the budget or the callback ended it, as `stop` says
  Status stop = Status::optimal;
  Index bad_column = -1;  // first column of X with NaN or infinity
};

struct Judgement {  // certificate.hpp's verdict on given coefficients
  double primal, dual, gap, relative_gap, kkt;
};

// One table a CPU target; select.cpp chooses among them once.
struct Target {
  const char* name;
  void (*path)(const Problem&, const Options&, const Blas&, Solution&);
  // Problems on one X with options of their own each. Without cells they differ in their targets;
  // with cell (n,) in 0 .. n_cells - 1 they come in rounds of n_cells + 1: all rows, then all but
  // those of each cell, which have no weight. A round of per_round > 0 shares the grid of its first
  // problem where no alphas are given.
  void (*paths)(const std::vector<Problem>&, const std::vector<Options>&, const std::int32_t* cell,
                Index n_cells, Index per_round, const Blas&, std::vector<Solution>&);
  Judgement (*judge)(const Problem&, double alpha, const double* coef, double intercept,
                     const Blas&, int n_threads);
  // out (p x k, column-major) = X' R,  R (n x k, column-major)
  void (*xtr)(const MatrixRef&, const double* R, int k, double* out, int n_threads);
  // out (n x k, column-major) = X Z and total (k,) = 1'Z,  Z = diag(d) (X'V - 1 c'),  V (n x k,
  // column-major); Z (p x k, column-major) too unless it is null
  void (*kernel)(const MatrixRef&, const double* d, const double* c, const double* V, int k,
                 double* out, double* total, double* Z, int n_threads);
  // the sum of n numbers, at the speed of memory: what a reading of X costs at least
  double (*stream)(const double* x, Index n, int n_threads);
  double (*dot)(const MatrixRef&, Index j, const double* u);
  void (*axpy)(const MatrixRef&, Index j, double a, const double* weight, double* u);
  // Gram matrix (p x p, leading dimension p + 2, column-major, both triangles) and its statistics
  void (*gram)(const MatrixRef&, const double* weight, bool centred, GramOf, const Blas&,
               int n_threads, double* G, double* mean, double* norm);
  void (*statistics)(const MatrixRef&, const double* weight, bool centred, int n_threads,
                     double* mean, double* norm);
};

const Target* find_target(const char* name);  // null: unknown or not on this CPU
const Target* best_target();
std::vector<const char*> target_names();

}  // namespace regsolve

# distutils: language = c++
"""Thin binding of csrc/api.hpp: buffers in, one call without the GIL, arrays out."""

import os

import numpy as np

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, uintptr_t
from libcpp cimport bool as cbool
from libcpp.string cimport string
from libcpp.vector cimport vector
from scipy.linalg cimport cython_blas, cython_lapack


cdef extern from "api.hpp" namespace "regsolve" nogil:
    ctypedef Py_ssize_t Index

    cdef cppclass Blas:
        void* dgemm
        void* dgemv
        void* dsyrk
        void* dtrsm
        void* dtrsv
        void* dpotrf
        void* dgetrf
        void* dgetrs
        void* dgeqp3
        void* dgeqrf
        void* dorgqr

    int potrf(const Blas&, int n, double* A, int lda)

    cdef enum class Storage:
        columns
        rows
        csc

    cdef enum class Scalar:
        f64
        f32

    cdef cppclass MatrixRef:
        Storage storage
        Scalar scalar
        cbool long_indices
        Index n, p, ld
        const void* data
        const void* indices
        const void* indptr

    cdef cppclass Loss:
        cbool quadratic

    cdef cppclass CustomPenalty:
        pass

    cdef cppclass Problem:
        MatrixRef X
        const double* y
        const double* offset
        const double* sample_weight
        const double* factor
        const double* lower
        const double* upper
        double l1_ratio
        cbool custom
        CustomPenalty penalty
        Loss loss
        cbool fit_intercept
        cbool standardize
        cbool convex

    cdef enum class Status:
        pass

    cdef enum class GramOf:
        unit_norm
        standardised
        centred

    cdef enum class Solver:
        automatic
        cd
        gram
        working_set

    cdef cppclass Step:
        Index step, n_steps
        double alpha, gap
        Index support
        double n_passes, seconds

    cdef cppclass Options:
        const double* alphas
        Index n_alphas
        double alpha_min_ratio
        double tol
        Index max_iter
        double max_time
        double max_bytes
        double copy_bytes
        double promised_bytes
        int n_threads
        Solver solver
        Index dfmax
        double stop_at_deviance
        const double* coef_init
        int (*poll)(void*, const Step*) noexcept
        void* context

    cdef cppclass Point:
        double alpha, intercept, primal, dual, gap, relative_gap, kkt, deviance_ratio, held_out
        Status status
        vector[Index] support
        vector[double] coef

    cdef cppclass Report:
        string mode, why
        double x_bytes, x_size, peak_bytes
        Index n_rhs, working_set, n_solves, n_epochs

    cdef cppclass Solution:
        vector[Point] points
        double alpha_max, alpha_floor, null_objective
        Report report
        Index bad_column
        cbool stopped
        Status stop

    cdef cppclass Judgement:
        double primal, dual, gap, relative_gap, kkt

    cdef cppclass Target:
        const char* name
        void (*path)(const Problem&, const Options&, const Blas&, Solution&) except +
        void (*paths)(const vector[Problem]&, const vector[Options]&, const int32_t*, Index, Index,
                      const Blas&, vector[Solution]&) except +
        Judgement (*judge)(const Problem&, double, const double*, double, const Blas&,
                           int) except +
        void (*xtr)(const MatrixRef&, const double*, int, double*, int) except +
        void (*kernel)(const MatrixRef&, const double*, const double*, const double*, int, double*,
                       double*, double*, int) except +
        double (*stream)(const double*, Index, int) except +
        double (*dot)(const MatrixRef&, Index, const double*) except +
        void (*axpy)(const MatrixRef&, Index, double, const double*, double*) except +
        void (*gram)(const MatrixRef&, const double*, cbool, GramOf, const Blas&, int, double*,
                     double*,
                     double*) except +
        void (*statistics)(const MatrixRef&, const double*, cbool, int, double*,
                           double*) except +

    const Target* find_target(const char*)
    const Target* best_target()
    vector[const char*] target_names()


STATUSES = ("optimal", "stationary", "stalled", "max_iter", "time_limit", "interrupted")

cdef Blas blas
cdef const Target* target


cdef inline void set_pointer(void* field, uintptr_t address) noexcept:
    (<uintptr_t*> field)[0] = address


cdef void fill_blas() noexcept:
    set_pointer(&blas.dgemm, <uintptr_t> cython_blas.dgemm)
    set_pointer(&blas.dgemv, <uintptr_t> cython_blas.dgemv)
    set_pointer(&blas.dsyrk, <uintptr_t> cython_blas.dsyrk)
    set_pointer(&blas.dtrsm, <uintptr_t> cython_blas.dtrsm)
    set_pointer(&blas.dtrsv, <uintptr_t> cython_blas.dtrsv)
    set_pointer(&blas.dpotrf, <uintptr_t> cython_lapack.dpotrf)
    set_pointer(&blas.dgetrf, <uintptr_t> cython_lapack.dgetrf)
    set_pointer(&blas.dgetrs, <uintptr_t> cython_lapack.dgetrs)
    set_pointer(&blas.dgeqp3, <uintptr_t> cython_lapack.dgeqp3)
    set_pointer(&blas.dgeqrf, <uintptr_t> cython_lapack.dgeqrf)
    set_pointer(&blas.dorgqr, <uintptr_t> cython_lapack.dorgqr)


def cholesky(M):
    """R with R'R = M, over the upper triangle of M (k, k) by columns; whether M is definite."""
    if not M.flags.f_contiguous:
        raise ValueError("M is not laid out by columns")
    cdef double* values = <double*> doubles(M)
    cdef int k = M.shape[0], info
    with nogil:
        info = potrf(blas, k, values, k)
    return info == 0


def targets():
    """CPU targets that this machine can run, best first."""
    return [name.decode() for name in target_names()]


def use_target(name=None):
    """Choose the CPU target by name, or the best one; returns the name in use."""
    global target
    cdef const Target* found = best_target() if name is None else find_target(name.encode())
    if found == NULL:
        raise ValueError(f"REGSOLVE_TARGET={name!r}: this CPU and build offer {targets()}")
    target = found
    return target.name.decode()


fill_blas()
use_target(os.environ.get("REGSOLVE_TARGET") or None)


cdef const void* address(object array) except? NULL:
    return <const void*> <uintptr_t> array.__array_interface__["data"][0]


cdef const double* doubles(object array) except? NULL:
    if array is None:
        return NULL
    if not (array.flags.c_contiguous or array.flags.f_contiguous) or array.dtype != np.float64:
        raise ValueError("expected a contiguous float64 array")
    return <const double*> address(array)


@cython.final
@cython.auto_pickle(False)
cdef class Matrix:
    """A design matrix where it lies: the arrays are kept alive and never written.

    ``Matrix(array)`` takes a 2-D float64 or float32 array with contiguous columns or rows;
    ``Matrix(data, indices, indptr, shape)`` compressed columns with ascending, unique rows.
    """

    cdef MatrixRef ref
    cdef readonly tuple shape
    cdef readonly object arrays
    cdef readonly str kind

    def __init__(self, data, indices=None, indptr=None, shape=None):
        self.arrays = (data, indices, indptr)
        self.ref.scalar = Scalar.f32 if data.dtype == np.float32 else Scalar.f64
        if data.dtype not in (np.float32, np.float64):
            raise TypeError(f"storage must be float64 or float32, not {data.dtype}")
        if indices is None:
            self._dense(data)
        else:
            self._compressed(data, indices, indptr, shape)

    def _dense(self, data):
        n, p = data.shape
        row, column = data.strides[0] // data.itemsize, data.strides[1] // data.itemsize
        self.shape = (n, p)
        self.ref.n, self.ref.p = n, p
        self.ref.data = address(data)
        if row == 1 or n == 1 and not data.flags.c_contiguous or data.flags.f_contiguous:
            self.ref.storage = Storage.columns
            self.ref.ld = max(n, column) if p > 1 else max(n, 1)
            self.kind = "columns"
        elif column == 1 or data.flags.c_contiguous:
            self.ref.storage = Storage.rows
            self.ref.ld = max(p, row) if n > 1 else max(p, 1)
            self.kind = "rows"
        else:
            raise TypeError("neither the rows nor the columns of X are contiguous")

    def _compressed(self, data, indices, indptr, shape):
        if indices.dtype != indptr.dtype or indices.dtype not in (np.int32, np.int64):
            raise TypeError("indices and indptr must both be int32 or both int64")
        self.shape = tuple(shape)
        self.ref.n, self.ref.p = shape
        self.ref.storage = Storage.csc
        self.ref.long_indices = indices.dtype == np.int64
        self.ref.data = address(data)
        self.ref.indices = address(indices)
        self.ref.indptr = address(indptr)
        self.kind = "csc"

    def xtr(self, R, int n_threads=1):
        """X' R for R (n, k): array (p, k)."""
        R = np.asfortranarray(R, dtype=np.float64)
        out = np.empty((self.ref.p, R.shape[1]), order="F")
        cdef const double* r = doubles(R)
        cdef double* result = <double*> doubles(out)
        cdef int k = R.shape[1]
        with nogil:
            target.xtr(self.ref, r, k, result, n_threads)
        return out

    def kernel(self, d, V, int n_threads=1, offset=None, double[::1, :] Z=None):
        """X Z for V (n, k) and Z = diag(d) (X'V - 1 offset'): array (n, k); and 1'Z (k,).

        One reading for eight vectors. Z (p, k), where given, is written.
        """
        d = np.ascontiguousarray(d, dtype=np.float64)
        V = np.asfortranarray(V, dtype=np.float64)
        offset = np.zeros(V.shape[1]) if offset is None else np.ascontiguousarray(offset)
        out, total = np.empty((self.ref.n, V.shape[1]), order="F"), np.empty(V.shape[1])
        cdef const double* scale = doubles(d)
        cdef const double* c = doubles(offset)
        cdef const double* given = doubles(V)
        cdef double* result = <double*> doubles(out)
        cdef double* sums = <double*> doubles(total)
        cdef Index n = self.ref.n, p = self.ref.p
        cdef int v, k = V.shape[1]
        cdef double* between = NULL
        if Z is not None:
            if Z.shape[0] != p or Z.shape[1] != k:
                raise ValueError(f"Z has shape {Z.shape[0], Z.shape[1]}, expected {p, k}")
            if p > 0 and k > 0:
                between = &Z[0, 0]
        with nogil:
            for v in range(0, k, 8):
                target.kernel(self.ref, scale, c + v, given + v * n, min(8, k - v),
                              result + v * n, sums + v, between + v * p if between else NULL,
                              n_threads)
        return out, total

    def dot(self, Index j, u):
        """Sum over i of x_ij u_i."""
        return target.dot(self.ref, j, doubles(np.ascontiguousarray(u, dtype=np.float64)))

    def axpy(self, Index j, double a, weight, u):
        """u += a weight * x_j, in place; weight None: 1."""
        target.axpy(self.ref, j, a, doubles(weight), <double*> doubles(u))

    def gram(self, weight, cbool centred, int n_threads=1, of="unit_norm"):
        """Gram matrix (p, p), means (p,), norms (p,), the last two under weights scaled to sum 1.

        ``of`` "unit_norm" features, "standardised" ones, or those "centred" only: the last two
        with the weights as they are.
        """
        p = self.ref.p
        cdef GramOf whose = GramOf.unit_norm
        if of == "standardised":
            whose = GramOf.standardised
        elif of == "centred":
            whose = GramOf.centred
        elif of != "unit_norm":
            raise ValueError(f"of={of!r}: expected unit_norm, standardised or centred")
        M, mean, norm = np.zeros((p + 2, p + 2), order="F"), np.empty(p), np.empty(p)
        cdef const double* w = doubles(weight)
        cdef double* m = <double*> doubles(M)
        cdef double* means = <double*> doubles(mean)
        cdef double* norms = <double*> doubles(norm)
        with nogil:
            target.gram(self.ref, w, centred, whose, blas, n_threads, m, means, norms)
        return M[:p, :p], mean, norm

    def statistics(self, weight, cbool centred, int n_threads=1):
        """Weighted means (p,) and norms about them (p,), sum(weight) = 1."""
        p = self.ref.p
        mean, norm = np.empty(p), np.empty(p)
        cdef const double* w = doubles(weight)
        cdef double* means = <double*> doubles(mean)
        cdef double* norms = <double*> doubles(norm)
        with nogil:
            target.statistics(self.ref, w, centred, n_threads, means, norms)
        return mean, norm


@cython.final
@cython.auto_pickle(False)
cdef class Poll:
    cdef object callback
    cdef object error


cdef int poll(void* context, const Step* step) noexcept with gil:
    cdef Poll state = <Poll> context
    try:
        PyErr_CheckSignals()
        if step != NULL and state.callback is not None:
            return bool(state.callback(step.step, step.n_steps, step.alpha, step.gap, step.support,
                                       step.n_passes, step.seconds))
    except BaseException as error:
        state.error = error
        return 1
    return 0


cdef void set_functions(void* table, tuple addresses) noexcept:
    cdef int k
    for k in range(len(addresses)):
        (<uintptr_t*> table)[k] = <uintptr_t> (addresses[k] or 0)


@cython.final
@cython.auto_pickle(False)
cdef class Setup:
    """A Problem and the arrays that it points to.

    ``functions`` are addresses of double functions: the penalty's value, prox, subdiff_distance,
    conjugate, zero_threshold; ``loss`` the loss's value, gradient, curvature, conjugate. None or
    0: absent.
    """

    cdef Problem problem
    cdef object kept

    def __init__(self, Matrix X, y, *, offset=None, sample_weight=None, factor=None, lower=None,
                 upper=None, double l1_ratio=1.0, tuple functions=None, tuple loss=None,
                 cbool fit_intercept=True, cbool standardize=False, cbool convex=True):
        self.kept = (X, y, offset, sample_weight, factor, lower, upper)
        self.problem.X = X.ref
        self.problem.y = doubles(y)
        self.problem.offset = doubles(offset)
        self.problem.sample_weight = doubles(sample_weight)
        self.problem.factor = doubles(factor)
        self.problem.lower = doubles(lower)
        self.problem.upper = doubles(upper)
        self.problem.l1_ratio = l1_ratio
        self.problem.fit_intercept = fit_intercept
        self.problem.standardize = standardize
        self.problem.convex = convex
        if functions is not None:
            self.problem.custom = True
            set_functions(&self.problem.penalty, functions)
        if loss is not None:
            self.problem.loss.quadratic = False
            set_functions(<char*> &self.problem.loss + sizeof(void*), loss)


cdef Options make_options(object alphas, dict given) except *:
    """Options for ``alphas`` (an array, or None for a grid) and the fields that are given."""
    cdef Options options
    options.alphas = doubles(alphas)
    options.n_alphas = given.get("n_alphas", 100) if alphas is None else len(alphas)
    options.alpha_min_ratio = given.get("alpha_min_ratio", 1e-3)
    options.tol = given.get("tol", 1e-6)
    options.max_iter = given.get("max_iter", 0)
    options.max_time = given.get("max_time", 0.0)
    options.max_bytes = given.get("max_bytes", 0.0)
    options.copy_bytes = given.get("copy_bytes", 0.0)
    options.promised_bytes = given.get("promised_bytes", 0.0)
    options.n_threads = given.get("n_threads", 1)
    options.dfmax = given.get("dfmax", -1)
    options.stop_at_deviance = given.get("stop_at_deviance", 2.0)
    solver = given.get("solver", "auto")
    if solver == "cd":
        options.solver = Solver.cd
    elif solver == "gram":
        options.solver = Solver.gram
    elif solver == "working_set":
        options.solver = Solver.working_set
    return options


def path(Setup setup, *, alphas=None, coef_init=None, callback=None, **given):
    """Solve at every alpha; returns (result dict, error raised inside the callback or None).

    ``given``: n_alphas, alpha_min_ratio, tol, max_iter, max_time, max_bytes, copy_bytes,
    promised_bytes, n_threads, solver, dfmax, stop_at_deviance.
    """
    results, error = paths([setup], alphas=alphas, coef_inits=[coef_init], callback=callback,
                           **given)
    return results[0], error


def paths(list setups, *, alphas=None, list coef_inits=None, cells=None, Index n_cells=0,
          Index per_round=0, callback=None, **given):
    """The same for problems on one X, sharing what is read of it.

    They differ in their targets; or, with ``cells`` (n,) int32, come in rounds of n_cells + 1: all
    rows, then all but those of each cell, whose sample weights are 0. ``alphas`` is an array for
    all, a list with one for each, or None: a grid of its own for each, or for each round of
    ``per_round`` problems that of its first.
    """
    cdef vector[Problem] problems
    cdef vector[Options] options
    cdef vector[Solution] solutions
    cdef Poll state = Poll()
    cdef Options one
    cdef Index k
    cdef const int32_t* cell = NULL
    if cells is not None:
        cell = <const int32_t*> address(cells)
    state.callback = callback
    for k, setup in enumerate(setups):
        problems.push_back((<Setup> setup).problem)
        one = make_options(alphas[k] if isinstance(alphas, list) else alphas, given)
        one.coef_init = doubles(None if coef_inits is None else coef_inits[k])
        one.poll = poll
        one.context = <void*> state
        options.push_back(one)
    solutions.resize(problems.size())
    with nogil:
        if problems.size() == 1:
            target.path(problems[0], options[0], blas, solutions[0])
        else:
            target.paths(problems, options, cell, n_cells, per_round, blas, solutions)
    p = problems[0].X.p
    return [unpack(solutions[k], p) for k in range(<Index> solutions.size())], state.error


cdef object unpack(const Solution& solution, Index p):
    cdef Index k, i, m = solution.points.size(), nnz = 0
    for k in range(m):
        nnz += solution.points[k].support.size()
    table = np.empty((9, m))
    statuses = []
    data, indices, indptr = np.empty(nnz), np.empty(nnz, dtype=np.int64), np.zeros(m + 1, np.int64)
    cdef double[:, ::1] row = table
    cdef double[::1] value = data
    cdef long long[::1] index = indices
    cdef long long[::1] start = indptr
    cdef const Point* point
    nnz = 0
    for k in range(m):
        point = &solution.points[k]
        row[0, k] = point.alpha
        row[1, k] = point.intercept
        row[2, k] = point.primal
        row[3, k] = point.dual
        row[4, k] = point.gap
        row[5, k] = point.relative_gap
        row[6, k] = point.kkt
        row[7, k] = point.deviance_ratio
        row[8, k] = point.held_out
        statuses.append(STATUSES[<int> point.status])
        for i in range(<Index> point.support.size()):
            value[nnz] = point.coef[i]
            index[nnz] = point.support[i]
            nnz += 1
        start[k + 1] = nnz
    names = ("alphas", "intercepts", "primal", "dual", "gap", "relative_gap", "kkt",
             "deviance_ratio", "held_out")
    result = {name: table[k] for k, name in enumerate(names)}
    result["coefs"] = (data, indices, indptr)
    result["shape"] = (p, m)
    result["statuses"] = statuses
    result["alpha_max"] = solution.alpha_max
    result["alpha_floor"] = solution.alpha_floor
    result["null_objective"] = solution.null_objective
    result["stopped"] = STATUSES[<int> solution.stop] if solution.stopped else None
    result["bad_column"] = solution.bad_column
    report = solution.report
    result["report"] = {
        "mode": report.mode.decode(),
        "why": report.why.decode(),
        "x_bytes": report.x_bytes,
        "x_size": report.x_size,
        "peak_bytes": report.peak_bytes,
        "n_rhs": report.n_rhs,
        "working_set_size": report.working_set,
        "n_solves": report.n_solves,
        "n_epochs": report.n_epochs,
    }
    return result


def stream(x, int n_threads=1):
    """Sum of a contiguous float64 array at the speed of memory (multiples of 64 entries)."""
    cdef const double* values = doubles(x)
    cdef Index n = x.size
    cdef double total
    with nogil:
        total = target.stream(values, n, n_threads)
    return total


def judge(Setup setup, double alpha, coef, double intercept, int n_threads=1):
    """Primal, dual, gap, relative gap and KKT violation of given coefficients (p,)."""
    cdef const double* w = doubles(coef)
    cdef Judgement v
    with nogil:
        v = target.judge(setup.problem, alpha, w, intercept, blas, n_threads)
    return v.primal, v.dual, v.gap, v.relative_gap, v.kkt

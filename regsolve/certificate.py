"""The judge: objective, duality gap and optimality conditions of any coefficients.

NumPy and SciPy alone, in float64, apart from every solver. With omega_i = s_i / sum s,
z_i = x_i'w + b + offset_i and a loss f that is convex in z, the problem is

    minimise  P(w, b) = sum_i omega_i f(y_i, z_i) + sum_j g_j(w_j)

and its dual, over u in R^n with sum_i u_i = 0 where b is fitted,

    maximise  D(u) = - sum_i [omega_i f*(y_i, -u_i / omega_i) + u_i offset_i] - sum_j g_j*(x_j'u).

D(u) <= P(w, b) for every u and (w, b), so P - D bounds how far P is above its minimum, convex or
not. At the optimum of a convex problem u_i = -omega_i f'(y_i, z_i) closes the gap; elsewhere it is
made feasible in four steps: centre it (intercept), project it off the unpenalised columns, move it
towards the null model's u until f* is finite, scale it until every g_j* is finite.

The null model has w_j = 0 wherever the factor f_j > 0; b and the columns with f_j = 0 are at their
optimum. Its objective P0 is what gaps are relative to.

References
----------
Rockafellar (1970), Convex Analysis, section 31 (Fenchel duality).
Massias, Gramfort and Salmon (2018), Celer: a fast solver for the lasso with dual extrapolation
(duality gaps as stopping rule and proof).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, qr, solve_triangular
from scipy.optimize import lsq_linear

from .losses import Loss, Quadratic
from .penalties import Custom, Penalty
from .solution import Certificate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]

EPS = float(np.finfo(np.float64).eps)
BLOCK_ENTRIES = 1 << 22  # entries of X widened to float64 at a time
PROJECTION_BYTES = 2e9  # most memory that a projection's columns may take
PROJECTION_FEATURES = 8000  # at alpha = 0 nothing is projected beyond this many features
# Rounding: a column with s_j <= CONSTANT |m_j| is constant; a null objective below NULL of the
# objective at w = 0, b = 0 is zero, as is a gradient below its root; and an answer is the null
# model of such a problem when its own objective is below RETURNED of that, its gradient below
# the root of RETURNED.
CONSTANT = 8.0 * EPS
NULL = 1e-28
RETURNED = 1e-20


_QUADRATIC = Quadratic()


def verify(
    X: Any,
    y: ArrayLike,
    coef: ArrayLike,
    intercept: float = 0.0,
    *,
    penalty: Penalty,
    loss: Loss = _QUADRATIC,
    sample_weight: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
) -> Certificate:
    """Certify coefficients: objective, dual bound, gap and KKT violation, recomputed from X and y.

    Parameters
    ----------
    X : (n, p) array or SciPy sparse matrix of any format and dtype
        Read in blocks and never written; float32 is widened, arithmetic is float64.
    y : (n,) array
        Target.
    coef : (p,) array
        Coefficients w in X's units.
    intercept : float
        b; 0 without ``fit_intercept``.
    penalty : L1, L2, ElasticNet or Custom
    loss : Quadratic or Custom
    sample_weight : (n,) array, optional
        s_i >= 0, ones by default; only their ratios count.
    offset : (n,) array, optional
        Added to the linear predictor.
    fit_intercept : bool
        Whether b is minimised over.
    standardize : bool
        The penalty acts on s_j w_j, s_j^2 = sum_i omega_i (x_ij - m_j)^2, m_j the weighted mean
        with ``fit_intercept``, else 0. A column with s_j <= 8 eps abs(m_j) is constant: it is out.

    Returns
    -------
    Certificate

    Raises
    ------
    ValueError
        NaN or infinity, shapes that disagree, no rows, weights that are negative or all zero.
    TypeError
        Arrays that are not of real numbers; a penalty or loss of another type.

    Notes
    -----
    A Custom loss or penalty without a conjugate has NaN for dual, gap and relative_gap:
    kkt_violation is then the judgement.
    """
    problem = _problem(X, y, loss, penalty, sample_weight, offset, fit_intercept, standardize)
    w = _vector("coef", coef, problem.X.shape[1], "column")
    if not math.isfinite(intercept):
        raise ValueError(f"intercept={intercept}: expected a finite number")
    if intercept != 0.0 and not fit_intercept:
        raise ValueError(f"intercept={intercept} without fit_intercept: give a fixed b by offset")
    with np.errstate(all="ignore"):
        null = _null_model(problem)
        z = problem.X.dot(w) + intercept + problem.offset
        primal = problem.mean_loss(z) + problem.penalty.value(w, problem.scale)
        primal = math.inf if math.isnan(primal) else primal
        u = problem.residual(z)
        dual = _dual_objective(problem, w, u, null)
        kkt = _violation(problem, w, z, u, null)
    gap = primal - dual if math.isnan(dual) else max(primal - dual, 0.0)
    relative = _relative(problem, w, primal, gap, null)
    return Certificate(primal, dual, gap, relative, kkt)


certify = verify


class _Dense:
    """Columns of X, widened to float64 a block at a time."""

    def __init__(self, X: Any) -> None:
        self.X = X
        self.shape: tuple[int, int] = X.shape
        self.width = max(1, BLOCK_ENTRIES // max(1, X.shape[0]))

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        """Column ranges with their float64 values."""
        for first in range(0, self.shape[1], self.width):
            columns = slice(first, min(first + self.width, self.shape[1]))
            yield columns, self.widened(columns)

    def widened(self, columns: Any) -> Any:
        """Chosen columns in float64."""
        return np.asarray(self.X[:, columns], dtype=np.float64)

    def gathered(self, columns: Any) -> Vector:
        """Chosen columns as a new dense array."""
        return np.array(self.X[:, columns], dtype=np.float64)

    def dot(self, w: Vector) -> Vector:
        """X w, (n,)."""
        z = np.zeros(self.shape[0])
        for columns, block in self.blocks():
            z += block @ w[columns]
        return z

    def transposed_dot(self, u: Vector, absolute: bool = False) -> Vector:
        """X'u, or |X|'u; (p,)."""
        c = np.zeros(self.shape[1])
        for columns, block in self.blocks():
            c[columns] = (abs(block) if absolute else block).T @ u
        return c

    def centred_sum(self, h: Vector, m: Vector, power: int) -> Vector:
        """sum_i h_i (x_ij - m_j)^power, (p,)."""
        total = np.zeros(self.shape[1])
        for columns, block in self.blocks():
            total[columns] = self.block_sum(block, h, m[columns], power)
        return total

    def block_sum(self, block: Any, h: Vector, m: Vector, power: int) -> Vector:
        """sum_i h_i (x_ij - m_j)^power over a block's columns."""
        return np.asarray(((block - m) ** power).T @ h)


class _Compressed(_Dense):
    """The same for compressed columns: unstored entries are zeros that nobody visits."""

    def __init__(self, X: Any) -> None:
        if hasattr(X, "check_format"):
            try:
                X.check_format(full_check=True)
            except ValueError as error:
                raise ValueError(f"X is not a valid sparse matrix: {error}") from error
        X = X.tocsc()
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        super().__init__(X)
        self.width = max(1, BLOCK_ENTRIES * max(1, X.shape[1]) // max(1, X.nnz))

    def widened(self, columns: Any) -> Any:
        """Chosen columns in float64, compressed."""
        return self.X[:, columns].astype(np.float64)

    def gathered(self, columns: Any) -> Vector:
        """Chosen columns as a new dense array."""
        return np.asarray(self.widened(columns).toarray())

    def block_sum(self, block: Any, h: Vector, m: Vector, power: int) -> Vector:
        """sum_i h_i (x_ij - m_j)^power, unstored entries as (sum of their h) (-m_j)^power."""
        stored, pattern = block.copy(), block.copy()
        stored.data = (block.data - np.repeat(m, np.diff(block.indptr))) ** power
        pattern.data = np.ones_like(block.data)
        rest = h.sum() - pattern.T @ h
        rest[pattern.T @ (h > 0).astype(np.float64) == np.count_nonzero(h > 0)] = 0.0
        return np.asarray(stored.T @ h + rest * (-m) ** power)


def _columns(X: Any) -> _Dense:
    compressed = hasattr(X, "tocsc")
    X = X if compressed else np.asarray(X)
    if X.ndim != 2 or X.shape[0] == 0:
        raise ValueError(f"X has shape {X.shape}: expected (n, p) with at least one row")
    if X.dtype.kind not in "biuf":
        raise TypeError(f"X has dtype {X.dtype}: expected real numbers")
    return _Compressed(X) if compressed else _Dense(X)


@dataclass(frozen=True)
class _Problem:
    X: _Dense
    y: Vector  # (n,)
    omega: Vector  # (n,), sums to 1
    offset: Vector  # (n,)
    loss: Loss
    penalty: Penalty
    fit_intercept: bool
    scale: Vector | None  # (p,) s_j under standardize, 0 for constant columns

    def mean_loss(self, z: Vector) -> float:
        """sum_i omega_i f(y_i, z_i); rows of no weight are not looked at."""
        used = self.omega > 0
        return float(self.omega[used] @ self.loss.value(self.y[used], z[used]))

    def residual(self, z: Vector) -> Vector:
        """u_i = -omega_i f'(y_i, z_i), (n,)."""
        used, u = self.omega > 0, np.zeros(len(self.y))
        u[used] = -self.omega[used] * self.loss.gradient(self.y[used], z[used])
        return u

    def means(self) -> Vector:
        """m_j, (p,): weighted means with an intercept, else 0."""
        m = np.zeros(self.X.shape[1])
        if self.fit_intercept:
            m = self.X.transposed_dot(self.omega)
            m += self.X.centred_sum(self.omega, m, 1)  # what rounding left
        return m


def _problem(
    X: Any,
    y: ArrayLike,
    loss: Loss,
    penalty: Penalty,
    sample_weight: ArrayLike | None,
    offset: ArrayLike | None,
    fit_intercept: bool,
    standardize: bool,
) -> _Problem:
    if not isinstance(penalty, Penalty):
        raise TypeError(f"penalty={penalty!r}: expected L1, L2, ElasticNet or Custom")
    if not isinstance(loss, Loss):
        raise TypeError(f"loss={loss!r}: expected Quadratic or Custom")
    columns = _columns(X)
    n, p = columns.shape
    weight = 1.0 if sample_weight is None else sample_weight
    s = _vector("sample_weight", np.full(n, weight) if np.ndim(weight) == 0 else weight, n)
    if np.any(s < 0) or not s.sum() > 0:
        raise ValueError("sample_weight must be >= 0 with a positive sum")
    shift = _vector("offset", np.zeros(n) if offset is None else offset, n)
    parts = (columns, _vector("y", y, n), s / s.sum(), shift, loss, penalty, fit_intercept)
    with np.errstate(all="ignore"):
        finite = np.isfinite(columns.transposed_dot(np.ones(n)))
    if not finite.all():
        raise ValueError(f"X holds NaN or infinity, first in column {np.argmin(finite)}")
    penalty.factors(p), penalty.bounds(p)  # raise on arrays of another length than p
    problem = _Problem(*parts, scale=None)
    if not standardize:
        return problem
    m = problem.means()
    scale = np.sqrt(columns.centred_sum(problem.omega, m, 2))
    return _Problem(*parts, scale=np.where(scale <= CONSTANT * np.abs(m), 0.0, scale))


def _vector(name: str, values: ArrayLike, length: int, of: str = "row") -> Vector:
    """Finite float64 array of that length, or an error that names the argument."""
    array = np.asarray(values)
    if array.shape != (length,):
        raise ValueError(
            f"{name} has shape {array.shape}: expected ({length},), one for each {of} of X"
        )
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {array.dtype}: expected real numbers")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity: expected finite numbers")
    return array.astype(np.float64)


@dataclass(frozen=True)
class _Span:
    """Columns sqrt(omega_i) (x_ij - m_j) / norm_j, beside sqrt(omega_i) for an intercept."""

    root: Vector  # (n,) sqrt(omega)
    columns: Vector  # (n, k)
    norms: Vector  # (k,), 0 for a column that is constant
    fit_intercept: bool

    @cached_property
    def basis(self) -> Vector:
        """Orthonormal basis of the columns, (n, rank), by QR with pivoting.

        Rows of no weight stay 0: in directions of small diagonal rounding there would be much, as
        would what rounding left of the means.
        """
        n, k = self.columns.shape
        if not np.any(self.norms):
            return np.zeros((n, 0))
        used = self.root > 0
        root = self.root[used]
        factors: Any = qr(self.columns[used], mode="economic", pivoting=True, check_finite=False)
        diagonal = np.abs(np.diag(factors[1]))
        basis = factors[0][:, diagonal > max(n, k) * EPS * diagonal[0]]
        if self.fit_intercept:
            basis = basis - np.outer(root, root @ basis)
            factors = qr(basis, mode="economic", pivoting=True, check_finite=False)
            basis = factors[0][:, np.abs(np.diag(factors[1])) > math.sqrt(EPS)]
        out = np.zeros((n, basis.shape[1]))
        out[used] = basis
        return out

    def project(self, u: Vector) -> Vector:
        """The nearest u with x_j'u = 0 for every column j, and sum u = 0 with an intercept; (n,).

        u / sqrt(omega) loses its part in the span; twice, which leaves only rounding of it.
        """
        v = np.divide(u, self.root, out=np.zeros_like(u), where=self.root > 0)
        return self.root * self.complement(v)

    def complement(self, v: Vector) -> Vector:
        """Part of v orthogonal to the span, (n,); 0 where v is in the span but for rounding.

        What rounding leaves of such a v is no direction to scale a dual point along.
        """
        before = float(np.linalg.norm(v))
        for _ in range(2):
            if self.fit_intercept:
                v = v - self.root * (self.root @ v)
            v = v - self.basis @ (self.basis.T @ v)
        within = float(np.linalg.norm(v)) <= math.sqrt(NULL) * before
        return np.zeros_like(v) if within else np.asarray(v)


def _span(problem: _Problem, columns: Any) -> _Span:
    root = np.sqrt(problem.omega)
    A = problem.X.gathered(columns)
    size = np.sqrt(problem.omega @ A**2)
    if problem.fit_intercept:
        for _ in range(2):  # the second time takes what rounding left
            A -= problem.omega @ A
    A *= root[:, None]
    norms = np.sqrt(np.sum(A**2, axis=0))
    norms[norms <= CONSTANT * size] = 0.0
    A *= np.where(norms > 0, 1.0 / norms, 0.0)
    return _Span(root, A, norms, problem.fit_intercept)


def _fits(problem: _Problem, n_columns: int) -> bool:
    """Whether that many columns may be projected off."""
    return 8.0 * len(problem.y) * (n_columns + 1) <= PROJECTION_BYTES


@dataclass(frozen=True)
class _Null:
    objective: float  # P0
    u: Vector  # (n,) generalised residual; 0 where P0 is zero to rounding
    unfitted: float  # sum_i omega_i f(y_i, offset_i)
    zero: bool  # P0 is zero to rounding


def _null_model(problem: _Problem) -> _Null:
    """Null model; columns with f_j = 0 that would not fit into PROJECTION_BYTES stay at 0."""
    p, penalty, scale = problem.X.shape[1], problem.penalty, problem.scale
    lower, upper = penalty.bounds(p, scale)
    free = np.flatnonzero((penalty.factors(p) == 0) & ~penalty.excluded(p, scale) & (lower < upper))
    free = free if _fits(problem, len(free)) else free[:0]
    span = _span(problem, free)
    if isinstance(problem.loss, Quadratic):
        r = _null_residual(span, problem.y - problem.offset, lower[free], upper[free])
        u, mean_loss = span.root * r, 0.5 * float(r @ r)
    else:
        z = _null_predictor(problem, span, lower[free], upper[free])
        u, mean_loss = problem.residual(z), problem.mean_loss(z)
    objective = mean_loss + penalty.value(np.zeros(p), scale)
    unfitted = problem.mean_loss(problem.offset)
    zero = objective <= (NULL * unfitted if math.isfinite(unfitted) else 0.0)
    return _Null(objective, np.zeros_like(u) if zero else u, unfitted, zero)


def _null_residual(span: _Span, target: Vector, lower: Vector, upper: Vector) -> Vector:
    """sqrt(omega) times the residual of weighted least squares within bounds, (n,)."""
    v = span.root * target
    used = span.norms > 0
    if np.isinf(lower[used]).all() and np.isinf(upper[used]).all():
        return span.complement(v)
    v = v - span.root * (span.root @ v) if span.fit_intercept else v
    A, norms, length = span.columns[:, used], span.norms[used], float(np.linalg.norm(v)) or 1.0
    box = (lower[used] * norms / length, upper[used] * norms / length)
    fit = lsq_linear(
        A, v / length, bounds=box, method="bvls", tol=EPS, max_iter=50 + 10 * len(norms)
    )
    return np.asarray(v - length * (A @ fit.x))


def _null_predictor(problem: _Problem, span: _Span, lower: Vector, upper: Vector) -> Vector:
    """Linear predictor of the null model by Newton's method within bounds, (n,).

    Over z = offset + D t, D the span's columns and the intercept's, each step minimises
    g't + t'Ht / 2 within the bounds, with g = D'(omega f') and H = D'(omega f'' D), and is halved
    until the objective falls.
    """
    used, root = span.norms > 0, span.root[:, None]
    D = np.divide(
        span.columns[:, used], root, out=np.zeros((len(root), used.sum())), where=root > 0
    )
    D = np.column_stack([D, np.ones(len(D))]) if span.fit_intercept else D
    room = np.full(D.shape[1] - int(used.sum()), math.inf)
    low = np.concatenate([lower[used] * span.norms[used], -room])
    high = np.concatenate([upper[used] * span.norms[used], room])
    t, z, before = np.zeros(D.shape[1]), problem.offset, problem.offset
    value = problem.mean_loss(z)
    for _ in range(200 if len(t) else 0):
        step, fall = _newton_step(problem, D, z, low - t, high - t)
        if math.isnan(fall):
            return before
        if fall <= NULL * abs(value):
            break
        length = 1.0
        while True:
            trial = np.clip(t + length * step, low, high)
            reached = problem.mean_loss(problem.offset + D @ trial)
            # close to the end the fall is lost in the rounding of the objective
            if reached <= value - 1e-4 * length * fall or length < 1e-15 or fall <= 1e-10 * value:
                break
            length *= 0.5
        if not reached <= value + 1e-12 * abs(value):
            break
        before, t, z, value = z, trial, problem.offset + D @ trial, reached
    return z


def _newton_step(
    problem: _Problem, D: Vector, z: Vector, low: Vector, high: Vector
) -> tuple[Vector, float]:
    """Step t of least g't + t'Ht / 2 with low <= t <= high, and the fall -g't it promises."""
    used, h = problem.omega > 0, np.zeros(len(z))
    h[used] = problem.omega[used] * problem.loss.curvature(problem.y[used], z[used])
    g, H = -D.T @ problem.residual(z), D.T @ (h[:, None] * D)
    if not (np.isfinite(g).all() and np.isfinite(H).all()):
        return np.zeros_like(g), math.nan  # z has run away: the loss has no minimum
    H[np.diag_indices(len(g))] += 1e-12 * np.trace(H) / len(g) or 1.0
    if np.isinf(low).all() and np.isinf(high).all():
        step = -cho_solve(cho_factor(H), g)
    else:
        L = cholesky(H, lower=True)
        right = -solve_triangular(L, g, lower=True)
        step = lsq_linear(L.T, right, bounds=(low, high), method="bvls", tol=EPS).x
    return step, -float(g @ step)


def _dual_objective(problem: _Problem, w: Vector, u: Vector, null: _Null) -> float:
    """D at the dual point made of u = -omega f'; NaN where a conjugate is not known."""
    loss, penalty, scale = problem.loss, problem.penalty, problem.scale
    if not (loss.has_conjugate and penalty.has_conjugate):
        return math.nan
    if not np.isfinite(u).all():
        u = null.u  # coefficients so wild that f' overflows
    span, exact, u, c = _projected(problem, w, u)
    if isinstance(loss, Quadratic) and not isinstance(penalty, Custom):
        return _quadratic_dual(problem, u, c)
    s = _edge(problem, u)
    u, c = s * u, s * c
    s = 1.0
    if not _in_domain(problem, u):
        u0 = span.project(null.u)
        c0 = problem.X.transposed_dot(u0)
        c0[exact] = 0.0
        t = _largest_step(problem, u0, u)
        s, u, c = float(t >= 0.0), (1.0 - t) * u0 + t * u, (1.0 - t) * c0 + t * c
    s = min(s, penalty.largest_scale(c, scale))
    value = -_mean_conjugate(problem, s * u) - s * float(u @ problem.offset)
    value -= float(np.sum(penalty.conjugate(s * c, scale)))
    return -math.inf if math.isnan(value) else value


def _projected(
    problem: _Problem, w: Vector, u: Vector
) -> tuple[_Span, NDArray[np.intp], Vector, Vector]:
    """U centred and projected, c = X'u, the span used and the columns with c_j = 0 exactly.

    Projected off are the columns without penalty whose conjugate would be infinite: no bound at
    all, or one bound and either w_j strictly inside or c_j on the unbounded side.
    """
    p, penalty = problem.X.shape[1], problem.penalty
    lower, upper = penalty.bounds(p, problem.scale)
    below, above = np.isinf(lower), np.isinf(upper)
    candidates = penalty.unpenalised(p, problem.scale) & (below | above)
    if penalty.alpha == 0 and p > PROJECTION_FEATURES:
        candidates[:] = False
    chosen = candidates & ((below | (w > lower)) & (above | (w < upper)))
    while True:
        exact = np.flatnonzero(chosen)
        if not _fits(problem, len(exact)):
            exact, candidates = exact[:0], np.zeros_like(candidates)
        span = _span(problem, exact)
        v = span.project(u)
        c = problem.X.transposed_dot(v)
        c[exact] = 0.0
        wrong = candidates & ~chosen & ((above & (c > 0)) | (below & (c < 0)))
        if not wrong.any():
            return span, exact, v, c
        chosen |= wrong


def _quadratic_dual(problem: _Problem, u: Vector, c: Vector) -> float:
    """Largest a s - b s^2 / 2 - sum_j g_j*(s c_j) over s >= 0: D(s u) for the quadratic loss.

    a = u'(y - offset), b = sum_i u_i^2 / omega_i. The target is centred, as u is, for precision.
    """
    target, used = problem.y - problem.offset, problem.omega > 0
    if problem.fit_intercept:
        target = target - problem.omega @ target
    a, b = float(u @ target), float(np.sum(u[used] ** 2 / problem.omega[used]))
    if a <= 0.0 or b <= 0.0:
        return 0.0
    penalty, scale = problem.penalty, problem.scale
    high = min(a / b, penalty.largest_scale(c, scale))
    s = _best_scale(a, b, c, high, penalty.strengths(len(c), scale))  # type: ignore[union-attr]
    return a * s - 0.5 * b * s**2 - float(np.sum(penalty.conjugate(s * c, scale)))


def _best_scale(
    a: float, b: float, c: Vector, high: float, strengths: tuple[Vector, Vector, Vector, Vector]
) -> float:
    """Maximiser on [0, high] of D(s) = a s - b s^2 / 2 - sum_j g_j*(s c_j), which is concave.

    D'(s) = a - b s - sum_j |c_j| t_j(s), t_j = min((s |c_j| - l1_j)_+ / l2_j, bound_j), is
    decreasing and piecewise linear: Newton's method within a bracket, halved where it stalls.
    """
    l1, l2, lower, upper = strengths
    bound = np.where(c > 0, upper, -lower)
    active = (np.abs(c) * high > l1) & (bound > 0)  # the others have t_j = 0 up to high
    size, l1, l2, bound = np.abs(c[active]), l1[active], l2[active], bound[active]

    def slope(s: float) -> tuple[float, float]:
        excess = np.maximum(s * size - l1, 0.0)
        t = np.where(excess > 0, excess / l2, 0.0)
        inside = (t > 0) & (t < bound)
        steepness = b + float(np.sum(size[inside] ** 2 / l2[inside]))
        return a - b * s - float(size @ np.minimum(t, bound)), steepness

    low, s = 0.0, high
    d, steepness = slope(s)
    jump = (l1 == 0) & (l2 == 0)  # t_j = bound_j at once
    if d >= 0.0 or float(size[jump] @ bound[jump]) >= a:
        return s if d >= 0.0 else 0.0
    while high - low > EPS * high:
        newton, width = s + d / steepness, high - low
        if abs(newton - s) <= EPS * s:
            return s
        s = newton if low < newton < high else 0.5 * (low + high)
        d, steepness = slope(s)
        low, high = (s, high) if d > 0 else (low, s)
        if high - low > 0.5 * width:
            s = 0.5 * (low + high)
            d, steepness = slope(s)
            low, high = (s, high) if d > 0 else (low, s)
    return s


def _mean_conjugate(problem: _Problem, u: Vector) -> float:
    """sum_i omega_i f*(y_i, -u_i / omega_i) over the rows of positive weight."""
    used = problem.omega > 0
    omega = problem.omega[used]
    return float(omega @ problem.loss.conjugate(problem.y[used], -u[used] / omega))


def _in_domain(problem: _Problem, u: Vector) -> bool:
    return math.isfinite(_mean_conjugate(problem, u))


def _edge(problem: _Problem, u: Vector) -> float:
    """Largest s = 1, 1 - 1e-15, ..., 1 - 1e-6 with f* finite at s u, else 1.

    Centring can push a u whose entries lie on the edge of the domain (Huber's do) over it by a
    rounding; a step towards another u with entries on the same edge would not bring it back.
    """
    for s in (1.0, *(1.0 - 10.0**-k for k in range(15, 5, -1))):
        if _in_domain(problem, s * u):
            return s
    return 1.0


def _largest_step(problem: _Problem, u0: Vector, u: Vector) -> float:
    """Largest t in [0, 1] with f* finite at (1 - t) u0 + t u, by bisection; -1 where none is."""
    if not _in_domain(problem, u0):
        return -1.0
    low, high = 0.0, 1.0
    while high - low > EPS * high and high > 1e-30:
        middle = 0.5 * (low + high)
        inside = _in_domain(problem, (1.0 - middle) * u0 + middle * u)
        low, high = (middle, high) if inside else (low, middle)
    return low


def _violation(problem: _Problem, w: Vector, z: Vector, u: Vector, null: _Null) -> float:
    """KKT violation over the largest gradient at the null model, features that are out left out.

    Gradients are compared with size = max_j sum_i |x_ij| |u_i|, u at the null model and at
    w = 0, b = 0: what is below rounding of it is zero.
    """
    p, penalty, scale = problem.X.shape[1], problem.penalty, problem.scale
    grad = -problem.X.transposed_dot(u)
    if penalty.has_subdiff_distance:
        distance = penalty.subdiff_distance(w, grad, scale)
    else:
        distance = _fixed_point_distance(problem, w, z, grad)
    lower, upper = penalty.bounds(p, scale)
    kept = (lower < 0.0) | (upper > 0.0)
    worst = float(np.max(distance, initial=0.0))
    slack = abs(float(np.sum(u))) if problem.fit_intercept else 0.0
    unfitted = np.abs(problem.residual(problem.offset))
    sizes = problem.X.transposed_dot(np.maximum(np.abs(null.u), unfitted), absolute=True)
    size = float(np.max(sizes[kept], initial=0.0))
    steepest = float(np.max(np.abs(problem.X.transposed_dot(null.u))[kept], initial=0.0))
    if math.isnan(worst + slack):
        return math.inf
    if steepest > math.sqrt(NULL) * size:
        return max(worst, slack) / steepest
    rounding = math.sqrt(RETURNED)
    returned = worst <= rounding * size and slack <= rounding * float(np.sum(unfitted))
    return 0.0 if returned else math.inf


def _fixed_point_distance(problem: _Problem, w: Vector, z: Vector, grad: Vector) -> Vector:
    """L_j |w_j - prox_j(w_j - grad_j / L_j, 1 / L_j)|, (p,).

    L_j = sum_i omega_i f''_i (x_ij - m_j)^2, the largest of them where it is zero.
    """
    m, used, h = problem.means(), problem.omega > 0, np.zeros(len(z))
    h[used] = problem.omega[used] * problem.loss.curvature(problem.y[used], z[used])
    L = problem.X.centred_sum(h, m, 2)
    flat = np.sqrt(L) <= CONSTANT * math.sqrt(h.sum()) * np.abs(m)
    L[flat] = np.max(L[~flat], initial=0.0) or 1.0
    return np.asarray(L * np.abs(w - problem.penalty.prox(w - grad / L, 1.0 / L, problem.scale)))


def _relative(problem: _Problem, w: Vector, primal: float, gap: float, null: _Null) -> float:
    """Gap over P0; where that is zero to rounding, 0 for the null model and inf for the rest."""
    if math.isnan(gap):
        return math.nan
    if not null.zero:
        return gap / null.objective
    penalised = problem.penalty.factors(len(w)) > 0
    returned = not np.any(w[penalised]) and primal <= RETURNED * null.unfitted
    return 0.0 if returned else math.inf

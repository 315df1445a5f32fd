"""The relaxed lasso: least squares on the features that the lasso found, and mixtures of the two.

With A the support of a lasso at alpha, fitted to rows of weights s,

    refit:    minimise  sum_i s_i (y_i - x_iA'v - b)^2,        lower_A <= v <= upper_A
    mixture:  gamma lasso + (1 - gamma) refit,                 0 <= gamma <= 1.

The rows that a path is trained on are reduced once, by orthogonal transformations of blocks of

    [ sqrt(s), sqrt(s) (X_U - 1 m'), sqrt(s) (y - m_y) ],      U all features active on any path,

to a triangle of no more rows than columns: its least-squares problems are those of the rows, at no
loss of digits. The rows of a cell, those that the same folds hold out, are reduced once for all
folds, so X_U is read twice and never held. Alphas of one support share a refit. Where active
columns are collinear, to ``RANK`` of their norms about their means, the refit is the one of least
norm in coefficients times those norms; its predictions are unique in any case.

References
----------
Meinshausen (2007), Relaxed lasso. Hastie, Tibshirani and Tibshirani (2020), Best subset, forward
stepwise or lasso?, section 2.1, for the mixture.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg, optimize, sparse

from . import _validate
from ._threads import one_thread_blas
from .folds import (
    BLOCK_BYTES,
    FoldPaths,
    Split,
    fold_weights,
    means,
    predictions,
    rows_of,
    standard_errors,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from .solution import Path

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

RANK = 1e-10
EQUAL = 1e-9  # errors of two gammas so near are equal, as they are where no feature is active


@dataclass(frozen=True)
class Refit:
    """Least squares on the support of each point of a path.

    ``values`` are those of the path's ``coefs.data`` refitted, ``intercepts`` (m,). With r and q
    the residuals of the path and of the refit, ``slopes`` (m,) and ``squares`` (m,) are the means,
    by weights s_i, of r_i (r_i - q_i) and of (r_i - q_i)^2.
    """

    values: Array
    intercepts: Array
    slopes: Array
    squares: Array


@dataclass(frozen=True)
class Relaxed:
    """A cross-validation's paths mixed with their refits.

    Attributes
    ----------
    mixtures : list of FoldPaths, one a gamma
        Gaps and statuses of their paths are those of the lasso.
    refit : Refit of the path on all rows
    n_passes : float
        Readings of X that refits and errors took.
    """

    mixtures: list[FoldPaths]
    refit: Refit
    n_passes: float


@dataclass(frozen=True)
class _Active:
    """The columns U of X about the pilot means ``mean``, and y about ``y_mean``, by rows."""

    features: Integers
    columns: Callable[[Integers], Array]
    y: Array
    mean: Array
    y_mean: float
    centred: bool

    @property
    def width(self) -> int:
        return len(self.features) + 1 + int(self.centred)

    def block(self, rows: Integers, s: Array) -> Array:
        """Weighted rows of [1, X_U, y], (len(rows), width)."""
        root = np.sqrt(s)[:, None]
        parts = [self.columns(rows) - self.mean, (self.y[rows] - self.y_mean)[:, None]]
        if self.centred:
            parts.insert(0, np.ones((len(rows), 1)))
        return np.asarray(np.hstack(parts) * root)


def relaxed(
    found: FoldPaths,
    X: Any,
    y: Any,
    splits: Sequence[Split],
    gammas: Sequence[float],
    *,
    penalty: Any,
    sample_weight: Any = None,
    fit_intercept: bool = True,
    n_threads: int | None = None,
) -> Relaxed:
    """The paths of a cross-validation mixed with their refits, for each gamma.

    Parameters
    ----------
    found : FoldPaths of the lasso, on the rows of ``splits``
    gammas : numbers in [0, 1]; 1 is the lasso itself
    penalty : the lasso's, for its bounds
    sample_weight, fit_intercept : as for ``found``
    """
    n, p = X.shape
    target = np.asarray(y, dtype=np.float64)
    s = _validate.sample_weight(sample_weight, n)
    s = np.ones(n) if s is None else _validate.near_one(s)
    weights = [s, *fold_weights(splits, s, n)]
    paths = [found.path, *found.folds]
    refits, share = least_squares(
        X, target, paths, weights, fit_intercept, penalty.bounds(p), n_threads
    )
    with one_thread_blas():  # the same bits on any number of threads
        errors = [
            _held_out(X, target, weights[0], path, refit, rows_of(test, n), gammas)
            for path, refit, (_, test) in zip(found.folds, refits[1:], splits, strict=True)
        ]
    m = found.errors.shape[1]
    mixtures = []
    for g, gamma in enumerate(gammas):
        mixed = [mixture(*pair, gamma) for pair in zip(paths, refits, strict=True)]
        own = found.errors if gamma == 1.0 else np.array([one[g, :m] for one in errors])
        mixtures.append(FoldPaths(mixed[0], mixed[1:], own))
    return Relaxed(mixtures, refits[0], (2.0 + fit_intercept) * share)


def mixture(path: Path, refit: Refit, gamma: float) -> Path:
    """The mixture gamma path + (1 - gamma) refit, with the proofs of ``path``.

    With h = 1 - gamma its loss is that of ``path`` less h slopes - h^2 squares / 2. It minimises
    nothing that a criterion could ask for: it has no ``problem``.
    """
    if gamma == 1.0:
        return path
    old = path.coefs
    values = refit.values + gamma * (old.data - refit.values)
    coefs = sparse.csc_matrix((values, old.indices, old.indptr), shape=old.shape)
    intercepts = refit.intercepts + gamma * (path.intercepts - refit.intercepts)
    h, null = 1.0 - gamma, path.null_objective
    less = h * refit.slopes - 0.5 * h**2 * refit.squares
    explained = path.deviance_ratio + (less / null if null > 0.0 else 0.0)
    return replace(path, coefs=coefs, intercepts=intercepts, deviance_ratio=explained, problem=None)


def chosen(errors: Array, gammas: ArrayLike, rule: str = "min") -> tuple[int, int]:
    """(gamma, alpha) that errors (n_gammas, m, K) over K folds speak for, alphas descending.

    "min": the least mean; "1se": within one standard error of it. Of those that qualify, the
    largest alpha, and there the largest gamma, rounding aside. Raises ValueError as
    :func:`regsolve.folds.chosen`.
    """
    mean = means(errors)
    simplest_first = np.argsort(-np.asarray(gammas), kind="stable")
    limit = mean.min()
    for known in ("min", "1se"):
        k = int(np.argmax((mean <= limit).any(axis=0)))
        within = mean[simplest_first, k] <= limit + EQUAL * abs(limit)
        g = int(simplest_first[int(np.argmax(within))])
        if rule == known:
            break
        limit = limit + standard_errors(errors[g])[k]
    return g, k


def least_squares(
    X: Any,
    y: Array,
    paths: Sequence[Path],
    weights: Sequence[Array],
    fit_intercept: bool,
    bounds: tuple[Array, Array],
    n_threads: int | None = None,
) -> tuple[list[Refit], float]:
    """Refit every path (K of them) to its rows, those of positive weight; and the part of X used.

    ``weights`` (n,) of a path are s times how often it has each row; the first are s of all rows.
    """
    active = _active(X, y, paths, weights[0], fit_intercept)
    pieces, members = _pieces(weights)
    stop = threading.Event()

    def refit(k: int) -> Refit:
        _heed(stop)
        mine = _triangle(np.vstack([triangles[i] for i in members[k]]))
        return _along(paths[k], active, mine, bounds, float(weights[k].sum()), stop)

    with one_thread_blas(), ThreadPoolExecutor(_validate.threads(n_threads)) as pool:
        try:
            triangles = list(pool.map(lambda piece: _reduced(active, stop, *piece), pieces))
            refits = list(pool.map(refit, range(len(paths))))
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return refits, len(active.features) / max(1, X.shape[1])


def _heed(stop: threading.Event) -> None:
    """End a task that nobody waits for any more; between its steps, which themselves cannot end."""
    if stop.is_set():
        raise CancelledError


def _active(X: Any, y: Array, paths: Sequence[Path], s: Array, centred: bool) -> _Active:
    """The union of supports, and what its columns are centred by first: means over all rows.

    Each path's own means are projected off later; the first centring leaves them little to do.
    """
    features = np.unique(np.concatenate([path.coefs.indices for path in paths])).astype(np.intp)
    columns = _validate.dense_columns_of(X, features)
    mean, y_mean = np.zeros(len(features)), 0.0
    if centred:
        rows = np.flatnonzero(s)
        sums = sum((s[i] @ columns(i) for i in _blocks(rows, len(features))), mean)
        mean, y_mean = sums / s.sum(), float(s @ y / s.sum())
    return _Active(features, columns, y, mean, y_mean, centred)


def _blocks(rows: Integers, width: int) -> Iterator[Integers]:
    """Runs of ``rows`` whose dense columns take some megabytes, no shorter than they are wide."""
    step = max(1, width, BLOCK_BYTES // (8 * max(1, width)))
    for begin in range(0, len(rows), step):
        yield rows[begin : begin + step]


def _pieces(weights: Sequence[Array]) -> tuple[list[tuple[Integers, Array]], list[list[int]]]:
    """Sets of rows with their weights (n,), and which of them each path is trained on.

    Rows that are trained on by the same paths make one; where that would be many more sets than
    paths, as with overlapping random splits, or where a path has a row more often than another
    does, each path has one of its own.
    """
    each, s = np.array(weights), np.max(weights, axis=0)
    inside = each > 0.0
    patterns, which = np.unique(inside, axis=1, return_inverse=True)
    if patterns.shape[1] > 4 * len(each) or np.any(each != np.where(inside, s, 0.0)):
        return [(np.flatnonzero(one), one) for one in each], [[k] for k in range(len(each))]
    pieces = [(np.flatnonzero(which.ravel() == c), s) for c in range(patterns.shape[1])]
    return pieces, [np.flatnonzero(one).tolist() for one in patterns]


def _triangle(A: Array) -> Array:
    """R (at most width x width) with R'R = A'A; A itself where it is no taller than that."""
    return A if A.shape[0] <= A.shape[1] else np.asarray(np.linalg.qr(A, mode="r"))


def _reduced(active: _Active, stop: threading.Event, rows: Integers, s: Array) -> Array:
    """The triangle of these rows, made block by block."""
    out = np.empty((0, active.width))
    for block in _blocks(rows, active.width):
        _heed(stop)
        out = _triangle(np.vstack([out, active.block(block, s[block])]))
    return out


def _along(
    path: Path,
    active: _Active,
    triangle: Array,
    bounds: tuple[Array, Array],
    total: float,
    stop: threading.Event,
) -> Refit:
    """Least squares on each support of a path, from the triangle of its rows, which weigh total."""
    indices, indptr = path.coefs.indices, path.coefs.indptr
    values, intercepts = np.empty(len(indices)), np.empty(len(path.alphas))
    centre, T = triangle[:, 0], triangle
    if active.centred:
        T = triangle[:, 1:]
        for _ in range(2):  # once more for what rounding left
            T = T - np.outer(centre, centre @ T) / (centre @ centre)
    T, z = T[:, :-1], T[:, -1]
    norms = np.linalg.norm(T, axis=0)
    known: dict[bytes, tuple[Array, float]] = {}
    for k in range(len(path.alphas)):
        support = indices[indptr[k] : indptr[k + 1]]
        if support.tobytes() not in known:
            _heed(stop)
            at = np.searchsorted(active.features, support)
            lower, upper = (bound[support] for bound in bounds)
            v = _solved(T[:, at], z, norms[at], lower, upper)
            b = 0.0
            if active.centred:
                left = triangle[:, -1] - triangle[:, 1 + at] @ v
                shift = centre @ left / (centre @ centre)
                b = float(active.y_mean - active.mean[at] @ v + shift)
            known[support.tobytes()] = v, b
        values[indptr[k] : indptr[k + 1]], intercepts[k] = known[support.tobytes()]
    pure = sparse.csc_matrix((values, indices, indptr), shape=path.coefs.shape)
    _heed(stop)
    r = _residuals(active, triangle, path.coefs, path.intercepts)
    d = r - _residuals(active, triangle, pure, intercepts)
    slopes, squares = (np.einsum("ij,ij->j", one, d) / total for one in (r, d))
    return Refit(values, intercepts, slopes, squares)


def _residuals(active: _Active, triangle: Array, coefs: Any, intercepts: Array) -> Array:
    """Residuals (height, m) of a path in the coordinates of a triangle, of the rows' own norms."""
    W = coefs[active.features].toarray()
    left = triangle[:, -1:] - triangle[:, int(active.centred) : -1] @ W
    if active.centred:
        left -= np.outer(triangle[:, 0], intercepts - active.y_mean + active.mean @ W)
    return np.asarray(left)


def _solved(T: Array, z: Array, norms: Array, lower: Array, upper: Array) -> Array:
    """Argument of least ||z - T v|| over lower <= v <= upper, of least norm in norms * v."""
    if T.shape[1] == 0:
        return np.zeros(0)
    d = np.where(norms > 0.0, norms, 1.0)
    scaled = T / d
    v, *_ = linalg.lstsq(scaled, z, cond=RANK, lapack_driver="gelsy", check_finite=False)
    v = v / d
    if np.all((v >= lower) & (v <= upper)):
        return np.asarray(v)
    box = (lower * d, upper * d)
    bounded = optimize.lsq_linear(
        scaled, z, box, method="bvls", tol=1e-14, max_iter=10 * T.shape[1]
    )
    v, side = np.clip(bounded.x / d, lower, upper), bounded.active_mask
    return np.where(side < 0, lower, np.where(side > 0, upper, v))  # lower * d / d may be beside it


def _held_out(
    X: Any, y: Array, s: Array, path: Path, refit: Refit, test: Integers, gammas: Sequence[float]
) -> Array:
    """Mean squared errors (n_gammas, m) of a fold's mixtures on the rows that it holds out."""
    m = len(path.alphas)
    pure = mixture(path, refit, 0.0)
    both = replace(
        path,
        coefs=sparse.hstack([path.coefs, pure.coefs], format="csc"),
        intercepts=np.concatenate([path.intercepts, pure.intercepts]),
    )
    sums = np.zeros((len(gammas), m))
    for rows, linear in predictions(X, both, test):
        left = y[test[rows], None] - linear
        for g, gamma in enumerate(gammas):
            mixed = left[:, m:] + gamma * (left[:, :m] - left[:, m:])
            sums[g] += s[test[rows]] @ mixed**2
    return np.asarray(sums / s[test].sum())

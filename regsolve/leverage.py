"""Degrees of freedom, residuals and left-out errors along a path, each active set held fixed.

Let s be the row weights, n = sum_i s_i, and A the features of one fit that are free to move: those
that are neither zero nor at a bound. While A and its signs stay, the fit is linear in y. With
Z = diag(sqrt s) X_A, its columns centred where there is an intercept, and D the l2 strengths on the
scale of the sum, d_j = n alpha (1 - l1_ratio) f_j e_j^2,

    H = Z (Z'Z + D)^+ Z' = T T',   T = Z V,     df = tr H: the rank of Z where D = 0.

V comes from a pivoted Cholesky factor of Z'Z + D, columns in the span of others left out. Where
A gains and loses a few features and D = 0, T T' gains and loses as many squares of columns: those
parts of the features that the common ones do not explain. An elastic net with more free features
than rows has H = I - (I + Z D^{-1} Z')^{-1}.

Taking c of the weight of row i away, A and signs as they are, leaves y_i off by

    e_i = r_i / (1 - c (1/n [intercept] + h_i / s_i)),      c = min(s_i, 1):

one observation of the s_i that the row stands for, so that weights are repeated rows.

References
----------
Zou, Hastie and Tibshirani (2007), On the degrees of freedom of the lasso. Tibshirani and Taylor
(2012), Degrees of freedom in lasso problems (the rank). Rad and Maleki (2020), A scalable estimate
of the out-of-sample prediction error via approximate leave-one-out cross-validation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.linalg.lapack import dpstrf

from . import _validate
from ._threads import blas_threads
from .ridge.design import Design
from .separable import BOUND_ROUNDING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .solution import Path, Problem

    Vector = NDArray[np.float64]
    Indices = NDArray[np.intp]

DEPENDENT = 1e-12  # squared part of a unit column outside the span of others, at most
DETERMINED = float(np.sqrt(np.finfo(np.float64).eps))  # 1 - h of a row that fixes its own fit
BLOCK_BYTES = 1 << 25  # of an array with n rows
FEW_FEATURES = 1000  # features whose products are taken at once, even if few of them are free


class Fits(NamedTuple):
    """Of each fit (m,): df without the intercept's, sum_i s_i r_i^2, mean of s_i e_i^2 or NaN.

    Without ``leave_out`` residuals are known of the last fit of each stretch alone, NaN elsewhere.
    """

    df: Vector
    rss: Vector
    left_out: Vector


def free_features(path: Path, k: int, bounds: tuple[Vector, Vector]) -> Indices:
    """Features of fit k that are neither zero nor at a bound."""
    coefs = path.coefs
    part = slice(coefs.indptr[k], coefs.indptr[k + 1])
    support, w = coefs.indices[part].astype(np.intp), coefs.data[part]
    at_bound = np.zeros(len(w), dtype=bool)
    for bound in bounds:
        own = bound[support]
        at_bound |= (
            np.isfinite(own) & (np.abs(w) >= (1.0 - BOUND_ROUNDING) * np.abs(own)) & (w * own > 0.0)
        )
    return np.asarray(support[(w != 0.0) & ~at_bound])


def examine(
    path: Path,
    problem: Problem,
    X: Any,
    y: Vector,
    sample_weight: Vector | None,
    *,
    leave_out: bool,
    n_threads: int,
) -> Fits:
    """Degrees of freedom, residuals and, with ``leave_out``, left-out errors of every fit.

    ``y`` is less its offset. X is read twice where ``leave_out``, but only columns in some support.
    """
    m, p = len(path.alphas), path.coefs.shape[0]
    bounds = problem.penalty.bounds(p)
    free = [free_features(path, k, bounds) for k in range(m)]
    fits = Fits(np.zeros(m), np.full(m, np.nan), np.full(m, np.nan))
    take = _validate.columns_taken(X)
    with blas_threads(n_threads):
        for ks, support in _stretches(path):
            X_part = take(support) if len(support) < p // 2 else X
            rows = support if len(support) < p // 2 else np.arange(p)
            design = Design(
                _validate.design(X_part),
                X_part,
                sample_weight,
                problem.fit_intercept,
                problem.standardize,
                n_threads,
            )
            stretch = _Stretch(path, problem, design, y, ks, rows, free)
            stretch.examine(fits, leave_out)
    return fits


def _stretches(path: Path) -> Iterator[tuple[range, Indices]]:
    """Runs of neighbouring fits, and the few features in the support of any of them."""
    coefs = path.coefs
    sizes = np.diff(coefs.indptr)
    limit = max(FEW_FEATURES, int(1.5 * sizes.max(initial=0)))
    start, union = 0, np.empty(0, dtype=np.intp)
    for k in range(len(sizes)):
        joined = np.union1d(union, coefs.indices[coefs.indptr[k] : coefs.indptr[k + 1]])
        if len(joined) > limit and k > start:
            yield range(start, k), union
            start = k
            joined = np.unique(coefs.indices[coefs.indptr[k] : coefs.indptr[k + 1]])
        union = joined.astype(np.intp)
    yield range(start, len(sizes)), union


class _Factor(NamedTuple):
    """Columns ``kept`` (r,), independent, and ``root`` (r, r): (Z'Z + D)^+ = root root' there."""

    kept: Indices
    root: Vector


def factor(gram: Vector, ridge: Vector, features: Indices) -> _Factor:
    """Pivoted Cholesky of Z'Z + D among ``features``, in units where its diagonal is one."""
    K = gram[np.ix_(features, features)]
    K[np.diag_indices_from(K)] += ridge[features]
    size = np.sqrt(np.diagonal(K))
    unit = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0.0)
    if len(features) == 0 or not unit.any():
        return _Factor(features[:0], np.empty((0, 0)))
    K *= unit
    K *= unit[:, None]
    L, pivots, rank, _ = dpstrf(K, lower=1, tol=DEPENDENT)
    order = pivots[:rank] - 1
    inverse = solve_triangular(L[:rank, :rank], np.eye(rank), lower=True)
    return _Factor(features[order], unit[order, None] * inverse.T)


class _Piece(NamedTuple):
    """Columns V (u, c) whose images Z V count with a sign; where a fit's columns begin and end."""

    V: Vector
    sign: float
    fresh: bool
    last: bool


@dataclass
class _Stretch:
    """Fits ``ks`` on the columns ``rows`` of X: what they need of these columns' products."""

    path: Path
    problem: Problem
    design: Design
    y: Vector
    ks: range
    rows: Indices  # (u,) ascending
    free: list[Indices]

    def __post_init__(self) -> None:
        self.gram = self.design.read_gram()
        penalty = self.problem.penalty
        strength = self.design.total * (1.0 - penalty.l1_ratio)
        factors = penalty.factors(self.path.coefs.shape[0])[self.rows]
        self.ridge = strength * np.where(np.isfinite(factors), factors, 0.0)
        self.width = max(1, BLOCK_BYTES // (8 * self.design.n))

    def _features(self, k: int) -> Indices:
        return np.searchsorted(self.rows, self.free[k])

    def _few_rows(self, k: int) -> bool:
        """More free features than rows, all of them with an l2 strength."""
        strength = self.path.alphas[k] * self.ridge[self._features(k)]
        return len(strength) > self.design.n and bool(np.all(strength > 0.0))

    def examine(self, fits: Fits, leave_out: bool) -> None:
        """Fill in the fits of this stretch."""
        if not leave_out:
            for k in self.ks:
                if self._few_rows(k):
                    fits.df[k] = self._dual(k).sum()
                else:
                    fits.df[k] = self._df(k, factor(self.gram, self._d(k), self._features(k)))
            last = self.ks.stop - 1
            fits.rss[last] = self.design.weight @ self._residuals(range(last, last + 1))[:, 0] ** 2
            return
        hats = self._hats(fits.df)
        for first in range(self.ks.start, self.ks.stop, self.width):
            some = range(first, min(first + self.width, self.ks.stop))
            R = self._residuals(some)
            for i, k in enumerate(some):
                fits.rss[k] = self.design.weight @ R[:, i] ** 2
                fits.left_out[k] = self._left_out(R[:, i], next(hats))

    def _residuals(self, ks: range) -> Vector:
        """Residuals (n, len(ks)) of fits, each contiguous."""
        W = self.path.coefs[self.rows][:, ks.start : ks.stop].toarray()
        R = np.asfortranarray(self.design.storage.dot(W))
        R += self.path.intercepts[ks.start : ks.stop]
        np.subtract(self.y[:, None], R, out=R)
        return R

    def _d(self, k: int) -> Vector:
        return np.asarray(self.path.alphas[k] * self.ridge)

    def _df(self, k: int, found: _Factor) -> float:
        """Tr H = r - tr D (Z'Z + D)^+."""
        own = np.einsum("ij,ij->i", found.root, found.root)
        return len(found.kept) - float(self._d(k)[found.kept] @ own)

    def _hats(self, df: Vector) -> Iterator[Vector]:
        """H (n,) of each fit in turn; ``df`` is filled in on the way."""
        pending: list[_Piece] = []
        h, waiting = np.zeros(self.design.n), 0
        known: Indices | None = None
        for k in self.ks:
            if self._few_rows(k):
                yield from self._squared(pending, h)
                own = self._dual(k)
                df[k], known, pending, waiting = own.sum(), None, [], 0
                yield own
                continue
            found = factor(self.gram, self._d(k), self._features(k))
            df[k] = self._df(k, found)
            pieces = self._pieces(found, known)
            pending += pieces
            waiting += sum(piece.V.shape[1] for piece in pieces)
            known = None if self._d(k).any() else found.kept
            if waiting >= self.width:
                yield from self._squared(pending, h)
                pending, waiting = [], 0
        yield from self._squared(pending, h)

    def _pieces(self, found: _Factor, known: Indices | None) -> list[_Piece]:
        """Columns to square for this fit: what changed since the one before, or all."""
        kept = found.kept
        if known is not None:
            common = np.intersect1d(known, kept)
            gone, new = np.setdiff1d(known, kept), np.setdiff1d(kept, known)
            if 2 * (len(gone) + len(new)) < len(kept) or not len(gone) + len(new):
                try:
                    return [
                        _Piece(self._beyond(common, gone), -1.0, False, False),
                        _Piece(self._beyond(common, new), 1.0, False, True),
                    ]
                except LinAlgError:  # near the limit of dependence: from the beginning
                    pass
        V = np.zeros((len(self.rows), len(kept)))
        V[kept] = found.root
        last = max(len(kept) - 1, 0) // self.width
        return [
            _Piece(V[:, i * self.width : (i + 1) * self.width], 1.0, i == 0, i == last)
            for i in range(last + 1)
        ]

    def _beyond(self, common: Indices, others: Indices) -> Vector:
        """V whose image Z V spans orthonormally what ``others`` add to the span of ``common``."""
        V = np.zeros((len(self.rows), len(others)))
        if len(others):
            order = np.concatenate([common, others])
            unit = 1.0 / np.sqrt(np.diagonal(self.gram)[order])
            K = unit * self.gram[np.ix_(order, order)] * unit[:, None]
            picked = np.eye(len(order))[:, len(common) :]
            upper = cholesky(K)
            V[order] = unit[:, None] * solve_triangular(upper, picked)
        return V

    def _squared(self, pieces: list[_Piece], h: Vector) -> Iterator[Vector]:
        """H after each fit whose columns end in ``pieces``; one product for as many as fit."""
        start = 0
        while start < len(pieces):
            stop, width = start + 1, pieces[start].V.shape[1]
            while stop < len(pieces) and width + pieces[stop].V.shape[1] <= self.width:
                width += pieces[stop].V.shape[1]
                stop += 1
            some = pieces[start:stop]
            squares = np.asfortranarray(self.design.dot(np.hstack([piece.V for piece in some])))
            np.square(squares, out=squares)
            at = 0
            for piece in some:
                if piece.fresh:
                    h[:] = 0.0
                end = at + piece.V.shape[1]
                h += piece.sign * squares[:, at:end].sum(axis=1)
                at = end
                if piece.last:
                    yield h
            start = stop

    def _dual(self, k: int) -> Vector:
        """Diag H from the n x n side, 1 - diag (I + Z D^{-1} Z')^{-1}."""
        features, d = self._features(k), self._d(k)
        inverse = np.zeros(len(self.rows))
        inverse[features] = 1.0 / d[features]
        K = np.eye(self.design.n)
        for j, block in self.design.columns():
            K += (block * inverse[j]) @ block.T
        root = solve_triangular(cholesky(K, lower=True), np.eye(self.design.n), lower=True)
        return np.asarray(1.0 - np.einsum("ij,ij->j", root, root))

    def _left_out(self, r: Vector, h: Vector) -> float:
        """Mean of s_i e_i^2; a row that fixes its own fit counts as if nothing were fitted."""
        left = self.bare_left - self.removed * h
        fixed = left <= DETERMINED
        if fixed.any():
            left[fixed] = 1.0
        e = np.where(fixed, self.bare_error, r) if fixed.any() else r
        return float(self.design.weight @ np.square(e / left)) / self.design.total

    @cached_property
    def removed(self) -> Vector:
        """c_i / s_i, (n,); 0 for a row without weight."""
        s = self.design.weight
        return np.divide(np.minimum(s, 1.0), s, out=np.zeros_like(s), where=s > 0.0)

    @cached_property
    def bare_left(self) -> Vector:
        """1 - c_i / n with an intercept, else 1: what a row leaves over of the null model."""
        if not self.problem.fit_intercept:
            return np.ones(self.design.n)
        return np.asarray(1.0 - np.minimum(self.design.weight, 1.0) / self.design.total)

    @cached_property
    def bare_error(self) -> Vector:
        """e_i of the intercept alone; y_i where there is no other row to tell it."""
        centre = float(self.design.omega @ self.y) if self.problem.fit_intercept else 0.0
        alone = self.bare_left <= DETERMINED
        return np.where(alone, self.y, (self.y - centre) / np.where(alone, 1.0, self.bare_left))


def least_squares(
    X: Any,
    y: Vector,
    sample_weight: Vector | None,
    features: Indices,
    *,
    fit_intercept: bool,
    n_threads: int,
) -> tuple[float, int]:
    """Residual sum of squares of y on all ``features`` without a penalty, and their rank."""
    take: Callable[[Indices], Any] = _validate.columns_taken(X)
    X_part = X if len(features) == X.shape[1] else take(features)
    with blas_threads(n_threads):
        design = Design(
            _validate.design(X_part), X_part, sample_weight, fit_intercept, False, n_threads
        )
        gram = design.read_gram()
        found = factor(gram, np.zeros(len(features)), np.arange(len(features)))
        centred = y - (design.omega @ y if fit_intercept else 0.0)
        r = design.root * centred
        root = np.zeros((len(features), len(found.kept)))
        root[found.kept] = found.root
        for _ in range(2):  # once more for what the squared condition number loses
            w = root @ (root.T @ design.tdot(r[:, None]))
            r = r - design.dot(w)[:, 0]
    return float(r @ r), len(found.kept)

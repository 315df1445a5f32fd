"""What one spectrum tells about every strength: degrees of freedom, GCV, evidence, left-out errors.

With Z = U diag(sqrt L) V', t_k = U_k'R and d_k = L_k / (L_k + a), in the rows of Z,

    df(a)    = [1 with intercept] + sum_k d_k
    rss(a)   = ||R||^2 - sum_k t_k^2 + sum_k t_k^2 (1 - d_k)^2
    GCV(a)   = n rss(a) / (n - df(a))^2
    h_i(a)   = [omega_i with intercept] + sum_k U_ik^2 d_k,    e_i = (R_i - Zw_i) / (1 - h_i)
    e_F(a)   = (I - H_FF)^{-1} (R - Zw)_F                      for a set F of rows left out

and, for R ~ N(0, s2 (S^{-1} + X X' / a)) about its mean b, with s2 at its maximum,

    -2 log L = nu (log(2 pi q / nu) + 1) + sum_k log((L_k + a) / a) - sum_i log s_i [+ log sum s],
    q = ||R||^2 - sum_k t_k^2 + sum_k t_k^2 a / (L_k + a),

nu = n (ML), or n - 1 with the bracket (REML, intercept). All strengths come from one product, and
left-out errors from blocks of rows: never an array n x p, nor n x n where n >= p.

References
----------
Golub, Heath and Wahba (1979), Generalized cross-validation as a method for choosing a good ridge
parameter. Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, chapter 5.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg

from .._threads import one_thread_blas
from .blas import product
from .design import WIDE_ENTRIES, Design, Targets, slices
from .factors import EPS, Spectrum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ROWS = 1 << 17  # entries of an array rows x alphas held at a time by a thread


@dataclass(frozen=True)
class _Sums:
    """Some strengths, and 1 / (L_k + a) = sum_r basis_kr weights_r(a) at these.

    ``rest``: of 1 - d_k = a / (L_k + a) the rows' sums are made, else of d_k.
    """

    which: Any
    rest: bool
    basis: Array  # (k, r)
    weights: Array  # (r, strengths)


@dataclass(frozen=True)
class Criteria:
    """The spectrum of a design, ready for any strengths a (m,) > 0 and all its targets."""

    design: Design
    targets: Targets
    spectrum: Spectrum
    primal: bool
    projections: Array  # V'B (k, T): sqrt(L_k) t_k (primal) or t_k
    saturated: bool  # whether the rows are all in the span of the U_k and the intercept

    @classmethod
    def of(
        cls, design: Design, targets: Targets, spectrum: Spectrum, primal: bool, right: Array
    ) -> Criteria:
        """Ready ``spectrum`` of Z'Z with ``right`` = Z'R (primal), or of Z Z' with R."""
        if not primal and design.fit_intercept:
            spectrum = _without(spectrum, np.sqrt(design.omega))
        rank = int(np.count_nonzero(spectrum.values > spectrum.floor))
        saturated = not primal or rank >= design.n_used - int(design.fit_intercept)
        return cls(design, targets, spectrum, primal, spectrum.projected(right), saturated)

    @cached_property
    def _roots(self) -> Array:
        """1 / sqrt(L_k) of the U_k among the rows of Z V, 0 of the others, (k,)."""
        L = self.spectrum.values
        seen = self.spectrum.floor < L
        return np.sqrt(np.divide(1.0, L, out=np.zeros_like(L), where=seen))

    def _squares(self) -> Array:
        """t_k^2, (k, T)."""
        squares = self.projections**2
        if not self.primal:
            return np.asarray(squares)
        L = self.spectrum.values[:, None]
        return np.divide(squares, L, out=np.zeros_like(squares), where=L > 0)

    def _fit(self, a: Array, power: int) -> Array:
        """||R||^2 - sum t_k^2 + sum t_k^2 (a / (L_k + a))^power, (m, T)."""
        squares = self._squares()
        outside = np.maximum(self.targets.square - squares.sum(axis=0), 0.0)
        if self.saturated:
            outside = np.zeros_like(outside)
        return np.asarray(((a * self.spectrum.shrink(a)) ** power).T @ squares + outside)

    def df(self, a: Array) -> Array:
        """Effective degrees of freedom, the intercept's included; (m,)."""
        own = self.spectrum.values @ self.spectrum.shrink(a)
        return np.asarray(own + float(self.design.fit_intercept))

    def gcv(self, a: Array) -> Array:
        """Generalised cross-validation, (m, T)."""
        return np.asarray(self.design.n_used * self._fit(a, 2) / (self._rest(a) ** 2)[:, None])

    def _rest(self, a: Array) -> Array:
        """What df leaves of n, n - rank - 1 + sum a / (L_k + a) without a difference; (m,)."""
        seen = self.spectrum.floor < self.spectrum.values
        outside = self.design.n_used - int(self.design.fit_intercept) - np.count_nonzero(seen)
        return np.asarray(outside + a * self.spectrum.shrink(a)[seen].sum(axis=0))

    def log_evidence(self, a: Array, restricted: bool = False) -> Array:
        """Log marginal likelihood at the best noise, ML or REML; (m, T)."""
        design = self.design
        s = design.weight[design.weight > 0]
        nu = design.n_used - int(restricted and design.fit_intercept)
        with np.errstate(divide="ignore"):
            twice = nu * (np.log(2.0 * math.pi * self._fit(a, 1) / nu) + 1.0)
        twice += np.log1p(self.spectrum.values[:, None] / a).sum(axis=0)[:, None]
        twice -= np.log(s).sum()
        if restricted and design.fit_intercept:
            twice += math.log(design.total)
        return np.asarray(-0.5 * twice)

    def left_out(self, a: Array) -> Iterator[tuple[slice, Array]]:
        """Rows with their exact leave-one-out errors sqrt(s_i) (y_i - prediction), (rows, T, m)."""
        return self._over_rows(partial(self._left_out, a, self._separated(a)), len(a))

    def mean_square_left_out(self, a: Array) -> Array:
        """Mean over the rows of the squared leave-one-out errors, (T, m)."""
        separated = self._separated(a)

        def squares(i: slice) -> Array:
            errors = self._left_out(a, separated, i)
            return np.asarray(np.einsum("itk,itk->tk", errors, errors))

        total = np.zeros((self.projections.shape[1], len(a)))
        for _, part in self._over_rows(squares, len(a)):
            total += part
        return total / self.design.n

    def _separated(self, a: Array) -> list[_Sums]:
        """What the rows' sums are made of, for the strengths that are summed alike.

        d_k(a) = L_k / (L_k + a) is smooth in log a and in log L_k: its singular values fall so fast
        that some thirty of them are all of it, for any number of strengths. Where the U_k and the
        intercept span all rows, 1 - d_k serves below the least L_k, and no difference is taken;
        above it a small L_k, of which U_k is known to few digits, has d_k near 0.
        """
        shrink, L = self.spectrum.shrink(a), self.spectrum.values[:, None]
        if not self.primal:
            return [_Sums(slice(None), True, shrink, np.eye(len(a)))]
        least = float(np.min(L, where=self.spectrum.floor < L, initial=np.inf))
        rest = np.flatnonzero(a <= least) if self.saturated else np.zeros(0, dtype=np.intp)
        groups = [_Sums(rest, True, shrink[:, rest], np.eye(len(rest)))] if len(rest) else []
        if len(rest) == len(a):
            return groups
        own: Any = np.setdiff1d(np.arange(len(a)), rest) if len(rest) else slice(None)
        left, sizes, right = linalg.svd(L * shrink[:, own], full_matrices=False, check_finite=False)
        kept = sizes > EPS * np.max(sizes, initial=0.0)
        basis = np.divide(left[:, kept], L, out=np.zeros_like(left[:, kept]), where=L > 0)
        return [*groups, _Sums(own, False, basis, sizes[kept, None] * right[kept])]

    def _over_rows(
        self, work: Callable[[slice], Array], n_alphas: int
    ) -> Iterator[tuple[slice, Array]]:
        """``work`` of every block of rows, a thread each; together one reading of X (primal)."""
        design = self.design
        entries, width = ROWS, max(1, n_alphas)
        if self.primal:
            entries = min(WIDE_ENTRIES, entries * max(1, design.p) // width)
            width = design.p
            design.passes += 1.0
            design.storage.rows(slice(0))  # a sparse X is laid out by rows once, before threads
        blocks = list(slices(design.n, entries, width))
        with one_thread_blas(), ThreadPoolExecutor(design.n_threads) as pool:
            yield from zip(blocks, pool.map(work, blocks), strict=True)

    def _left_out(self, a: Array, separated: list[_Sums], i: slice) -> Array:
        """Leave-one-out errors of rows i, (rows, T, m): (R - fit)_i / (1 - h_i)."""
        vectors = self.spectrum.vectors
        rows = self.design.chosen_rows(i) @ vectors if self.primal else vectors[i]
        out = np.empty((len(rows), self.projections.shape[1], len(a)))
        for sums in separated:
            features, projections, basis = rows, self.projections, sums.basis
            if self.primal and sums.rest:
                features, projections = rows * self._roots, projections * self._roots[:, None]
            left = self._left(i, np.square(features) @ basis @ sums.weights, a, sums)
            (k, T), r = projections.shape, basis.shape[1]
            inner = (projections[:, :, None] * basis[:, None, :]).reshape(k, T * r)
            fits = (features @ inner).reshape(len(features), T, r)
            for t in range(T):
                fit = fits[:, t] @ sums.weights
                if sums.rest:
                    fit *= a[sums.which]
                else:
                    np.subtract(self.targets.R[i, t, None], fit, out=fit)
                with np.errstate(divide="ignore", invalid="ignore"):
                    out[:, t, sums.which] = np.divide(fit, left, out=fit)
        return out

    def _left(self, i: slice, own: Array, a: Array, sums: _Sums) -> Array:
        """1 - h_i, (rows, strengths), in the place of ``own``."""
        if sums.rest:
            own *= a[sums.which]
            own[self.design.root[i] == 0.0] = 1.0  # rows that no sum sees have no error either
            return own
        lone = 1.0 - self.design.omega[i] if self.design.fit_intercept else np.ones(len(own))
        return np.subtract(lone[:, None], own, out=own)

    def predictions(self, rows: Any, a: Array) -> Array:
        """Predictions of chosen rows by the fits to all, (rows, T, m)."""
        shrink, Z = self.spectrum.shrink(a), self.design.unweighted_rows(rows)
        out = np.empty((len(Z), self.projections.shape[1], len(a)))
        for t in range(out.shape[1]):
            W = product(self.spectrum.vectors, self.projections[:, t, None] * shrink)
            W = W if self.primal else self.design.tdot(W)
            out[:, t] = product(Z, W) + self.targets.mean[t]
        return out

    def folds_left_out(self, folds: Iterable[Any], a: Array) -> Array:
        """Errors sqrt(s_i) (y_i - prediction) of each row when its fold is left out, (n, T, m).

        ``folds`` are arrays of rows; a row in none of them has NaN. |F|^3 a fold and alpha.
        """
        n, T = self.targets.R.shape
        out = np.full((n, T, len(a)), np.nan)
        shrink = self.spectrum.shrink(a)
        for fold in folds:
            F = np.asarray(fold)
            features = (
                product(self.design.chosen_rows(F), self.spectrum.vectors)
                if self.primal
                else self.spectrum.vectors[F]
            )
            for k, strength in enumerate(a):
                out[F, :, k] = self._fold(F, features, float(strength), shrink[:, k])
        return out

    def _fold(self, F: Array, features: Array, a: float, shrink: Array) -> Array:
        own = (features * shrink) @ features.T
        fit = features @ (self.projections * shrink[:, None])
        if not self.primal:
            return np.asarray(linalg.solve(a * own, a * fit, assume_a="sym"))
        left = np.eye(len(F)) - own
        if self.design.fit_intercept:
            u = np.sqrt(self.design.omega[F])
            left -= np.outer(u, u)
        return np.asarray(linalg.solve(left, self.targets.R[F] - fit, assume_a="sym"))


def _without(spectrum: Spectrum, u: Array) -> Spectrum:
    """The spectrum less the null direction u, which belongs to the intercept.

    A reflection of the eigenvectors turns the one nearest to u into u itself; since K u = 0 it
    mixes only vectors of zero eigenvalue.
    """
    w = spectrum.vectors.T @ u
    j = int(np.argmax(np.abs(w)))
    h = w.copy()
    h[j] += math.copysign(1.0, w[j])
    h /= np.linalg.norm(h)
    vectors = spectrum.vectors - 2.0 * np.outer(spectrum.vectors @ h, h)
    kept = np.arange(len(w)) != j
    return replace(spectrum, values=spectrum.values[kept], vectors=vectors[:, kept])

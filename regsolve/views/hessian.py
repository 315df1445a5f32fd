r"""The Hessian's view of L2 and L1: what each penalty does to the coefficients, along which axes.

With Z the weighted, centred (and scaled) X, H = Z'Z / sum s = V diag(L) V' and the least-squares
solution of least norm w* = H^+ Z'R / sum s,

    ridge       V'w = diag(L / (L + alpha)) V'w*       along the eigenvectors, for any H
    lasso       w_j = sign(w*_j) max(|w*_j| - alpha / H_jj, 0)       for a diagonal H alone

so that L2 shrinks each direction by what the data say about it and drops none, while L1 drops
features. Where H is not diagonal the second line is only a view; how far it is off is told.

References
----------
Goodfellow, Bengio and Courville (2016), Deep Learning, section 7.1.
Hastie, Tibshirani and Friedman (2009), The Elements of Statistical Learning, section 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate
from .._threads import blas_threads
from ..penalties import L1
from ..ridge.design import Design, Targets, targets
from ..ridge.direct import LOST
from ..ridge.factors import EPS, Spectrum, eigen, singular
from ..ridge.products import kernel, root_of_gram, root_of_kernel
from ..solve import solve

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..solution import Solution

    Array = NDArray[np.float64]


@dataclass(frozen=True)
class Shrinkage:
    """How a ridge penalty shrinks along each eigenvector of the Hessian.

    Directions of eigenvalue zero are left out: there neither data nor ridge puts anything.

    Attributes
    ----------
    alpha : float, on the mean scale
    eigenvalues : (r,) L of H = Z'Z / sum s above rounding, descending; r is its rank
    n_null : int, p - r
    ols : (r,) V'w*, the least-squares solution of least norm along each direction; None without y
    """

    alpha: float
    eigenvalues: Array
    n_null: int
    ols: Array | None = field(repr=False)
    _design: Design = field(repr=False)
    _targets: Targets | None = field(repr=False)
    _vectors: Array = field(repr=False)  # of Z'Z (p, r), or of Z Z' (n, r) where n < p

    @property
    def factors(self) -> Array:
        """L / (L + alpha), (r,): what is left of the least-squares solution along each one."""
        return np.asarray(self.eigenvalues / (self.eigenvalues + self.alpha))

    @property
    def ridge(self) -> Array | None:
        """V'w of the ridge solution, (r,): ``factors`` times ``ols``."""
        return None if self.ols is None else self.factors * self.ols

    @property
    def df(self) -> float:
        """Effective degrees of freedom: the sum of ``factors``, and 1 for an intercept."""
        return float(np.sum(self.factors)) + float(self._design.fit_intercept)

    @cached_property
    def directions(self) -> Array:
        """The eigenvectors V (p, r), in the units of Z.

        Formed when first asked for: p r numbers, however sparse X is. See :meth:`direction`. The
        largest entry of each (of its twin among the rows where n < p) is positive.
        """
        return self._formed(slice(None))

    def direction(self, k: int) -> Array:
        """Eigenvector k alone, (p,)."""
        return np.asarray(self._formed([k])[:, 0])

    def _formed(self, k: Any) -> Array:
        V = self._vectors[:, k]
        return V if self._primal else self._design.tdot(V / self._lengths[k])

    @property
    def _primal(self) -> bool:
        return self._design.n >= self._design.p

    @property
    def _lengths(self) -> Array:
        """Singular values of Z, (r,)."""
        return np.sqrt(self.eigenvalues * self._design.total)

    @property
    def coef_ols(self) -> Array:
        """w* in X's units, (p,)."""
        return self._coefficients(self.ols)

    @property
    def coef_ridge(self) -> Array:
        """The ridge solution at ``alpha`` in X's units, (p,)."""
        return self._coefficients(self.ridge)

    @property
    def intercept_ols(self) -> float:
        """The intercept that goes with ``coef_ols``."""
        return self._intercept(self.coef_ols)

    @property
    def intercept_ridge(self) -> float:
        """The intercept that goes with ``coef_ridge``."""
        return self._intercept(self.coef_ridge)

    def _coefficients(self, along: Array | None) -> Array:
        if along is None:
            raise ValueError("coefficients need y: call shrinkage(X, alpha, y)")
        weights = along[:, None] if self._primal else (along / self._lengths)[:, None]
        W = self._vectors @ weights
        W = W if self._primal else self._design.tdot(W)
        return self._design.coefficients(W)[:, 0]

    def _intercept(self, coef: Array) -> float:
        if not self._design.fit_intercept or self._targets is None:
            return 0.0
        return float(self._targets.mean[0] - self._design.mean @ coef)

    def at(self, alpha: float) -> Shrinkage:
        """The same view at another strength, without a new factorisation."""
        return replace(self, alpha=_validate.non_negative_number("alpha", alpha))


def shrinkage(
    X: Any,
    alpha: float,
    y: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    n_threads: int | None = None,
) -> Shrinkage:
    """What ridge does along each eigenvector of the Hessian H = X'SX / sum s.

    One factorisation of the smaller of Z'Z and Z Z'; where its condition is above 1e7, of a
    triangular root of it. X is never made dense whole.

    Parameters
    ----------
    X : array or SciPy sparse matrix, (n, p)
    alpha : float >= 0
        On the mean scale: that of ``solve(penalty=L2(alpha))``, scikit-learn's over sum s.
    y : (n,), optional
        Target; without it there are eigenvalues and factors, but no coefficients.
    sample_weight : (n,), optional
    fit_intercept : bool
        H is of centred columns.
    standardize : bool
        H is of columns scaled to deviation 1; constant columns are out.
    n_threads : int, optional

    Returns
    -------
    Shrinkage

    Raises
    ------
    ValueError
        Bad input; the message names the argument.
    """
    alpha = _validate.non_negative_number("alpha", alpha)
    checked = _validate.design(X)
    n = checked.shape[0]
    weight = _validate.sample_weight(sample_weight, n)
    target = np.zeros(n) if y is None else _validate.target(y, n)
    threads = _validate.threads(n_threads)
    with blas_threads(n_threads):
        design = Design(checked, X, weight, fit_intercept, standardize, threads)
        centred = targets(design, target[:, None])
        spectrum, right = _spectrum(design, centred)
        return _view(design, centred, spectrum, right, alpha, y is not None)


def _spectrum(design: Design, centred: Targets) -> tuple[Spectrum, Array]:
    """The spectrum of Z'Z with Z'R, or of Z Z' with R where n < p; of a root where it is needed."""
    primal = design.n >= design.p
    S = design.read_gram() if primal else kernel(design)
    right = design.tdot(centred.R) if primal else centred.R
    spectrum = eigen(S)
    if not primal and design.fit_intercept:  # the least value is that of the intercept
        spectrum = Spectrum(spectrum.values[1:], spectrum.vectors[:, 1:])
    if len(spectrum.values) and spectrum.values[0] * LOST < spectrum.values[-1]:
        root = root_of_gram(design, centred.R) if primal else (root_of_kernel(design),)
        spectrum = singular(*root)
    return spectrum, spectrum.projected(right)


def _view(
    design: Design,
    centred: Targets,
    spectrum: Spectrum,
    projections: Array,
    alpha: float,
    with_target: bool,
) -> Shrinkage:
    order = np.argsort(-spectrum.values, kind="stable")
    lengths = np.sqrt(spectrum.values[order])
    floor = EPS * max(design.n, design.p) * float(np.max(lengths, initial=0.0))
    order = order[lengths > floor]
    L, vectors = spectrum.values[order], spectrum.vectors[:, order]
    along = projections[order, 0] / (L if design.n >= design.p else np.sqrt(L))
    if len(order):
        largest = np.argmax(np.abs(vectors), axis=0)
        signs = np.sign(vectors[largest, np.arange(len(order))])
        vectors, along = vectors * signs, along * signs
    return Shrinkage(
        alpha,
        L / design.total,
        design.p - len(L),
        along if with_target else None,
        design,
        centred if with_target else None,
        vectors,
    )


@dataclass(frozen=True)
class SoftThreshold:
    """The lasso as a soft threshold of the least-squares solution, and how far that is from it.

    Attributes
    ----------
    alpha : float
    curvatures : (p,) H_jj
    ols : (p,) w*, least squares of least norm
    coef : (p,) sign(w*_j) max(|w*_j| - alpha / H_jj, 0): the lasso, if H were diagonal
    lasso : Solution of the lasso itself, with its certificate
    distance : float, max_j |coef_j - lasso_j|
    excess : float, how far the objective at ``coef`` (with its best intercept) is above the least
        one, over that of the null model: a proven bound
    off_diagonal : float in [0, 1], the share of H's Frobenius norm that lies off its diagonal;
        0 for a diagonal H, where ``coef`` is the lasso
    """

    alpha: float
    curvatures: Array = field(repr=False)
    ols: Array = field(repr=False)
    coef: Array = field(repr=False)
    lasso: Solution = field(repr=False)
    distance: float
    excess: float
    off_diagonal: float


def soft_threshold_view(
    X: Any,
    y: ArrayLike,
    alpha: float,
    *,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    n_threads: int | None = None,
) -> SoftThreshold:
    """Soft-threshold the least-squares solution by alpha / H_jj and hold it against the lasso.

    Parameters
    ----------
    X : array or SciPy sparse matrix, (n, p)
    y : (n,)
    alpha : float >= 0
    sample_weight : (n,), optional
    fit_intercept : bool
    n_threads : int, optional

    Returns
    -------
    SoftThreshold

    Raises
    ------
    ValueError
        Bad input; the message names the argument.
    """
    from ..certificate import verify

    alpha = _validate.non_negative_number("alpha", alpha)
    options: dict[str, Any] = {"sample_weight": sample_weight, "fit_intercept": fit_intercept}
    view = shrinkage(X, 0.0, y, n_threads=n_threads, **options)
    design, ols = view._design, view.coef_ols
    H = design.norm**2
    threshold = np.divide(alpha, H, out=np.full(design.p, np.inf), where=H > 0)
    coef = np.sign(ols) * np.maximum(np.abs(ols) - threshold, 0.0)
    lasso = solve(X, y, penalty=L1(alpha), n_threads=n_threads, **options)
    judged = verify(X, y, coef, view._intercept(coef), penalty=L1(alpha), **options)
    bound = max(judged.primal - max(judged.dual, lasso.certificate.dual), 0.0)
    null = 0.0 if view._targets is None else 0.5 * float(view._targets.square[0]) / design.total
    return SoftThreshold(
        alpha,
        H,
        ols,
        coef,
        lasso,
        distance=float(np.max(np.abs(coef - lasso.coef), initial=0.0)),
        excess=bound / null if null > 0.0 else (np.inf if bound > 0.0 else 0.0),
        off_diagonal=_off_diagonal(view, H),
    )


def _off_diagonal(view: Shrinkage, H: Array) -> float:
    """Share of ||H||_F off its diagonal: ||H||_F^2 is the sum of the squared eigenvalues."""
    if len(view.eigenvalues) == 0:
        return 0.0
    top = view.eigenvalues[0]
    whole = float(np.sum((view.eigenvalues / top) ** 2))
    off = whole - float(np.sum((H / top) ** 2))
    return float(np.sqrt(off / whole)) if off > len(H) * EPS * whole else 0.0

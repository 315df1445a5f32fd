"""Iterative refinement of ill-conditioned answers by residuals of X itself.

    r = R - Z w,  g = Z'r - a w,  w += (Z'Z + a I)^{-1} g;     for n < p on c, with w = Z'c.

Residuals in float64 undo what forming Z'Z or Z Z' has lost: the answer is then as good as from an
orthogonal factorisation of Z (corrected seminormal equations). With 64 bits of mantissa
(np.longdouble on x86; elsewhere it may be no longer than float64 and little is gained) each step
wins what the factor is worth until w itself is exact to float64.

References
----------
Higham (2002), Accuracy and Stability of Numerical Algorithms, chapter 12. Björck (1987), Stability
analysis of the method of seminormal equations for linear least squares problems.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .design import Design, Targets
from .factors import EPS, Spectrum

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]
    Product = Callable[[Array], Array]

LARGEST = 1 << 19  # entries of X that are made long
MOST_WORK = 1 << 26  # products of entries and solutions
LITTLE_WORK = 1 << 22  # the same where float64 residuals are to cost next to nothing
STEPS = 6


class Factor(Protocol):
    """What solves (S + a_q I) c = B[:, t_q]."""

    def solve(self, B: Array, a: Array, t: Integers) -> Array:
        """(k, Q)."""


def corrected(
    design: Design,
    targets: Targets,
    factor: Factor,
    primal: bool,
    C: Array,
    a: Array,
    t: Integers,
    most_work: float = LITTLE_WORK,
) -> Array:
    """C (k, Q) of the normal equations after steps on residuals of X in float64.

    As it is where X has too many entries for so many solutions.
    """
    if float(design.storage.n_values) * len(a) > most_work:
        return C
    R, columns = targets.R[:, t], np.arange(len(a))

    def step(x: Array) -> Array:
        if primal:
            residual = design.tdot(R - design.dot(x)) - a * x
        else:
            residual = R - design.dot(design.tdot(x)) - a * x
        return factor.solve(residual, a, columns)

    return np.asfortranarray(_iterated(step, C.copy(order="F")))


def polished(
    design: Design, targets: Targets, factor: Factor, W: Array, a: Array, t: Integers
) -> Array:
    """W = Z'c (p, Q) after steps on g = Z'(R - Z w) - a w itself, as c cancels in Z'c."""
    R = targets.R[:, t]

    def step(w: Array) -> Array:
        g = design.tdot(R - design.dot(w)) - a * w
        return _through_rows(g, design.dot, design.tdot, factor, a)

    return np.asfortranarray(_iterated(step, W.copy(order="F")))


def _through_rows(g: Array, dot: Product, tdot: Product, factor: Factor, a: Array) -> Array:
    """(Z'Z + a I)^{-1} g = (g - Z'(Z Z' + a I)^{-1} Z g) / a."""
    return np.asarray((g - tdot(factor.solve(dot(g), a, np.arange(len(a))))) / a)


def refined(
    design: Design,
    targets: Targets,
    spectrum: Spectrum,
    primal: bool,
    W: Array,
    a: Array,
    t: Integers,
) -> Array:
    """W (p, Q) refined where X is small; as it is elsewhere and where a step does not converge."""
    size = design.n * design.p
    if size > LARGEST or size * len(a) > MOST_WORK or not len(a):
        return W
    Z, R = _long(design, targets, t)
    factor = replace(spectrum, projections=None)
    solve = factor.solve if primal else factor.solve_range
    columns = np.arange(len(a))

    def residual(x: Any) -> Any:
        if primal:
            return Z.T @ (R - Z @ x) - a * x
        return R - Z @ (Z.T @ x) - a * x

    def step(x: Any) -> Array:
        return solve(np.asarray(residual(x), dtype=np.float64), a, columns)

    start = W if primal else factor.solve_range(targets.R, a, t)
    x = _iterated(step, start.astype(np.longdouble))
    if primal:
        return np.asfortranarray(x, dtype=np.float64)
    w = _polished(Z.T @ x, Z, R, factor, a)
    return np.asfortranarray(w, dtype=np.float64)


def _polished(w: Any, Z: Any, R: Any, factor: Spectrum, a: Array) -> Any:
    """Solutions polished, where a exceeds the rounding of the largest eigenvalue."""
    q = np.flatnonzero(a > 10.0 * EPS * float(np.max(factor.values, initial=0.0)))
    if not len(q):
        return w
    some, short = a[q], np.asarray(Z, dtype=np.float64)

    def step(v: Any) -> Array:
        g = np.asarray(Z.T @ (R[:, q] - Z @ v) - some * v, dtype=np.float64)
        return _through_rows(g, short.__matmul__, short.T.__matmul__, factor, some)

    w[:, q] = _iterated(step, w[:, q])
    return w


def _iterated(step: Any, x: Any) -> Any:
    """X plus steps, each column while its steps at least halve."""
    last = np.full(x.shape[1], np.inf)
    for _ in range(STEPS):
        change = step(x)
        length = np.linalg.norm(change, axis=0)
        better = length < 0.5 * last
        x[:, better] += change[:, better]
        last = np.where(better, length, 0.0)
        if not np.any(last > 0.1 * EPS * np.linalg.norm(x.astype(np.float64), axis=0)):
            break
    return x


def _long(design: Design, targets: Targets, t: Integers) -> tuple[Any, Any]:
    """Z and the chosen targets' rows of it, centred in long floats."""
    X = design.storage.rows(slice(0, design.n)).astype(np.longdouble)
    Y = targets.Y.astype(np.longdouble)
    design.passes += 1.0
    if design.fit_intercept:
        omega = design.weight.astype(np.longdouble)
        omega /= omega.sum()
        X -= omega @ X
        Y -= omega @ Y
    root = np.sqrt(design.weight.astype(np.longdouble))[:, None]
    return root * X * design.scale, (root * Y)[:, t]

"""Iterative refinement of ill-conditioned answers, residuals in the longest floats of the machine.

    r = R - Z w,  g = Z'r - a w,  w += (Z'Z + a I)^{-1} g;     for n < p on c, with w = Z'c.

With 64 bits of mantissa in residuals (np.longdouble on x86; elsewhere it may be no longer than
float64 and little is gained) each step wins what the factor is worth until w itself is exact to
float64.

References
----------
Higham (2002), Accuracy and Stability of Numerical Algorithms, chapter 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .design import Design, Targets
from .factors import EPS, Spectrum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

LARGEST = 1 << 19  # entries of X that are made long
MOST_WORK = 1 << 26  # products of entries and solutions
STEPS = 6


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
    factor = Spectrum(spectrum.values, spectrum.vectors)
    columns = np.arange(len(a))

    def residual(x: Any) -> Any:
        if primal:
            return Z.T @ (R - Z @ x) - a * x
        return R - Z @ (Z.T @ x) - a * x

    def step(x: Any) -> Array:
        return factor.solve(np.asarray(residual(x), dtype=np.float64), a, columns)

    start = W if primal else factor.solve(targets.R, a, t)
    x = _iterated(step, start.astype(np.longdouble))
    return np.asfortranarray(x if primal else Z.T @ x, dtype=np.float64)


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

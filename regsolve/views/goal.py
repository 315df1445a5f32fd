"""What a fit in the Lagrange form must reach, what is found, and where only w = 0 is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..judge.rounding import RETURNED
from ..ridge.design import Design, Targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


Norms = tuple[float, float]  # ||w||_1 and ||r||^2
ROUNDING = 1e-14  # of ||R||^2: a residual that near is that of w = 0


@dataclass(frozen=True)
class Goal:
    """What alpha must reach: ||w||_1 = radius, or mean-scale ||r|| = residual."""

    radius: float | None
    residual: float | None

    @property
    def bound(self) -> float:
        """The radius, or the residual."""
        bound = self.radius if self.residual is None else self.residual
        assert bound is not None
        return bound

    def reached(self, length: float, square: float) -> bool:
        """Whether alpha is as small as it need be, or smaller."""
        if self.residual is None:
            assert self.radius is not None
            return length >= self.radius
        return square <= self.residual * self.residual

    def alpha(self, alpha: float, length: float, square: float, slope: float) -> float:
        """The alpha that meets it on the present line, d'g = ``slope``."""
        if self.residual is None:
            assert self.radius is not None
            return alpha + (length - self.radius) / slope
        inner = alpha**2 + (self.residual * self.residual - square) / slope
        return math.sqrt(inner) if inner > 0.0 else -1.0

    def between(
        self, high: float, low: float, at_high: Norms, at_low: Norms, slope: float | None
    ) -> float:
        """About the alpha in [low, high] that meets it, both ends known.

        By the parabola through both, in alpha or for a residual in alpha^2, that has the line's
        d'g = ``slope`` at ``high``; by the chord without one.
        """
        of_residual = self.residual is not None
        power, part = (2, 1) if of_residual else (1, 0)
        most = high**power - low**power  # of u = high^power - alpha^power
        if most <= 0.0:
            return high
        whole, wanted = at_low[part] - at_high[part], self.bound**power - at_high[part]
        first = whole / most
        if slope is not None and math.isfinite(slope):
            first = -slope if of_residual else slope
        bend = (whole / most - first) / most
        # first u + bend u^2 = wanted, in the form that does not cancel where bend is small
        root = first**2 + 4.0 * bend * wanted
        bottom = first + math.copysign(math.sqrt(max(root, 0.0)), first)
        u = 2.0 * wanted / bottom if bottom else most * wanted / whole
        if not 0.0 < u < most:
            u = most * wanted / whole if whole else 0.5 * most
        left = high**power - u
        return math.sqrt(max(left, 0.0)) if of_residual else left


@dataclass
class Found:
    """w in the view's units; on the mean scale, c = Z'r there and at w = 0, and ||r||^2."""

    alpha: float
    w: Array
    mode: str
    why: str
    n_solves: int = 0
    c: Array | None = None
    at_null: Array | None = None
    square: float = math.nan
    blur: float = 0.0  # what rounding a Gram matrix may have put into the norm of c


def null_square(design: Design, centred: Targets) -> float:
    """||R||^2 / sum s, 0 where it is rounding."""
    square = float(centred.square[0]) / design.total
    return 0.0 if centred.constant(design.weight)[0] else square


def refuse(goal: Goal, square: float, null: float) -> None:
    """The residual asked for is below that of least squares, by more than rounding of w = 0's."""
    least = math.sqrt(max(square, 0.0))
    rounding = math.sqrt(RETURNED * null)
    if goal.residual is not None and goal.residual + rounding < least * (1.0 - 1e-9):
        raise ValueError(f"residual={goal.residual:g}: least squares leave {least:.6g}, allow more")


def only_zero(design: Design, centred: Targets, goal: Goal, exponent: float) -> Found | None:
    """W = 0 where nothing else fits, or where it is asked for."""
    square = null_square(design, centred)
    enough = goal.residual is not None and goal.reached(0.0, square * (1.0 - ROUNDING))
    if not (square == 0.0 or goal.radius == 0.0 or enough):
        return None
    c = correlations(design, centred.R)[:, 0]
    alpha = float(np.max(np.abs(c), initial=0.0)) if exponent == 1.0 else math.inf
    if square == 0.0 or not c.any():
        alpha = 0.0
    c = np.zeros_like(c) if square == 0.0 else c
    return Found(alpha, np.zeros(design.p), "null", "w = 0 is all that fits", 0, c, c, square)


def correlations(design: Design, R: Array) -> Array:
    """Z'R / sum s for R (n, q), (p, q)."""
    design.read_statistics()
    product = design.tdot(R) / design.total
    product[design.norm == 0.0] = 0.0  # constant columns: what is left is rounding
    return np.asarray(product)

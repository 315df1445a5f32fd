r"""Lq norms and their unit balls.

    ||w||_q = (sum_j |w_j|^q)^(1/q),  q > 0;      ||w||_inf = max_j |w_j|

For q >= 1 it is a norm and its balls are convex. For q < 1 the triangle inequality fails and the
balls are star-shaped with spikes along the axes: a penalty of that kind is not convex. At q = 1
the corners lie on the axes, which is why the L1 penalty drops features; at q = 2 there are none.

References
----------
Hastie, Tibshirani and Friedman (2009), The Elements of Statistical Learning, section 3.4.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]


def checked_exponent(q: Any) -> float:
    """A number q in (0, inf]."""
    if isinstance(q, bool) or not isinstance(q, int | float | np.number) or not q > 0:
        raise ValueError(f"q={q!r}: expected a number > 0, or inf")
    return float(q)


def lq_norm(w: ArrayLike, q: float, axis: int | None = None) -> Any:
    """(sum |w|^q)^(1/q) over ``axis``, or over all of ``w``; max |w| for q = inf.

    Scaled by the largest entry, so that neither huge nor tiny entries leave float64.

    Parameters
    ----------
    w : array of real numbers
    q : float in (0, inf]
        Below 1 it is no norm: the triangle inequality fails.
    axis : int, optional

    Returns
    -------
    float, or an array without ``axis``

    Raises
    ------
    ValueError
        q that is not above 0.
    """
    q = checked_exponent(q)
    size = np.abs(np.asarray(w, dtype=np.float64))
    largest = np.max(size, axis=axis, keepdims=True, initial=0.0)
    if math.isinf(q):
        return _reduced(largest, axis)
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    with np.errstate(over="ignore", under="ignore"):
        total = np.sum((size / unit) ** q, axis=axis, keepdims=True) ** (1.0 / q)
        return _reduced(total * unit, axis)


def _reduced(values: Array, axis: int | None) -> Any:
    """A float where there is no axis, else the array without it."""
    return float(values.ravel()[0]) if axis is None else np.squeeze(values, axis=axis)


def dual_exponent(q: float) -> float:
    """The exponent r of the dual norm, 1/q + 1/r = 1: max over ||w||_q <= 1 of c'w is ||c||_r.

    For q <= 1 it is inf: a ball with q < 1 has the L1 ball as its convex hull.
    """
    q = checked_exponent(q)
    if q <= 1.0:
        return math.inf
    return 1.0 if math.isinf(q) else q / (q - 1.0)


@dataclass(frozen=True)
class NormBall:
    """The ball ||w||_q <= radius in two dimensions.

    Attributes
    ----------
    q, radius : float
    points : (m, 2) its boundary, anticlockwise from (radius, 0) and closed: the last is the first.
    convex : bool, q >= 1
    """

    q: float
    radius: float
    points: Array = field(repr=False)

    @property
    def convex(self) -> bool:
        """Whether the segment between any two of its points stays inside: q >= 1."""
        return self.q >= 1.0


def norm_ball(q: float, radius: float = 1.0, n_points: int = 400) -> NormBall:
    """The ball ||w||_q <= radius in the plane, as points of its boundary.

    Four equal arcs, so that the corners of the L1 ball and of balls with q < 1, on the axes, and
    those of the L-infinity ball, on the diagonals, are points themselves. Below q = 1 the points
    are radius (cos^(2/q) t, sin^(2/q) t), which crowds them into the spikes.

    Parameters
    ----------
    q : float in (0, inf]
    radius : float >= 0
    n_points : int
        Rounded up to a multiple of 8; one more closes the curve.

    Returns
    -------
    NormBall

    Raises
    ------
    ValueError
        q that is not above 0, a radius that is negative or not finite, fewer than one point.
    """
    q = checked_exponent(q)
    if not (math.isfinite(radius) and radius >= 0.0):
        raise ValueError(f"radius={radius!r}: expected a finite number >= 0")
    if n_points < 1:
        raise ValueError(f"n_points={n_points!r}: expected an integer >= 1")
    half = -(-int(n_points) // 8)
    t = np.arange(2 * half) * (math.pi / (4 * half))
    arc = np.column_stack([np.cos(t), np.sin(t)])
    arc[0], arc[half] = (1.0, 0.0), math.sqrt(0.5)
    if q < 1.0:
        arc = arc ** (2.0 / q)
    arc = arc / lq_norm(arc, q, axis=1)[:, None]
    turned = [arc]
    for _ in range(3):
        turned.append(np.column_stack([-turned[-1][:, 1], turned[-1][:, 0]]))
    points = np.vstack([*turned, arc[:1]])
    return NormBall(q, float(radius), radius * points + 0.0)

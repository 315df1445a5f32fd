r"""Exact projections onto balls of norms, in time proportional to the number of entries.

The nearest point to v of {x : sum_j [a_j |x_j| + l2 x_j^2 / 2] <= C} is

    x_j = sign(v_j) max(|v_j| - t a_j, 0) / (1 + t l2)

with one multiplier t >= 0. Over a set A of entries that stay non-zero it solves

    l2 t^2 + 2 t = N / D,   N = sum_A (l2 v_j^2 + 2 a_j |v_j|) - 2 C,   D = sum_A a_j^2 + 2 l2 C,

and A is {j : |v_j| / a_j > t}. A median of the candidates |v_j| / a_j is tried: if the t of those
at or above it lies below it they are all in A, else none at or below it is; either way half of the
candidates are settled. With medians by selection the work is p (1 + 1/2 + 1/4 + ...).

References
----------
Duchi, Shalev-Shwartz, Singer and Chandra (2008), Efficient projections onto the l1-ball for
learning in high dimensions. Condat (2016), Fast projection onto the simplex and the l1 ball.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate
from .norms import lq_norm

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]


def project_l2(v: ArrayLike, radius: float) -> Array:
    """Nearest point to v (p,) with ||x||_2 <= radius: v radius / ||v||_2 where v is outside.

    Raises ValueError on a negative radius, or on NaN or infinity.
    """
    v, radius = _checked(v), _validate.non_negative_number("radius", radius)
    norm = lq_norm(v, 2.0)
    return v.copy() if norm <= radius else v * (radius / norm)


def project_simplex(v: ArrayLike, total: float = 1.0) -> Array:
    """Nearest point to v (p,) with x >= 0 and sum x = total: max(v - t, 0).

    Entries are first counted from the largest of them: those that stay within ``total`` of it are
    all that matter, so that no digits go to a common offset.

    Raises ValueError on a negative total, on NaN or infinity, or where p = 0 and total > 0.
    """
    v, total = _checked(v), _validate.non_negative_number("total", total)
    if len(v) == 0:
        if total > 0.0:
            raise ValueError(f"v is empty: nothing sums to total={total:g}")
        return v.copy()
    if total == 0.0:
        return np.zeros(len(v))
    with np.errstate(over="ignore"):  # entries lower by ``total`` or more end at 0
        below = np.maximum((v - np.max(v)) / total, -1.0)
    t = _threshold(below, below, np.ones(len(v)), 1.0, 0.0)
    return np.asarray(total * np.maximum(below - t, 0.0))


def project_l1(v: ArrayLike, radius: float, weights: ArrayLike | None = None) -> Array:
    """Nearest point to v (p,) with sum_j f_j |x_j| <= radius.

    Parameters
    ----------
    v : (p,)
    radius : float >= 0
    weights : (p,) in [0, inf], optional
        f_j, ones by default; 0 leaves v_j as it is, inf sends it to 0.

    Raises
    ------
    ValueError
        A negative radius or weight, NaN or infinity in v, lengths that differ.
    """
    v, radius = _checked(v), _validate.non_negative_number("radius", radius)
    size = np.abs(v)
    if weights is None:
        if lq_norm(size, 1.0) <= radius:
            return v.copy()
        return np.copysign(project_simplex(size, radius), v) + 0.0
    return _onto_elastic(v, _checked_weights(weights, len(v)), 0.0, radius)


def project_elastic(
    v: ArrayLike, radius: float, l1: float = 1.0, l2: float = 1.0, weights: ArrayLike | None = None
) -> Array:
    """Nearest point to v (p,) with l1 sum_j f_j |x_j| + l2 ||x||_2^2 / 2 <= radius.

    Parameters
    ----------
    v : (p,)
    radius : float >= 0
    l1, l2 : float >= 0
    weights : (p,) in [0, inf], optional
        f_j of the first term, ones by default.

    Raises
    ------
    ValueError
        A negative radius, strength or weight, NaN or infinity in v, lengths that differ.
    """
    v, radius = _checked(v), _validate.non_negative_number("radius", radius)
    l1 = _validate.non_negative_number("l1", l1)
    l2 = _validate.non_negative_number("l2", l2)
    factors = np.ones(len(v)) if weights is None else _checked_weights(weights, len(v))
    strengths = np.multiply(l1, factors, out=np.zeros(len(v)), where=(factors > 0) & (l1 > 0))
    strengths[np.isinf(factors)] = np.inf
    return _onto_elastic(v, strengths, l2, radius)


def project_groups(
    v: ArrayLike, groups: ArrayLike, radius: float, weights: ArrayLike | None = None
) -> Array:
    """Nearest point to v (p,) with sum_g f_g ||x_g||_2 <= radius.

    The norms of the groups are projected onto the weighted L1 ball and each group is scaled.

    Parameters
    ----------
    v : (p,)
    groups : (p,) integer label of each entry
    radius : float >= 0
    weights : (n_groups,) in [0, inf], optional
        f_g in ascending order of the labels, ones by default.

    Raises
    ------
    ValueError
        A negative radius or weight, NaN or infinity in v, lengths that differ.
    """
    v = _checked(v)
    labels = np.asarray(groups)
    if labels.shape != v.shape or (labels.size and labels.dtype.kind not in "iub"):
        raise ValueError(f"groups has shape {labels.shape}: expected {v.shape} integers")
    _, group = np.unique(labels, return_inverse=True)
    n_groups = int(group.max(initial=-1)) + 1
    largest = np.zeros(n_groups)
    np.maximum.at(largest, group, np.abs(v))
    unit = np.where(largest > 0, largest, 1.0)
    norms = unit * np.sqrt(np.bincount(group, (v / unit[group]) ** 2, minlength=n_groups))
    kept = project_l1(norms, radius, weights)
    ratio = np.divide(kept, norms, out=np.zeros(n_groups), where=norms > 0)
    return np.asarray(v * ratio[group])


def _onto_elastic(v: Array, a: Array, l2: float, radius: float) -> Array:
    """Nearest point with sum_j a_j |x_j| + l2 ||x||^2 / 2 <= radius, 0 <= a_j <= inf.

    In units of the largest |v_j| and of the largest finite a_j, so that squares stay in range.
    """
    out = np.isinf(a)
    if out.any():
        x = np.zeros(len(v))
        x[~out] = _onto_elastic(v[~out], a[~out], l2, radius)
        return x
    largest = float(np.max(np.abs(v), initial=0.0))
    steepest = max(float(np.max(a, initial=0.0)), l2 * largest)
    if largest == 0.0 or steepest == 0.0:
        return v.copy()
    size, a, l2 = np.abs(v) / largest, a / steepest, l2 * largest / steepest
    radius = radius / largest / steepest
    if float(a @ size) + 0.5 * l2 * float(size @ size) <= radius:
        return v.copy()
    if radius == 0.0:
        return np.where((a > 0) | (l2 > 0), 0.0, v)
    reach = np.divide(size, a, out=np.full(len(v), np.inf), where=a > 0)
    t = _threshold(reach, size, a, radius, l2)
    if not math.isfinite(t):  # a radius below rounding of v
        return np.where((a > 0) | (l2 > 0), 0.0, v)
    x = np.maximum(size - t * a, 0.0) / (1.0 + t * l2)
    return np.copysign(_on_boundary(x, a, l2, radius) * largest, v) + 0.0


def _on_boundary(x: Array, a: Array, l2: float, radius: float) -> Array:
    """Small entries x >= 0, differences of large ones, without what rounding left of those.

    Newton steps in the multiplier t, along dx/dt = -(a + l2 x) / (1 + t l2), made on x itself.
    """
    for _ in range(2):
        along = np.where(x > 0.0, a + l2 * x, 0.0)
        square = float(along @ along)
        if square > 0.0:
            over = float(a @ x) + 0.5 * l2 * float(x @ x) - radius
            x = np.maximum(x - along * (over / square), 0.0)
    return x


def _threshold(reach: Array, size: Array, a: Array, radius: float, l2: float) -> float:
    """The multiplier t: entries with ``reach`` above it stay; see the head of this file."""
    n, d, t = -2.0 * radius, 2.0 * l2 * radius, math.inf
    terms = l2 * size**2 + 2.0 * a * size
    squares = a**2
    while len(reach):
        middle = len(reach) // 2
        pivot = np.partition(reach, middle)[middle]
        above = reach >= pivot
        n_all, d_all = n + float(terms[above].sum()), d + float(squares[above].sum())
        trial = _root(n_all, d_all, l2)
        if trial < pivot:  # all of them stay
            n, d, t, kept = n_all, d_all, trial, ~above
        else:
            kept = reach > pivot
            if not (kept.any() or math.isfinite(t)):  # a radius below rounding: the furthest stay
                t = trial
        reach, terms, squares = reach[kept], terms[kept], squares[kept]
    return t


def _root(n: float, d: float, l2: float) -> float:
    """The root t of l2 t^2 + 2 t = n / d that is 0 at n = 0; -inf where nothing bears on it."""
    if d <= 0.0:
        return -math.inf
    q = n / d
    return q / (1.0 + math.sqrt(max(1.0 + l2 * q, 0.0)))


def _checked(v: Any) -> Array:
    array = np.asarray(v)
    return _validate.vector("v", array, array.size, "entries")


def _checked_weights(weights: Any, n: int) -> Array:
    f = np.asarray(weights, dtype=np.float64)
    if f.shape != (n,) or np.isnan(f).any() or (f < 0).any():
        raise ValueError(f"weights has shape {f.shape}: expected ({n},) numbers in [0, inf]")
    return f

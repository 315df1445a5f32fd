"""The penalties l1_j |w_j| + l2_j w_j^2 / 2 between bounds, and their scalar rules over arrays."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]
    Mask = NDArray[np.bool_]

# A coefficient outside its bound by no more than this share of the bound counts as on it.
BOUND_ROUNDING = 1e-12
EPS = float(np.finfo(np.float64).eps)


def checked_alpha(alpha: Any) -> float:
    """Finite alpha >= 0 as a float, or ValueError."""
    try:
        value = math.nan if isinstance(alpha, bool) else float(alpha)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not (math.isfinite(value) and value >= 0.0):
        raise ValueError(f"alpha={alpha!r}: expected a finite number >= 0")
    return value


def _scalar_or_vector(name: str, given: Any) -> Any:
    """Float, or a read-only float64 copy of shape (p,); ValueError on NaN and other shapes."""
    try:
        array = np.array(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number or an array (p,) of numbers") from None
    if array.ndim > 1:
        raise ValueError(f"{name} has shape {array.shape}: expected a number or an array (p,)")
    if np.isnan(array).any():
        raise ValueError(f"{name} holds NaN: expected one number for each feature")
    array.setflags(write=False)
    return float(array) if array.ndim == 0 else array


def checked_weights(weights: Any) -> Any:
    """Penalty factors f_j >= 0, or ValueError."""
    if weights is None:
        return None
    weights = _scalar_or_vector("weights", weights)
    if np.any(np.asarray(weights) < 0):
        raise ValueError("weights holds a negative factor: use 0 for unpenalised and inf for out")
    return weights


def spread(name: str, value: Any, p: int) -> Vector:
    """Scalar or (p,) array as a (p,) array."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 1 and len(array) != p:
        raise ValueError(f"{name} has {len(array)} entries but X has {p} features: give one each")
    return np.ascontiguousarray(np.broadcast_to(array, (p,)))


def factors_of(weights: Any, p: int) -> Vector:
    """Penalty factors f_j, 1 without weights; (p,)."""
    return spread("weights", 1.0 if weights is None else weights, p)


def excluded_of(weights: Any, p: int, scale: Vector | None) -> Mask:
    """Features of infinite factor or e_j = 0; (p,)."""
    out = np.isinf(factors_of(weights, p))
    return out if scale is None else out | (np.asarray(scale) == 0.0)


@dataclass(frozen=True, eq=False)
class Separable:
    """Strengths l1_j, l2_j and bounds: l1_j |w_j| + l2_j w_j^2 / 2 on lower_j <= w_j <= upper_j."""

    alpha: float = 1.0
    l1_ratio: float = 0.5
    _: KW_ONLY
    weights: ArrayLike | None = None
    lower: ArrayLike | None = None
    upper: ArrayLike | None = None
    positive: bool = False

    convex: ClassVar[bool] = True
    has_conjugate: ClassVar[bool] = True
    has_subdiff_distance: ClassVar[bool] = True

    def __post_init__(self) -> None:
        number = isinstance(self.l1_ratio, Real) and not isinstance(self.l1_ratio, bool)
        if not (number and 0.0 <= self.l1_ratio <= 1.0):
            raise ValueError(f"l1_ratio={self.l1_ratio!r}: expected a number in [0, 1]")
        checked = {"alpha": checked_alpha(self.alpha), "weights": checked_weights(self.weights)}
        for name in ("lower", "upper"):
            given = getattr(self, name)
            checked[name] = None if given is None else _scalar_or_vector(name, given)
        if self.positive not in (True, False):
            raise ValueError(f"positive={self.positive!r}: expected True or False")
        if self.positive:
            if checked["lower"] is not None and np.any(checked["lower"]):
                raise ValueError("positive=True means lower=0: give one of positive and lower")
            checked["lower"] = 0.0
        if checked["lower"] is not None and np.any(np.asarray(checked["lower"]) > 0):
            raise ValueError("lower > 0 excludes 0: lower <= 0 <= upper is required")
        if checked["upper"] is not None and np.any(np.asarray(checked["upper"]) < 0):
            raise ValueError("upper < 0 excludes 0: lower <= 0 <= upper is required")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def with_alpha(self, alpha: float) -> Self:
        """Return the same penalty at another alpha."""
        return replace(self, alpha=alpha)

    def factors(self, p: int) -> Vector:
        """Penalty factors f_j, (p,)."""
        return factors_of(self.weights, p)

    def excluded(self, p: int, scale: Vector | None = None) -> Mask:
        """Features that are out, w_j = 0: infinite factor, or e_j = 0; (p,)."""
        return excluded_of(self.weights, p, scale)

    def unpenalised(self, p: int, scale: Vector | None = None) -> Mask:
        """Features that are not out and have l1_j = l2_j = 0, (p,)."""
        l1, l2, _, _ = self.strengths(p, scale)
        absent: Mask = (l1 == 0.0) & (l2 == 0.0) & ~self.excluded(p, scale)
        return absent

    def bounds(self, p: int, scale: Vector | None = None) -> tuple[Vector, Vector]:
        """Bounds lower_j <= w_j <= upper_j, infinite where there are none; 0, 0 where out."""
        out = self.excluded(p, scale)
        lower = spread("lower", -math.inf if self.lower is None else self.lower, p)
        upper = spread("upper", math.inf if self.upper is None else self.upper, p)
        return np.where(out, 0.0, lower), np.where(out, 0.0, upper)

    def strengths(
        self, p: int, scale: Vector | None = None
    ) -> tuple[Vector, Vector, Vector, Vector]:
        """Strengths and bounds (l1_j, l2_j, lower_j, upper_j), each (p,).

        l1_j = alpha l1_ratio f_j e_j and l2_j = alpha (1 - l1_ratio) f_j e_j^2. A feature that is
        out has four zeros: its bounds then say all there is to say.
        """
        e = np.ones(p) if scale is None else np.asarray(scale, dtype=np.float64)
        f = np.where(self.excluded(p, scale), 0.0, self.factors(p))
        l1 = self.alpha * self.l1_ratio * f * e
        l2 = self.alpha * (1.0 - self.l1_ratio) * f * e**2
        return l1, l2, *self.bounds(p, scale)

    def value(self, w: Vector, scale: Vector | None = None) -> float:
        """sum_j l1_j |w_j| + l2_j w_j^2 / 2, infinite outside the bounds."""
        l1, l2, lower, upper = self.strengths(len(w), scale)
        below = w < np.where(np.isinf(lower), lower, lower * (1.0 + BOUND_ROUNDING))
        above = w > np.where(np.isinf(upper), upper, upper * (1.0 + BOUND_ROUNDING))
        if below.any() or above.any():
            return math.inf
        return float(np.sum(l1 * np.abs(w) + 0.5 * l2 * w**2))

    def conjugate_argument(self, c: Vector, scale: Vector | None = None) -> Vector:
        """Coefficient w_j that attains conjugate(c)_j, infinite where that is infinite; (p,)."""
        l1, l2, lower, upper = self.strengths(len(c), scale)
        excess = np.maximum(np.abs(c) - l1, 0.0)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            size = np.where(excess > 0.0, excess / l2, 0.0)
        return np.where(c > 0.0, np.minimum(size, upper), -np.minimum(size, -lower))

    def conjugate(self, c: Vector, scale: Vector | None = None) -> Vector:
        """Largest c_j w - penalty_j(w) over lower_j <= w <= upper_j, (p,).

        With excess = (|c_j| - l1_j)_+ and t = |w_j| at the maximum, the value is
        t excess - l2_j t^2 / 2: excess^2 / (2 l2_j) inside the bounds.
        """
        l1, l2, _, _ = self.strengths(len(c), scale)
        excess = np.maximum(np.abs(c) - l1, 0.0)
        size = np.abs(self.conjugate_argument(c, scale))
        with np.errstate(invalid="ignore", over="ignore"):
            value = size * (excess - 0.5 * np.minimum(l2 * size, excess))
        return np.where(np.isinf(size), math.inf, np.where(size == 0.0, 0.0, value))

    def largest_scale(self, c: Vector, scale: Vector | None = None) -> float:
        """Largest s with every conjugate(s c)_j finite: min l1_j / |c_j| over the unbounded."""
        l1, l2, lower, upper = self.strengths(len(c), scale)
        bounded = (l2 > 0.0) | np.isfinite(np.where(c > 0.0, upper, lower)) | (c == 0.0)
        with np.errstate(over="ignore"):
            ratio = l1[~bounded] / np.abs(c[~bounded])
        # rounded down, so that s |c_j| <= l1_j holds in floating point too
        return float(np.min(ratio, initial=math.inf)) * (1.0 - EPS)

    def subdiff_distance(self, w: Vector, grad: Vector, scale: Vector | None = None) -> Vector:
        """Distance of -grad_j to the subdifferential of penalty_j at w_j, (p,).

        The subdifferential is l2_j w_j + l1_j sign(w_j), an interval at w_j = 0, plus the normal
        cone of the bounds: (-inf, 0] at the lower one, [0, inf) at the upper one. It is empty, and
        the distance infinite, outside the bounds.
        """
        l1, l2, lower, upper = self.strengths(len(w), scale)
        low = l2 * w + np.where(w > 0.0, l1, -l1)
        high = l2 * w + np.where(w < 0.0, -l1, l1)
        low = np.where(w <= lower, -math.inf, low)
        high = np.where(w >= upper, math.inf, high)
        distance = np.maximum(np.maximum(low + grad, -grad - high), 0.0)
        outside = (w < lower) & (w < lower * (1.0 + BOUND_ROUNDING))
        outside |= (w > upper) & (w > upper * (1.0 + BOUND_ROUNDING))
        return np.where(outside, math.inf, distance)

    def prox(self, z: Vector, step: float | Vector, scale: Vector | None = None) -> Vector:
        """argmin_w (w - z_j)^2 / 2 + step penalty_j(w): soft-threshold, shrink, clip; (p,)."""
        l1, l2, lower, upper = self.strengths(len(z), scale)
        shrunk = np.sign(z) * np.maximum(np.abs(z) - step * l1, 0.0) / (1.0 + step * l2)
        clipped: Vector = np.clip(shrunk, lower, upper)
        return clipped


def divisor(p: int, scale: Vector | None) -> Vector:
    """e_j, with 1 in place of 0 for the features that are out; (p,)."""
    if scale is None:
        return np.ones(p)
    return np.where(np.asarray(scale) == 0.0, 1.0, scale)

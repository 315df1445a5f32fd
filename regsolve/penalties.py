"""Penalties on the coefficients, and the scalar rules that solvers and certificates need.

Every penalty is a sum over features, penalty(w) = sum_j penalty_j(w_j), and offers over arrays

    value(w)                  sum_j penalty_j(w_j), infinite outside the bounds
    conjugate(c)              max_w c_j w - penalty_j(w), for each j
    largest_scale(c)          largest s with a finite conjugate(s c)
    subdiff_distance(w, g)    distance of -g_j to the subdifferential of penalty_j at w_j
    prox(z, step)             argmin_w (w - z_j)^2 / 2 + step penalty_j(w)

``scale`` holds e_j: the penalty then acts on e_j w_j, and a feature with e_j = 0 is out. A
feature is out as well when its factor is infinite: w_j = 0, and nothing it does is counted.

To add a penalty: write a frozen dataclass with these members and ``convex``, ``with_alpha``,
``has_conjugate``, ``has_subdiff_distance``, ``factors``, ``excluded``, ``unpenalised`` and
``bounds``; then list it in tests/test_penalties.py, which holds every rule to its definition.
"""

from __future__ import annotations

import copy
import math
from dataclasses import KW_ONLY, dataclass, field, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from .custom import elementwise, python_callable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]
    Mask = NDArray[np.bool_]

# A coefficient outside its bound by no more than this share of the bound counts as on it.
BOUND_ROUNDING = 1e-12
EPS = float(np.finfo(np.float64).eps)


def _checked_alpha(alpha: Any) -> float:
    """Finite alpha >= 0 as a float, or ValueError."""
    try:
        value = float(alpha)
    except (TypeError, ValueError):
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


def _checked_weights(weights: Any) -> Any:
    """Penalty factors f_j >= 0, or ValueError."""
    if weights is None:
        return None
    weights = _scalar_or_vector("weights", weights)
    if np.any(np.asarray(weights) < 0):
        raise ValueError("weights holds a negative factor: use 0 for unpenalised and inf for out")
    return weights


def _spread(name: str, value: Any, p: int) -> Vector:
    """Scalar or (p,) array as a (p,) array."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim == 1 and len(array) != p:
        raise ValueError(f"{name} has {len(array)} entries but X has {p} features: give one each")
    return np.ascontiguousarray(np.broadcast_to(array, (p,)))


def _factors(weights: Any, p: int) -> Vector:
    return _spread("weights", 1.0 if weights is None else weights, p)


def _excluded(weights: Any, p: int, scale: Vector | None) -> Mask:
    out = np.isinf(_factors(weights, p))
    return out if scale is None else out | (np.asarray(scale) == 0.0)


@dataclass(frozen=True, eq=False)
class _Separable:
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
        if not (isinstance(self.l1_ratio, Real) and 0.0 <= self.l1_ratio <= 1.0):
            raise ValueError(f"l1_ratio={self.l1_ratio!r}: expected a number in [0, 1]")
        checked = {"alpha": _checked_alpha(self.alpha), "weights": _checked_weights(self.weights)}
        for name in ("lower", "upper"):
            given = getattr(self, name)
            checked[name] = None if given is None else _scalar_or_vector(name, given)
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
        return _factors(self.weights, p)

    def excluded(self, p: int, scale: Vector | None = None) -> Mask:
        """Features that are out, w_j = 0: infinite factor, or e_j = 0; (p,)."""
        return _excluded(self.weights, p, scale)

    def unpenalised(self, p: int, scale: Vector | None = None) -> Mask:
        """Features that are not out and have l1_j = l2_j = 0, (p,)."""
        l1, l2, _, _ = self.strengths(p, scale)
        absent: Mask = (l1 == 0.0) & (l2 == 0.0) & ~self.excluded(p, scale)
        return absent

    def bounds(self, p: int, scale: Vector | None = None) -> tuple[Vector, Vector]:
        """Bounds lower_j <= w_j <= upper_j, infinite where there are none; 0, 0 where out."""
        out = self.excluded(p, scale)
        lower = _spread("lower", -math.inf if self.lower is None else self.lower, p)
        upper = _spread("upper", math.inf if self.upper is None else self.upper, p)
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


@dataclass(frozen=True, eq=False)
class ElasticNet(_Separable):
    """Penalty sum_j f_j [ alpha l1_ratio abs(w_j) + alpha (1 - l1_ratio) w_j^2 / 2 ].

    Parameters
    ----------
    alpha : float
        Strength >= 0, on the scale of the mean loss.
    l1_ratio : float
        Share of the first term, in [0, 1].
    weights : float or (p,) array, optional
        Factors f_j >= 0, ones by default; 0 leaves w_j unpenalised, inf takes it out (w_j = 0).
    lower, upper : float or (p,) array, optional
        Bounds lower_j <= w_j <= upper_j, with lower <= 0 <= upper.
    positive : bool
        Same as lower=0.

    Raises
    ------
    ValueError
        alpha negative or not finite, l1_ratio outside [0, 1], negative or NaN weights, bounds
        that are NaN or exclude 0; and, once p is known, arrays of another length.

    References
    ----------
    Zou and Hastie (2005), Regularization and variable selection via the elastic net.
    """


@dataclass(frozen=True, eq=False)
class L1(_Separable):
    """Penalty sum_j f_j alpha abs(w_j), that of the lasso; parameters as in :class:`ElasticNet`.

    References
    ----------
    Tibshirani (1996), Regression shrinkage and selection via the lasso.
    """

    l1_ratio: float = field(default=1.0, init=False, repr=False)


@dataclass(frozen=True, eq=False)
class L2(_Separable):
    """Penalty sum_j f_j alpha w_j^2 / 2, that of ridge; parameters as in :class:`ElasticNet`.

    References
    ----------
    Hoerl and Kennard (1970), Ridge regression: biased estimation for nonorthogonal problems.
    """

    l1_ratio: float = field(default=0.0, init=False, repr=False)


@dataclass(frozen=True, eq=False, init=False)
class Custom:
    """Penalty sum_j value(w_j, alpha, weight_j) from a user's scalar functions.

    Each function takes and returns floats. It may be a plain Python function, a Numba function,
    or a compiled pointer (see :func:`regsolve.custom.pointer`); solvers compile it, certificates
    call it from Python. With ``standardize`` the functions see e_j w_j, e_j the deviation of
    column j. The methods below are the rules of the other penalties, over arrays.

    Parameters
    ----------
    value : value(w, alpha, weight)
        The penalty of one coefficient.
    prox : prox(z, step, alpha, weight)
        argmin_w (w - z)^2 / 2 + step value(w, alpha, weight).
    subdiff_distance : subdiff_distance(w, grad, alpha, weight), optional
        Distance of -grad to the subdifferential of value at w.
    conjugate : conjugate(c, alpha, weight), optional
        max_w c w - value(w, alpha, weight), inf where unbounded. Without it there is no gap.
    zero_threshold : zero_threshold(alpha, weight), optional
        Largest abs(c) for which w = 0 is stationary.
    convex : bool, optional
        Whether value is convex; None says that it is not known.
    alpha : float
        Strength >= 0, handed to the functions.
    weights : float or (p,) array, optional
        Factors handed to the functions; 0 means unpenalised, inf takes w_j out.

    Attributes
    ----------
    value_function, prox_function, subdiff_distance_function, conjugate_function,
    zero_threshold_function : the functions as given, None where absent.

    Raises
    ------
    TypeError
        Something that is not such a function.
    ValueError
        A function with another number of arguments; alpha or weights as in ElasticNet.
    """

    value_function: Any
    prox_function: Any
    subdiff_distance_function: Any
    conjugate_function: Any
    zero_threshold_function: Any
    convex: bool | None
    alpha: float
    weights: ArrayLike | None

    def __init__(
        self,
        value: Any,
        prox: Any,
        subdiff_distance: Any = None,
        conjugate: Any = None,
        zero_threshold: Any = None,
        *,
        convex: bool | None = None,
        alpha: float = 1.0,
        weights: ArrayLike | None = None,
    ) -> None:
        given = {
            "value": (value, 3),
            "prox": (prox, 4),
            "subdiff_distance": (subdiff_distance, 4),
            "conjugate": (conjugate, 3),
            "zero_threshold": (zero_threshold, 2),
        }
        for name, (function, n_arguments) in given.items():
            if function is not None or name in ("value", "prox"):
                python_callable(function, n_arguments)
            object.__setattr__(self, f"{name}_function", function)
        object.__setattr__(self, "convex", convex)
        object.__setattr__(self, "alpha", _checked_alpha(alpha))
        object.__setattr__(self, "weights", _checked_weights(weights))

    @property
    def has_conjugate(self) -> bool:
        """Whether a conjugate was given."""
        return self.conjugate_function is not None

    @property
    def has_subdiff_distance(self) -> bool:
        """Whether a subdifferential distance was given."""
        return self.subdiff_distance_function is not None

    def with_alpha(self, alpha: float) -> Self:
        """Return the same penalty at another alpha."""
        other = copy.copy(self)
        object.__setattr__(other, "alpha", _checked_alpha(alpha))
        return other

    def factors(self, p: int) -> Vector:
        """Factors handed to the functions, (p,)."""
        return _factors(self.weights, p)

    def excluded(self, p: int, scale: Vector | None = None) -> Mask:
        """Features that are out, w_j = 0: infinite factor, or e_j = 0; (p,)."""
        return _excluded(self.weights, p, scale)

    def unpenalised(self, p: int, scale: Vector | None = None) -> Mask:
        """Features that are not out and have f_j = 0, or all of those at alpha = 0; (p,)."""
        absent: Mask = (self.factors(p) == 0.0) | (self.alpha == 0.0)
        return np.logical_and(absent, ~self.excluded(p, scale))

    def bounds(self, p: int, scale: Vector | None = None) -> tuple[Vector, Vector]:
        """No bounds but 0, 0 on the features that are out; (p,) each."""
        out = self.excluded(p, scale)
        return np.where(out, 0.0, -math.inf), np.where(out, 0.0, math.inf)

    def value(self, w: Vector, scale: Vector | None = None) -> float:
        """sum_j value(e_j w_j, alpha, f_j), infinite where a feature that is out has w_j != 0."""
        if np.any(w[self.excluded(len(w), scale)] != 0.0):
            return math.inf
        e = _divisor(len(w), scale)
        return float(np.sum(self._each(self.value_function, scale, e * w)))

    def conjugate(self, c: Vector, scale: Vector | None = None) -> Vector:
        """conjugate(c_j / e_j, alpha, f_j), 0 for a feature that is out; (p,)."""
        return self._each(self.conjugate_function, scale, c / _divisor(len(c), scale))

    def largest_scale(self, c: Vector, scale: Vector | None = None) -> float:
        """Largest s in [0, 1] with every conjugate(s c)_j finite, by bisection."""
        e = _divisor(len(c), scale)
        infinite = ~np.isfinite(self.conjugate(c, scale))
        if not infinite.any():
            return 1.0
        low, high = 0.0, 1.0
        while high - low > EPS * high and high > 1e-30:
            middle = 0.5 * (low + high)
            values = self._each(self.conjugate_function, scale, middle * c / e, among=infinite)
            low, high = (middle, high) if np.isfinite(values).all() else (low, middle)
        return low

    def subdiff_distance(self, w: Vector, grad: Vector, scale: Vector | None = None) -> Vector:
        """e_j subdiff_distance(e_j w_j, grad_j / e_j, alpha, f_j), 0 for a feature out; (p,)."""
        e = _divisor(len(w), scale)
        return e * self._each(self.subdiff_distance_function, scale, e * w, grad / e)

    def prox(self, z: Vector, step: float | Vector, scale: Vector | None = None) -> Vector:
        """prox(e_j z_j, step e_j^2, alpha, f_j) / e_j, 0 for a feature that is out; (p,)."""
        e = _divisor(len(z), scale)
        return self._each(self.prox_function, scale, e * z, step * e**2) / e

    def _each(
        self, function: Any, scale: Vector | None, *arguments: Vector, among: Mask | None = None
    ) -> Vector:
        """Values function(arguments_j, alpha, f_j), 0 for a feature that is out; (p,)."""
        p = len(arguments[0])
        kept = ~self.excluded(p, scale) if among is None else among
        values = np.zeros(p)
        chosen = [argument[kept] for argument in arguments]
        over = elementwise(function, len(arguments) + 2)
        values[kept] = over(*chosen, self.alpha, self.factors(p)[kept])
        return values


def _divisor(p: int, scale: Vector | None) -> Vector:
    """e_j, with 1 in place of 0 for the features that are out; (p,)."""
    if scale is None:
        return np.ones(p)
    return np.where(np.asarray(scale) == 0.0, 1.0, scale)


Penalty = _Separable | Custom

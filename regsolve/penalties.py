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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from .custom import elementwise, python_callable
from .separable import (
    EPS,
    Separable,
    checked_alpha,
    checked_weights,
    divisor,
    excluded_of,
    factors_of,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ElasticNet(Separable):
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
        that are NaN or exclude 0, positive neither True nor False; and, once p is known, arrays of
        another length.

    References
    ----------
    Zou and Hastie (2005), Regularization and variable selection via the elastic net.
    """


@dataclass(frozen=True, eq=False)
class L1(Separable):
    """Penalty sum_j f_j alpha abs(w_j), that of the lasso; parameters as in :class:`ElasticNet`.

    References
    ----------
    Tibshirani (1996), Regression shrinkage and selection via the lasso.
    """

    l1_ratio: float = field(default=1.0, init=False, repr=False)


@dataclass(frozen=True, eq=False)
class L2(Separable):
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
        object.__setattr__(self, "alpha", checked_alpha(alpha))
        object.__setattr__(self, "weights", checked_weights(weights))

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
        object.__setattr__(other, "alpha", checked_alpha(alpha))
        return other

    def factors(self, p: int) -> Vector:
        """Factors handed to the functions, (p,)."""
        return factors_of(self.weights, p)

    def excluded(self, p: int, scale: Vector | None = None) -> Mask:
        """Features that are out, w_j = 0: infinite factor, or e_j = 0; (p,)."""
        return excluded_of(self.weights, p, scale)

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
        e = divisor(len(w), scale)
        return float(np.sum(self._each(self.value_function, scale, e * w)))

    def conjugate(self, c: Vector, scale: Vector | None = None) -> Vector:
        """conjugate(c_j / e_j, alpha, f_j), 0 for a feature that is out; (p,)."""
        return self._each(self.conjugate_function, scale, c / divisor(len(c), scale))

    def largest_scale(self, c: Vector, scale: Vector | None = None) -> float:
        """Largest s in [0, 1] with every conjugate(s c)_j finite, by bisection."""
        e = divisor(len(c), scale)
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
        e = divisor(len(w), scale)
        return e * self._each(self.subdiff_distance_function, scale, e * w, grad / e)

    def prox(self, z: Vector, step: float | Vector, scale: Vector | None = None) -> Vector:
        """prox(e_j z_j, step e_j^2, alpha, f_j) / e_j, 0 for a feature that is out; (p,)."""
        e = divisor(len(z), scale)
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


Penalty = Separable | Custom

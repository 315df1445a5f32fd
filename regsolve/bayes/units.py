"""Units in which the target and the largest column of Z are of size one, and the sampler safe.

With y = u y~ and Z = v Z~ the weights are w = (u / v) w~ and sigma = u sigma~, and the posterior is
that of

    lambda~ = lambda / v,    rate~ = v^2 rate,    tau~ = v tau,    scale~ = v scale,
    b0~ = b0 / u^2.

u and v are powers of two, which change no bit of a draw but its exponent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .gibbs import Hyperparameters

    Array = NDArray[np.float64]

SMALL, LARGE = 1e-140, 1e140  # of lambda~ and tau~: their squares enter variances
LEAST_TARGET, MOST_TARGET = 1e-140, 1e151  # of |y|: sigma^2 is among the draws


def target_unit(y: Array) -> float:
    """The unit u for y (n,); ValueError where u^2 is beyond float64."""
    size = float(np.abs(y).max())
    if size > 0.0 and not LEAST_TARGET <= size <= MOST_TARGET:
        raise ValueError(
            f"y has values up to {size:.3g}, whose squares float64 does not hold: rescale y"
        )
    return _power_of_two(size)


def column_unit(own: Array) -> float:
    """The unit v from the diagonal of Z'Z (p,)."""
    return _power_of_two(math.sqrt(float(own.max(initial=0.0))))


def scale_columns(data: Any, v: float) -> Any:
    """The likelihood's data with Z~ in place of Z; its arrays are overwritten."""
    step = 1.0 / v  # not v^-2 at once, which may underflow
    for array, times in ((data.Zt, 1), (data.G, 2), (data.r, 1), (data.own, 2)):
        for _ in range(times):
            array *= step
    return data


@dataclass(frozen=True)
class Units:
    """u and v."""

    target: float
    column: float

    def prior(self, hyper: Hyperparameters) -> Hyperparameters:
        """Hyperparameters in these units; ValueError names one whose square float64 cannot take."""
        v, strength = self.column, hyper.strength
        lasso = hyper.prior == "lasso"
        shape, rate = hyper.shape, hyper.rate
        if strength is not None:
            strength = _held("strength", float(strength), 1.0 / v if lasso else v)
        elif lasso:
            _held("rate", rate, v, power=2)
            rate = rate * v * v
        else:
            shape = _held("scale", shape, v)
        b0 = hyper.b0 / self.target / self.target
        return replace(hyper, strength=strength, shape=shape, rate=rate, b0=b0)

    def weights(self, w: Array) -> Array:
        """W from w~."""
        return np.asarray(w * self.target / self.column)

    def noise(self, s2: Array) -> Array:
        """sigma^2 from sigma~^2."""
        return np.asarray(s2 * self.target * self.target)

    def strength(self, drawn: Array, prior: str) -> Array:
        """Lambda from lambda~, or tau from tau~^2."""
        return drawn * self.column if prior == "lasso" else np.sqrt(drawn) / self.column


def _power_of_two(size: float) -> float:
    return math.ldexp(1.0, math.frexp(size)[1]) if size > 0.0 else 1.0


def _held(name: str, value: float, factor: float, power: int = 1) -> float:
    """``value`` factor, where value^(1 / power) factor is within SMALL and LARGE."""
    if not SMALL <= value ** (1.0 / power) * factor <= LARGE:
        with np.errstate(over="ignore", under="ignore"):
            least, most = np.divide([SMALL, LARGE], factor) ** power
        raise ValueError(
            f"{name}={value!r}: expected {least:.3g} to {most:.3g} for columns of X of this size"
        )
    return value * factor

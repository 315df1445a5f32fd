"""Penalties as priors: the mode of the posterior is the penalised fit.

With noise y_i ~ N(x_i'w + b, s2 / s_i) and independent weights of density exp(-psi(w_j)),

    -log posterior = sum_i s_i (y_i - x_i'w - b)^2 / (2 s2) + sum_j psi(w_j) + const,

and s2 / sum s times this is regsolve's mean-scale objective, penalty(w) = s2 / sum s  psi(w):

    Gaussian, variance tau2         L2(alpha),                alpha = s2 / (sum s tau2)
    Laplace, scale b                L1(alpha),                alpha = s2 / (sum s b)
    product of both                 ElasticNet(alpha, ratio), alpha ratio = s2 / (sum s b),
                                    alpha (1 - ratio) = s2 / (sum s tau2)

The product of a Laplace and a Gaussian density has the normaliser

    integral of exp(-|w| / b - w^2 / (2 tau2)) = sqrt(2 pi tau2) erfcx(tau / (b sqrt 2)).

The horseshoe, of no convex penalty, is there to be drawn beside them: w ~ N(0, tau2 l^2) with l
half-Cauchy has density exp(u) E1(u) / (tau sqrt(2 pi^3)), u = w^2 / (2 tau2).

References
----------
Tibshirani (1996), section 5. Zou and Hastie (2005). Carvalho, Polson and Scott (2010), The
horseshoe estimator for sparse signals.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from .._validate import positive_number
from ..penalties import L1, L2, ElasticNet

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]


def _as_floats(w: ArrayLike) -> Array:
    return np.asarray(w, dtype=np.float64)


@dataclass(frozen=True)
class Gaussian:
    """w ~ N(0, variance): ridge.

    >>> Gaussian(4.0).penalty(noise_variance=2.0, total_weight=50.0).alpha
    0.01
    """

    variance: float = 1.0

    def __post_init__(self) -> None:
        positive_number("variance", self.variance)

    def log_density(self, w: ArrayLike) -> Array:
        """-w^2 / (2 variance) - log(2 pi variance) / 2, the shape of w."""
        square = _as_floats(w) ** 2 / self.variance
        return np.asarray(-0.5 * (square + math.log(2.0 * math.pi * self.variance)))

    def sample(self, size: Any, rng: np.random.Generator) -> Array:
        """Draws of the given size."""
        return np.asarray(math.sqrt(self.variance) * rng.standard_normal(size))

    def penalty(self, noise_variance: float, total_weight: float) -> L2:
        """L2(noise_variance / (total_weight variance))."""
        return L2(_strength(noise_variance, total_weight) / self.variance)

    @classmethod
    def of(cls, penalty: L2, noise_variance: float, total_weight: float) -> Gaussian:
        """The prior that ``penalty`` is; ValueError at alpha = 0, which is no density."""
        _plain(penalty)
        return cls(_strength(noise_variance, total_weight) / _proper(penalty.alpha))


@dataclass(frozen=True)
class Laplace:
    """w of density exp(-|w| / scale) / (2 scale): lasso.

    >>> Laplace(4.0).penalty(noise_variance=2.0, total_weight=50.0).alpha
    0.01
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        positive_number("scale", self.scale)

    def log_density(self, w: ArrayLike) -> Array:
        """-|w| / scale - log(2 scale), the shape of w."""
        return np.asarray(-np.abs(_as_floats(w)) / self.scale - math.log(2.0 * self.scale))

    def sample(self, size: Any, rng: np.random.Generator) -> Array:
        """Draws of the given size."""
        return np.asarray(rng.laplace(0.0, self.scale, size))

    def penalty(self, noise_variance: float, total_weight: float) -> L1:
        """L1(noise_variance / (total_weight scale))."""
        return L1(_strength(noise_variance, total_weight) / self.scale)

    @classmethod
    def of(cls, penalty: L1, noise_variance: float, total_weight: float) -> Laplace:
        """The prior that ``penalty`` is; ValueError at alpha = 0, which is no density."""
        _plain(penalty)
        return cls(_strength(noise_variance, total_weight) / _proper(penalty.alpha))


@dataclass(frozen=True)
class LaplaceGaussian:
    """w of density proportional to exp(-|w| / scale - w^2 / (2 variance)): elastic net."""

    scale: float = 1.0
    variance: float = 1.0

    def __post_init__(self) -> None:
        positive_number("scale", self.scale)
        positive_number("variance", self.variance)

    @property
    def _ratio(self) -> float:
        return math.sqrt(self.variance) / self.scale

    def log_density(self, w: ArrayLike) -> Array:
        """The normalised log density, the shape of w."""
        w = _as_floats(w)
        area = 0.5 * math.log(2.0 * math.pi * self.variance)
        area += math.log(float(special.erfcx(self._ratio / math.sqrt(2.0))))
        return np.asarray(-np.abs(w) / self.scale - 0.5 * w**2 / self.variance - area)

    def sample(self, size: Any, rng: np.random.Generator) -> Array:
        """Draws of the given size: |w| is N(-variance / scale, variance) given that it is > 0."""
        u = rng.uniform(size=size)
        signs = np.where(rng.uniform(size=size) < 0.5, -1.0, 1.0)
        # by the upper tail's logarithm, which a far truncation does not cancel
        log_tail = special.log_ndtr(-self._ratio) + np.log1p(-u)
        z = -special.ndtri_exp(log_tail)
        return np.asarray(signs * math.sqrt(self.variance) * np.maximum(z - self._ratio, 0.0))

    def penalty(self, noise_variance: float, total_weight: float) -> ElasticNet:
        """The elastic net whose two strengths are those of the two factors."""
        unit = _strength(noise_variance, total_weight)
        l1, l2 = unit / self.scale, unit / self.variance
        return ElasticNet(l1 + l2, l1 / (l1 + l2))

    @classmethod
    def of(cls, penalty: ElasticNet, noise_variance: float, total_weight: float) -> LaplaceGaussian:
        """The prior that ``penalty`` is; ValueError where either strength is zero."""
        _plain(penalty)
        unit, l1_ratio = _strength(noise_variance, total_weight), penalty.l1_ratio
        l1, l2 = penalty.alpha * l1_ratio, penalty.alpha * (1.0 - l1_ratio)
        return cls(unit / _proper(l1), unit / _proper(l2))


@dataclass(frozen=True)
class Horseshoe:
    """w ~ N(0, scale^2 l^2), l half-Cauchy: a spike at zero, infinite, and Cauchy's tails."""

    scale: float = 1.0

    def __post_init__(self) -> None:
        positive_number("scale", self.scale)

    def log_density(self, w: ArrayLike) -> Array:
        """The log density, infinite at 0, the shape of w."""
        u = 0.5 * (_as_floats(w) / self.scale) ** 2
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            near = u + np.log(special.exp1(u))
            # e^u E1(u) = 1 / (u + 1 / (1 + 1 / (u + 2 / (1 + ...)))) far out
            far = -np.log(u + 1.0 - 1.0 / (u + 3.0 - 4.0 / (u + 5.0 - 9.0 / (u + 7.0))))
        value = np.where(u < 50.0, near, far)
        return np.asarray(value - math.log(self.scale) - 0.5 * math.log(2.0 * math.pi**3))

    def sample(self, size: Any, rng: np.random.Generator) -> Array:
        """Draws of the given size."""
        return np.asarray(
            self.scale * np.abs(rng.standard_cauchy(size)) * rng.standard_normal(size)
        )


def _strength(noise_variance: float, total_weight: float) -> float:
    """s2 / sum s."""
    noise = positive_number("noise_variance", noise_variance)
    return noise / positive_number("total_weight", total_weight)


def _proper(alpha: float) -> float:
    if not alpha > 0.0:
        raise ValueError("a strength of 0 is a flat prior, which has no density: give alpha > 0")
    return alpha


def _plain(penalty: Any) -> None:
    if any(getattr(penalty, name) is not None for name in ("weights", "lower", "upper")):
        raise ValueError("penalty has weights or bounds: give one prior for each feature instead")
    if penalty.positive:
        raise ValueError("penalty is for positive weights: its prior has half a density")

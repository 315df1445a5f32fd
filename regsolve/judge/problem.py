"""The problem as it is judged: checked arrays, weights that sum to 1, the penalty's units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..losses import Loss
from ..penalties import Penalty
from .columns import Dense, columns_of
from .rounding import CONSTANT

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Problem:
    """What is minimised, with the sums over rows that every room needs."""

    X: Dense
    y: Vector  # (n,)
    omega: Vector  # (n,), sums to 1
    offset: Vector  # (n,)
    loss: Loss
    penalty: Penalty
    fit_intercept: bool
    scale: Vector | None  # (p,) s_j under standardize, 0 for constant columns

    def mean_loss(self, z: Vector) -> float:
        """sum_i omega_i f(y_i, z_i); rows of no weight are not looked at."""
        used = self.omega > 0
        return float(self.omega[used] @ self.loss.value(self.y[used], z[used]))

    def residual(self, z: Vector) -> Vector:
        """u_i = -omega_i f'(y_i, z_i), (n,)."""
        used, u = self.omega > 0, np.zeros(len(self.y))
        u[used] = -self.omega[used] * self.loss.gradient(self.y[used], z[used])
        return u

    def means(self) -> Vector:
        """m_j, (p,): weighted means with an intercept, else 0."""
        m = np.zeros(self.X.shape[1])
        if self.fit_intercept:
            m = self.X.transposed_dot(self.omega)
            m += self.X.centred_sum(self.omega, m, 1)  # what rounding left
        return m


def problem_of(
    X: Any,
    y: ArrayLike,
    loss: Loss,
    penalty: Penalty,
    sample_weight: ArrayLike | None,
    offset: ArrayLike | None,
    fit_intercept: bool,
    standardize: bool,
) -> Problem:
    """The problem of :func:`regsolve.verify`'s arguments; errors name the argument."""
    if not isinstance(penalty, Penalty):
        raise TypeError(f"penalty={penalty!r}: expected L1, L2, ElasticNet or Custom")
    if not isinstance(loss, Loss):
        raise TypeError(f"loss={loss!r}: expected Quadratic or Custom")
    columns = columns_of(X)
    n, p = columns.shape
    weight = 1.0 if sample_weight is None else sample_weight
    s = vector("sample_weight", np.full(n, weight) if np.ndim(weight) == 0 else weight, n)
    if np.any(s < 0) or not s.sum() > 0:
        raise ValueError("sample_weight must be >= 0 with a positive sum")
    shift = vector("offset", np.zeros(n) if offset is None else offset, n)
    target = vector("y", y, n)
    with np.errstate(over="ignore"):
        if not np.isfinite(target @ target):
            raise ValueError("y holds values too large: their squares overflow float64; rescale y")
    parts = (columns, target, s / s.sum(), shift, loss, penalty, fit_intercept)
    with np.errstate(all="ignore"):
        finite = np.isfinite(columns.transposed_dot(np.ones(n)))
    if not finite.all():
        raise ValueError(f"X holds NaN or infinity, first in column {np.argmin(finite)}")
    penalty.factors(p), penalty.bounds(p)  # raise on arrays of another length than p
    problem = Problem(*parts, scale=None)
    if not standardize:
        return problem
    m = problem.means()
    scale = np.sqrt(columns.centred_sum(problem.omega, m, 2))
    return Problem(*parts, scale=np.where(scale <= CONSTANT * np.abs(m), 0.0, scale))


def vector(name: str, values: ArrayLike, length: int, of: str = "row") -> Vector:
    """Finite float64 array of that length, or an error that names the argument."""
    array = np.asarray(values)
    if array.shape != (length,):
        raise ValueError(
            f"{name} has shape {array.shape}: expected ({length},), one for each {of} of X"
        )
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {array.dtype}: expected real numbers")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity: expected finite numbers")
    return array.astype(np.float64)

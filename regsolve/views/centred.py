"""Weighted least squares with the intercept at its optimum: centred, scaled rows and no more.

For every w the best intercept is b = m_y - m'w, m and m_y the weighted means. With it the mean
loss of (X, y, s) is the plain mean over rows of (y_i - x_i'w)^2 / 2 for the rows kept here,

    x_i <- sqrt(n s_i / sum s) (x_i - m),    y_i <- sqrt(n s_i / sum s) (y_i - m_y),

whose Hessian is H = X'X / n. The penalty never sees b: it says where y lies, not how y depends on
X, and shrinking it would make the answer depend on the origin of y.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Centred:
    """Rows X (n, p) and y (n,) as above, the means (p,) and the mean of y that were taken off."""

    X: Vector
    y: Vector
    means: Vector
    y_mean: float

    def intercepts(self, coefs: Vector) -> Vector:
        """Best intercepts b = m_y - m'w of coefficients (..., p)."""
        intercepts: Vector = self.y_mean - coefs @ self.means
        return intercepts

    def losses(self, coefs: Vector) -> Vector:
        """Mean loss, (m,), of coefficients (m, p) with their best intercepts."""
        losses = np.empty(len(coefs))
        block = max(1, (1 << 22) // len(self.y))
        with np.errstate(over="ignore", invalid="ignore"):
            for first in range(0, len(coefs), block):
                some = slice(first, first + block)
                residuals = self.y - coefs[some] @ self.X.T
                losses[some] = 0.5 * np.mean(residuals**2, axis=1)
        return losses

    def eigenvalues(self) -> Vector:
        """Eigenvalues of H = X'X / n, descending, (min(n, p),); the others are 0."""
        singular = np.linalg.svd(self.X / np.sqrt(len(self.y)), compute_uv=False)
        if not singular[0] < 1e150:
            raise ValueError("X has values too large: their squares overflow float64; rescale X")
        squares: Vector = singular**2
        return squares


def centred(
    X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None, *, fit_intercept: bool = True
) -> Centred:
    """Rows of a dense copy of X (n, p), sparse or not, and y (n,), centred and scaled.

    Raises
    ------
    ValueError
        NaN or infinity, shapes that do not fit, negative or vanishing weights.
    """
    rows = _validate.dense_rows(X)
    target = _validate.target(y, len(rows))
    weights = _validate.sample_weight(sample_weight, len(rows))
    means, y_mean = np.zeros(rows.shape[1]), 0.0
    if _validate.boolean("fit_intercept", fit_intercept):
        means = np.average(rows, axis=0, weights=weights)
        y_mean = float(np.average(target, weights=weights))
        rows -= means
        target = target - y_mean
        # what rounding leaves of a constant column is no slope
        rows[:, np.ptp(rows, axis=0) <= 8.0 * np.finfo(float).eps * np.abs(means)] = 0.0
        if np.ptp(target) <= 8.0 * np.finfo(float).eps * abs(y_mean):
            target = np.zeros(len(target))
    if weights is not None:
        scale = np.sqrt(weights / weights.mean())
        rows *= scale[:, None]
        target = target * scale
    return Centred(rows, target, means, y_mean)

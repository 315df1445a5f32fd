"""Compiled gradient and proximal steps on the mean of (y_i - x_i'w)^2 / 2 over batches of rows.

Importing this module imports Numba; the machine code is kept beside it between processes. A step
t = 0, 1, ... reads batch t mod ceil(n / batch_size) of ``order``; iterate t lies in row
ceil(t / every) of ``records``, so that the last one may be recorded whatever ``every`` is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numba

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


def _compiled(function: Any) -> Any:
    """Compile at the first call. Sums may be reordered; NaN and infinity keep their meaning."""
    options: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "contract"}}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep machine code in
        return numba.njit(**options)(function)


def _gradient(X: Vector, y: Vector, rows: Any, w: Vector, out: Vector) -> None:
    """Write X_R'(X_R w - y_R) / |R|, R the given rows, into ``out``."""
    out[:] = 0.0
    for i in rows:
        residual = -y[i]
        for j in range(len(w)):
            residual += X[i, j] * w[j]
        for j in range(len(w)):
            out[j] += residual * X[i, j]
    for j in range(len(w)):
        out[j] /= len(rows)


gradient = _compiled(_gradient)


def _heavy_ball(
    X: Vector, y: Vector, w: Vector, velocity: Vector, order: Any, batch_size: int,
    first: int, last: int, n_steps: int, step: float, alpha: float, momentum: float,
    decoupled: bool, every: int, records: Vector,
) -> None:  # fmt: skip
    """Steps first .. last - 1 of weight decay, coupled or decoupled, with heavy-ball momentum."""
    coupled, kept = (0.0, 1.0 - step * alpha) if decoupled else (alpha, 1.0)
    n_batches = (len(order) + batch_size - 1) // batch_size
    slope = w.copy()
    for t in range(first, last):
        start = (t % n_batches) * batch_size
        gradient(X, y, order[start : start + batch_size], w, slope)
        for j in range(len(w)):
            velocity[j] = momentum * velocity[j] + (slope[j] + coupled * w[j])
            w[j] = kept * w[j] - step * velocity[j]
        if (t + 1) % every == 0 or t + 1 == n_steps:
            records[(t + every) // every] = w


heavy_ball = _compiled(_heavy_ball)


def _proximal(
    X: Vector, y: Vector, w: Vector, z: Vector, inertia: Vector, order: Any,
    first: int, last: int, n_steps: int, step: float, penalty: Any, accelerated: bool,
    every: int, records: Vector,
) -> None:  # fmt: skip
    """Steps first .. last - 1 of ISTA, or FISTA from the point z with inertia[0] = t_k.

    ``penalty`` has l1, l2, lower, upper, each (p,): the prox is soft threshold, shrink, clip.
    """
    l1, l2, lower, upper = penalty
    slope = w.copy()
    for t in range(first, last):
        gradient(X, y, order, z, slope)
        after = 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * inertia[0] ** 2))
        share = (inertia[0] - 1.0) / after if accelerated else 0.0
        inertia[0] = after
        for j in range(len(w)):
            point = z[j] - step * slope[j]
            size = max(abs(point) - step * l1[j], 0.0) / (1.0 + step * l2[j])
            moved = min(max(math.copysign(size, point), lower[j]), upper[j])
            z[j] = moved + share * (moved - w[j])
            w[j] = moved
        if (t + 1) % every == 0 or t + 1 == n_steps:
            records[(t + every) // every] = w


proximal = _compiled(_proximal)

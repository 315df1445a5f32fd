"""Thresholds: what each penalty makes of one least-squares coefficient z.

Each is the argmin over w of

    (w - z)^2 / 2 + penalty(w).

    ridge    z / (1 + t)                                  shrinks all, drops none
    soft     sign(z) max(|z| - t, 0)                      L1: drops below t, shrinks the rest by t
    hard     z where |z| > t, else 0                      L0 with penalty t^2 / 2 for each non-zero
    firm     soft below t, z beyond gamma t, between them sign(z) (|z| - t) / (1 - 1 / gamma)
    SCAD     soft up to 2 t, z beyond gamma t, between them
             ((gamma - 1) z - sign(z) gamma t) / (gamma - 2)

Soft and ridge are :meth:`regsolve.penalties.L1.prox` and ``L2.prox``. With a Hessian entry H_jj
instead of 1 the threshold of the lasso is t = alpha / H_jj.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]


def hard_threshold(z: ArrayLike, t: float) -> Vector:
    """Keep z where abs(z) > t, else 0; ValueError if t is not a finite number >= 0.

    References
    ----------
    Donoho and Johnstone (1994), Ideal spatial adaptation by wavelet shrinkage.
    """
    values = _checked(z, t)
    return np.where(np.abs(values) > t, values, 0.0)


def firm_threshold(z: ArrayLike, t: float, gamma: float = 3.0) -> Vector:
    """Threshold of MCP: soft, steeper, then the identity from gamma t on; gamma > 1.

    MCP is t |w| - w^2 / (2 gamma) up to gamma t, then constant.

    Parameters
    ----------
    z : array of any shape
    t : float >= 0
    gamma : float > 1

    Returns
    -------
    array of z's shape

    Raises
    ------
    ValueError
        t or gamma outside its range.

    References
    ----------
    Gao and Bruce (1997), WaveShrink with firm shrinkage.
    Zhang (2010), Nearly unbiased variable selection under minimax concave penalty.
    """
    values = _checked(z, t)
    if not gamma > 1.0:
        raise ValueError(f"gamma={gamma!r}: expected a number > 1")
    inner = np.sign(values) * np.maximum(np.abs(values) - t, 0.0) / (1.0 - 1.0 / gamma)
    return np.where(np.abs(values) > gamma * t, values, inner)


def scad_threshold(z: ArrayLike, t: float, gamma: float = 3.7) -> Vector:
    """Threshold of SCAD: soft up to 2 t, steeper, then the identity from gamma t on; gamma > 2.

    The slope of SCAD is t up to t, then (gamma t - w) / (gamma - 1) up to gamma t, then 0.

    Parameters
    ----------
    z : array of any shape
    t : float >= 0
    gamma : float > 2

    Returns
    -------
    array of z's shape

    Raises
    ------
    ValueError
        t or gamma outside its range.

    References
    ----------
    Fan and Li (2001), Variable selection via nonconcave penalized likelihood.
    """
    values = _checked(z, t)
    if not gamma > 2.0:
        raise ValueError(f"gamma={gamma!r}: expected a number > 2")
    size = np.abs(values)
    soft = np.sign(values) * np.maximum(size - t, 0.0)
    between = ((gamma - 1.0) * values - np.sign(values) * gamma * t) / (gamma - 2.0)
    return np.where(size <= 2.0 * t, soft, np.where(size <= gamma * t, between, values))


def _checked(z: ArrayLike, t: float) -> Vector:
    if not (math.isfinite(t) and t >= 0.0):
        raise ValueError(f"t={t!r}: expected a finite number >= 0")
    return np.asarray(z, dtype=np.float64)

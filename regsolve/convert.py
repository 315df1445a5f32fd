"""Strengths of a penalty on the scales of other libraries.

All minimise  c [sum_i s_i loss_i / S + alpha (l1_ratio ||w||_1 + (1 - l1_ratio) ||w||^2 / 2)],
S = sum s, with a constant c of their own, and differ in what they call alpha.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _validate

Vector = NDArray[np.float64]

MEAN = ("regsolve", "Lasso", "ElasticNet", "PoissonRegressor", "celer", "skglm", "adelie", "glum")
SUMS = ("Ridge", "LogisticRegression", "LinearSVC")
IMPLIED = {"Lasso": 1.0, "Ridge": 0.0, "PoissonRegressor": 0.0}  # their l1_ratio
SCALES = (*MEAN, *SUMS, "glmnet")
_BY_NAME = {name.lower(): name for name in SCALES}


def convert_alpha(
    value: Any,
    source: str,
    target: str,
    *,
    n_samples: int | None = None,
    sample_weight: Any = None,
    l1_ratio: float | None = None,
    y_std: float | None = None,
) -> Any:
    """What ``target`` must be given to penalise as ``source`` does with ``value``.

    ========================================  ==================================================
    scale                                     alpha on the mean scale
    ========================================  ==================================================
    regsolve, Lasso, ElasticNet,              value
    PoissonRegressor, celer, skglm, adelie,
    glum
    Ridge                                     value / S
    LogisticRegression (C)                    1 / (value S)
    LinearSVC (C, squared hinge)              1 / (2 value S)
    glmnet (lambda)                           value [l1_ratio + (1 - l1_ratio) / y_std]
    ========================================  ==================================================

    S is sum(sample_weight), class weights included, or n_samples. For a Gaussian y glmnet divides y
    by its deviation and then its l2 term is left over that deviation: the mixture changes
    too, :func:`convert_l1_ratio` says to what. glmnet also rescales penalty factors to sum to p
    and, without an intercept, standardises columns about their means; regsolve does neither.

    Parameters
    ----------
    value : float or array
        alpha, lambda or C; > 0 on a scale of C.
    source, target : str
        A scale of the table; case does not matter. The first stand for regsolve's own.
    n_samples : int, optional
        Rows, where weights are all one; for Ridge, LogisticRegression and LinearSVC.
    sample_weight : (n,), optional
        In place of n_samples.
    l1_ratio : float in [0, 1], optional
        The mixture at the source (glmnet: its alpha), from or to glmnet; Lasso means 1, Ridge 0.
    y_std : float, optional
        What glmnet divides y by: sqrt of the weighted mean of (y - mean)^2, divisor n, or of y^2
        without an intercept; 1.0 for families other than gaussian. Not needed at l1_ratio = 1.

    Returns
    -------
    float, or an array of value's shape

    Raises
    ------
    ValueError
        Unknown scale; a value or argument outside its range, or one that is needed and missing.

    Examples
    --------
    >>> convert_alpha(2.0, "Ridge", "regsolve", n_samples=100)
    0.02
    >>> convert_alpha(0.02, "regsolve", "LogisticRegression", n_samples=100)
    0.5
    """
    source, target = _scale("source", source), _scale("target", target)
    values = _values(value, source, target)
    if source == target:
        return _like(values)
    total = 1.0  # cancels where both sides or neither have it
    if (source in SUMS) != (target in SUMS):
        total = _total(n_samples, sample_weight, source if source in SUMS else target)
    mixture = 1.0
    if "glmnet" in (source, target):
        ratio = _ratio(l1_ratio, source, target)
        spread = _spread(y_std, ratio)
        mixture = ratio + (1.0 - ratio) * (1.0 / spread if source == "glmnet" else spread)
    alpha = _to_mean(values, source, total) * mixture
    return _like(_from_mean(alpha, target, total))


def convert_l1_ratio(l1_ratio: float, source: str, target: str, *, y_std: float) -> float:
    """The l1_ratio at ``target`` of what is ``l1_ratio`` at ``source``.

    It changes only from and to glmnet, whose l2 term is divided by ``y_std`` for a Gaussian y:
    r / (r + (1 - r) / y_std) from glmnet, r / (r + (1 - r) y_std) to it.

    Parameters
    ----------
    l1_ratio : float in [0, 1]
    source, target : str
        Names of scales, those of :func:`convert_alpha`.
    y_std : float > 0
        Deviation of y, weighted, with the sum of the weights for a divisor.

    Raises
    ------
    ValueError
        An unknown name, an l1_ratio outside [0, 1] or one that the scale does not have, y_std not
        above 0.

    Examples
    --------
    >>> convert_l1_ratio(0.5, "glmnet", "regsolve", y_std=3.0)
    0.75
    """
    source, target = _scale("source", source), _scale("target", target)
    ratio = _ratio(l1_ratio, source, target)
    spread = _validate.positive_number("y_std", y_std)
    if (source == "glmnet") == (target == "glmnet"):
        return ratio
    return ratio / (ratio + (1.0 - ratio) * (1.0 / spread if source == "glmnet" else spread))


def _to_mean(values: Vector, scale: str, total: float) -> Vector:
    if scale == "Ridge":
        return values / total
    return _reciprocal(values, scale, total)


def _from_mean(alpha: Vector, scale: str, total: float) -> Vector:
    if scale == "Ridge":
        return alpha * total
    return _reciprocal(alpha, scale, total)


def _reciprocal(values: Vector, scale: str, total: float) -> Vector:
    """1 / (C S) or 1 / (2 C S), each its own inverse; other scales are the mean's."""
    if scale == "LogisticRegression":
        return 1.0 / (values * total)
    if scale == "LinearSVC":
        return 1.0 / (2.0 * values * total)
    return values


def _like(values: Vector) -> Any:
    return float(values) if values.ndim == 0 else values


def _scale(name: str, scale: Any) -> str:
    known = _BY_NAME.get(scale.lower()) if isinstance(scale, str) else None
    if known is None:
        raise ValueError(f"{name}={scale!r}: expected one of {', '.join(SCALES)}")
    return known


def _values(value: Any, source: str, target: str) -> Vector:
    values = np.asarray(value)
    if values.dtype.kind not in "fiu" or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"value={value!r}: expected finite numbers >= 0")
    if {source, target} & {"LogisticRegression", "LinearSVC"} and (values == 0).any():
        raise ValueError(f"value={value!r}: expected numbers > 0, as C = 0 and alpha = 0 have none")
    return values.astype(np.float64)


def _total(n_samples: Any, sample_weight: Any, scale: str) -> float:
    if sample_weight is not None:
        weights = np.atleast_1d(sample_weight)
        _validate.sample_weight(weights, weights.size)
        return float(weights.sum())
    if n_samples is None:
        raise ValueError(f"{scale} sums over rows: give n_samples or sample_weight")
    return float(_validate.positive_integer("n_samples", n_samples))


def _ratio(l1_ratio: Any, source: str, target: str) -> float:
    implied = {IMPLIED[scale] for scale in (source, target) if scale in IMPLIED}
    if l1_ratio is None and len(implied) == 1:
        return implied.pop()
    if l1_ratio is None:
        raise ValueError("l1_ratio is needed with glmnet: 1.0 for the lasso, 0.0 for ridge")
    if not 0.0 <= l1_ratio <= 1.0 or implied - {float(l1_ratio)}:
        raise ValueError(
            f"l1_ratio={l1_ratio!r}: expected a number in [0, 1]; Lasso means 1, Ridge 0"
        )
    return float(l1_ratio)


def _spread(y_std: Any, ratio: float) -> float:
    if ratio == 1.0:
        return 1.0
    if y_std is None:
        raise ValueError(
            "y_std is needed: glmnet divides a Gaussian y by its deviation, and what is left over "
            "it is the l2 term; give it, or 1.0 for another family"
        )
    return _validate.positive_number("y_std", y_std)

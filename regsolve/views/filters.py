"""Stopping early is shrinking: gradient descent and ridge as filters on the Hessian's eigenvalues.

Least squares has the Hessian H = X'X / n = sum_k l_k v_k v_k' and q = X'y / n (both centred). Every
method here that starts at w = 0 returns

    w = sum_k  filter(l_k)  (v_k'q / l_k)  v_k,

the least-squares coefficients in the eigenbasis, each times a factor:

    ridge              l / (l + alpha)
    t gradient steps   1 - (1 - eta l)^t

With alpha = 1 / (eta t) both are close to eta t l where that is small, and to 1 where it is large.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq

from .. import _validate
from .hessian import shrinkage

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]


def _check_decay(alpha: float, momentum: float, decoupled: bool) -> None:
    _validate.non_negative_number("alpha", alpha)
    if isinstance(momentum, bool) or not isinstance(
        momentum, int | float | np.integer | np.floating
    ):
        raise TypeError(f"momentum={momentum!r}: expected a number in [0, 1)")
    if not _validate.non_negative_number("momentum", momentum) < 1.0:
        raise ValueError(f"momentum={momentum!r}: expected a number in [0, 1)")
    _validate.boolean("decoupled", decoupled)


def ridge_alpha(alpha: float, *, momentum: float = 0.0, decoupled: bool = False) -> float:
    """Strength of the ridge problem whose solution is the fixed point of weight decay.

    Coupled, v <- beta v + g(w) + alpha w and w <- w - eta v, rests where g(w) + alpha w = 0: at
    ridge with alpha, whatever beta is. Decoupled, v <- beta v + g(w) and
    w <- (1 - eta alpha) w - eta v, rests where v = g / (1 - beta) and alpha w + v = 0: at ridge
    with (1 - beta) alpha. Without momentum the two are the same steps.

    Parameters
    ----------
    alpha : float >= 0
        Weight decay, on the mean scale.
    momentum : float in [0, 1)
        beta.
    decoupled : bool

    Raises
    ------
    ValueError
        alpha or momentum outside its range, or alpha no number.
    TypeError
        momentum no number, decoupled not True or False.

    References
    ----------
    Loshchilov and Hutter (2019), Decoupled weight decay regularization.
    """
    _check_decay(alpha, momentum, decoupled)
    return (1.0 - float(momentum)) * float(alpha) if decoupled else float(alpha)


def largest_step(
    curvature: float, alpha: float = 0.0, *, momentum: float = 0.0, decoupled: bool = False
) -> float:
    """Step eta from which on gradient descent on this largest eigenvalue of H diverges.

    2 (1 + beta) / (L + alpha), decoupled 2 (1 + beta) / (L + (1 + beta) alpha): there a root of
    the characteristic polynomial of :func:`spectral_filter` reaches -1. Infinite if L = alpha = 0.

    Parameters
    ----------
    curvature : float >= 0
        L, the largest eigenvalue of the loss's Hessian H.
    alpha, momentum, decoupled
        As in :func:`ridge_alpha`, with its errors; ValueError for a negative curvature too.
    """
    _check_decay(alpha, momentum, decoupled)
    _validate.non_negative_number("curvature", curvature)
    momentum, alpha = float(momentum), float(alpha)
    total = float(curvature) + ((1.0 + momentum) * alpha if decoupled else alpha)
    return 2.0 * (1.0 + momentum) / total if total > 0.0 else np.inf


def spectral_filter(
    eigenvalues: ArrayLike,
    steps: ArrayLike,
    step_size: float,
    *,
    alpha: float = 0.0,
    momentum: float = 0.0,
    decoupled: bool = False,
) -> Vector:
    """Factors of the least-squares coefficients after ``steps`` of full-batch weight decay.

    With a = ``ridge_alpha(alpha, ...)`` the factor is l / (l + a) (1 - e_t), 0 where l + a = 0.
    Without momentum e_t = (1 - eta (l + a))^t. With momentum beta, e_0 = 1, e_1 = 1 - eta (l + a)
    and e_{t+1} = (beta + d - eta (l + c)) e_t - beta d e_{t-1}, where coupled decay has d = 1 and
    c = alpha, decoupled d = 1 - eta alpha and c = 0.

    Parameters
    ----------
    eigenvalues : (k,) of H = X'X / n, >= 0
    steps : (m,) int >= 0
    step_size : float, eta
    alpha, momentum, decoupled : as in :func:`regsolve.views.weight_decay.gradient_descent`

    Returns
    -------
    (m, k) array

    Raises
    ------
    ValueError
        Negative eigenvalues or steps, a step size that is not above 0.
    ValueError, TypeError
        As :func:`ridge_alpha`, of alpha, momentum and decoupled.
    """
    values = np.atleast_1d(np.asarray(eigenvalues, dtype=np.float64))
    times = np.atleast_1d(np.asarray(steps))
    if not (values >= 0.0).all():
        raise ValueError("eigenvalues must be >= 0")
    if times.dtype.kind not in "iu" or (times < 0).any():
        raise ValueError("steps must be integers >= 0")
    _validate.positive_number("step_size", step_size)
    target = ridge_alpha(alpha, momentum=momentum, decoupled=decoupled)
    if momentum == 0.0:
        reached = _reached(step_size * (values + alpha), times)
    else:
        reached = _reached_with_momentum(
            values, times, step_size, alpha, momentum, decoupled=decoupled
        )
    total = values + target
    share = np.divide(values, total, out=np.zeros_like(values), where=total > 0.0)
    return share * reached


def _reached(x: Vector, times: NDArray[np.integer]) -> Vector:
    """1 - (1 - x)^t, (m, k), to full relative accuracy for small x."""
    small = np.minimum(x, 0.5)
    with np.errstate(over="ignore", invalid="ignore"):
        accurate = -np.expm1(times[:, None] * np.log1p(-small))
        direct = 1.0 - (1.0 - x) ** times[:, None]
    return np.where(x <= 0.5, accurate, direct)


def _reached_with_momentum(
    values: Vector, times: NDArray[np.integer], step: float, alpha: float, momentum: float,
    *, decoupled: bool,
) -> Vector:  # fmt: skip
    """1 - e_t, (m, k), by powers of the 2 x 2 matrix that takes (e_t, e_{t-1}) a step further."""
    kept = 1.0 - step * alpha if decoupled else 1.0
    decay = 0.0 if decoupled else alpha
    matrix = np.zeros((len(values), 2, 2))
    matrix[:, 0, 0] = kept + momentum - step * (values + decay)
    matrix[:, 0, 1] = -momentum * kept
    matrix[:, 1, 0] = 1.0
    target = ridge_alpha(alpha, momentum=momentum, decoupled=decoupled)
    start = np.ones((len(values), 2))
    start[:, 0] = 1.0 - step * (values + target)
    errors = np.empty((len(times), len(values)))
    for k, t in enumerate(times.tolist()):
        power = np.linalg.matrix_power(matrix, t)
        errors[k] = np.einsum("kj,kj->k", power[:, 1], start)
    return 1.0 - errors


def filter_difference(n_steps: int | None) -> tuple[float, float]:
    """Largest difference of the two filters for any data, and where it is.

    With x = eta t l and alpha = 1 / (eta t) the filters are x / (1 + x) and 1 - (1 - x / t)^t. For
    step sizes up to 1 / L, x lies in [0, t]; there descent's is the larger one, since
    (1 - x / t)^t <= e^-x <= 1 / (1 + x). The difference is greatest where its derivative vanishes,
    (1 - x / t)^(t - 1) = 1 / (1 + x)^2, which this solves to rounding.

    Parameters
    ----------
    n_steps : int >= 1, or None for infinitely many infinitely small steps (gradient flow).

    Returns
    -------
    difference, x : floats; 0.5 at x = 1 for a single step, 0.2036 at x = 2.513 for the flow.

    References
    ----------
    Ali, Kolter and Tibshirani (2019), A continuous-time view of early stopping for least squares
    regression (the filters' ratio, at most 1.2985 for the flow).
    """
    if n_steps is None:
        x = float(brentq(lambda x: 2.0 * np.log1p(x) - x, 1.0, 5.0, xtol=1e-14))
        return 1.0 / (1.0 + x) - float(np.exp(-x)), x
    t = _validate.positive_integer("n_steps", n_steps)
    if t == 1:
        return 0.5, 1.0

    def slope(x: float) -> float:
        """Logarithm of (1 - x / t)^(t - 1) (1 + x)^2: positive where the difference grows."""
        return float((t - 1) * np.log1p(-x / t) + 2.0 * np.log1p(x))

    x = float(brentq(slope, 0.5, t * (1.0 - 1e-15), xtol=1e-14))
    return 1.0 / (1.0 + x) - float(np.exp(t * np.log1p(-x / t))), x


@dataclass(frozen=True, eq=False)
class EarlyStopping:
    """Gradient descent stopped after t steps beside the ridge solution of alpha = 1 / (eta t).

    Attributes
    ----------
    n_steps, step_size, alpha : t, eta and 1 / (eta t)
    eigenvalues : (k,) of H above rounding, descending
    descent_filter, ridge_filter : (k,) 1 - (1 - eta l)^t and l / (l + alpha)
    descent_coef, ridge_coef : (p,) in X's units
    descent_intercept, ridge_intercept : float
    largest_difference : of the filters, on these eigenvalues
    bound : what ``largest_difference`` cannot exceed on any data, see :func:`filter_difference`
    """

    n_steps: int
    step_size: float
    alpha: float
    eigenvalues: Vector = field(repr=False)
    descent_filter: Vector = field(repr=False)
    ridge_filter: Vector = field(repr=False)
    descent_coef: Vector = field(repr=False)
    ridge_coef: Vector = field(repr=False)
    descent_intercept: float
    ridge_intercept: float
    largest_difference: float
    bound: float


def early_stopping(
    X: Any,
    y: ArrayLike,
    n_steps: int,
    *,
    step_size: float | None = None,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
) -> EarlyStopping:
    """Compare t steps of full-batch gradient descent from 0 with ridge at alpha = 1 / (eta t).

    Both from one factorisation, see :func:`regsolve.views.hessian.shrinkage`: t may be a million.

    Parameters
    ----------
    X : (n, p) array or sparse matrix
    y : (n,)
    n_steps : int >= 1, t
    step_size : float in (0, 1 / L], optional
        eta; 1 / L by default, L the largest eigenvalue of H.
    sample_weight : (n,), optional
    fit_intercept : bool
        The intercept is at its optimum at every step, and never shrunk.

    Raises
    ------
    ValueError
        Bad data, or a step size beyond 1 / L, where the bound does not hold.
    """
    t = _validate.positive_integer("n_steps", n_steps)
    view = shrinkage(X, 0.0, y, sample_weight=sample_weight, fit_intercept=fit_intercept)
    values = view.eigenvalues
    if len(values) == 0:
        raise ValueError("every column of X is constant: there is nothing to descend on")
    limit = 1.0 / float(values[0])
    eta = limit if step_size is None else _validate.positive_number("step_size", step_size)
    if eta > limit * (1.0 + 1e-12):
        raise ValueError(f"step_size={eta:g} is beyond 1 / L = {limit:g}")
    ridge = view.at(1.0 / (eta * t))
    descent = spectral_filter(values, t, eta)[0]
    coef = view._coefficients(descent * view.ols)
    return EarlyStopping(
        n_steps=t,
        step_size=eta,
        alpha=ridge.alpha,
        eigenvalues=values,
        descent_filter=descent,
        ridge_filter=ridge.factors,
        descent_coef=coef,
        ridge_coef=ridge.coef_ridge,
        descent_intercept=view._intercept(coef),
        ridge_intercept=ridge.intercept_ridge,
        largest_difference=float(np.abs(descent - ridge.factors).max()),
        bound=filter_difference(t)[0],
    )

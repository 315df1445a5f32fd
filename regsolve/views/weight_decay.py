"""Weight decay and its L1 twin: gradient and proximal steps, recorded, and what they converge to.

For the mean loss f(w) = mean_i (y_i - x_i'w - b)^2 / 2, b at its optimum, with gradient g:

    coupled L2        v <- beta v + g + alpha w,   w <- w - eta v
    decoupled decay   v <- beta v + g,             w <- (1 - eta alpha) w - eta v
    ISTA              w <- soft(w - eta g, eta alpha)

Without momentum (beta = 0) coupled and decoupled decay are the same steps, and their fixed point is
ridge with alpha. With momentum coupled decay still ends at ridge with alpha, decoupled decay at
ridge with (1 - beta) alpha. The proximal step ends at the lasso with alpha. The weights decay, the
intercept never does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate
from ..penalties import L1, L2, ElasticNet
from .centred import centred
from .filters import largest_step, ridge_alpha, spectral_filter
from .trajectory import Trajectory, judged, recorded

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]


def limit_penalty(alpha: float, *, momentum: float = 0.0, decoupled: bool = False) -> L2:
    """Penalty of the ridge problem that weight decay converges to.

    L2(alpha), but L2((1 - momentum) alpha) for decoupled decay; derived in
    :func:`regsolve.views.filters.ridge_alpha`, whose parameters and errors it has.
    """
    return L2(ridge_alpha(alpha, momentum=momentum, decoupled=decoupled))


def gradient_descent(
    X: Any,
    y: ArrayLike,
    *,
    alpha: float = 0.0,
    decoupled: bool = False,
    momentum: float = 0.0,
    step_size: float | None = None,
    n_steps: int = 1000,
    batch_size: int | None = None,
    record_every: int = 1,
    random_state: int | None = 0,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
) -> Trajectory:
    """Least squares by gradient steps with weight decay, from w = 0.

    Parameters
    ----------
    X : (n, p) array or sparse matrix
        A dense, centred copy is descended on; the intercept is at its optimum at every step.
    y : (n,)
    alpha : float >= 0
        Strength of the decay, on the scale of the mean loss.
    decoupled : bool
        Whether the weights decay beside the gradient step instead of through the gradient.
    momentum : float in [0, 1), beta of the heavy ball
    step_size : float, optional
        eta. By default 1 / (L_B + alpha) for the expected smoothness of batches of B rows,
        L_B = (n (B - 1) L + (n - B) max_i |x_i|^2) / (B (n - 1)); L_n = L.
    n_steps : int, gradient steps in all
    batch_size : int, optional
        Rows a step reads; all by default. Each pass over the rows is in a new random order.
    record_every : int, k
    random_state : int, seed of the orders; the same seed gives the same bits.
    sample_weight : (n,), optional
    fit_intercept : bool

    Returns
    -------
    Trajectory
        With batches smaller than n the iterates end in a cloud around the fixed point, whose size
        shrinks with the step size.

    Raises
    ------
    ValueError
        Bad data; a step size from which on even full batches diverge, 2 (1 + beta) / (L + alpha),
        decoupled 2 (1 + beta) / (L + (1 + beta) alpha).
    TypeError
        momentum no number, decoupled or fit_intercept not True or False.

    Warns
    -----
    ConvergenceWarning
        The steps diverged: ``status`` says so, and non-finite iterates are cut off.

    References
    ----------
    Polyak (1964), Some methods of speeding up the convergence of iteration methods.
    Loshchilov and Hutter (2019), Decoupled weight decay regularization.
    Gower et al. (2019), SGD: general analysis and improved rates (expected smoothness).
    """
    penalty = L2(alpha)
    decay: dict[str, Any] = {"momentum": momentum, "decoupled": decoupled}
    towards = limit_penalty(penalty.alpha, **decay)  # refuses what is no decay
    rows = centred(X, y, sample_weight, fit_intercept=fit_intercept)
    n, p = rows.X.shape
    size = n if batch_size is None else _validate.positive_integer("batch_size", batch_size)
    size = min(size, n)
    eigenvalues = rows.eigenvalues()
    limit = largest_step(float(eigenvalues[0]), penalty.alpha, **decay)
    smooth = _expected_smoothness(rows.X, float(eigenvalues[0]), size) + penalty.alpha
    eta = _step_size(step_size, smooth, limit)
    from .descent import heavy_ball

    w, velocity = np.zeros(p), np.zeros(p)

    def advance(order: Any, first: int, last: int, records: Vector) -> None:
        heavy_ball(
            rows.X, rows.y, w, velocity, order, size, first, last, n_steps, eta, penalty.alpha,
            float(momentum), bool(decoupled), record_every, records,
        )  # fmt: skip

    steps, coefs = recorded(advance, rows, n_steps, record_every, size, random_state)
    filters = None
    if size == n:
        filters = spectral_filter(eigenvalues, steps, eta, alpha=penalty.alpha, **decay)
    return judged(
        steps, coefs, rows, towards, eta, eigenvalues, filters,
        {"X": X, "y": y, "sample_weight": sample_weight, "fit_intercept": fit_intercept},
    )  # fmt: skip


def proximal_descent(
    X: Any,
    y: ArrayLike,
    *,
    penalty: L1 | L2 | ElasticNet,
    accelerated: bool = False,
    step_size: float | None = None,
    n_steps: int = 1000,
    record_every: int = 1,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
) -> Trajectory:
    """Least squares with a penalty by proximal gradient steps, from w = 0: weight decay for L1.

    ISTA is w <- prox(w - eta g(w), eta); FISTA takes the step at the extrapolated point
    z_k = w_k + (t_{k-1} - 1) / t_k (w_k - w_{k-1}), t_0 = 1, t_k = (1 + sqrt(1 + 4 t_{k-1}^2)) / 2.
    With eta = 1 / L and the solution w*, the objective is above its least value by at most
    L |w*|^2 / (2 t) after t steps of ISTA, and 2 L |w*|^2 / (t + 1)^2 of FISTA.

    Parameters
    ----------
    penalty : L1, L2 or ElasticNet, with its weights and bounds
    accelerated : bool, FISTA instead of ISTA
    step_size : float, optional
        1 / L by default; below 2 / L for ISTA, at most 1 / L for FISTA.
    X, y, n_steps, record_every, sample_weight, fit_intercept
        As in :func:`gradient_descent`.

    Returns
    -------
    Trajectory

    Raises
    ------
    ValueError
        Bad data, or a step size that does not guarantee convergence.
    TypeError
        Another penalty; accelerated or fit_intercept not True or False.

    References
    ----------
    Beck and Teboulle (2009), A fast iterative shrinkage-thresholding algorithm for linear inverse
    problems.
    """
    if not isinstance(penalty, L1 | L2 | ElasticNet):
        raise TypeError(f"penalty={penalty!r}: expected L1, L2 or ElasticNet")
    accelerated = _validate.boolean("accelerated", accelerated)
    rows = centred(X, y, sample_weight, fit_intercept=fit_intercept)
    n, p = rows.X.shape
    eigenvalues = rows.eigenvalues()
    curvature = float(eigenvalues[0])
    limit = (1.0 + 1e-12 if accelerated else 2.0) / curvature if curvature > 0.0 else np.inf
    eta = _step_size(step_size, curvature, limit)
    strengths = tuple(np.ascontiguousarray(one) for one in penalty.strengths(p))
    from .descent import proximal

    w, z, inertia = np.zeros(p), np.zeros(p), np.ones(1)

    def advance(order: Any, first: int, last: int, records: Vector) -> None:
        proximal(
            rows.X, rows.y, w, z, inertia, order, first, last, n_steps, eta, strengths,
            bool(accelerated), record_every, records,
        )  # fmt: skip

    steps, coefs = recorded(advance, rows, n_steps, record_every, n, None)
    return judged(
        steps, coefs, rows, penalty, eta, eigenvalues, None,
        {"X": X, "y": y, "sample_weight": sample_weight, "fit_intercept": fit_intercept},
    )  # fmt: skip


def _expected_smoothness(X: Vector, curvature: float, size: int) -> float:
    n = len(X)
    if size == n:
        return curvature
    longest = float(np.einsum("ij,ij->i", X, X).max())
    return (n * (size - 1) * curvature + (n - size) * longest) / (size * (n - 1))


def _step_size(given: float | None, smooth: float, limit: float) -> float:
    if given is None:
        return 1.0 / max(smooth, 1e-300)
    eta = _validate.positive_number("step_size", given)
    if eta >= limit:
        raise ValueError(f"step_size={eta:g}: expected less than {limit:g}, or the steps diverge")
    return eta

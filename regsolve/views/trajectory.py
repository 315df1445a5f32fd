"""What a descent leaves: its recorded iterates, judged as answers to the problem they head for."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate
from ..certificate import verify
from ..penalties import L1, L2, ElasticNet
from ..solution import Certificate
from .centred import Centred

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

WORSE = 2.0  # times the objective of w = 0 that is called diverged
_STRETCH = 1 << 26  # numbers of X that compiled code reads before Python looks for Ctrl-C


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Recorded iterates of a descent that started at w = 0; record i is iterate ``steps[i]``.

    Attributes
    ----------
    steps : (m,) int
        0, k, 2k, ... and the last one.
    coefs : (m, p) in X's units; intercepts : (m,)
    losses : (m,) mean of (y - Xw - b)^2 / 2, without penalty
    objectives : (m,) losses plus ``penalty``
    penalty : L1, L2 or ElasticNet
        Of the problem whose solution is the fixed point.
    step_size : float
    eigenvalues : (min(n, p),) of the Hessian, descending
    filters : (m, min(n, p)) or None
        Factors of the least-squares coefficients in the eigenbasis, for full-batch gradient steps;
        see :func:`regsolve.views.filters.spectral_filter`.
    status : "finished", or "diverged": the last iterate is not finite, or its objective more than
        twice that of w = 0, around which batches of noise may leave it.
    certificate : Certificate
        What is proven of the last iterate as an answer to the problem of ``penalty``.
    """

    steps: NDArray[np.int64] = field(repr=False)
    coefs: Vector = field(repr=False)
    intercepts: Vector = field(repr=False)
    losses: Vector = field(repr=False)
    objectives: Vector = field(repr=False)
    penalty: L1 | L2 | ElasticNet
    step_size: float
    eigenvalues: Vector = field(repr=False)
    filters: Vector | None = field(repr=False)
    status: str
    certificate: Certificate


def recorded(
    advance: Callable[[Any, int, int, Vector], None],
    rows: Centred, n_steps: int, every: int, batch_size: int, seed: int | None,
) -> tuple[NDArray[np.int64], Vector]:  # fmt: skip
    """Run all steps in stretches that Ctrl-C can come between; each pass has its own order."""
    _validate.positive_integer("n_steps", n_steps)
    _validate.positive_integer("record_every", every)
    n, p = rows.X.shape
    steps = np.append(np.arange(0, n_steps, every), n_steps)
    records = np.zeros((len(steps), p))
    rng, order = np.random.default_rng(seed), np.arange(n)
    n_batches = -(-n // batch_size)
    stretch = max(1, _STRETCH // (batch_size * p))
    first = 0
    while first < n_steps:
        if n_batches > 1 and first % n_batches == 0:
            order = rng.permutation(n)
        end = n_steps if n_batches == 1 else first + n_batches - first % n_batches
        last = min(first + stretch, end, n_steps)
        advance(order, first, last, records)
        first = last
    return steps, records


def judged(
    steps: NDArray[np.int64], coefs: Vector, rows: Centred, penalty: L1 | L2 | ElasticNet,
    eta: float, eigenvalues: Vector, filters: Vector | None, problem: dict[str, Any],
) -> Trajectory:  # fmt: skip
    """Objectives of all records, the certificate of the last one; non-finite ones are cut off."""
    losses = rows.losses(coefs)
    l1, l2, _, _ = penalty.strengths(coefs.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        objectives = losses + np.abs(coefs) @ l1 + 0.5 * coefs**2 @ l2
    finite = np.isfinite(objectives) & np.isfinite(coefs).all(axis=1)
    kept = len(steps) if finite.all() else int(finite.argmin())
    rounding = 1e-12 * objectives[0]
    diverged = kept < len(steps) or objectives[-1] > WORSE * objectives[0] + rounding
    if diverged:
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(
            f"the steps diverged: step_size={eta:g} is too large for these batches",
            ConvergenceWarning,
            stacklevel=3,
        )
    intercepts = rows.intercepts(coefs[:kept])
    return Trajectory(
        steps=steps[:kept],
        coefs=coefs[:kept],
        intercepts=intercepts,
        losses=losses[:kept],
        objectives=objectives[:kept],
        penalty=penalty,
        step_size=eta,
        eigenvalues=eigenvalues,
        filters=None if filters is None else filters[:kept],
        status="diverged" if diverged else "finished",
        certificate=verify(
            coef=coefs[kept - 1], intercept=float(intercepts[-1]), penalty=penalty, **problem
        ),
    )

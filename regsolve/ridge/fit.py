"""Ridge regression, functional: pairs of strength and target in, proven coefficients out.

    minimise  sum_i s_i (y_i - x_i'w - b)^2 + alpha sum_j (e_j w_j)^2

alpha is on scikit-learn's sum scale; certificates are those of :func:`regsolve.verify` on the mean
scale, with penalty L2(alpha / sum s).
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate
from .._threads import scipy_blas
from ..certificate import verify
from ..penalties import L2
from ..solution import Certificate, Report
from . import direct, iterative
from .answer import Answer
from .costs import Plan, choose, may_attempt, may_iterate, too_large
from .design import Design, Targets, targets
from .normal import Normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

PERSISTENCE = 10.0  # times an iteration's seconds that a factor may take where that missed tol


@dataclass
class Fitted:
    """Solutions for Q pairs of strength and target.

    ``coefs`` (p, Q) in X's units, ``intercepts`` (Q,), certificates and statuses.
    """

    alphas: Array
    target: Integers
    coefs: Array = field(repr=False)
    intercepts: Array
    certificates: list[Certificate] = field(repr=False)
    statuses: list[str]
    report: Report = field(repr=False)


def fit_ridge(
    X: Any,
    Y: Any,
    alphas: Any,
    target: Any = None,
    *,
    pick: Callable[[direct.Solver], tuple[Array, Integers]] | None = None,
    sample_weight: Any = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    solver: str = "auto",
    tol: float = 1e-6,
    max_iter: int | None = None,
    n_threads: int | None = None,
) -> Fitted:
    """Fit every pair (alphas[q], column target[q] of Y).

    Parameters
    ----------
    X : array or SciPy sparse matrix, (n, p)
        Never written and never copied whole.
    Y : (n, T)
    alphas : (Q,) >= 0, on the sum scale, or None where ``pick`` answers for the condition too
    target : (Q,) integers, default 0 for all
    pick : function, optional
        Given the factorised problem, chooses the pairs to fit, (strengths, targets), after a look
        at its criteria; ``alphas`` are then those that it may choose from.
    solver : "auto", "cholesky", "tridiagonal", "eigen", "svd", "krylov", "conjugate_gradients"
        The last two read X alone: all strengths from one Krylov space, or each preconditioned.
    tol : float
        On the gap over the null objective; direct regimes reach far less.
    max_iter : int, optional
        Most steps of an iteration.

    Raises
    ------
    ValueError
        Bad input; the message names the argument.

    Warns
    -----
    ConvergenceWarning
        When tol is missed, with the gap reached.
    """
    start = time.perf_counter()
    tol = _validate.positive_number("tol", tol)
    checked = _validate.design(X)
    weight = checked_weight(sample_weight, checked.shape[0])
    Y = np.column_stack([_validate.target(y, checked.shape[0]) for y in np.asarray(Y).T])
    a = np.asarray([np.inf] if alphas is None else alphas, dtype=np.float64)
    t = np.zeros(len(a), dtype=np.intp) if target is None else np.asarray(target, dtype=np.intp)
    threads = _validate.threads(n_threads)
    with scipy_blas(n_threads):
        design = Design(checked, X, weight, fit_intercept, standardize, threads)
        centred = targets(design, Y)
        plan = choose(design, len(np.unique(a)), float(a.min()), solver, pick is None)
        if pick is None:
            answer = _answer(design, centred, a, t, plan, solver, tol, max_iter)
        else:
            chosen: list[Any] = []

            def told(solver: direct.Solver) -> tuple[Array, Integers]:
                chosen[:] = pick(solver)
                return chosen[0], chosen[1]

            answer = direct.select(design, centred, a, plan, told)
            a, t = chosen
        return _fitted(design, centred, answer, a, t, tol, start)


def _answer(
    design: Design,
    centred: Targets,
    a: Array,
    t: Integers,
    plan: Plan,
    solver: str,
    tol: float,
    max_iter: int | None,
) -> Answer:
    """By a factor, or by an iteration where that is predicted to cost less."""
    if a.min() > 0.0 and may_iterate(design, plan, solver):
        normal = Normal(design, centred)
        seconds = math.inf if too_large(design) else plan.seconds
        began = time.perf_counter()
        answer = iterative.solve(normal, a, t, tol, max_iter, solver, seconds)
        if answer is not None:
            worth = seconds <= PERSISTENCE * (time.perf_counter() - began)
            if solver == "auto" and max_iter is None and worth:
                return _best(design, centred, a, t, plan, answer, tol)
            return answer
    elif a.min() > 0.0 and may_attempt(design, plan, solver, len(np.unique(t))):
        answer = iterative.attempt(Normal(design, centred), a, t, tol, max_iter, plan.seconds)
        if answer is not None:
            return answer
    return direct.solve(design, centred, a, t, plan)


def _best(
    design: Design,
    centred: Targets,
    a: Array,
    t: Integers,
    plan: Plan,
    iterated: Answer,
    tol: float,
) -> Answer:
    """What an iteration has found, or where rounding kept it from tol and a factor does not."""

    def worst(answer: Answer) -> float:
        return float(np.max(answer.proof.relative_gap(centred.square[t])))

    if worst(iterated) <= tol:
        return iterated
    factored = direct.by_normal_equations(design, centred, a, t, plan)
    return factored if worst(factored) < worst(iterated) else iterated


def checked_weight(sample_weight: Any, n: int) -> Array | None:
    """Row weights; unlike elsewhere a scalar counts, as it does against the sum in ridge."""
    weight = _validate.sample_weight(sample_weight, n)
    if weight is None and sample_weight is not None:
        return np.full(n, float(sample_weight))
    return weight


def _fitted(
    design: Design,
    centred: Targets,
    answer: Answer,
    a: Array,
    t: Integers,
    tol: float,
    start: float,
) -> Fitted:
    answer.W[:, centred.constant(design.weight)[t]] = 0.0
    coefs = design.coefficients(answer.W)
    intercepts = np.zeros(len(a))
    if design.fit_intercept:
        intercepts = centred.mean[t] - design.mean @ coefs
    certificates = _certificates(design, centred, answer, coefs, intercepts, a, t)
    gaps = np.array([c.relative_gap for c in certificates])
    statuses = ["optimal" if gap <= tol else "stalled" for gap in gaps]
    if not answer.converged:
        statuses = [s if s == "optimal" else "max_iter" for s in statuses]
    if "optimal" not in statuses or len(set(statuses)) > 1:
        _warn(gaps, a, tol)
    report = _report(design, answer, coefs, time.perf_counter() - start)
    return Fitted(a, t, coefs, intercepts, certificates, statuses, report)


def _certificates(
    design: Design,
    centred: Targets,
    answer: Answer,
    coefs: Array,
    intercepts: Array,
    a: Array,
    t: Integers,
) -> list[Certificate]:
    """On the mean scale; where alpha = 0, or the null objective is rounding, by the judge."""
    total, found = design.total, answer.proof
    constant = centred.constant(design.weight)
    relative = found.relative_gap(centred.square[t])
    out = []
    for q in range(len(a)):
        if a[q] == 0.0 or constant[t[q]]:
            out.append(
                verify(
                    design.X,
                    centred.Y[:, t[q]],
                    coefs[:, q],
                    float(intercepts[q]),
                    penalty=L2(a[q] / total),
                    sample_weight=design.weight,
                    fit_intercept=design.fit_intercept,
                    standardize=design.standardize,
                )
            )
            design.passes += 4.0
            continue
        primal, gap = found.primal[q] / total, found.gap[q] / total
        out.append(
            Certificate(
                float(primal),
                float(primal - gap),
                float(gap),
                float(relative[q]),
                float(found.kkt[q]),
            )
        )
    return out


def _report(design: Design, answer: Answer, coefs: Array, seconds: float) -> Report:
    why = answer.why
    if design.checked.note:
        why += "; " + design.checked.note
    k = min(design.n, design.p)
    direct_bytes = 24 * k * k if answer.n_solves else 0
    held = direct_bytes + 8 * (2 * coefs.size + answer.W.size) + answer.extra_bytes
    return Report(
        mode=answer.mode,
        n_passes=design.passes,
        n_rhs=design.n_rhs,
        bytes_read=int(design.passes * design.storage.n_bytes),
        peak_bytes=int(held),
        working_set_size=design.p,
        n_solves=answer.n_solves,
        n_epochs=answer.n_iterations,
        seconds=seconds,
        why=why,
    )


def _warn(gaps: Array, a: Array, tol: float) -> None:
    from sklearn.exceptions import ConvergenceWarning

    missed = np.flatnonzero(~(gaps <= tol))
    worst = missed[int(np.argmax(gaps[missed]))]
    warnings.warn(
        f"{len(missed)} of {len(gaps)} ridge fits missed tol={tol:g}: worst relative gap "
        f"{gaps[worst]:.3g} at alpha={a[worst]:.6g}; allow more (max_iter, max_time) or raise "
        "alpha",
        ConvergenceWarning,
        stacklevel=5,
    )

"""Least squares within an L2 ball: the strength of the ridge fit that just fills it.

The secular equation ||w(a)|| = C, or ||r(a)|| = sigma, is solved on the spectrum of Z'Z or Z Z' by
Newton's method on 1 / ||w(a)||, which is nearly linear in a; where a spectrum is dear, on Krylov
spaces that grow until the fit there is proven (:mod:`regsolve.ridge.projected`).

References
----------
More and Sorensen (1983), Computing a trust region step. Golub and von Matt (1991), Quadratically
constrained least squares and quadratic problems.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq

from .._threads import available_memory
from ..ridge import costs, direct
from ..ridge.costs import CLOSE, GAIN, GLANCE, Plan
from ..ridge.design import Design, Targets
from ..ridge.factors import EPS, Breakdown, conditions
from ..ridge.normal import Normal
from ..ridge.projected import Projected
from .goal import Found, Goal, only_zero
from .norms import lq_norm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

HOPE = 0.2  # of a spectrum's seconds that a space may take which does not reach the norm yet
SHARE = 1.25  # by which a Krylov space has grown when it is asked again
LEAST = 1e-13  # strength over the largest Ritz value below which only a spectrum tells
PROVEN = 2.5e-13  # gap by recurrences at which a Krylov space is large enough
MET = 1e-11  # of a norm: how exactly it must be met, from below
CORRECTIONS = 4
FEWEST_STEPS = 32  # of a Krylov space, whatever memory is free: a few vectors


def within_l2(design: Design, centred: Targets, goal: Goal) -> Found:
    """The secular equation, then one solve."""
    zero = only_zero(design, centred, goal, 2.0)
    if zero is not None:
        return zero
    plan = costs.choose(design, 1, math.inf, "auto", any_factor=False)
    dear = costs.may_iterate(design, plan, "auto") or costs.may_attempt(design, plan, "auto", 1)
    if dear and 0.0 < goal.bound < math.inf:
        found = _on_krylov_space(design, centred, goal, plan)
        if found is not None:
            return found
    return _on_spectrum(design, centred, goal, plan)


def _on_spectrum(design: Design, centred: Targets, goal: Goal, plan: Plan) -> Found:
    calls: list[float] = []

    def pick(solver: direct.Solver) -> tuple[Array, Any]:
        criteria = solver.criteria()
        L, p = criteria.spectrum.values, criteria.projections[:, 0]
        a = _strength(L, p, criteria.primal, goal, design, centred)
        calls.append(a)
        worst = float(conditions(L, np.array([a]))[0])
        if len(calls) == 1 and worst > direct.LOST:
            raise Breakdown(worst)
        return np.array([a]), np.zeros(1, dtype=np.intp)

    # no strength is refused before the root is known
    answer = direct.select(design, centred, np.array([math.inf]), plan, pick)
    return Found(calls[-1] / design.total, answer.W[:, 0], answer.mode, answer.why, 1)


def _on_krylov_space(design: Design, centred: Targets, goal: Goal, plan: Plan) -> Found | None:
    """None where a spectrum is predicted to cost less, or the ball not to bind."""
    normal = Normal(design, centred)
    seconds = GAIN * (math.inf if costs.too_large(design) else plan.seconds)
    steps = int(0.25 * available_memory() // (8.0 * normal.size))
    space = Projected(normal, max(FEWEST_STEPS, steps))
    of_residual, bound = goal.residual is not None, goal.bound
    if of_residual:
        bound *= math.sqrt(design.total)
    if not _grow(space, of_residual, bound, seconds):
        return None
    aim, first = bound, np.zeros(1, dtype=np.intp)
    for _ in range(CORRECTIONS):  # by what the norm in X's own products differs
        a = _root(space, of_residual, aim)
        if a is None:
            return None
        W, proof = normal.prove(space.solution(a), np.array([a]), first)
        reached = float(lq_norm((centred.R - design.dot(W) if of_residual else W)[:, 0], 2.0))
        if proof.relative_gap(centred.square)[0] > CLOSE:
            return None
        if bound * (1.0 - MET) <= reached <= bound:
            why = f"the secular equation on a Krylov space of {space.steps} steps"
            mode = f"{'gram' if normal.primal else 'kernel'}-krylov"
            return Found(a / design.total, W[:, 0], mode, why)
        aim *= bound / reached * (1.0 - 0.5 * MET)
    return None


def _grow(space: Projected, of_residual: bool, bound: float, seconds: float) -> bool:
    """Until the fit that meets the bound is proven there; False where that would take longer."""
    steps, gap, normal = 0, math.inf, space.normal
    while True:
        space.extend(max(GLANCE, int(SHARE * steps)) - steps)
        before, last, steps = steps, gap, space.steps
        a = _root(space, of_residual, bound)
        gap = math.inf if a is None else space.gap(a)
        if gap <= PROVEN:
            return True
        if a is None:
            dear = steps * costs.lanczos_step(normal, steps) > HOPE * seconds
        else:
            fall = math.log(last / gap) if 0.0 < gap < last < math.inf else 0.0
            more = (steps - before) * math.log(gap / PROVEN) / fall if fall else math.inf
            outlook = space.outlook(a, min(more, normal.size - steps))
            dear = costs.krylov_seconds(normal, outlook, PROVEN) > seconds
        if dear or space.full:
            return False


def _root(space: Projected, of_residual: bool, bound: float) -> float | None:
    """The strength at which the fit in ``space`` meets the bound; None where none above LEAST does.

    ||w(a)|| falls and ||r(a)|| grows with a, both on the logarithmic scale of a.
    """

    def excess(log_a: float) -> float:
        norm = space.norms(math.exp(log_a))[of_residual]
        return math.log(norm / bound) if norm > 0.0 else -math.inf

    sign, largest = (-1.0 if of_residual else 1.0), float(np.max(space.basis.h))
    if not largest > 0.0:  # X says nothing of y
        return None
    low = math.log(LEAST * largest)
    high = low - 2.0 * math.log(LEAST)
    if not sign * excess(low) > 0.0:
        return None
    while sign * excess(high) > 0.0:
        high += 10.0
    return math.exp(brentq(excess, low, high, xtol=4.0 * EPS, rtol=4.0 * EPS))


def _strength(
    L: Array, p: Array, primal: bool, goal: Goal, design: Design, centred: Targets
) -> float:
    """The a >= 0, on the sum scale, at which w(a) meets the goal; 0 where none need."""
    floor = EPS * max(design.n, design.p) * math.sqrt(float(np.max(L, initial=0.0)))
    kept = np.sqrt(L) > floor
    L, p = L[kept], p[kept]
    t = p / np.sqrt(L) if primal else p  # R along the left singular vectors of Z
    if goal.residual is None:
        assert goal.radius is not None
        return secular(L, np.sqrt(L) * t, goal.radius)
    outside = max(float(centred.square[0]) - float(t @ t), 0.0)
    room = goal.residual * goal.residual * design.total - outside
    if room <= 0.0:
        return 0.0
    inverse = secular(1.0 / L, t / L, math.sqrt(room))  # of 1 / a: the residual is t / (1 + L / a)
    return 1.0 / inverse if inverse > 0.0 else math.inf


def secular(L: Array, p: Array, bound: float) -> float:
    """The a >= 0 with sum_k (p_k / (L_k + a))^2 = bound^2; 0 where the sum is below that at 0.

    Newton's method on 1 / bound - 1 / ||p / (L + a)|| from the left, where it is monotone; the
    start is the largest a that a single term asks for.
    """
    if len(L) == 0 or lq_norm(p / L, 2.0) <= bound:
        return 0.0
    a = max(float(np.max(np.abs(p) / bound - L)), 0.0)
    for _ in range(100):
        x = p / (L + a)
        length = lq_norm(x, 2.0)
        unit = x / length
        step = (length / bound - 1.0) / float(np.sum(unit**2 / (L + a)))
        if not step > 2.0 * EPS * a:
            return a
        a += step
    return a

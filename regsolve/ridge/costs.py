"""Which factorisation, or which iteration: predicted seconds, told in words.

Those of factorisations follow from shapes. Where one is dear, Lanczos begins, and after each block
of steps its own convergence and its Ritz values theta_1 >= theta_2 ... predict what is left:
conjugate gradients after a sketch of rank r see a condition of (theta_r + a) / a. Lanczos, kept
orthogonal, spends a step on each of i large eigenvalues and then sees (theta_{i+1} + a) / a; those
that no step has told yet are taken to fall as a power of i that makes up the trace. Rates are those
of two cores of a common server; their ratios are what decides.

References
----------
Axelsson and Lindskog (1986), On the rate of convergence of the preconditioned conjugate gradient
method: isolated large eigenvalues.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

from .._threads import available_memory
from .design import EIGHT, Design
from .normal import Normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .krylov import Outlook

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

FLOPS = 9e10  # a second in products of matrices
CHOLESKY, TRIDIAGONAL, EIGEN = 6e10, 3.5e10, 7.5e9  # k^3/3, 4/3 k^3 and k^3 flops a second
REFLECTOR = 2e-6  # seconds that each column of a tridiagonalisation costs beyond its arithmetic
PAIRS = 2.5e8  # of stored values a second in Z'Z or Z Z' of sparse X
BANDWIDTH = 8e9  # bytes a second
STREAM, EIGHT_STREAM = 2e10, 1e10  # bytes of dense X a second for S v, and for S V, V (k, 8)
ONE_VALUE, EIGHT_VALUES = 1.5e-9, 2.5e-9  # seconds a stored value of S v and of S V, V (k, 8)
CALL = 1e-4  # seconds that a step costs beyond its arithmetic
PATIENCE = 40.0  # products with S, in seconds, below which nothing but a factor is thought of,
DENSE_PATIENCE = 100.0  # of sparse X, and of dense X
GLANCE = 8  # steps of Lanczos that tell the largest eigenvalue
GAIN = 0.75  # of a factor's seconds that a dense iteration may be predicted to take
SHORT = 12.0, 0.03  # steps, and seconds, below which a factor of dense X is not doubted
CLOSE = 1e-10  # gap to which a dense iteration goes, where tol asks for less
MOST_RANK = 128
FASTEST_FALL = 8.0  # power of i that eigenvalues not seen yet may fall with
DOUBT = 1.25  # of steps that the spectrum predicts
# Share of a factor's seconds that Lanczos goes on for, whatever is predicted: before many Ritz
# values are there, a plateau makes a prediction ten times too long.
TRIAL = 0.1
ITERATIVE = ("krylov", "conjugate_gradients")


@dataclass(frozen=True)
class Plan:
    """What to do and why; ``factor`` is cholesky, tridiagonal or eigen."""

    primal: bool
    factor: str
    why: str
    precise: bool = False
    seconds: float = 0.0


def choose(design: Design, n_alphas: int, least: float, solver: str, any_factor: bool) -> Plan:
    """Plan for ``n_alphas`` distinct strengths from ``least`` up.

    ``solver`` is "auto" or a factor by name; without ``any_factor`` the spectrum is asked for.
    """
    n, p, storage = design.n, design.p, design.storage
    primal, k = n >= p, min(n, p)
    if least == 0.0 or solver == "svd":
        why = "alpha = 0 asks for the precision of X itself" if least == 0.0 else "asked for"
        return Plan(primal, "eigen", why, precise=True)
    if solver not in ("auto", *ITERATIVE):
        return Plan(primal, solver, "asked for")
    seconds = {
        "cholesky": n_alphas * (k**3 / 3.0 / CHOLESKY + 40.0 * k * k / BANDWIDTH),
        "tridiagonal": 4.0 / 3.0 * k**3 / TRIDIAGONAL + k * (REFLECTOR + n_alphas * 1e-7),
        "eigen": k**3 / EIGEN,
    }
    if not any_factor:
        seconds = {"eigen": seconds["eigen"]}
    factor = min(seconds, key=seconds.__getitem__)
    product = 8.0 * k * k / 1e9
    product += storage.pairs(primal) / PAIRS if storage.sparse else float(n) * p * k / FLOPS
    side = "Z'Z" if primal else "ZZ'"
    number = "one alpha" if n_alphas == 1 else f"{n_alphas} alphas"
    said = ", ".join(f"{name} {value:.2g}" for name, value in seconds.items())
    why = f"{side} for {number}: {product:.2g} s, then {said} s predicted"
    return Plan(primal, factor, why, seconds=product + seconds[factor])


def may_iterate(design: Design, plan: Plan, solver: str) -> bool:
    """Whether a factor costs so much, in time or memory, that iterations are to be predicted."""
    if solver in ITERATIVE:
        return True
    if plan.precise or solver != "auto":
        return False
    patience = PATIENCE if design.storage.sparse else DENSE_PATIENCE
    return too_large(design) or plan.seconds > patience * _product(design, EIGHT)


def may_attempt(design: Design, plan: Plan, solver: str, n_targets: int) -> bool:
    """Whether a well-conditioned dense problem would be solved before its factor is there."""
    if plan.precise or solver != "auto" or design.storage.sparse or n_targets > EIGHT:
        return False
    steps, seconds = SHORT
    return plan.seconds > max(seconds, steps * _step(design))


def short(normal: Normal, outlook: Outlook, tol: float) -> float:
    """Seconds to finish, at the pace so far or by the bound 2 rho^k, whichever is less.

    rho belongs to the condition of S + a I.
    """
    top, least = 1.3 * float(outlook.ritz[0]), float(outlook.a.min())
    root = math.sqrt((top + least) / least)
    steps = min(0.5 * root * math.log(2.0 / math.sqrt(tol)), 1.2 * outlook.more)
    return (steps + 3.0) * outlook.going * _step(normal.design)


def too_large(design: Design) -> bool:
    """Whether a factor would take more than half of the memory that is free."""
    return 24.0 * min(design.n, design.p) ** 2 > 0.5 * available_memory()


@dataclass
class Prospects:
    """Seconds that each way to finish is predicted to take, when some steps are behind."""

    normal: Normal
    a: Array
    t: Integers
    tol: float
    direct: float  # of a factorisation, infinite where it does not fit
    said: str = ""

    def best(self, outlook: Outlook, to_come: Integers) -> str:
        """The cheapest: "krylov", "conjugate_gradients" or "direct"."""
        k, design = self.normal.size, self.normal.design
        later = -(-len(to_come) // EIGHT)  # groups of targets
        krylov = krylov_seconds(self.normal, outlook, self.tol, later)
        rank = rank_of(k)
        one = float(
            outlook.ritz[min(rank, len(outlook.ritz) // 4)]
        )  # those behind are not known yet
        digits = math.log(2.0 / math.sqrt(self.tol))
        needed = np.append(outlook.a, self.a[np.isin(self.t, to_come)])
        each = np.minimum(0.5 * np.sqrt((one + needed) / needed) * digits, k)
        step = _product(design, EIGHT) + EIGHT * 4.0 * k * rank / 2e9
        sketched = (rank / EIGHT) * _product(design, EIGHT) + 2.0 * k * rank**2 / 1e10
        factors = len(np.unique(needed)) * 2.0 * k * rank**2 / 1e10
        seconds = {
            "krylov": krylov,
            "conjugate_gradients": sketched + factors + float(each.sum()) / EIGHT * step,
            "direct": self.direct,
        }
        told = ", ".join(f"{name} {value:.2g} s" for name, value in seconds.items())
        self.said = f"after {outlook.steps} steps of Lanczos, to finish: {told} predicted"
        best = min(seconds, key=seconds.__getitem__)
        pace = lanczos_step(self.normal, outlook.steps, outlook.going)
        spent = (1 + later) * outlook.steps * pace
        return "krylov" if best == "direct" and spent < TRIAL * self.direct else best


def krylov_seconds(normal: Normal, outlook: Outlook, tol: float, later: int = 0) -> float:
    """Seconds of Lanczos to finish, and those of ``later`` groups of targets as wide."""
    k, more, width = normal.size, outlook.more, outlook.going
    expected = DOUBT * lanczos_steps(outlook.ritz, float(outlook.a.min()), k, normal.trace, tol)
    if expected > outlook.steps:
        more = min(more, expected - outlook.steps)
    steps = outlook.steps + more
    return lanczos_step(normal, steps, width) * (more + later * steps)


def lanczos_step(normal: Normal, steps: float, width: int = 1) -> float:
    """Seconds of one of so many steps, for ``width`` targets."""
    return _product(normal.design, width) + 4.0 * normal.size * steps * width / 8e9


def lanczos_steps(ritz: Array, a: float, k: int, trace: float, tol: float) -> float:
    """Min_i i + sqrt((l_{i+1} + a) / a) log(2 / sqrt(tol)) / 2 for eigenvalues l of S (k, k).

    The first quarter of the Ritz values stands for as many eigenvalues, the trace for the others.
    """
    seen = max(1, len(ritz) // 4)
    beyond = np.arange(seen + 1.0, k + 1.0) / seen
    rest = trace - float(ritz[:seen].sum())

    def excess(power: float) -> float:
        return float(ritz[seen - 1] * (beyond**-power).sum()) - rest

    power = 0.0 if excess(0.0) <= 0.0 else FASTEST_FALL
    if excess(0.0) > 0.0 > excess(FASTEST_FALL):
        power = optimize.brentq(excess, 0.0, FASTEST_FALL, rtol=1e-3)
    values = np.concatenate([ritz[:seen], ritz[seen - 1] * beyond**-power])
    steps = np.arange(k) + 0.5 * np.sqrt((values + a) / a) * math.log(2.0 / math.sqrt(tol))
    return min(float(steps.min()), float(k))


def rank_of(k: int) -> int:
    """Of the sketch of a k x k matrix."""
    return int(min(MOST_RANK, k // 4))


def _step(design: Design) -> float:
    """Seconds of a step of Lanczos on dense X."""
    return 3.0 * CALL + float(design.storage.n_bytes) / STREAM


def _product(design: Design, width: int) -> float:
    """Seconds of S V, V (k, width)."""
    storage = design.storage
    if storage.sparse:
        return CALL + float(storage.n_values) * (ONE_VALUE if width == 1 else EIGHT_VALUES)
    return CALL + float(storage.n_bytes) / (STREAM if width == 1 else EIGHT_STREAM)

"""Ridge regression by one factorisation of Z'Z, of Z Z', or of a triangular root of either.

    n >= p     (Z'Z + a I) w = Z'R
    n < p      (Z Z' + a I) c = R,  w = Z'c
    precise    R-factor of a QR factorisation of Z (or Z'), then its singular values

The normal equations lose about eps (L_max + a) / (L_min + a) of the answer. Where X is small their
answer is corrected by residuals of X itself; where that condition exceeds 1e7 the root is taken
instead, and its answer is refined on residuals of twice the precision where X is small. A root that
would take minutes is taken from a condition of 1e14 on: up to there corrections are worth as much.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from . import proof, shifted
from .answer import Answer
from .blas import product
from .costs import Plan
from .criteria import Criteria
from .design import Design, Targets
from .factors import Breakdown, Cholesky, Spectrum, Tridiagonal, eigen, singular
from .low_rank import LowRank
from .normal import Normal
from .products import kernel, root_of_gram, root_of_kernel
from .refine import LITTLE_WORK, corrected, polished, refined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

BLURRED = 10.0  # condition beyond which they lose more than Z itself would, and are corrected
LOST = 1e7  # condition beyond which the normal equations lose more than nine of sixteen digits
SMALL, CHEAP = 1 << 18, 1e3  # flops of a factor of Z up to which it is taken from CHEAP on
DEAR, HOPELESS = 1e11, 1e14  # flops of a factor of Z from which it is taken from HOPELESS on,
HAZY = 1e9  # for a spectrum, whose criteria nothing corrects, from HAZY on


def solve(design: Design, targets: Targets, a: Array, t: Integers, plan: Plan) -> Answer:
    """Solutions at strengths a_q for targets t_q, q = 1..Q, as the plan says."""
    if _flops(design) > DEAR and not plan.precise and np.min(a, initial=np.inf) > 0.0:
        return by_normal_equations(design, targets, a, t, plan)
    return select(design, targets, a, plan, lambda _: (a, t))


def by_normal_equations(
    design: Design, targets: Targets, a: Array, t: Integers, plan: Plan
) -> Answer:
    """The same by a factor of the normal equations, or by iterations after one that they bear."""
    problem = _side(design, targets, plan)
    try:
        return _Normal(problem, plan, a).solve(a, t)
    except Breakdown as lost:
        why = f"the condition {lost.condition:.1e} asks for iterations after a stronger factor"
    return shifted.solve(Normal(design, targets), problem.S, a, t, why)


def _side(design: Design, targets: Targets, plan: Plan) -> _Primal | _Dual:
    """The normal equations of the side that the plan names."""
    return (_Primal if plan.primal else _Dual)(design, targets)


def _flops(design: Design) -> float:
    """Of a factor of Z itself."""
    return float(design.n) * design.p * min(design.n, design.p)


def select(
    design: Design,
    targets: Targets,
    alphas: Array,
    plan: Plan,
    pick: Callable[[Solver], tuple[Array, Integers]],
) -> Answer:
    """The same where ``pick`` chooses strengths and targets once the factor of all is there."""
    solver: Solver
    if plan.precise:
        solver = _Precise(design, targets, plan.primal, plan.why)
    else:
        try:
            solver = _Normal(_side(design, targets, plan), plan, alphas)
            return solver.solve(*pick(solver))
        except Breakdown as lost:
            why = f"the condition {lost.condition:.1e} asks for the precision of X itself"
        solver = _Precise(design, targets, plan.primal, why)
    return solver.solve(*pick(solver))


class Solver(Protocol):
    """A factorised problem: its solutions, and its criteria where there is a spectrum."""

    def solve(self, a: Array, t: Integers) -> Answer:
        """Solutions at a_q for targets t_q."""

    def criteria(self) -> Criteria:
        """What its spectrum tells about every strength."""


class _Normal:
    """The normal equations of either side and a factor of them."""

    def __init__(self, problem: _Primal | _Dual, plan: Plan, alphas: Array) -> None:
        self.problem, self.plan = problem, plan
        S = problem.S
        flops = _flops(problem.design)
        lost = CHEAP if flops <= SMALL else LOST
        if flops > DEAR:
            lost = HAZY if plan.factor == "eigen" else HOPELESS
        self.factor: Cholesky | Tridiagonal | Spectrum
        if plan.factor == "cholesky":
            self.factor = Cholesky(S, lost)
            return
        tridiagonal = plan.factor == "tridiagonal" and len(S) > 1
        self.factor = Tridiagonal(S) if tridiagonal else eigen(S)
        worst = float(self.factor.conditions(np.min(alphas, keepdims=True))[0])
        if worst > lost:
            raise Breakdown(worst)

    def solve(self, a: Array, t: Integers) -> Answer:
        """Solutions with their proof."""
        problem, factor = self.problem, self.factor
        C = factor.solve(problem.right, a, t)
        conditions = factor.conditions(a)
        q = np.flatnonzero(conditions > BLURRED)
        if len(q):
            work = np.inf if np.any(conditions > LOST) else LITTLE_WORK
            C[:, q] = corrected(
                problem.design, problem.targets, factor, self.plan.primal, C[:, q], a[q], t[q], work
            )
        if not self.plan.primal and np.any(conditions > LOST):
            design, targets = problem.design, problem.targets
            W = polished(design, targets, factor, design.tdot(C), a, t)
            found = proof.from_data(design, design.tdot(problem.right), W, a, t, targets)
        else:
            W, found = problem.prove(C, a, t)
        mode = f"{problem.name}-{type(factor).__name__.lower()}"
        n_solves = 1 if isinstance(factor, Spectrum) else len(np.unique(a))
        return Answer(W, found, mode, self.plan.why, n_solves=n_solves)

    def criteria(self) -> Criteria:
        """What its spectrum tells about every strength."""
        if not isinstance(self.factor, Spectrum):
            raise ValueError("criteria need the spectrum: ask for solver='eigen' or 'svd'")
        problem = self.problem
        return Criteria.of(
            problem.design, problem.targets, self.factor, self.plan.primal, problem.right
        )


class _Precise:
    """Singular values of a triangular root; answers refined, and proven by X itself."""

    def __init__(self, design: Design, targets: Targets, primal: bool, why: str) -> None:
        self.design, self.targets, self.primal, self.why = design, targets, primal, why
        design.read_statistics()
        root, right = root_of_gram(design, targets.R) if primal else (root_of_kernel(design), None)
        before = np.hypot(design.mean, design.norm) * design.scale  # columns before their centring
        size = math.sqrt(design.total * float(before @ before))
        self.spectrum = singular(root, right, size)
        self.gradient = design.tdot(targets.R)
        self.right = self.gradient if primal else targets.R

    def solve(self, a: Array, t: Integers) -> Answer:
        """Solutions with their proof."""
        solve = self.spectrum.solve if self.primal else self.spectrum.solve_range
        C = solve(self.right, a, t)
        W = C if self.primal else self.design.tdot(C)
        W = refined(self.design, self.targets, self.spectrum, self.primal, W, a, t)
        found = proof.from_data(self.design, self.gradient, W, a, t, self.targets)
        mode = f"{(_Primal if self.primal else _Dual).name}-svd"
        return Answer(W, found, mode, self.why, n_solves=1)

    def criteria(self) -> Criteria:
        """What its spectrum tells about every strength."""
        return Criteria.of(self.design, self.targets, self.spectrum, self.primal, self.right)


class _Primal:
    """S = Z'Z, right-hand sides Z'R."""

    name = "gram"

    def __init__(self, design: Design, targets: Targets) -> None:
        self.design, self.targets = design, targets
        self.S = design.read_gram()
        self.right = design.tdot(targets.R)

    def prove(self, C: Array, a: Array, t: Integers) -> tuple[Array, proof.Proof]:
        """Coefficients and their proof."""
        found = proof.from_gram(
            product(self.S, C), _norm(self.S), self.right, C, a, t, self.targets
        )
        if _blunt(found, self.targets, t):
            found = proof.from_data(self.design, self.right, C, a, t, self.targets)
        return C, found


class _Dual:
    """S = Z Z', right-hand sides R."""

    name = "kernel"

    def __init__(self, design: Design, targets: Targets) -> None:
        self.design, self.targets = design, targets
        self.S = kernel(design)
        if design.fit_intercept:  # K u = 0 and R'u = 0: a value of its own for u changes no answer
            u = np.sqrt(design.omega)
            self.S += np.outer(float(np.trace(self.S)) / design.n * u, u)
        self.right = targets.R

    def prove(self, C: Array, a: Array, t: Integers) -> tuple[Array, proof.Proof]:
        """Coefficients Z'c and their proof."""
        few = LowRank.of(C)
        r = few.Q.shape[1]
        both = self.design.tdot(np.hstack([few.Q, self.right]))
        W, C, B = few.combine(both[:, :r]), few.combine(few.Q), both[:, r:]
        found = proof.from_kernel(
            self.design, product(self.S, C), _norm(self.S), C, W, B, a, t, self.targets
        )
        if _blunt(found, self.targets, t):
            found = proof.from_data(self.design, B, W, a, t, self.targets)
        return W, found


def _norm(S: Array) -> float:
    return math.sqrt(float(np.einsum("ij,ij->", S, S)))


def _blunt(found: proof.Proof, targets: Targets, t: Integers) -> bool:
    return bool(np.any(~(found.gap <= 0.5 * proof.BLUNT * targets.square[t])))

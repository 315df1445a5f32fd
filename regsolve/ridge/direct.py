"""Ridge regression by one factorisation of Z'Z, of Z Z', or of a triangular root of either.

    n >= p     (Z'Z + a I) w = Z'R
    n < p      (Z Z' + a I) c = R,  w = Z'c
    precise    R-factor of a QR factorisation of Z (or Z'), then its singular values

The normal equations lose about eps (L_max + a) / (L_min + a) of the answer, so where that
condition exceeds 1e7 the root is taken instead, and its answer is refined on residuals of twice
the precision where X is small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import proof
from .costs import Plan
from .criteria import Criteria
from .design import Design, Targets
from .factors import Breakdown, Cholesky, Spectrum, Tridiagonal, condition, eigen, singular
from .products import kernel, root_of_gram, root_of_kernel
from .refine import refined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

LOST = 1e7  # condition beyond which the normal equations lose more than nine of sixteen digits


@dataclass
class Answer:
    """Solutions W (p, Q) in the view's units, what proves them, and the factor they came from."""

    W: Array
    proof: proof.Proof
    mode: str
    why: str
    n_solves: int = 0
    n_iterations: int = 0
    extra_bytes: int = 0
    spectrum: Spectrum | None = None
    primal: bool = True
    right: Array | None = None
    converged: bool = True


def solve(design: Design, targets: Targets, a: Array, t: Integers, plan: Plan) -> Answer:
    """Solutions at strengths a_q for targets t_q, q = 1..Q, as the plan says."""
    side = _Primal if plan.primal else _Dual
    if not plan.precise:
        problem = side(design, targets)
        try:
            factor = _factor(problem.S, plan.factor)
            C = factor.solve(problem.right, a, t)
            worst = _worst(factor, a)
        except Breakdown:
            worst = np.inf
        if worst <= LOST:
            return _proven(problem, factor, C, a, t, plan.why)
        reason = f"the condition {worst:.1e} asks for the precision of X itself"
    else:
        reason = plan.why
    return _precise(side, design, targets, a, t, reason)


def _factor(S: Array, name: str) -> Cholesky | Tridiagonal | Spectrum:
    if name == "cholesky":
        return Cholesky(S)
    return Tridiagonal(S) if name == "tridiagonal" and len(S) > 1 else eigen(S)


def criteria(design: Design, targets: Targets, answer: Answer) -> Criteria:
    """The criteria of an answer that kept its spectrum."""
    if answer.spectrum is None or answer.right is None:
        raise ValueError("criteria need the spectrum: fit with spectrum=True")
    return Criteria.of(design, targets, answer.spectrum, answer.primal, answer.right)


def _worst(factor: Cholesky | Tridiagonal | Spectrum, a: Array) -> float:
    if isinstance(factor, Cholesky):
        return factor.worst
    return condition(factor.values, float(np.min(a)))


class _Primal:
    """S = Z'Z, right-hand sides Z'R."""

    name = "gram"

    def __init__(self, design: Design, targets: Targets) -> None:
        self.design, self.targets = design, targets
        self.S = design.read_gram()
        self.right = design.tdot(targets.R)

    def prove(self, C: Array, a: Array, t: Integers) -> tuple[Array, proof.Proof]:
        """Coefficients and their proof."""
        found = proof.from_gram(self.S, self.right, C, a, t, self.targets)
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
        both = self.design.tdot(np.hstack([C, self.right]))
        W, B = np.asfortranarray(both[:, : len(a)]), both[:, len(a) :]
        found = proof.from_kernel(self.design, self.S, C, W, B, a, t, self.targets)
        if _blunt(found, self.targets, t):
            found = proof.from_data(self.design, B, W, a, t, self.targets)
        return W, found


def _blunt(found: proof.Proof, targets: Targets, t: Integers) -> bool:
    return bool(np.any(~(found.gap <= 0.5 * proof.BLUNT * targets.square[t])))


def _proven(
    problem: _Primal | _Dual,
    factor: Cholesky | Tridiagonal | Spectrum,
    C: Array,
    a: Array,
    t: Integers,
    why: str,
) -> Answer:
    W, found = problem.prove(C, a, t)
    spectrum = factor if isinstance(factor, Spectrum) else None
    mode = f"{problem.name}-{type(factor).__name__.lower()}"
    n_solves = len(np.unique(a)) if spectrum is None else 1
    return Answer(
        W,
        found,
        mode,
        why,
        n_solves=n_solves,
        spectrum=spectrum,
        primal=isinstance(problem, _Primal),
        right=problem.right,
    )


def _precise(
    side: type[_Primal] | type[_Dual],
    design: Design,
    targets: Targets,
    a: Array,
    t: Integers,
    why: str,
) -> Answer:
    """The same from singular values, refined, and proven by X itself."""
    primal = side is _Primal
    if not design.measured:
        design.read_statistics()
    root = root_of_gram(design, targets.R) if primal else (root_of_kernel(design),)
    spectrum = singular(*root)
    B = design.tdot(targets.R)
    C = spectrum.solve(B if primal else targets.R, a, t)
    W = C if primal else design.tdot(C)
    W = refined(design, targets, spectrum, primal, W, a, t)
    found = proof.from_data(design, B, W, a, t, targets)
    right = B if primal else targets.R
    return Answer(
        W,
        found,
        f"{side.name}-svd",
        why,
        n_solves=1,
        spectrum=spectrum,
        primal=primal,
        right=right,
    )

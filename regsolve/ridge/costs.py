"""Which factorisation, or which iteration: predicted seconds, told in words.

Those of factorisations follow from shapes. Iterations are predicted from the Ritz values theta_1 >=
theta_2 ... of a few steps of Lanczos: once i large eigenvalues are dealt with, conjugate gradients
reduce the error as on a condition (theta_i + a) / a. Rates are those of two cores of a common
server; their ratios are what decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from .._threads import available_memory
from .design import EIGHT, Design
from .normal import Normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

FLOPS = 9e10  # a second in products of matrices
CHOLESKY, TRIDIAGONAL, EIGEN = 6e10, 1.25e10, 7.5e9  # k^3/3, 4/3 k^3 and k^3 flops a second
SPARSE = 2.5e9  # products of stored values with k columns a second, of which few are met
BANDWIDTH = 8e9  # bytes a second
ONE_VALUE, EIGHT_VALUES = 1.5e-9, 2.5e-9  # seconds a stored value of S v and of S V, V (k, 8)
CALL = 1e-4  # seconds that a step costs beyond its arithmetic
PROBE, HEEDED = 15, 11  # steps of Lanczos, and the Ritz values of them that tell something
PATIENCE = 40.0  # products with S, in seconds, below which nothing but a factor is thought of
MOST_RANK = 128
ITERATIVE = ("krylov", "conjugate_gradients")


@dataclass(frozen=True)
class Plan:
    """What to do and why; ``factor`` is cholesky, tridiagonal or eigen."""

    primal: bool
    factor: str
    why: str
    precise: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Iteration:
    """Which iteration and why; ``rank`` of the sketch."""

    mode: str
    why: str
    rank: int
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
        "tridiagonal": 4.0 / 3.0 * k**3 / TRIDIAGONAL + n_alphas * k * 1e-7,
        "eigen": k**3 / EIGEN,
    }
    if not any_factor:
        seconds = {"eigen": seconds["eigen"]}
    factor = min(seconds, key=seconds.__getitem__)
    product = 8.0 * k * k / 1e9
    product += storage.n_values * k / SPARSE if storage.sparse else float(n) * p * k / FLOPS
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
    return too_large(design) or plan.seconds > PATIENCE * _product(design, EIGHT)


def too_large(design: Design) -> bool:
    """Whether a factor would take more than half of the memory that is free."""
    return 24.0 * min(design.n, design.p) ** 2 > 0.5 * available_memory()


def choose_iteration(normal: Normal, a: Array, t: Integers, tol: float, solver: str) -> Iteration:
    """All strengths from one Krylov space, or preconditioned ones in eights."""
    ritz, k, design = _ritz(normal), normal.size, normal.design
    n_targets, least = len(np.unique(t)), float(a.min())
    plain = _steps(ritz, least, tol, k)
    rank = min(MOST_RANK, k // 4, EIGHT * max(2, plain // 32))
    below = max(normal.trace - float(ritz[:HEEDED].sum()), 0.0) / max(1, rank)
    tail = np.minimum(ritz[:HEEDED], below)
    products = -(-rank // EIGHT) + sum(
        _steps(tail, float(chosen.max()), tol, k)
        for chosen in np.array_split(np.sort(a), -(-len(a) // EIGHT))
    )
    groups = -(-n_targets // EIGHT)
    flops = 4.0 * k * plain * (len(a) + plain * n_targets / 12.0) + 2.0 * k * rank**2
    seconds = {
        "krylov": plain * groups * _product(design, min(EIGHT, n_targets)) + flops / 1e10,
        "conjugate_gradients": products * _product(design, min(EIGHT, len(a)))
        + len(np.unique(a)) * 4.0 * k * rank**2 / 1e10
        + products * EIGHT * 4.0 * k * rank / 2e9,
    }
    mode = min(seconds, key=seconds.__getitem__) if solver == "auto" else solver
    said = ", ".join(f"{name} {value:.2g}" for name, value in seconds.items())
    why = f"{plain} steps at the smallest alpha: {said} s predicted"
    return Iteration(mode, why if solver == "auto" else "asked for", rank, seconds[mode])


def _product(design: Design, width: int) -> float:
    """Seconds of S V, V (k, width)."""
    storage = design.storage
    if storage.sparse:
        return CALL + float(storage.n_values) * (ONE_VALUE if width == 1 else EIGHT_VALUES)
    return CALL + 2.0 * float(storage.n_bytes) / BANDWIDTH


def _ritz(normal: Normal) -> Array:
    """Ritz values of S after a few steps from the first target, descending."""
    v = normal.right[:, :1] / (np.linalg.norm(normal.right[:, 0]) or 1.0)
    before, beside = np.zeros_like(v), 0.0
    h, s = [], []
    for _ in range(min(PROBE, normal.size)):
        q = normal.apply(v) - beside * before
        h.append(float(np.vdot(v, q)))
        q -= h[-1] * v
        beside = float(np.linalg.norm(q))
        if not beside > 0.0:
            break
        s.append(beside)
        before, v = v, q / beside
    values = linalg.eigvalsh_tridiagonal(np.array(h), np.array(s[: len(h) - 1]))
    return np.maximum(values[::-1], 0.0)


def _steps(ritz: Array, a: float, tol: float, k: int) -> int:
    """Steps to a relative gap of ``tol``, half of what the bound of Chebyshev allows."""
    digits = math.log(2.0 / math.sqrt(tol))
    each = [i + 0.25 * math.sqrt((theta + a) / a) * digits for i, theta in enumerate(ritz[:HEEDED])]
    return max(1, min(k, math.ceil(min(each, default=1.0))))

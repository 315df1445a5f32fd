"""Conjugate gradients for one strength at a time, preconditioned by one sketch shared by all.

A Nystrom sketch F F' of S (rank r, from r products) leaves S - F F' without negative eigenvalues,
and what it leaves is scaled by its diagonal:

    M_a = F F' + diag(max(diag(S - F F'), 0)) + a I,

inverted by Woodbury with an r x r factor for each strength. Up to eight pairs of strength and
target share each reading of X.

References
----------
Frangella, Tropp and Udell (2023), Randomized Nystrom preconditioning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy import linalg

from .design import EIGHT
from .factors import EPS
from .normal import Normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

SURE = 0.25  # of the gap asked for: recurrences know residuals up to rounding
LOOK = 5  # steps from one look at r'S r to the next, which takes a product
PATIENCE = 1000  # steps in which a residual must fall by a tenth


class Preconditioners(Protocol):
    """One for each strength."""

    def at(self, a: float) -> Callable[[Array], Array]:
        """M_a^{-1} as an operator on (k,)."""


@dataclass
class Sketch:
    """F (k, r) and the diagonal that F F' leaves of S."""

    F: Array
    left: Array

    def at(self, a: float) -> Preconditioner:
        """M_a."""
        inverse = 1.0 / (self.left + a)
        G = self.F.T @ (self.F * inverse[:, None])
        G[np.diag_indices_from(G)] += 1.0
        return Preconditioner(self.F, inverse, linalg.cho_factor(G, lower=True))


@dataclass
class Preconditioner:
    """M_a^{-1} = D - D F (I + F'D F)^{-1} F'D, D = diag(``inverse``)."""

    F: Array
    inverse: Array
    factor: Any

    def __call__(self, r: Array) -> Array:
        """M_a^{-1} r."""
        scaled = self.inverse * r
        inner = linalg.cho_solve(self.factor, self.F.T @ scaled)
        return np.asarray(scaled - self.inverse * (self.F @ inner))


def sketch(normal: Normal, rank: int) -> Sketch:
    """The Nystrom sketch of S from ``rank`` products with random vectors."""
    k = normal.size
    diagonal = normal.diagonal()
    if rank == 0:
        return Sketch(np.zeros((k, 0)), diagonal)
    omega: Any
    omega, _ = linalg.qr(np.random.default_rng(0).standard_normal((k, rank)), mode="economic")
    Y = np.empty((k, rank), order="F")
    for start in range(0, rank, EIGHT):
        Y[:, start : start + EIGHT] = normal.apply(omega[:, start : start + EIGHT])
    shift = EPS * k**0.5 * float(np.linalg.norm(Y))
    Y += shift * omega
    core = omega.T @ Y
    try:
        L = linalg.cholesky(0.5 * (core + core.T), lower=True)
    except linalg.LinAlgError:  # S has a rank below that of the sketch
        return Sketch(np.zeros((k, 0)), diagonal)
    U, size, _ = linalg.svd(linalg.solve_triangular(L, Y.T, lower=True).T, full_matrices=False)
    F = U * np.sqrt(np.maximum(size**2 - shift, 0.0))
    return Sketch(F, np.maximum(diagonal - np.einsum("kr,kr->k", F, F), 0.0))


def solve(
    normal: Normal,
    a: Array,
    t: Integers,
    shared: Preconditioners,
    tol: float,
    most_steps: int,
    start: Array | None = None,
) -> tuple[Array, int]:
    """C (k, Q) with (S + a_q I) c_q = b of target t_q, from ``start``; steps of the longest run."""
    C = np.zeros((normal.size, len(a)), order="F") if start is None else start
    steps, order = 0, np.argsort(a, kind="stable")
    factors = {strength: shared.at(strength) for strength in np.unique(a)}
    for first in range(0, len(a), EIGHT):
        q = order[first : first + EIGHT]
        inverses = [factors[strength] for strength in a[q]]
        begun = None if start is None else C[:, q]
        C[:, q], taken = _together(normal, a[q], t[q], inverses, tol, most_steps, begun)
        steps = max(steps, taken)
    return C, steps


def _together(
    normal: Normal,
    a: Array,
    t: Integers,
    inverses: list[Callable[[Array], Array]],
    tol: float,
    most_steps: int,
    start: Array | None,
) -> tuple[Array, int]:
    """Up to eight systems, each with its own recurrence, sharing readings of X."""
    x = np.zeros((normal.size, len(a)), order="F") if start is None else np.array(start, order="F")
    r = np.array(normal.right[:, t], order="F")
    if start is not None:
        r -= normal.apply(x) + a * x
    direction, rho = np.zeros_like(x), np.zeros(len(a))
    watch = _Watch(normal, a, t, SURE * tol)
    for step in range(most_steps):
        going = watch.unfinished(x, r, step)
        if not len(going):
            return x, step
        for q in going:
            z = inverses[q](r[:, q])
            last, rho[q] = rho[q], float(r[:, q] @ z)
            direction[:, q] = z + (rho[q] / last if step else 0.0) * direction[:, q]
        p = direction[:, going]
        product = normal.apply(p) + a[going] * p
        curvature = np.einsum("kq,kq->q", p, product)
        watch.see(curvature, np.einsum("kq,kq->q", p, p))
        length = np.divide(rho[going], curvature, out=np.zeros(len(going)), where=curvature > 0)
        x[:, going] += length * p
        r[:, going] -= length * product
    return x, most_steps


class _Watch:
    """Which systems go on: those whose gap is not proven yet and whose residual can still fall."""

    def __init__(self, normal: Normal, a: Array, t: Integers, goal: float) -> None:
        self.normal, self.a, self.t, self.goal = normal, a, t, goal
        self.quotient = np.zeros(len(a))  # r'S r / r'r at the last look
        self.looked = np.full(len(a), -LOOK)
        self.best, self.since = np.full(len(a), np.inf), np.zeros(len(a), dtype=int)
        self.going = np.arange(len(a))
        self.steepest = 0.0  # largest p'(S + a I) p / p'p seen
        self.length = np.linalg.norm(normal.right[:, t], axis=0)

    def see(self, curvature: Array, square: Array) -> None:
        """What the directions of a step say of the largest eigenvalue."""
        seen = np.divide(curvature, square, out=np.zeros(len(square)), where=square > 0)
        self.steepest = max(self.steepest, float(seen.max()))

    def unfinished(self, x: Array, r: Array, step: int) -> Integers:
        """The systems that want another step."""
        size = np.linalg.norm(r, axis=0)
        rounding = 2.0 * EPS * (self.steepest * np.linalg.norm(x, axis=0) + self.length)
        fell = size < 0.9 * self.best
        self.best[fell], self.since[fell] = size[fell], step
        q = self.going
        seems = self._gap(size, q) <= self.goal
        if not self.normal.primal:
            ask = q[seems & (step - self.looked[q] >= LOOK)]
            if len(ask):
                self._look(r, size, ask, step)
            seems = (self._gap(size, q) <= self.goal) & (self.looked[q] == step)
        falls = (step - self.since[q] < PATIENCE) & (size[q] > rounding[q])
        self.going = q[~seems & falls]
        return self.going

    def _gap(self, size: Array, q: Integers) -> Array:
        return self.normal.relative_gap(size[q], self.quotient[q], self.a[q], self.t[q])

    def _look(self, r: Array, size: Array, q: Integers, step: int) -> None:
        curved = np.einsum("kq,kq->q", r[:, q], self.normal.apply(r[:, q]))
        square = size[q] ** 2
        self.quotient[q] = np.divide(curved, square, out=np.zeros(len(q)), where=square > 0)
        self.looked[q] = step

"""Every strength from one Krylov space: Lanczos on S, unscaled and unpreconditioned.

The basis v_1 = b / ||b||, v_2, ... of K_j(S, b) does not depend on a, and neither does its T_j =
V'S V (diagonal h, beside it s). T_j + a I = L diag(d) L' has the recurrences of conjugate
gradients,

    l = s_j / d,   d = h_j + a - s_j l,   z = -l z,   residual = s_{j+1} |z / d|,

a few flops for each strength and step. The directions P = V L^{-T} are not formed: a block of the
basis updates all solutions, and the direction that the next block starts from, in two products of
matrices. A strength whose gap is proven small enough leaves. While the basis fits in memory it is
kept, and a vector is made orthogonal to it again whenever the recurrence of Simon says that four
digits of orthogonality are lost: as many readings of X then do as in exact arithmetic. Half the
digits would be enough for T_j, but what is taken out of a vector is missing in T_j, and the
residuals of the solutions would stay at its size times ||S||.

References
----------
Frommer and Maass (1999), Fast CG-based methods for Tikhonov-Phillips regularization. Simon (1984),
The Lanczos algorithm with partial reorthogonalization.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from .blas import product
from .design import EIGHT
from .factors import EPS
from .normal import Normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

LOST = EPS**0.75  # of v_i'v_j: a vector is made orthogonal again
BLOCK = 64  # vectors of the basis that update the solutions together
IMAGES = 0.25  # of X's bytes that products with the basis may take
SURE = 0.25  # of the gap asked for: recurrences know residuals up to rounding


@dataclass
class Outlook:
    """How a group of runs stands: what a decision to go on is made of."""

    steps: int  # made
    more: float  # that the last block predicts
    going: int  # runs that are not done
    a: Array  # strengths not done, of all runs
    ritz: Array  # Ritz values of S, descending


@dataclass(frozen=True)
class Span:
    """One target's solutions C = V Y and, without X, S C = (S V) Y and Z'C = (Z'V) Y.

    ``which`` of all they are; Y (j, q), SV (k, j), ZV (p, j) where S = Z Z'. Their residuals lie
    along v_{j+1}, ``after`` (k,).
    """

    which: Integers
    Y: Array
    SV: Array
    ZV: Array | None
    after: Array

    def bytes(self) -> int:
        """Held by the products."""
        return self.SV.nbytes + (0 if self.ZV is None else self.ZV.nbytes)


@dataclass(frozen=True)
class Solved:
    """C (k, Q), the steps of the longest run, and how the solutions of each target were made.

    ``spans`` is empty where the products that steps have made are not kept.
    """

    C: Array
    steps: int
    spans: list[Span]


def solve(
    normal: Normal,
    a: Array,
    t: Integers,
    tol: float,
    most_steps: int,
    kept_bytes: float,
    go_on: Callable[[Outlook, Integers], bool],
    every: int = BLOCK,
) -> Solved:
    """C with (S + a_q I) c_q = b of target t_q.

    After ``every`` steps ``go_on`` is asked with the outlook and the targets still to come; where
    it declines, what is found so far is returned.
    """
    C, steps = np.zeros((normal.size, len(a)), order="F"), 0
    spans: list[Span | None] = []
    wanted = np.unique(t)
    images = int(IMAGES * normal.design.storage.n_bytes / len(wanted)) if normal.near else 0
    for start in range(0, len(wanted), EIGHT):
        group = wanted[start : start + EIGHT]
        fits = int(kept_bytes // (8.0 * normal.size * len(group)))
        runs = [
            _Run(normal, target, np.flatnonzero(t == target), a, tol, fits, images)
            for target in group
        ]
        to_come = wanted[start + EIGHT :]
        with normal.design.blas_between_readings():
            taken, finished = _advance(
                normal, runs, most_steps, tol, partial(_ask, go_on, to_come), every
            )
        steps = max(steps, taken)
        for run in runs:
            C[:, run.which] = run.solutions()
            spans.append(run.span())
        if not finished:
            break
    complete = [span for span in spans if span is not None]
    return Solved(C, steps, complete if len(complete) == len(wanted) else [])


def _ask(go_on: Callable[[Outlook, Integers], bool], to_come: Integers, outlook: Outlook) -> bool:
    return go_on(outlook, to_come)


def _advance(
    normal: Normal,
    runs: list[_Run],
    most_steps: int,
    tol: float,
    go_on: Callable[[Outlook], bool],
    every: int,
) -> tuple[int, bool]:
    """All runs until each is done, sharing readings of X; the steps made, and whether they are."""
    worst: list[float] = []
    for step in range(most_steps):
        going = [run for run in runs if run.going]
        if not going:
            return step, True
        worst.append(max(float(run.gap.max()) for run in going))
        if step and step % every == 0:
            behind = min(BLOCK // 2, every)
            fall = math.log(worst[-behind] / worst[-1]) if worst[-1] > 0.0 else math.inf
            more = behind * math.log(worst[-1] / (SURE * tol)) / fall if fall > 0.0 else math.inf
            unfinished = np.concatenate([run.a[run.active] for run in going])
            ahead = min(max(more, 1.0), max(1.0, normal.size - step))
            if not go_on(Outlook(step, ahead, len(going), unfinished, going[0].ritz())):
                return step, False
        V = np.empty((normal.size, len(going)), order="F")
        for column, run in enumerate(going):
            V[:, column] = run.v
        between = None
        if not normal.primal and any(run.keeps for run in going):
            between = np.empty((normal.design.p, len(going)), order="F")
        product = normal.apply(V, between)
        for column, run in enumerate(going):
            run.keep(product[:, column], None if between is None else between[:, column])
            run.step(product[:, column])
    return most_steps, not any(run.going for run in runs)


class Basis:
    """The vectors v_1 .. v_j in blocks, orthogonal to all but a few digits while all are kept."""

    def __init__(self, first: Array, fits: int) -> None:
        self.fits, self.blocks, self.count = fits, [np.empty((BLOCK, len(first)))], 1
        self.blocks[0][0] = first
        self.h: list[float] = []
        self.s: list[float] = [0.0]
        self.near, self.nearer = np.zeros(0), np.ones(1)  # v_i'v_{j-1}, v_i'v_j by recurrence
        self.again, self.kept = False, True

    @property
    def last(self) -> Array:
        """v_j."""
        return np.asarray(self.blocks[-1][(self.count - 1) % BLOCK])

    def extend(self, product: Array) -> None:
        """v_{j+1} from S v_j."""
        q = product - self.s[-1] * self._before()
        self.h.append(float(self.last @ q))
        q -= self.h[-1] * self.last
        self.s.append(float(np.linalg.norm(q)))
        if self.kept:
            self._restore(q)
        if self.count % BLOCK == 0:
            if self.count + BLOCK > self.fits:
                self.previous = self.last.copy()
                self.blocks, self.kept = [], False
            self.blocks.append(np.empty((BLOCK, len(q))))
        np.divide(q, self.s[-1] or 1.0, out=self.blocks[-1][self.count % BLOCK])
        self.count += 1

    def _before(self) -> Array:
        """v_{j-1}; anything where j = 1."""
        at = (self.count - 2) % BLOCK
        if self.count < 2 or at < BLOCK - 1:
            return np.asarray(self.blocks[-1][max(0, at) if self.count > 1 else 0])
        return np.asarray(self.blocks[-2][at] if len(self.blocks) > 1 else self.previous)

    def _restore(self, q: Array) -> None:
        """Estimate v_i'q, and make q orthogonal to all v_i once some digits are lost."""
        h, s, j = np.array(self.h), np.array(self.s), self.count - 1
        size = float(np.max(np.abs(h)) + 2.0 * np.max(s))
        w, old = self.nearer, self.near
        new = np.empty(j + 2)
        if j > 0:
            below = np.concatenate([[0.0], w[: j - 1]])
            new[:j] = s[1 : j + 1] * w[1 : j + 1] + (h[:j] - h[j]) * w[:j]
            new[:j] += s[:j] * below - s[j] * np.append(old, 0.0)[:j]
            new[:j] += np.copysign(2.0 * EPS * size, new[:j])
            new[:j] /= s[j + 1] or 1.0
        new[j], new[j + 1] = EPS * size / (s[j + 1] or 1.0), 1.0
        lost = j > 0 and bool(np.max(np.abs(new[:j])) > LOST)
        if lost or self.again:
            for index, block in enumerate(self.blocks):
                vectors = block[: self.count - index * BLOCK]
                q -= product(vectors.T, product(vectors, q[:, None]))[:, 0]
            self.s[-1] = float(np.linalg.norm(q))
            new[: j + 1] = EPS
        self.again = lost and not self.again
        self.near, self.nearer = w, new


class _Run:
    """One target: its basis, and the solutions at all its strengths."""

    def __init__(
        self,
        normal: Normal,
        target: int,
        which: Integers,
        a: Array,
        tol: float,
        fits: int,
        images: int,
    ) -> None:
        b = np.asarray(normal.right[:, target])
        length = float(np.linalg.norm(b))
        self.normal, self.which, self.tol = normal, which, tol
        self.a, self.t = a[which], np.full(len(which), target)
        self.X = np.zeros((normal.size, len(which)), order="F")
        self.active = np.arange(len(which) if length > 0.0 else 0)
        self.basis = Basis(b / (length or 1.0), fits)
        self.d, self.z = np.ones(len(which)), np.full(len(which), length)
        self.P = np.zeros((normal.size, len(which)), order="F")
        self.lower: list[Array] = []
        self.share: list[Array] = []
        self.left = np.full(len(self.active), length)  # residual after the last step, along v
        self.gap = np.full(len(self.active), np.inf)
        self.Y = np.zeros((0, len(which)))  # coordinates of X while one block makes it
        parts = [normal.size] if normal.primal else [normal.size, normal.design.p]
        self.most = min(BLOCK, images // (8 * sum(parts)))
        self.images = [np.empty((self.most, part)) for part in parts]  # S v_j, and Z'v_j

    @property
    def keeps(self) -> bool:
        """Whether the products of the next step are kept."""
        return len(self.basis.h) < self.most

    def keep(self, product: Array, between: Array | None) -> None:
        """S v_j and Z'v_j."""
        if not self.keeps:
            self.images = []
            return
        for part, made in zip(self.images, (product, between), strict=False):
            part[len(self.basis.h)] = made

    def span(self) -> Span | None:
        """How X is made, where all products of its steps are kept."""
        steps = len(self.basis.h)
        if len(self.Y) != steps or not self.images:
            return None
        SV, ZV, *_ = (*(part[:steps].T for part in self.images), None)
        return Span(self.which, self.Y, SV, ZV, self.basis.last)

    @property
    def going(self) -> bool:
        """Whether some strength wants more."""
        return len(self.active) > 0

    @property
    def v(self) -> Array:
        """The vector to be multiplied by S."""
        return self.basis.last

    def step(self, product: Array) -> None:
        """One step of all active strengths; solutions follow at the end of a block."""
        basis = self.basis
        block = basis.blocks[-1]
        basis.extend(product)
        beside, a = basis.s[-2], self.a[self.active]
        lower = beside / self.d if basis.count > 2 else np.zeros(len(a))
        self.d = basis.h[-1] + a - beside * lower
        if basis.count > 2:
            self.z = -lower * self.z
        share = self.z / self.d
        self.lower.append(lower)
        self.share.append(share)
        self.left = basis.s[-1] * np.abs(share)
        quotient = max(basis.h[-2:])  # v'S v of the next vector is not known yet
        self.gap = self.normal.relative_gap(self.left, quotient, a, self.t[: len(self.active)])
        done = self.gap <= SURE * self.tol
        if len(self.lower) == BLOCK or done.all() or basis.s[-1] == 0.0:
            self._update(block[: len(self.lower)])
            kept = ~done if basis.s[-1] > 0.0 else np.zeros(len(a), dtype=bool)
            self.active = self.active[kept]
            self.d, self.z = self.d[kept], self.z[kept]
            self.left, self.gap = self.left[kept], self.gap[kept]
            self.P = np.asfortranarray(self.P[:, kept])

    def _update(self, block: Array) -> None:
        """X += sum_i share_i p_i for the directions p_i = v_i - lower_i p_{i-1} of the block."""
        own, direction = self.share[-1], np.ones(len(self.active))
        Y, D = [own], [direction]
        for i in range(len(block) - 1, 0, -1):
            own = self.share[i - 1] - self.lower[i] * own
            direction = -self.lower[i] * direction
            Y.append(own)
            D.append(direction)
        first = self.lower[0]
        coordinates = np.array(Y[::-1])
        if len(self.lower) == len(self.basis.h):
            self.Y = coordinates
        self.X[:, self.active] += product(block.T, coordinates) - self.P * (first * own)
        self.P = product(block.T, np.array(D[::-1])) - self.P * (first * direction)
        self.lower, self.share = [], []

    def ritz(self) -> Array:
        """Ritz values of S, descending."""
        h, s = np.array(self.basis.h), np.array(self.basis.s[1:-1])
        return np.asarray(np.maximum(linalg.eigvalsh_tridiagonal(h, s)[::-1], 0.0))

    def solutions(self) -> Array:
        """(k, strengths); the last block of an unfinished run included."""
        if self.lower:
            self._update(self.basis.blocks[-1][: len(self.lower)])
        return self.X

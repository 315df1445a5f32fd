"""Factorisations of a symmetric S (k, k) that solve (S + a I) c = b for many a.

S is C = Z'Z (k = p) or K = Z Z' (k = n). For columns t_q of B and strengths a_q, q = 1..Q, each
factor gives all solutions C (k, Q) at once:

    Cholesky       one k^3/3 for every distinct a, then k^2 a column
    Tridiagonal    S = Q T Q' once, 4/3 k^3; then O(k) a column and one product with Q
    Spectrum       S = V diag(L) V' once, about 10 k^3; then one product with V

References
----------
Golub and Van Loan (2013), Matrix Computations, sections 8.3 and 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from .. import _core
from .blas import product

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

EPS = float(np.finfo(np.float64).eps)


class Breakdown(ArithmeticError):
    """The condition of S + a I is more than its factor can bear."""

    def __init__(self, condition: float = np.inf) -> None:
        super().__init__(f"condition {condition:.1e}")
        self.condition = condition


@dataclass
class Cholesky:
    """A factor for each distinct a, of the matrix scaled to a unit diagonal; the last is kept."""

    S: Array
    limit: float = np.inf  # on the condition
    seen: dict[float, float] = field(default_factory=dict)  # conditions by strength
    last: tuple[float, Array, Array] | None = None  # strength, R, 1 / root of the diagonal

    def conditions(self, a: Array) -> Array:
        """Estimates for strengths solved already, (Q,)."""
        return np.array([self.seen[strength] for strength in a.tolist()])

    def solve(self, B: Array, a: Array, t: Integers) -> Array:
        """(S + a_q I)^{-1} B[:, t_q], (k, Q)."""
        out = np.empty((len(self.S), len(a)), order="F")
        for strength in np.unique(a):
            chosen = np.flatnonzero(a == strength)
            out[:, chosen] = self._solve_one(B[:, t[chosen]], float(strength))
        return out

    def _solve_one(self, B: Array, a: float) -> Array:
        if self.last is None or self.last[0] != a:
            self.last = None  # its memory serves the next
            self.last = (a, *self._factor(a))
        _, R, inverse = self.last
        C, _ = lapack.dpotrs(R, B * inverse[:, None], lower=0)
        return np.asarray(C * inverse[:, None])

    def _factor(self, a: float) -> tuple[Array, Array]:
        size = np.sqrt(np.diag(self.S) + a)
        inverse = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
        M = np.multiply(self.S, inverse, order="F")
        M *= inverse[:, None]
        np.fill_diagonal(M, 1.0)
        norm = float(linalg.norm(M, 1, check_finite=False))
        if not _core.cholesky(M):
            raise Breakdown
        reciprocal, _ = lapack.dpocon(M, norm, uplo="U")
        if reciprocal * self.limit < 1.0:
            raise Breakdown(1.0 / max(float(reciprocal), EPS**2))
        self.seen[a] = 1.0 / float(reciprocal) if reciprocal > 0.0 else np.inf
        return M, inverse


class Tridiagonal:
    """S = Q T Q': ``diagonal`` and ``beside`` of T, Q as Householder vectors below S's diagonal."""

    def __init__(self, S: Array) -> None:
        k = len(S)
        work, _ = lapack.dsytrd_lwork(k, lower=1)
        reflectors, self.diagonal, self.beside, self.tau, info = lapack.dsytrd(
            np.asfortranarray(S), lower=1, lwork=int(work)
        )
        if info != 0:
            raise Breakdown
        self.reflectors = np.asfortranarray(reflectors[1:, :-1])

    @cached_property
    def extremes(self) -> Array:
        """Least and largest eigenvalue, by bisection: O(k) each."""
        last = len(self.diagonal) - 1
        return np.concatenate(
            [
                linalg.eigvalsh_tridiagonal(
                    self.diagonal, self.beside, select="i", select_range=(i, i)
                )
                for i in (0, last)
            ]
        )

    def conditions(self, a: Array) -> Array:
        """Of S + a I, (Q,)."""
        return conditions(self.extremes, a)

    def _rotate(self, B: Array, transposed: bool) -> Array:
        """Q'B, or Q B."""
        out = np.array(B, order="F")
        if len(self.tau) == 0 or B.shape[1] == 0:
            return out
        side = "T" if transposed else "N"
        rows = np.asfortranarray(out[1:])
        _, work, _ = lapack.dormqr("L", side, self.reflectors, self.tau, rows, -1)
        out[1:], _, _ = lapack.dormqr(
            "L", side, self.reflectors, self.tau, rows, int(work[0]), overwrite_c=1
        )
        return out

    def solve(self, B: Array, a: Array, t: Integers) -> Array:
        """(S + a_q I)^{-1} B[:, t_q], (k, Q)."""
        C = self._rotate(B, transposed=True)[:, t]
        for strength in np.unique(a):
            chosen = np.flatnonzero(a == strength)
            d, e, info = lapack.dpttrf(self.diagonal + strength, self.beside)
            if info != 0:
                raise Breakdown
            C[:, chosen] = lapack.dpttrs(d, e, C[:, chosen])[0]
        return self._rotate(C, transposed=False)


@dataclass
class Spectrum:
    """S = V diag(L) V'; ``projections`` are V'B where they are known more exactly than B is."""

    values: Array  # L >= 0, (k,)
    vectors: Array  # V, (k, k)
    projections: Array | None = None
    rounding: float = EPS  # times k: share of the largest L below which one may be zero

    def conditions(self, a: Array) -> Array:
        """Of S + a I, (Q,)."""
        return conditions(self.values, a)

    def projected(self, B: Array) -> Array:
        """V'B, (k, T)."""
        return product(self.vectors.T, B) if self.projections is None else self.projections

    def solve(self, B: Array, a: Array, t: Integers) -> Array:
        """(S + a_q I)^{-1} B[:, t_q], (k, Q); in the range of S where a is lost beside it twice."""
        return self._solve(B, a, t, a > EPS**2 * np.max(self.values, initial=0.0))

    def solve_range(self, B: Array, a: Array, t: Integers) -> Array:
        """The same less its part in the null space of S = Z Z', which Z'c does not have."""
        return self._solve(B, a, t, np.zeros(len(a), dtype=bool))

    def _solve(self, B: Array, a: Array, t: Integers, beyond: NDArray[np.bool_]) -> Array:
        seen = np.where((self.values[:, None] > 0.0) | beyond, self.shrink(a), 0.0)
        return product(self.vectors, self.projected(B)[:, t] * seen)

    def shrink(self, a: Array) -> Array:
        """1 / (L + a), 0 where both are zero to rounding; (k, Q)."""
        sum_ = self.values[:, None] + a
        seen = sum_ > self.floor * (a == 0.0)
        with np.errstate(over="ignore"):  # of a denormal
            out = np.divide(1.0, sum_, out=np.zeros_like(sum_), where=seen)
        return np.minimum(out, np.finfo(np.float64).max, out=out)

    @property
    def floor(self) -> float:
        """What an eigenvalue must exceed not to be taken for zero."""
        return self.rounding * len(self.values) * float(np.max(self.values, initial=0.0))


def eigen(S: Array) -> Spectrum:
    """Eigen-decomposition of S; negative rounding is cut to zero."""
    if len(S) == 0:
        return Spectrum(np.zeros(0), np.zeros((0, 0)))
    values, vectors = linalg.eigh(S, driver="evd", check_finite=False)
    return Spectrum(np.maximum(values, 0.0), vectors)


def singular(R: Array, right: Array | None = None, size: float = 0.0) -> Spectrum:
    """The spectrum of R'R for a triangular R (k, k), at the precision of R itself.

    With R = U diag(s) V' and ``right`` = Q'B: L = s^2 and V'(Z'B) = s U'Q'B. An s that rounding
    alone may have made, of R or of numbers of ``size`` that it came from, is zero.
    """
    U, s, Vt = linalg.svd(R, check_finite=False)
    s[s <= EPS * len(s) * max(np.max(s, initial=0.0), size)] = 0.0
    projections = None if right is None else s[:, None] * (U.T @ right)
    return Spectrum(s**2, Vt.T, projections, rounding=0.0)


def conditions(values: Array, a: Array) -> Array:
    """Conditions of S + a I from the eigenvalues of S, (Q,); 1 at a = inf."""
    out = np.full(len(a), np.inf)
    out[np.isinf(a)] = 1.0
    top = float(np.max(values, initial=0.0)) + a
    least = float(np.min(values, initial=np.inf)) + a
    np.divide(top, least, out=out, where=(least > 0.0) & np.isfinite(least))
    return out

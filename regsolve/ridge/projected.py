"""One ridge problem seen from its Krylov space: norms, residuals and gaps at any strength.

After j steps of Lanczos S V = V T + s_{j+1} v_{j+1} e_j', and with b = ||b|| v_1 (S and b of
:mod:`regsolve.ridge.normal`),

    y(a) = (T + a I)^{-1} ||b|| e_1,   c = V y,   ||b - (S + a I) c|| = s_{j+1} |y_j|,

    rows fewer than columns    ||w||^2 = y'T y,   ||r||^2 = ||a y||^2 + (s_{j+1} y_j)^2
    otherwise                  ||w||^2 = y'y,     ||r||^2 = ||R||^2 - ||b|| y_1 - a y'y

for the w of c and its residual r: a few flops for each strength that is asked about. They are Gauss
quadratures of what the whole spectrum would tell.

References
----------
Golub and Meurant (2010), Matrices, Moments and Quadrature with Applications. Bjorck (1988), A
bidiagonalization algorithm for solving large and sparse ill-posed systems of linear equations.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from .blas import product
from .krylov import BLOCK, Basis, Outlook
from .normal import Normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


class Projected:
    """The Krylov space of one target, grown by :meth:`extend`."""

    def __init__(self, normal: Normal, fits: int) -> None:
        b = np.asarray(normal.right[:, 0])
        self.normal, self.length = normal, float(np.linalg.norm(b))
        self.fits = min(fits, normal.size)
        self.basis = Basis(b / (self.length or 1.0), self.fits + BLOCK)

    @property
    def steps(self) -> int:
        """Order j of T."""
        return len(self.basis.h)

    @property
    def full(self) -> bool:
        """Whether the space cannot grow, or no more of it can be held."""
        return self.steps >= self.fits or (self.steps > 0 and self.basis.s[-1] == 0.0)

    def extend(self, steps: int) -> None:
        """Further steps of Lanczos, each a reading of X."""
        for _ in range(steps):
            if self.full:
                return
            self.basis.extend(self.normal.apply(self.basis.last[:, None])[:, 0])

    def norms(self, a: float) -> tuple[float, float]:
        """||w|| and ||r|| at strength a, on the sum scale."""
        y = self._projected(a)
        yy, by = float(y @ y), self.length * float(y[0])
        if self.normal.primal:
            square = float(self.normal.targets.square[0]) - by - a * yy
            return math.sqrt(yy), math.sqrt(max(square, 0.0))
        left = self.basis.s[-1] * float(y[-1])
        return math.sqrt(max(by - a * yy, 0.0)), math.hypot(a * math.sqrt(yy), left)

    def gap(self, a: float) -> float:
        """Of the ridge fit at a, over the null objective."""
        left = self.basis.s[-1] * abs(float(self._projected(a)[-1]))
        strength, first = np.array([a]), np.zeros(1, dtype=np.intp)
        return float(
            self.normal.relative_gap(np.array([left]), self.basis.h[-1], strength, first)[0]
        )

    def outlook(self, a: float, more: float) -> Outlook:
        """What a prediction of the steps still to be made is taken from."""
        h, beside = np.array(self.basis.h), np.array(self.basis.s[1:-1])
        ritz = np.maximum(linalg.eigvalsh_tridiagonal(h, beside)[::-1], 0.0)
        return Outlook(self.steps, more, 1, np.array([a]), ritz)

    def solution(self, a: float) -> Array:
        """C (k, 1)."""
        y, out = self._projected(a)[:, None], np.zeros((self.normal.size, 1), order="F")
        for start, block in zip(range(0, self.steps, BLOCK), self.basis.blocks, strict=False):
            part = y[start : start + BLOCK]
            out += product(block[: len(part)].T, part)
        return out

    def _projected(self, a: float) -> Array:
        """Y (j,)."""
        e, d = np.array(self.basis.s[1:-1]), np.array(self.basis.h) + a
        right = np.zeros((self.steps, 1))
        right[0] = self.length
        *_, y, info = lapack.dptsv(d, e, right)
        if info != 0:  # T has lost its sign to rounding at a tiny a
            return np.full(self.steps, np.nan)
        return np.asarray(y[:, 0])

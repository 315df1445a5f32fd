"""Solutions at many strengths span few dimensions: products with those make all of them.

(S + a I)^{-1} b is smooth in log a, and lies in a Krylov space of b: to rounding some tens of
vectors span as many solutions as one likes. C = Q Y then, and a reading of X is paid for Q alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from .._threads import one_thread_blas
from .blas import product
from .factors import EPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FEWER = 0.5  # of the columns of C that Q may have
MOST = 256  # columns that are looked at: the work grows with their square, and targets share little
BLUR = 32.0 * EPS  # of a column's length: what sums of products leave in it


@dataclass(frozen=True)
class LowRank:
    """C = Q Y: an orthonormal basis Q (k, r) of the columns, and coordinates Y (r, q); or C = Q."""

    Q: Array
    Y: Array | None = None

    @classmethod
    def of(cls, C: Array) -> LowRank:
        """C to the rounding of each column, or with Q = C where that saves little."""
        q = C.shape[1]
        if not 4 <= q <= MOST or not np.isfinite(C).all():
            return cls(C)
        length = np.linalg.norm(C, axis=0)
        scaled = C / np.where(length > 0.0, length, 1.0)
        with one_thread_blas():  # steps of a few columns, which no other thread is worth
            Q, R, _ = linalg.qr(scaled, mode="economic", pivoting=True, check_finite=False)
        size = np.abs(np.diag(R))
        rank = int(np.count_nonzero(size > BLUR * np.max(size, initial=0.0)))
        if rank > FEWER * q:
            return cls(C)
        basis: Array = np.asarray(Q[:, :rank], dtype=np.float64, order="F")
        return cls(basis, product(basis.T, C))

    def combine(self, images: Array) -> Array:
        """A C from A Q."""
        return images if self.Y is None else product(images, self.Y)

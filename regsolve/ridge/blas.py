"""Products of large matrices by SciPy's BLAS, which the factorisations run on as well.

NumPy has a BLAS of its own with threads of its own, and between calls the threads of either wait in
a loop, so that two of them keep each other from the cores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import blas

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

SMALL = 1 << 14  # entries of A up to which NumPy's one thread is as quick
_gemm: Any = blas.dgemm
_gemv: Any = blas.dgemv


def product(A: Array, B: Array) -> Array:
    """A B for A (m, k) and B (k, q), columns one behind the other."""
    rows = A.flags.c_contiguous
    if A.size <= SMALL or not (rows or A.flags.f_contiguous) or B.shape[1] == 0:
        return np.asarray(A @ B, order="F")
    operand = A.T if rows else A
    if B.shape[1] == 1:
        return np.asarray(_gemv(1.0, operand, B[:, 0], trans=int(rows))[:, None])
    turned = B.flags.c_contiguous
    other = B.T if turned else B
    return np.asarray(_gemm(1.0, operand, other, trans_a=int(rows), trans_b=int(turned)))

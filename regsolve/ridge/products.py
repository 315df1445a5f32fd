"""The small matrices of ridge regression, each from one reading of X: Z'Z, Z Z', and their roots.

The kernel of a dense X is summed over blocks of centred columns, so that a mean far above the
deviation costs no digits; that of a sparse X is (I - uu') D X X' D (I - uu'), D = diag(sqrt s) and
u = sqrt(omega), where the means are moderate. The triangular roots are QR factorisations by
blocks of rows (columns): the root of the blocks so far is stacked on the next block.

References
----------
Demmel, Grigori, Hoemmen and Langou (2012), Communication-optimal parallel and sequential QR and LU
factorizations (sequential TSQR).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg
from scipy.linalg import blas

from .design import BLOCK_ENTRIES, WIDE_ENTRIES, Design

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

KERNEL_COLUMNS = 512  # columns of a block of the kernel, at least
FAR_MEANS = 1e3  # means over deviations beyond which the kernel is summed centred
_syrk: Any = blas.dsyrk


def kernel(design: Design) -> Array:
    """K = Z Z' (n, n); a dense X is read once, for its means and norms as well."""
    product = design.sparse_kernel(FAR_MEANS)
    if product is not None:
        return product
    K = np.zeros((design.n, design.n), order="F")
    entries = max(BLOCK_ENTRIES, KERNEL_COLUMNS * design.n)
    for _, block in design.columns(entries, find_means=True):
        row_major = block.flags.c_contiguous
        operand = block.T if row_major else block
        K = _syrk(1.0, operand, beta=1.0, c=K, trans=int(row_major), lower=1, overwrite_c=1)
    K += np.tril(K, -1).T
    return K


def root_of_gram(design: Design, R: Array) -> tuple[Array, Array]:
    """Triangular F (k, k) with F'F = Z'Z, and Q'R for the Q with Z = Q F; k = p when n >= p."""
    joined = _stacked_qr(
        (np.hstack([block, R[i]]) for i, block in design.rows(WIDE_ENTRIES)), design.p + R.shape[1]
    )
    return joined[: design.p, : design.p], joined[: design.p, design.p :]


def root_of_kernel(design: Design) -> Array:
    """Triangular F (n, n) with F'F = Z Z', for p >= n."""
    entries = max(WIDE_ENTRIES, 2 * design.n**2)
    return _stacked_qr((block.T for _, block in design.columns(entries)), design.n)


def _stacked_qr(blocks: Iterator[Array], width: int) -> Array:
    root: Any = np.zeros((0, width))
    for block in blocks:
        root = linalg.qr(np.vstack([root, block]), mode="r", overwrite_a=True, check_finite=False)[
            0
        ][:width]
    if len(root) < width:
        root = np.vstack([root, np.zeros((width - len(root), width))])
    return np.asarray(root)

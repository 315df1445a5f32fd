"""The small matrices of ridge regression: Z'Z, Z Z', and their roots.

Each is made in one reading of X, before which that of a kernel or root needs the means. The kernel
is (I - uu') D X X' D (I - uu'), D = diag(sqrt s) and u = sqrt(omega), where the means are
moderate, and summed over blocks of centred columns elsewhere, so that a mean far above the
deviation costs no digits. The triangular roots are QR factorisations by blocks of rows (columns):
the root of the blocks so far is stacked on the next block.

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

KERNEL_COLUMNS = 1024  # of a block of the kernel
FAR_MEANS = 1e3  # means over deviations beyond which the kernel of a sparse X is summed centred
NEAR_MEANS = 4.0  # the same for a dense X: centring the kernel costs a digit there
_syrk: Any = blas.dsyrk


def kernel(design: Design) -> Array:
    """K = Z Z' (n, n); one reading of X besides that for its means."""
    storage = design.storage
    design.read_statistics()
    if storage.sparse:
        if np.any(np.abs(design.mean) > FAR_MEANS * design.norm):
            return _summed(design, (block for _, block in design.columns()))
        design.passes += 2.0
        K = np.asfortranarray(storage.kernel(design.scale, design.n_threads))
        design.centre_kernel(K)
        return K
    mean, norm = design.mean * design.scale, design.norm * design.scale
    if mean @ mean > NEAR_MEANS**2 * (norm @ norm):
        entries = max(BLOCK_ENTRIES, KERNEL_COLUMNS * design.n)
        return _summed(design, (block for _, block in design.columns(entries)))
    K = _summed(design, design.plain_columns(KERNEL_COLUMNS))
    design.centre_kernel(K)
    return K


def _summed(design: Design, blocks: Iterator[Array]) -> Array:
    """The sum of B B' over blocks of columns B, (n, n)."""
    K = np.zeros((design.n, design.n), order="F")
    for block in blocks:
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

"""Simulated designs at any size, named ``KINDVALUE-NxP`` and seeded by their name.

``ar0.9-500x20000``, ``equicorrelated0.5-500x5000``, ``factor10-500x5000``,
``genotypes0.9-1000x10000``, ``images3-60000x784``, ``zipf20-20000x100000``: VALUE is a correlation,
a number of factors, a length in pixels, or the mean number of non-zeros a column.

To add a design: write a function from (rng, n, p, value) to X and add a line to ``_KINDS``.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.stats import norm

Vector = NDArray[np.float64]

SIGNAL_TO_NOISE = 3.0
LD_BLOCK = 50
COLUMN_BLOCK = 512
ROW_BLOCK = 4096


def _ar(rng: np.random.Generator, n: int, p: int, rho: float) -> Vector:
    """x_j = rho x_{j-1} + sqrt(1 - rho^2) e_j: correlation rho^|j - k|."""
    X = np.empty((n, p), order="F")
    for j in range(p):
        column = X[:, j]
        rng.standard_normal(out=column)
        if j and rho:
            column *= np.sqrt(1.0 - rho**2)
            column += rho * X[:, j - 1]
    return X


def _equicorrelated(rng: np.random.Generator, n: int, p: int, rho: float) -> Vector:
    """x_j = sqrt(rho) z + sqrt(1 - rho) e_j: every two columns have correlation rho."""
    X = np.empty((n, p), order="F")
    shared = np.sqrt(rho) * rng.standard_normal(n)
    for j in range(p):
        column = X[:, j]
        rng.standard_normal(out=column)
        column *= np.sqrt(1.0 - rho)
        column += shared
    return X


def _factor(rng: np.random.Generator, n: int, p: int, k: float) -> Vector:
    """X = F L / sqrt(k) + E with k factors."""
    X = np.empty((n, p), order="F")
    factors = rng.standard_normal((n, int(k))) / np.sqrt(k)
    for start in range(0, p, COLUMN_BLOCK):
        block = X[:, start : start + COLUMN_BLOCK]
        block[:] = rng.standard_normal(block.shape[::-1]).T
        block += factors @ rng.standard_normal((int(k), block.shape[1]))
    return X


def _genotypes(rng: np.random.Generator, n: int, p: int, rho: float) -> Vector:
    """Minor-allele counts 0/1/2 of two haplotypes, each a thresholded AR(rho) in blocks."""
    X = np.zeros((n, p), order="F")
    for start in range(0, p, LD_BLOCK):
        block = X[:, start : start + LD_BLOCK]
        threshold = norm.ppf(rng.uniform(0.05, 0.5, block.shape[1]))
        for _ in range(2):
            block += _ar(rng, n, block.shape[1], rho) < threshold
    return X


def _zipf(rng: np.random.Generator, n: int, p: int, mean_count: float) -> sp.csc_matrix:
    """Column counts proportional to 1 / rank (in random order), values 1 + Exp(1)."""
    weight = 1.0 / np.arange(1.0, p + 1.0)
    counts = np.rint(weight * (mean_count * p / weight.sum()))
    counts = rng.permutation(np.clip(counts, 1, max(n // 2, 1)).astype(np.int64))
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices = np.empty(indptr[-1], dtype=np.int32)
    for j, count in enumerate(counts):
        rows = rng.choice(n, size=count, replace=False, shuffle=False)
        indices[indptr[j] : indptr[j + 1]] = np.sort(rows)
    data = 1.0 + rng.exponential(size=len(indices))
    if indptr[-1] <= np.iinfo(np.int32).max:
        indptr = indptr.astype(np.int32)
    return sp.csc_matrix((data, indices, indptr), shape=(n, p))


def _images(rng: np.random.Generator, n: int, p: int, length: float) -> Vector:
    """Square pictures of p pixels in 256 greys: a smooth Gaussian field where it is positive."""
    side = round(p**0.5)
    if side**2 != p:
        raise ValueError(f"images have a square number of pixels, not {p}")
    squares = (np.arange(side)[:, None] - np.arange(side)) ** 2
    root = np.linalg.cholesky(np.exp(-squares / (2.0 * length**2)) + 1e-6 * np.eye(side))
    mix = np.kron(root, root).T
    X = np.empty((n, p), order="F")
    for start in range(0, n, ROW_BLOCK):
        block = rng.standard_normal((min(ROW_BLOCK, n - start), p)) @ mix
        X[start : start + ROW_BLOCK] = np.rint(255.0 * np.clip(block / 3.0, 0.0, 1.0)) / 255.0
    return X


_KINDS: dict[str, tuple[Callable[[np.random.Generator, int, int, float], Any], str]] = {
    "ar": (_ar, "Gaussian columns, correlation {}^|j-k|"),
    "equicorrelated": (_equicorrelated, "Gaussian columns, every correlation {}"),
    "factor": (_factor, "Gaussian columns, {} factors and noise"),
    "genotypes": (_genotypes, "genotypes 0/1/2, blocks of 50 with latent correlation {}"),
    "images": (_images, "pictures in 256 greys, correlated over {} pixels"),
    "zipf": (_zipf, "sparse, Zipf column counts, mean {} a column"),
}
_SIMULATED = re.compile(rf"({'|'.join(_KINDS)})(\d+(?:\.\d+)?)-(\d+)x(\d+)")


def simulate(name: str) -> tuple[Any, Vector, str] | None:
    """X, y and a description of the design called ``name``; None where it names no design.

    y = X w + noise at variance ratio 3, w of up to 100 coefficients +-1.
    """
    parts = _SIMULATED.fullmatch(name)
    if parts is None:
        return None
    kind, value, n, p = parts[1], float(parts[2]), int(parts[3]), int(parts[4])
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    make, what = _KINDS[kind]
    X = make(rng, n, p, value)
    w = np.zeros(p)
    support = rng.choice(p, size=min(100, max(1, p // 20)), replace=False)
    w[support] = rng.choice([-1.0, 1.0], size=len(support))
    signal = np.asarray(X @ w)
    noise = rng.standard_normal(n) * (signal.std() / np.sqrt(SIGNAL_TO_NOISE))
    return X, signal + noise, what.format(f"{value:g}")

"""X as ridge regression sees it: weighted, centred and scaled by a view, never by a copy.

With row weights s, omega = s / sum s, means m_j = sum_i omega_i x_ij (0 without intercept) and
scales e_j (1, or the deviations about m_j under ``standardize``), the view is

    Z = diag(sqrt s) (X - 1 m') diag(1 / e),      (n, p).

A column with e_j = 0 is out: zero in Z. Blocks of Z are made dense on demand, a few MB at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from .. import _core, _validate
from .._threads import one_thread_blas
from ..certificate import NULL
from .blas import product

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

BLOCK_ENTRIES = 1 << 18  # entries of Z made dense at a time, 2 MB: what stays in cache
WIDE_ENTRIES = 1 << 21  # the same where products with many vectors pay for it
EIGHT = 8  # vectors that the core's X'R takes in one reading
SEVERAL = 3 * EIGHT  # vectors up to which such readings of a large X are as quick as BLAS
CACHE = 4e7  # bytes of X that stay in the last cache of a common server


class _Columns:
    """Dense X: products by BLAS, float32 widened a block at a time."""

    sparse = False

    def __init__(self, matrix: _core.Matrix) -> None:
        self.X = matrix.arrays[0]
        self.n, self.p = self.X.shape
        self.wide = self.X.dtype == np.float64
        self.n_values = self.n * self.p
        self.n_bytes = float(self.X.nbytes)

    def dot(self, W: Array) -> Array:
        """X W, (n, q)."""
        if self.wide:
            return product(self.X, W)
        out = np.empty((self.n, W.shape[1]))
        for i in slices(self.n, BLOCK_ENTRIES, self.p):
            out[i] = self.rows(i) @ W
        return out

    def tdot(self, R: Array) -> Array:
        """X'R, (p, q), by BLAS; only where ``wide``."""
        return product(self.X.T, R)

    @cached_property
    def transposed(self) -> _core.Matrix:
        """X', the same memory."""
        return _core.Matrix(self.X.T)

    def rows(self, i: Any) -> Array:
        """Rows i of X as float64."""
        return np.asarray(self.X[i], dtype=np.float64)

    def columns(self, j: slice) -> Array:
        """Columns of X as float64."""
        return np.asarray(self.X[:, j], dtype=np.float64)


class _Compressed(_Columns):
    """Sparse X in compressed columns; rows come from one copy by rows, made when first asked."""

    sparse, wide = True, False

    def __init__(self, matrix: _core.Matrix) -> None:
        data, indices, indptr = matrix.arrays
        self.n, self.p = matrix.shape
        self.X = sparse.csc_array((data, indices, indptr), shape=matrix.shape, copy=False)
        self.n_values = int(indptr[-1])
        self.n_bytes = float(data.nbytes + indices.nbytes)

    def pairs(self, primal: bool) -> float:
        """Of stored values in one row, which Z'Z is made of, or in one column, for Z Z'."""
        of_rows = np.bincount(self.X.indices, minlength=self.n) if primal else None
        counts = (np.diff(self.X.indptr) if of_rows is None else of_rows).astype(np.float64)
        return 0.5 * float(counts @ counts)

    @cached_property
    def by_rows(self) -> Any:
        """X in compressed rows."""
        return self.X.tocsr()

    @cached_property
    def transposed(self) -> _core.Matrix:
        """X' in compressed columns: the copy by rows."""
        rows = self.by_rows
        wide = np.int64 if np.int64 in (rows.indices.dtype, rows.indptr.dtype) else np.int32
        indices, indptr = (part.astype(wide, copy=False) for part in (rows.indices, rows.indptr))
        return _core.Matrix(rows.data, indices, indptr, (self.p, self.n))

    def row_squares(self, weight: Array) -> Array:
        """sum_j weight_j x_ij^2, (n,)."""
        out = np.zeros(self.n)
        for j in slices(self.p, BLOCK_ENTRIES, max(1, self.n_values // max(1, self.p))):
            part = self.X[:, j]
            values = part.data.astype(np.float64) ** 2
            values *= np.repeat(weight[j], np.diff(part.indptr))
            out += np.bincount(part.indices, values, minlength=self.n)
        return out

    def dot(self, W: Array) -> Array:
        return np.asarray(self.X @ W)

    def rows(self, i: Any) -> Array:
        return np.asarray(self.X[i].toarray(), dtype=np.float64)

    def columns(self, j: slice) -> Array:
        return np.asarray(self.X[:, j].toarray(), dtype=np.float64)

    def kernel(self, scale: Array, n_threads: int) -> Array:
        """X E^2 X' (n, n): the Gram matrix of X' with weighted rows."""
        K: Array = self.transposed.gram(scale**2, False, n_threads, "centred")[0]
        return K


KINDS = {"columns": _Columns, "rows": _Columns, "csc": _Compressed}


def slices(n: int, entries: int, width: int) -> Iterator[slice]:
    """0 .. n in runs of about ``entries`` / ``width``."""
    step = max(16, entries // max(1, width))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


@dataclass
class Design:
    """Z with its products; ``passes`` counts readings of X, ``n_rhs`` the vectors in Z'R."""

    checked: _validate.Design
    X: Any
    sample_weight: Array | None
    fit_intercept: bool
    standardize: bool
    n_threads: int
    passes: float = 0.0
    n_rhs: int = 0

    def __post_init__(self) -> None:
        self.fit_intercept = _validate.boolean("fit_intercept", self.fit_intercept)
        self.standardize = _validate.boolean("standardize", self.standardize)
        self.matrix = self.checked.matrix
        self.n, self.p = self.checked.shape
        self.storage: Any = KINDS[self.matrix.kind](self.matrix)
        s = np.ones(self.n) if self.sample_weight is None else self.sample_weight
        self.weight, self.total = s, float(s.sum())
        self.omega = s / self.total
        self.root = np.sqrt(s)
        self.passes += self.checked.bytes_read / (self.storage.n_bytes or 1.0)
        self.mean, self.scale = np.zeros(self.p), np.ones(self.p)
        self.norm = np.ones(self.p)
        self.scaled = False
        self.measured = False

    @property
    def n_used(self) -> int:
        """Rows of positive weight."""
        return int(np.count_nonzero(self.omega))

    def read_statistics(self) -> None:
        """Means and norms, and whether X is finite: one reading, unless they are known."""
        if self.measured:
            return
        mean, norm = self.matrix.statistics(self.omega, self.fit_intercept, self.n_threads)
        self.passes += 1.0
        self._set(mean, norm)

    def read_gram(self) -> Array:
        """C = Z'Z (p, p); also means and norms: one reading."""
        with one_thread_blas():
            gram, mean, norm = self.matrix.gram(
                self.weight,
                self.fit_intercept,
                self.n_threads,
                "standardised" if self.standardize else "centred",
            )
        self.passes += 1.0
        self._set(mean, norm)
        return gram

    def centre_kernel(self, K: Array) -> None:
        """X E^2 X' becomes Z Z' = (I - uu') D X E^2 X' D (I - uu'), in place."""
        if self.sample_weight is not None:
            K *= self.root
            K *= self.root[:, None]
        if self.fit_intercept:
            u = np.sqrt(self.omega)
            v = product(K, u[:, None])[:, 0]
            v -= 0.5 * (u @ v) * u
            K -= np.outer(u, v)
            K -= np.outer(v, u)

    def centred(self, V: Array) -> Array:
        """(I - uu') V for V (n, q) and u = sqrt(omega); V without an intercept."""
        if not self.fit_intercept:
            return V
        u = np.sqrt(self.omega)
        return np.asarray(V - np.outer(u, u @ V))

    def _set(self, mean: Array, norm: Array) -> None:
        bad = ~(np.isfinite(mean) & np.isfinite(norm))
        if bad.any():
            raise _validate.explain_column(self.X, int(np.argmax(bad)))
        self.mean, self.norm, self.measured = mean, norm, True
        if self.standardize:
            self.scale = np.divide(1.0, norm, out=np.zeros(self.p), where=norm > 0)
        else:  # what rounding leaves of a constant column is no feature
            self.scale = (norm > 0.0).astype(np.float64)
        self.scaled = bool(np.any(self.scale != 1.0))

    @property
    def streamed(self) -> bool:
        """Whether few vectors are multiplied by the core: it reads a large X the quicker.

        Nor do its threads wait between calls, as those of BLAS do, in a loop that leaves no core to
        others.
        """
        storage = self.storage
        return bool(storage.sparse or not storage.wide or storage.n_bytes > CACHE)

    def blas_between_readings(self) -> AbstractContextManager[None]:
        """BLAS on one thread where X is streamed: its others would wait in a loop meanwhile.

        The same bits then whatever ``n_threads``, since two threads may round otherwise than one.
        """
        return one_thread_blas() if self.streamed else nullcontext()

    def dot(self, W: Array) -> Array:
        """Z W for W (p, q): (n, q), one reading for eight vectors, or for all by BLAS."""
        V, q = W * self.scale[:, None], W.shape[1]
        if self.streamed and not self.storage.sparse and q <= SEVERAL:
            product = self.storage.transposed.xtr(V, self.n_threads)
            self.passes += -(-q // EIGHT)
        else:
            product = self.storage.dot(V)
            self.passes += 1.0
        product -= self.mean @ V
        product *= self.root[:, None]
        return np.asarray(product)

    def tdot(self, R: Array) -> Array:
        """Z'R for R (n, q): (p, q), one reading for eight vectors, or for all by BLAS."""
        weighted, q = self.root[:, None] * R, R.shape[1]
        most = SEVERAL if self.streamed else EIGHT
        by_blas = self.storage.wide and (q > most or (q == 1 and not self.streamed))
        self.n_rhs += q
        self.passes += 1.0 if by_blas else -(-q // EIGHT)
        if by_blas:
            product = self.storage.tdot(weighted)
        else:
            product = self.matrix.xtr(weighted, self.n_threads)
        product -= np.outer(self.mean, weighted.sum(axis=0))
        product *= self.scale[:, None]
        return np.asarray(product)

    def rows(self, entries: int = BLOCK_ENTRIES) -> Iterator[tuple[slice, Array]]:
        """Z by blocks of rows, dense; together one reading."""
        self.passes += 1.0
        for i in slices(self.n, entries, self.p):
            yield i, self.chosen_rows(i)

    def columns(self, entries: int = BLOCK_ENTRIES) -> Iterator[tuple[slice, Array]]:
        """Z by blocks of columns, dense; together one reading, after that for the means."""
        self.read_statistics()
        self.passes += 1.0
        for j in slices(self.p, entries, self.n):
            block = self.storage.columns(j) - self.mean[j]
            if self.sample_weight is not None:
                block *= self.root[:, None]
            if self.scaled:
                block *= self.scale[j]
            yield j, block

    def plain_columns(self, width: int) -> Iterator[Array]:
        """X E by blocks of columns: neither centred nor weighted; together one reading."""
        self.passes += 1.0
        for j in slices(self.p, width, 1):
            block = self.storage.columns(j)
            yield block * self.scale[j] if self.scaled else block

    def chosen_rows(self, i: Any) -> Array:
        """Rows i of Z, dense."""
        block = self.unweighted_rows(i)
        if self.sample_weight is not None:
            block *= self.root[i, None]
        return block

    def unweighted_rows(self, i: Any) -> Array:
        """Rows i of Z before their weights, dense."""
        block = np.asarray(self.storage.rows(i) - self.mean)
        if self.scaled:
            block *= self.scale
        return block

    def coefficients(self, W: Array) -> Array:
        """Coefficients in X's units from those of Z, (p, q); W itself where both are the same."""
        return W * self.scale[:, None] if self.scaled else W


@dataclass(frozen=True)
class Targets:
    """Y (n, T) less its weighted means, in rows of Z: ``R`` = diag(sqrt s) (Y - 1 mean')."""

    R: Array
    mean: Array
    Y: Array

    @property
    def square(self) -> Array:
        """||R_t||^2, (T,): twice the null objective."""
        return np.asarray(np.einsum("it,it->t", self.R, self.R))

    def constant(self, weight: Array) -> NDArray[np.bool_]:
        """Targets whose null objective is rounding, (T,); weight s (n,)."""
        return np.asarray(self.square <= NULL * (weight @ self.Y**2))


def targets(design: Design, Y: Array) -> Targets:
    """Centre (with an intercept) and weight the targets."""
    mean = design.omega @ Y if design.fit_intercept else np.zeros(Y.shape[1])
    R = Y - mean
    if design.fit_intercept:
        again = design.omega @ R  # what rounding left of a mean far from zero
        R -= again
        mean = mean + again
    R *= design.root[:, None]
    found = Targets(np.asfortranarray(R), mean, Y)
    found.R[:, found.constant(design.weight)] = 0.0  # what rounding left of the mean
    return found

"""Arrays in: layout, dtype, shapes and finiteness of what a user gives.

The only place in Python that asks whether X is dense or sparse. NaN and infinity in X itself are
found by the solver's first reading of it; `explain_column` then words the error.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from . import _core
from ._threads import available_threads

Vector = NDArray[np.float64]
MOST_INTEGER, MOST_THREADS = 2**63 - 1, 2**31 - 1  # of the core's ptrdiff_t and int


def _parts(matrix: _core.Matrix) -> tuple[type[_core.Matrix], tuple[Any, ...]]:
    """What makes the matrix anew, for copy and pickle: its memory is that of its arrays."""
    data, indices, indptr = matrix.arrays
    dense = indices is None
    return _core.Matrix, (data,) if dense else (data, indices, indptr, matrix.shape)


copyreg.pickle(_core.Matrix, _parts)


@dataclass(frozen=True)
class Design:
    """X as the core reads it; ``bytes_read`` of its storage went into validation."""

    matrix: _core.Matrix
    shape: tuple[int, int]
    bytes_read: float
    note: str


def design(X: Any) -> Design:
    """X where it lies if the core can read it there, else one copy that it can."""
    checked = _compressed_columns(X) if sparse.issparse(X) else _dense(X)
    n, p = checked.shape
    if n == 0:
        raise ValueError(f"X has shape ({n}, {p}): at least one row is needed")
    return checked


def storage_bytes(X: Any) -> int:
    """Of the values, and of sparse X their rows."""
    if not sparse.issparse(X):
        return int(X.nbytes)
    columns: Any = X
    return int(columns.data.nbytes + columns.indices.nbytes)


def _refuse_dtype(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "fiub":
        raise ValueError(f"X has dtype {dtype}: convert it to float64 or float32 first")


def _refuse_kind(array: Any) -> None:
    if array.ndim != 2:
        raise ValueError(
            f"X has {array.ndim} dimensions, expected 2: reshape a single feature "
            "with X.reshape(-1, 1)"
        )
    _refuse_dtype(array.dtype)


def _float_storage(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float32 if dtype == np.float32 else np.float64)


def _dense(X: Any) -> Design:
    array = np.asarray(X)
    _refuse_kind(array)
    note = ""
    storage = _float_storage(array.dtype)
    if array.dtype != storage or not array.flags.aligned:
        array = np.asarray(array, dtype=storage, order="F").copy(order="F")
        note = f"X was copied to {storage}"
    if not _readable(array):
        array = np.asfortranarray(array)
        note = "X was copied: neither its rows nor its columns were contiguous"
    return Design(_core.Matrix(array), array.shape, float(array.nbytes) if note else 0.0, note)


def _readable(array: NDArray[Any]) -> bool:
    n, p = array.shape
    if array.flags.f_contiguous or array.flags.c_contiguous:
        return True
    row, column = array.strides
    size = array.itemsize
    columns = row == size and column >= n * size and column % size == 0
    rows = column == size and row >= p * size and row % size == 0
    return columns or rows


def _compressed_columns(X: Any) -> Design:
    _refuse_dtype(X.dtype)
    if X.ndim != 2:
        raise ValueError(f"X has {X.ndim} dimensions, expected 2")
    notes, read = [], 0.0
    if X.format != "csc":
        notes.append(f"one CSC copy of X was built from {X.format.upper()}")
        X = X.tocsc()
        read += float(X.data.nbytes + X.indices.nbytes)
    n, p = X.shape
    storage = _float_storage(X.dtype)
    data, indices, indptr = X.data, X.indices, X.indptr
    _require_structure(data, indices, indptr, p)
    view = sparse.csc_array((data, indices, indptr), shape=(n, p), copy=False)
    read += float(indices.nbytes)
    if not view.has_canonical_format:
        view = view.copy()
        view.sum_duplicates()
        notes.append("X was copied to sort its indices and add its duplicates")
    data, indices, indptr = view.data, view.indices, view.indptr
    _require_rows(indices, indptr, n)
    wide = np.int64 if np.int64 in (indices.dtype, indptr.dtype) else np.int32
    indices, indptr = indices.astype(wide, copy=False), indptr.astype(wide, copy=False)
    data = data.astype(storage, copy=False)
    data, indices, indptr = (
        np.require(part, requirements=["C", "A"]) for part in (data, indices, indptr)
    )
    return Design(_core.Matrix(data, indices, indptr, (n, p)), (n, p), read, "; ".join(notes))


def _require_structure(data: Any, indices: Any, indptr: Any, p: int) -> None:
    broken = (
        len(indptr) != p + 1
        or indptr[0] != 0
        or indptr[-1] > min(len(data), len(indices))
        or bool(np.any(np.diff(indptr) < 0))
    )
    if broken:
        raise ValueError("X.indptr does not describe its columns: rebuild the sparse matrix")


def _require_rows(indices: Any, indptr: Any, n: int) -> None:
    """Ascending rows stay inside [0, n) when the first and last of each column do."""
    filled = np.flatnonzero(np.diff(indptr))
    first, last = indices[indptr[filled]], indices[indptr[filled + 1] - 1]
    if len(filled) and (first.min() < 0 or last.max() >= n):
        raise ValueError(f"X.indices holds rows outside 0..{n - 1}: rebuild the sparse matrix")


def of_path(X: Any, p: int, what: str = "path") -> Any:
    """X as an array or as the sparse matrix that it is, (n, p); ValueErrors name it."""
    given: Any = X if sparse.issparse(X) else np.asarray(X)
    _refuse_kind(given)
    if given.shape[1] != p:
        raise ValueError(f"X has {given.shape[1]} columns and the {what} {p} features")
    return given


def columns_of(X: Any, support: NDArray[np.intp]) -> Callable[[NDArray[np.intp]], Any]:
    """A function of rows: the entries of X in those rows and the columns ``support``."""
    if sparse.issparse(X):
        chosen: Any = X
        chosen = chosen.tocsc()[:, support].tocsr()
        return lambda rows: chosen[rows]
    array = np.asarray(X)
    return lambda rows: array[np.ix_(rows, support)]


def dense_columns_of(X: Any, support: NDArray[np.intp]) -> Callable[[NDArray[np.intp]], Vector]:
    """The same with entries (len(rows), len(support)) dense and float64."""
    columns = columns_of(X, support)
    if sparse.issparse(X):
        return lambda rows: np.asarray(columns(rows).toarray(), dtype=np.float64)
    return lambda rows: np.asarray(columns(rows), dtype=np.float64)


def columns_taken(X: Any) -> Callable[[NDArray[np.intp]], Any]:
    """A function of features: X with those columns alone, in X's own kind and dtype."""
    if sparse.issparse(X):
        stored: Any = X
        stored = stored.tocsc()
        return lambda features: stored[:, features]
    array = np.asarray(X)
    return lambda features: array.T[features].T


def boolean(name: str, value: Any) -> bool:
    """True or False, 1 or 0; TypeErrors name the parameter."""
    if isinstance(value, bool | np.bool_) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    raise TypeError(f"{name}={value!r}: expected True or False")


class ColumnError(ValueError):
    """Column j of X cannot be fitted; ``args`` are what of X, j, the reason and a name or None."""

    def __str__(self) -> str:
        what, column, reason, name = self.args
        return f"{what} column {column}{'' if name is None else f' ({name!r})'}{reason}"

    def named(self, names: Any) -> ColumnError:
        """The same where the columns have names."""
        what, column, reason, _ = self.args
        return ColumnError(what, column, reason, str(names[column]))


def feature_names(X: Any) -> list[str] | None:
    """Titles of a data frame's columns, if all are strings."""
    columns = getattr(X, "columns", None)
    titles = [] if columns is None or callable(columns) else list(columns)
    return titles if titles and all(isinstance(title, str) for title in titles) else None


def explain_column(X: Any, j: int) -> ValueError:
    """The error for a column whose sums are not finite."""
    names = feature_names(X)
    name = None if names is None else names[j]
    if sparse.issparse(X):
        columns: Any = X
        values = columns.tocsc()[:, [j]].data
    else:
        values = np.asarray(X)[:, j]
    if np.isfinite(values).all():
        reason = ": their squares overflow float64; rescale that column"
        return ColumnError("X has values too large in", j, reason, name)
    reason = ": impute or drop them"
    return ColumnError("X contains NaN or infinity, first in", j, reason, name)


def deviations(X: Any, s: Vector, centred: bool, n_threads: int | None) -> Vector:
    """Weighted deviations of the columns about their means, or about 0; (p,), one reading.

    0 of a column that is constant to rounding. ValueError where one is not finite.
    """
    mean, norm = design(X).matrix.statistics(s / s.sum(), centred, threads(n_threads))
    bad = ~(np.isfinite(mean) & np.isfinite(norm))
    if bad.any():
        raise explain_column(X, int(np.argmax(bad)))
    return np.asarray(norm)


def vector(name: str, values: Any, n: int, of: str = "rows") -> Vector:
    """Finite float64 (n,) array; ValueErrors name the argument."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} has dtype {array.dtype}: give numbers")
    if array.ndim != 1:
        raise ValueError(
            f"{name} has {array.ndim} dimensions, expected 1"
            + (": use y.ravel() for a single target" if name == "y" else "")
        )
    if len(array) != n:
        raise ValueError(f"{name} has {len(array)} entries but X has {n} {of}")
    out: Vector = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(out).all():
        raise ValueError(f"{name} contains NaN or infinity: impute or drop those {of}")
    return out


def target(y: Any, n: int) -> Vector:
    """``y`` as a :func:`vector` (n,) whose squares have a sum."""
    out = vector("y", y, n)
    with np.errstate(over="ignore"):
        if not np.isfinite(np.square(out).sum()):  # a dot's threads would wait in a loop after
            raise ValueError("y has values too large: their squares overflow float64; rescale y")
    return out


def sample_weight(values: Any, n: int) -> Vector | None:
    """Weights (n,) >= 0 that are not all zero; a scalar counts as equal weights."""
    if values is None:
        return None
    if np.ndim(values) == 0:
        positive_number("sample_weight", values)
        return None
    weights = vector("sample_weight", values, n)
    if (weights < 0).any():
        raise ValueError("sample_weight has negative entries: weights must be >= 0")
    if not (weights > 0).any():
        raise ValueError("sample_weight is zero everywhere: at least one must be positive")
    return weights


def near_one(weights: Vector) -> Vector:
    """Weights times the power of four that brings the largest near 1: their ratios, exactly."""
    exponent = int(np.frexp(weights.max())[1])
    return np.ldexp(weights, -2 * (exponent // 2))


def positive_integer(name: str, value: Any, least: int = 1, most: int = MOST_INTEGER) -> int:
    """An integer >= least that the core can hold."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name}={value!r}: expected an integer >= {least}")
    if value > most:
        raise ValueError(f"{name}={value!r}: expected an integer <= {most}")
    return int(value)


def threads(n_threads: Any) -> int:
    """Threads that a call may use: ``n_threads``, or all that the process has."""
    if n_threads is None:
        return available_threads()
    return positive_integer("n_threads", n_threads, most=MOST_THREADS)


def positive_number(name: str, value: Any) -> float:
    """A finite number > 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise ValueError(f"{name}={value!r}: expected a number > 0")
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name}={value!r}: expected a finite number > 0")
    return float(value)


def share(name: str, value: Any) -> float:
    """A number in (0, 1]."""
    if positive_number(name, value) > 1.0:
        raise ValueError(f"{name}={value!r}: expected a number in (0, 1]")
    return float(value)


def non_negative_number(name: str, value: Any) -> float:
    """A finite number >= 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise ValueError(f"{name}={value!r}: expected a number >= 0")
    if not (np.isfinite(value) and value >= 0):
        raise ValueError(f"{name}={value!r}: expected a finite number >= 0")
    return float(value)


def descending(alphas: Any) -> Vector:
    """Alphas (m,) >= 0, finite, sorted from large to small."""
    try:
        array = np.atleast_1d(np.asarray(alphas, dtype=np.float64))
    except (TypeError, ValueError):
        raise ValueError(f"alphas={alphas!r}: expected numbers >= 0") from None
    if array.ndim != 1 or len(array) == 0:
        raise ValueError("alphas is empty or not 1-D: give at least one alpha")
    if not np.isfinite(array).all() or (array < 0).any():
        raise ValueError("alphas must be finite and >= 0")
    return np.ascontiguousarray(np.sort(array)[::-1])


def dense_rows(X: Any) -> Vector:
    """A float64 copy of X (n, p) with contiguous rows, sparse or not; ValueErrors as elsewhere."""
    given: Any = X
    array = np.asarray(given.toarray() if sparse.issparse(X) else given)
    _refuse_kind(array)
    if 0 in array.shape:
        raise ValueError(f"X has shape {array.shape}: at least one row and column are needed")
    rows: Vector = np.array(array, dtype=np.float64, order="C")
    broken = np.flatnonzero(~np.isfinite(rows).all(axis=0))
    if len(broken):
        raise explain_column(X, int(broken[0]))
    return rows

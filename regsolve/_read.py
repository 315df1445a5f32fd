"""Data files in: design X, target y and feature names for the command line.

Every reader is NumPy's, SciPy's, pandas' or scikit-learn's. None of them unpickles anything:
a file that holds Python objects is refused. ValueError and OSError carry one clear sentence.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BUNDLED = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")
FORMATS = ".svmlight .svm .libsvm .txt .npz .npy .mtx .csv .parquet"
_COMPRESSED = (".gz", ".bz2")
_DAMAGED = (
    EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, UnicodeDecodeError, SyntaxError,
    tokenize.TokenError, RuntimeError,
)  # fmt: skip
_LINE = 1024  # bytes at the end of a file that tell its last line: a few numbers
_MISSING = ("", "NA", "N/A", "n/a", "<NA>", "#N/A", "NULL", "null", "None")  # pandas' marks


@dataclass(frozen=True)
class Data:
    """One regression problem: X (n, p) in its file's own layout, y (n,), names of X's columns."""

    name: str
    X: Any
    y: NDArray[np.float64]
    feature_names: list[str] | None = None


@dataclass(frozen=True)
class _Contents:
    """What a file holds before the target is chosen: y is None where it has no target."""

    X: Any
    y: Any = None
    feature_names: list[str] | None = None


def read(source: str, target: str | None = None) -> Data:
    """Read a data file or a data set bundled with scikit-learn.

    Parameters
    ----------
    source : str
        A path ending in one of svmlight, svm, libsvm or txt (svmlight, also with .gz or .bz2),
        npz (a SciPy sparse matrix, or keys X and y), npy (memory-mapped), mtx, csv, parquet; or
        one of breast_cancer, diabetes, digits, iris, linnerud, wine.
    target : str, optional
        A column (its name, or its position) of .csv, .parquet and linnerud; a feature's name of
        the other bundled sets; else a file with the n values of y. By default svmlight's labels,
        key y of .npz, the last column of .csv and .parquet.

    Raises
    ------
    ValueError
        Unknown kind of file, a column that is not numeric, no target, Python objects in a file.
    OSError
        A file that cannot be read.
    """
    if source in BUNDLED:
        contents = _bundled(source, target)
    else:
        path = Path(source)
        reader = _READERS.get(_suffix(path))
        if reader is None:
            raise ValueError(
                f"cannot read {source!r}: expected a file ending in one of {FORMATS}, "
                f"or one of scikit-learn's data sets {', '.join(BUNDLED)}"
            )
        _require_file(path)
        with _named(path):
            contents = reader(path, target)
    y = contents.y
    if y is None:
        if target is None:
            raise ValueError(f"{source} holds no target: name a file with y by --target FILE")
        y = read_vector(target)
    shape, names = np.shape(contents.X), contents.feature_names
    if len(shape) != 2:
        raise ValueError(
            f"{source}: X must have samples as rows and features as columns, got {shape}"
        )
    if shape[0] == 0:
        raise ValueError(f"{source} has no samples")
    if names is not None and len(names) != shape[1]:
        raise ValueError(f"{source}: {len(names)} feature_names for {shape[1]} columns of X")
    return Data(Path(source).name, contents.X, _as_vector(y, source), names)


def read_vector(source: str, key: str = "y") -> NDArray[np.float64]:
    """Read one vector, such as y or the alphas, from .npy, .npz, .txt, .csv or .mtx.

    An .npz holds it under ``key`` or as its only array. A .csv or .txt has one number a line; a
    first line that is not a number is its title. Errors are those of :func:`read`, and name the
    option whose ``key`` it is where ``source`` is no file of one vector.
    """
    path = Path(source)
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".npz", ".txt", ".csv", ".mtx"):
        told = ("target", "column of the data") if key == "y" else (key, f"number of {key}")
        raise ValueError(
            f"--{told[0]} {source!r} is neither a {told[1]} nor a file of one vector "
            "(.npy .npz .txt .csv .mtx)"
        )
    _require_file(path)
    with _named(path):
        return _vector(path, suffix, source, key)


def _vector(path: Path, suffix: str, source: str, key: str) -> NDArray[np.float64]:
    if suffix in (".txt", ".csv"):
        return _numbers(path)
    if suffix == ".npz":
        arrays = _arrays(path)
        if key not in arrays and len(arrays) != 1:
            raise ValueError(f"{path} has keys {_some(sorted(arrays))}: expected {key!r}")
        return _as_vector(arrays[key if key in arrays else next(iter(arrays))], source)
    return _as_vector(_READERS[suffix](path, None).X, source)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """While it lasts, errors of decompressing and decoding tell whose contents they are.

    RuntimeErrors are zipfile's, of encryption and of versions that it does not know; a header may
    ask for more memory than there is.
    """
    try:
        yield
    except _DAMAGED as error:
        raise ValueError(f"cannot read {path}: {error}") from None
    except MemoryError as error:
        raise ValueError(f"{path} does not fit in memory: {error}".rstrip(": ")) from None
    except OSError as error:
        if error.filename is not None:
            raise
        raise ValueError(f"cannot read {path}: {error}") from None


def _suffix(path: Path) -> str:
    """Lower-case ending that tells the kind, past any .gz or .bz2."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in _COMPRESSED else suffix


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")


def _as_vector(values: Any, source: str) -> NDArray[np.float64]:
    """Values as a 1-D float64 array; a single row or column is one too."""
    values = np.asarray(values.toarray() if hasattr(values, "toarray") else values)
    if values.ndim == 2 and 1 in values.shape:
        values = values.ravel()
    if values.ndim != 1:
        raise ValueError(f"{source}: expected one column of numbers, got shape {values.shape}")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{source}: expected numbers, got dtype {values.dtype}")
    return np.ascontiguousarray(values, dtype=np.float64)


def _numbers(path: Path) -> NDArray[np.float64]:
    """Numbers of a text file, one a line, below an optional title line."""
    lines = path.read_text(encoding="utf-8-sig").split("\n")  # what Excel writes begins with a mark
    values = [line.strip().rstrip(",") for line in lines if line.strip()]
    if values and not is_number(values[0]):
        values = values[1:]
    try:
        return np.array([float(value) for value in values], dtype=np.float64)
    except ValueError as error:
        raise ValueError(f"{path}: expected one number a line ({error})") from None


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _svmlight(path: Path, target: str | None) -> _Contents:
    from sklearn.datasets import load_svmlight_file

    try:
        X, y = load_svmlight_file(str(path))
    except OverflowError:
        raise ValueError(f"{path} has an index of a feature beyond {2**31 - 1}") from None
    except ValueError as error:
        raise ValueError(f"{path} is not in svmlight format: {error}") from None
    return _Contents(X, y if target is None else None)


def _npy(path: Path, _target: str | None) -> _Contents:
    try:
        return _Contents(np.lib.format.open_memmap(str(path), mode="r"))
    except ValueError as error:
        raise ValueError(_refusal(path, error)) from None


def _npz(path: Path, target: str | None) -> _Contents:
    arrays = _arrays(path, skip=("data", "indices", "indptr", "row", "col", "offsets"))
    y = arrays.get("y") if target is None else None
    names = arrays.get("feature_names")
    if names is not None and names.ndim != 1:
        raise ValueError(f"{path}: feature_names has shape {names.shape}: expected (n_features,)")
    feature_names = None if names is None else [str(name) for name in names]
    if {"format", "shape"} <= arrays.keys():
        from scipy.sparse import load_npz

        try:
            return _Contents(load_npz(path), y, feature_names)
        except (ValueError, KeyError) as error:
            raise ValueError(_refusal(path, error)) from None
    if "X" not in arrays:
        raise ValueError(
            f"{path} has keys {_some(sorted(arrays))}: expected X and y, or a sparse matrix "
            "saved by scipy.sparse.save_npz"
        )
    return _Contents(arrays["X"], y, feature_names)


def _arrays(path: Path, skip: tuple[str, ...] = ()) -> dict[str, NDArray[Any]]:
    """Arrays of an .npz archive but for ``skip``; one that needs unpickling is refused."""
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is not an .npz archive")
        # NumPy leaves a file that it opened itself open where the archive's directory is refused
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files if key not in skip}
    except ValueError as error:
        raise ValueError(_refusal(path, error)) from None


def _refusal(path: Path, error: Exception) -> str:
    """Why a NumPy file was not read; pickled objects have their own remedy."""
    if "object" in str(error).lower() or "pickle" in str(error).lower():
        return (
            f"{path} holds Python objects (a pickle), which are never loaded: "
            "save plain numeric arrays"
        )
    return f"cannot read {path}: {error}"


def _mtx(path: Path, _target: str | None) -> _Contents:
    from scipy.io import mmread

    _refuse_cut(path)
    try:
        matrix = mmread(path)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path} is not a Matrix Market file: {error}") from None
    return _Contents(matrix.tocsc() if hasattr(matrix, "tocsc") else matrix)


def _refuse_cut(path: Path) -> None:
    """Refuse a last line, without an end, of which something is no number.

    SciPy's reader looks for the line's end behind a number that breaks off, in memory not its own.
    """
    tail = _tail(path)
    line = tail.rsplit(b"\n", 1)[-1].decode("ascii", "replace")
    if line and (line[-1].isspace() or not all(is_number(field) for field in line.split())):
        raise ValueError(
            f"{path} is not a Matrix Market file: its last line breaks off, {line[-30:]!r}"
        )


def _tail(path: Path) -> bytes:
    """The last bytes of a file's contents, decompressed."""
    if path.suffix.lower() not in _COMPRESSED:
        with path.open("rb") as plain:
            plain.seek(-min(_LINE, plain.seek(0, os.SEEK_END)), os.SEEK_END)
            return plain.read()
    unpack: Any = gzip.open if path.suffix.lower() == ".gz" else bz2.open
    tail = b""
    with unpack(path, "rb") as packed:
        while chunk := packed.read(1 << 20):
            tail = (tail + chunk)[-_LINE:]
    return tail


def _csv(path: Path, target: str | None) -> _Contents:
    pandas = _pandas(path)
    try:
        titles = _first_line(pandas, path)
        # A first line of numbers is data, unless it counts the columns as pandas writes them.
        columns = titles[1:] if titles[:1] == [""] else titles  # an index has no title
        counted = columns == [str(k) for k in range(len(columns))]
        numbers = [title for title in titles if title not in _MISSING]
        if numbers and not counted and all(is_number(number) for number in numbers):
            frame = pandas.read_csv(path, header=None, **_exact(pandas))
            frame.columns = [f"x{k}" for k in range(frame.shape[1])]
        else:
            frame = _titled(pandas, path)
    except pandas.errors.ParserWarning:
        raise ValueError(
            f"{path}: rows have more fields than the header's {len(titles)}: give each a title, "
            "fields with commas and decimals with points"
        ) from None
    except (ValueError, UnicodeError) as error:  # pandas' parser errors are ValueErrors
        raise ValueError(f"cannot read {path}: {error}") from None
    return _table(frame, path, target)


def _first_line(pandas: Any, path: Path) -> list[str]:
    """Its fields as they are written."""
    line = pandas.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False)
    return [str(field) for field in line.iloc[0]]


def _titled(pandas: Any, path: Path) -> Any:
    """The table below a header; a ParserWarning where rows are longer, which pandas would cut."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pandas.errors.ParserWarning)
        return pandas.read_csv(path, index_col=False, skipinitialspace=True, **_exact(pandas))


def _exact(pandas: Any) -> dict[str, str]:
    """Keywords by which read_csv rounds each number to the nearest float64.

    From pandas 3.1 on that is the default and the keyword warns; before, the default may be an
    ulp off.
    """
    major, minor = (int(part) for part in pandas.__version__.split(".")[:2])
    return {"float_precision": "round_trip"} if (major, minor) < (3, 1) else {}


def _parquet(path: Path, target: str | None) -> _Contents:
    pandas = _pandas(path)
    try:
        frame = pandas.read_parquet(path)
    except ImportError:
        raise _missing(path, "pyarrow") from None
    except ValueError as error:  # pyarrow's errors are ValueErrors
        raise ValueError(f"cannot read {path}: {error}") from None
    return _table(frame, path, target)


def _pandas(path: Path) -> Any:
    try:
        import pandas
    except ImportError:
        raise _missing(path, "pandas") from None
    return pandas


def _missing(path: Path, package: str) -> ValueError:
    return ValueError(
        f"reading {path} needs {package}: python -m pip install 'regsolve[cli]' brings it"
    )


def _table(frame: Any, path: Path, target: str | None) -> _Contents:
    """Columns of a frame as X and y, by the column's name, its position, or the last one."""
    names = [str(name) for name in frame.columns]
    if len(frame) == 0:
        raise ValueError(f"{path} has no rows, only the titles of {len(names)} columns")
    column = len(names) - 1 if target is None else _position(target, names)
    if column is None and not Path(str(target)).is_file():
        raise ValueError(
            f"--target {target!r} is neither a column of {path} ({_some(names)}) nor a file"
        )
    for k, dtype in enumerate(frame.dtypes):
        if getattr(dtype, "kind", "O") not in "biuf":
            text = [str(value) for value in frame.iloc[:, k]]
            value = next((value for value in text if not is_number(value)), "")
            why = f"it holds {value[:30]!r}" if value else f"its dtype is {dtype}"
            raise ValueError(
                f"{path}: column {names[k]!r} is not numeric ({why}): "
                "drop it or encode it as numbers"
            )
    kept = [k for k in range(len(names)) if k != column]
    if not kept:
        raise ValueError(f"{path} has no column but the target {names[0]!r}: there are no features")
    X = frame.iloc[:, kept].to_numpy(dtype=np.float64, na_value=np.nan)
    y = None if column is None else frame.iloc[:, column].to_numpy(np.float64, na_value=np.nan)
    return _Contents(X, y, [names[k] for k in kept])


def _position(target: str, names: list[str]) -> int | None:
    """Index of the column named ``target``, or standing at that position; None if neither."""
    if target in names:
        return names.index(target)
    try:
        return range(len(names))[int(target)]
    except (ValueError, IndexError):
        return None


def _some(names: list[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f", ... {len(names)} in all" if len(names) > most else "")


def _bundled(name: str, target: str | None) -> _Contents:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    X, names = bunch.data, [str(feature) for feature in bunch.feature_names]
    y = bunch.target if target is None else None
    if target in names and bunch.target.ndim == 1:
        k = names.index(str(target))
        return _Contents(np.delete(X, k, axis=1), X[:, k], names[:k] + names[k + 1 :])
    if bunch.target.ndim == 2:
        titles = [str(title) for title in bunch.target_names]
        if target is None:
            raise ValueError(f"{name} has {len(titles)} targets: --target {' or '.join(titles)}")
        column = _position(target, titles)
        y = None if column is None else bunch.target[:, column]
    return _Contents(X, y, names)


_READERS: dict[str, Callable[[Path, str | None], _Contents]] = {
    ".svmlight": _svmlight,
    ".svm": _svmlight,
    ".libsvm": _svmlight,
    ".txt": _svmlight,
    ".npz": _npz,
    ".npy": _npy,
    ".mtx": _mtx,
    ".csv": _csv,
    ".parquet": _parquet,
}

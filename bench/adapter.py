"""What an adapter of a library is: the data it is given, and the fit it hands back.

``prepare`` is not timed and gives a library its favourite layout: columns divided by s where the
problem standardizes; dense X centred by hand for those that then need no intercept. ``path`` is
timed. Coefficients come back in X's own units.
"""

from __future__ import annotations

import importlib.util
import warnings
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from bench.problems import Problem, Vector


def steps(loose: int, tight: int, by: int = 1) -> tuple[float, ...]:
    """Tolerances 10^-loose, ..., 10^-tight."""
    return tuple(10.0**-k for k in range(loose, tight + 1, by))


class Unsupported(ValueError):
    """The library cannot solve this problem; it is shown as failed."""


@dataclass(frozen=True)
class Fit:
    """Coefficients p x m in X's units (array or CSC) and intercepts (m,), m <= alphas asked.

    ``seconds`` is set where the call's own time is not the library's: it runs in another process,
    or makes its layout of X in the same call. ``n_passes`` is the number of readings of X where
    the library counts them.
    """

    coefs: Any
    intercepts: Vector
    seconds: float | None = None
    n_passes: float | None = None


@dataclass(frozen=True)
class Design:
    """The scaled, perhaps centred X and y that a library is given; ``extra`` is its own."""

    X: Any
    y: Vector
    x_means: Vector
    y_mean: float
    s: Vector
    problem: Problem
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, *, centre_dense: bool = False, centre_y: bool = False) -> Design:
        """X / s, minus its column means if dense and asked; y minus its mean if asked."""
        means, s = problem.moments
        X, plain = problem.X, bool(np.all(s == 1.0))
        if sp.issparse(X):
            if not plain:
                data = X.data / np.repeat(s, np.diff(X.indptr))
                X = sp.csc_matrix((data, X.indices, X.indptr), shape=X.shape)
        elif centre_dense and problem.fit_intercept:
            X = np.subtract(X, means, out=np.empty_like(X))
            X = X if plain else np.divide(X, s, out=X)
        elif not plain:
            X = np.divide(X, s, out=np.empty_like(X))
        y_mean = float(problem.y.mean()) if problem.fit_intercept else 0.0
        y = problem.y - y_mean if centre_y else problem.y
        return cls(X, y, means / s, y_mean, s, problem)

    def largest_gradient(self) -> float:
        """max_j |x_j'(y - mean y)| / n, the scale of gradients at the null model."""
        residual = self.y - (self.y.mean() if self.problem.fit_intercept else 0.0)
        return float(np.abs(self.X.T @ residual).max()) / len(residual)

    def fit(self, coefs: Any, intercepts: Vector | None = None, **extra: Any) -> Fit:
        """Coefficients in X's units; the intercept mean(y) - means'w where none is given."""
        if intercepts is None:
            intercepts = self.y_mean - np.asarray(coefs.T @ self.x_means)
        if np.any(self.s != 1.0):
            coefs = sp.diags(1.0 / self.s) @ coefs
        return Fit(coefs, np.asarray(intercepts, dtype=np.float64), **extra)


@dataclass
class Library:
    """Base of the adapters, which write ``_prepare`` and ``_path``.

    ``threads`` is the number asked of libraries that take one; BLAS, OpenMP and Numba threads are
    set by the race through the environment. ``tolerances`` run from loose to tight and are the
    library's own, as its docstring explains. ``peer`` is false for regsolve itself and the floor.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    tolerances: ClassVar[tuple[float, ...]]
    peer: ClassVar[bool] = True
    threads: int = 1

    def available(self) -> bool:
        """Whether the package can be imported here."""
        return importlib.util.find_spec(self.package) is not None

    def refuses(self, problem: Problem) -> str:  # noqa: ARG002
        """Why the library cannot solve this problem, to follow its name; empty if it can."""
        return ""

    def prepare(self, problem: Problem) -> Any:
        """Favourite layout of the data; not timed. Raises Unsupported."""
        reason = self.refuses(problem)
        if reason:
            raise Unsupported(f"{self.name} {reason}")
        return self._prepare(problem)

    def path(self, prepared: Any, alphas: Vector, tol: float) -> Fit:
        """Solve along ``alphas`` (descending); timed. Its warnings are silenced: verify judges."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._path(prepared, alphas, tol)

    def release(self, prepared: Any) -> None:
        """Give back what ``prepare`` holds outside this process."""

    def _prepare(self, problem: Problem) -> Any:
        return problem

    def _path(self, prepared: Any, alphas: Vector, tol: float) -> Fit:
        raise NotImplementedError

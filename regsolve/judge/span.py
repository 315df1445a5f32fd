"""Projection off the columns without penalty, and off the intercept's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import qr

from .problem import Problem
from .rounding import CONSTANT, EPS, NULL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

PROJECTION_BYTES = 2e9  # most memory that a projection's columns may take


@dataclass(frozen=True)
class Span:
    """Columns sqrt(omega_i) (x_ij - m_j) / norm_j, beside sqrt(omega_i) for an intercept."""

    root: Vector  # (n,) sqrt(omega)
    columns: Vector  # (n, k)
    norms: Vector  # (k,), 0 for a column that is constant
    fit_intercept: bool

    @cached_property
    def basis(self) -> Vector:
        """Orthonormal basis of the columns, (n, rank), by QR with pivoting.

        Rows of no weight stay 0: in directions of small diagonal rounding there would be much, as
        would what rounding left of the means.
        """
        n, k = self.columns.shape
        if not np.any(self.norms):
            return np.zeros((n, 0))
        used = self.root > 0
        root = self.root[used]
        factors: Any = qr(self.columns[used], mode="economic", pivoting=True, check_finite=False)
        diagonal = np.abs(np.diag(factors[1]))
        basis = factors[0][:, diagonal > max(n, k) * EPS * diagonal[0]]
        if self.fit_intercept:
            basis = basis - np.outer(root, root @ basis)
            factors = qr(basis, mode="economic", pivoting=True, check_finite=False)
            basis = factors[0][:, np.abs(np.diag(factors[1])) > math.sqrt(EPS)]
        out = np.zeros((n, basis.shape[1]))
        out[used] = basis
        return out

    def project(self, u: Vector) -> Vector:
        """The nearest u with x_j'u = 0 for every column j, and sum u = 0 with an intercept; (n,).

        u / sqrt(omega) loses its part in the span; twice, which leaves only rounding of it.
        """
        v = np.divide(u, self.root, out=np.zeros_like(u), where=self.root > 0)
        return self.root * self.complement(v)

    def complement(self, v: Vector) -> Vector:
        """Part of v orthogonal to the span, (n,); 0 where v is in the span but for rounding.

        What rounding leaves of such a v is no direction to scale a dual point along.
        """
        before = float(np.linalg.norm(v))
        for _ in range(2):
            if self.fit_intercept:
                v = v - self.root * (self.root @ v)
            v = v - self.basis @ (self.basis.T @ v)
        within = float(np.linalg.norm(v)) <= math.sqrt(NULL) * before
        return np.zeros_like(v) if within else np.asarray(v)


def span_of(problem: Problem, columns: Any) -> Span:
    """The span of chosen columns of X, centred where an intercept is fitted."""
    root = np.sqrt(problem.omega)
    A = problem.X.gathered(columns)
    size = np.sqrt(problem.omega @ A**2)
    if problem.fit_intercept:
        for _ in range(2):  # the second time takes what rounding left
            A -= problem.omega @ A
    A *= root[:, None]
    norms = np.sqrt(np.sum(A**2, axis=0))
    norms[norms <= CONSTANT * size] = 0.0
    A *= np.where(norms > 0, 1.0 / norms, 0.0)
    return Span(root, A, norms, problem.fit_intercept)


def fits(problem: Problem, n_columns: int) -> bool:
    """Whether that many columns may be projected off."""
    return 8.0 * len(problem.y) * (n_columns + 1) <= PROJECTION_BYTES

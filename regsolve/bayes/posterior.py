"""The covariance of coefficients under fixed precisions, formed only when asked.

    Sigma = (alpha Z'Z + lambda I)^{-1}                                           n >= p
    x'Sigma x = ||L^{-1} x||^2,    L L' = alpha Z'Z + lambda I
    Sigma = (I - alpha Z'(alpha Z Z' + lambda I)^{-1} Z) / lambda                 n < p
    x'Sigma x = (||x||^2 - alpha ||L^{-1} Z x||^2) / lambda,    L L' = alpha Z Z' + lambda I

so that deviations of predictions need no p x p matrix where n < p. ``half`` stands for L'^{-1}
where a spectrum gives it. Precisions lambda_j of their own are lambda = 1 on columns times
``scale`` = lambda_j^{-1/2}; ``kept`` are the features that take part.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from .. import _validate
from ..ridge.design import KINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ROWS = 1 << 21  # entries of new rows made dense at a time


@dataclass
class Wide:
    """Z = diag(root) (X - 1 mean') for n < p, as products."""

    X: Any
    mean: Array
    root: Array

    def keep_a_copy(self) -> None:
        """Hold X as it is now, whatever becomes of the user's."""
        self.X = copy.deepcopy(self.X)

    def dot(self, V: Array) -> Array:
        """Z V, (n, q)."""
        return np.asarray(self.root[:, None] * (np.asarray(self.X @ V) - self.mean @ V))


class Posterior:
    """Sigma at precisions alpha of the noise and lambda of the weights."""

    def __init__(
        self,
        alpha: float,
        lambda_: float,
        mean: Array,
        *,
        wide: Wide | None = None,
        small: Array | None = None,
        half: Array | None = None,
        kept: Any = None,
        scale: Array | None = None,
    ) -> None:
        self.alpha, self.lambda_, self.mean, self.wide = alpha, lambda_, mean, wide
        self.kept = slice(None) if kept is None else kept
        self.scale = np.ones(len(mean[self.kept])) if scale is None else scale
        self._lower: Array | None = None
        self._small, self._half = small, half

    def _factor(self) -> Array:
        """Lower L, made once; the matrix that it comes from is then let go."""
        if self._lower is None:
            M = self.alpha * np.asarray(self._small)
            M[np.diag_indices_from(M)] += self.lambda_
            self._lower = linalg.cholesky(M, lower=True, overwrite_a=True, check_finite=False)
            self._small = None
        return self._lower

    def _whitened(self, B: Array) -> Array:
        """L^{-1} B, up to a rotation."""
        if self._half is not None:
            return np.asarray(self._half.T @ B)
        return np.asarray(
            linalg.solve_triangular(self._factor(), B, lower=True, check_finite=False)
        )

    @property
    def covariance(self) -> Array:
        """Sigma of the features kept, (kept, kept)."""
        out = self._scaled_covariance()
        out *= self.scale
        out *= self.scale[:, None]
        return out

    def _scaled_covariance(self) -> Array:
        if self.wide is not None:
            half = self._whitened(self.wide.dot(np.eye(len(self.scale))))
            out = half.T @ half
            out *= -self.alpha / self.lambda_
            out[np.diag_indices_from(out)] += 1.0 / self.lambda_
            return np.asarray(out)
        if self._half is not None:
            return np.asarray(self._half @ self._half.T)
        if len(self.scale) == 0:
            return np.zeros((0, 0))
        inverse, _ = lapack.dpotri(self._factor(), lower=1)
        inverse = np.tril(inverse)
        return np.asarray(inverse + np.tril(inverse, -1).T)

    def variances(self, X: Any) -> Array:
        """X'Sigma x for each row of X less the means, (rows,)."""
        matrix = _validate.design(X).matrix
        storage = KINDS[matrix.kind](matrix)
        out = np.empty(storage.n)
        step = max(16, ROWS // max(1, len(self.mean)))
        for start in range(0, len(out), step):
            i = slice(start, start + step)
            block = (storage.rows(i) - self.mean)[:, self.kept] * self.scale
            if self.wide is None:
                out[i] = np.square(self._whitened(block.T)).sum(axis=0)
                continue
            inside = np.square(self._whitened(self.wide.dot(block.T))).sum(axis=0)
            own = np.einsum("ij,ij->i", block, block) - self.alpha * inside
            out[i] = np.maximum(own, 0.0) / self.lambda_
        return out

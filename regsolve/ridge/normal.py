"""The normal equations as an operator: S V for blocks of vectors, without S.

    rows of X fewer than columns    S = Z Z' (n, n),  b = R,     w = Z'c
    otherwise                       S = Z'Z  (p, p),  b = Z'R,   w = c

and (S + a I) c = b either way. For a sparse X whose means are moderate, one reading makes S V for
eight vectors: with D = diag(sqrt s), E = diag(1 / e), q = X E^2 X'D v and h = X E^2 m,

    Z Z'v = D [q - 1 (h'D v) - h (1'D v) + 1 (m'E^2 m) (1'D v)],
    Z'Z w = E [X'D^2 X E w - m (sum s) (m'E w)].

Otherwise S V is two products, each a reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from . import proof
from .design import EIGHT, Design, Targets
from .products import FAR_MEANS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]


@dataclass
class Normal:
    """S of one side, b of every target, and what solutions need besides."""

    design: Design
    targets: Targets
    primal: bool = field(init=False)
    right: Array = field(init=False)  # b, (k, T)
    trace: float = field(init=False)  # of S

    def __post_init__(self) -> None:
        design = self.design
        design.read_statistics()
        self.primal = design.n >= design.p
        self.gradient = design.tdot(self.targets.R)
        constant = self.targets.constant(design.weight)
        self.right = np.where(constant, 0.0, self.gradient if self.primal else self.targets.R)
        self.square = design.norm * design.scale
        self.trace = design.total * float(self.square @ self.square)
        near = bool(np.all(np.abs(design.mean) <= FAR_MEANS * design.norm))
        self.at_once = design.storage.sparse and near
        if self.at_once:
            self._ready()

    def _ready(self) -> None:
        design = self.design
        if self.primal:
            self.kernel = design.storage.transposed.kernel
            design.passes += 1.0
            return
        self.kernel = design.matrix.kernel
        self.squared_scale = design.scale**2
        weighted = self.squared_scale * design.mean
        self.h = np.asarray(design.storage.dot(weighted[:, None]))[:, 0]
        self.mm = float(weighted @ design.mean)
        design.passes += 1.0

    @property
    def size(self) -> int:
        """Order k of S."""
        return len(self.right)

    def apply(self, V: Array) -> Array:
        """S V, (k, q)."""
        design = self.design
        if not self.at_once:
            return design.tdot(design.dot(V)) if self.primal else design.dot(design.tdot(V))
        design.passes += -(-V.shape[1] // EIGHT)
        design.n_rhs += V.shape[1]
        if self.primal:
            U = V * design.scale[:, None]
            out = self.kernel(design.weight, U, design.n_threads)
            out -= np.outer(design.total * design.mean, design.mean @ U)
            out *= design.scale[:, None]
            return np.asarray(out)
        U = V * design.root[:, None]
        out = self.kernel(self.squared_scale, U, design.n_threads)
        if design.fit_intercept:
            ones = U.sum(axis=0)
            out -= np.outer(self.h, ones)
            out += self.mm * ones - self.h @ U
        out *= design.root[:, None]
        return np.asarray(out)

    def diagonal(self) -> Array:
        """The diagonal of S, (k,)."""
        design = self.design
        if self.primal:
            return np.asarray(design.total * self.square**2)
        if self.at_once:
            squares = design.storage.row_squares(self.squared_scale) - 2.0 * self.h + self.mm
            return np.asarray(design.weight * np.maximum(squares, 0.0))
        blocks = [np.einsum("ij,ij->i", block, block) for _, block in design.rows()]
        return np.concatenate(blocks)

    def relative_gap(self, residual: Array, quotient: Any, a: Array, t: Integers) -> Array:
        """Gap over the null objective at c, u = R - Z w, from g = b - (S + a I) c; (Q,).

        ``residual`` is ||g|| and ``quotient`` g'S g / g'g, or about so. With rows fewer than
        columns Z'u - a w = Z'g.
        """
        scale = self.targets.square[t] * a
        square = residual**2 if self.primal else residual**2 * quotient
        return np.divide(square, scale, out=np.zeros(len(a)), where=scale > 0)

    def prove(self, C: Array, a: Array, t: Integers) -> tuple[Array, proof.Proof]:
        """Coefficients W of C, and their proof from more products with X."""
        if not self.primal:
            W = self.design.tdot(C)
            return W, proof.from_data(self.design, self.gradient, W, a, t, self.targets)
        product = np.empty_like(C, order="F")
        for start in range(0, C.shape[1], 4 * EIGHT):
            q = slice(start, start + 4 * EIGHT)
            product[:, q] = self.apply(C[:, q])
        return C, proof.from_gram(product, self.trace, self.right, C, a, t, self.targets)

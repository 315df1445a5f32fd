"""The normal equations as an operator: S V for blocks of vectors, without S.

    rows of X fewer than columns    S = Z Z' (n, n),  b = R,     w = Z'c
    otherwise                       S = Z'Z  (p, p),  b = Z'R,   w = c

and (S + a I) c = b either way. One reading of X makes S V for up to eight vectors; where X stays in
cache between them, two products do. With D = diag(sqrt s), E = diag(1 / e), u = sqrt(omega) and
P = I - uu' (I without an intercept),

    Z Z'v = P D X E^2 X'D P v,
    Z'Z w = E (X'z - m 1'z),   z = D^2 (X E w - 1 m'E w),

both of which a mean far above the deviation costs as many digits as a product with Z does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .._threads import one_thread_blas
from . import proof
from .blas import product
from .design import EIGHT, Design, Targets
from .low_rank import LowRank
from .products import FAR_MEANS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .krylov import Span

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
        self.kernel = design.matrix.kernel
        if self.primal and design.streamed:
            self.kernel = design.storage.transposed.kernel
            design.passes += float(design.storage.sparse)
        self.squared_scale = design.scale**2

    @property
    def size(self) -> int:
        """Order k of S."""
        return len(self.right)

    @property
    def near(self) -> bool:
        """Whether what :meth:`apply` writes between its products is worth keeping.

        Not where means far above the deviations are taken out of Z'v after X'v is summed.
        """
        design = self.design
        moderate = np.abs(design.mean) <= FAR_MEANS * design.norm
        return self.primal or bool(np.all(moderate | (design.norm == 0.0)))

    def apply(self, V: Array, between: Array | None = None) -> Array:
        """S V, (k, q); where S = Z Z', Z'V is written to ``between`` (p, q), column-major."""
        design, q = self.design, V.shape[1]
        if not design.streamed or (q > EIGHT and design.storage.wide):
            if self.primal:
                return design.tdot(design.dot(V))
            U = design.tdot(V)
            if between is not None:
                between[:] = U
            return design.dot(U)
        design.passes += -(-q // EIGHT)
        design.n_rhs += q
        if self.primal:
            U = V * design.scale[:, None]
            out, total = self.kernel(design.weight, U, design.n_threads, design.mean @ U)
            out -= np.outer(design.mean, total)
            out *= design.scale[:, None]
            return np.asarray(out)
        U = design.centred(V) * design.root[:, None]
        out, _ = self.kernel(self.squared_scale, U, design.n_threads, Z=between)
        if between is not None and design.scaled:  # E^2 X'D P V so far
            scale = design.scale[:, None]
            np.divide(between, scale, out=between, where=scale > 0.0)
        out *= design.root[:, None]
        return design.centred(out)

    def diagonal(self) -> Array:
        """The diagonal of S, (k,)."""
        design = self.design
        if self.primal:
            return np.asarray(design.total * self.square**2)
        if design.storage.sparse and np.all(np.abs(design.mean) <= FAR_MEANS * design.norm):
            weighted = self.squared_scale * design.mean
            squares = design.storage.row_squares(self.squared_scale)
            squares -= 2.0 * design.storage.dot(weighted[:, None])[:, 0]
            squares += weighted @ design.mean
            design.passes += 2.0
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

    def prove(
        self, C: Array, a: Array, t: Integers, tol: float = np.inf
    ) -> tuple[Array, proof.Proof]:
        """Coefficients W of C, and their proof from more products with X.

        Gaps above ``tol``, over the null objective, are taken from residuals of X: that of S C
        allows for the rounding of its largest eigenvalues in the smallest.
        """
        few = LowRank.of(C)
        if not self.primal:
            U, given = self.design.tdot(few.Q), (a, t, self.targets)
            if few.Y is None:
                return U, proof.from_data(self.design, self.gradient, U, *given)
            W, found = proof.from_low_rank(self.design, self.gradient, U, few.Y, *given)
            return W, self._sharper(found, W, a, t, tol)
        images = np.empty_like(few.Q, order="F")
        for start in range(0, images.shape[1], 4 * EIGHT):
            q = slice(start, start + 4 * EIGHT)
            images[:, q] = self.apply(few.Q[:, q])
        C = few.combine(few.Q)
        found = proof.from_gram(few.combine(images), self.trace, self.right, C, a, t, self.targets)
        return C, self._sharper(found, C, a, t, tol)

    def prove_spans(
        self, C: Array, spans: list[Span], a: Array, t: Integers, tol: float
    ) -> tuple[Array, proof.Proof]:
        """The same from the products that the steps to C have made, and Z'v of the next step."""
        W = C if self.primal else np.empty((self.design.p, len(a)), order="F")
        found = proof.Proof(*(np.zeros(len(a)) for _ in range(3)))
        after = None
        if not self.primal:
            after = self.design.tdot(np.column_stack([span.after for span in spans]))
        for index, span in enumerate(spans):
            q = span.which
            c, given = C[:, q], (a[q], t[q], self.targets)
            with one_thread_blas():  # another would wait in a loop for longer than they take
                image = product(span.SV, span.Y)
                w = c if span.ZV is None else product(span.ZV, span.Y)
            if after is None:
                part = proof.from_gram(image, self.trace, self.right, c, *given)
            else:
                v, Zv = span.after, after[:, index]
                part = proof.from_steps(
                    self.design, image, self.trace, v, Zv, c, w, self.gradient, *given
                )
                if len(spans) == 1:
                    W = w
                else:
                    W[:, q] = w
            found.put(q, part)
        return W, self._sharper(found, W, a, t, tol)

    def _sharper(
        self, found: proof.Proof, W: Array, a: Array, t: Integers, tol: float
    ) -> proof.Proof:
        """With gaps above tol taken from residuals of X."""
        above = np.flatnonzero(~(found.relative_gap(self.targets.square[t]) <= tol))
        if len(above):
            exact = proof.from_data(
                self.design, self.gradient, W[:, above], a[above], t[above], self.targets
            )
            found.take(above, exact)
        return found

"""Duality gaps of ridge regression, for many strengths and targets at once.

On the sum scale, with R a target's row of the view Z (weighted and centred),

    P(w) = ||R - Z w||^2 / 2 + a ||w||^2 / 2,      D(u) = u'R - ||u||^2 / 2 - ||Z'u||^2 / (2 a),

and at u = r = R - Z w the gap is a square, which no cancellation spoils:

    P(w) - D(r) = ||Z'r - a w||^2 / (2 a);   for w = Z'c and u = a c it is ||r - a c||^2 / 2.

From the Gram matrix Z'r = Z'R - C w; its rounding is added to the norm before it is squared, so
that what is claimed holds. ``regsolve.verify`` scales u as well, and finds no larger gap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .blas import product
from .design import EIGHT, Design, Targets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

ROUNDING = 8.0 * float(np.finfo(np.float64).eps)
BLUNT = 1e-12  # a relative gap from Z'Z or Z Z' above this is taken from X itself
CHUNK = 4 * EIGHT  # solutions whose residuals are held at a time


@dataclass
class Proof:
    """Primal objectives and gaps on the sum scale, and KKT violations, each (Q,)."""

    primal: Array
    gap: Array
    kkt: Array

    def relative_gap(self, square: Array) -> Array:
        """Gaps over the null objectives, half of ``square`` (Q,); zero where those are."""
        return np.divide(2.0 * self.gap, square, out=np.zeros_like(self.gap), where=square > 0.0)

    def put(self, q: Integers, other: Proof) -> None:
        """``other`` are the proofs of solutions q."""
        for mine, theirs in zip(vars(self).values(), vars(other).values(), strict=True):
            mine[q] = theirs

    def take(self, q: Integers, other: Proof) -> NDArray[np.bool_]:
        """Of ``other``, the proofs of solutions q, what has a smaller gap; which that is."""
        better = ~(other.gap >= self.gap[q])
        self.put(q[better], Proof(other.primal[better], other.gap[better], other.kkt[better]))
        return np.asarray(better)


def from_gram(
    CW: Array, size: float, B: Array, W: Array, a: Array, t: Integers, targets: Targets
) -> Proof:
    """Gaps of W (p, Q) from C W and B = Z'R, C = Z'Z; ``size`` of C for the rounding of C W."""
    steep = B[:, t] - CW
    wB, wS = np.einsum("jq,jq->q", W, B[:, t]), np.einsum("jq,jq->q", W, steep)
    length = np.einsum("jq,jq->q", W, W)
    fit = np.maximum(targets.square[t] - wB - wS, 0.0)
    steep -= a * W
    blur = ROUNDING * (size * np.sqrt(length) + np.linalg.norm(B, axis=0)[t])
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = (np.linalg.norm(steep, axis=0) + blur) ** 2 / (2.0 * a)
    return Proof(0.5 * (fit + a * length), gap, _violation(steep, B, t))


def from_kernel(
    design: Design,
    Kc: Array,
    size: float,
    c: Array,
    W: Array,
    B: Array,
    a: Array,
    t: Integers,
    targets: Targets,
) -> Proof:
    """Gaps of W = Z'c from K c, K = Z Z' of ``size``; the KKT violation is a bound."""
    R = targets.R[:, t]
    r = R - Kc
    steep = np.linalg.norm(r - a * c, axis=0)
    blur = size * np.linalg.norm(c, axis=0) + np.linalg.norm(R, axis=0)
    steep = steep + ROUNDING * blur
    kkt = _over_steepest(_longest(design) * steep, B, t)
    return Proof(_objective(r, W, a), 0.5 * steep**2, kkt)


def from_steps(
    design: Design,
    SC: Array,
    size: float,
    v: Array,
    Zv: Array,
    c: Array,
    W: Array,
    B: Array,
    a: Array,
    t: Integers,
    targets: Targets,
) -> Proof:
    """Gaps of W = Z'c from S c, S = Z Z', where residuals g = R - (S + a I) c lie along v.

    Z'r - a w = Z'g, for g = v x + e at most |x| ||Z'v|| + ||Z|| ||e||: e is rounding. ``size`` is
    the trace of S, ||Z||_F^2.
    """
    R = targets.R[:, t]
    r = R - SC
    g = r - a * c
    along = v @ g
    g -= np.outer(v, along)
    blur = size * np.linalg.norm(c, axis=0) + np.linalg.norm(R, axis=0)
    rest = np.linalg.norm(g, axis=0) + ROUNDING * blur
    along = np.abs(along)
    with np.errstate(divide="ignore", over="ignore"):
        gap = (along * np.linalg.norm(Zv) + np.sqrt(size) * rest) ** 2 / (2.0 * a)
    worst = along * np.max(np.abs(Zv), initial=0.0) + _longest(design) * rest
    return Proof(_objective(r, W, a), gap, _over_steepest(worst, B, t))


def from_data(design: Design, B: Array, W: Array, a: Array, t: Integers, targets: Targets) -> Proof:
    """Gaps of W (p, Q) from X itself, in two products: Z W and Z'r."""
    out = Proof(*(np.empty(len(a)) for _ in range(3)))
    for start in range(0, len(a), CHUNK):
        q = slice(start, start + CHUNK)
        R = targets.R[:, t[q]]
        r = R - design.dot(W[:, q])
        c = design.tdot(r)
        steep = c - a[q] * W[:, q]
        rr, cc = np.einsum("iq,iq->q", r, r), np.einsum("jq,jq->q", c, c)
        out.primal[q] = 0.5 * (rr + a[q] * np.einsum("jq,jq->q", W[:, q], W[:, q]))
        with np.errstate(divide="ignore", invalid="ignore"):
            square = np.einsum("jq,jq->q", steep, steep) / (2.0 * a[q])
            best = np.einsum("iq,iq->q", r, R) ** 2 / (2.0 * (rr + cc / a[q]))
        scaled = np.where(np.isfinite(best), np.maximum(out.primal[q] - best, 0.0), np.inf)
        out.gap[q] = np.fmin(square, scaled)
        out.kkt[q] = _violation(steep, B, t[q])
    return out


def from_low_rank(
    design: Design, B: Array, U: Array, Y: Array, a: Array, t: Integers, targets: Targets
) -> tuple[Array, Proof]:
    """W = U Y, U (p, r), and its gaps from Z'Z U: products of X with r vectors.

    Z'r - a w = B_t - Z'Z U y - a U y is one product of p x (T + 2 r) numbers.
    """
    images = design.dot(U)
    r = targets.R[:, t] - product(images, Y)
    W = product(U, Y)
    of_target = np.equal.outer(np.arange(B.shape[1]), t).astype(np.float64)
    left = np.asfortranarray(np.hstack([B, design.tdot(images), U]))
    right = np.asfortranarray(np.vstack([of_target, -Y, -a * Y]))
    out = Proof(_objective(r, W, a), np.empty(len(a)), np.empty(len(a)))
    for start in range(0, len(a), CHUNK):
        q = slice(start, start + CHUNK)
        steep = product(left, right[:, q])
        with np.errstate(divide="ignore", invalid="ignore"):
            out.gap[q] = np.einsum("jq,jq->q", steep, steep) / (2.0 * a[q])
        out.kkt[q] = _violation(steep, B, t[q])
    return W, out


def _objective(r: Array, W: Array, a: Array) -> Array:
    """P from residuals r (n, Q) of W."""
    rr, ww = np.einsum("iq,iq->q", r, r), np.einsum("jq,jq->q", W, W)
    return np.asarray(0.5 * (rr + a * ww))


def _longest(design: Design) -> float:
    """Max_j ||z_j||."""
    return math.sqrt(design.total) * float(np.max(design.norm * design.scale, initial=0.0))


def _violation(steep: Array, B: Array, t: Integers) -> Array:
    worst = np.maximum(np.max(steep, axis=0, initial=0.0), -np.min(steep, axis=0, initial=0.0))
    return _over_steepest(worst, B, t)


def _over_steepest(worst: Array, B: Array, t: Integers) -> Array:
    """Over the largest entry of the null gradient."""
    largest = np.max(np.abs(B), axis=0, initial=0.0)[t]
    return np.asarray(np.divide(worst, largest, out=np.zeros_like(worst), where=largest > 0))

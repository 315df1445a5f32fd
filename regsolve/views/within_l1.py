"""Least squares within an L1 ball: the path in alpha is bracketed where it passes the radius.

Within the bracket the lines of :mod:`regsolve.views.gram_problem` are followed to it exactly.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate
from ..ridge.design import Design, Targets
from ..ridge.factors import EPS
from ..solve import path
from .goal import Found, Goal, Norms, correlations, only_zero
from .gram_problem import GramProblem, quietly, walk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

TALL = 2  # rows a feature from which all features go into one Gram matrix
GRAM_FEATURES = 5000  # most features of one
COARSE = 40  # alphas of a bracketing path
DEEP = 8  # further ones, down to LEAST of the largest, where those do not reach the goal
LEAST = 1e-6
BOTTOM = 1e-13  # of the largest alpha, where the path has come to its limit


def within_l1(design: Design, centred: Targets, goal: Goal) -> Found:
    """Bracket the goal on a path, then walk to it."""
    zero = only_zero(design, centred, goal, 1.0)
    if zero is not None:
        return zero
    if design.n >= TALL * design.p and design.p <= GRAM_FEATURES:
        return _from_gram(design, centred, goal)
    return _from_working_set(design, centred, goal)


def _nothing_bears(design: Design, centred: Targets, c: Array) -> Found | None:
    """W = 0 where no column has anything of the target beyond rounding."""
    null = float(centred.square[0]) / design.total
    size = float(np.max(design.norm * design.scale, initial=0.0))
    if float(np.max(np.abs(c), initial=0.0)) > 1e-14 * size * math.sqrt(null):
        return None
    return Found(0.0, np.zeros(design.p), "null", "X says nothing of y", 0, c, c, null)


def _from_gram(design: Design, centred: Targets, goal: Goal) -> Found:
    """All features in one Gram matrix."""
    problem = GramProblem.of(design, centred.R)
    nothing = _nothing_bears(design, centred, problem.q)
    if nothing is not None:
        return nothing
    null = float(problem.t @ problem.t)
    unit = np.ones(design.p)
    high, low, w, largest, _, at_low = _bracket(problem.path, goal, null, unit, problem.rest)
    alpha, w, n_solves = walk(problem, goal, high, low, w, BOTTOM * largest, at_low)
    why = f"one Gram matrix of {design.p} features, its path bracketed and walked"
    blur = np.linalg.norm(problem.G) * np.linalg.norm(w) + np.linalg.norm(problem.q)
    c, square = problem.q - problem.G @ w, problem.square(w)
    rounding = 8.0 * EPS * float(blur)
    return Found(alpha, w, "gram", why, n_solves, c, problem.q, square, rounding)


def _from_working_set(design: Design, centred: Targets, goal: Goal) -> Found:
    """The features around the goal are walked on; any other that violates joins them."""
    at_null = correlations(design, centred.R)[:, 0]
    nothing = _nothing_bears(design, centred, at_null)
    if nothing is not None:
        return nothing

    def paths(**options: Any) -> Any:
        found = quietly(
            path,
            design.X,
            centred.Y[:, 0],
            sample_weight=design.sample_weight,
            fit_intercept=design.fit_intercept,
            standardize=design.standardize,
            n_threads=design.n_threads,
            **options,
        )
        design.passes += found.report.n_passes
        design.n_rhs += found.report.n_rhs
        return found

    unit = np.divide(1.0, design.scale, out=np.zeros(design.p), where=design.scale > 0)
    square = float(centred.square[0]) / design.total
    high, low, w, largest, support, at_low = _bracket(paths, goal, square, unit)
    if 2 * len(support) >= design.p and design.p <= GRAM_FEATURES:
        support = np.arange(design.p)  # a second round would cost more than the rest of them
    n_solves = 0
    while True:
        gathered = _on(design, support)
        problem = GramProblem.of(gathered, centred.R)
        alpha, part, steps = walk(problem, goal, high, low, w[support], BOTTOM * largest, at_low)
        n_solves += steps
        w = np.zeros(design.p)
        w[support] = part
        r = centred.R - gathered.dot(part[:, None])
        c = correlations(design, r)[:, 0]
        edge = alpha * (1.0 + 1e-8) + 1e-12 * largest
        outside = np.setdiff1d(np.flatnonzero(np.abs(c) > edge), support)
        square = float(np.einsum("it,it->", r, r)) / design.total
        if len(outside) == 0:
            break
        most = max(64, len(support))
        outside = outside[np.argsort(-np.abs(c[outside]), kind="stable")[:most]]
        support = np.union1d(support, outside)
        # what was found without them starts nothing: back to the end of the bracket
        w = paths(alphas=[high]).coefs.toarray()[:, -1] * unit
        support = np.union1d(support, np.flatnonzero(w))
    why = f"a path of {COARSE} alphas for a bracket, then a walk on {len(support)} features"
    return Found(alpha, w, "working_set", why, n_solves, c, at_null, square)


def _bracket(
    paths: Any, goal: Goal, null: float, unit: Array, rest: float = 0.0
) -> tuple[float, float, Array, float, NDArray[np.intp], Norms | None]:
    """Alphas above and below the goal (0 where none reaches it), the lasso above, alpha_max, W.

    Last the norms below, where there is such an alpha.

    ``null`` + ``rest`` is ||R||^2 / sum s, of which ``rest`` is no part of the path's problem;
    ``unit`` (p,) turns coefficients into the view's; W are the
    features of both ends.
    """
    found = paths(n_alphas=COARSE)
    largest, deep = found.alpha_max, False
    while True:
        lengths = np.asarray(abs(found.coefs).T @ unit).ravel()
        squares = null * (1.0 - found.deviance_ratio) + rest
        passed = [goal.reached(*one) for one in zip(lengths, squares, strict=True)]
        if any(passed) or deep:
            break
        last, deep = found.alphas[-1], True
        found = paths(alphas=np.geomspace(last, LEAST * largest, DEEP))
    k = passed.index(True) if any(passed) else len(passed)
    above = max(k - 1, 0)
    high, low, at_low = float(found.alphas[above]), 0.0, None
    if k < len(passed):
        low, at_low = float(found.alphas[k]), (float(lengths[k]), float(squares[k]))
    columns = found.coefs[:, [above, min(k, len(passed) - 1)]].toarray()
    w = columns[:, 0] * unit
    return high, low, w, largest, np.flatnonzero(columns.any(axis=1)), at_low


def _on(design: Design, support: NDArray[np.intp]) -> Design:
    """The view of some features, gathered."""
    chosen = _validate.design(design.storage.X[:, support])
    shared = (design.sample_weight, design.fit_intercept, design.standardize, design.n_threads)
    return Design(chosen, None, *shared)

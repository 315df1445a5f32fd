r"""The Lagrange form: least squares within a ball, and the penalty that says the same.

    ball        minimise sum_i s_i (y_i - x_i'w - b)^2 / (2 sum s)   subject to ||e w|| <= C
    residual    minimise ||e w||   subject to sum_i s_i (y_i - x_i'w - b)^2 / sum s <= sigma^2
    penalty     minimise sum_i s_i (y_i - x_i'w - b)^2 / (2 sum s) + alpha g(w)

with g(w) = ||e w||_1, or ||e w||_2^2 / 2. They have the same solutions: w of the penalty solves the
other two with C = ||e w|| and sigma = its residual. The multiplier of ||e w||_1 <= C, and that of
||e w||_2^2 / 2 <= C^2 / 2, is alpha; that of ||e w||_2 <= C is alpha C.

For L1 the path in alpha is bracketed where it passes C and followed there exactly
(:mod:`regsolve.views.gram_problem`); for L2 the secular equation ||w(alpha)|| = C is solved on one
spectrum by Newton's method on 1 / ||w(alpha)||, which is nearly linear in alpha.

Another loss needs its own way along a bracketed path in place of the straight lines, and its
conjugate in the certificate.

References
----------
More and Sorensen (1983), Computing a trust region step. Osborne, Presnell and Turlach (2000), On
the LASSO and its dual. van den Berg and Friedlander (2008), Probing the Pareto frontier for basis
pursuit solutions.
"""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate
from .._threads import available_threads, blas_threads, one_thread_blas
from ..penalties import L1
from ..ridge import direct
from ..ridge.costs import choose
from ..ridge.design import Design, Targets, targets
from ..ridge.factors import EPS, Breakdown, conditions
from ..solution import Certificate, Report
from ..solve import path, solve
from .ball_certificate import checked_form, judged
from .gram_problem import Goal, GramProblem, quietly, walk
from .norms import lq_norm

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

TALL = 2  # rows a feature from which all features go into one Gram matrix
GRAM_FEATURES = 5000  # most features of one
COARSE = 12  # alphas of a bracketing path
DEEP = 8  # further ones, down to LEAST of the largest, where those do not reach the goal
LEAST = 1e-6
SHARP = 1e-10  # a relative gap from a Gram matrix above this is taken from X itself


@dataclass(frozen=True)
class NormBallFit:
    """A fit within a ball, with the penalty that says the same, and its proof.

    Attributes
    ----------
    coef : (p,) in X's units
    intercept : float
    multiplier : float
        alpha of the equal penalised problem, on the mean scale; 0 where the ball holds a
        least-squares solution, alpha_max (L1) or inf (L2) where only w = 0 fits.
    radius : float
        ||e w|| as reached.
    residual : float
        (sum_i s_i r_i^2 / sum s)^(1/2) as reached.
    certificate : Certificate, as of :func:`regsolve.views.verify_ball`
    status : "optimal" where tol is proven, else "stalled"
    report : Report
    """

    coef: Array = field(repr=False)
    intercept: float
    multiplier: float
    radius: float
    residual: float
    certificate: Certificate
    status: str
    report: Report = field(repr=False)


@dataclass
class _Found:
    """w in the view's units; on the mean scale, c = Z'r there and at w = 0, and ||r||^2."""

    alpha: float
    w: Array
    mode: str
    why: str
    n_solves: int = 0
    c: Array | None = None
    at_null: Array | None = None
    square: float = math.nan
    blur: float = 0.0  # what rounding a Gram matrix may have put into the norm of c


def fit_norm_ball(
    X: Any,
    y: ArrayLike,
    radius: float | None = None,
    *,
    norm: str = "l1",
    residual: float | None = None,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    tol: float = 1e-6,
    n_threads: int | None = None,
) -> NormBallFit:
    """Least squares with ||w|| <= radius, or the least ||w|| with a given residual.

    Parameters
    ----------
    X : array or SciPy sparse matrix, (n, p)
        Never written and never made dense whole.
    y : (n,)
    radius : float >= 0, optional
        C. Beyond the norm of the least-squares solution of least norm (that same norm) it does
        not bind: that solution is returned, with multiplier 0.
    norm : "l1" or "l2"
    residual : float >= 0, optional
        sigma, in place of ``radius``: a root mean square, (sum_i s_i r_i^2 / sum s)^(1/2) <= sigma.
        ||y - Xw||_2 <= sigma sqrt(n) says the same without weights.
    sample_weight : (n,), optional
    fit_intercept : bool
        b is free.
    standardize : bool
        The norm is of e_j w_j, e_j the deviation of column j.
    tol : float
        On the relative gap of the certificate.
    n_threads : int, optional

    Returns
    -------
    NormBallFit

    Raises
    ------
    ValueError
        Bad input, or a residual that no w reaches; the message names the argument.

    Warns
    -----
    ConvergenceWarning
        When tol is missed, with the gap reached.
    """
    start = time.perf_counter()
    exponent = checked_form(norm, radius, residual)
    tol = _validate.positive_number("tol", tol)
    goal = Goal(radius, residual)
    design, centred = _ready(X, y, sample_weight, fit_intercept, standardize, n_threads)
    # small products between readings by the core, whose threads idle ones of BLAS would hold up
    with one_thread_blas() if exponent == 1.0 else blas_threads(n_threads):
        found = (_within_l1 if exponent == 1.0 else _within_l2)(design, centred, goal)
        return _finished(design, centred, found, exponent, goal, tol, start)


def _ready(
    X: Any, y: Any, sample_weight: Any, fit_intercept: Any, standardize: Any, n_threads: Any
) -> tuple[Design, Targets]:
    """Validated data as a view."""
    checked = _validate.design(X)
    n = checked.shape[0]
    weight = _validate.sample_weight(sample_weight, n)
    target = _validate.vector("y", y, n)[:, None]
    threads = available_threads() if n_threads is None else n_threads
    design = Design(checked, X, weight, bool(fit_intercept), bool(standardize), threads)
    return design, targets(design, target)


def radius_of(X: Any, y: ArrayLike, alpha: float, *, norm: str = "l1", **options: Any) -> float:
    """||w|| of the penalised solution at ``alpha`` (mean scale): the radius that says the same.

    ``options`` as :func:`fit_norm_ball`: sample_weight, fit_intercept, standardize, n_threads.
    """
    exponent = checked_form(norm, 0.0, None)
    alpha = _validate.non_negative_number("alpha", alpha)
    known = {"sample_weight": None, "fit_intercept": True, "standardize": False, "n_threads": None}
    if not options.keys() <= known.keys():
        raise TypeError(f"unknown options {sorted(options.keys() - known.keys())}")
    design, centred = _ready(X, y, **(known | options))
    with blas_threads(options.get("n_threads")):
        if alpha == 0.0:
            within = _within_l1 if exponent == 1.0 else _within_l2
            return float(lq_norm(within(design, centred, Goal(math.inf, None)).w, exponent))
        if exponent == 2.0:
            strength, first = np.array([alpha * design.total]), np.zeros(1, dtype=np.intp)
            plan = choose(design, 1, float(strength[0]), "auto", any_factor=True)
            return float(lq_norm(direct.solve(design, centred, strength, first, plan).W, 2.0))
    coef = solve(X, y, penalty=L1(alpha), **options).coef
    if design.standardize:
        design.read_statistics()
    scale = design.norm if design.standardize else design.scale
    return float(lq_norm(coef * scale, 1.0))


def alpha_of(X: Any, y: ArrayLike, radius: float, *, norm: str = "l1", **options: Any) -> float:
    """The penalty's alpha (mean scale) whose solution has ||w|| = radius; 0 beyond least squares.

    ``options`` as :func:`fit_norm_ball`.
    """
    return fit_norm_ball(X, y, radius, norm=norm, **options).multiplier


def _null_square(design: Design, centred: Targets) -> float:
    """||R||^2 / sum s, 0 where it is rounding."""
    square = float(centred.square[0]) / design.total
    return 0.0 if centred.constant(design.weight)[0] else square


def _refuse(goal: Goal, square: float) -> None:
    """The residual asked for is below that of least squares."""
    least = math.sqrt(max(square, 0.0))
    if goal.residual is not None and goal.residual < least * (1.0 - 1e-9):
        raise ValueError(f"residual={goal.residual:g}: least squares leave {least:.6g}, allow more")


def _only_zero(design: Design, centred: Targets, goal: Goal, exponent: float) -> _Found | None:
    """W = 0 where nothing else fits, or where it is asked for."""
    square = _null_square(design, centred)
    enough = goal.residual is not None and goal.reached(0.0, square)
    if not (square == 0.0 or goal.radius == 0.0 or enough):
        return None
    c = _correlations(design, centred.R)[:, 0]
    alpha = float(np.max(np.abs(c), initial=0.0)) if exponent == 1.0 else math.inf
    if square == 0.0 or not c.any():
        alpha = 0.0
    c = np.zeros_like(c) if square == 0.0 else c
    return _Found(alpha, np.zeros(design.p), "null", "w = 0 is all that fits", 0, c, c, square)


def _within_l1(design: Design, centred: Targets, goal: Goal) -> _Found:
    """Bracket the goal on a path, then walk to it."""
    zero = _only_zero(design, centred, goal, 1.0)
    if zero is not None:
        return zero
    if design.n >= TALL * design.p and design.p <= GRAM_FEATURES:
        return _from_gram(design, centred, goal)
    return _from_working_set(design, centred, goal)


def _nothing_bears(design: Design, centred: Targets, goal: Goal, c: Array) -> _Found | None:
    """W = 0 where no column has anything of the target beyond rounding."""
    null = float(centred.square[0]) / design.total
    size = float(np.max(design.norm * design.scale, initial=0.0))
    if float(np.max(np.abs(c), initial=0.0)) > 1e-14 * size * math.sqrt(null):
        return None
    _refuse(goal, null)
    return _Found(0.0, np.zeros(design.p), "null", "X says nothing of y", 0, c, c, null)


def _from_gram(design: Design, centred: Targets, goal: Goal) -> _Found:
    """All features in one Gram matrix."""
    problem = GramProblem.of(design, centred.R)
    nothing = _nothing_bears(design, centred, goal, problem.q)
    if nothing is not None:
        return nothing
    null = float(problem.t @ problem.t)
    high, low, w, largest, _ = _bracket(problem.path, goal, null, np.ones(design.p), problem.rest)
    alpha, w, n_solves = walk(problem, goal, high, low, w, LEAST * largest)
    why = f"one Gram matrix of {design.p} features, its path bracketed and walked"
    blur = np.linalg.norm(problem.G) * np.linalg.norm(w) + np.linalg.norm(problem.q)
    c, square = problem.q - problem.G @ w, problem.square(w)
    if alpha == 0.0:
        _refuse(goal, square)
    rounding = 8.0 * EPS * float(blur)
    return _Found(alpha, w, "gram", why, n_solves, c, problem.q, square, rounding)


def _from_working_set(design: Design, centred: Targets, goal: Goal) -> _Found:
    """The features around the goal are walked on; any other that violates joins them."""
    at_null = _correlations(design, centred.R)[:, 0]
    nothing = _nothing_bears(design, centred, goal, at_null)
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
    high, low, w, largest, support = _bracket(paths, goal, square, unit)
    if 2 * len(support) >= design.p and design.p <= GRAM_FEATURES:
        support = np.arange(design.p)  # a second round would cost more than the rest of them
    n_solves = 0
    while True:
        gathered = _on(design, support)
        problem = GramProblem.of(gathered, centred.R)
        alpha, part, steps = walk(problem, goal, high, low, w[support], LEAST * largest)
        n_solves += steps
        w = np.zeros(design.p)
        w[support] = part
        r = centred.R - gathered.dot(part[:, None])
        c = _correlations(design, r)[:, 0]
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
    if alpha == 0.0:
        _refuse(goal, square)
    why = f"a path of {COARSE} alphas for a bracket, then a walk on {len(support)} features"
    return _Found(alpha, w, "working_set", why, n_solves, c, at_null, square)


def _bracket(
    paths: Any, goal: Goal, null: float, unit: Array, rest: float = 0.0
) -> tuple[float, float, Array, float, NDArray[np.intp]]:
    """Alphas above and below the goal (0 where none reaches it), the lasso above, alpha_max, W.

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
    high, low = float(found.alphas[above]), float(found.alphas[k]) if k < len(passed) else 0.0
    columns = found.coefs[:, [above, min(k, len(passed) - 1)]].toarray()
    w = columns[:, 0] * unit
    return high, low, w, largest, np.flatnonzero(columns.any(axis=1))


def _on(design: Design, support: NDArray[np.intp]) -> Design:
    """The view of some features, gathered."""
    chosen = _validate.design(design.storage.X[:, support])
    shared = (design.sample_weight, design.fit_intercept, design.standardize, design.n_threads)
    return Design(chosen, None, *shared)


def _correlations(design: Design, R: Array) -> Array:
    """Z'R / sum s for R (n, q), (p, q)."""
    design.read_statistics()
    product = design.tdot(R) / design.total
    product[design.norm == 0.0] = 0.0  # constant columns: what is left is rounding
    return np.asarray(product)


def _within_l2(design: Design, centred: Targets, goal: Goal) -> _Found:
    """One spectrum, the secular equation on it, one solve."""
    zero = _only_zero(design, centred, goal, 2.0)
    if zero is not None:
        return zero
    plan = choose(design, 1, math.inf, "auto", any_factor=False)
    calls: list[float] = []

    def pick(solver: direct.Solver) -> tuple[Array, Any]:
        criteria = solver.criteria()
        L, p = criteria.spectrum.values, criteria.projections[:, 0]
        a = _strength(L, p, criteria.primal, goal, design, centred)
        calls.append(a)
        worst = float(conditions(L, np.array([a]))[0])
        if len(calls) == 1 and worst > direct.LOST:
            raise Breakdown(worst)
        return np.array([a]), np.zeros(1, dtype=np.intp)

    # no strength is refused before the root is known
    answer = direct.select(design, centred, np.array([math.inf]), plan, pick)
    return _Found(calls[-1] / design.total, answer.W[:, 0], answer.mode, answer.why, 1)


def _strength(
    L: Array, p: Array, primal: bool, goal: Goal, design: Design, centred: Targets
) -> float:
    """The a >= 0, on the sum scale, at which w(a) meets the goal; 0 where none need."""
    floor = EPS * max(design.n, design.p) * math.sqrt(float(np.max(L, initial=0.0)))
    kept = np.sqrt(L) > floor
    L, p = L[kept], p[kept]
    t = p / np.sqrt(L) if primal else p  # R along the left singular vectors of Z
    if goal.residual is None:
        assert goal.radius is not None
        return secular(L, np.sqrt(L) * t, goal.radius)
    outside = max(float(centred.square[0]) - float(t @ t), 0.0)
    room = goal.residual**2 * design.total - outside
    _refuse(goal, outside / design.total)
    if room <= 0.0:
        return 0.0
    inverse = secular(1.0 / L, t / L, math.sqrt(room))  # of 1 / a: the residual is t / (1 + L / a)
    return 1.0 / inverse if inverse > 0.0 else math.inf


def secular(L: Array, p: Array, bound: float) -> float:
    """The a >= 0 with sum_k (p_k / (L_k + a))^2 = bound^2; 0 where the sum is below that at 0.

    Newton's method on 1 / bound - 1 / ||p / (L + a)|| from the left, where it is monotone; the
    start is the largest a that a single term asks for.
    """
    if len(L) == 0 or lq_norm(p / L, 2.0) <= bound:
        return 0.0
    a = max(float(np.max(np.abs(p) / bound - L)), 0.0)
    for _ in range(100):
        x = p / (L + a)
        length = lq_norm(x, 2.0)
        unit = x / length
        step = (length / bound - 1.0) / float(np.sum(unit**2 / (L + a)))
        if not step > 2.0 * EPS * a:
            return a
        a += step
    return a


def _finished(
    design: Design,
    centred: Targets,
    found: _Found,
    exponent: float,
    goal: Goal,
    tol: float,
    start: float,
) -> NormBallFit:
    """Coefficients in X's units with their certificate."""
    w = found.w
    length = lq_norm(w, exponent)
    if goal.radius is not None and length > goal.radius:  # by rounding
        w = w * (goal.radius / length * (1.0 - 2.0 * EPS))
    proof, square = _proven(design, centred, found, w, exponent, goal)
    if found.blur > 0.0 and not proof.relative_gap <= SHARP:
        found.c = None
        proof, square = _proven(design, centred, found, w, exponent, goal)
    status = "optimal" if proof.relative_gap <= tol else "stalled"
    if status != "optimal":
        _warn(proof, tol)
    coef = design.coefficients(w[:, None])[:, 0]
    intercept = float(centred.mean[0] - design.mean @ coef) if design.fit_intercept else 0.0
    return NormBallFit(
        coef=coef,
        intercept=intercept,
        multiplier=found.alpha,
        radius=float(lq_norm(w, exponent)),
        residual=math.sqrt(square),
        certificate=proof,
        status=status,
        report=_report(design, found, time.perf_counter() - start),
    )


def _proven(
    design: Design, centred: Targets, found: _Found, w: Array, exponent: float, goal: Goal
) -> tuple[Certificate, float]:
    """The certificate and ||r||^2 / sum s; from X itself where c is not known."""
    c, at_null, square, blur = found.c, found.at_null, found.square, found.blur
    if c is None:
        r = centred.R - design.dot(w[:, None])
        both = _correlations(design, np.hstack([r, centred.R]))
        c, at_null = both[:, 0], both[:, 1]
        square, blur = float(np.einsum("it,it->", r, r)) / design.total, 0.0
    assert at_null is not None
    moments = (square, square + float(c @ w), square)  # r'R = r'r + r'Zw
    null = 0.5 * _null_square(design, centred)
    form = (exponent, goal.radius, goal.residual)
    return judged(*form, moments, c, w, at_null, null, blur), square


def _warn(proof: Certificate, tol: float) -> None:
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(
        f"the fit within a ball missed tol={tol:g}: relative gap {proof.relative_gap:.3g}; "
        "standardize the columns, or loosen tol",
        ConvergenceWarning,
        stacklevel=4,
    )


def _report(design: Design, found: _Found, seconds: float) -> Report:
    why = found.why
    if design.checked.note:
        why += "; " + design.checked.note
    k = min(design.n, design.p)
    return Report(
        mode=found.mode,
        n_passes=design.passes,
        n_rhs=design.n_rhs,
        bytes_read=int(design.passes * design.storage.n_bytes),
        peak_bytes=24 * k * k,
        working_set_size=design.p,
        n_solves=found.n_solves,
        n_epochs=0,
        seconds=seconds,
        why=why,
    )

r"""A least-squares problem on few features through its Gram matrix, and the exact walk on it.

In coordinates of the view Z of :mod:`regsolve.ridge.design`, on the mean scale, G = Z'Z / sum s and
q = Z'R / sum s; a pivoted Cholesky factor M'M = G and M't = q make it the problem

    minimise ||t - M w||^2 / 2 + alpha ||w||_1.

While the support A and its signs d last, the lasso moves along a straight line in alpha,

    w_A(a) = w_A(alpha) + (alpha - a) g,   G_AA g = d,
    ||w(a)||_1 = ||w||_1 + (alpha - a) d'g,   ||r(a)||^2 = ||r||^2 + (a^2 - alpha^2) d'g,

so that the alpha of a given norm, or of a given residual, is exact.

References
----------
Osborne, Presnell and Turlach (2000), A new approach to variable selection in least squares
problems (the homotopy). Higham (2002), section 10.3 (pivoted Cholesky).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from .._call import budget, make_ready, run, to_path
from ..ridge.design import Design
from ..ridge.factors import EPS
from ..solution import Path
from ..solve import LASSO, QUADRATIC, path
from .goal import Goal, Norms

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

NARROWED = 40  # alphas where no lower end is known
HALVINGS = 9  # of a bracket's width around where the goal is expected
FALL = 0.01  # of alpha in as many steps where no lower end is known
SIGHT = 1e-9  # a correlation above alpha by this share of it violates


def quietly(function: Any, *args: Any, **options: Any) -> Any:
    """The call without its ConvergenceWarning: a certificate of the whole follows."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return function(*args, **options)


@dataclass(frozen=True)
class GramProblem:
    """G = M'M, q = M't; ``rest`` is ||R||^2 / sum s less ||t||^2, the part no feature reaches."""

    G: Array
    q: Array
    M: Array
    t: Array
    rest: float

    @classmethod
    def of(cls, design: Design, R: Array) -> GramProblem:
        """From all features of ``design``: one reading for Z'Z, one for Z'R."""
        G = design.read_gram() / design.total
        q = design.tdot(R)[:, 0] / design.total
        size = np.sqrt(np.diag(G))
        inverse = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
        q[size == 0.0] = 0.0
        U, pivots, rank, _ = lapack.dpstrf(
            np.asfortranarray(G * inverse * inverse[:, None]), tol=EPS * max(len(G), 10)
        )
        order = pivots - 1
        M = np.zeros((max(rank, 1), len(G)))
        M[:rank, order] = np.triu(U[:rank])
        M *= size
        t = np.zeros(len(M))
        if rank:
            first = order[:rank]
            t[:rank] = linalg.solve_triangular(U[:rank, :rank], (q * inverse)[first], trans="T")
        rest = float(np.einsum("it,it->", R, R)) / design.total - float(t @ t)
        return cls(G, q, M, t, max(rest, 0.0))

    def square(self, w: Array) -> float:
        """||R - Z w||^2 / sum s."""
        r = self.t - self.M @ w
        return float(r @ r) + self.rest

    def correlations(self, w: Array) -> Array:
        """Z'(R - Z w) / sum s, (p,)."""
        return np.asarray(self.M.T @ (self.t - self.M @ w))

    def path(self, **options: Any) -> Path:
        """The lasso path of the same problem."""
        found: Path = quietly(path, *self._scaled(), fit_intercept=False, **options)
        return found

    def along(self, alphas: Array, start: Array) -> Array:
        """The lasso at descending alphas, from ``start`` on; (p, m)."""
        M, t = self._scaled()
        ready = make_ready(M, t, LASSO, QUADRATIC, None, None, False, False)
        options = budget(1e-9, None, None, None, None, "auto")
        (found,), error = run([ready], None, alphas=alphas, coef_inits=[start], **options)
        if error is not None:
            raise error
        return np.asarray(to_path(found).coefs.toarray())

    def _scaled(self) -> tuple[Array, Array]:
        root = math.sqrt(len(self.t))
        return np.asfortranarray(root * self.M), root * self.t

    def line(self, w: Array) -> Array | None:
        """G on the support of w, 0 elsewhere; None where it has no direction of its own."""
        A = np.flatnonzero(w)
        if len(A) == 0:
            return None
        d, H = np.sign(w[A]), self.G[np.ix_(A, A)]
        try:
            g = linalg.cho_solve(linalg.cho_factor(H, lower=True), d)
        except linalg.LinAlgError:
            return None
        if not np.allclose(H @ g, d, atol=1e-6, rtol=0.0):
            return None
        out = np.zeros(len(w))
        out[A] = g
        return out

    def holds(self, w: Array, signs: Array, alpha: float) -> bool:
        """Whether w is the lasso at ``alpha`` with these signs."""
        if np.any(w * signs < 0.0):
            return False
        edge = alpha * (1.0 + SIGHT) + 1e-13 * float(np.max(np.abs(self.q), initial=0.0))
        return bool(np.max(np.abs(self.correlations(w)), initial=0.0) <= edge)


def walk(
    problem: GramProblem,
    goal: Goal,
    high: float,
    low: float,
    w: Array,
    least: float,
    at_low: Norms | None,
) -> tuple[float, Array, int]:
    """The alpha in [low, high] that meets the goal, the lasso there, and how many solves it took.

    ``w`` is the lasso at ``high``, short of the goal; ``at_low`` are the norms at ``low``, None
    where that is 0. Where the line from there does not lead to the goal the bracket is narrowed by
    several alphas at a time, which cost little more than one: denser and denser towards where the
    goal is expected.
    With ``low`` = 0 the goal may be out of reach: alpha = 0 then, and the limit of the path, where
    a line leads to it or alpha falls below ``least``.
    """
    solved = 0
    while True:
        g, new, slope = problem.line(w), -1.0, None
        at_high = float(np.abs(w).sum()), problem.square(w)
        if g is not None:
            slope = float(np.sign(w) @ g)
            new = goal.alpha(high, *at_high, slope)
            end = w + (high - max(new, 0.0)) * g
            near = low * (1.0 - SIGHT) <= max(new, 0.0) <= high * (1.0 + SIGHT)
            if near and problem.holds(end, np.sign(w), max(new, 0.0)):
                return max(new, 0.0), end, solved
        if low == 0.0 and high <= least:
            return 0.0, w, solved
        if at_low is None:
            trials = np.geomspace(high, FALL * high, NARROWED + 1)[1:]
        else:
            width = (high - low) * 0.5 ** np.arange(1, HALVINGS + 1)
            aim = goal.between(high, low, at_high, at_low, slope)
            trials = aim + np.concatenate([width, [0.0], -width])
        if low < new < high:
            trials = np.append(trials, new)
        trials = -np.unique(-trials[(trials > low) & (trials < high)])
        if not len(trials):  # no number lies between
            return high, w, solved
        solved += len(trials)
        for alpha, v in zip(trials, problem.along(trials, w).T, strict=True):
            norms = float(np.abs(v).sum()), problem.square(v)
            if goal.reached(*norms):
                low, at_low = float(alpha), norms
                break
            high, w = float(alpha), v

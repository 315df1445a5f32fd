"""Other libraries' ridge solvers, each at the loosest tolerance with a proven gap.

    minimise  ||y - X w - b||^2 + alpha ||w||^2

To add a peer: write a function (X, Y, alpha, tol, max_iter) -> Fit of the T targets and put it
in ``peers``. Gaps are those of regsolve.verify. An iterative peer goes through
``TOLERANCES`` until the gap is reached or ``cap`` seconds are spent; its steps are bounded so that
no run lasts much longer than that.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, lsmr, lsqr

from bench.adapter import Fit
from bench.glmnet import Glmnet
from bench.problems import Problem, Vector
from bench.selection import LONG_RUN, REPEATS
from regsolve import verify
from regsolve.penalties import L2

GAP = 1e-9
TOLERANCES = tuple(10.0**-k for k in range(2, 15))
DIRECT = ("svd", "cholesky")
DENSE_ITERATIVE = ("lsqr", "sparse_cg", "sag", "saga")  # lbfgs is for positive=True alone
SPARSE_ITERATIVE = ("lsqr", "sparse_cg", "sag")  # the others of sparse X have no intercept


@dataclass(frozen=True)
class Peer:
    """``layout`` makes X as the library likes it, outside of the time."""

    name: str
    fit: Callable[..., Fit]
    iterative: bool
    layout: Callable[[Any], Any] = np.asfortranarray


@dataclass(frozen=True)
class Reached:
    """Least seconds at a gap of at most GAP, infinite where it was missed; the gap, and tol."""

    seconds: float
    gap: float
    tol: float | None = None

    def __str__(self) -> str:
        if math.isfinite(self.seconds):
            return f"{self.seconds:.3g} s"
        return f"missed (gap {self.gap:.0e})"


def worst_gap(X: Any, Y: Vector, alpha: float, fit: Fit) -> float:
    """Largest relative gap over the targets; the first that exceeds GAP is enough."""
    worst, penalty = 0.0, L2(alpha / len(Y))
    for t in range(Y.shape[1]):
        w, b = fit.coefs[:, t], float(fit.intercepts[t])
        found = verify(X, Y[:, t], w, b, penalty=penalty).relative_gap
        worst = max(worst, found if math.isfinite(found) else math.inf)
        if worst > GAP:
            break
    return worst


def reach(peer: Peer, X: Any, Y: Vector, alpha: float, cap: float) -> Reached:
    """Sweep a peer's tolerances."""
    laid = peer.layout(X)
    fit = partial(_quietly, peer.fit, laid, Y, alpha)
    if not peer.iterative:
        seconds, found = _timed(partial(fit, 0.0, None), cap)
        gap = worst_gap(X, Y, alpha, found)
        return Reached(seconds if gap <= GAP else math.inf, gap)
    one, six = (_timed(partial(fit, 1e-14, steps), 0.0)[0] for steps in (1, 6))
    most = 1 + int(cap / max((six - one) / 5.0, 1e-6))
    spent, best = 0.0, math.inf
    for tol in TOLERANCES:
        seconds, found = _timed(partial(fit, tol, most), 0.0)
        spent += seconds
        gap = worst_gap(X, Y, alpha, found)
        best = min(best, gap)
        if gap <= GAP:
            again, _ = _timed(partial(fit, tol, most), cap - spent)
            return Reached(min(seconds, again), gap, tol)
        if spent > cap:
            break
    return Reached(math.inf, best)


def _timed(work: Callable[[], Fit], budget: float) -> tuple[float, Fit]:
    """The fastest of up to three runs within ``budget`` seconds, of one at least."""
    seconds: list[float] = []
    while True:
        start = time.perf_counter()
        found = work()
        took = time.perf_counter() - start
        seconds.append(took if found.seconds is None else found.seconds)
        if len(seconds) == REPEATS or seconds[0] > LONG_RUN or 2.0 * sum(seconds) > budget:
            return min(seconds), found


def _quietly(fit: Callable[..., Fit], *given: Any) -> Fit:
    """``fit`` without its warnings: verify judges."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit(*given)


def peers(sparse: bool) -> list[Peer]:
    """Those that are installed here."""
    rows = sp.csr_matrix if sparse else np.ascontiguousarray
    whole = sp.csr_matrix if sparse else np.asfortranarray
    found = []
    for package, label in (("sklearn", "scikit-learn"), ("sklearnex", "scikit-learn-intelex")):
        if importlib.util.find_spec(package) is None:
            continue
        iterative = SPARSE_ITERATIVE if sparse else DENSE_ITERATIVE
        names = () if sparse else DIRECT
        for solver in (*names, *(iterative if package == "sklearn" else ())):
            layout = rows if solver.startswith("sag") else whole
            fit = partial(_estimator, f"{package}.linear_model", solver)
            found.append(Peer(f"{label} {solver}", fit, solver not in DIRECT, layout))
    for name, solve in (("lsqr", lsqr), ("lsmr", lsmr)):
        found.append(Peer(f"SciPy {name}", partial(_krylov, solve), True, whole))
    if Glmnet().available():
        layout = sp.csc_matrix if sparse else np.asfortranarray
        found.append(Peer("glmnet", _glmnet, True, layout))
    return found


def _estimator(
    module: str, solver: str, X: Any, Y: Vector, alpha: float, tol: float, max_iter: int | None
) -> Fit:
    Ridge = importlib.import_module(module).Ridge
    options = {"tol": tol, "max_iter": max_iter, "random_state": 0} if max_iter else {}
    model = Ridge(alpha, solver=solver, **options).fit(X, Y)
    return Fit(model.coef_.reshape(Y.shape[1], -1).T, np.atleast_1d(model.intercept_))


def _krylov(solve: Any, X: Any, Y: Vector, alpha: float, tol: float, max_iter: int | None) -> Fit:
    """Damped least squares, centred implicitly."""
    m, centre = np.asarray(X.mean(axis=0)).ravel(), Y.mean(axis=0)
    centred: Any = LinearOperator(
        X.shape,
        matvec=lambda w: X @ w - m @ w,
        rmatvec=lambda r: X.T @ r - m * r.sum(),
        dtype=np.float64,
    )
    most = {"iter_lim" if solve is lsqr else "maxiter": max_iter}
    coefs = np.column_stack(
        [
            solve(centred, r, damp=math.sqrt(alpha), atol=tol, btol=tol, **most)[0]
            for r in (Y - centre).T
        ]
    )
    return Fit(coefs, centre - m @ coefs)


def _glmnet(X: Any, Y: Vector, alpha: float, tol: float, max_iter: int | None) -> Fit:  # noqa: ARG001
    library, found = Glmnet(), []
    for y in Y.T:
        problem = Problem("ridge", X, y, "", np.array([alpha / len(y)]), l1_ratio=0.0)
        prepared = library.prepare(problem)
        try:
            found.append(library.path(prepared, problem.grid, tol))
        finally:
            library.release(prepared)
    coefs = np.column_stack([fit.coefs.toarray()[:, 0] for fit in found])
    intercepts = np.array([fit.intercepts[0] for fit in found])
    return Fit(coefs, intercepts, seconds=sum(fit.seconds or 0.0 for fit in found))

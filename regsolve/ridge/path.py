"""ridge_path: every strength of a grid from one factorisation, with its criteria."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate
from .costs import ITERATIVE
from .direct import Solver
from .fit import fit_ridge

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..solution import Report

    Array = NDArray[np.float64]

SOLVERS = ("auto", "cholesky", "tridiagonal", "eigen", "svd", *ITERATIVE)


@dataclass(frozen=True, eq=False)
class RidgePath:
    """Ridge fits along a descending grid of alphas; with a 1-D y the axis T is absent.

    Attributes
    ----------
    alphas : (m,) descending, on scikit-learn's sum scale
    coefs : (p, m), or (T, p, m)
    intercepts : (m,), or (T, m)
    relative_gaps, kkt_violations : (m,), or (T, m)
    statuses : list of str, target by target
    report : Report
    feature_names : titles of the columns where X was a data frame, else None

    With ``criteria=True``, else None:

    df : (m,) effective degrees of freedom, the intercept's included
    gcv : (m,), or (T, m): generalised cross-validation
    loo : (m,), or (T, m): mean of s_i (y_i - prediction without row i)^2, exact
    log_evidence, log_restricted_evidence : (m,), or (T, m): marginal likelihood, ML and REML
    """

    alphas: Array
    coefs: Array = field(repr=False)
    intercepts: Array = field(repr=False)
    relative_gaps: Array = field(repr=False)
    kkt_violations: Array = field(repr=False)
    statuses: list[str] = field(repr=False)
    report: Report = field(repr=False)
    df: Array | None = None
    gcv: Array | None = None
    loo: Array | None = None
    log_evidence: Array | None = None
    log_restricted_evidence: Array | None = None
    feature_names: list[str] | None = field(default=None, repr=False)

    def predict(self, X: Any, alpha: float | None = None) -> Array:
        """X @ coef + intercept at one alpha of the grid: (n,), or (n, T).

        Without ``alpha`` at all of them: (n, m), or (n, T, m). ValueError for an alpha that is not
        on the grid, between whose points ridge is not linear.
        """
        at: slice | int = slice(None)
        if alpha is not None:
            if not isinstance(alpha, Real):
                raise TypeError(f"alpha={alpha!r}: expected a number")
            at = int(np.abs(self.alphas - alpha).argmin())
            if not abs(self.alphas[at] - alpha) <= 1e-9 * alpha:
                raise ValueError(
                    f"alpha={alpha!r} is not on the path's grid (nearest {self.alphas[at]:g}): "
                    "fit it with ridge_path"
                )
        coefs = np.moveaxis(self.coefs, -2, 0)[..., at]  # (p, ...)
        rows = _validate.of_path(X, len(coefs))
        flat = np.asarray(rows @ coefs.reshape(len(coefs), -1), dtype=np.float64)
        linear = flat.reshape(len(flat), *coefs.shape[1:]) + self.intercepts[..., at]
        return np.asarray(linear)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw every coefficient against alpha; see :func:`regsolve.plots.ridge_trace`."""
        from ..plots import ridge_trace

        return ridge_trace(self, ax, **options)


def ridge_path(
    X: Any,
    y: Any,
    alphas: Any,
    *,
    sample_weight: Any = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    criteria: bool = False,
    solver: str = "auto",
    tol: float = 1e-6,
    n_threads: int | None = None,
) -> RidgePath:
    """Ridge regression at every alpha of a grid, each proven.

    Minimises sum_i s_i (y_i - x_i'w - b)^2 + alpha sum_j (e_j w_j)^2 for every alpha and target.

    Parameters
    ----------
    X : array or SciPy sparse matrix, (n, p)
    y : (n,) or (n, T)
    alphas : (m,) >= 0, in any order; > 0 with ``criteria``
    sample_weight : (n,), optional
    fit_intercept : bool
        b is never penalised.
    standardize : bool
        e_j is the deviation of column j, about 0 without an intercept, else 1.
    criteria : bool
        Also degrees of freedom, GCV, exact leave-one-out and evidence.
    solver : "auto", "cholesky", "tridiagonal", "eigen", "svd", "krylov", "conjugate_gradients"
    tol : float > 0
        On the gap over the objective of the null model.
    n_threads : int, optional

    Returns
    -------
    RidgePath

    Raises
    ------
    ValueError
        Bad input; the message names the argument.
    """
    grid = _validate.descending(alphas)
    if criteria and grid[-1] == 0.0:
        raise ValueError("alphas holds 0: criteria need alphas > 0")
    if solver not in SOLVERS:
        raise ValueError(f"solver={solver!r}: expected one of {', '.join(SOLVERS)}")
    targets = np.asarray(y)
    if targets.ndim not in (1, 2):
        raise ValueError(f"y has {targets.ndim} dimensions, expected 1 or 2")
    single = targets.ndim == 1
    Y = targets[:, None] if single else targets
    n_targets, m = Y.shape[1], len(grid)
    if n_targets == 0:
        raise ValueError(f"y has shape {Y.shape}: at least one target is needed")
    t, a = np.repeat(np.arange(n_targets), m), np.tile(grid, n_targets)
    told: dict[str, Array] = {}

    def pick(solver: Solver) -> Any:
        found = solver.criteria()
        told.update(
            gcv=found.gcv(grid).T,
            loo=found.mean_square_left_out(grid),
            log_evidence=found.log_evidence(grid).T,
            log_restricted_evidence=found.log_evidence(grid, restricted=True).T,
        )
        if single:
            told.update({name: values[0] for name, values in told.items()})
        told["df"] = found.df(grid)
        return a, t

    fitted = fit_ridge(
        X,
        Y,
        a,
        t,
        pick=pick if criteria else None,
        sample_weight=sample_weight,
        fit_intercept=fit_intercept,
        standardize=standardize,
        solver=solver,
        tol=tol,
        n_threads=n_threads,
    )
    shape = (m,) if single else (n_targets, m)
    coefs = fitted.coefs
    if not single:
        coefs = np.moveaxis(coefs.reshape(-1, n_targets, m), 1, 0)
    proofs = fitted.certificates
    return RidgePath(
        grid,
        coefs,
        fitted.intercepts.reshape(shape),
        np.array([c.relative_gap for c in proofs]).reshape(shape),
        np.array([c.kkt_violation for c in proofs]).reshape(shape),
        fitted.statuses,
        fitted.report,
        feature_names=_validate.feature_names(X),
        **told,
    )

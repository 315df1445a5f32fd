"""The functional face: solve() for one alpha, path() for a grid; verify() stands in certificate."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _validate
from ._call import (
    Callback,
    budget,
    grid,
    make_ready,
    remembered,
    run,
    size_of_rows,
    to_path,
    to_solution,
    warn_unproven,
)
from .losses import Custom as CustomLoss
from .losses import Quadratic
from .penalties import L1, L2, ElasticNet
from .penalties import Custom as CustomPenalty
from .solution import Interrupted, Path, Solution

QUADRATIC = Quadratic()
LASSO = L1()


def solve(
    X: Any,
    y: Any,
    *,
    penalty: L1 | L2 | ElasticNet | CustomPenalty,
    loss: Quadratic | CustomLoss = QUADRATIC,
    sample_weight: Any = None,
    offset: Any = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    coef_init: Any = None,
    tol: float = 1e-6,
    max_iter: int | None = None,
    max_time: float | None = None,
    max_memory: float | None = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    solver: str = "auto",
) -> Solution:
    r"""Fit one regularised linear model and prove it.

    Minimises, over w (p,) and the intercept b,

        sum_i s_i loss(y_i, x_i'w + b + offset_i) / sum_i s_i + penalty(w);  b is never penalised.

    Parameters
    ----------
    X : array or SciPy sparse matrix, (n, p)
        Read where it lies when it is float64 or float32, in columns, rows or CSC; never written.
    y : (n,)
    penalty : L1, L2, ElasticNet or Custom of regsolve.penalties
    loss : Quadratic() or Custom of regsolve.losses
    sample_weight : (n,), optional
        s_i >= 0; only their ratios count.
    offset : (n,), optional
        A known part of the linear predictor.
    standardize : bool
        The penalty acts on s_j w_j, s_j the weighted standard deviation of column j, about 0
        without an intercept; coef stays in X's units and a column with s_j = 0 gets 0.
    coef_init : (p,), optional
        Where to start.
    tol : float
        On the duality gap over the objective of the null model.
    max_iter : int, optional
        Most direct solves, epochs or Newton steps; None: no limit.
    max_time : float, optional
        Seconds after which the best iterate is returned with status time_limit.
    max_memory : float, optional
        Bytes that the solver may hold beyond X and y; default half of what is free. Up to a
        quarter of it, 40 MB by default, goes into a copy of a large dense X by one byte a number,
        which saves most readings of it.
    n_threads : int, optional
        Default: the cores that the process may use, at most OMP_NUM_THREADS where that is set, as
        joblib's loky does in its workers. The answer does not depend on it.
    callback : function of Progress, optional
        A true return stops with status interrupted.
    solver : "auto", "cd", "gram" or "working_set"
        "cd": coordinate descent with Anderson acceleration. "gram" and "working_set": the direct
        solver on X'X or on working sets, where it applies; ``report.mode`` says what ran.

    Returns
    -------
    Solution

    Raises
    ------
    ValueError, TypeError
        Bad input; the message names the argument and the remedy.
    Interrupted
        On Ctrl-C; ``.result`` is the certified best iterate.

    Warns
    -----
    ConvergenceWarning
        When tol is missed, with the gap reached.
    """
    ready = make_ready(X, y, penalty, loss, sample_weight, offset, fit_intercept, standardize)
    start = None
    if coef_init is not None:
        start = _validate.vector("coef_init", coef_init, ready.design.shape[1], "columns")
    options = budget(tol, max_iter, max_time, max_memory, n_threads, solver)
    alphas = np.array([penalty.alpha], dtype=np.float64)
    (result,), error = run([ready], callback, alphas=alphas, coef_inits=[start], **options)
    solution = to_solution(result)
    if error is not None:
        raise Interrupted(solution) from error
    warn_unproven(result, options["tol"])
    return solution


def path(
    X: Any,
    y: Any,
    *,
    penalty: L1 | L2 | ElasticNet | CustomPenalty = LASSO,
    loss: Quadratic | CustomLoss = QUADRATIC,
    alphas: Any = None,
    n_alphas: int = 100,
    alpha_min_ratio: float | None = None,
    sample_weight: Any = None,
    offset: Any = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    tol: float = 1e-6,
    max_iter: int | None = None,
    max_time: float | None = None,
    max_memory: float | None = None,
    n_threads: int | None = None,
    callback: Callback | None = None,
    solver: str = "auto",
    dfmax: int | None = None,
    stop_at_deviance: float | None = None,
) -> Path:
    """Fit one model at each alpha of a grid, from large to small, and prove each.

    ``penalty.alpha`` is ignored. Parameters that :func:`solve` has too mean the same here.

    Parameters
    ----------
    alphas : (m,), optional
        The grid, in any order. Default: ``n_alphas`` values in equal ratios from alpha_max, the
        least alpha with no penalised feature, down to ``alpha_min_ratio`` alpha_max.
    n_alphas : int
    alpha_min_ratio : float in (0, 1], optional
        Default 1e-2 if n < p, else 1e-3.
    dfmax : int, optional
        Stop after the first alpha with more non-zero coefficients than this.
    stop_at_deviance : float, optional
        Stop after the first alpha whose deviance ratio reaches this.

    Returns
    -------
    Path
        Cut to the finished alphas when stopped early.

    Raises
    ------
    ValueError, TypeError, Interrupted
        As :func:`solve`; l1_ratio = 0 (or L2) has no alpha_max and needs ``alphas``.
    """
    ready = make_ready(X, y, penalty, loss, sample_weight, offset, fit_intercept, standardize)
    n, p = ready.design.shape
    options = budget(tol, max_iter, max_time, max_memory, n_threads, solver)
    if alphas is not None:
        options["alphas"] = _validate.descending(alphas)
    else:
        ratio = (1e-2 if n < p else 1e-3) if alpha_min_ratio is None else alpha_min_ratio
        options |= grid([penalty], n_alphas, ratio)
    if dfmax is not None:
        options["dfmax"] = _validate.positive_integer("dfmax", dfmax, least=0)
    if stop_at_deviance is not None:
        options["stop_at_deviance"] = _validate.positive_number(
            "stop_at_deviance", stop_at_deviance
        )
    (result,), error = run([ready], callback, **options)
    size = size_of_rows(_validate.sample_weight(sample_weight, n), n)
    out = to_path(
        result,
        remembered(penalty, loss, size, fit_intercept, standardize),
        _validate.feature_names(X),
    )
    if error is not None:
        raise Interrupted(out) from error
    warn_unproven(result, options["tol"])
    return out

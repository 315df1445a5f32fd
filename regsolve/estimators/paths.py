"""lasso_path and enet_path: scikit-learn's functions, with its dense triple."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length

from .. import penalties
from ..solve import path

FLOATS = [np.float64, np.float32]


def _number_or_grid(alphas: Any, n_alphas: Any) -> dict[str, Any]:
    if n_alphas is not None:
        return {"n_alphas": n_alphas}
    if alphas is None:
        return {"n_alphas": 100}
    if isinstance(alphas, int | np.integer):
        return {"n_alphas": int(alphas)}
    return {"alphas": alphas}


def enet_path(
    X: Any,
    y: Any,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    n_alphas: int | None = None,
    alphas: Any = 100,
    precompute: Any = "auto",
    Xy: Any = None,
    copy_X: bool = True,
    coef_init: Any = None,
    verbose: bool | int = False,
    return_n_iter: bool = False,
    positive: bool = False,
    check_input: bool = True,
    fit_intercept: bool = False,
    **options: Any,
) -> tuple[Any, ...]:
    """Minimise  ||y - Xw||^2 / (2 n) + alpha [l1_ratio ||w||_1 + (1 - l1_ratio) ||w||^2 / 2].

    As scikit-learn's function of that name, y (n,) or (n, n_targets), each target on the grid of
    the largest alpha_max of all. ``precompute``, ``Xy``, ``copy_X``, ``coef_init``, ``verbose`` and
    ``check_input`` are accepted and do not change the answer.

    Parameters
    ----------
    eps : float
        Least alpha over the largest.
    alphas : int or (m,)
        How many, or which.
    fit_intercept : bool, default False
        As there, the data are taken as centred unless asked.
    **options
        ``tol``, ``standardize``, ``sample_weight``, ``n_threads``, ``max_time`` and all else that
        :func:`regsolve.path` takes.

    Returns
    -------
    alphas : (m,) descending
    coefs : (p, m) or (n_targets, p, m)
    dual_gaps : (m,) or (n_targets, m)
        Primal less dual objective.
    n_iters : list of int, with ``return_n_iter``
        Direct solves and epochs of the whole path, over its alphas.

    Raises
    ------
    ValueError, TypeError
        As :func:`regsolve.path`.
    """
    X = check_array(X, accept_sparse="csc", dtype=FLOATS, ensure_all_finite=False)
    y = np.asarray(y, dtype=np.float64)
    check_consistent_length(X, y)
    penalty = penalties.ElasticNet(1.0, l1_ratio, positive=positive)
    options.update(_number_or_grid(alphas, n_alphas), fit_intercept=fit_intercept)
    if "alphas" not in options:
        options["alpha_min_ratio"] = eps
    if y.ndim == 1:
        fitted = [path(X, y, penalty=penalty, **options)]
    else:
        if "alphas" not in options:
            tops = [
                path(X, y[:, t], penalty=penalty, **{**options, "n_alphas": 1}).alpha_max
                for t in range(y.shape[1])
            ]
            m = options.pop("n_alphas")
            options["alphas"] = max(tops) * np.geomspace(1.0, options.pop("alpha_min_ratio"), m)
        fitted = [path(X, y[:, t], penalty=penalty, **options) for t in range(y.shape[1])]
    coefs = np.array([one.coefs.toarray() for one in fitted])
    gaps = np.array([one.relative_gaps * one.null_objective for one in fitted])
    steps = [
        [max(1, round((one.report.n_solves + one.report.n_epochs) / len(one.alphas)))]
        * len(one.alphas)
        for one in fitted
    ]
    single = y.ndim == 1
    out = (fitted[0].alphas, coefs[0] if single else coefs, gaps[0] if single else gaps)
    return (*out, steps[0] if single else steps) if return_n_iter else out


def lasso_path(X: Any, y: Any, **options: Any) -> tuple[Any, ...]:
    """Minimise  ||y - Xw||^2 / (2 n) + alpha ||w||_1: :func:`enet_path` with l1_ratio = 1."""
    return enet_path(X, y, l1_ratio=1.0, **options)

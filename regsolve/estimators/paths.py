"""lasso_path and enet_path: scikit-learn's functions, with its dense triple."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length

from .. import _validate, penalties
from ..solve import path
from ..targets import path_targets
from .gram import check_precompute
from .predictor import FLOATS

OPTIONS = set(inspect.signature(path).parameters) - {"X", "y", "penalty", "alpha_min_ratio"}
UNUSED = {"random_state", "selection"}  # scikit-learn's, that change no answer


def _number_or_grid(alphas: Any, n_alphas: Any) -> dict[str, Any]:
    """alphas, or their number, as :func:`regsolve.path` takes them."""
    if n_alphas is not None:
        warnings.warn(
            "'n_alphas' was deprecated in 1.9 and will be removed in 1.11 of scikit-learn, and "
            f"here with it: give alphas={n_alphas}",
            FutureWarning,
            stacklevel=3,
        )
    elif alphas is None:
        warnings.warn(
            "'alphas=None' is deprecated and will be removed in 1.11 of scikit-learn, and here "
            "with it: give alphas=100",
            FutureWarning,
            stacklevel=3,
        )
    if alphas is None or (n_alphas is not None and _is_number(alphas)):
        alphas = 100 if n_alphas is None else n_alphas
    return {"n_alphas": int(alphas)} if _is_number(alphas) else {"alphas": alphas}


def _is_number(alphas: Any) -> bool:
    return isinstance(alphas, int | np.integer)


def _check_shape(name: str, values: Any, shape: tuple[int, ...]) -> None:
    if values is not None and np.shape(values) != shape:
        raise ValueError(f"{name} has shape {np.shape(values)}, expected {shape}")


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

    As scikit-learn's function of that name, y (n,) or (n, n_targets). Several targets are
    problems of their own on one grid, that of the largest alpha_max; scikit-learn couples them.
    ``precompute``, ``Xy`` and ``coef_init`` are checked; they and ``copy_X``, ``verbose`` and
    ``check_input`` do not change the answer.

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
        As :func:`regsolve.path`; an unknown option; ``positive`` with several targets, as there.
    """
    unknown = set(options) - OPTIONS - UNUSED
    if unknown:
        raise ValueError(f"Unexpected parameters in params: {', '.join(sorted(unknown))}")
    options = {name: value for name, value in options.items() if name in OPTIONS}
    grid = _number_or_grid(alphas, n_alphas)
    if check_input:
        X = check_array(X, accept_sparse="csc", dtype=FLOATS, ensure_all_finite=False)
    y = np.asarray(y, dtype=np.float64)
    check_consistent_length(X, y)
    if positive and y.ndim > 1:
        raise ValueError("positive=True is for one target at a time: give a column of y")
    _check_shape("coef_init", coef_init, (*y.shape[1:], X.shape[1]))
    _check_shape("Xy", Xy, (X.shape[1], *y.shape[1:]))
    if check_input:
        weight = options.get("sample_weight")
        check_precompute(precompute, X, sample_weight=weight, fit_intercept=fit_intercept)
    penalty = penalties.ElasticNet(1.0, l1_ratio, positive=positive)
    options.update(grid, fit_intercept=fit_intercept)
    if "alphas" not in options:
        options["alpha_min_ratio"] = _validate.share("eps", eps)
    if y.ndim == 1:
        fitted = [path(X, y, penalty=penalty, **options)]
    else:
        fitted = path_targets(X, y, penalty=penalty, **options)
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
    """Minimise  ||y - Xw||^2 / (2 n) + alpha ||w||_1  along a grid of alphas.

    :func:`enet_path` with l1_ratio = 1: its parameters, what it returns, (alphas, coefs, gaps) of
    shapes (m,), (p, m) or (n_targets, p, m), and (m,) or (n_targets, m), and its errors.
    """
    return enet_path(X, y, l1_ratio=1.0, **options)

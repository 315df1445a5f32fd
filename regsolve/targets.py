"""Several targets, or penalties, on one X: problems solved in lockstep, each reading for all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _validate
from ._call import (
    Callback,
    Ready,
    budget,
    common_grid,
    grid,
    make_ready,
    remembered,
    run,
    size_of_rows,
    to_path,
    to_solution,
    warn_unproven,
)
from .solution import Interrupted, Path, Solution, alone
from .solve import QUADRATIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .penalties import L1, L2, ElasticNet


def _all_ready(
    X: Any, Y: Any, penalty: Any, sample_weight: Any, fit_intercept: bool, standardize: bool
) -> list[Ready]:
    """A problem a column of Y (n, n_targets); X and the weights are validated once for all."""
    design = _validate.design(X)
    targets = np.asarray(Y)
    if targets.ndim != 2 or targets.shape[1] == 0:
        raise ValueError(f"y has shape {targets.shape}: expected (n, n_targets)")
    n = design.shape[0]
    weight = _validate.sample_weight(sample_weight, n)
    ready = []
    for t in range(targets.shape[1]):
        column = _validate.target(targets[:, t], n)
        shared = replace(design, bytes_read=design.bytes_read / targets.shape[1])
        ready.append(
            make_ready(
                X,
                column,
                penalty,
                QUADRATIC,
                weight,
                None,
                fit_intercept,
                standardize,
                shared,
                checked=True,
            )
        )
    return ready


def solve_targets(
    X: Any,
    Y: Any,
    *,
    penalty: L1 | L2 | ElasticNet,
    sample_weight: Any = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    coef_inits: Any = None,
    callback: Callback | None = None,
    tol: float = 1e-6,
    max_iter: int | None = None,
    max_time: float | None = None,
    max_memory: float | None = None,
    n_threads: int | None = None,
    solver: str = "auto",
) -> list[Solution]:
    """:func:`regsolve.solve` for every column of Y (n, n_targets), readings of X shared.

    ``coef_inits`` is (n_targets, p) or None; ``max_time`` is for all together. A report counts the
    target's part of each reading that it shared. Raises and warns as ``solve``;
    ``Interrupted.result`` is the list, or its only element for one target.
    """
    ready = _all_ready(X, Y, penalty, sample_weight, fit_intercept, standardize)
    options = budget(tol, max_iter, max_time, max_memory, n_threads, solver)
    starts: list[Any] = [None] * len(ready)
    if coef_inits is not None:
        p = ready[0].design.shape[1]
        starts = [_validate.vector("coef_init", one, p, "columns") for one in coef_inits]
    alphas = np.array([penalty.alpha], dtype=np.float64)
    results, error = run(ready, callback, alphas=alphas, coef_inits=starts, **options)
    solutions = [to_solution(result) for result in results if result["statuses"]]
    if error is not None:
        raise Interrupted(solutions if len(ready) > 1 else solutions[0]) from error
    for result in results:
        warn_unproven(result, options["tol"])
    return solutions


def path_targets(
    X: Any,
    Y: Any,
    *,
    penalty: L1 | L2 | ElasticNet,
    alphas: Any = None,
    n_alphas: int = 100,
    alpha_min_ratio: float = 1e-3,
    sample_weight: Any = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    callback: Callback | None = None,
    tol: float = 1e-6,
    max_iter: int | None = None,
    max_time: float | None = None,
    max_memory: float | None = None,
    n_threads: int | None = None,
    solver: str = "auto",
) -> list[Path]:
    """:func:`regsolve.path` for every column of Y on one grid, readings of X shared.

    Without ``alphas`` the grid starts at the largest alpha_max of all targets.
    """
    ready = _all_ready(X, Y, penalty, sample_weight, fit_intercept, standardize)
    options = budget(tol, max_iter, max_time, max_memory, n_threads, solver)
    if alphas is None:
        one_reading = {**options, "solver": "working_set"}
        tops, error = run(ready, None, n_alphas=0, **one_reading)
        if error is not None:
            unsolved = [to_path(result) for result in tops]
            raise Interrupted(alone(unsolved)) from error
        number = _validate.positive_integer("n_alphas", n_alphas)
        ratio = _validate.share("alpha_min_ratio", alpha_min_ratio)
        alphas = common_grid(tops, number, ratio)
    told = _validate.descending(alphas)
    results, error = run(ready, callback, alphas=told, **options)
    fitted = [to_path(result) for result in results]
    if error is not None:
        raise Interrupted(alone(fitted)) from error
    for result in results:
        warn_unproven(result, options["tol"])
    return fitted


def path_penalties(
    X: Any,
    y: Any,
    *,
    penalties: Sequence[L1 | L2 | ElasticNet],
    alphas: Any = None,
    n_alphas: int = 100,
    alpha_min_ratio: float = 1e-3,
    sample_weight: Any = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    callback: Callback | None = None,
    tol: float = 1e-6,
    max_iter: int | None = None,
    max_time: float | None = None,
    n_threads: int | None = None,
) -> list[Path]:
    """:func:`regsolve.path` for each penalty, readings of X shared.

    Without ``alphas`` each has a grid of its own from its alpha_max. A report counts the penalty's
    part of each reading that it shared; raises and warns as ``path``, ``max_time`` is for all
    together, and ``Interrupted.result`` is the list, or its only element for one penalty.
    """
    design = _validate.design(X)
    n = design.shape[0]
    weight = _validate.sample_weight(sample_weight, n)
    target = _validate.target(y, n)
    options = budget(tol, max_iter, max_time, None, n_threads, "auto")
    if alphas is None:
        options |= grid(penalties, n_alphas, alpha_min_ratio)
    else:
        options["alphas"] = _validate.descending(alphas)
    shared = replace(design, bytes_read=design.bytes_read / len(penalties))
    ready = [
        make_ready(
            X, target, one, QUADRATIC, weight, None, fit_intercept, standardize, shared, True
        )
        for one in penalties
    ]
    results, error = run(ready, callback, **options)
    size = size_of_rows(weight, n)
    paths = [
        to_path(result, remembered(one, QUADRATIC, size, fit_intercept, standardize))
        for result, one in zip(results, penalties, strict=True)
    ]
    if error is not None:
        raise Interrupted(alone(paths)) from error
    for result in results:
        warn_unproven(result, options["tol"])
    return paths

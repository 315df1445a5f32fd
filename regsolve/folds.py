"""The paths of a cross-validation in lockstep: all folds and the full data share each reading of X.

A fold is the problem with zero weight on the rows it leaves out: X is never copied, and each fold
centres and scales by its own rows alone. Where X'X is taken, it is summed once a fold and each
fold's own is the sum of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _validate
from ._call import (
    Callback,
    budget,
    common_grid,
    grid,
    make_ready,
    remembered,
    run,
    size_of_rows,
    to_path,
    warn_unproven,
)
from ._threads import one_thread_blas
from .solution import Interrupted, Path, keeping
from .solve import QUADRATIC

if TYPE_CHECKING:
    from numpy.typing import NDArray

Split = tuple[Any, Any]  # rows trained on, rows held out
Masks = tuple["NDArray[Any]", "NDArray[Any]"]
BLOCK_BYTES = 1 << 25


@dataclass(frozen=True)
class FoldPaths:
    """Paths on one grid of alphas (m,): on all rows, and on those of each of K folds.

    Attributes
    ----------
    path : Path
        On all rows.
    folds : list of K Path
    errors : (K, m)
        Weighted mean of (y - prediction)^2 over the rows that each fold holds out.
    """

    path: Path
    folds: list[Path]
    errors: NDArray[np.float64]


def fold_paths(
    X: Any,
    y: Any,
    splits: Sequence[Split],
    *,
    penalties: Sequence[Any],
    alphas: Sequence[Any] | None = None,
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
) -> list[FoldPaths]:
    """Paths of every fold and of all rows, for each penalty.

    Parameters
    ----------
    splits : K pairs of index arrays
        Rows that a fold is trained on, and rows that it holds out.
    penalties : R of L1, L2, ElasticNet
        Each for all paths; or a list of K + 1, that of all rows and one a fold.
    alphas : R arrays, optional
        A grid a penalty; default from alpha_max on all rows down to ``alpha_min_ratio`` of it.

    Returns
    -------
    list of R FoldPaths

    Raises
    ------
    ValueError, TypeError, Interrupted
        As :func:`regsolve.path`; a fold of rows that are not X's, or without weight to train on or
        to be judged by.
    """
    design = _validate.design(X)
    n = design.shape[0]
    s = _validate.sample_weight(sample_weight, n)
    target = _validate.target(y, n)
    if not splits or not penalties:
        raise ValueError("nothing to choose from: cv and l1_ratio need at least one entry each")
    masks = [_masks(train, test, n) for train, test in splits]
    weights = [s, *_fold_weights(masks, s)]
    cells = _cells(masks, n)
    options = budget(tol, max_iter, max_time, max_memory, n_threads, solver)
    rounds = len(weights)
    own = [one if isinstance(one, list) else [one] * rounds for one in penalties]
    share = replace(design, bytes_read=design.bytes_read / (len(own) * rounds))
    ready = [
        make_ready(
            X, target, penalty, QUADRATIC, weight, None, fit_intercept, standardize, share, True
        )
        for each in own
        for penalty, weight in zip(each, weights, strict=True)
    ]
    if alphas is None:
        options |= grid([each[0] for each in own], n_alphas, alpha_min_ratio)
        if fit_intercept and np.ptp(y) == 0.0:  # nothing to explain: every alpha has one answer
            alphas = [np.full(n_alphas, np.finfo(np.float64).resolution)] * len(penalties)
    told = None
    if alphas is not None:
        told = [one for given in alphas for one in [_validate.descending(given)] * rounds]
    options |= {"cells": cells, "n_cells": 0 if cells is None else len(splits)}
    results, error = run(ready, callback, alphas=told, per_round=rounds, **options)
    folds_select = any(result["alpha_max"] > 0.0 for result in results[1:rounds])
    if error is None and told is None and folds_select and not results[0]["alpha_max"] > 0.0:
        told = _grids_of_folds(
            results[:rounds], [each[0] for each in own], n_alphas, alpha_min_ratio
        )
        results, error = run(ready, callback, alphas=told, per_round=rounds, **options)
    by_penalty = [results[r : r + rounds] for r in range(0, len(results), rounds)]
    sizes = [size_of_rows(s, n), *_sizes(masks, weights[1:], s)]
    paths = [
        [
            to_path(result, remembered(penalty, QUADRATIC, size, fit_intercept, standardize))
            for result, size in zip(mine, sizes, strict=True)
        ]
        for penalty, mine in zip(penalties, by_penalty, strict=True)
    ]
    whole = [one[0] for one in paths]
    if error is not None:
        raise Interrupted(whole) from error
    with keeping(whole), one_thread_blas():  # the same bits on any number of threads
        out = [
            FoldPaths(one[0], one[1:], _held_out(X, target, s, splits, one[1:], mine[1:]))
            for one, mine in zip(paths, by_penalty, strict=True)
        ]
    for result in results:
        warn_unproven(result, options["tol"])
    return out


def _masks(train: Any, test: Any, n: int) -> Masks:
    """How often each row is trained on, and how often it is held out, (n,) each."""
    return _times(rows_of(train, n), n), _times(rows_of(test, n), n)


def _times(rows: NDArray[np.intp], n: int) -> NDArray[Any]:
    """How often each of n rows is among ``rows``, (n,): booleans where none is there twice."""
    there = np.zeros(n, dtype=bool)
    there[rows] = True
    if np.count_nonzero(there) == len(rows):
        return there
    return np.bincount(rows, minlength=n)


def rows_of(part: Any, n: int) -> NDArray[np.intp]:
    """The row numbers that one side of a split means, by numbers, a mask (n,) or a slice."""
    rows: NDArray[np.intp] = np.asarray(part)
    plain = rows.dtype == np.intp and rows.ndim == 1 and rows.size > 0
    if plain and rows.min() >= 0 and rows.max() < n:
        return rows
    try:
        rows = np.arange(n)[part]
        why = "" if rows.ndim == 1 else "not one-dimensional"
    except IndexError as error:
        why = str(error)
    if why:
        raise ValueError(
            f"cv has a fold of other rows than those of X ({why}): give row numbers below {n} "
            f"or a mask ({n},)"
        )
    return rows


def _grids_of_folds(
    results: Sequence[dict[str, Any]], penalties: Sequence[Any], n_alphas: int, ratio: float
) -> list[NDArray[np.float64]]:
    """The same from the folds' largest alpha_max, a grid for each path.

    For where no alpha explains anything on all rows, as bounds and infinite factors may have it.
    """
    first = common_grid(results, n_alphas, ratio)
    grids = [first * (penalties[0].l1_ratio / penalty.l1_ratio) for penalty in penalties]
    return [one for one in grids for _ in results]


def fold_weights(splits: Sequence[Split], s: Any, n: int) -> list[NDArray[np.float64]]:
    """Weights (n,) that train each fold: those of its own rows as often as it has them, else 0."""
    return _fold_weights([_masks(train, test, n) for train, test in splits], s)


def _fold_weights(masks: Sequence[Masks], s: Any) -> list[NDArray[np.float64]]:
    out = []
    for k, (trained, held) in enumerate(masks):
        weight = trained.astype(np.float64) if s is None else trained * s
        judged = held if s is None else held * s
        if not weight.any() or not judged.any():
            raise ValueError(
                f"fold {k} has no weight in the rows it is trained on or in those it holds out: "
                "give fewer folds, or weights that are not zero"
            )
        out.append(weight)
    return out


def _sizes(masks: Sequence[Masks], weights: list[Any], s: Any) -> list[tuple[float, int]]:
    """Sum of the weights that train each fold, and how many are positive."""
    out = []
    for (trained, _), weight in zip(masks, weights, strict=True):
        once = s is None and trained.dtype == np.bool_  # each of weight 1: counted ten times faster
        out.append(size_of_rows(None if once else weight, int(np.count_nonzero(trained))))
    return out


def _cells(masks: Sequence[Masks], n: int) -> NDArray[np.int32] | None:
    """The fold that holds out each row, if folds hold out every row once and train on the rest."""
    if any(times.dtype != np.bool_ for pair in masks for times in pair):
        return None
    if any((trained == held).any() for trained, held in masks):
        return None
    cells = np.full(n, -1, dtype=np.int32)
    for k, (_, held) in enumerate(masks):
        cells[held] = k
    once = sum(np.count_nonzero(held) for _, held in masks) == n and cells.min() >= 0
    return cells if once else None


def _held_out(
    X: Any, target: Any, s: Any, splits: Sequence[Split], paths: list[Path], results: list[Any]
) -> NDArray[np.float64]:
    """Mean squared errors (K, m): what the core knows, or from predictions of the rows held out."""
    shortest = min(len(path.alphas) for path in paths)
    errors = np.empty((len(paths), shortest))
    for k, (path, result) in enumerate(zip(paths, results, strict=True)):
        known = result["held_out"][:shortest]
        if np.isfinite(known).all():
            errors[k] = np.maximum(known, 0.0)
            continue
        test = rows_of(splits[k][1], len(target))
        weight = np.ones(len(test)) if s is None else s[test]
        sums = np.zeros(shortest)
        for rows, linear in predictions(X, path, test):
            sums += weight[rows] @ (target[test[rows], None] - linear[:, :shortest]) ** 2
        errors[k] = sums / weight.sum()
    return errors


def predictions(X: Any, path: Path, rows: NDArray[np.intp]) -> Any:
    """Yields (slice of ``rows``, linear predictors (its length, m)) block by block of rows."""
    stored: Any = path.coefs
    used = np.zeros(stored.shape[0], dtype=bool)
    used[stored.indices] = True
    support = np.flatnonzero(used)
    coefs = np.zeros((len(support), stored.shape[1]))
    place = np.cumsum(used)[stored.indices] - 1
    coefs[place, np.repeat(np.arange(stored.shape[1]), np.diff(stored.indptr))] = stored.data
    columns = _validate.columns_of(X, support)
    step = max(1, BLOCK_BYTES // (8 * max(1, len(support), coefs.shape[1])))
    for begin in range(0, len(rows), step):
        part = slice(begin, min(len(rows), begin + step))
        yield part, columns(rows[part]) @ coefs + path.intercepts


def chosen(errors: NDArray[np.float64], rule: str = "min") -> tuple[int, int]:
    """(penalty, alpha) that the errors (R, m, K) over K folds speak for, alphas descending.

    "min": the least mean. "1se": at that penalty, the largest alpha whose mean is within one
    standard error of the least (Breiman et al., Classification and Regression Trees, 1984, 3.4.3).

    Raises
    ------
    ValueError
        No alpha has errors, or scores, that are numbers in every fold.
    """
    mean = means(errors)
    r, k = divmod(int(np.argmin(mean)), mean.shape[1])
    if rule == "1se":
        limit = mean[r, k] + standard_errors(errors[r])[k]
        k = int(np.flatnonzero(mean[r] <= limit)[0])
    return r, k


def means(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over folds, the last axis; inf where an error is not a number. ValueError where all are."""
    mean = errors.mean(axis=-1)
    if np.isnan(mean).all():
        raise ValueError(
            "no alpha can be chosen: each has an error or score in some fold that is not a number "
            "(R2 of a fold with a single row is one)"
        )
    return np.where(np.isnan(mean), np.inf, mean)


def standard_errors(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the mean over folds, the last axis; 0 for a single fold."""
    n_folds = errors.shape[-1]
    if n_folds == 1:
        return np.zeros(errors.shape[:-1])
    return np.asarray(errors.std(axis=-1, ddof=1) / np.sqrt(n_folds))

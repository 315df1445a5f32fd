"""Weights of the adaptive lasso, estimated anew for every fold of a cross-validation.

    first fit:  w0 minimises sum_i s_i (y_i - x_i'w - b)^2 / (2 sum_i s_i) + penalty(w), L2 or L1
    then:       f_j = weights_j |e_j w0_j|^-gamma, the penalty factors of a lasso; inf: w_j = 0.

What a fold holds out takes no part in its weights: its first fit and the strength of that are from
the rows that it is trained on. The strength is chosen by a cross-validation within them, whose
folds are the other folds' held-out rows, so that groups and the order of time stay respected;
every row is equal to as many rows as its weight says.

References
----------
Zou (2006), The adaptive lasso and its oracle properties. Bühlmann and van de Geer (2011),
Statistics for High-Dimensional Data, section 2.8, for the lasso as first fit.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.model_selection import KFold

from . import _validate
from .folds import Split, chosen, fold_paths, fold_weights, rows_of
from .penalties import L1, L2
from .solution import Report, together

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

DECADES = (1.0, -5.0)  # strengths of a first ridge over the trace of X'SX / sum s
PER_DECADE = 3
INNER = 5  # folds of consecutive rows, where the others leave a fold none of their own


@dataclass(frozen=True)
class FirstFit:
    """Coefficients w0 (p,) at the strength ``alpha`` that the training rows speak for.

    ``size`` is |e_j w0_j|, e_j the deviation of column j under ``standardize``, else 1;
    ``report`` that of all paths together.
    """

    coef: Array = field(repr=False)
    size: Array = field(repr=False)
    alpha: float
    report: Report = field(repr=False)


def first_fits(
    X: Any,
    y: Any,
    splits: Sequence[Split],
    *,
    penalty: L1 | L2,
    sample_weight: Any = None,
    standardize: bool = False,
    fit_intercept: bool = True,
    n_alphas: int = 100,
    alpha_min_ratio: float = 1e-3,
    max_time: float | None = None,
    n_threads: int | None = None,
    **options: Any,
) -> list[FirstFit]:
    """A first fit to all rows, and one to those of each of K folds.

    ``penalty`` is L1, on a grid as that of :func:`regsolve.folds.fold_paths`, or L2, on one of its
    own; ``max_time`` is for all together. ``options`` as there.
    """
    start = time.perf_counter()
    shared = {
        **options,
        "standardize": standardize,
        "fit_intercept": fit_intercept,
        "n_threads": n_threads,
    }
    fits = []
    for k, weight in enumerate(_trained(X, splits, sample_weight)):
        e = _validate.deviations(X, weight, fit_intercept, n_threads)
        grid: dict[str, Any] = {"n_alphas": n_alphas, "alpha_min_ratio": alpha_min_ratio}
        if isinstance(penalty, L2):
            grid = {"alphas": [_strengths(e, penalty, standardize)]}
        inner = list(splits) if k == 0 else _within(splits, k - 1, weight)
        left = time_left(max_time, start)
        (found,) = fold_paths(
            X, y, inner, penalties=[penalty], sample_weight=weight, max_time=left, **grid, **shared
        )
        errors = found.errors.T[: len(found.path.alphas)]
        at = chosen(errors[None])[1]
        coef = found.path.coefs[:, [at]].toarray().ravel()
        size = np.abs(coef) * e if standardize else np.abs(coef)
        report = together([path.report for path in (found.path, *found.folds)])
        fits.append(FirstFit(coef, size, float(found.path.alphas[at]), report))
    return fits


def given_sizes(
    X: Any,
    splits: Sequence[Split],
    coef: Array,
    *,
    sample_weight: Any = None,
    standardize: bool = False,
    fit_intercept: bool = True,
    n_threads: int | None = None,
) -> list[Array]:
    """|e_j w0_j| of given coefficients, for all rows and for those of each fold."""
    if not standardize:
        return [np.abs(coef)] * (len(splits) + 1)
    return [
        np.abs(coef) * _validate.deviations(X, weight, fit_intercept, n_threads)
        for weight in _trained(X, splits, sample_weight)
    ]


def time_left(max_time: float | None, start: float) -> float | None:
    """Seconds of ``max_time`` > 0 left since ``start``, never none; None: no limit."""
    if max_time is None:
        return None
    left = _validate.positive_number("max_time", max_time) - (time.perf_counter() - start)
    return max(1e-9, left)


def _trained(X: Any, splits: Sequence[Split], sample_weight: Any) -> list[Array]:
    """Weights (n,) of all rows, and of those that each fold is trained on."""
    n = X.shape[0]
    s = _validate.sample_weight(sample_weight, n)
    return [np.ones(n) if s is None else s, *fold_weights(splits, s, n)]


def factors(size: Array, gamma: float, weights: Array) -> Array:
    """Penalty factors weights_j size_j^-gamma, (p,): inf where size is 0, unless weights_j is.

    Beside a finite one, a factor that overflows is as good as inf; ValueError where all overflow.
    """
    with np.errstate(divide="ignore", over="ignore"):
        inverse = np.asarray(size, dtype=np.float64) ** -gamma
        out = np.where(weights == 0.0, 0.0, np.where(weights == 0.0, 1.0, weights) * inverse)
    penalised = (size > 0.0) & (weights > 0.0) & np.isfinite(weights)
    if penalised.any() and np.isinf(out[penalised]).all():
        raise ValueError(
            f"gamma={gamma:g}: |w0_j|^-gamma of the initial coefficients overflows for every "
            "feature; lower gamma, or give initial in larger units"
        )
    return out


def _strengths(e: Array, penalty: L2, standardize: bool) -> Array:
    """Alphas of a first ridge: decades about the sum of the squared deviations in play."""
    used = e[~penalty.excluded(len(e)) & (e > 0.0)]
    trace = float(len(used) if standardize else used @ used) or 1.0
    number = round((DECADES[0] - DECADES[1]) * PER_DECADE) + 1
    return trace * np.logspace(*DECADES, number)


def _within(splits: Sequence[Split], k: int, weight: Array) -> list[Split]:
    """Splits of the rows that fold k is trained on: what the other folds hold out of them.

    Rows without weight change no answer; they go where the splits stay a partition of all rows,
    as X'X of a fold is then a difference.
    """
    trained = weight > 0.0
    inner = []
    for j, (train, test) in enumerate(splits):
        inside, held = _mask(train, trained), _mask(test, trained)
        if j != k and inside.any() and held.any():
            inner.append((inside, held))
    if not inner:
        rows = np.flatnonzero(trained)
        if len(rows) == 1:
            raise ValueError(f"fold {k} is trained on one row: a first fit needs more")
        for train, test in KFold(min(INNER, len(rows))).split(rows):
            inner.append((_mask(rows[train], trained), _mask(rows[test], trained)))
    out = []
    for j, (inside, held) in enumerate(inner):
        absent = ~trained
        out.append(
            (
                np.flatnonzero(inside | (absent & (j > 0))),
                np.flatnonzero(held | (absent & (j == 0))),
            )
        )
    return out


def _mask(rows: Any, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    out = np.zeros(len(among), dtype=bool)
    out[rows_of(rows, len(among))] = True
    return out & among

"""AdaptiveLasso: a lasso whose penalty factors come from a first fit, of every fold its own.

The first fits come from :mod:`regsolve.adaptive`, the paths from :mod:`regsolve.folds`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate, penalties
from ..adaptive import FirstFit, factors, first_fits, given_sizes, time_left
from ..folds import FoldPaths, fold_paths
from .linear import completed
from .selection import ElasticNetCV, LassoCV

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from ..solution import Progress

FIRST: dict[str, Any] = {"ridge": penalties.L2, "lasso": penalties.L1}


class AdaptiveLasso(LassoCV):
    """:class:`LassoCV` with penalty factors from a first fit, estimated anew for every fold.

    Each path minimises

        sum_i s_i (y_i - x_i'w - b)^2 / (2 sum_i s_i) + alpha sum_j f_j |e_j w_j|,
        f_j = weights_j |e_j w0_j|^-gamma;

    a feature with w0_j = 0 is out. w0 is a ridge or a lasso on the same rows, whose strength a
    cross-validation within them chooses, by what the other folds hold out of them (five folds of
    consecutive rows where they hold out nothing of it); bounds and ``weights`` hold for the first
    fit too. Since a fold's f_j are from the rows that it is trained on alone, its held-out errors
    are those of the whole procedure. Zou (2006), The adaptive lasso and its oracle properties.

    It costs, for K folds, K + 1 cross-validations of the first fit beside its own.

    Parameters
    ----------
    initial : "ridge", "lasso" or (p,), default "ridge"
        The first fit; or given coefficients w0, which are then every fold's. Coefficients that
        were estimated from y of these rows make held-out errors too small.
    gamma : float > 0, default 1.0
        Power of the first fit's coefficients.
    weights : (p,), optional
        In [0, inf], times the factors of the first fit; 0: not penalised, inf: left out.
    eps : float, default 1e-3
        Least alpha over the largest, where ``alphas`` is a number, and of a first lasso.
    max_time : float, optional
        Seconds for all stages together; then the choice is among what all folds have finished, with
        a ConvergenceWarning.
    callback : function of Progress, optional
        Called in every stage; a true return ends that stage's paths.

    Attributes
    ----------
    initial_coef_ : (p,) w0 from all rows
    initial_alpha_ : float
        Its alpha; not where ``initial`` is an array.
    weights_ : (p,) the factors f_j of the fit to all rows
    fold_weights_ : (n_folds, p) those of each fold
    certificate_ : Certificate of ``coef_``, an L1 penalty at alpha_ with factors weights_
    """

    def __init__(
        self,
        *,
        initial: str | ArrayLike = "ridge",
        gamma: float = 1.0,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int | None = None,
        tol: float = 1e-6,
        copy_X: bool = True,
        cv: Any = None,
        verbose: bool | int = False,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        weights: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        standardize: bool = False,
        n_threads: int | None = None,
        max_time: float | None = None,
        callback: Callable[[Progress], Any] | None = None,
        scoring: str | Callable[..., float] | None = None,
        selection_rule: str = "min",
    ) -> None:
        super().__init__(
            eps=eps,
            alphas=alphas,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            tol=tol,
            copy_X=copy_X,
            cv=cv,
            verbose=verbose,
            n_jobs=n_jobs,
            positive=positive,
            random_state=random_state,
            selection=selection,
            weights=weights,
            lower=lower,
            upper=upper,
            standardize=standardize,
            n_threads=n_threads,
            max_time=max_time,
            callback=callback,
            scoring=scoring,
            selection_rule=selection_rule,
        )
        self.initial = initial
        self.gamma = gamma

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if isinstance(self.gamma, bool) or not isinstance(self.gamma, Real):
            raise TypeError(f"gamma={self.gamma!r}: expected a number > 0")
        _validate.positive_number("gamma", self.gamma)
        if isinstance(self.initial, str) and self.initial not in FIRST:
            raise ValueError(
                f"initial={self.initial!r}: expected 'ridge', 'lasso' or coefficients (p,)"
            )

    def _paths(
        self, X: Any, y: Any, splits: list[Any], ratios: list[float], options: dict[str, Any]
    ) -> list[FoldPaths]:
        start = time.perf_counter()
        own = self._penalty(1.0)
        sizes, fits = self._sizes(X, y, splits, own, options)
        weights = own.factors(X.shape[1])
        every = [factors(size, float(self.gamma), weights) for size in sizes]
        self.weights_, self.fold_weights_ = every[0], np.array(every[1:])
        each = [replace(own, weights=f) for f in every]
        options = {**options, "max_time": time_left(self.max_time, start)}
        found = fold_paths(X, y, splits, penalties=[each], **options)
        path, earlier = found[0].path, [fit.report for fit in fits]
        report = replace(
            path.report,
            n_passes=path.report.n_passes + sum(one.n_passes for one in earlier),
            bytes_read=path.report.bytes_read + sum(one.bytes_read for one in earlier),
            n_rhs=path.report.n_rhs + sum(one.n_rhs for one in earlier),
            n_solves=path.report.n_solves + sum(one.n_solves for one in earlier),
            n_epochs=path.report.n_epochs + sum(one.n_epochs for one in earlier),
            peak_bytes=max(one.peak_bytes for one in (path.report, *earlier)),
            seconds=time.perf_counter() - start,
        )
        return [replace(found[0], path=replace(path, report=report))]

    def _sizes(
        self, X: Any, y: Any, splits: list[Any], own: Any, options: dict[str, Any]
    ) -> tuple[list[Any], list[FirstFit]]:
        """|e_j w0_j| for all rows and for each fold, and the fits that they are from."""
        if not isinstance(self.initial, str):
            given = _validate.vector("initial", self.initial, X.shape[1], "columns")
            self.initial_coef_ = given
            self.__dict__.pop("initial_alpha_", None)  # of an earlier fit
            names = ("sample_weight", "standardize", "fit_intercept", "n_threads")
            shared = {name: options[name] for name in names}
            return given_sizes(X, splits, given, **shared), []
        grid: dict[str, Any] = {"alpha_min_ratio": self.eps}
        if isinstance(self.alphas, Integral):
            grid["n_alphas"] = self.alphas
        rest = {
            name: value
            for name, value in options.items()
            if name not in ("alphas", "n_alphas", "alpha_min_ratio")
        }
        bounds = {"weights": own.weights, "lower": own.lower, "upper": own.upper}
        penalty = FIRST[self.initial](1.0, **bounds)
        fits = first_fits(X, y, splits, penalty=penalty, **grid, **rest)
        self.initial_coef_, self.initial_alpha_ = fits[0].coef, fits[0].alpha
        return [fit.size for fit in fits], fits


if AdaptiveLasso.__doc__:  # for help() and scikit-learn's HTML view
    AdaptiveLasso.__doc__ = completed(AdaptiveLasso, by=ElasticNetCV, without="l1_ratio")

"""RelaxedLasso: a lasso whose shrinkage is undone as far as cross-validation says.

The lasso's paths come from :mod:`regsolve.folds`, the refits from :mod:`regsolve.relaxed`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .. import _validate, penalties
from ..relaxed import chosen, mixture, relaxed
from ..solution import together
from .linear import completed
from .selection import ElasticNetCV, LassoCV

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from ..folds import FoldPaths
    from ..solution import Progress


class RelaxedLasso(LassoCV):
    """:class:`LassoCV` between the lasso and least squares on what it found.

    With A the support of the lasso w(alpha),

        coef = gamma w(alpha) + (1 - gamma) v,    gamma in ``gammas``,
        v minimises sum_i s_i (y_i - x_iA'v - b)^2 within the bounds of A,

    and alpha and gamma are chosen together by cross-validation; every fold refits on the rows that
    it is trained on alone. Where columns of A are collinear, v has the least norm in coefficients
    times the deviations of their columns. ``gammas=(1,)`` is LassoCV, ``gammas=(0,)`` is least
    squares on the support. Meinshausen (2007), Relaxed lasso; the mixture is that of Hastie,
    Tibshirani and Tibshirani (2020), Best subset, forward stepwise or lasso?, and of R's glmnet.

    The refits cost one reduction of the active columns to a triangle a cell of rows, then a small
    least-squares problem for each support met; ``max_time`` and ``callback`` do not reach them.
    ``certificate_`` proves the lasso that found the support, ``refit_certificate_`` v.

    Parameters
    ----------
    gammas : numbers in [0, 1], default (0, 0.25, 0.5, 0.75, 1)
        Shares of the lasso; scored beside every alpha.
    selection_rule : "min" or "1se", default "min"
        "min": the least mean error over folds; "1se": within one standard error of it. Of the
        pairs that qualify, the largest alpha, and there the largest gamma.

    Attributes
    ----------
    gamma_ : float
    gammas_ : (n_gammas,) ascending
    mse_path_ : (n_gammas, m, n_folds), or (m, n_folds) for one gamma
    lasso_coef_, refit_coef_ : (p,) the two that ``coef_`` mixes
    lasso_intercept_, refit_intercept_ : float
    path_, fold_paths_ : mixtures at gamma_, with the lasso's gaps, objectives and statuses
        ``objectives``, gaps and statuses prove the lasso; ``select`` is for gamma_ = 1 alone.
    certificate_ : Certificate of ``lasso_coef_``, an L1 penalty at alpha_
    refit_certificate_ : Certificate of ``refit_coef_``
        Without a penalty, features outside the support left out: ``kkt_violation`` is what is
        left of the normal equations.
    """

    def __init__(
        self,
        *,
        gammas: Any = (0.0, 0.25, 0.5, 0.75, 1.0),
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
        self.gammas = gammas

    def _check_parameters(self) -> None:
        super()._check_parameters()
        given: list[Any] = list(self.gammas) if np.iterable(self.gammas) else [None]
        if not given or any(isinstance(g, bool) or not isinstance(g, Real) for g in given):
            raise TypeError(f"gammas={self.gammas!r}: expected numbers in [0, 1]")
        if not all(0.0 <= float(gamma) <= 1.0 for gamma in given):
            raise ValueError(f"gammas={self.gammas!r}: each must be in [0, 1]; 1 is the lasso")

    def _choose(
        self,
        found: list[FoldPaths],
        ratios: list[float],
        X: Any,
        y: Any,
        splits: Any,
        s: Any,
        score_params: dict[str, Any],
    ) -> None:
        start = time.perf_counter()
        self.gammas_ = np.unique(np.asarray(self.gammas, dtype=np.float64))
        lasso, penalty = found[0], self._penalty(1.0)
        refitted = relaxed(
            lasso,
            X,
            y,
            splits,
            self.gammas_.tolist(),
            penalty=penalty,
            sample_weight=s,
            fit_intercept=self.fit_intercept,
            n_threads=self._threads(),
        )
        mixed = ratios * len(self.gammas_)
        super()._choose(refitted.mixtures, mixed, X, y, splits, s, score_params)
        k = int(np.flatnonzero(lasso.path.alphas == self.alpha_)[0])
        pure = mixture(lasso.path, refitted.refit, 0.0)
        self.lasso_coef_, self.lasso_intercept_ = _point(lasso.path, k)
        self.refit_coef_, self.refit_intercept_ = _point(pure, k)
        self._certify(X, y, s, penalty)
        report = together([path.report for path in (lasso.path, *lasso.folds)])
        passes = refitted.n_passes
        self.report_ = replace(
            report,
            n_passes=report.n_passes + passes,
            bytes_read=report.bytes_read + int(passes * _validate.storage_bytes(X)),
            seconds=report.seconds + time.perf_counter() - start,
            why=f"{report.why}; refits took {passes:.2g} readings",
        )

    def _chosen(self, errors: NDArray[np.float64]) -> tuple[int, int]:
        g, k = chosen(errors, self.gammas_, self.selection_rule)
        self.gamma_ = float(self.gammas_[g])
        return g, k

    def _certify(self, X: Any, y: Any, s: Any, penalty: Any) -> None:
        """Have the judge look at the refit: no penalty, and all but the support left out."""
        from ..certificate import verify

        lower, upper = penalty.bounds(X.shape[1])
        self.refit_certificate_ = verify(
            X,
            y,
            self.refit_coef_,
            self.refit_intercept_,
            penalty=penalties.L1(
                0.0,
                weights=np.where(self.lasso_coef_ == 0.0, np.inf, 1.0),
                lower=lower,
                upper=upper,
            ),
            sample_weight=s,
            fit_intercept=self.fit_intercept,
        )

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the held-out errors, or scores of ``scoring``, of every gamma.

        See :func:`regsolve.plots.relaxed_curves`.
        """
        from ..plots import relaxed_curves

        check_is_fitted(self)
        m, n_folds = len(self.alphas_), len(self.fold_paths_)
        judged, said = self._judged()
        heights = judged.reshape(len(self.gammas_), m, n_folds)
        drawn = {"df": self.path_.df[:m], **said, **options}
        return relaxed_curves(self.path_.alphas[:m], self.gammas_, heights, ax, **drawn)


def _point(path: Any, k: int) -> tuple[NDArray[np.float64], float]:
    return path.coefs[:, [k]].toarray().ravel(), float(path.intercepts[k])


if RelaxedLasso.__doc__:  # for help() and scikit-learn's HTML view
    RelaxedLasso.__doc__ = completed(RelaxedLasso, by=ElasticNetCV, without="l1_ratio")

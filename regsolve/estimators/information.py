"""LassoIC and ElasticNetIC: alpha by a criterion that needs no folds, at the price of one path.

They state the problem and keep the choice; the path comes from :func:`regsolve.path`, the
criterion from :mod:`regsolve.criteria`.
"""

from __future__ import annotations

import sys
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..criteria import TITLES, check_parameters
from ..solution import keeping
from ..solve import path as fit_path
from .chooser import LEAST, AlphaChooser, check_grid
from .gram import check_precompute
from .linear import parameters_of
from .predictor import row_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from ..solution import Progress


class ElasticNetIC(AlphaChooser):
    """:class:`ElasticNet` with alpha chosen by a criterion that needs no folds.

    The path minimises, at each alpha,

        sum_i s_i (y_i - x_i'w - b)^2 / (2 sum_i s_i)
            + alpha sum_j f_j [l1_ratio |e_j w_j| + (1 - l1_ratio) (e_j w_j)^2 / 2],

    and ``alpha_`` is where the criterion is least. With the degrees of freedom df, the weighted sum
    of squared residuals RSS, n = sum_i s_i and the noise's variance v, aic is
    n log(2 pi v) + RSS / v + 2 df and bic has log(n) for 2; all formulas are in
    :mod:`regsolve.criteria`. Weights count rows: one of 2 is that row twice.

    Parameters
    ----------
    criterion : "aic", "aicc", "bic", "ebic", "cp", "gcv" or "alo", default "aic"
        Akaike's, its correction for few rows, the Bayesian, its extension to many features,
        Mallows' Cp (which chooses as aic does), generalised cross-validation, and the error of
        leaving one row out with the active set held fixed.
    l1_ratio : float in [0, 1], default 0.5
    fit_intercept : bool, default True
        The intercept is never penalised.
    verbose : bool or int, default False
        Say on standard error what was chosen.
    precompute : "auto", bool or (p, p), default "auto"
        A Gram matrix is compared with X, then left alone: the solver takes its own products.
    max_iter : int, optional
        Most direct solves or epochs of the path; None: no limit.
    eps : float, default 1e-3
        Least alpha over the largest, where ``alphas`` is a number.
    copy_X
        Accepted as scikit-learn does; X is never written.
    positive : bool, default False
        Constrain w >= 0.
    noise_variance : float, optional
        For aic, bic, ebic and cp. Default: least squares' where that leaves half of the degrees of
        freedom, else that of the fit of least aicc, which holds for n < p too.
    alphas : int or (m,), default 100
        How many, in equal ratios from alpha_max, or which; an l1_ratio of 0 has no alpha_max.
    tol : float, default 1e-6
        On every duality gap over the objective of the null model; 0 is missed with a warning,
        unless a gap rounds to nothing.
    gamma : float in [0, 1], default 1.0
        Of ebic; 0 is bic.
    weights : (p,), optional
        Penalty factors f_j in [0, inf]; 0: not penalised, inf: left out.
    lower, upper : float or (p,), optional
        Bounds on w, lower <= 0 <= upper. A coefficient at one is no degree of freedom.
    standardize : bool, default False
        e_j is the standard deviation of column j, about 0 without an intercept, not 1.
    n_threads : int, optional
        Default: the cores that the process may use, at most OMP_NUM_THREADS where that is set.
    max_time : float, optional
        Seconds of the path, after which the choice is among the alphas that are finished, with a
        ConvergenceWarning. The criterion is evaluated after that, at all of them, and may take
        longer than the path: a factorisation of the free features' products an alpha.
    callback : function of Progress, optional
        A true return ends the path; the choice is among the alphas that are finished.

    Attributes
    ----------
    alpha_ : float
    coef_ : (p,) float64
    intercept_ : float
    criterion_ : (m,)
        The criterion at ``alphas_``, infinite where it has no sound value.
    alphas_ : (m,) descending
    df_ : (m,)
        Degrees of freedom, the intercept's apart.
    noise_variance_ : float or None
        None where the criterion needs none.
    path_ : Path
    dual_gap_ : float
        Primal less dual objective of ``coef_``.
    n_iter_ : int
        Direct solves and epochs of the path, over its alphas.
    status_ : str
        Of ``coef_``'s proof; "time_limit" or "interrupted" where alphas of the grid are missing.
    certificate_ : Certificate
        Of ``coef_``.
    report_ : Report
        Of the path.
    n_features_in_, feature_names_in_

    Raises
    ------
    ValueError, TypeError
        Bad input or parameters; the message names them.
    regsolve.Interrupted
        On Ctrl-C, with the path so far; the estimator is left as it was.
    """

    def __init__(
        self,
        criterion: str = "aic",
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        verbose: bool | int = False,
        precompute: Any = "auto",
        max_iter: int | None = None,
        eps: float = 1e-3,
        copy_X: bool = True,
        positive: bool = False,
        noise_variance: float | None = None,
        alphas: Any = 100,
        tol: float = 1e-6,
        gamma: float = 1.0,
        weights: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        standardize: bool = False,
        n_threads: int | None = None,
        max_time: float | None = None,
        callback: Callable[[Progress], Any] | None = None,
    ) -> None:
        self.criterion = criterion
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.verbose = verbose
        self.precompute = precompute
        self.max_iter = max_iter
        self.eps = eps
        self.copy_X = copy_X
        self.positive = positive
        self.noise_variance = noise_variance
        self.alphas = alphas
        self.tol = tol
        self.gamma = gamma
        self.weights = weights
        self.lower = lower
        self.upper = upper
        self.standardize = standardize
        self.n_threads = n_threads
        self.max_time = max_time
        self.callback = callback

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ElasticNetIC:
        """Fit to X (n, p) and y (n,), a row of weight s_i counting as s_i rows."""
        with self._unchanged_on_error():
            self._fit(X, y, sample_weight)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        ratio = getattr(self, "l1_ratio", 1.0)
        if isinstance(ratio, bool) or not isinstance(ratio, Real):
            raise TypeError(f"l1_ratio={ratio!r}: expected a number")
        check_parameters(self.criterion, self.gamma, self.noise_variance)
        check_grid(self.alphas, self.eps)
        X, y = self._checked(X, y)
        sample_weight = row_weights(sample_weight, X.shape[0])
        check_precompute(
            self.precompute, X, sample_weight=sample_weight, fit_intercept=self.fit_intercept
        )
        y = np.asarray(y, dtype=np.float64)
        grid: dict[str, Any] = {"alphas": self.alphas}
        if isinstance(self.alphas, Integral):
            grid = {"n_alphas": self.alphas, "alpha_min_ratio": self.eps}
        path = fit_path(
            X,
            y,
            penalty=self._penalty(float(ratio)),
            sample_weight=sample_weight,
            fit_intercept=self.fit_intercept,
            standardize=self.standardize,
            tol=LEAST if self.tol == 0 else self.tol,
            max_iter=self.max_iter,
            max_time=self.max_time,
            n_threads=self.n_threads,
            callback=self.callback,
            **grid,
        )
        with keeping(path):
            chosen = path.select(
                self.criterion,
                X,
                y,
                sample_weight=sample_weight,
                noise_variance=self.noise_variance,
                gamma=self.gamma,
                n_threads=self.n_threads,
            )
        self.alphas_ = path.alphas
        self._criterion, self.criterion_, self.df_ = self.criterion, chosen.values, chosen.df
        self.noise_variance_ = chosen.noise_variance
        self._keep(path, chosen.index, path.stopped)
        self.report_ = path.report
        if self.verbose:
            sys.stderr.write(
                f"{type(self).__name__}: alpha {self.alpha_:.6g} by {self.criterion}, "
                f"{np.count_nonzero(self.coef_)} non-zeros, "
                f"relative gap {self.certificate_.relative_gap:.2e}, "
                f"{self.report_.n_passes:.3g} readings of X by the path, "
                f"{self.report_.seconds:.3g} s\n"
            )

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the criterion along the path; see :func:`regsolve.plots.criterion_curve`."""
        from ..plots import criterion_curve

        check_is_fitted(self)
        options = {"df": self.path_.df, "ylabel": TITLES[self._criterion], **options}
        return criterion_curve(self.alphas_, self.criterion_, ax, **options)


class LassoIC(ElasticNetIC):
    """:class:`Lasso` with alpha chosen by a criterion that needs no folds.

    :class:`ElasticNetIC` with l1_ratio = 1, and its parameters otherwise; scikit-learn's
    LassoLarsIC for p > n, weights and sparse X too. The path minimises, at each alpha,

        sum_i s_i (y_i - x_i'w - b)^2 / (2 sum_i s_i) + alpha sum_j f_j |e_j w_j|.
    """

    def __init__(
        self,
        criterion: str = "aic",
        *,
        fit_intercept: bool = True,
        verbose: bool | int = False,
        precompute: Any = "auto",
        max_iter: int | None = None,
        eps: float = 1e-3,
        copy_X: bool = True,
        positive: bool = False,
        noise_variance: float | None = None,
        alphas: Any = 100,
        tol: float = 1e-6,
        gamma: float = 1.0,
        weights: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        standardize: bool = False,
        n_threads: int | None = None,
        max_time: float | None = None,
        callback: Callable[[Progress], Any] | None = None,
    ) -> None:
        super().__init__(
            criterion,
            fit_intercept=fit_intercept,
            verbose=verbose,
            precompute=precompute,
            max_iter=max_iter,
            eps=eps,
            copy_X=copy_X,
            positive=positive,
            noise_variance=noise_variance,
            alphas=alphas,
            tol=tol,
            gamma=gamma,
            weights=weights,
            lower=lower,
            upper=upper,
            standardize=standardize,
            n_threads=n_threads,
            max_time=max_time,
            callback=callback,
        )
        del self.l1_ratio


if LassoIC.__doc__:  # for help() and scikit-learn's HTML view
    LassoIC.__doc__ = LassoIC.__doc__.rstrip() + parameters_of(ElasticNetIC, without="l1_ratio :")

"""LassoIC and ElasticNetIC: alpha, and l1_ratio, by a criterion that needs no folds.

They state the problem and keep the choice; paths come from :mod:`regsolve.targets`, the criterion
from :mod:`regsolve.criteria`.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..criteria import TITLES, check_parameters, select_among
from ..solution import alone, keeping
from ..targets import path_penalties
from .chooser import LEAST, AlphaChooser, check_grid
from .gram import check_precompute
from .linear import parameters_of
from .predictor import row_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from ..criteria import Selection
    from ..solution import Path, Progress


class ElasticNetIC(AlphaChooser):
    """:class:`ElasticNet` with alpha, and l1_ratio, chosen by a criterion that needs no folds.

    A path minimises, at each alpha,

        sum_i s_i (y_i - x_i'w - b)^2 / (2 sum_i s_i)
            + alpha sum_j f_j [l1_ratio |e_j w_j| + (1 - l1_ratio) (e_j w_j)^2 / 2],

    and ``alpha_`` is where the criterion is least; paths of several l1_ratios share each reading of
    X, and one noise variance. With the degrees of freedom df, the weighted sum of squared residuals
    RSS, n = sum_i s_i and the noise's variance v, aic is n log(2 pi v) + RSS / v + 2 df and bic has
    log(n) for 2; all formulas are in :mod:`regsolve.criteria`. Weights count rows: one of 2 is that
    row twice.

    Parameters
    ----------
    criterion : "aic", "aicc", "bic", "ebic", "cp", "gcv" or "alo", default "aic"
        Akaike's, its correction for few rows, the Bayesian, its extension to many features,
        Mallows' Cp (which chooses as aic does), generalised cross-validation, and the error of
        leaving one row out with the active set held fixed.
    l1_ratio : float in [0, 1] or list of them, default 0.5
    fit_intercept : bool, default True
        The intercept is never penalised.
    verbose : bool or int, default False
        Say on standard error what was chosen.
    precompute : "auto", bool or (p, p), default "auto"
        A Gram matrix is compared with X, then left alone: the solver takes its own products.
    max_iter : int, optional
        Most direct solves or epochs of a path; None: no limit.
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
        How many, in equal ratios from alpha_max of each l1_ratio, or which; an l1_ratio of 0 has no
        alpha_max.
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
        Seconds of all paths, after which the choice is among the alphas that are finished, with a
        ConvergenceWarning. The criterion is evaluated after that, at all of them, and may take
        longer than the path: a factorisation of the free features' products an alpha.
    callback : function of Progress, optional
        A true return ends the paths; the choice is among the alphas that are finished.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        What was chosen; no ``l1_ratio_`` in LassoIC.
    coef_ : (p,) float64
    intercept_ : float
    criterion_ : (m,), or (n_l1_ratio, m) of several
        The criterion at ``alphas_``, infinite where it has no sound value.
    alphas_ : (m,) descending, or (n_l1_ratio, m) where each l1_ratio has its own
    df_ : like ``criterion_``
        Degrees of freedom, the intercept's apart.
    noise_variance_ : float or None
        None where the criterion needs none.
    path_ : Path
        At l1_ratio_.
    dual_gap_ : float
        Primal less dual objective of ``coef_``.
    n_iter_ : int
        Direct solves and epochs of ``path_``, over its alphas.
    status_ : str
        Of ``coef_``'s proof; "time_limit" or "interrupted" where alphas of the grid are missing.
    certificate_ : Certificate
        Of ``coef_``.
    report_ : Report
        Of all paths together.
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
        l1_ratio: float | Sequence[float] = 0.5,
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
        ratios = self._ratios()
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
        paths = path_penalties(
            X,
            y,
            penalties=[self._penalty(ratio) for ratio in ratios],
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
        with keeping(alone(paths)):
            found = select_among(
                paths,
                self.criterion,
                X,
                y,
                sample_weight=sample_weight,
                noise_variance=self.noise_variance,
                gamma=self.gamma,
                n_threads=self.n_threads,
            )
        self._choose(found, paths, ratios)
        if self.verbose:
            readers = "the path" if len(paths) == 1 else "all paths"
            self._tell(f" by {self.criterion}", f" by {readers}")

    def _ratios(self) -> list[float]:
        """What l1_ratio lists, 1 without it; TypeErrors and ValueErrors name it."""
        ratios = np.atleast_1d(np.asarray(getattr(self, "l1_ratio", 1.0), dtype=object))
        if ratios.ndim > 1 or len(ratios) == 0:
            raise ValueError(f"l1_ratio={self.l1_ratio!r}: expected a number or a list of numbers")
        for ratio in ratios:
            if isinstance(ratio, bool) or not isinstance(ratio, Real):
                raise TypeError(f"l1_ratio={ratio!r}: expected a number")
        return [float(ratio) for ratio in ratios]

    def _choose(self, found: list[Selection], paths: list[Path], ratios: list[float]) -> None:
        """Keep the path and the alpha of least value: of equals those that come first."""
        m = min(len(path.alphas) for path in paths)
        values = np.array([one.values[:m] for one in found])
        df = np.array([one.df[:m] for one in found])
        r, k = divmod(int(np.argmin(values)), m)
        several = len(ratios) > 1
        self.criterion_ = values if several else values[0]
        self.df_ = df if several else df[0]
        self.noise_variance_ = found[r].noise_variance
        self._criterion = self.criterion
        self._keep(paths, ratios, m, (r, k), paths)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the criterion along ``path_``; see :func:`regsolve.plots.criterion_curve`."""
        from ..plots import criterion_curve

        check_is_fitted(self)
        values = np.atleast_2d(self.criterion_)[self._chosen_path]
        alphas, df = self.path_.alphas[: len(values)], self.path_.df[: len(values)]
        options = {"df": df, "ylabel": TITLES[self._criterion], **options}
        return criterion_curve(alphas, values, ax, **options)


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

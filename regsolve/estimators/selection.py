"""LassoCV and ElasticNetCV: all folds and the full data at the price of a few paths.

They split, score and choose; the paths come from :mod:`regsolve.folds`, in lockstep.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import effective_n_jobs
from sklearn import config_context, get_config
from sklearn.metrics import get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from ..folds import FoldPaths, chosen, fold_paths, rows_of
from ..solution import keeping
from .chooser import LEAST, AlphaChooser, check_grid
from .gram import check_precompute
from .linear import ElasticNet, parameters_of
from .paths import enet_path, lasso_path
from .predictor import row_weights
from .scoring import on_rows, takes_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from ..solution import Path, Progress

RULES = ("min", "1se")


class ElasticNetCV(AlphaChooser):
    """:class:`ElasticNet` with alpha, and l1_ratio, chosen by cross-validation.

    Each fold's path minimises

        sum_i s_i (y_i - x_i'w - b)^2 / (2 sum_i s_i)
            + alpha sum_j f_j [l1_ratio |e_j w_j| + (1 - l1_ratio) (e_j w_j)^2 / 2]

    over the rows i that the fold is trained on: its centring and its e_j are those rows' alone. A
    fold's error is the weighted mean of (y_i - x_i'w - b)^2 over the rows that it holds out. X is
    never copied for a fold: all folds and the full data go down one grid together and share each
    reading of X, and ``coef_`` is the full data's path at ``alpha_``, with its certificate.

    Parameters
    ----------
    l1_ratio : float in [0, 1] or list of them, default 0.5
    eps : float, default 1e-3
        Least alpha over the largest, where ``alphas`` is a number.
    alphas : int or (m,), default 100
        How many, in equal ratios from the full data's alpha_max of each l1_ratio, or which; an
        l1_ratio of 0 has no alpha_max.
    fit_intercept : bool, default True
        The intercept is never penalised.
    precompute : "auto", bool or (p, p), default "auto"
        A Gram matrix is compared with X, then left alone: the solver takes its own products.
    max_iter : int, optional
        Most direct solves or epochs of a path; None: no limit.
    tol : float, default 1e-6
        On every duality gap over the objective of its null model; 0 is missed with a warning,
        unless a gap rounds to nothing.
    cv : int, splitter or iterable of (train, test), optional
        Default 5 folds of consecutive rows. Folds may overlap, as those of ShuffleSplit do.
    copy_X, random_state, selection
        Accepted as scikit-learn does; they do not change the answer, and X is never written.
    verbose : bool or int, default False
        Say on standard error what was chosen.
    n_jobs : int, optional
        Threads, all cores for -1; there are never processes. ``n_threads`` goes before it.
    positive : bool, default False
        Constrain w >= 0.
    weights : (p,), optional
        Penalty factors f_j in [0, inf]; 0: not penalised, inf: left out.
    lower, upper : float or (p,), optional
        Bounds on w, lower <= 0 <= upper.
    standardize : bool, default False
        e_j is the standard deviation of column j, about 0 without an intercept, not 1.
    n_threads : int, optional
        Default: the cores that the process may use, at most OMP_NUM_THREADS where that is set.
        The answer does not depend on it.
    max_time : float, optional
        Seconds after which the choice is among the alphas that all folds have finished, with a
        ConvergenceWarning; ``scoring`` takes its time after that.
    callback : function of Progress, optional
        A true return ends the paths; the choice is among the alphas that all have finished.
    scoring : str or function of (estimator, X, y), optional
        A scorer of scikit-learn's, greater is better, given a fitted :class:`ElasticNet` and the
        rows held out, and their weights where it takes ``sample_weight``. None: the mean squared
        error.
    selection_rule : "min" or "1se", default "min"
        "min": the least mean error over folds. "1se": at that l1_ratio, the largest alpha whose
        mean error is within one standard error of the least (Breiman et al., Classification and
        Regression Trees, 1984, section 3.4.3).

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        What was chosen; no ``l1_ratio_`` in LassoCV.
    coef_ : (p,) float64
    intercept_ : float
    mse_path_ : (n_l1_ratio, m, n_folds)
        Held-out errors; axes of length one are dropped, as in scikit-learn.
    score_path_ : likewise, where ``scoring`` is given
    alphas_ : (m,) descending, or (n_l1_ratio, m) where each l1_ratio has its own
    path_ : Path
        On all rows, at l1_ratio_.
    fold_paths_ : list of Path, one a fold
        On the rows that the fold is trained on, at l1_ratio_.
    dual_gap_ : float
        Primal less dual objective of ``coef_``.
    n_iter_ : int
        Direct solves and epochs of the full data's path, over its alphas.
    status_ : str
        Of ``coef_``'s proof; "time_limit" or "interrupted" where alphas of the grid are missing.
    certificate_ : Certificate
        Of ``coef_`` on the full data.
    report_ : Report
        Of all paths together.
    n_features_in_, feature_names_in_

    Raises
    ------
    ValueError, TypeError
        Bad input or parameters; a fold without weight; the message names them.
    regsolve.Interrupted
        On Ctrl-C, with the full data's paths so far; the estimator is left as it was.
    """

    path = staticmethod(enet_path)

    def __init__(
        self,
        *,
        l1_ratio: float | Sequence[float] = 0.5,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int | None = None,
        tol: float = 1e-6,
        cv: Any = None,
        copy_X: bool = True,
        verbose: bool | int = 0,
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
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.cv = cv
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_jobs = n_jobs
        self.positive = positive
        self.random_state = random_state
        self.selection = selection
        self.weights = weights
        self.lower = lower
        self.upper = upper
        self.standardize = standardize
        self.n_threads = n_threads
        self.max_time = max_time
        self.callback = callback
        self.scoring = scoring
        self.selection_rule = selection_rule

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> ElasticNetCV:
        """Fit to X (n, p) and y (n,), weights s (n,) counting in fits and in held-out errors.

        ``params``, such as groups, go to the splitter; as in scikit-learn metadata routing must be
        enabled.
        """
        with self._unchanged_on_error():
            self.__dict__.pop("score_path_", None)  # of an earlier fit with other parameters
            self._fit(X, y, sample_weight, params)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, params: dict[str, Any]) -> None:
        self._check_parameters()
        X, y = self._checked(X, y)
        sample_weight = row_weights(sample_weight, X.shape[0])
        check_precompute(
            self.precompute, X, sample_weight=sample_weight, fit_intercept=self.fit_intercept
        )
        ratios = [float(ratio) for ratio in np.atleast_1d(getattr(self, "l1_ratio", 1.0))]
        score_params, split_params = self._routed(sample_weight, params)
        splits = self._splits(X, y, split_params)
        options: dict[str, Any] = {
            "sample_weight": sample_weight,
            "fit_intercept": self.fit_intercept,
            "standardize": self.standardize,
            "callback": self.callback,
            "tol": LEAST if self.tol == 0 else self.tol,
            "max_iter": self.max_iter,
            "max_time": self.max_time,
            "n_threads": self._threads(),
        }
        if isinstance(self.alphas, Integral):
            options |= {"n_alphas": self.alphas, "alpha_min_ratio": self.eps}
        else:
            options |= {"alphas": [self.alphas] * len(ratios)}
        found = self._paths(X, np.asarray(y, dtype=np.float64), splits, ratios, options)
        with keeping([one.path for one in found]):
            self._choose(found, ratios, X, y, splits, sample_weight, score_params)
        if self.verbose:
            self._tell()

    def _paths(
        self, X: Any, y: Any, splits: list[Any], ratios: list[float], options: dict[str, Any]
    ) -> list[FoldPaths]:
        """The paths to choose from."""
        return fold_paths(
            X, y, splits, penalties=[self._penalty(ratio) for ratio in ratios], **options
        )

    def _check_parameters(self) -> None:
        if self.selection_rule not in RULES:
            raise ValueError(f"selection_rule={self.selection_rule!r}: expected 'min' or '1se'")
        if not (self.scoring is None or isinstance(self.scoring, str) or callable(self.scoring)):
            raise TypeError(
                f"scoring={self.scoring!r}: expected the name of a scorer, a function or None"
            )
        if self.selection not in ("cyclic", "random"):
            raise ValueError(f"selection={self.selection!r}: expected 'cyclic' or 'random'")
        check_grid(self.alphas, self.eps)

    def _threads(self) -> int | None:
        if self.n_threads is not None or self.n_jobs is None:
            return self.n_threads
        return int(effective_n_jobs(self.n_jobs))

    def _routed(self, s: Any, params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """What of the metadata of fit goes to the scorer, and what to the splitter."""
        if get_config()["enable_metadata_routing"]:
            routed = process_routing(self, "fit", sample_weight=s, **params)
            return (routed.scorer.score if self.scoring is not None else {}), routed.splitter.split
        if params:
            raise ValueError(
                f"{', '.join(sorted(params))} for the splitter is only supported if "
                "enable_metadata_routing=True: see sklearn.set_config"
            )
        weighed = s is not None and self.scoring is not None and takes_weights(self._scorer())
        return ({"sample_weight": s} if weighed else {}), {}

    def _scorer(self) -> Any:
        return get_scorer(self.scoring) if isinstance(self.scoring, str) else self.scoring

    def _splits(self, X: Any, y: Any, params: dict[str, Any]) -> list[Any]:
        splitter = check_cv(self.cv)
        inner = getattr(splitter, "cv", splitter)  # of what repeats another's splits, its class
        owners = (type(splitter), inner if isinstance(inner, type) else type(inner))
        # scikit-learn's count rows, before which they would copy a sparse X to compressed rows
        if all(owner.__module__.startswith("sklearn.") for owner in owners):
            X = np.empty((len(y), 0))
        return list(splitter.split(X, y, **params))

    def get_metadata_routing(self) -> MetadataRouter:
        """Which metadata ``fit`` takes, and which the splitter and the scorer do."""
        mapping = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self)
        asked = self.cv if hasattr(self.cv, "split") else None  # a generator can be read once
        if self.scoring is not None:
            scored = MethodMapping().add(caller="fit", callee="score")
            router.add(scorer=self._scorer(), method_mapping=scored)
        return router.add(splitter=asked, method_mapping=mapping)

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
        m = min(min(one.errors.shape[1], len(one.path.alphas)) for one in found)
        mse = np.array([one.errors[:, :m].T for one in found])
        errors = mse
        if self.scoring is not None:
            scores = np.array(
                [
                    self._scores(one, ratio, m, X, y, splits, score_params)
                    for one, ratio in zip(found, ratios, strict=True)
                ]
            )
            self.score_path_ = np.squeeze(scores)
            self._score_name = self.scoring if isinstance(self.scoring, str) else "score"
            errors = -scores
        r, k = self._chosen(errors)
        self.mse_path_ = np.squeeze(mse)
        self.fold_paths_ = [self._named(one) for one in found[r].folds]
        every = [path for one in found for path in (one.path, *one.folds)]
        self._keep([one.path for one in found], ratios, m, (r, k), every)

    def _chosen(self, errors: NDArray[np.float64]) -> tuple[int, int]:
        """Which of the paths found, and which alpha, the errors (R, m, K) speak for."""
        return chosen(errors, self.selection_rule)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw what the choice at ``l1_ratio_`` was by: held-out errors, or scores of ``scoring``.

        See :func:`regsolve.plots.cv_curve`.
        """
        from ..plots import cv_curve

        check_is_fitted(self)
        m, n_folds = self.alphas_.shape[-1], len(self.fold_paths_)
        judged, said = self._judged()
        heights = judged.reshape(-1, m, n_folds)[self._chosen_path]
        drawn = {"df": self.path_.df[:m], **said, **options}
        return cv_curve(self.path_.alphas[:m], heights, ax, **drawn)

    def _judged(self) -> tuple[NDArray[np.float64], dict[str, Any]]:
        """What the choice was by, and what plots of it say."""
        if not hasattr(self, "score_path_"):
            return self.mse_path_, {}
        return self.score_path_, {"scores": True, "ylabel": f"{self._score_name} on held-out rows"}

    def _scores(
        self, one: FoldPaths, ratio: float, m: int, X: Any, y: Any, splits: Any, given: Any
    ) -> NDArray[np.float64]:
        """Scores (m, K) of the rows that each fold holds out."""
        scorer = self._scorer()
        out = np.empty((m, len(splits)))
        for fold, (path, (_, part)) in enumerate(zip(one.folds, splits, strict=True)):
            test = rows_of(part, len(y))
            held, target = X[test], y[test]
            options = on_rows(given, test)
            with config_context(assume_finite=True):
                for k in range(m):
                    out[k, fold] = scorer(self._model(path, k, ratio), held, target, **options)
        return out

    def _model(self, path: Path, k: int, ratio: float) -> ElasticNet:
        model = ElasticNet(
            float(path.alphas[k]),
            l1_ratio=ratio,
            fit_intercept=self.fit_intercept,
            tol=self.tol,
            positive=self.positive,
            weights=self.weights,
            lower=self.lower,
            upper=self.upper,
            standardize=self.standardize,
        )
        model.coef_ = path.coefs[:, [k]].toarray().ravel()
        model.intercept_ = float(path.intercepts[k])
        model.n_features_in_ = len(model.coef_)
        return model


class LassoCV(ElasticNetCV):
    """:class:`Lasso` with alpha chosen by cross-validation.

    :class:`ElasticNetCV` with l1_ratio = 1, and its parameters otherwise: each fold minimises

        sum_i s_i (y_i - x_i'w - b)^2 / (2 sum_i s_i) + alpha sum_j f_j |e_j w_j|.
    """

    path = staticmethod(lasso_path)

    def __init__(
        self,
        *,
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
            cv=cv,
            copy_X=copy_X,
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
        del self.l1_ratio


if LassoCV.__doc__:  # for help() and scikit-learn's HTML view
    LassoCV.__doc__ = LassoCV.__doc__.rstrip() + parameters_of(ElasticNetCV, without="l1_ratio :")

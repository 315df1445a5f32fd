"""RidgeCV with scikit-learn's names, order and defaults: all strengths from one factorisation."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing, check_scalar, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

from .. import _validate
from ..folds import rows_of
from ..ridge import fit_ridge
from .predictor import leaves_no_trace
from .ridge import LinearPredictor, Ridge, checked_data
from .scoring import on_rows, takes_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..ridge.direct import Solver

    Array = NDArray[np.float64]

TITLES = {
    "loo": "leave-one-out error",
    "gcv": "generalised cross-validation",
    "ml": "negative log evidence",
    "reml": "negative restricted log evidence",
}
CLOSED = tuple(TITLES)
GCV_MODES = (None, "auto", "svd", "eigen")


class _Given(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predictions that are there already, for scorers that want an estimator."""

    def predict(self, X: Any) -> Any:
        """X itself."""
        return X

    decision_function = predict


class RidgeCV(LinearPredictor):
    """Ridge regression that chooses alpha by exact left-out errors, GCV, evidence or any splitter.

    Every alpha comes from one factorisation of the data; leave-one-out errors are exact and go by
    blocks of rows, without an array of the size of X.

    Parameters
    ----------
    alphas : (m,), default (0.1, 1.0, 10.0)
        On scikit-learn's sum scale; > 0, or >= 0 with a splitter.
    fit_intercept : bool, default True
    scoring : str, callable or None
        A scorer. None: the negative mean squared error left out, or R^2 with a splitter. An alpha
        without a score in every split comes last; where all are, the first is taken.
    cv : None, "loo", "gcv", "ml", "reml", int, splitter or iterable of (train, test)
        None, "loo": leave-one-out. "gcv": generalised cross-validation. "ml", "reml": the largest
        marginal likelihood. A splitter: each training part is factorised once for all alphas.
    gcv_mode : None, "auto", "svd" or "eigen"
        "svd": singular values of X even where the condition does not ask for them.
    store_cv_results : bool, default False
        Keep ``cv_results_``; leave-one-out only.
    alpha_per_target : bool, default False
        Choose for every target; not with a splitter.
    standardize : bool, default False
        The penalty acts on coefficients times the deviations of their columns, which are about 0
        without an intercept.
    n_threads : int, optional
    tol : float, default 1e-6
        On the duality gap of the final fit.

    Attributes
    ----------
    alpha_ : float, or (n_targets,)
    best_score_ : float, or (n_targets,)
    alphas_ : (m,)
        As given, in the order of ``scores_``.
    scores_ : (m,), (n_targets, m) with ``alpha_per_target``, or (n_splits, m) with a splitter
        The score of every alpha, the greatest chosen: of criteria that are errors, their negative.
    cv_results_ : (n, m) or (n, n_targets, m)
        Squared left-out errors times the weights, or left-out predictions where there is a scorer.
    coef_, intercept_, certificate_, status_, report_ : as :class:`Ridge`

    Raises
    ------
    ValueError, TypeError
        Bad input or parameters; the message names them.
    """

    alpha_: Any
    best_score_: Any
    alphas_: Array
    scores_: Array

    def __init__(
        self,
        alphas: Any = (0.1, 1.0, 10.0),
        *,
        fit_intercept: bool = True,
        scoring: Any = None,
        cv: Any = None,
        gcv_mode: str | None = None,
        store_cv_results: bool = False,
        alpha_per_target: bool = False,
        standardize: bool = False,
        n_threads: int | None = None,
        tol: float = 1e-6,
    ) -> None:
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.scoring = scoring
        self.cv = cv
        self.gcv_mode = gcv_mode
        self.store_cv_results = store_cv_results
        self.alpha_per_target = alpha_per_target
        self.standardize = standardize
        self.n_threads = n_threads
        self.tol = tol

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **params: Any) -> RidgeCV:
        """Fit to X (n, p) and y (n,) or (n, n_targets).

        ``params``, such as groups, go to the scorer and the splitter by metadata routing.
        """
        with leaves_no_trace(self):
            self.__dict__.pop("cv_results_", None)
            self._fit(X, y, sample_weight, **params)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, **params: Any) -> None:
        closed = self.cv is None or isinstance(self.cv, str)
        alphas = self.alphas_ = self._alphas(closed)
        self._titled = self._title()
        score_params, split_params = self._routed(sample_weight, params)
        rows = X  # splitters and scorers see X as it came
        X, y, sample_weight = checked_data(self, X, y, sample_weight)
        Y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        if closed:
            fitted = self._closed(X, y, Y, sample_weight, alphas, score_params)
        else:
            scores = self._split_scores(
                rows, X, y, Y, sample_weight, alphas, score_params, split_params
            )
            self.scores_, mean = scores, scores.mean(axis=0)
            best = int(np.argmax(_ranked(mean)))
            self.alpha_, self.best_score_ = alphas[best], mean[best]
            best_alphas = np.full(Y.shape[1], alphas[best])
            fitted = self._fit_pairs(X, Y, sample_weight, best_alphas, np.arange(Y.shape[1]))
        self._keep(
            y,
            {
                "coefs": fitted.coefs.T,
                "intercepts": fitted.intercepts,
                "certificate": fitted.certificates,
                "status": fitted.statuses,
                "report": fitted.report,
            },
        )

    def _fit_pairs(
        self, X: Any, Y: Any, sample_weight: Any, a: Array, t: Any, pick: Any = None
    ) -> Any:
        return fit_ridge(
            X,
            Y,
            a,
            t,
            pick=pick,
            sample_weight=sample_weight,
            fit_intercept=self.fit_intercept,
            standardize=self.standardize,
            solver="svd" if self.gcv_mode == "svd" else "auto",
            tol=self.tol,
            n_threads=self.n_threads,
        )

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the scores that chose alpha, criteria turned to be least.

        See :func:`regsolve.plots.cv_curve` with a splitter, else
        :func:`regsolve.plots.criterion_curve`. ValueError where each target chose its own alpha.
        """
        from ..plots import criterion_curve, cv_curve

        check_is_fitted(self)
        order = np.argsort(-self.alphas_, kind="stable")
        alphas, scores = self.alphas_[order], self.scores_[..., order]
        title, folds = self._titled
        if folds:
            return cv_curve(alphas, scores.T, ax, **{"ylabel": title, "scores": True, **options})
        if scores.ndim == 2:
            raise ValueError("each target has chosen its own alpha: there is no single curve")
        return criterion_curve(alphas, -_ranked(scores), ax, **{"ylabel": title, **options})

    def _title(self) -> tuple[str, bool]:
        """What pictures call the scores, and whether they are those of folds."""
        if self.cv is not None and not isinstance(self.cv, str):
            return "score on held-out rows", True
        if self.cv in (None, "loo") and self.scoring is not None:
            return "negative score left out", False
        return TITLES[self.cv or "loo"], False

    # ---- criteria of one factorisation

    def _closed(
        self, X: Any, y: Any, Y: Array, sample_weight: Any, alphas: Array, score_params: Any
    ) -> Any:
        n_targets = Y.shape[1]
        per_target = self.alpha_per_target and n_targets > 1

        def pick(solver: Solver) -> Any:
            if self.cv in (None, "loo"):
                scores = self._left_out_scores(solver, y, Y, sample_weight, alphas, score_params)
            else:
                scores = self._criterion(solver, alphas)
            scores = np.asarray(scores, dtype=np.float64)  # (T, m), or (m,) when shared
            if not per_target and scores.ndim == 2:
                scores = scores.sum(axis=0) if self.cv in ("ml", "reml") else scores.mean(axis=0)
            self.scores_, best = scores, np.argmax(_ranked(scores), axis=-1)
            if per_target:
                self.alpha_ = alphas[best]
                self.best_score_ = scores[np.arange(n_targets), best]
            else:
                self.alpha_, self.best_score_ = float(alphas[best]), float(scores[best])
            return np.broadcast_to(alphas[best], (n_targets,)).copy(), np.arange(n_targets)

        return self._fit_pairs(X, Y, sample_weight, alphas, None, pick)

    def _criterion(self, solver: Solver, alphas: Array) -> Array:
        found = solver.criteria()
        if self.cv == "gcv":
            return -found.gcv(alphas).T
        return found.log_evidence(alphas, restricted=self.cv == "reml").T

    def _left_out_scores(
        self, solver: Solver, y: Any, Y: Array, sample_weight: Any, alphas: Array, params: Any
    ) -> Any:
        criteria = solver.criteria()
        if self.scoring is None and not self.store_cv_results:
            return -criteria.mean_square_left_out(alphas)
        errors = np.concatenate([block for _, block in criteria.left_out(alphas)])
        if self.scoring is None:
            squares = errors**2
            self.cv_results_ = squares[:, 0] if y.ndim == 1 else squares
            return -squares.mean(axis=0)
        predictions = self._predictions(solver, Y, errors, sample_weight, alphas)
        if self.store_cv_results:
            self.cv_results_ = predictions[:, 0] if y.ndim == 1 else predictions
        scorer, given, m = self._get_scorer(), _Given(), len(alphas)
        if self.alpha_per_target and Y.shape[1] > 1:
            return [
                [scorer(given, predictions[:, t, k], Y[:, t], **params) for k in range(m)]
                for t in range(Y.shape[1])
            ]
        shape = y.shape
        return [scorer(given, predictions[:, :, k].reshape(shape), y, **params) for k in range(m)]

    @staticmethod
    def _predictions(
        solver: Solver, Y: Array, errors: Array, sample_weight: Any, alphas: Array
    ) -> Array:
        """Left-out predictions (n, T, m); a row without weight is left out by every fit."""
        if sample_weight is None:
            return np.asarray(Y[:, :, None] - errors)
        root = np.sqrt(sample_weight)[:, None, None]
        out = Y[:, :, None] - np.divide(errors, root, out=np.zeros_like(errors), where=root > 0)
        absent = np.flatnonzero(np.asarray(sample_weight) == 0.0)
        if len(absent):
            out[absent] = solver.criteria().predictions(absent, alphas)
        return np.asarray(out)

    # ---- splitters

    def _split_scores(
        self,
        rows: Any,
        X: Any,
        y: Any,
        Y: Array,
        sample_weight: Any,
        alphas: Array,
        score_params: Any,
        split_params: Any,
    ) -> Array:
        """Scores (K, m) of each alpha on each split; a training part is its rows' weights."""
        scorer, (rows,) = self._get_scorer(), indexable(rows)
        n, n_targets = Y.shape
        base = np.ones(n) if sample_weight is None else sample_weight
        t, a = np.repeat(np.arange(n_targets), len(alphas)), np.tile(alphas, n_targets)
        scores: list[list[float]] = []
        for train, test in check_cv(self.cv, y).split(rows, y, **split_params):
            train, test = (rows_of(part, n) for part in (train, test))
            inside = base * np.bincount(train, minlength=n)
            fitted = self._fit_pairs(X, Y, inside, a, t)
            model = Ridge(fit_intercept=self.fit_intercept)
            model.n_features_in_ = self.n_features_in_
            if hasattr(self, "feature_names_in_"):
                model.feature_names_in_ = self.feature_names_in_
            here = on_rows(score_params, test)
            seen, wanted = _safe_indexing(rows, test), _safe_indexing(y, test)
            here_scores: list[float] = []
            for k in range(len(alphas)):
                pairs = np.arange(n_targets) * len(alphas) + k
                several = y.ndim == 2 and n_targets > 1
                model.coef_ = fitted.coefs[:, pairs].T if several else fitted.coefs[:, k]
                model.intercept_ = fitted.intercepts[pairs if y.ndim == 2 else k]
                here_scores.append(float(scorer(model, seen, wanted, **here)))
            scores.append(here_scores)
        if not scores:
            raise ValueError("nothing to choose from: cv gives no splits")
        return np.array(scores)

    # ---- parameters

    def _alphas(self, closed: bool) -> Array:
        if isinstance(self.cv, str) and self.cv not in CLOSED:
            known = ", ".join(map(repr, CLOSED))
            raise ValueError(f"cv={self.cv!r}: expected None, {known}, a number or a splitter")
        for name in ("store_cv_results", "alpha_per_target"):
            _validate.boolean(name, getattr(self, name))
        if self.cv not in (None, "loo") and self.store_cv_results:
            raise ValueError("cv!=None and store_cv_results=True are incompatible")
        if not closed and self.alpha_per_target:
            raise ValueError("cv!=None and alpha_per_target=True are incompatible")
        if self.gcv_mode not in GCV_MODES:
            raise ValueError(f"gcv_mode={self.gcv_mode!r}: expected one of {GCV_MODES}")
        bounds = "neither" if closed else "left"
        given = np.atleast_1d(np.asarray(self.alphas, dtype=object))
        if given.ndim != 1 or len(given) == 0:
            raise ValueError("alphas is empty or not 1-D: give at least one alpha")
        for index, alpha in enumerate(given):
            name = f"alphas[{index}]" if len(given) > 1 else "alphas"
            check_scalar(alpha, name, Real, min_val=0.0, include_boundaries=bounds)
            if not np.isfinite(alpha):
                raise ValueError(f"{name}={alpha!r}: expected a finite number")
        return given.astype(np.float64)

    def _routed(self, sample_weight: Any, params: dict[str, Any]) -> tuple[Any, Any]:
        """Parameters of fit for the scorer and for the splitter."""
        if get_config()["enable_metadata_routing"]:
            if sample_weight is not None:
                params = {**params, "sample_weight": sample_weight}
            routed = process_routing(self, "fit", **params)
            return routed.scorer.score, routed.splitter.split
        if params:
            raise ValueError(
                f"[{set(params)}] are passed but need metadata routing: "
                "sklearn.set_config(enable_metadata_routing=True)"
            )
        weights = None if sample_weight is None else np.asarray(sample_weight)
        weighted = weights is not None and weights.ndim == 1
        weighted = weighted and (self.scoring is None or takes_weights(self._get_scorer()))
        return ({"sample_weight": weights} if weighted else {}), {}

    def get_metadata_routing(self) -> MetadataRouter:
        """What ``fit`` passes on: to the scorer, and to the splitter."""
        scorer = self._get_scorer()
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(scorer=scorer, method_mapping=MethodMapping().add(caller="fit", callee="score"))
            .add(
                splitter=None if isinstance(self.cv, str) else self.cv,
                method_mapping=MethodMapping().add(caller="fit", callee="split"),
            )
        )

    def _get_scorer(self) -> Any:
        if get_config()["enable_metadata_routing"] and self.scoring is None:
            return get_scorer("r2").set_score_request(sample_weight=True)
        return check_scoring(self, scoring=self.scoring)


def _ranked(scores: Any) -> Any:
    """Scores for an argmax: what is not a number comes last."""
    return np.where(np.isnan(scores), -np.inf, scores)

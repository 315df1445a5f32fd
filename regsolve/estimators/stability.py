"""StabilitySelection: features that most random halves of the rows select."""

from __future__ import annotations

import sys
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted

from .. import _validate, penalties, pfer
from ..stability import StabilityPath, stability_paths
from ..subsamples import subsamples
from .chooser import check_grid
from .predictor import leaves_no_trace, row_weights, training_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from ..solution import Progress


class StabilitySelection(SelectorMixin, BaseEstimator):  # type: ignore[misc]
    """Selects the features that random halves of the rows agree on, with a bound on errors.

    On each of ``n_subsamples`` subsets I of the rows the path of

        sum_i in I s_i (y_i - x_i'w - b)^2 / (2 sum_i in I s_i)
            + alpha sum_j (f_j / u_j) [l1_ratio |e_j w_j| + (1 - l1_ratio) (e_j w_j)^2 / 2]

    is followed down one grid of alphas until more than q penalised features have entered; what is
    not zero is selected. A feature is kept where at least a share ``threshold`` of the subsets
    selects it, at the alpha that most do. V, the number of penalised features kept that a single
    subset selects no more often than by chance, q / p, has E(V) <= q^2 / ((2 threshold - 1) p)
    (Meinshausen and Buhlmann, Stability selection, J. R. Statist. Soc. B 72, 2010; without
    assumptions, for complementary pairs, Shah and Samworth, Variable selection with error control,
    J. R. Statist. Soc. B 75, 2013). Here p counts the features that chance can select: not those
    without penalty, which are always in, nor those left out, constant or held at zero by bounds.

    Any two of ``threshold``, ``q`` and ``pfer`` give the third. With fewer, threshold is 0.75
    first and pfer 1 next.

    X is never copied for a subset: sixteen go in lockstep and share each reading of X. Memory
    beyond X is that of so many paths together, each a working set of some q features.

    Parameters
    ----------
    threshold : float in (0.5, 1], optional
    q : int, optional
        Most penalised features that a subset selects.
    pfer : float, optional
        Largest E(V), the per-family error rate.
    n_subsamples : int, default 100
    sample_fraction : float in (0, 0.5], default 0.5
        Of the rows with weight, in a subset.
    complementary_pairs : bool, default True
        Subsets come in pairs without a common row; else each is drawn by itself, for which E(V) is
        bounded only if noise features are exchangeable (Meinshausen and Buhlmann, theorem 1).
    assumption : "none", "unimodal" or "r-concave", default "none"
        Of the distribution of the shares of features that chance selects, for a smaller bound with
        complementary pairs (Shah and Samworth, theorems 2 and 3).
    weakness : float in (0, 1], default 1.0
        u_j is uniform in [weakness, 1], drawn anew for each subset: the randomised lasso.
    l1_ratio : float in (0, 1], default 1.0
    alphas : int or (m,), default 100
        How many, in equal ratios from the largest alpha_max of all subsets, or which.
    eps : float, default 1e-2
        Least alpha over the largest, where ``alphas`` is a number.
    fit_intercept : bool, default True
        The intercept is never penalised.
    tol : float, default 1e-6
        On every duality gap over the objective of its null model.
    random_state : int, RandomState or None
        Which subsets are drawn; the answer depends on nothing else, whatever the threads.
    weights : (p,), optional
        Penalty factors f_j in [0, inf]; 0: not penalised, inf: left out. A feature without
        penalty is always selected, beside the q.
    lower, upper : float or (p,), optional
        Bounds on w, lower <= 0 <= upper.
    positive : bool, default False
        Constrain w >= 0.
    standardize : bool, default False
        e_j is the standard deviation of column j in the subset, about 0 without an intercept, not
        1.
    n_threads : int, optional
        Default: the cores that the process may use, at most OMP_NUM_THREADS where that is set.
    max_time : float, optional
        Seconds after which the subsets that are finished are what counts, with a
        ConvergenceWarning. They finish sixteen, or two, at a time; with none, nothing is kept.
    callback : function of Progress, optional
        Told of every alpha of every subset. A true return ends the fit as ``max_time`` does.
    verbose : bool or int, default False
        Say on standard error what was kept.

    Attributes
    ----------
    stability_scores_ : (p,)
        Largest share of subsets over the path; at least ``threshold_`` where a feature is kept.
    stability_path_ : (p, m)
        Share of subsets that select feature j at alphas_[k]; dense, made when asked for.
    sparse_stability_path_ : SciPy CSC matrix, p x m
    alphas_ : (m,) descending
    threshold_, q_ : float, int
    pfer_bound_ : float
        Bound of E(V) for them and the subsets finished, at most p; 0 if there are none.
    n_subsamples_ : int
        Subsets finished.
    status_ : "optimal", or "time_limit" or "interrupted" where not all are
    report_ : Report
        Of all subsets together.
    n_features_in_, feature_names_in_

    Raises
    ------
    ValueError, TypeError
        Bad input or parameters, or a bound that cannot be kept; the message names the remedy.
    regsolve.Interrupted
        On Ctrl-C, with the subsets finished as a ``regsolve.stability.StabilityPath``; the
        estimator is left as it was.
    """

    def __init__(
        self,
        *,
        threshold: float | None = None,
        q: int | None = None,
        pfer: float | None = None,
        n_subsamples: int = 100,
        sample_fraction: float = 0.5,
        complementary_pairs: bool = True,
        assumption: str = "none",
        weakness: float = 1.0,
        l1_ratio: float = 1.0,
        alphas: Any = 100,
        eps: float = 1e-2,
        fit_intercept: bool = True,
        tol: float = 1e-6,
        random_state: Any = None,
        positive: bool = False,
        weights: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        standardize: bool = False,
        n_threads: int | None = None,
        max_time: float | None = None,
        callback: Callable[[Progress], Any] | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.threshold = threshold
        self.q = q
        self.pfer = pfer
        self.n_subsamples = n_subsamples
        self.sample_fraction = sample_fraction
        self.complementary_pairs = complementary_pairs
        self.assumption = assumption
        self.weakness = weakness
        self.l1_ratio = l1_ratio
        self.alphas = alphas
        self.eps = eps
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.random_state = random_state
        self.positive = positive
        self.weights = weights
        self.lower = lower
        self.upper = upper
        self.standardize = standardize
        self.n_threads = n_threads
        self.max_time = max_time
        self.callback = callback
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> StabilitySelection:
        """Fit to X (n, p) and y (n,), with weights s (n,); rows without weight are never drawn.

        ``groups`` (n,) are labels of rows that belong together, such as one patient's: subsets
        are then drawn of the groups.
        """
        with leaves_no_trace(self):
            self._fit(X, y, sample_weight, groups)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any, groups: Any) -> None:
        X, y = training_data(self, X, y, multi_output=True, ensure_min_samples=2)
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError(
                f"y has {y.shape[1]} targets and StabilitySelection is for one: fit each column"
            )
        y = np.asarray(column_or_1d(y, warn=True), dtype=np.float64)
        n = X.shape[0]
        sample_weight = row_weights(sample_weight, n)
        check_grid(self.alphas, self.eps)
        number = _validate.positive_integer("n_subsamples", self.n_subsamples, least=2)
        _validate.boolean("complementary_pairs", self.complementary_pairs)
        if self.assumption != "none" and not self.complementary_pairs:
            raise ValueError(f"assumption={self.assumption!r} needs complementary_pairs=True")
        s, penalty = _validate.sample_weight(sample_weight, n), self._penalty()
        p = pfer.candidates(X, penalty, s, self.fit_intercept, self.n_threads)
        threshold, q = pfer.settled(self.threshold, self.q, self.pfer, p, number, self.assumption)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        draws = subsamples(
            n,
            n_subsamples=number,
            sample_fraction=self.sample_fraction,
            complementary_pairs=self.complementary_pairs,
            weakness=self.weakness,
            seed=int(seed),
            sample_weight=s,
            groups=groups,
        )
        grid: dict[str, Any] = {"alphas": self.alphas}
        if isinstance(self.alphas, Integral):
            grid = {"n_alphas": self.alphas, "alpha_min_ratio": self.eps}
        found = stability_paths(
            X,
            y,
            draws,
            penalty=penalty,
            q=q,
            sample_weight=sample_weight,
            fit_intercept=self.fit_intercept,
            standardize=self.standardize,
            callback=self.callback,
            tol=self.tol,
            max_time=self.max_time,
            n_threads=self.n_threads,
            **grid,
        )
        self._keep(found, threshold, q, p, _validate.storage_bytes(X))

    def _penalty(self) -> Any:
        return penalties.ElasticNet(
            1.0,
            self.l1_ratio,
            weights=self.weights,
            lower=self.lower,
            upper=self.upper,
            positive=_validate.boolean("positive", self.positive),
        )

    def _keep(self, found: StabilityPath, threshold: float, q: int, p: int, x_bytes: int) -> None:
        self.alphas_ = found.alphas
        self.sparse_stability_path_ = found.probabilities
        self.stability_scores_ = found.scores
        self.threshold_, self.q_ = threshold, q
        self.n_subsamples_ = found.n_subsamples
        self.pfer_bound_ = 0.0
        if found.n_subsamples > 0:
            self.pfer_bound_ = pfer.pfer_bound(threshold, q, p, found.n_subsamples, self.assumption)
        self.status_ = found.stopped or "optimal"
        passes = found.report.n_passes + 1.0  # that of the columns' deviations
        read = found.report.bytes_read + x_bytes
        self.report_ = replace(found.report, n_passes=passes, bytes_read=read)
        if self.verbose:
            sys.stderr.write(
                f"StabilitySelection: {self._get_support_mask().sum()} of "
                f"{len(self.stability_scores_)} features in at least {threshold:g} of "
                f"{found.n_subsamples} subsamples of at most {q}, E(V) <= {self.pfer_bound_:.3g}, "
                f"{self.report_.n_passes:.3g} readings of X, {self.report_.seconds:.3g} s\n"
            )

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        if self.n_subsamples_ == 0:
            return np.zeros(len(self.stability_scores_), dtype=bool)
        counts = np.rint(self.stability_scores_ * self.n_subsamples_)
        return np.asarray(counts >= pfer.least_count(self.threshold_, self.n_subsamples_))

    @property
    def stability_path_(self) -> NDArray[np.float64]:
        """Share of subsets that select each feature at each alpha, (p, m)."""
        return np.asarray(self.sparse_stability_path_.toarray(), dtype=np.float64)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the shares along the path; see :func:`regsolve.plots.stability_path`."""
        from ..plots import stability_path

        check_is_fitted(self)
        options.setdefault("feature_names", getattr(self, "feature_names_in_", None))
        return stability_path(
            self.alphas_, self.sparse_stability_path_, self.threshold_, ax, **options
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        return tags

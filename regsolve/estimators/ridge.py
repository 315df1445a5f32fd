"""Ridge with scikit-learn's names, order and defaults; every number comes from regsolve.ridge."""

from __future__ import annotations

import sys
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _validate, penalties
from ..ridge import fit_ridge
from ..targets import solve_targets
from .predictor import FLOATS, leaves_no_trace, row_weights, training_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from ..solution import Progress

SOLVERS = ("auto", "svd", "cholesky", "lsqr", "sparse_cg", "sag", "saga", "lbfgs")
HEEDED = ("svd", "cholesky")


def checked_data(estimator: Any, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """X, y and weights as the solver takes them; NaN in X is found by its own first reading."""
    X, y = training_data(estimator, X, y, multi_output=True)
    return X, y, row_weights(sample_weight, X.shape[0])


class LinearPredictor(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A fitted linear model of one or several targets."""

    coef_: NDArray[np.float64]
    intercept_: Any

    def predict(self, X: Any) -> NDArray[np.float64]:
        """X @ coef_ + intercept_, (n,) or (n, n_targets)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc", "coo"], dtype=FLOATS, reset=False)
        linear: NDArray[np.float64] = np.asarray(X @ self.coef_.T + self.intercept_, dtype=float)
        return linear

    def _keep(self, y: Any, found: dict[str, Any]) -> None:
        """Keep coefs (T, p), intercepts (T,) and what proves them in the shapes of ``y``."""
        several = y.ndim == 2 and y.shape[1] > 1
        coefs, intercepts = found["coefs"], found["intercepts"]
        self.coef_ = np.ascontiguousarray(coefs if several else coefs[0])
        self.intercept_ = intercepts if y.ndim == 2 else np.float64(intercepts[0])
        if not self.fit_intercept:
            self.intercept_ = 0.0
        for name in ("certificate", "status", "report"):
            values = found[name]
            setattr(
                self, f"{name}_", values if several or not isinstance(values, list) else values[0]
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.multi_output = True
        return tags


class Ridge(LinearPredictor):
    """Linear regression with an L2 penalty, proven by a duality gap.

    Minimises, over w (p,) and the intercept b,

        sum_i s_i (y_i - x_i'w - b)^2 + alpha sum_j f_j (e_j w_j)^2,    lower <= w <= upper;

    e_j is 1, or the standard deviation of column j under ``standardize``. alpha stands against a
    sum over rows, as in scikit-learn; on the mean scale of :func:`regsolve.solve` and of
    ``certificate_`` it is alpha / sum_i s_i.

    Parameters
    ----------
    alpha : float >= 0 or (n_targets,), default 1.0
    fit_intercept : bool, default True
        The intercept is never penalised.
    copy_X, random_state
        Accepted as scikit-learn does; they do not change the answer, and X is never written.
    max_iter : int, optional
        Most steps of a fit within bounds; None: no limit.
    tol : float, default 1e-6
        On the duality gap over the objective of the null model.
    solver : str, default "auto"
        scikit-learn's names. "svd" and "cholesky" are heeded; the others mean "auto".
    positive : bool, default False
        Constrain w >= 0.
    weights : (p,), optional
        Penalty factors f_j in [0, inf]; 0: not penalised, inf: left out.
    lower, upper : float or (p,), optional
        Bounds on w, lower <= 0 <= upper.
    standardize : bool, default False
        e_j is the standard deviation of column j, about 0 without an intercept, not 1.
    n_threads : int, optional
        Default: the cores that the process may use.
    max_time : float, optional
        Seconds for a fit within bounds or with factors, after which the best iterate is kept.
    callback : function of Progress, optional
        Called by a fit within bounds or with factors; a true return ends it.
    verbose : bool or int, default False
        Say on standard error how the fit was made.

    Attributes
    ----------
    coef_ : (p,) float64, or (n_targets, p) where there are several
    intercept_ : float, or (n_targets,) with a 2-D y
    n_iter_ : (n_targets,) steps of a fit; 1 where one factorisation was the answer
    solver_ : str, the solver asked for; the mode of ``report_`` where that was "auto"
    status_ : str or list of str, "optimal" where ``tol`` is proven
    certificate_ : Certificate or list of them
    report_ : Report, or list of them for a fit within bounds
    n_features_in_, feature_names_in_

    Raises
    ------
    ValueError, TypeError
        Bad input or parameters; the message names them.
    """

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-6,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
        weights: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        standardize: bool = False,
        n_threads: int | None = None,
        max_time: float | None = None,
        callback: Callable[[Progress], Any] | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.max_iter = max_iter
        self.tol = tol
        self.solver = solver
        self.positive = positive
        self.random_state = random_state
        self.weights = weights
        self.lower = lower
        self.upper = upper
        self.standardize = standardize
        self.n_threads = n_threads
        self.max_time = max_time
        self.callback = callback
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Ridge:
        """Fit to X (n, p) and y (n,) or (n, n_targets)."""
        with leaves_no_trace(self):
            self._fit(X, y, sample_weight)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        self._check_parameters()
        X, y, sample_weight = checked_data(self, X, y, sample_weight)
        Y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        alphas = self._alphas(Y.shape[1])
        free = not self.positive and all(
            given is None for given in (self.weights, self.lower, self.upper)
        )
        found = (self._fit_free if free else self._fit_bounded)(X, Y, sample_weight, alphas)
        self._keep(y, found)
        first = np.atleast_1d(found["report"])[0]
        self.solver_ = first.mode if self.solver == "auto" else self.solver
        for report in np.atleast_1d(found["report"]) if self.verbose else []:
            sys.stderr.write(
                f"{type(self).__name__}: {report.mode}, {report.n_passes:.3g} readings of X, "
                f"{report.seconds:.3g} s; {report.why}\n"
            )

    def _fit_free(self, X: Any, Y: Any, sample_weight: Any, alphas: Any) -> dict[str, Any]:
        fitted = fit_ridge(
            X,
            Y,
            alphas,
            np.arange(Y.shape[1]),
            sample_weight=sample_weight,
            fit_intercept=self.fit_intercept,
            standardize=self.standardize,
            solver=self.solver if self.solver in HEEDED else "auto",
            tol=self.tol,
            n_threads=self.n_threads,
        )
        self.n_iter_ = np.full(Y.shape[1], max(1, fitted.report.n_epochs))
        return {
            "coefs": fitted.coefs.T,
            "intercepts": fitted.intercepts,
            "certificate": fitted.certificates,
            "status": fitted.statuses,
            "report": fitted.report,
        }

    def _fit_bounded(self, X: Any, Y: Any, sample_weight: Any, alphas: Any) -> dict[str, Any]:
        _validate.sample_weight(sample_weight, len(Y))
        total = len(Y) if sample_weight is None else float(np.sum(sample_weight))
        found = []
        same = bool(np.all(alphas == alphas[0]))
        for columns in [slice(None)] if same else [[t] for t in range(len(alphas))]:
            found += solve_targets(
                X,
                Y[:, columns],
                penalty=penalties.L2(
                    float(np.atleast_1d(alphas[columns])[0]) / total,
                    weights=self.weights,
                    lower=self.lower,
                    upper=self.upper,
                    positive=_validate.boolean("positive", self.positive),
                ),
                sample_weight=sample_weight,
                fit_intercept=self.fit_intercept,
                standardize=self.standardize,
                tol=self.tol,
                max_iter=self.max_iter,
                max_time=self.max_time,
                n_threads=self.n_threads,
                callback=self.callback,
            )
        reports = [one.report for one in found]
        self.n_iter_ = np.array([max(1, r.n_solves + r.n_epochs) for r in reports])
        return {
            "coefs": np.array([one.coef for one in found]),
            "intercepts": np.array([one.intercept for one in found]),
            "certificate": [one.certificate for one in found],
            "status": [one.status for one in found],
            "report": reports,
        }

    def _check_parameters(self) -> None:
        _validate.boolean("positive", self.positive)
        if self.callback is not None and not callable(self.callback):
            raise TypeError(f"callback={self.callback!r}: expected a function of one Progress")
        if isinstance(self.tol, bool) or not isinstance(self.tol, Real) or not self.tol > 0:
            raise ValueError(f"tol={self.tol!r}: expected a number > 0")
        if self.max_iter is not None:
            if not isinstance(self.max_iter, Integral):
                raise TypeError(f"max_iter={self.max_iter!r}: expected an integer or None")
            _validate.positive_integer("max_iter", self.max_iter)
        if self.max_time is not None:
            _validate.positive_number("max_time", self.max_time)
        if self.solver not in SOLVERS:
            raise ValueError(f"solver={self.solver!r}: expected one of {', '.join(SOLVERS)}")
        if self.solver == "lbfgs" and not self.positive:
            raise ValueError(
                "'lbfgs' solver can be used only when positive=True. "
                "Please use another solver, as 'auto'"
            )

    def _alphas(self, n_targets: int) -> NDArray[np.float64]:
        """One strength for each target."""
        try:
            alphas = np.asarray(self.alpha, dtype=np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"alpha={self.alpha!r}: expected a number or (n_targets,)") from None
        if isinstance(self.alpha, str | bool) or alphas.ndim > 1:
            raise TypeError(f"alpha={self.alpha!r}: expected a number or (n_targets,)")
        if not np.isfinite(alphas).all() or (alphas < 0).any():
            raise ValueError(f"alpha={self.alpha!r}: expected finite numbers >= 0")
        if alphas.size not in (1, n_targets):
            raise ValueError(
                "Number of targets and number of penalties do not correspond: "
                f"{alphas.size} != {n_targets}"
            )
        return np.array(np.broadcast_to(alphas.ravel(), (n_targets,)))

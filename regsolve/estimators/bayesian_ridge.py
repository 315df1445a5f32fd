"""BayesianRidge and ARDRegression with scikit-learn's names; every number is regsolve.bayes'."""

from __future__ import annotations

import sys
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted, validate_data

from ..bayes import evidence, relevance
from .predictor import FLOATS, LinearPredictor, row_weights, training_data

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]


class _Evidence(LinearPredictor):
    """What models fitted by evidence share: their checks and their predictions."""

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Fit to X (n, p), dense or sparse, and y (n,); weights count as repeated rows."""
        with self._unchanged_on_error():
            self._check_parameters()
            X, y = training_data(self, X, y, ensure_min_samples=self._least_rows)
            self._fit(X, y, row_weights(sample_weight, len(y)))
        return self

    _least_rows = 1

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        raise NotImplementedError

    @property
    def sigma_(self) -> Array:
        """Posterior covariance of the weights kept, (p, p) where none is left out."""
        check_is_fitted(self)
        if "_sigma" not in vars(self):
            self._sigma: Array = self._posterior.covariance
        return self._sigma

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Mean of the predictive distribution, (n,), and its deviation if asked.

        The variance is x'Sigma x + 1 / alpha, x less the means of the fit.
        """
        mean = super().predict(X)
        if not return_std:
            return mean
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=FLOATS, reset=False)
        return mean, np.sqrt(self._posterior.variances(X) + 1.0 / self.alpha_)

    def _check_parameters(self) -> None:
        if isinstance(self.max_iter, bool) or not isinstance(self.max_iter, Integral):
            raise TypeError(f"max_iter={self.max_iter!r}: expected an integer >= 1")
        if self.max_iter < 1:
            raise ValueError(f"max_iter={self.max_iter!r}: expected an integer >= 1")
        names = ["tol", "alpha_1", "alpha_2", "lambda_1", "lambda_2"]
        for name in names + [n for n in self._optional if getattr(self, n) is not None]:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real):
                raise TypeError(f"{name}={value!r}: expected a number >= 0")
            if not float(value) >= 0.0:
                raise ValueError(f"{name}={value!r}: expected a number >= 0")

    _optional: tuple[str, ...] = ()

    def _hyperpriors(self) -> evidence.Hyperpriors:
        return evidence.Hyperpriors(self.alpha_1, self.alpha_2, self.lambda_1, self.lambda_2)


class BayesianRidge(_Evidence):
    """Ridge regression whose strength is the one that makes the data most probable.

        y | w, b ~ N(Xw + b, 1 / (alpha_ s_i)),   w ~ N(0, I / lambda_),

    with gamma hyperpriors on both precisions, which MacKay's fixed point maximises. The weights'
    posterior mean is the ridge fit at strength lambda_ / alpha_ on scikit-learn's sum scale, and
    is proven as such.

    Parameters
    ----------
    max_iter : int, default 300
        Most passes of the fixed point.
    tol : float, default 1e-3
        It ends when sum_j |change of w_j| is below.
    alpha_1, alpha_2, lambda_1, lambda_2 : float >= 0, default 1e-6
        Shape and rate of the gamma hyperpriors on the precisions of noise and weights.
    alpha_init, lambda_init : float, optional
        Where to start; 1 / variance of y, and 1.
    compute_score : bool, default False
        Keep the log evidence of every pass.
    fit_intercept : bool, default True
        The intercept has a flat prior and no part in ``sigma_``.
    copy_X : bool, default True
        X is never written. For n < p, ``sigma_`` and deviations are formed from X when asked: from
        a copy kept at the fit, or from X itself.
    verbose : bool, default False
    n_threads : int, optional

    Attributes
    ----------
    coef_ : (p,) float64; intercept_ : float
    alpha_, lambda_ : float
        Precisions of the noise and of the weights.
    sigma_ : (p, p)
        Posterior covariance of the weights, formed when first asked.
    scores_ : (n_iter_ + 1,), or empty without ``compute_score``
    n_iter_ : int
    X_offset_, X_scale_ : (p,)
        Means that were subtracted; ones.
    certificate_, status_, report_
        The proof of the ridge fit.
    n_features_in_, feature_names_in_

    Raises
    ------
    ValueError, TypeError
        Bad input or parameters; the message names them.

    References
    ----------
    MacKay (1992), Bayesian interpolation. Tipping (2001), appendix A.
    """

    _optional = ("alpha_init", "lambda_init")

    def __init__(
        self,
        *,
        max_iter: int = 300,
        tol: float = 1e-3,
        alpha_1: float = 1e-6,
        alpha_2: float = 1e-6,
        lambda_1: float = 1e-6,
        lambda_2: float = 1e-6,
        alpha_init: float | None = None,
        lambda_init: float | None = None,
        compute_score: bool = False,
        fit_intercept: bool = True,
        copy_X: bool = True,
        verbose: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.max_iter = max_iter
        self.tol = tol
        self.alpha_1 = alpha_1
        self.alpha_2 = alpha_2
        self.lambda_1 = lambda_1
        self.lambda_2 = lambda_2
        self.alpha_init = alpha_init
        self.lambda_init = lambda_init
        self.compute_score = compute_score
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_threads = n_threads

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        found = evidence.maximise(
            X,
            y,
            self._hyperpriors(),
            alpha=self.alpha_init,
            lambda_=self.lambda_init,
            sample_weight=sample_weight,
            fit_intercept=self.fit_intercept,
            tol=self.tol,
            max_iter=int(self.max_iter),
            scores=bool(self.compute_score),
            copy=bool(self.copy_X),
            n_threads=self.n_threads,
        )
        self.coef_ = np.ascontiguousarray(found.fitted.coefs[:, 0])
        self.intercept_ = float(found.fitted.intercepts[0])
        self.alpha_, self.lambda_ = found.alpha, found.lambda_
        self.n_iter_, self.scores_ = found.n_iter, np.array(found.scores)
        self._posterior = found.posterior
        self.__dict__.pop("_sigma", None)
        self.X_offset_ = np.array(found.posterior.mean)
        self.X_scale_ = np.ones(len(self.coef_))
        self.certificate_ = found.fitted.certificates[0]
        self.status_, self.report_ = found.fitted.statuses[0], found.fitted.report
        if self.verbose:
            sys.stderr.write(
                f"BayesianRidge: {self.n_iter_} passes, {self.report_.mode}, "
                f"{self.report_.seconds:.3g} s; {self.report_.why}\n"
            )


class ARDRegression(_Evidence):
    """Linear regression with a precision for each weight: automatic relevance determination.

        y | w, b ~ N(Xw + b, 1 / (alpha_ s_i)),   w_j ~ N(0, 1 / lambda_j),

    the precisions at the maximum of the evidence by MacKay's fixed point. Weights whose precision
    passes ``threshold_lambda`` are left out for good.

    Parameters
    ----------
    max_iter : int, default 300
    tol : float, default 1e-3
        It ends when sum_j |change of w_j| is below.
    alpha_1, alpha_2, lambda_1, lambda_2 : float >= 0, default 1e-6
        Shape and rate of the gamma hyperpriors on the precisions of noise and weights.
    compute_score : bool, default False
        Keep the log evidence after every pass: the exact one, of the weights kept.
    threshold_lambda : float, default 1e4
    fit_intercept : bool, default True
    copy_X : bool, default True
        Accepted as scikit-learn does; X is never written.
    verbose : bool, default False
    n_threads : int, optional

    Attributes
    ----------
    coef_ : (p,) float64; intercept_ : float
    alpha_ : float, precision of the noise
    lambda_ : (p,), precisions of the weights
    sigma_ : (kept, kept), posterior covariance of the weights kept, formed when first asked
    scores_ : (n_iter_,), or empty without ``compute_score``
    n_iter_ : int
    X_offset_, X_scale_ : (p,)
    n_features_in_, feature_names_in_

    Raises
    ------
    ValueError, TypeError
        Bad input or parameters; the message names them.

    References
    ----------
    MacKay (1994), Bayesian nonlinear modeling for the prediction competition. Tipping (2001),
    Sparse Bayesian learning and the relevance vector machine.
    """

    _optional = ("threshold_lambda",)
    _least_rows = 2

    def __init__(
        self,
        *,
        max_iter: int = 300,
        tol: float = 1e-3,
        alpha_1: float = 1e-6,
        alpha_2: float = 1e-6,
        lambda_1: float = 1e-6,
        lambda_2: float = 1e-6,
        compute_score: bool = False,
        threshold_lambda: float = 1e4,
        fit_intercept: bool = True,
        copy_X: bool = True,
        verbose: bool = False,
        n_threads: int | None = None,
    ) -> None:
        self.max_iter = max_iter
        self.tol = tol
        self.alpha_1 = alpha_1
        self.alpha_2 = alpha_2
        self.lambda_1 = lambda_1
        self.lambda_2 = lambda_2
        self.compute_score = compute_score
        self.threshold_lambda = threshold_lambda
        self.fit_intercept = fit_intercept
        self.copy_X = copy_X
        self.verbose = verbose
        self.n_threads = n_threads

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        found = relevance.maximise(
            X,
            y,
            self._hyperpriors(),
            threshold=float(self.threshold_lambda),
            sample_weight=sample_weight,
            fit_intercept=self.fit_intercept,
            tol=self.tol,
            max_iter=int(self.max_iter),
            scores=bool(self.compute_score),
            n_threads=self.n_threads,
        )
        self.coef_, self.intercept_ = found.coef, found.intercept
        self.alpha_, self.lambda_ = found.alpha, found.lambdas
        self.n_iter_, self.scores_ = found.n_iter, np.array(found.scores)
        self._posterior = found.posterior
        self.__dict__.pop("_sigma", None)
        self.X_offset_ = np.array(found.mean)
        self.X_scale_ = np.ones(len(self.coef_))
        if self.verbose:
            sys.stderr.write(
                f"ARDRegression: {self.n_iter_} passes, {int(found.kept.sum())} of "
                f"{len(self.coef_)} weights kept\n"
            )

"""Adapters of scikit-learn, of its Intel extension, and of LIBLINEAR, which scikit-learn ships."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import scipy.sparse as sp

from bench.adapter import Design, Fit, Library, steps
from bench.problems import Problem, Vector


class ScikitLearn(Library):
    """sklearn.linear_model.enet_path: this objective; stops at gap <= tol ||y||^2 / n.

    So tol is half a relative gap. One thread in coordinate descent; the Gram matrix (dense X with
    n > p, timed) uses BLAS threads. Dense X is centred by hand, sparse X through X_offset.
    """

    name, package = "scikit-learn", "sklearn"
    tolerances = steps(3, 10)

    def refuses(self, problem: Problem) -> str:
        """l1_ratio = 0."""
        return "does not take l1_ratio = 0" if problem.l1_ratio == 0.0 else ""

    def _prepare(self, problem: Problem) -> Design:
        return Design.of(problem, centre_dense=True, centre_y=True)

    def _path(self, prepared: Design, alphas: Vector, tol: float) -> Fit:
        from sklearn.linear_model import enet_path

        X, means = prepared.X, prepared.x_means
        options: dict[str, Any] = {"precompute": X.shape[0] > X.shape[1]}
        if sp.issparse(X):
            options = {"precompute": False, "X_offset": means, "X_scale": np.ones(len(means))}
        _, coefs, _ = enet_path(
            X,
            prepared.y,
            l1_ratio=prepared.problem.l1_ratio,
            alphas=alphas,
            tol=tol,
            max_iter=10**8,
            copy_X=False,
            **options,
        )
        return prepared.fit(coefs)


class ScikitLearnIntelex(Library):
    """daal4py's ElasticNet, the oneDAL solver: this objective, one fit an alpha, dense n >= p only.

    ``sklearnex.patch_sklearn`` no longer touches Lasso and ElasticNet: they are daal4py's classes,
    which hand sparse or wide X back to scikit-learn. Both are refused here, so that what is timed
    is oneDAL. Its tol is on the change of the coefficients in one sweep, relative to them (scaling
    X or y leaves the sweeps as they are). Every alpha starts from zero, since with warm_start the
    solver stops where it starts. oneDAL makes its own X'X a fit; ``threads`` by daalinit.
    """

    name, package = "scikit-learn-intelex", "daal4py"
    tolerances = steps(2, 12)

    def available(self) -> bool:
        """Whether daal4py is here with the scikit-learn classes."""
        return super().available() and importlib.util.find_spec("sklearnex") is not None

    def refuses(self, problem: Problem) -> str:
        """Sparse and wide X, and l1_ratio = 0."""
        if problem.l1_ratio == 0.0:
            return "does not take l1_ratio = 0"
        if sp.issparse(problem.X):
            return "hands sparse X back to scikit-learn"
        n, p = problem.X.shape
        return "hands X with more columns than rows back to scikit-learn" if n < p else ""

    def _prepare(self, problem: Problem) -> Design:
        return Design.of(problem, centre_dense=True, centre_y=True)

    def _path(self, prepared: Design, alphas: Vector, tol: float) -> Fit:
        import daal4py
        from daal4py.sklearn.linear_model import ElasticNet

        daal4py.daalinit(self.threads)
        model = ElasticNet(
            l1_ratio=prepared.problem.l1_ratio,
            fit_intercept=False,
            tol=tol,
            max_iter=10**6,
            copy_X=False,
        )
        coefs = np.zeros((prepared.X.shape[1], len(alphas)))
        for k, alpha in enumerate(alphas):
            coefs[:, k] = model.set_params(alpha=alpha).fit(prepared.X, prepared.y).coef_
        return prepared.fit(coefs)


class Liblinear(Library):
    """LIBLINEAR through sklearn's LinearSVR: ridge alone, l1_ratio = 0, one fit an alpha.

    With no insensitive band its L2-loss regression is ||w||^2 / 2 + C ||y - X w||^2, which is this
    objective over alpha with C = 1 / (2 n alpha). Its l1 penalty goes with the logistic and the
    squared hinge loss only, so every l1_ratio > 0 is refused; so is sparse X with an intercept,
    which it would penalise (dense X is centred by hand). Trust-region Newton in the primal;
    tol is the norm of the gradient over that at w = 0. One thread.
    """

    name, package = "liblinear", "sklearn"
    tolerances = steps(1, 10)

    def refuses(self, problem: Problem) -> str:
        """Any l1 term, and sparse X with an intercept."""
        if problem.l1_ratio > 0.0:
            return "has no l1 penalty for the squared loss"
        own_intercept = sp.issparse(problem.X) and problem.fit_intercept
        return "penalises the intercept that sparse X needs" if own_intercept else ""

    def _prepare(self, problem: Problem) -> Design:
        design = Design.of(problem, centre_dense=True, centre_y=True)
        layout = sp.csr_matrix if sp.issparse(design.X) else np.ascontiguousarray
        design.extra["X"] = layout(design.X)
        return design

    def _path(self, prepared: Design, alphas: Vector, tol: float) -> Fit:
        from sklearn.svm import LinearSVR

        y = prepared.y
        model = LinearSVR(
            epsilon=0.0,
            loss="squared_epsilon_insensitive",
            dual=False,
            fit_intercept=False,
            tol=tol,
            max_iter=10**6,
        )
        coefs = np.zeros((prepared.X.shape[1], len(alphas)))
        for k, alpha in enumerate(alphas):
            model.set_params(C=1.0 / (2.0 * len(y) * alpha))
            coefs[:, k] = model.fit(prepared.extra["X"], y).coef_
        return prepared.fit(coefs)

"""Adapters of the libraries of generalised linear models: adelie and glum."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from bench.adapter import Design, Fit, Library, steps
from bench.problems import Problem, Vector


class Adelie(Library):
    """adelie.grpnet: this objective (its lambda is alpha, its alpha is l1_ratio), unit groups.

    tol bounds the weighted squared change of a sweep over var(y); there is no gap in it. Early exit
    is off; ``n_threads`` is passed on. Dense X with n >= 4 p goes to gaussian_cov, on the
    Gram matrix of the centred X (timed, BLAS threads), which is far faster there but refuses
    l1_ratio = 0.
    """

    name, package = "adelie", "adelie"
    tolerances = steps(5, 17, 2)

    def _prepare(self, problem: Problem) -> Design:
        import adelie

        n, p = problem.X.shape
        if not sp.issparse(problem.X) and n >= 4 * p and problem.l1_ratio > 0.0:
            return Design.of(problem, centre_dense=True, centre_y=True)
        design = Design.of(problem)
        view = adelie.matrix.sparse if sp.issparse(design.X) else adelie.matrix.dense
        design.extra["X"] = view(design.X, method="naive", n_threads=self.threads)
        return design

    def _path(self, prepared: Design, alphas: Vector, tol: float) -> Fit:
        import adelie

        y, intercept = prepared.y, prepared.problem.fit_intercept
        options: dict[str, Any] = {
            "alpha": prepared.problem.l1_ratio,
            "lmda_path": alphas,
            "max_iters": 10**9,
            "early_exit": False,
            "progress_bar": False,
            "n_threads": self.threads,
        }
        if "X" not in prepared.extra:
            X, n = prepared.X, len(y)
            gram, scale = np.asfortranarray(X.T @ X / n), float(y @ y) / n
            state = adelie.gaussian_cov(gram, X.T @ y / n, tol=tol * scale, rdev_tol=0.0, **options)
            return prepared.fit(sp.csc_matrix(state.betas.T))
        loss = adelie.glm.gaussian(y)
        state = adelie.grpnet(prepared.extra["X"], loss, tol=tol, intercept=intercept, **options)
        return prepared.fit(sp.csc_matrix(state.betas.T), np.asarray(state.intercepts))


class Glum(Library):
    """glum, normal family, solver irls-cd: this objective; tol is on the largest subgradient.

    That is absolute on the mean scale, so tol is multiplied by max_j |x_j'(y - mean y)| / n. It
    centres X itself; threads by OpenMP's environment. It holds a p x p Hessian.
    """

    name, package = "glum", "glum"
    tolerances = steps(2, 9)

    def _prepare(self, problem: Problem) -> Design:
        design = Design.of(problem)
        design.extra["scale"] = design.largest_gradient()
        return design

    def _path(self, prepared: Design, alphas: Vector, tol: float) -> Fit:
        from glum import GeneralizedLinearRegressor

        problem = prepared.problem
        model = GeneralizedLinearRegressor(
            l1_ratio=problem.l1_ratio,
            fit_intercept=problem.fit_intercept,
            family="normal",
            solver="irls-cd",
            alpha_search=True,
            alpha=list(alphas),
            max_iter=10_000,
            max_inner_iter=10**9,
            gradient_tol=tol * prepared.extra["scale"],
        )
        model.fit(prepared.X, prepared.y)
        return prepared.fit(np.asarray(model.coef_path_).T, np.asarray(model.intercept_path_))

"""One adapter a library, all minimising the objective of :class:`bench.problems.Problem`.

    ||y - X w - b||^2 / (2 n) + alpha [ l1_ratio ||s w||_1 + (1 - l1_ratio) ||s w||^2 / 2 ]

To add a library: write an adapter (bench/adapter.py says what one is) and put it in ``LIBRARIES``;
tests/test_bench.py then holds it to the same objective.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from bench.adapter import Design, Fit, Library
from bench.glmnet import Glmnet
from bench.problems import Problem, Vector


def _steps(loose: int, tight: int, by: int = 1) -> tuple[float, ...]:
    """Tolerances 10^-loose, ..., 10^-tight."""
    return tuple(10.0**-k for k in range(loose, tight + 1, by))


class Zeros(Library):
    """The floor: all coefficients zero, intercept mean(y); relative gap 0 only at alpha_max."""

    name, package, peer = "zeros", "numpy", False
    tolerances = (1.0,)

    def _path(self, prepared: Problem, alphas: Vector, tol: float) -> Fit:  # noqa: ARG002
        m, p = len(alphas), prepared.X.shape[1]
        level = float(prepared.y.mean()) if prepared.fit_intercept else 0.0
        return Fit(sp.csc_matrix((p, m)), np.full(m, level))


class Regsolve(Library):
    """regsolve.path: this very objective; tol is relative gap; ``n_threads`` is passed on."""

    name, package, peer, solver = "regsolve", "regsolve", False, "auto"
    tolerances = _steps(9, 14)

    def available(self) -> bool:
        """Whether regsolve is built here."""
        import regsolve

        return hasattr(regsolve, "path")

    def _path(self, prepared: Problem, alphas: Vector, tol: float) -> Fit:
        import regsolve
        from regsolve.penalties import ElasticNet

        path = regsolve.path(
            prepared.X,
            prepared.y,
            penalty=ElasticNet(l1_ratio=prepared.l1_ratio),
            alphas=alphas,
            fit_intercept=prepared.fit_intercept,
            standardize=prepared.standardize,
            tol=tol,
            n_threads=self.threads,
            solver=self.solver,
        )
        return Fit(path.coefs, path.intercepts, n_passes=path.report.n_passes)


class RegsolveCd(Regsolve):
    """regsolve.path with solver="cd", coordinate descent; swept like a peer."""

    name, solver = "regsolve-cd", "cd"
    tolerances = _steps(3, 9)


class ScikitLearn(Library):
    """sklearn.linear_model.enet_path: this objective; stops at gap <= tol ||y||^2 / n.

    So tol is half a relative gap. One thread in coordinate descent; the Gram matrix (dense X with
    n > p, timed) uses BLAS threads. Dense X is centred by hand, sparse X through X_offset.
    """

    name, package, takes_ridge = "scikit-learn", "sklearn", False
    tolerances = _steps(3, 10)

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


class Celer(Library):
    """celer.celer_path: this objective; stops at gap <= tol ||y||^2 / n, so tol is half relative.

    Its gap is taken at its own extrapolated dual point; the judge builds one from the residual, and
    may find a larger gap. One thread. X is centred by hand when dense and through X_offset when
    sparse; pruning is on, as in its estimators.
    """

    name, package, takes_ridge = "celer", "celer", False
    tolerances = _steps(3, 13)

    def _prepare(self, problem: Problem) -> Design:
        return Design.of(problem, centre_dense=True, centre_y=True)

    def _path(self, prepared: Design, alphas: Vector, tol: float) -> Fit:
        from celer import celer_path

        options: dict[str, Any] = {}
        if sp.issparse(prepared.X) and prepared.problem.fit_intercept:
            options = {"X_offset": prepared.x_means, "X_scale": np.ones(len(prepared.x_means))}
        _, coefs, _ = celer_path(
            prepared.X,
            prepared.y,
            "lasso",
            alphas=alphas,
            l1_ratio=prepared.problem.l1_ratio,
            tol=tol,
            max_iter=10_000,
            max_epochs=1_000_000,
            prune=True,
            **options,
        )
        return prepared.fit(coefs)


class Skglm(Library):
    """skglm AndersonCD path: this objective; stops at max subgradient distance <= its tolerance.

    That is absolute on the mean scale, so tol is multiplied by max_j |x_j'(y - mean y)| / n. One
    thread (Numba without parallel loops). Dense X is centred; sparse X has its own intercept.
    """

    name, package = "skglm", "skglm"
    tolerances = _steps(2, 9)

    def _prepare(self, problem: Problem) -> Design:
        design = Design.of(problem, centre_dense=True, centre_y=True)
        design.extra["scale"] = design.largest_gradient()
        return design

    def _path(self, prepared: Design, alphas: Vector, tol: float) -> Fit:
        from skglm.datafits import Quadratic
        from skglm.penalties import L1_plus_L2
        from skglm.solvers import AndersonCD

        own = bool(sp.issparse(prepared.X) and prepared.problem.fit_intercept)
        solver = AndersonCD(
            max_iter=10_000,
            max_epochs=1_000_000,
            fit_intercept=own,
            tol=tol * prepared.extra["scale"],
        )
        penalty = L1_plus_L2(alphas[0], prepared.problem.l1_ratio)
        coefs = solver.path(prepared.X, prepared.y, Quadratic(), penalty, alphas)[1]
        if own:
            return prepared.fit(coefs[:-1], coefs[-1] + prepared.y_mean)
        return prepared.fit(coefs)


class Adelie(Library):
    """adelie.grpnet: this objective (its lambda is alpha, its alpha is l1_ratio), unit groups.

    tol bounds the weighted squared change of a sweep over var(y); there is no gap in it. Early exit
    is off; ``n_threads`` is passed on. Dense X with n >= 4 p goes to gaussian_cov, on the
    Gram matrix of the centred X (timed, BLAS threads), which is far faster there.
    """

    name, package = "adelie", "adelie"
    tolerances = _steps(5, 17, 2)

    def _prepare(self, problem: Problem) -> Design:
        import adelie

        n, p = problem.X.shape
        if not sp.issparse(problem.X) and n >= 4 * p:
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
    tolerances = _steps(2, 9)

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


LIBRARIES: dict[str, type[Library]] = {
    kind.name: kind
    for kind in (Zeros, Regsolve, RegsolveCd, ScikitLearn, Celer, Skglm, Adelie, Glum, Glmnet)
}

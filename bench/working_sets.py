"""Adapters of the solvers by working sets and extrapolation: celer and skglm."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from bench.adapter import Design, Fit, Library, steps
from bench.problems import Problem, Vector


class Celer(Library):
    """celer.celer_path: this objective; stops at gap <= tol ||y||^2 / n, so tol is half relative.

    Its gap is taken at its own extrapolated dual point; the judge builds one from the residual, and
    may find a larger gap. One thread. X is centred by hand when dense and through X_offset when
    sparse; pruning is on, as in its estimators.
    """

    name, package = "celer", "celer"
    tolerances = steps(3, 13)

    def refuses(self, problem: Problem) -> str:
        """l1_ratio = 0."""
        return "does not take l1_ratio = 0" if problem.l1_ratio == 0.0 else ""

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
    tolerances = steps(2, 9)

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

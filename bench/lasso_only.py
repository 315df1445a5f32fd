"""Adapters of libraries that take the lasso but no elastic net: PICASSO and Snap ML."""

from __future__ import annotations

import time

import numpy as np
import scipy.sparse as sp

from bench.adapter import Design, Fit, Library, steps
from bench.problems import Problem, Vector


class _LassoOnly(Library):
    """X and y centred by hand: neither library has an intercept that is both free and sparse."""

    def refuses(self, problem: Problem) -> str:
        """Any l2 term, and sparse X with an intercept."""
        if problem.l1_ratio < 1.0:
            return "takes l1_ratio = 1 only"
        own_intercept = sp.issparse(problem.X) and problem.fit_intercept
        return "takes no sparse X with an intercept" if own_intercept else ""

    def _prepare(self, problem: Problem) -> Design:
        return Design.of(problem, centre_dense=True, centre_y=True)


class Picasso(_LassoOnly):
    """pycasso.Solver, family "gaussian", penalty "l1": this objective at l1_ratio = 1, dense X.

    prec, our tol, bounds the change of the objective by one coordinate over the null deviance, as
    in glmnet; there is no gap in it. X'X or residuals by its own "auto" rule. The
    constructor, which copies and checks X, needs the alphas: it is left out of the time.
    One thread.
    """

    name, package = "picasso", "pycasso"
    tolerances = steps(3, 21, 2)

    def refuses(self, problem: Problem) -> str:
        """Any l2 term, and sparse X."""
        if sp.issparse(problem.X):
            return "takes dense X only"
        return super().refuses(problem)

    def _path(self, prepared: Design, alphas: Vector, tol: float) -> Fit:
        import pycasso

        solver = pycasso.Solver(
            prepared.X,
            prepared.y,
            lambdas=alphas,
            useintercept=False,
            standardize=False,
            prec=tol,
            max_ite=10**9,
        )
        start = time.perf_counter()
        solver.train()
        seconds = time.perf_counter() - start
        return prepared.fit(solver.result["beta"].T, seconds=seconds)


class SnapMl(_LassoOnly):
    """snapml.LinearRegression, primal: n times this objective at l1_ratio = 1, one fit an alpha.

    Its regularizer is n alpha. It reads X and y as float32 (no gap below about 1e-7), warm
    starts nothing, and penalises an intercept of its own, which is why sparse X is taken without
    one only. tol is on the change of the coefficients, relative to them (scaling X or y leaves the
    gap as it is). ``n_jobs`` threads.
    """

    name, package = "snapml", "snapml"
    tolerances = steps(2, 8)

    def _prepare(self, problem: Problem) -> Design:
        design = super()._prepare(problem)
        X = design.X
        single = X.astype(np.float32) if sp.issparse(X) else np.asfortranarray(X, dtype=np.float32)
        design.extra["X"] = single
        return design

    def _path(self, prepared: Design, alphas: Vector, tol: float) -> Fit:
        from snapml import LinearRegression

        n, p = prepared.X.shape
        coefs = np.zeros((p, len(alphas)))
        for k, alpha in enumerate(alphas):
            model = LinearRegression(
                regularizer=n * alpha,
                penalty="l1",
                dual=False,
                tol=tol,
                max_iter=10**6,
                n_jobs=self.threads,
            )
            coefs[:, k] = np.ravel(model.fit(prepared.extra["X"], prepared.y).coef_)
        return prepared.fit(coefs)

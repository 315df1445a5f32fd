"""certificate.hpp and regsolve.certificate, written apart, give one verdict on any coefficients."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from problems import nasty

import regsolve
from regsolve import _core, _validate
from regsolve._call import make_ready


def both(X, y, penalty, coef, intercept, **options):
    """Verdicts (primal, dual, gap, relative gap, KKT violation) of the two judges."""
    ready = make_ready(
        X,
        y,
        penalty,
        options.get("loss", regsolve.losses.Quadratic()),
        options.get("sample_weight"),
        options.get("offset"),
        options.get("fit_intercept", True),
        options.get("standardize", False),
    )
    ours = _core.judge(ready.setup, penalty.alpha, np.ascontiguousarray(coef), float(intercept))
    python = regsolve.verify(X, y, coef, intercept, penalty=penalty, **options)
    return ours, (
        python.primal,
        python.dual,
        python.gap,
        python.relative_gap,
        python.kkt_violation,
    )


def constant_columns(problem):
    """Features that the core leaves out: without weighted deviation (or all zero)."""
    design = _validate.design(problem.X)
    weight = problem.options.get("sample_weight")
    weight = np.ones(problem.X.shape[0]) if weight is None else np.asarray(weight, float)
    return design.matrix.statistics(weight / weight.sum(), problem.options["fit_intercept"])[1] == 0


@pytest.mark.parametrize("seed", range(200))
def test_they_agree_on_random_problems(seed):
    """At the null model, at a random point inside the bounds, and near the optimum."""
    problem = nasty(seed)
    p = problem.X.shape[1]
    alpha = float(problem.alphas[len(problem.alphas) // 2])
    penalty = problem.penalty(alpha)
    rng = np.random.default_rng(seed)
    lower, upper = penalty.bounds(p)
    w = np.clip(rng.standard_normal(p), lower, upper)
    w[constant_columns(problem)] = 0.0  # the core's coordinates have no place for them
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", regsolve.ConvergenceWarning)
        best = regsolve.solve(
            problem.X, problem.y, penalty=penalty, **problem.options, max_time=2.0
        )
    for coef, intercept in ((np.zeros(p), 0.0), (w, 0.3), (best.coef, best.intercept)):
        if not problem.options["fit_intercept"]:
            intercept = 0.0
        ours, python = both(problem.X, problem.y, penalty, coef, intercept, **problem.options)
        size = abs(python[0]) + float(np.mean(np.square(problem.y)))
        if size < 1e-25 * float(np.sum(np.square(coef)) + 1.0):
            continue  # y is zero: all figures are rounding
        if np.isfinite(python[0]) and size > 0:
            assert abs(ours[0] - python[0]) <= 1e-9 * size, problem.label
        null = python[2] / python[3] if python[3] else np.inf  # P0
        if np.isfinite(python[3]) and np.isfinite(ours[3]) and null > 1e-12 * size:
            assert abs(ours[3] - python[3]) <= 1e-6 * (1.0 + python[3]), problem.label


def test_they_agree_to_rounding_where_the_problem_is_well_conditioned():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 20)), rng.standard_normal(60)
    weights = rng.random(20)
    weights[3] = 0.0
    options = {"sample_weight": rng.random(60), "offset": rng.standard_normal(60)}
    for l1_ratio in (0.0, 0.3, 1.0):
        penalty = regsolve.penalties.ElasticNet(0.05, l1_ratio, weights=weights, upper=0.2)
        for coef in (np.zeros(20), np.minimum(rng.standard_normal(20), 0.2)):
            ours, python = both(X, y, penalty, coef, 0.1, **options)
            np.testing.assert_allclose(ours, python, rtol=1e-11, atol=1e-13)

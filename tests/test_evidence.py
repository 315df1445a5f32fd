"""BayesianRidge and ARDRegression: the evidence is at its maximum, and is scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import optimize, sparse, stats
from sklearn import linear_model

from regsolve import ARDRegression, BayesianRidge, verify
from regsolve.bayes import evidence
from regsolve.penalties import L2

SHAPES = pytest.mark.parametrize(("n", "p"), [(60, 12), (30, 70), (25, 25)])
FLAT = dict.fromkeys(("alpha_1", "alpha_2", "lambda_1", "lambda_2"), 0.0)


def noisy(n: int, p: int) -> tuple[Any, Any, Any]:
    X, y = regression(n, p, seed=n)
    rng = np.random.default_rng(p)
    return X, y + 2.0 * y.std() * rng.standard_normal(n), rng.integers(1, 4, n).astype(float)


def log_marginal(X: Any, y: Any, alpha: float, variances: Any) -> float:
    """log p(y - mean | alpha, variances of the weights), by its definition."""
    Z = X - X.mean(axis=0)
    covariance = np.eye(len(y)) / alpha + (Z * variances) @ Z.T
    return float(stats.multivariate_normal(np.zeros(len(y)), covariance).logpdf(y - y.mean()))


@SHAPES
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_bayesian_ridge_as_scikit_learn(n: int, p: int, weighted: bool, intercept: bool) -> None:
    X, y, s = noisy(n, p)
    s = s if weighted else None
    options = {"fit_intercept": intercept, "compute_score": True, "tol": 1e-8}
    ours = BayesianRidge(**options).fit(X, y, s)
    theirs = linear_model.BayesianRidge(**options).fit(X, y, s)
    assert ours.n_iter_ == theirs.n_iter_
    for name in ("coef_", "alpha_", "lambda_", "intercept_", "X_offset_", "X_scale_", "sigma_"):
        np.testing.assert_allclose(
            getattr(ours, name), getattr(theirs, name), rtol=1e-6, atol=1e-9, err_msg=name
        )
    # scikit-learn takes its last score at the weights of the pass before
    np.testing.assert_allclose(ours.scores_[:-1], theirs.scores_[:-1], rtol=1e-7)
    np.testing.assert_allclose(ours.scores_[-1], theirs.scores_[-1], rtol=1e-5)
    mean, deviation = ours.predict(X[:7] + 0.3, return_std=True)
    expected, spread = theirs.predict(X[:7] + 0.3, return_std=True)
    np.testing.assert_allclose(mean, expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(deviation, spread, rtol=1e-7)
    penalty = L2(ours.lambda_ / ours.alpha_ / (n if s is None else s.sum()))
    proof = verify(
        X,
        y,
        ours.coef_,
        ours.intercept_,
        penalty=penalty,
        sample_weight=s,
        fit_intercept=intercept,
    )
    assert proof.relative_gap < 1e-10


@SHAPES
@pytest.mark.parametrize("factors_from", [1, 1000])
def test_evidence_is_at_a_maximum(
    n: int, p: int, factors_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "FACTORS_FROM", factors_from)
    X, y, _ = noisy(n, p)
    model = BayesianRidge(**FLAT, tol=1e-9, max_iter=10000, compute_score=True).fit(X, y)
    own = log_marginal(X, y, model.alpha_, 1.0 / model.lambda_)
    np.testing.assert_allclose(model.scores_[-1], own, rtol=1e-9)

    def negative(logs: Any) -> float:
        return -log_marginal(X, y, np.exp(logs[0]), np.exp(-logs[1]))

    start = np.log([model.alpha_, model.lambda_])
    best = optimize.minimize(negative, start, method="Nelder-Mead", options={"xatol": 1e-7})
    assert own >= -best.fun - 1e-6
    expected = BayesianRidge(**FLAT, tol=1e-9, max_iter=10000).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-6 * np.abs(model.coef_).max())


@SHAPES
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_array, np.float32])
def test_kinds_of_x(n: int, p: int, kind: Any) -> None:
    X, y, _ = noisy(n, p)
    X = X.astype(np.float32)
    for model in (BayesianRidge(), ARDRegression()):
        expected, deviation = model.fit(X.astype(float), y).predict(X, return_std=True)
        mean, other = model.fit(kind(X), y).predict(kind(X), return_std=True)
        np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(other, deviation, rtol=1e-5)


def test_a_wide_fit_keeps_its_own_x() -> None:
    X, y, _ = noisy(10, 30)
    kept, shared = X.copy(), X.copy()
    copied = BayesianRidge().fit(kept, y)
    expected = BayesianRidge().fit(X, y).sigma_
    kept[:] = 0.0
    np.testing.assert_allclose(copied.sigma_, expected, rtol=1e-9, atol=1e-16)
    own = BayesianRidge(copy_X=False).fit(shared, y).sigma_
    np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1e-16)


@pytest.mark.parametrize(("n", "p"), [(80, 12), (40, 55)])
def test_relevance_as_scikit_learn(n: int, p: int) -> None:
    X, y, _ = noisy(n, p)
    options = {"threshold_lambda": 100.0, "max_iter": 40}
    ours = ARDRegression(**options, compute_score=True).fit(X, y)
    theirs = linear_model.ARDRegression(**options).fit(X, y)
    kept = ours.lambda_ < 100.0
    np.testing.assert_array_equal(kept, theirs.lambda_ < 100.0)
    own = log_marginal(X, y, ours.alpha_, np.where(kept, 1.0 / ours.lambda_, 0.0))
    peer = log_marginal(X, y, theirs.alpha_, np.where(kept, 1.0 / theirs.lambda_, 0.0))
    assert own >= peer - 1e-6
    assert ours.scores_[-1] == pytest.approx(own, abs=1e-2)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ours.sigma_, theirs.sigma_, rtol=1e-5, atol=1e-9)
    expected = theirs.predict(X, return_std=True)
    np.testing.assert_allclose(ours.predict(X, return_std=True), expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("model", [BayesianRidge(), ARDRegression()], ids=repr)
@pytest.mark.parametrize("n", [12, 200])
def test_nasty_columns(model: Any, n: int) -> None:
    X, y, s = noisy(n, 20)
    X[:, 3], X[:, 4], X[:, 5] = X[:, 2], 7.0, X[:, 2] + 1e7
    model.fit(X, y, s)
    mean, deviation = model.predict(X, return_std=True)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(mean).all()
    assert (deviation >= model.alpha_**-0.5).all()
    shifted = model.coef_.copy()
    again = model.fit(X, y + 1e6, s)
    np.testing.assert_allclose(again.coef_, shifted, rtol=1e-4, atol=1e-5)


def test_one_row_and_a_constant_target() -> None:
    model = BayesianRidge().fit(np.ones((1, 2)), [3.0])
    np.testing.assert_allclose(model.predict(np.zeros((1, 2))), 3.0)
    model = BayesianRidge().fit(np.eye(4), np.full(4, 2.0))
    np.testing.assert_allclose(model.coef_, 0.0, atol=1e-12)
    model = ARDRegression().fit(np.eye(4), np.full(4, 2.0))
    np.testing.assert_allclose(model.predict(np.eye(4)), 2.0)


def test_bad_parameters_are_named() -> None:
    X, y, _ = noisy(20, 3)
    for name, value in (("tol", -1.0), ("max_iter", 0), ("alpha_1", -1.0), ("lambda_init", -2.0)):
        with pytest.raises(ValueError, match=name):
            BayesianRidge(**{name: value}).fit(X, y)
    X[2, 1] = np.nan
    with pytest.raises(ValueError, match="column 1"):
        ARDRegression().fit(X, y)

"""Features without penalty that depend on each other, and targets far from zero beside them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import sparse

import regsolve
from regsolve.penalties import L1, ElasticNet


@pytest.mark.parametrize("seed", [65, 1217, 1579])
def test_dummies_beside_the_intercept_do_not_drift(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, 10))
    X[:, :3] = np.eye(3)[rng.integers(0, 3, 60)]
    y = rng.standard_normal(60) + X[:, 0]
    penalty = ElasticNet(1.0, 0.1, weights=np.r_[0.0, 0.0, 0.0, np.ones(7)])
    path = regsolve.path(X, y, penalty=penalty)
    assert set(path.statuses) == {"optimal"}
    assert np.abs(path.coefs.data).max() < 10.0
    for k in (0, 50, 99):
        coef = path.coefs[:, [k]].toarray().ravel()
        judged = regsolve.verify(
            X, y, coef, path.intercepts[k], penalty=penalty.with_alpha(path.alphas[k])
        )
        assert judged.relative_gap < 1e-9


@pytest.mark.parametrize("mean", [1e4, 1e6, 1e8])
def test_a_column_of_ones_is_an_intercept(mean: float) -> None:
    rng = np.random.default_rng(0)
    Z, noise = rng.standard_normal((40, 5)), rng.standard_normal(40)
    A, y = np.column_stack([np.ones(40), Z]), Z[:, 1] + noise + mean
    penalty = L1(0.04, weights=[0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    own = regsolve.path(A, y, penalty=penalty, fit_intercept=False)
    fitted = regsolve.path(Z, y)
    np.testing.assert_allclose(own.deviance_ratio, fitted.deviance_ratio, atol=1e-7)
    assert own.select("bic", A, y).alpha == pytest.approx(fitted.select("bic", Z, y).alpha)
    one = regsolve.solve(A, y, penalty=penalty, fit_intercept=False)
    judged = regsolve.verify(A, y, one.coef, penalty=penalty, fit_intercept=False)
    assert one.status == "optimal"
    assert one.certificate.primal == pytest.approx(judged.primal, rel=1e-8)


def test_bounded_columns_that_cancel_are_not_called_optimal() -> None:
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = np.zeros((20, 3))
        X[-1, 0], X[-1, 2] = rng.standard_normal(2)
        X[:, 1] = rng.standard_normal(20)
        y = rng.standard_normal(20)
        penalty = L1(0.01, weights=[0.0, 0.0, 0.0], positive=True)
        found = claimed(X, y, penalty)
        judged = regsolve.verify(X, y, found.coef, found.intercept, penalty=penalty)
        assert found.status != "optimal" or judged.relative_gap < 1e-5


def claimed(X: np.ndarray, y: np.ndarray, penalty: L1) -> regsolve.Solution:
    """The answer, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return regsolve.solve(X, y, penalty=penalty)


@pytest.mark.parametrize("kind", [np.asfortranarray, sparse.csc_matrix])
@pytest.mark.parametrize("factor", [2.0, np.inf, 0.0])
def test_one_factor_for_all(factor: float, kind: type) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 40))
    y = X[:, 0] + rng.standard_normal(20)
    one = claimed(kind(X[:, :5]), y, L1(0.1, weights=factor))
    each = claimed(kind(X[:, :5]), y, L1(0.1, weights=np.full(5, factor)))
    np.testing.assert_array_equal(one.coef, each.coef)
    model = regsolve.Lasso(0.1, weights=factor).fit(X[:, :5], y)
    np.testing.assert_allclose(model.coef_, each.coef, rtol=1e-12)

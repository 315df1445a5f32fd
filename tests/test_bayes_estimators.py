"""BayesianRidge, ARDRegression and BayesianLasso inside scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from regsolve import ARDRegression, BayesianLasso, BayesianRidge


def fitted_exactly(estimator: Any) -> dict[str, str]:
    """Checks whose few repeated rows X fits exactly, so that sigma has no posterior."""
    if not isinstance(estimator, BayesianLasso):
        return {}
    reason = "rows fitted exactly: sigma falls to nothing, and draws differ by their rounding"
    return {
        f"check_sample_weight_equivalence_on_{kind}_data": reason for kind in ("dense", "sparse")
    }


@parametrize_with_checks(
    [
        BayesianRidge(),
        BayesianRidge(fit_intercept=False, compute_score=True),
        ARDRegression(),
        BayesianLasso(),
        BayesianLasso("horseshoe"),
    ],
    expected_failed_checks=fitted_exactly,
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("shape", [(5, 9), (7, 3), (6, 6), (12, 11)])
@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 1e8])
def test_nothing_to_explain(shape: tuple[int, int], value: float) -> None:
    X, y = np.random.default_rng(0).standard_normal(shape), np.full(shape[0], value)
    for model in (BayesianRidge(compute_score=True), ARDRegression(compute_score=True)):
        mean, deviation = model.fit(X, y).predict(X, return_std=True)
        assert not model.coef_.any()
        assert model.alpha_ > 0.0
        np.testing.assert_allclose(mean, value)
        assert np.isfinite(deviation).all()
        assert np.isfinite(model.sigma_).all()


def test_weights_that_sum_to_less_than_the_features() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 5))
    y = X @ rng.standard_normal(5)
    for model in (BayesianRidge(compute_score=True), ARDRegression(compute_score=True)):
        model.fit(X, y, np.full(50, 1.0 / 50))
        assert model.alpha_ > 0.0
        assert np.isfinite(model.scores_).all()


@pytest.mark.parametrize("scale", [1e160, 1e300])
def test_weights_whose_squares_overflow(scale: float) -> None:
    """Of so many rows the priors make nothing: least squares, which no proof in float64 reaches."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 8))
    y = X[:, 0] + rng.standard_normal(60)
    s = rng.uniform(0.5, 2.0, 60)
    wanted = BayesianRidge().fit(X, y, s * 1e10)
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.warns(ConvergenceWarning, match="missed tol"),
    ):
        model = BayesianRidge().fit(X, y, s * scale)
    np.testing.assert_allclose(model.coef_, wanted.coef_, rtol=1e-6)
    assert model.alpha_ == pytest.approx(wanted.alpha_, rel=1e-6)
    assert model.lambda_ == pytest.approx(wanted.lambda_, rel=1e-6)

"""BayesianRidge, ARDRegression and BayesianLasso inside scikit-learn."""

from __future__ import annotations

from typing import Any

from sklearn.utils.estimator_checks import parametrize_with_checks

from regsolve import ARDRegression, BayesianLasso, BayesianRidge


@parametrize_with_checks(
    [
        BayesianRidge(),
        BayesianRidge(fit_intercept=False, compute_score=True),
        ARDRegression(),
        BayesianLasso(),
        BayesianLasso("horseshoe"),
    ]
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)

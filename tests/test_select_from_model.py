"""Every sparse estimator as the model of scikit-learn's SelectFromModel.

Its default threshold is 1e-5 where the class has "Lasso" in its name, or is ElasticNet or
ElasticNetCV with an l1_ratio of 1; else the mean of the moduli. Zeros here are exact, so that any
threshold below the least non-zero coefficient selects the support.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import sparse
from sklearn.base import clone
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from regsolve import AdaptiveLasso, ElasticNet, ElasticNetCV, Lasso, LassoCV, RelaxedLasso

L1_MODELS = [
    Lasso(0.3),
    ElasticNet(0.3, l1_ratio=1.0),
    LassoCV(selection_rule="1se", cv=3),
    ElasticNetCV(l1_ratio=1.0, selection_rule="1se", cv=3),
    ElasticNetCV(l1_ratio=[1.0], cv=3),
    RelaxedLasso(selection_rule="1se", cv=3),
    AdaptiveLasso(cv=3),
    AdaptiveLasso(initial="lasso", cv=3),
]
MIXED_MODELS = [
    ElasticNet(0.3),
    ElasticNetCV(l1_ratio=0.5, selection_rule="1se", cv=3),
    ElasticNetCV(l1_ratio=[0.1, 0.5], cv=3),
]
TINY = float(np.finfo(np.float64).tiny)


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    return regression(120, 40, seed=3)


@pytest.mark.parametrize("model", L1_MODELS, ids=str)
def test_default_threshold_selects_the_support(model: Any, data: Any) -> None:
    X, y = data
    fitted = clone(model).fit(X, y)
    selector = SelectFromModel(model).fit(X, y)
    if not isinstance(model, ElasticNetCV) or isinstance(model, LassoCV):
        assert selector.threshold_ == 1e-5  # told of the unfitted ElasticNetCV: the mean
    np.testing.assert_array_equal(selector.get_support(), fitted.coef_ != 0.0)
    kept = np.flatnonzero(fitted.coef_)
    assert 0 < len(kept) < 40
    np.testing.assert_array_equal(selector.transform(X), X[:, kept])


@pytest.mark.parametrize("model", MIXED_MODELS, ids=str)
def test_a_mixed_penalty_needs_a_threshold_for_its_support(model: Any, data: Any) -> None:
    X, y = data
    coef = clone(model).fit(X, y).coef_
    by_mean = SelectFromModel(model).fit(X, y)
    assert by_mean.threshold_ == pytest.approx(np.abs(coef).mean())
    support = SelectFromModel(model, threshold=TINY).fit(X, y).get_support()
    np.testing.assert_array_equal(support, coef != 0.0)
    assert by_mean.get_support().sum() <= support.sum()


@pytest.mark.parametrize("model", [*L1_MODELS, *MIXED_MODELS], ids=str)
@pytest.mark.parametrize("stored", [sparse.csc_matrix, sparse.csr_array])
def test_sparse_weighted_and_fitted_before(model: Any, stored: Any, data: Any) -> None:
    X, y = data
    X = np.where(np.abs(X) > 0.5, X, 0.0)
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    given = stored(X)
    fitted = clone(model).fit(given, y, sample_weight=s)
    selector = SelectFromModel(fitted, prefit=True, threshold=TINY)
    small = selector.transform(given)
    assert sparse.issparse(small)
    np.testing.assert_array_equal(small.toarray(), X[:, fitted.coef_ != 0.0])
    again = SelectFromModel(model, threshold=TINY).fit(given, y, sample_weight=s)
    np.testing.assert_array_equal(again.get_support(), fitted.coef_ != 0.0)


@pytest.mark.parametrize("model", L1_MODELS, ids=str)
def test_names_and_most_features(model: Any, data: Any) -> None:
    X, y = data
    selector = SelectFromModel(model, max_features=3, threshold=-np.inf).fit(X, y)
    largest = np.sort(np.argsort(-np.abs(selector.estimator_.coef_), kind="stable")[:3])
    names = np.array([f"gene {j}" for j in range(40)], dtype=object)
    np.testing.assert_array_equal(selector.get_feature_names_out(names), names[largest])


def test_columns_of_large_scale_need_a_smaller_threshold(data: Any) -> None:
    X, y = data
    model = LassoCV(standardize=True).fit(1e6 * X, y)
    assert model.coef_.any()
    with pytest.warns(UserWarning, match="No features were selected"):
        assert SelectFromModel(model, prefit=True).transform(1e6 * X).shape == (120, 0)
    kept = SelectFromModel(model, prefit=True, threshold=TINY).get_support()
    np.testing.assert_array_equal(kept, model.coef_ != 0.0)


def test_in_a_search(data: Any) -> None:
    X, y = data
    pipe = make_pipeline(SelectFromModel(LassoCV(cv=3)), LinearRegression())
    models = [LassoCV(cv=3), RelaxedLasso(cv=3), AdaptiveLasso(cv=3)]
    search = GridSearchCV(pipe, {"selectfrommodel__estimator": models}, cv=3).fit(X, y)
    assert search.best_score_ > 0.5
    assert len(search.cv_results_["mean_test_score"]) == 3

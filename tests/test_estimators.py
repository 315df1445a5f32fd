"""Lasso and ElasticNet inside scikit-learn: its contract, its answers, its tools."""

from __future__ import annotations

import pickle
import re
import warnings
from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import sparse
from sklearn import config_context, linear_model
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import regsolve
from regsolve import ElasticNet, Lasso, enet_path, lasso_path, verify
from regsolve.penalties import ElasticNet as Penalty


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    return regression(80, 25, seed=3)


@parametrize_with_checks([Lasso(), ElasticNet(), Lasso(alpha=0.1, positive=True)])
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("sparse_kind", [np.asarray, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", [{}, {"positive": True}, {"fit_intercept": False}], ids=str)
@pytest.mark.parametrize("ratio", [1.0, 0.3])
def test_same_answer_as_scikit_learn(
    data: Any, ratio: float, options: dict[str, Any], weighted: bool, sparse_kind: Any
) -> None:
    X, y = data
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y)) if weighted else None
    ours = ElasticNet(0.1, l1_ratio=ratio, tol=1e-10, **options).fit(sparse_kind(X), y, s)
    theirs = linear_model.ElasticNet(0.1, l1_ratio=ratio, tol=1e-12, max_iter=100_000, **options)
    theirs.fit(X, y, s)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-5)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-6)


def test_attributes(data: Any) -> None:
    X, y = data
    model = Lasso(0.2).fit(X, y)
    assert model.coef_.shape == (25,)
    assert model.coef_.dtype == np.float64
    assert isinstance(model.intercept_, float)
    assert model.n_iter_ >= 1
    assert model.n_features_in_ == 25
    judged = verify(X, y, model.coef_, model.intercept_, penalty=Penalty(0.2, 1.0))
    assert judged.relative_gap <= 1e-6
    assert model.certificate_.relative_gap <= 1e-6
    assert model.dual_gap_ == model.certificate_.gap
    np.testing.assert_array_equal(model.sparse_coef_.toarray(), model.coef_[None, :])
    assert model.report_.mode == "gram"


def test_targets_are_independent_problems(data: Any) -> None:
    X, y = data
    Y = np.column_stack([y, -2.0 * y + X[:, 3], X[:, 0]])
    both = Lasso(0.1).fit(X, Y)
    assert both.coef_.shape == (3, 25)
    assert both.predict(X).shape == (80, 3)
    for t in range(3):
        one = Lasso(0.1).fit(X, Y[:, t])
        np.testing.assert_allclose(both.coef_[t], one.coef_, atol=1e-12)
    assert len(both.certificate_) == len(both.n_iter_) == 3


def test_own_parameters_reach_the_solver(data: Any) -> None:
    X, y = data
    weights = np.ones(25)
    weights[2], weights[4] = 0.0, np.inf
    model = Lasso(0.3, weights=weights, lower=-0.5, upper=0.4, standardize=True).fit(X, y)
    assert model.coef_[2] != 0.0
    assert model.coef_[4] == 0.0
    assert model.coef_.min() >= -0.5
    assert model.coef_.max() <= 0.4
    seen: list[float] = []
    Lasso(0.3, callback=lambda progress: seen.append(progress.alpha)).fit(X, y)
    assert seen == [0.3]


def test_warm_start_begins_where_it_was(data: Any) -> None:
    X, y = data
    model = Lasso(0.1, warm_start=True).fit(X, y)
    cold = Lasso(0.09).fit(X, y)
    warm = model.set_params(alpha=0.09).fit(X, y)
    np.testing.assert_allclose(warm.coef_, cold.coef_, atol=1e-9)


def test_a_failed_fit_leaves_the_estimator(data: Any) -> None:
    X, y = data
    model = Lasso(0.1).fit(X, y)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full((5, 3), np.nan), np.ones(5))
    assert vars(model) == before

    def stop(_: Any) -> None:
        raise KeyboardInterrupt

    model.callback = stop
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, :3], y)
    assert model.n_features_in_ == 25


def test_clone_pickle_and_repr(data: Any) -> None:
    X, y = data
    model = ElasticNet(0.1, l1_ratio=0.7, weights=np.ones(25)).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert not hasattr(clone(model), "coef_")
    assert re.search("ElasticNet", model._repr_html_())
    with pytest.raises(NotFittedError):
        clone(model).predict(X)


def test_at_home_in_pipelines_and_searches(data: Any) -> None:
    X, y = data
    pipe = make_pipeline(StandardScaler(), Lasso())
    search = GridSearchCV(pipe, {"lasso__alpha": [0.01, 0.1, 1.0]}, cv=3, n_jobs=2).fit(X, y)
    assert search.best_params_["lasso__alpha"] in (0.01, 0.1)
    assert cross_val_score(Lasso(0.05), X, y, n_jobs=2).mean() > 0.5
    TransformedTargetRegressor(ElasticNet(0.1), transformer=StandardScaler()).fit(X, y)


def test_data_frames_and_names(data: Any) -> None:
    pandas = pytest.importorskip("pandas")
    X, y = data
    frame = pandas.DataFrame(X, columns=[f"x{j}" for j in range(25)])
    model = Lasso(0.1).fit(frame, pandas.Series(y))
    assert list(model.feature_names_in_) == list(frame.columns)
    np.testing.assert_allclose(model.coef_, Lasso(0.1).fit(X, y).coef_, atol=1e-12)
    chosen = ColumnTransformer([("scale", StandardScaler(), ["x0", "x1"])], remainder="passthrough")
    make_pipeline(chosen, Lasso(0.1)).fit(frame, y)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[frame.columns[::-1]])


def test_sample_weight_is_routed(data: Any) -> None:
    X, y = data
    s = np.r_[np.ones(40), np.zeros(40)]
    with config_context(enable_metadata_routing=True):
        model = Lasso(0.1).set_fit_request(sample_weight=True)
        pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        pipe.fit(X, y, sample_weight=s)
    half = Lasso(0.1).fit(StandardScaler().fit(X).transform(X)[:40], y[:40])
    np.testing.assert_allclose(pipe[-1].coef_, half.coef_, atol=1e-9)


def test_verbose_says_how_it_went(data: Any, capsys: Any) -> None:
    Lasso(0.1, verbose=True).fit(*data)
    said = capsys.readouterr().err
    assert re.search(r"Lasso: optimal, \d+ non-zeros, relative gap .* readings of X", said)


def test_too_little_time_warns_and_keeps_the_best() -> None:
    X, y = regression(400, 4000, rho=0.95)
    with pytest.warns(regsolve.ConvergenceWarning, match="time_limit"):
        model = Lasso(1e-4, max_time=1e-3).fit(X, y)
    assert np.isfinite(model.certificate_.relative_gap)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("alpha", "big", TypeError),
        ("alpha", -1.0, ValueError),
        ("l1_ratio", 1.5, ValueError),
        ("tol", True, TypeError),
        ("max_iter", 1.5, TypeError),
        ("selection", "greedy", ValueError),
        ("lower", 1.0, ValueError),
    ],
)
def test_bad_parameters_are_named(data: Any, name: str, value: Any, error: Any) -> None:
    with pytest.raises(error, match=name):
        ElasticNet(**{name: value}).fit(*data)


@pytest.mark.parametrize("ratio", [1.0, 0.4])
def test_path_functions_give_scikit_learns_triple(data: Any, ratio: float) -> None:
    X, y = data
    X, y = X - X.mean(axis=0), y - y.mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = linear_model.enet_path(
            X, y, l1_ratio=ratio, eps=1e-2, alphas=20, tol=1e-12, max_iter=100_000
        )
    ours = enet_path(X, y, l1_ratio=ratio, eps=1e-2, alphas=20, tol=1e-10)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-9)
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-5)
    assert ours[2].shape == theirs[2].shape
    assert np.all(ours[2] >= 0)
    alphas, coefs, gaps, steps = lasso_path(X, y, alphas=[0.5, 0.1], return_n_iter=True)
    assert coefs.shape == (25, 2)
    assert len(alphas) == len(gaps) == len(steps) == 2


def test_path_of_several_targets(data: Any) -> None:
    X, y = data
    alphas, coefs, gaps = lasso_path(X, np.column_stack([y, 2.0 * y]), alphas=8)
    assert coefs.shape == (2, 25, 8)
    assert gaps.shape == (2, 8)
    np.testing.assert_allclose(coefs[1], lasso_path(X, 2.0 * y, alphas=alphas)[1], atol=1e-9)


@pytest.mark.parametrize(
    "model",
    [Lasso(), ElasticNet(), regsolve.LassoCV(cv=3), regsolve.LassoIC(), regsolve.Ridge(),
     regsolve.RidgeCV(), regsolve.StabilitySelection(q=3, n_subsamples=4),
     regsolve.NormBallRegression(1.0), regsolve.BayesianLasso(n_samples=10)],
)  # fmt: skip
def test_errors_name_columns_of_data_frames(model: Any) -> None:
    frame = load_diabetes(as_frame=True)
    X, y = frame.data.copy(), frame.target
    X.loc[3, "bmi"] = np.nan
    with pytest.raises(ValueError, match=r"column 2 \('bmi'\): impute") as raised:
        model.fit(X, y)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)
    assert not hasattr(model, "coef_")
    with pytest.raises(ValueError, match=r"column 2: impute"):
        model.fit(X.to_numpy(), y)


@pytest.mark.parametrize(
    ("model", "name"),
    [(Lasso(warm_start="no"), "warm_start"), (regsolve.Ridge(positive="no"), "positive"),
     (regsolve.Ridge(positive=None), "positive"), (regsolve.Ridge(callback=3), "callback"),
     (regsolve.RidgeCV(store_cv_results="no"), "store_cv_results"),
     (regsolve.RidgeCV(alpha_per_target="no"), "alpha_per_target"),
     (regsolve.StabilitySelection(q=3, complementary_pairs="no"), "complementary_pairs"),
     (regsolve.BayesianLasso(random_state=-1), "random_state"),
     (Lasso(True), "alpha")],
)  # fmt: skip
def test_words_are_no_switches(data: Any, model: Any, name: str) -> None:
    with pytest.raises((TypeError, ValueError), match=name):
        model.fit(*data)


@pytest.mark.filterwarnings("ignore:the chains have not mixed")
def test_samplers_heed_numpys_seed(data: Any) -> None:
    draws = []
    for _ in range(2):
        np.random.seed(3)  # noqa: NPY002
        draws.append(regsolve.BayesianLasso(n_samples=5, n_warmup=2, n_chains=2).fit(*data).coef_)
    np.testing.assert_array_equal(*draws)

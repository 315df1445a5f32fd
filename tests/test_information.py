"""LassoIC and ElasticNetIC: their choices and their place in scikit-learn."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import LassoLarsIC
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import regsolve
from regsolve import ElasticNetIC, LassoIC, verify
from regsolve.criteria import CRITERIA
from regsolve.penalties import ElasticNet as Penalty


@parametrize_with_checks([LassoIC(), ElasticNetIC("bic"), LassoIC("alo"), ElasticNetIC("gcv")])
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("shape", [(80, 12), (50, 150)], ids=str)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_matrix, sparse.csr_array])
def test_the_choice_is_the_criterion_s_and_proven(
    criterion: str, shape: tuple[int, int], kind: Any
) -> None:
    X, y = regression(*shape, seed=2)
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    A = kind(X)
    model = ElasticNetIC(criterion, l1_ratio=0.7, standardize=True).fit(A, y, s)
    found = model.path_.select(criterion, A, y, sample_weight=s)
    np.testing.assert_array_equal(model.criterion_, found.values)
    np.testing.assert_array_equal(model.df_, found.df)
    assert model.alpha_ == model.alphas_[np.argmin(model.criterion_)] == found.alpha
    assert model.noise_variance_ == found.noise_variance
    judged = verify(
        A,
        y,
        model.coef_,
        model.intercept_,
        penalty=Penalty(model.alpha_, 0.7),
        sample_weight=s,
        standardize=True,
    )
    assert judged.relative_gap <= 1e-6
    assert model.certificate_.relative_gap <= 1e-6
    assert model.dual_gap_ == model.certificate_.gap
    assert model.status_ == "optimal"
    assert model.report_.n_passes > 0.0
    assert model.n_iter_ >= 1
    assert model.coef_.shape == (shape[1],)


@pytest.mark.parametrize("criterion", ["aic", "bic"])
def test_near_lasso_lars_ic(criterion: str) -> None:
    X, y = load_diabetes(return_X_y=True)
    theirs = LassoLarsIC(criterion).fit(X, y)
    ours = LassoIC(criterion, alphas=1000).fit(X, y)
    assert ours.noise_variance_ == pytest.approx(theirs.noise_variance_, rel=1e-9)
    assert ours.alpha_ == pytest.approx(theirs.alpha_, rel=0.01)
    np.testing.assert_array_equal(ours.coef_ != 0.0, theirs.coef_ != 0.0)
    assert ours.criterion_.min() == pytest.approx(theirs.criterion_.min(), rel=1e-5)
    fixed = LassoIC(criterion, noise_variance=3000.0).fit(X, y)
    assert fixed.noise_variance_ == 3000.0


def test_at_home_in_scikit_learn(capsys: Any) -> None:
    X, y = regression(90, 25, seed=3)
    model = LassoIC("ebic", verbose=True).fit(X, y)
    assert re.search(r"LassoIC: alpha .* by ebic, \d+ non-zeros", capsys.readouterr().err)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.path_.select("bic", X, y).alpha == model.path_.select("bic", X, y).alpha
    assert not hasattr(clone(model), "coef_")
    assert not hasattr(LassoIC(), "l1_ratio")
    kept = SelectFromModel(LassoIC("ebic")).fit(X, y).get_support()
    assert 9 <= kept.sum() <= 16
    s = np.r_[np.ones(60), np.zeros(30)]
    with config_context(enable_metadata_routing=True):
        part = LassoIC("bic").set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        pipe = make_pipeline(scaler, part).fit(X, y, sample_weight=s)
    alone = make_pipeline(StandardScaler(), LassoIC("bic")).fit(X[:60], y[:60])
    np.testing.assert_allclose(pipe[-1].coef_, alone[-1].coef_, atol=1e-9)


def test_own_parameters_reach_the_solver() -> None:
    X, y = regression(60, 6, seed=1)
    weights = np.array([0.0, 1.0, np.inf, 1.0, 1.0, 1.0])
    model = LassoIC("gcv", weights=weights, upper=0.4, alphas=[0.5, 0.05]).fit(X, y)
    assert model.coef_[2] == 0.0
    assert model.coef_.max() <= 0.4
    np.testing.assert_array_equal(model.alphas_, [0.5, 0.05])
    assert LassoIC("bic", positive=True).fit(X, y).coef_.min() >= 0.0
    few = LassoIC(callback=lambda progress: progress.step >= 10).fit(*regression(40, 200))
    assert len(few.alphas_) == len(few.criterion_) < 100


def test_an_interrupted_criterion_keeps_the_path(monkeypatch: Any) -> None:
    X, y = regression(60, 20)
    wanted = LassoIC("bic").fit(X, y).path_
    model = LassoIC("bic")

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("regsolve.criteria.examine", interrupted)
    with pytest.raises(regsolve.Interrupted) as stop:
        model.fit(X, y)
    assert type(stop.value.result) is regsolve.Path
    np.testing.assert_array_equal(stop.value.result.coefs.toarray(), wanted.coefs.toarray())
    assert type(stop.value.__cause__) is KeyboardInterrupt
    assert not hasattr(model, "coef_")


def test_plot_marks_the_choice() -> None:
    X, y = load_diabetes(return_X_y=True)
    for criterion in CRITERIA:
        model = ElasticNetIC(criterion).fit(X, y)
        ax = model.plot()
        curve = ax.get_lines()[0]
        np.testing.assert_array_equal(curve.get_ydata(), model.criterion_)
        (mark,) = (line for line in ax.get_lines() if "least" in str(line.get_label()))
        assert mark.get_xdata()[0] == model.alpha_
        assert ax.get_ylabel()
        assert ax.child_axes


def test_at_eps_of_one_all_alphas_are_the_largest() -> None:
    X, y = regression(30, 4)
    model = LassoIC(eps=1.0, alphas=3).fit(X, y)
    np.testing.assert_allclose(model.alphas_, model.path_.alpha_max, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"criterion": "dic"}, ValueError, "criterion='dic'"),
        ({"gamma": -1.0}, ValueError, "gamma"),
        ({"noise_variance": 0.0}, ValueError, "noise_variance"),
        ({"l1_ratio": "half"}, TypeError, "l1_ratio"),
        ({"l1_ratio": 2.0}, ValueError, "l1_ratio"),
        ({"l1_ratio": 0.0}, ValueError, "l1_ratio=0"),
        ({"alphas": 0}, ValueError, "alphas"),
        ({"eps": 0.0}, ValueError, "^eps=0"),
        ({"eps": 2.0}, ValueError, r"^eps=2.0: expected a number in \(0, 1\]"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(options: Any, error: Any, match: str) -> None:
    X, y = regression(30, 4)
    model = ElasticNetIC().fit(X, y)
    before = {name: value for name, value in vars(model).items() if name.endswith("_")}
    with pytest.raises(error, match=match):
        model.set_params(**options).fit(X, y)
    assert {name: value for name, value in vars(model).items() if name.endswith("_")} == before


def test_sparse_data_are_not_made_dense() -> None:
    """A dense copy would take 1.6 GB; the estimator's arrays stay far below."""
    import tracemalloc

    rng = np.random.default_rng(0)
    X = sparse.random(20_000, 10_000, density=1e-3, format="csc", rng=rng)
    y = X[:, :20] @ np.ones(20) + 0.1 * rng.standard_normal(20_000)
    tracemalloc.start()
    model = LassoIC("ebic", alphas=10, eps=0.3).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6
    assert np.count_nonzero(model.coef_[:20]) >= 10
    assert isinstance(regsolve.estimators.LassoIC(), ElasticNetIC)

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


@parametrize_with_checks(
    [
        LassoIC(),
        ElasticNetIC("bic"),
        LassoIC("alo"),
        ElasticNetIC("gcv"),
        ElasticNetIC(l1_ratio=[0.5, 1.0]),
    ]
)
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


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("shape", [(80, 12), (50, 150)], ids=str)
@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_matrix])
def test_l1_ratios_are_compared_at_one_noise_variance(
    criterion: str, shape: tuple[int, int], kind: Any
) -> None:
    X, y = regression(*shape, seed=4)
    A, s, ratios = kind(X), np.random.default_rng(1).uniform(0.5, 2.0, len(y)), [0.2, 0.6, 1.0]
    model = ElasticNetIC(criterion, l1_ratio=ratios, tol=1e-9).fit(A, y, s)
    each = [ElasticNetIC(criterion, l1_ratio=ratio, tol=1e-9).fit(A, y, s) for ratio in ratios]
    least_aicc = [ElasticNetIC("aicc", l1_ratio=ratio, tol=1e-9).fit(A, y, s) for ratio in ratios]
    if model.noise_variance_ is not None:
        best = min(range(3), key=lambda r: least_aicc[r].criterion_.min())
        assert model.noise_variance_ == pytest.approx(each[best].noise_variance_, rel=1e-6)
    assert model.criterion_.shape == model.df_.shape == model.alphas_.shape == (3, 100)
    for r, one in enumerate(each):
        np.testing.assert_allclose(model.alphas_[r], one.alphas_, rtol=1e-10)
        alone = one.path_.select(
            criterion, A, y, sample_weight=s, noise_variance=model.noise_variance_
        )
        finite = np.isfinite(alone.values)
        np.testing.assert_array_equal(np.isfinite(model.criterion_[r]), finite)
        np.testing.assert_allclose(model.criterion_[r][finite], alone.values[finite], rtol=1e-5)
    r, k = np.unravel_index(np.argmin(model.criterion_), (3, 100))
    assert model.l1_ratio_ == ratios[r]
    assert model.alpha_ == model.alphas_[r, k] == model.path_.alphas[k]
    penalty = Penalty(model.alpha_, model.l1_ratio_)
    judged = verify(A, y, model.coef_, model.intercept_, penalty=penalty, sample_weight=s)
    assert judged.relative_gap <= 1e-9


def test_l1_ratios_share_readings(capsys: Any) -> None:
    X, y = regression(60, 600, seed=5)
    ratios = [0.3, 0.5, 0.8, 1.0]
    model = ElasticNetIC("bic", l1_ratio=ratios, verbose=True).fit(X, y)
    assert re.search(r"alpha .*, l1_ratio .* by bic, .* by all paths", capsys.readouterr().err)
    alone = sum(ElasticNetIC("bic", l1_ratio=r).fit(X, y).report_.n_passes for r in ratios)
    assert model.report_.n_passes < 0.7 * alone
    given = ElasticNetIC("bic", l1_ratio=ratios, alphas=[0.3, 0.1]).fit(X, y)
    np.testing.assert_array_equal(given.alphas_, [0.3, 0.1])
    assert given.criterion_.shape == (4, 2)
    curve = model.plot().get_lines()[0]
    chosen = ratios.index(model.l1_ratio_)
    np.testing.assert_array_equal(curve.get_ydata(), model.criterion_[chosen])


def test_one_l1_ratio_in_a_list_is_that_number() -> None:
    X, y = regression(40, 60, seed=6)
    one, listed = (ElasticNetIC("ebic", l1_ratio=r).fit(X, y) for r in (0.4, [0.4]))
    np.testing.assert_array_equal(one.coef_, listed.coef_)
    np.testing.assert_array_equal(one.criterion_, listed.criterion_)
    assert one.criterion_.shape == one.alphas_.shape == (100,)
    assert one.l1_ratio_ == listed.l1_ratio_ == 0.4
    assert not hasattr(LassoIC().fit(X, y), "l1_ratio_")


def test_paths_of_l1_ratios_that_are_stopped_are_cut_to_the_shortest() -> None:
    X, y = regression(40, 200, seed=7)
    stop = ElasticNetIC(l1_ratio=[0.5, 1.0], callback=lambda progress: progress.step >= 10)
    model = stop.fit(X, y)
    m = model.alphas_.shape[1]
    assert model.criterion_.shape == model.df_.shape == model.alphas_.shape == (2, m)
    assert 1 <= m < 100
    assert model.status_ == "interrupted"
    assert model.plot().get_lines()[0].get_xdata().shape == (m,)


def test_an_interrupted_choice_among_l1_ratios_keeps_the_paths(monkeypatch: Any) -> None:
    X, y = regression(60, 20)

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("regsolve.criteria.examine", interrupted)
    with pytest.raises(regsolve.Interrupted) as stop:
        ElasticNetIC("bic", l1_ratio=[0.5, 1.0]).fit(X, y)
    assert [len(path.alphas) for path in stop.value.result] == [100, 100]


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
        ({"l1_ratio": [0.5, 0.0]}, ValueError, "l1_ratio=0"),
        ({"l1_ratio": [0.5, "half"]}, TypeError, "l1_ratio='half'"),
        ({"l1_ratio": []}, ValueError, "l1_ratio=\\[\\]: expected a number or a list"),
        ({"l1_ratio": [[0.5]]}, ValueError, "l1_ratio=.*: expected a number or a list"),
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

"""The estimators under scikit-learn's tools: routing, frames, workers, memory maps, HTML."""

from __future__ import annotations

import pickle
import re
from typing import Any

import joblib
import numpy as np
import pytest
from problems import regression
from scipy import sparse
from sklearn import config_context, linear_model
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from regsolve import (
    ElasticNet,
    Lasso,
    LassoCV,
    LassoIC,
    RidgeCV,
    StabilitySelection,
    enet_path,
    lasso_path,
)

NAMES = [f"x{j}" for j in range(25)]


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    return regression(80, 25, seed=3)


# --- sample weights through a search -----------------------------------------------------------


def test_search_in_a_pipeline_routes_weights(data: Any) -> None:
    """Weights that are zero on some rows: the best model is that of the other rows alone."""
    X, y = data
    s = np.tile([1.0, 1.0, 0.0, 2.0], 20)
    with config_context(enable_metadata_routing=True):
        model = Lasso().set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), model)
        search = GridSearchCV(pipe, {"lasso__alpha": [0.02, 0.2]}, cv=KFold(4))
        search.fit(X, y, sample_weight=s)
    held = s > 0
    scaler = StandardScaler().fit(X[held], sample_weight=s[held])
    best = search.best_params_["lasso__alpha"]
    alone = Lasso(best).fit(scaler.transform(X[held]), y[held], s[held])
    np.testing.assert_allclose(search.best_estimator_[-1].coef_, alone.coef_, atol=1e-10)
    scores = [search.cv_results_[f"split{k}_test_score"] for k in range(4)]
    for (train, test), found in zip(KFold(4).split(X), scores, strict=True):
        for alpha, score in zip([0.02, 0.2], found, strict=True):
            inner = make_pipeline(StandardScaler(), Lasso(alpha))
            inner.fit(
                X[train],
                y[train],
                lasso__sample_weight=s[train],
                standardscaler__sample_weight=s[train],
            )
            assert inner.score(X[test], y[test], sample_weight=s[test]) == pytest.approx(score)


def test_weights_without_a_request_are_refused(data: Any) -> None:
    X, y = data
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(Lasso(), {"alpha": [0.1]})
        with pytest.raises(UnsetMetadataPassedError):
            search.fit(X, y, sample_weight=np.ones(80))
        assert "check_input" not in str(Lasso().get_metadata_routing().fit.requests)


def test_cross_validate_passes_weights(data: Any) -> None:
    X, y = data
    s = np.random.default_rng(0).uniform(0.1, 2.0, 80)
    found = cross_validate(Lasso(0.1), X, y, params={"sample_weight": s}, return_estimator=True)
    for (train, _), model in zip(KFold(5).split(X), found["estimator"], strict=True):
        alone = Lasso(0.1).fit(X[train], y[train], s[train])
        np.testing.assert_array_equal(model.coef_, alone.coef_)


# --- frames ------------------------------------------------------------------------------------


def frame_of(kind: str, X: Any) -> tuple[Any, Any]:
    """A data frame of X, and the kind's Series."""
    library = pytest.importorskip(kind)
    columns = {name: X[:, j].copy() for j, name in enumerate(NAMES)}
    return library.DataFrame(columns), library.Series


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_frames(data: Any, kind: str) -> None:
    X, y = data
    frame, series = frame_of(kind, X)
    model = Lasso(0.1).fit(frame, series(y))
    assert list(model.feature_names_in_) == NAMES
    plain = Lasso(0.1).fit(X, y)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    np.testing.assert_array_equal(model.predict(frame), plain.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[NAMES[::-1]])
    with pytest.warns(UserWarning, match="valid feature names"):
        model.predict(X)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_set_output_names_reach_the_model(data: Any, kind: str) -> None:
    X, y = data
    frame, _ = frame_of(kind, X)
    scaled = ColumnTransformer(
        [("scale", StandardScaler(), NAMES[:20])],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    pipe = make_pipeline(scaled, Lasso(0.1)).set_output(transform=kind).fit(frame, y)
    assert list(pipe[-1].feature_names_in_) == NAMES
    assert pipe.predict(frame).shape == (80,)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_several_targets_in_a_frame(data: Any, kind: str) -> None:
    X, _ = data
    frame, _ = frame_of(kind, X)
    model = ElasticNet(0.1).fit(frame[NAMES[2:]], frame[NAMES[:2]])
    assert model.coef_.shape == (2, 23)
    assert model.status_ == ["optimal", "optimal"]
    assert model.predict(frame[NAMES[2:]]).shape == (80, 2)


# --- workers and memory maps -------------------------------------------------------------------


@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, sparse.csc_array])
def test_read_only_memory_maps_of_joblib(data: Any, make: Any) -> None:
    X, y = data
    tall = make(np.tile(X, (20, 1)))
    target = np.tile(y, 20)

    def work(calls: Any) -> list[Any]:
        """In workers. One Parallel may delete its maps of one call while it sends them anew."""
        return list(joblib.Parallel(n_jobs=2, max_nbytes=100)(calls))

    kinds = work(joblib.delayed(type)(part) for part in [target, target])
    assert kinds == [np.memmap, np.memmap]
    fits = work(joblib.delayed(Lasso(alpha).fit)(tall, target) for alpha in [0.1, 0.2, 0.3])
    for model in fits:
        np.testing.assert_array_equal(model.coef_, Lasso(model.alpha).fit(tall, target).coef_)


def test_cross_validation_in_workers_with_memory_maps(data: Any) -> None:
    X, y = data
    alone = cross_val_score(Lasso(0.05), X, y, cv=4)
    with joblib.parallel_config(backend="loky", max_nbytes=100):
        np.testing.assert_array_equal(cross_val_score(Lasso(0.05), X, y, cv=4, n_jobs=2), alone)
        search = GridSearchCV(
            ElasticNet(), {"alpha": [0.01, 0.1], "l1_ratio": [0.2, 1.0]}, n_jobs=2
        )
        search.fit(np.asfortranarray(X), y)
    serial = clone(search).set_params(n_jobs=None).fit(X, y)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"], rtol=1e-12
    )


def test_data_mapped_from_disk(data: Any, tmp_path: Any) -> None:
    X, y = data
    joblib.dump((np.asfortranarray(X), y), tmp_path / "data")
    mapped, target = joblib.load(tmp_path / "data", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    np.testing.assert_allclose(Lasso(0.1).fit(mapped, target).coef_, Lasso(0.1).fit(X, y).coef_)


def test_fitted_models_travel(data: Any, tmp_path: Any) -> None:
    X, y = data
    model = Lasso(0.1, weights=np.linspace(0.5, 2.0, 25)).fit(X, y)
    joblib.dump(model, tmp_path / "model")
    for again in (joblib.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        assert again.certificate_ == model.certificate_
        assert again.report_ == model.report_
        np.testing.assert_array_equal(again.weights, model.weights)


# --- parameters --------------------------------------------------------------------------------


def test_arrays_as_parameters(data: Any) -> None:
    X, y = data
    arrays = {"weights": np.full(25, 2.0), "lower": np.full(25, -0.3), "upper": np.full(25, 0.3)}
    model = ElasticNet(0.05, **arrays)
    copy = clone(model)
    for name, value in arrays.items():
        assert model.get_params()[name] is value
        assert copy.get_params()[name] is not value
        np.testing.assert_array_equal(copy.get_params()[name], value)
    np.testing.assert_array_equal(copy.fit(X, y).coef_, model.fit(X, y).coef_)
    assert np.abs(model.coef_).max() <= 0.3
    freed = model.set_params(weights=np.zeros(25), lower=None, upper=None).fit(X, y)
    free, *_ = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean())
    np.testing.assert_allclose(freed.coef_, free, atol=1e-8)
    np.testing.assert_array_equal(copy.weights, 2.0)
    for value in arrays.values():
        assert len(np.unique(value)) == 1


def test_weights_in_a_search(data: Any) -> None:
    X, y = data
    choices = [np.ones(25), np.r_[np.zeros(5), np.ones(20)]]
    search = GridSearchCV(Lasso(0.1), {"weights": choices, "alpha": [0.05, 0.1]}).fit(X, y)
    assert any(search.best_params_["weights"] is choice for choice in choices)


def test_one_column_of_targets_is_one_target(data: Any) -> None:
    X, y = data
    model, peer = Lasso(0.1).fit(X, y[:, None]), linear_model.Lasso(0.1).fit(X, y[:, None])
    assert model.coef_.shape == peer.coef_.shape == (25,)
    assert model.predict(X).shape == peer.predict(X).shape == (80,)
    assert model.status_ == "optimal"


@pytest.mark.parametrize("kind", [str, "S25", "object of strings"], ids=str)
@pytest.mark.parametrize("make", [Lasso, LassoCV, LassoIC, RidgeCV, StabilitySelection])
def test_targets_of_strings_are_refused(data: Any, make: type, kind: Any) -> None:
    X, y = data
    words = y.astype(str).astype(object) if kind == "object of strings" else y.astype(kind)
    with pytest.raises(ValueError, match="y holds strings: give numbers"):
        make().fit(X, words)
    np.testing.assert_array_equal(Lasso().fit(X, y.astype(object)).coef_, Lasso().fit(X, y).coef_)


@pytest.mark.parametrize("make", [np.asarray, np.float32, sparse.csc_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_gram_matrix(data: Any, fit_intercept: bool, weighted: bool, make: Any) -> None:
    X, y = data
    s = np.random.default_rng(0).uniform(0.5, 2.0, 80) if weighted else np.ones(80)
    Z = X - np.average(X, axis=0, weights=s) if fit_intercept else X
    gram = 80.0 * (Z.T * s) @ Z / s.sum()
    weight = s if weighted else None
    model = ElasticNet(0.1, fit_intercept=fit_intercept, precompute=gram).fit(make(X), y, weight)
    for precompute in (False, True, "auto"):
        other = clone(model).set_params(precompute=precompute).fit(make(X), y, weight)
        np.testing.assert_array_equal(model.coef_, other.coef_)
    wrong = model.set_params(precompute=1.001 * gram)
    with pytest.raises(ValueError, match=r"Gram matrix .*precompute.* did not pass validation"):
        wrong.fit(make(X), y, weight)


def test_gram_matrix_of_what_is_not_centred(data: Any) -> None:
    X, y = data[0] + 3.0, data[1]
    with pytest.warns(UserWarning, match="recomputing Gram"):
        model = Lasso(0.1, precompute=X.T @ X).fit(X, y)
    np.testing.assert_array_equal(model.coef_, Lasso(0.1).fit(X, y).coef_)


@pytest.mark.parametrize(
    "precompute", [None, "yes", np.eye(3), np.ones(25), np.full((25, 25), "a"), 1.5]
)
def test_precompute_of_another_kind_is_refused(data: Any, precompute: Any) -> None:
    with pytest.raises(ValueError, match="precompute"):
        Lasso(precompute=precompute).fit(*data)


def test_a_warm_start_at_the_answer_takes_no_step(data: Any) -> None:
    X, y = data
    for kind in (X, sparse.csc_array(X)):
        model = Lasso(0.1, warm_start=True).fit(kind, y)
        assert model.n_iter_ > 0
        first = model.coef_
        assert model.fit(kind, y).n_iter_ == 0
        np.testing.assert_allclose(model.coef_, first, atol=1e-14)


# --- what is shown -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Lasso, ElasticNet])
def test_html_shows_parameters_and_answer(data: Any, kind: type) -> None:
    model = kind(0.125, weights=np.ones(25), max_time=60)
    html = estimator_html_repr(model)
    for shown in ("0.125", "weights", "lower", "standardize", "max_time", "Not fitted"):
        assert shown in html, shown
    html = estimator_html_repr(model.fit(*data))
    assert re.search("<span>Fitted</span>", html)
    piped = estimator_html_repr(make_pipeline(StandardScaler(), model))
    assert kind.__name__ in piped
    if hasattr(model, "_get_fitted_attr_html"):  # scikit-learn 1.9 lists what was found
        for shown in ("status_", "optimal", "dual_gap_", "n_iter_", "certificate_", "report_"):
            assert shown in html, shown


def test_every_parameter_is_described() -> None:
    for kind in (Lasso, ElasticNet):
        for name in kind().get_params():
            assert re.search(rf"^ +(\w+, )*{name}\b.*", kind.__doc__, re.MULTILINE), name
    assert "l1_ratio :" not in Lasso.__doc__


# --- paths -------------------------------------------------------------------------------------


def test_path_functions_check_what_they_do_not_need(data: Any) -> None:
    X, y = data
    gram, Xy = X.T @ X, X.T @ y
    plain = lasso_path(X, y, alphas=5)
    given = lasso_path(X, y, alphas=5, precompute=gram, Xy=Xy, coef_init=np.ones(25))
    np.testing.assert_array_equal(plain[1], given[1])
    assert plain[1].dtype == np.float64
    with pytest.raises(ValueError, match="did not pass validation"):
        lasso_path(X, y, precompute=gram + np.eye(25) + 1.0)
    with pytest.raises(ValueError, match="coef_init has shape"):
        lasso_path(X, y, coef_init=np.ones(3))
    with pytest.raises(ValueError, match="Xy has shape"):
        enet_path(X, np.column_stack([y, y]), Xy=Xy)
    with pytest.raises(ValueError, match=r"Unexpected parameters .*normalize"):
        enet_path(X, y, normalize=True)
    with pytest.raises(ValueError, match="one target at a time"):
        enet_path(X, np.column_stack([y, y]), positive=True)


def test_number_of_alphas_as_it_was_given_once(data: Any) -> None:
    with pytest.warns(FutureWarning, match="give alphas=7"):
        alphas, coefs, _ = lasso_path(*data, n_alphas=7)
    assert len(alphas) == coefs.shape[1] == 7
    with pytest.warns(FutureWarning, match="alphas=100"):
        assert len(enet_path(*data, alphas=None)[0]) == 100


@pytest.mark.parametrize("check_input", [True, False])
@pytest.mark.parametrize("make", [np.asfortranarray, sparse.csc_array])
def test_path_functions_on_any_kind(data: Any, make: Any, check_input: bool) -> None:
    X, y = data
    options = {"alphas": [0.5, 0.1], "check_input": check_input, "selection": "random"}
    alphas, coefs, gaps, steps = enet_path(make(X), y, return_n_iter=True, **options)
    np.testing.assert_allclose(coefs, enet_path(X, y, alphas=alphas)[1], atol=1e-12)
    assert len(gaps) == len(steps) == 2

"""StabilitySelection: its place in scikit-learn, its parameters, and what ends it early."""

from __future__ import annotations

import _thread
import pickle
import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest
from problems import regression
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import regsolve
from regsolve import StabilitySelection
from regsolve.pfer import largest_q, pfer_bound


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    X, _ = regression(120, 40, seed=3)
    noise = np.random.default_rng(0).standard_normal(120)
    return X, X[:, :4] @ np.array([3.0, -2.0, 2.0, 1.5]) + noise


# Which rows are drawn depends on how many there are and on their order, so that repeating a row is
# not weighing it; test_a_weight_is_a_group_of_repeated_rows has what does hold.
STOCHASTIC = {
    f"check_sample_weight_equivalence_on_{kind}_data": "other rows are drawn of more rows"
    for kind in ("dense", "sparse")
}


def stochastic(estimator: StabilitySelection) -> dict[str, str]:
    return {} if estimator.l1_ratio == EVERYTHING.l1_ratio else STOCHASTIC


# hardly any l1 term: every feature of every subset is selected, whichever rows are drawn
EVERYTHING = StabilitySelection(
    threshold=1.0, pfer=1e6, l1_ratio=1e-6, alphas=[1e-6], n_subsamples=4
)


@pytest.mark.filterwarnings("ignore:No features were selected")  # noise, in most checks
@parametrize_with_checks(
    [
        EVERYTHING,
        StabilitySelection(n_subsamples=20),
        StabilitySelection(
            n_subsamples=20, complementary_pairs=False, weakness=0.5, standardize=True
        ),
    ],
    expected_failed_checks=stochastic,
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def test_an_answer_to_the_last_call_cuts_nothing_short(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    calls: list[int] = []
    options: dict[str, Any] = {"n_subsamples": 20, "random_state": 0}
    whole = StabilitySelection(callback=lambda told: calls.append(told.step), **options).fit(X, y)
    total = len(calls)
    calls.clear()

    def last(told: Any) -> bool:
        calls.append(told.step)
        return len(calls) == total

    model = StabilitySelection(callback=last, n_threads=1, **options).fit(X, y)
    assert model.status_ == "optimal"
    np.testing.assert_array_equal(model.stability_scores_, whole.stability_scores_)
    total = 1
    calls.clear()
    model = StabilitySelection(callback=last, n_threads=1, **options).fit(X, y)
    assert model.status_ == "interrupted"
    assert model.n_subsamples_ < 20


def test_it_keeps_the_features_with_effect(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    model = StabilitySelection(random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.get_support(indices=True), [0, 1, 2, 3])
    assert model.transform(X).shape == (120, 4)
    assert model.stability_path_.shape == (40, 100)
    np.testing.assert_array_equal(model.stability_path_.max(axis=1), model.stability_scores_)
    assert (model.threshold_, model.q_) == (0.75, 4)  # 4 <= sqrt(0.5 * 40) < 5
    assert model.pfer_bound_ == pytest.approx(16 / (0.5 * 40))
    assert (model.n_subsamples_, model.status_) == (100, "optimal")
    assert model.report_.n_passes > 0.0


def test_the_third_of_threshold_q_and_pfer(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    for assumption in ("none", "unimodal", "r-concave"):
        given = {"n_subsamples": 20, "assumption": assumption, "alphas": 20, "random_state": 1}
        model = StabilitySelection(q=6, pfer=2.0, **given).fit(X, y)
        assert model.pfer_bound_ <= 2.0
        assert model.pfer_bound_ == pfer_bound(model.threshold_, 6, 40, 20, assumption)
        kept = model.stability_scores_ >= model.threshold_ - 1e-9
        np.testing.assert_array_equal(model.get_support(), kept)
        model = StabilitySelection(threshold=0.9, pfer=2.0, **given).fit(X, y)
        assert model.threshold_ == 0.9
        assert model.pfer_bound_ <= 2.0 < pfer_bound(0.9, model.q_ + 1, 40, 20, assumption)
        model = StabilitySelection(threshold=0.9, q=6, **given).fit(X, y)
        assert model.pfer_bound_ == pfer_bound(0.9, 6, 40, 20, assumption)


@pytest.mark.parametrize("store", [sparse.csc_matrix, sparse.csr_array, np.float32], ids=str)
def test_storage_changes_nothing(store: Any, data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    X = np.where(np.abs(X) > 0.5, X, 0.0).astype(np.float32).astype(float)
    model = StabilitySelection(random_state=0, n_subsamples=20)
    stored = model.fit(store(X), y).stability_path_
    np.testing.assert_array_equal(stored, clone(model).fit(X, y).stability_path_)


def test_random_state_alone_decides(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data

    def path(state: Any, **given: Any) -> np.ndarray:
        model = StabilitySelection(random_state=state, n_subsamples=20, alphas=20, **given)
        out: np.ndarray = model.fit(X, y).stability_path_
        return out

    np.testing.assert_array_equal(path(3), path(3, n_threads=1))
    np.testing.assert_array_equal(path(3), path(np.random.RandomState(3)))
    assert (path(3) != path(4)).any()


def test_pipeline_search_clone_pickle_and_names(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    frame = pd.DataFrame(X, columns=[f"gene {j}" for j in range(40)])
    chosen = StabilitySelection(random_state=0, n_subsamples=20, alphas=30)
    pipeline = make_pipeline(StandardScaler(), chosen, LinearRegression())
    pipeline.set_output(transform="pandas").fit(frame, y)
    kept = [f"gene {j}" for j in range(4)]
    assert pipeline[:-1].get_feature_names_out().tolist() == kept
    assert pipeline[:-1].transform(frame).columns.tolist() == kept
    assert pipeline.score(frame, y) > 0.9
    search = GridSearchCV(pipeline, {"stabilityselection__threshold": [0.6, 0.9]}, cv=3)
    assert search.fit(frame, y).best_score_ > 0.7
    model = clone(chosen).fit(frame, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.get_support(), model.get_support())
    assert again.feature_names_in_.tolist() == frame.columns.tolist()
    with pytest.raises(NotFittedError):
        clone(chosen).get_support()


def test_weights_bounds_and_factors_are_passed_on(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    given = {"random_state": 0, "n_subsamples": 20, "alphas": 30, "q": 5}
    out = np.ones(40)
    out[0] = np.inf
    assert StabilitySelection(weights=out, **given).fit(X, y).stability_scores_[0] == 0.0
    out[0] = 0.0
    assert StabilitySelection(weights=out, **given).fit(X, y).stability_scores_[0] == 1.0
    positive = StabilitySelection(positive=True, **given).fit(X, y)
    assert positive.stability_scores_[1] < 0.5 < positive.stability_scores_[0]
    most = np.where(np.arange(40) == 0, 0.0, np.inf)
    bounded = StabilitySelection(upper=most, **given).fit(X, y)
    assert bounded.stability_scores_[0] < 0.2 < bounded.stability_scores_[2]
    s = np.ones(120)
    s[60:] = 0.0
    half = StabilitySelection(**given).fit(X, y, sample_weight=s)
    alone = StabilitySelection(**given).fit(X[:60], y[:60])
    np.testing.assert_array_equal(half.stability_path_, alone.stability_path_)
    grouped = StabilitySelection(**given).fit(X, y, groups=np.arange(120) // 2)
    assert grouped.get_support()[:4].all()
    weak = StabilitySelection(weakness=0.3, **given).fit(X, y)
    assert (weak.stability_path_ != grouped.stability_path_).any()


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("store", [np.asarray, sparse.csc_matrix], ids=["dense", "csc"])
def test_the_bound_is_of_the_features_that_chance_can_select(
    store: Any, fit_intercept: bool, data: tuple[np.ndarray, np.ndarray]
) -> None:
    X, y = data
    X = np.hstack([X, np.full((120, 1), 0.1 * fit_intercept), X[:, :4]])
    weights, upper = np.ones(45), np.full(45, np.inf)
    weights[10:30], weights[41] = np.inf, 0.0
    upper[[5, 6]] = 0.0
    given: dict[str, Any] = {"threshold": 0.6, "n_subsamples": 8, "alphas": 20, "random_state": 0}
    given |= {"weights": weights, "lower": np.where(upper == 0.0, 0.0, -np.inf), "upper": upper}
    given |= {"fit_intercept": fit_intercept}
    model = StabilitySelection(pfer=1.0, **given).fit(store(X), y)
    left = 45 - 20 - 1 - 2 - 1  # left out, not penalised, held at zero, constant
    assert model.q_ == largest_q(0.6, 1.0, left, 8)
    assert model.pfer_bound_ == pfer_bound(0.6, model.q_, left, 8)
    assert model.stability_scores_[41] == 1.0
    assert not model.stability_scores_[[5, 6, 10, 29, 40]].any()
    with pytest.raises(ValueError, match="q=22: expected at most 21"):
        StabilitySelection(q=22, **given).fit(store(X), y)


def test_no_feature_that_chance_can_select_is_refused() -> None:
    X, y = np.ones((20, 2)), np.arange(20.0)
    with pytest.raises(ValueError, match="nothing to select"):
        StabilitySelection().fit(X, y)
    with pytest.raises(ValueError, match="nothing to select"):
        StabilitySelection(weights=[0.0, np.inf]).fit(X + np.eye(20, 2), y)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"threshold": 0.6, "q": 3, "pfer": 1.0}, "all given"),
        ({"assumption": "none at all"}, "assumption="),
        ({"assumption": "unimodal", "complementary_pairs": False}, "needs complementary_pairs"),
        ({"n_subsamples": 3}, "even number"),
        ({"n_subsamples": 3.5}, "n_subsamples=3.5"),
        ({"l1_ratio": 0.0}, "l1_ratio=0"),
        ({"sample_fraction": 0.7}, "at most 0.5"),
        ({"alphas": [0.0]}, "alphas has a 0"),
        ({"alphas": 0}, "^alphas=0"),
        ({"alphas": [-1.0]}, r"alphas\[0\] == -1.0"),
        ({"eps": -1.0}, "^eps=-1.0"),
        ({"eps": 2.0}, r"^eps=2.0: expected a number in \(0, 1\]"),
        ({"tol": 0.0}, "tol=0.0"),
    ],
    ids=str,
)
def test_bad_parameters(
    given: dict[str, Any], message: str, data: tuple[np.ndarray, np.ndarray]
) -> None:
    model = StabilitySelection(**given)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        model.fit(*data)
    assert vars(model) == before


@pytest.mark.parametrize("alphas", [None, np.array(5), 0.5, "ten"], ids=str)
def test_alphas_are_a_number_or_an_array(alphas: Any, data: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(TypeError, match=r"alphas=.*: expected their number or an array"):
        StabilitySelection(alphas=alphas).fit(*data)


def test_several_targets_are_refused(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    with pytest.raises(ValueError, match="2 targets"):
        StabilitySelection().fit(X, np.column_stack([y, y]))


def test_time_that_runs_out_at_once_keeps_nothing(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    with pytest.warns(ConvergenceWarning, match="after 0 of 100 subsamples"):
        model = StabilitySelection(max_time=1e-9, random_state=0).fit(X, y)
    assert model.status_ == "time_limit"
    assert (model.n_subsamples_, model.pfer_bound_) == (0, 0.0)
    assert not model.get_support().any()


def test_a_callback_keeps_what_is_finished(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    seen: list[float] = []

    def told(progress: regsolve.Progress) -> bool:
        seen.append(progress.seconds)
        return len(seen) > 1000

    model = StabilitySelection(callback=told, random_state=0).fit(X, y)
    assert model.status_ == "interrupted"
    assert 16 <= model.n_subsamples_ < 100
    assert model.n_subsamples_ % 16 == 0


def test_ctrl_c_leaves_the_estimator_as_it_was() -> None:
    X, y = regression(400, 600, seed=0)
    model = StabilitySelection(n_subsamples=2000, q=150, random_state=0, threshold=0.9)
    before = dict(vars(model))
    timer = threading.Timer(0.8, _thread.interrupt_main)
    timer.start()
    with pytest.raises(regsolve.Interrupted) as caught:
        model.fit(X, y)
    timer.join()
    part = caught.value.result
    assert part.stopped == "interrupted"
    assert part.n_subsamples < 2000
    assert part.n_subsamples % 16 == 0
    assert vars(model) == before


def test_it_says_what_it_kept(
    data: tuple[np.ndarray, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    StabilitySelection(verbose=1, random_state=0).fit(*data)
    said = capsys.readouterr().err
    assert said.startswith("StabilitySelection: 4 of 40 features in at least 0.75 of 100")


def test_plot_names_what_is_kept(data: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = data
    frame = pd.DataFrame(X, columns=[f"gene {j}" for j in range(40)])
    model = StabilitySelection(random_state=0).fit(frame, y)
    said = [text.get_text() for text in model.plot().texts]
    assert {f"gene {j}" for j in range(4)} == {text for text in said if text.startswith("gene")}
    assert "threshold 0.75: 4 stable" in said

"""LassoCV and ElasticNetCV: held-out errors, choices, and their place in scikit-learn."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import sparse
from sklearn import config_context, linear_model
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.feature_selection import SelectFromModel
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    ShuffleSplit,
    TimeSeriesSplit,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import regsolve
from regsolve import (
    AdaptiveLasso,
    ElasticNet,
    ElasticNetCV,
    LassoCV,
    RelaxedLasso,
    RidgeCV,
    verify,
)
from regsolve.folds import chosen, standard_errors
from regsolve.penalties import ElasticNet as Penalty

STORED = {"dense": np.asarray, "csc": sparse.csc_matrix, "csr": sparse.csr_array}


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    return regression(90, 25, seed=3)


@parametrize_with_checks(
    [LassoCV(), ElasticNetCV(), ElasticNetCV(l1_ratio=[0.3, 1.0], selection_rule="1se")]
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def refitted(
    X: np.ndarray, y: np.ndarray, s: Any, splits: list[Any], model: Any, ratio: float, alphas: Any
) -> np.ndarray:
    """Held-out errors (m, K) of fits to copies of each fold's rows."""
    out = np.empty((len(alphas), len(splits)))
    for k, (train, test) in enumerate(splits):
        mine = None if s is None else s[train]
        path = regsolve.path(
            np.asfortranarray(X[train]),
            y[train],
            penalty=Penalty(1.0, ratio, weights=model.weights),
            alphas=alphas,
            sample_weight=mine,
            standardize=model.standardize,
            fit_intercept=model.fit_intercept,
            tol=1e-10,
        )
        errors = (y[test, None] - X[test] @ path.coefs.toarray() - path.intercepts) ** 2
        out[:, k] = np.average(errors, axis=0, weights=None if s is None else s[test])
    return out


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(150, 12), (60, 200)], ids=str)
def test_no_leak(stored: str, standardize: bool, weighted: bool, shape: tuple[int, int]) -> None:
    X, y = regression(*shape, seed=1)
    X = X * np.linspace(0.5, 3.0, shape[1]) + 1.0
    if stored != "dense":
        X = np.where(np.abs(X) > 1.0, X, 0.0)
    s = np.random.default_rng(0).uniform(0.2, 3.0, len(y)) if weighted else None
    factors = np.ones(shape[1])
    factors[3], factors[5] = 0.0, 2.0
    cv = KFold(4, shuffle=True, random_state=0)
    splits = list(cv.split(X))
    model = ElasticNetCV(
        l1_ratio=[0.5, 1.0], alphas=25, eps=1e-2, cv=cv, standardize=standardize, weights=factors
    )
    model.fit(STORED[stored](X), y, s)
    for r, ratio in enumerate(model.l1_ratio):
        wanted = refitted(X, y, s, splits, model, ratio, model.alphas_[r])
        np.testing.assert_allclose(model.mse_path_[r], wanted, rtol=1e-8)


@pytest.mark.parametrize("ratio", [1.0, 0.4])
@pytest.mark.parametrize("options", [{}, {"positive": True}, {"fit_intercept": False}], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_same_choice_as_scikit_learn(
    data: Any, ratio: float, options: dict[str, Any], weighted: bool
) -> None:
    X, y = data
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y)) if weighted else None
    ours = ElasticNetCV(l1_ratio=ratio, alphas=20, eps=1e-2, **options).fit(X, y, s)
    theirs = linear_model.ElasticNetCV(
        l1_ratio=ratio, alphas=20, eps=1e-2, tol=1e-12, max_iter=100_000, **options
    )
    theirs.fit(X, y, s)
    assert ours.alpha_ == pytest.approx(theirs.alpha_, rel=1e-9)
    assert ours.l1_ratio_ == ratio
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_, rtol=1e-9)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-6)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-5)


def test_attributes_have_scikit_learns_shapes(data: Any) -> None:
    X, y = data
    for options in (
        {"alphas": 7, "l1_ratio": [0.2, 0.9]},
        {"alphas": [0.3, 0.1, 0.2], "l1_ratio": [0.2, 0.9]},
        {"alphas": [0.3, 0.1], "l1_ratio": 0.0},
        {"alphas": 6},
        {"alphas": [0.1]},
    ):
        ours = ElasticNetCV(cv=3, **options).fit(X, y)
        theirs = linear_model.ElasticNetCV(cv=3, tol=1e-10, max_iter=100_000, **options).fit(X, y)
        assert ours.mse_path_.shape == theirs.mse_path_.shape
        np.testing.assert_allclose(ours.alphas_, theirs.alphas_)
        assert ours.l1_ratio_ == theirs.l1_ratio_
        assert ours.alpha_ == pytest.approx(theirs.alpha_)
    assert not hasattr(LassoCV().fit(X, y), "l1_ratio_")


@pytest.mark.parametrize("shape", [(90, 25), (60, 200)], ids=str)
def test_the_answer_is_proven_and_needs_no_refit(shape: tuple[int, int]) -> None:
    X, y = regression(*shape, seed=2)
    model = ElasticNetCV(l1_ratio=[0.5, 0.9]).fit(X, y)
    penalty = Penalty(model.alpha_, model.l1_ratio_)
    judged = verify(X, y, model.coef_, model.intercept_, penalty=penalty)
    assert judged.relative_gap <= 1e-6
    assert model.certificate_.relative_gap <= 1e-6
    assert model.certificate_.primal == pytest.approx(judged.primal, rel=1e-9)
    assert model.certificate_.dual == pytest.approx(judged.dual, rel=1e-6)
    assert model.dual_gap_ == model.certificate_.gap
    again = ElasticNet(model.alpha_, l1_ratio=model.l1_ratio_).fit(X, y)
    np.testing.assert_allclose(model.coef_, again.coef_, atol=1e-7)
    assert len(model.fold_paths_) == 5
    for path in model.fold_paths_:
        np.testing.assert_array_equal(path.alphas, model.path_.alphas)
    assert model.report_.n_passes >= 1.0 - 1e-9
    assert model.status_ == "optimal"
    assert model.n_iter_ >= 1


def test_rule_of_one_standard_error(data: Any) -> None:
    X, y = data
    least, simple = LassoCV().fit(X, y), LassoCV(selection_rule="1se").fit(X, y)
    mean = least.mse_path_.mean(axis=1)
    k = int(np.argmin(mean))
    assert least.alpha_ == least.alphas_[k]
    limit = mean[k] + least.mse_path_[k].std(ddof=1) / np.sqrt(5)
    assert simple.alpha_ == least.alphas_[mean <= limit].max()
    assert simple.alpha_ > least.alpha_
    assert np.count_nonzero(simple.coef_) <= np.count_nonzero(least.coef_)


def test_choice_and_standard_errors_by_hand() -> None:
    errors = np.array([[[4.0, 6.0], [2.0, 4.0], [2.0, 2.0]], [[9.0, 9.0], [1.0, 3.0], [9.0, 9.0]]])
    assert chosen(errors) == (0, 2)  # the first of equals
    assert chosen(errors, "1se") == (0, 2)
    assert chosen(errors[1:], "1se") == (0, 1)
    np.testing.assert_allclose(standard_errors(errors[0]), [1.0, 1.0, 0.0])
    np.testing.assert_array_equal(standard_errors(errors[0][:, :1]), np.zeros(3))
    wide = np.array([[[3.0, 3.2], [1.0, 5.0]]])
    assert chosen(wide) == (0, 1)
    assert chosen(wide, "1se") == (0, 0)
    errors[0, 2, 1] = np.nan
    assert chosen(errors) == (1, 1)
    with pytest.raises(ValueError, match="no alpha can be chosen"):
        chosen(np.full((1, 3, 2), np.nan))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("stored", STORED)
def test_scoring(data: Any, stored: str, weighted: bool) -> None:
    X, y = data
    s = np.random.default_rng(0).uniform(0.5, 2.0, len(y)) if weighted else None
    X = STORED[stored](X)
    plain = LassoCV(alphas=15).fit(X, y, s)
    named = LassoCV(alphas=15, scoring="neg_mean_squared_error").fit(X, y, s)
    np.testing.assert_allclose(named.score_path_, -plain.mse_path_, rtol=1e-9)
    assert named.alpha_ == plain.alpha_
    made = LassoCV(alphas=15, scoring=make_scorer(mean_absolute_error, greater_is_better=False))
    made.fit(X, y, s)
    np.testing.assert_array_equal(made.mse_path_, plain.mse_path_)
    assert made.alpha_ == made.alphas_[made.score_path_.mean(axis=1).argmax()]
    assert not hasattr(plain, "score_path_")

    def fewest(estimator: Any, X: Any, y: Any) -> float:
        assert estimator.predict(X).shape == y.shape
        return -float(np.count_nonzero(estimator.coef_))

    assert LassoCV(alphas=15, scoring=fewest).fit(X, y, s).alpha_ == plain.alphas_[0]


def test_any_splitter(data: Any) -> None:
    X, y = data
    for cv in (4, KFold(3), ShuffleSplit(3, random_state=0), TimeSeriesSplit(3)):
        model = LassoCV(alphas=10, cv=cv).fit(X, y)
        theirs = linear_model.LassoCV(alphas=10, cv=cv, tol=1e-12, max_iter=100_000).fit(X, y)
        np.testing.assert_allclose(model.mse_path_, theirs.mse_path_, rtol=1e-6)
    given = list(KFold(3).split(X))
    np.testing.assert_array_equal(
        LassoCV(cv=iter(given)).fit(X, y).mse_path_, LassoCV(cv=3).fit(X, y).mse_path_
    )


def test_groups_are_routed_to_the_splitter(data: Any) -> None:
    X, y = data
    groups = np.arange(len(y)) % 7
    with config_context(enable_metadata_routing=True):
        cv = GroupKFold(3)
        model = LassoCV(cv=cv).set_fit_request(sample_weight=True)
        model.fit(X, y, sample_weight=np.ones(len(y)), groups=groups)
    wanted = LassoCV(cv=list(cv.split(X, y, groups))).fit(X, y)
    np.testing.assert_allclose(model.mse_path_, wanted.mse_path_, rtol=1e-12)
    with pytest.raises(ValueError, match="enable_metadata_routing"):
        LassoCV(cv=cv).fit(X, y, groups=groups)


@pytest.mark.parametrize("make", [LassoCV, ElasticNetCV, RelaxedLasso, AdaptiveLasso, RidgeCV])
def test_folds_of_a_generator_under_metadata_routing(data: Any, make: Any) -> None:
    X, y = data
    alphas = [1.0, 0.1]
    wanted = make(alphas=alphas, cv=KFold(3)).fit(X, y)
    model = make(alphas=alphas, cv=KFold(3).split(X))
    with config_context(enable_metadata_routing=True):
        if make is not RidgeCV:
            model.set_fit_request(sample_weight=True)
        model.get_metadata_routing()  # as a pipeline around it asks for
        model.fit(X, y, sample_weight=np.ones(len(y)))
    np.testing.assert_allclose(model.coef_, wanted.coef_, rtol=1e-12)
    assert model.alpha_ == wanted.alpha_


@pytest.mark.parametrize("threads", [{"n_threads": 1}, {"n_jobs": 2}, {"n_jobs": -1}], ids=str)
def test_threads_change_no_bit(data: Any, threads: dict[str, int]) -> None:
    X, y = data
    model, plain = LassoCV(**threads).fit(X, y), LassoCV().fit(X, y)
    np.testing.assert_array_equal(model.mse_path_, plain.mse_path_)
    np.testing.assert_array_equal(model.coef_, plain.coef_)


def test_at_home_in_scikit_learn(data: Any, capsys: Any) -> None:
    X, y = data
    model = ElasticNetCV(l1_ratio=[0.5, 1.0], alphas=20, verbose=True).fit(X, y)
    assert re.search(r"ElasticNetCV: alpha .* readings of X", capsys.readouterr().err)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert not hasattr(clone(model), "coef_")
    kept = SelectFromModel(LassoCV(selection_rule="1se")).fit(X, y).get_support()
    assert 0 < kept.sum() < 25
    pipe = make_pipeline(StandardScaler(), LassoCV(alphas=20))
    assert cross_val_score(pipe, X, y).mean() > 0.5
    search = GridSearchCV(pipe, {"lassocv__selection_rule": ["min", "1se"]}, cv=3).fit(X, y)
    assert search.best_params_["lassocv__selection_rule"] == "min"


def test_a_callback_stops_all() -> None:
    X, y = regression(60, 300, seed=5)
    model = LassoCV(callback=lambda progress: progress.step >= 20).fit(X, y)
    m = len(model.alphas_)
    assert 0 < m < 100
    assert model.mse_path_.size == 5 * m
    assert model.alpha_ in model.alphas_
    assert model.status_ == "interrupted"


@pytest.mark.parametrize("raised", [KeyboardInterrupt, regsolve.Interrupted], ids=str)
def test_interrupted_scoring_keeps_the_full_data_s_paths(data: Any, raised: Any) -> None:
    """A scorer that fits by itself has answers of its own to lose: they are not the paths."""
    X, y = data
    given = () if raised is KeyboardInterrupt else ([],)

    def interrupted(*_: Any) -> float:
        raise raised(*given)

    model = ElasticNetCV(l1_ratio=[0.3, 1.0], alphas=10, scoring=interrupted)
    with pytest.raises(regsolve.Interrupted) as stop:
        model.fit(X, y)
    assert [type(path) for path in stop.value.result] == [regsolve.Path] * 2
    wanted = LassoCV(alphas=10).fit(X, y).path_
    kept = stop.value.result[1]
    np.testing.assert_allclose(kept.coefs.toarray(), wanted.coefs.toarray(), atol=1e-6)
    assert type(stop.value.__cause__) is raised
    assert not hasattr(model, "coef_")


def test_too_little_time_warns() -> None:
    X, y = regression(300, 3000, rho=0.95)
    with pytest.warns(regsolve.ConvergenceWarning):
        model = LassoCV(eps=1e-5, alphas=2000, max_time=0.05).fit(X, y)
    assert 5 * len(model.alphas_) == model.mse_path_.size < 5 * 2000
    assert np.isfinite(model.coef_).all()


def test_constant_target() -> None:
    X, _ = regression(40, 6)
    model = LassoCV(alphas=4).fit(X, np.full(40, 3.0))
    assert not model.coef_.any()
    assert model.intercept_ == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"selection_rule": "best"}, ValueError, "selection_rule"),
        ({"selection": "greedy"}, ValueError, "selection"),
        ({"alphas": None}, TypeError, "alphas"),
        ({"alphas": 0}, ValueError, "alphas"),
        ({"alphas": [0.1, -1.0]}, ValueError, r"alphas\[1\]"),
        ({"alphas": ["a"]}, TypeError, r"alphas\[0\]"),
        ({"eps": 0.0}, ValueError, "eps"),
        ({"l1_ratio": 0.0}, ValueError, "l1_ratio=0"),
        ({"l1_ratio": [0.5, 1.5]}, ValueError, "l1_ratio"),
        ({"tol": -1.0}, ValueError, "tol"),
        ({"scoring": "speed"}, ValueError, "speed"),
        ({"scoring": 5}, TypeError, "^scoring=5: expected"),
        ({"cv": [([0, 1], [10**6])]}, ValueError, "cv has a fold"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(data: Any, options: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        ElasticNetCV(**options).fit(*data)


def test_bad_data_leaves_the_estimator(data: Any) -> None:
    X, y = data
    model = LassoCV().fit(X, y)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="targets"):
        model.fit(X, np.column_stack([y, y]))
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.where(X > 2.0, np.nan, X), y)
    with pytest.raises(ValueError, match="fold 0 has no weight"):
        model.fit(X, y, np.r_[np.zeros(18), np.ones(72)])
    assert vars(model) == before


def test_rows_held_out_more_than_once_count_as_often(data: Any) -> None:
    X, y = data
    half = np.arange(len(y) // 2)
    rest = np.arange(len(y) // 2, len(y))
    cv = [(half, np.append(rest, [rest[0]] * 50)), (rest, half)]
    both = LassoCV(cv=cv, alphas=[0.5, 0.1]).fit(X, y)
    alone = LassoCV(cv=cv[:1], alphas=[0.5, 0.1]).fit(X, y)
    np.testing.assert_allclose(both.mse_path_[:, :1], alone.mse_path_.reshape(2, 1), rtol=1e-10)
    scored = LassoCV(cv=cv, alphas=[0.5, 0.1], scoring="neg_mean_squared_error").fit(X, y)
    np.testing.assert_allclose(both.mse_path_, -scored.score_path_, rtol=1e-10)


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("model", [LassoCV, regsolve.RelaxedLasso, regsolve.AdaptiveLasso])
def test_metadata_goes_to_the_scorer_as_it_asks(data: Any, model: Any, asked: bool) -> None:
    X, y = data
    s = np.random.default_rng(0).uniform(0.1, 3.0, len(y))
    scorer = make_scorer(mean_absolute_error, greater_is_better=False)
    options = {"cv": 3, "alphas": 4}
    plain = model(scoring="neg_mean_absolute_error", **options)
    with config_context(enable_metadata_routing=True):
        scorer = scorer.set_score_request(sample_weight=asked)
        fitted = model(scoring=scorer, **options).set_fit_request(sample_weight=True)
        scores = fitted.fit(X, y, sample_weight=s).score_path_
    weighted = plain.fit(X, y, sample_weight=s).score_path_
    assert np.allclose(scores, weighted, rtol=1e-12) is asked


class _Sorted:
    """Splits rows by the first feature, with a scikit-learn splitter for a tool."""

    def __init__(self) -> None:
        self.cv = KFold(3)

    def get_n_splits(self, *_: Any) -> int:
        return 3

    def split(self, X: Any, *_: Any, **__: Any) -> Any:
        order = np.argsort(X[:, 0])
        return [(order[train], order[test]) for train, test in self.cv.split(X)]


def test_splitters_of_users_see_x(data: Any) -> None:
    X, y = data
    splits = _Sorted().split(X)
    ours = LassoCV(cv=_Sorted(), alphas=5).fit(X, y)
    np.testing.assert_array_equal(ours.mse_path_, LassoCV(cv=splits, alphas=5).fit(X, y).mse_path_)


def test_a_fit_leaves_nothing_of_the_one_before(data: Any) -> None:
    X, y = data
    model = LassoCV(scoring="r2", cv=3, alphas=4).fit(X, y)
    assert not hasattr(model.set_params(scoring=None).fit(X, y), "score_path_")
    adaptive = regsolve.AdaptiveLasso(cv=3, alphas=4).fit(X, y)
    adaptive.set_params(initial=np.ones(X.shape[1])).fit(X, y)
    assert not hasattr(adaptive, "initial_alpha_")
    ridge = regsolve.RidgeCV(store_cv_results=True).fit(X, y)
    assert not hasattr(ridge.set_params(store_cv_results=False).fit(X, y), "cv_results_")


def test_pictures_show_the_fit_not_later_parameters(data: Any) -> None:
    X, y = data
    model = LassoCV(cv=3, alphas=4).fit(X, y).set_params(scoring="r2")
    assert model.plot().get_ylabel() == "mean squared error on held-out rows"
    several = ElasticNetCV(l1_ratio=[0.3, 0.9], cv=3, alphas=4).fit(X, y)
    before = several.plot().get_lines()[-1].get_xdata()
    after = several.set_params(l1_ratio=0.5).plot().get_lines()[-1].get_xdata()
    np.testing.assert_array_equal(before, after)
    chosen_by = regsolve.LassoIC("aic").fit(X, y).set_params(criterion="bic")
    assert chosen_by.plot().get_ylabel() == "Akaike's information criterion"
    ridge = regsolve.RidgeCV(cv="gcv").fit(X, y).set_params(cv=5)
    assert ridge.plot().get_ylabel() == "generalised cross-validation"


def test_path_methods_are_the_functions() -> None:
    assert regsolve.Lasso.path is regsolve.ElasticNet.path is regsolve.enet_path
    assert LassoCV.path is regsolve.lasso_path
    assert ElasticNetCV.path is regsolve.enet_path


@pytest.mark.parametrize(
    "model",
    [regsolve.RelaxedLasso(cv=3), regsolve.AdaptiveLasso(cv=3),
     regsolve.StabilitySelection(q=3, n_subsamples=6, random_state=0)],
)  # fmt: skip
def test_reports_count_bytes_and_readings_alike(data: Any, model: Any) -> None:
    X, y = data
    report = model.fit(X, y).report_
    assert report.bytes_read >= 0.999 * report.n_passes * X.nbytes


def test_scorers_see_a_model_of_these_parameters(data: Any) -> None:
    X, y = data
    seen = []

    def scorer(model: Any, rows: Any, target: Any) -> float:
        seen.append(model.get_params())
        return -float(np.mean((target - model.predict(rows)) ** 2))

    LassoCV(cv=3, alphas=[0.1], scoring=scorer, fit_intercept=False, positive=True).fit(X, y)
    assert {(one["alpha"], one["fit_intercept"], one["positive"]) for one in seen} == {
        (0.1, False, True)
    }


def test_paths_of_data_frames_know_their_columns() -> None:
    frame, y = load_diabetes(return_X_y=True, as_frame=True)
    names = list(frame.columns)
    for model in (LassoCV(alphas=5), regsolve.LassoIC(alphas=5), regsolve.AdaptiveLasso(alphas=5)):
        assert model.fit(frame, y).path_.feature_names == names
        assert model.fit(frame.to_numpy(), y).path_.feature_names is None
    cv = LassoCV(alphas=5).fit(frame, y)
    assert all(fold.feature_names == names for fold in cv.fold_paths_)


def test_rows_of_a_split_may_be_tuples() -> None:
    X, y = regression(60, 5)
    halves = np.arange(60).reshape(2, 30)
    listed = [(halves[0], halves[1]), (halves[1], halves[0])]
    tuples = [(tuple(map(int, a)), tuple(map(int, b))) for a, b in listed]
    for make in (
        lambda cv: LassoCV(cv=cv, scoring="r2"),
        lambda cv: regsolve.AdaptiveLasso(cv=cv),
        lambda cv: regsolve.RelaxedLasso(cv=cv),
    ):
        np.testing.assert_array_equal(make(tuples).fit(X, y).coef_, make(listed).fit(X, y).coef_)

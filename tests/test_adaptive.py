"""AdaptiveLasso: weights of each fold's own, held-out errors of the whole procedure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import sparse
from sklearn import config_context
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, TimeSeriesSplit
from sklearn.utils.estimator_checks import parametrize_with_checks

import regsolve
from regsolve import AdaptiveLasso, LassoCV, verify
from regsolve.adaptive import DECADES, PER_DECADE, _within, factors
from regsolve.penalties import L1

STORED = {
    "dense": np.asarray,
    "rows": np.ascontiguousarray,
    "float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "csc": sparse.csc_matrix,
    "csr": sparse.csr_array,
}


@parametrize_with_checks(
    [
        AdaptiveLasso(),
        AdaptiveLasso(initial="lasso"),
        AdaptiveLasso(gamma=2.0, standardize=True, selection_rule="1se"),
    ]
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def data(shape: tuple[int, int], seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Columns of several scales with half of their entries 0, exact in float32."""
    X, y = regression(*shape, seed=seed)
    X = X * np.linspace(0.5, 3.0, shape[1]) + 1.0
    X = np.where(np.abs(X) > 1.0, X, 0.0).astype(np.float32).astype(np.float64)
    return X, y


def ridge_by_hand(
    X: np.ndarray, y: np.ndarray, s: np.ndarray, alpha: float, scale: np.ndarray
) -> tuple[np.ndarray, float]:
    """argmin sum s (y - x'w - b)^2 / (2 sum s) + alpha ||scale w||^2 / 2, by its equations."""
    omega = s / s.sum()
    m, mean = omega @ X, omega @ y
    H = (X - m).T @ (omega[:, None] * (X - m))
    w = np.linalg.solve(H + alpha * np.diag(scale**2), (X - m).T @ (omega * (y - mean)))
    return w, float(mean - m @ w)


def first_by_hand(
    X: np.ndarray, y: np.ndarray, s: np.ndarray, inner: list[Any], model: AdaptiveLasso
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of the first fit to copies of rows, and their deviations (ones if unused)."""
    omega = s / s.sum()
    e = np.sqrt(omega @ (X - omega @ X) ** 2)
    scale = e if model.standardize else np.ones(len(e))
    if model.initial == "lasso":
        lasso = LassoCV(cv=inner, alphas=model.alphas, eps=model.eps, standardize=model.standardize)
        return lasso.fit(X, y, s).coef_, scale
    trace = float(np.count_nonzero(e)) if model.standardize else float(e @ e)
    alphas = trace * np.logspace(*DECADES, round((DECADES[0] - DECADES[1]) * PER_DECADE) + 1)
    errors = np.zeros(len(alphas))
    for a, alpha in enumerate(alphas):
        for train, test in inner:
            part = s[train] / s[train].sum()
            deviation = np.sqrt(part @ (X[train] - part @ X[train]) ** 2)
            own = deviation if model.standardize else scale
            w, b = ridge_by_hand(X[train], y[train], s[train], alpha, own)
            errors[a] += np.average((y[test] - X[test] @ w - b) ** 2, weights=s[test])
    return ridge_by_hand(X, y, s, alphas[errors.argmin()], scale)[0], scale


def inner_by_hand(splits: list[Any], k: int) -> list[Any]:
    """The other folds among the rows that fold k is trained on, numbered within them."""
    train = splits[k][0]
    at = {row: i for i, row in enumerate(train.tolist())}
    out = []
    for j, (a, b) in enumerate(splits):
        if j != k:
            out.append([np.array([at[i] for i in part if i in at], int) for part in (a, b)])
    return [pair for pair in out if len(pair[0]) and len(pair[1])]


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(150, 12), (60, 90)], ids=str)
@pytest.mark.parametrize(
    "options",
    [{}, {"standardize": True, "gamma": 2.0}, {"initial": "lasso"}],
    ids=["ridge", "standardized", "lasso"],
)
def test_errors_are_those_of_the_procedure_on_copies(
    stored: str, weighted: bool, shape: tuple[int, int], options: dict[str, Any]
) -> None:
    X, y = data(shape)
    s = np.random.default_rng(0).uniform(0.2, 3.0, len(y)) if weighted else np.ones(len(y))
    cv = KFold(4, shuffle=True, random_state=0)
    splits = list(cv.split(X))
    model = AdaptiveLasso(alphas=15, eps=2e-2, cv=cv, **options)
    model.fit(STORED[stored](X), y, s if weighted else None)
    coef, e = first_by_hand(X, y, s, splits, model)
    np.testing.assert_allclose(model.initial_coef_, coef, rtol=1e-6, atol=1e-10)
    for k, (train, test) in enumerate(splits):
        X1, y1, s1 = np.asfortranarray(X[train]), y[train], s[train]
        coef, e = first_by_hand(X1, y1, s1, inner_by_hand(splits, k), model)
        with np.errstate(divide="ignore"):
            f = np.abs(e * coef) ** -model.gamma
        np.testing.assert_allclose(model.fold_weights_[k], f, rtol=1e-5)
        path = regsolve.path(
            X1,
            y1,
            penalty=L1(weights=model.fold_weights_[k]),
            alphas=model.alphas_,
            sample_weight=s1,
            standardize=model.standardize,
            tol=1e-10,
        )
        left = y[test, None] - X[test] @ path.coefs.toarray() - path.intercepts
        wanted = np.average(left**2, weights=s[test], axis=0)
        np.testing.assert_allclose(model.mse_path_[:, k], wanted, rtol=1e-8)
    assert model.alpha_ == model.alphas_[model.mse_path_.mean(axis=1).argmin()]


@pytest.mark.parametrize("initial", ["ridge", "lasso"])
@pytest.mark.parametrize("shape", [(90, 25), (60, 200)], ids=str)
def test_the_answer_is_proven_with_its_weights(initial: str, shape: tuple[int, int]) -> None:
    X, y = data(shape)
    model = AdaptiveLasso(initial=initial).fit(X, y)
    penalty = L1(model.alpha_, weights=model.weights_)
    judged = verify(X, y, model.coef_, model.intercept_, penalty=penalty)
    assert judged.relative_gap <= 1e-9
    assert model.certificate_.primal == pytest.approx(judged.primal, rel=1e-9)
    assert model.status_ == "optimal"
    assert not model.coef_[model.initial_coef_ == 0.0].any()
    assert model.report_.n_passes > 6.0


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("standardize", [False, True])
def test_given_coefficients_make_a_lasso_on_rescaled_columns(
    gamma: float, standardize: bool
) -> None:
    X, y = data((90, 25))
    first = np.random.default_rng(0).standard_normal(25)
    first[[3, 7]] = 0.0
    options: dict[str, Any] = {"alphas": np.geomspace(0.5, 0.01, 12) if not standardize else 12}
    model = AdaptiveLasso(initial=first, gamma=gamma, standardize=standardize, **options)
    model.fit(X, y)
    assert not hasattr(model, "initial_alpha_")
    assert not model.coef_[[3, 7]].any()
    if standardize:  # each fold scales by its own deviations
        for k, (train, _) in enumerate(KFold(5).split(X)):
            e = X[train].std(axis=0)
            with np.errstate(divide="ignore"):
                f = np.abs(e * first) ** -gamma
            np.testing.assert_allclose(model.fold_weights_[k], f, rtol=1e-10)
        return
    kept, scale = first != 0.0, np.abs(first[first != 0.0]) ** gamma
    lasso = LassoCV(**options).fit(X[:, kept] * scale, y)
    np.testing.assert_allclose(model.mse_path_, lasso.mse_path_, rtol=1e-9)
    np.testing.assert_allclose(model.coef_[kept], lasso.coef_ * scale, atol=1e-9)


@pytest.mark.parametrize("initial", ["ridge", "lasso"])
def test_what_is_held_out_changes_no_weights(initial: str) -> None:
    X, y = data((90, 25))
    splits = list(KFold(3).split(X))
    options: dict[str, Any] = {"initial": initial, "alphas": [0.05, 0.01], "cv": splits}
    before = AdaptiveLasso(**options).fit(X, y)
    test = splits[0][1]
    X2, y2 = X.copy(), y.copy()
    X2[test], y2[test] = -3.0 * X[test] + 5.0, 40.0
    after = AdaptiveLasso(**options).fit(X2, y2)
    np.testing.assert_allclose(after.fold_weights_[0], before.fold_weights_[0], rtol=1e-7)
    one, other = before.fold_paths_[0], after.fold_paths_[0]
    np.testing.assert_allclose(one.coefs.toarray(), other.coefs.toarray(), atol=1e-8)
    assert not np.allclose(after.fold_weights_[1], before.fold_weights_[1])


@pytest.mark.parametrize("initial", ["ridge", "lasso"])
def test_weights_are_repeated_rows_and_zeros_are_absent_ones(initial: str) -> None:
    X, y = data((60, 15))
    times = np.random.default_rng(0).integers(0, 4, 60)
    groups = np.arange(60) % 3
    splits = [(groups != g, groups == g) for g in range(3)]
    repeated = np.repeat(np.arange(60), times)
    again = [(np.flatnonzero(a[repeated]), np.flatnonzero(b[repeated])) for a, b in splits]
    splits = [(np.flatnonzero(a), np.flatnonzero(b)) for a, b in splits]
    one = AdaptiveLasso(initial=initial, alphas=12, cv=splits).fit(X, y, times)
    other = AdaptiveLasso(initial=initial, alphas=12, cv=again).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(one.mse_path_, other.mse_path_, rtol=1e-7)
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-8)


def test_factors() -> None:
    size = np.array([2.0, 0.0, 0.5, 0.0, 1e-200])
    weights = np.array([1.0, 1.0, 3.0, 0.0, 1.0])
    np.testing.assert_array_equal(factors(size, 2.0, weights), [0.25, np.inf, 12.0, 0.0, np.inf])
    np.testing.assert_array_equal(factors(np.ones(2), 1.0, np.array([np.inf, 0.0])), [np.inf, 0.0])


@pytest.mark.parametrize("initial", ["ridge", "lasso"])
def test_the_users_weights_and_bounds_hold_in_both_stages(initial: str) -> None:
    X, y = data((90, 25))
    X[:, 4] = y  # a leak that the user takes out
    weights = np.ones(25)
    weights[4], weights[6] = np.inf, 0.0
    model = AdaptiveLasso(initial=initial, weights=weights, positive=True).fit(X, y)
    assert model.coef_[4] == model.initial_coef_[4] == 0.0
    assert np.all(model.coef_ >= 0.0)
    assert np.all(model.initial_coef_ >= 0.0)
    assert np.isinf(model.weights_[4])
    assert model.weights_[6] == 0.0
    penalised = weights > 0.0
    out = np.isinf(model.weights_[penalised])
    np.testing.assert_array_equal(out, model.initial_coef_[penalised] == 0.0)


def test_inner_splits_are_the_other_folds() -> None:
    groups = np.arange(60) % 7
    splits = list(GroupKFold(4).split(np.zeros(60), groups=groups))
    trained = np.isin(np.arange(60), splits[1][0]).astype(float)
    inner = _within(splits, 1, trained)
    assert len(inner) == 3
    for train, test in inner:  # a partition, so that X'X of a fold is a difference
        assert len(train) + len(test) == 60
        seen = [set(groups[part[trained[part] > 0]]) for part in (train, test)]
        assert seen[0].isdisjoint(seen[1])
    in_time = list(TimeSeriesSplit(3).split(np.zeros(40)))
    weight = np.zeros(40)
    weight[in_time[2][0]] = 1.0
    for train, test in _within(in_time, 2, weight):
        kept = [part[weight[part] > 0] for part in (train, test)]
        assert kept[0].max() < kept[1].min()
    weight = np.zeros(40)
    weight[in_time[0][0]] = 1.0  # nothing of it is held out by another: consecutive rows
    assert len(_within(in_time, 0, weight)) == 5
    with pytest.raises(ValueError, match="one row"):
        _within(in_time, 0, np.eye(40)[0])


@pytest.mark.parametrize("cv", [2, ShuffleSplit(3, random_state=0), TimeSeriesSplit(3)], ids=str)
@pytest.mark.parametrize("initial", ["ridge", "lasso"])
def test_any_splitter(cv: Any, initial: str) -> None:
    X, y = data((80, 20))
    model = AdaptiveLasso(initial=initial, alphas=10, cv=cv).fit(X, y)
    n_folds = cv if isinstance(cv, int) else cv.get_n_splits()
    assert model.mse_path_.shape == (10, n_folds)
    assert model.fold_weights_.shape == (n_folds, 20)
    assert model.mse_path_.mean(axis=1).min() < np.var(y)


def test_groups_are_routed_to_the_splitter() -> None:
    X, y = data((80, 20))
    groups = np.arange(80) % 7
    with config_context(enable_metadata_routing=True):
        model = AdaptiveLasso(alphas=10, cv=GroupKFold(3)).fit(X, y, groups=groups)
    wanted = AdaptiveLasso(alphas=10, cv=list(GroupKFold(3).split(X, y, groups))).fit(X, y)
    np.testing.assert_allclose(model.mse_path_, wanted.mse_path_, rtol=1e-10)


@pytest.mark.parametrize("initial", ["ridge", "lasso"])
@pytest.mark.parametrize("name", ["twins", "one_hot", "shifted", "constant", "tiny"])
def test_nasty_columns(name: str, initial: str) -> None:
    rng = np.random.default_rng(3)
    X, y = regression(80, 12, seed=8)
    if name == "twins":
        X = np.hstack([X, X, -X[:, :3]])
    elif name == "one_hot":
        X = np.hstack([np.eye(4)[rng.integers(0, 4, 80)] for _ in range(3)])
        y = X @ rng.standard_normal(12) + 0.1 * rng.standard_normal(80)
    elif name == "shifted":
        X = X + 1e6
    elif name == "constant":
        X[:, 2] = 7.0
    else:
        X, y = X * 1e-6, y * 1e-3
    model = AdaptiveLasso(initial=initial).fit(X, y)
    penalty = L1(model.alpha_, weights=model.weights_)
    judged = verify(X, y, model.coef_, model.intercept_, penalty=penalty)
    assert judged.relative_gap <= 1e-6
    assert model.score(X, y) > 0.8
    if name == "constant":
        assert model.coef_[2] == 0.0


def test_threads_change_no_bit() -> None:
    X, y = data((60, 90))
    one, two = AdaptiveLasso(n_threads=1).fit(X, y), AdaptiveLasso(n_threads=2).fit(X, y)
    np.testing.assert_array_equal(one.fold_weights_, two.fold_weights_)
    np.testing.assert_array_equal(one.mse_path_, two.mse_path_)
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_it_finds_the_truth_where_the_lasso_finds_more() -> None:
    X, y = regression(300, 40, seed=5)
    true = np.unique(np.linspace(0, 39, 10).astype(int))
    adaptive = AdaptiveLasso(gamma=2.0, selection_rule="1se").fit(X, y)
    lasso = LassoCV(selection_rule="1se").fit(X, y)
    np.testing.assert_array_equal(np.flatnonzero(adaptive.coef_), true)
    assert set(true) < set(np.flatnonzero(lasso.coef_))


def test_a_callback_is_told_of_every_stage() -> None:
    X, y = data((60, 20))
    told: list[Any] = []
    AdaptiveLasso(initial="lasso", alphas=5, cv=3, callback=lambda p: told.append(p.step)).fit(X, y)
    assert len(told) >= 3 * 5


def test_too_little_time_warns() -> None:
    X, y = regression(300, 3000, rho=0.95)
    model = AdaptiveLasso(initial="lasso", eps=1e-5, alphas=2000, max_time=0.2)
    with pytest.warns(regsolve.ConvergenceWarning):
        model.fit(X, y)
    assert np.isfinite(model.coef_).all()


def test_no_feature_is_left() -> None:
    X, _ = data((40, 6))
    model = AdaptiveLasso(initial=np.zeros(6)).fit(X, X[:, 0])
    assert not model.coef_.any()
    assert model.intercept_ == pytest.approx(X[:, 0].mean())


def test_factors_that_all_overflow_are_named() -> None:
    X, y = data((40, 6))
    with pytest.raises(ValueError, match=r"gamma=2.*overflows for every feature"):
        AdaptiveLasso(initial=np.full(6, 1e-300), gamma=2).fit(X, y)
    first = np.array([1.0, 1e-300, 1e-300, 0.0, 0.0, 0.0])
    model = AdaptiveLasso(initial=first, gamma=2, alphas=[1e-3]).fit(X, y)
    np.testing.assert_array_equal(model.coef_ != 0.0, first == 1.0)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"initial": "ols"}, ValueError, "initial"),
        ({"initial": np.ones(3)}, ValueError, "initial"),
        ({"initial": np.full(5, np.nan)}, ValueError, "initial"),
        ({"gamma": 0.0}, ValueError, "gamma"),
        ({"gamma": "1"}, TypeError, "gamma"),
        ({"weights": [-1.0] * 5}, ValueError, "weights"),
        ({"lower": 1.0}, ValueError, "lower"),
        *(({"max_time": bad}, ValueError, "max_time=") for bad in (0, -5, np.nan, True, "3")),
    ],
    ids=str,
)
def test_bad_parameters_are_named(options: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        AdaptiveLasso(**options).fit(*data((60, 5)))


@pytest.mark.parametrize("initial", ["ridge", "lasso"])
def test_bad_data_is_named_and_leaves_the_estimator(initial: str) -> None:
    X, y = data((60, 8))
    model = AdaptiveLasso(initial=initial).fit(X, y)
    before = dict(vars(model))
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="column 2"):
        model.fit(X, y)
    assert vars(model) == before


def test_documented_parameters_are_all() -> None:
    text = AdaptiveLasso.__doc__ or ""
    for name in [*AdaptiveLasso().get_params(), "weights_", "fold_weights_", "mse_path_", "coef_"]:
        assert name in text, name
    assert text.count("Parameters\n") == 1
    assert text.count("    eps : ") == 1
    assert "    l1_ratio :" not in text

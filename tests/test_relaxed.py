"""RelaxedLasso: refits, mixtures and their held-out errors against fits to copies."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import sparse
from sklearn import config_context
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
)
from sklearn.utils.estimator_checks import parametrize_with_checks

import regsolve
from regsolve import LassoCV, RelaxedLasso, relaxed, verify
from regsolve.penalties import L1
from regsolve.plots import relaxed_curves
from regsolve.relaxed import _blocks, chosen, least_squares, mixture

STORED = {
    "dense": np.asarray,
    "rows": np.ascontiguousarray,
    "float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "csc": sparse.csc_matrix,
    "csr": sparse.csr_array,
}
GAMMAS = [0.0, 0.3, 1.0]


@parametrize_with_checks(
    [
        RelaxedLasso(),
        RelaxedLasso(gammas=[0.0], selection_rule="1se"),
        RelaxedLasso(positive=True, standardize=True),
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


def refit_by_hand(
    X: np.ndarray, y: np.ndarray, s: np.ndarray, support: np.ndarray, fit_intercept: bool = True
) -> tuple[np.ndarray, float]:
    """Weighted least squares on some columns, by singular values."""
    omega = s / s.sum()
    m = omega @ X[:, support] if fit_intercept else np.zeros(len(support))
    mean = omega @ y if fit_intercept else 0.0
    root = np.sqrt(s)[:, None]
    v = np.linalg.lstsq(root * (X[:, support] - m), root[:, 0] * (y - mean), rcond=1e-10)[0]
    coef = np.zeros(X.shape[1])
    coef[support] = v
    return coef, float(mean - m @ v)


def errors_by_hand(
    X: np.ndarray, y: np.ndarray, s: Any, splits: list[Any], model: Any
) -> np.ndarray:
    """Held-out errors (n_gammas, m, K) of mixtures fitted to copies of each fold's rows."""
    s = np.ones(len(y)) if s is None else s
    out = np.empty((len(model.gammas), len(model.alphas_), len(splits)))
    for k, (train, test) in enumerate(splits):
        X1, y1, s1 = np.asfortranarray(X[train]), y[train], s[train]
        path = regsolve.path(
            X1,
            y1,
            penalty=L1(weights=model.weights),
            alphas=model.alphas_,
            sample_weight=s1,
            standardize=model.standardize,
            fit_intercept=model.fit_intercept,
            tol=1e-10,
        )
        for i, column in enumerate(path.coefs.toarray().T):
            free, b = refit_by_hand(X1, y1, s1, np.flatnonzero(column), model.fit_intercept)
            for g, gamma in enumerate(model.gammas):
                coef = gamma * column + (1.0 - gamma) * free
                intercept = gamma * path.intercepts[i] + (1.0 - gamma) * b
                left = y[test] - X[test] @ coef - intercept
                out[g, i, k] = np.average(left**2, weights=s[test])
    return out


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(150, 12), (60, 200)], ids=str)
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"fit_intercept": False}], ids=str)
def test_errors_are_those_of_fits_to_copies(
    stored: str, weighted: bool, shape: tuple[int, int], options: dict[str, Any]
) -> None:
    X, y = data(shape)
    s = np.random.default_rng(0).uniform(0.2, 3.0, len(y)) if weighted else None
    factors = np.ones(shape[1])
    factors[3], factors[5], factors[7] = 0.0, 2.0, np.inf
    cv = KFold(4, shuffle=True, random_state=0)
    model = RelaxedLasso(gammas=GAMMAS, alphas=15, eps=2e-2, cv=cv, weights=factors, **options)
    model.fit(STORED[stored](X), y, s)
    wanted = errors_by_hand(X, y, s, list(cv.split(X)), model)
    np.testing.assert_allclose(model.mse_path_, wanted, rtol=1e-8)
    mean = model.mse_path_.mean(axis=2)
    g, k = np.argwhere(mean == mean.min())[0]
    assert (model.gamma_, model.alpha_) == (GAMMAS[g], model.alphas_[k])


@pytest.mark.parametrize(
    "cv",
    [
        ShuffleSplit(3, random_state=0),
        ShuffleSplit(12, random_state=0),
        TimeSeriesSplit(3),
        RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
        KFold(2),
    ],
    ids=str,
)
def test_any_splitter(cv: Any) -> None:
    X, y = data((80, 20))
    model = RelaxedLasso(gammas=GAMMAS, alphas=8, eps=2e-2, cv=cv).fit(X, y)
    wanted = errors_by_hand(X, y, None, list(cv.split(X)), model)
    np.testing.assert_allclose(model.mse_path_, wanted, rtol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("twice", [False, True])
def test_rows_drawn_more_than_once_count_as_often(weighted: bool, twice: bool) -> None:
    X, y = data((60, 8))
    rng = np.random.default_rng(0)
    s = rng.uniform(0.2, 3.0, 60) if weighted else None
    rows = np.arange(60)
    if twice:  # a few sets of rows that folds share
        cv = [(np.r_[rows[20:], rows[40:]], rows[:20]), (rows[:40], rows[40:])]
    else:
        drawn = [rng.integers(0, 60, 60) for _ in range(3)]
        cv = [(train, np.setdiff1d(rows, train)) for train in drawn]
    model = RelaxedLasso(gammas=GAMMAS, alphas=[0.5, 0.05], cv=cv).fit(X, y, s)
    wanted = errors_by_hand(X, y, s, cv, model)
    np.testing.assert_allclose(model.mse_path_, wanted, rtol=1e-8)
    all_rows = np.ones(60) if s is None else s
    coef, intercept = refit_by_hand(X, y, all_rows, np.flatnonzero(model.lasso_coef_))
    np.testing.assert_allclose(model.refit_coef_, coef, atol=1e-10)
    assert model.refit_intercept_ == pytest.approx(intercept)


def test_gamma_of_one_is_the_lasso_and_of_none_is_least_squares() -> None:
    X, y = data((90, 25))
    lasso = LassoCV().fit(X, y)
    one = RelaxedLasso(gammas=[1]).fit(X, y)
    np.testing.assert_array_equal(one.mse_path_, lasso.mse_path_)
    np.testing.assert_array_equal(one.coef_, lasso.coef_)
    assert (one.alpha_, one.intercept_, one.gamma_) == (lasso.alpha_, lasso.intercept_, 1.0)
    none = RelaxedLasso(gammas=[0]).fit(X, y)
    coef, intercept = refit_by_hand(X, y, np.ones(90), np.flatnonzero(none.lasso_coef_))
    np.testing.assert_allclose(none.coef_, coef, atol=1e-11)
    assert none.intercept_ == pytest.approx(intercept)
    both = RelaxedLasso(gammas=[0.0, 0.5, 1.0]).fit(X, y)
    np.testing.assert_array_equal(both.mse_path_[2], lasso.mse_path_)
    np.testing.assert_array_equal(both.mse_path_[0], none.mse_path_)


@pytest.mark.parametrize("shape", [(90, 25), (60, 200)], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_both_parts_are_proven(shape: tuple[int, int], weighted: bool) -> None:
    X, y = data(shape)
    s = np.random.default_rng(0).uniform(0.2, 3.0, len(y)) if weighted else None
    model = RelaxedLasso(gammas=[0.4]).fit(X, y, s)
    penalty = L1(model.alpha_)
    judged = verify(
        X, y, model.lasso_coef_, model.lasso_intercept_, penalty=penalty, sample_weight=s
    )
    assert judged.relative_gap <= 1e-9
    assert model.certificate_.primal == pytest.approx(judged.primal, rel=1e-9)
    assert model.refit_certificate_.kkt_violation <= 1e-10
    assert model.refit_certificate_.relative_gap <= 1e-10
    np.testing.assert_allclose(
        model.coef_, 0.4 * model.lasso_coef_ + 0.6 * model.refit_coef_, atol=1e-12
    )
    np.testing.assert_array_equal(model.coef_ != 0.0, model.lasso_coef_ != 0.0)
    assert model.status_ == "optimal"
    assert model.report_.n_passes > 1.0


@pytest.mark.parametrize(
    "options", [{"positive": True}, {"lower": -0.8, "upper": 1.5}, {"upper": 0.3}], ids=str
)
def test_bounds_hold_for_the_refit(options: dict[str, Any]) -> None:
    X, y = regression(90, 25, seed=4)
    model = RelaxedLasso(gammas=[0.0], alphas=20, **options).fit(X, y)
    lower, upper = L1(**options).bounds(25)
    assert np.all((model.coef_ >= lower) & (model.coef_ <= upper))
    assert np.any((model.refit_coef_ == lower) | (model.refit_coef_ == upper))
    free = L1(0.0, weights=np.where(model.lasso_coef_ == 0.0, np.inf, 1.0), **options)
    judged = verify(X, y, model.refit_coef_, model.refit_intercept_, penalty=free)
    assert judged.kkt_violation <= 1e-9
    assert model.refit_certificate_.kkt_violation == pytest.approx(judged.kkt_violation, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_refits_lie_on_their_bounds_to_the_last_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, y = regression(40, 5, seed=seed)
    u = np.abs(rng.standard_normal(5)) * 0.3
    model = RelaxedLasso(gammas=[0.0], alphas=[0.01], cv=3, lower=-u, upper=u).fit(X, y)
    held = np.abs(np.abs(model.refit_coef_) - u) <= 1e-9 * u
    assert held.any()
    np.testing.assert_array_equal(np.abs(model.refit_coef_[held]), u[held])
    assert model.refit_certificate_.kkt_violation <= 1e-12


@pytest.mark.parametrize(
    "options",
    [{}, {"fit_intercept": False}, {"upper": 0.3}, {"weights": np.r_[0.0, np.ones(24)]}],
    ids=["plain", "no intercept", "bounded", "one free"],
)
def test_mixtures_say_what_they_explain(options: dict[str, Any]) -> None:
    X, y = data((90, 25))
    s = np.random.default_rng(0).uniform(0.2, 3.0, 90)
    splits = list(KFold(3).split(X))
    model = RelaxedLasso(gammas=[0.3], alphas=12, cv=splits, **options).fit(X, y, s)
    weights = [s, *(np.isin(np.arange(90), train) * s for train, _ in splits)]
    for path, own in zip([model.path_, *model.fold_paths_], weights, strict=True):
        left = y[:, None] - X @ path.coefs.toarray() - path.intercepts
        losses = 0.5 * own @ left**2 / own.sum()
        np.testing.assert_allclose(
            path.deviance_ratio, 1.0 - losses / path.null_objective, atol=1e-12
        )
        with pytest.raises(ValueError, match="does not say"):
            path.select("bic")
    lasso = RelaxedLasso(gammas=[1.0], alphas=12, cv=splits, **options).fit(X, y, s)
    assert np.all(model.path_.deviance_ratio >= lasso.path_.deviance_ratio - 1e-12)
    assert lasso.path_.select("bic", X, y, sample_weight=s).alpha > 0.0


def nasty(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Columns that are hard to tell apart, or far from zero."""
    rng = np.random.default_rng(3)
    X, y = regression(60, 12, seed=8)
    if name == "twins":
        X = np.hstack([X, X, -X[:, :3]])
    elif name == "one_hot":
        levels = rng.integers(0, 4, (60, 3))
        X = np.hstack([np.eye(4)[levels[:, k]] for k in range(3)])
        y = X @ rng.standard_normal(12) + 0.1 * rng.standard_normal(60)
    elif name == "shifted":
        X = X + 1e6
    elif name == "wide":
        X, y = regression(30, 300, seed=8)
    elif name == "nearly_equal":
        X[:, 1] = X[:, 0] + 1e-5 * X[:, 1]
    elif name == "constant":
        X[:, 2] = 7.0
    return X, y


@pytest.mark.parametrize(
    "name", ["twins", "one_hot", "shifted", "wide", "nearly_equal", "constant"]
)
def test_refits_of_nasty_columns(name: str) -> None:
    X, y = nasty(name)
    n = len(y)
    weights = [np.ones(n), np.r_[np.zeros(15), np.ones(n - 15)]]
    paths = []
    for s in weights:  # all columns are let in: dependent ones too
        path = regsolve.path(X, y, n_alphas=12, sample_weight=s)
        full = path.coefs.toarray()
        full[: min(25, X.shape[1]), -1] += 1e-3
        paths.append(replace(path, coefs=sparse.csc_matrix(full)))
    bounds = L1().bounds(X.shape[1])
    refits, share = least_squares(X, y, paths, weights, True, bounds)
    assert 0.0 < share <= 1.0
    for path, refit, s in zip(paths, refits, weights, strict=True):
        pure = mixture(path, refit, 0.0)
        for k in range(len(path.alphas)):
            support = path.coefs[:, [k]].nonzero()[0]
            wanted, b = refit_by_hand(X, y, s, support)
            fit = X[s > 0] @ pure.coefs[:, [k]].toarray().ravel() + pure.intercepts[k]
            np.testing.assert_allclose(fit, X[s > 0] @ wanted + b, atol=2e-6)


def test_refit_of_equal_columns_has_the_least_norm() -> None:
    X, y = regression(60, 4, seed=8)
    X = np.hstack([X, X])
    path = regsolve.path(X, y, n_alphas=2)
    path = replace(path, coefs=sparse.csc_matrix(np.ones((8, 2))))
    (refit,), _ = least_squares(X, y, [path], [np.ones(60)], True, L1().bounds(8))
    np.testing.assert_allclose(refit.values[:4], refit.values[4:8], rtol=1e-9)
    alone, _ = refit_by_hand(X[:, :4], y, np.ones(60), np.arange(4))
    np.testing.assert_allclose(2.0 * refit.values[:4], alone, rtol=1e-9)


def test_blocks_of_rows_join_to_the_same_refits(monkeypatch: Any) -> None:
    X, y = data((400, 8))
    whole = RelaxedLasso(alphas=10).fit(X, y)
    monkeypatch.setattr("regsolve.relaxed.BLOCK_BYTES", 8)
    assert [len(rows) for rows in _blocks(np.arange(25), 10)] == [10, 10, 5]
    parts = RelaxedLasso(alphas=10).fit(X, y)
    np.testing.assert_allclose(parts.mse_path_, whole.mse_path_, rtol=1e-11)
    np.testing.assert_allclose(parts.coef_, whole.coef_, rtol=1e-10)


def test_what_is_held_out_changes_no_refit() -> None:
    X, y = data((90, 25))
    splits = list(KFold(3).split(X))
    options: dict[str, Any] = {"gammas": [0.0], "alphas": [0.5, 0.2, 0.05], "cv": splits}
    before = RelaxedLasso(**options).fit(X, y)
    train, test = splits[0]
    X2, y2 = X.copy(), y.copy()
    X2[test], y2[test] = -3.0 * X[test] + 5.0, 40.0
    after = RelaxedLasso(**options).fit(X2, y2)
    one, other = before.fold_paths_[0], after.fold_paths_[0]
    np.testing.assert_allclose(one.coefs.toarray(), other.coefs.toarray(), atol=1e-9)
    np.testing.assert_allclose(one.intercepts, other.intercepts, atol=1e-9)
    assert not np.allclose(before.coef_, after.coef_)
    assert set(train).isdisjoint(test)


def test_weights_are_repeated_rows_and_zeros_are_absent_ones() -> None:
    X, y = data((60, 15))
    times = np.random.default_rng(0).integers(0, 4, 60)
    groups = np.arange(60) % 3
    splits = [(groups != g, groups == g) for g in range(3)]
    options: dict[str, Any] = {"alphas": 12, "gammas": GAMMAS}
    repeated = np.repeat(np.arange(60), times)
    again = [(np.flatnonzero(a[repeated]), np.flatnonzero(b[repeated])) for a, b in splits]
    splits = [(np.flatnonzero(a), np.flatnonzero(b)) for a, b in splits]
    one = RelaxedLasso(cv=splits, **options).fit(X, y, times)
    other = RelaxedLasso(cv=again, **options).fit(X[repeated], y[repeated])
    np.testing.assert_allclose(one.mse_path_, other.mse_path_, rtol=1e-9)
    np.testing.assert_allclose(one.coef_, other.coef_, atol=1e-9)


@pytest.mark.parametrize("exponent", [-1000, 1000])
def test_weights_of_any_size_are_shares(exponent: int) -> None:
    X, y = data((60, 15))
    s = np.random.default_rng(0).uniform(0.2, 3.0, 60)
    options: dict[str, Any] = {"alphas": 12, "gammas": GAMMAS}
    plain = RelaxedLasso(**options).fit(X, y, s)
    model = RelaxedLasso(**options).fit(X, y, np.ldexp(s, exponent))
    np.testing.assert_array_equal(model.mse_path_, plain.mse_path_)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.refit_certificate_.kkt_violation <= 1e-10


def test_choice_by_hand() -> None:
    errors = np.array([[[4.0, 6.0], [1.0, 1.0]], [[4.0, 6.0], [1.0, 1.0]]])
    assert chosen(errors, [0.0, 1.0]) == (1, 1)  # of equals the larger gamma
    assert chosen(errors, [1.0, 0.0]) == (0, 1)
    errors[0, 0] = 1.0
    assert chosen(errors, [0.0, 1.0]) == (0, 0)  # but a larger alpha goes first
    errors[0, 1] = 0.5, 1.1
    assert chosen(errors, [0.0, 1.0]) == (0, 1)
    assert chosen(errors, [0.0, 1.0], "1se") == (0, 0)
    errors[0, 0, 1] = np.nan
    assert chosen(errors, [0.0, 1.0], "1se") == (1, 1)


def test_choice_by_scores_of_any_sign() -> None:
    errors = np.array([[[-0.9, -0.8], [-0.5, -0.5]], [[-0.7, -0.8], [-0.5, -0.5]]])
    assert chosen(errors, [0.0, 1.0]) == (0, 0)
    assert chosen(errors, [0.0, 1.0], "1se") == (0, 0)
    equal = np.stack([errors[0], errors[0] * (1.0 + 1e-15)])
    assert chosen(equal, [0.0, 1.0]) == (1, 0)
    X, y = data((60, 8))
    model = RelaxedLasso(alphas=10, scoring="r2").fit(X, y)
    mean = model.score_path_.mean(axis=2)
    at = int(np.flatnonzero(model.alphas_ == model.alpha_)[0])
    assert mean.max() > 0.0
    assert mean[:, at].max() == mean.max()
    assert model.gamma_ == model.gammas_[np.flatnonzero(mean[:, at] == mean.max())[-1]]


def test_no_choice_without_a_score_in_every_fold() -> None:
    X, y = data((12, 3))
    with (
        pytest.warns(UndefinedMetricWarning),
        pytest.raises(ValueError, match="no alpha can be chosen"),
    ):
        RelaxedLasso(alphas=3, cv=LeaveOneOut(), scoring="r2").fit(X, y)


def test_of_equal_mixtures_the_lasso_is_chosen() -> None:
    X, _ = data((60, 8))
    model = RelaxedLasso(alphas=[50.0, 20.0]).fit(X, np.random.default_rng(0).standard_normal(60))
    assert (model.alpha_, model.gamma_) == (50.0, 1.0)
    assert not model.coef_.any()


def test_rule_of_one_standard_error() -> None:
    X, y = data((90, 25))
    least = RelaxedLasso().fit(X, y)
    simple = RelaxedLasso(selection_rule="1se").fit(X, y)
    mean = least.mse_path_.mean(axis=2)
    g, k = np.unravel_index(mean.argmin(), mean.shape)
    limit = mean[g, k] + least.mse_path_[g, k].std(ddof=1) / np.sqrt(5)
    within = mean <= limit
    assert simple.alpha_ == least.alphas_[within.any(axis=0)].max()
    at = int(np.flatnonzero(least.alphas_ == simple.alpha_)[0])
    assert simple.gamma_ == least.gammas_[within[:, at]].max()


def test_scoring_and_groups() -> None:
    X, y = data((90, 25))
    plain = RelaxedLasso(alphas=10).fit(X, y)
    named = RelaxedLasso(alphas=10, scoring="neg_mean_squared_error").fit(X, y)
    np.testing.assert_allclose(named.score_path_, -plain.mse_path_, rtol=1e-9)
    assert (named.alpha_, named.gamma_) == (plain.alpha_, plain.gamma_)
    scorer = make_scorer(mean_absolute_error, greater_is_better=False)
    assert RelaxedLasso(alphas=10, scoring=scorer).fit(X, y).score_path_.shape == (5, 10, 5)
    groups = np.arange(90) % 7
    with config_context(enable_metadata_routing=True):
        model = RelaxedLasso(alphas=10, cv=GroupKFold(3)).fit(X, y, groups=groups)
    wanted = RelaxedLasso(alphas=10, cv=list(GroupKFold(3).split(X, y, groups))).fit(X, y)
    np.testing.assert_allclose(model.mse_path_, wanted.mse_path_, rtol=1e-10)


@pytest.mark.parametrize("shape", [(300, 12), (60, 200)], ids=str)
def test_threads_change_no_bit(shape: tuple[int, int]) -> None:
    X, y = data(shape)
    one, two = RelaxedLasso(n_threads=1).fit(X, y), RelaxedLasso(n_threads=2).fit(X, y)
    np.testing.assert_array_equal(one.mse_path_, two.mse_path_)
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_a_callback_stops_the_lasso_and_refits_what_is_there(capsys: Any) -> None:
    X, y = regression(60, 300, seed=5)
    model = RelaxedLasso(callback=lambda progress: progress.step >= 20, verbose=True).fit(X, y)
    assert 0 < len(model.alphas_) < 100
    assert model.mse_path_.size == 5 * len(model.alphas_) * 5
    assert "gamma" in capsys.readouterr().err


class Watched(ThreadPoolExecutor):
    """A pool whose tasks know their numbers, and that says when it is being left."""

    left = threading.Event()
    task = threading.local()

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.left.clear()
        self.begun = 0

    def submit(self, work: Any, *args: Any) -> Any:  # type: ignore[override]
        number, self.begun = self.begun, self.begun + 1

        def numbered(*args: Any) -> Any:
            self.task.number = number
            return work(*args)

        return super().submit(numbered, *args)

    def shutdown(self, *args: Any, **options: Any) -> None:
        self.left.set()
        super().shutdown(*args, **options)


@pytest.mark.parametrize(
    ("slow", "first"), [("_triangle", 0), ("_solved", 4)], ids=["blocks", "supports"]
)
def test_an_interruption_ends_tasks_at_their_next_step(
    slow: str, first: int, monkeypatch: Any
) -> None:
    """It comes while another task, of many steps, is in its first one."""
    X, y = data((400, 12))
    path = regsolve.path(X, y)
    weights = [np.ones(400), *np.kron(1.0 - np.eye(4), np.ones(100))]
    steps: list[int] = []
    both = threading.Barrier(2, timeout=10.0)
    monkeypatch.setattr(relaxed, "ThreadPoolExecutor", Watched)
    monkeypatch.setattr(relaxed, "BLOCK_BYTES", 1)  # blocks as short as they may be
    usual = getattr(relaxed, slow)

    def step(*args: Any) -> Any:
        number = Watched.task.number
        steps.append(number)
        if number <= first + 1 and steps.count(number) == 1:
            both.wait()
        if number == first:
            raise KeyboardInterrupt
        assert Watched.left.wait(10.0)
        return usual(*args)

    monkeypatch.setattr(relaxed, slow, step)
    with pytest.raises(KeyboardInterrupt):
        least_squares(X, y, [path] * 5, weights, True, L1().bounds(12), n_threads=2)
    assert set(steps) <= {first, first + 1, first + 2}  # a free thread may take one more
    assert len(steps) == len(set(steps))


def test_an_interrupted_refit_keeps_the_lasso_s_path(monkeypatch: Any) -> None:
    X, y = data((90, 12))
    model = RelaxedLasso(alphas=10).fit(X, y)
    before = dict(vars(model))

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(relaxed, "_solved", interrupted)
    with pytest.raises(regsolve.Interrupted) as stop:
        model.set_params(alphas=15).fit(X, y)
    (kept,) = stop.value.result
    wanted = LassoCV(alphas=15).fit(X, y).path_
    np.testing.assert_array_equal(kept.coefs.toarray(), wanted.coefs.toarray())
    assert vars(model) == {**before, "alphas": 15}


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"gammas": []}, TypeError, "gammas"),
        ({"gammas": 0.5}, TypeError, "gammas"),
        ({"gammas": ["a"]}, TypeError, "gammas"),
        ({"gammas": [0.0, 1.5]}, ValueError, "gammas"),
        ({"gammas": [np.nan]}, ValueError, "gammas"),
        ({"selection_rule": "best"}, ValueError, "selection_rule"),
    ],
    ids=str,
)
def test_bad_parameters_are_named(options: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        RelaxedLasso(**options).fit(*data((60, 5)))


def test_curves() -> None:
    X, y = data((90, 25))
    model = RelaxedLasso(gammas=GAMMAS).fit(X, y)
    ax = model.plot()
    said = [text.get_text() for text in ax.get_legend().get_texts()]
    assert said[:3] == ["gamma = 0 (least squares)", "gamma = 0.3", "gamma = 1 (lasso)"]
    assert f"least: alpha = {model.alpha_:.3g}, gamma = {model.gamma_:g}" in said
    np.testing.assert_allclose(ax.lines[1].get_ydata(), model.mse_path_[1].mean(axis=1))
    with pytest.raises(ValueError, match="errors"):
        relaxed_curves(model.alphas_, [0.5], model.mse_path_)
    with pytest.raises(ValueError, match="above 0"):
        relaxed_curves([0.0], [1.0], np.ones((1, 1, 3)))
    assert RelaxedLasso(gammas=[0.0]).fit(X, y).plot().lines


def test_documented_parameters_are_all() -> None:
    text = RelaxedLasso.__doc__ or ""
    for name in [*RelaxedLasso().get_params(), "mse_path_", "gamma_", "report_", "coef_"]:
        assert name in text, name
    assert text.count("Parameters\n") == 1
    assert text.count("selection_rule : ") == 1
    assert "    l1_ratio :" not in text

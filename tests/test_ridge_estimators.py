"""Ridge, RidgeCV and ridge_path inside scikit-learn: its contract and its answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import sparse
from sklearn import linear_model
from sklearn.model_selection import GroupKFold, KFold, LeaveOneOut, ShuffleSplit
from sklearn.utils.estimator_checks import parametrize_with_checks

import regsolve
from regsolve import ElasticNetCV, Lasso, Ridge, RidgeCV, ridge_path, verify
from regsolve.penalties import L2

ALPHAS = np.geomspace(1e-2, 1e3, 12)
SHAPES = pytest.mark.parametrize(("n", "p"), [(60, 12), (30, 70)])


def _data(n: int, p: int, n_targets: int = 1) -> tuple[Any, Any, Any]:
    X, y = regression(n, p, seed=n)
    rng = np.random.default_rng(p)
    Y = np.column_stack([y, *(y * rng.normal() + rng.standard_normal((n_targets - 1, n)))])
    return X, Y if n_targets > 1 else y, rng.uniform(0.3, 2.0, n)


@parametrize_with_checks(
    [
        Ridge(),
        Ridge(positive=True),
        Ridge(solver="svd"),
        RidgeCV(),
        RidgeCV(cv=3),
        RidgeCV(cv="gcv"),
    ]
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    check(estimator)


@SHAPES
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, sparse.csc_array])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_ridge_as_scikit_learn(
    n: int, p: int, kind: Any, weighted: bool, intercept: bool, n_targets: int
) -> None:
    X, y, s = _data(n, p, n_targets)
    s = s if weighted else None
    alpha = 0.7 if n_targets == 1 else np.array([0.1, 1.0, 10.0])
    ours = Ridge(alpha, fit_intercept=intercept).fit(kind(X), y, s)
    theirs = linear_model.Ridge(alpha, fit_intercept=intercept, solver="svd").fit(X, y, s)
    assert ours.coef_.shape == theirs.coef_.shape
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(ours.predict(kind(X)), theirs.predict(X), rtol=1e-8, atol=1e-9)


def test_ridge_within_bounds_is_proven() -> None:
    X, y, s = _data(60, 12, 2)
    for options in ({"positive": True}, {"lower": -0.1, "upper": 0.2}, {"weights": np.arange(12)}):
        fitted = Ridge([1.0, 5.0], tol=1e-9, **options).fit(X, y, s)
        for t, alpha in enumerate((1.0, 5.0)):
            penalty = L2(alpha / s.sum(), **options)
            proof = verify(
                X, y[:, t], fitted.coef_[t], fitted.intercept_[t], penalty=penalty, sample_weight=s
            )
            assert proof.relative_gap < 1e-9


@SHAPES
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("scoring", [None, "neg_mean_absolute_error", "r2"])
@pytest.mark.parametrize("per_target", [False, True])
def test_left_out_choice_as_scikit_learn(
    n: int, p: int, kind: Any, weighted: bool, intercept: bool, scoring: Any, per_target: bool
) -> None:
    for n_targets in (3,) if per_target else (1, 3):
        X, y, s = _data(n, p, n_targets)
        s = s if weighted else None
        options = {
            "fit_intercept": intercept,
            "scoring": scoring,
            "store_cv_results": True,
            "alpha_per_target": per_target,
        }
        ours = RidgeCV(ALPHAS, **options).fit(kind(X), y, s)
        theirs = linear_model.RidgeCV(ALPHAS, **options).fit(kind(X), y, s)
        np.testing.assert_allclose(ours.alpha_, theirs.alpha_)
        np.testing.assert_allclose(ours.best_score_, theirs.best_score_, rtol=1e-8)
        np.testing.assert_allclose(ours.cv_results_, theirs.cv_results_, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-7, atol=1e-9)
        options["store_cv_results"] = False
        plain = RidgeCV(ALPHAS, **options).fit(kind(X), y, s)
        np.testing.assert_allclose(plain.best_score_, ours.best_score_, rtol=1e-12)


@SHAPES
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "cv", [4, KFold(3, shuffle=True, random_state=0), ShuffleSplit(4, random_state=0)], ids=str
)
@pytest.mark.parametrize("scoring", [None, "neg_median_absolute_error"])
def test_splitters_choose_as_a_grid_search(
    n: int, p: int, kind: Any, weighted: bool, cv: Any, scoring: Any
) -> None:
    for n_targets in (1, 2) if scoring is None else (1,):
        X, y, s = _data(n, p, n_targets)
        s = s if weighted else None
        ours = RidgeCV(ALPHAS, cv=cv, scoring=scoring).fit(kind(X), y, s)
        theirs = linear_model.RidgeCV(ALPHAS, cv=cv, scoring=scoring).fit(X, y, s)
        assert ours.alpha_ == theirs.alpha_
        np.testing.assert_allclose(ours.best_score_, theirs.best_score_, rtol=1e-8)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-7, atol=1e-9)


def test_a_splitter_that_leaves_one_out_agrees_with_the_closed_form() -> None:
    X, y, _ = _data(25, 6)
    closed = RidgeCV(ALPHAS, scoring="neg_mean_squared_error").fit(X, y)
    one_by_one = RidgeCV(ALPHAS, cv=LeaveOneOut(), scoring="neg_mean_squared_error").fit(X, y)
    assert closed.alpha_ == one_by_one.alpha_
    np.testing.assert_allclose(closed.best_score_, one_by_one.best_score_, rtol=1e-9)


def test_rows_without_weight_are_left_out_of_every_fit() -> None:
    X, y, s = _data(40, 5)
    s[::7] = 0.0
    fitted = RidgeCV(ALPHAS, scoring="neg_mean_absolute_error", store_cv_results=True).fit(X, y, s)
    kept = s > 0
    for k, alpha in enumerate(ALPHAS):
        model = Ridge(alpha).fit(X[kept], y[kept], s[kept])
        np.testing.assert_allclose(fitted.cv_results_[~kept, k], model.predict(X[~kept]))


@pytest.mark.parametrize("cv", ["gcv", "ml", "reml"])
def test_other_criteria_choose_their_best(cv: str) -> None:
    X, y, _ = _data(50, 10, 2)
    path = ridge_path(X, y, ALPHAS, criteria=True)
    worth = {"gcv": -path.gcv, "ml": path.log_evidence, "reml": path.log_restricted_evidence}[cv]
    chosen = RidgeCV(ALPHAS, cv=cv, alpha_per_target=True).fit(X, y)
    np.testing.assert_allclose(chosen.alpha_, path.alphas[worth.argmax(axis=1)])
    np.testing.assert_allclose(chosen.best_score_, worth.max(axis=1))
    shared = RidgeCV(ALPHAS, cv=cv).fit(X, y)
    assert shared.alpha_ == path.alphas[worth.sum(axis=0).argmax()]


@SHAPES
def test_path_is_a_ridge_at_every_alpha(n: int, p: int) -> None:
    X, Y, s = _data(n, p, 2)
    path = ridge_path(X, Y, ALPHAS, sample_weight=s, criteria=True)
    assert path.coefs.shape == (2, p, 12)
    assert path.relative_gaps.max() < 1e-12
    for k, alpha in enumerate(path.alphas):
        model = Ridge(alpha).fit(X, Y, s)
        np.testing.assert_allclose(path.coefs[:, :, k], model.coef_, rtol=1e-8, atol=1e-11)
        np.testing.assert_allclose(path.intercepts[:, k], model.intercept_, rtol=1e-8)
    one = ridge_path(X, Y[:, 1], ALPHAS, sample_weight=s, criteria=True)
    np.testing.assert_allclose(one.coefs, path.coefs[1], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(one.loo, path.loo[1], rtol=1e-10)
    np.testing.assert_allclose(one.df, path.df)


def test_an_alpha_without_a_score_is_not_chosen() -> None:
    X, y, _ = _data(60, 4)

    def score(model: Any, X: Any, y: Any) -> float:
        return np.nan if np.abs(model.coef_).max() < 0.3 else -np.mean((model.predict(X) - y) ** 2)

    alphas = [1e6, 0.1, 1.0]
    fitted = RidgeCV(alphas, cv=3, scoring=score).fit(X, y)
    assert fitted.alpha_ == RidgeCV(alphas, cv=3, scoring="neg_mean_squared_error").fit(X, y).alpha_
    assert np.isfinite(fitted.best_score_)
    with pytest.warns(UserWarning, match="R\\^2"):
        none = RidgeCV(alphas, cv=LeaveOneOut()).fit(X[:5], y[:5])
    assert none.alpha_ == alphas[0]
    assert np.isnan(none.best_score_)


def test_bad_parameters_are_named() -> None:
    X, y, _ = _data(20, 4)
    for model, error, match in (
        (Ridge(-1.0), ValueError, "alpha"),
        (Ridge("a"), TypeError, "alpha"),
        (Ridge([1.0, 2.0]), ValueError, "penalties do not correspond"),
        (Ridge(solver="magic"), ValueError, "solver"),
        (Ridge(tol=0.0), ValueError, "tol"),
        (Ridge(tol=np.inf), ValueError, "tol"),
        (Ridge(n_threads=0), ValueError, "n_threads"),
        (Ridge(max_time=-1), ValueError, "max_time"),
        (Ridge(max_iter=0), ValueError, "max_iter"),
        (RidgeCV(n_threads=-1), ValueError, "n_threads"),
        (RidgeCV(tol=0.0), ValueError, "tol"),
        (RidgeCV([0.0, 1.0]), ValueError, r"alphas\[0\]"),
        (RidgeCV([]), ValueError, "alphas is empty"),
        (RidgeCV([1.0, np.nan]), ValueError, r"alphas\[1\]=nan"),
        (RidgeCV([np.inf], cv=3), ValueError, "alphas=inf"),
        (RidgeCV(cv=[]), ValueError, "cv gives no splits"),
        (RidgeCV(cv="magic"), ValueError, "cv='magic'"),
        (RidgeCV(cv=[([0, 1], [20])]), ValueError, "cv has a fold"),
        (RidgeCV(cv=[([0.0, 1.0], [2])]), ValueError, "cv has a fold"),
        (RidgeCV(gcv_mode="magic"), ValueError, "gcv_mode"),
        (RidgeCV(cv=3, store_cv_results=True), ValueError, "store_cv_results"),
        (RidgeCV(cv=3, alpha_per_target=True), ValueError, "alpha_per_target"),
    ):
        with pytest.raises(error, match=match):
            model.fit(X, y)
    with pytest.raises(ValueError, match="criteria need alphas > 0"):
        ridge_path(X, y, [0.0, 1.0], criteria=True)
    with pytest.raises(ValueError, match="need metadata routing"):
        RidgeCV(cv=GroupKFold(2)).fit(X, y, groups=np.arange(20))


@pytest.mark.parametrize(
    ("reason", "options"),
    [
        (r"\by\b.*dimensions", {"y": None}),
        (r"\by\b.*dimensions", {"y": np.zeros((20, 2, 2))}),
        (r"\by\b.*target", {"y": np.zeros((20, 0))}),
        (r"\bX\b.*row", {"X": np.zeros((0, 4)), "y": np.zeros(0)}),
        (r"\bX\b.*row", {"X": np.zeros((0, 4)), "y": np.zeros((0, 2))}),
        ("solver='lsqr'", {"solver": "lsqr"}),
        ("tol=0", {"tol": 0}),
        ("tol='small'", {"tol": "small"}),
        ("n_threads=0", {"n_threads": 0}),
    ],
)
def test_a_path_names_what_is_wrong(reason: str, options: dict[str, Any]) -> None:
    X, y, _ = _data(20, 4)
    with pytest.raises(ValueError, match=reason):
        ridge_path(**({"X": X, "y": y, "alphas": [1.0]} | options))


@pytest.mark.parametrize(
    "model", [Ridge(), Ridge(positive=True), RidgeCV(), RidgeCV(cv=3), Lasso(), ElasticNetCV()]
)
def test_weights_that_are_not_numbers_are_named(model: Any) -> None:
    X, y, s = _data(20, 4)
    for bad, reason in ((s + 1j, "dtype complex128"), (s.astype(str), "dtype <U")):
        with pytest.raises(ValueError, match=f"sample_weight.*{reason}"):
            model.fit(X, y, bad)
    s[3] = np.nan
    with pytest.raises(ValueError, match="sample_weight contains NaN"):
        model.fit(X, y, s)


def test_groups_reach_the_splitter() -> None:
    from sklearn import config_context

    X, y, _ = _data(24, 4)
    groups = np.arange(24) % 6
    with config_context(enable_metadata_routing=True):
        ours = RidgeCV(ALPHAS, cv=GroupKFold(3)).fit(X, y, groups=groups)
        theirs = linear_model.RidgeCV(ALPHAS, cv=GroupKFold(3)).fit(X, y, groups=groups)
    assert ours.alpha_ == theirs.alpha_
    np.testing.assert_allclose(ours.best_score_, theirs.best_score_, rtol=1e-8)


def test_names_are_public() -> None:
    assert regsolve.Ridge is Ridge
    assert {"Ridge", "RidgeCV", "ridge_path", "RidgePath"} <= set(regsolve.__all__)


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 1e8])
def test_a_constant_target_is_the_null_model(value: float) -> None:
    for n in range(2, 30, 3):
        X = np.random.default_rng(n).standard_normal((n, 3)) * [1.0, 1e4, 1.0]
        for model in (Ridge(), RidgeCV()):
            model.fit(X, np.full(n, value))
            assert not model.coef_.any()
            assert model.intercept_ == pytest.approx(value)
        assert ridge_path(X, np.full(n, value), [1.0, 0.1]).statuses == ["optimal"] * 2


@pytest.mark.parametrize("solver", ["auto", "cholesky", "svd"])
@pytest.mark.parametrize("value", [1e9 + 0.3, 1e6 + 0.1])
def test_a_constant_column_is_no_feature(value: float, solver: str) -> None:
    """Where rounding of its mean leaves something of it, at an alpha that would not mind."""
    rng = np.random.default_rng(0)
    y, s = rng.standard_normal(30), rng.uniform(size=30)
    for others in (0, 3):
        X = np.column_stack([np.full(30, value), rng.standard_normal((30, others))])
        for alpha in (1e-9, 1e-12):
            model = Ridge(alpha, solver=solver).fit(X, y, s)
            assert model.coef_[0] == 0.0
            few = Ridge(alpha).fit(X[:, 1:], y, s) if others else None
            if few is not None:
                np.testing.assert_allclose(model.coef_[1:], few.coef_, rtol=1e-9)


def test_weights_of_another_length_are_named() -> None:
    X, y = regression(50, 3)
    with pytest.raises(ValueError, match=r"sample_weight has shape \(5,\)"):
        Ridge().fit(X, y, sample_weight=np.ones(5))


def test_a_proof_that_overflows_proves_nothing() -> None:
    X, y = regression(40, 3)
    with np.errstate(over="ignore", invalid="ignore"):
        found = Ridge(solver="svd").fit(X, y)
        large = Ridge(solver="svd").fit(X, y * 1e80)
    np.testing.assert_allclose(large.coef_, 1e80 * found.coef_, rtol=1e-9)
    assert large.certificate_.gap > 0.0 or large.certificate_.relative_gap <= 1e-12


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_paths_predict_at_the_alphas_of_their_grid(n_targets: int, kind: Any) -> None:
    X, y, _ = _data(40, 9, n_targets)
    fitted = ridge_path(X, y, ALPHAS)
    every = fitted.predict(kind(X))
    assert every.shape == (*y.shape, len(ALPHAS))
    for alpha in ALPHAS:
        one = fitted.predict(kind(X), alpha)
        np.testing.assert_allclose(one, Ridge(alpha).fit(X, y).predict(X), rtol=1e-9, atol=1e-9)
        at = list(fitted.alphas).index(alpha)
        np.testing.assert_allclose(one, every[..., at], rtol=1e-12, atol=1e-12)
    with pytest.raises(ValueError, match=r"alpha=0.0123 is not on the path's grid"):
        fitted.predict(X, 0.0123)
    with pytest.raises(TypeError, match="alpha='a'"):
        fitted.predict(X, "a")  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(5, 6), (5, 5), (6, 4)])
@pytest.mark.parametrize("kind", [np.asarray, sparse.csc_matrix, sparse.csr_array])
def test_x_without_weight_has_coefficients_of_zero(shape: tuple[int, int], kind: Any) -> None:
    """All of X is zero, or all that is not stands in a row without weight."""
    X, y, s = np.zeros(shape), np.arange(float(shape[0])), np.ones(shape[0])
    X[2, 1], s[2] = 1.0, 0.0
    for cv in (None, "gcv", "ml", "reml"):
        fitted = RidgeCV(cv=cv).fit(kind(X), y, sample_weight=s)
        assert not fitted.coef_.any()
        assert fitted.alpha_ == RidgeCV(cv=cv).fit(X, y, sample_weight=s).alpha_
    for empty in (Ridge(), Ridge(fit_intercept=False), Ridge(standardize=True),
                  regsolve.BayesianRidge(), regsolve.NormBallRegression(norm="l2")):  # fmt: skip
        assert not empty.fit(kind(np.zeros(shape)), y).coef_.any()
    path = ridge_path(kind(X), y, ALPHAS, sample_weight=s, criteria=True)
    assert not path.coefs.any()
    np.testing.assert_allclose(path.df, 1.0)


def test_fit_takes_no_other_words() -> None:
    X, y, s = _data(20, 3)
    with pytest.raises(TypeError, match="sample_weights"):
        Ridge().fit(X, y, sample_weights=s)  # type: ignore[call-arg]

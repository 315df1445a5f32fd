"""Features without penalty that depend on each other, and targets far from zero beside them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import sparse

import regsolve
from regsolve.penalties import L1, L2, ElasticNet


@pytest.mark.parametrize("seed", [65, 1217, 1579])
def test_dummies_beside_the_intercept_do_not_drift(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, 10))
    X[:, :3] = np.eye(3)[rng.integers(0, 3, 60)]
    y = rng.standard_normal(60) + X[:, 0]
    penalty = ElasticNet(1.0, 0.1, weights=np.r_[0.0, 0.0, 0.0, np.ones(7)])
    path = regsolve.path(X, y, penalty=penalty)
    assert set(path.statuses) == {"optimal"}
    assert np.abs(path.coefs.data).max() < 10.0
    for k in (0, 50, 99):
        coef = path.coefs[:, [k]].toarray().ravel()
        judged = regsolve.verify(
            X, y, coef, path.intercepts[k], penalty=penalty.with_alpha(path.alphas[k])
        )
        assert judged.relative_gap < 1e-9


@pytest.mark.parametrize("mean", [1e4, 1e6, 1e8])
def test_a_column_of_ones_is_an_intercept(mean: float) -> None:
    rng = np.random.default_rng(0)
    Z, noise = rng.standard_normal((40, 5)), rng.standard_normal(40)
    A, y = np.column_stack([np.ones(40), Z]), Z[:, 1] + noise + mean
    penalty = L1(0.04, weights=[0.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    own = regsolve.path(A, y, penalty=penalty, fit_intercept=False)
    fitted = regsolve.path(Z, y)
    np.testing.assert_allclose(own.deviance_ratio, fitted.deviance_ratio, atol=1e-7)
    assert own.select("bic", A, y).alpha == pytest.approx(fitted.select("bic", Z, y).alpha)
    one = regsolve.solve(A, y, penalty=penalty, fit_intercept=False)
    judged = regsolve.verify(A, y, one.coef, penalty=penalty, fit_intercept=False)
    assert one.status == "optimal"
    assert one.certificate.primal == pytest.approx(judged.primal, rel=1e-8)


@pytest.mark.parametrize("solver", ["auto", "working_set", "cd"])
def test_bounded_columns_that_cancel_do_not_grow(solver: str) -> None:
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X = np.zeros((20, 3))
        X[-1, 0], X[-1, 2] = rng.standard_normal(2)
        X[:, 1] = rng.standard_normal(20)
        y = rng.standard_normal(20)
        penalty = L1(0.01, weights=[0.0, 0.0, 0.0], positive=True)
        found = claimed(X, y, penalty, solver)
        judged = regsolve.verify(X, y, found.coef, found.intercept, penalty=penalty)
        assert found.status == "optimal"
        assert judged.relative_gap < 1e-9


@pytest.mark.parametrize("solver", ["auto", "working_set", "cd"])
def test_columns_that_differ_by_less_than_a_gram_matrix_shows(solver: str) -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((14, 3))
        X[:, 0] = -2.5 * X[:, 1] + 1e-9 * rng.standard_normal(14)
        y = 8e5 * rng.standard_normal(14)
        penalty = L1(8e4, weights=[0.0, 0.0, 1.0], positive=True)
        found = claimed(X, y, penalty, solver)  # it ends, too
        judged = regsolve.verify(X, y, found.coef, found.intercept, penalty=penalty)
        assert found.status != "optimal" or judged.relative_gap < 1e-5


def test_a_null_model_is_no_worse_than_nothing() -> None:
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((6, 5))
        X[:, 1] = -X[:, 0] + 1e-9 * rng.standard_normal(6)
        X[:, 4] = X[:, 2:4].sum(axis=1)
        y = 4e-6 * rng.standard_normal(6)
        penalty = L1(1e-7, weights=np.zeros(5), lower=-1.0, upper=1.0)
        found = claimed(X, y, penalty)
        judged = regsolve.verify(X, y, found.coef, found.intercept, penalty=penalty)
        assert found.certificate.primal <= 0.5 * np.mean((y - y.mean()) ** 2) * (1.0 + 1e-9)
        assert found.status != "optimal" or judged.relative_gap < 1e-5


@pytest.mark.parametrize("solver", ["auto", "gram", "working_set", "cd"])
def test_features_that_those_without_penalty_span_have_no_path(solver: str) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((40, 3))
        X, y = np.column_stack([A, A @ rng.standard_normal((3, 5))]), rng.standard_normal(40)
        penalty = L1(1.0, weights=np.r_[np.zeros(3), np.ones(5)])
        path = regsolve.path(X, y, penalty=penalty, n_alphas=5, solver=solver)
        assert path.alpha_max == 0.0
        assert path.converged
        assert not path.coefs[3:].toarray().any()
        judged = regsolve.verify(
            X,
            y,
            path.coefs[:, [4]].toarray().ravel(),
            path.intercepts[4],
            penalty=penalty.with_alpha(path.alphas[4]),
        )
        assert judged.relative_gap < 1e-9


def test_a_clock_without_penalty_hides_no_path() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([1.7e18 + 1e14 * np.arange(50.0), rng.standard_normal((50, 4))])
    y = X[:, 1] + 0.1 * rng.standard_normal(50)
    path = regsolve.path(X, y, penalty=L1(1.0, weights=[0.0, 1.0, 1.0, 1.0, 1.0]))
    assert path.alpha_max > 0.1
    assert path.converged


def claimed(X: np.ndarray, y: np.ndarray, penalty: L1, solver: str = "auto") -> regsolve.Solution:
    """The answer, whatever it warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return regsolve.solve(X, y, penalty=penalty, solver=solver)


@pytest.mark.parametrize("kind", [np.asfortranarray, sparse.csc_matrix])
@pytest.mark.parametrize("factor", [2.0, np.inf, 0.0])
def test_one_factor_for_all(factor: float, kind: type) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 40))
    y = X[:, 0] + rng.standard_normal(20)
    one = claimed(kind(X[:, :5]), y, L1(0.1, weights=factor))
    each = claimed(kind(X[:, :5]), y, L1(0.1, weights=np.full(5, factor)))
    np.testing.assert_array_equal(one.coef, each.coef)
    model = regsolve.Lasso(0.1, weights=factor).fit(X[:, :5], y)
    np.testing.assert_allclose(model.coef_, each.coef, rtol=1e-12)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("solver", ["cd", "working_set"])
def test_many_rows_of_dependent_columns(solver: str, intercept: bool) -> None:
    """Blocks of rows are made orthogonal apart, then together: the span is that of lstsq."""
    rng = np.random.default_rng(3)
    n, k = 6000, 30
    X = rng.standard_normal((n, k + 40))
    X[:, 5] = X[:, 3] - 2.0 * X[:, 4]
    X[:, 7] = 1.0
    X[: n // 2, 8] = 0.0
    X[:, 9] = 30.0 + rng.standard_normal(n)
    y = X[:, :k] @ rng.standard_normal(k) + rng.standard_normal(n)
    weights = np.r_[np.zeros(k), np.ones(40)]
    s = np.where(np.arange(n) % 5 == 0, 0.0, rng.uniform(0.5, 2.0, n))
    options = {"sample_weight": s, "fit_intercept": intercept}
    path = regsolve.path(
        X, y, penalty=L1(weights=weights), n_alphas=3, solver=solver, tol=1e-9, **options
    )
    root = np.sqrt(s / s.sum())
    null = X[:, :k] if not intercept else np.column_stack([X[:, :k], np.ones(n)])
    a = np.linalg.lstsq(root[:, None] * null, root * y, rcond=None)[0]
    assert path.null_objective == pytest.approx(
        0.5 * np.sum((root * (y - null @ a)) ** 2), rel=1e-9
    )
    for q, alpha in enumerate(path.alphas):
        coef = path.coefs[:, [q]].toarray().ravel()
        pen = L1(float(alpha), weights=weights)
        judged = regsolve.verify(X, y, coef, path.intercepts[q], penalty=pen, **options)
        assert judged.relative_gap <= 1e-8


@pytest.mark.parametrize("apart", [1e-8, 1e-11, 1e-12, 1e-13])
@pytest.mark.parametrize("intercept", [False, True])
def test_columns_too_near_for_a_gram_matrix_are_not_called_solved(
    apart: float, intercept: bool
) -> None:
    """What X'X cannot tell apart, X can: an answer is called optimal where the judge agrees."""
    penalties = [L1(1.0, weights=[0, 0, np.inf, np.inf]), L1(0.05, weights=[0, 0, 1, 1]), L1(0.0)]
    for seed in range(25):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((12, 4))
        X[:, 1] = X[:, 0] * (1.0 + apart * rng.standard_normal(12))
        y = rng.standard_normal(12)
        for penalty in penalties:
            options = {"penalty": penalty, "fit_intercept": intercept}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = regsolve.solve(X, y, **options)
            judged = regsolve.verify(X, y, found.coef, found.intercept, **options)
            assert found.status != "optimal" or judged.relative_gap <= 1e-5
            assert found.certificate.dual <= judged.primal * (1.0 + 1e-12)


@pytest.mark.parametrize("solver", ["auto", "working_set", "cd"])
@pytest.mark.parametrize("seed", [108, 134, 310, 204])
def test_starts_far_along_a_null_space_are_set_aside(seed: int, solver: str) -> None:
    """c and -c without penalty: [a, a] fits as 0 does, and a of 1e8 leaves its rounding."""
    rng = np.random.default_rng(seed)
    mean, a, width = 10.0 ** rng.uniform((2, 2, -5), (7, 8, 1))
    c = rng.standard_normal(30) * width + mean
    X = np.column_stack([c, -c, rng.standard_normal(30)])
    y = X[:, 2] + rng.standard_normal(30)
    penalty = L1(0.1, weights=[0.0, 0.0, 1.0])
    answer = regsolve.solve(X, y, penalty=penalty, coef_init=[a, a, 0.0], solver=solver)
    assert answer.status == "optimal"
    judged = regsolve.verify(X, y, answer.coef, answer.intercept, penalty=penalty)
    assert judged.relative_gap <= 1e-6
    assert answer.certificate.primal - answer.certificate.dual > -1e-12


@pytest.mark.parametrize("seed", range(5))
def test_a_loss_below_rounding_leaves_the_bound_what_the_target_tells(seed: int) -> None:
    """More features than rows and next to no penalty: u'u is lost in y'y, u'y is not."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((15, 40)), rng.standard_normal(15)
    penalty = L2(1e-9, weights=np.r_[np.zeros(5), np.ones(35)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = regsolve.solve(X, y, penalty=penalty, solver="cd", tol=1e-12, max_iter=20_000)
    judged = regsolve.verify(X, y, found.coef, found.intercept, penalty=penalty)
    assert judged.relative_gap > 1e-12
    assert found.certificate.relative_gap <= 1.01 * judged.relative_gap


@pytest.mark.parametrize("seed", [79, 964, 1017])
def test_bounded_columns_beside_repeated_rows_do_not_run_away(seed: int) -> None:
    """Sixty features without penalty, ten rows: along a null direction a fall is rounding."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((20, 200))[rng.integers(0, 10, 20)]
    y, rows = rng.standard_normal(20), rng.integers(0, 20, 20)
    model = regsolve.LassoCV(
        alphas=[0.1, 0.01],
        weights=np.where(np.arange(200) < 60, 0.0, 1.0),
        lower=-0.5,
        cv=[(rows, np.arange(20))],
        fit_intercept=False,
    ).fit(X, y)
    assert model.mse_path_.max() < 10.0
    assert np.abs(model.fold_paths_[0].coefs.data).max() < 10.0


@pytest.mark.parametrize("solver", ["gram", "working_set"])
def test_bounds_and_free_features_of_every_kind(solver: str) -> None:
    """More features without penalty than rows, some bounded on one side, some at their bounds."""
    for seed in range(600):
        rng = np.random.default_rng(seed)
        n, p = int(rng.integers(4, 40)), int(rng.integers(5, 120))
        X = rng.standard_normal((n, p))[rng.integers(0, rng.integers(2, n + 1), n)]
        if seed % 3 == 0:
            X = np.round(X[:, rng.integers(0, p, p)])
        y = rng.standard_normal(n)
        lower = np.where(rng.random(p) < 0.5, -np.inf, rng.choice([-0.5, -0.05, 0.0]))
        upper = np.where(rng.random(p) < 0.5, np.inf, rng.choice([0.5, 0.1]))
        weights = np.where(rng.random(p) < rng.random(), 1.0, 0.0)
        penalty = L1(weights=weights, lower=lower, upper=upper)
        path = regsolve.path(X, y, penalty=penalty, alphas=[0.1, 0.01, 0.001], solver=solver)
        assert set(path.statuses) == {"optimal"}, seed
        assert np.abs(path.coefs.toarray()).max() < 100.0
        coef, alpha = path.coefs[:, [2]].toarray().ravel(), float(path.alphas[2])
        judged = regsolve.verify(X, y, coef, path.intercepts[2], penalty=penalty.with_alpha(alpha))
        assert judged.relative_gap <= 1e-6


@pytest.mark.parametrize("solver", ["gram", "working_set"])
@pytest.mark.parametrize("n_penalised", [0, 5])
def test_of_free_features_that_fit_as_well_those_far_from_dependent_are_taken(
    solver: str, n_penalised: int
) -> None:
    """Each column and its near double span the rows, with coefficients of 1e5; so do the columns
    themselves, with coefficients near 1."""
    rng = np.random.default_rng(0)
    columns = np.linalg.qr(rng.standard_normal((10, 10)))[0]
    doubles = columns[:, :5] + 1e-5 * columns[:, 5:]
    X = np.column_stack([columns[:, :5], doubles, columns[:, 5:], rng.standard_normal((10, 5))])
    X = X[:, : 15 + n_penalised]
    y = columns @ rng.uniform(1.0, 2.0, 10)
    weights = np.where(np.arange(X.shape[1]) < 15, 0.0, 1.0)
    penalty = L1(weights=weights, lower=-1e6, upper=1e6)
    path = regsolve.path(
        X, y, penalty=penalty, alphas=[0.1, 0.01], solver=solver, fit_intercept=False
    )
    assert set(path.statuses) == {"optimal"}
    assert np.abs(path.coefs.toarray()).max() < 10.0
    assert path.objectives.max() < 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_where_nothing_is_left_to_select_alphas_are_above_rounding(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((20, 60))[rng.integers(0, 8, 20)]
    y, weights = rng.standard_normal(20), np.where(np.arange(60) < 12, 0.0, 1.0)
    model = regsolve.LassoCV(alphas=5, weights=weights, fit_intercept=False, cv=3).fit(X, y)
    for path in (model.path_, *model.fold_paths_):
        assert set(path.statuses) == {"optimal"}
    together = regsolve.targets.path_targets(
        X, np.column_stack([y, y[::-1]]), penalty=L1(weights=weights), fit_intercept=False
    )
    for path in together:
        assert set(path.statuses) == {"optimal"}

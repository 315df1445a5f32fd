"""Criteria without folds against projections, refits and repeated rows written out in NumPy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from problems import nasty, regression
from scipy import sparse
from scipy.special import comb
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LassoLarsIC

import regsolve
from regsolve.criteria import CRITERIA, Selection, select
from regsolve.folds import fold_paths
from regsolve.penalties import L1, Custom, ElasticNet

STORED = {
    "F": np.asfortranarray,
    "C": np.ascontiguousarray,
    "F32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "csc": sparse.csc_matrix,
    "csr": sparse.csr_array,
}


def problem(n: int, p: int, weighted: bool, seed: int = 0) -> tuple[Any, Any, Any]:
    X, y = regression(n, p, seed=seed)
    X = np.where(np.abs(X) > 0.4, X, 0.0).astype(np.float32).astype(np.float64)
    s = np.random.default_rng(seed).uniform(0.3, 2.5, n) if weighted else None
    return X, y, s


def free_of(path: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and which of them move: neither zero nor at a bound."""
    w = path.coefs[:, [k]].toarray().ravel()
    lower, upper = path.problem.penalty.bounds(len(w))
    free = w != 0.0
    for bound in (lower, upper):
        free &= ~(np.isfinite(bound) & np.isclose(w, bound, rtol=1e-9, atol=0.0))
    return w, np.flatnonzero(free)


def written_out(path: Any, X: np.ndarray, y: np.ndarray, s: Any) -> dict[str, np.ndarray]:
    """df, RSS and leverages x_i'(X_A'SX_A + D)^+ x_i (+ 1/n) by projection matrices."""
    s = np.ones(len(y)) if s is None else s
    what, n = path.problem, s.sum()
    root = np.sqrt(s)[:, None]
    centre = s @ X / n if what.fit_intercept else np.zeros(X.shape[1])
    spread = np.ones(X.shape[1])
    if what.standardize:
        spread = np.sqrt(s @ (X - centre) ** 2 / n)
    out: dict[str, list[Any]] = {"df": [], "rss": [], "h": [], "r": []}
    for k, alpha in enumerate(path.alphas):
        w, A = free_of(path, k)
        Z = root * (X - centre)[:, A]
        d = n * alpha * (1.0 - what.penalty.l1_ratio) * spread[A] ** 2
        d = d * what.penalty.factors(len(w))[A]
        H = Z @ np.linalg.pinv(Z.T @ Z + np.diag(d), rcond=1e-11, hermitian=True) @ Z.T
        r = y - X @ w - path.intercepts[k]
        out["df"].append(np.trace(H))
        out["rss"].append(s @ r**2)
        out["h"].append(np.diag(H) / s + what.fit_intercept / n)
        out["r"].append(r)
    return {name: np.array(value) for name, value in out.items()}


PROBLEMS = pytest.mark.parametrize(
    ("n", "p", "ratio", "weighted", "options"),
    [
        (60, 8, 1.0, False, {}),
        (60, 8, 1.0, True, {"standardize": True}),
        (60, 8, 0.5, True, {}),
        (60, 8, 0.0, False, {"fit_intercept": False}),
        (40, 120, 1.0, True, {}),
        (40, 120, 0.6, False, {"standardize": True}),
        (30, 120, 0.05, True, {}),
        (30, 120, 0.0, True, {"fit_intercept": False}),
    ],
)


@PROBLEMS
@pytest.mark.parametrize("stored", STORED)
def test_every_criterion_is_its_formula(
    n: int, p: int, ratio: float, weighted: bool, options: dict[str, Any], stored: str
) -> None:
    X, y, s = problem(n, p, weighted)
    alphas = np.geomspace(1.5, 0.02, 12)
    A = STORED[stored](X)
    path = regsolve.path(
        A, y, penalty=ElasticNet(1.0, ratio), alphas=alphas, sample_weight=s, **options
    )
    true = written_out(path, X, y, s)
    s = np.ones(n) if s is None else s
    N, df, rss = s.sum(), true["df"], true["rss"]
    b, v = int(options.get("fit_intercept", True)), 1.3
    whole, count = df + b, path.df
    e = true["r"] / (1.0 - np.minimum(s, 1.0) * true["h"])
    wanted = {
        "aic": N * np.log(2 * np.pi * v) + rss / v + 2 * df,
        "bic": N * np.log(2 * np.pi * v) + rss / v + np.log(N) * df,
        "cp": rss / v - N + 2 * whole,
        "aicc": N * np.log(2 * np.pi * rss / N) + N * (N + whole) / (N - whole - 2),
        "gcv": rss / N / (1 - whole / N) ** 2,
        "alo": np.array([s @ one**2 / N for one in e]),
    }
    wanted["ebic"] = wanted["bic"] + 2 * 0.5 * np.log(comb(p, count))
    wanted["aicc"][whole + 2 >= N] = np.inf
    if N - p - b < N / 10:
        wanted["gcv"][whole > N / 2] = np.inf
        wanted["alo"][whole > N / 2] = np.inf
    for criterion in CRITERIA:
        found = path.select(criterion, A, y, sample_weight=s, noise_variance=v, gamma=0.5)
        np.testing.assert_allclose(found.df, df, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found.values, wanted[criterion], rtol=1e-9, err_msg=criterion)
        assert found.index == np.argmin(wanted[criterion])
        assert found.alpha == path.alphas[found.index]
        assert found.noise_variance == (v if criterion in ("aic", "bic", "ebic", "cp") else None)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("n", "p", "ratio", "constraints"),
    [
        (40, 10, 1.0, {}),
        (40, 10, 0.4, {}),
        (40, 10, 1.0, {"lower": -0.3, "upper": 0.8}),
        (30, 60, 1.0, {}),
        (25, 60, 0.1, {}),
    ],
)
def test_left_out_errors_are_those_of_refits_of_the_frozen_active_set(
    n: int, p: int, ratio: float, constraints: dict[str, Any], weighted: bool
) -> None:
    X, y, s = problem(n, p, weighted, seed=2)
    alphas = np.geomspace(1.0, 0.1, 6)
    penalty = ElasticNet(1.0, ratio, **constraints)
    path = regsolve.path(X, y, penalty=penalty, alphas=alphas, sample_weight=s, tol=1e-12)
    found = select(path, "alo", X, y, sample_weight=s)
    s = np.ones(n) if s is None else s
    for k, alpha in enumerate(alphas):
        w, A = free_of(path, k)
        if (len(A) + 1 > n / 2 and ratio == 1.0) or np.isinf(found.values[k]):
            continue
        held = X @ np.where(np.isin(np.arange(p), A), 0.0, w)
        B = np.column_stack([X[:, A], np.ones(n)])
        l1 = np.append(s.sum() * alpha * ratio * np.sign(w[A]), 0.0)
        D = np.diag(np.append(np.full(len(A), s.sum() * alpha * (1.0 - ratio)), 0.0))
        total = 0.0
        for i in range(n):
            t = s.copy()
            t[i] -= min(1.0, s[i])  # one of the observations that row i stands for
            v = np.linalg.solve(B.T @ (t[:, None] * B) + D, B.T @ (t * (y - held)) - l1)
            total += s[i] * (y[i] - held[i] - B[i] @ v) ** 2
        assert found.values[k] == pytest.approx(total / s.sum(), rel=1e-9)


@pytest.mark.parametrize(("n", "p", "near"), [(120, 10, 0.04), (80, 200, 0.25)])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_alo_is_close_to_leaving_one_out(n: int, p: int, near: float, ratio: float) -> None:
    X, y = regression(n, p, seed=4)
    splits = [(np.delete(np.arange(n), i), np.array([i])) for i in range(n)]
    alphas = np.geomspace(1.0, 0.05, 8)
    penalty = ElasticNet(1.0, ratio)
    (folds,) = fold_paths(X, y, splits, penalties=[penalty], alphas=[alphas])
    found = folds.path.select("alo", X, y)
    sound = np.isfinite(found.values)
    assert sound[:3].all()
    np.testing.assert_allclose(found.values[sound], folds.errors.mean(axis=0)[sound], rtol=near)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize("p", [6, 50])
def test_weights_are_repeated_rows(p: int, ratio: float, criterion: str) -> None:
    X, y, _ = problem(30, p, False, seed=5)
    times = np.random.default_rng(0).integers(0, 4, 30)
    rows = np.repeat(np.arange(30), times)
    options = {"penalty": ElasticNet(1.0, ratio), "alphas": np.geomspace(1.0, 0.05, 10)}
    path = regsolve.path(X, y, sample_weight=times.astype(float), **options)
    weighted = path.select(criterion, X, y, sample_weight=times)
    repeated = regsolve.path(X[rows], y[rows], **options).select(criterion, X[rows], y[rows])
    np.testing.assert_allclose(weighted.df, repeated.df, rtol=1e-9)
    np.testing.assert_allclose(weighted.values, repeated.values, rtol=1e-8)
    assert weighted.alpha == repeated.alpha
    if weighted.noise_variance is not None:
        assert weighted.noise_variance == pytest.approx(repeated.noise_variance, rel=1e-9)


@pytest.mark.parametrize("criterion", ["aic", "bic"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_same_choice_as_lasso_lars_ic(criterion: str, fit_intercept: bool) -> None:
    X, y = load_diabetes(return_X_y=True)
    theirs = LassoLarsIC(criterion, fit_intercept=fit_intercept).fit(X, y)
    knots = theirs.alphas_[theirs.alphas_ > 0.0]
    off = np.full(len(knots), np.inf)
    for side in (1.0 + 1e-9, 1.0 - 1e-9):  # what enters or leaves at a knot is out on one of them
        path = regsolve.path(X, y, alphas=knots * side, fit_intercept=fit_intercept)
        ours = path.select(criterion, X, y)
        assert ours.noise_variance == pytest.approx(theirs.noise_variance_, rel=1e-9)
        off = np.minimum(off, np.abs(ours.values - theirs.criterion_[: len(knots)]))
    np.testing.assert_allclose(off, 0.0, atol=1e-4)
    above = regsolve.path(X, y, alphas=knots * (1.0 + 1e-9), fit_intercept=fit_intercept)
    assert above.select(criterion, X, y).alpha == pytest.approx(theirs.alpha_, rel=1e-8)


def test_without_data_a_lasso_tells_the_same() -> None:
    X, y = regression(80, 12, seed=6)
    path = regsolve.path(X, y)
    for criterion in ("aic", "aicc", "bic", "ebic", "cp", "gcv"):
        bare = path.select(criterion, noise_variance=1.1)
        full = path.select(criterion, X, y, noise_variance=1.1)
        np.testing.assert_allclose(bare.values, full.values, rtol=1e-8)
        np.testing.assert_array_equal(bare.df, path.df)
    assert path.select("bic").noise_variance == pytest.approx(1.0, rel=0.5)


def test_noise_variance() -> None:
    X, y = regression(100, 12, seed=7)
    B = np.column_stack([X, np.ones(100)])
    rest = y - B @ np.linalg.lstsq(B, y, rcond=None)[0]
    twins = np.column_stack([X, X[:, :3], np.ones(100)])
    for Z in (X, twins, sparse.csc_array(X)):
        found = regsolve.path(Z, y).select("aic", Z, y)
        assert found.noise_variance == pytest.approx(rest @ rest / 87.0, rel=1e-9)
    out = np.where(np.arange(12) < 6, 1.0, np.inf)
    half = np.column_stack([X[:, :6], np.ones(100)])
    rest = y - half @ np.linalg.lstsq(half, y, rcond=None)[0]
    found = regsolve.path(X, y, penalty=L1(weights=out)).select("aic", X, y)
    assert found.noise_variance == pytest.approx(rest @ rest / 93.0, rel=1e-9)


@pytest.mark.parametrize("p", [90, 400])
def test_noise_variance_with_few_rows_is_near_the_truth(p: int) -> None:
    """The mean of log(estimate / truth) is within 0.35, and no estimate is absurd."""
    logs = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((100, p))
        y = X[:, :5] @ np.array([1.0, -1.0, 0.7, 0.7, -0.5]) + rng.standard_normal(100)
        path = regsolve.path(X, y)
        variance = path.select("bic", X, y).noise_variance
        k = path.select("aicc", X, y).index
        rss = np.sum((y - path.predict(X, path.alphas[k])) ** 2)
        assert variance == pytest.approx(rss / (99.0 - path.df[k]), rel=1e-9)
        logs.append(np.log(variance))
    assert abs(np.mean(logs)) < 0.35
    assert np.max(np.abs(logs)) < 1.0


def test_rank_counts_not_columns() -> None:
    """A feature and its copies share a coefficient: one degree of freedom."""
    X, y = regression(50, 4, seed=1)
    Z = np.column_stack([X, X, 2.0 * X[:, 0] - X[:, 1], np.full(50, 3.0)])
    path = regsolve.path(X, y, alphas=[0.1, 0.01])
    w = sparse.csc_matrix(
        np.vstack([0.4 * path.coefs.toarray(), 0.6 * path.coefs.toarray(), np.zeros((2, 2))])
    )
    split = replace(path, coefs=w, problem=path.problem)
    for criterion in ("gcv", "alo"):
        one, two = path.select(criterion, X, y), split.select(criterion, Z, y)
        np.testing.assert_allclose(one.df, two.df, atol=1e-9)
        np.testing.assert_allclose(one.df, [4.0, 4.0])
        np.testing.assert_allclose(one.values, two.values, rtol=1e-9)


def test_features_at_a_bound_count_nothing() -> None:
    X, y = regression(60, 6, seed=1)
    path = regsolve.path(X, y, penalty=L1(lower=-0.2, upper=0.2), alphas=[0.05])
    w, free = free_of(path, 0)
    assert np.count_nonzero(w) > len(free)
    assert path.select("gcv", X, y).df[0] == pytest.approx(len(free))
    assert path.select("gcv").df[0] == len(free)


@pytest.mark.parametrize("shift", [0.0, 1e3, 1e6])
@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_means_far_above_the_deviations(shift: float, ratio: float) -> None:
    X, y = regression(80, 10, seed=3)
    far = X + shift * np.linspace(-1.0, 1.0, 10)
    options = {"penalty": ElasticNet(1.0, ratio), "alphas": np.geomspace(1.0, 0.01, 8)}
    near = regsolve.path(X, y, **options).select("alo", X, y)
    away = regsolve.path(far, y, **options).select("alo", far, y)
    np.testing.assert_allclose(away.df, near.df, rtol=1e-7)
    np.testing.assert_allclose(away.values, near.values, rtol=1e-6)


def test_singletons_of_one_hot_columns() -> None:
    """A level seen once fixes its own row: that row counts as if nothing were fitted."""
    rng = np.random.default_rng(0)
    levels = np.concatenate([np.repeat(np.arange(10), 20), np.arange(10, 20)])
    X = sparse.csc_matrix(np.eye(20)[levels])
    y = rng.standard_normal(20)[levels] * 3.0 + rng.standard_normal(210)
    path = regsolve.path(X, y)
    found = path.select("alo", X, y)
    assert np.isfinite(found.values).all()
    assert path.coefs[10:, -1].count_nonzero() > 5
    assert found.values[found.index] < 0.9 * found.values[0]
    bare = (y - y.mean()) / (1.0 - 1.0 / 210)
    assert found.values[-1] < np.mean(bare**2) + 1.0


@pytest.mark.parametrize("criterion", CRITERIA)
def test_more_columns_than_rows_is_not_a_reason_for_all_of_them(criterion: str) -> None:
    """Pure noise with p = 10 n: a saturated fit is never chosen, and nothing divides by zero."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((40, 400)), rng.standard_normal(40)
        path = regsolve.path(X, y, alpha_min_ratio=1e-6)
        with np.errstate(all="raise", under="ignore"):
            found = path.select(criterion, X, y)
        assert not np.isnan(found.values).any()
        assert found.df[found.index] <= 20.0
        assert found.df.max() <= 39.0 + 1e-9


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("seed", range(60))
def test_nasty_problems_give_numbers(seed: int, criterion: str) -> None:
    given = nasty(seed)
    options = {name: given.options.get(name) for name in ("sample_weight", "offset")}
    alphas = np.unique(np.append(given.alphas, given.alphas * 10.0))
    path = regsolve.path(
        given.X, given.y, penalty=given.penalty(1.0), alphas=alphas, tol=1e-4, **given.options
    )
    if path.problem.n_samples <= 1.0 < path.problem.n_rows:
        return
    with np.errstate(invalid="raise", divide="raise"):
        found = path.select(criterion, given.X, given.y, **options)
    assert not np.isnan(found.values).any(), given.label
    assert 0 <= found.index < len(alphas)
    assert np.all(found.df >= -1e-9)
    assert np.all(found.df <= path.df + 1e-9)
    assert np.all(found.df <= path.problem.n_rows + 1e-9)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_one_row_and_constant_targets(criterion: str) -> None:
    one = regsolve.path(np.ones((1, 3)), np.ones(1), alphas=[1.0, 0.5])
    assert one.select(criterion, np.ones((1, 3)), np.ones(1)).index == 0
    X, _ = regression(20, 3)
    flat = regsolve.path(X, np.full(20, 2.0), alphas=[1.0, 0.5])
    assert flat.select(criterion, X, np.full(20, 2.0)).index == 0


def test_offset_counts() -> None:
    X, y = regression(50, 5, seed=3)
    offset = np.linspace(-3.0, 3.0, 50)
    path = regsolve.path(X, y + offset, offset=offset)
    plain = regsolve.path(X, y, alphas=path.alphas).select("alo", X, y)
    found = path.select("alo", X, y + offset, offset=offset)
    np.testing.assert_allclose(found.values, plain.values, rtol=1e-9)


def test_fold_paths_can_be_judged_too() -> None:
    X, y = regression(60, 5, seed=3)
    model = regsolve.LassoCV().fit(X, y)
    assert model.path_.select("bic", X, y).df.max() == 5.0
    s = np.r_[np.zeros(12), np.ones(48)]
    fold = model.fold_paths_[0].select("alo", X, y, sample_weight=s)
    alone = regsolve.path(X[12:], y[12:], alphas=model.path_.alphas).select("alo", X[12:], y[12:])
    np.testing.assert_allclose(fold.values, alone.values, rtol=1e-8)


def test_long_paths_go_in_stretches(monkeypatch: Any) -> None:
    X, y, s = problem(50, 300, True)
    for ratio in (1.0, 0.2):
        path = regsolve.path(X, y, penalty=ElasticNet(1.0, ratio), sample_weight=s)
        whole = path.select("alo", X, y, sample_weight=s)
        with monkeypatch.context() as patch:
            patch.setattr("regsolve.leverage.FEW_FEATURES", 1)
            patch.setattr("regsolve.leverage.BLOCK_BYTES", 8 * 50 * 7)
            parts = path.select("alo", X, y, sample_weight=s)
        np.testing.assert_allclose(parts.values, whole.values, rtol=1e-8)
        np.testing.assert_allclose(parts.df, whole.df, rtol=1e-10)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_lists_are_accepted(criterion: str) -> None:
    X, y = regression(30, 4)
    path = regsolve.path(X.tolist(), y.tolist())
    listed = path.select(criterion, X.tolist(), y.tolist())
    np.testing.assert_allclose(listed.values, path.select(criterion, X, y).values, rtol=1e-12)


def test_what_is_wrong_is_said() -> None:
    X, y = regression(30, 4)
    path = regsolve.path(X, y)
    soft = regsolve.path(X, y, penalty=ElasticNet())
    for match, call in {
        "criterion='dic': expected 'aic', .* or 'alo'": lambda: path.select("dic", X, y),
        "gamma=2": lambda: path.select("ebic", X, y, gamma=2),
        "noise_variance=0": lambda: path.select("aic", X, y, noise_variance=0),
        "give both or neither": lambda: path.select("aic", X),
        "'alo' needs the rows": lambda: path.select("alo"),
        "l2 penalty: give X and y": lambda: soft.select("aic"),
        "not those of the path": lambda: path.select("aic", X, y + X[:, 0]),
        "y has 29 entries": lambda: path.select("aic", X, y[:-1]),
        "X has 5 columns and the path 4 features": lambda: path.select(
            "aic", np.hstack([X, X[:, :1]]), y
        ),
        "X has 3 columns and the path": lambda: path.select("gcv", sparse.csc_array(X[:, :3]), y),
        "X has 1 dimensions, expected 2": lambda: path.select("alo", X[:, 0], y),
        "X has dtype": lambda: path.select("bic", [["a"] * 4] * 30, y),
        "n_threads=0": lambda: path.select("aic", n_threads=0),
        "n_threads='a'": lambda: path.select("aic", X, y, n_threads="a"),
        "no alpha": lambda: replace(path, alphas=path.alphas[:0]).select("aic"),
        "does not say that": lambda: replace(path, problem=None).select("aic"),
    }.items():
        with pytest.raises(ValueError, match=match):
            call()
    s = np.full(30, 1.0 / 30)
    with pytest.raises(ValueError, match=r"sample_weight sums to 1: .* number of observations"):
        regsolve.path(X, y, sample_weight=s).select("aic", X, y, sample_weight=s)
    with pytest.raises(ValueError, match="not those of the path"):
        path.select("aic", X, y, sample_weight=np.linspace(0.1, 2.0, 30))


def test_custom_penalties_have_no_criteria() -> None:
    def value(w: float, alpha: float, weight: float) -> float:
        return alpha * weight * abs(w)

    def prox(z: float, step: float, alpha: float, weight: float) -> float:
        return np.sign(z) * max(abs(z) - step * alpha * weight, 0.0)

    X, y = regression(30, 4)
    path = regsolve.path(X, y, penalty=Custom(value, prox, convex=True), alphas=[0.1], tol=1e-3)
    with pytest.raises(ValueError, match="does not say that"):
        path.select("aic", X, y)


def test_selection_is_small_and_frozen() -> None:
    X, y = regression(30, 4)
    found = regsolve.path(X, y).select("bic", X, y)
    assert isinstance(found, Selection)
    assert regsolve.Selection is Selection
    assert "array" not in repr(found)
    with pytest.raises(AttributeError):
        found.alpha = 1.0


def test_extended_bic_counts_features_on_their_bounds() -> None:
    """A coefficient at a bound has no degree of freedom, but its feature was chosen."""
    X, y = regression(60, 6, seed=3)
    free = regsolve.path(X, y, n_alphas=6)
    strongest = int(np.abs(free.coefs[:, [5]].toarray()).argmax())
    upper = np.full(6, np.inf)
    lower = -upper
    upper[strongest], lower[strongest] = 0.01, -0.01
    path = regsolve.path(X, y, penalty=L1(lower=lower, upper=upper), n_alphas=6)
    chosen = path.select("ebic", X, y, noise_variance=1.0)
    plain = path.select("bic", X, y, noise_variance=1.0)
    k = np.count_nonzero(path.coefs.toarray(), axis=0)
    assert (k > chosen.df).any()
    np.testing.assert_allclose(chosen.values - plain.values, 2.0 * np.log(comb(6, k)), atol=1e-9)

"""path(): the grid, what each field means, and every way to stop early."""

from __future__ import annotations

import re
import time
from dataclasses import fields
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import sparse

from regsolve import Path, Progress, path, solve, verify
from regsolve.penalties import L1, L2, ElasticNet

SOLVERS = ["auto", "cd", "working_set"]
ALIGNED = ["intercepts", "relative_gaps", "kkt_violations", "statuses", "df", "deviance_ratio"]


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """X (120, 30) and y, small enough to judge every alpha."""
    return regression(120, 30, seed=11)


def check_aligned(fitted: Path) -> None:
    """Every field has one entry for each alpha."""
    assert fitted.coefs.shape[1] == len(fitted.alphas)
    for name in ALIGNED:
        assert len(getattr(fitted, name)) == len(fitted.alphas), name


def loss(y: np.ndarray, z: np.ndarray) -> float:
    """Mean of (y - z)^2 / 2."""
    return float(np.mean((y - z) ** 2) / 2.0)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("penalty", [L1(), ElasticNet(l1_ratio=0.3)], ids=str)
def test_every_alpha_is_certified(data: Any, penalty: Any, solver: str) -> None:
    X, y = data
    fitted = path(X, y, penalty=penalty, tol=1e-8, solver=solver)
    check_aligned(fitted)
    assert fitted.converged
    assert set(fitted.statuses) == {"optimal"}
    for k, alpha in enumerate(fitted.alphas):
        coef = fitted.coefs[:, [k]].toarray().ravel()
        ratio = getattr(penalty, "l1_ratio", 1.0)
        judged = verify(X, y, coef, fitted.intercepts[k], penalty=ElasticNet(alpha, ratio))
        assert judged.relative_gap <= 1e-8
        assert fitted.relative_gaps[k] == pytest.approx(judged.relative_gap, rel=1e-6, abs=1e-13)
        assert fitted.kkt_violations[k] == pytest.approx(judged.kkt_violation, rel=1e-5, abs=1e-12)
        assert fitted.df[k] == np.count_nonzero(coef)


@pytest.mark.parametrize(("n", "p", "least"), [(120, 30, 1e-3), (30, 120, 1e-2)])
def test_default_grid(n: int, p: int, least: float) -> None:
    X, y = regression(n, p)
    fitted = path(X, y)
    top = np.max(np.abs(X.T @ (y - y.mean()))) / n
    assert fitted.alpha_max == pytest.approx(top, rel=1e-12)
    np.testing.assert_allclose(fitted.alphas, np.geomspace(top, top * least, 100), rtol=1e-10)
    assert fitted.df[0] == 0
    assert fitted.df[1] >= 1
    assert isinstance(fitted.coefs, sparse.csc_matrix)
    assert fitted.coefs.shape == (p, 100)
    short = path(X, y, n_alphas=7, alpha_min_ratio=0.1)
    np.testing.assert_allclose(short.alphas, np.geomspace(top, top * 0.1, 7), rtol=1e-10)


def test_alpha_max_is_least_alpha_of_the_null_model() -> None:
    X, y = regression(80, 12)
    s = np.random.default_rng(1).uniform(0.1, 2.0, 80)
    s /= s.sum()
    factors = np.linspace(0.5, 2.0, 12)
    factors[0], factors[1] = 0.0, np.inf
    Z = np.column_stack([np.ones(80), X[:, 0]])
    root = np.sqrt(s)
    null = y - Z @ np.linalg.lstsq(root[:, None] * Z, root * y, rcond=None)[0]
    spread = np.sqrt(s @ (X - s @ X) ** 2)
    c = X.T @ (s * null)
    cases: list[tuple[Any, bool, float]] = [
        (L1(weights=factors), False, np.max(np.abs(c)[2:] / factors[2:])),
        (L1(weights=factors, positive=True), False, np.max(c[2:] / factors[2:])),
        (L1(weights=factors), True, np.max(np.abs(c / spread)[2:] / factors[2:])),
        (
            ElasticNet(l1_ratio=0.2, weights=factors),
            False,
            np.max(np.abs(c)[2:] / factors[2:]) / 0.2,
        ),
    ]
    for penalty, standardize, expected in cases:
        options: dict[str, Any] = {"sample_weight": s, "standardize": standardize, "tol": 1e-10}
        fitted = path(X, y, penalty=penalty, **options)
        assert fitted.alpha_max == pytest.approx(expected, rel=1e-9), penalty
        edge = path(
            X, y, penalty=penalty, alphas=expected * np.array([1 + 1e-6, 1 - 1e-3]), **options
        )
        penalised = edge.coefs.toarray()[1:]
        assert np.count_nonzero(penalised[:, 0]) == 0
        assert np.count_nonzero(penalised[:, 1]) >= 1


def test_given_alphas_are_sorted_and_may_hold_zero(data: Any) -> None:
    X, y = data
    fitted = path(X, y, alphas=[0.01, 1.0, 0.0, 0.1], tol=1e-12)
    np.testing.assert_array_equal(fitted.alphas, [1.0, 0.1, 0.01, 0.0])
    Z = np.column_stack([X, np.ones(len(y))])
    expected = np.linalg.lstsq(Z, y, rcond=None)[0]
    np.testing.assert_allclose(fitted.coefs.toarray()[:, 3], expected[:-1], atol=2e-5)
    assert fitted.converged


def test_penalty_alpha_is_ignored(data: Any) -> None:
    X, y = data
    a, b = path(X, y, penalty=L1(1e-9), n_alphas=10), path(X, y, penalty=L1(1e9), n_alphas=10)
    np.testing.assert_array_equal(a.alphas, b.alphas)
    np.testing.assert_array_equal(a.coefs.toarray(), b.coefs.toarray())


@pytest.mark.parametrize("penalty", [L2(), ElasticNet(l1_ratio=0.0)], ids=str)
def test_ridge_path_needs_alphas(data: Any, penalty: Any) -> None:
    X, y = data
    with pytest.raises(ValueError, match="alphas"):
        path(X, y, penalty=penalty)
    alphas = np.array([1.0, 0.1, 0.001])
    fitted = path(X, y, penalty=penalty, alphas=alphas, tol=1e-12)
    centred = X - X.mean(axis=0)
    for k, alpha in enumerate(alphas):
        H = centred.T @ centred / len(y) + alpha * np.eye(30)
        expected = np.linalg.solve(H, centred.T @ y / len(y))
        np.testing.assert_allclose(fitted.coefs.toarray()[:, k], expected, atol=2e-5)


def test_deviance_ratio_is_the_share_of_the_null_loss(data: Any) -> None:
    X, y = data
    offset = np.random.default_rng(0).standard_normal(len(y))
    fitted = path(X, y, offset=offset, n_alphas=20)
    null = loss(y - offset, np.mean(y - offset))
    for k, alpha in enumerate(fitted.alphas):
        expected = 1.0 - loss(y, fitted.predict(X, alpha, offset)) / null
        assert fitted.deviance_ratio[k] == pytest.approx(expected, abs=1e-10)
    assert fitted.deviance_ratio[0] == pytest.approx(0.0, abs=1e-12)
    assert np.all(np.diff(fitted.deviance_ratio) >= -1e-8)


def test_coef_at_is_linear_between_alphas(data: Any) -> None:
    X, y = data
    fitted = path(X, y, n_alphas=15)
    dense = fitted.coefs.toarray()
    for k, alpha in enumerate(fitted.alphas):
        coef, intercept = fitted.coef_at(alpha)
        np.testing.assert_allclose(coef, dense[:, k], rtol=1e-12, atol=1e-15)
        assert intercept == pytest.approx(fitted.intercepts[k], rel=1e-12)
    between = 0.25 * fitted.alphas[4] + 0.75 * fitted.alphas[5]
    coef, intercept = fitted.coef_at(between)
    np.testing.assert_allclose(coef, 0.25 * dense[:, 4] + 0.75 * dense[:, 5], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fitted.predict(X, between), X @ coef + intercept, rtol=1e-12)
    for outside in (fitted.alphas[0] * 1.01, fitted.alphas[-1] * 0.99, -1.0, np.nan):
        with pytest.raises(ValueError, match="alpha"):
            fitted.coef_at(outside)
    with pytest.raises(TypeError, match="alpha='a': expected a number"):
        fitted.coef_at("a")  # type: ignore[arg-type]


@pytest.mark.parametrize("build", [np.asfortranarray, np.ascontiguousarray, sparse.csc_matrix])
def test_gram_mode_reads_the_data_once(build: Any) -> None:
    X, y = regression(5000, 20)
    report = path(build(X), y).report
    assert 0.9 <= report.n_passes <= 1.5
    assert report.mode == "gram"
    assert re.search("[Gg]ram|X'X", report.why)
    assert report.n_solves >= 1


@pytest.mark.parametrize("solver", SOLVERS)
def test_dfmax_cuts_every_field(data: Any, solver: str) -> None:
    X, y = data
    full = path(X, y, tol=1e-10, solver=solver)
    cut = path(X, y, tol=1e-10, solver=solver, dfmax=5)
    check_aligned(cut)
    assert 0 < len(cut.alphas) < 100
    assert np.all(cut.df[:-1] <= 5)
    np.testing.assert_array_equal(cut.alphas, full.alphas[: len(cut.alphas)])
    assert cut.df[-1] > 5
    assert cut.converged


@pytest.mark.parametrize("solver", SOLVERS)
def test_stop_at_deviance_cuts_every_field(data: Any, solver: str) -> None:
    X, y = data
    full = path(X, y, solver=solver)
    cut = path(X, y, solver=solver, stop_at_deviance=0.5)
    check_aligned(cut)
    assert 0 < len(cut.alphas) < 100
    assert np.all(cut.deviance_ratio[:-1] < 0.5)
    assert cut.deviance_ratio[-1] >= 0.5
    np.testing.assert_array_equal(cut.alphas, full.alphas[: len(cut.alphas)])
    assert cut.converged


def test_callback_is_told_each_alpha_and_can_stop(data: Any) -> None:
    X, y = data
    seen: list[Progress] = []

    def stop_at_sixth(progress: Progress) -> bool:
        seen.append(progress)
        return len(seen) == 6

    full = path(X, y)
    cut = path(X, y, callback=stop_at_sixth)
    check_aligned(cut)
    assert len(seen) == 6
    assert 5 <= len(cut.alphas) <= 7
    np.testing.assert_array_equal(cut.alphas, full.alphas[: len(cut.alphas)])
    np.testing.assert_allclose(
        cut.coefs.toarray(), full.coefs.toarray()[:, : len(cut.alphas)], atol=1e-12
    )
    assert [one.n_steps for one in seen] == [100] * 6
    steps = [one.step for one in seen]
    assert steps == sorted(set(steps))
    assert [one.alpha for one in seen] == list(full.alphas[:6])
    assert [one.support for one in seen] == list(full.df[:6])
    assert set(cut.statuses) <= {"optimal", "interrupted"}
    names = {one.name for one in fields(Progress)}
    assert names == {"step", "n_steps", "alpha", "gap", "support", "n_passes", "seconds"}


def test_callback_is_called_once_an_alpha(data: Any) -> None:
    X, y = data
    alphas: list[float] = []
    fitted = path(X, y, callback=lambda progress: alphas.append(progress.alpha), n_alphas=25)
    assert alphas == list(fitted.alphas)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_max_time_keeps_the_finished_alphas() -> None:
    X, y = regression(300, 600, rho=0.999)
    begun = time.perf_counter()
    fitted = path(X, y, alpha_min_ratio=1e-7, tol=1e-14, max_time=0.5, solver="cd")
    assert time.perf_counter() - begun < 2.0
    check_aligned(fitted)
    assert 0 < len(fitted.alphas) < 100
    assert set(fitted.statuses) <= {"optimal", "stalled", "time_limit"}
    coef, intercept = fitted.coef_at(fitted.alphas[-1])
    judged = verify(X, y, coef, intercept, penalty=L1(fitted.alphas[-1]))
    assert fitted.relative_gaps[-1] == pytest.approx(judged.relative_gap, rel=1e-4, abs=1e-13)


@pytest.mark.parametrize("solver", ["gram", "working_set", "cd"])
def test_an_answer_to_the_last_step_cuts_nothing_short(data: Any, solver: str) -> None:
    X, y = data
    fitted = path(X, y, callback=lambda told: told.step == told.n_steps, n_alphas=8, solver=solver)
    assert len(fitted.alphas) == 8
    assert fitted.stopped is None
    assert fitted.converged
    limited = path(X, y, callback=lambda told: told.support > 3, dfmax=3)
    assert limited.stopped is None


@pytest.mark.filterwarnings("ignore::regsolve.ConvergenceWarning")
def test_coordinate_descent_without_hope_ends() -> None:
    """Bounded features without penalty nearly fit y: rounds are short, their sets change on."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((20, 3)) @ rng.standard_normal((3, 300))
    X += 1e-6 * rng.standard_normal((20, 300))
    y = X[:, 0] + rng.standard_normal(20)
    weights = np.where(np.arange(300) < 22, 0.0, 1.0)
    lower = np.where(rng.random(300) < 0.5, 0.0, -rng.random(300))
    s = rng.choice([0.0, 1.0, 2.0], size=20)
    net = ElasticNet(l1_ratio=0.01, weights=weights, lower=lower)
    found = path(
        X, y, penalty=net, n_alphas=1, sample_weight=s, solver="cd", max_memory=3e5, max_time=20.0
    )
    assert found.report.mode == "residual"
    assert found.statuses == ["stalled"]


@pytest.mark.parametrize("target", [np.zeros(20), np.full(20, 4.0)], ids=["zero", "constant"])
def test_constant_target_gives_null_models(target: np.ndarray) -> None:
    X, _ = regression(20, 5)
    fitted = path(X, target)
    check_aligned(fitted)
    assert np.all(np.isfinite(fitted.alphas))
    assert fitted.coefs.nnz == 0
    np.testing.assert_allclose(fitted.intercepts, target[0], atol=1e-14)
    np.testing.assert_array_equal(fitted.relative_gaps, 0.0)
    assert not np.isnan(fitted.deviance_ratio).any()
    assert fitted.converged


def test_slow_modes_of_coordinate_descent_are_extrapolated() -> None:
    """Columns that nearly agree: iterates one epoch apart took 200,000 epochs here."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((60, 1))
    X = np.sqrt(0.99) * shared + np.sqrt(0.01) * rng.standard_normal((60, 400))
    y = X[:, :10].sum(axis=1) + rng.standard_normal(60)
    found = path(X, y, solver="cd", alpha_min_ratio=1e-3, n_alphas=40)
    assert found.converged
    assert found.report.n_epochs < 100_000


@pytest.mark.parametrize("solver", ["gram", "working_set", "cd"])
@pytest.mark.parametrize("centre", [0.0, 1e6])
def test_claims_count_the_rounding_of_the_intercept(solver: str, centre: float) -> None:
    """y at 1e12 with deviations near 1: float64 has no intercept nearer than 6e-5 of its best."""
    X, y = regression(30, 4, seed=0)
    X, y = X + centre, y / np.std(y) + 1e12
    fitted = path(X, y, n_alphas=3, alpha_min_ratio=0.01, tol=1e-6, solver=solver)
    rows = [[Fraction(value) for value in row] for row in X.tolist()]
    for k, w in enumerate(fitted.coefs.toarray().T):
        coef = [Fraction(value) for value in w.tolist()]
        fits = [sum(a * b for a, b in zip(row, coef, strict=True)) for row in rows]
        means = [Fraction(value) - fit for value, fit in zip(y.tolist(), fits, strict=True)]
        away = sum(means) / len(means) - Fraction(float(fitted.intercepts[k]))
        assert abs(away) < 2 * np.spacing(1e12)
        assert float(away**2 / 2) <= fitted.relative_gaps[k] * fitted.null_objective
    assert set(fitted.statuses) == {"optimal"}


def test_predictions_check_their_rows(data: Any) -> None:
    X, y = data
    fitted = path(X, y, n_alphas=3)
    answer = solve(X, y, penalty=L1(0.1))
    for predict, what in (
        (answer.predict, "solution"),
        (lambda rows, offset=None: fitted.predict(rows, fitted.alphas[1], offset), "path"),
    ):
        with pytest.raises(ValueError, match="X has 1 dimensions"):
            predict(X[0])
        with pytest.raises(ValueError, match=f"X has 29 columns and the {what} 30 features"):
            predict(X[:, 1:])
        with pytest.raises(ValueError, match="offset"):
            predict(X, offset=[1.0, 2.0])

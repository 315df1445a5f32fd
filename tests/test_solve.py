"""solve(): closed forms, the optimality conditions, and every claim a Solution makes."""

from __future__ import annotations

import inspect
import re
import time
from typing import Any

import numpy as np
import pytest
from problems import regression
from sklearn.linear_model import ElasticNet as PeerElasticNet

import regsolve
from regsolve import ConvergenceWarning, Progress, Solution, solve, verify
from regsolve.certificate import verify as judge
from regsolve.penalties import L1, L2, ElasticNet

SOLVERS = ["auto", "cd", "working_set"]
TIGHT = 1e-12
# A gap g bounds |w - w*|^2 by 2 g / m, m the least curvature: 1e-12 P0 with m > 0.1 gives 1e-5.
CLOSE = 2e-5
PENALTIES = [L1(0.05), L2(0.05), ElasticNet(0.05, 0.5), ElasticNet(0.05, 0.01)]


def soft(c: np.ndarray, threshold: float | np.ndarray) -> np.ndarray:
    """sign(c) (|c| - threshold)_+."""
    return np.sign(c) * np.maximum(np.abs(c) - threshold, 0.0)


@pytest.fixture(scope="module")
def orthonormal() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X with X'X / n = I and X'1 = 0, y, and c = X'y / n: every penalty then acts on c alone."""
    rng = np.random.default_rng(3)
    raw = np.column_stack([np.ones(40), rng.standard_normal((40, 9))])
    X = np.sqrt(40) * np.linalg.qr(raw)[0][:, 1:]
    y = X @ rng.normal(0.0, 1.0, 9) + rng.standard_normal(40) + 5.0
    return X, y, X.T @ y / 40


@pytest.mark.parametrize("solver", SOLVERS)
def test_orthonormal_columns_give_the_shrinkage_rules(orthonormal: Any, solver: str) -> None:
    X, y, c = orthonormal
    factors = np.linspace(0.0, 2.0, 9)
    rules = [
        (L1(0.3), soft(c, 0.3)),
        (L2(0.3), c / 1.3),
        (ElasticNet(0.3, 0.5), soft(c, 0.15) / 1.15),
        (L1(0.3, weights=factors), soft(c, 0.3 * factors)),
        (L2(0.3, weights=factors), c / (1.0 + 0.3 * factors)),
        (L1(0.3, positive=True), np.maximum(c - 0.3, 0.0)),
        (L1(0.3, lower=-0.2, upper=0.1), np.clip(soft(c, 0.3), -0.2, 0.1)),
        (L2(0.3, positive=True), np.maximum(c, 0.0) / 1.3),
    ]
    for penalty, expected in rules:
        answer = solve(X, y, penalty=penalty, tol=TIGHT, solver=solver)
        np.testing.assert_allclose(answer.coef, expected, atol=CLOSE, err_msg=str(penalty))
        assert answer.intercept == pytest.approx(y.mean(), abs=CLOSE)


@pytest.mark.parametrize("shape", [(60, 8), (8, 60), (30, 30)])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_ridge_solves_the_normal_equations(
    shape: tuple[int, int], fit_intercept: bool, weighted: bool
) -> None:
    X, y = regression(*shape)
    n, p = shape
    rng = np.random.default_rng(1)
    s = rng.uniform(0.0, 2.0, n) if weighted else np.ones(n)
    s /= s.sum()
    factors, alpha = rng.uniform(0.5, 2.0, p), 0.1
    mean = s @ X * fit_intercept
    H = (X - mean).T @ (s[:, None] * (X - mean)) + alpha * np.diag(factors)
    expected = np.linalg.solve(H, (X - mean).T @ (s * (y - s @ y * fit_intercept)))
    answer = solve(
        X,
        y,
        penalty=L2(alpha, weights=factors),
        sample_weight=7.0 * s if weighted else None,
        fit_intercept=fit_intercept,
    )
    np.testing.assert_allclose(answer.coef, expected, rtol=1e-8, atol=1e-10)
    intercept = (s @ y - mean @ expected) if fit_intercept else 0.0
    assert answer.intercept == pytest.approx(intercept, rel=1e-9, abs=1e-12)
    assert answer.status == "optimal"


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", [(80, 20), (20, 80)])
def test_elastic_net_is_the_peers(solver: str, shape: tuple[int, int]) -> None:
    X, y = regression(*shape)
    s = np.random.default_rng(2).uniform(0.2, 2.0, len(y))
    peer = PeerElasticNet(alpha=0.1, l1_ratio=0.7, tol=1e-13, max_iter=10**6)
    peer.fit(X, y, sample_weight=s)
    penalty = ElasticNet(0.1, 0.7)
    answer = solve(X, y, penalty=penalty, sample_weight=s, tol=TIGHT, solver=solver)
    np.testing.assert_allclose(answer.coef, peer.coef_, atol=5.0 * CLOSE)
    theirs = verify(X, y, peer.coef_, float(peer.intercept_), penalty=penalty, sample_weight=s)
    assert answer.certificate.primal <= theirs.primal + TIGHT * np.mean(y**2)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("penalty", PENALTIES, ids=str)
@pytest.mark.parametrize("tol", [1e-2, 1e-6, 1e-10])
def test_tol_bounds_the_judged_gap(solver: str, penalty: Any, tol: float) -> None:
    X, y = regression(100, 150, rho=0.9)
    answer = solve(X, y, penalty=penalty, tol=tol, solver=solver)
    judged = judge(X, y, answer.coef, answer.intercept, penalty=penalty)
    assert answer.status == "optimal"
    assert judged.relative_gap <= tol
    assert answer.certificate.relative_gap <= tol
    assert answer.certificate.gap == pytest.approx(
        answer.certificate.primal - answer.certificate.dual, abs=1e-12 * judged.primal
    )
    assert answer.certificate.primal == pytest.approx(judged.primal, rel=1e-12)


def test_optimality_conditions_hold_feature_by_feature() -> None:
    X, y = regression(200, 60)
    factors = np.random.default_rng(5).uniform(0.5, 2.0, 60)
    factors[:3], factors[3:5] = 0.0, np.inf
    answer = solve(X, y, penalty=ElasticNet(0.2, 0.6, weights=factors), tol=TIGHT)
    w, residual = answer.coef, y - answer.predict(X)
    used, free, out = w != 0, factors == 0, np.isinf(factors)
    finite = np.where(out, 0.0, factors)
    force = X.T @ residual / 200 - finite * 0.08 * w
    limit = 0.12 * finite
    assert abs(residual.mean()) < CLOSE
    np.testing.assert_allclose(force[free], 0.0, atol=CLOSE)
    np.testing.assert_allclose(force[used & ~free], (limit * np.sign(w))[used & ~free], atol=CLOSE)
    assert np.all(np.abs(force[~used & ~out]) <= limit[~used & ~out] + CLOSE)
    assert np.all(w[out] == 0.0)
    assert 3 < used.sum() < 58


def test_infinite_factor_drops_the_column() -> None:
    X, y = regression(50, 12)
    factors = np.ones(12)
    factors[[0, 7]] = np.inf
    with_inf = solve(X, y, penalty=L1(0.05, weights=factors), tol=TIGHT)
    kept = np.isfinite(factors)
    without = solve(X[:, kept], y, penalty=L1(0.05), tol=TIGHT)
    np.testing.assert_allclose(with_inf.coef[kept], without.coef, atol=CLOSE)
    assert np.all(with_inf.coef[~kept] == 0.0)


@pytest.mark.parametrize("solver", SOLVERS)
def test_alpha_zero_is_least_squares(solver: str) -> None:
    X, y = regression(60, 10)
    expected = np.linalg.lstsq(np.column_stack([X, np.ones(60)]), y, rcond=None)[0]
    for penalty in (L1(0.0), L2(0.0), ElasticNet(0.0, 0.5), L1(1.0, weights=np.zeros(10))):
        answer = solve(X, y, penalty=penalty, tol=TIGHT, solver=solver)
        np.testing.assert_allclose(answer.coef, expected[:-1], atol=CLOSE)
        assert answer.status == "optimal"


@pytest.mark.parametrize("excess", [1.0, 1e-9])
def test_above_alpha_max_is_the_null_model(excess: float) -> None:
    X, y = regression(50, 30)
    s = np.random.default_rng(8).uniform(0.0, 1.0, 50)
    mean = s @ y / s.sum()
    alpha_max = np.max(np.abs((X - s @ X / s.sum()).T @ (s * (y - mean)))) / s.sum()
    above = solve(X, y, penalty=L1(alpha_max * (1.0 + excess)), sample_weight=s)
    below = solve(X, y, penalty=L1(alpha_max * (1.0 - 1e-4)), sample_weight=s, tol=TIGHT)
    assert np.count_nonzero(above.coef) == 0
    assert above.intercept == pytest.approx(mean, rel=1e-12)
    assert np.count_nonzero(below.coef) == 1


def test_offset_is_subtracted_from_the_target() -> None:
    X, y = regression(40, 15)
    offset = np.random.default_rng(4).normal(0.0, 3.0, 40)
    a = solve(X, y, penalty=L1(0.1), offset=offset, tol=TIGHT)
    b = solve(X, y - offset, penalty=L1(0.1), tol=TIGHT)
    np.testing.assert_allclose(a.coef, b.coef, atol=CLOSE)
    np.testing.assert_allclose(a.predict(X, offset), X @ a.coef + a.intercept + offset, atol=TIGHT)
    judged = verify(X, y, a.coef, a.intercept, penalty=L1(0.1), offset=offset)
    assert judged.relative_gap <= 1e-12


@pytest.mark.parametrize("solver", SOLVERS)
def test_warm_start_reaches_the_same_optimum(solver: str) -> None:
    X, y = regression(100, 40, rho=0.9)
    cold = solve(X, y, penalty=L1(0.02), tol=TIGHT, solver=solver)
    for start in (cold.coef, np.full(40, 10.0), -cold.coef):
        warm = solve(X, y, penalty=L1(0.02), tol=TIGHT, solver=solver, coef_init=start)
        np.testing.assert_allclose(warm.coef, cold.coef, atol=5.0 * CLOSE)
        assert warm.status == "optimal"
    again = solve(X, y, penalty=L1(0.02), tol=TIGHT, solver="cd", coef_init=cold.coef)
    first = solve(X, y, penalty=L1(0.02), tol=TIGHT, solver="cd")
    assert again.report.n_epochs < first.report.n_epochs


@pytest.mark.parametrize("solver", ["auto", "gram", "working_set", "cd"])
@pytest.mark.parametrize("shape", [(60, 10), (30, 80)], ids=str)
@pytest.mark.parametrize("size", [1e2, 1e6, 1e12, 1e100, 1e300, 1e308])
def test_a_start_far_from_any_answer_does_no_harm(
    solver: str, shape: tuple[int, int], size: float
) -> None:
    X, y = regression(*shape, seed=9)
    far = np.full(shape[1], size)
    for penalty in (L1(0.1), ElasticNet(1e-3, 0.5), L1(1e-4)):
        found = solve(X, y, penalty=penalty, solver=solver, coef_init=far)
        assert found.status == "optimal"
        judged = verify(X, y, found.coef, found.intercept, penalty=penalty)
        assert judged.relative_gap <= 1e-6


def slow_problem() -> tuple[np.ndarray, np.ndarray]:
    """Data on which coordinate descent needs very many epochs."""
    return regression(300, 600, rho=0.999)


def test_max_iter_stops_warns_and_stays_honest() -> None:
    X, y = slow_problem()
    with pytest.warns(ConvergenceWarning) as caught:
        answer = solve(X, y, penalty=L1(1e-4), tol=TIGHT, max_iter=2, solver="cd")
    assert answer.status == "max_iter"
    judged = judge(X, y, answer.coef, answer.intercept, penalty=L1(1e-4))
    assert answer.certificate.relative_gap == pytest.approx(judged.relative_gap, rel=1e-6)
    assert judged.relative_gap > 1e-12
    numbers = re.findall(r"\d+\.?\d*(?:e[-+]\d+)?", str(caught[0].message))
    told = [float(number) for number in numbers]
    assert any(value == pytest.approx(judged.relative_gap, rel=0.06) for value in told)
    assert issubclass(ConvergenceWarning, UserWarning)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_max_time_returns_the_best_iterate() -> None:
    X, y = slow_problem()
    begun = time.perf_counter()
    answer = solve(X, y, penalty=L1(1e-6), tol=1e-15, max_time=0.2, solver="cd")
    assert time.perf_counter() - begun < 1.5
    assert answer.status == "time_limit"
    judged = judge(X, y, answer.coef, answer.intercept, penalty=L1(1e-6))
    assert answer.certificate.relative_gap == pytest.approx(judged.relative_gap, rel=1e-4)
    null = judge(X, y, np.zeros(600), float(y.mean()), penalty=L1(1e-6))
    assert judged.primal < null.primal


def test_callback_is_told_of_the_answer() -> None:
    X, y = regression(100, 20)
    seen: list[Progress] = []
    answer = solve(X, y, penalty=L1(0.1), callback=seen.append)
    last = seen[-1]
    assert (last.step, last.n_steps, last.alpha) == (1, 1, 0.1)
    assert last.support == np.count_nonzero(answer.coef)
    assert last.gap == answer.certificate.relative_gap
    assert 0 < last.n_passes <= answer.report.n_passes
    assert 0 < last.seconds <= answer.report.seconds


def test_error_in_callback_reaches_the_caller() -> None:
    X, y = regression(50, 10)

    def broken(_: Progress) -> bool:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        solve(X, y, penalty=L1(0.01), callback=broken)


@pytest.mark.parametrize("solver", SOLVERS)
def test_report_says_how(solver: str) -> None:
    X, y = regression(500, 20)
    report = solve(X, y, penalty=L1(0.1), solver=solver).report
    assert report.mode
    assert len(report.why.split()) >= 3
    assert report.n_passes > 0
    assert report.bytes_read >= report.n_passes * X.nbytes * (1.0 - 1e-9)
    assert report.peak_bytes > 0
    assert report.n_rhs >= 1
    assert 0.0 < report.seconds < 60.0
    assert report.n_solves + report.n_epochs >= 1
    assert 0 <= report.working_set_size <= 20


def test_solution_types() -> None:
    X, y = regression(30, 5)
    answer = solve(X.astype(np.float32), y, penalty=L1(0.1))
    assert isinstance(answer, Solution)
    assert answer.coef.dtype == np.float64
    assert answer.coef.shape == (5,)
    assert type(answer.intercept) is float
    assert solve(X, y, penalty=L1(0.1), fit_intercept=False).intercept == 0.0
    np.testing.assert_allclose(answer.predict(X), X @ answer.coef + answer.intercept, rtol=1e-14)


def test_public_signatures_are_the_promised_ones() -> None:
    expected = {
        "solve": (
            "X y penalty loss sample_weight offset fit_intercept standardize coef_init tol "
            "max_iter max_time max_memory n_threads callback solver"
        ),
        "path": (
            "X y penalty loss alphas n_alphas alpha_min_ratio sample_weight offset fit_intercept "
            "standardize tol max_iter max_time max_memory n_threads callback solver dfmax "
            "stop_at_deviance"
        ),
        "verify": (
            "X y coef intercept penalty loss sample_weight offset fit_intercept standardize"
        ),
    }
    for name, words in expected.items():
        parameters = inspect.signature(getattr(regsolve, name)).parameters
        assert set(words.split()) <= set(parameters), name
        keyword = inspect.Parameter.KEYWORD_ONLY
        assert parameters["penalty"].kind is keyword, name
    defaults = inspect.signature(solve).parameters
    assert (defaults["tol"].default, defaults["solver"].default) == (1e-6, "auto")
    assert regsolve.verify is judge

"""Penalties and losses written by a user run in the built-in loop and are judged like the rest."""

from __future__ import annotations

import ctypes
import math
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from problems import regression
from scipy import LowLevelCallable, sparse

from regsolve import ConvergenceWarning, losses, path, solve, verify
from regsolve.penalties import L1, Custom, ElasticNet

GAMMA = 3.0
DELTA = 1.35


def l1_value(w: float, alpha: float, weight: float) -> float:
    return alpha * weight * abs(w)


def l1_prox(z: float, step: float, alpha: float, weight: float) -> float:
    return math.copysign(max(abs(z) - step * alpha * weight, 0.0), z)


def l1_distance(w: float, grad: float, alpha: float, weight: float) -> float:
    if w == 0.0:
        return max(abs(grad) - alpha * weight, 0.0)
    return abs(grad + math.copysign(alpha * weight, w))


def l1_conjugate(c: float, alpha: float, weight: float) -> float:
    return 0.0 if abs(c) <= alpha * weight else math.inf


def l1_threshold(alpha: float, weight: float) -> float:
    return alpha * weight


def enet_value(w: float, alpha: float, weight: float) -> float:
    return alpha * weight * (0.3 * abs(w) + 0.35 * w * w)


def enet_prox(z: float, step: float, alpha: float, weight: float) -> float:
    shrunk = max(abs(z) - step * 0.3 * alpha * weight, 0.0)
    return math.copysign(shrunk / (1.0 + step * 0.7 * alpha * weight), z)


def enet_distance(w: float, grad: float, alpha: float, weight: float) -> float:
    smooth = grad + 0.7 * alpha * weight * w
    if w == 0.0:
        return max(abs(smooth) - 0.3 * alpha * weight, 0.0)
    return abs(smooth + math.copysign(0.3 * alpha * weight, w))


def enet_conjugate(c: float, alpha: float, weight: float) -> float:
    excess = max(abs(c) - 0.3 * alpha * weight, 0.0)
    return 0.0 if excess == 0.0 else excess**2 / (1.4 * alpha * weight)


def mcp_value(w: float, alpha: float, weight: float) -> float:
    level = alpha * weight
    if abs(w) <= GAMMA * level:
        return level * abs(w) - w * w / (2.0 * GAMMA)
    return GAMMA * level * level / 2.0


def mcp_prox(z: float, step: float, alpha: float, weight: float) -> float:
    level = alpha * weight
    if step >= GAMMA:
        return z if abs(z) > level * math.sqrt(GAMMA * step) else 0.0
    if abs(z) <= step * level:
        return 0.0
    if abs(z) <= GAMMA * level:
        return math.copysign((abs(z) - step * level) / (1.0 - step / GAMMA), z)
    return z


def mcp_distance(w: float, grad: float, alpha: float, weight: float) -> float:
    level = alpha * weight
    if w == 0.0:
        return max(abs(grad) - level, 0.0)
    return abs(grad + math.copysign(max(level - abs(w) / GAMMA, 0.0), w))


def quadratic_value(y: float, z: float) -> float:
    return 0.5 * (y - z) ** 2


def quadratic_gradient(y: float, z: float) -> float:
    return z - y


def quadratic_curvature(y: float, z: float) -> float:  # noqa: ARG001
    return 1.0


def quadratic_conjugate(y: float, v: float) -> float:
    return v * y + 0.5 * v * v


def logistic_value(y: float, z: float) -> float:
    return max(z, 0.0) + math.log1p(math.exp(-abs(z))) - y * z


def logistic_gradient(y: float, z: float) -> float:
    return 1.0 / (1.0 + math.exp(-z)) - y


def logistic_curvature(y: float, z: float) -> float:  # noqa: ARG001
    m = 1.0 / (1.0 + math.exp(-z))
    return m * (1.0 - m)


def logistic_conjugate(y: float, v: float) -> float:
    m = y + v
    if m < 0.0 or m > 1.0:
        return math.inf
    below = m * math.log(m) if m > 0.0 else 0.0
    return below + ((1.0 - m) * math.log1p(-m) if m < 1.0 else 0.0)


def huber_value(y: float, z: float) -> float:
    r = abs(y - z)
    return 0.5 * r * r if r <= DELTA else DELTA * r - 0.5 * DELTA**2


def huber_gradient(y: float, z: float) -> float:
    return min(max(z - y, -DELTA), DELTA)


def huber_curvature(y: float, z: float) -> float:
    return 1.0 if abs(y - z) <= DELTA else 0.0


def huber_conjugate(y: float, v: float) -> float:
    return v * y + 0.5 * v * v if abs(v) <= DELTA else math.inf


def poisson_value(y: float, z: float) -> float:
    return math.exp(z) - y * z + (y * math.log(y) - y if y > 0.0 else 0.0)


def poisson_gradient(y: float, z: float) -> float:
    return math.exp(z) - y


def poisson_curvature(y: float, z: float) -> float:  # noqa: ARG001
    return math.exp(z)


def poisson_conjugate(y: float, v: float) -> float:
    m = y + v
    if m < 0.0:
        return math.inf
    free = m * math.log(m) - m if m > 0.0 else 0.0
    return free - (y * math.log(y) - y if y > 0.0 else 0.0)


L1_RULES = (l1_value, l1_prox, l1_distance, l1_conjugate, l1_threshold)
LOSSES = {
    "quadratic": (quadratic_value, quadratic_gradient, quadratic_curvature, quadratic_conjugate),
    "logistic": (logistic_value, logistic_gradient, logistic_curvature, logistic_conjugate),
    "huber": (huber_value, huber_gradient, huber_curvature, huber_conjugate),
    "poisson": (poisson_value, poisson_gradient, poisson_curvature, poisson_conjugate),
}


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """X (150, 40), neighbours correlated at 0.7, and y."""
    return regression(150, 40, rho=0.7, seed=6)


def targets(name: str, X: np.ndarray) -> np.ndarray:
    """A target of the kind that a loss expects, with a signal in three features."""
    rng = np.random.default_rng(12)
    z = 0.8 * X[:, 0] - 0.6 * X[:, 7] + 0.4 * X[:, 20]
    if name == "logistic":
        return (rng.random(len(z)) < 1.0 / (1.0 + np.exp(-z))).astype(float)
    if name == "poisson":
        return rng.poisson(np.exp(np.clip(z, -3.0, 3.0))).astype(float)
    return z + rng.standard_t(2, len(z))


@pytest.mark.parametrize("build", [np.asfortranarray, np.ascontiguousarray, sparse.csc_matrix])
@pytest.mark.parametrize("weighted", [False, True])
def test_custom_l1_is_the_built_in(data: Any, build: Any, weighted: bool) -> None:
    X, y = data
    factors = np.random.default_rng(0).uniform(0.2, 2.0, 40) if weighted else None
    options: dict[str, Any] = {"tol": 1e-13, "solver": "cd"}
    ours = solve(build(X), y, penalty=L1(0.05, weights=factors), **options)
    custom = Custom(*L1_RULES, convex=True, alpha=0.05, weights=factors)
    theirs = solve(build(X), y, penalty=custom, **options)
    assert theirs.certificate.primal == pytest.approx(ours.certificate.primal, rel=1e-12)
    np.testing.assert_allclose(theirs.coef, ours.coef, atol=2e-5)
    assert theirs.status == "optimal"
    judged = verify(X, y, theirs.coef, theirs.intercept, penalty=custom)
    assert judged.relative_gap <= 1e-13
    assert theirs.certificate.relative_gap == pytest.approx(judged.relative_gap, abs=1e-13)


@pytest.mark.parametrize("given", [2, 3, 4, 5])
def test_optional_functions_may_be_left_out(data: Any, given: int) -> None:
    X, y = data
    reference = solve(X, y, penalty=L1(0.05), tol=1e-13, solver="cd").certificate.primal
    penalty = Custom(*L1_RULES[:given], convex=True, alpha=0.05)
    answer = solve(X, y, penalty=penalty, tol=1e-12)
    assert answer.certificate.primal == pytest.approx(reference, rel=1e-10)
    assert answer.status in ("optimal", "stationary")
    assert answer.certificate.kkt_violation <= 1e-5
    assert (answer.status == "optimal") or given < 4


@pytest.mark.parametrize("standardize", [False, True])
def test_custom_elastic_net_is_the_built_in(data: Any, standardize: bool) -> None:
    X, y = data
    X = X * np.linspace(0.3, 3.0, 40)
    s = np.random.default_rng(3).uniform(0.1, 2.0, 150)
    options: dict[str, Any] = {"sample_weight": s, "standardize": standardize, "tol": 1e-13}
    custom = Custom(enet_value, enet_prox, enet_distance, enet_conjugate, convex=True, alpha=0.1)
    ours = solve(X, y, penalty=ElasticNet(0.1, 0.3), solver="cd", **options)
    theirs = solve(X, y, penalty=custom, **options)
    assert theirs.certificate.primal == pytest.approx(ours.certificate.primal, rel=1e-12)
    assert theirs.status == "optimal"


def test_infinite_and_zero_factors_reach_custom_penalties(data: Any) -> None:
    X, y = data
    factors = np.ones(40)
    factors[0], factors[1:4] = 0.0, np.inf
    ours = solve(X, y, penalty=L1(0.05, weights=factors), tol=1e-12, solver="cd")
    custom = Custom(*L1_RULES, convex=True, alpha=0.05, weights=factors)
    theirs = solve(X, y, penalty=custom, tol=1e-12)
    assert np.all(theirs.coef[1:4] == 0.0)
    assert theirs.certificate.primal == pytest.approx(ours.certificate.primal, rel=1e-11)


@pytest.mark.parametrize("rules", [2, 3])
def test_nonconvex_penalty_ends_stationary(data: Any, rules: int) -> None:
    X, y = data
    custom = Custom(*(mcp_value, mcp_prox, mcp_distance)[:rules], convex=False, alpha=0.2)
    answer = solve(X, y, penalty=custom, tol=1e-8)
    assert answer.status == "stationary"
    residual = y - answer.predict(X)
    grad = -X.T @ residual / 150
    null = np.max(np.abs(X.T @ (y - y.mean()))) / 150
    distance = [mcp_distance(w, g, 0.2, 1.0) for w, g in zip(answer.coef, grad, strict=True)]
    assert max(distance) <= 1e-6 * null
    assert abs(residual.mean()) <= 1e-6 * null
    assert 0 < np.count_nonzero(answer.coef) < 40
    value = np.mean(residual**2) / 2.0 + sum(mcp_value(w, 0.2, 1.0) for w in answer.coef)
    assert answer.certificate.primal == pytest.approx(value, rel=1e-12)
    assert value < np.var(y) / 2.0


def test_path_of_a_custom_penalty(data: Any) -> None:
    X, y = data
    alphas = np.geomspace(1.0, 0.01, 8)
    ours = path(X, y, penalty=L1(), alphas=alphas, tol=1e-11, solver="cd")
    theirs = path(X, y, penalty=Custom(*L1_RULES, convex=True), alphas=alphas, tol=1e-11)
    np.testing.assert_allclose(theirs.coefs.toarray(), ours.coefs.toarray(), atol=1e-4)
    np.testing.assert_array_equal(theirs.alphas, alphas)
    assert theirs.converged


def compiled(form: str) -> list[Any]:
    """The rules of L1 as another kind of function or pointer."""
    if form == "njit":
        return [numba.njit(rule) for rule in L1_RULES]
    if form == "closure":
        return [value_times(1.0), *L1_RULES[1:]]
    pointers: list[Any] = []
    for rule, n_arguments in zip(L1_RULES, (3, 4, 4, 3, 2), strict=True):
        made = numba.cfunc(numba.float64(*[numba.float64] * n_arguments))(rule)
        KEPT.append(made)
        forms = {"cfunc": made, "ctypes": made.ctypes, "low_level": LowLevelCallable(made.ctypes)}
        pointers.append(forms[form])
    return pointers


KEPT: list[Any] = []


def value_times(factor: float) -> Any:
    """The value rule, closing over a constant."""

    def value(w: float, alpha: float, weight: float) -> float:
        return factor * alpha * weight * abs(w)

    return value


@pytest.mark.parametrize("form", ["njit", "closure", "cfunc", "ctypes", "low_level"])
def test_every_form_of_function_gives_the_same_bits(data: Any, form: str) -> None:
    X, y = data
    plain = solve(X, y, penalty=Custom(*L1_RULES, convex=True, alpha=0.05))
    other = solve(X, y, penalty=Custom(*compiled(form), convex=True, alpha=0.05))
    np.testing.assert_array_equal(other.coef, plain.coef)
    assert other.certificate == plain.certificate


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_custom_quadratic_is_the_built_in(data: Any, fit_intercept: bool) -> None:
    X, y = data
    s = np.random.default_rng(3).uniform(0.1, 2.0, 150)
    options: dict[str, Any] = {"sample_weight": s, "fit_intercept": fit_intercept, "tol": 1e-12}
    ours = solve(X, y, penalty=L1(0.05), **options)
    theirs = solve(X, y, penalty=L1(0.05), loss=losses.Custom(*LOSSES["quadratic"]), **options)
    assert theirs.certificate.primal == pytest.approx(ours.certificate.primal, rel=1e-11)
    np.testing.assert_allclose(theirs.coef, ours.coef, atol=5e-5)
    assert theirs.status == "optimal"


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("penalty", [L1(0.02), ElasticNet(0.02, 0.5)], ids=["l1", "enet"])
def test_custom_losses_are_certified(data: Any, name: str, penalty: Any) -> None:
    X, _ = data
    y, loss = targets(name, X), losses.Custom(*LOSSES[name])
    answer = solve(X, y, penalty=penalty, loss=loss, tol=1e-8)
    assert answer.status == "optimal"
    judged = verify(X, y, answer.coef, answer.intercept, penalty=penalty, loss=loss)
    assert judged.relative_gap <= 1e-8
    assert answer.certificate.relative_gap == pytest.approx(judged.relative_gap, abs=1e-10)
    gradient, z = LOSSES[name][1], answer.predict(X)
    slope = np.array([gradient(a, b) for a, b in zip(y, z, strict=True)]) / 150
    force = X.T @ slope + 0.02 * (1.0 - penalty.l1_ratio) * answer.coef
    used, limit = answer.coef != 0, 0.02 * penalty.l1_ratio
    assert abs(slope.sum()) < 1e-3
    np.testing.assert_allclose(force[used], -limit * np.sign(answer.coef[used]), atol=1e-3)
    assert np.all(np.abs(force[~used]) <= limit + 1e-3)
    assert used.any()


def test_custom_loss_and_penalty_together(data: Any) -> None:
    X, _ = data
    y, loss = targets("logistic", X), losses.Custom(*LOSSES["logistic"])
    custom = Custom(*L1_RULES, convex=True, alpha=0.03)
    a = solve(sparse.csc_matrix(X), y, penalty=L1(0.03), loss=loss, tol=1e-10)
    b = solve(X, y, penalty=custom, loss=loss, tol=1e-10)
    assert b.certificate.primal == pytest.approx(a.certificate.primal, rel=1e-9)
    assert b.status == "optimal"


def test_loss_without_conjugate_is_judged_by_its_gradient(data: Any) -> None:
    X, _ = data
    y = targets("logistic", X)
    bare = losses.Custom(logistic_value, logistic_gradient, logistic_curvature)
    full = losses.Custom(*LOSSES["logistic"])
    a = solve(X, y, penalty=L1(0.03), loss=bare, tol=1e-8)
    b = solve(X, y, penalty=L1(0.03), loss=full, tol=1e-8)
    assert a.certificate.kkt_violation <= 1e-6
    assert a.certificate.primal == pytest.approx(b.certificate.primal, rel=1e-7)


@pytest.mark.parametrize("name", ["quadratic", "huber"])
@pytest.mark.parametrize("positive", [False, True])
def test_an_exact_fit_without_penalty_ends(name: str, positive: bool) -> None:
    """Eight features without penalty fit five rows: what is left of the loss is rounding."""
    for seed in (26, 93, 2, 55):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((5, 20)), rng.standard_normal(5)
        penalty = L1(1.0, weights=np.r_[np.zeros(8), np.ones(12)], positive=positive)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = solve(X, y, penalty=penalty, loss=losses.Custom(*LOSSES[name]), max_time=20.0)
        assert found.status != "time_limit"
        if not positive:
            assert found.certificate.primal < 1e-25


def test_a_far_start_of_a_loss_does_no_harm() -> None:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((10, 20))
    y = (X[:, 0] + rng.standard_normal(10) > 0.0).astype(float)
    loss = losses.Custom(*LOSSES["logistic"])
    cold = solve(X, y, penalty=L1(0.05), loss=loss)
    for size in (30.0, 1e4, 1e100, 1e308):
        start = size * rng.standard_normal(20).clip(-1.0, 1.0)
        warm = solve(X, y, penalty=L1(0.05), loss=loss, coef_init=start)
        assert warm.status == "optimal"
        assert warm.certificate.primal == pytest.approx(cold.certificate.primal, abs=1e-6)


SCRIPT = """
import sys, time
sys.path[:0] = {folders!r}
import numpy as np
from problems import regression
import regsolve
from mine import value, prox, distance

X, y = regression(200, 30)
begun = time.perf_counter()
penalty = regsolve.penalties.Custom(value, prox, distance, convex=True, alpha=0.1)
regsolve.solve(X, y, penalty=penalty)
print(time.perf_counter() - begun)
"""
MINE = """
import math

def value(w, alpha, weight):
    return alpha * weight * abs(w)

def prox(z, step, alpha, weight):
    return math.copysign(max(abs(z) - step * alpha * weight, 0.0), z)

def distance(w, grad, alpha, weight):
    if w == 0.0:
        return max(abs(grad) - alpha * weight, 0.0)
    return abs(grad + math.copysign(alpha * weight, w))
"""


def test_compiled_functions_outlive_the_process(tmp_path: Path, request: Any) -> None:
    """The first fit of a second process finds the machine code beside the user's file."""
    (tmp_path / "mine.py").write_text(MINE)
    script = SCRIPT.format(folders=[str(tmp_path), str(request.path.parent)])

    def seconds() -> float:
        call = [sys.executable, "-c", script]
        done = subprocess.run(call, capture_output=True, text=True, timeout=120, check=True)
        return float(done.stdout)

    seconds()
    assert list(tmp_path.rglob("*.nbi"))
    assert min(seconds() for _ in range(3)) < 1.5


def test_pointer_types_are_checked(data: Any) -> None:
    X, y = data
    wrong = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_int)(float)
    with pytest.raises((TypeError, ValueError), match="double"):
        solve(X, y, penalty=Custom(wrong, l1_prox, convex=True))


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("free", [0, 3])
def test_means_far_from_zero_where_no_intercept_takes_them(l1_ratio: float, free: int) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        X = 1e3 + rng.standard_normal((60, 20))
        y = rng.standard_normal(60) * 3.0 + X[:, 0] - X[:, 1]
        weights = np.r_[np.zeros(free), np.ones(20 - free)]
        penalty = ElasticNet(0.3, l1_ratio, weights=weights)
        options = {
            "penalty": penalty,
            "loss": losses.Custom(*LOSSES["huber"]),
            "fit_intercept": False,
        }
        found = solve(X, y, **options)
        judged = verify(X, y, found.coef, found.intercept, **options)
        assert found.status == "optimal"
        assert judged.relative_gap < 1e-6


def test_a_dual_point_is_projected_though_the_null_model_is_not_at_its_minimum() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = 1e5 + rng.standard_normal((60, 80))
        y = 4.0 * rng.standard_t(1.5, 60)
        penalty = ElasticNet(1.0, 0.0, weights=np.r_[np.zeros(20), np.ones(60)])
        options = {
            "penalty": penalty,
            "loss": losses.Custom(*LOSSES["huber"]),
            "fit_intercept": False,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = solve(X, y, **options, max_time=2.0)
        judged = verify(X, y, found.coef, found.intercept, **options)
        assert found.certificate.dual <= judged.primal * (1.0 + 1e-9)
        assert found.status != "optimal" or judged.relative_gap < 1e-5


def test_counts_without_a_minimum_end() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = 1e3 * rng.standard_normal((4, 6))
        y = np.array([0.0, 3.0, 0.0, 0.0])
        penalty = ElasticNet(1e-3, 0.5, weights=np.r_[np.zeros(3), np.ones(3)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = solve(
                X, y, penalty=penalty, loss=losses.Custom(*LOSSES["poisson"]), max_time=30.0
            )
        assert found.status != "time_limit"


def negative_value(y: float, z: float) -> float:
    return math.exp(z) - y * z


def test_a_loss_that_is_negative_is_solved_as_its_deviance_is() -> None:
    X, y = regression(80, 6)
    counts = np.round(np.exp(1.0 + y / np.std(y)))
    _, *shape = LOSSES["poisson"][:3]
    plain = solve(X, counts, penalty=L1(0.05), loss=losses.Custom(negative_value, *shape))
    deviance = solve(X, counts, penalty=L1(0.05), loss=losses.Custom(*LOSSES["poisson"]))
    assert plain.certificate.primal < 0.0
    assert plain.status == deviance.status == "optimal"
    assert plain.coef == pytest.approx(deviance.coef, abs=1e-6)
    assert np.any(plain.coef)
    judged = verify(
        X, counts, plain.coef, plain.intercept, penalty=L1(0.05),
        loss=losses.Custom(negative_value, *shape),
    )  # fmt: skip
    assert judged.kkt_violation < 1e-6


@pytest.mark.parametrize("scale", [1.0, 1e2, 1e4])
@pytest.mark.parametrize("intercept", [True, False])
def test_huber_is_solved_from_far_beyond_delta(scale: float, intercept: bool) -> None:
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((60, 5))
        y = scale * (X @ [1.0, -1.0, 0.5, 0.0, 0.0] + 0.1 * rng.standard_normal(60))
        loss = losses.Custom(*LOSSES["huber"])
        fit = solve(X, y, penalty=L1(1e-3), loss=loss, fit_intercept=intercept)
        assert fit.status == "optimal"
        judged = verify(
            X, y, fit.coef, fit.intercept, penalty=L1(1e-3), loss=loss, fit_intercept=intercept
        )
        assert judged.relative_gap < 1e-6


def nan_prox(z: float, step: float, alpha: float, weight: float) -> float:
    return z + step + alpha + weight + math.nan


def late_nan_prox(z: float, step: float, alpha: float, weight: float) -> float:
    shrunk = math.copysign(max(abs(z) - step * alpha * weight, 0.0), z)
    return shrunk if abs(z) < 1.6 else math.nan


def dividing_prox(z: float, step: float, alpha: float, weight: float) -> float:
    return alpha * weight * z / (step - step)


def nan_value(w: float, alpha: float, weight: float) -> float:
    return w + alpha + weight + math.nan


@pytest.mark.parametrize(
    ("value", "prox", "error"),
    [
        (l1_value, nan_prox, "prox of the penalty is NaN"),
        (l1_value, late_nan_prox, "returned NaN"),
        (nan_value, l1_prox, "value of the penalty is NaN"),
    ],
)
def test_functions_that_return_nan_are_named(value: Any, prox: Any, error: str) -> None:
    X, y = regression(30, 4)
    with pytest.raises(ValueError, match=error):
        solve(X, 100.0 * y, penalty=Custom(value, prox, alpha=0.1))


def test_what_a_function_raises_is_heard() -> None:
    X, y = regression(30, 4)
    with pytest.raises(ZeroDivisionError):
        solve(X, y, penalty=Custom(l1_value, dividing_prox, alpha=0.1))

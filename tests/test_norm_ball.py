"""The Lagrange form: proven fits within balls, and their agreement with the penalised form."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks

from regsolve import NormBallRegression, path, solve
from regsolve.penalties import L1, L2
from regsolve.views import (
    alpha_of,
    fit_norm_ball,
    lq_norm,
    project_l1,
    project_l2,
    radius_of,
    verify_ball,
)
from regsolve.views.goal import Goal

PENALTY: dict[str, Any] = {"l1": L1, "l2": L2}
EXPONENT = {"l1": 1.0, "l2": 2.0}
DUAL = {"l1": np.inf, "l2": 2.0}
NORMS = ["l1", "l2"]
SHAPES = [(100, 20), (30, 25), (20, 60), (12, 12)]
KINDS = {
    "rows": np.ascontiguousarray,
    "float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "csc": sparse.csc_matrix,
    "csr": sparse.csr_array,
}


def _data(n: int, p: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(100 * n + p)
    X = rng.standard_normal((n, p)) * (rng.uniform(size=(n, p)) < 0.7) + 0.5
    X = X.astype(np.float32).astype(np.float64)
    y = X[:, :5] @ np.array([2.0, -1.0, 1.5, 0.5, -2.0]) + rng.standard_normal(n) + 3.0
    return X, y, rng.uniform(0.1, 2.0, n)


def _deviation(X: Any, s: Any, fit_intercept: bool) -> Any:
    omega = s / s.sum()
    return np.sqrt(omega @ (X - fit_intercept * (omega @ X)) ** 2)


@parametrize_with_checks([NormBallRegression(0.5), NormBallRegression(0.5, norm="l2")])
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("options", [(True, False), (False, False), (True, True)])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_both_forms_are_one(n: int, p: int, norm: str, kind: str, options: Any) -> None:
    X, y, s = _data(n, p)
    A = KINDS[kind](X)
    fit_intercept, standardize = options
    known: dict[str, Any] = {
        "sample_weight": s,
        "fit_intercept": fit_intercept,
        "standardize": standardize,
    }
    scale = _deviation(X, s, fit_intercept) if standardize else np.ones(p)
    for share in (1e-3, 0.2, 0.7):
        radius = share * radius_of(A, y, 1e-3, norm=norm, **known)
        fit = fit_norm_ball(A, y, radius, norm=norm, **known)
        judged = verify_ball(A, y, fit.coef, fit.intercept, norm=norm, radius=radius, **known)
        assert fit.status == "optimal"
        assert judged.relative_gap <= 1e-11
        assert judged.kkt_violation <= 1e-9
        assert fit.certificate.relative_gap <= 1e-10
        assert fit.certificate.primal == pytest.approx(judged.primal, rel=1e-11)
        assert lq_norm(scale * fit.coef, EXPONENT[norm]) == pytest.approx(radius, rel=1e-9)
        assert fit.radius <= radius * (1 + 1e-15)

        penalty = PENALTY[norm](fit.multiplier)
        same = solve(A, y, penalty=penalty, tol=1e-13, **known)
        size = max(1.0, float(np.abs(same.coef).max()))
        np.testing.assert_allclose(fit.coef, same.coef, atol=1e-7 * size)
        np.testing.assert_allclose(X @ fit.coef + fit.intercept, same.predict(X), atol=1e-7 * size)

        # the multiplier is the ratio of the gradients of loss and constraint
        omega = s / s.sum()
        r = y - X @ fit.coef - fit.intercept
        c = X.T @ (omega * r) / scale
        ratio = fit.multiplier * (1.0 if norm == "l1" else fit.radius)
        assert lq_norm(c, DUAL[norm]) == pytest.approx(ratio, rel=1e-7, abs=1e-10)
        assert fit.residual == pytest.approx(np.sqrt(omega @ r**2), rel=1e-9)

        assert radius_of(A, y, fit.multiplier, norm=norm, **known) == pytest.approx(
            radius, rel=1e-6
        )
        assert alpha_of(A, y, radius, norm=norm, **known) == fit.multiplier

        other = fit_norm_ball(A, y, norm=norm, residual=fit.residual, **known)
        judged = verify_ball(
            A, y, other.coef, other.intercept, norm=norm, residual=fit.residual, **known
        )
        assert judged.relative_gap <= 1e-8
        assert other.residual <= fit.residual * (1 + 1e-12)
        assert other.multiplier == pytest.approx(fit.multiplier, rel=1e-5)
        np.testing.assert_allclose(other.coef, fit.coef, atol=1e-6 * size)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_projected_gradient_agrees(n: int, p: int, norm: str) -> None:
    """The same problem by the projections of this room and nothing else."""
    X, y, _ = _data(n, p)
    radius = 1.2
    Z, t = X - X.mean(axis=0), y - y.mean()
    step = n / np.linalg.norm(Z, 2) ** 2
    project = project_l1 if norm == "l1" else project_l2
    w = ahead = np.zeros(p)
    for k in range(3000):
        new = project(ahead + step * Z.T @ (t - Z @ ahead) / n, radius)
        ahead, w = new + k / (k + 3.0) * (new - w), new
    fit = fit_norm_ball(X, y, radius, norm=norm)
    reached = float(np.mean((t - Z @ w) ** 2)) / 2
    assert fit.certificate.primal <= reached * (1 + 1e-12)
    assert fit.certificate.dual <= reached * (1 + 1e-12)
    np.testing.assert_allclose(Z @ fit.coef, Z @ w, atol=1e-3)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_beyond_least_squares_nothing_binds(n: int, p: int, norm: str) -> None:
    X, y, s = _data(n, p)
    free = radius_of(X, y, 0.0, norm=norm, sample_weight=s)
    for radius in (free * (1 + 1e-6), 1e3 * free):
        fit = fit_norm_ball(X, y, radius, norm=norm, sample_weight=s)
        assert fit.multiplier == 0.0
        assert fit.radius == pytest.approx(free, rel=1e-7)
        Z, t = X - (s / s.sum()) @ X, y - (s / s.sum()) @ y
        assert np.abs(Z.T @ (s * (t - Z @ fit.coef))).max() <= 1e-8 * np.abs(Z.T @ (s * t)).max()
    root = np.sqrt(s)[:, None]
    least = np.linalg.pinv(root * Z) @ (root[:, 0] * t)
    if norm == "l2" or n > p:
        np.testing.assert_allclose(fit.coef, least, atol=1e-7 * np.abs(least).max())
    else:
        assert free <= np.abs(least).sum() * (1 + 1e-9)
    within = fit_norm_ball(X, y, 0.98 * free, norm=norm, sample_weight=s)
    assert within.multiplier > 0.0
    assert within.certificate.relative_gap <= 1e-9


@pytest.mark.parametrize("norm", NORMS)
def test_nothing_fits_but_zero(norm: str) -> None:
    X, y, _ = _data(30, 10)
    fit = fit_norm_ball(X, y, 0.0, norm=norm)
    np.testing.assert_array_equal(fit.coef, np.zeros(10))
    assert fit.intercept == pytest.approx(y.mean())
    assert fit.certificate.gap <= 1e-12
    largest = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / 30
    assert fit.multiplier == (pytest.approx(largest) if norm == "l1" else np.inf)
    for target, radius in ((np.full(30, 4.0), 2.0), (np.full(30, 0.1), 0.0), (np.zeros(30), 1.0)):
        fit = fit_norm_ball(X, target, radius, norm=norm)
        assert (fit.multiplier, fit.radius, fit.certificate.relative_gap) == (0.0, 0.0, 0.0)
        assert fit.intercept == pytest.approx(target[0])
    fit = fit_norm_ball(X, y, norm=norm, residual=2 * y.std())
    np.testing.assert_array_equal(fit.coef, np.zeros(10))
    flat = fit_norm_ball(np.ones((30, 4)), y, 1.0, norm=norm)
    np.testing.assert_array_equal(flat.coef, np.zeros(4))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("n", "p"), [(60, 10), (12, 30)])
def test_duplicates_and_constants(norm: str, n: int, p: int) -> None:
    """Objective and Xw are unique though w is not; constant columns take no part."""
    X, y, s = _data(n, p)
    X[:, 3], X[:, 4], X[:, 5] = X[:, 2], 7.0, 0.0
    for radius in (0.3, 2.0):
        fit = fit_norm_ball(X, y, radius, norm=norm, sample_weight=s)
        judged = verify_ball(
            X, y, fit.coef, fit.intercept, norm=norm, radius=radius, sample_weight=s
        )
        assert judged.relative_gap <= 1e-11
        np.testing.assert_allclose(fit.coef[4:6], 0.0, atol=1e-12)
        same = solve(X, y, penalty=PENALTY[norm](fit.multiplier), sample_weight=s, tol=1e-13)
        np.testing.assert_allclose(X @ fit.coef + fit.intercept, same.predict(X), atol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("shape", [(80, 10), (15, 40)])
def test_invariances(norm: str, shape: tuple[int, int]) -> None:
    X, y, s = _data(*shape)
    weight = np.round(3 * s)
    weight[0] = 2.0
    whole = fit_norm_ball(X, y, 1.5, norm=norm, sample_weight=weight)
    rows = np.repeat(np.arange(len(y)), weight.astype(int))
    repeated = fit_norm_ball(X[rows], y[rows], 1.5, norm=norm)
    np.testing.assert_allclose(whole.coef, repeated.coef, atol=1e-8)
    assert whole.multiplier == pytest.approx(repeated.multiplier, rel=1e-8)
    for factor in (1e-6, 1e6):
        scaled = fit_norm_ball(X, factor * y, factor * 1.5, norm=norm, sample_weight=weight)
        np.testing.assert_allclose(scaled.coef / factor, whole.coef, atol=1e-7)
        assert scaled.multiplier / factor ** (norm == "l1") == pytest.approx(
            whole.multiplier, rel=1e-7
        )


@pytest.mark.parametrize("norm", NORMS)
def test_judge_is_honest(norm: str) -> None:
    """The bound holds against every feasible point, and a violated constraint is told."""
    X, y, s = _data(40, 8)
    rng = np.random.default_rng(0)
    radius = 1.4
    fit = fit_norm_ball(X, y, radius, norm=norm, sample_weight=s)
    omega = s / s.sum()
    project = project_l1 if norm == "l1" else project_l2
    for size in (1e-3, 0.1, 1.0):
        w = project(fit.coef + size * rng.standard_normal(8), radius * (1 - 1e-15))
        b = float(omega @ (y - X @ w))
        told = verify_ball(X, y, w, b, norm=norm, radius=radius, sample_weight=s)
        assert told.primal == pytest.approx(omega @ (y - X @ w - b) ** 2 / 2, rel=1e-12)
        assert told.dual <= fit.certificate.primal * (1 + 1e-12)
        assert told.gap >= (told.primal - fit.certificate.primal) * (1 - 1e-9)
        assert told.kkt_violation > 1e-6
        sigma = np.sqrt(omega @ (y - X @ w - b) ** 2) * (1 + 1e-14)
        told = verify_ball(X, y, w, b, norm=norm, residual=sigma, sample_weight=s)
        best = fit_norm_ball(X, y, norm=norm, residual=sigma, sample_weight=s)
        assert told.dual <= best.radius * (1 + 1e-9) <= told.primal * (1 + 1e-8)
        assert (
            verify_ball(X, y, w, b, norm=norm, residual=0.99 * sigma, sample_weight=s).primal
            == np.inf
        )
    assert verify_ball(X, y, 1.001 * fit.coef, norm=norm, radius=radius).primal == np.inf


def test_judge_needs_no_core() -> None:
    code = (
        "import sys, importlib.util\n"
        "spec = importlib.util.find_spec('regsolve')\n"
        "sys.modules['regsolve'] = type(sys)('regsolve')\n"
        "sys.modules['regsolve'].__path__ = spec.submodule_search_locations\n"
        "import regsolve.views.ball_certificate\n"
        "assert 'regsolve._core' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_wide_problem_with_many_events() -> None:
    rng = np.random.default_rng(9)
    X = rng.standard_normal((150, 1000)) + rng.standard_normal((150, 1))
    y = X[:, :40] @ rng.standard_normal(40) + rng.standard_normal(150)
    free = radius_of(X, y, 0.0)
    for share in (0.01, 0.3, 0.8, 0.999):
        fit = fit_norm_ball(X, y, share * free)
        assert fit.certificate.relative_gap <= 1e-11
        assert fit.radius == pytest.approx(share * free, rel=1e-10)
        assert fit.multiplier > 0


def test_estimator_keeps_what_the_fit_found() -> None:
    X, y, s = _data(40, 8)
    for options in ({"radius": 1.3}, {"residual": 1.9}, {"radius": 1.3, "norm": "l2"}):
        model = NormBallRegression(**options).fit(sparse.csr_matrix(X), y, sample_weight=s)
        given = dict(options)
        fit = fit_norm_ball(X, y, given.pop("radius", None), sample_weight=s, **given)
        np.testing.assert_allclose(model.coef_, fit.coef, atol=1e-12)
        np.testing.assert_allclose(model.predict(X), X @ fit.coef + fit.intercept)
        assert model.multiplier_ == pytest.approx(fit.multiplier)
        assert (model.status_, model.radius_) == ("optimal", pytest.approx(fit.radius))
        assert model.certificate_.relative_gap <= 1e-11
        assert model.n_iter_ >= 1
    coef = model.coef_
    with pytest.raises(ValueError, match="radius=-1"):
        model.set_params(radius=-1.0).fit(X, y)
    assert model.coef_ is coef


def test_bad_input_is_refused() -> None:
    X, y, _ = _data(40, 8)
    for radius in (-1.0, np.nan, np.inf, "1", True, np.complex128(1.0)):
        with pytest.raises(ValueError, match="radius="):
            fit_norm_ball(X, y, radius)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="residual="):
            fit_norm_ball(X, y, residual=radius)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="residual: expected a finite number"):
        fit_norm_ball(X, y, residual=10**400)
    with pytest.raises(ValueError, match="norm="):
        fit_norm_ball(X, y, 1.0, norm="l3")
    for both in ({}, {"radius": 1.0, "residual": 1.0}):
        with pytest.raises(ValueError, match="one of radius and residual"):
            fit_norm_ball(X, y, **both)
    for norm in NORMS:
        with pytest.raises(ValueError, match="least squares leave"):
            fit_norm_ball(X, y, norm=norm, residual=0.01)
    with pytest.raises(ValueError, match="NaN or infinity, first in column 2"):
        fit_norm_ball(np.where(np.arange(8) == 2, np.nan, X), y, 1.0)
    with pytest.raises(ValueError, match="tol="):
        fit_norm_ball(X, y, 1.0, tol=0.0)
    with pytest.raises(TypeError, match="unknown options"):
        radius_of(X, y, 1.0, radius=2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="coef has shape"):
            verify_ball(X, y, np.zeros(3), radius=1.0)


def test_a_missed_tolerance_is_told() -> None:
    X, y, _ = _data(40, 8)
    with pytest.warns(ConvergenceWarning, match="missed tol"):
        fit_norm_ball(X, y, 1.0, tol=1e-300, norm="l2" if _exact(X, y) else "l1")


def _exact(X: Any, y: Any) -> bool:
    """Whether the L1 fit closes its gap to the last bit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit_norm_ball(X, y, 1.0, tol=1e-300).certificate.relative_gap <= 1e-300


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_a_residual_as_large_as_that_of_nothing(norm: str, scale: float) -> None:
    """The deviation of y, up to its rounding: w = 0 at once, and no bracket that cannot narrow."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((50, 5))
        y = scale * (3.0 * X[:, 0] + rng.standard_normal(50))
        fit = fit_norm_ball(X, y, norm=norm, residual=float(np.std(y)))
        assert fit.status == "optimal"
        assert np.abs(fit.coef).max() <= 1e-6 * scale


@pytest.mark.parametrize("radius", [1e-11, 1e-9])
def test_a_radius_near_rounding(radius: float) -> None:
    X, y = np.array([[1.0], [2.0], [4.0]]), np.array([1e6, 2e6, 3e6])
    fit = fit_norm_ball(X, y, radius, fit_intercept=False)
    assert fit.radius <= radius
    assert fit.status == "optimal"


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("size", [5e-324, 1e-200, 1e307])
def test_only_ratios_of_weights_count(norm: str, size: float) -> None:
    X, y = regression(20, 3, seed=0)
    counts = np.tile([1.0, 2.0], 10)
    plain = fit_norm_ball(X, y, 1.0, norm=norm, sample_weight=counts)
    tiny = fit_norm_ball(X, y, 1.0, norm=norm, sample_weight=size * counts)
    np.testing.assert_allclose(tiny.coef, plain.coef, rtol=1e-9)
    assert tiny.status == "optimal"
    radii = [radius_of(X, y, 0.1, norm=norm, sample_weight=s * counts) for s in (1.0, size)]
    np.testing.assert_allclose(*radii, rtol=1e-9)


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("size", [1.0, 1e-8, 1e8])
@pytest.mark.parametrize("shape", [(3, 3), (4, 3), (20, 3), (20, 50)])
def test_a_residual_of_zero_is_met_where_it_can_be(
    norm: str, size: float, shape: tuple[int, int]
) -> None:
    X, _ = regression(*shape, seed=0)
    y = size * (X @ np.arange(1.0, shape[1] + 1.0) + 5.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # rounding is no direction of a dual
        fit = fit_norm_ball(X, y, norm=norm, residual=0.0)
    np.testing.assert_allclose(X @ fit.coef + fit.intercept, y, rtol=1e-9)
    assert fit.radius <= size * lq_norm(np.arange(1.0, shape[1] + 1.0), float(norm[1])) * (1 + 1e-9)
    y[0] += 1e-6 * np.abs(y).max()
    if shape[0] > shape[1] + 1:
        with pytest.raises(ValueError, match="least squares leave"):
            fit_norm_ball(X, y, norm=norm, residual=0.0)


@pytest.mark.parametrize("bend", [0.0, 0.3, -0.2, 1e-14])
@pytest.mark.parametrize("of_residual", [False, True])
def test_a_goal_between_two_ends_is_that_of_a_parabola(of_residual: bool, bend: float) -> None:
    """Exact where the norm is one, from either norm; within the ends whatever the slope says."""
    high, low, alpha = 2.0, 0.5, 0.8
    power = 2 if of_residual else 1

    def norms(alpha: float) -> tuple[float, float]:
        u = high**power - alpha**power
        return 1.0 + u + bend * u * u / 4.0, 9.0 - u - bend * u * u / 4.0

    length, square = norms(alpha)
    goal = Goal(None, np.sqrt(square)) if of_residual else Goal(length, None)
    assert goal.between(high, low, norms(high), norms(low), 1.0) == pytest.approx(alpha, rel=1e-12)
    for slope in (None, 1e3, 1e-3, -5.0, 0.0, np.inf):
        assert low <= goal.between(high, low, norms(high), norms(low), slope) <= high
    if bend == 0.0:
        chord = goal.between(high, low, norms(high), norms(low), None)
        assert chord == pytest.approx(alpha, rel=1e-12)
    assert goal.between(low, low, norms(low), norms(low), 1.0) == low


def test_a_walk_on_a_long_bracket_is_short() -> None:
    """Around where the goal is expected: dozens of alphas would be solved otherwise."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((300, 200))
    y = X[:, :40] @ rng.standard_normal(40) + rng.standard_normal(300)
    end = path(X, y)
    longest = float(abs(end.coefs[:, [-1]]).sum())
    for share in (0.3, 0.6, 0.9):
        fit = fit_norm_ball(X, y, share * longest)
        assert fit.report.n_solves <= 20
        assert fit.certificate.relative_gap <= 1e-12


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("residual", [1e3, 1e155, 1e300])
def test_a_residual_beyond_the_null_model_s_binds_nothing(norm: str, residual: float) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 5))
    model = NormBallRegression(norm=norm, residual=residual).fit(X, X[:, 0] + rng.random(20))
    assert not model.coef_.any()
    assert model.status_ == "optimal"
    y = X[:, 0] + rng.random(20)
    for bound in (np.float64(residual), np.longdouble(residual)):  # as grids of parameters hold
        fit = fit_norm_ball(X, y, norm=norm, residual=bound)
        assert not fit.coef.any()
        judged = verify_ball(X, y, fit.coef, fit.intercept, norm=norm, residual=bound)
        assert judged.relative_gap == 0.0

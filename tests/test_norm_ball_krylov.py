"""An L2 ball where a spectrum is dear: the secular equation on a Krylov space."""

from __future__ import annotations

import time

import numpy as np
import pytest
import scipy.sparse as sp

from regsolve import NormBallRegression, _validate, ridge_path
from regsolve.ridge.design import Design, targets
from regsolve.ridge.normal import Normal
from regsolve.ridge.projected import Projected
from regsolve.views import alpha_of, fit_norm_ball, radius_of, verify_ball


def regression(n: int, p: int, density: float = 0.002):
    """Sparse X with a column whose mean is far above its deviation, and y of a tenth of it."""
    rng = np.random.default_rng(n)
    X = sp.random(n, p, density, "lil", rng=rng)
    X[: n // 2, 0] = 30.0 + rng.standard_normal((n // 2, 1))
    X = X.tocsc()
    return X, X[:, ::10] @ rng.standard_normal(len(range(0, p, 10))) + rng.standard_normal(n)


SHAPES = [(3000, 4500), (5000, 3500)]


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_both_forms_are_met_and_proven(
    shape: tuple[int, int], weighted: bool, standardize: bool
) -> None:
    X, y = regression(*shape)
    weight = np.random.default_rng(2).uniform(0.0, 2.0, len(y)) if weighted else None
    view = {"sample_weight": weight, "standardize": standardize}
    total = float(len(y)) if weight is None else float(weight.sum())
    for alpha in (1e-1, 1e-2):
        radius = radius_of(X, y, alpha, norm="l2", **view)
        fit = fit_norm_ball(X, y, radius, norm="l2", **view)
        assert fit.report.mode.endswith("-krylov")
        assert fit.multiplier == pytest.approx(alpha, rel=1e-6)
        assert fit.radius == pytest.approx(radius, rel=1e-9)
        assert fit.radius <= radius * (1.0 + 1e-12)
        told = verify_ball(X, y, fit.coef, fit.intercept, norm="l2", radius=radius, **view)
        assert told.relative_gap < 1e-9
        ridge = ridge_path(X, y, [alpha * total], tol=1e-12, **view)
        np.testing.assert_allclose(fit.coef, ridge.coefs[:, 0], atol=1e-4 * radius)
        other = fit_norm_ball(X, y, norm="l2", residual=fit.residual, **view)
        assert other.report.mode.endswith("-krylov")
        assert other.multiplier == pytest.approx(alpha, rel=1e-4)
        told = verify_ball(
            X, y, other.coef, other.intercept, norm="l2", residual=fit.residual, **view
        )
        assert told.relative_gap < 1e-8
        assert np.isfinite(told.primal)


@pytest.mark.parametrize("shape", [(60, 90), (90, 60)])
@pytest.mark.parametrize("dense", [False, True])
def test_what_a_krylov_space_says(shape: tuple[int, int], dense: bool) -> None:
    X, y = regression(*shape, density=0.2)
    X = X.toarray() if dense else X
    design = Design(_validate.design(X), X, None, True, False, 1)
    normal = Normal(design, targets(design, y[:, None]))
    Z = (X if dense else X.toarray()) - np.asarray(X.mean(axis=0)).ravel()
    r = y - y.mean()
    space = Projected(normal, 1000)
    space.extend(5)
    for a in (10.0, 0.1):
        c = space.solution(a)
        w = (c if normal.primal else Z.T @ c)[:, 0]
        length, residual = space.norms(a)  # of five steps, exact for what they found
        assert length == pytest.approx(np.linalg.norm(w), rel=1e-9)
        assert residual == pytest.approx(np.linalg.norm(r - Z @ w), rel=1e-9)
        objective = 0.5 * (residual**2 + a * length**2)
        steep = Z.T @ (r - Z @ w) - a * w
        gap = float(steep @ steep) / (2.0 * a) / (0.5 * float(r @ r))
        assert space.gap(a) == pytest.approx(gap, rel=2.0)  # g'S g / g'g is an estimate
        assert objective <= 0.5 * float(r @ r)
    space.extend(1000)
    assert space.full
    exact = np.linalg.solve(Z.T @ Z + 0.1 * np.eye(shape[1]), Z.T @ r)
    assert space.norms(0.1)[0] == pytest.approx(np.linalg.norm(exact), rel=1e-9)


def test_a_ball_that_does_not_bind_is_left_to_the_spectrum() -> None:
    X, y = regression(700, 400, density=0.02)
    free = fit_norm_ball(X, y, 1e6, norm="l2")
    assert free.multiplier == 0.0
    assert free.report.mode.endswith(("spectrum", "svd"))
    assert alpha_of(X, y, 0.5 * free.radius, norm="l2") > 0.0


@pytest.mark.parametrize("shape", [(240, 180), (180, 240)])
def test_nothing_to_find(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A Krylov space, asked whatever a spectrum costs, leaves it to that."""
    monkeypatch.setattr("regsolve.ridge.costs.may_iterate", lambda *_: True)
    X = sp.random(shape[0] // 2, shape[1], 0.05, "csc", rng=np.random.default_rng(0))
    X, y = sp.vstack([X, X]).tocsc(), np.repeat([1.0, -1.0], shape[0] // 2)  # X'y = 0
    fit = fit_norm_ball(X, y, 1.0, norm="l2")
    assert fit.status == "optimal"
    assert fit.radius <= 1e-9


@pytest.mark.parametrize(("norm", "n", "p"), [("l1", 1200, 900), ("l2", 500, 300)])
def test_a_residual_near_that_of_least_squares(norm: str, n: int, p: int) -> None:
    """Also where one column's variance makes the largest alpha a million times the others'."""
    X, y = regression(n, p, density=9.0 / p)
    A = np.column_stack([np.ones(len(y)), X.toarray()])
    left = y - A @ np.linalg.lstsq(A, y, rcond=None)[0]
    least = float(np.sqrt(np.mean(left**2)))
    fit = fit_norm_ball(X, y, norm=norm, residual=1.01 * least)
    assert fit.residual == pytest.approx(1.01 * least, rel=1e-9)
    told = verify_ball(X, y, fit.coef, fit.intercept, norm=norm, residual=1.01 * least)
    assert told.relative_gap < 1e-8
    with pytest.raises(ValueError, match="least squares leave"):
        fit_norm_ball(X, y, norm=norm, residual=0.99 * least)


def test_a_dear_spectrum_is_not_asked_for() -> None:
    X, y = regression(9000, 12_000, density=0.001)
    begun = time.perf_counter()
    fit = fit_norm_ball(X, y, 1.0, norm="l2")
    assert time.perf_counter() - begun < 20.0  # its spectrum takes more than a minute
    assert fit.status == "optimal"
    assert fit.radius == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize("free", [0.0, 16_000.0])
def test_a_ball_needs_no_free_memory(free: float, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 8)), rng.standard_normal(20)
    S = sp.random(500, 2000, 0.01, format="csc", rng=rng)
    t = S @ np.ones(2000) + rng.standard_normal(500)
    for module in ("regsolve.views.within_l2", "regsolve.ridge.costs"):
        monkeypatch.setattr(f"{module}.available_memory", lambda: free)
    for A, target in ((X, y), (S, t)):
        found = NormBallRegression(1.0, norm="l2").fit(A, target)
        assert found.certificate_.relative_gap <= 1e-6

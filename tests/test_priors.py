"""Priors: densities that integrate to one, modes that are penalised fits, strengths and back."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import integrate, optimize, stats

from regsolve import penalties, solve
from regsolve.views.priors import Gaussian, Horseshoe, Laplace, LaplaceGaussian

PRIORS = [
    Gaussian(0.3),
    Laplace(0.4),
    LaplaceGaussian(0.5, 0.2),
    LaplaceGaussian(0.01, 4.0),
    LaplaceGaussian(30.0, 0.01),
    Horseshoe(0.7),
]
CONVEX = PRIORS[:3]


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
def test_densities_integrate_to_one(prior: Any) -> None:
    def density(t: float) -> float:  # w = e^t: the spike of the horseshoe becomes harmless
        return float(np.exp(prior.log_density(math.exp(t)) + t))

    area, _ = integrate.quad(density, -40.0, 40.0, points=[-6, -3, 0, 3], limit=400)
    assert 2.0 * area == pytest.approx(1.0, abs=1e-7)


@pytest.mark.parametrize("prior", PRIORS, ids=repr)
def test_draws_have_the_density(prior: Any) -> None:
    draws = np.abs(prior.sample(4000, np.random.default_rng(1)))
    grid = np.exp(np.linspace(-30.0, 30.0, 60001))
    density = 2.0 * np.exp(prior.log_density(grid)) * grid
    cdf = integrate.cumulative_trapezoid(density, np.log(grid), initial=0.0)
    assert stats.kstest(draws, lambda w: np.interp(w, grid, cdf)).pvalue > 1e-3


@pytest.mark.parametrize("prior", CONVEX, ids=repr)
def test_mode_is_the_penalised_fit(prior: Any) -> None:
    X, y = regression(40, 3, seed=2)
    s, noise = np.random.default_rng(3).uniform(0.5, 2.0, 40), 0.7
    penalty = prior.penalty(noise, s.sum())
    fitted = solve(X, y, penalty=penalty, sample_weight=s, tol=1e-12)

    def negative(free: Any) -> float:
        residual = y - X @ free[1:] - free[0]
        return float(s @ residual**2 / (2 * noise) - prior.log_density(free[1:]).sum())

    start = np.append(fitted.intercept, fitted.coef) + 0.01
    found = optimize.minimize(
        negative, start, method="Powell", options={"xtol": 1e-9, "ftol": 1e-15}
    )
    np.testing.assert_allclose(fitted.coef, found.x[1:], atol=1e-5)
    assert negative(np.append(fitted.intercept, fitted.coef)) <= found.fun + 1e-9


@pytest.mark.parametrize("prior", CONVEX, ids=repr)
def test_strengths_and_back(prior: Any) -> None:
    again = type(prior).of(prior.penalty(0.7, 31.0), 0.7, 31.0)
    for name, value in vars(prior).items():
        assert getattr(again, name) == pytest.approx(value, rel=1e-12)


def test_no_density_is_an_error() -> None:
    with pytest.raises(ValueError, match="flat prior"):
        Laplace.of(penalties.L1(0.0), 1.0, 10.0)
    with pytest.raises(ValueError, match="weights or bounds"):
        Gaussian.of(penalties.L2(1.0, lower=-1.0), 1.0, 10.0)
    with pytest.raises(ValueError, match="variance"):
        Gaussian(0.0)
    with pytest.raises(ValueError, match="noise_variance"):
        Laplace(1.0).penalty(-1.0, 10.0)


def test_horseshoe_is_one_function_near_and_far() -> None:
    w = np.sqrt(2.0 * np.array([49.99, 50.01]))
    near, far = Horseshoe().log_density(w)
    assert near - far == pytest.approx(math.log(50.01 / 49.99), rel=0.05)

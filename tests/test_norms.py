"""Lq norms and balls: their definition, their corners, their convexity, their duals."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from regsolve import views
from regsolve.views import dual_exponent, lq_norm, norm_ball

EXPONENTS = [0.1, 0.5, 0.9, 1.0, 1.3, 2.0, 4.0, 50.0, np.inf]


def test_views_load_what_is_asked_for_and_no_more() -> None:
    code = (
        "import sys, regsolve.views as views\n"
        "assert views.norm_ball(2.0).convex\n"
        "heavy = {'sklearn', 'numba', 'matplotlib', 'scipy.optimize'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    for name in views.__all__:
        assert getattr(views, name).__doc__
        assert name in dir(views)
    assert sorted(n for names in views.ROOMS.values() for n in names) == sorted(views.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        views.nothing  # noqa: B018


@pytest.mark.parametrize("q", EXPONENTS)
def test_norm_is_its_definition(q: float) -> None:
    w = np.random.default_rng(0).standard_normal((7, 5))
    plain = np.abs(w).max(axis=1) if q == np.inf else np.sum(np.abs(w) ** q, axis=1) ** (1 / q)
    np.testing.assert_allclose(lq_norm(w, q, axis=1), plain, rtol=1e-12)
    assert lq_norm(w[0], q) == pytest.approx(plain[0], rel=1e-12)
    assert lq_norm(np.zeros(4), q) == 0.0
    assert lq_norm([], q) == 0.0
    for size in (1e-300, 1e300):  # squares leave float64, the norm does not
        assert lq_norm([3 * size], q) == pytest.approx(3 * size, rel=1e-14)
        if q >= 1.0:
            assert lq_norm([size, size], q) == pytest.approx(
                size * 2.0 ** (0.0 if q == np.inf else 1 / q), rel=1e-12
            )
    assert lq_norm([np.inf, 1.0], q) == np.inf


@pytest.mark.parametrize("q", EXPONENTS)
@pytest.mark.parametrize("radius", [0.0, 1.0, 3.5])
def test_ball_is_the_level_set_and_convex_as_it_says(q: float, radius: float) -> None:
    ball = norm_ball(q, radius, 160)
    np.testing.assert_allclose(lq_norm(ball.points, q, axis=1), radius, rtol=1e-12)
    assert ball.points.shape == (161, 2)
    np.testing.assert_array_equal(ball.points[0], ball.points[-1])
    for corner in ([radius, 0], [0, radius], [-radius, 0], [0, -radius]):
        assert (ball.points == corner).all(axis=1).any()
    if radius == 0.0:
        return
    angles = np.unwrap(np.arctan2(ball.points[:, 1], ball.points[:, 0]))
    assert (np.diff(angles) >= 0).all()
    assert angles[-1] - angles[0] == pytest.approx(2 * np.pi)
    middles = (ball.points[:-8] + ball.points[8:]) / 2  # of chords
    inside = lq_norm(middles, q, axis=1) <= radius * (1 + 1e-12)
    assert ball.convex == bool(inside.all()) == (q >= 1.0)
    if q == np.inf:
        assert (np.abs(ball.points) == radius).all(axis=1).sum() == 4


@pytest.mark.parametrize("q", EXPONENTS)
def test_dual_norm_is_the_largest_product_over_the_ball(q: float) -> None:
    c = np.array([1.3, -0.4])
    products = norm_ball(q, 1.0, 20_000).points @ c
    assert products.max() == pytest.approx(lq_norm(c, dual_exponent(q)), rel=1e-6)
    assert (products <= lq_norm(c, dual_exponent(q)) * (1 + 1e-14)).all()


@pytest.mark.parametrize("q", [0.0, -1.0, np.nan, "2", True])
def test_exponents_that_are_none_are_refused(q: object) -> None:
    for function in (lambda: lq_norm([1.0], q), lambda: norm_ball(q), lambda: dual_exponent(q)):
        with pytest.raises(ValueError, match="q="):
            function()


def test_bad_balls_are_refused() -> None:
    for radius in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="radius="):
            norm_ball(1.0, radius)
    with pytest.raises(ValueError, match="n_points="):
        norm_ball(1.0, n_points=0)

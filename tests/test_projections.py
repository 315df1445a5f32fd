"""Projections onto balls: feasibility, optimality conditions, and what every projection does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from regsolve.views import (
    project_elastic,
    project_groups,
    project_l1,
    project_l2,
    project_simplex,
)

WEIGHTS = np.array([0.5, 2.0, 1.0, 0.0, 3.0, 1.0, np.inf, 0.2])
GROUPS = np.array([3, 3, -1, 7, 7, 7, -1, 3])


def _weighted(x: Any) -> float:
    finite = np.isfinite(WEIGHTS)
    return float(WEIGHTS[finite] @ np.abs(x[finite])) + (np.inf if x[~finite].any() else 0.0)


def _group_norms(x: Any) -> float:
    return float(sum(np.linalg.norm(x[g == GROUPS]) for g in np.unique(GROUPS)))


BALLS: dict[str, tuple[Callable[[Any, float], Any], Callable[[Any], float]]] = {
    "l1": (project_l1, lambda x: float(np.abs(x).sum())),
    "weighted": (lambda v, C: project_l1(v, C, WEIGHTS), _weighted),
    "l2": (project_l2, lambda x: float(np.linalg.norm(x))),
    "elastic": (project_elastic, lambda x: float(np.abs(x).sum() + x @ x / 2)),
    "elastic 2, 0.3": (
        lambda v, C: project_elastic(v, C, 2.0, 0.3),
        lambda x: float(2 * np.abs(x).sum() + 0.15 * x @ x),
    ),
    "square": (lambda v, C: project_elastic(v, C, 0.0, 2.0), lambda x: float(x @ x)),
    "groups": (lambda v, C: project_groups(v, GROUPS, C), _group_norms),
}
NASTY = {
    "normal": lambda rng: rng.standard_normal(8),
    "ties": lambda rng: rng.choice([-1.0, 1.0, 0.5], 8),
    "equal": lambda _: np.full(8, 2.0),
    "zeros": lambda rng: np.where(rng.random(8) < 0.5, 0.0, rng.standard_normal(8)),
    "spread": lambda rng: rng.standard_normal(8) * 10.0 ** rng.integers(-12, 6, 8),
    "float32": lambda rng: rng.standard_normal(8).astype(np.float32),
    "integers": lambda rng: rng.integers(-4, 5, 8),
}


@pytest.mark.parametrize("radius", [0.0, 1e-6, 0.7, 3.0, 1e3])
@pytest.mark.parametrize("kind", NASTY)
@pytest.mark.parametrize("name", BALLS)
def test_projection_is_the_nearest_point(name: str, kind: str, radius: float) -> None:
    """x is the projection iff (v - x)'(z - x) <= 0 for every z of the ball."""
    project, norm = BALLS[name]
    rng = np.random.default_rng(3)
    for _ in range(4):
        v = np.asarray(NASTY[kind](rng))
        x = project(v, radius)
        assert x.dtype == np.float64
        size = max(float(np.abs(v).max()), 1e-300)
        assert norm(x) <= radius + 1e-13 * (1 + size) ** 2
        if norm(v) <= radius:
            np.testing.assert_array_equal(x, v)
        others = rng.standard_normal((8, 8)) * rng.random((8, 8)) ** 3 * size
        for z in others:
            z = np.where(np.isinf(WEIGHTS), 0.0, z) if name == "weighted" else z
            low, high = 0.0, 1.0  # scaled into the ball by bisection
            for _ in range(40 if norm(z) > radius else 0):
                middle = (low + high) / 2
                low, high = (middle, high) if norm(middle * z) <= radius else (low, middle)
            z = z * (low if norm(z) > radius else 1.0)
            assert (v - x) @ (z - x) <= 1e-12 * size * (1 + size)
        np.testing.assert_allclose(project(x, radius), x, atol=1e-13 * (1 + size))
        u = v + 0.3 * rng.standard_normal(8)
        assert np.linalg.norm(project(u, radius) - x) <= np.linalg.norm(u - v) * (1 + 1e-12)
        np.testing.assert_allclose(project(-v, radius), -x, atol=1e-15 * size)


def test_moreau() -> None:
    """v less its projection onto the L1 ball is the prox of the dual norm, max |.|; and so on."""
    rng = np.random.default_rng(1)
    for _ in range(50):
        v = rng.standard_normal(30)
        rest = v - project_l1(v, 2.0)
        # prox of 2 max |.| clips: all of |v| above some level go down to it
        level = np.abs(rest).max()
        np.testing.assert_allclose(rest, np.clip(v, -level, level), atol=1e-14)
        assert np.sum(np.maximum(np.abs(v) - level, 0)) == pytest.approx(2.0)
        # the L2 ball: block soft threshold
        rest = v - project_l2(v, 2.0)
        norm = np.linalg.norm(v)
        np.testing.assert_allclose(rest, v * max(1 - 2 / norm, 0), atol=1e-14)
    groups = np.arange(30) // 5
    x = project_groups(v, groups, 2.0)
    rest = np.array([np.linalg.norm((v - x)[groups == g]) for g in range(6)])
    kept = np.array([np.linalg.norm(x[groups == g]) for g in range(6)])
    np.testing.assert_allclose(rest[kept > 0], rest.max())  # the dual norm is theirs in common


@pytest.mark.parametrize("total", [0.0, 1e-9, 1.0, 50.0])
@pytest.mark.parametrize("offset", [0.0, -3.0, 1e9, 1e300])
def test_simplex(total: float, offset: float) -> None:
    rng = np.random.default_rng(4)
    v = rng.standard_normal(200) + offset
    x = project_simplex(v, total)
    assert (x >= 0).all()
    assert x.sum() == pytest.approx(total, rel=1e-12)
    if total > 0 and offset < 1e300:
        levels = (v - x)[x > 0]
        np.testing.assert_allclose(levels, levels[0], atol=4e-15 * max(1, abs(offset)))
        assert (v[x == 0] <= levels[0] + 1e-12 * abs(offset) + 1e-12).all()
    np.testing.assert_allclose(project_simplex(x, total), x, rtol=1e-12, atol=1e-14 * total)


@pytest.mark.parametrize("size", [1e-300, 1e-150, 1e150, 1e300])
def test_huge_and_tiny_scales(size: float) -> None:
    """Scaling v and the radius scales a norm's projection."""
    v = np.random.default_rng(6).standard_normal(8)
    for name in ("l1", "weighted", "l2", "groups"):
        project = BALLS[name][0]
        np.testing.assert_allclose(
            project(v * size, 0.9 * size) / size, project(v, 0.9), atol=1e-14
        )
    # the elastic ball at both ends is the L1 and the L2 ball
    np.testing.assert_allclose(project_elastic(v, 0.9, 1.0, 1e-300), project_l1(v, 0.9), atol=1e-14)
    np.testing.assert_allclose(
        project_elastic(v, 0.9**2 / 2, 1e-300, 1.0), project_l2(v, 0.9), atol=1e-14
    )


def test_far_from_a_small_ball_no_digits_are_lost() -> None:
    v = 1e10 + np.array([0.25, 0.5, 0.0, -7.0])
    exact = np.array([0.25 + 0.25 / 3, 0.5 + 0.25 / 3, 0.25 / 3, 0.0])
    np.testing.assert_allclose(project_l1(v, 1.0), exact, rtol=1e-14)


def test_weights_at_their_ends() -> None:
    v = np.array([1.0, -2.0, 3.0])
    np.testing.assert_array_equal(project_l1(v, 0.0, [0.0, 1.0, np.inf]), [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(project_l1(v, 9.0, [0.0, 1.0, np.inf]), [1.0, -2.0, 0.0])
    np.testing.assert_array_equal(project_l1(v, 0.0, [0.0, 0.0, 0.0]), v)
    np.testing.assert_allclose(project_elastic(v, 0.0, 1.0, 1.0), 0.0)
    np.testing.assert_array_equal(project_elastic(v, 0.1, 0.0, 0.0), v)
    np.testing.assert_allclose(project_groups(v, [0, 0, 1], 1.0, [0.0, 2.0]), [1.0, -2.0, 0.5])
    for project in (project_l1, project_l2, project_elastic):
        assert project([], 1.0).shape == (0,)
    assert project_groups([], [], 1.0).shape == (0,)


def test_large_vectors_agree_with_sorting() -> None:
    rng = np.random.default_rng(7)
    v = rng.standard_normal(100_003)
    u = np.sort(np.abs(v))[::-1]
    excess = np.cumsum(u) - 50.0
    rho = np.flatnonzero(u > excess / np.arange(1, len(u) + 1))[-1]
    t = excess[rho] / (rho + 1)
    expected = np.sign(v) * np.maximum(np.abs(v) - t, 0)
    np.testing.assert_allclose(project_l1(v, 50.0), expected, atol=1e-13)
    np.testing.assert_allclose(project_l1(v, 100.0, np.full(len(v), 2.0)), expected, atol=1e-13)


@pytest.mark.parametrize("project", [project_l1, project_l2, project_elastic, project_simplex])
def test_bad_input_is_refused(project: Any) -> None:
    with pytest.raises(ValueError, match=r"radius=|total="):
        project([1.0], -1.0)
    with pytest.raises(ValueError, match="v contains NaN"):
        project([np.nan], 1.0)
    with pytest.raises(ValueError, match="v has 2 dim"):
        project([[1.0]], 1.0)
    with pytest.raises(ValueError, match="v has dtype"):
        project(["a"], 1.0)


def test_bad_weights_and_groups_are_refused() -> None:
    for weights in ([1.0], [1.0, -1.0], [1.0, np.nan]):
        with pytest.raises(ValueError, match="weights"):
            project_l1([1.0, 2.0], 1.0, weights)
    with pytest.raises(ValueError, match="groups"):
        project_groups([1.0, 2.0], [0.5, 1.0], 1.0)
    with pytest.raises(ValueError, match="total"):
        project_simplex([], 1.0)
    np.testing.assert_array_equal(project_simplex([], 0.0), [])


def test_a_radius_below_rounding_leaves_what_costs_nothing() -> None:
    np.testing.assert_array_equal(
        project_l1([1.0, 1.0, 1.0], 5e-20, weights=[0.0, 1.0, 2.0]), [1.0, 0.0, 0.0]
    )


@pytest.mark.parametrize("radius", [1e-6, 1e-9, 1e-12, 1e-15])
def test_small_radii_keep_their_digits(radius: float) -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        v, f = rng.standard_normal(5), rng.random(5)
        on_l1 = float(f @ np.abs(project_l1(v, radius, f)))
        assert on_l1 == pytest.approx(radius, rel=1e-14)
        x = project_elastic(v, radius, 1.0, 2.0, f)
        assert float(f @ np.abs(x) + x @ x) == pytest.approx(radius, rel=1e-14)

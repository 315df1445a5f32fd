"""Bounds of the per-family error rate: the papers' formulas, and the extremes they speak of."""

from __future__ import annotations

from math import floor, inf, sqrt
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from regsolve.pfer import (
    ASSUMPTIONS,
    largest_q,
    least_count,
    least_threshold,
    pfer_bound,
    r_concave_tail,
    settled,
)


def test_formula_of_meinshausen_and_buhlmann() -> None:
    for p in (10, 100, 7129):
        # section 2.4: with threshold 0.9, q = sqrt(0.8 p) gives E(V) <= 1
        assert largest_q(0.9, 1.0, p, 100) == floor(sqrt(0.8 * p))
    # as the R package stabs prints them for its example, p = 9 or 10
    assert pfer_bound(0.95, 3, 10, 100) == pytest.approx(1.0)
    assert pfer_bound(0.75, 2, 9, 100) == pytest.approx(0.889, abs=5e-4)
    assert pfer_bound(0.75, 2, 10, 100) == pytest.approx(0.8)
    assert pfer_bound(0.75, 2, 9, 100, "unimodal") == pytest.approx(0.454, abs=5e-4)
    assert largest_q(0.75, 1.0, 9, 100) == largest_q(0.75, 1.0, 9, 100, "unimodal") == 2
    assert least_threshold(3, 1.0, 10, 100) == pytest.approx(0.95)


def largest_unimodal_tail(mean: float, t: int, steps: int) -> float:
    """Largest P(X >= t / steps) over unimodal X on 0, 1/steps, ..., 1 by linear programmes."""
    best = 0.0
    for mode in range(steps + 1):
        rows = np.diff(np.eye(steps + 1), axis=0)
        rows[:mode] *= -1.0  # rising up to the mode, falling from there
        found = linprog(
            -(np.arange(steps + 1) >= t).astype(float),
            A_ub=np.vstack([rows, np.arange(steps + 1)]),
            b_ub=[*np.zeros(steps), mean * steps],
            A_eq=np.ones((1, steps + 1)),
            b_eq=[1.0],
        )
        best = max(best, -found.fun) if found.status == 0 else best
    return best


@pytest.mark.parametrize("theta", [0.05, 0.3])
@pytest.mark.parametrize("count", [24, 28, 30, 34, 40])
def test_unimodal_bound_is_the_extreme(theta: float, count: int) -> None:
    """The share of pairs whose halves both select, of mean theta^2, is unimodal."""
    pairs, p = 20, 1000
    tail = largest_unimodal_tail(theta**2, count - pairs, pairs)
    bound = pfer_bound(count / (2 * pairs), round(theta * p), p, 2 * pairs, "unimodal")
    assert bound == pytest.approx(min(p * tail, p), rel=1e-7)


def convex_reciprocals(rng: np.random.Generator, steps: int, r: float) -> np.ndarray:
    """A random r-concave distribution on 0 .. steps: f^r is the largest of lines, or infinite."""
    i = np.arange(steps + 1)
    slopes = rng.normal(size=(4, 1)) * 10.0 ** rng.uniform(-3, 2)
    heights = rng.uniform(0.0, 1.0, size=(4, 1))
    lines = np.max(heights + slopes * (i - rng.integers(0, steps + 1, size=(4, 1))), axis=0)
    f = np.maximum(lines, 10.0 ** rng.uniform(-6, 0)) ** (1.0 / r)
    f[rng.integers(1, steps + 2) :] = 0.0
    out: np.ndarray = f / f.sum()
    return out


@pytest.mark.parametrize("r", [-0.5, -0.25])
@pytest.mark.parametrize(("mean", "t"), [(0.02, 4), (0.1, 8), (0.1, 14), (0.2, 20), (0.01, 20)])
def test_no_r_concave_distribution_beats_the_bound(r: float, mean: float, t: int) -> None:
    rng, steps = np.random.default_rng(0), 20
    bound, best = r_concave_tail(mean, t, steps, r), 0.0
    i = np.arange(steps + 1)
    for _ in range(3000):
        f = convex_reciprocals(rng, steps, r)
        if f @ i <= mean * steps:
            best = max(best, float(f[t:].sum()))
    for k in range(t, steps + 1):  # and the extreme family, whose mean is tuned by a
        for a in np.geomspace(1e-9, 1e6, 400):
            g = (1.0 + i[: k + 1] / a) ** (1.0 / r)
            f = g / g.sum()
            if f @ i[: k + 1] <= mean * steps:
                best = max(best, float(f[t:].sum()))
    assert best <= bound * (1.0 + 1e-7)
    assert best >= 0.7 * bound  # and it is nearly reached


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
def test_bounds_are_ordered_and_monotone(assumption: str) -> None:
    for q in (1, 7, 30):
        bounds = [pfer_bound(c / 40, q, 300, 40, assumption) for c in range(21, 41)]
        assert np.all(np.diff(bounds) <= 1e-9 * np.array(bounds[1:]))
    for c in (22, 30, 40):
        bounds = [pfer_bound(c / 40, q, 300, 40, assumption) for q in range(1, 300, 20)]
        assert np.all(np.diff(bounds) >= -1e-12)
        assert max(bounds) <= 300
    weaker = {"none": "none", "unimodal": "none", "r-concave": "unimodal"}[assumption]
    for c in range(21, 41):
        assert pfer_bound(c / 40, 9, 300, 40, assumption) <= pfer_bound(c / 40, 9, 300, 40, weaker)


@pytest.mark.parametrize("assumption", ASSUMPTIONS)
def test_any_two_give_the_third(assumption: str) -> None:
    p, number = 500, 40
    threshold, q = settled(0.8, None, 2.0, p, number, assumption)
    assert threshold == 0.8
    assert pfer_bound(0.8, q, p, number, assumption) <= 2.0
    assert pfer_bound(0.8, q + 1, p, number, assumption) > 2.0
    rate = {"none": 1.0, "unimodal": 0.5, "r-concave": 0.05}[assumption]
    threshold, q = settled(None, 12, rate, p, number, assumption)
    assert q == 12
    assert least_count(threshold, number) == pytest.approx(threshold * number)
    assert pfer_bound(threshold, q, p, number, assumption) <= rate
    assert pfer_bound(threshold - 1.0 / number, q, p, number, assumption) > rate
    assert settled(0.9, 5, None, p, number, assumption) == (0.9, 5)
    assert settled(None, 5, None, p, number, assumption) == (0.75, 5)
    assert settled(None, None, None, p, number, assumption) == settled(
        0.75, None, 1.0, p, number, assumption
    )
    assert settled(0.6, None, None, p, number) == settled(0.6, None, 1.0, p, number)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((0.6, 3, 1.0), "all given"),
        ((0.5, 3, None), "threshold=0.5"),
        ((1.01, 3, None), "threshold=1.01"),
        ((0.8, 0, None), "q=0"),
        ((0.8, 101, None), "q=101"),
        ((0.8, None, 0.0), "pfer=0.0"),
        ((0.6, None, 0.01), "even for q=1"),
        ((None, 50, 1.0), "even at threshold=1"),
    ],
    ids=str,
)
def test_what_cannot_be_settled(given: tuple[Any, Any, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settled(*given, 100, 100)
    with pytest.raises(ValueError, match="assumption='convex'"):
        settled(0.6, 3, None, 100, 100, "convex")


def test_thresholds_between_shares_count_as_the_share_above() -> None:
    assert least_count(0.601, 100) == 61
    assert least_count(0.6, 100) == 60
    assert least_count(0.7, 10) == 7  # 0.7 * 10 is above 7 in float64
    assert pfer_bound(0.601, 5, 50, 100) == pfer_bound(0.61, 5, 50, 100)
    assert least_threshold(50, 1e-3, 50, 100) == inf

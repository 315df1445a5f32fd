"""Penalties: every rule is held to its definition, and Custom to the built-in it repeats."""

from __future__ import annotations

import dataclasses
import math
import pickle
from typing import Any

import numpy as np
import pytest

from regsolve.penalties import L1, L2, Custom, ElasticNet

INF = math.inf
P = 6
FACTORS = np.array([1.0, 0.0, 2.5, INF, 0.3, 1.0])
LOWER = np.array([-INF, -0.4, -1.0, -INF, 0.0, -0.2])
UPPER = np.array([INF, 0.7, INF, 0.5, 0.3, 0.0])
SCALES = [None, np.array([1.0, 0.5, 3.0, 2.0, 0.1, 0.0])]
STEPS = [0.01, 1.0, 7.0]


def l1_value(w: float, alpha: float, weight: float) -> float:
    return alpha * weight * abs(w)


def l1_prox(z: float, step: float, alpha: float, weight: float) -> float:
    return math.copysign(max(abs(z) - step * alpha * weight, 0.0), z)


def l1_distance(w: float, grad: float, alpha: float, weight: float) -> float:
    if w == 0.0:
        return max(abs(grad) - alpha * weight, 0.0)
    return abs(grad + math.copysign(alpha * weight, w))


def l1_conjugate(c: float, alpha: float, weight: float) -> float:
    return 0.0 if abs(c) <= alpha * weight else INF


def l1_threshold(alpha: float, weight: float) -> float:
    return alpha * weight


L1_RULES = (l1_value, l1_prox, l1_distance, l1_conjugate, l1_threshold)
PENALTIES = [
    L1(0.5),
    L2(0.5),
    ElasticNet(0.5, 0.3),
    L1(0.0),
    L2(0.0),
    L1(0.5, positive=True),
    L2(0.7, lower=-0.3, upper=0.2),
    L1(0.5, lower=-1e-3, upper=1e-3),
    ElasticNet(0.5, 0.3, weights=FACTORS, lower=LOWER, upper=UPPER),
    L1(0.5, weights=FACTORS, lower=LOWER, upper=UPPER),
    L2(0.5, weights=FACTORS, upper=UPPER),
    L1(0.0, weights=FACTORS, lower=LOWER),
    Custom(*L1_RULES, convex=True, alpha=0.5),
    Custom(*L1_RULES, convex=True, alpha=0.5, weights=FACTORS),
]
every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=range(len(PENALTIES)))
every_scale = pytest.mark.parametrize("scale", SCALES, ids=["plain", "scaled"])


def each(penalty: Any, w: np.ndarray, scale: Any) -> np.ndarray:
    """penalty_j(w_j) by its definition, for one w (p,) or several (k, p)."""
    e = np.ones(P) if scale is None else scale
    f = np.broadcast_to(1.0 if penalty.weights is None else penalty.weights, P)
    lower = getattr(penalty, "lower", None)
    upper = getattr(penalty, "upper", None)
    ratio = getattr(penalty, "l1_ratio", 1.0)
    lower = np.broadcast_to(-INF if lower is None else lower, P)
    upper = np.broadcast_to(INF if upper is None else upper, P)
    costs = np.empty(w.shape)
    for j in range(P):
        if math.isinf(f[j]) or e[j] == 0.0:
            costs[..., j] = np.where(w[..., j] == 0.0, 0.0, INF)
        else:
            v = np.abs(e[j] * w[..., j])
            cost = penalty.alpha * f[j] * (ratio * v + (1.0 - ratio) * v**2 / 2.0)
            inside = (lower[j] <= w[..., j]) & (w[..., j] <= upper[j])
            costs[..., j] = np.where(inside, cost, INF)
    return costs


def grid(penalty: Any, scale: Any) -> np.ndarray:
    """Candidate coefficients (k, p), bounds and zero among them, to search by hand."""
    lower, upper = penalty.bounds(P, scale)
    e = np.ones(P) if scale is None else np.where(scale == 0.0, 1.0, scale)
    fine = np.linspace(-60.0, 60.0, 24001)[:, None] / e
    return np.vstack([np.clip(fine, lower, upper), np.zeros(P)])


@every_penalty
@every_scale
def test_value_is_the_formula(penalty: Any, scale: Any) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        w = rng.standard_normal(P) * (rng.random(P) < 0.5)
        assert penalty.value(w, scale) == pytest.approx(each(penalty, w, scale).sum(), rel=1e-14)
        inside = np.clip(w, *penalty.bounds(P, scale))
        assert penalty.value(inside, scale) == pytest.approx(
            each(penalty, inside, scale).sum(), rel=1e-14
        )
    assert penalty.value(np.zeros(P), scale) == 0.0


@every_penalty
@every_scale
def test_fenchel_young(penalty: Any, scale: Any) -> None:
    """C w - penalty(w) <= conjugate(c) for every w, and some w attains it."""
    rng = np.random.default_rng(1)
    for size in (0.1, 1.0):
        c = size * rng.standard_normal(P)
        conjugate = penalty.conjugate(c, scale)
        points = grid(penalty, scale)
        reached = np.max(c * points - each(penalty, points, scale), axis=0)
        assert np.all(reached <= conjugate + 1e-12)
        finite = np.isfinite(conjugate)
        np.testing.assert_allclose(reached[finite], conjugate[finite], atol=1e-4)
        assert np.all(reached[~finite] > 1e-3)
        if not isinstance(penalty, Custom):
            w = np.where(finite, penalty.conjugate_argument(c, scale), 0.0)
            attained = c * w - each(penalty, w, scale)
            np.testing.assert_allclose(attained[finite], conjugate[finite], atol=1e-14)


@every_penalty
@every_scale
@pytest.mark.parametrize("step", STEPS)
def test_prox_is_the_minimiser(penalty: Any, scale: Any, step: float) -> None:
    z = np.random.default_rng(2).normal(0.0, 2.0, P)

    def cost(w: np.ndarray) -> np.ndarray:
        return (w - z) ** 2 / 2.0 + step * each(penalty, w, scale)

    best = np.min(cost(grid(penalty, scale)), axis=0)
    assert np.all(cost(penalty.prox(z, step, scale)) <= best + 1e-13)


@every_penalty
@every_scale
@pytest.mark.parametrize("step", STEPS)
def test_moreau_identity(penalty: Any, scale: Any, step: float) -> None:
    """With w = prox(z), c = (z - w) / step: c is a subgradient at w, so g(w) + g*(c) = c w."""
    z = np.random.default_rng(3).normal(0.0, 2.0, P)
    w = penalty.prox(z, step, scale)
    c = (z - w) / step
    if not isinstance(penalty, Custom):  # c may lie an ulp outside a conjugate's domain
        l1 = penalty.strengths(P, scale)[0]
        edge = np.abs(np.abs(c) - l1) <= 1e-13 * (l1 + np.abs(z) / step)
        c = np.where(edge, np.sign(c) * l1, c)
        young = each(penalty, w, scale) + penalty.conjugate(c, scale)
        np.testing.assert_allclose(young, c * w, atol=1e-12)
    distance = penalty.subdiff_distance(w, -c, scale)
    np.testing.assert_allclose(distance, 0.0, atol=1e-12 * (1.0 + 1.0 / step))


@every_penalty
@every_scale
def test_subdifferential_is_between_the_one_sided_slopes(penalty: Any, scale: Any) -> None:
    rng = np.random.default_rng(4)
    lower, upper = penalty.bounds(P, scale)
    tiny = 1e-7
    for _ in range(20):
        w = np.clip(rng.standard_normal(P) * (rng.random(P) < 0.6), lower, upper)
        grad = rng.standard_normal(P)
        here = each(penalty, w, scale)
        low = (here - each(penalty, w - tiny, scale)) / tiny  # -inf at the lower bound
        high = (each(penalty, w + tiny, scale) - here) / tiny
        distance = np.maximum(np.maximum(low + grad, -grad - high), 0.0)
        np.testing.assert_allclose(penalty.subdiff_distance(w, grad, scale), distance, atol=1e-5)


@every_penalty
@every_scale
def test_largest_scale_is_the_edge_of_the_domain(penalty: Any, scale: Any) -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        c = rng.standard_normal(P) * rng.choice([0.01, 1.0, 100.0])
        s = penalty.largest_scale(c, scale)
        limit = 1.0 if isinstance(penalty, Custom) else 1e6
        assert np.isfinite(penalty.conjugate(min(s, limit) * c, scale)).all()
        if s < limit:
            beyond = penalty.conjugate((s + 1e-9 * max(s, 1e-3)) * c, scale)
            assert np.isinf(beyond).any()


@every_penalty
def test_trivial_truths(penalty: Any) -> None:
    w = np.random.default_rng(6).standard_normal(P)
    inside = np.clip(w, *penalty.bounds(P))
    np.testing.assert_array_equal(penalty.prox(inside, 0.0), inside)
    np.testing.assert_array_equal(penalty.prox(np.zeros(P), 1.0), 0.0)
    np.testing.assert_array_equal(penalty.conjugate(np.zeros(P)), 0.0)
    stronger = penalty.with_alpha(2.0 * penalty.alpha)
    assert type(stronger) is type(penalty)
    assert stronger.value(inside) == pytest.approx(2.0 * penalty.value(inside))
    assert penalty.convex is True
    empty = np.zeros(0)
    if penalty.weights is None:
        plain = penalty if isinstance(penalty, Custom) else type(penalty)(penalty.alpha)
        assert plain.value(empty) == 0.0
        assert plain.conjugate(empty).shape == plain.prox(empty, 1.0).shape == (0,)
        assert plain.largest_scale(empty) >= 1.0


@pytest.mark.parametrize("penalty", PENALTIES[8:12])
@every_scale
def test_an_excluded_feature_is_nowhere(penalty: Any, scale: Any) -> None:
    """Factor inf, whatever alpha: w_j = 0 costs nothing, any gradient is stationary; no NaN."""
    out = np.isinf(FACTORS) if penalty.weights is not None else np.zeros(P, bool)
    out = out if scale is None else out | (scale == 0.0)
    assert np.array_equal(penalty.excluded(P, scale), out)
    assert not np.any(penalty.unpenalised(P, scale) & out)
    for strength in penalty.strengths(P, scale):
        assert np.all(strength[out] == 0.0)
        assert not np.isnan(strength).any()
    huge = np.full(P, 1e6)
    assert np.all(penalty.conjugate(huge, scale)[out] == 0.0)
    assert np.all(penalty.subdiff_distance(np.zeros(P), huge, scale)[out] == 0.0)
    assert np.all(penalty.prox(huge, 1.0, scale)[out] == 0.0)
    one = np.zeros(P)
    one[out.argmax()] = 1e-300
    assert penalty.value(one, scale) == INF
    assert penalty.subdiff_distance(one, huge, scale)[out.argmax()] == INF


def test_bounds_are_closed_to_rounding() -> None:
    penalty = L1(1.0, lower=-3.0, upper=0.1)
    assert penalty.value(np.array([0.1 * (1.0 + 1e-13), -3.0 * (1.0 + 1e-13)])) < INF
    assert penalty.value(np.array([0.1 * (1.0 + 1e-11)])) == INF
    assert L1(1.0, positive=True).value(np.array([-1e-300])) == INF
    grad = np.array([-5.0])
    assert penalty.subdiff_distance(np.array([0.1 * (1.0 + 1e-13)]), grad)[0] == 0.0
    assert penalty.subdiff_distance(np.array([0.2]), grad)[0] == INF


def test_positive_is_lower_zero() -> None:
    assert L1(0.1, positive=True).lower == 0.0
    np.testing.assert_array_equal(L1(0.1, positive=True).bounds(2)[0], 0.0)
    assert L1(0.1, positive=True).with_alpha(0.2).lower == 0.0
    assert L1(0.1, positive=True, lower=0.0).lower == 0.0


def test_penalties_are_frozen_and_own_their_arrays() -> None:
    weights = np.ones(3)
    penalty = ElasticNet(0.1, 0.5, weights=weights)
    weights[0] = 7.0
    assert penalty.factors(3)[0] == 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        penalty.alpha = 1.0  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        penalty.weights[0] = 2.0  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Custom(*L1_RULES).alpha = 1.0  # type: ignore[misc]
    again = pickle.loads(pickle.dumps(Custom(*L1_RULES, alpha=0.3, weights=[1.0, 2.0])))
    assert again.value(np.array([1.0, 1.0])) == pytest.approx(0.9)


def test_strengths() -> None:
    scale = np.array([2.0, 0.0, 1.0])
    penalty = ElasticNet(0.4, 0.25, weights=[1.0, 1.0, INF], upper=[3.0, 3.0, 3.0])
    l1, l2, lower, upper = penalty.strengths(3, scale)
    np.testing.assert_allclose(l1, [0.1 * 2.0, 0.0, 0.0], rtol=1e-15)
    np.testing.assert_allclose(l2, [0.3 * 4.0, 0.0, 0.0], rtol=1e-15)
    np.testing.assert_array_equal(lower, [-INF, 0.0, 0.0])
    np.testing.assert_array_equal(upper, [3.0, 0.0, 0.0])
    assert (L1(1.0).l1_ratio, L2(1.0).l1_ratio) == (1.0, 0.0)


@every_scale
def test_custom_l1_has_the_rules_of_l1(scale: Any) -> None:
    ours = L1(0.5, weights=FACTORS)
    custom = Custom(*L1_RULES, alpha=0.5, weights=FACTORS)
    rng = np.random.default_rng(7)
    w = np.where(ours.excluded(P, scale), 0.0, rng.standard_normal(P) * (rng.random(P) < 0.5))
    c = rng.standard_normal(P)
    assert custom.value(w, scale) == pytest.approx(ours.value(w, scale), rel=1e-14)
    pairs = [
        (custom.conjugate(c, scale), ours.conjugate(c, scale)),
        (custom.subdiff_distance(w, c, scale), ours.subdiff_distance(w, c, scale)),
        (custom.prox(c, 0.3, scale), ours.prox(c, 0.3, scale)),
        (custom.factors(P), ours.factors(P)),
    ]
    for theirs, expected in pairs:
        np.testing.assert_allclose(theirs, expected, rtol=1e-13, atol=1e-15)
    c[FACTORS == 0.0] = 0.0
    edge = min(ours.largest_scale(c, scale), 1.0)
    assert custom.largest_scale(c, scale) == pytest.approx(edge, rel=1e-13)


def test_custom_says_what_it_has() -> None:
    full, bare = Custom(*L1_RULES), Custom(l1_value, l1_prox)
    assert full.has_conjugate
    assert full.has_subdiff_distance
    assert full.zero_threshold_function is l1_threshold
    assert not bare.has_conjugate
    assert not bare.has_subdiff_distance
    assert bare.convex is None
    assert bare.zero_threshold_function is None
    assert bare.value_function is l1_value


@pytest.mark.parametrize("make", [L1, L2, ElasticNet])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1.0}, "alpha=-1.0"),
        ({"alpha": math.nan}, "alpha=nan"),
        ({"alpha": INF}, "alpha=inf"),
        ({"alpha": "1e"}, "alpha='1e'"),
        ({"alpha": None}, "alpha=None"),
        ({"alpha": 10**400}, "alpha=10"),
        ({"weights": [1.0, -1.0]}, "weights holds a negative factor"),
        ({"weights": [math.nan]}, "weights holds NaN"),
        ({"weights": np.ones((2, 2))}, "weights has shape"),
        ({"weights": "ones"}, "weights must be"),
        ({"lower": 0.1}, "lower > 0 excludes 0"),
        ({"upper": [0.0, -1e-9]}, "upper < 0 excludes 0"),
        ({"lower": math.nan}, "lower holds NaN"),
        ({"upper": [1.0, math.nan]}, "upper holds NaN"),
        ({"positive": True, "lower": -1.0}, "one of positive and lower"),
        ({"positive": "no"}, "positive='no'"),
        ({"positive": None}, "positive=None"),
    ],
)
def test_bad_parameters(make: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**options)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, math.nan, "half", None, True])
def test_bad_l1_ratio(ratio: Any) -> None:
    with pytest.raises(ValueError, match="l1_ratio="):
        ElasticNet(0.1, ratio)


@pytest.mark.parametrize("name", ["weights", "lower", "upper"])
def test_arrays_of_another_length(name: str) -> None:
    penalty = L1(0.1, **{name: np.zeros(3)})
    with pytest.raises(ValueError, match=f"{name} has 3 entries but X has 4 features"):
        penalty.value(np.zeros(4))


def test_bad_custom_functions() -> None:
    with pytest.raises(ValueError, match=r"l1_prox\(.*must take 3 positional arguments"):
        Custom(l1_prox, l1_prox)
    with pytest.raises(TypeError, match="expected a plain Python function"):
        Custom(l1_value, None)
    with pytest.raises(TypeError, match="expected a plain Python function"):
        Custom("abs", l1_prox)
    with pytest.raises(ValueError, match="alpha"):
        Custom(l1_value, l1_prox, alpha=-1.0)
    with pytest.raises(ValueError, match="weights"):
        Custom(l1_value, l1_prox, weights=[-1.0])
    with pytest.raises(ValueError, match="alpha"):
        Custom(l1_value, l1_prox).with_alpha(math.nan)

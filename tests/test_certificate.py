"""The judge itself: weak duality, closed gaps at known optima, invariances, and hand-made cases."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from reference import Problem, minimise, objective
from scipy import sparse
from test_losses import LOGISTIC, REPEATED
from test_losses import Custom as CustomLoss
from test_penalties import L1_RULES, l1_conjugate, l1_distance, l1_prox, l1_value

from regsolve.certificate import Certificate, certify, verify
from regsolve.penalties import L1, L2, Custom, ElasticNet

INF = math.inf
# Half of the 16 settings of options(), every pair of switches in every combination.
SETTINGS = [0, 3, 5, 6, 9, 10, 12, 15]
FIELDS = [field.name for field in dataclasses.fields(Certificate)]


def draw(seed: int, n: int = 25, p: int = 8, **changes: Any) -> Problem:
    """A regression problem with an intercept far from 0."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * rng.uniform(0.3, 3.0, p) + rng.normal(0.0, 2.0, p)
    y = X[:, : min(p, 3)].sum(axis=1) + rng.standard_normal(n) + 4.0
    return dataclasses.replace(Problem(X, y, L1(0.3)), **changes)


def judged(problem: Problem, coef: np.ndarray, intercept: float = 0.0) -> Certificate:
    """Verdict on coefficients of a problem; the intercept counts only where it is fitted."""
    b = intercept if problem.fit_intercept else 0.0
    return verify(problem.X, problem.y, coef, b, **problem.options)


def same(a: Certificate, b: Certificate, rel: float = 1e-10, size: float = 1.0) -> None:
    """Two certificates are equal up to rounding of numbers of that size."""
    for name in FIELDS:
        one, other = getattr(a, name), getattr(b, name)
        assert one == pytest.approx(other, rel=rel, abs=rel * size, nan_ok=True), name


def penalties(p: int) -> list[Any]:
    """Built-in penalties with every kind of factor and bound, and Custom ones, for p features."""
    rng = np.random.default_rng(99)
    some = rng.uniform(0.2, 2.0, p)
    free, out = some.copy(), some.copy()
    free[[0, -1]], out[1] = 0.0, INF
    mixed = np.where(np.isinf(out), INF, free)
    box = {"lower": -rng.uniform(0.0, 0.3, p), "upper": rng.uniform(0.0, 0.3, p)}
    half = {"upper": np.where(np.arange(p) % 2, INF, 0.2)}
    return [
        L1(0.3),
        L2(0.3),
        ElasticNet(0.3, 0.4, weights=some),
        L1(0.1, weights=free),
        ElasticNet(0.3, 0.7, weights=mixed),
        L1(0.2, positive=True),
        L1(0.1, weights=free, positive=True),
        ElasticNet(0.1, 0.5, weights=mixed, **box),
        L2(0.1, weights=free, **box),
        L1(0.2, weights=free, **half),
        L1(1.0, weights=np.zeros(p)),
        L1(0.0),
        L2(0.0, positive=True),
        ElasticNet(0.0, 0.5, **box),
        Custom(*L1_RULES, alpha=0.2, weights=mixed, convex=True),
    ]


def options(seed: int, n: int) -> dict[str, Any]:
    """Weights with zeros, offset, intercept and standardize, switched by the seed."""
    rng = np.random.default_rng(1000 + seed)
    weight = rng.integers(0, 4, n).astype(float)
    weight[0] = 1.0
    return {
        "sample_weight": weight if seed & 1 else None,
        "offset": rng.normal(0.0, 2.0, n) if seed & 2 else None,
        "fit_intercept": not seed & 4,
        "standardize": bool(seed & 8),
    }


@pytest.mark.parametrize("seed", SETTINGS)
@pytest.mark.parametrize("k", range(len(penalties(8))))
def test_reference_optimum_has_no_gap(seed: int, k: int) -> None:
    problem = draw(seed, penalty=penalties(8)[k], **options(seed, 25))
    coef, intercept = minimise(problem, 4000)
    proof = judged(problem, coef, intercept)
    assert proof.primal == pytest.approx(objective(problem, coef, intercept), rel=1e-12)
    assert proof.gap <= 1e-10 * proof.primal
    assert 0.0 <= proof.relative_gap <= 1e-10
    assert 0.0 <= proof.kkt_violation <= 1e-7
    assert proof.gap == max(proof.primal - proof.dual, 0.0)


@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("k", range(len(penalties(8))))
def test_weak_duality_everywhere(seed: int, k: int) -> None:
    """Every dual value is below every primal value, and the gap bounds the suboptimality."""
    problem = draw(seed, n=20 + seed, penalty=penalties(8)[k], **options(seed, 20 + seed))
    rng = np.random.default_rng(seed)
    lower, upper = problem.penalty.bounds(8)
    proofs = []
    for size in (0.0, 0.1, 1.0, 10.0):
        coef = np.clip(size * rng.standard_normal(8) * (rng.random(8) < 0.6), lower, upper)
        proofs.append(judged(problem, coef, size * rng.standard_normal()))
    assert max(proof.dual for proof in proofs) <= min(proof.primal for proof in proofs)
    for proof in proofs:
        assert all(math.isfinite(getattr(proof, name)) for name in FIELDS[:4])
        # without a penalised feature nothing is left of the gradient at the null model
        assert math.isfinite(proof.kkt_violation) or not problem.penalty.factors(8).any()


@pytest.mark.parametrize("alpha", [0.0, 0.5, 2.0, 4.0, 5.0])
def test_one_feature_by_hand(alpha: float) -> None:
    """X = (1, -1), y = (5, -3), no intercept: P = w^2 / 2 - 4 w + 17 / 2 + alpha |w|.

    The optimum is w = (4 - alpha)_+, P0 = 17 / 2, and the gradient at w = 0 is -4. At w = 0 the
    dual point y / 2 has c = 4, so D(s) = 17 s - 17 s^2 / 2 with s <= alpha / 4.
    """
    X, y = np.array([[1.0], [-1.0]]), np.array([5.0, -3.0])
    best = max(4.0 - alpha, 0.0)
    proof = verify(X, y, [best], penalty=L1(alpha), fit_intercept=False)
    assert proof.primal == pytest.approx(best**2 / 2.0 - 4.0 * best + 8.5 + alpha * best)
    assert proof.gap <= 1e-14
    assert proof.kkt_violation <= 1e-15
    proof = verify(X, y, [0.0], penalty=L1(alpha), fit_intercept=False)
    s = min(alpha / 4.0, 1.0)
    least = 0.5 if alpha == 0.0 else 17.0 * s - 8.5 * s**2  # alpha = 0: projected, exact
    assert proof.dual == pytest.approx(least)
    assert proof.relative_gap == pytest.approx((8.5 - least) / 8.5)
    assert proof.kkt_violation == pytest.approx(best / 4.0)


def test_ridge_and_box_by_hand() -> None:
    """X = (1, -1), y = (5, -3): P = w^2 / 2 - 4 w + 17 / 2 + l2 w^2 / 2 on [lower, upper]."""
    X, y = np.array([[1.0], [-1.0]]), np.array([5.0, -3.0])
    proof = verify(X, y, [2.0], penalty=L2(1.0), fit_intercept=False)
    assert (proof.primal, proof.gap) == (pytest.approx(4.5), pytest.approx(0.0, abs=1e-14))
    proof = verify(X, y, [1.0], penalty=L2(1.0, upper=1.0), fit_intercept=False)
    assert proof.primal == pytest.approx(5.5)
    assert proof.gap <= 1e-14
    assert proof.kkt_violation == 0.0
    # at w = 0 the dual point y / 2 has c = 4 s: D(s) = 17 s - 17 s^2 / 2 - 4 s + 1 / 2 beyond
    # the bound, D' = 0 at s = 13 / 17
    proof = verify(X, y, [0.0], penalty=L2(1.0, upper=1.0), fit_intercept=False)
    assert proof.dual == pytest.approx(13.0**2 / 34.0 + 0.5)
    assert proof.kkt_violation == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(6))
def test_problems_built_backwards(seed: int) -> None:
    """Draw w and a residual r with X'r / n in the subdifferential at w; then y = X w + b + r."""
    rng = np.random.default_rng(seed)
    n, p, alpha, ratio = 20, 30, 0.7, [1.0, 0.6][seed % 2]
    w = np.where(np.arange(p) < 6, rng.choice([-1.0, 1.0], p) * rng.uniform(0.5, 2.0, p), 0.0)
    c = alpha * ratio * np.where(w != 0, np.sign(w), rng.uniform(-0.9, 0.9, p))
    c = (c + alpha * (1.0 - ratio) * w)[: n - 2]
    basis = np.linalg.qr(np.column_stack([np.ones(n), rng.standard_normal((n, n - 1))]))[0]
    X = np.zeros((n, p))
    r = basis[:, 1] * 3.0
    for j in range(p):  # x_j has the wanted product with r and is free otherwise
        wanted = c[j] if j < n - 2 else 0.0
        X[:, j] = basis[:, 2:] @ rng.standard_normal(n - 2) + basis[:, 1] * wanted * n / 3.0
    y = X @ w + 5.0 + r
    proof = verify(X, y, w, 5.0, penalty=ElasticNet(alpha, ratio))
    assert proof.gap <= 1e-13 * proof.primal
    assert proof.kkt_violation <= 1e-13
    assert verify(X, y, 1.01 * w, 5.0, penalty=ElasticNet(alpha, ratio)).gap > 1e-5


@pytest.mark.parametrize("seed", range(4))
def test_gap_bounds_the_suboptimality_and_shrinks_towards_the_optimum(seed: int) -> None:
    problem = draw(seed, penalty=ElasticNet(0.2, 0.8))
    best, intercept = minimise(problem)
    least = objective(problem, best, intercept)
    away = np.random.default_rng(seed).standard_normal(8)
    gaps = []
    for t in (1.0, 1e-2, 1e-4):
        proof = judged(problem, best + t * away, intercept)
        assert proof.primal - least <= proof.gap * (1.0 + 1e-12)
        gaps.append(proof.gap)
    assert gaps[0] > 10.0 * gaps[1] > 100.0 * gaps[2]


@pytest.mark.parametrize("k", range(len(penalties(8))))
def test_storage_does_not_matter(k: int) -> None:
    problem = draw(3, penalty=penalties(8)[k], **options(11, 25))
    X = np.where(np.random.default_rng(0).random(problem.X.shape) < 0.5, problem.X, 0.0)
    X = X.astype(np.float32)
    coef = np.clip(np.linspace(-0.2, 0.2, 8), *problem.penalty.bounds(8))
    plain = judged(dataclasses.replace(problem, X=X.astype(float)), coef, 4.0)
    entries = sparse.coo_matrix(X)
    doubled = sparse.coo_matrix(
        (np.repeat(entries.data / 2, 2), (np.repeat(entries.row, 2), np.repeat(entries.col, 2))),
        shape=X.shape,
    )
    frozen = np.asfortranarray(X)
    frozen.flags.writeable = False
    wide = sparse.csc_matrix(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    kinds = [np.ascontiguousarray(X), frozen, X.astype(float)[:, ::-1][:, ::-1], doubled, wide]
    kinds += [make(X) for make in (sparse.csr_matrix, sparse.csc_array, sparse.lil_matrix)]
    kinds += [sparse.csc_matrix(doubled.tocsr(copy=True)), sparse.dok_array(X), X.tolist()]
    for stored in kinds:
        same(judged(dataclasses.replace(problem, X=stored), coef, 4.0), plain, 1e-11)


def test_blocks_of_columns_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = draw(4, p=30, penalty=ElasticNet(0.2, 0.5), **options(9, 25))
    coef = np.linspace(-0.5, 0.5, 30)
    plain = [judged(problem, coef, 4.0)]
    plain.append(judged(dataclasses.replace(problem, X=sparse.csr_matrix(problem.X)), coef, 4.0))
    monkeypatch.setattr("regsolve.judge.columns.BLOCK_ENTRIES", 70)
    same(judged(problem, coef, 4.0), plain[0], 1e-12)
    problem = dataclasses.replace(problem, X=sparse.csr_matrix(problem.X))
    same(judged(problem, coef, 4.0), plain[1], 1e-12)


@pytest.mark.parametrize("k", range(len(penalties(8))))
@pytest.mark.parametrize("standardize", [False, True])
def test_weights_are_repeated_rows(k: int, standardize: bool) -> None:
    problem = draw(5, penalty=penalties(8)[k], standardize=standardize)
    times = np.random.default_rng(2).integers(0, 4, 25)
    weighted = dataclasses.replace(problem, sample_weight=times * 0.7)
    repeated = dataclasses.replace(
        problem, X=np.repeat(problem.X, times, axis=0), y=np.repeat(problem.y, times)
    )
    coef = np.clip(np.linspace(-0.2, 0.2, 8), *problem.penalty.bounds(8))
    same(judged(weighted, coef, 4.0), judged(repeated, coef, 4.0), 1e-10)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_offset_shifts_the_target(fit_intercept: bool) -> None:
    problem = draw(6, penalty=L1(0.2), fit_intercept=fit_intercept)
    offset = np.random.default_rng(0).normal(0.0, 5.0, 25)
    shifted = dataclasses.replace(problem, offset=offset, y=problem.y + offset)
    coef = np.linspace(-0.2, 0.2, 8)
    same(judged(shifted, coef, 4.0), judged(problem, coef, 4.0), 1e-12)


@pytest.mark.parametrize(
    "penalty", [L1(0.2), ElasticNet(0.2, 0.5, weights=[1, 0, 2, 1, 1, 1, 1, 1])]
)
def test_standardize_is_scaling_the_columns(penalty: Any) -> None:
    problem = draw(7, penalty=penalty, **options(9, 25))
    scale = problem.scale
    by_hand = dataclasses.replace(problem, X=problem.X / scale, standardize=False)
    coef = np.linspace(-0.2, 0.2, 8)
    ours, theirs = judged(problem, coef, 4.0), judged(by_hand, coef * scale, 4.0)
    for name in FIELDS[:4]:
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-11)


def test_excluded_columns_change_nothing() -> None:
    factors = np.array([1.0, INF, 1.0, 0.0, INF, 2.0, 1.0, 1.0])
    problem = draw(8, penalty=ElasticNet(0.1, 0.5, weights=factors))
    kept = np.isfinite(factors)
    problem.X[:, 4] *= 1e8
    smaller = dataclasses.replace(
        problem, X=problem.X[:, kept], penalty=ElasticNet(0.1, 0.5, weights=factors[kept])
    )
    coef = np.linspace(-0.2, 0.2, 8) * kept
    same(judged(problem, coef, 4.0), judged(smaller, coef[kept], 4.0), 1e-12)
    coef[1] = 1e-9
    assert judged(problem, coef, 4.0).primal == INF
    assert judged(problem, coef, 4.0).relative_gap == INF
    assert judged(problem, coef, 4.0).kkt_violation == INF


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
@pytest.mark.parametrize("build", [np.asarray, sparse.csc_matrix], ids=["dense", "sparse"])
def test_constant_columns_are_out_when_standardized(value: float, build: Any) -> None:
    problem = draw(9, penalty=L1(0.1), standardize=True, sample_weight=np.arange(25.0))
    without = judged(dataclasses.replace(problem, X=build(problem.X[:, :7])), np.zeros(7), 4.0)
    problem.X[:, 7] = value
    problem = dataclasses.replace(problem, X=build(problem.X))
    same(judged(problem, np.zeros(8), 4.0), without, 1e-12)
    assert judged(problem, np.eye(8)[7], 4.0).primal == INF


def test_outside_the_bounds() -> None:
    problem = draw(10, penalty=L1(0.1, lower=-1.0, upper=0.5))
    proof = judged(problem, np.full(8, 0.6))
    assert (proof.primal, proof.gap, proof.relative_gap) == (INF, INF, INF)
    assert proof.kkt_violation == INF
    assert math.isfinite(proof.dual)
    assert judged(problem, np.full(8, 0.5 * (1.0 + 1e-13))).primal < INF


def test_collinear_unpenalised_columns() -> None:
    """Copies, sums and shifts of unpenalised columns leave dual, gap and P0 alone."""
    rng = np.random.default_rng(0)
    problem = draw(11, p=6, penalty=L1(0.1, weights=[0, 0, 1, 1, 1, 1]))
    coef, intercept = minimise(problem)
    plain = judged(problem, coef, intercept)
    assert plain.relative_gap <= 1e-13
    A = problem.X[:, :2]
    extra = np.column_stack([A, A @ [1.0, -2.0], 1e6 * A[:, 0] + 3.0, np.ones(25), 1e-7 * A[:, 1]])
    wider = Problem(
        np.column_stack([problem.X, extra]),
        problem.y,
        L1(0.1, weights=np.r_[0, 0, 1, 1, 1, 1, np.zeros(6)]),
    )
    moved = np.r_[coef, np.zeros(6)]
    same(judged(wider, moved, intercept), plain, 1e-7)  # a column of size 1e6 sets the KKT
    moved[0], moved[6] = 0.0, coef[0]
    same(judged(wider, moved, intercept), plain, 1e-7)
    away = moved + np.r_[np.zeros(6), 1e-3 * rng.standard_normal(6)]
    assert judged(wider, away, intercept).dual <= plain.primal


def test_wide_boxes_leave_the_dual_point_at_zero() -> None:
    """Conjugates 1e13 |s c_j| fall off at once: D is largest at s = 0, where it is 0."""
    box = {"weights": np.zeros(8), "lower": -1e13, "upper": 1e13}
    assert judged(draw(11, penalty=L1(0.1, **box)), np.zeros(8), 4.0).dual == 0.0


def test_unpenalised_columns_that_explain_everything() -> None:
    """P0 = 0 to rounding: 0 for the null model, inf for the rest, and no dual above 0."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((6, 8))
    free = np.r_[np.zeros(5), np.ones(3)]
    problem = Problem(X, X[:, :5] @ np.arange(5.0) + 2.0, L1(0.1, weights=free))
    proof = judged(problem, np.r_[np.arange(5.0), 0, 0, 0], 2.0)
    assert (proof.relative_gap, proof.kkt_violation) == (0.0, 0.0)
    for coef in (np.zeros(8), rng.standard_normal(8)):
        proof = judged(problem, coef, 2.0)
        assert (proof.relative_gap, proof.kkt_violation) == (INF, INF)
        assert proof.dual <= 1e-25


def test_alpha_zero_is_projected_and_beyond_a_size_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = draw(12, penalty=L1(0.0))
    A = np.column_stack([problem.X, np.ones(25)])
    solution = np.linalg.lstsq(A, problem.y, rcond=None)[0]
    proof = judged(problem, solution[:8], solution[8])
    assert proof.relative_gap <= 1e-13
    assert judged(problem, np.zeros(8), 0.0).dual == pytest.approx(proof.primal)
    monkeypatch.setattr("regsolve.judge.dual.PROJECTION_FEATURES", 7)
    assert judged(problem, solution[:8], solution[8]).dual == 0.0
    assert judged(problem, solution[:8], solution[8]).kkt_violation <= 1e-12
    monkeypatch.setattr("regsolve.judge.dual.PROJECTION_FEATURES", 8)
    monkeypatch.setattr("regsolve.judge.span.PROJECTION_BYTES", 8.0 * 25 * 8)
    assert judged(problem, solution[:8], solution[8]).dual == 0.0


@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e6])
@pytest.mark.parametrize("weighted", [False, True])
def test_constant_target(value: float, weighted: bool) -> None:
    weight = np.random.default_rng(0).uniform(0.1, 1.0, 25) if weighted else None
    problem = draw(13, y=np.full(25, value), penalty=L1(0.1), sample_weight=weight)
    for intercept in (value, value * (1.0 + 1e-12)):
        proof = judged(problem, np.zeros(8), intercept)
        assert (proof.relative_gap, proof.kkt_violation) == (0.0, 0.0)
    assert judged(problem, np.full(8, 1e-3), value).relative_gap == INF
    proof = judged(problem, np.zeros(8), value + 1.0)
    assert (proof.relative_gap, proof.kkt_violation) == (INF, INF)


def test_gradient_zero_at_the_null_model() -> None:
    """Columns orthogonal to the residual: w = 0 is optimal at any alpha, and 0 / 0 is 0."""
    X = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    y = np.array([1.0, -1.0, 1.0, -1.0])
    proof = verify(X, y, [0.0], penalty=L1(0.0))
    assert (proof.gap, proof.kkt_violation) == (0.0, 0.0)
    assert verify(X, y, [0.5], penalty=L1(0.0)).kkt_violation == INF


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_smallest_shapes(fit_intercept: bool) -> None:
    b = 3.0 * fit_intercept
    empty = verify(np.empty((3, 0)), [1, 2, 6], [], b, penalty=L1(), fit_intercept=fit_intercept)
    least = 7.0 / 3.0 if fit_intercept else 41.0 / 6.0
    assert empty.primal == pytest.approx(least)
    assert empty.dual == pytest.approx(least)
    # one row: with an intercept nothing is left to explain
    one = verify([[2.0]], [3.0], [0.0], b, penalty=L1(), fit_intercept=fit_intercept)
    assert one.primal == (0.0 if fit_intercept else 4.5)
    assert one.relative_gap == (0.0 if fit_intercept else pytest.approx(2.5**2 / 9.0))
    best = verify([[2.0]], [3.0], [1.25], penalty=L1(), fit_intercept=False)
    assert best.gap <= 1e-15


def test_intercept_is_judged() -> None:
    problem = draw(14)
    coef, intercept = minimise(problem)
    exact, off = judged(problem, coef, intercept), judged(problem, coef, intercept + 0.1)
    assert off.primal - exact.primal == pytest.approx(0.1**2 / 2.0)
    assert off.dual == pytest.approx(exact.dual)
    grad = np.abs(problem.centred.T @ problem.y) / 25
    assert off.kkt_violation >= 0.1 / grad.max() * (1.0 - 1e-9)


def test_large_means_cost_no_digits() -> None:
    problem = draw(15, penalty=L1(0.3))
    coef, intercept = minimise(problem)
    plain = judged(problem, coef, intercept)
    far = dataclasses.replace(problem, y=problem.y + 2.0**20)
    same(judged(far, coef, intercept + 2.0**20), plain, 1e-9)


def null_objective(problem: Problem) -> float:
    """P0, by minimising over the unpenalised columns alone."""
    free = problem.penalty.factors(problem.X.shape[1]) == 0
    bounds = {
        name: None
        if getattr(problem.penalty, name) is None
        else getattr(problem.penalty, name)[free]
        for name in ("lower", "upper")
    }
    penalty = L1(0.0, **bounds)
    small = dataclasses.replace(problem, X=problem.X[:, free], penalty=penalty)
    return objective(small, *minimise(small))


@pytest.mark.parametrize("loss", ["quadratic", "repeated", "logistic"])
@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_null_model(loss: str, bounded: bool, seed: int) -> None:
    weights = np.array([0.0, 1.0, 0.0, 1.0, 0.0])
    box = {"lower": [-0.1, -1, -INF, -1, -INF], "upper": [0.2, 1, 0.05, 1, INF]} if bounded else {}
    problem = draw(20 + seed, p=5, penalty=L1(0.2, weights=weights, **box), **options(seed, 25))
    if loss != "quadratic":
        problem = dataclasses.replace(problem, loss=LOGISTIC if loss == "logistic" else REPEATED)
    if loss == "logistic":
        noisy = problem.y - problem.y.mean() + 3.0 * np.random.default_rng(seed).standard_normal(25)
        problem = dataclasses.replace(problem, y=(noisy > 0).astype(float))
    proof = judged(problem, np.zeros(5), 0.3)
    assert proof.gap / proof.relative_gap == pytest.approx(null_objective(problem), rel=1e-9)


@pytest.mark.parametrize("seed", SETTINGS)
@pytest.mark.parametrize("k", [0, 1, 2, 3, 4, 6, 7, 9, 10, 11, 14])
def test_logistic_loss(seed: int, k: int) -> None:
    problem = draw(seed, n=40, loss=LOGISTIC, penalty=penalties(8)[k].with_alpha(0.05))
    rng = np.random.default_rng(seed)
    noisy = problem.y - problem.y.mean() + 6.0 * rng.standard_normal(40)
    problem = dataclasses.replace(problem, y=(noisy > 0).astype(float), **options(seed, 40))
    coef, intercept = minimise(problem, 100)
    proof = judged(problem, coef, intercept)
    assert proof.primal == pytest.approx(objective(problem, coef, intercept), rel=1e-12)
    for size in (0.01, 1.0, 30.0):  # the last saturates the loss
        away = np.clip(coef + size * rng.standard_normal(8), *problem.penalty.bounds(8))
        other = judged(problem, away, intercept)
        assert other.dual <= proof.primal * (1.0 + 1e-12)
        assert math.isfinite(other.dual)
    assert proof.relative_gap <= 1e-7 or proof.kkt_violation > 1e-9


def test_logistic_optimum_is_proven() -> None:
    problem = draw(2, n=60, loss=LOGISTIC, penalty=ElasticNet(0.1, 0.5), standardize=True)
    y = (problem.y - problem.y.mean() > 0).astype(float)
    problem = dataclasses.replace(problem, y=y)
    proof = judged(problem, *minimise(problem, 2000))
    assert proof.relative_gap <= 1e-12
    assert proof.kkt_violation <= 1e-9


@pytest.mark.parametrize("seed", range(8))
def test_custom_quadratic_is_the_built_in(seed: int) -> None:
    """Same point and scale only at the optimum; elsewhere the built-in scales its dual better."""
    problem = draw(seed, penalty=ElasticNet(0.1, 0.5), **options(seed, 25))
    repeated = dataclasses.replace(problem, loss=REPEATED)
    coef, intercept = minimise(problem)
    same(judged(repeated, coef, intercept), judged(problem, coef, intercept), 1e-11)
    coef = np.linspace(-0.3, 0.3, 8)
    ours, theirs = judged(problem, coef, 3.0), judged(repeated, coef, 3.0)
    assert theirs.primal == pytest.approx(ours.primal, rel=1e-13)
    assert theirs.kkt_violation == pytest.approx(ours.kkt_violation, rel=1e-9)
    assert theirs.dual <= ours.dual + 1e-12


@pytest.mark.parametrize("seed", range(16))
def test_custom_l1_is_the_built_in(seed: int) -> None:
    weights = [1.0, 0.0, 2.0, INF, 0.5, 1.0, 0.0, 1.0]
    problem = draw(seed, penalty=L1(0.1, weights=weights), **options(seed, 25))
    custom = dataclasses.replace(problem, penalty=Custom(*L1_RULES, alpha=0.1, weights=weights))
    coef, intercept = minimise(problem)
    same(judged(custom, coef, intercept), judged(problem, coef, intercept), 1e-11)
    coef = np.where(np.isinf(weights), 0.0, np.linspace(-0.3, 0.3, 8))
    ours, theirs = judged(problem, coef, 3.0), judged(custom, coef, 3.0)
    assert theirs.primal == pytest.approx(ours.primal, rel=1e-13)
    assert theirs.kkt_violation == pytest.approx(ours.kkt_violation, rel=1e-11)
    assert theirs.dual <= ours.dual * (1.0 + 1e-12)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("loss", [None, LOGISTIC], ids=["quadratic", "logistic"])
def test_fixed_point_violation(seed: int, loss: Any) -> None:
    """Without a subdifferential: L_j |w_j - prox_j(w_j - g_j / L_j, 1 / L_j)| over the same."""
    problem = draw(seed, penalty=Custom(l1_value, l1_prox, alpha=0.1), **options(seed, 25))
    if loss is not None:
        y = (problem.y > problem.y.mean()).astype(float)
        problem = dataclasses.replace(problem, y=y, loss=loss, standardize=True)
    coef = np.linspace(-0.3, 0.3, 8)
    full = dataclasses.replace(problem, penalty=Custom(*L1_RULES, alpha=0.1))
    z = (
        problem.X @ coef
        + 0.5 * problem.fit_intercept
        + (0.0 if problem.offset is None else problem.offset)
    )
    slope, bend = problem.loss.gradient(problem.y, z), problem.loss.curvature(problem.y, z)
    g = problem.X.T @ (problem.omega * slope)
    L = (problem.omega * bend) @ problem.centred**2
    e = problem.scale
    moved = [
        coef[j] - l1_prox(e[j] * (coef[j] - g[j] / L[j]), e[j] ** 2 / L[j], 0.1, 1.0) / e[j]
        for j in range(8)
    ]
    fixed = max(np.max(L * np.abs(moved)), abs(problem.omega @ slope) * problem.fit_intercept)
    exact = [e[j] * l1_distance(e[j] * coef[j], g[j] / e[j], 0.1, 1.0) for j in range(8)]
    exact = max(np.max(exact), abs(problem.omega @ slope) * problem.fit_intercept)
    ratio = judged(problem, coef, 0.5).kkt_violation / judged(full, coef, 0.5).kkt_violation
    assert ratio == pytest.approx(fixed / exact, rel=1e-10)
    best, intercept = minimise(problem, 2000)
    assert judged(problem, best, intercept).kkt_violation <= 1e-9


def test_fixed_point_violation_of_a_flat_column() -> None:
    problem = draw(0, penalty=Custom(l1_value, l1_prox, alpha=0.1))
    problem.X[:, 2] = 7.0
    coef, intercept = minimise(problem)
    assert coef[2] == 0.0
    assert judged(problem, coef, intercept).kkt_violation <= 1e-12
    assert judged(problem, coef + np.eye(8)[2], intercept - 7.0).kkt_violation > 1e-4


def test_unknown_conjugates_leave_the_gap_open() -> None:
    bare = CustomLoss(
        *[getattr(LOGISTIC, f"{k}_function") for k in ("value", "gradient", "curvature")]
    )
    problem = draw(0, penalty=L1(0.1))
    y = (problem.y > problem.y.mean()).astype(float)
    cases = [
        dataclasses.replace(problem, y=y, loss=bare),
        dataclasses.replace(problem, penalty=Custom(l1_value, l1_prox, l1_distance, alpha=0.1)),
    ]
    for case in cases:
        coef, intercept = minimise(case, 3000)
        proof = judged(case, coef, intercept)
        assert np.isnan([proof.dual, proof.gap, proof.relative_gap]).all()
        assert proof.primal == pytest.approx(objective(case, coef, intercept))
        assert proof.kkt_violation <= 1e-8


def test_nonconvex_penalty_still_has_a_bound() -> None:
    """Weak duality asks for no convexity: a penalty below L1, with the conjugate of its hull 0."""

    def capped(w: float, alpha: float, weight: float) -> float:
        return min(l1_value(w, alpha, weight), 0.05)

    def at_zero(c: float, alpha: float, weight: float) -> float:  # noqa: ARG001
        return 0.0 if c == 0.0 else INF

    assert at_zero(0.0, 1.0, 1.0) <= l1_conjugate(0.0, 1.0, 1.0)
    penalty = Custom(capped, l1_prox, l1_distance, at_zero, alpha=0.1, convex=False)
    proof = judged(draw(1, penalty=penalty), np.full(8, 0.1), 4.0)
    assert proof.dual == pytest.approx(0.0, abs=1e-12)
    assert proof.gap == pytest.approx(proof.primal)


def test_nothing_is_written_and_the_names_agree() -> None:
    problem = draw(0, penalty=penalties(8)[7], **options(3, 25))
    arrays = [problem.X, problem.y, problem.sample_weight, problem.offset, np.full(8, 0.01)]
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    judged(problem, arrays[-1], 1.0)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert certify is verify
    with pytest.raises(dataclasses.FrozenInstanceError):
        judged(problem, arrays[-1]).gap = 0.0  # type: ignore[misc]


def bad_inputs() -> list[tuple[str, dict[str, Any]]]:
    """(what the message must say, changed arguments)."""
    X, y = np.ones((4, 2)), np.ones(4)
    broken = sparse.csc_matrix(X)
    broken.indices[3] = 9
    return [
        ("X has shape", {"X": X[:, 0]}),
        ("X has shape", {"X": np.empty((0, 2)), "y": np.empty(0)}),
        ("X has dtype complex", {"X": X.astype(complex)}),
        ("X has dtype complex", {"X": sparse.csr_matrix(X.astype(complex))}),
        ("X has dtype object", {"X": X.astype(object)}),
        ("X holds NaN or infinity, first in column 1", {"X": X * [1.0, np.nan]}),
        ("X holds NaN or infinity, first in column 0", {"X": sparse.csc_matrix(X * [INF, 1.0])}),
        ("X is not a valid sparse matrix", {"X": broken}),
        (r"y has shape \(3,\): expected \(4,\)", {"y": y[:3]}),
        ("y has shape", {"y": y[:, None]}),
        ("y has dtype", {"y": np.array(list("abcd"))}),
        ("y holds NaN", {"y": y * np.nan}),
        (r"coef has shape \(3,\)", {"coef": np.ones(3)}),
        ("coef holds NaN", {"coef": [np.nan, 0.0]}),
        ("intercept=nan", {"intercept": math.nan}),
        ("intercept='b': expected a number", {"intercept": "b"}),
        ("intercept=None: expected a number", {"intercept": None}),
        ("intercept=1.0 without fit_intercept", {"intercept": 1.0, "fit_intercept": False}),
        ("sample_weight has shape", {"sample_weight": np.ones(5)}),
        ("sample_weight must be >= 0", {"sample_weight": [-1.0, 1.0, 1.0, 1.0]}),
        ("sample_weight must be >= 0 with a positive sum", {"sample_weight": np.zeros(4)}),
        ("sample_weight holds NaN", {"sample_weight": [np.nan, 1.0, 1.0, 1.0]}),
        ("offset has shape", {"offset": np.ones((4, 1))}),
        ("offset holds NaN", {"offset": y * INF}),
        ("weights has 3 entries", {"penalty": L1(1.0, weights=np.ones(3))}),
        ("upper has 3 entries", {"penalty": L1(1.0, upper=np.ones(3))}),
        ("penalty='l1': expected L1", {"penalty": "l1"}),
        ("loss=None: expected Quadratic", {"loss": None}),
    ]


@pytest.mark.parametrize("case", range(len(bad_inputs())))
def test_bad_input(case: int) -> None:
    message, change = bad_inputs()[case]
    given: dict[str, Any] = {"X": np.ones((4, 2)), "y": np.ones(4), "coef": np.zeros(2)}
    given |= {"penalty": L1(1.0), **change}
    with pytest.raises((ValueError, TypeError), match=message):
        verify(given.pop("X"), given.pop("y"), given.pop("coef"), **given)


def test_scalar_weight_is_equal_weights() -> None:
    problem = draw(0)
    same(
        judged(dataclasses.replace(problem, sample_weight=3.0), np.ones(8)),
        judged(problem, np.ones(8)),
        1e-14,
    )

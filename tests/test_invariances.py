"""Changes of the data that must change the answer in a known way, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import sparse

from regsolve import Solution, path, solve, verify
from regsolve.penalties import L1, L2, ElasticNet

SOLVERS = ["auto", "cd", "working_set"]
TIGHT = 1e-13
# Two minimisers of relative gap 1e-13 with curvature above 0.05 differ by sqrt(4e-13 P0 / 0.05).
CLOSE = 2e-5
PENALTIES: list[Callable[..., Any]] = [L1, L2, ElasticNet]
KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "C": np.ascontiguousarray,
    "csc": sparse.csc_matrix,
    "csc_array": sparse.csc_array,
    "csr": sparse.csr_matrix,
    "coo": sparse.coo_matrix,
    "float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "float32_C": lambda X: np.ascontiguousarray(X, dtype=np.float32),
    "csc_float32": lambda X: sparse.csc_matrix(X.astype(np.float32)),
    "int64_indices": lambda X: wide_indices(sparse.csc_matrix(X)),
    "reversed_rows": lambda X: np.asfortranarray(X[::-1])[::-1],
    "big_endian": lambda X: X.astype(">f8"),
}

pytestmark = pytest.mark.parametrize("solver", SOLVERS)


def wide_indices(X: Any) -> Any:
    """X with int64 indices."""
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (60, 20) representable in float32, y and weights in 1, 2, 3."""
    X, y = regression(60, 20, rho=0.6, seed=21)
    X[np.abs(X) < 0.4] = 0.0
    X = np.asfortranarray(X.astype(np.float32).astype(np.float64))
    return X, y, np.random.default_rng(2).integers(1, 4, 60).astype(float)


def assert_same(a: Solution, b: Solution, atol: float = CLOSE) -> None:
    """Equal coefficients, intercepts and objectives."""
    np.testing.assert_allclose(a.coef, b.coef, atol=atol)
    assert a.intercept == pytest.approx(b.intercept, abs=atol * 10)
    assert a.certificate.primal == pytest.approx(b.certificate.primal, rel=1e-10)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_weights_are_repeated_rows(data: Any, penalty: Any, solver: str) -> None:
    X, y, s = data
    times = s.astype(int)
    options: dict[str, Any] = {"penalty": penalty(0.05), "tol": TIGHT, "solver": solver}
    weighted = solve(X, y, sample_weight=s, **options)
    repeated = solve(np.repeat(X, times, axis=0), np.repeat(y, times), **options)
    assert_same(weighted, repeated)


def test_zero_weight_leaves_the_row_out(data: Any, solver: str) -> None:
    X, y, s = data
    s = s * (np.arange(60) % 3 > 0)
    options: dict[str, Any] = {"penalty": L1(0.05), "tol": TIGHT, "solver": solver}
    kept = s > 0
    wild = np.where(kept, y, 1e3)
    for standardize in (False, True):
        a = solve(X, wild, sample_weight=s, standardize=standardize, **options)
        b = solve(X[kept], y[kept], sample_weight=s[kept], standardize=standardize, **options)
        assert_same(a, b)


@pytest.mark.parametrize("factor", [1e-6, 3.0, 1e8])
def test_scale_of_the_weights_does_not_matter(data: Any, factor: float, solver: str) -> None:
    X, y, s = data
    options: dict[str, Any] = {"penalty": L1(0.05), "tol": TIGHT, "solver": solver}
    assert_same(
        solve(X, y, sample_weight=s, **options), solve(X, y, sample_weight=factor * s, **options)
    )


@pytest.mark.parametrize("penalty", PENALTIES)
def test_order_of_rows_and_columns_does_not_matter(data: Any, penalty: Any, solver: str) -> None:
    X, y, s = data
    rng = np.random.default_rng(9)
    rows, columns = rng.permutation(60), rng.permutation(20)
    factors = rng.uniform(0.5, 2.0, 20)
    a = solve(
        X, y, penalty=penalty(0.05, weights=factors), sample_weight=s, tol=TIGHT, solver=solver
    )
    b = solve(
        X[rows][:, columns],
        y[rows],
        penalty=penalty(0.05, weights=factors[columns]),
        sample_weight=s[rows],
        tol=TIGHT,
        solver=solver,
    )
    np.testing.assert_allclose(a.coef[columns], b.coef, atol=CLOSE)
    assert a.certificate.primal == pytest.approx(b.certificate.primal, rel=1e-10)


def test_column_scale_is_a_penalty_factor(data: Any, solver: str) -> None:
    """With x_j d_j in place of x_j, w_j / d_j costs d_j |w_j / d_j|."""
    X, y, _ = data
    d = 10.0 ** np.random.default_rng(7).uniform(-3, 3, 20)
    a = solve(X, y, penalty=L1(0.05), tol=TIGHT, solver=solver)
    b = solve(X * d, y, penalty=L1(0.05, weights=d), tol=TIGHT, solver=solver)
    np.testing.assert_allclose(b.coef * d, a.coef, atol=CLOSE)
    ridge = solve(X, y, penalty=L2(0.05), tol=TIGHT, solver=solver)
    scaled = solve(X * d, y, penalty=L2(0.05, weights=d**2), tol=TIGHT, solver=solver)
    np.testing.assert_allclose(scaled.coef * d, ridge.coef, atol=CLOSE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_storage_does_not_matter(data: Any, kind: str, penalty: Any, solver: str) -> None:
    X, y, s = data
    options: dict[str, Any] = {"penalty": penalty(0.05), "sample_weight": s}
    stored = KINDS[kind](X)
    plain = solve(X, y, tol=TIGHT, solver=solver, **options)
    assert_same(plain, solve(stored, y, tol=TIGHT, solver=solver, **options))
    proof = verify(stored, y, plain.coef, plain.intercept, **options)
    assert proof.primal == pytest.approx(plain.certificate.primal, rel=1e-13)
    assert proof.relative_gap <= TIGHT


@pytest.mark.parametrize("narrow", ["float32", "float32_C", "csc_float32"])
@pytest.mark.parametrize("standardize", [True, False])
def test_float32_is_only_storage(data: Any, narrow: str, standardize: bool, solver: str) -> None:
    """Blocks are widened before any arithmetic, so equal values give equal answers."""
    X, y, s = data
    stored = KINDS[narrow](X)
    options: dict[str, Any] = {"penalty": L1(0.05), "sample_weight": s, "solver": solver}
    a = solve(stored, y, standardize=standardize, **options)
    b = solve(stored.astype(np.float64), y, standardize=standardize, **options)
    assert_same(a, b, 1e-12)


def test_storage_does_not_matter_to_a_path(data: Any, solver: str) -> None:
    X, y, _ = data
    plain = path(X, y, n_alphas=20, solver=solver, tol=1e-10)
    for name, build in KINDS.items():
        other = path(build(X), y, n_alphas=20, solver=solver, tol=1e-10)
        np.testing.assert_allclose(other.alphas, plain.alphas, rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(
            other.coefs.toarray(), plain.coefs.toarray(), atol=1e-3, err_msg=name
        )
        assert other.converged, name


@pytest.mark.parametrize("scale", [1e-8, -1.0, 1e8])
def test_scale_of_the_target_scales_the_answer(data: Any, scale: float, solver: str) -> None:
    """With c y, the minimiser at |c| alpha is c w; for ridge at the same alpha."""
    X, y, _ = data
    a = solve(X, y, penalty=L1(0.05), tol=TIGHT, solver=solver)
    b = solve(X, scale * y, penalty=L1(abs(scale) * 0.05), tol=TIGHT, solver=solver)
    np.testing.assert_allclose(b.coef / scale, a.coef, atol=CLOSE)
    assert b.certificate.primal == pytest.approx(scale**2 * a.certificate.primal, rel=1e-10)
    ridge = solve(X, y, penalty=L2(0.05), tol=TIGHT, solver=solver)
    scaled = solve(X, scale * y, penalty=L2(0.05), tol=TIGHT, solver=solver)
    np.testing.assert_allclose(scaled.coef / scale, ridge.coef, atol=CLOSE)


def test_sign_of_a_column_flips_its_coefficient(data: Any, solver: str) -> None:
    X, y, _ = data
    sign = np.where(np.arange(20) % 2, 1.0, -1.0)
    a = solve(X, y, penalty=ElasticNet(0.05), tol=TIGHT, solver=solver)
    b = solve(X * sign, y, penalty=ElasticNet(0.05), tol=TIGHT, solver=solver)
    np.testing.assert_allclose(b.coef * sign, a.coef, atol=CLOSE)
    bound = np.linspace(0.01, 0.5, 20)
    one = solve(X, y, penalty=L1(0.05, lower=-bound, upper=2 * bound), tol=TIGHT, solver=solver)
    lower, upper = np.where(sign > 0, -bound, -2 * bound), np.where(sign > 0, 2 * bound, bound)
    other = solve(X * sign, y, penalty=L1(0.05, lower=lower, upper=upper), tol=TIGHT, solver=solver)
    np.testing.assert_allclose(other.coef * sign, one.coef, atol=CLOSE)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_intercept_absorbs_constants(data: Any, penalty: Any, solver: str) -> None:
    """y + a moves b by a; x_j + m_j moves it by -m'w; nothing else moves."""
    X, y, s = data
    options: dict[str, Any] = {
        "penalty": penalty(0.05),
        "sample_weight": s,
        "tol": TIGHT,
        "solver": solver,
    }
    m = np.linspace(-5.0, 5.0, 20)
    plain = solve(X, y, **options)
    raised = solve(X, y + 100.0, **options)
    moved = solve(X + m, y, **options)
    np.testing.assert_allclose(raised.coef, plain.coef, atol=CLOSE)
    assert raised.intercept == pytest.approx(plain.intercept + 100.0, abs=1e-4)
    np.testing.assert_allclose(moved.coef, plain.coef, atol=CLOSE)
    assert moved.intercept == pytest.approx(plain.intercept - m @ plain.coef, abs=1e-3)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("kind", [np.asfortranarray, sparse.csc_matrix])
def test_standardize_is_scaling_by_hand(
    data: Any, fit_intercept: bool, penalty: Any, kind: Any, solver: str
) -> None:
    """The penalty acts on s_j w_j, s_j^2 = sum_i s_i (x_ij - m_j)^2 / sum_i s_i."""
    X, y, s = data
    X = X * np.linspace(0.1, 4.0, 20) + 1.0
    share = s / s.sum()
    spread = np.sqrt(share @ (X - fit_intercept * (share @ X)) ** 2)
    options: dict[str, Any] = {
        "penalty": penalty(0.05),
        "sample_weight": s,
        "fit_intercept": fit_intercept,
        "tol": TIGHT,
        "solver": solver,
    }
    inside = solve(kind(X), y, standardize=True, **options)
    by_hand = solve(X / spread, y, **options)
    np.testing.assert_allclose(inside.coef * spread, by_hand.coef, atol=CLOSE)
    assert inside.certificate.primal == pytest.approx(by_hand.certificate.primal, rel=1e-10)
    assert inside.status == "optimal"


def test_standardize_leaves_constant_columns_out(data: Any, solver: str) -> None:
    X, y, _ = data
    X = X.copy()
    X[:, 4] = 3.0
    answer = solve(X, y, penalty=L1(0.05), standardize=True, tol=TIGHT, solver=solver)
    assert answer.coef[4] == 0.0
    kept = np.arange(20) != 4
    without = solve(X[:, kept], y, penalty=L1(0.05), standardize=True, tol=TIGHT, solver=solver)
    np.testing.assert_allclose(answer.coef[kept], without.coef, atol=CLOSE)


@pytest.mark.parametrize("value", [1.0, 0.1, 3.0, 1e3])
def test_rows_of_weight_zero_do_not_make_a_column_vary(
    data: Any, value: float, solver: str
) -> None:
    X, y, _ = data
    X = X.copy()
    for seed in range(10):
        s = np.random.default_rng(seed).uniform(0.1, 2.0, 60) * (np.arange(60) % 3 > 0)
        X[:, 4] = np.where(s > 0, value, value + 1.0)
        options: dict[str, Any] = {"penalty": L2(0.05), "sample_weight": s, "standardize": True}
        answer = solve(X, y, solver=solver, **options)
        assert answer.coef[4] == 0.0
        assert verify(X, y, answer.coef, answer.intercept, **options).relative_gap <= 1e-6


@pytest.mark.parametrize("penalty", [L1, ElasticNet])
def test_path_is_a_sequence_of_solves(data: Any, penalty: Any, solver: str) -> None:
    X, y, s = data
    options: dict[str, Any] = {"sample_weight": s, "tol": TIGHT, "solver": solver}
    fitted = path(X, y, penalty=penalty(), n_alphas=12, **options)
    for k, alpha in enumerate(fitted.alphas):
        one = solve(X, y, penalty=penalty(alpha), **options)
        np.testing.assert_allclose(fitted.coefs[:, [k]].toarray().ravel(), one.coef, atol=CLOSE)
        assert fitted.intercepts[k] == pytest.approx(one.intercept, abs=1e-4)


def test_duplicated_column_leaves_the_objective(data: Any, solver: str) -> None:
    """|w| is split among twins at will, so the minimum does not move."""
    X, y, _ = data
    once = solve(X, y, penalty=L1(0.05), tol=TIGHT, solver=solver)
    twice = solve(np.hstack([X, X, -X]), y, penalty=L1(0.05), tol=TIGHT, solver=solver)
    assert twice.certificate.primal == pytest.approx(once.certificate.primal, rel=1e-11)
    parts = twice.coef.reshape(3, 20)
    np.testing.assert_allclose(parts[0] + parts[1] - parts[2], once.coef, atol=CLOSE)
    assert twice.status == "optimal"


def test_ratio_one_is_l1_and_ratio_zero_is_l2(data: Any, solver: str) -> None:
    X, y, _ = data
    for special, general in ((L1(0.1), ElasticNet(0.1, 1.0)), (L2(0.1), ElasticNet(0.1, 0.0))):
        assert_same(
            solve(X, y, penalty=special, tol=TIGHT, solver=solver),
            solve(X, y, penalty=general, tol=TIGHT, solver=solver),
        )

"""Large dense X read by a copy of one byte a number: as proven as by X itself, with fewer bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problems import regression

from regsolve import Path, path, solve, verify
from regsolve.penalties import L1, ElasticNet

N, P = 200, 31_500  # 50 MB: above what caches hold, where a copy is made


def drawn(kind: str, seed: int = 0) -> np.ndarray:
    """(N, P) by columns: what bytes hold exactly, well, badly, and not at all."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((P, N))
    if kind == "genotypes":
        X = rng.integers(0, 3, (P, N)).astype(float)
    elif kind == "one hot":
        X = (rng.random((P, N)) < 0.05).astype(float)
    elif kind == "heavy tails":
        X = rng.standard_t(1.5, (P, N))
    elif kind == "outlying row":
        X[:, 3] *= 1e5
    elif kind == "scales":
        X *= 10.0 ** rng.integers(-150, 150, (P, 1))
    elif kind == "far means":
        X += 1e4
    elif kind == "near copies":  # within a hundredth of a byte's step of each other
        X[1::2] = X[::2][: X[1::2].shape[0]] + 1e-4 * rng.standard_normal((P // 2, N))
    elif kind == "one factor":  # every column within a few steps of every other
        X = rng.standard_normal((1, N)) + 0.02 * X
    elif kind == "constant columns":
        X[::3] = 7.0
    return X.T


def target(X: np.ndarray, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    Z = X[:, rng.choice(P, 12, replace=False)]
    spread = Z.std(axis=0)
    return (Z / np.where(spread > 0.0, spread, 1.0)).sum(axis=1) + rng.standard_normal(N)


def path_by_x(X: np.ndarray, y: np.ndarray, **given: Any) -> Path:
    """The path where no memory is allowed for a copy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("regsolve._call._COPY_BYTES", 0.0)
        return path(X, y, **given)


KINDS = [
    "normal",
    "genotypes",
    "one hot",
    "heavy tails",
    "outlying row",
    "scales",
    "far means",
    "near copies",
    "one factor",
    "constant columns",
]


def coef_of(found: Path, k: int) -> np.ndarray:
    return np.asarray(found.coefs[:, [k]].toarray()).ravel()


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_proven_without_the_copy(kind: str) -> None:
    X = drawn(kind)
    y = target(X)
    found = path(X, y, n_alphas=10, alpha_min_ratio=0.05, standardize=True, solver="working_set")
    assert np.all(found.converged)
    for k in (3, 6, 9):
        penalty = L1(found.alphas[k])
        proof = verify(
            X, y, coef_of(found, k), found.intercepts[k], penalty=penalty, standardize=True
        )
        assert proof.relative_gap < 1e-9
        assert proof.relative_gap < found.relative_gaps[k] + 1e-11


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.05])
def test_the_copy_takes_the_place_of_readings(l1_ratio: float) -> None:
    X, y = regression(500, 12_600, rho=0.5, seed=0)
    given: dict[str, Any] = {
        "penalty": ElasticNet(1.0, l1_ratio=l1_ratio),
        "n_alphas": 40,
        "alpha_min_ratio": 0.02,
    }
    by_copy, by_x = path(X, y, **given), path_by_x(X, y, **given)
    assert abs(by_copy.coefs - by_x.coefs).max() < 1e-8 * abs(by_x.coefs).max()
    assert by_copy.report.n_passes < 0.7 * by_x.report.n_passes
    assert by_copy.report.peak_bytes > by_x.report.peak_bytes + X.size / 2


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rows_are_copied_as_columns_are(dtype: Any) -> None:
    """To the last bit, with as few bytes read."""
    X, y = regression(300, 42_003, rho=0.7, seed=2)
    X = np.asfortranarray(X, dtype=dtype)
    given: dict[str, Any] = {"n_alphas": 20, "alpha_min_ratio": 0.05}
    by_columns, by_rows = path(X, y, **given), path(np.ascontiguousarray(X), y, **given)
    assert abs(by_columns.coefs - by_rows.coefs).max() == 0.0
    np.testing.assert_array_equal(by_columns.relative_gaps, by_rows.relative_gaps)
    assert by_rows.report.n_passes <= by_columns.report.n_passes
    by_x = path_by_x(np.ascontiguousarray(X), y, **given)
    assert abs(by_rows.coefs - by_x.coefs).max() < 1e-8 * abs(by_x.coefs).max()
    assert by_rows.report.n_passes < 0.7 * by_x.report.n_passes


def test_rows_of_a_larger_matrix_are_copied() -> None:
    """Views whose rows lie apart and begin anywhere; columns to spare behind whole lines."""
    X, y = regression(257, 30_001, rho=0.5, seed=4)
    wide = np.full((257, 30_020), np.nan)
    wide[:, 7:30_008] = X
    given: dict[str, Any] = {"n_alphas": 10, "alpha_min_ratio": 0.1}
    found, same = path(wide[:, 7:30_008], y, **given), path(X, y, **given)
    assert abs(found.coefs - same.coefs).max() == 0.0
    assert found.report.n_passes < 3.0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_weights_bounds_and_storage_by_the_copy(dtype: Any) -> None:
    rng = np.random.default_rng(5)
    X = np.asfortranarray(np.hstack([drawn("normal"), drawn("genotypes")]), dtype=dtype)
    y = X[:, :8].sum(axis=1) + rng.standard_normal(N)
    factor = rng.random(2 * P) + 0.5
    factor[:5] = 0.0
    held: dict[str, Any] = {"weights": factor, "lower": -0.05, "upper": 0.2}
    given: dict[str, Any] = {
        "sample_weight": rng.random(N) * (rng.random(N) < 0.8),
        "fit_intercept": False,
    }
    grid: dict[str, Any] = {"penalty": L1(1.0, **held), "n_alphas": 8, "alpha_min_ratio": 0.05}
    found, by_x = path(X, y, **grid, **given), path_by_x(X, y, **grid, **given)
    assert found.report.n_passes < 0.7 * by_x.report.n_passes
    penalty = L1(found.alphas[-1], **held)
    assert verify(X, y, coef_of(found, 7), penalty=penalty, **given).relative_gap < 1e-9


def test_what_bytes_hide_of_a_feature_is_not_taken_for_zero() -> None:
    """Columns whose rounding to bytes is aligned with the residual: all of it counts."""
    rng = np.random.default_rng(1)
    n, p = 1000, 6_300
    v, strong = rng.choice([-1.0, 1.0], n), rng.standard_normal(n)
    X = np.asfortranarray(rng.integers(-127, 128, (n, p)).astype(float))
    X += 0.45 * v[:, None] * rng.choice([-1.0, 1.0], p)
    X[:2] = [[-127.0], [127.0]]  # a step of bytes is 1
    X[:, 0] = 100.0 * strong
    y = 3.0 * strong + v
    unit = np.std(v) * X[:, 1:].std(axis=0).mean()
    alphas = unit * np.array([0.1, 0.08, 0.07, 0.065, 0.06, 0.055, 0.05, 0.045])
    found = path(X, y, alphas=alphas, solver="working_set")
    for k, alpha in enumerate(alphas):
        proof = verify(X, y, coef_of(found, k), found.intercepts[k], penalty=L1(alpha))
        assert proof.relative_gap < 1e-9
    by_x = path_by_x(X, y, alphas=alphas, solver="working_set")
    assert found.report.n_passes < 0.7 * by_x.report.n_passes


def test_one_far_alpha_by_the_copy() -> None:
    X, y = regression(500, 12_600, rho=0.9, seed=3)
    alpha = 0.1 * path(X, y, n_alphas=1).alpha_max
    found = solve(X, y, penalty=L1(alpha))
    assert found.report.n_passes < 3.0
    assert verify(X, y, found.coef, found.intercept, penalty=L1(alpha)).relative_gap < 1e-9


def test_the_copy_takes_a_quarter_of_the_memory_that_is_given() -> None:
    X, y = regression(N, P, rho=0.5, seed=0)
    given: dict[str, Any] = {"n_alphas": 10, "alpha_min_ratio": 0.1, "solver": "working_set"}
    free, short, enough = (path(X, y, max_memory=m, **given) for m in (None, 4.0 * X.size, 4e7))
    assert np.all(short.converged)
    assert free.report.peak_bytes > short.report.peak_bytes + 0.9 * X.size
    assert enough.report.peak_bytes == free.report.peak_bytes
    assert short.report.n_passes > 1.5 * free.report.n_passes


@pytest.mark.parametrize("order", ["F", "C"])
def test_the_copy_is_given_up_where_memory_grows(
    order: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As W grows, what is promised for it leaves no room: the same answers, by X from there."""
    X, y = regression(500, 12_600, rho=0.5, seed=0)
    X = np.array(X, order=order)
    given: dict[str, Any] = {
        "penalty": ElasticNet(1.0, l1_ratio=0.05),
        "n_alphas": 40,
        "alpha_min_ratio": 0.02,
    }
    free = path(X, y, **given)
    monkeypatch.setattr("regsolve._call._PROMISED_BYTES", 2.4e7)
    short = path(X, y, **given)
    assert np.all(short.converged)
    assert abs(short.coefs - free.coefs).max() < 1e-8 * abs(free.coefs).max()
    assert short.report.n_passes > free.report.n_passes + 1.0
    assert short.report.n_passes < path_by_x(X, y, **given).report.n_passes + 1.0
    assert short.report.peak_bytes < free.report.peak_bytes

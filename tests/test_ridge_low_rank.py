"""Solutions at many strengths from a few vectors: what is combined is what would be computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from regsolve import _validate, ridge_path, verify
from regsolve.penalties import L2
from regsolve.ridge import proof
from regsolve.ridge.design import Design, targets
from regsolve.ridge.low_rank import LowRank
from regsolve.ridge.normal import Normal


def _smooth(k: int, q: int, rank: int) -> Any:
    """(k, q) of this rank, columns of sizes apart by twelve digits."""
    rng = np.random.default_rng([k, q, rank])
    C = rng.standard_normal((k, rank)) @ rng.standard_normal((rank, q))
    return np.asfortranarray(C * np.geomspace(1e-6, 1e6, q))


@pytest.mark.parametrize("rank", [1, 5, 19])
def test_each_column_is_kept_to_rounding(rank: int) -> None:
    C = _smooth(80, 40, rank)
    few = LowRank.of(C)
    assert few.Y is not None
    assert few.Q.shape == (80, rank)
    assert np.allclose(few.Q.T @ few.Q, np.eye(rank), atol=1e-14)
    error = np.linalg.norm(few.combine(few.Q) - C, axis=0)
    assert np.all(error <= 1e-14 * np.linalg.norm(C, axis=0))


def test_columns_that_span_much_stay_as_they_are() -> None:
    many = _smooth(20, 2000, 3)  # of many targets: an (q, q) array beside it would be too much
    for C in (_smooth(80, 40, 30), _smooth(80, 3, 1), np.full((5, 8), np.nan), many):
        few = LowRank.of(C)
        assert few.Y is None
        assert few.combine(few.Q) is C


def test_columns_of_zeros() -> None:
    C = _smooth(30, 12, 2)
    C[:, 3] = 0.0
    few = LowRank.of(C)
    assert not few.combine(few.Q)[:, 3].any()
    nothing = LowRank.of(np.zeros((30, 12)))
    assert nothing.Y is not None
    assert not nothing.combine(nothing.Q).any()
    assert nothing.combine(nothing.Q).shape == (30, 12)


@pytest.mark.parametrize("kind", ["columns", "rows", "csc"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_proof_is_that_of_the_combined_solutions(kind: str, weighted: bool) -> None:
    """Far from the optimum as near it: C holds arbitrary combinations of a few vectors."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, 200)) * (rng.uniform(size=(60, 200)) < 0.5) + 3.0
    given = {"columns": np.asfortranarray, "rows": np.ascontiguousarray, "csc": sp.csc_array}[kind]
    s = rng.uniform(size=60) if weighted else None
    Y = rng.standard_normal((60, 3)) + 1.0
    design = Design(_validate.design(given(X)), given(X), s, True, weighted, 1)
    normal = Normal(design, targets(design, Y))
    t, a = np.arange(24) % 3, np.geomspace(1e-2, 1e2, 24)
    C = design.centred(_smooth(60, 24, 6))
    W, found = normal.prove(C, a, t)
    assert LowRank.of(C).Y is not None
    expected = design.tdot(C)
    exact = proof.from_data(design, normal.gradient, expected, a, t, normal.targets)
    size = np.linalg.norm(expected, axis=0)
    assert np.all(np.linalg.norm(W - expected, axis=0) <= 1e-12 * size)
    assert np.allclose(found.primal, exact.primal, rtol=1e-12)
    assert np.allclose(found.kkt, exact.kkt, rtol=1e-10)
    assert np.all(found.gap >= exact.gap * (1.0 - 1e-10))
    r = normal.targets.R[:, t] - design.dot(expected)
    steep = design.tdot(r) - a * expected
    assert np.allclose(found.gap, np.einsum("jq,jq->q", steep, steep) / (2.0 * a), rtol=1e-10)


def test_a_path_reads_x_hardly_more_often_than_its_smallest_strength() -> None:
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal((120, 60_000)))
    y = X[:, :5] @ np.arange(1.0, 6.0) + rng.standard_normal(120)
    alphas = 6e4 * np.geomspace(1e2, 1e-2, 100)
    few = ridge_path(X, y, alphas[-1:], solver="krylov", tol=1e-9)
    many = ridge_path(X, y, alphas, solver="krylov", tol=1e-9)
    assert many.report.n_passes <= few.report.n_passes + 6.0
    assert set(many.statuses) == {"optimal"}
    for q in (0, 50, 99):
        judged = verify(X, y, many.coefs[:, q], many.intercepts[q], penalty=L2(alphas[q] / 120))
        assert judged.relative_gap <= 1e-9
        assert judged.gap <= many.relative_gaps[q] * 0.5 * np.var(y) * 1.01 + 1e-13

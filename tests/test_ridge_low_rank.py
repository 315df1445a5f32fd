"""Solutions at many strengths from a few vectors: what is combined is what would be computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from regsolve import _validate, ridge_path, verify
from regsolve.penalties import L2
from regsolve.ridge import krylov, proof
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


KINDS: dict[str, Any] = {
    "columns": np.asfortranarray,
    "rows": np.ascontiguousarray,
    "csc": sp.csc_array,
}


@pytest.mark.parametrize("n_steps", [3, 40])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_steps_have_made_proves_as_x_does(
    kind: str, wide: bool, weighted: bool, n_steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three steps, far from the optimum, and at it; standardised, a constant column."""
    monkeypatch.setattr(krylov, "IMAGES", 9.0)
    rng = np.random.default_rng(4)
    n, p = (60, 200) if wide else (200, 60)
    X = rng.standard_normal((n, p)) * (rng.uniform(size=(n, p)) < 0.5) + 3.0
    X[:, 5] = 1.0
    s = rng.uniform(size=n) if weighted else None
    Y = rng.standard_normal((n, 3)) + 1.0
    design = Design(_validate.design(KINDS[kind](X)), KINDS[kind](X), s, True, weighted, 1)
    normal = Normal(design, targets(design, Y))
    t, a = np.arange(24) % 3, n * np.geomspace(1e-1, 1e2, 24)
    solved = krylov.solve(normal, a, t, 1e-12, n_steps, 1e9, lambda *_: True)
    passes = design.passes
    assert len(solved.spans) == 3
    W, found = normal.prove_spans(solved.C, solved.spans, a, t, np.inf)
    assert design.passes == passes + wide
    expected = design.tdot(solved.C) if wide else solved.C
    assert np.allclose(W, expected, rtol=1e-11, atol=1e-13 * np.max(np.abs(expected)))
    exact = proof.from_data(design, normal.gradient, expected, a, t, normal.targets)
    assert np.allclose(found.primal, exact.primal, rtol=1e-12)
    assert np.all(found.gap >= exact.gap * (1.0 - 1e-10) - 1e-15 * exact.primal)
    assert np.all(found.kkt >= exact.kkt * (1.0 - 1e-10) - 1e-13)
    assert (found.gap <= 1e-10 * exact.primal).all() == (n_steps == 40)


def test_products_are_not_kept_beyond_a_share_of_x_nor_where_means_are_far() -> None:
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((40, 900)), rng.standard_normal((40, 1))
    a, t = np.array([1.0, 90.0]), np.zeros(2, dtype=np.intp)

    def spans(X: Any, most: int) -> int:
        design = Design(_validate.design(X), X, None, True, False, 1)
        normal = Normal(design, targets(design, y))
        solved = krylov.solve(normal, a, t, 1e-9, most, 1e9, lambda *_: True)
        return len(solved.spans)

    assert spans(X, 8) == 1
    assert spans(X, 30) == 0  # a quarter of 40 x 900 numbers holds nine steps of 940
    assert spans(X + 1e6, 8) == 0
    ragged = X + 0.0
    ragged[:, :3] = [1e9, 0.0, 1.0]  # constant columns have no mean worth the name
    assert spans(ragged, 8) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_proof_is_that_of_the_combined_solutions(kind: str, weighted: bool) -> None:
    """Far from the optimum as near it: C holds arbitrary combinations of a few vectors."""
    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, 200)) * (rng.uniform(size=(60, 200)) < 0.5) + 3.0
    given = KINDS[kind]
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


def test_a_path_reads_x_no_more_often_than_its_smallest_strength() -> None:
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal((120, 60_000)))
    y = X[:, :5] @ np.arange(1.0, 6.0) + rng.standard_normal(120)
    alphas = 6e4 * np.geomspace(1e2, 1e-2, 100)
    few = ridge_path(X, y, alphas[-1:], solver="krylov", tol=1e-9)
    many = ridge_path(X, y, alphas, solver="krylov", tol=1e-9)
    assert many.report.n_passes <= few.report.n_passes + 1.0
    assert set(many.statuses) == {"optimal"}
    for q in (0, 50, 99):
        judged = verify(X, y, many.coefs[:, q], many.intercepts[q], penalty=L2(alphas[q] / 120))
        assert judged.relative_gap <= 1e-9
        assert judged.gap <= many.relative_gaps[q] * 0.5 * np.var(y) * 1.01 + 1e-13

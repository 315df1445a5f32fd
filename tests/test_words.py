"""Sparse features as of words: a few in most rows, most in a few, and many stored values.

Working sets of many values state their answers by the Gram matrix alone, and find its columns in
panels, by sweeps or by rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

from regsolve import Path, path, verify
from regsolve.penalties import ElasticNet

N, P = 8000, 2500
TIGHT = 1e-9


def words(n: int = N, p: int = P, seed: int = 0) -> tuple[sparse.csc_matrix, np.ndarray]:
    """Feature j is in a share 0.9 / (1 + j / 8) of the rows, in two at least; copies among them."""
    rng = np.random.default_rng(seed)
    columns = []
    for j in range(p):
        count = max(2, int(0.9 * n / (1.0 + j / 8.0)))
        rows = np.sort(rng.choice(n, count, replace=False))
        columns.append((rows, 1.0 + rng.poisson(0.5, count)))
    for j in range(50, p, 50):
        columns[j] = columns[j - 25]
    indptr = np.cumsum([0] + [len(rows) for rows, _ in columns])
    rows, values = (np.concatenate(part) for part in zip(*columns, strict=True))
    X = sparse.csc_matrix((values, rows, indptr), shape=(n, p))
    w = rng.standard_normal(p) * (rng.random(p) < 0.05)
    z = X @ w
    return X, z + 0.5 * z.std() * rng.standard_normal(n)


def judge(
    X: Any,
    y: np.ndarray,
    fitted: Path,
    penalty: ElasticNet,
    digits: float = 1e-9,
    **options: Any,
) -> None:
    """Every gap is small to verify(), which finds what the path says of itself."""
    assert fitted.report.mode == "working_set"
    assert fitted.converged
    for k, alpha in enumerate(fitted.alphas):
        coef = fitted.coefs[:, [k]].toarray().ravel()
        found = verify(
            X, y, coef, fitted.intercepts[k], penalty=penalty.with_alpha(alpha), **options
        )
        assert found.relative_gap <= TIGHT
        assert found.relative_gap <= fitted.relative_gaps[k] + 1e-3 * digits
        assert fitted.objectives[k] == pytest.approx(found.primal, rel=1e-12)
        assert fitted.kkt_violations[k] == pytest.approx(found.kkt_violation, abs=digits)


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "without intercept": {"fit_intercept": False},
    "weighted": {"sample_weight": np.random.default_rng(1).integers(0, 4, N).astype(float)},
    "standardised": {"standardize": True},
    "with offset": {"offset": 100.0 + np.random.default_rng(2).standard_normal(N)},
}


@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.05])
@pytest.mark.parametrize("variant", VARIANTS)
def test_paths_are_proven(variant: str, ratio: float) -> None:
    X, y = words()
    penalty, options = ElasticNet(l1_ratio=ratio), VARIANTS[variant]
    more: dict[str, Any] = {"n_alphas": 30, "alpha_min_ratio": 1e-2, "tol": TIGHT}
    fitted = path(X, y, penalty=penalty, solver="working_set", **more, **options)
    assert X.getnnz(axis=0)[np.unique(fitted.coefs.indices)].sum() > 2**16
    judge(X, y, fitted, penalty, **options)


@pytest.mark.parametrize(
    "limits",
    [
        {"positive": True},
        {"lower": -0.05, "upper": 0.1},
        {"weights": np.where(np.arange(P) % 400 == 7, 0.0, 1.0 + np.arange(P) % 3)},
        {"weights": np.where(np.arange(P) % 9 == 0, np.inf, 1.0)},
    ],
    ids=["positive", "bounded", "unpenalised", "excluded"],
)
def test_constraints_are_kept(limits: dict[str, Any]) -> None:
    X, y = words(seed=1)
    penalty = ElasticNet(l1_ratio=0.9, **limits)
    fitted = path(
        X, y, penalty=penalty, n_alphas=20, alpha_min_ratio=2e-2, tol=TIGHT, solver="working_set"
    )
    judge(X, y, fitted, penalty)


@pytest.mark.parametrize(("above", "digits"), [(5.0, 1e-9), (1e5, 1e-7)])
def test_means_above_deviations_cost_the_gram_matrix_digits(above: float, digits: float) -> None:
    """Columns without zeros and with one: products of the latter cancel."""
    rng = np.random.default_rng(3)
    X, y = words(seed=2)
    far = above + rng.standard_normal((N, 30))
    far[0, :15] = 0.0
    X = sparse.hstack([X, sparse.csc_matrix(far)], format="csc")
    y = y + 3.0 * (far[:, 20] - above)
    fitted = path(X, y, n_alphas=20, alpha_min_ratio=2e-2, tol=TIGHT, solver="working_set")
    judge(X, y, fitted, ElasticNet(l1_ratio=1.0), digits)


@pytest.mark.parametrize("shape", ["words", "short", "tall"])
def test_stored_values_and_dense_columns_agree(shape: str) -> None:
    """Columns of the Gram matrix by sweeps, by rows, and on more rows than a cache holds."""
    if shape == "short":
        rng = np.random.default_rng(4)
        X = sparse.random_array((3000, 3000), density=0.008, rng=rng, format="csc")
        y = np.asarray(X[:, :300].sum(axis=1)).ravel() + 0.2 * rng.standard_normal(3000)
    else:
        X, y = words() if shape == "words" else words(70_000, 60)
    options: dict[str, Any] = {"n_alphas": 20, "alpha_min_ratio": 2e-2, "tol": 1e-12}
    stored = path(X, y, solver="working_set", **options)
    dense = path(np.asfortranarray(X.toarray()), y, solver="working_set", **options)
    size = np.abs(dense.coefs.toarray()).max()
    np.testing.assert_allclose(
        X @ stored.coefs.toarray(), X @ dense.coefs.toarray(), atol=1e-6 * size
    )
    judge(X, y, stored, ElasticNet(l1_ratio=1.0))


def test_answers_do_not_depend_on_threads() -> None:
    X, y = words(20_000, 4000, seed=5)
    options: dict[str, Any] = {"n_alphas": 20, "alpha_min_ratio": 1e-2, "solver": "working_set"}
    one, two = (path(X, y, n_threads=t, **options) for t in (1, 3))
    np.testing.assert_array_equal(one.coefs.toarray(), two.coefs.toarray())
    np.testing.assert_array_equal(one.relative_gaps, two.relative_gaps)


def test_single_precision_is_proven() -> None:
    X, y = words(seed=6)
    X32 = X.astype(np.float32)
    fitted = path(X32, y, n_alphas=15, alpha_min_ratio=2e-2, tol=TIGHT, solver="working_set")
    judge(X32.astype(float), y, fitted, ElasticNet(l1_ratio=1.0))

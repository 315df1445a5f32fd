"""Degrees of freedom, GCV, evidence and left-out errors against their definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.stats import multivariate_normal

from regsolve.ridge import fit_ridge

ALPHAS = np.array([1e-2, 0.3, 5.0, 200.0])


def _data(n: int, p: int, seed: int = 0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) * (rng.uniform(size=(n, p)) < 0.6) + 0.3
    Y = X[:, : min(3, p)] @ rng.standard_normal((min(3, p), 2)) + rng.standard_normal((n, 2))
    return X, Y, rng.uniform(0.5, 2.0, n)


def _criteria(X: Any, Y: Any, **options: Any) -> Any:
    kept = []

    def pick(solver: Any) -> Any:
        kept.append(solver.criteria())
        return ALPHAS, np.zeros(len(ALPHAS), dtype=int)

    fit_ridge(X, Y, ALPHAS, pick=pick, **options)
    return kept[-1]


def _refit(X: Any, y: Any, s: Any, alpha: float, intercept: bool) -> tuple[Any, float]:
    """Ridge regression as an augmented least-squares problem."""
    p = X.shape[1]
    design = np.column_stack([X, np.ones(len(X))]) if intercept else X
    rows = np.eye(design.shape[1])[:p] * np.sqrt(alpha)
    A = np.vstack([np.sqrt(s)[:, None] * design, rows])
    w = np.linalg.lstsq(A, np.concatenate([np.sqrt(s) * y, np.zeros(p)]), rcond=None)[0]
    return w[:p], float(w[p]) if intercept else 0.0


CASES = pytest.mark.parametrize(
    ("n", "p", "weighted", "intercept", "kind", "solver"),
    [
        (25, 6, False, True, np.asarray, "auto"),
        (25, 6, True, True, sparse.csc_matrix, "auto"),
        (25, 6, True, False, np.asfortranarray, "svd"),
        (12, 30, False, True, np.asarray, "auto"),
        (12, 30, True, True, sparse.csr_matrix, "auto"),
        (12, 30, True, True, np.asarray, "svd"),
        (12, 30, False, False, np.asarray, "auto"),
        (15, 15, True, True, np.asarray, "auto"),
    ],
)


@CASES
def test_left_out_errors_are_those_of_refits(
    n: int, p: int, weighted: bool, intercept: bool, kind: Any, solver: str
) -> None:
    X, Y, s = _data(n, p)
    s = s if weighted else np.ones(n)
    told = _criteria(kind(X), Y, sample_weight=s, fit_intercept=intercept, solver=solver)
    errors = np.concatenate([block for _, block in told.left_out(ALPHAS)])
    folds = np.array_split(np.random.default_rng(1).permutation(n), 4)
    in_folds = told.folds_left_out(folds, ALPHAS)
    for k, alpha in enumerate(ALPHAS):
        for t in range(2):
            for left, found in ((np.arange(n)[:, None], errors), (folds, in_folds)):
                for F in left:
                    kept = np.setdiff1d(np.arange(n), F)
                    w, b = _refit(X[kept], Y[kept, t], s[kept], alpha, intercept)
                    wanted = np.sqrt(s[F]) * (Y[F, t] - X[F] @ w - b)
                    np.testing.assert_allclose(found[F, t, k], wanted, rtol=1e-9, atol=1e-9)


@CASES
def test_degrees_of_freedom_gcv_and_evidence(
    n: int, p: int, weighted: bool, intercept: bool, kind: Any, solver: str
) -> None:
    X, Y, s = _data(n, p, seed=1)
    s = s if weighted else np.ones(n)
    told = _criteria(kind(X), Y, sample_weight=s, fit_intercept=intercept, solver=solver)
    Z = X - s @ X / s.sum() if intercept else X
    R = np.sqrt(s)[:, None] * (Y - s @ Y / s.sum() if intercept else Y)
    Z = np.sqrt(s)[:, None] * Z
    for k, alpha in enumerate(ALPHAS):
        H = Z @ np.linalg.solve(Z.T @ Z + alpha * np.eye(p), Z.T)
        H += np.outer(np.sqrt(s), np.sqrt(s)) / s.sum() if intercept else 0.0
        np.testing.assert_allclose(told.df(ALPHAS)[k], np.trace(H), rtol=1e-9)
        rss = ((R - H @ R) ** 2).sum(axis=0)
        wanted = n * rss / (n - np.trace(H)) ** 2
        np.testing.assert_allclose(told.gcv(ALPHAS)[k], wanted, rtol=1e-9)
        # evidence: the covariance written out, its scale at the maximum
        V = np.diag(1.0 / s) + (Z / np.sqrt(s)[:, None]) @ (Z / np.sqrt(s)[:, None]).T / alpha
        y = R / np.sqrt(s)[:, None]
        for t in range(2):
            q = y[:, t] @ np.linalg.solve(V, y[:, t])
            ml = multivariate_normal(np.zeros(n), V * q / n).logpdf(y[:, t])
            np.testing.assert_allclose(told.log_evidence(ALPHAS)[k, t], ml, rtol=1e-9)
            nu = n - 1 if intercept else n
            reml = multivariate_normal(np.zeros(n), V * q / nu).logpdf(y[:, t])
            if intercept:  # the integral over the mean, of precision 1'V^-1 1 nu / q
                precision = np.ones(n) @ np.linalg.solve(V, np.ones(n)) * nu / q
                reml += 0.5 * np.log(2 * np.pi) - 0.5 * np.log(precision)
            found = told.log_evidence(ALPHAS, restricted=True)[k, t]
            np.testing.assert_allclose(found, reml, rtol=1e-9)


def test_many_rows_and_alphas_go_through_in_blocks() -> None:
    """Blocks of rows join to the same answer as one."""
    X, Y, s = _data(4000, 5)
    told = _criteria(X, Y, sample_weight=s)
    alphas = np.geomspace(1e-3, 1e3, 70)
    blocks = list(told.left_out(alphas))
    assert len(blocks) > 1
    joined = np.concatenate([block for _, block in blocks])
    one = np.concatenate([block for _, block in told.left_out(alphas[:1])])
    np.testing.assert_allclose(joined[:, :, :1], one, rtol=1e-10)


def test_criteria_need_the_spectrum() -> None:
    X, Y, _ = _data(20, 4)
    with pytest.raises(ValueError, match="spectrum"):
        _criteria(X, Y, solver="cholesky")


@pytest.mark.parametrize("intercept", [True, False])
def test_gcv_keeps_its_digits_where_df_comes_to_n(intercept: bool) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 100)), rng.standard_normal(40)
    told = _criteria(X, y[:, None], fit_intercept=intercept)
    alphas = np.geomspace(1e-14, 1e2, 9)
    Z, t = (X - X.mean(axis=0), y - y.mean()) if intercept else (X, y)
    U, s, _ = np.linalg.svd(Z, full_matrices=False)
    kept = s > 1e-10 * s[0]
    L, c = s[kept] ** 2, U[:, kept].T @ t
    shares = alphas[:, None] / (L + alphas[:, None])
    exact = 40 * (shares**2 @ c**2) / shares.sum(axis=1) ** 2
    assert told.gcv(alphas)[:, 0] == pytest.approx(exact, rel=1e-8)

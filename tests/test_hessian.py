"""Shrinkage along the Hessian's eigenvectors, and the lasso as a soft threshold."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from regsolve import solve
from regsolve.penalties import L1, L2
from regsolve.ridge import ridge_path
from regsolve.views import shrinkage, soft_threshold_view

SHAPES = [(60, 20), (20, 60), (30, 30), (1, 3), (5, 1)]
KINDS = {
    "rows": np.ascontiguousarray,
    "float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "csc": sparse.csc_matrix,
    "csr": sparse.csr_array,
}


def _data(n: int, p: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(10 * n + p)
    X = rng.standard_normal((n, p)) * (rng.uniform(size=(n, p)) < 0.6)
    X = X.astype(np.float32).astype(np.float64)
    return X, X @ rng.standard_normal(p) + rng.standard_normal(n), rng.uniform(0.1, 2.0, n)


def _plain(X: Any, s: Any, fit_intercept: bool, standardize: bool) -> tuple[Any, Any, Any]:
    """Z / sqrt(sum s), its means and scales, by the formulas."""
    omega = s / s.sum()
    m = omega @ X if fit_intercept else np.zeros(X.shape[1])
    e = np.sqrt(omega @ (X - m) ** 2) if standardize else np.ones(X.shape[1])
    constant = e <= 1e-14
    return np.sqrt(omega)[:, None] * np.where(constant, 0.0, (X - m) / (e + constant)), m, e


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_view_is_the_hessian_s(
    n: int, p: int, kind: str, fit_intercept: bool, standardize: bool
) -> None:
    X, y, s = _data(n, p)
    options: dict[str, Any] = {"fit_intercept": fit_intercept, "standardize": standardize}
    view = shrinkage(KINDS[kind](X), 0.3, y, sample_weight=s, **options)
    Z, _, _ = _plain(X, s, **options)
    H = Z.T @ Z
    values = np.linalg.eigvalsh(H)[::-1]
    r = np.linalg.matrix_rank(Z) if np.abs(Z).max() > 1e-14 else 0
    top = max(values[0], 1e-300)
    assert len(view.eigenvalues) == r
    assert view.n_null == p - r
    np.testing.assert_allclose(view.eigenvalues, values[:r], atol=1e-12 * top)
    V = view.directions
    np.testing.assert_allclose(V.T @ V, np.eye(r), atol=1e-10)
    np.testing.assert_allclose(H @ V, V * view.eigenvalues, atol=1e-11 * top)
    for k in range(r):
        np.testing.assert_allclose(view.direction(k), V[:, k], atol=1e-14)
    np.testing.assert_allclose(view.factors, values[:r] / (values[:r] + 0.3), atol=1e-10)
    assert view.df == pytest.approx(view.factors.sum() + fit_intercept)

    fit = solve(KINDS[kind](X), y, penalty=L2(0.3), sample_weight=s, tol=1e-14, **options)
    size = 1e-9 * max(1.0, np.abs(view.coef_ols).max())
    np.testing.assert_allclose(view.coef_ridge, fit.coef, atol=size)
    assert view.intercept_ridge == pytest.approx(fit.intercept, abs=10 * size)
    scale = _plain(X, s, **options)[2]
    np.testing.assert_allclose(V.T @ (fit.coef * scale), view.ridge, atol=10 * size)
    target = np.sqrt(s / s.sum()) * (y - fit_intercept * ((s / s.sum()) @ y))
    least = np.linalg.pinv(Z, rcond=1e-10) @ target
    np.testing.assert_allclose(view.coef_ols * scale, least, atol=1e-7 * max(1, abs(least).max()))
    np.testing.assert_allclose(V.T @ least, view.ols, atol=1e-7 * max(1, abs(least).max()))


def test_another_strength_needs_no_other_factor() -> None:
    X, y, s = _data(60, 20)
    view = shrinkage(X, 0.3, y, sample_weight=s)
    for alpha in (0.0, 0.01, 5.0):
        moved, fresh = view.at(alpha), shrinkage(X, alpha, y, sample_weight=s)
        np.testing.assert_array_equal(moved.coef_ridge, fresh.coef_ridge)
        assert moved.df == fresh.df
    np.testing.assert_array_equal(view.at(0.0).factors, 1.0)
    told = ridge_path(X, y, [0.3 * s.sum()], sample_weight=s, criteria=True)
    assert told.df is not None
    assert view.df == pytest.approx(told.df[0], rel=1e-12)
    with pytest.raises(dataclasses.FrozenInstanceError):
        view.alpha = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(("n", "p"), [(40, 12), (12, 40)])
def test_deficient_rank(n: int, p: int) -> None:
    """Duplicates, zeros and constants add no direction, and take no part in the answer."""
    X, y, s = _data(n, p)
    X[:, 3], X[:, 4], X[:, 5] = X[:, 2], 0.0, 7.0
    view = shrinkage(X, 0.1, y, sample_weight=s)
    assert len(view.eigenvalues) == np.linalg.matrix_rank(X - (s / s.sum()) @ X)
    for coef in (view.coef_ols, view.coef_ridge):
        assert coef[2] == pytest.approx(coef[3], rel=1e-9)
        np.testing.assert_allclose(coef[4:6], 0.0, atol=1e-9)
    fit = solve(X, y, penalty=L2(0.1), sample_weight=s, tol=1e-14)
    np.testing.assert_allclose(view.coef_ridge, fit.coef, atol=1e-9)


def test_nothing_but_constants() -> None:
    view = shrinkage(np.full((5, 3), 2.0), 0.1, np.arange(5.0))
    assert view.eigenvalues.shape == (0,)
    assert view.df == 1.0
    assert view.directions.shape == (3, 0)
    np.testing.assert_array_equal(view.coef_ridge, np.zeros(3))
    assert view.intercept_ridge == pytest.approx(2.0)


def test_ill_conditioned_directions_are_right() -> None:
    """Eigenvalues down to 1e-22 of the largest, which X'X alone would lose."""
    rng = np.random.default_rng(5)
    for n, p in ((50, 8), (8, 50)):
        U = np.linalg.qr(rng.standard_normal((n, 8)))[0]
        V = np.linalg.qr(rng.standard_normal((p, 8)))[0]
        length = np.logspace(0, -11, 8)
        X = (U * length) @ V.T
        y = U @ length
        view = shrinkage(X, 1e-9, y, fit_intercept=False)
        assert len(view.eigenvalues) == 8
        np.testing.assert_allclose(np.sqrt(n * view.eigenvalues), length, rtol=1e-3)
        np.testing.assert_allclose(np.abs(view.ols), 1.0, rtol=1e-3)


def test_without_a_target_there_are_no_coefficients() -> None:
    X, y, _ = _data(20, 5)
    view = shrinkage(X, 0.1)
    assert view.ols is None
    assert view.ridge is None
    with pytest.raises(ValueError, match="need y"):
        view.coef_ridge  # noqa: B018
    for alpha in (-1.0, np.nan, "a", None):
        with pytest.raises(ValueError, match="alpha="):
            shrinkage(X, alpha, y)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="y has 3 entries"):
        shrinkage(X, 0.1, y[:3])


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_soft_threshold_is_the_lasso_of_a_diagonal_hessian(fit_intercept: bool) -> None:
    rng = np.random.default_rng(2)
    n, p = 64, 9
    A = rng.standard_normal((n, p + 1))
    A[:, 0] = 1.0
    X = np.linalg.qr(A)[0][:, 1:] * np.linspace(1, 20, p)  # orthogonal to 1 and to each other
    y = X @ rng.standard_normal(p) + rng.standard_normal(n) + 3.0
    for alpha in (0.0, 0.05, 0.4, 1e3):
        view = soft_threshold_view(X, y, alpha, fit_intercept=fit_intercept)
        np.testing.assert_allclose(view.curvatures, np.linspace(1, 20, p) ** 2 / n, rtol=1e-12)
        np.testing.assert_allclose(view.coef, view.lasso.coef, atol=1e-11)
        assert view.distance <= 1e-11
        assert view.excess <= 1e-13
        assert view.off_diagonal <= 1e-7
    assert not view.coef.any()


@pytest.mark.parametrize("make", [np.asarray, sparse.csc_matrix])
def test_soft_threshold_tells_how_far_it_is_off(make: Any) -> None:
    X, y, s = _data(60, 20)
    view = soft_threshold_view(make(X), y, 0.2, sample_weight=s)
    Z, _, _ = _plain(X, s, True, False)
    H = Z.T @ Z
    off = np.linalg.norm(H - np.diag(np.diag(H))) / np.linalg.norm(H)
    assert view.off_diagonal == pytest.approx(off, rel=1e-10)
    lasso = solve(X, y, penalty=L1(0.2), sample_weight=s, tol=1e-12)
    assert view.distance == pytest.approx(np.abs(view.coef - lasso.coef).max(), abs=1e-9)
    assert view.distance > 0.01

    def objective(w: Any, b: float) -> float:
        return float(s @ (y - X @ w - b) ** 2 / (2 * s.sum()) + 0.2 * np.abs(w).sum())

    b = float((s / s.sum()) @ (y - X @ view.coef))
    above = objective(view.coef, b) - objective(lasso.coef, lasso.intercept)
    null = objective(np.zeros(20), float((s / s.sum()) @ y))
    assert view.excess == pytest.approx(above / null, abs=1e-9)
    assert view.excess > 1e-3


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda view: pickle.loads(pickle.dumps(view))])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "p"), [(60, 20), (20, 60)])
def test_views_are_copied_and_pickled(copied: Any, kind: str, n: int, p: int) -> None:
    X, y, s = _data(n, p)
    view = shrinkage(KINDS[kind](X), 0.1, y, sample_weight=s)
    other = copied(view)
    for name in ("coef_ridge", "directions", "df"):
        np.testing.assert_allclose(getattr(other, name), getattr(view, name), rtol=1e-12)
    np.testing.assert_allclose(other.at(3.0).coef_ridge, view.at(3.0).coef_ridge, rtol=1e-12)

"""Ridge where the normal equations would lose the answer, against arithmetic of 80 digits."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Peer

from regsolve import Ridge
from regsolve.ridge import fit_ridge, ridge_path

mpmath = pytest.importorskip("mpmath")

EPS = float(np.finfo(np.float64).eps)
ALPHAS = np.logspace(0, -12, 7)
ROUNDING, FLOOR = 8.0, 16.0 * EPS  # within a digit of theirs, and of what rounding leaves


def _hilbert(n: int, p: int) -> Any:
    """1 / (i + j + 1): conditions beyond 1e16 from p = 13 on."""
    return 1.0 / (np.arange(n)[:, None] + np.arange(p) + 1.0)


def _duplicated(n: int, p: int) -> Any:
    """Every column twice, the last but for a part in 1e9."""
    half = np.random.default_rng([n, p]).standard_normal((n, p // 2))
    X = np.repeat(half, 2, axis=1)
    X[:, -1] *= 1.0 + 1e-9 * np.sign(half[:, 0])
    return X


def _vandermonde(n: int, p: int) -> Any:
    """Monomials on [0, 1]."""
    return np.linspace(0.0, 1.0, n)[:, None] ** np.arange(p)


DESIGNS = {
    "hilbert-60x12": _hilbert(60, 12),
    "hilbert-40x40": _hilbert(40, 40),
    "hilbert-12x60": _hilbert(12, 60),
    "duplicated-80x20": _duplicated(80, 20),
    "duplicated-20x60": _duplicated(20, 60),
    "duplicated-30x30": _duplicated(30, 30),
    "vandermonde-50x14": _vandermonde(50, 14),
}


def _target(X: Any) -> Any:
    rng = np.random.default_rng(len(X))
    return X @ rng.standard_normal(X.shape[1]) + 0.1 * rng.standard_normal(len(X))


@cache
def _exact(name: str, alpha: float, intercept: bool) -> Any:
    """(Z'Z + alpha I)^{-1} Z'R, or Z'(Z Z' + alpha I)^{-1} R, whichever is the smaller."""
    X = DESIGNS[name]
    with mpmath.workdps(80):
        Z, y = mpmath.matrix(X.tolist()), mpmath.matrix(_target(X).tolist())
        n, p = X.shape
        if intercept:
            for j in range(p):
                mean = mpmath.fsum(Z[i, j] for i in range(n)) / n
                for i in range(n):
                    Z[i, j] -= mean
            mean = mpmath.fsum(y) / n
            y = y - mpmath.matrix([mean] * n)
        S = Z.T * Z if p <= n else Z * Z.T
        S += mpmath.mpf(alpha) * mpmath.eye(min(n, p))
        w = mpmath.lu_solve(S, Z.T * y) if p <= n else Z.T * mpmath.lu_solve(S, y)
        return np.array([float(value) for value in w])


def _error(coef: Any, exact: Any) -> float:
    return float(np.linalg.norm(np.ravel(coef) - exact) / np.linalg.norm(exact))


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("name", DESIGNS)
def test_never_worse_than_the_singular_values_of_scikit_learn(name: str, intercept: bool) -> None:
    """One alpha by the cost model, and by name; all alphas from one factorisation."""
    X, y = DESIGNS[name], _target(DESIGNS[name])
    path = ridge_path(X, y, ALPHAS, fit_intercept=intercept)
    worse = []
    for k, alpha in enumerate(ALPHAS):
        exact = _exact(name, alpha, intercept)
        theirs = Peer(alpha, solver="svd", fit_intercept=intercept).fit(X, y).coef_
        allowed = max(ROUNDING * _error(theirs, exact), FLOOR)
        ours = {
            "path": path.coefs[:, k],
            "auto": Ridge(alpha, fit_intercept=intercept).fit(X, y).coef_,
            "svd": Ridge(alpha, solver="svd", fit_intercept=intercept).fit(X, y).coef_,
            "cholesky": Ridge(alpha, solver="cholesky", fit_intercept=intercept).fit(X, y).coef_,
        }
        for solver in ("tridiagonal", "eigen"):
            ours[solver] = fit_ridge(
                X, y[:, None], [alpha], solver=solver, fit_intercept=intercept
            ).coefs
        for what, coef in ours.items():
            found = _error(coef, exact)
            if not found <= allowed:
                worse.append(f"{what} at {alpha:.0e}: {found:.1e} over {allowed:.1e}")
    assert not worse, "\n".join(worse)


@pytest.mark.parametrize("name", ["hilbert-60x12", "hilbert-12x60", "vandermonde-50x14"])
def test_small_designs_keep_nine_digits(name: str) -> None:
    """Refined answers lose nothing to the condition."""
    X, y = DESIGNS[name], _target(DESIGNS[name])
    for alpha in ALPHAS[2:]:
        model = Ridge(alpha, fit_intercept=False).fit(X, y)
        assert _error(model.coef_, _exact(name, alpha, False)) < 1e-9


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize(("n", "p"), [(400, 50), (50, 400), (120, 120)])
def test_each_regime_that_the_cost_model_picks(n: int, p: int, n_targets: int) -> None:
    """Well-conditioned designs: a factor for one alpha, a spectrum or tridiagonal for many."""
    X = np.random.default_rng([n, p]).standard_normal((n, p))
    Y = np.column_stack([_target(X)] * n_targets) * np.arange(1.0, n_targets + 1.0)
    modes = set()
    for alphas in ([3.0], np.geomspace(1.0, 100.0, 50)):
        path = ridge_path(X, Y, alphas)
        modes.add(path.report.mode.split("-")[1])
        for k, alpha in enumerate(path.alphas):
            theirs = Peer(alpha, solver="svd").fit(X, Y).coef_.reshape(n_targets, -1)
            ours = path.coefs[:, :, k]
            assert np.linalg.norm(ours - theirs) <= 1e-12 * np.linalg.norm(theirs)
    assert "cholesky" in modes
    assert len(modes) == 2


@pytest.mark.parametrize("solver", ["cholesky", "tridiagonal"])
@pytest.mark.parametrize("shape", [(90, 60), (60, 90)])
def test_corrections_stand_in_for_a_root_that_is_dear(
    shape: tuple[int, int], solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A condition of 1e10, where the normal equations alone keep six digits."""
    from regsolve.ridge import direct, fit_ridge

    rng = np.random.default_rng(7)
    k = min(shape)
    U, V = (np.linalg.qr(rng.standard_normal((m, k)))[0] for m in shape)
    X = U * np.geomspace(1.0, 1e-6, k) @ V.T
    Y = rng.standard_normal((shape[0], 2))
    a = np.array([1e-10, 1e-10])
    given = {"fit_intercept": False, "tol": 1e-9}
    exact = fit_ridge(X, Y, a, np.array([0, 1]), solver="svd", **given)
    monkeypatch.setattr(direct, "SMALL", 0)
    monkeypatch.setattr(direct, "DEAR", 0.0)
    found = fit_ridge(X, Y, a, np.array([0, 1]), solver=solver, **given)
    assert found.report.mode.endswith(solver)
    for near, far in zip(found.certificates, exact.certificates, strict=True):
        assert near.primal <= far.primal * (1.0 + 1e-12)
    np.testing.assert_allclose(found.coefs, exact.coefs, rtol=0, atol=1e-7 * abs(exact.coefs).max())


def test_a_factor_by_blocks() -> None:
    """More rows than a block; the lower triangle is left alone; what is indefinite is told."""
    from regsolve import _core

    rng, k = np.random.default_rng(0), 4300
    V = rng.standard_normal((k, 3))
    M = np.asfortranarray(V @ V.T + np.diag(np.linspace(1.0, 2.0, k)))
    R, x = M.copy(order="F"), rng.standard_normal(k)
    assert _core.cholesky(R)
    assert np.array_equal(np.tril(R, -1), np.tril(M, -1))
    U = np.triu(R)
    np.testing.assert_allclose(U.T @ (U @ x), M @ x, rtol=1e-11, atol=1e-9)
    M[-1, -1] = -1.0
    assert not _core.cholesky(M)
    with pytest.raises(ValueError, match="by columns"):
        _core.cholesky(np.eye(3)[:2].T[:, ::-1])


def _left_out(X: Any, y: Any, s: Any, alpha: float, intercept: bool) -> float:
    """Mean of s_i times the squared error of row i, each fit without it; 40 digits."""
    total = mpmath.mpf(0)
    with mpmath.workdps(40):
        A = mpmath.matrix(X.tolist())
        for i in range(len(y)):
            w = [mpmath.mpf(float(v)) for v in s]
            w[i] = mpmath.mpf(0)
            W, rows, p = sum(w), range(len(y)), X.shape[1]
            m = [intercept * sum(w[r] * A[r, j] for r in rows) / W for j in range(p)]
            centre = intercept * sum(w[r] * mpmath.mpf(float(y[r])) for r in rows) / W
            Z = mpmath.matrix(
                [[mpmath.sqrt(w[r]) * (A[r, j] - m[j]) for j in range(p)] for r in rows]
            )
            R = mpmath.matrix(
                [mpmath.sqrt(w[r]) * (mpmath.mpf(float(y[r])) - centre) for r in rows]
            )
            c = mpmath.lu_solve(Z.T * Z + mpmath.mpf(alpha) * mpmath.eye(p), Z.T * R)
            fit = centre + sum((A[i, j] - m[j]) * c[j] for j in range(p))
            total += mpmath.mpf(float(s[i])) * (mpmath.mpf(float(y[i])) - fit) ** 2
        return float(total / len(y))


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize(
    ("n", "p", "without_weight"), [(8, 6, 2), (8, 8, 0), (9, 5, 4), (10, 4, 0)]
)
def test_left_out_errors_where_the_features_span_all_rows(
    n: int, p: int, without_weight: int, intercept: bool
) -> None:
    """1 - h is tiny there, and no difference of numbers near 1."""
    rng = np.random.default_rng([n, p])
    X = rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-1.5, 1.5, p)
    y, s = rng.standard_normal(n), np.ones(n)
    s[:without_weight] = 0.0
    alphas = [1e-4, 1e-8, 1e-11]
    path = ridge_path(X, y, alphas, sample_weight=s, criteria=True, fit_intercept=intercept)
    wanted = [_left_out(X, y, s, alpha, intercept) for alpha in alphas]
    np.testing.assert_allclose(path.loo, wanted, rtol=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_no_strength_at_all_keeps_columns_of_any_scale(seed: int) -> None:
    """Singular values 1e-9 of the largest are known to seven digits, their squares to none."""
    rng = np.random.default_rng(seed)
    scale = np.array([1e-5, 1e4, 1.0])
    X, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    plain, scaled = Ridge(0.0).fit(X, y), Ridge(0.0).fit(X * scale, y)
    np.testing.assert_allclose(scaled.coef_ * scale, plain.coef_, rtol=1e-5)
    assert scaled.status_ == "optimal"


@pytest.mark.parametrize("alpha", [1e-12, 1e-16, 1e-20, 5e-324])
def test_tiny_strengths_have_the_least_norm_in_the_limit(alpha: float) -> None:
    """Rank 6, or as many rows as features: a zero but for rounding is not divided by alpha."""
    rng = np.random.default_rng(0)
    low = rng.standard_normal((12, 6)) @ rng.standard_normal((6, 20))
    for X in (low, rng.standard_normal((12, 12))):
        y = rng.standard_normal(12)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a gap over 2 alpha is beyond float64 at the least
            found = Ridge(alpha).fit(X, y)
        wanted = np.linalg.pinv(X - X.mean(axis=0), rcond=1e-12) @ (y - y.mean())
        np.testing.assert_allclose(found.coef_, wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("n", "p"), [(5, 12), (12, 12), (20, 60)])
def test_no_strength_at_means_far_from_zero(n: int, p: int) -> None:
    """What rounding of a mean leaves of the intercept's direction is no singular value."""
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((n, p)) + 1000.0, rng.standard_normal(n)
        fitted = Ridge(0.0).fit(X, y)
        wanted = np.linalg.pinv(X - X.mean(axis=0), rcond=1e-10) @ (y - y.mean())
        assert fitted.status_ == "optimal"
        np.testing.assert_allclose(fitted.coef_, wanted, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("solver", ["auto", "svd", "eigen"])
@pytest.mark.parametrize(("mean", "apart"), [(0.0, 0.0), (0.0, 1e-6), (100.0, 0.0)])
@pytest.mark.parametrize("p", [11, 12])
def test_left_out_errors_of_rows_that_are_alike(
    solver: str, mean: float, apart: float, p: int
) -> None:
    """Directions that rows alike leave are known to few digits: they have no say above them."""
    rng = np.random.default_rng(p)
    X, y, s = rng.standard_normal((12, p)) + mean, rng.standard_normal(12), np.ones(12)
    X[1] = X[0] + apart * rng.standard_normal(p)
    alphas = [1e-2, 1.0, 10.0]
    path = ridge_path(X, y, alphas, criteria=True, solver=solver)
    wanted = [_left_out(X, y, s, alpha, intercept=True) for alpha in alphas[::-1]]
    np.testing.assert_allclose(path.loo, wanted, rtol=1e-8)

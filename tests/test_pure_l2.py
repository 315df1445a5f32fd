"""Pure L2 with fewer rows than features: descent where that is cheap, the kernel Z Z' where not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from regsolve import path, solve, verify
from regsolve.penalties import L2


def sparse_problem(n: int, p: int, density: float, seed: int = 0):
    """Sparse columns, and one that is full, its mean far above its deviation, one constant."""
    rng = np.random.default_rng(seed)
    X = sp.random(n, p, density, "lil", rng=rng)
    X[:, 0] = 50.0 + rng.standard_normal((n, 1))
    X[:, 3] = 2.0
    X = X.tocsc()
    y = 3.0 * X[:, [5]].toarray().ravel() + rng.standard_normal(n)
    return X, y


@pytest.mark.parametrize("density", [0.02, 0.3])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("alpha", [1e-3, 1e-9])
def test_kernel_of_sparse_columns(
    density: float, standardize: bool, weighted: bool, alpha: float
) -> None:
    X, y = sparse_problem(150, 400, density)
    rng = np.random.default_rng(1)
    weight = rng.integers(0, 3, len(y)).astype(float) if weighted else None
    factors = rng.uniform(0.5, 2.0, X.shape[1])
    factors[7] = np.inf
    view = {"sample_weight": weight, "standardize": standardize}
    penalty = L2(alpha, weights=factors)
    found = solve(X, y, penalty=penalty, tol=1e-12, **view)
    assert found.report.mode == "kernel"
    judged = verify(X, y, found.coef, found.intercept, penalty=penalty, **view)
    assert judged.relative_gap < 1e-14
    assert found.certificate.primal == pytest.approx(judged.primal, rel=1e-9)
    dense = solve(X.toarray(), y, penalty=penalty, tol=1e-12, **view)
    np.testing.assert_allclose(found.coef, dense.coef, rtol=1e-8, atol=1e-10)
    assert found.coef[7] == 0.0


def test_threads_do_not_change_the_kernel_of_sparse_columns() -> None:
    X, y = sparse_problem(300, 900, 0.02)
    one, two = (solve(X, y, penalty=L2(1e-6), tol=1e-12, n_threads=t) for t in (1, 2))
    assert one.report.mode == "kernel"
    assert one.coef.tobytes() == two.coef.tobytes()


def test_descent_comes_before_the_kernel_where_it_costs_less() -> None:
    X, y = sparse_problem(1500, 4000, 0.004)
    easy = solve(X, y, penalty=L2(1.0))
    assert (easy.report.mode, easy.report.n_solves) == ("residual", 0)
    hard = solve(X, y, penalty=L2(1e-8), tol=1e-13)
    assert (hard.report.mode, hard.report.n_solves) == ("kernel", 1)
    grid = np.geomspace(1.0, 1e-8, 5)
    along = path(X, y, penalty=L2(), alphas=grid, tol=1e-13)
    assert along.report.mode == "kernel"
    assert 1 <= along.report.n_solves < 5  # the first ones by descent
    for k, alpha in enumerate(grid):
        coef = along.coefs[:, [k]].toarray().ravel()
        judged = verify(X, y, coef, along.intercepts[k], penalty=L2(alpha))
        assert judged.relative_gap < 1e-12
        assert along.relative_gaps[k] >= 0.5 * judged.relative_gap - 1e-15


def test_rounding_that_keeps_from_tol_ends() -> None:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((20, 30)) + 1e6 * rng.standard_normal(30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = solve(X, rng.standard_normal(20), penalty=L2(1.0), fit_intercept=False)
    assert found.status in ("optimal", "stalled")
    assert found.report.n_epochs < 10**6

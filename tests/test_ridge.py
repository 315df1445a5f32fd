"""Direct ridge regression: proven answers in every regime, on every kind of X."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge

from regsolve import verify
from regsolve.penalties import L2
from regsolve.ridge import fit_ridge

SHAPES = [(60, 20), (20, 60), (40, 40), (1, 3), (5, 1)]
KINDS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "float32": lambda X: np.asarray(X, dtype=np.float32),
    "csc": sparse.csc_matrix,
    "csr": sparse.csr_array,
}
SOLVERS = ["auto", "cholesky", "tridiagonal", "eigen", "svd"]


def _data(n: int, p: int, mean: float = 0.0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(n + p)
    X = rng.standard_normal((n, p)) * (rng.uniform(size=(n, p)) < 0.5) + mean
    return X, rng.standard_normal((n, 3)) + 2.0, rng.uniform(size=n) + 0.01


def _dense(X: Any) -> Any:
    return X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=np.float64)


def _prove(X: Any, Y: Any, fitted: Any, s: Any = None, **options: Any) -> None:
    """The judge agrees with the certificates, and both are tight."""
    total = len(Y) if s is None else s.sum()
    for q, (alpha, t) in enumerate(zip(fitted.alphas, fitted.target, strict=True)):
        judged = verify(
            X,
            Y[:, t],
            fitted.coefs[:, q],
            fitted.intercepts[q],
            penalty=L2(alpha / total),
            sample_weight=s,
            **options,
        )
        told = fitted.certificates[q]
        null = np.sum(Y[:, t] ** 2) / 2.0
        assert judged.relative_gap <= 1e-12
        assert told.relative_gap <= 1e-10
        assert abs(told.primal - judged.primal) <= 1e-13 * null
        assert judged.gap <= told.gap + 1e-15 * null


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_every_regime_is_proven(n: int, p: int, kind: str, solver: str) -> None:
    X, Y, s = _data(n, p, 0.0 if kind in ("csc", "csr") else 5.0)
    X = KINDS[kind](X)
    alphas, target = [1.0, 0.01, 3.0], [0, 1, 2]
    for weight in (None, s):
        for intercept in (True, False):
            for standardize in (True, False):
                options = {"fit_intercept": intercept, "standardize": standardize}
                fitted = fit_ridge(
                    X, Y, alphas, target, sample_weight=weight, solver=solver, **options
                )
                _prove(_dense(X), Y, fitted, weight, **options)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_same_answer_as_scikit_learn(n: int, p: int, weighted: bool, intercept: bool) -> None:
    X, Y, s = _data(n, p)
    weight = s if weighted else None
    theirs = Ridge([1.0, 0.1, 3.0], fit_intercept=intercept, solver="svd").fit(X, Y, weight)
    ours = fit_ridge(
        X, Y, [1.0, 0.1, 3.0], [0, 1, 2], sample_weight=weight, fit_intercept=intercept
    )
    np.testing.assert_allclose(ours.coefs.T, theirs.coef_, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(ours.intercepts, theirs.intercept_, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("solver", SOLVERS)
def test_weights_are_repeated_rows(solver: str) -> None:
    X, Y, _ = _data(30, 8)
    counts = np.random.default_rng(0).integers(0, 4, 30)
    rows = np.repeat(np.arange(30), counts)
    ours = fit_ridge(X, Y, [0.7], sample_weight=counts.astype(float), solver=solver)
    repeated = fit_ridge(X[rows], Y[rows], [0.7], solver=solver)
    np.testing.assert_allclose(ours.coefs, repeated.coefs, rtol=1e-10)
    np.testing.assert_allclose(ours.intercepts, repeated.intercepts, rtol=1e-10)


def test_a_mean_far_above_the_deviation_costs_few_digits() -> None:
    for n, p in ((50, 10), (10, 50)):
        X, Y, _ = _data(n, p)
        near, far = (fit_ridge(X + shift, Y, [0.5]) for shift in (0.0, 2.0**20))
        np.testing.assert_allclose(near.coefs, far.coefs, rtol=1e-8, atol=1e-9)


def test_nothing_is_written_and_two_or_three_readings_do() -> None:
    X, Y, _ = _data(300, 20)
    X, Y = np.asfortranarray(X), np.asfortranarray(Y)
    for array in (X, Y):
        array.setflags(write=False)
    fitted = fit_ridge(X, Y, np.geomspace(1e-3, 1e3, 100))
    assert fitted.report.n_passes == 2.0
    assert fit_ridge(X.T, Y[:20], np.geomspace(1e-1, 1e3, 100)).report.n_passes == 3.0


def test_ill_conditioned_answers_ask_for_the_precision_of_x() -> None:
    X, Y, _ = _data(40, 6)
    X[:, 5] = X[:, 4] + 1e-7 * X[:, 3]
    fitted = fit_ridge(X, Y, [1e-10])
    assert fitted.report.mode == "gram-svd"
    assert "condition" in fitted.report.why
    assert fitted.certificates[0].relative_gap < 1e-12


def test_alpha_zero_is_least_squares_of_least_norm() -> None:
    for n, p in ((40, 6), (6, 40)):
        X, Y, _ = _data(n, p)
        X[:, 1] = X[:, 0]
        fitted = fit_ridge(X, Y, [0.0], fit_intercept=False)
        wanted = np.linalg.lstsq(X, Y[:, 0], rcond=None)[0]
        np.testing.assert_allclose(fitted.coefs[:, 0], wanted, rtol=1e-7, atol=1e-10)


def test_bad_input_is_named() -> None:
    X, Y, _ = _data(20, 5)
    for n, p in ((20, 5), (5, 20)):
        bad = np.ones((n, p)) * np.arange(p)
        bad[2, 1] = np.nan
        with pytest.raises(ValueError, match="NaN or infinity, first in column 1"):
            fit_ridge(bad, Y[:n], [1.0])
        with pytest.raises(ValueError, match="NaN or infinity, first in column 1"):
            fit_ridge(sparse.csc_matrix(bad), Y[:n], [1.0])
    with pytest.raises(ValueError, match="sample_weight has negative"):
        fit_ridge(X, Y, [1.0], sample_weight=-np.ones(20))

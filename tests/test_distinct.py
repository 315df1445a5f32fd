"""Copies among very many sparse columns are left to the first of them; the answer is X's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse

import regsolve
from regsolve.penalties import L1, ElasticNet

P = 50_000  # columns from which on copies are looked for


def copied(n: int, distinct: int, dtype: type = np.float64, index: type = np.int32) -> Any:
    """X (n, P) of ``distinct`` different columns with one to three values, and y (n,)."""
    rng = np.random.default_rng(n)
    length = rng.integers(1, 4, distinct)
    rows = [np.sort(rng.choice(n, size=k, replace=False)) for k in length]
    values = [rng.integers(1, 5, k) / 4.0 for k in length]
    which = rng.integers(0, distinct, P)
    indptr = np.concatenate([[0], np.cumsum(length[which])])
    data = np.concatenate([values[k] for k in which]).astype(dtype)
    indices = np.concatenate([rows[k] for k in which])
    X = sparse.csc_matrix((data, indices, indptr), shape=(n, P))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    y = X[:, :30] @ rng.standard_normal(30) + 0.1 * rng.standard_normal(n) + 1.0
    return X, y


def later_copies(X: Any, *others: Any) -> Any:
    """Columns that equal an earlier one, and so do the others' entries, (P,)."""
    seen: set[Any] = set()
    out = np.zeros(X.shape[1], dtype=bool)
    for j in range(X.shape[1]):
        column = slice(X.indptr[j], X.indptr[j + 1])
        key = (X.indices[column].tobytes(), X.data[column].tobytes(), *(v[j] for v in others))
        out[j] = key in seen
        seen.add(key)
    return out


def proven(X: Any, y: Any, path: Any, penalty: Any, **options: Any) -> None:
    coefs = path.coefs.toarray()
    assert set(path.statuses) == {"optimal"}
    for k, alpha in enumerate(path.alphas):
        judged = regsolve.verify(
            X, y, coefs[:, k], path.intercepts[k], penalty=penalty(alpha), **options
        )
        assert judged.relative_gap <= 1.0001e-9
        assert abs(judged.relative_gap - path.relative_gaps[k]) <= 1e-11


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("standardize", [False, True])
def test_the_first_copy_takes_all(dtype: type, index: type, standardize: bool) -> None:
    X, y = copied(60, 900, dtype, index)
    copies = later_copies(X)
    options = {"standardize": standardize, "sample_weight": np.linspace(0.5, 2.0, 60)}
    path = regsolve.path(X, y, n_alphas=8, alpha_min_ratio=0.05, tol=1e-9, **options)
    proven(X, y, path, L1, **options)
    assert f"of {P} columns {P - copies.sum()} are distinct" in path.report.why
    assert not path.coefs.toarray()[copies].any()
    alone = regsolve.path(
        X[:, ~copies], y, alphas=path.alphas, tol=1e-9, solver="working_set", **options
    )
    np.testing.assert_allclose(path.objectives, alone.objectives, rtol=1e-8)


def test_factors_and_signs_tell_columns_apart() -> None:
    X, y = copied(50, 400)
    rng = np.random.default_rng(1)
    weights, lower = rng.choice([0.5, 1.0, np.inf], P), np.where(rng.random(P) < 0.5, 0.0, -np.inf)
    path = regsolve.path(
        X,
        y,
        penalty=L1(1.0, weights=weights, lower=lower),
        n_alphas=8,
        alpha_min_ratio=0.05,
        tol=1e-9,
    )
    proven(X, y, path, lambda alpha: L1(alpha, weights=weights, lower=lower))
    sides = np.where(np.isinf(weights), 0.0, lower)  # of a feature that is out none matters
    assert f"{P - later_copies(X, weights, sides).sum()} are distinct" in path.report.why


@pytest.mark.parametrize(
    ("penalty", "options"),
    [
        (lambda alpha: ElasticNet(alpha, 0.9), {}),
        (lambda alpha: L1(alpha, upper=np.full(P, 0.05), lower=np.full(P, -0.05)), {}),
        (L1, {"solver": "cd"}),
    ],
    ids=["copies share under l2", "bounds of size hold each by itself", "asked for by name"],
)
def test_copies_that_are_kept(penalty: Any, options: dict[str, Any]) -> None:
    X, y = copied(40, 300)
    path = regsolve.path(
        X, y, penalty=penalty(1.0), n_alphas=4, alpha_min_ratio=0.2, tol=1e-7, **options
    )
    assert "distinct" not in path.report.why
    assert set(path.statuses) == {"optimal"}


def test_few_copies_are_not_worth_it() -> None:
    X, y = copied(30_000, 10 * P)
    assert "distinct" not in regsolve.solve(X, y, penalty=L1(0.1)).report.why


def test_rows_beyond_the_last_cache() -> None:
    X, y = copied(70_000, 9000)
    path = regsolve.path(X, y, n_alphas=5, alpha_min_ratio=0.3, tol=1e-9, n_threads=2)
    proven(X, y, path, L1)
    assert "are distinct" in path.report.why


def test_a_bad_value_is_named_by_its_place_in_x() -> None:
    X, y = copied(40, 300)
    X.data[X.indptr[31_234]] = np.nan
    with pytest.raises(ValueError, match="column 31234"):
        regsolve.solve(X, y, penalty=L1(0.1))


def test_copies_without_a_number_end_at_once() -> None:
    X, y = copied(40, 300)
    X.data[:] = np.nan
    with pytest.raises(ValueError, match="column 0"):
        regsolve.solve(X, y, penalty=L1(0.1))


def test_progress_counts_readings_of_the_whole() -> None:
    X, y = copied(60, 200)
    told: list[float] = []
    path = regsolve.path(
        X, y, n_alphas=6, alpha_min_ratio=0.05, callback=lambda step: told.append(step.n_passes)
    )
    assert 1.0 <= told[0] <= told[-1] <= path.report.n_passes + 1e-9


def test_signs_do_not_hide_copies_from_folds() -> None:
    X, y = copied(60, 700)
    model = regsolve.LassoCV(alphas=5, eps=0.1, positive=True).fit(X, y)
    assert "are distinct" in model.report_.why
    assert np.all(model.coef_ >= 0.0)


def test_folds_and_targets() -> None:
    X, y = copied(60, 700)
    copies = later_copies(X)
    model = regsolve.LassoCV(alphas=10, eps=0.05, tol=1e-9).fit(X, y)
    few = regsolve.LassoCV(alphas=model.alphas_, tol=1e-9).fit(X[:, ~copies], y)
    np.testing.assert_allclose(model.mse_path_, few.mse_path_, rtol=1e-6)
    assert model.coef_.shape == (P,)
    assert not np.asarray(model.coef_)[copies].any()
    both = regsolve.Lasso(alpha=0.02, tol=1e-9).fit(X, np.column_stack([y, -2.0 * y]))
    one = regsolve.Lasso(alpha=0.02, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(both.predict(X)[:, 0], one.predict(X), atol=1e-6)
    assert not both.coef_[:, copies].any()

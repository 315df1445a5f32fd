"""Every kind of matrix is its dense array, whatever its verb, its target and its threads."""

from __future__ import annotations

import copy
import os
import pickle

import numpy as np
import pytest
from scipy import sparse

from regsolve import _core, _validate

SHAPES = [(1, 1), (7, 0), (1, 9), (40, 3), (64, 64), (33, 130), (700, 11), (1030, 5)]


def values(n: int, p: int) -> np.ndarray:
    """Half zeros, float32-representable, with columns of very different mean."""
    rng = np.random.default_rng([n, p])
    X = rng.standard_normal((n, p)) * (rng.random((n, p)) < 0.5)
    X[:, ::3] += 7.0
    return X.astype(np.float32).astype(np.float64)


def memory_mapped(X: np.ndarray, folder) -> np.ndarray:
    np.save(folder / "X.npy", np.asfortranarray(X))
    return np.load(folder / "X.npy", mmap_mode="r")


def read_only(X: np.ndarray) -> np.ndarray:
    X = np.asfortranarray(X)
    X.setflags(write=False)
    return X


def padded(X: np.ndarray) -> np.ndarray:
    """Columns further apart than they are long."""
    wide = np.zeros((X.shape[0] + 5, X.shape[1]), order="F")
    wide[: X.shape[0]] = X
    return wide[: X.shape[0]]


def compressed(X: np.ndarray, dtype, index) -> sparse.csc_matrix:
    out = sparse.csc_matrix(X.astype(dtype))
    out.indices, out.indptr = out.indices.astype(index), out.indptr.astype(index)
    return out


LAYOUTS = {
    "columns": lambda X, _: np.asfortranarray(X),
    "columns32": lambda X, _: np.asfortranarray(X, dtype=np.float32),
    "rows": lambda X, _: np.ascontiguousarray(X),
    "rows32": lambda X, _: np.ascontiguousarray(X, dtype=np.float32),
    "padded": lambda X, _: padded(X),
    "read_only": lambda X, _: read_only(X),
    "mapped": memory_mapped,
    "csc": lambda X, _: compressed(X, np.float64, np.int32),
    "csc64": lambda X, _: compressed(X, np.float64, np.int64),
    "csc32": lambda X, _: compressed(X, np.float32, np.int32),
    "csr": lambda X, _: sparse.csr_matrix(X),
}


CHOSEN = os.environ.get("REGSOLVE_TARGET") or None  # of the whole run


@pytest.fixture(params=sorted(LAYOUTS))
def layout(request):
    return LAYOUTS[request.param]


@pytest.fixture(params=_core.targets())
def target(request):
    _core.use_target(request.param)
    yield request.param
    _core.use_target(CHOSEN)


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize("shape", SHAPES)
def test_verbs_are_those_of_the_dense_array(shape, layout, tmp_path):
    n, p = shape
    X = values(n, p)
    kind = _validate.design(layout(X, tmp_path)).matrix
    rng = np.random.default_rng(0)
    u, weight = rng.standard_normal(n), rng.random(n)
    scale = np.abs(X).T @ np.abs(u) + 1e-300
    for j in range(p):
        assert abs(kind.dot(j, u) - X[:, j] @ u) <= 1e-14 * scale[j]
        z = u.copy()
        kind.axpy(j, -1.5, weight, z)
        np.testing.assert_allclose(z, u - 1.5 * weight * X[:, j], rtol=1e-14, atol=1e-13)
        kind.axpy(j, 2.0, None, z)
        expected = u - 1.5 * weight * X[:, j] + 2.0 * X[:, j]
        np.testing.assert_allclose(z, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("k", [1, 2, 3, 5, 8, 11])
def test_block_product(shape, k, layout, tmp_path):
    n, p = shape
    X = values(n, p)
    kind = _validate.design(layout(X, tmp_path)).matrix
    R = np.random.default_rng(k).standard_normal((n, k))
    out = kind.xtr(R)
    bound = 1e-14 * (np.abs(X).T @ np.abs(R)) + 1e-300
    assert np.all(np.abs(out - X.T @ R) <= bound)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(out, kind.xtr(R, n_threads))


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize("shape", [(33, 130), (700, 11), (5000, 30)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("order", ["F", "C"])
def test_vectors_beside_a_vector_change_no_bit_of_its_product(shape, order, dtype):
    """150 vectors take three readings of dense X, 64 at a time, eight after eight."""
    n, p = shape
    kind = _core.Matrix(np.asarray(values(n, p), dtype=dtype, order=order))
    R = np.random.default_rng(4).standard_normal((n, 150))
    out = kind.xtr(R)
    for k in (0, 7, 8, 63, 64, 149):
        np.testing.assert_array_equal(out[:, [k]], kind.xtr(R[:, [k]]))
    np.testing.assert_array_equal(out[:, 60:77], kind.xtr(R[:, 60:77], 2))


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("centred", [True, False])
def test_gram_and_statistics(shape, centred, layout, tmp_path):
    n, p = shape
    X = values(n, p)
    kind = _validate.design(layout(X, tmp_path)).matrix
    weight = np.random.default_rng(1).random(n)
    weight /= weight.sum()
    mean = weight @ X if centred else np.zeros(p)
    Z = np.sqrt(weight)[:, None] * (X - mean)
    norm = np.linalg.norm(Z, axis=0)
    norm[norm < 1e-13] = 0.0
    scaled = np.divide(Z, norm, out=np.zeros_like(Z), where=norm > 0)
    G, m, d = kind.gram(weight, centred)
    for means, norms in ((m, d), kind.statistics(weight, centred)):
        np.testing.assert_allclose(means, mean, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(norms, norm, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(G, scaled.T @ scaled, atol=2e-12)
    np.testing.assert_array_equal(G, G.T)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(G, kind.gram(weight, centred, n_threads)[0])
        again = kind.statistics(weight, centred, n_threads)
        np.testing.assert_array_equal(again[1], kind.statistics(weight, centred)[1])


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 16, 31, 200])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_columns_beside_a_column_change_no_bit_of_its_statistics(n, dtype):
    """Columns are summed side by side, the last few one by one; rows in packs, the last in part."""
    X = values(n, 11)
    X[:, 5] += 1e6  # its pilot is far from the mean: summed twice
    weight = np.random.default_rng(n).random(n)
    weight[n // 2] *= n > 1  # 0 for one of the rows
    weight /= max(weight.sum(), 1e-300)
    whole = _core.Matrix(np.asfortranarray(X, dtype=dtype)).statistics(weight, True)
    stored = X.astype(dtype).astype(float)
    mean = weight @ stored
    np.testing.assert_allclose(whole[0], mean, rtol=1e-13, atol=1e-14)
    norm = np.sqrt(weight @ (stored - mean) ** 2)
    np.testing.assert_allclose(whole[1], norm, rtol=1e-9, atol=1e-9)
    for j in range(11):
        alone = _core.Matrix(np.asfortranarray(X[:, j:], dtype=dtype)).statistics(weight, True)
        for one, all_of_them in zip(alone, whole, strict=True):
            assert one[0] == all_of_them[j]


def test_a_mean_far_above_the_deviation_costs_no_digits(layout, tmp_path):
    """Deviations of 1 about a mean of 1e6: the norm keeps what the storage holds."""
    n, exact = 4096, np.float64
    X = np.round(1024 * np.random.default_rng(2).standard_normal((n, 2))) / 1024
    X[:, 0] += 2.0**20
    given = layout(X, tmp_path)
    stored = np.asarray(given.todense() if sparse.issparse(given) else given, dtype=exact)
    kind = _validate.design(given).matrix
    weight = np.full(n, 1.0 / n)
    norm = np.sqrt(np.mean((stored - stored.mean(axis=0)) ** 2, axis=0))
    np.testing.assert_allclose(kind.statistics(weight, True)[1], norm, rtol=1e-10)
    np.testing.assert_allclose(kind.gram(weight, True)[2], norm, rtol=1e-10)


def test_constant_columns_have_norm_zero(layout, tmp_path):
    X = np.full((50, 3), 0.1)
    X[:, 1] = np.arange(50)
    kind = _validate.design(layout(X, tmp_path)).matrix
    weight = np.random.default_rng(3).random(50)
    weight /= weight.sum()
    for norm in (kind.statistics(weight, True)[1], kind.gram(weight, True)[2]):
        assert norm[0] == norm[2] == 0.0
        assert norm[1] > 1.0


def test_the_environment_names_the_target():
    with pytest.raises(ValueError, match="REGSOLVE_TARGET='z80'"):
        _core.use_target("z80")
    assert _core.use_target() == _core.targets()[0]
    _core.use_target(CHOSEN)


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize("shape", [*SHAPES, (90, 2100)])
@pytest.mark.parametrize("k", [1, 2, 4, 7, 11])
def test_kernel_in_one_reading(shape, k, layout, tmp_path):
    n, p = shape
    X = values(n, p)
    kind = _validate.design(layout(X, tmp_path)).matrix
    rng = np.random.default_rng(k)
    d, V, c = rng.uniform(0.5, 2.0, p), rng.standard_normal((n, k)), rng.standard_normal(k)
    between = np.full((p, k), np.nan, order="F")
    out, total = kind.kernel(d, V, 1, c, between)
    Z = d[:, None] * (X.T @ V - c)
    bound = d[:, None] * (np.abs(X).T @ np.abs(V) + np.abs(c))
    assert np.all(np.abs(out - X @ Z) <= 1e-13 * (np.abs(X) @ bound) + 1e-300)
    assert np.all(np.abs(total - Z.sum(axis=0)) <= 1e-13 * bound.sum(axis=0) + 1e-300)
    assert np.all(np.abs(between - Z) <= 1e-13 * bound + 1e-300)
    for n_threads in (2, 3):
        anew = np.full((p, k), np.nan, order="F")
        pair = kind.kernel(d, V, n_threads, c, anew)
        for told, again in zip((out, total, between), (*pair, anew), strict=True):
            np.testing.assert_array_equal(told, again)
    for told, again in zip((out, total), kind.kernel(d, V, 2, c), strict=True):
        np.testing.assert_array_equal(told, again)
    with pytest.raises(ValueError, match="Z has shape"):
        kind.kernel(d, V, 1, c, np.empty((p, k + 1), order="F"))
    plain, _ = kind.kernel(d, V)
    assert np.all(np.abs(plain - X @ (d[:, None] * (X.T @ V))) <= 2e-13 * (np.abs(X) @ bound))


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize("k", [1, 3, 8])
def test_many_rows_go_by_blocks(k):
    """Full, long and short columns of more rows than stay in cache; each as if it were alone."""
    n = 66_000
    rng = np.random.default_rng(0)
    lengths = [n, n, 40, 9000, n, 0, n, 700, n, 30_000, n, 5]
    rows = [np.sort(rng.choice(n, size=length, replace=False)) for length in lengths]
    values = [rng.standard_normal(length) for length in lengths]
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    X = sparse.csc_matrix(
        (np.concatenate(values), np.concatenate(rows), indptr), shape=(n, len(lengths))
    )
    R = np.asfortranarray(rng.standard_normal((n, k)))
    out = _validate.design(X).matrix.xtr(R)
    bound = 1e-13 * (abs(X).T @ np.abs(R)) + 1e-300
    assert np.all(np.abs(out - X.T @ R) <= bound)
    for n_threads in (2, 3):
        np.testing.assert_array_equal(out, _validate.design(X).matrix.xtr(R, n_threads))
    for chosen in ([4], [0, 1, 3], [2, 6, 8, 10, 11]):
        some = _validate.design(X[:, chosen]).matrix.xtr(R)
        np.testing.assert_array_equal(some, out[chosen])


@pytest.mark.parametrize("shape", [(1, 1), (7, 0), (40, 3)])
@pytest.mark.parametrize("make", [np.asfortranarray, np.ascontiguousarray, sparse.csc_matrix])
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda matrix: pickle.loads(pickle.dumps(matrix))]
)
def test_a_copy_owns_its_memory(copied, make, shape):
    X = make(values(*shape))
    matrix = _validate.design(X).matrix
    other = copied(matrix)
    assert (other.kind, other.shape) == (matrix.kind, matrix.shape)
    R = np.ones((shape[0], 2))
    expected = matrix.xtr(R)
    stored = X.data if sparse.issparse(X) else X
    stored[:] = np.nan
    np.testing.assert_array_equal(other.xtr(R), expected)

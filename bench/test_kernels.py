"""The kernels under pytest-benchmark, for each CPU target, the stream of the same X beside them.

Every one notes in ``extra_info`` the gigabytes of X that it reads a second. A pass of kernels.py
(``python -m bench.kernels --roofline``) sets them against the machine.
"""

from __future__ import annotations

import os
from functools import cache

import numpy as np
import pytest
from scipy import sparse

from bench.kernels import epoch, roofline
from regsolve import _core, _validate

pytestmark = pytest.mark.benchmark(max_time=0.3)

DESIGNS = {
    "dense": lambda: np.asfortranarray(np.random.default_rng(0).standard_normal((2000, 2000))),
    "float32": lambda: np.asfortranarray(
        np.random.default_rng(0).standard_normal((2000, 2000)), dtype=np.float32
    ),
    "rows": lambda: np.random.default_rng(0).standard_normal((2000, 2000)),
    "sparse": lambda: sparse.random(4000, 40_000, density=50 / 4000, format="csc", random_state=0),
}


@cache
def design(name):
    """X, made once for all kernels and targets; none of them writes it."""
    return DESIGNS[name]()


@pytest.fixture(params=_core.targets())
def target(request):
    """Each CPU target in turn."""
    _core.use_target(request.param)
    yield request.param
    _core.use_target(os.environ.get("REGSOLVE_TARGET") or None)


def note(benchmark, name, n_bytes):
    """Group by X, so that its stream and its kernels are one table; note the bandwidth reached."""
    benchmark.group = name
    if benchmark.stats:
        benchmark.extra_info["gb_per_s"] = n_bytes / benchmark.stats.stats.min / 1e9


@pytest.mark.parametrize("name", sorted(DESIGNS))
@pytest.mark.usefixtures("target")
def test_stream(benchmark, name):
    """The bandwidth: a plain sum of the stored bytes of X, eight at a time."""
    X = design(name)
    flat = (X.data if sparse.issparse(X) else X.ravel(order="K")).view(np.float64)
    total = benchmark(_core.stream, flat)
    note(benchmark, name, flat.nbytes)
    if X.dtype == np.float64:
        np.testing.assert_allclose(total, flat.sum(), rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("target")
def test_epoch(benchmark):
    """A pass of coordinate descent's two kernels over dense X leaves a smaller residual."""
    X = design("dense")
    kind, u = _validate.design(X).matrix, X[:, 0] + X[:, 1]
    before = np.linalg.norm(u)
    benchmark(epoch, kind, u)
    note(benchmark, "dense", X.nbytes)
    assert np.linalg.norm(u) < before


def test_roofline():
    """A row a target and kernel, and no figure that is not positive."""
    lines = list(roofline(1, (300, 40)))[2:]
    rows = [line.strip("| ").split(" | ") for line in lines]
    assert [row[0] for row in rows] == [name for name in _core.targets() for _ in range(5)]
    assert all(float(cell) > 0.0 for row in rows for cell in row[2:5])


@pytest.mark.parametrize("name", sorted(DESIGNS))
@pytest.mark.parametrize("k", [1, 8])
@pytest.mark.usefixtures("target")
def test_xtr(benchmark, name, k):
    """X'R for k vectors."""
    X = design(name)
    kind = _validate.design(X).matrix
    R = np.asfortranarray(np.random.default_rng(1).standard_normal((kind.shape[0], k)))
    out = benchmark(kind.xtr, R)
    note(benchmark, name, X.data.nbytes + (X.indices.nbytes if sparse.issparse(X) else 0))
    assert out.shape == (kind.shape[1], k)


@pytest.mark.parametrize("name", ["dense", "rows"])
@pytest.mark.usefixtures("target")
def test_gram(benchmark, name):
    """Scaled Gram matrix and statistics."""
    X = design(name)[:, :300]
    kind = _validate.design(np.array(X, order="K")).matrix
    weight = np.full(X.shape[0], 1.0 / X.shape[0])
    G, _, _ = benchmark(kind.gram, weight, True)
    note(benchmark, f"{name}, Gram matrix", X.nbytes)
    np.testing.assert_allclose(np.diag(G), 1.0)

"""X'R and the Gram reading under pytest-benchmark; kernels.py sets them against the machine."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from regsolve import _core, _validate

DESIGNS = {
    "dense": lambda: np.asfortranarray(np.random.default_rng(0).standard_normal((2000, 2000))),
    "float32": lambda: np.asfortranarray(
        np.random.default_rng(0).standard_normal((2000, 2000)), dtype=np.float32
    ),
    "rows": lambda: np.random.default_rng(0).standard_normal((2000, 2000)),
    "sparse": lambda: sparse.random(4000, 40_000, density=50 / 4000, format="csc", random_state=0),
}


@pytest.fixture(params=_core.targets())
def target(request):
    """Each CPU target in turn."""
    _core.use_target(request.param)
    yield request.param
    _core.use_target()


@pytest.mark.parametrize("name", sorted(DESIGNS))
@pytest.mark.parametrize("k", [1, 8])
@pytest.mark.usefixtures("target")
def test_xtr(benchmark, name, k):
    """X'R for k vectors."""
    kind = _validate.design(DESIGNS[name]()).matrix
    R = np.asfortranarray(np.random.default_rng(1).standard_normal((kind.shape[0], k)))
    out = benchmark(kind.xtr, R)
    assert out.shape == (kind.shape[1], k)


@pytest.mark.parametrize("name", ["dense", "rows"])
@pytest.mark.usefixtures("target")
def test_gram(benchmark, name):
    """Scaled Gram matrix and statistics."""
    X = DESIGNS[name]()[:, :300]
    kind = _validate.design(np.array(X, order="K")).matrix
    weight = np.full(X.shape[0], 1.0 / X.shape[0])
    G, _, _ = benchmark(kind.gram, weight, True)
    np.testing.assert_allclose(np.diag(G), 1.0)

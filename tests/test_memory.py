"""X is used where it lies, nothing of the user's is written, and importing costs little."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from problems import regression
from resident import in_child, stored
from scipy import sparse

from regsolve import path, solve
from regsolve.penalties import L1

FREE = 64e6
KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "F": np.asfortranarray,
    "C": np.ascontiguousarray,
    "float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "csc": lambda X: sparse.csc_matrix(X * (np.abs(X) > 0.8)),
}


def allowed(n: int, p: int, side: int, free: int = 0) -> float:
    """8 (side^2 + m (n + p / 2) + 10 (n + p)) + 64 MB bytes, m = 30 directions.

    Where ``free`` features of a dense X are active, which is told where they are many, side^2 has
    the features gathered, n side, and their factor, free^2 / 2, beside it.
    """
    G = side**2 + (n * side + free**2 / 2 if free else 0)
    return 8.0 * (G + 30 * (n + p / 2) + 10 * (n + p)) + FREE


def frozen(X: Any) -> Any:
    """X with every array of it read-only."""
    for part in (X.data, X.indices, X.indptr) if sparse.issparse(X) else (X,):
        part.setflags(write=False)
    return X


@pytest.mark.parametrize("solver", ["auto", "cd"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_copy_of_X_is_made(kind: str, solver: str) -> None:
    """NumPy's allocations, which tracemalloc sees, stay far below X, and so do the solver's."""
    X, y = regression(40_000, 30)
    X = frozen(KINDS[kind](X))
    path(X[:50], y[:50], n_alphas=3)
    tracemalloc.start()
    report = path(X, y, n_alphas=5, solver=solver).report
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.6 * stored(X), f"{peak / stored(X):.2f} times X"
    assert 0 < report.peak_bytes < allowed(40_000, 30, 30)


@pytest.mark.parametrize("solver", ["auto", "cd"])
@pytest.mark.parametrize("order", ["F", "C"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_memory_mapped_X_is_read_in_place(
    tmp_path: Path, order: Any, dtype: Any, solver: str
) -> None:
    X, y = regression(3000, 40)
    X = np.array(X, order=order, dtype=dtype)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    bytes_before = (tmp_path / "X.npy").read_bytes()
    tracemalloc.start()
    answer = solve(mapped, y, penalty=L1(0.1), solver=solver)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(answer.coef, solve(X, y, penalty=L1(0.1), solver=solver).coef)
    assert peak < X.nbytes
    assert (tmp_path / "X.npy").read_bytes() == bytes_before


def test_memory_mapped_sparse_X(tmp_path: Path) -> None:
    X, y = regression(2000, 40)
    X = KINDS["csc"](X)
    parts = []
    for name in ("data", "indices", "indptr"):
        np.save(tmp_path / f"{name}.npy", getattr(X, name))
        parts.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    mapped = sparse.csc_matrix(tuple(parts), shape=X.shape)
    answer = solve(mapped, y, penalty=L1(0.1))
    np.testing.assert_array_equal(answer.coef, solve(X, y, penalty=L1(0.1)).coef)


@pytest.mark.parametrize("solver", ["auto", "cd"])
@pytest.mark.parametrize("kind", [*KINDS, "csr"])
def test_nothing_of_the_users_is_written(kind: str, solver: str) -> None:
    X, y = regression(200, 20)
    X = sparse.csr_matrix(X) if kind == "csr" else KINDS[kind](X)
    rng = np.random.default_rng(0)
    given = {
        "sample_weight": rng.uniform(0.5, 2.0, 200),
        "offset": rng.standard_normal(200),
    }
    factors, start, alphas = (
        rng.uniform(0.5, 2.0, 20),
        rng.standard_normal(20),
        np.array([0.1, 1.0]),
    )
    arrays = [y, *given.values(), factors, start, alphas]
    arrays += [X.data, X.indices, X.indptr] if sparse.issparse(X) else [X]
    before = [array.tobytes(order="A") for array in arrays]
    penalty = L1(0.1, weights=factors, lower=-np.abs(start), upper=np.abs(start))
    options: dict[str, Any] = {"penalty": penalty, "solver": solver, "standardize": True, **given}
    solve(X, y, coef_init=start, **options)
    path(X, y, alphas=alphas, **options)
    assert [array.tobytes(order="A") for array in arrays] == before
    for array in arrays:
        array.setflags(write=False)
    solve(X, y, coef_init=start, **options)
    path(X, y, alphas=alphas, **options)


def test_answer_does_not_share_memory_with_input() -> None:
    X, y = regression(50, 10)
    start = np.zeros(10)
    answer = solve(X, y, penalty=L1(0.1), coef_init=start)
    assert not np.shares_memory(answer.coef, start)
    assert answer.coef.flags.owndata or answer.coef.base is not None
    alphas = np.array([1.0, 0.1])
    assert not np.shares_memory(path(X, y, alphas=alphas).alphas, alphas)


PEAK = """
import json
import numpy as np
import regsolve
from resident import peak

n, p = 100_000, 200
rng = np.random.default_rng(0)
X = np.empty((n, p), order="F", dtype={dtype!r})
for j in range(p):
    X[:, j] = rng.standard_normal(n)
y = X[:, 3] - X[:, 5] + rng.standard_normal(n)
regsolve.path(X[:100, :5], y[:100], n_alphas=2)
before = peak()
path = regsolve.path(X, y, n_alphas=20, solver={solver!r})
assert path.converged
print(json.dumps([peak() - before, X.nbytes, path.report.peak_bytes]))
"""


@pytest.mark.parametrize(
    ("dtype", "solver"), [("float64", "auto"), ("float64", "cd"), ("float32", "auto")]
)
def test_resident_memory_keeps_the_promise(dtype: str, solver: str) -> None:
    """The peak beyond X stays under the promised formula; a copy of X would break it."""
    grown, matrix, told = in_child(PEAK.format(dtype=dtype, solver=solver))
    limit = allowed(100_000, 200, 200)
    assert grown <= limit, f"{grown / 1e6:.0f} MB over a promise of {limit / 1e6:.0f}"
    assert told <= limit
    assert dtype == "float32" or limit < matrix


FIT = """
import json
from regsolve import Lasso
from resident import begin, peak, problem, stored

X, y = problem({n}, {p}, {kind!r}, {file!r})
Lasso(0.1).fit(X[:100], y[:100])
before = begin()
model = Lasso(0.05).fit(X, y)
grown = peak() - before
assert model.certificate_.relative_gap < 1e-6
print(json.dumps([grown, stored(X), model.report_.peak_bytes]))
"""


@pytest.mark.parametrize("kind", ["float64", "float32", "csc", "memmap"])
@pytest.mark.parametrize(("n", "p"), [(100_000, 200), (2000, 10_000)])
def test_a_fit_keeps_the_promise(n: int, p: int, kind: str, tmp_path: Path) -> None:
    """The peak that an estimator's fit adds, in a process of its own, after a small fit."""
    code = FIT.format(n=n, p=p, kind=kind, file=str(tmp_path / "X.npy"))
    grown, matrix, told = in_child(code)
    side = 200  # of G: all features, or the working set, which is smaller here
    limit = allowed(n, p, side)
    assert grown <= limit, f"{grown / 1e6:.0f} MB over a promise of {limit / 1e6:.0f}"
    assert told <= limit
    assert kind == "float32" or limit < matrix


DENSE = """
import json
import numpy as np
from regsolve import path
from resident import begin, peak

n, p = 1000, 36_000
rng = np.random.default_rng(0)
X = np.empty((n, p), order={order!r})
x = rng.standard_normal(n)
for j in range(p):
    x = 0.9 * x + 0.19**0.5 * rng.standard_normal(n)
    X[:, j] = x
y = X[:, ::3000].sum(axis=1) + rng.standard_normal(n)
path(X[:100, :500].copy(), y[:100], n_alphas=3)
before = begin()
done = path(X, y, n_alphas=60, alpha_min_ratio=0.01)
grown = peak() - before
assert done.report.mode == "working_set" and done.relative_gaps.max() < 1e-9
print(json.dumps([grown, done.report.working_set_size]))
"""


@pytest.mark.parametrize("order", ["F", "C"])
def test_a_path_of_large_dense_x_keeps_the_promise(order: str) -> None:
    """A copy of X by bytes, 38 MB, would break it beside a working set of this size."""
    grown, side = in_child(DENSE.format(order=order))
    limit = allowed(1000, 36_000, side)
    assert grown <= limit, f"{grown / 1e6:.0f} MB over a promise of {limit / 1e6:.0f}"


LARGE = """
import json
import numpy as np
from resident import begin, peak
from regsolve import path

n, p = 2000, 7000
rng = np.random.default_rng(0)
X = np.asfortranarray(rng.standard_normal((n, p)))
for j in range(1, p):
    X[:, j] = 0.8 * X[:, j - 1] + 0.6 * X[:, j]
y = X[:, :{true}].sum(axis=1) + {noise} * rng.standard_normal(n)
path(X[:50, :500].copy(), y[:50], n_alphas=3)
before = begin()
done = path(X, y, n_alphas=20, alpha_min_ratio={ratio}, n_threads=1)
grown = peak() - before
assert done.report.mode == "working_set" and done.relative_gaps.max() < 1e-9
print(json.dumps([grown, done.report.working_set_size, int(done.coefs[:, -1].count_nonzero())]))
"""


def test_a_working_set_as_large_as_n_keeps_the_promise() -> None:
    """Its Gram matrix and factor have room for twice as many features, which is not mapped."""
    grown, side, _ = in_child(LARGE.format(true=200, noise=1, ratio=0.001))
    limit = allowed(2000, 7000, side)
    assert side > 1500
    assert grown <= limit, f"{grown / 1e6:.0f} MB over a promise of {limit / 1e6:.0f}"


def test_a_working_set_larger_than_n_keeps_the_promise() -> None:
    """Its Gram matrix grows without a second one of as many pages beside it."""
    grown, side, free = in_child(LARGE.format(true=10, noise=8, ratio=0.003))
    limit = allowed(2000, 7000, side, free)
    assert side > 2000
    assert free > 1500
    assert grown <= limit, f"{grown / 1e6:.0f} MB over a promise of {limit / 1e6:.0f}"


WIDE = """
import json
from regsolve import path
from regsolve.penalties import L1
from resident import begin, few_values, peak, stored

X, y = few_values(4000, 1_000_000, 8)
path(X[:, :100], y, n_alphas=3)
before = begin()
done = path(X, y, penalty=L1(), n_alphas=20, alpha_min_ratio=0.2)
grown = peak() - before
assert done.report.mode == "working_set" and done.relative_gaps.max() < 1e-9
print(json.dumps([grown, stored(X), done.report.peak_bytes]))
"""


def test_a_million_sparse_features_take_less_than_x_again() -> None:
    """Numbers kept for each feature are few where a feature has few values itself."""
    grown, matrix, told = in_child(WIDE)
    assert grown <= 1.1 * matrix, f"{grown / matrix:.2f} times X"
    assert told <= matrix


FOLDS = """
import json
from resident import begin, few_values, peak
from regsolve import LassoCV
n, p = 2000, 300_000
X, y = few_values(n, p, 8)
LassoCV(alphas=3, cv=2).fit(X[:, :100], y)
before = begin()
LassoCV(alphas=20, eps=0.2).fit(X, y)
print(json.dumps(peak() - before))
"""


def test_folds_go_together_as_far_as_memory_allows() -> None:
    """Each keeps numbers of its own for every feature: six at once would be too many here."""
    grown, limit = in_child(FOLDS), allowed(2000, 300_000, 0)
    assert grown <= limit, f"{grown / 1e6:.0f} MB, {limit / 1e6:.0f} MB promised"


AGAIN = """
import json
from resource import RUSAGE_SELF, getrusage
import numpy as np
from regsolve import path
from resident import begin, peak

rng = np.random.default_rng(0)
X = np.asfortranarray(rng.standard_normal((500, 10_000)))
y = X[:, :5].sum(axis=1) + 5 * rng.standard_normal(500)
alphas = [0.1 * path(X, y, n_alphas=1).alpha_max]
taken, held = [], []
for _ in range(6):
    before = getrusage(RUSAGE_SELF).ru_minflt
    path(X, y, alphas=alphas, n_threads=1)
    taken.append(getrusage(RUSAGE_SELF).ru_minflt - before)
    begin()
    held.append(peak())
print(json.dumps([taken, held]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts pages as Linux does")
def test_a_fit_like_the_last_needs_no_new_pages() -> None:
    """Blocks are kept from one fit for the next, and no more of them with every fit."""
    taken, held = in_child(AGAIN)
    assert max(taken[3:]) < 0.25 * taken[0], taken
    assert held[-1] - held[0] < FREE, held


def test_import_is_light() -> None:
    """scikit-learn, Numba and the plotting libraries are imported by those who use them."""
    code = (
        "import json, sys, regsolve, regsolve.penalties, regsolve.losses;"
        "heavy = ['sklearn', 'numba', 'matplotlib', 'pandas', 'tqdm', 'scipy.stats'];"
        "print(json.dumps([name for name in heavy if name in sys.modules]))"
    )
    assert in_child(code) == []


def test_solving_needs_neither_numba_nor_scikit_learn() -> None:
    code = (
        "import json, sys; import numpy as np; import regsolve;"
        "X = np.arange(12.0).reshape(6, 2) % 5; y = np.arange(6.0);"
        "regsolve.path(X, y); regsolve.solve(X, y, penalty=regsolve.penalties.L1(0.1));"
        "heavy = ['sklearn', 'numba', 'matplotlib', 'pandas'];"
        "print(json.dumps([name for name in heavy if name in sys.modules]))"
    )
    assert in_child(code) == []


def test_judge_does_not_load_the_core() -> None:
    """regsolve.certificate judges the compiled code and so may not import it."""
    door = Path(in_child("import json, regsolve.certificate as c; print(json.dumps(c.__file__))"))
    for source in (door, *(door.parent / "judge").glob("*.py")):
        assert "_core" not in [word.strip("., ") for word in source.read_text().split()], source

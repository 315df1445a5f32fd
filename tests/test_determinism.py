"""The same bits on any number of threads, in every mode, thread, fork and worker."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from joblib import Parallel, delayed
from problems import regression
from scipy import sparse
from sklearn.base import clone

from regsolve import ElasticNet, Lasso, enet_path, path, solve
from regsolve._threads import available_threads
from regsolve.losses import Custom
from regsolve.penalties import L1, L2
from regsolve.penalties import ElasticNet as ElasticNetPenalty

THREADS = (1, 2, 4)


def thinned(X: np.ndarray) -> np.ndarray:
    return X * (np.abs(X) > 0.5)


def long_indices(X: np.ndarray) -> Any:
    out = sparse.csc_array(thinned(X))
    out.indices, out.indptr = out.indices.astype(np.int64), out.indptr.astype(np.int64)
    return out


KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "F": np.asfortranarray,
    "C": np.ascontiguousarray,
    "F32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "C32": lambda X: np.ascontiguousarray(X, dtype=np.float32),
    "csc": lambda X: sparse.csc_array(thinned(X)),
    "csc32": lambda X: sparse.csc_array(thinned(X).astype(np.float32)),
    "csc64": long_indices,
    "csr": lambda X: sparse.csr_array(thinned(X)),
}


def logistic_value(y: float, z: float) -> float:
    return np.log1p(np.exp(-abs(z))) + max(z, 0.0) - y * z


def logistic_gradient(y: float, z: float) -> float:
    return 1.0 / (1.0 + np.exp(-z)) - y


def logistic_curvature(_y: float, z: float) -> float:
    return 0.25 / np.cosh(0.5 * z) ** 2


LOGISTIC = Custom(logistic_value, logistic_gradient, logistic_curvature)
LASSO = {"penalty": L1(0.03)}
MODES: dict[str, dict[str, Any]] = {
    "gram": {**LASSO, "solver": "gram"},
    "working_set": {**LASSO, "solver": "working_set"},
    "residual": {"penalty": ElasticNetPenalty(0.03, 0.5), "solver": "cd", "max_memory": 1e4},
    "kernel": {"penalty": L2(0.5)},
    "newton": {**LASSO, "loss": LOGISTIC, "tol": 1e-4},
}
SHAPES = {"kernel": (601, 4003), "working_set": (603, 5003), "newton": (4003, 301)}


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """A missed tol has the same bits as a reached one, and is not what these tests ask about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture(scope="module")
def problems() -> dict[tuple[int, int], Any]:
    """Data by shape: sizes are no multiples of a block, and each has work for several threads."""
    shapes = {*SHAPES.values(), (20_011, 67)}
    return {shape: regression(*shape) for shape in shapes}


def bits(model: Any) -> tuple[Any, ...]:
    """Everything that an estimator learns, but for how long it took."""
    reports = model.report_ if isinstance(model.report_, list) else [model.report_]
    passes = [(one.n_passes, one.n_solves, one.n_epochs) for one in reports]
    return (
        model.coef_.tobytes(),
        np.asarray(model.intercept_).tobytes(),
        np.asarray(model.dual_gap_).tobytes(),
        model.n_iter_,
        passes,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", MODES)
def test_modes_do_not_depend_on_threads(problems: Any, mode: str, kind: str) -> None:
    X, y = problems[SHAPES.get(mode, (20_011, 67))]
    X, y = KINDS[kind](X), (y > np.median(y)).astype(float) if mode == "newton" else y
    answers = [solve(X, y, n_threads=k, **MODES[mode]) for k in THREADS]
    assert answers[0].report.mode == mode
    first = answers[0]
    for other in answers[1:]:
        assert other.coef.tobytes() == first.coef.tobytes()
        assert (other.intercept, other.status) == (first.intercept, first.status)
        assert repr(other.certificate) == repr(first.certificate)  # NaN where there is no dual
    assert np.count_nonzero(first.coef)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(20_011, 67), (603, 5003)])
def test_estimators_do_not_depend_on_threads(problems: Any, shape: Any, kind: str) -> None:
    X, y = problems[shape]
    X = KINDS[kind](X)
    Y = np.column_stack([y, y[::-1]])
    models = [ElasticNet(0.1, l1_ratio=0.8, n_threads=k).fit(X, Y) for k in THREADS]
    assert len({repr(bits(model)) for model in models}) == 1
    predicted = [model.predict(X).tobytes() for model in models]
    assert len(set(predicted)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_path_functions_do_not_depend_on_threads(problems: Any, kind: str) -> None:
    X, y = problems[603, 5003]
    X = KINDS[kind](X)
    paths = [enet_path(X, y, l1_ratio=0.9, alphas=8, eps=0.1, n_threads=k) for k in THREADS]
    for other in paths[1:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(paths[0], other, strict=True))


ALPHAS = (0.02, 0.05, 0.1, 0.3, 0.02, 0.05, 0.1, 0.3)


def together(tasks: list[Callable[[], Any]]) -> list[Any]:
    """What the tasks give when each starts at once in a thread of its own."""
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], Any]) -> Any:
        start.wait(60)
        return task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


@pytest.mark.parametrize("n_threads", [1, 3])
def test_eight_fits_at_once(problems: Any, n_threads: int) -> None:
    """Each problem twice, on the same arrays, and on every kind of matrix in turn."""
    X, y = problems[20_011, 67]
    data = [KINDS[kind](X[:7001]) for kind in ("F", "C32", "csc", "csr")] * 2
    models = [Lasso(alpha, n_threads=n_threads) for alpha in ALPHAS]
    alone = [bits(clone(m).fit(Z, y[:7001])) for m, Z in zip(models, data, strict=True)]
    for _ in range(3):
        tasks = [
            lambda m=m, Z=Z: clone(m).fit(Z, y[:7001]) for m, Z in zip(models, data, strict=True)
        ]
        assert [bits(model) for model in together(tasks)] == alone


def test_eight_modes_at_once(problems: Any) -> None:
    names = ["gram", "working_set", "residual", "kernel"] * 2
    data = [problems[SHAPES.get(name, (20_011, 67))] for name in names]
    tasks = [
        lambda X=X, y=y, name=name: solve(X, y, **MODES[name])
        for name, (X, y) in zip(names, data, strict=True)
    ]
    alone = [task().coef.tobytes() for task in tasks]
    assert [answer.coef.tobytes() for answer in together(tasks)] == alone


FORK = """
import os, sys
from problems import regression
from regsolve import Lasso

X, y = regression(20_011, 67)

def fit():
    return Lasso(0.05, n_threads=4).fit(X, y).coef_.tobytes()

before, children = fit(), []
for _ in range(3):
    child = os.fork()
    if child == 0:
        os._exit(0 if fit() == before else 3)
    children.append(child)
ends = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
assert fit() == before
sys.exit(max(map(abs, ends)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a fork is a thing of POSIX")
def test_children_of_a_fork_fit_again(request: Any) -> None:
    folder = str(request.path.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, *sys.path])}
    call = [sys.executable, "-W", "ignore", "-c", FORK]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", 1), ("1,2", 1), (" 1 ", 1), ("1000", None), ("0", None), ("", None), ("many", None)],
)
def test_default_threads_heed_omp_num_threads(
    monkeypatch: Any, value: str, expected: int | None
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cores = available_threads()
    assert cores >= 1
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert available_threads() == (cores if expected is None else expected)


def fit_in_worker(X: Any, y: Any, alpha: float) -> tuple[Any, int, int]:
    """The model's bits, the threads that a fit may use, and the most that one had."""
    most = [0]

    def count(_: Any) -> None:
        most[0] = max(most[0], threading.active_count())

    model = Lasso(alpha, callback=count).fit(X, y)
    return bits(model), available_threads(), most[0]


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_loky_workers_share_the_cores(problems: Any, n_jobs: int) -> None:
    """Workers get read-only memory maps of X, the same bits, and their share of the cores."""
    X, y = problems[20_011, 67]
    alone = [bits(Lasso(alpha).fit(X, y)) for alpha in ALPHAS[:4]]
    tasks = [delayed(fit_in_worker)(X, y, alpha) for alpha in ALPHAS[:4]]
    found = Parallel(n_jobs, backend="loky", max_nbytes=1000)(tasks)
    assert [one[0] for one in found] == alone
    share = max(1, available_threads() // n_jobs)
    assert all(threads <= share for _, threads, _ in found)
    roomy = Parallel(2, backend="loky")(delayed(available_threads)() for _ in range(2))
    assert max(roomy) * 2 <= max(2, available_threads())


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")
def test_a_fit_starts_no_more_threads_than_it_may(monkeypatch: Any, problems: Any) -> None:
    """Threads live for a call only, so an operating system's count is watched from outside."""
    X, y = problems[20_011, 67]
    X, y = np.tile(X, (3, 4)), np.tile(y, 3)
    most = {}
    for limit in ("1", "4"):
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
        monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(4)), raising=False)
        before, done, seen = len(os.listdir("/proc/self/task")), threading.Event(), []

        def watch(done: threading.Event = done, seen: list[int] = seen) -> None:
            while not done.is_set():
                seen.append(len(os.listdir("/proc/self/task")))

        watcher = threading.Thread(target=watch)
        watcher.start()
        path(X, y, n_alphas=3, alpha_min_ratio=0.5, solver="gram")
        done.set()
        watcher.join()
        most[limit] = max(seen) - before - 1  # beyond the watcher
    assert most["1"] == 0 < most["4"] <= 3

"""The same bits whatever the number of threads, from several Python threads, and after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import sparse
from threadpoolctl import threadpool_info

from regsolve import Solution, path, solve
from regsolve.penalties import L1, ElasticNet

KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "F": np.asfortranarray,
    "C": np.ascontiguousarray,
    "float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "csc": lambda X: sparse.csc_matrix(X * (np.abs(X) > 0.5)),
}


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    """X (20011, 67): several blocks for each thread, and no size a multiple of a block."""
    return regression(20_011, 67)


def bits(answer: Solution) -> tuple[Any, ...]:
    """Everything of an answer that must not depend on threads."""
    proof = answer.certificate
    return answer.coef.tobytes(), answer.intercept, proof, answer.status, answer.report.n_passes


@pytest.mark.parametrize("solver", ["auto", "cd"])
@pytest.mark.parametrize("kind", KINDS)
def test_solve_gives_the_same_bits_on_any_threads(data: Any, kind: str, solver: str) -> None:
    X, y = data
    X, s = KINDS[kind](X), np.random.default_rng(0).uniform(0.1, 2.0, len(y))
    options: dict[str, Any] = {"sample_weight": s, "solver": solver, "standardize": True}
    answers = [
        solve(X, y, penalty=ElasticNet(0.01, 0.5), n_threads=n_threads, **options)
        for n_threads in (1, 2, 4, 3, 1)
    ]
    assert all(bits(answer) == bits(answers[0]) for answer in answers)


@pytest.mark.parametrize("kind", KINDS)
def test_path_gives_the_same_bits_on_any_threads(data: Any, kind: str) -> None:
    X, y = data
    X = KINDS[kind](X)
    one = path(X, y, n_alphas=20, n_threads=1)
    for n_threads in (2, 4):
        other = path(X, y, n_alphas=20, n_threads=n_threads)
        assert other.alphas.tobytes() == one.alphas.tobytes()
        assert other.coefs.toarray().tobytes() == one.coefs.toarray().tobytes()
        assert other.intercepts.tobytes() == one.intercepts.tobytes()
        assert other.relative_gaps.tobytes() == one.relative_gaps.tobytes()


def test_wide_problem_gives_the_same_bits_on_any_threads() -> None:
    X, y = regression(90, 3001)
    answers = [solve(X, y, penalty=L1(0.1), n_threads=n_threads) for n_threads in (1, 2, 4)]
    assert all(bits(answer) == bits(answers[0]) for answer in answers)


def test_concurrent_solves_give_the_same_bits(data: Any) -> None:
    X, y = data[0][:7001], data[1][:7001]
    alone = [solve(X, y, penalty=L1(alpha)) for alpha in (0.01, 0.1, 0.5, 1.0)]
    start = threading.Barrier(4)

    def together(alpha: float) -> Solution:
        start.wait()
        return solve(X, y, penalty=L1(alpha), n_threads=2)

    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(together, (0.01, 0.1, 0.5, 1.0)))
        assert [bits(one) for one in answers] == [bits(one) for one in alone]


def test_callbacks_of_concurrent_paths_do_not_mix(data: Any) -> None:
    X, y = data
    X, y = X[:2000], y[:2000]

    def alphas_seen(n_alphas: int) -> tuple[list[float], list[float]]:
        seen: list[float] = []
        fitted = path(X, y, n_alphas=n_alphas, callback=lambda step: seen.append(step.alpha))
        return seen, list(fitted.alphas)

    with ThreadPoolExecutor(4) as pool:
        for seen, alphas in pool.map(alphas_seen, (11, 12, 13, 14)):
            assert seen == alphas


def blas_threads() -> dict[str, int]:
    """Threads that each loaded BLAS would use now."""
    return {
        one["filepath"]: one["num_threads"]
        for one in threadpool_info()
        if one["user_api"] == "blas"
    }


def test_blas_runs_on_one_thread_and_is_restored(data: Any) -> None:
    """Whichever Python thread calls, and after calls that overlap and end in any order."""
    X, y = data[0][:2000], data[1][:2000]
    before = blas_threads()
    during: list[int] = []

    def fit(_: Any = None) -> None:
        path(X, y, n_alphas=3, callback=lambda _: during.extend(blas_threads().values()))

    fit()
    assert blas_threads() == before
    apart = threading.Thread(target=fit)
    apart.start()
    apart.join()
    assert blas_threads() == before
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fit, range(8)))
    assert blas_threads() == before
    assert set(during) == {1}


def test_blas_is_restored_by_the_last_of_overlapping_calls(data: Any) -> None:
    X, y = data[0][:2000], data[1][:2000]
    before = blas_threads()
    inside, first_done = threading.Event(), threading.Event()

    def second(_: Any) -> None:
        inside.set()
        assert first_done.wait(30)

    def first(_: Any) -> None:
        other.start()
        assert inside.wait(30)

    other = threading.Thread(target=lambda: path(X, y, n_alphas=1, callback=second))
    path(X, y, n_alphas=1, callback=first)
    first_done.set()
    other.join()
    assert blas_threads() == before


FORK = """
import os, sys
sys.path.insert(0, {tests!r})
import numpy as np
from problems import regression
from regsolve import path

X, y = regression(20_011, 67)
before = path(X, y, n_alphas=10, n_threads=4)
child = os.fork()
if child == 0:
    after = path(X, y, n_alphas=10, n_threads=4)
    os._exit(0 if after.coefs.toarray().tobytes() == before.coefs.toarray().tobytes() else 3)
_, status = os.waitpid(child, 0)
again = path(X, y, n_alphas=10, n_threads=4)
assert again.coefs.toarray().tobytes() == before.coefs.toarray().tobytes()
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a fork is a thing of POSIX")
def test_fork_after_a_solve(request: Any) -> None:
    """No pool of threads outlives a call, so a child can solve; a lost thread would hang it."""
    code = FORK.format(tests=str(request.path.parent))
    call = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


WITHOUT_THREADS = """
import resource, sys
import numpy as np
from regsolve import _core
from regsolve.penalties import L1
from regsolve.targets import path_targets

x = np.ones(1 << 20)
X = np.random.default_rng(0).standard_normal((40, 300))
Y = X[:, :4] + 0.1
path_targets(X, Y, penalty=L1(), alphas=[0.5], n_threads=1, solver="cd")  # loads what it needs
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 21), used + (1 << 21)))
print(_core.stream(x, 4) == x.size)
try:
    path_targets(X, Y, penalty=L1(), alphas=[0.1], n_threads=2, solver="working_set")
except (RuntimeError, MemoryError, OSError) as error:
    print("raised")
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="limits memory as Linux does")
def test_no_room_for_another_thread_is_no_crash() -> None:
    """Blocks are left to the threads there are; problems that need a thread each raise."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THREADS], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "raised"]

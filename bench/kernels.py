"""The kernels against the machine: `python -m bench.kernels [--data DIR]`.

For each kernel the time of one reading of X by a plain sum (the stream), the time of X'r, and
the time of X'R for eight vectors, least of several runs, as ratios. The Gram reading and a whole
path are set against SciPy's dsyrk of the same X on as many threads.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg.blas import dsyrk
from threadpoolctl import threadpool_limits

import regsolve
from bench.problems import load_problem
from regsolve import _core, _validate


def least(work: Callable[[], Any], repeats: int = 7) -> float:
    """Seconds of the fastest of several runs."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def product(X: Any, n_threads: int, stream: bool) -> dict[str, float]:
    """Seconds of the stream, one vector and eight vectors."""
    kind = _validate.design(X).matrix
    R = np.random.default_rng(0).standard_normal((8, X.shape[0])).T  # vector by vector
    one = R[:, :1]
    out = {
        "one": least(lambda: kind.xtr(one, n_threads)),
        "eight": least(lambda: kind.xtr(R, n_threads)),
    }
    if stream:
        flat = X.ravel(order="K").view(np.float64)
        out["stream"] = least(lambda: _core.stream(flat, n_threads))
    return out


def row(name: str, times: dict[str, float]) -> str:
    """One line of the table."""
    share = f"{times['stream'] / times['one']:.2f}" if "stream" in times else "-"
    return f"| {name} | {1e3 * times['one']:.2f} | {share} | {times['eight'] / times['one']:.2f} |"


def dense(n_threads: int) -> list[str]:
    """Dense X of 400 MB, ten times a large cache."""
    lines = []
    for n, p in ((500, 100_000), (100_000, 500)):
        X = np.random.default_rng(1).standard_normal((p, n)).T
        lines.append(row(f"dense {n} x {p}", product(X, n_threads, True)))
        X32 = np.asfortranarray(X, dtype=np.float32)
        lines.append(row(f"float32 {n} x {p}", product(X32, n_threads, True)))
    return lines


def thin(n_threads: int) -> str:
    """Sparse X with 50 values a column, whose R fits the second cache."""
    X = sparse.random(4000, 100_000, density=50 / 4000, format="csc", random_state=0)
    return row("sparse 4000 x 100000, 50 a column", product(X, n_threads, False))


def against_syrk(name: str, X: Any, y: Any, n_threads: int) -> str:
    """A 100-alpha path over dsyrk of the same X."""
    with threadpool_limits(n_threads):
        syrk = least(lambda: dsyrk(1.0, X, trans=1), 5)
    ours = least(lambda: regsolve.path(X, y, n_threads=n_threads), 5)
    return f"| {name} | {1e3 * syrk:.1f} | {1e3 * ours:.1f} | {ours / syrk:.2f} |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of data sets: adds those named below")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    print("| X | one vector, ms | of stream | eight / one |\n|---|---|---|---|")
    for line in [*dense(given.threads), thin(given.threads)]:
        print(line, flush=True)
    for name in ("news20_trigram", "nycflights") if given.data else ():
        X = load_problem(name, given.data).X
        print(row(name, product(X, given.threads, False)), flush=True)
    print("\n| path of 100 alphas | dsyrk, ms | path, ms | ratio |\n|---|---|---|---|")
    for name in ("covtype", "cpusmall") if given.data else ():
        problem = load_problem(name, given.data)
        X = np.asfortranarray(problem.X)
        print(against_syrk(name, X, problem.y, given.threads), flush=True)
    wide = load_problem("ar0-1000000x100")
    print(against_syrk("1,000,000 x 100", wide.X, wide.y, given.threads), flush=True)


if __name__ == "__main__":
    main()

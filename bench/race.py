"""The race rule: every library at the least time that reaches a proven gap.

Each peer is swept over its tolerances, loose to tight, every run capped; the worst relative gap
over the alphas is judged by regsolve.verify, whatever the library says of itself. All are compared
at the smallest target gap that any peer reaches, by medians of interleaved repeats. An alpha not
returned has an infinite gap.

    python -m bench.race PROBLEM [--libraries NAME ...] [--data DIR] [--threads T] [--l1-ratio R]
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from bench.adapter import Fit, Library
from bench.libraries import LIBRARIES
from bench.problems import FULL, SMALL, MissingProblem, Problem, load_problem
from bench.result import OUR_GAP, Attempt, Lane, RaceResult
from bench.runner import Failed, OverCap, Runner, Stored, free_memory, read_fit
from regsolve.certificate import verify
from regsolve.penalties import ElasticNet

TARGET_GAPS = (1e-6, 1e-5, 1e-4, 1e-3)
LONG_RUN, LONG_REPEATS = 10.0, 3
# A run of under a second is timed three times and its least time kept; a sweep goes on below the
# goal, where asked, while a run takes at most CURVE_RUN.
SHORT_RUN, SHORT_REPEATS, CURVE_RUN = 1.0, 3, 3.0
# Judging reads X about twice an alpha: above this many values read, peers are judged at a subset
# of the alphas, and above ten times as many so are we.
JUDGE_LIMIT, JUDGED_ALPHAS = 2e9, 12


def judged_alphas(problem: Problem, limit: float) -> list[int]:
    """Positions judged: all, or 12 up to the last when n_values * n_alphas exceeds ``limit``."""
    m = len(problem.grid)
    if m <= JUDGED_ALPHAS or problem.n_values * m <= limit:
        return list(range(m))
    return [int(k) for k in np.rint(np.linspace(0, m - 1, JUDGED_ALPHAS))]


def worst_gap(problem: Problem, fit: Fit, positions: Sequence[int]) -> float:
    """Largest relative gap by verify() over ``positions``; infinite where an answer is missing."""
    coefs, worst = sp.csc_matrix(fit.coefs), 0.0
    for k in positions:
        if k >= coefs.shape[1]:
            return math.inf
        coef, intercept = coefs[:, [k]].toarray().ravel(), float(fit.intercepts[k])
        if not (np.isfinite(coef).all() and math.isfinite(intercept)):
            return math.inf
        certificate = verify(
            problem.X,
            problem.y,
            coef,
            intercept,
            penalty=ElasticNet(float(problem.grid[k]), problem.l1_ratio),
            fit_intercept=problem.fit_intercept,
            standardize=problem.standardize,
        )
        gap = float(certificate.relative_gap)
        worst = math.inf if math.isnan(gap) else max(worst, gap)
    return worst


def _attempt(runner: Runner, tol: float, file: Path) -> tuple[float, float | None]:
    """Seconds and readings of X of one tolerance: the least of three runs where they are short."""
    seconds, n_passes = runner.run(tol, file)
    for _ in range(SHORT_REPEATS - 1 if seconds < SHORT_RUN else 0):
        seconds = min(seconds, runner.run(tol)[0])
    return seconds, n_passes


def _sweep(
    lane: Lane,
    runner: Runner,
    problem: Problem,
    positions: list[int],
    goals: tuple[float, float],
    tell: Callable[[str], object],
) -> None:
    """Loose to tight until goals[0] is met or the cap is hit; short runs go on to goals[1]."""
    file = runner.stored.root / "fit.npz"
    for tol in lane.library.tolerances:
        tell(f"{problem.name}: {lane.library.name}, tol {tol:.0e}")
        try:
            seconds, n_passes = _attempt(runner, tol, file)
        except Failed as failure:
            lane.note = f"tol {tol:.0e}: {failure}" if lane.attempts else str(failure)
            if isinstance(failure, OverCap) or not runner.alive:
                return
            continue
        gap = worst_gap(problem, read_fit(file), positions)
        lane.attempts.append(Attempt(tol, seconds, gap, n_passes))
        if gap <= goals[seconds <= CURVE_RUN]:
            return


def _repeat(lanes: list[Lane], runners: list[Runner], repeats: int, keep: bool) -> None:
    """Medians of the chosen attempts, libraries taking turns; three runs where one is long."""
    times: list[list[float]] = [[] for _ in lanes]
    for turn in range(repeats):
        for lane, runner, seconds in zip(lanes, runners, times, strict=True):
            if lane.chosen is None:
                continue
            if turn >= LONG_REPEATS and max(seconds, default=math.inf) > LONG_RUN:
                continue
            try:
                seconds.append(runner.run(lane.chosen.tol)[0])
            except Failed as failure:
                lane.note, seconds[:] = f"repeat: {failure}", [*seconds, math.inf]
            if not keep:
                runner.close()
    for lane, seconds in zip(lanes, times, strict=True):
        lane.median = statistics.median(seconds) if seconds else None


def race(
    problem: Problem,
    libraries: Sequence[Library],
    *,
    repeats: int = 7,
    cap_seconds: float = 300.0,
    threads: int = 1,
    target_gaps: tuple[float, ...] = TARGET_GAPS,
    ours: str = "regsolve",
    curve_gap: float | None = None,
    tell: Callable[[str], object] = lambda text: None,  # noqa: ARG005
) -> RaceResult:
    """Race ``libraries`` on ``problem``; ``ours`` names the one that peers are held against.

    Ours is run at the loosest of its tolerances that gives a worst gap <= 1e-9. A library that is
    not installed, fails, or passes the cap is kept in the result with a note. Peers whose runs
    are short are swept on to ``curve_gap``; ``tell`` is called with what is about to run.
    """
    lanes = [Lane(replace(library, threads=threads)) for library in libraries]
    positions = judged_alphas(problem, JUDGE_LIMIT)
    our_positions = judged_alphas(problem, 10 * JUDGE_LIMIT)
    size = 12 * problem.n_values if sp.issparse(problem.X) else problem.X.nbytes
    keep = 3 * size * len(lanes) < free_memory() / 2
    with tempfile.TemporaryDirectory(prefix="bench-race-") as folder:
        stored = Stored.of(problem, Path(folder))
        runners = [Runner(lane.library, stored, cap_seconds) for lane in lanes]
        try:
            for lane, runner in zip(lanes, runners, strict=True):
                mine = lane.library.name == ours
                goal = OUR_GAP if mine else min(target_gaps)
                goals = goal, min(goal, curve_gap or goal)
                judged = our_positions if mine else positions
                refused = lane.library.refuses(problem)
                if refused:
                    lane.note = f"not for this: {refused}"
                elif lane.library.available():
                    _sweep(lane, runner, problem, judged, goals, tell)
                else:
                    lane.note = "not installed"
                if not keep or not lane.attempts:
                    runner.close()
            gap = _choose(lanes, target_gaps, ours)
            tell(f"{problem.name}: repeats")
            _repeat(lanes, runners, repeats, keep)
        finally:
            for runner in runners:
                runner.close()
    own = next((lane for lane in lanes if lane.library.name == ours), None)
    counts = len(positions), len(our_positions)
    return RaceResult(problem, lanes, own, gap, target_gaps, threads, *counts)


def _choose(lanes: list[Lane], target_gaps: tuple[float, ...], ours: str) -> float | None:
    """Set every lane's ``chosen`` attempt and return the smallest gap that any peer reaches."""
    peers = [lane for lane in lanes if lane.library.peer and lane.library.name != ours]
    reached = [g for g in target_gaps if any(lane.best_gap <= g for lane in peers)]
    gap = min(reached, default=None)
    for lane in lanes:
        if lane.library.name == ours and lane.attempts:
            best = min(lane.attempts, key=lambda attempt: attempt.worst_gap)
            lane.chosen = lane.fastest(OUR_GAP) or best
        elif gap is not None:
            lane.chosen = lane.fastest(gap)
    return gap


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one race and print its table."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.race", description=__doc__.split("\n")[0]
    )
    known = ", ".join((*SMALL, *FULL))
    parser.add_argument("problem", help=f"a problem's name, such as {known}")
    parser.add_argument("--libraries", nargs="+", choices=list(LIBRARIES), default=list(LIBRARIES))
    parser.add_argument("--data", help="folder with load.py, .npz or svmlight files")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cap", type=float, default=300.0, help="seconds a run may take")
    parser.add_argument("--l1-ratio", type=float, default=1.0)
    parser.add_argument("--alphas", nargs=2, metavar=("N", "RATIO"), type=float)
    parser.add_argument("--standardize", action="store_true")
    options = parser.parse_args(arguments)
    changes: dict[str, object] = {"l1_ratio": options.l1_ratio, "standardize": options.standardize}
    if options.alphas:
        changes["alphas"] = (int(options.alphas[0]), options.alphas[1])
    try:
        problem = load_problem(options.problem, options.data, **changes)
    except MissingProblem as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    result = race(
        problem,
        [LIBRARIES[name]() for name in options.libraries],
        repeats=options.repeats,
        cap_seconds=options.cap,
        threads=options.threads,
    )
    sys.stdout.write(str(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())

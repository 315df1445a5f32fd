"""The smoke benchmark: is regsolve slower than at its last release.

    python -m bench.smoke            # holds this tree against bench/release.json
    python -m bench.smoke --write    # at a release: writes bench/release.json anew

Machines differ, so no second is compared with another machine's. Each case is measured in units of
a fixed NumPy kernel timed between its rounds, by minima over the rounds, and those units are held
against the release's under the same CPU target: CPUs of one target differ too, some in how many
multipliers they have, so that ``--write`` keeps the larger of what it measures and what another
machine wrote for the same release. Fails where one is above 1.5 times the release's,
after a second measurement that must confirm it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

import regsolve
from bench.problems import load_problem
from regsolve import _core, _validate
from regsolve.penalties import L1

FILE = Path(__file__).with_name("release.json")
LIMIT, ROUNDS = 1.5, 50

Work = Callable[[], Any]
Units = dict[str, float]


def numpy_kernel() -> Work:
    """Reading, multiplying, factorising and calling: some of what a path is made of, in NumPy."""
    rng = np.random.default_rng(0)
    X, r = np.asfortranarray(rng.standard_normal((400, 4000))), rng.standard_normal(400)
    A, small = X[:, :300].copy(), rng.standard_normal(50)

    def work() -> float:
        total = float(np.abs(X.T @ r).max()) + float(
            np.linalg.cholesky(A.T @ A + np.eye(300))[0, 0]
        )
        for _ in range(500):
            total += float((small * small).sum())
        return total

    return work


def cases() -> dict[str, Work]:
    """What is timed, each some milliseconds, one thread."""
    names = {"wide": "ar0.5-200x2000", "tall": "ar0.5-5000x100", "sparse": "zipf10-1000x2000"}
    problems = {key: load_problem(name) for key, name in names.items()}
    wide, tall = problems["wide"], problems["tall"]
    made: dict[str, Work] = {
        f"path, {key}": partial(
            regsolve.path, p.X, p.y, n_alphas=50, alpha_min_ratio=0.05, n_threads=1
        )
        for key, p in problems.items()
    }
    one = L1(0.2 * float(wide.grid[0]))
    solve = partial(regsolve.solve, wide.X, wide.y, penalty=one, n_threads=1)
    made["solve, wide"] = solve
    made["solve by cd, wide"] = partial(solve, solver="cd")
    made["Lasso.fit, tall"] = partial(regsolve.Lasso(0.01, n_threads=1).fit, tall.X, tall.y)
    matrix = _validate.design(np.asfortranarray(wide.X)).matrix
    made["X'R"] = partial(matrix.xtr, np.asfortranarray(np.random.default_rng(1).random((200, 8))))
    return made


def measure(works: dict[str, Work], unit: Work, rounds: int = ROUNDS) -> Units:
    """Least seconds of each case over the least of the NumPy kernel, taking turns."""
    everything = {"": unit, **works}
    least = dict.fromkeys(everything, float("inf"))
    with threadpool_limits(1):
        for work in everything.values():
            work()
        for _ in range(rounds):
            for name, work in everything.items():
                start = time.perf_counter()
                work()
                least[name] = min(least[name], time.perf_counter() - start)
    return {name: least[name] / least[""] for name in works}


def check(
    released: Units, works: dict[str, Work], unit: Work, rounds: int = ROUNDS
) -> tuple[str, bool]:
    """A table of head over release and whether all are at most LIMIT; the slow are tried again."""
    units = measure(works, unit, rounds)
    again = {n: works[n] for n in works if n in released and units[n] > LIMIT * released[n]}
    for name, value in (measure(again, unit, rounds) if again else {}).items():
        units[name] = min(units[name], value)
    lines, good = ["| case | release | head | head / release |\n|---|---|---|---|"], True
    for name, value in units.items():
        if name not in released:
            lines.append(f"| {name} | - | {value:.3f} | new |")
            continue
        ratio = value / released[name]
        good = good and ratio <= LIMIT
        mark = "" if ratio <= LIMIT else " SLOWER"
        lines.append(f"| {name} | {released[name]:.3f} | {value:.3f} | {ratio:.2f}{mark} |")
    lines += [f"| {name} | {released[name]:.3f} | - | gone |" for name in released.keys() - units]
    return "\n".join(lines), good


def larger(one: dict[str, Units], other: dict[str, Units]) -> dict[str, Units]:
    """Of each target and case the larger figure."""
    out = {target: dict(units) for target, units in one.items()}
    for target, units in other.items():
        mine = out.setdefault(target, {})
        for name, value in units.items():
            mine[name] = max(value, mine.get(name, 0.0))
    return out


def write(file: Path = FILE, rounds: int = ROUNDS) -> None:
    """Measure every target of this CPU: the median of three measurements a case."""
    works, unit = cases(), numpy_kernel()
    targets: dict[str, Units] = {}
    try:
        for target in _core.targets():
            _core.use_target(target)
            runs = [measure(works, unit, rounds) for _ in range(3)]
            targets[target] = {n: round(median(run[n] for run in runs), 4) for n in works}
    finally:
        _core.use_target()
    version = metadata.version("regsolve")
    before = json.loads(file.read_text()) if file.exists() else {"version": "", "targets": {}}
    if before["version"] == version:
        targets = larger(before["targets"], targets)
    file.write_text(json.dumps({"version": version, "targets": targets}, indent=2) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, or write."""
    parser = argparse.ArgumentParser(prog="python -m bench.smoke", description="smoke benchmark")
    parser.add_argument("--write", action="store_true", help=f"write {FILE.name}: at a release")
    if parser.parse_args(arguments).write:
        write()
        return 0
    release, target = json.loads(FILE.read_text()), _core.use_target()
    if target not in release["targets"]:
        print(f"{FILE.name} has no figures of {target}: nothing to hold this tree against")
        return 0
    table, good = check(release["targets"][target], cases(), numpy_kernel())
    print(f"Against {release['version']} on {target}, in units of a NumPy kernel:\n\n{table}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

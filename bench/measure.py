"""What ``python -m bench`` measures, as plain records that JSON can hold and report.py reads.

A library that is missing, fails or passes the cap has a record that says so, and no figure.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import scipy.sparse as sp

from bench.adapter import Library
from bench.problems import Problem, load_problem
from bench.race import race
from bench.result import OUR_GAP, Lane, RaceResult
from bench.runner import Failed, Runner, Stored
from regsolve import _core

OURS = "regsolve"
TARGET_GAPS = (1e-6, 1e-5, 1e-4, 1e-3)
CURVE_GAP = 1e-9
SIZE_GAP, SIZE_REPEATS = 1e-6, 3
# Rows and columns about one base problem, which is in both.
SIZES = {
    "n": ("rows n, with p = 300", tuple((n, f"ar0.5-{n}x300") for n in (100, 300, 1000, 3000))),
    "p": ("columns p, with n = 300", tuple((p, f"ar0.5-300x{p}") for p in (30, 100, 300, 1000))),
}
MEMORY_PROBLEM, COLD_PROBLEM = "ar0.5-500x20000", "diabetes"
COLD_STARTS = 3

Record = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """How all is measured; ``tell`` is called with what is about to run."""

    libraries: Sequence[Library]
    threads: int = 1
    cap_seconds: float = 60.0
    repeats: int = 7
    data: str | None = None
    tell: Callable[[str], object] = lambda text: None  # noqa: ARG005

    def problem(self, name: str) -> Problem:
        """Build a problem. Raises MissingProblem."""
        self.tell(name)
        return load_problem(name, self.data)

    @property
    def entrants(self) -> list[Library]:
        """The libraries, with their threads."""
        return [replace(library, threads=self.threads) for library in self.libraries]


def machine(settings: Settings) -> Record:
    """The header: versions, CPU, threads, the cap and the date."""
    from cpuinfo import get_cpu_info

    versions = {"Python": platform.python_version()}
    for name in ("regsolve", "numpy", "scipy", "scikit-learn", *_packages(settings.libraries)):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "versions": versions,
        "cpu": f"{get_cpu_info().get('brand_raw', platform.machine())}, {os.cpu_count()} cores",
        "target": _core.use_target(),
        "system": f"{platform.system()} {platform.machine()}",
        "threads": settings.threads,
        "cap_seconds": settings.cap_seconds,
        "date": datetime.now(UTC).date().isoformat(),
    }


def _packages(libraries: Sequence[Library]) -> list[str]:
    """Distributions of what the libraries import."""
    known = metadata.packages_distributions()
    return [name for library in libraries for name in known.get(library.package, [])[:1]]


def races(settings: Settings, name: str) -> Record:
    """One race by the rule, its curves continued to 1e-9 where runs are short."""
    problem = settings.problem(name)
    result = race(
        problem,
        settings.libraries,
        repeats=settings.repeats,
        cap_seconds=settings.cap_seconds,
        threads=settings.threads,
        target_gaps=TARGET_GAPS,
        curve_gap=CURVE_GAP,
        tell=settings.tell,
    )
    return race_record(result)


def sizes(settings: Settings, name: str) -> Record:
    """One race of a size sweep: all at 1e-6, or failed."""
    result = race(
        settings.problem(name),
        settings.libraries,
        repeats=min(SIZE_REPEATS, settings.repeats),
        cap_seconds=settings.cap_seconds,
        threads=settings.threads,
        target_gaps=(SIZE_GAP,),
        tell=settings.tell,
    )
    return race_record(result)


def race_record(result: RaceResult) -> Record:
    """A race as plain values."""
    problem = result.problem
    return {
        "what": problem.what,
        "shape": list(problem.X.shape),
        "n_values": problem.n_values,
        "n_alphas": len(problem.grid),
        "gap": result.gap,
        "ratio": result.ratio,
        "one_reading": one_reading(problem, result.threads),
        "table": str(result),
        "lanes": {lane.library.name: _lane_record(lane) for lane in result.lanes},
    }


def _lane_record(lane: Lane) -> Record:
    missed = lane.library.name == OURS and lane.best_gap > OUR_GAP and bool(lane.attempts)
    return {
        "peer": lane.library.peer,
        "seconds": None if missed else lane.seconds,
        "failure": f"failed: best gap {lane.best_gap:.0e}" if missed else lane.failure,
        "tol": lane.chosen and lane.chosen.tol,
        "n_passes": lane.chosen and lane.chosen.n_passes,
        "gap": lane.chosen and finite(lane.chosen.worst_gap),
        "attempts": [[a.tol, a.seconds, finite(a.worst_gap)] for a in lane.attempts],
    }


def finite(value: float) -> float | None:
    """JSON has no infinity: None stands for it."""
    return value if math.isfinite(value) else None


def one_reading(problem: Problem, threads: int) -> float:
    """Seconds of one reading of X's stored values by a plain sum, the least of seven."""
    X = problem.X
    values = X.data if sp.issparse(X) else X.ravel(order="K")
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        _core.stream(values, threads)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def memory(settings: Settings, name: str = MEMORY_PROBLEM) -> Record:
    """Peak memory of one path a library, at its loosest tolerance, each in a process of its own."""
    problem = settings.problem(name)
    X = problem.X
    size = X.data.nbytes + X.indices.nbytes if sp.issparse(X) else X.nbytes
    rows = _each(settings, problem, lambda library, stored: _peak(settings, library, stored))
    return {"problem": name, "bytes": size, "rows": rows}


def cold(settings: Settings, name: str = COLD_PROBLEM) -> Record:
    """Seconds from the start of a process to its first path: interpreter, imports, data, fit."""
    problem = settings.problem(name)
    rows = _each(settings, problem, lambda library, stored: _cold(settings, library, stored))
    return {"problem": name, "rows": rows}


def _each(
    settings: Settings, problem: Problem, look: Callable[[Library, Stored], Record]
) -> dict[str, Record]:
    """``look`` at every library on ``problem``; its failure is its record."""
    rows: dict[str, Record] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        stored = Stored.of(problem, Path(folder))
        for library in settings.entrants:
            settings.tell(f"{problem.name}: {library.name}")
            refused = library.refuses(problem)
            if refused or not library.available():
                reason = f"not for this: {refused}" if refused else "not installed"
                rows[library.name] = {"failure": reason}
                continue
            try:
                rows[library.name] = look(library, stored)
            except Failed as failure:
                rows[library.name] = {"failure": f"failed: {failure}"}
    return rows


def _cold(settings: Settings, library: Library, stored: Stored) -> Record:
    seconds = []
    for _ in range(COLD_STARTS):
        runner = Runner(library, stored, settings.cap_seconds, warm_up=False)
        start = time.perf_counter()
        try:
            runner.run(library.tolerances[0])
            seconds.append(time.perf_counter() - start)
        finally:
            runner.close()
    return {"seconds": statistics.median(seconds)}


def _peak(settings: Settings, library: Library, stored: Stored) -> Record:
    """Peak resident bytes of the process and what it has started, and their growth in the path."""
    runner = Runner(library, stored, settings.cap_seconds)
    try:
        runner.start()
        before = sum(_status(pid, "VmRSS") for pid in _session(runner.pid))
        for pid in _session(runner.pid):
            # "5" sets the peak back to what is resident now (proc(5)).
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        runner.run(library.tolerances[0])
        peak = sum(_status(pid, "VmHWM") for pid in _session(runner.pid))
    except OSError as error:
        raise Failed(f"peak memory is read from Linux's /proc: {error}") from None
    finally:
        runner.close()
    return {"peak": peak, "growth": peak - before}


def _session(leader: int) -> list[int]:
    """The processes of a session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if os.getsid(int(entry.name)) == leader:
                    found.append(int(entry.name))
    return found


def _status(pid: int, key: str) -> int:
    """Bytes of a line of /proc/PID/status; 0 for a process that has ended."""
    with contextlib.suppress(ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return 0

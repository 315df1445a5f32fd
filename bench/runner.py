"""One library in a process of its own: prepared once, timed on request, killed at the cap.

The child is spawned with the number of threads in its environment, leads a process group (so that
what it starts dies with it) and may not take more memory than is free. POSIX only.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import scipy.sparse as sp

from bench.adapter import Fit, Library
from bench.problems import Problem, Vector

START_SECONDS = 600.0
MEMORY_SHARE = 0.8
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_CSC_PARTS = ("data", "indices", "indptr")


class Failed(RuntimeError):
    """A run gave no answer; the text says why."""


class OverCap(Failed):
    """A run was killed at the cap."""


@dataclass(frozen=True)
class Stored:
    """A problem on disk, which every library's process reads into memory of its own."""

    root: Path
    blank: Problem
    shape: tuple[int, int]
    sparse: bool

    @classmethod
    def of(cls, problem: Problem, root: Path) -> Stored:
        """Write X, y and the grid as .npy files under ``root``."""
        X, sparse = problem.X, sp.issparse(problem.X)
        parts = {key: getattr(X, key) for key in _CSC_PARTS} if sparse else {"X": X}
        for key, array in {**parts, "y": problem.y}.items():
            np.save(root / f"{key}.npy", array)
        blank = replace(problem, X=None, y=np.zeros(0), alphas=problem.grid)
        return cls(root, blank, X.shape, sparse)

    def load(self) -> Problem:
        """The problem, its X in this process's own memory."""
        names = _CSC_PARTS if self.sparse else ("X",)
        parts = tuple(np.load(self.root / f"{key}.npy") for key in names)
        X = sp.csc_matrix(parts, shape=self.shape) if self.sparse else parts[0]
        return replace(self.blank, X=X, y=np.load(self.root / "y.npy"))

    def tiny(self) -> Problem:
        """A small problem of the same kind, to pay for compilation and first calls."""
        rng = np.random.default_rng(0)
        tall = self.shape[0] > self.shape[1]
        X: Any = np.asfortranarray(rng.standard_normal((100, 20) if tall else (20, 100)))
        y = X[:, 0] + rng.standard_normal(len(X))
        X = sp.csc_matrix(X) if self.sparse else X
        return replace(self.blank, X=X, y=y, alphas=np.array([0.5, 0.2, 0.1]))


def _serve(connection: Any, library: Library, stored: Stored, memory: int, warm_up: bool) -> None:
    """Body of the child: prepare, say "ready", then answer every (tol, file or None)."""
    os.setsid()
    warnings.simplefilter("ignore")
    tempfile.tempdir = str(stored.root)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    try:
        if warm_up:
            _warm_up(library, stored.tiny())
        prepared = library.prepare(stored.load())
        connection.send("ready")
    except Exception as error:
        connection.send(Failed(f"{type(error).__name__}: {error}"))
        return
    with contextlib.suppress(EOFError):
        while True:
            _answer(connection, library, prepared, stored.blank.grid, *connection.recv())


def _warm_up(library: Library, tiny: Problem) -> None:
    """Pay for imports and compilation."""
    prepared = library.prepare(tiny)
    library.path(prepared, tiny.grid, library.tolerances[0])
    library.release(prepared)


def _answer(
    connection: Any, library: Library, prepared: Any, alphas: Vector, tol: float, file: Path | None
) -> None:
    """Send (seconds, n_passes) of one path, then save it and send "saved" if asked; or Failed."""
    try:
        start = time.perf_counter()
        fit = library.path(prepared, alphas, tol)
        seconds = time.perf_counter() - start
    except Exception as error:
        connection.send(Failed(f"{type(error).__name__}: {error}"))
        return
    connection.send((seconds if fit.seconds is None else fit.seconds, fit.n_passes))
    if file is not None:
        coefs = sp.csc_matrix(fit.coefs)
        parts = {key: getattr(coefs, key) for key in _CSC_PARTS}
        np.savez(file, **parts, shape=coefs.shape, intercepts=fit.intercepts)
        connection.send("saved")


def read_fit(file: Path) -> Fit:
    """The fit that a child has saved."""
    with np.load(file) as saved:
        parts = tuple(saved[key] for key in _CSC_PARTS)
        return Fit(sp.csc_matrix(parts, shape=tuple(saved["shape"])), saved["intercepts"])


@contextlib.contextmanager
def _thread_environment(threads: int) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def free_memory() -> int:
    """Bytes that a new process may take."""
    with contextlib.suppress(OSError), Path("/proc/meminfo").open() as lines:
        for line in lines:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


class Runner:
    """The parent's handle on one library's process, started when first needed.

    Without ``warm_up`` the first run pays for imports and compilation, as a user's does.
    """

    def __init__(
        self, library: Library, stored: Stored, cap_seconds: float, *, warm_up: bool = True
    ) -> None:
        self.library, self.stored, self.cap = library, stored, cap_seconds
        self.warm_up = warm_up
        self._process: Any = None
        self._connection: Any = None

    @property
    def alive(self) -> bool:
        """Whether the child is running."""
        return self._process is not None

    def run(self, tol: float, file: Path | None = None) -> tuple[float, float | None]:
        """Seconds and readings of X of one path, its answer saved in ``file``. Raises Failed."""
        self.start()
        try:
            self._connection.send((tol, file))
        except OSError:
            self._died()
        seconds, n_passes = self._receive(self.cap)
        if seconds > self.cap:
            raise OverCap(f"over {self.cap:g} s")
        if file is not None:
            self._receive(START_SECONDS)
        return seconds, n_passes

    def start(self) -> None:
        """Start the process if it is not running: prepared, and warm if asked. Raises Failed."""
        if not self.alive:
            self._start()

    @property
    def pid(self) -> int:
        """The child's process, session and process group."""
        return int(self._process.pid)

    def close(self) -> None:
        """Kill the process and all that it has started; a later run starts a new one."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self._connection.close()
        self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        memory = int(MEMORY_SHARE * free_memory())
        arguments = (theirs, self.library, self.stored, memory, self.warm_up)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        with _thread_environment(self.library.threads):
            self._process.start()
        theirs.close()
        try:
            self._receive(START_SECONDS)
        except Failed:
            self.close()
            raise

    def _receive(self, limit: float) -> Any:
        try:
            if not self._connection.poll(limit):
                self.close()
                raise OverCap(f"over {limit:g} s")
            answer = self._connection.recv()
        except (EOFError, ConnectionError):
            self._died()
        if isinstance(answer, Failed):
            raise answer
        return answer

    def _died(self) -> NoReturn:
        self._process.join()
        code = self._process.exitcode
        self.close()
        raise Failed(f"its process died (exit code {code})") from None

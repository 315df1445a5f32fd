"""How many threads a call may use, and BLAS on one thread while ours run."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any


def available_threads() -> int:
    """Cores that this process may run on, but no more than OMP_NUM_THREADS.

    joblib's loky and Dask set that variable in their workers, to the cores that each may use; so
    do many who start processes side by side.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(cores, int(limit)) if limit.isdecimal() and int(limit) > 0 else cores


def available_memory() -> float:
    """Bytes of free memory, infinite where the system does not tell."""
    try:
        with open("/proc/meminfo", "rb", buffering=0) as file:
            _, found, rest = file.read(512).partition(b"MemAvailable:")
        return 1024.0 * float(rest.split(None, 1)[0]) if found else float("inf")
    except (OSError, ValueError):
        return float("inf")


class _LimitedBlas:
    """BLAS limited to some threads from the first of concurrent calls to the last.

    ``package`` limits the libraries that come with it, all if it is empty.
    """

    def __init__(self, n_threads: int, package: str = "") -> None:
        self._n_threads = n_threads
        self._package = package
        self._lock = threading.Lock()
        self._depth = 0
        self._controller: Any = None
        self._limiter: Any = None

    def _ships(self, path: str) -> bool:
        """Wheels keep their libraries in numpy.libs, on macOS in numpy/.dylibs."""
        folders = Path(path).parts[-3:-1]
        return not self._package or any(part.startswith(self._package) for part in folders)

    def _take_control(self) -> None:
        """Some versions of threadpoolctl heed only the first Python thread that set a limit."""
        for library in self._controller.lib_controllers:
            clear = getattr(library, "clear_controlling_thread", None)
            if clear is not None:
                clear(force=True)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._depth == 0:
                if self._controller is None:
                    from threadpoolctl import ThreadpoolController

                    found = ThreadpoolController().select(user_api="blas")
                    paths = [library.filepath for library in found.lib_controllers]
                    self._controller = found.select(
                        filepath=[path for path in paths if self._ships(path)]
                    )
                self._take_control()
                self._limiter = self._controller.limit(limits=self._n_threads)
            self._depth += 1
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1
                if self._depth == 0:
                    self._take_control()
                    self._limiter.restore_original_limits()
                    self._take_control()


one_thread_blas = _LimitedBlas(1)
_one_thread_numpy = _LimitedBlas(1, "numpy")
_limits: dict[int, _LimitedBlas] = {1: one_thread_blas}


def blas_threads(n_threads: int | None) -> AbstractContextManager[None]:
    """While it lasts, BLAS uses at most so many threads; None: as many as it likes."""
    if n_threads is None:
        return nullcontext()
    return _limits.setdefault(n_threads, _LimitedBlas(n_threads))()


@contextmanager
def scipy_blas(n_threads: int | None) -> Iterator[None]:
    """The same where SciPy's BLAS does all that is large: NumPy's keeps to one thread.

    Where both packages share one library, both have ``n_threads``.
    """
    with blas_threads(n_threads), _one_thread_numpy():
        yield

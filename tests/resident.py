"""Resident memory of a process, for code that runs in a child of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse


def in_child(code: str) -> Any:
    """What a fresh interpreter prints, as JSON; it may import this module."""
    call, tests = [sys.executable, "-c", code], str(Path(__file__).parent)
    paths = os.pathsep.join(filter(None, [tests, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        call,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def peak() -> int:
    """Most bytes that were resident so far."""
    import resource  # POSIX alone has it, and the children alone ask

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def begin() -> int:
    """The peak, which on Linux begins anew."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak()


def stored(X: Any) -> int:
    """Bytes of X's storage."""
    if sparse.issparse(X):
        return int(X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)
    return int(X.nbytes)


def few_values(n: int, p: int, per: int) -> tuple[Any, np.ndarray]:
    """X (n, p) in compressed columns of ``per`` values each, in different rows, and y."""
    rng = np.random.default_rng(0)
    rows = rng.integers(n // per, size=p * per, dtype=np.int32)
    rows += np.tile(np.arange(per, dtype=np.int32) * (n // per), p)
    start = np.arange(0, p * per + 1, per, dtype=np.int32)
    X = sparse.csc_array((np.abs(rng.standard_normal(p * per)), rows, start), shape=(n, p))
    y = np.asarray(X[:, :40].sum(axis=1)).ravel() + 0.1 * rng.standard_normal(n)
    return X, y


def problem(n: int, p: int, kind: str, file: str) -> tuple[Any, np.ndarray]:
    """X (n, p) of a kind, made column by column without a copy of it, and y."""
    rng = np.random.default_rng(0)
    X: Any
    if kind == "csc":
        per, start = n // 2, np.arange(p + 1, dtype=np.int32)
        data = np.empty(p * per)
        for j in range(p):
            data[j * per : (j + 1) * per] = rng.standard_normal(per)
        rows = np.tile(2 * np.arange(per, dtype=np.int32), p)
        X = sparse.csc_array((data, rows, per * start), shape=(n, p))
    else:
        X = np.empty((n, p), dtype="f4" if kind == "float32" else "f8", order="F")
        for j in range(p):
            X[:, j] = rng.standard_normal(n)
    if kind == "memmap":
        np.save(file, X)
        X = np.load(file, mmap_mode="r")
        X.sum()  # its pages are resident, and this process's, from now on
    y = 2.0 * X[:, [3]] - X[:, [5]]
    y = np.asarray(y.todense() if kind == "csc" else y, dtype=float).ravel()
    return X, y + rng.standard_normal(n)

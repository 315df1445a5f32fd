"""Options of the benchmark suites: ``--full``, ``--data DIR`` and ``--threads T``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Last, so that an installed regsolve is found before the source tree's.
sys.path.append(str(Path(__file__).parents[1]))


# A file for benchopt to load, which may not be here.
collect_ignore = ["benchopt"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("bench")
    group.addoption("--full", action="store_true", help="all problems, not the small ones alone")
    group.addoption("--data", metavar="DIR", help="folder with load.py, .npz or svmlight files")
    group.addoption("--threads", type=int, default=1, help="threads asked of the libraries")

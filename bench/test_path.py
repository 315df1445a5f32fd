"""Times of whole paths at fixed tolerances, in this process, with the worst gap beside them.

    python -m pytest bench/test_path.py --benchmark-enable [--full] [--data DIR] [--threads T]

The small problems take under two minutes with every library; ``--full`` adds the rest for regsolve
alone, because a peer can take hours there: bench.race caps it. Compare two revisions with
``--benchmark-save`` and ``--benchmark-compare``.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest
from threadpoolctl import threadpool_limits

from bench.libraries import LIBRARIES
from bench.problems import FULL, SMALL, MissingProblem, Problem, load_problem
from bench.race import JUDGE_LIMIT, judged_alphas, worst_gap
from bench.result import OUR_GAP

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

TOLERANCES = {
    "zeros": 1.0,
    "regsolve": 1e-9,
    "regsolve-cd": 1e-6,
    "scikit-learn": 1e-5,
    "celer": 1e-6,
    "skglm": 1e-5,
    "adelie": 1e-11,
    "glum": 1e-4,
    "glmnet": 1e-11,
    "scikit-learn-intelex": 1e-7,
    "liblinear": 1e-6,
    "picasso": 1e-13,
    "snapml": 1e-5,
}
SECONDS, ROUNDS = 1.0, 20


@lru_cache(maxsize=1)
def _problem(name: str, data: str | None) -> Problem:
    return load_problem(name, data)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every library on the small problems; under ``--full``, regsolve on the others."""
    cases = [(name, library) for name in SMALL for library in LIBRARIES]
    if metafunc.config.getoption("--full"):
        cases += [(name, "regsolve") for name in FULL]
    metafunc.parametrize(("problem", "library"), cases)


def test_path(
    benchmark: BenchmarkFixture, request: pytest.FixtureRequest, problem: str, library: str
) -> None:
    """One library along one path; regsolve must prove 1e-9 at every alpha, regsolve-cd 1e-6."""
    threads = request.config.getoption("--threads")
    adapter = LIBRARIES[library](threads=threads)
    if not adapter.available():
        pytest.skip(f"{library} is not installed")
    try:
        data = _problem(problem, request.config.getoption("--data"))
    except MissingProblem as missing:
        pytest.skip(str(missing))
    if adapter.refuses(data):
        pytest.skip(adapter.refuses(data))
    prepared, alphas, tol = adapter.prepare(data), data.grid, TOLERANCES[library]
    try:
        # The first call loads the library; what it loads must be there to be limited.
        adapter.path(prepared, alphas[:2], tol)
        with threadpool_limits(threads):
            start = time.perf_counter()
            fit = adapter.path(prepared, alphas, tol)
            rounds = int(SECONDS / (time.perf_counter() - start))
            rounds = min(max(rounds, 1), ROUNDS)
            benchmark.group = problem
            benchmark.pedantic(  # type: ignore[no-untyped-call]
                adapter.path, args=(prepared, alphas, tol), rounds=rounds
            )
    finally:
        adapter.release(prepared)
    gap = worst_gap(data, fit, judged_alphas(data, JUDGE_LIMIT))
    benchmark.extra_info.update(worst_gap=gap, n_passes=fit.n_passes, own_seconds=fit.seconds)
    goal = {"regsolve": OUR_GAP, "regsolve-cd": TOLERANCES["regsolve-cd"]}
    assert gap <= goal.get(library, float("inf"))

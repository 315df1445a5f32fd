"""Times of one alpha and of estimators' fits, in this process, with the relative gap beside them.

    python -m pytest bench/test_fit.py --benchmark-enable [--full] [--data DIR] [--threads T]

Every library at a tenth of alpha_max on the small problems, and what a user of scikit-learn's
classes waits for: ``fit`` on X and y. ``--full`` adds the rest for regsolve alone.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import regsolve
from bench.adapter import Fit
from bench.libraries import LIBRARIES
from bench.problems import FULL, SMALL, MissingProblem, Problem, load_problem
from bench.race import worst_gap
from bench.result import OUR_GAP
from bench.test_path import TOLERANCES

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

ONE_ALPHA = (1, 0.1)
ROUNDS = 5
ESTIMATORS = ("regsolve.Lasso", "regsolve.ElasticNet", "sklearn.Lasso", "sklearn.ElasticNet")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every case on the small problems; under ``--full``, regsolve's on the others."""
    kind = "library" if "library" in metafunc.fixturenames else "estimator"
    names = LIBRARIES if kind == "library" else ESTIMATORS
    cases = [(problem, name) for problem in SMALL for name in names]
    if metafunc.config.getoption("--full"):
        ours = [name for name in names if name in ("regsolve", *ESTIMATORS[:2])]
        cases += [(problem, name) for problem in FULL for name in ours]
    metafunc.parametrize(("problem", kind), cases)


@pytest.fixture
def threads(request: pytest.FixtureRequest) -> int:
    """Threads asked of the libraries."""
    return int(request.config.getoption("--threads"))


@pytest.fixture
def data(request: pytest.FixtureRequest, problem: str) -> Problem:
    """The problem at one alpha."""
    try:
        return load_problem(problem, request.config.getoption("--data"), alphas=ONE_ALPHA)
    except MissingProblem as missing:
        pytest.skip(str(missing))


def test_one_alpha(
    benchmark: BenchmarkFixture, data: Problem, threads: int, problem: str, library: str
) -> None:
    """One library from nothing to one alpha; regsolve must prove 1e-9."""
    adapter = LIBRARIES[library](threads=threads)
    if not adapter.available():
        pytest.skip(f"{library} is not installed")
    if adapter.refuses(data):
        pytest.skip(f"{library} {adapter.refuses(data)}")
    prepared, tol = adapter.prepare(data), TOLERANCES.get(library, adapter.tolerances[-1])
    try:
        # The first call loads and compiles; what it loads must be there to be limited.
        adapter.path(prepared, data.grid, tol)
        with threadpool_limits(threads):
            benchmark.group = f"one alpha, {problem}"
            fit = benchmark.pedantic(  # type: ignore[no-untyped-call]
                adapter.path,
                args=(prepared, data.grid, tol),
                rounds=ROUNDS,
            )
    finally:
        adapter.release(prepared)
    gap = worst_gap(data, fit, [0])
    benchmark.extra_info.update(worst_gap=gap, n_passes=fit.n_passes, own_seconds=fit.seconds)
    goal = {"regsolve": OUR_GAP, "regsolve-cd": TOLERANCES["regsolve-cd"]}
    assert gap <= goal.get(library, float("inf"))


def estimator_of(name: str, alpha: float) -> tuple[Any, float]:
    """A class at a tolerance that lets it reach a relative gap of about 1e-6, and its l1_ratio."""
    import sklearn.linear_model

    package, kind = name.split(".")
    room = regsolve if package == "regsolve" else sklearn.linear_model
    options = {} if package == "regsolve" else {"max_iter": 10**7}
    # scikit-learn's is on the gap over ||y||^2 / n with y as given, ours over the null objective.
    made = getattr(room, kind)(alpha, tol=1e-6 if package == "regsolve" else 1e-7, **options)
    return made, getattr(made, "l1_ratio", 1.0) if kind == "ElasticNet" else 1.0


def test_estimator(
    benchmark: BenchmarkFixture, data: Problem, threads: int, problem: str, estimator: str
) -> None:
    """Fit a class on X and y; regsolve's must prove the tol that it was given."""
    made, l1_ratio = estimator_of(estimator, float(data.grid[0]))
    with threadpool_limits(threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        benchmark.group = f"estimators, {problem}"
        benchmark.pedantic(  # type: ignore[no-untyped-call]
            made.fit, args=(data.X, data.y), rounds=ROUNDS, warmup_rounds=1
        )
    asked = replace(data, alphas=np.array(data.grid), l1_ratio=l1_ratio)
    fit = Fit(made.coef_.reshape(-1, 1), np.atleast_1d(made.intercept_))
    gap = worst_gap(asked, fit, [0])
    benchmark.extra_info.update(worst_gap=gap)
    assert gap <= (1e-6 if estimator.startswith("regsolve") else float("inf"))

"""Times of ridge regression, in this process, with the relative gap beside them.

    python -m pytest bench/test_ridge.py --benchmark-enable [--full] [--data DIR] [--threads T]

One alpha by every solver, and RidgeCV beside scikit-learn's; ``--full`` adds the problems of
``python -m bench.ridge`` for regsolve alone, that also tells what is asked of each.
"""

from __future__ import annotations

import math
import warnings
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV as PeerCV
from threadpoolctl import threadpool_limits

from bench.adapter import Fit
from bench.problems import MissingProblem
from bench.ridge import DENSE, GAP, SPARSE, Case, load_case
from bench.ridge_peers import peers, worst_gap
from regsolve import Ridge, RidgeCV

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

FEW = ("ar0.5-2000x50", "ar0.5-60x1000", "images2-1000x64", "zipf5-500x800")
ROUNDS, TOL, MOST = 5, 1e-8, 1000


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Small problems; under ``--full`` those of the table too, which ours alone goes through."""
    full = metafunc.config.getoption("--full")
    names = [*FEW, *((*DENSE, *SPARSE) if full else ())]
    metafunc.parametrize("problem", names)


@pytest.fixture
def case(request: pytest.FixtureRequest, problem: str) -> Case:
    """The problem, its grid and threads."""
    options = request.config
    try:
        return load_case(problem, options.getoption("--data"), options.getoption("--threads"))
    except MissingProblem as missing:
        pytest.skip(str(missing))


def test_one_alpha(benchmark: BenchmarkFixture, case: Case) -> None:
    """Ridge at one alpha must prove 1e-9."""
    model = Ridge(case.alpha, tol=GAP, n_threads=case.threads)
    benchmark.group = f"ridge at one alpha, {case.name}"
    benchmark.pedantic(  # type: ignore[no-untyped-call]
        model.fit, args=(case.X, case.y), rounds=ROUNDS, warmup_rounds=1
    )
    coefs = model.coef_.reshape(case.Y.shape[1], -1).T
    gap = worst_gap(case.X, case.Y, case.alpha, Fit(coefs, np.atleast_1d(model.intercept_)))
    benchmark.extra_info.update(worst_gap=gap)
    assert gap <= GAP


def test_peers_at_one_alpha(benchmark: BenchmarkFixture, case: Case) -> None:
    """Every other solver at one tolerance, together; their gaps are told and counted as finite."""
    if case.name not in FEW:
        pytest.skip("peers go through the small problems alone")
    found = [(peer, peer.layout(case.X)) for peer in peers(case.is_sparse)]

    def work() -> dict[str, Fit]:
        return {peer.name: peer.fit(X, case.Y, case.alpha, TOL, MOST) for peer, X in found}

    with threadpool_limits(case.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        benchmark.group = f"ridge at one alpha, {case.name}"
        fits = benchmark.pedantic(work, rounds=1)  # type: ignore[no-untyped-call]
    gaps = {name: worst_gap(case.X, case.Y, case.alpha, fit) for name, fit in fits.items()}
    benchmark.extra_info.update(gaps)
    assert all(math.isfinite(gap) for gap in gaps.values())


@pytest.mark.parametrize("library", ["regsolve", "scikit-learn"])
def test_leave_one_out(benchmark: BenchmarkFixture, case: Case, library: str) -> None:
    """RidgeCV over the grid; both choose the same alpha."""
    if library != "regsolve" and case.name not in FEW:
        pytest.skip("peers go through the small problems alone")
    kinds = {"regsolve": partial(RidgeCV, n_threads=case.threads), "scikit-learn": PeerCV}
    benchmark.group = f"RidgeCV, leave-one-out, {case.name}"
    with threadpool_limits(case.threads):
        model = benchmark.pedantic(  # type: ignore[no-untyped-call]
            lambda: kinds[library](case.grid).fit(case.X, case.y), rounds=ROUNDS, warmup_rounds=1
        )
    if case.name in FEW:
        assert np.isclose(model.alpha_, RidgeCV(case.grid).fit(case.X, case.y).alpha_)

"""Fits within a ball of coefficients beside one path of 100 alphas on the same data.

For each radius, a share of the norm at the end of the path, seconds of ``fit_norm_ball`` over those
of ``path`` (L1) or ``ridge_path`` (L2, 100 alphas that end where the fit does), least of three runs.
At most 2 is asked. Each fit is judged by ``verify_ball``.

    python -m bench.norm_ball [--data DIR] [--norm l1 l2] [PROBLEM ...]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import regsolve
from bench.problems import load_problem
from regsolve.views import fit_norm_ball, lq_norm, verify_ball

NAMES = ("leukemia", "reuters21578", "covtype", "square")
SHARES = (0.05, 0.3, 0.7, 1.0)
ASKED, RUNS = 2.0, 3


def square() -> tuple[Any, Any]:
    """2,000 x 2,000 Gaussian features, 100 of them at work."""
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal((2000, 2000)))
    return X, X[:, :100] @ rng.standard_normal(100) + 3.0 * rng.standard_normal(2000)


def least(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the fastest run and its result."""
    seconds, result = [], None
    for _ in range(RUNS):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
        if seconds[-1] > 5.0:
            break
    return min(seconds), result


def lines(name: str, X: Any, y: Any, norm: str) -> Iterator[str]:
    """One row of the table for each radius."""
    if norm == "l1":
        whole, path = least(lambda: regsolve.path(X, y))
        longest = float(abs(path.coefs[:, [-1]]).sum())
    else:
        scale = float(len(y)) * float(np.var(y))
        grid = np.geomspace(scale, 1e-4 * scale, 100)
        whole, ridge = least(lambda: regsolve.ridge_path(X, y, grid))
        longest = float(lq_norm(ridge.coefs[:, -1], 2.0))
    for share in SHARES:
        radius = share * longest
        seconds, fit = least(lambda radius=radius: fit_norm_ball(X, y, radius, norm=norm))
        told = verify_ball(X, y, fit.coef, fit.intercept, norm=norm, radius=radius)
        ratio = seconds / whole
        yield (
            f"| {name} | {norm} | {share:g} | {whole:.3f} | {seconds:.3f} | {ratio:.2f} | "
            f"{told.relative_gap:.1e} | {fit.report.n_solves} | {'yes' if ratio <= ASKED else 'NO'} |"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problems", nargs="*", default=NAMES)
    parser.add_argument("--data")
    parser.add_argument("--norm", nargs="+", default=["l1", "l2"], choices=["l1", "l2"])
    given = parser.parse_args()
    print(
        "| problem | norm | share of the longest | path, s | fit, s | ratio | gap | solves | met |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name in given.problems:
        if name == "square":
            X, y = square()
        else:
            problem = load_problem(name, given.data)
            X, y = problem.X, problem.y
        for norm in given.norm:
            for row in lines(name, X, y, norm):
                print(row, flush=True)


if __name__ == "__main__":
    main()

"""Ridge beside its floors: one factorisation, the machine's GEMM rate, and scikit-learn's solvers.

Dense: one alpha beside every solver of scikit-learn at a gap of 1e-9; 100 alphas, and 100 with
exact leave-one-out, over such a fit; RidgeCV beside scikit-learn's. Sparse: readings of X for 100
alphas over those for the smallest; a loop of scikit-learn's iterations over the grid, from three of
its alphas; many targets over one. Grids are 1e-4 to 1e2 times trace(Z'Z) / p, Z the centred X, and
"one alpha" is a tenth of that. Folds of scikit-learn's cv=5 are timed at one and three alphas, of
which 100 follow on a line. All gaps are those of regsolve.verify.

    python -m bench.ridge [--data DIR] [--threads T] [--cap SECONDS] [--figures F ...] [PROBLEM ...]
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

import regsolve
from bench.adapter import Fit
from bench.datasets import MissingProblem, read_arrays
from bench.problems import Problem, Vector, load_problem
from bench.ridge_peers import GAP, Peer, peers, reach, worst_gap
from bench.selection import least, line
from regsolve import Ridge, RidgeCV, ridge_path

DENSE = ("ar0.5-200000x300", "ar0.5-2000x2000", "ar0.5-500x20000", "images3-60000x784")
SPARSE = ("reuters21578", "nycflights", "news20_trigram")
TOPICS = {"reuters21578": "Y"}  # the array of a data folder that holds all targets
N_CLASSES = 10
N_ALPHAS, SPAN, ONE = 100, (1e-4, 1e2), 1e-1
OURS = "one alpha"


@dataclass(frozen=True)
class Case:
    """X (n, p), Y (n, T), the grid, ascending on the sum scale, and the alpha of single fits."""

    name: str
    X: Any
    Y: Vector
    grid: Vector
    alpha: float
    threads: int

    @classmethod
    def of(cls, problem: Problem, Y: Vector, threads: int) -> Case:
        """With the grid that the trace of Z'Z sets."""
        X = problem.X
        n, p = X.shape
        square = X.multiply(X) if sp.issparse(X) else np.einsum("ij,ij->j", X, X)
        total = float(square.sum()) - n * float(problem.moments[0] @ problem.moments[0])
        low, high = SPAN
        grid = total / p * np.geomspace(low, high, N_ALPHAS)
        return cls(problem.name, X, Y, grid, ONE * total / p, threads)

    @property
    def y(self) -> Any:
        """Y, or its only column."""
        return self.Y if self.Y.shape[1] > 1 else self.Y[:, 0]

    @property
    def is_sparse(self) -> bool:
        """Whether X holds non-zeros alone."""
        return bool(sp.issparse(self.X))

    def path(self, alphas: Any, **options: Any) -> Any:
        """ridge_path."""
        return ridge_path(self.X, self.y, alphas, tol=GAP, n_threads=self.threads, **options)


def classes(X: Any) -> Vector:
    """Ten classes as columns of 0 and 1: the largest of noisy linear scores."""
    rng = np.random.default_rng(0)
    scores = X @ rng.standard_normal((X.shape[1], N_CLASSES))
    scores += scores.std(axis=0) * rng.standard_normal(scores.shape)
    scores -= scores.mean(axis=0)
    return np.asfortranarray(np.eye(N_CLASSES)[np.argmax(scores, axis=1)])


def load_case(name: str, data: str | None, threads: int) -> Case:
    """The problem called ``name``; pictures have ten classes."""
    problem = load_problem(name, data)
    many = classes(problem.X) if name.startswith("images") else problem.y[:, None]
    return Case.of(problem, many, threads)


def ours(case: Case) -> tuple[float, Any]:
    """Seconds of Ridge at one alpha, and the model; its gap is judged."""
    seconds, model = least(
        lambda: Ridge(case.alpha, tol=GAP, n_threads=case.threads).fit(case.X, case.y)
    )
    coefs = model.coef_.reshape(case.Y.shape[1], -1).T
    gap = worst_gap(case.X, case.Y, case.alpha, Fit(coefs, np.atleast_1d(model.intercept_)))
    if not gap <= GAP:
        raise RuntimeError(f"{case.name}: a gap of {gap:.1e} at one alpha")
    return seconds, model


def gemm_rate(threads: int) -> float:
    """Flops a second of a product of matrices, the order of which is 3000."""
    A = np.asfortranarray(np.random.default_rng(0).standard_normal((3000, 3000)))
    with threadpool_limits(threads):
        seconds, _ = least(lambda: A @ A)
    return 2.0 * len(A) ** 3 / seconds


def one_alpha(case: Case, cap: float) -> Iterator[str]:
    """Beside every other library, and beside the rate of GEMM."""
    seconds, model = ours(case)
    n, p = case.X.shape
    k = min(n, p)
    share = (float(n) * p * k + k**3 / 3.0) / seconds / gemm_rate(case.threads)
    for peer in peers(sparse=False):
        reached = reach(peer, case.X, case.Y, case.alpha, cap)
        asked = "<= 1" if peer.name.startswith("scikit-learn ") else "-"
        ratio = seconds / reached.seconds
        told = f"{ratio:.2f} (it: {reached})" if math.isfinite(reached.seconds) else f"{reached}"
        met = asked == "-" or ratio <= 1.0
        yield line(f"{case.name}: {OURS} over {peer.name}", asked, told, met)
    mode = model.report_.mode
    yield line(
        f"{case.name}: {OURS}, share of the GEMM rate",
        "-",
        f"{share:.2f} ({seconds:.3g} s, {mode}; a symmetric product's flops are half of GEMM's)",
        True,
    )


def many_alphas(case: Case) -> Iterator[str]:
    """The grid, and the grid with leave-one-out, over one alpha."""
    n, p = case.X.shape
    square = max(n, p) < 2 * min(n, p)
    one, _ = ours(case)
    seconds, path = least(lambda: case.path(case.grid))
    met = bool(path.relative_gaps.max() <= GAP)
    yield line(
        f"{case.name}: {N_ALPHAS} alphas over one",
        "<= 10" if square else "<= 1.5",
        f"{seconds / one:.2f} ({seconds:.3g} s, {path.report.mode}, "
        f"gap {path.relative_gaps.max():.0e})",
        met and seconds <= (10.0 if square else 1.5) * one,
    )
    seconds, model = least(lambda: RidgeCV(case.grid, n_threads=case.threads).fit(case.X, case.y))
    yield line(
        f"{case.name}: RidgeCV, leave-one-out, over one alpha",
        "-" if square else "<= 5",
        f"{seconds / one:.2f} ({seconds:.3g} s, {model.report_.mode})",
        square or seconds <= 5.0 * one,
    )


def cross_validation(case: Case) -> Iterator[str]:
    """RidgeCV beside scikit-learn's, by folds and in closed form."""
    from sklearn.linear_model import RidgeCV as Theirs

    mine = {
        cv: least(
            lambda cv=cv: RidgeCV(case.grid, cv=cv, n_threads=case.threads).fit(case.X, case.y)
        )
        for cv in (None, 5)
    }
    few = [
        least(lambda m=m: Theirs(case.grid[:: N_ALPHAS // m][:m], cv=5).fit(case.X, case.y))[0]
        for m in (1, 3)
    ]
    folds = few[0] + max(few[1] - few[0], 0.0) / 2.0 * (N_ALPHAS - 1)
    for cv, name in ((5, "cv=5"), (None, "leave-one-out")):
        seconds = mine[cv][0]
        yield line(
            f"{case.name}: RidgeCV, {name}, times faster than scikit-learn's cv=5",
            ">= 10",
            f"{folds / seconds:.1f} ({seconds:.3g} s, about {folds:.3g} s)",
            folds >= 10.0 * seconds,
        )
    seconds, model = mine[None]
    closed, theirs = least(lambda: Theirs(case.grid).fit(case.X, case.y))
    agree = bool(np.isclose(model.alpha_, theirs.alpha_))
    yield line(
        f"{case.name}: RidgeCV, leave-one-out, over scikit-learn's closed form",
        "<= 1",
        f"{seconds / closed:.2f} ({seconds:.3g} s, {closed:.3g} s; "
        f"{'the same alpha' if agree else f'alpha {model.alpha_:.3g}, {theirs.alpha_:.3g}'})",
        seconds <= closed,
    )


def readings(case: Case) -> Iterator[str]:
    """Readings of X for the grid from one Krylov space, over those for its smallest alpha."""
    few = case.path(case.grid[:1], solver="krylov")
    many = case.path(case.grid, solver="krylov")
    ratio = many.report.n_passes / few.report.n_passes
    met = ratio <= 1.5 and bool(many.relative_gaps.max() <= GAP)
    yield line(
        f"{case.name}: readings for {N_ALPHAS} alphas over the smallest's",
        "<= 1.5",
        f"{ratio:.2f} ({many.report.n_passes:.1f}, {few.report.n_passes:.1f}; "
        f"gap {many.relative_gaps.max():.0e})",
        met,
    )


def loop(case: Case, cap: float) -> Iterator[str]:
    """Seconds of the grid beside a loop of scikit-learn's iterations."""
    seconds, path = least(lambda: case.path(case.grid))
    mode, gap = path.report.mode, float(path.relative_gaps.max())
    chosen = case.grid[[0, N_ALPHAS // 2, N_ALPHAS - 1]]
    for peer in peers(sparse=True):
        if not peer.name.startswith("scikit-learn "):
            continue
        theirs, missed = looped(peer, case, chosen, cap)
        yield line(
            f"{case.name}: {N_ALPHAS} alphas, times faster than a loop of {peer.name}",
            ">= 10",
            f"{'more than ' if missed else ''}{theirs / seconds:.0f} ({seconds:.3g} s by {mode}, "
            f"gap {gap:.0e}; {'more than' if missed else 'about'} {theirs:.3g} s)",
            theirs >= 10.0 * seconds and gap <= GAP,
        )


def looped(peer: Peer, case: Case, chosen: Vector, cap: float) -> tuple[float, bool]:
    """Seconds of a loop over the grid from the mean of chosen alphas; whether some missed GAP."""
    reached = [reach(peer, case.X, case.Y[:, :1], float(a), cap / len(chosen)) for a in chosen]
    seconds = [min(r.seconds, cap / len(chosen)) for r in reached]
    return N_ALPHAS * float(np.mean(seconds)), any(math.isinf(r.seconds) for r in reached)


def many_targets(case: Case, data: str | None) -> Iterator[str]:
    """All targets of a data set over one of them, at the grid's smallest alpha."""
    if case.name not in TOPICS:
        return
    Y = np.asarray(read_arrays(case.name, data)[TOPICS[case.name]], dtype=np.float64)
    alpha, options = float(case.grid[0]), {"tol": GAP, "n_threads": case.threads}
    one, _ = least(lambda: Ridge(alpha, **options).fit(case.X, case.y))
    seconds, model = least(lambda: Ridge(alpha, **options).fit(case.X, Y))
    gap = max(proof.relative_gap for proof in model.certificate_)
    yield line(
        f"{case.name}: {Y.shape[1]} targets over one",
        "<= 20",
        f"{seconds / one:.1f} ({seconds:.3g} s, {one:.3g} s, {model.report_.mode}, gap {gap:.0e})",
        seconds <= 20.0 * one and gap <= GAP,
    )


def rows_of(case: Case, figure: str, data: str | None, cap: float) -> Iterator[str]:
    """The lines of one figure; none where it is not of this kind of X."""
    kind = SPARSE_FIGURES if case.is_sparse else DENSE_FIGURES
    if figure in kind:
        yield from kind[figure](case, cap, data)


DENSE_FIGURES: dict[str, Callable[..., Iterator[str]]] = {
    "one": lambda case, cap, _: one_alpha(case, cap),
    "many": lambda case, *_: many_alphas(case),
    "cv": lambda case, *_: cross_validation(case),
}
SPARSE_FIGURES: dict[str, Callable[..., Iterator[str]]] = {
    "readings": lambda case, *_: readings(case),
    "loop": lambda case, cap, _: loop(case, cap),
    "targets": lambda case, _, data: many_targets(case, data),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, a line as soon as it is measured."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.ridge", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("problems", nargs="*", help="default: all, the sparse ones with --data")
    parser.add_argument("--data", help="folder of data sets; without it only simulated problems")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cap", type=float, default=20.0, help="seconds for each peer")
    every = (*DENSE_FIGURES, *SPARSE_FIGURES)
    parser.add_argument("--figures", nargs="+", choices=every, default=every, help="default: all")
    given = parser.parse_args(arguments)
    names = given.problems or [*DENSE, *(SPARSE if given.data else ())]
    first = load_problem("ar0.5-40x60")
    regsolve.Ridge(n_threads=given.threads).fit(first.X, first.y)  # what the first call pays for
    print("| figure | asked | reached | met |\n|---|---|---|---|", flush=True)
    with threadpool_limits(given.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's on the tolerances that it misses
        for name in names:
            try:
                case = load_case(name, given.data, given.threads)
            except MissingProblem as missing:
                print(missing, file=sys.stderr)
                continue
            for figure in given.figures:
                for row in rows_of(case, figure, given.data, given.cap):
                    print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

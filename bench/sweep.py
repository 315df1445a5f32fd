"""How the time of a path grows with size: lassos of 100 alphas to a gap of 1e-9.

The number of rows n, the number of columns p, the correlation of neighbouring columns and the
density of a sparse X are swept over about two decades each, one at a time from a base problem.
Each table ends with the least-squares slope of log(seconds) against log(quantity), where the
quantity of a correlation rho is 1 / (1 - rho). ``--large`` adds a sparse X of about 100 million
stored values, 1.2 GB.

    python -m bench.sweep [--quick] [--large] [--threads T] [--plot FILE]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

import regsolve
from bench.problems import load_problem

N_ALPHAS, ALPHA_MIN_RATIO, TOL = 100, 1e-2, 1e-9
REPEATS, LONG_RUN = 3, 10.0
COLUMNS = ("problem", "stored values", "seconds", "passes", "mode", "worst gap", "active")


@dataclass(frozen=True)
class Plan:
    """Values of each swept quantity; the base's own value is among them."""

    n: tuple[int, ...]
    p: tuple[int, ...]
    correlation: tuple[float, ...]
    mean_count: tuple[int, ...]
    dense: tuple[int, int, float]
    sparse: tuple[int, int]
    large: str


FULL = Plan(
    n=(100, 200, 400, 1000, 2000, 4000, 10_000),
    p=(400, 1000, 2000, 4000, 10_000, 20_000, 40_000),
    correlation=(0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99),
    mean_count=(1, 3, 8, 20, 60, 150, 400),
    dense=(400, 4000, 0.5),
    sparse=(20_000, 100_000),
    large="zipf140-200000x1000000",
)
QUICK = Plan(
    n=(20, 40, 200, 2000),
    p=(20, 200, 2000),
    correlation=(0.0, 0.5, 0.9, 0.99),
    mean_count=(1, 5, 50),
    dense=(40, 200, 0.5),
    sparse=(200, 1000),
    large="zipf10-1000x5000",
)


@dataclass(frozen=True)
class Point:
    """One measured path; ``active`` counts its non-zero coefficients at the last alpha."""

    name: str
    stored: int
    density: float
    seconds: float
    n_passes: float
    mode: str
    worst_gap: float
    active: int

    def cells(self) -> tuple[str, ...]:
        """The point as a row of the table, in the order of COLUMNS."""
        return (
            self.name,
            f"{self.stored:,}",
            f"{self.seconds:.3g}",
            f"{self.n_passes:.1f}",
            self.mode,
            f"{self.worst_gap:.1e}",
            str(self.active),
        )


@dataclass(frozen=True)
class Sweep:
    """One quantity's problems: ``quantity(value, point)`` is the abscissa of a point."""

    title: str
    label: str
    problems: tuple[tuple[float, str], ...]
    quantity: Callable[[float, Point], float]


@dataclass(frozen=True)
class Swept:
    """A measured sweep: seconds about exp(offset) * quantity ** slope."""

    sweep: Sweep
    quantities: tuple[float, ...]
    seconds: tuple[float, ...]
    slope: float
    offset: float


def sweeps(plan: Plan) -> list[Sweep]:
    """The four sweeps of ``plan``."""
    n, p, rho = plan.dense
    rows, columns = plan.sparse
    return [
        Sweep(
            f"n, with p = {p} and correlation {rho:g}",
            "n (rows)",
            tuple((v, f"ar{rho:g}-{v}x{p}") for v in plan.n),
            lambda value, _: value,
        ),
        Sweep(
            f"p, with n = {n} and correlation {rho:g}",
            "p (columns)",
            tuple((v, f"ar{rho:g}-{n}x{v}") for v in plan.p),
            lambda value, _: value,
        ),
        Sweep(
            f"Correlation, with n = {n} and p = {p}",
            "1 / (1 - correlation of neighbours)",
            tuple((v, f"ar{v:g}-{n}x{p}") for v in plan.correlation),
            lambda value, _: 1.0 / (1.0 - value),
        ),
        Sweep(
            f"Density, with n = {rows} and p = {columns}",
            "density (stored values / (n p))",
            tuple((v, f"zipf{v}-{rows}x{columns}") for v in plan.mean_count),
            lambda _, point: point.density,
        ),
    ]


def measure(name: str, n_threads: int) -> Point:
    """Time the path of the problem called ``name``: least of three runs, or one of over 10 s."""
    problem = load_problem(name)
    seconds: list[float] = []
    while len(seconds) < REPEATS and max(seconds, default=0.0) <= LONG_RUN:
        start = time.perf_counter()
        path = regsolve.path(
            problem.X,
            problem.y,
            n_alphas=N_ALPHAS,
            alpha_min_ratio=ALPHA_MIN_RATIO,
            tol=TOL,
            n_threads=n_threads,
        )
        seconds.append(time.perf_counter() - start)
    n, p = problem.X.shape
    return Point(
        name,
        problem.n_values,
        problem.n_values / (n * p) if sp.issparse(problem.X) else 1.0,
        min(seconds),
        path.report.n_passes,
        path.report.mode,
        float(path.relative_gaps.max()),
        int(path.df[-1]),
    )


def table(title: str, names: Sequence[str], at: Callable[[str], Point]) -> Iterator[Point]:
    """Print a table as its points are measured, and give them one by one."""
    print(f"### {title}\n\n| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}", flush=True)
    for name in names:
        point = at(name)
        print(f"| {' | '.join(point.cells())} |", flush=True)
        yield point
    print()


def run(sweep: Sweep, at: Callable[[str], Point]) -> Swept:
    """Measure every problem of one sweep; print its table and its slope."""
    points = list(table(sweep.title, [name for _, name in sweep.problems], at))
    pairs = zip(sweep.problems, points, strict=True)
    quantities = tuple(sweep.quantity(value, point) for (value, _), point in pairs)
    seconds = tuple(point.seconds for point in points)
    slope, offset = np.polyfit(np.log(quantities), np.log(seconds), 1)
    print(f"Slope of log(seconds) against log of {sweep.label}: {slope:.2f}\n", flush=True)
    return Swept(sweep, quantities, seconds, float(slope), float(offset))


def draw(results: Sequence[Swept], file: str, n_threads: int) -> None:
    """One log-log panel a sweep, its points and the fitted line; nothing global is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 7.2))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    FigureCanvasAgg(figure)
    threads = "1 thread" if n_threads == 1 else f"{n_threads} threads"
    figure.suptitle(f"Lasso path of {N_ALPHAS} alphas, relative gap {TOL:.0e}, {threads}")
    lowest = min(min(swept.seconds) for swept in results) / 1.5
    highest = max(max(swept.seconds) for swept in results) * 1.5
    for place, swept in enumerate(results, start=1):
        ax = figure.add_subplot(2, 2, place)
        x = np.asarray(swept.quantities)
        fitted = np.exp(swept.offset) * x**swept.slope
        ax.loglog(x, fitted, color="#a8a8a8", linewidth=1.2, linestyle=(0, (5.0, 1.6)))
        ax.loglog(x, swept.seconds, color="#332288", linewidth=1.6, marker="o", markersize=5.0)
        ax.set_ylim(lowest, highest)
        ax.set_title(f"{swept.sweep.title}\nslope {swept.slope:.2f}", fontsize=10.0)
        ax.set_xlabel(swept.sweep.label)
        ax.set_ylabel("time (seconds)")
        ax.grid(linewidth=0.4, color="#dddddd")
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=150)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table a sweep, and draw them all if asked."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.sweep", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, seconds in all")
    parser.add_argument("--large", action="store_true", help="add one large sparse problem")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--plot", metavar="FILE", help="draw the sweeps, such as sweep.png")
    given = parser.parse_args(arguments)
    plan = QUICK if given.quick else FULL
    measured: dict[str, Point] = {}

    def at(name: str) -> Point:
        """The base is in three sweeps and measured once."""
        if name not in measured:
            measured[name] = measure(name, given.threads)
        return measured[name]

    measure("ar0.5-40x60", given.threads)  # what the first call alone pays for
    results = [run(sweep, at) for sweep in sweeps(plan)]
    if given.large:
        list(table("Large", [plan.large], at))
    if given.plot:
        draw(results, given.plot, given.threads)
    return 0


if __name__ == "__main__":
    sys.exit(main())

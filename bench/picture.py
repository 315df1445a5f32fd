"""How a path is solved, in one picture: ``python -m bench.picture`` writes docs/path.png.

Drawn from one run: what was solved at each alpha, how far X was read, and what was proven.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import regsolve

N, P, N_INFORMATIVE = 300, 5000, 25
FILE = Path(__file__).resolve().parents[1] / "docs" / "path.png"
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#777777"


def problem() -> tuple[np.ndarray, np.ndarray]:
    """Features in a chain, each correlated 0.7 with the next; a few of them make y."""
    rng = np.random.default_rng(0)
    X = np.empty((N, P), order="F")
    X[:, 0] = rng.standard_normal(N)
    for j in range(1, P):
        X[:, j] = 0.7 * X[:, j - 1] + np.sqrt(0.51) * rng.standard_normal(N)
    w = np.zeros(P)
    w[rng.choice(P, N_INFORMATIVE, replace=False)] = rng.standard_normal(N_INFORMATIVE)
    y = X @ w
    return X, y + 0.3 * np.std(y) * rng.standard_normal(N)


def main() -> None:
    """Fit, draw, write."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    X, y = problem()
    seen: list[regsolve.Progress] = []
    path = regsolve.path(X, y, callback=seen.append, solver="working_set")
    strength = path.alphas / path.alpha_max
    figure = Figure(figsize=(8.0, 6.6), layout="constrained")
    solve, read, prove = figure.subplots(3, 1, sharex=True, height_ratios=[1.5, 1.0, 1.0])

    coefs = path.coefs.toarray()
    solve.plot(strength, coefs[np.any(coefs != 0.0, axis=1)].T, linewidth=1.0)
    solve.set_ylabel("coefficients")
    solve.set_title(
        f"1. Solve. At each of {len(path.alphas)} alphas, directly, the few of {P:,} features "
        "in play",
        loc="left",
    )

    passes = np.array([progress.n_passes for progress in seen])
    read.step(strength, passes, where="mid", color=BLUE)
    read.set_ylim(0.0, None)
    read.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    read.set_ylabel("readings of X")
    read.set_title(
        f"2. Read X seldom. {passes[-1]:.0f} readings say, for all alphas, which features "
        "stay zero",
        loc="left",
    )

    smallest = np.finfo(float).eps / 4.0
    prove.semilogy(strength, np.maximum(path.relative_gaps, smallest), "o", color=BLUE, ms=3.5)
    prove.axhline(1e-6, color=ORANGE)
    prove.annotate("tol", (1.0, 1e-6), (4, 3), textcoords="offset points", color=ORANGE)
    prove.set_ylim(1e-18, 1e-3)
    prove.set_ylabel("relative gap")
    prove.set_xlabel("alpha / alpha_max")
    prove.set_title(
        "3. Prove. No answer is further from the best objective than its gap", loc="left"
    )

    prove.set_xscale("log")
    prove.invert_xaxis()
    for ax in (solve, read, prove):
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color=GREY, alpha=0.2)
        ax.title.set_fontsize(10.5)
    FILE.parent.mkdir(exist_ok=True)
    figure.savefig(FILE, dpi=110, metadata={"Software": None})
    print(f"{FILE}: {path.report.n_passes:.1f} readings, {path.report.seconds:.2f} s")


if __name__ == "__main__":
    main()

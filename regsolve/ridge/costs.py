"""Which factorisation, or which iteration: predicted seconds from shapes, told in words.

Rates are those of two cores of a common server; their ratios are what decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from .._threads import available_memory

FLOPS = 9e10  # a second in products of matrices
CHOLESKY, TRIDIAGONAL, EIGEN = 6e10, 1.25e10, 7.5e9  # k^3/3, 4/3 k^3 and k^3 flops a second
STORED = 4e8  # stored values a second in a product with one vector
BANDWIDTH = 8e9  # bytes a second
DIRECT = 20_000  # largest k for which a dense Z'Z or Z Z' is made


@dataclass(frozen=True)
class Plan:
    """What to do and why; ``factor`` is cholesky, tridiagonal or eigen, or "" for iterations."""

    primal: bool
    factor: str
    why: str
    precise: bool = False
    iteration: str = ""


def choose(
    n: int,
    p: int,
    n_values: int,
    sparse: bool,
    n_alphas: int,
    n_targets: int,
    spectrum: bool,
    solver: str = "auto",
    least: float = 1.0,
) -> Plan:
    """Plan for ``n_alphas`` distinct strengths from ``least`` up.

    ``spectrum``: eigenvectors are asked for; ``solver``: a factor or an iteration by name.
    """
    primal = n >= p
    if least == 0.0 or solver == "svd":
        why = "alpha = 0 asks for the precision of X itself" if least == 0.0 else "asked for"
        return Plan(primal, "eigen", why, precise=True)
    if solver in ("krylov", "sketched"):
        return Plan(primal, "", "asked for", iteration=solver)
    if solver != "auto":
        return Plan(primal, solver, "asked for")
    k = min(n, p)
    side = "Z'Z" if primal else "Z Z'"
    factors = {
        "cholesky": n_alphas * (k**3 / 3.0 / CHOLESKY + 40.0 * k * k / BANDWIDTH),
        "tridiagonal": 4.0 / 3.0 * k**3 / TRIDIAGONAL + n_alphas * k * 1e-7,
        "eigen": k**3 / EIGEN,
    }
    if spectrum:
        factors = {"eigen": factors["eigen"]}
    factor = min(factors, key=factors.__getitem__)
    product = (n_values * k / 2.5e9 if sparse else float(n) * p * k / FLOPS) + 8.0 * k * k / 1e9
    direct = product + factors[factor]
    readings = 2.0 * predicted_iterations(k) * -(-n_targets // 8)
    iterative = readings * (n_values / STORED + 16.0 * (n + p) / BANDWIDTH)
    said = ", ".join(f"{name} {seconds:.2g}" for name, seconds in factors.items())
    fits = k <= DIRECT and 24.0 * k * k <= 0.5 * available_memory()
    if not spectrum and (not fits or (sparse and iterative < direct)):
        what = f"{side} would cost {direct:.2g} s" if fits else f"{side} would not fit"
        return Plan(primal, "", f"iterations, predicted {iterative:.2g} s: {what}")
    number = "one alpha" if n_alphas == 1 else f"{n_alphas} alphas"
    why = f"{side} for {number}: predicted seconds {product:.2g} + {said}"
    return Plan(primal, factor, why)


def predicted_iterations(k: int) -> float:
    """A guess before the first Ritz value: strengths unknown, moderate condition."""
    return min(float(k), 150.0)

"""Which factorisation, or which iteration: predicted seconds from shapes, told in words.

Rates are those of two cores of a common server; their ratios are what decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from .design import Design

FLOPS = 9e10  # a second in products of matrices
CHOLESKY, TRIDIAGONAL, EIGEN = 6e10, 1.25e10, 7.5e9  # k^3/3, 4/3 k^3 and k^3 flops a second
SPARSE = 2.5e9  # products of stored values with k columns a second, of which few are met
BANDWIDTH = 8e9  # bytes a second


@dataclass(frozen=True)
class Plan:
    """What to do and why; ``factor`` is cholesky, tridiagonal or eigen."""

    primal: bool
    factor: str
    why: str
    precise: bool = False


def choose(design: Design, n_alphas: int, least: float, solver: str, any_factor: bool) -> Plan:
    """Plan for ``n_alphas`` distinct strengths from ``least`` up.

    ``solver`` is "auto" or a factor by name; without ``any_factor`` the spectrum is asked for.
    """
    n, p, storage = design.n, design.p, design.storage
    primal, k = n >= p, min(n, p)
    if least == 0.0 or solver == "svd":
        why = "alpha = 0 asks for the precision of X itself" if least == 0.0 else "asked for"
        return Plan(primal, "eigen", why, precise=True)
    if solver != "auto":
        return Plan(primal, solver, "asked for")
    seconds = {
        "cholesky": n_alphas * (k**3 / 3.0 / CHOLESKY + 40.0 * k * k / BANDWIDTH),
        "tridiagonal": 4.0 / 3.0 * k**3 / TRIDIAGONAL + n_alphas * k * 1e-7,
        "eigen": k**3 / EIGEN,
    }
    if not any_factor:
        seconds = {"eigen": seconds["eigen"]}
    factor = min(seconds, key=seconds.__getitem__)
    product = 8.0 * k * k / 1e9
    product += storage.n_values * k / SPARSE if storage.sparse else float(n) * p * k / FLOPS
    side = "Z'Z" if primal else "ZZ'"
    number = "one alpha" if n_alphas == 1 else f"{n_alphas} alphas"
    said = ", ".join(f"{name} {value:.2g}" for name, value in seconds.items())
    return Plan(primal, factor, f"{side} for {number}: {product:.2g} s, then {said} s predicted")

"""Random small problems that hurt solvers: one seed, one problem.

``nasty(seed)`` draws every choice of a problem (storage, structure, target, weights, factors,
bounds, alpha) from one generator, so a failure is reproduced by its seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import lsq_linear

from regsolve.penalties import L1, L2, ElasticNet

DENSE = ["F", "C", "F32", "C32", "readonly", "strided"]
SPARSE = [
    "csc",
    "csc64",
    "csr",
    "csc32",
    "unsorted",
    "duplicates",
    "zeros",
    "readonly_csc",
    "array",
]
BASES = ["independent", "ar", "equal", "low_rank", "one_hot", "binary", "zero"]
TWISTS = ["none", "twins", "mirrored", "constant", "null_columns", "scaled", "shifted"]
TARGETS = ["signal", "noise", "huge", "tiny", "span", "constant", "zero"]
LEVELS = [2.0, 1.0, 0.5, 0.1, 1e-2, 1e-4, 0.0]
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Problem:
    """One problem; ``dense`` holds the float64 values of ``X``, whatever its storage.

    ``alphas`` has one entry for a single solve and several for a path; with ``grid`` set, the
    path is asked for by its number of alphas instead.
    """

    seed: int
    label: str
    X: Any = field(repr=False)
    dense: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    alphas: np.ndarray
    l1_ratio: float
    constraints: dict[str, Any]
    options: dict[str, Any]
    tol: float
    solver: str
    is_path: bool
    grid: int | None = None

    def penalty(self, alpha: float) -> Any:
        """Penalty at ``alpha``: L1 and L2 where the ratio allows, on even seeds."""
        if self.l1_ratio == 1.0 and self.seed % 2 == 0:
            return L1(alpha, **self.constraints)
        if self.l1_ratio == 0.0 and self.seed % 2 == 0:
            return L2(alpha, **self.constraints)
        return ElasticNet(alpha, self.l1_ratio, **self.constraints)

    @property
    def sample_weight(self) -> np.ndarray:
        """Weights s (n,), ones when none are given."""
        weight = self.options.get("sample_weight")
        return np.ones(len(self.y)) if weight is None else np.asarray(weight, dtype=float)

    @property
    def target(self) -> np.ndarray:
        """Target less offset, (n,)."""
        offset = self.options.get("offset")
        return self.y if offset is None else self.y - offset

    @property
    def factors(self) -> np.ndarray:
        """Penalty factors f (p,)."""
        factors = self.constraints.get("weights")
        return np.ones(self.dense.shape[1]) if factors is None else factors

    @property
    def spread(self) -> np.ndarray:
        """s (p,) of the penalty on s_j w_j: weighted deviations with ``standardize``, else 1."""
        weight, X = self.sample_weight / self.sample_weight.sum(), self.dense
        if not self.options["standardize"]:
            return np.ones(X.shape[1])
        spread = np.sqrt(weight @ (X - self.options["fit_intercept"] * (weight @ X)) ** 2)
        return np.where(spread > 1e-12 * np.sqrt(weight @ X**2), spread, 0.0)

    def null_residual(self) -> np.ndarray:
        """Residual (n,) of the null model, its unpenalised columns fitted without their bounds."""
        ones = np.ones((len(self.y), int(self.options["fit_intercept"])))
        free, root = np.column_stack([self.dense[:, self.factors == 0], ones]), self.root
        best = np.linalg.lstsq(root[:, None] * free, root * self.target, rcond=None)[0]
        return self.target - free @ best

    def bounded_null_residual(self) -> np.ndarray:
        """Residual (n,) of the null model, its unpenalised columns fitted within their bounds."""
        free, root, n = self.factors == 0, self.root, len(self.y)
        p = self.dense.shape[1]
        lower = np.broadcast_to(self.constraints.get("lower", -np.inf), p)[free]
        lower = np.maximum(lower, 0.0 if self.constraints.get("positive") else -np.inf)
        upper = np.broadcast_to(self.constraints.get("upper", np.inf), p)[free]
        if np.isinf(lower).all() and np.isinf(upper).all():
            return self.null_residual()
        ones = np.ones((n, int(self.options["fit_intercept"])))
        A = root[:, None] * np.column_stack([self.dense[:, free], ones])
        norms = np.linalg.norm(A, axis=0)
        length, norms = np.linalg.norm(root * self.target) or 1.0, np.where(norms > 0, norms, 1.0)
        room = np.full(ones.shape[1], np.inf)
        low, high = np.concatenate([lower, -room]), np.concatenate([upper, room])
        moves = low < high
        fit = lsq_linear(
            (A / norms)[:, moves],
            root * self.target / length,
            bounds=((low * norms / length)[moves], (high * norms / length)[moves]),
            method="bvls",
            tol=EPS,
            max_iter=50 + 10 * A.shape[1],
        )
        b = np.zeros(A.shape[1])
        b[moves] = length * fit.x / norms[moves]
        return np.asarray(
            self.target - self.dense[:, free] @ b[: free.sum()] - ones @ b[free.sum() :]
        )

    @property
    def root(self) -> np.ndarray:
        """Square roots of the weights divided by their sum, (n,)."""
        return np.sqrt(self.sample_weight / self.sample_weight.sum())


def regression(
    n: int, p: int, *, rho: float = 0.5, seed: int = 0, order: str = "F"
) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian X (n, p), correlation rho between neighbours, and y of ten features plus noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    for j in range(1, p):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1.0 - rho**2) * X[:, j]
    coef = np.zeros(p)
    used = np.linspace(0, p - 1, min(p, 10)).astype(int)
    coef[used] = np.where(np.arange(len(used)) % 2, -1.0, 2.0)
    return np.array(X, order=order), X @ coef + 3.0 + rng.standard_normal(n)  # type: ignore[call-overload]


def often(rng: np.random.Generator, choices: list[str]) -> str:
    """One of the choices, the last of which leaves little to solve and is drawn one time in 25."""
    return str(choices[-1] if rng.random() < 0.04 else rng.choice(choices[:-1]))


def structured(rng: np.random.Generator, base: str, n: int, p: int) -> np.ndarray:
    """Columns (n, p) with one kind of dependence among them."""
    Z = rng.standard_normal((n, p))
    rho = rng.choice([0.5, 0.9, 0.99, 0.999])
    if base == "ar":
        for j in range(1, p):
            Z[:, j] = rho * Z[:, j - 1] + np.sqrt(1.0 - rho**2) * Z[:, j]
    elif base == "equal":
        Z = np.sqrt(rho) * rng.standard_normal((n, 1)) + np.sqrt(1.0 - rho) * Z
    elif base == "low_rank":
        rank = int(rng.integers(1, max(2, min(n, p) // 2 + 1)))
        Z = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, p))
    elif base == "one_hot":
        levels = max(1, int(rng.integers(1, 6)))
        for first in range(0, p, levels):
            width = min(levels, p - first)
            Z[:, first : first + width] = np.eye(width)[rng.integers(0, width, n)]
    elif base == "binary":
        Z = (rng.normal() < Z).astype(float)
    elif base == "zero":
        Z[:] = 0.0
    return Z


def twisted(rng: np.random.Generator, twist: str, X: np.ndarray) -> np.ndarray:
    """X with some columns repeated, mirrored, made constant, rescaled or far from zero."""
    p = X.shape[1]
    if p == 0 or twist == "none":
        return X
    some = rng.random(p) < 0.4
    if twist in ("twins", "mirrored"):
        X[:, some] = X[:, rng.integers(0, p, some.sum())] * (1 if twist == "twins" else -1)
    elif twist == "constant":
        X[:, some] = rng.choice([1.0, -3.0, 1e3], some.sum())
    elif twist == "null_columns":
        X[:, some] = 0.0
    elif twist == "scaled":
        X = X * 10.0 ** rng.uniform(-6, 6, p)
    elif twist == "shifted":
        X = X + 10.0 ** rng.uniform(3, 6, p) * rng.choice([-1.0, 1.0], p)
    return np.asfortranarray(X)


def stored(rng: np.random.Generator, kind: str, X: np.ndarray) -> tuple[Any, np.ndarray]:
    """X in the storage ``kind``, and the float64 values that this storage holds."""
    if kind in SPARSE:
        if rng.random() < 0.7:
            X = X * (rng.random(X.shape) < rng.choice([0.1, 0.3, 0.7]))
        X = X.astype(np.float32) if kind == "csc32" else X
        return stored_sparse(rng, kind, X), X.astype(np.float64)
    if kind == "strided":
        wide = np.full((2 * X.shape[0], 3 * X.shape[1]), np.nan)
        wide[::2, ::3] = X
        return wide[::2, ::3], X.copy()
    order = "C" if kind.startswith("C") else "F"
    A = np.array(X, order=order, dtype=np.float32 if kind.endswith("32") else np.float64)
    A.flags.writeable = kind != "readonly"
    return A, A.astype(np.float64)


def stored_sparse(rng: np.random.Generator, kind: str, X: np.ndarray) -> Any:
    """X as CSC or CSR with the irregularity that ``kind`` names."""
    if kind == "csr":
        return sparse.csr_matrix(X)
    if kind == "array":
        return sparse.csc_array(X)
    A = sparse.csc_matrix(X)
    data, rows, ends = A.data.copy(), A.indices.copy(), A.indptr.copy()
    if kind == "unsorted":
        for j in range(X.shape[1]):
            part = slice(ends[j], ends[j + 1])
            order = rng.permutation(ends[j + 1] - ends[j])
            data[part], rows[part] = data[part][order], rows[part][order]
    elif kind == "duplicates":
        data, rows, ends = np.repeat(data / 2, 2), np.repeat(rows, 2), 2 * ends
    elif kind == "zeros":
        data, ends = X.ravel(order="F").copy(), np.arange(X.shape[1] + 1, dtype=np.int32) * len(X)
        rows = np.tile(np.arange(len(X), dtype=np.int32), X.shape[1])
    A = sparse.csc_matrix((data, rows, ends), shape=X.shape)
    if kind == "csc64":
        A.indices, A.indptr = A.indices.astype(np.int64), A.indptr.astype(np.int64)
    if kind == "readonly_csc":
        for part in (A.data, A.indices, A.indptr):
            part.flags.writeable = False
    return A


def drawn_target(rng: np.random.Generator, kind: str, X: np.ndarray) -> np.ndarray:
    """Target (n,) of one kind, from X with sparse coefficients on the scale of its columns."""
    n, p = X.shape
    size = np.maximum(np.abs(X).max(axis=0, initial=0.0), 1e-300)
    coef = rng.standard_normal(p) * (rng.random(p) < 0.3) / size
    noise = rng.standard_normal(n)
    if kind in ("zero", "constant"):
        return np.full(n, 0.0 if kind == "zero" else rng.choice([3.0, -0.1, 1e6]))
    if kind == "noise":
        return noise
    if kind == "span":
        return X @ coef
    return (X @ coef + 0.3 * noise) * {"huge": 1e8, "tiny": 1e-8}.get(kind, 1.0)


def drawn_weight(rng: np.random.Generator, kind: str, n: int) -> np.ndarray | None:
    """Sample weights (n,) with a positive sum, or None."""
    if kind == "none":
        return None
    if kind == "integer":
        return rng.integers(1, 5, n).astype(float)
    weight = rng.uniform(0.1, 2.0, n)
    if kind == "zeros":
        weight[rng.random(n) < 0.3] = 0.0
        weight[rng.integers(n)] = 1.0
    return weight


def drawn_constraints(rng: np.random.Generator, p: int, size: np.ndarray) -> dict[str, Any]:
    """Penalty factors and bounds, as keywords of a penalty; ``size`` (p,) scales the boxes."""
    chosen: dict[str, Any] = {}
    factors = often(rng, ["none", "random", "zeros", "inf", "mixed", "all_zero"])
    weights = rng.uniform(0.1, 3.0, p)
    if factors in ("zeros", "mixed"):
        weights[rng.random(p) < 0.3] = 0.0
    if factors in ("inf", "mixed"):
        weights[rng.random(p) < 0.3] = np.inf
    if factors != "none":
        chosen["weights"] = np.zeros(p) if factors == "all_zero" else weights
    bounds = rng.choice(["none", "none", "positive", "box", "one_sided", "pinned"])
    radius = size * 10.0 ** rng.uniform(-2, 1, p)
    if bounds == "positive":
        chosen["positive"] = True
    elif bounds == "one_sided":
        side = rng.integers(0, 3, p)
        chosen["lower"] = np.where(side == 0, 0.0, -np.inf)
        chosen["upper"] = np.where(side == 1, 0.0, np.inf)
    elif bounds in ("box", "pinned"):
        pinned = (rng.random(p) < 0.3) & (bounds == "pinned")
        chosen["lower"] = np.where(pinned, 0.0, -radius * rng.random(p))
        chosen["upper"] = np.where(pinned, 0.0, radius)
    return chosen


def critical_alpha(problem: Problem) -> float:
    """max_j |gradient_j at the null model| / (f_j l1_ratio), the alpha where support begins.

    Bounds are left out, so this is a scale, not a proof. A gradient within rounding of zero
    gives the scale of X'y instead.
    """
    s, X = problem.root**2, problem.dense
    gradient = np.abs(X.T @ (s * problem.null_residual()))
    size = np.abs(X.T) @ (s * np.abs(problem.target))
    weight = np.where(np.isfinite(problem.factors), problem.factors, 0.0) * problem.spread
    usable = (weight > 0) & (gradient > 1e-9 * size)
    if usable.any():
        return float(np.max(gradient[usable] / weight[usable]) / (problem.l1_ratio or 1.0))
    return float(np.max(size, initial=0.0)) or 1.0


def nasty(seed: int) -> Problem:
    """Problem number ``seed``."""
    rng = np.random.default_rng(seed)
    n = max(1, int(rng.choice([1, 5, 20, 60], p=[0.05, 0.15, 0.4, 0.4])) - int(rng.integers(0, 4)))
    p = max(
        0, int(rng.choice([1, 3, 8, 25, 60], p=[0.1, 0.1, 0.25, 0.3, 0.25])) - int(rng.integers(4))
    )
    kind, base, twist = rng.choice(DENSE + SPARSE), often(rng, BASES), rng.choice(TWISTS)
    X, dense = stored(rng, kind, twisted(rng, twist, structured(rng, base, n, p)))
    target = often(rng, TARGETS)
    y = drawn_target(rng, target, dense)
    size = np.abs(y).max(initial=0.0) / np.maximum(np.abs(dense).max(axis=0, initial=0.0), 1e-12)
    weight = rng.choice(["none", "random", "zeros", "integer"])
    options: dict[str, Any] = {
        "sample_weight": drawn_weight(rng, weight, n),
        "fit_intercept": bool(rng.random() < 0.6),
        "standardize": bool(rng.random() < 0.3),
    }
    if rng.random() < 0.2:
        options["offset"] = rng.standard_normal(n) * max(np.abs(y).max(), 1.0)
    constraints = drawn_constraints(rng, p, size + (size == 0))
    ratio = float(rng.choice([1.0, 0.5, 0.05, 0.0]))
    tol, solver = float(rng.choice([1e-4, 1e-6, 1e-9])), str(rng.choice(["auto", "auto", "cd"]))
    is_path = bool(rng.random() < 0.4)
    given = ", ".join(sorted(constraints)) or "plain"
    label = f"seed {seed}: {n}x{p} {kind}/{base}/{twist}, y {target}, weights {weight}, {given}"
    draft = Problem(
        seed, label, X, dense, y, np.ones(1), ratio, constraints, options, tol, solver, is_path
    )
    unit = critical_alpha(draft)
    alphas, grid = unit * rng.choice(LEVELS, 1), None
    if is_path:
        alphas = unit * np.geomspace(1.0, 10.0 ** -rng.uniform(1, 4), int(rng.integers(10, 31)))
        alphas = np.append(alphas, 0.0) if rng.random() < 0.2 else alphas
        alphas = rng.permutation(alphas) if rng.random() < 0.2 else alphas
        grid = len(alphas) if ratio > 0 and rng.random() < 0.3 else None
    return Problem(
        seed, label, X, dense, y, alphas, ratio, constraints, options, tol, solver, is_path, grid
    )

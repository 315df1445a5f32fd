"""The specification of every solver: one objective by its definition, and its minimiser.

    sum_i s_i f(y_i, x_i'w + b + offset_i) / sum_i s_i + sum_j penalty_j(e_j w_j)

Dense X only, one coefficient at a time, nothing clever: proximal coordinate descent, with each
step's curvature doubled until the objective's quadratic model is an upper bound. Penalties and
losses are read by their attributes, never through their methods.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from regsolve import losses, penalties


@dataclass(frozen=True)
class Problem:
    """Data, penalty and options of one problem, as handed to the solvers."""

    X: np.ndarray
    y: np.ndarray
    penalty: Any
    loss: Any = field(default_factory=losses.Quadratic)
    sample_weight: np.ndarray | None = None
    offset: np.ndarray | None = None
    fit_intercept: bool = True
    standardize: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """Keywords of verify() and solve(): all but X and y."""
        return {key: value for key, value in vars(self).items() if key not in ("X", "y")}

    @property
    def omega(self) -> np.ndarray:
        """Sample weights divided by their sum, (n,)."""
        s = np.ones(len(self.y)) if self.sample_weight is None else self.sample_weight
        return s / s.sum()

    @property
    def centred(self) -> np.ndarray:
        """X less its weighted means, with an intercept; else X; (n, p)."""
        X = np.array(self.X, dtype=float)
        return X - self.omega @ X if self.fit_intercept else X

    @property
    def scale(self) -> np.ndarray:
        """Deviations e_j that the penalty acts on, ones without standardize; (p,)."""
        if not self.standardize:
            return np.ones(self.X.shape[1])
        deviation = np.sqrt(self.omega @ self.centred**2)
        return np.where(deviation <= 2e-15 * np.abs(self.omega @ self.X), 0.0, deviation)


def rules(problem: Problem, j: int) -> tuple[Callable[..., float], Callable[..., float]]:
    """penalty_j(w) and argmin_w (w - z)^2 / 2 + step penalty_j(w) of feature j."""
    penalty, e, p = problem.penalty, problem.scale[j], problem.X.shape[1]
    f = np.broadcast_to(1.0 if penalty.weights is None else penalty.weights, p)[j]
    if math.isinf(f) or e == 0.0:
        return (lambda w: 0.0 if w == 0.0 else math.inf), (lambda _z, _step: 0.0)
    if isinstance(penalty, penalties.Custom):
        value, prox, alpha = penalty.value_function, penalty.prox_function, penalty.alpha
        return (
            lambda w: value(e * w, alpha, f),
            lambda z, step: prox(e * z, step * e**2, alpha, f) / e,
        )
    l1 = penalty.alpha * penalty.l1_ratio * f * e
    l2 = penalty.alpha * (1.0 - penalty.l1_ratio) * f * e**2
    lower = np.broadcast_to(-math.inf if penalty.lower is None else penalty.lower, p)[j]
    upper = np.broadcast_to(math.inf if penalty.upper is None else penalty.upper, p)[j]

    def value_within(w: float) -> float:
        return l1 * abs(w) + l2 * w * w / 2.0 if lower <= w <= upper else math.inf

    def prox_within(z: float, step: float) -> float:
        shrunk = math.copysign(max(abs(z) - step * l1, 0.0), z) / (1.0 + step * l2)
        return min(max(shrunk, lower), upper)

    return value_within, prox_within


def mean_loss(problem: Problem, z: np.ndarray) -> float:
    """sum_i s_i f(y_i, z_i) / sum_i s_i."""
    value = getattr(problem.loss, "value_function", lambda y, z: (y - z) ** 2 / 2.0)
    return sum(
        s * value(y, t) for s, y, t in zip(problem.omega, problem.y, z, strict=True) if s > 0
    )


def objective(problem: Problem, coef: np.ndarray, intercept: float) -> float:
    """Mean loss plus penalty."""
    z = np.asarray(problem.X, dtype=float) @ coef + intercept
    z = z if problem.offset is None else z + problem.offset
    costs = [rules(problem, j)[0](w) for j, w in enumerate(coef)]
    return mean_loss(problem, z) + sum(costs)


def slopes(problem: Problem, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """s_i f'(y_i, z_i) and s_i f''(y_i, z_i) over sum_i s_i, (n,) each."""
    if isinstance(problem.loss, losses.Quadratic):
        return problem.omega * (z - problem.y), problem.omega
    pairs = list(zip(problem.y, z, strict=True))
    gradient = np.array([problem.loss.gradient_function(*pair) for pair in pairs])
    curvature = np.array([problem.loss.curvature_function(*pair) for pair in pairs])
    return problem.omega * gradient, problem.omega * curvature


def minimise(
    problem: Problem, max_epochs: int = 20000, tol: float = 1e-15
) -> tuple[np.ndarray, float]:
    """Minimiser (coef, intercept); ends when no step moves the predictor by more than tol."""
    X, (n, p) = problem.centred, problem.X.shape
    proxes = [rules(problem, j)[1] for j in range(p)]
    columns = [X[:, j] for j in range(p)]
    if problem.fit_intercept:
        columns.append(np.ones(n))
        proxes.append(lambda z, _step: z)
    w, z = np.zeros(len(columns)), np.zeros(n)
    z = z if problem.offset is None else z + problem.offset
    size = math.sqrt(problem.omega @ (problem.y - z) ** 2) or 1.0
    for _ in range(max_epochs):
        moved = 0.0
        for j, x in enumerate(columns):
            step = coordinate_step(problem, x, z, w[j], proxes[j])
            w[j] += step
            z = z + step * x
            moved = max(moved, abs(step) * math.sqrt(problem.omega @ x**2))
        if moved <= tol * size:
            break
    coef = w[:p]
    shift = problem.omega @ np.asarray(problem.X, dtype=float) @ coef
    return coef, float(w[p] - shift) if problem.fit_intercept else 0.0


def coordinate_step(
    problem: Problem, x: np.ndarray, z: np.ndarray, w: float, prox: Callable[..., float]
) -> float:
    """Change d of one coefficient: prox of a gradient step, its curvature doubled until enough."""
    gradient, curvature = slopes(problem, z)
    slope, L = x @ gradient, x**2 @ curvature
    L = max(L, 1e-6 * float(problem.omega @ x**2))
    if L == 0.0:
        return prox(w, 1e10) - w
    before = mean_loss(problem, z)
    while True:
        d = prox(w - slope / L, 1.0 / L) - w
        if isinstance(problem.loss, losses.Quadratic):
            return d
        room = slope * d + L * d * d / 2.0 + 1e-14 * abs(before)
        if mean_loss(problem, z + d * x) <= before + room:
            return d
        L *= 2.0

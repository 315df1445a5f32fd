"""Pictures in the plane of two coefficients: the ball a fit touches, the paths descent takes.

The looks are those of :mod:`regsolve.views.shapes`; each function returns the Axes it drew on, by
default those of a new figure that no window shows. Coefficients are in units of y per unit of X.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .. import _validate
from ..penalties import L1, L2
from ..plots.drawing import in_math, short_name
from ..solve import solve
from .centred import Centred, centred
from .hessian import shrinkage
from .norms import lq_norm, norm_ball
from .shapes import axes_of, cross, names_of, stroke
from .weight_decay import gradient_descent, proximal_descent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]


def touching_ball(
    X: Any,
    y: ArrayLike,
    alpha: float,
    ax: Axes | None = None,
    *,
    norm: Literal["l1", "l2"] = "l1",
    features: tuple[int, int] | None = None,
    feature_names: Sequence[str] | None = None,
    fit_intercept: bool = True,
) -> Axes:
    """Draw the contours of the loss and the ball that they touch at the penalised solution.

    The penalised fit minimises the loss over the ball whose radius is its own norm. With more than
    two features the picture is the slice through two of them, all others at their fitted values:
    there too the solution is where the lowest contour meets what is left of the ball.

    Parameters
    ----------
    X : (n, p) array or sparse matrix, p >= 2
    y : (n,)
    alpha : float >= 0
        Of ``solve(X, y, penalty=L1(alpha))``, or L2.
    ax : matplotlib Axes, optional
    norm : {"l1", "l2"}
    features : two columns, optional
        By default the one with the largest coefficient, and the next: among those at zero the
        one with the largest gradient, else the one with the second largest coefficient.
    feature_names : p names, optional
    fit_intercept : bool

    Raises
    ------
    ValueError
        Bad data, fewer than two features, a norm or features that do not exist.
    """
    if norm not in ("l1", "l2"):
        raise ValueError(f"norm={norm!r}: expected 'l1' or 'l2'")
    p = _validate.design(X).shape[1]
    penalty = L1(alpha) if norm == "l1" else L2(alpha)
    fit = solve(X, y, penalty=penalty, fit_intercept=fit_intercept)
    if features is None:
        residual = np.asarray(y, dtype=np.float64) - fit.predict(X)
        features = _telling_pair(fit.coef, np.abs(residual @ X))
    pair = _checked_pair(features, p)
    others = fit.coef.copy()
    others[pair] = 0.0
    rest = np.asarray(y, dtype=np.float64) - np.asarray(X @ others)
    plane = centred(_two_columns(X, pair), rest, fit_intercept=fit_intercept)
    ax = axes_of(ax, equal=True)
    cross(ax)
    w = fit.coef[pair]
    best = _least_squares(plane)
    ball = norm_ball(1.0 if norm == "l1" else 2.0, lq_norm(w, 1.0 if norm == "l1" else 2.0))
    ax.fill(*ball.points.T, facecolor="#d9d9d9", edgecolor="black", linewidth=1.4, zorder=1)
    _contours(ax, plane, np.vstack([ball.points, best]), through=w)
    _point(ax, best, "P", "least squares")
    _point(ax, w, "o", f"{'lasso' if norm == 'l1' else 'ridge'}, $\\alpha = {in_math(alpha)}$")
    _name_plane(ax, pair, names_of(feature_names, p))
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax


def descent_paths(
    X: Any,
    y: ArrayLike,
    alpha: float,
    ax: Axes | None = None,
    *,
    features: tuple[int, int] = (0, 1),
    momentum: float = 0.8,
    n_steps: int = 400,
    feature_names: Sequence[str] | None = None,
    fit_intercept: bool = True,
) -> Axes:
    """Draw weight decay on two features over the contours of their loss: who ends where.

    Coupled and decoupled decay with momentum, their common path without it, and the proximal steps
    of L1 with the same alpha, all from 0 with step 0.2 / (L + alpha), marked at every fifth step;
    and the curve of all ridge solutions.

    Parameters
    ----------
    X : (n, p) array or sparse matrix; the other columns are left out of the fit
    y : (n,)
    alpha : float > 0
    ax : matplotlib Axes, optional
    features : two columns
    momentum : float in [0, 1)
    n_steps : int
    feature_names : p names, optional
    fit_intercept : bool

    Raises
    ------
    ValueError
        Bad data or options.
    """
    _validate.positive_number("alpha", alpha)
    p = _validate.design(X).shape[1]
    pair = _checked_pair(features, p)
    columns = _two_columns(X, pair)
    plane = centred(columns, y, fit_intercept=fit_intercept)
    step = 0.2 / (float(plane.eigenvalues()[0]) + alpha)
    options: dict[str, Any] = {
        "step_size": step, "n_steps": n_steps, "fit_intercept": fit_intercept,
    }  # fmt: skip
    decay: dict[str, Any] = options | {"alpha": alpha}
    runs = {
        f"coupled, momentum {momentum:g}": gradient_descent(columns, y, momentum=momentum, **decay),
        f"decoupled, momentum {momentum:g}": gradient_descent(
            columns, y, momentum=momentum, decoupled=True, **decay
        ),
        "either, no momentum": gradient_descent(columns, y, **decay),
        "proximal steps (L1)": proximal_descent(columns, y, penalty=L1(alpha), **options),
    }
    view = shrinkage(columns, 0.0, y, fit_intercept=fit_intercept)
    strengths = np.geomspace(1e-4, 1e4, 200) * float(view.eigenvalues[0])
    ridge = np.array([view.at(strength).coef_ridge for strength in strengths])
    best = _least_squares(plane)
    ax = axes_of(ax, equal=True)
    cross(ax)
    _contours(ax, plane, np.vstack([run.coefs for run in runs.values()] + [best[None]]))
    ax.plot(*ridge.T, color="black", linewidth=1.0, zorder=2, label="all ridge solutions")
    for rank, (name, run) in enumerate(runs.items()):
        ax.plot(*run.coefs.T, label=name, markevery=5, **stroke(rank, markersize=4.0))
    ends = np.array([run.coefs[-1] for run in runs.values()])
    ax.plot(*ends.T, "ko", markersize=7, zorder=5, label="where each ends")
    _point(ax, best, "P", "least squares")
    _name_plane(ax, pair, names_of(feature_names, p))
    title = f"$\\alpha = {in_math(alpha)}$"
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), title=title)
    return ax


def _checked_pair(features: Sequence[int], p: int) -> NDArray[np.intp]:
    pair = np.asarray(features)
    fits = pair.shape == (2,) and pair.dtype.kind in "iu" and pair[0] != pair[1]
    if not fits or pair.min() < 0 or pair.max() >= p:
        raise ValueError(f"features={features!r}: expected two different columns of {p}")
    return pair.astype(np.intp)


def _telling_pair(coef: Vector, gradient: Vector) -> tuple[int, int]:
    """The largest coefficient, and the zero with the largest gradient or the next largest."""
    if len(coef) < 2:
        raise ValueError(f"X has {len(coef)} features: a plane needs two")
    first = int(np.abs(coef).argmax())
    zero = np.flatnonzero((coef == 0.0) & (np.arange(len(coef)) != first))
    if len(zero):
        return first, int(zero[gradient[zero].argmax()])
    return first, int(np.argsort(-np.abs(coef), kind="stable")[1])


def _two_columns(X: Any, pair: NDArray[np.intp]) -> Vector:
    rows = np.arange(np.shape(X)[0])
    return _validate.dense_rows(_validate.columns_of(X, pair)(rows))


def _least_squares(plane: Centred) -> Vector:
    return np.asarray(np.linalg.lstsq(plane.X, plane.y, rcond=None)[0])


def _contours(ax: Axes, plane: Centred, seen: Vector, through: Vector | None = None) -> None:
    """Contours of the loss around its minimum, over what is ``seen``; one ``through`` a point."""
    centre = _least_squares(plane)
    H = plane.X.T @ plane.X / len(plane.y)
    low, high = seen.min(axis=0), seen.max(axis=0)
    half = 0.65 * max(float((high - low).max()), 1e-300)
    middle = 0.5 * (low + high)
    grid = np.linspace(-half, half, 161)
    w1, w2 = np.meshgrid(middle[0] + grid, middle[1] + grid)
    d = np.stack([w1 - centre[0], w2 - centre[1]])
    excess = 0.5 * np.einsum("iab,ij,jab->ab", d, H, d)
    level = float(excess.max()) / 40.0
    if through is not None:
        own = 0.5 * float((through - centre) @ H @ (through - centre))
        level = own if own > 1e-9 * float(excess.max()) else level
    spaced = level * np.array([0.25, 1.0, 2.25, 4.0, 6.25, 9.0, 12.25, 16.0, 25.0])
    widths = np.where((spaced == level) & (through is not None), 1.8, 0.8)
    if level > 0.0:
        ax.contour(w1, w2, excess, levels=spaced, colors="#707070", linewidths=widths, zorder=1.5)
    ax.set_xlim(middle[0] - half, middle[0] + half)
    ax.set_ylim(middle[1] - half, middle[1] + half)


def _point(ax: Axes, w: Vector, marker: str, label: str) -> None:
    ax.plot(*w, marker, color="black", markersize=8, markeredgecolor="white", label=label, zorder=6)


def _name_plane(ax: Axes, pair: NDArray[np.intp], names: list[str]) -> None:
    first, second = (short_name(names[j]) for j in pair.tolist())
    ax.set_xlabel(f"$w_1$: coefficient of {first} (y per unit)")
    ax.set_ylabel(f"$w_2$: coefficient of {second} (y per unit)")

"""Pictures of what shrinks: factors along the eigenvectors, filters, posterior intervals.

The looks are those of :mod:`regsolve.views.shapes`; each function returns the Axes it drew on, by
default those of a new figure that no window shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate
from ..plots.drawing import FADED, in_math, short_name
from .filters import early_stopping, spectral_filter
from .hessian import shrinkage
from .shapes import axes_of, names_of, stroke

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]


def shrinkage_factors(
    X: Any,
    alphas: Sequence[float],
    ax: Axes | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    fit_intercept: bool = True,
    standardize: bool = False,
) -> Axes:
    """Draw ridge's factors l / (l + alpha) against the eigenvalues l of the Hessian.

    Markers are the eigenvalues of the data; the legend counts the effective degrees of freedom.

    Parameters
    ----------
    X : (n, p) array or sparse matrix
    alphas : strengths > 0, a curve each
    ax : matplotlib Axes, optional
    sample_weight, fit_intercept, standardize
        As in :func:`regsolve.views.hessian.shrinkage`.

    Raises
    ------
    ValueError
        Bad data, an alpha that is not above 0, or columns that are all constant.
    """
    strengths = [_validate.positive_number("alphas", alpha) for alpha in alphas]
    view = shrinkage(
        X, 0.0, sample_weight=sample_weight, fit_intercept=fit_intercept, standardize=standardize
    )
    line = _eigenvalue_axis(view.eigenvalues)
    ax = axes_of(ax)
    ax.set_xscale("log")
    for rank, alpha in enumerate(strengths):
        here = view.at(alpha)
        ax.plot(line, line / (line + alpha), **stroke(rank, marker=False))
        ax.plot(view.eigenvalues, here.factors, **stroke(rank, linestyle="none"))
        label = f"$\\alpha = {in_math(alpha)}$: {here.df:.1f}"
        ax.plot([], [], label=label, **stroke(rank))
    ax.set_ylim(-0.02, 1.05)
    ax.set(
        xlabel=r"eigenvalue $\lambda_k$ of the Hessian $X^\top X / n$ (squared units of X)",
        ylabel=r"factor $\lambda_k / (\lambda_k + \alpha)$ along eigenvector $k$",
    )
    _legend(ax, "degrees of freedom")
    return ax


def filter_curves(
    X: Any,
    y: ArrayLike,
    n_steps: Sequence[int] = (3, 30, 300),
    ax: Axes | None = None,
    *,
    fit_intercept: bool = True,
) -> Axes:
    """Draw the filters of early stopping and of ridge with alpha = 1 / (eta t), for several t.

    Lines with markers at the data's eigenvalues are 1 - (1 - eta l)^t, thin grey ones
    l / (l + alpha); the legend gives their largest difference on the data.
    """
    runs = [early_stopping(X, y, t, fit_intercept=fit_intercept) for t in n_steps]
    if not runs:
        raise ValueError("n_steps is empty: give at least one number of steps")
    line = _eigenvalue_axis(runs[0].eigenvalues)
    line = line[line <= 1.0 / runs[0].step_size]
    ax = axes_of(ax)
    ax.set_xscale("log")
    for rank, run in enumerate(runs):
        curve = spectral_filter(line, run.n_steps, run.step_size)[0]
        ax.plot(line, line / (line + run.alpha), color="#808080", linewidth=1.1, zorder=2)
        ax.plot(line, curve, **stroke(rank, marker=False))
        ax.plot(run.eigenvalues, run.descent_filter, **stroke(rank, linestyle="none"))
        alpha = in_math(run.alpha, 2)
        label = f"{run.n_steps} steps, $\\alpha = {alpha}$: {run.largest_difference:.2f}"
        ax.plot([], [], label=label, **stroke(rank))
    ax.plot([], [], color="#808080", linewidth=1.1, label=r"ridge, $\alpha = 1 / (\eta t)$")
    ax.set_ylim(-0.02, 1.05)
    ax.set(
        xlabel=r"eigenvalue $\lambda_k$ of the Hessian $X^\top X / n$ (squared units of X)",
        ylabel=r"filter $1 - (1 - \eta \lambda_k)^t$",
    )
    _legend(ax, "largest difference from ridge")
    return ax


def posterior_intervals(
    lower: ArrayLike,
    upper: ArrayLike,
    ax: Axes | None = None,
    *,
    mean: ArrayLike | None = None,
    coefs: Mapping[str, ArrayLike] | None = None,
    feature_names: Sequence[str] | None = None,
    n_features: int = 20,
    interval: str = "95 % interval of the posterior",
) -> Axes:
    """Draw posterior intervals of the coefficients with point estimates beside them.

    Parameters
    ----------
    lower, upper : (p,) ends of the intervals
    ax : matplotlib Axes, optional
    mean : (p,), optional
        Posterior means.
    coefs : label -> (p,), optional
        Point estimates, such as a lasso's at the same alpha, or at several alphas of its path.
    feature_names : p names, optional
    n_features : int
        Most features to draw, those whose intervals reach farthest from 0.
    interval : str, the legend's word for the intervals

    Raises
    ------
    ValueError
        Shapes that do not fit, or an end that lies on the wrong side.
    """
    low, high = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    points = {name: np.asarray(w, dtype=np.float64) for name, w in (coefs or {}).items()}
    if mean is not None:
        points = {"posterior mean": np.asarray(mean, dtype=np.float64)} | points
    if low.ndim != 1 or len(low) == 0:
        raise ValueError(f"lower has shape {low.shape}: expected (p,), p >= 1")
    p = len(low)
    for name, w in {"upper": high, **points}.items():
        if w.shape != (p,):
            raise ValueError(f"{name} has shape {w.shape}: expected that of lower, {low.shape}")
    if not (low <= high).all():
        raise ValueError("lower must not exceed upper")
    names = names_of(feature_names, p)
    reach = np.maximum(np.abs(low), np.abs(high))
    shown = np.sort(np.argsort(-reach, kind="stable")[: max(n_features, 1)])
    place = np.arange(len(shown), dtype=float)
    ax = axes_of(ax)
    ax.axvline(0.0, color=FADED, linewidth=0.9, zorder=0)
    ax.hlines(place, low[shown], high[shown], color="#606060", linewidth=5.0, alpha=0.45,
              label=interval, zorder=2)  # fmt: skip
    for rank, (name, w) in enumerate(points.items()):
        shift = 0.16 * (rank - (len(points) - 1) / 2.0)
        ax.plot(w[shown], place + shift, label=name, **stroke(rank, linestyle="none"))
    ax.set_yticks(place, labels=[short_name(names[j]) for j in shown])
    ax.invert_yaxis()
    ax.set(xlabel="coefficient $w_j$ (units of y per unit of feature $j$)", ylabel="feature $j$")
    _legend(ax)
    return ax


def _eigenvalue_axis(eigenvalues: Vector) -> Vector:
    """Values that cover the eigenvalues and, for a log axis to have ticks, a decade below them."""
    if len(eigenvalues) == 0:
        raise ValueError("every column of X is constant: the Hessian is zero")
    low, high = float(eigenvalues.min()), float(eigenvalues.max())
    return np.geomspace(max(low, high * 1e-12) / 10.0, high * 3.0, 400)


def _legend(ax: Axes, title: str = "") -> None:
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5), title=title)

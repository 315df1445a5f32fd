"""Pictures of the penalties themselves: balls, thresholds, priors; with the user's coefficients.

Every curve has a colour, dashes and a marker of its own, so that none of them needs the colour.
Each function returns the Axes it drew on, by default those of a new figure that no window shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _validate
from ..penalties import L1, L2, ElasticNet
from ..plots.drawing import COLOURS, FADED, STYLES, in_math, new_axes
from .norms import lq_norm, norm_ball
from .priors import Gaussian, Laplace, LaplaceGaussian
from .thresholds import firm_threshold, hard_threshold, scad_threshold

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    Vector = NDArray[np.float64]

_MARKERS = ("o", "s", "^", "D", "v", "P")


def stroke(rank: int, *, marker: bool = True, **more: Any) -> dict[str, Any]:
    """Line2D options of curve number ``rank``: colour, dashes and, sparsely, a marker."""
    look: dict[str, Any] = {
        "color": COLOURS[rank % len(COLOURS)],
        "linestyle": STYLES[rank % len(STYLES)],
        "linewidth": 1.7,
        "zorder": 3,
    }
    if marker:
        look |= {"marker": _MARKERS[rank % len(_MARKERS)], "markersize": 5.5}
    return look | more


def axes_of(ax: Axes | None, *, equal: bool = False) -> Axes:
    """``ax``, or new axes, with two spines; ``equal`` makes a unit as long on both axes."""
    ax = new_axes() if ax is None else ax
    ax.spines[["top", "right"]].set_visible(False)
    if equal:
        ax.set_aspect("equal", adjustable="box")
    return ax


def cross(ax: Axes) -> None:
    """Thin lines through the origin."""
    ax.axhline(0.0, color=FADED, linewidth=0.7, zorder=0)
    ax.axvline(0.0, color=FADED, linewidth=0.7, zorder=0)


def names_of(feature_names: Sequence[str] | None, p: int) -> list[str]:
    """Names of p features, x0, x1, ... by default; ValueError if there are more or fewer."""
    if feature_names is None:
        return [f"x{j}" for j in range(p)]
    if len(feature_names) != p:
        raise ValueError(f"feature_names has {len(feature_names)} names for {p} features")
    return [str(name) for name in feature_names]


def norm_balls(
    qs: Sequence[float] = (0.5, 1.0, 2.0, 4.0, math.inf),
    ax: Axes | None = None,
    *,
    through: ArrayLike | None = None,
    names: tuple[str, str] = ("$w_1$", "$w_2$"),
) -> Axes:
    """Draw the balls sum |w_j|^q <= radius^q in the plane, one for each q > 0.

    Parameters
    ----------
    qs : numbers in (0, inf]
    ax : matplotlib Axes, optional
    through : (2,), optional
        Two coefficients: each ball then has the radius ||w||_q whose boundary holds them. By
        default the radius is 1.
    names : of the two axes

    Raises
    ------
    ValueError
        q that is not above 0, or ``through`` that is not two numbers other than 0, 0.
    """
    point = None if through is None else np.asarray(through, dtype=np.float64)
    if point is not None and not (point.shape == (2,) and np.isfinite(point).all() and point.any()):
        raise ValueError(f"through={through!r}: expected two numbers that are not both 0")
    balls = [norm_ball(q, 1.0 if point is None else lq_norm(point, q)) for q in qs]
    ax = axes_of(ax, equal=True)
    cross(ax)
    for rank, ball in enumerate(balls):
        q = r"\infty" if math.isinf(ball.q) else f"{ball.q:g}"
        shape = "" if ball.convex else ", not convex"
        every = max(1, (len(ball.points) - 1) // 8)
        ax.plot(*ball.points.T, label=f"$q = {q}${shape}", markevery=every, **stroke(rank))
    if point is not None:
        ax.plot(*point, "ko", markersize=7, zorder=5, label="the coefficients")
    ax.set(xlabel=names[0], ylabel=names[1])
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def threshold_curves(
    alpha: float = 1.0,
    ax: Axes | None = None,
    *,
    coefs: ArrayLike | None = None,
    ridge_alpha: float = 1.0,
    mcp_gamma: float = 3.0,
    scad_gamma: float = 3.7,
) -> Axes:
    """Draw what ridge, soft, hard, firm (MCP) and SCAD thresholds make of a coefficient.

    For a unit Hessian, H_jj = 1: standardised, uncorrelated features.

    Parameters
    ----------
    alpha : float > 0, the threshold, in the units of the coefficients
    ax : matplotlib Axes, optional
    coefs : (k,), optional
        Least-squares coefficients to mark along the lower edge.
    ridge_alpha : float >= 0
        Strength of ridge, which divides by 1 + alpha and has no unit here.
    mcp_gamma, scad_gamma : where MCP and SCAD stop shrinking, over alpha

    Raises
    ------
    ValueError
        alpha that is not above 0, mcp_gamma <= 1, scad_gamma <= 2.
    """
    t = _validate.positive_number("alpha", alpha)
    given = np.zeros(0) if coefs is None else np.asarray(coefs, dtype=np.float64).ravel()
    reach = 1.1 * max(1.25 * max(mcp_gamma, scad_gamma) * t, np.abs(given).max(initial=0.0))
    # a hair on either side of each jump and kink draws it upright
    edges = np.outer([-1.0, 1.0], np.array([1.0, 2.0, mcp_gamma, scad_gamma]) * t).ravel()
    grid = np.linspace(-reach, reach, 401)
    z = np.unique(np.concatenate([grid, edges * (1.0 - 1e-9), edges * (1.0 + 1e-9)]))
    curves = {
        f"ridge (L2, $\\alpha = {ridge_alpha:g}$)": L2(ridge_alpha).prox(z, 1.0),
        "soft (L1)": L1(t).prox(z, 1.0),
        "hard (L0)": hard_threshold(z, t),
        f"firm (MCP, $\\gamma = {mcp_gamma:g}$)": firm_threshold(z, t, mcp_gamma),
        f"SCAD ($\\gamma = {scad_gamma:g}$)": scad_threshold(z, t, scad_gamma),
    }
    ax = axes_of(ax)
    cross(ax)
    ax.plot(z, z, color=FADED, linewidth=1.0, label="least squares", zorder=1)
    for rank, (name, w) in enumerate(curves.items()):
        ax.plot(z, w, label=name, markevery=(9 * rank, 50), **stroke(rank))
    if len(given):
        at = np.full(len(given), 0.02)
        ax.plot(given, at, "k|", markersize=12, transform=ax.get_xaxis_transform(), zorder=5)
    ax.set_xlim(-reach, reach)
    ax.set(
        xlabel=f"least-squares coefficient $w^*_j$ (threshold $\\alpha = {in_math(t)}$)",
        ylabel="coefficient $w_j$ after the threshold",
    )
    ax.legend(frameon=False)
    return ax


def prior_densities(
    penalties: Sequence[L1 | L2 | ElasticNet] = (L2(), L1(), ElasticNet()),
    ax: Axes | None = None,
    *,
    n_samples: int = 1,
    noise_variance: float = 1.0,
    coefs: ArrayLike | None = None,
) -> Axes:
    """Draw the densities of one coefficient whose posterior modes are the penalised fits.

    With Gaussian noise of variance s2 a penalty g(w_j) on the mean loss of n rows is the prior
    with density proportional to exp(-n g(w_j) / s2): Gaussian of variance s2 / (n alpha) for
    ridge, Laplace of rate n alpha / s2 for the lasso, a product of two for the elastic net.

    Parameters
    ----------
    penalties : of a feature with factor 1 and no bounds, alpha > 0
    ax : matplotlib Axes, optional
    n_samples, noise_variance : n and s2
    coefs : (k,), optional
        Coefficients to mark along the lower edge.

    Raises
    ------
    ValueError
        alpha or noise_variance that is not above 0.
    """
    rate = _validate.positive_integer("n_samples", n_samples) / _validate.positive_number(
        "noise_variance", noise_variance
    )
    strengths = [_validate.positive_number("alpha", penalty.alpha) * rate for penalty in penalties]
    given = np.zeros(0) if coefs is None else np.asarray(coefs, dtype=np.float64).ravel()
    widths = [
        1.0 / total if penalty.l1_ratio == 1.0 else total**-0.5
        for penalty, total in zip(penalties, strengths, strict=True)
    ]
    reach = max(4.0 * max(widths, default=1.0), 1.1 * np.abs(given).max(initial=0.0))
    w = np.linspace(-reach, reach, 1001)
    ax = axes_of(ax)
    for rank, penalty in enumerate(penalties):
        label = f"{_prior_name(penalty)}, $\\alpha = {in_math(penalty.alpha)}$"
        ax.plot(w, prior_density(w, penalty, rate), label=label, markevery=(20, 60), **stroke(rank))
    if len(given):
        at = np.full(len(given), 0.02)
        ax.plot(given, at, "k|", markersize=12, transform=ax.get_xaxis_transform(), zorder=5)
    ax.set_xlim(-reach, reach)
    ax.set_ylim(bottom=0.0)
    ax.set(
        xlabel="coefficient $w_j$ (units of y per unit of feature $j$)",
        ylabel="prior density $p(w_j)$ (one over those units)",
    )
    ax.legend(frameon=False)
    return ax


def _prior_name(penalty: L1 | L2 | ElasticNet) -> str:
    if penalty.l1_ratio in (0.0, 1.0):
        return "Laplace (L1)" if penalty.l1_ratio else "Gaussian (L2)"
    return f"their product (l1_ratio {penalty.l1_ratio:.2g})"


def prior_density(w: Vector, penalty: L1 | L2 | ElasticNet, rate: float) -> Vector:
    """The density that is proportional to exp(-rate g(w)), g the penalty of one feature."""
    strength, ratio = rate * penalty.alpha, penalty.l1_ratio
    prior: Gaussian | Laplace | LaplaceGaussian
    if ratio == 0.0:
        prior = Gaussian(1.0 / strength)
    elif ratio == 1.0:
        prior = Laplace(1.0 / strength)
    else:
        prior = LaplaceGaussian(1.0 / (strength * ratio), 1.0 / (strength * (1.0 - ratio)))
    return np.exp(prior.log_density(w))

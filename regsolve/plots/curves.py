"""Held-out errors and criteria against alpha, with the choices that they speak for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..folds import chosen, standard_errors
from ..relaxed import chosen as chosen_pair
from .drawing import COLOURS, FADED, count_axis, drawable, lone_marker, new_axes, set_axes, style_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike


def cv_curve(
    alphas: ArrayLike,
    errors: ArrayLike,
    ax: Axes | None = None,
    *,
    df: ArrayLike | None = None,
    ylabel: str = "mean squared error on held-out rows",
    scores: bool = False,
) -> Axes:
    """Draw held-out errors (m, n_folds) against alphas (m,): mean, standard error, both choices.

    Grey lines are the folds; the band is the mean plus and minus one standard error. The solid
    upright line marks the alpha of the best mean, the dashed one the largest alpha within one
    standard error of it (``selection_rule="1se"``).

    Parameters
    ----------
    alphas : (m,) descending
        An alpha of 0 is left out of the picture, not of the choice.
    errors : (m, n_folds)
    ax : matplotlib Axes, optional
        By default that of a new figure, which no window shows.
    df : (m,) int, optional
        Non-zeros of the full data's path, counted on the upper axis.
    ylabel : str
    scores : bool
        ``errors`` are scores, of which the greatest is chosen.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        ``errors`` does not have a row for each alpha, or no alpha is above 0.
    """
    strengths, losses = np.asarray(alphas, dtype=float), np.asarray(errors, dtype=float)
    if losses.ndim != 2 or strengths.shape != losses.shape[:1] or losses.shape[1] == 0:
        raise ValueError(
            f"errors has shape {losses.shape}: expected a row of folds for each of "
            f"{len(strengths)} alphas"
        )
    shown = drawable(strengths)
    places = strengths[shown]
    mean, se = losses.mean(axis=1), standard_errors(losses)
    low, high = (mean - se)[shown], (mean + se)[shown]
    ax = new_axes() if ax is None else ax
    dot = lone_marker(places)
    ax.plot(places, losses[shown], marker=dot, color=FADED, linewidth=0.7, zorder=2)
    ax.fill_between(places, low, high, color=COLOURS[0], alpha=0.18, linewidth=0.0, zorder=1)
    bold: dict[str, Any] = {"color": COLOURS[0], "linewidth": 1.8, "zorder": 3}
    ax.plot(places, mean[shown], marker=dot, markersize=9.0, label="mean of folds", **bold)
    if dot:
        ax.errorbar(places, mean[shown], se[shown], capsize=4.0, **bold)
    best, judged = ("greatest", -losses) if scores else ("least", losses)
    for rule, style, name in (("min", "-", best), ("1se", (0, (5.0, 1.6)), "1 standard error")):
        at = strengths[chosen(judged[None], rule)[1]]
        if at > 0.0:
            label = f"{name}: alpha = {at:.3g}"
            line = ax.axvline(at, color=COLOURS[1], linewidth=1.4, linestyle=style, label=label)
            line.set(zorder=4, clip_on=False)  # seen on the frame too
    set_axes(ax, places, "alpha")
    ax.set_ylabel(ylabel)
    if df is not None:
        count_axis(ax, places, np.asarray(df)[shown])
    ax.legend(frameon=False)
    return ax


def criterion_curve(
    alphas: ArrayLike,
    values: ArrayLike,
    ax: Axes | None = None,
    *,
    df: ArrayLike | None = None,
    ylabel: str = "criterion",
) -> Axes:
    """Draw a criterion (m,) against alphas (m,), its choice marked by an upright line.

    Parameters
    ----------
    alphas : (m,) descending
        An alpha of 0 is left out of the picture, not of the choice.
    values : (m,)
        Where they are infinite the curve is cut.
    ax : matplotlib Axes, optional
        By default that of a new figure, which no window shows.
    df : (m,) int, optional
        Non-zeros of the path, counted on the upper axis.
    ylabel : str

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        ``values`` is not one for each alpha, or no alpha is above 0.
    """
    strengths, heights = np.asarray(alphas, dtype=float), np.asarray(values, dtype=float)
    if strengths.ndim != 1 or heights.shape != strengths.shape or len(strengths) == 0:
        raise ValueError(
            f"values has shape {heights.shape}: expected one for each of {strengths.size} alphas"
        )
    shown = drawable(strengths)
    places = strengths[shown]
    drawn = np.where(np.isfinite(heights), heights, np.nan)[shown]
    ax = new_axes() if ax is None else ax
    ax.plot(places, drawn, color=COLOURS[0], linewidth=1.8, zorder=3, marker=".", markersize=4.0)
    k = int(np.argmin(heights))
    at, low = strengths[k], heights[k]
    if at > 0.0:
        label = f"least: alpha = {at:.3g}"
        line = ax.axvline(at, color=COLOURS[1], linewidth=1.4, label=label)
        line.set(zorder=4, clip_on=False)
        if np.isfinite(low):
            ax.plot([at], [low], "o", color=COLOURS[1], markersize=6.0, zorder=5, clip_on=False)
        ax.legend(frameon=False)
    set_axes(ax, places, "alpha")
    ax.set_ylabel(ylabel)
    if df is not None:
        count_axis(ax, places, np.asarray(df)[shown])
    return ax


def relaxed_curves(
    alphas: ArrayLike,
    gammas: ArrayLike,
    errors: ArrayLike,
    ax: Axes | None = None,
    *,
    df: ArrayLike | None = None,
    ylabel: str = "mean squared error on held-out rows",
    scores: bool = False,
) -> Axes:
    """Draw held-out errors (n_gammas, m, n_folds) of a relaxed lasso: a line of means each gamma.

    The disc marks the pair of best mean, with its standard error as a bar; the diamond the
    simplest pair within that standard error (``selection_rule="1se"``).

    Parameters
    ----------
    alphas : (m,) descending
        An alpha of 0 is left out of the picture, not of the choice.
    gammas : (n_gammas,)
    errors : (n_gammas, m, n_folds)
    ax : matplotlib Axes, optional
        By default that of a new figure, which no window shows.
    df : (m,) int, optional
        Non-zeros of the full data's path, counted on the upper axis.
    ylabel : str
    scores : bool
        ``errors`` are scores, of which the greatest is chosen.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        ``errors`` does not have a row of folds for each pair, or no alpha is above 0.
    """
    strengths, shares = np.asarray(alphas, dtype=float), np.asarray(gammas, dtype=float)
    losses = np.asarray(errors, dtype=float)
    if losses.ndim != 3 or losses.shape[:2] != (len(shares), len(strengths)) or losses.size == 0:
        raise ValueError(
            f"errors has shape {losses.shape}: expected a row of folds for each of "
            f"{len(shares)} gammas and {len(strengths)} alphas"
        )
    shown = drawable(strengths)
    ax = new_axes() if ax is None else ax
    mean = losses.mean(axis=2)
    for g, gamma in enumerate(shares):
        colour, dashes = style_of(g)
        label = f"gamma = {gamma:g}" + {0.0: " (least squares)", 1.0: " (lasso)"}.get(gamma, "")
        ax.plot(
            strengths[shown], mean[g, shown], marker=lone_marker(strengths[shown]), color=colour,
            linestyle=dashes, linewidth=1.7, label=label,
        )  # fmt: skip
    best, judged = ("greatest", -losses) if scores else ("least", losses)
    for rule, marker, name in (("min", "o", best), ("1se", "D", "1 standard error")):
        g, k = chosen_pair(judged, shares, rule)
        if not shown[k]:
            continue
        label = f"{name}: alpha = {strengths[k]:.3g}, gamma = {shares[g]:g}"
        bar = standard_errors(losses[g])[k] if rule == "min" else 0.0
        ax.errorbar(
            strengths[k], mean[g, k], yerr=bar or None, fmt=marker, color="black", capsize=4.0,
            markersize=7.0, markerfacecolor=style_of(g)[0], label=label, zorder=4, clip_on=False,
        )  # fmt: skip
    set_axes(ax, strengths[shown], "alpha")
    ax.set_ylabel(ylabel)
    if df is not None:
        count_axis(ax, strengths[shown], np.asarray(df)[shown])
    ax.legend(frameon=False)
    return ax

"""Pictures of paths, cross-validation and stability selection; nothing global is touched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from .folds import chosen, standard_errors
from .relaxed import chosen as chosen_pair

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .solution import Path

# Told apart by people of any colour vision, and dark enough for text on white.
_COLOURS = (
    "#332288",
    "#CC6677",
    "#117733",
    "#6699CC",
    "#882255",
    "#999933",
    "#AA4499",
    "#44AA99",
    "#661100",
    "#D55E00",
)
_Dashes = tuple[int, tuple[float, ...] | None]
_STYLES: tuple[_Dashes, ...] = (
    (0, None),
    (0, (5.0, 1.6)),
    (0, (1.2, 1.2)),
    (0, (6.0, 1.6, 1.2, 1.6)),
)
_FADED = "#a8a8a8"
_LONGEST_LABEL = 26
_TITLES = {
    "alpha": "alpha (log scale, weaker penalty to the right)",
    "norm": "l1 norm of the coefficients",
    "deviance": "fraction of deviance explained",
}


def coefficient_path(
    path: Path,
    ax: Axes | None = None,
    *,
    x: Literal["alpha", "norm", "deviance"] = "alpha",
    feature_names: Sequence[str] | None = None,
    n_labels: int = 10,
    linewidth: float = 1.6,
    mark: float | None = None,
) -> Axes:
    """Draw every coefficient that is ever non-zero along the path.

    The labelled features, those whose coefficients are largest in modulus at the last alpha, are
    drawn in colour with their names at the right edge; all others are thin and grey. Each
    line's style tells it apart without colour. The upper axis counts the non-zeros.

    Parameters
    ----------
    path : Path
        Result of :func:`regsolve.path`, with coefs (p, m).
    ax : matplotlib Axes, optional
        Where to draw; by default the axes of a new figure of its own, which no window shows.
        Save it by ``ax.figure.savefig``.
    x : {"alpha", "norm", "deviance"}
        Horizontal axis: alpha on a log scale, falling to the right (an alpha of 0 is left out);
        the l1 norm of the coefficients; or the fraction of deviance explained.
    feature_names : sequence of p str, optional
        Names for the labels, ``x0``, ``x1``, ... by default.
    n_labels : int
        Most features to name.
    linewidth : float
        Width of the labelled lines, in points.
    mark : float, optional
        An alpha to mark by an upright line at the nearest one drawn, such as the one chosen by
        cross-validation.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        An unknown ``x``, a wrong number of names, or a path without any alpha to draw.
    """
    p = path.coefs.shape[0]
    if feature_names is not None and len(feature_names) != p:
        raise ValueError(f"feature_names has {len(feature_names)} names for {p} features")
    abscissa, shown = _abscissa(path, x)
    features, lines = _active_lines(path, shown)
    largest = np.argsort(-np.abs(lines[:, -1]), kind="stable")
    named = largest[: max(n_labels, 0)]
    named = named[lines[named, -1] != 0.0]
    names = [
        f"x{j}" if feature_names is None else str(feature_names[j])
        for j in features[named].tolist()
    ]
    if ax is None:
        ax = _new_axes()
    _draw_lines(ax, abscissa, lines, named, linewidth)
    _set_axes(ax, abscissa, x)
    _count_axis(ax, abscissa, path.df[shown])
    _label(ax, abscissa[-1], lines[named, -1], names)
    if mark is not None:
        nearest = int(np.abs(path.alphas[shown] - mark).argmin())
        line = ax.axvline(
            abscissa[nearest], color="black", linewidth=1.2, linestyle=(0, (5.0, 1.6))
        )
        line.set(zorder=4, clip_on=False)
    return ax


def cv_curve(
    alphas: ArrayLike,
    errors: ArrayLike,
    ax: Axes | None = None,
    *,
    df: ArrayLike | None = None,
    ylabel: str = "mean squared error on held-out rows",
) -> Axes:
    """Draw held-out errors (m, n_folds) against alphas (m,): mean, standard error, both choices.

    Grey lines are the folds; the band is the mean plus and minus one standard error. The solid
    upright line marks the alpha of the least mean, the dashed one the largest alpha within one
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
    shown = _drawable(strengths)
    places = strengths[shown]
    mean, se = losses.mean(axis=1), standard_errors(losses)
    low, high = (mean - se)[shown], (mean + se)[shown]
    ax = _new_axes() if ax is None else ax
    ax.plot(places, losses[shown], color=_FADED, linewidth=0.7, zorder=2)
    ax.fill_between(places, low, high, color=_COLOURS[0], alpha=0.18, linewidth=0.0, zorder=1)
    ax.plot(places, mean[shown], color=_COLOURS[0], linewidth=1.8, zorder=3, label="mean of folds")
    for rule, style, name in (("min", "-", "least"), ("1se", (0, (5.0, 1.6)), "1 standard error")):
        at = strengths[chosen(losses[None], rule)[1]]
        if at > 0.0:
            label = f"{name}: alpha = {at:.3g}"
            line = ax.axvline(at, color=_COLOURS[1], linewidth=1.4, linestyle=style, label=label)
            line.set(zorder=4, clip_on=False)  # seen on the frame too
    _set_axes(ax, places, "alpha")
    ax.set_ylabel(ylabel)
    if df is not None:
        _count_axis(ax, places, np.asarray(df)[shown])
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
    shown = _drawable(strengths)
    places = strengths[shown]
    drawn = np.where(np.isfinite(heights), heights, np.nan)[shown]
    ax = _new_axes() if ax is None else ax
    ax.plot(places, drawn, color=_COLOURS[0], linewidth=1.8, zorder=3, marker=".", markersize=4.0)
    k = int(np.argmin(heights))
    at, low = strengths[k], heights[k]
    if at > 0.0:
        label = f"least: alpha = {at:.3g}"
        line = ax.axvline(at, color=_COLOURS[1], linewidth=1.4, label=label)
        line.set(zorder=4, clip_on=False)
        if np.isfinite(low):
            ax.plot([at], [low], "o", color=_COLOURS[1], markersize=6.0, zorder=5, clip_on=False)
        ax.legend(frameon=False)
    _set_axes(ax, places, "alpha")
    ax.set_ylabel(ylabel)
    if df is not None:
        _count_axis(ax, places, np.asarray(df)[shown])
    return ax


def stability_path(
    alphas: ArrayLike,
    probabilities: Any,
    threshold: float,
    ax: Axes | None = None,
    *,
    feature_names: Sequence[str] | None = None,
    n_labels: int = 20,
    linewidth: float = 1.6,
) -> Axes:
    """Draw the share of subsamples that select each feature against alpha.

    Features whose share reaches the threshold at any alpha are drawn in colour with their names at
    the right edge, each in a style of its own; all others that are ever selected are thin and grey.

    Parameters
    ----------
    alphas : (m,) descending, above 0
    probabilities : array or SciPy sparse matrix, (p, m)
        ``sparse_stability_path_`` of a StabilitySelection.
    threshold : float
        Drawn as a dashed level line.
    ax : matplotlib Axes, optional
        By default that of a new figure, which no window shows.
    feature_names : sequence of p str, optional
        Names for the labels, ``x0``, ``x1``, ... by default.
    n_labels : int
        Most features to draw in colour and name, those with the largest shares.
    linewidth : float
        Width of the coloured lines, in points.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        ``probabilities`` does not have a column for each alpha, a wrong number of names, or an
        alpha that is not above 0.
    """
    places, shares = np.asarray(alphas, dtype=float), csr_array(probabilities)
    if shares.ndim != 2 or places.shape != shares.shape[1:] or len(places) == 0:
        raise ValueError(
            f"probabilities has shape {shares.shape}: expected a column for each of "
            f"{len(places)} alphas"
        )
    if not places.min() > 0.0:
        raise ValueError("alphas must be above 0")
    p = shares.shape[0]
    if feature_names is not None and len(feature_names) != p:
        raise ValueError(f"feature_names has {len(feature_names)} names for {p} features")
    features = np.flatnonzero(np.diff(shares.indptr))
    lines = np.asarray(shares[features].toarray(), dtype=np.float64)
    top = lines.max(axis=1, initial=0.0)
    order = np.argsort(-top, kind="stable")
    stable = order[top[order] >= threshold - 1e-12]
    named = stable[: max(n_labels, 0)]
    names = [
        f"x{j}" if feature_names is None else str(feature_names[j])
        for j in features[named].tolist()
    ]
    ax = _new_axes() if ax is None else ax
    _draw_lines(ax, places, lines, named, linewidth)
    _set_axes(ax, places, "alpha")
    ax.axhline(threshold, color="black", linewidth=1.2, linestyle=(0, (5.0, 1.6)), zorder=2.5)
    ax.annotate(
        f"threshold {threshold:g}: {len(stable)} stable", xy=(0.01, threshold),
        xycoords=("axes fraction", "data"), xytext=(0.0, 3.0), textcoords="offset points",
        fontsize=8.5, va="bottom",
        bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0.0, "pad": 1.0}, zorder=4,
    )  # fmt: skip
    ax.set_ylim(0.0, 1.02)
    ax.set_ylabel("share of subsamples that select the feature")
    _label(ax, places[-1], lines[named, -1], names)
    return ax


def relaxed_curves(
    alphas: ArrayLike,
    gammas: ArrayLike,
    errors: ArrayLike,
    ax: Axes | None = None,
    *,
    df: ArrayLike | None = None,
    ylabel: str = "mean squared error on held-out rows",
) -> Axes:
    """Draw held-out errors (n_gammas, m, n_folds) of a relaxed lasso: a line of means each gamma.

    The disc marks the pair of least mean, with its standard error as a bar; the diamond the
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
    shown = _drawable(strengths)
    ax = _new_axes() if ax is None else ax
    mean = losses.mean(axis=2)
    for g, gamma in enumerate(shares):
        colour, dashes = _style(g)
        label = f"gamma = {gamma:g}" + {0.0: " (least squares)", 1.0: " (lasso)"}.get(gamma, "")
        ax.plot(
            strengths[shown], mean[g, shown], color=colour, linestyle=dashes, linewidth=1.7,
            label=label,
        )  # fmt: skip
    for rule, marker, name in (("min", "o", "least"), ("1se", "D", "1 standard error")):
        g, k = chosen_pair(losses, shares, rule)
        if not shown[k]:
            continue
        label = f"{name}: alpha = {strengths[k]:.3g}, gamma = {shares[g]:g}"
        bar = standard_errors(losses[g])[k] if rule == "min" else 0.0
        ax.errorbar(
            strengths[k], mean[g, k], yerr=bar or None, fmt=marker, color="black", capsize=4.0,
            markersize=7.0, markerfacecolor=_style(g)[0], label=label, zorder=4, clip_on=False,
        )  # fmt: skip
    _set_axes(ax, strengths[shown], "alpha")
    ax.set_ylabel(ylabel)
    if df is not None:
        _count_axis(ax, strengths[shown], np.asarray(df)[shown])
    ax.legend(frameon=False)
    return ax


def _drawable(alphas: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which alphas have a place on a log scale."""
    shown = np.asarray(alphas > 0.0)
    if not shown.any():
        raise ValueError("there is no alpha above 0 to draw")
    return shown


def _abscissa(path: Path, x: str) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Horizontal position of each alpha drawn, and which alphas those are."""
    if x not in _TITLES:
        raise ValueError(f"x must be one of {', '.join(_TITLES)}, got {x!r}")
    shown = np.flatnonzero((path.alphas > 0.0) | (x != "alpha"))
    if len(shown) == 0:
        raise ValueError("the path has no alpha to draw")
    if x == "alpha":
        values = path.alphas
    elif x == "norm":
        values = np.asarray(abs(path.coefs).sum(axis=0), dtype=np.float64).ravel()
    else:
        values = path.deviance_ratio
    return values[shown], shown


def _active_lines(
    path: Path, shown: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Features non-zero anywhere, and their coefficients (k, m): all else would draw over 0."""
    coefs = path.coefs[:, shown].tocsr()
    coefs.eliminate_zeros()
    features = np.flatnonzero(np.diff(coefs.indptr))
    return features, np.asarray(coefs[features].toarray(), dtype=np.float64)


def _new_axes() -> Axes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 4.8))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.08)
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def _style(rank: int) -> tuple[str, _Dashes]:
    """Colour and dashes of the feature of this rank; the pairs repeat after 10 x 4."""
    lap = rank // len(_COLOURS)
    return _COLOURS[rank % len(_COLOURS)], _STYLES[(rank + lap) % len(_STYLES)]


def _draw_lines(
    ax: Axes,
    abscissa: NDArray[np.float64],
    lines: NDArray[np.float64],
    named: NDArray[np.intp],
    linewidth: float,
) -> None:
    """Grey lines first, coloured ones over them; a path of one alpha becomes points."""
    from matplotlib.collections import LineCollection

    rest = np.setdiff1d(np.arange(len(lines)), named)
    styles = [_style(rank) for rank in range(len(named))]
    ax.axhline(0.0, color="black", linewidth=0.6, zorder=1)
    if len(abscissa) == 1:
        for rows, colours in ((rest, _FADED), (named, [colour for colour, _ in styles])):
            ax.scatter(np.repeat(abscissa, len(rows)), lines[rows, 0], s=18, c=colours, zorder=3)
        return
    faint = LineCollection(
        _polylines(abscissa, lines[rest]),
        colors=_FADED,
        linewidths=0.7 if len(rest) <= 100 else 0.4,
        zorder=2,
    )
    bold = LineCollection(
        _polylines(abscissa, lines[named]),
        colors=[colour for colour, _ in styles],
        linestyles=[dashes for _, dashes in styles],
        linewidths=linewidth,
        zorder=3,
    )
    ax.add_collection(faint)
    ax.add_collection(bold)
    ax.autoscale_view()


def _polylines(
    abscissa: NDArray[np.float64], lines: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Polylines (m, 2) with the stretches of zeros cut out, one zero kept at either end."""
    zero = lines == 0.0
    before = np.concatenate([zero[:, :1], zero[:, :-1]], axis=1)
    after = np.concatenate([zero[:, 1:], zero[:, -1:]], axis=1)
    heights = np.where(zero & before & after, np.nan, lines)
    return [np.column_stack([abscissa, height]) for height in heights]


def _set_axes(ax: Axes, abscissa: NDArray[np.float64], x: str) -> None:
    left, right = float(abscissa.min()), float(abscissa.max())
    if x == "alpha":
        if left == right:
            left, right = left / 2.0, right * 2.0
        ax.set_xlim(right, left)
        ax.set_xscale("log")
    elif left < right:
        ax.set_xlim(left, right)
    ax.margins(y=0.06)
    ax.set_xlabel(_TITLES[x])
    ax.set_ylabel("coefficient")
    ax.spines[["top", "right"]].set_visible(False)


def _count_axis(ax: Axes, abscissa: NDArray[np.float64], df: NDArray[np.int64]) -> None:
    """Write the number of non-zeros at about eight places along the top."""
    place = ax.transData.transform(np.column_stack([abscissa, np.zeros(len(abscissa))]))[:, 0]
    wanted = np.linspace(place[0], place[-1], 8)
    at = np.unique(np.abs(place[:, None] - wanted).argmin(axis=0))
    top = ax.secondary_xaxis("top")
    top.set_xticks(abscissa[at], labels=[str(count) for count in df[at]])
    top.minorticks_off()
    top.set_xlabel("non-zero coefficients")


def _label(ax: Axes, end: float, heights: NDArray[np.float64], names: list[str]) -> None:
    """Name the lines at the right edge, moved up or down just enough to stay apart."""
    if not names:
        return
    size = 8.5
    points = ax.get_window_extent().height * 72.0 / ax.figure.dpi
    spacing = 1.3 * size / points
    room = max(int(1.0 / spacing), 1)
    ends = np.column_stack([np.full(len(heights), end), heights])
    targets = ax.transAxes.inverted().transform(ax.transData.transform(ends))[:room, 1]
    for rank, place in enumerate(_spread(targets, spacing)):
        name, colour = names[rank], _style(rank)[0]
        short = name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "\u2026"
        ax.annotate(
            short,
            xy=(end, heights[rank]),
            xytext=(1.035, place),
            textcoords="axes fraction",
            color=colour,
            fontsize=size,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "linewidth": 0.7,
                "shrinkB": 0.0,
                "relpos": (0.0, 0.5),
            },
        )


def _spread(targets: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """Places in [0, 1] at least ``spacing`` apart that are nearest to the targets.

    Minimises sum_k (place_k - target_k)^2 with the targets' order kept. With z_k = place_k -
    k spacing this is isotonic regression, solved by pooling adjacent violators; clipping z to its
    bounds then gives the bounded optimum.
    """
    order = np.argsort(targets, kind="stable")
    z = targets[order] - spacing * np.arange(len(targets))
    pools: list[tuple[float, int]] = []
    for value in z.tolist():
        mean, count = value, 1
        while pools and pools[-1][0] > mean:
            other, size = pools.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        pools.append((mean, count))
    fitted = np.concatenate([np.full(count, mean) for mean, count in pools])
    bounded = np.clip(fitted, 0.0, max(1.0 - spacing * (len(targets) - 1), 0.0))
    places = np.empty(len(targets))
    places[order] = bounded + spacing * np.arange(len(targets))
    return places

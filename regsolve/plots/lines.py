"""A line for each feature: some in colour with their names at the right edge, the rest grey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .drawing import FADED, short_name, style_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray


def draw_lines(
    ax: Axes,
    abscissa: NDArray[np.float64],
    lines: NDArray[np.float64],
    named: NDArray[np.intp],
    linewidth: float,
) -> None:
    """Grey lines first, coloured ones over them; a path of one alpha becomes points."""
    from matplotlib.collections import LineCollection

    rest = np.setdiff1d(np.arange(len(lines)), named)
    styles = [style_of(rank) for rank in range(len(named))]
    ax.axhline(0.0, color="black", linewidth=0.6, zorder=1)
    if len(abscissa) == 1:
        for rows, colours in ((rest, FADED), (named, [colour for colour, _ in styles])):
            ax.scatter(np.repeat(abscissa, len(rows)), lines[rows, 0], s=18, c=colours, zorder=3)
        return
    faint = LineCollection(
        _polylines(abscissa, lines[rest]),
        colors=FADED,
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


def label_lines(ax: Axes, end: float, heights: NDArray[np.float64], names: list[str]) -> None:
    """Name the lines at the right edge, moved up or down just enough to stay apart."""
    if not names:
        return
    size = 8.5
    points = ax.get_window_extent().height * 72.0 / ax.figure.dpi
    spacing = 1.3 * size / points
    room = max(int(1.0 / spacing), 1)
    ends = np.column_stack([np.full(len(heights), end), heights])
    targets = ax.transAxes.inverted().transform(ax.transData.transform(ends))[:room, 1]
    for rank, place in enumerate(spread(targets, spacing)):
        name, colour = names[rank], style_of(rank)[0]
        ax.annotate(
            short_name(name),
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


def spread(targets: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
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

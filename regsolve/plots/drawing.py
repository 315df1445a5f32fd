"""What all pictures share: colours and dashes, new axes that no window shows, the axes' names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# Told apart by people of any colour vision, and dark enough for text on white.
COLOURS = (
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
Dashes = tuple[int, tuple[float, ...] | None]
STYLES: tuple[Dashes, ...] = (
    (0, None),
    (0, (5.0, 1.6)),
    (0, (1.2, 1.2)),
    (0, (6.0, 1.6, 1.2, 1.6)),
)
FADED = "#a8a8a8"
LONGEST_NAME = 26
TITLES = {
    "alpha": "alpha (log scale, weaker penalty to the right)",
    "norm": "l1 norm of the coefficients",
    "deviance": "fraction of deviance explained",
}


def new_axes() -> Axes:
    """Axes of a new figure of its own, known to no pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 4.8))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.08)
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def literal(text: str) -> str:
    """The text as it is: a dollar sign would begin a formula."""
    return text.replace("$", r"\$")


def in_math(value: float, digits: int = 3) -> str:
    """A number in mathematical text: 2.4e+05 as 2.4 times a power of ten."""
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    return rf"{mantissa} \times 10^{{{int(exponent)}}}" if exponent else mantissa


def short_name(name: str) -> str:
    """A feature's name for a label: literal, and cut where it is long."""
    cut = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "\u2026"
    return literal(cut)


def style_of(rank: int) -> tuple[str, Dashes]:
    """Colour and dashes of the feature of this rank; the pairs repeat after 10 x 4."""
    lap = rank // len(COLOURS)
    return COLOURS[rank % len(COLOURS)], STYLES[(rank + lap) % len(STYLES)]


def lone_marker(places: NDArray[np.float64]) -> str:
    """The marker of a line: a line of one point would not be seen without."""
    return "." if len(places) == 1 else ""


def set_axes(ax: Axes, abscissa: NDArray[np.float64], x: str) -> None:
    """Range, scale and name of the horizontal axis ``x``, alpha falling to the right."""
    left, right = float(abscissa.min()), float(abscissa.max())
    if x == "alpha":
        if left == right:
            left, right = left / 2.0, right * 2.0
        ax.set_xlim(right, left)
        ax.set_xscale("log")
    elif left < right:
        ax.set_xlim(left, right)
    ax.margins(y=0.06)
    ax.set_xlabel(TITLES[x])
    ax.set_ylabel("coefficient")
    ax.spines[["top", "right"]].set_visible(False)


def count_axis(
    ax: Axes,
    abscissa: NDArray[np.float64],
    df: NDArray[Any],
    title: str = "non-zero coefficients",
    spec: str = "",
) -> None:
    """Write the number of non-zeros, or of other degrees, at about eight places along the top."""
    place = ax.transData.transform(np.column_stack([abscissa, np.zeros(len(abscissa))]))[:, 0]
    wanted = np.linspace(place[0], place[-1], 8)
    at = np.unique(np.abs(place[:, None] - wanted).argmin(axis=0))
    top = ax.secondary_xaxis("top")
    top.set_xticks(abscissa[at], labels=[format(value, spec) for value in df[at].tolist()])
    top.minorticks_off()
    top.set_xlabel(title)


def drawable(alphas: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which alphas have a place on a log scale."""
    shown = np.asarray(alphas > 0.0)
    if not shown.any():
        raise ValueError("there is no alpha above 0 to draw")
    return shown

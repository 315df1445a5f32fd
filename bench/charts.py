"""Records of measure.py as pictures: gap against time, time against size, memory, cold start."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measure import OURS, SIZES, Record
from bench.report import threads_text

# Marker, dash and grey level differ, so that lines are told apart in print; colours only help.
STYLES: dict[str, tuple[str, str, Any]] = {
    "regsolve": ("#000000", "o", "-"),
    "regsolve-cd": ("#606060", ".", (0, (1, 1))),
    "scikit-learn": ("#d55e00", "s", (0, (5, 1.5))),
    "celer": ("#0072b2", "^", "-"),
    "skglm": ("#009e73", "D", (0, (3, 1, 1, 1))),
    "adelie": ("#cc79a7", "v", (0, (2, 1))),
    "glum": ("#e69f00", "P", (0, (6, 2, 1, 2))),
    "glmnet": ("#56b4e9", "X", (0, (4, 1, 1, 1, 1, 1))),
    "scikit-learn-intelex": ("#8c564b", "<", (0, (1, 2))),
    "liblinear": ("#7f7f00", ">", (0, (1, 2))),
    "picasso": ("#5f3f9f", "p", (0, (1, 2))),
    "snapml": ("#7f7f7f", "h", (0, (1, 2))),
}
OTHER = ("#7f7f7f", "*", (0, (1, 3)))


def draw(results: Record, folder: Path) -> list[Path]:
    """Write the pictures that ``results`` has figures for, and name them."""
    drawn = []
    if results.get("races"):
        panels = [_gap_panel(name, race) for name, race in results["races"].items()]
        drawn.append(_page(panels, folder / "gap.png", results))
    if results.get("sizes"):
        panels = [_size_panel(quantity, results["sizes"]) for quantity in SIZES]
        drawn.append(_page(panels, folder / "sizes.png", results))
    bars = [_bars_panel(results, part) for part in ("memory", "cold") if results.get(part)]
    if bars:
        drawn.append(_page(bars, folder / "footprint.png", results, legend=False))
    return drawn


def readme_picture(results: Record, file: Path) -> None:
    """Gap against time on the races with the most values, and time against n and p."""
    races = sorted(results.get("races", {}).items(), key=lambda item: -item[1]["n_values"])
    sized = [_size_panel(quantity, results["sizes"]) for quantity in SIZES if results.get("sizes")]
    _page([_gap_panel(*item) for item in races[: 6 - len(sized)]] + sized, file, results)


def _page(
    panels: list[Callable[[Any], None]], file: Path, results: Record, *, legend: bool = True
) -> Path:
    from matplotlib.figure import Figure

    columns = min(len(panels), 2 if len(panels) in (2, 4) else 3)
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(4.0 * columns, 3.5 * lines + 0.7), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for ax, panel in zip(axes, panels, strict=False):
        panel(ax)
        ax.spines[["top", "right"]].set_visible(False)
        ax.title.set_fontsize(10.0)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    if legend:
        named = {}
        for ax in axes:
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                named.setdefault(label, handle)
        figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=5)
    about = results["machine"]
    figure.suptitle(
        f"{about['cpu']}, {threads_text(about['threads'])}, {about['date']}", fontsize=9.0
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110, metadata={"Software": None})
    return file


def style(name: str) -> dict[str, Any]:
    """A library's line; ours is heavy and on top."""
    colour, marker, dash = STYLES.get(name, OTHER)
    ours = name == OURS
    return {
        "color": colour,
        "marker": marker,
        "linestyle": dash,
        "label": name,
        "linewidth": 3.0 if ours else 1.3,
        "markersize": 9.0 if ours else 5.0,
        "zorder": 5 if ours else 3,
    }


def _failures(ax: Any, lanes: Record) -> None:
    """Name in the panel what failed."""
    failed = [name for name, lane in lanes.items() if lane["failure"].startswith("failed")]
    failed = [name for name in failed if name != "zeros"]
    if failed:
        words = {"transform": ax.transAxes, "fontsize": 8.0, "style": "italic"}
        ax.text(0.02, 0.02, "failed: " + ", ".join(failed), **words)


def _gap_panel(name: str, race: Record) -> Callable[[Any], None]:
    """Worst relative gap against seconds, a point a tolerance, joined from loose to tight."""

    def panel(ax: Any) -> None:
        for library, lane in race["lanes"].items():
            points = [(s, max(gap, 1e-16)) for _, s, gap in lane["attempts"] if gap is not None]
            if library != "zeros" and points:
                ax.plot(*zip(*points, strict=True), **style(library))
        _failures(ax, race["lanes"])
        n, p = race["shape"]
        ax.set(xscale="log", yscale="log", ylim=(3e-17, 10.0))
        ax.set(xlabel="seconds", ylabel="worst relative gap", title=f"{name}, {n} x {p}")
        ax.grid(linewidth=0.4, color="#dddddd")

    return panel


def _size_panel(quantity: str, sizes: Record) -> Callable[[Any], None]:
    """Seconds to 1e-6 against a size; a cross at the top for a library that failed there."""
    label, problems = SIZES[quantity]
    measured = [(value, sizes[name]["lanes"]) for value, name in problems if name in sizes]

    def panel(ax: Any) -> None:
        ax.set(xscale="log", yscale="log", xlabel=label, ylabel="seconds to a gap of 1e-6")
        names = dict.fromkeys(name for _, lanes in measured for name in lanes if name != "zeros")
        for name in names:
            lanes = [(value, at[name]) for value, at in measured if name in at]
            # A failure breaks the line.
            times = [(value, math.nan if k["failure"] else k["seconds"]) for value, k in lanes]
            if not all(math.isnan(seconds) for _, seconds in times):
                ax.plot(*zip(*times, strict=True), **style(name))
        failed: dict[float, list[str]] = {}
        for value, lanes in measured:
            for name in names:
                if name in lanes and lanes[name]["failure"].startswith("failed"):
                    failed.setdefault(value, []).append(name)
        for value, who in failed.items():
            place = {"xycoords": ("data", "axes fraction"), "fontsize": 7.5, "style": "italic"}
            ax.annotate("failed:\n" + "\n".join(who), (value, 1.0), ha="center", va="top", **place)
        if failed:
            low, high = ax.get_ylim()
            ax.set_ylim(low, high * (high / low) ** 0.35)
        ax.set_title(f"Time against {label}")
        ax.grid(linewidth=0.4, color="#dddddd")

    return panel


def _bars_panel(results: Record, part: str) -> Callable[[Any], None]:
    """A bar a library: peak memory with its growth darker, or seconds; failures are words."""
    rows = results[part]["rows"]

    def panel(ax: Any) -> None:
        for place, (name, row) in enumerate(rows.items()):
            if row.get("failure"):
                ax.text(
                    0.01,
                    place,
                    row["failure"][:40],
                    va="center",
                    fontsize=8.0,
                    style="italic",
                    transform=ax.get_yaxis_transform(),
                )
            elif part == "memory":
                rest = (row["peak"] - row["growth"]) / 1e6
                ax.barh(place, rest, color="#bbbbbb")
                ax.barh(place, row["growth"] / 1e6, left=rest, color="#222222")
            else:
                ax.barh(place, row["seconds"], color="#222222" if name == OURS else "#bbbbbb")
        ax.set_yticks(range(len(rows)), list(rows))
        ax.invert_yaxis()
        ax.set_xlabel("peak, MB; dark: added by the path" if part == "memory" else "seconds")
        titles = {"memory": "Peak memory", "cold": "Cold start"}
        ax.set_title(f"{titles[part]}, {results[part]['problem']}")

    return panel

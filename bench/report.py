"""Records of measure.py as a Markdown report and README's table; charts.py draws the pictures."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.measure import OURS, SIZES, Record

MARKS = "<!-- benchmark: written by python -m bench --readme -->", "<!-- end of benchmark -->"
FOOTNOTE = (
    "-: not installed, or not for this problem. failed: no answer within the cap, or none whose "
    "gap is small enough, at any of its tolerances; the report says which."
)


def markdown(results: Record) -> str:
    """The whole report."""
    parts = ["# Benchmark report", header(results["machine"])]
    if results.get("races"):
        parts += ["## Time to a proven gap", summary(results["races"])]
        parts += ["![Gap against time](gap.png)", "## Readings of X", readings(results["races"])]
    if results.get("sizes"):
        parts += ["## Time against n and p", *map(_size_table(results["sizes"]), SIZES)]
        parts += ["![Time against n and p](sizes.png)"]
    if results.get("memory"):
        parts += ["## Peak memory", memory(results["memory"])]
    if results.get("cold"):
        parts += ["## Cold start", cold(results["cold"])]
    if results.get("memory") or results.get("cold"):
        parts += ["![Peak memory and cold start](footprint.png)"]
    if results.get("races"):
        parts += ["## Every race", *(record["table"].rstrip() for record in _values(results))]
    return "\n\n".join(parts) + "\n"


def _values(results: Record) -> Iterable[Record]:
    return results["races"].values()


def header(machine: Record) -> str:
    """Versions, CPU, threads and date, in one paragraph."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return _wrapped(
        f"{machine['date']}; {machine['cpu']}, {machine['target']}; {machine['system']}; "
        f"{threads_text(machine['threads'])}; runs capped at {machine['cap_seconds']:g} s. "
        f"{versions}."
    )


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_on_hyphens=False)


def threads_text(threads: int) -> str:
    """A number of threads in words."""
    return "1 thread" if threads == 1 else f"{threads} threads"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _time(seconds: float) -> str:
    if seconds >= 1.0:
        return f"{seconds:.3g} s"
    return f"{1e3 * seconds:.3g} ms"


def shown(lane: Record | None) -> str:
    """A library's time, or that it failed; never a figure for a failure."""
    if lane is None or lane["failure"].startswith("not "):
        return "-"
    if lane["failure"]:
        return "failed"
    return _time(lane["seconds"])


def _libraries(races: Record, *, peers: bool) -> list[str]:
    """Ours first, then the peers, or all but the floor; those that took part."""
    every = [(name, lane) for race in races.values() for name, lane in race["lanes"].items()]
    there = dict.fromkeys(n for n, lane in every if not lane["failure"].startswith("not "))
    took_part = sorted(there, key=lambda name: name != OURS)
    if not peers:
        return [name for name in took_part if name != "zeros"]
    rivals = {name for name, lane in every if lane["peer"]}
    return [name for name in took_part if name == OURS or name in rivals]


def summary(races: Record) -> str:
    """A row a problem: medians at the gap compared at; the fastest in bold, failures as such."""
    names = _libraries(races, peers=True)
    rows = []
    for problem, race in races.items():
        n, p = race["shape"]
        lanes = [race["lanes"].get(name) for name in names]
        times = [lane["seconds"] for lane in lanes if lane and lane["seconds"] is not None]
        cells = [
            f"**{shown(lane)}**"
            if lane and times and lane["seconds"] == min(times)
            else shown(lane)
            for lane in lanes
        ]
        gap = "-" if race["gap"] is None else f"{race['gap']:.0e}"
        rows.append([f"{problem}, {n} x {p}", gap, *cells])
    return f"{_table(['problem', 'gap', *names], rows)}\n\n{_wrapped(FOOTNOTE)}"


def readings(races: Record) -> str:
    """Readings counted by a library, and its time over the time of one reading by a plain sum."""
    rows = []
    for problem, race in races.items():
        for name, lane in race["lanes"].items():
            if name == "zeros" or lane["failure"]:
                continue
            counted = "not counted" if lane["n_passes"] is None else f"{lane['n_passes']:.3g}"
            times = f"{lane['seconds'] / race['one_reading']:,.0f}"
            rows.append([problem, name, counted, times])
    return _table(["problem", "library", "readings of X", "time / time of one reading"], rows)


def _size_table(sizes: Record) -> Callable[[str], str]:
    def table(quantity: str) -> str:
        label, problems = SIZES[quantity]
        races = {name: sizes[name] for _, name in problems if name in sizes}
        names = _libraries(races, peers=False)
        rows = [[name, *(shown(r["lanes"].get(k)) for k in names)] for name, r in races.items()]
        return (
            f"Path of 100 alphas to 1e-06 against {label}.\n\n{_table(['problem', *names], rows)}"
        )

    return table


def memory(record: Record) -> str:
    """Peak of each library's process."""
    rows = [
        [name, f"{row['peak'] / 1e6:.0f}", f"{row['growth'] / 1e6:.0f}"]
        if "peak" in row
        else [name, row["failure"], "-"]
        for name, row in record["rows"].items()
    ]
    return (
        f"One path on {record['problem']}, whose X takes {record['bytes'] / 1e6:.0f} MB, at each "
        "library's loosest tolerance, in a process each. The peak counts the interpreter, imports, "
        "X and its favourite layout; growth is what the path itself adds.\n\n"
        + _table(["library", "peak, MB", "growth, MB"], rows)
    )


def cold(record: Record) -> str:
    """Seconds from nothing to a path."""
    rows = [
        [name, row.get("failure") or _time(row["seconds"])] for name, row in record["rows"].items()
    ]
    return (
        f"From the start of a process to its first path on {record['problem']} at each library's "
        "loosest tolerance: the interpreter, NumPy and SciPy (which `zeros` needs too), the "
        "library's import, compilation, data, fit.\n\n" + _table(["library", "cold start"], rows)
    )


def rewrite_readme(results: Record, readme: Path, picture: str) -> None:
    """Put the table and the picture between README's marks. Raises ValueError without them."""
    text = readme.read_text()
    if any(mark not in text for mark in MARKS):
        raise ValueError(f"{readme} lacks the lines {MARKS[0]} and {MARKS[1]}")
    body = f"{summary(results['races'])}\n\n{header(results['machine'])}\n\n{picture}"
    pattern = re.compile(f"{re.escape(MARKS[0])}.*?{re.escape(MARKS[1])}", re.DOTALL)
    readme.write_text(pattern.sub(lambda _: f"{MARKS[0]}\n\n{body}\n\n{MARKS[1]}", text))

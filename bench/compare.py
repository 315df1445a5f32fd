"""Two measurements of the same benchmarks held against each other.

    python -m bench.compare BASE.json [...] --head HEAD.json [...]     # of pytest-benchmark
    python -m bench.compare --repeatable A/results.json B/results.json # of python -m bench

The first fails where a benchmark of regsolve itself has slowed down: its least time grew by over
20 % and by over 50 us. The second fails where two runs of one report have medians that differ by
15 % or more, for runs of over 20 ms.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

RELATIVE, ABSOLUTE = 1.2, 50e-6
DIFFERENCE, LONG_ENOUGH = 0.15, 20e-3

Times = dict[str, float]


def ours(benchmark: dict[str, object]) -> bool:
    """Whether it times regsolve: not a peer, not the floor, not the stream of memory."""
    params = benchmark.get("params")
    parameters = params if isinstance(params, dict) else {}
    name = str(parameters.get("library", parameters.get("estimator", "regsolve")))
    return name.startswith("regsolve") and "test_stream" not in str(benchmark["fullname"])


def least(files: Sequence[Path]) -> Times:
    """Least seconds of every benchmark of regsolve, over all files that there are."""
    times: Times = {}
    for file in files:
        for one in json.loads(file.read_text())["benchmarks"] if file.is_file() else ():
            if ours(one):
                name = one["fullname"]
                times[name] = min(one["stats"]["min"], times.get(name, float("inf")))
    return times


def slower(base: Times, head: Times) -> list[str]:
    """The benchmarks of both that have slowed down."""
    return [
        f"{name}: {base[name]:.6f} s, now {head[name]:.6f} s"
        for name in sorted(base.keys() & head.keys())
        if head[name] > RELATIVE * base[name] and head[name] > base[name] + ABSOLUTE
    ]


def medians(file: Path) -> Times:
    """The medians of a report's races that were compared, failures left out."""
    results = json.loads(file.read_text())
    return {
        f"{part}, {problem}, {name}": lane["seconds"]
        for part in ("races", "sizes")
        for problem, race in results[part].items()
        for name, lane in race["lanes"].items()
        if lane["seconds"] is not None
    }


def differences(first: Times, second: Times) -> Iterator[tuple[str, float, float, float]]:
    """Name, both medians and |a - b| / min(a, b), where both are over 20 ms."""
    for name in first.keys() & second.keys():
        a, b = first[name], second[name]
        if min(a, b) > LONG_ENOUGH:
            yield name, a, b, abs(a - b) / min(a, b)


def repeatable(first: Path, second: Path) -> int:
    """Print what both reports have, largest difference first; 1 where one is too large."""
    rows = sorted(differences(medians(first), medians(second)), key=lambda row: -row[3])
    print("| run | first, s | second, s | difference |\n|---|---|---|---|")
    for name, a, b, difference in rows:
        print(f"| {name} | {a:.4f} | {b:.4f} | {100 * difference:.1f} % |")
    wrong = [row for row in rows if row[3] >= DIFFERENCE]
    print(f"\n{len(rows)} runs over 20 ms, {len(wrong)} differ by 15 % or more")
    return int(bool(wrong) or not rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and exit with 1 where the files differ too much or share nothing."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description="two runs")
    parser.add_argument("files", nargs="+", type=Path)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--head", nargs="+", type=Path)
    which.add_argument("--repeatable", action="store_true", help="FILES are two results.json")
    given = parser.parse_args(arguments)
    if given.repeatable:
        if len(given.files) != 2:
            parser.error("--repeatable takes two files")
        return repeatable(*given.files)
    base, head = least(given.files), least(given.head)
    slow = slower(base, head)
    print(
        *slow or [f"none of {len(base.keys() & head.keys())} benchmarks has slowed down"], sep="\n"
    )
    return int(bool(slow) or not head)


if __name__ == "__main__":
    sys.exit(main())

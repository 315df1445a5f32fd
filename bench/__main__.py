"""The benchmark in one command: measures, then writes a report with pictures.

    python -m bench [PROBLEM ...] [--full] [--libraries NAME ...] [--data DIR] [--threads T]
                    [--cap SECONDS] [--parts PART ...] [--out DIR] [--resume] [--readme]

DIR/results.json holds what was measured, DIR/report.md the tables, DIR/*.png the pictures. All is
saved as it comes: ``--resume`` goes on from there, on the same machine, versions and settings.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import charts, measure, report
from bench.libraries import LIBRARIES
from bench.measure import Record, Settings
from bench.problems import FULL, SMALL, MissingProblem

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("races", "memory", "cold", "sizes")


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add("problems", nargs="*", default=list(SMALL), help="by default the small set")
    add("--full", action="store_true", help="the small set and the rest")
    add("--libraries", nargs="+", choices=list(LIBRARIES), default=list(LIBRARIES))
    add("--data", metavar="DIR", help="folder with load.py, .npz or svmlight files")
    add("--threads", type=int, default=1)
    add("--cap", type=float, default=60.0, help="seconds a run may take (60)")
    add("--repeats", type=int, default=7)
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    add("--out", metavar="DIR", type=Path, default=ROOT / "bench" / "results")
    add("--resume", action="store_true", help="keep what DIR/results.json has already")
    add("--readme", action="store_true", help="write README's table and docs/benchmark.png")
    return parser.parse_args(arguments)


def tasks(problems: Sequence[str], parts: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs (part, problem), each name once."""
    sized = dict.fromkeys(name for _, pairs in measure.SIZES.values() for _, name in pairs)
    names = {
        "races": problems,
        "sizes": list(sized),
        "memory": [measure.MEMORY_PROBLEM],
        "cold": [measure.COLD_PROBLEM],
    }
    return [(part, name) for part in PARTS if part in parts for name in names[part]]


def kept(file: Path, machine: Record, resume: bool) -> Record:
    """What ``file`` holds already, if asked for and measured under the same header."""
    empty: Record = {"machine": machine, "races": {}, "sizes": {}}
    if not (resume and file.is_file()):
        return empty
    before: Record = json.loads(file.read_text())
    same = {**before["machine"], "date": machine["date"]} == machine
    if not same:
        sys.stderr.write(f"{file} is of another machine, version or setting: starting anew\n")
    return before if same else empty


def measured(
    given: argparse.Namespace, settings: Settings, results: Record, file: Path
) -> list[str]:
    """Measure what ``results`` lacks, save after each task, and return what was missing."""
    from tqdm import tqdm

    missing = []
    wanted = tasks((*SMALL, *FULL) if given.full else given.problems, given.parts)
    bar = tqdm(wanted, unit="task", dynamic_ncols=True, disable=None)
    settings = Settings(**{**vars(settings), "tell": bar.set_postfix_str})
    for part, name in bar:
        bar.set_description(part)
        many = part in ("races", "sizes")
        if name in results[part] if many else part in results:
            continue
        try:
            record = getattr(measure, part)(settings, name)
        except MissingProblem as problem:
            missing.append(str(problem))
            continue
        except KeyboardInterrupt:
            missing.append("interrupted: --resume goes on from here")
            break
        (results[part] if many else results)[name if many else part] = record
        file.write_text(json.dumps(results, indent=1))
    return missing


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write, and say where."""
    given = parsed(arguments)
    libraries = [LIBRARIES[name]() for name in given.libraries]
    settings = Settings(libraries, given.threads, given.cap, given.repeats, given.data)
    given.out.mkdir(parents=True, exist_ok=True)
    file = given.out / "results.json"
    results = kept(file, measure.machine(settings), given.resume)
    missing = measured(given, settings, results, file)
    (given.out / "report.md").write_text(report.markdown(results))
    pictures = charts.draw(results, given.out)
    print(*missing, given.out / "report.md", *pictures, sep="\n")
    if given.readme:
        charts.readme_picture(results, ROOT / "docs" / "benchmark.png")
        drawn = "![Gap against time, and time against n and p](docs/benchmark.png)"
        report.rewrite_readme(results, ROOT / "README.md", drawn)
    return 0 if results["races"] or not missing else 1


if __name__ == "__main__":
    sys.exit(main())

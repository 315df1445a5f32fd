"""The report and the smoke benchmark: figures only for what was proven, and slower is noticed."""

from __future__ import annotations

import importlib
import json
import math
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest

# Last, so that an installed regsolve is found before the source tree's.
sys.path.append(str(Path(__file__).parents[1]))

from bench import __main__, charts, compare, measure, report, smoke
from bench.libraries import LIBRARIES
from bench.measure import Settings
from bench.problems import load_problem
from bench.race import race
from bench.result import Attempt, Lane

FAKES = '''
import os
import time

from bench.libraries import Regsolve, ScikitLearn


class Loosened(Regsolve):
    """regsolve at tol 1e-2 by coordinate descent, which stops as soon as that is proven."""

    name, solver = "regsolve", "cd"
    tolerances = (1e-2,)


class Raises(ScikitLearn):
    """Fails in its first path, faster than anybody."""

    name = "raises"

    def _path(self, prepared, alphas, tol):
        raise FloatingPointError("no answer")


class Hangs(ScikitLearn):
    """Never returns, except from the warm-up on three alphas."""

    name = "hangs"

    def _path(self, prepared, alphas, tol):
        if len(alphas) != 3:
            time.sleep(600.0)
        return super()._path(prepared, alphas, tol)


class Lazy(ScikitLearn):
    """Says that it has converged, and has not."""

    name = "lazy"

    def _path(self, prepared, alphas, tol):
        return super()._path(prepared, alphas, 0.5)


class Fickle(ScikitLearn):
    """Answers while it is judged, and fails when it is timed."""

    name = "fickle"
    calls = 0

    def _path(self, prepared, alphas, tol):
        Fickle.calls += len(alphas) != 3
        if Fickle.calls > 3:
            raise FloatingPointError("tired")
        return super()._path(prepared, alphas, 1e-8)


class Hungry(ScikitLearn):
    """Holds 64 MB during its path."""

    name = "hungry"

    def _path(self, prepared, alphas, tol):
        held = bytearray(64_000_000)
        held[::4096] = b"1" * len(held[::4096])
        return super()._path(prepared, alphas, tol)


class Refuses(ScikitLearn):
    """Solves another problem."""

    name = "refuses"

    def refuses(self, problem):
        return "has no intercept"


class Absent(ScikitLearn):
    """A package that is not here."""

    name, package = "absent", "no_such_package"
'''


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    (tmp_path / "fakes_of_report.py").write_text(FAKES)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("fakes_of_report")
    del sys.modules["fakes_of_report"]


@pytest.fixture
def small(monkeypatch):
    """The problem of all parts, small."""
    made = load_problem("ar0.5-60x100", alphas=(12, 1e-2))
    monkeypatch.setattr(measure, "load_problem", lambda name, data: made)  # noqa: ARG005
    return made


MACHINE = {
    "versions": {"Python": "3", "regsolve": "0"},
    "cpu": "a CPU",
    "target": "baseline",
    "system": "a system",
    "threads": 1,
    "cap_seconds": 60.0,
    "date": "2030-01-01",
}


def test_a_loosened_regsolve_is_shown_as_such(fakes, small):
    """tol=1e-2 has a gap that the judge finds, so there is no ratio and no time of it."""
    result = race(small, [fakes.Loosened(), LIBRARIES["scikit-learn"]()], repeats=1)
    assert 1e-5 < result.our_gap <= 1e-2
    assert result.ratio is None
    assert "That misses 1e-09: no ratio." in str(result)
    record = measure.race_record(result)
    assert record["lanes"]["regsolve"]["seconds"] is None
    row = report.summary({"small": record}).splitlines()[2].split(" | ")
    assert row[2] == "failed"
    assert row[3].startswith("**")
    assert "tol 1e-02" in str(result)


@pytest.mark.usefixtures("small")
def test_what_fails_has_no_figure_in_any_part(fakes, tmp_path):
    kinds = ("Raises", "Hangs", "Lazy", "Fickle", "Absent", "Refuses")
    libraries = [getattr(fakes, kind)() for kind in kinds] + [LIBRARIES["regsolve"]()]
    settings = Settings(libraries, cap_seconds=0.5, repeats=1)
    record = measure.races(settings, "small")
    failures = {name: lane["failure"] for name, lane in record["lanes"].items()}
    assert failures["raises"] == "failed: FloatingPointError: no answer"
    assert failures["hangs"] == "failed: over 0.5 s"
    assert failures["lazy"].startswith("failed: best gap ")
    assert failures["fickle"].endswith("repeat: FloatingPointError: tired")
    assert failures["absent"] == "not installed"
    assert failures["refuses"] == "not for this: has no intercept"
    assert failures["regsolve"] == ""
    assert [name for name, lane in record["lanes"].items() if lane["seconds"]] == ["regsolve"]
    assert record["ratio"] is None

    results = {"machine": MACHINE, "races": {"small": record}, "sizes": {}}
    name = measure.SIZES["n"][1][0][1]
    results["sizes"] = {name: measure.sizes(settings, name)}
    quick = Settings(libraries[:2] + libraries[4:], cap_seconds=0.5)
    results["cold"] = measure.cold(quick, "small")
    results["memory"] = measure.memory(quick, "small")
    assert results["cold"]["rows"]["raises"] == {"failure": "failed: FloatingPointError: no answer"}
    assert results["memory"]["rows"]["absent"] == {"failure": "not installed"}
    assert results["cold"]["rows"]["regsolve"]["seconds"] > 0.0
    assert json.loads(json.dumps(results, allow_nan=False)) == results

    text = report.markdown(results)
    cells = report.summary(results["races"]).splitlines()[2].strip("| ").split(" | ")
    assert cells[2].startswith("**")
    assert cells[3:] == ["failed"] * 4
    assert "| hangs | failed: over 0.5 s |" in text
    assert "2030-01-01; a CPU, baseline; a system; 1 thread; runs capped at 60 s." in text
    for file in charts.draw(results, tmp_path):
        assert file.read_bytes().startswith(b"\x89PNG")
    assert {file.name for file in tmp_path.glob("*.png")} == {
        "gap.png",
        "sizes.png",
        "footprint.png",
    }


@pytest.mark.usefixtures("small")
def test_a_picture_draws_no_point_for_a_failure(fakes):
    """Of what failed at a size there is a word in the panel and no line."""
    from matplotlib.figure import Figure

    settings = Settings([LIBRARIES["regsolve"](), fakes.Raises()], cap_seconds=5.0, repeats=1)
    name = measure.SIZES["n"][1][0][1]
    ax = Figure().subplots()
    charts._size_panel("n", {name: measure.sizes(settings, name)})(ax)
    assert [line.get_label() for line in ax.get_lines()] == ["regsolve"]
    assert [text.get_text() for text in ax.texts] == ["failed:\nraises"]


def test_a_failure_between_two_sizes_breaks_the_line():
    from matplotlib.figure import Figure

    lanes = [{"seconds": 1.0, "failure": ""}, {"seconds": None, "failure": "failed: over 9 s"}]
    names = [name for _, name in measure.SIZES["n"][1]]
    sizes = {name: {"lanes": {"celer": lanes[k == 1]}} for k, name in enumerate(names)}
    ax = Figure().subplots()
    charts._size_panel("n", sizes)(ax)
    drawn = np.isfinite(ax.get_lines()[0].get_ydata())
    assert drawn.tolist() == [True, False, True, True]


def test_a_fit_that_fails_when_it_is_timed_is_nobody_s_peer():
    lane = Lane(LIBRARIES["celer"](), [Attempt(1e-7, 0.1, 1e-9)], "repeat: tired")
    lane.median = math.inf
    assert lane.seconds is None
    assert lane.failure == "failed: best gap 1e-09; repeat: tired"


def test_one_reading_is_of_what_is_stored():
    """A sum over the values of X, dense or sparse: more values take longer."""
    little = measure.one_reading(load_problem("zipf5-200x300"), 1)
    much = measure.one_reading(load_problem("ar0.5-2000x1000"), 1)
    assert 0.0 < little < much


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
@pytest.mark.usefixtures("small")
def test_peak_memory_counts_what_the_path_holds(fakes):
    settings = Settings([fakes.Hungry(), LIBRARIES["scikit-learn"]()])
    rows = measure.memory(settings, "small")["rows"]
    assert 60e6 < rows["hungry"]["growth"] < 90e6
    assert rows["scikit-learn"]["growth"] < 30e6
    assert rows["hungry"]["peak"] > rows["hungry"]["growth"]


def test_one_command_writes_the_report_and_goes_on_where_it_was(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(measure, "COLD_STARTS", 1)
    asked = ["--out", str(tmp_path), "--libraries", "zeros", "regsolve", "--repeats", "1"]
    asked += ["diabetes", "ar0.5-30x20", "--parts", "races", "cold"]
    assert __main__.main(asked) == 0
    first = json.loads((tmp_path / "results.json").read_text())
    assert list(first["races"]) == ["diabetes", "ar0.5-30x20"]
    text = (tmp_path / "report.md").read_text()
    assert "runs capped at 60 s" in text
    assert "diabetes, 442 x 10" in text
    assert __main__.main([*asked, "--resume"]) == 0
    assert json.loads((tmp_path / "results.json").read_text()) == first
    assert __main__.main([*asked, "--resume", "--cap", "30"]) == 0
    again = json.loads((tmp_path / "results.json").read_text())
    assert again["machine"]["cap_seconds"] == 30.0
    assert again["races"] != first["races"]
    assert "starting anew" in capsys.readouterr().err


def test_readme_holds_the_table_between_its_marks(tmp_path):
    lane = {"peer": False, "seconds": 0.012, "failure": "", "n_passes": 1.0}
    race_ = {"shape": [3, 2], "gap": 1e-6, "lanes": {"regsolve": lane}}
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{report.MARKS[0]}\nold\n{report.MARKS[1]}\nafter\n")
    report.rewrite_readme({"machine": MACHINE, "races": {"mine": race_}}, readme, "![x](y.png)")
    text = readme.read_text()
    assert "| mine, 3 x 2 | 1e-06 | **12 ms** |" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    readme.write_text("no marks")
    with pytest.raises(ValueError, match="lacks the lines"):
        report.rewrite_readme({}, readme, "")
    own = Path(__file__).parents[1] / "README.md"
    assert all(mark in own.read_text() for mark in report.MARKS)


# ---- smoke and comparisons ----------------------------------------------------------------------


def _spin(seconds: float):
    def work() -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass

    return work


def test_the_smoke_benchmark_keeps_the_slower_machine():
    one = {"avx2": {"path": 2.0, "X'R": 0.1}, "baseline": {"path": 3.0}}
    other = {"avx2": {"path": 1.0, "X'R": 0.2, "solve": 5.0}, "avx512": {"path": 1.5}}
    assert smoke.larger(one, other) == {
        "avx2": {"path": 2.0, "X'R": 0.2, "solve": 5.0},
        "baseline": {"path": 3.0},
        "avx512": {"path": 1.5},
    }
    assert one["avx2"] == {"path": 2.0, "X'R": 0.1}


def test_the_smoke_benchmark_notices_what_is_slower():
    """The same work passes; twice the work fails, after a second look."""
    unit = _spin(1e-3)
    works = {"same": _spin(1e-3), "twice": _spin(2e-3)}
    units = smoke.measure(works, unit, 20)
    assert units["same"] == pytest.approx(1.0, rel=0.2)
    table, good = smoke.check({"same": 1.0, "twice": 2.0}, works, unit, 20)
    assert good, table
    table, good = smoke.check({"same": 1.0, "twice": 1.0, "old": 3.0}, works, unit, 20)
    assert not good
    assert len(re.findall("SLOWER", table)) == 1
    assert re.search(r"\| twice \|.* SLOWER \|", table)
    assert "| old | 3.000 | - | gone |" in table


def test_the_smoke_benchmark_looks_twice():
    """A machine that was busy during the first measurement does not fail the second."""
    rounds, calls = 10, []

    def once_slow() -> None:
        calls.append(1)
        _spin(3e-3 if len(calls) <= 1 + rounds else 1e-3)()

    table, good = smoke.check({"case": 1.0}, {"case": once_slow}, _spin(1e-3), rounds)
    assert good, table
    assert len(calls) == 2 * (1 + rounds)


def test_the_release_has_a_figure_of_every_case():
    release = json.loads(smoke.FILE.read_text())
    names = smoke.cases().keys()
    for units in release["targets"].values():
        assert units.keys() == names
        assert all(np.isfinite(value) and value > 0.0 for value in units.values())


def _pytest_benchmark(file: Path, **seconds: float) -> Path:
    benchmarks = [
        {
            "fullname": f"bench/test_path.py::test_path[{name}]",
            "params": {"library": name.split("-")[0]},
            "stats": {"min": value},
        }
        for name, value in seconds.items()
    ]
    file.write_text(json.dumps({"benchmarks": benchmarks}))
    return file


def test_base_against_head(tmp_path, capsys):
    """Ours slower by 20 % and 50 us in the least of all rounds fails; peers do not count."""
    base = _pytest_benchmark(tmp_path / "base", regsolve=1.0, celer=1.0)
    slow = _pytest_benchmark(tmp_path / "slow", regsolve=1.3, celer=9.0)
    well = _pytest_benchmark(tmp_path / "well", regsolve=1.1, celer=9.0)
    assert compare.main([str(base), "--head", str(slow)]) == 1
    assert "regsolve]: 1.000000 s, now 1.300000 s" in capsys.readouterr().out
    assert compare.main([str(base), "--head", str(slow), str(well)]) == 0
    assert "none of 1 benchmarks has slowed down" in capsys.readouterr().out
    assert compare.main([str(base), "--head", str(tmp_path / "absent")]) == 1
    assert compare.slower({"a": 1e-5}, {"a": 4e-5}) == []


def test_two_runs_of_a_report_are_compared_above_20_ms(tmp_path, capsys):
    def results(name: str, **seconds: float | None) -> str:
        lanes = {library: {"seconds": value} for library, value in seconds.items()}
        record = {"races": {"p": {"lanes": lanes}}, "sizes": {}}
        (tmp_path / name).write_text(json.dumps(record))
        return str(tmp_path / name)

    first = results("a", regsolve=0.1, celer=0.01, glum=None)
    close = results("b", regsolve=0.11, celer=0.02, glum=3.0)
    apart = results("c", regsolve=0.12, celer=0.01, glum=None)
    assert compare.main([first, close, "--repeatable"]) == 0
    assert "1 runs over 20 ms, 0 differ" in capsys.readouterr().out
    assert compare.main([first, apart, "--repeatable"]) == 1
    assert "20.0 %" in capsys.readouterr().out

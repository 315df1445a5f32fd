"""What a race returns: a lane for every library, and the table of them all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.adapter import Library
from bench.problems import Problem

OUR_GAP = 1e-9


@dataclass(frozen=True)
class Attempt:
    """One run at one tolerance: its time, and its worst relative gap by verify()."""

    tol: float
    seconds: float
    worst_gap: float
    n_passes: float | None = None
    note: str = ""


@dataclass
class Lane:
    """All that one library has done in a race; ``median`` is set for those compared."""

    library: Library
    attempts: list[Attempt] = field(default_factory=list)
    note: str = ""
    chosen: Attempt | None = None
    median: float | None = None

    @property
    def best_gap(self) -> float:
        """Smallest worst gap of any attempt."""
        return min((attempt.worst_gap for attempt in self.attempts), default=math.inf)

    @property
    def seconds(self) -> float | None:
        """The median; None where the library was not compared, or failed in its repeats."""
        return self.median if self.median is not None and math.isfinite(self.median) else None

    @property
    def failure(self) -> str:
        """Why there is no time to show: what it said, or the gap that it stopped at."""
        if self.seconds is not None:
            return ""
        if self.note.startswith("not "):  # installed, or for this problem
            return self.note
        gap = f"best gap {self.best_gap:.0e}" if self.attempts else ""
        return "failed: " + "; ".join(part for part in (gap, self.note) if part)

    def fastest(self, gap: float) -> Attempt | None:
        """The least time at which the worst gap is <= ``gap``: t_peer(gap)."""
        enough = [attempt for attempt in self.attempts if attempt.worst_gap <= gap]
        return min(enough, key=lambda attempt: attempt.seconds, default=None)


@dataclass(frozen=True)
class RaceResult:
    """The outcome; ``gap`` is the smallest target that any peer reaches, None where none does."""

    problem: Problem
    lanes: list[Lane]
    ours: Lane | None
    gap: float | None
    target_gaps: tuple[float, ...]
    threads: int
    n_judged: int
    n_judged_ours: int

    @property
    def fastest_peer(self) -> Lane | None:
        """The peer with the least median at ``gap``."""
        ready = [lane for lane in self.lanes if lane.library.peer and lane.seconds is not None]
        return min(ready, key=lambda lane: lane.seconds or 0.0, default=None)

    @property
    def our_gap(self) -> float:
        """Our worst gap; the rule asks for at most 1e-9."""
        return math.inf if self.ours is None else self.ours.best_gap

    @property
    def ratio(self) -> float | None:
        """Time of the fastest peer over ours; None when either is missing or ours misses 1e-9."""
        peer, ours = self.fastest_peer, self.ours
        if peer is None or ours is None or self.our_gap > OUR_GAP:
            return None
        return (peer.seconds or 0.0) / ours.seconds if ours.seconds else None

    def __str__(self) -> str:
        targets = sorted(self.target_gaps, reverse=True)
        head = [
            "library",
            *(f"t({g:g})" for g in targets),
            "best gap",
            "median",
            "over ours",
            "note",
        ]
        rows = [head, ["---"] * len(head), *(self._row(lane, targets) for lane in self.lanes)]
        table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
        return f"{self._title()}\n\n{table}\n\n{self._verdict()}\n"

    def _title(self) -> str:
        problem, m = self.problem, len(self.problem.grid)
        n, p = problem.X.shape
        traits = [f"l1_ratio {problem.l1_ratio:g}", f"{self.threads} threads"]
        traits += ["standardize"] if problem.standardize else []
        traits += [] if problem.fit_intercept else ["no intercept"]
        traits += [f"gaps judged at {self.n_judged} of {m} alphas"] if self.n_judged < m else []
        last = problem.grid[-1] / problem.grid[0]
        return (
            f"**{problem.name}** ({problem.what}): {n} x {p}, {problem.n_values} values, "
            f"{m} alphas to {last:.3g} of the first; {', '.join(traits)}. Seconds."
        )

    def _row(self, lane: Lane, targets: Sequence[float]) -> list[str]:
        times = [_seconds(a.seconds if a else None) for a in map(lane.fastest, targets)]
        ours = self.ours.seconds if self.ours else None
        over = f"{lane.seconds / ours:.3g}" if lane.seconds is not None and ours else "-"
        note = lane.note
        if lane.chosen is not None:
            passes = lane.chosen.n_passes
            parts = [f"tol {lane.chosen.tol:.0e}", f"{passes:.3g} readings" if passes else "", note]
            note = "; ".join(part for part in parts if part)
        gap = f"{lane.best_gap:.1e}" if lane.attempts else "-"
        return [lane.library.name, *times, gap, _seconds(lane.seconds), over, note]

    def _verdict(self) -> str:
        ours, peer = self.ours, self.fastest_peer
        lines = []
        if self.gap is None or peer is None:
            lines.append(f"No peer reaches {max(self.target_gaps):g}.")
        else:
            lines.append(f"Compared at {self.gap:g}; fastest peer: {peer.library.name}.")
        if ours is None or ours.seconds is None:
            lines.append("regsolve gave no answer.")
            return " ".join(lines)
        lines.append(f"Ours: {_seconds(ours.seconds)} s at worst gap {self.our_gap:.1e}")
        m = len(self.problem.grid)
        lines[-1] += (
            f" ({self.n_judged_ours} of {m} alphas judged)." if self.n_judged_ours < m else "."
        )
        if self.our_gap > OUR_GAP:
            lines.append(f"That misses {OUR_GAP:g}: no ratio.")
        elif self.ratio is not None:
            lines.append(f"**{self.ratio:.3g} times** the fastest peer's speed.")
        return " ".join(lines)


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.3g}"

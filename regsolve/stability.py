"""Stability selection: how often subsamples of the rows select each feature along one path.

A subsample is the problem with zero weight on the rows it leaves out: X is never copied. Sixteen
subsamples at a time go down the grid in lockstep and share each reading of X; where X has many rows
and few columns, the two halves of a pair take their X'X from one reading instead. Each subsample
centres and scales by its own rows alone, and its path ends once more than q penalised features have
entered.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from . import _validate
from ._call import Callback, Ready, budget, common_grid, make_ready, run, warn_unproven
from .solution import Interrupted, Progress, Report, together
from .solve import QUADRATIC

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .subsamples import Subsamples

TOGETHER = 16  # subsamples that the core runs in lockstep, four vectors of each in a reading


@dataclass(frozen=True)
class StabilityPath:
    """Shares of subsamples that select each of p features along a grid of m alphas.

    Attributes
    ----------
    alphas : (m,) descending
    probabilities : SciPy CSC matrix, p x m
        A subsample selects feature j at alphas[k] where its coefficient there is not zero; once
        more than q penalised features have entered, where it was not at the last alpha before
        that. Features without penalty are in from the beginning.
    n_subsamples : int
        How many are counted: those of the groups in lockstep, or of the pairs, that finished.
    stopped : "time_limit" or "interrupted" if those are not all, else None
    report : Report
        Of all subsamples and of what found the grid; ``peak_bytes`` of those that ran together.
    """

    alphas: NDArray[np.float64]
    probabilities: sparse.csc_matrix = field(repr=False)
    n_subsamples: int
    stopped: str | None
    report: Report = field(repr=False)

    @property
    def scores(self) -> NDArray[np.float64]:
        """Largest share of each feature over the path, (p,); 0 without one."""
        if len(self.alphas) == 0:
            return np.zeros(self.probabilities.shape[0])
        return np.asarray(self.probabilities.max(axis=1).toarray(), dtype=np.float64).ravel()


def stability_paths(
    X: Any,
    y: Any,
    draws: Subsamples,
    *,
    penalty: Any,
    q: int,
    alphas: Any = None,
    n_alphas: int = 100,
    alpha_min_ratio: float = 1e-2,
    sample_weight: Any = None,
    fit_intercept: bool = True,
    standardize: bool = False,
    callback: Callback | None = None,
    tol: float = 1e-6,
    max_iter: int | None = None,
    max_time: float | None = None,
    max_memory: float | None = None,
    n_threads: int | None = None,
    solver: str = "auto",
) -> StabilityPath:
    """Selection probabilities of all features over the subsamples.

    Parameters
    ----------
    penalty : L1 or ElasticNet
        Of every subsample, times its random factors.
    q : int
        Most penalised features that a subsample selects.
    alphas : (m,), optional
        Default: ``n_alphas`` in equal ratios from the largest alpha_max of all subsamples down to
        ``alpha_min_ratio`` of it.

    Raises
    ------
    ValueError, TypeError
        As :func:`regsolve.path`; no l1 term, or an alpha of 0, with which nothing is selected.
    Interrupted
        On Ctrl-C; ``.result`` is the StabilityPath of the subsamples that are finished.

    Warns
    -----
    ConvergenceWarning
        ``max_time`` left subsamples out, or a path missed ``tol``.
    """
    if not penalty.l1_ratio > 0.0:
        raise ValueError("l1_ratio=0 selects every feature: give more than 0")
    options = budget(tol, max_iter, max_time, max_memory, n_threads, solver)
    design = _validate.design(X)
    s = _validate.sample_weight(sample_weight, design.shape[0])
    family = _Family(X, y, draws, penalty, s, fit_intercept, standardize, design)
    run = _Run(family, _validate.positive_integer("q", q), options, callback)
    try:
        if alphas is not None:
            run.grid = _validate.descending(alphas)
            if run.grid[-1] == 0.0:
                raise ValueError("alphas has a 0, at which nothing is left out: give more than 0")
        else:
            ratio = _validate.share("alpha_min_ratio", alpha_min_ratio)
            run.find_grid(_validate.positive_integer("n_alphas", n_alphas), ratio)
        run.all_groups()
    except KeyboardInterrupt as error:
        run.stopped = "interrupted"
        raise Interrupted(run.outcome()) from error
    return run.outcome()


@dataclass(frozen=True)
class _Family:
    """The problems of the subsamples."""

    X: Any
    y: Any
    draws: Subsamples
    penalty: Any
    weight: NDArray[np.float64] | None
    fit_intercept: bool
    standardize: bool
    design: _validate.Design

    def problem(self, rows: NDArray[np.bool_], factors: Any = None) -> Ready:
        """That of some rows alone."""
        weight = rows.astype(np.float64) if self.weight is None else rows * self.weight
        penalty = self.penalty
        if factors is not None:
            given = penalty.weights
            penalty = replace(penalty, weights=factors if given is None else factors * given)
        part = 1.0 / (2.0 * self.draws.number)  # of what validation read; each has two problems
        design = replace(self.design, bytes_read=part * self.design.bytes_read)
        return make_ready(
            self.X, self.y, penalty, QUADRATIC, weight, None, self.fit_intercept,
            self.standardize, design,
        )  # fmt: skip

    def problems(self, members: range) -> list[Ready]:
        """Those of some subsamples."""
        p = self.design.shape[1]
        return [self.problem(self.draws.rows(k), self.draws.factors(k, p)) for k in members]


class _Run:
    """The paths of a family, group by group, and what they have selected so far."""

    def __init__(
        self, family: _Family, q: int, options: dict[str, Any], callback: Callback | None
    ) -> None:
        self.family, self.q, self.options = family, q, options
        self.callback = None if callback is None else self._ask
        self.user, self.ended = callback, False  # whether the user's answer was ever true
        self.free = family.penalty.factors(family.design.shape[1]) == 0.0
        self.most = q + int(np.count_nonzero(self.free))  # non-zeros of a path that goes on
        self.grid: NDArray[np.float64] = np.empty(0)
        # selections of each feature at each alpha (p, m), and of how many subsamples: set at once
        self.counted = (sparse.csc_matrix((family.design.shape[1], 0), dtype=np.int64), 0)
        self.reports: list[Report] = []
        self.peak_bytes = 0
        self.stopped: str | None = None
        self.start = time.perf_counter()

    def find_grid(self, number: int, ratio: float) -> None:
        """From the largest alpha_max of all subsamples, by a reading of X for each sixteen."""
        results: list[dict[str, Any]] = []
        for members in self._groups(TOGETHER):
            results += self._solve(
                self.family.problems(members), None, n_alphas=0, solver="working_set"
            )
        # a little higher, so that no other rounding of the same sums selects anything there
        self.grid = (1.0 + 1e-10) * common_grid(results, number, ratio)

    def all_groups(self) -> None:
        """Count all groups, or those that time allows: one cut short is dropped."""
        shape = (self.family.design.shape[1], len(self.grid))
        self.counted = (sparse.csc_matrix(shape, dtype=np.int64), 0)
        by_gram, missed = self._by_gram(), None
        for members in self._groups(2 if by_gram else TOGETHER):
            if self.ended or self._seconds_left() <= 0.0:
                self.stopped = "interrupted" if self.ended else "time_limit"
                break
            results = self._by_cells(members) if by_gram else self._in_lockstep(members)
            self.stopped = next((one["stopped"] for one in results if one["stopped"]), None)
            if self.stopped:
                break
            counts, done = self.counted
            self.counted = (counts + self._selected(results, shape), done + len(results))
            missed = missed or next((one for one in results if _misses(one)), None)
        if missed is not None:
            warn_unproven(missed, self.options["tol"], stacklevel=6)
        if self.stopped == "time_limit":
            _warn_time(self.counted[1], self.family.draws.number)

    def outcome(self) -> StabilityPath:
        """What is counted so far."""
        seconds = time.perf_counter() - self.start
        counts, done = self.counted
        shares = counts.data / max(done, 1)
        report = _NOTHING if not self.reports else together(self.reports[::-1])  # paths come last
        return StabilityPath(
            alphas=self.grid,
            probabilities=sparse.csc_matrix(
                (shares, counts.indices, counts.indptr), shape=counts.shape
            ),
            n_subsamples=done,
            stopped=self.stopped,
            report=replace(report, seconds=seconds, peak_bytes=self.peak_bytes),
        )

    def _ask(self, progress: Progress) -> bool:
        """The user's callback; after a true answer no group begins."""
        assert self.user is not None
        answer = bool(self.user(progress))
        self.ended = self.ended or answer
        return answer

    def _groups(self, size: int) -> Iterator[range]:
        number = self.family.draws.number
        return (range(k, min(number, k + size)) for k in range(0, number, size))

    def _seconds_left(self) -> float:
        limit = self.options["max_time"]
        return limit - (time.perf_counter() - self.start) if limit > 0.0 else np.inf

    def _by_gram(self) -> bool:
        """Whether X'X of a pair costs less than working sets of some q features, by trials."""
        n, p = self.family.design.shape
        if self.options["solver"] == "auto":
            return p <= 2000 and n >= 10 * p and n * p >= 1_000_000
        return bool(self.options["solver"] == "gram")

    def _in_lockstep(self, members: range) -> list[dict[str, Any]]:
        solver = self.options["solver"]
        return self._solve(
            self.family.problems(members), self.callback, alphas=self.grid, dfmax=self.most,
            solver="working_set" if solver == "auto" else solver,
        )  # fmt: skip

    def _by_cells(self, members: range) -> list[dict[str, Any]]:
        """Paths of two subsamples, or a last one, by X'X of each and of the rows it leaves out."""
        halves = [self.family.draws.rows(k) for k in members]
        if len(halves) == 2 and (halves[0] & halves[1]).any():
            return [self._by_cells(range(k, k + 1))[0] for k in members]
        rest = halves[1] if len(halves) == 2 else ~halves[0]
        ready, grids = self.family.problems(members), [self.grid] * len(halves)
        if len(halves) == 1:
            ready, grids = [*ready, self.family.problem(rest)], [*grids, self.grid[:1]]
        results = self._solve(
            [self.family.problem(halves[0] | rest), *ready], self.callback,
            alphas=[self.grid[:1], *grids], dfmax=self.most, solver="gram",
            cells=halves[0].astype(np.int32), n_cells=2,
        )  # fmt: skip
        return results[1 : 1 + len(halves)]

    def _solve(
        self, ready: list[Ready], callback: Callback | None, **own: Any
    ) -> list[dict[str, Any]]:
        left = self._seconds_left()
        options = {**self.options, "max_time": max(left, 1e-9) if np.isfinite(left) else 0.0}
        results, error = run(ready, callback, **{**options, **own})
        self.reports += [result["report"] for result in results]
        together_bytes = sum(int(result["report"].peak_bytes) for result in results)
        self.peak_bytes = max(self.peak_bytes, together_bytes)
        if error is not None:
            raise error
        return results

    def _selected(self, results: list[dict[str, Any]], shape: tuple[int, int]) -> sparse.csc_matrix:
        """How many of some subsamples select each feature at each alpha, (p, m)."""
        parts = [_entries(result["coefs"], self.q, shape[1], self.free) for result in results]
        rows, columns = np.concatenate(parts, axis=1)
        ones = np.ones(len(rows), dtype=np.int64)
        return sparse.csc_matrix((ones, (rows, columns)), shape=shape)


_NOTHING = Report("none", 0.0, 0, 0, 0, 0, 0, 0, 0.0, "interrupted before the first reading of X")


def _misses(result: dict[str, Any]) -> bool:
    return any(status not in ("optimal", "stationary") for status in result["statuses"])


def _warn_time(done: int, number: int) -> None:
    from sklearn.exceptions import ConvergenceWarning

    warnings.warn(
        f"max_time ended stability selection after {done} of {number} subsamples, of which the "
        "probabilities are shares; allow more time",
        ConvergenceWarning,
        stacklevel=6,
    )


def _entries(coefs: Any, q: int, m: int, free: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(feature, alpha) of each selection, (2, number), by one path's (data, indices, indptr).

    From the first alpha on by which more than q features have entered that are not ``free`` (p,)
    of penalty, the alpha before it counts, or the free ones of the first; a path with fewer than m
    alphas ended there.
    """
    data, indices, indptr = coefs
    column = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    feature, column = indices[data != 0.0], column[data != 0.0]
    names, first = np.unique(feature, return_index=True)
    entered = np.cumsum(np.bincount(column[first[~free[names]]], minlength=m))
    end = int(np.searchsorted(entered, q, side="right"))
    own, last = column < end, feature[column == end - 1]
    if end == 0:
        last = feature[(column == 0) & free[feature]]
    after = np.arange(end, m)
    return np.stack(
        [
            np.concatenate([feature[own], np.tile(last, len(after))]),
            np.concatenate([column[own], np.repeat(after, len(last))]),
        ]
    )

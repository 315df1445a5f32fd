"""What a solve returns: Solution and Path, what is proven of them, and how they were reached."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from scipy.sparse import csc_matrix

    from .criteria import Selection
    from .stability import StabilityPath


@dataclass(frozen=True)
class Progress:
    """One step of a running solve, as handed to ``callback``.

    ``step`` of ``n_steps`` alphas are done; ``gap`` is relative to the null objective and
    ``seconds`` is counted from the start of the call.
    """

    step: int
    n_steps: int
    alpha: float
    gap: float
    support: int
    n_passes: float
    seconds: float


@dataclass(frozen=True)
class Report:
    """How an answer was reached.

    ``n_passes`` is bytes of X's storage read by anything over bytes of X, with those of a copy
    of a large dense X by one byte a number, where one was made; ``bytes_read`` counts stored
    directions and Gram matrices too; ``n_rhs`` is the number of vectors r in all products X'r;
    ``n_solves`` counts direct linear solves and ``n_epochs`` epochs of coordinate descent;
    ``peak_bytes`` is the most memory the solver held beyond X and y.
    """

    mode: str
    n_passes: float
    n_rhs: int
    bytes_read: int
    peak_bytes: int
    working_set_size: int
    n_solves: int
    n_epochs: int
    seconds: float
    why: str


def together(reports: Sequence[Report]) -> Report:
    """One report of problems solved in one call: sums, and the largest working set."""
    first = reports[0]
    return Report(
        mode=first.mode,
        n_passes=sum(one.n_passes for one in reports),
        n_rhs=sum(one.n_rhs for one in reports),
        bytes_read=sum(one.bytes_read for one in reports),
        peak_bytes=sum(one.peak_bytes for one in reports),
        working_set_size=max(one.working_set_size for one in reports),
        n_solves=sum(one.n_solves for one in reports),
        n_epochs=sum(one.n_epochs for one in reports),
        seconds=max(one.seconds for one in reports),
        why=first.why,
    )


@dataclass(frozen=True)
class Certificate:
    """What is proven of given coefficients.

    Attributes
    ----------
    primal : float
        Objective P; inf where a bound or an infinite factor is violated.
    dual : float
        Lower bound D on the least objective; NaN where no conjugate is known.
    gap : float
        max(P - D, 0): P is at most this far above the minimum.
    relative_gap : float
        gap / P0, P0 the objective of the null model. Where P0 is zero to rounding: 0 if the null
        model was returned, else inf.
    kkt_violation : float
        Largest distance of a negative gradient of the loss to the subdifferential of the penalty,
        the intercept's gradient included, over the largest gradient at the null model.
    """

    primal: float
    dual: float
    gap: float
    relative_gap: float
    kkt_violation: float


def _predicted(
    X: Any, coef: NDArray[np.float64], intercept: float, offset: Any, what: str
) -> NDArray[np.float64]:
    """X @ coef + intercept (+ offset), (n,); ValueErrors name X and the offset."""
    from . import _validate  # not with this module: the judge works without the core

    rows = _validate.of_path(X, len(coef), what)
    linear = np.asarray(rows @ coef, dtype=np.float64) + intercept
    if offset is None:
        return linear
    return np.asarray(linear + _validate.vector("offset", offset, len(linear)))


@dataclass(frozen=True, eq=False)
class Solution:
    """Minimiser of one problem with its proof.

    Attributes
    ----------
    coef : (p,) float64 array, in X's units.
    intercept : float, 0.0 without ``fit_intercept``.
    certificate : Certificate with primal, dual, gap, relative_gap, kkt_violation.
    status : optimal, stationary, stalled, max_iter, time_limit or interrupted.
    report : Report
    """

    coef: NDArray[np.float64] = field(repr=False)
    intercept: float
    certificate: Certificate
    status: str
    report: Report = field(repr=False)

    def predict(self, X: Any, offset: Any = None) -> NDArray[np.float64]:
        """Linear predictor X @ coef + intercept (+ offset), shape (n,)."""
        return _predicted(X, self.coef, self.intercept, offset, "solution")


@dataclass(frozen=True)
class Problem:
    """What a path minimises, its data apart, and how many rows they are.

    Attributes
    ----------
    penalty : L1, L2 or ElasticNet; its alpha is not looked at.
    fit_intercept, standardize : bool
    n_samples : sum of the sample weights, the number of rows without.
    n_rows : rows of positive weight.
    """

    penalty: Any
    fit_intercept: bool
    standardize: bool
    n_samples: float
    n_rows: int


def _unknown() -> NDArray[np.float64]:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class Path:
    """Minimisers along a descending grid of alphas; field k belongs to ``alphas[k]``.

    Attributes
    ----------
    alphas : (m,) descending.
    coefs : SciPy CSC matrix, p x m.
    intercepts, relative_gaps, kkt_violations, deviance_ratio : (m,)
        ``deviance_ratio`` is 1 - loss / loss of the null model.
    statuses : list of m strings; ``converged`` is true when all are optimal or stationary.
    df : (m,) number of non-zero coefficients.
    alpha_max : least alpha at which every penalised coefficient is zero.
    report : Report
    stopped : "time_limit" or "interrupted" if the path was cut short, else None; None too where
        ``dfmax`` or ``stop_at_deviance`` ended it, as asked.
    null_objective : objective of the null model, to which ``relative_gaps`` refer.
    objectives, dual_objectives : (m,) primal and dual; see ``certificate_of``.
    problem : Problem that was solved, of which ``select`` needs to know; None where the penalty or
        the loss is a user's own, and of mixtures with refits.
    feature_names : titles of the columns where X was a data frame, else None.
    """

    alphas: NDArray[np.float64]
    coefs: csc_matrix = field(repr=False)
    intercepts: NDArray[np.float64] = field(repr=False)
    relative_gaps: NDArray[np.float64] = field(repr=False)
    kkt_violations: NDArray[np.float64] = field(repr=False)
    statuses: list[str] = field(repr=False)
    df: NDArray[np.int64] = field(repr=False)
    deviance_ratio: NDArray[np.float64] = field(repr=False)
    alpha_max: float
    report: Report = field(repr=False)
    stopped: str | None = None
    null_objective: float = float("nan")
    objectives: NDArray[np.float64] = field(default_factory=_unknown, repr=False)
    dual_objectives: NDArray[np.float64] = field(default_factory=_unknown, repr=False)
    problem: Problem | None = field(default=None, repr=False)
    feature_names: list[str] | None = field(default=None, repr=False)

    def certificate_of(self, k: int) -> Certificate:
        """What is proven at ``alphas[k]``."""
        primal, dual = float(self.objectives[k]), float(self.dual_objectives[k])
        return Certificate(
            primal=primal,
            dual=dual,
            gap=max(primal - dual, 0.0),
            relative_gap=float(self.relative_gaps[k]),
            kkt_violation=float(self.kkt_violations[k]),
        )

    @property
    def converged(self) -> bool:
        """Whether every alpha asked for is proven to tol (or stationary, when not convex)."""
        return self.stopped is None and all(
            status in ("optimal", "stationary") for status in self.statuses
        )

    def coef_at(self, alpha: float) -> tuple[NDArray[np.float64], float]:
        """Coefficients (p,) and intercept at ``alpha``, linear between grid points.

        The lasso path is piecewise linear in alpha, so this is exact between two grid points
        with no event between them. Raises ValueError outside the grid.
        """
        if not isinstance(alpha, Real):
            raise TypeError(f"alpha={alpha!r}: expected a number")
        alphas = self.alphas
        if len(alphas) == 0 or not alphas[-1] <= alpha <= alphas[0]:
            span = f"[{alphas[-1]:g}, {alphas[0]:g}]" if len(alphas) else "an empty path"
            raise ValueError(f"alpha={alpha:g} is outside the path's alphas, {span}")
        right = int(np.searchsorted(-alphas, -alpha))
        left = max(right - 1, 0)
        width = alphas[left] - alphas[right]
        t = 0.0 if width == 0 else (alphas[left] - alpha) / width
        both = self.coefs[:, [left, right]].toarray()
        coef = (1.0 - t) * both[:, 0] + t * both[:, 1]
        intercept = (1.0 - t) * self.intercepts[left] + t * self.intercepts[right]
        return coef, float(intercept)

    def predict(self, X: Any, alpha: float, offset: Any = None) -> NDArray[np.float64]:
        """Linear predictor X @ coef + intercept (+ offset) at ``alpha``, shape (n,)."""
        coef, intercept = self.coef_at(alpha)
        return _predicted(X, coef, intercept, offset, "path")

    def select(self, criterion: str, X: Any = None, y: Any = None, **options: Any) -> Selection:
        """Choose an alpha without folds; see :func:`regsolve.criteria.select`.

        ``criterion`` is one of "aic", "aicc", "bic", "ebic", "cp", "gcv" and "alo"; ``options``
        are ``sample_weight`` and ``offset``, those that the path was fitted with,
        ``noise_variance``, ``gamma`` and ``n_threads``.
        """
        from .criteria import select

        return select(self, criterion, X, y, **options)

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw every coefficient against alpha; see :func:`regsolve.plots.coefficient_path`."""
        from .plots import coefficient_path

        options.setdefault("feature_names", self.feature_names)
        return coefficient_path(self, ax=ax, **options)


def alone(results: list[Any]) -> Any:
    """The list, or its only element."""
    return results if len(results) > 1 else results[0]


class Interrupted(KeyboardInterrupt):
    """Raised on Ctrl-C; ``result`` is the certified best iterate, a Solution or a Path.

    With several targets it is a list of them; of stability selection, a StabilityPath.
    """

    def __init__(
        self, result: Solution | Path | list[Solution] | list[Path] | StabilityPath
    ) -> None:
        super().__init__("interrupted; the certified best iterate is in .result")
        self.result = result


@contextmanager
def keeping(result: Path | list[Path]) -> Iterator[None]:
    """While it lasts, Ctrl-C raises :class:`Interrupted` with this result, which is finished.

    So does an Interrupted from within: a user's scorer may solve problems of its own.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(result) from error

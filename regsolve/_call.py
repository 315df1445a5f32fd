"""One call of the core: arguments laid out, its answers read, and a warning of what they lack."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from . import _core, _validate
from ._threads import available_memory, one_thread_blas
from .custom import Pointer, elementwise, pointer
from .losses import Custom as CustomLoss
from .losses import Quadratic
from .penalties import L1, L2, ElasticNet
from .penalties import Custom as CustomPenalty
from .solution import Certificate, Path, Problem, Progress, Report, Solution

if TYPE_CHECKING:
    from numpy.typing import NDArray

Callback = Callable[[Progress], Any]
PROVEN = ("optimal", "stationary")
_COPY_BYTES = 4e7  # of a copy of X, for as long as what is promised allows
_PROMISED_BYTES = 6.4e7  # beside what DESIGN.md's formula counts for the working set
SOLVERS = ("auto", "cd", "gram", "working_set")


@dataclass(frozen=True)
class Ready:
    """A validated problem: the core's view of it, and what keeps compiled functions alive."""

    setup: _core.Setup
    design: _validate.Design
    X: Any
    owners: list[Pointer]


def _addresses(functions: list[tuple[Any, int]], owners: list[Pointer]) -> tuple[int, ...]:
    """Addresses of the functions given, 0 for those that are None."""
    out = []
    for function, n_arguments in functions:
        if function is None:
            out.append(0)
            continue
        compiled = pointer(function, n_arguments)
        owners.append(compiled)
        out.append(compiled.address)
    return tuple(out)


def _penalty_arguments(penalty: Any, p: int, owners: list[Pointer]) -> dict[str, Any]:
    if isinstance(penalty, CustomPenalty):
        _try(penalty)
        functions = [
            (penalty.value_function, 3),
            (penalty.prox_function, 4),
            (penalty.subdiff_distance_function, 4),
            (penalty.conjugate_function, 3),
            (penalty.zero_threshold_function, 2),
        ]
        known_convex = penalty.convex is True or (penalty.convex is None and penalty.has_conjugate)
        return {
            "functions": _addresses(functions, owners),
            "factor": None if penalty.weights is None else penalty.factors(p),
            "convex": known_convex,
        }
    if not isinstance(penalty, L1 | L2 | ElasticNet):
        raise TypeError(
            f"penalty is a {type(penalty).__name__}: expected regsolve.penalties.L1, L2, "
            "ElasticNet or Custom"
        )
    factor = None if penalty.weights is None else penalty.factors(p)
    lower = upper = None
    if penalty.lower is not None or penalty.upper is not None:
        lower, upper = penalty.bounds(p)
    return {
        "factor": factor,
        "lower": None if penalty.lower is None else lower,
        "upper": None if penalty.upper is None else upper,
        "l1_ratio": float(penalty.l1_ratio),
    }


def _try(penalty: CustomPenalty) -> None:
    """Call prox, and value where it leads, once from Python, where what they raise is heard.

    ValueError on NaN.
    """
    weight = float(np.ravel(1.0 if penalty.weights is None else penalty.weights)[0])
    rest = (penalty.alpha, weight if np.isfinite(weight) else 1.0)
    point = np.array([-1.5, 0.0, 1.5])
    moved = elementwise(penalty.prox_function, 4)(point, 0.7183, *rest)
    for name, at, found in (
        ("prox", point, moved),
        ("value", moved, elementwise(penalty.value_function, 3)(moved, *rest)),
    ):
        if np.isnan(found).any():
            where = at[int(np.argmax(np.isnan(found)))]
            raise ValueError(f"{name} of the penalty is NaN at {where:g}, alpha={penalty.alpha:g}")


def _loss_arguments(loss: Any, owners: list[Pointer]) -> dict[str, Any]:
    if isinstance(loss, Quadratic):
        return {}
    if not isinstance(loss, CustomLoss):
        raise TypeError(
            f"loss is a {type(loss).__name__}: expected regsolve.losses.Quadratic() or Custom"
        )
    functions = [
        (loss.value_function, 2),
        (loss.gradient_function, 2),
        (loss.curvature_function, 2),
        (loss.conjugate_function, 2),
    ]
    return {"loss": _addresses(functions, owners)}


def make_ready(
    X: Any,
    y: Any,
    penalty: Any,
    loss: Any,
    sample_weight: Any,
    offset: Any,
    fit_intercept: bool,
    standardize: bool,
    design: _validate.Design | None = None,
    checked: bool = False,
) -> Ready:
    """``checked``: y, sample_weight and offset are as ``_validate`` returns them."""
    owners: list[Pointer] = []
    loss_arguments = _loss_arguments(loss, owners)
    design = _validate.design(X) if design is None else design
    n, p = design.shape
    if not checked:
        y = _validate.target(y, n)
        offset = None if offset is None else _validate.vector("offset", offset, n)
        sample_weight = _validate.sample_weight(sample_weight, n)
    setup = _core.Setup(
        design.matrix,
        y,
        offset=offset,
        sample_weight=sample_weight,
        fit_intercept=_validate.boolean("fit_intercept", fit_intercept),
        standardize=_validate.boolean("standardize", standardize),
        **_penalty_arguments(penalty, p, owners),
        **loss_arguments,
    )
    return Ready(setup, design, X, owners)


def budget(
    tol: Any, max_iter: Any, max_time: Any, max_memory: Any, n_threads: Any, solver: Any
) -> dict[str, Any]:
    """Options of the core that tell when to stop; errors name the argument."""
    if solver not in SOLVERS:
        known = ", ".join(map(repr, SOLVERS[:-1]))
        raise ValueError(f"solver={solver!r}: expected {known} or {SOLVERS[-1]!r}")
    return {
        "tol": _validate.positive_number("tol", tol),
        "max_iter": 0 if max_iter is None else _validate.positive_integer("max_iter", max_iter),
        "max_time": 0.0 if max_time is None else _validate.positive_number("max_time", max_time),
        "max_bytes": _memory(max_memory),
        "copy_bytes": _COPY_BYTES if max_memory is None else 0.25 * float(max_memory),
        "promised_bytes": _PROMISED_BYTES if max_memory is None else float(max_memory),
        "n_threads": _validate.threads(n_threads),
        "solver": solver,
    }


def grid(penalties: Sequence[Any], n_alphas: Any, alpha_min_ratio: Any) -> dict[str, Any]:
    """Options of the core for alphas in equal ratios from alpha_max; errors name the argument."""
    if any(getattr(penalty, "l1_ratio", 1.0) == 0.0 for penalty in penalties):
        raise ValueError("alphas must be given when l1_ratio=0: there is no alpha_max")
    ratio = _validate.share("alpha_min_ratio", alpha_min_ratio)  # at 1 all alphas are alpha_max
    return {"n_alphas": _validate.positive_integer("n_alphas", n_alphas), "alpha_min_ratio": ratio}


def common_grid(
    results: Sequence[dict[str, Any]], number: int, ratio: float
) -> NDArray[np.float64]:
    """(number,) alphas in equal ratios from the largest alpha_max of paths that share them.

    All the same, above rounding, where no path has anything to select.
    """
    top = max(result["alpha_max"] for result in results)
    if not 0.0 < top < np.inf:
        return np.full(number, max(result["alpha_floor"] for result in results))
    return top * np.geomspace(1.0, ratio, number) if number > 1 else np.full(1, top)


def _memory(max_memory: Any) -> float:
    """Bytes that the core may hold, half of what is free by default; 0: without a bound."""
    if max_memory is None:
        free = 0.5 * available_memory()
        return free if np.isfinite(free) else 0.0
    if isinstance(max_memory, float | np.floating) and max_memory == np.inf:
        return 0.0
    return _validate.positive_number("max_memory", max_memory)


def run(
    ready: list[Ready], callback: Callback | None, **options: Any
) -> tuple[list[dict[str, Any]], Any]:
    """The core's answers and the Report of each; raises what the callback raised."""
    if callback is not None and not callable(callback):
        raise TypeError(f"callback={callback!r}: expected a function of one Progress")
    start = time.perf_counter()
    told = None
    if callback is not None:

        def told(*fields: Any) -> Any:
            return callback(Progress(*fields))

    with one_thread_blas():
        results, error = _core.paths([one.setup for one in ready], callback=told, **options)
    for result in results:
        if result["bad_column"] >= 0:
            raise _validate.explain_column(ready[0].X, result["bad_column"])
    seconds = time.perf_counter() - start
    for one, result in zip(ready, results, strict=True):
        counted = result["report"]
        read = counted.pop("x_bytes") + one.design.bytes_read
        size = counted.pop("x_size")
        counted["n_passes"] = read / size if size else 0.0
        counted["bytes_read"] = int(read)
        counted["peak_bytes"] = int(counted["peak_bytes"])
        if one.design.note:
            counted["why"] += "; " + one.design.note
        result["report"] = Report(seconds=seconds, **counted)
    if error is not None and not isinstance(error, KeyboardInterrupt):
        raise error
    for one, result in zip(ready, results, strict=True):
        if one.owners and np.isnan([*result["primal"], *result["kkt"]]).any():
            raise ValueError(
                "a function of the custom penalty or loss returned NaN: check value, prox and "
                "subdiff_distance of the penalty, value, gradient and curvature of the loss"
            )
    return results, error


def warn_unproven(result: dict[str, Any], tol: float, stacklevel: int = 4) -> None:
    """One warning that states the worst gap and why it stayed, or that time ran out."""
    from_budget = result["stopped"] == "time_limit"
    missed = [k for k, s in enumerate(result["statuses"]) if s not in (*PROVEN, "interrupted")]
    if not missed and not from_budget:
        return
    from sklearn.exceptions import ConvergenceWarning

    if not missed:
        warnings.warn(
            f"max_time ended the path after {len(result['statuses'])} alphas, each within "
            f"tol={tol:g}; allow more time",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
        return
    gaps = np.where(np.isnan(result["relative_gap"]), result["kkt"], result["relative_gap"])[missed]
    worst = missed[int(np.argmax(gaps))]
    named = "KKT violation" if np.isnan(result["relative_gap"][worst]) else "relative gap"
    warnings.warn(
        f"{len(missed)} of {len(result['statuses'])} alphas missed tol={tol:g}: worst {named} "
        f"{max(gaps):.3g} at alpha={result['alphas'][worst]:.6g}, status "
        f"{result['statuses'][worst]}; allow more (max_iter, max_time) or loosen tol",
        ConvergenceWarning,
        stacklevel=stacklevel,
    )


def to_solution(result: dict[str, Any]) -> Solution:
    """The answer at the first alpha."""
    coef = np.zeros(result["shape"][0])
    data, indices, _ = result["coefs"]
    coef[indices] = data
    return Solution(
        coef=coef,
        intercept=float(result["intercepts"][0]),
        certificate=Certificate(
            primal=float(result["primal"][0]),
            dual=float(result["dual"][0]),
            gap=float(result["gap"][0]),
            relative_gap=float(result["relative_gap"][0]),
            kkt_violation=float(result["kkt"][0]),
        ),
        status=result["statuses"][0],
        report=result["report"],
    )


def size_of_rows(s: Any, n: int) -> tuple[float, int]:
    """Sum of the weights of n rows, valid or None, and how many are positive."""
    return (float(n), n) if s is None else (float(s.sum()), int(np.count_nonzero(s)))


def remembered(
    penalty: Any, loss: Any, size: tuple[float, int], fit_intercept: bool, standardize: bool
) -> Problem | None:
    """What a path remembers of its problem: nothing of a user's functions."""
    if isinstance(penalty, CustomPenalty) or not isinstance(loss, Quadratic):
        return None
    return Problem(penalty, bool(fit_intercept), bool(standardize), *size)


def to_path(
    result: dict[str, Any], problem: Problem | None = None, names: list[str] | None = None
) -> Path:
    """The answers at all alphas."""
    data, indices, indptr = result["coefs"]
    return Path(
        alphas=result["alphas"],
        coefs=sparse.csc_matrix((data, indices, indptr), shape=result["shape"]),
        intercepts=result["intercepts"],
        relative_gaps=result["relative_gap"],
        kkt_violations=result["kkt"],
        statuses=result["statuses"],
        df=np.diff(indptr),
        deviance_ratio=result["deviance_ratio"],
        alpha_max=result["alpha_max"],
        report=result["report"],
        stopped=result["stopped"],
        null_objective=result["null_objective"],
        objectives=result["primal"],
        dual_objectives=result["dual"],
        problem=problem,
        feature_names=names,
    )

"""Ridge regression by readings of X alone, where no factorisation is worth its cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._threads import available_memory
from . import conjugate_gradients, krylov
from .answer import Answer
from .costs import Iteration
from .normal import Normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

REPAIRS = 3  # restarts from the true residual where rounding has spoilt a recurrence


def solve(
    normal: Normal, a: Array, t: Integers, plan: Iteration, tol: float, most_steps: int | None
) -> Answer:
    """Solutions at strengths a_q for targets t_q, with their proof."""
    most = 20 * normal.size + 100 if most_steps is None else most_steps
    kept = min(8.0 * normal.size**2, 0.25 * available_memory())
    shared = None
    if plan.mode == "krylov":
        C, steps = krylov.solve(normal, a, t, tol, most, kept)
    else:
        shared = conjugate_gradients.sketch(normal, plan.rank)
        C, steps = conjugate_gradients.solve(normal, a, t, shared, tol, most)
    W, found = normal.prove(C, a, t)
    for _ in range(REPAIRS):
        missed = np.flatnonzero(~(2.0 * found.gap <= tol * normal.targets.square[t]))
        if not len(missed) or steps >= most:
            break
        if shared is None:
            shared = conjugate_gradients.sketch(normal, plan.rank)
        again, more = conjugate_gradients.solve(
            normal, a[missed], t[missed], shared, 0.25 * tol, most - steps, C[:, missed]
        )
        steps += more
        W_again, found_again = normal.prove(again, a[missed], t[missed])
        better = found_again.gap < found.gap[missed]
        C[:, missed[better]] = again[:, better]
        if W is not C:
            W[:, missed[better]] = W_again[:, better]
        for name in ("primal", "gap", "kkt"):
            getattr(found, name)[missed[better]] = getattr(found_again, name)[better]
    side = "gram" if normal.primal else "kernel"
    held = 8 * (3 * C.size if normal.primal else 5 * C.size)
    held += int(min(kept, 8.0 * normal.size * steps * min(8, len(np.unique(t)))))
    return Answer(
        W,
        found,
        f"{side}-{plan.mode}",
        plan.why,
        n_iterations=steps,
        extra_bytes=held,
        converged=steps < most,
    )

"""Ridge regression by readings of X alone, where no factorisation is worth its cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .._threads import available_memory
from . import conjugate_gradients, krylov
from .answer import Answer
from .conjugate_gradients import Preconditioners
from .costs import CLOSE, GAIN, GLANCE, Prospects, rank_of, short
from .design import EIGHT
from .krylov import Outlook, Solved
from .normal import Normal
from .proof import Proof

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

REPAIRS = 3  # restarts from the true residual where rounding has spoilt a recurrence


def solve(
    normal: Normal,
    a: Array,
    t: Integers,
    tol: float,
    most_steps: int | None,
    solver: str,
    direct_seconds: float,
    shared: Preconditioners | None = None,
) -> Answer | None:
    """Solutions at strengths a_q for targets t_q, with their proof; None: a factor costs less.

    ``solver`` is "krylov" or "conjugate_gradients" by name; "auto" begins with the first and goes
    on as the prospects say. ``shared`` precondition the second, by default from a sketch.
    """
    most = 20 * normal.size + 100 if most_steps is None else most_steps
    kept = min(8.0 * normal.size**2, 0.25 * available_memory())
    prospects, mode, steps = Prospects(normal, a, t, tol, direct_seconds), "krylov", 0

    def go_on(outlook: Outlook, to_come: Integers) -> bool:
        nonlocal mode
        mode = prospects.best(outlook, to_come) if solver == "auto" else "krylov"
        return mode == "krylov"

    solved = None
    if solver != "conjugate_gradients":
        solved = krylov.solve(normal, a, t, tol, most, kept, go_on)
        steps = solved.steps
        if mode == "direct":
            return None
    found = _Found(normal, a, t, solved, tol)
    for _ in range(1 + REPAIRS):  # rounding may have spoilt a recurrence: once more from its end
        missed = found.missed(tol)
        if not len(missed) or steps >= most:
            break
        begun = None if found.C is None else found.C[:, missed]
        with normal.design.blas_between_readings():
            if shared is None:
                shared = conjugate_gradients.sketch(normal, rank_of(normal.size))
            C, taken = conjugate_gradients.solve(
                normal, a[missed], t[missed], shared, tol, most - steps, begun
            )
        steps += taken
        if not found.improve(missed, C):
            break
    mode = solver if solver != "auto" else mode
    return Answer(
        found.W,
        found.proof,
        f"{'gram' if normal.primal else 'kernel'}-{mode}",
        prospects.said or ("asked for" if solver != "auto" else "few steps of Lanczos"),
        n_iterations=steps,
        extra_bytes=found.bytes() + int(min(kept, 8.0 * normal.size * steps * EIGHT)),
        converged=steps < most,
    )


def attempt(
    normal: Normal, a: Array, t: Integers, tol: float, most_steps: int | None, direct_seconds: float
) -> Answer | None:
    """Solutions from one short Krylov space, or None: a factor costs less.

    A few steps tell the largest eigenvalue of S, and with it the condition that convergence
    depends on at worst; and how fast it converges.
    """
    said, cheap = "few steps of Lanczos", True

    def go_on(outlook: Outlook, _: Integers) -> bool:
        nonlocal said, cheap
        seconds = short(normal, outlook, min(tol, CLOSE))
        said = (
            f"after {outlook.steps} steps of Lanczos {seconds:.2g} s of them are predicted to "
            f"finish, and {direct_seconds:.2g} s of a factor"
        )
        cheap = seconds < GAIN * direct_seconds
        return cheap

    most = normal.size if most_steps is None else most_steps
    kept = 8.0 * normal.size * min(normal.size, 1024) * EIGHT
    aim = min(tol, CLOSE / krylov.SURE)  # what is found is proven to tol alone
    solved = krylov.solve(normal, a, t, aim, most, kept, go_on, every=GLANCE)
    if not cheap:
        return None
    found = _Found(normal, a, t, solved, tol)
    if len(found.missed(tol)):
        return None
    return Answer(
        found.W,
        found.proof,
        f"{'gram' if normal.primal else 'kernel'}-krylov",
        said,
        n_iterations=solved.steps,
        extra_bytes=found.bytes() + int(8.0 * normal.size * solved.steps * EIGHT),
    )


class _Found:
    """Solutions so far with their coefficients and proof; nothing yet where none are solved."""

    W: Array
    proof: Proof

    def __init__(
        self, normal: Normal, a: Array, t: Integers, solved: Solved | None, tol: float
    ) -> None:
        self.normal, self.a, self.t, self.tol = normal, a, t, tol
        self.C: Array | None = None
        self.images = 0
        if solved is not None:
            self.C = solved.C
            if solved.spans:
                self.W, self.proof = normal.prove_spans(self.C, solved.spans, a, t, tol)
                self.images = sum(span.bytes() for span in solved.spans)
            else:
                self.W, self.proof = normal.prove(self.C, a, t, tol)

    def missed(self, tol: float) -> Integers:
        """The pairs whose gap is above tol."""
        if self.C is None:
            return np.arange(len(self.a))
        return np.flatnonzero(~(2.0 * self.proof.gap <= tol * self.normal.targets.square[self.t]))

    def improve(self, q: Integers, C: Array) -> bool:
        """Take of C what has a smaller gap; whether any is half of what it was."""
        if self.C is None:
            self.C = C
            self.W, self.proof = self.normal.prove(C, self.a, self.t, self.tol)
            return True
        W, proof = self.normal.prove(C, self.a[q], self.t[q], self.tol)
        before = self.proof.gap[q].copy()
        better = self.proof.take(q, proof)
        self.C[:, q[better]] = C[:, better]
        if self.W is not self.C:
            self.W[:, q[better]] = W[:, better]
        return bool(np.any(self.proof.gap[q] < 0.5 * before))

    def bytes(self) -> int:
        """Held beside the answer."""
        return (
            int(8 * (3 if self.normal.primal else 5) * self.normal.size * len(self.a)) + self.images
        )

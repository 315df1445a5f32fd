"""Ridge beyond what a factor bears: conjugate gradients after a factor with larger strengths.

Where the condition of S + a I exceeds 1 / eps its Cholesky factor tells nothing of the smallest
eigenvalues, and a root of X itself may take hours. That of S + B, B = diag(max(a, BORNE S_jj)), is
exact in all digits that matter, and (S + B)^{-1} (S + a I) has all eigenvalues near 1 but those
of directions in which S is not far above B. Features that depend on each other, as the levels of
categories do, leave a few such directions, in all of which it is alike, and the iteration ends in a
few steps; its products are X's own, so that no digit of Z'Z is missed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import lapack

from .. import _core
from . import iterative
from .answer import Answer
from .factors import Breakdown
from .normal import Normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Integers = NDArray[np.intp]

BORNE = 1e-11  # of S_jj: a strength that its factor bears
PROVEN = 1e-12  # gap to which the iteration goes
STEPS = 500


class Shifted:
    """Factors of S + diag(max(a, BORNE S_jj)), scaled to a unit diagonal."""

    def __init__(self, S: Array) -> None:
        self.S, self.diagonal = S, np.diag(S).copy()

    def at(self, a: float) -> Callable[[Array], Array]:
        """The inverse at a, as an operator on (k,)."""
        shift = np.maximum(a, BORNE * self.diagonal)
        inverse = 1.0 / np.sqrt(self.diagonal + shift)
        M = np.multiply(self.S, inverse, order="F")
        M *= inverse[:, None]
        np.fill_diagonal(M, 1.0)
        if not _core.cholesky(M):
            raise Breakdown

        def apply(r: Array) -> Array:
            c, _ = lapack.dpotrs(M, (inverse * r)[:, None], lower=0)
            return np.asarray(inverse * c[:, 0])

        return apply


def solve(normal: Normal, S: Array, a: Array, t: Integers, why: str) -> Answer:
    """Solutions at strengths a_q > 0 for targets t_q, with their proof."""
    answer = iterative.solve(
        normal, a, t, PROVEN, STEPS, "conjugate_gradients", np.inf, shared=Shifted(S)
    )
    assert answer is not None
    answer.why = why
    return answer

"""What every regime gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import proof

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass
class Answer:
    """Solutions W (p, Q) in the view's units, what proves them, and how they were reached."""

    W: Array
    proof: proof.Proof
    mode: str
    why: str
    n_solves: int = 0
    n_iterations: int = 0
    extra_bytes: int = 0
    converged: bool = True

"""Random subsets of the rows, alone or in complementary pairs, and random penalty factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _validate

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Subsamples:
    """Random subsets of ``size`` units; units are drawn with all their rows.

    Parameters
    ----------
    unit : (n,) int
        Which of ``n_units`` each row belongs to; -1: never drawn.
    number : int
        Of subsets; 2 k and 2 k + 1 are disjoint where ``pairs``.
    weakness : float in (0, 1]
        Each subset divides its penalty of feature j by u_j, uniform in [weakness, 1]: the
        randomised lasso (Meinshausen and Buhlmann, 2010, section 3).
    seed : int
        Subset k depends on it and on k alone, so none is kept.
    """

    unit: NDArray[np.intp]
    n_units: int
    size: int
    number: int
    pairs: bool
    weakness: float
    seed: int

    def rows(self, k: int) -> NDArray[np.bool_]:
        """Which rows are in subset k, (n,)."""
        order = self._random(0, k // 2 if self.pairs else k).permutation(self.n_units)
        begin = self.size * (k % 2) if self.pairs else 0
        chosen = np.zeros(self.n_units + 1, dtype=bool)  # the last is for rows of no unit
        chosen[order[begin : begin + self.size]] = True
        return np.asarray(chosen[self.unit])

    def factors(self, k: int, p: int) -> NDArray[np.float64] | None:
        """Of the penalty of each feature in subset k, (p,); None: all 1."""
        if self.weakness == 1.0:
            return None
        return np.asarray(1.0 / self._random(1, k).uniform(self.weakness, 1.0, p))

    def _random(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


def subsamples(
    n: int,
    *,
    n_subsamples: int = 100,
    sample_fraction: float = 0.5,
    complementary_pairs: bool = True,
    weakness: float = 1.0,
    seed: int = 0,
    sample_weight: NDArray[np.float64] | None = None,
    groups: Any = None,
) -> Subsamples:
    """Subsets of the rows that have weight, or of the ``groups`` (n,) that have any such row.

    Raises
    ------
    ValueError
        A fraction outside (0, 1/2], an odd number of halves of pairs, too few rows or groups.
    """
    fraction = _validate.positive_number("sample_fraction", sample_fraction)
    number = _validate.positive_integer("n_subsamples", n_subsamples, least=2)
    if fraction > 0.5:
        raise ValueError(
            f"sample_fraction={fraction!r}: expected at most 0.5, beyond which no bound is known"
        )
    if complementary_pairs and number % 2:
        raise ValueError(f"n_subsamples={number}: expected an even number, two for each pair")
    weakness = _validate.share("weakness", weakness)
    unit, n_units = _units(n, sample_weight, groups)
    size = int(fraction * n_units)
    if size < 1:
        kind = "row" if groups is None else "group"
        raise ValueError(
            f"{n_units} {kind}{'s' * (n_units != 1)} with weight of n_samples={n}: a subsample of "
            f"{fraction:g} of that is empty; give more"
        )
    return Subsamples(unit, n_units, size, number, bool(complementary_pairs), weakness, seed)


def _units(n: int, s: NDArray[np.float64] | None, groups: Any) -> tuple[NDArray[np.intp], int]:
    """The unit of each row, -1 where it has no weight, and how many there are."""
    weighted = np.ones(n, dtype=bool) if s is None else s > 0.0
    unit = np.full(n, -1, dtype=np.intp)
    if groups is None:
        unit[weighted] = np.arange(weighted.sum())
        return unit, int(weighted.sum())
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise ValueError(f"groups has shape {labels.shape}: expected a label for each of {n} rows")
    names, unit[weighted] = np.unique(labels[weighted], return_inverse=True)
    return unit, len(names)

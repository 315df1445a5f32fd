"""Per-family error rate of stability selection: bounds on E(V), V features selected falsely.

B complementary pairs of subsamples each select at most q of the p features that chance can select,
which those without penalty, left out, constant or held at zero by bounds are not; a feature is kept
where its share Pi of the 2 B subsamples is at least ``threshold``. With theta = q / p, and L the
features that one subsample selects with probability at most theta, which is where chance puts the
noise,

    E|kept and in L| <= q^2 / ((2 threshold - 1) p)                                     "none"

(Meinshausen and Buhlmann, Stability selection, J. R. Statist. Soc. B 72, 2010, theorem 1; Shah and
Samworth, Variable selection with error control, J. R. Statist. Soc. B 75, 2013, theorem 1). The
share of pairs in which both halves select the feature has a mean of at most theta^2 and is at
least 2 threshold - 1 where Pi >= threshold. Where its distribution is unimodal, or r-concave with
r = -1/2 and that of Pi with r = -1/4, Markov's inequality is replaced by sharper ones (Shah and
Samworth, theorems 2 and 3). The smallest bound that the assumption allows is returned.
"""

from __future__ import annotations

from math import ceil, inf, log, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from . import _validate

if TYPE_CHECKING:
    from collections.abc import Callable

ASSUMPTIONS = ("none", "unimodal", "r-concave")
THRESHOLD, PFER = 0.75, 1.0  # what stands in where fewer than two of three are given
FLATTEST = 1e7  # the offset a from which (a + i)^(1/r) counts as constant


def candidates(
    X: Any, penalty: Any, sample_weight: Any, fit_intercept: bool, n_threads: int | None
) -> int:
    """p: how many features chance can select, by one reading of X. ValueError where there are none.

    Neither always in, without a penalty, nor always out.
    """
    n, p = X.shape
    s = np.ones(n) if sample_weight is None else sample_weight
    e = _validate.deviations(X, s, fit_intercept, n_threads)
    lower, upper = penalty.bounds(p, e)
    number = np.count_nonzero((lower < upper) & ~penalty.unpenalised(p, e))
    if number == 0:
        raise ValueError(
            "nothing to select: every feature is constant, has weight 0 or inf, or bounds 0 and 0"
        )
    return int(number)


def settled(
    threshold: Any, q: Any, pfer: Any, p: int, n_subsamples: int, assumption: str = "none"
) -> tuple[float, int]:
    """Threshold and q from any two of the three: the largest q or the least threshold.

    With fewer, threshold is 0.75 first and pfer 1 next.

    Raises
    ------
    ValueError
        All three are given, one is out of its range, or no choice keeps the bound.
    """
    if not (threshold is None or q is None or pfer is None):
        raise ValueError("threshold, q and pfer are all given: leave out the one to be found")
    if assumption not in ASSUMPTIONS:
        raise ValueError(f"assumption={assumption!r}: expected 'none', 'unimodal' or 'r-concave'")
    if threshold is not None or q is None or pfer is None:
        threshold = _validate.positive_number(
            "threshold", THRESHOLD if threshold is None else threshold
        )
        if not 0.5 < threshold <= 1.0:
            raise ValueError(f"threshold={threshold!r}: expected a number in (0.5, 1]")
    if q is not None and _validate.positive_integer("q", q) > p:
        raise ValueError(f"q={q}: expected at most {p}, the features that chance can select")
    rate = PFER if pfer is None else _validate.positive_number("pfer", pfer)
    if q is None:
        q = largest_q(threshold, rate, p, n_subsamples, assumption)
        if q == 0:
            least = pfer_bound(threshold, 1, p, n_subsamples, assumption)
            raise ValueError(
                f"pfer={rate:g} is less than {least:.3g}, the bound at threshold={threshold:g} "
                "even for q=1: raise either"
            )
    elif threshold is None:
        threshold = least_threshold(q, rate, p, n_subsamples, assumption)
        if threshold > 1.0:
            least = pfer_bound(1.0, q, p, n_subsamples, assumption)
            raise ValueError(
                f"pfer={rate:g} is less than {least:.3g}, the bound for q={q} even at threshold=1: "
                "raise pfer or lower q"
            )
    return float(threshold), int(q)


def pfer_bound(
    threshold: float, q: int, p: int, n_subsamples: int, assumption: str = "none"
) -> float:
    """Upper bound of E(V), at most p, for threshold in (1/2, 1] and 1 <= q <= p."""
    theta, pairs = q / p, n_subsamples // 2
    share = least_count(threshold, n_subsamples) / n_subsamples  # the shares that reach it
    bounds = [float(p), q * theta / (2.0 * share - 1.0)]
    if assumption != "none":
        bounds.append(q * theta * _unimodal(share, theta, pairs))
    if assumption == "r-concave":
        bounds.append(p * _r_concave(least_count(threshold, n_subsamples), theta, pairs))
    return min(bounds)


def least_count(threshold: float, n_subsamples: int) -> int:
    """In how many subsamples a feature is selected whose share reaches the threshold."""
    return ceil(threshold * n_subsamples * (1.0 - 1e-12))


def largest_q(
    threshold: float, pfer: float, p: int, n_subsamples: int, assumption: str = "none"
) -> int:
    """The most features that a subsample may select for a bound of at most ``pfer``; 0: none."""
    return _last(lambda q: pfer_bound(threshold, q, p, n_subsamples, assumption) <= pfer, p)


def least_threshold(
    q: int, pfer: float, p: int, n_subsamples: int, assumption: str = "none"
) -> float:
    """The least share of subsamples, above 1/2, whose bound is at most ``pfer``; inf: none."""
    least, most = n_subsamples // 2 + 1, n_subsamples

    def too_low(steps: int) -> bool:
        share = (least + steps - 1) / n_subsamples
        return pfer_bound(share, q, p, n_subsamples, assumption) > pfer

    count = least + _last(too_low, most - least + 1)
    return count / n_subsamples if count <= most else inf


def _last(holds: Callable[[int], bool], most: int) -> int:
    """The largest k in 1 .. most for which a condition holds that, once false, stays so; or 0."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _unimodal(share: float, theta: float, pairs: int) -> float:
    """C in E|kept and in L| <= C theta q, inf where theorem 2 says nothing."""
    half_step = 0.5 / pairs
    lowest = 0.5 + min(theta**2, half_step + 0.75 * theta**2)
    if theta > 1.0 / sqrt(3.0) or share <= lowest or share < 0.5 + 2.0 * half_step:
        return inf
    if share <= 0.75:
        return 0.5 / (2.0 * share - 1.0 - half_step)
    return 4.0 * (1.0 - share + half_step) / (1.0 + 2.0 * half_step)


def _r_concave(count: int, theta: float, pairs: int) -> float:
    """Largest chance that one feature of L is kept: by both halves, and by single ones."""
    return min(
        r_concave_tail(theta**2, count - pairs, pairs, -0.5),
        r_concave_tail(theta, count, 2 * pairs, -0.25),
    )


def r_concave_tail(mean: float, t: int, steps: int, r: float) -> float:
    """Largest P(X >= t / steps) of an r-concave X on 0, 1/steps, ..., 1 of at most this mean.

    r < 0: f^r is convex. The extreme distributions are f(i) = A (a + i)^(1/r) for i <= k and what
    is left at k + 1, at most what the formula has there. Their mean fixes A; a is between the
    offsets at which the formula alone, up to k or k + 1, has that mean. 1 where t is below twice
    the mean, which nothing smaller bounds.
    """
    i, centre, s = np.arange(steps + 1.0), mean * steps, 1.0 / r
    first = ceil(2.0 * centre) + 1
    if t < first:
        return 1.0

    def tail(log_a: float, k: int) -> float:
        g = (1.0 + i[: k + 1] / np.exp(log_a)) ** s
        scale = (k + 1.0 - centre) / ((k + 1.0 - i[: k + 1]) @ g)
        return float(1.0 - scale * g[:t].sum())

    best, upper = 0.0, _offset(t - 1, centre, s)
    for k in range(t - 1, steps):
        lower = _offset(k + 1, centre, s)
        if lower < upper:
            found = minimize_scalar(
                lambda log_a, k=k: -tail(log_a, k), bounds=(lower, upper), method="bounded",
                options={"xatol": 1e-9},
            )  # fmt: skip
            best = max(best, -float(found.fun))
        best, upper = max(best, tail(lower, k), tail(upper, k)), lower
    return min(best, 1.0)


def _offset(k: int, centre: float, s: float) -> float:
    """The log of a at which (a + i)^s on 0 .. k has the mean ``centre``; of FLATTEST if none."""
    i = np.arange(k + 1.0)

    def excess(log_a: float) -> float:
        g = (1.0 + i / np.exp(log_a)) ** s
        return float(i @ g / g.sum()) - centre

    low, high = -60.0, log(FLATTEST)
    if excess(high) <= 0.0:
        return high
    return float(brentq(excess, low, high, xtol=1e-12)) if excess(low) < 0.0 else low

r"""Criteria that choose an alpha of a path without folds.

With r the residuals of one fit, s the row weights, n = sum_i s_i, RSS = sum_i s_i r_i^2, df the
degrees of freedom of its features (:mod:`regsolve.leverage`), b = 1 with an intercept and else 0,
and v the variance of the noise,

    aic    n log(2 pi v) + RSS / v + 2 df
    bic    n log(2 pi v) + RSS / v + log(n) df
    ebic   bic + 2 gamma log C(p, k), k of the p penalised features being in the model
    cp     RSS / v - n + 2 (df + b)
    aicc   n log(2 pi RSS / n) + n (n + df + b) / (n - df - b - 2)
    gcv    (RSS / n) / (1 - (df + b) / n)^2
    alo    sum_i s_i e_i^2 / n,  e_i the error at row i with one observation of it left out

A weight is a number of equal rows: a row of weight 2 is two rows in all of these, and weights that
mean something else should be scaled to sum to the number of observations.

What has no sound value is infinite: ``aicc`` where n <= df + b + 2, ``gcv`` where n <= df + b, and
both ``gcv`` and ``alo`` at more than n / 2 degrees of freedom on a path that could leave fewer than
n / 10 over. There residuals vanish as fast as the degrees of freedom left, and what is left of the
quotient chooses the weakest penalty: with n = 100, p = 500 and nothing to find but noise of
variance one, gcv's choice was off by a mean square of 0.37 (0.67 at correlation 0.7), by 0.08
(0.07) under that limit.

The variance of the noise
-------------------------
Given; or, where X is given and the features leave at least n / 2 degrees of freedom, the unbiased
one of least squares; else RSS / (n - df - b) at the alpha of least ``aicc``, which needs no
variance. Reid, Tibshirani and Friedman (2016) choose that alpha by cross-validation. In 50 settings
of 20 draws (n of 60 and 100, p from 20 to 1000, correlations of 0 and 0.7, 0 to 20 features,
signals to 4 times the noise) the root mean square of log(estimate / truth) was, with n = 100 and
p = 20, 0.13 to 0.20 against 0.12 to 0.19 of least squares; with p = 80, 0.14 to 0.40 against 0.28
to 0.44; with p > n, 0.13 to 1.28 against 0.20 to 1.45 of 10-fold cross-validation, which was
behind in 18 of 20. It errs upwards where many features matter, so towards fewer of them.

References
----------
Akaike (1974), A new look at the statistical model identification. Schwarz (1978), Estimating the
dimension of a model. Mallows (1973), Some comments on C_p. Craven and Wahba (1978), Smoothing noisy
data with spline functions. Hurvich and Tsai (1989), Regression and time series model selection in
small samples. Chen and Chen (2008), Extended Bayesian information criteria for model selection with
large model spaces. Flynn, Hurvich and Simonoff (2013), Efficiency for regularization parameter
selection in penalized likelihood estimation of misspecified models (aicc of the lasso). Reid,
Tibshirani and Friedman (2016), A study of error variance estimation in lasso regression.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammaln

from . import _validate
from .leverage import Fits, examine, free_features, least_squares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .solution import Path, Problem

    Vector = NDArray[np.float64]

TITLES = {
    "aic": "Akaike's information criterion",
    "aicc": "corrected information criterion of Akaike",
    "bic": "Bayesian information criterion",
    "ebic": "extended Bayesian information criterion",
    "cp": "Mallows' Cp",
    "gcv": "generalised cross-validation",
    "alo": "approximate leave-one-out error",
}
CRITERIA = tuple(TITLES)
NEED_VARIANCE = ("aic", "bic", "ebic", "cp")
MOST_FEATURES = 5000  # whose X'X is formed for the variance of least squares
ROUNDING = 1e3 * float(np.finfo(np.float64).eps)  # of a residual, over the largest number in it
SAME_DATA = 1e-6  # of the null model's sum of squares, between the path's residuals and X's


@dataclass(frozen=True, eq=False)
class Selection:
    """The alpha of a path that a criterion chooses: the largest one of least value.

    Attributes
    ----------
    criterion : str
    alpha : float
        ``path.alphas[index]``; ``path.coefs[:, [index]]`` are its coefficients.
    index : int
    alphas, values : (m,)
        The criterion at every alpha, infinite where it has no sound value.
    df : (m,)
        Degrees of freedom of the features, the intercept's apart.
    noise_variance : float or None
        The variance used; None where the criterion needs none.
    """

    criterion: str
    alpha: float
    index: int
    alphas: Vector = field(repr=False)
    values: Vector = field(repr=False)
    df: Vector = field(repr=False)
    noise_variance: float | None

    def plot(self, ax: Any = None, **options: Any) -> Any:
        """Draw the criterion along the path; see :func:`regsolve.plots.criterion_curve`."""
        from .plots import criterion_curve

        options = {"ylabel": TITLES[self.criterion], **options}
        return criterion_curve(self.alphas, self.values, ax, **options)


def select(
    path: Path,
    criterion: str,
    X: Any = None,
    y: Any = None,
    *,
    sample_weight: Any = None,
    offset: Any = None,
    noise_variance: float | None = None,
    gamma: float = 1.0,
    n_threads: int | None = None,
) -> Selection:
    """Choose an alpha of ``path`` by a criterion; the formulas are those of this module.

    A path does not keep its data. Without X and y, those of a lasso are told from its deviance
    ratios and its non-zero coefficients, columns of X taken as independent; ``alo``, and whatever
    has an l2 penalty, need X and y.

    Parameters
    ----------
    path : Path
        With a penalty L1, L2 or ElasticNet.
    criterion : "aic", "aicc", "bic", "ebic", "cp", "gcv" or "alo"
    X, y, sample_weight, offset : optional
        Those that the path was fitted to.
    noise_variance : float, optional
        For aic, bic, ebic and cp; by default it is estimated.
    gamma : float
        Of ebic, in [0, 1]: 0 is bic, 1 is consistent for p as any power of n.
    n_threads : int, optional
        Default: the cores that the process may use.

    Returns
    -------
    Selection

    Raises
    ------
    ValueError
        An unknown criterion; X and y missing where they are needed, or not those of the path;
        weights that sum to one or less; a path without alphas, of a user's penalty or loss, or
        mixed with refits; fewer threads than one.
    """
    (found,) = select_among(
        [path],
        criterion,
        X,
        y,
        sample_weight=sample_weight,
        offset=offset,
        noise_variance=noise_variance,
        gamma=gamma,
        n_threads=n_threads,
    )
    return found


def select_among(
    paths: Sequence[Path],
    criterion: str,
    X: Any = None,
    y: Any = None,
    *,
    sample_weight: Any = None,
    offset: Any = None,
    noise_variance: float | None = None,
    gamma: float = 1.0,
    n_threads: int | None = None,
) -> list[Selection]:
    """:func:`select` on paths of one problem that differ in l1_ratio, with one noise variance.

    The fit of least ``aicc``, where it tells the variance, is that of all paths, so that their
    values may be compared.
    """
    check_parameters(criterion, gamma, noise_variance)
    problems = [_problem_of(path) for path in paths]
    if (X is None) != (y is None):
        raise ValueError("X and y belong together: give both or neither")
    counted = [_counted(path, problem) for path, problem in zip(paths, problems, strict=True)]
    each = list(zip(paths, problems, counted, strict=True))
    target, s, threads = None, None, _validate.threads(n_threads)
    if X is None:
        fits = [_without_data(path, problem, criterion, found) for path, problem, found in each]
    else:
        X = _validate.of_path(X, paths[0].coefs.shape[0])
        n_rows = X.shape[0]
        target = _validate.target(y, n_rows)
        if offset is not None:
            target = target - _validate.vector("offset", offset, n_rows)
        s = _validate.sample_weight(sample_weight, n_rows)
        fits, leave_out = [], criterion == "alo"
        for path, problem, _ in each:
            seen = examine(path, problem, X, target, s, leave_out=leave_out, n_threads=threads)
            fits.append(_completed(path, problem, seen, target))
    variance = None
    if criterion in NEED_VARIANCE:
        variance = noise_variance
        if variance is None:
            variance = _noise_variance(paths[0], problems[0], fits, X, target, s, threads)
    out = []
    for (path, problem, found), fit in zip(each, fits, strict=True):
        values = _values(criterion, problem, fit, found, variance, gamma)
        k, alphas = int(np.argmin(values)), path.alphas
        out.append(Selection(criterion, float(alphas[k]), k, alphas, values, fit.df, variance))
    return out


def check_parameters(criterion: Any, gamma: Any, noise_variance: Any) -> None:
    """Raise ValueError for a criterion, gamma or noise variance that there cannot be."""
    if criterion not in CRITERIA:
        known = ", ".join(map(repr, CRITERIA[:-1]))
        raise ValueError(f"criterion={criterion!r}: expected {known} or {CRITERIA[-1]!r}")
    if isinstance(gamma, bool) or not isinstance(gamma, Real) or not 0.0 <= float(gamma) <= 1.0:
        raise ValueError(f"gamma={gamma!r}: expected a number in [0, 1]")
    if noise_variance is not None:
        _validate.positive_number("noise_variance", noise_variance)


def _problem_of(path: Path) -> Problem:
    if path.problem is None:
        raise ValueError(
            "criteria are those of the quadratic loss with penalty L1, L2 or ElasticNet: "
            "this path, a user's own or mixed with refits, does not say that it minimises them"
        )
    if len(path.alphas) == 0:
        raise ValueError("the path has no alpha to choose from")
    if path.problem.n_samples <= 1.0 < path.problem.n_rows:
        raise ValueError(
            f"sample_weight sums to {path.problem.n_samples:g}: criteria take weights for numbers "
            "of equal rows; scale them to sum to the number of observations"
        )
    return path.problem


def _counted(path: Path, problem: Problem) -> tuple[Vector, Vector, Vector]:
    """Free non-zeros of each fit; its penalised non-zeros; and (p,) which features may enter."""
    p = path.coefs.shape[0]
    bounds, factors = problem.penalty.bounds(p), problem.penalty.factors(p)
    free = [free_features(path, k, bounds) for k in range(len(path.alphas))]
    member = path.coefs.multiply(factors[:, None] > 0.0)
    penalised = np.asarray((member != 0.0).sum(axis=0)).ravel()
    return (
        np.array([len(features) for features in free], dtype=np.float64),
        penalised.astype(np.float64),
        np.where(np.isfinite(factors), factors, np.nan),
    )


def _without_data(
    path: Path, problem: Problem, criterion: str, counted: tuple[Vector, Vector, Vector]
) -> Fits:
    if criterion == "alo":
        raise ValueError("criterion='alo' needs the rows: give X and y")
    if problem.penalty.l1_ratio != 1.0:
        raise ValueError(
            f"criterion={criterion!r} needs the degrees of freedom of an l2 penalty: give X and y"
        )
    return Fits(counted[0], _told_rss(path, problem), np.full(len(path.alphas), np.nan))


def _told_rss(path: Path, problem: Problem) -> Vector:
    """Residual sums of squares as the path's deviance ratios tell them."""
    whole = 2.0 * problem.n_samples * path.null_objective
    return np.asarray(whole * np.maximum(1.0 - path.deviance_ratio, 0.0))


def _completed(path: Path, problem: Problem, fits: Fits, y: Vector) -> Fits:
    """Residual sums of squares from the path, where those known from X do not contradict them.

    Raises ValueError where X, y, weights and offset leave residuals that the path did not have.
    """
    told = _told_rss(path, problem)
    largest = max(np.abs(y).max(), np.abs(path.intercepts).max())
    rounding = problem.n_samples * (ROUNDING * largest) ** 2
    size = 2.0 * problem.n_samples * path.null_objective
    proven = np.array([status in ("optimal", "stationary") for status in path.statuses])
    known = np.isfinite(fits.rss) & proven  # elsewhere rounding may have won
    if np.any(np.abs(fits.rss - told)[known] > SAME_DATA * size + rounding):
        raise ValueError(
            "X, y, sample_weight and offset are not those of the path: its residuals differ"
        )
    return fits._replace(rss=told)


def _noise_variance(
    path: Path,
    problem: Problem,
    fits: Sequence[Fits],
    X: Any,
    y: Any,
    s: Any,
    n_threads: int,
) -> float:
    """Least squares where it leaves half of the degrees of freedom, else the fit of least aicc."""
    n, b = problem.n_samples, int(problem.fit_intercept)
    factors = problem.penalty.factors(path.coefs.shape[0])
    features = np.flatnonzero(np.isfinite(factors))
    if X is not None and len(features) <= min(n / 2.0 - b, MOST_FEATURES):
        rss, rank = least_squares(
            X, y, s, features, fit_intercept=problem.fit_intercept, n_threads=n_threads
        )
        over = n - rank - b
    else:
        df = np.concatenate([fit.df for fit in fits])
        squares = np.concatenate([fit.rss for fit in fits])
        k = int(np.argmin(_aicc(n, df + b, squares)))
        rss, over = squares[k], max(n - df[k] - b, 1.0)
    rounding = float(np.finfo(np.float64).eps) ** 2 * 2.0 * problem.n_samples * path.null_objective
    return float(max(rss / over, rounding / n, np.finfo(np.float64).tiny))


def _aicc(n: float, df: Vector, rss: Vector) -> Vector:
    """Df with the intercept's."""
    over = n - df - 2.0
    sound = over > 0.0
    least = np.finfo(np.float64).tiny
    logs = n * np.log(2.0 * np.pi * np.maximum(rss / n, least))
    return np.where(sound, logs + n * (n + df) / np.where(sound, over, 1.0), np.inf)


def _values(
    criterion: str,
    problem: Problem,
    fits: Fits,
    counted: tuple[Vector, Vector, Vector],
    variance: float | None,
    gamma: float,
) -> Vector:
    n, rss, df = problem.n_samples, fits.rss, fits.df
    whole = df + int(problem.fit_intercept)
    if criterion == "aicc":
        return _aicc(n, whole, rss)
    if criterion in ("gcv", "alo"):
        left = 1.0 - whole / n
        values = fits.left_out
        if criterion == "gcv":
            sound = left > np.finfo(np.float64).eps * n
            values = np.where(sound, rss / n / np.where(sound, left, 1.0) ** 2, np.inf)
        may_enter = np.count_nonzero(np.isfinite(counted[2])) + int(problem.fit_intercept)
        crowded = n - may_enter < 0.1 * n
        return np.where(crowded & (whole > 0.5 * n), np.inf, values)
    assert variance is not None
    fit = rss / variance
    if criterion == "cp":
        return np.asarray(fit - n + 2.0 * whole)
    each = 2.0 if criterion == "aic" else float(np.log(n))
    values = n * np.log(2.0 * np.pi * variance) + fit + each * df
    if criterion == "ebic":
        p, k = float(np.count_nonzero(counted[2] > 0.0)), counted[1]
        values = values + 2.0 * gamma * (gammaln(p + 1) - gammaln(k + 1) - gammaln(p - k + 1))
    return np.asarray(values)

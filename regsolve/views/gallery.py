"""Every picture of the theory on one data set, as files: ``python -m regsolve gallery --out DIR``.

Features are standardised, so that coefficients are in units of y per standard deviation. The
paths show all data; the other pictures need dense rows and use at most ``MOST_FEATURES`` features,
those that enter the lasso's path first, and ``MOST_ROWS`` rows drawn at random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy.optimize import brentq

from .. import _validate
from ..penalties import L1, L2, ElasticNet
from ..plots import coefficient_path
from ..plots.drawing import in_math, literal, new_axes, short_name
from ..solve import path as solve_path
from ..solve import solve
from .hessian import shrinkage
from .norms import lq_norm
from .pictures import filter_curves, posterior_intervals, shrinkage_factors
from .planes import descent_paths, touching_ball
from .shapes import names_of, norm_balls, prior_densities, threshold_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from ..solution import Path

    Vector = NDArray[np.float64]

MOST_FEATURES = 200
MOST_ROWS = 20_000


@dataclass(frozen=True, eq=False)
class Subject:
    """What is drawn: the path of all data, and dense standardised features in order of entry."""

    name: str
    path: Path
    all_names: list[str]
    X: Vector
    y: Vector
    feature_names: list[str]
    alpha: float
    lasso: Vector
    ols: Vector


def gallery(
    X: Any,
    y: ArrayLike,
    folder: str | FilePath,
    *,
    name: str = "data",
    feature_names: Sequence[str] | None = None,
    dpi: int = 80,
) -> Iterator[FilePath]:
    """Draw every picture as folder/name-PICTURE.png, and yield each file once it is written.

    Parameters
    ----------
    X : (n, p) array or sparse matrix
    y : (n,)
    folder : where the files go; it must exist
    name : str, the first part of their names and titles
    feature_names : p names, optional
    dpi : int, dots an inch

    Raises
    ------
    ValueError
        Bad data, or a y that no feature explains: there would be nothing to draw.
    OSError
        A file that cannot be written.
    """
    subject = subject_of(X, y, name=name, feature_names=feature_names)
    for title, draw in PICTURES.items():
        ax = draw(subject)
        if ax is None:
            continue
        figure = cast("Figure", ax.figure)
        heading = literal(f"{name}: {title}")
        figure.suptitle(heading, x=0.01, ha="left", fontsize=11, fontweight="bold")
        file = FilePath(folder) / f"{name}-{title.replace(' ', '-')}.png"
        figure.savefig(file, dpi=dpi)
        yield file


def subject_of(
    X: Any, y: ArrayLike, *, name: str, feature_names: Sequence[str] | None = None
) -> Subject:
    """Fit the path, and choose, densify and standardise what the other pictures show."""
    from ..estimators import LassoCV

    path = solve_path(X, y, standardize=True)
    n, p = np.shape(X)
    names = names_of(feature_names, p)
    entered = path.coefs.tocsr()
    active = np.flatnonzero(np.diff(entered.indptr))
    if len(active) == 0:
        raise ValueError(f"{name}: no feature explains y, so there is nothing to draw")
    first = np.minimum.reduceat(entered.indices, entered.indptr[active])
    kept = active[np.argsort(first, kind="stable")][:MOST_FEATURES]
    rows = np.arange(n)
    if n > MOST_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(n, MOST_ROWS, replace=False))
    dense = _validate.dense_rows(_validate.columns_of(X, kept)(rows))
    spread = dense.std(axis=0)
    varied = spread > 1e-12 * np.abs(dense).max(axis=0)
    dense, kept = dense[:, varied], kept[varied]
    dense = (dense - dense.mean(axis=0)) / spread[varied]
    target = np.asarray(y, dtype=np.float64)[rows]
    model = LassoCV(alphas=50).fit(dense, target)
    return Subject(
        name=name,
        path=path,
        all_names=names,
        X=dense,
        y=target,
        feature_names=[names[j] for j in kept.tolist()],
        alpha=float(model.alpha_),
        lasso=np.asarray(model.coef_),
        ols=shrinkage(dense, 0.0, target).coef_ols,
    )


def _balls(subject: Subject) -> Axes:
    X, names = _telling_plane(subject)
    if X is None:
        return norm_balls()
    coef = shrinkage(X, 0.0, subject.y).coef_ols
    first, second = (
        f"$w_{k + 1}$: coefficient of {short_name(name)}" for k, name in enumerate(names)
    )
    return norm_balls(through=coef if coef.any() else None, names=(first, second))


def _path_picture(x: Any) -> Callable[[Subject], Axes]:
    def draw(subject: Subject) -> Axes:
        return coefficient_path(subject.path, x=x, feature_names=subject.all_names)

    return draw


def _touching(subject: Subject) -> Axes | None:
    """Lasso and ridge on two features alone, with balls of one radius in each norm."""
    X, names = _telling_plane(subject)
    if X is None:
        return None
    path = solve_path(X, subject.y, penalty=L1())
    second = np.flatnonzero(path.df == 2)
    alpha = 0.5 * (path.alpha_max + path.alphas[second[0]]) if len(second) else path.alphas[-1]
    radius = lq_norm(solve(X, subject.y, penalty=L1(alpha)).coef, 1.0)
    view = shrinkage(X, 0.0, subject.y)

    def excess(log_alpha: float) -> float:
        norm: float = lq_norm(view.at(float(np.exp(log_alpha))).coef_ridge, 2.0)
        return float(norm - radius)

    top = float(np.log(view.eigenvalues[0]))
    low, high = top - 30.0, top + 30.0
    ridge = float(np.exp(brentq(excess, low, high))) if excess(low) > 0.0 else 0.0
    axes = _panels(2)
    touching_ball(X, subject.y, float(alpha), axes[0], feature_names=names)
    touching_ball(X, subject.y, ridge, axes[1], norm="l2", feature_names=names)
    return axes[0]


def _shrinkage(subject: Subject) -> Axes:
    largest = float(shrinkage(subject.X, 0.0).eigenvalues[0])
    return shrinkage_factors(subject.X, [largest * share for share in (1e-3, 1e-2, 1e-1, 1.0)])


def _thresholds(subject: Subject) -> Axes:
    largest = float(np.abs(subject.ols).max())
    return threshold_curves(largest / 5.0 if largest > 0.0 else 1.0, coefs=subject.ols)


def _descent(subject: Subject) -> Axes | None:
    X, names = _telling_plane(subject)
    if X is None:
        return None
    alpha = 0.4 * float(shrinkage(X, 0.0).eigenvalues[0])
    return descent_paths(X, subject.y, alpha, feature_names=names)


def _priors(subject: Subject) -> Axes:
    """Priors whose standard deviation is the root mean square of the lasso's coefficients.

    With noise s2 and n rows: alpha = s2 / (n v) for the Gaussian of variance v, and
    sqrt(2 / v) s2 / n for the Laplace one. The product has half of each.
    """
    residual = subject.y - subject.y.mean() - subject.X @ subject.lasso
    free = max(len(residual) - int(np.count_nonzero(subject.lasso)), 1)
    noise = max(float(residual @ residual) / free, 1e-12 * float(np.var(subject.y)))
    spread = float(np.mean(subject.lasso**2)) or float(np.var(subject.y))
    gaussian = noise / (len(residual) * spread)
    laplace = float(np.sqrt(2.0 / spread)) * noise / len(residual)
    product = ElasticNet(0.5 * (gaussian + laplace), laplace / (gaussian + laplace))
    return prior_densities(
        (L2(gaussian), L1(laplace), product),
        n_samples=len(residual),
        noise_variance=noise,
        coefs=subject.lasso,
    )


def _posterior(subject: Subject) -> Axes:
    from ..estimators import BayesianRidge

    model = BayesianRidge().fit(subject.X, subject.y)
    half = 1.96 * np.sqrt(np.diag(model.sigma_))
    halfway = solve(subject.X, subject.y, penalty=L1(10.0 * subject.alpha)).coef
    return posterior_intervals(
        model.coef_ - half,
        model.coef_ + half,
        mean=model.coef_,
        coefs={
            f"lasso, $\\alpha = {in_math(subject.alpha, 2)}$ (cross-validated)": subject.lasso,
            f"lasso, $\\alpha = {in_math(10.0 * subject.alpha, 2)}$": halfway,
        },
        feature_names=subject.feature_names,
        interval="95 % interval, Bayesian ridge",
    )


def _telling_plane(subject: Subject) -> tuple[Vector | None, list[str]]:
    """Two features, correlated but not twins, of which the lasso takes one long before the other.

    With one feature's correlation a with y, the other's b <= a in modulus (signs turned so that
    a, b >= 0) and r between them, the second enters once the first coefficient is the smaller of
    (a - b) / (1 - r) and (a + b) / (1 + r): as a share of a, that is how long the corner lasts.
    """
    n, p = subject.X.shape
    if p < 2:
        return None, []
    c = subject.X.T @ (subject.y - subject.y.mean()) / n
    r = np.clip(subject.X.T @ subject.X / n, -1.0, 1.0) * np.outer(np.sign(c), np.sign(c))
    a, b = np.abs(c)[:, None], np.abs(c)[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.minimum((a - b) / (1.0 - r), (a + b) / (1.0 + r)) / a
    score = a**2 * (0.05 + np.abs(r)) * np.clip(length, 0.0, 1.0)
    score = np.where((np.abs(r) < 0.75) & (b < a), score, -1.0)
    pair = [int(j) for j in np.unravel_index(int(score.argmax()), score.shape)]
    pair = pair if pair[0] != pair[1] else [0, 1]
    return subject.X[:, pair], [subject.feature_names[j] for j in pair]


def _panels(count: int) -> list[Axes]:
    figure = cast("Figure", new_axes().figure)
    figure.clear()
    figure.set_size_inches(4.6 * count, 5.1)
    return list(figure.subplots(1, count))


PICTURES: dict[str, Callable[[Subject], Axes | None]] = {
    "norm balls": _balls,
    "touching ball": _touching,
    "path against alpha": _path_picture("alpha"),
    "path against radius": _path_picture("norm"),
    "path against deviance": _path_picture("deviance"),
    "shrinkage": _shrinkage,
    "thresholds": _thresholds,
    "early stopping": lambda subject: filter_curves(subject.X, subject.y),
    "weight decay": _descent,
    "priors": _priors,
    "posterior": _posterior,
}

"""Features along a path: their coefficients, or how often subsamples select them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.sparse import csr_array

from .drawing import TITLES, count_axis, drawable, new_axes, set_axes
from .lines import draw_lines, label_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    from ..ridge import RidgePath
    from ..solution import Path


def coefficient_path(
    path: Path,
    ax: Axes | None = None,
    *,
    x: Literal["alpha", "norm", "deviance"] = "alpha",
    feature_names: Sequence[str] | None = None,
    n_labels: int = 10,
    linewidth: float = 1.6,
    mark: float | None = None,
) -> Axes:
    """Draw every coefficient that is ever non-zero along the path.

    The labelled features, those whose coefficients are largest in modulus at the last alpha, are
    drawn in colour with their names at the right edge; all others are thin and grey. Each
    line's style tells it apart without colour. The upper axis counts the non-zeros.

    Parameters
    ----------
    path : Path
        Result of :func:`regsolve.path`, with coefs (p, m).
    ax : matplotlib Axes, optional
        Where to draw; by default the axes of a new figure of its own, which no window shows.
        Save it by ``ax.figure.savefig``.
    x : {"alpha", "norm", "deviance"}
        Horizontal axis: alpha on a log scale, falling to the right (an alpha of 0 is left out);
        the l1 norm of the coefficients; or the fraction of deviance explained.
    feature_names : sequence of p str, optional
        Names for the labels, ``x0``, ``x1``, ... by default.
    n_labels : int
        Most features to name.
    linewidth : float
        Width of the labelled lines, in points.
    mark : float, optional
        An alpha to mark by an upright line at the nearest one drawn, such as the one chosen by
        cross-validation.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        An unknown ``x``, a wrong number of names, or a path without any alpha to draw.
    """
    names = _names(feature_names, path.coefs.shape[0])
    abscissa, shown = _abscissa(path, x)
    features, lines = _active_lines(path, shown)
    named = _largest(lines, n_labels)
    if ax is None:
        ax = new_axes()
    draw_lines(ax, abscissa, lines, named, linewidth)
    set_axes(ax, abscissa, x)
    count_axis(ax, abscissa, path.df[shown])
    label_lines(ax, abscissa[-1], lines[named, -1], [names[j] for j in features[named].tolist()])
    _mark(ax, abscissa, path.alphas[shown], mark)
    return ax


def ridge_trace(
    path: RidgePath,
    ax: Axes | None = None,
    *,
    target: int = 0,
    feature_names: Sequence[str] | None = None,
    n_labels: int = 10,
    linewidth: float = 1.6,
    mark: float | None = None,
) -> Axes:
    """Draw every coefficient of a ridge path against alpha (Hoerl and Kennard, 1970).

    Colours, names and ``mark`` are those of :func:`coefficient_path`. The upper axis tells the
    effective degrees of freedom of a path made with ``criteria=True``.

    Parameters
    ----------
    path : RidgePath
        Result of :func:`regsolve.ridge_path`. An alpha of 0 is left out.
    ax : matplotlib Axes, optional
        By default that of a new figure, which no window shows.
    target : int
        Which of several targets.
    feature_names : sequence of p str, optional
        By default the path's, or ``x0``, ``x1``, ...
    n_labels : int
        Most features to name.
    linewidth : float
        Width of the labelled lines, in points.
    mark : float, optional
        An alpha to mark by an upright line at the nearest one drawn.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        No such target, a wrong number of names, or a path without any alpha above 0.
    """
    several = path.coefs[None] if path.coefs.ndim == 2 else path.coefs
    if not 0 <= target < len(several):
        raise ValueError(f"target={target}: the path has {len(several)}")
    shown = drawable(path.alphas)
    alphas, lines = path.alphas[shown], several[target][:, shown]
    names = _names(path.feature_names if feature_names is None else feature_names, len(lines))
    named = _largest(lines, n_labels)
    ax = new_axes() if ax is None else ax
    draw_lines(ax, alphas, lines, named, linewidth)
    set_axes(ax, alphas, "alpha")
    if path.df is not None:
        count_axis(ax, alphas, path.df[shown], "effective degrees of freedom", ".3g")
    label_lines(ax, alphas[-1], lines[named, -1], [names[j] for j in named.tolist()])
    _mark(ax, alphas, alphas, mark)
    return ax


def stability_path(
    alphas: ArrayLike,
    probabilities: Any,
    threshold: float,
    ax: Axes | None = None,
    *,
    feature_names: Sequence[str] | None = None,
    n_labels: int = 20,
    linewidth: float = 1.6,
) -> Axes:
    """Draw the share of subsamples that select each feature against alpha.

    Features whose share reaches the threshold at any alpha are drawn in colour with their names at
    the right edge, each in a style of its own; all others that are ever selected are thin and grey.

    Parameters
    ----------
    alphas : (m,) descending, above 0
    probabilities : array or SciPy sparse matrix, (p, m)
        ``sparse_stability_path_`` of a StabilitySelection.
    threshold : float
        Drawn as a dashed level line.
    ax : matplotlib Axes, optional
        By default that of a new figure, which no window shows.
    feature_names : sequence of p str, optional
        Names for the labels, ``x0``, ``x1``, ... by default.
    n_labels : int
        Most features to draw in colour and name, those with the largest shares.
    linewidth : float
        Width of the coloured lines, in points.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ValueError
        ``probabilities`` does not have a column for each alpha, a wrong number of names, or an
        alpha that is not above 0.
    """
    places, shares = np.asarray(alphas, dtype=float), csr_array(probabilities)
    if shares.ndim != 2 or places.shape != shares.shape[1:] or len(places) == 0:
        raise ValueError(
            f"probabilities has shape {shares.shape}: expected a column for each of "
            f"{len(places)} alphas"
        )
    if not places.min() > 0.0:
        raise ValueError("alphas must be above 0")
    names = _names(feature_names, shares.shape[0])
    features = np.flatnonzero(np.diff(shares.indptr))
    lines = np.asarray(shares[features].toarray(), dtype=np.float64)
    top = lines.max(axis=1, initial=0.0)
    order = np.argsort(-top, kind="stable")
    stable = order[top[order] >= threshold - 1e-12]
    named = stable[: max(n_labels, 0)]
    ax = new_axes() if ax is None else ax
    draw_lines(ax, places, lines, named, linewidth)
    set_axes(ax, places, "alpha")
    ax.axhline(threshold, color="black", linewidth=1.2, linestyle=(0, (5.0, 1.6)), zorder=2.5)
    ax.annotate(
        f"threshold {threshold:g}: {len(stable)} stable", xy=(0.01, threshold),
        xycoords=("axes fraction", "data"), xytext=(0.0, 3.0), textcoords="offset points",
        fontsize=8.5, va="bottom",
        bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0.0, "pad": 1.0}, zorder=4,
    )  # fmt: skip
    ax.set_ylim(0.0, 1.02)
    ax.set_ylabel("share of subsamples that select the feature")
    label_lines(ax, places[-1], lines[named, -1], [names[j] for j in features[named].tolist()])
    return ax


class _Numbered:
    """Names x0, x1, ... of features that have none."""

    def __getitem__(self, j: int) -> str:
        return f"x{j}"


def _names(given: Sequence[str] | None, p: int) -> Any:
    if given is None:
        return _Numbered()
    if len(given) != p:
        raise ValueError(f"feature_names has {len(given)} names for {p} features")
    return [str(name) for name in given]


def _largest(lines: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """The lines that end farthest from zero, at most so many."""
    order = np.argsort(-np.abs(lines[:, -1]), kind="stable")[: max(most, 0)]
    ends: NDArray[np.intp] = order[lines[order, -1] != 0.0]
    return ends


def _mark(
    ax: Axes, abscissa: NDArray[np.float64], alphas: NDArray[np.float64], mark: float | None
) -> None:
    if mark is None:
        return
    at = abscissa[int(np.abs(alphas - mark).argmin())]
    line = ax.axvline(at, color="black", linewidth=1.2, linestyle=(0, (5.0, 1.6)))
    line.set(zorder=4, clip_on=False)


def _abscissa(path: Path, x: str) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Horizontal position of each alpha drawn, and which alphas those are."""
    if x not in TITLES:
        raise ValueError(f"x must be one of {', '.join(TITLES)}, got {x!r}")
    shown = np.flatnonzero((path.alphas > 0.0) | (x != "alpha"))
    if len(shown) == 0:
        raise ValueError("the path has no alpha to draw")
    if x == "alpha":
        values = path.alphas
    elif x == "norm":
        values = np.asarray(abs(path.coefs).sum(axis=0), dtype=np.float64).ravel()
    else:
        values = path.deviance_ratio
    return values[shown], shown


def _active_lines(
    path: Path, shown: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Features non-zero anywhere, and their coefficients (k, m): all else would draw over 0."""
    coefs = path.coefs[:, shown].tocsr()
    coefs.eliminate_zeros()
    features = np.flatnonzero(np.diff(coefs.indptr))
    return features, np.asarray(coefs[features].toarray(), dtype=np.float64)

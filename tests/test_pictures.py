"""The theory's pictures: what is drawn is what the library computes, and is told without colour."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import sparse
from scipy.integrate import quad
from sklearn.datasets import load_diabetes

import regsolve
from regsolve.penalties import L1, L2, ElasticNet
from regsolve.views import gallery as gallery_module
from regsolve.views.gallery import PICTURES, gallery, subject_of
from regsolve.views.norms import lq_norm
from regsolve.views.pictures import filter_curves, posterior_intervals, shrinkage_factors
from regsolve.views.planes import descent_paths, touching_ball
from regsolve.views.shapes import norm_balls, prior_densities, prior_density, threshold_curves
from regsolve.views.thresholds import firm_threshold, hard_threshold, scad_threshold


@pytest.fixture
def Xy() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(50, 5)) @ (np.eye(5) + 0.3) + [5.0, 0.0, -3.0, 0.0, 1.0]
    return X, X @ [2.0, -1.0, 0.0, 0.5, 0.0] + rng.normal(size=50) + 20.0


def curve(ax: Any, start: str) -> Any:
    (line,) = (one for one in ax.get_lines() if str(one.get_label()).startswith(start))
    return line


def mcp(w: NDArray[np.float64], t: float, gamma: float) -> NDArray[np.float64]:
    size = np.abs(w)
    return np.where(size < gamma * t, t * size - size**2 / (2 * gamma), 0.5 * gamma * t**2)


def scad(w: NDArray[np.float64], t: float, gamma: float) -> NDArray[np.float64]:
    size = np.abs(w)
    middle = (2 * gamma * t * size - size**2 - t**2) / (2 * (gamma - 1))
    flat = np.full_like(size, 0.5 * (gamma + 1) * t**2)
    return np.where(size <= t, t * size, np.where(size <= gamma * t, middle, flat))


@pytest.mark.parametrize("t", [0.0, 0.4, 1.0])
def test_thresholds_minimise_what_they_say(t: float) -> None:
    """Against a fine grid: no w is better, and so only ties could differ."""
    grid = np.linspace(-6.0, 6.0, 24_001)
    rules = [
        (hard_threshold, lambda w: 0.5 * t**2 * (w != 0.0), ()),
        (firm_threshold, lambda w: mcp(w, t, 3.0), ()),
        (firm_threshold, lambda w: mcp(w, t, 1.2), (1.2,)),
        (scad_threshold, lambda w: scad(w, t, 3.7), ()),
        (scad_threshold, lambda w: scad(w, t, 2.1), (2.1,)),
    ]
    for z in np.random.default_rng(0).uniform(-5.0, 5.0, 60):
        for rule, penalty, options in rules:
            w = rule(np.array([z]), t, *options)
            reached = 0.5 * (w - z) ** 2 + penalty(w)
            assert reached[0] <= (0.5 * (grid - z) ** 2 + penalty(grid)).min() + 1e-12


def test_thresholds_refuse_what_has_no_meaning() -> None:
    for rule in (hard_threshold, firm_threshold, scad_threshold):
        for t in (-1.0, np.nan, np.inf):
            with pytest.raises(ValueError, match="expected a finite number >= 0"):
                rule([1.0], t)
    with pytest.raises(ValueError, match="expected a number > 1"):
        firm_threshold([1.0], 1.0, 1.0)
    with pytest.raises(ValueError, match="expected a number > 2"):
        scad_threshold([1.0], 1.0, 2.0)


def test_threshold_curves_are_the_thresholds() -> None:
    ax = threshold_curves(0.7, coefs=[1.0, -3.0, 9.0], ridge_alpha=2.0)
    rules = {
        "ridge": lambda z: z / 3.0,
        "soft": lambda z: L1(0.7).prox(z, 1.0),
        "hard": lambda z: hard_threshold(z, 0.7),
        "firm": lambda z: firm_threshold(z, 0.7),
        "SCAD": lambda z: scad_threshold(z, 0.7),
    }
    for name, rule in rules.items():
        line = curve(ax, name)
        np.testing.assert_allclose(line.get_ydata(), rule(line.get_xdata()))
    assert ax.get_xlim()[1] >= 9.0
    np.testing.assert_array_equal(ax.get_lines()[-1].get_xdata(), [1.0, -3.0, 9.0])


def test_norm_balls_have_norm_one_or_pass_through_the_point() -> None:
    for through, point in ((None, None), ([3.0, -1.0], [3.0, -1.0])):
        ax = norm_balls((0.5, 1.0, 3.0, math.inf), through=through)
        for q, name in (
            (0.5, "$q = 0.5"),
            (1.0, "$q = 1$"),
            (3.0, "$q = 3$"),
            (math.inf, r"$q = \i"),
        ):
            line = curve(ax, name)
            radius = 1.0 if point is None else lq_norm(point, q)
            np.testing.assert_allclose(lq_norm(line.get_xydata(), q, axis=1), radius)
        assert "not convex" in curve(ax, "$q = 0.5").get_label()
    for bad in ([0.0, 0.0], [1.0], [1.0, np.nan]):
        with pytest.raises(ValueError, match="two numbers that are not both 0"):
            norm_balls(through=bad)


@pytest.mark.parametrize("rate", [1.0, 1e-4, 1e4])
@pytest.mark.parametrize("penalty", [L1(0.7), L2(2.0), ElasticNet(1.5, 0.3), ElasticNet(1.0, 0.99)])
def test_priors_are_densities_of_their_penalties(penalty: Any, rate: float) -> None:
    a, b = rate * penalty.alpha * penalty.l1_ratio, rate * penalty.alpha * (1 - penalty.l1_ratio)
    width = 40.0 * min(1.0 / a if a else np.inf, b**-0.5 if b else np.inf)
    density = lambda w: float(prior_density(np.array([w]), penalty, rate)[0])  # noqa: E731
    mass, _ = quad(density, 0.0, width, epsabs=0.0, epsrel=1e-10, limit=200)
    assert 2.0 * mass == pytest.approx(1.0, rel=1e-8)
    w = width / 37.0
    slope = math.log(density(w)) - math.log(density(0.0))
    assert slope == pytest.approx(-rate * penalty.value(np.array([w])), rel=1e-9)


def test_prior_densities_are_drawn_for_each_penalty() -> None:
    penalties = (L2(2.0), L1(0.5), ElasticNet(1.0, 0.3))
    ax = prior_densities(penalties, n_samples=20, noise_variance=4.0, coefs=[0.1, 7.0])
    for name, penalty in zip(("Gaussian", "Laplace", "their product"), penalties, strict=True):
        line = curve(ax, name)
        np.testing.assert_allclose(line.get_ydata(), prior_density(line.get_xdata(), penalty, 5.0))
    assert ax.get_xlim()[1] >= 7.0
    for options in ({"noise_variance": 0.0}, {"n_samples": 0}, {"penalties": (L1(0.0),)}):
        with pytest.raises(ValueError, match="expected"):
            prior_densities(**options)


@pytest.mark.parametrize("kind", ["dense", "sparse", "list"])
@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("p", [2, 5])
def test_the_contour_touches_the_ball_at_the_solution(
    p: int, norm: Any, kind: str, Xy: Any
) -> None:
    """The drawn solution has the ball's radius, and no point of the ball has a lower loss."""
    X, y = Xy[0][:, :p], Xy[1]
    given = {"dense": X, "sparse": sparse.csr_array(X), "list": X.tolist()}[kind]
    penalty = L1(0.9) if norm == "l1" else L2(0.9)
    fit = regsolve.solve(X, y, penalty=penalty)
    for features in (None, (1, 0)):
        ax = touching_ball(given, y, 0.9, norm=norm, features=features)
        (w,) = curve(ax, "lasso" if norm == "l1" else "ridge").get_xydata()
        pair = [
            int(label.split(" of x")[1].split()[0]) for label in (ax.get_xlabel(), ax.get_ylabel())
        ]
        np.testing.assert_allclose(w, fit.coef[pair], atol=1e-9)
        corners = ax.patches[0].get_path().vertices
        q = 1.0 if norm == "l1" else 2.0
        np.testing.assert_allclose(lq_norm(corners[:-1], q, axis=1), lq_norm(w, q), rtol=1e-9)
        others = np.setdiff1d(np.arange(p), pair)
        residual = y - X[:, others] @ fit.coef[others]

        def losses(points: Any, pair: Any = pair, residual: Any = residual) -> Any:
            left = residual[:, None] - X[:, pair] @ np.transpose(points)
            return 0.5 * np.mean((left - left.mean(axis=0)) ** 2, axis=0)

        assert losses(corners).min() >= losses(w[None])[0] * (1.0 - 1e-9)
        (best,) = curve(ax, "least squares").get_xydata()
        assert losses(best[None] + 0.01 * np.eye(2)).min() > losses(best[None])[0]
    if norm == "l1" and p == 5:
        assert fit.coef[pair].any()


def test_default_pair_is_the_largest_and_the_next() -> None:
    X, y = load_diabetes(return_X_y=True)
    fit = regsolve.solve(X, y, penalty=L1(0.5))
    ax = touching_ball(X, y, 0.5, feature_names=load_diabetes().feature_names)
    assert "coefficient of bmi" in ax.get_xlabel()
    name = ax.get_ylabel().split(" of ")[1].split()[0]
    assert fit.coef[load_diabetes().feature_names.index(name)] == 0.0


def test_shrinkage_factors_stand_at_the_eigenvalues(Xy: Any) -> None:
    X, _ = Xy
    centred = X - X.mean(axis=0)
    values = np.linalg.eigvalsh(centred.T @ centred / len(X))[::-1]
    ax = shrinkage_factors(X, [0.1, 5.0])
    marked = [line for line in ax.get_lines() if line.get_linestyle() == "None"]
    for alpha, line in zip((0.1, 5.0), marked, strict=True):
        np.testing.assert_allclose(line.get_xdata(), values)
        np.testing.assert_allclose(line.get_ydata(), values / (values + alpha))
        degrees = np.sum(values / (values + alpha)) + 1.0
        assert (
            f"{alpha:.3g}$: {degrees:.1f}"
            in [t.get_text() for t in ax.get_legend().texts][(0.1, 5.0).index(alpha)]
        )
    with pytest.raises(ValueError, match="alphas"):
        shrinkage_factors(X, [0.0])
    with pytest.raises(ValueError, match="constant"):
        shrinkage_factors(np.ones((4, 2)), [1.0])


def test_filter_curves_are_those_of_early_stopping(Xy: Any) -> None:
    ax = filter_curves(*Xy, (2, 40))
    marked = [line for line in ax.get_lines() if line.get_linestyle() == "None"]
    for t, line in zip((2, 40), marked, strict=True):
        values = line.get_xdata()
        np.testing.assert_allclose(line.get_ydata(), 1.0 - (1.0 - values / values[0]) ** t)
    with pytest.raises(ValueError, match="n_steps is empty"):
        filter_curves(*Xy, ())


@pytest.mark.parametrize("momentum", [0.5, 0.8])
def test_descent_paths_end_at_certified_solutions(momentum: float, Xy: Any) -> None:
    X, y = Xy
    pair = X[:, [3, 1]]
    ax = descent_paths(X, y, 0.8, features=(3, 1), momentum=momentum, n_steps=3000)
    ends = curve(ax, "where each ends").get_xydata()
    penalties = [L2(0.8), L2(0.8 * (1.0 - momentum)), L2(0.8), L1(0.8)]
    for end, penalty in zip(ends, penalties, strict=True):
        fit = regsolve.solve(pair, y, penalty=penalty)
        np.testing.assert_allclose(end, fit.coef, rtol=1e-7, atol=1e-9)
    ridges = curve(ax, "all ridge").get_xydata()
    assert np.abs(ridges - ends[0]).sum(axis=1).min() < 0.02 * np.abs(ends[0]).sum()


def test_posterior_intervals_show_what_reaches_farthest() -> None:
    low, high = np.array([-1.0, 2.0, -9.0, 0.0]), np.array([1.0, 3.0, -8.0, 0.1])
    ax = posterior_intervals(
        low, high, mean=0.5 * (low + high), coefs={"lasso": np.arange(4.0)},
        feature_names=list("abcd"), n_features=2,
    )  # fmt: skip
    (bars,) = ax.collections
    ends = [segment[:, 0].tolist() for segment in bars.get_segments()]
    assert ends == [[2.0, 3.0], [-9.0, -8.0]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "c"]
    np.testing.assert_array_equal(curve(ax, "posterior mean").get_xdata(), [2.5, -8.5])
    np.testing.assert_array_equal(curve(ax, "lasso").get_xdata(), [1.0, 2.0])
    with pytest.raises(ValueError, match=r"lasso has shape \(3,\)"):
        posterior_intervals(low, high, coefs={"lasso": np.arange(3.0)})
    with pytest.raises(ValueError, match="upper has shape"):
        posterior_intervals(low, high[:2])
    with pytest.raises(ValueError, match="lower must not exceed upper"):
        posterior_intervals(high, low)
    for shape in ((0,), (), (2, 2)):
        with pytest.raises(ValueError, match=rf"^lower has shape {re.escape(str(shape))}: exp"):
            posterior_intervals(np.zeros(shape), np.ones(shape))
    with pytest.raises(ValueError, match="2 names for 4 features"):
        posterior_intervals(low, high, feature_names=["a", "b"])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"norm": "linf"}, "expected 'l1' or 'l2'"),
        ({"features": (0, 0)}, "two different columns of 5"),
        ({"features": (0, 5)}, "two different columns of 5"),
        ({"features": (0, 1, 2)}, "two different columns of 5"),
        ({"feature_names": ["a"]}, "1 names for 5 features"),
    ],
)
def test_bad_planes_are_refused(options: Any, reason: str, Xy: Any) -> None:
    with pytest.raises(ValueError, match=reason):
        touching_ball(*Xy, 0.5, **options)
    if "norm" not in options:
        with pytest.raises(ValueError, match=reason):
            descent_paths(*Xy, 0.5, **options)
    with pytest.raises(ValueError, match="a plane needs two"):
        touching_ball(Xy[0][:, :1], Xy[1], 0.5)


def every_picture(Xy: Any) -> list[Any]:
    X, y = Xy
    subject = subject_of(X, y, name="data")
    return [draw(subject) for draw in PICTURES.values()]


def test_every_picture_names_its_axes_and_needs_no_colour(Xy: Any) -> None:
    for drawn in every_picture(Xy):
        for ax in drawn.figure.axes:
            assert len(ax.get_xlabel()) > 4
            assert len(ax.get_ylabel()) > 4
            named = [one for one in ax.get_lines() if not str(one.get_label()).startswith("_")]
            looks = {
                (one.get_linestyle(), one.get_marker(), str(one._dash_pattern), one.get_linewidth())
                for one in named
            }
            assert len(looks) == len(named)


def test_given_axes_are_used_and_nothing_global_changes(Xy: Any) -> None:
    settings = dict(mpl.rcParams)
    X, y = Xy
    for draw in (
        lambda ax: norm_balls(ax=ax),
        lambda ax: threshold_curves(ax=ax),
        lambda ax: prior_densities(ax=ax),
        lambda ax: touching_ball(X, y, 0.5, ax),
        lambda ax: shrinkage_factors(X, [1.0], ax),
        lambda ax: filter_curves(X, y, ax=ax),
        lambda ax: descent_paths(X, y, 0.5, ax),
        lambda ax: posterior_intervals([0.0], [1.0], ax),
    ):
        ax = Figure().subplots()
        assert draw(ax) is ax
        assert draw(None) is not ax
        ax.figure.canvas.draw()
    assert dict(mpl.rcParams) == settings


def test_pyplot_and_windows_are_not_loaded(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from regsolve.views.gallery import gallery\n"
        "rng = np.random.default_rng(0)\n"
        "X = rng.normal(size=(40, 3))\n"
        f"print(len(list(gallery(X, X[:, 0] + rng.normal(size=40), {str(tmp_path)!r}))))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, check=True, timeout=300, capture_output=True, text=True)
    assert done.stdout == f"{len(PICTURES)}\n"
    assert done.stderr == ""


@pytest.mark.parametrize("kind", ["wide", "sparse", "one", "twins", "exact"])
def test_gallery_draws_hard_data(kind: str, tmp_path: Path, monkeypatch: Any) -> None:
    rng = np.random.default_rng(1)
    X: Any = rng.normal(size=(30, {"wide": 60, "one": 1}.get(kind, 6)))
    y = 3.0 * X[:, 0] + (0.0 if kind == "exact" else 0.5) * rng.normal(size=30)
    if kind == "twins":
        X[:, 1], X[:, 2] = X[:, 0], 7.0
    if kind == "sparse":
        X = sparse.csc_array(np.where(rng.random(X.shape) < 0.5, X, 0.0))
        monkeypatch.setattr(gallery_module, "MOST_FEATURES", 3)
        monkeypatch.setattr(gallery_module, "MOST_ROWS", 25)
        subject = subject_of(X, y, name=kind)
        assert subject.X.shape == (25, 3)
        np.testing.assert_allclose(subject.X.std(axis=0), 1.0)
    files = list(gallery(X, y, tmp_path, name=kind, dpi=30))
    assert len(files) == len(PICTURES) - (2 if kind in ("one", "exact") else 0)  # no plane
    for file in files:
        assert file.read_bytes().startswith(b"\x89PNG")


def test_gallery_takes_any_name(tmp_path: Path, Xy: Any) -> None:
    names = [r"$\frac$", "$", "c", "d$e", "f" * 300]
    files = list(gallery(*Xy, tmp_path, name="$x_$", feature_names=names, dpi=30))
    assert len(files) == len(PICTURES)


def test_gallery_of_a_constant_target_is_refused(tmp_path: Path, Xy: Any) -> None:
    with pytest.raises(ValueError, match="no feature explains y"):
        list(gallery(Xy[0], np.ones(50), tmp_path))


def test_every_name_of_the_views_is_there_and_documented() -> None:
    from regsolve import views

    assert {name for names in views.ROOMS.values() for name in names} == set(views.__all__)
    for name in views.__all__:
        assert getattr(views, name).__doc__, name
    with pytest.raises(AttributeError):
        views.nothing  # noqa: B018


LONG = "the area of all rooms in square metres, balconies included"


@pytest.mark.parametrize("name", [r"$\bad$", "$5", "a$b$c", r"\$", LONG, "$" * 40])
def test_names_of_features_are_plain_text(name: str, Xy: Any, tmp_path: Path) -> None:
    """A dollar sign opens no formula, long names are cut, and nothing leaves the picture."""
    X, y = Xy
    names = [name, f"b{name}", "c", "d", "e"]
    upper, coefs = np.arange(5.0), {"posterior mean": np.arange(5.0)}
    drawn = {
        "path": regsolve.path(X, y).plot(feature_names=names),
        "ball": touching_ball(X, y, 0.1, features=(0, 1), feature_names=names),
        "descent": descent_paths(X, y, 0.1, feature_names=names),
        "posterior": posterior_intervals(-upper, upper, coefs=coefs, feature_names=names),
    }
    cut = name if len(name) <= 26 else name[:25] + "\u2026"
    for ax in drawn.values():
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a layout that collapses warns
            ax.figure.savefig(tmp_path / "a.png")
        inside = ax.figure.bbox.padded(3.0)
        for axis in (ax.xaxis, ax.yaxis):
            box = axis.label.get_window_extent()
            assert inside.x0 <= box.x0 <= box.x1 <= inside.x1
            assert inside.y0 <= box.y0 <= box.y1 <= inside.y1
    escaped = cut.replace("$", r"\$")
    assert escaped in [text.get_text() for text in drawn["path"].texts]
    assert escaped in [text.get_text() for text in drawn["posterior"].get_yticklabels()]
    for ax in (drawn["ball"], drawn["descent"]):
        assert ax.get_xlabel() == f"$w_1$: coefficient of {escaped} (y per unit)"

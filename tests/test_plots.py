"""The coefficient path's picture: what it shows, what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray
from scipy import sparse
from sklearn.datasets import load_diabetes

import regsolve
from regsolve.plots import coefficient_path, criterion_curve, cv_curve, stability_path
from regsolve.plots.drawing import in_math
from regsolve.plots.lines import spread
from regsolve.solution import Path, Report


def made(coefs: NDArray[np.float64], alphas: NDArray[np.float64] | None = None) -> Path:
    """A path with these coefficients (p, m); its other fields are what they imply."""
    m = coefs.shape[1]
    if alphas is None:
        alphas = np.geomspace(1.0, 1e-3, m)
    zeros = np.zeros(m)
    report = Report("gram", 1.0, 1, 0, 0, 0, 0, 0, 0.0, "made by hand")
    return Path(
        alphas=alphas,
        coefs=sparse.csc_matrix(coefs),
        intercepts=zeros,
        relative_gaps=zeros,
        kkt_violations=zeros,
        statuses=["optimal"] * m,
        df=np.count_nonzero(coefs, axis=0),
        deviance_ratio=np.linspace(0.0, 0.9, m),
        alpha_max=1.0,
        report=report,
    )


def growing(p: int, m: int = 30, seed: int = 0) -> Path:
    """Coefficients that enter one after another and grow."""
    rng = np.random.default_rng(seed)
    slopes, starts = rng.normal(size=(p, 1)), rng.uniform(0.0, 0.9, size=(p, 1))
    return made(slopes * np.maximum(np.linspace(0.0, 1.0, m) - starts, 0.0))


def labels(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def drawn(ax: Any) -> int:
    return sum(len(collection.get_paths()) for collection in ax.collections)


def test_real_path_is_drawn_through_its_method() -> None:
    X, y = load_diabetes(return_X_y=True)
    path = regsolve.path(X, y)
    ax = path.plot(feature_names=load_diabetes().feature_names)
    final = np.abs(path.coef_at(path.alphas[-1])[0])
    order = np.argsort(-final)[: np.count_nonzero(final)]
    assert labels(ax) == [load_diabetes().feature_names[j] for j in order]


def test_alpha_falls_to_the_right() -> None:
    path = growing(5)
    ax = coefficient_path(path)
    assert ax.get_xscale() == "log"
    assert ax.get_xlim() == (path.alphas[0], path.alphas[-1])


@pytest.mark.parametrize("x", ["norm", "deviance"])
def test_other_axes_rise(x: Any) -> None:
    path = growing(5)
    ax = coefficient_path(path, x=x)
    ends = {"norm": np.abs(path.coefs[:, [-1]]).sum(), "deviance": 0.9}
    assert ax.get_xlim() == pytest.approx((0.0, ends[x]))
    assert ax.get_xlabel()


@pytest.mark.parametrize("x", ["alpha", "norm", "deviance"])
def test_upper_axis_counts_the_non_zeros(x: Any) -> None:
    path = growing(40)
    ax = coefficient_path(path, x=x)
    (top,) = ax.child_axes
    horizontal = {
        "alpha": path.alphas,
        "norm": np.asarray(abs(path.coefs).sum(axis=0)).ravel(),
        "deviance": path.deviance_ratio,
    }[x]
    at = [int(np.abs(horizontal - tick).argmin()) for tick in top.get_xticks()]
    assert [text.get_text() for text in top.get_xticklabels()] == [str(path.df[k]) for k in at]
    assert at[0] == 0
    assert at[-1] == len(path.alphas) - 1


@pytest.mark.parametrize("n_labels", [0, 3, 10])
def test_largest_final_coefficients_are_named(n_labels: int) -> None:
    path = growing(50)
    order = np.argsort(-np.abs(path.coefs[:, [-1]].toarray().ravel()))
    ax = coefficient_path(path, n_labels=n_labels)
    assert labels(ax) == [f"x{j}" for j in order[:n_labels]]


@pytest.mark.parametrize("spacing", [0.0, 1.0])
def test_labels_never_overlap(spacing: float) -> None:
    # All final values equal is the hardest case; apart, they need not move.
    final = 1.0 + spacing * np.arange(12)
    ax = coefficient_path(made(np.outer(final, np.linspace(0.0, 1.0, 20))), n_labels=12)
    ax.figure.canvas.draw()
    # Text's own extent leaves the leader line out.
    boxes = sorted((Text.get_window_extent(text) for text in ax.texts), key=lambda box: box.y0)
    assert len(boxes) == 12
    assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))


def test_more_labels_than_fit_keeps_the_largest() -> None:
    path = growing(400)
    names = labels(coefficient_path(path, n_labels=400))
    assert 10 < len(names) < 100
    assert names[:10] == labels(coefficient_path(path))


@pytest.mark.parametrize("seed", range(5))
def test_spread_is_the_nearest_ordered_placement(seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets, spacing = rng.random(8), 0.1
    places = spread(targets, spacing)
    assert np.all(np.diff(places[np.argsort(targets)]) >= spacing - 1e-12)
    assert places.min() >= 0.0
    assert places.max() <= 1.0 + 1e-12
    # Projection onto a convex set: every feasible placement makes an obtuse angle there.
    for _ in range(200):
        gaps = spacing + rng.dirichlet(np.ones(9))[:8] * (1.0 - 7 * spacing)
        gaps[0] -= spacing
        other = np.empty(8)
        other[np.argsort(targets)] = np.cumsum(gaps)
        assert (targets - places) @ (other - places) <= 1e-9


def test_lines_differ_without_colour() -> None:
    ax = coefficient_path(growing(8), n_labels=8)
    faint, bold = ax.collections
    assert len(faint.get_paths()) == 0
    kinds = {
        (to_hex(colour), str(dashes))
        for colour, dashes in zip(bold.get_colors(), bold.get_linestyles(), strict=True)
    }
    assert len(kinds) == 8
    assert len({dashes for _, dashes in kinds}) == 4


def test_only_active_features_of_thousands_are_drawn() -> None:
    coefs = np.zeros((20_000, 30))
    coefs[::100] = growing(200).coefs.toarray()
    active = np.count_nonzero(coefs.any(axis=1))
    ax = coefficient_path(made(coefs))
    assert drawn(ax) == active
    assert all(int(name[1:]) % 100 == 0 for name in labels(ax))


def test_zero_stretches_are_cut_but_for_their_ends() -> None:
    row = np.array([0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0])
    ax = coefficient_path(made(row[None, :]))
    (line,) = ax.collections[0].get_segments()
    heights = line[:, 1]
    np.testing.assert_array_equal(heights[np.isfinite(heights)], [0.0, 1.0, 2.0, 0.0])


@pytest.mark.parametrize("coefs", [np.zeros((3, 10)), np.zeros((3, 1)), np.ones((3, 1))])
@pytest.mark.parametrize("x", ["alpha", "norm", "deviance"])
def test_bare_paths_are_drawn(coefs: NDArray[np.float64], x: Any, tmp_path: Any) -> None:
    ax = coefficient_path(made(coefs), x=x)
    ax.figure.savefig(tmp_path / "a.png")
    assert len(labels(ax)) == np.count_nonzero(coefs[:, -1])


def test_alpha_of_zero_is_left_off_the_log_axis() -> None:
    path = made(np.outer([1.0, 2.0], [0.0, 0.5, 1.0]), np.array([1.0, 0.1, 0.0]))
    assert coefficient_path(path).get_xlim() == (1.0, 0.1)
    assert coefficient_path(path, x="norm").get_xlim() == (0.0, 3.0)


def test_given_axes_are_used() -> None:
    ax = Figure().subplots()
    assert coefficient_path(growing(3), ax) is ax


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"x": "lambda"}, "x must be one of alpha, norm, deviance"),
        ({"feature_names": ["a"]}, "1 names for 3 features"),
    ],
)
def test_bad_options_are_refused(options: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        coefficient_path(growing(3), **options)


def test_empty_path_is_refused() -> None:
    path = replace(growing(3), alphas=np.zeros(0), coefs=sparse.csc_matrix((3, 0)))
    with pytest.raises(ValueError, match="no alpha to draw"):
        coefficient_path(path)


def test_nothing_global_changes() -> None:
    settings = dict(mpl.rcParams)
    coefficient_path(growing(3))
    assert dict(mpl.rcParams) == settings


def test_pyplot_and_windows_are_not_loaded() -> None:
    code = (
        "import sys, numpy as np, regsolve\n"
        "rng = np.random.default_rng(0)\n"
        "X = rng.normal(size=(30, 4))\n"
        "regsolve.path(X, X[:, 0], n_alphas=5).plot().figure.canvas.draw()\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_cv_curve_shows_mean_band_and_both_choices() -> None:
    alphas = np.geomspace(1.0, 0.01, 5)
    errors = np.array([[9.0, 9.0], [4.0, 4.4], [3.0, 5.0], [2.0, 5.0], [6.0, 6.0]])
    ax = cv_curve(alphas, errors, df=[0, 1, 2, 3, 4])
    lines = {line.get_label(): line for line in ax.get_lines()}
    mean = lines["mean of folds"]
    np.testing.assert_allclose(mean.get_ydata(), errors.mean(axis=1))
    least, simple = lines["least: alpha = 0.0316"], lines["1 standard error: alpha = 0.316"]
    assert least.get_xdata()[0] == alphas[3]
    assert simple.get_xdata()[0] == alphas[1]
    assert least.get_linestyle() != simple.get_linestyle()
    (band,) = ax.collections
    se = errors.std(axis=1, ddof=1) / np.sqrt(2)
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx((errors.mean(axis=1) + se).max())
    assert heights.min() == pytest.approx((errors.mean(axis=1) - se).min())
    assert ax.get_xlim() == (1.0, pytest.approx(0.01))


def test_cv_curve_of_one_alpha_shows_points_and_their_error() -> None:
    ax = cv_curve([0.1], [[2.0, 4.0]])
    shown = {float(line.get_ydata()[0]) for line in ax.get_lines() if line.get_marker() == "."}
    assert shown == {2.0, 3.0, 4.0}
    bars = [each.get_segments() for each in ax.collections if hasattr(each, "get_segments")]
    np.testing.assert_allclose(bars[0][0][:, 1], [2.0, 4.0])  # 3 -+ 1, the standard error


def test_cv_curve_of_an_estimator_is_that_of_its_ratio() -> None:
    X, y = load_diabetes(return_X_y=True)
    for model in (
        regsolve.LassoCV(alphas=[0.5, 0.1, 0.0]),
        regsolve.ElasticNetCV(l1_ratio=[0.2, 1.0]),
    ):
        model.fit(X, y)
        ax = model.plot(ylabel="error")
        assert ax.get_ylabel() == "error"
        marks = [line.get_xdata()[0] for line in ax.get_lines() if "least" in line.get_label()]
        assert marks == ([model.alpha_] if model.alpha_ > 0.0 else [])


def test_cv_curve_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="errors has shape"):
        cv_curve([1.0, 0.5], np.ones((3, 2)))
    with pytest.raises(ValueError, match="above 0"):
        cv_curve([0.0], np.ones((1, 2)))


def test_criterion_curve_is_cut_where_it_is_infinite(tmp_path: Any) -> None:
    alphas = np.array([1.0, 0.5, 0.1, 0.01, 0.0])
    ax = criterion_curve(alphas, [4.0, 3.0, 3.5, np.inf, np.inf], df=[0, 1, 2, 3, 4])
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), [4.0, 3.0, 3.5, np.nan])
    (mark,) = (line for line in ax.get_lines() if line.get_label() == "least: alpha = 0.5")
    assert mark.get_xdata()[0] == 0.5
    ax.figure.savefig(tmp_path / "a.png")
    nothing = criterion_curve(alphas[:2], [np.inf, np.inf], Figure().subplots())
    assert "least: alpha = 1" in [line.get_label() for line in nothing.get_lines()]
    with pytest.raises(ValueError, match="values has shape"):
        criterion_curve(alphas, np.ones(3))
    with pytest.raises(ValueError, match="above 0"):
        criterion_curve([0.0], [1.0])


@pytest.mark.parametrize("x", ["alpha", "norm", "deviance"])
def test_the_chosen_alpha_is_marked(x: Any) -> None:
    X, y = load_diabetes(return_X_y=True)
    model = regsolve.LassoCV(alphas=12).fit(X, y)
    k = int(np.flatnonzero(model.path_.alphas == model.alpha_)[0])
    ax = model.path_.plot(x=x, mark=model.alpha_)
    plain = model.path_.plot(x=x)
    assert len(ax.get_lines()) == len(plain.get_lines()) + 1
    norm = float(np.abs(model.coef_).sum())
    wanted = {"alpha": model.alpha_, "norm": norm, "deviance": model.path_.deviance_ratio[k]}
    assert ax.get_lines()[-1].get_xdata()[0] == pytest.approx(wanted[x])


def test_stability_path_tells_stable_features_apart() -> None:
    alphas = np.geomspace(1.0, 0.01, 6)
    shares = np.zeros((5, 6))
    shares[1] = [0.0, 0.2, 0.5, 0.9, 1.0, 1.0]
    shares[2] = [0.0, 0.0, 0.7, 0.6, 0.5, 0.4]  # stable where it is at its largest
    shares[4] = [0.0, 0.1, 0.1, 0.2, 0.3, 0.3]
    for given in (shares, sparse.csc_matrix(shares)):
        ax = stability_path(alphas, given, 0.7, feature_names=list("abcde"))
        faint, bold = ax.collections
        drawn = [line[:, 1] for line in bold.get_segments()]
        np.testing.assert_allclose(drawn[0], shares[1])
        assert len(drawn) == 2
        assert len(faint.get_segments()) == 1
        assert len({str(style) for style in bold.get_linestyles()}) == 2
        said = {text.get_text() for text in ax.texts}
        assert said == {"threshold 0.7: 2 stable", "b", "c"}
        level = ax.get_lines()[-1]
        assert level.get_ydata()[0] == 0.7
        assert ax.get_xlim() == (1.0, pytest.approx(0.01))
        ax.figure.canvas.draw()
    ax = stability_path(alphas, shares, 0.7, n_labels=1)
    assert {text.get_text() for text in ax.texts} == {"threshold 0.7: 2 stable", "x1"}
    nothing = stability_path([0.5], np.zeros((3, 1)), 0.6)
    assert [text.get_text() for text in nothing.texts] == ["threshold 0.6: 0 stable"]


def test_stability_path_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="probabilities has shape"):
        stability_path([1.0, 0.5], np.ones((3, 3)), 0.6)
    with pytest.raises(ValueError, match="above 0"):
        stability_path([1.0, 0.0], np.ones((3, 2)), 0.6)
    with pytest.raises(ValueError, match="feature_names has 1 names for 3"):
        stability_path([1.0, 0.5], np.ones((3, 2)), 0.6, feature_names=["a"])


@pytest.mark.parametrize(
    "model",
    [
        regsolve.LassoCV(scoring="neg_mean_absolute_error"),
        regsolve.LassoCV(scoring="r2"),
        regsolve.ElasticNetCV(l1_ratio=[0.2, 0.9], scoring="r2"),
    ],
    ids=["mae", "r2", "ratios"],
)
def test_scores_are_drawn_where_they_chose(model: Any) -> None:
    X, y = load_diabetes(return_X_y=True)
    ax = model.fit(X, y).plot()
    assert model.scoring in ax.get_ylabel()
    marks = [line.get_xdata()[0] for line in ax.get_lines() if "greatest" in line.get_label()]
    assert marks == [model.alpha_]


def test_scores_of_a_relaxed_lasso_are_drawn_where_they_chose() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = regsolve.RelaxedLasso(scoring="neg_mean_absolute_error").fit(X, y)
    labels = [text.get_text() for text in model.plot().get_legend().get_texts()]
    assert f"greatest: alpha = {model.alpha_:.3g}, gamma = {model.gamma_:g}" in labels


def test_numbers_in_mathematical_text_have_powers_of_ten() -> None:
    assert [in_math(v) for v in (0.5, 241.6, 24160.0, -1.5e-9)] == [
        "0.5", "242", r"2.42 \times 10^{4}", r"-1.5 \times 10^{-9}",
    ]  # fmt: skip


def bmi() -> tuple[Any, Any]:
    """Diabetes as a data frame."""
    bunch = load_diabetes(as_frame=True)
    return bunch.data, bunch.target


def test_pictures_take_the_names_of_a_data_frame() -> None:
    X, y = bmi()
    path = regsolve.path(X, y, n_alphas=20)
    assert path.feature_names == list(X.columns)
    assert set(labels(path.plot())) == set(X.columns)
    assert set(labels(path.plot(feature_names=[f"f{j}" for j in range(10)]))) <= {
        f"f{j}" for j in range(10)
    }
    assert regsolve.path(X.to_numpy(), y, n_alphas=3).feature_names is None
    renamed = X.set_axis(range(10), axis=1)
    assert regsolve.path(renamed, y, n_alphas=3).feature_names is None


def test_ridge_trace_draws_every_coefficient_and_degrees_of_freedom() -> None:
    X, y = bmi()
    alphas = np.append(np.geomspace(1e-2, 1e2, 30), 0.0)
    fitted = regsolve.ridge_path(X, y, alphas[:-1], criteria=True)
    ax = fitted.plot(mark=1.05, n_labels=4)
    largest = np.argsort(-np.abs(fitted.coefs[:, -1]))[:4]
    assert labels(ax) == [X.columns[j] for j in largest]
    faint, bold = (c.get_segments() for c in ax.collections)
    assert (len(faint), len(bold)) == (6, 4)
    assert np.allclose(bold[0], np.column_stack([fitted.alphas, fitted.coefs[largest[0]]]))
    (top,) = ax.child_axes
    ticks = [float(tick.get_text()) for tick in top.get_xticklabels()]
    assert ticks == sorted(ticks)
    assert ticks[0] == pytest.approx(fitted.df[0], rel=5e-3)
    marked = ax.get_lines()[-1].get_xdata()[0]
    assert marked == fitted.alphas[np.abs(fitted.alphas - 1.05).argmin()]
    plain = regsolve.ridge_path(X, y, alphas).plot()
    assert not plain.child_axes
    assert plain.get_xlim() == (1e2, 1e-2)


def test_ridge_trace_of_one_target_among_several() -> None:
    X, y = bmi()
    fitted = regsolve.ridge_path(X.to_numpy(), np.column_stack([y, -y]), [0.1, 1.0])
    bold = fitted.plot(target=1, n_labels=1).collections[1].get_segments()[0]
    j = np.abs(fitted.coefs[1, :, -1]).argmax()
    assert np.allclose(bold[:, 1], fitted.coefs[1, j])
    with pytest.raises(ValueError, match="target=2: the path has 2"):
        fitted.plot(target=2)
    with pytest.raises(ValueError, match="no alpha above 0"):
        regsolve.ridge_path(X, y, [0.0]).plot()
    with pytest.raises(ValueError, match="1 names for 10 features"):
        fitted.plot(feature_names=["a"])


@pytest.mark.parametrize(
    ("cv", "title"),
    [
        (None, "leave-one-out error"),
        ("gcv", "generalised cross-validation"),
        ("reml", "negative restricted log evidence"),
        (4, "score on held-out rows"),
    ],
)
def test_ridge_cv_draws_the_scores_that_chose(cv: Any, title: str) -> None:
    X, y = bmi()
    alphas = np.random.default_rng(0).permutation(np.geomspace(1e-3, 1e2, 25))
    model = regsolve.RidgeCV(alphas, cv=cv).fit(X, y)
    assert np.array_equal(model.alphas_, alphas)
    mean = model.scores_ if model.scores_.ndim == 1 else model.scores_.mean(axis=0)
    assert mean.max() == model.best_score_
    assert alphas[mean.argmax()] == model.alpha_
    ax = model.plot()
    assert ax.get_ylabel() == title
    assert f"alpha = {model.alpha_:.3g}" in " ".join(t.get_text() for t in ax.get_legend().texts)


def test_ridge_cv_draws_scorers_and_refuses_alphas_of_several_targets() -> None:
    X, y = bmi()
    model = regsolve.RidgeCV([0.1, 1.0], scoring="neg_mean_absolute_error").fit(X, y)
    ax = model.plot()
    assert ax.get_ylabel() == "negative score left out"
    assert np.array_equal(ax.get_lines()[0].get_ydata(), -model.scores_[::-1])
    Y = np.column_stack([y, X["bmi"]])
    apart = regsolve.RidgeCV([0.1, 1.0], alpha_per_target=True).fit(X, Y)
    assert apart.scores_.shape == (2, 2)
    with pytest.raises(ValueError, match="own alpha"):
        apart.plot()
    assert regsolve.RidgeCV([0.1, 1.0]).fit(X, Y).scores_.shape == (2,)


def test_selections_draw_their_criterion() -> None:
    X, y = bmi()
    chosen = regsolve.path(X, y, n_alphas=30).select("bic", X, y)
    ax = chosen.plot()
    assert ax.get_ylabel() == "Bayesian information criterion"
    assert np.array_equal(ax.get_lines()[0].get_ydata(), chosen.values)
    assert f"alpha = {chosen.alpha:.3g}" in ax.get_legend().texts[0].get_text()

"""convert_alpha: fits of other libraries, judged on regsolve's scale."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import numpy as np
import pytest
from problems import regression
from sklearn import linear_model, svm

from regsolve import convert_alpha, convert_l1_ratio, verify
from regsolve.convert import SCALES, SUMS
from regsolve.penalties import ElasticNet


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, y = regression(60, 8, seed=4)
    return X, 3.0 * y + 2.0, np.random.default_rng(1).uniform(0.5, 2.0, 60)


def gap(X: Any, y: Any, coef: Any, intercept: Any, alpha: float, ratio: float, **how: Any) -> float:
    return verify(X, y, coef, intercept, penalty=ElasticNet(alpha, ratio), **how).relative_gap


@pytest.mark.parametrize("weighted", [False, True])
def test_ridge(data: Any, weighted: bool) -> None:
    X, y, s = data
    total = {"sample_weight": s} if weighted else {"n_samples": len(y)}
    fitted = linear_model.Ridge(7.0).fit(X, y, s if weighted else None)
    alpha = convert_alpha(7.0, "Ridge", "regsolve", **total)
    weight = s if weighted else None
    assert gap(X, y, fitted.coef_, fitted.intercept_, alpha, 0.0, sample_weight=weight) < 1e-10
    assert gap(X, y, fitted.coef_, fitted.intercept_, 1.1 * alpha, 0.0, sample_weight=weight) > 1e-6


@pytest.mark.parametrize("ratio", [1.0, 0.3])
def test_mean_scales_of_scikit_learn(data: Any, ratio: float) -> None:
    X, y, s = data
    fitted = linear_model.ElasticNet(0.2, l1_ratio=ratio, tol=1e-12, max_iter=10**6).fit(X, y, s)
    alpha = convert_alpha(0.2, "ElasticNet", "regsolve")
    assert gap(X, y, fitted.coef_, fitted.intercept_, alpha, ratio, sample_weight=s) < 1e-9


@pytest.mark.parametrize("library", ["celer", "skglm"])
def test_mean_scales_of_peers(data: Any, library: str) -> None:
    peer = pytest.importorskip(library)
    X, y, _ = data
    fitted = peer.Lasso(0.2, tol=1e-10).fit(np.asfortranarray(X), y)
    alpha = convert_alpha(0.2, library, "regsolve")
    assert gap(X, y, fitted.coef_, fitted.intercept_, alpha, 1.0) < 1e-6


@pytest.mark.parametrize("weighted", [False, True])
def test_logistic_regression_solves_the_mean_problem(data: Any, weighted: bool) -> None:
    """Its gradient vanishes there: mean of s (p - y) x, plus alpha w."""
    X, y, s = data
    label = (y > np.median(y)).astype(float)
    weight = s if weighted else np.ones(len(y))
    model = linear_model.LogisticRegression(C=0.3, tol=1e-12, max_iter=10**5)
    model.fit(X, label, sample_weight=weight)
    alpha = convert_alpha(0.3, "LogisticRegression", "regsolve", sample_weight=weight)
    wrong = weight * (model.predict_proba(X)[:, 1] - label) / weight.sum()
    np.testing.assert_allclose(X.T @ wrong + alpha * model.coef_[0], 0.0, atol=1e-6)
    assert abs(wrong.sum()) < 1e-6


def test_linear_svc_solves_the_mean_problem(data: Any) -> None:
    """Loss (1 - y z)_+^2 / 2, no intercept: mean of -y (1 - y z)_+ x, plus alpha w, is 0."""
    X, y, s = data
    sign = np.where(y > np.median(y), 1.0, -1.0)
    model = svm.LinearSVC(C=0.3, fit_intercept=False, tol=1e-10, max_iter=10**6)
    model.fit(X, sign, sample_weight=s)
    alpha = convert_alpha(0.3, "LinearSVC", "regsolve", sample_weight=s)
    short = s * np.maximum(0.0, 1.0 - sign * (X @ model.coef_[0])) / s.sum()
    np.testing.assert_allclose(-X.T @ (sign * short) + alpha * model.coef_[0], 0.0, atol=1e-5)


def test_poisson_regressor_solves_the_mean_problem(data: Any) -> None:
    X, y, s = data
    counts = np.random.default_rng(0).poisson(2.0, len(y)).astype(float)
    model = linear_model.PoissonRegressor(alpha=0.3, tol=1e-12, max_iter=10**5)
    model.fit(X, counts, sample_weight=s)
    alpha = convert_alpha(0.3, "PoissonRegressor", "regsolve")
    wrong = s * (model.predict(X) - counts) / s.sum()
    np.testing.assert_allclose(X.T @ wrong + alpha * model.coef_, 0.0, atol=1e-6)


CASES = [
    (ratio, standardize, weighted, intercept)
    for ratio in (1.0, 0.3, 0.0)
    for standardize in (False, True)
    for weighted in (False, True)
    for intercept in (False, True)
    if intercept or not standardize  # glmnet then scales by deviations about means all the same
]
GLMNET = """
if (!requireNamespace("glmnet", quietly = TRUE)) quit(status = 3)
d <- as.matrix(read.table("data.txt"))
cases <- as.matrix(read.table("cases.txt"))
for (k in seq_len(nrow(cases))) {
  case <- cases[k, ]
  s <- if (case[3]) d[, 2] else rep(1, nrow(d))
  fit <- glmnet::glmnet(d[, -(1:2)], d[, 1], lambda = 0.7, alpha = case[1], weights = s,
                        standardize = case[2] == 1, intercept = case[4] == 1,
                        thresh = 1e-22, maxit = 1e7)
  cat(format(as.vector(coef(fit)), digits = 17), "\n")
}
"""


@pytest.fixture(scope="module")
def glmnet(data: Any, tmp_path_factory: Any) -> dict[tuple[Any, ...], np.ndarray]:
    """Intercept and coefficients of R's glmnet at lambda = 0.7, for every case."""
    if shutil.which("Rscript") is None:
        pytest.skip("R is not installed")
    X, y, s = data
    folder = tmp_path_factory.mktemp("glmnet")
    np.savetxt(folder / "data.txt", np.column_stack([y, s, X]), fmt="%.17g")
    np.savetxt(folder / "cases.txt", np.array(CASES, dtype=float))
    (folder / "fit.R").write_text(GLMNET, encoding="utf-8")
    done = subprocess.run(
        ["Rscript", "fit.R"], capture_output=True, text=True, cwd=folder, timeout=120
    )
    if done.returncode == 3:
        pytest.skip("R has no package glmnet")
    assert done.returncode == 0, done.stderr
    rows = [np.array(line.split(), dtype=float) for line in done.stdout.splitlines()]
    return dict(zip(CASES, rows, strict=True))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_glmnet(glmnet: Any, data: Any, case: tuple[Any, ...]) -> None:
    X, y, s = data
    ratio, standardize, weighted, intercept = case
    b, weight = glmnet[case], s if weighted else np.ones(len(y))
    about = np.average(y, weights=weight) if intercept else 0.0
    y_std = float(np.sqrt(np.average((y - about) ** 2, weights=weight)))
    alpha = convert_alpha(0.7, "glmnet", "regsolve", l1_ratio=ratio, y_std=y_std)
    mixture = convert_l1_ratio(ratio, "glmnet", "regsolve", y_std=y_std)
    how = {"sample_weight": weight, "standardize": standardize, "fit_intercept": intercept}
    assert gap(X, y, b[1:], b[0], alpha, mixture, **how) < 1e-9
    assert gap(X, y, b[1:], b[0], 1.05 * alpha, mixture, **how) > 1e-7


@pytest.mark.parametrize("target", SCALES)
@pytest.mark.parametrize("source", SCALES)
def test_there_and_back(source: str, target: str) -> None:
    ratio = {"Lasso": 1.0, "Ridge": 0.0, "PoissonRegressor": 0.0}
    sides = {ratio[scale] for scale in (source, target) if scale in ratio}
    if len(sides) == 2:
        pytest.skip("one has no l1 term, the other no l2 term")
    r = sides.pop() if sides else 0.4
    values = np.array([0.1, 2.0])
    there = convert_alpha(values, source, target, n_samples=30, l1_ratio=r, y_std=2.5)
    back = convert_l1_ratio(r, source, target, y_std=2.5)
    again = convert_alpha(there, target, source, n_samples=30, l1_ratio=back, y_std=2.5)
    np.testing.assert_allclose(again, values, rtol=1e-14)
    assert convert_l1_ratio(back, target, source, y_std=2.5) == pytest.approx(r)


def test_rows_cancel_between_sums() -> None:
    for source in SUMS:
        for target in SUMS:
            one = convert_alpha(0.3, source, target)
            through = convert_alpha(0.3, source, "regsolve", n_samples=9)
            assert one == pytest.approx(convert_alpha(through, "regsolve", target, n_samples=9))


def test_what_is_implied() -> None:
    assert convert_alpha(0.3, "glmnet", "Lasso") == 0.3
    assert convert_alpha(0.3, "GLMNET", "lasso", l1_ratio=1) == 0.3
    assert convert_alpha(0.3, "glmnet", "Ridge", n_samples=10, y_std=2.0) == pytest.approx(1.5)
    assert isinstance(convert_alpha(1, "Ridge", "skglm", n_samples=3), float)


@pytest.mark.parametrize(
    ("arguments", "options", "named"),
    [
        ((1.0, "lars", "Ridge"), {}, "source='lars'"),
        ((1.0, "Ridge", None), {}, "target=None"),
        ((-1.0, "Ridge", "celer"), {"n_samples": 3}, "value"),
        (("1", "Ridge", "celer"), {"n_samples": 3}, "value"),
        ((0.0, "LogisticRegression", "celer"), {"n_samples": 3}, "value"),
        ((0.0, "celer", "LinearSVC"), {"n_samples": 3}, "value"),
        ((1.0, "Ridge", "celer"), {}, "n_samples"),
        ((1.0, "Ridge", "celer"), {"n_samples": 0}, "n_samples"),
        ((1.0, "Ridge", "celer"), {"sample_weight": [0.0, 0.0]}, "sample_weight"),
        ((1.0, "glmnet", "celer"), {}, "l1_ratio"),
        ((1.0, "glmnet", "celer"), {"l1_ratio": 1.5}, "l1_ratio"),
        ((1.0, "glmnet", "Lasso"), {"l1_ratio": 0.5}, "l1_ratio"),
        ((1.0, "glmnet", "celer"), {"l1_ratio": 0.5}, "y_std"),
        ((1.0, "glmnet", "celer"), {"l1_ratio": 0.5, "y_std": 0.0}, "y_std"),
    ],
)
def test_bad_arguments_are_named(arguments: Any, options: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        convert_alpha(*arguments, **options)

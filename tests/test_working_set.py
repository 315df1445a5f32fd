"""Working sets with stored directions: few readings, no false zero, and every inner solver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import sparse

from regsolve import ConvergenceWarning, Path, path, solve, verify
from regsolve.penalties import L1, L2, ElasticNet

TIGHT = 1e-9


def ar(n: int, p: int, rho: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Correlation rho between neighbours, twenty features in the signal."""
    return regression(n, p, rho=rho, seed=seed)


def equicorrelated(n: int, p: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """One common factor: every pair of features has correlation 0.5."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p)) + rng.standard_normal((n, 1))
    return np.asfortranarray(X), X[:, :15].sum(axis=1) + 3.0 * rng.standard_normal(n)


def genotypes(n: int, p: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """0/1/2 in blocks of near copies, every fifth feature an exact copy of the one before."""
    rng = np.random.default_rng(seed)
    base = rng.binomial(2, 0.3, (n, p // 10 + 1))
    X = np.repeat(base, 10, axis=1)[:, :p]
    flip = rng.random((n, p)) < 0.1
    X = np.where(flip, rng.binomial(2, 0.3, (n, p)), X).astype(float)
    X[:, 5::5] = X[:, 4:-1:5][:, : X[:, 5::5].shape[1]]
    return np.asfortranarray(X), X[:, :100:10].sum(axis=1) + rng.standard_normal(n)


def one_hot(n: int, p: int, seed: int = 0) -> tuple[Any, np.ndarray]:
    """Sparse 0/1 columns of which many have one or two rows: residuals concentrate there."""
    rng = np.random.default_rng(seed)
    codes = np.minimum(rng.zipf(1.3, n), p) - 1
    X = sparse.csc_matrix((np.ones(n), (np.arange(n), codes)), shape=(n, p))
    y = rng.standard_normal(n) * (1.0 + 5.0 * (rng.random(n) < 0.05))
    return X, y


def words(n: int, p: int, seed: int = 0) -> tuple[Any, np.ndarray]:
    """Sparse columns as of words in texts: few are in many rows, most in two."""
    rng = np.random.default_rng(seed)
    counts = np.maximum(2, (0.25 * n / np.arange(1, p + 1) ** 0.7).astype(int))
    rows = np.concatenate([rng.choice(n, k, replace=False) for k in counts])
    values = 0.1 + np.abs(rng.standard_normal(len(rows)))
    X = sparse.csc_matrix((values, rows, np.append(0, np.cumsum(counts))), shape=(n, p))
    signal = rng.standard_normal(p) * (rng.random(p) < 0.1)
    return X, X @ signal + rng.standard_normal(n)


def moving_windows(n: int, p: int, length: int) -> tuple[Any, np.ndarray]:
    """Sparse columns of ones, each a little below the one before: neighbours nearly agree."""
    rng = np.random.default_rng(0)
    starts = np.arange(p) * (n - length) // p
    rows = (starts[:, None] + np.arange(length)).ravel()
    X = sparse.csc_matrix((np.ones(len(rows)), rows, length * np.arange(p + 1)), shape=(n, p))
    return X, np.repeat(rng.standard_normal(n // 20), 20) + 0.1 * rng.standard_normal(n)


DESIGNS: dict[str, Callable[[], tuple[Any, np.ndarray]]] = {
    "ar 0": lambda: ar(120, 2000, 0.0),
    "ar 0.9": lambda: ar(120, 2000, 0.9),
    "equicorrelated": lambda: equicorrelated(100, 1500),
    "genotypes": lambda: genotypes(150, 1200),
    "one-hot": lambda: one_hot(800, 1500),
    "float32": lambda: tuple(a.astype(np.float32) for a in ar(100, 1500, 0.5)),  # type: ignore
    "rows": lambda: (np.ascontiguousarray(ar(100, 1500, 0.5)[0]), ar(100, 1500, 0.5)[1]),
}


def judged(X: Any, y: np.ndarray, fitted: Path, ratio: float = 1.0, **options: Any) -> None:
    """Every alpha by the judge: gap, and no feature that violates its optimality condition."""
    assert fitted.report.mode == "working_set"
    for k, alpha in enumerate(fitted.alphas):
        coef = fitted.coefs[:, [k]].toarray().ravel()
        proof = verify(
            X, y, coef, fitted.intercepts[k], penalty=ElasticNet(alpha, ratio), **options
        )
        assert proof.relative_gap <= TIGHT, alpha
        assert proof.kkt_violation <= 1e-8, alpha
        assert fitted.relative_gaps[k] == pytest.approx(proof.relative_gap, abs=1e-11)


@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.05])
@pytest.mark.parametrize("name", DESIGNS)
def test_every_alpha_is_certified(name: str, ratio: float) -> None:
    X, y = DESIGNS[name]()
    options: dict[str, Any] = {"penalty": ElasticNet(l1_ratio=ratio), "alpha_min_ratio": 1e-2}
    fitted = path(X, y, n_alphas=40, tol=TIGHT, solver="working_set", **options)
    assert set(fitted.statuses) == {"optimal"}
    judged(X, y, fitted, ratio)


@pytest.mark.parametrize("name", ["ar 0", "ar 0.9", "equicorrelated"])
def test_a_hundred_alphas_cost_few_readings(name: str) -> None:
    """Measured 9 to 12 on these; one an alpha is what a path costs elsewhere."""
    X, y = DESIGNS[name]()
    report = path(X, y, alpha_min_ratio=5e-2, solver="working_set").report
    assert report.n_passes <= 20
    assert report.n_epochs == 0


def test_more_alphas_cost_hardly_more_readings() -> None:
    X, y = ar(120, 2000, 0.5)
    few = path(X, y, n_alphas=50, alpha_min_ratio=5e-2, solver="working_set").report
    many = path(X, y, n_alphas=500, alpha_min_ratio=5e-2, solver="working_set").report
    assert many.n_passes <= 2 * few.n_passes + 25  # at most 25 answers wait for a reading


def test_answers_among_a_crowd_in_doubt_share_a_reading() -> None:
    """All features matter, and most are in doubt before each reading. A reading an answer: 31."""
    X, _ = ar(600, 3000, 0.9)
    rng = np.random.default_rng(0)
    y = X @ rng.standard_normal(3000) + rng.standard_normal(600)
    fitted = path(X, y, alpha_min_ratio=1e-4, solver="working_set", tol=TIGHT)
    assert set(fitted.statuses) == {"optimal"}
    assert fitted.report.n_passes <= 28


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("above", [1e-3, -1e-3, 0.0])
def test_features_made_of_residuals(above: float, dtype: Any) -> None:
    """Columns in the span of the stored directions, whose deflated norm is rounding alone.

    Their correlation at alpha_k lies just above or below the threshold.
    """
    X, y = ar(80, 600, 0.3, seed=4)
    first = path(X, y, n_alphas=20, alpha_min_ratio=5e-2, solver="working_set")
    fitted = X @ first.coefs.toarray() + first.intercepts
    residuals = y[:, None] - fitted
    residuals -= residuals.mean(axis=0)
    scale = first.alphas * len(y) / np.sum(residuals**2, axis=0)  # |x'r| / n = alpha_k exactly
    X = np.asfortranarray(np.hstack([X, (1.0 + above) * residuals * scale]), dtype=dtype)
    again = path(X, y, alphas=first.alphas, tol=TIGHT, solver="working_set")
    judged(X, y, again)


def test_answers_do_not_depend_on_threads() -> None:
    X, y = ar(100, 3000, 0.8)
    one, two = (path(X, y, n_alphas=30, n_threads=t, solver="working_set") for t in (1, 3))
    np.testing.assert_array_equal(one.coefs.toarray(), two.coefs.toarray())
    np.testing.assert_array_equal(one.relative_gaps, two.relative_gaps)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("name", DESIGNS)
def test_one_alpha(name: str, share: float) -> None:
    X, y = DESIGNS[name]()
    alpha = share * path(X, y, n_alphas=1).alpha_max
    one = solve(X, y, penalty=L1(alpha), tol=TIGHT, solver="working_set")
    assert one.status == "optimal"
    proof = verify(X, y, one.coef, one.intercept, penalty=L1(alpha))
    assert proof.relative_gap <= TIGHT
    assert one.report.n_passes <= 20


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("dearer", [1.0, 1.02])
def test_a_crowd_at_the_threshold(positive: bool, dearer: float) -> None:
    """Two thirds of the features are copies of those that are active at the end, at their threshold
    or just below: many more are in doubt than are named one by one. All are certified, by few
    readings."""
    X, y = ar(60, 800, 0.5, seed=8)
    found = path(X, y, n_alphas=30, alpha_min_ratio=5e-2)
    active = np.flatnonzero(found.coefs[:, [-1]].toarray().ravel())
    copies = X[:, np.resize(active, 1600)]
    if positive:
        copies = np.where(np.arange(1600) % 2, copies, -copies)
    X = np.asfortranarray(np.hstack([X, copies]))
    options: dict[str, Any] = {"weights": np.repeat([1.0, dearer], [800, 1600])}
    if positive:
        options["lower"] = 0.0
    grid = {"n_alphas": 30, "alpha_min_ratio": 5e-2}
    fitted = path(X, y, penalty=L1(**options), tol=TIGHT, solver="working_set", **grid)
    assert set(fitted.statuses) == {"optimal"}
    assert fitted.report.n_passes <= 20
    for k in (5, 29):
        coef = fitted.coefs[:, [k]].toarray().ravel()
        penalty = L1(fitted.alphas[k], **options)
        assert verify(X, y, coef, fitted.intercepts[k], penalty=penalty).relative_gap <= TIGHT


def test_a_start_far_from_the_answer() -> None:
    X, y = ar(80, 500, 0.5)
    rng = np.random.default_rng(0)
    alpha = 0.1 * path(X, y, n_alphas=1).alpha_max
    cold = solve(X, y, penalty=L1(alpha), tol=TIGHT, solver="working_set")
    warm = solve(
        X,
        y,
        penalty=L1(alpha),
        tol=TIGHT,
        solver="working_set",
        coef_init=rng.standard_normal(500),
    )
    np.testing.assert_allclose(warm.coef, cold.coef, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("ratio", [1.0, 0.3])
def test_unpenalised_and_bounded_features(ratio: float) -> None:
    X, y = ar(90, 700, 0.6)
    p = X.shape[1]
    weights = np.ones(p)
    weights[::97], weights[5::101] = 0.0, np.inf
    lower, upper = np.full(p, -np.inf), np.full(p, np.inf)
    lower[::3], upper[::7] = 0.0, 0.02
    limits: dict[str, Any] = {"weights": weights, "lower": lower, "upper": upper}
    top = path(X, y, penalty=ElasticNet(1.0, ratio, **limits), n_alphas=1).alpha_max
    alphas = np.geomspace(top, 0.02 * top, 25)
    fitted = path(
        X,
        y,
        penalty=ElasticNet(1.0, ratio, **limits),
        alphas=alphas,
        tol=TIGHT,
        solver="working_set",
    )
    assert fitted.report.mode == "working_set"
    for k, alpha in enumerate(alphas):
        coef = fitted.coefs[:, [k]].toarray().ravel()
        proof = verify(X, y, coef, fitted.intercepts[k], penalty=ElasticNet(alpha, ratio, **limits))
        assert proof.relative_gap <= TIGHT
    assert np.all((coef >= lower) & (coef <= upper))


def test_a_wide_elastic_net_is_the_gram_solution() -> None:
    """More active features than rows: the dual's Newton method against the p x p Gram matrix."""
    X, y = ar(40, 900, 0.4)
    penalty = ElasticNet(l1_ratio=0.05)
    options: dict[str, Any] = {"penalty": penalty, "alpha_min_ratio": 1e-2, "n_alphas": 30}
    sets = path(X, y, tol=1e-10, solver="working_set", **options)
    gram = path(X, y, tol=1e-10, solver="gram", **options)
    assert gram.report.mode == "gram"
    assert sets.df.max() > 2 * len(y)
    size = np.abs(gram.coefs.toarray()).max()
    np.testing.assert_allclose(
        sets.coefs.toarray(), gram.coefs.toarray(), rtol=1e-6, atol=1e-8 * size
    )


@pytest.mark.parametrize("spread", ["even", "uneven"])
def test_kinks_near_and_far_of_a_wide_elastic_net(spread: str) -> None:
    """Large and small steps of alpha, bounds met: each answer is that of a fit alone."""
    X, y = ar(60, 1200, 0.7)
    rng = np.random.default_rng(11)
    bounds = {"lower": -rng.random(1200) * 0.05, "upper": rng.random(1200) * 0.05}
    most = path(X, y, penalty=ElasticNet(l1_ratio=0.05, **bounds), n_alphas=1).alphas[0]
    ratios = np.geomspace(1, 1e-3, 25) if spread == "even" else [1, 0.99, 0.3, 0.29, 0.02, 0.0199]
    alphas = most * np.asarray(ratios)
    options: dict[str, Any] = {"tol": TIGHT, "solver": "working_set"}
    fitted = path(X, y, penalty=ElasticNet(l1_ratio=0.05, **bounds), alphas=alphas, **options)
    assert set(fitted.statuses) == {"optimal"}
    assert fitted.df.max() > 2 * len(y)
    for k in (len(alphas) // 2, len(alphas) - 1):
        penalty = ElasticNet(float(alphas[k]), 0.05, **bounds)
        alone = solve(X, y, penalty=penalty, **options)
        coef = fitted.coefs[:, [k]].toarray().ravel()
        np.testing.assert_allclose(coef, alone.coef, rtol=1e-7, atol=1e-10)
        proof = verify(X, y, coef, fitted.intercepts[k], penalty=penalty)
        assert proof.relative_gap <= TIGHT
        assert proof.kkt_violation <= 1e-10


def test_the_path_of_a_wide_elastic_net_is_followed_straight_on() -> None:
    """A step along the last one spares Newton's first: 164 systems for 100 alphas, 239 without."""
    X, y = ar(100, 1500, 0.5)
    penalty = ElasticNet(l1_ratio=0.05)
    report = path(X, y, penalty=penalty, alpha_min_ratio=1e-2, solver="working_set").report
    assert report.n_solves <= 190


@pytest.mark.parametrize("seed", [3, 7, 21, 57])
@pytest.mark.parametrize("ends", [(), ("lower", "upper", "weights")])
def test_wide_elastic_nets_tell_the_gap_they_have(seed: int, ends: tuple[str, ...]) -> None:
    """Few rows, many alphas, features on their bounds: correlations followed from one alpha to the
    next drift by rounding alone."""
    rng = np.random.default_rng(seed)
    n, p = int(rng.integers(5, 40)), int(rng.integers(200, 400))
    X = rng.standard_normal((n, p))
    X[:, 10:20] = X[:, :10]
    y = X[:, :10] @ rng.standard_normal(10) + rng.standard_normal(n)
    made = {"lower": -0.1 * rng.random(p), "upper": 0.1 * rng.random(p)}
    kinds = {name: made.get(name, rng.random(p) + 0.05) for name in ends}
    fitted = path(
        X,
        y,
        penalty=ElasticNet(l1_ratio=0.05, **kinds),
        alpha_min_ratio=1e-4,
        tol=TIGHT,
        solver="working_set",
    )
    assert fitted.df.max() > 2 * n
    for k, alpha in enumerate(fitted.alphas):
        coef = fitted.coefs[:, [k]].toarray().ravel()
        penalty = ElasticNet(alpha, 0.05, **kinds)
        judged = verify(X, y, coef, fitted.intercepts[k], penalty=penalty)
        assert judged.relative_gap < 1e-13
        assert abs(fitted.relative_gaps[k] - judged.relative_gap) < 1e-13
        assert abs(fitted.kkt_violations[k] - judged.kkt_violation) < 1e-12


def test_stops_between_alphas_keep_what_is_proven() -> None:
    X, y = ar(100, 2000, 0.5)
    seen: list[int] = []

    def stop(progress: Any) -> bool:
        seen.append(progress.step)
        return progress.step >= 12

    cut = path(X, y, callback=stop, solver="working_set")
    assert cut.stopped
    assert len(cut.alphas) == 12
    assert seen == list(range(1, 13))
    judged(X, y, cut)


def test_a_time_limit_is_kept() -> None:
    X, y = ar(300, 20000, 0.9)
    with pytest.warns(ConvergenceWarning, match="max_time"):
        cut = path(X, y, max_time=0.02, solver="working_set")
    assert cut.report.seconds < 1.0
    assert len(cut.alphas) >= 1


@pytest.mark.filterwarnings("ignore::regsolve.ConvergenceWarning")  # rounding hides the proof
@pytest.mark.parametrize("factor", [1e-310, 1e-200, 1e-8])
def test_a_feature_of_almost_no_factor(factor: float) -> None:
    """At 1e-310 alpha_max is infinite; no path comes down from there."""
    X, y = ar(60, 900, 0.5)
    weights = np.ones(900)
    weights[500] = factor
    found = solve(X, y, penalty=L1(0.1, weights=weights), max_time=20.0)
    assert found.status == ("optimal" if factor > 1e-14 else "stalled")
    assert found.report.mode == "working_set"
    assert found.report.n_solves < 100
    free = solve(X, y, penalty=L1(0.1, weights=np.where(weights < 1.0, 0.0, 1.0)))
    np.testing.assert_allclose(found.coef, free.coef, atol=1e-6)


@pytest.mark.filterwarnings("ignore::regsolve.ConvergenceWarning")
@pytest.mark.parametrize("factor", [1e-310, 1e-30, 1e-15])
def test_a_correlation_that_is_zero_by_chance_proves_nothing(factor: float) -> None:
    """Rounding alone says whether a threshold is met that is lost in it."""
    X, y = ar(60, 900, 0.5)
    weights = np.ones(900)
    weights[500] = factor
    penalty = L1(0.1, weights=weights)
    for seed in range(12):
        noisy = y + np.random.default_rng(seed).standard_normal(60)
        found = solve(X, noisy, penalty=penalty)
        proof = verify(X, noisy, found.coef, found.intercept, penalty=penalty)
        assert found.status == "stalled" or proof.relative_gap < 1e-6


def test_an_l1_ratio_of_almost_nothing() -> None:
    X, y = ar(60, 300, 0.5)
    found = solve(X, y, penalty=ElasticNet(0.1, 1e-310), solver="working_set", max_time=20.0)
    assert found.status == "optimal"
    np.testing.assert_allclose(found.coef, solve(X, y, penalty=L2(0.1)).coef, atol=1e-6)


def test_coordinate_descent_takes_over_where_memory_ends() -> None:
    X, y = ar(150, 1500, 0.5)
    options: dict[str, Any] = {"n_alphas": 30, "alpha_min_ratio": 5e-2, "tol": 1e-8}
    roomy = path(X, y, solver="working_set", **options)
    tight = path(X, y, solver="working_set", max_memory=1.5 * 8 * 120**2, **options)
    assert roomy.report.mode == "working_set"
    assert tight.report.mode == "residual"
    assert "took over" in tight.report.why
    assert tight.converged
    np.testing.assert_allclose(
        tight.coefs.toarray(), roomy.coefs.toarray(), atol=1e-3 * np.abs(roomy.coefs).max()
    )


def test_coordinate_descent_takes_over_where_systems_cost_more() -> None:
    n, p = 3000, 6000
    rng = np.random.default_rng(0)
    X = sparse.random(n, p, 0.002, format="csc", random_state=0)
    y = X @ rng.standard_normal(p) + 0.1 * rng.standard_normal(n)
    fitted = path(X, y, n_alphas=20, alpha_min_ratio=1e-2, tol=1e-6)
    assert fitted.report.mode == "residual"
    assert "took over" in fitted.report.why
    assert fitted.report.n_solves >= 1
    last = fitted.coefs[:, [-1]].toarray().ravel()
    assert np.count_nonzero(last) > 0.8 * n
    proof = verify(X, y, last, fitted.intercepts[-1], penalty=L1(fitted.alphas[-1]))
    assert proof.relative_gap <= 1e-6


def test_descent_leaves_sets_that_lack_features_early() -> None:
    n_epochs = 0
    for seed in range(3):
        X, y = words(1000, 4000, seed)
        alpha = 0.03 * path(X, y, n_alphas=1).alpha_max
        found = solve(X, y, penalty=L1(alpha), solver="cd")
        assert found.certificate.relative_gap <= 1e-6
        n_epochs += found.report.n_epochs
    assert n_epochs < 1000  # 1,460 where each set is solved


def test_coordinate_descent_goes_down_to_one_far_alpha() -> None:
    X, y = words(1000, 4000)
    alpha = 0.03 * path(X, y, n_alphas=1).alpha_max
    found = solve(X, y, penalty=L1(alpha), tol=TIGHT)
    direct = solve(X, y, penalty=L1(alpha), solver="working_set")
    assert found.report.mode == "residual"
    assert "took over" in found.report.why
    assert found.report.n_solves < 0.6 * direct.report.n_solves
    assert verify(X, y, found.coef, found.intercept, penalty=L1(alpha)).relative_gap <= TIGHT
    np.testing.assert_allclose(found.coef, direct.coef, atol=1e-3 * np.abs(direct.coef).max())


def test_the_direct_solver_goes_on_where_descent_is_slow() -> None:
    X, y = moving_windows(1000, 1000, 40)
    alpha = 1e-3 * path(X, y, n_alphas=1).alpha_max
    found = solve(X, y, penalty=L1(alpha))
    assert found.report.mode == "working_set"
    assert "coordinate descent was tried" in found.report.why
    assert found.report.n_epochs < 2000
    assert verify(X, y, found.coef, found.intercept, penalty=L1(alpha)).relative_gap <= TIGHT


@pytest.mark.parametrize("shares", [[0.4, 0.39, 0.38, 0.02, 0.019], [0.9, 0.02], [0.3, 0.05, 0.01]])
def test_answers_that_wait_are_told_before_a_far_alpha(shares: list[float]) -> None:
    X, y = words(1000, 4000)
    alphas = np.array(shares) * path(X, y, n_alphas=1).alpha_max
    found = path(X, y, alphas=alphas)
    assert found.report.mode == "residual"
    np.testing.assert_array_equal(found.alphas, alphas)
    for k, alpha in enumerate(alphas):
        coef = found.coefs[:, [k]].toarray().ravel()
        proof = verify(X, y, coef, found.intercepts[k], penalty=L1(alpha))
        assert proof.relative_gap <= 1e-6


@pytest.mark.parametrize("design", [ar, genotypes])
def test_many_features_leave_by_one_linear_system(design: Callable[..., Any]) -> None:
    X, y = design(200, 1500, 0.95) if design is ar else design(200, 1500)
    alpha = 0.01 * path(X, y, n_alphas=1).alpha_max
    one = solve(X, y, penalty=L1(alpha), tol=1e-9, solver="working_set")
    assert one.certificate.relative_gap <= 1e-9
    assert one.report.n_solves < np.count_nonzero(one.coef)


@pytest.mark.parametrize("ratio", [1.0, 0.05])
@pytest.mark.parametrize("name", DESIGNS)
def test_coef_init_at_the_answer_is_proven_without_a_step(name: str, ratio: float) -> None:
    X, y = DESIGNS[name]()
    alpha = 0.05 * path(X, y, penalty=ElasticNet(1.0, ratio), n_alphas=1).alpha_max
    penalty = ElasticNet(alpha, ratio)
    cold = solve(X, y, penalty=penalty, tol=TIGHT, solver="working_set")
    again = solve(X, y, penalty=penalty, tol=TIGHT, solver="working_set", coef_init=cold.coef)
    assert again.report.n_solves == 0
    assert again.report.n_passes < cold.report.n_passes + 0.5
    np.testing.assert_allclose(again.coef, cold.coef, atol=1e-12 * np.abs(cold.coef).max())
    assert verify(X, y, again.coef, again.intercept, penalty=penalty).relative_gap <= TIGHT


STARTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "near": lambda coef: 0.95 * coef,
    "far": lambda coef: 1e3 * np.random.default_rng(0).standard_normal(len(coef)),
    "one": lambda coef: np.eye(1, len(coef), 7)[0],
    "huge": lambda coef: np.full(len(coef), 1e200),
    "zero": np.zeros_like,
}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("ratio", [1.0, 0.05])
def test_any_coef_init_gives_the_same_answer(start: str, ratio: float) -> None:
    """With features free, left out and bounded, some starts outside the bounds."""
    X, y = ar(120, 2000, 0.9)
    weights = np.ones(2000)
    weights[:3], weights[3:50] = 0.0, np.inf
    upper = np.full(2000, np.inf)
    upper[50:90] = 0.05
    alpha = 0.05 * path(X, y, penalty=ElasticNet(1.0, ratio), n_alphas=1).alpha_max
    penalty = ElasticNet(alpha, ratio, weights=weights, upper=upper)
    options = {"penalty": penalty, "tol": TIGHT, "solver": "working_set"}
    cold = solve(X, y, **options)
    warm = solve(X, y, coef_init=STARTS[start](cold.coef), **options)
    assert warm.status == "optimal"
    assert verify(X, y, warm.coef, warm.intercept, penalty=penalty).relative_gap <= TIGHT
    np.testing.assert_allclose(warm.coef, cold.coef, atol=1e-6 * np.abs(cold.coef).max())
    if start == "near":
        assert warm.report.n_passes < cold.report.n_passes
        assert warm.report.n_solves < cold.report.n_solves


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("n", [2, 5, 30])
def test_working_sets_wider_than_their_rows_give_the_gram_solution(n: int, positive: bool) -> None:
    """The direct solver takes those features only that may move, a start and free ones included."""
    X, y = equicorrelated(n, 300)
    weights = np.ones(300)
    weights[: n // 10] = 0.0
    penalty = L1(weights=weights, positive=positive)
    options = {"penalty": penalty, "tol": TIGHT, "n_alphas": 30, "alpha_min_ratio": 1e-3}
    gram, fitted = (path(X, y, solver=solver, **options) for solver in ("gram", "working_set"))
    assert fitted.report.working_set_size > n
    assert set(fitted.statuses) == {"optimal"}
    starts = [None, np.random.default_rng(n).standard_normal(300), gram.coefs.toarray()[:, 20]]
    for k, alpha in enumerate(gram.alphas):
        at = L1(alpha, weights=weights, positive=positive)
        answers = [(fitted.coefs[:, [k]].toarray().ravel(), fitted.intercepts[k])]
        for start in starts if k == 15 else ():
            one = solve(X, y, penalty=at, tol=TIGHT, solver="working_set", coef_init=start)
            answers.append((one.coef, one.intercept))
        fit = X @ gram.coefs[:, [k]].toarray().ravel() + gram.intercepts[k]
        for coef, intercept in answers:
            assert verify(X, y, coef, intercept, penalty=at).relative_gap <= TIGHT
            np.testing.assert_allclose(X @ coef + intercept, fit, atol=1e-4 * np.ptp(y) + 1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_elastic_nets_of_columns_in_many_units_are_solved_on_coarse_grids(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    X = rng.standard_normal((60, 2000))
    for j in range(1, 2000):
        X[:, j] = 0.95 * X[:, j - 1] + np.sqrt(1.0 - 0.95**2) * X[:, j]
    X *= 10.0 ** rng.uniform(-2.0, 2.0, 2000)
    y = X[:, rng.choice(2000, 8)] @ rng.standard_normal(8) + 0.5 * rng.standard_normal(60)
    for ratio in (0.9, 0.05):
        fitted = path(X, y, penalty=ElasticNet(1.0, ratio), n_alphas=8, alpha_min_ratio=1e-2)
        assert fitted.converged
        assert np.all(fitted.objectives <= (1.0 + 1e-9) * fitted.null_objective)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_readings_leave_out_what_the_set_knows_itself(dtype: Any) -> None:
    """Of columns that lie one by one; rows are read whole, and say the same."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((30, 240))
    y = X @ rng.standard_normal(240) * 0.1 + rng.standard_normal(30)
    X = X.astype(dtype)
    options: dict[str, Any] = {"alpha_min_ratio": 1e-3, "solver": "working_set", "tol": 1e-9}
    columns = path(np.asfortranarray(X), y, **options)
    rows = path(np.ascontiguousarray(X), y, **options)
    assert set(columns.statuses) == set(rows.statuses) == {"optimal"}
    np.testing.assert_allclose(columns.objectives, rows.objectives, rtol=1e-9, atol=1e-12)
    assert columns.report.n_passes < rows.report.n_passes
    coef, alpha = columns.coefs[:, [-1]].toarray().ravel(), float(columns.alphas[-1])
    judged = verify(X, y, coef, columns.intercepts[-1], penalty=L1(alpha))
    assert judged.relative_gap <= 1e-8

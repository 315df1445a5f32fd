"""Weight decay, early stopping and proximal steps: where they end, and each step on the way."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

import regsolve
from regsolve.certificate import verify
from regsolve.penalties import L1, L2, ElasticNet
from regsolve.views.filters import (
    early_stopping,
    filter_difference,
    largest_step,
    ridge_alpha,
    spectral_filter,
)
from regsolve.views.weight_decay import gradient_descent, limit_penalty, proximal_descent

Problem = dict[str, Any]
KINDS = ["plain", "origin", "weighted", "sparse", "wide"]
DECAYS: list[dict[str, Any]] = [
    {"momentum": momentum, "decoupled": decoupled}
    for momentum in (0.0, 0.5, 0.9)
    for decoupled in (False, True)
]


def problem(kind: str, seed: int = 0) -> Problem:
    """Data far from the origin, so that a penalised or misplaced intercept would show."""
    rng = np.random.default_rng(seed)
    n, p = (8, 20) if kind == "wide" else (60, 6)
    X: Any = rng.normal(size=(n, p)) @ (np.eye(p) + 0.4) / 2.0 + rng.normal(size=p)
    y = X[:, :4] @ [3.0, -2.0, 0.0, 1.0] + rng.normal(size=n) + 50.0 * (kind != "origin")
    if kind == "sparse":
        X = sparse.csr_matrix(np.where(rng.random(X.shape) < 0.5, X, 0.0))
    weight = rng.integers(0, 4, n).astype(float) if kind == "weighted" else None
    return {"X": X, "y": y, "sample_weight": weight, "fit_intercept": kind != "origin"}


def rows_of(given: Problem) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The centred problem by the textbook: rows repeated as often as their weights say."""
    X = given["X"].toarray() if sparse.issparse(given["X"]) else given["X"]
    times = np.ones(len(X), dtype=int) if given["sample_weight"] is None else given["sample_weight"]
    X, y = np.repeat(X, times.astype(int), axis=0), np.repeat(given["y"], times.astype(int))
    return (X - X.mean(axis=0), y - y.mean()) if given["fit_intercept"] else (X, y)


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_weight_decay_ends_at_the_ridge_it_names(kind: str, decay: Any) -> None:
    given = problem(kind)
    run = gradient_descent(**given, alpha=0.3, n_steps=20_000, record_every=5_000, **decay)
    wanted = 0.3 * (1.0 - decay["momentum"]) if decay["decoupled"] else 0.3
    assert run.penalty.alpha == pytest.approx(wanted, rel=1e-15)
    judged = verify(**given, coef=run.coefs[-1], intercept=run.intercepts[-1], penalty=L2(wanted))
    assert judged.relative_gap < 1e-12
    assert judged == run.certificate
    ridge = regsolve.solve(**given, penalty=L2(wanted))
    np.testing.assert_allclose(run.coefs[-1], ridge.coef, rtol=1e-9, atol=1e-11)
    assert run.intercepts[-1] == pytest.approx(ridge.intercept, rel=1e-10, abs=1e-12)


def test_coupled_and_decoupled_agree_without_momentum_and_part_with_it() -> None:
    given = problem("plain")
    for momentum, same in ((0.0, True), (0.9, False)):
        coupled, decoupled = (
            gradient_descent(**given, alpha=0.5, momentum=momentum, decoupled=d, step_size=0.1)
            for d in (False, True)
        )
        apart = np.abs(coupled.coefs - decoupled.coefs).max() / np.abs(coupled.coefs).max()
        assert apart < 1e-14 if same else apart > 0.1


@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_iterate_is_its_spectral_filter(kind: str, decay: Any) -> None:
    given = problem(kind)
    X, y = rows_of(given)
    run = gradient_descent(**given, alpha=0.2, n_steps=203, record_every=7, **decay)
    np.testing.assert_array_equal(run.steps, [*range(0, 203, 7), 203])
    U, singular, Vt = np.linalg.svd(X / np.sqrt(len(y)), full_matrices=False)
    values = singular**2
    np.testing.assert_allclose(run.eigenvalues[: len(values)], values, atol=1e-13 * values[0])
    used = singular > 1e-12 * singular[0]
    free = np.where(used, U.T @ y / np.sqrt(len(y)) / np.where(used, singular, 1.0), 0.0)
    filters = spectral_filter(values, run.steps, run.step_size, alpha=0.2, **decay)
    expected = (filters * free) @ Vt
    np.testing.assert_allclose(run.coefs, expected, atol=1e-13 * np.abs(expected).max())
    assert run.filters is not None
    np.testing.assert_allclose(run.filters[:, : len(values)][:, used], filters[:, used], atol=1e-12)
    residuals = y[None] - run.coefs @ X.T
    np.testing.assert_allclose(run.losses, 0.5 * np.mean(residuals**2, axis=1), rtol=1e-12)
    penalties = 0.5 * run.penalty.alpha * np.sum(run.coefs**2, axis=1)
    np.testing.assert_allclose(run.objectives, run.losses + penalties, rtol=1e-12)


@pytest.mark.parametrize(("momentum", "decoupled"), [(0.3, False), (0.9, True)])
def test_one_dimension_with_momentum_has_a_closed_form(momentum: float, decoupled: bool) -> None:
    """e_t = (A r1^t + B r2^t) from the roots of the characteristic polynomial, by hand."""
    x = np.array([1.0, -2.0, 0.5, 3.0])
    y, eta, alpha = 2.0 * x, 0.05, 0.4
    run = gradient_descent(
        x[:, None], y, alpha=alpha, momentum=momentum, decoupled=decoupled, step_size=eta,
        n_steps=60, fit_intercept=False,
    )  # fmt: skip
    curvature = np.mean(x**2)
    kept, decay = (1.0 - eta * alpha, 0.0) if decoupled else (1.0, alpha)
    trace, determinant = kept + momentum - eta * (curvature + decay), momentum * kept
    r1, r2 = np.roots([1.0, -trace, determinant]).astype(complex)
    rest = 2.0 * curvature / (curvature + (alpha * (1.0 - momentum) if decoupled else alpha))
    first = 1.0 - eta * 2.0 * curvature / rest
    A = (first - r2) / (r1 - r2)
    errors = A * r1**run.steps + (1.0 - A) * r2**run.steps
    np.testing.assert_allclose(run.coefs[:, 0], rest * (1.0 - errors.real), atol=1e-13)


def test_double_root_needs_no_special_case() -> None:
    """eta l = (1 - sqrt(beta))^2 makes both roots sqrt(beta): e_t = (1 + c t) sqrt(beta)^t."""
    beta, curvature = 0.25, 2.0
    eta = (1.0 - np.sqrt(beta)) ** 2 / curvature
    t = np.arange(30)
    slope = (1.0 - eta * curvature) / np.sqrt(beta) - 1.0
    expected = 1.0 - (1.0 + slope * t) * np.sqrt(beta) ** t
    filters = spectral_filter([curvature], t, eta, momentum=beta)[:, 0]
    np.testing.assert_allclose(filters, expected, atol=1e-14)


def test_filter_of_small_eigenvalues_is_accurate() -> None:
    filters = spectral_filter([1e-20, 0.0], [5], 1.0)
    np.testing.assert_allclose(filters, [[5e-20, 0.0]], rtol=1e-14)


def test_one_batch_of_all_rows_is_full_descent() -> None:
    given = problem("plain")
    full = gradient_descent(**given, alpha=0.1, momentum=0.5)
    for size in (60, 1000):
        batch = gradient_descent(**given, alpha=0.1, momentum=0.5, batch_size=size, random_state=9)
        np.testing.assert_array_equal(batch.coefs, full.coefs)


def test_batches_are_those_of_numpy() -> None:
    """Two passes written out: a new permutation each, the last batch of a pass shorter."""
    given = problem("weighted", seed=4)
    X, y, s = given["X"], given["y"], given["sample_weight"]
    means, scale = np.average(X, axis=0, weights=s), np.sqrt(s / s.mean())
    Xc, yc = scale[:, None] * (X - means), scale * (y - np.average(y, weights=s))
    run = gradient_descent(
        **given, alpha=0.1, momentum=0.3, step_size=0.01, n_steps=9, batch_size=16, random_state=5
    )
    rng, w, v, expected = np.random.default_rng(5), np.zeros(6), np.zeros(6), [np.zeros(6)]
    while len(expected) < 10:
        order = rng.permutation(60)
        for batch in (order[k : k + 16] for k in range(0, 60, 16)):
            slope = Xc[batch].T @ (Xc[batch] @ w - yc[batch]) / len(batch)
            v = 0.3 * v + slope + 0.1 * w
            w = w - 0.01 * v
            expected.append(w)
    np.testing.assert_allclose(run.coefs, expected[:10], rtol=1e-12, atol=1e-13)
    assert run.filters is None


def test_same_seed_same_bits_and_a_smaller_cloud_for_smaller_steps() -> None:
    given = problem("plain")
    options: dict[str, Any] = {"alpha": 0.2, "batch_size": 5, "n_steps": 20_000}
    one, two, other = (
        gradient_descent(**given, **options, random_state=seed).coefs for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    ridge = regsolve.solve(**given, penalty=L2(0.2)).coef
    clouds = []
    for step_size in (0.04, 0.008):
        run = gradient_descent(**given, **options, step_size=step_size)
        tail = run.coefs[10_000:]
        clouds.append(np.sqrt(np.mean((tail - ridge) ** 2)))
        assert np.abs(tail.mean(axis=0) - ridge).max() < 0.1 * np.abs(ridge).max()
    assert clouds[1] < 0.5 * clouds[0]


@pytest.mark.parametrize("decay", DECAYS)
def test_the_largest_step_is_where_divergence_begins(decay: Any) -> None:
    curvature, alpha = 3.0, 0.7
    limit = largest_step(curvature, alpha, **decay)
    for share, dies in ((0.999, True), (1.001, False)):
        late = spectral_filter([curvature], [20_000], share * limit, alpha=alpha, **decay)
        end = curvature / (curvature + ridge_alpha(alpha, **decay))
        assert (abs(late[0, 0] - end) < 1e-3) == dies


@pytest.mark.parametrize("decay", DECAYS)
def test_steps_beyond_the_limit_are_refused(decay: Any) -> None:
    given = problem("plain")
    values = gradient_descent(**given, n_steps=1).eigenvalues
    limit = largest_step(float(values[0]), 0.5, **decay)
    run = gradient_descent(
        **given, alpha=0.5, step_size=0.99 * limit, n_steps=50_000, record_every=50_000, **decay
    )
    assert run.certificate.relative_gap < 1e-9
    with pytest.raises(ValueError, match="or the steps diverge"):
        gradient_descent(**given, alpha=0.5, step_size=1.001 * limit, **decay)


@pytest.mark.parametrize("n_steps", [40, 20_000])
def test_diverging_batches_are_flagged(n_steps: int) -> None:
    """A few long rows: batches that hold one diverge although full descent would not."""
    given = problem("origin")
    given["X"][:2] *= 40.0
    values = gradient_descent(**given, n_steps=1).eigenvalues
    with pytest.warns(ConvergenceWarning, match="the steps diverged: step_size="):
        run = gradient_descent(
            **given, step_size=1.5 / values[0], batch_size=1, n_steps=n_steps, record_every=10
        )
    assert run.status == "diverged"
    assert np.isfinite(run.coefs).all()
    assert np.isfinite(run.objectives).all()
    assert len(run.steps) == len(run.coefs) == len(run.losses)
    safe = gradient_descent(**given, batch_size=1, n_steps=n_steps)
    assert safe.status == "finished"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("accelerated", [False, True])
@pytest.mark.parametrize(
    "penalty",
    [
        L1(0.4),
        L1(0.4, positive=True),
        ElasticNet(0.5, 0.7, lower=-1.0, upper=2.0),
        L2(0.2),
        L1(0.3, weights=[0.0, 1.0, 2.0, np.inf, 1.0, 0.5]),
    ],
)
def test_proximal_steps_end_at_the_certified_answer(
    kind: str, accelerated: bool, penalty: Any
) -> None:
    if kind == "wide" and penalty.weights is not None:
        penalty = L1(0.3, weights=np.tile([1.0, 2.0, np.inf, 0.5], 5))
    given = problem(kind)
    run = proximal_descent(
        **given, penalty=penalty, accelerated=accelerated, n_steps=20_000, record_every=20_000
    )
    assert run.certificate.relative_gap < 1e-9
    answer = regsolve.solve(**given, penalty=penalty)
    assert answer.certificate.primal == pytest.approx(run.objectives[-1], rel=1e-10)
    np.testing.assert_allclose(run.coefs[-1], answer.coef, atol=1e-6)
    np.testing.assert_array_equal(run.coefs[-1] == 0.0, answer.coef == 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_proximal_steps_keep_their_promised_pace(seed: int) -> None:
    given, penalty = problem("plain", seed), L1(0.3)
    best = regsolve.solve(**given, penalty=penalty, tol=1e-12)
    distance = float(best.coef @ best.coef)
    for accelerated in (False, True):
        run = proximal_descent(**given, penalty=penalty, accelerated=accelerated, n_steps=300)
        t, curvature = run.steps[1:], run.eigenvalues[0]
        bound = curvature * distance * (2.0 / (t + 1.0) ** 2 if accelerated else 0.5 / t)
        excess = run.objectives[1:] - best.certificate.dual
        assert (excess <= bound + 1e-10 * run.objectives[0]).all()
        if not accelerated:
            assert (np.diff(run.objectives) <= 1e-12 * run.objectives[0]).all()


def test_one_proximal_step_is_the_penalty_s_prox() -> None:
    given, penalty = problem("plain"), ElasticNet(0.8, 0.6, lower=-0.2)
    X, y = rows_of(given)
    run = proximal_descent(**given, penalty=penalty, step_size=0.05, n_steps=1)
    np.testing.assert_allclose(run.coefs[1], penalty.prox(0.05 * X.T @ y / len(y), 0.05))


def test_ridge_by_proximal_steps_is_ridge_by_weight_decay() -> None:
    given = problem("plain")
    ends = [
        proximal_descent(**given, penalty=L2(0.3), n_steps=5_000).coefs[-1],
        gradient_descent(**given, alpha=0.3, n_steps=5_000).coefs[-1],
    ]
    np.testing.assert_allclose(*ends, rtol=1e-10)


@pytest.mark.parametrize("n_steps", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_early_stopping_is_almost_ridge(kind: str, n_steps: int) -> None:
    given = problem(kind)
    both = early_stopping(**given, n_steps=n_steps)
    assert both.alpha == pytest.approx(1.0 / (both.step_size * n_steps))
    run = gradient_descent(**given, n_steps=n_steps, step_size=both.step_size)
    np.testing.assert_allclose(both.descent_coef, run.coefs[-1], rtol=1e-8, atol=1e-10)
    assert both.descent_intercept == pytest.approx(run.intercepts[-1])
    ridge = regsolve.solve(**given, penalty=L2(both.alpha))
    np.testing.assert_allclose(both.ridge_coef, ridge.coef, rtol=1e-8, atol=1e-10)
    assert both.ridge_intercept == pytest.approx(ridge.intercept)
    apart = np.abs(both.descent_filter - both.ridge_filter).max()
    assert both.largest_difference == apart <= both.bound + 1e-15


@pytest.mark.parametrize("n_steps", [1, 2, 3, 7, 100, 10_000, None])
def test_largest_difference_of_the_filters_is_exact(n_steps: int | None) -> None:
    """A grid never exceeds the value, comes near it, and is attained where it says."""
    difference, place = filter_difference(n_steps)

    def apart(x: NDArray[np.float64]) -> NDArray[np.float64]:
        left = np.exp(-x) if n_steps is None else (1.0 - x / n_steps) ** n_steps
        return np.asarray(1.0 / (1.0 + x) - left)

    grid = apart(np.linspace(0.0, 50.0 if n_steps is None else min(n_steps, 50.0), 200_001))
    assert grid.max() <= difference + 1e-12
    assert grid.max() == pytest.approx(difference, abs=1e-7)
    assert apart(np.array([place]))[0] == pytest.approx(difference, abs=1e-11)
    assert grid.min() >= -1e-12


def test_more_steps_differ_less_and_tend_to_the_flow() -> None:
    differences = [filter_difference(t)[0] for t in (1, 2, 5, 50, 500, 500_000)]
    assert (np.diff(differences) < 0.0).all()
    assert differences[-1] == pytest.approx(filter_difference(None)[0], abs=1e-6)
    assert filter_difference(None)[0] == pytest.approx(0.2036, abs=5e-5)


def test_bad_arguments_are_refused() -> None:
    given = problem("plain")
    bad: list[tuple[Any, dict[str, Any], str]] = [
        (gradient_descent, {"momentum": 1.0}, "momentum"),
        (gradient_descent, {"momentum": np.nan}, "momentum"),
        (gradient_descent, {"alpha": -1.0}, "alpha"),
        (gradient_descent, {"step_size": 0.0}, "step_size"),
        (gradient_descent, {"n_steps": 0}, "n_steps"),
        (gradient_descent, {"record_every": 0}, "record_every"),
        (gradient_descent, {"batch_size": 2.5}, "batch_size"),
        (proximal_descent, {"penalty": L1(), "step_size": 1e9}, "or the steps diverge"),
        (early_stopping, {"n_steps": 3, "step_size": 1e9}, "beyond 1 / L"),
        (early_stopping, {"n_steps": 0}, "n_steps"),
    ]
    for function, options, reason in bad:
        with pytest.raises(ValueError, match=reason):
            function(**given, **options)
    with pytest.raises(TypeError, match="expected L1, L2 or ElasticNet"):
        proximal_descent(**given, penalty="l1")
    for options in ({"decoupled": "no"}, {"fit_intercept": "x"}, {"momentum": "a"}):
        with pytest.raises(TypeError, match=next(iter(options))):
            gradient_descent(**{**given, **options})
    for value in ("a", None, [0.5], 0.5j, True):
        for function in (limit_penalty, ridge_alpha, largest_step):
            with pytest.raises(TypeError, match="momentum="):
                function(0.1, momentum=value)
        with pytest.raises(TypeError, match="momentum="):
            spectral_filter([1.0], [2], 0.1, momentum=value)
    assert limit_penalty(0.1, momentum=np.float32(0.5), decoupled=True).alpha == 0.05
    with pytest.raises(TypeError, match="accelerated"):
        proximal_descent(**given, penalty=L1(), accelerated="no")
    with pytest.raises(TypeError, match="decoupled"):
        limit_penalty(0.1, decoupled="no")
    with pytest.raises(ValueError, match="eigenvalues must be >= 0"):
        spectral_filter([-1.0], [1], 0.1)
    with pytest.raises(ValueError, match="steps must be integers >= 0"):
        spectral_filter([1.0], [0.5], 0.1)


@pytest.mark.parametrize(
    ("X", "y", "reason"),
    [
        (np.ones((3, 2, 1)), np.ones(3), "3 dimensions"),
        (np.ones((0, 2)), np.ones(0), "at least one row"),
        (np.ones((3, 0)), np.ones(3), "at least one row and column|constant"),
        (np.array([["a"], ["b"]]), np.ones(2), "dtype"),
        (np.array([[1.0], [np.nan]]), np.ones(2), "column 0"),
        (np.array([[1.0], [2.0]]), np.ones(3), "y has 3 entries"),
        (np.array([[1.0], [2.0]]), np.array([1.0, np.inf]), "y contains NaN"),
        (np.array([[1e200], [-1e200]]), np.ones(2), "too large"),
    ],
)
def test_bad_data_are_refused(X: Any, y: Any, reason: str) -> None:
    for run in (gradient_descent, early_stopping):
        with pytest.raises(ValueError, match=reason):
            run(X, y, n_steps=3)


def test_flat_data_stay_at_zero() -> None:
    """Constant columns, one row, flat y: nothing to descend on, and no warning."""
    X = np.column_stack([np.full(5, 0.1), np.full(5, 7.0)])
    y = np.arange(5.0)
    for run in (
        gradient_descent(X, y, alpha=0.1),
        gradient_descent(X, y),
        gradient_descent(X[:1], y[:1]),
        gradient_descent(np.arange(5.0)[:, None], np.full(5, 3.0), momentum=0.5),
        proximal_descent(X, y, penalty=L1(0.1), accelerated=True),
    ):
        assert run.status == "finished"
        assert np.abs(run.coefs).max() < 1e-12
        assert run.intercepts[-1] == pytest.approx(np.mean(y) if run.losses[0] > 0 else 3.0, abs=3)
    with pytest.raises(ValueError, match="every column of X is constant"):
        early_stopping(X, y, 3)


def test_squares_below_the_smallest_number_do_no_harm() -> None:
    run = gradient_descent(1e-200 * np.arange(5.0)[:, None], np.arange(5.0), n_steps=10)
    assert run.status == "finished"
    assert np.isfinite(run.coefs).all()


def test_user_s_arrays_are_left_alone() -> None:
    given = problem("weighted")
    kept = {name: np.array(given[name]) for name in ("X", "y", "sample_weight")}
    for name in kept:
        given[name].setflags(write=False)
    gradient_descent(**given, batch_size=7)
    proximal_descent(**given, penalty=L1(0.1))
    for name, values in kept.items():
        np.testing.assert_array_equal(given[name], values)


def test_the_intercept_follows_y_and_the_weights_do_not() -> None:
    given = problem("plain")
    moved = {**given, "y": given["y"] + 1000.0}
    for one, two in (
        (gradient_descent(**given, alpha=2.0), gradient_descent(**moved, alpha=2.0)),
        (
            proximal_descent(**given, penalty=L1(1.0)),
            proximal_descent(**moved, penalty=L1(1.0)),
        ),
    ):
        np.testing.assert_allclose(two.coefs, one.coefs, atol=1e-10)
        np.testing.assert_allclose(two.intercepts, one.intercepts + 1000.0, rtol=1e-12)


def test_numba_waits_until_the_first_step() -> None:
    code = (
        "import sys, regsolve.views.weight_decay as wd\n"
        "assert 'numba' not in sys.modules and 'sklearn' not in sys.modules\n"
        "wd.limit_penalty(0.1), wd.spectral_filter([1.0], [3], 0.1)\n"
        "assert 'numba' not in sys.modules\n"
        "wd.gradient_descent([[0.0], [1.0]], [0.0, 1.0])\n"
        "assert 'numba' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    assert limit_penalty(1.0, momentum=0.75, decoupled=True).alpha == 0.25


def test_machine_code_need_not_be_kept() -> None:
    code = (
        "import numba.core.dispatcher as dispatcher, numpy as np\n"
        "def refuse(function):\n"
        "    raise RuntimeError('cannot cache function: no locator available')\n"
        "dispatcher.FunctionCache = refuse\n"
        "from regsolve.views import gradient_descent\n"
        "run = gradient_descent(np.arange(4.0)[:, None], np.arange(4.0))\n"
        "print(round(run.coefs[-1, 0], 9))\n"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, check=True, timeout=120, capture_output=True, text=True)
    assert done.stdout == "1.0\n"


def test_a_cloud_of_batches_is_no_divergence() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X, y = rng.standard_normal((12, 3)), rng.standard_normal(12)
        assert gradient_descent(X, y, batch_size=2).status == "finished"


def test_a_constant_target_needs_no_step() -> None:
    X = np.random.default_rng(1).standard_normal((7, 3))
    run = gradient_descent(X, np.full(7, 0.1), alpha=0.1, n_steps=50)
    assert run.certificate.relative_gap == 0.0


@pytest.mark.parametrize("alpha", [-1.0, float("nan"), float("inf")])
def test_strengths_of_decay_are_checked(alpha: float) -> None:
    for function in (ridge_alpha, limit_penalty, lambda alpha: largest_step(1.0, alpha)):
        with pytest.raises(ValueError, match="alpha"):
            function(alpha)
    with pytest.raises(ValueError, match=r"momentum=1\.0"):
        ridge_alpha(0.1, momentum=1.0)
    with pytest.raises(ValueError, match="curvature"):
        largest_step(-1.0)

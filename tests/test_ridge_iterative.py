"""Ridge regression by readings of X alone: proven, the same as by a factor, and sparing with X."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from regsolve import Ridge, verify
from regsolve.penalties import L2
from regsolve.ridge import design, fit_ridge, ridge_path
from regsolve.ridge.conjugate_gradients import sketch
from regsolve.ridge.design import Design, targets
from regsolve.ridge.krylov import Basis
from regsolve.ridge.normal import Normal

KINDS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "float32": lambda X: np.asarray(X, dtype=np.float32),
    "csc": sparse.csc_matrix,
    "csr": sparse.csr_array,
    "csc-float32": lambda X: sparse.csc_matrix(X.astype(np.float32)),
}
SHAPES = [(120, 40), (40, 120), (60, 60), (1, 3), (5, 1)]
SOLVERS = ["krylov", "conjugate_gradients"]


def _data(n: int, p: int, mean: float = 0.0) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng([n, p])
    X = rng.standard_normal((n, p)) * (rng.uniform(size=(n, p)) < 0.3) * rng.uniform(0.1, 3.0, p)
    X = X.astype(np.float32).astype(np.float64)
    return X + mean, rng.standard_normal((n, 11)) + 2.0, rng.uniform(size=n) + 0.01


def _normal(X: Any, Y: Any, s: Any = None, standardize: bool = False) -> Normal:
    from regsolve import _validate

    design = Design(_validate.design(X), X, s, True, standardize, 2)
    return Normal(design, targets(design, Y))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_every_pair_is_proven(n: int, p: int, kind: str, solver: str) -> None:
    """The judge finds the gap asked for; more targets than one reading serves, repeated pairs."""
    X, Y, s = _data(n, p, 0.0 if kind.startswith("cs") else 5.0)
    given = KINDS[kind](X)
    X = X.astype(np.float32).astype(np.float64) if "float32" in kind else X
    t = np.array([*range(11), 3, 3, 0])
    alphas = np.geomspace(1e-2, 1e2, len(t))[::-1].copy()
    for weight, intercept, standardize in ((None, True, False), (s, True, True), (s, False, False)):
        options = {"fit_intercept": intercept, "standardize": standardize}
        fitted = fit_ridge(
            given, Y, alphas, t, sample_weight=weight, solver=solver, tol=1e-9, **options
        )
        total = n if weight is None else weight.sum()
        assert set(fitted.statuses) == {"optimal"}
        for q, (alpha, target) in enumerate(zip(alphas, t, strict=True)):
            judged = verify(
                X,
                Y[:, target],
                fitted.coefs[:, q],
                fitted.intercepts[q],
                penalty=L2(alpha / total),
                sample_weight=weight,
                **options,
            )
            told = fitted.certificates[q]
            assert judged.relative_gap <= 1.0001e-9
            assert told.relative_gap <= 1e-9
            assert judged.gap <= told.gap + 1e-13 * np.sum(Y[:, target] ** 2)
            assert abs(judged.primal - told.primal) <= 1e-12 * np.sum(Y[:, target] ** 2)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("shape", [(400, 60), (60, 400)])
def test_same_as_by_a_factor(shape: tuple[int, int], solver: str) -> None:
    X, Y, _ = _data(*shape)
    alphas = np.geomspace(1e-1, 1e3, 30)
    ours = ridge_path(sparse.csc_matrix(X), Y[:, :3], alphas, solver=solver, tol=1e-14)
    direct = ridge_path(X, Y[:, :3], alphas, solver="eigen")
    np.testing.assert_allclose(ours.coefs, direct.coefs, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(ours.intercepts, direct.intercepts, rtol=1e-8)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "p"), [(50, 20), (20, 50)])
@pytest.mark.parametrize("cache", [design.CACHE, 0.0])
def test_the_operator_is_the_matrix(
    n: int, p: int, kind: str, standardize: bool, cache: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(design, "CACHE", cache)
    X, Y, s = _data(n, p)
    equations = _normal(KINDS[kind](X), Y, s, standardize)
    Z = np.sqrt(s)[:, None] * (X - s @ X / s.sum())
    if standardize:
        Z /= np.sqrt((Z**2).sum(axis=0) / s.sum())
    S = Z.T @ Z if n >= p else Z @ Z.T
    V = np.random.default_rng(0).standard_normal((len(S), 3))
    product = equations.apply(V)
    np.testing.assert_allclose(product, S @ V, rtol=1e-11, atol=1e-11 * np.abs(S).max())
    np.testing.assert_allclose(equations.diagonal(), np.diag(S), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(equations.trace, np.trace(S), rtol=1e-12)
    before = equations.design.passes
    equations.apply(V)
    stays = cache > 0.0 and kind in ("rows", "columns")
    assert equations.design.passes - before == pytest.approx(2.0 if stays else 1.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n", "p"), [(50, 20), (20, 50)])
@pytest.mark.parametrize("cache", [design.CACHE, 0.0])
def test_a_mean_costs_its_own_digits_once(
    n: int, p: int, kind: str, cache: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not twice: errors are of the order of mean times EPS, although S has squares of X."""
    monkeypatch.setattr(design, "CACHE", cache)
    X, Y, s = _data(n, p)
    mean = 2.0 ** (12 if "float32" in kind else 20)
    X = KINDS[kind](np.round(X * 2.0**8) / 2.0**8 + mean)  # exact in either precision
    equations = _normal(X, Y, s, False)
    dense = (X.toarray() if sparse.issparse(X) else X).astype(np.float64) - mean
    Z = np.sqrt(s)[:, None] * (dense - s @ dense / s.sum())
    S = Z.T @ Z if n >= p else Z @ Z.T
    V = np.random.default_rng(0).standard_normal((len(S), 3))
    error = np.abs(equations.apply(V) - S @ V).max()
    assert error <= 100.0 * mean * np.finfo(float).eps * np.abs(S).max()


def test_all_alphas_read_no_more_than_the_smallest() -> None:
    X, Y, _ = _data(300, 2000)
    X = sparse.csc_matrix(X)
    alphas = np.geomspace(1e-2, 1e4, 100)
    all_ = fit_ridge(X, Y[:, :1], alphas, solver="krylov", tol=1e-9).report
    one = fit_ridge(X, Y[:, :1], alphas[:1], solver="krylov", tol=1e-9).report
    assert all_.n_epochs == one.n_epochs
    assert all_.n_passes - one.n_passes <= 3 * 13  # their coefficients and proofs


def test_orthogonality_is_kept() -> None:
    """Eigenvalues far apart, on which plain Lanczos repeats itself."""
    L = np.concatenate([np.geomspace(1.0, 1e8, 60), np.linspace(0.0, 1.0, 340)])
    basis = Basis(np.full(400, 0.05), 400)
    for _ in range(250):
        basis.extend(L * basis.last)
    V = np.concatenate(basis.blocks)[: basis.count]
    assert np.abs(V @ V.T - np.eye(len(V))).max() < 1e-11
    loose = Basis(np.full(400, 0.05), 0)
    for _ in range(250):
        loose.extend(L * loose.last)
    assert len(loose.blocks) == 1
    assert loose.h[:20] == basis.h[:20]


def test_a_basis_that_does_not_fit_costs_steps_and_digits() -> None:
    from regsolve.ridge import krylov

    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 500)) * np.geomspace(1e-1, 1e1, 500)
    normal = _normal(sparse.csc_matrix(X), rng.standard_normal((300, 2)))
    a, t = np.array([0.1, 10.0, 0.1]), np.array([0, 0, 1])
    steps = []
    for kept, tol, reached in ((0.0, 1e-8, 1e-4), (1e9, 1e-10, 1e-10)):
        solved = krylov.solve(normal, a, t, tol, 20_000, kept, lambda *_: True)
        _, found = normal.prove(solved.C, a, t)
        assert np.all(2.0 * found.gap <= reached * normal.targets.square[t])
        steps.append(solved.steps)
    assert steps[1] <= 300 < steps[0]


def test_the_sketch_leaves_nothing_negative_and_speeds_up() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 80)) * np.geomspace(1e-1, 1e3, 80)
    X[:, :40] *= 1e-2
    normal = _normal(X, rng.standard_normal((2000, 1)))
    shared = sketch(normal, 32)
    S = normal.apply(np.eye(80))
    rest = np.linalg.eigvalsh(S - shared.F @ shared.F.T)
    assert rest[0] > -1e-8 * normal.trace
    assert np.all(shared.left >= 0.0)


def test_scaling_and_permuting_columns_scales_and_permutes_the_answer() -> None:
    X, Y, _ = _data(90, 200)
    X, order = sparse.csc_matrix(X), np.random.default_rng(0).permutation(200)
    for solver in SOLVERS:
        options = {"solver": solver, "tol": 1e-14}
        one = fit_ridge(X, Y, [0.5], **options).coefs
        np.testing.assert_allclose(
            fit_ridge(4.0 * X, Y, [8.0], **options).coefs, one / 4, atol=1e-7
        )
        permuted = fit_ridge(X[:, order], Y, [0.5], **options).coefs
        np.testing.assert_allclose(permuted, one[order], atol=1e-6)


def test_constant_targets_and_far_means() -> None:
    X, Y, _ = _data(50, 120, mean=1e6)
    Y[:, 1] = 3.0
    for solver in SOLVERS:
        fitted = fit_ridge(X, Y, [1.0, 1.0], [0, 1], solver=solver, tol=1e-6)
        assert fitted.statuses == ["optimal", "optimal"]
        assert np.all(fitted.coefs[:, 1] == 0.0)


def test_max_iter_is_told() -> None:
    X, Y, _ = _data(200, 300)
    for solver in SOLVERS:
        with pytest.warns(UserWarning, match="missed tol"):
            fitted = fit_ridge(X, Y, [1e-6], solver=solver, max_iter=3, tol=1e-9)
        assert fitted.statuses == ["max_iter"]


@pytest.mark.parametrize("solver", SOLVERS)
def test_bits_do_not_depend_on_threads(solver: str) -> None:
    X, Y, _ = _data(200, 500)
    X = sparse.csc_matrix(X)
    found = [fit_ridge(X, Y, [0.1], solver=solver, n_threads=k).coefs for k in (1, 2, 3)]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_auto_iterates_where_a_factor_costs_more() -> None:
    rng = np.random.default_rng(0)
    X = sparse.random_array((6000, 9000), density=1e-3, rng=rng, format="csc")
    y = rng.standard_normal((6000, 1))
    path = fit_ridge(X, y, np.geomspace(0.1, 100.0, 50), tol=1e-9)
    assert path.report.mode == "kernel-krylov"
    assert "predicted" in path.report.why
    assert path.report.n_epochs < 200
    assert fit_ridge(X[:, :300], y, [1.0]).report.mode.startswith("gram-")


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0])
def test_steps_of_lanczos_are_foreseen(power: float) -> None:
    """Eigenvalues that fall as a power of i: within a factor of two, long before the end."""
    from regsolve.ridge import costs, krylov

    rng, k = np.random.default_rng(3), 400
    Q, _ = np.linalg.qr(rng.standard_normal((600, k)))
    X = np.linalg.qr(rng.standard_normal((k, k)))[0] * np.arange(1.0, k + 1.0) ** (-power / 2.0)
    normal = _normal(sparse.csc_matrix(X @ Q.T), rng.standard_normal((k, 1)))
    told: list[float] = []

    def go_on(outlook: krylov.Outlook, _: Any) -> bool:
        told.append(costs.lanczos_steps(outlook.ritz, 1e-3, k, normal.trace, 1e-9))
        return True

    a, t = np.array([1e-3]), np.zeros(1, dtype=int)
    steps = krylov.solve(normal, a, t, 1e-9, k, 1e9, go_on, every=8).steps
    assert len(told) > 1
    assert 0.5 * steps < told[0] < 2.0 * steps


def test_a_plateau_is_waited_for_while_that_costs_little() -> None:
    """The first Ritz values foretell too many steps; a factor's seconds are known."""
    from regsolve.ridge.costs import TRIAL, Prospects, lanczos_step
    from regsolve.ridge.krylov import Outlook

    rng = np.random.default_rng(0)
    X = sparse.random_array((4000, 9000), density=2e-3, rng=rng, format="csc")
    normal = _normal(X, rng.standard_normal((4000, 1)))
    a, nobody = np.array([1e-9 * normal.trace / normal.size]), np.zeros(0, dtype=np.intp)
    ritz = np.geomspace(1.0, 0.5, 64) * normal.trace / normal.size
    spent = 64 * lanczos_step(normal, 64)
    for direct, best in ((2.0 * spent / TRIAL, "krylov"), (0.5 * spent / TRIAL, "direct")):
        prospects = Prospects(normal, a, np.zeros(1, dtype=np.intp), 1e-9, direct)
        assert prospects.best(Outlook(64, 1e5, 1, a, ritz), nobody) == best
        assert "direct" in prospects.said


def test_what_rounding_keeps_from_tol_is_left_to_a_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    """One-hot blocks that sum to the intercept, hardly penalised."""
    from regsolve.ridge import costs, direct

    rng = np.random.default_rng(0)
    blocks = [np.eye(m)[rng.integers(m, size=3000)] for m in (12, 20, 7)]
    X = sparse.csc_matrix(np.hstack([*blocks, 1e4 * rng.standard_normal((3000, 2))]))
    y, a = rng.standard_normal((3000, 1)), np.array([1e-10])
    monkeypatch.setattr(costs, "PATIENCE", 0.0)
    with pytest.warns(ConvergenceWarning, match="missed tol"):
        stalled = fit_ridge(X, y, a, solver="krylov", tol=2e-13)
    monkeypatch.setattr(direct, "DEAR", 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where sums of products round otherwise, by a hair
        found = fit_ridge(X, y, a, tol=2e-13)
    assert found.report.mode == "gram-cholesky"
    assert stalled.statuses == ["stalled"]
    assert found.certificates[0].relative_gap <= 1.5e-12 < stalled.certificates[0].relative_gap
    judged = verify(X, y[:, 0], found.coefs[:, 0], found.intercepts[0], penalty=L2(1e-10 / 3000))
    assert judged.relative_gap <= 1e-10


@pytest.mark.parametrize(
    ("n", "levels", "alpha"),
    [(3000, (60, 40), 1e-6), (3000, (60, 40), 1e-9), (90, (70, 60), 1e-6)],
)
def test_beyond_what_a_factor_bears(
    n: int, levels: tuple[int, ...], alpha: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Levels of categories sum to the intercept; a column in other units makes their l small."""
    monkeypatch.setattr("regsolve.ridge.direct.DEAR", 0.0)
    monkeypatch.setattr("regsolve.ridge.direct.HOPELESS", 1e7)
    rng = np.random.default_rng(0)
    blocks = [sparse.eye(k, format="csr")[rng.integers(0, k, n)] for k in levels]
    X = sparse.hstack([*blocks, 1e4 * rng.standard_normal((n, 1))]).tocsc()
    y = X @ rng.standard_normal(X.shape[1]) + rng.standard_normal(n)
    model = Ridge(alpha).fit(X, y)
    assert "after a stronger factor" in model.report_.why
    judged = verify(X, y, model.coef_, model.intercept_, penalty=L2(alpha / n))
    assert judged.relative_gap < 1e-6
    assert model.certificate_.relative_gap < 1e-6
    assert judged.relative_gap <= 10.0 * model.certificate_.relative_gap + 1e-9

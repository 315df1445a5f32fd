"""Paths of all folds in lockstep: each the path of its own rows, from shared readings."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.model_selection import KFold, RepeatedKFold, ShuffleSplit, TimeSeriesSplit

import regsolve
from regsolve import verify
from regsolve.folds import fold_paths, predictions
from regsolve.penalties import L1, L2, ElasticNet

LAYOUTS = {
    "columns": np.asfortranarray,
    "rows": np.ascontiguousarray,
    "float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "csc": sparse.csc_matrix,
    "csr": sparse.csr_array,
}
SHAPES = {"gram": (240, 15), "working_set": (60, 1000)}
SPLITTERS = {
    "consecutive": KFold(4),
    "shuffled": KFold(3, shuffle=True, random_state=0),
    "overlapping": ShuffleSplit(3, random_state=0),
    "growing": TimeSeriesSplit(3),
    "repeated": RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
}


def data(shape: tuple[int, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns, a third of them far from zero mean, exact in float32; y of six."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape)
    X[:, 1:] += 0.5 * X[:, :-1]
    X[:, ::3] += 2.0
    X = np.where(np.abs(X) > 0.7, X, 0.0).astype(np.float32).astype(np.float64)
    return X, X[:, :6] @ np.array([2.0, -1.0, 1.0, 0.5, -2.0, 1.0]) + rng.standard_normal(shape[0])


def errors_on(path: regsolve.Path, X: Any, y: Any, s: Any) -> np.ndarray:
    """Weighted mean squared errors (m,) of the rows of X."""
    residuals = y[:, None] - X @ path.coefs.toarray() - path.intercepts
    return np.average(residuals**2, axis=0, weights=s)


def check(
    stored: Any, X: np.ndarray, y: np.ndarray, splits: list[Any], s: Any = None, **options: Any
) -> list[Any]:
    """Every path is proven on its own rows, and equals the one of a copy of them."""
    weights = np.ones(len(y)) if s is None else s
    nets = [L1(), ElasticNet(1.0, 0.5)]
    found = fold_paths(
        stored, y, splits, penalties=nets, sample_weight=s, n_alphas=12, alpha_min_ratio=0.02,
        tol=1e-9, **options,
    )  # fmt: skip
    for net, one in zip(nets, found, strict=True):
        assert one.errors.shape == (len(splits), 12)
        everything = np.arange(len(y))
        rows = [everything, *(everything[train] for train, _ in splits)]
        for mine, path in zip(rows, [one.path, *one.folds], strict=True):
            alone = regsolve.path(
                np.asfortranarray(X[mine]), y[mine], penalty=net, alphas=one.path.alphas,
                sample_weight=weights[mine], tol=1e-9, **options,
            )  # fmt: skip
            assert path.relative_gaps.max() <= 1e-9
            np.testing.assert_allclose(path.objectives, alone.objectives, rtol=1e-9)
            for k in (3, 11):
                zeroed = np.zeros(len(y))
                zeroed[mine] = weights[mine]
                penalty = ElasticNet(float(path.alphas[k]), net.l1_ratio)
                judged = verify(
                    X, y, path.coefs[:, [k]].toarray().ravel(), path.intercepts[k],
                    penalty=penalty, sample_weight=zeroed, **options,
                )  # fmt: skip
                assert judged.relative_gap <= 1e-9
                assert path.certificate_of(k).primal == pytest.approx(judged.primal, rel=1e-9)
            np.testing.assert_allclose(path.coefs.toarray(), alone.coefs.toarray(), atol=1e-6)
        for k, (train, test) in enumerate(splits):
            copy = regsolve.path(
                np.asfortranarray(X[train]), y[train], penalty=net, alphas=one.path.alphas,
                sample_weight=weights[train], tol=1e-9, **options,
            )  # fmt: skip
            wanted = errors_on(copy, X[test], y[test], weights[test])
            np.testing.assert_allclose(one.errors[k], wanted, rtol=1e-8)
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mode", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_each_fold_is_its_rows_alone(layout: str, mode: str, weighted: bool) -> None:
    X, y = data(SHAPES[mode])
    s = np.random.default_rng(1).uniform(0.2, 3.0, len(y)) if weighted else None
    splits = list(KFold(3, shuffle=True, random_state=0).split(X))
    found = check(LAYOUTS[layout](X), X, y, splits, s)
    assert {path.report.mode for one in found for path in (one.path, *one.folds)} == {mode}


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize("mode", SHAPES)
@pytest.mark.parametrize("standardize", [False, True])
def test_any_splits(splitter: str, mode: str, standardize: bool) -> None:
    X, y = data(SHAPES[mode], seed=2)
    splits = list(SPLITTERS[splitter].split(X))
    check(np.asfortranarray(X), X, y, splits, standardize=standardize)


@pytest.mark.parametrize("mode", SHAPES)
def test_without_intercept_and_with_masks_for_rows(mode: str) -> None:
    X, y = data(SHAPES[mode], seed=3)
    masks = [np.arange(len(y)) % 3 == k for k in range(3)]
    check(np.asfortranarray(X), X, y, [(~test, test) for test in masks], fit_intercept=False)


@pytest.mark.parametrize("mode", SHAPES)
def test_held_out_values_change_no_coefficient(mode: str) -> None:
    X, y = data(SHAPES[mode], seed=4)
    splits = list(KFold(3).split(X))
    options: dict[str, Any] = {"penalties": [L1()], "alphas": [[0.5, 0.2]], "standardize": True}
    test = splits[1][1]
    before = fold_paths(X, y, splits, **options)[0].folds[1]
    X[test], y[test] = 7.0 * X[test] - 3.0, -2.0 * y[test]
    after = fold_paths(X, y, splits, **options)[0].folds[1]
    np.testing.assert_allclose(after.coefs.toarray(), before.coefs.toarray(), atol=1e-9)
    np.testing.assert_allclose(after.intercepts, before.intercepts, atol=1e-9)


@pytest.mark.parametrize("mode", SHAPES)
def test_threads_change_no_bit(mode: str) -> None:
    X, y = data(SHAPES[mode], seed=5)
    splits = list(KFold(4).split(X))
    nets = [L1(), ElasticNet(1.0, 0.3)]
    first, *others = (fold_paths(X, y, splits, penalties=nets, n_threads=t) for t in (1, 2, 4))
    for other in others:
        for one, two in zip(first, other, strict=True):
            np.testing.assert_array_equal(one.errors, two.errors)
            for a, b in zip([one.path, *one.folds], [two.path, *two.folds], strict=True):
                assert (a.coefs != b.coefs).nnz == 0
                np.testing.assert_array_equal(a.intercepts, b.intercepts)


def readings(found: list[Any]) -> float:
    return sum(path.report.n_passes for one in found for path in (one.path, *one.folds))


def test_penalties_share_one_gram_matrix() -> None:
    X, y = data((400, 12))
    splits = list(KFold(5).split(X))
    nets = [ElasticNet(1.0, ratio) for ratio in (0.1, 0.5, 0.9, 1.0)]
    one = fold_paths(X, y, splits, penalties=nets[:1], alphas=[[0.5, 0.1]])
    four = fold_paths(X, y, splits, penalties=nets, alphas=[[0.5, 0.1]] * 4)
    assert readings(four) == pytest.approx(readings(one))
    assert readings(four) == pytest.approx(1.0)
    grid = fold_paths(X, y, splits, penalties=nets)
    assert readings(grid) == pytest.approx(1.0)


@pytest.mark.parametrize("order", [(0.0, 0.5), (0.5, 0.0), (0.5, 0.0, 1.0)])
@pytest.mark.parametrize("solver", ["auto", "gram", "working_set", "cd"])
@pytest.mark.parametrize("shape", [(60, 30), (30, 90)])
def test_each_penalty_has_the_mode_that_serves_it(
    shape: tuple[int, int], solver: str, order: tuple[float, ...]
) -> None:
    """Ridge has no working sets, and what it takes is not imposed on the others."""
    X, y = data(shape)
    splits = list(KFold(3).split(X))
    nets = [ElasticNet(1.0, ratio) if ratio else L2(1.0) for ratio in order]
    options: dict[str, Any] = {"solver": solver, "max_time": 20.0}
    together = fold_paths(X, y, splits, penalties=nets, alphas=[[0.5, 0.1]] * len(nets), **options)
    for net, found in zip(nets, together, strict=True):
        alone = fold_paths(X, y, splits, penalties=[net], alphas=[[0.5, 0.1]], **options)[0]
        assert found.path.report.mode == alone.path.report.mode
        for one, other in zip([found.path, *found.folds], [alone.path, *alone.folds], strict=True):
            assert one.statuses == ["optimal"] * 2
            np.testing.assert_allclose(one.coefs.toarray(), other.coefs.toarray(), atol=1e-5)


def test_folds_share_readings_on_working_sets() -> None:
    X, y = data((80, 1500))
    X = np.asfortranarray(X)
    splits = list(KFold(5).split(X))
    found = fold_paths(X, y, splits, penalties=[L1()], alpha_min_ratio=0.05)
    alone = regsolve.path(X, y, alphas=found[0].path.alphas)
    assert alone.report.mode == "working_set"
    assert readings(found) < 6 * 0.75 * alone.report.n_passes


def test_folds_fill_their_readings() -> None:
    """Three directions for each member in one reading of dense X."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 3000))
    for j in range(1, 3000):
        X[:, j] = 0.5 * X[:, j - 1] + np.sqrt(0.75) * X[:, j]
    y = X[:, :60:3] @ rng.standard_normal(20) + rng.standard_normal(120)
    for k, most in ((2, 10.0), (5, 11.0), (10, 12.0)):
        splits = list(KFold(k).split(X))
        options: dict[str, Any] = {"n_alphas": 60, "alpha_min_ratio": 0.01, "tol": 1e-9}
        for order in ("F", "C"):
            given = np.asarray(X, order=order)
            found = fold_paths(given, y, splits, penalties=[L1()], **options)
            assert found[0].path.report.mode == "working_set"
            assert readings(found) < most


def test_rows_left_out_make_no_sparse_column_dense() -> None:
    """A fold of half of the rows holds the stored values of its working set, and no more."""
    rng = np.random.default_rng(0)
    n, p = 4000, 9000
    X = sparse.random_array((n, p), density=1e-3, rng=rng, format="csc")
    y = np.asarray(X[:, :40].sum(axis=1)).ravel() + 0.1 * rng.standard_normal(n)
    rows = np.arange(n // 2)
    top = regsolve.path(X, y, n_alphas=1).alpha_max
    grid = top * np.array([0.1, 0.03, 0.01])
    options: dict[str, Any] = {"tol": 1e-9, "solver": "cd"}
    split = [(rows, rows + n // 2)]
    found = fold_paths(X, y, split, penalties=[L1()], alphas=[grid], **options)[0]
    half = found.folds[0]
    assert half.report.mode == "residual"
    assert half.report.working_set_size > 300
    assert half.report.peak_bytes < 0.25 * 8 * len(rows) * half.report.working_set_size
    copy = regsolve.path(X[rows], y[rows], alphas=grid, **options)
    np.testing.assert_allclose(half.objectives, copy.objectives, rtol=1e-7)
    assert half.relative_gaps.max() <= 1e-9


def test_predictions_are_those_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data((60, 40))
    path = regsolve.path(X, y, n_alphas=5)
    rows = np.array([3, 59, 0, 17, 17, 8, 30])
    monkeypatch.setattr("regsolve.folds.BLOCK_BYTES", 8 * 40 * 2)  # two rows a block
    for stored in (X, sparse.csr_array(X)):
        parts = list(predictions(stored, path, rows))
        assert len(parts) > 2
        linear = np.vstack([values for _, values in parts])
        np.testing.assert_allclose(linear, X[rows] @ path.coefs.toarray() + path.intercepts)


def test_one_thread_is_one() -> None:
    X, y = data((200, 6000))
    splits = list(KFold(5).split(X))
    for _ in range(2):  # the first loads BLAS
        used, passed = time.process_time(), time.perf_counter()
        fold_paths(X, y, splits, penalties=[L1()], alpha_min_ratio=0.01, n_threads=1)
        used, passed = time.process_time() - used, time.perf_counter() - passed
    assert used <= 1.15 * passed


@pytest.mark.parametrize("mode", SHAPES)
def test_a_callback_stops_them_and_what_is_left_is_proven(mode: str) -> None:
    X, y = data(SHAPES[mode])
    splits = list(KFold(3).split(X))
    (one,) = fold_paths(X, y, splits, penalties=[L1()], callback=lambda at: at.step >= 10)
    assert one.path.stopped == "interrupted"
    assert one.errors.shape[1] == min(len(path.alphas) for path in one.folds)
    for path in (one.path, *one.folds):
        assert 1 <= len(path.alphas) < 100
        assert (path.relative_gaps[: len(path.alphas) - 1] <= 1e-6).all()

    def fail(_: regsolve.Progress) -> None:
        raise RuntimeError("from the callback")

    with pytest.raises(RuntimeError, match="from the callback"):
        fold_paths(X, y, splits, penalties=[L1()], callback=fail)


def test_an_interruption_while_rows_are_held_out_keeps_the_full_paths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, y = data((60, 20))
    splits = list(KFold(3).split(X))
    wanted = fold_paths(X, y, splits, penalties=[L1()], n_alphas=10)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(regsolve.folds, "_held_out", interrupted)
    with pytest.raises(regsolve.Interrupted) as stop:
        fold_paths(X, y, splits, penalties=[L1()], n_alphas=10)
    (kept,) = stop.value.result
    np.testing.assert_array_equal(kept.coefs.toarray(), wanted[0].path.coefs.toarray())


def test_interrupted_holds_the_full_paths() -> None:
    X, y = data(SHAPES["working_set"])

    def stop(_: regsolve.Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(regsolve.Interrupted) as caught:
        fold_paths(X, y, list(KFold(3).split(X)), penalties=[L1(), L1()], callback=stop)
    assert [type(path) for path in caught.value.result] == [regsolve.Path] * 2


@pytest.mark.parametrize("solver", ["gram", "working_set"])
@pytest.mark.parametrize("mode", SHAPES)
def test_no_time_at_all_leaves_certified_answers(mode: str, solver: str) -> None:
    X, y = data(SHAPES[mode])
    splits = list(KFold(3).split(X))
    with pytest.warns(regsolve.ConvergenceWarning):
        (one,) = fold_paths(
            X, y, splits, penalties=[L1()], alphas=[[1.0, 0.1, 0.01]], max_time=1e-9, tol=1e-12,
            solver=solver,
        )  # fmt: skip
    for path, (train, _) in zip(one.folds, splits, strict=True):
        assert path.alphas[0] == 1.0
        w, b = path.coefs[:, [0]].toarray().ravel(), path.intercepts[0]
        judged = verify(X[train], y[train], w, b, penalty=L1(1.0))
        assert path.relative_gaps[0] == pytest.approx(judged.relative_gap, rel=1e-6, abs=1e-11)


def test_a_constant_target_has_one_answer() -> None:
    X, _ = data((30, 8))
    (one,) = fold_paths(X, np.full(30, 2.0), list(KFold(3).split(X)), penalties=[L1()], n_alphas=4)
    assert one.path.coefs.nnz == 0
    np.testing.assert_allclose(one.errors, 0.0, atol=1e-20)


def test_bad_folds_are_named() -> None:
    X, y = data((30, 8))
    rows = np.arange(30)
    good = (rows[10:], rows[:10])
    s = np.r_[np.zeros(10), np.ones(20)]
    for splits, weight in (
        ([good, (rows, rows[:0])], None),
        ([good, (rows[:0], rows)], None),
        ([(rows[:10], rows[10:])] * 2, s),
        ([good], s),
    ):
        with pytest.raises(ValueError, match=r"fold \d has no weight"):
            fold_paths(X, y, splits, penalties=[L1()], sample_weight=weight)
    for wrong in (
        rows + 5,
        rows - 31,
        1.0 * rows,
        rows[:29] >= 0,
        rows.reshape(2, 15),
        3,
        ["a"],
    ):
        for splits in ([(wrong, rows[:3])], [(rows[10:], wrong)]):
            with pytest.raises(ValueError, match=r"cv has a fold .*mask \(30,\)"):
                fold_paths(X, y, splits, penalties=[L1()])
    with pytest.raises(ValueError, match="l1_ratio=0"):
        fold_paths(X, y, [good], penalties=[L2()])
    with pytest.raises(ValueError, match="column 3"):
        fold_paths(np.where(np.arange(8) == 3, np.nan, X), y, [good], penalties=[L1()])
    with pytest.raises(ValueError, match="alpha_min_ratio"):
        fold_paths(X, y, [good], penalties=[L1()], alpha_min_ratio=-1.0)


def test_bootstrap_folds_count_their_rows() -> None:
    X, y = load_diabetes(return_X_y=True)
    rng = np.random.default_rng(0)
    n = len(y)
    splits = [(rng.integers(0, n, n), np.arange(n)[k::5]) for k in range(3)]
    splits.append((np.arange(n) % 2 == 0, np.arange(n) % 2 == 1))
    found = regsolve.LassoCV(alphas=[1.0, 0.1], cv=splits, tol=1e-10).fit(X, y)
    for k, (train, test) in enumerate(splits):
        path = regsolve.path(X[train], y[train], alphas=[1.0, 0.1], tol=1e-10)
        for m in range(2):
            errors = (y[test] - path.predict(X[test], path.alphas[m])) ** 2
            assert found.mse_path_[m, k] == pytest.approx(errors.mean(), rel=1e-8)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"eps": 2.0}, r"^eps=2.0: expected a number in \(0, 1\]"),
        ({"cv": []}, "cv and l1_ratio need"),
        ({"l1_ratio": []}, "cv and l1_ratio need"),
    ],
)
def test_nothing_to_choose_from_is_named(options: dict[str, Any], told: str) -> None:
    X, y = load_diabetes(return_X_y=True)
    with pytest.raises(ValueError, match=told):
        regsolve.ElasticNetCV(**{"alphas": 5, **options}).fit(X, y)


def test_a_fold_without_the_heaviest_rows_keeps_its_digits() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((100, 30)), rng.standard_normal(100)
    X[0] *= 1e8
    y[0] *= 1e8
    splits = list(KFold(5).split(X))
    (found,) = fold_paths(X, y, splits, penalties=[L1()], n_alphas=8, alpha_min_ratio=1e-2)
    for path, (train, test), told in zip(found.folds, splits, found.errors, strict=True):
        judged = [
            verify(
                X[train], y[train], path.coefs[:, [k]].toarray().ravel(), path.intercepts[k],
                penalty=L1(alpha),
            ).relative_gap
            for k, alpha in enumerate(path.alphas)
        ]  # fmt: skip
        assert max(judged) < 1e-9
        assert max(path.relative_gaps) < 1e-9
        errors = (y[test][:, None] - X[test] @ path.coefs.toarray() - path.intercepts) ** 2
        assert told == pytest.approx(errors.mean(axis=0), rel=1e-8)


@pytest.mark.parametrize("light", [1e-6, 1e-12, 1e-16])
def test_folds_of_little_weight_are_proven_and_judged(light: float) -> None:
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((80, 10)), rng.standard_normal(80)
    weight = np.r_[np.ones(40), np.full(40, light)]
    splits = list(KFold(2).split(X))
    (found,) = fold_paths(
        X, y, splits, penalties=[L1()], n_alphas=6, alpha_min_ratio=1e-2, sample_weight=weight
    )
    for path, (train, test), told in zip(found.folds, splits, found.errors, strict=True):
        for k, alpha in enumerate(path.alphas):
            coef = path.coefs[:, [k]].toarray().ravel()
            judged = verify(X[train], y[train], coef, path.intercepts[k], penalty=L1(alpha))
            assert judged.relative_gap < 1e-9
        errors = (y[test][:, None] - X[test] @ path.coefs.toarray() - path.intercepts) ** 2
        assert told == pytest.approx(errors.mean(axis=0), rel=1e-8)


def test_errors_are_the_same_bits_on_any_number_of_threads() -> None:
    X, y = data((200, 1500))
    splits = list(KFold(3).split(X))
    told = [
        fold_paths(
            X, y, splits, penalties=[ElasticNet(1.0, 0.05)], n_alphas=20, alpha_min_ratio=1e-2,
            n_threads=n_threads,
        )[0].errors
        for n_threads in (1, 2)
    ]  # fmt: skip
    assert np.array_equal(*told)


@pytest.mark.parametrize("layout", ["columns", "rows", "csc"])
@pytest.mark.parametrize("options", [{}, {"fit_intercept": False}, {"standardize": True}])
@pytest.mark.parametrize("base", [0.0, 3.0])
def test_a_fold_trained_on_a_constant_target(
    layout: str, options: dict[str, Any], base: float
) -> None:
    """Its squares are nothing but rounding of the sums over all rows."""
    X, y = data(SHAPES["gram"], seed=8)
    splits = list(KFold(3).split(X))
    y[splits[1][0]] = base
    check(LAYOUTS[layout](X), X, y, splits, **options)


@pytest.mark.parametrize("n_unpenalised", [2, 9])
def test_folds_in_which_unpenalised_features_depend_on_each_other(n_unpenalised: int) -> None:
    """X itself is asked, by the rows of the fold, where X'X is too blunt."""
    X, y = data(SHAPES["gram"], seed=9)
    X[:, 1], X[:, 7] = X[:, 0], X[:, 5] + X[:, 6]
    y += 1e4 * X[:, 0]
    factors = np.repeat([0.0, 1.0], [n_unpenalised, X.shape[1] - n_unpenalised])
    penalty = L1(1.0, weights=factors)
    splits = list(KFold(3).split(X))
    found = fold_paths(X, y, splits, penalties=[penalty], n_alphas=8, tol=1e-8)[0]
    trained = [np.arange(len(y)), *(train for train, _ in splits)]
    for rows, path in zip(trained, [found.path, *found.folds], strict=True):
        assert path.report.mode == "gram"
        assert path.statuses == ["optimal"] * 8
        for k, alpha in enumerate(path.alphas):
            coef = path.coefs[:, [k]].toarray().ravel()
            judged = verify(
                X[rows], y[rows], coef, path.intercepts[k], penalty=L1(alpha, weights=factors)
            )
            assert judged.relative_gap <= 1e-8
            assert path.certificate_of(k).primal == pytest.approx(judged.primal, rel=1e-9)


def test_rows_held_out_twice_or_never() -> None:
    """As many rows as X has are held out, but not each of them once."""
    X, y = data(SHAPES["gram"], seed=10)
    held = [np.r_[0, 2:80], np.r_[0, 80:160], np.arange(160, 240)]
    everything = np.arange(len(y))
    check(X, X, y, [(np.setdiff1d(everything, test), test) for test in held])
    late = np.r_[1:240]
    check(X, X, y, [(late[80:], np.r_[0, late[:79]]), (late[:160], late[160:])])


@pytest.mark.parametrize("layout", ["columns", "rows", "csc"])
def test_a_grid_of_their_own_costs_no_reading(layout: str) -> None:
    """alpha_max comes of the statistics of all folds, which one reading gives."""
    X, y = data(SHAPES["working_set"], seed=11)
    stored = LAYOUTS[layout](X)
    splits = list(KFold(5).split(X))
    nets = [L1(), ElasticNet(1.0, 0.5)]
    own = fold_paths(stored, y, splits, penalties=nets, n_alphas=15, alpha_min_ratio=0.05)
    grids = [one.path.alphas for one in own]
    given = fold_paths(stored, y, splits, penalties=nets, alphas=grids)
    assert readings(own) == pytest.approx(readings(given))


@pytest.mark.parametrize("layout", ["columns", "csc"])
def test_many_rows_held_out_at_many_alphas(layout: str) -> None:
    """More predictions than are kept at a time."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((20_000, 8)) < 0.4, rng.standard_normal((20_000, 8)), 0.0)
    y, s = X @ rng.standard_normal(8) + rng.standard_normal(20_000), rng.uniform(0.5, 2.0, 20_000)
    splits = list(KFold(2).split(X))
    found = fold_paths(
        LAYOUTS[layout](X), y, splits, penalties=[L1()], sample_weight=s, n_alphas=600,
        solver="working_set", n_threads=2,
    )[0]  # fmt: skip
    for path, (_, test), told in zip(found.folds, splits, found.errors, strict=True):
        assert path.report.mode == "working_set"
        np.testing.assert_allclose(told, errors_on(path, X[test], y[test], s[test]), rtol=1e-12)

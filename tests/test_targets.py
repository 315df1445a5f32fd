"""Several targets on one X: the answers of problems of their own, from shared readings."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import numpy as np
import pytest
from scipy import sparse

import regsolve
import regsolve.targets
from regsolve import ElasticNet, Lasso, enet_path, verify
from regsolve import penalties as penalty
from regsolve.targets import path_targets, solve_targets

LAYOUTS = {
    "columns": np.asfortranarray,
    "rows": np.ascontiguousarray,
    "float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "csc": sparse.csc_matrix,
    "csr": sparse.csr_array,
}


def several(n: int, p: int, n_targets: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """X (n, p) with correlated columns and Y (n, n_targets), a few true features each."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    X[:, 1:] += 0.6 * X[:, :-1]
    X[:, ::3] += 5.0
    W = np.zeros((p, n_targets))
    for t in range(n_targets):
        W[rng.choice(p, 6, replace=False), t] = rng.choice([-1.0, 1.0], 6)
    return X, X @ W + rng.standard_normal((n, n_targets))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("shape", "solver"), [((60, 400), "auto"), ((300, 20), "auto"), ((60, 90), "cd")], ids=str
)
@pytest.mark.parametrize("ratio", [1.0, 0.4])
def test_each_target_is_proven(layout: str, shape: tuple[int, int], solver: str, ratio: float):
    X, Y = several(*shape, 5)
    if layout.startswith("cs"):
        X = np.where(np.abs(X) > 1.0, X, 0.0)
    stored = LAYOUTS[layout](X)
    s = np.random.default_rng(1).uniform(0.5, 2.0, len(Y))
    net = penalty.ElasticNet(0.2, ratio)
    found = solve_targets(stored, Y, penalty=net, sample_weight=s, tol=1e-9, solver=solver)
    assert len(found) == 5
    for t, one in enumerate(found):
        judged = verify(stored, Y[:, t], one.coef, one.intercept, penalty=net, sample_weight=s)
        assert judged.relative_gap <= 1e-9
        assert one.certificate.relative_gap <= 1e-9
        assert one.certificate.primal == pytest.approx(judged.primal, rel=1e-9)
        alone = regsolve.solve(
            stored, Y[:, t], penalty=net, sample_weight=s, tol=1e-9, solver=solver
        )
        np.testing.assert_allclose(one.coef, alone.coef, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_lockstep_changes_no_bit_and_reads_less(threads: int) -> None:
    X, Y = several(80, 1500, 6)
    X = np.asfortranarray(X)
    options: dict[str, Any] = {"alpha_min_ratio": 0.05, "n_alphas": 30}
    many = path_targets(X, Y, penalty=penalty.L1(), n_threads=threads, **options)
    assert many[0].report.mode == "working_set"
    alone = [regsolve.path(X, Y[:, t], alphas=many[0].alphas) for t in range(6)]
    for one, other in zip(many, alone, strict=True):
        assert (one.coefs != other.coefs).nnz == 0
        np.testing.assert_array_equal(one.intercepts, other.intercepts)
        assert one.relative_gaps.max() < 1e-9
    readings = sum(one.report.n_passes for one in many)
    assert readings < 0.75 * sum(one.report.n_passes for one in alone)


def test_one_gram_matrix_serves_all_targets() -> None:
    X, Y = several(500, 30, 8)
    many = path_targets(X, Y, penalty=penalty.L1(), n_alphas=20)
    assert {one.report.mode for one in many} == {"gram"}
    assert sum(one.report.n_passes for one in many) == pytest.approx(2.0)


@pytest.mark.parametrize("kind", [list, np.float32, np.int64])
def test_weights_of_any_type_are_shared(kind: Any) -> None:
    """One reading for X'X, as without weights, and one for what y brings."""
    rng = np.random.default_rng(0)
    X, Y, s = rng.standard_normal((60, 8)), rng.standard_normal((60, 4)), np.arange(1, 61)
    weights = s.tolist() if kind is list else s.astype(kind)
    options: dict[str, Any] = {"penalty": penalty.L1(), "n_alphas": 5}
    found = path_targets(X, Y, sample_weight=weights, **options)
    plain = path_targets(X, Y, sample_weight=s.astype(float), **options)
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_array_equal(one.coefs.toarray(), other.coefs.toarray())
    readings = sum(path.report.n_passes for path in found)
    assert readings == sum(path.report.n_passes for path in plain)
    assert readings <= 2.0


def test_more_targets_than_a_group() -> None:
    X, Y = several(40, 300, 37)
    model = Lasso(0.3).fit(X, Y)
    assert model.coef_.shape == (37, 300)
    worst = max(one.relative_gap for one in model.certificate_)
    assert worst <= 1e-6
    for t in (0, 15, 16, 36):
        np.testing.assert_allclose(model.coef_[t], Lasso(0.3).fit(X, Y[:, t]).coef_, atol=1e-9)


def test_warm_start_of_each_target() -> None:
    X, Y = several(60, 800, 3)
    model = ElasticNet(0.1, l1_ratio=0.9, warm_start=True).fit(X, Y)
    again = model.set_params(alpha=0.095).fit(X, Y)
    cold = ElasticNet(0.095, l1_ratio=0.9).fit(X, Y)
    np.testing.assert_allclose(again.coef_, cold.coef_, atol=1e-7)


def test_constant_and_repeated_targets() -> None:
    X, Y = several(50, 200, 2)
    Y = np.column_stack([Y, np.full(50, 3.0), Y[:, 0]])
    found = solve_targets(X, Y, penalty=penalty.L1(0.1))
    assert not found[2].coef.any()
    assert found[2].intercept == pytest.approx(3.0)
    np.testing.assert_array_equal(found[0].coef, found[3].coef)


@pytest.mark.parametrize("shape", [(60, 700), (200, 10)])
def test_nan_is_named_whatever_shares_the_reading(shape: tuple[int, int]) -> None:
    X, Y = several(*shape, 3)
    X[4, 7] = np.nan
    with pytest.raises(ValueError, match="column 7"):
        solve_targets(X, Y, penalty=penalty.L1(0.1))


@pytest.mark.parametrize("shape", [(60, 700), (200, 10)])
def test_callback_stops_all_targets(shape: tuple[int, int]) -> None:
    X, Y = several(*shape, 4)
    seen: list[int] = []

    def stop(progress: regsolve.Progress) -> bool:
        seen.append(progress.step)
        return progress.step >= 5

    many = path_targets(X, Y, penalty=penalty.L1(), callback=stop)
    assert any(one.stopped == "interrupted" for one in many)
    assert all(len(one.alphas) < 100 or one.converged for one in many)
    assert all((one.relative_gaps <= 1e-6).all() for one in many if len(one.alphas) > 1)

    def fail(_: regsolve.Progress) -> None:
        raise RuntimeError("from the callback")

    with pytest.raises(RuntimeError, match="from the callback"):
        path_targets(X, Y, penalty=penalty.L1(), callback=fail)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs POSIX signals")
def test_interrupt_in_lockstep() -> None:
    X, Y = several(100, 3000, 6)
    sent = []

    def send() -> None:
        time.sleep(0.3)
        sent.append(time.perf_counter())
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    sender = threading.Thread(target=send)
    sender.start()
    with pytest.raises(regsolve.Interrupted) as stop:
        path_targets(X, Y, penalty=penalty.L1(), n_alphas=200_000, alpha_min_ratio=1e-3)
    late = time.perf_counter() - sent[0]
    sender.join()
    assert late < 1.0
    assert isinstance(stop.value.result, list)
    assert all((one.relative_gaps < 1e-9).all() for one in stop.value.result if len(one.alphas) > 1)


@pytest.mark.timed
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs POSIX signals")
def test_interrupt_while_the_gram_matrix_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).standard_normal((80_000, 400), dtype=np.float32)
    Y = X[:, :40].astype(float) + 0.1 * X[:, 40:80]
    alphas = np.geomspace(1.0, 1e-3, 2000)
    run, sent = regsolve.targets.run, []

    def send() -> None:
        time.sleep(0.05)
        sent.append(time.perf_counter())
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def run_and_send(*args: Any, **options: Any) -> Any:
        threading.Thread(target=send).start()
        return run(*args, **options)

    monkeypatch.setattr(regsolve.targets, "run", run_and_send)
    with pytest.raises(regsolve.Interrupted) as stop:
        path_targets(X, Y, penalty=penalty.L1(), alphas=alphas, solver="gram", n_threads=1)
    assert time.perf_counter() - sent[0] < 1.0
    assert len(stop.value.result) == 40
    assert all(one.stopped == "interrupted" for one in stop.value.result)


def test_interrupt_while_alpha_max_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    X, Y = several(50, 20, 3)
    run = regsolve.targets.run

    def interrupted(*args: Any, **options: Any) -> Any:
        return run(*args, **options)[0], KeyboardInterrupt()

    monkeypatch.setattr(regsolve.targets, "run", interrupted)
    with pytest.raises(regsolve.Interrupted) as stop:
        path_targets(X, Y, penalty=penalty.L1())
    assert [len(one.alphas) for one in stop.value.result] == [0, 0, 0]
    with pytest.raises(regsolve.Interrupted) as stop:
        path_targets(X, Y[:, :1], penalty=penalty.L1())
    assert stop.value.result.coefs.shape == (20, 0)


@pytest.mark.parametrize("solver", ["auto", "gram", "working_set", "cd"])
@pytest.mark.parametrize("shape", [(100, 12), (40, 300)])
def test_no_time_at_all_leaves_a_certified_answer(shape: tuple[int, int], solver: str) -> None:
    X, Y = several(*shape, 3)
    alphas = [0.5, 0.1, 0.02]
    with pytest.warns(regsolve.ConvergenceWarning):
        paths = path_targets(
            X, Y, penalty=penalty.L1(), alphas=alphas, tol=1e-12, max_time=1e-9, solver=solver
        )
    for path, y in zip(paths, Y.T, strict=True):
        assert len(path.alphas) >= 1
        assert path.alphas[0] == alphas[0]
        for k, alpha in enumerate(path.alphas):
            w, b = path.coefs[:, [k]].toarray().ravel(), path.intercepts[k]
            judged = verify(X, y, w, b, penalty=penalty.L1(alpha))
            assert path.relative_gaps[k] == pytest.approx(judged.relative_gap, rel=1e-6, abs=1e-11)


def test_time_is_shared_by_all_targets() -> None:
    X, Y = several(100, 3000, 40)
    start = time.perf_counter()
    with pytest.warns(regsolve.ConvergenceWarning):
        path_targets(
            X, Y, penalty=penalty.L1(), n_alphas=200_000, alpha_min_ratio=1e-3, max_time=0.3
        )
    assert time.perf_counter() - start < 3.0


def test_paths_of_several_targets_are_scikit_learns_shape() -> None:
    X, Y = several(50, 120, 3)
    X, Y = X - X.mean(0), Y - Y.mean(0)
    alphas, coefs, gaps = enet_path(X, Y, l1_ratio=0.8, alphas=10)
    assert coefs.shape == (3, 120, 10)
    assert gaps.shape == (3, 10)
    tops = [enet_path(X, Y[:, t], l1_ratio=0.8, alphas=1)[0][0] for t in range(3)]
    assert alphas[0] == pytest.approx(max(tops))

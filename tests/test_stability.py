"""Selection probabilities: those of a plain loop over copies of the rows, and what they obey."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from problems import nasty
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

import regsolve
from regsolve import stability, verify
from regsolve.penalties import L1, ElasticNet
from regsolve.pfer import pfer_bound
from regsolve.stability import StabilityPath, stability_paths
from regsolve.subsamples import subsamples

LAYOUTS = {
    "columns": np.asfortranarray,
    "rows": np.ascontiguousarray,
    "float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "csc": sparse.csc_matrix,
    "csr": sparse.csr_array,
}
SOLVERS = ("gram", "working_set")


def data(n: int, p: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns, a third of them far from zero mean, exact in float32; y of five."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    X[:, 1:] += 0.5 * X[:, :-1]
    X[:, ::3] += 2.0
    X = np.where(np.abs(X) > 0.7, X, 0.0).astype(np.float32).astype(np.float64)
    return X, X[:, :5] @ np.array([2.0, -1.0, 1.0, 0.5, -2.0]) + rng.standard_normal(n)


def selected(path: regsolve.Path, q: int, free: set[int]) -> np.ndarray:
    """Which features a path selects at each alpha (p, m), by the definition, one at a time."""
    out = np.zeros(path.coefs.shape, dtype=bool)
    entered: set[int] = set()
    support = set(path.coefs[:, [0]].nonzero()[0].tolist()) & free
    for k in range(len(path.alphas)):
        now = set(path.coefs[:, [k]].nonzero()[0].tolist())
        entered |= now - free
        if len(entered) <= q:
            support = now
        out[list(support), k] = True
    return out


def looped(
    X: np.ndarray, y: np.ndarray, draws: Any, found: StabilityPath, q: int, net: Any, s: Any = None,
    **options: Any,
) -> np.ndarray:  # fmt: skip
    """The probabilities by single paths of copies, each proven by the judge at one alpha."""
    total = np.zeros((X.shape[1], len(found.alphas)))
    for number in range(draws.number):
        rows = draws.rows(number)
        factors = draws.factors(number, X.shape[1])
        given = net.factors(X.shape[1])
        penalty = net if factors is None else replace(net, weights=factors * given)
        copy, target = np.asfortranarray(X[rows]), y[rows]
        weight = None if s is None else s[rows]
        path = regsolve.path(
            copy, target, penalty=penalty, alphas=found.alphas, sample_weight=weight, **options
        )
        k = number % len(found.alphas)
        judged = verify(
            copy, target, path.coefs[:, [k]].toarray().ravel(), path.intercepts[k],
            penalty=replace(penalty, alpha=float(path.alphas[k])), sample_weight=weight, **options,
        )  # fmt: skip
        assert judged.relative_gap <= 1e-9
        total += selected(path, q, set(np.flatnonzero(given == 0.0).tolist()))
    return total / draws.number


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("pairs", [True, False])
def test_a_loop_over_copies_selects_the_same(layout: str, solver: str, pairs: bool) -> None:
    X, y = data(61, 40)
    draws = subsamples(61, n_subsamples=20 + 2 * pairs, complementary_pairs=pairs, seed=1)
    found = stability_paths(
        LAYOUTS[layout](X), y, draws, penalty=L1(), q=8, n_alphas=25, solver=solver
    )
    assert found.report.mode == solver
    assert (found.n_subsamples, found.stopped) == (draws.number, None)
    wanted = looped(X, y, draws, found, 8, L1())
    np.testing.assert_array_equal(found.probabilities.toarray(), wanted)
    np.testing.assert_array_equal(found.scores, wanted.max(axis=1))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_weights_of_rows_and_random_factors(
    solver: str, standardize: bool, fit_intercept: bool
) -> None:
    X, y = data(70, 30, seed=4)
    s = np.random.default_rng(1).uniform(0.3, 2.0, 70)
    s[::7] = 0.0
    draws = subsamples(
        70, n_subsamples=12, sample_fraction=0.4, weakness=0.4, seed=3, sample_weight=s
    )
    options = {"standardize": standardize, "fit_intercept": fit_intercept}
    net = ElasticNet(1.0, 0.8)
    found = stability_paths(
        X, y, draws, penalty=net, q=6, n_alphas=20, sample_weight=s, solver=solver, **options
    )
    wanted = looped(X, y, draws, found, 6, net, s, **options)
    np.testing.assert_array_equal(found.probabilities.toarray(), wanted)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("weakness", [1.0, 0.5])
def test_features_without_penalty_are_always_in_and_not_of_the_q(
    solver: str, weakness: float
) -> None:
    X, y = data(60, 12)
    factors = np.ones(12)
    factors[[5, 7, 11]] = 0.0
    factors[2] = np.inf
    draws = subsamples(60, n_subsamples=12, weakness=weakness, seed=2)
    for alphas in (None, [0.3, 0.1], [1e-3]):  # from the last one on, more than q are in at once
        found = stability_paths(
            X, y, draws, penalty=L1(weights=factors), q=2, alphas=alphas, n_alphas=15,
            solver=solver,
        )  # fmt: skip
        wanted = looped(X, y, draws, found, 2, L1(weights=factors))
        np.testing.assert_array_equal(found.probabilities.toarray(), wanted)
        np.testing.assert_array_equal(wanted[factors == 0.0], 1.0)
        assert wanted[factors == 1.0].sum(axis=0).max() <= 2.0 + 1e-12


def test_no_rule_of_cost_changes_an_answer() -> None:
    """Wide, small and tall: "auto" as each mode by name."""
    for n, p in ((40, 300), (200, 6), (12000, 90)):
        X, y = data(n, p, seed=n)
        draws = subsamples(n, n_subsamples=6)
        given = {"penalty": L1(), "q": 5, "n_alphas": 15}
        chosen = stability_paths(X, y, draws, **given)
        assert chosen.report.mode == ("gram" if n == 12000 else "working_set")
        for solver in (*SOLVERS, "cd"):
            other = stability_paths(X, y, draws, solver=solver, tol=1e-10, **given)
            np.testing.assert_allclose(other.alphas, chosen.alphas, rtol=1e-12)
            difference = (other.probabilities != chosen.probabilities).nnz
            assert difference == 0, solver


@pytest.mark.parametrize("solver", SOLVERS)
def test_threads_change_no_bit(solver: str) -> None:
    X, y = data(200, 60)
    draws = subsamples(200, n_subsamples=36, weakness=0.7)
    one, *others = [
        stability_paths(X, y, draws, penalty=L1(), q=10, n_threads=threads, solver=solver)
        for threads in (1, 2, 7)
    ]
    for other in others:
        np.testing.assert_array_equal(other.alphas, one.alphas)
        assert (other.probabilities != one.probabilities).nnz == 0


def test_the_grid_starts_where_nothing_is_selected() -> None:
    X, y = data(60, 100)
    draws = subsamples(60, n_subsamples=10, weakness=0.5)
    found = stability_paths(X, y, draws, penalty=L1(), q=10, alpha_min_ratio=0.1)
    tops = [
        regsolve.path(
            X[draws.rows(k)], y[draws.rows(k)], n_alphas=1,
            penalty=L1(weights=draws.factors(k, 100)),
        ).alpha_max
        for k in range(10)
    ]  # fmt: skip
    assert found.alphas[0] == pytest.approx(max(tops), rel=1e-9)
    assert found.alphas[-1] == pytest.approx(0.1 * max(tops))
    assert found.probabilities[:, [0]].nnz == 0
    assert found.probabilities[:, [1]].nnz > 0


def test_no_subsample_selects_more_than_q() -> None:
    X, y = data(60, 100)
    draws = subsamples(60, n_subsamples=20)
    for q in (1, 3, 9):
        found = stability_paths(X, y, draws, penalty=L1(), q=q)
        assert found.probabilities.sum(axis=0).max() <= q + 1e-12
        assert found.probabilities.sum(axis=0).max() >= 0.8 * q


def test_readings_are_shared() -> None:
    X, y = data(100, 1000)
    draws = subsamples(100, n_subsamples=32)
    found = stability_paths(X, y, draws, penalty=L1(), q=20)
    alone = sum(
        regsolve.path(
            X[draws.rows(k)], y[draws.rows(k)], alphas=found.alphas, dfmax=20
        ).report.n_passes
        for k in range(32)
    )
    assert found.report.n_passes <= 0.5 * alone


def test_columns_in_any_order_and_other_units() -> None:
    X, y = data(80, 50)
    draws = subsamples(80, n_subsamples=16)
    given = {"penalty": L1(), "q": 8, "n_alphas": 30}
    found = stability_paths(X, y, draws, **given)
    order = np.random.default_rng(0).permutation(50)
    permuted = stability_paths(X[:, order], y, draws, **given)
    assert (permuted.probabilities != found.probabilities.tocsr()[order].tocsc()).nnz == 0
    scaled = stability_paths(X, 8.0 * y + 3.0, draws, **given)
    np.testing.assert_allclose(scaled.alphas, 8.0 * found.alphas)
    assert (scaled.probabilities != found.probabilities).nnz == 0
    spread = stability_paths(X * np.geomspace(0.1, 10.0, 50), y, draws, standardize=True, **given)
    plain = stability_paths(X, y, draws, standardize=True, **given)
    assert (spread.probabilities != plain.probabilities).nnz == 0


def test_what_is_drawn() -> None:
    s = np.ones(31)
    s[4] = 0.0
    draws = subsamples(31, n_subsamples=10, sample_weight=s, seed=5)
    rows = np.array([draws.rows(k) for k in range(10)])
    assert not rows[:, 4].any()
    assert (rows.sum(axis=1) == 15).all()
    assert not (rows[::2] & rows[1::2]).any()
    assert len({row.tobytes() for row in rows}) == 10
    again = subsamples(31, n_subsamples=10, sample_weight=s, seed=5)
    np.testing.assert_array_equal(again.rows(7), rows[7])
    single = subsamples(31, n_subsamples=9, complementary_pairs=False, sample_fraction=0.2)
    assert all(single.rows(k).sum() == 6 for k in range(9))
    factors = np.array([replace(draws, weakness=0.5).factors(k, 400) for k in range(10)])
    assert factors.min() >= 1.0
    assert factors.max() <= 2.0
    assert len(np.unique(factors[:, 0])) == 10
    assert np.mean(1.0 / factors) == pytest.approx(0.75, abs=0.01)


def test_rows_of_a_group_are_drawn_together() -> None:
    groups = np.array(list("aabbbcdddde"))
    draws = subsamples(11, n_subsamples=20, groups=groups)
    for k in range(0, 20, 2):
        first, second = (set(groups[draws.rows(j)]) for j in (k, k + 1))
        assert len(first) == len(second) == 2
        assert not first & second
        assert all(draws.rows(k)[groups == name].all() for name in first)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_weight_is_a_group_of_repeated_rows(solver: str) -> None:
    X, y = data(50, 30)
    s = np.random.default_rng(0).integers(0, 4, 50)
    repeated = np.repeat(np.arange(50), s)
    given = {"penalty": L1(), "q": 6, "solver": solver}
    weighted = stability_paths(
        X, y, subsamples(50, n_subsamples=12, sample_weight=s), sample_weight=s, **given
    )
    copied = stability_paths(
        X[repeated], y[repeated],
        subsamples(len(repeated), n_subsamples=12, groups=repeated), **given,
    )  # fmt: skip
    np.testing.assert_allclose(copied.alphas, weighted.alphas, rtol=1e-12)
    assert (copied.probabilities != weighted.probabilities).nnz == 0


@pytest.mark.parametrize("p", [30, 150])
def test_noise_obeys_the_bound(p: int) -> None:
    """Forty draws of data: features without effect that are kept, on average."""
    rng, threshold, q, number = np.random.default_rng(p), 0.6, 8, 20
    kept = {"none": 0.0, "unimodal": 0.0, "r-concave": 0.0}
    found_effects = 0
    for seed in range(40):
        X = rng.standard_normal((60, p))
        y = X[:, :2] @ [2.0, -2.0] + rng.standard_normal(60)
        draws = subsamples(60, n_subsamples=number, seed=seed)
        scores = stability_paths(X, y, draws, penalty=L1(), q=q, n_alphas=40).scores
        for assumption in kept:
            kept[assumption] += float(np.sum(scores[2:] >= threshold)) / 40
        found_effects += int(np.sum(scores[:2] >= threshold))
    for assumption, mean in kept.items():
        assert mean <= pfer_bound(threshold, q, p, number, assumption)
    assert found_effects >= 76
    assert max(kept.values()) > 0.0  # the bound had something to bound


@pytest.mark.filterwarnings("ignore:.*missed tol")  # more unpenalised features than rows
@pytest.mark.parametrize("seed", range(60))
def test_nasty_problems_give_shares(seed: int) -> None:
    """Duplicated and constant columns, tiny n, zero weights, one-hot, float32, bounds."""
    problem = nasty(seed)
    n, p = problem.dense.shape
    s = problem.sample_weight
    if p == 0 or np.sum(s > 0.0) < 2:
        return
    net = replace(problem.penalty(1.0), alpha=1.0)
    if net.l1_ratio == 0.0:
        net = L1()
    draws = subsamples(n, n_subsamples=8, sample_weight=s)
    given: dict[str, Any] = {"penalty": net, "q": min(3, p), "n_alphas": 10, "sample_weight": s}
    given["max_time"] = 20.0
    for solver in ("auto", *SOLVERS):
        found = stability_paths(problem.X, problem.target, draws, solver=solver, **given)
        assert found.n_subsamples == 8
        shares = found.probabilities.toarray()
        assert np.all((shares >= 0.0) & (shares <= 1.0))
        assert shares[net.factors(p) > 0.0].sum(axis=0).max(initial=0.0) <= 3 + 1e-12


def test_twins_share_and_a_constant_never_enters() -> None:
    X, y = data(60, 20)
    X[:, 7] = 4.0
    X[:, 9] = X[:, 0]
    found = stability_paths(X, y, subsamples(60), penalty=L1(), q=5)
    assert found.scores[7] == 0.0
    together = found.scores[0] + found.scores[9]
    assert together >= 0.9


def test_constant_target_selects_nothing() -> None:
    X, _ = data(20, 10)
    found = stability_paths(X, np.full(20, 3.0), subsamples(20), penalty=L1(), q=3)
    assert found.scores.max() == 0.0
    assert found.n_subsamples == 100


@pytest.mark.timed
@pytest.mark.parametrize("solver", SOLVERS)
def test_time_keeps_whole_groups(solver: str) -> None:
    X, y = data(400, 300)
    draws = subsamples(400, n_subsamples=1000)
    given = {"penalty": L1(), "q": 150, "solver": solver}
    with pytest.warns(ConvergenceWarning, match=r"after \d+ of 1000 subsamples"):
        part = stability_paths(X, y, draws, max_time=0.6, **given)
    assert part.stopped == "time_limit"
    assert part.n_subsamples < 1000
    assert part.n_subsamples % (16 if solver == "working_set" else 2) == 0
    assert part.report.seconds <= 1.5
    if part.n_subsamples > 0:
        first = replace(draws, number=part.n_subsamples)
        whole = stability_paths(X, y, first, alphas=part.alphas, **given)
        assert (whole.probabilities != part.probabilities).nnz == 0


def test_a_callback_ends_it() -> None:
    X, y = data(60, 40)
    seen = []

    def told(progress: regsolve.Progress) -> bool:
        seen.append(progress.alpha)
        return len(seen) >= 600

    found = stability_paths(X, y, subsamples(60), penalty=L1(), q=8, n_alphas=20, callback=told)
    assert found.stopped == "interrupted"
    assert 16 <= found.n_subsamples < 100
    assert len(seen) < 700


@pytest.mark.parametrize("when", ["in a path", "between paths"])
def test_ctrl_c_gives_what_is_finished(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = data(60, 40)
    steps = []

    def strike(*_: Any) -> Any:
        steps.append(1)
        if len(steps) >= (600 if when == "in a path" else 40):
            raise KeyboardInterrupt
        return original(*_)

    original: Any = lambda *_: False  # noqa: E731
    given: dict[str, Any] = {"penalty": L1(), "q": 8, "n_alphas": 20}
    draws = subsamples(60)
    if when == "in a path":
        given["callback"] = strike
    else:
        original = stability._entries
        monkeypatch.setattr(stability, "_entries", strike)
    with pytest.raises(regsolve.Interrupted) as caught:
        stability_paths(X, y, draws, **given)
    monkeypatch.undo()
    part = caught.value.result
    assert part.stopped == "interrupted"
    assert 16 <= part.n_subsamples < 100
    first = replace(draws, number=part.n_subsamples)
    whole = stability_paths(X, y, first, penalty=L1(), q=8, alphas=part.alphas)
    assert (whole.probabilities != part.probabilities).nnz == 0


def test_what_is_refused() -> None:
    X, y = data(20, 8)
    draws = subsamples(20)
    with pytest.raises(ValueError, match="l1_ratio=0"):
        stability_paths(X, y, draws, penalty=ElasticNet(1.0, 0.0), q=2)
    with pytest.raises(ValueError, match="alphas has a 0"):
        stability_paths(X, y, draws, penalty=L1(), q=2, alphas=[1.0, 0.0])
    with pytest.raises(ValueError, match=r"alpha_min_ratio=2.0: expected a number in \(0, 1\]"):
        stability_paths(X, y, draws, penalty=L1(), q=2, alpha_min_ratio=2.0)
    X[3, 2] = np.nan
    for solver in SOLVERS:
        with pytest.raises(ValueError, match="NaN or infinity, first in column 2"):
            stability_paths(X, y, draws, penalty=L1(), q=2, solver=solver)
    for given, message in (
        ({"sample_fraction": 0.6}, "at most 0.5"),
        ({"n_subsamples": 7}, "an even number"),
        ({"n_subsamples": 1}, "n_subsamples=1"),
        ({"weakness": 1.5}, "weakness=1.5"),
        ({"weakness": 0.0}, "weakness=0.0"),
        ({"groups": np.zeros(3)}, "groups has shape"),
        ({"groups": np.zeros(20)}, "1 group with weight"),
        ({"sample_fraction": 0.01}, "is empty"),
    ):
        with pytest.raises(ValueError, match=message):
            subsamples(20, **given)

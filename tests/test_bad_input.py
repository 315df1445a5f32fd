"""Bad input gets one clear error that names the argument; odd but meaningful input is accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from regsolve import path, solve, verify
from regsolve.penalties import L1, L2, ElasticNet

N, P = 12, 4
NAN, INF = float("nan"), float("inf")
REFUSED = (ValueError, TypeError)


def data() -> tuple[np.ndarray, np.ndarray]:
    """X (12, 4) and y (12,), fresh for each test."""
    rng = np.random.default_rng(0)
    return np.asfortranarray(rng.standard_normal((N, P))), rng.standard_normal(N)


def call(face: Callable[..., Any], X: Any, y: Any, **options: Any) -> Any:
    """solve, path or verify of (X, y), with L1 unless a penalty is given."""
    options.setdefault("penalty", L1(0.1))
    if face is verify:
        return verify(X, y, np.zeros(P), **options)
    return face(X, y, **options)


def spoilt(array: np.ndarray, value: Any) -> np.ndarray:
    """A copy with one entry replaced."""
    copy = np.array(array, order="F")
    copy.flat[5 % copy.size] = value
    return copy


def only(message: str, name: str) -> None:
    """The message names the argument and is one short sentence or two, not a dump."""
    assert name in message
    assert len(message) < 400
    assert "\n" not in message


@pytest.mark.parametrize("face", [solve, path, verify])
@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize(
    "build",
    [
        np.asfortranarray,
        np.ascontiguousarray,
        lambda X: X.astype(np.float32),
        sparse.csc_matrix,
        sparse.csr_matrix,
        lambda X: sparse.csc_matrix(X.astype(np.float32)),
    ],
    ids=["F", "C", "float32", "csc", "csr", "csc32"],
)
def test_values_of_X_are_finite(face: Any, value: float, build: Any) -> None:
    X, y = data()
    with pytest.raises(ValueError, match=r"\bX\b.*(NaN|nan|inf|finite)") as caught:
        call(face, build(spoilt(X, value)), y)
    only(str(caught.value), "X")


@pytest.mark.parametrize("face", [solve, path, verify])
@pytest.mark.parametrize("value", [NAN, INF])
@pytest.mark.parametrize("name", ["y", "sample_weight", "offset"])
def test_values_of_vectors_are_finite(face: Any, value: float, name: str) -> None:
    X, y = data()
    vectors = {name: spoilt(np.ones(N), value)}
    with pytest.raises(ValueError, match=rf"\b{name}\b.*(NaN|nan|inf|finite)") as caught:
        call(face, X, vectors.pop("y", y), **vectors)
    only(str(caught.value), name)


@pytest.mark.parametrize("face", [solve, path])
@pytest.mark.parametrize("solver", ["auto", "cd"])
def test_nan_in_a_large_matrix_is_found(face: Any, solver: str) -> None:
    """NaN is found by the first reading, whatever block or column holds it."""
    rng = np.random.default_rng(0)
    X, y = np.asfortranarray(rng.standard_normal((3000, 40))), rng.standard_normal(3000)
    for place in ((0, 0), (2999, 39), (1500, 20)):
        bad = X.copy(order="F")
        bad[place] = NAN
        with pytest.raises(ValueError, match=r"\bX\b"):
            call(face, bad, y, solver=solver)


@pytest.mark.parametrize("face", [solve, path])
@pytest.mark.parametrize("options", [{"sample_weight": np.arange(N) % 5}, {"fit_intercept": False}])
def test_nan_is_found_where_it_has_no_effect(face: Any, options: Any) -> None:
    """NaN in a row of weight 0 or in an excluded column is still an error."""
    X, y = data()
    X[0, 2] = NAN
    with pytest.raises(ValueError, match=r"\bX\b"):
        call(face, X, y, penalty=L1(0.1, weights=[1.0, 1.0, INF, 1.0]), **options)


def shapes() -> list[tuple[str, dict[str, Any]]]:
    """(argument at fault, changed arguments) for shapes, kinds and ranges of the data."""
    X, y = data()
    return [
        ("X", {"X": X[:, 0]}),
        ("X", {"X": X[None]}),
        ("X", {"X": np.float64(3.0)}),
        ("X", {"X": None}),
        ("X", {"X": "matrix"}),
        ("X", {"X": X.astype(complex)}),
        ("X", {"X": sparse.csc_matrix(X.astype(complex))}),
        ("X", {"X": np.array([["a", "b", "c", "d"]] * N)}),
        ("X", {"X": np.array([[{}] * P] * N, dtype=object)}),
        ("X", {"X": np.empty((0, P)), "y": np.empty(0)}),
        ("y", {"y": np.column_stack([y, y])}),
        ("y", {"y": y[:, None]}),
        ("y", {"y": y[:-1]}),
        ("y", {"y": np.append(y, 0.0)}),
        ("y", {"y": np.array(["a"] * N)}),
        ("y", {"y": np.array([{}] * N, dtype=object)}),
        ("y", {"y": y.astype(complex)}),
        ("y", {"y": None}),
        ("sample_weight", {"sample_weight": spoilt(np.ones(N), -1.0)}),
        ("sample_weight", {"sample_weight": np.zeros(N)}),
        ("sample_weight", {"sample_weight": np.ones(N - 1)}),
        ("sample_weight", {"sample_weight": np.ones((N, 1))}),
        ("sample_weight", {"sample_weight": np.array(["a"] * N)}),
        ("offset", {"offset": np.ones(N + 1)}),
        ("offset", {"offset": np.ones((N, 2))}),
        ("weights", {"penalty": L1(0.1, weights=np.ones(P - 1))}),
        ("lower", {"penalty": L1(0.1, lower=-np.ones(P + 1))}),
        ("upper", {"penalty": ElasticNet(0.1, upper=np.ones(1 + P))}),
        ("penalty", {"penalty": "l1"}),
        ("penalty", {"penalty": None}),
        ("penalty", {"penalty": L1}),
        ("loss", {"loss": "quadratic"}),
        ("loss", {"loss": None}),
    ]


@pytest.mark.parametrize("face", [solve, path, verify])
@pytest.mark.parametrize("case", range(len(shapes())))
def test_data_is_checked(face: Any, case: int) -> None:
    name, change = shapes()[case]
    X, y = data()
    given = {"X": X, "y": y, **change}
    with pytest.raises(REFUSED, match=rf"\b{name}\b") as caught:
        call(face, given.pop("X"), given.pop("y"), **given)
    only(str(caught.value), name)


OPTIONS: list[tuple[str, Any]] = [
    ("tol", 0.0),
    ("tol", -1e-6),
    ("tol", NAN),
    ("tol", "small"),
    ("max_iter", 0),
    ("max_iter", -3),
    ("max_iter", 1.5),
    ("max_time", -1.0),
    ("max_time", NAN),
    ("max_memory", -1),
    ("n_threads", 0),
    ("n_threads", -2),
    ("n_threads", 1.5),
    ("callback", 3),
    ("callback", "print"),
    ("solver", "newton"),
    ("solver", None),
    ("max_memory", "1GB"),
    ("max_memory", [1e9]),
    ("max_memory", -INF),
]


@pytest.mark.parametrize("face", [solve, path])
@pytest.mark.parametrize(("name", "value"), OPTIONS)
def test_options_are_checked(face: Any, name: str, value: Any) -> None:
    X, y = data()
    with pytest.raises(REFUSED, match=rf"\b{name}\b") as caught:
        call(face, X, y, **{name: value})
    only(str(caught.value), name)


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("solver", "newton", ["auto", "cd", "gram", "working_set"]),
        ("penalty", "l1", ["L1", "L2", "ElasticNet", "Custom"]),
        ("loss", "quadratic", ["Quadratic", "Custom"]),
    ],
)
def test_unknown_choices_are_answered_with_the_known(
    name: str, value: Any, accepted: list[str]
) -> None:
    X, y = data()
    with pytest.raises(REFUSED, match=name) as caught:
        call(solve, X, y, **{name: value})
    assert all(word in str(caught.value) for word in accepted)


@pytest.mark.parametrize("make", [L1, L2, ElasticNet])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("alpha", {"alpha": -1.0}),
        ("alpha", {"alpha": NAN}),
        ("alpha", {"alpha": INF}),
        ("alpha", {"alpha": "strong"}),
        ("weights", {"weights": [-1.0, 1.0]}),
        ("weights", {"weights": [NAN, 1.0]}),
        ("weights", {"weights": [[1.0]]}),
        ("weights", {"weights": "none"}),
        ("lower", {"lower": 0.5}),
        ("lower", {"lower": [0.0, 1e-9]}),
        ("lower", {"lower": NAN}),
        ("upper", {"upper": -0.5}),
        ("upper", {"upper": [NAN, 1.0]}),
        ("positive", {"positive": True, "lower": -1.0}),
    ],
)
def test_penalties_check_their_parameters(make: Any, name: str, options: dict[str, Any]) -> None:
    with pytest.raises(REFUSED, match=rf"\b{name}\b"):
        make(**options)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, NAN, "half", None])
def test_l1_ratio_is_a_share(ratio: Any) -> None:
    with pytest.raises(REFUSED, match=r"\bl1_ratio\b"):
        ElasticNet(0.1, ratio)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("alphas", {"alphas": []}),
        ("alphas", {"alphas": [1.0, -0.1]}),
        ("alphas", {"alphas": [1.0, NAN]}),
        ("alphas", {"alphas": [1.0, INF]}),
        ("alphas", {"alphas": [[1.0, 0.1]]}),
        ("alphas", {"alphas": "auto"}),
        ("alphas", {"penalty": L2()}),
        ("n_alphas", {"n_alphas": 0}),
        ("n_alphas", {"n_alphas": -1}),
        ("n_alphas", {"n_alphas": 2.5}),
        ("alpha_min_ratio", {"alpha_min_ratio": 0.0}),
        ("alpha_min_ratio", {"alpha_min_ratio": -0.1}),
        ("alpha_min_ratio", {"alpha_min_ratio": 1.5}),
        ("alpha_min_ratio", {"alpha_min_ratio": NAN}),
        ("dfmax", {"dfmax": -1}),
        ("dfmax", {"dfmax": 2.5}),
        ("stop_at_deviance", {"stop_at_deviance": NAN}),
        ("stop_at_deviance", {"stop_at_deviance": -0.5}),
    ],
)
def test_path_checks_its_grid(name: str, options: dict[str, Any]) -> None:
    X, y = data()
    with pytest.raises(REFUSED, match=rf"\b{name}\b") as caught:
        call(path, X, y, **options)
    only(str(caught.value), name)


@pytest.mark.parametrize(
    "value", [np.ones(P - 1), np.ones((P, 1)), spoilt(np.ones(P), NAN), "zero"]
)
def test_starting_coefficients_are_checked(value: Any) -> None:
    X, y = data()
    with pytest.raises(REFUSED, match=r"\bcoef_init\b"):
        call(solve, X, y, coef_init=value)


@pytest.mark.parametrize("value", [np.ones(P + 1), np.ones((P, 2)), spoilt(np.ones(P), NAN)])
def test_judged_coefficients_are_checked(value: Any) -> None:
    X, y = data()
    with pytest.raises(REFUSED, match=r"\bcoef\b"):
        verify(X, y, value, penalty=L1(0.1))


def test_broken_sparse_structure_is_refused() -> None:
    """An index outside the matrix must not become a read outside the array."""
    X, y = data()
    for broken in (N, -1):
        bad = sparse.csc_matrix(X)
        bad.indices[3] = broken
        with pytest.raises(ValueError, match=r"\bX\b"):
            call(solve, bad, y)
    bad = sparse.csc_matrix(X)
    bad.indptr[1] = 40
    with pytest.raises(ValueError, match=r"\bX\b"):
        call(solve, bad, y)


def test_degenerate_shapes() -> None:
    y = np.array([1.0, 2.0, 6.0])
    empty = solve(np.empty((3, 0)), y, penalty=L1(0.1))
    assert empty.coef.shape == (0,)
    assert empty.intercept == pytest.approx(3.0)
    assert empty.status == "optimal"
    one_row = solve(np.array([[1.0, 2.0]]), np.array([5.0]), penalty=L1(0.1))
    assert np.all(one_row.coef == 0.0)
    assert one_row.intercept == pytest.approx(5.0)
    assert one_row.certificate.relative_gap == 0.0
    scalar = solve(np.array([[2.0]]), np.array([3.0]), penalty=L1(1.0), fit_intercept=False)
    assert scalar.coef[0] == pytest.approx((2.0 * 3.0 - 1.0) / 4.0)


def test_constant_target_is_the_null_model() -> None:
    X, _ = data()
    answer = solve(X, np.full(N, 7.5), penalty=L1(0.1))
    assert np.all(answer.coef == 0.0)
    assert answer.intercept == pytest.approx(7.5, rel=1e-14)
    assert answer.status == "optimal"
    assert answer.certificate.relative_gap == 0.0


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint16, np.bool_])
@pytest.mark.parametrize("build", [np.asfortranarray, sparse.csc_matrix])
def test_integers_are_converted(dtype: Any, build: Any) -> None:
    X = np.random.default_rng(0).integers(0, 2, (40, 6))
    y = X @ np.arange(6.0) + 1.0
    plain = solve(X.astype(float), y, penalty=L1(0.01), tol=1e-12)
    given = solve(build(X.astype(dtype)), y.astype(np.int64), penalty=L1(0.01), tol=1e-12)
    np.testing.assert_allclose(given.coef, plain.coef, atol=2e-5)


def test_lists_are_accepted() -> None:
    answer = solve([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [1.0, 2.0, 4.0], penalty=L2(0.1))
    assert answer.status == "optimal"


@pytest.mark.parametrize("face", [solve, path, verify])
def test_targets_whose_squares_overflow_are_refused(face: Callable[..., Any]) -> None:
    X, y = data()
    with pytest.raises(ValueError, match=r"y h.*overflow"):
        call(face, X, 1e155 * y)


@pytest.mark.parametrize("name", ["fit_intercept", "standardize"])
def test_switches_are_true_or_false(name: str) -> None:
    X, y = data()
    for given in ("no", None, 0.5):
        with pytest.raises(TypeError, match=name):
            solve(X, y, penalty=L1(0.1), **{name: given})
    assert solve(X, y, penalty=L1(0.1), **{name: np.bool_(False)}).status == "optimal"


@pytest.mark.parametrize("weight", ["a", 0.0, NAN, -1.0, INF, [[1.0]]])
def test_weights_for_all_rows_are_one_number_above_zero(weight: Any) -> None:
    with pytest.raises(REFUSED, match="sample_weight"):
        call(solve, *data(), sample_weight=weight)


def test_answers_compare_by_identity() -> None:
    X, y = data()
    first, second = (path(X, y, n_alphas=3) for _ in range(2))
    assert first == first
    assert first != second
    assert len({first, second}) == 2
    assert call(solve, X, y) != call(solve, X, y)

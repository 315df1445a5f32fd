"""pointer(): every accepted kind of function is the same C function, and the rest is refused."""

from __future__ import annotations

import ctypes
import gc
import json
import math
import subprocess
import sys
import textwrap
import weakref
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from scipy import LowLevelCallable

import regsolve.custom
from regsolve.custom import Pointer, elementwise, pointer, python_callable

DOUBLE = ctypes.c_double
RATE = 0.5


def smooth(w: float, alpha: float, weight: float) -> float:
    """Compute alpha weight log(1 + |w|) with a constant and a module of the file."""
    return RATE * alpha * weight * math.log1p(abs(w))


def closing_over(rate: float) -> Any:
    """Make the same function, its constant in a closure."""

    def inner(w: float, alpha: float, weight: float) -> float:
        return rate * alpha * weight * math.log1p(abs(w))

    return inner


def native(made: Pointer, n_arguments: int) -> Any:
    """Callable C function at a pointer's address."""
    return ctypes.CFUNCTYPE(DOUBLE, *[DOUBLE] * n_arguments)(made.address)


COMPILED = numba.cfunc("double(double, double, double)")(smooth)
KINDS = {
    "plain": smooth,
    "lambda": lambda w, alpha, weight: RATE * alpha * weight * math.log1p(abs(w)),
    "closure": closing_over(0.5),
    "njit": numba.njit(smooth),
    "njit, called": numba.njit(closing_over(0.5)),
    "cfunc": COMPILED,
    "ctypes": COMPILED.ctypes,
    "low level": LowLevelCallable(COMPILED.ctypes),
    "python callback": ctypes.CFUNCTYPE(DOUBLE, DOUBLE, DOUBLE, DOUBLE)(smooth),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_the_same_function(kind: str) -> None:
    made = pointer(KINDS[kind], 3)
    assert isinstance(made.address, int)
    function, python = native(made, 3), python_callable(KINDS[kind], 3)
    for arguments in [(0.0, 1.0, 1.0), (-2.5, 0.3, 0.7), (1e300, 1.0, 2.0)]:
        expected = smooth(*arguments)
        assert function(*arguments) == pytest.approx(expected, rel=1e-15)
        assert made.python(*arguments) == pytest.approx(expected, rel=1e-15)
        assert python(*arguments) == pytest.approx(expected, rel=1e-15)


def test_two_arguments_and_functions_of_functions() -> None:
    square = numba.njit(lambda x: x * x)

    def value(y: float, z: float) -> float:
        return 0.5 * square(y - z)

    assert native(pointer(value, 2), 2)(1.0, 4.0) == 4.5


def test_integers_returned_are_converted() -> None:
    assert native(pointer(lambda y, z: 1 if y > z else 2, 2), 2)(0.0, 0.0) == 2.0


def test_library_function() -> None:
    library = ctypes.CDLL(None)
    library.atan2.restype, library.atan2.argtypes = DOUBLE, [DOUBLE, DOUBLE]
    made = pointer(library.atan2, 2)
    assert native(made, 2)(1.0, 2.0) == made.python(1.0, 2.0) == math.atan2(1.0, 2.0)


def test_the_same_function_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    function = closing_over(0.25)
    first = pointer(function, 3)
    monkeypatch.setattr(regsolve.custom, "_compile", None)
    assert pointer(function, 3) is first


def test_compiled_functions_are_forgotten_with_their_source() -> None:
    function = closing_over(0.125)
    pointer(function, 3)
    alive = weakref.ref(function)
    del function
    gc.collect()
    assert alive() is None


def test_a_pointer_outlives_its_source() -> None:
    made = pointer(closing_over(2.0), 3)
    gc.collect()
    assert native(made, 3)(math.e - 1.0, 1.0, 1.0) == pytest.approx(2.0)


def test_functions_on_one_line_are_kept_apart() -> None:
    two, three = (lambda y, z: y + 2.0 * z), (lambda y, z: y + 3.0 * z)
    assert native(pointer(two, 2), 2)(1.0, 1.0) == 3.0
    assert native(pointer(three, 2), 2)(1.0, 1.0) == 4.0


def test_functions_without_a_source_file() -> None:
    names: dict[str, Any] = {}
    exec("def twice(y, z):\n    return 2.0 * z + y", names)
    assert native(pointer(names["twice"], 2), 2)(1.0, 3.0) == 7.0


def test_elementwise() -> None:
    over = elementwise(smooth, 3)
    w = np.linspace(-3.0, 3.0, 7)
    np.testing.assert_allclose(over(w, 0.2, np.ones(7)), 0.1 * np.log1p(np.abs(w)), rtol=1e-15)
    assert over(np.zeros(0), 1.0, np.zeros(0)).shape == (0,)


class Callable:
    """A callable that is not a function."""

    def __call__(self, y: float, z: float) -> float:
        """Add."""
        return y + z


UNTYPED = ctypes.CDLL(None).fabs
SINGLE = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_float)(lambda x: x)


@pytest.mark.parametrize(
    ("function", "n_arguments", "message"),
    [
        (3.0, 2, "3.0 is a float: expected a plain Python function"),
        (None, 2, "NoneType: expected a plain Python function"),
        (Callable(), 2, "Callable: expected a plain Python function"),
        (math.hypot, 2, "hypot is a builtin_function_or_method: expected"),
        (np.hypot, 2, "hypot.* is a ufunc: expected"),
        (UNTYPED, 1, "set restype to c_double and argtypes"),
        (SINGLE, 1, "set restype to c_double"),
        (
            LowLevelCallable(COMPILED.ctypes, ctypes.c_void_p(1)),
            3,
            r"double \(double, \.\.\.\) and have no user_data",
        ),
        (LowLevelCallable(SINGLE), 1, "LowLevelCallable of signature 'float"),
        (ctypes.CFUNCTYPE(DOUBLE, DOUBLE)(0), 1, "null pointer"),
    ],
)
def test_other_kinds_are_refused(function: Any, n_arguments: int, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        pointer(function, n_arguments)
    with pytest.raises(TypeError, match=message):
        python_callable(function, n_arguments)


@pytest.mark.parametrize("kind", KINDS)
def test_arity_is_checked(kind: str) -> None:
    for n_arguments in (2, 4):
        with pytest.raises(ValueError, match=rf"{n_arguments}"):
            pointer(KINDS[kind], n_arguments)


def test_signatures_that_are_not_positional() -> None:
    def packed(*values: float) -> float:
        return values[0]

    def keyword(y: float, *, z: float) -> float:
        return y + z

    for function in (packed, keyword):
        with pytest.raises(ValueError, match=rf"{function.__name__}.*2 positional arguments"):
            pointer(function, 2)


def test_code_that_numba_cannot_compile() -> None:
    def bad(y: float, z: float) -> float:
        return y + undefined_name * z  # type: ignore[name-defined] # noqa: F821

    def text(y: float, z: float) -> Any:
        return f"{y}" + str(z)

    for function in (bad, text):
        with pytest.raises(ValueError, match=f"{function.__name__} cannot be compiled by Numba: "):
            pointer(function, 2)


MINE = """
import math
import os

RATE = float(os.environ.get("RATE", "1"))

def inner(x):
    return RATE * x

def value(w, alpha, weight):
    return alpha * weight * inner(abs(w))
"""
RUN = """
import ctypes, json, sys
import numba
from regsolve.custom import pointer
import mine

mine.inner = numba.njit(mine.inner)
made = pointer(mine.value, 3)
double = ctypes.c_double
answer = ctypes.CFUNCTYPE(double, double, double, double)(made.address)(-2.0, 3.0, 5.0)
json.dump([answer, made.owner.cache_hits], sys.stdout)
"""


def test_machine_code_is_found_again_unless_a_constant_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second process loads; one in which a global differs compiles anew."""
    (tmp_path / "mine.py").write_text(textwrap.dedent(MINE))
    (tmp_path / "run.py").write_text(textwrap.dedent(RUN))
    monkeypatch.setenv("PYTHONPATH", str(Path(regsolve.custom.__file__).parents[1]))

    def run(rate: str) -> list[float]:
        monkeypatch.setenv("RATE", rate)
        command = [sys.executable, str(tmp_path / "run.py")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        found: list[float] = json.loads(done.stdout)
        return found

    assert run("1") == [30.0, 0]
    assert run("1") == [30.0, 1]
    assert run("7") == [210.0, 0]


def test_numba_is_imported_only_to_compile() -> None:
    code = (
        "import sys, regsolve.custom, regsolve.penalties as p\n"
        "p.Custom(lambda w, a, f: w, lambda z, s, a, f: z)\n"
        "assert 'numba' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

"""A user's scalar functions as C pointers, double (double, ..., double), for the compiled solvers.

Plain Python functions are compiled by Numba, once a process and, where it is safe, once a
machine: Numba keeps the machine code beside the source file and takes it up again as long as that
file is unchanged. Numba is imported only when something has to be compiled.
"""

from __future__ import annotations

import ctypes
import hashlib
import inspect
import math
import re
import types
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import LowLevelCallable

if TYPE_CHECKING:
    from numpy.typing import NDArray

ACCEPTED = (
    "a plain Python function, a Numba njit or cfunc function, a scipy.LowLevelCallable without "
    "user_data, or a ctypes function pointer with argtypes and restype set"
)

_FunctionPointer: Any = ctypes.CFUNCTYPE(None).__mro__[1]  # base of every ctypes function
# Modules whose names mean the same in every process, so that machine code may outlive one.
_FIXED_MODULES = {"math", "cmath", "numpy", "numba", "builtins"}
_C_SIGNATURE = re.compile(r"\s*double\s*\(\s*(double\s*(?:,\s*double\s*)*)\)\s*")


@dataclass(frozen=True, eq=False)
class Pointer:
    """A C function double (double, ..., double).

    Attributes
    ----------
    address : int
        Where the function lies; valid as long as this object lives.
    python : callable
        The same function, callable from Python.
    owner : object
        What keeps the machine code alive.
    """

    address: int
    python: Callable[..., float]
    owner: object


_compiled: weakref.WeakKeyDictionary[Any, dict[int, Pointer]] = weakref.WeakKeyDictionary()


def pointer(function: Any, n_arguments: int) -> Pointer:
    """C pointer of a function of ``n_arguments`` floats that returns a float.

    Parameters
    ----------
    function : callable or pointer
        A plain Python function (closures over constants included), a Numba ``njit`` or ``cfunc``
        function, a ``scipy.LowLevelCallable`` without user_data, or a ctypes function pointer
        with argtypes and restype set.
    n_arguments : int
        Number of float arguments.

    Returns
    -------
    Pointer
        Compiled at the first call, and the same object for the same function afterwards.

    Raises
    ------
    TypeError
        A function of another kind, or a pointer whose types are not all double.
    ValueError
        Another number of arguments, or Python code that Numba cannot compile.
    """
    plain = _plain_function(function)
    if plain is None:
        return _existing(function, n_arguments)
    _require_arity(plain, n_arguments)
    known = _compiled.setdefault(function, {})
    if n_arguments not in known:
        known[n_arguments] = _compile(plain, n_arguments, getattr(function, "targetoptions", {}))
    return known[n_arguments]


def python_callable(function: Any, n_arguments: int) -> Callable[..., float]:
    """Find the function that Python calls, without compiling; raises as :func:`pointer` does."""
    plain = _plain_function(function)
    if plain is None:
        return _existing(function, n_arguments).python
    _require_arity(plain, n_arguments)
    return plain


def elementwise(function: Any, n_arguments: int) -> Callable[..., NDArray[np.float64]]:
    """Apply a scalar function over broadcast arrays; NaN where Python's arithmetic overflows."""
    plain = python_callable(function, n_arguments)

    def guarded(*values: float) -> float:
        try:
            return float(plain(*values))
        except OverflowError:
            return math.nan

    over = np.frompyfunc(guarded, n_arguments, 1)

    def apply(*arrays: Any) -> NDArray[np.float64]:
        with np.errstate(all="ignore"):
            return np.asarray(over(*arrays), dtype=np.float64)

    return apply


def _name(function: Any) -> str:
    return str(getattr(function, "__qualname__", None) or repr(function))


def _plain_function(function: Any) -> types.FunctionType | None:
    """Python code behind a plain or njit function; None for what is compiled already."""
    if hasattr(function, "targetoptions"):  # Numba's mark of an njit function
        function = function.py_func
    return function if isinstance(function, types.FunctionType) else None


def _require_arity(plain: types.FunctionType, n_arguments: int) -> None:
    parameters = inspect.signature(plain).parameters.values()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(parameters) != n_arguments or any(one.kind not in positional for one in parameters):
        given = ", ".join(str(one) for one in parameters)
        raise ValueError(
            f"{_name(plain)}({given}) must take {n_arguments} positional arguments, all floats"
        )


def _existing(function: Any, n_arguments: int) -> Pointer:
    """Pointer to code that is compiled already, its types checked."""
    if isinstance(function, LowLevelCallable):
        return _low_level(function, n_arguments)
    native = getattr(function, "ctypes", function)  # Numba's cfunc functions carry one
    if not isinstance(native, _FunctionPointer):
        raise TypeError(f"{_name(function)} is a {type(function).__name__}: expected {ACCEPTED}")
    arguments, result = native.argtypes, native.restype
    if arguments is None or {*arguments, result} != {ctypes.c_double}:
        raise TypeError(
            f"{_name(function)} must be double (double, ...): for a ctypes function set restype to "
            "c_double and argtypes to c_double for each argument"
        )
    _require_count(function, len(arguments), n_arguments)
    return _native(ctypes.cast(native, ctypes.c_void_p).value or 0, native, function)


def _low_level(function: Any, n_arguments: int) -> Pointer:
    """Pointer of a SciPy LowLevelCallable, whose first item is a capsule named by its signature."""
    signature = _C_SIGNATURE.fullmatch(function.signature or "")
    if signature is None or function.user_data is not None:
        raise TypeError(
            f"LowLevelCallable of signature {function.signature!r} must be double (double, ...) "
            "and have no user_data"
        )
    _require_count(function.signature, signature[1].count("double"), n_arguments)
    types_of = (ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    get_pointer = ctypes.PYFUNCTYPE(*types_of)(("PyCapsule_GetPointer", ctypes.pythonapi))
    address: int = get_pointer(tuple.__getitem__(function, 0), function.signature.encode())
    python = ctypes.CFUNCTYPE(*[ctypes.c_double] * (n_arguments + 1))(address)
    return _native(address, python, function)


def _require_count(function: Any, given: int, n_arguments: int) -> None:
    if given != n_arguments:
        name = function if isinstance(function, str) else _name(function)
        raise ValueError(f"{name} takes {given} arguments: expected {n_arguments}, all double")


def _native(address: int, python: Any, owner: object) -> Pointer:
    if not address:
        raise TypeError(f"{owner!r} is a null pointer: expected {ACCEPTED}")
    return Pointer(address, python, owner)


def _compile(plain: types.FunctionType, n_arguments: int, options: dict[str, Any]) -> Pointer:
    """Machine code of a Python function, from Numba's cache on disk where that is safe."""
    import numba
    from numba.core.errors import NumbaError

    kept = {name: options[name] for name in ("fastmath", "error_model") if name in options}
    digest = _digest(plain, [])
    signature = numba.float64(*[numba.float64] * n_arguments)
    try:
        if digest is not None:
            digest = hashlib.sha256(f"{digest} {sorted(kept.items())}".encode()).hexdigest()[:16]
            try:
                compiled = numba.cfunc(signature, cache=True, **kept)(_twin(plain, f".{digest}"))
            except (RuntimeError, OSError):  # no source file, or no folder to write to
                digest = None
        if digest is None:
            compiled = numba.cfunc(signature, **kept)(_twin(plain))
    except NumbaError as error:
        reason = " ".join(str(error).split())[:500]
        raise ValueError(f"{_name(plain)} cannot be compiled by Numba: {reason}") from error
    return _native(compiled.address or 0, _twin(plain), compiled)


def _twin(plain: types.FunctionType, suffix: str = "") -> types.FunctionType:
    """Copy of a function, so that what is compiled from it does not keep the original alive.

    Numba names its file on disk by __qualname__ and line, and looks at neither constants nor
    globals: a suffix that digests them keeps different functions apart.
    """
    twin = types.FunctionType(
        plain.__code__, plain.__globals__, plain.__name__, plain.__defaults__, plain.__closure__
    )
    twin.__qualname__ = plain.__qualname__ + suffix
    twin.__module__ = plain.__module__
    return twin


def _digest(value: Any, seen: list[Any]) -> str | None:
    """Text that tells apart whatever a compiled function depends on; None where nothing can."""
    if isinstance(value, (bool, int, float, str, bytes, types.NoneType)):
        return repr(value)
    if isinstance(value, types.ModuleType):
        return value.__name__ if value.__name__.partition(".")[0] in _FIXED_MODULES else None
    if isinstance(value, (types.BuiltinFunctionType, type)):
        fixed = value.__module__ in _FIXED_MODULES
        return f"{value.__module__}.{value.__qualname__}" if fixed else None
    if isinstance(value, np.ufunc):
        return f"numpy.{value.__name__}"
    if isinstance(value, tuple):
        return _digest_all(value, seen)
    if isinstance(value, types.CodeType):
        variables = value.co_varnames + value.co_freevars
        return _digest_all((value.co_code, value.co_consts, value.co_names, variables), seen)
    plain = _plain_function(value)
    if plain is None:
        return None
    if any(one is plain for one in seen):
        return _name(plain)
    seen.append(plain)
    found = plain.__globals__
    names = tuple(name for name in _global_names(plain.__code__) if name in found)
    cells = tuple(cell.cell_contents for cell in plain.__closure__ or ())
    return _digest_all((plain.__code__, names, cells, tuple(found[name] for name in names)), seen)


def _digest_all(values: tuple[Any, ...], seen: list[Any]) -> str | None:
    parts = [_digest(value, seen) for value in values]
    return None if None in parts else repr(parts)


def _global_names(code: types.CodeType) -> list[str]:
    """Names that a function and those defined inside it may look up globally."""
    inner = [one for one in code.co_consts if isinstance(one, types.CodeType)]
    return sorted(set(code.co_names).union(*(_global_names(one) for one in inner)))

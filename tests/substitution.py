"""scikit-learn's own test files, loaded with regsolve's classes in place of scikit-learn's.

A file is executed as a module of another name while ``sklearn.linear_model`` shows our classes, so
that its imports, decorators and bodies all see them; scikit-learn itself is left as it was.
"""

from __future__ import annotations

import importlib.util
import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import chain
from types import CodeType
from typing import Any
from unittest import mock

import pytest
from _pytest.mark import ParameterSet
from sklearn import linear_model
from sklearn.base import BaseEstimator

SEEDS = (0, 42)  # of the fixture global_random_seed, whose tests run once with each


@dataclass
class Substituted:
    """The tests of one file that concern ours, their cases, and how many cases are left out."""

    tests: dict[str, Callable[..., None]] = field(default_factory=dict)
    n_cases: dict[str, int] = field(default_factory=dict)
    n_left_out: int = 0
    fixtures: dict[str, Any] = field(default_factory=dict)


def substituted(ours: dict[str, Any]) -> AbstractContextManager[Any]:
    """While it lasts, ``sklearn.linear_model`` shows ours under those names."""
    return mock.patch.multiple(linear_model, **ours)


def substitute(name: str, ours: dict[str, Any], elsewhere: dict[str, Any]) -> Substituted:
    """Tests of sklearn/linear_model/tests/``name``.py with ``ours`` substituted by name.

    A case concerns ours when its parameters hold one of ours; where they hold no estimator at all,
    when its test names one of ours. ``elsewhere[test]`` is a value of its parameters that makes
    it a test of other classes all the same. Empty where scikit-learn has no such file.
    """
    path = files("sklearn.linear_model").joinpath("tests", f"{name}.py")
    out = Substituted()
    if not path.is_file():
        return out
    spec = importlib.util.spec_from_file_location(f"substituted_{name}", str(path))
    module = importlib.util.module_from_spec(spec)
    with substituted(ours):
        spec.loader.exec_module(module)
    for test, function in vars(module).items():
        if type(function).__name__ == "FixtureFunctionDefinition":
            out.fixtures[test] = function
        if not test.startswith("test_"):
            continue
        n_all, n_ours = _keep_ours(function, ours, elsewhere.get(test))
        out.n_left_out += n_all - n_ours
        if n_ours:
            out.tests[test] = function
            out.n_cases[test] = n_ours
    return out


def _keep_ours(function: Any, ours: dict[str, Any], drop: Any) -> tuple[int, int]:
    """Leave a test the cases that concern ours; how many it had and has."""
    marks = getattr(function, "pytestmark", [])
    grids = [mark for mark in marks if mark.name == "parametrize"]
    about_ours = not set(ours).isdisjoint(_names(function.__code__))
    given = [list(grid.args[1]) for grid in grids]  # some are iterators
    kept = []
    for values in given:
        verdicts = [_concerns(value, ours) for value in values]
        about_ours |= True in verdicts
        pairs = zip(values, verdicts, strict=True)
        here = [value for value, verdict in pairs if verdict is not False]
        kept.append([value for value in here if not (isinstance(value, tuple) and value == drop)])
    function.pytestmark = [mark for mark in marks if mark.name != "parametrize"] + [
        pytest.mark.parametrize(grid.args[0], values, *grid.args[2:], **grid.kwargs).mark
        for grid, values in zip(grids, kept, strict=True)
    ]
    seeded = "global_random_seed" in inspect.signature(function).parameters
    seeds = len(SEEDS) if seeded else 1
    n_all = seeds * math.prod(map(len, given))
    return n_all, seeds * math.prod(map(len, kept)) if about_ours else 0


def _concerns(value: Any, ours: dict[str, Any]) -> bool | None:
    """Whether a case holds one of ours; None where it holds no estimator and no path."""
    if isinstance(value, ParameterSet):
        value = value.values
    parts = value if isinstance(value, tuple | list) else [value]
    kinds = [part if callable(part) else type(part) for part in parts]
    if any(kind in ours.values() for kind in kinds):
        return True
    theirs = [linear_model.lasso_path, linear_model.enet_path]
    theirs += [kind for kind in kinds if inspect.isclass(kind) and issubclass(kind, BaseEstimator)]
    return False if any(kind in theirs for kind in kinds) else None


def _names(code: CodeType) -> Iterator[str]:
    """Global names that a function and the functions inside it read."""
    inner = (_names(const) for const in code.co_consts if isinstance(const, CodeType))
    return chain(code.co_names, *inner)

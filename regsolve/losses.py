"""Losses of one target y at linear predictor z, all convex in z and >= 0 where built in.

A loss offers over arrays, elementwise,

    value(y, z)       f(y, z)
    gradient(y, z)    f', the derivative in z
    curvature(y, z)   f'', or an upper estimate of it
    conjugate(y, v)   max_z v z - f(y, z), inf outside its domain

To add a loss: write a frozen dataclass with these members and ``has_conjugate``, and list it in
tests/test_losses.py, which holds derivatives and conjugate to their definitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .custom import elementwise, python_callable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Quadratic:
    """Loss f(y, z) = (y - z)^2 / 2 of least squares, y any real number."""

    has_conjugate: ClassVar[bool] = True

    def value(self, y: Vector, z: Vector) -> Vector:
        """(y - z)^2 / 2."""
        return 0.5 * (y - z) ** 2

    def gradient(self, y: Vector, z: Vector) -> Vector:
        """Slope z - y."""
        return z - y

    def curvature(self, y: Vector, z: Vector) -> Vector:
        """Constant 1."""
        return np.ones(np.broadcast(y, z).shape)

    def conjugate(self, y: Vector, v: Vector) -> Vector:
        """Conjugate v y + v^2 / 2, finite everywhere."""
        return v * y + 0.5 * v**2


@dataclass(frozen=True, eq=False, init=False)
class Custom:
    """Loss from a user's scalar functions of (y, z), convex and differentiable in z.

    Each function takes and returns floats. It may be a plain Python function, a Numba function,
    or a compiled pointer (see :func:`regsolve.custom.pointer`); solvers compile it, certificates
    call it from Python. The methods below apply them over arrays.

    Parameters
    ----------
    value : value(y, z)
        The loss f of one sample, bounded below. Gaps are relative to its size at the null model:
        give f >= 0, 0 for a perfect fit.
    gradient : gradient(y, z)
        Derivative of f in z.
    curvature : curvature(y, z)
        Second derivative of f in z, >= 0.
    conjugate : conjugate(y, v), optional
        max_z v z - f(y, z), inf where unbounded. Without it there is no gap.

    Attributes
    ----------
    value_function, gradient_function, curvature_function, conjugate_function : the functions as
        given, None where absent.

    Raises
    ------
    TypeError
        Something that is not such a function.
    ValueError
        A function with another number of arguments.
    """

    value_function: Any
    gradient_function: Any
    curvature_function: Any
    conjugate_function: Any

    def __init__(self, value: Any, gradient: Any, curvature: Any, conjugate: Any = None) -> None:
        given = {
            "value": value,
            "gradient": gradient,
            "curvature": curvature,
            "conjugate": conjugate,
        }
        for name, function in given.items():
            if function is not None or name != "conjugate":
                python_callable(function, 2)
            object.__setattr__(self, f"{name}_function", function)

    @property
    def has_conjugate(self) -> bool:
        """Whether a conjugate was given."""
        return self.conjugate_function is not None

    def value(self, y: Vector, z: Vector) -> Vector:
        """f(y_i, z_i)."""
        return elementwise(self.value_function, 2)(y, z)

    def gradient(self, y: Vector, z: Vector) -> Vector:
        """f'(y_i, z_i)."""
        return elementwise(self.gradient_function, 2)(y, z)

    def curvature(self, y: Vector, z: Vector) -> Vector:
        """f''(y_i, z_i)."""
        return elementwise(self.curvature_function, 2)(y, z)

    def conjugate(self, y: Vector, v: Vector) -> Vector:
        """max_z v_i z - f(y_i, z)."""
        return elementwise(self.conjugate_function, 2)(y, v)


Loss = Quadratic | Custom

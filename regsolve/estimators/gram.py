"""A Gram matrix that a user gives as ``precompute``: looked at, not needed."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np


def check_precompute(
    precompute: Any, X: Any, *, sample_weight: Any = None, fit_intercept: bool = False
) -> None:
    """Accept "auto", a bool, or (p, p) the Gram matrix X'SX, S the weights scaled to sum to n.

    With an intercept it is that of the centred X. One entry of it is compared with X, so that a
    matrix of other data is refused. The solver takes its own products all the same.

    Raises
    ------
    ValueError
        Neither of the three; wrong shape; an entry that X contradicts.

    Warns
    -----
    UserWarning
        The Gram matrix is that of X before centring.
    """
    if isinstance(precompute, bool | np.bool_):
        return
    if isinstance(precompute, str) and precompute == "auto":
        return
    n, p = X.shape
    gram = np.asarray(precompute)
    if gram.dtype.kind not in "fiu" or gram.ndim != 2:
        raise ValueError(f"precompute={precompute!r}: expected 'auto', a bool or a Gram matrix")
    if gram.shape != (p, p):
        raise ValueError(f"precompute has shape {gram.shape}: the Gram matrix of X is {(p, p)}")
    j = p // 2
    k = min(j + 1, p - 1)
    weight = np.ones(n) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n,) or not weight.sum() > 0.0:
        return  # for the solver to explain
    s = n * weight / weight.sum()
    u, v = _column(X, j), _column(X, k)
    raw, size = float(s * u @ v), float(np.linalg.norm(s * u) * np.linalg.norm(v))
    wanted = raw - float(s @ u) * float(s @ v) / n if fit_intercept else raw
    single = np.float32 in (gram.dtype, X.dtype)
    tolerance = (1e-4 if single else 1e-7) * size
    found = float(gram[j, k])
    if not np.isfinite(size) or abs(found - wanted) <= tolerance:
        return
    if fit_intercept and abs(found - raw) <= tolerance:
        warnings.warn(
            "Gram matrix was provided but X was centered to fit intercept: recomputing Gram "
            "matrix. precompute should hold that of the centred X",
            UserWarning,
            stacklevel=4,
        )
        return
    raise ValueError(
        f"Gram matrix given as precompute did not pass validation: entry ({j}, {k}) is {found:.9g} "
        f"but X has {wanted:.9g} there; give that of this X"
        + (", centred" if fit_intercept else "")
    )


def _column(X: Any, j: int) -> Any:
    """Column j as a dense float64 vector, whatever the kind of X."""
    return X[:, [j]] @ np.ones(1)

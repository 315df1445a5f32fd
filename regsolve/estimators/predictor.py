"""What every linear estimator shares: its prediction, and a failed fit that leaves no trace."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._validate import ColumnError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

FLOATS = [np.float64, np.float32]


class LinearPredictor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """An estimator with ``coef_`` and ``intercept_``; sparse X is welcome."""

    coef_: NDArray[np.float64]
    intercept_: Any

    def predict(self, X: Any) -> NDArray[np.float64]:
        """X @ coef_ + intercept_, (n,) or (n, n_targets)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc", "coo"], dtype=FLOATS, reset=False)
        linear: NDArray[np.float64] = np.asarray(X @ self.coef_.T + self.intercept_, dtype=float)
        return linear

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _unchanged_on_error(self) -> AbstractContextManager[None]:
        return leaves_no_trace(self)


def training_data(estimator: Any, X: Any, y: Any, **options: Any) -> tuple[Any, Any]:
    """X and y as the solver takes them, by scikit-learn's validation with ``options``.

    NaN and infinity in X are found by the solver's own first reading. ValueError for strings in y,
    which scikit-learn would read numbers from.
    """
    checked: tuple[Any, Any] = validate_data(
        estimator,
        X,
        y,
        accept_sparse="csc",
        dtype=FLOATS,
        copy=False,
        y_numeric=True,
        ensure_all_finite=False,
        **options,
    )
    words = np.asarray(y)
    several = words.ravel() if words.dtype.kind == "O" else ()
    if words.dtype.kind in "SU" or any(isinstance(one, str | bytes) for one in several):
        raise ValueError("y holds strings: give numbers")
    return checked


def row_weights(sample_weight: Any, n: int) -> Any:
    """Weights (n,), a scalar for every row; None as it is."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight)
    if weight.dtype.kind not in "fiubO":
        raise ValueError(f"sample_weight has dtype {weight.dtype}: give numbers")
    weight = np.asarray(weight, dtype=np.float64)
    if weight.ndim > 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    if weight.ndim == 1 and len(weight) != n:
        raise ValueError(f"sample_weight has shape {weight.shape}: expected ({n},), one a row")
    return np.broadcast_to(weight, (n,))


@contextmanager
def leaves_no_trace(estimator: Any) -> Iterator[None]:
    """While it lasts, an exception puts the estimator's attributes back as they were.

    Errors about a column tell its name, where X came with names.
    """
    before = dict(estimator.__dict__)
    try:
        yield
    except BaseException as error:
        names = getattr(estimator, "feature_names_in_", None)
        estimator.__dict__.clear()
        estimator.__dict__.update(before)
        if isinstance(error, ColumnError) and names is not None:
            raise error.named(names) from None
        raise

"""What estimators that choose by a scorer share: the metadata that it is given."""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing


def takes_weights(scorer: Any) -> bool:
    """Whether a scorer, or the function that it judges by, has a parameter sample_weight."""
    return "sample_weight" in signature(getattr(scorer, "_score_func", scorer)).parameters


def on_rows(params: dict[str, Any], rows: Any) -> dict[str, Any]:
    """Metadata of these rows alone; scalars as they are."""
    return {
        name: _safe_indexing(value, rows) if np.ndim(value) else value
        for name, value in params.items()
    }

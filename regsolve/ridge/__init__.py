"""Ridge regression: regimes, factorisations, criteria and proofs; no scikit-learn."""

from .fit import Fitted, fit_ridge
from .path import RidgePath, ridge_path

__all__ = ["Fitted", "RidgePath", "fit_ridge", "ridge_path"]

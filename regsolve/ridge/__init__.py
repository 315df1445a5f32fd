"""Ridge regression: regimes, factorisations, criteria and proofs; no scikit-learn."""

from .fit import Fitted, fit_ridge

__all__ = ["Fitted", "fit_ridge"]

"""scikit-learn estimators over :func:`regsolve.solve` and :func:`regsolve.path`."""

from .linear import ElasticNet, Lasso
from .norm_ball import NormBallRegression
from .paths import enet_path, lasso_path
from .ridge import Ridge
from .ridge_cv import RidgeCV
from .selection import ElasticNetCV, LassoCV
from .stability import StabilitySelection

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "Lasso",
    "LassoCV",
    "NormBallRegression",
    "Ridge",
    "RidgeCV",
    "StabilitySelection",
    "enet_path",
    "lasso_path",
]

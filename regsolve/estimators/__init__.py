"""scikit-learn estimators over :func:`regsolve.solve` and :func:`regsolve.path`."""

from .adaptive import AdaptiveLasso
from .bayesian_lasso import BayesianLasso
from .bayesian_ridge import ARDRegression, BayesianRidge
from .information import ElasticNetIC, LassoIC
from .linear import ElasticNet, Lasso
from .norm_ball import NormBallRegression
from .paths import enet_path, lasso_path
from .relaxed import RelaxedLasso
from .ridge import Ridge
from .ridge_cv import RidgeCV
from .selection import ElasticNetCV, LassoCV
from .stability import StabilitySelection

__all__ = [
    "ARDRegression",
    "AdaptiveLasso",
    "BayesianLasso",
    "BayesianRidge",
    "ElasticNet",
    "ElasticNetCV",
    "ElasticNetIC",
    "Lasso",
    "LassoCV",
    "LassoIC",
    "NormBallRegression",
    "RelaxedLasso",
    "Ridge",
    "RidgeCV",
    "StabilitySelection",
    "enet_path",
    "lasso_path",
]

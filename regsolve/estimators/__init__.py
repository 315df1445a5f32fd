"""scikit-learn estimators over :func:`regsolve.solve` and :func:`regsolve.path`.

Each is imported when it is asked for: a first fit waits for no other's module.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

MODULES = {
    "ARDRegression": "bayesian_ridge",
    "AdaptiveLasso": "adaptive",
    "BayesianLasso": "bayesian_lasso",
    "BayesianRidge": "bayesian_ridge",
    "ElasticNet": "linear",
    "ElasticNetCV": "selection",
    "ElasticNetIC": "information",
    "Lasso": "linear",
    "LassoCV": "selection",
    "LassoIC": "information",
    "NormBallRegression": "norm_ball",
    "RelaxedLasso": "relaxed",
    "Ridge": "ridge",
    "RidgeCV": "ridge_cv",
    "StabilitySelection": "stability",
    "enet_path": "paths",
    "lasso_path": "paths",
}


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

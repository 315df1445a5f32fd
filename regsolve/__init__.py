"""L1, L2 and elastic-net regularised linear models, fast and proven by a duality gap."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import losses, penalties
from .convert import convert_alpha, convert_l1_ratio
from .solution import Certificate, Interrupted, Path, Progress, Report, Solution
from .solve import path, solve

if TYPE_CHECKING:
    from sklearn.exceptions import ConvergenceWarning

    from . import estimators, views
    from .certificate import verify
    from .criteria import Selection
    from .estimators import (
        AdaptiveLasso,
        ARDRegression,
        BayesianLasso,
        BayesianRidge,
        ElasticNet,
        ElasticNetCV,
        ElasticNetIC,
        Lasso,
        LassoCV,
        LassoIC,
        NormBallRegression,
        RelaxedLasso,
        Ridge,
        RidgeCV,
        StabilitySelection,
        enet_path,
        lasso_path,
    )
    from .ridge.path import RidgePath, ridge_path

__all__ = [
    "ARDRegression",
    "AdaptiveLasso",
    "BayesianLasso",
    "BayesianRidge",
    "Certificate",
    "ConvergenceWarning",
    "ElasticNet",
    "ElasticNetCV",
    "ElasticNetIC",
    "Interrupted",
    "Lasso",
    "LassoCV",
    "LassoIC",
    "NormBallRegression",
    "Path",
    "Progress",
    "RelaxedLasso",
    "Report",
    "Ridge",
    "RidgeCV",
    "RidgePath",
    "Selection",
    "Solution",
    "StabilitySelection",
    "convert_alpha",
    "convert_l1_ratio",
    "enet_path",
    "estimators",
    "lasso_path",
    "losses",
    "path",
    "penalties",
    "ridge_path",
    "solve",
    "verify",
    "views",
]

# What needs scikit-learn, or more of SciPy than a fit does, is imported when it is asked for.
LATER = {
    "ConvergenceWarning": "sklearn.exceptions",
    "Selection": "regsolve.criteria",
    "verify": "regsolve.certificate",
    "RidgePath": "regsolve.ridge.path",
    "ridge_path": "regsolve.ridge.path",
    **dict.fromkeys(
        (
            "AdaptiveLasso",
            "ARDRegression",
            "BayesianLasso",
            "BayesianRidge",
            "ElasticNet",
            "ElasticNetCV",
            "ElasticNetIC",
            "Lasso",
            "LassoCV",
            "RelaxedLasso",
            "LassoIC",
            "NormBallRegression",
            "Ridge",
            "RidgeCV",
            "StabilitySelection",
            "enet_path",
            "lasso_path",
        ),
        "regsolve.estimators",
    ),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("regsolve")
    if name in LATER:
        return getattr(import_module(LATER[name]), name)
    if name in ("certificate", "estimators", "views"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

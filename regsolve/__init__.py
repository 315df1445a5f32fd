"""L1, L2 and elastic-net regularised linear models, fast and proven by a duality gap."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from . import losses, penalties
from .certificate import Certificate, verify
from .convert import convert_alpha, convert_l1_ratio
from .ridge.path import RidgePath, ridge_path
from .solution import Interrupted, Path, Progress, Report, Solution
from .solve import path, solve

if TYPE_CHECKING:
    from sklearn.exceptions import ConvergenceWarning

    from . import estimators
    from .estimators import ElasticNet, Lasso, Ridge, RidgeCV, enet_path, lasso_path

__version__ = version("regsolve")

__all__ = [
    "Certificate",
    "ConvergenceWarning",
    "ElasticNet",
    "Interrupted",
    "Lasso",
    "Path",
    "Progress",
    "Report",
    "Ridge",
    "RidgeCV",
    "RidgePath",
    "Solution",
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
]


ESTIMATORS = ("ElasticNet", "Lasso", "Ridge", "RidgeCV", "enet_path", "lasso_path")


def __getattr__(name: str) -> Any:  # scikit-learn is imported when what needs it is asked for
    if name == "ConvergenceWarning":
        from sklearn.exceptions import ConvergenceWarning

        return ConvergenceWarning
    if name in (*ESTIMATORS, "estimators"):
        module = import_module(".estimators", __name__)
        return module if name == "estimators" else getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

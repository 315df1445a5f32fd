"""L1, L2 and elastic-net regularised linear models, fast and proven by a duality gap."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from . import losses, penalties
from .certificate import Certificate, verify
from .solution import Interrupted, Path, Progress, Report, Solution
from .solve import path, solve

if TYPE_CHECKING:
    from sklearn.exceptions import ConvergenceWarning

__version__ = version("regsolve")

__all__ = [
    "Certificate",
    "ConvergenceWarning",
    "Interrupted",
    "Path",
    "Progress",
    "Report",
    "Solution",
    "losses",
    "path",
    "penalties",
    "solve",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name == "ConvergenceWarning":  # scikit-learn's own; imported when it is asked for
        from sklearn.exceptions import ConvergenceWarning

        return ConvergenceWarning
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

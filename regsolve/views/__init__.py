"""What L1 and L2 are, in forms that compute: balls, projections, Lagrange form, spectra.

Names are imported when they are asked for. To add one: write its module in this folder and give
it a line in ``ROOMS`` and in ``__all__``. No module bears the name of what it holds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .hessian import Shrinkage, SoftThreshold, shrinkage, soft_threshold_view
    from .norms import NormBall, dual_exponent, lq_norm, norm_ball
    from .projections import (
        project_elastic,
        project_groups,
        project_l1,
        project_l2,
        project_simplex,
    )

__all__ = [
    "NormBall",
    "Shrinkage",
    "SoftThreshold",
    "dual_exponent",
    "lq_norm",
    "norm_ball",
    "project_elastic",
    "project_groups",
    "project_l1",
    "project_l2",
    "project_simplex",
    "shrinkage",
    "soft_threshold_view",
]

# Which module of this folder holds which names.
ROOMS = {
    "hessian": ("Shrinkage", "SoftThreshold", "shrinkage", "soft_threshold_view"),
    "norms": ("NormBall", "dual_exponent", "lq_norm", "norm_ball"),
    "projections": (
        "project_elastic",
        "project_groups",
        "project_l1",
        "project_l2",
        "project_simplex",
    ),
}


def __getattr__(name: str) -> Any:
    for room, names in ROOMS.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{room}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""What L1 and L2 are, in forms that compute: balls, projections, Lagrange form, spectra.

Names are imported when they are asked for. To add one: write its module in this folder and give
it a line in ``ROOMS`` and in ``__all__``. No module bears the name of what it holds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ball_certificate import verify_ball
    from .hessian import Shrinkage, SoftThreshold, shrinkage, soft_threshold_view
    from .lagrange import NormBallFit, alpha_of, fit_norm_ball, radius_of
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
    "NormBallFit",
    "Shrinkage",
    "SoftThreshold",
    "alpha_of",
    "dual_exponent",
    "fit_norm_ball",
    "lq_norm",
    "norm_ball",
    "project_elastic",
    "project_groups",
    "project_l1",
    "project_l2",
    "project_simplex",
    "radius_of",
    "shrinkage",
    "soft_threshold_view",
    "verify_ball",
]

# Which module of this folder holds which names.
ROOMS = {
    "ball_certificate": ("verify_ball",),
    "hessian": ("Shrinkage", "SoftThreshold", "shrinkage", "soft_threshold_view"),
    "lagrange": ("NormBallFit", "alpha_of", "fit_norm_ball", "radius_of"),
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

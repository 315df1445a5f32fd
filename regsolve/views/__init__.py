"""What L1 and L2 are, in forms that compute: balls, projections, Lagrange form, spectra.

Names are imported when they are asked for. To add one: write its module in this folder and give
it a line in ``ROOMS`` and in ``__all__``. No module bears the name of what it holds.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ball_certificate import verify_ball
    from .filters import (
        EarlyStopping,
        early_stopping,
        filter_difference,
        largest_step,
        ridge_alpha,
        spectral_filter,
    )
    from .hessian import Shrinkage, SoftThreshold, shrinkage, soft_threshold_view
    from .lagrange import NormBallFit, alpha_of, fit_norm_ball, radius_of
    from .norms import NormBall, dual_exponent, lq_norm, norm_ball
    from .pictures import filter_curves, posterior_intervals, shrinkage_factors
    from .planes import descent_paths, touching_ball
    from .priors import Gaussian, Horseshoe, Laplace, LaplaceGaussian
    from .projections import (
        project_elastic,
        project_groups,
        project_l1,
        project_l2,
        project_simplex,
    )
    from .shapes import norm_balls, prior_densities, threshold_curves
    from .thresholds import firm_threshold, hard_threshold, scad_threshold
    from .trajectory import Trajectory
    from .weight_decay import gradient_descent, limit_penalty, proximal_descent

__all__ = [
    "EarlyStopping",
    "Gaussian",
    "Horseshoe",
    "Laplace",
    "LaplaceGaussian",
    "NormBall",
    "NormBallFit",
    "Shrinkage",
    "SoftThreshold",
    "Trajectory",
    "alpha_of",
    "descent_paths",
    "dual_exponent",
    "early_stopping",
    "filter_curves",
    "filter_difference",
    "firm_threshold",
    "fit_norm_ball",
    "gradient_descent",
    "hard_threshold",
    "largest_step",
    "limit_penalty",
    "lq_norm",
    "norm_ball",
    "norm_balls",
    "posterior_intervals",
    "prior_densities",
    "project_elastic",
    "project_groups",
    "project_l1",
    "project_l2",
    "project_simplex",
    "proximal_descent",
    "radius_of",
    "ridge_alpha",
    "scad_threshold",
    "shrinkage",
    "shrinkage_factors",
    "soft_threshold_view",
    "spectral_filter",
    "threshold_curves",
    "touching_ball",
    "verify_ball",
]

# Which module of this folder holds which names.
ROOMS = {
    "ball_certificate": ("verify_ball",),
    "filters": (
        "EarlyStopping",
        "early_stopping",
        "filter_difference",
        "largest_step",
        "ridge_alpha",
        "spectral_filter",
    ),
    "hessian": ("Shrinkage", "SoftThreshold", "shrinkage", "soft_threshold_view"),
    "lagrange": ("NormBallFit", "alpha_of", "fit_norm_ball", "radius_of"),
    "norms": ("NormBall", "dual_exponent", "lq_norm", "norm_ball"),
    "pictures": ("filter_curves", "posterior_intervals", "shrinkage_factors"),
    "planes": ("descent_paths", "touching_ball"),
    "priors": ("Gaussian", "Horseshoe", "Laplace", "LaplaceGaussian"),
    "projections": (
        "project_elastic",
        "project_groups",
        "project_l1",
        "project_l2",
        "project_simplex",
    ),
    "shapes": ("norm_balls", "prior_densities", "threshold_curves"),
    "thresholds": ("firm_threshold", "hard_threshold", "scad_threshold"),
    "trajectory": ("Trajectory",),
    "weight_decay": ("gradient_descent", "limit_penalty", "proximal_descent"),
}


def __getattr__(name: str) -> Any:
    for room, names in ROOMS.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{room}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

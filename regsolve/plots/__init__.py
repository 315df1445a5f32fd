"""Pictures of paths, cross-validation and stability selection; nothing global is touched."""

from .curves import criterion_curve, cv_curve, relaxed_curves
from .features import coefficient_path, ridge_trace, stability_path

__all__ = [
    "coefficient_path",
    "criterion_curve",
    "cv_curve",
    "relaxed_curves",
    "ridge_trace",
    "stability_path",
]

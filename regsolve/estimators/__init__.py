"""scikit-learn estimators over :func:`regsolve.solve` and :func:`regsolve.path`."""

from .linear import ElasticNet, Lasso
from .paths import enet_path, lasso_path

__all__ = ["ElasticNet", "Lasso", "enet_path", "lasso_path"]

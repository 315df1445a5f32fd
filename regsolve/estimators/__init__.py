"""scikit-learn estimators over :func:`regsolve.solve` and :func:`regsolve.path`."""

from .linear import ElasticNet, Lasso
from .paths import enet_path, lasso_path
from .selection import ElasticNetCV, LassoCV

__all__ = ["ElasticNet", "ElasticNetCV", "Lasso", "LassoCV", "enet_path", "lasso_path"]

"""Least squares within a ball of coefficients, in scikit-learn's manner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .predictor import LinearPredictor, row_weights, training_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..views.lagrange import NormBallFit


class NormBallRegression(LinearPredictor):
    """Least squares with a bound on the norm of the coefficients, proven by a duality gap.

    Minimises, over w (p,) and the intercept b,

        sum_i s_i (y_i - x_i'w - b)^2 / (2 sum_i s_i)    subject to ||e w|| <= radius,

    the L1 or the L2 norm; e_j is 1, or the standard deviation of column j under ``standardize``.
    It is the lasso, or ridge regression, with the alpha that ``multiplier_`` tells.

    Parameters
    ----------
    radius : float >= 0, default 1.0
    norm : "l1" or "l2", default "l1"
    residual : float >= 0, optional
        In place of ``radius``, which is then not looked at: the least norm whose root mean square
        residual, (sum_i s_i r_i^2 / sum_i s_i)^(1/2), is no larger.
    fit_intercept : bool, default True
        The intercept is free.
    standardize : bool, default False
        e_j is the standard deviation of column j, about 0 without an intercept, not 1.
    tol : float, default 1e-6
        On the duality gap over the objective at w = 0; over the norm reached with ``residual``.
    n_threads : int, optional

    Attributes
    ----------
    coef_ : (p,) float64
    intercept_ : float
    multiplier_ : float
        alpha of the equal penalised problem, ``Lasso(alpha)`` or ``solve(penalty=L2(alpha))``: the
        multiplier of ||e w||_1 <= radius, and of ||e w||_2^2 / 2 <= radius^2 / 2. That of
        ||e w||_2 <= radius is alpha radius. 0 where the ball holds a least-squares solution; where
        only w = 0 fits, alpha_max for L1 and inf for L2.
    radius_, residual_ : float
        Norm and root mean square residual as reached.
    certificate_ : Certificate, as of :func:`regsolve.views.verify_ball`
    status_ : "optimal" where ``tol`` is proven, else "stalled"
    n_iter_ : int, solves after the bracketing path or the spectrum, and 1 for that
    report_ : Report
    n_features_in_, feature_names_in_

    Raises
    ------
    ValueError
        Bad input or parameters, or a residual that no w reaches; the message names them.
    """

    def __init__(
        self,
        radius: float = 1.0,
        *,
        norm: str = "l1",
        residual: float | None = None,
        fit_intercept: bool = True,
        standardize: bool = False,
        tol: float = 1e-6,
        n_threads: int | None = None,
    ) -> None:
        self.radius = radius
        self.norm = norm
        self.residual = residual
        self.fit_intercept = fit_intercept
        self.standardize = standardize
        self.tol = tol
        self.n_threads = n_threads

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NormBallRegression:
        """Fit to X (n, p) and y (n,)."""
        from ..views import fit_norm_ball

        with self._unchanged_on_error():
            X, y = training_data(self, X, y)
            sample_weight = row_weights(sample_weight, X.shape[0])
            found = fit_norm_ball(
                X,
                y,
                None if self.residual is not None else self.radius,
                norm=self.norm,
                residual=self.residual,
                sample_weight=sample_weight,
                fit_intercept=self.fit_intercept,
                standardize=self.standardize,
                tol=self.tol,
                n_threads=self.n_threads,
            )
            self._keep(found)
        return self

    def _keep(self, found: NormBallFit) -> None:
        self.coef_: NDArray[np.float64] = found.coef
        self.intercept_: float = found.intercept
        self.multiplier_ = found.multiplier
        self.radius_, self.residual_ = found.radius, found.residual
        self.certificate_, self.status_ = found.certificate, found.status
        self.report_ = found.report
        self.n_iter_ = 1 + found.report.n_solves

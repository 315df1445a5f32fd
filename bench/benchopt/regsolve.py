"""regsolve as a solver of benchopt's benchmark_lasso and benchmark_lasso_path.

Copy this file into the ``solvers`` folder of either benchmark and run, for instance,

    benchopt run benchmark_lasso -s regsolve -d simulated

benchmark_lasso asks for one lasso and names its strength ``lmbd``, benchmark_lasso_path for many,
``lambdas``; both minimise

    ||y - X w - b||^2 / 2 + lambda ||w||_1

so that alpha = lambda / n. Answers hold the intercept, where there is one, in the last row.
"""

import warnings

import numpy as np
from benchopt import BaseSolver
from scipy.sparse.linalg import LinearOperator

import regsolve


class Solver(BaseSolver):
    """A curve over tolerances; tol is regsolve's: the relative duality gap at every alpha."""

    name = "regsolve"
    sampling_strategy = "tolerance"
    requirements = ["pip::regsolve"]  # noqa: RUF012
    parameters = {"solver": ["auto", "cd"]}  # noqa: RUF012

    def skip(self, X, **objective):  # noqa: ARG002
        """Implicit designs, which have no columns to read."""
        if isinstance(X, LinearOperator):
            return True, "regsolve needs the values of X, not a LinearOperator"
        return False, None

    def set_objective(self, X, y, fit_intercept, lmbd=None, lambdas=None):
        """Keep the problem; exactly one of ``lmbd`` and ``lambdas`` is given. Not timed."""
        self.X, self.y, self.fit_intercept = X, y, fit_intercept
        self.single = lambdas is None
        self.alphas = np.atleast_1d(lmbd if self.single else lambdas) / len(y)

    def warm_up(self):
        """Load the library's compiled core before the clock runs."""
        self.run(0.5)

    @staticmethod
    def get_next(tol):
        """1e-3, 1e-6, ..., 1e-15.

        An answer is often far better than asked, and three tolerances with one answer are the end
        to benchopt: by then steps this long have come to 1e-9 or below.
        """
        return max(min(tol, 1.0) / 1000.0, 1e-15)

    def run(self, tol):
        """Solve to the relative gap ``tol``; from 1 on the null model is proven already."""
        n_alphas = len(self.alphas)
        if tol >= 1.0:
            self.coefs = np.zeros((self.X.shape[1], n_alphas))
            self.intercepts = np.full(n_alphas, self.y.mean() if self.fit_intercept else 0.0)
            return
        with warnings.catch_warnings():
            # benchopt asks for tolerances below what float64 can prove, and judges by itself.
            warnings.simplefilter("ignore", regsolve.ConvergenceWarning)
            path = regsolve.path(
                self.X,
                self.y,
                alphas=self.alphas,
                fit_intercept=self.fit_intercept,
                tol=tol,
                solver=self.solver,
            )
        self.coefs, self.intercepts = path.coefs, path.intercepts

    def get_result(self):
        """``beta`` (p,) of the single lasso or ``coefs`` (p, n_lambdas); p + 1 with intercept."""
        dense = self.coefs if isinstance(self.coefs, np.ndarray) else self.coefs.toarray()
        rows = np.vstack([dense, self.intercepts]) if self.fit_intercept else dense
        return {"beta": rows[:, 0]} if self.single else {"coefs": rows}

"""One adapter a library, all minimising the objective of :class:`bench.problems.Problem`.

    ||y - X w - b||^2 / (2 n) + alpha [ l1_ratio ||s w||_1 + (1 - l1_ratio) ||s w||^2 / 2 ]

To add a library: write an adapter (bench/adapter.py says what one is) in the file of its family and
put it in ``LIBRARIES``; tests/test_bench.py then holds it to the same objective.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from bench.adapter import Fit, Library, steps
from bench.glm import Adelie, Glum
from bench.glmnet import Glmnet
from bench.lasso_only import Picasso, SnapMl
from bench.problems import Problem, Vector
from bench.scikit_learn import Liblinear, ScikitLearn, ScikitLearnIntelex
from bench.working_sets import Celer, Skglm


class Zeros(Library):
    """The floor: all coefficients zero, intercept mean(y); relative gap 0 only at alpha_max."""

    name, package, peer = "zeros", "numpy", False
    tolerances = (1.0,)

    def _path(self, prepared: Problem, alphas: Vector, tol: float) -> Fit:  # noqa: ARG002
        m, p = len(alphas), prepared.X.shape[1]
        level = float(prepared.y.mean()) if prepared.fit_intercept else 0.0
        return Fit(sp.csc_matrix((p, m)), np.full(m, level))


class Regsolve(Library):
    """regsolve.path: this very objective; tol is relative gap; ``n_threads`` is passed on."""

    name, package, peer, solver = "regsolve", "regsolve", False, "auto"
    tolerances = steps(9, 14)

    def available(self) -> bool:
        """Whether regsolve is built here."""
        import regsolve

        return hasattr(regsolve, "path")

    def _path(self, prepared: Problem, alphas: Vector, tol: float) -> Fit:
        import regsolve
        from regsolve.penalties import ElasticNet

        path = regsolve.path(
            prepared.X,
            prepared.y,
            penalty=ElasticNet(l1_ratio=prepared.l1_ratio),
            alphas=alphas,
            fit_intercept=prepared.fit_intercept,
            standardize=prepared.standardize,
            tol=tol,
            n_threads=self.threads,
            solver=self.solver,
        )
        return Fit(path.coefs, path.intercepts, n_passes=path.report.n_passes)


class RegsolveCd(Regsolve):
    """regsolve.path with solver="cd", coordinate descent; swept like a peer."""

    name, solver = "regsolve-cd", "cd"
    tolerances = steps(3, 9)


LIBRARIES: dict[str, type[Library]] = {
    kind.name: kind
    for kind in (
        *(Zeros, Regsolve, RegsolveCd, ScikitLearn, ScikitLearnIntelex, Liblinear),
        *(Celer, Skglm, Adelie, Glum, Glmnet, Picasso, SnapMl),
    )
}

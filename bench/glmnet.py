"""The adapter of R's glmnet, a child process running glmnet.R."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from bench.adapter import Design, Fit, Library
from bench.problems import Problem, Vector


class Glmnet(Library):
    """R glmnet in a child process that reads X once; only its glmnet() call is timed, by R.

    glmnet scales y to unit variance, v = sd(y) (root mean square without intercept), and applies
    lambda to the scaled problem, so that ours is y / v with lambda = alpha (l1_ratio / v +
    1 - l1_ratio) and mixing l1_ratio / (l1_ratio + v (1 - l1_ratio)). Its thresh, our tol, bounds
    the weighted squared change of a sweep over the null deviance. One thread.
    """

    name, package = "glmnet", "Rscript"
    tolerances = (1e-5, 1e-7, 1e-9, 1e-11, 1e-13, 1e-15, 1e-17)
    script: ClassVar[Path] = Path(__file__).with_name("glmnet.R")

    def available(self) -> bool:
        """Whether Rscript is here and knows glmnet."""
        if shutil.which("Rscript") is None:
            return False
        probe = ["Rscript", "-e", 'quit(status = !requireNamespace("glmnet", quietly = TRUE))']
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0

    def _prepare(self, problem: Problem) -> Design:
        design = Design.of(problem)
        v = float(np.sqrt(np.mean((problem.y - design.y_mean) ** 2)))
        folder = tempfile.TemporaryDirectory(prefix="bench-glmnet-")
        root = Path(folder.name)
        mixing = problem.l1_ratio / (problem.l1_ratio + v * (1.0 - problem.l1_ratio))
        _write_r(root, design.X, design.y / v)
        arguments = [
            "Rscript",
            str(self.script),
            str(root),
            repr(mixing),
            str(int(problem.fit_intercept)),
        ]
        child = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        design.extra.update(v=v, folder=folder, child=child)
        return design

    def _path(self, prepared: Design, alphas: Vector, tol: float) -> Fit:
        return self._call(prepared, alphas, repr(tol))

    def cross_validation(self, prepared: Design, alphas: Vector, tol: float = 1e-7) -> Fit:
        """cv.glmnet on five folds of consecutive rows: the path on all rows, seconds of all."""
        return self._call(prepared, alphas, f"cv {tol!r}")

    def _call(self, prepared: Design, alphas: Vector, line: str) -> Fit:
        r, v, child = prepared.problem.l1_ratio, prepared.extra["v"], prepared.extra["child"]
        root = Path(prepared.extra["folder"].name)
        (alphas * (r / v + 1.0 - r)).tofile(root / "lambda")
        child.stdin.write(line + "\n")
        child.stdin.flush()
        answer = child.stdout.readline().split()
        if not answer or answer[0] != "seconds":
            raise RuntimeError("glmnet: " + (" ".join(answer) or "R has ended"))
        parts = (
            np.fromfile(root / f"out_{part}", kind)
            for part, kind in (
                ("x", np.float64),
                ("i", np.int32),
                ("p", np.int32),
                ("a0", np.float64),
            )
        )
        data, indices, indptr, intercepts = parts
        shape = (prepared.X.shape[1], len(intercepts))
        coefs = v * sp.csc_matrix((data, indices, indptr), shape=shape)
        return prepared.fit(coefs, v * intercepts, seconds=float(answer[1]))

    def release(self, prepared: Design) -> None:
        """End R and remove the files."""
        child = prepared.extra["child"]
        child.kill()
        child.communicate()
        prepared.extra["folder"].cleanup()


def _write_r(root: Path, X: Any, y: Vector) -> None:
    """Raw column-major files that glmnet.R reads: y, shape, and X as values or as CSC parts."""
    y.tofile(root / "y")
    np.array([*X.shape, X.nnz if sp.issparse(X) else -1], dtype=np.float64).tofile(root / "shape")
    if not sp.issparse(X):
        X.T.tofile(root / "X")
        return
    for part, values in (("x", X.data), ("i", X.indices), ("p", X.indptr)):
        values.astype(np.float64 if part == "x" else np.int32).tofile(root / f"X_{part}")

"""The solver file for benchopt: its contract without benchopt, and runs of benchopt where it is."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

import regsolve
from regsolve.certificate import verify
from regsolve.penalties import L1

SOLVER = Path(__file__).parents[1] / "bench" / "benchopt" / "regsolve.py"

# Two benchmarks that speak to a solver as benchmark_lasso and benchmark_lasso_path do: the keys of
# get_objective and the argument of evaluate_result. Their judge is verify.
OBJECTIVE = """
import numpy as np
from benchopt import BaseObjective
from regsolve.certificate import verify
from regsolve.penalties import L1


class Objective(BaseObjective):
    name = "lasso"
    parameters = {{"fit_intercept": [False, True]}}
    min_benchopt_version = "1.5"

    def set_data(self, X, y):
        self.X, self.y = X, y
        centred = y - y.mean() if self.fit_intercept else y
        self.strengths = np.abs(X.T @ centred).max() * np.array({strengths})

    def get_objective(self):
        {given}
        return dict(X=self.X, y=self.y, fit_intercept=self.fit_intercept, **strengths)

    def evaluate_result(self, {answer}):
        rows = np.reshape({answer}, (-1, len(self.strengths)))
        assert len(rows) == self.X.shape[1] + self.fit_intercept
        intercepts = rows[-1] if self.fit_intercept else np.zeros(len(self.strengths))
        judged = [
            verify(
                self.X,
                self.y,
                np.ascontiguousarray(rows[: self.X.shape[1], k]),
                intercepts[k],
                penalty=L1(strength / len(self.y)),
                fit_intercept=self.fit_intercept,
            )
            for k, strength in enumerate(self.strengths)
        ]
        return dict(
            value=sum(certificate.primal for certificate in judged),
            gap=max(certificate.relative_gap for certificate in judged),
        )

    def get_one_result(self):
        rows = np.zeros((self.X.shape[1] + self.fit_intercept, len(self.strengths)))
        return dict({answer}={one})
"""
CONTRACTS = {
    "lasso": {
        "strengths": "[0.1]",
        "given": "strengths = dict(lmbd=self.strengths[0])",
        "answer": "beta",
        "one": "rows[:, 0]",
    },
    "lasso_path": {
        "strengths": "[1.0, 0.3, 0.1, 0.03]",
        "given": "strengths = dict(lambdas=self.strengths)",
        "answer": "coefs",
        "one": "rows",
    },
}
DATASET = """
from benchopt import BaseDataset
from benchopt.datasets.simulated import make_correlated_data


class Dataset(BaseDataset):
    name = "simulated"
    parameters = {"n_samples, n_features": [(40, 90), (200, 30)], "rho": [0.0, 0.6]}

    def get_data(self):
        X, y, _ = make_correlated_data(
            self.n_samples, self.n_features, rho=self.rho, random_state=27
        )
        return dict(X=X, y=y)
"""


@pytest.fixture
def solver_class(monkeypatch):
    """The class Solver of the file, on benchopt's own base or, where it is absent, a bare one."""
    if importlib.util.find_spec("benchopt") is None:
        stand_in = types.ModuleType("benchopt")
        stand_in.BaseSolver = type("BaseSolver", (), {})
        monkeypatch.setitem(sys.modules, "benchopt", stand_in)
    spec = importlib.util.spec_from_file_location("benchopt_solver", SOLVER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Solver


@pytest.fixture
def data():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((30, 50)) + 0.5
    return X, X[:, 0] - X[:, 1] + 3.0 + 0.1 * rng.standard_normal(30)


@pytest.mark.parametrize("layout", [np.ascontiguousarray, sp.csc_matrix, sp.csr_matrix])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("choice", ["auto", "cd"])
def test_answers_are_those_of_the_sum_scale(solver_class, data, layout, fit_intercept, choice):
    X, y = data
    X = layout(X)
    lambdas = 400.0 * np.array([0.2, 0.05, 0.01])
    single, several = solver_class(), solver_class()
    for solver, asked in ((single, {"lmbd": lambdas[1]}), (several, {"lambdas": lambdas})):
        problem = {"X": X, "y": y, "fit_intercept": fit_intercept, **asked}
        assert solver.skip(**problem) == (False, None)
        solver.solver = choice
        solver.set_objective(**problem)
        solver.warm_up()
        solver.run(1e-8)
    (beta,), (coefs,) = single.get_result().values(), several.get_result().values()
    assert list(single.get_result()) == ["beta"]
    assert list(several.get_result()) == ["coefs"]
    assert beta.shape == (50 + fit_intercept,)
    assert coefs.shape == (50 + fit_intercept, 3)
    for strength, w in [(lambdas[1], beta), *zip(lambdas, coefs.T, strict=True)]:
        certificate = verify(
            X,
            y,
            np.ascontiguousarray(w[:50]),
            w[50] if fit_intercept else 0.0,
            penalty=L1(strength / 30),
            fit_intercept=fit_intercept,
        )
        assert certificate.relative_gap <= 1e-8


def test_the_first_point_is_the_null_model(solver_class, data):
    solver = solver_class()
    solver.solver = "auto"
    solver.set_objective(*data, fit_intercept=True, lmbd=1.0)
    solver.run(3e38)
    beta = solver.get_result()["beta"]
    assert np.all(beta[:-1] == 0.0)
    assert beta[-1] == data[1].mean()


def test_implicit_designs_are_skipped(solver_class, data):
    X, y = data
    skipped, reason = solver_class().skip(aslinearoperator(X), y=y, fit_intercept=False, lmbd=1.0)
    assert skipped
    assert "LinearOperator" in reason


@pytest.mark.slow
@pytest.mark.parametrize("contract", CONTRACTS)
def test_benchopt_runs_it(tmp_path, contract):
    """On benchopt's simulated data every curve starts loose and ends at a gap below 1e-9."""
    pytest.importorskip("benchopt")
    pandas = pytest.importorskip("pandas")
    root = tmp_path / f"benchmark_{contract}"
    for folder in ("solvers", "datasets"):
        (root / folder).mkdir(parents=True)
    (root / "objective.py").write_text(OBJECTIVE.format(**CONTRACTS[contract]))
    (root / "datasets" / "simulated.py").write_text(DATASET)
    shutil.copy(SOLVER, root / "solvers")
    command = "from benchopt.cli import benchopt; benchopt()"
    options = "--max-runs 60 --n-repetitions 1 --timeout 60 --no-plot --no-cache --output result"
    package = str(Path(regsolve.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", command, "run", str(root), "-s", "regsolve", *options.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": package, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (file,) = (root / "outputs").glob("result*.parquet")
    points = pandas.read_parquet(file)
    curves = points.groupby(["dataset_name", "objective_name", "solver_name"])
    assert len(curves) == 16
    for _, curve in curves:
        curve = curve.sort_values("stop_val", ascending=False)
        assert curve["objective_gap"].iloc[0] > 1e-2
        assert curve["objective_gap"].iloc[-1] <= 1e-9

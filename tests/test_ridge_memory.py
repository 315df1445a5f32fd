"""Ridge, RidgeCV and ridge_path add no more memory than is promised, in a process of their own."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from resident import in_child

FREE = 64e6
CODE = """
import json
import numpy as np
from regsolve import Ridge, RidgeCV, ridge_path
from resident import begin, peak, problem, stored

grid = np.geomspace(1.0, 1e4, 30)
work = {{
    "Ridge": lambda X, y: Ridge(10.0).fit(X, y),
    "RidgeCV": lambda X, y: RidgeCV(grid).fit(X, y),
    "ridge_path": lambda X, y: ridge_path(X, y, grid),
    "criteria": lambda X, y: ridge_path(X, y, grid, criteria=True),
}}[{what!r}]
X, y = problem({n}, {p}, {kind!r}, {file!r})
work(X[:100], y[:100])
before = begin()
done = work(X, y)
grown = peak() - before
report = done.report if hasattr(done, "report") else done.report_
print(json.dumps([grown, stored(X), report.peak_bytes]))
"""


CASES = list(
    product(
        [(100_000, 200), (500, 40_000)],
        ["float64", "float32", "csc", "memmap"],
        ["Ridge", "RidgeCV", "ridge_path", "criteria"],
    )
)
EVERY_DAY = [((100_000, 200), "csc", "RidgeCV"), ((500, 40_000), "float64", "criteria")]


@pytest.mark.parametrize(
    ("shape", "kind", "what"),
    [pytest.param(*case, marks=() if case in EVERY_DAY else pytest.mark.slow) for case in CASES],
)
def test_a_fit_keeps_the_promise(
    shape: tuple[int, int], kind: str, what: str, tmp_path: Path
) -> None:
    """8 (G + m (n + p / 2) + 10 (n + p)) + 64 MB bytes, G = min(n, p)^2; m = 30 alphas."""
    n, p = shape
    code = CODE.format(n=n, p=p, kind=kind, what=what, file=str(tmp_path / "X.npy"))
    grown, matrix, told = in_child(code)
    limit = 8.0 * (min(n, p) ** 2 + 30 * (n + p / 2) + 10 * (n + p)) + FREE
    assert grown <= limit, f"{grown / 1e6:.0f} MB over a promise of {limit / 1e6:.0f}"
    assert 0 < told <= limit
    assert kind == "float32" or limit < matrix, "a copy of X would go unseen"

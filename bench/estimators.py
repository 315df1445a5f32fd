"""The estimators at work beside scikit-learn's: `python -m bench.estimators [FIGURE ...]`.

first   a first fit in a new process, import included
small   Lasso(alpha).fit on 500 x 50: what a call costs beyond its arithmetic
search  GridSearchCV over 20 alphas on TF-IDF of docstrings, in a pipeline and by itself; to 0.01
        alpha_max, or with --ratio 1e-3 over scikit-learn's own default range
memory  peak of fit beyond X and y, in a new process, against the promised formula

Each figure prints what is asked of it and what was reached. Gaps are regsolve.verify's. "At equal
gap" gives scikit-learn the loosest tol whose worst gap is at most 1e-6; ours is at its default.
"""

from __future__ import annotations

import argparse
import ast
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.dummy import DummyRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Lasso as Peer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import regsolve
from regsolve import Lasso
from regsolve.penalties import L1

TOLERANCES = (1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)
EQUAL_GAP = 1e-6
FIRST = """
import numpy as np
rng = np.random.default_rng(0)
X = rng.standard_normal((500, 50))
y = X[:, 0] - X[:, 1] + rng.standard_normal(500)

def first(depth):
    if depth:
        return first(depth - 1)
    from {package} import Lasso
    return Lasso(0.1).fit(X, y)

first({depth})
"""
# How deep in calls an import stands moves its time by a tenth, up or down, for any package: CPython
# 3.11 may map and unmap a piece of its stack at each of very many calls.
DEPTHS = (0, 5, 10, 15, 20, 25, 30, 35, 40, 45)
MEMORY = """
import os, resource, sys, tempfile
import numpy as np
from scipy import sparse
from regsolve import Lasso

def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

n, p, kind = {n}, {p}, {kind!r}
rng, order = np.random.default_rng(0), {{"order": "F"}}
dtype = np.float32 if kind == "float32" else np.float64
if kind == "csc":
    per = n // 5
    rows, data = np.empty((p, per), np.int32), np.empty((p, per))
    for j in range(p):
        rows[j] = 5 * np.arange(per) + rng.integers(5)
        data[j] = rng.standard_normal(per)
    X = sparse.csc_array((data.ravel(), rows.ravel(), per * np.arange(p + 1, dtype=np.int32)),
                         shape=(n, p))
    y = X[:, [3]].toarray().ravel()
else:
    X = np.empty((n, p), dtype, order="F")
    for j in range(p):
        X[:, j] = rng.standard_normal(n)
    if kind == "memmap":
        file = tempfile.NamedTemporaryFile(suffix=".npy")
        np.save(file.name, X)
        X = np.load(file.name, mmap_mode="r")
        float(X.sum())  # its pages count as this process's from now on
    y = X[:, 3].astype(float)
y += rng.standard_normal(n)
Lasso(0.1).fit(X[:50], y[:50])
try:
    open("/proc/self/clear_refs", "w").write("5")  # Linux: the peak begins anew
except OSError:
    pass
before = peak()
model = Lasso({alpha}).fit(X, y)
assert model.certificate_.relative_gap < 1e-6
print(peak() - before, model.report_.peak_bytes, model.report_.mode, model.report_.working_set_size)
"""


def say(what: str, asked: str, reached: str) -> None:
    """One line of the answer."""
    print(f"| {what} | {asked} | {reached} |", flush=True)


def interleaved(
    works: dict[str, Callable[[], Any]], repeats: int, warm: int = 1
) -> dict[str, float]:
    """Median seconds of each, run in turn, after ``warm`` runs of each that are not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(-warm, repeats):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if turn >= 0:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def child(code: str) -> str:
    """What a new interpreter prints."""
    call = [sys.executable, "-c", code]
    return subprocess.run(call, check=True, capture_output=True, text=True).stdout


def first() -> None:
    """Import and one fit in a new process."""
    packages = ("regsolve", "sklearn.linear_model")
    seconds: dict[str, list[float]] = {package: [] for package in packages}
    for depth in DEPTHS:
        codes = {name: FIRST.format(package=name, depth=depth) for name in packages}
        took = interleaved({name: partial(child, code) for name, code in codes.items()}, 3)
        for name in packages:
            seconds[name].append(took[name])
    ours, theirs = (statistics.median(seconds[name]) for name in packages)
    reached = f"{ours / theirs:.2f} ({1e3 * ours:.0f} ms, scikit-learn {1e3 * theirs:.0f} ms)"
    say("first fit in a new process, over scikit-learn's", "<= 1", reached)


def worst_gap(fitted: Callable[[float], Any], X: Any, y: Any, alphas: Any) -> float:
    """Largest relative gap of an estimator's coefficients over alphas."""
    found = [(alpha, fitted(alpha)) for alpha in alphas]
    return max(
        regsolve.verify(X, y, np.asarray(m.coef_), float(m.intercept_), penalty=L1(a)).relative_gap
        for a, m in found
    )


def equal_tol(X: Any, y: Any, alphas: Any, gap: float) -> tuple[float, float]:
    """scikit-learn's loosest tol with a gap of at most ``gap`` at all alphas, and that gap."""
    for tol in TOLERANCES:
        found = worst_gap(lambda a, t=tol: Peer(a, tol=t, max_iter=10**6).fit(X, y), X, y, alphas)
        if found <= gap:
            return tol, found
    raise RuntimeError(f"scikit-learn reaches a gap of {gap:g} at no tol")


def small() -> None:
    """The overhead of one fit."""
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal((500, 50)))
    y = X[:, :10] @ rng.standard_normal(10) + rng.standard_normal(500)
    top = regsolve.path(X, y, n_alphas=1).alpha_max
    for share in (0.1, 0.01):
        alpha = share * top
        ours_gap = worst_gap(lambda a: Lasso(a).fit(X, y), X, y, [alpha])
        tol, gap = equal_tol(X, y, [alpha], 1e-9)
        took = interleaved(
            {
                "ours": lambda a=alpha: Lasso(a).fit(X, y),
                "equal": lambda a=alpha, t=tol: Peer(a, tol=t).fit(X, y),
                "default": lambda a=alpha: Peer(a).fit(X, y),
            },
            301,
        )
        name = f"Lasso({share:g} alpha_max).fit on 500 x 50"
        us = f"{1e6 * took['ours']:.0f} us at gap {ours_gap:.0e}, scikit-learn"
        for peer, note in (("equal", f"tol={tol:g}, gap {gap:.0e}"), ("default", "its default")):
            ratio = took["ours"] / took[peer]
            reached = f"{ratio:.2f} ({us} {1e6 * took[peer]:.0f} us)"
            say(f"{name}, over scikit-learn's ({note})", "<= 1.2", reached)


def documented(package: str) -> Iterator[tuple[str, int]]:
    """Docstrings of a package's functions, and the lines of code below each."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    for file in sorted(Path(spec.origin).parent.rglob("*.py")):
        if "tests" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and len(ast.get_docstring(node) or "") > 200:
                lines = (node.end_lineno or 0) - (node.body[0].end_lineno or 0)
                yield ast.get_docstring(node) or "", max(1, lines)


def documents(most: int) -> tuple[list[str], Any]:
    """Docstrings of NumPy, SciPy and scikit-learn; log of the lines of code that each explains."""
    found = [pair for package in ("numpy", "scipy", "sklearn") for pair in documented(package)]
    found = found[:: max(1, len(found) // most)][:most]
    order = np.random.default_rng(0).permutation(len(found))
    return [found[k][0] for k in order], np.log([found[k][1] for k in order])


def search(ratio: float = 1e-2, repeats: int = 1) -> None:
    """Cross-validated choice of alpha for text, down to ``ratio`` of alpha_max."""
    texts, y = documents(4000)
    X = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    alphas = regsolve.path(X, y, n_alphas=20, alpha_min_ratio=ratio).alphas
    tol, gap = equal_tol(X, y, alphas, EQUAL_GAP)
    ours_gap = worst_gap(lambda a: Lasso(a).fit(X, y), X, y, alphas)
    print(
        f"\nTF-IDF of {X.shape[0]} docstrings, {X.shape[1]} words, {X.nnz} values; worst gap over "
        f"20 alphas to {ratio:g} alpha_max: ours {ours_gap:.0e}, "
        f"scikit-learn {gap:.0e} at tol={tol:g}\n"
    )
    models = {
        "ours": Lasso(),
        "equal": Peer(tol=tol, max_iter=10**6),
        "default": Peer(max_iter=10**6),
    }

    def alone(model: Any) -> None:
        GridSearchCV(model, {"alpha": alphas}, cv=5).fit(X, y)

    def pipeline(model: Any, name: str = "lasso__alpha") -> None:
        with tempfile.TemporaryDirectory() as folder:  # each keeps its own five transformers
            pipe = make_pipeline(TfidfVectorizer(sublinear_tf=True), model, memory=folder)
            GridSearchCV(pipe, {name: alphas}, cv=5).fit(texts, y)

    constant = partial(pipeline, DummyRegressor(strategy="constant"), "dummyregressor__constant")
    empty = interleaved({"constant": constant}, repeats, warm=0)["constant"]
    say("the pipeline with a constant for a model: what every model pays", "-", f"{empty:.2f} s")
    for name, work in (("on the ready matrix", alone), ("pipeline with memory", pipeline)):
        took = interleaved({k: partial(work, m) for k, m in models.items()}, repeats, warm=0)
        for peer, asked in (("equal", ">= 5"), ("default", "-")):
            times = f"{took['ours']:.2f} s, scikit-learn {took[peer]:.2f} s"
            reached = f"{took[peer] / took['ours']:.1f} ({times})"
            note = "equal gap" if peer == "equal" else "its default tol"
            say(f"GridSearchCV of 20 alphas {name}, times faster ({note})", asked, reached)


def memory() -> None:
    """Peak resident memory beyond X and y."""
    for kind in ("float64", "float32", "csc", "memmap"):
        for n, p, alpha in ((100_000, 300, 0.01), (1000, 30_000, 0.05)):
            told = child(MEMORY.format(n=n, p=p, alpha=alpha, kind=kind)).split()
            grown, counted, mode, set_size = int(told[0]), int(told[1]), told[2], int(told[3])
            side = p if mode == "gram" else set_size
            allowed = 8.0 * (side**2 + 30 * (n + p / 2) + 10 * (n + p)) + 64e6
            reached = f"{grown / 1e6:.0f} MB ({mode}, its report says {counted / 1e6:.0f})"
            name = f"extra memory of Lasso.fit on {kind}, {n} x {p}"
            say(name, f"<= {allowed / 1e6:.0f} MB", reached)


FIGURES = {"first": first, "small": small, "search": search, "memory": memory}


def main() -> None:
    """Print the figures asked for, or all."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.estimators", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("figures", nargs="*", choices=[[], *FIGURES], metavar="FIGURE")
    parser.add_argument(
        "--ratio", type=float, default=1e-2, help="least alpha of the search over alpha_max"
    )
    arguments = parser.parse_args()
    chosen = arguments.figures or list(FIGURES)
    figures = FIGURES | {"search": partial(search, arguments.ratio)}
    print("| figure | asked | reached |\n|---|---|---|")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's on the tolerances that it misses
        for name in chosen:
            figures[name]()


if __name__ == "__main__":
    main()

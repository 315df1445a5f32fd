"""Bayesian models beside scikit-learn's, and Gibbs samplers beside NumPy's blocks.

    python -m bench.bayes [--small] [--repeats R] [evidence | relevance | gibbs ...]

``evidence``: BayesianRidge, seconds to the same evidence, with and without the covariance.
``relevance``: ARDRegression, the same. ``gibbs``: effective samples a second, the least over the
weights, of the compiled Bayesian lasso and of the same in NumPy and SciPy, beside two blocks
(sigma^2 and w; scales and lambda) without sweeps, and Park and Casella's three. NumPy's two chains
follow one another, with one BLAS thread or all, whichever is better; ours run in threads.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy import linalg, special
from sklearn import linear_model
from threadpoolctl import threadpool_limits

import regsolve
from regsolve.bayes.diagnostics import effective_samples
from regsolve.bayes.gibbs import Hyperparameters, sample

EVIDENCE = ((2000, 2000), (200_000, 300))


def least(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Seconds of the fastest run, and its result."""
    best, result = np.inf, None
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - start)
    return best, result


def line(what: str, asked: str, reached: str, met: bool) -> str:
    """One row of the table."""
    return f"| {what} | {asked} | {reached} | {'yes' if met else 'NO'} |"


def regression(n: int, p: int) -> tuple[Any, Any]:
    """Gaussian X, a third of the weights at work, signal and noise alike in size."""
    rng = np.random.default_rng(n + p)
    X = rng.standard_normal((n, p))
    w = rng.standard_normal(p) * (rng.uniform(size=p) < 1 / 3)
    return X, X @ w + np.sqrt(w @ w) * rng.standard_normal(n)


def log_evidence(model: Any, X: Any, y: Any) -> float:
    """Log marginal likelihood at a model's precisions, by Cholesky, up to hyperpriors."""
    Z, r = X - X.mean(axis=0), y - y.mean()
    n, p = Z.shape
    alpha, lambda_ = float(model.alpha_), float(model.lambda_)
    factor = np.linalg.cholesky(alpha * Z.T @ Z + lambda_ * np.eye(p))
    residual = r - Z @ model.coef_
    twice = n * np.log(alpha / (2 * np.pi)) + p * np.log(lambda_)
    twice -= 2 * np.log(np.diag(factor)).sum()
    return float(0.5 * (twice - alpha * residual @ residual - lambda_ * model.coef_ @ model.coef_))


def evidence(repeats: int, small: bool) -> Iterator[str]:
    """BayesianRidge on both shapes of the figure."""
    for n, p in ((400, 400), (5000, 50)) if small else EVIDENCE:
        X, y = regression(n, p)
        theirs, peer = least(lambda X=X, y=y: linear_model.BayesianRidge().fit(X, y), repeats)
        ours, model = least(lambda X=X, y=y: regsolve.BayesianRidge().fit(X, y), repeats)
        whole, _ = least(lambda X=X, y=y: regsolve.BayesianRidge().fit(X, y).sigma_, repeats)
        gain = log_evidence(model, X, y) - log_evidence(peer, X, y)
        said = f"{theirs:.3g} s against {ours:.3g} s, log evidence higher by {gain:.1e}"
        same = gain >= -1e-6
        yield line(
            f"BayesianRidge {n} x {p}: times faster",
            "5",
            f"{theirs / ours:.1f} ({said})",
            theirs >= 5 * ours and same,
        )
        yield line(
            f"BayesianRidge {n} x {p}: with sigma_",
            "2" if n == p else "5",
            f"{theirs / whole:.1f} ({whole:.3g} s)",
            theirs >= (2 if n == p else 5) * whole and same,
        )


def relevance(repeats: int, small: bool) -> Iterator[str]:
    """ARDRegression on a tall and on a wide problem."""
    for n, p in ((500, 60), (60, 150)) if small else ((20000, 300), (200, 1000)):
        X, y = regression(n, p)
        theirs, peer = least(lambda X=X, y=y: linear_model.ARDRegression(max_iter=10).fit(X, y), 1)
        ours, model = least(lambda X=X, y=y: regsolve.ARDRegression(max_iter=10).fit(X, y), repeats)
        apart = np.abs(model.coef_ - peer.coef_).max() / np.abs(peer.coef_).max()
        yield line(
            f"ARDRegression {n} x {p}, ten passes: times faster",
            "1",
            f"{theirs / ours:.1f} ({theirs:.3g} s against {ours:.3g} s, weights apart {apart:.0e})",
            theirs >= ours,
        )


def numpy_chain(X: Any, y: Any, m: int, seed: int, blocks: int, sweeps: int = 0) -> Any:
    """Draws (m, p) of w by blocks of NumPy and SciPy; lambda^2 ~ Gamma(1, 0.01).

    After each two blocks as many ``sweeps`` follow.
    """
    rng = np.random.default_rng(seed)
    Z, R = X - X.mean(axis=0), y - y.mean()
    G, r, square = Z.T @ Z, Z.T @ R, float(R @ R)
    n, p = Z.shape
    w, s2, lam = np.zeros(p), square / n, 1.0
    d = rng.standard_exponential(p) + 0.01
    draws = np.empty((m, p))
    for i in range(m):
        if i % (sweeps + 1):
            lam = tilted(p + 2.0, np.abs(w).sum() / np.sqrt(s2), 0.01, rng)
            s2 = numpy_sweep(w, s2, lam, G, r, square, n, rng)
            draws[i] = w
            continue
        if sweeps and i:
            d = local_variances(w, s2, lam, rng)
        A = G.copy()
        A[np.diag_indices(p)] += 1.0 / d
        L = linalg.cholesky(A, lower=True, overwrite_a=True, check_finite=False)
        v = linalg.solve_triangular(L, r, lower=True, check_finite=False)
        if blocks == 2:
            s2 = 0.5 * (square - v @ v) / rng.standard_gamma(0.5 * (n - 1))
        else:
            rest = square - 2.0 * w @ r + w @ G @ w + (w * w / d).sum()
            s2 = 0.5 * rest / rng.standard_gamma(0.5 * (n - 1 + p))
        right = v + np.sqrt(s2) * rng.standard_normal(p)
        w = linalg.solve_triangular(L, right, lower=True, trans=1, check_finite=False)
        lam = np.sqrt(rng.standard_gamma(p + 1.0) / (0.5 * d.sum() + 0.01))
        d = local_variances(w, s2, lam, rng)
        draws[i] = w
    return draws


def positive_normal(t: float, rng: Any) -> float:
    """Z ~ N(t, 1) given z > 0 (Robert, 1995)."""
    rate = 0.5 * (-t + math.sqrt(t * t + 4.0))
    while True:
        z = t + rng.standard_normal() if t > -0.5 else rng.standard_exponential() / rate
        if (z > 0.0) if t > -0.5 else (rng.random() <= math.exp(-0.5 * (z - t - rate) ** 2)):
            return float(z)


def tilted(m: float, c: float, delta: float, rng: Any) -> float:
    """X with density x^{m - 1} exp(-c x - delta x^2), from a gamma that touches it."""
    mode = 2.0 * m / (c + math.sqrt(c * c + 8.0 * delta * m))
    while True:
        x = rng.standard_gamma(m) / (c + 2.0 * delta * mode)
        if rng.random() <= math.exp(-delta * (x - mode) ** 2):
            return float(x)


def local_variances(w: Any, s2: float, lam: float, rng: Any) -> Any:
    """The d given everything else."""
    mean = np.minimum(lam * np.sqrt(s2) / np.maximum(np.abs(w), 1e-300), 1e150)
    return 1.0 / rng.wald(mean, lam * lam)


def numpy_sweep(
    w: Any, s2: float, lam: float, G: Any, r: Any, square: float, n: int, rng: Any
) -> float:
    """Each w_j in place, then s2, the d integrated out."""
    sigma, s, own = math.sqrt(s2), r - G @ w, np.diag(G)
    for j in range(len(w)):
        root = math.sqrt(own[j])
        g = s[j] + own[j] * w[j]
        up, down = (g - lam * sigma) / (sigma * root), (-g - lam * sigma) / (sigma * root)
        odds = special.log_ndtr(down) + 0.5 * down**2 - special.log_ndtr(up) - 0.5 * up**2
        if rng.random() * (1.0 + math.exp(min(odds, 700.0))) < 1.0:
            new = positive_normal(up, rng) * sigma / root
        else:
            new = -positive_normal(down, rng) * sigma / root
        s += (w[j] - new) * G[j]
        w[j] = new
    left = max(square - w @ r - w @ s, 0.0)
    return tilted(n - 1.0 + len(w), lam * np.abs(w).sum(), 0.5 * left, rng) ** -2


def numpy_rate(X: Any, y: Any, m: int, blocks: int, sweeps: int = 0) -> float:
    """Effective samples a second of two chains one after the other."""
    start = time.perf_counter()
    draws = np.stack([numpy_chain(X, y, m, seed, blocks, sweeps) for seed in range(2)])
    seconds = time.perf_counter() - start
    return float(effective_samples(draws[:, m // 10 :]).min() / seconds)


def gibbs(repeats: int, small: bool) -> Iterator[str]:
    """Effective samples a second at p = 200."""
    n, p, m = (100, 20, 300) if small else (400, 200, 1000)
    for kind in ("independent", "AR(0.9)"):
        X, y = regression(n, p)
        if kind != "independent":
            for j in range(1, p):
                X[:, j] = 0.9 * X[:, j - 1] + np.sqrt(0.19) * X[:, j]
            y = X[:, ::10] @ np.ones(len(X[0, ::10])) + 3.0 * np.random.default_rng(1).normal(
                size=n
            )
        same = numpy_rate(X, y, m, 2, sweeps=p // 20)
        rates: dict[int, float] = {}
        for blocks in (2, 3):
            for limit in (1, None):  # BLAS threads: NumPy's better
                with threadpool_limits(limit):
                    rate = numpy_rate(X, y, m, blocks)
                rates[blocks] = max(rates.get(blocks, 0.0), rate)
        for sweeps in (0, None):
            hyper = Hyperparameters(rate=0.01, sweeps=sweeps)
            sample(X, y, hyper, n_draws=10, n_warmup=1, n_chains=2)
            draws, _ = sample(
                X, y, hyper, n_draws=(1 + repeats) * m, n_warmup=m // 10, n_chains=2, seed=0
            )
            rate = effective_samples(draws.w).min() / draws.seconds
            what = "two blocks" if sweeps == 0 else "blocks and sweeps"
            yield line(
                f"Gibbs, lasso, {n} x {p} {kind}, {what}: times NumPy's two blocks",
                "5",
                f"{rate / rates[2]:.1f} ({rate:.3g} against {rates[2]:.3g} a second; "
                f"{rate / rates[3]:.1f} times three blocks)",
                rate >= 5.0 * rates[2],
            )
        yield line(
            f"Gibbs, lasso, {n} x {p} {kind}, blocks and sweeps: times the same in NumPy",
            "5",
            f"{rate / same:.1f} ({rate:.3g} against {same:.3g} a second)",
            rate >= 5.0 * same,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    parser.add_argument("--small", action="store_true", help="small shapes, to try it out")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    print("| what | asked | reached | met |\n|---|---|---|---|")
    for part in options.parts or PARTS:
        for row in PARTS[part](options.repeats, options.small):
            print(row, flush=True)


PARTS: dict[str, Callable[[int, bool], Iterator[str]]] = {
    "evidence": evidence,
    "relevance": relevance,
    "gibbs": gibbs,
}

if __name__ == "__main__":
    main()

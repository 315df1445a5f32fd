"""The compiled Gibbs steps, for :mod:`regsolve.bayes.gibbs` alone; Numba is imported with them.

In units of sigma, with d_j the prior variances of w_j / sigma and A = Z'Z + D^{-1} = L L',

    n >= p   v = L^{-1} Z'R,  s2 | d ~ InvGamma((N + 2 a0) / 2, (||R||^2 - ||v||^2 + 2 b0) / 2),
             w = L'^{-1} (v + sigma z),    z ~ N(0, I)
    n < p    M = I + Z D Z' = L L',  s2 | d from ||L^{-1} R||^2,  then u ~ N(0, D), e ~ N(0, I) and
             w = sigma (u + D Z' M^{-1} (R / sigma - Z u - e)).

A sweep draws each weight of the lasso from its two half-normals with d integrated out,

    p(w_j | rest) ~ exp(-(c_j (w_j - b_j)^2 / 2 + lambda sigma |w_j|) / s2),    c_j = Z_j'Z_j.

References
----------
Park and Casella (2008), The Bayesian lasso. Rajaratnam and Sparks (2015), MCMC-based inference in
the era of big data (two blocks). Bhattacharya, Chakraborty and Mallick (2016), Fast sampling with
Gaussian scale mixture priors. Hans (2009), Bayesian lasso regression (sweeps). Makalic and Schmidt
(2016), A simple sampler for the horseshoe estimator.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from scipy.linalg import cython_blas, cython_lapack

LEAST, MOST = 1e-290, 1e290  # what variances are held within
LARGEST = 1e150  # a number with a square
LASSO, HORSESHOE = 0, 1
# Each proposal is taken with a probability above 1/4, but never where a parameter is not a number.
TRIES = 10000


def _address(module: Any, name: str) -> int:
    capsule = module.__pyx_capi__[name]
    get_name = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
        ("PyCapsule_GetName", ctypes.pythonapi)
    )
    get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    return int(get(capsule, get_name(capsule)))


def blas_addresses() -> Any:
    """Where dpotrf and dsyrk lie in this process."""
    return np.array([_address(cython_lapack, "dpotrf"), _address(cython_blas, "dsyrk")])


@intrinsic
def _call_pointers(typing: Any, address: Any, pointers: Any) -> Any:  # noqa: ARG001
    """Call the function at ``address`` with pointers alone, as Fortran's are."""
    from llvmlite import ir

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        byte = ir.IntType(8).as_pointer()
        unpack: Any = cgutils.unpack_tuple
        values = unpack(builder, arguments[1])
        kind = ir.FunctionType(ir.VoidType(), [byte] * len(values))
        function = builder.inttoptr(arguments[0], kind.as_pointer())
        builder.call(function, [builder.inttoptr(one, byte) for one in values])
        return context.get_dummy_value()

    return types.none(types.int64, pointers), code


_call: Any = _call_pointers
jit = numba.njit(cache=True, nogil=True, error_model="numpy")
fast = numba.njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"}
)


class Data(NamedTuple):
    """What the likelihood is; ``gram`` says which of G and Zt is there."""

    gram: bool
    Zt: Any  # Z' (p, n), or empty
    G: Any  # Z'Z (p, p), or empty
    R: Any  # (n,), or empty
    r: Any  # Z'R (p,)
    own: Any  # diagonal of Z'Z (p,)
    square: float  # ||R||^2
    total: float  # degrees of freedom N


class Prior(NamedTuple):
    """Hyperparameters: 1 / sigma^2 ~ Gamma(a0, b0), lambda^2 ~ Gamma(shape, rate)."""

    kind: int
    a0: float
    b0: float
    shape: float  # 0: lambda stays what it is
    rate: float
    sweeps: int  # of each so many iterations one draws the block


class State(NamedTuple):
    """Where a chain is."""

    w: Any  # (p,)
    d: Any  # variances of w_j / sigma (p,)
    local: Any  # horseshoe: local variances and their auxiliaries (2, p)
    scalars: Any  # s2, lambda or tau^2, auxiliary of tau^2, iterations done


class Work(NamedTuple):
    """Room for a step."""

    A: Any
    scaled: Any
    s: Any
    v: Any
    letters: Any
    sizes: Any
    reals: Any
    blas: Any


@fast
def dot(a: Any, b: Any) -> float:
    """A'b."""
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@fast
def axpy(step: float, a: Any, out: Any) -> None:
    """Out += step a."""
    for i in range(len(a)):
        out[i] += step * a[i]


@jit
def factorise(work: Any, k: int) -> bool:
    """The lower triangle of A in Fortran's eyes becomes L: row j of A holds column j of L."""
    work.sizes[0], work.sizes[1] = k, 0
    at = work.sizes.ctypes.data
    letter = work.letters.ctypes.data
    _call(np.int64(work.blas[0]), (letter, at, work.A.ctypes.data, at, at + 4))
    return bool(work.sizes[1] == 0)


@jit
def forward(A: Any, v: Any) -> None:
    """V = L^{-1} v."""
    for j in range(len(v)):
        v[j] /= A[j, j]
        axpy(-v[j], A[j, j + 1 :], v[j + 1 :])


@jit
def backward(A: Any, v: Any) -> None:
    """V = L'^{-1} v."""
    for j in range(len(v) - 1, -1, -1):
        v[j] = (v[j] - dot(A[j, j + 1 :], v[j + 1 :])) / A[j, j]


@jit
def tilted(m: float, c: float, delta: float, rng: Any) -> float:
    """X with density x^{m - 1} exp(-c x - delta x^2), from a gamma that touches it; or NaN."""
    if delta <= 0.0:
        return float(rng.standard_gamma(m) / c)
    x0 = 2.0 * m / (c + math.sqrt(c * c + 8.0 * delta * m))
    rate = c + 2.0 * delta * x0
    for _ in range(TRIES):
        x = rng.standard_gamma(m) / rate
        if -math.log(1.0 - rng.random()) >= delta * (x - x0) ** 2:
            return float(x)
    return math.nan


@jit
def inverse_gaussian(mean: float, shape: float, rng: Any) -> float:
    """Michael, Schucany and Haas (1976), in the form that does not cancel."""
    z = rng.standard_normal()
    y = 0.5 * mean * z * z / shape
    x = mean / (1.0 + y + math.sqrt(y * (y + 2.0)) if y < LARGEST else 2.0 * y)
    if rng.random() * (mean + x) <= mean:
        return float(x)
    return float(mean * (mean / x))


@jit
def log_mills(t: float) -> float:
    """log(Phi(t) / phi(t)) less a constant."""
    x = -t * math.sqrt(0.5)
    if x < 20.0:
        return x * x + math.log(math.erfc(x))
    y = 0.5 / (x * x)
    return math.log((1.0 - y * (1.0 - 3.0 * y * (1.0 - 5.0 * y))) / (x * math.sqrt(math.pi)))


@jit
def positive_normal(t: float, rng: Any) -> float:
    """Z ~ N(t, 1) given z > 0; Robert (1995). NaN where t is."""
    if t > -0.5:
        for _ in range(TRIES):
            z = t + rng.standard_normal()
            if z > 0.0:
                return float(z)
        return math.nan
    rate = 0.5 * (-t + math.sqrt(t * t + 4.0)) if t > -1e9 else -t
    for _ in range(TRIES):
        z = rng.standard_exponential() / rate
        if -2.0 * math.log(1.0 - rng.random()) >= (z - t - rate) ** 2:
            return float(z)
    return math.nan


@jit
def block(data: Any, prior: Any, state: Any, work: Any, rng: Any) -> bool:
    """sigma^2 given d, then w given both; False where no factor was found."""
    if data.gram:
        return block_gram(data, prior, state, work, rng)
    return block_wide(data, prior, state, work, rng)


@jit
def draw_noise(data: Any, prior: Any, state: Any, left: float, rng: Any) -> None:
    """sigma^2 from ||R||^2 less what the model explains."""
    scale = max(0.5 * left + prior.b0, 1e-300)
    state.scalars[0] = scale / rng.standard_gamma(0.5 * data.total + prior.a0)


@jit
def block_gram(data: Any, prior: Any, state: Any, work: Any, rng: Any) -> bool:
    """The block where n >= p."""
    p, A, v = len(state.w), work.A, state.w
    done = False
    for attempt in range(4):
        A[:] = data.G
        lift = 1.0 + (0.0 if attempt == 0 else 1e-15 * 100.0**attempt)
        for j in range(p):
            A[j, j] = A[j, j] * lift + 1.0 / state.d[j]
        if factorise(work, p):
            done = True
            break
    if not done:
        return False
    v[:] = data.r
    forward(A, v)
    draw_noise(data, prior, state, max(data.square - dot(v, v), 0.0), rng)
    sigma = math.sqrt(state.scalars[0])
    for j in range(p):
        v[j] += sigma * rng.standard_normal()
    backward(A, v)
    return True


@jit
def block_wide(data: Any, prior: Any, state: Any, work: Any, rng: Any) -> bool:
    """The block where n < p."""
    n, p, A, v, w = len(data.R), len(state.w), work.A, work.v, state.w
    for j in range(p):
        root = math.sqrt(state.d[j])
        for i in range(n):
            work.scaled[j, i] = root * data.Zt[j, i]
    work.sizes[2], work.sizes[3] = n, p
    at, real = work.sizes.ctypes.data, work.reals.ctypes.data
    letters = work.letters.ctypes.data
    scaled, product = work.scaled.ctypes.data, A.ctypes.data
    pointers = (letters, letters + 1, at + 8, at + 12, real, scaled, at + 8, real + 8, product)
    _call(np.int64(work.blas[1]), (*pointers, at + 8))
    for i in range(n):
        A[i, i] += 1.0
    if not factorise(work, n):
        return False
    v[:] = data.R
    forward(A, v)
    draw_noise(data, prior, state, dot(v, v), rng)
    sigma = math.sqrt(state.scalars[0])
    for i in range(n):
        v[i] = data.R[i] / sigma - rng.standard_normal()
    for j in range(p):
        w[j] = rng.standard_normal()
        axpy(-w[j], work.scaled[j], v)
    forward(A, v)
    backward(A, v)
    for j in range(p):
        w[j] = sigma * math.sqrt(state.d[j]) * (w[j] + dot(work.scaled[j], v))
    return True


@jit
def sweep(data: Any, prior: Any, state: Any, work: Any, rng: Any) -> None:
    """Each w_j, then sigma, the lasso's d integrated out."""
    w, s, lam = state.w, work.s, state.scalars[1]
    sigma = math.sqrt(state.scalars[0])
    C = data.G if data.gram else data.Zt
    s[:] = data.r if data.gram else data.R
    for j in range(len(w)):
        if w[j] != 0.0:
            axpy(-w[j], C[j], s)
    for j in range(len(w)):
        own = data.own[j]
        if own <= 0.0:
            size = rng.standard_exponential() * sigma / lam
            w[j] = size if rng.random() < 0.5 else -size
            continue
        g = (s[j] if data.gram else dot(C[j], s)) + own * w[j]
        root = math.sqrt(own)
        up, down = (g - lam * sigma) / (sigma * root), (-g - lam * sigma) / (sigma * root)
        odds = log_mills(down) - log_mills(up)
        if rng.random() * (1.0 + math.exp(min(odds, 700.0))) < 1.0:
            new = positive_normal(up, rng) * sigma / root
        else:
            new = -positive_normal(down, rng) * sigma / root
        axpy(w[j] - new, C[j], s)
        w[j] = new
    left = data.square - dot(w, data.r) - dot(w, s) if data.gram else dot(s, s)
    m = data.total + 2.0 * prior.a0 + len(w)
    delta = 0.5 * max(left, 0.0) + prior.b0
    state.scalars[0] = tilted(m, lam * np.abs(w).sum(), delta, rng) ** -2


@jit
def scales(prior: Any, state: Any, rng: Any, with_local: bool) -> None:
    """Strength and prior variances given w and sigma^2."""
    w, s2 = state.w, state.scalars[0]
    sigma, p = math.sqrt(s2), len(w)
    if prior.kind == LASSO:
        if prior.shape > 0.0:
            size = np.abs(w).sum() / sigma
            lam = tilted(p + 2.0 * prior.shape, size, prior.rate, rng)
            state.scalars[1] = min(max(lam, math.sqrt(LEAST)), math.sqrt(MOST))
        lam = state.scalars[1]
        most = max(LARGEST, 1e20 * lam * lam)  # draws hold |w| > 1e-20 sigma / lambda
        for j in range(p if with_local else 0):
            mean = min(lam * sigma / max(abs(w[j]), 1e-300), most)
            x = inverse_gaussian(mean, lam * lam, rng)
            state.d[j] = min(max(1.0 / x, LEAST), MOST)
        return
    tau2 = state.scalars[1]
    local, other = state.local[0], state.local[1]
    spread, total = max(2.0 * tau2 * s2, 1e-300), 0.0
    for j in range(p):
        rate = 1.0 / other[j] + w[j] * w[j] / spread
        local[j] = min(max(rate / rng.standard_exponential(), LEAST), MOST)
        other[j] = (1.0 + 1.0 / local[j]) / rng.standard_exponential()
        total += w[j] * w[j] / local[j]
    if prior.shape > 0.0:
        rate = 1.0 / state.scalars[2] + total / (2.0 * s2)
        tau2 = min(max(rate / rng.standard_gamma(0.5 * (p + 1.0)), LEAST), MOST)
        # tau / shape is half-Cauchy
        rate = 1.0 / (prior.shape * prior.shape) + 1.0 / tau2
        state.scalars[1], state.scalars[2] = tau2, rate / rng.standard_exponential()
    for j in range(p):
        state.d[j] = min(max(local[j] * tau2, LEAST), MOST)


@jit
def run(data: Any, prior: Any, state: Any, work: Any, rng: Any, draws: Any, kept: Any) -> bool:
    """Iterate once for each row of ``draws`` (m, p) and ``kept`` (m, 2): s2, lambda or tau^2.

    False where no factor is found or float64 does not hold a draw.
    """
    for i in range(len(draws)):
        whole = prior.kind == HORSESHOE or state.scalars[3] % (prior.sweeps + 1) == 0
        scales(prior, state, rng, whole)
        if not whole:
            sweep(data, prior, state, work, rng)
        elif not block(data, prior, state, work, rng):
            return False
        size = state.scalars[0] + state.scalars[1] + np.abs(state.w).sum()
        if not math.isfinite(size):
            return False
        state.scalars[3] += 1.0
        draws[i] = state.w
        kept[i, 0], kept[i, 1] = state.scalars[0], state.scalars[1]
    return True

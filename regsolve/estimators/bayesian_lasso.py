"""BayesianLasso: draws from the posterior under a Laplace or a horseshoe prior."""

from __future__ import annotations

import sys
import warnings
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _validate
from .predictor import FLOATS, LinearPredictor, row_weights, training_data

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

ROWS = 256  # new rows whose predictions by all draws are held at a time
SLOW_RHAT = 1.1


class BayesianLasso(LinearPredictor):
    """Sparse Bayesian regression by Gibbs sampling, compiled, a chain a thread.

        y | w, b, sigma^2 ~ N(Xw + b, sigma^2),    b flat,    p(sigma^2) ~ 1 / sigma^2
        "lasso"      p(w | sigma) = prod_j lambda / (2 sigma) exp(-lambda |w_j| / sigma)
        "horseshoe"  w_j | sigma ~ N(0, sigma^2 tau^2 l_j^2),    l_j and tau / scale half-Cauchy

    At given sigma the mode under "lasso" is the lasso at alpha = sigma lambda / n. Iterations
    alternate between draws of all weights at once, for p >= n without any matrix p x p, and for
    the lasso sweeps over single weights with their scales integrated out.

    Parameters
    ----------
    prior : "lasso" or "horseshoe", default "lasso"
    strength : float > 0, optional
        lambda, or tau. None: drawn as well, lambda^2 ~ Gamma(shape, rate), tau / scale half-Cauchy.
    shape, rate : float > 0, default 1.0 and 0.01
    scale : float > 0, default 1.0
    n_samples : int, default 1000
        Draws kept of each chain.
    n_warmup : int, default 500
        Iterations of each chain that are thrown away.
    n_chains : int, default 4
    thin : int, default 1
        Iterations for a draw that is kept.
    fit_intercept : bool, default True
    random_state : int, RandomState or None
        The same draws from the same integer, whatever ``n_threads``.
    n_threads : int, optional
    verbose : bool, default False

    Attributes
    ----------
    coef_ : (p,), posterior mean; intercept_ : float
    median_ : (p,), posterior median of each weight
    samples_ : (n_chains, n_samples, p)
    intercept_samples_, noise_samples_, strength_samples_ : (n_chains, n_samples)
        b, sigma^2, and lambda or tau.
    rhat_, ess_ : (p + 2,)
        Rank-normalised split R-hat and effective sample size of each weight, of sigma^2 and of the
        strength; NaN where a quantity does not move.
    n_features_in_, feature_names_in_

    Raises
    ------
    ValueError, TypeError
        Bad input or parameters; the message names them.

    Warns
    -----
    ConvergenceWarning
        Where R-hat exceeds 1.1 for sigma^2 or a weight, with the worst.

    References
    ----------
    Park and Casella (2008), Rajaratnam and Sparks (2015), Hans (2009), Makalic and Schmidt (2016),
    Bhattacharya, Chakraborty and Mallick (2016), Vehtari and others (2021).
    """

    def __init__(
        self,
        prior: str = "lasso",
        *,
        strength: float | None = None,
        shape: float = 1.0,
        rate: float = 0.01,
        scale: float = 1.0,
        n_samples: int = 1000,
        n_warmup: int = 500,
        n_chains: int = 4,
        thin: int = 1,
        fit_intercept: bool = True,
        random_state: Any = None,
        n_threads: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.prior = prior
        self.strength = strength
        self.shape = shape
        self.rate = rate
        self.scale = scale
        self.n_samples = n_samples
        self.n_warmup = n_warmup
        self.n_chains = n_chains
        self.thin = thin
        self.fit_intercept = fit_intercept
        self.random_state = random_state
        self.n_threads = n_threads
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Any:
        """Draw from the posterior given X (n, p), dense or sparse, and y (n,).

        ``sample_weight`` (n,) counts as repeated rows: y_i ~ N(x_i'w + b, sigma^2 / s_i), of
        which sigma^2 sees sum_i s_i.
        """
        from ..bayes import diagnostics, gibbs

        with self._unchanged_on_error():
            self._check_parameters()
            X, y = training_data(self, X, y, ensure_min_samples=2 if self.fit_intercept else 1)
            lasso = self.prior == "lasso"
            seed = self.random_state
            if isinstance(seed, Integral):
                _validate.positive_integer("random_state", seed, least=0)
            else:  # None: NumPy's own, as in scikit-learn
                seed = check_random_state(seed).randint(2**31 - 1)
            draws, self._mean = gibbs.sample(
                X,
                y,
                gibbs.Hyperparameters(
                    self.prior, self.strength, self.shape if lasso else self.scale, self.rate
                ),
                n_chains=int(self.n_chains),
                n_warmup=int(self.n_warmup),
                n_draws=int(self.n_samples),
                thin=int(self.thin),
                sample_weight=row_weights(sample_weight, len(y)),
                fit_intercept=self.fit_intercept,
                seed=None if seed is None else int(seed),
                n_threads=self.n_threads,
            )
            self.samples_, self.intercept_samples_ = draws.w, draws.intercept
            self.noise_samples_, self.strength_samples_ = draws.noise, draws.strength
            self.coef_ = draws.w.mean(axis=(0, 1))
            self.median_ = np.median(draws.w, axis=(0, 1))
            self.intercept_ = float(draws.intercept.mean())
            together = np.dstack([draws.w, draws.noise, draws.strength])
            self.rhat_ = diagnostics.split_rhat(together)
            self.ess_ = diagnostics.effective_samples(together)
            self._tell(draws.seconds)
        return self

    def _tell(self, seconds: float) -> None:
        p = len(self.coef_)
        worst = float(np.nanmax(self.rhat_[: p + 1])) if np.isfinite(self.rhat_).any() else 1.0
        if self.verbose:
            sys.stderr.write(
                f"BayesianLasso: {self.n_chains} chains of {self.n_samples} draws in "
                f"{seconds:.3g} s; worst R-hat {worst:.4g}, least effective samples "
                f"{np.nanmin(self.ess_):.0f}\n"
            )
        if worst > SLOW_RHAT:
            warnings.warn(
                f"the chains have not mixed: R-hat is {worst:.3g}, more than {SLOW_RHAT}; raise "
                "n_samples, n_warmup or thin",
                ConvergenceWarning,
                stacklevel=3,
            )

    def credible_interval(self, level: float = 0.95) -> Array:
        """Equal-tailed interval of each weight, (p, 2)."""
        check_is_fitted(self)
        tail = 0.5 * (1.0 - _level(level))
        return np.asarray(np.quantile(self.samples_, [tail, 1.0 - tail], axis=(0, 1)).T)

    def predict(self, X: Any, return_std: bool = False, interval: float | None = None) -> Any:
        """Mean of the predictive distribution, (n,).

        ``return_std`` adds its deviation (n,), ``interval`` an equal-tailed interval (n, 2) of that
        probability for new observations; both come last in that order.
        """
        mean = super().predict(X)
        if not return_std and interval is None:
            return mean
        X = validate_data(self, X, accept_sparse=["csr", "csc"], dtype=FLOATS, reset=False)
        deviations, bounds = np.empty(len(mean)), np.empty((len(mean), 2))
        w = self.samples_.reshape(-1, len(self.coef_))
        b, noise = self.intercept_samples_.ravel(), self.noise_samples_.ravel()
        everything = np.arange(w.shape[1])
        rows = _validate.columns_of(X, everything)
        # the noise of new observations by its quantiles, in an order that has nothing to do with w
        scores = np.random.default_rng(0).standard_normal(len(w)) * np.sqrt(noise)
        for start in range(0, len(mean), ROWS):
            i = np.arange(start, min(start + ROWS, len(mean)))
            drawn = np.asarray(rows(i) @ w.T) + b
            deviations[i] = np.sqrt(drawn.var(axis=1) + noise.mean())
            if interval is not None:
                tail = 0.5 * (1.0 - _level(interval, "interval"))
                bounds[i] = np.quantile(drawn + scores, [tail, 1.0 - tail], axis=1).T
        out = (mean, *([deviations] if return_std else []))
        return out if interval is None else (*out, bounds)

    def _check_parameters(self) -> None:
        if self.prior not in ("lasso", "horseshoe"):
            raise ValueError(f"prior={self.prior!r}: expected 'lasso' or 'horseshoe'")
        for name, least in (("n_samples", 4), ("n_warmup", 0), ("n_chains", 1), ("thin", 1)):
            _validate.positive_integer(name, getattr(self, name), least)
        for name in ("shape", "rate", "scale"):
            _validate.positive_number(name, getattr(self, name))
        if self.strength is not None:
            _validate.positive_number("strength", self.strength)


def _level(level: Any, name: str = "level") -> float:
    if isinstance(level, bool) or not isinstance(level, Real) or not 0.0 < float(level) < 1.0:
        raise ValueError(f"{name}={level!r}: expected a probability between 0 and 1")
    return float(level)

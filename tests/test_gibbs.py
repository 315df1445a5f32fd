"""Gibbs samplers: quadrature, Geweke's test, chains that agree, and their diagnostics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from problems import regression
from scipy import sparse, stats

from regsolve import BayesianLasso, solve
from regsolve.bayes import diagnostics, gibbs
from regsolve.penalties import L1


def test_two_weights_as_quadrature() -> None:
    X, y = regression(12, 2, seed=4)
    lam = 2.0
    model = BayesianLasso(
        strength=lam, n_samples=8000, n_warmup=200, n_chains=2, random_state=1, fit_intercept=False
    ).fit(X, y)
    scale = model.samples_.std(axis=(0, 1))
    grids = [m + s * np.linspace(-9, 9, 241) for m, s in zip(model.coef_, scale, strict=True)]
    W = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1)
    rss = np.square(y - W @ X.T).sum(axis=-1)
    log_sigma = np.linspace(-1, 1, 121)[:, None, None] * 3 + 0.5 * np.log(np.median(rss) / 12)
    log_density = -(12 + 2) * log_sigma - rss / (2 * np.exp(2 * log_sigma))
    log_density = log_density - lam * np.abs(W).sum(axis=-1) * np.exp(-log_sigma)
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    for j in range(2):
        marginal = density.sum(axis=(0, 2 - j))
        mean = marginal @ grids[j]
        deviation = np.sqrt(marginal @ (grids[j] - mean) ** 2)
        draws = model.samples_[:, :, j]
        error = 4.5 * deviation / np.sqrt(model.ess_[j])
        assert abs(draws.mean() - mean) < error
        assert abs(draws.std() / deviation - 1.0) < 0.06
        for q in (0.05, 0.5, 0.95):
            share = (draws < np.interp(q, marginal.cumsum(), grids[j])).mean()
            assert abs(share - q) < 4.5 * np.sqrt(q * (1 - q) / model.ess_[j]) + 0.01
    noise = np.exp(2 * log_sigma[:, 0, 0]) @ density.sum(axis=(1, 2))
    assert model.noise_samples_.mean() == pytest.approx(noise, rel=0.05)


def prior_draw(hyper: gibbs.Hyperparameters, p: int, rng: Any) -> tuple[Any, float, float]:
    noise = 1.0 / rng.gamma(hyper.a0, 1.0 / hyper.b0)
    if hyper.prior == "lasso":
        strength = np.sqrt(rng.gamma(hyper.shape, 1.0 / hyper.rate))
        return rng.laplace(0.0, np.sqrt(noise) / strength, p), noise, strength
    strength = abs(hyper.shape * rng.standard_cauchy())
    local = np.abs(rng.standard_cauchy(p))
    return np.sqrt(noise) * strength * local * rng.standard_normal(p), noise, strength


def told(w: Any, noise: float, strength: float) -> list[float]:
    """Bounded functions, whose moments exist under either prior."""
    return [
        np.tanh(np.log(noise)),
        np.tanh(np.log(strength)),
        np.tanh(w[0]),
        np.tanh(np.log(np.abs(w) + 1e-8)).mean(),
        np.tanh(w[0] * w[1]),
        np.tanh(np.abs(w) / np.sqrt(noise)).max(),
    ]


@pytest.mark.parametrize("prior", ["lasso", "horseshoe"])
@pytest.mark.parametrize("gram", [True, False])
@pytest.mark.parametrize("sweeps", [0, 2])
def test_geweke(prior: str, gram: bool, sweeps: int) -> None:
    """Draws of (w, sigma, strength) while y is drawn too are draws from the prior."""
    if prior == "horseshoe" and sweeps:
        pytest.skip("sweeps are the lasso's")
    n, p = (5, 3) if gram else (3, 5)
    m = 12000 if prior == "lasso" else 80000
    rng = np.random.default_rng(7)
    Z = rng.standard_normal((n, p))
    shape = 2.0 if prior == "lasso" else 0.5
    hyper = gibbs.Hyperparameters(prior, shape=shape, a0=4.0, b0=3.0, sweeps=sweeps)
    w, noise, strength = prior_draw(hyper, p, rng)
    chain = gibbs.Chain(gibbs.likelihood(Z, np.zeros(n), n, gram), hyper, rng)
    chain.state.w[:], chain.state.scalars[0] = w, noise
    chain.state.scalars[1] = strength if prior == "lasso" else strength**2
    draws, kept = np.empty((1, p)), np.empty((1, 2))
    ours = np.empty((m, 6))
    for i in range(m):
        R = Z @ chain.state.w + np.sqrt(chain.state.scalars[0]) * rng.standard_normal(n)
        data = chain.data._replace(r=Z.T @ R, square=float(R @ R))
        chain.data = data if gram else data._replace(R=R)
        chain.advance(draws, kept)
        size = kept[0, 1] if prior == "lasso" else np.sqrt(kept[0, 1])
        ours[i] = told(draws[0], kept[0, 0], size)
    theirs = np.array([told(*prior_draw(hyper, p, rng)) for _ in range(m)])
    effective = diagnostics.effective_samples(ours[None])
    error = np.sqrt(ours.var(axis=0) / effective + theirs.var(axis=0) / m)
    p_values = 2.0 * stats.norm.sf(np.abs(ours.mean(axis=0) - theirs.mean(axis=0)) / error)
    assert effective.min() > 100
    assert p_values.min() > 0.001


def test_mode_is_where_the_lasso_is() -> None:
    """With many rows the posterior mean comes to the lasso at alpha = sigma lambda / n."""
    X, y = regression(4000, 3, seed=1)
    model = BayesianLasso(strength=30.0, n_samples=500, n_chains=2, random_state=0).fit(X, y)
    alpha = np.sqrt(model.noise_samples_.mean()) * 30.0 / 4000
    fitted = solve(X, y, penalty=L1(alpha))
    np.testing.assert_allclose(model.coef_, fitted.coef, atol=4 * model.samples_.std(axis=1).max())


@pytest.mark.parametrize("prior", ["lasso", "horseshoe"])
def test_wide_and_tall_sample_one_posterior(prior: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = regression(15, 24, seed=3)
    options = {"strength": 1.0, "n_samples": 3000, "n_chains": 2, "random_state": 5}
    tall = BayesianLasso(prior, **options).fit(X, y)
    monkeypatch.setattr(gibbs, "GRAM_UP_TO", 0)
    wide = BayesianLasso(prior, **options).fit(X, y)
    error = tall.samples_.std(axis=(0, 1)) * np.sqrt(1 / tall.ess_[:24] + 1 / wide.ess_[:24])
    assert (np.abs(tall.coef_ - wide.coef_) < 5 * error).all()


def test_same_draws_from_the_same_seed() -> None:
    X, y = regression(40, 8, seed=2)
    options = {"n_samples": 200, "random_state": 3}
    one = BayesianLasso(**options, n_threads=1).fit(X, y)
    two = BayesianLasso(**options, n_threads=3).fit(sparse.csr_matrix(X), y)
    np.testing.assert_allclose(one.samples_, two.samples_, rtol=1e-6, atol=1e-9)
    other = BayesianLasso(n_samples=200, random_state=4).fit(X, y)
    assert np.abs(one.samples_ - other.samples_).max() > 1e-3
    assert np.abs(one.samples_[0] - one.samples_[1]).max() > 1e-3


@pytest.mark.filterwarnings("ignore::regsolve.ConvergenceWarning")  # so few draws
@pytest.mark.parametrize("numbers", [1, 50, 1 << 19])
def test_thinned_draws_are_every_so_many(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no more of the others are held than asked, nor between two looks at Ctrl-C."""
    X, y = regression(40, 8, seed=2)
    options: dict[str, Any] = {"n_chains": 1, "n_warmup": 3, "random_state": 3}
    every = BayesianLasso(n_samples=60, **options).fit(X, y)
    held: list[int] = []
    advance = gibbs.Chain.advance

    def watched(self: gibbs.Chain, draws: np.ndarray, kept: np.ndarray) -> None:
        held.append(draws.size)
        advance(self, draws, kept)

    monkeypatch.setattr(gibbs, "CHUNK_NUMBERS", numbers)
    monkeypatch.setattr(gibbs.Chain, "advance", watched)
    thinned = BayesianLasso(n_samples=6, thin=10, **options).fit(X, y)
    np.testing.assert_array_equal(thinned.samples_, every.samples_[:, 9::10])
    np.testing.assert_array_equal(thinned.noise_samples_, every.noise_samples_[:, 9::10])
    assert max(held[3:]) <= max(numbers, 8)


def test_no_warmup_draw_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a long thinning take memory: its iterations share one buffer."""
    X, y = regression(20, 8, seed=2)
    options: dict[str, Any] = {"n_draws": 4, "n_chains": 1, "seed": 3}
    plain, _ = gibbs.sample(X, y, gibbs.Hyperparameters(), n_warmup=200, thin=50, **options)
    held: list[Any] = []
    advance = gibbs.Chain.advance

    def watched(self: gibbs.Chain, draws: np.ndarray, kept: np.ndarray) -> None:
        assert draws.size <= 50
        if not any(draws.base is buffer for buffer in held):
            held.append(draws.base)
        advance(self, draws, kept)

    monkeypatch.setattr(gibbs, "CHUNK_NUMBERS", 50)
    monkeypatch.setattr(gibbs.Chain, "advance", watched)
    again, _ = gibbs.sample(X, y, gibbs.Hyperparameters(), n_warmup=200, thin=50, **options)
    np.testing.assert_array_equal(plain.w, again.w)
    assert len(held) <= 2  # of the warm-up, of the draws


@pytest.mark.parametrize("prior", ["lasso", "horseshoe"])
def test_weights_count_as_repeated_rows(prior: str) -> None:
    X, y = regression(30, 6, seed=2)
    counts = np.random.default_rng(1).integers(0, 4, 30)
    options = {"n_samples": 200, "n_chains": 2, "random_state": 3}
    weighted = BayesianLasso(prior, **options).fit(X, y, counts)
    repeated = BayesianLasso(prior, **options).fit(np.repeat(X, counts, 0), np.repeat(y, counts))
    for name in ("samples_", "intercept_samples_", "noise_samples_", "strength_samples_"):
        found, wanted = getattr(weighted, name), getattr(repeated, name)
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)
    plain = BayesianLasso(prior, **options).fit(X, y)
    assert np.abs(weighted.coef_ - plain.coef_).max() > 1e-2


def test_weighted_and_wide_sample_one_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = regression(15, 24, seed=3)
    s = np.random.default_rng(4).uniform(0.2, 3.0, 15)
    options = {"strength": 1.0, "n_samples": 3000, "n_chains": 2, "random_state": 5}
    tall = BayesianLasso(**options).fit(X, y, s)
    monkeypatch.setattr(gibbs, "GRAM_UP_TO", 0)
    wide = BayesianLasso(**options).fit(X, y, s)
    error = tall.samples_.std(axis=(0, 1)) * np.sqrt(1 / tall.ess_[:24] + 1 / wide.ess_[:24])
    assert (np.abs(tall.coef_ - wide.coef_) < 5 * error).all()


def test_weights_that_tell_nothing_are_refused() -> None:
    X, y = regression(20, 3, seed=2)
    with pytest.raises(ValueError, match=r"sample_weight sums to 0\.5"):
        BayesianLasso(n_samples=10).fit(X, y, np.full(20, 0.025))


def test_predictions_and_intervals() -> None:
    X, y = regression(80, 6, seed=5)
    rng = np.random.default_rng(0)
    new = rng.standard_normal((60, 6))
    model = BayesianLasso(n_samples=500, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="interval=2"):
        model.predict(new, interval=2)
    with pytest.raises(ValueError, match="level=2"):
        model.credible_interval(2)
    mean, deviation, bounds = model.predict(new, return_std=True, interval=0.9)
    np.testing.assert_allclose(mean, model.predict(new))
    width = bounds[:, 1] - bounds[:, 0]
    np.testing.assert_allclose(width, 2 * 1.645 * deviation, rtol=0.15)
    inner, outer = model.credible_interval(0.5), model.credible_interval(0.99)
    assert (outer[:, 0] < inner[:, 0]).all()
    assert (inner[:, 1] < outer[:, 1]).all()
    assert (inner[:, 0] <= model.median_).all()
    with pytest.raises(ValueError, match="level"):
        model.credible_interval(1.5)


@pytest.mark.parametrize("prior", ["lasso", "horseshoe"])
@pytest.mark.parametrize("n", [2, 10, 60])
def test_nasty_columns(prior: str, n: int) -> None:
    X, y = regression(n, 20, seed=6)
    X[:, 3], X[:, 4], X[:, 5] = X[:, 2], 7.0, X[:, 2] + 1e6
    strength = 2.0 if prior == "lasso" else 0.1
    draws, _ = gibbs.sample(
        X, y, gibbs.Hyperparameters(prior, strength), n_warmup=20, n_draws=100, seed=1, n_chains=2
    )
    assert np.isfinite(draws.w).all()
    assert (draws.noise > 0).all()


def test_effective_samples_of_known_chains() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((4, 4000, 3))
    chain = noise.copy()
    for i in range(1, 4000):
        chain[:, i] = np.array([0.0, 0.5, 0.9]) * chain[:, i - 1] + noise[:, i]
    expected = 16000 * np.array([1.0, 1 / 3, 1 / 19])
    np.testing.assert_allclose(diagnostics.effective_samples(chain), expected, rtol=0.15)
    assert (diagnostics.split_rhat(chain) < 1.03).all()
    chain[0] += 3.0
    assert (diagnostics.split_rhat(chain) > 1.05).all()
    chain[:, :, 1] = 2.0
    assert np.isnan(diagnostics.split_rhat(chain)[1])
    assert np.isnan(diagnostics.effective_samples(chain)[1])


def test_tails_of_single_draws() -> None:
    from regsolve.bayes import kernels

    rng = np.random.default_rng(2)
    for t in (-8.0, -1.0, 0.5, 3.0):
        z = np.array([kernels.positive_normal(t, rng) for _ in range(4000)])
        assert stats.kstest(z, stats.truncnorm(-t, np.inf, t).cdf).pvalue > 1e-3
        assert kernels.log_mills(t) == pytest.approx(
            stats.norm.logcdf(t) + 0.5 * t * t + np.log(2.0), rel=1e-9
        )
    assert kernels.log_mills(-28.2) == pytest.approx(kernels.log_mills(-28.4), rel=0.01)
    for mean, shape in ((0.3, 2.0), (50.0, 1.0)):
        x = np.array([kernels.inverse_gaussian(mean, shape, rng) for _ in range(4000)])
        assert stats.kstest(x, stats.invgauss(mean / shape, scale=shape).cdf).pvalue > 1e-3
    for m, c, delta in ((3.0, 1.0, 2.0), (200.0, 5.0, 0.1), (2.0, 0.5, 0.0)):
        x = np.array([kernels.tilted(m, c, delta, rng) for _ in range(4000)])
        grid = np.linspace(1e-6, x.max() * 1.5, 20001)
        log_density = (m - 1) * np.log(grid) - c * grid - delta * grid**2
        cdf = np.cumsum(np.exp(log_density - log_density.max()))
        test = stats.kstest(x, lambda q, g=grid, c=cdf: np.interp(q, g, c / c[-1]))
        assert test.pvalue > 1e-3


def test_bad_parameters_are_named() -> None:
    X, y = regression(20, 3, seed=0)
    for name, value in (("prior", "flat"), ("n_samples", 2), ("rate", 0.0), ("strength", -1.0)):
        with pytest.raises(ValueError, match=name):
            BayesianLasso(**{name: value}).fit(X, y)


@pytest.mark.parametrize("prior", ["lasso", "horseshoe"])
@pytest.mark.parametrize("p", [3, 300])
def test_draws_do_not_depend_on_units(prior: str, p: int) -> None:
    """y near 1e150, X near 1e100: the same draws, scaled."""
    X, y = regression(20, p, seed=2)
    options = {"n_draws": 20, "n_warmup": 10, "n_chains": 1, "seed": 3}
    u, v, strength = 2.0**480, 2.0**-330, 2.0
    scaled_strength = strength * v if prior == "lasso" else strength / v
    plain, _ = gibbs.sample(X, y, gibbs.Hyperparameters(prior, strength), **options)
    scaled, _ = gibbs.sample(X * v, y * u, gibbs.Hyperparameters(prior, scaled_strength), **options)
    np.testing.assert_allclose(scaled.w * (v / u), plain.w, rtol=1e-9)
    np.testing.assert_allclose(scaled.noise / u / u, plain.noise, rtol=1e-9)
    np.testing.assert_allclose(scaled.strength, scaled_strength)


def test_strong_priors_hold_the_weights() -> None:
    """w = w~ / lambda, where w~ hardly depends on a large lambda."""
    X, y = regression(20, 3, seed=0)
    one, other = (
        gibbs.sample(X, y, gibbs.Hyperparameters(strength=lam), n_draws=50, n_warmup=10, seed=0)[0]
        for lam in (1e20, 1e120)
    )
    np.testing.assert_allclose(one.w * 1e20, other.w * 1e120, rtol=1e-9)


@pytest.mark.parametrize("prior", ["lasso", "horseshoe"])
@pytest.mark.parametrize("strength", [5e-324, 1e-200, 1e155, 1e308])
def test_strengths_whose_squares_overflow_are_refused(prior: str, strength: float) -> None:
    X, y = regression(20, 3, seed=0)
    with pytest.raises(ValueError, match="strength"):
        BayesianLasso(prior, strength=strength, n_samples=10).fit(X, y)


def test_targets_and_scales_whose_squares_overflow_are_refused() -> None:
    X, y = regression(20, 3, seed=0)
    for factor in (1e155, 1e-170):
        with pytest.raises(ValueError, match=r"\by\b.*rescale y"):
            BayesianLasso(n_samples=10).fit(X, y * factor)
    with pytest.raises(ValueError, match="scale=1e-200"):
        BayesianLasso("horseshoe", scale=1e-200, n_samples=10).fit(X, y)
    with pytest.raises(ValueError, match=r"rate=1e\+300"):
        BayesianLasso(rate=1e300, n_samples=10).fit(X, y)
    with pytest.raises(ValueError, match="prior's parameters"):
        BayesianLasso(shape=1.7e308, n_samples=10).fit(X, y)


def test_no_draw_goes_on_for_ever() -> None:
    from regsolve.bayes import kernels

    rng = np.random.default_rng(0)
    assert np.isnan(kernels.positive_normal(np.nan, rng))
    assert np.isnan(kernels.tilted(1.0, np.nan, 1.0, rng))
    assert np.isnan(kernels.tilted(1.0, 1.0, np.inf, rng))
    far = [kernels.positive_normal(-1e200, rng) for _ in range(500)]
    assert np.mean(far) == pytest.approx(1e-200, rel=0.2)


@pytest.mark.parametrize("p", [3, 300])
@pytest.mark.parametrize("value", [0.0, 0.1])
def test_a_constant_target_at_a_small_tau_has_no_weights(p: int, value: float) -> None:
    X, _ = regression(20, p, seed=0)
    draws, _ = gibbs.sample(
        X, np.full(20, value), gibbs.Hyperparameters("horseshoe", 1e-30), n_draws=20, seed=0
    )
    assert np.abs(draws.w).max() < 1e-100

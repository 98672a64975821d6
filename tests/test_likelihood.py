"""The importance-sampled likelihood against models whose marginal is known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import genpareto

from latentlab.base.errors import LabError
from latentlab.base.machine import threads
from latentlab.measure import likelihood
from latentlab.measure.likelihood import Marginal, marginal
from latentlab.measure.metrics.pareto import fit_tail, generalised_pareto
from latentlab.models.likelihoods import bernoulli_nats, bernoulli_nats_of_one
from latentlab.models.nets import Posterior

PIXELS, LATENT, NOISE, IMAGES = 7, 3, 0.6, 40


class LinearGaussian:
    """x = W z + b + noise: p(x) = N(b, W Wᵀ + σ² I) and p(z|x) are known in closed form."""

    def __init__(self) -> None:
        source = torch.Generator().manual_seed(3)
        self.w = torch.randn(PIXELS, LATENT, generator=source)
        self.b = torch.randn(PIXELS, generator=source)
        z = torch.randn(IMAGES, LATENT, generator=source)
        self.x = z @ self.w.T + self.b + NOISE * torch.randn(IMAGES, PIXELS, generator=source)

    def log_likelihood(self, z: torch.Tensor, i: int) -> torch.Tensor:
        square = (self.x[i] - z @ self.w.T - self.b).square().sum(1)
        return -0.5 * square / NOISE**2 - 0.5 * PIXELS * math.log(2 * math.pi * NOISE**2)

    def exact_nll(self) -> np.ndarray:
        w, b, x = (part.double() for part in (self.w, self.b, self.x))
        p = torch.distributions.MultivariateNormal(b, w @ w.T + NOISE**2 * torch.eye(PIXELS, dtype=torch.double))
        return -p.log_prob(x).numpy()

    def posterior(self, shift: float = 0.0, scale: float = 1.0) -> Posterior:
        """The diagonal Gaussian with the exact posterior's mean and variances, moved and widened."""
        precision = self.w.T @ self.w / NOISE**2 + torch.eye(LATENT)
        covariance = torch.linalg.inv(precision)
        mean = (self.x - self.b) @ self.w @ covariance.T / NOISE**2
        log_var = (scale**2 * covariance.diagonal()).log().expand(IMAGES, LATENT)
        return Posterior(mean + shift * covariance.diagonal().sqrt(), log_var)


@pytest.fixture(scope="module")
def model() -> LinearGaussian:
    return LinearGaussian()


@pytest.fixture(scope="module")
def found(model: LinearGaussian) -> Marginal:
    return marginal(model.posterior(0.3, 1.1), model.log_likelihood, 5000, seed=0)


def test_the_nll_of_a_linear_gaussian_vae_is_the_exact_marginal(model: LinearGaussian, found: Marginal) -> None:
    assert found.nll_nats.mean() == pytest.approx(model.exact_nll().mean(), abs=0.01)
    assert np.abs(found.nll_nats - model.exact_nll()).max() < 0.2
    assert 1 < found.effective.min() <= found.effective.max() < 5000


@pytest.mark.parametrize(
    ("shift", "scale", "samples", "uncertain"),
    [
        pytest.param(0.3, 1.3, 200, math.inf, marks=pytest.mark.slow),
        pytest.param(0.0, 0.8, 200, math.inf, marks=pytest.mark.slow),
        (0.0, 0.6, 100, math.inf),  # as many samples for each image, so that all that varies is their draw
        (0.0, 0.6, 50, likelihood.UNCERTAIN),  # and with further samples where they are needed, as scores are made
    ],
)
def test_the_monte_carlo_error_covers_the_spread_over_seeds(
    model: LinearGaussian, shift: float, scale: float, samples: int, uncertain: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a posterior that is too wide, too narrow, far too narrow: of 200 draws nominally 95 % lie within 1.96 errors of their mean."""
    monkeypatch.setattr(likelihood, "UNCERTAIN", uncertain)
    q = Posterior(*(part[:15] for part in model.posterior(shift, scale)))
    found = [marginal(q, model.log_likelihood, samples, seed) for seed in range(200)]
    means = np.array([one.nll_nats.mean() for one in found])
    errors = np.array([one.monte_carlo_stderr for one in found])
    assert 0.90 <= (np.abs(means - means.mean()) < 1.96 * errors).mean() <= 0.99
    assert any((one.drawn > samples).any() for one in found) == (uncertain < math.inf)
    if scale < 1:  # the delta method sees only the weights that were drawn
        delta = np.array([math.sqrt((1 / one.effective - 1 / one.drawn).sum()) / len(one.nll_nats) for one in found])
        assert (np.abs(means - means.mean()) < 1.96 * delta).mean() < 0.90


def test_uncertain_images_get_more_samples(model: LinearGaussian, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those that are certain do not; the first samples of an image are the same however many follow."""
    sure, unsure = model.posterior(0.0, 1.0), model.posterior(0.0, 0.4)
    log_var = torch.cat([sure.log_var[:20], unsure.log_var[20:]])
    found = marginal(Posterior(sure.mean, log_var), model.log_likelihood, 300, seed=2)
    assert set(found.drawn) <= {300, 600, 1200}
    assert found.drawn[:20].max() == 300
    assert found.drawn[20:].mean() > 600
    assert (found.deviation[found.drawn < 1200] <= 0.2).all()
    monkeypatch.setattr(likelihood, "UNCERTAIN", math.inf)
    long = marginal(Posterior(sure.mean, log_var), model.log_likelihood, 1200, seed=2)
    needy = found.drawn == 1200
    assert np.array_equal(found.nll_nats[needy], long.nll_nats[needy])
    assert found.pareto_k[20:].mean() > 0.6 > found.pareto_k[:20].mean()


@pytest.mark.parametrize("shape", [-0.3, 0.2, 0.5, 0.9])
def test_the_shape_of_a_tail_is_found(shape: float) -> None:
    drawn = [np.sort(genpareto.rvs(shape, scale=2.0, size=1000, random_state=seed)) for seed in range(20)]
    found = np.array([generalised_pareto(excess) for excess in drawn])
    assert found.mean(0) == pytest.approx([shape, 2.0], abs=0.06)
    assert fit_tail(np.ones(100)) is None  # all alike: no tail
    assert fit_tail(np.arange(20.0)) is None  # too few


def test_from_the_exact_posterior_one_sample_is_enough() -> None:
    model = LinearGaussian()
    model.w = torch.diag(torch.tensor([1.0, 2.0, 0.5]))  # then the exact posterior is diagonal
    model.b, model.x = model.b[:3], model.x[:, :3]

    def log_likelihood(z: torch.Tensor, i: int) -> torch.Tensor:
        return -0.5 * ((model.x[i] - z @ model.w.T - model.b) / NOISE).square().sum(1) - 1.5 * math.log(2 * math.pi * NOISE**2)

    exact = -torch.distributions.Normal(model.b, (model.w.diagonal() ** 2 + NOISE**2).sqrt()).log_prob(model.x).sum(1).numpy()
    for samples in (1, 600):
        one = marginal(model.posterior(), log_likelihood, samples, seed=1)
        assert one.nll_nats == pytest.approx(exact, abs=2e-4)
        assert one.effective == pytest.approx(one.drawn, rel=1e-4)
        assert one.monte_carlo_stderr == pytest.approx(0, abs=1e-3)


def test_the_iwae_bound_rises_with_k_and_stays_below_the_likelihood(model: LinearGaussian, found: Marginal) -> None:
    bounds = [found.bounds[k].mean() for k in (1, 5, 50, 500)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] > found.nll_nats.mean() - 1e-3
    assert bounds[0] > bounds[1] + 0.05  # it rises, and does not merely not fall
    # −L₁ is the negative ELBO, here in closed form: −E_q log p(x|z) + KL(q ‖ p).
    q = model.posterior(0.3, 1.1)
    variance = q.log_var.exp()
    miss = (model.x - q.mean @ model.w.T - model.b).square().sum(1) + (variance @ model.w.square().T).sum(1)
    nats = 0.5 * miss / NOISE**2 + 0.5 * PIXELS * math.log(2 * math.pi * NOISE**2)
    elbo = nats + 0.5 * (q.mean.square() + variance - 1 - q.log_var).sum(1)
    assert bounds[0] == pytest.approx(float(elbo.mean()), abs=0.02)


def test_the_estimate_does_not_depend_on_how_images_are_batched(model: LinearGaussian) -> None:
    q = model.posterior(0.3, 1.2)
    whole = marginal(q, model.log_likelihood, 700, seed=5)
    parts = []
    for first in range(0, IMAGES, 7):
        rows = slice(first, first + 7)
        part = Posterior(q.mean[rows], q.log_var[rows])
        parts.append(marginal(part, lambda z, i, first=first: model.log_likelihood(z, first + i), 700, 5, first))
    assert np.array_equal(np.concatenate([part.nll_nats for part in parts]), whole.nll_nats)
    assert np.array_equal(np.concatenate([part.bounds[50] for part in parts]), whole.bounds[50])


def test_the_estimate_does_not_depend_on_the_number_of_threads(model: LinearGaussian) -> None:
    q = model.posterior(0.3, 1.2)
    alone = marginal(q, model.log_likelihood, 700, seed=5)
    with threads(3):
        together = marginal(q, model.log_likelihood, 700, seed=5)
        assert torch.get_num_threads() == 3
    assert np.array_equal(alone.nll_nats, together.nll_nats)
    assert np.array_equal(alone.effective, together.effective)


def test_a_variance_that_float32_cannot_hold_is_no_infinity(model: LinearGaussian) -> None:
    q = model.posterior()
    found = marginal(Posterior(q.mean, torch.full_like(q.log_var, -220.0)), model.log_likelihood, 20, seed=0)
    assert np.isfinite(found.nll_nats).all()


def test_images_a_thousand_nats_unlikely_do_not_underflow(model: LinearGaussian) -> None:
    q = model.posterior(0.3, 1.2)
    near = marginal(q, model.log_likelihood, 50, seed=2)
    far = marginal(q, lambda z, i: model.log_likelihood(z, i) - 1000.0, 50, seed=2)
    assert far.nll_nats == pytest.approx(near.nll_nats + 1000.0, abs=1e-3)


def test_no_samples_are_refused(model: LinearGaussian) -> None:
    with pytest.raises(LabError, match=r"nll_samples must be an integer of at least 1\. Got 0"):
        marginal(model.posterior(), model.log_likelihood, 0, seed=0)


def test_cross_entropy_at_logits_of_200_is_exact() -> None:
    logits = torch.tensor([200.0, -200.0, 200.0, -200.0]).view(1, 1, 2, 2)
    right, wrong = torch.tensor([1.0, 0.0, 1.0, 0.0]).view(1, 1, 2, 2), torch.tensor([0.0, 1.0, 0.0, 1.0]).view(1, 1, 2, 2)
    for nats in (bernoulli_nats, lambda found, x: bernoulli_nats_of_one(found, x[0])):
        assert float(nats(logits, right)) == 0.0
        assert float(nats(logits, wrong)) == 800.0


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), copies=st.integers(1, 9), scale=st.floats(0.1, 60))
def test_one_image_under_many_logits_is_as_many_copies_of_it(seed: int, copies: int, scale: float) -> None:
    source = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(copies, 1, 5, 4, generator=source)
    x = torch.rand(1, 5, 4, generator=source)
    assert torch.allclose(bernoulli_nats_of_one(logits, x), bernoulli_nats(logits, x.expand(copies, 1, 5, 4)), rtol=1e-5, atol=1e-4)

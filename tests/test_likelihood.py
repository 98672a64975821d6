"""The importance-sampled likelihood against models whose marginal is known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab.base.errors import LabError
from latentlab.base.machine import threads
from latentlab.measure.likelihood import Marginal, marginal
from latentlab.models.nets import Posterior
from latentlab.models.objectives import bernoulli_nats, bernoulli_nats_of_one

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


def test_the_monte_carlo_error_is_the_error_that_is_made(model: LinearGaussian) -> None:
    errors, claimed = [], []
    for seed in range(30):
        estimate = marginal(model.posterior(0.2, 1.1), model.log_likelihood, 500, seed)
        errors.append(estimate.nll_nats.mean() - model.exact_nll().mean())
        claimed.append(estimate.monte_carlo_stderr(500))
    assert np.mean(claimed) == pytest.approx(np.std(errors), rel=0.4)


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
        assert one.effective == pytest.approx(samples, rel=1e-4)
        assert one.monte_carlo_stderr(samples) == pytest.approx(0, abs=1e-3)


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

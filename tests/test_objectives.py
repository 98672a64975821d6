"""Objectives against closed forms and torch.distributions."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Normal, kl_divergence

from latentlab.base.texts import catalogue, languages
from latentlab.config import BINARY, GAMES, Likelihood, Loss, Reconstruction
from latentlab.models.objectives import (
    ADVERSARIAL,
    LIKELIHOODS,
    bernoulli_nats,
    gaussian_nats,
    hinge_discriminator,
    hinge_generator,
    kl_to_standard_normal,
    non_saturating_discriminator,
    non_saturating_generator,
    r1_penalty,
    squared_error,
)


def test_bernoulli_is_the_negative_log_likelihood_summed_over_pixels() -> None:
    torch.manual_seed(0)
    logits, x = torch.randn(5, 3, 4, 4), torch.randint(0, 2, (5, 3, 4, 4)).float()
    expected = -Bernoulli(logits=logits).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(bernoulli_nats(logits, x), expected)


@pytest.mark.parametrize("logit", [-200.0, 200.0])
def test_bernoulli_is_exact_where_probabilities_would_round_to_zero_or_one(logit: float) -> None:
    logits = torch.full((1, 1, 1, 1), logit, requires_grad=True)
    wrong, right = torch.tensor(float(logit < 0)), torch.tensor(float(logit > 0))
    assert bernoulli_nats(logits, wrong.view(1, 1, 1, 1)).item() == 200.0
    assert bernoulli_nats(logits, right.view(1, 1, 1, 1)).item() == pytest.approx(0.0, abs=1e-30)
    bernoulli_nats(logits, wrong.view(1, 1, 1, 1)).sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().item() == 1.0  # a clamped logarithm would give 0


def test_bernoulli_on_grey_is_least_at_the_pixel_itself_and_there_its_entropy() -> None:
    x = torch.full((1, 1, 1, 1), 0.3)
    entropy = -(0.3 * math.log(0.3) + 0.7 * math.log(0.7))
    assert bernoulli_nats(torch.logit(x), x).item() == pytest.approx(entropy, rel=1e-6)
    assert bernoulli_nats(torch.logit(x + 0.05), x).item() > entropy


def test_gaussian_and_squared_error_by_hand() -> None:
    logits, x = torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 2, 2)
    assert gaussian_nats(logits, x).tolist() == [0.5, 0.5]  # 4 pixels, each ½ · 0.5²
    assert squared_error(logits, x).tolist() == [0.25, 0.25]


@given(st.floats(-3, 3), st.floats(-4, 4))
def test_kl_is_that_of_torch_distributions(mean: float, log_var: float) -> None:
    m, v = torch.tensor([[mean]], dtype=torch.float64), torch.tensor([[log_var]], dtype=torch.float64)
    expected = kl_divergence(Normal(m, (0.5 * v).exp()), Normal(torch.zeros_like(m), torch.ones_like(m)))
    torch.testing.assert_close(kl_to_standard_normal(m, v), expected)


def test_kl_agrees_with_its_monte_carlo_estimate() -> None:
    torch.manual_seed(0)
    mean, log_var = torch.tensor([[0.7, -0.2]]).double(), torch.tensor([[-1.0, 0.5]]).double()
    q = Normal(mean, (0.5 * log_var).exp())
    z = q.sample((200_000,))
    estimate = (q.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).mean(0)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_var), estimate, atol=0.01, rtol=0)


def test_non_saturating_losses_are_log_sigmoids() -> None:
    real, fake = torch.tensor([1.3, -0.4]), torch.tensor([0.2, -2.0])
    on_real, on_fake = non_saturating_discriminator(real, fake)
    torch.testing.assert_close(on_real, -torch.log(torch.sigmoid(real)))
    torch.testing.assert_close(on_fake, -torch.log(1 - torch.sigmoid(fake)))
    torch.testing.assert_close(non_saturating_generator(fake), -torch.log(torch.sigmoid(fake)))


def test_smoothing_is_one_sided_and_moves_the_best_real_logit_to_its_target() -> None:
    fake = torch.tensor([0.5])
    best = torch.logit(torch.tensor(0.9)).requires_grad_()
    on_real, on_fake = non_saturating_discriminator(best[None], fake, real_target=0.9)
    (gradient,) = torch.autograd.grad(on_real.sum(), best)
    assert gradient.item() == pytest.approx(0.0, abs=1e-6)
    assert on_fake.item() == non_saturating_discriminator(best[None], fake)[1].item()  # fakes are not smoothed


def test_adversarial_gradients_do_not_vanish_at_large_logits() -> None:
    fake = torch.tensor([-200.0], requires_grad=True)
    for loss in (non_saturating_generator, hinge_generator):
        (gradient,) = torch.autograd.grad(loss(fake).sum(), fake)
        assert gradient.item() == -1.0


def test_hinge_by_hand() -> None:
    on_real, on_fake = hinge_discriminator(torch.tensor([2.0, 0.25, -1.0]), torch.tensor([-2.0, 0.5]))
    assert on_real.tolist() == [0.0, 0.75, 2.0]
    assert on_fake.tolist() == [0.0, 1.5]
    assert hinge_generator(torch.tensor([0.5])).tolist() == [-0.5]


def test_whatever_a_configuration_can_choose_is_declared() -> None:
    assert set(LIKELIHOODS) == {*get_args(Likelihood), *get_args(Reconstruction)}
    assert set(ADVERSARIAL) == set(GAMES) == set(get_args(Loss))


@pytest.mark.parametrize("lang", languages())
def test_every_objective_is_named(lang: str) -> None:
    names = {*LIKELIHOODS, *ADVERSARIAL} | {f"{name}_grey" for name in BINARY} | {"own"}
    assert {f"figure.objective.{name}" for name in names} == {key for key in catalogue(lang) if key.startswith("figure.objective.")}


@pytest.mark.parametrize("loss", get_args(Loss))
def test_chance_is_the_loss_of_a_discriminator_that_says_0_to_everything(loss: str) -> None:
    on_real, on_fake = ADVERSARIAL[loss].discriminator(torch.zeros(1), torch.zeros(1), 1.0)
    assert GAMES[loss].chance_nats == pytest.approx((on_real + on_fake).item())
    assert not GAMES[loss].won(0.0, GAMES[loss].chance_nats)


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
def test_one_image_under_many_outputs_has_the_nats_of_many_copies(name: str) -> None:
    generator = torch.Generator().manual_seed(5)
    outputs, x = torch.randn(6, 1, 5, 4, generator=generator), torch.rand(1, 5, 4, generator=generator)
    likelihood = LIKELIHOODS[name]
    torch.testing.assert_close(likelihood.nats_of_one(outputs, x), likelihood.nats(outputs, x.expand(6, 1, 5, 4)))


def test_r1_of_a_linear_discriminator_is_the_square_of_its_weights_and_of_a_quadratic_one_that_of_its_input() -> None:
    torch.manual_seed(0)
    weight, real = torch.randn(12, requires_grad=True), torch.randn(5, 3, 2, 2)
    penalty = r1_penalty(lambda x: x.flatten(1) @ weight + 7.0, real)
    torch.testing.assert_close(penalty, weight.square().sum().expand(5))
    (gradient,) = torch.autograd.grad(penalty.mean(), weight)
    torch.testing.assert_close(gradient, 2 * weight)  # so half of it, as R1 has it, decays the weights
    squares = r1_penalty(lambda x: 0.5 * x.square().flatten(1).sum(1), real)
    torch.testing.assert_close(squares, real.square().flatten(1).sum(1))
    assert not real.requires_grad

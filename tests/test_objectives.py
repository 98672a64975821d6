"""Objectives against closed forms and torch.distributions."""

from __future__ import annotations

import functools
import math
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Normal, kl_divergence

from latentlab.base.texts import catalogue, languages
from latentlab.config import BINARY, GAMES, PIXELS, Likelihood, Loss, Reconstruction
from latentlab.models.likelihoods import LIKELIHOODS, OF_POINTS, bernoulli_nats, unit_gaussian_nats
from latentlab.models.objectives import (
    ADVERSARIAL,
    gradient_penalty,
    hinge_discriminator,
    hinge_generator,
    kl_to_standard_normal,
    non_saturating_discriminator,
    non_saturating_generator,
    r1_penalty,
)


@pytest.mark.parametrize(("loss", "target"), [("non-saturating", 1.0), ("non-saturating", 0.9), ("hinge", 1.0), ("least-squares", 1.0)])
def test_no_logit_costs_less_than_the_threshold_where_real_and_generated_are_as_likely(loss: Loss, target: float) -> None:
    logits = torch.linspace(-3, 3, 6001, dtype=torch.float64)
    losses = ADVERSARIAL[loss].discriminator(logits, logits, target)
    threshold = GAMES[loss].threshold(target)
    at = ADVERSARIAL[loss].discriminator(*[torch.tensor([threshold], dtype=torch.float64)] * 2, target)
    assert float(at) == pytest.approx(float(losses.min()), abs=1e-6)
    assert (threshold < 0) == (target < 1)


@pytest.mark.parametrize("loss", ["wasserstein", "relativistic"])
def test_where_only_differences_count_there_is_no_threshold(loss: Loss) -> None:
    real, fake = torch.tensor([0.3, -1.0]), torch.tensor([0.1, 2.0])
    one, shifted = (ADVERSARIAL[loss].discriminator(real + c, fake + c, 1.0) for c in (0.0, 5.0))
    torch.testing.assert_close(one.sum(), shifted.sum())
    assert GAMES[loss].threshold() is None


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
    assert unit_gaussian_nats(logits, x).tolist() == [0.5, 0.5]  # 4 pixels, each ½ · 0.5²
    assert LIKELIHOODS["mse"].squared_error(logits, x).tolist() == [0.25, 0.25]


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


def test_least_squares_wasserstein_and_relativistic_by_hand() -> None:
    real, fake = torch.tensor([2.0, 1.0]), torch.tensor([-1.0, 0.5])
    expected = {  # of the discriminator and of the generator, for each image
        "least-squares": ([0.5, 0.5 * 1.5**2], [0.5, 0.125]),
        "wasserstein": ([-3.0, -0.5], [1.0, -0.5]),
        "relativistic": ([math.log1p(math.exp(-3)), math.log1p(math.exp(-0.5))], [math.log1p(math.exp(3)), math.log1p(math.exp(0.5))]),
    }
    for name, (judged, fooled) in expected.items():
        assert ADVERSARIAL[name].discriminator(real, fake, 1.0).tolist() == pytest.approx(judged)
        assert ADVERSARIAL[name].generator(fake, real).tolist() == pytest.approx(fooled)
    assert [ADVERSARIAL[name].discriminator(real, fake, 0.9).tolist() for name in ("non-saturating", "hinge")] == [
        [sum(each).item() for each in zip(*non_saturating_discriminator(real, fake, 0.9), strict=True)],
        [sum(each).item() for each in zip(*hinge_discriminator(real, fake), strict=True)],
    ]
    assert [name for name, game in GAMES.items() if game.paired] == ["relativistic"]


@pytest.mark.parametrize("name", [name for name in GAMES if not GAMES[name].paired])
def test_a_generator_of_an_unpaired_game_does_not_look_at_real_images(name: str) -> None:
    fake = torch.randn(4)
    assert torch.equal(ADVERSARIAL[name].generator(fake, torch.randn(4)), ADVERSARIAL[name].generator(fake, torch.randn(4)))


def dirac(loss: str, r1: float, r2: float, steps: int = 4000, rate: float = 0.02) -> tuple[float, int]:
    """The Dirac-GAN (Mescheder et al. 2018, section 2): G is a point θ, D(x) = ψ x, all data at 0, where both should end.

    How far from there they are in the end, and how often they went round it.
    """
    theta, psi, turned = torch.tensor(1.0), torch.tensor(1.0), 0.0
    game, real = ADVERSARIAL[loss], torch.zeros(1, 1, 1, 1)
    for _ in range(steps):
        slope, point, fake = psi.clone().requires_grad_(), theta.clone().requires_grad_(), theta.view(1, 1, 1, 1)
        judge = functools.partial(lambda slope, x: slope * x.flatten(), slope)
        total = game.discriminator(judge(real), judge(fake), 1.0).mean()
        total = total + 0.5 * r1 * r1_penalty(judge, real).mean() + 0.5 * r2 * r1_penalty(judge, fake).mean()
        (down,) = torch.autograd.grad(total, slope)
        (pull,) = torch.autograd.grad(game.generator(psi * point.view(1), torch.zeros(1)).mean(), point)
        before = math.atan2(psi, theta)
        psi, theta = psi - rate * down, theta - rate * pull
        turned += abs(math.remainder(math.atan2(psi, theta) - before, 2 * math.pi))
    return math.hypot(theta, psi), int(turned / (2 * math.pi))


@pytest.mark.parametrize("loss", ["non-saturating", "relativistic", "wasserstein"])
def test_the_dirac_gan_converges_with_r1_and_with_both_and_circles_without(loss: str) -> None:
    distance, turns = dirac(loss, 0.0, 0.0)
    assert distance > 0.3
    assert turns >= 5
    assert dirac(loss, 1.0, 0.0)[0] < 0.001
    assert dirac(loss, 0.5, 0.5)[0] < 0.001


def test_the_gradient_penalty_of_a_linear_discriminator_is_how_far_its_slope_is_from_1() -> None:
    torch.manual_seed(0)
    weight, real, fake, share = torch.randn(12, requires_grad=True), torch.randn(5, 3, 2, 2), torch.randn(5, 3, 2, 2), torch.rand(5)
    penalty = gradient_penalty(lambda x: x.flatten(1) @ weight + 7.0, real, fake, share)
    torch.testing.assert_close(penalty, (weight.norm() - 1).square().expand(5))
    at = gradient_penalty(lambda x: 0.5 * x.square().flatten(1).sum(1), real, fake, share)  # whose slope is x itself
    mixed = share[:, None, None, None] * real + (1 - share[:, None, None, None]) * fake
    torch.testing.assert_close(at, (mixed.flatten(1).norm(dim=1) - 1).square())
    flat = gradient_penalty(lambda x: 0.0 * x.flatten(1).sum(1) * weight.sum(), real, fake, share)
    (slope,) = torch.autograd.grad(flat.sum(), weight)
    assert bool(slope.isfinite().all())


def test_whatever_a_configuration_can_choose_is_declared() -> None:
    assert OF_POINTS.keys() <= LIKELIHOODS.keys()
    assert {*LIKELIHOODS} == {*get_args(Likelihood), *get_args(Reconstruction)}
    assert set(ADVERSARIAL) == set(GAMES) == set(get_args(Loss))


@pytest.mark.parametrize("lang", languages())
def test_every_objective_is_named(lang: str) -> None:
    names = {*LIKELIHOODS, *ADVERSARIAL} | {f"{name}_grey" for name in BINARY} | {"own", "judged"}
    assert {f"figure.objective.{name}" for name in names} == {key for key in catalogue(lang) if key.startswith("figure.objective.")}


@pytest.mark.parametrize("loss", get_args(Loss))
def test_chance_is_the_loss_of_a_discriminator_that_says_0_to_everything(loss: str) -> None:
    assert GAMES[loss].chance_nats == pytest.approx(ADVERSARIAL[loss].discriminator(torch.zeros(1), torch.zeros(1), 1.0).item())
    assert not GAMES[loss].won(0.0, GAMES[loss].chance_nats)


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
def test_one_image_under_many_outputs_has_the_nats_of_many_copies(name: str) -> None:
    generator = torch.Generator().manual_seed(5)
    pixels = PIXELS.get(name, PIXELS["bernoulli"])
    size = pixels.outputs(3) + (0 if pixels.scale == "none" else 3)
    outputs, x = torch.randn(6, size, 5, 4, generator=generator), torch.rand(3, 5, 4, generator=generator)
    likelihood = LIKELIHOODS[name]
    torch.testing.assert_close(likelihood.nats_of_one(outputs, x), likelihood.nats(outputs, x.expand(6, 3, 5, 4).contiguous()))
    assert likelihood.mean(outputs).shape == (6, 3, 5, 4)


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

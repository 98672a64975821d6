"""What a VAE minimises: schedules and charges of the KL term, and the importance-weighted bound, against hand computations."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from latentlab.base.errors import LabError
from latentlab.config import PIXELS
from latentlab.config.fitting import fitted
from latentlab.config.layers import parameter_count
from latentlab.config.networks import networks, pictures
from latentlab.config.presets import preset
from latentlab.config.schema import Config
from latentlab.models import build
from latentlab.models.learner import Moment, buffers_held, decode
from latentlab.models.modules import Scales
from latentlab.models.objectives import kl_to_standard_normal
from latentlab.models.vae import VAELearner

SHAPE = (12, 12, 1)
COLOUR = (12, 12, 3)
CPU = torch.device("cpu")


def images(count: int, channels: int = 1, seed: int = 0) -> torch.Tensor:
    """Coarse blobs [count, 12, 12, C]."""
    coarse = torch.randint(0, 256, (count, 3, 3, channels), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    return coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)


def made(tiny: Any, shape: tuple[int, int, int] = SHAPE, **changes: Any) -> VAELearner:
    config: Config = fitted(tiny("conv-vae", **{"train.beta_warmup_steps": 0, "model.binarization": "none"} | changes), shape)
    learner = build(config, shape, CPU, False)
    assert isinstance(learner, VAELearner)
    return learner


def parts(learner: VAELearner, count: int, step: int = 0) -> tuple[torch.Tensor, ...]:
    """What an update computes with: x, the mean and log-variance, and the ε of every draw [N, K, Z]."""
    moment = Moment(step, 0)
    x = learner.seen(images(count), moment)
    with torch.no_grad(), buffers_held(learner.networks["encoder"]):
        mean, log_var = learner.networks["encoder"].train()(x)
    return x, mean, log_var, learner.noise(count, moment).view(count, learner.draws, -1)


def test_a_cycle_begins_the_warm_up_again(tiny: Any) -> None:
    learner = made(tiny, **{"train.beta": 2.0, "train.beta_warmup_steps": 4, "train.beta_cycle_steps": 8})
    assert [learner.beta_at(step) for step in (0, 2, 4, 7, 8, 10, 12, 8008)] == [0.0, 1.0, 2.0, 2.0, 0.0, 1.0, 2.0, 0.0]


def test_free_nats_charge_only_what_a_unit_has_above_them(tiny: Any) -> None:
    learner = made(tiny, **{"train.free_nats": 0.02, "train.beta": 3.0})
    _, mean, log_var, _ = parts(learner, 16)
    units = kl_to_standard_normal(mean, log_var).mean(0)
    assert 0 < int((units < 0.02).sum()) < len(units)  # some are, some are not
    told = learner.update(images(16), Moment(0, 0))
    charged = float(sum(max(0.02, unit) for unit in units.tolist()))
    assert float(told["loss_nats"] - told["reconstruction_nats"]) == pytest.approx(3 * charged, abs=2e-4)
    assert float(told["kl_nats"]) == pytest.approx(units.sum().item(), rel=1e-5)


def test_a_capacity_charges_the_distance_from_it_as_it_rises(tiny: Any) -> None:
    for step, capacity in ((0, 0.0), (5, 5.0), (10, 10.0), (90, 10.0)):
        learner = made(tiny, **{"train.capacity_nats": 10.0, "train.capacity_steps": 10, "train.beta": 4.0})
        told = learner.update(images(16), Moment(step, 0))
        assert float(told["loss_nats"] - told["reconstruction_nats"]) == pytest.approx(4 * abs(float(told["kl_nats"]) - capacity), abs=3e-4)


@pytest.mark.parametrize("gradient", ["reparameterised", "doubly"])
def test_the_importance_weighted_bound_and_its_gradients_by_hand(tiny: Any, gradient: str) -> None:
    """Burda et al. 2016, eq. 8, with p(x|z), p(z) and q(z|x) written out; Tucker et al. 2019, eq. 8, draw by draw."""
    learner = made(tiny, **{"train.importance_samples": 5, "train.importance_gradient": gradient})
    x, _, _, epsilon = parts(learner, 6)
    encoder, decoder = learner.networks["encoder"].train(), learner.networks["decoder"].train()
    mean, log_var = encoder(x)
    deviation = (0.5 * log_var).exp()
    z = mean[:, None] + deviation[:, None] * epsilon  # [N, K, Z]
    prior, normal = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal

    def log_weights(z: torch.Tensor, mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
        of_pixels = torch.distributions.Bernoulli(logits=decoder(z.flatten(0, 1)), validate_args=False)
        nats = -torch.nn.functional.binary_cross_entropy_with_logits(of_pixels.logits, x.repeat_interleave(5, 0), reduction="none")
        ratio = prior.log_prob(z).sum(2) - normal(mean[:, None], deviation[:, None]).log_prob(z).sum(2)
        return nats.flatten(1).sum(1).view(6, 5) + ratio

    found = log_weights(z, mean, deviation)
    bound = -(torch.logsumexp(found, 1) - math.log(5)).mean()
    weights = [p for network in (encoder, decoder) for p in network.parameters()]
    if gradient == "reparameterised":
        expected = torch.autograd.grad(bound, weights)
    else:
        share = found.detach().softmax(1)
        of_decoder = torch.autograd.grad(-(share * found).sum(1).mean(), list(decoder.parameters()), retain_graph=True)
        path = log_weights(z, mean.detach(), deviation.detach())  # q's own parameters move z alone
        (slope,) = torch.autograd.grad(path.sum(), z, retain_graph=True)  # ∂ log w / ∂ z of each draw
        of_encoder = torch.autograd.grad(z, list(encoder.parameters()), -(share**2)[:, :, None] * slope / 6)
        expected = (*of_encoder, *of_decoder)
    told = learner.run_phase("elbo", images(6), Moment(0, 0))
    assert float(told["loss_nats"]) == pytest.approx(bound.item(), rel=1e-5)
    for parameter, each in zip(weights, expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, each, rtol=1e-3, atol=1e-5)


def test_more_draws_make_the_bound_tighter_and_one_is_the_elbo(tiny: Any) -> None:
    bounds = []
    for draws in (1, 5, 50):
        learner = made(tiny, **{"train.importance_samples": draws})
        *_, last = [m for m in learner.averages["encoder"].network.modules() if isinstance(m, torch.nn.Linear)]
        with torch.no_grad():
            last.bias.add_(1.0)  # a posterior that is far from the prior's and wider, and of which a decoder that ignores z gains nothing
        found = learner.held_out(images(40), 0, 0)
        assert draws == 1 or not torch.equal(found["loss_nats"], found["reconstruction_nats"] + found["kl_nats"])
        halves = torch.cat([learner.held_out(images(40)[a : a + 20], 0, a)["loss_nats"] for a in (0, 20)])
        torch.testing.assert_close(found["loss_nats"], halves, rtol=1e-4, atol=1e-4)
        bounds.append(found["loss_nats"].mean().item())
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] - bounds[2] > 1.0


@pytest.mark.parametrize("name", PIXELS)
@pytest.mark.parametrize("shape", [SHAPE, COLOUR])
def test_every_likelihood_learns_and_comes_back_bit_for_bit(name: str, shape: tuple[int, int, int], tiny: Any) -> None:
    def learned() -> VAELearner:
        return made(tiny, shape, **{"model.likelihood": name})

    batch = images(16, shape[2])
    once, first = learned(), learned()
    for step in range(30):
        told = once.update(batch, Moment(step, 16 * step))
        if step == 0:
            start = float(told["loss_nats"])
    assert float(told["loss_nats"]) < start
    first.update(batch, Moment(0, 0))
    again = learned()
    again.load_tensors({key: value.clone() for key, value in first.tensors().items()})
    for learner in (first, again):
        learner.update(batch, Moment(1, 16))
    left, right = first.tensors(), again.tensors()
    assert left.keys() == right.keys()
    assert all(torch.equal(left[key], right[key]) for key in left)
    drawn = decode(once, torch.randn(3, once.latent_dim).numpy(), CPU)
    assert drawn.shape == (3, *shape)
    sizes = {network: sum(p.numel() for p in once.networks[network].parameters()) for network in ("encoder", "decoder")}
    config = fitted(tiny("conv-vae", **{"model.likelihood": name, "model.binarization": "none"}), shape)
    assert {network: parameter_count(layers) for network, layers in networks(config.model, shape).items()} == sizes


def test_the_optimal_scale_follows_the_errors_and_looking_does_not_move_it(tiny: Any) -> None:
    learner = made(tiny, COLOUR, **{"model.likelihood": "gaussian-optimal", "model.deviation": 1.0})
    batch = images(16, 3)
    (scales,) = [m for m in learner.networks["decoder"].modules() if isinstance(m, Scales)]
    assert scales.log_scale.tolist() == [0.0] * 3
    for step in range(150):
        learner.update(batch, Moment(step, 16 * step))
    kept = scales.log_scale.clone()
    learner.after_phase("elbo", batch, Moment(150, 0))
    assert torch.equal(scales.log_scale, kept)
    x = learner.seen(batch, Moment(149, 0))
    with torch.no_grad():
        mean, _ = learner.networks["encoder"](x)
        error = learner.likelihood.squared_error(learner.networks["decoder"](mean), x).mean().item()
    assert 0.5 * math.log(error) - 0.5 < scales.log_scale.mean().item() < 0.5 * math.log(error) + 0.5


def test_pixels_are_dequantised_anew_at_each_step_and_held_out_ones_by_their_number(tiny: Any) -> None:
    learner = made(tiny, COLOUR, **{"model.likelihood": "gaussian"})
    batch = images(8, 3)
    first, second = (learner.seen(batch, Moment(step, 0)) for step in (0, 1))
    assert not torch.equal(first, second)
    for x in (first, second, learner.target(batch, 0, 0)):
        assert torch.equal((256 * x).floor().to(torch.uint8).permute(0, 2, 3, 1), batch)
    assert torch.equal(learner.target(batch, 0, 0)[5:], learner.target(batch[5:], 0, 5))


def test_what_draws_has_no_scale_and_ends_in_logits_of_the_image(tiny: Any) -> None:
    for name, pixels in PIXELS.items():
        config = fitted(tiny("conv-vae", **{"model.likelihood": name, "model.binarization": "none"}), COLOUR)
        trained, drawing = networks(config.model, COLOUR)["decoder"], pictures(config.model, COLOUR)["decoder"]
        assert (trained == drawing) == (pixels.scale == "none" and not pixels.mean)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"likelihood": "logistic", "binarization": "dynamic"}, "model.binarization must be none with the likelihood logistic"),
        ({"free_nats": 1.0, "capacity_nats": 2.0}, "train.free_nats must be left as it is beside train.capacity_nats"),
        ({"importance_samples": 5, "free_nats": 0.1}, "train.free_nats must be left as it is beside train.importance_samples"),
        ({"importance_gradient": "doubly"}, "train.importance_gradient must be left at its default with one z"),
        ({"beta_cycle_steps": 5}, "train.beta_cycle_steps must be 0, or at least train.beta_warmup_steps"),
        ({"beta_cycle_steps": 5, "beta_warmup_steps": 6}, "train.beta_cycle_steps must be 0, or at least"),
        ({"engine": "keras", "likelihood": "gaussian"}, "model.likelihood must be left as it is with Keras"),
        ({"engine": "keras", "importance_samples": 2}, "train.importance_samples must be left as it is with Keras"),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(LabError, match=why):
        preset("conv-vae", **changes)


def test_auto_is_bernoulli_on_grey_and_one_of_bytes_on_colour() -> None:
    config = preset("conv-vae")
    assert [fitted(config, (28, 28, channels)).objective for channels in (1, 3)] == ["bernoulli", "logistic"]
    assert fitted(config.replace(engine="keras"), COLOUR).objective == "bernoulli"
    assert fitted(config, COLOUR, plain=True).objective == "bernoulli"

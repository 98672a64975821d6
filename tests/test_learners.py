"""One battery for every learner, and what is special to each family. Every bug of research/gan.md 6 that a test can catch."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from conftest import FAMILIES
from torch.nn.utils.parametrizations import spectral_norm

from latentlab.base.errors import NonFinite
from latentlab.base.seeding import latents, torch_generator
from latentlab.config.layers import TransposedConvolution
from latentlab.config.parts import AutoencoderTrain
from latentlab.config.schema import Config
from latentlab.models import build
from latentlab.models.augmentation import Moves, moves, shifted_and_mirrored
from latentlab.models.gan import GANLearner
from latentlab.models.learner import Learner, Moment, decode, draw, encode
from latentlab.models.modules import module
from latentlab.models.nets import to_unit
from latentlab.models.objectives import gradient_penalty, r1_penalty
from latentlab.models.optimiser import Adam, Average, Compute

SHAPE = (12, 12, 1)
CPU = torch.device("cpu")


def images(count: int, seed: int = 0) -> torch.Tensor:
    """Blobs: random but smooth bytes [count, 12, 12, 1]."""
    source = np.random.default_rng(seed)
    coarse = source.integers(0, 256, (count, 3, 3, 1))
    return torch.from_numpy(coarse.repeat(4, 1).repeat(4, 2).astype(np.uint8))


def make(config: Config, bf16: bool = False) -> Learner:
    return build(config, SHAPE, CPU, bf16)


def run(learner: Learner, steps: int, start: int = 0) -> list[dict[str, float]]:
    count = learner.images_per_step
    found = []
    for step in range(start, start + steps):
        losses = learner.update(images(count, step), Moment(step, step * count))
        found.append({name: float(value) for name, value in losses.items()})
    return found


def snapshot(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in learner.tensors().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(params=FAMILIES)
def config(request: pytest.FixtureRequest, tiny) -> Config:
    return tiny(request.param)


def test_an_update_changes_every_weight_and_is_repeatable(config: Config) -> None:
    a, b = make(config), make(config)
    before = snapshot(a)
    assert same(before, snapshot(b))
    assert run(a, 2) == run(b, 2)
    after = snapshot(a)
    assert same(after, snapshot(b))
    for name in before:
        if name.endswith(("weight", "original")) and not name.startswith("average"):
            assert not torch.equal(before[name], after[name]), name


def test_tensors_come_back_in_their_places(config: Config) -> None:
    a, b = make(config), make(config.replace(seed=5))
    run(a, 3)
    b.load_tensors(a.tensors())
    assert same(a.tensors(), b.tensors())
    other = make(config)
    other.load_tensors(a.tensors())
    assert run(a, 2, start=3) == run(other, 2, start=3)


def test_foreign_tensors_are_refused(config: Config) -> None:
    tensors = make(config).tensors()
    with pytest.raises(ValueError, match="foreign"):
        make(config).load_tensors(tensors | {"intruder.weight": torch.zeros(1)})


def test_looking_does_not_touch_training(config: Config) -> None:
    looked, blind = make(config), make(config)
    run(looked, 2)
    run(blind, 2)
    before = snapshot(looked)
    looked.held_out(images(5), 0, 0)
    draw(looked, 3, 3, 0, CPU)
    if config.family != "gan":
        encode(looked, images(5).numpy(), CPU)
    assert same(before, snapshot(looked))
    assert run(looked, 2, 2) == run(blind, 2, 2)
    assert same(looked.tensors(), blind.tensors())


def test_looking_back_at_a_phase_changes_nothing_and_tells_its_losses_with_the_new_weights(config: Config) -> None:
    looked, blind = make(config), make(config)
    batch, moment = images(looked.images_per_step, 7), Moment(0, 0)
    is_spectral = getattr(config.model, "discriminator_normalization", "") == "spectral" and "discriminator" in looked.networks
    for phase in looked.phases:
        for learner in (looked, blind):
            learner.run_phase(phase, batch, moment)
        before, random = snapshot(looked), torch.get_rng_state()
        after = {name: float(value) for name, value in looked.after_phase(phase, batch, moment).items()}
        assert same(before, snapshot(looked))
        assert torch.equal(random, torch.get_rng_state())
        still = copy.deepcopy(looked)  # at a learning rate of 0 the same phase again computes with these weights all along
        for name in ("learning_rate", "generator_learning_rate", "discriminator_learning_rate"):
            if hasattr(config.train, name):
                still.set(name, 0.0)
        again = still.run_phase(phase, batch, moment)
        assert after.keys() >= {name for name in again if not name.endswith(("gradient_norm", "probability"))}
        for name, value in after.items():  # spectral norm estimates a layer's norm better at each pass
            assert value == pytest.approx(float(again[name]), rel=0.1 if is_spectral else 1e-5), name
    assert run(looked, 2, 1) == run(blind, 2, 1)
    assert same(looked.tensors(), blind.tensors())


def test_an_image_is_the_same_alone_and_among_many(config: Config) -> None:
    learner = make(config)
    run(learner, 2)
    many = draw(learner, 70, 3, 4, CPU)
    for count in (1, 6, 64, 65):
        assert np.array_equal(draw(learner, count, 3, 4, CPU), many[:count])
    assert np.array_equal(decode(learner, latents(1, 3, 4, first=5), CPU)[0] if config.family != "ae" else many[5], many[5])


def test_a_loss_that_is_not_finite_stops_before_the_optimiser(config: Config) -> None:
    learner = make(config)
    run(learner, 2)
    victim = next(iter(learner.networks.values()))
    with torch.no_grad():
        next(victim.parameters()).fill_(float("inf"))
    before = snapshot(learner)
    moment = Moment(2, 32)
    with pytest.raises(NonFinite, match=r"^step 3: the .* is not finite .* Likely cause: "):
        learner.update(images(learner.images_per_step), moment)
    after = snapshot(learner)
    weights = [name for name in before if name.startswith(("encoder", "decoder", "generator", "adam.generator", "adam.adam"))]
    assert all(torch.equal(before[n].nan_to_num(), after[n].nan_to_num()) for n in weights)


def test_bf16_computes_nearly_the_same_losses_and_keeps_fp32_weights(config: Config) -> None:
    exact, fast = run(make(config), 1)[0], run(make(config, bf16=True), 1)[0]
    for name in exact:
        assert fast[name] == pytest.approx(exact[name], rel=0.05, abs=0.05), name
    assert {t.dtype for t in make(config, bf16=True).tensors().values()} <= {torch.float32, torch.int64}


@pytest.mark.parametrize("layers", ["dense", "convolution", "blurred", "spectral"])
def test_bf16_copies_follow_the_fp32_weights_and_give_their_gradients(layers: str) -> None:
    torch.manual_seed(0)
    if layers == "dense":  # the large layer in bf16, the small one shared
        network = torch.nn.Sequential(torch.nn.Linear(300, 128), torch.nn.ELU(), torch.nn.Linear(128, 5))
        x = torch.randn(16, 300)
    elif layers == "blurred":  # as the decoder's above 32 pixels are
        network = torch.nn.Sequential(*[module(TransposedConvolution(4, 4, smooth=1)) for _ in range(2)])
        x = torch.randn(16, 4, 5, 5)
    elif layers == "spectral":  # as somebody's own may be
        network = torch.nn.Sequential(spectral_norm(torch.nn.Conv2d(1, 8, 4)), torch.nn.Flatten(), torch.nn.Linear(8 * 49, 5))
        x = torch.randn(16, 1, 10, 10)
    else:
        network = torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, 4, 2, 1), torch.nn.ELU(), torch.nn.BatchNorm2d(8), torch.nn.Flatten(), torch.nn.Linear(200, 5)
        )
        x = torch.randn(16, 1, 10, 10)
    compute, exact = Compute(network, bf16=True), copy.deepcopy(network)
    for _ in range(3):  # weights move between the steps: the copies must follow
        out = compute.begin()(x).float()
        expected = exact(x)
        assert not torch.equal(out, expected)  # it did compute in bf16
        torch.testing.assert_close(out, expected, rtol=0.05, atol=0.05)
        for parameter in [*network.parameters(), *exact.parameters()]:
            parameter.grad = None
        out.square().sum().backward()
        compute.collect()
        expected.square().sum().backward()
        for mine, theirs in zip(network.parameters(), exact.parameters(), strict=True):
            assert mine.grad.dtype == torch.float32
            torch.testing.assert_close(mine.grad, theirs.grad, rtol=0.1, atol=0.05 * float(theirs.grad.abs().max()))
            with torch.no_grad():
                mine.add_(0.01)
                theirs.add_(0.01)


def test_golden_first_losses(tiny) -> None:
    """A refactoring must give these; a change of the mathematics must change them knowingly."""
    first = {name: run(make(tiny(name)), 1)[0] for name in FAMILIES}
    assert first["mlp-ae"]["loss_nats"] == pytest.approx(GOLDEN["mlp-ae"], rel=1e-4)
    assert first["conv-vae"]["loss_nats"] == pytest.approx(GOLDEN["conv-vae"], rel=1e-4)
    assert first["sn-gan"]["discriminator_loss"] == pytest.approx(GOLDEN["sn-gan"], rel=1e-4)
    assert first["conv-gan"]["discriminator_loss"] == pytest.approx(GOLDEN["conv-gan"], rel=1e-4)


GOLDEN = {"mlp-ae": 6.208908, "conv-vae": 100.34799, "sn-gan": 1.9830693, "conv-gan": 1.4046185}


def test_r1_comes_every_few_steps_for_all_of_them_and_at_the_first_of_several_updates(tiny) -> None:
    def norms(**changes) -> list[float]:
        return [losses["discriminator_gradient_norm"] for losses in run(make(tiny("art-gan", **changes)), 3)]

    without, every = norms(r1_weight=0.0), norms(r1_weight=1e4)
    assert without[1] == norms(r1_weight=0.0, r1_steps=1)[1]
    assert every[0] != without[0]
    rare, often = make(tiny("art-gan", r1_weight=2.0, r1_steps=8)), make(tiny("art-gan", r1_weight=16.0, r1_steps=1))
    first = images(rare.images_per_step)
    assert rare._penalty(to_unit(first), None, None, None) == often._penalty(to_unit(first), None, None, None)
    moved = run(often, 1), run(rare, 1)
    assert moved[0] == moved[1]  # one penalty of eight steps weighs as much as eight times the weight at one
    between, other = snapshot(rare), make(tiny("art-gan", r1_weight=0.0))
    other.load_tensors(between)
    assert run(rare, 1, start=1) == run(other, 1, start=1)  # and in between there is none


PAIRED = {
    "loss": "relativistic",
    "label_smoothing": 1.0,
    "r1_weight": 0.1,
    "r2_weight": 0.2,
    "gradient_penalty": 0.3,
    "r1_steps": 1,
    "packing": 2,
    "discriminator_normalization": "none",
}


def test_each_penalty_adds_its_own_and_the_paired_game_pairs(tiny) -> None:
    """What the update's loss is made of, computed again from the networks before it."""
    learner = make(tiny("conv-gan", **PAIRED, discriminator_updates=1))
    assert isinstance(learner, GANLearner)
    batch, moment, discriminator = images(learner.images_per_step), Moment(0, 0), learner.networks["discriminator"]
    x, z = learner._real((batch, None), moment, 0)
    fake = learner._made(z)
    share = torch.rand(16, generator=torch_generator("cpu", 0, "penalty", 0, 0))
    pairs = torch.nn.functional.softplus(discriminator(fake) - discriminator(x))
    assert pairs.shape == (8,)  # two images each
    r1, r2 = (r1_penalty(discriminator, at).mean() for at in (x, fake))
    expected = pairs.mean() + 0.05 * r1 + 0.1 * r2 + 0.3 * gradient_penalty(discriminator, x, fake, share).mean()
    told = learner.run_phase("discriminator", batch, moment)
    torch.testing.assert_close(told["discriminator_loss"], expected.detach())
    made = torch.sigmoid(learner.networks["generator"](learner.noise("generator", moment, 1)))
    with torch.no_grad():
        fooled = torch.nn.functional.softplus(discriminator(x) - discriminator(made)).mean()
    told = learner.run_phase("generator", batch, moment)  # of two updates the second is told
    assert float(told["generator_loss"]) != pytest.approx(float(fooled), rel=1e-7)  # its weights moved in between
    first = make(tiny("conv-gan", **PAIRED, discriminator_updates=1, generator_updates=1))
    first.run_phase("discriminator", batch, moment)
    made = torch.sigmoid(first.networks["generator"](first.noise("generator", moment, 0)))
    expected = torch.nn.functional.softplus(first.networks["discriminator"](x) - first.networks["discriminator"](made)).mean()
    torch.testing.assert_close(first.run_phase("generator", batch, moment)["generator_loss"], expected.detach())


def test_a_packed_discriminator_judges_neighbours_together_and_one_image_beside_itself(tiny) -> None:
    learner = make(tiny("conv-gan", packing=2))
    discriminator = learner.networks["discriminator"].eval()
    x = to_unit(images(6))
    together = discriminator(x).detach()
    torch.testing.assert_close(together[1], discriminator(x[2:4])[0])
    assert abs(float(together[1] - discriminator(torch.cat([x[2:3], x[4:5]])).detach()[0])) > 1e-4
    alone = discriminator.alone(x)
    assert alone.shape == (6,)
    assert torch.equal(learner.held_out(images(6), 0, 0)["real_logit"], alone)
    assert discriminator.features(x).shape[0] == 6


def test_both_rates_have_fallen_by_half_after_a_half_life(tiny) -> None:
    """Adam's first update moves each weight by the rate, whatever its gradient."""
    moved = []
    for seen in (0, 100, 300):
        learner = make(tiny("art-gan", rate_halflife_images=100, generator_updates=1, ema_halflife_images=0))
        weights = {f"{of}.{name}": p for of, network in learner.networks.items() for name, p in network.named_parameters()}
        before = {name: weight.detach().clone() for name, weight in weights.items()}
        learner.update(images(learner.images_per_step), Moment(0, seen))
        moved.append({name: float((weight.detach() - before[name]).abs().max()) for name, weight in weights.items()})
    assert len(moved[0]) >= 8
    for name, first in moved[0].items():
        if "discriminator" in name or ".bias" not in name:  # a generator's bias before batch norm has no gradient
            assert [first / moved[1][name], first / moved[2][name]] == pytest.approx([2, 8], rel=0.05), name


def test_augmentation_shifts_and_mirrors_whole_images_and_is_a_function_of_its_source() -> None:
    x = torch.rand(64, 2, 16, 24)

    def moved(seed: int) -> torch.Tensor:
        return shifted_and_mirrored(x, moves(64, 16, 24, torch.Generator().manual_seed(seed)))

    seen = moved(3)
    assert torch.equal(seen, moved(3))
    assert not torch.equal(seen, moved(4))
    padded = torch.nn.functional.pad(x, (3, 3, 2, 2), mode="replicate")
    places = set()
    for original, image in zip(padded, seen, strict=True):
        found = [
            (top, left, mirrored)
            for top in range(5)
            for left in range(7)
            for mirrored in (False, True)
            if torch.equal(original[:, top : top + 16, left : left + 24], image.flip(2) if mirrored else image)
        ]
        assert len(found) == 1  # each is its original, moved by at most 2 down or up, 3 to a side
        places |= set(found)
    assert len(places) > 30


def test_real_and_generated_images_are_augmented_alike_and_each_by_draws_of_its_own(tiny) -> None:
    def seen(name: str, moment: Moment, stream: str) -> torch.Tensor:
        drawn = make(tiny(name))._moves(stream, moment, 0, torch.empty(16, 12, 12, 1))
        return shifted_and_mirrored(x, Moves(*drawn)) if drawn else x

    x = torch.rand(16, 1, 12, 12)
    draws = {(stream, step): seen("art-gan", Moment(step, 0), stream) for stream in ("real", "fake", "generator") for step in (0, 1)}
    assert len({tuple(each.flatten().tolist()) for each in draws.values()}) == 6
    assert torch.equal(draws["real", 0], seen("art-gan", Moment(0, 99), "real"))
    assert seen("conv-gan", Moment(0, 0), "real") is x


@pytest.mark.parametrize("name", ["sn-gan", "conv-gan", "art-gan"])
class TestGan:
    def test_each_half_moves_its_own_network_alone(self, name: str, tiny) -> None:
        learner = make(tiny(name))
        run(learner, 1)
        batch = images(learner.images_per_step)
        for phase, moved in (("discriminator", "discriminator"), ("generator", "generator")):
            before = snapshot(learner)
            learner.run_phase(phase, batch, Moment(1, 16))
            after = snapshot(learner)
            changed = {n for n in before if not torch.equal(before[n], after[n])}
            assert changed
            assert all(moved in n for n in changed), changed  # no weight, batch statistic or power iteration of the other
        assert any(n.startswith("average.generator") for n in changed)

    def test_no_gradient_is_left_on_the_frozen_discriminator(self, name: str, tiny) -> None:
        learner = make(tiny(name))
        batch = images(learner.images_per_step)
        learner.update(batch, Moment(0, 0))
        before = [p.grad.clone() for p in learner.networks["discriminator"].parameters() if p.grad is not None]
        learner.run_phase("generator", batch, Moment(1, 16))
        after = [p.grad for p in learner.networks["discriminator"].parameters() if p.grad is not None]
        assert len(before) == len(after)
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
        assert all(p.requires_grad for p in learner.networks["discriminator"].parameters())

    def test_the_halves_use_noise_of_their_own(self, name: str, tiny) -> None:
        learner = make(tiny(name))
        draws = [learner.noise(stream, Moment(step, 0), k) for stream in ("discriminator", "generator") for step in (0, 1) for k in (0, 1)]
        assert len({tuple(d.flatten().tolist()) for d in draws}) == len(draws)

    def test_samples_come_from_the_average_in_evaluation_mode(self, name: str, tiny) -> None:
        learner = make(tiny(name))
        run(learner, 3)
        z = torch.from_numpy(latents(4, 3, 0))
        average = copy.deepcopy(learner.averaged["generator"]).eval()
        with torch.no_grad():
            expected = torch.sigmoid(average(z)).permute(0, 2, 3, 1).mul(255).round().to(torch.uint8)
        assert torch.equal(learner.decode(z), expected)
        assert not all(torch.equal(a, b) for a, b in zip(average.parameters(), learner.networks["generator"].parameters(), strict=True))

    def test_updates_per_step_are_counted(self, name: str, tiny) -> None:
        learner = make(tiny(name, **{"train.generator_updates": 3, "train.discriminator_updates": 2}))
        assert learner.images_per_step == 32
        run(learner, 2)
        steps = {n: float(v) for n, v in learner.tensors().items() if n.endswith("step")}
        assert {v for n, v in steps.items() if n.startswith("adam.generator")} == {6.0}
        assert {v for n, v in steps.items() if n.startswith("adam.discriminator")} == {4.0}

    def test_learning_rates_are_apart(self, name: str, tiny) -> None:
        learner = make(tiny(name, **{"train.generator_learning_rate": 1e-5, "train.discriminator_learning_rate": 2e-3}))
        assert learner.generator_adam.learning_rate == 1e-5
        learner.set("generator_learning_rate", 3e-4)
        assert (learner.generator_adam.learning_rate, learner.discriminator_adam.learning_rate) == (3e-4, 2e-3)


def test_spectral_norm_holds_every_layer_to_one(tiny) -> None:
    learner = make(tiny("sn-gan"))
    run(learner, 30)
    discriminator = learner.networks["discriminator"].train()
    for _ in range(100):  # the estimate follows the weights by one power iteration an update: let it catch up
        discriminator(torch.zeros(2, 1, 12, 12))
    for layer in discriminator.eval().modules():
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1.0, abs=0.05)


def test_beta_warms_up_in_absolute_steps(tiny) -> None:
    learner = make(tiny("conv-vae", **{"train.beta": 2.0}))
    assert [learner.beta_at(step) for step in (0, 3, 9, 90)] == [0.0, pytest.approx(2 / 3), 2.0, 2.0]
    first = run(learner, 1)[0]
    assert first["loss_nats"] == pytest.approx(first["reconstruction_nats"], rel=1e-6)


def test_held_out_elbo_is_sampled_complete_and_independent_of_batching(tiny) -> None:
    learner = make(tiny("conv-vae"))
    run(learner, 5)
    held = images(20, seed=9)
    whole = learner.held_out(held, 0, 0)
    parts = [learner.held_out(held[a : a + 7], 0, a) for a in (0, 7, 14)]
    for name, values in whole.items():
        torch.testing.assert_close(values, torch.cat([p[name] for p in parts]), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(whole["loss_nats"], whole["reconstruction_nats"] + whole["kl_nats"])
    assert not torch.equal(whole["reconstruction_nats"], learner.held_out(held, 1, 0)["reconstruction_nats"])  # z is drawn, not the mean


def test_adam_is_torch_s_own() -> None:
    torch.manual_seed(0)
    mine, theirs = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    theirs.load_state_dict(mine.state_dict())
    train = AutoencoderTrain(adam_beta1=0.5, adam_beta2=0.99)
    ours, reference = Adam(list(mine.named_parameters()), 3e-3, train), torch.optim.Adam(theirs.parameters(), 3e-3, (0.5, 0.99))
    for step in range(7):
        x = torch.randn(5, 3)
        for network in (mine, theirs):
            network.zero_grad()
            (network(x).square().sum() * (step + 1)).backward()
        ours.step()
        reference.step()
    for a, b in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)
    assert {float(v) for k, v in ours.tensors().items() if k.endswith("step")} == {7.0}


def test_an_average_is_the_recurrence_and_takes_buffers_along() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    average = Average(network, halflife_images=100)
    expected = {k: v.clone().double() for k, v in network.state_dict().items()}
    seen = 0
    for step in range(5):
        with torch.no_grad():
            for p in network.parameters():
                p.add_(step + 1.0)
        network(torch.randn(4, 2) + step)
        seen += 50
        average.update(step + 1, 50, seen)
        decay = 0.5 ** (50 / min(100, 0.1 * seen))
        for k, v in network.state_dict().items():
            expected[k] = decay * expected[k] + (1 - decay) * v.double() if v.is_floating_point() else v.double()
    for k, v in average.network.state_dict().items():
        torch.testing.assert_close(v.double(), expected[k], rtol=1e-5, atol=1e-6)


def test_an_autoencoder_samples_from_the_gaussian_of_its_codes(tiny) -> None:
    learner = make(tiny("mlp-ae"))
    run(learner, 20)
    batch = images(500, seed=3)
    learner.prepare_sampling(batch)
    codes, _ = learner.encode(batch)
    drawn = learner.code_from_normal(torch.from_numpy(latents(50_000, 3, 0)))
    torch.testing.assert_close(drawn.mean(0), codes.mean(0), atol=0.03, rtol=0.05)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(codes.T), atol=0.03, rtol=0.08)


def test_a_decoder_becomes_a_generator_with_its_weights(tiny) -> None:
    changes = {"model.hidden": (16,), "model.channels": (4, 8), "model.latent_dim": 3, "model.activation": "elu"}
    vae, gan = make(tiny("conv-vae", **changes)), make(tiny("sn-gan", **changes))
    gan.networks["generator"].load_state_dict(vae.networks["decoder"].state_dict())
    z = torch.from_numpy(latents(4, 3, 0))
    assert type(vae.networks["decoder"]) is type(gan.networks["generator"])
    assert torch.equal(vae.networks["decoder"](z), gan.networks["generator"](z))


def test_a_frozen_generator_stays_while_the_discriminator_learns(tiny) -> None:
    config = tiny("conv-gan", **{"train.generator_frozen_images": 3 * 32})  # 2 discriminator updates of 16: 32 images a step
    learner = make(config)
    before = snapshot(learner)
    rows = run(learner, 3)
    after = snapshot(learner)
    for name in before:
        held = name.startswith(("generator.", "average.generator.", "adam.generator."))
        if held:
            assert torch.equal(before[name], after[name]), name
    assert not torch.equal(before["discriminator.layers.0.weight"], after["discriminator.layers.0.weight"])
    assert all(row["gradient_norm"] > 0 and math.isfinite(row["generator_loss"]) for row in rows)
    run(learner, 1, start=3)
    assert not torch.equal(before["generator.layers.0.weight"], snapshot(learner)["generator.layers.0.weight"])

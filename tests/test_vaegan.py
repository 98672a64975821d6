"""VAE-GAN (Larsen et al. 2016): each network learns from its own loss, computed here again from the paper."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import TINY
from test_learners import CPU, SHAPE, images, snapshot
from torch.nn import functional as F

import latentlab as ll
from latentlab.base.errors import LabError
from latentlab.models import build
from latentlab.models.learner import Moment
from latentlab.models.vae import VAELearner
from latentlab.models.vaegan import VAEGANLearner
from latentlab.runs.diagnosis import Diagnosis
from latentlab.runs.diagnosis.sight import facts_of

PLAIN = {"discriminator_normalization": "none", "beta": 0.7, "feature_weight": 0.3}


def learner_of(tiny, **changes) -> VAEGANLearner:
    learner = build(tiny("vae-gan", **PLAIN | changes), SHAPE, CPU, False)
    assert isinstance(learner, VAEGANLearner)
    return learner


def published(learner: VAEGANLearner, batch: torch.Tensor) -> dict[str, torch.Tensor]:
    """What each network minimises, by the networks' layers and the noise of the first step alone."""
    encoder, decoder, discriminator = (learner.networks[name].layers for name in ("encoder", "decoder", "discriminator"))
    x, epsilon, prior = learner._inputs(batch, Moment(0, 0), None)
    mean, log_var = encoder(x).chunk(2, 1)
    again, made = (decoder(z).sigmoid() for z in (mean + (0.5 * log_var).exp() * epsilon, prior))
    real_f, again_f, made_f = (discriminator[:-1](2 * each - 1) for each in (x, again, made))
    real, again_d, made_d = (discriminator[-1](f)[:, 0] for f in (real_f, again_f, made_f))
    features = 0.5 * (real_f - again_f).square().sum(1).mean()
    kl = -0.5 * (1 + log_var - mean.square() - log_var.exp()).sum(1).mean()

    def crossed(logits: torch.Tensor, is_real: float) -> torch.Tensor:
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, is_real))

    return {
        "discriminator": crossed(real, 1.0) + 0.5 * crossed(again_d, 0.0) + 0.5 * crossed(made_d, 0.0),
        "encoder": 0.7 * kl + features,
        "decoder": 0.3 * features + 0.5 * crossed(again_d, 1.0) + 0.5 * crossed(made_d, 1.0),
    }


@pytest.mark.parametrize("phase", VAEGANLearner.phases)
def test_a_network_has_the_gradient_of_its_own_loss_and_the_others_stay(phase: str, tiny) -> None:
    learner = learner_of(tiny)
    batch, named = images(learner.images_per_step, 3), list(learner.networks[phase].parameters())
    expected = torch.autograd.grad(published(learner, batch)[phase], named)
    loss, before = float(published(learner, batch)[phase].detach()), snapshot(learner)
    told = learner.run_phase(phase, batch, Moment(0, 0))
    assert float(told[f"{phase}_loss"]) == pytest.approx(loss, rel=1e-5)
    for parameter, gradient in zip(named, expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-4, atol=1e-6)
    moved = {name for name, value in learner.tensors().items() if not torch.equal(value, before[name])}
    assert {name.removeprefix("adam.").split(".")[0] for name in moved if not name.startswith("average")} == {phase}


def test_what_is_told_of_pixels_is_the_bound_of_a_vae(tiny) -> None:
    """Of the same encoder, decoder and noise: nothing of the discriminator is in it."""
    learner = learner_of(tiny)
    plain = build(tiny("vae-gan", discriminator_channels=()), SHAPE, CPU, False)
    assert type(plain) is VAELearner
    for name, network in plain.networks.items():
        network.load_state_dict(learner.networks[name].state_dict())
    batch = images(learner.images_per_step, 3)
    with torch.no_grad():
        of_pixels, of_vae = learner.after_phase("encoder", batch, Moment(0, 0)), plain.after_phase("elbo", batch, Moment(0, 0))
    for name in ("reconstruction_nats", "kl_nats"):
        assert float(of_pixels[name]) == pytest.approx(float(of_vae[name]), rel=1e-6)
    assert float(of_pixels["loss_nats"]) == pytest.approx(float(of_vae["reconstruction_nats"] + of_vae["kl_nats"]), rel=1e-6)


def test_one_rate_moves_all_three(tiny) -> None:
    learner = learner_of(tiny)
    learner.set("learning_rate", 0.0)
    before = {name: value.clone() for name, value in learner.tensors().items() if not name.startswith(("adam", "average"))}
    learner.update(images(learner.images_per_step), Moment(0, 0))
    assert all(torch.equal(value, learner.tensors()[name]) for name, value in before.items())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"likelihood": "logistic"}, "model.likelihood must be bernoulli"),
        ({"importance_samples": 5}, "train.importance_samples must be 1 with a discriminator"),
        ({"engine": "keras"}, "model.discriminator_channels must be left empty"),
        ({"data": "ring"}, "model.discriminator_channels must be"),
        ({"patience_evaluations": 3}, "train.patience_evaluations must be 0 with a discriminator"),
        ({"discriminator_channels": (), "discriminator_hidden": (64,)}, "model.discriminator_hidden must be left at its default"),
        ({"discriminator_channels": (), "feature_weight": 7.0}, "train.feature_weight must be left at its default"),
        ({"discriminator_blocks": 1}, "model.discriminator_blocks must be 0 with spectral"),
    ],
)
def test_what_a_discriminator_does_not_go_with(changes, told) -> None:
    with pytest.raises(LabError) as refused:
        ll.preset("vae-gan", **changes)
    assert told in str(refused.value)


def test_colours_are_measured_with_the_best_scale_and_a_class_reaches_both_networks(tiny) -> None:
    learner = build(tiny("vae-gan", likelihood="gaussian-optimal", conditional=True, classes=4), (12, 12, 3), CPU, False)
    batch, labels = images(learner.images_per_step, 3).expand(-1, -1, -1, 3), torch.eye(4).repeat(learner.images_per_step // 4, 1)
    other = learner.after_phase("decoder", batch, Moment(0, 0), labels.roll(1, 1))
    assert float(learner.after_phase("decoder", batch, Moment(0, 0), labels)["decoder_loss"]) != float(other["decoder_loss"])
    (name,) = (name for name in learner.tensors() if name.startswith("decoder") and name.endswith("log_scale"))
    before = snapshot(learner)[name]
    learner.update(batch, Moment(0, 0), labels)
    assert not torch.equal(before, learner.tensors()[name])


def test_a_discriminator_that_wins_is_seen_and_pixels_that_get_worse_are_no_over_fitting(tiny) -> None:
    config, environment = tiny("vae-gan"), {"images": {"train": 600}}
    won = {"discriminator_loss": 1e-6, "real_logit": 40.0, "fake_logit": -40.0, "gradient_norm": 1.0, "loss_nats": 90.0, "kl_nats": 20.0}
    seen = Diagnosis(facts_of(config, environment))
    plain = Diagnosis(facts_of(config.replace(discriminator_channels=()), environment))
    for step in range(1, 200):
        place = {"step": step, "epoch": step / 10}
        for each in (seen, plain):
            each.add(place | {"split": "train"} | won)
            if step % 10 == 1:  # far above what is learned from, and rising
                each.add(place | {"split": "val", "loss_nats": 300.0 if step == 1 else 150.0 + step, "active_units": 9})
    keys = {name: {finding.key for finding in each.findings()} for name, each in (("seen", seen), ("plain", plain))}
    assert "discriminator_wins" in keys["seen"]
    assert "over_fitting" not in keys["seen"]
    assert keys["plain"] == {"over_fitting"}


def test_networks_start_from_those_of_a_run_of_the_same_kind_alone(tiny, tmp_path: Path) -> None:
    run = ll.train(tiny("conv-vae", **TINY | {"train.steps": 2, "model.binarization": "none"}), tmp_path / "plain")
    with pytest.raises(LabError, match="must be a run of a VAE with a discriminator"):
        ll.train("vae-gan", tmp_path / "judged", init_from=str(run.path))
    judged = ll.train(tiny("vae-gan", **TINY | {"train.steps": 2}), tmp_path / "gan")
    with pytest.raises(LabError, match="must be a run of a VAE without a discriminator"):
        ll.train("conv-vae", tmp_path / "other", init_from=str(judged.path))

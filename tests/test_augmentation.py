"""What a GAN's discriminator is shown: each change on known images, its derivative, and of how many images it is made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import FAMILIES, TINY
from torch import Tensor

import latentlab as ll
from latentlab.config.parts import GANTrain
from latentlab.models import build
from latentlab.models.augmentation import Augmentation, Moves, cut_out, moves, recoloured, shifted_and_mirrored
from latentlab.models.gan import GANLearner
from latentlab.models.learner import Moment
from latentlab.models.nets import to_unit

CPU = torch.device("cpu")
HALF = torch.full((2,), 0.5)  # the number that changes nothing


def augmentation(kind: str = "diffaugment", strength: str = "fixed") -> Augmentation:
    return Augmentation(GANTrain(augmentation=kind, augmentation_strength=strength))  # type: ignore[arg-type]


def source(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_each_change_of_colour_on_a_known_image() -> None:
    """A pixel (0.2, 0.4, 0.9), whose grey is 0.5, beside a grey one of 0.1: the image's mean is 0.3."""
    x = torch.tensor([[0.2, 0.1], [0.4, 0.1], [0.9, 0.1]]).reshape(1, 3, 1, 2).expand(2, 3, 1, 2)
    ends = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(recoloured(x, HALF, HALF, HALF), x)
    torch.testing.assert_close(recoloured(x, ends, HALF, HALF), torch.stack([x[0] - 0.25, x[0] + 0.25]))
    grey, twice = recoloured(x, HALF, ends, HALF)[:, :, 0]
    torch.testing.assert_close(grey, torch.tensor([0.5, 0.1]).expand(3, 2))
    torch.testing.assert_close(twice, torch.tensor([[-0.1, 0.1], [0.3, 0.1], [1.3, 0.1]]))
    torch.testing.assert_close(recoloured(x, HALF, HALF, ends), 0.3 + torch.tensor([0.5, 1.5])[:, None, None, None] * (x - 0.3))
    one = x[:, :1]
    torch.testing.assert_close(recoloured(one, HALF, ends, HALF), one)  # a grey image has no saturation


def test_the_colours_are_the_published_ones_of_the_range_from_minus_1() -> None:
    """Zhao et al. 2020, DiffAugment_pytorch.py: rand_brightness, rand_saturation and rand_contrast of 2x − 1."""
    x, drawn = torch.rand(5, 3, 6, 4), torch.rand(3, 5)
    brightness, saturation, contrast = drawn[:, :, None, None, None]
    y = 2 * x - 1 + (brightness - 0.5)
    y = (y - y.mean(1, keepdim=True)) * (saturation * 2) + y.mean(1, keepdim=True)
    y = (y - y.mean((1, 2, 3), keepdim=True)) * (contrast + 0.5) + y.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(recoloured(x, *drawn), (y + 1) / 2)


@pytest.mark.parametrize(
    ("top", "left", "rows", "columns"), [(4, 6, (2, 6), (3, 9)), (0, 0, (0, 2), (0, 3)), (8, 12, (6, 8), (9, 12)), (1, 12, (0, 3), (9, 12))]
)
def test_a_square_of_half_the_sides_is_cut_out_wherever_its_middle_lies(
    top: int, left: int, rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    x = torch.rand(1, 2, 8, 12)
    expected = x.clone()
    expected[:, :, slice(*rows), slice(*columns)] = 0.5
    assert torch.equal(cut_out(x, torch.tensor([top]), torch.tensor([left])), expected)


@pytest.mark.parametrize("side", [8, 9, 10, 11])
def test_middles_lie_from_one_border_to_the_other_and_every_image_loses_a_part(side: int) -> None:
    drawn = augmentation().drawn(500, side, side, source(0))
    tops, x = drawn[6], torch.ones(500, 1, side, side)
    assert int(tops.min()) == 0
    assert int(tops.max()) == side - (side + 1) // 2 % 2  # the published offsets
    cut = (cut_out(x, *drawn[6:8]) == 0.5).flatten(1).sum(1)
    assert int(cut.min()) >= ((side + 1) // 4) ** 2
    assert int(cut.max()) == ((side + 1) // 2) ** 2


def test_shift_and_mirror_are_bit_for_bit_what_they_were_and_come_first() -> None:
    x = torch.rand(32, 3, 16, 24)
    plain, whole = augmentation("shift-mirror"), augmentation()
    drawn = plain.drawn(32, 16, 24, source(3))
    assert all(map(torch.equal, drawn, moves(32, 16, 24, source(3))))
    assert torch.equal(plain.shown(x, *drawn), shifted_and_mirrored(x, Moves(*drawn)))
    more = whole.drawn(32, 16, 24, source(3))
    assert all(map(torch.equal, drawn, more[:3]))
    expected = cut_out(shifted_and_mirrored(recoloured(x, *more[3:6]), Moves(*drawn)), *more[6:])
    assert torch.equal(whole.shown(x, *more), expected)
    assert augmentation("none").drawn(32, 16, 24, source(3)) == ()
    assert augmentation("none").shown(x) is x


@pytest.mark.parametrize("strength", ["fixed", "adaptive"])
def test_what_is_shown_is_differentiable_and_each_image_s_own(strength: str) -> None:
    """So that a generator learns through it, and shards cut a batch by row."""
    augment, x = augmentation(strength=strength), torch.rand(6, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    augment.probability.fill_(0.5)
    drawn = augment.drawn(6, 5, 7, source(1))
    assert torch.autograd.gradcheck(lambda x: augment.shown(x, *drawn), x)
    whole = augment.shown(x, *drawn)
    for rows in (slice(0, 2), slice(2, 6)):
        assert torch.equal(augment.shown(x[rows], *(each[rows] for each in drawn)), whole[rows])
    assert all(map(torch.equal, drawn, augment.drawn(6, 5, 7, source(1))))


def test_the_share_rises_and_falls_to_its_bounds() -> None:
    augment = augmentation(strength="adaptive")
    high, low = torch.tensor(0.9), torch.tensor(0.2)
    assert float(augment.adapt(low, 64)) == 0.0
    assert [round(float(augment.adapt(sign, 500)), 6) for sign in (high, high, low, high)] == [0.005, 0.01, 0.005, 0.01]
    for _ in range(300):
        augment.adapt(high, 500)
    assert float(augment.probability) == pytest.approx(0.8)
    for _ in range(300):
        augment.adapt(low, 500)
    assert float(augment.probability) == 0.0


def test_so_large_a_share_of_the_images_is_changed_and_the_others_are_not() -> None:
    augment, x = augmentation(strength="adaptive"), torch.rand(2000, 1, 8, 8)
    for share in (0.0, 0.3):
        augment.probability.fill_(share)
        drawn = augment.drawn(2000, 8, 8, source(0))
        changed = (augment.shown(x, *drawn) != x).flatten(1).any(1)
        assert torch.equal(changed, drawn[-1])
        assert float(changed.float().mean()) == pytest.approx(share, abs=0.04)


def learner(tiny, name: str, **changes: object) -> GANLearner:
    made = build(tiny(name, **changes), (12, 12, 1), CPU, False)
    assert isinstance(made, GANLearner)
    return made


def images(count: int) -> Tensor:
    return torch.randint(0, 256, (count, 12, 12, 1), dtype=torch.uint8, generator=source(5))


@pytest.mark.parametrize(("name", "loss"), [("sn-gan", "hinge"), ("sn-gan", "wasserstein"), ("robust-gan", "relativistic")])
def test_the_share_follows_the_logits_of_the_batch(name: str, loss: str, tiny) -> None:
    """The sign on real images; where only differences of logits mean anything, of how far they lie above generated ones."""
    free = {"discriminator_normalization": "none", "gradient_penalty": float(loss == "wasserstein")}
    form = free | {"loss": loss, "augmentation": "diffaugment", "augmentation_strength": "adaptive"}
    gan = learner(tiny, name, **form)
    gan.augment.probability.fill_(0.4)
    moment, batch = Moment(0, 0), images(16)
    drawn = gan._moves("real", moment, 0, batch)
    assert 0 < int(drawn[-1].sum()) < 16
    discriminator = gan.networks["discriminator"]
    x = gan.augment.shown(to_unit(batch), *drawn)
    z, *changes = gan._fakes("discriminator", "fake", moment, 0, (batch, None))
    fake = gan.augment.shown(torch.sigmoid(gan.networks["generator"](z)), *changes)
    for parameter in list(discriminator.parameters())[-1:]:
        parameter.data += 5.0  # every logit is positive: a constant says nothing where differences count
    with torch.no_grad():
        real_logit, fake_logit = discriminator(x), discriminator(fake)
    assert bool((real_logit > 0).all())
    expected = 1.0 if loss == "hinge" else float((real_logit - fake_logit).sign().mean())
    told = gan.run_phase("discriminator", batch, moment)
    assert float(told["real_sign"]) == pytest.approx(expected)
    share = 0.4 + 16 / 100_000 * (1 if float(told["real_sign"]) > 0.6 else -1)
    assert float(told["augmentation_probability"]) == pytest.approx(share)
    assert float(gan.tensors()["extra.augmentation_probability"]) == pytest.approx(share)
    other = learner(tiny, name, **form)
    other.load_tensors(gan.tensors())
    assert torch.equal(other.augment.probability, gan.augment.probability)


def test_both_updates_see_changed_images(tiny) -> None:
    """The generator's loss and the discriminator's, computed again of what is shown."""
    gan = learner(tiny, "sn-gan", augmentation="diffaugment", discriminator_normalization="none")
    moment, batch, relu = Moment(3, 48), images(16), torch.nn.functional.relu
    generator, discriminator = gan.networks["generator"], gan.networks["discriminator"]
    real = gan.augment.shown(to_unit(batch), *gan._moves("real", moment, 0, batch))
    z = gan.noise("discriminator", moment, 0)
    fake = gan.augment.shown(torch.sigmoid(generator(z)), *gan._moves("fake", moment, 0, batch))
    expected = (relu(1 - discriminator(real)) + relu(1 + discriminator(fake))).mean()
    torch.testing.assert_close(gan.run_phase("discriminator", batch, moment)["discriminator_loss"], expected.detach())
    z = gan.noise("generator", moment, 0)
    fake = gan.augment.shown(torch.sigmoid(generator(z)), *gan._moves("generator", moment, 0, batch))
    expected = -discriminator(fake).mean()
    torch.testing.assert_close(gan.run_phase("generator", batch, moment)["generator_loss"], expected.detach())


def test_the_share_is_a_metric_and_goes_out_with_the_networks(tmp_path: Path) -> None:
    changes = TINY | FAMILIES["robust-gan"] | {"train.steps": 9}
    list(ll.steps(ll.preset("robust-gan", **changes), tmp_path / "run"))
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    shares = [row["augmentation_probability"] for row in rows if "augmentation_probability" in row]
    assert len(shares) == 3
    assert all(0 <= share <= 9 * 16 / 100_000 for share in shares)
    run = ll.open_run(tmp_path / "run")
    run.export("safetensors", tmp_path / "shared")
    shared = ll.open_run(tmp_path / "shared")
    assert (shared.sample(4) == run.sample(4)).all()
    assert torch.equal(*(each.learner.tensors()["extra.augmentation_probability"] for each in (shared, run)))

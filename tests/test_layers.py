"""Layer descriptions: any size from 8 to 256, grey or RGB, and the torch modules drawn from them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from latentlab.base.errors import LabError
from latentlab.config.layers import BatchDeviation, ResidualBlock, TransposedConvolution, parameter_count, shape_after
from latentlab.config.networks import fit_model, fit_stages, map_sizes, networks, pictures
from latentlab.config.parts import AutoencoderModel, GANModel, VAEModel
from latentlab.config.presets import PRESETS, preset
from latentlab.models.modules import Residual, module
from latentlab.models.nets import Decoder, Discriminator, Encoder, GaussianEncoder, initialized

CLASSES = {"encoder": Encoder, "decoder": Decoder, "generator": Decoder, "discriminator": Discriminator}


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(8, 256),
    depth=st.sampled_from([1, 3]),
    channels=st.sampled_from([(), (4,), (4, 6), (4, 6, 8, 10)]),
    hidden=st.sampled_from([(), (7,), (9, 5)]),
    normalization=st.sampled_from(["none", "batch"]),
    upsampling=st.sampled_from(["free", "smooth"]),
    family=st.sampled_from([AutoencoderModel, VAEModel, GANModel]),
    deviation=st.booleans(),
    as_trained=st.booleans(),
    blocks=st.sampled_from([0, 1, 2]),
)
def test_modules_have_the_described_shapes_and_parameters(
    size, depth, channels, hidden, normalization, upsampling, family, deviation, as_trained, blocks
) -> None:
    about = {"discriminator_deviation": deviation, "discriminator_blocks": 2 - blocks} if family is GANModel else {}
    form = family(
        blocks=blocks, latent_dim=3, channels=channels, hidden=hidden, normalization=normalization, upsampling=upsampling, **about
    )
    model = fit_model(form, (size, size, depth))
    for name, layers in (networks if as_trained else pictures)(model, (size, size, depth)).items():
        outputs = 2 * depth if as_trained and name == "decoder" and depth == 3 and family is VAEModel else depth  # and its scales
        cls = GaussianEncoder if name == "encoder" and family is VAEModel else CLASSES[name]
        network = cls(layers).eval()
        assert sum(p.numel() for p in network.parameters()) == parameter_count(layers)
        backward = name in ("decoder", "generator")
        shape = (3,) if backward else (depth, size, size)
        x = torch.zeros(2, *shape)
        with torch.no_grad():
            out = network(x)
        for layer in layers:
            shape = shape_after(layer, shape)
        assert shape == {"encoder": (6,) if family is VAEModel else (3,), "discriminator": (1,)}.get(name, (outputs, size, size))
        expected = {"encoder": (2, 3), "discriminator": (2,)}.get(name, (2, outputs, size, size))
        assert tuple((out.mean if family is VAEModel and name == "encoder" else out).shape) == expected


@given(st.integers(8, 256), st.sampled_from([(32, 64), (64, 128, 256, 512), (16,)]))
def test_fitted_stages_end_between_2_and_12_pixels_and_fitting_again_changes_nothing(size: int, channels: tuple[int, ...]) -> None:
    fitted = fit_stages(channels, size)
    assert 2 <= map_sizes(fitted, size, size)[-1][0] <= 12
    assert fit_stages(fitted, size) == fitted
    shared = min(len(fitted), len(channels))
    assert fitted[:shared] == channels[:shared]


def test_exact_stages_are_kept_or_refused() -> None:
    model = VAEModel(channels=(4, 4, 4, 4), stages="exact")
    assert fit_model(model, (28, 28, 1)).channels == model.channels
    with pytest.raises(LabError, match=r"model.channels must be at most 3 stages for 8 x 8 images"):
        networks(model, (8, 8, 1))


@pytest.mark.parametrize(
    ("name", "network", "count"),
    [
        ("mlp-ae", "encoder", 784 * 256 + 256 + 256 * 128 + 128 + 128 * 32 + 32),
        ("mlp-ae", "decoder", 32 * 128 + 128 + 128 * 256 + 256 + 256 * 784 + 784),
        ("mlp-vae", "encoder", 784 * 400 + 400 + 2 * (400 * 32 + 32)),
        ("mlp-vae", "decoder", 32 * 400 + 400 + 400 * 784 + 784),
        ("conv-vae", "decoder", 32 * 256 + 256 + 256 * 3136 + 3136 + 64 * 32 * 16 + 32 + 32 * 16 + 1),
        ("conv-gan", "generator", 100 * 12544 + 12544 + 2 * 256 + 256 * 128 * 16 + 128 + 2 * 128 + 128 * 16 + 1),
    ],
)
def test_presets_have_the_networks_that_their_sources_describe(name: str, network: str, count: int) -> None:
    assert parameter_count(networks(preset(name).model, (28, 28, 1))[network]) == count


def test_art_gan_generates_64_by_64_colour_from_256_128_64_32_channels_smoothly() -> None:
    layers = networks(fit_model(preset("art-gan").model, (64, 64, 3)), (64, 64, 3))["generator"]
    stages = [layer for layer in layers if isinstance(layer, TransposedConvolution)]
    assert [stage.inputs for stage in stages] == [256, 128, 64, 32]
    assert layers[-1].outputs == 3
    assert [(stage.learned, stage.kernel) for stage in stages] == [(3, 4)] * 3 + [(4, 6)]


def test_upsampling_is_smooth_by_itself_above_32_pixels_only() -> None:
    for size, expected in ((28, "free"), (32, "free"), (33, "smooth"), (64, "smooth")):
        fitted = fit_model(preset("sn-gan").model, (size, size, 3))
        assert fitted.upsampling == expected
        assert fit_model(fitted, (64, 64, 3)).upsampling == expected  # it is settled once
    assert fit_model(preset("sn-gan", upsampling="free").model, (64, 64, 3)).upsampling == "free"


@pytest.mark.parametrize("extra", [0, 1])
def test_a_smooth_transposed_convolution_is_one_of_its_learned_kernel_followed_by_a_blur(extra: int) -> None:
    torch.manual_seed(0)
    smooth = module(TransposedConvolution(3, 2, output_padding=(extra, extra), smooth=1))
    learned = smooth.parametrizations.weight.original  # [3, 2, 3, 3]
    x = torch.randn(4, 3, 5, 5)
    apart = functional.conv_transpose2d(x, learned, stride=2)  # nothing cut off yet
    blurred = functional.conv2d(functional.pad(apart, (1, 1 + extra, 1, 1 + extra)), torch.ones(2, 1, 2, 2), groups=2)
    torch.testing.assert_close(smooth(x), blurred[..., 1 : 11 + extra, 1 : 11 + extra] + smooth.bias[:, None, None])
    if not extra:  # which is nearest-neighbour enlargement and a convolution
        enlarged = functional.interpolate(x, scale_factor=2, mode="nearest")
        resized = functional.conv2d(enlarged, learned.flip(2, 3).swapaxes(0, 1), smooth.bias, padding=1)
        torch.testing.assert_close(smooth(x), resized)
    flat = smooth(torch.ones(1, 3, 9, 9))[..., 4:-4, 4:-4]
    torch.testing.assert_close(flat, flat[..., :1, :1].expand_as(flat))  # away from the border no pattern


@pytest.mark.parametrize("extra", [0, 1])
def test_the_last_stage_is_a_transposed_convolution_followed_by_the_blur_1_2_1(extra: int) -> None:
    smooth = module(TransposedConvolution(3, 2, kernel=6, padding=2, output_padding=(extra, extra), smooth=2))
    x = torch.randn(4, 3, 5, 5)
    apart = functional.conv_transpose2d(x, smooth.parametrizations.weight.original, stride=2)  # [4, 2, 12, 12]
    box = torch.tensor([1.0, 2.0, 1.0])
    blur = torch.outer(box, box).expand(2, 1, 3, 3) / 4  # of sum 4, as one box of ones
    blurred = functional.conv2d(functional.pad(apart, (2, 2 + extra, 2, 2 + extra)), blur, groups=2)
    torch.testing.assert_close(smooth(x), blurred[..., 2 : 12 + extra, 2 : 12 + extra] + smooth.bias[:, None, None])
    whole = functional.conv2d(functional.pad(apart, (2, 2, 2, 2)), blur, groups=2)  # nothing cut off
    period = (-1.0) ** torch.arange(whole.shape[-1])
    torch.testing.assert_close((whole * period).sum(-1), torch.zeros(4, 2, whole.shape[-2]), atol=1e-4, rtol=0)  # nothing of period 2


def test_a_batchs_deviation_is_a_map_beside_the_others() -> None:
    """Two images that differ by 2 a in one of three maps of 4 places: a mean deviation of a / 3, whatever they have in common."""
    layer, common = module(BatchDeviation()), torch.randn(3, 2, 2)
    x = torch.stack([common, common.clone()])
    x[:, 1] += torch.tensor([0.6, -0.6])[:, None, None]
    out = layer(x)
    assert torch.equal(out[:, :3], x)
    assert torch.allclose(out[:, 3], torch.full((2, 2, 2), 0.2), atol=1e-4)
    alike = common.expand(4, 3, 2, 2).clone().requires_grad_()
    layer(alike).sum().backward()
    assert bool(alike.grad.isfinite().all())
    assert float(layer(alike).detach()[:, 3].max()) == pytest.approx(1e-4)


def test_a_batchs_deviation_stands_before_the_discriminators_dense_layers() -> None:
    layers = networks(GANModel(channels=(4, 8), discriminator_channels=(4, 8), discriminator_deviation=True), (16, 16, 1))["discriminator"]
    assert isinstance(layers[-5], BatchDeviation)
    assert layers[-3].inputs == 9 * 4 * 4


def residual(channels: int, blocks: int = 1) -> nn.Module:
    return module(ResidualBlock(channels, blocks))


def test_a_residual_block_is_three_convolutions_and_a_skip() -> None:
    block, x = residual(3), torch.randn(2, 3, 4, 5)
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    (w1, b1), (w2, b2), (w3, b3) = ((layer.weight.detach(), layer.bias.detach()) for layer in block if isinstance(layer, nn.Conv2d))
    h = torch.einsum("oc,nchw->nohw", w1[:, :, 0, 0], x) + b1[:, None, None]
    h = torch.where(h > 0, h, 0.2 * h)
    wide = functional.pad(h, (1, 1, 1, 1))
    around = torch.stack([wide[:, :, i : i + 4, j : j + 5] for i in range(3) for j in range(3)], 2)  # [N, C, 9, H, W]
    h = torch.einsum("ock,nckhw->nohw", w2.flatten(2), around) + b2[:, None, None]
    h = torch.where(h > 0, h, 0.2 * h)
    torch.testing.assert_close(block(x), x + torch.einsum("oc,nchw->nohw", w3[:, :, 0, 0], h) + b3[:, None, None])


def test_a_fresh_residual_block_is_its_skip_and_the_smaller_the_more_there_are() -> None:
    x = torch.randn(2, 64, 4, 4)
    for blocks in (1, 16):
        block = residual(64, blocks)
        assert torch.equal(block(x), x)
        first, second, last = (layer for layer in block if isinstance(layer, nn.Conv2d))
        gain = (2 / 1.04) ** 0.5 / blocks**0.25
        assert float(first.weight.detach().std()) == pytest.approx(gain / 8, rel=0.05)
        assert float(second.weight.detach().std()) == pytest.approx(gain / 24, rel=0.05)
        assert not any(bool(layer.bias.any()) for layer in (first, second, last))
    network = Decoder(networks(GANModel(channels=(8, 16), blocks=2), (28, 28, 1))["generator"])
    kept = [p.clone() for block in network.modules() if isinstance(block, Residual) for p in block.parameters()]
    for how in ("xavier", "dcgan"):
        inner = [p for block in initialized(network, how).modules() if isinstance(block, Residual) for p in block.parameters()]
        assert len(inner) == 4 * 6
        assert all(map(torch.equal, inner, kept)), how  # an initialisation leaves them alone


def test_residual_blocks_stand_at_every_map_between_the_stages() -> None:
    model = GANModel(channels=(8, 16), hidden=(), blocks=2, discriminator_channels=(4, 8, 12), discriminator_blocks=1)
    made = networks(model, (32, 32, 3))
    blocks = {name: [layer for layer in layers if isinstance(layer, ResidualBlock)] for name, layers in made.items()}
    assert blocks["generator"] == [ResidualBlock(16, 4)] * 2 + [ResidualBlock(8, 4)] * 2
    assert blocks["discriminator"] == [ResidualBlock(4, 3), ResidualBlock(8, 3), ResidualBlock(12, 3)]
    plain = networks(replace(model, blocks=0, discriminator_blocks=0), (32, 32, 3))
    for name, layers in made.items():
        assert tuple(layer for layer in layers if not isinstance(layer, ResidualBlock)) == plain[name]


def test_the_lab_presets_share_one_decoder() -> None:
    decoders = [
        networks(preset(name).model, (28, 28, 1))[part]
        for name, part in (("conv-ae", "decoder"), ("conv-vae", "decoder"), ("sn-gan", "generator"))
    ]
    assert decoders[0] == decoders[1] == decoders[2]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 64, 3), (9, 9, 3), (256, 256, 3)])
def test_every_preset_fits_every_size(name: str, shape: tuple[int, int, int]) -> None:
    model = fit_model(preset(name).model, shape)
    for layers in networks(model, shape).values():
        assert parameter_count(layers) > 0

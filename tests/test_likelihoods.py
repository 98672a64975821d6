"""Likelihoods: each sums or integrates to one, is what torch's own or double precision says, and means what it draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import ContinuousBernoulli, Normal

from latentlab.config import MIXED, PIXELS
from latentlab.models.likelihoods import LEVELS, LIKELIHOODS, logistic_log_probability, with_optimal_scale

BYTES = torch.arange(256)
DISCRETE = [name for name, pixels in PIXELS.items() if not pixels.density and name != "bernoulli"]
DENSITIES = [name for name, pixels in PIXELS.items() if pixels.density]


def outputs_of(name: str, channels: int, count: int, seed: int = 0, spread: float = 2.0) -> torch.Tensor:
    """What a decoder might say of one pixel, `count` times: [count, P, 1, 1], double."""
    pixels, generator = PIXELS[name], torch.Generator().manual_seed(seed)
    parts = [spread * torch.randn(count, pixels.outputs(channels), 1, 1, generator=generator, dtype=torch.float64)]
    if pixels.scale != "none":
        parts.append(torch.randn(count, channels, 1, 1, generator=generator, dtype=torch.float64) - 2.0)
    return torch.cat(parts, 1)


@pytest.mark.parametrize("name", DISCRETE)
def test_a_probability_of_bytes_sums_to_one(name: str) -> None:
    outputs = outputs_of(name, 1, 20).repeat_interleave(256, 0)
    x = (BYTES.double() / 255).repeat(20).view(-1, 1, 1, 1)
    total = (-LIKELIHOODS[name].nats(outputs, x)).exp().view(20, 256).sum(1)
    torch.testing.assert_close(total, torch.ones(20).double(), rtol=1e-9, atol=0)


def test_a_mixture_over_two_channels_sums_to_one_over_both() -> None:
    a, b = torch.meshgrid(BYTES, BYTES, indexing="ij")
    x = torch.stack([a.flatten(), b.flatten()], 1).double().view(-1, 2, 1, 1) / 255
    outputs = outputs_of("logistic-mixture", 2, 1).expand(len(x), -1, 1, 1)
    probability = (-LIKELIHOODS["logistic-mixture"].nats(outputs, x)).exp()
    assert probability.sum().item() == pytest.approx(1.0, rel=1e-9)
    alone = probability.view(256, 256).sum(1)[:, None] * probability.view(256, 256).sum(0)
    assert (alone - probability.view(256, 256)).abs().max() > 1e-4  # one component makes both channels


@pytest.mark.parametrize("name", DENSITIES)
def test_a_density_integrates_to_one_over_the_reals_it_is_of(name: str) -> None:
    """In nats of bytes it is 1 / 256 of itself; a Gaussian has all reals, a continuous Bernoulli those from 0 to 1."""
    outputs = outputs_of(name, 1, 12)
    at, width = np.polynomial.legendre.leggauss(4_000)
    low, high = (0.0, 1.0) if name == "continuous-bernoulli" else (-4.0, 5.0)
    x = torch.from_numpy(low + (high - low) * (at + 1) / 2).view(-1, 1, 1, 1)
    for each in outputs:
        density = LEVELS * (-LIKELIHOODS[name].nats(each.expand(len(x), *each.shape), x)).exp()
        assert float(density @ torch.from_numpy(width)) * (high - low) / 2 == pytest.approx(1.0, rel=1e-6)


def test_densities_are_torchs_own() -> None:
    x = torch.rand(50, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    logits, scale = outputs_of("gaussian", 3, 50).expand(50, 6, 2, 2).chunk(2, 1)
    expected = -Normal(logits.sigmoid(), scale.exp()).log_prob(x).flatten(1).sum(1) + x[0].numel() * math.log(256)
    torch.testing.assert_close(LIKELIHOODS["gaussian"].nats(torch.cat([logits, scale], 1), x), expected)
    far = logits[logits.abs().flatten(1).min(1).values > 0.6][:10]  # torch's own Taylor form loses digits near 0
    expected = -ContinuousBernoulli(logits=far).log_prob(x[:10]).flatten(1).sum(1) + x[0].numel() * math.log(256)
    torch.testing.assert_close(LIKELIHOODS["continuous-bernoulli"].nats(far, x[:10]), expected, rtol=1e-6, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(logit=st.floats(-60, 60), name=st.sampled_from(["value", "slope"]))
def test_the_continuous_bernoulli_is_as_good_in_single_precision(logit: float, name: str) -> None:
    def of(dtype: torch.dtype) -> float:
        given = torch.full((1, 1, 1, 1), logit, dtype=dtype, requires_grad=True)
        nats = LIKELIHOODS["continuous-bernoulli"].nats(given, torch.full_like(given, 0.25)).sum()
        (slope,) = torch.autograd.grad(nats, given)
        return (nats.detach() if name == "value" else slope).item()

    assert of(torch.float32) == pytest.approx(of(torch.float64), rel=2e-5, abs=2e-6)


def test_the_continuous_bernoullis_mean_is_the_slope_of_its_normaliser() -> None:
    logits = torch.cat([torch.linspace(-80, 80, 401), torch.linspace(-0.7, 0.7, 101)]).double().view(-1, 1, 1, 1).requires_grad_()
    nats = LIKELIHOODS["continuous-bernoulli"].nats(logits, torch.zeros_like(logits))  # A(η)
    (slope,) = torch.autograd.grad(nats.sum(), logits)
    torch.testing.assert_close(LIKELIHOODS["continuous-bernoulli"].mean(logits.detach()), slope, rtol=1e-6, atol=1e-7)
    single = LIKELIHOODS["continuous-bernoulli"].mean(logits.detach().float())
    torch.testing.assert_close(single.double(), slope, rtol=3e-6, atol=3e-7)


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255])
@pytest.mark.parametrize("log_scale", [-12.0, -5.0, 0.0, 6.0])
def test_a_level_of_a_logistic_keeps_its_digits_and_a_finite_slope(value: int, log_scale: float) -> None:
    """Against the plain difference of two sigmoids in double precision, where that has digits; finite everywhere."""
    x, location = torch.tensor([value / 255]), torch.tensor([0.4], requires_grad=True)
    scale = torch.tensor([log_scale], requires_grad=True)
    found = logistic_log_probability(location, scale, x)
    slopes = torch.autograd.grad(found.sum(), [location, scale])
    assert all(torch.isfinite(each).all() for each in (found, *slopes))
    slope = math.exp(-log_scale)
    ends = [slope * (value / 255 + side - 0.4) for side in (0.5 / 255, -0.5 / 255)]
    upper, lower = (1 / (1 + math.exp(-min(max(end, -700), 700))) for end in ends)
    plain = (1.0 if value == 255 else upper) - (0.0 if value == 0 else lower)
    if plain > 1e-9:
        assert found.item() == pytest.approx(math.log(plain), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("name", [name for name in PIXELS if name != "bernoulli"])
def test_the_mean_is_that_of_the_distribution(name: str) -> None:
    """Of bytes: what their tails' cut takes away is small where the scale is."""
    outputs = outputs_of(name, 1, 8, spread=1.0)
    if PIXELS[name].scale != "none":
        outputs[:, 1] = -5.0
    if name == "logistic-mixture":
        outputs[:, -MIXED:] = -3.0
    if PIXELS[name].density:
        at, width = np.polynomial.legendre.leggauss(4_000)
        x, weight = torch.from_numpy((at + 1) / 2), LEVELS * torch.from_numpy(width) / 2
    else:
        x, weight = BYTES.double() / 255, torch.ones(256).double()
    for each in outputs:
        p = (-LIKELIHOODS[name].nats(each.expand(len(x), *each.shape), x.view(-1, 1, 1, 1))).exp() * weight
        mean = LIKELIHOODS[name].mean(each[None].float()).item()
        assert mean == pytest.approx(float((p * x).sum() / p.sum()), abs=2e-3)


def test_the_optimal_scale_is_the_one_of_most_probability() -> None:
    torch.manual_seed(0)
    logits, x = torch.randn(6, 3, 4, 4).double(), torch.rand(6, 3, 4, 4).double()
    settled = with_optimal_scale(torch.cat([logits, torch.zeros_like(logits)], 1), x)
    best = LIKELIHOODS["gaussian"].nats(settled, x).mean()
    for channel in range(3):
        for step in (-0.01, 0.01):
            other: Any = settled.clone()
            other[:, 3 + channel] += step
            assert LIKELIHOODS["gaussian"].nats(other, x).mean() > best
    flat = torch.full((1, 2, 1, 1), 0.0)
    assert torch.isfinite(LIKELIHOODS["gaussian"].nats(with_optimal_scale(flat, torch.full((1, 1, 1, 1), 0.5)), torch.tensor(0.5)))

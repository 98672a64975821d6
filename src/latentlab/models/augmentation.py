"""What the discriminator is shown of images, real and generated alike. Axes: N images, C channels, H height, W width.

Everything is differentiable, so that the generator learns through it (Zhao et al. 2020, DiffAugment). All that is drawn is drawn
for the whole batch, a number for each image, so that shards cut it by row.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from latentlab.config.parts import GANTrain

GREY = 0.5  # what stands in its place; 0 in the published range of [-1, 1]
TARGET = 0.6  # of the mean sign of logits on real images: above it the discriminator overfits (Karras et al. 2020, section 3)
ADAPTED_IMAGES = 100_000  # in which the share could rise from 0 to 1; published are 500,000, for runs of 25 million
LARGEST_SHARE = 0.8  # above it augmentations begin to be learned by the generator (Karras et al. 2020, section 2.2)


class Augmentation:
    """How `train.augmentation` changes the images of a batch: all of them, or a share that adapts to the discriminator."""

    def __init__(self, train: GANTrain) -> None:
        self.shifts, self.recolours = train.augmentation != "none", train.augmentation == "diffaugment"
        self.adapts = train.augmentation_strength == "adaptive"
        self.probability = torch.zeros(())

    def drawn(self, count: int, height: int, width: int, source: torch.Generator) -> tuple[Tensor, ...]:
        """What is done to each image, [N] each; nothing where they are shown as they are."""
        if not self.shifts:
            return ()
        numbers: tuple[Tensor, ...] = moves(count, height, width, source)
        if self.recolours:
            numbers += tuple(torch.rand(3, count, generator=source))
            numbers += tuple(torch.randint(0, side + 1 - cut_side(side) % 2, (count,), generator=source) for side in (height, width))
        return (*numbers, torch.rand(count, generator=source) < self.probability) if self.adapts else numbers

    def shown(self, x: Tensor, *drawn: Tensor) -> Tensor:
        """Images [N, C, H, W] in [0, 1] as what was drawn says."""
        if not drawn:
            return x
        changed = recoloured(x, *drawn[3:6]) if self.recolours else x
        changed = shifted_and_mirrored(changed, Moves(*drawn[:3]))
        changed = cut_out(changed, *drawn[6:8]) if self.recolours else changed
        return torch.where(drawn[-1].to(x.device)[:, None, None, None], changed, x) if self.adapts else changed

    def adapt(self, sign: Tensor, images: int) -> Tensor:
        """The share of images that is changed from now on, after an update on so many real ones, of the mean sign of their logits."""
        self.probability += torch.sign(sign.to(self.probability) - TARGET) * (images / ADAPTED_IMAGES)
        return self.probability.clamp_(0.0, LARGEST_SHARE).clone()


def cut_side(side: int) -> int:
    """How much of a side is cut out: half of it."""
    return (side + 1) // 2


def recoloured(x: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Images [N, C, H, W] in [0, 1] in other colours, by three numbers in [0, 1) for each, [N] (Zhao et al. 2020).

    A quarter darker to a quarter brighter; then 0 to 2 times as far from each pixel's grey, and 0.5 to 1.5 times from the image's mean.
    """
    brightness, saturation, contrast = (each.to(x.device)[:, None, None, None] for each in (brightness, saturation, contrast))
    x = x + 0.5 * (brightness - 0.5)
    if x.shape[1] > 1:
        grey = x.mean(1, keepdim=True)
        x = grey + 2.0 * saturation * (x - grey)
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (contrast + 0.5) * (x - mean)


def cut_out(x: Tensor, tops: Tensor, lefts: Tensor) -> Tensor:
    """Images [N, C, H, W] with a rectangle of half their sides made grey, as far as it lies in the image (Zhao et al. 2020).

    Its middle lies anywhere, [N]: row `tops` and column `lefts`, 0 to H and to W.
    """
    inside = []
    for side, middle in zip(x.shape[2:], (tops, lefts), strict=True):
        length = cut_side(side)
        away = torch.arange(side, device=x.device) - middle.to(x.device)[:, None] + length // 2  # [N, side]
        inside.append((away >= 0) & (away < length))
    rows, columns = inside
    return x.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], GREY)


SHIFT_SHARE = 8  # of the side: the longest shift is an eighth (Zhao et al. 2020, DiffAugment)


class Moves(NamedTuple):
    """How far each of N images is moved, from 0 to twice the longest shift, and which are mirrored after that."""

    tops: Tensor  # [N]
    lefts: Tensor  # [N]
    mirrored: Tensor  # [N]


def moves(count: int, height: int, width: int, source: torch.Generator) -> Moves:
    """Moves by up to an eighth of the sides to either side; half of the images are mirrored."""
    tops, lefts = (torch.randint(0, 2 * (side // SHIFT_SHARE) + 1, (count,), generator=source) for side in (height, width))
    return Moves(tops, lefts, torch.rand(count, generator=source) < 0.5)


def shifted_and_mirrored(x: Tensor, drawn: Moves) -> Tensor:
    """Each image of [N, C, H, W] moved by up to an eighth of its sides, its edges repeated, and half of them mirrored."""
    _, _, height, width = x.shape
    down, right = height // SHIFT_SHARE, width // SHIFT_SHARE
    padded = F.pad(x, (right, right, down, down), mode="replicate").unbind()
    places = zip(padded, drawn.tops.tolist(), drawn.lefts.tolist(), strict=True)
    moved = torch.stack([image[:, y : y + height, x : x + width] for image, y, x in places])
    return torch.where(drawn.mirrored.to(x.device)[:, None, None, None], moved.flip(3), moved)

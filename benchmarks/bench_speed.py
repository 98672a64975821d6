"""How fast an epoch of `mlp-vae` (latent 20, batch 128, MNIST's 55,000) is beside the usual PyTorch script's, in one run.

The usual script decodes each image by itself through Pillow in a DataLoader, uses probabilities with
`binary_cross_entropy`, eager Adam in fp32, and reads the loss back at every step. Each runs in a process of its own, and
their epochs are timed in turns, so that a machine that slows down slows both; the ratio is of the medians. Target: 5 with bf16 in
hardware, 3 in fp32.

Run: LATENTLAB_DATA=… python benchmarks/bench_speed.py [--epochs N]
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
import torch
from common import Served, in_turns, report
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

import latentlab as ll
from latentlab.base import core_count
from latentlab.base.machine import has_fast_bf16, keep_freed_memory
from latentlab.data import batch_indices
from latentlab.models import build
from latentlab.models.learner import Moment

BATCH, LATENT = 128, 20


class PlainImages(Dataset[tuple[torch.Tensor, int]]):
    """An image at a time: bytes → Pillow → float tensor, as the usual data set and its ToTensor do."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = torch.from_numpy(images[..., 0]), torch.from_numpy(labels)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = Image.fromarray(self.images[index].numpy())
        array = torch.from_numpy(np.array(image, np.uint8, copy=True)).view(28, 28, 1)
        return array.permute(2, 0, 1).contiguous().to(torch.float32).div(255), int(self.labels[index])


class PlainVAE(nn.Module):
    """784-400-(20, 20) and 20-400-784."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.mean, self.log_var = nn.Linear(784, 400), nn.Linear(400, LATENT), nn.Linear(400, LATENT)
        self.up, self.leave = nn.Linear(LATENT, 400), nn.Linear(400, 784)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        h = F.relu(self.enter(x.view(-1, 784)))
        mean, log_var = self.mean(h), self.log_var(h)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        return torch.sigmoid(self.leave(F.relu(self.up(z)))), mean, log_var


class Plain:
    """The usual script."""

    def __init__(self, data: ll.Data) -> None:
        torch.manual_seed(0)
        self.model = PlainVAE()
        self.adam = torch.optim.Adam(self.model.parameters(), 1e-3)
        self.loader = DataLoader(PlainImages(data.train.images, data.train.labels), batch_size=BATCH, shuffle=True)

    def epoch(self) -> float:
        """Seconds of an epoch."""
        started, total = time.perf_counter(), 0.0
        for x, _ in self.loader:
            self.adam.zero_grad()
            reconstruction, mean, log_var = self.model(x)
            loss = F.binary_cross_entropy(reconstruction, x.view(-1, 784), reduction="sum")
            loss = loss - 0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp())
            loss.backward()
            total += loss.item()
            self.adam.step()
        return time.perf_counter() - started


class Ours:
    """latentlab's learner and feed, as the loop drives them."""

    def __init__(self, data: ll.Data, bf16: bool) -> None:
        self.data, self.step = data, 0
        self.learner = build(ll.preset("mlp-vae", latent_dim=LATENT), data.shape, torch.device("cpu"), bf16)

    def epoch(self) -> float:
        """Seconds of an epoch."""
        started, size = time.perf_counter(), len(self.data.train)
        for _ in range(-(-size // BATCH)):
            position = self.step * BATCH
            images = torch.from_numpy(self.data.train.take(batch_indices(0, position, BATCH, size)))
            self.learner.update(images, Moment(self.step, position))
            self.step += 1
        return time.perf_counter() - started


def serve(name: str) -> None:
    """A process of its own for each script, as its user would run it: an epoch for every line on stdin."""
    torch.set_num_threads(core_count())
    data = ll.load_data("mnist")
    if name != "plain":
        keep_freed_memory()  # as the loop does
    run = Plain(data) if name == "plain" else Ours(data, name == "bf16")
    print("ready", flush=True)
    for _ in sys.stdin:
        print(run.epoch(), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--serve")
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return
    names = ["plain", "fp32"] + (["bf16"] if has_fast_bf16(torch.device("cpu")) else [])
    medians = in_turns({name: Served(__file__, name) for name in names}, options.epochs)
    for name, target in (("fp32", 3.0), ("bf16", 5.0)):
        if name in medians:
            ratio = medians["plain"] / medians[name]
            report(f"speed of an epoch against the plain script, {name}", ratio, "times", f"≥ {target:g}", at_least=target)
    report("seconds of an epoch", medians, "s")


if __name__ == "__main__":
    main()

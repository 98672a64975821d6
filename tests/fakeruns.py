"""Run folders as training leaves them, made in a moment: by hand, or of networks that were not trained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import latentlab as ll
from latentlab.base.images import grid, interleave, save_png
from latentlab.base.texts import Phrase
from latentlab.config.fitting import fitted
from latentlab.config.presets import preset
from latentlab.measure.compare import comparison
from latentlab.models import build
from latentlab.models.learner import encode
from latentlab.runs.checkpoints import save
from latentlab.runs.folder import RunFolder
from latentlab.show.figures import latent, style
from latentlab.train.recorder import Recorder

PRESETS = {"ae": "conv-ae", "vae": "conv-vae", "gan": "sn-gan", "gan-from-vae": "gan-from-vae"}
NAMES = [str(digit) for digit in range(10)]
LATENT = 4  # of an untrained run
FLOOR = {"extractor": Phrase("extractor.classifier"), "count": 180, "floor": -1.5, "low": -4.0, "high": 1.0}
KID_TOLD = Phrase("card.kid", FLOOR)  # what `View.kid_told` says beside a KID


@contextmanager
def coarse_figures() -> Iterator[None]:
    """Figures of few pixels and a hasty t-SNE, for tests of anything else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style, "DPI", 45)
        patch.setattr(latent, "TSNE_ITERATIONS", 250)
        yield


def blobs(count: int, seed: int = 0, channels: int = 1, width: float = 3.0) -> np.ndarray:
    """Soft discs at random places, uint8 [count, 16, 16, channels]; a smaller `width` makes sharper edges."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16]
    centres, radii = random.uniform(5, 11, (count, 2)), random.uniform(2, 5, count)
    distance = np.hypot(y - centres[:, :1, None], x - centres[:, 1:, None])
    images = 255 * np.clip((radii[:, None, None] - distance) / width + 0.5, 0, 1)
    return np.repeat(images[..., None], channels, 3).astype(np.uint8)


def fake_run(path: Path, name: str, *, epochs: int = 4, names: list[str] | None = None, channels: int = 1, **changes: Any) -> RunFolder:
    """A finished run of "ae", "vae", "gan" or "gan-from-vae", 10 steps an epoch, measured on 40 test images."""
    names = NAMES if names is None else names
    config = fitted(preset(PRESETS[name], **{"model.upsampling": "free"} | changes), (28, 28, channels))  # settled, as training leaves it
    folder = RunFolder(path)
    path.mkdir(parents=True)
    (path / "config.json").write_text(config.to_json(), encoding="utf-8")
    environment = {
        "latentlab": "0", "torch": "2", "device": "cpu", "threads": 1, "data_fingerprint": "f", "image_shape": [16, 16, channels],
        "images": {"train": 640, "val": 24, "test": 40}, "class_names": names, "parameters": {"decoder": 1234567},
    }  # fmt: skip
    (path / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    (path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in fake_rows(config.family, epochs)), encoding="utf-8")
    for step in (0, 1, *range(10, 10 * epochs + 1, 10)):
        save_png(grid(blobs(64, step, channels), 8), folder.samples / f"step-{step:08d}.png")
        if config.family != "gan":
            shown = [blobs(24, 99, channels), blobs(24, 99, channels, width=8.0)]
            save_png(grid(interleave(shown, 8), 8), folder.reconstructions / f"step-{step:08d}.png")
    if config.family != "gan":
        fake_codes(folder, config.model.latent_dim, config.family == "vae", len(names))
    (path / "scores.json").write_text(json.dumps(fake_scores(config.family, names)), encoding="utf-8")
    return folder


def fake_codes(folder: RunFolder, size: int, spread: bool, classes: int, count: int = 40) -> None:
    """latents.npz with one cluster a class."""
    random = np.random.default_rng(1)
    label = np.arange(count) % classes
    mean = (random.normal(size=(classes, size))[label] * 3 + random.normal(size=(count, size)) * 0.3).astype(np.float32)
    arrays = {"mean": mean, "label": label, "index": np.arange(count)}
    np.savez(folder.path / "latents.npz", **arrays | ({"std": np.full_like(mean, 0.5)} if spread else {}))


def fake_rows(family: str, epochs: int) -> list[dict[str, Any]]:
    """Falling losses, with a null and a request among them."""
    rows: list[dict[str, Any]] = []
    for epoch in range(epochs + 1):
        place = {"step": 10 * epoch, "epoch": float(epoch), "images_seen": 640 * epoch, "seconds": 2.0 * epoch}
        fall = 1 / (1 + epoch)
        if family == "gan":
            rows.append(place | {"split": "val", "real_logit": fall})
            rows.append(
                place | {"split": "train", "generator_loss": fall, "discriminator_loss": 1.0, "real_logit": 1.0, "fake_logit": -1.0}
            )
            continue
        values = {"loss_nats": 100 + 400 * fall} | ({"reconstruction_nats": 90 + 400 * fall, "kl_nats": 10.0} if family == "vae" else {})
        rows.append(place | {"split": "val", "mse": 0.2 * fall} | values)
        rows.append(place | {"split": "train"} | values | {"loss_nats": None if epoch == 1 else values["loss_nats"]})
    rows.append(rows[-1] | {"split": "train", "request": {"id": "x", "action": "pause"}})
    return rows


def fake_scores(family: str, names: list[str]) -> dict[str, Any]:
    """scores.json as an evaluation writes it."""
    real = np.full(len(names), 1 / len(names))
    samples = real * np.linspace(0.5, 1.5, len(names))
    scores: dict[str, Any] = {"class_reverse_kl_nats": {"value": 0.04, "ci95": [0.02, 0.06], "floor": 0.002, "unit": "nats", "n": 2000}}
    if family != "gan":
        scores["reconstruction_mse"] = {"value": 0.005 if family == "ae" else 0.011, "stderr": 0.0004, "unit": "", "n": 40}
    if family == "vae":
        note = {"unit": "nats", "n": 40, "floor": 87.3, "note": "binary cross-entropy on grey pixels: not a likelihood"}
        scores |= {
            "negative_elbo_nats": {"value": 144.6, "stderr": 1.7, **note},
            "kl_nats": {"value": 15.2, "stderr": 0.2, "unit": "nats", "n": 40},
        }
        scores["nll_nats"] = {"value": 139.8, "stderr": 1.6, "k": 500, **note}
    shares = {"names": names, "samples": samples.tolist(), "real": real.tolist(), "n": 2000}
    extractors = {"classifier": {"sha256": "0", "accuracy": 0.972}}
    facts = {"data_fingerprint": "f", "samples": 640, "extractors": extractors}  # as many as the run's training images
    return {"step": 40, "split": "test", "n": 40, **facts, "scores": scores, "class_shares": shares}


def placeholder_figures(folder: RunFolder, lang: str) -> None:
    """Figures of one pixel that a page takes for its own, so that it draws none."""
    folder.figures.mkdir(exist_ok=True)
    facts = PngInfo()
    facts.add_text("Language", lang)
    for name in ("loss.png", "kl.png", "latent.png"):
        Image.new("L", (1, 1)).save(folder.figures / name, pnginfo=facts)


def fake_lab(root: Path, *names: str, drawn: str | None = None, **options: Any) -> tuple[dict[str, RunFolder], dict[str, Any]]:
    """Runs by name, and their comparison; `drawn`: with placeholders for the figures in that language."""
    runs = {name: fake_run(root / name, name, **options) for name in names or PRESETS}
    for folder in runs.values() if drawn else ():
        placeholder_figures(folder, str(drawn))
    return runs, comparison(runs)


def untrained_run(path: Path, preset: str, data: ll.Data, **changes: Any) -> ll.Run:
    """A run folder as a finished training leaves it, of a small network with large random weights: its images move a lot with z."""
    sizes = {"model.hidden": (16,), "model.channels": (4, 8), "model.latent_dim": LATENT, "train.ema_halflife_images": 0}
    config = ll.preset(preset, **sizes | changes)
    folder = RunFolder(path)
    path.mkdir(parents=True)
    (path / "config.json").write_text(config.to_json(), encoding="utf-8")
    environment = {
        "data_fingerprint": data.fingerprint,
        "images": {"train": 1437},
        "image_shape": [28, 28, 1],
        "class_names": [str(digit) for digit in range(10)],
    }
    (path / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    learner = build(config, (28, 28, 1), torch.device("cpu"), bf16=False)
    with torch.no_grad():
        for name, network in learner.averaged.items():
            for weight in network.parameters():
                weight.mul_(1.0 if name == "discriminator" or weight.ndim < 2 else 2.5)
    if config.family != "gan":
        images = data.test.images
        if config.family == "ae":
            learner.prepare_sampling(torch.from_numpy(images))
        Recorder(folder, print).latents(data, lambda held_out, labels: encode(learner, held_out, torch.device("cpu")))
    of_data = {key: environment[key] for key in ("image_shape", "class_names")}
    save(folder.checkpoints, 1, learner.tensors(), {"step": 1, "config_sha256": config.fingerprint()} | of_data)
    return ll.open_run(path)


def untrained_lab(root: Path, **gan: Any) -> dict[str, ll.Run]:
    """The four runs of a lab; both GANs with these changes."""
    data = ll.load_data("digits")
    gan = {"model.discriminator_channels": (4, 8)} | gan
    warm = {"train.generator_from": str(root / "vae"), "train.seed": 4}
    return {
        "ae": untrained_run(root / "ae", "conv-ae", data),
        "vae": untrained_run(root / "vae", "conv-vae", data, **{"train.seed": 1}),
        "gan": untrained_run(root / "gan", "sn-gan", data, **gan),
        "gan-from-vae": untrained_run(root / "gan-from-vae", "gan-from-vae", data, **gan | warm),
    }

"""What conditional models, the bounds of a VAE, and the likelihoods of colour images reach, two cores, nothing else running.

| kind | measured | target |
|---|---|---|
| `conditional-vae` | `conv-vae` by class, β of 4, 3 epochs of MNIST: share of 1,000 samples of each digit read as that digit | ≥ 0.97 |
| | what that β costs: the same, recall and mean squared error, with β of 1 and of 4 | |
| `conditional-gan` | `sn-gan` by class, 360 processor seconds (180 s of two cores): the same | ≥ 0.98 |
| | its Frechet distance, 10,000 samples, MNIST's classifier | ≤ 6 |
| `bounds` | VAE 2 x 200 tanh, latent 50, binarised MNIST, 40 epochs: NLL in nats (k = 1,000, 500 test images) | ≤ 91 |
| | the same networks by the bound of 50 draws, for as long as that took: from the start, and from the VAE of half that time | ≤ the VAE's |
| `colour` | `conv-vae` on colour images of 32 x 32, 10 epochs: bits per dimension, logistic | < each Gaussian's |
| `photographs` | 200 of 64 x 64, 1,200 processor seconds: KID with augmentation, as a share of that without | ≤ 0.7 |
| | of `sn-gan` with DiffAugment and of `art-gan` with its own, shift and mirror | |
| | copies of training photographs, as `bench_art.py` finds them | < 1 % |
| `paintings` | `art-gan` on some 900 of 64 x 64, 1,800 processor seconds: recall | ≥ 0.7 |
| | KID, in thousandths | ≤ 3 |
| | mean pair distance, as a share of the real ones' | 0.92 to 1.08 |

Run: LATENTLAB_DATA=… python benchmarks/bench_models.py KIND … [--folder FOLDER] [--threads 2] [--seed 0]
The last three kinds read images from FOLDER.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path
from typing import Any

from bench_art import copies
from common import report

import latentlab as ll
from latentlab.measure.extractors.networks import classifier_for
from latentlab.measure.metrics.pixels import mean_pair_distance
from latentlab.train.events import Stepped
from latentlab.train.loop import events
from latentlab.train.start import create


def trained(name: str, folder: Path, options: argparse.Namespace, seconds: float | None = None, **changes: Any) -> tuple[ll.Run, float]:
    """A run, stopped after so many seconds of the processor where they are given, and how many it took."""
    if seconds is not None:
        changes |= {"epochs": 1e4, "evaluate_epochs": 1e4}
    session = create(ll.preset(name, **{"threads": options.threads, "seed": options.seed} | changes), folder)
    began = processor_seconds()
    for event in events(session):
        if seconds is not None and isinstance(event, Stepped) and processor_seconds() - began >= seconds:
            break
    return ll.open_run(folder), processor_seconds() - began


def processor_seconds() -> float:
    """Of this process so far, all threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def as_asked(run: ll.Run) -> dict[str, float]:
    """Of 1,000 samples of each digit, the share that MNIST's classifier reads as that digit."""
    classifier = classifier_for(run.data())
    return {str(digit): float((classifier(run.sample(1_000, seed=1, label=digit)).labels == digit).mean()) for digit in range(10)}


def tell_asked(what: str, run: ll.Run, share: float) -> None:
    right = as_asked(run)
    report(f"{what}: 1,000 samples of each digit, read as that digit", right, "", f"≥ {share} each", at_least=share)
    report(f"{what}: the same, all digits", sum(right.values()) / 10, "", f"≥ {share}", at_least=share)


def conditional_vae(scratch: Path, options: argparse.Namespace) -> None:
    for beta in (1.0, 4.0):  # the codes of a class fill the prior less with 1: more draws fall where the decoder never was
        classes: dict[str, Any] = {"data": "mnist", "beta": beta, "model.conditional": True}
        run, _ = trained("conv-vae", scratch / f"{beta:g}", options, epochs=3.0, **classes)
        what = f"conditional conv-vae, β of {beta:g}, 3 epochs of MNIST"
        tell_asked(what, run, 0.97)
        scores = run.evaluate(samples=1_000)["scores"]
        report(f"{what}: recall", scores["recall"]["value"], "")
        report(f"{what}: mean squared error", scores["reconstruction_mse"]["value"], "per pixel")


def conditional_gan(scratch: Path, options: argparse.Namespace) -> None:
    run, _ = trained("sn-gan", scratch / "run", options, 360.0, data="mnist", measure_samples=0, **{"model.conditional": True})
    what = f"conditional sn-gan, 360 processor seconds of MNIST, {run.step:,} steps"
    tell_asked(what, run, 0.98)
    found = run.evaluate(samples=10_000)["scores"]["frechet"]
    report(f"{what}: Frechet distance of 10,000 samples", found["value"], "", "≤ 6", at_most=6.0)
    report("conditional sn-gan: the Frechet distance's floor", found["floor"], "")


def nll(run: ll.Run) -> float:
    """In nats, of 500 test images with 1,000 draws each."""
    return float(run.evaluate(samples=100, nll_samples=1_000, nll_images=500)["scores"]["nll_nats"]["value"])


def bounds(scratch: Path, options: argparse.Namespace) -> None:
    shared: dict[str, Any] = {"data": "mnist", "batch_size": 20, "learning_rate": 1e-3}
    one: dict[str, Any] = shared | {"importance_samples": 1, "rate_decay_images": 40 * 55_000, "evaluate_epochs": 10.0}
    vae, seconds = trained("iwae-1layer", scratch / "vae", options, epochs=40.0, **one)
    reached = nll(vae)
    what = "2 x 200 tanh, latent 50, binarised MNIST"
    report(f"{what}: NLL of a VAE, 40 epochs, batch 20, falling rate", reached, "nats", "≤ 91", at_most=91.0)
    report(f"{what}: processor time of that", seconds, "s")
    whole, _ = trained("iwae-1layer", scratch / "iwae", options, seconds, **shared)
    report(f"{what}: NLL by the bound of 50 draws, as long", nll(whole), "nats", "≤ the VAE's", at_most=reached)
    half, spent = trained("iwae-1layer", scratch / "half", options, epochs=20.0, **one)
    origin: dict[str, Any] = {"init_from": str(half.path), "learning_rate": 5e-4}
    tuned, _ = trained("iwae-1layer", scratch / "tuned", options, seconds - spent, **shared | origin)
    report(f"{what}: NLL by a VAE's 20 epochs, then that bound, as long together", nll(tuned), "nats", "≤ the VAE's", at_most=reached)


def colour(scratch: Path, options: argparse.Namespace) -> None:
    found: dict[str, float] = {}
    for likelihood in ("gaussian", "gaussian-optimal", "gaussian-learned", "logistic", "logistic-mixture"):
        changes: dict[str, Any] = {"data": f"folder:{options.folder.resolve()}", "data.image_size": 32, "model.likelihood": likelihood}
        run, _ = trained("conv-vae", scratch / likelihood, options, epochs=10.0, **changes)
        found[likelihood] = float(run.evaluate(samples=100, nll_samples=100, nll_images=500)["scores"]["bits_per_dim"]["value"])
        held_out = [row["loss_nats"] for row in run.metrics() if row["split"] == "val"]
        report(f"colour images, 32 x 32, {likelihood}: held-out loss of each epoch", dict(enumerate(map(round, held_out), 1)), "nats")
    least = min(value for name, value in found.items() if name.startswith("gaussian"))
    report("colour images, 32 x 32, conv-vae, 10 epochs", found, "bits per dimension")
    report("the same, logistic", found["logistic"], "bits per dimension", "below each Gaussian's", at_most=least)


SMALL: dict[str, Any] = {"data.image_size": 64, "data.channels": "rgb", "measure_samples": 0}


def photographs(scratch: Path, options: argparse.Namespace) -> None:
    data = {"data": f"folder:{options.folder.resolve()}", "data.train_images": 200, "data.val_share": 0.25, "data.test_share": 0.25}
    for preset, changed, named in (("sn-gan", "diffaugment", "DiffAugment"), ("art-gan", "shift-mirror", "augmentation")):
        kid: dict[str, float] = {}
        for augmentation in ("none", changed):
            run, _ = trained(preset, scratch / f"{preset}-{augmentation}", options, 1_200.0, augmentation=augmentation, **data | SMALL)
            fakes, found = run.sample(1_000, seed=1), run.evaluate(samples=1_000)["scores"]
            kid[augmentation] = found["kid"]["value"]
            what = f"{preset} on 200 photographs, {augmentation}, seed {options.seed}, {run.step:,} steps"
            report(f"{what}: KID", {"": kid[augmentation], "of real ones": found["kid"]["floor"]}, "thousandths")
            report(f"{what}: recall", found["recall"]["value"], "")
            report(f"{what}: copies", copies(fakes, run.data().train.images[:]), "% of 1,000 samples", "< 1", at_most=0.999)
        share = kid[changed] / kid["none"]
        report(f"{preset} on 200 photographs, seed {options.seed}: KID with {named}", share, "of that without", "≤ 0.7", at_most=0.7)


def paintings(scratch: Path, options: argparse.Namespace) -> None:
    run, _ = trained("art-gan", scratch / "run", options, 1_800.0, data=f"folder:{options.folder.resolve()}", **SMALL)
    real, scores = run.data().train.images[:], run.evaluate(samples=1_000)["scores"]
    what = f"art-gan on {len(real)} paintings, seed {options.seed}, {run.step:,} steps"
    report(f"{what}: recall", scores["recall"]["value"], "", "≥ 0.7", at_least=0.7)
    report(f"{what}: KID", scores["kid"]["value"], "thousandths", "≤ 3", at_most=3.0)
    pairs = mean_pair_distance(run.sample(1_000, seed=1)) / mean_pair_distance(real)
    report(f"{what}: pair distance", pairs, "of the real ones'", "0.92 to 1.08", at_least=0.92, at_most=1.08)


KINDS = {
    "conditional-vae": conditional_vae,
    "conditional-gan": conditional_gan,
    "bounds": bounds,
    "colour": colour,
    "photographs": photographs,
    "paintings": paintings,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", choices=[*KINDS, []])
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for kind in options.kinds:
        with tempfile.TemporaryDirectory() as scratch:
            KINDS[kind](Path(scratch), options)


if __name__ == "__main__":
    main()

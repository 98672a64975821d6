"""`latentlab experiment NAME`: built experiments of many runs."""

from __future__ import annotations

import sys

from latentlab.cli.parser import Parser, number, whole
from latentlab.errors import LabError, refusal

EXPERIMENTS = {"vae-to-gan": "does a generator gain from starting as a VAE's decoder? (scratch, warm, frozen then released)"}


def command_experiment(arguments: list[str]) -> int:
    """Run a built experiment."""
    parser = Parser(
        "experiment",
        "Run a built experiment; the same command goes on where it was stopped. "
        + "; ".join(f"{name}: {what}" for name, what in EXPERIMENTS.items()),
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one of " + ", ".join(EXPERIMENTS))
    parser.add_argument("--data", default="mnist", metavar="SPEC", help="data set (mnist)")
    parser.add_argument("--data-root", metavar="DIR", help="where named sets lie; default LATENTLAB_DATA, else the cache folder")
    parser.add_argument("--offline", action="store_true", help="never download")
    parser.add_argument("--train-images", metavar="N", help="use only the first N training images")
    parser.add_argument("--seeds", default="5", metavar="N", help="seeds 0 to N − 1 (5); intervals need at least 2")
    parser.add_argument("--epochs", default="10", metavar="X", help="length of each GAN (10); arms are compared at 1, 3 and 10")
    parser.add_argument("--vae-epochs", default="3", metavar="X", help="length of each VAE (3)")
    parser.add_argument("--frozen-epochs", default="1", metavar="X", help="how long the decoder stays frozen in the frozen arm (1)")
    parser.add_argument("--samples", default="2000", metavar="N", help="samples at each point of a curve (2000)")
    parser.add_argument(
        "--full-width", action="store_true", help="the lab's networks, twice as wide as the experiment's: over twice the time"
    )
    parser.add_argument("--out", metavar="DIR", help="where runs and result go; default runs/experiments/NAME")
    parser.add_argument("--jobs", metavar="N", help="runs side by side; default: one for each core")
    parser.add_argument("--fresh", action="store_true", help="start over in a DIR that exists")
    parser.add_argument("--lang", default="en", metavar="en|fr", help="language of the text and the figure (en)")
    found = parser.parse(arguments)
    if found.name is None:
        print("\n".join(f"{name:<12} {what}" for name, what in EXPERIMENTS.items()))
        return 0
    if found.name not in EXPERIMENTS:
        raise refusal("an experiment", "one of " + ", ".join(EXPERIMENTS), found.name)
    if found.lang not in ("en", "fr"):
        raise refusal("--lang", "one of en, fr", found.lang)
    options = {"data.spec": found.data, "data.offline": found.offline} | ({"data.root": found.data_root} if found.data_root else {})
    if found.train_images is not None:
        options["data.train_images"] = whole(found.train_images, "--train-images", 1)
    jobs = whole(found.jobs, "--jobs", 1, 1024) if found.jobs is not None else None
    from latentlab.experiments.vae_to_gan import Plan, run_vae_to_gan
    from latentlab.experiments.vae_to_gan_words import verdict_sentences

    plan = Plan(
        seeds=whole(found.seeds, "--seeds", 1, 1000),
        epochs=number(found.epochs, "--epochs", above=0),
        vae_epochs=number(found.vae_epochs, "--vae-epochs", above=0),
        frozen_epochs=number(found.frozen_epochs, "--frozen-epochs", above=0),
        full_width=found.full_width,
        samples=whole(found.samples, "--samples", 64, 50_000),
    )

    def say(text: str) -> None:
        print(f"latentlab: {text}", file=sys.stderr, flush=True)

    folder = found.out or f"runs/experiments/{found.name}"
    done = run_vae_to_gan(plan, options, folder, jobs=jobs, fresh=found.fresh, lang=found.lang, say=say)
    if done.signal is not None:
        say(f"the experiment was stopped, its runs are saved; the same command goes on in {done.folder}.")
        return 128 + done.signal
    for name, failure in done.failures.items():
        say(f"{done.folder / name} failed: {failure.reason} Its log is {done.folder / name}.log.")
    if done.result is None:
        raise LabError(f"{done.folder} must have every run whole for a verdict, but {len(done.failures)} failed (named above). Try again.")
    print("\n".join([*verdict_sentences(done.result, found.lang), str(done.folder)]))
    return 0

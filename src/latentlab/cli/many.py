"""`latentlab lab`, the main job."""

from __future__ import annotations

import sys

from latentlab.base.errors import LabError, refusal
from latentlab.cli.parser import Parser, add_config_options, config_alternatives, number, whole
from latentlab.config.presets import PRESETS, preset
from latentlab.config.sources import valid


def command_lab(arguments: list[str]) -> int:
    """Train, compare, write lab.html."""
    parser = Parser("lab", "Train an autoencoder, a VAE, a GAN and a GAN that starts as the VAE's decoder; compare them; write lab.html.")
    parser.add_argument("--data", default="digits", metavar="SPEC", help=valid(default="digits"))
    parser.add_argument("--out", default="runs/lab", metavar="DIR", help="where it goes (runs/lab); finished runs in it are kept")
    parser.add_argument("--quick", action="store_true", help="a few steps each, to see that it works")
    parser.add_argument("--fresh", action="store_true", help="start over in a DIR that exists")
    parser.add_argument("--lang", default="en", metavar="en|fr", help="language of the page (en)")
    parser.add_argument("--data-root", metavar="DIR", help="where named sets lie; default LATENTLAB_DATA, else the cache folder")
    parser.add_argument("--offline", action="store_true", help="never download")
    found = parser.parse(arguments)
    if found.lang not in ("en", "fr"):
        raise refusal("--lang", "one of en, fr", found.lang)
    from latentlab.cli.train import follow
    from latentlab.lab.main import run_lab
    from latentlab.measure.compare.tables import table
    from latentlab.train.session import Session

    status = 0

    def train(session: Session) -> bool:
        nonlocal status
        status = follow(session, quiet_path=True)
        return status == 0 and session.is_done()

    done = run_lab(
        found.data,
        found.out,
        quick=found.quick,
        fresh=found.fresh,
        lang=found.lang,
        follow=train,
        say=lambda text: print(f"latentlab: {text}", file=sys.stderr, flush=True),
        root=found.data_root,
        offline=found.offline,
    )
    if done is None:
        print("latentlab: the lab was stopped; the same command goes on where it was.", file=sys.stderr)
        return status
    compared, page = done
    print(table(compared))
    print(page)
    return 0


# `latentlab sweep`: a grid of runs with seeds, ending in one comparison.


def command_sweep(arguments: list[str]) -> int:
    """Train, evaluate and compare a grid."""
    parser = Parser(
        "sweep",
        "Train every combination of the values given, e.g. --latent-dim 2,8,32 --beta 1,4 --seeds 3 (lists: --hidden 400/256,128), "
        "each in a process of its own; evaluate and compare them. The same command goes on where it was stopped. "
        "Every option of `latentlab train` is one of sweep.",
    )
    parser.add_argument("preset", nargs="?", metavar="PRESET", help="one of " + ", ".join(PRESETS))
    parser.add_argument("--out", metavar="DIR", help="where the runs and their comparison go; default runs/sweep-PRESET-NNN")
    parser.add_argument("--seeds", metavar="N", help="seeds 0 to N − 1, or from --seed on")
    parser.add_argument("--jobs", metavar="N", help="runs side by side; default: cores / threads of a run, 1 on a GPU")
    parser.add_argument("--count", metavar="N", help="samples drawn at each evaluation, as `latentlab evaluate --count`")
    parser.add_argument("--nll-samples", metavar="K", help="importance samples of each image for a VAE's NLL, as in `latentlab evaluate`")
    parser.add_argument("--lang", default="en", metavar="en|fr", help="language of the table and the figures (en)")
    add_config_options(parser)
    found = parser.parse(arguments)
    if found.preset is None:
        raise LabError(f"latentlab sweep needs a preset, one of {', '.join(PRESETS)}. Got none. Try `latentlab sweep mlp-vae --seeds 3`.")
    if found.lang not in ("en", "fr"):
        raise refusal("--lang", "one of en, fr", found.lang)
    base = preset(found.preset)
    grid = config_alternatives(found, base)
    if found.seeds is not None:
        first = grid.get("train.seed", [base.train.seed])
        if len(first) > 1:
            raise LabError(f"--seeds and a list for --seed were both given ({found.seeds} and {first}). Leave one out.")
        grid["train.seed"] = list(range(first[0], first[0] + whole(found.seeds, "--seeds", 1, 1000)))
    jobs = whole(found.jobs, "--jobs", 1, 1024) if found.jobs is not None else None
    count = whole(found.count, "--count", 20, 50_000) if found.count is not None else None
    nll_samples = whole(found.nll_samples, "--nll-samples", 0, 10**6) if found.nll_samples is not None else None
    if nll_samples and base.family != "vae":
        raise LabError(f"--nll-samples goes with a VAE; {found.preset} has no likelihood. Leave it out.")
    from latentlab.lab.grid import run_sweep
    from latentlab.measure.compare.tables import markdown

    def say(text: str) -> None:
        print(f"latentlab: {text}", file=sys.stderr, flush=True)

    done = run_sweep(found.preset, grid, out=found.out, jobs=jobs, count=count, nll_samples=nll_samples, lang=found.lang, say=say)
    if done.signal is not None:
        say(f"the sweep was stopped, its runs are saved; the same command goes on in {done.folder}.")
        return 128 + done.signal
    for name, failure in done.failures.items():
        say(f"{done.folder / name} failed: {failure.reason} Its log is {done.folder / name}.log.")
    if done.result is not None:
        print(markdown(done.result, found.lang))
        print(done.folder)
    return 0 if not done.failures else 2 if all(failure.status == 2 for failure in done.failures.values()) else 1


# `latentlab experiment NAME`: built experiments of many runs.

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
    from latentlab.lab.experiments import Plan, run_vae_to_gan
    from latentlab.lab.experiments.results import verdict_sentences

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


# `latentlab compare`: runs side by side, from their folders alone. No torch is loaded.


def command_compare(arguments: list[str]) -> int:
    """Compare runs."""
    parser = Parser(
        "compare",
        "Put evaluated runs side by side: mean and standard deviation over seeds where runs differ in nothing else, "
        "intervals, the floor that real images set. Runs that were not measured alike are refused.",
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="evaluated run folders, or folders with only a scores.json")
    parser.add_argument("--out", required=True, metavar="DIR", help="where comparison.json, comparison.md and comparison.png go")
    parser.add_argument("--lang", default="en", metavar="en|fr", help="language of the table and the figure (en)")
    found = parser.parse(arguments)
    if found.lang not in ("en", "fr"):
        raise refusal("--lang", "one of en, fr", found.lang)
    from latentlab.measure.compare import opened
    from latentlab.measure.compare.tables import markdown
    from latentlab.show.figures.comparison import write_comparison

    compared = write_comparison(found.out, opened(found.runs), found.lang)
    print(markdown(compared, found.lang))
    print(found.out)
    return 0

"""Commands of many runs: lab (the main job), sweep (a grid with seeds), experiment, and compare, which reads their folders alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from latentlab.base.errors import LabError, refusal
from latentlab.cli import main, say
from latentlab.cli.parser import (
    Parser,
    add_config_options,
    add_data,
    add_data_root,
    add_jobs,
    add_lang,
    add_on,
    add_preset,
    add_protocol,
    add_value,
    config_alternatives,
    preset_of,
)
from latentlab.config import EngineName
from latentlab.config.sources import valid
from latentlab.config.variations import variation
from latentlab.lab.pool import opened
from latentlab.runs.folder import run_paths

if TYPE_CHECKING:
    from latentlab.lab.farm import Failure
    from latentlab.train.session import Session

EXPERIMENTS = {"vae-to-gan": "does a generator gain from starting as a VAE's decoder? (scratch, warm, frozen then released)"}


def command_lab(arguments: list[str]) -> int:
    """Train, compare, write lab.html."""
    parser = Parser("lab", "Train an autoencoder, a VAE, a GAN and a GAN that starts as the VAE's decoder; compare them; write lab.html.")
    add_data(parser, valid(default="digits"), "digits")
    parser.add_argument("--out", default="runs/lab", metavar="DIR", help="where it goes (runs/lab); finished runs in it are kept")
    parser.add_argument("--student", metavar="NUMBER", help="a variation of your own: seed, latent size, β and activation follow from it")
    add_value(parser, "--engine", EngineName, "what trains the four (torch)", "torch")
    parser.add_argument("--quick", action="store_true", help="a few steps each, to see that it works")
    parser.add_argument("--fresh", action="store_true", help="start over in a DIR that exists")
    parser.add_argument("--questions", action="store_true", help="also run the questions that were not run yet (about a minute each)")
    add_on(parser)
    add_lang(parser, "language of the page")
    add_data_root(parser)
    options = parser.parse(arguments)
    from latentlab.cli.train import follow
    from latentlab.lab.main import run_lab
    from latentlab.measure.compare.tables import table

    status = 0

    def train(session: Session) -> bool:
        nonlocal status
        status = follow(session, quiet_path=True)
        return status == 0 and session.is_done()

    if options.student is not None:
        own = ", ".join(f"{name} {value}" for name, value in variation(options.student, "vae").items())
        say(f"student {options.student}: {own}. The sheet of answers asks for this number.")
    with opened(options.on, options.ray_address, main) as pool:
        done = run_lab(
            options.data,
            options.out,
            student=options.student,
            quick=options.quick,
            fresh=options.fresh,
            questions=options.questions,
            lang=options.lang,
            engine=options.engine,
            pool=pool if options.on != "here" else None,
            follow=train,
            say=say,
            root=options.data_root,
            offline=options.offline,
        )
    if done is None:
        say("the lab was stopped; the same command goes on where it was.")
        return status
    compared, page = done
    print(table(compared))
    print(page)
    return 0


def command_sweep(arguments: list[str]) -> int:
    """Train, evaluate and compare a grid."""
    parser = Parser(
        "sweep",
        "Train every combination of the values given, e.g. --latent-dim 2,8,32 --beta 1,4 --seeds 3 (lists: --hidden 400/256,128), "
        "each in a process of its own; evaluate and compare them. The same command goes on where it was stopped. "
        "Every option of `latentlab train` is one of sweep.",
    )
    add_preset(parser)
    parser.add_argument("--out", metavar="DIR", help="where the runs and their comparison go; default runs/sweep-PRESET-NNN")
    add_value(parser, "--seeds", int, "seeds 0 to N − 1, or from --seed on", minimum=1, maximum=1000)
    add_value(parser, "--search", Literal["grid", "random"], "every combination, or --trials drawn at random; then also LOW..HIGH", "grid")
    add_value(parser, "--trials", int, "with --search random: combinations that are drawn", minimum=1, maximum=100_000)
    add_value(
        parser,
        "--budget",
        Literal["whole", "halving"],
        "whole: each run has its length; halving: all begin, the better half goes on to twice the length, up to four times",
        "whole",
    )
    add_jobs(parser, "cores / threads of a run, 1 on a GPU")
    add_on(parser)
    add_protocol(
        parser,
        count="samples drawn at each evaluation, as `latentlab evaluate --count`",
        nll_samples="importance samples of each image for a VAE's NLL, as in `latentlab evaluate`",
    )
    add_lang(parser, "language of the table and the figures")
    add_config_options(parser)
    options = parser.parse(arguments)
    base = preset_of(parser, options, "mlp-vae --seeds 3")
    if (options.trials is not None) != (options.search == "random"):
        raise LabError(f"--trials goes with --search random. Got --trials {options.trials} and --search {options.search}. Give both.")
    grid = config_alternatives(options, base, ranges=options.search == "random")
    if options.seeds is not None:
        first = grid.get("train.seed", [base.train.seed])
        if len(first) > 1:
            raise LabError(f"--seeds and a list for --seed were both given ({options.seeds} and {first}). Leave one out.")
        grid["train.seed"] = list(range(first[0], first[0] + options.seeds))
    if options.nll_samples and base.family != "vae":
        raise LabError(f"--nll-samples goes with a VAE; {options.preset} has no likelihood. Leave it out.")
    from latentlab.lab.grid import run_sweep
    from latentlab.measure.compare.tables import markdown

    with opened(options.on, options.ray_address, main, grid.get("train.device", ["auto"])[0]) as pool:
        done = run_sweep(
            options.preset,
            grid,
            out=options.out,
            jobs=options.jobs,
            count=options.count,
            nll_samples=options.nll_samples,
            trials=options.trials,
            halving=options.budget == "halving",
            pool=pool,
            lang=options.lang,
            say=say,
        )
    if done.signal is not None:
        return _stopped("sweep", done.signal, done.folder)
    _say_failures(done.folder, done.failures)
    if done.result is not None:
        print(markdown(done.result, options.lang))
        print(done.folder)
    return 0 if not done.failures else 2 if all(failure.status == 2 for failure in done.failures.values()) else 1


def command_experiment(arguments: list[str]) -> int:
    """Run a built experiment."""
    parser = Parser(
        "experiment",
        "Run a built experiment; the same command goes on where it was stopped. "
        + "; ".join(f"{name}: {what}" for name, what in EXPERIMENTS.items()),
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one of " + ", ".join(EXPERIMENTS))
    add_data(parser, "data set (mnist)", "mnist")
    add_data_root(parser)
    add_value(parser, "--train-images", int, "use only the first N training images", minimum=1)
    add_value(parser, "--seeds", int, "seeds 0 to N − 1 (5); intervals need at least 2", 5, minimum=1, maximum=1000)
    add_value(parser, "--epochs", float, "length of each GAN (10); arms are compared at 1, 3 and 10", 10.0, above=0)
    add_value(parser, "--vae-epochs", float, "length of each VAE (3)", 3.0, above=0)
    add_value(parser, "--frozen-epochs", float, "how long the decoder stays frozen in the frozen arm (1)", 1.0, above=0)
    add_value(parser, "--samples", int, "samples at each point of a curve (2000)", 2000, minimum=64, maximum=50_000)
    parser.add_argument(
        "--full-width", action="store_true", help="the lab's networks, twice as wide as the experiment's: over twice the time"
    )
    parser.add_argument("--out", metavar="DIR", help="where runs and result go; default runs/experiments/NAME")
    add_jobs(parser, "one for each core")
    add_on(parser)
    parser.add_argument("--fresh", action="store_true", help="start over in a DIR that exists")
    add_lang(parser, "language of the text and the figure")
    options = parser.parse(arguments)
    if options.name is None:
        print("\n".join(f"{name:<12} {what}" for name, what in EXPERIMENTS.items()))
        return 0
    if options.name not in EXPERIMENTS:
        raise refusal("an experiment", "one of " + ", ".join(EXPERIMENTS), options.name)
    data = {"data.spec": options.data, "data.offline": options.offline} | ({"data.root": options.data_root} if options.data_root else {})
    if options.train_images is not None:
        data["data.train_images"] = options.train_images
    from latentlab.lab.experiments import Plan, run_vae_to_gan
    from latentlab.lab.experiments.results import verdict_sentences

    plan = Plan(
        seeds=options.seeds,
        epochs=options.epochs,
        vae_epochs=options.vae_epochs,
        frozen_epochs=options.frozen_epochs,
        full_width=options.full_width,
        samples=options.samples,
    )
    folder = options.out or f"runs/experiments/{options.name}"
    with opened(options.on, options.ray_address, main) as pool:
        done = run_vae_to_gan(plan, data, folder, jobs=options.jobs, fresh=options.fresh, pool=pool, lang=options.lang, say=say)
    if done.signal is not None:
        return _stopped("experiment", done.signal, done.folder)
    _say_failures(done.folder, done.failures)
    if done.result is None:
        raise LabError(f"{done.folder} must have every run whole for a verdict, but {len(done.failures)} failed (named above). Try again.")
    print("\n".join([*verdict_sentences(done.result, options.lang), str(done.folder)]))
    return 0


def _stopped(what: str, signal: int, folder: Path) -> int:
    say(f"the {what} was stopped, its runs are saved; the same command goes on in {folder}.")
    return 128 + signal


def _say_failures(folder: Path, failures: Mapping[str, Failure]) -> None:
    for name, failure in failures.items():
        say(f"{folder / name} failed: {failure.reason} Its log is {folder / name}.log.")


def command_compare(arguments: list[str]) -> int:
    """Compare runs. No torch is loaded."""
    parser = Parser(
        "compare",
        "Put evaluated runs side by side: mean and standard deviation over seeds where runs differ in nothing else, "
        "intervals, the floor that real images set. Runs that were not measured alike are refused.",
    )
    parser.add_argument("runs", nargs="*", metavar="RUN", help="evaluated runs, folders that hold some, or folders with only a scores.json")
    parser.add_argument("--out", required=True, metavar="DIR", help="where comparison.json, comparison.md and comparison.png go")
    add_lang(parser, "language of the table and the figure")
    options = parser.parse(arguments)
    from latentlab.measure.compare import opened
    from latentlab.measure.compare.tables import markdown
    from latentlab.show.figures.comparison import write_comparison

    compared = write_comparison(options.out, opened([run for path in options.runs for run in run_paths(path)]), options.lang)
    print(markdown(compared, options.lang))
    print(options.out)
    return 0

"""The main job: AE, VAE, GAN and VAE → GAN with one decoder architecture, trained, measured alike and shown on one page."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import is_full
from latentlab.base.seeding import latents
from latentlab.base.signals import Interrupted, StopFlag
from latentlab.base.texts import number, text
from latentlab.config import EngineName
from latentlab.config.field import ROLES
from latentlab.config.fitting import length_for
from latentlab.config.presets import preset
from latentlab.config.schema import Config
from latentlab.config.sources import of_points
from latentlab.config.variations import student_number, variation
from latentlab.data import Data, load_data
from latentlab.lab.cells import Cell
from latentlab.lab.farm import SPLIT, Evaluation, Machine, refuse_foreign, run_cells, session_of, state
from latentlab.lab.pool import Pool
from latentlab.lab.questions import is_result
from latentlab.lab.questions import run as question
from latentlab.measure.compare import comparison
from latentlab.measure.scores import evaluate_run
from latentlab.models.sampling import corner_sheet, principal_plane
from latentlab.runs.folder import RunFolder, open_folder
from latentlab.show.card import FOLDER, NAMES, found_cards
from latentlab.show.figures import compare_losses, compare_reconstructions, draw_figures, draw_labelled, draw_overview
from latentlab.show.figures.comparison import write_comparison
from latentlab.show.report import write_page
from latentlab.train import Run
from latentlab.train.session import Session
from latentlab.train.start import adopt_decoder, settle

RUNS = ("ae", "vae", "gan", "gan-from-vae")
LATENT_DIM = 32
WALKS, STEPS, SIDE, REACH = 6, 8, 12, 2.0
FULL = Evaluation(nll_samples=100, any_nll=True)  # a convolutional decoder's 500 would take as long as its training
QUICK = Evaluation(200, 20, 50, any_nll=True)  # which only shows that it works
# Of some hundred colour pictures, as `art-gan` has it: on 748 paintings samples then have KID 60 and recall 0.62, else 84 and 0.54.
FEW, AGAINST_FEW = 5_000, {"train.augmentation": "shift-mirror", "train.rate_halflife_images": 28_000, "train.r1_weight": 0.1}
CODER_EPOCHS, GAN_EPOCHS = 10.0, 6.0  # of a large set: to fit 15 minutes on MNIST, 2 cores


def plan(data: Data, config: dict[str, Any], quick: bool, out: Path, student: str | None = None) -> dict[str, Config]:
    """The four configurations, by run name; with a student's number that student's own variation."""

    def length(family: str, epochs: float, batch: int) -> dict[str, Any]:
        return {"train.steps": 30} if quick else length_for(len(data.train), family, epochs, min(batch, len(data.train)))

    own = {family: {} if student is None else variation(student, family) for family in ("ae", "vae", "gan")}
    coder = config | {"model.latent_dim": LATENT_DIM} | length("vae", CODER_EPOCHS, 128)
    gan = config | {"model.latent_dim": LATENT_DIM} | length("gan", GAN_EPOCHS, 64) | own["gan"]
    gan |= AGAINST_FEW if data.shape[2] == 3 and len(data.train) < FEW else {}
    vae = settle(preset("conv-vae", **coder | own["vae"]), data)
    form = {f"model.{n}": getattr(vae.model, n) for n in ("hidden", "channels", "activation", "normalization")}
    cold = settle(preset("sn-gan", **gan | form), data)
    warm = gan | {"train.generator_from": str(out / "vae")} | {f"train.{n}": getattr(cold.train, n) for n in ("batch_size", "threads")}
    return {
        "ae": settle(preset("conv-ae", **coder | own["ae"]), data),
        "vae": vae,
        "gan": cold,
        "gan-from-vae": preset("gan-from-vae", **warm),
    }


def run_lab(
    spec: str = "digits",
    out: str | Path = "runs/lab",
    *,
    student: str | None = None,
    quick: bool = False,
    fresh: bool = False,
    questions: bool = False,
    lang: str = "en",
    engine: EngineName = "torch",
    pool: Pool | None = None,
    follow: Callable[[Session], bool],
    say: Callable[[str], None],
    **data_options: Any,
) -> tuple[dict[str, Any], Path] | None:
    """Train what is missing, evaluate, write comparison.json and lab.html; returns both, or None when it was stopped.

    `follow` trains an opened session to its end and returns False when a signal stopped it; with a `pool` the four train there
    instead, those side by side that wait for no other. With `questions` those of the labs that were not run yet are run into
    runs/questions, each on the embedded digits. `data_options` are fields of the data configuration. In a folder that exists,
    finished runs of the same configuration are kept and unfinished ones resumed; others are refused unless `fresh`. A `student`'s
    number gives a seed, a latent size, a β and an activation of one's own, see `config.variations`; comparison.json and lab.html
    hold it, and lab.html none of this program's answers.
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise refusal("out", "a folder", str(out))
    refuse_foreign(folder)
    if of_points(spec):
        raise refusal("data", "a set of images, which the lab's decoders draw", spec)
    options = {"data.spec": spec, "train.engine": engine} | {f"data.{k}": v for k, v in data_options.items()}
    data = load_data(preset("conv-vae", **options).data)
    cells = [Cell.of(folder / name, config) for name, config in plan(data, options, quick, folder, student).items()]
    if fresh:
        forget(folder)
    for cell in cells:
        refuse_others(cell.path, cell.config)
    for cell in cells if pool is None else ():
        session = session_of(cell)
        if session is None:
            say(f"{cell.name}: finished before, kept.")
        else:
            say(f"{cell.name}: {session.config.preset} on {spec}, {session.total_steps() - session.position.step} steps to go.")
            if not follow(session):
                return None
    if pool is not None:
        _train_in(pool, cells, say)
    for name in NAMES if questions else ():
        if not is_result(FOLDER / name):
            say(f"question {name} …")
            try:  # closed: who has not predicted yet still may
                question(name, lang=lang, closed=True, pool=pool, say=say, **data_options)
            except LabError as error:
                say(f"question {name}: {error}")
    about = {} if student is None else {"student": student_number(student)}
    return finish(folder, cells, data, lang, say, QUICK if quick else FULL, about)


def _train_in(pool: Pool, cells: Sequence[Cell], say: Callable[[str], None]) -> None:
    """Train the runs in a pool, the one that starts from another after that. Raises LabError for a failure, Interrupted for a signal."""
    flag, folder = StopFlag(), cells[0].path.parent
    folder.mkdir(parents=True, exist_ok=True)
    with flag.installed():
        for part in ([cell for cell in cells if not cell.reads], [cell for cell in cells if cell.reads]):
            machine = Machine(len(part), max(int(cell.config.train.threads) for cell in cells), None, pool)
            failures = {} if flag() else run_cells(part, machine, flag, say)
            for name, failure in failures.items():
                raise LabError(f"{folder / name} failed: {failure.reason} The same command tries it again.")
    if flag.signal is not None:
        raise Interrupted(flag.signal, "the lab was stopped; the same command goes on where it was.")


def forget(folder: Path) -> None:
    """Remove what an earlier lab left: its four runs, comparison and page, and nothing else."""
    for name in RUNS:
        if (folder / name / "config.json").is_file():
            shutil.rmtree(folder / name)
    for name in ("comparison.json", "comparison.md", "comparison.png", "lab.html"):
        (folder / name).unlink(missing_ok=True)


def refuse_others(path: Path, wanted: Config) -> None:
    """Raise LabError when `path` holds anything but a run of the wanted configuration."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    there = open_folder(path).config()
    if wanted.preset == "gan-from-vae":
        if not (path.parent / "vae" / "config.json").exists():
            raise LabError(f"{path} started from a VAE that is gone. Give --fresh to start over, or another --out.")
        wanted = adopt_decoder(wanted)
    wanted = wanted.replace(**{"train.threads": there.train.threads})  # of the machine's fields the device alone is compared
    for name, (value, other) in wanted.differs(there, ROLES - {"files", "origin"}).items():
        raise LabError(f"{path} must have {name} {value!r} for this lab. It has {other!r}. Give --fresh to start over, or another --out.")


def finish(
    folder: Path,
    cells: Sequence[Cell],
    data: Data,
    lang: str,
    say: Callable[[str], None],
    evaluation: Evaluation,
    about: dict[str, str],
) -> tuple[dict[str, Any], Path]:
    """Evaluate the four runs, draw what needs a decoder, write comparison.json (with `about`, whose lab it is) and lab.html."""
    folders = {cell.name: RunFolder(cell.path) for cell in cells}
    for cell in cells:
        folders[cell.name].same_images(data)
        run = Run(folders[cell.name])
        if state(cell, evaluation) != "measured":
            say(f"{cell.name}: measuring on the test split …")
            evaluate_run(run, SPLIT, data, **evaluation.arguments())
        try:
            draw_walks(run, data, lang)
            draw_figures(run.folder, lang)
        except OSError as error:
            if not is_full(error):
                raise
            say(f"{cell.name}: the disk is full; its figures could not be drawn.")
    short = {name: text(f"run.{name}.short", lang) for name in folders}
    compared = write_comparison(folder, folders, lang, short, compared=comparison(folders) | about)
    draw_together(folder / "figures", {short[name]: run for name, run in folders.items()}, lang)
    say("writing lab.html …")
    return compared, write_page(folder / "lab.html", folders, compared, lang, cards=found_cards(FOLDER, say=say))


def draw_together(figures: Path, runs: dict[str, RunFolder], lang: str) -> None:
    """The figures of several runs, given by their display names: overview, reconstructions and losses side by side."""
    draw_overview(runs, figures / "overview.png", lang)
    encoders = {name: run for name, run in runs.items() if run.config().family != "gan"}
    compare_reconstructions(encoders, figures / "reconstructions.png", lang)
    ae, vae = (next(run for run in encoders.values() if run.config().family == family) for family in ("ae", "vae"))
    compare_losses(ae, vae, figures / "loss-comparison.png", lang)


def draw_walks(run: Run, data: Data, lang: str) -> None:
    """figures/latent-grid.png and figures/interpolations.png of a run, with where each row and column stands."""
    size, figures = run.config.model.latent_dim, run.folder.figures
    side, way = ([number(float(share), lang, 2) for share in np.linspace(0, 1, steps)] for steps in (SIDE, STEPS))
    down = side
    if run.config.family == "gan":
        codes = corner_sheet(latents(4, size, run.config.train.seed), SIDE)
        rows = [run.interpolate(2 * i, 2 * i + 1, STEPS) for i in range(WALKS)]
    else:
        images = data.test.take(np.arange(min(1000, len(data.test))))
        codes = principal_plane(run.encode(images).mean, SIDE, REACH)
        side = [f"{number(float(at), lang, 1)} σ" for at in np.linspace(-REACH, REACH, SIDE)]
        down = side[::-1]
        rows = [run.interpolate(images[(2 * i) % len(images)], images[(2 * i + 1) % len(images)], STEPS) for i in range(WALKS)]
    ends = [f"{2 * i} → {2 * i + 1}" for i in range(WALKS)]  # seeds, or held-out images
    draw_labelled(run.decode(codes), down, side, figures / "latent-grid.png", lang, gap=0)
    draw_labelled(np.concatenate(rows), ends, way, figures / "interpolations.png", lang)

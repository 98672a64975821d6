"""VAE → GAN: does a generator gain from starting as a VAE's decoder?

Three arms of one architecture and one budget (training images that the GAN reads), seed by seed:

- scratch: `sn-gan`, the generator drawn at random;
- warm: the generator starts as the decoder of that seed's VAE;
- frozen: the same, but the decoder stays as it is while the discriminator learns, and is then released.

The VAE's own samples from the prior are the starting line: they are what the warm arms show at step 0. Every arm of a
seed draws the same z, sees the same images in the same order and meets the same first discriminator, so that their
differences are paired.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentlab.base import core_count
from latentlab.base.errors import Busy, refusal
from latentlab.base.files import replace_json, replace_text
from latentlab.base.machine import fastest_threads
from latentlab.base.signals import StopFlag
from latentlab.data import Data, load_data
from latentlab.lab.cells import Cell
from latentlab.lab.experiments.results import ARMS, gather, panels, write_words
from latentlab.lab.farm import Evaluation, Failure, Machine, Outcome, run_cells, working_in
from latentlab.lab.grid import prepare
from latentlab.lab.pool import Pool
from latentlab.runs.folder import RunFolder
from latentlab.show.figures.painter import draw_panels

LATENT_DIM = 32
# Half the widths of `conv-vae` and `sn-gan`: 20 runs then take two laptop cores about an hour on MNIST instead of two and a half.
HALF = {"model.channels": (16, 32), "model.hidden": (128,)}
HALF_DISCRIMINATOR = {"model.discriminator_channels": (16, 32), "model.discriminator_hidden": (64,)}
MEASURED = 2_000  # samples at each point of a curve
EVALUATIONS = 0.5  # epochs between two points of a curve


@dataclass(frozen=True)
class Plan:
    """What is to be trained: so many seeds, epochs of a GAN and of the VAEs, and epochs for which a decoder is frozen."""

    seeds: int = 5
    epochs: float = 10.0
    vae_epochs: float = 3.0
    frozen_epochs: float = 1.0
    samples: int = MEASURED
    full_width: bool = False

    def __post_init__(self) -> None:
        if not self.frozen_epochs < self.epochs:
            raise refusal("frozen_epochs", f"less than epochs, {self.epochs:g}", self.frozen_epochs)

    def common(self, shared: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """What every run of a seed has."""
        return {**shared, **({} if self.full_width else HALF), "model.latent_dim": LATENT_DIM, "train.seed": seed}

    def vaes(self, shared: Mapping[str, Any], out: Path) -> list[Cell]:
        """The VAE of each seed. `shared` are fields that all runs have, by dotted name."""
        changes = [self.common(shared, seed) | {"train.epochs": self.vae_epochs} for seed in range(self.seeds)]
        return [Cell.planned("conv-vae", f"vae-seed-{seed}", change, out) for seed, change in enumerate(changes)]

    def gans(self, shared: Mapping[str, Any], out: Path, train_images: int) -> list[Cell]:
        """The three arms of each seed; the VAEs must be there."""
        cells = []
        for seed in range(self.seeds):
            common = self.common(shared, seed) | ({} if self.full_width else HALF_DISCRIMINATOR)
            common |= {"train.epochs": self.epochs, "train.evaluate_epochs": EVALUATIONS, "train.measure_samples": self.samples}
            warm = {**common, "train.generator_from": str((out / f"vae-seed-{seed}").resolve())}
            frozen = {**warm, "train.generator_frozen_images": round(self.frozen_epochs * train_images)}
            cells += [
                Cell.planned("sn-gan", f"scratch-seed-{seed}", common, out),
                Cell.planned("gan-from-vae", f"warm-seed-{seed}", warm, out),
                Cell.planned("gan-from-vae", f"frozen-seed-{seed}", frozen, out),
            ]
        return cells


def run_vae_to_gan(
    plan: Plan,
    data_options: Mapping[str, Any],
    out: str | Path,
    *,
    jobs: int | None = None,
    fresh: bool = False,
    pool: Pool | None = None,
    lang: str = "en",
    say: Callable[[str], None],
) -> Outcome:
    """Train what is missing, gather the curves, write experiment.json, experiment.md and figure.png; the same call goes on.

    `data_options` are fields of the data configuration by dotted name. Raises LabError for wrong input, and when `out`
    holds runs of another plan (unless `fresh`).
    """
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise refusal("out", "a folder", str(out))
    pool = pool or Pool()
    jobs = jobs or pool.room(1) or core_count()
    machine = Machine(jobs, 1 if jobs > 1 else fastest_threads(), Evaluation(plan.samples, 0), pool)
    shared = {**data_options, "train.threads": machine.threads}
    vaes = plan.vaes(shared, folder)
    data = load_data(vaes[0].config.data)
    flag = StopFlag()
    with working_in(folder), flag.installed():
        if fresh:
            forget(folder, plan)
        failures = _bring(vaes, data, machine, flag, say)
        if not failures and flag.signal is None:
            failures = _bring(plan.gans(shared, folder, len(data.train)), data, machine, flag, say)
    if failures or flag.signal is not None:
        return Outcome(folder, None, failures, flag.signal)
    return Outcome(folder, finish(folder, plan.seeds, lang), {}, None)


def _bring(cells: list[Cell], data: Data, machine: Machine, flag: StopFlag, say: Callable[[str], None]) -> dict[str, Failure]:
    for cell in cells:
        cell.check(data)
    prepare(data, say)
    return run_cells(cells, machine, flag, say)


def forget(folder: Path, plan: Plan) -> None:
    """Remove the runs of this experiment and nothing else."""
    for arm in ("vae", *ARMS):
        for seed in range(plan.seeds):
            path = folder / f"{arm}-seed-{seed}"
            if RunFolder(path).is_locked():
                raise Busy(f"{path} is being trained by another process. Stop it with `latentlab stop {path}` first.")
            if (path / "config.json").is_file():
                shutil.rmtree(path)


def finish(folder: Path, seeds: int, lang: str) -> dict[str, Any]:
    """experiment.json, experiment.md and figure.png from runs that are whole."""
    result = gather(folder, seeds)
    replace_json(folder / "experiment.json", result)
    replace_text(folder / "experiment.md", write_words(result, lang))
    draw_panels(panels(result), folder / "figure.png", lang)
    return result

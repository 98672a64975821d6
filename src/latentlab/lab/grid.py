"""Grids of runs: every combination of some fields' values, with several seeds, side by side in processes of their own.

alternatives → `cells` → `run_cells` (train, resume, evaluate: whatever each lacks) → comparison.* and by-FIELD.png.
All that a sweep knows lies in its folder, so that the same command goes on after any end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from latentlab.base import core_count
from latentlab.base.files import read_json_or_nothing, replace_json
from latentlab.base.machine import fastest_threads, pick_device
from latentlab.base.signals import StopFlag
from latentlab.base.texts import text
from latentlab.config.parts import every_field
from latentlab.data import Data, load_data
from latentlab.lab.cells import Cell, cells, plain, refuse_lists
from latentlab.lab.farm import Evaluation, Failure, Machine, Outcome, run_cells, state, working_in
from latentlab.measure.compare import comparison
from latentlab.measure.compare.tables import provenance
from latentlab.measure.extractors.networks import classifier_for
from latentlab.runs.folder import RunFolder
from latentlab.show.figures.comparison import write_comparison
from latentlab.show.figures.swept import draw_swept


def run_sweep(
    preset: str,
    alternatives: Mapping[str, Sequence[Any]],
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    count: int | None = None,
    nll_samples: int | None = None,
    lang: str = "en",
    say: Callable[[str], None],
) -> Outcome:
    """Train, evaluate and compare every combination of `alternatives` (field by dotted name → its values) of a preset.

    `jobs` processes run side by side (by default as many as the cores hold); `count` samples and `nll_samples` importance
    samples an image are drawn at each evaluation (by default as many as `latentlab evaluate` draws).
    Everything is checked before anything starts: LabError for a wrong value, for runs of another configuration in `out`,
    for a folder that another sweep works in.
    """
    grid = {name: list(values) for name, values in alternatives.items()}
    refuse_lists(grid)
    folder = Path(out) if out is not None else _default_folder(preset, grid)
    machine = _machine(grid, jobs, Evaluation(count, nll_samples))
    planned = cells(preset, grid | {"train.threads": [machine.threads]}, folder)
    data = load_data(planned[0].config.data)
    for cell in planned:
        cell.check(data)
    with working_in(folder):
        replace_json(folder / "sweep.json", _asked(preset, grid))
        prepare(data, say)
        flag = StopFlag()
        with flag.installed():
            failures = run_cells(planned, machine, flag, say)
        if flag.signal is not None:
            return Outcome(folder, None, failures, flag.signal)
        measured = [cell for cell in planned if state(cell, machine.evaluation) == "measured"]
        compared = finish(folder, measured, grid, machine, failures, lang) if measured else None
    return Outcome(folder, compared, failures, None)


def _machine(grid: Mapping[str, Sequence[Any]], jobs: int | None, evaluation: Evaluation) -> Machine:
    """How many runs go side by side, and each one's threads: one each where several share the cores.

    On a GPU runs follow each other unless `jobs` says otherwise: its memory is no number of cores.
    """
    runs = math.prod(map(len, grid.values()))
    accelerated = pick_device(grid.get("train.device", ["auto"])[0]).type != "cpu"
    given = grid.get("train.threads", [None])[0]
    if given is not None:
        threads = fastest_threads() if given == "auto" else int(given)
        jobs = jobs or (1 if accelerated else max(1, core_count() // threads))
        return Machine(min(jobs, runs), threads, evaluation)
    jobs = min(jobs or (1 if accelerated else core_count()), runs)
    return Machine(jobs, 1 if jobs > 1 else fastest_threads(), evaluation)


def _asked(preset: str, grid: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """sweep.json: what was asked for."""
    return {"preset": preset, "alternatives": {name: [plain(value) for value in values] for name, values in grid.items()}}


def _default_folder(preset: str, grid: Mapping[str, Sequence[Any]]) -> Path:
    """runs/sweep-PRESET-NNN: the newest of the same sweep that was not finished, else the first free number."""
    stem = f"sweep-{preset}-"
    numbered = sorted((int(path.name[len(stem) :]), path) for path in Path("runs").glob(stem + "*") if path.name[len(stem) :].isdigit())
    for _, path in reversed(numbered):
        if read_json_or_nothing(path / "sweep.json") == _asked(preset, grid) and not _is_whole(path):
            return path
    return Path("runs") / f"{stem}{(numbered[-1][0] if numbered else 0) + 1:03d}"


def _is_whole(folder: Path) -> bool:
    """Whether a sweep came to its end with nothing failed."""
    compared = read_json_or_nothing(folder / "comparison.json")
    return bool(compared) and not compared.get("failed")


def prepare(data: Data, say: Callable[[str], None]) -> None:
    """Train the classifier that looks at labelled samples, once, before processes would each train their own."""
    if data.labelled and data.class_names is not None:
        say("the classifier that will look at samples: from the cache, or trained now …")
        classifier_for(data)


def finish(
    folder: Path, measured: Sequence[Cell], grid: Mapping[str, Sequence[Any]], machine: Machine, failures: Mapping[str, Failure], lang: str
) -> dict[str, Any]:
    """comparison.json, .md and .png of the measured runs, and by-FIELD.png for each field that was swept."""
    runs = {cell.name: RunFolder(cell.path) for cell in measured}
    compared = comparison(runs)
    swept = {name: [plain(value) for value in values] for name, values in grid.items() if len(values) > 1 and name != "train.seed"}
    changes = {cell.name: cell.changes for cell in measured}
    compared["swept"] = swept
    compared["failed"] = sorted(failures)
    for group in compared["groups"].values():
        group["settings"] |= {field: plain(changes[group["runs"][0]][field]) for field in swept}
    notes = [text("compare.note.side_by_side", lang, jobs=machine.jobs, threads=machine.threads)] if machine.jobs > 1 else []
    notes += [text("compare.note.failed", lang, run=name, reason=failure.reason) for name, failure in failures.items()]
    compared = write_comparison(folder, runs, lang, notes=notes, compared=compared)
    for field in swept:
        draw_swept(compared, field, folder / f"by-{every_field()[field].leaf}.png", lang, provenance(compared, lang))
    return compared

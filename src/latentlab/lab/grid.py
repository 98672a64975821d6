"""Grids of runs: every combination of some fields' values, with several seeds, side by side in processes of their own.

alternatives → `cells` → `run_cells` (train, resume, evaluate: whatever each lacks) → comparison.* and by-FIELD.png.
All that a sweep knows lies in its folder, so that the same command goes on after any end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from latentlab.base import core_count
from latentlab.base.files import read_json_or_nothing, replace_json
from latentlab.base.machine import fastest_threads, pick_device
from latentlab.base.signals import StopFlag
from latentlab.base.texts import text
from latentlab.config.parts import every_field
from latentlab.config.presets import preset as preset_named
from latentlab.config.search import Range, drawn
from latentlab.data import Data, load_data
from latentlab.lab.cells import Cell, cells, combinations, plain, refuse_lists
from latentlab.lab.farm import Evaluation, Failure, Machine, Outcome, run_cells, state, working_in
from latentlab.lab.halving import halve, refuse_unlike
from latentlab.lab.pool import Pool
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
    trials: int | None = None,
    halving: bool = False,
    pool: Pool | None = None,
    lang: str = "en",
    say: Callable[[str], None],
) -> Outcome:
    """Train, evaluate and compare every combination of `alternatives` (field by dotted name → its values) of a preset.

    With `trials` so many that are drawn at random, see `config.search`; with `halving` all begin, and ever fewer go on: see
    `lab.halving`. `jobs` processes run side by side (by default as many as the cores hold); `count` samples and `nll_samples` importance
    samples an image are drawn at each evaluation (by default as many as `latentlab evaluate` draws).
    Everything is checked before anything starts: LabError for a wrong value, for runs of another configuration in `out`,
    for a folder that another sweep works in.
    """
    refuse_lists(alternatives)
    chosen = _chosen(preset, alternatives, trials)
    grid = {name: _tried(name, values, chosen) for name, values in alternatives.items()}
    if halving:
        refuse_unlike(grid)
    asked = _asked(preset, alternatives, trials, halving)
    folder = Path(out) if out is not None else _default_folder(preset, asked)
    machine = _machine(grid, len(chosen), jobs, Evaluation(count, nll_samples), pool or Pool())
    fixed = {"train.threads": machine.threads}
    planned = [replace(cell, grows=halving) for cell in cells(preset, grid, folder, [one | fixed for one in chosen])]
    data = load_data(planned[0].config.data)
    for cell in planned:
        cell.check(data)
    with working_in(folder):
        replace_json(folder / "sweep.json", asked)
        prepare(data, say)
        flag = StopFlag()
        with flag.installed():
            planned, rounds, failures = halve(planned, machine, flag, say) if halving else (planned, [], {})
            if not flag():
                failures |= run_cells(planned, machine, flag, say)
        if flag.signal is not None:
            return Outcome(folder, None, failures, flag.signal)
        measured = [cell for cell in planned if state(cell, machine.evaluation) == "measured"]
        search: dict[str, Any] = {"trials": trials} if trials else {}
        search |= {"rounds": rounds} if halving else {}
        compared = finish(folder, measured, grid, machine, failures, lang, search) if measured else None
    return Outcome(folder, compared, failures, None)


def _chosen(preset: str, alternatives: Mapping[str, Sequence[Any]], trials: int | None) -> list[dict[str, Any]]:
    """The combinations that are trained: all, or for each of so many trials those of its seeds."""
    if trials is None:
        return combinations(alternatives)
    seeds = alternatives.get("train.seed", [preset_named(preset).train.seed])
    found = drawn({name: values for name, values in alternatives.items() if name != "train.seed"}, trials, seeds[0])
    return [one | {"train.seed": seed} for one in found for seed in seeds]


def _tried(name: str, values: Sequence[Any], chosen: Sequence[Mapping[str, Any]]) -> list[Any]:
    """A field's values in the combinations that are trained, in their order."""
    if isinstance(values, Range):
        return sorted({one[name] for one in chosen})
    return [value for value in values if any(one[name] == value for one in chosen)]


def _machine(grid: Mapping[str, Sequence[Any]], runs: int, jobs: int | None, evaluation: Evaluation, pool: Pool) -> Machine:
    """How many of the runs go side by side, and each one's threads: one each where several share the cores.

    On this machine's GPU runs follow each other unless `jobs` says otherwise: its memory is no number of cores.
    """
    given = grid.get("train.threads", [None])[0]
    threads = 1 if given is None else fastest_threads() if given == "auto" else int(given)
    if (room := pool.room(threads)) is None:
        accelerated = pick_device(grid.get("train.device", ["auto"])[0]).type != "cpu"
        room = 1 if accelerated else max(1, core_count() // threads)
    jobs = min(jobs or room, runs)
    return Machine(jobs, fastest_threads() if given is None and jobs == 1 else threads, evaluation, pool)


def _asked(preset: str, grid: Mapping[str, Sequence[Any]], trials: int | None = None, halving: bool = False) -> dict[str, Any]:
    """sweep.json: what was asked for."""
    values = {name: str(given) if isinstance(given, Range) else [plain(value) for value in given] for name, given in grid.items()}
    search = ({"trials": trials} if trials else {}) | ({"budget": "halving"} if halving else {})
    return {"preset": preset, "alternatives": values} | search


def _default_folder(preset: str, asked: Mapping[str, Any]) -> Path:
    """runs/sweep-PRESET-NNN: the newest of the same sweep that was not finished, else the first free number."""
    stem = f"sweep-{preset}-"
    numbered = sorted((int(path.name[len(stem) :]), path) for path in Path("runs").glob(stem + "*") if path.name[len(stem) :].isdigit())
    for _, path in reversed(numbered):
        if read_json_or_nothing(path / "sweep.json") == asked and not _is_whole(path):
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
    folder: Path,
    measured: Sequence[Cell],
    grid: Mapping[str, Sequence[Any]],
    machine: Machine,
    failures: Mapping[str, Failure],
    lang: str,
    search: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """comparison.json, .md and .png of the measured runs, and by-FIELD.png for each field that was swept.

    `search` says how the runs were found, where they are not the whole grid.
    """
    runs = {cell.name: RunFolder(cell.path) for cell in measured}
    compared = comparison(runs)
    swept = {name: [plain(value) for value in values] for name, values in grid.items() if len(values) > 1 and name != "train.seed"}
    changes = {cell.name: cell.changes for cell in measured}
    compared["swept"] = swept
    compared["failed"] = sorted(failures)
    if search:
        compared["search"] = dict(search)
    for group in compared["groups"].values():
        group["settings"] |= {field: plain(changes[group["runs"][0]][field]) for field in swept}
    notes = [text("compare.note.side_by_side", lang, jobs=machine.jobs, threads=machine.threads)] if machine.jobs > 1 else []
    if rounds := (search or {}).get("rounds"):
        notes.append(text("compare.note.halving", lang, begun=len(rounds[0]["values"]), left=len(rounds[-1]["kept"]), rounds=len(rounds)))
    notes += [text("compare.note.failed", lang, run=name, reason=failure.reason) for name, failure in failures.items()]
    compared = write_comparison(folder, runs, lang, notes=notes, compared=compared)
    for field in swept:
        draw_swept(compared, field, folder / f"by-{every_field()[field].leaf}.png", lang, provenance(compared, lang))
    return compared

"""What a reader lets be done with runs: train one, go on with it, stop it, measure it, rename it, throw it away; put a question
to its experiment; write the report.

What takes its time is a task (tasks.py). Whoever is refused gets a LabError: another tab may have been faster.
"""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from latentlab.base.errors import LabError, refusal
from latentlab.base.texts import reason
from latentlab.config.fitting import arguments
from latentlab.config.schema import Config
from latentlab.runs import checkpoints
from latentlab.runs.diagnosis import CHANGED
from latentlab.runs.folder import RunFolder
from latentlab.show.card import found_cards
from latentlab.studio import answers, tasks
from latentlab.studio.library import LONGEST, Library, is_plain
from latentlab.studio.overview import Overview, overview

REPORT = "report"  # the subject of its task


def train(library: Library, config: Config, under: str = "") -> str:
    """Train a new run, in the folder `under`, in a process of its own; the run's name."""
    name = library.new(config.preset, config.data.spec, under)
    words = ["train", config.preset, *arguments(config), "--out", str(library.path(name))]
    tasks.start(library, "train", name, words)
    return name


def resume(library: Library, run: Overview, total: float) -> None:
    """Go on with a run at rest to a new total of epochs or steps; after a loss that was not finite as its diagnosis advises."""
    unit, _, _ = run.length
    words = [f"--{unit}", str(int(total)) if unit == "steps" else f"{total:.10g}"]
    if (out := way_out(run)) is not None:
        words += [f"--{out.field}", f"{out.value:g}", "--from-step", str(out.step)]
    tasks.start(library, "resume", run.name, ["resume", str(run.path), *words])


class WayOut(NamedTuple):
    """How a run goes on whose loss was not finite: a field's new value, and the step of the checkpoint to begin at."""

    field: str
    value: float
    step: int


def way_out(run: Overview) -> WayOut | None:
    """The remedy of a run that failed at a loss that is not finite; None of any other.

    It begins at the checkpoint whose loss on held-out images is lowest: the last one may hold weights that have grown too far
    already. Where none was measured so (a GAN), at the one before the last, where there are two.
    """
    found = next((one for one in run.status.get("diagnosis", []) if one.get("key") == "not_finite" and "until_step" not in one), None)
    field = CHANGED.get(found.get("remedy", "")) if found is not None and run.state == "failed" else None
    steps = [(path, step) for path in checkpoints.listed(run.folder.checkpoints) if (step := checkpoints.step_of(path)) is not None]
    if found is None or field is None or "to" not in found["evidence"] or not steps:
        return None
    losses = {}
    for path, step in steps:
        with suppress(LabError, OSError, ValueError):  # of one that is damaged, which the process that goes on names
            if (loss := checkpoints.read_state(path).get("val_loss")) is not None:
                losses[step] = loss
    step = min(losses, key=losses.__getitem__) if losses else steps[-2:][0][1]
    return WayOut(field, float(found["evidence"]["to"]), step)


def stop(library: Library, name: str) -> None:
    """Stop a run: one that trains is asked to, one that still loads is ended, one at rest stays so. Raises LabError without one."""
    run, task = overview(library, name), tasks.working(library, ("train", "resume"), name)
    if run.state == "starting" and task is not None:
        tasks.stop(task)
    elif run.live:
        run.folder.request("stop")


def measure(library: Library, name: str) -> None:
    """Evaluate a run, unless that is being done."""
    if tasks.working(library, ("evaluate",), name) is None:
        tasks.start(library, "evaluate", name, ["evaluate", str(library.path(name))])


def experiment(library: Library, question: str, data: str, language: str, fresh: bool) -> None:
    """Run a question's experiment, unless another tab did."""
    if tasks.working(library, ("question",), question) is None:
        tasks.start(library, "question", question, experiment_words(library, question, data, language, fresh))


def experiment_words(library: Library, question: str, data: str, language: str, fresh: bool) -> list[str]:
    """The command that runs a question's experiment; the page opens the result."""
    words = ["question", question, "--out", str(library.questions / question), "--data", data, "--lang", language, "--closed"]
    words += ["--data-root", library.data_root] if library.data_root is not None else []
    return words + (["--fresh"] if fresh else [])


def report(library: Library, names: list[str], language: str, precision: str) -> None:
    """Write the report of these runs."""
    tasks.start(library, "report", REPORT + library.mine, report_words(library, names, language, precision))


def report_words(library: Library, names: list[str], language: str, precision: str) -> list[str]:
    """The command that writes the report. Raises LabError for a name that is no run."""
    words = ["report", *(str(library.open(name).path) for name in names)]
    words += ["--out", str(report_file(library)), "--lang", language, "--weights", precision]
    if answers.file(library).is_file():
        words += ["--answers", str(answers.file(library))]
    if found_cards(library.questions, say=lambda refused: None):
        words += ["--questions", str(library.questions)]
    return words + (["--reader", library.mine] if library.mine else [])


def report_file(library: Library) -> Path:
    """Where the report goes: beside the runs, to be seen."""
    return library.runs / f"report{library.mine}.html"


# Folders that are moved. Nothing is while a process works on it.


def rename(library: Library, name: str, new: str) -> str:
    """Give a run another last name; the new whole name. Raises LabError for one that is taken, or while something works on it."""
    folder = _at_rest(library, library.open(name), name)
    if not is_plain(new):
        raise LabError(reason("move.name", most=LONGEST))
    whole = "/".join([*name.split("/")[:-1], new])
    target = library.path(whole)
    if target.exists():
        raise LabError(reason("move.taken"))
    folder.path.rename(target)
    tasks.renamed(library, name, whole)
    return whole


def discard(library: Library, name: str) -> str:
    """Move a run into the trash; the moment by which it is found there, "" of one that never began, whose folder is removed.

    Raises LabError while something works on it.
    """
    if library.never_began(name):
        shutil.rmtree(_at_rest(library, RunFolder(library.path(name)), name).path)
        return ""
    folder = _at_rest(library, library.open(name), name)
    target = library.trash / f"{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**6:06d}" / Path(*name.split("/"))
    target.parent.mkdir(parents=True)
    folder.path.rename(target)
    return target.relative_to(library.trash).parts[0]


def restore(library: Library, moment: str, name: str) -> None:
    """Bring a run back from the trash. Raises LabError when its name has been taken since."""
    if (moment, name) not in library.discarded():
        raise refusal("a run", "one in the trash", name)
    target = library.path(name)
    _refuse_busy(library, name)
    if target.exists():
        raise LabError(reason("move.back"))
    target.parent.mkdir(parents=True, exist_ok=True)
    (library.trash / moment / Path(*name.split("/"))).rename(target)
    shutil.rmtree(library.trash / moment)


def _at_rest(library: Library, folder: RunFolder, name: str) -> RunFolder:
    """The same folder. Raises LabError for one that is somebody else's, or while something works on it, also from a terminal."""
    if not is_own(library, name):
        raise LabError(reason("move.own"))
    if folder.is_locked():
        raise LabError(reason("move.trains"))
    _refuse_busy(library, name)
    return folder


def is_own(library: Library, name: str) -> bool:
    """Whether whoever reads the page may rename and delete a run, or stop a sweep: where the studio is shared, who started it there."""
    if not library.reader:
        return True
    sweep = [task for folder in (name, name.rpartition("/")[0]) for task in tasks.tasks(library, ("sweep",), folder)]
    return any(task.reader == library.reader for task in [*tasks.tasks(library, ("train",), name), *sweep])


def _refuse_busy(library: Library, name: str) -> None:
    """Raises LabError while a process works on a run, or is about to."""
    if tasks.running(library, name):
        raise LabError(reason("move.worked"))

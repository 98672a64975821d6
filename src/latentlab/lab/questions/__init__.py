"""The questions of the labs, each answered by an experiment that runs here. Python: `latentlab.lab.questions`.

A question is a folder of this package: its `experiment`, and the `TASKS` that a worker process may do for it. Its formulas stand in
`latentlab.show.card`, which also gives the order of all; its words in locales/*/question-NAME.json.
"""

from __future__ import annotations

import importlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.base import __version__
from latentlab.base.errors import LabError, refusal
from latentlab.base.files import read_json_or_nothing, replace_json
from latentlab.base.shapes import is_amount, is_time_or_nothing
from latentlab.base.texts import languages
from latentlab.config.sources import CLASSIFIED
from latentlab.lab.pool import Pool
from latentlab.show.answers.prediction import keep, kept, now
from latentlab.show.card import FOLDER, NAMES, Card, Claim, read_card
from latentlab.show.charts.panels import Panel

if TYPE_CHECKING:
    from latentlab.lab.questions.bench import Bench

__all__ = ["load", "names", "run"]

PLANNED, TIME = "planned.json", "seconds.json"
RESULTS = "tasks"  # the folder of what tasks gave
OWN = ("card.json", "card.html", "figure.png", "log.txt", TIME, PLANNED)


@dataclass(frozen=True)
class Findings:
    """What an experiment gives to its card: see `latentlab.show.card.Card`."""

    settings: dict[str, Any]
    outcome: tuple[str, ...]
    claims: tuple[Claim, ...]
    panels: tuple[Panel, ...]
    numbers: dict[str, Any]


def names() -> list[str]:
    """The questions that there are, in the order in which they are best asked."""
    return list(NAMES)


def module_of(name: str) -> Any:
    """The folder of a question: one of `NAMES`, found by its name."""
    if name not in NAMES:
        raise ValueError(f"a question must be one of {', '.join(NAMES)}. Got {name!r}")
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")


def run(
    name: str,
    out: str | Path | None = None,
    *,
    data: str = "digits",
    lang: str = "en",
    seed: int = 0,
    predict: str | Iterable[str] = (),
    fresh: bool = False,
    closed: bool = False,
    pool: Pool | None = None,
    say: Callable[[str], None] = lambda text: None,
    **data_options: Any,
) -> Card:
    """Run a question's experiment into `out` (runs/questions/NAME) and return its card.

    Finished runs in that folder are kept and unfinished ones go on, so that the same call after an interruption ends
    what was begun; `fresh` starts over. Each arm is trained with several seeds, the first of which is `seed`. The options of
    `predict` are kept before the experiment begins, see `show.answers.prediction`; without one it is kept that there was none,
    unless the result stays `closed`, which is for who shows nobody the card. Raises LabError for wrong input, for a folder that is
    not empty and not this question's, and for a prediction other than the one kept, or after the result.
    """
    from latentlab.config.presets import preset
    from latentlab.data import load_data
    from latentlab.lab.farm import working_in
    from latentlab.lab.grid import prepare
    from latentlab.lab.questions.bench import Bench
    from latentlab.show.figures.painter import draw_panels
    from latentlab.show.report import write_card_page

    folder = Path(out) if out is not None else FOLDER / name
    check(name, folder, data)
    if lang not in languages():
        raise refusal("lang", "one of " + ", ".join(languages()), lang)
    keep_before(name, folder, predict.split(",") if isinstance(predict, str) else predict)
    shared = {"data.spec": data} | {f"data.{key}": value for key, value in data_options.items()}
    images = load_data(preset("conv-vae", **shared).data)
    with working_in(folder):
        if fresh:
            if is_result(folder) and not closed:
                keep_seen(name, folder)
            forget(folder)
        claim_folder(name, folder)
        # Where a card is, the experiment ended before: to read it again takes no time that belongs to it.
        with nullcontext() if is_result(folder) else timed(folder / TIME):
            prepare(images, say)
            bench = Bench(folder, images, shared, say, name, seed, pool=pool or Pool())
            findings: Findings = module_of(name).experiment(bench)
        card = Card(
            name, data, seconds_in(folder / TIME), machine_of(bench), findings.settings | {"first_seed": seed}, findings.outcome,
            findings.claims, findings.panels, findings.numbers, tuple(bench.trained), _timed(folder / TIME).get("ended", ""),
        )  # fmt: skip
        card.save(folder)
        draw_panels(card.panels, folder / "figure.png", lang)
        write_card_page(card, folder / "card.html", lang)
        if not closed:
            keep_seen(name, folder)
    return card


def load(folder: str | Path) -> Card:
    """The card of a question that was run. Raises LabError when the folder holds none."""
    return read_card(Path(folder))


def keep_before(name: str, folder: Path, predict: Iterable[str]) -> None:
    """Keep a prediction, if there is one. Raises LabError after the result, and where another one is kept."""
    if predict:
        if is_result(folder) and kept(folder, name) is None:
            raise LabError(f"a prediction must come before the result, which is in {folder}. Leave it out, or name another folder.")
        keep(folder, name, predict)


def keep_seen(name: str, folder: Path) -> None:
    """Keep that there was no prediction, unless there is one: what is predicted after the result is none."""
    if kept(folder, name) is None:
        keep(folder, name, ())


def is_result(folder: Path) -> bool:
    """Whether a question's folder holds what its experiment gave."""
    return (folder / "card.json").is_file()


@contextmanager
def timed(path: Path) -> Iterator[None]:
    """Add the seconds that the block takes to those in a file, also when it is left by an exception.

    So an experiment that was interrupted and went on tells its whole time, and when it ended.
    """
    started = time.perf_counter()
    try:
        yield
    finally:
        replace_json(path, {"seconds": seconds_in(path) + time.perf_counter() - started, "ended": now()})


def seconds_in(path: Path) -> float:
    """The seconds in a file that `timed` keeps; 0 without one."""
    return float(_timed(path).get("seconds", 0.0))


def _timed(path: Path) -> dict[str, Any]:
    return read_json_or_nothing(path, {"seconds": is_amount, "ended?": is_time_or_nothing})


def machine_of(bench: Bench) -> dict[str, Any]:
    """Where and on what the experiment ran."""
    import torch

    from latentlab.base.machine import processor
    from latentlab.lab.questions.bench import workers

    return {
        "latentlab": __version__,
        "torch": torch.__version__,
        "processor": processor(),
        "workers": workers(bench.pool),
        "data_fingerprint": bench.data.fingerprint,
        "images": {"train": len(bench.data.train), "val": len(bench.data.val), "test": len(bench.data.test)},
    }


# A question's own folder: whose it is, and which runs in it are its own.
#
# planned.json names the question, and every run that it is about to train before the first of them begins, so that a run of
# somebody else's in the same folder is never taken for one of the question's.


def check(name: str, folder: Path, data: str) -> None:
    """Raise LabError for a question or a data set that there is none of, and for a folder that belongs to something else."""
    if name not in NAMES:
        raise refusal("a question", "one of " + ", ".join(NAMES), name, "`latentlab question` lists them.")
    if data not in CLASSIFIED:  # a question's measures ask for classes
        raise refusal("data", "one of " + ", ".join(CLASSIFIED), data)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise refusal("out", "a folder", str(folder))
    if all(path.name == "lock" or path.match("prediction*.json") for path in folder.iterdir()):
        return
    owner = owner_of(folder)
    if owner is None:
        raise refusal("out", "a new or empty folder, or one of this question", str(folder), "It holds other files.")
    if owner not in ("", name):
        raise refusal("out", "a new or empty folder, or one of this question", str(folder), f"It is that of the question {owner}.")


def owner_of(folder: Path) -> str | None:
    """The question that a folder is of; "" where it is of one but does not say which, None where it is of none."""
    named = [read_json_or_nothing(folder / file).get("question") for file in (PLANNED, "card.json")]
    if ours := [name for name in named if name in NAMES]:
        return str(ours[0])
    return "" if _timed(folder / TIME) else None


def claim_folder(name: str, folder: Path) -> None:
    """Write down that a folder is this question's, and that runs which an earlier card names are."""
    replace_json(folder / PLANNED, {"question": name, "runs": sorted(_runs(folder))})


def plan_runs(folder: Path, names: Iterable[str]) -> None:
    """Write down names of runs before they are trained."""
    question = read_json_or_nothing(folder / PLANNED).get("question")
    replace_json(folder / PLANNED, {"question": question, "runs": sorted(_runs(folder) | set(names))})


def forget(folder: Path) -> None:
    """Remove what the question made: the runs that it planned, what was measured and the card. Nothing else."""
    for name in _runs(folder):
        path = folder / name
        if path.is_dir() and not path.is_symlink() and (path / "config.json").is_file():
            shutil.rmtree(path)
    for path in (folder / RESULTS).glob("*.json"):
        if "task" in read_json_or_nothing(path):
            path.unlink()
    if (folder / RESULTS).is_dir() and not any((folder / RESULTS).iterdir()):
        (folder / RESULTS).rmdir()
    for name in OWN:
        (folder / name).unlink(missing_ok=True)


def _runs(folder: Path) -> set[str]:
    """The names in planned.json and card.json; only folders directly below count."""
    listed = [read_json_or_nothing(folder / file).get("runs") for file in (PLANNED, "card.json")]
    names = {name for runs in listed if isinstance(runs, list) for name in runs if isinstance(name, str)}
    return {name for name in names if name not in ("", ".", "..") and not set(name) & set("/\\:")}

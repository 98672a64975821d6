"""Run a question's experiment and keep its card: card.json, card.html and figure.png."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentlab.base import __version__
from latentlab.base.errors import refusal
from latentlab.base.files import replace_json
from latentlab.base.machine import core_count, processor
from latentlab.base.texts import languages
from latentlab.config.presets import preset
from latentlab.data import load_data
from latentlab.lab.grid import held, prepare
from latentlab.lab.questions.bench import MOST_WORKERS, TIME, Bench, check, claim_folder, forget
from latentlab.show.card import FOLDER, NAMES, Card, Claim, read_card
from latentlab.show.charts.panels import Panel
from latentlab.show.figures.panels import draw_panels
from latentlab.show.report import write_card_page


def names() -> list[str]:
    """The questions that there are, in the order in which they are best asked."""
    return list(NAMES)


def run(
    name: str,
    out: str | Path | None = None,
    *,
    data: str = "digits",
    lang: str = "en",
    fresh: bool = False,
    say: Callable[[str], None] = lambda text: None,
    **data_options: Any,
) -> Card:
    """Run a question's experiment into `out` (runs/questions/NAME) and return its card.

    Finished runs in that folder are kept and unfinished ones go on, so that the same call after an interruption ends
    what was begun; `fresh` starts over. Raises LabError for wrong input, and for a folder that is not empty and not this
    question's.
    """
    folder = Path(out) if out is not None else FOLDER / name
    check(name, folder, data)
    if lang not in languages():
        raise refusal("--lang", "one of " + ", ".join(languages()), lang)
    shared = {"data.spec": data} | {f"data.{key}": value for key, value in data_options.items()}
    images = load_data(preset("conv-vae", **shared).data)
    module: Any = importlib.import_module(f"latentlab.lab.questions.{name.replace('-', '_')}")
    with held(folder):
        if fresh:
            forget(folder)
        claim_folder(name, folder)
        # Where a card is, the experiment ended before: to read it again takes no time that belongs to it.
        with nullcontext() if (folder / "card.json").is_file() else timed(folder / TIME):
            prepare(images, say)
            bench = Bench(folder, images, shared, say)
            found: Findings = module.experiment(bench)
        card = Card(
            name, data, seconds_in(folder / TIME), machine_of(bench), found.settings, found.outcome, found.claims,
            found.panels, found.numbers, tuple(bench.trained),
        )  # fmt: skip
        card.save(folder)
        draw_panels(card.panels, folder / "figure.png", lang)
        write_card_page(card, folder / "card.html", lang)
    return card


def load(folder: str | Path) -> Card:
    """The card of a question that was run. Raises LabError when the folder holds none."""
    return read_card(Path(folder))


@contextmanager
def timed(path: Path) -> Iterator[None]:
    """Add the seconds that the block takes to those in a file, also when it is left by an exception.

    So an experiment that was interrupted and went on tells its whole time.
    """
    started = time.perf_counter()
    try:
        yield
    finally:
        replace_json(path, {"seconds": seconds_in(path) + time.perf_counter() - started})


def seconds_in(path: Path) -> float:
    """The seconds in a file that `timed` keeps; 0 without one."""
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError):
        return 0.0


def machine_of(bench: Bench) -> dict[str, Any]:
    """Where and on what the experiment ran."""
    import torch

    images = {"train": len(bench.data.train), "val": len(bench.data.val), "test": len(bench.data.test)}
    return {
        "latentlab": __version__,
        "torch": torch.__version__,
        "processor": processor(),
        "workers": min(MOST_WORKERS, core_count()),
        "data_fingerprint": bench.data.fingerprint,
        "images": images,
    }


# What an experiment gives to its card.


@dataclass(frozen=True)
class Findings:
    """The part of a card that an experiment fills in: see `latentlab.show.card.Card`."""

    settings: dict[str, Any]
    outcome: tuple[str, ...]
    claims: tuple[Claim, ...]
    panels: tuple[Panel, ...]
    numbers: dict[str, Any]

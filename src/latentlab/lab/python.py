"""What the command line does with many runs, for Python: list, compare, sweep, report, measure."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError
from latentlab.config.presets import preset
from latentlab.data import load_data
from latentlab.data.arrays import as_bytes
from latentlab.lab.grid import run_sweep
from latentlab.measure.compare import comparison, distinct_names, opened
from latentlab.measure.compare.tables import markdown, table
from latentlab.measure.scores import evaluate_images
from latentlab.runs.folder import list_runs, open_folder, run_paths
from latentlab.runs.trained import Trained
from latentlab.show.explorer.widget import Explorer
from latentlab.show.figures.comparison import write_comparison
from latentlab.show.report.asked import write_report
from latentlab.train import Run


class Comparison(dict[str, Any]):
    """What comparison.json holds, as `docs/run-folder.md` describes it; shown as a table."""

    def __repr__(self) -> str:
        return table(self)

    def _repr_markdown_(self) -> str:
        return markdown(self)


def runs(under: str | Path = "runs") -> list[Run]:
    """Every run at most three levels below a folder, by path. Raises LabError where there is no folder."""
    return [Run(folder) for folder in list_runs(under)]


def compare(*some: str | Path | Trained, out: str | Path | None = None, lang: str = "en") -> Comparison:
    """Evaluated runs side by side, over seeds where they differ in nothing else; with `out` written there as the command does.

    Each is a run, its path, or a folder of runs. Raises LabError for runs that were not measured alike.
    """
    folders = opened([path for one in _paths(some) for path in run_paths(one)])
    return Comparison(comparison(folders) if out is None else write_comparison(out, folders, lang))


def sweep(
    what: str,
    out: str | Path | None = None,
    *,
    seeds: int | None = None,
    jobs: int | None = None,
    count: int | None = None,
    nll_samples: int | None = None,
    lang: str = "en",
    **alternatives: Any,
) -> Comparison:
    """Train, evaluate and compare every combination of the values of a preset's fields: `sweep("mlp-vae", latent_dim=[2, 8])`.

    A value that is no list stands for itself; the layers of `hidden` and the like are tuples. The same call goes on where it was
    stopped. Raises LabError for wrong input, and for a run that failed, once the others are done.
    """
    config = preset(what)
    grid = {".".join(config.locate(name)): value if isinstance(value, list) else [value] for name, value in alternatives.items()}
    if seeds is not None:
        first = grid.get("train.seed", [config.train.seed])[0]
        grid["train.seed"] = list(range(first, first + seeds))
    done = run_sweep(what, grid, out=out, jobs=jobs, count=count, nll_samples=nll_samples, lang=lang, say=_say)
    if done.failures:
        name, failure = next(iter(done.failures.items()))
        raise LabError(f"{done.folder / name} failed: {failure.reason}. The same call tries it again.")
    if done.result is None:
        raise KeyboardInterrupt
    return Comparison(done.result)


def report(*some: str | Path | Trained, out: str | Path, lang: str = "en", answers: str | Path | None = None) -> Path:
    """Write one HTML file that shows runs, with the questions that were run; returns its path. Raises LabError."""
    return write_report(_paths(some), out, lang, _say, answers=answers)[0]


def explore(*some: str | Path | Trained, lang: str = "en") -> Explorer:
    """The live explorer of some runs for a notebook: every model decodes the point that is dragged over the latent map.

    Each is a run, its path, or a folder of runs. Raises LabError for none, and for one that is no run.
    """
    paths = [path for one in _paths(some) for path in run_paths(one)]
    return Explorer(dict(zip(distinct_names(paths), map(open_folder, paths), strict=True)), lang)


def measure(images: Any, data: Any = "digits", split: str = "test", **options: Any) -> dict[str, Any]:
    """Measure images that any program made, as bytes or floats in [0, 1], against a data set: the same form as a run's scores.

    `options` are `extractors` and `out`, see `measure.scores.evaluate_images`. Raises LabError.
    """
    return evaluate_images(as_bytes(images), load_data(data), split, **options)  # type: ignore[arg-type]


def _paths(some: Iterable[str | Path | Trained]) -> list[str | Path]:
    return [one.path if isinstance(one, Trained) else one for one in some]


def _say(words: str) -> None:
    print(f"latentlab: {words}", file=sys.stderr)

"""What the arms of VAE → GAN show: curves, paired differences at fixed points, costs, and the verdict that follows from them.

`gather` makes experiment.json of run folders; every sentence and table of experiment.md follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import LabError
from latentlab.base.texts import Phrase, duration, number, significant, text
from latentlab.lab.kit import Doubles, paired, range_line
from latentlab.measure.table import better, extractor_words, finite, seen_by
from latentlab.runs.folder import RunFolder
from latentlab.show.charts.panels import Lines, Series

MEASURES = ("frechet", "kid", "class_reverse_kl_nats", "recall")
ARMS = ("scratch", "warm", "frozen")
PAIRS = (("warm", "scratch"), ("frozen", "scratch"), ("frozen", "warm"))
POINTS = (1.0, 3.0, 10.0)  # epochs at which arms are compared
PANELS = 3  # of the figure, at most


@dataclass(frozen=True)
class Curves:
    """What the val rows of one arm's runs measured: seed by seed at the same points. S seeds, P points."""

    steps: NDArray[np.int64]  # [P]
    images_seen: NDArray[np.int64]  # [P]
    epochs: Doubles  # [P]
    values: Mapping[str, Doubles]  # measure → [S, P]
    seconds: Doubles  # [S], of training, at the end

    def at(self, measure: str, epoch: float) -> Doubles | None:
        """The values of every seed at the first point that has at least so many epochs, [S]; None when the curve ends before."""
        point = int(np.searchsorted(self.epochs, epoch - 1e-9))
        return self.values[measure][:, point] if point < len(self.epochs) else None

    def to_json(self) -> dict[str, Any]:
        """As experiment.json holds it."""
        values = {name: [_finite(row) for row in rows] for name, rows in self.values.items()}
        return {"images_seen": self.images_seen.tolist(), "epochs": self.epochs.tolist(), "values": values}


def read_curves(arms: Mapping[str, Sequence[Path]]) -> dict[str, Curves]:
    """The curves of each arm. Raises LabError when one extractor did not see all, or an arm's runs were not measured at the same steps."""
    rows = {
        arm: [[row for row in RunFolder(path).metrics() if row["split"] == "val" and "kid" in row] for path in folders]
        for arm, folders in arms.items()
    }
    seen = {row["extractor"] for runs in rows.values() for run in runs for row in run}
    if len(seen) > 1:
        raise LabError(f"the runs of all arms must be seen by one extractor, but {' and '.join(sorted(seen))} looked. Give --fresh.")
    return {arm: _curves(folders, rows[arm]) for arm, folders in arms.items()}


def _curves(folders: Sequence[Path], rows: Sequence[Sequence[Mapping[str, Any]]]) -> Curves:
    steps = [[row["step"] for row in run] for run in rows]
    if not steps[0] or any(other != steps[0] for other in steps):
        raise LabError(f"the runs of an arm must be measured at the same steps. {folders[0]} and its siblings were not. Give --fresh.")
    shared = [m for m in MEASURES if all(m in row for run in rows for row in run)]
    values = {m: np.array([[np.inf if row[m] is None else row[m] for row in run] for run in rows], np.float64) for m in shared}
    first = rows[0]
    return Curves(
        steps=np.array(steps[0], np.int64),
        images_seen=np.array([row["images_seen"] for row in first], np.int64),
        epochs=np.array([row["epoch"] for row in first], np.float64),
        values=values,
        seconds=np.array([run[-1]["seconds"] for run in rows], np.float64),
    )


def gather(folder: Path, seeds: int) -> dict[str, Any]:
    """experiment.json from the run folders below `folder`; no torch, nothing is measured anew."""
    runs = {arm: [RunFolder(folder / f"{arm}-seed-{seed}") for seed in range(seeds)] for arm in ("vae", *ARMS)}
    arms = read_curves({arm: [run.path for run in runs[arm]] for arm in ARMS})
    measures = [name for name in arms["scratch"].values if all(name in curves.values for curves in arms.values())]
    first, frozen = runs["scratch"][0], runs["frozen"][0].config()
    images, vae_epochs = first.environment()["images"], float(runs["vae"][0].config().train.epochs)
    measured = next(row for row in first.metrics() if "extractor" in row)
    points = [point for point in POINTS if point <= arms["scratch"].epochs[-1] + 1e-9] or [float(arms["scratch"].epochs[-1])]
    headline = measures[0]
    differences = {
        f"{arm} - {other}": {m: {f"{p:g}": _difference(arms[arm], arms[other], m, p) for p in points} for m in measures}
        for arm, other in PAIRS
    }
    return {
        "experiment": "vae-to-gan",
        "data": first.config().portable().data.spec,
        "data_fingerprint": first.environment()["data_fingerprint"],
        "images": images,
        "seeds": seeds,
        "epochs": float(arms["scratch"].epochs[-1]),
        "vae_epochs": vae_epochs,
        "frozen_epochs": getattr(frozen.train, "generator_frozen_images", 0) / images["train"],
        "samples": int(measured["samples"]),
        "extractor": str(measured["extractor"]),
        "measures": measures,
        "headline": headline,
        "points": points,
        "start": {m: _finite(arms["warm"].values[m][:, 0]) for m in measures},
        "curves": {arm: curves.to_json() for arm, curves in arms.items()},
        "differences": differences,
        "equal_total": _equal_total(arms, headline, vae_epochs),
        "seconds": {"vae": float(np.mean([run.metrics()[-1]["seconds"] for run in runs["vae"]]))}
        | {arm: float(curves.seconds.mean()) for arm, curves in arms.items()},
        "verdict": verdict(differences, headline, points, seeds),
    }


def _difference(arm: Curves, other: Curves, measure: str, point: float) -> dict[str, Any] | None:
    a, b = arm.at(measure, point), other.at(measure, point)
    if a is None or b is None or (difference := paired(a, b)) is None:
        return None
    return difference.to_json() | {"arm": _summary(a), "reference": _summary(b)}


def _summary(values: Doubles) -> dict[str, Any]:
    return {
        "mean": float(values.mean()),
        "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
        "values": values.tolist(),
    }


def _equal_total(arms: Mapping[str, Curves], measure: str, vae_epochs: float) -> list[dict[str, Any]]:
    """Warm and frozen after e epochs against scratch after e + the VAE's epochs: the VAE's training is then not for nothing."""
    rows = []
    for point in POINTS:
        b = arms["scratch"].at(measure, point)
        for arm in ("warm", "frozen"):
            a = arms[arm].at(measure, point - vae_epochs) if point > vae_epochs else None
            difference = None if a is None or b is None else paired(a, b)
            if difference is not None:
                rows.append({"arm": arm, "epochs": point - vae_epochs, "scratch_epochs": point} | difference.to_json())
    return rows


def _finite(values: Doubles) -> list[float | None]:
    """Values as JSON can hold them: what is infinite is null."""
    return [finite(value) for value in values.tolist()]


def sign(difference: Mapping[str, Any] | None, measure: str) -> Literal["better", "worse", "unclear", "unknown"]:
    """How a paired difference out of experiment.json reads; unknown without an interval."""
    if difference is None or difference["ci95"] is None:
        return "unknown"
    if difference["sign"] == "unclear":
        return "unclear"
    return "better" if difference["sign"] == better(measure) else "worse"


def verdict(differences: Mapping[str, Any], headline: str, points: list[float], seeds: int) -> dict[str, Any]:
    """For each start from the decoder, what its intervals against scratch say: a key of `experiment.vae-to-gan.verdict.*`.

    lasting: better at the last point; head_start: better at an earlier one only; worse: worse at the last point; early_loss:
    worse earlier only; none: no interval leaves 0 out; unknown: a single seed, or a measure that was infinite.
    """
    against = {arm: differences[f"{arm} - scratch"][headline] for arm in ("warm", "frozen")}
    signs = {arm: [sign(at[f"{point:g}"], headline) for point in points] for arm, at in against.items()}
    return {arm: "unknown" if seeds < 2 else decide(signs[arm]) for arm in against}


def decide(signs: Sequence[str]) -> str:
    """The verdict of one arm from its signs at the points, in order: each "better", "worse", "unclear" or "unknown"."""
    if "unknown" in signs:
        return "unknown"
    if signs[-1] == "better":
        return "lasting"
    if signs[-1] == "worse":
        return "worse"
    if "better" in signs:
        return "head_start"
    return "early_loss" if "worse" in signs else "none"


# figure.png: each measure against the training images that the GAN has read.


def panels(result: Mapping[str, Any]) -> list[Lines]:
    """The arms of an experiment.json, a panel a measure; KID and the Frechet distance tell the same story, and are both in the table."""
    measures = [name for name in MEASURES if name in result["measures"] and not (name == "kid" and "frechet" in result["measures"])]
    return [_panel(result, measure) for measure in measures[:PANELS]]


def _panel(result: Mapping[str, Any], measure: str) -> Lines:
    """The means of each arm, the VAE's own samples as a level, and a mark where the frozen decoder is released."""
    series = []
    for arm, kind in zip(ARMS, ("gan", "gan-from-vae", ""), strict=True):
        curve = result["curves"][arm]
        x = [images / 1000 for images in curve["images_seen"]]
        series.append(range_line(Phrase(f"experiments.arm.{arm}"), x, curve["values"][measure], kind))
    if start := [value for value in result["start"][measure] if value is not None]:
        series.append(Series(Phrase("experiments.start"), (sum(start) / len(start),) * 2, (0.0, x[-1]), kind="vae"))
    frozen = 1e-3 * float(result["frozen_epochs"]) * float(result["images"]["train"])
    title, way = seen_by(Phrase(f"compare.measure.{measure}"), result["extractor"]), Phrase(f"compare.axis.up.{better(measure)}")
    lowest = np.fmin.reduce(np.array([value for one in series for value in (*one.y, *one.low)], np.float64))  # of what is known
    return Lines(
        title, Phrase("experiments.images"), way, tuple(series), Phrase("card.spread.range", {"summary": ""}),
        log_y=measure != "recall" and bool(lowest > 0), marks=((frozen, Phrase("experiments.released")),) if frozen > 0 else (),
    )  # fmt: skip


# experiment.md: the result in words and tables.


def write_words(result: Mapping[str, Any], lang: str) -> str:
    """The whole page as Markdown, the figure beside it included."""

    def say(key: str, **values: Any) -> str:
        return text(f"experiments.{key}", lang, **values)

    setup = say(
        "vae-to-gan.setup",
        data=result["data"],
        seeds=result["seeds"],
        epochs=number(round(result["epochs"], 2), lang),
        images=number(result["images"]["train"], lang),
        vae_epochs=number(result["vae_epochs"], lang),
        frozen_epochs=number(round(result["frozen_epochs"], 2), lang),
        samples=number(result["samples"], lang),
        extractor=extractor_words(result["extractor"]).say(lang),
    )
    differences = [at for pairs in result["differences"].values() for points in pairs.values() for at in points.values()]
    seconds = {name: duration(value, lang) for name, value in result["seconds"].items()}
    headline = say("short." + result["headline"])
    parts = [
        f"# {say('vae-to-gan.title')}",
        setup,
        f"## {say('verdict')}",
        "\n\n".join(verdict_sentences(result, lang)),
        f"![{headline}](figure.png)",
        text("card.spread.range", lang, summary="").strip(),
        f"## {say('vae-to-gan.values')}",
        _values(result, lang),
        f"## {say('vae-to-gan.differences')}",
        _differences(result, lang),
        say("vae-to-gan.chance", count=sum(at is not None for at in differences), measure=headline),
    ]
    if result["equal_total"]:
        parts += ["## " + say("vae-to-gan.total", measure=headline), _totals(result, lang)]
    return "\n\n".join([*parts, say("vae-to-gan.cost", **seconds)]) + "\n"


def verdict_sentences(result: Mapping[str, Any], lang: str) -> list[str]:
    """One sentence for each start from the decoder."""
    headline, points = result["headline"], result["points"]
    sentences = []
    for arm, key in result["verdict"].items():
        at = result["differences"][f"{arm} - scratch"][headline]
        told = {"head_start": "better", "early_loss": "worse"}.get(key)
        clear = [point for point in points if told is not None and sign(at[f"{point:g}"], headline) == told]
        values: dict[str, str] = {}
        for name, point in (("end", points[-1]), ("then", clear[0] if clear else points[0])):
            difference = at[f"{point:g}"]
            values[name] = "–" if difference is None else significant(difference["arm"]["mean"], lang)
            values[name + "_scratch"] = "–" if difference is None else significant(difference["reference"]["mean"], lang)
        sentences.append(
            text(
                f"experiments.vae-to-gan.verdict.{key}", lang, arm=text(f"experiments.vae-to-gan.arm.{arm}", lang),
                measure=text(f"experiments.short.{headline}", lang), last=number(points[-1], lang),
                early=number((clear or points)[0], lang), **values,
            )
        )  # fmt: skip
    return sentences


def _table(head: Sequence[str], body: list[list[str]], lang: str) -> str:
    """A table of Markdown, its head given by the keys of its columns ("" for one without a name)."""
    named = [key and text(f"experiments.{key}", lang) for key in head]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [named, ["---"] * len(head), *body])


def _values(result: Mapping[str, Any], lang: str) -> str:
    rows = []
    for measure in result["measures"]:
        start = [value for value in result["start"][measure] if value is not None]
        for point in result["points"]:
            warm, frozen = (result["differences"][f"{arm} - scratch"][measure][f"{point:g}"] for arm in ("warm", "frozen"))
            sides = [warm and warm["reference"], warm and warm["arm"], frozen and frozen["arm"]]
            cells = ["–" if side is None else _spread(side, lang) for side in sides]
            first = significant(sum(start) / len(start), lang) if start else "–"
            rows.append([text(f"experiments.short.{measure}", lang), number(point, lang), first, *cells])
    return _table(["column.measure", "column.point", "start", *(f"arm.{arm}" for arm in ARMS)], rows, lang)


def _spread(side: Mapping[str, Any], lang: str) -> str:
    mean = significant(side["mean"], lang)
    return mean if side["sd"] is None else f"{mean} ± {significant(side['sd'], lang, 2)}"


def _differences(result: Mapping[str, Any], lang: str) -> str:
    rows = [
        [text(f"experiments.short.{measure}", lang), number(point, lang), *_read(pair, pairs[measure][f"{point:g}"], measure, lang)]
        for measure in result["measures"]
        for point in result["points"]
        for pair, pairs in result["differences"].items()
    ]
    return _table(["column.measure", "column.point", "column.pair", "", "column.reading"], rows, lang)


def _totals(result: Mapping[str, Any], lang: str) -> str:
    rows = []
    for total in result["equal_total"]:
        epochs = f"{number(total['epochs'], lang)} / {number(total['scratch_epochs'], lang)}"
        rows.append([epochs, *_read(f"{total['arm']} - scratch", total, result["headline"], lang)])
    return _table(["column.total", "column.pair", "", "column.reading"], rows, lang)


def _read(pair: str, difference: Mapping[str, Any] | None, measure: str, lang: str) -> list[str]:
    """Which two arms, by how much they differ, and how that reads."""
    named = " − ".join(text(f"experiments.arm.{arm}", lang) for arm in pair.split(" - "))
    shown = "–" if difference is None else significant(difference["value"], lang)
    if difference is not None and difference["ci95"] is not None:
        shown += f" [{significant(difference['ci95'][0], lang)}; {significant(difference['ci95'][1], lang)}]"
    return [named, shown, text(f"experiments.sign.{sign(difference, measure)}", lang)]

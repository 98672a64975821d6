"""experiment.md: the result of VAE → GAN in words and tables. Every sentence follows from experiment.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentlab.base.texts import duration, number, significant, text
from latentlab.lab.experiments.results import ARMS, sign


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
        extractor=result["extractor"],
    )
    seconds = {name: duration(value, lang) for name, value in result["seconds"].items()}
    parts = [
        f"# {say('vae-to-gan.title')}",
        setup,
        f"## {say('verdict')}",
        "\n\n".join(verdict_sentences(result, lang)),
        "![" + say("measure." + result["headline"]) + "](figure.png)",
        f"## {say('vae-to-gan.values')}",
        _values(result, lang),
        f"## {say('vae-to-gan.differences')}",
        _differences(result, lang),
        say("vae-to-gan.chance", count=_count(result), measure=short(result["headline"], lang)),
    ]
    if result["equal_total"]:
        parts += ["## " + say("vae-to-gan.total", measure=short(result["headline"], lang)), _totals(result, lang)]
    return "\n\n".join([*parts, say("vae-to-gan.cost", **seconds)]) + "\n"


def short(measure: str, lang: str) -> str:
    """A measure's name in a table or a sentence."""
    return text(f"experiments.short.{measure}", lang)


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
            held = at[f"{point:g}"]
            values[name] = "–" if held is None else significant(held["arm"]["mean"], lang)
            values[name + "_scratch"] = "–" if held is None else significant(held["reference"]["mean"], lang)
        sentences.append(
            text(
                f"experiments.vae-to-gan.verdict.{key}", lang, arm=text(f"experiments.vae-to-gan.arm.{arm}", lang),
                measure=short(headline, lang), last=number(points[-1], lang), early=number((clear or points)[0], lang), **values,
            )
        )  # fmt: skip
    return sentences


def _table(rows: list[list[str]]) -> str:
    head, *body = rows
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *body])


def _values(result: Mapping[str, Any], lang: str) -> str:
    head = [text(f"experiments.column.{name}", lang) for name in ("measure", "point")]
    rows = [[*head, text("experiments.start", lang), *(text(f"experiments.arm.{arm}", lang) for arm in ARMS)]]
    for measure in result["measures"]:
        start = [value for value in result["start"][measure] if value is not None]
        for point in result["points"]:
            warm, frozen = (result["differences"][f"{arm} - scratch"][measure][f"{point:g}"] for arm in ("warm", "frozen"))
            sides = [warm and warm["reference"], warm and warm["arm"], frozen and frozen["arm"]]
            cells = ["–" if side is None else _spread(side, lang) for side in sides]
            rows.append([short(measure, lang), number(point, lang), significant(sum(start) / len(start), lang) if start else "–", *cells])
    return _table(rows)


def _spread(side: Mapping[str, Any], lang: str) -> str:
    mean = significant(side["mean"], lang)
    return mean if side["sd"] is None else f"{mean} ± {significant(side['sd'], lang, 2)}"


def _differences(result: Mapping[str, Any], lang: str) -> str:
    rows = [[text(f"experiments.column.{name}", lang) for name in ("measure", "point", "pair")] + ["", _reading(lang)]]
    for measure in result["measures"]:
        for point in result["points"]:
            for pair, held in result["differences"].items():
                arm, other = pair.split(" - ")
                named = " − ".join(text(f"experiments.arm.{name}", lang) for name in (arm, other))
                found = held[measure][f"{point:g}"]
                rows.append([short(measure, lang), number(point, lang), named, _interval(found, lang), _read(found, measure, lang)])
    return _table(rows)


def _reading(lang: str) -> str:
    return text("experiments.column.reading", lang)


def _interval(found: Mapping[str, Any] | None, lang: str) -> str:
    if found is None:
        return "–"
    shown = significant(found["value"], lang)
    return shown if found["ci95"] is None else f"{shown} [{significant(found['ci95'][0], lang)}; {significant(found['ci95'][1], lang)}]"


def _read(found: Mapping[str, Any] | None, measure: str, lang: str) -> str:
    return text(f"experiments.sign.{sign(found, measure)}", lang)


def _totals(result: Mapping[str, Any], lang: str) -> str:
    rows = [[text("experiments.column.total", lang), text("experiments.column.pair", lang), "", _reading(lang)]]
    for held in result["equal_total"]:
        epochs = f"{number(held['epochs'], lang)} / {number(held['scratch_epochs'], lang)}"
        named = " − ".join(text(f"experiments.arm.{arm}", lang) for arm in (held["arm"], "scratch"))
        rows.append([epochs, named, _interval(held, lang), _read(held, result["headline"], lang)])
    return _table(rows)


def _count(result: Mapping[str, Any]) -> int:
    return sum(held is not None for pairs in result["differences"].values() for points in pairs.values() for held in points.values())

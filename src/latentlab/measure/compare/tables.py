"""A comparison as text: one line a run for the terminal, and Markdown with one column a group."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from latentlab.base.texts import aligned, catalogue, duration, number, significant, text
from latentlab.measure.table import COSTS, extractor_words, note_words, present, sampled_words, title, unit_words

COLUMNS = (
    ("run", "run"),
    ("frechet", "Frechet"),
    ("kid", "KID"),
    ("reconstruction_mse", "held-out MSE"),
    ("negative_elbo_nats", "−ELBO (nats)"),
    ("reconstruction_nats", "reconstruction"),
    ("kl_nats", "KL"),
    ("class_entropy_nats", "class entropy"),
    ("classes", "smallest … largest class"),
    ("seconds", "seconds"),
    ("parameters", "parameters"),
)
NONE = "–"
SHORT = 12  # characters of a sha256 that are shown
WIDEST = 5  # groups in one Markdown table; more are set in further tables below


def table(compared: Mapping[str, Any]) -> str:
    """The comparison as plain text, one line a run; "–" where a number is not defined for the family."""
    columns = [(key, head) for key, head in COLUMNS if any(_cell(key, name, entry) != NONE for name, entry in compared["runs"].items())]
    rows = [[head for _, head in columns]]
    rows += [[_cell(key, name, entry) for key, _ in columns] for name, entry in compared["runs"].items()]
    by = {score["extractor"] for entry in compared["runs"].values() for name, score in entry["scores"].items() if name == "kid"}
    notes = [f"Frechet and KID: seen by {extractor_words(one).say('en')}" for one in sorted(by)]
    notes += [f"{measure}: {said}" for measure, said in _sampled(compared["runs"], "en")]
    return "\n".join(aligned(rows, (0,), ruled=True) + [f"({note})" for note in notes + _notes(compared["runs"])])


def _cell(key: str, name: str, entry: Mapping[str, Any]) -> str:
    match key:
        case "run":
            return name
        case "seconds":
            return f"{entry['seconds']:.0f}" if "seconds" in entry else NONE
        case "parameters":
            return f"{sum(entry['parameters'].values()):,}" if entry.get("parameters") else NONE
        case "classes":
            shares = entry["class_shares"]
            return f"{100 * min(shares['samples']):.1f} % … {100 * max(shares['samples']):.1f} %" if shares else NONE
    score = entry["scores"].get(key)
    if score is None or score["value"] is None:
        return NONE
    error = f" ± {score['stderr']:.2g}" if "stderr" in score else ""
    return f"{score['value']:.4g}{error}"


def _notes(parts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return sorted({score["note"] for part in parts.values() for score in part["scores"].values() if score.get("note")})


def _sampled(parts: Mapping[str, Mapping[str, Any]], lang: str) -> list[tuple[str, str]]:
    """How the NLL of each run or group was sampled."""
    found = {name: sampled_words(part["scores"].get("nll_nats", {}), lang) for name, part in parts.items()}
    return [(f"{title('nll_nats', lang)}, {name}", said) for name, said in found.items() if said]


def markdown(compared: Mapping[str, Any], lang: str = "en", labels: Mapping[str, str] | None = None) -> str:
    """comparison.md: by what was measured, measures as rows and groups as columns, what it means, and the runs."""
    labels = labels or {}
    groups = list(compared["groups"])
    lines = [f"# {text('compare.title', lang)}", "", provenance(compared, lang)]
    for start in range(0, len(groups), WIDEST):
        lines += ["", *_grid(measure_rows(compared, groups[start : start + WIDEST], lang, labels))]
    lines += ["", *(f"- {note}" for note in explained(compared, lang))]
    lines += ["", f"## {text('compare.runs', lang)}", "", *_grid(_run_rows(compared, lang))]
    return "\n".join(lines) + "\n"


def provenance(compared: Mapping[str, Any], lang: str) -> str:
    """Data, split, held-out images, samples and extractors in one line."""
    parts = [text("compare.data", lang, data=compared["data"], fingerprint=str(compared["data_fingerprint"])[:SHORT])]
    parts.append(text("compare.split", lang, split=compared["split"], n=number(compared["n"] or 0, lang)))
    if compared["samples"] is not None:
        parts.append(text("compare.samples", lang, n=number(compared["samples"], lang)))
    for identity, facts in compared["extractors"].items():
        seen = text("compare.extractor", lang, identity=extractor_words(identity).say(lang), sha256=str(facts.get("sha256"))[:SHORT])
        if facts.get("accuracy") is not None:
            seen += ", " + text("compare.accuracy", lang, percent=number(100 * facts["accuracy"], lang, 1))
        parts.append(seen)
    return " · ".join(parts)


def measure_rows(compared: Mapping[str, Any], names: Sequence[str], lang: str, labels: Mapping[str, str]) -> list[list[str]]:
    """A head and a row for each measure: title, unit, which way is better, floor, then each group's value; the best between **."""
    groups = {name: compared["groups"][name] for name in names}
    heads = [_head(labels.get(name, name), group, lang) for name, group in groups.items()]
    rows = [[text(f"compare.column.{column}", lang) for column in ("measure", "unit", "better", "floor")] + heads]
    for measure in present(compared["groups"].values()):
        scores = [group["scores"][measure] for group in compared["groups"].values() if measure in group["scores"]]
        way = scores[0].get("better")
        row = [
            title(measure, lang, scores),
            " / ".join(dict.fromkeys(unit_words(str(score.get("unit", "")), lang) for score in scores)),
            text(f"compare.better.{way}", lang) if way else "",
            _floor(scores, lang),
        ]
        for group in groups.values():
            shown = shown_value(group["scores"].get(measure), lang)
            row.append(f"**{shown}**" if measure in group["best"] else shown)
        rows.append(row)
    for cost in COSTS:
        if any(cost in group["costs"] for group in groups.values()):
            rows.append([title(cost, lang), "", "", "", *(_cost(cost, group["costs"].get(cost), lang) for group in groups.values())])
    if any(group["diagnosis"] for group in groups.values()):
        rows.append([text("compare.diagnosis", lang), "", "", "", *(_diagnosed(g, lang) or NONE for g in groups.values())])
    return rows


def _diagnosed(part: Mapping[str, Any], lang: str) -> str:
    """The names of a run's findings, or of a group's."""
    return ", ".join(diagnosis_words(key, lang) for key in part["diagnosis"])


def _head(name: str, group: Mapping[str, Any], lang: str) -> str:
    count = len(group["runs"])
    return f"{name} ({text('compare.seeds', lang, n=count)})" if count > 1 else name


def _with_interval(score: Mapping[str, Any], lang: str) -> str:
    """A score's floor, with its interval where that was measured too."""
    value, *ends = (significant(end, lang, 3) for end in (score["floor"], *(score.get("floor_ci95") or ())))
    return f"{value} [{', '.join(ends)}]" if ends else value


def _floor(scores: Sequence[Mapping[str, Any]], lang: str) -> str:
    shown = sorted({_with_interval(score, lang) for score in scores if score.get("floor") is not None})
    return " … ".join([shown[0], shown[-1]] if len(shown) > 1 else shown)


def shown_value(score: Mapping[str, Any] | None, lang: str) -> str:
    """A value with its standard deviation over seeds, or with the interval of its one measurement."""
    if score is None:
        return NONE
    if score["value"] is None:
        return "∞"
    if score.get("sd") == 0:
        return f"{significant(score['value'], lang, 4)} ± 0"
    if "sd" in score:
        decimals = _decimals(score["sd"], score["value"])
        return f"{number(score['value'], lang, decimals)} ± {number(score['sd'], lang, decimals)}"
    if "ci95" not in score:
        return significant(score["value"], lang, 4)
    low, high = score["ci95"]
    decimals = _decimals((high - low) / 2, score["value"])
    return f"{number(score['value'], lang, decimals)} [{number(low, lang, decimals)}, {number(high, lang, decimals)}]"


def _decimals(error: float, value: float) -> int:
    """Digits after the mark that the error's second figure asks for; at most as many as show five figures of the value."""
    size = max(error if math.isfinite(error) else 0.0, abs(value) / 1e4) * (1 + 1e-9)
    return min(9, max(0, 1 - math.floor(math.log10(size)))) if size > 0 else 0


def _cost(name: str, cost: Mapping[str, Any] | None, lang: str) -> str:
    if cost is None:
        return NONE
    if cost.get("sd"):
        return shown_value(cost, lang)
    return significant(cost["value"], lang, 3) if name in ("seconds", "samples_per_second") else number(cost["value"], lang)


def explained(compared: Mapping[str, Any], lang: str) -> list[str]:
    """What the table's marks mean, what its numbers are not, and what was said of single runs."""
    groups = compared["groups"]
    notes = [text("compare.note.floor", lang)]
    if any("sd" in score for group in groups.values() for score in group["scores"].values()):
        notes.append(text("compare.note.seeds", lang))
    if any(len(group["runs"]) == 1 for group in groups.values()):
        notes.append(text("compare.note.single", lang))
    if len(groups) > 1:
        notes.append(text("compare.note.best" if any(group["best"] for group in groups.values()) else "compare.note.none", lang))
    for note in _notes(groups):
        measures = [m for m in present(groups.values()) if any(g["scores"].get(m, {}).get("note") == note for g in groups.values())]
        notes.append(
            text("compare.noted", lang, measures=", ".join(title(measure, lang) for measure in measures), note=note_words(note, lang))
        )
    notes += [text("compare.noted", lang, measures=measure, note=said) for measure, said in _sampled(groups, lang)]
    for name, entry in compared["runs"].items():
        if images := entry.get("statistics_of"):
            notes.append(text("compare.noted", lang, measures=name, note=text("refusal.note.shards", lang, images=images)))
        if entry.get("trained_on_to") is not None:
            notes.append(text("compare.note.stale", lang, run=name, step=entry["steps"], now=entry["trained_on_to"]))
    return notes + list(compared.get("notes", []))


def _run_rows(compared: Mapping[str, Any], lang: str) -> list[list[str]]:
    columns = ("run", "preset", "seed", "steps", "epochs", "images_seen", "seconds", "diagnosis")
    rows = [[text(f"compare.run.{column}", lang) for column in columns]]
    for name, entry in compared["runs"].items():
        if entry.get("source") == "images":
            rows.append([name, text("compare.foreign", lang), *[NONE] * 6])
            continue
        numbers = [number(entry["steps"], lang), significant(entry["epochs"], lang, 3), number(entry["images_seen"], lang)]
        rows.append([name, entry["preset"], str(entry["seed"]), *numbers, duration(entry["seconds"], lang), _diagnosed(entry, lang)])
    return rows


def _grid(rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose columns also stand under each other in a terminal; the first is left-aligned."""
    cells = [[" ".join(cell.replace("|", "\\|").split()) for cell in row] for row in rows]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(cells[0]))]
    lines = [
        "| " + " | ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|"
    return [lines[0], rule, *lines[1:]]


def diagnosis_words(key: str, lang: str) -> str:
    """The name of a finding; a key that this version does not know stays as it is."""
    name = f"diagnosis.{key}.name"
    return text(name, lang) if name in catalogue(lang) else key

"""What a report says of itself to machines: runs, questions and answers as one JSON object, in its page's head.

A checksum stands beside it: the sha256 of the whole page with the checksum's own place filled by zeros. It shows that a file
was edited after it was written; it proves no author, for anybody can compute it.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from latentlab.base import __version__
from latentlab.base.shapes import Each, fits, is_time_or_nothing, parse
from latentlab.base.texts import Phrase
from latentlab.config.field import ROLES
from latentlab.config.fitting import fitted_preset
from latentlab.config.presets import PRESETS
from latentlab.config.schema import Config
from latentlab.runs.folder import RunFolder
from latentlab.show.answers import Answers
from latentlab.show.answers.prediction import is_kept
from latentlab.show.card import Card

FORMAT = 1
MACHINE = (
    "device", "processor", "cores", "threads", "precision", "system", "python", "torch", "numpy", "latentlab", "source_revision",
)  # fmt: skip
SCORE = ("value", "stderr", "ci95", "floor", "unit", "n", "extractor")
RUNS = ("ae", "vae", "gan", "gan-from-vae")  # the lab's, which come first in this order
TOLD_APART = ("data.spec", "model.latent_dim")  # have entries of their own
MOST_RUNS, LONGEST_TEXT = 200, 1_000_000  # of a record that somebody else may have written
YARDSTICK = ("data", "data_fingerprint", "split", "n", "samples")
DEEPEST = 40
LARGEST_BYTES = 100_000_000
State = Literal["sound", "edited", "foreign"]

_ZEROS = "0" * 64
_META = '<meta name="latentlab-checksum" content="{}">'
_SEAL = re.compile(rb'<meta name="latentlab-checksum" content="([0-9a-f]{64})">')
_SCRIPT = '<script type="application/json" id="latentlab-record">{}</script>'
_RECORD = re.compile(rb'<script\b[^<>]{0,200}\bid="?latentlab-record\b[^<>]{0,200}>([^<]*)</script>', re.IGNORECASE)


def record(
    runs: Mapping[str, RunFolder],
    comparison: Mapping[str, Any],
    cards: Mapping[str, Card],
    answers: Answers | None,
    lang: str,
    exercises: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The record of a report. Strict JSON: what is not finite is null.

    {"format", "latentlab", "written" (UTC), "lang", "yardstick": {…}, "runs": {name: …}, "questions": {name: …}, "answers",
    "student": the number of `lab --student`, "exercises": [{"file", "sha256", "source", "results": {exercise: {check: passed}}}]}
    """
    strict: dict[str, Any] = as_strict(
        {
            "format": FORMAT,
            "latentlab": __version__,
            "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "lang": lang,
            "yardstick": {key: comparison.get(key) for key in YARDSTICK},
            "runs": {name: run_record(folder) for name, folder in runs.items()},
            "questions": {name: card_record(card) for name, card in cards.items()},
            "answers": None if answers is None else answers.to_json(),
            "student": comparison.get("student", ""),
            "exercises": [{key: each[key] for key in ("file", "sha256", "source", "results")} for each in exercises],
        }
    )
    return strict


def run_record(folder: RunFolder) -> dict[str, Any]:
    """One run: how it was made, for how long, on what, and what it reached.

    `history` is the sha256 of metrics.jsonl, which holds the seconds of every step: two trainings never share it, two
    copies of one run do.
    """
    config, environment, scores, rows = folder.config().portable(), folder.environment(), folder.scores(), folder.metrics()
    last = rows[-1] if rows else {}
    measured = scores.get("scores") or {}
    status = folder.status()
    return {
        "preset": config.preset,
        "family": config.family,
        "data": config.data.spec,
        "data_fingerprint": environment.get("data_fingerprint"),
        "config": config.to_dict(),
        "changed": changed_fields(config, environment.get("image_shape")),
        "seed": config.train.seed,
        "latent_dim": config.model.latent_dim,
        **{plural: last.get(name, 0) for name, plural in (("step", "steps"), ("epoch", "epochs"), ("seconds", "seconds"))},
        "history": hashlib.sha256(folder.metrics_file.read_bytes()).hexdigest() if rows else None,
        "state": status.get("state", "unknown"),
        "machine": {key: environment.get(key) for key in MACHINE},
        "measured_at_step": scores.get("step"),
        "scores": {name: {key: score[key] for key in SCORE if key in score} for name, score in measured.items()},
        "diagnosis": [finding["key"] for finding in status.get("diagnosis", []) if isinstance(finding, dict) and "key" in finding],
    }


def changed_fields(config: Config, shape: Sequence[int] | None) -> dict[str, Any]:
    """The fields in which a configuration differs from its preset for images of `shape` (H, W, C), by dotted name.

    Left out are those that are told apart anyway (as length and seed are), and those that change nothing in what is learned.
    """
    if config.preset not in PRESETS:
        return {}
    changed = config.differs(fitted_preset(config.preset, shape), ROLES & {"essence"})
    return {name: value for name, (value, _) in changed.items() if name not in TOLD_APART}


def card_record(card: Card) -> dict[str, Any]:
    """One question that was run: on what, which claims hold, which options of the prediction came true."""
    told = card.to_json()
    claims = [{"name": claim["name"], "verdict": claim["verdict"], "values": claim["measured"]["values"]} for claim in told["claims"]]
    return {key: told[key] for key in ("data", "seconds", "machine", "settings", "outcome", "ended")} | {"claims": claims}


def as_strict(value: Any) -> Any:
    """A value as JSON takes it: what is not finite becomes null, half a letter a question mark, NumPy's numbers plain ones."""
    match value:
        case Mapping():
            return {str(as_strict(str(key))): as_strict(inner) for key, inner in value.items()}
        case list() | tuple():
            return [as_strict(inner) for inner in value]
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case bool() | None | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case _ if hasattr(value, "tolist"):
            return as_strict(value.tolist())
        case _:
            return str(value)


_NUMBER = (int, float)
_MAYBE_NUMBER, _MAYBE_TEXT, _MAYBE_COUNT = (int, float, None), (str, None), (int, None)
_SCALAR = (str, bool, int, float, None)
_FIELDS = Each((*_SCALAR, [_SCALAR]))
_SHAPE = {
    "format": int,
    "latentlab": str,
    "written": str,
    "lang": str,
    "yardstick": Each(_SCALAR),
    "runs": Each({
        "preset": str, "family": str, "data": str, "data_fingerprint": _MAYBE_TEXT,
        "config": {"preset": str, "family": str, "data": _FIELDS, "model": _FIELDS, "train": _FIELDS},
        "changed": _FIELDS, "seed": int, "latent_dim": int, "steps": _NUMBER, "epochs": _NUMBER, "seconds": _NUMBER,
        "history": _MAYBE_TEXT, "state": str, "machine": Each(_SCALAR), "measured_at_step": _MAYBE_COUNT,
        "scores": Each({"value": _MAYBE_NUMBER}), "diagnosis": [str],
    }),
    "questions": Each({
        "data": str, "seconds": _NUMBER, "outcome": [str], "claims": [{"name": str, "verdict": str}], "ended?": is_time_or_nothing,
    }),
    "answers": (
        {"name": str, "group": str, "student?": str, "parts": Each({"prediction": _MAYBE_TEXT, "text": str, "kept?": is_kept})},
        None,
    ),
    "student?": str,
    "exercises?": [{"file": str, "sha256": str, "source": str, "results": Each(Each((bool, None)))}],
}  # fmt: skip


def is_record(value: Any) -> bool:
    """Whether a value that anybody may have written has the shape of a record, as far as anything here reads it."""
    return fits(value, _SHAPE) and _plain(value, DEEPEST) and len(value["runs"]) <= MOST_RUNS and _are_own(value["answers"])


def _are_own(answers: Mapping[str, Any] | None) -> bool:
    """Whether each prediction that was kept is that of its question, and the one that the answers tell."""
    for question, part in (answers or {"parts": {}})["parts"].items():
        kept = part.get("kept")
        if kept is not None and (kept["question"] != question or (kept["chosen"] and ",".join(kept["chosen"]) != part["prediction"])):
            return False
    return True


def _plain(value: Any, deep: int) -> bool:
    """Whether everything in a value can be written again: finite numbers that a float can hold, whole letters, no great
    depth, no text longer than a sheet."""
    if deep == 0:
        return False
    match value:
        case dict():
            return all(_plain(key, deep - 1) and _plain(inner, deep - 1) for key, inner in value.items())
        case list():
            return all(_plain(inner, deep - 1) for inner in value)
        case str():
            return len(value) <= LONGEST_TEXT and not re.search("[\ud800-\udfff]", value)
        case int() | float():
            return abs(value) < 1e300
    return value is None


@dataclass(frozen=True)
class HandedIn:
    """A file that was handed in. `record` is None where there is none that can be read."""

    path: Path
    state: State
    reason: Phrase
    record: Mapping[str, Any] | None = field(default=None, repr=False)


def seal(page: str, record: Mapping[str, Any]) -> str:
    """The page with the record and its checksum in its head, its lines ended by a line feed.

    Raises ValueError for a page without a head, one that is sealed already, and a record that is no strict JSON.
    """
    plain = re.sub(r"\r\n?", "\n", page)
    if "</head>" not in plain:
        raise ValueError("a page to seal must have a </head>")
    written = json.dumps(record, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    before, end, after = plain.partition("</head>")
    whole = before + _META.format(_ZEROS) + _SCRIPT.format(written) + end + after
    if len(_SEAL.findall(whole.encode())) != 1 or len(_RECORD.findall(whole.encode())) != 1:
        raise ValueError("a page to seal must not be sealed already")
    return whole.replace(_META.format(_ZEROS), _META.format(hashlib.sha256(whole.encode()).hexdigest()), 1)


def is_report(path: Path) -> bool:
    """Whether a file is a report of latentlab's, edited or not, of this version or another."""
    try:
        return path.stat().st_size <= LARGEST_BYTES and _RECORD.search(path.read_bytes()) is not None
    except OSError:
        return False


def open_report(path: Path) -> HandedIn:
    """What a file is: a report as it was written ("sound"), one that was changed since ("edited"), or none of ours ("foreign").

    Line ends that a mail program turned into CR LF count as unchanged. Whatever the file holds, nothing is raised.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return HandedIn(path, "foreign", Phrase("grade.reason.large", {"megabytes": LARGEST_BYTES // 1_000_000}))
        content = path.read_bytes()
    except OSError as error:
        return HandedIn(path, "foreign", Phrase("grade.reason.unreadable", {"error": error.strerror or type(error).__name__}))
    return judged(path, content)


def judged(path: Path, content: bytes) -> HandedIn:
    """What the content of a file makes it, see `open_report`."""
    seals, records = _SEAL.findall(content), _RECORD.findall(content)
    if not records:
        return HandedIn(path, "foreign", Phrase("grade.reason.foreign"))
    unchanged = len(seals) == len(records) == 1 and (_holds(content, seals[0]) or _holds(content.replace(b"\r\n", b"\n"), seals[0]))
    written = _read(records[0])
    if is_record(written) and written["format"] == FORMAT:
        if unchanged:
            return HandedIn(path, "sound", Phrase("grade.reason.sound"), written)
        return HandedIn(path, "edited", Phrase("grade.reason.edited" if seals else "grade.reason.unsealed"), written)
    if unchanged:  # whole, and yet not what this version writes
        return HandedIn(path, "foreign", Phrase("grade.reason.other"))
    return HandedIn(path, "edited", Phrase("grade.reason.unreadable-record"))


def _holds(content: bytes, checksum: bytes) -> bool:
    opened = _SEAL.sub(_META.format(_ZEROS).encode(), content, count=1)
    return hashlib.sha256(opened).hexdigest().encode() == checksum


def _read(written: bytes) -> Any:
    """The JSON of a record; None for anything else."""
    try:
        return parse(written)
    except ValueError:
        return None

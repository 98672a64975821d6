"""Sheets, cards and sealed pages for tests of what is handed in. The questions' texts are short ones of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import latentlab.base.texts
from latentlab.runs.folder import RunFolder
from latentlab.show.answers import Answers, parsed
from latentlab.show.answers.record import record, seal
from latentlab.show.card import NAMES, Card, Claim

OPTIONS = {"falls": ("It falls, then rises.", "Elle baisse, puis monte."), "rises": ("It rises", "Elle monte"), "0": ("Nothing", "Rien")}
PAGE = '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>t</title></head>\n<body><p>é</p></body>\n</html>\n'


@contextmanager
def short_questions() -> Iterator[None]:
    """The questions with three options and two claims each, whatever locales/ says of them."""
    read = latentlab.base.texts._read

    def with_questions(lang: str) -> dict[str, str]:
        place = ("en", "fr").index(lang)
        found = {key: words for key, words in read(lang).items() if not key.startswith("question.")}
        for name in NAMES:
            own = f"question.{name}"
            found |= {f"{own}.title": f"Title of {name}", f"{own}.ask": f"What of {name}?", f"{own}.predict": "Which?"}
            found |= {f"{own}.option.{option}": words[place] for option, words in OPTIONS.items()}
            found |= {f"{own}.claim.{claim}": f"Claim {claim}." for claim in ("first", "second")}
            found |= {f"{own}.measured.{claim}": "It was {x}." for claim in ("first", "second")}
            found |= {f"{own}.against.{claim}": "chance" for claim in ("first", "second")}
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latentlab.base.texts, "_read", with_questions)
        yield


def card(question: str, outcome: tuple[str, ...] = ("falls",)) -> Card:
    """A question that was run: one claim holds, one is contradicted."""
    claims = (Claim("first", "holds", {"x": 1.5}), Claim("second", "contradicted", {"x": None}))
    return Card(question, "digits", 70.0, {"images": {"train": 640}}, {"steps": 30}, outcome, claims, (), {"x": 1.5}, ())


def bare_card(question: str) -> Card:
    """A question that was run, of which nothing came."""
    return Card(question, "digits", 70.0, {"images": {"train": 640}}, {"steps": 30}, (), (), (), {}, ())


def handed_in(
    path: Path,
    runs: dict[str, RunFolder],
    sheet: str | Answers | None,
    cards: dict[str, Card] | None = None,
    page: str = PAGE,
    **changes: Any,
) -> Path:
    """A sealed page as a student hands it in; `changes` are entries of its record."""
    answers: Answers | None = parsed(sheet) if isinstance(sheet, str) else sheet
    path.write_bytes(seal(page, record(runs, {}, cards or {}, answers, "en") | changes).encode())
    return path

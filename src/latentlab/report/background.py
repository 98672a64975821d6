"""Background and glossary: what a reader should know of latent spaces, likelihoods and games, and the words of the field."""

from __future__ import annotations

import unicodedata

from latentlab.report.context import Context
from latentlab.report.markup import escape, tag
from latentlab.texts import catalogue


def background(c: Context) -> str:
    """The paragraphs, by part, and the glossary in the order of its words."""
    parts = [
        tag("h3", c.say(f"background.{part}"))
        + "".join(c.paragraph(key) for key in _numbered(c.lang, f"background.{part}"))
        for part in PARTS
    ]  # fmt: skip
    keys = [key.removeprefix("glossary.") for key in catalogue(c.lang) if key.startswith("glossary.")]
    terms = [key for key in keys if not key.endswith(".is")]
    words = sorted(((c.plain(f"glossary.{term}"), c.say(f"glossary.{term}.is")) for term in terms), key=lambda pair: _plain(pair[0]))
    entries = [tag("dt", escape(word[:1].upper() + word[1:])) + tag("dd", meaning) for word, meaning in words]
    return "".join(parts) + tag("h3", c.say("background.glossary")) + tag("dl", *entries, class_="measures glossary")


PARTS = ("models", "latent", "likelihood", "game", "measuring")


def _plain(word: str) -> str:
    """A word as a dictionary orders it: without case and accents."""
    return "".join(letter for letter in unicodedata.normalize("NFD", word.casefold()) if not unicodedata.combining(letter))


def _numbered(lang: str, start: str) -> list[str]:
    keys = [key for key in catalogue(lang) if key.startswith(start + ".")]
    return sorted(keys, key=lambda key: int(key.rpartition(".")[2]))

"""How much of an answer stands in another one, or in latentlab's own: a number and the two passages, never a verdict.

Winnowing (Schleimer, Wilkerson & Aiken 2003): of the hashes of all runs of WORDS words the smallest in each window is a
fingerprint. Whatever two texts share in WINDOW + WORDS − 1 words in a row is found; capitals, spaces and signs do not count.
"""

from __future__ import annotations

import difflib
import itertools
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from latentlab.base.texts import catalogue, languages
from latentlab.show.card import NAMES

WORDS, WINDOW = 5, 4  # of a fingerprint, and fingerprints of which one is kept
LEAST_SHARE = 0.2  # of a text's fingerprints: below, common phrases of the subject do it
SHOWN = 3  # of the texts that one is like
OWN = "latentlab"  # whose answers the model answers are
COMPARED = 4_000  # words of which the longest run in common is looked for
_WORD = re.compile(r"\w+")


class Alike(NamedTuple):
    """What one text shares with another."""

    other: str  # the file, or OWN
    share: float  # of this text's fingerprints that stand in the other
    mine: str  # the longest passage in common, as it is written here
    theirs: str  # and there


def fingerprints(text: str) -> frozenset[int]:
    """The fingerprints of a text; none of one of fewer than WINDOW + WORDS − 1 words, which others write by chance."""
    words = _WORD.findall(text.casefold())
    hashes = [zlib.crc32(" ".join(words[at : at + WORDS]).encode("utf-8", "replace")) for at in range(len(words) - WORDS + 1)]
    return frozenset(min(hashes[at : at + WINDOW]) for at in range(len(hashes) - WINDOW + 1))


def passages(mine: str, theirs: str) -> tuple[str, str]:
    """The longest run of words that two texts share, as each writes it."""
    sides = [
        [(match.group().casefold(), match.start(), match.end()) for match in itertools.islice(_WORD.finditer(text), COMPARED)]
        for text in (mine, theirs)
    ]
    words = [[word for word, _, _ in side] for side in sides]
    found = difflib.SequenceMatcher(a=words[0], b=words[1]).find_longest_match()  # junk: words in more than 1 %, or it takes minutes
    if not found.size:
        return "", ""
    ends = ((sides[0], found.a, mine), (sides[1], found.b, theirs))
    first, second = (text[side[at][1] : side[at + found.size - 1][2]] for side, at, text in ends)
    return first, second


def model_answers(question: str) -> list[str]:
    """latentlab's own answer to a question in each language."""
    own = ".".join(("question", question, "answer", ""))
    return ["\n\n".join(words for key, words in catalogue(lang).items() if key.startswith(own)) for lang in languages()]


def alike(texts: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, list[Alike]]]:
    """file → section → what its text there shares with other files' and with latentlab's own: the SHOWN with the most, those first.

    `texts` holds file → section → text. A hundred and twenty files of seven answers take seconds: only texts that have a
    fingerprint in common are compared word by word.
    """
    found: dict[str, dict[str, list[Alike]]] = {file: {} for file in texts}
    for section in dict.fromkeys(section for parts in texts.values() for section in parts):
        sources = [(file, parts[section]) for file, parts in texts.items() if parts.get(section)]
        sources += [(OWN, text) for text in (model_answers(section) if section in NAMES else ())]
        marks = [fingerprints(text) for _, text in sources]
        for row, pairs in _in_common(marks).items():
            file, text = sources[row]
            if file == OWN:
                continue
            near = [(shared / len(marks[row]), other) for other, shared in pairs.items() if shared >= LEAST_SHARE * len(marks[row])]
            told = [
                Alike(sources[other][0], share, *passages(text, sources[other][1])) for share, other in sorted(near, reverse=True)[:SHOWN]
            ]
            if told:
                found[file][section] = told
    return found


def _in_common(marks: Sequence[frozenset[int]]) -> dict[int, dict[int, int]]:
    """text → other text → how many fingerprints they share."""
    holders: dict[int, list[int]] = {}
    for row, own in enumerate(marks):
        for mark in own:
            holders.setdefault(mark, []).append(row)
    counts: dict[int, dict[int, int]] = {}
    for rows in holders.values():
        for row, other in _pairs(rows):
            counts.setdefault(row, {})[other] = counts.get(row, {}).get(other, 0) + 1
    return counts


def _pairs(rows: Sequence[int]) -> Iterable[tuple[int, int]]:
    return ((row, other) for row in rows for other in rows if other != row)

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
LEAST_SHARED = 16  # fingerprints, of some forty words in a row, which are told in a text of any length
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
    """latentlab's own answer to a question and its analogy, in each language."""
    own = tuple(".".join(("question", question, part)) for part in ("answer.", "analogy"))
    return ["\n\n".join(words for key, words in catalogue(lang).items() if key.startswith(own)) for lang in languages()]


def alike(texts: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, list[Alike]]]:
    """file → section → what its text there shares with other files', the SHOWN with the most, and with latentlab's own; most first.

    `texts` holds file → section → text. Files are compared section by section, latentlab's answers to all questions with every one.
    A hundred and twenty files of seven answers take seconds: only texts that have a fingerprint in common are compared word by word.
    """
    found: dict[str, dict[str, list[Alike]]] = {file: {} for file in texts}
    own = [(OWN, text) for question in NAMES for text in model_answers(question)]
    for section in dict.fromkeys(section for parts in texts.values() for section in parts):
        written = [(file, parts[section]) for file, parts in texts.items() if parts.get(section)]
        sources = written + own
        marks = [fingerprints(text) for _, text in sources]
        common = _in_common(marks)
        for row, (file, text) in enumerate(written):
            least = min(LEAST_SHARE * len(marks[row]), LEAST_SHARED)
            near = sorted(((shared, other) for other, shared in common.get(row, {}).items() if shared >= least), reverse=True)
            others, ours = ([one for one in near if (one[1] >= len(written)) == is_own] for is_own in (False, True))
            if told := sorted(others[:SHOWN] + ours[:1], reverse=True):
                found[file][section] = [
                    Alike(sources[other][0], shared / len(marks[row]), *passages(text, sources[other][1])) for shared, other in told
                ]
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

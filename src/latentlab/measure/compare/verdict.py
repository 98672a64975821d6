"""Five questions about runs side by side: who is first, who is next, and whether their intervals settle it.

A run with a finding that is not over is ranked in nothing, one whose samples cover next to nothing in no row about samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from latentlab.measure.compare.groups import one_protocol, side
from latentlab.measure.table import BY_NAME, score_of

# The question, its measure or cost, and whether lower is better (1) or higher (−1).
QUESTIONS = (
    ("reconstructs", "reconstruction_mse", 1.0), ("real", "kid", 1.0), ("kinds", "recall", -1.0), ("classes", "knn_accuracy", -1.0),
    ("fastest", "seconds", 1.0),
)  # fmt: skip
COVERING = 0.2  # recall: below it samples show too few kinds of images to be praised

Group = Mapping[str, Any]


class Answer(NamedTuple):
    """One row. `ranked` are the names of groups of runs with their scores, best first; `state` says what that is worth."""

    question: str
    measure: str
    ranked: list[tuple[str, Mapping[str, Any]]]
    state: Literal["settled", "unsettled", "once", "alone", "unlike", "unsound", "unmeasured"]


def unsound(group: Group) -> list[str]:
    """Why a group of runs is not praised: the keys of its findings that are not over, and "uncovered" for a recall below COVERING."""
    recall = score_of(group, "recall")
    covers = recall is None or recall["value"] is None or recall["value"] >= COVERING
    return [*group.get("alarms", []), *([] if covers else ["uncovered"])]


def verdict(groups: Mapping[str, Group]) -> list[Answer]:
    """An answer to each of the questions, of `comparison`'s groups."""
    return [_answer(question, measure, sign, groups) for question, measure, sign in QUESTIONS]


def _answer(question: str, measure: str, sign: float, groups: Mapping[str, Group]) -> Answer:
    told = {name: score for name, group in groups.items() if (score := score_of(group, measure)) is not None and score["value"] is not None}
    of_samples = measure in BY_NAME and BY_NAME[measure].group == "samples"
    sound = {name: score for name, score in told.items() if not {*unsound(groups[name])} - ({"uncovered"} if not of_samples else set())}
    ranked = sorted(sound.items(), key=lambda pair: sign * pair[1]["value"])
    if not ranked:
        return Answer(question, measure, [], "unsound" if told else "unmeasured")
    if len(ranked) == 1:
        return Answer(question, measure, ranked, "alone")
    if measure in BY_NAME and not one_protocol(measure, [score for _, score in ranked]):
        return Answer(question, measure, [], "unlike")
    sides = [side(score, sign) for _, score in ranked]
    if any(each is None for each in sides):
        return Answer(question, measure, ranked, "once")
    first, *others = [each for each in sides if each is not None]
    return Answer(question, measure, ranked, "settled" if all(first[1] < low for low, _ in others) else "unsettled")

"""One card: a question's experiment as card.json holds it.

The words of a card are texts whose keys begin with the question's name, in locales/*/question-NAME.json; numbers come from
card.json alone:

    question.NAME.title           a few words
    question.NAME.ask             the question
    question.NAME.predict         what to predict before the experiment runs
    question.NAME.option.X        an answer that can be predicted
    question.NAME.experiment.N    what the experiment does, paragraph by paragraph
    question.NAME.answer.N        the answer in plain words, paragraph by paragraph
    question.NAME.formula.N       what the N-th formula says; the formulas stand in latentlab.cards.formulas
    question.NAME.analogy         an everyday analogy
    question.NAME.claim.X         a claim that the experiment tests
    question.NAME.measured.X      what was measured about it, with the claim's values filled in
    question.NAME.next.N          what to try next
    question.NAME.source.N        where it comes from
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from latentlab.errors import LabError
from latentlab.files import replace_json
from latentlab.panels import Panel, Phrase, panel_json, panel_read
from latentlab.texts import catalogue

# In the order in which they are best asked.
NAMES = (
    "reparameterization",
    "kl",
    "latent-dim",
    "decoder-as-generator",
    "encoder-vs-discriminator",
    "ae-vs-vae-vs-gan",
    "gan-stability",
)
FORMAT = 1
FOLDER = Path("runs/questions")  # where cards go, and where reports look for them, unless told otherwise
Verdict = Literal["holds", "contradicted", "unclear"]


@dataclass(frozen=True)
class Claim:
    """A claim of the answer and what the experiment says of it. `values` fill in `question.NAME.measured.X`."""

    name: str
    verdict: Verdict
    values: Mapping[str, Any]  # as in a Phrase

    def measured(self, question: str) -> Phrase:
        """What was measured about it."""
        return Phrase(f"question.{question}.measured.{self.name}", self.values)


def judged(difference: float, low: float | None, high: float | None) -> Verdict:
    """Whether a claim that a difference is positive holds: by its 95 % interval [low, high], else not settled.

    >>> judged(1.0, 0.5, 1.5), judged(-1.0, -1.5, -0.5), judged(1.0, -0.5, 2.5), judged(1.0, None, None)
    ('holds', 'contradicted', 'unclear', 'unclear')
    """
    if low is None or high is None or low <= 0 <= high:
        return "unclear"
    return "holds" if difference > 0 else "contradicted"


@dataclass(frozen=True)
class Card:
    """What the experiment of a question gave."""

    question: str
    data: str
    seconds: float  # from start to end, as it was run first
    machine: Mapping[str, Any]  # threads, processes, torch, the data's fingerprint …
    settings: Mapping[str, Any]  # what was trained, as names and numbers
    outcome: tuple[str, ...]  # the options of the prediction that came true
    claims: tuple[Claim, ...]
    panels: tuple[Panel, ...]
    numbers: Mapping[str, Any]  # every measured value by name, for whoever computes on
    runs: tuple[str, ...]  # run folders below the card's own

    def __post_init__(self) -> None:
        if self.question not in NAMES:
            raise ValueError(f"a card's question must be one of {', '.join(NAMES)}. Got {self.question!r}")

    def claim(self, name: str) -> Claim:
        """A claim by its name."""
        return next(claim for claim in self.claims if claim.name == name)

    def to_json(self) -> dict[str, Any]:
        """What card.json holds."""
        claims = [
            {"name": claim.name, "verdict": claim.verdict, "measured": claim.measured(self.question).to_json()} for claim in self.claims
        ]
        return {
            "format": FORMAT,
            "question": self.question,
            "data": self.data,
            "seconds": self.seconds,
            "machine": dict(self.machine),
            "settings": dict(self.settings),
            "outcome": list(self.outcome),
            "claims": claims,
            "numbers": dict(self.numbers),
            "panels": [panel_json(panel) for panel in self.panels],
            "runs": list(self.runs),
        }

    def save(self, folder: Path) -> Path:
        """Write card.json into a folder."""
        path = folder / "card.json"
        replace_json(path, self.to_json())
        return path


def read_card(folder: Path) -> Card:
    """The card in a folder. Raises LabError when there is none or it is damaged."""
    import json

    path = folder / "card.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["format"] != FORMAT:
            raise ValueError("format")
        claims = tuple(Claim(c["name"], c["verdict"], Phrase.from_json(c["measured"]).values) for c in found["claims"])
        return Card(
            found["question"], found["data"], float(found["seconds"]), found["machine"], found["settings"], tuple(found["outcome"]),
            claims, tuple(map(panel_read, found["panels"])), found["numbers"], tuple(found["runs"]),
        )  # fmt: skip
    except FileNotFoundError:
        raise LabError(f"{folder} must hold a card.json. It holds none. Run the question: `latentlab question NAME`.") from None
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise LabError(f"{path} is damaged ({type(error).__name__}). Run the question again with --fresh.") from None


def options(question: str) -> list[str]:
    """What can be predicted, in the order of the texts."""
    start = ".".join(("question", question, "option", ""))
    return [key.removeprefix(start) for key in catalogue("en") if key.startswith(start)]


def count(question: str, part: str) -> int:
    """How many texts a numbered part of a question has."""
    start = ".".join(("question", question, part, ""))
    return sum(key.startswith(start) for key in catalogue("en"))


def found_cards(folder: Path, names: Sequence[str] = NAMES) -> dict[str, Card]:
    """The cards below a folder of questions, by name; those that were not run are left out."""
    return {name: read_card(folder / name) for name in names if (folder / name / "card.json").is_file()}

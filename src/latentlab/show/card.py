"""One card: a question's experiment as card.json holds it.

The words of a card are texts whose keys begin with the question's name, in locales/*/question-NAME.json; numbers come from
card.json alone:

    question.NAME.title           a few words
    question.NAME.ask             the question
    question.NAME.predict         what to predict before the experiment runs
    question.NAME.option.X        an answer that can be predicted
    question.NAME.experiment.N    what the experiment does, paragraph by paragraph
    question.NAME.answer.N        the answer in plain words, paragraph by paragraph
    question.NAME.formula.N       what the N-th formula says; the formulas stand in latentlab.show.card
    question.NAME.analogy         an everyday analogy
    question.NAME.claim.X         a claim that the experiment tests
    question.NAME.measured.X      what was measured about it, with the claim's values filled in
    question.NAME.against.X       the control arm and the null that it is judged against
    question.NAME.judged.X        by which interval, over how many repeats, where not as `card.judged` says
    question.NAME.next.N          what to try next
    question.NAME.source.N        where it comes from
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from latentlab.base.errors import LabError
from latentlab.base.files import read_json, replace_json
from latentlab.base.shapes import Each, fits, is_time_or_nothing
from latentlab.base.texts import Phrase, catalogue, clauses, languages, text
from latentlab.show.charts.panels import Bars, Lines, Panel, Pictures, Series, panel_json, panel_read

# The questions in the order in which they are best asked, each with its formulas in the mathematical notation that matplotlib
# typesets, the same in every language. What a formula says stands in `question.NAME.formula.N`, N from 1.
FORMULAS: dict[str, tuple[str, ...]] = {
    "reparameterization": (
        r"\nabla_\phi\, \mathbb{E}_{q_\phi(z \mid x)}\left[\log p_\theta(x \mid z)\right] = \mathbb{E}_{\epsilon \sim \mathcal{N}(0, I)}\left[\nabla_\phi \log p_\theta(x \mid \mu_\phi(x) + \sigma_\phi(x) \odot \epsilon)\right]",
        r"\nabla_\phi\, \mathbb{E}_{q_\phi(z \mid x)}\left[\log p_\theta(x \mid z)\right] = \mathbb{E}_{q_\phi(z \mid x)}\left[(\log p_\theta(x \mid z) - b)\, \nabla_\phi \log q_\phi(z \mid x)\right]",
        r"\mathrm{ELBO}(x) = \mathbb{E}_{q_\phi(z \mid x)}\left[\log p_\theta(x \mid z)\right] - \mathrm{KL}(q_\phi(z \mid x)\,\Vert\,p(z))",
    ),
    "kl": (
        r"\mathcal{L}_\beta(x) = \mathbb{E}_{q_\phi(z \mid x)}\left[-\log p_\theta(x \mid z)\right] + \beta\, \mathrm{KL}(q_\phi(z \mid x)\,\Vert\,p(z))",
        r"\mathrm{KL} = \frac{1}{2} \sum_{j=1}^{Z} \left(\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2\right)",
        r"\mathbb{E}_x\, \mathrm{KL}(q(z \mid x)\,\Vert\,p(z)) = I(x; z) + \mathrm{KL}(q(z)\,\Vert\,p(z)),\qquad q(z) = \frac{1}{N} \sum_{n=1}^{N} q(z \mid x_n)",
    ),
    "latent-dim": (
        r"\mathrm{AE}:\quad \min_{\phi,\theta}\; -\log p_\theta(x \mid z),\qquad z = f_\phi(x)",
        r"\mathrm{VAE}:\quad \min_{\phi,\theta}\; \mathbb{E}_{q_\phi(z \mid x)}\left[-\log p_\theta(x \mid z)\right] + \sum_{j=1}^{Z} \mathrm{KL}(q_\phi(z_j \mid x)\,\Vert\,p(z_j))",
        r"q_\phi(z_j \mid x) = \mathcal{N}(0, 1)\;\mathrm{for\ all}\;x\quad\Rightarrow\quad \mathrm{KL}_j = 0",
    ),
    "decoder-as-generator": (
        r"\mathrm{VAE}:\quad z \sim q_\phi(z \mid x),\qquad \min_{\theta,\phi}\; -\log p_\theta(x \mid z) + \mathrm{KL}(q_\phi(z \mid x)\,\Vert\,p(z))",
        r"\mathrm{GAN}:\quad z \sim p(z) = \mathcal{N}(0, I),\qquad \min_{\theta}\; -\mathbb{E}_z\, D(G_\theta(z))",
        r"\theta_0 = \theta_{\mathrm{VAE}},\qquad \frac{\Vert \theta_t - \theta_0 \Vert}{\Vert \theta_0 \Vert}",
    ),
    "encoder-vs-discriminator": (
        r"E_\phi:\; x \mapsto (\mu, \sigma^2),\qquad D_\psi:\; x \mapsto \ell \in \mathbb{R}",
        r"\min_{\phi,\theta}\; \mathbb{E}_{q_\phi(z \mid x)}\left[-\log p_\theta(x \mid z)\right] + \mathrm{KL}(q_\phi(z \mid x)\,\Vert\,p(z))",
        r"\min_G \max_D\; \mathbb{E}_x \log \sigma(D(x)) + \mathbb{E}_z \log (1 - \sigma(D(G(z))))",
        r"D^*(x) = \log \frac{p_{\mathrm{data}}(x)}{p_G(x)}",
    ),
    "ae-vs-vae-vs-gan": (
        r"\mathrm{AE}:\quad \min_{\phi,\theta}\; \mathbb{E}_x\, d(x, g_\theta(f_\phi(x)))",
        r"\mathrm{VAE}:\quad \log p_\theta(x) \geq \mathbb{E}_{q_\phi(z \mid x)}\left[\log p_\theta(x \mid z)\right] - \mathrm{KL}(q_\phi(z \mid x)\,\Vert\,p(z))",
        r"\mathrm{GAN}:\quad \min_G \max_D\; \mathbb{E}_x \log \sigma(D(x)) + \mathbb{E}_z \log (1 - \sigma(D(G(z))))",
    ),
    "gan-stability": (
        r"\mathcal{L}_G = -\mathbb{E}_z \log \sigma(D(G(z))),\qquad \frac{\partial \mathcal{L}_G}{\partial D(G(z))} = -\sigma(-D(G(z)))",
        r"\mathcal{L}_D = -\mathbb{E}_x\left[\,0.9\,\log \sigma(D(x)) + 0.1\,\log (1 - \sigma(D(x)))\,\right] - \mathbb{E}_z \log (1 - \sigma(D(G(z))))",
        r"D^*(x) = \log \frac{0.9\,p_{\mathrm{data}}(x)}{0.1\,p_{\mathrm{data}}(x) + p_G(x)}",
        r"\bar W = \frac{W}{\sigma_{\max}(W)}\quad\Rightarrow\quad |D(x) - D(y)| \leq L\,\Vert x - y \Vert",
    ),
}

NAMES = tuple(FORMULAS)
FORMAT = 1
FOLDER = Path("runs/questions")  # where cards go, and where reports look for them, unless told otherwise
Verdict = Literal["holds", "contradicted", "unclear"]


@dataclass(frozen=True)
class Claim:
    """A claim of the answer and what the experiment says of it. `values` fill in `question.NAME.measured.X`."""

    name: str
    verdict: Verdict
    values: Mapping[str, Any]  # as in a Phrase

    def said(self, question: str) -> Phrase:
        """The claim itself."""
        return Phrase(f"question.{question}.claim.{self.name}")

    def measured(self, question: str) -> Phrase:
        """What was measured about it."""
        return Phrase(f"question.{question}.measured.{self.name}", self.values)

    def against(self, question: str) -> Phrase:
        """The control arm and the null."""
        return Phrase("card.against", {"against": Phrase(f"question.{question}.against.{self.name}")})

    def told(self, question: str) -> tuple[Phrase, ...]:
        """What was measured, against what, by which interval if not the card's, and where it held when it was repeated, if not in both."""
        interval = f"question.{question}.judged.{self.name}"
        own = (Phrase(interval, self.values),) if interval in catalogue("en") else ()
        return (self.measured(question), self.against(question), *own, *where_it_held(question, self.name))


@functools.cache
def _repeated() -> dict[str, dict[str, dict[str, list[str]]]]:
    """question → claim → data set → its verdicts with fresh seeds, as `benchmarks/bench_claims.py` wrote them."""
    written = resources.files("latentlab.show").joinpath("claims.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, dict[str, list[str]]]] = json.loads(written)["claims"]
    return found


def where_it_held(question: str, claim: str) -> list[Phrase]:
    """In which data set alone a claim held in most repetitions, or that it did in neither; nothing if in both, or not repeated."""
    sets = _repeated().get(question, {}).get(claim, {})
    held = [data for data, verdicts in sets.items() if 2 * verdicts.count("holds") > len(verdicts)]
    if len(held) == len(sets):
        return []
    return [Phrase("card.only", {"data": held[0]}) if held else Phrase("card.neither", {"count": len(sets["digits"])})]


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
    ended: str = ""  # when the experiment ended (UTC, ISO 8601); "" where that is not known

    def __post_init__(self) -> None:
        if self.question not in NAMES:
            raise ValueError(f"a card's question must be one of {', '.join(NAMES)}. Got {self.question!r}")

    @property
    def seeds(self) -> int:
        """How many seeds each arm was trained with."""
        return int(self.settings.get("seeds", 1))

    @property
    def judged(self) -> Phrase:
        """How its claims are judged, but those that say otherwise."""
        return Phrase("card.judged", {"seeds": self.seeds})

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
            "ended": self.ended,
        }

    def save(self, folder: Path) -> Path:
        """Write card.json into a folder."""
        path = folder / "card.json"
        replace_json(path, self.to_json())
        return path


def read_card(folder: Path) -> Card:
    """The card in a folder. Raises LabError when there is none, it is damaged, or this version has no words for it."""
    path = folder / "card.json"
    try:
        content = read_json(path)
        if not fits(content, SHAPE):
            raise ValueError("shape")
        claims = tuple(Claim(c["name"], c["verdict"], Phrase.from_json(c["measured"]).values) for c in content["claims"])
        card = Card(
            content["question"], content["data"], float(content["seconds"]), content["machine"], content["settings"],
            tuple(content["outcome"]), claims, tuple(map(panel_read, content["panels"])), content["numbers"], tuple(content["runs"]),
            content.get("ended", ""),
        )  # fmt: skip
        check_words(card)
    except FileNotFoundError:
        raise LabError(f"{folder} must hold a card.json. It holds none. Run the question: `latentlab question NAME`.") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError, OSError):
        raise unreadable(folder) from None
    return card


def unreadable(folder: Path) -> LabError:
    """What is said of a card that cannot be shown."""
    return LabError(f"{folder / 'card.json'} is damaged or of another version. Run the question again with --fresh.")


def _panel_fits(panel: Any) -> bool:
    """Whether what a panel of card.json draws are numbers."""
    levels = (*panel.get("marks", ()), *panel.get("lines", ()))
    return fits(panel.get("series", []), [SERIES]) and all(fits(level, NUMBER) for level, _ in levels)


NUMBER = (int, float, None)
SERIES = {"y": [NUMBER], "x": [NUMBER], "low": [NUMBER], "high": [NUMBER], "series_kind": str}
SHAPE = {
    "format": lambda number: number == FORMAT,
    "question": str,
    "data": str,
    "seconds": lambda seconds: fits(seconds, (int, float)) and 0 <= seconds < math.inf,
    "machine": lambda machine: fits(machine, {}) and fits(machine.get("images", {}), Each(int)),
    "settings": {"seeds?": int},
    "outcome": [str],
    "claims": [{"name": str, "verdict": get_args(Verdict).__contains__, "measured": {}}],
    "numbers": {},
    "panels": [_panel_fits],
    "runs": [str],
    "ended?": is_time_or_nothing,
}


def check_words(card: Card) -> None:
    """Raise ValueError or KeyError for a card that this version cannot tell in every language."""
    if not set(card.outcome) <= set(options(card.question)):
        raise ValueError("outcome")
    said = [phrase for panel in card.panels for phrase in phrases(panel)]
    said += [phrase for claim in card.claims for phrase in (claim.said(card.question), *claim.told(card.question))]
    for lang in languages():
        for phrase in said:
            phrase.say(lang)  # KeyError for a text that there is none of, and for a value that is missing


def phrases(part: Any) -> Iterator[Phrase]:
    """Every phrase of a panel, whatever part of it holds it."""
    match part:
        case Phrase():
            yield part
        case tuple():
            for each in part:
                yield from phrases(each)
        case Series() | Lines() | Bars() | Pictures():
            for name in vars(part):
                yield from phrases(getattr(part, name))


def options(question: str) -> list[str]:
    """What can be predicted, in the order of the texts."""
    return _texts(question, "option")


def options_in_words(question: str, chosen: Iterable[str], lang: str) -> str:
    """Options as a part of a sentence, without their own full stops; one that this version does not know by its own name."""
    known = options(question)
    each = (text(f"question.{question}.option.{name}", lang).rstrip(".") if name in known else name for name in chosen)
    return clauses(each, lang)


def count(question: str, part: str) -> int:
    """How many texts a numbered part of a question has."""
    return len(_texts(question, part))


def _texts(question: str, part: str) -> list[str]:
    """What the keys of a part of a question end in."""
    start = ".".join(("question", question, part, ""))
    return [key.removeprefix(start) for key in catalogue("en") if key.startswith(start)]


def found_cards(folder: Path, names: Sequence[str] = NAMES, say: Callable[[str], None] | None = None) -> dict[str, Card]:
    """The cards below a folder of questions, by name; those that were not run are left out.

    Raises LabError for one that cannot be shown or is of another question than its folder; with `say`, that is said and the
    card left out.
    """
    cards: dict[str, Card] = {}
    for name in names:
        if not (folder / name / "card.json").is_file():
            continue
        try:
            card = read_card(folder / name)
            if card.question != name:
                raise unreadable(folder / name)
        except LabError as error:
            if say is None:
                raise
            say(str(error))
        else:
            cards[name] = card
    return cards

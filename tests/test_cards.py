"""Cards: their form, their texts, their page."""

from __future__ import annotations

import json
import math
import re
import sys
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from latex2mathml.converter import convert

import latentlab.show.card
from latentlab.base.errors import LabError
from latentlab.base.texts import Phrase, catalogue, spoken, text
from latentlab.show.card import FORMULAS, NAMES, Card, Claim, count, found_cards, judged, options, read_card
from latentlab.show.charts.panels import Bars, Lines, Series
from latentlab.show.report import write_card_page

ONCE = {"title", "ask", "predict", "analogy"}
NUMBERED = {"experiment", "answer", "formula", "next", "source"}
NAMED = {"option", "claim", "measured", "against", "panel"}


def parts(question: str) -> dict[str, list[str]]:
    """The texts of a question, part by part."""
    found: dict[str, list[str]] = {}
    for key in catalogue("en"):
        if key.startswith(f"question.{question}."):
            part, _, rest = key.removeprefix(f"question.{question}.").partition(".")
            found.setdefault(part, []).append(rest)
    return found


def test_every_text_belongs_to_a_question_that_there_is():
    for key in catalogue("en"):
        if key.startswith("question."):
            assert key.split(".")[1] in NAMES, key


@pytest.mark.parametrize("question", NAMES)
def test_a_question_is_whole(question):
    found = parts(question)
    assert set(found) - {"judged"} == ONCE | NUMBERED | NAMED
    assert set(found.get("judged", ())) < set(found["claim"])
    for part in ONCE:
        assert found[part] == [""]
    for part in NUMBERED:
        assert sorted(map(int, found[part])) == list(range(1, len(found[part]) + 1)), part
        assert count(question, part) == len(found[part])
    assert 3 <= len(options(question)) <= 8
    assert len(found["answer"]) >= 3
    assert len(found["next"]) >= 3
    assert len(found["source"]) >= 2
    assert set(found["claim"]) == set(found["measured"])
    assert 3 <= len(found["claim"]) <= 8
    assert len(FORMULAS[question]) == len(found["formula"]) >= 2


@pytest.mark.parametrize("question", NAMES)
def test_numbers_are_filled_in_and_never_typed(question):
    """What was measured stands in placeholders: a measured sentence has some, and a claim has none."""
    for lang in ("en", "fr"):
        for key, words in catalogue(lang).items():
            if key.startswith(f"question.{question}.measured."):
                assert "{" in words, key
                said = re.sub(r"\{\w+\}", "", words)
                assert not set(re.findall(r"\d[.,]\d{2,}", said)) - {"0.01", "0,01"}, key  # 0.01: what an active unit is
            elif key.startswith(f"question.{question}.claim."):
                assert "{" not in words, key


@pytest.mark.parametrize("question", NAMES)
def test_every_panel_text_is_used_by_its_own_experiment(question):
    folder = Path(latentlab.__file__).parent / "lab" / "questions"
    sources = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    for name in parts(question)["panel"]:
        pieces = [name, *(".".join(name.split(".")[:n]) + "." for n in range(1, name.count(".") + 1))]
        assert any(re.search(rf"""["'.]{re.escape(piece)}["'{{]""", sources) for piece in pieces), name


@pytest.mark.parametrize("question", NAMES)
def test_what_to_try_next_are_commands_that_there_are(question):
    from latentlab.cli import COMMANDS
    from latentlab.config.presets import PRESETS

    for lang in ("en", "fr"):
        for n in range(1, count(question, "next") + 1):
            for command, first in re.findall(r"latentlab (\w+) ?([\w-]*)", catalogue(lang)[f"question.{question}.next.{n}"]):
                assert command in COMMANDS, command
                if command in ("train", "sweep"):
                    assert first in PRESETS, first


@pytest.mark.parametrize("question", NAMES)
def test_formulas_are_typeset(question):
    for formula in FORMULAS[question]:
        shown = convert(formula, display="block")
        assert "<merror" not in shown
        assert "\\" not in re.sub(r"<annotation.*?</annotation>", "", shown), formula


numbers = st.one_of(
    st.none(),
    st.integers(-(10**6), 10**6),
    st.floats(allow_nan=False, allow_infinity=False),
    st.tuples(st.floats(-1e6, 1e6), st.floats(0, 10)),
)


def filled() -> dict[str, object]:
    """Values for every placeholder of a measured sentence."""
    return dict.fromkeys(re.findall(r"\{(\w+)\}", catalogue("en")["question.kl.measured.trade"]), 0.125)


def made(values: dict[str, object] | None = None, seconds: float = 12.5) -> Card:
    claim = Claim("trade", "holds", filled() | (values or {}))
    series = Series(Phrase("figure.loss.mse"), (1.0, None, 2.0), (0.0, 1.0, 10.0), kind="vae")
    lines = Lines(Phrase("figure.loss.mse"), Phrase("figure.epoch"), Phrase("figure.nats"), (series,), Phrase("curves.units"), log_x=True)
    bars = Bars(
        Phrase("figure.loss.mse"),
        Phrase("figure.nats"),
        (Phrase("figure.epoch"),),
        (Series(Phrase("figure.epoch"), (1.5,)),),
        Phrase("curves.units"),
    )
    return Card(
        "kl", "digits", seconds, {"images": {"train": 5}}, {"seeds": 3}, ("one",), (claim,), (lines, bars), {"kl": [1.0, 2.0]}, ("a",)
    )


@given(st.dictionaries(st.text("abc", min_size=1), numbers, max_size=4), st.floats(0, 1e5))
def test_a_card_goes_to_its_file_and_back(tmp_path_factory, values, seconds):
    folder = tmp_path_factory.mktemp("card")
    card = made(values, seconds)
    card.save(folder)
    again = read_card(folder)
    assert again == card
    assert again.to_json() == card.to_json()
    assert json.loads((folder / "card.json").read_text())["question"] == "kl"


def test_cards_that_are_missing_or_damaged_are_named(tmp_path):
    with pytest.raises(LabError, match=r"must hold a card\.json"):
        read_card(tmp_path)
    assert found_cards(tmp_path) == {}
    made().save(tmp_path)
    for damage in (
        lambda d: d | {"format": 2},
        lambda d: {k: v for k, v in d.items() if k != "claims"},
        lambda d: d | {"panels": [{"kind": "pie"}]},
    ):
        content = damage(made().to_json())
        (tmp_path / "card.json").write_text(json.dumps(content))
        with pytest.raises(LabError, match=r"card\.json is damaged"):
            read_card(tmp_path)
    (tmp_path / "card.json").write_text("[]")
    with pytest.raises(LabError, match="damaged"):
        read_card(tmp_path)


def with_claim(**changes: object):
    return lambda card: card | {"claims": [card["claims"][0] | changes]}


def without_value(card: dict[str, Any]) -> dict[str, Any]:
    del card["claims"][0]["measured"]["values"]["rate_low"]
    return card


def with_title(title: dict[str, object]):
    return lambda card: card | {"panels": [card["panels"][0] | {"title": title}]}


UNFIT = {
    "verdict": with_claim(verdict="proved"),
    "claim": with_claim(name="renamed"),
    "measured": with_claim(measured={"key": "question.kl.measured.trade", "values": []}),
    "outcome": lambda card: card | {"outcome": ["hundred"]},
    "missing value": without_value,
    "machine": lambda card: card | {"machine": []},
    "images": lambda card: card | {"machine": {"images": {"train": "many"}}},
    "settings": lambda card: card | {"settings": None},
    "numbers": lambda card: card | {"numbers": [1]},
    "seconds": lambda card: card | {"seconds": math.nan},
    "data": lambda card: card | {"data": 7},
    "no such text": with_title({"key": "question.kl.panel.nothing", "values": {}}),
    "a text without its values": with_title({"key": "question.kl.panel.gap.summary", "values": {"images": 300}}),
    "a phrase in a phrase": with_title({"key": "figure.loss.mse", "values": {"x": {"key": "none", "values": {}}, "rest": 1}}),
    "a panel that is none": lambda card: card | {"panels": ["pie"]},
    "a bar of words": lambda card: card | {"panels": [card["panels"][1] | {"series": [card["panels"][1]["series"][0] | {"y": ["x"]}]}]},
}


@pytest.mark.parametrize("how", UNFIT)
def test_a_card_that_this_version_cannot_show_is_named(how, tmp_path):
    made().save(tmp_path)
    read_card(tmp_path)
    (tmp_path / "card.json").write_text(json.dumps(UNFIT[how](made().to_json())))
    with pytest.raises(LabError, match=r"card\.json is damaged or of another version\. Run the question again with --fresh\."):
        read_card(tmp_path)


def test_a_card_of_another_question_is_not_taken_for_its_folders(tmp_path):
    for name in ("kl", "latent-dim"):
        (tmp_path / name).mkdir()
        made().save(tmp_path / name)
    read_card(tmp_path / "latent-dim")  # a folder of any name may be asked for its card
    with pytest.raises(LabError, match=r"latent-dim.card\.json is damaged or of another version"):
        found_cards(tmp_path)
    said: list[str] = []
    assert found_cards(tmp_path, say=said.append) == {"kl": made()}
    assert len(said) == 1
    assert "latent-dim" in said[0]
    assert found_cards(tmp_path, ["kl"]) == {"kl": made()}


def test_a_verdict_follows_its_interval():
    assert judged(2.0, 1.0, 3.0) == "holds"
    assert judged(-2.0, -3.0, -1.0) == "contradicted"
    assert judged(2.0, -0.1, 4.1) == "unclear"
    assert judged(0.0, 0.0, 0.0) == "unclear"
    assert judged(5.0, None, None) == "unclear"
    assert judged(math.inf, math.inf, math.inf) == "holds"


def test_values_are_spoken_as_the_language_writes_them():
    assert spoken(12345, "fr") == "12\u202f345"
    assert spoken(0.1234, "fr") == "0,123"
    assert spoken((144.59, 1.678), "en") == "144.6\u00a0±\u00a01.7"
    assert spoken(1.234e-7, "en") == "1.23 × 10⁻⁷"
    assert spoken(None, "en") == "–"
    assert spoken(Phrase("figure.epoch"), "fr") == catalogue("fr")["figure.epoch"]


class Words(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.words, self.quiet = "", 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.quiet += tag in ("script", "style", "pre")

    def handle_endtag(self, tag):
        self.quiet -= tag in ("script", "style", "pre")

    def handle_data(self, data):
        if not self.quiet:
            self.words += data


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_a_card_is_a_page_in_both_languages(tmp_path, lang):
    contradicted = Claim("trade", "contradicted", filled())
    card = made()
    card = Card(**{**card.__dict__, "claims": (contradicted,)})
    page = write_card_page(card, tmp_path / "card.html", lang).read_text(encoding="utf-8")
    words = Words(page).words
    assert f'<html lang="{lang}">' in page
    for one in ("en", "fr"):
        assert catalogue(one)["question.kl.ask"] in words
        assert catalogue(one)["question.kl.analogy"] in words
        assert catalogue(one)["card.verdict.contradicted"] in words
        assert catalogue(one)["question.kl.option.one"] in words
        assert contradicted.against("kl").say(one) in words
    assert "0,125" in words
    assert "{" not in words
    assert not re.search(r"https?://", re.sub(r'xmlns="[^"]*"|http://www.w3.org/\S*', "", page))


def test_every_claim_was_repeated_on_both_sets():
    repeated = latentlab.show.card._repeated()
    for name in NAMES:
        claims = {key.rpartition(".")[2] for key in catalogue("en") if key.startswith(f"question.{name}.claim.")}
        assert claims == set(repeated[name]), name
        for claim, sets in repeated[name].items():
            assert list(sets) == ["digits", "mnist"], claim
            assert {len(verdicts) for verdicts in sets.values()} == {3}, claim


@pytest.mark.parametrize("name", NAMES)
def test_the_record_of_claims_is_of_as_many_seeds_as_the_experiment_has(name):
    """Else its verdicts are those of another experiment: run benchmarks/bench_claims.py again."""
    from latentlab.lab.questions import module_of

    path = Path(latentlab.show.card.__file__).with_name("claims.json")
    assert json.loads(path.read_text(encoding="utf-8"))["seeds"][name] == module_of(name).SEEDS


def test_the_benchmark_of_claims_records_the_seeds_of_its_cards(monkeypatch, tmp_path):
    path = Path(__file__).parents[1] / "benchmarks" / "bench_claims.py"
    spec = spec_from_file_location("bench_claims", path)
    bench = module_from_spec(spec)
    spec.loader.exec_module(bench)
    seeds = {"digits": 4, "mnist": 4}

    def run(name, folder, *, data, seed):
        return Card(**{**made().__dict__, "question": name, "settings": {"seeds": seeds[data]}})

    monkeypatch.setattr(bench.questions, "run", run)
    monkeypatch.setattr(bench, "NAMES", ("kl",))
    monkeypatch.setattr(bench, "RESULT", tmp_path / "claims.json")
    monkeypatch.setattr(bench, "TABLE", tmp_path / "claims.md")
    monkeypatch.setattr(sys, "argv", ["bench_claims.py", "--seeds", "100", "200"])
    bench.main()
    written = json.loads((tmp_path / "claims.json").read_text(encoding="utf-8"))
    assert (written["first_seeds"], written["seeds"]) == ([100, 200], {"kl": 4})
    assert all(set(sets) == {"digits", "mnist"} for sets in written["claims"]["kl"].values())
    seeds["mnist"] = 3
    with pytest.raises(SystemExit, match="has 3 seeds an arm, other cards of kl have 4"):
        bench.main()


def test_terminal_and_page_tell_a_claim_in_the_same_words(monkeypatch, tmp_path):
    """Null, control arm, interval, seeds, and that it held on one set alone."""
    from latentlab.cli.report import verdicts

    once = {"digits": ["holds"] * 3, "mnist": ["unclear"] * 3}
    monkeypatch.setattr(latentlab.show.card, "_repeated", lambda: {"kl": {"trade": once}})
    claim = Claim("trade", "contradicted", filled())
    card = Card(**{**made().__dict__, "claims": (claim,), "settings": {"seeds": 5}})
    words = Words(write_card_page(card, tmp_path / "card.html", "fr").read_text(encoding="utf-8")).words
    for lang in ("en", "fr"):
        _, judged, line = verdicts(card, lang)
        assert "(5 " in judged
        assert card.judged.say(lang) == judged
        told = " ".join(phrase.say(lang) for phrase in claim.told("kl"))
        assert told.endswith(text("card.only", lang, data="digits"))
        assert text("question.kl.against.trade", lang) in told
        assert line == f"{text('card.verdict.contradicted', lang)}: {text('question.kl.claim.trade', lang)} {told}"
        assert told in words
        assert judged in words


def test_a_claim_that_held_on_one_set_alone_or_on_neither_says_so(monkeypatch):
    half = {"digits": ["holds", "holds", "unclear"], "mnist": ["holds", "unclear", "contradicted"]}
    sets = {"elbo": half, "trade": half | {"mnist": ["holds"] * 3}, "aggregate": half | {"digits": ["unclear"] * 3}}
    monkeypatch.setattr(latentlab.show.card, "_repeated", lambda: {"kl": sets})
    keys = {name: [phrase.key for phrase in Claim(name, "holds", {}).told("kl")[2:]] for name in (*sets, "collapse")}
    assert keys == {"elbo": ["card.only"], "trade": [], "aggregate": ["card.neither"], "collapse": []}  # the last was never repeated
    only, neither = (Claim(name, "holds", {}).told("kl")[-1] for name in ("elbo", "aggregate"))
    assert only.say("en") == "Repeated with fresh seeds on digits and MNIST, it held on digits alone."
    assert neither.say("en") == "Repeated 3 times each with fresh seeds on digits and on MNIST, it held on neither."

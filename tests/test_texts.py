from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from string import Formatter

import pytest

import latentlab
from latentlab.base.errors import LabError
from latentlab.base.texts import catalogue, duration, languages, measured, number, reason, reworded, significant, text
from latentlab.config.parts import OWN, PARTS, DataConfig
from latentlab.config.presets import PRESETS
from latentlab.config.sources import SOURCES
from latentlab.measure.metrics.classes import ACTIVE_VARIANCE

HOME = Path(latentlab.__file__).parent


def placeholders(pattern: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(pattern) if name is not None}


def written_keys() -> set[str]:
    """Every string in the sources that looks like a key, as a pattern; a formatted part matches one or more segments."""
    spaces = {key.partition(".")[0] for key in catalogue("en")}
    starters = "\n".join(path.read_text(encoding="utf-8") for path in HOME.glob("lab/exercises/starters/*/*.txt"))
    found = {re.escape(key) for key in re.findall(r"#: ([\w.-]+)", starters)}
    for path in HOME.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        inner = {id(value) for node in nodes if isinstance(node, ast.JoinedStr) for value in node.values}
        for node in (node for node in nodes if id(node) not in inner):
            if isinstance(node, ast.JoinedStr):
                parts = [re.escape(str(v.value)) if isinstance(v, ast.Constant) else r"[\w.-]+" for v in node.values]
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                parts = [re.escape(node.value)]
            else:
                continue
            pattern = "".join(parts)
            space, dot, rest = pattern.partition(r"\.")
            if dot and rest and space in spaces and " " not in rest and rest not in ("png", "json", "py", "html", "js", "css", "csv", "md"):
                found.add(pattern)
    return found


def test_both_languages_say_the_same_things():
    assert languages() == ("en", "fr")
    english, french = catalogue("en"), catalogue("fr")
    assert set(english) == set(french)
    for key in english:
        assert placeholders(english[key]) == placeholders(french[key]), key
        assert english[key].strip(), key
        assert french[key].strip(), key


def test_the_files_are_named_alike():
    names = [{path.name for path in (HOME / "base" / "locales" / lang).iterdir()} for lang in languages()]
    assert names[0] == names[1]
    for lang in languages():
        for path in (HOME / "base" / "locales" / lang).iterdir():
            assert all(re.fullmatch(r"[a-z]+(\.[\w-]+)+", key) for key in json.loads(path.read_text(encoding="utf-8")))


def test_every_text_is_used_and_every_used_text_exists():
    keys, patterns = set(catalogue("en")), written_keys()
    plain = {pattern.replace("\\", "") for pattern in patterns if "[" not in pattern}  # most are keys as they stand
    formed = [re.compile(pattern) for pattern in patterns if "[" in pattern]
    for pattern in patterns:
        written = pattern.replace("\\", "")
        assert written in keys or any(re.fullmatch(pattern, key) or key.startswith(written + ".") for key in keys), pattern
    endings = re.compile(r"\.(lower|higher|unclear)$")
    unused = [
        key
        for key in keys
        if not ({key, endings.sub("", key)} & plain or any(one.fullmatch(key) or one.fullmatch(endings.sub("", key)) for one in formed))
    ]
    assert unused == []


def test_every_field_of_a_configuration_is_described():
    parts = {"data": {DataConfig}, "model": {m for m, _ in PARTS.values()}, "train": {t for _, t in PARTS.values()}}
    wanted = {f"field.{part}.{item.name}" for part, kinds in parts.items() for kind in kinds for item in dataclasses.fields(kind)}
    wanted |= {f"field.own.{name}" for names in OWN.values() for name in names}
    assert wanted == {key for key in catalogue("en") if key.startswith("field.")}


def test_every_preset_and_every_source_has_its_words():
    wanted = {f"studio.preset.{name}{part}" for name in PRESETS for part in ("", ".about")} | {
        f"studio.data.{name}" for name, source in SOURCES.items() if not source.placed
    }
    assert wanted == {key for key in catalogue("en") if key.startswith(("studio.preset.", "studio.data."))}


TERMS = Path(__file__).parents[1] / "docs" / "terms.md"
COMMAND = re.compile(r"latentlab \w+( [\w./-]*[\w/-])*|--[\w.-]+( [\w./-]*[\w/-])?|\{\w+\}")  # and the names of values


def term(alternatives: str) -> re.Pattern[str]:
    """What finds one of the words of a cell of docs/terms.md; an empty cell finds none."""
    words = [re.escape(word.strip()).replace(r"\*", r"\w*") for word in alternatives.split("/")]
    return re.compile("|".join(rf"\b{word}\b" for word in words) if alternatives.strip() else "(?!)", re.IGNORECASE)


def terms() -> list[list[str]]:
    rows = [line.split("|")[1:-1] for line in TERMS.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


@pytest.mark.parametrize("row", terms(), ids=lambda row: row[0])
def test_texts_keep_to_the_terms(row):
    english, french, *avoided = map(term, row)
    texts = {
        lang: {key: COMMAND.sub("", words) for key, words in catalogue(lang).items() if ".source." not in key} for lang in ("en", "fr")
    }
    assert sum(bool(english.search(words)) for words in texts["en"].values()) > 0
    assert [key for key, words in texts["en"].items() if english.search(words) and not french.search(texts["fr"][key])] == []
    for words, avoid in zip(texts.values(), avoided, strict=True):
        assert [key for key, one in words.items() if avoid.search(one)] == []


def test_an_active_unit_has_one_definition():
    """A mean whose variance over the images is above a threshold; where a text gives the threshold, it is the code's."""
    for lang, variance in (("en", "variance"), ("fr", "variance")):
        texts = catalogue(lang)
        for key in ("glossary.active-unit.is", "curves.units.summary", "figure.kl.active", "family.vae.balance.here"):
            assert variance in texts[key], key
        for key in ("question.kl.measured.collapse", "question.latent-dim.measured.switched-off"):
            assert f"{variance} {'above' if lang == 'en' else 'au-dessus de'} {number(ACTIVE_VARIANCE, lang)}" in texts[key], key
        assert not re.search(r"says little|dit peu", texts["curves.units.summary"])


@pytest.mark.parametrize(("key", "bound"), [("measure.kl_nats.about", "majorant"), ("explorer.draw.nats", "au plus")])
def test_the_kl_is_at_most_what_a_code_says(key, bound):
    assert "at most" in catalogue("en")[key]
    assert bound in catalogue("fr")[key]


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_an_answer_can_be_read_without_its_experiment(lang):
    """Answers are shown where no experiment was run: they speak of no picture and no numbers of it."""
    seen = {"en": r"figures?|charts?|intervals|curve bends", "fr": r"figures?|graphiques?|intervalles|coude de la courbe"}[lang]
    for key, words in catalogue(lang).items():
        if re.fullmatch(r"question\.[\w-]+\.(answer|formula)\.\d+", key):
            assert not re.search(rf"\b({seen})\b", words, re.IGNORECASE), key


def titles(key: str) -> list[str]:
    """The parts of a source's English title that French would space otherwise."""
    words = catalogue("en")[key] if ".source." in key else ""
    return [part for part in re.findall(r"[A-Za-z-]+[?!:]", words) if not re.fullmatch(r"[A-Z]+:", part)]


def test_french_typography():
    for key, words in catalogue("fr").items():
        plain = re.sub(r"\{\w+\}", "x", words)
        for published in titles(key):  # an English title stays as it was published
            assert published in plain, key
            plain = plain.replace(published, "")
        assert not plain.startswith("\u00a0"), key  # a unit alone is just "%"
        assert not re.search(r"[^\u202f][;?!]", plain), key
        assert not re.search(r"[^\u00a0]:(?=\s|$)", plain), key
        assert not re.search(r"«(?!\u202f)|(?<!\u202f)»|[^\u00a0]%", plain), key
        assert "'" not in plain, key


def test_a_text_is_strict():
    assert text("film.rate", "en", count="5") == "5 a second"
    with pytest.raises(LabError, match=r"lang must be one of en, fr. Got 'de'"):
        text("film.rate", "de", count="5")
    with pytest.raises(KeyError, match=r"no text 'viewer.nothing'"):
        text("viewer.nothing", "en")
    with pytest.raises(KeyError, match=r"film.rate.*count"):
        text("film.rate", "en")


@pytest.mark.parametrize(
    ("value", "decimals", "english", "french"),
    [
        (0.5, None, "0.5", "0,5"),
        (1437, None, "1437", "1437"),
        (1692385, None, "1\u202f692\u202f385", "1\u202f692\u202f385"),
        (-2.0, 1, "−2.0", "−2,0"),
        (-0.0, 1, "0.0", "0,0"),
        (1e-7, None, "1 × 10⁻⁷", "1 × 10⁻⁷"),
        (float("nan"), None, "–", "–"),
    ],
)
def test_numbers_are_written_as_the_language_writes_them(value, decimals, english, french):
    assert number(value, "en", decimals) == english
    assert number(value, "fr", decimals) == french


def test_a_value_has_as_many_figures_as_its_error_allows():
    assert measured(0.012636, 0.000458, "en") == "0.01264\u00a0±\u00a00.00046"
    assert measured(144.59, 1.678, "fr") == "144,6\u00a0±\u00a01,7"
    assert measured(144.59, None, "en") == "144.6"
    assert significant(0.0324567, "en", 2) == "0.032"
    assert [duration(s, "en").replace("\u00a0", " ") for s in (1.55, 16.4, 125, 4321)] == ["1.6 s", "16 s", "2 min 05 s", "1 h 12 min"]


# Why something failed: known in every language by its English form.


@pytest.mark.parametrize("key", [key.removeprefix("refusal.") for key in catalogue("en") if key.startswith("refusal.")])
def test_a_reason_is_known_by_its_form(key: str) -> None:
    names = placeholders(catalogue("en")[f"refusal.{key}"])
    values = {name: reason("remedy.file") if name in ("must_be", "remedy") else f"/a/{name}" for name in names}
    french = {name: text("refusal.remedy.file", "fr") if name in ("must_be", "remedy") else value for name, value in values.items()}
    assert reworded(reason(key, **values), "fr") == text(f"refusal.{key}", "fr", **french)
    if not catalogue("en")[f"refusal.{key}"].startswith("{"):  # else what stands before it may be its first value
        assert reworded(f"/a/run: {reason(key, **values)}", "fr") == f"/a/run\u00a0: {text(f'refusal.{key}', 'fr', **french)}"


@pytest.mark.parametrize("words", ["", "TypeError: no", "x must be odd. Got 5. Try 7.", "a: b", "a.b must be an integer. Got 1.5."])
def test_words_of_another_origin_stay(words: str) -> None:
    assert reworded(words, "fr") is None


def test_what_training_refuses_is_said_in_french(tmp_path: Path) -> None:
    calls: list[Callable[[], object]] = [
        lambda: latentlab.preset("sn-gan", label_smoothing=0.9), lambda: latentlab.preset("mlp-vae", epochs=1, steps=2),
        lambda: latentlab.preset("conv-gan", **{"train.r1_weight": 1.0, "model.discriminator_normalization": "batch"}),
        lambda: latentlab.load_data(f"folder:{tmp_path / 'none'}"), lambda: latentlab.load_data(f"folder:{tmp_path}"),
        lambda: latentlab.load_data("mnist", root=tmp_path, offline=True), lambda: latentlab.load_data("digits", train_images=5_000),
        lambda: latentlab.train("gan-from-vae", tmp_path / "a"), lambda: latentlab.train("mlp-vae", tmp_path / "b", hidden=(16_384,) * 4),
        lambda: latentlab.train("conv-gan", tmp_path / "c", **{"data.train_images": 1}, normalization="batch"),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(LabError) as refused:
            call()
        said = reworded(str(refused.value), "fr")
        assert said is not None, refused.value
        assert not re.search(r"\b(must|the|with|Use|Got)\b", said.replace(str(tmp_path), "")), said

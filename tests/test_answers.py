"""What a student writes and how it is kept: the sheet, its Markdown as HTML, the record, the seal, and the three commands' edges."""

from __future__ import annotations

import dataclasses
import json
import math
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path

import pytest
from commands import refusal_here, run
from fakeruns import fake_run
from handins import OPTIONS, PAGE, card, short_questions
from hypothesis import example, given, settings
from hypothesis import strategies as st

from latentlab.base.errors import LabError
from latentlab.base.signals import Interrupted
from latentlab.cli import main
from latentlab.config.networks import fit_model
from latentlab.config.presets import preset
from latentlab.lab.pool import Pool
from latentlab.show.answers import SECTIONS, Answers, Part, parsed, read_answers, template
from latentlab.show.answers.prediction import Prediction
from latentlab.show.answers.record import changed_fields, is_record, judged, open_report, record, seal
from latentlab.show.card import NAMES
from latentlab.show.report.markup import as_html

T0 = "2026-11-22T09:00:00+00:00"


@pytest.fixture(autouse=True, scope="module")
def _short_questions():
    with short_questions():
        yield


SHEET = """# My answers

> A quotation is no answer.

Nom : Ada Lovelace,  Alan Turing
GROUPE: B2

## kl ##

> **Why?** The template's own words.

Prédiction : rises

The KL *falls*.
### A heading of my own
```python
## kl
```

## latent-dim
No prediction here: 3 < 4.

## Remarques
prediction: is a word like any other here.
"""


def test_a_sheet_in_mixed_languages_is_read():
    found = parsed(SHEET)
    assert (found.name, found.group) == ("Ada Lovelace, Alan Turing", "B2")
    assert dict(found.parts) == {
        "kl": Part("rises", "The KL *falls*.\n### A heading of my own\n```python\n## kl\n```"),
        "latent-dim": Part(None, "No prediction here: 3 < 4."),
        "notes": Part(None, "prediction: is a word like any other here."),
    }
    assert Answers.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert parsed(SHEET.replace("\n", "\r\n")) == found


@pytest.mark.parametrize(
    ("written", "chosen"),
    [
        ("falls", ("falls",)),
        ("It falls, then rises.", ("falls",)),
        ("it FALLS, then rises", ("falls",)),
        ("« elle baisse, puis monte »", ("falls",)),
        ("rises, falls", ("falls", "rises")),
        ("Elle monte, It falls, then rises., nothing", ("falls", "rises", "0")),
        ("`rises`,rises", ("rises",)),
        ("", ()),
    ],
)
def test_a_prediction_is_an_option_by_name_or_by_its_text_in_either_language(written, chosen):
    part = parsed(f"name: A\n## kl\nprediction: {written}\n.").parts["kl"]
    assert part.predicted == chosen


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        ("## kl\nprediction: rises\n", r"sheet must have a line `name: …` above its first section"),
        ("name: A\n## kl\nprediction: rises and falls", r"line 3 must be a prediction out of falls, rises, 0. Got 'rises and falls'"),
        ("name: A\n\n## KLL\n", r"line 3 must be a section named reparameterization, kl, .* or notes. Got 'KLL'. Headings of your own"),
        ("name: A\n## kl\nx\n## kl\ny", r"line 4 must be a section that the sheet has once. Got 'kl, as on line 2'"),
        ("name: A\nnom: B", r"line 2 must be the only line with the name"),
        (
            "name: A\nage: 20",
            r"line 2 must be `name: …`, `group: …` or `student: …`, or stand below the heading of a section .*Got 'age: 20'",
        ),
        ("name: A\nprediction: rises", r"line 2 must be `name: …`, `group: …` or `student: …`"),
        ("name: A\n## kl\n```\nnever closed\n## notes\n", r"line 3 must be a code block that is closed by a line ```"),
        (f"name: {'A' * 201}", r"line 1 must be a name of at most 200 characters. Got 'AAAAAAAAAAAAAAAAAAAA… \(201\)'"),
    ],
)
def test_what_is_wrong_in_a_sheet_is_said_with_its_line(sheet, said):
    with pytest.raises(LabError, match=said) as caught:
        parsed(sheet)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "It is empty"),
        (b" \n\n", "It is empty"),
        (b"name: \xe9l\xe8ve", "must be text in UTF-8. Byte 7 is none"),
        ("name: A".encode("utf-16"), "must be text in UTF-8"),
        (b"n\0a\0m\0e\0", "zero bytes"),
        (b"name: A\n" + b"x" * 1_000_000, "at most 1 MB. Got 1.0 MB"),
        (None, "must be a Markdown file"),
    ],
)
def test_a_file_that_is_no_sheet_is_one_line(tmp_path, content, said):
    path = tmp_path / "sheet.md"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(LabError, match=said):
        read_answers(path)
    with pytest.raises(LabError, match="that exists"):
        read_answers(tmp_path / "none.md")


def test_a_byte_order_mark_is_no_part_of_the_name(tmp_path):
    path = tmp_path / "sheet.md"
    path.write_bytes("name: Zoë".encode("utf-8-sig"))
    assert read_answers(path) == Answers("Zoë", "", {})


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_a_template_that_nobody_filled_in_is_read_as_nothing(lang):
    assert parsed(template(lang)) == Answers("", "", {})


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_a_template_that_was_filled_in_is_read_as_it_was_meant(lang):
    sheet = template(lang).replace("name: \n", "name: Ada\n").replace("nom: \n", "nom: Ada\n")
    for key in ("prediction: \n", "prédiction: \n"):
        sheet = sheet.replace(key, key.rstrip() + " rises\nBecause.\n")
    assert parsed(sheet) == Answers("Ada", "", {name: Part("rises", "Because.") for name in NAMES})
    assert all(words[("en", "fr").index(lang)] in sheet for words in OPTIONS.values())


LINES = st.text(st.characters(exclude_characters="\0\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", exclude_categories=["Cs"]), max_size=30)
WORDS = LINES.map(lambda words: " ".join(words.split()))
TEXTS = st.lists(LINES, max_size=4).map(lambda lines: "\n".join(["."] + [f"a{line}" for line in lines]).rstrip())


def written(answers: Answers) -> str:
    """A sheet with these answers."""
    lines = [f"name: {answers.name}", f"group: {answers.group}"]
    for section, part in answers.parts.items():
        lines += [f"## {section}", *([f"prediction: {part.prediction}"] if part.prediction else []), part.text]
    return "\n".join(lines)


@settings(deadline=None)
@given(
    WORDS, WORDS, st.dictionaries(st.sampled_from(NAMES), st.builds(Part, st.sampled_from([None, "falls", "falls,0"]), TEXTS)),
)  # fmt: skip
def test_what_is_written_is_read_back(name, group, parts):
    answers = Answers(name, group, parts)
    assert parsed(written(answers)) == answers


@settings(deadline=None)
@given(st.text())
@example("## kl\n> \nprediction:")
def test_any_text_is_read_or_refused(words):
    try:
        found = parsed(f"name: A\n{words}")
    except LabError:
        return
    assert set(found.parts) <= set(SECTIONS)


HOSTILE = """<script>alert(1)</script> <img src=x onerror=alert(1)> </script></textarea><svg/onload=alert(1)>

<style>*{display:none}</style>

[a](javascript:alert(1)) [b](JAVASCRIPT:alert(1)) [c](data:text/html;base64,PHN) [d](vbscript:x) [e](file:///etc/passwd) [f](//x.org)
![picture](https://x.org/x.png) <javascript:alert(1)> [g]: javascript:alert(1)

[h](<javascript:alert(1)>) [i](https://x.org"onmouseover=alert(1)) [g] &lt;script&gt; `<script>`

[ok](https://example.org/?a=1&b=2) [mail](mailto:a@b.org) ~~gone~~

| a | b |
|---|--:|
| <b> | 2 |

# Large
"""


class Elements(HTMLParser):
    """Every element of a piece of HTML with its attributes."""

    def __init__(self, shown: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(shown)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


HARMLESS = {"p", "a", "s", "h4", "div", "table", "thead", "tbody", "tr", "th", "td", "code", "br"}


def test_a_students_markdown_can_do_nothing():
    shown = as_html(HOSTILE)
    found = Elements(shown).found
    assert {element for element, _ in found} <= HARMLESS
    assert {name for _, attributes in found for name in attributes} <= {"href", "rel", "target", "title", "class", "style"}
    links = [attributes for element, attributes in found if element == "a"]
    assert [link["href"] for link in links] == [
        "https://x.org/x.png", "https://x.org%22onmouseover=alert(1)", "https://example.org/?a=1&b=2", "mailto:a@b.org",
    ]  # fmt: skip
    assert {link["rel"] for link in links} == {"noopener noreferrer nofollow"}
    for kept in ("<s>gone</s>", "<h4>Large</h4>", '<div class="own-table"><table>', "&lt;script&gt;alert(1)&lt;/script&gt;"):
        assert kept in shown


@pytest.mark.parametrize("one", [">", "- ", "[", "*a ", "_a*", "![[", "~~a", "a](<", "<", "`", "|a", "&", "\\", "> - "])
def test_no_text_breaks_it(one):
    shown = as_html(one * (20_000 // len(one)))
    assert {element for element, _ in Elements(shown).found} <= HARMLESS | {"blockquote", "ul", "li", "hr", "em", "strong", "pre"}


@pytest.mark.parametrize("shape", [(16, 16, 1), (64, 64, 3)])
def test_what_followed_the_size_of_the_images_was_changed_by_nobody(shape):
    config = preset("conv-vae", **{"train.beta": 4.0})
    settled = dataclasses.replace(config, model=fit_model(config.model, shape))
    assert settled.model != config.model
    assert changed_fields(settled, shape) == changed_fields(config, None) == {"train.beta": 4.0}


def test_a_record_tells_the_run_the_questions_and_the_answers(tmp_path):
    folder = fake_run(
        tmp_path / "vae", "vae", epochs=1, **{"train.beta": 4.0, "model.latent_dim": 7, "train.threads": 3, "train.log_steps": 5}
    )
    content = folder.scores()
    content["scores"]["frechet"] = {"value": None, "ci95": [1.0, None], "unit": "u", "n": 4}
    (folder.path / "scores.json").write_text(json.dumps(content), encoding="utf-8")
    found = record({"vae": folder}, {"data": "digits", "split": "test"}, {"kl": card("kl")}, parsed("name: A\n## kl\nhm"), "fr")
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert is_record(found)
    vae = found["runs"]["vae"]
    assert vae["changed"] == {"train.beta": 4.0}
    assert (vae["preset"], vae["latent_dim"], vae["seed"], vae["steps"], vae["seconds"]) == ("conv-vae", 7, 0, 10, 2.0)
    assert vae["config"] == json.loads(json.dumps(folder.config().to_dict()))
    assert vae["scores"]["frechet"] == {"value": None, "ci95": [1.0, None], "unit": "u", "n": 4}
    assert vae["scores"]["kl_nats"]["value"] == content["scores"]["kl_nats"]["value"]
    assert vae["machine"]["torch"] == "2"
    assert found["questions"]["kl"]["outcome"] == ["falls"]
    assert [claim["verdict"] for claim in found["questions"]["kl"]["claims"]] == ["holds", "contradicted"]
    assert found["answers"] == {"name": "A", "group": "", "student": "", "parts": {"kl": {"prediction": None, "text": "hm"}}}
    assert found["yardstick"]["data"] == "digits"


def test_the_history_of_a_run_is_that_of_its_copy_only(tmp_path):
    one, two, copy = (fake_run(tmp_path / name, "ae", epochs=1) for name in ("one", "two", "copy"))
    rows = [row | {"seconds": row["seconds"] + 0.01} for row in two.metrics()]
    two.metrics_file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    histories = [record({"ae": folder}, {}, {}, None, "en")["runs"]["ae"]["history"] for folder in (one, two, copy)]
    assert histories[0] == histories[2] != histories[1]


@pytest.fixture(scope="module")
def sealed(tmp_path_factory) -> bytes:
    folder = fake_run(tmp_path_factory.mktemp("run") / "ae", "ae", epochs=0)
    answers = parsed("name: </script><script>alert(1)</script>\n## kl\n<!-- </head> -->")
    return seal(PAGE, record({"ae": folder}, {}, {}, answers, "en")).encode()


HERE = Path("handed.html")


def test_a_sealed_page_is_sound_and_keeps_its_record(sealed):
    found = judged(HERE, sealed)
    assert found.state == "sound"
    assert found.record is not None
    assert found.record["answers"]["name"] == "</script><script>alert(1)</script>"
    assert sealed.count(b"</script>") == 1
    assert sealed.index(b"latentlab-record") < sealed.index(b"</head>")


def test_line_ends_that_a_mail_program_changed_are_no_edit(sealed):
    assert judged(HERE, sealed.replace(b"\n", b"\r\n")).state == "sound"
    assert judged(HERE, sealed.replace(b"\n", b"\r")).state == "edited"
    windows = seal(PAGE.replace("\n", "\r\n"), {"format": 1}).encode()
    assert b"\r" not in windows


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_byte_that_is_changed_is_seen(sealed, data):
    at = data.draw(st.integers(0, len(sealed) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda value: value != sealed[at]))
    assert judged(HERE, sealed[:at] + bytes([other]) + sealed[at + 1 :]).state != "sound"


def test_every_byte_of_the_seal_and_around_it_counts(sealed):
    start = sealed.index(b'<meta name="latentlab-checksum"')
    for at in range(start - 5, start + 140):
        for other in {sealed[at] ^ 0x20, sealed[at] ^ 1}:
            assert judged(HERE, sealed[:at] + bytes([other]) + sealed[at + 1 :]).state != "sound"


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_cut_doubled_or_lengthened_pages_are_not_sound(sealed, data):
    at = data.draw(st.integers(0, len(sealed) - 1))
    extra = data.draw(st.binary(min_size=1, max_size=8).filter(lambda added: added != b"\r"))
    for content in (sealed[:at], sealed[:at] + extra + sealed[at:], sealed + sealed):
        assert judged(HERE, content).state != "sound"


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_something(content):
    assert judged(HERE, content).state == "foreign"
    framed = b'<script type="application/json" id="latentlab-record">' + content.replace(b"<", b"") + b"</script>"
    assert judged(HERE, framed).state == "edited"


BROKEN = [
    "{", "[]", "null", "1", '{"format":1}', "[" * 100_000, '{"a":' * 5_000 + "1" + "}" * 5_000, "9" * 5_000, "NaN", '"\\ud800"',
]  # fmt: skip


@pytest.mark.parametrize("written", BROKEN)
@pytest.mark.parametrize("honest", [True, False])
def test_broken_records_are_told_and_harm_nobody(written, honest, sealed):
    start = sealed.index(b"{", sealed.index(b"latentlab-record"))
    end = sealed.index(b"</script>")
    content = sealed[:start] + written.encode() + sealed[end:]
    found = judged(HERE, resealed(content) if honest else content)
    assert (found.state, found.record) == ("foreign" if honest else "edited", None)


def resealed(content: bytes) -> bytes:
    """The page with the checksum that anybody can compute."""
    import hashlib
    import re

    pattern = rb'(name="latentlab-checksum" content=")[0-9a-f]{64}'
    opened = re.sub(pattern, rb"\g<1>" + b"0" * 64, content)
    return re.sub(pattern, rb"\g<1>" + hashlib.sha256(opened).hexdigest().encode(), content)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("runs",), []),
        (("runs", "ae", "seed"), True),
        (("runs", "ae", "seed"), 10**400),
        (("runs", "ae", "scores"), {"frechet": {"value": "low"}}),
        (("runs", "ae", "config", "train"), None),
        (("runs", "ae", "changed"), {"x": {"y": 1}}),
        (("answers", "name"), 3),
        (("answers", "student"), 3),
        (("answers", "parts"), {"kl": {"prediction": "0", "text": "", "kept": Prediction("kl", ("0",), T0).to_json() | {"sha256": "0"}}}),
        (("answers", "name"), "\ud800"),
        (("answers", "parts"), {"kl": {"prediction": 1, "text": ""}}),
        (("answers", "parts"), {"kl": {"prediction": None, "text": "x" * 1_000_001}}),
        (("questions",), {"kl": {}}),
        (("runs", "ae", "machine", "torch"), [[[]]]),
    ],
)
def test_a_record_of_another_shape_is_none(path, value, sealed):
    found = json.loads(json.dumps(judged(HERE, sealed).record))
    assert is_record(found)
    place = found
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert not is_record(found)


def test_a_record_of_more_runs_than_anybody_compares_is_none(sealed):
    found = json.loads(json.dumps(judged(HERE, sealed).record))
    found["runs"] = {str(place): found["runs"]["ae"] for place in range(200)}
    assert is_record(found)
    found["runs"]["one more"] = found["runs"]["0"]
    assert not is_record(found)


def test_large_and_missing_files_are_foreign(tmp_path, monkeypatch):
    large = tmp_path / "large.html"
    with open(large, "wb") as file:
        file.truncate(100_000_001)
    tracemalloc.start()
    found = open_report(large)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert (found.state, found.reason.say("en")) == ("foreign", "it is larger than 100 MB")
    assert open_report(tmp_path).state == open_report(tmp_path / "none.html").state == "foreign"


def test_a_page_with_two_records_is_not_sound_whoever_sealed_it(sealed):
    start, end = sealed.index(b"<script"), sealed.index(b"</script>") + len(b"</script>")
    twice = sealed[:end] + sealed[start:end].replace(b'"lang":"en"', b'"lang":"fr"') + sealed[end:]
    assert judged(HERE, resealed(sealed)).state == "sound"
    assert judged(HERE, resealed(twice)).state == "edited"


def test_what_cannot_be_sealed_is_our_fault(sealed):
    for page, content in ((PAGE.replace("</head>", ""), {}), (sealed.decode(), {}), (PAGE, {"x": math.nan})):
        with pytest.raises(ValueError):
            seal(page, content)


def said(capsys, *arguments: object) -> tuple[str, str]:
    """What a command that ends well says on stdout and on stderr, in this process."""
    capsys.readouterr()
    assert main(list(map(str, arguments))) == 0
    found = capsys.readouterr()
    return found.out, found.err


def test_question_lists_and_writes_a_sheet(tmp_path, capsys):
    out, _ = said(capsys, "question", "--lang", "fr")
    assert [line.split("  ")[0].strip() for line in out.splitlines()] == list(NAMES)
    sheet = tmp_path / "new" / "sheet.md"
    assert said(capsys, "question", "--sheet", sheet)[0] == f"{sheet}\n"
    assert read_answers(sheet) == Answers("", "", {})
    sheet.write_text("mine", encoding="utf-8")
    assert "--sheet must be a new file" in refusal_here(capsys, "question", "--sheet", sheet)
    assert sheet.read_text(encoding="utf-8") == "mine"


def test_question_prompts_runs_and_tells_the_verdicts(tmp_path, capsys, monkeypatch):
    import latentlab.lab.questions

    asked = {}

    def fake(name, out, **options):
        asked.update(options, name=name, out=out, prompted=capsys.readouterr().err)
        return card(name)

    monkeypatch.setattr(latentlab.lab.questions, "run", fake)
    out, _ = said(capsys, "question", "kl", "--data", "mnist", "--offline", "--fresh", "--out", tmp_path / "kl", "--lang", "fr")
    assert "falls: Elle baisse, puis monte." in asked.pop("prompted")
    asked.pop("say")
    assert type(asked.pop("pool")) is Pool  # of this machine, for nothing else was asked for
    assert asked == {
        "name": "kl", "out": tmp_path / "kl", "data": "mnist", "lang": "fr", "fresh": True, "root": None, "offline": True,
        "seed": 0, "closed": False,
    }  # fmt: skip
    lines = out.splitlines()
    assert lines[0].endswith("Elle baisse, puis monte.")
    against = "Comparé à\xa0: chance."
    assert lines[1] == card("kl").judged.say("fr")
    told = [f"vrai ici: Claim first. It was 1,50. {against}", f"contredit ici: Claim second. It was –. {against}"]
    assert lines[2:] == [*told, str(tmp_path / "kl")]

    def stopped(name, out, **options):
        raise Interrupted(2)

    monkeypatch.setattr(latentlab.lab.questions, "run", stopped)
    assert main(["question", "kl"]) == 130
    assert "the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("kll",), "a question must be one of"),
        (("kl", "--lang", "de"), "--lang must be one of en, fr"),
        (("kl", "--sheet", "x.md"), "one at a time"),
        (("kl", "--sede", "1"), "no option '--sede'"),
    ],
)
def test_question_refuses_in_one_line(arguments, says, capsys):
    assert says in refusal_here(capsys, "question", *arguments)


def test_the_three_commands_explain_themselves():
    for command in ("report", "grade", "question"):
        assert "--lang" in run(command, "--help").stdout

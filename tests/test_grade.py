"""From runs to a report, and from handed-in reports to one table: `latentlab report` and `latentlab grade`."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import refusal_here, run
from conftest import CHROMIUM
from fakeruns import fake_run
from handins import PAGE, card, handed_in, short_questions
from hypothesis import given, settings
from hypothesis import strategies as st

import latentlab.show.report.asked
from latentlab.base.texts import Phrase
from latentlab.cli import main
from latentlab.runs.folder import RunFolder
from latentlab.show.answers.record import open_report, record, seal
from latentlab.show.answers.table import harmless

LONG = "The discriminator wins when nothing holds its logits back, so that the generator learns nothing."
HOSTILE = (
    "name: =HYPERLINK(\"https://x.org\")\ngroup: <script>document.title='run'</script>\n## kl\n"
    "<script>document.title='run'</script>\n\n<img src=x onerror=\"document.title='run'\">\n\n"
    "[a](javascript:document.title='run') ![b](https://x.org/b.png)\n\n```\n</script></body>\n```\n" + "long" * 200
)


@pytest.fixture(autouse=True, scope="module")
def _short_questions():
    with short_questions():
        yield


def said(capsys, *arguments: object) -> tuple[str, str]:
    """What a command that ends well says on stdout and on stderr, in this process."""
    capsys.readouterr()
    assert main(list(map(str, arguments))) == 0
    found = capsys.readouterr()
    return found.out, found.err


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Path:
    """Three evaluated runs in one folder."""
    root = tmp_path_factory.mktemp("runs") / "lab"
    for name, changes in (("gan", {}), ("vae", {"train.beta": 4.0}), ("ae", {})):
        fake_run(root / name, name, epochs=1, **changes)
    (root / "figures").mkdir()
    return root


@pytest.fixture
def written(monkeypatch) -> list[dict[str, Any]]:
    """What `latentlab report` gives to the page, which is a short one."""
    calls: list[dict[str, Any]] = []

    def write_page(out, runs, comparison, lang, *, answers=None, cards=None, precision="int8", model_answers=None, exercises=()):
        told = {"runs": runs, "comparison": comparison, "lang": lang, "answers": answers, "cards": cards}
        calls.append(told | {"weights": precision, "model_answers": model_answers})
        Path(out).write_text(seal(PAGE, record(runs, comparison, {}, answers, lang)), encoding="utf-8")
        return Path(out)

    monkeypatch.setattr(latentlab.show.report.asked, "write_page", write_page)
    return calls


def test_a_folder_of_runs_is_reported_in_the_labs_order(lab, tmp_path, written, capsys):
    out = tmp_path / "new" / "lab.html"
    sheet = tmp_path / "sheet.md"
    sheet.write_text("name: Ada\n## kl\nprediction: falls\n", encoding="utf-8")
    card("kl").save(tmp_path / "questions" / "kl")
    printed, _ = said(
        capsys, "report", lab, "--out", out, "--answers", sheet, "--questions", tmp_path / "questions", "--lang", "fr", "--weights", "fp16"
    )
    assert printed.splitlines()[-1] == str(out)
    assert re.fullmatch(r"3 runs, 0\.0\d MB", printed.splitlines()[0])
    [call] = written
    assert list(call["runs"]) == ["ae", "vae", "gan"]
    assert (call["lang"], call["weights"], list(call["cards"])) == ("fr", "fp16", ["kl"])
    assert call["answers"].parts["kl"].predicted == ("falls",)
    assert call["comparison"]["groups"]["vae"]["scores"]["kl_nats"]["value"] == 15.2
    assert call["comparison"]["remarks"] == []
    assert open_report(out).state == "sound"
    said(capsys, "report", lab / "vae", lab / "ae", "--out", out, "--no-answers")  # an earlier report is replaced
    assert list(open_report(out).record["runs"]) == ["vae", "ae"]
    said(capsys, "report", lab / "vae", "--out", out, "--answers", sheet, "--model-answers")
    assert [call["model_answers"] for call in written] == [None, False, True]
    assert "not allowed with" in refusal_here(capsys, "report", lab / "vae", "--out", out, "--no-answers", "--model-answers")


def test_runs_of_one_name_are_told_apart(lab, tmp_path, written, capsys):
    fake_run(tmp_path / "other" / "vae", "vae", epochs=1)
    said(capsys, "report", lab / "vae", tmp_path / "other", "--out", tmp_path / "x.html")
    assert list(written[0]["runs"]) == ["lab/vae", "other/vae"]


def test_runs_that_were_not_evaluated_are_shown_without_scores_and_said(lab, tmp_path, written, capsys):
    new = fake_run(tmp_path / "new", "ae", epochs=1)
    (new.path / "scores.json").unlink()
    _, heard = said(capsys, "report", new.path, lab / "vae", "--out", tmp_path / "x.html")
    compared = written[0]["comparison"]
    assert list(compared["runs"]) == ["new", "vae"]
    assert compared["runs"]["new"]["scores"] == {}
    assert compared["runs"]["new"]["steps"] == 10
    assert compared["split"] == "test"
    assert compared["groups"]["vae"]["scores"]["kl_nats"]["value"] == 15.2
    [remark] = compared["remarks"]
    assert Phrase.from_json(remark).say("en") in heard
    assert "Not evaluated, so without scores here: new." in heard
    said(capsys, "report", new.path, "--out", tmp_path / "x.html")
    assert written[1]["comparison"]["runs"]["new"]["scores"] == {}


def test_runs_that_were_not_measured_alike_have_no_scores_side_by_side(lab, tmp_path, written, capsys):
    other = fake_run(tmp_path / "other", "ae", epochs=1)
    (other.path / "scores.json").write_text(json.dumps(other.scores() | {"data_fingerprint": "another", "samples": 7}), encoding="utf-8")
    _, heard = said(capsys, "report", lab / "vae", other.path, "--out", tmp_path / "x.html")
    compared = written[0]["comparison"]
    assert [entry["scores"] for entry in compared["runs"].values()] == [{}, {}]
    assert compared["groups"] == {}
    assert "Their data differ: f (vae); another (other)." in heard
    assert "The number of samples differs: 640 (vae); 7 (other)." in heard
    assert open_report(tmp_path / "x.html").record["runs"]["vae"]["scores"]["kl_nats"]["value"] == 15.2
    for remark in compared["remarks"]:
        assert Phrase.from_json(remark).say("fr")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "there must be at least one run to report"),
        (("{tmp}/none",), "a run must be a run folder (with a config.json), or a folder that holds some"),
        (("{lab}/vae", "{lab}"), "is named twice"),
        (("{lab}", "--lang", "de"), "--lang must be one of en, fr"),
        (("{lab}", "--weights", "int4"), "--weights must be one of int8, fp16"),
        (("{lab}", "--answers", "{tmp}/none.md"), "--answers must be a Markdown file that exists"),
        (("{lab}", "--questions", "{tmp}"), "--questions must be a folder of questions that were run"),
        (("{lab}", "--out", "{tmp}/mine.html"), "--out must be a new file or an earlier report"),
        (("{lab}", "--out", "{tmp}/mine.html/x.html"), "is no folder"),
        (("{lab}", "--out", "{tmp}/x.pdf"), "--out must be a file that ends in .html"),
    ],
)
def test_report_checks_everything_before_it_writes(arguments, says, lab, tmp_path, written, capsys):
    (tmp_path / "mine.html").write_text("<html>my own page</html>", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    filled = [argument.format(tmp=tmp_path, lab=lab) for argument in arguments]
    if "--out" not in filled:
        filled += ["--out", str(tmp_path / "new" / "x.html")]
    assert says in refusal_here(capsys, "report", *filled)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "mine.html").read_text(encoding="utf-8") == "<html>my own page</html>"
    assert written == []


def test_a_damaged_run_or_card_is_named_and_nothing_is_written(lab, tmp_path, written, capsys):
    for name in ("scores.json", "config.json", "environment.json", "status.json"):
        path = fake_run(tmp_path / name[:3], "ae", epochs=1).path
        (path / name).write_text("{", encoding="utf-8")
        assert name in refusal_here(capsys, "report", path, "--out", tmp_path / "new" / "x.html")
    card("kl").save(tmp_path / "questions" / "kl").write_text("{}", encoding="utf-8")
    assert "card.json is damaged" in refusal_here(
        capsys, "report", lab, "--questions", tmp_path / "questions", "--out", tmp_path / "x.html"
    )
    assert not list(tmp_path.rglob("*.html"))
    assert not (tmp_path / "new").exists()


@pytest.fixture
def class_of(lab, tmp_path) -> dict[str, Path]:
    """Six files: four reports as written, one edited, one that is none."""
    runs = {name: RunFolder(lab / name) for name in ("ae", "vae", "gan")}
    folder = tmp_path / "handed"
    folder.mkdir()
    cards = {"kl": card("kl"), "gan-stability": card("gan-stability", ("rises", "0")), "latent-dim": card("latent-dim", ())}
    predicted = "## {}\nprediction: {}\n"
    sheet = "".join(
        predicted.format(question, option)
        for question, option in (("kl", "falls"), ("gan-stability", "falls,0"), ("latent-dim", "0"), ("reparameterization", "0"))
    )
    found = {
        "ada": handed_in(folder / "ada.html", runs, f"name: Ada Lovelace, Alan Turing\ngroup: B2\n{sheet}{LONG}\n## notes\nHard.", cards),
        "bob": handed_in(
            folder / "bob.html",
            {"vae": runs["vae"]},
            f"name: Bob\n## kl\nprediction: rises\n## reparameterization\n{LONG.upper()}  ",
            cards,
        ),
        "hostile": handed_in(folder / "hostile.html", {"gan": runs["gan"]}, HOSTILE),
        "silent": handed_in(folder / "silent.html", {}, None),
        "edited": handed_in(folder / "edited.html", {"ae": runs["ae"]}, "name: Eve"),
        "foreign": folder / "foreign.html",
    }
    found["edited"].write_bytes(found["edited"].read_bytes().replace(b'"name":"Eve"', b'"name":"Ava"'))
    found["foreign"].write_text("<html>a page</html>", encoding="utf-8")
    return found


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    """The rows of a CSV file by file name."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file, strict=True)}


def test_handed_in_reports_become_one_table(class_of, tmp_path, capsys):
    out, heard = said(capsys, "grade", tmp_path / "handed", "--out", tmp_path / "new" / "all")
    assert out.splitlines() == [
        "6 read: 4 as written, 1 edited since, 1 foreign. A checksum shows an edit; it proves no author.",
        str(tmp_path / "new" / "all.csv"),
        str(tmp_path / "new" / "all.html"),
    ]
    assert len(heard.splitlines()) == 2
    assert f"{class_of['edited']}: edited: it was changed after latentlab wrote it (its checksum does not fit)." in heard
    assert f"{class_of['foreign']}: foreign: it is no report of latentlab’s." in heard
    rows = rows_of(tmp_path / "new" / "all.csv")
    assert list(rows) == ["ada.html", "bob.html", "edited.html", "foreign.html", "hostile.html", "silent.html"]
    ada, bob, edited, foreign, hostile, silent = rows.values()
    assert [row["state"] for row in rows.values()] == ["sound", "sound", "edited", "foreign", "sound", "sound"]
    assert (ada["name"], ada["group"], ada["notes"], ada["data"]) == ("Ada Lovelace, Alan Turing", "B2", "Hard.", "digits")
    assert edited["name"] == "Ava"
    assert (ada["vae.preset"], ada["vae.changed"], ada["vae.seed"], ada["vae.latent_dim"], ada["vae.steps"]) == (
        "conv-vae", "train.beta=4.0", "0", "32", "10",
    )  # fmt: skip
    assert float(ada["vae.kl_nats"]) == 15.2
    assert "ae.kl_nats" not in ada  # no report's autoencoder has one
    assert (bob["ae.preset"], bob["vae.preset"], foreign["vae.preset"], silent["name"]) == ("", "conv-vae", "", "")
    assert hostile["name"] == '\'=HYPERLINK("https://x.org")'
    assert {row["reparameterization.answer"] for row in (ada, bob)} == {LONG, LONG.upper()}
    assert (ada["like_text_of"], bob["like_text_of"]) == ("reparameterization: bob.html 1.00", "reparameterization: ada.html 1.00")
    assert ada["same_run_as"] == "ae: edited.html; vae: bob.html; gan: hostile.html"


def test_predictions_are_held_against_what_came_true(class_of, tmp_path, capsys):
    said(capsys, "grade", *class_of.values(), "--out", tmp_path / "all")
    rows = rows_of(tmp_path / "all.csv")
    ada, bob = rows["ada.html"], rows["bob.html"]
    assert (ada["kl.predicted"], ada["kl.came_true"], ada["kl.prediction"]) == ("falls", "falls", "right")
    assert (ada["gan-stability.came_true"], ada["gan-stability.prediction"]) == ("rises, 0", "partly")
    assert (ada["latent-dim.prediction"], ada["latent-dim.run"]) == ("open", "yes")  # the experiment settled nothing
    assert (ada["reparameterization.prediction"], ada["reparameterization.run"]) == ("open", "no")
    assert ada["encoder-vs-discriminator.prediction"] == "none"
    assert (ada["predictions_kept"], ada["predictions_made"], ada["questions_run"], ada["answers_written"]) == ("0", "4", "3", "1")
    assert (bob["kl.prediction"], bob["kl.kept"], bob["predictions_made"]) == ("wrong", "", "1")
    assert (bob["kl.holds"], bob["kl.contradicted"], bob["kl.unclear"]) == ("first", "second", "")


def test_short_answers_in_common_count_for_nothing(lab, tmp_path, capsys):
    files = [handed_in(tmp_path / f"{name}.html", {}, f"name: {name}\n## kl\nThe KL is higher.") for name in "ab"]
    said(capsys, "grade", *files, "--out", tmp_path / "all")
    assert {row["like_text_of"] for row in rows_of(tmp_path / "all.csv").values()} == {""}


def test_files_of_one_name_are_told_apart_and_named_once(lab, tmp_path, capsys):
    for name in "ab":
        (tmp_path / name).mkdir()
        handed_in(tmp_path / name / "lab.html", {}, f"name: {name}")
    said(capsys, "grade", tmp_path / "a", tmp_path / "b" / "lab.html", tmp_path / "b", "--out", tmp_path / "all")
    assert {file: row["name"] for file, row in rows_of(tmp_path / "all.csv").items()} == {"a/lab.html": "a", "b/lab.html": "b"}


def test_a_table_replaces_a_table_and_nothing_else(class_of, tmp_path, capsys):
    said(capsys, "grade", class_of["ada"], "--out", tmp_path / "handed" / "grades")
    said(capsys, "grade", tmp_path / "handed", "--out", tmp_path / "handed" / "grades")
    assert len(rows_of(tmp_path / "handed" / "grades.csv")) == 6  # its own page is no report
    for kind, ours in (("csv", "html"), ("html", "csv")):
        stem = tmp_path / f"own-{kind}"
        Path(f"{stem}.{kind}").write_text("file,mine", encoding="utf-8")
        assert f"own-{kind}.{kind}" in refusal_here(capsys, "grade", class_of["ada"], "--out", stem)
        assert Path(f"{stem}.{kind}").read_text(encoding="utf-8") == "file,mine"
        assert not Path(f"{stem}.{ours}").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "there must be at least one report to grade"),
        (("{tmp}/none.html",), "a report must be a file that exists"),
        (("{tmp}/empty",), "a report must be an .html file, or a folder with some"),
        (("{tmp}/handed/foreign.html", "{tmp}/notes.html"), "and so of 1 more. Nothing was written"),
        (("{tmp}/handed", "--lang", "de"), "--lang must be one of en, fr"),
        (("{tmp}/handed", "--out", "{tmp}/notes.html/x"), "is no folder"),
    ],
)
def test_grade_refuses_in_one_line(arguments, says, class_of, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.html").write_text("notes", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    assert says in refusal_here(capsys, "grade", *(argument.format(tmp=tmp_path) for argument in arguments))
    assert sorted(tmp_path.rglob("*")) == before


@settings(deadline=None)
@given(st.text(max_size=20) | st.floats(allow_nan=False) | st.integers())
def test_no_cell_is_a_formula_and_numbers_stay(cell):
    shown = harmless(cell)
    if isinstance(cell, str):
        assert not shown.startswith(("=", "+", "@", "\t", "\r"))
        assert not shown.startswith("-") or re.fullmatch(r"-\d[\d.e+-]*", shown)
        assert shown.lstrip("'") in cell.replace("\0", "\ufffd")
    elif abs(cell) < float("inf"):
        assert type(cell)(shown) == cell


def test_cells_of_any_text_are_read_back(tmp_path, capsys, lab):
    text = 'a "quoted", text;\nof two lines\n\n- and a list\n\n\té = 1'
    file = handed_in(tmp_path / "a.html", {}, f"name: A\n## kl\n{text}")
    said(capsys, "grade", file, "--out", tmp_path / "all")
    assert rows_of(tmp_path / "all.csv")["a.html"]["kl.answer"] == text
    assert (tmp_path / "all.csv").read_bytes().startswith(b"\xef\xbb\xbffile,state,reason,name,group,")


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_the_page_shows_everybody_and_lets_nobody_in(lang, class_of, tmp_path, capsys):
    said(capsys, "grade", tmp_path / "handed", "--out", tmp_path / "all", "--lang", lang)
    page = (tmp_path / "all.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert "javascript:" not in re.sub(r">[^<]*<", "><", page)  # nowhere but in text
    for shown in ("Ada Lovelace, Alan Turing", "Bob", LONG, "train.beta=4.0", f'<html lang="{lang}">', "&lt;script&gt;document.title"):
        assert shown in page
    assert {"en": "proves no author", "fr": "ne prouve pas qui en est l’auteur"}[lang] in page
    assert page.count("<article") >= 7


def test_the_page_in_a_browser_runs_nothing_asks_nobody_and_fits(browser, class_of, tmp_path, capsys):
    said(capsys, "grade", tmp_path / "handed", "--out", tmp_path / "all")
    for width, scheme in ((1200, "light"), (390, "dark")):
        page = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
        problems, asked = [], []
        page.on("console", lambda message, problems=problems: problems.append(message.text))
        page.on("pageerror", lambda error, problems=problems: problems.append(str(error)))
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        for file in (tmp_path / "all.html", class_of["hostile"]):
            page.goto(file.as_uri())
            assert page.title() != "run"
            assert page.evaluate("document.documentElement.scrollWidth") <= width, file
        assert problems == []
        assert all(url.startswith("file://") for url in asked)
        page.goto((tmp_path / "all.html").as_uri())
        assert page.evaluate("document.querySelectorAll('script, img, iframe, object').length") == 0
        assert "<script>document.title='run'</script>" in page.inner_text("main")
        page.context.close()


def test_a_page_that_a_browser_saved_is_edited_and_still_read(class_of, tmp_path):
    """The browser's own writing of the page: the record is as it was, the bytes are not."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine: install it to test the page in a browser")
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", class_of["ada"].as_uri()], capture_output=True, check=True
    )
    saved = tmp_path / "saved.html"
    saved.write_bytes(done.stdout)
    found = open_report(saved)
    assert found.state == "edited"
    assert found.record == open_report(class_of["ada"]).record


def test_a_student_and_a_teacher_work_by_command(lab, tmp_path):
    """The whole way by processes of their own, with the questions' own texts: a sheet, a report, a table."""
    run("question", "--sheet", "sheet.md", "--lang", "fr", cwd=tmp_path)
    sheet = (tmp_path / "sheet.md").read_text(encoding="utf-8").replace("nom: ", "nom: Ada")
    (tmp_path / "sheet.md").write_text(sheet + "Bien.", encoding="utf-8")
    done = run("report", lab, "--out", "lab.html", "--answers", "sheet.md", cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "lab.html"
    run("grade", "lab.html", cwd=tmp_path)
    row = rows_of(tmp_path / "grades.csv")["lab.html"]
    assert (row["state"], row["name"], row["notes"], row["runs"]) == ("sound", "Ada", "Bien.", "ae, vae, gan")


def test_neither_command_loads_torch():
    loaded = ("cli.report", "cli.grade", "show.answers", "show.answers.gradebook", "show.report.grades", "show.report")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {'; '.join(f'import latentlab.{name}' for name in loaded)}; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "torch" not in done.stdout.split()

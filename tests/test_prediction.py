"""A prediction: kept before its result by every way in, told with its time, and never changed after."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
from commands import PATIENCE, refusal_here
from handins import card, handed_in, short_questions

import latentlab.lab.grid
import latentlab.lab.questions
import latentlab.show.report
from latentlab.base.errors import LabError
from latentlab.base.texts import Phrase
from latentlab.cli import main
from latentlab.lab import questions
from latentlab.show.answers import Answers, Part, parsed, with_kept
from latentlab.show.answers.prediction import Prediction, all_kept, keep, kept, said
from latentlab.show.answers.record import open_report
from latentlab.show.charts.panels import Bars, Series

NINE, TEN = "2026-11-22T09:00:00+00:00", "2026-11-22T11:00:00+01:00"  # the second is ten by UTC


@pytest.fixture(autouse=True, scope="module")
def _short_questions():
    """And no classifier: the experiments of these tests look at no samples."""
    with short_questions(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(latentlab.lab.grid, "prepare", lambda images, say: None)
        yield


def test_a_prediction_is_kept_once_with_time_and_hash(tmp_path):
    folder = tmp_path / "kl"
    assert kept(folder, "kl") is None
    first = keep(folder, "kl", ["0", "falls"])
    assert first.chosen == ("falls", "0")  # in the order of the texts
    assert keep(folder, "kl", ["falls", "0"]) == kept(folder, "kl") == first
    with pytest.raises(LabError, match=r"stays as it was kept: falls,0 on .*Got 'rises'"):
        keep(folder, "kl", ["rises"])
    refused: list[str] = []
    keep(tmp_path / "latent-dim", "latent-dim", ["0"])
    shutil.copy(tmp_path / "latent-dim" / "prediction.json", tmp_path / "gan-stability.json")
    assert set(all_kept(tmp_path, refused.append)) == {"kl", "latent-dim"}
    assert all_kept(tmp_path, refused.append, "-other") == {}
    assert refused == []
    shutil.copy(tmp_path / "kl" / "prediction.json", tmp_path / "latent-dim")  # another question's
    assert all_kept(tmp_path, refused.append) == {"kl": first}
    assert "must be the prediction of latent-dim" in refused[0]
    with pytest.raises(LabError, match=r"out of falls, rises, 0. Got 'one'"):
        keep(tmp_path / "gan-stability", "gan-stability", ["one"])
    assert not (tmp_path / "gan-stability").exists()


@pytest.mark.parametrize(("name", "value"), [("chosen", ["rises"]), ("time", NINE), ("question", "latent-dim"), ("sha256", "0" * 64)])
def test_one_that_was_changed_is_refused(name, value, tmp_path):
    keep(tmp_path, "kl", ["falls"])
    path = tmp_path / "prediction.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}), encoding="utf-8")
    with pytest.raises(LabError, match="changed since"):
        kept(tmp_path, "kl")


def test_it_is_told_when_it_was_kept_and_when_the_experiment_ended():
    keys = [said(Prediction("kl", ("0",), NINE), ended).key for ended in (TEN, "")]
    assert keys == ["card.kept.ended", "card.kept.open"]
    assert said(Prediction("kl", (), NINE), TEN).key == "card.kept.looked"  # whatever a sheet says since
    assert said(None).key == "card.kept.none"
    assert "10:00 UTC" in said(Prediction("kl", ("0",), NINE), TEN).say("en")  # not 11:00, its local time


def test_what_was_kept_stands_over_what_the_sheet_says_since():
    prediction, looked = Prediction("kl", ("falls",), NINE), Prediction("latent-dim", (), NINE)
    answers = parsed("name: A\n## kl\nprediction: rises\nwhy\n## latent-dim\nprediction: 0\n")
    told = with_kept(answers, {"kl": prediction, "latent-dim": looked, "gan-stability": prediction})
    assert told.parts["kl"] == Part("falls", "why", prediction)
    assert told.parts["latent-dim"] == Part("0", "", looked)  # written down after he had looked
    assert told.parts["gan-stability"] == Part("falls", "", prediction)
    assert Answers.from_json(json.loads(json.dumps(told.to_json()))) == told


def test_the_command_keeps_a_prediction_before_the_experiment_begins(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "kl"

    def interrupted(bench):
        assert kept(folder, "kl") == keep(folder, "kl", ["falls"])
        raise KeyboardInterrupt

    monkeypatch.setattr(latentlab.lab.questions.module_of("kl"), "experiment", interrupted)
    with pytest.raises(KeyboardInterrupt):
        questions.run("kl", folder, predict=["falls"])
    assert "stays as it was kept: falls" in refusal_here(capsys, "question", "kl", "--out", folder, "--predict", "rises")
    assert "--predict must be out of falls, rises, 0. Got 'both'" in refusal_here(capsys, "question", "kl", "--predict", "both")
    sheet = tmp_path / "sheet.md"
    sheet.write_text("name: A\n## latent-dim\nprediction: 0\n", encoding="utf-8")
    assert "must be one of falls, rises, 0. Got 'nothing'" in refusal_here(capsys, "question", "kl", "--answers", sheet)
    sheet.write_text("name: A\n## kl\nprediction: rises\n", encoding="utf-8")
    assert "stays as it was kept: falls" in refusal_here(capsys, "question", "kl", "--out", folder, "--answers", sheet)
    other = tmp_path / "seen"
    card("kl").save(other)
    (other / "planned.json").write_text(json.dumps({"question": "kl", "runs": []}), encoding="utf-8")
    assert "must come before the result" in refusal_here(capsys, "question", "kl", "--out", other, "--predict", "0")
    assert kept(other, "kl") is None
    assert "go with the NAME of a question" in refusal_here(capsys, "question", "--predict", "0")


def test_to_start_over_does_not_forget_that_the_result_was_there(tmp_path, monkeypatch):
    card("kl").save(tmp_path)
    (tmp_path / "planned.json").write_text(json.dumps({"question": "kl", "runs": []}), encoding="utf-8")

    (tmp_path / "lock").touch()

    def interrupted(bench):
        raise KeyboardInterrupt

    monkeypatch.setattr(latentlab.lab.questions.module_of("kl"), "experiment", interrupted)
    with pytest.raises(KeyboardInterrupt):
        questions.run("kl", tmp_path, fresh=True)
    assert not (tmp_path / "card.json").exists()
    with pytest.raises(LabError, match="stays as it was kept: none"):
        questions.run("kl", tmp_path, predict="falls")


@pytest.fixture
def quick_experiment(monkeypatch):
    """The experiment of kl in no time."""
    told, words = card("kl"), Phrase("page.verbatim", {"words": "w"})
    panel = Bars(words, words, (words,), (Series(words, (1.0,)),), words)
    findings = questions.Findings(told.settings, told.outcome, told.claims, (panel,), told.numbers)
    monkeypatch.setattr(latentlab.show.report, "write_card_page", lambda card, out, lang: None)  # it needs the questions' whole texts
    monkeypatch.setattr(latentlab.lab.questions.module_of("kl"), "experiment", lambda bench: findings)


def test_a_result_that_the_command_told_is_remembered_as_seen(tmp_path, capsys, quick_experiment):
    folder = tmp_path / "kl"
    assert main(["question", "kl", "--out", str(folder)]) == 0  # nobody at a terminal, and nothing predicted
    assert "Claim first." in capsys.readouterr().out
    assert kept(folder, "kl").chosen == ()
    with pytest.raises(LabError, match="stays as it was kept: none"):
        keep(folder, "kl", ["falls"])  # what the studio's button does
    predicted = tmp_path / "predicted"
    assert main(["question", "kl", "--out", str(predicted), "--predict", "falls"]) == 0
    assert kept(predicted, "kl").chosen == ("falls",)
    assert main(["question", "kl", "--out", str(predicted)]) == 0
    assert kept(predicted, "kl").chosen == ("falls",)


def test_the_studios_own_process_tells_no_result(tmp_path, capsys, quick_experiment):
    """The page keeps it closed until a prediction, or the wish to look, is kept. To start over changes nothing of that."""
    pytest.importorskip("streamlit")
    from latentlab.studio.actions import experiment_words
    from latentlab.studio.library import Library

    place = Library(tmp_path)
    folder = place.questions / "kl"
    for fresh in (False, True):
        assert main(experiment_words(place, "kl", "digits", "en", fresh)) == 0
        assert capsys.readouterr().out == f"{folder}\n"
        assert kept(folder, "kl") is None
    assert main(["question", "kl", "--out", str(folder)]) == 0  # the same result, told in a terminal
    assert kept(folder, "kl").chosen == ()


def test_a_person_at_a_terminal_is_asked_until_the_prediction_is_one(tmp_path):
    """By a real terminal: a word that is none is asked again, and what is kept is there before anything is loaded."""
    child, terminal = pty.openpty()
    code = (
        "import sys, latentlab.lab.questions as q\nq.run = lambda *about, **more: sys.exit(7)\n"
        "from latentlab.cli import main\nmain(['question', 'kl', '--out', sys.argv[1]])"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "kl")]
    process = subprocess.Popen(words, stdin=terminal, stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    os.write(child, b"nonsense\none\n")
    shown = b""
    while process.poll() is None:
        try:
            shown += os.read(child, 4096)
        except OSError:  # the terminal has no writer any more
            break
    assert process.wait(PATIENCE) == 7
    os.close(child)
    assert b"Got 'nonsense'" in shown
    assert json.loads((tmp_path / "kl" / "prediction.json").read_text(encoding="utf-8"))["chosen"] == ["one"]


def test_a_report_tells_when_each_prediction_was_kept(tmp_path):
    prediction = Prediction("kl", ("falls",), NINE)
    answers = with_kept(parsed("name: A\nstudent: 12 345"), {"kl": prediction})
    file = handed_in(tmp_path / "a.html", {}, answers, {"kl": card("kl")})
    found = open_report(file)
    assert found.state == "sound"
    assert Answers.from_json(found.record["answers"]) == answers
    for wrong in ({"ended": "yesterday"}, {"ended": "2026-11-22T03:58:51"}):  # which no hand-in of the course may fail on
        told = open_report(file).record["questions"]["kl"] | wrong
        other = handed_in(tmp_path / "b.html", {}, answers, {}, questions={"kl": told})
        assert open_report(other).record is None
    swapped = replace(answers, parts={"latent-dim": answers.parts["kl"]})
    assert open_report(handed_in(tmp_path / "c.html", {}, swapped)).record is None  # another question's
    forged = file.read_text(encoding="utf-8").replace(NINE, TEN)
    file.write_text(forged, encoding="utf-8")
    assert open_report(file).record is None  # its hash is not that of what it says
    assert main(["grade", str(file), "--out", str(tmp_path / "all")]) == 2

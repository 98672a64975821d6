"""The main job by subprocess: the four runs, the table, the page; and a second call that keeps, resumes or refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commands import refusal, run, start, wait_until
from handins import bare_card

import latentlab.lab.main
from latentlab.base.errors import LabError
from latentlab.base.texts import catalogue
from latentlab.cli import main
from latentlab.runs.folder import open_folder
from latentlab.show.answers.record import open_report
from latentlab.show.card import FOLDER, NAMES

RUNS = ("ae", "vae", "gan", "gan-from-vae")


@pytest.fixture(scope="module")
def lab(quick_lab: Path) -> Path:
    lines = (quick_lab / "said").read_text(encoding="utf-8").splitlines()
    assert lines[-1] == str(quick_lab / "lab" / "lab.html")
    assert lines[0].split()[0] == "run"
    assert [line.split()[0] for line in lines[2:6]] == list(RUNS)
    return quick_lab / "lab"


def stamps(out: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in out.rglob("checkpoints/*/*")}


def test_four_runs_with_latent_32_and_one_decoder(lab: Path) -> None:
    configs = {name: json.loads((lab / name / "config.json").read_text()) for name in RUNS}
    assert [configs[n]["preset"] for n in RUNS] == ["conv-ae", "conv-vae", "sn-gan", "gan-from-vae"]
    forms = {
        json.dumps([c["model"][k] for k in ("latent_dim", "hidden", "channels", "activation", "normalization")]) for c in configs.values()
    }
    assert len(forms) == 1
    assert configs["ae"]["model"]["latent_dim"] == 32
    parameters = {n: json.loads((lab / n / "environment.json").read_text())["parameters"] for n in RUNS}
    assert (
        parameters["vae"]["decoder"]
        == parameters["ae"]["decoder"]
        == parameters["gan"]["generator"]
        == parameters["gan-from-vae"]["generator"]
    )


def test_the_comparison_holds_what_the_table_shows(lab: Path) -> None:
    compared = json.loads((lab / "comparison.json").read_text())
    assert list(compared["runs"]) == list(RUNS)
    assert (compared["data"], compared["split"]) == ("digits", "test")
    for entry in compared["runs"].values():
        assert entry["steps"] == 30
        assert entry["seconds"] > 0
        assert entry["class_shares"]["n"] == compared["samples"] == 200
    assert set(compared["runs"]["vae"]["scores"]) >= {"negative_elbo_nats", "nll_nats", "kl_nats", "reconstruction_mse", "frechet", "kid"}
    assert "| " in (lab / "comparison.md").read_text(encoding="utf-8")
    assert (lab / "comparison.png").stat().st_size > 20_000


def test_the_page_stands_alone(lab: Path) -> None:
    page = (lab / "lab.html").read_text(encoding="utf-8")
    for word in ("sn-gan", "gan-from-vae", "train.seed"):
        assert word in page
    for name in RUNS:
        assert (lab / name / "figures" / "latent-grid.png").is_file()
        assert (lab / name / "figures" / "interpolations.png").is_file()
    assert 'src="http' not in page
    assert 'lang="en"' in page


@pytest.mark.slow
def test_a_second_call_keeps_finished_runs_and_writes_french_on_request(lab: Path) -> None:
    before = stamps(lab)
    done = run("lab", "--quick", "--out", lab, "--lang", "fr")
    assert done.stderr.count("finished before, kept") == 4
    assert stamps(lab) == before
    assert 'lang="fr"' in (lab / "lab.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_runs_of_another_configuration_are_refused_and_fresh_starts_over(lab: Path, tmp_path: Path) -> None:
    out = tmp_path / "lab"
    shutil.copytree(lab, out)
    before = stamps(out)
    line = refusal("lab", "--out", out)
    assert "train." in line
    assert "--fresh" in line
    assert stamps(out) == before
    (out / "mine.txt").write_text("kept")
    run("lab", "--quick", "--fresh", "--out", out)
    assert stamps(out) != before
    assert (out / "mine.txt").read_text() == "kept"


@pytest.mark.slow
def test_an_interrupted_lab_is_resumed_by_the_same_command(lab: Path, tmp_path: Path) -> None:
    from test_resume import final_sha256

    out = tmp_path / "lab"
    process = start("lab", "--quick", "--out", out)
    wait_until(lambda: (out / "gan" / "samples" / "step-00000004.png").exists())
    process.kill()
    process.communicate()
    done = run("lab", "--quick", "--out", out)
    assert done.stderr.count("finished before, kept") >= 2
    for name in RUNS:
        assert final_sha256(out / name) == final_sha256(lab / name)


def test_questions_that_were_not_run_yet_are_run_before_the_page_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them unless it is asked for, each with what holds for all: where data lie, the language."""
    monkeypatch.chdir(tmp_path)
    bare_card("kl").save(FOLDER / "kl")
    done: list[tuple[str, str]] = []
    monkeypatch.setattr(latentlab.lab.main, "plan", lambda *about: {})

    def question(name: str, *, lang: str, offline: bool, closed: bool, **more: object) -> None:
        done.append((name, f"{lang} {offline} {closed}"))
        if name == "latent-dim":
            raise LabError("an arm failed")  # which is said, and the others are run

    monkeypatch.setattr(latentlab.lab.main, "question", question)
    monkeypatch.setattr(latentlab.lab.main, "finish", lambda *about: done.append(("page", "")))
    told: list[str] = []
    more = {"offline": True, "lang": "fr", "follow": lambda session: True, "say": told.append}
    latentlab.lab.main.run_lab(out=tmp_path / "lab", **more)
    assert done == [("page", "")]
    latentlab.lab.main.run_lab(out=tmp_path / "lab", questions=True, **more)
    assert done[1:] == [(name, "fr True True") for name in NAMES if name != "kl"] + [("page", "")]
    assert "question latent-dim: an arm failed" in told


@pytest.mark.slow
def test_a_students_lab_holds_the_number_and_no_model_answer(lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so does a report of its runs; that of a lab of nobody's holds the answers."""
    monkeypatch.chdir(tmp_path)
    bare_card("kl").save(FOLDER / "kl")
    out = tmp_path / "lab"
    shutil.copytree(lab, out)
    configs = {name: open_folder(out / name).config() for name in RUNS}
    monkeypatch.setattr(latentlab.lab.main, "plan", lambda data, options, quick, out, student: configs)  # as if they were the student's
    for drawing in ("draw_walks", "draw_figures", "draw_together"):
        monkeypatch.setattr(latentlab.lab.main, drawing, lambda *about: None)
    answers = [words for lang in ("en", "fr") for words in (catalogue(lang)["question.kl.answer.2"][:80], catalogue(lang)["card.answer"])]
    assert main(["report", str(lab), "--out", str(tmp_path / "nobody.html")]) == 0
    assert all(words in (tmp_path / "nobody.html").read_text(encoding="utf-8") for words in answers)
    done = latentlab.lab.main.run_lab(out=out, student=" 47 11", quick=True, follow=lambda session: False, say=lambda words: None)
    assert done is not None
    assert main(["report", str(out), "--out", str(tmp_path / "report.html")]) == 0
    for page in (out / "lab.html", tmp_path / "report.html"):
        assert not any(words in page.read_text(encoding="utf-8") for words in answers)
        found = open_report(page)
        assert found.state == "sound"
        assert found.record is not None
        assert found.record["student"] == "4711"
    assert main(["report", str(out), "--model-answers", "--out", str(tmp_path / "report.html")]) == 0
    assert all(words in (tmp_path / "report.html").read_text(encoding="utf-8") for words in answers)

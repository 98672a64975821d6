"""The frame of the questions: what is refused, what an interruption leaves, how the commands answer."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from commands import PATIENCE, refusal_here, run, start

from latentlab.base.errors import LabError
from latentlab.base.files import read_json
from latentlab.base.texts import catalogue
from latentlab.lab import questions
from latentlab.lab.questions import check, claim_folder, forget, plan_runs, seconds_in, timed
from latentlab.lab.questions.bench import Bench, Plan
from latentlab.runs.folder import RunFolder
from latentlab.show.card import NAMES


def test_the_names_are_those_of_the_contract():
    assert questions.names() == [
        "reparameterization", "kl", "latent-dim", "decoder-as-generator", "encoder-vs-discriminator", "ae-vs-vae-vs-gan", "gan-stability",
    ]  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_without_a_name_the_questions_are_listed(lang):
    lines = run("question", "--lang", lang).stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(NAMES)
    assert all(catalogue(lang)[f"question.{name}.title"] in line for name, line in zip(NAMES, lines, strict=True))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("kll",), "a question must be one of reparameterization, kl"),
        (("kl", "--lang", "de"), "--lang must be one of en, fr. Got 'de'"),
        (("kl", "--data", "mnits"), "Got 'mnits'. Did you mean mnist?"),
        (("kl", "--data", "folder:."), "--data must be one of digits"),
        (("kl", "--sheet", "x.md"), "one at a time"),
        (("kl", "--what", "1"), "--what"),
    ],
)
def test_wrong_input_is_one_line(arguments, told, capsys):
    assert told in refusal_here(capsys, "question", *arguments)


def test_an_out_that_is_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert "--out must be a folder" in refusal_here(capsys, "question", "kl", "--out", str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "mine"


def test_starting_over_removes_what_is_ours_and_nothing_else(tmp_path):
    claim_folder("kl", tmp_path)
    plan_runs(tmp_path, ["beta-0", "beta-1"])
    for name in ("beta-0", "beta-1", "mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "beta-0.json").write_text('{"task": null, "result": {}}')
    (tmp_path / "tasks" / "mine.json").write_text("{}")
    for name in ("card.json", "figure.png", "notes.md"):
        (tmp_path / name).write_text("x")
    forget(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "notes.md", "tasks"]
    assert [path.name for path in (tmp_path / "tasks").iterdir()] == ["mine.json"]


def test_names_that_lead_elsewhere_are_not_removed(tmp_path):
    folder = tmp_path / "kl"
    for path in (tmp_path / "lab", folder):
        path.mkdir()
        (path / "config.json").write_text("{}")
    (folder / "link").symlink_to(tmp_path / "lab")
    (folder / "planned.json").write_text(
        json.dumps({"question": "kl", "runs": ["../lab", ".", "", "..", str(tmp_path / "lab"), "link", 7]})
    )
    forget(folder)
    assert (tmp_path / "lab" / "config.json").is_file()
    assert (folder / "config.json").is_file()


def test_runs_that_only_a_card_names_are_this_questions(tmp_path):
    (tmp_path / "beta-0").mkdir()
    (tmp_path / "beta-0" / "config.json").write_text("{}")
    (tmp_path / "card.json").write_text(json.dumps({"question": "kl", "runs": ["beta-0"]}))
    claim_folder("kl", tmp_path)
    assert read_json(tmp_path / "planned.json") == {"question": "kl", "runs": ["beta-0"]}
    forget(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"notes.md": "mine"}, "It holds other files."),
        ({"card.json": '{"name": "a business card"}'}, "It holds other files."),
        ({"card.json": '{"question": "latent-dim", "runs": []}'}, "that of the question latent-dim"),
        ({"planned.json": '{"question": "latent-dim", "runs": []}', "seconds.json": '{"seconds": 1.0}'}, "that of the question latent-dim"),
        ({}, None),
        ({"lock": ""}, None),
        ({"seconds.json": '{"seconds": 1.0}', "card.json": "damaged"}, None),
        ({"card.json": '{"question": "kl", "runs": []}', "notes.md": "mine"}, None),
        ({"planned.json": '{"question": "kl", "runs": []}', "card.json": '{"question": "latent-dim"}'}, None),
    ],
)
def test_a_folder_is_new_or_this_questions(files, told, tmp_path, capsys):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    if told is None:
        check("kl", tmp_path, "digits")
        return
    for more in ((), ("--fresh",)):
        said = refusal_here(capsys, "question", "kl", "--out", str(tmp_path), *more)
        assert "--out must be a new or empty folder, or one of this question" in said
        assert told in said
    with pytest.raises(LabError, match="one of this question"):
        questions.run("kl", tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files


def test_time_is_added_up_over_interruptions(tmp_path, monkeypatch):
    monkeypatch.setattr(questions.time, "perf_counter", iter((7.0, 9.5)).__next__)
    path = tmp_path / "seconds.json"
    path.write_text(json.dumps({"seconds": 100.0}))

    def interrupted() -> None:
        with timed(path):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert seconds_in(path) == 102.5
    assert seconds_in(tmp_path / "none") == 0.0


def bench(folder, said):
    from latentlab.config.presets import preset
    from latentlab.data import load_data

    shared = {"data.spec": "digits", "data.train_images": 200}
    folder.mkdir(exist_ok=True)
    return Bench(folder, load_data(preset("mlp-vae", **shared).data), shared, said.append)


SMALL = {"train.steps": 3, "model.hidden": (8,), "model.latent_dim": 2}


def test_runs_are_trained_side_by_side_and_kept(tmp_path):
    said: list[str] = []
    there = bench(tmp_path / "q", said)
    plans = [Plan(f"run-{seed}", "mlp-vae", SMALL | {"train.seed": seed}) for seed in range(3)]
    runs = there.train(plans)
    assert [run.status()["state"] for run in runs.values()] == ["finished"] * 3
    assert {run.config.train.threads for run in runs.values()} == {1}
    before = [(run.path / "metrics.jsonl").stat().st_mtime_ns for run in runs.values()]
    again = there.train(plans)
    assert [(run.path / "metrics.jsonl").stat().st_mtime_ns for run in again.values()] == before
    assert len([line for line in said if "3 steps" in line]) == 6
    assert json.loads((tmp_path / "q" / "planned.json").read_text())["runs"] == ["run-0", "run-1", "run-2"]


def test_a_folder_with_another_run_is_refused_before_anything_is_trained(tmp_path):
    there = bench(tmp_path / "q", [])
    there.train([Plan("a", "mlp-vae", SMALL)])
    with pytest.raises(LabError, match=r"must have train\.seed 7"):
        there.train([Plan("b", "mlp-vae", SMALL), Plan("a", "mlp-vae", SMALL | {"train.seed": 7})])
    assert not (tmp_path / "q" / "b").exists()
    assert json.loads((tmp_path / "q" / "planned.json").read_text())["runs"] == ["a"], "the others are not ours to remove"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals differ")
def test_an_interrupted_question_ends_at_once_and_goes_on(tmp_path):
    """A signal while two workers train: status 143, nobody trains on, what was finished is kept."""
    process = start("question", "kl", "--out", tmp_path / "kl")
    lines = []
    for line in process.stderr:
        lines.append(line)
        if " steps" in line:
            break
    process.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    process.send_signal(signal.SIGTERM)  # an impatient second one changes nothing
    _, rest = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143, "".join(lines) + rest
    assert "the same command goes on" in rest
    assert "Traceback" not in rest
    runs = [RunFolder(path.parent) for path in (tmp_path / "kl").glob("*/config.json")]
    assert runs
    assert not any(folder.is_locked() for folder in runs)
    assert any(folder.status()["state"] == "finished" for folder in runs)
    assert seconds_in(tmp_path / "kl" / "seconds.json") > 0

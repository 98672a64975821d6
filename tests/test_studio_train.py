"""The page Train by Streamlit's own test: what the form makes of the address and the other way round, what it starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakeruns import fake_run

pytest.importorskip("streamlit")
from apppages import numbers
from streamlit.testing.v1 import AppTest

import latentlab.studio
from latentlab.runs.checkpoints import save
from latentlab.studio import tasks
from latentlab.studio.library import Library

APP = Path(latentlab.studio.__file__).with_name("app.py")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    found = Library(tmp_path / "runs")
    found.runs.mkdir()
    monkeypatch.setenv("LATENTLAB_STUDIO_RUNS", str(found.runs))
    monkeypatch.delenv("LATENTLAB_STUDIO_DATA", raising=False)
    return found


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was started, without starting it."""
    found: list[list[str]] = []

    def start(place: Library, kind: str, subject: str, arguments: list[str]) -> None:
        found.append(list(arguments))

    monkeypatch.setattr(tasks, "start", start)
    return found


def opened(**address: str) -> AppTest:
    at = AppTest.from_file(str(APP), default_timeout=60)
    for name, value in address.items():
        at.query_params[name.replace("__", ".")] = value
    at.run()
    assert not at.exception, at.exception
    return at


def only(value: Any) -> str:
    return value[0] if isinstance(value, list) else value


def test_the_form_starts_what_it_shows(place: Library, started: list[list[str]]):
    at = opened()
    assert at.title[0].value == "Train a model"
    at.number_input(key="train:conv-vae:model.latent_dim").set_value(2)
    at.number_input(key="train:conv-vae:train.beta").set_value(4.0)
    at.text_input(key="train:conv-vae:model.hidden").set_value("64, 32").run()
    assert not at.error
    assert {name: only(value) for name, value in at.query_params.items()} == {
        "model.latent_dim": "2", "train.beta": "4.0", "model.hidden": "64,32",
    }  # fmt: skip
    at.button(key="train:start").click().run()
    (words,) = started
    assert words[:2] == ["train", "conv-vae"]
    assert words[2:6] == ["--model.latent_dim", "2", "--model.hidden", "64,32"]
    assert words[words.index("--train.beta") + 1] == "4.0"
    # Ten epochs of digits are 113 steps, and blobs: a set so small is gone through more often, as the lab does.
    assert words[words.index("--train.epochs") + 1] == "41.0"
    assert Path(words[-1]).parent == place.runs
    assert only(at.query_params["run"]) == "conv-vae-digits-001"


def test_the_address_fills_the_form(place: Library):
    at = opened(preset="sn-gan", train__generator_updates="3", model__latent_dim="7", lang="fr")
    assert at.title[0].value == "Entraîner un modèle"
    assert at.number_input(key="train:sn-gan:train.generator_updates").value == 3
    assert at.number_input(key="train:sn-gan:model.latent_dim").value == 7
    assert not any("beta_warmup" in str(one.key) for one in at.number_input)


def test_a_wrong_value_is_said_and_nothing_starts(place: Library):
    at = opened(train__batch_size="0", model__hidden="a,b")
    assert len(at.error) == 2
    at.text_input(key="train:conv-vae:model.hidden").set_value("12, x").run()
    assert any("model.hidden" in one.value.replace("\\", "") for one in at.error)
    assert at.button(key="train:start").disabled


def test_a_wrong_value_is_said_in_french(place: Library):
    at = opened(train__batch_size="0", lang="fr")
    assert at.error[0].value.replace("\\", "") == "train.batch_size\xa0: il faut un entier d’au moins 1. Reçu\xa0: '0'."


def test_a_link_hides_controls_and_keeps_their_values(place: Library, started: list[list[str]]):
    at = opened(hide="train.seed,advanced,share,preset,data,generate", train__seed="11")
    keys = {str(one.key) for one in at.number_input}
    assert "train:conv-vae:train.seed" not in keys
    assert not any("threads" in key for key in keys)
    choosing = {"train:preset", "train:data", "train:family"}
    assert not choosing & {one.key for one in [*at.selectbox, *at.button_group]}
    assert choosing <= {one.key for one in [*opened().selectbox, *opened().button_group]}
    assert not [one for one in at.expander if "conv-vae" in one.label]
    at.button(key="train:start").click().run()
    assert started[0][started[0].index("--train.seed") + 1] == "11"
    assert only(at.query_params["hide"]).startswith("train.seed")


def test_what_an_address_hides_cannot_hide_a_refusal(place: Library):
    at = opened(hide="train.seed", train__seed="-1")
    assert "train.seed" in at.error[0].value.replace("\\", "")


def test_a_gan_from_a_decoder_needs_one(place: Library, started: list[list[str]]):
    at = opened(preset="gan-from-vae")
    assert "Train conv-vae first" in at.info[0].value
    assert not [one for one in at.button if one.key == "train:start"]
    folder = fake_run(place.runs / "lab" / "vae", "vae", **{"model.latent_dim": 5})
    (folder.path / "status.json").write_text(json.dumps({"state": "finished", "step": 40}))
    at = opened(preset="gan-from-vae")
    at.button(key="train:start").click().run()
    words = started[0]
    assert words[words.index("--train.generator_from") + 1] == str(folder.path)
    assert words[words.index("--model.latent_dim") + 1] == "5"


@pytest.mark.parametrize("name", ["../secret", "C:\\x", "nothing", "<script>alert(1)</script>", "lab/../.."])
def test_a_run_that_there_is_not_is_one_line(place: Library, name: str):
    at = opened(run=name)
    assert len(at.error) == 1
    assert "run" in at.error[0].value


def test_a_finished_run_is_shown_and_can_go_on(place: Library, started: list[list[str]]):
    folder = fake_run(place.runs / "vae", "vae")
    (folder.path / "status.json").write_text(json.dumps({"state": "finished", "step": 40}))
    at = opened(run="vae")
    assert list(numbers(at)) == ["Done", "Step", "Epoch", "Training time"]
    assert numbers(at)["Step"] == "40"
    at.button(key="control:vae:go_on").click().run()
    assert started == [["resume", str(place.runs / "vae"), "--epochs", "20"]]


@pytest.mark.parametrize(("lang", "label"), [("en", "Go on with 0.001: learning rate"), ("fr", "Continuer avec 0,001")])
def test_a_loss_that_was_not_finite_has_a_way_out(place: Library, started: list[list[str]], lang: str, label: str):
    """From the checkpoint whose held-out loss is lowest: what came after it may have grown too far already."""
    folder = fake_run(place.runs / "vae", "vae", **{"train.learning_rate": 0.01})
    failed = folder.metrics()[0] | {"step": 41, "split": "train", "failure": "step 41: the negative ELBO loss is not finite (nan)"}
    with open(folder.metrics_file, "a", encoding="utf-8") as metrics:
        metrics.write(json.dumps(failed) + "\n")
    change = {"learning_rate": 0.01, "from": 0.01, "to": 0.001}
    finding = {"key": "not_finite", "since_step": 41, "evidence": change, "sign": "refused", "remedy": "rate"}
    status = {"state": "failed", "step": 40, "message": "step 41: the negative ELBO loss is not finite (nan)", "diagnosis": [finding]}
    (folder.path / "status.json").write_text(json.dumps(status))
    for step, loss in ((0, 300.0), (20, 90.0), (40, 5000.0)):
        save(folder.checkpoints, step, {}, {"step": step, "val_loss": loss})
    at = opened(run="vae", lang=lang)
    (said,) = [one.value for one in at.warning]
    assert not at.error  # told once
    if lang == "fr":
        assert "\\-\\-" not in said
        assert "0,01 à 0,001" in said
        assert "negative ELBO" not in " ".join(one.value for one in (*at.markdown, *at.warning, *at.caption))
    button = at.button(key="control:vae:go_on")
    assert button.label.replace("\xa0", " ").startswith(label)
    button.click().run()
    total = ["--epochs", "10", "--train.learning_rate", "0.001", "--from-step", "20"]
    assert started == [["resume", str(place.runs / "vae"), *total]]


def test_where_others_read_no_page_shows_a_folder_of_this_machine(place: Library, monkeypatch: pytest.MonkeyPatch):
    folder = fake_run(place.runs / "vae", "vae")
    (folder.path / "status.json").write_text(json.dumps({"state": "failed", "step": 4, "message": f"{folder.path} has no room."}))
    assert str(place.runs) in opened(run="vae").error[0].value.replace("\\", "")
    monkeypatch.setenv("LATENTLAB_STUDIO_SHARED", "1")
    said = opened(run="vae").error[0].value.replace("\\", "")
    assert str(place.runs.parent) not in said
    assert said.endswith("…/vae has no room.")


def test_requests_of_the_controls_reach_the_run(place: Library):
    folder = fake_run(place.runs / "gan", "gan")
    live = {"state": "running", "step": 40, "mode": "fast", "settings": {"train.generator_learning_rate": 1e-3}}
    (folder.path / "status.json").write_text(json.dumps(live))
    with folder.locked():
        at = opened(run="gan")
        assert at.button(key="control:gan:step").disabled
        at.button(key="control:gan:pause").click().run()
        (folder.path / "status.json").write_text(json.dumps(live | {"state": "paused", "mode": "paused"}))
        at.run()
        at.button(key="control:gan:phase").click().run()
        key = next(str(one.key) for one in at.number_input if str(one.key).endswith("train.generator_learning_rate"))
        at.number_input(key=key).set_value(5e-4)
        next(one for one in at.button if one.label == "Apply").click().run()
    asked = json.loads((folder.path / "control.json").read_text())["requests"]
    assert [one["action"] for one in asked] == ["pause", "phase", "set"]
    assert asked[-1]["set"] == {"train.generator_learning_rate": 5e-4}


def test_a_hostile_name_of_a_folder_is_shown_as_text(place: Library):
    name = "**b** [x](javascript:alert(1)) :red[y] $z$"
    folder = fake_run(place.runs / "x", "vae")
    folder.path.rename(place.runs / name.replace(":", "").replace("*", ""))
    at = opened(run=name.replace(":", "").replace("*", ""))
    shown = at.title[0].value
    assert "\\[x\\]" in shown
    assert "\\$z\\$" in shown

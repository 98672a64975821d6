"""Several runs from the studio: what is started, how far it is, and what came of it as parallel coordinates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakeruns import fake_run
from hosted import hosted

pytest.importorskip("streamlit")

from apppages import opened

from latentlab.base.errors import LabError
from latentlab.cli.many import command_sweep
from latentlab.config.presets import preset
from latentlab.lab.farm import Outcome
from latentlab.studio import listing, tasks
from latentlab.studio.library import Library
from latentlab.studio.several import sweep_words, values_of

BETA = preset("mlp-vae").fields()["train.beta"]
FOLDER = "sweep-mlp-vae-digits-001"


@pytest.mark.parametrize("text", ["1, 3, 10", "1 3 10 3", "1,3,10", " 1; 3 ;10"])
def test_values_are_read_however_they_are_written(text):
    assert values_of(BETA, text, "en") == [1.0, 3.0, 10.0]


def test_a_decimal_comma_is_read_in_french_and_nonsense_is_refused():
    assert values_of(BETA, "0,5; 2", "en") == [0.5, 2.0]
    assert values_of(BETA, "0,5", "fr") == [0.5]
    assert values_of(BETA, "0,5, 1,5", "fr") == values_of(BETA, "0,5 1,5", "fr") == [0.5, 1.5]
    assert values_of(BETA, "1, 3", "fr") == [1.0, 3.0]
    with pytest.raises(LabError, match=r"1\.3\.10"):
        values_of(BETA, "1,3,10", "fr")
    assert values_of(BETA, " ", "en") == []
    with pytest.raises(LabError, match="twelve"):
        values_of(BETA, "1, twelve", "en")


def test_the_command_trains_what_the_form_says(tmp_path, monkeypatch):
    """Read back by the command line: the form's values, the tried ones in the place of the form's, and the seeds from the form's on."""
    asked: dict[str, Any] = {}

    def run_sweep(name: str, grid: dict[str, Any], **more: Any) -> Outcome:
        asked.update(name=name, grid=grid, **more)
        return Outcome(tmp_path, None, {}, None)

    monkeypatch.setattr("latentlab.lab.grid.run_sweep", run_sweep)
    config = preset("mlp-vae", **{"train.beta": 7.0, "model.hidden": (40, 20), "train.steps": 30, "train.seed": 5})
    assert command_sweep(sweep_words(config, {"train.beta": [0.5, 1.0], "model.latent_dim": [2, 8]}, 2, str(tmp_path), "fr")[1:]) == 0
    wanted = {"train.beta": [0.5, 1.0], "model.latent_dim": [2, 8], "model.hidden": [(40, 20)], "train.steps": [30], "train.seed": [5, 6]}
    assert {name: list(values) for name, values in asked["grid"].items()} == wanted
    assert (asked["name"], asked["out"], asked["lang"]) == ("mlp-vae", str(tmp_path), "fr")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    """Three of four runs of a sweep, two of them measured."""
    found = Library(tmp_path / "runs")
    for beta, measured in ((1.0, True), (10.0, True), (3.0, False)):
        folder = fake_run(found.runs / FOLDER / f"beta-{beta:g}-seed-0", "vae", epochs=1, **{"train.beta": beta})
        (folder.path / "status.json").write_text(json.dumps({"state": "finished", "step": 10, "message": "", "diagnosis": []}))
        if not measured:
            (folder.path / "scores.json").unlink()
    fake_run(found.runs / "other", "gan")
    (found.runs / FOLDER / "sweep.json").write_text(json.dumps({"preset": "mlp-vae", "alternatives": {"train.beta": [1, 3, 10, 30]}}))
    monkeypatch.setenv("LATENTLAB_STUDIO_RUNS", str(found.runs))
    monkeypatch.delenv("LATENTLAB_STUDIO_DATA", raising=False)
    listing._kept.clear()
    return found


def task(place: Library, status: int | None) -> None:
    path = place.own / "tasks" / "one"
    path.mkdir(parents=True)
    told = {"kind": "sweep", "subject": FOLDER, "arguments": ["sweep", "mlp-vae"], "started": 1.0, "status": status, "pid": None}
    (path / "task.json").write_text(json.dumps(told))


def test_compare_follows_a_sweep_and_lets_it_go_on(place, monkeypatch):
    begun: list[Any] = []
    monkeypatch.setattr(tasks, "start", lambda place, kind, subject, words: begun.append((kind, subject, list(words))))
    task(place, 143)  # it was stopped
    at = opened("compare", sweep=FOLDER)
    assert "3 of 4 trained, 2 measured" in at.get("progress")[0].proto.text
    assert sorted(at.multiselect[0].value) == [f"{FOLDER}/beta-{beta}-seed-0" for beta in (1, 10, 3)]
    assert not any(name == "other" for name in at.multiselect[0].options)
    at.button(key="sweep:go_on").click().run()
    assert begun == [("sweep", FOLDER, ["sweep", "mlp-vae"])]


def test_a_sweep_that_was_ended_says_why_in_one_line(place):
    task(place, 2)
    (place.own / "tasks" / "one" / "log").write_text("latentlab: train.beta must be at least 0. Got −1.\n", encoding="utf-8")
    at = opened("compare", sweep=FOLDER)
    assert sum("train.beta" in one.value.replace("\\", "") for one in at.error) == 1


def test_the_form_says_how_many_and_refuses_in_one_line(place, monkeypatch):
    monkeypatch.setattr(tasks, "start", lambda *_: None)
    at = opened("train", preset="mlp-vae")
    at.text_input(key="train:several:train.beta").input("1, 3, 10").run()
    assert any("3 runs" in one.value for one in at.markdown)
    at.number_input(key="train:several:seeds").set_value(3).run()
    assert any("9 runs" in one.value for one in at.markdown)
    assert not at.button(key="train:several:start").disabled
    for text, why in (("1, −", "−"), ("-1, 2", "-1"), (", ".join(map(str, range(1, 12))), "33")):
        at.text_input(key="train:several:train.beta").input(text).run()
        assert at.button(key="train:several:start").disabled
        assert sum(why in one.value.replace("\\", "") for one in at.error) == 1


AXES = [{"name": ["β", ""], "swept": True}, {"name": ["MSE", "better ↓"], "swept": False}]
LINES = {"run 0": [1, 3.0], "run 1": [3, 2.0], "run 2": [10, 1.0], "bare": [3, None]}
DATA = {"axes": AXES, "lines": [{"name": name, "hue": "vae-3", "values": values} for name, values in LINES.items()]}
WORDS = {
    "lang": "en", "title": "T", "keys": "K", "brushed": "{shown} of {all} runs", "axis": "{name}: kept", "range": "{low} to {high}",
    "run": "Run", "clear": "All",
}  # fmt: skip


@pytest.mark.parametrize("width", [800, 390])
def test_brushes_keep_lines_and_numbers_by_pointer_and_by_keys(browser, tmp_path, width):
    """Two axes are enough. What a brush leaves is the same in the picture, in the table and in words."""
    with hosted(browser, tmp_path, width=width, shadow=True) as page:
        page.evaluate("([data, words]) => { globalThis.drawn = L.parallel(root, data, words); }", [DATA, WORDS])
        names = lambda: page.locator(".parallel tbody th").all_inner_texts()  # noqa: E731
        lit = lambda: page.locator(".parallel-line:not(.parallel-out)").count()  # noqa: E731
        assert (names(), lit()) == (["run 0", "run 1", "run 2", "bare"], 4)
        axis = page.locator(".parallel-axis").first
        assert axis.get_attribute("aria-valuetext") == "1 to 10"
        axis.focus()
        page.keyboard.press("ArrowUp")  # the upper half: 3 lies on its edge
        assert (names(), lit(), axis.get_attribute("aria-valuetext")) == (["run 1", "run 2", "bare"], 3, "3 to 10")
        assert page.locator(".parallel output").inner_text() == "3 of 4 runs"
        second = page.locator(".parallel-axis").nth(1)
        second.focus()
        page.keyboard.press("ArrowDown")  # the lower half of the other: all brushes hold, and who has no value is in none
        assert (names(), second.get_attribute("aria-valuetext")) == (["run 1", "run 2"], "1 to 2")
        page.evaluate("([data, words]) => drawn.update({ ...data, lines: data.lines.slice(0, 2) }, words)", [DATA, WORDS])
        assert names() == ["run 1"]  # more runs may come while a reader looks
        page.keyboard.press("Escape")
        axis.focus()
        page.keyboard.press("Escape")
        assert names() == ["run 0", "run 1"]
        assert page.evaluate("keys") == []  # the page around has keys of its own
        box = axis.locator(".parallel-zone").bounding_box()
        assert min(box["width"], box["height"]) >= 44
        upright = box["height"] > box["width"]
        ends = [(box["x"] + box["width"] / 2, box["y"] + box["height"] * at) for at in (0.3, 0.02)]
        across = [(box["x"] + box["width"] * at, box["y"] + box["height"] / 2) for at in (0.7, 0.98)]
        (x, y), to = ends if upright else across
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(*to)
        assert (names(), lit()) == (["run 0", "run 1"], 1)  # numbers and words wait until it rests
        page.mouse.up()
        assert names() == ["run 1"]
        page.get_by_role("button", name="All").click()
        assert names() == ["run 0", "run 1"]
        page.evaluate("drawn.destroy()")
        assert page.evaluate("root.childElementCount") == 0

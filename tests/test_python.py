"""From Python what the command line does: list, compare, sweep, report, measure, go on, train on otherwise."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY
from handins import bare_card

import latentlab as ll
from latentlab.base.files import read_json, replace_json
from latentlab.base.texts import catalogue
from latentlab.cli import main
from latentlab.show.card import FOLDER

SMALL = TINY | {"hidden": (8,), "latent_dim": 2, "epochs": 1}
LOOKED = {"extractors": "random-convolutions", "nll_samples": 2, "nll_images": 4, "samples": 40}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two evaluated runs."""
    folder = tmp_path_factory.mktemp("python") / "runs"
    for name, preset in (("a", "mlp-ae"), ("v", "mlp-vae")):
        ll.train(preset, folder / name, **SMALL).evaluate(**LOOKED)
    return folder


def test_runs_are_listed(made: Path) -> None:
    assert [run.path.name for run in ll.runs(made)] == ["a", "v"]
    assert repr(ll.runs(made)[1]) == f"Run({str(made / 'v')!r}: mlp-vae on digits, finished at step 6)"
    with pytest.raises(ll.LabError, match="a runs folder must be a folder"):
        ll.runs(made / "none")


def test_compare_gives_what_the_command_writes(made: Path, tmp_path: Path, capsys) -> None:
    compared = ll.compare(ll.open_run(made / "a"), made / "v")
    assert main(["compare", str(made / "a"), str(made / "v"), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert compared._repr_markdown_() in printed
    assert "KID" in repr(compared)
    assert ll.compare(made, out=tmp_path / "own") == compared
    assert {path.name for path in (tmp_path / "own").iterdir()} == {"comparison.json", "comparison.md", "comparison.png"}


def test_report_writes_the_page(made: Path, tmp_path: Path) -> None:
    page = ll.report(*ll.runs(made), out=tmp_path / "r.html", lang="fr")
    assert page.read_text(encoding="utf-8").startswith('<!doctype html>\n<html lang="fr"')
    with pytest.raises(ll.LabError, match=r"out must be a file that ends in \.html"):
        ll.report(made, out=tmp_path / "r.txt")


def test_a_students_report_from_python_holds_no_model_answer(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the command writes it: the number that stands beside the runs makes it something that is handed in."""
    answer = catalogue("en")["question.kl.answer.2"][:80]
    shutil.copytree(made, tmp_path / "lab")
    monkeypatch.chdir(tmp_path)
    bare_card("kl").save(FOLDER / "kl")
    assert answer in ll.report(tmp_path / "lab", out=tmp_path / "a.html").read_text(encoding="utf-8")
    replace_json(tmp_path / "lab" / "comparison.json", {"student": "4711"})
    assert answer not in ll.report(tmp_path / "lab", out=tmp_path / "b.html").read_text(encoding="utf-8")


def test_measure_is_the_measure_of_the_command(made: Path, tmp_path: Path) -> None:
    images = ll.open_run(made / "v").sample(40)
    found = ll.measure(images / 255, "digits", extractors="random-convolutions")
    np.savez(tmp_path / "i.npz", images=images)
    words = ["evaluate", "--images", tmp_path / "i.npz", "--data", "digits", "--extractors", "random-convolutions"]
    assert main([*map(str, words), "--out", str(tmp_path / "s.json")]) == 0
    assert read_json(tmp_path / "s.json")["scores"] == found["scores"]


@pytest.mark.slow
def test_sweep_trains_every_combination(tmp_path: Path) -> None:
    fields = {**TINY, "train.threads": 1, "hidden": (8,), "steps": 2}
    compared = ll.sweep("mlp-vae", tmp_path / "s", latent_dim=[1, 2], seeds=1, count=40, nll_samples=2, **fields)
    assert sorted(compared["runs"]) == ["latent_dim-1-seed-0", "latent_dim-2-seed-0"]
    assert (tmp_path / "s" / "by-latent_dim.png").is_file()
    with pytest.raises(ll.LabError, match="a field must be one that mlp-vae"):
        ll.sweep("mlp-vae", tmp_path / "t", latent=[1])


def test_a_run_goes_on_and_another_starts_from_it_at_another_rate(made: Path, tmp_path: Path) -> None:
    run = ll.train("mlp-vae", tmp_path / "run", **SMALL)
    before = {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    tuned = run.finetune(learning_rate=1e-5)
    assert tuned.path == tmp_path / "run-tuned-digits-001"
    assert {path.name: path.read_bytes() for path in run.path.iterdir() if path.is_file()} == before
    assert (run.step, tuned.step) == (6, 6)
    assert tuned.config.differs(run.config) == {"train.learning_rate": (1e-5, 1e-3), "train.init_from": (str(run.path), None)}
    assert tuned.folder.environment()["started_from"] == {"run": "run", "step": 6}
    plain = run.finetune(tmp_path / "plain", epochs=0.5)
    assert plain.step == 3
    first = run.networks()["decoder"].layers[0].weight  # averaged: what it samples from
    moved, as_before = (abs(one.learner.networks["decoder"].layers[0].weight - first).max() for one in (tuned, plain))
    assert 0 < moved < as_before / 10
    assert run.resume(epochs=1.5, learning_rate=1e-4).step == 9
    assert [row["request"]["set"] for row in run.metrics() if "request" in row] == [{"train.learning_rate": 1e-4}]
    for settings, says in (
        ({"latent_dim": 32}, r"model\.latent_dim must be 2 as in"), ({"learning_rate": -1.0}, "learning_rate must be"),
        ({"latent": 1}, "a field must be one that mlp-vae"),
    ):  # fmt: skip
        with pytest.raises(ll.LabError, match=says):
            run.finetune(tmp_path / "no", **settings)
        assert not (tmp_path / "no").exists()
    with pytest.raises(ll.LabError, match=r"one of train\.beta, train\.learning_rate\. Got 'train\.batch_size'\. .*--init-from RUN"):
        run.resume(epochs=2, batch_size=8)
    assert run.status()["step"] == 9


def test_a_notebook_shows_curves_and_samples_without_asking_anybody(made: Path) -> None:
    page = ll.open_run(made / "v")._repr_html_()
    assert page.count("data:image/png;base64,") == 2
    assert "mlp-vae on digits, finished at step 6" in page
    assert "<style" not in page
    assert "http" not in page


def test_metrics_are_a_frame_where_pandas_is(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ll.open_run(made / "v")
    pytest.importorskip("pandas")
    frame = run.frame()
    assert list(frame["step"]) == [row["step"] for row in run.metrics()]
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ll.LabError, match="pip install pandas"):
        run.frame()


@pytest.mark.parametrize("name", ["train", "runs", "measure"])
def test_a_room_is_the_function_of_its_name_whatever_was_imported_before(name: str) -> None:
    tried = f"try: ll.{name}('/none')\nexcept ll.LabError as error: print('refused', error)"
    code = f"import latentlab.{name}, latentlab as ll\n{tried}"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("refused"), said


def test_every_public_function_has_a_docstring() -> None:
    for name in ll.__all__:
        one = getattr(ll, name)
        if callable(one) and not inspect.ismodule(one):
            assert inspect.getdoc(one), name

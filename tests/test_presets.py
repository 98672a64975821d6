"""Every preset at its full size, by commands: trained, resumed bit for bit, measured, explored, reported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import run

import latentlab as ll
from latentlab.config.presets import PRESETS
from latentlab.runs import checkpoints
from latentlab.runs.folder import RunFolder
from latentlab.show.explorer.content import explorer_content

SHORT = ["--batch-size", 16, "--threads", 1, "--train.log-steps", 3, "--train.checkpoint-seconds", 0]


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_trains_resumes_bit_for_bit_is_measured_explored_and_reported(name: str, tmp_path: Path) -> None:
    if name.startswith("keras"):
        pytest.importorskip("keras")
    config = ll.preset(name)
    points = config.data.spec in ("ring", "grid")
    few = SHORT if points else [*SHORT, "--data", "digits", "--data.train-images", 96]
    if name == "gan-from-vae":
        run("train", "conv-vae", *few, "--steps", 2, "--out", tmp_path / "vae")
        few += ["--generator-from", tmp_path / "vae"]
    whole, halted = tmp_path / "whole", tmp_path / "halted"
    run("train", name, *few, "--steps", 6, "--out", whole)
    run("train", name, *few, "--steps", 3, "--out", halted)
    run("resume", halted, "--steps", 6)
    tensors = [(checkpoints.newest(path / "checkpoints", print) / checkpoints.TENSORS).read_bytes() for path in (whole, halted)]
    assert tensors[0] == tensors[1]
    bounded = ["--nll-samples", 2, "--nll-images", 4] if config.family == "vae" else []
    run("evaluate", halted, "--count", 40, *bounded, *([] if points else ["--extractors", "random-convolutions"]))
    scores = json.loads((halted / "scores.json").read_text(encoding="utf-8"))["scores"]
    assert scores
    assert all(isinstance(score["value"], float | int) for score in scores.values())
    assert len(explorer_content({"it": RunFolder(halted)}, encoders=True)["models"]) == (not points)
    run("report", halted, "--out", tmp_path / "lab.html")
    assert halted.name in (tmp_path / "lab.html").read_text(encoding="utf-8")

"""What the page keeps in memory is what lies on the disk, however many look and whatever gets the same name."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from fakeruns import fake_run

from latentlab.base.errors import LabError
from latentlab.runs import checkpoints
from latentlab.show.charts.columns import Columns

pytest.importorskip("streamlit")
from latentlab.studio.parts import Watched
from latentlab.studio.views import generate as sampler_module
from latentlab.studio.views import names_in
from latentlab.studio.views.generate import Sampler


def test_readers_do_not_disturb_the_one_who_writes():
    """An array that a reader looks into cannot grow: without a lock the writer loses lines."""
    columns, wrong, done = Columns(), [], threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                found = columns.column("train", "loss_nats")
                assert len(found.epoch) == len(found.value)
                columns.names("train")
            except Exception as error:
                wrong.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(3)]
    for one in readers:
        one.start()
    for step in range(3000):
        columns.extend([{"split": "train", "epoch": step / 10, "step": step, "loss_nats": 1.0, f"new_{step % 50}": 2.0}])
    done.set()
    for one in readers:
        one.join()
    assert wrong == []
    assert len(columns.column("train", "loss_nats").value) == 3000


def test_numbers_follow_a_file_that_grows_and_starts_over(tmp_path: Path):
    folder = fake_run(tmp_path / "vae", "vae")
    rows = [{"split": "train", "epoch": n / 4, "step": n, "images_seen": 8 * n, "seconds": n / 2, "loss_nats": 1.0} for n in range(1, 9)]
    folder.metrics_file.write_text("".join(json.dumps(row) + "\n" for row in rows[:4]))
    found = Watched(folder)
    found.read()
    assert found.images_per_second() == 16.0
    with open(folder.metrics_file, "a") as file:
        file.write(json.dumps(rows[4]) + "\n" + json.dumps(rows[5])[:10])
    found.read()
    assert len(found.columns) == 5
    folder.truncate_metrics(2)  # as a resumed run does
    found.read()
    assert len(found.columns) == 2
    assert list(found.columns.column("train", "loss_nats").step) == [1.0, 2.0]


def test_a_checkpoint_of_the_same_name_is_another(tmp_path: Path):
    before = checkpoints.stamp(tmp_path)
    assert before == ("", 0, 0)
    seen = set()
    for value in (0.0, 1.0):
        checkpoints.save(tmp_path, 34, {"weight": torch.full((2,), value)}, {"step": 34})
        seen.add(checkpoints.stamp(tmp_path))
    assert len(seen) == 2
    assert {name for name, _, _ in seen} == {"step-00000034"}


@pytest.mark.parametrize(
    ("words", "found", "unknown"),
    [
        ("", [], []),
        ("a", ["a"], []),
        ("a,a", ["a"], []),
        ("b,c", ["b,c"], []),
        ("a,b,c,x,a", ["a", "b,c"], ["x"]),
        ("b", [], ["b"]),
        (",,", [], []),
    ],
)
def test_names_in_an_address(words: str, found: list[str], unknown: list[str]):
    assert names_in(words, ["a", "b,c"]) == (found, unknown)


def test_the_process_that_draws_refuses_in_words_and_is_replaced(tmp_path: Path):
    folder = fake_run(tmp_path / "vae", "vae")  # without a checkpoint
    sampler = Sampler()
    try:
        with pytest.raises(LabError, match="whole checkpoint"):
            sampler.draw(folder.path, 4, 0)
        with pytest.raises(LabError, match="must be"):
            sampler.draw(tmp_path / "nothing", 4, 0)
        first = sampler.process
        first.kill()
        first.wait()
        with pytest.raises(LabError, match="whole checkpoint"):
            sampler.draw(folder.path, 4, 0)
        assert sampler.process.pid != first.pid
    finally:
        sampler.close()
    assert sampler.process is None


def test_a_question_that_is_never_answered_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sampler = Sampler()
    try:
        process = sampler._started()
        process.send_signal(signal.SIGSTOP)
        monkeypatch.setattr(sampler_module, "DEADLINE_SECONDS", 0.5)
        with pytest.raises(LabError, match="more than 0 seconds"):
            sampler.draw(tmp_path, 4, 0)
        assert process.wait(10) == -signal.SIGKILL
        monkeypatch.undo()
        with pytest.raises(LabError, match="must be"):
            sampler.draw(tmp_path / "nothing", 4, 0)
    finally:
        sampler.close()


def test_a_wrong_question_does_not_end_it(tmp_path: Path):
    folder = fake_run(tmp_path / "vae", "vae")
    sampler = Sampler()
    try:
        with pytest.raises(LabError):
            sampler.draw(folder.path, "many", 0)  # type: ignore[arg-type]
        process = sampler.process
        with pytest.raises(LabError, match="whole checkpoint"):
            sampler.draw(folder.path, 4, 0)
        assert sampler.process is process
    finally:
        sampler.close()
    assert np.all(process.poll() is not None)

"""Training survives: kill -9, SIGTERM, Ctrl-C, a full disk, damage, two processes. Real processes, real signals."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import PATIENCE, TINY, metric_steps, refusal_here, run, run_here, start, wait_until
from test_resume import curves, final_sha256

import latentlab as ll
from latentlab.base import files
from latentlab.base.signals import Interrupted, StopFlag
from latentlab.cli import main
from latentlab.runs import checkpoints
from latentlab.runs.folder import RunFolder
from latentlab.train import recorder as recording
from latentlab.train.events import Saved, Warned
from latentlab.train.loop import events
from latentlab.train.session import Session
from latentlab.train.start import create, reopen

LONG = ["--epochs", "400"]  # 2,400 steps: long enough to be caught at work
# Networks so small that forty epochs, each with a checkpoint, take seconds.
VAE = ["train", "mlp-vae", *TINY, "--hidden", "16"]
GAN = ["train", "sn-gan", *TINY, "--hidden", "16", "--model.channels", "4,8", "--model.discriminator-channels", "4,8"]
STRAIGHT = {"mlp-vae": [*VAE, "--epochs", "40"], "sn-gan": [*GAN, "--train.measure-samples", "64", "--epochs", "40"]}


def state(path: Path) -> str:
    return str(RunFolder(path).status().get("state"))


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> dict[str, Path]:
    root, done = tmp_path_factory.mktemp("straight"), {}
    for preset, words in STRAIGHT.items():
        run(*words, "--out", root / preset)
        done[preset] = root / preset
    return done


def test_a_run_killed_after_its_last_checkpoint_is_finished_by_resume(straight, tmp_path: Path, capsys) -> None:
    path = tmp_path / "run"
    shutil.copytree(straight["mlp-vae"], path)
    folder = RunFolder(path)
    folder.write_status("running", 240)  # its last word was not spoken, and the latents not yet written
    (path / "latents.npz").unlink()
    before = (path / "metrics.jsonl").read_bytes(), final_sha256(path)
    run("resume", path)
    assert (path / "latents.npz").exists()
    assert state(path) == "finished"
    assert ((path / "metrics.jsonl").read_bytes(), final_sha256(path)) == before
    assert "must be longer to go on" in refusal_here(capsys, "resume", path)


@pytest.mark.parametrize("preset", [pytest.param("mlp-vae", marks=pytest.mark.slow), "sn-gan"])
def test_kill_9_at_random_moments_loses_no_checkpoint_and_no_bit(preset: str, straight, tmp_path: Path, capsys) -> None:
    path, source = tmp_path / "run", random.Random(preset)
    process = start(*STRAIGHT[preset], "--out", path)
    for _ in range(3):
        wait_until(lambda p=process: (path / "checkpoints" / "step-00000000").exists() or p.poll() is not None)
        time.sleep(source.uniform(0.0, 1.2))
        process.kill()
        process.communicate()
        newest = checkpoints.newest(path / "checkpoints", print)  # none is ever half-written
        if state(path) == "finished":
            break
        assert checkpoints.step_of(newest) is not None
        process = start("resume", path)
        wait_until(lambda p=process: metric_steps(path) > 0 or p.poll() is not None)
    process.communicate()
    if state(path) != "finished":
        run("resume", path)
    assert final_sha256(path) == final_sha256(straight[preset])
    assert curves(path) == curves(straight[preset])
    kept = [{p.name: p.read_bytes() for p in (each / "moments").iterdir()} for each in (path, straight[preset])]
    assert kept[0] == kept[1]
    run_here(capsys, "verify", path)


def test_a_run_killed_before_its_first_epoch_resumes_from_step_0(straight, tmp_path: Path) -> None:
    path = tmp_path / "run"
    process = start(*STRAIGHT["mlp-vae"], "--out", path)
    wait_until(lambda: (path / "checkpoints" / "step-00000000" / "MANIFEST.json").exists())
    process.kill()
    process.communicate()
    shutil.rmtree(path / "checkpoints")
    shutil.copytree(straight["mlp-vae"] / "checkpoints" / "step-00000000", path / "checkpoints" / "step-00000000")
    assert state(path) == "stopped"
    run("resume", path)
    assert final_sha256(path) == final_sha256(straight["mlp-vae"])


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_leaves(number: signal.Signals, status: int, tmp_path: Path) -> None:
    path = tmp_path / "run"
    process = start(*VAE, *LONG, "--out", path)
    wait_until(lambda: metric_steps(path) > 20)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == status
    assert "Traceback" not in err
    assert out.strip().splitlines()[-1] == str(path)
    kept = checkpoints.step_of(checkpoints.newest(path / "checkpoints", print))
    assert RunFolder(path).status() | {"pid": 0} == {"state": "stopped", "step": kept, "pid": 0, "message": "", "diagnosis": []}


def test_a_second_ctrl_c_costs_nothing_whenever_it_comes(tmp_path: Path) -> None:
    spacings = [0.0, 0.05, 0.2, 1.0]
    paths = [tmp_path / f"run-{number}" for number in range(len(spacings))]
    runs = [start(*VAE, "--epochs", "40000", "--out", path) for path in paths]
    for path in paths:
        wait_until(lambda path=path: metric_steps(path) > 3)
    for process, path, pause in zip(runs, paths, spacings, strict=True):
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group
        time.sleep(pause)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        said = [line for line in err.splitlines() if line.startswith("latentlab: ")]
        assert process.returncode == 130, (pause, err)
        assert out.strip() == str(path)
        assert f"latentlab: saved. Go on with `latentlab resume {path}`." in said, (pause, err)
        assert not any(word in err for word in ("Traceback", "nothing was being trained", "Exception ignored", "Interrupt")), (pause, err)
        kept = checkpoints.step_of(checkpoints.newest(path / "checkpoints", print))
        assert kept
        assert RunFolder(path).status() | {"pid": 0} == {"state": "stopped", "step": kept, "pid": 0, "message": "", "diagnosis": []}


def test_a_third_signal_gives_up_and_says_what_is_left(tiny, tmp_path: Path, monkeypatch) -> None:
    session = create(tiny("mlp-ae"), tmp_path / "run")
    flag = StopFlag()

    def save() -> bool:
        os.kill(os.getpid(), signal.SIGINT)  # while it saves, for the first two changed nothing
        return True

    monkeypatch.setattr(session, "save", save)

    def train(session: Session, flag: StopFlag) -> None:
        for event in events(session, flag):
            if type(event).__name__ == "Stepped":
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGTERM)

    said = os.dup(2)
    os.dup2(os.open(tmp_path / "said", os.O_CREAT | os.O_WRONLY), 2)
    try:
        with flag.installed(), pytest.raises(Interrupted, match="ended at once by a third signal"):
            train(session, flag)
    finally:
        os.dup2(said, 2)
    assert "A third signal ends it at once" in (tmp_path / "said").read_text()
    assert RunFolder(tmp_path / "run").status()["message"] == "ended at once by a signal; the last checkpoint is step-00000000"
    assert state(tmp_path / "run") == "stopped"


def test_a_signal_before_training_leaves_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # stderr then tells each module as it is loaded
    process = start(*VAE, *LONG, "--out", tmp_path / "run")
    assert any(" torch." in line for line in process.stderr)  # the first part of torch: the rest is still to come
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in err or process.returncode == -signal.SIGINT  # Python itself was still starting


def patched(module: str, name: str, there: Path, words: list[str]) -> subprocess.Popen[str]:
    """A command in which a function tells by a file that it was reached, and goes on when that file is gone."""
    code = f"""
import pathlib, signal, sys, time, latentlab.{module} as module
signal.signal(signal.SIGINT, signal.default_int_handler)
real, there = module.{name}, pathlib.Path({str(there)!r})
def held(*about, **more):
    there.touch()
    while there.exists():
        time.sleep(0.02)
    return real(*about, **more)
module.{name} = held
from latentlab.cli import main
sys.exit(main({words!r}))
"""
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_signal_while_a_run_is_measured_leaves_the_scores_of_before(tmp_path: Path) -> None:
    path, there = tmp_path / "run", tmp_path / "there"
    run("train", "mlp-vae", *TINY, "--steps", 2, "--out", path)
    words = ["evaluate", str(path), "--nll-samples", "0", "--extractors", "random-convolutions", "--count"]
    run(*words, 70)
    before = (path / "scores.json").read_bytes()
    process = patched("measure.scores", "sample_scores", there, [*words, "80"])
    wait_until(there.exists)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert (path / "scores.json").read_bytes() == before


def test_a_signal_while_a_finished_run_is_drawn_changes_nothing(tmp_path: Path, capsys) -> None:
    path, there = tmp_path / "run", tmp_path / "there"
    process = patched("train", "draw_figures", there, [*VAE, "--steps", "2", "--out", str(path)])
    wait_until(there.exists)
    process.send_signal(signal.SIGINT)
    there.unlink()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert state(path) == "finished"
    assert (path / "figures" / "loss.png").is_file()
    run_here(capsys, "verify", path)


def test_two_processes_cannot_train_one_run_and_stop_stops_it(tmp_path: Path, capsys) -> None:
    path = tmp_path / "run"
    process = start(*VAE, *LONG, "--out", path)
    wait_until(lambda: metric_steps(path) > 3)
    assert "being trained by another process" in refusal_here(capsys, "resume", path)
    assert "must be a folder that is new or empty" in refusal_here(capsys, "train", "mlp-vae", *TINY, "--out", path)
    assert run("stop", path).stdout.startswith(f"{path}: stopped at step")
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert out.strip() == str(path)
    assert "must be training to be stopped. It is stopped" in refusal_here(capsys, "stop", path)


def test_a_stop_that_was_asked_of_a_dead_process_does_not_stop_the_next(tmp_path: Path, tiny) -> None:
    session = create(tiny("mlp-ae"), tmp_path / "run")
    session.lock.close()
    session.folder.request("stop")
    assert [e.state for e in events(reopen(tmp_path / "run")) if type(e).__name__ == "Ended"] == ["finished"]


def test_damage_is_named_and_the_checkpoint_before_it_used(straight, tmp_path: Path, capsys) -> None:
    path = tmp_path / "run"
    shutil.copytree(straight["mlp-vae"], path)
    newest = checkpoints.newest(path / "checkpoints", print)
    content = bytearray((newest / "tensors.safetensors").read_bytes())
    content[len(content) // 2] ^= 4
    (newest / "tensors.safetensors").write_bytes(content)
    assert main(["sample", str(path), "--count", "4", "--out", str(tmp_path / "s.npz")]) == 0
    done = capsys.readouterr()
    assert "damaged" in done.err
    assert newest.name in done.err
    assert done.out.strip() == str(tmp_path / "s.npz")
    assert main(["verify", str(path)]) == 2
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines() if line.startswith("damaged")] == [
        ["damaged", f"checkpoints/{newest.name}"]
    ]
    resumed = run("resume", path)
    assert "damaged" in resumed.stderr
    assert final_sha256(path) == final_sha256(straight["mlp-vae"])
    run_here(capsys, "verify", path)


class TestFullDisk:
    def test_training_goes_on_and_the_last_checkpoint_stays(self, tiny, tmp_path: Path, monkeypatch) -> None:
        """The disk is full when the checkpoints of steps 18 and 24 are due."""
        session = create(tiny("mlp-ae", **{"train.epochs": 6.0}), tmp_path / "run")
        full = {"now": False}

        def no_space(real):
            def call(*arguments, **named):
                if full["now"]:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return real(*arguments, **named)

            return call

        monkeypatch.setattr(checkpoints, "write_durably", no_space(files.write_durably))
        monkeypatch.setattr(recording, "save_png", no_space(recording.save_png))
        said, saved = [], []
        for event in events(session):
            full["now"] = 12 <= session.position.step < 24
            said += [event.message] if isinstance(event, Warned) else []
            saved += [event.step] if isinstance(event, Saved) else []
            if full["now"]:
                checkpoints.newest(session.folder.checkpoints, print)
        assert saved == [6, 12, 30, 36]
        assert sum("the disk is full" in text for text in said) == 1
        assert sum("there is space again" in text for text in said) == 1
        straight = ll.train(tiny("mlp-ae", **{"train.epochs": 6.0}), tmp_path / "straight")
        assert final_sha256(tmp_path / "run") == final_sha256(straight.path)

    @pytest.mark.slow
    def test_a_real_full_file_system(self, tmp_path: Path) -> None:
        """A small tmpfs: room for the first checkpoints, then none."""
        disk = tmp_path / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=22m", "tmpfs", str(disk)], capture_output=True).returncode:
            pytest.skip("mounting a tmpfs needs root")
        try:
            done = run("train", "mlp-vae", *TINY, "--epochs", "12", "--out", disk / "run", status=2)
            assert "the disk is full" in done.stderr
            assert "resume" in done.stderr.strip().splitlines()[-1]
            whole = checkpoints.newest(disk / "run" / "checkpoints", print)
            assert (checkpoints.step_of(whole) or 0) < 72
            RunFolder(disk / "run").metrics()  # no torn line
            assert not list((disk / "run").rglob("*.tmp*")) + list((disk / "run" / "checkpoints").glob(".step-*"))
            roomier = tmp_path / "roomier"
            shutil.copytree(disk / "run", roomier)
        finally:
            subprocess.run(["umount", str(disk)], check=True)
        run("resume", roomier)
        run("train", "mlp-vae", *TINY, "--epochs", "12", "--out", tmp_path / "straight")
        assert final_sha256(roomier) == final_sha256(tmp_path / "straight")

    def test_no_room_for_a_new_run_leaves_nothing(self, tiny, tmp_path: Path, monkeypatch) -> None:
        def full(path: Path, content: bytes) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(checkpoints, "write_durably", full)
        with pytest.raises(ll.LabError, match="must have room for a run, but the disk is full"):
            create(tiny("mlp-ae"), tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_is_one_line_and_the_last_good_checkpoint_stays(tmp_path: Path) -> None:
    line = refusal_after_training("train", "mlp-ae", *TINY, "--epochs", "30", "--learning-rate", "1e30", "--out", tmp_path / "run")
    assert "is not finite" in line
    assert "Likely cause: a learning rate of 1e+30" in line
    assert "step-00000000" in line
    assert state(tmp_path / "run") == "failed"
    tensors, _ = checkpoints.load(checkpoints.newest(tmp_path / "run" / "checkpoints", print))
    assert all(np.isfinite(values).all() for values in tensors.values())


def refusal_after_training(*arguments: object) -> str:
    done = run(*arguments, status=2)
    return done.stderr.strip().splitlines()[-1]


def test_listening_no_longer_leaves_a_saved_run(tiny, tmp_path: Path) -> None:
    for event in ll.steps(tiny("sn-gan"), tmp_path / "run"):
        if getattr(event, "step", 0) == 5:
            break
    assert state(tmp_path / "run") == "stopped"
    assert checkpoints.step_of(checkpoints.newest(tmp_path / "run" / "checkpoints", print)) == 5

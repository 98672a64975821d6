"""A batch in shards: the same bits on any number of processes, whoever is stopped, killed or left behind."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import PATIENCE, TINY, metric_steps, refusal, run, start, wait_until
from torch import Tensor

import latentlab as ll
from latentlab.base import __version__
from latentlab.base.errors import LabError, Lost
from latentlab.data import ImageSet, load_data, step_indices
from latentlab.measure.compare import comparison_of, markdown
from latentlab.models import build
from latentlab.models.engine import TorchEngine
from latentlab.models.learner import Learner, Moment
from latentlab.models.shards import tree
from latentlab.runs import checkpoints
from latentlab.runs.folder import RunFolder
from latentlab.train.events import Started, Stepped
from latentlab.train.exchange.card import card
from latentlab.train.group import own_batch
from latentlab.train.loop import events
from latentlab.train.start import create

CPU, SHAPE = torch.device("cpu"), (12, 12, 1)
NORM = "--model.normalization", "batch"
SPECTRAL = "--train.generator-updates", 2, "--model.discriminator-normalization", "spectral"
MODELS: dict[str, tuple[object, ...]] = {
    "ae": ("mlp-ae", "--train.order", "shard"),
    "vae": ("conv-vae", *NORM, "--model.binarization", "dynamic"),
    "gan": ("sn-gan", *NORM, *SPECTRAL),
    "pair": (
        "art-gan",
        "--data.image-size",
        28,
        *["--train.loss", "relativistic", "--train.label-smoothing", "1", "--train.r2-weight", "0.1", "--model.packing", "2"],
    ),
    "robust": ("robust-gan", "--train.augmentation", "diffaugment", "--train.augmentation-strength", "adaptive"),
    "art": ("art-gan", "--data.image-size", 28, "--train.r1-steps", 2, "--model.discriminator-deviation", "true"),
}
needs_proc = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes by /proc, which Linux alone has")


def images(count: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), np.uint8))


def moved(learner: Learner, steps: int = 1) -> dict[str, Tensor]:
    """All that a learner keeps, after some updates."""
    for step in range(steps):
        learner.update(images(learner.images_per_step, step), Moment(step, step * learner.images_per_step))
    return {name: value.clone() for name, value in learner.tensors().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def final_sha256(path: Path) -> str:
    newest = checkpoints.newest(path / "checkpoints", print)
    return hashlib.sha256((newest / "tensors.safetensors").read_bytes()).hexdigest()


def train(model: str, out: Path, steps: int, processes: int = 1, shards: int = 4) -> list[object]:
    named, *more = MODELS[model]
    length = "--steps", steps, "--train.shards", shards, "--processes", processes
    return ["train", named, *TINY, *more, *length, "--out", out]


# What a sum over shards is.


def test_the_tree_adds_neighbours_then_pairs_of_pairs() -> None:
    parts = [torch.rand(50) * 10.0**k for k in range(-4, 4)]  # whose sum depends on the order
    a, b, c, d, e, f, g, h = (part.clone() for part in parts)
    in_turn = sum(parts[1:], parts[0].clone())
    (summed,) = tree([part] for part in parts)
    assert torch.equal(summed, ((a + b) + (c + d)) + ((e + f) + (g + h)))
    assert not torch.equal(summed, in_turn)


@pytest.mark.parametrize("name", ["mlp-ae", "conv-vae", "sn-gan"])
def test_without_statistics_of_the_batch_shards_give_the_gradient_of_the_whole(name: str, tiny) -> None:
    """Every image gets the noise that it has in a whole batch, and counts once."""
    gradients = []
    for shards in (1, 2, 8):
        learner = build(tiny(name, **{"train.shards": shards}), SHAPE, CPU, False)
        phase = learner.phases[0]  # a GAN's discriminator: its weights have not moved yet
        losses = learner.run_phase(phase, images(learner.images_per_step), Moment(0, 0))
        network = learner.networks["discriminator" if name == "sn-gan" else "decoder"]
        gradients.append([next(iter(losses.values())), *(p.grad for p in network.parameters())])
    for sharded in gradients[1:]:
        for whole, other in zip(gradients[0], sharded, strict=True):
            torch.testing.assert_close(whole, other, rtol=1e-3, atol=1e-5 * float(whole.abs().max()) + 1e-7)


def test_batch_norm_records_the_mean_of_the_shards_statistics(tiny) -> None:
    learner = build(
        tiny("conv-vae", **{"train.shards": 4, "model.normalization": "batch", "model.binarization": "none"}), SHAPE, CPU, False
    )
    encoder, batch = learner.networks["encoder"], images(16)
    first = next(m for m in encoder.modules() if isinstance(m, torch.nn.BatchNorm2d))
    seen: list[Tensor] = []
    handle = first.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    learner.update(batch, Moment(0, 0))
    handle.remove()
    assert [len(x) for x in seen] == [4] * 4
    means, variances = (torch.stack([f(x) for x in seen]).mean(0) for f in (lambda x: x.mean((0, 2, 3)), lambda x: x.var((0, 2, 3))))
    torch.testing.assert_close(first.running_mean, 0.1 * means)
    torch.testing.assert_close(first.running_var, 0.9 + 0.1 * variances)
    assert int(first.num_batches_tracked) == 1


def test_spectral_norm_takes_one_power_iteration_for_all_shards_of_an_update(tiny) -> None:
    def vectors(shards: int) -> dict[str, Tensor]:
        learner = build(tiny("sn-gan", **{"train.shards": shards}), SHAPE, CPU, False)
        learner.run_phase("discriminator", images(learner.images_per_step), Moment(0, 0))
        return {name: value for name, value in learner.tensors().items() if name.endswith(("._u", "._v"))}

    once, sharded = vectors(1), vectors(8)
    assert once
    for name, value in once.items():
        torch.testing.assert_close(sharded[name], value, rtol=1e-5, atol=1e-6)


# Several processes.


@pytest.mark.parametrize("name", ["conv-vae", "conv-gan"])
def test_one_whose_partner_is_gone_computes_its_shards_too(name: str, tiny) -> None:
    asked: list[int] = []

    def lost(mine: Tensor, distance: int) -> Tensor:
        asked.append(distance)
        raise Lost("gone")

    config = tiny(name, **{"train.shards": 4, "model.normalization": "batch"})
    left, alone = (build(config, SHAPE, CPU, False) for _ in range(2))
    left.shards.share(1, 4, lost)
    assert same(moved(left, 3), moved(alone, 3))
    assert asked == [1]  # it is not asked again


def test_two_halves_that_swap_once_come_to_the_same_weights_as_one(tiny) -> None:
    config = tiny("conv-vae", **{"train.shards": 4, "model.normalization": "batch"})
    given: list[Tensor] = []

    def give(mine: Tensor, distance: int) -> Tensor:
        given.append(mine.clone())
        return mine

    def take(mine: Tensor, distance: int) -> Tensor:
        assert distance == 1
        return mine + given.pop()

    learners = [build(config, SHAPE, CPU, False) for _ in range(3)]
    for rank, learner, add in ((1, learners[1], give), (0, learners[0], take)):
        learner.shards.share(rank, 2, add)
        moved(learner)
    assert not given
    assert same(moved(learners[2]), dict(learners[0].tensors()))


def test_two_processes_give_the_bits_of_one(tmp_path: Path) -> None:
    for processes in (1, 2):
        done = run(*train("vae", tmp_path / str(processes), 9, processes))
        assert done.stdout == f"{tmp_path / str(processes)}\n"
        assert done.stderr.count("finished at step 9") == 1  # rank 0 alone speaks
    assert final_sha256(tmp_path / "1") == final_sha256(tmp_path / "2")
    one, two = ([{k: v for k, v in row.items() if k != "seconds"} for row in RunFolder(tmp_path / n).metrics()] for n in "12")
    assert one == two
    assert (tmp_path / "1" / "config.json").read_bytes() == (tmp_path / "2" / "config.json").read_bytes()


def test_each_process_reads_its_own_shards_images_alone(tiny) -> None:
    config = tiny("conv-gan", **{"train.shards": 4, "train.order": "shard"})  # two batches in a step
    read: dict[int, set[int]] = {0: set(), 1: set()}
    whole = load_data(config.data)
    for rank in read:
        learner = build(config, whole.shape, CPU, False)
        learner.shards.share(rank, 2, lambda mine, distance: mine)

        class Noting(ImageSet):
            def take(self, rows: object, rank: int = rank) -> object:
                read[rank] |= set(np.asarray(rows).tolist())
                return super().take(rows)

        noting = replace(whole, train=Noting(whole.train.source, whole.train.indices))
        for step in range(12):
            position = step * learner.images_per_step
            images = own_batch(TorchEngine(learner, CPU), config, noting, position).images
            rows = step_indices(config.train, position, learner.images_per_step, len(whole.train))
            halves = images.reshape(2, 2, -1, *whole.shape), whole.train.take(rows).reshape(2, 2, -1, *whole.shape)
            assert np.array_equal(halves[0][:, rank], halves[1][:, rank])
            assert not halves[0][:, 1 - rank].any()
    assert read == {0: {row for row in range(len(whole.train)) if row % 4 < 2}, 1: {row for row in range(len(whole.train)) if row % 4 > 1}}


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_one_two_four_and_eight_processes_give_the_same_bits(model: str, tmp_path: Path) -> None:
    for processes in (1, 2, 4) if model != "gan" else (1, 2, 4, 8):
        run(*train(model, tmp_path / str(processes), 12, processes, shards=8))
    assert len({final_sha256(path) for path in tmp_path.iterdir()}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vae", "gan"])
def test_a_run_stopped_on_four_processes_goes_on_with_one(model: str, tmp_path: Path) -> None:
    run(*train(model, tmp_path / "straight", 14))
    run(*train(model, tmp_path / "moved", 5, 4))
    run("resume", tmp_path / "moved", "--steps", 9)
    run("resume", tmp_path / "moved", "--steps", 14, "--processes", 2)
    assert final_sha256(tmp_path / "moved") == final_sha256(tmp_path / "straight")


@pytest.mark.slow
def test_requests_hold_for_all_processes(tmp_path: Path) -> None:
    """A change of settings while the run is paused, phases alone, then on: as one process takes the same change at the same step."""
    path, settings = tmp_path / "run", {"train.generator_learning_rate": 1e-3, "train.discriminator_updates": 2}
    process, folder = start(*train("gan", path, 12, 2)), RunFolder(path)
    wait_until(lambda: (path / "config.json").exists())
    folder.request("pause")
    wait_until(lambda: folder.status().get("state") == "paused")
    at = folder.status()["step"]
    folder.request("set", settings)
    for action in ("phase", "phase", "step"):
        folder.request(action)
    wait_until(lambda: folder.status()["step"] == at + 2)
    folder.request("resume")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    session = create(folder.config(), tmp_path / "straight")
    for event in events(session):
        if isinstance(event, Started | Stepped) and event.step == at:
            session.folder.request("set", settings)
    assert final_sha256(path) == final_sha256(tmp_path / "straight")


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    return [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]


@pytest.fixture
def four(tmp_path: Path) -> tuple[subprocess.Popen[str], Path]:
    """A run of four processes in the middle of its training."""
    process = start(*train("gan", tmp_path / "run", 100_000, 4))
    wait_until(lambda: metric_steps(tmp_path / "run") > 3)
    return process, tmp_path / "run"


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("first", [True, False])
def test_when_one_is_killed_all_end_and_the_run_goes_on_from_a_whole_checkpoint(first: bool, four, tmp_path: Path) -> None:
    process, path = four
    others = children(process.pid)
    assert len(others) == 3
    os.kill(process.pid if first else others[1], signal.SIGKILL)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == (-signal.SIGKILL if first else 2)
    wait_until(lambda: not any(Path(f"/proc/{pid}/cmdline").is_file() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in others))
    folder = RunFolder(path)
    assert folder.status()["state"] == "stopped"
    newest = checkpoints.newest(folder.checkpoints, print)
    step = checkpoints.step_of(newest)
    if not first:
        assert f"lost one of its 4 processes. It was saved at step {step}" in err
        assert folder.status()["step"] == step  # the step that was being taken was finished alone
    run("resume", path, "--steps", step + 3, "--processes", 2)
    run(*train("gan", tmp_path / "straight", step + 3))
    assert final_sha256(path) == final_sha256(tmp_path / "straight")


@pytest.mark.slow
def test_a_signal_stops_all_and_saves(four) -> None:
    process, path = four
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert "saved. Go on with" in err
    folder = RunFolder(path)
    assert folder.status()["state"] == "stopped"
    assert checkpoints.step_of(checkpoints.newest(folder.checkpoints, print)) == folder.status()["step"]


@pytest.mark.slow
@needs_proc
def test_torchrun_starts_a_run_and_starts_it_again_when_a_process_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", 2, "--max-restarts", 1, "-m", "latentlab"]
    words = train("ae", tmp_path / "run", 60)
    words = words[: words.index("--processes")] + words[words.index("--processes") + 2 :]
    process = subprocess.Popen([*map(str, [*command, *words])], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: metric_steps(tmp_path / "run") > 3)
        os.kill(children(process.pid)[-1], signal.SIGKILL)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert out.splitlines()[-1] == str(tmp_path / "run")
    run(*train("ae", tmp_path / "straight", 60))
    assert final_sha256(tmp_path / "run") == final_sha256(tmp_path / "straight")


# What is refused: in one line, and nothing is left.


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train.shards": 3}, "a power of two that divides the batch of 16. Got 3"),
        ({"train.shards": 32}, "a power of two that divides the batch of 16. Got 32"),
        ({"train.shards": 2, "train.engine": "keras"}, "1 with Keras"),
    ],
)
def test_shards_that_cannot_be_are_refused(changes: dict[str, object], said: str, tiny) -> None:
    with pytest.raises(LabError, match=said):
        tiny("conv-vae", **changes)


def test_parts_of_ones_own_take_a_batch_whole(tiny, tmp_path: Path) -> None:
    def loss(x: Tensor, logits: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
        return (logits - x).square().flatten(1).sum(1)

    with pytest.raises(LabError, match=r"train\.shards must be 1 with"):
        ll.train(tiny("conv-vae", **{"train.shards": 2}), tmp_path / "run", loss=loss)
    assert not (tmp_path / "run").exists()


def test_a_shard_of_one_image_has_no_batch_statistics(tiny, tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"train\.batch_size must be at least 32 with batch normalisation"):
        ll.train(tiny("conv-vae", **{"train.shards": 16, "model.normalization": "batch"}), tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "shards"), [(3, 4), (2, 1), (8, 4)])
def test_a_wrong_number_of_processes_is_refused_in_one_line(processes: int, shards: int, tmp_path: Path) -> None:
    said = refusal(*train("ae", tmp_path / "run", 9, processes, shards))
    assert f"must be a multiple of the {processes} processes. Got {shards}." in said
    assert not (tmp_path / "run").exists()


def machines(out: Path, *programs: str) -> list[subprocess.CompletedProcess[str]]:
    """A process of each machine, which does something first and then runs one command as torchrun starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(len(programs)), "LOCAL_WORLD_SIZE": "1"}
    words = ["train", "mlp-ae", *TINY, "--steps", "3", "--train.shards", "2", "--out", str(out)]
    started = []
    for rank, program in enumerate(programs):
        source = f"import sys\n{program}\nfrom latentlab.cli import main\nsys.exit(main({words!r}))"
        environment = os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": "0"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([sys.executable, "-c", source], env=environment, **pipes))
    try:
        told = [process.communicate(timeout=PATIENCE) for process in started]
    finally:
        for process in started:
            process.kill()
    return [subprocess.CompletedProcess((), process.returncode, *each) for process, each in zip(started, told, strict=True)]


OTHER_VERSION = "import latentlab.base as base; base.__version__ = '0.0.9'"
OTHER_IMAGES = """
import dataclasses, latentlab.train.group as group
load = group.load_data
group.load_data = lambda config: load(dataclasses.replace(config, val_share=0.2))
"""
OTHER_WEIGHTS = """
import latentlab.train.group as group
load = group.TorchEngine.load_tensors
double = lambda tensors: {name: 2 * tensor if name.endswith(".weight") else tensor for name, tensor in tensors.items()}
group.TorchEngine.load_tensors = lambda engine, tensors: load(engine, double(tensors))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unlike", "said"),
    [
        (OTHER_VERSION, f"latentlab must be {__version__}, as process 0 has it"),
        (OTHER_IMAGES, "digits must hold the images that"),
    ],
    ids=["version", "images"],
)
def test_machines_that_are_unlike_are_refused_in_one_line(unlike: str, said: str, tmp_path: Path) -> None:
    done = machines(tmp_path / "run", "", unlike)
    assert [one.returncode for one in done] == [2, 2], done
    (line,) = done[0].stderr.splitlines()
    assert "process 1 (" in line
    assert said in line
    assert done[1].stderr == ""
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_weights_that_part_are_found_at_the_next_checkpoint(tmp_path: Path) -> None:
    done = machines(tmp_path / "run", "", OTHER_WEIGHTS)
    assert done[0].returncode == 2, done
    assert "process 1 must come to the weights of process 0" in done[0].stderr
    assert checkpoints.newest(tmp_path / "run" / "checkpoints", print).name == "step-00000000"


# What is said of a run whose statistics are a shard's.


def test_card_comparison_and_report_say_that_statistics_are_a_shards(tiny, tmp_path: Path) -> None:
    said = "batch statistics are taken over shards of 4 images"
    changes = {"model.normalization": "batch", "train.steps": 2}
    by_shard = ll.train(tiny("conv-vae", **changes, **{"train.shards": 4}), tmp_path / "sharded")
    whole = ll.train(tiny("conv-vae", **changes), tmp_path / "whole")
    assert any(said in note for note in by_shard.folder.environment()["notes"])
    assert whole.folder.environment()["notes"] == []
    for run_, times in ((by_shard, 1), (whole, 0)):
        assert card(run_, "en").lower().count(said) == times
        assert ("--train.shards 4" in card(run_, "en")) == bool(times)
        page = ll.report(run_, out=tmp_path / f"{run_.path.name}.html")
        assert (said in Path(page).read_text(encoding="utf-8").lower()) == bool(times)
    compared = comparison_of({"a": by_shard.folder, "b": whole.folder})
    assert {group["settings"]["train.shards"] for group in compared["groups"].values()} == {1, 4}
    assert f"a: {said}" in markdown(compared)
    assert json.loads((by_shard.path / "config.json").read_text())["train"]["shards"] == 4


@pytest.mark.slow
def test_the_page_runs_as_it_is_written(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "cluster.md").read_text(encoding="utf-8")
    first = page.partition("### More images")[0]  # what follows needs images that are nowhere, or Ray
    commands = [shlex.split(line[2:]) for line in first.splitlines() if line.startswith("$ ")]
    assert [words[0] for words in commands] == ["latentlab", "latentlab", "torchrun"]
    programs = {"latentlab": "latentlab", "torchrun": "torch.distributed.run"}
    for name, *words in commands:
        done = subprocess.run([sys.executable, "-m", programs[name], *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("runs/")
    two, again = (RunFolder(tmp_path / "runs" / name) for name in ("two", "torchrun"))
    at = again.checkpoints / checkpoints.folder_name(again.status()["step"])
    assert (two.checkpoints / at.name / "tensors.safetensors").read_bytes() == (at / "tensors.safetensors").read_bytes()

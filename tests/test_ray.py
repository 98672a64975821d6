"""Many runs by Ray: the runs and comparison of local workers, byte for byte, whatever dies meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import PATIENCE, metric_steps, refusal_here, run, start, wait_until
from fakeruns import blobs
from PIL import Image

from latentlab.base.errors import LabError
from latentlab.lab.keeper import Keeper, changes, stamps, take
from latentlab.runs.folder import RunFolder

ALIKE = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONUTF8": "1"}  # of every node, and of who joins them
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """A folder of unlabelled images, so that no classifier has to be trained."""
    folder = tmp_path_factory.mktemp("images")
    for number, picture in enumerate(blobs(230)):
        Image.fromarray(picture[..., 0]).save(folder / f"{number:03d}.png")
    return folder


def command(images: Path, out: Path, seeds: int = 1, steps: int = 30, *more: object) -> list[object]:
    return [
        "sweep", "mlp-ae", "--data", f"folder:{images}", "--data.image-size", 16, "--data.channels", "grey", "--hidden", 8,
        "--latent-dim", "2,3", "--seeds", seeds, "--steps", steps, "--batch-size", 16, "--train.checkpoint-seconds", 0,
        "--train.log-steps", 3, "--train.sample-count", 4, "--jobs", 2, "--count", 20, "--out", out, *more,
    ]  # fmt: skip


CLOCKS = {"seconds", "samples_per_second", "checksum", "crc32", "generator_from"}


def timeless(value: Any) -> Any:
    """A JSON value without what a clock says, without seals, which cover that too, and without the place of another run."""
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if key not in CLOCKS}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def contents(out: Path) -> dict[str, Any]:
    """What runs have: JSON without clocks, tensors and pictures as their hashes."""
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if path.suffix == ".jsonl":
            found[name] = [timeless(json.loads(line)) for line in path.read_text().splitlines()]
        elif path.name in ("config.json", "scores.json", "comparison.json", "sweep.json"):
            found[name] = timeless(json.loads(path.read_text()))
        elif path.suffix in (".safetensors", ".png", ".npz") and path.parent != out:  # a comparison's figures show seconds
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@needs_ray
@pytest.mark.slow  # starting Ray beside other tests takes longer than it waits
def test_a_sweep_on_ray_is_that_of_local_workers(images, tmp_path):
    run(*command(images, tmp_path / "local"))
    done = run(*command(images, tmp_path / "ray", 1, 30, "--on", "ray"))
    assert "2 runs: 2 to train; 2 side by side, 1 thread each." in done.stderr
    local, on_ray = contents(tmp_path / "local"), contents(tmp_path / "ray")
    assert local.keys() == on_ray.keys()
    assert len([name for name in local if name.endswith("tensors.safetensors")]) > 4
    for name, value in local.items():
        assert on_ray[name] == value, name
    assert not list((tmp_path / "ray").glob(".ray-*"))
    pids = {RunFolder(path).status()["pid"] for path in (tmp_path / "ray").glob("latent*/")}
    for pid in pids:  # Ray ended with the command
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize(
    ("address", "told"),
    [("ray://nowhere:10001", "auto, or HOST:PORT"), ("nowhere", "that of a cluster that answers"), ("127.0.0.1:9", "(Connection refused)")],
)
def test_an_address_without_a_cluster_is_refused_in_one_line(address, told, images, tmp_path, capsys):
    assert told in refusal_here(capsys, *command(images, tmp_path / "out", 1, 30, "--on", "ray", "--ray-address", address))
    assert not (tmp_path / "out").exists()


def test_without_the_extra_one_line_says_how_to_get_it(tmp_path):
    hidden = "import sys; sys.modules['ray'] = None; from latentlab.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "sweep", "mlp-ae", "--on", "ray", "--out", str(tmp_path / "out")],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "latentlab: --on ray needs Ray, which is not installed: pip install 'latentlab[cluster]'.\n"


def test_importing_latentlab_loads_no_ray():
    statement = "import latentlab, latentlab.cli.many, latentlab.lab.grid, latentlab.lab.questions.bench, sys; print('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True).stdout == "False\n"


# Files on their way between machines that share no storage.


def test_files_come_to_be_what_they_are_elsewhere(tmp_path):
    run_ = tmp_path / "run"
    (run_ / "checkpoints" / "step-1").mkdir(parents=True)
    (run_ / "checkpoints" / "step-1" / "tensors.safetensors").write_bytes(b"one")
    (run_ / "metrics.jsonl").write_text("a\n")
    (run_ / "lock").touch()
    (run_ / ".status.json.17").write_text("half")
    (tmp_path / "run.log").write_text("said")
    own = [str(run_), str(tmp_path / "run.log")]
    there = stamps(own)
    assert {Path(path).name for path in there} == {"tensors.safetensors", "metrics.jsonl", "run.log"}
    shutil.copytree(run_, tmp_path / "kept")
    everything = changes(there, {})
    shutil.rmtree(run_)
    (tmp_path / "run.log").unlink()
    take(everything)
    assert stamps(own) == there  # sizes and times too, so that nothing comes twice
    assert changes(stamps(own), there) == ({}, [])
    assert (run_ / "metrics.jsonl").read_bytes() == (tmp_path / "kept" / "metrics.jsonl").read_bytes()
    (run_ / "metrics.jsonl").write_text("a\nb\n")
    shutil.rmtree(run_ / "checkpoints" / "step-1")
    new, gone = changes(stamps(own), there)
    assert list(new) == [str(run_ / "metrics.jsonl")]
    assert gone == [str(run_ / "checkpoints" / "step-1" / "tensors.safetensors")]
    (run_ / "checkpoints" / "step-1").mkdir()
    (run_ / "checkpoints" / "step-1" / "tensors.safetensors").write_bytes(b"one")
    take((new, gone))
    assert not (run_ / "checkpoints" / "step-1").exists()  # no checkpoint without its files


def test_a_node_that_was_thought_dead_writes_no_more(tmp_path):
    keeper, own = Keeper(), [str(tmp_path / "run")]
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.jsonl").write_text("a\n")
    first, _ = keeper.lend(own, [], {}, "first")
    assert [content for _, content in first.values()] == [b"a\n"]
    keeper.keep(own, "first", ({str(tmp_path / "run" / "metrics.jsonl"): (10**18, b"a\nb\n")}, []))
    second, _ = keeper.lend(own, [], {}, "second")
    assert [content for _, content in second.values()] == [b"a\nb\n"]
    with pytest.raises(LabError, match="another node"):
        keeper.keep(own, "first", ({str(tmp_path / "run" / "metrics.jsonl"): (10**18, b"a\nwrong\n")}, []))
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == "a\nb\n"


# The proofs that take minutes.


@needs_ray
@pytest.mark.slow
def test_twelve_runs_end_alike_though_workers_are_killed_twice(images, tmp_path):
    steps = 800
    run(*command(images, tmp_path / "whole", 6, steps))
    out = tmp_path / "killed"
    sweep = start(*command(images, out, 6, steps, "--on", "ray"))

    def training() -> list[int]:
        states = [RunFolder(config.parent).status() for config in out.glob("*/config.json") if metric_steps(config.parent) > 0]
        return [state["pid"] for state in states if state.get("state") == "running"]

    killed: set[int] = set()
    for _ in range(2):
        wait_until(lambda: set(training()) - killed)
        pid = min(set(training()) - killed)
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
    _, said = sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == 0, said
    assert "Traceback" not in said
    assert len(list(out.glob("*/scores.json"))) == 12
    assert contents(out)["comparison.json"] == contents(tmp_path / "whole")["comparison.json"]
    for name, value in contents(tmp_path / "whole").items():
        if name.endswith(("tensors.safetensors", "config.json")) and name in contents(out):
            assert contents(out)[name] == value, name


@needs_ray
@pytest.mark.slow
def test_a_stopped_sweep_is_saved_and_goes_on(images, tmp_path):
    sweep = start(*command(images, tmp_path / "out", 1, 100_000, "--on", "ray"))
    wait_until(lambda: any(metric_steps(config.parent) > 0 for config in (tmp_path / "out").glob("*/config.json")))
    sweep.send_signal(signal.SIGTERM)
    _, said = sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == 143, said
    assert "the same command goes on" in said
    begun = [RunFolder(config.parent) for config in (tmp_path / "out").glob("*/config.json")]
    assert begun
    assert all(folder.status()["state"] == "stopped" for folder in begun)
    assert all((folder.checkpoints / f"step-{folder.status()['step']:08d}" / "MANIFEST.json").exists() for folder in begun)


# What an experiment asks of its workers, with the data of `images`.
BENCH = """
import sys
from pathlib import Path
from latentlab.cli import main
from latentlab.config.presets import preset
from latentlab.data import load_data
from latentlab.lab.pool import opened
from latentlab.lab.questions.bench import QUIET, Bench, Plan
if __name__ == "__main__":
    on, folder = sys.argv[1], Path(sys.argv[2])
    shared = {"data.spec": "digits", "data.train_images": 96}
    data = load_data(preset("mlp-vae", **shared).data)
    with opened(on, None, main) as pool:
        bench = Bench(folder, data, shared, lambda words: print(words, file=sys.stderr), "kl", pool=pool)
        small = {**QUIET, "model.latent_dim": 2, "model.hidden": (8,), "train.batch_size": 16, "train.steps": 20}
        bench.train([Plan(f"run-{seed}", "mlp-vae", small | {"train.seed": seed}) for seed in range(3)])
"""


@needs_ray
@pytest.mark.slow
def test_a_questions_workers_do_the_same_on_ray(tmp_path):
    for on in ("here", "ray"):
        done = subprocess.run([sys.executable, "-c", BENCH, on, str(tmp_path / on)], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        assert sorted(line for line in done.stderr.splitlines() if line.startswith("run-")) == [f"run-{n}: 20 steps" for n in range(3)]
    assert contents(tmp_path / "here") == contents(tmp_path / "ray")


@needs_ray
@pytest.mark.slow
def test_the_lab_on_ray_is_the_lab(tmp_path):
    for on in ("here", "ray"):
        (tmp_path / on).mkdir()
        # A cache of its own: which classifier is there when a GAN begins is part of what it writes down.
        env = os.environ | {"LATENTLAB_CACHE": str(tmp_path / on / "cache"), "OMP_NUM_THREADS": "1"}
        run("lab", "--quick", "--on", on, "--out", "lab", cwd=tmp_path / on, env=env)
    here, on_ray = (contents(tmp_path / on / "lab") for on in ("here", "ray"))
    assert here.keys() == on_ray.keys()
    for name, value in here.items():
        assert on_ray[name] == value, name


def can_unshare() -> bool:
    """Whether a process here may have mounts of its own: then a node can be made that sees none of the runs' storage."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def nodes() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts nodes of Ray, each with all its processes in a group that is killed in the end."""
    started: list[subprocess.Popen[bytes]] = []
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}

    def node(words: str) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(["unshare", "-m", "sh", "-c", words], env=os.environ | ALIKE, **quiet))
        return started[-1]

    yield node
    for each in reversed(started):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(each.pid, signal.SIGKILL)
        each.wait()


@needs_ray
@pytest.mark.slow
@pytest.mark.skipif(not can_unshare(), reason="no mounts of one's own")
def test_two_nodes_without_shared_storage_and_one_dies(images, tmp_path, nodes):
    """Each has a file system of its own over the folder of runs. What they train comes back; what one was at goes on at the other."""
    run(*command(images, tmp_path / "whole", 1, 1_000))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "runs").mkdir()
    ray, out = Path(sys.executable).with_name("ray"), tmp_path / "runs" / "out"
    asked = [ray, "status", f"--address=127.0.0.1:{port}"]

    def joined(words: str, count: int) -> subprocess.Popen[bytes]:
        """A node of a cluster that has so many with it. On a busy machine Ray may give up starting: then once more."""
        for _ in range(3):
            node = nodes(words)
            wait_until(lambda: nodes_in(asked) == count or node.poll() is not None)  # noqa: B023 - it is asked before the next one
            if node.poll() is None:
                return node
        raise AssertionError(f"{words} ended")

    joined(f"exec {ray} start --head --port={port} --num-cpus=0 --include-dashboard=false --block", 1)
    hidden = f"mount -t tmpfs none {tmp_path / 'runs'} && exec {ray} start --address=127.0.0.1:{port} --num-cpus=1 --block"
    first = joined(hidden, 2)  # one after the other: they look for free ports
    joined(hidden, 3)
    sweep = start(*command(images, out, 1, 1_000, "--on", "ray", "--ray-address", f"127.0.0.1:{port}"), env=os.environ | ALIKE)
    wait_until(lambda: all(metric_steps(out / f"latent_dim-{size}-seed-0") > 0 for size in (2, 3)) or sweep.poll() is not None)
    os.killpg(first.pid, signal.SIGKILL)
    _, said = sweep.communicate(timeout=PATIENCE)
    assert sweep.returncode == 0, said
    whole, found = contents(tmp_path / "whole"), contents(out)
    assert found["comparison.json"] == whole["comparison.json"]
    last = [name for name in whole if name.endswith("step-00001000/tensors.safetensors")]
    assert len(last) == 2
    assert [found[name] for name in last] == [whole[name] for name in last]


def nodes_in(asked: list[object]) -> int:
    """How many nodes a cluster has, by what `ray status` says."""
    return subprocess.run([*map(str, asked)], env=os.environ | ALIKE, capture_output=True, text=True, check=False).stdout.count("node_")

"""The Keras engine beside torch, on JAX and on TensorFlow: equal losses, gradients and weights; and `latentlab.keras` used alone."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import PATIENCE, TINY, refusal, run

import latentlab as ll
from latentlab.base.errors import LabError
from latentlab.config.presets import PRESETS
from latentlab.models.engine import TorchEngine

WITHIN = 1e-5  # of the largest number compared: what the issue asks
KERAS = ("jax", "tensorflow")
pytestmark = pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed")


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.slow) for name in KERAS])
def battery(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What keras_battery.py measures, in a process of its own: the backend is fixed when Keras is loaded."""
    backend = request.param
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    out = tmp_path_factory.mktemp(backend) / "battery.json"
    command = [sys.executable, Path(__file__).with_name("keras_battery.py"), out, "all"]
    done = subprocess.run(command, env=os.environ | {"KERAS_BACKEND": backend}, capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def test_every_layer_computes_and_learns_as_torch_s(battery: dict[str, Any]) -> None:
    far = {name: values for name, values in battery["layers"].items() if not max(values.values()) < WITHIN}
    assert not far
    assert battery["layers"]["batch norm"].keys() == {"output", "gradient", "kept"}  # and running statistics and vectors are compared
    assert battery["layers"]["convolution, spectral"].keys() == {"output", "gradient", "kept"}


def test_every_preset_has_torch_s_losses_gradients_and_updates(battery: dict[str, Any]) -> None:
    known = set(PRESETS) - {"iwae-1layer", "point-gan", "point-vae", "robust-gan", "vae-gan"}  # to Keras
    assert known < set(battery["presets"]) or len(battery["presets"]) == 3
    for name, values in battery["presets"].items():
        assert max(values["loss"], values["gradient"], values["kept"]) < WITHIN, (name, values)
        assert values["moved"] < 1e-3, (name, values)  # of the learning rate
        assert values["counts"] == 0, (name, values)


def test_after_some_steps_losses_and_images_are_still_torch_s(battery: dict[str, Any]) -> None:
    for name, values in battery["onward"].items():
        assert values["losses"] < 1e-4, (name, values)
        assert values["images"] <= 1, (name, values)


def test_bits_are_the_same_after_a_checkpoint_and_by_hand(battery: dict[str, Any]) -> None:
    assert battery["bits"]
    assert all(battery["bits"].values()), battery["bits"]


def test_a_loss_that_is_not_finite_names_its_step(battery: dict[str, Any]) -> None:
    error = battery["stops"]["error"]
    assert error.startswith("step 3: the VAE ")
    assert "a learning rate of 1e+30" in error


def test_the_vae_alone_learns_under_fit(battery: dict[str, Any]) -> None:
    alone = battery["alone"]
    assert alone["losses"][-1] < 0.8 * alone["losses"][0]
    assert alone["epochs"] == [0, 1, 2, 3]
    assert alone["parts"] == pytest.approx(alone["losses"], rel=1e-4)  # in nats: reconstruction and KL are the whole loss
    assert 0.5 < alone["evaluated"] / alone["losses"][-1] < 1.2  # floats in [0, 1] are the same images as bytes
    assert "encoder" in alone["summary"]
    assert "log_var" in alone["summary"]


def test_the_gan_alone_takes_the_vae_s_decoder(battery: dict[str, Any]) -> None:
    alone = battery["alone"]
    assert alone["shared"]
    assert alone["gan"].keys() == {"discriminator_loss", "generator_loss"}
    assert all(math.isfinite(value) for values in alone["gan"].values() for value in values)
    assert alone["discriminator moved"] > 1e-3
    low, high, *shape = alone["images"]
    assert 0 <= low < high <= 1
    assert shape == [5, 28, 28, 1]


def test_networks_written_as_classes_serve_too(battery: dict[str, Any]) -> None:
    classes = battery["classes"]
    assert classes["losses"][-1] < 0.95 * classes["losses"][0]
    assert all(math.isfinite(value) for values in classes["gan"].values() for value in values)
    assert classes["refused"].startswith("latent_dim must be given beside a generator")


def test_what_keras_saves_it_loads_and_trains_on(battery: dict[str, Any]) -> None:
    assert max(battery["alone"]["differences"]) < 1e-6
    assert battery["alone"]["trained on"] == [["kl_nats", "loss", "reconstruction_nats"], ["discriminator_loss", "generator_loss"]]


# Commands, and what is refused before Keras is loaded.


def state(run_folder: Path) -> dict[str, bytes]:
    from latentlab.runs import checkpoints

    tensors, _ = checkpoints.load(checkpoints.newest(run_folder / "checkpoints", print))
    return {name: values.tobytes() for name, values in tensors.items()}


def test_commands_train_resume_and_start_a_gan_from_what_keras_trained(battery: dict[str, Any]) -> None:
    commands = battery["commands"]
    assert not any(commands["statuses"])
    assert commands["same"]
    assert max(commands["exported"]) < WITHIN  # images, means and deviations by Keras alone
    assert commands["plain"]
    assert len(commands["starts as the decoder"]) == 4
    assert all(commands["starts as the decoder"])
    backend = commands["facts"]["keras_backend"]
    assert backend in KERAS
    assert {"keras", backend} < commands["facts"].keys()


def test_models_saved_by_keras_come_in_as_runs(battery: dict[str, Any]) -> None:
    assert battery["imported"]
    assert max(battery["imported"].values()) < WITHIN, battery["imported"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", KERAS)
def test_a_run_goes_on_with_its_own_backend_in_another_process(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    small = ["train", "keras-vae", *TINY, "--hidden", "12", "--threads", "2"]
    monkeypatch.setenv("KERAS_BACKEND", backend)
    run(*small, "--steps", "14", "--out", tmp_path / "straight")
    run(*small, "--steps", "7", "--out", tmp_path / "halved")
    monkeypatch.setenv("KERAS_BACKEND", next(name for name in KERAS if name != backend))
    run("resume", tmp_path / "halved", "--steps", "14")
    assert state(tmp_path / "halved") == state(tmp_path / "straight")


def test_without_keras_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keras.py").write_text("raise ModuleNotFoundError('no', name='keras')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]))
    line = refusal("train", "keras-vae", *TINY, "--steps", "3", "--out", tmp_path / "run")
    assert 'pip install "latentlab[keras]"' in line
    assert not (tmp_path / "run").exists()


def test_another_backend_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    line = refusal("train", "keras-vae", *TINY, "--steps", "3", "--out", tmp_path / "run")
    assert "KERAS_BACKEND must be tensorflow or jax. Got 'torch'" in line


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"device": "cuda"}, "train.device must be auto or cpu with Keras"),
        ({"precision": "bf16"}, "train.precision must be auto or fp32 with Keras"),
        ({"encoder": lambda: None}, "train.engine must be torch for networks"),
    ],
)
def test_what_keras_does_not_do_is_refused(more: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(LabError, match=said):
        ll.train("keras-vae", out=tmp_path / "run", steps=3, **more)
    assert not (tmp_path / "run").exists()


def test_latentlab_never_loads_keras_by_itself() -> None:
    program = "import sys, latentlab as ll, latentlab.cli, latentlab.train.start; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=PATIENCE).returncode == 0


@pytest.mark.parametrize("name", ["mlp-ae", "sn-gan"])
def test_steps_taken_together_leave_the_same_run(name: str, tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop gives an engine as many steps as there are until something is due: rows, pictures and checkpoints are the same."""
    given: list[int] = []

    def update(self: TorchEngine, batches: Any, moments: Any) -> Any:
        given.append(len(batches))
        return once(self, batches, moments)

    once = TorchEngine.update
    monkeypatch.setattr(TorchEngine, "update", update)
    found = []
    for at_once in (1, 64):
        monkeypatch.setattr(TorchEngine, "at_once", at_once)
        run_ = ll.train(tiny(name), out=tmp_path / str(at_once), log_steps=5, evaluate_epochs=1.5)
        rows = [{key: value for key, value in row.items() if key not in ("seconds", "crc32")} for row in run_.metrics()]
        pictures = sorted((path.name, path.read_bytes()) for path in run_.folder.samples.iterdir())
        found.append((rows, pictures, state(run_.path), sorted(path.name for path in run_.folder.checkpoints.iterdir())))
    assert found[0] == found[1]
    assert max(given) > 1


def test_the_components_load_no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    program = "import sys, latentlab.keras; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], timeout=PATIENCE).returncode == 0

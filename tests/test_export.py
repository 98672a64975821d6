"""A run for other programs: each form gives what the run gives, says what it is, and names nothing of the machine that wrote it."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import refusal_here, run_here
from conftest import FAMILIES, TINY
from PIL import Image
from torch import nn

import latentlab as ll
from latentlab.base.texts import languages, number, text
from latentlab.config.presets import PRESETS
from latentlab.measure.table import title
from latentlab.runs.verify import check_run
from latentlab.train.exchange import FORMATS, export, onnx_files, python_file
from latentlab.train.start import create

HOME = Path(ll.__file__).parents[1]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ll.Run]:
    """A run of every kind of layer: blurred kernels and a deviation of the batch (art-gan), spectral norm (sn-gan), batch norm, blocks."""
    root = tmp_path_factory.mktemp("exported")
    made = {}
    for name in FAMILIES:
        list(ll.steps(ll.preset(name, **TINY | FAMILIES[name] | {"train.steps": 4}), root / name))  # without figures
        made[name] = ll.open_run(root / name)
    made["conv-vae"].evaluate(samples=40, nll_samples=0, extractors="random-convolutions")
    return made


def inputs(run: ll.Run, count: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """Images in [0, 1] and codes."""
    height, width, channels = run.image_shape
    source = torch.Generator().manual_seed(1)
    return torch.rand(count, channels, height, width, generator=source), torch.randn(count, 3, generator=source)


def loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# One plain PyTorch file.


def same(got: torch.Tensor, wanted: torch.Tensor) -> None:
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("likelihood", ["gaussian-learned", "continuous-bernoulli", "logistic-mixture"])
def test_what_is_written_of_any_likelihood_draws_its_mean(likelihood: str, tmp_path: Path) -> None:
    """Not what the decoder gives beside it; and a shared folder has that too."""
    list(
        ll.steps(
            ll.preset(
                "mlp-vae", **TINY | {"train.steps": 30, "model.likelihood": likelihood, "model.hidden": (16,), "model.latent_dim": 3}
            ),
            tmp_path / "run",
        )
    )
    run = ll.open_run(tmp_path / "run")
    _, z = inputs(run)
    wanted = run.decode(z.numpy())
    run.export("python", tmp_path / "mine.py")
    model = loaded(tmp_path / "mine.py").load()
    with torch.no_grad():
        image = torch.sigmoid(model.decoder(z)).permute(0, 2, 3, 1).numpy()
        logits = run.networks()["decoder"](z)
    assert np.abs(np.round(255 * image).astype(int) - wanted).max() <= 1
    assert logits.shape == (5, 1, 28, 28)
    onnx_files.write(run, tmp_path / "mine.onnx", "en")
    import onnxruntime

    (drawn,) = onnxruntime.InferenceSession(tmp_path / "mine.onnx").run(None, {"z": z.numpy()})
    np.testing.assert_allclose(drawn.transpose(0, 2, 3, 1), image, atol=1e-5)
    run.export("safetensors", tmp_path / "shared")
    again = ll.open_run(tmp_path / "shared")
    assert np.array_equal(again.decode(z.numpy()), wanted)
    found = again.evaluate(samples=20, nll_samples=5, nll_images=10) if likelihood == "gaussian-learned" else None
    assert found is None or found["scores"]["nll_nats"]["value"] > 0


@pytest.mark.parametrize("name", FAMILIES)
def test_the_python_file_computes_what_the_run_does(name: str, runs: dict[str, ll.Run], tmp_path: Path) -> None:
    run = runs[name]
    written = run.export("python", tmp_path / "mine.py")
    assert written == [tmp_path / "mine.py", tmp_path / "mine.safetensors"]
    model, networks = loaded(written[0]).load(), run.networks()
    x, z = inputs(run)
    with torch.no_grad():
        same(model.decode(z), torch.sigmoid(networks.get("decoder", networks.get("generator"))(z)))
        if run.config.family == "gan":
            same(model.discriminate(x), networks["discriminator"](x))
        else:
            for got, wanted in zip(np.atleast_1d(model.encode(x)), np.atleast_1d(networks["encoder"](x)), strict=True):
                same(torch.as_tensor(got), torch.as_tensor(wanted))
        normal = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
        same(model.sample(5, torch.Generator().manual_seed(2)), model.decode(run.learner.code_from_normal(normal)))
    plain = {type(layer).__module__ for network in (model.modules()) for layer in network.children()} - {"mine"}
    assert all(module.startswith("torch.nn.modules") for module in plain)


def test_the_python_file_needs_torch_alone_and_its_own_weights(runs: dict[str, ll.Run], tmp_path: Path) -> None:
    path, weights = runs["conv-vae"].export("python", tmp_path / "mine.py", lang="fr")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import mine; print(mine.load().sample(2).shape, *sys.modules)"
    said = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("torch.Size([2, 1, 28, 28])")
    assert not {"latentlab", "safetensors", "numpy"} & set(said.split()) - {"numpy"}
    source = path.read_text(encoding="utf-8")
    assert text("exchange.python.vae.sample", "fr") in source
    load = next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    assert (load.end_lineno or 0) - load.lineno < 20
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match=r"mine\.safetensors contient d’autres poids"):
        loaded(path).load()


def test_the_name_of_a_folder_stays_in_the_docstring(runs: dict[str, ll.Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_file, "named", lambda spec: 'folder:x"""\nimport antigravity\n\\')
    body = ast.parse(runs["mlp-ae"].export("python", tmp_path / "mine.py")[0].read_text(encoding="utf-8")).body
    assert "antigravity" in (ast.get_docstring(ast.Module(body, [])) or "")
    assert [node.names[0].name for node in body if isinstance(node, ast.Import)] == ["hashlib", "json", "torch"]


# ONNX.


def answers(path: Path, given: np.ndarray) -> list[np.ndarray]:
    session = pytest.importorskip("onnxruntime").InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: given})


@pytest.mark.parametrize("name", ["mlp-ae", "conv-vae", pytest.param("art-gan", marks=pytest.mark.slow)])
def test_onnx_gives_what_the_run_gives_at_any_batch_size(name: str, runs: dict[str, ll.Run], tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    run = runs[name]
    parts = {"mlp-ae": ["", "-encoder", "-prior"], "conv-vae": ["", "-encoder"], "art-gan": [""]}[name]
    written = run.export("onnx", tmp_path / "mine.onnx")
    assert written == [tmp_path / f"mine{part}.onnx" for part in parts]
    networks = run.networks()
    for count in (1, 3):
        x, z = inputs(run, count)
        with torch.no_grad():
            image = torch.sigmoid(networks.get("decoder", networks.get("generator"))(z))
            assert np.abs(answers(written[0], z.numpy())[0] - image.numpy()).max() < 1e-5
            if len(parts) > 1:
                codes = networks["encoder"](x)
                for got, wanted in zip(answers(written[1], x.numpy()), codes if isinstance(codes, tuple) else [codes], strict=True):
                    assert np.abs(got - wanted.numpy()).max() < 1e-5
            if len(parts) > 2:
                assert np.abs(answers(written[2], z.numpy())[0] - run.learner.code_from_normal(z).numpy()).max() < 1e-5
    model = onnx.load(str(written[0]))
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert about == {"preset": name, "data": "digits", "step": "4", "latentlab": ll.__version__}
    assert [out.name for out in model.graph.output] == ["image"]
    for path in written:
        assert b"site-packages" not in path.read_bytes()
        assert str(HOME).encode() not in path.read_bytes()
    if name == "conv-vae":  # every output counts
        encoder = onnx_files.parts_of(run)[1]
        assert onnx_files.difference(written[1].read_bytes(), encoder) < 1e-5
        encoder.network.layers[-1].bias.data[-1] += 1  # of the log-variance
        assert onnx_files.difference(written[1].read_bytes(), encoder) == pytest.approx(1, abs=1e-4)


def test_an_onnx_network_that_differs_is_not_kept(runs: dict[str, ll.Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(onnx_files, "difference", lambda content, part: 2e-4)
    with pytest.raises(ll.LabError, match=r"within 0\.0001\. It is off by 0\.0002: nothing was kept"):
        runs["mlp-ae"].export("onnx", tmp_path / "mine.onnx")
    assert list(tmp_path.iterdir()) == []


class Undecided(nn.Module):
    """What it does depends on what it is given: no graph says so."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 28 * 28)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        out = self.layer(z).view(-1, 1, 28, 28)
        return out if float(out.detach().sum()) > 0 else 2 * out


@pytest.mark.slow
def test_networks_of_ones_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Chains go out as ONNX, what no graph is is refused in one line; their code goes out in a folder alone, and is trusted first."""
    pytest.importorskip("onnxruntime")
    changes = TINY | FAMILIES["conv-vae"] | {"train.steps": 2, "model.binarization": "none"}
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 6))
    chain = ll.train("conv-vae", tmp_path / "chain", encoder=encoder, **changes)
    x, _ = inputs(chain, 3)
    mean, log_var = answers(chain.export("onnx", tmp_path / "chain.onnx")[1], x.numpy())
    with torch.no_grad():
        wanted = chain.networks()["encoder"](x)
    assert np.abs(np.stack([mean, log_var]) - torch.stack(wanted).numpy()).max() < 1e-5
    own = ll.train("conv-vae", tmp_path / "own", decoder=Undecided, **changes)
    with pytest.raises(ll.LabError, match=r"the network from z to image cannot be written as ONNX \(.*Use --format safetensors"):
        own.export("onnx", tmp_path / "own.onnx")
    with pytest.raises(ll.LabError, match=r"has its own decoder, whose code lies in own/\. Use --format safetensors, or onnx"):
        own.export("python", tmp_path / "own.py")
    (shared,) = own.export("safetensors", tmp_path / "shared")
    assert (shared / "own" / "own.json").is_file()
    assert "trust=True" in (shared / "README.md").read_text(encoding="utf-8")
    with pytest.raises(ll.LabError, match="code of somebody's own"):
        ll.open_run(shared).sample(1)
    assert np.array_equal(ll.open_run(shared, trust=True).sample(4), own.sample(4))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PRESETS if name != "gan-from-vae" and not name.startswith("point-")])
def test_every_preset_goes_out_whole(name: str, tmp_path: Path) -> None:
    """As large as it is, on images of the size that it is made for: ONNX, and the file that needs torch alone."""
    pytest.importorskip("onnxruntime")
    session = create(ll.preset(name, **{"train.threads": 1}), tmp_path / "run")
    session.lock.close()
    run = ll.open_run(tmp_path / "run")
    assert all(path.stat().st_size > 1000 for path in run.export("onnx", tmp_path / "mine.onnx"))
    model = loaded(run.export("python", tmp_path / "mine.py")[0]).load()
    z = torch.randn(2, run.config.model.latent_dim)
    networks = run.networks()
    with torch.no_grad():
        same(model.decode(z), torch.sigmoid(networks.get("decoder", networks.get("generator"))(z)))


# A folder to publish.


@pytest.mark.parametrize("name", ["mlp-ae", "conv-vae", "sn-gan"])
def test_a_shared_folder_is_the_run(name: str, runs: dict[str, ll.Run], tmp_path: Path) -> None:
    run = runs[name]
    assert run.export("safetensors", tmp_path / "shared") == [tmp_path / "shared"]
    shared = ll.open_run(tmp_path / "shared")
    assert np.array_equal(shared.sample(6, seed=3), run.sample(6, seed=3))
    assert (shared.step, shared.scores, shared.metrics()) == (4, run.scores, [])
    if name != "sn-gan":
        images = run.data().test.images[:3]
        assert np.array_equal(shared.encode(images).mean, run.encode(images).mean)
    assert [problem for _, problem in check_run(shared.folder) if problem] == []
    weights = [next(one.path.glob("checkpoints/step-00000004/*.safetensors")).stat().st_size for one in (shared, run)]
    assert weights[0] < weights[1] / 2
    with pytest.raises(ll.LabError, match="was exported without its optimiser’s state"):
        shared.resume(steps=6)
    for path in shared.path.rglob("*"):
        if path.suffix in (".json", ".md"):
            assert str(run.path.parent) not in path.read_text(encoding="utf-8"), path


def test_a_shared_folder_is_measured_compared_and_shown(runs: dict[str, ll.Run], tmp_path: Path) -> None:
    (path,) = runs["conv-vae"].export("safetensors", tmp_path / "shared")
    shared = ll.open_run(path)
    again = shared.evaluate(samples=40, nll_samples=0, extractors="random-convolutions")
    assert again["scores"]["reconstruction_mse"] == runs["conv-vae"].scores["scores"]["reconstruction_mse"]
    assert "shared" in repr(ll.compare(path, runs["conv-vae"].path))
    assert ll.report(path, out=tmp_path / "report.html").stat().st_size > 100_000
    generator = (
        create(ll.preset("gan-from-vae", **TINY | {"train.generator_from": str(path), "train.steps": 1}), tmp_path / "gan")
        .engine.twin()
        .networks["generator"]
    )
    _, z = inputs(shared)
    same(generator.eval()(z), shared.networks()["decoder"](z))


@pytest.mark.parametrize("lang", languages())
def test_a_card_tells_what_it_reaches_and_what_it_does_not(lang: str, runs: dict[str, ll.Run], tmp_path: Path) -> None:
    run = runs["conv-vae"]
    card = (run.export("safetensors", tmp_path / "shared", lang)[0] / "README.md").read_text(encoding="utf-8")
    head = card.split("---\n")[1]
    assert head.startswith("library_name: latentlab\n")
    assert "- variational-autoencoder\n" in head
    error = run.scores["scores"]["reconstruction_mse"]
    row = next(line for line in card.splitlines() if line.startswith(f"| {title('reconstruction_mse', lang)}"))
    low = error["value"] - 1.96 * error["stderr"]
    assert number(low, lang, 5)[:5] in row
    assert text("exchange.card.limit.vae", lang) in card
    assert text("exchange.card.limit.measured", lang) in card
    assert text("exchange.card.limit.unmeasured", lang) not in card
    assert "CC BY 4.0; E. Alpaydin" in card
    assert re.search(r"latentlab train conv-vae .*--model\.latent_dim 3", card)
    unmeasured = (runs["sn-gan"].export("safetensors", tmp_path / "gan", lang)[0] / "README.md").read_text(encoding="utf-8")
    assert text("exchange.card.limit.unmeasured", lang) in unmeasured


def test_images_of_ones_own_have_no_licence_and_no_address(tmp_path: Path) -> None:
    pictures = tmp_path / "private" / "mine.npz"
    pictures.parent.mkdir()
    np.savez(pictures, images=np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8))
    run = ll.train("mlp-ae", tmp_path / "run", data=f"npz:{pictures}", steps=1, batch_size=8, threads=1, hidden=(8,), latent_dim=2)
    (shared,) = run.export("safetensors", tmp_path / "shared")
    assert text("exchange.card.licence.none", "en") in (shared / "README.md").read_text(encoding="utf-8")
    assert all("private" not in path.read_text(encoding="utf-8") for path in shared.rglob("*") if path.suffix in (".md", ".json"))
    with pytest.raises(ll.LabError, match="Say where they are now"):
        ll.open_run(shared).data()
    assert len(ll.open_run(shared).data(f"npz:{pictures}").train) > 0


# TensorBoard.


def recorded(path: Path) -> Iterator[Any]:
    """The events of a file: each record is its length, a checksum, its bytes, a checksum."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    content, at = path.read_bytes(), 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        event = event_pb2.Event()
        event.ParseFromString(content[at + 12 : at + 12 + length])
        yield event
        at += 16 + length


def test_tensorboard_reads_the_curves_and_the_pictures(runs: dict[str, ll.Run], tmp_path: Path) -> None:
    run = runs["conv-vae"]
    pytest.importorskip("tensorboardX")
    (folder,) = run.export("tensorboard", tmp_path / "board")
    (file,) = folder.iterdir()
    assert file.name.startswith("events.out.tfevents.")
    assert socket.gethostname() not in file.name
    scalars: dict[tuple[str, int], float] = {}
    pictures: dict[tuple[str, int], np.ndarray] = {}
    times: dict[int, float] = {}
    for event in recorded(file):
        for value in event.summary.value:
            if value.HasField("image"):
                (tmp_path / "one.png").write_bytes(value.image.encoded_image_string)
                pictures[value.tag, event.step] = np.asarray(Image.open(tmp_path / "one.png").convert("RGB"))
            elif value.HasField("simple_value"):
                scalars[value.tag, event.step] = value.simple_value
                times[event.step] = event.wall_time
            else:
                written = value.tensor.string_val[0].decode()
                assert written == f"```json\n{run.config.to_json()}```"
    for row in run.metrics():
        for name in ("loss_nats", "kl_nats"):
            assert scalars[f"{name}/{row['split']}", row["step"]] == pytest.approx(row[name])
    began = (run.path / "environment.json").stat().st_mtime
    assert times[4] - began == pytest.approx(max(row["seconds"] for row in run.metrics()), abs=1e-3)
    drawn = {(kind, step): path for kind in ("samples", "reconstructions") for step, path in run.folder.pictures(kind)}
    assert pictures.keys() == drawn.keys()
    for key, path in drawn.items():
        assert np.array_equal(pictures[key], np.asarray(Image.open(path).convert("RGB")))


# What is refused.


def test_refusals(runs: dict[str, ll.Run], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run = runs["mlp-ae"].path
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    (tmp_path / "file").touch()
    cases = {
        (run,): "--format must be one of onnx, keras, python, safetensors, tensorboard. Got none.",
        (run, "--format", "pickle"): "--format must be one of onnx, keras, python, safetensors, tensorboard. Got 'pickle'",
        (run, "--format", "python"): "--out must be where the export goes. Got none. Name one, such as --out exported.py.",
        (run, "--format", "python", "--out", tmp_path / "a.txt"): "--out must be a file that ends in .py",
        (run, "--format", "python", "--out", tmp_path / "my-model.py"): "--out must be a file whose name Python can import",
        (run, "--format", "python", "--out", tmp_path / "folder.py"): "--out must be a file in a folder, not a folder itself",
        (run, "--format", "python", "--out", tmp_path / "file" / "a.py"): "--out must be a file in a folder that can be written to",
        (run, "--format", "safetensors", "--out", tmp_path / "full"): "--out must be a folder that is new or empty",
        (run, "--format", "tensorboard", "--out", run): "--out must be a folder that is new or empty",
        (run, "--format", "python", "--out", tmp_path / "a.py", "--lang", "de"): "--lang must be one of en, fr. Got 'de'",
        (tmp_path, "--format", "python", "--out", tmp_path / "a.py"): "a run must be a folder with a config.json",
    }
    for arguments, said in cases.items():
        assert refusal_here(capsys, "export", *arguments).startswith(f"latentlab: {said}"), arguments
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxscript" else found(name))
    said = refusal_here(capsys, "export", run, "--format", "onnx", "--out", tmp_path / "a.onnx")
    assert said.endswith('--format onnx needs onnxscript, not installed here. Run `pip install "latentlab[export]"`.')
    with pytest.raises(ll.LabError, match="format must be one of"):
        export(runs["mlp-ae"], "pickle", tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.py", "full"]


def test_a_run_without_what_is_asked_for(runs: dict[str, ll.Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shared,) = runs["mlp-ae"].export("safetensors", tmp_path / "shared")
    said = refusal_here(capsys, "export", shared, "--format", "tensorboard", "--out", tmp_path / "board")
    assert "one with curves (metrics.jsonl)" in said
    for path in shared.glob("checkpoints/*/tensors.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    for name in ("python", "safetensors"):
        capsys.readouterr()
        with pytest.raises(ll.LabError, match="must have a whole checkpoint"):
            ll.open_run(shared).export(name, tmp_path / f"out{FORMATS[name].ending}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shared"]


def test_the_command_prints_what_it_wrote(runs: dict[str, ll.Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = run_here(capsys, "export", runs["mlp-ae"].path, "--format", "python", "--out", tmp_path / "new" / "mine.py")
    assert said.split() == [str(tmp_path / "new" / name) for name in ("mine.py", "mine.safetensors")]
    assert os.listdir(tmp_path / "new") != []

"""Somebody else's trained networks as a run: what fits is used to the last tensor, what does not is named."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import refusal_here, run_here
from conftest import FAMILIES, TINY
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

import latentlab as ll
from latentlab.config.networks import fit_model
from latentlab.models import build
from latentlab.models.learner import Learner
from latentlab.models.nets import to_unit
from latentlab.runs.verify import check_run
from latentlab.train.exchange.foreign import matched, read
from latentlab.train.origin import begin_with


class VAE(nn.Module):
    """The VAE of pytorch/examples, by its names: images [N, 784] in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 40)
        self.fc21 = nn.Linear(40, 5)
        self.fc22 = nn.Linear(40, 5)
        self.fc3 = nn.Linear(5, 40)
        self.fc4 = nn.Linear(40, 784)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = F.relu(self.fc1(x))
        return self.fc21(hidden), self.fc22(hidden)

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))


@pytest.fixture(scope="module")
def theirs() -> VAE:
    """Trained for a few steps on real digits, as that example does."""
    torch.manual_seed(3)
    model, images = VAE(), to_unit(torch.from_numpy(ll.load_data("digits").train.images[:128])).flatten(1)
    adam = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(15):
        mean, log_var = model.encode(images)
        copies = model.decode(mean + torch.randn_like(mean) * (0.5 * log_var).exp())
        loss = F.binary_cross_entropy(copies, images, reduction="sum") - 0.5 * (1 + log_var - mean**2 - log_var.exp()).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return model.eval()


LIKE: dict[str, Any] = {"latent_dim": 5, "hidden": (40,), "threads": 1, "batch_size": 32}


def test_the_vae_of_pytorch_examples_becomes_a_run(theirs: VAE, tmp_path: Path) -> None:
    file = tmp_path / "vae.pt"
    torch.save({"epoch": 3, "model_state_dict": {f"module.{key}": value for key, value in theirs.state_dict().items()}}, file)
    run = ll.import_run(file, "mlp-vae", tmp_path / "run", data="digits", **LIKE)
    images = run.data().test.images
    x = to_unit(torch.from_numpy(images))
    with torch.no_grad():
        mean, log_var = theirs.encode(x.flatten(1))
        copies = theirs.decode(mean)
        nats = F.binary_cross_entropy(copies, x.flatten(1), reduction="none").sum(1).mean()
        ours = run.networks()["encoder"](x)
        logits = run.networks()["decoder"](ours.mean)
    torch.testing.assert_close(ours.mean, mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(ours.log_var, log_var, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(logits.sigmoid().flatten(1), copies, rtol=1e-6, atol=1e-6)
    assert float(run.learner.likelihood.nats(logits, x).mean()) == pytest.approx(float(nats), rel=1e-6)  # type: ignore[attr-defined]
    assert (run.status()["state"], run.step) == ("finished", 0)
    assert run.folder.environment()["imported"]["file"] == "vae.pt"
    assert [problem for _, problem in check_run(run.folder) if problem] == []
    assert np.abs(run.encode(images).mean - mean.numpy()).max() < 1e-5
    scores = run.evaluate(samples=40, nll_samples=0, extractors="random-convolutions")["scores"]
    assert scores["reconstruction_mse"]["value"] == pytest.approx(float((copies - x.flatten(1)).square().mean()), rel=1e-4)
    loss = next(row["loss_nats"] for row in run.metrics() if row["split"] == "val")
    trained = run.resume(steps=12)
    assert (trained.step, trained.status()["state"]) == (12, "finished")
    assert next(row["loss_nats"] for row in reversed(trained.metrics()) if row["split"] == "val") < loss


def learner_of(name: str, shape: tuple[int, int, int] = (28, 28, 1), **changes: Any) -> Learner:
    config = ll.preset(name, **changes)
    config = config.replace(model=fit_model(config.model, shape))
    return build(config, shape, torch.device("cpu"), False)


SMALL = {"latent_dim": 5, "hidden": (40,)}
Match = Callable[..., dict[str, dict[str, Tensor]]]


@pytest.fixture
def match() -> Match:
    def matching(state: Mapping[str, Tensor], ordered: bool = True, mean: str | None = None, like: str = "mlp-vae", **changes: Any) -> Any:
        return matched(dict(state), ordered, learner_of(like, **changes or SMALL), mean, like, Path("vae.pt"))[0]

    return matching


def renamed(theirs: VAE, names: str) -> dict[str, Tensor]:
    """Its state with other names of the layers, in the order that these stand in."""
    pairs = [pair.split("=") for pair in names.split()]
    return {f"{new}.{leaf}": theirs.state_dict()[f"{old}.{leaf}"] for old, new in pairs for leaf in ("weight", "bias")}


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        ("fc1=fc1 fc21=fc21 fc22=fc22 fc3=fc3 fc4=fc4", False),
        ("fc4=decoder.2 fc3=decoder.0 fc22=encoder.logvar fc21=encoder.mu fc1=encoder.0", False),
        ("fc3=dec.0 fc4=dec.2 fc1=enc.0 fc22=enc.fc_var fc21=enc.fc_mu", True),
        ("fc1=layers.0 fc21=mean fc22=layers.1 fc3=layers.2 fc4=layers.10", True),
        ("fc1=a fc21=to_mean fc22=to_log_variance fc3=b fc4=c", True),
    ],
)
def test_layers_are_found_by_shape_order_and_name(names: str, ordered: bool, theirs: VAE, match: Match) -> None:
    state = theirs.state_dict()
    found = match(renamed(theirs, names), ordered)
    assert torch.equal(found["encoder"]["layers.1.weight"], state["fc1.weight"])
    assert torch.equal(found["encoder"]["layers.3.weight"], torch.cat([state["fc21.weight"], state["fc22.weight"]]))
    assert torch.equal(found["encoder"]["layers.3.bias"], torch.cat([state["fc21.bias"], state["fc22.bias"]]))
    assert torch.equal(found["decoder"]["layers.2.bias"], state["fc4.bias"])


def test_which_head_is_the_mean_is_asked_where_names_do_not_tell(theirs: VAE, match: Match) -> None:
    state = renamed(theirs, "fc1=fc1 fc21=head_a fc22=head_b fc3=fc3 fc4=fc4")
    with pytest.raises(ll.LabError, match=r"one of head_a and head_b must give the mean.*--mean head_a or --mean head_b"):
        match(state)
    assert torch.equal(match(state, mean="head_a")["encoder"]["layers.3.bias"][:5], state["head_a.bias"])
    assert torch.equal(match(state, mean="head_b")["encoder"]["layers.3.bias"][:5], state["head_b.bias"])
    with pytest.raises(ll.LabError, match=r"mean must be head_a or head_b, the layers of that shape\. Got 'fc3'"):
        match(state, mean="fc3")
    with pytest.raises(ll.LabError, match="the other the log-variance"):  # a deviation is no log-variance
        match(renamed(theirs, "fc1=fc1 fc21=mu fc22=log_sigma fc3=fc3 fc4=fc4"))


def test_equal_shapes_without_an_order_are_refused(theirs: VAE, match: Match) -> None:
    wide = {f"{name}.{leaf}": torch.zeros(size) for name in ("inner", "outer") for leaf, size in (("weight", (40, 40)), ("bias", (40,)))}
    state = renamed(theirs, "fc1=first fc21=mu fc22=logvar fc3=third fc4=fourth") | wide
    with pytest.raises(ll.LabError, match=r"vae\.pt must tell which of inner and outer is the encoder's layers\.3.*torch\.save"):
        match(state, False, latent_dim=5, hidden=(40, 40))
    assert match(state, True, latent_dim=5, hidden=(40, 40))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"latent_dim": 6}, r"must be the encoder's layers\.3\.weight \[12, 40\]\. Got 'fc21\.weight \[5, 40\]'"),
        ({"hidden": (41,)}, r"must be the encoder's layers\.1\.weight \[41, 784\]\. Got 'fc1\.weight \[40, 784\]'.*--hidden"),
        ({"fc5.weight": torch.zeros(3, 3)}, r"must be nothing more: mlp-vae has no other layer\. Got 'fc5\.weight \[3, 3\]'"),
        ({"fc4.weight": None, "fc4.bias": None}, r"must be the decoder's layers\.2\.weight \[784, 40\]\. Got 'nothing more'"),
        ({"fc4.scale": torch.zeros(3)}, r"must be nothing more: mlp-vae has no other layer\. Got 'fc4\.scale \[3\]'"),
    ],
)
def test_the_first_tensor_that_does_not_fit_is_named(change: dict[str, Any], said: str, theirs: VAE, match: Match) -> None:
    fields = {key: value for key, value in change.items() if key in SMALL}
    state = theirs.state_dict() | {key: value for key, value in change.items() if key not in SMALL}
    with pytest.raises(ll.LabError, match=rf"^vae\.pt as mlp-vae {said}"):
        match({key: value for key, value in state.items() if value is not None}, **SMALL | fields)


def test_convolutions_batch_norms_and_biases_that_are_not_there() -> None:
    """A decoder after DCGAN: no bias before a batch norm."""
    learner = learner_of("conv-gan", **{key: value for key, value in FAMILIES["conv-gan"].items() if key.startswith("model.")})
    state = {f"{name}.{key}": value for name, network in learner.networks.items() for key, value in network.state_dict().items()}
    gone = "generator.layers.4.bias"
    assert gone in state
    learner.networks["generator"].layers[4].bias.data.zero_()  # type: ignore[index, union-attr]
    del state[gone]
    renaming = {key: key.replace("generator.layers", "netG.main").replace("discriminator.layers", "netD.main") for key in state}
    found, notes = matched({renaming[key]: value for key, value in state.items()}, True, learner, None, "conv-gan", Path("gan.pt"))
    assert notes == ["generator.layers.4.bias is not in gan.pt: 0 was taken."]
    for name, network in learner.networks.items():
        for key, value in network.state_dict().items():
            assert torch.equal(found[name][key], value), key


@pytest.mark.parametrize("name", ["mlp-ae", "sn-gan"])
def test_what_was_exported_comes_back(name: str, tmp_path: Path) -> None:
    """The plain weights into plain layers, the folder into the run's own."""
    changes = TINY | FAMILIES[name] | {"train.steps": 2}
    list(ll.steps(ll.preset(name, **changes), tmp_path / "run"))
    run = ll.open_run(tmp_path / "run")
    run.export("python", tmp_path / "mine.py")
    run.export("safetensors", tmp_path / "shared")
    plain = changes | ({"model.discriminator_normalization": "none"} if name == "sn-gan" else {})
    x, z = torch.rand(3, 1, 28, 28), torch.randn(3, 3)
    given = {"encoder": x, "discriminator": x, "decoder": z, "generator": z}
    for file, fields in (("mine.safetensors", plain), ("shared", changes)):
        learner = learner_of(name, **fields)
        found, notes = matched(*read(tmp_path / file), learner, None, name, tmp_path / file)
        assert notes == []
        for part, network in run.networks().items():
            begin_with(learner, part, found[part])
            torch.testing.assert_close(learner.averaged[part].eval()(given[part]), network(given[part]), rtol=1e-6, atol=1e-6)


class Trap:
    def __reduce__(self) -> Any:
        return print, ("code of the file was run",)


def test_files_that_are_none(theirs: VAE, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = tmp_path / "good.pt"
    torch.save(theirs.state_dict(), good)
    (tmp_path / "cut.pt").write_bytes(good.read_bytes()[:-500])
    save_file({key: value.contiguous() for key, value in theirs.state_dict().items()}, tmp_path / "cut.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "cut.safetensors").read_bytes()[:-9])
    (tmp_path / "trap.pt").write_bytes(pickle.dumps({"a": Trap()}))
    torch.save(theirs, tmp_path / "module.pt")
    torch.save({"epoch": 3}, tmp_path / "none.pt")
    torch.save([torch.zeros(2)], tmp_path / "list.pt")
    (tmp_path / "text.pth").write_text("weights", encoding="utf-8")
    (tmp_path / "text.keras").write_text("weights", encoding="utf-8")
    torch.save({"a.weight": torch.tensor([[float("nan")]])}, tmp_path / "nan.pt")
    asked = ("--like", "mlp-vae", "--data", "digits", "--out", tmp_path / "run")
    for name in ("cut.pt", "cut.safetensors", "trap.pt", "module.pt", "none.pt", "list.pt", "text.pth", "text.keras", "gone.pt"):
        said = refusal_here(capsys, "import", tmp_path / name, *asked)
        assert said.startswith("latentlab: a file to import must be a state dict: .safetensors, .pt or .pth"), name
        assert "code of the file" not in said
    assert "nan.pt has others" in refusal_here(capsys, "import", tmp_path / "nan.pt", *asked)
    assert read(good)[0].keys() == theirs.state_dict().keys()
    assert not (tmp_path / "run").exists()


def test_the_command(theirs: VAE, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "vae.pth", tmp_path / "run"
    torch.save(theirs.state_dict(), file)
    assert "--like must be one of mlp-ae" in refusal_here(capsys, "import", file)
    assert "a preset must be one of" in refusal_here(capsys, "import", file, "--like", "vae")
    assert "--data must be what the networks were trained on" in refusal_here(capsys, "import", file, "--like", "mlp-vae")
    with pytest.raises(ll.LabError, match="data must be what the networks were trained on"):
        ll.import_run(file, "mlp-vae", out)
    said = refusal_here(capsys, "import", file, "--like", "mlp-vae", "--data", "digits", "--latent-dim", 5, "--threads", 1, "--out", out)
    assert "vae.pth as mlp-vae must be the encoder's layers.1.weight [400, 784]. Got 'fc1.weight [40, 784]'" in said
    assert not out.exists()
    asked = ("--like", "mlp-vae", "--data", "digits", "--latent-dim", 5, "--hidden", 40, "--threads", 1, "--out", out)
    assert run_here(capsys, "import", file, *asked).strip() == str(out)
    assert "ok" in run_here(capsys, "verify", out)
    assert "--out must be a folder that is new or empty" in refusal_here(capsys, "import", file, *asked)

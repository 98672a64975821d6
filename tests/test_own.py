"""Networks, a loss and a GAN's step of somebody's own: used, kept, made again, shown; and what is refused of them."""

from __future__ import annotations

import enum
import functools
import math
import os
import random
import re
import shutil
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from test_explorer_view import Reader, write_page
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

import latentlab as ll
from latentlab.base.files import read_json
from latentlab.cli import main
from latentlab.models.likelihoods import bernoulli_nats
from latentlab.models.objectives import kl_to_standard_normal
from latentlab.runs.code import FOLDER, TRUST, kept
from latentlab.runs.diagnosis.sight import facts_of
from latentlab.runs.diagnosis.symptoms import remedy_of
from latentlab.show.explorer.content import explorer_content
from latentlab.show.figures import draw_figures
from latentlab.show.figures.records import objective
from latentlab.train import run_to_end
from latentlab.train.start import reopen

pytestmark = pytest.mark.usefixtures("undrawn")
SIZE, Z = 8, 3
SMALL: dict[str, Any] = {"latent_dim": Z, "batch_size": 16, "epochs": 2, "threads": 1, "checkpoint_seconds": 0, "hidden": (8,)}
IMAGES = np.random.default_rng(0).integers(0, 256, (60, SIZE, SIZE), np.uint8)


@pytest.fixture
def unrehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run begins without the process that opens it anew, seconds each time: for tests of what follows."""
    monkeypatch.setattr("latentlab.train.start.rehearse", lambda folder, given: None)


def small(**changes: Any) -> dict[str, Any]:
    return {"data": IMAGES, **SMALL, **changes}


class Plain(nn.Module):
    """Mean and log-variance, by two heads."""

    def __init__(self, act: Any = F.elu) -> None:
        super().__init__()
        self.act, self.size = act, (SIZE * SIZE,)
        self.body = nn.Linear(*self.size, 12)
        self.mean, self.log_var = nn.Linear(12, Z), nn.Linear(12, Z)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = self.act(self.body(x.flatten(1)))
        return self.mean(hidden), self.log_var(hidden)


def chain(*inner: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), *inner, nn.Linear(12, 2 * Z))


class Tied(nn.Module):
    """Its second layer is its first one's transpose, and its last one stands in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, 12), nn.Linear(12, 2 * Z)
        self.same, self.bias = self.last, nn.Parameter(torch.zeros(64))
        self.register_buffer("scale", torch.tensor(0.5), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        back = F.linear(torch.tanh(self.first(x.flatten(1))), self.first.weight.T, self.bias)
        hidden = torch.tanh(self.first(self.scale * back))
        return self.last(hidden) + self.same(hidden.square())


class Way(enum.Enum):
    SHORT = 1
    LONG = 2


class Pair(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Sizes:
    width: int
    path: Path


class Held(Plain):
    """Attributes of many kinds, each of which decides what it computes; noise of three generators."""

    def __init__(self) -> None:
        super().__init__()
        self.way, self.pair, self.sizes = Way.LONG, Pair(-2.0, math.inf), Sizes(12, Path("a/b"))
        self.order, self.part, self.device = OrderedDict([("b", 2), ("a", 1)]), slice(0, 12), torch.device("cpu")
        self.many, self.method, self.power = {3, 4}, self.scaled, functools.partial(pow, exp=2)
        self.body = weight_norm(self.body)

    def scaled(self, x: torch.Tensor) -> torch.Tensor:
        return x * len(self.order) * (2 if self.way is Way.LONG else 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.method(x.to(self.device))[:, :, :, self.part]
        if self.training:
            x = x + random.random() + np.random.rand() + torch.rand(1)  # noqa: NPY002
        mean, log_var = super().forward(x)
        return mean.clamp(self.pair.low, self.pair.high) / self.sizes.width, self.power(log_var) / max(self.many)


class Nested(nn.Module):
    """Layers in a list and in a dictionary, one recurrent, one parametrized; settings in an object."""

    class Settings:
        def __init__(self) -> None:
            self.widths, self.names = [12, 2 * Z], {"out": "head"}

    def __init__(self) -> None:
        super().__init__()
        self.settings = Nested.Settings()
        self.rows = nn.GRU(SIZE, 12, batch_first=True)
        self.parts = nn.ModuleDict({"head": nn.ModuleList([spectral_norm(nn.Linear(*self.settings.widths))])})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.parts[self.settings.names["out"]][0](self.rows(x[:, 0])[0][:, -1])


FILE = """
from torch import nn
from {beside} import half

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.net, self.half = nn.Sequential(nn.Flatten(), nn.Linear(64, 6)), half

    def forward(self, x):
        return self.half(self.net(x))
"""


def from_a_file(folder: Path) -> nn.Module:
    (folder / "own_net.py").write_text(FILE.format(beside="own_half"))
    (folder / "own_half.py").write_text("def half(x):\n    return x / 2\n")
    return imported(folder, "own_net")


def from_a_package(folder: Path) -> nn.Module:
    inner = folder / "own_package" / "inner"
    inner.mkdir(parents=True)
    for place in (inner.parent, inner):
        (place / "__init__.py").write_text("")
    (inner / "net.py").write_text(FILE.format(beside="..half"))
    (inner.parent / "half.py").write_text("def half(x):\n    return x / 2\n")
    return imported(folder, "own_package.inner.net")


def imported(folder: Path, name: str) -> nn.Module:
    import importlib

    for known in [known for known in sys.modules if known.startswith("own_")]:
        del sys.modules[known]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name).Net()  # type: ignore[no-any-return]
    finally:
        sys.path.remove(str(folder))


def within_a_function(folder: Path) -> nn.Module:
    width, act = 12, F.silu

    class Base(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Linear(64, width)

    class Inner(Base):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return act(self.body(x.flatten(1)))[:, : 2 * Z]

    return Inner()


def from_a_notebook(folder: Path) -> nn.Module:
    from IPython.core.interactiveshell import InteractiveShell

    (folder / "own_beside.py").write_text("def twice(x):\n    return 2 * x\n")
    sys.path.insert(0, str(folder))  # as a notebook's folder is
    shell = InteractiveShell.instance()
    for cell in (
        "import torch\nfrom own_beside import twice\nfrom torch import nn\nWIDTH = 5",
        "%timeit -n1 -r1 1 + 1\nno_such_name",
        "WIDTH = 12\ndef act(x):\n    return twice(torch.relu(x))",
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a, self.act = nn.Linear(64, WIDTH), act\n"
        "        self.b = nn.Linear(WIDTH, 6)\n"
        "    def forward(self, x):\n        return self.b(self.act(self.a(x.flatten(1))))",
        "net = Net()",
    ):  # fmt: skip
        shell.run_cell(cell, store_history=True, silent=False)
    sys.path.remove(str(folder))
    return shell.user_ns["net"]  # type: ignore[no-any-return]


KINDS = {
    "functional": lambda folder: Plain(),
    "nested": lambda folder: Nested(),
    "attributes": lambda folder: Held(),
    "dropout": lambda folder: chain(nn.ReLU(), nn.Dropout(0.3)),
    "batch norm": lambda folder: chain(nn.BatchNorm1d(12), nn.LeakyReLU()),
    "tied": lambda folder: Tied(),
    "lazy": lambda folder: nn.Sequential(nn.Flatten(), nn.LazyLinear(9), nn.ELU(), nn.LazyLinear(2 * Z)),
    "in a notebook": from_a_notebook,
    "in a file": from_a_file,
    "in a package": from_a_package,
    "compiled": lambda folder: torch.compile(Plain(torch.tanh)),
    "in a function": within_a_function,
}


def tensors(run: ll.Run) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy() for name, value in run.learner.tensors().items()}


QUICK = ("nested", "attributes", "dropout", "in a notebook", "in a package", "compiled")  # the others share their ways with these


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, as it looks for its compiler
@pytest.mark.parametrize("kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS])
def test_a_module_trains_goes_on_in_bits_is_measured_and_reported(kind: str, tmp_path: Path, cache, monkeypatch) -> None:
    """From its middle on it is made anew of what the run folder keeps, and ends with the very bits of the run that was never stopped."""
    monkeypatch.chdir(tmp_path)
    if kind == "in a notebook":
        pytest.importorskip("IPython")
    torch.manual_seed(0)
    module = KINDS[kind](tmp_path)
    before = torch.get_rng_state()
    run = ll.train("mlp-vae", out="run", encoder=module, **small())
    assert torch.equal(torch.get_rng_state(), before)  # nobody else's numbers are drawn
    again = Path(shutil.copytree("run", "again"))
    middle = sorted(path.name for path in (again / "checkpoints").iterdir())[-2]
    run_to_end(reopen(again, epochs=2, from_step=int(middle.removeprefix("step-")), trust=True), lambda event: None)
    later = ll.open_run(again, trust=True)
    first, second = tensors(run), tensors(later)
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not any(
        np.array_equal(first[name], 0 * first[name]) for name in first if name.endswith("mean") and name.startswith("adam.encoder")
    )
    assert np.array_equal(run.sample(5), later.sample(5))
    assert np.array_equal(run.encode(IMAGES[:7, :, :, None]).mean, later.encode(IMAGES[:7, :, :, None]).mean)
    assert (
        later.evaluate(samples=20, nll_samples=4, nll_images=4, extractors="random-convolutions")["scores"]["reconstruction_mse"]["value"]
        > 0
    )
    assert ll.report("run", out="r.html").is_file()


# Equal to ours.


def networks_of(run: ll.Run, step: int = 0) -> dict[str, nn.Module]:
    """Copies of a run's networks as they were at a step, with nothing of latentlab's about them."""
    from latentlab.runs import checkpoints

    values, _ = checkpoints.load(run.folder.checkpoints / checkpoints.folder_name(step))
    found = {}
    for name, network in run.learner.networks.items():
        weights = {key.removeprefix(f"{name}."): torch.from_numpy(value) for key, value in values.items() if key.startswith(f"{name}.")}
        network.load_state_dict(weights)
        found[name] = network.layers if name != "discriminator" else nn.Sequential(Signed(), network.layers)
    return found


class Signed(nn.Module):
    """To [-1, 1], as latentlab's discriminators begin."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x - 1


def own_loss(images: torch.Tensor, logits: torch.Tensor, mean: torch.Tensor, log_var: torch.Tensor) -> torch.Tensor:
    return bernoulli_nats(logits, images) + kl_to_standard_normal(mean, log_var).sum(1)


@pytest.mark.parametrize(
    ("preset", "parts"),
    [
        ("conv-vae", ["encoder", "decoder"]),
        ("mlp-ae", ["decoder"]),
        ("conv-gan", ["generator", "discriminator"]),
        ("sn-gan", ["discriminator"]),
    ],
)
@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=pytest.mark.slow)])
def test_a_module_equal_to_the_presets_trains_to_the_same_bits(
    preset: str, parts: list[str], precision: str, tmp_path: Path, cache
) -> None:
    """Also where one half alone is replaced: the other one starts as it does in the preset."""
    settings = small(precision=precision, epochs=1)
    ours = ll.train(preset, out=tmp_path / "ours", **settings)
    theirs = ll.train(preset, out=tmp_path / "theirs", **settings, **{name: networks_of(ours)[name] for name in parts})
    one, two = (tensors(ll.open_run(run.path, **run.given)) for run in (ours, theirs))
    same = [np.array_equal(one[name], two[name.replace("discriminator.layers.1.", "discriminator.layers.")]) for name in one if name in two]
    assert all(same)
    assert len(same) >= len(one) // 2
    assert np.array_equal(ours.sample(4), theirs.sample(4))
    assert theirs.config.differs(ours.config).keys() == {f"own.{name}" for name in parts}


def test_a_loss_equal_to_the_presets_trains_to_the_same_bits(tmp_path: Path, cache, unrehearsed) -> None:
    ours, theirs = (
        ll.train("mlp-vae", out=tmp_path / name, **small(), **given)
        for name, given in (("a", {"likelihood": "bernoulli"}), ("b", {"loss": own_loss}))
    )
    assert all(np.array_equal(value, tensors(theirs)[name]) for name, value in tensors(ours).items())
    assert [row["loss_nats"] for row in ours.metrics()] == [row["loss_nats"] for row in theirs.metrics()]
    doubled = ll.train("mlp-ae", out=tmp_path / "c", **small(), loss=squares)
    rows = [row for row in doubled.metrics() if row["split"] == "val"]
    assert rows
    assert all(row["loss_nats"] == pytest.approx(row["mse"] * SIZE * SIZE, rel=1e-5) for row in rows)


def test_a_part_given_as_none_is_not_given(tmp_path: Path, cache) -> None:
    run = ll.train("mlp-vae", out=tmp_path / "run", **small(), encoder=None, loss=None)
    assert run.config.own == ()
    assert ll.resume(tmp_path / "run", epochs=3, encoder=None).config.own == ()


def test_what_goes_wrong_with_a_loss_of_ones_own_is_not_blamed_on_a_setting(tmp_path: Path, cache, unrehearsed) -> None:
    run = ll.train("mlp-vae", out=tmp_path / "run", **small(epochs=1, beta=4.0), loss=own_loss)
    facts = facts_of(run.config, run.folder.environment())
    for key in ("not_finite", "posterior_collapse", "dead_units"):
        assert remedy_of(key, "", {}, facts)[0] == "own_loss" != remedy_of(key, "", {}, replace(facts, own_loss=False))[0]
    assert objective(run.folder) == "own"  # which titles its curves
    assert {path.stem for path in draw_figures(run.folder, tsne=False)} == {"loss", "kl", "latent", "samples", "reconstructions"}


def squares(images: torch.Tensor, logits: torch.Tensor, mean: torch.Tensor, log_var: None) -> torch.Tensor:
    return (torch.sigmoid(logits) - images).square().flatten(1).sum(1)


def gan_step(generator, discriminator, images, noise, generator_optimizer, discriminator_optimizer):
    """What a student writes: two updates, fakes detached."""
    fake = torch.sigmoid(generator(noise()))
    real_logit, fake_logit = discriminator(images), discriminator(fake.detach())
    loss = F.softplus(-real_logit).mean() + F.softplus(fake_logit).mean()
    discriminator_optimizer.zero_grad()
    loss.backward()
    discriminator_optimizer.step()
    fooled = F.softplus(-discriminator(torch.sigmoid(generator(noise())))).mean()
    generator_optimizer.zero_grad()
    fooled.backward()
    generator_optimizer.step()
    return loss, fooled


def test_a_gans_step_of_ones_own_is_plain_torchs(tmp_path: Path, cache, request) -> None:
    """Two steps of it move the weights as `torch.optim.Adam` does, and it goes on in bits from a run folder that is trusted."""
    settings = small(generator_updates=1, discriminator_normalization="none", ema_halflife_images=0, measure_samples=0)
    settings.pop("epochs")
    run = ll.train("sn-gan", out=tmp_path / "a", **settings, steps=2, log_steps=1, step=gan_step)
    nets, ends = networks_of(run), ll.open_run(run.path, trust=True).networks()
    train = run.config.train
    betas = (train.adam_beta1, train.adam_beta2)
    adams = [
        torch.optim.Adam(nets[name].parameters(), getattr(train, f"{name}_learning_rate"), betas) for name in ("generator", "discriminator")
    ]
    from latentlab.base.seeding import torch_generator
    from latentlab.data import batch_indices
    from latentlab.models.nets import to_unit

    data = run.data().train
    for step in range(2):
        calls = iter(range(9))
        rows = batch_indices(0, step * 16, 16, len(data))
        noise = lambda: torch.randn(16, Z, generator=torch_generator("cpu", 0, "step", step, next(calls)))  # noqa: E731, B023
        gan_step(nets["generator"], nets["discriminator"], to_unit(torch.from_numpy(data.take(rows))), noise, *adams)
    for name, network in nets.items():
        for mine, theirs in zip(ends[name].parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)
    row = [row for row in run.metrics() if row["split"] == "train"][-1]
    assert {"discriminator_loss", "generator_loss", "real_logit", "fake_logit", "gradient_norm"} <= row.keys()
    assert facts_of(run.config, run.folder.environment()).loss == ""  # whose rules are not known, so that none is judged by them
    assert {path.stem for path in draw_figures(run.folder)} == {"loss", "samples"}
    request.getfixturevalue("unrehearsed")
    whole = ll.train("sn-gan", out=tmp_path / "b", **settings, steps=5, log_steps=1, step=gan_step)
    later = ll.resume(tmp_path / "a", steps=5, trust=True)
    assert all(np.array_equal(value, tensors(later)[name]) for name, value in tensors(whole).items())


def test_a_decoder_of_ones_own_becomes_a_generator(tmp_path: Path, cache, unrehearsed) -> None:
    vae = ll.train("conv-vae", out=tmp_path / "vae", **small(), decoder=plain_decoder())
    gan = ll.train("gan-from-vae", out=tmp_path / "gan", generator_from=str(vae.path), steps=1, threads=1, batch_size=16)
    begun = networks_of(gan)["generator"]
    z = torch.randn(5, Z)
    assert torch.equal(begun.eval()(z), vae.networks()["decoder"](z))
    assert dict(gan.config.own)["generator"] == dict(vae.config.own)["decoder"]
    coded = ll.train("conv-vae", out=tmp_path / "coded", **small(), decoder=Drawing)
    with pytest.raises(ll.LabError, match="code of somebody's own"):
        ll.train("gan-from-vae", out=tmp_path / "no", generator_from=str(coded.path), steps=1)
    settings = {"generator_from": str(coded.path), "steps": 1, "threads": 1, "batch_size": 16}
    ll.train("gan-from-vae", out=tmp_path / "yes", **settings, generator=Drawing)
    assert (
        main(["train", "gan-from-vae", "--generator-from", str(coded.path), "--steps", "1", "--out", str(tmp_path / "told"), "--trust"])
        == 0
    )


def test_a_generator_is_made_of_a_kept_file_and_what_that_imports(tmp_path: Path, cache) -> None:
    """Twice over: from the VAE's folder into the GAN's, and from there by itself."""
    text = FILE.format(beside="own_half").replace("nn.Flatten(), nn.Linear(64, 6)", f"nn.Linear({Z}, 64), nn.Unflatten(1, (1, 8, 8))")
    (tmp_path / "own_net.py").write_text(text)
    (tmp_path / "own_half.py").write_text("def half(x):\n    return x / 2\n")
    vae = ll.train("conv-vae", out=tmp_path / "vae", **small(), decoder=imported(tmp_path, "own_net"))
    for name in ("own_net", "own_half"):
        del sys.modules[name]
        (tmp_path / f"{name}.py").unlink()
    asked = ["train", "gan-from-vae", "--generator-from", str(vae.path), "--steps", "1", "--out", str(tmp_path / "gan")]
    assert main(asked) == 2
    assert main([*asked, "--trust"]) == 0
    shutil.rmtree(vae.path)
    assert ll.open_run(tmp_path / "gan", trust=True).sample(2).shape == (2, SIZE, SIZE, 1)


def plain_decoder() -> nn.Sequential:
    """Of layers that a page runs."""
    return nn.Sequential(
        nn.Linear(Z, 32, bias=False), nn.BatchNorm1d(32), nn.ELU(), nn.Dropout(0.1), nn.Unflatten(1, (8, 2, 2)),
        nn.Sequential(nn.ConvTranspose2d(8, 4, 4, 2, 1), nn.LeakyReLU(0.2)),
        nn.ConvTranspose2d(4, 4, 4, 2, 1), nn.Tanh(), nn.Conv2d(4, 1, 3, 1, 1),
    )  # fmt: skip


class Drawing(nn.Module):
    """Of what no page runs."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(Z, 64)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return (3 * torch.sin(self.inner(z))).view(-1, 1, SIZE, SIZE)


# What is refused, before a run folder exists, each in one line that names the part.


class Wide(nn.Module):
    """A decoder that gives what `give` makes of its logits."""

    def __init__(self, give: Any = None) -> None:
        super().__init__()
        self.inner, self.give = nn.Linear(Z, 64), give

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        out = self.inner(z).view(-1, 1, SIZE, SIZE)
        return out if self.give is None else self.give(out)


class Remembering(Plain):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.calls = getattr(self, "calls", 0) + 1
        return super().forward(x)


class Unused(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Linear(2, 2)


class Listed(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.more = [nn.Linear(12, 12)]


class Constant(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.ones(3)


class Array(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.scale = np.ones(3)


class Cyclic(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.ring: list[Any] = []
        self.ring.append(self.ring)


COUNT = [0]


class Counting(Plain):
    """Its state lies in a global variable."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        COUNT[0] += self.training
        mean, log_var = super().forward(x)
        return mean * (1 + 0.1 * COUNT[0]), log_var


class Opened(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.file = memoryview(b"")


class Lambda(Plain):
    def __init__(self) -> None:
        super().__init__(act=lambda x: x)


class Failing(Plain):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return {}["no such layer"]


class Narrow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(64, 3)
        self.register_buffer("scale", torch.ones(3, dtype=torch.bfloat16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x.flatten(1)) * self.scale.float()


class Hooked(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.body.register_forward_hook(print_nothing)


def print_nothing(*given: Any) -> None:
    return None


class Fixed(Plain):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return super().forward(x.reshape(8, 1, SIZE, SIZE) if self.training else x)


def noisy(out: torch.Tensor) -> torch.Tensor:
    return F.dropout(out, 0.5)


def two_arguments(images, logits):
    return images


def repeated(images, logits, mean, log_var):
    return own_loss(images, logits, mean, log_var).mean().expand(len(images))


def halved(out: torch.Tensor) -> torch.Tensor:
    return (torch.tanh(out) + 1) / 2


def of_gradients(images, logits, mean, log_var):
    (slope,) = torch.autograd.grad(logits.sum(), mean, create_graph=True)
    return own_loss(images, logits, mean, log_var) + slope.square().sum(1)


def half_frozen() -> nn.Module:
    network = dense(64, 6)
    network[1] = spectral_norm(network[1]).requires_grad_(False)
    return network


def one_number(images, logits, mean, log_var):
    return F.binary_cross_entropy_with_logits(logits, images)


def failing_loss(images, logits, mean, log_var):
    return images.no_such_name


def idle_step(generator, discriminator, images, noise, generator_optimizer, discriminator_optimizer):
    loss = discriminator(images).mean()
    loss.backward()
    discriminator_optimizer.step()
    return loss, loss


def dense(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, outputs))


SHARED = nn.Sequential(nn.Linear(Z, 64), nn.Unflatten(1, (1, SIZE, SIZE)))
WRONG = {
    "shape": (
        "mlp-vae", {"encoder": dense(64, 5)},
        r"encoder must give mean and log-variance, \[8, 3\] each, or \[8, 6\] for \[8, 1, 8, 8\]. Got \[8, 5\]. Its last layer is 1",
    ),
    "mean alone": ("mlp-vae", {"encoder": dense(64, Z)}, r"encoder must give mean and log-variance, .* Got \[8, 3\]"),
    "ae": ("mlp-ae", {"encoder": dense(64, 6)}, r"encoder must give \[8, 3\] .* Got \[8, 6\].*model.latent_dim is 3"),
    "flat": ("mlp-vae", {"decoder": nn.Linear(Z, 64)}, r"decoder must give \[8, 1, 8, 8\] for \[8, 3\]. Got \[8, 64\]"),
    "sigmoid": ("mlp-vae", {"decoder": lambda: Wide(torch.sigmoid)}, "decoder must give logits, of both signs.* from a sigmoid at its end"),
    "relu": ("sn-gan", {"generator": lambda: nn.Sequential(Wide(), nn.ReLU())}, "generator must give logits, of both signs.*ReLU"),
    "judge": ("sn-gan", {"discriminator": nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Sigmoid())}, "discriminator must give logits"),
    "layer": ("mlp-vae", {"encoder": dense(63, 6)}, r"RuntimeError: mat1 and mat2 .* 63x6.*\(encoder.1 was given \[2, 64\]\)"),
    "arguments": ("mlp-vae", {"loss": two_arguments}, "TypeError: two_arguments.. takes 2 positional arguments but 4 were given"),
    "repeated": ("mlp-vae", {"loss": repeated}, "loss must give one number for each image"),
    "partial": ("mlp-vae", {"loss": functools.partial(own_loss)}, "loss must be a function, made with def. Got 'partial'"),
    "affine": ("mlp-vae", {"decoder": lambda: Wide(halved)}, "decoder must give logits, of both signs.*from tanh at its end"),
    "gradients": ("mlp-vae", {"loss": of_gradients}, "in of_gradients: RuntimeError: .*does not require grad"),
    "half frozen": ("mlp-vae", {"encoder": half_frozen}, "encoder has a parametrized weight that is frozen.*remove_parametrizations"),
    "theirs": ("mlp-vae", {"encoder": Failing}, r"test_own.py, line \d+, in forward: KeyError: 'no such layer', when encoder was given"),
    "batch": ("mlp-vae", {"encoder": Fixed}, "test_own.py, line .*shape .* is invalid for input of size"),
    "state": ("mlp-vae", {"encoder": Remembering}, "encoder.calls changes in forward, outside the buffers"),
    "unused": ("mlp-vae", {"encoder": Unused}, "encoder.spare.weight must have a gradient to learn from. It never gets one"),
    "list": ("mlp-vae", {"encoder": Listed}, "encoder has layers in more, .*nn.ModuleList"),
    "tensor": ("mlp-vae", {"encoder": Constant}, "encoder keeps numbers as scale, outside its buffers"),
    "array": ("mlp-vae", {"encoder": Array}, "encoder keeps numbers as scale, outside its buffers"),
    "ring": ("mlp-vae", {"encoder": Cyclic}, "encoder has ring, which holds itself"),
    "global": ("mlp-vae", {"encoder": Counting}, "comes out otherwise when training is resumed: its update depends on something"),
    "file": ("mlp-vae", {"encoder": Opened}, "encoder must be a module that can be copied. .*memoryview"),
    "lambda": ("mlp-vae", {"encoder": Lambda}, "encoder has act: a lambda cannot be found again"),
    "hook": ("mlp-vae", {"encoder": Hooked}, "encoder.body has a hook"),
    "bfloat16": ("mlp-ae", {"encoder": Narrow}, "encoder.scale is bfloat16, which no checkpoint keeps"),
    "noise": ("mlp-vae", {"decoder": lambda: Wide(noisy)}, "decoder gives two outputs for one input.*F.dropout needs training"),
    "shared": (
        "sn-gan", {"generator": SHARED, "discriminator": nn.Sequential(*dense(64, Z), SHARED[0], nn.Linear(64, 1))},
        "discriminator.2.weight must be a weight of its own: it is the generator's too",
    ),
    "one number": ("mlp-vae", {"loss": one_number}, r"loss must give one number for each image, \[16\]. Got \[\]"),
    "loss": ("mlp-vae", {"loss": failing_loss}, r"test_own.py, line \d+, in failing_loss: AttributeError"),
    "idle": ("sn-gan", {"step": idle_step}, "step must move both networks. It never called generator_optimizer.step"),
    "family": ("mlp-vae", {"generator": SHARED}, "a part of one's own must be one that mlp-vae .vae. has: encoder, decoder, loss"),
    "kind": ("mlp-vae", {"encoder": 7}, "encoder must be a torch module"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_said_before_the_first_step(wrong: str, tmp_path: Path, cache) -> None:
    preset, given, says = WRONG[wrong]
    with pytest.raises(ll.LabError, match=says) as refused:
        ll.train(preset, out=tmp_path / "run", **small(), **given)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.glob("run*")) == []


def test_right_code_that_looks_wrong_is_taken(tmp_path: Path, cache) -> None:
    """Frozen weights, an output of zeros, a bounded log-variance, a logit as [N, 1]: each is somebody's on purpose."""
    frozen = Plain()
    frozen.body.requires_grad_(False)
    run = ll.train(
        "mlp-vae", out=tmp_path / "a", **small(), encoder=frozen, decoder=nn.Sequential(Zeroed(), nn.Unflatten(1, (1, SIZE, SIZE)))
    )
    assert torch.equal(run.networks()["encoder"].layers.body.weight, frozen.body.weight)
    assert not torch.equal(run.networks()["encoder"].layers.mean.weight, frozen.mean.weight)
    ll.train("mlp-vae", out=tmp_path / "b", **small(), encoder=Bounded)
    ll.train("sn-gan", out=tmp_path / "c", **small(), discriminator=nn.Sequential(nn.Flatten(), nn.Linear(64, 1)))


class Zeroed(nn.Linear):
    def __init__(self) -> None:
        super().__init__(Z, 64)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


class Bounded(Plain):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mean, log_var = super().forward(x)
        return mean, 4 * torch.tanh(log_var)


class Late(Plain):
    """Fails at its tenth batch of 16."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.seen += self.training
        if self.seen > 4:
            raise ValueError("too late")
        return super().forward(x)


def test_an_error_while_training_is_told_as_theirs(tmp_path: Path, cache, unrehearsed) -> None:
    with pytest.raises(ll.LabError, match=r"test_own.py, line \d+, in forward: ValueError: too late") as failed:
        ll.train("mlp-vae", out=tmp_path / "run", **small(), encoder=Late)
    assert isinstance(failed.value.__cause__, ValueError)
    assert "too late" in ll.open_run(tmp_path / "run").status()["message"]


# Trust.


def test_no_code_of_a_run_folder_is_run_unless_it_is_trusted(tmp_path: Path, cache, capsys) -> None:
    (tmp_path / "mine.py").write_text("from pathlib import Path\nMARK = Path(__file__).with_suffix('.ran').touch()\nfrom torch import nn\n"
        "epochs, latent_dim, batch_size = 1, 3, 16\n\nclass Net(nn.Module):\n    mark = MARK\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.net = nn.Linear(784, 6)\n    def forward(self, x):\n        return self.net(x.flatten(1))\n\n"
        "encoder = Net\n")  # fmt: skip
    run = tmp_path / "run"
    assert main(["train", str(tmp_path / "mine.py"), "--out", str(run), "--data.train-images", "64"]) == 0
    config = ll.open_run(run).config
    assert (config.preset, config.model.latent_dim, config.train.batch_size) == ("conv-vae", 3, 16)
    marks = list(run.rglob("*.ran"))
    for mark in marks:  # of the rehearsal, which was asked for
        mark.unlink()
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    capsys.readouterr()
    for command in (
        ["sample", str(copy), "--count", "2", "--out", str(tmp_path / "s.png")],
        ["evaluate", str(copy)],
        ["resume", str(copy), "--epochs", "2"],
    ):
        assert main(command) == 2
        assert "code of somebody's own" in capsys.readouterr().err
    assert main(["show", str(copy)]) == 0
    assert main(["report", str(copy), "--out", str(tmp_path / "r.html")]) == 0
    assert not list(copy.rglob("*.ran"))
    assert main(["sample", str(copy), "--count", "2", "--out", str(tmp_path / "s.png"), "--trust"]) == 0
    assert list(copy.rglob("*.ran"))
    capsys.readouterr()
    assert main(["verify", str(copy)]) == 0
    (copy / FOLDER / "mine.py").write_text("raise SystemExit")
    assert main(["verify", str(copy)]) == 2
    assert "mine.py is not as it was" in capsys.readouterr().out
    assert main(["sample", str(copy), "--count", "2", "--out", str(tmp_path / "s.png"), "--trust"]) == 2
    assert "mine.py is not as it was" in capsys.readouterr().err


@pytest.mark.parametrize(
    "kind",
    [
        {"module": "subprocess", "name": "Popen"},
        {"module": "torch.hub", "name": "load"},
        {"module": "torch", "name": "load"},
        {"module": "torch", "name": "from_file"},
        {"module": "builtins", "name": "eval"},
        {"module": "torch.nn.modules.module", "name": "sys.exit"},
    ],
)
def test_a_record_cannot_name_code_that_does_more_than_compute(kind: dict[str, str], tmp_path: Path, cache) -> None:
    from latentlab.runs.rebuilt import found

    with pytest.raises(ll.LabError, match="somebody's own"):
        found(tmp_path, False, {"encoder": kind})(kind)


def test_a_studio_that_trusts_its_folder_tells_its_processes(tmp_path: Path, cache, unrehearsed, monkeypatch) -> None:
    run = ll.train("mlp-vae", out=tmp_path / "run", **small(), encoder=Plain())
    monkeypatch.setenv(TRUST, "")
    told: list[str] = []
    monkeypatch.setattr("latentlab.studio.server.serve", lambda *given: told.append(os.environ[TRUST]))
    for options in ([], ["--trust"]):
        assert main(["studio", "--runs", str(tmp_path), "--no-browser", *options]) == 0
    assert told == ["", "1"]
    assert np.array_equal(ll.open_run(run.path).sample(2), run.sample(2))


def test_other_networks_than_a_runs_own_are_refused(tmp_path: Path, cache, unrehearsed) -> None:
    ll.train("mlp-vae", out=tmp_path / "run", **small(), encoder=Plain())
    assert ll.open_run(tmp_path / "run", encoder=Plain()).sample(2).shape == (2, SIZE, SIZE, 1)
    with pytest.raises(ll.LabError, match=r"encoder must be what the run was made with, Plain \(\w+\). Got 'Plain \(\w+\)'"):
        ll.open_run(tmp_path / "run", encoder=Plain(torch.tanh)).sample(2)
    with pytest.raises(ll.LabError, match=r"must be a part of .* that is somebody's own: encoder. Got 'decoder'"):
        ll.open_run(tmp_path / "run", encoder=Plain(), decoder=plain_decoder()).sample(2)


@pytest.mark.parametrize(
    "damage",
    [
        b"{", b"[]", b"\xff\xfe", b"{}", b'{"parts": {}, "files": {}}', b'{"parts": {"decoder": null}, "files": {}}',
        b'{"parts": {"decoder": {"class": {"module": "torch.nn.modules.linear", "name": "Linear"}}}, "files": {}}',
        b'{"parts": {"decoder": {"class": {"module": "x", "name": "y"}, "modules": {}}}, "files": {"../../x": "0"}}',
    ],
)  # fmt: skip
def test_a_damaged_record_is_one_line(damage: bytes, torch_only: Path, tmp_path: Path, cache, capsys) -> None:
    run = Path(shutil.copytree(torch_only, tmp_path / "run"))
    (run / FOLDER / "own.json").write_bytes(damage)
    for command in (
        ["sample", str(run), "--count", "2", "--out", str(tmp_path / "s.png"), "--trust"],
        ["resume", str(run), "--steps", "9"],
    ):
        assert main(command) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1, said
        assert "own" in said, said
        assert "checkpoint" not in said, said
    said_of: list[str] = []
    assert explorer_content({"run": ll.open_run(run).folder}, say=said_of.append)["models"] == []
    assert len(said_of) == 1


@pytest.fixture(scope="module")
def torch_only(tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        return ll.train("conv-vae", out=tmp_path_factory.mktemp("own") / "run", **small(), decoder=plain_decoder()).path


def test_layers_of_torchs_with_a_parametrization_are_opened_without_trust(tmp_path: Path, cache) -> None:
    shared, turned = nn.ELU(), nn.utils.parametrizations.orthogonal(nn.Linear(12, 12))
    encoder = nn.Sequential(nn.Flatten(), weight_norm(nn.Linear(64, 12)), shared, turned, shared, nn.Linear(12, 6))
    run = ll.train("mlp-vae", out=tmp_path / "run", **small(), encoder=encoder)
    images = IMAGES[:, :, :, None]
    assert np.array_equal(ll.open_run(run.path).encode(images).mean, run.encode(images).mean)


def test_what_a_definition_uses_of_its_file_belongs_to_it(tmp_path: Path, cache, monkeypatch) -> None:
    """A loss whose global changed is another loss."""
    ll.train("mlp-vae", out=tmp_path / "run", **small(), loss=weighted)
    monkeypatch.setitem(weighted.__globals__, "BETA", 4.0)
    with pytest.raises(ll.LabError, match="loss must be what the run was made with"):
        ll.resume(tmp_path / "run", epochs=3, loss=weighted)


BETA = 2.0
TERMS = (bernoulli_nats, kl_to_standard_normal)  # of which repr has an address


def weighted(images, logits, mean, log_var):
    reconstruction, kl = TERMS
    return reconstruction(logits, images) + BETA * kl(mean, log_var).sum(1)


@pytest.mark.slow
def test_a_tuple_of_functions_is_the_same_in_another_process(tmp_path: Path, cache) -> None:
    ll.train("mlp-vae", out=tmp_path / "run", **small(), loss=weighted)
    told = "from test_own import weighted; import latentlab as ll, sys; ll.resume(sys.argv[1], epochs=3, loss=weighted)"
    subprocess.run([sys.executable, "-c", told, str(tmp_path / "run")], cwd=Path(__file__).parent, check=True)
    assert ll.open_run(tmp_path / "run").metrics()[-1]["epoch"] == pytest.approx(3, abs=0.1)


def test_a_layer_reached_by_a_list_computes_in_fp32(tmp_path: Path, cache, request) -> None:
    listed = ll.train("mlp-vae", out=tmp_path / "bf16", **small(precision="bf16"), encoder=ByList())
    request.getfixturevalue("unrehearsed")
    plain = ll.train("mlp-vae", out=tmp_path / "fp32", **small(precision="fp32"), encoder=ByList())
    assert any("compute in fp32, not in bf16" in note for note in listed.folder.environment()["notes"])
    assert np.array_equal(listed.sample(3), plain.sample(3))
    assert float(listed.networks()["encoder"].layers.norm.running_mean.abs().sum()) > 0


class ByList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.norm, self.last = nn.Linear(64, 600), nn.BatchNorm1d(600, affine=False), nn.Linear(600, 6)
        self.order = [self.first, self.norm, self.last]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        for layer in self.order:
            x = layer(x)
        return x


# A notebook.


def shell_of(cells: Sequence[str]) -> dict[str, Any]:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    for cell in cells:
        shell.run_cell(cell, store_history=True)
    return shell.user_ns


NET = (
    "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.a = nn.Linear(64, 6)\n"
    "    def forward(self, x):\n        return {}self.a(x.flatten(1))\n"
)


@pytest.mark.slow
def test_a_class_that_was_defined_again_stays_what_it_was(tmp_path: Path, cache) -> None:
    """And cells that did something else than define do not do it again."""
    mark = tmp_path / "mark"
    note = f"with open({str(mark)!r}, 'a') as file:\n    file.write('x')"
    cells = ["from torch import nn", NET.format("2 * "), "net = Net()", note, NET.format("9 * "), "print(net)"]
    space = shell_of([*cells, "for _ in range(3):\n    " + note.replace("\n", "\n    ")])
    run = ll.train("mlp-vae", out=tmp_path / "run", **small(), encoder=space["net"])
    assert mark.read_text() == "xxxx"
    assert np.array_equal(ll.open_run(run.path, trust=True).sample(3), run.sample(3))


# A file that defines them.


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("encoder = 1 +", "mine.py, line 1: invalid syntax"),
        ("import torch\n\nnet = torch.no_such_name", "mine.py, line 3: AttributeError"),
        ("import latentlab as ll\nll.train('mlp-vae')", "trains by itself: run it with `python"),
        ("import no_such_module\nencoder = print", "mine.py, line 1: ModuleNotFoundError"),
        ("latent_dim = {}\nencoder = print", "latent_dim must be an integer"),
        ("weights = 3", "must be a file that defines encoder, decoder, loss, generator, discriminator or step. Got"),
        ("preset = 'no'\nencoder = print", "preset must be"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_trained_is_said_in_one_line(text: str, says: str, tmp_path: Path, cache, capsys) -> None:
    (tmp_path / "mine.py").write_text(text)
    assert main(["train", str(tmp_path / "mine.py"), "--out", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_what_a_file_imports_anywhere_is_kept(tmp_path: Path, cache, monkeypatch) -> None:
    """A constant, and a module within a function; the process that tries it does not find them where they were."""
    for name, text in (("own_sizes", "WIDTH = 6\n"), ("own_late", "def half(x):\n    return x / 2\n")):
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "own_net.py").write_text(
        "from torch import nn\nfrom own_sizes import WIDTH\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.a = nn.Linear(64, WIDTH)\n    def forward(self, x):\n        from own_late import half\n"
        "        return half(self.a(x.flatten(1)))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    run = ll.train("mlp-vae", out=tmp_path / "run", **small(), encoder=imported(tmp_path, "own_net"))
    assert sorted(path.name for path in (run.path / FOLDER).glob("*.py")) == ["own_late.py", "own_net.py", "own_sizes.py"]


def test_a_step_that_needs_its_scripts_arguments_is_refused_at_once(tmp_path: Path, cache) -> None:
    (tmp_path / "script.py").write_text(
        "import argparse\nimport sys\nimport numpy as np\nimport latentlab as ll\n"
        "parser = argparse.ArgumentParser()\nparser.add_argument('--scale', type=float, required=True)\nargs = parser.parse_args()\n\n"
        "def loss(images, logits, mean, log_var):\n    return args.scale * (logits - images).square().flatten(1).sum(1)\n\n"
        "try:\n"
        f"    ll.train('mlp-ae', out='run', data=np.zeros((60, 8, 8), np.uint8), loss=loss, **{SMALL!r})\n"
        "except ll.LabError as error:\n    sys.exit(str(error))\n"
    )
    asked = [sys.executable, "script.py", "--scale", "2"]
    told = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert not (tmp_path / "run").exists()
    assert "must be found again" in told.stderr
    assert "SystemExit" in told.stderr


@pytest.mark.slow
def test_a_script_is_made_again_without_training_anew(tmp_path: Path, cache) -> None:
    """Its class stands before its training, which is not begun again when the folder is opened; what follows it is not run."""
    (tmp_path / "script.py").write_text(
        "import numpy as np\nfrom torch import nn\nimport latentlab as ll\n\nclass Net(nn.Sequential):\n    pass\n\n"
        "net = Net(nn.Flatten(), nn.Linear(64, 6))\n"
        f"run = ll.train('mlp-vae', out='run', data=np.zeros((60, 8, 8), np.uint8), encoder=net, **{SMALL!r})\n"
        "open('after', 'a').write('x')\n"
    )
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "after").read_text() == "x"
    subprocess.run(
        [sys.executable, "-m", "latentlab", "sample", "run", "--trust", "--count", "2", "--out", "x.png"], cwd=tmp_path, check=True
    )
    assert (tmp_path / "after").read_text() == "x"
    assert (tmp_path / "x.png").is_file()


# In a page.


def test_known_layers_are_drawn_live_and_others_from_a_plane(tmp_path: Path, cache, unrehearsed) -> None:
    runs = {
        "live": ll.train("conv-vae", out=tmp_path / "live", **small(), decoder=plain_decoder()),
        "vae": ll.train("conv-vae", out=tmp_path / "vae", **small(), decoder=Drawing),
        "gan": ll.train("sn-gan", out=tmp_path / "gan", **small(), generator=Drawing),
        "ae": ll.train("mlp-ae", out=tmp_path / "ae", **small(), decoder=Drawing),
    }
    said: list[str] = []
    models = {
        model["name"]: model for model in explorer_content({name: run.folder for name, run in runs.items()}, say=said.append)["models"]
    }
    assert not said
    assert "weights" in models["live"]["network"]
    assert not (runs["live"].path / "plane.npz").exists()
    for name in ("vae", "gan", "ae"):
        plane = models[name]["network"]["plane"]
        assert plane["shape"] == [1, SIZE, SIZE]
        assert plane["side"] == 17
        with np.load(runs[name].path / "plane.npz") as file:
            middle = np.asarray(file["origin"], np.float32)[None]
            assert np.abs(file["images"][8 * 17 + 8].astype(int) - runs[name].decode(middle)[0]).max() <= 1


@pytest.mark.slow
def test_a_page_shows_the_nearest_image_that_was_drawn_beforehand(browser, tmp_path: Path, cache, unrehearsed) -> None:
    run = ll.train("conv-vae", out=tmp_path / "vae", **small(epochs=20), decoder=Drawing)
    with np.load(run.path / "plane.npz") as file:
        plane = dict(file)
    reader = Reader(browser, write_page(tmp_path / "page.html", explorer_content({"vae": run.folder}), ("en", "fr")))
    assert "289 images of one plane of its codes were drawn when it was trained" in reader.en.inner_text()
    seen = set()
    reach = np.linalg.norm(plane["axes"], axis=1)
    for at in ([0.0, 0.0], [0.7, 0.0], [0.0, -0.9], [-0.5, 0.6], [4.0, 0.0]):
        reader.restore(at=(at * reach).tolist())
        code = np.asarray(reader.state()["code"])
        along = (code - plane["origin"]) @ plane["axes"].T / (plane["axes"] ** 2).sum(1)
        column, up = np.rint((np.clip(along, -1, 1) + 1) * 8).astype(int)
        seen.add((column, up))
        expected = plane["images"][(16 - up) * 17 + column][:, :, 0].astype(int)
        assert np.abs(reader.draws("vae") - expected).max() <= 1, at
    assert len(seen) >= 4
    assert not reader.problems


def test_the_form_of_a_layer_is_what_is_kept(tmp_path: Path, cache) -> None:
    run = ll.train("conv-vae", out=tmp_path / "run", **small(), decoder=plain_decoder())
    assert kept(run.path)["decoder"]["modules"]["0"]["attributes"] == {"in_features": Z, "out_features": 32}
    assert read_json(run.path / "config.json")["own"] == dict(run.config.own)
    assert run.folder.environment()["parameters"]["decoder"] == sum(p.numel() for p in plain_decoder().parameters())


def test_a_run_of_ones_own_is_compared_and_shown_as_what_it_is(tmp_path: Path, cache, unrehearsed) -> None:
    """Apart from the preset's, with its parts among the settings, and no command that would make another run."""
    runs = {name: ll.train("mlp-vae", out=tmp_path / name, **small(seed=seed), **given) for name, seed, given in (
        ("own-0", 0, {"encoder": Plain()}), ("own-1", 1, {"encoder": Plain()}), ("other", 2, {"encoder": Plain(torch.tanh)}),
        ("ours", 3, {}),
    )}  # fmt: skip
    for run in runs.values():
        run.evaluate(samples=20, nll_samples=2, nll_images=4, extractors="random-convolutions")
    groups = ll.compare(*[run.path for run in runs.values()])["groups"]
    assert sorted(sorted(group["runs"]) for group in groups.values()) == [["other"], ["ours"], ["own-0", "own-1"]]
    for lang, words in (("en", "encoder of one’s own"), ("fr", "encodeur écrit soi-même")):
        page = ll.report(*[run.path for run in runs.values()], out=tmp_path / "r.html", lang=lang).read_text(encoding="utf-8")
        assert words in page
        assert runs["other"].config.own[0][1] in page
        assert "--own." not in page
        assert page.count('<span class="w">latentlab train mlp-vae</span>') == 2  # in both languages, of `ours` alone


def test_a_configuration_of_ones_own_asks_for_its_parts(tmp_path: Path, cache, unrehearsed) -> None:
    run = ll.train("mlp-vae", out=tmp_path / "a", **small(), encoder=Plain())
    with pytest.raises(ll.LabError, match="encoder must be given: the configuration was one of somebody's own, Plain"):
        ll.train(run.config, out=tmp_path / "b")
    again = ll.train(run.config, out=tmp_path / "c", encoder=Plain())
    assert again.config.own == run.config.own


# The documentation's own code.


def blocks() -> list[str]:
    text = (Path(__file__).parents[1] / "docs" / "own.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_documentations_file_trains_and_its_step_too(tmp_path: Path, cache) -> None:
    file, step = next(each for each in blocks() if "my_vae.py" in each), next(each for each in blocks() if "def step" in each)
    (tmp_path / "my_vae.py").write_text(file.replace('"mnist"', '"digits"'), encoding="utf-8")
    (tmp_path / "my_step.py").write_text(f"import torch\nfrom torch.nn import functional as F\n\n{step}", encoding="utf-8")
    for name in ("my_vae", "my_step"):
        out = ["--out", str(tmp_path / name), "--data.train-images", "64", "--batch-size", "32", "--steps", "2"]
        assert main(["train", str(tmp_path / f"{name}.py"), *out]) == 0
        assert main(["sample", str(tmp_path / name), "--count", "2", "--out", str(tmp_path / "s.png"), "--trust"]) == 0

"""The browser's networks against PyTorch's, in a real chromium from file://, and the packing that they are read from."""

from __future__ import annotations

import base64
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asread import base85_decoded
from conftest import TINY
from PIL import Image

import latentlab as ll
from latentlab.base.errors import LabError
from latentlab.base.seeding import latents
from latentlab.models.nets import to_unit
from latentlab.show.explorer import Packed, base85_encoded, embed, module, pack_network

pytestmark = pytest.mark.usefixtures("undrawn")
POLICY = "default-src 'none'; script-src 'unsafe-inline'"  # of a page on which WebAssembly is not allowed

SMALL = {"model.hidden": (24,), "model.channels": (6, 10), "model.latent_dim": 5}
CRITIC = {"model.discriminator_channels": (4, 6)}
SLOWER = {"train.generator_learning_rate": 2e-3, "train.discriminator_learning_rate": 2e-3}
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "relu, fully connected": ("mlp-vae", {"model.hidden": (40, 16), "model.latent_dim": 6}),
    "elu, averaged": ("conv-vae", SMALL),
    "leaky, fitted prior, odd size": ("conv-ae", SMALL | {"model.activation": "leaky_relu", "data.image_size": 27, "train.steps": 160}),
    "tanh, batch norm": ("conv-vae", SMALL | {"model.activation": "tanh", "model.normalization": "batch"}),
    "a scale beside the image": ("conv-vae", SMALL | {"model.likelihood": "logistic"}),
    "mean of a continuous Bernoulli": ("conv-vae", SMALL | {"model.likelihood": "continuous-bernoulli"}),
    "mean of mixed logistics": ("mlp-vae", {"model.hidden": (40, 16), "model.latent_dim": 6, "model.likelihood": "logistic-mixture"}),
    "spectral norm": ("sn-gan", SMALL | CRITIC | {"model.discriminator_hidden": (12,)}),
    "batch norm": ("conv-gan", SMALL | CRITIC | {"model.discriminator_normalization": "batch"}),
    # At five times their own rate their dense layers become so steep that a byte a weight cannot keep images within 4.
    "residual blocks": ("robust-gan", {"model.channels": (6, 10), "model.latent_dim": 5, "model.blocks": 2} | CRITIC),
    "colour, 64 x 64": (
        "art-gan",
        {
            "model.channels": (4, 8, 16, 32),
            "model.discriminator_channels": (4, 4, 4, 4),
        }
        | SLOWER,
    ),
}
PRESENT = pytest.mark.parametrize("name", RUNS)


def paintings(folder: Path) -> Path:
    """Pictures of 64 x 64 in flat colours."""
    folder.mkdir(exist_ok=True)
    for number in range(128):
        tiles = np.random.default_rng(number).integers(0, 256, (4, 4, 3)).astype(np.uint8)
        Image.fromarray(tiles).resize((64, 64), Image.Resampling.NEAREST).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Callable[[str], ll.Run]:
    """The run of a name in RUNS, trained once, when first asked for, with a rate at which its weights move far."""
    root = tmp_path_factory.mktemp("explorer")
    made: dict[str, ll.Run] = {}

    def run(name: str) -> ll.Run:
        if name not in made:
            preset, changes = RUNS[name]
            rates = dict.fromkeys(("generator_learning_rate", "discriminator_learning_rate"), 0.005)
            rates = rates if "gan" in preset else {"learning_rate": 5e-3}
            few = {"steps": 60, "precision": "fp32", "sample_count": 4, "evaluate_epochs": 99.0, "log_steps": 20, "ema_halflife_images": 60}
            config = ll.preset(preset, **TINY | {f"train.{key}": value for key, value in (rates | few).items()} | changes)
            if preset == "art-gan":
                config = config.replace(data=f"folder:{paintings(root / 'paintings')}")
            made[name] = ll.train(config, root / f"run-{len(made)}")
        return made[name]

    return run


class Page:
    """A page from file:// with the explorer's scripts in it."""

    def __init__(self, browser: Any, path: Path, policy: str = "") -> None:
        meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">' if policy else ""
        path.write_text(
            f'<!doctype html><meta charset="utf-8">{meta}<script type="module">{module()}\nwindow.explorer = {{ network, open }};</script>',
            encoding="utf-8",
        )
        self.page, self.problems = browser.new_page(), []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.goto(path.as_uri())
        self.page.wait_for_function("window.explorer !== undefined")

    def results(self, packed: Packed, inputs: np.ndarray, what: str, kernel: str | None = None) -> np.ndarray:
        """`what` (JavaScript, from `net` and the input `x`) for each row of inputs: float32 [N, …]."""
        script = """async ({embedded, inputs, count, kernel}) => {
            const all = new Float32Array(Uint8Array.from(atob(inputs), (c) => c.charCodeAt(0)).buffer);
            const net = await explorer.open(embedded, {kernel});
            if (kernel && net.kernel !== kernel) throw new Error(`asked for ${kernel}, runs ${net.kernel}`);
            const of = (net, x) => WHAT;
            const rows = [];
            const each = all.length / count;
            for (let i = 0; i < count; i++) rows.push(Float32Array.from(of(net, all.subarray(i * each, (i + 1) * each))));
            const bytes = new Uint8Array(await new Blob(rows).arrayBuffer());
            let text = "";
            for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
            return btoa(text);
        }"""
        argument = {"embedded": embed(packed), "count": len(inputs), "kernel": kernel}
        argument["inputs"] = base64.b64encode(inputs.astype("<f4").tobytes()).decode()
        found = np.frombuffer(base64.b64decode(self.page.evaluate(script.replace("WHAT", what), argument)), "<f4")
        assert self.problems == []
        return found.reshape(len(inputs), -1)

    def images(self, packed: Packed, z: np.ndarray, coded: bool = False) -> np.ndarray:
        """The images of z, uint8 [N, H, W, C]; the bytes of red, green and blue are equal where C is 1, alpha is 255."""
        channels, height, width = packed.description["output"]
        pixels = self.results(packed, z, f"net.image(x, {{code: {json.dumps(coded)}}})").reshape(len(z), height, width, 4)
        assert (pixels[..., 3] == 255).all()
        if channels == 1:
            assert (pixels[..., :1] == pixels[..., :3]).all()
        return pixels[..., :channels].astype(np.uint8)

    def refusal(self, description: dict[str, Any], weights: str, after: str = "net") -> str:
        """What opening that, or `after` of the network, throws; its length in lines is one."""
        script = """async (embedded) => {
            try {
                const net = await explorer.open(embedded);
                AFTER;
            } catch (error) {
                return error.message;
            }
            return "";
        }"""
        return self.page.evaluate(script.replace("AFTER", after), {"description": description, "weights": weights})


@pytest.fixture(scope="module")
def pages(browser, tmp_path_factory) -> Callable[..., Page]:
    folder = tmp_path_factory.mktemp("page")
    return lambda policy="": Page(browser, folder / "page.html", policy)


@pytest.fixture(scope="module")
def page(pages) -> Page:
    return pages()


def draws(run: ll.Run, count: int, seed: int = 0) -> np.ndarray:
    """Standard normal z [count, Z]."""
    return latents(count, run.config.model.latent_dim, seed)


def drawn(run: ll.Run, z: np.ndarray) -> np.ndarray:
    """The run's own images of standard normal z, uint8 [N, H, W, C]."""
    with torch.no_grad():
        return run.decode(run.learner.code_from_normal(torch.from_numpy(z)).numpy())


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    assert a.shape == b.shape
    return np.abs(a.astype(int) - b.astype(int))


@PRESENT
def test_images_are_pytorchs_within_the_promised_bytes(name: str, runs, page) -> None:
    run = runs(name)
    z = draws(run, 96)
    theirs = drawn(run, z)
    assert theirs.std(0).max() > 8  # it draws different images
    exact = difference(page.images(pack_network(run.folder, precision="fp32"), z), theirs)
    assert exact.max() <= 1
    assert exact.mean() < 1e-3
    assert difference(page.images(pack_network(run.folder, precision="fp16"), z), theirs).max() <= 1
    coarse = difference(page.images(pack_network(run.folder), z), theirs)
    assert coarse.max() <= 4
    assert coarse.mean() <= 0.2


@PRESENT
@pytest.mark.parametrize("kernel", ["wasm", "js"])
def test_both_networks_give_pytorchs_numbers_with_either_kernel(name: str, kernel: str, runs, page) -> None:
    run = runs(name)
    for part, network in run.networks().items():
        packed = pack_network(run.folder, part, "fp32")
        if part in ("decoder", "generator"):
            inputs = draws(run, 3, seed=7)
        else:
            inputs = to_unit(torch.from_numpy(run.data().train.images[:3])).numpy()
        with torch.no_grad():
            found = network(torch.from_numpy(inputs))
        theirs = (torch.cat(list(found), 1) if isinstance(found, tuple) else found).reshape(3, -1).numpy()
        ours = page.results(packed, inputs, "net.run(x)", kernel)
        assert theirs.std() > 1e-3
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6 * max(1.0, np.abs(theirs).max()) + 1e-5 * theirs.std())


@PRESENT
def test_gradients_and_layers_are_autograds(name: str, runs, page) -> None:
    run = runs(name)
    random = np.random.default_rng(3)
    for part, network in run.networks().items():
        packed = pack_network(run.folder, part, "fp32")
        drawing = part in ("decoder", "generator")
        shown = draws(run, 2, seed=5) if drawing else to_unit(torch.from_numpy(run.data().train.images[:2])).numpy()
        if any(layer["layer"] == "mean" for layer in packed.description["layers"]):
            whole = embed(packed)
            asked = f"net.gradient(new Float32Array({shown[0].size}), new Float32Array(784))"
            assert "the layer mean has no gradient here" in page.refusal(*whole.values(), asked)
            continue
        x = torch.from_numpy(shown).requires_grad_()
        found = network(x)
        outputs = (torch.cat(list(found), 1) if isinstance(found, tuple) else found).reshape(2, -1)
        slope = random.standard_normal(outputs.shape[1]).astype(np.float32)
        (theirs,) = torch.autograd.grad((outputs @ torch.from_numpy(slope)).sum(), x)
        ours = page.results(packed, shown, f"net.gradient(x, Float32Array.from({json.dumps(slope.tolist())}))")
        np.testing.assert_allclose(ours, theirs.reshape(2, -1).numpy(), rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))
        last = page.results(packed, shown, "net.layers(x).at(-1).values")
        np.testing.assert_array_equal(last, page.results(packed, shown, "net.run(x)"))
        first, *_ = (layer for layer in packed.description["layers"] if "weight" in layer and layer["layer"] != "scale")
        at = packed.description["layers"].index(first)
        before = page.results(packed, shown, f"net.layers(x)[{at}].values")
        assert before.min() < 0  # as the layer gave it, not as the activation after it left it


def test_an_encoder_and_a_discriminator_stand_rounding_to_a_byte(runs, page) -> None:
    for name, part in (("elu, averaged", "encoder"), ("spectral norm", "discriminator")):
        run = runs(name)
        inputs = to_unit(torch.from_numpy(run.data().test.images[:64])).numpy()
        exact, rounded = (page.results(pack_network(run.folder, part, precision), inputs, "net.run(x)") for precision in ("fp32", "int8"))
        assert 0 < np.abs(rounded - exact).mean() < 0.02 * exact.std(0).mean()


def test_an_autoencoders_prior_stands_between_a_normal_z_and_its_code(runs, page) -> None:
    run = runs("leaky, fitted prior, odd size")
    packed = pack_network(run.folder, precision="fp32")
    z = draws(run, 16)
    codes = run.learner.code_from_normal(torch.from_numpy(z)).numpy()
    assert np.abs(codes - z).max() > 0.5
    np.testing.assert_allclose(page.results(packed, z, "net.code(x)"), codes, atol=1e-5)
    assert difference(page.images(packed, codes, coded=True), run.decode(codes)).max() <= 1
    assert difference(page.images(packed, z, coded=True), run.decode(codes)).max() > 1
    assert packed.description["output"] == [1, 27, 27]


@pytest.mark.parametrize("label", [0, 7])
def test_a_class_is_chosen_for_both_networks(label: int, classified, page) -> None:
    run, y = classified, torch.eye(10)[[label] * 5]
    x = to_unit(torch.from_numpy(run.data().test.images[:5].copy()))
    with torch.no_grad():
        theirs = torch.cat(list(run.networks()["encoder"](x, y)), 1).numpy()
    chosen = f"(net.choose(5), net.choose({label}), net.run(x))"
    packed = pack_network(run.folder, "encoder", "fp32")
    assert packed.description["classes"] == [str(digit) for digit in range(10)]
    np.testing.assert_allclose(page.results(packed, x.numpy(), chosen), theirs, atol=1e-4)
    z = draws(run, 24)
    assert difference(page.images(pack_network(run.folder), z), run.decode(z, 0)).max() <= 4  # the first at the start
    logits = page.results(pack_network(run.folder, precision="fp32"), z, chosen).reshape(24, -1)
    made = torch.from_numpy(logits.copy()).sigmoid().mul(255).round().numpy()
    assert difference(made, run.decode(z, label).reshape(24, -1)).max() <= 1
    assert difference(made, run.decode(z, (label + 1) % 10).reshape(24, -1)).max() > 8


@pytest.fixture(scope="module")
def classified(tmp_path_factory) -> ll.Run:
    few = {"train.steps": 60, "train.learning_rate": 5e-3, "train.log_steps": 20, "model.conditional": True}
    return ll.train(ll.preset("conv-vae", **TINY | SMALL | few), tmp_path_factory.mktemp("classified") / "run")


def test_what_a_network_says_of_itself(runs, page) -> None:
    gan = runs("spectral norm")
    said = "[net.inputs, ...net.shape, net.latentDim ?? -1, net.kernel === 'wasm' ? 1 : 0]"
    nothing = np.zeros((1, 1), np.float32)
    assert page.results(pack_network(gan.folder), nothing, said).tolist() == [[5, 1, 28, 28, 5, 1]]
    assert page.results(pack_network(gan.folder, "discriminator"), nothing, said).tolist() == [[784, 1, -1, 1]]


def test_a_page_that_forbids_webassembly_draws_the_same_images(runs, pages, page) -> None:
    run = runs("elu, averaged")
    packed = pack_network(run.folder)
    z = draws(run, 8)
    strict = pages(POLICY)
    assert strict.results(packed, z[:1], "[net.kernel === 'js' ? 1 : 0]").tolist() == [[1]]
    assert difference(strict.images(packed, z), page.images(packed, z)).max() <= 1


def test_what_cannot_be_run_is_one_clear_error(runs, page) -> None:
    packed = pack_network(runs("elu, averaged").folder)
    whole = embed(packed)
    description, weights = whole["description"], whole["weights"]
    assert page.refusal(description, weights) == ""
    short = base85_encoded(zlib.compress(packed.weights[:-1], wbits=-15))
    layers = [*description["layers"][:-1], {"layer": "attention"}]
    cases = {
        "format 1 of a network. Got 2": (description | {"format": 2}, weights),
        "must have": (description, short),
        "cannot be unpacked": (description, weights[: len(weights) // 2 // 4 * 4]),
        "are not base 85": (description, "<" + weights),
        "before their last tensor": (description | {"bytes": len(packed.weights) - 1}, short),
        "unknown layer attention": (description | {"layers": layers}, weights),
        "unknown activation sine": (description | {"layers": [*layers[:-1], {"layer": "activation", "name": "sine"}]}, weights),
    }
    for words, case in cases.items():
        said = page.refusal(*case)
        assert said.startswith("latentlab explorer: ")
        assert words in said
        assert "\n" not in said
    assert "must have 5 numbers. Got 4" in page.refusal(description, weights, "net.run(new Float32Array(4))")
    assert "must have 5 numbers. Got 4" in page.refusal(description, weights, "net.image(new Float32Array(4))")
    fitted = embed(pack_network(runs("leaky, fitted prior, odd size").folder))
    assert "must have 5 numbers. Got 4" in page.refusal(*fitted.values(), "net.image(new Float32Array(4))")
    encoder = embed(pack_network(runs("elu, averaged").folder, "encoder"))
    assert "draws no image" in page.refusal(encoder["description"], encoder["weights"], "net.image(new Float32Array(784))")


def test_unknown_names_and_foreign_checkpoints_are_refused(runs, tmp_path: Path) -> None:
    folder = runs("elu, averaged").folder
    with pytest.raises(LabError, match=r"precision must be one of int8, fp16, fp32\. Got 'int4'"):
        pack_network(folder, precision="int4")  # type: ignore[arg-type]
    with pytest.raises(LabError, match=r"a network must be one of encoder, decoder\. Got 'generator'"):
        pack_network(folder, "generator")
    shutil.copytree(folder.path, tmp_path / "copy")
    other = type(folder)(tmp_path / "copy")
    (other.path / "config.json").write_text(folder.config().replace(hidden=(24, 24)).to_json())
    with pytest.raises(LabError, match="written under another configuration"):
        pack_network(other)
    (other.path / "config.json").write_text(folder.config().replace(hidden=(23,)).to_json())
    with pytest.raises(LabError, match="written under another configuration"):
        pack_network(other)


def test_a_byte_a_weight_and_an_embedding_that_is_the_weights(runs) -> None:
    for name in RUNS:
        packed = pack_network(runs(name).folder)
        kinds = dict.fromkeys(("int8", "int16"), 0)
        for layer in packed.description["layers"]:
            if "weight" in layer:
                kinds[layer["weight"]["type"]] += int(np.prod(layer["weight"]["shape"]))
        assert kinds["int8"] >= 0.5 * sum(kinds.values()) or name == "residual blocks"  # for whose images a byte is too coarse
        embedded = json.loads(json.dumps(embed(packed)))
        assert zlib.decompress(base85_decoded(embedded["weights"]), wbits=-15) == packed.weights
        assert len(packed.weights) == packed.description["bytes"]
        assert embedded["description"] == packed.description
    assert kinds["int16"] > 0  # the browser's reading of two bytes was tested above


@pytest.mark.slow
def test_the_whole_art_gan_on_colour_pictures(tmp_path: Path, page) -> None:
    few = {"train.steps": 8, "train.sample_count": 4, "train.threads": 1, "train.batch_size": 16, "train.evaluate_epochs": 99.0}
    run = ll.train(ll.preset("art-gan", data=f"folder:{paintings(tmp_path / 'paintings')}", **few), tmp_path / "run")
    z = draws(run, 64)
    theirs = drawn(run, z)
    for precision, largest in (("int8", 4), ("fp16", 1)):
        off = difference(page.images(pack_network(run.folder, precision=precision), z), theirs)  # type: ignore[arg-type]
        assert off.max() <= largest
        assert off.mean() <= 0.2

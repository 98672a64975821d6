"""The drawing pad of the explorer in a real browser: what the networks are given, what they make of it, mouse and keys."""

from __future__ import annotations

import base64
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asread import dequantized
from conftest import TINY
from fakeruns import untrained_lab, untrained_run
from PIL import Image
from test_explorer_view import Reader, apart, torch_image, write_page
from torch.nn import functional

import latentlab as ll
from latentlab.base.texts import number
from latentlab.config.networks import networks
from latentlab.runs import checkpoints
from latentlab.show.bundle import joined
from latentlab.show.explorer import embed, folder, pack_network, read_tensors
from latentlab.show.explorer.content import explorer_content, explorer_words
from latentlab.show.explorer.network import Affine, folded, named

pytestmark = pytest.mark.usefixtures("undrawn")
INNER = dict.fromkeys(("Sheet", "boundsOf", "habitOf", "massCentre", "strokeWidth"), "sheet.js")
INNER |= dict.fromkeys(("posterior", "unitNats", "majority"), "reading.js") | {"open": "network.js"}
HALF = 2.0**-11  # the most that a number of 16 bits is off, of itself
SUBNORMAL = 2.0**-25  # and where it is nearly zero


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, ll.Run]:
    return untrained_lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def content(runs) -> dict[str, Any]:
    return explorer_content({name: run.folder for name, run in runs.items()}, precision="fp16", encoders=True)


@pytest.fixture(scope="module")
def page_file(tmp_path_factory, content) -> Path:
    return write_page(tmp_path_factory.mktemp("page") / "explorer.html", content, ("en", "fr"))


@pytest.fixture
def reader(browser, page_file):
    found = Reader(browser, page_file)
    yield found
    assert found.problems == []
    found.context.close()


@pytest.fixture(scope="module")
def inner(browser, tmp_path_factory) -> Any:
    """A page with the scripts' inner functions in reach."""
    path = tmp_path_factory.mktemp("inner") / "page.html"
    path.write_text(f'<meta charset="utf-8"><script type="module">window.inner = {joined(folder(), INNER)};</script>', "utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_function("window.inner !== undefined")
    yield page
    page.close()


# --------------------------------------------------------------------------------------------------------------- encoders

SMALL = {"model.channels": (6, 10), "model.hidden": (24,), "model.latent_dim": 5}
ENCODERS = {
    "fully connected": ("mlp-ae", {"model.hidden": (40, 16), "model.latent_dim": 6}),
    "convolutional VAE": ("conv-vae", SMALL),
    "convolutional AE": ("conv-ae", SMALL),
    "batch norm": ("conv-vae", SMALL | {"model.normalization": "batch"}),
}


def deviations(run: ll.Run, images: torch.Tensor) -> np.ndarray:
    """The standard deviation of each output, [N, F], that rounding to 16 bits gives it.

    A weight w is off by HALF |w| at most, evenly, so with a variance of (HALF w)² / 3. Errors of weights are independent: where x has
    variance v, y = W x + b has W² v + (HALF W)² / 3 (x² + v). No activation widens it.
    """
    layers = networks(run.config.model, (28, 28, 1))["encoder"]
    tensors = read_tensors(checkpoints.newest(run.folder.checkpoints, print), "encoder")
    x, off = images.double(), torch.zeros_like(images.double())
    act = {"relu": functional.relu, "elu": functional.elu, "tanh": torch.tanh}
    for part in folded(named(layers), tensors.__getitem__):
        if not isinstance(part, Affine):
            if part["layer"] == "flatten":
                x, off = x.flatten(1), off.flatten(1)
            else:
                x = act[part["name"]](x)
            continue
        weight, bias, e = torch.from_numpy(part.weight), torch.from_numpy(part.bias), part.entry

        def apply(w: torch.Tensor, v: torch.Tensor, b: torch.Tensor | None, e: Any = e, dense: bool = part.kind == "dense") -> torch.Tensor:
            return functional.linear(v, w, b) if dense else functional.conv2d(v, w, b, e["stride"], e["padding"])

        off = apply(weight**2, off, None) + apply((HALF**2 * weight**2 + SUBNORMAL**2) / 3, x**2 + off, None)
        x = apply(weight, x, bias)
    return off.sqrt().numpy()


@pytest.mark.parametrize("name", ENCODERS)
def test_an_encoder_of_16_bits_gives_pytorchs_posterior(name: str, inner, tmp_path: Path) -> None:
    preset, changes = ENCODERS[name]
    if name == "batch norm":  # its running means and variances come from training
        few = {"train.steps": 30, "train.sample_count": 4, "train.evaluate_epochs": 99.0, "train.learning_rate": 5e-3}
        run = ll.train(ll.preset(preset, **TINY | few | changes), tmp_path / "run")
    else:
        run = untrained_run(tmp_path / "run", preset, ll.load_data("digits"), **changes)
    images = run.data().test.images[:12]
    unit = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    found = inner.evaluate(
        """async ({ packed, latent, images }) => {
          const model = { encoder: await inner.open(packed), latent };
          const found = images.map((pixels) => inner.posterior(model, Float32Array.from(pixels)));
          return found.map(({ mean, std }) => [[...mean], std && [...std]]);
        }""",
        {
            "packed": embed(pack_network(run.folder, "encoder", "fp16")),
            "latent": run.config.model.latent_dim,
            "images": unit.reshape(12, -1).tolist(),
        },
    )
    theirs = run.encode(images)
    allowed = 6 * deviations(run, unit) + 1e-5
    size = run.config.model.latent_dim
    means = np.array([mean for mean, _ in found])
    assert theirs.mean.std(0).min() > 10 * np.abs(means - theirs.mean).max() > 0  # the images' codes differ by much more than they are off
    assert (np.abs(means - theirs.mean) <= allowed[:, :size]).all()
    if theirs.std is None:
        assert {str(std) for _, std in found} == {"None"}
    else:
        stds = np.array([std for _, std in found])
        assert (np.abs(np.log(stds / theirs.std)) <= allowed[:, size:] / 2 + 1e-6).all()
    assert np.median(allowed) < 0.1 * theirs.mean.std()


def test_only_who_asks_gets_encoders_and_only_models_that_have_one(runs, content, browser, tmp_path: Path) -> None:
    plain = explorer_content({"vae": runs["vae"].folder, "gan": runs["gan"].folder}, precision="fp16")
    assert ["encoder" in model for model in plain["models"]] == [False, False]
    assert [("encoder" in model) for model in content["models"]] == [True, True, False, False]
    assert content["models"][0]["encoder"]["description"]["network"] == "encoder"
    reader = Reader(browser, write_page(tmp_path / "plain.html", plain))
    assert reader.page.locator("#en .explorer-sheet").count() == 0
    assert reader.problems == []
    reader.context.close()


# ------------------------------------------------------------------------------------------------- what the networks see

SQUARE = [0, 0, 1, 0, 1, 1, 0, 1, 0, 0]


def given(inner: Any, strokes: list[list[float]], fit: bool = True, habit: dict[str, Any] | None = None) -> dict[str, Any]:
    """What a network of 28 × 28 is given of white strokes: its bounds, centre of mass, stroke width, mass and habit."""
    return inner.evaluate(
        """({ strokes, fit, habit }) => {
          const sheet = new inner.Sheet({ sheet: null, labels: null }, [28, 28, 1]);
          Object.assign(sheet.habit, habit || {});
          const drawing = { strokes: strokes.map((points) => ({ colour: "#ffffff", points })), image: null, fit };
          const pixels = sheet.pixels(drawing);
          return { bounds: inner.boundsOf(pixels, 28), centre: inner.massCentre(pixels, 28), pen: inner.strokeWidth(pixels, 28),
            mass: pixels.reduce((sum, value) => sum + value, 0), most: Math.max(...pixels), habit: sheet.habit };
        }""",
        {"strokes": strokes, "fit": fit, "habit": habit},
    )


def placed(shape: list[float], left: float, top: float, side: float) -> list[float]:
    return [(left if k % 2 == 0 else top) + side * value for k, value in enumerate(shape)]


@pytest.mark.parametrize(("left", "top", "side"), [(0.06, 0.1, 0.2), (0.5, 0.06, 0.4), (0.05, 0.05, 0.9)])
def test_a_square_off_the_centre_lands_centred_and_as_large_as_the_datas_images(left: float, top: float, side: float, inner) -> None:
    found = given(inner, [placed(SQUARE, left, top, side)])
    assert found["bounds"] == [4, 24, 4, 24]  # 20 of 28 pixels
    assert found["centre"] == pytest.approx([14, 14], abs=0.05)
    pen = found["habit"]["pen"]
    middle = 20 - pen  # of the stroke's middle line
    assert found["mass"] == pytest.approx((20**2 - (middle - pen) ** 2) - (4 - np.pi) * (pen / 2) ** 2, rel=0.03)  # its corners are round
    assert found["most"] == pytest.approx(1)


def test_the_centre_of_mass_is_centred_not_the_box(inner) -> None:
    hook = placed([0, 0, 0, 1, 0.5, 1], 0.2, 0.05, 0.5)
    found = given(inner, [hook])
    assert found["centre"] == pytest.approx([14, 14], abs=0.03)
    left, right, top, bottom = found["bounds"]
    assert bottom - top == 20
    assert (left + right) / 2 > 15
    elsewhere = given(inner, [hook], habit={"side": 12, "centre": [12.5, 15]})
    assert elsewhere["centre"] == pytest.approx([12.5, 15], abs=0.03)
    assert elsewhere["bounds"][3] - elsewhere["bounds"][2] == 12


def test_nothing_is_cut_off_by_centring(inner) -> None:
    found = given(inner, [placed(SQUARE, 0.1, 0.3, 0.2)], habit={"centre": [20, 3]})
    assert found["bounds"] == [8, 28, 0, 20]


def test_unfitted_strokes_stay_where_they_are(inner) -> None:
    found = given(inner, [placed(SQUARE, 0.1, 0.3, 0.2)], fit=False)
    assert found["centre"] == pytest.approx([0.2 * 28, 0.4 * 28], abs=0.03)
    assert given(inner, [[0.5, 0.5]])["centre"] == pytest.approx([14, 14], abs=0.03)  # a dot is not enlarged
    assert given(inner, [[0.5, 0.5]])["mass"] == pytest.approx(np.pi * (found["habit"]["pen"] / 2) ** 2, rel=0.05)


def test_strokes_are_as_wide_at_every_scale(inner) -> None:
    pens = [given(inner, [placed(SQUARE, 0.1, 0.1, side)])["pen"] for side in (0.15, 0.4, 0.8)]
    assert np.ptp(pens) < 0.02 * pens[0]
    wide = given(inner, [placed(SQUARE, 0.1, 0.1, 0.4)], habit={"pen": 4})
    assert wide["pen"] > 1.4 * pens[0]
    assert wide["bounds"] == [4, 24, 4, 24]


def test_the_habit_of_images_is_measured(inner) -> None:
    bars = np.zeros((5, 28, 28))
    for k, bar in enumerate(bars):
        bar[3 : 3 + 22, 10 + k % 2 : 13 + k % 2] = 1  # 22 tall, 3 wide
    found = inner.evaluate("(images) => inner.habitOf(images.map((one) => Float32Array.from(one)), [28, 28])", bars.reshape(5, -1).tolist())
    assert found["side"] == 22
    assert found["centre"] == pytest.approx([11.5, 14])
    assert found["pen"] == pytest.approx(22 * 3 / (22 + 3), rel=0.02)  # area over half the outline
    usual = inner.evaluate("inner.habitOf([], [28, 28])")
    assert usual["side"] == 20
    assert usual["centre"] == [14, 14]


def test_nats_and_majority_are_their_formulas(inner) -> None:
    mean, std = [0.0, 1.5, -2.0], [1.0, 0.2, 0.5]
    nats = inner.evaluate("([mean, std]) => inner.unitNats({ mean, std })", [mean, std])
    prior, there = torch.distributions.Normal(0, 1), torch.distributions.Normal(torch.tensor(mean), torch.tensor(std))
    assert np.allclose(nats, torch.distributions.kl_divergence(there, prior).numpy(), atol=1e-6)
    assert inner.evaluate("inner.majority([3, 1, 0, 2, 4], [5, 7, 5, 7, 1])") == {
        "label": 7,
        "count": 2,
    }  # rows' labels 7 7 5 5 1: the nearer


# -------------------------------------------------------------------------------------------------------- a reader draws


def sheet(reader: Reader) -> Any:
    found = reader.page.locator("#en .explorer-sheet")
    found.scroll_into_view_if_needed()
    return found


def stroke(reader: Reader, *places: tuple[float, float]) -> None:
    """A stroke with the mouse through these places, shares of the pad."""
    box = sheet(reader).bounding_box()
    across, down = zip(*places, strict=True)
    x = [box["x"] + share * box["width"] for share in across]
    y = [box["y"] + share * box["height"] for share in down]
    reader.page.mouse.move(x[0], y[0])
    reader.page.mouse.down()
    for place in zip(x[1:], y[1:], strict=True):
        reader.page.mouse.move(*place, steps=4)
    reader.page.mouse.up()
    reader.drawn()


def seen(reader: Reader) -> np.ndarray:
    """What the networks see: uint8 [1, 28, 28, 1]."""
    return reader.image(".explorer-given").astype(np.uint8)[None, :, :, None]


def neighbours(reader: Reader, model: str) -> list[tuple[str, str]]:
    """Class and distance of each, as the page says them."""
    words = reader.page.locator(f"#en [data-near='{model}'] li").all_inner_texts()
    return [tuple(text.split()) for text in words]


def check_readings(reader: Reader, runs: dict[str, ll.Run], content: dict[str, Any]) -> None:
    """All that is shown is what PyTorch makes of what the networks see."""
    for name in ("ae", "vae"):
        code = runs[name].encode(seen(reader)).mean[0]
        assert apart(reader.image(f"[data-read='{name}']"), torch_image(runs[name], code, coded=True)) <= 3
        far = np.linalg.norm(dequantized(content["maps"][name]["mean"]) - code, axis=1)
        nearest = np.argsort(far)[:5]
        shown = neighbours(reader, name)
        for (label, _), row in zip(shown, nearest, strict=True):  # or of another code that is as far: the page's encoder is of 16 bits
            alike = np.flatnonzero(np.abs(far - far[row]) < 0.01)
            assert label in {content["class_names"][content["labels"][other]] for other in alike}
        assert np.allclose([float(distance) for _, distance in shown], far[nearest], atol=0.06)
        counts = Counter(label for label, _ in shown)
        most = next(label for label, _ in shown if counts[label] == max(counts.values()))
        said = f"{name.upper()}: {counts[most]} of the 5 nearest are of class {most}."
        assert said in reader.page.locator("#en .explorer-summary").inner_text()


def test_a_stroke_is_encoded_decoded_and_has_neighbours(reader, runs, content) -> None:
    sheet(reader)
    reader.drawn()
    assert reader.image("[data-read='vae']").max() == 0
    assert neighbours(reader, "vae") == [("–",)] * 5
    assert reader.en.get_by_role("button", name="Use as the chosen").is_disabled()
    stroke(reader, (0.3, 0.2), (0.7, 0.2), (0.4, 0.8))
    check_readings(reader, runs, content)
    first = reader.image("[data-read='vae']")
    stroke(reader, (0.3, 0.5), (0.7, 0.5))
    assert apart(reader.image("[data-read='vae']"), first) > 3
    check_readings(reader, runs, content)
    std = runs["vae"].encode(seen(reader)).std[0]
    mean = runs["vae"].encode(seen(reader)).mean[0]
    nats = 0.5 * (mean**2 + std**2 - 1) - np.log(std)
    shown = reader.page.locator("#en .explorer-units li").all_inner_texts()
    assert len(shown) == min(5, len(mean))
    unit = int(nats.argmax())
    assert re.search(rf"unit {unit + 1}\b", shown[0])
    assert number(float(mean[unit]), "en", 2)[:-1] in shown[0]  # but for the last digit
    total = re.search(r"says at most ([\d.]+) nats", reader.page.locator("#en .explorer-reads").inner_text())
    assert float(total[1]) == pytest.approx(nats.sum(), abs=0.1 + 0.01 * float(nats.sum()))
    spoken = "document.querySelector('#en .explorer-drawing + .explorer-spoken').textContent"
    reader.page.wait_for_function(f"() => {spoken}.includes('of the 5 nearest')")


def test_the_keyboard_alone_draws(reader, runs, content) -> None:
    pad = sheet(reader)
    pad.focus()
    press = reader.page.keyboard.press
    press("ArrowUp")
    assert reader.state()["drawing"]["strokes"] == []
    assert "lifted" in pad.get_attribute("aria-label")
    press("Space")
    for _ in range(3):
        press("Shift+ArrowDown")
    press("ArrowRight")
    reader.drawn()
    assert "draws" in pad.get_attribute("aria-label")
    press("Space")
    press("Shift+ArrowRight")
    (only,) = reader.state()["drawing"]["strokes"]
    up = 0.5 - 1 / 28
    assert only["points"][:2] == pytest.approx([0.5, up], abs=1e-3)
    assert only["points"][-2:] == pytest.approx([0.5 + 1 / 28, up + 12 / 28], abs=1e-3)
    reader.drawn()
    check_readings(reader, runs, content)
    help_text = reader.page.locator(f"[id='{pad.get_attribute('aria-describedby')}']").inner_text()
    assert all(word in help_text for word in ("arrows", "Space", "Delete"))
    press("Delete")
    reader.drawn()
    assert reader.state()["drawing"]["strokes"] == []
    assert neighbours(reader, "ae") == [("–",)] * 5
    reader.en.get_by_role("button", name="Undo").click()
    assert reader.state()["drawing"]["strokes"] == [only]


def test_a_finger_draws_and_a_second_does_not(reader) -> None:
    sheet(reader)
    send = """([id, type, x, y]) => { const pad = document.querySelector('#en .explorer-sheet'), box = pad.getBoundingClientRect();
      pad.setPointerCapture = () => {};
      const at = { clientX: box.x + x * box.width, clientY: box.y + y * box.height, bubbles: true, cancelable: true };
      pad.dispatchEvent(new PointerEvent(type, { pointerId: id, pointerType: 'touch', ...at })) }"""
    assert reader.page.locator("#en .explorer-sheet").evaluate("(pad) => getComputedStyle(pad).touchAction") == "none"
    for event in ([1, "pointerdown", 0.2, 0.2], [2, "pointerdown", 0.9, 0.9], [2, "pointermove", 0.8, 0.8], [1, "pointermove", 0.4, 0.3]):
        reader.page.evaluate(send, event)
    for event in ([1, "pointerup", 0.4, 0.3], [1, "pointermove", 0.9, 0.9]):
        reader.page.evaluate(send, event)
    assert [one["points"] for one in reader.state()["drawing"]["strokes"]] == [pytest.approx([0.2, 0.2, 0.4, 0.3], abs=0.002)]


def test_a_held_out_image_is_put_on_the_pad_and_changed(reader, runs, content) -> None:
    sheet(reader)
    reader.en.get_by_role("button", name="Put the chosen image on it").click()
    reader.drawn()
    state = reader.state()
    assert (state["drawing"]["image"], state["drawing"]["fit"]) == (state["image"], False)
    assert np.array_equal(seen(reader)[0, :, :, 0], reader.image(".explorer-chosen .explorer-original"))
    row = state["image"]
    assert neighbours(reader, "vae")[0][0] == content["class_names"][content["labels"][row]]
    reader.en.get_by_label("eraser").check()
    before = seen(reader)
    stroke(reader, (0, 0.5), (1, 0.5))
    assert (seen(reader) <= before).all()
    assert seen(reader)[0, 14].max() < 30
    check_readings(reader, runs, content)
    reader.en.get_by_role("button", name="Undo").click()
    reader.drawn()
    assert np.array_equal(seen(reader), before)
    reader.en.get_by_role("button", name="Clear").click()
    reader.drawn()
    assert reader.state()["drawing"] == {"strokes": [], "image": None, "fit": True}
    assert reader.en.get_by_role("button", name="Clear").is_disabled()


def test_the_drawings_code_becomes_the_chosen_point(reader, runs) -> None:
    stroke(reader, (0.3, 0.2), (0.7, 0.2), (0.45, 0.8))
    image = seen(reader)
    reader.en.get_by_role("button", name="Use as the chosen point").click()
    reader.drawn()
    code = runs["vae"].encode(image).mean[0]
    assert np.allclose(reader.state()["z"], code, atol=0.02)
    assert reader.en.get_by_role("radio", name="of the drawing").is_checked()
    for name in ("vae", "gan-from-vae"):
        assert apart(reader.draws(name), torch_image(runs[name], code, coded=True)) <= 3
    notes = reader.page.locator("#en .explorer-cards").inner_text()
    assert "Its reconstruction of the drawing." in notes
    assert "The drawing’s code, drawn by the trained-on decoder." in notes
    reader.en.get_by_label("Map", exact=True).select_option("ae")
    reader.drawn()
    own = runs["ae"].encode(image).mean[0]
    assert np.allclose(reader.state()["code"], own, atol=0.02 * np.abs(own).max())
    assert apart(reader.draws("ae"), torch_image(runs["ae"], own, coded=True)) <= 3
    reader.en.get_by_label("Map", exact=True).select_option("draws")
    assert reader.state()["rest"] == "draw"
    sheet(reader)
    reader.en.get_by_role("button", name="Use as the chosen point").click()
    reader.drawn()
    assert reader.state()["map"] in ("ae", "vae")
    assert reader.state()["rest"] == "drawing"


def test_the_map_shows_where_the_drawing_lies(reader, runs, content) -> None:
    """Around its place the map's upper layer is painted where it was not, and nowhere else."""
    read = """() => { const c = document.querySelector('#en .explorer-pad');
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, before = window.before, places = [];
      window.before = d.map((value, k) => (k % 4 === 3 && value > 0 ? 1 : 0));
      for (let k = 3; before && k < d.length; k += 4) if (window.before[k] > before[k]) places.push((k - 3) / 4);
      const sum = (of) => places.reduce((total, place) => total + of(place), 0) / places.length + 0.5;
      return [places.length, sum((place) => place % c.width) / c.width, sum((place) => Math.floor(place / c.width)) / c.width]; }"""

    def painted() -> list[float]:
        reader.pad().scroll_into_view_if_needed()
        reader.drawn()
        return reader.page.evaluate(read)

    reader.restore(rest="centre", at=[0, 0])
    painted()
    stroke(reader, (0.3, 0.2), (0.7, 0.2), (0.45, 0.8))
    mean = runs["vae"].encode(seen(reader)).mean[0]
    axes = np.frombuffer(base64.b64decode(content["maps"]["vae"]["planes"]["classes"]["axes"]), "<f4").reshape(2, -1)
    points = np.sort(np.abs(dequantized(content["maps"]["vae"]["mean"]) @ axes.T).max(1))
    half = 1.08 * max(2, points[int(0.985 * (len(points) - 1))])
    place = axes @ mean
    assert np.abs(place).max() < half  # it is in sight
    count, across, down = painted()
    assert count > 100
    assert across == pytest.approx((1 + place[0] / half) / 2, abs=0.02)
    assert down == pytest.approx((1 - place[1] / half) / 2, abs=0.02)


def test_a_drawing_moves_into_the_other_language(reader) -> None:
    stroke(reader, (0.3, 0.2), (0.7, 0.2), (0.45, 0.8))
    reader.en.get_by_role("button", name="Use as the chosen point").click()
    english = reader.image("[data-read='ae']")
    reader.page.evaluate("""() => { handles.fr.restore(handles.en.state());
      document.getElementById('en').hidden = true; document.getElementById('fr').hidden = false; }""")
    reader.page.locator("#fr .explorer-sheet").scroll_into_view_if_needed()
    reader.drawn()
    assert reader.state("fr") == reader.state("en")
    assert np.array_equal(reader.image("[data-read='ae']", "fr"), english)
    shown = reader.page.locator("#fr .explorer-part:has(.explorer-sheet)").inner_text()
    assert "plus proches sont de la classe" in shown
    assert re.search(r"−?\d,\d\d ± \d,\d\d", shown)
    for word in ("nearest", "unit ", "Undo", "{"):
        assert word not in shown


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (760, "light")])
def test_the_pad_fits_a_narrow_page(width: int, scheme: str, browser, page_file) -> None:
    reader = Reader(browser, page_file, viewport={"width": width, "height": 844}, color_scheme=scheme)
    stroke(reader, (0.3, 0.2), (0.7, 0.2), (0.45, 0.8))
    assert sheet(reader).bounding_box()["width"] >= 280
    near = reader.en.locator(".explorer-neighbours .explorer-image").all()
    assert min(image.bounding_box()["width"] for image in near) >= 40
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
    wide = "() => [...document.querySelectorAll('#en *')].filter((node) => node.getBoundingClientRect().right > innerWidth + 1).length"
    assert reader.page.evaluate(wide) == 0
    assert reader.problems == []
    reader.context.close()


def test_colours_are_drawn_where_the_images_have_colours(browser, tmp_path: Path) -> None:
    for k in range(60):
        tiles = np.random.default_rng(k).integers(0, 256, (4, 4, 3)).astype(np.uint8)
        (tmp_path / "art").mkdir(exist_ok=True)
        Image.fromarray(tiles).resize((32, 32), Image.Resampling.NEAREST).save(tmp_path / "art" / f"{k}.png")
    few = {"train.steps": 8, "train.sample_count": 4, "train.evaluate_epochs": 99.0, "data.train_images": None}
    config = ll.preset("conv-vae", data=f"folder:{tmp_path / 'art'}", **TINY | few | SMALL | {"data.image_size": 32})
    run = ll.train(config, tmp_path / "run")
    colour = explorer_content({"vae": run.folder}, precision="fp16", encoders=True)
    reader = Reader(browser, write_page(tmp_path / "page.html", colour))
    sheet(reader)
    reader.en.get_by_label("yellow").check()
    reader.en.get_by_role("button", name="Fill the field").click()
    reader.en.get_by_label("blue").check()
    stroke(reader, (0, 0.5), (1, 0.5))
    read = "(c) => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    image = np.array(reader.page.locator("#en .explorer-given").evaluate(read)).reshape(32, 32, 4)[..., :3].astype(np.uint8)
    assert image[2, 5].tolist() == [255, 213, 0]
    assert np.abs(image[16, 16].astype(int) - [24, 100, 171]).max() <= 2
    drawn = run.decode(run.encode(image[None]).mean)[0]
    shown = np.array(reader.page.locator("#en [data-read='vae']").evaluate(read)).reshape(32, 32, 4)[..., :3]
    assert apart(shown, drawn) <= 3
    assert not reader.state()["drawing"]["fit"]
    assert "the nearest is image" in reader.page.locator("#en .explorer-summary").inner_text()
    assert reader.problems == []
    reader.context.close()


def test_a_model_of_other_images_is_said_to_be_left_out(browser, tmp_path: Path, content, runs) -> None:
    other = untrained_run(tmp_path / "large", "mlp-ae", ll.load_data("digits"))
    strange = explorer_content({"large": other.folder}, precision="fp16", encoders=True)["models"][0] | {
        "codes_of": None,
        "without": "images",
    }
    strange["encoder"]["description"]["input"] = [1, 14, 56]
    path = write_page(tmp_path / "page.html", {**content, "models": [*content["models"], strange]})
    reader = Reader(browser, path)
    stroke(reader, (0.3, 0.2), (0.7, 0.8))
    assert reader.page.locator("#en [data-read]").count() == 2
    assert reader.page.locator("#en .explorer-reads > .explorer-note").inner_text().endswith(explorer_words("en")["draw.unlike"])
    check_readings(reader, runs, content)
    reader.context.close()

"""The live explorer: what it is given, and what a reader sees and does in a real browser, from a file."""

from __future__ import annotations

import base64
import io
import itertools
import json
import re
import shutil
import subprocess
import sys
import zlib
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asread import dequantized
from fakeruns import LATENT, fake_run, untrained_lab, untrained_run
from PIL import Image

import latentlab as ll
from latentlab.base.errors import LabError
from latentlab.base.images import save_png
from latentlab.base.texts import catalogue, number
from latentlab.models import sampling
from latentlab.runs.folder import RunFolder
from latentlab.show.bundle import joined
from latentlab.show.explorer import content as explorer_content_module
from latentlab.show.explorer import folder, public
from latentlab.show.explorer import style as explorer_style
from latentlab.show.explorer.codes import (
    HeldOut,
    chosen,
    class_plane,
    quantized,
    read_held_out,
    read_thumbnails,
    rows_of,
    share_of_variance,
    sprite,
    widest_plane,
)
from latentlab.show.explorer.content import MOST_IMAGES, decoder_is_from, explorer_content, explorer_words, most_images
from latentlab.show.figures.records import read_codes

NAMES = ("ae", "vae", "gan", "gan-from-vae")
CLOSE = 4  # of 255: what int8 weights may change


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, ll.Run]:
    """The four runs of a lab."""
    return untrained_lab(tmp_path_factory.mktemp("lab"), **{"train.seed": 3})


@pytest.fixture(scope="module")
def content(runs) -> dict[str, Any]:
    return explorer_content({name: run.folder for name, run in runs.items()})


# ------------------------------------------------------------------------------------------------------ what it is given


def held(index: Any, label: Any = None, size: int = 3) -> HeldOut:
    index = np.asarray(index)
    mean = np.random.default_rng(0).normal(size=(len(index), size))
    return HeldOut(mean, None, None if label is None else np.asarray(label), index, np.arange(len(index)))


def test_codes_come_back_within_half_a_step() -> None:
    values = np.random.default_rng(0).normal(size=(200, 5)) * [1e-4, 1, 3, 50, 0]
    values[:, 4] = 7.25
    packed = quantized(values)
    steps = np.frombuffer(base64.b64decode(packed["step"]), "<f4")
    assert np.allclose(steps, np.ptp(values, axis=0) / 255, rtol=1e-4)
    assert (np.abs(dequantized(packed) - values) <= steps * 0.5001 + 1e-6 * np.abs(values)).all()
    assert len(base64.b64decode(packed["bytes"])) == values.size


def test_the_images_are_the_same_for_every_run_and_spread_over_classes() -> None:
    label = np.repeat([0, 1, 2], [500, 100, 40])
    first, second = held(np.arange(640), label), held(np.arange(640)[::-1][:600])
    index = chosen([first, second], 90)
    assert len(set(index)) == 90
    assert index.min() >= 40  # only images that both have
    assert list(np.bincount(label[index])) == [30, 30, 30]
    assert np.array_equal(second.number[rows_of(second, index)], index)
    assert np.array_equal(chosen([second, first], 90), index)
    assert np.abs(np.diff(index)).mean() > 20  # no order of the data's
    assert len(chosen([held(np.arange(5))], 90)) == 5


def test_there_are_fewer_images_where_they_are_large() -> None:
    assert most_images([held(range(3), size=32)], 28 * 28) == MOST_IMAGES
    assert most_images([held(range(3), size=32)], 56 * 56) == MOST_IMAGES // 4
    assert most_images([held(range(3), size=192)], 28 * 28) == MOST_IMAGES // 2


def test_the_planes_are_orthonormal_and_the_widest_of_their_kind() -> None:
    random = np.random.default_rng(0)
    label = np.arange(600) % 3
    mean = random.normal(size=(600, 6)) * [1, 1, 5, 1, 4, 1]
    mean[:, 0] += 3 * (label == 1)
    mean[:, 3] -= 3 * (label == 2)
    mean[:, 5] += 40  # where the codes lie is no direction of theirs
    widest, between = widest_plane(mean), class_plane(mean, label)
    assert between is not None
    for axes in (widest, between):
        assert np.allclose(axes @ axes.T, np.eye(2), atol=1e-9)
    assert (np.abs(widest).argmax(1) == [2, 4]).all()
    assert set(np.abs(between).argmax(1)) == {0, 3}
    assert share_of_variance(mean, widest) > share_of_variance(mean, between)
    assert share_of_variance(mean, widest) == pytest.approx(mean.var(0)[[2, 4]].sum() / mean.var(0).sum(), abs=0.01)
    assert class_plane(mean, label % 2) is None
    assert np.array_equal(widest_plane(mean[:, :2]), np.eye(2))
    assert np.array_equal(widest_plane(mean[:, :1]), [[1], [0]])


def test_thumbnails_are_those_of_the_images_asked_for(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (7, 4, 6, 1), np.uint8)
    sheet = np.zeros((12, 18, 1), np.uint8)
    for row, image in enumerate(images):
        sheet[row // 3 * 4 : row // 3 * 4 + 4, row % 3 * 6 : row % 3 * 6 + 6] = image
    save_png(sheet, tmp_path / "thumbnails.png")
    codes = HeldOut(np.zeros((5, 2)), None, None, np.array([30, 10, 20, 50, 40]), np.array([0, 2, 3, 5, 6]))
    found = read_thumbnails(RunFolder(tmp_path), codes, np.array([10, 40, 30]), (4, 6, 1))
    assert found is not None
    assert np.array_equal(found, images[[2, 6, 0]])
    packed = sprite(found)
    with Image.open(io.BytesIO(base64.b64decode(str(packed["src"]).partition(",")[2]))) as file:
        shown = np.asarray(file.convert("L")).astype(int)
    assert packed["columns"] == 2
    assert np.abs(shown[:4, 6:12] - images[6, :, :, 0]).max() <= 9  # 16 shades
    assert read_thumbnails(RunFolder(tmp_path / "none"), codes, np.array([10]), (4, 6, 1)) is None


def test_content_is_json_without_language_and_its_codes_are_the_runs(content, runs) -> None:
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert [model["kind"] for model in content["models"]] == list(NAMES)
    assert [model["codes_of"] for model in content["models"]] == ["ae", "vae", None, "vae"]
    assert [model["label"] for model in content["models"]] == [None] * 4
    index = np.array(content["numbers"])
    for name in ("ae", "vae"):
        codes = read_held_out(runs[name].folder)
        rows = rows_of(codes, index)
        steps = np.frombuffer(base64.b64decode(content["maps"][name]["mean"]["step"]), "<f4")
        assert (np.abs(dequantized(content["maps"][name]["mean"]) - codes.mean[rows]) <= 0.501 * steps).all()
        assert content["labels"] == codes.label[rows].tolist()
        means = np.frombuffer(base64.b64decode(content["maps"][name]["class_means"]), "<f4").reshape(10, LATENT)
        assert np.allclose(means[3], codes.mean[codes.label == 3].mean(0), atol=1e-5)
    assert content["maps"]["ae"]["std"] is None
    start = content["start"]
    assert content["labels"][start["a"]] != content["labels"][start["b"]]
    assert start["other"] != content["labels"][start["image"]]


def test_two_runs_of_a_kind_are_called_by_their_names_and_other_data_makes_no_map(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(explorer_content_module, "embed", lambda packed: packed)
    monkeypatch.setattr(explorer_content_module, "pack_network", lambda folder, precision: precision)
    one, two = (fake_run(tmp_path / name, "vae") for name in ("one", "two"))
    color = fake_run(tmp_path / "color", "ae", channels=3)
    gan = fake_run(tmp_path / "gan", "gan-from-vae", **{"train.generator_from": str(two.path)})
    found = explorer_content({"color": color, "one": one, "two": two, "gan": gan}, labels={"two": "Zwei"}, precision="fp16")
    assert [model["label"] for model in found["models"]] == [None, "one", "Zwei", None]
    assert [model["codes_of"] for model in found["models"]] == [None, "one", "two", "two"]
    assert [model["without"] for model in found["models"]] == ["images", None, None, None]
    assert list(found["maps"]) == ["one", "two"]
    assert found["thumbnails"] is None
    assert found["models"][0]["network"] == "fp16"
    gans = explorer_content({"gan": fake_run(tmp_path / "alone", "gan")})
    assert gans["maps"] == {}
    assert gans["models"][0]["without"] == "encoder"
    assert gans["start"] is None


def test_what_is_damaged_is_left_out_with_the_reason(tmp_path: Path, runs) -> None:
    folders = {name: RunFolder(Path(shutil.copytree(runs[name].path, tmp_path / name))) for name in ("ae", "vae", "gan")}
    for path in folders["gan"].path.glob("checkpoints/step-*/*.safetensors"):
        path.write_bytes(b"x")
    (folders["ae"].path / "latents.npz").write_bytes(b"x")
    (folders["vae"].path / "thumbnails.png").write_bytes(b"x")
    said: list[str] = []
    found = explorer_content(folders, say=said.append)
    assert [model["name"] for model in found["models"]] == ["ae", "vae"]
    assert [(model["codes_of"], model["without"]) for model in found["models"]] == [(None, "codes"), ("vae", None)]
    assert list(found["maps"]) == ["vae"]
    assert found["thumbnails"] is None
    starts = ["gan is not among the live models: ", "ae has no latent map: ", "vae gives no pictures"]
    assert all(words.startswith(start) and "\n" not in words for words, start in zip(said, starts, strict=True))
    assert f"{folders['ae'].path / 'latents.npz'} is damaged" in said[1]
    assert f"{folders['vae'].path / 'thumbnails.png'} is damaged" in said[2]
    assert explorer_content({"gan": folders["gan"]})["models"] == []
    with pytest.raises(LabError, match="precision must be one of"):
        explorer_content(folders, precision="int4")  # type: ignore[arg-type]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-600])


def turned(path: Path) -> None:
    """One bit of an array: the archive's own checksum tells."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def rewritten(**changes: Any) -> Any:
    """The archive with other arrays; None leaves one out."""

    def rewrite(path: Path) -> None:
        with np.load(path) as file:
            arrays = dict(file) | changes
        np.savez(path, **{name: values for name, values in arrays.items() if values is not None})

    return rewrite


HARMS = {
    "no archive": lambda path: path.write_bytes(b"x"),
    "empty": lambda path: path.write_bytes(b""),
    "cut": cut,
    "a bit": turned,
    "no mean": rewritten(mean=None),
    "no index": rewritten(index=None),
    "short labels": rewritten(label=np.zeros(3, np.int64)),
    "a flat mean": rewritten(mean=np.zeros(40, np.float32)),
    "words": rewritten(mean=np.array([["a", "b"]])),
    "objects": rewritten(index=np.array([None], dtype=object)),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_damaged_codes_are_one_line_that_names_the_file(harm, tmp_path: Path) -> None:
    run = fake_run(tmp_path / "vae", "vae")
    for read in (read_held_out, read_codes):
        assert read(run) is not None
    harm(run.path / "latents.npz")
    for read in (read_held_out, read_codes):
        with pytest.raises(LabError) as raised:
            read(run)
        assert str(raised.value).startswith(f"{run.path / 'latents.npz'} is damaged (")
        assert f"latentlab resume {run.path} --steps" in str(raised.value)


def test_damaged_thumbnails_are_one_line_that_names_the_file(tmp_path: Path) -> None:
    codes, index = held(np.arange(4)), np.arange(4)
    sheet = np.random.default_rng(0).integers(0, 256, (8, 12, 1), np.uint8)
    for wanted, shape in (("whole", (4, 6, 1)), ("too few", (8, 6, 1)), ("of another size", (5, 6, 1))):
        save_png(sheet, tmp_path / "thumbnails.png")
        if wanted == "whole":
            assert read_thumbnails(RunFolder(tmp_path), codes, index, shape) is not None
            continue
        with pytest.raises(LabError, match=r"thumbnails\.png is damaged"):
            read_thumbnails(RunFolder(tmp_path), codes, index, shape)
    (tmp_path / "thumbnails.png").write_bytes((tmp_path / "thumbnails.png").read_bytes()[:90])
    with pytest.raises(LabError, match=r"thumbnails\.png is damaged"):
        read_thumbnails(RunFolder(tmp_path), codes, index, (4, 6, 1))


def test_a_decoder_is_found_again_after_a_move(tmp_path: Path) -> None:
    vae, other = (fake_run(tmp_path / "new" / name, "vae") for name in ("vae", "other"))
    moved = fake_run(tmp_path / "new" / "gan", "gan-from-vae", **{"train.generator_from": "/gone/lab/vae"})
    assert moved.config().kind == "gan-from-vae"
    assert decoder_is_from(moved, vae)
    assert not decoder_is_from(moved, other)
    assert not decoder_is_from(fake_run(tmp_path / "new" / "plain", "gan"), vae)


def test_content_is_made_without_torch(runs) -> None:
    code = (
        "import sys; from latentlab.runs.folder import open_folder; from latentlab.show.explorer.content import explorer_content; "
        "explorer_content({'vae': open_folder(sys.argv[1])}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(runs["vae"].path)], check=True)


def test_every_text_is_said_and_every_said_text_is_there() -> None:
    words = explorer_words("fr")
    assert words["rest.centre"] == catalogue("fr")["explorer.rest.centre"]
    assert set(words) == set(explorer_words("en"))
    file = resources.files("latentlab.base").joinpath("locales", "en", "explorer.json")
    own = {key.removeprefix("explorer.") for key in json.loads(file.read_text(encoding="utf-8"))}
    source = script()
    said = set(re.findall(r"words\.([a-z]+)", source)) | {key for key in own if f'"{key}"' in source}
    patterns = re.findall(r"`([a-z.]+)\$\{[^}]*\}(\.why)?`", source)
    said |= {key for key in own if any(re.fullmatch(rf"{re.escape(start)}[a-z-]+{re.escape(end)}", key) for start, end in patterns)}
    assert said >= own
    assert set(re.findall(r'say\("([\w.-]+)"', source)) <= own


# ------------------------------------------------------------------------------------------------------------- a browser

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'wasm-unsafe-eval'">
<style>{style}</style></head><body><main><section>{roots}</section></main>
<script type="application/json" id="content">{content}</script>
<script type="module">{script}
Object.assign(window, {{ PRINTED, HUES }});
window.inner_parts = {{ curved, spell, backwards, normalDraw, explore }};
const content = JSON.parse(document.getElementById("content").textContent);
const words = {words};
window.content_of_page = () => content;
window.words_of_page = () => JSON.stringify(words.en);
window.handles = {{}};
for (const lang of Object.keys(words)) {{
  handles[lang] = await explore(document.getElementById(lang), content, words[lang], {{ lang }});
}}
document.documentElement.dataset.ready = "yes";
</script></body></html>"""


def static(package: str, name: str) -> str:
    path = resources.files(package).joinpath("static", name)
    return path.read_text(encoding="utf-8") if path.is_file() else ""


INNER = {
    "PRINTED": "palette.js",
    "HUES": "palette.js",
    "curved": "algebra.js",
    "normalDraw": "algebra.js",
    "backwards": "algebra.js",
    "spell": "elements.js",
}


def script() -> str:
    """The explorer's scripts, with some inner functions in reach."""
    names = public() | INNER
    return f"const {{ {', '.join(names)} }} = {joined(folder(), names)};\n"


def write_page(path: Path, content: dict[str, Any], langs: tuple[str, ...] = ("en",)) -> Path:
    safe = lambda value: json.dumps(value).replace("<", "\\u003c")  # noqa: E731
    roots = "".join(f'<div id="{lang}" class="wide" lang="{lang}"{" hidden" * (k > 0)}></div>' for k, lang in enumerate(langs))
    style = static("latentlab.show.report", "lab.css") + explorer_style()
    words = safe({lang: explorer_words(lang) for lang in langs})
    path.write_text(PAGE.format(style=style, roots=roots, content=safe(content), script=script(), words=words), encoding="utf-8")
    return path


class Reader:
    """A page with the explorer, and what a reader does in it."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1200, "height": 1000}} | options)
        self.page = self.context.new_page()
        self.en = self.page.locator("#en")
        self.problems: list[str] = []
        self.page.on("console", self.heard)
        self.page.on("pageerror", lambda error: self.problems.append(str(error.stack)))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]")
        self.drawn()

    def heard(self, message: Any) -> None:
        """Keep errors and warnings, but that reading canvases as these tests do is slow."""
        if message.type in ("error", "warning") and "willReadFrequently" not in message.text:
            self.problems.append(message.text)

    def drawn(self) -> None:
        """Wait until nothing waits to be drawn."""
        self.page.evaluate("() => new Promise((done) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 60))")

    def state(self, lang: str = "en") -> dict[str, Any]:
        found: dict[str, Any] = self.page.evaluate(f"handles.{lang}.state()")
        return found

    def restore(self, lang: str = "en", **changes: Any) -> None:
        self.page.evaluate("([lang, changes]) => handles[lang].restore({ ...handles[lang].state(), ...changes })", [lang, changes])
        self.drawn()

    def image(self, selector: str, lang: str = "en") -> np.ndarray:
        """What a canvas shows: int [H, W]."""
        read = "(c) => [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
        height, width, *data = self.page.locator(f"#{lang} {selector}").first.evaluate(read)
        return np.array(data).reshape(height, width, 4)[..., 0]

    def pad(self) -> Any:
        return self.page.locator("#en .explorer-pad")

    def draws(self, model: str, kind: str = "model") -> np.ndarray:
        self.page.locator(f"#en [data-{kind}='{model}']").first.scroll_into_view_if_needed()
        self.drawn()
        return self.image(f"[data-{kind}='{model}']")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory, content) -> Path:
    return write_page(tmp_path_factory.mktemp("page") / "explorer.html", content, ("en", "fr"))


@pytest.fixture
def reader(browser, page_file):
    found = Reader(browser, page_file)
    yield found
    assert found.problems == []
    found.context.close()


def torch_image(run: ll.Run, z: Any, coded: bool = False) -> np.ndarray:
    """What PyTorch decodes: int [H, W]."""
    row = np.asarray([z], np.float32)
    return run.decode(row if coded else run._opened.prior(row))[0, :, :, 0].astype(int)


def apart(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def test_a_drag_changes_every_image_to_what_pytorch_decodes(reader, runs) -> None:
    before = {name: reader.draws(name) for name in NAMES}
    reader.pad().scroll_into_view_if_needed()
    box = reader.pad().bounding_box()
    mouse = reader.page.mouse
    mouse.move(box["x"] + 200, box["y"] + 200)
    mouse.down()
    for step in range(1, 6):
        mouse.move(box["x"] + 200 + 40 * step, box["y"] + 200 - 25 * step)
    mouse.up()
    reader.drawn()
    state = reader.state()
    assert len(state["z"]) == LATENT
    for name in NAMES:
        assert apart(reader.draws(name), before[name]) > 8
        assert apart(reader.draws(name), torch_image(runs[name], state["z"])) <= CLOSE
    x = box["x"] + box["width"] / 2
    mouse.move(x, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(x + 4, box["y"] + box["height"] / 2)
    mouse.move(x, box["y"] + box["height"] / 2)
    mouse.up()
    assert np.abs(reader.state()["at"]).max() < 0.05  # the middle of the pad is the centre of the prior


def test_a_finger_drags_and_two_zoom(reader) -> None:
    reader.pad().scroll_into_view_if_needed()
    send = """([id, type, x, y]) => { const pad = document.querySelector('#en .explorer-pad'), box = pad.getBoundingClientRect();
      pad.setPointerCapture = () => {};
      const at = { clientX: box.x + x, clientY: box.y + y, bubbles: true, cancelable: true };
      pad.dispatchEvent(new PointerEvent(type, { pointerId: id, pointerType: 'touch', ...at })) }"""
    assert reader.pad().evaluate("(pad) => getComputedStyle(pad).touchAction") == "none"
    for event in ([1, "pointerdown", 100, 100], [1, "pointermove", 160, 130], [1, "pointerup", 160, 130]):
        reader.page.evaluate(send, event)
    one = reader.state()
    assert one["at"][0] < 0 < one["at"][1]
    for event in ([1, "pointerdown", 100, 100], [2, "pointerdown", 200, 100], [2, "pointermove", 210, 100], [2, "pointermove", 320, 100]):
        reader.page.evaluate(send, event)
    two = reader.state()
    assert two["zoom"] == pytest.approx(2.0, rel=0.01)
    assert two["at"] == one["at"]


def test_the_keyboard_moves_and_chooses(reader, content) -> None:
    reader.pad().focus()
    press = reader.page.keyboard.press
    press("Home")
    assert reader.state()["at"] == [0, 0]
    press("ArrowRight")
    small = reader.state()["at"]
    press("Home")
    press("Shift+ArrowUp")
    large = reader.state()["at"]
    assert small[0] > 0 == small[1]
    assert large == pytest.approx([0, 10 * small[0]])
    label = reader.pad().get_attribute("aria-label")
    reader.drawn()
    press("Shift+ArrowLeft")
    reader.drawn()
    shown = reader.en.locator(".explorer-readout").inner_text()
    assert number(reader.state()["at"][0], "en", 2) in shown
    at = np.array(reader.state()["at"])
    press("Enter")
    axes = np.frombuffer(base64.b64decode(content["maps"]["vae"]["planes"]["classes"]["axes"]), "<f4").reshape(2, LATENT)
    points = dequantized(content["maps"]["vae"]["mean"]) @ axes.T
    chosen_row = int(np.linalg.norm(points - at, axis=1).argmin())
    state = reader.state()
    assert state["image"] == chosen_row
    assert np.allclose(state["z"], dequantized(content["maps"]["vae"]["mean"])[chosen_row], atol=1e-5)
    spoken = "words => [...document.querySelectorAll('#en .explorer-spoken')].some((one) => one.textContent.includes(words))"
    reader.page.wait_for_function(spoken, arg=content["class_names"][content["labels"][chosen_row]])
    assert reader.pad().get_attribute("aria-label") != label
    press("+")
    assert reader.state()["zoom"] == 1.5


def test_a_click_on_a_dot_chooses_it_and_a_hover_shows_it(reader, content) -> None:
    reader.pad().scroll_into_view_if_needed()
    box = reader.pad().bounding_box()
    axes = np.frombuffer(base64.b64decode(content["maps"]["vae"]["planes"]["classes"]["axes"]), "<f4").reshape(2, LATENT)
    points = dequantized(content["maps"]["vae"]["mean"]) @ axes.T
    gaps = np.sort(np.linalg.norm(points[:, None] - points[None], axis=2), axis=1)[:, 1]  # to the nearest other dot
    row = int(np.where(np.abs(points).max(1) < 1.8, gaps, 0).argmax())
    reader.pad().focus()
    reader.page.keyboard.press("Home")
    reader.page.keyboard.press("ArrowRight")
    unit = box["width"] / 2 / (60 * reader.state()["at"][0])
    x, y = box["x"] + box["width"] / 2 + points[row, 0] * unit, box["y"] + box["height"] / 2 - points[row, 1] * unit
    reader.page.mouse.move(x, y)
    reader.drawn()
    tip = reader.page.locator("#en .explorer-tip")
    assert tip.is_visible()
    assert content["class_names"][content["labels"][row]] in tip.inner_text()
    reader.page.mouse.click(x, y)
    assert reader.state()["image"] == row
    assert reader.state()["at"] is None


@pytest.mark.parametrize("map_of", ["vae", "ae", "draws"])
def test_a_slider_turns_one_unit_and_the_others_stay(reader, runs, map_of: str) -> None:
    reader.en.get_by_label("Map", exact=True).select_option(map_of)
    reader.pad().focus()
    reader.page.keyboard.press("Shift+ArrowRight")  # the point is somewhere, and the sliders begin there
    before = reader.state()
    units = reader.en.locator(".explorer-dialboard")
    units.locator("summary").click()
    dial = units.locator(".explorer-dial").nth(1)
    assert units.locator(".explorer-dial").count() == LATENT
    unit, low, high = int(dial.get_attribute("data-unit")), *(float(dial.get_attribute(end)) for end in ("min", "max"))
    reader.drawn()
    assert float(dial.input_value()) == pytest.approx(before["code"][unit], abs=1e-6)
    set_to = low + 0.9 * (high - low)
    dial.evaluate("(dial, value) => { dial.value = value; dial.dispatchEvent(new Event('input', { bubbles: true })) }", set_to)
    reader.drawn()
    after = reader.state()
    wanted = list(before["code"])
    wanted[unit] = set_to
    assert after["code"] == pytest.approx(wanted, abs=1e-6)
    assert (after["rest"], after["at"]) == ("hand", None)
    assert reader.en.get_by_label("as the sliders set them").is_checked()
    output = units.locator(".explorer-dial-row").nth(1).locator(".explorer-output")
    assert output.inner_text() == number(set_to, "en", 2) == dial.get_attribute("aria-valuetext")
    own = map_of if map_of != "draws" else "gan"
    assert apart(reader.draws(own), torch_image(runs[own], after["code"], coded=map_of != "draws")) <= CLOSE
    assert apart(reader.draws("vae"), torch_image(runs["vae"], after["z"])) <= CLOSE
    dial.focus()
    reader.page.keyboard.press("ArrowLeft")
    assert low < reader.state()["code"][unit] < set_to
    reader.page.evaluate("handles.fr.restore(handles.en.state())")
    assert reader.state("fr")["code"] == reader.state()["code"]


def test_twelve_units_stand_there_and_all_when_asked_for(browser, tmp_path) -> None:
    run = untrained_run(tmp_path / "vae", "conv-vae", ll.load_data("digits"), **{"model.latent_dim": 15})
    reader = Reader(browser, write_page(tmp_path / "page.html", explorer_content({"vae": run.folder})))
    units = reader.en.locator(".explorer-dialboard")
    units.locator("summary").click()
    assert units.locator(".explorer-dial").count() == 12
    units.get_by_role("button", name="Show the other 3").press("Enter")
    reader.drawn()
    dials = units.locator(".explorer-dial").all()
    assert sorted(int(dial.get_attribute("data-unit")) for dial in dials) == list(range(15))
    code = reader.state()["code"]
    assert all(float(dial.input_value()) == pytest.approx(code[int(dial.get_attribute("data-unit"))], abs=1e-6) for dial in dials)
    assert dials[12].evaluate("(dial) => dial === document.activeElement"), "the keyboard goes on where it was"
    assert units.get_by_role("button").count() == 0
    assert reader.problems == []
    reader.context.close()
    flat = untrained_run(tmp_path / "flat", "conv-vae", ll.load_data("digits"), **{"model.latent_dim": 2})
    reader = Reader(browser, write_page(tmp_path / "flat.html", explorer_content({"vae": flat.folder})))
    assert not reader.en.locator(".explorer-dialboard").is_visible(), "the plane shows both units"
    reader.context.close()


def test_another_image_shows_its_reconstruction_beside_itself(reader, content, runs) -> None:
    before = reader.state()["image"]
    reader.en.get_by_role("button", name="Another image").click()
    reader.drawn()
    row = reader.state()["image"]
    assert row != before
    code = dequantized(content["maps"]["vae"]["mean"])[row]
    assert apart(reader.draws("vae"), torch_image(runs["vae"], code, coded=True)) <= CLOSE
    assert apart(reader.draws("gan-from-vae"), torch_image(runs["gan-from-vae"], code)) <= CLOSE
    data = runs["vae"].data().test
    original = data.images[list(data.indices).index(content["numbers"][row])]
    assert apart(reader.image(".explorer-original"), original[:, :, 0]) <= 9  # 16 shades
    assert apart(reader.draws("vae"), runs["vae"].reconstruct(original[None])[0, :, :, 0]) <= CLOSE + 4  # codes of 256 levels


def test_on_the_map_of_the_ae_its_own_codes_are_decoded_and_the_others_get_their_z(reader, content, runs) -> None:
    reader.en.get_by_label("Map", exact=True).select_option("ae")
    reader.drawn()
    state = reader.state()
    code = dequantized(content["maps"]["ae"]["mean"])[state["image"]]
    assert np.allclose(state["code"], code, atol=1e-5)
    back = runs["ae"]._opened.prior(np.asarray([state["z"]], np.float32))[0]
    noise = np.frombuffer(base64.b64decode(content["maps"]["ae"]["mean"]["step"]), "<f4").max()
    assert np.abs(back - code).max() < 2 * noise
    assert np.abs(np.asarray(state["z"]) - code).max() > 0.1
    assert apart(reader.draws("ae"), torch_image(runs["ae"], code, coded=True)) <= CLOSE
    for name in ("vae", "gan", "gan-from-vae"):
        assert apart(reader.draws(name), torch_image(runs[name], state["z"])) <= CLOSE


def test_the_way_back_to_z_does_not_blow_up_where_codes_do_not_vary(reader) -> None:
    """A prior with one direction of no spread: an inverse would give an endless z."""
    z = reader.page.evaluate(
        "() => { const net = { latentDim: 2, code: (z) => Float32Array.of(3 + 2 * z[0], 1 + 1e-9 * z[1]) };"
        " return [...inner_parts.backwards(net, 0.01).z([5, 1.02])]; }"
    )
    assert z[0] == pytest.approx(1, abs=1e-3)
    assert abs(z[1]) < 1e-3


def test_the_other_dimensions_come_from_where_the_reader_says(reader) -> None:
    reader.en.get_by_label("at the centre").check()
    assert np.allclose(reader.state()["z"], 0)
    reader.en.get_by_role("button", name="New draw", exact=True).click()
    first = reader.state()["z"]
    reader.en.get_by_role("button", name="New draw", exact=True).click()
    second = reader.state()
    assert not np.allclose(first, second["z"])
    assert second["draw"] == 3
    reader.restore(draw=2)
    assert np.allclose(reader.state()["z"], first)
    draws = np.array(reader.page.evaluate("Array.from({ length: 20000 }, (_, k) => [...inner_parts.normalDraw(k, 3)])"))
    assert np.abs(draws.mean(0)).max() < 0.03
    assert np.abs(np.cov(draws.T) - np.eye(3)).max() < 0.04


def test_a_walk_ends_at_a_and_b(reader, content, runs) -> None:
    walk = reader.state()["walk"]
    slider = reader.en.get_by_role("slider")
    slider.scroll_into_view_if_needed()
    for key, t in (("Home", 0.0), ("End", 1.0)):
        slider.focus()
        reader.page.keyboard.press(key)
        reader.drawn()
        assert reader.state()["walk"]["t"] == t
        for name, source in (("ae", "ae"), ("vae", "vae"), ("gan-from-vae", "vae")):
            code = dequantized(content["maps"][source]["mean"])[walk["b" if t else "a"]]
            assert apart(reader.draws(name, "walk"), torch_image(runs[name], code, coded=True)) <= CLOSE
            strip = f"[data-strip='{name}'] canvas:{'last' if t else 'first'}-child"
            assert apart(reader.image(strip), torch_image(runs[name], code, coded=True)) <= CLOSE
        strip = f"[data-strip='gan'] canvas:{'last' if t else 'first'}-child"
        assert np.array_equal(reader.draws("gan", "walk"), reader.image(strip))
    reader.restore(walk=walk | {"t": 0.5})
    codes = dequantized(content["maps"]["ae"]["mean"])
    assert apart(reader.draws("ae", "walk"), torch_image(runs["ae"], (codes[walk["a"]] + codes[walk["b"]]) / 2, coded=True)) <= CLOSE


def test_the_chosen_image_becomes_an_end(reader) -> None:
    reader.en.get_by_role("button", name="Another image").click()
    reader.en.get_by_role("button", name="Use as B").click()
    state = reader.state()
    assert state["walk"]["b"] == state["image"]
    before = reader.draws("gan", "walk")
    reader.en.get_by_role("button", name="New draws").click()
    reader.drawn()
    assert apart(reader.draws("gan", "walk"), before) > 0
    reader.en.get_by_role("button", name="Play").click()
    reader.page.wait_for_function("t => handles.en.state().walk.t !== t", arg=state["walk"]["t"])
    reader.en.get_by_role("button", name="Pause").click()


def test_the_arc_is_the_one_that_runs_walk(reader) -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 6)).astype(np.float32)
    shown = reader.page.evaluate(
        "([a, b]) => Array.from({ length: 8 }, (_, k) => [...inner_parts.curved(a, b, k / 7)])", [a.tolist(), b.tolist()]
    )
    assert np.allclose(shown, sampling.arc(a, b, 8), atol=1e-5)
    assert np.allclose(reader.page.evaluate("[...inner_parts.curved([1, 2], [2, 4], 0.5)]"), [1.5, 3])


def test_the_arithmetic_is_that_of_the_codes(reader, content, runs) -> None:
    reader.en.get_by_label("A", exact=True).select_option("3")
    reader.en.get_by_label("− B", exact=True).select_option("8")
    reader.en.get_by_label("+ C", exact=True).select_option("image")
    reader.drawn()
    assert reader.state()["sum"] == [3, 8, "image"]
    for name, source in (("ae", "ae"), ("vae", "vae"), ("gan-from-vae", "vae")):
        entry = content["maps"][source]
        means = np.frombuffer(base64.b64decode(entry["class_means"]), "<f4").reshape(10, LATENT)
        image = dequantized(entry["mean"])[reader.state()["image"]]
        for term, code in (("a", means[3]), ("b", means[8]), ("c", image), ("sum", means[3] - means[8] + image)):
            assert apart(reader.draws(f"{name} {term}", "sum"), torch_image(runs[name], code, coded=True)) <= CLOSE, (name, term)
    assert reader.page.locator("#en [data-sum^='gan ']").count() == 0
    reader.en.get_by_label("− B", exact=True).select_option("class")
    reader.drawn()
    means = np.frombuffer(base64.b64decode(content["maps"]["ae"]["class_means"]), "<f4").reshape(10, LATENT)
    own = means[content["labels"][reader.state()["image"]]]
    assert apart(reader.draws("ae b", "sum"), torch_image(runs["ae"], own, coded=True)) <= CLOSE


def test_a_view_moves_into_the_other_language(reader) -> None:
    reader.en.get_by_role("button", name="Another image").click()
    reader.pad().focus()
    reader.page.keyboard.press("Shift+ArrowRight")
    reader.en.get_by_role("button", name="2", exact=True).click()
    reader.drawn()
    english, state = reader.image("[data-model='ae']"), reader.state()
    reader.page.evaluate("""() => { handles.fr.restore(handles.en.state());
      document.getElementById('en').hidden = true; document.getElementById('fr').hidden = false; }""")
    reader.drawn()
    assert reader.state("fr") == state
    assert np.array_equal(reader.image("[data-model='ae']", "fr"), english)
    shown = reader.page.locator("#fr").inner_text()
    assert "Un point, tous les modèles" in shown
    assert re.search(r"\d,\d\d en abscisse", shown)
    assert "Undefined" not in shown
    assert "{" not in shown
    assert reader.page.locator("#fr .explorer-chip[aria-pressed=true]").inner_text() == "2"
    for word in ("Another", "Drag", "Straight", "image of"):
        assert word not in shown
    reader.page.evaluate("handles.en.destroy()")
    assert reader.page.locator("#en > *").count() == 0


def test_numbers_are_written_as_in_the_rest_of_the_page(reader) -> None:
    for value, lang in itertools.product([0, -0.004, 3.14159, -12.5, 12345.678], ("en", "fr")):
        assert reader.page.evaluate("([value, lang]) => inner_parts.spell(value, 2, lang)", [value, lang]) == number(value, lang, 2)


def test_everything_is_reached_by_keyboard_with_a_visible_focus_and_a_name(reader) -> None:
    reader.en.locator(".explorer-dialboard").evaluate("(board) => (board.open = true)")
    reached = set()
    for _ in range(60):
        reader.page.keyboard.press("Tab")
        found = reader.page.evaluate("""() => { const node = document.activeElement; if (!node.closest('#en')) return null;
          const all = [...document.querySelectorAll('#en button, #en select, #en input, #en summary, #en [tabindex]')];
          return [all.indexOf(node), getComputedStyle(node).outlineStyle]; }""")
        if found:
            reached.add(found[0])
            assert found[1] == "solid"
    wanted = reader.page.evaluate("""() => [...document.querySelectorAll('#en button, #en select, #en input, #en summary, #en [tabindex]')]
      .map((node, k) => [node, k]).filter(([node]) => node.type !== 'radio' || node.checked).map(([, k]) => k)""")
    assert reached == set(wanted)
    nameless = """() => [...document.querySelectorAll('#en canvas[role], #en button')].filter((node) =>
      (node.getAttribute('aria-label') || node.textContent).trim() === '' && !node.closest('[aria-hidden]')).length"""
    for part in reader.page.locator("#en .explorer-part").all():
        part.scroll_into_view_if_needed()
        reader.drawn()
    assert reader.page.evaluate(nameless) == 0


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (390, "light"), (760, "light")])
def test_it_fits_a_narrow_page(width: int, scheme: str, browser, page_file) -> None:
    reader = Reader(browser, page_file, viewport={"width": width, "height": 844}, color_scheme=scheme)
    for part in reader.page.locator("#en .explorer-part").all():
        part.scroll_into_view_if_needed()
        reader.drawn()
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= width
    wide = "() => [...document.querySelectorAll('#en *')].filter((node) => node.getBoundingClientRect().right > innerWidth + 1).length"
    assert reader.page.evaluate(wide) == 0
    if width == 390:  # the images stay in sight while a finger drags
        reader.pad().scroll_into_view_if_needed()
        cards, pad = reader.page.locator("#en .explorer-cards").bounding_box(), reader.pad().bounding_box()
        assert cards["y"] + cards["height"] <= pad["y"] + 1
        assert pad["y"] + pad["height"] - cards["y"] < 844
    assert reader.problems == []
    reader.context.close()


def test_a_printer_gets_every_image_and_no_controls(browser, page_file) -> None:
    reader = Reader(browser, page_file, color_scheme="dark", viewport={"width": 1200, "height": 200})
    assert reader.image("[data-sum='ae sum']").max() == 0  # out of sight and not yet drawn
    drawn = """() => { window.dispatchEvent(new Event('beforeprint'));
      const last = document.querySelector("#en [data-strip='vae'] canvas:last-child");
      return last.width === 28 && last.getContext('2d').getImageData(0, 0, 28, 28).data.some((value, k) => k % 4 < 3 && value > 30) }"""
    assert reader.page.evaluate(drawn)  # at once: a printer does not wait
    reader.page.emulate_media(media="print")
    reader.drawn()
    for selector in ("[data-strip='vae'] canvas:last-child", "[data-sum='ae sum']", "[data-walk='gan']"):
        assert reader.image(selector).max() > 30
    assert not reader.en.get_by_role("button", name="Another image").is_visible()
    assert not reader.en.get_by_role("slider").is_visible()
    reader.context.close()


def printed_pictures(pdf: bytes, side: int) -> list[np.ndarray]:
    """The pictures of side x side that a PDF shows, as it holds them: uint8 [side, side, 3]."""
    found = []
    for start in re.finditer(rb"/Subtype /Image[^>]*", pdf):
        head = start[0]
        if f"/Width {side}\n".encode() not in head or f"/Height {side}\n".encode() not in head or b"/FlateDecode" not in head:
            continue
        data = zlib.decompressobj().decompress(pdf[pdf.index(b"stream", start.end()) + 7 :])
        if len(data) == side * side * 3:
            found.append(np.frombuffer(data, np.uint8).reshape(side, side, 3))
    return found


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_pdf_holds_the_map_with_its_dots(scheme: str, browser, page_file) -> None:
    reader = Reader(browser, page_file, color_scheme=scheme, viewport={"width": 1200, "height": 200})
    reader.restore(rest="centre")  # no posterior is shaded over the dots
    size = reader.page.evaluate("PRINTED.side * PRINTED.ratio")
    (shown,) = printed_pictures(reader.page.pdf(print_background=True), size)
    assert (shown == 255).all(2).mean() > 0.5  # on paper, in the dark too
    hues = reader.page.evaluate("HUES")
    for hue in hues:  # of each class half of the edge around its name at least: 6 pixels wide, 188 long
        colour = [int(hue[start : start + 2], 16) for start in (1, 3, 5)]
        assert (np.abs(shown.astype(int) - colour).max(2) <= 3).sum() > 6 * 188 / 2
    coloured = np.ptp(shown.astype(int), axis=2) > 40
    assert all(quarter.mean() > 0.001 for half in np.array_split(coloured, 2) for quarter in np.array_split(half, 2, axis=1))
    assert (shown < 30).all(2).any()  # the ring
    assert (shown[-9:, size // 2 - 1] < 230).all()  # the axis through the centre, down to the edge
    black = """() => { dispatchEvent(new Event('beforeprint')); const c = document.querySelector('#en .explorer-printed');
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      let full = 0; for (let k = 0; k < d.length; k += 4) full += d[k] + d[k + 1] + d[k + 2] < 15; return full }"""
    assert reader.page.evaluate(black) > 300  # the ring and the names are black also where a browser never turns the page itself to print
    assert reader.problems == []
    reader.context.close()


def test_without_motion_a_walk_jumps_from_step_to_step(browser, page_file) -> None:
    reader = Reader(browser, page_file, reduced_motion="reduce")
    reader.restore(walk=reader.state()["walk"] | {"t": 0})
    look = """() => { const look = () => { const { t } = handles.en.state().walk; seen.add(t); if (t < 0.2) requestAnimationFrame(look); };
      window.seen = new Set(); look(); }"""
    reader.page.evaluate(look)  # at each frame
    reader.en.get_by_role("button", name="Play").click()
    reader.page.wait_for_function("() => Math.max(...seen) > 0.2")
    steps = reader.page.evaluate("[...seen]")
    assert steps[:2] == [0, pytest.approx(1 / 7)]
    assert np.allclose(7 * np.array(steps), np.rint(7 * np.array(steps)))  # never between two
    reader.context.close()


def test_the_plane_is_filled_with_what_a_model_draws(reader) -> None:
    reader.en.get_by_label("Fill with images").select_option("gan")
    painted = """() => { const c = document.querySelector('#en .explorer-dots');
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      let full = 0; for (let k = 3; k < d.length; k += 4) full += d[k] > 100; return full / (d.length / 4) }"""
    reader.page.wait_for_function(painted.replace("return", "if (full / (d.length / 4) > 0.95) return"))
    reader.en.get_by_label("Fill with images").select_option("")
    reader.drawn()
    assert reader.page.evaluate(painted) < 0.3


def test_gans_alone_and_images_without_classes_have_an_explorer(browser, tmp_path: Path, content) -> None:
    gans = {**content, "models": [m | {"codes_of": None} for m in content["models"] if m["name"] == "gan"], "maps": {}, "labels": None}
    gans |= {"numbers": None, "class_names": None, "thumbnails": None, "shape": None, "start": None}
    reader = Reader(browser, write_page(tmp_path / "gans.html", gans))
    assert reader.state()["map"] == "draws"
    first = reader.draws("gan")
    reader.en.get_by_role("button", name="New draw", exact=True).click()
    reader.drawn()
    assert apart(reader.draws("gan"), first) > 0
    assert reader.en.get_by_role("slider").bounding_box()["width"] > 600
    assert reader.en.get_by_role("button", name="Another image").count() == 0
    assert reader.problems == []
    reader.context.close()
    maps = {name: entry | {"class_means": None, "planes": {"widest": entry["planes"]["widest"]}} for name, entry in content["maps"].items()}
    plain = {**content, "maps": maps, "labels": None, "class_names": None, "start": content["start"] | {"other": None}}
    reader = Reader(browser, write_page(tmp_path / "plain.html", plain))
    assert reader.state()["sum"] == ["image", "a", "b"]
    assert f"image {content['numbers'][reader.state()['image']]}" in reader.page.locator("#en .explorer-chosen").inner_text()
    assert reader.page.locator("#en .explorer-legend").count() == 0
    assert reader.problems == []
    reader.context.close()


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_why_a_model_has_no_codes_is_said_truly(lang: str, browser, tmp_path: Path, content) -> None:
    reasons = {"ae": "images", "gan": "encoder", "gan-from-vae": "codes"}
    models = [m | ({"codes_of": None, "without": reasons[m["name"]]} if m["name"] in reasons else {}) for m in content["models"]]
    path = write_page(tmp_path / "unlike.html", {**content, "models": models, "maps": {"vae": content["maps"]["vae"]}}, (lang,))
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    words = explorer_words(lang)
    for name, reason in reasons.items():
        assert page.locator(f".explorer-walk:has([data-walk='{name}'])").inner_text().endswith(words[f"walk.arc.{reason}"])
    said = page.locator(".explorer-sums ~ .explorer-note").all_inner_texts()
    assert [line.partition(" ")[2] for line in said[:2]] == [words[f"sum.none.{reasons[name]}"] for name in ("ae", "gan")]
    assert said[2].endswith(words["sum.none.codes"])
    assert ("encod" in words["sum.none.encoder"], "encod" in words["sum.none.images"] + words["walk.arc.images"]) == (True, False)
    page.close()


def test_it_lives_in_a_shadow_root_without_the_pages_colours(reader) -> None:
    """As a component of another page does: its own style sheet, no variables."""
    shown = reader.page.evaluate(
        """async (css) => {
          const host = document.body.appendChild(document.createElement('div'));
          host.style.cssText = 'all: initial; --ae: initial; display: block; width: 900px';
          const shadow = host.attachShadow({ mode: 'open' });
          const style = shadow.appendChild(document.createElement('style'));
          style.textContent = css;
          const root = shadow.appendChild(document.createElement('div'));
          const handle = await inner_parts.explore(root, content_of_page(), JSON.parse(words_of_page()), { lang: 'en' });
          host.scrollIntoView({ behavior: 'instant' });
          const card = shadow.querySelector('[data-model=ae]');
          while (card.width !== 28) await new Promise((done) => setTimeout(done, 30));
          const data = card.getContext('2d').getImageData(0, 0, 28, 28).data;
          const swatch = getComputedStyle(shadow.querySelector('.explorer-ae .explorer-swatch')).backgroundColor;
          const pad = shadow.querySelector('.explorer-pad');
          pad.focus();
          const outline = getComputedStyle(pad).outlineStyle;
          const found = [pad.clientWidth, Math.max(...data.filter((_, k) => k % 4 === 0)), swatch, outline];
          handle.destroy();
          return [...found, root.childNodes.length];
        }""",
        explorer_style(),
    )
    assert shown[0] > 300
    assert shown[1] > 30
    assert shown[2] == "rgb(201, 79, 0)"
    assert shown[3:] == ["solid", 0]


def test_a_damaged_network_is_said_in_words(browser, tmp_path: Path, content) -> None:
    damaged = json.loads(json.dumps(content))
    damaged["models"][0]["network"]["description"]["format"] = 99
    path = write_page(tmp_path / "damaged.html", damaged)
    context = browser.new_context()
    page = context.new_page()
    page.goto(path.as_uri())
    assert "99" in page.get_by_role("alert").inner_text()
    context.close()

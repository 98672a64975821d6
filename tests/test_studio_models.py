"""The pages Explore and Compare in a real browser, over networks with large random weights and runs made by hand."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import run, wait_until
from fakeruns import fake_run, untrained_run
from PIL import Image
from readers import Server, Tab, served

import latentlab as ll
from latentlab.base.texts import text

pytest.importorskip("streamlit")
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)

NAMES = ("lab/ae", "lab/vae", "lab/gan")
SHOWN = "runs=lab/ae,lab/vae,lab/gan&lang=en"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """lab/: three models that can be decoded; old/: two runs with curves, pictures and scores."""
    runs = tmp_path_factory.mktemp("models") / "runs"
    data = ll.load_data("digits")
    for name, preset, seed in (("ae", "conv-ae", 0), ("vae", "conv-vae", 1), ("gan", "sn-gan", 3)):
        sizes = {"model.discriminator_channels": (4, 8)} if name == "gan" else {}
        folder = untrained_run(runs / "lab" / name, preset, data, **{"train.seed": seed, "train.threads": 1}, **sizes)
        (folder.path / "status.json").write_text(json.dumps({"state": "finished", "step": 1}), encoding="utf-8")
    for name, epochs in (("vae", 4), ("gan", 7)):
        folder = fake_run(runs / "old" / name, name, epochs=epochs)
        (folder.path / "status.json").write_text(json.dumps({"state": "finished", "step": 10 * epochs}), encoding="utf-8")
    with served(runs) as found:
        yield found


def pixels(page: Any, selector: str) -> np.ndarray:
    """What a canvas shows: int [H, W, 4]."""
    read = "(c) => [c.height, c.width, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    height, width, *data = page.locator(selector).first.evaluate(read)
    return np.array(data).reshape(height, width, 4)


def explored(tab: Tab) -> Any:
    """The page Explore, its models drawn."""
    page = tab.open(f"explore?{SHOWN}")
    page.locator(".explorer-pad").scroll_into_view_if_needed()
    for name in NAMES:
        wait_until(lambda name=name: np.ptp(pixels(page, f"[data-model='{name}']")[..., 0]) > 8)
    tab.settled()
    return page


class Quiet:
    """Within it a tab asks its server nothing: no request, not a frame over the channel. (Streamlit sends none while it is idle.)"""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    def __enter__(self) -> None:
        self.tab.page.wait_for_load_state("networkidle")
        self.tab.settled()
        self.before = len(self.tab.asked), len(self.tab.frames)

    def __exit__(self, *error: object) -> None:
        self.tab.page.wait_for_timeout(500)  # for what would be sent late
        assert (len(self.tab.asked), len(self.tab.frames)) == self.before


# --------------------------------------------------------------------------------------------------------------- explore


def test_explore_says_that_it_loads_until_the_models_are_there(tab: Tab) -> None:
    page, held = tab.page, list[Any]()
    page.route(re.compile("/lab/explorer"), lambda route: held.append(route))
    page = tab.open(f"explore?{SHOWN}")
    says = page.get_by_label(text("studio.explore.loading", "en"))
    expect(says).to_be_visible()
    assert page.locator("[aria-busy=true]").count()
    wait_until(lambda: held or page.wait_for_timeout(20))
    for route in held:
        route.continue_()
    expect(page.locator(".explorer-pad")).to_be_visible()
    expect(says).to_have_count(0)


def test_an_image_is_followed_without_asking_the_server(tab: Tab) -> None:
    page = explored(tab)
    page.get_by_role("radio", name=text("studio.explore.part.follow", "en")).click()
    follow = page.get_by_role("group", name=text("explorer.follow.title", "en"))
    line = follow.locator(".explorer-total-line")
    words = line.inner_text()
    with Quiet(tab):
        follow.get_by_role("button", name=text("explorer.follow.again", "en")).click()
        expect(line).not_to_have_text(words)
        follow.get_by_role("button", name=text("explorer.follow.walk", "en")).click()
        expect(follow.get_by_role("button", name="2 " + text("explorer.follow.epsilon", "en"))).to_have_attribute("aria-current", "step")


def test_a_drag_changes_every_picture_without_asking_the_server(tab: Tab) -> None:
    page = explored(tab)
    box = page.locator(".explorer-pad").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    seen = {name: [pixels(page, f"[data-model='{name}']")] for name in NAMES}
    with Quiet(tab):
        page.mouse.move(x, y)
        page.mouse.down()
        for place in range(1, 5):
            page.mouse.move(x + 30 * place, y - 20 * place, steps=3)
            for name, shown in seen.items():
                wait_until(lambda name=name, shown=shown: np.abs(pixels(page, f"[data-model='{name}']") - shown[-1]).max() > 8)
                shown.append(pixels(page, f"[data-model='{name}']"))
        page.mouse.up()
        pad = page.locator(".explorer-pad")
        words = page.locator(".explorer-readout").inner_text()
        pad.focus()
        pad.press("ArrowLeft")
        expect(page.locator(".explorer-readout")).not_to_have_text(words)


def test_a_drawn_digit_is_reconstructed_and_has_neighbours(tab: Tab) -> None:
    page = explored(tab)
    page.get_by_role("radio", name="Draw", exact=True).click()
    sheet = page.locator(".explorer-sheet")
    sheet.scroll_into_view_if_needed()
    tab.settled()
    read = "[data-read='lab/vae']"
    wait_until(lambda: np.ptp(pixels(page, read)[..., 0]) == 0)
    box = sheet.bounding_box()
    with Quiet(tab):
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.15 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.85 * box["height"], steps=12)
        page.mouse.up()
        wait_until(lambda: np.ptp(pixels(page, read)[..., 0]) > 8)
        near = page.locator("[data-near='lab/vae'] canvas")
        expect(near.first).to_have_attribute("aria-label", re.compile(r"\d"))
        assert near.count() >= 5
        assert min(np.ptp(pixels(page, f"[data-near='lab/vae'] li:nth-child({k}) canvas")[..., 0]) for k in range(1, 6)) > 100
        first = pixels(page, read)
        page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"], steps=12)
        page.mouse.up()
        wait_until(lambda: np.abs(pixels(page, read) - first).max() > 8)


def test_keys_on_the_map_are_not_the_pages_own(tab: Tab) -> None:
    """Streamlit runs the page again at r, and offers to clear its cache at c."""
    page = explored(tab)
    page.get_by_role("radio", name="Draw", exact=True).click()
    page.locator(".explorer-sheet").wait_for()
    tab.settled()
    for place in (".explorer-pad", ".explorer-sheet"):
        with Quiet(tab):
            page.locator(place).focus()
            for key in ("r", "c", "R", "ArrowUp"):
                page.keyboard.press(key)
        assert page.get_by_role("dialog").count() == 0
    before = len(tab.frames)
    page.locator("h1").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("r")
    wait_until(lambda: len(tab.frames) > before or page.wait_for_timeout(20))  # elsewhere the key does what it did


# -------------------------------------------------------------------------------------------------------------- generate


def grid_of(page: Any, seed: int) -> bytes:
    """The image that Generate shows for a seed."""
    shown = page.get_by_role("img", name=re.compile(rf"seed {seed}$"))
    expect(shown).to_be_visible()
    wait_until(lambda: shown.evaluate("(image) => image.complete ? image.naturalWidth : 0") > 100)
    answer = page.request.get(shown.evaluate("(image) => image.src"))
    if answer.status == 404:  # another has just come in its place
        return grid_of(page, seed)
    assert answer.headers["content-type"] == "image/png"  # every pixel as it was drawn
    found: bytes = answer.body()
    return found


def taken(page: Any, kind: str) -> tuple[str, bytes]:
    """A downloaded file: its name and content."""
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {kind}").click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


@pytest.mark.slow
def test_samples_are_those_of_the_command_by_seed(tab: Tab, server: Server, tmp_path: Path) -> None:
    page = tab.open("generate?run=lab/vae&lang=en")  # as a page of its own it was linked to
    expect(page).to_have_url(re.compile("/explore.*part=generate"))
    first = grid_of(page, 0)
    name, content = taken(page, "NPZ")
    with np.load(io.BytesIO(content)) as file:
        images = file["images"]
    run("sample", server.runs / "lab/vae", "--count", 64, "--seed", 0, "--out", tmp_path / "same.npz")
    with np.load(tmp_path / "same.npz") as file:
        assert np.array_equal(images, file["images"])
    assert name == "lab-vae-seed-0.npz"
    name, content = taken(page, "PNG")
    assert name == "lab-vae-seed-0.png"
    run("sample", server.runs / "lab/vae", "--count", 64, "--seed", 0, "--out", tmp_path / "same.png")
    with Image.open(io.BytesIO(content)) as ours, Image.open(tmp_path / "same.png") as theirs:
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))

    page.get_by_role("button", name="Next seed").click()
    second = grid_of(page, 1)
    assert second != first
    expect(page).to_have_url(re.compile("seed=1"))
    page.reload()
    tab.settled()
    assert grid_of(page, 1) == second  # the address holds the seed
    page.get_by_role("spinbutton", name="Seed").fill("0")
    page.keyboard.press("Tab")
    assert grid_of(page, 0) == first
    page.get_by_text("Truncate", exact=True).click()
    slider = page.get_by_role("slider")
    slider.focus()
    slider.press("Home")
    expect(page.get_by_role("button", name="Download PNG")).to_be_enabled()
    wait_until(lambda: grid_of(page, 0) != first)
    wait_until(lambda: taken(page, "NPZ")[0] == "lab-vae-seed-0-truncation-0.2.npz")


# --------------------------------------------------------------------------------------------------------------- compare


def test_the_slider_goes_over_every_saved_step(tab: Tab, server: Server) -> None:
    page = tab.open("compare?runs=old/vae,old/gan&lang=en")
    saved = {name: {int(path.stem[5:]) for path in (server.runs / name / "samples").glob("*.png")} for name in ("old/vae", "old/gan")}
    steps = sorted(set.union(*saved.values()))
    film = page.locator(".film").first
    slider = film.get_by_role("slider")
    slider.focus()
    slider.press("Home")
    for place, step in enumerate(steps):
        expect(film.locator("output")).to_have_text(f"step {step} ({place + 1} of {len(steps)})")
        for name, kept in saved.items():
            own = max(one for one in kept if one <= step)
            image = film.get_by_role("img", name=f"by {name} at step {own}, ")
            expect(image).to_be_visible()
            assert image.get_attribute("src").startswith(f"/lab/picture/samples/{own}?")
        slider.press("ArrowRight")
    expect(film.locator("output")).to_contain_text(f"{len(steps)} of {len(steps)}")
    film.get_by_label("Speed").select_option("10")
    watch = "(o) => { globalThis.played = []; new MutationObserver(() => played.push(o.textContent)).observe(o, { childList: true }) }"
    film.locator("output").evaluate(watch)
    film.get_by_role("button", name="Play").click()
    wait_until(lambda: len(page.evaluate("played")) >= len(steps))
    expect(film.get_by_role("button", name="Play")).to_be_visible()  # it has ended
    assert page.evaluate("played") == [f"step {step} ({place + 1} of {len(steps)})" for place, step in enumerate(steps)]

    told = page.locator(".latentlab-verdict").inner_text()
    assert "Reconstructs best" in told
    assert "old/" not in told  # the folder that all share is left out
    for name in ("Curves", "Scores"):
        page.locator("summary", has_text=name).click()
    scores = page.locator(".latentlab-scores")
    assert scores.get_by_role("columnheader").all_inner_texts()[-3:] == ["floor", "old/vae", "old/gan"]
    told = json.loads((server.runs / "old/vae/scores.json").read_text(encoding="utf-8"))["scores"]["class_reverse_kl_nats"]
    cells = scores.get_by_role("row", name=re.compile("imbalance|reverse", re.IGNORECASE)).first.get_by_role("cell").all_inner_texts()
    assert str(told["floor"]) in cells[2]
    assert all(str(bound) in cells[3] for bound in told["ci95"])
    lines = page.locator("figure.plot").first.locator(".plot-legend .plot-name")
    assert lines.count() >= 1


@pytest.mark.slow
def test_what_was_not_measured_is_measured_from_the_page(tab: Tab, server: Server) -> None:
    page = tab.open("compare?runs=lab/ae&lang=en")
    assert page.locator(".latentlab-scores").count() == 0
    page.get_by_role("button", name="Measure lab/ae").click()
    expect(page.locator(".latentlab-scores thead th", has_text="lab/ae")).to_be_attached(timeout=180_000)
    scores = json.loads((server.runs / "lab/ae/scores.json").read_text(encoding="utf-8"))["scores"]
    assert "reconstruction_mse" in scores
    assert page.get_by_role("button", name="Measure lab/ae").count() == 0

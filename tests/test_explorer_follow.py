"""One image followed through a VAE, an autoencoder and a GAN in a real browser: every number on the way against PyTorch's."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakeruns import LATENT, PRESETS, untrained_lab, untrained_run
from test_explorer_view import Reader, apart, write_page

import latentlab as ll
from latentlab.config import MIXED
from latentlab.models.learner import coded
from latentlab.models.likelihoods import LIKELIHOODS, bernoulli_nats
from latentlab.models.nets import to_unit
from latentlab.models.objectives import kl_to_standard_normal
from latentlab.runs.folder import RunFolder
from latentlab.show.bundle import joined
from latentlab.show.explorer import folder
from latentlab.show.explorer.content import bound_of, explorer_content

pytestmark = pytest.mark.usefixtures("undrawn")
STEPS, STRIDE, FIRST_DRAW = 20, 0.15, 20_000  # of followgame.js


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, ll.Run]:
    root, sizes = tmp_path_factory.mktemp("lab"), {"model.discriminator_channels": (4, 8)}
    given = untrained_run(
        root / "conditional", "sn-gan", ll.load_data("digits"), **sizes, **{"model.conditional": True, "model.classes": 10}
    )
    return untrained_lab(root) | {"gan": given}


@pytest.fixture(scope="module")
def content(runs) -> dict[str, Any]:
    found = explorer_content({name: run.folder for name, run in runs.items()}, precision="fp32", encoders=True)
    assert [model["bound"] for model in found["models"] if model["kind"] in ("ae", "vae")] == ["plain", "plain"]
    found["models"][list(runs).index("ae")]["bound"] = "other"
    return found


@pytest.mark.parametrize(
    ("name", "changes", "bound"),
    [
        ("vae", {"train.beta": 4.0, "train.beta_warmup_steps": 5}, "plain"),
        ("vae", {"train.free_nats": 0.1}, "other"),
        ("vae", {"train.capacity_nats": 5.0}, "other"),
        ("vae", {"train.importance_samples": 2}, "other"),
        ("vae", {"preset": "vae-gan"}, "other"),
        ("ae", {"own": {"loss": "mine (0)"}}, "other"),
    ],
)
def test_the_bound_is_plain_where_training_minimised_what_is_shown(name, changes, bound, tmp_path) -> None:
    preset = changes.get("preset", PRESETS[name])
    config = ll.preset(preset, **{key: value for key, value in changes.items() if key.count(".")})
    config = dataclasses.replace(config, own=tuple(changes.get("own", {}).items()))
    (tmp_path / "config.json").write_text(config.to_json(), encoding="utf-8")
    assert bound_of(RunFolder(tmp_path)) == bound


@pytest.fixture(scope="module")
def page_file(tmp_path_factory, content) -> Path:
    return write_page(tmp_path_factory.mktemp("page") / "explorer.html", content)


@pytest.fixture
def reader(browser, page_file) -> Iterator[Reader]:
    found = Reader(browser, page_file)
    found.en.get_by_role("group", name="Follow one image").scroll_into_view_if_needed()
    found.drawn()
    yield found
    assert found.problems == []
    found.context.close()


def numbers(words: str) -> list[float]:
    return [float(found.replace("\u2212", "-")) for found in re.findall(r"[\u2212-]?\d+(?:\.\d+)?", words)]


def image_of(run: ll.Run, content: dict[str, Any], row: int) -> torch.Tensor:
    """The held-out image of a row of the content, [1, 1, H, W]."""
    codes = np.load(run.path / "latents.npz")
    held_out = np.flatnonzero(codes["index"] == content["numbers"][row])
    return to_unit(torch.from_numpy(run.data().test.images[held_out].copy()))


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_nats_of_pixels_are_pytorchs(name: str, browser) -> None:
    random = torch.Generator().manual_seed(1)
    x = torch.rand((1, 3, 5, 4), generator=random)
    x[0, :, 0], x[0, :, 1] = 0, 1
    outputs = 3 * torch.randn((1, MIXED * 7 if name == "logistic-mixture" else 3, 5, 4), generator=random)
    scale = torch.tensor([-3.0, -1.0, 0.2])
    scaled = name.startswith("gaussian") or name == "logistic"
    given = torch.cat([outputs, scale[None, :, None, None].expand(1, 3, 5, 4)], 1) if scaled else outputs
    theirs = float(LIKELIHOODS[name].nats(given.double(), x.double()))
    page = browser.new_page()
    ask = "([name, o, x, s]) => ({NATS}).pixelNats(name, o, x, [3, 5, 4], s)".replace("{NATS}", joined(folder(), {"pixelNats": "nats.js"}))
    found = page.evaluate(ask, [name, outputs.flatten().tolist(), x.flatten().tolist(), scale.tolist()])
    page.close()
    each = list(found.values()) if isinstance(found, dict) else found
    assert len(each) == 20
    assert sum(each) == pytest.approx(theirs, rel=1e-6)


def test_every_number_on_the_way_through_a_vae_is_pytorchs(reader, runs, content) -> None:
    run, page, en = runs["vae"], reader.page, reader.en
    follow = en.get_by_role("group", name="Follow one image")
    follow.get_by_role("button", name="class 3", exact=True).click()
    row = reader.state()["image"]
    assert content["labels"][row] == 3
    plane = follow.locator(".explorer-orbit")
    plane.focus()
    for key in ("Shift+ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    reader.drawn()
    z = reader.state()["follow"]["z"]
    x, code = image_of(run, content, row), torch.tensor([z])
    networks = run.networks()
    with torch.no_grad():
        q, logits = networks["encoder"](x), networks["decoder"](code)
    kl = kl_to_standard_normal(q.mean, q.log_var)[0].double()
    lost = float(bernoulli_nats(logits.double(), x.double()))
    line = follow.locator(".explorer-total-line")
    assert "minimised another" not in follow.inner_text()
    assert numbers(line.inner_text()) == pytest.approx([lost, 1.0, float(kl.sum()), lost + float(kl.sum())], rel=1e-3, abs=0.051)
    assert apart(reader.image("[data-follow='out']"), run.decode(np.float32([z]))[0, :, :, 0]) <= 1
    assert apart(reader.image("[data-follow='x']"), (255 * x[0, 0]).round().numpy()) == 0

    follow.locator("[data-follow='mu']").focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    reader.drawn()
    unit = reader.state()["follow"]["unit"]
    mu, sigma = float(q.mean[0, unit]), float((0.5 * q.log_var[0, unit]).exp())
    said = numbers(follow.locator(".explorer-pointed").inner_text().replace("σ", " σ"))
    assert said == pytest.approx([unit + 1, mu, sigma, (z[unit] - mu) / sigma, z[unit], float(kl[unit])], rel=0.02, abs=0.006)

    counted = "window.put = 0; const draw = CanvasRenderingContext2D.prototype; const put = draw.putImageData"
    page.evaluate(f"() => {{ {counted}; draw.putImageData = function (...given) {{ window.put++; put.apply(this, given); }} }}")
    follow.locator("[data-follow='out']").focus()
    for key in ("ArrowDown",) * 14 + ("ArrowRight",) * 13:
        page.keyboard.press(key)
    reader.drawn()
    pixel = reader.state()["follow"]["pixel"]
    assert pixel == 14 * 28 + 13
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten()
    said = numbers(follow.locator(".explorer-pointed span").first.inner_text())
    shown = [14, 15, float(x.flatten()[pixel]), float(logits.sigmoid().flatten()[pixel]), float(each[pixel])]
    assert said == pytest.approx(shown, rel=1e-3, abs=0.0051)
    assert page.evaluate("window.put") == 0  # no image was drawn again
    words = follow.locator(".explorer-pointed").inner_text().replace("\n", " ")
    page.wait_for_function("(words) => document.querySelector('#en .explorer-told').textContent === words", arg=words)

    slider = follow.locator(".explorer-weight input")
    slider.fill("2.5")
    reader.drawn()
    assert numbers(line.inner_text()) == pytest.approx([lost, 2.5, float(kl.sum()), lost + 2.5 * float(kl.sum())], rel=1e-3, abs=0.051)
    assert reader.state()["follow"]["z"] == z


def test_epsilon_is_drawn_again_and_again(reader) -> None:
    follow = reader.en.get_by_role("group", name="Follow one image")
    before = reader.image("[data-follow='out']")
    given = reader.image("[data-follow='x']")
    follow.get_by_role("button", name="Draw again").click()
    reader.drawn()
    once = reader.state()["follow"]
    assert (once["draw"], once["since"]) == (2, 2)  # one draw leaves nothing behind
    assert apart(reader.image("[data-follow='out']"), before) > 4
    assert apart(reader.image("[data-follow='x']"), given) == 0
    follow.get_by_role("button", name="Draw 20 times").click()
    reader.page.wait_for_function("() => handles.en.state().follow.draw === 22")
    assert reader.state()["follow"]["since"] == 3
    reader.restore()
    assert reader.state()["follow"]["draw"] == 22


def test_stations_light_their_symbols_and_a_symbol_its_picture_and_its_code(reader) -> None:
    follow = reader.en.get_by_role("group", name="Follow one image")
    lit = "[...document.querySelectorAll('#en .explorer-equation .explorer-lit')].map((one) => one.textContent)"
    assert reader.page.evaluate(lit) == ["μ", "σ"]
    follow.get_by_role("button", name="4 Loss").click()  # where pointer and focus stay
    reader.page.wait_for_function(f"() => ({lit}).length === 3")
    assert reader.page.evaluate(lit) == ["−log p(x|z)", "β", "KL(q(z|x) ‖ p(z))"]
    follow.get_by_text("Code", exact=True).click()
    reader.page.mouse.move(0, 0)  # the code has unfolded under it
    reader.drawn()
    follow.locator(".explorer-symbol", has_text="ε").focus()
    figures = follow.locator(".explorer-stop.explorer-lit figcaption").all_inner_texts()
    assert figures == ["▷ ε"]
    assert "z = q.mean" in follow.locator(".explorer-code .explorer-lit").last.inner_text()
    follow.get_by_role("button", name="Walk").click()
    for station, symbols in ((1, ["μ", "σ"]), (2, ["z", "ε"])):  # under the pointer that pressed the button
        reader.page.wait_for_function("(station) => handles.en.state().follow.station === station", arg=station)
        reader.page.wait_for_function(f"(wanted) => String({lit}) === String(wanted)", arg=symbols)
    follow.get_by_role("button", name="Pause").click()
    assert follow.get_by_role("button", name="2 Draw ε").get_attribute("aria-current") == "step"
    follow.get_by_role("button", name="Walk").click()
    follow.get_by_role("button", name="3 Decode").click()
    follow.get_by_role("button", name="Walk").wait_for()
    assert reader.state()["follow"]["station"] == 3  # chosen by hand, it ended the walk


def test_on_a_phone_a_drag_reads_a_chart_and_a_swipe_beside_it_changes_the_station(browser, page_file) -> None:
    reader = Reader(browser, page_file, viewport={"width": 390, "height": 844}, has_touch=True, reduced_motion="reduce")
    follow = reader.en.get_by_role("group", name="Follow one image")
    follow.scroll_into_view_if_needed()
    for control in follow.locator("button:visible, select:visible, summary:visible").all():
        assert control.bounding_box()["height"] >= 44, control.inner_text()
    swipe = """(node) => ["touchstart", "touchend"].forEach((name, k) => node.dispatchEvent(new TouchEvent(name, {
        bubbles: true, touches: k ? [] : [new Touch({ identifier: 1, target: node, clientX: 200, clientY: 300 })],
        changedTouches: [new Touch({ identifier: 1, target: node, clientX: 200 - 90 * k, clientY: 300 })] })))"""
    for chart in ("x", "mu"):
        follow.locator(f"[data-follow='{chart}']").evaluate(swipe)
    assert reader.state()["follow"]["station"] == 1
    for station in (2, 3, 4):
        follow.locator(".explorer-stop figcaption:visible").last.evaluate(swipe)
        assert reader.state()["follow"]["station"] == station
        reader.drawn()
    follow.locator(".explorer-weight input").fill("0.001")
    reader.drawn()
    assert "+ 0.001 ×" in follow.locator(".explorer-total-line").inner_text()
    bars = "[document.querySelector('#en [data-follow=kl]')].map((one) => one.width / one.clientWidth)[0] === devicePixelRatio"
    assert reader.page.evaluate(bars)
    reader.page.set_viewport_size({"width": 500, "height": 844})
    reader.page.wait_for_function(f"() => {bars}")
    assert reader.problems == []
    reader.context.close()


def test_an_autoencoder_has_no_epsilon(reader, runs, content) -> None:
    follow = reader.en.get_by_role("group", name="Follow one image")
    follow.get_by_label("Run", exact=True).select_option("ae")
    reader.drawn()
    assert "without ε" in follow.locator(".explorer-intro").inner_text()
    assert follow.locator("[data-follow='epsilon'], [data-follow='kl']").count() == 0
    assert "minimised another loss" in follow.locator(".explorer-summed").inner_text()
    run, x = runs["ae"], image_of(runs["ae"], content, reader.state()["image"])
    networks = run.networks()
    with torch.no_grad():
        logits = networks["decoder"](networks["encoder"](x))
    lost = float(LIKELIHOODS[run.config.objective].nats(logits, x))
    assert numbers(follow.locator(".explorer-total-line").inner_text())[-1] == pytest.approx(lost, rel=1e-3, abs=0.051)


def test_a_gans_score_rises_along_autograds_gradient(reader, runs, content) -> None:
    follow = reader.en.get_by_role("group", name="Follow one image")
    follow.get_by_label("Run", exact=True).select_option("gan")
    score = follow.locator(".explorer-score")
    score.get_by_text("Score").wait_for()
    drawn = reader.page.evaluate(f"[...inner_parts.normalDraw({FIRST_DRAW + reader.state()['follow']['draw']}, {LATENT})]")
    row = reader.state()["image"]
    networks, x = runs["gan"].networks(), image_of(runs["vae"], content, row)
    label, own = torch.eye(10)[[0, content["labels"][row]], None]  # of what is drawn, and of the real image
    assert content["labels"][row] > 0
    z, scores = torch.tensor(drawn, dtype=torch.float32), []
    for _ in range(STEPS + 1):
        z.requires_grad_()
        logit = networks["discriminator"](networks["generator"](coded(z[None], label)).sigmoid(), label)[0]
        (slope,) = torch.autograd.grad(logit, z)
        scores.append(float(logit.detach()))
        last, z = z.detach(), (z + STRIDE * slope / slope.norm()).detach()
    assert numbers(score.inner_text()) == pytest.approx(scores[:1], abs=0.006)
    with torch.no_grad():
        real = float(networks["discriminator"](x, own)[0])
    assert numbers(follow.locator(".explorer-score + .explorer-note").inner_text()) == pytest.approx([real], abs=0.006)
    follow.get_by_role("button", name="Follow the gradient").click()
    follow.locator("[data-follow='score'][aria-label^='The score after 20 steps']").wait_for(state="attached")
    assert reader.state()["follow"]["z"] == pytest.approx(last.tolist(), abs=1e-3 * float(last.abs().max()))
    assert numbers(score.inner_text()) == pytest.approx(scores[-1:], abs=0.006)
    assert scores[-1] > scores[0]


def test_a_report_holds_what_reads_images_of_one_vae_and_one_gan(runs) -> None:
    found = explorer_content({name: run.folder for name, run in runs.items()}, encoders="first")
    reading = {model["name"]: sorted({"encoder", "discriminator"} & model.keys()) for model in found["models"]}
    assert reading == {"ae": [], "vae": ["encoder"], "gan": ["discriminator"], "gan-from-vae": []}
    assert json.dumps(found["code"]).count("def ") == 5
    without = explorer_content({"ae": runs["ae"].folder}, encoders="first")["models"][0]
    assert "encoder" in without

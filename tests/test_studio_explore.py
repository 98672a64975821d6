"""Explore where nothing was trained: what comes with the package, and the game against its discriminator."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import wait_until
from readers import Server, Tab, served

import latentlab as ll
from latentlab.base.errors import LabError
from latentlab.base.texts import text
from latentlab.cli.draw import mixed
from latentlab.runs.folder import RunFolder
from latentlab.runs.verify import check_run
from latentlab.studio.library import STARTERS, Library

pytest.importorskip("streamlit")
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)

MOST_BYTES = 1_500_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A studio over a folder in which nothing was ever trained."""
    with served(tmp_path_factory.mktemp("explore") / "runs") as found:
        yield found


# ------------------------------------------------------------------------------------------------ what comes with the package


def test_what_comes_with_the_package_is_small_whole_and_as_it_was_measured() -> None:
    paths = [path for folder in STARTERS.values() for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in paths) <= MOST_BYTES
    for name, path in STARTERS.items():
        folder = RunFolder(path)
        assert [(file.name, wrong) for file, wrong in check_run(folder) if wrong] == []
        assert folder.config().kind == name.removeprefix("latentlab:")
        assert folder.config().model.latent_dim == 2
    scores = ll.open_run(STARTERS["latentlab:vae"]).scores["scores"]
    run = ll.open_run(STARTERS["latentlab:vae"])
    test = run.data().test.images
    error = ((run.reconstruct(test).astype(float) - test) / 255) ** 2
    assert error.mean() == pytest.approx(scores["reconstruction_mse"]["value"], rel=0.02)


def test_it_can_be_looked_at_and_nothing_else(tmp_path: Path) -> None:
    library = Library(tmp_path)
    for name, path in STARTERS.items():
        assert library.look(name).path == path
        for refuses in (library.path, library.open):  # by which runs are trained, measured, renamed, deleted
            with pytest.raises(LabError):
                refuses(name)
    assert library.names() == []


def test_where_nothing_is_trained_explore_shows_it_and_the_others_say_so(tab: Tab) -> None:
    page = tab.open("?lang=en")
    page.locator(".st-key-bar").get_by_role("link", name="Explore").click()
    for name in STARTERS:
        expect(page.locator(f"[data-model='{name}']")).to_be_visible()
    expect(page.get_by_test_id("stMain").get_by_text("VAE · included").first).to_be_visible()
    shown = page.locator("[data-model='latentlab:gan']")
    read = "(c) => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.reduce((sum, each) => sum + each, 0)"
    wait_until(lambda: shown.evaluate(read) > 0)
    before, pad = shown.evaluate(read), page.locator(".explorer-pad")
    pad.focus()
    pad.press("ArrowLeft")
    wait_until(lambda: shown.evaluate(read) != before)
    point = page.locator(".explorer-readout").inner_text()

    page.get_by_role("radio", name="Draw").click()
    expect(page.locator(".explorer-sheet")).to_be_visible()
    expect(page.locator(".explorer-time")).to_have_count(0)  # the walk is with the map
    expect(page.locator(".explorer-readout")).to_have_text(point)  # the same point: nothing was loaded again
    expect(page).to_have_url(re.compile("part=draw"))
    page.reload()
    expect(page.locator(".explorer-sheet")).to_be_visible()
    page.go_back()
    expect(page.locator(".explorer-time")).to_be_visible()

    for name in ("Compare", "Runs"):
        page.locator(".st-key-bar").get_by_role("link", name=name).click()
        main = page.get_by_test_id("stMain")
        expect(main.get_by_text(text("studio.chosen.none", "en"))).to_be_visible()
        expect(main.get_by_role("link", name="Train a model")).to_have_count(1)
        assert main.get_by_text("latentlab:").count() == 0
    page.get_by_test_id("stMain").get_by_role("link", name="Train a model").click()
    expect(page.locator("h1")).to_have_text("Train a model")


def test_models_without_an_encoder_read_no_drawing(tab: Tab) -> None:
    page = tab.open("explore?lang=en&part=draw&runs=latentlab:gan")
    expect(page.get_by_text(text("studio.explore.without.draw", "en"))).to_be_visible()
    expect(page.locator(".explorer-pad")).to_be_hidden()
    page.get_by_role("radio", name="Map").click()
    expect(page.locator(".explorer-pad")).to_be_visible()
    expect(page.get_by_text(text("studio.explore.without.draw", "en"))).to_have_count(0)


# ------------------------------------------------------------------------------------------------------------- the game


def test_twenty_images_are_ten_of_each_by_their_seed() -> None:
    run = ll.open_run(STARTERS["latentlab:gan"])
    images, told = mixed(run, 20, 3)
    again, others = mixed(run, 20, 3)[0], mixed(run, 20, 4)[0]
    assert np.array_equal(images, again)
    assert not np.array_equal(images, others)
    assert (sum(told["real"]), len(images)) == (10, 20)
    test = {image.tobytes() for image in run.data().test.images}
    assert [image.tobytes() in test for image in images] == told["real"]
    judge = run.networks()["discriminator"]
    from latentlab.models.nets import to_unit, torch

    with torch.no_grad():
        logits = judge(to_unit(torch.from_numpy(images)))
    assert told["guessed"] == (logits > 0).tolist()
    with pytest.raises(LabError, match="with a discriminator"):
        mixed(ll.open_run(STARTERS["latentlab:vae"]), 20, 0)


def test_a_game_is_played_by_keyboard_and_both_scores_are_kept(tab: Tab, server: Server) -> None:
    """Which are real is nowhere in the page, nor was it sent, before the answer."""
    received: list[str] = []
    hear = lambda frame: received.append(frame if isinstance(frame, str) else frame.decode("utf-8", "replace"))  # noqa: E731
    tab.page.on("websocket", lambda channel: channel.on("framereceived", hear))
    page = tab.open("?lang=en")
    page.locator(".st-key-bar").get_by_role("link", name="Explore").click()
    page.get_by_role("radio", name="Which are fake?").click()
    images = page.locator("button.game-tile")
    expect(images).to_have_count(20)
    tab.settled()
    assert '"guessed"' not in "".join(received)
    expect(page.get_by_role("button", name="Answer")).to_be_disabled()
    _, told = mixed(ll.open_run(STARTERS["latentlab:gan"]), 20, 0)
    fakes = [image for image, real in enumerate(told["real"]) if not real][:8]  # two are overlooked
    for image in fakes:
        one = page.get_by_role("button", name=f"Image {image + 1}", exact=True)
        one.focus()
        page.keyboard.press("Space")
        expect(one).to_have_attribute("aria-pressed", "true")
    page.get_by_role("radio", name="Français").click()
    expect(page.get_by_role("button", name="Répondre")).to_be_enabled()
    expect(page.locator("button.game-tile[aria-pressed=true]")).to_have_count(len(fakes))  # other words, the same choice
    page.get_by_role("radio", name="English").click()
    page.get_by_role("button", name="Answer").focus()
    page.keyboard.press("Enter")
    network = sum(real == taken for real, taken in zip(told["real"], told["guessed"], strict=True))
    score = f"You 18, the network {network} of 20"
    expect(page.get_by_role("status").filter(has_text=score)).to_be_focused()
    assert '"guessed"' in "".join(received)
    for image, real in enumerate(told["real"]):
        kind, you = ("real" if real else "fake"), ("right" if real or image in fakes else "wrong")
        expect(page.get_by_role("img", name=f"Image {image + 1}: {kind}, you: {you}")).to_have_count(1)
    kept = json.loads((server.runs / ".studio" / "game.json").read_text(encoding="utf-8"))["games"]
    assert [(one["run"], one["seed"], one["fakes"], one["reader"], one["network"]) for one in kept] == [
        ("latentlab:gan", 0, fakes, 18, network)
    ]

    page.get_by_role("button", name="Another twenty").click()
    expect(page.locator("button.game-tile")).to_have_count(20)
    expect(page).to_have_url(re.compile("part=game.*seed=1"))
    page.reload()
    expect(page.locator("button.game-tile")).to_have_count(20)
    page.go_back()
    expect(page.get_by_text(score)).to_be_visible()  # that game is over


def test_a_model_without_a_discriminator_is_not_played_against(tab: Tab) -> None:
    page = tab.open("explore?lang=en&part=generate&run=latentlab:vae")
    page.get_by_role("radio", name="Which are fake?").click()
    expect(page.get_by_text("latentlab:vae has no discriminator of images")).to_be_visible()
    expect(page.locator(".game-tile")).to_have_count(20)


def test_each_browser_of_a_shared_studio_keeps_its_own_games(browser: Any, tmp_path: Path) -> None:
    from latentlab.studio.views import game

    one, other = (Library(tmp_path, reader=letter * 32) for letter in "ab")
    played = {"run": "lab/gan", "checkpoint": "step-00000001", "seed": 0, "fakes": [1], "reader": 9, "network": 11, "count": 20}
    game._keep(one, played)
    assert game._games(one) == [played]
    assert game._games(other) == []
    game._file(one).write_text("{", encoding="utf-8")  # damage costs the games, not the page
    assert game._games(one) == []

"""The eight tasks by which the studio is judged. A reader begins on the page Train and types no address after that; what they do, a
click, a drag or a typed value, is counted, and is no more than was allowed. In English at a desk, in French on a phone; after each
task a reload and the way back from another page lead to the same place.

Where training the form's own defaults would make a test long, the reader comes by a link that a teacher gave, with smaller networks
and fewer steps: the clicks are the same.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import TINY, run, wait_until
from readers import Server, Tab, labelled, served, state_of, tabs

from latentlab.base.texts import text
from latentlab.data import load_data
from latentlab.measure.extractors import networks
from latentlab.runs.folder import RunFolder, list_runs
from latentlab.runs.frames import FRAME
from latentlab.show.answers.record import open_report
from latentlab.show.card import options

pytest.importorskip("streamlit")
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)

READERS = {
    "en": {"locale": "en-GB", "viewport": {"width": 1280, "height": 800}},
    "fr": {"locale": "fr-FR", "viewport": {"width": 390, "height": 844}, "has_touch": True},
}
SMALL = "?preset=mlp-vae&model.latent_dim=2&model.hidden=16&train.threads=1&train.epochs=2"
LIT = "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].reduce((sum, one) => sum + one, 0)"
MINUTES = 60_000.0
QUESTION = "encoder-vs-discriminator"


class Reader:
    """Somebody with a page, and how many things they did to it."""

    def __init__(self, tab: Tab, lang: str) -> None:
        self.tab, self.lang, self.page, self.done = tab, lang, tab.page, 0

    def says(self, key: str, **values: Any) -> str:
        """A text in the reader's language."""
        return text(key, self.lang, **values)

    def clicks(self, found: Any) -> None:
        found.click()
        self.done += 1

    def presses(self, key: str, within: Any = None) -> None:
        """Click the button that says a text, once it can be pressed."""
        button = (within or self.page).get_by_role("button", name=self.says(key), exact=True)
        self.clicks(button.and_(self.page.locator(":enabled")).first)

    def picks(self, key: str) -> None:
        """Click one of several choices that stand beside each other."""
        self.clicks(self.page.get_by_role("radio", name=re.compile(rf"{re.escape(self.says(key))}$")))

    def goes(self, page: str) -> None:
        """Click a page's name in the bar."""
        self.clicks(self.page.locator(".st-key-pages").get_by_role("link", name=re.compile(rf"{self.says(f'studio.page.{page}')}$")))

    def types(self, field: Any, value: str) -> None:
        """Type a value, and leave the field."""
        field.fill(value)
        field.press("Tab")
        self.done += 1

    def drags(self, pad: Any, *way: tuple[float, float]) -> None:
        """Press, move and let go; places as shares of the pad's width and height."""
        pad.scroll_into_view_if_needed()
        box = pad.bounding_box()
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in way]
        self.page.mouse.move(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(*place, steps=8)
        self.page.mouse.up()
        self.done += 1

    def stays(self, sees: Callable[[], object], other: str = "learn") -> None:
        """After a reload, and after a look at another page and Back, the reader sees the same."""
        sees()
        self.page.reload()
        self.tab.settled()
        sees()
        title = self.page.title()
        self.page.locator(".st-key-pages").get_by_role("link", name=re.compile(rf"{self.says(f'studio.page.{other}')}$")).click()
        wait_until(lambda: self.page.wait_for_timeout(20) or self.page.title() != title)
        self.page.go_back()
        wait_until(lambda: self.page.wait_for_timeout(20) or self.page.title() == title)
        self.tab.settled()
        sees()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A studio in which nothing was ever trained."""
    with served(tmp_path / "runs") as found:
        yield found


@pytest.fixture(params=list(READERS))
def reader(request: pytest.FixtureRequest, browser: Any, server: Server) -> Iterator[Callable[[str], Reader]]:
    """A reader who comes to the page Train, by its address or by a teacher's link to it."""
    lang = str(request.param)
    with tabs(browser, server, **READERS[lang]) as opened:

        def comes(link: str = "") -> Reader:
            tab = opened()
            tab.open(link)
            return Reader(tab, lang)

        yield comes


def only_run(server: Server) -> RunFolder:
    """The one run that was started, once it has told its state."""
    wait_until(lambda: [folder for folder in list_runs(server.runs) if state_of(folder)])
    (folder,) = list_runs(server.runs)
    return folder


def painted(found: Any) -> int:
    """A number for what a canvas shows: another one for another picture."""
    value: int = found.evaluate(LIT)
    return value


def paints_anew(found: Any, before: int) -> None:
    wait_until(lambda: found.page.wait_for_timeout(20) or painted(found) != before)


@pytest.mark.slow
def test_1_a_vae_is_trained_paused_slowed_and_goes_on(reader: Any, server: Server) -> None:
    one = reader()
    page, badge = one.page, one.page.locator(".stMarkdownBadge").first
    one.presses("studio.train.start")
    folder = only_run(server)
    one.presses("studio.control.pause")
    expect(badge).to_have_text(re.compile(one.says("studio.state.paused")))
    rate = folder.config().train.learning_rate
    one.clicks(page.get_by_test_id("stMain").locator("summary", has_text=one.says("studio.control.settings")))
    label = labelled("learning_rate", one.lang)
    one.types(page.get_by_label(label).locator("visible=true").first, f"{rate / 2:g}")
    one.presses("studio.control.apply")
    wait_until(lambda: state_of(folder).get("settings", {}).get("train.learning_rate") == pytest.approx(rate / 2))
    at = state_of(folder)["step"]
    one.presses("studio.control.resume")
    wait_until(lambda: state_of(folder)["step"] > at)
    assert (folder.config().preset, one.done) == ("conv-vae", 6)  # 6 were allowed
    name = folder.path.name
    one.stays(lambda: expect(page.locator("h1")).to_have_text(name))
    assert state_of(folder)["settings"]["train.learning_rate"] == pytest.approx(rate / 2)


@pytest.mark.slow
def test_2_a_gan_in_slow_motion_and_one_half_by_hand(reader: Any, server: Server) -> None:
    one = reader()
    page, badge = one.page, one.page.locator(".stMarkdownBadge").first
    one.picks("run.gan.short")
    expect(page).to_have_url(re.compile("preset=sn-gan"))
    one.presses("studio.train.start")
    folder = only_run(server)
    one.presses("studio.control.slow")
    expect(badge).to_have_text(re.compile(one.says("studio.state.slow")))
    one.presses("studio.control.pause")
    expect(badge).to_have_text(re.compile(one.says("studio.state.paused")))
    wait_until(lambda: state_of(folder).get("state") == "paused")
    last = state_of(folder).get("half", {})
    following = "generator" if last.get("phase") == "discriminator" else "discriminator"
    one.presses(f"studio.control.phase.{following}")
    wait_until(lambda: state_of(folder).get("half", {}).get("phase") == following)
    half = state_of(folder)["half"]
    said = one.says("studio.control.half", step=str(half["step"]), phase=one.says(f"studio.phase.{following}"))
    assert one.done == 5  # as many were allowed

    def sees() -> None:
        expect(page.locator("h1")).to_have_text(folder.path.name)
        expect(badge).to_have_text(re.compile(one.says("studio.state.paused")))
        expect(page.get_by_text(said, exact=True)).to_be_visible()
        expect(page.locator(".film-tiles").last).to_be_visible()

    one.stays(sees)


def test_3_another_image_is_followed_and_epsilon_drawn_twice(reader: Any) -> None:
    one = reader()
    page = one.page
    one.goes("explore")
    one.picks("studio.explore.part.follow")
    follow = page.get_by_role("group", name=one.says("explorer.follow.title"))
    given, made = follow.locator("[data-follow=x]"), follow.locator("[data-follow=out]")
    wait_until(lambda: page.wait_for_timeout(20) or (given.count() and painted(given)))
    before = painted(given)
    one.presses("explorer.follow.next", follow)
    paints_anew(given, before)
    again = follow.locator("[data-follow=again]")
    if not again.is_visible():  # on a phone a station is a card of its own
        one.clicks(follow.get_by_role("button", name=f"2 {one.says('explorer.follow.epsilon')}"))
    for _ in range(2):
        before = painted(made)
        one.clicks(again)
        paints_anew(made, before)
    assert one.done == {"en": 5, "fr": 6}[one.lang]  # 6 were allowed
    one.stays(lambda: expect(follow.locator(".explorer-stations")).to_be_visible())


def test_4_what_comes_with_the_package_is_dragged_and_reads_a_digit(reader: Any) -> None:
    one = reader()
    page = one.page
    one.goes("explore")
    shown = page.locator("[data-model='latentlab:vae']")
    wait_until(lambda: page.wait_for_timeout(20) or (shown.count() and painted(shown)))
    before = painted(shown)
    one.drags(page.locator(".explorer-pad"), (0.5, 0.5), (0.7, 0.3))
    paints_anew(shown, before)
    one.picks("studio.explore.part.draw")
    read = page.locator("[data-read='latentlab:vae']")
    read.wait_for(state="attached")
    before = painted(read)
    one.drags(page.locator(".explorer-sheet"), (0.5, 0.15), (0.5, 0.85))
    paints_anew(read, before)
    assert one.done == 4  # as many were allowed
    one.stays(lambda: expect(page.locator(".explorer-sheet")).to_be_visible())


def test_5_a_ring_is_learned_by_one_loss_and_by_another(reader: Any, server: Server) -> None:
    one = reader()
    page, where = one.page, one.page.locator(".plane-where")
    moved = re.compile(one.says("studio.plane.stage.at", step="[1-9]"))
    one.goes("plane")
    one.presses("studio.train.start")
    where.filter(has_text=moved).wait_for()
    first = only_run(server).config().train.loss
    one.clicks(page.get_by_role("combobox", name=one.says("studio.plane.loss"), exact=True))
    one.clicks(page.get_by_role("option", name=re.compile("Wasserstein")))
    page.locator(".plane-facts").filter(has_text=re.compile(one.says("studio.plane.stage.idle")[:12])).wait_for()
    one.presses("studio.train.start")
    where.filter(has_text=moved).wait_for()
    runs = {folder.path.name: folder for folder in list_runs(server.runs)}
    assert sorted(folder.config().train.loss for folder in runs.values()) == sorted([first, "wasserstein"])
    wait_until(lambda: runs["point-gan-ring-001"].status()["state"] == "stopped")
    assert one.done == 5  # as many were allowed

    def sees() -> None:
        where.filter(has_text=moved).wait_for()
        assert "run=plane%2Fpoint-gan-ring-002" in page.url.replace("plane/point", "plane%2Fpoint")
        expect(page.get_by_role("combobox", name=one.says("studio.plane.loss"), exact=True)).to_have_value(re.compile("Wasserstein"))

    one.stays(sees)
    assert (runs["point-gan-ring-002"].path / "plane.bin").stat().st_size > FRAME.itemsize


@pytest.mark.slow
def test_6_beta_is_swept_and_the_verdict_read(reader: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "LEAST_STEPS", 150)
    networks.classifier_for(load_data("digits"))  # which would be trained while the reader waits
    one = reader(SMALL)
    page = one.page
    one.presses("studio.several")
    one.types(
        page.get_by_label(re.compile(re.escape(one.says("studio.several.values", name="")))).and_(page.get_by_role("textbox")), "1, 10"
    )
    one.presses("studio.train.start", page.locator("[data-testid=stPopoverBody]"))
    rows = page.locator(".latentlab-verdict .latentlab-row")
    expect(rows).to_have_count(5, timeout=10 * MINUTES)
    expect(page.get_by_role("progressbar")).to_have_count(0, timeout=10 * MINUTES)
    assert sorted(folder.config().train.beta for folder in list_runs(server.runs)) == [1.0, 10.0]
    assert one.done == 3  # 5 were allowed

    def sees() -> None:
        expect(rows).to_have_count(5)
        expect(rows.first).to_contain_text("beta-")

    one.stays(sees)


@pytest.mark.slow
def test_7_a_question_is_predicted_run_and_answered(reader: Any, server: Server) -> None:
    one = reader()
    page, words = one.page, "KL"
    one.goes("learn")
    one.clicks(page.get_by_test_id("stMain").locator(f"a[href*='question={QUESTION}']").first)
    option = one.says(f"question.{QUESTION}.option.{options(QUESTION)[0]}")
    one.clicks(page.get_by_test_id("stRadio").get_by_text(option, exact=True))
    one.presses("studio.learn.keep")
    one.presses("studio.learn.start")
    answer = page.get_by_role("textbox", name=one.says("studio.answers.own"))
    one.types(answer, words)
    expect(page.locator("[class*=st-key-learn-claim]").first).to_be_visible(timeout=10 * MINUTES)
    assert one.done == 6  # as many were allowed

    def sees() -> None:
        expect(page.locator("[class*=st-key-learn-claim]").first).to_be_visible()
        expect(answer).to_have_value(words)

    one.stays(sees, other="compare")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "vae"
    run("train", "mlp-vae", *TINY, "--epochs", "1", "--out", path)
    return path


@pytest.mark.slow
def test_8_a_report_is_handed_in(reader: Any, server: Server, trained: Path) -> None:
    shutil.copytree(trained, server.runs / "vae")
    one = reader()
    page = one.page
    one.goes("runs")
    one.picks("studio.runs.view.report")
    name = page.get_by_role("textbox", name=one.says("studio.report.name"), exact=True)
    one.types(name, "Ada Lovelace")
    one.presses("studio.report.write.button")
    page.get_by_role("button", name=one.says("studio.report.download")).wait_for(timeout=10 * MINUTES)
    with page.expect_download() as downloaded:
        one.presses("studio.report.download")
    handed = open_report(Path(downloaded.value.path()))
    assert (handed.state, list(handed.record["runs"]), handed.record["answers"]["name"]) == ("sound", ["vae"], "Ada Lovelace")
    assert one.done == 5  # as many were allowed

    def sees() -> None:
        expect(name).to_have_value("Ada Lovelace")
        expect(page.get_by_role("button", name=one.says("studio.report.download"))).to_be_visible()

    one.stays(sees)

"""Every link inside the studio, clicked: it leads where its address leads, and one stays there whatever one does next."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest
from commands import wait_until
from fakeruns import fake_run
from readers import Server, Tab, served, tabs

from latentlab.base.texts import text
from latentlab.runs.folder import RunFolder, list_runs

pytest.importorskip("streamlit")
playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
expect.set_options(timeout=60_000)

MENU = "[data-st-overlay-root]"
LINKS = "[data-testid=stPageLink] a, a.latentlab-mark"
AWKWARD = "a__b"  # a name that Streamlit once took for the name of a part of the page


class Place(NamedTuple):
    """What an address names: its path and its parameters."""

    path: str
    parameters: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, url: str) -> Place:
        parts = urlsplit(url)
        return cls(parts.path, frozenset(parse_qsl(parts.query)))

    @property
    def kind(self) -> tuple[str, ...]:
        """Pages that are drawn alike."""
        return self.path, *sorted(name for name, _ in self.parameters)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    runs = tmp_path_factory.mktemp("links") / "runs"
    for name, family in (("lab/vae", "vae"), (AWKWARD, "gan")):
        folder = fake_run(runs / name, family)
        (folder.path / "status.json").write_text(json.dumps({"state": "finished", "step": 40}), encoding="utf-8")
    with served(runs) as found:
        yield found


def opened(tab: Tab, url: str) -> Any:
    """A page with its first menu open, whose links count too."""
    page = tab.open(url.removeprefix(tab.address))
    page.locator(LINKS).nth(2).wait_for()
    menu = page.get_by_test_id("stMain").get_by_role("button", name=re.compile("More$"))
    if menu.count():
        menu.first.click()
        page.get_by_role("button", name=re.compile("Check the files")).wait_for()
    return page


def collected(page: Any) -> list[str]:
    """The address of each link that is there, as the browser understands it."""
    return page.locator(LINKS).evaluate_all("(all) => all.filter((one) => one.checkVisibility()).map((one) => one.href)")


def walked(tab: Tab, whole: bool) -> tuple[dict[Place, str], dict[tuple[Place, Place], tuple[str, int]]]:
    """The title of every place that links lead to, and (the page's address, which of its links) for each step between two.

    Of the pages that are drawn alike only the first two are gone on from, unless `whole`.
    """
    titles: dict[Place, str] = {}
    steps: dict[tuple[Place, Place], tuple[str, int]] = {}
    waiting = [f"{tab.address}?lang=en"]
    while waiting:
        url = waiting.pop(0)
        place = Place.of(url)
        if place in titles or (not whole and sum(place.kind == other.kind for other in titles) > 1):
            continue
        page = opened(tab, url)
        titles[place] = page.locator("h1").first.inner_text()
        for index, target in enumerate(collected(page)):
            steps.setdefault((place, Place.of(target)), (url, index))
            waiting.append(target)
    return titles, steps


def alike(source: Place, target: Place) -> tuple[object, ...]:
    """Steps that the short walk takes once: within a page by both ends, to another page by where they lead."""
    return (source.kind, target.kind) if source.path == target.path else (target.kind,)


def choose(page: Any) -> None:
    """Change something: a prediction, a number, where there is neither the language."""
    main, took = page.get_by_test_id("stMain"), False

    def change() -> bool:
        """Whether there is nothing to change, or it was; False where it went away meanwhile, with the page that was there before."""
        nonlocal took
        for chosen in (main.locator("[data-testid=stRadio] label:not(:has(input:checked))"), main.get_by_test_id("stNumberInputStepUp")):
            for one in chosen.all():
                try:
                    if one.is_visible() and one.is_enabled() and one.get_attribute("data-testid", timeout=2_000) != "stWidgetLabel":
                        one.click(timeout=2_000)
                        took = True
                        return True
                except playwright.TimeoutError:
                    return False
        return True

    wait_until(change)
    if took:
        return
    page.get_by_role("radio", name="Français").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    page.wait_for_url(re.compile("lang=fr"))


def at(tab: Tab, place: Place, title: str) -> None:
    """Wait until a page is there, at its address."""
    tab.page.wait_for_url(lambda url: Place.of(url) == place)
    expect(tab.page.locator("h1").first).to_have_text(title)
    tab.settled()


def is_kept(page: Any, place: Place) -> bool:
    """Whether the address still names the place; what was chosen may stand there too."""
    now = Place.of(page.url)
    return now.path == place.path and {pair for pair in place.parameters if pair[0] != "lang"} <= now.parameters


@pytest.mark.slow  # a minute or two of clicks; what the findings named is clicked by the tests below
@pytest.mark.parametrize("whole", [False, True])
def test_every_link_leads_there_and_one_stays(browser: Any, server: Server, whole: bool) -> None:
    with tabs(browser, server) as open_tab:
        tab = open_tab()
        titles, steps = walked(tab, whole)
        assert {"/", "/learn", "/runs", "/explore", "/compare"} <= {place.path for place in titles}
        done: set[tuple[object, ...]] = set()
        for (source, target), (url, index) in steps.items():
            if target not in titles or source == target or (not whole and alike(source, target) in done):
                continue
            done.add(alike(source, target))
            page = tab.page
            if Place.of(page.url) != source or source.path == "/runs":  # whose menu is to be opened
                opened(tab, url)
            link = page.locator(LINKS).locator("visible=true").nth(index)
            if link.evaluate(f"one => document.querySelector('{MENU}') && !one.closest('{MENU}')"):
                page.keyboard.press("Escape")  # the open menu may lie over it; what is in the menu comes last, so that the number stays
            link.click()
            at(tab, target, titles[target])
            choose(page)
            tab.settled()
            assert is_kept(page, target), (source, target, page.url)
            title = page.locator("h1").first.inner_text()
            with page.expect_navigation():  # the address of that very moment: what was chosen may enter it late
                chosen = Place.of(page.evaluate("() => { const { href } = location; location.reload(); return href; }"))
            at(tab, chosen, title)
            if chosen != target:
                page.go_back()
                at(tab, target, titles[target])
            page.go_back()
            at(tab, source, titles[source])
        assert len(done) > 12


def test_from_a_run_the_form_starts_another(browser: Any, server: Server) -> None:
    """The bar's link leads from a run to the form, which stays there: Start starts what it shows."""
    with tabs(browser, server) as open_tab:
        tab = open_tab()
        page = tab.open("?run=lab/vae&lang=en")
        bar = page.locator(".st-key-bar")
        bar.get_by_role("link", name="Train", exact=True).click()
        expect(page.locator("h1")).to_have_text("Train a model")
        before = {folder.path for folder in list_runs(server.runs)}
        tab.typed("latent_dim", 3)
        expect(page).to_have_url(re.compile("latent_dim=3"))
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.locator("h1")).to_have_text(re.compile("conv-vae-digits"))
        wait_until(lambda: {folder.path for folder in list_runs(server.runs)} - before)
        (made,) = {folder.path for folder in list_runs(server.runs)} - before
        assert RunFolder(made).config().model.latent_dim == 3
        page.get_by_role("button", name="Stop").click()
        # An address that names no page says so.
        page = tab.open("nowhere?lang=en")
        expect(page.get_by_text("There is no page nowhere.")).to_be_visible()
        tab.problems.clear()  # Streamlit's own word of it


def test_a_lost_message_chooses_nothing(browser: Any, server: Server) -> None:
    """A script that is begun anew drops what was not yet sent, thus also which option of a list was set: the browser shows that one all
    the same, and does not tell the first one as if a reader had chosen it."""
    forward = pytest.importorskip("streamlit.proto.ForwardMsg_pb2").ForwardMsg

    def without_values(message: Any) -> Any:
        told = forward.FromString(message)
        if told.WhichOneof("type") == "delta" and told.delta.WhichOneof("type") == "new_element":
            element = told.delta.new_element
            widget = getattr(element, element.WhichOneof("type"))
            if getattr(widget, "set_value", False):
                lost.append(element.WhichOneof("type"))
                widget.set_value = False
        return told.SerializeToString()

    def carry(channel: Any) -> None:
        far = channel.connect_to_server()
        channel.on_message(far.send)
        far.on_message(lambda message: channel.send(without_values(message)))

    with tabs(browser, server) as open_tab:
        tab, lost = open_tab(), list[str]()
        tab.page.route_web_socket(re.compile("_stcore/stream"), carry)
        page = tab.open("?lang=en")
        tab.typed("latent_dim", 3)  # with which the browser tells every choice that it has
        expect(page).to_have_url(re.compile("latent_dim=3"))
        tab.settled()
        assert {"selectbox", "button_group"} <= set(lost)
        assert "preset=" not in page.url
        expect(page.get_by_role("radio", name=text("run.vae.short", "en"), exact=True)).to_be_checked()
        page.get_by_role("button", name="Start", exact=True).click()
        expect(page.locator("h1")).to_have_text(re.compile("conv-vae-digits"))
        page.get_by_role("button", name="Stop").click()


def test_a_question_stays_open_while_its_experiment_runs(browser: Any, server: Server) -> None:
    with tabs(browser, server) as open_tab:
        tab = open_tab()
        page = tab.open("learn?lang=en")
        page.get_by_test_id("stMain").get_by_role("link", name=re.compile("^2")).click()
        expect(page).to_have_url(re.compile("question=kl"))
        title = text("question.kl.title", "en")
        page.get_by_test_id("stRadio").locator("label").nth(1).click()
        page.get_by_role("button", name="Run the experiment").click()
        expect(page.get_by_text("The experiment has been running")).to_be_visible()
        expect(page.locator("h1")).to_have_text(title)
        page.get_by_role("button", name="Stop the experiment").click()
        expect(page.get_by_text("The experiment has been running")).to_be_hidden()
        page.get_by_role("radio", name="Français").click()
        expect(page.locator("h1")).to_have_text(text("question.kl.title", "fr"))
        page.reload()
        expect(page.locator("h1")).to_have_text(text("question.kl.title", "fr"))


def test_a_server_that_is_gone_is_told_in_the_readers_language(browser: Any, server: Server, tmp_path: Path) -> None:
    with tabs(browser, server) as open_tab, served(tmp_path / "runs") as other:
        tab = open_tab()
        page = tab.page
        page.goto(other.address + "?lang=fr")
        tab.settled()
        other.kill()
        said = page.get_by_role("alert").filter(has_text="Les entraînements en cours continuent")
        expect(said).to_be_visible()
        assert page.get_by_text("internet").locator("visible=true").count() == 0
        page.close()  # it would go on asking
        tab.problems.clear()  # of a connection that is gone


@pytest.mark.slow
def test_who_shares_a_studio_has_a_sheet_of_his_own_and_a_link_that_works(browser: Any, server: Server, tmp_path: Path) -> None:
    with served(tmp_path / "runs", "--expose", "127.0.0.1") as shared, tabs(browser, server) as open_tab:
        for own in (False, True):  # two browsers
            tab = open_tab(own=own)
            page = tab.page
            page.goto(shared.address.replace("/?", "/learn?question=kl&lang=en&"))
            tab.settled()
            assert page.get_by_test_id("stRadio").locator("input:checked").count() == 0
            page.get_by_test_id("stRadio").locator("label").nth(1 + own).click()
            sheets = lambda: list((tmp_path / "runs" / ".studio").glob("answers-*.md"))  # noqa: E731
            wait_until(lambda own=own, sheets=sheets: len(sheets()) == 1 + own)
            page.locator(".st-key-bar").get_by_role("link", name="Train", exact=True).click()
            page.get_by_role("button", name="Link to this form").click()
            link = page.get_by_test_id("stCode").inner_text().strip()
            tab.address = shared.address  # the host that it may ask
        other = open_tab(own=True)
        other.page.goto(link)
        expect(other.page.locator("h1")).to_have_text("Train a model")
        assert "token" not in other.page.url
        other.address = shared.address

"""lab.html in a real browser, from file://: both languages, every control by keyboard, no console error, no outside request."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from commands import wait_until
from handins import bare_card

from latentlab.show.report import write_page
from latentlab.show.report.asked import shown_runs

# Visible and enabled things that a keyboard must reach.
CONTROLS = "a[href], button, input, select, summary, [tabindex='0']"


@pytest.fixture(scope="module")
def lab_page(browser, quick_lab: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quick lab's page with a question; asked for after the browser, so that nothing is trained where there is none."""
    lab = quick_lab / "lab"
    compared = json.loads((lab / "comparison.json").read_text(encoding="utf-8"))
    return write_page(tmp_path_factory.mktemp("page") / "lab.html", shown_runs([lab]), compared, "en", cards={"kl": bare_card("kl")})


class Opened:
    """A page that is open, with what it said and asked for."""

    def __init__(self, browser, path: Path, width: int = 1200, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
        self.page.locator("html[data-ready=yes]").wait_for(state="attached", timeout=60_000)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def to(self, section: str) -> None:
        """Follow the contents to a section, which unfolds."""
        self.page.locator("main:not([hidden]) nav").get_by_role("link", name=section, exact=True).click()

    def switch(self, lang: str) -> None:
        self.page.locator(f".languages button[lang={lang}]").click()
        self.page.locator(f"html[lang={lang}]").wait_for(state="attached")
        self.page.locator(f"main[lang={lang}] .explorer canvas").first.wait_for()


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
def test_the_page_stands_alone_and_fits_in_both_languages(width: int, scheme: str, lab_page, browser) -> None:
    with Opened(browser, lab_page, width, scheme) as opened:
        page = opened.page
        for lang in ("en", "fr"):
            opened.switch(lang)
            page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            page.evaluate("Promise.all([...document.images].map((one) => one.decode().catch(() => 0)))")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.locator(f"main[lang={lang}]").is_visible()
            assert page.locator("main:visible").count() == 1
            shown = page.evaluate(
                "[...document.querySelectorAll('main:not([hidden]) img')].map((i) => [i.alt.length > 9, i.complete && i.naturalWidth > 0])"
            )
            assert shown
            assert all(said and loaded for said, loaded in shown)
        assert opened.problems == []
        assert [url for url in opened.asked if not url.startswith(("file://", "data:"))] == []


def test_the_policy_of_the_page_lets_its_own_decoders_run(lab_page, browser) -> None:
    """With the page's own content policy in force: the kernel is compiled, nothing is blocked."""
    context = browser.new_context()
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(lab_page.as_uri())
    page.locator("html[data-ready=yes]").wait_for(state="attached", timeout=60_000)
    page.locator("main:not([hidden]) .explorer canvas").first.wait_for()
    assert problems == []
    context.close()


def test_no_word_of_one_language_is_left_in_the_other(lab_page, browser) -> None:
    """Of each text that both trees show, the French one stands in the French tree: no element repeats an English sentence."""
    with Opened(browser, lab_page) as opened:
        opened.switch("fr")
        opened.switch("en")
        sentences = (
            "(lang) => [...document.querySelectorAll(`main[lang=${lang}] :is(p, h2, h3, h4, li, figcaption, legend, label, button)`)]"
            ".filter((e) => !e.querySelector('p, li')).map((e) => e.textContent.trim())"
        )
        english, french = (set(opened.page.evaluate(sentences, lang)) for lang in ("en", "fr"))
        same = {words for words in english & french if len(re.findall(r"[^\W\d_]{2,}", words)) >= 5}
        assert not {words for words in same if not words.startswith("latentlab ")} - titles_of_sources()
        labels = "(lang) => [...document.querySelectorAll(`main[lang=${lang}] [aria-label]`)].map((e) => e.getAttribute('aria-label'))"
        here, there = (set(opened.page.evaluate(labels, lang)) for lang in ("en", "fr"))
        assert not {words for words in here & there if len(re.findall(r"[^\W\d_]{2,}", words)) >= 3}


def titles_of_sources() -> set[str]:
    """Papers are cited alike in both languages."""
    from latentlab.base.texts import catalogue

    return {words for key, words in catalogue("en").items() if ".source." in key}


def test_the_slider_and_its_keys_change_the_grids(lab_page, browser) -> None:
    with Opened(browser, lab_page) as opened:
        page = opened.page
        slider = page.locator("main:not([hidden]) .viewer input[type=range]")
        slider.focus()

        def shown() -> str:
            seen = "[...document.querySelectorAll('main:not([hidden]) .film-run img')].filter((i) => i.checkVisibility())"
            return page.evaluate(seen + ".map((i) => i.src.slice(-60)).join()")

        page.keyboard.press("End")
        last = shown()
        page.keyboard.press("Home")
        wait_until(lambda: shown() != last)
        page.keyboard.press("ArrowRight")
        assert slider.evaluate("(s) => Number(s.value) > Number(s.min)")
        page.keyboard.press("End")
        wait_until(lambda: shown() == last)


def test_what_was_set_is_there_in_the_other_language(lab_page, browser) -> None:
    with Opened(browser, lab_page) as opened:
        page = opened.page
        page.locator("main:not([hidden]) .viewer input[type=range]").focus()
        page.keyboard.press("Home")
        question = page.locator("main:not([hidden]) .question").first
        assert not question.is_visible()
        opened.to("Questions")
        question.locator("input[type=radio]").nth(1).check()
        question.locator("summary").first.click()
        page.locator("main:not([hidden]) .explorer canvas[tabindex='0']").first.focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        page.wait_for_function("document.querySelector('main:not([hidden]) .explorer-spoken').textContent.length > 5")
        before = settled(page)
        opened.switch("fr")
        page.locator("main[lang=fr] .explorer canvas").first.scroll_into_view_if_needed()  # what is out of sight is not drawn
        assert settled(page, before) == before
        there = page.locator("main[lang=fr]")
        assert there.locator(".viewer input[type=range]").evaluate("(s) => s.value === s.min")
        assert there.locator(".question").first.locator("input[type=radio]").nth(1).is_checked()
        assert there.locator(".question").first.is_visible()
        assert not there.locator("[data-section=settings] pre").first.is_visible()  # what was not unfolded is not so there
        assert there.locator(".question details").first.evaluate("(d) => d.open")


def test_an_image_is_followed_in_the_report_and_stays_in_the_other_language(lab_page, browser) -> None:
    with Opened(browser, lab_page) as opened:
        opened.to("Follow")
        follow = opened.page.locator("main[lang=en] .explorer[data-parts=follow]")
        follow.get_by_role("button", name="Draw again").click()
        follow.get_by_role("button", name="4 Loss").click()
        last = "() => document.querySelector('main:not([hidden]) [data-follow=map]').closest('figure').classList.contains('explorer-lit')"
        opened.page.wait_for_function(last)
        follow.get_by_label("Run", exact=True).select_option("gan")
        follow.locator(".explorer-score").get_by_text("Score").wait_for()
        english = follow.locator(".explorer-score").inner_text()
        opened.switch("fr")
        french = opened.page.locator("main[lang=fr] .explorer[data-parts=follow] .explorer-score")
        french.get_by_text("Note").wait_for()
        assert french.inner_text().split("=")[1].replace(",", ".") == english.split("=")[1]
        assert opened.problems == []


def settled(page, wanted: list[str] | None = None) -> list[str]:
    """The live images when they have been drawn: the same twice, or those that are waited for."""
    last: list[str] = []
    for _ in range(1200):
        page.wait_for_timeout(250)
        script = "[...document.querySelectorAll('main:not([hidden]) canvas.explorer-live')].slice(0, 4).map((c) => c.toDataURL())"
        last, before = page.evaluate(script), last
        if last == wanted or (wanted is None and last and last == before):
            break
    return last


@pytest.mark.parametrize("width", [1200, 390])
def test_every_control_is_reached_by_the_tab_key(width: int, lab_page, browser) -> None:
    """Tab goes through all of them; none is smaller than a fingertip may hit, none without a name."""
    with Opened(browser, lab_page, width) as opened:
        page = opened.page
        page.evaluate("document.querySelectorAll('.folded').forEach((one) => { one.open = true; })")
        page.evaluate(
            f"""[...document.querySelectorAll("{CONTROLS}")]
              .filter((e) => e.checkVisibility() && !e.disabled && e.tabIndex >= 0).forEach((e, i) => {{ e.dataset.reach = i; }})"""
        )
        wanted = set(page.evaluate("[...document.querySelectorAll('[data-reach]')].map((e) => e.dataset.reach)"))
        # Of radio buttons of one name, Tab reaches one; arrows go on from there.
        radios = page.evaluate(
            """[...Map.groupBy([...document.querySelectorAll('input[type=radio][data-reach]')], (e) => e.name).values()]
              .map((group) => group.map((e) => e.dataset.reach))"""
        )
        page.evaluate("document.body.focus()")
        reached: set[str] = set()
        for _ in range(2 * len(wanted)):
            page.keyboard.press("Tab")
            at = page.evaluate("document.activeElement?.dataset?.reach ?? null")
            if at is None:
                continue
            if at in reached:
                break
            reached.add(at)
        for group in radios:
            if reached & set(group):
                reached |= set(group)
        assert wanted - reached == set(), page.evaluate(
            "(names) => names.map((n) => document.querySelector(`[data-reach='${n}']`).outerHTML.slice(0, 120))", sorted(wanted - reached)
        )
        nameless = page.evaluate(
            """[...document.querySelectorAll('[data-reach]')].filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length
              || e.getAttribute('aria-labelledby') || e.title)).map((e) => e.outerHTML.slice(0, 120))"""
        )
        assert nameless == []


def test_the_configuration_can_be_downloaded_and_read_back(lab_page, browser, tmp_path) -> None:
    from latentlab.config.schema import Config

    with Opened(browser, lab_page) as opened:
        opened.to("Settings")
        with opened.page.expect_download() as download:
            opened.page.locator("main:not([hidden]) .downloads a").first.click()
        path = tmp_path / "config.json"
        download.value.save_as(path)
    assert Config.from_json(path.read_text(encoding="utf-8"), str(path)).preset == "conv-ae"
    assert json.loads(path.read_text(encoding="utf-8"))["data"]["root"] is None


def test_it_is_short_and_leads_to_what_is_folded(lab_page, browser) -> None:
    with Opened(browser, lab_page, 1280) as opened:
        page = opened.page
        assert page.evaluate("document.documentElement.scrollHeight") <= 9_000
        scores = page.locator("main:not([hidden]) [data-section=comparison] table").first
        assert not scores.is_visible()
        opened.to("Scores")
        assert scores.is_visible()
        bar = page.locator("main:not([hidden]) nav").bounding_box()
        wait_until(lambda: abs(page.locator("main:not([hidden]) [data-section=comparison]").bounding_box()["y"] - bar["height"]) < 40)
        assert page.locator("main:not([hidden]) nav").bounding_box()["y"] == 0  # it stays


def test_it_prints_without_controls_and_with_what_is_open_and_the_scores(lab_page, browser, tmp_path) -> None:
    with Opened(browser, lab_page) as opened:
        page = opened.page
        page.emulate_media(media="print")
        page.pdf(path=str(tmp_path / "short.pdf"), format="A4")
        assert 3 <= len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "short.pdf").read_bytes())) <= 8
        page.emulate_media(media="screen")
        opened.to("Questions")
        page.emulate_media(media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert page.locator("main:not([hidden]) details.answer:not([open])").count() == 0
        assert page.locator("main:not([hidden]) [data-section=comparison] table").first.is_visible()
        assert not page.locator("main:not([hidden]) [data-section=background] .folded").is_visible()
        assert not page.locator(".languages").is_visible()
        assert not page.locator("main:not([hidden]) .controls").first.is_visible()
        paper = page.pdf(path=str(tmp_path / "page.pdf"), format="A4")
        assert paper.startswith(b"%PDF")
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert page.locator("main:not([hidden]) details.answer[open]").count() == 0

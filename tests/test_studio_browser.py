"""The whole studio in a real browser: languages, narrow screens, the keyboard, links, and nobody else asked."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from commands import wait_until
from fakeruns import fake_run, untrained_run
from PIL import Image
from readers import Server, Tab, labelled, served, tabs

import latentlab as ll
from latentlab.base.texts import text
from latentlab.runs.folder import RunFolder
from latentlab.show.charts.payload import capital

pytest.importorskip("streamlit")
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)

TITLES = {
    "": "studio.train.title", "explore": "studio.page.explore", "plane": "studio.plane.title",
    "compare": "studio.compare.title", "learn": "studio.page.learn", "runs": "studio.page.runs",
}  # fmt: skip
# Each page by its address, and what must have come before it is looked at.
PAGES = {
    "": ".latentlab-blocks >> nth=1",
    "?run=lab/vae": ".film img >> nth=0",
    "explore?runs=lab/vae,lab/gan": ".explorer-card canvas >> nth=1",
    "plane": ".plane-facts",
    "explore?part=draw&runs=lab/vae,lab/gan": ".explorer-sheet",
    "explore?part=generate&run=lab/gan": "[data-testid=stImage] img, [data-testid=stImageContainer] img",
    "explore?part=game&run=lab/gan": ".game-tile >> nth=19",
    "compare?runs=lab/vae,lab/gan": ".latentlab-verdict",
    "learn": "[data-testid=stMain] h1",
    "learn?question=kl": "[data-testid=stMain] h1",
    "runs": "[data-testid=stMain] h1",
}
MAIN_ACTIONS = {
    "": ".st-key-begin [data-testid=stBaseButton-primary]",
    "explore?runs=lab/vae,lab/gan": ".explorer-pad",
    "plane": ".st-key-begin [data-testid=stBaseButton-primary]",
    "explore?part=generate&run=lab/gan": "button:has-text('Download PNG'):visible",
    "explore?part=game&run=lab/gan": ".game-tile >> nth=19",
    "compare?runs=lab/vae,lab/gan": ".film-play >> nth=0",
    "learn": "[data-testid=stMain] a[href*='question='] >> nth=0",
    "runs": "[data-testid=stMain] a[href*='run='] >> nth=0",
}


def at_rest(folder: RunFolder) -> None:
    (folder.path / "status.json").write_text(json.dumps({"state": "finished", "step": folder.metrics()[-1]["step"]}), encoding="utf-8")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """lab/: two runs with everything, their networks too."""
    runs = tmp_path_factory.mktemp("browser") / "runs"
    data = ll.load_data("digits")
    for name, preset, more in (("vae", "conv-vae", {}), ("gan", "sn-gan", {"model.discriminator_channels": (4, 8)})):
        untrained_run(runs / "made" / name, preset, data, **more)
        fake_run(runs / "lab" / name, name)
        for part in ("config.json", "environment.json", "checkpoints", "latents.npz", "thumbnails.png"):
            if (runs / "made" / name / part).exists():
                target = runs / "lab" / name / part
                target.unlink(missing_ok=True)
                (runs / "made" / name / part).rename(target)
        at_rest(RunFolder(runs / "lab" / name))
    shutil.rmtree(runs / "made")
    with served(runs) as found:
        yield found


def looked_at(tab: Tab, path: str, lang: str) -> Any:
    """A page in a language, when all of it is there."""
    page = tab.open(f"{path}{'&' if '?' in path else '?'}lang={lang}")
    page.locator(PAGES[path]).first.wait_for()
    for part in page.locator(".explorer-part").all():
        part.scroll_into_view_if_needed()  # what is out of sight is neither drawn nor named yet
    page.wait_for_load_state("networkidle")
    return page


NAMELESS = """(all) => all.filter((e) => e.checkVisibility() && !e.closest('[aria-hidden=true]') && !e.getAttribute('aria-label')
  && !e.closest('[role=img][aria-label]')).map((e) => e.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("lang", ["en", pytest.param("fr", marks=pytest.mark.slow)])
def test_every_page_asks_nobody_else_and_says_what_it_shows(tab: Tab, lang: str) -> None:
    """(At its end every tab is asked for errors in its console, requests to other hosts, and what the policy refused.)"""
    for path in PAGES:
        page = looked_at(tab, path, lang)
        key = TITLES[path.partition("?")[0]]
        if path == "?run=lab/vae" or "question" in path:
            assert page.locator("h1").count() == 1
        else:
            assert page.locator("h1").all_inner_texts() == [text(key, lang)]
        assert page.get_by_test_id("stException").count() == 0
        without = "(all) => all.filter((e) => !e.hidden && !e.hasAttribute('alt')).map((e) => e.outerHTML.slice(0, 200))"
        assert page.locator("img").evaluate_all(without) == [], path
        wait_until(lambda page=page: page.locator("canvas:not([data-near] canvas)").evaluate_all(NAMELESS) == [])
        for chart in page.locator("figure.plot:visible").all():
            summary = chart.locator("figcaption").inner_text()
            assert len(summary) > 20
            assert chart.get_by_role("application").get_attribute("aria-label").startswith(summary)
            assert chart.locator(".plot-chart").get_attribute("aria-label") == summary
    assert len(tab.asked) > 50


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_words_stand_out_from_what_is_behind_them(browser: Any, server: Server, scheme: str) -> None:
    with tabs(browser, server, color_scheme=scheme) as opened:
        tab = opened()
        for path in PAGES:
            page = looked_at(tab, path, "en")
            expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", scheme)
            assert tab.faint() == [], path
        page.evaluate("(colour) => { document.querySelector('h1').style.color = colour }", {"light": "#aaa", "dark": "#555"}[scheme])
        assert len(tab.faint()) == 1  # and what is faint is found


def test_the_walk_would_see_another_host(tab: Tab) -> None:
    page = tab.open("?lang=en")
    page.evaluate("document.body.append(Object.assign(new Image(), { src: 'http://203.0.113.7/x.png' }))")
    page.wait_for_function("refused.length")
    assert any("203.0.113.7" in url for url in tab.outside())
    wait_until(lambda: page.wait_for_timeout(20) or tab.problems)
    tab.problems.clear()
    tab.asked.clear()
    page.evaluate("refused = []")


def test_french_is_switched_at_run_time_and_kept(tab: Tab) -> None:
    page = tab.open("?lang=en")
    page.get_by_role("radio", name="Français").click()
    expect(page.locator("h1")).to_have_text(text("studio.train.title", "fr"))
    expect(page).to_have_url(re.compile("lang=fr"))
    page.reload()
    tab.settled()
    expect(page.locator("h1")).to_have_text(text("studio.train.title", "fr"))
    for name, title in TITLES.items():
        page.locator(".st-key-bar").get_by_role("link", name=text(f"studio.page.{name or 'train'}", "fr"), exact=True).click()
        expect(page.locator("h1")).to_have_text(text(title, "fr"))
        expect(page).to_have_url(re.compile("lang=fr"))
        assert text(title, "fr") != text(title, "en")
    page.get_by_role("radio", name="English").click()
    expect(page.locator("h1")).to_have_text(text("studio.page.runs", "en"))


def test_without_a_language_in_the_address_it_is_the_browsers(browser: Any, server: Server) -> None:
    with tabs(browser, server, locale="fr-CA") as opened:
        assert opened().open("compare").locator("h1").inner_text() == text("studio.compare.title", "fr")


@pytest.mark.slow
def test_the_tour_goes_on_when_something_is_done_and_is_left_at_any_time(tab: Tab) -> None:
    page = tab.open("?lang=en")
    card, skip = page.locator("#latentlab-tour"), page.get_by_role("button", name=text("studio.tour.skip", "en"))
    page.get_by_role("button", name=text("studio.tour", "en"), exact=True).click()
    expect(card).to_contain_text(text("studio.tour.1", "en"))
    page.locator(".st-key-train-data button").first.click()  # which is what the first stop asks for
    expect(card).to_contain_text(text("studio.tour.2", "en"))
    expect(page.locator("#latentlab-lit")).to_be_visible()
    for _ in range(2):
        page.get_by_role("button", name=text("studio.tour.next", "en")).click()
    expect(card).to_contain_text("Open Explore.")  # the fourth stop is on another page
    page.locator(".st-key-pages").get_by_role("link", name=re.compile("Explore")).click()
    expect(card).to_contain_text(text("studio.tour.why.4", "en"))
    skip.focus()
    page.keyboard.press("Escape")
    expect(card).to_have_count(0)
    page.evaluate("localStorage.removeItem('latentlab-tour')")  # a first visit: it is offered, on the first page alone
    page.locator(".st-key-pages").get_by_role("link", name=re.compile("Train")).click()
    expect(card).to_contain_text(text("studio.tour.offer", "en"))
    skip.click()
    expect(card).to_have_count(0)
    page.reload()
    page.locator(".st-key-begin [data-testid=stBaseButton-primary]").wait_for()
    expect(card).to_have_count(0)


def test_the_way_back_leads_back(tab: Tab) -> None:
    """No page writes into the address what it began with: that would put itself in the way."""
    page = tab.open("?preset=mlp-vae&train.epochs=3&lang=en")
    page.get_by_role("button", name="Start", exact=True).wait_for()
    for name in ("Explore", "Compare", "Explore"):
        page.locator(".st-key-bar").get_by_role("link", name=name, exact=True).click()
        expect(page.locator("h1")).to_have_text(re.compile(name))
        tab.settled()
    page.get_by_role("radio", name="Generate").click()
    page.get_by_role("img", name=re.compile("seed 0$")).wait_for()
    page.get_by_role("button", name="Next seed").click()
    page.get_by_role("img", name=re.compile("seed 1$")).wait_for()
    page.go_back()
    page.get_by_role("img", name=re.compile("seed 0$")).wait_for()
    page.go_back()
    page.locator(".explorer-pad").wait_for()
    for name in ("Compare", "Explore", "Train"):
        page.go_back()
        expect(page.locator("h1")).to_have_text(re.compile(name))
        tab.settled()
    expect(page.get_by_role("combobox", name="Network", exact=True)).to_have_value(re.compile("mlp-vae"))
    expect(page.get_by_label(labelled("epochs"))).to_have_value("3")


@pytest.mark.slow
def test_a_narrow_screen_shows_everything(browser: Any, server: Server) -> None:
    wide = """(all) => all
      .filter((e) => e.checkVisibility() && e.getBoundingClientRect().width)
      .filter((e) => !e.closest('.latentlab-scores, .st-key-pages, [data-testid=stButtonGroup]')) // which scroll by themselves
      .map((e) => [Math.round(e.getBoundingClientRect().left), Math.round(e.getBoundingClientRect().right), e.outerHTML.slice(0, 160)])
      .filter(([left, right]) => left < -1 || right > innerWidth + 1)"""
    with tabs(browser, server, viewport={"width": 390, "height": 844}, has_touch=True) as opened:
        one = opened()
        for path in PAGES:
            page = looked_at(one, path, "en")
            assert one.overflow() <= 0, path
            assert page.get_by_test_id("stMain").locator("button, input, a, select, canvas").evaluate_all(wide) == [], path
            if path in MAIN_ACTIONS:
                page.locator(MAIN_ACTIONS[path]).click(trial=True)  # it can be scrolled to, and nothing lies on it
            if path.startswith("compare"):
                rows = page.locator(".latentlab-verdict .latentlab-row").evaluate_all("(all) => all.map((e) => e.offsetHeight)")
                assert len(rows) == 5
                assert min(rows) >= 72
                page.get_by_test_id("stMain").locator("summary", has_text="Scores").click()
                value = page.locator(".latentlab-scores tbody tr").first.locator("td:visible").first.bounding_box()
                assert value["x"] + value["width"] <= 390


@pytest.mark.slow
def test_a_teachers_link_fills_the_form_and_hides_controls(browser: Any, server: Server) -> None:
    with tabs(browser, server) as opened:
        one = opened()
        page = one.open("?preset=mlp-vae&model.latent_dim=5&train.seed=7&hide=train.seed,advanced,generate&lang=en")
        field = lambda page, name: page.get_by_label(labelled(name))  # noqa: E731
        expect(field(page, "latent_dim").first).to_have_value("5")
        assert field(page, "seed").count() == 0
        assert page.get_by_test_id("stExpander").count() == 1  # but what the preset says of itself
        links = page.locator(".st-key-bar").get_by_role("link")
        links.filter(has_text="Explore").click()
        expect(page.get_by_role("radio", name="Which are fake?")).to_be_visible()
        assert page.get_by_role("radio", name="Generate").count() == 0
        page.go_back()
        expect(page.locator("h1")).to_have_text("Train a model")
        one.settled()  # a page that is left while it is drawn writes itself into the history anew, without its parameters
        links.filter(has_text="Compare").click()
        expect(page.locator("h1")).to_have_text("Compare models")
        assert "hide=train.seed" in page.url.replace("%2C", ",")
        page.go_back()
        expect(page.locator("h1")).to_have_text("Train a model")
        expect(field(page, "latent_dim").first).to_have_value("5")

        field(page, "epochs").first.fill("3")
        field(page, "epochs").first.press("Tab")
        expect(page).to_have_url(re.compile("epochs=3"))
        page.get_by_role("button", name="Link to this form").click()
        one.chosen("Hide", capital(text("field.train.epochs", "en")))
        code = page.get_by_test_id("stCode")
        expect(code).to_contain_text(re.compile(r"hide=\S*train\.epochs"))
        link = code.inner_text().strip()
        other = opened(own=True).page
        other.goto(link)
        expect(other.locator("h1")).to_have_text("Train a model")
        expect(field(other, "latent_dim").first).to_have_value("5")
        expect(other.get_by_role("button", name="Start", exact=True)).to_be_enabled()
        assert field(other, "epochs").count() == field(other, "seed").count() == 0
        assert {"train.epochs=3.0", "train.seed=7", "preset=mlp-vae"} <= set(re.split("[?&]", other.url))


def is_marked(page: Any) -> bool:
    """Whether what has the focus can be seen to have it: by more than a shade, on more than a few pixels."""
    box = page.evaluate(
        "() => { globalThis.held = document.activeElement; const b = held.getBoundingClientRect(); return [b.x, b.y, b.width, b.height] }"
    )
    x, y, width, height = box
    clip = {"x": max(0, x - 10), "y": max(0, y - 10), "width": min(width + 20, 1280), "height": min(height + 20, 900)}
    shots = []
    for act in ("held", "held.blur()"):
        page.evaluate(act)
        with Image.open(io.BytesIO(page.screenshot(clip=clip, animations="disabled"))) as shot:
            shots.append(np.asarray(shot.convert("RGB")).astype(int))
    page.evaluate("held.focus({ focusVisible: true })")
    return bool((np.abs(shots[0] - shots[1]).max(2) > 40).sum() > 40)


HELD = """() => { const e = document.activeElement; return `${e.tagName} ${e.getAttribute('aria-label') || e.innerText || ''}` }"""


# All elements, those within components too.
DEEP = """function* deep(root) {
  for (const e of root.querySelectorAll('*')) { yield e; if (e.shadowRoot) yield* deep(e.shadowRoot); }
}
const up = (e) => e.parentElement ?? e.getRootNode().host ?? null;
const told = (e) => `${e.localName}.${e.className?.baseVal ?? e.className} ${(e.ariaLabel ?? e.textContent ?? '').trim().slice(0, 40)}`;
const there = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && e.getClientRects().length > 0;"""
# What looks as if a pointer could do something with it, while neither it nor what it is in or around can be reached by keys.
POINTED = f"""() => {{ {DEEP}
  const keyed = 'a[href], button, input, select, textarea, summary, [tabindex="0"], [role=radio], [role=option]';
  const hands = ['pointer', 'grab', 'crosshair', 'ew-resize', 'col-resize', 'cell'];
  const hand = (e) => e && hands.includes(getComputedStyle(e).cursor);
  const shortCut = (e) => e.closest('[aria-hidden=true]');  // to what a control beside it does
  return [...deep(document)].filter((e) => there(e) && hand(e) && !hand(up(e)) && !shortCut(e)).filter((e) => {{
    for (let a = e; a && a.localName !== 'main'; a = up(a)) if (a.matches(keyed) || a.disabled || a.ariaDisabled === 'true') return false;
    return ![e, ...deep(e)].some((inner) => inner.matches(keyed)) && !e.closest('label');
  }}).map(told);
}}"""
# What Tab should come to: all that takes the focus in the order of the page; of radio buttons one.
TABBED = f"""() => {{ {DEEP}
  globalThis.numbered ??= new Map();
  const takes = (e) => e.matches('a[href], button, input, select, textarea, summary, [tabindex]') && e.tabIndex >= 0
    && !e.disabled && !e.closest('[inert]');
  const first = (e) => e.getRootNode().querySelector(`[name="${{e.name}}"]`);
  globalThis.stop = (e) => e.closest('[role=radiogroup]') ?? (e.type === 'radio' ? first(e) : e);  // between them arrows lead
  return [...deep(document)].filter((e) => takes(e) && there(e)).map((e) => {{
    if (!numbered.has(stop(e))) numbered.set(stop(e), numbered.size);
    return [numbered.get(stop(e)), told(e)];
  }});
}}"""
FOCUSED = """() => {
  let e = document.activeElement;
  while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
  return e && e !== document.body ? numbered.get(stop(e)) ?? -1 : null;
}"""
# Whether the element that has the focus looks so: a line round it, or a shadow or another border, on it or close around it.
LOOKS = """async () => {
  const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  let e = document.activeElement;
  while (e?.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
  const look = (e) => { const s = getComputedStyle(e); return [s.outlineStyle === 'none' || s.outlineWidth === '0px' ? '' : s.outline,
    s.boxShadow, s.borderColor, s.backgroundColor, s.fill, s.stroke].join(';'); };
  const chain = []; for (let a = e; a && chain.length < 5; a = a.parentElement ?? a.getRootNode().host) chain.push(a);
  const beside = [...(e.parentElement?.children ?? [])], all = [...chain, ...beside, ...e.querySelectorAll('*')];
  await drawn();
  const before = all.map(look);
  e.blur();
  await drawn();
  const after = all.map(look);
  e.focus({ focusVisible: true });
  return before.some((one, i) => one !== after[i]);
}"""


@pytest.mark.slow
def test_keys_reach_everything_and_show_where_they_are(browser: Any, server: Server) -> None:
    """Tab comes to all that takes the focus, which looks so there; nothing else looks as if a pointer could do something with it."""
    with tabs(browser, server) as opened:
        tab, wrong = opened(), list[str]()
        for path in PAGES:
            page = looked_at(tab, path, "en")
            tab.settled()
            found = [f"by a pointer alone: {one}" for one in page.evaluate(POINTED)]
            wanted = dict(page.evaluate(TABBED))
            page.add_style_tag(content="* { transition: none !important }")  # a border that comes slowly is not there yet
            page.evaluate("() => { document.activeElement?.blur?.(); scrollTo(0, 0); }")
            reached = set[int | None]()
            for _ in range(2 * len(wanted) + 20):
                page.keyboard.press("Tab")
                number = page.evaluate(FOCUSED)
                if number not in (None, *reached) and not page.evaluate(LOOKS):
                    found.append(f"not seen: {wanted.get(number)}")
                reached.add(number)
                if reached >= wanted.keys():
                    break
            wanted |= dict(page.evaluate(TABBED))
            found += [f"not reached: {what}" for number, what in wanted.items() if number not in reached]
            wrong += [f"{path}: {one}" for one in found]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_training_is_started_with_the_keyboard_alone(browser: Any, server: Server) -> None:
    with tabs(browser, server) as opened:
        one = opened()
        page = one.open("?preset=mlp-vae&model.hidden=8&train.threads=1&data.train_images=96&train.epochs=2&lang=en")
        page.get_by_role("button", name="Start", exact=True).wait_for()
        seen: list[str] = []
        for key, wanted in (("Tab", "INPUT " + capital(text("field.model.latent_dim", "en"))), ("Shift+Tab", r"BUTTON [\s\S]*\bStart$")):
            for _ in range(80):
                page.keyboard.press(key)
                seen.append(page.evaluate(HELD))
                assert is_marked(page), seen[-1]
                if re.match(wanted, seen[-1]):
                    break
            assert re.match(wanted, seen[-1]), seen
            if key == "Tab":
                page.keyboard.type("3")  # what has the focus is selected
        expect(page).to_have_url(re.compile("latent_dim=3"))
        page.keyboard.press("Enter")
        expect(page.locator(".stMarkdownBadge").first).to_have_text(re.compile("finished"))
        assert RunFolder(server.runs / page.locator("h1").inner_text()).config().model.latent_dim == 3

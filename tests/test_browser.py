"""lab.html in a real browser, from file://: no console error, no outside request, the slider reaches every grid."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from commands import run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine: install it to test the page in a browser")
    out = tmp_path_factory.mktemp("lab") / "lab"
    found = {}
    for lang in ("en", "fr"):
        run("lab", "--quick", "--out", out, "--lang", lang)
        found[lang] = out.parent / f"{lang}.html"
        shutil.copy(out / "lab.html", found[lang])
    return found


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (390, "dark")])
def test_the_page_stands_alone_and_fits(lang: str, width: int, scheme: str, pages, browser) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    problems, asked = [], []
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(pages[lang].as_uri())
    page.wait_for_timeout(200)
    assert problems == []
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.lang") == lang
    assert page.evaluate("[...document.images].every(i => i.alt.length > 9 && (i.naturalWidth > 0 || i.loading === 'lazy'))")
    context.close()


def test_the_slider_and_its_keys_change_the_grids(pages, browser) -> None:
    page = browser.new_page()
    page.goto(pages["en"].as_uri())
    slider = page.locator("input[type=range]").first
    slider.focus()
    shown = lambda: page.evaluate("[...document.querySelectorAll('figure img')].map(i => i.src.length + i.src.slice(-60)).join()")  # noqa: E731
    page.keyboard.press("End")
    last = shown()
    page.keyboard.press("Home")
    first = shown()
    assert first != last
    page.keyboard.press("ArrowRight")
    assert slider.evaluate("s => Number(s.value) > Number(s.min)")
    page.keyboard.press("End")
    assert shown() == last
    page.close()

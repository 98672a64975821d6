"""The explorer as a guest: one module or many, a shadow root, a host's colours and shortcuts, what it tells, what it leaves behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import wait_until
from fakeruns import untrained_run
from hosted import FRAMES
from test_explorer_view import Reader, write_page

import latentlab as ll
from latentlab.show.explorer import ENTRY, module
from latentlab.show.explorer import style as explorer_style
from latentlab.show.explorer.content import explorer_content

WIDGET = "widget.js"  # a notebook's host: it stands behind the joined module
STATIC = resources.files("latentlab.show.explorer").joinpath("static")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("lab")
    data = ll.load_data("digits")
    run = untrained_run(root / "vae", "conv-vae", data, **{"train.seed": 1})
    found = explorer_content({"vae": run.folder}, precision="fp16", encoders=True)
    return write_page(root / "explorer.html", found)


@pytest.fixture
def reader(browser, page_file) -> Iterator[Reader]:
    found = Reader(browser, page_file)
    yield found
    assert found.problems == []
    found.context.close()


# ------------------------------------------------------------------------------------------------------------- one module


def test_the_joined_module_imports_nothing_and_exports_what_its_entry_does() -> None:
    joined = module()
    assert not re.search(r"^\s*import\b|\bfrom \"\./", joined, flags=re.MULTILINE)
    assert re.findall(r"^export .*$", joined, flags=re.MULTILINE) == ["export const { network, open, explore } = latentlabExplorer;"]
    for file in STATIC.iterdir():
        if file.name.endswith(".js") and file.name != WIDGET:
            text = file.read_text(encoding="utf-8")
            assert text.count("\n") < 300, file.name
            if file.name != ENTRY:
                assert text.rstrip().splitlines()[-1].removeprefix("export ") in joined, file.name


def test_the_files_are_real_modules_too(browser, page_file) -> None:
    """Served one by one they give the same explorer: every file imports what it uses."""
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    html = (
        page_file.read_text(encoding="utf-8")
        .replace("default-src 'none'; ", "")
        .replace("script-src 'unsafe-inline'", "script-src 'self' 'unsafe-inline'")
    )
    start, end = html.index('<script type="module">') + 22, html.index("Object.assign(window")
    html = html[:start] + f'import {{ explore }} from "./{ENTRY}";\n' + html[end:]
    html = html.replace("Object.assign(window, { PRINTED, HUES });", "").replace("curved, spell, backwards, normalDraw, ", "")
    asked: list[str] = []

    def answer(route: Any) -> None:
        name = route.request.url.rsplit("/", 1)[1]
        asked.append(name)
        if name == "page":
            route.fulfill(body=html, content_type="text/html")
        else:
            route.fulfill(body=STATIC.joinpath(name).read_text(encoding="utf-8"), content_type="text/javascript")

    page.route("http://explorer.test/**", answer)
    page.goto("http://explorer.test/page")
    page.wait_for_selector("html[data-ready]")
    there = {file.name for file in STATIC.iterdir() if file.name.endswith(".js")} - {WIDGET}
    assert sorted(asked)[:-1] == sorted(there | {"page"})[:-1]
    for part in page.locator(".explorer-part").all():
        part.scroll_into_view_if_needed()
        page.evaluate(FRAMES)
    pad = page.locator(".explorer-sheet")
    pad.focus()
    for key in ("Space", "Shift+ArrowDown", "Shift+ArrowRight", "Space"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Use as the chosen point").click()
    page.get_by_label("Plane", exact=True).select_option("units")
    page.get_by_label("Fill with images").select_option("vae")
    page.get_by_role("button", name="Another image").click()
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("() => handles.en.state().walk.t > 0")
    page.evaluate("window.dispatchEvent(new Event('beforeprint')); handles.en.restore(handles.en.state()); handles.en.destroy()")
    assert problems == []
    page.close()


# ----------------------------------------------------------------------------------------------------------------- a host


def test_keys_in_the_explorer_do_not_reach_the_hosts_shortcuts(reader) -> None:
    reader.page.evaluate("window.heard = []; document.addEventListener('keydown', (event) => heard.push(event.key))")
    for selector in (".explorer-pad", ".explorer-sheet", ".explorer-time", ".explorer-select", ".explorer-button"):
        reader.page.locator(f"#en {selector}").first.focus()
        for key in ("r", "c", "Escape", "ArrowRight", "Delete"):
            reader.page.keyboard.press(key)
    assert reader.page.evaluate("heard") == []
    reader.page.keyboard.press("Control+b")
    reader.page.keyboard.press("Tab")
    assert reader.page.evaluate("heard") == ["Control", "b", "Tab"]


HOSTED = """async (css) => {
  const host = document.body.appendChild(document.createElement('div'));
  host.style.cssText = 'all: initial; display: block; width: 900px';
  const shadow = host.attachShadow({ mode: 'open' });
  shadow.appendChild(document.createElement('style')).textContent = css;
  const root = shadow.appendChild(document.createElement('div'));
  window.hosted = await inner_parts.explore(root, content_of_page(), JSON.parse(words_of_page()), { lang: 'en' });
  Object.assign(window, { host, shadow, root });
  host.scrollIntoView({ behavior: 'instant' });
}"""


def test_in_a_shadow_root_the_pad_is_drawn_on_and_controls_keep_the_focus(reader) -> None:
    reader.page.evaluate("handles.en.destroy()")
    reader.page.evaluate(HOSTED, explorer_style())
    pad = reader.page.locator(".explorer-sheet")
    pad.scroll_into_view_if_needed()
    pad.focus()
    reader.drawn()
    gold = """() => { const c = shadow.querySelector('.explorer-sheet');
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      let found = 0; for (let k = 0; k < d.length; k += 4) found += d[k] === 255 && d[k + 1] === 201 && d[k + 2] === 77; return found; }"""
    reader.page.keyboard.press("ArrowRight")
    reader.drawn()
    assert reader.page.evaluate(gold) > 30  # the pen's place is shown where the pad has the focus
    reader.page.keyboard.press("Space")
    reader.page.keyboard.press("Shift+ArrowDown")
    reader.page.wait_for_function("() => hosted.state().drawing?.strokes.length === 1")
    assert reader.page.locator("[data-read='vae']").evaluate("(c) => c.width") == 28
    choice = reader.page.get_by_label("Plane", exact=True)
    choice.focus()
    choice.select_option("units")
    reader.drawn()
    assert reader.page.evaluate("shadow.activeElement.tagName") == "SELECT"
    assert reader.page.evaluate("getComputedStyle(shadow.querySelector('.explorer-sheet')).touchAction") == "none"
    reader.page.evaluate("hosted.destroy()")
    assert reader.page.evaluate("root.childNodes.length") == 0


def test_a_host_sets_the_colours_whatever_the_system_prefers(browser, page_file) -> None:
    reader = Reader(browser, page_file, color_scheme="light")
    reader.page.evaluate("handles.en.destroy()")
    reader.page.evaluate(HOSTED, explorer_style())
    read = """() => { const c = shadow.querySelector('.explorer-dots');
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, found = {};
      for (let k = 0; k < d.length; k += 4) {
        const key = `${d[k]} ${d[k + 1]} ${d[k + 2]}`;
        if (d[k + 3] === 255) found[key] = (found[key] || 0) + 1;
      }
      return found; }"""
    wait_until(lambda: reader.page.evaluate(read).get("63 144 218", 0) > 50)  # the first class
    colours = {
        "ink": "rgb(240 241 242)",
        "ground": "rgb(10 20 30)",
        "rule": "rgb(1 2 3)",
        "class-1": "rgb(7 8 9)",
        "dark": "1",
        "vae": "rgb(4 5 6)",
    }
    reader.page.evaluate(
        "(colours) => Object.entries(colours).forEach(([name, value]) => host.style.setProperty(`--explorer-${name}`, value))", colours
    )
    reader.page.evaluate("hosted.recolour()")
    reader.drawn()
    dark = reader.page.evaluate(read)
    assert not dark.get("63 144 218")
    assert dark.get("136 186 232", 0) > 50  # the first class on dark ground
    assert dark.get("7 8 9", 0) > 50
    assert dark.get("1 2 3", 0) > 100  # the axes
    assert dark.get("10 20 30", 0) > 100  # behind names
    style = "(selector, what) => getComputedStyle(shadow.querySelector(selector))[what]"
    wanted = {
        ".explorer-root": ("color", "rgb(240, 241, 242)"),
        ".explorer-box": ("backgroundColor", "rgb(10, 20, 30)"),
        ".explorer-swatch": ("backgroundColor", "rgb(4, 5, 6)"),
    }
    for selector, (what, colour) in wanted.items():
        assert reader.page.evaluate(f"([selector, what]) => ({style})(selector, what)", [selector, what]) == colour
    reader.context.close()


def test_every_colour_of_the_style_sheet_can_be_set(browser) -> None:
    """Outside the block of variables no colour is written but black behind images, white on paper and the hint on black."""
    sheet = explorer_style()
    rest = re.sub(r"--x-[\w-]+: [^;]*;|/\*.*?\*/", "", sheet, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-f]{3,6}\b|rgba?\(", rest) == ["#a9a9a9"]
    for name in re.findall(r"--x-([\w-]+):", sheet):
        assert re.search(rf"--x-{name}: (var\(--explorer-|#|[01];|var\(--x-own)", sheet), name


def test_it_tells_the_state_at_most_four_times_a_second(reader) -> None:
    reader.page.evaluate("window.told = []; window.stop = handles.en.onchange((state) => told.push([performance.now(), state])); null")
    reader.page.evaluate("handles.en.recolour()")
    reader.page.wait_for_timeout(350)
    assert reader.page.evaluate("told.length") == 0  # nothing that a host would keep has changed
    reader.pad().focus()
    for _ in range(60):
        reader.page.keyboard.press("ArrowRight")
        reader.page.wait_for_timeout(15)
    reader.page.wait_for_function("() => JSON.stringify(told.at(-1)[1]) === JSON.stringify(handles.en.state())")
    times, states = zip(*reader.page.evaluate("told"), strict=True)
    assert len(times) >= 3
    assert np.diff(times).min() >= 240  # 250 by a clock that is some milliseconds late now and then
    assert states[-1] == reader.state()
    assert states[0] != states[-1]
    reader.page.evaluate("handles.en.restore({ ...handles.en.state(), at: [0.5, 0.5] })")
    reader.page.wait_for_timeout(400)
    assert reader.page.evaluate("told.length") == len(times)  # who restores knows
    reader.page.evaluate("stop(); null")
    reader.page.keyboard.press("ArrowLeft")
    reader.page.wait_for_timeout(400)
    assert reader.page.evaluate("told.length") == len(times)


COUNTED = """() => {
  const open = window.open_ones = { listeners: [], timers: new Set(), intervals: new Set(), frames: new Set(), observers: new Set() };
  {
    const { addEventListener: add, removeEventListener: remove } = EventTarget.prototype;
    const outside = (target) => target === window || target === document || target instanceof MediaQueryList;
    EventTarget.prototype.addEventListener = function (...all) {
      if (outside(this)) open.listeners.push([this, all[0], all[1]]);
      return add.apply(this, all);
    };
    EventTarget.prototype.removeEventListener = function (...all) {
      open.listeners = open.listeners.filter(([target, name, act]) => !(target === this && name === all[0] && act === all[1]));
      return remove.apply(this, all);
    };
  }
  const counted = (start, stop, set, once) => {
    const [begin, end] = [window[start], window[stop]];
    window[start] = (act, ...rest) => {
      const id = begin((...all) => { if (once) set.delete(id); act(...all); }, ...rest);
      set.add(id);
      return id;
    };
    window[stop] = (id) => { set.delete(id); end(id); };
  };
  counted('setTimeout', 'clearTimeout', open.timers, true);
  counted('setInterval', 'clearInterval', open.intervals, false);
  counted('requestAnimationFrame', 'cancelAnimationFrame', open.frames, true);
  for (const name of ['ResizeObserver', 'IntersectionObserver']) {
    window[name] = class extends window[name] {
      observe(...all) { open.observers.add(this); return super.observe(...all); }
      disconnect() { open.observers.delete(this); return super.disconnect(); }
    };
  }
}"""


def test_destroying_leaves_nothing_behind(browser, page_file) -> None:
    reader = Reader(browser, page_file)
    reader.page.evaluate("handles.en.destroy()")
    reader.page.evaluate(COUNTED)
    reader.page.evaluate(HOSTED, explorer_style())
    count = "() => Object.values(open_ones).map((kind) => kind.length ?? kind.size)"
    began = reader.page.evaluate(count)
    assert began[0] >= 3
    assert began[4] >= 3
    reader.page.evaluate("hosted.onchange(() => {}); null")
    # Once it takes the focus: until then the key would press the player again.
    reader.page.wait_for_function(
        "() => { const on = shadow.querySelector('.explorer-sheet'); on.focus(); return shadow.activeElement === on; }"
    )
    reader.page.keyboard.press("Space")
    reader.page.keyboard.press("Shift+ArrowDown")
    reader.page.locator(".explorer-pad").focus()
    reader.page.keyboard.press("ArrowRight")
    reader.page.get_by_label("Fill with images").select_option("vae")
    reader.page.evaluate("shadow.querySelector('.explorer-play').click()")  # last, and from within: a key or a late click would stop it
    assert reader.page.evaluate(count)[2] == 1  # it plays
    left = reader.page.evaluate(f"() => {{ hosted.destroy(); return ({count})(); }}")
    assert left == [0, 0, 0, 0, 0]
    reader.page.evaluate(HOSTED, explorer_style())
    reader.page.wait_for_timeout(1_200)  # nothing is under way any more
    late = reader.page.evaluate(f"() => {{ hosted.destroy(); hosted.recolour(); return ({count})(); }}")
    assert late == [0, 0, 0, 0, 0]  # a call that comes late wakes nothing
    assert reader.problems == []
    reader.context.close()


def test_destroying_one_leaves_its_successor(reader) -> None:
    reader.page.evaluate("""async () => {
      const root = document.getElementById('en'), again = await inner_parts.explore(root, content_of_page(), JSON.parse(words_of_page()));
      handles.en.destroy(); handles.en = again; }""")
    assert reader.page.locator("#en .explorer-part").count() == 5

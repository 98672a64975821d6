"""A page that holds the charts' ES module as a host would: an empty element, in a shadow root or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from commands import wait_until

from latentlab.show import charts as module

# What a host could notice: keys that reach the document, listeners of the window, observers at work.
SPIES = """
  globalThis.keys = [];
  document.addEventListener("keydown", (event) => keys.push(event.key));
  globalThis.listening = 0;
  for (const [name, by] of [["addEventListener", 1], ["removeEventListener", -1]]) {
    const own = window[name].bind(window);
    window[name] = (...rest) => { listening += by; own(...rest); };
  }
  globalThis.observing = new Set();
  const {observe, disconnect} = ResizeObserver.prototype;
  ResizeObserver.prototype.observe = function (...rest) { observing.add(this); observe.apply(this, rest); };
  ResizeObserver.prototype.disconnect = function () { observing.delete(this); disconnect.call(this); };
"""


@contextmanager
def hosted(browser: Any, folder: Path, *, width: int = 800, shadow: bool = False, theme: str = "chart-light") -> Iterator[Any]:
    """A page with `root`, an element in that theme, and `L`, what the module exports. Fails when the page says anything."""
    root = 'document.getElementById("place")'
    script = f"{SPIES}\nlet root = {root};"
    if shadow:
        script += """
          const inner = root.attachShadow({mode: "open"});
          inner.append(document.querySelector("style"));
          root = inner.appendChild(document.createElement("div"));"""
    script += f'\nroot.className = "{theme}"; globalThis.root = root; globalThis.L = {{chart, film, parallel, number}};'
    policy = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    path = folder / "host.html"
    path.write_text(
        f"""<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="{policy}"><title>host</title><style>{module.host_style()}</style>
        <body><div id=place></div><script type=module>{module.module()}{script}</script>""",
        encoding="utf-8",
    )
    problems: list[str] = []
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme="light")
    page = context.new_page()
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda asked: problems.append(asked.url) if not asked.url.startswith(("file:", "data:", "blob:")) else None)
    page.goto(path.as_uri())
    yield page
    context.close()
    assert problems == []


FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"  # until the page was drawn again


def eventually(page: Any, expression: str) -> None:
    """Wait until an expression is true. The page's policy forbids what playwright's own way of waiting for one needs."""
    wait_until(lambda: page.evaluate(expression))

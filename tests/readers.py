"""A reader of the studio: tabs of a real browser, all that they asked for, all that went wrong in them or in the server."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from commands import wait_until
from studios import address_of, begin, end

from latentlab.base.texts import text
from latentlab.config.parts import every_field
from latentlab.runs.folder import RunFolder, list_runs
from latentlab.show.charts.payload import capital

WAIT_MS = 60_000  # until something is there; how long it takes is nobody's promise
# Streamlit finds its server by asking below the page's own path first: two answers of 404 a page, which Chromium notes as errors.
KNOWN = re.compile(r"/\w+/_stcore/(health|host-config)$")
MEDIA = re.compile(r"404 .*/media/\w+\.\w+$")
# Before anything of the page runs: what its policy refuses, and whether a script of somebody's ran.
WATCH = """
  globalThis.refused = [];
  document.addEventListener("securitypolicyviolation", (event) => refused.push(`${event.violatedDirective} ${event.blockedURI}`));
"""

# A reader who has left the tour before: its card would lie over what is clicked.
TOURED = 'try { localStorage["latentlab-tour"] ??= "left"; } catch {}'


# Words whose contrast with what is behind them is below WCAG 2.2's AA: 4.5, for large ones 3. Disabled controls are exempt.
FAINT = """() => {
  const found = [];
  const numbers = (words) => words.split(/[\\s,/]+/).map(Number);
  const read = (colour) => {
    const plain = colour.match(/rgba?\\(([^)]+)\\)/), wide = colour.match(/color\\(srgb ([^)]+)\\)/);
    const [r, g, b, a = 1] = plain ? numbers(plain[1]) : numbers(wide[1]).map((part, k) => (k < 3 ? part * 255 : part));
    return [r, g, b, a];
  };
  const over = (top, below) => [0, 1, 2].map((k) => top[k] * top[3] + below[k] * (1 - top[3]));
  const around = (node) => node.parentElement || node.getRootNode().host || null;
  const line = (node) => (node ? [node, ...line(around(node))] : []);
  const ground = (node) => line(node).map((each) => read(getComputedStyle(each).backgroundColor)).reverse()
    .reduce((below, colour) => over(colour, below), [255, 255, 255]);
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
  };
  const visit = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) visit(node.shadowRoot);
      const words = [...node.childNodes].filter((child) => child.nodeType === 3).map((child) => child.textContent.trim()).join(" ").trim();
      const style = getComputedStyle(node);
      if (!words || node.closest("svg, script, style, option, :disabled, [aria-disabled=true]")) continue;
      if (!node.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      const below = ground(node), ink = read(style.color);
      ink[3] *= line(node).reduce((product, each) => product * Number(getComputedStyle(each).opacity), 1);
      const [high, low] = [light(over(ink, below)), light(below)].sort((a, b) => b - a);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (high / low < (large ? 3 : 4.5)) found.push(`${(high / low).toFixed(2)} ${words.slice(0, 60)}`);
    }
  };
  visit(document.body);
  return found;
}"""


class Server:
    """A studio over a folder of runs, with what it printed. The runs that were started in it are ended with it."""

    def __init__(self, runs: Path, *options: str) -> None:
        self.runs = runs
        self.process = begin(runs, "--port", str(free_port()), *options)
        self.said: list[str] = []
        self.address = address_of(self.process)
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self) -> None:
        with contextlib.suppress(ValueError):  # closed
            self.said.extend(self.process.stdout)

    def kill(self) -> None:
        """As the system kills: nothing is told."""
        self.process.kill()
        self.process.wait(20)
        self._end()

    def close(self) -> None:
        """End it; what it printed holds no error."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        self._end()
        assert troubles("".join(self.said)) == [], "".join(self.said)

    def _end(self) -> None:
        self.listener.join(20)
        end(self.process)


def troubles(said: str) -> list[str]:
    """What each traceback in a server's words ends with, but for Streamlit's own: a tab that goes while it is being answered."""
    ends = [found[1] for found in re.finditer(r"^Traceback \(most recent call last\):\n(?:[ \n].*\n?)*(\S.*)", said, re.MULTILINE)]
    return [end for end in ends if not end.startswith("starlette.websockets.WebSocketDisconnected")]


def free_port() -> int:
    """A port of its own for each server: tests of several sessions do not meet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def served(runs: Path, *options: str) -> Iterator[Server]:
    """A studio for a module's tests."""
    server = Server(runs, *options)
    try:
        yield server
    finally:
        try:
            server.close()
        finally:
            end_runs(runs)


def end_runs(runs: Path) -> None:
    """Stop every run that still trains, and wait for its process."""
    for folder in list_runs(runs) if runs.is_dir() else []:
        if not folder.is_locked():
            continue
        pid = folder.status().get("pid")
        folder.request("stop")
        try:
            wait_until(lambda folder=folder: not folder.is_locked())
        except AssertionError:
            if pid:
                os.kill(int(pid), signal.SIGKILL)


def labelled(field: str, lang: str = "en") -> re.Pattern[str]:
    """The label of a field on a page, by its name in the configuration: "epochs", "latent_dim"."""
    name = next(name for name in every_field() if name.endswith(f".{field}"))
    return re.compile(rf"^{re.escape(capital(text(f'field.{name}', lang)))}( ●)?$")


class Tab:
    """One tab. `hosts` are all that it asked; `problems` errors of its console and scripts, but Streamlit's own known ones."""

    def __init__(self, context: Any, server: Server) -> None:
        self.address, self.runs, self.context = server.address, server.runs, context
        self.page = context.new_page()
        self.page.set_default_timeout(WAIT_MS)
        self.problems: list[str] = []
        self.asked: list[str] = []  # addresses
        self.frames: list[int] = []  # sizes of what went over the channel, either way
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", self._channel)

    def _heard(self, message: Any) -> None:
        if message.type == "error" and not KNOWN.search(message.location.get("url", "")):
            self.problems.append(f"{message.text} {message.location.get('url')}")

    def _dialog(self, dialog: Any) -> None:
        self.problems.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _channel(self, channel: Any) -> None:
        self.asked.append(channel.url)
        channel.on("framesent", lambda frame: self.frames.append(len(frame)))
        channel.on("framereceived", lambda frame: self.frames.append(len(frame)))

    def open(self, path: str = "") -> Any:
        """Go to a page and wait until it is drawn."""
        self.page.goto(self.address + path)
        return self.settled()

    def settled(self) -> Any:
        """Wait until the page's script has run to its end, with a title."""
        self.page.locator("h1").first.wait_for()
        self.page.locator('[data-test-script-state="notRunning"][data-test-connection-state="CONNECTED"]').wait_for()
        return self.page

    def lasting(self) -> list[str]:
        """The problems, but for pictures that the server took back before they had come, as the page has shown other ones since."""
        shown = [] if self.page.is_closed() else self.page.evaluate("[...document.images].map((image) => image.src)")
        return [said for said in self.problems if MEDIA.search(said) is None or said.split()[-1] in shown]

    def outside(self) -> list[str]:
        """What it asked of any other host, or tried to."""
        own = urlsplit(self.address).netloc
        addresses = [urlsplit(url.removeprefix("blob:")) for url in self.asked if not url.startswith("data:")]
        return [url.geturl() for url in addresses if url.netloc != own] + self.page.evaluate("refused")

    def faint(self) -> list[str]:
        """Words that are hard to read against what is behind them, each behind its contrast."""
        found: list[str] = self.page.evaluate(FAINT)
        return found

    def overflow(self) -> int:
        """Pixels by which the page, or what scrolls in it, is wider than the screen."""
        script = """() => Math.max(document.documentElement.scrollWidth - innerWidth,
          ...[...document.querySelectorAll('main, [data-testid=stMainBlockContainer]')].map((e) => e.scrollWidth - e.clientWidth))"""
        found: int = self.page.evaluate(script)
        return found

    def chosen(self, label: str, option: str) -> None:
        """Choose in a list, by typing."""
        box = self.page.get_by_role("combobox", name=label, exact=True)
        box.click()
        box.fill(option)
        self.page.get_by_role("option", name=re.compile(re.escape(option))).first.wait_for()
        box.press("Enter")

    def typed(self, field: str, value: object) -> None:
        """Type a value into a field of the form, named as in the configuration, and leave it; the address holds it then."""
        box = self.page.get_by_label(labelled(field)).first
        box.fill(str(value))
        box.press("Tab")


@contextlib.contextmanager
def tabs(browser: Any, server: Server, **options: Any) -> Iterator[Any]:
    """A function that opens tabs, `own=True` in another browser's profile; none of them may have had a problem."""
    opened: list[Tab] = []

    def profile() -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, "locale": "en-GB", "accept_downloads": True} | options)
        context.add_init_script(WATCH + TOURED)
        return context

    contexts = [profile()]

    def tab(own: bool = False) -> Tab:
        if own:
            contexts.append(profile())
        opened.append(Tab(contexts[-1] if own else contexts[0], server))
        return opened[-1]

    try:
        yield tab
        for one in opened:
            assert one.lasting() == [], one.problems
            assert one.page.is_closed() or one.outside() == [], one.outside()
    finally:
        for context in contexts:
            context.close()


def state_of(folder: RunFolder) -> dict[str, Any]:
    """A run's status, as its process last wrote it; empty before."""
    try:
        found: dict[str, Any] = json.loads((folder.path / "status.json").read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        return {}

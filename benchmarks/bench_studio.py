"""How soon the studio's pages are there, answer a click and follow a drag, whether they hold still, and what an open page costs training.

Run: python benchmarks/bench_studio.py [opening pressing dragging updating training], with nothing else running: the page, the
browser and the training share two cores.

- The largest paint is the browser's own largest-contentful-paint, of a server that was never asked before and of one that was.
- A click is a press of 90 ms. "Pressed" is the time until the pressed element looks otherwise, "done" the time from its release
  until what was asked for is on the page, both seen frame by frame in the page itself.
- While dragging, the page is given a move of the pointer in each frame, and the frames are counted in which every model drew.
- Layout shift is the browser's own measure, summed over what is not within half a second of an act of the reader.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from common import report
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from latentlab.config.presets import preset
from latentlab.data.drawn import draw_pictures
from latentlab.runs.folder import RunFolder
from latentlab.studio.overview import last_row

LINES, GRIDS = 100_000, 2_000
PAIRS, SECONDS = 6, 12.0  # pairs of stretches without and with an open page
STEPS = 200_000  # more than any stretch has
FRESH, WARM = 2.5, 1.5  # seconds until the largest paint of the first page
PRESSED_MS, DONE_MS = 100.0, 500.0
HELD_MS = 90  # of a click
TRIES = 3
PICTURES = 120  # of the set of 64 x 64
DRAG_SECONDS, STILL_SECONDS = 4.0, 20.0
A_SCREENS_RATE = 60 * 0.97  # as many frames as a screen shows, counted over some seconds

WATCH = """
  try { localStorage["latentlab-tour"] ??= "left"; } catch {}
  const LONGEST = 20_000; // milliseconds after which a click is given up
  globalThis.largest = 0;
  globalThis.shifts = [];
  const see = (type, use) => new PerformanceObserver((list) => list.getEntries().forEach(use)).observe({ type, buffered: true });
  see("largest-contentful-paint", (entry) => { largest = entry.startTime; });
  see("layout-shift", (entry) => { if (!entry.hadRecentInput) shifts.push([entry.startTime, entry.value]); });

  /** The first visible element of a selector, also inside the page's components. */
  globalThis.seen = (selector) => {
    const hosts = document.querySelectorAll("[data-testid=stBidiComponentIsolated]");
    return [document, ...[...hosts].map((host) => host.shadowRoot)].flatMap((root) => [...root.querySelectorAll(selector)])
      .find((one) => one.checkVisibility({ visibilityProperty: true }));
  };
  /** Milliseconds from the next press on an element until it looks otherwise, and from its release until `what` gives something else. */
  globalThis.timed = (node, look) => {
    const what = () => { try { return look(); } catch { return undefined; } }; // while a part is drawn anew it may be gone
    const pressed = node.closest("button, a, label, summary, [role=radio]") ?? node;
    const parts = ["backgroundColor", "borderColor", "boxShadow", "color", "filter", "transform", "translate"];
    const looks = () => {
      const style = getComputedStyle(pressed);
      return [...parts.map((part) => style[part]), pressed.ariaPressed, pressed.ariaChecked].join();
    };
    const [before, was, told] = [looks(), what(), {}];
    const time = (name) => (event) => { told[name] ??= event.timeStamp; };
    addEventListener("pointerdown", time("down"), { capture: true, once: true });
    addEventListener("pointerup", time("up"), { capture: true, once: true });
    globalThis.answer = new Promise((resolve) => {
      const frame = () => {
        const now = performance.now(), is = what();
        if (told.down && (!pressed.isConnected || looks() !== before)) told.pressed ??= now - told.down;
        const over = now - (told.up ?? now) > LONGEST;
        if (over || (told.up && is && is !== was)) resolve({ pressed: told.pressed ?? LONGEST, done: now - told.up });
        else requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    });
  };
  /** Move the pointer over a pad that is pressed, once a frame, round its middle; frames a second in which every model drew. */
  globalThis.dragged = (pad, seconds) => new Promise((resolve) => {
    const box = pad.getBoundingClientRect(), models = new Map(), put = CanvasRenderingContext2D.prototype.putImageData;
    CanvasRenderingContext2D.prototype.putImageData = function (...given) {
      const name = this.canvas.dataset.model;
      if (name) models.set(name, (models.get(name) ?? new Set()).add(document.timeline.currentTime));
      return put.apply(this, given);
    };
    const began = performance.now();
    const move = () => {
      const since = (performance.now() - began) / 1000;
      if (since > seconds) {
        CanvasRenderingContext2D.prototype.putImageData = put;
        resolve([models.size, Math.min(...[...models.values()].map((frames) => frames.size)) / since]);
        return;
      }
      const [across, down] = [0.5 + 0.3 * Math.cos(since), 0.5 + 0.3 * Math.sin(2 * since)];
      const at = { clientX: box.x + box.width * across, clientY: box.y + box.height * down };
      const pointer = { pointerId: 1, buttons: 1, isPrimary: true, bubbles: true, composed: true };
      pad.dispatchEvent(new PointerEvent("pointermove", { ...at, ...pointer }));
      requestAnimationFrame(move);
    };
    requestAnimationFrame(move);
  });
"""


class Click(NamedTuple):
    """A click that is timed: its page, what is clicked, and a JavaScript expression that is another once it is done."""

    path: str
    button: Callable[[Page], Any]
    what: str


def role(kind: str, name: str) -> Callable[[Page], Any]:
    return lambda page: page.get_by_role(kind, name=re.compile(rf"{name}$")).locator("visible=true").first


LAB = "explore?lang=en&runs=lab/ae,lab/vae,lab/gan,lab/gan-from-vae"
TITLE = "seen('h1').textContent"
TWO = "compare?lang=en&runs=lab/ae,lab/vae"
BADGE = "seen('.stMarkdownBadge').textContent"
CLICKS = {
    "page Explore": Click("?lang=en", role("link", "Explore"), TITLE),
    "language": Click("learn?lang=en", role("radio", "Français"), TITLE),
    "model GAN": Click("?lang=en", role("radio", "GAN"), "document.querySelector('.st-key-train-preset input')?.value"),
    "Draw": Click(LAB, role("radio", "Draw"), "Boolean(seen('.explorer-sheet'))"),
    "Draw again": Click(f"{LAB}&part=follow", role("button", "Draw again"), "seen('.explorer-total-line').textContent"),
    "Next seed": Click("explore?lang=en&run=lab/vae&part=generate", role("button", "Next seed"), "seen('[data-testid^=stImage] img').alt"),
    "a fake": Click("explore?lang=en&run=lab/gan&part=game", role("button", "Image 3"), "seen('.game-tile[aria-pressed=true]')"),
    "Plane, VAE": Click("plane?lang=en", role("radio", "VAE"), "document.querySelector('.st-key-plane-loss input')?.value"),
    "Scores": Click(TWO, lambda page: page.locator("summary", has_text="Scores"), "Boolean(seen('.latentlab-scores'))"),
    "a question": Click("learn?lang=en", lambda page: page.locator("[data-testid=stMain] a[href*='question=kl']").first, TITLE),
    "Pause": Click("?lang=en&run=live", role("button", "Pause"), f"{BADGE}.match(/paused/)?.[0]"),
    "One step": Click("?lang=en&run=live", role("button", "One step"), "seen('.latentlab-numbers').textContent"),
    "Resume": Click("?lang=en&run=live", role("button", "Resume"), f"{BADGE}.match(/training/)?.[0]"),
}  # fmt: skip


def main() -> None:
    parts = (opening, pressing, dragging, updating, training)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [part.__name__ for part in parts]
    parser.add_argument("parts", nargs="*", default=names, choices=names, help="what is measured; all of it without")
    wanted = parser.parse_args().parts
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        runs = Path(folder) / "runs"
        large_run(runs / "large")
        if {"pressing", "dragging"} & set(wanted):
            labs(runs, Path(folder) / "pictures")
        found = shutil.which("chromium") or shutil.which("google-chrome")
        if found is None:
            raise SystemExit("this benchmark needs Chromium")
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for part in parts:
            if part.__name__ in wanted:
                part(runs, browser)
        browser.close()
    report("studio: requests to another host", len(outside), "requests", "0", at_most=0)


outside: list[str] = []  # what any page asked of another host


def reader(browser: Any, **options: Any) -> Page:
    """A page of somebody who was never here, who has left the tour; what it asks of another host is kept."""
    page: Page = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"} | options).new_page()
    page.add_init_script(WATCH)
    page.on(
        "request",
        lambda request: None if urlsplit(request.url).hostname in ("127.0.0.1", "localhost", None) else outside.append(request.url),
    )
    return page


def latentlab(*words: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "latentlab", *map(str, words)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def labs(runs: Path, pictures: Path) -> None:
    """The lab's four models at 28 x 28 and, in colour, at 64 x 64, trained for a moment: no time depends on what they learned."""
    list(draw_pictures(pictures, PICTURES, 64, 0))
    for name, spec in (("lab", "digits"), ("colour", f"folder:{pictures}")):
        if latentlab("lab", "--quick", "--data", spec, "--out", runs / name).wait():
            raise SystemExit(f"the lab on {spec} was refused")


def large_run(path: Path) -> None:
    """A finished VAE with so many lines of metrics and so many sample grids."""
    config = preset("conv-vae", **{"train.steps": LINES * 20})
    path.mkdir(parents=True)
    (path / "config.json").write_text(config.to_json(), encoding="utf-8")
    counts = {"train": 60_000, "val": 5_000, "test": 10_000}
    environment = {"image_shape": [28, 28, 1], "images": counts, "data_fingerprint": "drawn"}
    (path / "environment.json").write_text(json.dumps(environment), encoding="utf-8")
    (path / "status.json").write_text(json.dumps({"state": "finished", "step": LINES * 20, "diagnosis": []}), encoding="utf-8")
    noise = np.random.default_rng(0).standard_normal(LINES)
    with open(path / "metrics.jsonl", "w", encoding="utf-8") as file:
        for line in range(LINES):
            step = 20 * (line + 1)
            row = {"step": step, "epoch": step * 128 / 60_000, "images_seen": step * 128, "seconds": step * 0.003, "split": "train"}
            loss = 100 + 400 / (1 + line / 50) + float(noise[line])
            row |= {"loss_nats": loss, "reconstruction_nats": loss - 20, "kl_nats": 20.0, "gradient_norm": 40 + float(noise[line])}
            file.write(json.dumps(row) + "\n")
    samples = path / "samples"
    samples.mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (240, 240), dtype=np.uint8)
    for grid in range(GRIDS):
        Image.fromarray(np.roll(picture, grid, 0)).save(samples / f"step-{grid * 1000:08d}.png")


def opening(runs: Path, browser: Any) -> None:
    """From the command to the address, from the address to the page, and the large run."""
    cold, form, again, large = [], [], [], []
    paints: dict[str, list[float]] = {"fresh": [], "warm": []}
    for _ in range(TRIES):
        began = time.perf_counter()
        with studio(runs) as address:
            cold.append(time.perf_counter() - began)
            page = reader(browser)
            form.append(seconds_to(page, address, "[data-testid=stNumberInput]"))
            paints["fresh"].append(largest_paint(page))
            again.append(seconds_to(page, address, "[data-testid=stNumberInput]"))
            paints["warm"].append(largest_paint(page))
            large.append(seconds_to(page, address + "?run=large", ".film-run img[src]"))
            assert page.locator(".film-slider").get_attribute("max") == str(GRIDS - 1)
            page.context.close()
    for name, most in (("fresh", FRESH), ("warm", WARM)):
        what = f"studio: largest paint of the first page, {name} server"
        report(what, statistics.median(paints[name]), "s", f"≤ {most:g}", at_most=most)
    report("studio: from the command to an address that answers", statistics.median(cold), "s")
    report("studio: the first page of a fresh server, form and all", statistics.median(form), "s", "< 3", at_most=3.0)
    report("studio: the same page once more", statistics.median(again), "s")
    report(f"studio: a run of {LINES:,} lines and {GRIDS:,} grids, first opened", statistics.median(large), "s", "< 2", at_most=2.0)


def seconds_to(page: Page, address: str, selector: str) -> float:
    """How long until something of a page is there."""
    began = time.perf_counter()
    page.goto(address)
    page.locator(selector).first.wait_for(timeout=60_000)
    if ".film" in selector:
        page.locator(".plot-svg").first.wait_for(timeout=60_000)
    return time.perf_counter() - began


def largest_paint(page: Page) -> float:
    """Seconds from the navigation to the largest paint of a page on which nothing was done yet, once it has settled."""
    page.locator(".st-key-strip img").first.wait_for()
    page.wait_for_timeout(1500)
    return float(page.evaluate("largest")) / 1000


def pressing(runs: Path, browser: Any) -> None:
    """How soon a click is seen as pressed, and is done, of the buttons that matter."""
    times: dict[str, list[dict[str, float]]] = {name: [] for name in CLICKS}
    process = latentlab("train", "conv-vae", "--steps", STEPS, "--threads", 1, "--out", runs / "live")
    try:
        with studio(runs) as address:
            wait_for_metrics(runs / "live")
            page = reader(browser)
            for attempt in range(TRIES + 1):  # the first one warms up
                for name, click in CLICKS.items():
                    found = pressed(page, address, click)
                    if attempt:
                        times[name].append(found)
    finally:
        process.terminate()
        process.wait()
    for part, most in (("pressed", PRESSED_MS), ("done", DONE_MS)):
        medians = {name: statistics.median(each[part] for each in found) for name, found in times.items()}
        report(f"studio: from a click to it being {part}", medians, "ms", f"≤ {most:g}", at_most=most)


def pressed(page: Page, address: str, click: Click) -> dict[str, float]:
    """The times of one click on a page that has settled."""
    page.goto(address + click.path)
    button = click.button(page)
    button.wait_for()
    page.wait_for_timeout(1500)
    button.scroll_into_view_if_needed()
    button.hover()
    page.wait_for_timeout(400)
    button.evaluate(f"(node) => timed(node, () => {click.what})")
    page.mouse.down()
    page.wait_for_timeout(HELD_MS)
    page.mouse.up()
    found: dict[str, float] = page.evaluate("answer")
    return found


def dragging(runs: Path, browser: Any) -> None:
    """Frames a second while the point is dragged over the map, of four models."""
    with studio(runs) as address:
        for name, size, least in (("lab", 28, A_SCREENS_RATE), ("colour", 64, 20.0)):
            rates = []
            for _ in range(TRIES):
                page = reader(browser)
                page.goto(address + LAB.replace("lab/", f"{name}/"))
                pad = page.locator(".explorer-pad")
                pad.wait_for()
                page.wait_for_timeout(3000)
                box = pad.bounding_box() or {}
                page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
                page.mouse.down()
                models, rate = pad.evaluate(f"(pad) => dragged(pad, {DRAG_SECONDS})")
                assert models == 4, models
                rates.append(rate)
                page.context.close()
            target = "60, a screen's rate" if least > 50 else f"≥ {least:g}"
            report(
                f"studio: frames a second while dragging, four models, {size} x {size}",
                statistics.median(rates),
                "fps",
                target,
                at_least=least,
            )


def updating(runs: Path, browser: Any) -> None:
    """How much of a page moves by itself while the run that it shows trains."""
    shifts = {}
    for name, kind, mode in (("a VAE that trains", "conv-vae", "resume"), ("a GAN in slow motion", "sn-gan", "slow")):
        path = runs / f"moving-{kind}"
        process = latentlab("train", kind, "--data", "digits", "--steps", STEPS, "--threads", 1, "--out", path)
        try:
            with studio(runs) as address:
                wait_for_metrics(path)
                RunFolder(path).request(mode)
                page = reader(browser)
                page.goto(f"{address}?run={path.name}&lang=en")
                page.locator(".film-run img[src]").first.wait_for(timeout=60_000)
                page.wait_for_timeout(5000)
                since = page.evaluate("performance.now()")
                page.wait_for_timeout(1000 * STILL_SECONDS)
                shifts[name] = sum(value for at, value in page.evaluate("shifts") if at > since)
                page.context.close()
        finally:
            process.terminate()
            process.wait()
    report(f"studio: layout shift of {STILL_SECONDS:g} s in which a run is looked at", shifts, "", "0", at_most=0.0)


def training(runs: Path, browser: Any) -> None:
    """Images per second of one run of one thread, without and with a page that watches it, in turn."""
    shutil.rmtree(runs / "live", ignore_errors=True)
    threads = max(1, (os.cpu_count() or 1) - 1)
    process = latentlab("train", "conv-vae", "--steps", STEPS, "--threads", threads, "--out", runs / "live")
    try:
        with studio(runs) as address:
            wait_for_metrics(runs / "live")
            alone, watched = [], []
            for _ in range(PAIRS):
                alone.append(images_per_second(runs / "live"))
                page = reader(browser)
                page.goto(address + "?run=live")
                page.locator(".plot-svg").first.wait_for(timeout=60_000)
                watched.append(images_per_second(runs / "live"))
                page.context.close()
    finally:
        process.terminate()
        process.wait()
    ratios = [1 - with_page / without for without, with_page in zip(alone, watched, strict=True)]
    report("studio: what an open page costs training that leaves it a core", 100 * statistics.median(ratios), "%", "≤ 5", at_most=5.0)


def wait_for_metrics(path: Path) -> None:
    while not (path / "metrics.jsonl").is_file():
        time.sleep(0.2)
    time.sleep(3.0)


def images_per_second(path: Path) -> float:
    """By the clock on the wall, over a stretch that begins when what was opened or closed has settled.

    From one line of metrics to a later one: a line is written every second or so, which counted by the clock alone would make
    a stretch wrong by a tenth.
    """
    time.sleep(2.0)
    before, began = next_line(path)
    time.sleep(SECONDS)
    after, ended = next_line(path)
    return (after - before) / (ended - began)


def next_line(path: Path) -> tuple[float, float]:
    """Wait for the next line of metrics: the images that it counts, and when it came."""
    folder = RunFolder(path)
    seen = last_row(folder)["images_seen"]
    while (now := last_row(folder)["images_seen"]) == seen:
        time.sleep(0.02)
    return float(now), time.perf_counter()


@contextmanager
def studio(runs: Path) -> Iterator[str]:
    command = [sys.executable, "-u", "-m", "latentlab", "studio", "--no-browser", "--runs", str(runs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield next(found[1] for line in process.stdout if (found := re.search(r"latentlab studio: (\S+)", line)))
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()

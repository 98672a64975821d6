"""How soon the studio's pages are there, and what an open page costs a run that trains.

Run: python benchmarks/bench_studio.py, with nothing else running: the page, the browser and the training share two cores.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from common import report
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from latentlab.config.presets import preset
from latentlab.runs.folder import RunFolder
from latentlab.studio.overview import last_row

LINES, GRIDS = 100_000, 2_000
PAIRS, SECONDS = 6, 12.0  # pairs of stretches without and with an open page
STEPS = 200_000  # more than any stretch has


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        runs = Path(folder) / "runs"
        large_run(runs / "large")
        found = shutil.which("chromium") or shutil.which("google-chrome")
        if found is None:
            raise SystemExit("this benchmark needs Chromium")
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        opening(runs, browser)
        training(runs, browser)
        browser.close()


def large_run(path: Path) -> None:
    """A finished VAE with so many lines of metrics and so many sample grids."""
    config = preset("conv-vae", **{"train.steps": LINES * 20})
    path.mkdir(parents=True)
    (path / "config.json").write_text(config.to_json(), encoding="utf-8")
    environment = {"image_shape": [28, 28, 1], "images": {"train": 60_000, "val": 5_000, "test": 10_000}}
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
    for _ in range(3):
        began = time.perf_counter()
        with studio(runs) as address:
            cold.append(time.perf_counter() - began)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            form.append(seconds_to(page, address, "[data-testid=stNumberInput]"))
            again.append(seconds_to(page, address, "[data-testid=stNumberInput]"))
            large.append(seconds_to(page, address + "?run=large", ".film-run img[src]"))
            assert page.locator(".film-slider").get_attribute("max") == str(GRIDS - 1)
            page.close()
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


def training(runs: Path, browser: Any) -> None:
    """Images per second of one run of one thread, without and with a page that watches it, in turn."""
    threads = max(1, (os.cpu_count() or 1) - 1)
    command = [
        sys.executable,
        "-m",
        "latentlab",
        "train",
        "conv-vae",
        "--steps",
        str(STEPS),
        "--threads",
        str(threads),
        "--out",
        str(runs / "live"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with studio(runs) as address:
            wait_for_metrics(runs / "live")
            alone, watched = [], []
            for _ in range(PAIRS):
                alone.append(images_per_second(runs / "live"))
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(address + "?run=live")
                page.locator(".plot-svg").first.wait_for(timeout=60_000)
                watched.append(images_per_second(runs / "live"))
                page.close()
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

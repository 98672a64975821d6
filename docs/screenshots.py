"""Pictures of every page of the studio, in both languages, light and dark, on a wide and on a narrow screen: `make screenshots`.

Trains the lab in its quick form first, into a folder of its own, unless --runs names one that holds runs.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

LANGUAGES = ("en", "fr")
THEMES = ("light", "dark")
WIDTHS = {"wide": 1280, "phone": 390}
HEIGHT = 900
TALLEST = 7000
SETTLED_MS = 1500


def main() -> int:
    """Draw them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("--runs", type=Path, help="folder of runs to show, with a lab/ in it")
    parser.add_argument("--only", default="", help="only pictures with this in their name")
    found = parser.parse_args()
    found.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        runs = found.runs or quick_lab(Path(folder) / "runs")
        with studio(runs) as address, chromium() as browser:
            for name, path in pages(runs).items():
                for lang in LANGUAGES:
                    for theme in THEMES:
                        for screen, width in WIDTHS.items():
                            file = f"{name}-{lang}-{theme}-{screen}.png"
                            if found.only in file:
                                draw(browser, address + path.format(lang=lang), width, theme, found.out / file)
                                print(found.out / file, flush=True)
    return 0


def pages(runs: Path) -> dict[str, str]:
    """The pages by name, with the runs that they show in their addresses."""
    names = [name for name in ("lab/ae", "lab/vae", "lab/gan", "lab/gan-from-vae") if (runs / name).is_dir()]
    several = ",".join(names)
    return {
        "train": "?lang={lang}&preset=sn-gan",
        "watch": f"?lang={{lang}}&run={names[-1]}",
        "explore": f"explore?lang={{lang}}&runs={several}",
        "plane": "plane?lang={lang}",
        "follow": f"explore?lang={{lang}}&runs={several}&part=follow",
        "draw": f"explore?lang={{lang}}&runs={several}&part=draw",
        "generate": f"explore?lang={{lang}}&run={names[-1]}&part=generate",
        "game": f"explore?lang={{lang}}&run={names[-1]}&part=game",
        "starters": "explore?lang={lang}&runs=latentlab:ae,latentlab:vae,latentlab:gan,latentlab:gan-from-vae",
        "compare": f"compare?lang={{lang}}&runs={several}",
        "learn": "learn?lang={lang}",
        "question": "learn?lang={lang}&question=kl",
        "runs": "runs?lang={lang}",
    }


def draw(browser: Any, address: str, width: int, theme: str, file: Path) -> None:
    """One page from top to bottom."""
    page: Page = browser.new_page(viewport={"width": width, "height": HEIGHT}, color_scheme=theme)
    page.goto(address)
    page.locator("h1").first.wait_for(timeout=60_000)
    if "generate" in address:
        page.get_by_role("button", name=re.compile("NPZ")).wait_for(timeout=120_000)
    elif "explore" in address:
        page.locator(".explorer-part, .game-tile").first.wait_for(timeout=120_000)
    page.wait_for_timeout(SETTLED_MS)
    tall = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": min(TALLEST, max(HEIGHT, tall))})
    page.wait_for_timeout(SETTLED_MS)
    page.screenshot(path=str(file))
    page.close()


@contextmanager
def chromium() -> Iterator[Any]:
    """The system's browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("screenshots need Chromium: install it (Debian: apt-get install chromium)")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def studio(runs: Path) -> Iterator[str]:
    """The address of a studio over a folder of runs."""
    command = [sys.executable, "-u", "-m", "latentlab", "studio", "--no-browser", "--runs", str(runs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUTF8": "1"})
    try:
        if process.stdout is None:
            raise RuntimeError("the studio was started without a pipe")
        yield next(found[1] for line in process.stdout if (found := re.search(r"latentlab studio: (\S+)", line)))
    finally:
        process.terminate()
        process.wait(30)


def quick_lab(runs: Path) -> Path:
    """A folder of runs with the lab's four, trained in a moment."""
    subprocess.run([sys.executable, "-m", "latentlab", "lab", "--quick", "--out", str(runs / "lab")], check=True, stdout=subprocess.DEVNULL)
    return runs


if __name__ == "__main__":
    sys.exit(main())

"""Pictures of every page of the studio in every state, in both languages, light and dark, wide and on a phone: `make screenshots`.

NAME-LANGUAGE-THEME-SCREEN.png is the first screen, 1280 × 800 or 390 × 844; with -full before .png it is all of the page. A report's
pages in print are counted in words. Trains the lab in its quick form first, into a folder of its own, unless --runs names one that
holds a lab/; that is copied, for some runs are then trained, paused and broken beside it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Page, sync_playwright

from latentlab.runs.folder import RunFolder
from latentlab.studio import actions
from latentlab.studio.library import Library

LANGUAGES = ("en", "fr")
THEMES = ("light", "dark")
SCREENS = {"wide": (1280, 800), "phone": (390, 844)}
TALLEST = 12_000
SETTLED_MS = 1200
WAIT_MS = 120_000
LAB = ("lab/ae", "lab/vae", "lab/gan", "lab/gan-from-vae")
SMALL = ("--model.latent_dim", "2", "--train.epochs", "6", "--threads", "1")
TOURED = 'try { localStorage["latentlab-tour"] ??= "left"; } catch {}'


def nothing(page: Page) -> None:
    """What a reader does who only looks."""


class Shot(NamedTuple):
    """A page in a state: its name, its address below a studio, what must be there, what a reader does then, and the scene that it needs."""

    name: str
    path: str
    ready: str = "h1"
    act: Callable[[Page], None] = nothing
    scene: str = "lab"


def main() -> int:
    """Draw them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("--runs", type=Path, help="folder of runs to show, with a lab/ in it")
    parser.add_argument("--only", default="", help="only pictures whose name this is found in (a regular expression)")
    parser.add_argument("--kind", choices=("first", "full", "both"), default="both", help="first screens, whole pages, or both")
    found = parser.parse_args()
    found.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        runs, bare = Path(folder) / "runs", Path(folder) / "bare"
        bare.mkdir()
        if found.runs is None:
            quick_lab(runs)
        else:
            shutil.copytree(found.runs / "lab", runs / "lab")
        several = ",".join(name for name in LAB if (runs / name).is_dir())
        scenes: dict[str, Callable[[], AbstractContextManager[object]]] = {
            "lab": nullcontext,
            "bare": nullcontext,
            "training": partial(live, runs, "conv-vae", "resume"),
            "paused": partial(live, runs, "conv-vae", "pause"),
            "slow": partial(live, runs, "sn-gan", "slow"),
            "plane": partial(live, runs, "point-gan", "resume", folder="plane"),
            "failed": partial(made, failed, runs),
            "sweep": partial(made, swept, runs),
            "asked": partial(made, questioned, runs),
            "thrown": partial(made, thrown, runs),
        }
        with studio(runs) as address, studio(bare) as empty:
            for scene, prepare in scenes.items():
                wanted = [
                    (shot, lang, theme, screen, found.out / file)
                    for shot in SHOTS if shot.scene == scene
                    for lang in LANGUAGES for theme in THEMES for screen in SCREENS
                    if re.search(found.only, file := f"{shot.name}-{lang}-{theme}-{screen}.png")
                ]  # fmt: skip
                with prepare() if wanted else nullcontext():
                    for shot, lang, theme, screen, file in wanted:
                        path = (empty if scene == "bare" else address) + shot.path.format(lang=lang, several=several)
                        with opened(browser, screen, theme, "tour" not in shot.name) as page:
                            page.goto(path)
                            shown(page, shot, file, found.kind)
        reports(browser, runs / "lab" / "lab.html", found.out, found.only, found.kind)
    return 0


# What a reader does on a page before the picture is taken. One who comes second finds done what the first one did.


def press(selector: str) -> Callable[[Page], None]:
    """A click on the first of what is seen."""
    return lambda page: page.locator(selector).locator("visible=true").first.click()


def drag(selector: str) -> Callable[[Page], None]:
    """A stroke across a pad."""

    def act(page: Page) -> None:
        pad = page.locator(selector).locator("visible=true").first
        pad.scroll_into_view_if_needed()
        box = pad.bounding_box() or {"x": 0, "y": 0, "width": 0, "height": 0}
        page.mouse.move(box["x"] + 0.35 * box["width"], box["y"] + 0.25 * box["height"])
        page.mouse.down()
        for x, y in ((0.65, 0.25), (0.6, 0.5), (0.45, 0.8)):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
        page.mouse.up()
        page.mouse.move(0, 0)

    return act


def answer(page: Page) -> None:
    """Six images taken for fakes, and the answer, unless it was given."""
    for tile in page.locator("button.game-tile").all()[:6]:
        tile.click()
    if page.locator(".game-answer:visible").count():
        page.locator(".game-answer").click()
    page.locator(".game-over").wait_for()


def predict(page: Page) -> None:
    """The first option, kept, unless one was."""
    keep = page.locator("[class*=st-key-learn-prediction][class*=commit] button")
    if keep.count():
        page.get_by_test_id("stRadio").locator("label").nth(1).click()
        keep.and_(page.locator(":enabled")).click()
    page.locator("[class*=st-key-learn-claim]").first.wait_for()


SHOTS = (
    Shot("train", "?lang={lang}", ".latentlab-blocks"),
    Shot("train-gan", "?lang={lang}&preset=sn-gan", ".latentlab-blocks"),
    Shot("train-several", "?lang={lang}", ".latentlab-blocks", press(".st-key-train-several button, button.st-key-train-several")),
    Shot("tour-offer", "?lang={lang}", "#latentlab-tour"),
    Shot("tour", "?lang={lang}", "#latentlab-tour", press("#latentlab-tour button")),
    Shot("run-training", "?lang={lang}&run=live/conv-vae", ".film img", scene="training"),
    Shot("run-paused", "?lang={lang}&run=live/conv-vae", ".film img", scene="paused"),
    Shot("run-finished", "?lang={lang}&run=lab/vae", ".film img"),
    Shot("run-failed", "?lang={lang}&run=failed", "[data-testid=stAlert]", scene="failed"),
    Shot("gan-slow", "?lang={lang}&run=live/sn-gan", ".film-tiles", scene="slow"),
    Shot("gan-finished", "?lang={lang}&run=lab/gan", ".film img"),
    Shot("explore", "explore?lang={lang}&runs={several}", ".explorer-pad"),
    Shot("follow", "explore?lang={lang}&runs=lab/vae&part=follow", ".explorer-stations"),
    Shot("follow-gan", "explore?lang={lang}&runs=lab/gan&part=follow", ".explorer-stations"),
    Shot("draw", "explore?lang={lang}&runs={several}&part=draw", ".explorer-sheet", drag(".explorer-sheet")),
    Shot("generate", "explore?lang={lang}&run=lab/gan&part=generate", "[data-testid^=stImage] img"),
    Shot("game", "explore?lang={lang}&run=lab/gan&part=game", ".game-tile >> nth=19"),
    Shot("game-over", "explore?lang={lang}&run=lab/gan&part=game&seed=1", ".game-tile >> nth=19", answer),
    Shot("plane-running", "plane?lang={lang}&run=plane/point-gan", ".plane-slider:not([max='0'])", scene="plane"),
    Shot("compare", "compare?lang={lang}&runs={several}", ".latentlab-verdict"),
    Shot("compare-two", "compare?lang={lang}&runs=lab/ae,lab/vae", ".latentlab-verdict"),
    Shot("compare-sweep", "compare?lang={lang}&sweep=sweep-beta", ".latentlab-verdict", scene="sweep"),
    Shot("learn", "learn?lang={lang}"),
    Shot("question", "learn?lang={lang}&question=latent-dim"),
    Shot("question-after", "learn?lang={lang}&question=kl", act=predict, scene="asked"),
    Shot("runs", "runs?lang={lang}"),
    Shot("runs-report", "runs?lang={lang}&view=report"),
    Shot("runs-trash", "runs?lang={lang}&view=trash", scene="thrown"),
    Shot("bare-explore", "explore?lang={lang}", ".explorer-pad", scene="bare"),
    Shot("bare-plane", "plane?lang={lang}", ".plane-facts", scene="bare"),
    Shot("bare-compare", "compare?lang={lang}", ".latentlab-shape", scene="bare"),
    Shot("bare-learn", "learn?lang={lang}", scene="bare"),
    Shot("bare-runs", "runs?lang={lang}", ".latentlab-shape", scene="bare"),
    Shot("bare-report", "runs?lang={lang}&view=report", ".latentlab-shape", scene="bare"),
)


@contextmanager
def opened(browser: Any, screen: str, theme: str, toured: bool = True) -> Iterator[Page]:
    """A page of a reader; `toured`: who has left the tour before."""
    width, height = SCREENS[screen]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, has_touch=screen == "phone", locale="en-GB"
    )
    context.set_default_timeout(WAIT_MS)
    if toured:
        context.add_init_script(TOURED)
    yield context.new_page()
    context.close()


def shown(page: Page, shot: Shot, file: Path, kind: str) -> None:
    """The pictures of a page that is open."""
    page.locator(shot.ready).first.wait_for()
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
    page.wait_for_timeout(SETTLED_MS)
    if shot.act is not nothing:
        shot.act(page)
        page.wait_for_timeout(SETTLED_MS)
    if kind != "full":
        page.screenshot(path=str(file))
        print(file, flush=True)
    if kind != "first":
        tall = page.evaluate("(document.querySelector('[data-testid=stMain]') ?? document.documentElement).scrollHeight")
        size = page.viewport_size or {"width": 0, "height": 0}
        page.set_viewport_size({"width": size["width"], "height": min(TALLEST, max(size["height"], tall))})
        page.wait_for_timeout(SETTLED_MS)
        page.screenshot(path=str(file.with_stem(f"{file.stem}-full")))
        print(file.with_stem(f"{file.stem}-full"), flush=True)


def reports(browser: Any, report: Path, out: Path, only: str, kind: str) -> None:
    """The report's page as it opens and with everything unfolded, and how many pages it has in print."""
    unfold = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
    for lang in LANGUAGES:
        for theme in THEMES:
            for screen in SCREENS:
                for name, act in (("report", nothing), ("report-open", lambda page: page.evaluate(unfold))):
                    if re.search(only, file := f"{name}-{lang}-{theme}-{screen}.png"):
                        with opened(browser, screen, theme) as page:
                            in_language(page, report, lang)
                            shown(page, Shot(name, "", "h1:visible", act), out / file, kind)
        if re.search(only, f"report-{lang}.pdf"):
            with opened(browser, "wide", "light") as page:
                in_language(page, report, lang)
                page.wait_for_timeout(SETTLED_MS)
                pages = page.pdf(path=str(out / f"report-{lang}.pdf"), format="A4", prefer_css_page_size=True)
                print(f"{out / f'report-{lang}.pdf'}: {len(re.findall(rb'/Type */Page[^s]', pages))} pages", flush=True)


def in_language(page: Page, report: Path, lang: str) -> None:
    """Open a report in a language."""
    page.goto(report.as_uri())
    page.locator(f".languages button[lang={lang}]").click()


# Scenes: what must have happened before a page is in a state.


@contextmanager
def live(runs: Path, preset: str, mode: str, folder: str = "live") -> Iterator[None]:
    """A run of a preset that trains, is paused or in slow motion, until its pictures are taken."""
    path = runs / folder / preset
    shutil.rmtree(path, ignore_errors=True)
    data = [] if preset.startswith("point") else ["--data", "digits"]
    process = latentlab("train", preset, *data, "--train.steps", "20000", "--threads", "1", "--out", path)
    run = RunFolder(path)
    try:
        until(lambda: run.metrics_file.is_file() and len(run.metrics()) > 12)
        run.request(mode)
        until(lambda: run.status().get("mode") == {"pause": "paused", "slow": "slow"}.get(mode, "fast"))
        yield
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def made(make: Callable[[Path], None], runs: Path) -> Iterator[None]:
    """What stays once it is made."""
    make(runs)
    yield


def failed(runs: Path) -> None:
    """A run whose loss stops being finite."""
    latentlab("train", "mlp-vae", "--data", "digits", "--learning-rate", "20", *SMALL, "--out", runs / "failed").wait()


def swept(runs: Path) -> None:
    """Three values of β."""
    latentlab("sweep", "mlp-vae", "--data", "digits", *SMALL, "--train.beta", "1,4,16", "--out", runs / "sweep-beta").wait()


def questioned(runs: Path) -> None:
    """A question whose experiment was run."""
    latentlab("question", "kl", "--data", "digits", "--out", runs / "questions" / "kl", "--closed").wait()


def thrown(runs: Path) -> None:
    """A run in the trash."""
    latentlab("train", "mlp-ae", "--data", "digits", *SMALL, "--out", runs / "unwanted").wait()
    actions.discard(Library(runs), "unwanted")


def latentlab(*words: object) -> subprocess.Popen[bytes]:
    """A command that says nothing here."""
    silent = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, "-m", "latentlab", *map(str, words)], stdout=silent, stderr=silent)


def until(condition: Callable[[], object]) -> None:
    """Wait for what another process does."""
    for _ in range(WAIT_MS // 20):
        if condition():
            return
        time.sleep(0.1)
    raise SystemExit("a run did not begin in time")


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
    with socket.socket() as probe:  # a port of its own: others may be looking, too
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-u", "-m", "latentlab", "studio", "--no-browser", "--port", str(port), "--runs", str(runs)]
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
    latentlab("lab", "--quick", "--out", runs / "lab").wait()
    return runs


if __name__ == "__main__":
    sys.exit(main())

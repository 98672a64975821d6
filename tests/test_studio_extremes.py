"""Runs that are anything but usual in a real browser: names that are code, and a very long one."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from commands import wait_until
from fakeruns import fake_run
from readers import served, tabs

from latentlab.runs.folder import RunFolder

pytest.importorskip("streamlit")
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)

# Markdown, HTML entities, a script: one name that the studio takes as it is, one that it refuses as a path.
HOSTILE = "_x_ [y](javascript) $z$ &lt;b&gt; `c` 'onload=alert(1)'"
UNFIT = "<img src=x onerror=alert(1)>"
TITLES = {"explore": "Explore", "compare": "Compare", "runs": "Runs", "": "Train a model"}


def at_rest(folder: RunFolder) -> None:
    (folder.path / "status.json").write_text(json.dumps({"state": "finished", "step": folder.metrics()[-1]["step"]}), encoding="utf-8")


@pytest.mark.slow
def test_a_name_that_is_code_is_text_on_every_page(browser: Any, tmp_path: Path) -> None:
    """A dialog, or a script that the policy stopped, is a problem of its tab. A folder with a name that is none takes no page away."""
    for name in ("lab/gan", HOSTILE, UNFIT):
        at_rest(fake_run(tmp_path / "runs" / name, "gan"))
    with served(tmp_path / "runs") as server, tabs(browser, server) as opened:
        one = opened()
        name = quote(HOSTILE)
        page = one.open(f"?run={name}&lang=en")
        assert page.locator("h1").inner_text() == HOSTILE
        expect(page.locator("figure.plot").first).to_be_attached()
        page = one.open(f"compare?runs={name},lab/gan&lang=en")
        for folded in ("Curves", "Scores"):
            page.locator("summary", has_text=folded).click()
        for place in (".film-label", ".plot-legend .plot-name", ".latentlab-scores th"):
            wait_until(lambda place=place: HOSTILE in [words.strip() for words in page.locator(place).all_inner_texts()])
        for path, title in TITLES.items():
            page = one.open(f"{path}?lang=en")
            assert page.locator("h1").inner_text().startswith(title)
            page.wait_for_load_state("networkidle")
            if path == "explore":  # this run has no networks
                expect(page.get_by_role("alert")).to_contain_text(f"{HOSTILE} is not among the live models")
            if path in ("explore", "compare", "runs"):
                expect(page.get_by_test_id("stMain")).to_contain_text(HOSTILE)
            if path == "runs":
                expect(page.get_by_test_id("stMain")).to_contain_text(UNFIT)
        page = one.open(f"explore?part=generate&run={name}&lang=en")
        assert HOSTILE in page.get_by_role("combobox").first.input_value() or HOSTILE in page.get_by_test_id("stMain").inner_text()
        for bad in (UNFIT, "<script>alert(1)</script>"):
            for path in ("", "explore", "compare"):
                page.goto(f"{one.address}{path}?run={quote(bad)}&runs={quote(bad)}&lang=en")
                page.locator("h1, [data-testid=stAlert]").first.wait_for()
                assert page.locator("script:has-text('alert(1)'), img[onerror]").count() == 0


@pytest.mark.slow
def test_a_long_run_opens_with_every_line_and_every_step(browser: Any, tmp_path: Path) -> None:
    """100,000 lines of metrics and 2,000 sample grids."""
    folder = long_run(tmp_path / "runs" / "long")
    with served(tmp_path / "runs") as server, tabs(browser, server) as opened:
        page = opened().open("?run=long&lang=en")
        film = page.locator(".film").first
        expect(film.locator("output")).to_contain_text("(2000 of 2000)")
        expect(film.locator("img").first).to_have_attribute("alt", re.compile(r"step 50\s000"))
        expect(page.locator("figure.plot path.line").first).to_be_attached()
        assert "1.00" in page.locator("figure.plot figcaption").first.inner_text()
        slider = film.get_by_role("slider")
        slider.focus()
        slider.press("ArrowLeft")
        expect(film.locator("output")).to_contain_text("(1999 of 2000)")
        slider.press("Home")
        expect(film.locator("output")).to_have_text("step 25 (1 of 2000)")
        assert len(folder.pictures("samples")) == 2000


def long_run(path: Path) -> RunFolder:
    """A finished run of a GAN with a line of metrics for each half step; its pictures are one file with many names."""
    folder = fake_run(path, "gan", epochs=1)
    lines = []
    for step in range(1, 50_001):
        line = {"step": step, "epoch": step / 50, "images_seen": 64 * step, "seconds": step / 100}
        values = {"generator_loss": 1 + 1 / step, "discriminator_loss": 1.5, "real_logit": 0.5, "fake_logit": -0.5}
        lines.append(json.dumps(line | {"split": "train"} | values))
        lines.append(json.dumps(line | {"split": "val", "real_logit": 0.4}))
    (path / "metrics.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    first, *others = sorted(folder.samples.iterdir())
    for other in others:
        other.unlink()
    for number in range(1, 2001):
        os.link(first, folder.samples / f"step-{25 * number:08d}.png")
    first.unlink()
    at_rest(folder)
    return folder

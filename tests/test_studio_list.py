"""The list of runs: its orders, pictures, ticks, notes and tags; in a browser, ticked runs compared, deleted and brought back."""

from __future__ import annotations

import io
import itertools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import run, wait_until
from fakeruns import blobs, fake_run
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from readers import Server, Tab, served, tabs

from latentlab.base.errors import Damaged
from latentlab.base.images import grid
from latentlab.base.texts import text
from latentlab.runs.folder import RunFolder
from latentlab.studio import actions, listing
from latentlab.studio.library import Library
from latentlab.studio.listing import ORDERS, Listed, Score, in_order, listed, matching, tags_of, turned

pytest.importorskip("streamlit")
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=60_000)

from apppages import opened, rows, whole  # noqa: E402 - they import Streamlit

NAMES = ("lab/ae", "lab/gan", "lab/vae", "run-2", "run-10")


def finished(folder: RunFolder, step: int, minute: int) -> None:
    folder.write_status("finished", step)
    os.utime(folder.path / "status.json", (1.7e9 + 60 * minute,) * 2)


def made(runs: Path) -> Library:
    """Five runs of ours and one of a question's; a KID of 7 for run-2 and of 3 for run-10."""
    kinds = {"lab/ae": "ae", "lab/gan": "gan", "lab/vae": "vae", "run-2": "gan", "run-10": "vae", "questions/kl/b": "vae"}
    for minute, (name, kind) in enumerate(kinds.items()):
        finished(fake_run(runs / name, kind, epochs=1), 10 * (minute % 3 + 1), minute)
    for name, kid in (("run-2", 7.0), ("run-10", 3.0)):
        path = runs / name / "scores.json"
        told = json.loads(path.read_text(encoding="utf-8"))
        told["scores"]["kid"] = {"value": kid, "unit": "", "n": 40, "extractor": "classifier"}
        path.write_text(json.dumps(told), encoding="utf-8")
    return Library(runs)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setenv("LATENTLAB_STUDIO_RUNS", str(tmp_path / "runs"))
    listing._kept.clear()
    return made(tmp_path / "runs")


def names(found: list[Listed]) -> list[str]:
    return [each.name for each in found]


# Orders.


def test_every_column_sorts_from_both_ends(place: Library) -> None:
    ours = [each for each in listed(place) if not each.of_question]
    assert names(in_order(ours, "name")) == ["lab/ae", "lab/gan", "lab/vae", "run-2", "run-10"]  # 2 before 10
    assert names(in_order(ours, "-date")) == names(ours) == ["run-10", "run-2", "lab/vae", "lab/gan", "lab/ae"]
    assert names(in_order(ours, "-step")) == ["lab/vae", "lab/gan", "run-10", "lab/ae", "run-2"]
    assert names(in_order(ours, "step")) == ["lab/ae", "run-2", "lab/gan", "run-10", "lab/vae"]
    # An AE by its error, then KIDs, the lower one first, then a loss; a GAN without either comes last from both ends.
    assert names(in_order(ours, "score")) == ["lab/ae", "run-10", "run-2", "lab/vae", "lab/gan"]
    assert names(in_order(ours, "-score")) == ["lab/vae", "run-2", "run-10", "lab/ae", "lab/gan"]
    place.open("lab/vae").write_status("failed", 10, "no")
    assert names(in_order([each for each in listed(place) if not each.of_question], "-state"))[0] == "lab/vae"


SCORES = st.none() | st.builds(
    Score, st.sampled_from(["kid", "modes", "loss_nats", "reconstruction_mse"]), st.just(""), st.floats(0, 9), st.booleans()
)


@given(st.lists(SCORES, max_size=12), st.sampled_from(ORDERS))
def test_an_order_loses_none_and_never_mixes_measures(scores: list[Score | None], order: str) -> None:
    from latentlab.studio.overview import Overview

    runs = [Listed(Overview(f"r{at}", Path(), "finished", float(at)), score) for at, score in enumerate(scores)]
    for each in (order, turned(order)):
        found = in_order(runs, each)
        assert sorted(names(found)) == sorted(names(runs))
        assert turned(turned(each)) == each
        if each == "score":
            told = [one.score for one in found if one.score is not None]
            assert [one.score for one in found[: len(told)]] == told  # those without come last
            kinds = [score.measure for score in told]
            assert len({*kinds}) == sum(a != b for a, b in zip(["", *kinds], kinds, strict=False))  # each in one piece
            for a, b in itertools.pairwise(told):
                if a.measure == b.measure:
                    assert (a.value >= b.value) if a.measure == "modes" else (a.value <= b.value)


def test_a_score_is_what_was_measured_and_nothing_else(place: Library) -> None:
    found = {each.name: each.score for each in listed(place)}
    assert found["lab/ae"] == Score("reconstruction_mse", "", 0.005, True)
    assert found["run-10"] == Score("kid", "classifier", 3.0, True)
    assert found["lab/vae"] == Score("loss_nats", "", 300.0, False)
    assert found["lab/gan"] is None
    for name in ("lab/ae", "lab/gan"):
        (place.runs / name / "scores.json").unlink()
    folder = place.open("lab/gan")
    row = {"step": 10, "epoch": 1.0, "images_seen": 1, "seconds": 1.0, "split": "val", "kid": 5.5, "extractor": "random-convolutions"}
    folder.metrics_file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    found = {each.name: each.score for each in listed(place)}
    assert found["lab/ae"] == Score("reconstruction_mse", "", 0.1, False)  # `mse` of its last held-out row
    assert found["lab/gan"] == Score("kid", "random-convolutions", 5.5, False)


# Notes and tags.


@given(st.text())
def test_tags_are_words_each_once(words: str) -> None:
    tags = tags_of(words)
    assert len(tags) == len({*tags})
    assert all(tag and not re.search(r"[\s,;#]", tag) for tag in tags)
    assert tags_of(" ".join(f"#{tag}" for tag in tags)) == tags  # as the form shows them


def test_notes_are_kept_found_and_go_where_the_run_goes(place: Library) -> None:
    folder, before = place.open("lab/vae"), names(listed(place))
    assert folder.notes() == {"note": "", "tags": []}
    folder.write_notes([], "")
    assert not (folder.path / "notes.json").exists()  # nothing to say
    (folder.path / "notes.json").write_text('{"tags": ["old"], "by": "me"}', encoding="utf-8")
    folder.write_notes(["best", "β-4"], "Sharp.\nBut slow.")
    assert folder.notes() == {"note": "Sharp.\nBut slow.", "tags": ["best", "β-4"], "by": "me"}
    assert not list(folder.path.glob(".notes*"))
    runs = listed(place)
    assert names(runs) == before  # a note is no change of the run
    for search, found in {"#best": ["lab/vae"], "best": ["lab/vae"], "#Β-4 vae": ["lab/vae"], "slow": ["lab/vae"], "#sharp": []}.items():
        assert names(matching(runs, search, False, {})[0]) == found, search
    name = actions.rename(place, "lab/vae", "mine")
    moment = actions.discard(place, name)
    actions.restore(place, moment, name)
    assert {each.name: each.tags for each in listed(place)}[name] == ["#best", "#β-4"]
    assert "#best #β-4 Sharp." in run("show", place.path(name)).stdout


@pytest.mark.parametrize("broken", ["{", '{"tags": "best"}', "[]", '{"note": 3}'])
def test_broken_notes_are_told_in_a_line_and_left_as_they_are(place: Library, broken: str) -> None:
    folder = place.open("lab/vae")
    (folder.path / "notes.json").write_text(broken, encoding="utf-8")
    with pytest.raises(Damaged, match=r"notes\.json is damaged"):
        folder.write_notes(["new"], "new")
    at = opened("runs")
    [line] = [line for line in rows(at).splitlines() if "notes.json" in line]
    assert "damaged" in line
    at.session_state["runs-more-lab/vae"] = True
    whole(at.run())
    assert not [field for field in at.text_input if field.key == "runs-tags-lab/vae"]
    assert (folder.path / "notes.json").read_text(encoding="utf-8") == broken
    assert {each.name: each.score for each in listed(place)}["lab/vae"] is not None  # the rest of the run stands
    from latentlab.runs.verify import check_run

    assert [path.name for path, problem in check_run(folder) if problem and path.name == "notes.json"]


def test_tags_are_changed_in_the_menu(place: Library) -> None:
    at = opened("runs")
    at.session_state["runs-more-lab/vae"] = True
    whole(at.run())
    at.text_input(key="runs-tags-lab/vae").set_value("#best, slow")
    at.text_area(key="runs-note-lab/vae").set_value(" <b>so</b> ")
    whole(at.button(key="FormSubmitter:runs-notes-lab/vae-Keep").click().run())
    assert place.open("lab/vae").notes() == {"tags": ["best", "slow"], "note": "<b>so</b>"}
    assert "#best #slow conv-vae · digits" in rows(at)
    assert "<b>so</b>" in rows(at)  # as it was typed, not as HTML
    assert "runs-tags-lab/vae" not in [field.key for field in opened("runs", hide="runs.notes").text_input]


# Ticks.


def ticks(at: Any) -> set[str]:
    return {str(box.key).removeprefix("runs-tick-") for box in at.checkbox if box.value and str(box.key).startswith("runs-tick-")}


def labels(at: Any) -> list[str]:
    """The buttons at the foot."""
    return [button.label for button in at.button if str(button.key).startswith("runs-foot-")]


def test_ticks_survive_searches_and_orders_and_go_with_their_runs(place: Library) -> None:
    at = opened("runs")
    assert labels(at) == []
    whole(at.checkbox(key="runs-tick-lab/gan").check().run())
    at.text_input(key="runs-search").set_value("lab")
    whole(at.run())
    whole(at.checkbox(key="runs-all").check().run())
    assert ticks(at) == {"lab/ae", "lab/gan", "lab/vae"}
    at.text_input(key="runs-search").set_value("")
    whole(at.run())
    whole(at.button(key="runs-sort-name").click().run())
    assert at.query_params["sort"] in ("name", ["name"])
    assert ticks(at) == {"lab/ae", "lab/gan", "lab/vae"}
    assert not at.checkbox(key="runs-all").value  # not all that is shown
    assert labels(at)[:3] == ["Compare (3)", "Report (3)", "Delete (3)"]
    actions.discard(place, "lab/gan")
    whole(at.run())
    assert labels(at)[0] == "Compare (2)"
    actions.restore(place, place.discarded()[0][0], "lab/gan")
    assert ticks(whole(at.run())) == {"lab/ae", "lab/vae"}
    whole(at.button(key="runs-foot-none").click().run())
    assert ticks(at) == set()
    assert labels(at) == []


def test_ticks_survive_paging_and_all_is_what_is_shown(place: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    first = listed(place)[0]
    many = [replace(first, run=replace(first.run, name=f"run-{at:03d}", changed=-float(at))) for at in range(45)]
    monkeypatch.setattr("latentlab.studio.views.runs.listed", lambda place: many)
    at = opened("runs")
    whole(at.checkbox(key="runs-all").check().run())
    assert len(ticks(at)) == 20
    at.session_state["runs-page-3-0--date-"] = 2
    assert ticks(whole(at.run())) == set()
    whole(at.checkbox(key="runs-tick-run-025").check().run())
    assert labels(at)[:2] == ["Compare (21)", "Report (21)"]
    whole(at.checkbox(key="runs-all").check().run())
    assert labels(at)[:2] == ["Compare (24)", "Report (40)"]  # as many as stand side by side
    whole(at.checkbox(key="runs-all").uncheck().run())
    assert labels(at)[:2] == ["Compare (20)", "Report (20)"]


def test_what_cannot_be_deleted_stays_and_says_why_and_one_undo_brings_all_back(place: Library) -> None:
    at = opened("runs")
    for name in ("lab/ae", "lab/gan", "lab/vae"):
        whole(at.checkbox(key=f"runs-tick-{name}").check().run())
    with place.open("lab/vae").locked():  # since the page was drawn
        whole(at.button(key="runs-foot-delete").click().run())
    assert {"lab/ae", "lab/gan"}.isdisjoint(place.names())
    assert "This run trains" in at.error[0].value
    assert "2 runs are deleted." in [one.value.removeprefix(":material/info: ") for one in at.markdown]
    assert ticks(at) == {"lab/vae"}
    whole(at.button(key="runs-undo").click().run())
    assert set(place.names()) >= {*NAMES}
    assert place.discarded() == []


def test_the_report_is_of_what_is_ticked(place: Library) -> None:
    at = opened("runs")
    whole(at.toggle(key="runs-questions").set_value(True).run())
    for name in ("questions/kl/b", "run-2", "lab/ae"):
        whole(at.checkbox(key=f"runs-tick-{name}").check().run())
    assert labels(at)[:3] == ["Compare (3)", "Report (2)", "Delete (3)"]  # a question's run stands in its own card
    whole(at.button(key="runs-foot-description").click().run())
    assert at.multiselect(key="report-runs").value == ["run-2", "lab/ae"]


# In a browser.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(made(tmp_path_factory.mktemp("list") / "runs").runs) as found:
        yield found


def boxes(page: Any, *chosen: str) -> None:
    for name in chosen:
        page.get_by_role("checkbox", name=f"Select {name}", exact=True).check(force=True)


def order(page: Any) -> list[str]:
    """The names in the list, from above."""
    found: list[str] = page.locator('[class*="st-key-runs-row-"] > :nth-child(2)').all_inner_texts()
    return [name.strip() for name in found]


def test_ticked_runs_are_compared_deleted_and_brought_back(tab: Tab, server: Server) -> None:
    page = tab.open("runs?lang=en")
    expect(page.locator('[class*="st-key-runs-row-"]')).to_have_count(5)
    page.get_by_role("button", name="Name", exact=True).click()
    expect(page).to_have_url(re.compile("sort=name"))
    wait_until(lambda: page.wait_for_timeout(20) or order(page) == ["lab/ae", "lab/gan", "lab/vae", "run-2", "run-10"])
    page.get_by_role("button", name=re.compile("Name ↑")).click()
    wait_until(lambda: page.wait_for_timeout(20) or order(page)[0] == "run-10")
    page.reload()
    tab.settled()
    wait_until(lambda: page.wait_for_timeout(20) or order(page)[0] == "run-10")
    page.go_back()
    wait_until(lambda: page.wait_for_timeout(20) or order(page)[0] == "lab/ae")

    boxes(page, "lab/vae", "run-2")
    page.get_by_role("button", name="Compare (2)").click()
    expect(page.locator("h1")).to_have_text(text("studio.compare.title", "en"))
    expect(page).to_have_url(re.compile("runs=lab%2Fvae%2Crun-2|runs=lab/vae,run-2|runs=run-2,lab/vae|runs=run-2%2Clab%2Fvae"))
    page.go_back()
    tab.settled()
    page.get_by_role("button", name="Delete (2)").click()
    expect(page.locator(".st-key-runs-notice")).to_contain_text("2 runs are deleted.")
    expect(page.locator('[class*="st-key-runs-row-"]')).to_have_count(3)
    assert {"lab/vae", "run-2"}.isdisjoint(Library(server.runs).names())
    expect(page.locator(".st-key-runs-foot")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator('[class*="st-key-runs-row-"]')).to_have_count(5)
    assert {"lab/vae", "run-2"} <= {*Library(server.runs).names()}


def test_a_run_shows_the_first_of_its_newest_samples_from_the_browsers_own_store(tab: Tab, server: Server) -> None:
    page = tab.open("runs?lang=en&search=run-2")
    picture = page.locator(".latentlab-picture img")
    expect(picture).to_have_js_property("naturalWidth", 2 * 16 + 6)
    answer = page.request.get(page.url.split("/runs")[0] + picture.get_attribute("src"))
    sheet = np.asarray(Image.open(io.BytesIO(answer.body())))
    assert (sheet == grid(blobs(64, 10)[:4], 2)[..., 0]).all()  # of step 10
    assert "immutable" in answer.headers["cache-control"]
    name = re.sub(r"at=\d+", "", str(picture.get_attribute("src")))
    assert "no-cache" in page.request.get(page.url.split("/runs")[0] + name).headers["cache-control"]
    box = page.locator(".latentlab-picture").bounding_box()
    assert (box["width"], box["height"]) == (56, 56)


def test_tags_on_a_narrow_french_page(browser: Any, server: Server) -> None:
    with tabs(browser, server, viewport={"width": 390, "height": 844}, has_touch=True) as open_tab:
        tab = open_tab()
        page = tab.open("runs?lang=fr&search=lab/vae")
        assert tab.overflow() <= 0
        row = page.locator('[class*="st-key-runs-row-"]')
        for part in (".latentlab-picture", ".latentlab-state", ".latentlab-score"):
            expect(row.locator(part)).to_be_visible()
        expect(row.locator(".latentlab-date")).to_be_hidden()
        label = row.locator("label").first.bounding_box()
        assert min(label["width"], label["height"]) >= 44
        row.get_by_role("button", name=text("studio.runs.more", "fr")).click()
        page.get_by_label(text("studio.runs.tags", "fr")).fill("#meilleur")
        page.get_by_label(text("studio.runs.note", "fr"), exact=True).fill("À revoir")
        page.get_by_role("button", name=text("studio.runs.notes.keep", "fr")).click()
        page.get_by_label(text("studio.runs.tags", "fr")).wait_for(state="detached")
        assert RunFolder(server.runs / "lab/vae").notes() == {"note": "À revoir", "tags": ["meilleur"]}
        tab.open("runs?lang=fr&search=%23meilleur")
        expect(row).to_have_count(1)
        row.get_by_role("checkbox", name="Sélectionner lab/vae").check(force=True)
        expect(page.get_by_role("button", name="Comparer (1)")).to_be_disabled()
        expect(page.get_by_role("button", name="Supprimer (1)")).to_be_enabled()
        assert tab.overflow() <= 0

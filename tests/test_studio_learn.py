"""The page Learn: predict first, run, see what came true, write an answer; and both of its like in a browser."""

from __future__ import annotations

import html
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fakeruns import fake_run

pytest.importorskip("streamlit")

from apppages import opened as page_opened
from apppages import whole
from streamlit.testing.v1 import AppTest
from studios import studio

from latentlab.base.errors import LabError
from latentlab.base.texts import Phrase, languages, text
from latentlab.show.answers import Part
from latentlab.show.answers.prediction import keep
from latentlab.show.card import NAMES, Card, Claim, read_card
from latentlab.show.charts.panels import Bars, Series
from latentlab.studio import actions, tasks
from latentlab.studio import answers as answers_book
from latentlab.studio.actions import experiment_words as arguments
from latentlab.studio.library import Library
from latentlab.studio.sketch import image, sketch, small
from latentlab.studio.views.learn import progress, stages

RAN = "studio.learn.result"


def words(said: str) -> Phrase:
    return Phrase("page.verbatim", {"words": said})


def save_card(place: Library, name: str = "kl", outcome: tuple[str, ...] = ("one",)) -> None:
    """A card as an experiment leaves it: one figure, two claims."""
    bars = Bars(words("A figure"), words("y"), (words("g"),), (Series(words("s"), (1.0,)),), words("One bar."))
    values = {"low": 2.5, "one": 1.5, "high": 3.5}
    claims = (Claim("elbo", "holds", values), Claim("memorising", "contradicted", values | {"images": 300}))
    folder = place.runs / "questions" / name
    folder.mkdir(parents=True, exist_ok=True)
    Card("kl", "digits", 61.0, {"images": {"train": 1437}}, {}, outcome, claims, (bars,), {}, ()).save(folder)


def save_task(place: Library, log: str, status: int | None, *more: str) -> None:
    path = place.own / "tasks" / "1"
    path.mkdir(parents=True, exist_ok=True)
    task = {"kind": "question", "subject": "kl", "arguments": ["question", "kl", *more], "started": 1.0, "status": status}
    (path / "task.json").write_text(json.dumps(task), encoding="utf-8")
    (path / "log").write_text(log, encoding="utf-8")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Library:
    monkeypatch.setenv("LATENTLAB_STUDIO_RUNS", str(tmp_path / "runs"))
    return Library(tmp_path / "runs")


def opened(**address: str) -> AppTest:
    return page_opened("learn", **address)


def texts(at: AppTest) -> str:
    found = "\n".join(str(each.value) for kind in (at.markdown, at.caption, at.header, at.subheader, at.error) for each in kind)
    return found.replace("\\", "")


def pictures(at: AppTest) -> list[str]:
    """The HTML of each picture of a page, in order."""
    return [found for one in at.get("html") for found in re.findall("<img[^>]*>", str(one.proto.body))]


@pytest.mark.parametrize("lang", languages())
def test_every_question_stands_in_the_overview_with_how_far_the_reader_is(place, lang):
    save_card(place)
    answers_book.put(place, answers_book.Entry("text", "kl"), "so", "", "en")
    at = opened(lang=lang)
    assert all(text(f"question.{name}.ask", lang) in texts(at) for name in NAMES)
    rings = [html.unescape(alt) for alt in re.findall('alt="([^"]+)"', "".join(pictures(at)))]
    done = ", ".join(text(f"studio.learn.stage.{stage}", lang) for stage in ("run", "answered"))
    nothing, some = (
        text("chart.named", lang, name=text("studio.learn.progress", lang, done=count), value=told)
        for count, told in ((0, text("studio.learn.arcs", lang)), (2, done))
    )
    assert rings == [some if name == "kl" else nothing for name in NAMES]


def test_the_overview_shows_a_result_to_those_only_who_have_seen_it(place):
    save_card(place)
    before = pictures(opened())
    assert image(sketch("kl")) in before
    keep(place.questions / "kl", "kl", ["one"])
    after = pictures(opened())
    assert image(sketch("kl")) not in after
    assert image(small(read_card(place.questions / "kl").panels[0])) in after
    assert set(before) - set(after) == {image(sketch("kl")), next(one for one in before if "1 of 3" in one)}


def test_the_result_stays_closed_until_there_is_a_prediction(place):
    save_card(place)
    at = opened(question="kl")
    hidden = (f"3. {text(RAN, 'en')}", text("question.kl.claim.elbo", "en"), text("question.kl.answer.1", "en"), "A figure")
    assert not any(words in texts(at) for words in hidden)
    assert not at.text_area
    assert at.button(key="learn-prediction-kl-commit").disabled
    at.radio(key="learn-prediction-kl").set_value("zero")
    whole(at.run())
    assert not any(words in texts(at) for words in hidden)  # chosen, but not kept
    whole(at.button(key="learn-prediction-kl-commit").click().run())
    said = texts(at)
    assert all(words in said for words in hidden[:2])
    assert text("card.prediction.wrong", "en") in said
    assert text("card.outcome", "en", each=text("question.kl.option.one", "en").rstrip(".")) in said
    assert "Held-out negative ELBO: 2.50 nats at β = 0.1, 1.50 at β = 1, 3.50 at β = 10" in said
    assert all(text(f"card.verdict.{verdict}", "en") in said for verdict in ("holds", "contradicted"))
    assert text("card.against", "en", against=text("question.kl.against.elbo", "en")) in said
    [kept] = place.questions.glob("kl/prediction*.json")
    before = kept.read_bytes()
    prediction = answers_book.prediction(place, "kl")
    assert prediction is not None
    assert answers_book.read(place).parts["kl"] == Part("zero", "", prediction)
    assert f"sha256 {prediction.sha256[:16]}" in said
    again = opened(question="kl")  # after a reload
    assert again.radio(key="learn-prediction-kl").value == "zero"
    assert hidden[0] in texts(again)
    assert again.radio(key="learn-prediction-kl").disabled  # nobody predicts what was seen
    with pytest.raises(LabError, match="left as it was kept"):  # nor does a tab that was opened before
        answers_book.put(place, answers_book.Entry("prediction", "kl"), "one", "zero", "en")
    assert kept.read_bytes() == before


def test_who_shares_a_studio_has_answers_of_his_own_and_deletes_only_his_runs(place):
    one, other = (replace(place, reader=letter * 32) for letter in "ab")
    answers_book.put(one, answers_book.Entry("text", "kl"), "mine", "", "en")
    assert answers_book.read(one).parts["kl"].text == "mine"
    assert answers_book.read(other) == answers_book.read(place) == answers_book.NOBODY
    fake_run(place.runs / "vae", "vae")
    task = tasks.Task(place.own / "tasks" / "t", "train", "vae", (), time.time(), 0, reader=one.reader)
    task.path.mkdir(parents=True)
    tasks._write(task)
    for act in (actions.discard, lambda library, name: actions.rename(library, name, "his")):
        with pytest.raises(LabError, match="your own"):
            act(other, "vae")
    assert actions.rename(one, "vae", "hers") == "hers"
    actions.discard(replace(place, reader=""), "hers")  # at the machine itself all are one's own


def test_a_reader_may_look_without_predicting(place):
    save_card(place, outcome=())
    at = opened(question="kl")
    whole(at.button(key="learn-show-kl").click().run())
    said = texts(at)
    assert text("card.outcome.none", "en") in said
    assert text("card.prediction.wrong", "en") not in said
    assert text("question.kl.answer.1", "en") in said
    assert not answers_book.file(place).exists()
    again = opened(question="kl")  # after a reload it is remembered, and no prediction can be made any more
    assert text("question.kl.answer.1", "en") in texts(again)
    assert again.radio(key="learn-prediction-kl").disabled
    assert not [button for button in again.button if button.key == "learn-prediction-kl-commit"]
    other = replace(place, reader="b" * 32)  # who shares the studio has a prediction of her own
    assert answers_book.prediction(other, "kl") is None


def test_an_answer_is_kept_and_shown_as_the_report_shows_it(place):
    at = opened(question="kl")
    whole(at.button(key="learn-show-kl").click().run())
    at.text_area(key="learn-text-kl").set_value("*So* <script>alert(1)</script> ![x](https://x.org/x.png)")
    whole(at.run())
    assert answers_book.read(place).parts["kl"].text.startswith("*So* <script>")
    shown = next(one.value for one in at.html if "So" in one.value)
    assert "<em>So</em> &lt;script&gt;" in shown
    assert "<img" not in shown


def test_a_card_of_another_question_or_damaged_counts_as_none(place):
    save_card(place, "latent-dim")
    at = opened(question="latent-dim")
    assert at.button(key="learn-start-latent-dim").label == text("studio.learn.start", "en")
    assert not at.get("popover")  # in which one runs it again
    (place.runs / "questions" / "latent-dim" / "card.json").write_text("{", encoding="utf-8")
    assert "damaged or of another version" in texts(opened(question="latent-dim"))


def test_what_is_no_question_opens_the_overview(place):
    for name in ("../../etc", "<script>", ""):
        assert text("card.intro", "en") in texts(opened(question=name))


def test_the_experiment_is_started_once(place, monkeypatch):
    started: list[list[str]] = []
    monkeypatch.setattr(tasks, "start", lambda place, kind, subject, words: started.append([kind, subject, *words]))
    at = opened(question="kl", lang="fr")
    at.segmented_control(key="learn-data-kl").set_value("mnist")
    whole(at.button(key="learn-start-kl").click().run())
    folder = str(place.runs / "questions" / "kl")
    assert started == [["question", "kl", "question", "kl", "--out", folder, "--data", "mnist", "--lang", "fr", "--closed"]]
    monkeypatch.setattr(tasks, "working", lambda place, kinds, name: True)
    at.button(key="learn-start-kl").click()
    whole(at.run())
    assert len(started) == 1
    assert arguments(Library(place.runs, "/data"), "kl", "digits", "en", True)[-3:] == ["--data-root", "/data", "--fresh"]


def test_a_failure_is_said_in_one_line_and_can_be_tried_again(place, monkeypatch):
    started: list[list[str]] = []
    monkeypatch.setattr(tasks, "start", lambda place, kind, subject, words: started.append(words))
    save_task(place, "latentlab: one\nlatentlab: mnist must be *there*.\n", 2, "--data", "mnist")
    at = opened(question="kl")
    assert "mnist must be *there*." in texts(at)
    whole(at.button(key="learn-retry-kl").click().run())
    whole(at.button(key="learn-afresh-kl").click().run())
    assert [("--fresh" in words, words[words.index("--data") + 1]) for words in started] == [(False, "mnist"), (True, "mnist")]


def test_progress_is_what_the_experiment_says_last(place):
    lines = [text("question.kl.ask", "fr"), text("question.kl.predict", "fr"), "  one: β = 1"]
    save_task(place, "".join(f"latentlab: {line}\n" for line in [lines[0]]) + "\n".join(lines[1:]) + "\nlatentlab: a\nlatentlab: b\n", None)
    [task] = tasks.tasks(place)
    assert progress(task) == ["a", "b"]


def test_stages_tell_what_was_predicted_run_and_answered(place):
    save_card(place)
    answers_book.put(place, answers_book.Entry("prediction", "kl"), "one", "", "en")
    assert not stages(place, "kl", answers_book.read(place), {})["predicted"]
    keep(place.questions / "kl", "kl", ["one"])
    answers = answers_book.read(place)
    assert stages(place, "kl", answers, {}) == {"predicted": True, "run": False, "answered": False}


def test_a_kept_prediction_that_somebody_changed_is_told_and_nothing_is_kept_over_it(place):
    keep(place.questions / "kl", "kl", ["one"])
    path = place.questions / "kl" / "prediction.json"
    path.write_text(changed := path.read_text(encoding="utf-8").replace('"one"', '"zero"'), encoding="utf-8")
    at = opened(question="kl")
    assert str(path) in texts(at)
    assert not at.radio
    assert not [button for button in at.button if button.key == "learn-prediction-kl-commit"]
    assert path.read_text(encoding="utf-8") == changed


def test_a_sheet_that_somebody_broke_keeps_the_question_readable(place):
    place.own.mkdir(parents=True)
    answers_book.file(place).write_text("name: A\n## chess\n", encoding="utf-8")
    at = opened(question="kl")
    assert "must be a section named" in texts(at)
    assert not at.radio
    assert text("question.kl.ask", "en") in texts(at)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_student_goes_from_the_cards_into_a_question_and_back(browser, place, width):
    """The whole card is a link; a prediction that is kept opens the result, stays as it is, and is an arc of the ring."""
    from playwright.sync_api import expect

    save_card(place)
    with studio(place.runs) as address:
        context = browser.new_context(viewport={"width": width, "height": 844})
        context.add_init_script("localStorage.setItem('latentlab-tour', 'left')")
        page = context.new_page()
        page.goto(f"{address}?lang=en")
        page.locator(".st-key-pages").get_by_role("link", name="Learn").click()
        card = page.locator(".st-key-learn-row-kl")
        expect(card.get_by_role("img", name="1 of 3: run", exact=True)).to_be_visible()
        sizes = page.locator("[class*=st-key-learn-row-]").evaluate_all("(all) => all.map((e) => [e.offsetWidth, e.offsetHeight])")
        assert len(sizes) == len(NAMES)
        assert len(set(map(tuple, sizes))) == 1
        assert sizes[0][0] >= 352
        assert sizes[0][1] == (212 if width == 1280 else 132)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        sketched = card.locator("img").first.get_attribute("src")
        card.click(position={"x": 100, "y": 40})  # on its picture
        page.wait_for_url(re.compile("question=kl"))
        expect(page.get_by_text("1 of 3: run", exact=True)).to_be_visible()
        option = page.locator("[class*=st-key-learn-prediction-] label").filter(has_text=text("question.kl.option.one", "en"))
        assert option.bounding_box()["height"] >= 48
        expect(option.locator("p")).to_have_css("font-size", "17px")
        result = page.get_by_role("heading", name=text(RAN, "en"))
        expect(result).to_have_count(0)
        button = page.get_by_role("button", name=text("studio.learn.keep", "en"))
        expect(button).to_be_disabled()
        ink = page.locator("h1").evaluate("(e) => getComputedStyle(e).color")
        option.click()
        expect(button).to_be_enabled()
        button.click()
        result.wait_for()
        expect(page.get_by_text("2 of 3: predicted, run", exact=True)).to_be_visible()
        expect(button).to_have_count(0)
        expect(page.get_by_role("radio", name=text("question.kl.option.one", "en"))).to_be_checked()
        expect(page.get_by_role("radio", name=text("question.kl.option.one", "en"))).to_be_disabled()
        for option in page.locator("[class*=st-key-learn-prediction-] label").filter(has_text="β = ").all():  # what was kept can be read
            expect(option.locator("p")).to_have_css("color", ink)
        field = page.get_by_role("textbox", name=text("studio.answers.own", "en"))
        field.fill("so")
        field.press("Control+Enter")
        expect(page.get_by_text("3 of 3: predicted, run, answered", exact=True)).to_be_visible()
        page.get_by_role("link", name=text("studio.learn.all", "en")).first.click()
        expect(card.get_by_role("img", name="3 of 3: predicted, run, answered", exact=True)).to_be_visible()
        expect(card.locator("img").first).not_to_have_attribute("src", sketched)  # now its first panel
        card.get_by_role("link").focus()
        page.keyboard.press("Enter")
        result.wait_for()


@pytest.mark.slow
def test_both_pages_in_a_browser(browser, place):
    """Hostile names are text, a prediction opens the result, answers outlive a reload, nothing is asked of another host."""
    from playwright.sync_api import expect

    hostile = "a & b $x$ `c` _d_"
    for name, kind in ((hostile, "ae"), ("lab/vae", "vae")):
        fake_run(place.runs / name, kind, epochs=1).write_status("finished", 10)
    save_card(place)
    with studio(place.runs) as address:
        page = browser.new_context(viewport={"width": 390, "height": 800}).new_page()
        asked: list[str] = []
        faults: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{address}runs?lang=en")
        assert page.get_by_role("link", name=hostile).inner_text() == hostile
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("button", name="More").last.press("Enter")
        page.get_by_label("Name", exact=True).fill("mine")
        page.get_by_label("Name", exact=True).press("Enter")
        page.get_by_text("is now called").wait_for()
        page.get_by_label("Name", exact=True).wait_for(state="detached")  # the menu has closed
        assert {"mine", "lab/mine"} & set(place.names())
        page.get_by_role("button", name="More").last.press("Enter")
        page.get_by_role("button", name="Delete").press("Enter")
        page.get_by_role("button", name="Undo").press("Enter")
        page.get_by_text("is in the trash").wait_for(state="detached")
        assert len(place.names()) == 2

        page.goto(f"{address}learn?lang=en&question=kl")
        page.get_by_text(text("studio.learn.closed", "en")).wait_for()
        page.get_by_text(text("question.kl.option.one", "en")).click()
        page.get_by_role("button", name=text("studio.learn.keep", "en")).click()
        page.get_by_role("heading", name=text(RAN, "en")).wait_for()
        page.get_by_role("textbox", name=text("studio.answers.own", "en")).fill("<img src=x onerror=alert(1)> *so*")
        page.get_by_role("textbox", name=text("studio.answers.own", "en")).press("Control+Enter")
        page.locator("em", has_text="so").wait_for()
        page.get_by_text(text("card.show_answer", "en")).click()
        page.locator(".katex-display").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.locator("img[src='x']").count() == 0

        page.goto(f"{address}runs?lang=fr&view=report")
        page.get_by_text(text("question.kl.title", "fr")).click()
        field = page.get_by_role("textbox", name=text("studio.answers.own", "fr"))
        expect(field).to_have_value("<img src=x onerror=alert(1)> *so*")
        assert faults == []
        assert {url for url in asked if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))} == set()

"""Charts that follow a running run, in a real browser: what a reader has set stays, what has come is there."""

from __future__ import annotations

import re

import pytest
from commands import wait_until
from hosted import FRAMES, hosted

from latentlab.base.texts import Phrase
from latentlab.show.charts.panels import Bars, Lines, Series
from latentlab.show.charts.payload import chart_data, chart_table, chart_words


def said(words: str) -> Phrase:
    return Phrase("page.verbatim", {"words": words})


def lines(count: int, names: tuple[str, ...] = ("one", "two"), marks: tuple[tuple[float, Phrase], ...] = (), top: float = 10.0) -> Lines:
    """`count` points a line over epochs 0 … count − 1, falling from `top`; the lines lie 100 apart."""
    x = tuple(map(float, range(count)))
    series = tuple(Series(said(name), tuple(top / (1 + at) + 100 * place for at in x), x) for place, name in enumerate(names))
    return Lines(said("a title"), Phrase("figure.epoch"), Phrase("figure.nats"), series, said(f"{count} epochs"), marks=marks)


def content(panel, lang: str = "en") -> list:
    return [chart_data(panel), chart_words(panel, lang) | {"table": chart_table(panel, lang)}]


@pytest.fixture
def opened(browser, tmp_path, request):
    with hosted(browser, tmp_path, **getattr(request, "param", {})) as page:
        yield page


def draw(page, panel, lang: str = "en") -> None:
    page.evaluate("([data, words]) => { globalThis.handle = L.chart(root, data, words); }", content(panel, lang))


def update(page, panel, lang: str = "en") -> None:
    page.evaluate("([data, words]) => handle.update(data, words)", content(panel, lang))


def ticks(page, axis: str) -> list[float]:
    return [float(tick.replace("\u202f", "")) for tick in page.locator(f".plot-svg text.{axis}").all_text_contents()]


IN_SHADOW = pytest.mark.parametrize("opened", [{}, {"shadow": True}], indirect=True, ids=["page", "shadow"])


@IN_SHADOW
def test_what_a_reader_has_set_stays(opened):
    draw(opened, lines(21))
    opened.locator(".plot-legend button").nth(1).click()
    assert opened.locator(".plot-svg path.line").count() == 1
    frame = opened.locator(".plot-frame")
    frame.focus()
    for key in ("End", *["ArrowLeft"] * 4, "+", "+"):  # around 16
        frame.press(key)
    view = ticks(opened, "x")
    assert min(view) > 8
    update(opened, lines(41, marks=((15.0, said("the rate is halved")), (30.0, said("out of sight")))))
    assert ticks(opened, "x") == view
    assert opened.locator(".plot-svg path.line").count() == 1
    assert opened.locator(".plot-legend button").nth(1).get_attribute("aria-pressed") == "false"
    assert opened.locator(".plot-svg text.event").all_text_contents() == ["the rate is halved"]
    assert opened.evaluate("(root.getRootNode()).activeElement.className") == "plot-frame"
    assert opened.locator(".plot-tip-head").text_content() == "epoch 16"
    frame.press("ArrowRight")
    assert opened.locator(".plot-live").text_content().startswith("epoch 17. one ")
    frame.press("0")
    assert max(ticks(opened, "x")) == 40
    assert opened.locator(".plot-svg text.event").count() == 2


def test_who_has_not_zoomed_sees_everything(opened):
    draw(opened, lines(5))
    assert max(ticks(opened, "x")) == 4
    update(opened, lines(11, top=300.0))
    assert max(ticks(opened, "x")) == 10
    assert max(ticks(opened, "y")) >= 300
    assert opened.locator(".plot figcaption").text_content() == "11 epochs"
    assert opened.locator(".plot-chart").get_attribute("aria-label") == "11 epochs"
    assert opened.locator(".plot-live").text_content() == ""  # numbers that come are not read out


def test_a_series_that_comes_later_takes_its_place(opened):
    """The validation loss is first in the legend and is there only after an epoch."""
    draw(opened, lines(3, ("training", "KL")))
    training = opened.locator(".plot-legend button").first
    training.click()
    training.focus()
    opened.evaluate("globalThis.entry = root.getRootNode().activeElement")
    update(opened, lines(4, ("validation", "training", "KL")))
    assert opened.locator(".plot-legend .plot-name").all_text_contents() == ["validation", "training", "KL"]
    assert [entry.get_attribute("aria-pressed") for entry in opened.locator(".plot-legend button").all()] == ["true", "false", "true"]
    assert opened.evaluate("root.getRootNode().activeElement === entry")
    assert opened.locator(".plot-svg path.line").count() == 2
    opened.keyboard.press("Enter")
    assert opened.locator(".plot-svg path.line").count() == 3
    update(opened, lines(4, ("KL",)))
    assert opened.locator(".plot-legend .plot-name").all_text_contents() == ["KL"]
    assert opened.locator(".plot-legend button").count() == 0  # one line cannot be hidden


def test_another_language_keeps_what_is_hidden(opened):
    first = lines(3)
    spoken = Lines(**{**vars(first), "series": tuple(Series(Phrase(f"figure.split.{name}"), one.y, one.x)
                                                     for name, one in zip(("train", "val"), first.series, strict=True))})  # fmt: skip
    draw(opened, spoken)
    opened.locator(".plot-legend button").first.click()
    update(opened, spoken, "fr")
    assert opened.locator(".plot-legend .plot-name").all_text_contents() == ["entraînement", "validation"]
    assert [entry.get_attribute("aria-pressed") for entry in opened.locator(".plot-legend button").all()] == ["false", "true"]
    assert opened.locator(".plot-tools .in").get_attribute("aria-label") == "Agrandir"


def test_nothing_new_changes_nothing(opened):
    draw(opened, lines(5, marks=((1.0, said("x")),)))
    watch = "new MutationObserver((all) => { globalThis.changes += all.length; }).observe(root, {subtree: true, childList: true,"
    opened.evaluate(f"globalThis.changes = 0; {watch} attributes: true, characterData: true}})")
    update(opened, lines(5, marks=((1.0, said("x")),)))
    assert opened.evaluate("new Promise((done) => setTimeout(() => done(changes), 50))") == 0
    update(opened, lines(5, marks=((1.0, said("y")),)))
    assert opened.evaluate("new Promise((done) => setTimeout(() => done(changes), 50))") > 0


@IN_SHADOW
def test_keys_of_a_chart_are_not_keys_of_the_page(opened):
    draw(opened, lines(5))
    frame = opened.locator(".plot-frame")
    for key in ("ArrowRight", "+", "0", "Escape", "r"):
        frame.press(key)
    assert opened.evaluate("keys") == ["r"]


def test_nothing_is_left_of_a_destroyed_chart(opened):
    draw(opened, lines(5))
    assert opened.evaluate("[listening, observing.size]") == [2, 1]
    draw(opened, lines(5))
    opened.evaluate("handle.destroy()")
    assert opened.evaluate("[listening, observing.size, root.children.length]") == [2, 1, 1]
    opened.evaluate("globalThis.root.textContent = ''")
    draw(opened, lines(3))
    opened.evaluate("handle.destroy()")
    assert opened.evaluate("root.children.length") == 0


def test_the_last_chart_takes_the_listeners_of_the_window_with_it(opened):
    draw(opened, lines(5))
    opened.evaluate("handle.destroy()")
    assert opened.evaluate("[listening, observing.size]") == [0, 0]
    draw(opened, lines(5))
    opened.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.locator(".plot-svg").get_attribute("width") == "420"
    opened.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert float(opened.locator(".plot-svg").get_attribute("width")) > 420


def test_what_was_hidden_is_drawn_with_the_newest_numbers(opened):
    draw(opened, lines(5))
    opened.evaluate("root.hidden = true")
    opened.evaluate(FRAMES)
    update(opened, lines(11))
    opened.evaluate("root.hidden = false")
    wait_until(lambda: max(ticks(opened, "x")) > 5)
    assert max(ticks(opened, "x")) == 10


@pytest.mark.parametrize("opened", [{"theme": "chart-dark", "shadow": True}], indirect=True)
def test_a_host_chooses_the_theme(opened):
    """Dark on a machine that is set to light."""
    draw(opened, lines(5))
    colour = "getComputedStyle(root.querySelector({!r})).{}"
    assert opened.evaluate(colour.format(".plot-svg text.tick", "fill")) == "rgb(168, 163, 152)"
    assert opened.evaluate(colour.format(".plot-svg path.line", "stroke")) == "rgb(169, 160, 245)"
    opened.evaluate("root.style.setProperty('--chart-soft', 'rgb(1, 2, 3)')")
    assert opened.evaluate(colour.format(".plot-svg text.tick", "fill")) == "rgb(1, 2, 3)"


def test_bars_and_other_kinds_are_renewed(opened):
    def bars(value: float) -> Bars:
        series = tuple(Series(said(name), (value, 2.0)) for name in ("a", "b"))
        return Bars(said("t"), Phrase("figure.nats"), (said("AE"), said("VAE")), series, said("s"), lines=((value / 2, said("real")),))

    draw(opened, bars(80.5))
    opened.locator(".plot-legend button").first.click()
    opened.locator(".plot-frame").focus()
    opened.keyboard.press("ArrowRight")
    update(opened, bars(40.5))
    assert opened.locator(".plot-svg text.value").all_text_contents() == ["40.5", "2"]
    assert opened.locator(".plot-tip-row .plot-value").all_text_contents() == ["40.5"]
    assert opened.locator(".plot-legend .plot-name").all_text_contents() == ["a", "b", "real 20.25"]
    update(opened, lines(4))
    assert opened.locator(".plot-svg path.line").count() == 2
    assert opened.locator(".plot-stage").count() == 1


def test_the_numbers_are_a_table_that_follows(opened):
    draw(opened, lines(3))
    assert opened.locator(".plot-numbers table").count() == 0
    opened.locator(".plot-numbers summary").click()
    opened.locator(".plot-numbers tbody tr").nth(2).wait_for()  # the browser says a moment later that it is open
    assert opened.locator(".plot-numbers tbody tr").count() == 3
    update(opened, lines(5))
    assert opened.locator(".plot-numbers tbody tr").count() == 5
    assert opened.locator(".plot-numbers tbody tr").last.locator("th, td").all_text_contents() == ["4", "2", "102"]


def test_a_place_on_an_axis_of_single_values_stays(opened):
    """β of 0, 0.5 and 10 stand at equal distances; another one between them moves no reader's view."""

    def swept(*betas: float) -> Lines:
        one = (Series(said("a"), tuple(30.0 - beta for beta in betas), betas),)
        return Lines(said("β"), said("β"), Phrase("figure.nats"), one, said("s"), log_x=True)

    draw(opened, swept(0.0, 0.5, 2.0, 10.0))
    opened.locator(".plot-frame").focus()
    for key in ("End", "+"):
        opened.keyboard.press(key)
    assert opened.locator(".plot-svg text.x").all_text_contents()[-1] == "10"
    update(opened, swept(0.0, 0.25, 0.5, 2.0, 10.0, 20.0))
    assert opened.locator(".plot-tip-head").text_content() == "β 10"
    shown = opened.locator(".plot-svg text.x").all_text_contents()
    assert "10" in shown
    assert not {"0", "20"} & set(shown)


def test_odd_data_do_not_break_a_chart(opened):
    empty = Lines(said("t"), Phrase("figure.epoch"), Phrase("figure.nats"), (), said("nothing"))
    draw(opened, empty)
    assert opened.locator(".plot-svg text.tick").last.text_content() == "Nothing was measured here."
    update(opened, lines(1))
    update(opened, lines(40, ("a", "a", "a")))  # of one name
    assert opened.locator(".plot-legend button").count() == 3
    update(opened, lines(2))
    update(opened, empty)
    html = opened.locator(".plot").inner_html()
    assert not re.search("NaN|Infinity|undefined", html)

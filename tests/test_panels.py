"""Panels: through JSON and back, as PNG, and on a page in a real browser from file://."""

from __future__ import annotations

import io
import json
import math
import re
from importlib import resources
from itertools import pairwise

import numpy as np
import pytest
from hosted import eventually
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from latentlab.base.texts import Phrase, number
from latentlab.config.presets import preset
from latentlab.show import charts as module
from latentlab.show import palette
from latentlab.show.charts.curves import overlaid
from latentlab.show.charts.panels import Bars, Lines, Pictures, Series, looks, panel_json, panel_read
from latentlab.show.charts.payload import Reel, chart_data, film_data
from latentlab.show.figures import style
from latentlab.show.figures.painter import draw_panels
from latentlab.show.figures.style import HUES
from latentlab.show.palette import FAMILIES, ramps
from latentlab.show.report.markup import Shared, panel_figure

EPOCH, NATS = Phrase("figure.epoch"), Phrase("figure.nats")


def said(words: str) -> Phrase:
    return Phrase("page.verbatim", {"words": words})


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


PIXELS = np.random.default_rng(0).integers(0, 256, (5, 11, 3), np.uint8)
LOSSES = Lines(
    said("Losses"),
    EPOCH,
    NATS,
    (
        Series(Phrase("figure.split.train"), (400.5, 200.25, 150.125, None, 120.0), (0.5, 1.5, 2.5, 3.5, 4.5), kind="vae"),
        Series(
            Phrase("figure.split.val"), (210.75, 12345.5, 130.0), (1.0, 2.0, 4.0), (205.0, 12000.0, 125.0), (215.0, 13000.0, 135.0), "vae"
        ),
    ),
    said("Both fall <b>."),
    marks=((2.0, said("the rate is halved")), (2.2, said("β is 1"))),
)
BETA = Lines(
    said("β"),
    said("β"),
    NATS,
    tuple(Series(said(name), (30.5, 20.0, 1.25), (0.0, 0.5, 10.0)) for name in ("one", "two")),
    said("Less."),
    log_x=True,
    log_y=True,
)
DISTANCES = Bars(
    said("Distances"),
    said("Frechet distance"),
    (said("AE"), said("VAE, whose name is long")),
    (Series(said("digits"), (80.5, None), (), (70.0, None), (90.0, None)), Series(said("MNIST"), (60.25, 0.5))),
    said("Smaller is nearer."),
    lines=((8.5, said("real against real")),),
)
PICTURES = Pictures(said("Pictures"), ((said("a caption"), png(PIXELS)), (said("the same again"), png(PIXELS))), said("Noise."))
PANELS = (LOSSES, BETA, DISTANCES, PICTURES)


# -------------------------------------------------------------------------------------------------------------- the data

words = st.text(max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False)
measured = st.one_of(st.none(), numbers)
values = st.one_of(st.integers(), numbers, words, st.none(), st.tuples(numbers, st.one_of(st.none(), numbers)))
phrases = st.recursive(
    st.builds(Phrase, words, st.dictionaries(words, values, max_size=2)),
    lambda inner: st.builds(Phrase, words, st.dictionaries(words, inner, max_size=2)),
    max_leaves=3,
)


@st.composite
def series(draw: st.DrawFn) -> Series:
    length = draw(st.integers(0, 4))
    part = st.lists(measured, min_size=length, max_size=length).map(tuple)
    y, x, low, high = (draw(part) for _ in range(4))
    return Series(draw(phrases), y, x, low, high, draw(st.sampled_from(("ae", "vae", "gan", "gan-from-vae", "real", ""))))


many = st.lists(series(), max_size=3).map(tuple)
pairs = st.lists(st.tuples(numbers, phrases), max_size=2).map(tuple)
any_panel = st.one_of(
    st.builds(Lines, phrases, phrases, phrases, many, phrases, st.booleans(), st.booleans(), pairs),
    st.builds(Bars, phrases, phrases, st.lists(phrases, max_size=3).map(tuple), many, phrases, st.booleans(), pairs),
    st.builds(Pictures, phrases, st.lists(st.tuples(phrases, st.binary(max_size=9)), max_size=2).map(tuple), phrases),
)


@given(any_panel)
@settings(max_examples=60, deadline=None)
def test_a_panel_goes_to_json_and_back(panel):
    assert panel_read(json.loads(json.dumps(panel_json(panel), allow_nan=False))) == panel


def test_a_series_of_unequal_lengths_is_refused():
    with pytest.raises(ValueError, match="one length"):
        Series(said("a"), (1.0, 2.0), (1.0,))


@given(st.lists(st.sampled_from(("ae", "vae", "gan", "gan-from-vae", "real", "")), max_size=8))
@settings(deadline=None)
def test_no_two_series_look_alike_without_colour(kinds):
    """Up to as many series as there are marks."""
    found = looks([Series(said("a"), (), kind=kind) for kind in kinds])
    assert len({look.mark for look in found}) == len(found)
    assert len({(look.dash, look.mark) for look in found}) == len(found)
    assert all(look.hue.rstrip("-01234567") == kind for look, kind in zip(found, kinds, strict=True) if kind)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio of two colours #rrggbb."""

    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        return sum(
            w * (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4) for w, p in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
        )

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_hue_stands_out_in_both_themes():
    light, dark = module.style().split("@media screen and (prefers-color-scheme: dark)")
    for part, paper in ((light, "#fbfaf7"), (dark, "#17181b")):
        hues = dict(re.findall(r"\.hue-([\w-]+) { --own: (#[0-9a-f]{6}); }", part))
        assert len(hues) == 4 + 6 + 4 * 8
        assert all(contrast(hue, paper) >= 3 for hue in hues.values()), hues
        if part is light:
            assert hues == {name: HUES[name] for name in hues}  # figures have the same


def lightness(color: str) -> float:
    """CIE L* of a colour #rrggbb."""
    return 116 * ((contrast(color, "#000000") * 0.05 - 0.05) ** (1 / 3)) - 16


@pytest.mark.parametrize(("dark", "paper"), [(False, "#fbfaf7"), (True, "#17181b")])
def test_the_steps_of_a_ramp_stand_out_and_differ_in_lightness(dark, paper):
    steps = ramps(dark)
    assert min(contrast(color, paper) for color in steps.values()) >= 3.1, steps
    for kind in FAMILIES:
        light = [lightness(steps[f"{kind}-{step}"]) for step in range(8)]
        assert min(b - a for a, b in pairwise(light)) > 3, (kind, light)
    page, host = module.style().rpartition("@media")[2 if dark else 0], module.host_style()
    assert all(f".hue-{name} {{ --own: {color}; }}" in page for name, color in steps.items())
    assert all(f"{'.chart-dark ' if dark else ''}.hue-{name} {{ --own: {color}; }}" in host for name, color in steps.items())


def test_runs_of_one_family_have_a_hue_each_everywhere():
    kinds = ["vae"] * 8 + ["gan", "ae", "ae"]
    hues = palette.hues(kinds)
    assert hues == [*(f"vae-{step}" for step in range(8)), "gan", "ae-1", "ae-6"]
    runs = {str(i): ([{"epoch": 1.0, "split": "val", "mse": 1.0}], said(str(i)), hue) for i, hue in enumerate(hues)}
    drawn = [one["hue"] for one in chart_data(overlaid(runs, "mse", "val"))["series"]]
    reels = [Reel(str(i), said(str(i)), hue, (0,), None, said("")) for i, hue in enumerate(hues)]
    assert drawn == [run["hue"] for run in film_data(reels, "en")["runs"]] == hues
    assert [look.hue for look in looks([Series(said("a"), (), kind="vae")])] == ["vae"]  # one run stays as it was


def test_seeds_share_a_step_and_steps_follow_the_swept_value():
    betas = [4.0, 1.0, 0.25, 4.0, 1.0, 0.25]
    settings = [{"train.beta": beta, "model.latent_dim": 2, "train.seed": at // 3} for at, beta in enumerate(betas)]
    assert palette.hues(["vae"] * 6, settings) == ["vae-7", "vae-3", "vae-0"] * 2
    assert palette.hues(["vae"] * 3, [settings[0], settings[3], settings[0]]) == ["vae-1", "vae-1", "vae-6"]  # one seed twice: two runs
    one = preset("conv-vae")
    assert palette.hues_of([one, one.replace(seed=3), one.replace(beta=9.0)]) == ["vae-1", "vae-1", "vae-6"]


# --------------------------------------------------------------------------------------------------------------- the PNG


@pytest.fixture
def coarse(monkeypatch):
    monkeypatch.setattr(style, "DPI", 50)


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_every_kind_of_panel_is_drawn(lang, tmp_path, coarse):
    path = draw_panels(PANELS, tmp_path / "figure.png", lang)
    with Image.open(path) as picture:
        assert picture.info["Language"] == lang
        column = round(style.WIDTH_INCHES * style.DPI)
        assert picture.width % column == 0
        assert 0.5 < picture.height / picture.width < 2.5  # no strip
        shown = np.asarray(picture.convert("RGB"))
    zoom = (column - 2 * round(0.08 * style.DPI)) // PIXELS.shape[1]
    wanted = PIXELS.repeat(zoom, 0).repeat(zoom, 1)
    height, width, _ = wanted.shape
    places = [
        (top, left)
        for left in range(round(0.08 * style.DPI), shown.shape[1], column)
        for top in range(shown.shape[0] - height + 1)
        if np.array_equal(shown[top : top + height, left:][:, :width], wanted)
    ]
    assert len(places) == 2  # both pictures, pixel by pixel


def drawn_texts(monkeypatch, panel, lang, path) -> list[str]:
    """Every text that the figure of a panel draws."""
    from matplotlib.text import Text

    found: list[str] = []
    draw = Text.draw
    monkeypatch.setattr(Text, "draw", lambda self, *rest, **more: (found.append(self.get_text()), draw(self, *rest, **more))[1])
    draw_panels([panel], path, lang)
    return found


def test_a_figure_is_in_its_language(monkeypatch, tmp_path, coarse):
    french = drawn_texts(monkeypatch, DISTANCES, "fr", tmp_path / "a.png")
    assert "80,5" in french
    assert "real against real 8,5" in french
    assert not [said for said in french if re.search(r"\d\.\d", said)]
    assert {"0", "0,5", "10"} <= set(drawn_texts(monkeypatch, BETA, "fr", tmp_path / "b.png"))  # 0 has no logarithm
    assert "nats per image, log scale" in drawn_texts(monkeypatch, BETA, "en", tmp_path / "c.png")


def test_odd_panels_are_drawn_too(tmp_path, coarse, open_page):
    def line(title, *series, **more):
        return Lines(said(title), EPOCH, NATS, series, said("s"), **more)

    def bars(title, groups, *values, **more):
        return Bars(said(title), NATS, tuple(map(said, groups)), tuple(Series(said("a"), one) for one in values), said("s"), **more)

    odd = [
        line("nothing"),
        line("no value", Series(said("a"), (None, None), (0.0, 1.0)), log_y=True),
        line("one point", Series(said("a"), (2.0,), (3.0,), (1.0,), (4.0,)), log_x=True),
        line("not positive", Series(said("a"), (-1.0, 0.0, 5.0), (1.0, 2.0, 3.0)), log_y=True),
        line("level", Series(said("a"), (7.0, 7.0), (1.0, 2.0)), log_x=True),
        line("backwards", Series(said("a"), (1.0, 2.0, 3.0), (3.0, 1.0, 2.0)), log_y=True),
        bars("nothing", ()),
        bars("no series", ("a", "b")),
        bars("not positive", ("a", "b"), (-1.0, None), log_y=True),
        bars("many", map(str, range(64)), tuple(map(float, range(64)))),
        bars("long", (f"Donaudampfschiffahrtsgesellschaft {at}" for at in range(4)), (1.0,) * 4),
    ]
    draw_panels(odd, tmp_path / "figure.png", "en")
    page = open_page(odd, langs=("en",), width=390)
    assert page.locator(".plot svg.plot-svg").count() == len(odd)
    assert "NaN" not in page.locator("main").inner_html()
    assert "Infinity" not in page.locator("main").inner_html()


# -------------------------------------------------------------------------------------------------------------- the page


def document(panels, langs=("en", "fr"), start: str = "latentlabCharts.mount();") -> str:
    """A page with a tree for each language, the first one shown."""
    shared = Shared()
    trees = "".join(
        f'<main lang="{lang}"{" hidden" if lang != langs[0] else ""}>'
        + "".join(panel_figure(panel, lang, shared) for panel in panels)
        + "</main>"
        for lang in langs
    )
    css = palette.page() + resources.files("latentlab.show.report").joinpath("static", "lab.css").read_text(encoding="utf-8")
    more, js = module.style(), module.script()
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    allowed = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    policy = f'<meta http-equiv="Content-Security-Policy" content="{allowed}">'
    script = f"<script>{js}{start}</script>"
    return (
        f"<!doctype html><html lang=en>{meta}{policy}<title>charts</title><style>{css}{more}</style><body>{trees}{shared.script()}{script}"
    )


@pytest.fixture
def open_page(browser, tmp_path):
    opened, problems = [], []

    def open_(panels, langs=("en", "fr"), width=800, scripted=True, scheme="light", **more):
        path = tmp_path / "page.html"
        path.write_text(document(panels, langs, **more), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripted)
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: problems.append(request.url) if not request.url.startswith(("file:", "data:")) else None)
        page.goto(path.as_uri())
        return page

    yield open_
    for context in opened:
        context.close()
    assert problems == []


def ticks(page, axis: str) -> list[str]:
    return page.locator(f"main:not([hidden]) .plot-svg text.{axis}").all_text_contents()


def live(page) -> str:
    return page.locator("main:not([hidden]) .plot-live").first.text_content()


def hover(page, share: float) -> None:
    """Put the pointer over the first chart, at a share of the way from its first to its last point."""
    line = page.locator(".plot-svg .inner").first.bounding_box()
    page.mouse.move(line["x"] + 8 + share * (line["width"] - 16), line["y"] + line["height"] / 2)


def test_the_pointer_reads_the_values_at_a_place(open_page):
    page = open_page([LOSSES])
    hover(page, 0.25)  # from 0.5 to 4.5: 1.5
    assert page.locator(".plot-tip-head").text_content() == "epoch 1.5"
    rows = [row.text_content() for row in page.locator(".plot-tip-row").all()]
    assert rows[0] == "training200.3"
    assert rows[1].startswith("validation")
    assert re.fullmatch(r"validation(210\.8205 to 215, at 1|12\u202f34[56]12\u202f000 to 13\u202f000, at 2)", rows[1])
    dots = [dot.get_attribute("class") for dot in page.locator(".plot-svg .dot").all()]
    assert dots == ["dot hue-vae-1", "dot hue-vae-6"]
    hover(page, 0.75)  # at 3.5 the training loss is missing: the nearest place has no value
    assert "–" in page.locator(".plot-tip-row").first.text_content()
    page.mouse.move(1, 1)
    assert page.locator(".plot-tip").is_hidden()


def test_zoom_changes_the_axes_and_reset_restores_them(open_page):
    page = open_page([LOSSES])
    whole = ticks(page, "x"), ticks(page, "y")
    assert page.locator(".plot-tools .reset").is_hidden()
    hover(page, 0.55)
    page.mouse.down()
    hover(page, 0.8)
    page.mouse.up()
    zoomed = ticks(page, "x"), ticks(page, "y")
    assert [float(tick) for tick in zoomed[0]] == sorted(float(tick) for tick in zoomed[0])
    assert float(zoomed[0][0]) >= 2.7
    assert float(zoomed[0][-1]) <= 3.7
    assert zoomed[1] != whole[1]
    ends = re.fullmatch(r"From (\S+) to (\S+)\.", live(page))
    assert [float(end) for end in ends.groups()] == pytest.approx([2.7, 3.7], abs=0.05)
    page.locator(".plot-tools .reset").click()
    assert (ticks(page, "x"), ticks(page, "y")) == whole
    page.locator(".plot-tools .in").click()
    assert (ticks(page, "x"), ticks(page, "y")) != whole
    box = page.locator(".plot-svg").bounding_box()
    page.mouse.dblclick(box["x"] + 200, box["y"] + 150)
    assert (ticks(page, "x"), ticks(page, "y")) == whole


def test_a_wheel_zooms_only_with_ctrl(open_page):
    page = open_page([LOSSES, LOSSES, LOSSES])
    hover(page, 0.5)
    whole = ticks(page, "x")
    page.mouse.wheel(0, 100)
    eventually(page, "window.scrollY > 50")
    assert ticks(page, "x") == whole
    hover(page, 0.9)
    page.keyboard.down("Control")
    for _ in range(4):
        page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    eventually(page, f"document.querySelector('.plot-svg text.x').textContent !== '{whole[0]}'")


def test_a_legend_entry_hides_its_series(open_page):
    page = open_page([LOSSES])
    entry = page.get_by_role("button", name="validation")
    assert entry.get_attribute("aria-pressed") == "true"
    assert page.locator(".plot-svg path.line").count() == 2
    high = ticks(page, "y")
    entry.click()
    assert entry.get_attribute("aria-pressed") == "false"
    assert page.locator(".plot-svg path.line").count() == 1
    assert page.locator(".plot-svg path.band").count() == 0
    assert ticks(page, "y") != high  # the axis fits what is left
    entry.press("Enter")
    assert page.locator(".plot-svg path.line").count() == 2
    assert ticks(page, "y") == high


def test_keys_read_and_zoom_and_are_announced(open_page):
    page = open_page([LOSSES])
    page.keyboard.press("Tab")  # both entries of the legend and the tools come first
    for _ in range(6):
        if page.evaluate("document.activeElement.className") == "plot-frame":
            break
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "plot-frame"
    assert page.locator(".plot-hint").is_visible()
    page.keyboard.press("ArrowRight")
    assert live(page) == "epoch 0.5. training 400.5; validation –."  # which begins later
    page.keyboard.press("ArrowRight")
    assert live(page) == "epoch 1. training 400.5 (at 0.5); validation 210.8 (205 to 215)."
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert live(page).startswith("epoch 2.5. training 150.1; ")
    page.keyboard.press("ArrowLeft")
    assert live(page).startswith("epoch 2. ")
    page.keyboard.press("End")
    assert live(page).startswith("epoch 4.5. training 120; ")
    page.keyboard.press("+")
    zoomed = ticks(page, "x")
    assert float(zoomed[0]) > 1
    for _ in range(7):
        page.keyboard.press("ArrowLeft")  # the view follows
    assert live(page).startswith("epoch 0.5. ")
    assert float(ticks(page, "x")[0]) < 1.5
    page.keyboard.press("0")
    assert ticks(page, "x")[-1] == "4"
    page.keyboard.press("Escape")
    assert page.locator(".plot-tip").is_hidden()


def test_french_is_written_as_french(open_page):
    page = open_page([LOSSES, BETA], langs=("fr", "en"))
    first = page.locator(".plot").first
    assert "20\u202f000" in first.locator("text.y").all_text_contents() or "10\u202f000" in first.locator("text.y").all_text_contents()
    page.locator(".plot-frame").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert live(page) == "époque 1. entraînement 400,5 (à 0,5); validation 210,8 (205 à 215)."
    assert page.locator(".plot").nth(1).locator("text.x").all_text_contents() == ["0", "0,5", "10"]
    assert not page.locator(".plot-svg").evaluate_all("all => all.some(svg => /\\d\\.\\d/.test(svg.textContent))")


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_numbers_are_those_of_texts(lang, open_page):
    page = open_page([BETA])
    tried = [0, 0.5, -2.25, 1437, 16923.85, -1692385, 1e-7, -2.5e-5, 0.00012345678, 123456.7, 1234567.5, 3e20, 1 / 3]
    written = page.evaluate("([all, lang]) => all.map(value => latentlabCharts.number(value, lang))", [tried, lang])
    assert written == [number(value, lang) for value in tried]
    assert page.evaluate("latentlabCharts.number(NaN, 'en')") == number(math.nan, lang)
    decimals = page.evaluate("lang => latentlabCharts.number(-12345.678, lang, 2)", lang)
    assert decimals == number(-12345.678, lang, 2)


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_charts_fit_a_phone(lang, open_page):
    many = Lines(
        said("many " * 30),
        EPOCH,
        NATS,
        LOSSES.series,
        said("s"),
        marks=tuple((float(at) / 2, said("something happened")) for at in range(1, 9)),
    )
    ten = tuple(at / 8 for at in range(40))
    crowded = [
        Lines(said("places"), EPOCH, NATS, (Series(said("a"), ten, ten),), said("s"), log_x=True),
        Bars(said("units"), NATS, tuple(said(f"{at:03d}") for at in range(40)), (Series(said("a"), ten),), said("s")),
        Bars(
            said("values"), NATS, (said("AE"), said("VAE")), tuple(Series(said(name), (123456.0, 9876543.0)) for name in "abc"), said("s")
        ),
    ]
    page = open_page([*PANELS, many, *crowded], langs=(lang,), width=390, scheme="dark")
    assert page.locator(".plot").last.locator(".value").count() == 6  # the bars lie where values would not fit above them
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    outside = page.evaluate(
        """() => [...document.querySelectorAll('.plot-svg text')].filter(text => {
          const box = text.getBoundingClientRect();
          return box.width && (box.left < -0.5 || box.right > 390.5);
        }).map(text => text.textContent)"""
    )
    assert outside == []
    touching = page.evaluate(
        """() => [...document.querySelectorAll('.plot-svg')].flatMap(svg => {
          const boxes = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
          const apart = (p, q) => p.right - 1 <= q.left || q.right - 1 <= p.left || p.bottom - 3 <= q.top || q.bottom - 3 <= p.top;
          return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([, q]) => !apart(p, q)).map(([b]) => [a, b]));
        })"""
    )
    assert touching == []
    sizes = page.evaluate(
        "[...document.querySelectorAll('.plot *')].filter(e => e.textContent.trim()).map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 11


def test_a_chart_follows_its_width(open_page):
    page = open_page([LOSSES], width=800)
    before = page.locator(".plot-svg").get_attribute("width")
    page.set_viewport_size({"width": 420, "height": 900})
    eventually(page, f"document.querySelector('.plot-svg').getAttribute('width') !== '{before}'")
    assert float(page.locator(".plot-svg").get_attribute("width")) < 420


def test_long_lines_are_thinned_without_losing_their_extremes(open_page):
    count = 100_000
    y = np.sin(np.arange(count) / 5000)
    y[54_321] = 9.0
    long = Lines(said("long"), EPOCH, NATS, (Series(said("a"), tuple(y.tolist()), tuple(map(float, range(count)))),), said("s"))
    page = open_page([long], langs=("en",))
    path = page.locator(".plot-svg path.line").get_attribute("d")
    points = [tuple(map(float, point.split())) for point in re.findall(r"[\d.]+ [\d.]+", path)]
    assert 500 < len(points) <= 4 * 800
    top = min(points, key=lambda point: point[1])
    assert top[1] < sorted(point[1] for point in points)[len(points) // 20] - 50  # the one high value is drawn
    page.locator(".plot-frame").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert live(page).startswith("epoch 99\u202f998. ")
    assert len(page.locator(".plot-numbers tbody tr").all()) == 12


def test_bars_are_read_and_hidden(open_page):
    page = open_page([DISTANCES])
    assert page.locator(".plot-svg text.value").all_text_contents() == ["80.5", "–", "60.3", "0.5"]
    page.locator(".plot-frame").focus()
    page.keyboard.press("ArrowRight")
    assert live(page) == "AE. digits 80.5 (70 to 90); MNIST 60.25."
    page.keyboard.press("ArrowRight")
    assert live(page) == "VAE, whose name is long. digits –; MNIST 0.5."
    heights = [float(bar.get_attribute("height")) for bar in page.locator(".plot-svg rect.fill").all()]
    assert heights[0] / heights[1] == pytest.approx(80.5 / 60.25, rel=0.01)
    page.get_by_role("button", name="digits").click()
    assert page.locator(".plot-svg rect.fill").count() == 2


def test_two_trees_hold_one_copy(open_page):
    shared = Shared()
    trees = [panel_figure(panel, lang, shared) for lang in ("en", "fr") for panel in (LOSSES, PICTURES)]
    whole = "".join(trees) + shared.script()
    assert whole.count("12345.5") == 1
    assert len(re.findall(r"data:image/\w+;base64,", whole)) == 1  # the two pictures are the same
    assert "<b>" not in whole
    store = json.loads(re.search(r'id="shared">(.*)</script>', shared.script())[1])
    assert not [value for value in store.values() if isinstance(value, str) and value.startswith("data:")]
    assert shared.put_json({"a": 1}) == shared.put_json({"a": 1}) != shared.put_json({"a": 2})

    page = open_page([LOSSES, PICTURES])
    second = page.locator("main[lang=fr] img").first
    assert second.get_attribute("src") is None
    assert page.locator("main[lang=fr] .plot-svg").count() == 0
    page.evaluate("for (const tree of document.querySelectorAll('main')) tree.hidden = tree.lang === 'en'")
    eventually(page, "document.querySelector('main[lang=fr] img').naturalWidth === 11")
    page.wait_for_selector("main[lang=fr] .plot-svg path.line")


def test_a_picture_that_only_scripts_show_is_in_the_store():
    shared = Shared()
    one, other = shared.put_json("data:image/png;base64,AAAA"), shared.put_json("data:image/png;base64,BBBB")
    assert "data-picture" in shared.image("data:image/png;base64,BBBB", "b")
    store = json.loads(re.search(r'id="shared">(.*)</script>', shared.script())[1])
    assert store == {one: "data:image/png;base64,AAAA"}
    assert f'data-shared="{other}"' in shared.image("data:image/png;base64,BBBB", "b")


def test_without_javascript_the_numbers_are_read(open_page):
    page = open_page([LOSSES, DISTANCES], langs=("en",), scripted=False)
    assert page.locator(".plot-numbers").first.get_attribute("open") is not None
    assert page.get_by_text("400.5").is_visible()
    assert page.locator(".plot-chart").first.get_attribute("role") == "img"
    assert page.locator(".plot-chart").first.get_attribute("aria-label") == "Both fall <b>."
    assert page.locator(".plot-chart").first.bounding_box() is None  # an empty frame is not shown
    assert page.get_by_text("Both fall <b>.").first.is_visible()
    rows = [
        row.all_inner_texts()
        for row in (page.locator(".plot-numbers").nth(1).locator("tbody tr").nth(at).locator("th, td") for at in (0, 1))
    ]
    assert [[cell.split("\n")[0] for cell in row] for row in rows] == [["AE", "80.5", "60.25"], ["VAE, whose name is long", "–", "0.5"]]


def test_a_chart_lives_in_a_shadow_root(open_page):
    start = """
      const root = document.querySelector("main").attachShadow({mode: "open"});
      root.append(...document.querySelectorAll("style, main > *, script#shared"));
      latentlabCharts.mount(root);"""
    page = open_page([LOSSES, DISTANCES], langs=("en",), start=start)
    assert page.evaluate("document.querySelector('main').shadowRoot.querySelectorAll('.plot-svg').length") == 2
    page.locator(".plot-frame").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".plot-live").first.text_content().startswith("epoch 0.5. ")

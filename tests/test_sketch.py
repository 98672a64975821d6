"""The pictures of the page Learn: well-formed, in the palette's colours for either theme, without a word; panels in small; rings."""

from __future__ import annotations

import base64
import io
import itertools
import re
from xml.etree import ElementTree

import pytest
from PIL import Image

pytest.importorskip("streamlit")

from latentlab.base.texts import Phrase
from latentlab.show import palette
from latentlab.show.card import NAMES
from latentlab.show.charts.panels import Bars, Lines, Panel, Pictures, Series
from latentlab.studio.sketch import HEIGHT, INK, WIDTH, image, ring, sketch, small

SVG = "{http://www.w3.org/2000/svg}"
WORD = Phrase("page.verbatim", {"words": "secret"})


def read(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)


def lines(*rows: tuple[list[float | None], list[float | None]], **options: bool) -> Lines:
    series = tuple(Series(WORD, y, x, kind="vae") for x, y in rows)
    return Lines(WORD, WORD, WORD, series, WORD, **options)


def bars(*rows: list[float | None], log_y: bool = False) -> Bars:
    return Bars(WORD, WORD, (WORD,) * len(rows[0]), tuple(Series(WORD, row) for row in rows), WORD, log_y)


def drawn(panel: Panel) -> list[list[tuple[str, float, float]]]:
    """The commands with two numbers of each path; a bar is M x y, then V with its foot as x."""
    found = []
    for path in read(small(panel)).iter(f"{SVG}path"):
        parts = re.findall(r"([MLV])([-\d.]+)(?: ([-\d.]+))?", path.get("d", ""))
        found.append([(letter, float(x), float(y or "nan")) for letter, x, y in parts])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_question_has_a_drawing_in_the_palettes_colours_and_without_a_word(name):
    root = read(sketch(name))
    assert root.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    style = root.find(f"{SVG}style").text
    light, dark = style.split(palette.DARK + " {\n")
    colours = {colour.lower() for colour in re.findall(r"#[0-9a-fA-F]{6}\b", ElementTree.tostring(root, "unicode"))}
    for pair in palette.FAMILIES.values():
        assert pair[0] in light
        assert pair[1] in dark
        colours -= set(pair)
    assert colours == set(INK)
    used = {one.get("class") for one in root.iter() if one.get("class")}
    looks = {"pale", "open", "soft", "dots"}
    assert all(one in palette.FAMILIES or set(one.split()) <= looks for one in used), used
    assert used & palette.FAMILIES.keys()  # it is about a family
    assert not [one for one in root.iter() if one.tag in (f"{SVG}text", f"{SVG}title", f"{SVG}desc", f"{SVG}image")]
    assert "".join(root.itertext()).replace(style, "").strip() == ""
    shapes = {one.get("id") for one in root.iter() if one.get("id")}
    assert {one.get("href", "#")[1:] for one in root.iter(f"{SVG}use")} <= shapes


def test_no_two_questions_look_alike():
    assert len({sketch(name) for name in NAMES}) == len(NAMES)


def test_lines_in_small_are_the_panels_numbers():
    (one,) = drawn(lines(([1.0, 2.0, 4.0], [0.0, None, 10.0])))
    assert one == [("M", 10.0, 100.0), ("L", 342.0, 10.0)]  # from edge to edge; what was not measured is left out
    (one,) = drawn(lines(([1.0, 10.0, 100.0], [1.0, 100.0, 10.0]), log_x=True, log_y=True))
    assert [(x, y) for _, x, y in one] == [(10.0, 100.0), (176.0, 10.0), (342.0, 55.0)]
    (one,) = drawn(lines(([0.0, 1.0, 10.0], [1.0, 2.0, 3.0]), log_x=True))  # 0 has no logarithm: equal distances
    assert [x for _, x, _ in one] == [10.0, 176.0, 342.0]
    both = drawn(lines(([0.0, 1.0], [0.0, 1.0]), ([0.0, 2.0], [3.0, 4.0])))
    assert both[0] == [("M", 10.0, 100.0), ("L", 176.0, 77.5)]  # on one scale
    assert drawn(lines(([1.0], [None]))) == [[]]
    root = read(small(lines(([0.0, 1.0], [0.0, 1.0]))))
    assert "secret" not in ElementTree.tostring(root, "unicode")
    assert {path.get("class") for path in root.iter(f"{SVG}path")} == {"vae"}
    assert all(colour in root.find(f"{SVG}style").text for colour in palette.FAMILIES["vae"])


def test_bars_in_small_stand_on_zero_and_never_on_each_other():
    one, other = drawn(bars([1.0, 2.0], [4.0, None]))
    assert [x for letter, x, _ in one + other if letter == "V"] == [100.0] * 3
    assert [y for letter, _, y in one if letter == "M"] == [77.5, 55.0]
    assert [y for letter, _, y in other if letter == "M"] == [10.0]
    places = sorted(x for letter, x, _ in one + other if letter == "M")
    assert places == [59.8, 126.2, 225.8]  # two beside each other in the first half, one in the second
    wide = float(next(read(small(bars([1.0, 2.0], [4.0, None]))).iter(f"{SVG}path")).get("stroke-width"))
    assert all(b - a > wide for a, b in itertools.pairwise(places))
    assert min(places) - wide / 2 > 0
    assert max(places) + wide / 2 < WIDTH
    below, _ = drawn(bars([-1.0, 1.0], [0.0, 0.0]))
    assert {x for letter, x, _ in below if letter == "V"} == {55.0}
    (log,) = drawn(bars([1.0, 100.0], log_y=True))
    assert [y for letter, _, y in log if letter == "M"] == [100.0, 10.0]


def test_of_pictures_the_first_is_shown():
    files = []
    for grey in (10, 200):
        file = io.BytesIO()
        Image.new("L", (8, 4), grey).save(file, "PNG")
        files.append((WORD, file.getvalue()))
    (shown,) = read(small(Pictures(WORD, tuple(files), WORD))).iter(f"{SVG}image")
    assert base64.b64decode(shown.get("href").partition(",")[2]) == files[0][1]


def test_a_ring_has_a_thick_arc_for_what_is_done_and_a_dashed_one_for_what_runs():
    root = read(ring({"predicted": True, "running": False, "answered": False}))
    arcs = list(root.iter(f"{SVG}circle"))
    assert [float(arc.get("stroke-width")) > 3 for arc in arcs] == [True, True, False]
    assert [len(arc.get("stroke-dasharray").split()) > 2 for arc in arcs] == [False, True, False]
    turns = [float(re.search(r"rotate\((.*)\)", arc.get("transform"))[1]) for arc in arcs]
    assert turns == [-78.0, 42.0, 162.0]  # a third of the ring each, from the top


def test_a_picture_says_what_it_is_and_cannot_break_out_of_its_name():
    html = image(sketch("kl"), 'a "b" <c>')
    assert 'alt="a &quot;b&quot; &lt;c&gt;"' in html
    assert base64.b64decode(re.search(r"base64,([^\"]*)", html)[1]).decode() == sketch("kl")

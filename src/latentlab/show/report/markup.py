"""HTML in small pieces: elements, words, pictures, tables, charts, a student's Markdown, and what both languages share.

What a function here returns is safe to put into a page; what it takes as text it escapes.
"""

from __future__ import annotations

import html
import io
import json
import re
from collections.abc import MutableMapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from PIL import Image

from latentlab.base.images import compressed, data_uri, open_png
from latentlab.base.texts import catalogue, number, significant, text
from latentlab.show import palette
from latentlab.show.charts.panels import Bars, Lines, Panel, Pictures
from latentlab.show.charts.payload import Cell, capital, chart_data, chart_table, chart_words

_VOID = {"img", "input", "meta", "br"}


def escape(words: object) -> str:
    """A text as HTML, also inside an attribute."""
    return html.escape(str(words), quote=True)


def tag(element: str, /, *children: str, **attributes: object) -> str:
    """An element with children that are HTML already. Attribute values are escaped here; `class_` is class, `_` is -.

    A True attribute stands alone, a None or False one is left out.
    """
    parts = [element]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        parts.append(written if value is True else f'{written}="{escape(value)}"')
    head = f"<{' '.join(parts)}>"
    return head if element in _VOID else f"{head}{''.join(children)}</{element}>"


def document(lang: str, title: str, policy: str, style: str, body: str, signature: str = "") -> str:
    """A whole page that may load and run what `policy` allows; `signature` is an element by which its kind is known again."""
    head = "".join([
        tag("meta", charset="utf-8"),
        signature,
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("title", escape(title)),
        f"<style>{palette.page()}{style}</style>",
    ])  # fmt: skip
    return f'<!doctype html>\n<html lang="{escape(lang)}">\n<head>{head}</head>\n<body>{body}</body>\n</html>\n'


class Words:
    """What a page says in its language; `say` and what stands on it give HTML, escaped whole."""

    lang: str

    def say(self, key: str, **values: Any) -> str:
        """A text as HTML: the whole of it is escaped."""
        return escape(self.plain(key, **values))

    def plain(self, key: str, **values: Any) -> str:
        """A text as it is, for attributes, which `tag` escapes."""
        return text(key, self.lang, **values)

    def paragraph(self, key: str, **values: Any) -> str:
        """A text as a paragraph."""
        return tag("p", self.say(key, **values))

    def numbered(self, *key: str) -> list[str]:
        """The keys of a text in numbered parts, in their order; `key` is what they begin with, its parts apart."""
        start = ".".join((*key, ""))
        return sorted((each for each in catalogue(self.lang) if each.startswith(start)), key=lambda each: int(each.removeprefix(start)))

    def paragraphs(self, *key: str) -> str:
        """A text in numbered parts, as paragraphs."""
        return "".join(map(self.paragraph, self.numbered(*key)))

    def number(self, value: float, decimals: int | None = None) -> str:
        """A number as the language writes it."""
        return number(value, self.lang, decimals)

    def figures(self, value: float, count: int = 3) -> str:
        """A number to so many significant figures."""
        return significant(value, self.lang, count)

    def percent(self, share: float, decimals: int = 0) -> str:
        """A share as a number of per cent, without the sign."""
        return number(100 * share, self.lang, decimals)

    def list(self, parts: list[str]) -> str:
        """Texts joined as a sentence joins them: a, b and c."""
        if len(parts) < 2:
            return "".join(parts)
        return ", ".join(parts[:-1]) + " " + self.plain("page.and") + " " + parts[-1]


def small_file(path: Path) -> str:
    """A picture file as `small` writes it, read once for both languages of a page.

    Raises LabError for a file that is no whole picture.
    """
    return _small_file(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4096)
def _small_file(path: Path, changed: int) -> str:
    return small(open_png(path))


def small(picture: Image.Image) -> str:
    """A picture as a data URI of a fraction of its size, with losses that are hardly seen."""
    content, kind = compressed(picture)
    return data_uri(content, f"image/{kind}")


def embedded_json(value: object, **attributes: object) -> str:
    """Data for a script inside the page; "<" is written so that no element can end or begin in it."""
    return tag("script", _json(value).replace("<", "\\u003c"), type="application/json", **attributes)


def _json(value: object) -> str:
    """Raises ValueError for NaN and infinities, which JSON cannot hold."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def table(head: list[str], groups: list[tuple[str, list[list[str]]]], caption: str) -> str:
    """A table of HTML cells whose first column names the row; `groups` are (title, rows), a title of "" is not shown.

    The roles say again what the elements are, because narrow screens lay the rows out anew.
    """
    top = tag("tr", *(tag("th", cell, scope="col", role="columnheader") for cell in head), role="row")
    bodies = []
    for title, rows in groups:
        group = tag("tr", tag("th", title, colspan=len(head), scope="rowgroup", role="rowheader"), class_="group", role="row")
        lines = [group] if title else []
        for label, *cells in rows:
            shown = [tag("td", cell, role="cell") for cell in cells]
            lines.append(tag("tr", tag("th", label, scope="row", role="rowheader"), *shown, role="row"))
        bodies.append(tag("tbody", *lines, role="rowgroup"))
    inner = tag("caption", caption) + tag("thead", top, role="rowgroup") + "".join(bodies)
    return tag("table", inner, role="table", style=f"--columns: {len(head) - 1}")


class Shared:
    """What both languages of a page need, in the file once: values and pictures by id, equal ones under one.

    A page has one tree of elements for each language. The first tree holds a picture itself, so that it is seen without
    JavaScript; in the others it is named, and filled in by the page's script when its tree is first shown.
    """

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}  # JSON: id
        self._shown: set[str] = set()  # ids of pictures that an element of the page holds

    def put_json(self, value: object) -> str:
        """The id of a value. Raises ValueError for NaN and infinities, which JSON cannot hold."""
        return self._ids.setdefault(_json(value), f"s{len(self._ids)}")

    def image(self, uri: str, alt: str, **attributes: object) -> str:
        """An element that shows a picture: with the picture itself the first time, then with its id as `data-shared`."""
        name = self.put_json(uri)
        if name in self._shown:
            return tag("img", data_shared=name, alt=alt, **attributes)
        self._shown.add(name)
        return tag("img", src=uri, data_picture=name, alt=alt, **attributes)

    def script(self) -> str:
        """The store as an element, to be written once, after everything that puts into it."""
        values = ",".join(f'"{name}":{value}' for value, name in self._ids.items() if name not in self._shown)
        return '<script type="application/json" id="shared">{' + values.replace("<", "\\u003c") + "}</script>"


def panel_figure(panel: Panel, lang: str, shared: Shared) -> str:
    """A panel as a `<figure>` in a language; data and pictures go to `shared`, once for all languages.

    Without JavaScript it is the title, the table of numbers and the summary. `latentlabCharts.mount` draws the chart.
    """
    title = tag("p", escape(capital(panel.title.say(lang))), class_="plot-title")
    summary = tag("figcaption", escape(panel.summary.say(lang)))
    if isinstance(panel, Pictures):
        pictures = [_picture(caption.say(lang), png, shared) for caption, png in panel.items]
        return tag("figure", title, *pictures, summary, class_="plot pictures")
    words = chart_words(panel, lang)
    for said in ("title", "summary"):  # stand in the figure
        del words[said]
    words["ui"] = shared.put_json(words["ui"])
    data = shared.put_json(chart_data(panel))
    chart = tag("div", class_="plot-chart", role="img", aria_label=panel.summary.say(lang), data_shared_chart=data)
    numbers = _numbers(panel, lang)
    return tag("figure", title, chart, summary, numbers, embedded_json(words, class_="plot-words"), class_="plot")


def _numbers(panel: Lines | Bars, lang: str) -> str:
    """The values as a table, folded where there is a script."""
    name, caption, head, rows = chart_table(panel, lang)
    body = [[escape(label), *map(_cell, cells)] for label, cells in rows]
    shown = table([*map(escape, head)], [("", body)], escape(caption))
    return tag("details", tag("summary", escape(name)), shown, class_="plot-numbers numbers", open=True)


def _cell(cell: Cell) -> str:
    return escape(cell.value) + (tag("small", escape(cell.interval)) if cell.interval else "")


def _picture(caption: str, png: bytes, shared: Shared) -> str:
    with Image.open(io.BytesIO(png)) as file:
        shown = shared.image(small(file), caption, width=file.width, height=file.height)
    return tag("div", tag("p", escape(caption), aria_hidden="true"), shown, class_="plot-picture")


# A student's Markdown as HTML that can do nothing: no HTML of its own, no pictures, links to the web and to mail only.

_TOP, _DEEPEST = 4, 6  # a page's own headings go down to h3
_SAFE = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)


class _Careful(MarkdownIt):
    """CommonMark whose links lead to the web or to mail; any other stays as it was written."""

    def validateLink(self, url: str) -> bool:
        """Whether a link may be one."""
        return _SAFE.match(url) is not None


def as_html(markdown: str) -> str:
    """Markdown as HTML to stand below a heading of the third level: `#` to `######` become h4 to h6.

    Paragraphs, lists, emphasis, code, quotations, tables, strikethrough. HTML is shown as text. A picture becomes a link:
    a page asks nobody for anything.
    """
    return str(_careful().render(markdown))


@cache
def _careful() -> _Careful:
    markdown = _Careful("commonmark", {"html": False})
    markdown.enable(["table", "strikethrough"]).disable("image")
    markdown.add_render_rule("link_open", _link_open)
    for rule in ("heading_open", "heading_close"):
        markdown.add_render_rule(rule, _heading)
    markdown.add_render_rule("table_open", _table_open)
    markdown.add_render_rule("table_close", _table_close)
    return markdown


def _link_open(self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
    tokens[at].attrSet("rel", "noopener noreferrer nofollow")
    tokens[at].attrSet("target", "_blank")
    return self.renderToken(tokens, at, options, env)


def _heading(self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
    tokens[at].tag = f"h{min(_DEEPEST, max(_TOP, int(tokens[at].tag[1]) + 1))}"
    return self.renderToken(tokens, at, options, env)


def _table_open(self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
    return '<div class="own-table"><table>\n'  # a wide one scrolls by itself


def _table_close(self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
    return "</table></div>\n"

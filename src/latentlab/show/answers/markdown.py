"""A student's Markdown as HTML that can do nothing: no HTML of its own, no pictures, links to the web and to mail only."""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

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

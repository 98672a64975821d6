"""The bar at the top of every page: the pages, the language; and the page below it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from functools import cache, partial, wraps
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

import streamlit as st
from PIL import Image, ImageDraw

from latentlab.base.errors import LabError
from latentlab.base.texts import languages
from latentlab.show import palette
from latentlab.studio.parts import static, style
from latentlab.studio.state import KEY, lang, params, plain, put, say, shown, told

# In the order of the bar: the icon of each page, and the MODULE:FUNCTION of latentlab.studio.views that draws it.
PAGES = {
    "train": (":material/model_training:", "train:draw"),
    "explore": (":material/explore:", "explore:draw"),
    "plane": (":material/scatter_plot:", "plane:draw"),
    "compare": (":material/compare_arrows:", "compare:draw"),
    "learn": (":material/school:", "learn:draw"),
    "runs": (":material/folder_open:", "runs:draw"),
}
NAMES = {"en": "English", "fr": "Français"}


def draw() -> None:
    """Everything that a reader sees."""
    # The icon is a picture of ours: for a named one the page would ask an outside host.
    st.set_page_config(page_title="latentlab", page_icon=_icon(), layout="wide", initial_sidebar_state="collapsed")
    pages = {
        name: st.Page(partial(_run, name), title=say(f"studio.page.{name}"), url_path=name, default=name == "train")
        for name in PAGES
        if name == "train" or shown(name)
    }
    current = st.navigation(list(pages.values()), position="hidden")
    st.set_page_config(page_title=f"{current.title} · latentlab")
    style("studio", static("pressed.css") + palette.both(".latentlab-{hue} {{ --kind: {color}; }}\n", palette.FAMILIES))
    st.session_state["pages"] = pages
    with st.container(horizontal=True, vertical_alignment="center", key="bar", gap="small"):
        home = escape("/?" + urlencode(params()))
        st.html(f'<a class="latentlab-mark" href="{home}" target="_self">latentlab</a>', width="content")
        with st.container(horizontal=True, vertical_alignment="center", key="pages", gap="small"):
            for name, page in pages.items():
                st.page_link(page, icon=PAGES[name][0], query_params=params())
        _language()
    about = {"lang": lang(), "bar": say("studio.bar"), "page": current.url_path, "lost": say("studio.lost")}
    _spoken("page")(data=about, key=f"spoken-{current.url_path}", height="content")
    _tour(current.url_path or "train")
    _unknown()
    current.run()


def _tour(page: str) -> None:
    """The tour of a first visit, which begins on the page Train and leads through the others; none where a teacher hides one of them."""
    if not all(map(shown, ("explore", "learn", "tour"))):
        return
    names = ("offer", "begin", "next", "skip", "end")
    words: dict[str, Any] = {name: say(f"studio.tour.{name}") for name in names}
    words |= {"title": say("studio.tour"), "open": say("studio.tour.open", page="{page}")}
    words["stops"] = [[say(f"studio.tour.{stop}"), say(f"studio.tour.why.{stop}")] for stop in range(1, 7)]
    words["pages"] = {name: say(f"studio.page.{name}") for name in PAGES}
    _spoken("tour")(data={"page": page, "words": words}, key=f"spoken-tour-{page}", height="content")


def _unknown() -> None:
    """A line where the address names no page: Streamlit then shows the first one."""
    path = urlsplit(st.context.url or "").path.strip("/")
    if path and path not in PAGES:
        st.warning(say("studio.unknown", path=plain(path)), icon=":material/info:")


def link(page: str, label: str, icon: str | None = None, **parameters: str | list[str] | None) -> None:
    """A link to another page, or to a part of it; nothing where that is hidden."""
    if page in st.session_state["pages"] and shown(str(parameters.get("part", page))):
        st.page_link(st.session_state["pages"][page], label=label, icon=icon, query_params=params(**parameters))


def _language() -> None:
    """The choice of the language, which is kept in the address."""
    if st.session_state.get("language") != lang():
        st.session_state["language"] = lang()
    st.segmented_control(
        say("studio.language"),
        languages(),
        key="language",
        required=True,
        format_func=NAMES.__getitem__,
        label_visibility="collapsed",
        on_change=lambda: put({KEY: st.session_state["language"]}),
    )


def announce(words: str) -> None:
    """Words for a screen reader, spoken when they change."""
    _spoken("said")(data=words, key="said", height="content")


def numbered(values: Iterable[tuple[str, str]]) -> None:
    """Names and values on one line."""
    rows = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in values)
    st.html(f'<dl class="latentlab-numbers">{rows}</dl>')


def waits(words: str) -> None:
    """A line about something that takes its time, nobody knows how much."""
    st.markdown(f":material/progress_activity: {words}")


@cache
def _spoken(name: str) -> Any:
    """A component without a picture, for screen readers: "page" tells the page's language and parts, "said" what happens.

    "tour" has a card of its own over the page.
    """
    return st.components.v2.component(f"latentlab_{name}", js=static(f"spoken-{name}.js"))


def _run(name: str) -> None:
    """Draw a page, whose module is loaded when it is first opened; a refusal becomes one line on it."""
    module, _, function = PAGES[name][1].partition(":")
    in_one_line(getattr(importlib.import_module(f"latentlab.studio.views.{module}"), function))()


def in_one_line(draw: Callable[..., None]) -> Callable[..., None]:
    """The same function, which says on the page why it was refused; of a fragment, the rest of the page stands."""

    @wraps(draw)
    def drawn(*arguments: Any) -> None:
        try:
            draw(*arguments)
        except LabError as error:
            st.error(plain(told(error)), icon=":material/error:")

    return drawn


@st.cache_resource
def _icon() -> Image.Image:
    """A two-dimensional latent space in the colours of the families."""
    picture = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    pen.rounded_rectangle((0, 0, 63, 63), 14, fill="#fbfaf7", outline="#7a5a17", width=3)
    for (x, y), (colour, _) in zip(((20, 22), (43, 19), (24, 45), (45, 43)), palette.FAMILIES.values(), strict=True):
        pen.ellipse((x - 8, y - 8, x + 8, y + 8), fill=colour)
    return picture

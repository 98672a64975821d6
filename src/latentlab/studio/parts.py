"""The components of the page that run in the browser: charts, films of sample grids, the live explorer.

Each is a Streamlit component (v2): the report's own scripts with some lines that take what Python gives. Pictures and
networks are fetched from the routes, so that a rerun of the page sends words and numbers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from latentlab.charts import module as charts
from latentlab.charts.columns import Columns
from latentlab.charts.content import capital, chart_data, chart_words
from latentlab.charts.film import Kept, film_data, reel
from latentlab.charts.tables import chart_table
from latentlab.errors import LabError
from latentlab.explorer import module as explorers
from latentlab.explorer.content import explorer_words
from latentlab.panels import Panel, Phrase, Pictures
from latentlab.studio.live import watched
from latentlab.studio.looks import static
from latentlab.studio.overview import overview
from latentlab.studio.place import here
from latentlab.studio.words import lang, say, spoken

Component = Callable[..., Any]


@cache
def _component(name: str) -> Component:
    """A component of the page, registered once."""
    if name == "explorer":
        script, style = explorers.module(), explorers.style() + static("explorer-host.css")
    else:
        script, style = charts.module(), charts.host_style() + ".latentlab-place { --chart-sans: var(--st-font); }\n"
    made: Component = st.components.v2.component(f"latentlab_{name}", css=style, js=script + static("host.js") + static(f"{name}.js"))
    return made


def chart(panel: Panel, key: str) -> None:
    """A panel as a chart to hover and zoom, with its summary and its numbers as a table. New numbers go into the drawn one."""
    if isinstance(panel, Pictures):
        _pictures(panel)
        return
    words = chart_words(panel, lang()) | {"table": chart_table(panel, lang())}
    _component("chart")(data={"data": chart_data(panel), "words": words}, key=key)


def _pictures(panel: Pictures) -> None:
    st.markdown(f"**{capital(spoken(panel.title))}**")
    for said, png in panel.items:
        st.image(png, caption=spoken(said), alt=spoken(said))
    st.caption(spoken(panel.summary))


def film(names: Sequence[str], kind: Kept, key: str) -> None:
    """Every sample grid ("samples") or every reconstruction of runs under one step slider, with play and arrow keys.

    Raises LabError for a name that there is not.
    """
    reels = []
    for name in names:
        found = overview(here(), name)
        if found.config is not None:
            try:
                columns = watched(found.folder).columns
            except LabError:  # its metrics are damaged, which is said where they are shown: the pictures need only the epochs
                columns = Columns()
            reels.append(reel(found.folder, columns, name, Phrase("page.verbatim", {"words": name}), found.kind, kind))
    _component("film")(data={"kind": kind, "film": film_data(reels, lang())}, key=key)


def explorer(names: Sequence[str], key: str) -> None:
    """The live explorer of runs: the latent map, every model at the same z, the pad, walks, arithmetic."""
    address = "/lab/explorer?" + urlencode([("run", name) for name in names])
    words = {"address": address, "words": explorer_words(lang()), "lang": lang(), "failed": say("studio.explore.failed")}
    _component("explorer")(data=words, key=key)

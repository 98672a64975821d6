"""The components of the page that run in the browser: charts, films of sample grids, the live explorer.

Each is a Streamlit component (v2): the report's own scripts with some lines that take what Python gives. Pictures and
networks are fetched from the routes, so that a rerun of the page sends words and numbers alone.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from latentlab.base.texts import Phrase, number
from latentlab.runs.diagnosis import Diagnosis
from latentlab.runs.diagnosis.sight import facts_of
from latentlab.runs.folder import RunFolder
from latentlab.show import charts as live_charts
from latentlab.show import explorer as live_explorer
from latentlab.show.charts.columns import Columns
from latentlab.show.charts.panels import Panel, Pictures
from latentlab.show.charts.payload import Kept, capital, chart_data, chart_table, chart_words, film_data, reel
from latentlab.show.explorer.content import explorer_words
from latentlab.show.palette import hues_of
from latentlab.studio.library import here
from latentlab.studio.overview import overview
from latentlab.studio.state import lang, plain, say, spoken


def _draw(name: str, key: str, data: dict[str, Any]) -> None:
    """Draw a component. Two underscores mean something to Streamlit in its key, and a run's name may hold them."""
    _component(name)(data=data, key=key.replace("_", "_ "))


@cache
def _component(name: str) -> Callable[..., Any]:
    """A component of the page, registered once."""
    if name == "explorer":
        script, style = live_explorer.module(), live_explorer.style() + live_explorer.themes() + static("explorer-host.css")
    else:
        script, style = live_charts.module(), live_charts.host_style() + ".latentlab-place { --chart-sans: var(--st-font); }\n"
    made: Callable[..., Any] = st.components.v2.component(
        f"latentlab_{name}", css=style, js=script + static("host.js") + static(f"{name}.js")
    )
    return made


def chart(panel: Panel, key: str) -> None:
    """A panel as a chart to hover and zoom, with its summary and its numbers as a table. New numbers go into the drawn one."""
    if isinstance(panel, Pictures):
        _pictures(panel)
        return
    words = chart_words(panel, lang()) | {"table": chart_table(panel, lang())}
    _draw("chart", key, {"data": chart_data(panel), "words": words})


def charts(panels: Sequence[tuple[str, Panel | None]]) -> None:
    """Panels with their keys, two in a row; None leaves its place empty."""
    for start in range(0, len(panels), 2):
        for column, (key, panel) in zip(st.columns(2), panels[start : start + 2], strict=False):
            if panel is not None:
                with column:
                    chart(panel, key)


def _pictures(panel: Pictures) -> None:
    st.markdown(f"**{capital(spoken(panel.title))}**")
    for said, png in panel.items:
        st.image(png, caption=spoken(said), alt=spoken(said))
    st.caption(spoken(panel.summary))


def film(names: Sequence[str], kinds: Sequence[Kept], key: str, by_kind: bool = False) -> None:
    """Every sample grid ("samples"), reconstruction or both of runs under one step slider, with play and arrow keys.

    Each stands under its run's name, `by_kind` under what it is.
    Raises LabError for a name that there is not.
    """
    runs = [run for name in names if (run := overview(here(), name)).config is not None]
    reels = []
    labels = short([run.name for run in runs])
    for run, hue, label in zip(runs, hues_of([run.folder.config() for run in runs]), labels, strict=True):
        name = Phrase("page.verbatim", {"words": run.name})
        for kind in kinds:
            made = reel(run.folder, watched(run.folder).columns, f"{kind}/{run.name}", name, hue, kind)
            said = Phrase(f"studio.watch.{kind}") if by_kind else Phrase("page.verbatim", {"words": label})
            reels.append(made._replace(label=said))
    _draw("film", key, film_data(reels, lang()))


def short(names: Sequence[str]) -> list[str]:
    """Names of runs without the folder that all of several lie in."""
    one = len(names) > 1 and len({name.rpartition("/")[0] for name in names}) == 1
    return [name.rpartition("/")[2] if one else name for name in names]


def parallel(data: Mapping[str, Any], words: Mapping[str, str], key: str) -> None:
    """Parallel coordinates, as `parallel.js` of charts/static takes them."""
    _draw("parallel", key, {"data": data, "words": words})


def explorer(names: Sequence[str], key: str) -> None:
    """The live explorer of runs: the latent map, every model at the same z, the pad, walks, arithmetic."""
    address = "/lab/explorer?" + urlencode([("run", name) for name in names])
    words = {"address": address, "words": explorer_words(lang()), "lang": lang(), "failed": say("studio.explore.failed")}
    words["loading"] = say("studio.explore.loading")
    _draw("explorer", key, words)


# The metrics of runs in memory, for all readers at once: each line of metrics.jsonl is read once, however many look.

KEPT = 16  # runs in memory
RECENT = 12  # lines that speed is measured over


class Watched:
    """One run's numbers, read on from where they ended."""

    def __init__(self, folder: RunFolder) -> None:
        self.lock = threading.Lock()
        self.tail, self.facts = folder.tail(), facts_of(folder.config(), folder.environment())
        self._begin()

    def _begin(self) -> None:
        self.columns, self.diagnosis = Columns(), Diagnosis(self.facts)
        self.recent: deque[Mapping[str, Any]] = deque(maxlen=RECENT)

    def read(self) -> None:
        """Take in what was written since; damaged lines are left out, which `damage` tells."""
        with self.lock:
            rows, restarted = self.tail.read()
            if restarted:
                self._begin()
            self.columns.extend(rows)
            self.diagnosis.extend(rows)
            self.recent.extend(row for row in rows if row.get("split") == "train" and "request" not in row and "failure" not in row)

    def images_per_second(self) -> float | None:
        """Training images read per second of training, over the last lines; None before there are two."""
        with self.lock:
            if len(self.recent) < 2:
                return None
            first, last = self.recent[0], self.recent[-1]
        seconds = float(last["seconds"]) - float(first["seconds"])
        return (float(last["images_seen"]) - float(first["images_seen"])) / seconds if seconds > 0 else None


_kept: OrderedDict[Path, Watched] = OrderedDict()
_lock = threading.Lock()


def watched(folder: RunFolder) -> Watched:
    """The numbers of a run, whose configuration is whole, as they are now."""
    with _lock:
        if folder.path not in _kept:
            _kept[folder.path] = Watched(folder)
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
        _kept.move_to_end(folder.path)
        numbers = _kept[folder.path]
    numbers.read()
    return numbers


def damage(name: str, folder: RunFolder) -> bool:
    """Say which lines of a run's metrics are damaged, so that nothing below is taken for the whole truth; False without any."""
    numbers = watched(folder).tail.damaged
    if numbers:
        lines = ", ".join(number(line, lang()) for line in numbers[:5]) + (" …" if len(numbers) > 5 else "")
        st.warning(say("studio.watch.damaged", run=plain(name), count=number(len(numbers), lang()), lines=lines), icon=":material/warning:")
    return bool(numbers)


# The files of static/: style sheets of all pages or of one, and the scripts of components.


def style(name: str, more: str = "") -> None:
    """Use static/NAME.css on this page, and more rules."""
    st.html(f"<style>{static(f'{name}.css')}{more}</style>")


@cache
def static(name: str) -> str:
    """The text of a file of static/."""
    return resources.files("latentlab.studio").joinpath("static", name).read_text(encoding="utf-8")

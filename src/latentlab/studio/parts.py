"""The components of the page that run in the browser: charts, films of sample grids, the live explorer.

Each is a Streamlit component (v2): the report's own scripts with some lines that take what Python gives. Pictures and
networks are fetched from the routes, so that a rerun of the page sends words and numbers alone.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from html import escape
from importlib import resources
from typing import Any, get_args
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from latentlab.base.texts import Phrase, catalogue, number
from latentlab.runs.diagnosis import Diagnosis
from latentlab.runs.diagnosis.sight import facts_of
from latentlab.runs.folder import RunFolder
from latentlab.runs.frames import FRAME
from latentlab.show import bundle
from latentlab.show import charts as live_charts
from latentlab.show import explorer as live_explorer
from latentlab.show.charts.columns import Columns
from latentlab.show.charts.panels import Panel, Pictures
from latentlab.show.charts.payload import Kept, capital, chart_data, chart_table, chart_words, film_data, reel
from latentlab.show.explorer.content import explorer_words
from latentlab.show.figures.records import image_shape
from latentlab.show.palette import hues_of
from latentlab.studio.layers import picture
from latentlab.studio.library import here
from latentlab.studio.overview import State, overview
from latentlab.studio.state import lang, plain, say, spoken

MARKS = {"mark": "marks.js", "pushedApart": "marks.js", "coloursAt": "palette.js"}
SAID = (  # beside a run's pictures
    *("codes", "alt", "where", "judged", "real", "made", "change", "real.alt", "made.alt", "scores", "half", "loss"),
    *(f"station.{name}" for name in ("draws", "scores", "loss", "gradient", "moves")),
)
FILLED = {name: f"{{{name}}}" for name in ("step", "count", "phase", "real", "made", "loss")}  # by the page


def _draw(name: str, key: str, data: dict[str, Any], **more: Any) -> Any:
    """Draw a component; what it tells. Two underscores mean something to Streamlit in its key, and a run's name may hold them."""
    return _component(name)(data=data, key=key.replace("_", "_ "), **more)


@cache
def _component(name: str) -> Callable[..., Any]:
    """A component of the page, registered once."""
    if name in ("explorer", "draw"):
        script, style = live_explorer.module(), live_explorer.style() + live_explorer.themes() + static("explorer-host.css")
    elif name == "maps":
        script, style = live_explorer.module(), ""  # in the page's own style
    elif name == "game":
        script, style = "", live_explorer.themes() + static("game.css")
    else:
        script, style = live_charts.module(), live_charts.host_style() + ".latentlab-place { --chart-sans: var(--st-font); }\n"
    if name == "film":
        script, style = script + bundle.module(live_explorer.folder(), MARKS, "latentlabMarks"), style + static("film.css")
        script += static("cloud.js") + static("strip.js")
    if name in ("plane", "pad"):
        script += bundle.module(live_explorer.folder(), {"half": "weights.js"}, "latentlabWeights") + static("dots.js")
        style += static("plane.css")
    made: Callable[..., Any] = st.components.v2.component(
        f"latentlab_{name}",
        css=style + static("pressed.css"),
        js=script + static("host.js") + static(f"{name}.js"),
        isolate_styles=name != "maps",
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


def film(names: Sequence[str], kinds: Sequence[Kept], key: str, by_kind: bool = False, judged: bool | None = None) -> None:
    """Every sample grid ("samples"), reconstruction or both of runs under one step slider, with play and arrow keys.

    Each stands under its run's name, `by_kind` under what it is. With `judged` the one run is followed while it trains, its codes (False)
    or the discriminator's scores (True) beside its pictures. Raises LabError for a name that there is not.
    """
    runs = [run for name in names if (run := overview(here(), name)).config is not None]
    reels = []
    labels = short([run.name for run in runs])
    for run, hue, label in zip(runs, hues_of([run.folder.config() for run in runs]), labels, strict=True):
        name = Phrase("page.verbatim", {"words": run.name})
        for kind in kinds:
            made = reel(run.folder, watched(run.folder).columns, f"{kind}/{run.name}", name, hue, kind)
            shown = Phrase(f"studio.watch.{kind}") if by_kind else Phrase("page.verbatim", {"words": label})
            reels.append(made._replace(label=shown))
    data = film_data(reels, lang())
    if judged is not None:
        said = {part: say(f"studio.beside.{part}", **FILLED) for part in SAID}
        said |= {phase: say(f"studio.phase.{phase}") for phase in ("discriminator", "generator", "step")}
        data["now"] = {"address": "/lab/now?" + urlencode({"run": names[0]}), "judged": judged, "words": said}
    _draw("film", key, data)


def drawing(name: str, key: str) -> None:
    """A pad to draw on, read by the newest networks of a run."""
    words = {"address": "/lab/networks?" + urlencode({"run": name}), "words": explorer_words(lang()), "lang": lang()}
    _draw("draw", key, words | {"free": say("studio.beside.draw"), "told": say("studio.beside.drawn", step="{step}")})


def maps(name: str, key: str) -> None:
    """The networks of a run as a picture, its blocks filled with what each layer makes of one held-out image, of a GAN of one z."""
    folder, asked = here().look(name), urlencode({"run": name})
    config, words = folder.config(), say("studio.network.z" if folder.config().family == "gan" else "studio.network.image", step="{step}")
    z = np.random.default_rng(config.train.seed).standard_normal(config.model.latent_dim).tolist()
    about = {"html": picture(config, image_shape(folder)), "address": f"/lab/networks?{asked}", "z": z, "words": words}
    _draw("maps", key, about | {"image": f"/lab/picture/reconstructions/0?{asked}"})


def short(names: Sequence[str]) -> list[str]:
    """Names of runs without the folder that all of several lie in."""
    one = len(names) > 1 and len({name.rpartition("/")[0] for name in names}) == 1
    return [name.rpartition("/")[2] if one else name for name in names]


def parallel(data: Mapping[str, Any], words: Mapping[str, str], key: str) -> None:
    """Parallel coordinates, as `parallel.js` of charts/static takes them."""
    _draw("parallel", key, {"data": data, "words": words})


def explorer(names: Sequence[str], part: str, key: str) -> None:
    """The live explorer of runs, or a part of it ("map", "draw"): every model at the same z. What is set stays when the part changes."""
    address = "/lab/explorer?" + urlencode([("run", name) for name in names])
    words = {"address": address, "words": explorer_words(lang()), "lang": lang(), "failed": say("studio.explore.failed")}
    without = "" if part == "map" else say(f"studio.explore.without.{part}")  # every model has a map
    _draw("explorer", key, words | {"loading": say("studio.explore.loading"), "part": part, "without": without})


def game(data: dict[str, Any], key: str) -> Any:
    """Images to be told apart; `answer` of what it gives is the list of those that were taken for fakes, once, else None."""
    return _draw("game", key, data, on_answer_change=lambda: None)


@contextmanager
def waiting(words: str, shape: str) -> Iterator[None]:
    """A place's final box ("grid", "game") in a faint colour while what belongs there is made; the words are for who does not see it."""
    place = st.empty()
    place.html(f'<div class="latentlab-waiting latentlab-waiting-{shape}" role="status"><span>{escape(words)}</span></div>')
    try:
        yield
    finally:
        place.empty()


ACTIONS = ("pause", "resume", "slow", "step", "stop")


def plane(data: dict[str, Any], ask: Callable[[str], None]) -> None:
    """The stage of the page Plane, which fetches what a run records by itself; `ask` is called with what a button asks for."""
    words: dict[str, Any] = _words("stage") | {action: say(f"studio.control.{action}") for action in ACTIONS}
    words |= {letter: say(f"studio.control.phase.{half}") for letter, half in (("D", "discriminator"), ("G", "generator"))}
    words |= {"states": {state: say(f"studio.state.{state}") for state in (*get_args(State), "slow")}}
    words |= {"play": say("viewer.play"), "hold": say("viewer.pause"), "waits": say("studio.plane.waits"), "named": named()}
    layout = {name: [at, part.base.str[1:], math.prod(part.shape)] for name, (part, at, *_) in (FRAME.fields or {}).items()}
    key = "plane:stage"
    about = data | {"words": words, "lang": lang(), "layout": layout, "size": FRAME.itemsize}
    _draw("plane", key, about, on_ask_change=lambda: ask(str(st.session_state[key].ask)))


def pad(points: list[float]) -> list[Any]:
    """A pad to draw points on, x and y in turn, which it begins with; those that are there when the pointer is lifted."""
    told = _draw("pad", "plane:pad", {"points": points, "words": _words("pad"), "lang": lang()}, on_points_change=lambda: None)
    return told.points if isinstance(told.points, list) else points


def named() -> str:
    """A name with what is said of it, with places for both."""
    return say("chart.named", name="{name}", value="{value}")


def _words(part: str) -> dict[str, str]:
    """The texts of a part of the page Plane, with their places, by their names."""
    return {name: said for key, said in catalogue(lang()).items() if key == f"studio.plane.{part}.{(name := key.split('.', 3)[-1])}"}


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


_watched, _lock = lru_cache(KEPT)(Watched), threading.Lock()


def watched(folder: RunFolder) -> Watched:
    """The numbers of a run, whose configuration is whole, as they are now."""
    with _lock:
        numbers = _watched(folder)
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

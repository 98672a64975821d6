"""A run on the page Train: how far it is, what it learned, and the controls of a run that trains. The same in every tab,
because all of it stands in the run's folder.
"""

from __future__ import annotations

from typing import Literal

import streamlit as st

from latentlab.base.texts import Phrase, duration, number, significant
from latentlab.config.sources import of_points
from latentlab.runs.diagnosis import in_words
from latentlab.show.charts.curves import run_curves
from latentlab.show.charts.panels import Panel
from latentlab.show.charts.payload import Kept
from latentlab.show.figures.records import objective
from latentlab.studio import parts, tasks
from latentlab.studio.actions import way_out
from latentlab.studio.controls import controls, stopping
from latentlab.studio.frame import announce, in_one_line, link, numbered, waits
from latentlab.studio.library import here, without_paths
from latentlab.studio.overview import Gone, Overview, State, overview
from latentlab.studio.parts import watched
from latentlab.studio.state import lang, params, plain, say, shown, told

Pace = Literal["rest", "fast", "held"]
# Between two looks at a run: at rest, where another tab may go on with it; at full speed, where a look takes from training a
# tenth of a second of a core, most of it Streamlit's own; and while it starts, is paused or goes a phase at a time, where
# nothing is lost by looking and no phase may be missed.
TICK_SECONDS: dict[Pace, float] = {"rest": 3.0, "fast": 2.0, "held": 0.6}
SLOWER_SECONDS = 4.0  # of curves and pictures
MOST_POINTS = 240  # of a line while a run trains: each tick sends the curves anew
BADGES = {  # of each state: its icon and its colour
    "starting": (":material/hourglass_top:", "gray"),
    "running": (":material/play_arrow:", "green"),
    "paused": (":material/pause:", "orange"),
    "finished": (":material/check_circle:", "blue"),
    "stopped": (":material/stop_circle:", "gray"),
    "failed": (":material/error:", "red"),
    "damaged": (":material/broken_image:", "red"),
}


def draw(name: str) -> None:
    """Everything about one run. Raises LabError for a text that is no name."""
    try:
        run = overview(here(), name)
    except Gone:
        st.error(say("studio.watch.gone", run=plain(name)), icon=":material/error:")
        link("runs", say("studio.page.runs"), ":material/folder_open:")
        return
    st.set_page_config(page_title=f"{name} · latentlab")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(plain(name), anchor=False, width="content")
        st.space("stretch")
        if shown("new") and st.button(say("studio.watch.new"), icon=":material/add:", key="watch:new"):
            st.query_params.from_dict(params())
            st.rerun()
    pace, live = pace_of(run), run.live
    head, stage, pad, curves = st.container(), st.container(), st.container(), st.container()
    # Only the head redraws the page, and only when the pace is another: fragments that all did it would meet each other
    # half-way, and the browser would be told of parts that it has not got yet.
    with head:
        st.fragment(in_one_line(_head), run_every=TICK_SECONDS[pace])(name, pace)
    with stage:
        st.fragment(in_one_line(_stage), run_every=SLOWER_SECONDS if live else None)(name)
    if (run.live or run.trained) and run.config is not None and not of_points(run.config.data.spec):
        with pad:
            if run.config.family != "gan":
                parts.drawing(name, f"watch:{name}:pad")
            if run.folder.environment() and not run.config.own:
                with st.expander(say("studio.network"), icon=":material/account_tree:", key=f"watch:{name}:network"):
                    parts.maps(name, f"watch:{name}:maps")
    with curves:
        st.fragment(in_one_line(_curves), run_every=SLOWER_SECONDS if live else None)(name)


def standing(run: Overview) -> str:
    """The state as it is told: that of a run in slow motion has a name of its own."""
    return "slow" if run.state == "running" and run.status.get("mode") == "slow" else run.state


def badge(state: State, told: str) -> None:
    """A state as a sign and a word; `told` is the state that the word is for."""
    icon, color = BADGES[state]
    st.badge(say(f"studio.state.{told}"), icon=icon, color=color)  # type: ignore[arg-type]


def pace_of(run: Overview) -> Pace:
    """How fast what is shown of a run grows old."""
    if not run.live:
        return "rest"
    return "fast" if standing(run) == "running" else "held"


def _now(name: str) -> Overview | None:
    """The run as it is now; None when it has gone, which the head tells."""
    try:
        return overview(here(), name)
    except Gone:
        return None


def _head(name: str, pace: Pace) -> None:
    """State, progress, controls, diagnosis. When the run has another pace, also by another tab, the page is drawn anew."""
    run = _now(name)
    if run is None or pace_of(run) != pace:
        st.rerun()
    _state(run)
    announce(say("chart.named", name=name, value=say(f"studio.state.{standing(run)}")))
    if run.config is None:
        if run.state == "starting":
            waits(say("studio.watch.loading"))
            if shown("controls"):
                stopping(name)
            _log(name)
        return
    if run.live:
        st.progress(progress(run)[0], say("studio.watch.progress"))  # words, without which it has no name for a screen reader
    steered = controls if shown("controls") else lambda run: None
    for part in (steered, _diagnosis) if run.live else (_diagnosis, steered):  # at rest what went wrong comes before the way out
        part(run)


def _state(run: Overview) -> None:
    """The state in a word and a sign, and why, where something is to be said."""
    with st.container(horizontal=True, vertical_alignment="center"):
        badge(run.state, standing(run))
        if run.config is not None:
            st.caption(plain(f"{run.config.preset} · {run.data}"), width="content")
            _numbers(run, _speed(run))
        if run.trained and not run.live:
            link("explore", say("studio.page.explore"), ":material/explore:", run=run.name)
            link("explore", say("studio.explore.part.generate"), ":material/imagesmode:", run=run.name, part="generate")
    if run.state in ("failed", "damaged"):
        if way_out(run) is None:  # else the diagnosis tells it, and what to do
            st.error(plain(told(run.message)), icon=":material/error:")
        _log(run.name)
    elif run.message and (run.live or run.state in ("stopped", "finished")):
        st.warning(plain(told(run.message)), icon=":material/info:")
    for note in run.folder.environment().get("notes", []) if run.config is not None else []:
        st.caption(f":material/info: {plain(told(note))}")


def _log(name: str) -> None:
    """The last lines that the process wrote."""
    task = tasks.latest(here(), ("train", "resume"), name)
    lines = task.log()[-8:] if task is not None else []
    if lines:
        with st.expander(say("studio.watch.log"), icon=":material/terminal:"):
            st.code(without_paths("\n".join(lines)), language=None, wrap_lines=True)


def _speed(run: Overview) -> float | None:
    """Training images per second; None while it is held back."""
    return watched(run.folder).images_per_second() if standing(run) == "running" else None


def _numbers(run: Overview, speed: float | None) -> None:
    """How far the run is, how fast, how long it takes, on one line."""
    share, rest = progress(run)
    left = rest / speed if speed and rest else None
    values = [
        (say("studio.watch.progress"), number(100 * share, lang(), 0) + "\u00a0%"),
        (say("studio.watch.step"), number(run.step, lang())),
        (say("studio.watch.epoch"), number(run.epoch, lang(), 2)),
        (say("studio.watch.time"), duration(float(run.last.get("seconds", 0)), lang())),
    ]
    if run.live:
        values.append((say("studio.watch.speed"), "–" if speed is None else significant(speed, lang(), 3)))
        values.append((say("studio.watch.left"), "–" if left is None else duration(left, lang())))
    numbered(values)


def progress(run: Overview) -> tuple[float, float]:
    """The share of its length that a run has behind it, from 0 to 1, and the training images that it has still to read."""
    config, done = run.config, float(run.last.get("images_seen", 0))
    if config is None:
        return 0.0, 0.0
    if config.train.steps is not None:
        share = min(1.0, run.step / config.train.steps)
        return share, done * (1 - share) / share if share else 0.0
    total = config.train.epochs * run.folder.environment().get("images", {}).get("train", 0)
    return (min(1.0, done / total), max(0.0, total - done)) if total else (0.0, 0.0)


def _diagnosis(run: Overview) -> None:
    """What is wrong by the lines that are there, since when, what to change; or that nothing is."""
    findings = watched(run.folder).diagnosis.findings()
    for finding in findings:
        words = in_words(finding, lang())
        said = f"**{plain(words.name)}** ({plain(words.when)}). " + plain(f"{words.meaning} {words.evidence} {words.remedy}")
        if finding.over:
            st.info(said, icon=":material/history:")
        else:
            st.warning(said, icon=":material/warning:")
    if not parts.damage(run.name, run.folder) and not findings and run.step > 0:
        st.caption(":material/check: " + say("studio.watch.no_alarm"))


def _stage(name: str) -> None:
    """What moves: the newest sample grid and reconstructions, and the curve of what the run minimises."""
    run = _now(name)
    if run is None or run.config is None:
        return
    both: tuple[Kept, ...] = ("samples", "reconstructions")
    kinds = [kind for kind in both if run.folder.pictures(kind)]
    main = panels_of(run)[:1]
    if not kinds and not main:
        return
    judged = run.config.family == "gan" if run.folder.pictures("moments") else None
    columns = st.columns([len(kinds) + (judged is not None), 1.2] if kinds and main else 1)
    if kinds:
        with columns[0]:
            parts.film([name], kinds, key=f"watch:{name}:film", by_kind=True, judged=judged)
            for kind in kinds if of_points(run.config.data.spec) else ():
                st.caption(say("viewer.intro.points" if kind == "samples" else "reconstructions.intro.points"))
    for panel in main:
        with columns[-1]:
            parts.chart(panel, f"watch:{name}:0")


def _curves(name: str) -> None:
    """The other curves of the run, with a mark where something was changed."""
    run = _now(name)
    if run is not None and (panels := panels_of(run)[1:]):
        st.header(say("studio.watch.curves"), anchor=False)
        parts.charts([(f"watch:{name}:{index}", panel) for index, panel in enumerate(panels, 1)])


def panels_of(run: Overview) -> list[Panel]:
    """Every curve of a run, what it minimises first; none before there are any."""
    if run.config is None or not run.folder.environment():
        return []
    return run_curves(
        watched(run.folder).columns, run.config.family, objective(run.folder), Phrase("page.verbatim", {"words": run.name}),
        run.kind, *([MOST_POINTS] if run.live else []),
    )  # fmt: skip

"""One run in the list: what it is, how it stands, the action that comes next, and a menu for the rest."""

from __future__ import annotations

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import duration, number, significant
from latentlab.runs.diagnosis.symptoms import KEYS
from latentlab.studio.frame import in_one_line, link
from latentlab.studio.library import Place, here
from latentlab.studio.listing import Listed, one
from latentlab.studio.overview import stop
from latentlab.studio.run_menu import NOTICE, go_on, menu, refused
from latentlab.studio.state import shown
from latentlab.studio.watch import COLORS, ICONS
from latentlab.studio.words import lang, plain, say

TICK_SECONDS = 2.0


def draw_row(place: Place, each: Listed) -> None:
    """A run. While something about it changes by itself, what is said of it is drawn anew every other second."""
    with st.container(key=f"runs-row-{each.name}"):
        who, facts, actions = st.columns([3, 5, 2.4], vertical_alignment="center")
        with who:
            _who(each)
        with facts:
            st.fragment(in_one_line(_facts), run_every=TICK_SECONDS if each.busy else None)(place, each)
        with actions, st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            _next(each)
            _more(place, each)
        if said := refused(each.name):
            st.error(plain(said), icon=":material/error:")


def _who(each: Listed) -> None:
    """The name, which opens the run, and what it is."""
    config = each.run.config
    if each.run.state == "damaged":
        st.markdown(f"**{plain(each.name)}**")
    else:
        link("train", f"**{plain(each.name)}**", run=each.name)
    if config is not None:
        data = config.data.spec.rpartition("/")[2]
        st.caption(plain(f"{config.preset} · {data} · " + say("studio.runs.latent", size=number(config.model.latent_dim, lang()))))


def _facts(place: Place, before: Listed) -> None:
    """The state, how far it is, the last number on held-out images, the alarms."""
    each = one(place, before.name) if before.busy else before
    if (each.busy, each.run.state) != (before.busy, before.run.state):
        st.rerun()  # what can be done with it, and where it stands, has changed
    state, numbers = st.columns([1, 1.15], vertical_alignment="center")
    with state:
        st.badge(say(f"studio.state.{each.run.state}"), icon=ICONS[each.run.state], color=COLORS[each.run.state])  # type: ignore[arg-type]
        if told := _how_far(each):
            st.caption(plain(told))
    with numbers:
        _heard(each)


def _how_far(each: Listed) -> str:
    last = each.run.last
    if each.run.config is None:
        return ""
    epoch, seconds = each.run.epoch, float(last.get("seconds", 0))
    told = [say("studio.runs.step", step=number(each.run.step, lang())), say("studio.runs.epoch", epoch=significant(epoch, lang(), 3))]
    return " · ".join(told + ([duration(seconds, lang())] if seconds else []))


def _heard(each: Listed) -> None:
    """Numbers, alarms, and what went wrong, each on a line of its own."""
    lines = [plain(words) for words in held_out(each)]
    for key in each.alarms:
        name = say(f"diagnosis.{key}.name") if key in KEYS else key
        lines.append(f":orange[:material/warning: {plain(name)}]")
    if each.unfit:
        lines.append(plain(say("studio.runs.unfit")))
    elif each.run.state in ("failed", "damaged"):
        lines.append(plain(_short(each.run.message or say("studio.watch.no_reason"))))
    elif each.run.refused:
        lines.append(f":red[:material/error: {plain(_short(each.run.refused))}]")
    if each.unmeasurable:
        lines.append(f":red[:material/error: {plain(_short(each.unmeasurable))}]")
    task = each.evaluation
    if task is not None and task.state == "running":
        lines.append(":material/progress_activity: " + plain(say("studio.runs.evaluating")))
    elif task is not None and task.state in ("failed", "lost"):
        why = _short(task.said() or say("studio.watch.no_reason"))
        lines.append(f":red[:material/error: {plain(say('studio.runs.evaluation.failed', reason=why))}]")
    elif each.measured is not None:
        lines.append(":material/straighten: " + plain(_measured(each.measured, each.run.step)))
    if lines:
        st.caption("  \n".join(lines))


def held_out(each: Listed) -> list[str]:
    """The last number on held-out images, in words: the loss, or for a GAN the distance of its samples from real images."""
    shown = {"loss_nats": "loss", "kid": "kid", "mse": "error"}
    values = [(word, value) for name, word in shown.items() if isinstance(value := each.held_out.get(name), float | int)]
    return [say(f"studio.runs.held_out.{word}", value=significant(float(value), lang(), 3)) for word, value in values[:1]]


def _measured(at: int, step: int) -> str:
    return say("studio.runs.evaluated") if at == step else say("studio.runs.evaluated.at", step=number(at, lang()))


def _short(words: str, most: int = 220) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


def _next(each: Listed) -> None:
    """The action that a reader most likely wants: stop what trains, go on with what was stopped, look at what is trained."""
    run = each.run
    if run.live:
        st.button(
            say("studio.control.stop"), icon=":material/stop:", key=f"runs-stop-{each.name}",
            help=say("studio.control.stop.help"), on_click=_stop, args=(each.name,),
        )  # fmt: skip
    elif run.config is not None and run.state in ("stopped", "failed") and shown("runs.go_on"):
        st.button(
            say("studio.control.go_on"), icon=":material/play_arrow:", key=f"runs-go-on-{each.name}", on_click=go_on, args=(each.name,)
        )
    elif run.trained:
        link("explore", say("studio.page.explore"), ":material/explore:", run=each.name)


def _stop(name: str) -> None:
    try:
        stop(here(), name)
    except LabError as error:
        st.session_state[f"runs-refused-{name}"] = str(error)


def _more(place: Place, each: Listed) -> None:
    """The menu, whose content is drawn when it is opened."""
    if each.unfit:
        return
    more = st.popover(say("studio.runs.more"), icon=":material/more_horiz:", key=f"runs-more-{each.name}", on_change="rerun")
    if more.open:
        with more:
            menu(place, each)


def notice(place: Place) -> None:
    """What was just done, and how to undo it."""
    if NOTICE not in st.session_state:
        return
    done, name, new = st.session_state[NOTICE]
    with st.container(key="runs-notice", horizontal=True, vertical_alignment="center"):
        st.markdown(":material/info: " + say(f"studio.runs.done.{done}", name=plain(name), new=plain(new)), width="stretch")
        if done == "discarded":
            st.button(say("studio.runs.undo"), icon=":material/undo:", key="runs-undo", on_click=_undo, args=(place, name))
        st.button(say("studio.runs.close"), key="runs-close", type="tertiary", on_click=lambda: st.session_state.pop(NOTICE, None))


def _undo(place: Place, name: str) -> None:
    moment = next((moment for moment, thrown in place.discarded() if thrown == name), None)
    st.session_state.pop(NOTICE, None)
    try:
        if moment is not None:
            place.restore(moment, name)
    except LabError as error:
        st.session_state[f"runs-refused-{name}"] = str(error)

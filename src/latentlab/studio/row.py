"""One run in the list: what it is, how it stands, the action that comes next, and a menu for the rest.

Every action looks at the run anew: another tab may have been faster. What is refused is said in the run's row.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import duration, number, significant
from latentlab.measure.table import seen_by
from latentlab.runs.diagnosis.symptoms import KEYS
from latentlab.runs.verify import check_run
from latentlab.studio import actions, tasks
from latentlab.studio.controls import stop_button, total_field
from latentlab.studio.frame import in_one_line, link
from latentlab.studio.library import LONGEST, Library, here, without_paths
from latentlab.studio.listing import Listed, one
from latentlab.studio.overview import Overview, overview
from latentlab.studio.state import attempt, lang, plain, put, say, say_refused, shown, spoken, told
from latentlab.studio.watch import badge

TICK_SECONDS = 2.0
SEARCH = "search"  # of the address
NOTICE = "runs-notice"  # (what was done, the run's name, its new name)
MOST_DAMAGED = 5  # files that are named


def draw_row(library: Library, each: Listed) -> None:
    """A run. While something about it changes by itself, what is said of it is drawn anew every other second."""
    with st.container(key=f"runs-row-{each.name}"):
        who, facts, buttons = st.columns([3, 5, 2.4], vertical_alignment="center")
        with who:
            _who(each)
        with facts:
            st.fragment(in_one_line(_facts), run_every=TICK_SECONDS if each.busy else None)(library, each)
        with buttons, st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
            _next(each)
            _more(library, each)
        say_refused(refused(each.name))


def refused(name: str) -> str:
    """Under which the session keeps why the last action about a run was refused."""
    return f"runs-refused-{name}"


def _who(each: Listed) -> None:
    """The name, which opens the run, and what it is."""
    config = each.run.config
    if each.run.state == "damaged":
        st.markdown(f"**{plain(each.name)}**")
    else:
        link("train", f"**{plain(each.name)}**", run=each.name)
    if config is not None:
        st.caption(plain(f"{config.preset} · {each.run.data} · " + say("studio.runs.latent", size=number(config.model.latent_dim, lang()))))


def _facts(library: Library, before: Listed) -> None:
    """The state, how far it is, the last number on held-out images, the alarms."""
    each = one(library, before.name) if before.busy else before
    if (each.busy, each.run.state) != (before.busy, before.run.state):
        st.rerun()  # what can be done with it, and where it stands, has changed
    state, numbers = st.columns([1, 1.15], vertical_alignment="center")
    with state:
        badge(each.run.state, each.run.state)
        if far := _how_far(each.run):
            st.caption(plain(far))
    with numbers:
        _heard(each)


def _how_far(run: Overview) -> str:
    if run.config is None:
        return ""
    seconds = float(run.last.get("seconds", 0))
    told = [say("studio.runs.step", step=number(run.step, lang())), say("studio.runs.epoch", epoch=significant(run.epoch, lang(), 3))]
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
        if "not_finite" not in each.alarms:
            lines.append(plain(_short(told(each.run.message))))
    elif each.run.refused:
        lines.append(f":red[:material/error: {plain(_short(told(each.run.refused)))}]")
    if each.unmeasurable:
        lines.append(f":red[:material/error: {plain(_short(told(each.unmeasurable)))}]")
    task = each.evaluation
    if task is not None and task.state == "running":
        lines.append(":material/progress_activity: " + plain(say("studio.runs.evaluating")))
    elif task is not None and task.state in ("failed", "lost"):
        why = _short(told(task.said()))
        lines.append(f":red[:material/error: {plain(say('studio.runs.evaluation.failed', reason=why))}]")
    elif each.measured is not None:
        at = number(each.measured, lang())
        is_now = each.measured == each.run.status.get("sampled", each.run.step)
        at_step = say("studio.runs.evaluated") if is_now else say("studio.runs.evaluated.at", step=at)
        lines.append(":material/straighten: " + plain(at_step))
    if lines:
        st.caption("  \n".join(lines))


def held_out(each: Listed) -> list[str]:
    """The last number on held-out images, in words: the loss, or for a GAN the distance of its samples from real images."""
    words = {"loss_nats": "loss", "kid": "kid", "mse": "error"}
    values = [(word, value) for name, word in words.items() if isinstance(value := each.held_out.get(name), float | int)]
    said = [say(f"studio.runs.held_out.{word}", value=significant(float(value), lang(), 3)) for word, value in values[:1]]
    return [spoken(seen_by(words, str(each.held_out.get("extractor", "")))) for words in said]


def _short(words: str, most: int = 220) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


def _next(each: Listed) -> None:
    """The action that a reader most likely wants: stop what trains, go on with what was stopped, look at what is trained."""
    run = each.run
    if run.live:
        stop_button(run.name, f"runs-stop-{run.name}", refused(run.name))
    elif run.config is not None and run.state in ("stopped", "failed") and shown("runs.go_on"):
        key = f"runs-go-on-{run.name}"
        st.button(say("studio.control.go_on"), icon=":material/play_arrow:", key=key, on_click=_go_on, args=(run.name,))
    elif run.trained:
        link("explore", say("studio.page.explore"), ":material/explore:", run=run.name)


def _more(library: Library, each: Listed) -> None:
    """The menu, whose content is drawn when it is opened."""
    if each.unfit:
        return
    more = st.popover(say("studio.runs.more"), icon=":material/more_horiz:", key=f"runs-more-{each.name}", on_change="rerun")
    if more.open:
        with more:
            _menu(library, each)


def _menu(library: Library, each: Listed) -> None:
    """Everything that fits the run's state: look at it, train on, measure, check, rename, keep its settings, throw it away."""
    run = each.run
    with st.container(key=f"runs-menu-{run.name}"):
        _links(run)
        if run.config is not None and run.state in ("stopped", "failed", "finished") and shown("runs.go_on"):
            _longer(run)
        empty = library.never_began(run.name)
        own = actions.is_own(library, run.name)
        if own and not run.live and not empty and shown("runs.rename"):
            _rename(run)
        if run.trained and not run.live:
            busy = each.evaluation is not None and each.evaluation.state == "running"
            st.button(
                say("studio.runs.evaluate"), icon=":material/straighten:", key=f"runs-evaluate-{run.name}", type="tertiary", disabled=busy,
                help=say("studio.runs.evaluate.help"), on_click=_measure, args=(run.name,),
            )  # fmt: skip
            _check(run)
        if run.config is not None:
            st.download_button(
                say("studio.runs.config"), without_paths(run.config.to_json()), f"{run.path.name}.config.json", "application/json",
                key=f"runs-config-{run.name}", icon=":material/download:", on_click="ignore", type="tertiary",
            )  # fmt: skip
        if own and not run.live and shown("runs.delete"):
            done, remove = ("forgotten", actions.forget) if empty else ("discarded", actions.discard)
            st.button(
                say("studio.runs.discard"), icon=":material/delete:", key=f"runs-discard-{run.name}", type="tertiary",
                on_click=_remove, args=(run.name, done, remove),
            )  # fmt: skip
        if not library.reader:
            st.caption(plain(str(run.path)))


def _links(run: Overview) -> None:
    if run.state == "damaged":
        return
    with st.container(horizontal=True, gap="xxsmall"):
        link("train", say("studio.runs.open"), ":material/monitoring:", run=run.name)
        if run.trained:
            link("explore", say("studio.page.explore"), ":material/explore:", run=run.name)
            link("explore", say("studio.explore.part.generate"), ":material/imagesmode:", run=run.name, part="generate")
            link("compare", say("studio.page.compare"), ":material/compare_arrows:", run=run.name)


def _longer(run: Overview) -> None:
    """A new total length."""
    key = f"runs-total-{run.name}-{run.state}"
    with st.form(f"runs-longer-{run.name}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        total_field(run, key)
        st.form_submit_button(say("studio.control.go_on"), icon=":material/play_arrow:", on_click=_go_on, args=(run.name, key))


def _check(run: Overview) -> None:
    """Every file of the run, looked at while the reader waits."""
    asked = st.button(
        say("studio.runs.verify"), icon=":material/fact_check:", key=f"runs-verify-{run.name}", type="tertiary",
        help=say("studio.runs.verify.help"),
    )  # fmt: skip
    if not asked:
        return
    with st.spinner(say("studio.runs.verifying")):
        files = list(check_run(run.folder))
    damaged = [(path, problem) for path, problem in files if problem is not None]
    if not damaged:
        st.success(say("studio.runs.whole", count=number(len(files), lang())), icon=":material/verified:")
    else:
        named = [f"{path.relative_to(run.path).as_posix()}: {problem}" for path, problem in damaged[:MOST_DAMAGED]]
        st.error(say("studio.runs.damaged", count=number(len(damaged), lang())), icon=":material/broken_image:")
        st.code(without_paths("\n".join(named)), language=None, wrap_lines=True)


def _rename(run: Overview) -> None:
    with st.form(f"runs-rename-form-{run.name}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(say("studio.runs.name"), value=run.path.name, max_chars=LONGEST, key=f"runs-name-{run.name}")
        st.form_submit_button(say("studio.runs.rename"), icon=":material/edit:", on_click=_give_name, args=(run.name,))
    say_refused(f"runs-refused-name-{run.name}")


# What is done by a click.


def _go_on(name: str, total: str | None = None) -> None:
    """Train on, to the total in a field, or as far as the run was meant to go."""
    run = _at_rest(name)
    if run is not None and run.config is not None:
        actions.resume(here(), run, run.length[2] if total is None else float(st.session_state[total]))
        _close(name)


def _measure(name: str) -> None:
    if _at_rest(name) is not None:
        actions.measure(here(), name)
        _close(name)


def _give_name(name: str) -> None:
    new, key = str(st.session_state[f"runs-name-{name}"]).strip(), f"runs-refused-name-{name}"
    st.session_state.pop(key, None)
    if new == name.rpartition("/")[2]:
        return

    def rename() -> None:
        st.session_state[NOTICE] = ("renamed", name, actions.rename(here(), name, new))

    if attempt(key, rename, lambda error: _why_not_named(name, new, error)):
        st.session_state["runs-search"] = ""  # which the new name need not fit
        put({SEARCH: None})
        _close(name)


def _remove(name: str, done: str, remove: Callable[[Library, str], object]) -> None:
    if _at_rest(name) is not None and attempt(refused(name), lambda: remove(here(), name), lambda error: _why_not_moved(name, error)):
        st.session_state[NOTICE] = (done, name, "")
        _close(name)


def _why_not_named(name: str, new: str, error: Exception) -> str:
    """Why a name was refused, in the reader's language where that can be told."""
    library, unfit = here(), say("studio.runs.name.unfit", most=number(LONGEST, lang()))
    try:
        target = library.path("/".join([*name.split("/")[:-1], new]))
    except LabError:
        return unfit
    if target.parent != library.path(name).parent:
        return unfit
    return say("studio.runs.name.taken") if target.exists() else _why_not_moved(name, error)


def _why_not_moved(name: str, error: Exception) -> str:
    """Why a run cannot be moved, in the reader's language where that can be told."""
    library = here()
    if (library.path(name) / "config.json").is_file() and library.open(name).is_locked():
        return say("studio.runs.busy")
    return say("studio.runs.busy.task") if tasks.running(library, name) else told(error)


def _close(name: str) -> None:
    """Close the menu of a run."""
    st.session_state[f"runs-more-{name}"] = False


def _at_rest(name: str) -> Overview | None:
    """The run, unless it trains or is gone, which its row then says."""
    st.session_state.pop(refused(name), None)
    try:
        run = overview(here(), name)
    except LabError as error:
        why = told(error)
    else:
        if not run.live:
            return run
        why = say("studio.runs.busy")
    st.session_state[refused(name)] = why
    return None

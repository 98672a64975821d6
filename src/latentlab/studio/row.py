"""One run in the list: what it is, how it stands, the action that comes next, and a menu for the rest.

Every action looks at the run anew: another tab may have been faster. What is refused is said in the run's row.
"""

from __future__ import annotations

import time
from functools import partial
from html import escape
from urllib.parse import urlencode

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import duration, number, reason, significant
from latentlab.measure.table import extractor_words
from latentlab.runs.diagnosis.symptoms import KEYS
from latentlab.runs.verify import check_run
from latentlab.studio import actions
from latentlab.studio.controls import stop_button, total_field
from latentlab.studio.frame import in_one_line, link
from latentlab.studio.library import LONGEST, Library, here, without_paths
from latentlab.studio.listing import Listed, one, tags_of
from latentlab.studio.overview import Overview, overview
from latentlab.studio.state import attempt, lang, plain, put, say, say_refused, shown, spoken, told

TICK_SECONDS = 2.0
SEARCH = "search"  # of the address
NOTICE = "runs-notice"  # (what was done, the names of the runs, the new name)
TICKED = "runs-ticked"  # the names of the runs that are ticked
MOST_DAMAGED = 5  # files that are named
MOST_TAGS, MOST_NOTE = 200, 4000  # characters


def draw_row(library: Library, each: Listed) -> None:
    """A run. While something about it changes by itself, what is said of it is drawn anew every other second.

    Few elements, placed by runs.css: each one more is paid for in every row of the list.
    """
    with st.container(key=f"runs-row-{each.name}"):
        tick_box(say("studio.runs.tick", name=each.name), [] if each.unfit else [each.name], f"runs-tick-{each.name}")
        if each.run.state == "damaged":
            st.markdown(f"**{plain(each.name)}**")
        else:
            link("train", f"**{plain(each.name)}**", run=each.name)
        st.fragment(in_one_line(_facts), run_every=TICK_SECONDS if each.busy else None)(library, each)
        _next(each)
        _more(library, each)
        say_refused(refused(each.name))


def ticked() -> list[str]:
    """The names of the runs that are ticked, on whatever page of the list."""
    names: list[str] = st.session_state.setdefault(TICKED, [])
    return names


def tick_box(label: str, names: list[str], key: str) -> None:
    """A box that ticks runs and shows whether all of them are; a box for none cannot be used."""
    if st.session_state.get(key) != (value := bool(names) and set(names) <= set(ticked())):
        st.session_state[key] = value  # only then: set again, it would undo a click that is on its way
    st.checkbox(label, key=key, label_visibility="collapsed", on_change=_tick, args=(names, key), disabled=not names)


def _tick(names: list[str], key: str) -> None:
    st.session_state[TICKED] = [name for name in ticked() if name not in names] + (names if st.session_state[key] else [])


def refused(name: str) -> str:
    """Under which the session keeps why the last action about a run was refused."""
    return f"runs-refused-{name}"


def _facts(library: Library, before: Listed) -> None:
    """All that is said of a run beside its name."""
    each = one(library, before.name) if before.busy else before
    if (each.busy, each.run.state) != (before.busy, before.run.state):
        st.rerun()  # what can be done with it, and where it stands, has changed
    st.html("".join(f'<div class="latentlab-{part}">{said}</div>' for part, said in _cells(each).items() if said or part == "picture"))


def _cells(each: Listed) -> dict[str, str]:
    """The parts of a row by their names, as HTML: the newest samples, what the run is, its state, how far it is, its score, its date."""
    run, config, picture, about = each.run, each.run.config, "", ""
    if each.picture is not None:
        query = urlencode({"run": each.name, "at": each.picture[1]})
        words = escape(say("studio.watch.samples"))
        picture = f'<img src="/lab/picture/tiles/{each.picture[0]}?{escape(query)}" alt="{words}" loading="lazy">'
    if config is not None:
        about = " · ".join((config.preset, run.data, say("studio.runs.latent", size=number(config.model.latent_dim, lang()))))
    about = "".join(f"<b>{escape(tag)}</b> " for tag in each.tags) + escape(about)
    about += f"<p>{escape(note)}</p>" if (note := str(each.notes.get("note", ""))) else ""
    state = f'<i class="latentlab-{run.state}"></i>{escape(say(f"studio.state.{run.state}"))}'
    told = "".join(f'<p class="latentlab-{kind}">{escape(without_paths(words))}</p>' for kind, words in _told(each))
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.changed)) if run.changed else ""
    return {
        "picture": picture, "about": about, "state": state, "step": _how_far(run), "score": _score(each), "date": when, "told": told,
    }  # fmt: skip


def _how_far(run: Overview) -> str:
    if run.config is None:
        return ""
    seconds = float(run.last.get("seconds", 0))
    told = [say("studio.runs.epoch", epoch=significant(run.epoch, lang(), 3))] + ([duration(seconds, lang())] if seconds else [])
    return f"{escape(say('studio.runs.step', step=number(run.step, lang())))} <small>{escape(' · '.join(told))}</small>"


def _score(each: Listed) -> str:
    """What its family is judged by, and how that is known."""
    if each.score is None:
        return ""
    measure, extractor, value, evaluated = each.score
    told = [spoken(extractor_words(extractor))] if extractor else []
    if not evaluated:
        told.append(say("studio.runs.held_out"))
    elif each.measured is not None:
        is_now = each.measured == each.run.status.get("sampled", each.run.step)
        told.append(say("studio.runs.evaluated") if is_now else say("studio.runs.evaluated.at", step=number(each.measured, lang())))
    words = say(f"studio.runs.score.{measure}", value=significant(value, lang(), 3))
    return f"{escape(words)} <small>{escape(', '.join(told))}</small>"


def _told(each: Listed) -> list[tuple[str, str]]:
    """Alarms, and what went wrong, each on a line of its own, with its kind."""
    lines = [("alarm", say(f"diagnosis.{key}.name") if key in KEYS else key) for key in each.alarms]
    if each.unfit:
        lines.append(("wrong", say("studio.runs.unfit")))
    elif each.run.state in ("failed", "damaged"):
        lines += [("wrong", told(each.run.message))] * ("not_finite" not in each.alarms)
    elif each.run.refused:
        lines.append(("wrong", told(each.run.refused)))
    lines += [("wrong", told(words)) for words in each.damage]
    task = each.evaluation
    if task is not None and task.state == "running":
        lines.append(("doing", say("studio.runs.evaluating")))
    elif task is not None and task.state in ("failed", "lost"):
        lines.append(("wrong", say("studio.runs.evaluation.failed", reason=told(task.said()))))
    return lines


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
        if own and run.config is not None and shown("runs.notes"):
            _notes(run)
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
            key = f"runs-discard-{run.name}"
            st.button(say("studio.runs.discard"), icon=":material/delete:", key=key, type="tertiary", on_click=remove, args=([run.name],))
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


def _notes(run: Overview) -> None:
    """Tags and a note, to be changed; of a notes.json that is broken nothing that would write over it."""
    try:
        kept = run.folder.notes()
    except LabError:  # which the row says
        return
    tags, note = (f"runs-{part}-{run.name}" for part in ("tags", "note"))
    with st.form(f"runs-notes-{run.name}", border=False):
        st.text_input(say("studio.runs.tags"), " ".join(f"#{tag}" for tag in kept["tags"]), MOST_TAGS, tags, placeholder="#")
        st.text_area(say("studio.runs.note"), kept["note"], max_chars=MOST_NOTE, key=note, height="content")
        st.form_submit_button(say("studio.runs.notes.keep"), icon=":material/check:", on_click=_keep, args=(run.name, tags, note))


# What is done by a click.


def _keep(name: str, tags: str, note: str) -> None:
    words = tags_of(str(st.session_state[tags])), str(st.session_state[note]).strip()
    attempt(refused(name), lambda: here().open(name).write_notes(*words))
    _close(name)


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
        st.session_state[NOTICE] = ("renamed", [name], actions.rename(here(), name, new))

    if attempt(key, rename):
        st.session_state["runs-search"] = ""  # which the new name need not fit
        put({SEARCH: None})
        _close(name)


def remove(names: list[str]) -> None:
    """Throw runs away: into the trash, for good where one had not begun. What cannot be stays, and its row says why."""
    gone = dict[str, str]()

    def discard(name: str) -> None:
        gone[name] = actions.discard(here(), name)

    for name in names:
        if attempt(refused(name), partial(discard, name)):
            _close(name)
    kept = [name for name, moment in gone.items() if moment]
    if gone:
        st.session_state[NOTICE] = ("discarded", kept, "") if kept else ("forgotten", list(gone), "")


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
        why = told(reason("move.trains"))
    st.session_state[refused(name)] = why
    return None

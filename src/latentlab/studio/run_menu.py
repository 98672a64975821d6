"""What can be done with a run from the list: look at it, train on, measure, check, rename, keep its settings, throw it away.

Every action looks at the run anew: another tab may have been faster. What is refused is said in the run's row.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.texts import number
from latentlab.runs.verify import check_run
from latentlab.studio import tasks
from latentlab.studio.frame import link
from latentlab.studio.library import LONGEST, Place, here
from latentlab.studio.listing import Listed
from latentlab.studio.overview import Overview, overview
from latentlab.studio.state import shown
from latentlab.studio.words import lang, plain, say

NOTICE = "runs-notice"  # (what was done, the run's name, its new name)
MOST_DAMAGED = 5  # files that are named


def menu(place: Place, each: Listed) -> None:
    """Everything that fits the run's state."""
    run = each.run
    with st.container(key=f"runs-menu-{run.name}"):
        _links(run)
        if run.config is not None and run.state in ("stopped", "failed", "finished") and shown("runs.go_on"):
            _longer(run)
        empty = here().never_began(run.name)
        if not run.live and not empty and shown("runs.rename"):
            _rename(run)
        if run.trained and not run.live:
            _measure(each)
            _check(run)
        if run.config is not None:
            st.download_button(
                say("studio.runs.config"), run.config.to_json(), f"{run.path.name}.config.json", "application/json",
                key=f"runs-config-{run.name}", icon=":material/download:", on_click="ignore", type="tertiary",
            )  # fmt: skip
        if not run.live and shown("runs.delete"):
            st.button(
                say("studio.runs.discard"), icon=":material/delete:", key=f"runs-discard-{run.name}", type="tertiary",
                on_click=_forget if empty else _discard, args=(run.name,),
            )  # fmt: skip
        st.caption(plain(str(run.path)))


def _links(run: Overview) -> None:
    if run.state == "damaged":
        return
    with st.container(horizontal=True, gap="xxsmall"):
        link("train", say("studio.runs.open"), ":material/monitoring:", run=run.name)
        if run.trained:
            link("explore", say("studio.page.explore"), ":material/explore:", run=run.name)
            link("generate", say("studio.page.generate"), ":material/imagesmode:", run=run.name)
            link("compare", say("studio.page.compare"), ":material/compare_arrows:", run=run.name)


def _longer(run: Overview) -> None:
    """A new total length."""
    unit, done, _ = run.length
    key = f"runs-total-{run.name}-{run.state}"
    if float(st.session_state.get(key, done)) < done:
        del st.session_state[key]  # written before it went on
    with st.form(f"runs-longer-{run.name}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(say(f"studio.control.total.{unit}"), min_value=done, value=run.longer, step=1.0, format="%g", key=key)
        st.form_submit_button(say("studio.control.go_on"), icon=":material/play_arrow:", on_click=go_on, args=(run.name, key))


def go_on(name: str, total: str | None = None) -> None:
    """Train on, to the total in a field, or as far as the run was meant to go."""
    run = _at_rest(name)
    if run is None or run.config is None:
        return
    unit, _, usual = run.length
    length = float(st.session_state[total]) if total is not None else usual
    told = str(int(length)) if unit == "steps" else f"{length:.10g}"
    tasks.start(here(), "resume", name, ["resume", str(run.path), f"--{unit}", told])
    _close(name)


def _measure(each: Listed) -> None:
    busy = each.evaluation is not None and each.evaluation.state == "running"
    st.button(
        say("studio.runs.evaluate"), icon=":material/straighten:", key=f"runs-evaluate-{each.name}", type="tertiary", disabled=busy,
        help=say("studio.runs.evaluate.help"), on_click=_evaluate, args=(each.name,),
    )  # fmt: skip


def _evaluate(name: str) -> None:
    run = _at_rest(name)
    last = tasks.latest(here(), ("evaluate",), name)
    if run is not None and (last is None or last.state != "running"):
        tasks.start(here(), "evaluate", name, ["evaluate", str(run.path)])
        _close(name)


def _check(run: Overview) -> None:
    """Every file of the run, looked at while the reader waits."""
    asked = st.button(
        say("studio.runs.verify"), icon=":material/fact_check:", key=f"runs-verify-{run.name}", type="tertiary",
        help=say("studio.runs.verify.help"),
    )  # fmt: skip
    if not asked:
        return
    with st.spinner(say("studio.runs.verifying")):
        found = list(check_run(run.folder))
    damaged = [(path, problem) for path, problem in found if problem is not None]
    if not damaged:
        st.success(say("studio.runs.whole", count=number(len(found), lang())), icon=":material/verified:")
    else:
        files = [f"{path.relative_to(run.path).as_posix()}: {problem}" for path, problem in damaged[:MOST_DAMAGED]]
        st.error(say("studio.runs.damaged", count=number(len(damaged), lang())), icon=":material/broken_image:")
        st.code("\n".join(files), language=None, wrap_lines=True)


def _rename(run: Overview) -> None:
    with st.form(f"runs-rename-form-{run.name}", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(say("studio.runs.name"), value=run.path.name, max_chars=LONGEST, key=f"runs-name-{run.name}")
        st.form_submit_button(say("studio.runs.rename"), icon=":material/edit:", on_click=_give_name, args=(run.name,))
    if said := st.session_state.get(f"runs-refused-name-{run.name}"):
        st.error(plain(said), icon=":material/error:")


def _give_name(name: str) -> None:
    new = str(st.session_state[f"runs-name-{name}"]).strip()
    st.session_state.pop(f"runs-refused-name-{name}", None)
    if new == name.rpartition("/")[2]:
        return
    try:
        whole = here().rename(name, new)
    except (LabError, OSError) as error:
        st.session_state[f"runs-refused-name-{name}"] = _why(name, new, error)
    else:
        st.session_state[NOTICE] = ("renamed", name, whole)
        _close(name)


def _why(name: str, new: str, error: Exception) -> str:
    """Why a name was refused, in the reader's language where that can be told."""
    place, unfit = here(), say("studio.runs.name.unfit", most=number(LONGEST, lang()))
    try:
        target = place.path("/".join([*name.split("/")[:-1], new]))
    except LabError:
        return unfit
    if target.parent != place.path(name).parent:
        return unfit
    if target.exists():
        return say("studio.runs.name.taken")
    return _why_not(name, error)


def _why_not(name: str, error: Exception) -> str:
    """Why a run cannot be moved, in the reader's language where that can be told."""
    place = here()
    if (place.path(name) / "config.json").is_file() and place.open(name).is_locked():
        return say("studio.runs.busy")
    return say("studio.runs.busy.task") if tasks.running(place, name) else str(error)


def _discard(name: str) -> None:
    _remove(name, "discarded", here().discard)


def _forget(name: str) -> None:
    """Remove a run that never began: there is nothing in it to keep."""
    _remove(name, "forgotten", here().forget)


def _remove(name: str, done: str, act: Callable[[str], object]) -> None:
    if _at_rest(name) is None:
        return
    try:
        act(name)
    except (LabError, OSError) as error:
        st.session_state[f"runs-refused-{name}"] = _why_not(name, error)
    else:
        st.session_state[NOTICE] = (done, name, "")
        _close(name)


def _close(name: str) -> None:
    """Close the menu of a run."""
    st.session_state[f"runs-more-{name}"] = False


def _at_rest(name: str) -> Overview | None:
    """The run, unless it trains or is gone, which its row then says."""
    st.session_state.pop(f"runs-refused-{name}", None)
    try:
        run = overview(here(), name)
    except LabError as error:
        st.session_state[f"runs-refused-{name}"] = str(error)
        return None
    if run.live:
        st.session_state[f"runs-refused-{name}"] = say("studio.runs.busy")
        return None
    return run


def refused(name: str) -> str | None:
    """What the last action about a run was refused for."""
    said: str | None = st.session_state.get(f"runs-refused-{name}")
    return said


# The trash: runs that were thrown away, each with the way back.

_MOMENT = re.compile(r"(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-")


def draw_trash(place: Place) -> None:
    """Every run in it, the last one first."""
    thrown = place.discarded()
    if not thrown:
        st.info(say("studio.runs.trash.empty"), icon=":material/delete:")
        return
    st.caption(say("studio.runs.trash.how"))
    st.code(str(place.trash), language=None, wrap_lines=True)
    for moment, name in thrown:
        with st.container(key=f"runs-row-{moment}-{name}", horizontal=True, vertical_alignment="center"):
            with st.container():
                st.markdown(f"**{plain(name)}**")
                st.caption(plain(say("studio.runs.trash.when", when=when(moment))))
            key = f"runs-restore-{moment}-{name}"
            st.button(say("studio.runs.restore"), icon=":material/restore_from_trash:", key=key, on_click=_restore, args=(moment, name))
        if said := st.session_state.get(f"runs-unrestored-{moment}-{name}"):
            st.error(plain(said), icon=":material/error:")


def when(moment: str) -> str:
    """A moment as a folder of the trash is named by it, as a reader reads it; the name itself for any other folder."""
    match = _MOMENT.match(moment)
    return f"{match[1]}-{match[2]}-{match[3]} {match[4]}:{match[5]}" if match else moment


def _restore(moment: str, name: str) -> None:
    place = here()
    st.session_state.pop(f"runs-unrestored-{moment}-{name}", None)
    try:
        taken = place.path(name).exists()
        place.restore(moment, name)
    except (LabError, OSError) as error:
        st.session_state[f"runs-unrestored-{moment}-{name}"] = say("studio.runs.trash.taken") if taken else str(error)

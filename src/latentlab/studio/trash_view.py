"""The trash: runs that were thrown away, each with the way back."""

from __future__ import annotations

import re

import streamlit as st

from latentlab.errors import LabError
from latentlab.studio.place import Place, here
from latentlab.studio.words import plain, say

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

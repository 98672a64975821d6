"""The page Explore: latent spaces live in the browser, images by seed, a game against a discriminator; each part behind a tab."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from latentlab.studio import parts
from latentlab.studio.overview import starters
from latentlab.studio.state import chosen, say, shown
from latentlab.studio.views import game, generate, several_trained

PART = "part"  # of the address
MOST = 6  # models side by side; a request for the explorer may name eight


def draw() -> None:
    """The page."""
    # What the explorer's component shows has its part's name; the models and the point stay from one to the next.
    tabs: dict[str, Callable[[], None]] = {name: partial(_live, name) for name in ("map", "follow", "draw")}
    tabs |= {"generate": generate.draw, "game": game.draw}
    names = [name for name in tabs if shown(name)] or ["map"]
    choice = partial(
        st.segmented_control, say("studio.explore.part"), names, required=True, label_visibility="collapsed",
        format_func=lambda name: say(f"studio.explore.part.{name}"),
    )  # fmt: skip
    with st.container(key="explore-head", horizontal=True, vertical_alignment="center"):
        st.title(say("studio.page.explore"), anchor=False, width="content")
        part = chosen("explore:part", PART, names, names[0], choice if len(names) > 1 else None)
    tabs[part]()


def _live(part: str) -> None:
    """A part of the explorer."""
    if runs := several_trained("explore", say("studio.explore.runs"), MOST, starters()):
        parts.explorer([run.name for run in runs], part, key="explore:explorer")

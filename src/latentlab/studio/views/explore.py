"""The page Explore: the latent spaces of trained runs, live in the browser."""

from __future__ import annotations

import streamlit as st

from latentlab.studio import parts
from latentlab.studio.views import in_order, several_trained
from latentlab.studio.words import say

RUNS = "runs"
MOST = 6  # runs side by side, of the eight that a request may name


def draw() -> None:
    """The page."""
    st.title(say("studio.explore.title"), anchor=False)
    chosen = several_trained("explore", say("studio.explore.runs"), RUNS, MOST)
    if not chosen:
        return
    names = [one.name for one in in_order(chosen)]
    parts.explorer(names, key="explore:explorer")

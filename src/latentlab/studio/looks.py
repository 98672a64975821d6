"""The files of static/: style sheets of all pages or of one, and the scripts of components."""

from __future__ import annotations

from functools import cache
from importlib import resources

import streamlit as st


def style(name: str) -> None:
    """Use static/NAME.css on this page."""
    st.html(f"<style>{static(f'{name}.css')}</style>")


@cache
def static(name: str) -> str:
    """The text of a file of static/."""
    return resources.files("latentlab.studio").joinpath("static", name).read_text(encoding="utf-8")

"""Style sheets of single pages, beside that of all of them."""

from __future__ import annotations

from importlib import resources

import streamlit as st


def style(name: str) -> None:
    """Use static/NAME.css on this page."""
    st.html(f"<style>{_read(name)}</style>")


@st.cache_resource
def _read(name: str) -> str:
    return resources.files("latentlab.studio").joinpath("static", f"{name}.css").read_text(encoding="utf-8")

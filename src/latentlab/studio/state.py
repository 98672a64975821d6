"""What the page's address holds: the language, the run that is looked at, the configuration, and what a teacher hides.

?lang=fr&run=lab/vae            the run
?preset=conv-vae&train.beta=4   fields of the configuration that are not the preset's, by their dotted names
?hide=train.seed,generate  controls and pages that are not shown; their values stay as the address says
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from latentlab.studio.words import KEY, lang

HIDE, RUN = "hide", "run"
KEPT = (KEY, HIDE)  # in every link


def hidden() -> frozenset[str]:
    """The names of what is hidden."""
    return frozenset(name for name in st.query_params.get(HIDE, "").split(",") if name)


def shown(name: str) -> bool:
    """Whether a control or a page is shown."""
    return name not in hidden()


def params(**more: str | list[str] | None) -> dict[str, Any]:
    """The parameters of a link within the page: those that every page keeps, and `more` (None leaves one out)."""
    found: dict[str, Any] = {KEY: lang()}
    if hidden():
        found[HIDE] = st.query_params[HIDE]
    return found | {name: value for name, value in more.items() if value not in (None, "", [])}


def asked(name: str) -> str | None:
    """A parameter of the address."""
    return st.query_params.get(name)


def put(values: Mapping[str, str | None]) -> None:
    """Change parameters of the address; None takes one out. What stands there already is not written again."""
    for name, value in values.items():
        if value is None:
            if name in st.query_params:
                del st.query_params[name]
        elif st.query_params.get(name) != value:
            st.query_params[name] = value

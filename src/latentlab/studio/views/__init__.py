"""Choosing among trained runs; where there is none, the page says that training comes first and offers it."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st

from latentlab.studio.frame import link
from latentlab.studio.library import here
from latentlab.studio.overview import Overview, overviews
from latentlab.studio.state import RUN, asked, put
from latentlab.studio.words import plain, say

QUESTIONS = "questions/"  # the runs of the questions' experiments, which only their cards show


def trained_runs() -> list[Overview]:
    """Every run that has learned something, those that changed last first."""
    found = [one for one in overviews(here()) if one.trained and not one.name.startswith(QUESTIONS)]
    return sorted(found, key=lambda one: (-one.changed, one.name.count("/"), one.name))


def train_first() -> None:
    """What a reader is told who has trained nothing yet."""
    st.info(say("studio.chosen.none"), icon=":material/info:")
    link("train", say("studio.chosen.train"), ":material/play_arrow:")


def one_trained(page: str, label: str) -> Overview | None:
    """The run that the address names or that is chosen here; None, with an offer to train, where there is none."""
    runs = {one.name: one for one in trained_runs()}
    named = asked(RUN)
    if named is not None and named not in runs:
        st.warning(say("studio.chosen.untrained", run=plain(named)), icon=":material/info:")
        link("train", say("studio.chosen.watch") if named in here().names() else say("studio.chosen.train"), ":material/play_arrow:")
        return None
    if not runs:
        train_first()
        return None
    key, usual = f"{page}:run", named or next(iter(runs))
    if st.session_state.get(f"{key}:asked", "") != (named or "") or st.session_state.get(key) not in runs:
        st.session_state[key] = usual
    name = st.selectbox(label, list(runs), key=key, format_func=lambda name: f"{name} · {described(runs[name])}")
    if name != usual:  # what a page begins with is not written: the way back would lead to the same page again
        put({RUN: name})
    st.session_state[f"{key}:asked"] = asked(RUN) or ""
    return runs[name]


def described(found: Overview) -> str:
    """A run's kind, data and state in a few words."""
    kind = say(f"run.{found.kind}.short") if found.kind else ""
    data = found.config.data.spec.rpartition("/")[2] if found.config else ""
    return ", ".join(part for part in (kind, data, say(f"studio.state.{found.state}")) if part)


def several_trained(page: str, label: str, parameter: str, most: int) -> list[Overview]:
    """The runs that the address names (with commas between), changed here by the reader; [] with an offer to train where there is none."""
    runs = {one.name: one for one in trained_runs()}
    if not runs:
        train_first()
        return []
    named, unknown = names_in(asked(parameter) or asked(RUN) or "", runs)
    if unknown:
        st.warning(say("studio.chosen.unknown", names=plain(", ".join(unknown))), icon=":material/info:")
    key, first = f"{page}:{parameter}", (named or usual(runs))[:most]
    known = all(name in runs for name in st.session_state.get(key, ["?"]))
    if st.session_state.get(f"{key}:asked", "") != ",".join(named) or not known:
        st.session_state[key] = first
    chosen = st.multiselect(label, list(runs), key=key, max_selections=most, format_func=lambda name: f"{name} · {described(runs[name])}")
    if set(chosen) != set(first):
        put({parameter: ",".join(chosen) or None, RUN: None})
        named = chosen
    st.session_state[f"{key}:asked"] = ",".join(named)
    return [runs[name] for name in chosen]


def names_in(words: str, runs: Collection[str]) -> tuple[list[str], list[str]]:
    """The runs that a text names with commas between, each once, and what is no run. A name may itself hold commas.

    >>> names_in("a,b,c,x", ["a", "b,c"])
    (['a', 'b,c'], ['x'])
    """
    parts, found, unknown = words.split(","), dict[str, None](), []
    while parts:
        length = next((length for length in range(len(parts), 0, -1) if ",".join(parts[:length]) in runs), None)
        if length is None:
            unknown.append(parts.pop(0))
            continue
        found[",".join(parts[:length])] = None
        del parts[:length]
    return list(found), [name for name in unknown if name]


def usual(runs: dict[str, Overview]) -> list[str]:
    """What is shown first: the runs that lie beside the one that changed last and learned from the same images."""
    first = next(iter(runs.values()))
    beside = first.name.rpartition("/")[0]
    spec = first.config.data.spec if first.config else ""
    return [name for name, one in runs.items() if name.rpartition("/")[0] == beside and one.config and one.config.data.spec == spec]


def in_order(chosen: list[Overview]) -> list[Overview]:
    """AE, VAE, GAN, then GANs from a VAE, as everywhere."""
    order = ("ae", "vae", "gan", "gan-from-vae")
    return sorted(chosen, key=lambda one: (order.index(one.kind), one.name))

"""Choosing among trained runs; where there is none, the page says that training comes first and offers it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial

import streamlit as st

from latentlab.studio.frame import link
from latentlab.studio.library import QUESTIONS, STARTERS, here, natural
from latentlab.studio.overview import Overview, overviews, starters
from latentlab.studio.state import RUN, asked, chosen, plain, say

RUNS = "runs"  # of the address
MOST = 24  # runs side by side
FEW = 6  # runs whose names fit under each other


def trained_runs() -> dict[str, Overview]:
    """Every run that has learned something, by name, those that changed last first; not those that only a question's card shows."""
    runs = [run for run in overviews(here()) if run.trained and not run.name.startswith(f"{QUESTIONS}/")]
    return {run.name: run for run in sorted(runs, key=lambda run: (-run.changed, run.name.count("/"), run.name))}


def empty(words: str) -> None:
    """An empty place: a drawn shape, words, and the one button, which leads to training."""
    with st.container(key="empty", horizontal_alignment="center"):
        st.html('<div class="latentlab-shape" aria-hidden="true"></div>')
        st.markdown(words, width="content")
        link("train", say("studio.chosen.train"), ":material/play_arrow:")


def one_trained(page: str, fits: Callable[[Overview], bool] = lambda run: True) -> Overview | None:
    """The run, or what comes with the package, that the address names or that is chosen here, of those that fit; None, with an offer
    to train, for a name of nothing that was trained."""
    everything, named = trained_runs() | starters(), asked(RUN)
    if named is not None and named not in everything:
        st.warning(say("studio.chosen.untrained", run=plain(named)), icon=":material/info:")
        link("train", say("studio.chosen.watch") if named in here().names() else say("studio.chosen.train"), ":material/play_arrow:")
        return None
    runs = {name: run for name, run in everything.items() if fits(run)}
    if named is not None and named not in runs:
        st.info(say("studio.chosen.unfit", run=plain(named)), icon=":material/info:")
    beside = names_in(asked(RUNS) or "", runs)[0]  # what another part of the page shows
    choice = partial(st.selectbox, say("studio.generate.run"), list(runs), format_func=lambda name: described(runs[name]))
    return runs[chosen(f"{page}:run", RUN, runs, next(iter([*beside, *runs])), choice, write=lambda name: {RUN: name})]


def described(run: Overview) -> str:
    """A run's name, kind, data and state in a few words."""
    kind = say(f"run.{run.kind}.short") if run.kind else ""
    if run.name in STARTERS:
        return f"{kind} · {say('studio.chosen.starter')}"
    return f"{run.name} · " + ", ".join(part for part in (kind, run.data, say(f"studio.state.{run.state}")) if part)


def several_trained(page: str, label: str, most: int, more: Mapping[str, Overview] | None = None, folder: str = "") -> list[Overview]:
    """The runs that the address names (with commas between), changed here by the reader; [] with an offer to train where there is none.

    `more` can be chosen beside them, and is what is shown where nothing was trained; of a sweep's `folder` only its runs. In the order that
    they have everywhere: AE, VAE, GAN, then GANs from a VAE.
    """
    trained = {name: run for name, run in trained_runs().items() if not folder or name.startswith(f"{folder}/")}
    runs, first = {**trained, **(more or {})}, sorted(usual(trained), key=natural) or list(more or {})
    if not runs:
        if not folder:
            empty(say("studio.chosen.none"))
        return []

    def named() -> tuple[list[str], list[str]]:
        return names_in(asked(RUNS) or asked(RUN) or "", runs)

    if unknown := named()[1]:
        st.warning(say("studio.chosen.unknown", names=plain(", ".join(unknown))), icon=":material/info:")
    few = len(named()[0] or usual(runs)) <= FEW  # which stand under each other; more are one line that scrolls
    choice = partial(st.multiselect, label, list(runs), max_selections=most, format_func=lambda name: described(runs[name]), wrap=few)
    names = chosen(
        f"{page}:{RUNS}", RUNS, runs, first[:most], choice,
        read=lambda: named()[0][:most], write=lambda names: {RUNS: ",".join(names) or None, RUN: None},
        anew=sorted(runs) if folder else None,
    )  # fmt: skip
    order = ("ae", "vae", "gan", "gan-from-vae")
    return sorted((runs[name] for name in names), key=lambda run: (order.index(run.kind), natural(run.name)))


def names_in(words: str, runs: Collection[str]) -> tuple[list[str], list[str]]:
    """The runs that a text names with commas between, each once, and what is no run. A name may itself hold commas.

    >>> names_in("a,b,c,x", ["a", "b,c"])
    (['a', 'b,c'], ['x'])
    """
    parts, names, unknown = words.split(","), dict[str, None](), []
    while parts:
        length = next((length for length in range(len(parts), 0, -1) if ",".join(parts[:length]) in runs), None)
        if length is None:
            unknown.append(parts.pop(0))
            continue
        names[",".join(parts[:length])] = None
        del parts[:length]
    return list(names), [name for name in unknown if name]


def usual(runs: dict[str, Overview]) -> list[str]:
    """What is shown first: the runs that lie beside the one that changed last and learned from the same images."""
    if not runs:
        return []
    first = next(iter(runs.values()))
    beside = first.name.rpartition("/")[0]
    spec = first.config.data.spec if first.config else ""
    return [name for name, run in runs.items() if name.rpartition("/")[0] == beside and run.config and run.config.data.spec == spec]

"""The page Plane: a mixture or a drawn shape, a GAN or a VAE, a loss; and a real training process seen in the plane, live."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from latentlab.base.errors import LabError
from latentlab.base.files import replace_bytes
from latentlab.config import GAMES, PENALTIES
from latentlab.config.presets import preset
from latentlab.config.schema import OF_POINTS, Config
from latentlab.config.sources import SOURCES, of_points, parse
from latentlab.data.points import DRAWN, read_points
from latentlab.runs.folder import RunFolder
from latentlab.show.figures.plane import box_of
from latentlab.studio import datasets, estimate, parts
from latentlab.studio.actions import is_own, stop, train
from latentlab.studio.form import all_fields, widget
from latentlab.studio.frame import link
from latentlab.studio.library import Library, here
from latentlab.studio.overview import Overview, overview, overviews
from latentlab.studio.state import RUN, asked, attempt, chosen, put, say, say_refused, shown

FOLDER = "plane"  # of the runs that are started here
SHAPES = ("ring", "grid", "drawn")
LOSSES = {"gan": tuple(GAMES), "vae": OF_POINTS["model.likelihood"][1:]}
FEWEST, MOST, REACH = 30, 5_000, 2.0  # points of a drawn shape, and its pad's largest coordinate
REFUSED = "plane:refused"
ANOTHER = "plane:drawing"


class Choice(NamedTuple):
    """What a run of the plane is about."""

    shape: str
    kind: str
    loss: str


def draw() -> None:
    """The choices above, the run that was made of them below, or what it would learn from."""
    library = here()
    st.title(say("studio.plane.title"), anchor=False)
    runs = [run for run in overviews(library) if run.config is not None and of_points(run.config.data.spec)]
    runs.sort(key=lambda run: (run.name != asked(RUN), -run.changed))  # the one that is asked for, then the newest
    with st.container(horizontal=True, vertical_alignment="bottom", key="plane-tools"):
        choice = _choice(_about(runs[0].config) if runs else Choice("ring", "gan", "relativistic"))
        config = _config(choice)
        name = _shown(library, runs, choice)
        if name is not None and choice.shape == "drawn":
            st.button(say("studio.plane.another"), icon=":material/draw:", key="plane:another", on_click=_draw_another)
        begin = st.container(key="begin")
    say_refused(REFUSED)
    data = {"run": name, "kind": choice.kind, "mixture": _mixture(choice), "steered": shown("controls")}
    if name is None and choice.shape == "drawn":
        points = _pad(next((run for run in runs if _about(run.config).shape == "drawn"), None))
        few = len(points) < FEWEST
    else:
        points, few = None, False
        parts.plane(data | ({} if name else {"head": _real(config)}), partial(_ask, name))
    with begin:
        # not by a callback: one is called with what the page before was drawn of, not with what came in the same message
        if st.button(say("studio.train.start"), type="primary", icon=":material/play_arrow:", key="plane:start", disabled=few):
            attempt(REFUSED, lambda: _train(library, runs, choice, config, points))
            st.rerun()
    if name is not None:
        link("train", say("studio.plane.all"), ":material/monitoring:", run=name)


def _choice(usual: Choice) -> Choice:
    """Shape, model and loss as they are chosen; another run in the address begins with its own."""

    def one(
        part: str, options: Sequence[str], first: str, draw: Callable[..., Any], named: str, said: Callable[[str], str], **more: Any
    ) -> str:
        drawn = partial(draw, say(named), options, format_func=said, label_visibility="collapsed", **more)
        return str(chosen(f"plane:{part}", part, options, first, drawn, anew=asked(RUN)))

    pills = partial(st.segmented_control, required=True)
    shape = one("shape", SHAPES, usual.shape, pills, "studio.plane.shape", lambda name: say(f"studio.plane.{name}"))
    kind = one("kind", tuple(LOSSES), usual.kind, pills, "studio.train.model", lambda name: say(f"run.{name}.short"))
    first = usual.loss if usual.loss in LOSSES[kind] else _loss(preset(f"point-{kind}"))
    said = partial(say, "studio.plane.loss.is")
    loss = one("loss", LOSSES[kind], first, st.selectbox, "studio.plane.loss", lambda name: said(name=say(f"option.{name}")), width=260)
    return Choice(shape, kind, loss)


def _loss(config: Config) -> str:
    return str(config.values()["train.loss" if config.family == "gan" else "model.likelihood"])


def _about(config: Config | None) -> Choice:
    """What a run was chosen by."""
    assert config is not None  # noqa: S101 - a fault of ours
    shape = config.data.spec if config.data.spec in SHAPES else "drawn"
    kind = "gan" if config.family == "gan" else "vae"
    return Choice(shape, kind, _loss(config) if config.family in LOSSES else "")


def _shown(library: Library, runs: list[Overview], choice: Choice) -> str | None:
    """The run to be shown: the one in the address while it has no configuration yet, else the first that is about the choice."""
    if choice.shape == "drawn" and st.session_state.get(ANOTHER):
        return None
    name = asked(RUN)
    started = st.session_state.get("plane:started", (name, choice))  # what was started for another choice is not waited for
    if name is not None and started == (name, choice) and all(run.name != name for run in runs):
        with suppress(LabError):  # one that has gone, or is none
            if overview(library, name).config is None:
                return name
    return next((run.name for run in runs if _about(run.config) == choice), None)


def _draw_another() -> None:
    st.session_state[ANOTHER] = True


def _config(choice: Choice) -> Config:
    """The preset with this loss and, of a GAN, the penalties that are chosen."""
    config = preset(f"point-{choice.kind}")
    config = config.replace(**{"train.loss" if choice.kind == "gan" else "model.likelihood": choice.loss})
    if choice.kind == "gan":
        with st.popover(say("studio.plane.penalties")):
            fields = {one.name: one for one in all_fields(config)}
            names = [f"train.{name}" for name in PENALTIES]
            values = {name: widget(fields[name], config.values()[name], config.values()[name], "plane") for name in names}
        config = config.replace(**values)
    return config if choice.shape == "drawn" else config.replace(**{"data.spec": choice.shape})


def _mixture(choice: Choice) -> dict[str, Any] | None:
    mixture = SOURCES[choice.shape].mixture if choice.shape in SOURCES else None
    return None if mixture is None else {"centres": mixture.centres, "deviation": mixture.deviation}


def _real(config: Config) -> dict[str, Any]:
    """Real points before there is a run, as its plane.bin will show some."""
    points = datasets.preview(config.data).images
    return {"box": list(box_of(points)), "real": points[:400].ravel().tolist()}


def _pad(before: Overview | None) -> NDArray[np.float32]:
    """A shape drawn with the pointer, [N, 2], at first the one before: what the browser gives is taken for nothing but numbers."""
    if "plane:points" not in st.session_state:
        st.session_state["plane:points"] = [] if before is None else _points_of(before).ravel().tolist()
    given = parts.pad(st.session_state["plane:points"])
    flat = np.array([value for value in given[: 2 * MOST] if isinstance(value, int | float)], np.float32)
    points = np.clip(np.nan_to_num(flat[: len(flat) // 2 * 2]), -REACH, REACH)
    st.session_state["plane:points"] = points.tolist()
    return points.reshape(-1, 2)


def _points_of(run: Overview) -> NDArray[np.float32]:
    assert run.config is not None  # noqa: S101 - a fault of ours
    path = parse(run.config.data.spec).path
    return np.zeros((0, 2), np.float32) if path is None or not path.is_file() else np.asarray(read_points(path)[0], np.float32)


def _train(library: Library, runs: list[Overview], choice: Choice, config: Config, points: NDArray[np.float32] | None) -> None:
    """Train in a process of its own. What was started here before and still trains is stopped: cores are few."""
    if choice.shape == "drawn":
        if points is None:  # of the run that is shown, or that loads: what was drawn last, else what such a run learned from
            drawn = np.array(st.session_state.get("plane:points", []), np.float32).reshape(-1, 2)
            alike = next((run for run in runs if _about(run.config) == choice), None)
            points = drawn if len(drawn) or alike is None else _points_of(alike)
        config = _of_drawn(library, config, points)
        datasets.preview(config.data)  # which refuses what no run could learn from
    for before in {asked(RUN) or "", *(run.name for run in runs if run.live)}:  # the first also while it loads
        with suppress(LabError):  # it has gone
            if before.startswith(f"{FOLDER}/") and is_own(library, before):
                stop(library, before)
    name = train(library, config, FOLDER)
    st.session_state["plane:started"] = name, choice
    put({RUN: name, "shape": choice.shape, "kind": choice.kind, "loss": choice.loss})
    st.session_state.pop(ANOTHER, None)


def _of_drawn(library: Library, config: Config, points: NDArray[np.float32]) -> Config:
    """The configuration with drawn points, in a file that is named by them; as many steps as a mixture's, evaluated as seldom."""
    path, packed = library.own / "points" / f"drawn-{hashlib.sha256(points.tobytes()).hexdigest()[:16]}.npz", io.BytesIO()
    np.savez(packed, points=points)
    replace_bytes(path, packed.getvalue())
    longer = DRAWN / max(1, 0.8 * len(points))  # a pass over a mixture is so many of them
    steps = round(config.train.epochs * DRAWN / estimate.images_per_step(config))
    return config.replace(
        **{"data.spec": f"points:{path}", "train.steps": steps, "train.evaluate_epochs": config.train.evaluate_epochs * longer}
    )


def _ask(name: str | None, action: str) -> None:
    """Hand on what a button of the stage asks for; a phase by hand holds the run first."""
    if name is None:
        return
    attempt(REFUSED, lambda: stop(here(), name) if action == "stop" else _request(here().open(name), action))


def _request(folder: RunFolder, action: str) -> None:
    if action == "phase" and folder.status().get("mode") != "paused":
        folder.request("pause")
    folder.request(action)

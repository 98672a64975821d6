"""Explore's part Generate: new images from any trained run, by seed, with truncation, to look at and to take away."""

from __future__ import annotations

import io
import json
import math
import re
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from latentlab.base.errors import LabError
from latentlab.base.images import Images, as_arrays, as_png, grid, is_point, to_pil
from latentlab.base.texts import number
from latentlab.config.networks import classes_of
from latentlab.lab.pool import spawn
from latentlab.models.sampling import Prior, drawn_classes
from latentlab.runs.checkpoints import stamp
from latentlab.show.figures.plane import scatter_png
from latentlab.studio import parts
from latentlab.studio.overview import Overview
from latentlab.studio.state import asked, chosen, lang, plain, say, told
from latentlab.studio.views import one_trained

MOST = 400
MOST_PILLS = 20  # classes that stand side by side
SHARPEST, WIDEST = 0.2, 3.0  # truncation, in standard deviations
PIXELS = 1000  # so wide the grid is shown, enlarged by whole pixels
SEED = "seed"  # of the address
DEADLINE_SECONDS = 300.0  # of one question to the sampler: others wait for it
IDLE_SECONDS = 600.0  # then its process is ended; the next question starts another

Answer = tuple[dict[str, Any], Images]  # what the sampler tells, and images uint8 [N, H, W, C] or points float32 [N, 1, 1, 2]


def draw() -> None:
    """The part."""
    run = one_trained("generate")
    if run is None:
        return
    sampler().warm()
    count, seed, prior, truncation = _settings(run)
    label = _label(run)
    try:
        with parts.waiting(say("studio.generate.drawing"), "grid"):
            # By the checkpoint too: another run may get the same name and come to the same step.
            images = _drawn(run.path, stamp(run.folder.checkpoints), count, seed, prior, truncation, label)
    except LabError as error:
        st.error(plain(told(error)), icon=":material/error:")
        return
    _show(run, images, seed, truncation, label)


def _settings(run: Overview) -> tuple[int, int, Prior, float | None]:
    """How many, which seed, from which prior, how far out."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.number_input(
            say("studio.generate.count"), min_value=1, max_value=MOST, value=64, key="generate:count", width=170,
            help=say("studio.generate.count.help"),
        )  # fmt: skip
        field = partial(
            st.number_input, say("studio.generate.seed"), min_value=0, max_value=2**31 - 1, width=190,
            help=say("studio.generate.seed.help"),
        )  # fmt: skip
        seed = chosen("generate:seed", SEED, None, 0, field, seed_asked, lambda seed: {SEED: str(seed) if seed else None})
        st.button(say("studio.generate.next"), icon=":material/casino:", key="generate:next", on_click=_next_seed)
    prior: Prior = "standard"
    if run.config is not None and run.config.family != "gan" and (run.path / "latents.npz").is_file():
        names: tuple[Prior, ...] = ("standard", "gmm") if run.config.family == "ae" else get_args(Prior)
        prior = st.segmented_control(
            say("studio.generate.prior"), names, default="standard", required=True, key="generate:prior",
            format_func=lambda name: say(f"studio.generate.prior.{name}.{'ae' if run.config and run.config.family == 'ae' else 'vae'}"),
            help=say("studio.generate.prior.help"),
        )  # fmt: skip
    truncation = None
    if prior != "gmm":
        with st.container(horizontal=True, vertical_alignment="center"):
            cut = st.toggle(say("studio.generate.truncate"), key="generate:truncate", help=say("studio.generate.truncate.help"))
            if cut:
                truncation = st.slider(
                    say("studio.generate.truncation"), SHARPEST, WIDEST, 1.0, 0.05, key="generate:truncation", width=420, format="%.2f"
                )  # fmt: skip
    return int(count), int(seed), prior, truncation


def _label(run: Overview) -> int | None:
    """Which class a class-conditional run draws; None for classes in the training images' shares, and where there are none to choose."""
    names = _names(run)
    if run.config is None or not classes_of(run.config.model):
        return None
    settings: dict[str, Any] = {"format_func": lambda label: plain(str(names[label])), "help": say("studio.generate.label.help")}
    many: dict[str, Any] = {"index": None, "placeholder": say("studio.generate.label.any")}
    asks = st.pills if len(names) <= MOST_PILLS else partial(st.selectbox, **many)
    label: int | None = asks(say("studio.generate.label"), range(len(names)), key="generate:label", **settings)
    return label


def _labels(run: Overview, count: int, seed: int, label: int | None) -> NDArray[np.int64] | None:
    """The classes of what is drawn, [count]; None for a run that is given none."""
    if run.config is None or not classes_of(run.config.model):
        return None
    return drawn_classes(count, seed, run.folder.environment().get("class_shares")) if label is None else np.full(count, label)


def _names(run: Overview) -> Sequence[str]:
    """The names of the classes."""
    return run.folder.environment().get("class_names") or ()


def seed_asked() -> int | None:
    """The seed of the address."""
    given = asked(SEED) or ""
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else None


def _next_seed() -> None:
    st.session_state["generate:seed"] = (st.session_state["generate:seed"] + 1) % 2**31


@st.cache_data(max_entries=32, show_spinner=False)
def _drawn(
    path: Path, checkpoint: tuple[str, int, int], count: int, seed: int, prior: Prior, truncation: float | None, label: int | None
) -> Images:
    return sampler().draw(path, count, seed, prior, truncation, label)


def _show(run: Overview, images: Images, seed: int, truncation: float | None, label: int | None) -> None:
    """The grid, or the scatter of points, and the two files."""
    shown: Any
    if is_point(images.shape[1:]):
        shown = picture = scatter_png(images)
    else:
        sheet = np.asarray(grid(images))
        scale, picture = max(1, PIXELS // sheet.shape[1]), as_png(to_pil(sheet, zoom=2))  # as `latentlab sample` writes it
        shown = sheet.repeat(scale, 0).repeat(scale, 1)
        shown = shown[..., 0] if shown.shape[-1] == 1 else shown
    said = say("studio.generate.alt", n=number(len(images), lang()), run=run.name, seed=seed, step=number(run.step, lang()))
    stem = f"{re.sub('[/:]', '-', run.name)}-seed-{seed}" + (f"-truncation-{truncation:g}" if truncation else "")
    if label is not None:
        stem += f"-class-{label}"
        said = say("studio.generate.alt.class", images=said, name=str(_names(run)[label]))
    with st.container(horizontal=True):
        _download("png", picture, f"{stem}.png", "image/png", ":material/image:")
        _download(
            "npz",
            npz_bytes(images, _labels(run, len(images), seed, label)),
            f"{stem}.npz",
            "application/octet-stream",
            ":material/data_array:",
        )
    st.image(shown, alt=said, caption=plain(said), width="content", output_format="PNG")  # as JPEG its pixels would be others


def _download(kind: str, content: bytes, name: str, mime: str, icon: str) -> None:
    st.download_button(
        say(f"studio.generate.download.{kind}"), content, name, mime, icon=icon, key=f"generate:{kind}", on_click="ignore",
        help=say(f"studio.generate.download.{kind}.help"),
    )  # fmt: skip


def npz_bytes(images: Images, labels: NDArray[np.int64] | None) -> bytes:
    """Images or points, and their classes if they were drawn of some, as `latentlab sample --out FILE.npz` writes them."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **as_arrays(images), **({} if labels is None else {"labels": labels}))  # type: ignore[arg-type]
    return buffer.getvalue()


# The networks are in a process of their own, because the page loads no torch; it is kept for a while.


@st.cache_resource
def sampler() -> Sampler:
    """The one process that draws for every reader."""
    return Sampler()


class Sampler:
    """The process that draws. One question at a time, whoever asks."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.timer: threading.Timer | None = None

    def draw(
        self, run: Path, count: int, seed: int, prior: Prior = "standard", truncation: float | None = None, label: int | None = None
    ) -> Images:
        """`count` images uint8 [count, H, W, C], those of `latentlab sample`. Raises LabError as it does."""
        return self.ask(run, count=count, seed=seed, prior=prior, truncation=truncation, label=label)[1]

    def ask(self, run: Path, **question: Any) -> Answer:
        """What the process says of a run (`latentlab.cli.draw` tells which questions there are). Raises LabError where it refuses."""
        with self.lock:
            answer = self._ask({"run": str(run), **question})
            self._rest()
        if "refused" in answer[0]:
            raise LabError(str(answer[0]["refused"]))
        return answer

    def warm(self) -> None:
        """Start the process, so that the first question need not wait for torch."""
        with self.lock:
            self._started()
            self._rest()

    def close(self) -> None:
        """End the process."""
        with self.lock:
            self._end()

    def _ask(self, question: dict[str, Any]) -> Answer:
        for _ in range(2):  # a process that has been killed since is replaced once
            process = self._started()
            began = time.monotonic()
            late = threading.Timer(DEADLINE_SECONDS, process.kill)
            late.daemon = True  # Ctrl-C does not wait for it
            late.start()
            try:
                return _answer(process, question)
            except (OSError, ValueError, KeyError):
                self._end()
                if time.monotonic() - began >= DEADLINE_SECONDS:
                    words = f"the samples took more than {DEADLINE_SECONDS:.0f} seconds. Ask for fewer, or use `latentlab sample`."
                    raise LabError(words) from None
            finally:
                late.cancel()
        raise LabError("the process that draws samples ended twice without an answer. `latentlab sample` on the command line says why.")

    def _started(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.process.poll() is not None:
            self._end()
            command = [sys.executable, "-m", "latentlab.cli.draw"]  # it ends when its stdin does
            self.process = spawn(command, 1, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self.process

    def _rest(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer = threading.Timer(IDLE_SECONDS, self.close)
        self.timer.daemon = True
        self.timer.start()

    def _end(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    pass  # what was asked last is lost with the process
        process.terminate()
        process.wait()


def _answer(process: subprocess.Popen[bytes], question: dict[str, Any]) -> Answer:
    """What a process says to a question. Raises OSError, ValueError or KeyError when it ends instead."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process was started without pipes")
    process.stdin.write(json.dumps(question).encode() + b"\n")
    process.stdin.flush()
    head = json.loads(process.stdout.readline())
    if "refused" in head:
        return head, np.zeros((0, 1, 1, 1), np.uint8)
    kind: Any = np.dtype(head["type"])
    content = process.stdout.read(math.prod(head["shape"]) * kind.itemsize)
    return head, np.frombuffer(content, kind).reshape(head["shape"])

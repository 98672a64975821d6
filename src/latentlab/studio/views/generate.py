"""The page Generate: new images from any trained run, by seed, with truncation, to look at and to take away."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.images import Images, grid, to_pil
from latentlab.base.texts import number
from latentlab.runs.checkpoints import stamp as checkpoint_stamp
from latentlab.studio.overview import Overview
from latentlab.studio.sampler import Prior, Sampler
from latentlab.studio.state import asked, put
from latentlab.studio.views import one_trained
from latentlab.studio.words import lang, plain, say

MOST = 400
SHARPEST, WIDEST = 0.2, 3.0  # truncation, in standard deviations
PIXELS = 1000  # so wide the grid is shown, enlarged by whole pixels


def draw() -> None:
    """The page."""
    st.title(say("studio.generate.title"), anchor=False)
    found = one_trained("generate", say("studio.generate.run"))
    if found is None:
        return
    sampler().warm()
    count, seed, prior, truncation = _settings(found)
    try:
        with st.spinner(say("studio.generate.drawing"), show_time=False):
            images = _drawn(found.path, _stamp(found), count, seed, prior, truncation)
    except LabError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    _show(found, images, seed, truncation)


@st.cache_resource
def sampler() -> Sampler:
    """The one process that draws for every reader."""
    return Sampler()


def _settings(found: Overview) -> tuple[int, int, Prior, float | None]:
    """How many, which seed, from which prior, how far out."""
    given = asked("seed") or ""
    first = int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else 0
    if st.session_state.get("generate:seed:asked") != given or "generate:seed" not in st.session_state:
        st.session_state["generate:seed"] = first
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = st.number_input(
            say("studio.generate.count"),
            min_value=1,
            max_value=MOST,
            value=64,
            key="generate:count",
            width=170,
            help=say("studio.generate.count.help"),
        )
        seed = st.number_input(
            say("studio.generate.seed"),
            min_value=0,
            max_value=2**31 - 1,
            key="generate:seed",
            width=190,
            help=say("studio.generate.seed.help"),
        )
        st.button(say("studio.generate.next"), icon=":material/casino:", key="generate:next", on_click=_next_seed)
    if seed != first:
        put({"seed": str(seed) if seed else None})
    st.session_state["generate:seed:asked"] = asked("seed") or ""
    prior: Prior = "standard"
    if found.config is not None and found.config.family != "gan" and (found.path / "latents.npz").is_file():
        names: tuple[Prior, ...] = ("standard", "gmm")
        prior = st.segmented_control(
            say("studio.generate.prior"), names, default="standard", required=True, key="generate:prior",
            format_func=lambda name: say(f"studio.generate.prior.{name}.{'ae' if found.config and found.config.family == 'ae' else 'vae'}"),
            help=say("studio.generate.prior.help"),
        )  # fmt: skip
    truncation = None
    if prior == "standard":
        with st.container(horizontal=True, vertical_alignment="center"):
            cut = st.toggle(say("studio.generate.truncate"), key="generate:truncate", help=say("studio.generate.truncate.help"))
            if cut:
                truncation = st.slider(
                    say("studio.generate.truncation"), SHARPEST, WIDEST, 1.0, 0.05, key="generate:truncation", width=420, format="%.2f"
                )  # fmt: skip
    return int(count), int(seed), prior, truncation


def _next_seed() -> None:
    st.session_state["generate:seed"] = (st.session_state["generate:seed"] + 1) % 2**31


def _stamp(found: Overview) -> tuple[str, int, int]:
    """The checkpoint that is drawn from: another run may get the same name and come to the same step."""
    return checkpoint_stamp(found.folder.checkpoints)


@st.cache_data(max_entries=32, show_spinner=False)
def _drawn(path: Path, stamp: tuple[str, int, int], count: int, seed: int, prior: Prior, truncation: float | None) -> Images:
    return sampler().draw(path, count, seed, prior, truncation)


def _show(found: Overview, images: Images, seed: int, truncation: float | None) -> None:
    """The grid, and the two files."""
    sheet = np.asarray(grid(images))
    scale = max(1, PIXELS // sheet.shape[1])
    shown = sheet.repeat(scale, 0).repeat(scale, 1)
    said = say("studio.generate.alt", n=number(len(images), lang()), run=found.name, seed=seed, step=number(found.step, lang()))
    stem = f"{found.name.replace('/', '-')}-seed-{seed}" + (f"-truncation-{truncation:g}" if truncation else "")
    with st.container(horizontal=True):
        _download("png", png_bytes(sheet), f"{stem}.png", "image/png", ":material/image:")
        _download("npz", npz_bytes(images), f"{stem}.npz", "application/octet-stream", ":material/data_array:")
    shown = shown[..., 0] if shown.shape[-1] == 1 else shown
    st.image(shown, alt=said, caption=plain(said), width="content", output_format="PNG")  # as JPEG its pixels would be others


def _download(kind: str, content: bytes, name: str, mime: str, icon: str) -> None:
    st.download_button(
        say(f"studio.generate.download.{kind}"), content, name, mime, icon=icon, key=f"generate:{kind}", on_click="ignore",
        help=say(f"studio.generate.download.{kind}.help"),
    )  # fmt: skip


def png_bytes(sheet: Any) -> bytes:
    """A grid [H, W, C] as `latentlab sample --out FILE.png` writes it."""
    buffer = io.BytesIO()
    to_pil(sheet, zoom=2).save(buffer, "PNG")
    return buffer.getvalue()


def npz_bytes(images: Images) -> bytes:
    """Images as `latentlab sample --out FILE.npz` writes them: `images` uint8 [N, H, W, C]."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=images)
    return buffer.getvalue()

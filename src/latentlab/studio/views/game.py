"""Explore's part *Which are fake?*: twenty images, half of them held out and half a GAN's, told apart by the reader and by its
discriminator. Which are which comes to the page with the answer, and both scores are kept for each reader.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from latentlab.base.errors import LabError
from latentlab.base.files import lock, read_json_or_nothing, replace_json
from latentlab.base.images import Images, as_png, data_uri, is_point, to_pil
from latentlab.base.texts import catalogue
from latentlab.runs.checkpoints import stamp
from latentlab.studio import parts
from latentlab.studio.library import Library, here
from latentlab.studio.overview import Overview
from latentlab.studio.state import attempt, lang, plain, put, say, say_refused, told
from latentlab.studio.views import one_trained
from latentlab.studio.views.generate import SEED, sampler, seed_asked

IMAGES = 20
KEPT = 100  # games of a reader
PATIENCE = 10.0  # with another tab that keeps one
WORDS = ("ask", "image", "answer", "fake", "real", "right", "wrong", "agreed", "mistaken", "score", "marks", "total")
_FORM = {"games": [{"run": str, "checkpoint": str, "seed": int, "fakes": [int], "reader": int, "network": int, "count": int}]}


def draw() -> None:
    """The part."""
    run = one_trained("game", judged)
    if run is None:
        return
    library, seed, checkpoint = here(), seed_asked() or 0, stamp(run.folder.checkpoints)
    try:
        with parts.waiting(say("studio.generate.drawing"), "game"):
            images, real, guessed = _mixed(run.path, checkpoint, seed)
    except LabError as error:
        st.error(plain(told(error)), icon=":material/error:")
        return
    about = {"run": run.name, "checkpoint": " ".join(map(str, checkpoint)), "seed": seed}
    games = _games(library)
    game = next((game for game in games if about.items() <= game.items()), None)
    words = {name: catalogue(lang())[f"studio.game.{name}"] for name in WORDS} | {"named": parts.named()}
    data: dict[str, Any] = {"sheet": _sheet(images), "count": len(images), "words": words}
    if game is not None:
        sums = {name: sum(one[own] for one in games) for name, own in (("reader", "reader"), ("network", "network"), ("of", "count"))}
        data |= {
            "fakes": game["fakes"],
            "real": real,
            "guessed": guessed,
            "total": sums | {"games": len(games)},
        }
    answer = parts.game(data, key=f"game:{run.name}:{seed}").answer
    if answer is not None and game is None:
        fakes = sorted({int(image) for image in answer})
        right = sum(one != (image in fakes) for image, one in enumerate(real))
        network = sum(one == taken for one, taken in zip(real, guessed, strict=True))
        played = about | {"fakes": fakes, "reader": right, "network": network, "count": len(real)}
        if attempt("game:refused", lambda: _keep(library, played)):
            st.rerun()
    say_refused("game:refused")
    st.button(say("studio.game.next"), icon=":material/casino:", key="game:next", on_click=lambda: put({SEED: str((seed + 1) % 2**31)}))


def judged(run: Overview) -> bool:
    """Whether a run has a discriminator of images."""
    config = run.config
    judges = config is not None and (config.family == "gan" or bool(getattr(config.model, "discriminator_channels", ())))
    return judges and not is_point(run.folder.environment()["image_shape"])


@st.cache_data(max_entries=16, show_spinner=False)
def _mixed(path: Path, checkpoint: tuple[str, int, int], seed: int) -> tuple[Images, list[bool], list[bool]]:
    """The images, which are real, which the discriminator takes for real."""
    about, images = sampler().ask(path, count=IMAGES, seed=seed, game=True)
    return images, about["real"], about["guessed"]


def _sheet(images: Images) -> str:
    """The images beside each other, as an address that holds them."""
    return data_uri(as_png(to_pil(np.concatenate(list(images), axis=1))), "image/png")


# Every reader's games: RUNS/.studio/game.json, or game-READER.json where the studio is shared.


def _file(library: Library) -> Path:
    return library.own / f"game{library.mine}.json"


def _games(library: Library) -> list[dict[str, Any]]:
    """The games that were played, the oldest first."""
    games: list[dict[str, Any]] = read_json_or_nothing(_file(library), _FORM).get("games", [])
    return games


def _keep(library: Library, game: dict[str, Any]) -> None:
    """Add a game."""
    library.own.mkdir(parents=True, exist_ok=True)
    with lock(_file(library).with_suffix(".lock"), PATIENCE, "another tab keeps a game.", without=True):
        replace_json(_file(library), {"games": [*_games(library), game][-KEPT:]})

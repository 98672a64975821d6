"""What the page of a run is told while it trains, without a rerun: what there is of each step, codes in one plane, scores, networks.

Axes: F steps, N held-out images, Z latent units, J judged images, G of them with a gradient.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.base.errors import LabError
from latentlab.config import GAMES
from latentlab.runs import checkpoints
from latentlab.runs.folder import HALF, RunFolder
from latentlab.runs.forms import read_moment
from latentlab.show.explorer import embed, pack_network
from latentlab.show.explorer.codes import sprite, widest_plane, written
from latentlab.show.figures.records import class_names, image_shape
from latentlab.studio.overview import LIVE

SECONDS = {"rest": 3.0, "fast": 1.0, "held": 0.5}  # between two questions of a page
CHANGES = (255, 176, 0), (64, 156, 255)  # brighter, darker: on black
_read = lru_cache(512)(lambda path, written_at: read_moment(path))


def now(folder: RunFolder, after: str) -> dict[str, Any] | None:
    """What there is of a run at this moment; None where that is what `after`, the stamp of an answer, stands for."""
    status, frames = folder.status(), folder.pictures("moments")
    half = status.get("half") or {}
    live = status.get("state") in LIVE
    pace = ("fast" if status.get("mode") == "fast" else "held") if live else "rest"
    kept = {kind: [step for step, _ in folder.pictures(kind)] for kind in ("samples", "reconstructions")}
    newest = frames[-1][1].stat().st_mtime_ns if frames else 0
    stamp = f"{pace} {newest} {kept['samples'][-1:]} {half.get('step')} {half.get('phase')}"
    if stamp == after:
        return None
    arrays = [_read(path, path.stat().st_mtime_ns) for _, path in frames]
    own = {} if not arrays else _codes(folder, arrays) if "mean" in arrays[0] else _scores(folder, arrays, half)
    return {"stamp": stamp, "seconds": SECONDS[pace], "pictures": kept, "steps": [step for step, _ in frames], **own}


def _codes(folder: RunFolder, arrays: Sequence[dict[str, NDArray[Any]]]) -> dict[str, Any]:
    """Where the codes of all steps lie in the plane of the newest, int16 [F, N, 2], of a VAE with their deviations, [F, N, 3]."""
    mean = np.nan_to_num(np.stack([each["mean"] for each in arrays]).astype(np.float64), posinf=0, neginf=0)  # [F, N, Z]
    axes = widest_plane(mean[-1])  # [2, Z]
    places = [mean @ axes.T]
    if "std" in arrays[0]:
        squares = np.square(np.stack([each["std"] for each in arrays]).astype(np.float64))
        places.append(np.sqrt(squares @ np.square(axes).T).mean(2, keepdims=True))
    values = np.concatenate(places, 2)
    scale = float(np.abs(values).max() or 1.0) / 32_767
    label = arrays[-1].get("label")
    return {
        "codes": written((values / scale).round().astype(np.int16)),
        "scale": scale,
        "turns": mean.shape[2] > 2,  # no axis of the plane comes before the other
        "shape": values.shape,
        "labels": None if label is None else label.tolist(),
        "classes": class_names(folder),
    }


def _scores(folder: RunFolder, arrays: Sequence[dict[str, NDArray[Any]]], half: dict[str, Any]) -> dict[str, Any]:
    """The discriminator's scores at each step, 0 where it cannot tell; and of the last half step, with its images."""
    game = GAMES[folder.config().train.loss]  # type: ignore[union-attr]

    def levelled(real: NDArray[Any], made: NDArray[Any]) -> dict[str, Any]:
        middle = (real.mean() + made.mean()) / 2 if game.paired or not game.bounded else 0.0  # only differences mean anything there
        return {"real": np.nan_to_num(real - middle).tolist(), "made": np.nan_to_num(made - middle).tolist()}

    told: dict[str, Any] = {"scores": [levelled(each["real"], each["made"]) for each in arrays], "shape": image_shape(folder), "half": None}
    try:
        done = read_moment(folder.path / HALF) if half else {}
    except LabError:  # a run that is older, or is writing it for the first time
        done = {}
    if done and (int(done["step"]), str(done["phase"])) == (half["step"], half["phase"]):
        images = sprite(done["images"].reshape(-1, *done["images"].shape[2:]), shades=256)
        uri = "data:image/png;base64," + base64.b64encode(change(done["gradient"])).decode()
        scores = [levelled(*pair) for pair in zip(done["real"], done["made"], strict=True)]
        told["half"] = {"step": half["step"], "phase": half["phase"], "scores": scores, "images": images, "change": uri}
    return told


def change(gradient: NDArray[np.int8]) -> bytes:
    """PNG: where images should become brighter and where darker, int8 [G, H, W, C] side by side over nothing."""
    signed = gradient.astype(np.float64).mean(3)
    size = np.abs(signed) / (np.abs(signed).max() or 1.0)
    colours = np.where(signed[..., None] > 0, *map(np.array, CHANGES))
    shown = np.concatenate([*np.concatenate([colours, 255 * size[..., None]], 3)], 1).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(shown, "RGBA").save(file, "PNG")
    return file.getvalue()


def networks(folder: RunFolder, after: str) -> dict[str, Any] | None:
    """The newest encoder and decoder of a run as the explorer takes them; None where those of the stamp `after` are the newest.

    A run that trains is asked for them as they are now, which come some seconds later.
    """
    if live := folder.status().get("state") in LIVE:
        folder.ask_live()
    stamp = f"{checkpoints.stamp(folder.checkpoints)} {checkpoints.stamp(folder.live)}"
    if stamp == after:
        return None
    kept = checkpoints.sampled(folder, lambda text: None)
    newest = max([kept, *checkpoints.listed(folder.live)], key=lambda path: checkpoints.step_of(path) or 0)
    config, step = folder.config(), checkpoints.step_of(newest)
    packed = {name: embed(pack_network(folder, of, "fp16", newest)) for name, of in (("network", None), ("encoder", "encoder"))}
    about = {"name": folder.name, "kind": config.kind, "label": None, "latent": config.model.latent_dim, "codes_of": None, "without": None}
    names, nothing = class_names(folder), dict.fromkeys(("image", "a", "b", "other"))
    content: dict[str, Any] = {"models": [about | packed], "maps": {}, "numbers": None, "thumbnails": None, "start": nothing}
    content |= {"labels": [] if names else None, "class_names": names, "shape": image_shape(folder)}
    return {"stamp": stamp, "seconds": SECONDS["fast" if live else "rest"], "step": step, "content": content}

"""What the page of a run asks for by itself: what there is of each step, codes in one plane, scores; and its newest networks.

Axes: F steps, N held-out images, Z latent units, J judged images, G of them with a gradient.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.base.images import as_png, data_uri, grid, to_pil
from latentlab.config import GAMES
from latentlab.runs import checkpoints
from latentlab.runs.folder import ASKED, HALF, Lent, RunFolder
from latentlab.runs.forms import read_arrays
from latentlab.show.explorer.codes import sprite, widest_plane, written
from latentlab.show.explorer.content import explorer_content
from latentlab.show.figures.records import cells, class_names, image_shape
from latentlab.studio.overview import LIVE

SECONDS = {"rest": 3.0, "fast": 1.0, "held": 0.5}  # between two questions of a page
BRIGHTER, DARKER = (255, 176, 0), (64, 156, 255)  # on black
KEPT = 4  # runs whose networks are in memory, some MB each
Frames = list[dict[str, NDArray[Any]]]
_lock = threading.Lock()
_read = lru_cache(512)(lambda path, written_at: read_arrays(path))


def now(folder: RunFolder, after: str) -> dict[str, Any] | None:
    """What there is of a run at this moment; None where that is what `after`, the stamp of an answer, stands for."""
    status, kept = folder.status(), {kind: folder.pictures(kind) for kind in ("samples", "reconstructions", "moments")}
    half = status.get("half") or {}
    pace = "rest" if status.get("state") not in LIVE else "fast" if status.get("mode") == "fast" else "held"
    stamp = f"{pace} {half.get('step')} {half.get('phase')} " + " ".join(f"{path.stat().st_mtime_ns}" for _, path in kept["moments"][-1:])
    if stamp == after:
        return None
    frames = [_read(path, path.stat().st_mtime_ns) for _, path in kept["moments"]]
    own = {} if not frames else _codes(folder, frames) if "mean" in frames[0] else _scores(folder, frames, half)
    steps = {kind: [step for step, _ in files] for kind, files in kept.items()}
    return {"stamp": stamp, "seconds": SECONDS[pace], "slow": status.get("mode") == "slow", "steps": steps} | own


def _codes(folder: RunFolder, frames: Frames) -> dict[str, Any]:
    """Where the codes of all steps lie in the plane of the newest, int16 [F, N, 2], of a VAE with their deviations, [F, N, 3]."""
    mean = np.nan_to_num(np.stack([each["mean"] for each in frames]).astype(np.float64), posinf=0, neginf=0)  # [F, N, Z]
    axes = widest_plane(mean[-1])  # [2, Z]
    values = mean @ axes.T
    if "std" in frames[0]:
        squares = np.square(np.stack([each["std"] for each in frames]).astype(np.float64))
        values = np.concatenate([values, np.sqrt(squares @ np.square(axes).T).mean(2, keepdims=True)], 2)
    scale = float(np.abs(values).max() or 1.0) / 32_767
    codes = {"codes": written((values / scale).round().astype(np.int16)), "scale": scale, "shape": values.shape}
    turns = mean.shape[2] > 2  # no axis of the plane comes before the other
    return codes | {"labels": frames[-1].get("label", np.array([])).tolist(), "classes": class_names(folder), "turns": turns}


def _scores(folder: RunFolder, frames: Frames, half: dict[str, Any]) -> dict[str, Any]:
    """The discriminator's scores at each step, 0 where it cannot tell; and those of the last half step, with its images."""
    train: Any = folder.config().train  # of a GAN
    level = GAMES[train.loss].threshold(train.label_smoothing)

    def levelled(*scores: NDArray[Any]) -> dict[str, list[float]]:
        middle = sum(each.mean() for each in scores) / 2 if level is None else level
        return {name: np.nan_to_num(each - middle).tolist() for name, each in zip(("real", "made"), scores, strict=True)}

    told: dict[str, Any] = {"scores": [levelled(each["real"], each["made"]) for each in frames], "shape": image_shape(folder)}
    told |= {"reals": sprite(frames[0]["images"], 256)} if "images" in frames[0] else {}
    done = read_arrays(folder.path / HALF) if half and (folder.path / HALF).exists() else {}
    if not done or (int(done["step"]), str(done["phase"])) != (half["step"], half["phase"]):
        return told
    images = sprite(done["images"].reshape(-1, *told["shape"]), 256)
    scores = [levelled(*pair) for pair in zip(done["real"], done["made"], strict=True)]
    return told | {"half": half | {"scores": scores, "images": images, "change": data_uri(change(done["gradient"]), "image/png")}}


def change(gradient: NDArray[np.int8]) -> bytes:
    """PNG: where images should become brighter and where darker, int8 [G, H, W, C] side by side over nothing."""
    signed = gradient.astype(np.float64).mean(3)[..., None]
    colours = np.where(signed > 0, np.array(BRIGHTER), np.array(DARKER))
    shown = np.concatenate([colours, 255 * np.abs(signed) / (np.abs(signed).max() or 1.0)], 3).astype(np.uint8)
    return as_png(Image.fromarray(np.concatenate([*shown], 1), "RGBA"))


def tiles(folder: RunFolder, path: Path) -> bytes:
    """PNG: the first four of the newest samples, two by two; of points the picture at `path` as it is."""
    if not len(some := cells(folder, "samples")[:4]):
        return path.read_bytes()
    return as_png(to_pil(grid(some, 2)))


def _newest(checkpoint_folder: Path) -> int:
    return max((checkpoints.step_of(one) or 0 for one in checkpoints.listed(checkpoint_folder)), default=-1)


def networks(folder: RunFolder, after: str) -> dict[str, Any] | None:
    """The newest networks of a run for the pad; None where those of `after` are, or none were saved. One that trains is asked for newer."""
    if live := folder.status().get("state") in LIVE:
        with suppress(OSError):  # a folder that cannot be written: its checkpoints are looked at
            folder.live.mkdir(exist_ok=True)
            (folder.live / ASKED).touch()
    lent = Lent(folder.path) if _newest(folder.live) > _newest(folder.checkpoints) else folder  # a process that was killed leaves some
    stamp = f"{checkpoints.stamp(lent.checkpoints)}"
    if stamp == after or not checkpoints.listed(lent.checkpoints):  # a run that begins has none yet
        return None
    with _lock:  # one reader waits for what another lets be packed
        return {"stamp": stamp, "seconds": SECONDS["fast" if live else "rest"]} | _packed(lent, stamp)


@lru_cache(KEPT)
def _packed(lent: RunFolder, stamp: str) -> dict[str, Any]:
    """The networks of this stamp, for all readers."""
    content = explorer_content({lent.name: lent}, precision="fp16", encoders=True) | {"maps": {}}
    content |= {"labels": content["labels"] or ([] if class_names(lent) else None), "shape": image_shape(lent)}
    return {"step": checkpoints.step_of(checkpoints.sampled(lent, lambda text: None)), "content": content}

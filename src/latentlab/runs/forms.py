"""What each record of a run must hold: the one border that everything passes on its way from the disk. docs/run-folder.md has the words."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.base.errors import Damaged
from latentlab.base.files import read_json
from latentlab.base.shapes import Each, fits, is_amount, is_count, is_number, misfit

if TYPE_CHECKING:
    from numpy.typing import NDArray

STATES = ("starting", "running", "paused", "finished", "stopped", "failed")
SPLITS = ("train", "val", "test")

NUMBER = (is_number, None)  # null: not finite
TEXT = (str, None)


def is_state(value: Any) -> bool:
    """one of starting, running, paused, finished, stopped, failed"""
    return value in STATES


def is_split(value: Any) -> bool:
    """one of train, val, test"""
    return value in SPLITS


def is_image_shape(value: Any) -> bool:
    """[height, width, channels], integers of at least 1"""
    return fits(value, [is_count]) and len(value) == 3 and 0 not in value


def is_interval(value: Any) -> bool:
    """two numbers"""
    return fits(value, [NUMBER]) and len(value) == 2


ROW = {  # a line of metrics.jsonl
    "step": is_count, "epoch": is_amount, "images_seen": is_count, "seconds": is_amount, "split": is_split,
    "request?": {"action": str, "set?": Each(is_number)}, "failure?": str, "*": (is_number, None, str),
}  # fmt: skip
SCORE = {
    "value": NUMBER, "unit": str, "n": is_count, "stderr?": NUMBER, "ci95?": (None, is_interval), "floor?": NUMBER,
    "floor_ci95?": (None, is_interval), "note?": str, "k?": is_count, "effective_samples?": {"mean": NUMBER, "least": NUMBER},
    "pareto_k?": {"mean": NUMBER, "most": NUMBER, "threshold": is_number, "above": is_number},
}  # fmt: skip
SHARES = {"names": [str], "samples": [is_amount], "real": [is_amount], "n": is_count}
FINDING = {
    "key": str, "since_step": is_count, "evidence": Each(is_number), "sign?": str, "remedy?": str, "until_step?": is_count,
}  # fmt: skip
HALF = {"phase": str, "step": is_count, "after": Each(NUMBER), "*": NUMBER}  # what the last phase by hand did
MEASUREMENT = {
    "scores": Each(SCORE), "step?": (is_count, None), "split?": is_split, "n?": is_count, "samples?": is_count, "data?": str,
    "data_fingerprint?": str, "extractors?": Each({"sha256": str, "accuracy?": NUMBER, "note?": TEXT}), "class_shares?": (None, SHARES),
    "samples_per_second?": is_amount, "headline?": str, "left_out?": str,
}  # fmt: skip
RECORDS: dict[str, Any] = {
    "environment.json": {
        "data_fingerprint": TEXT, "image_shape": is_image_shape, "images": Each(is_count), "class_names?": (None, [str]),
        "parameters?": Each(is_count), "pair_distance?": NUMBER, "skipped?": [str], "threads?": is_count, "precision?": str,
        "watched_by?": {"identity": str, "sha256": str}, "notes?": [str],
    },
    "status.json": {
        "state": is_state, "step": is_count, "pid?": is_count, "message?": str, "diagnosis?": [FINDING], "mode?": str, "phase?": TEXT,
        "half?": (None, HALF), "settings?": Each(is_number), "taken?": TEXT, "refused?": TEXT, "sampled?": is_count,
    },
    "scores.json": MEASUREMENT | {"others?": [MEASUREMENT]},
    "notes.json": {"note?": str, "tags?": [str]},
}  # fmt: skip


def read_record(folder: Path, name: str) -> dict[str, Any]:
    """One of the records of a run by its file's name. Raises FileNotFoundError, and Damaged for one that is not what a run writes."""
    path = folder / name
    try:
        values = read_json(path)
    except FileNotFoundError:
        raise
    except (ValueError, OSError) as error:
        why = getattr(error, "strerror", None) or str(error).removeprefix(f"{path} ")
        raise Damaged(f"{path} is damaged: {why.rstrip('.')}. Restore it from a copy of the run.") from None
    if wrong := misfit(values, RECORDS[name]):
        where, must_be, got = wrong
        raise Damaged(f"{path} is damaged: {where} must be {must_be}. Got {repr(got)[:60]}. Restore it from a copy of the run.")
    return values


def read_latents(folder: Path) -> dict[str, NDArray[Any]] | None:
    """latents.npz as it is: mean [N, Z], index [N], of a VAE std [N, Z], of labelled images label [N].

    None before the run has finished and for a GAN. Raises Damaged for a file that is not of that form.
    """
    path = folder / "latents.npz"
    if not path.is_file():
        return None
    kinds = {"mean": "f8", "std": "f8", "label": "i8", "index": "i8"}
    try:
        arrays = {name: values.astype(kinds[name]) for name, values in _arrays(path).items() if name in kinds}
        count, size = arrays["mean"].shape
        expected = {"mean": (count, size), "std": (count, size), "label": (count,), "index": (count,)}
        wrong = [name for name in (*arrays, "index") if name not in arrays or arrays[name].shape != expected[name]]
    except Damaged:
        raise
    except Exception as error:  # what no whole .npz is, or one of something else, can raise anything
        raise damaged(path, type(error).__name__) from None
    if wrong:
        raise damaged(path, f"its array {wrong[0]} is missing or of another shape")
    return arrays


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a .npz file of a run, but for latents.npz. Raises Damaged."""
    try:
        return _arrays(path)
    except Damaged:
        raise
    except Exception as error:  # as above
        raise Damaged(f"{path} is damaged ({type(error).__name__}). Delete it to go without.") from None


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    import numpy as np  # here: what only lists runs answers without it

    with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
        if any(item.compress_type != zipfile.ZIP_STORED for item in file.zip.infolist()):
            raise damaged(path, "it is compressed, as no run writes it: unpacked it could fill the memory")
        return {name: file[name] for name in file.files}


def damaged(path: Path, why: str) -> Damaged:
    """What is said of latents.npz or thumbnails.png: a run writes both when it reaches its last step, and not before."""
    return Damaged(
        f"{path} is damaged ({why}). Restore it from a copy of the run, or delete it to go without, or train on, which writes "
        f"it anew: `latentlab resume {path.parent} --steps N` with a larger N."
    )

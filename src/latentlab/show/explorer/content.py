"""What the live explorer is given: the models' decoders, the codes of held-out images, their thumbnails. No torch.

The content has no language: a page that is there in two shares one. `explorer_words` are the texts beside it.

    models      [{name, kind, label, latent, network, codes_of, without}] in the order given, and `encoder` beside `network`
                where the explorer has a drawing pad and the model an encoder; `kind` is ae, vae, gan or
                gan-from-vae, `label` a name to show instead of the kind's, `codes_of` the model whose encoder gives this one
                its codes, `without` why it has none of the map's images: "encoder" (it has no encoder), "images" (its own are
                others), "codes" (its run folder holds none that can be read); null where it has
    maps        by name of a model with an encoder: {mean, std, planes, class_means}, the codes of N shared images
    labels, numbers, class_names, thumbnails, shape    of those N images; null where there are none
    start       what is shown first: rows of images `image`, `a`, `b`, and `other`, a class to turn the image into
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from latentlab.base.errors import LabError
from latentlab.base.images import Images
from latentlab.base.texts import catalogue
from latentlab.runs.folder import RunFolder
from latentlab.show.explorer import Precision, check_precision, embed, pack_network
from latentlab.show.explorer.points import (
    Doubles,
    Held,
    Whole,
    chosen,
    class_means,
    class_plane,
    labels_of,
    quantized,
    read_held,
    read_thumbnails,
    rows_of,
    share_of_variance,
    sprite,
    widest_plane,
    written,
)
from latentlab.show.figures.records import class_names, image_shape

MOST_IMAGES = 1_000
MOST_PIXELS = MOST_IMAGES * 28 * 28  # larger images: fewer of them
MOST_CODE_BYTES = MOST_IMAGES * 32 * 3  # more latent units, or more encoders: fewer images
_PREFIX = "explorer."

Say = Callable[[str], object]  # is told what is left out, and why: a line that begins with the run's name


def explorer_words(lang: str) -> dict[str, str]:
    """Every text of the explorer in a language, by its key without the prefix."""
    names = [key.removeprefix(_PREFIX) for key in catalogue(lang) if key.startswith(_PREFIX)]
    return {name: catalogue(lang)[f"explorer.{name}"] for name in names}


def explorer_content(
    folders: Mapping[str, RunFolder],
    labels: Mapping[str, str] | None = None,
    precision: Precision = "int8",
    say: Say = lambda words: None,
    encoders: bool = False,
) -> dict[str, Any]:
    """The content for these runs, as JSON can hold it. Raises LabError for a precision that there is not.

    A run without a whole checkpoint is left out, one with damaged codes has no map: `say` is told. Where no run is left,
    "models" is empty.

    `labels` are names to show in every language; without one a run is called by its kind, or by its name where two are
    of a kind. `precision` is that of the weights. With `encoders` the explorer has a pad to draw on, whose drawings they
    encode: the content is half as large again. An encoder whose held-out images are not those of the first one counts as
    none on the map: one picture could not show both.
    """
    check_precision(precision)
    networks = _networks(folders, precision, say, encoders)
    whole = {name: folders[name] for name in networks}
    kinds = {name: kind_of(folder) for name, folder in whole.items()}
    codes = _codes(whole, say)
    held = _alike(whole, codes)
    sources = {name: _source(name, whole, held) for name in whole}
    models = [
        {
            "name": name,
            "kind": kinds[name],
            "label": (labels or {}).get(name, name if list(kinds.values()).count(kinds[name]) > 1 else None),
            "latent": folder.config().model.latent_dim,
            "codes_of": sources[name],
            "without": None if sources[name] else _lack(folder, name in codes),
        }
        | networks[name]
        for name, folder in whole.items()
    ]
    return {"models": models, **_images(whole, held, say)}


def _networks(folders: Mapping[str, RunFolder], precision: Precision, say: Say, encoders: bool) -> dict[str, dict[str, Any]]:
    """{"network"}, the decoder or generator, of every run that has a whole checkpoint; and its "encoder", where it is asked for."""
    found: dict[str, dict[str, Any]] = {}
    for name, folder in folders.items():
        try:
            packed = {"network": embed(pack_network(folder, precision=precision))}
            if encoders and folder.config().family != "gan":
                packed["encoder"] = embed(pack_network(folder, "encoder", precision=precision))
        except LabError as error:
            say(f"{name} is not among the live models: {error}")
        else:
            found[name] = packed
    return found


def _codes(folders: Mapping[str, RunFolder], say: Say) -> dict[str, Held]:
    """The codes of every run that has some."""
    found: dict[str, Held] = {}
    for name, folder in folders.items():
        try:
            held = read_held(folder)
        except LabError as error:
            say(f"{name} has no latent map: {error}")
        else:
            found |= {} if held is None else {name: held}
    return found


def _source(name: str, folders: Mapping[str, RunFolder], held: Mapping[str, Held]) -> str | None:
    """The model whose encoder gives this one its codes."""
    return name if name in held else next((other for other in held if decoder_is_from(folders[name], folders[other])), None)


def _lack(folder: RunFolder, has_codes: bool) -> str:
    """Why a model has no codes of the map's images."""
    if folder.config().family == "gan":
        return "encoder"
    return "images" if has_codes else "codes"


def kind_of(folder: RunFolder) -> str:
    """ "ae", "vae", "gan" or, for a generator that started from a decoder, "gan-from-vae"."""
    return folder.config().kind


def decoder_is_from(folder: RunFolder, source: RunFolder) -> bool:
    """Whether a GAN's generator started from the decoder of this VAE, also when the two were moved together since."""
    origin = getattr(folder.config().train, "generator_from", None)
    if not origin or source.config().family != "vae":
        return False
    beside = folder.path.resolve().parent / Path(origin).name
    return source.path.resolve() in (Path(origin).resolve(), beside)


def _alike(folders: Mapping[str, RunFolder], codes: Mapping[str, Held]) -> dict[str, Held]:
    """The runs with an encoder whose held-out images are those of the first, VAEs before AEs."""
    found: dict[str, Held] = {}
    same: tuple[Any, ...] | None = None
    for name in sorted(codes, key=lambda name: folders[name].config().family != "vae"):
        held = codes[name]
        environment = folders[name].environment()
        data = (environment.get("data_fingerprint"), environment["image_shape"])
        if same is None or data == same:
            if found and not np.isin(held.number, next(iter(found.values())).number).any():
                continue
            same, found[name] = data, held
    return found


def _images(folders: Mapping[str, RunFolder], held: Mapping[str, Held], say: Say) -> dict[str, Any]:
    """Everything that is about the shared held-out images."""
    if not held:
        return {"maps": {}, "labels": None, "numbers": None, "class_names": None, "thumbnails": None, "shape": None, "start": None}
    first = next(iter(held))
    height, width, channels = image_shape(folders[first])
    index = chosen(list(held.values()), most_images(list(held.values()), height * width))
    names = class_names(folders[first])
    label = labels_of(held[first], index) if names else None
    shape = (height, width, channels)
    pictures = _pictures(folders, held, index, shape, say)
    return {
        "maps": {name: _map(codes, index, len(names or [])) for name, codes in held.items()},
        "labels": None if label is None else label.tolist(),
        "numbers": index.tolist(),
        "class_names": names if label is not None else None,
        "thumbnails": None if pictures is None else sprite(pictures),
        "shape": list(shape),
        "start": _start(held[first], index, label, len(names or [])),
    }


def _pictures(
    folders: Mapping[str, RunFolder], held: Mapping[str, Held], index: Whole, shape: tuple[int, int, int], say: Say
) -> Images | None:
    """The images with these indices, uint8 [N, H, W, C], from the first run that has them."""
    for name, codes in held.items():
        try:
            images = read_thumbnails(folders[name], codes, index, shape)
        except LabError as error:
            say(f"{name} gives no pictures of held-out images: {error}")
        else:
            if images is not None:
                return images
    return None


def most_images(held: list[Held], pixels: int) -> int:
    """How many images keep the page small: fewer where they are large or have many codes."""
    bytes_each = sum(int(codes.mean.shape[1]) * (1 if codes.std is None else 2) for codes in held)
    return max(1, min(MOST_IMAGES, MOST_PIXELS // pixels, MOST_CODE_BYTES // bytes_each))


def _map(held: Held, index: Whole, classes: int) -> dict[str, Any]:
    rows = rows_of(held, index)
    label = held.label if classes else None
    planes = {"classes": None if label is None else class_plane(held.mean, label), "widest": widest_plane(held.mean)}
    means = None if label is None else class_means(held.mean, label, classes)
    return {
        "mean": quantized(held.mean[rows]),
        "std": None if held.std is None else quantized(held.std[rows]),
        "planes": {
            plane: {"axes": written(axes.astype(np.float32)), "share": round(share_of_variance(held.mean, axes), 4)}
            for plane, axes in planes.items()
            if axes is not None
        },
        "class_means": None if means is None else written(means.astype(np.float32)),
    }


def _start(held: Held, index: Whole, label: Whole | None, classes: int) -> dict[str, int | None]:
    """A first image, the most typical one of the class that lies furthest from all others; a second, of a class neither near
    nor far from it; and the nearest class.

    Typical is what lies nearest to the mean code of its class.
    """
    codes = held.mean[rows_of(held, index)]
    if label is None or held.label is None or len(np.unique(label)) < 2:
        return {"image": 0, "a": 0, "b": len(index) - 1, "other": None}
    means = class_means(held.mean, held.label, classes)
    present = [number for number in np.unique(label) if 0 <= number < classes]
    gaps = np.linalg.norm(means[present][:, None] - means[present][None], axis=2)
    first = int(gaps.sum(1).argmax())
    others = np.argsort(gaps[first])[1:]
    a, b = (_typical(codes, label, means, present[place]) for place in (first, others[len(others) // 2]))
    return {"image": a, "a": a, "b": b, "other": int(present[others[0]])}


def _typical(codes: Doubles, label: Whole, means: Doubles, number: int) -> int:
    distance = np.linalg.norm(codes - means[number], axis=1)
    return int(np.where(label == number, distance, np.inf).argmin())

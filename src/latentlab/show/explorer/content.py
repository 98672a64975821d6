"""What the live explorer is given: the models' decoders, the codes of held-out images, their thumbnails. No torch.

The content has no language: a page that is there in two shares one. `explorer_words` are the texts beside it.

    models      [{name, kind, label, latent, network, codes_of, without, loss, beta, bound, binary}] in the order given, and beside
                `network` `encoder` or `discriminator` where they were asked for and the model has one; `kind` is ae, vae, gan or
                gan-from-vae, `label` a name to show instead of the kind's, `codes_of` the model whose encoder gives this one
                its codes, `without` why it has none of the map's images: "encoder" (it has no encoder), "images" (its own are
                others), "codes" (its run folder holds none that can be read); null where it has; `loss` is the objective's name,
                `beta` a VAE's, else null, `bound` "plain" where training minimised just that loss (+ β KL), else "other",
                `binary` whether it learned from pixels that are 0 or 1
    code        by family, ae, vae and gan: the functions that compute what is followed, as text
    maps        by name of a model with an encoder: {mean, std, planes, class_means}, the codes of N shared images
    labels, numbers, class_names, thumbnails, shape    of those N images; null where there are none
    start       what is shown first: rows of images `image`, `a`, `b`, and `other`, a class to turn the image into
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from latentlab.base.errors import LabError
from latentlab.base.images import Images
from latentlab.base.texts import catalogue
from latentlab.config.parts import VAEModel, VAETrain
from latentlab.runs.folder import RunFolder
from latentlab.show import excerpts
from latentlab.show.explorer import Precision, check_precision, embed, pack_network
from latentlab.show.explorer.codes import (
    HeldOut,
    Whole,
    chosen,
    class_means,
    class_plane,
    labels_of,
    quantized,
    read_held_out,
    read_thumbnails,
    rows_of,
    share_of_variance,
    sprite,
    widest_plane,
    written,
)
from latentlab.show.explorer.own import read_plane
from latentlab.show.figures.records import class_names, image_shape

MOST_IMAGES = 1_000
MOST_PIXELS = MOST_IMAGES * 28 * 28  # larger images: fewer of them
MOST_CODE_BYTES = MOST_IMAGES * 32 * 3  # more latent units, or more encoders: fewer images

Say = Callable[[str], object]  # is told what is left out, and why: a line that begins with the run's name


def explorer_words(lang: str) -> dict[str, str]:
    """Every text of the explorer in a language, by its key without the prefix."""
    names = [key.removeprefix("explorer.") for key in catalogue(lang) if key.startswith("explorer.")]
    return {name: catalogue(lang)[f"explorer.{name}"] for name in names}


def explorer_content(
    folders: Mapping[str, RunFolder],
    labels: Mapping[str, str] | None = None,
    precision: Precision = "int8",
    say: Say = lambda words: None,
    encoders: bool | Literal["first"] = False,
) -> dict[str, Any]:
    """The content for these runs, as JSON can hold it. Raises LabError for a precision that there is not.

    A run without a whole checkpoint is left out, one with damaged codes has no map: `say` is told. Where no run is left,
    "models" is empty.

    `labels` are names to show in every language; without one a run is called by its kind, or by its name where two are
    of a kind. `precision` is that of the weights. With `encoders` the networks that read images come along, encoders and
    discriminators, for one image to be followed and for a pad to draw on: the content is half as large again, or with "first", of
    the first VAE (else AE) and the first GAN alone, by a third. An encoder whose held-out images are not those of the first one counts as
    none on the map: one picture could not show both.
    """
    check_precision(precision)
    networks = _networks(folders, precision, say, folders if encoders is True else _first(folders) if encoders else ())
    whole = {name: folders[name] for name in networks}
    kinds = {name: folder.config().kind for name, folder in whole.items()}
    codes = _codes(whole, say)
    alike = _alike(whole, codes)
    sources = {name: _source(name, whole, alike) for name in whole}
    models = [
        {
            "name": name,
            "kind": kinds[name],
            "label": (labels or {}).get(name, name if list(kinds.values()).count(kinds[name]) > 1 else None),
            "latent": folder.config().model.latent_dim,
            "codes_of": sources[name],
            "without": None if sources[name] else _lack(folder, name in codes),
            "loss": folder.config().objective,
            "beta": getattr(folder.config().train, "beta", None),
            "bound": bound_of(folder),
            "binary": getattr(folder.config().model, "binarization", "none") != "none",
        }
        | networks[name]
        for name, folder in whole.items()
    ]
    code = {family: excerpts.together(excerpts.FOLLOWED[family]) for family in {folder.config().family for folder in whole.values()}}
    return {"models": models, "code": code if encoders else {}, **_images(whole, alike, say, lossless=encoders is True)}


def bound_of(folder: RunFolder) -> Literal["plain", "other"]:
    """Whether training minimised just the reconstruction loss, of a VAE with β KL of one draw, and nothing of somebody's own."""
    config = folder.config()
    model, train, changed = config.model, config.train, "loss" in dict(config.own)
    if isinstance(model, VAEModel) and isinstance(train, VAETrain):
        changed = changed or bool(train.free_nats or train.capacity_nats or train.importance_samples > 1 or model.discriminator_channels)
    return "other" if changed else "plain"


def _first(folders: Mapping[str, RunFolder]) -> list[str]:
    """The first VAE, else the first AE, and the first GAN."""
    families = [folder.config().family for folder in folders.values()]
    wanted = ("vae" if "vae" in families else "ae", "gan")
    return [list(folders)[families.index(family)] for family in wanted if family in families]


def _networks(folders: Mapping[str, RunFolder], precision: Precision, say: Say, reading: Container[str]) -> dict[str, dict[str, Any]]:
    """{"network"}, the decoder or generator, of every run that has a whole checkpoint; of those in `reading` what reads images too."""
    networks: dict[str, dict[str, Any]] = {}
    for name, folder in folders.items():
        try:
            packed = {"network": _drawing(folder, precision)}
        except LabError as error:
            say(f"{name} is not among the live models: {error}")
            continue
        networks[name] = packed
        reads = "discriminator" if folder.config().family == "gan" else "encoder"
        try:
            if name in reading and getattr(folder.config().model, "packing", 1) == 1:
                packed[reads] = embed(pack_network(folder, reads, precision=precision))
        except LabError as error:
            if not folder.config().own:  # no page need be able to run what is somebody's own
                say(f"{name} reads no image here: {error}")
    return networks


def _drawing(folder: RunFolder, precision: Precision) -> dict[str, Any]:
    """A run's decoder or generator; of one of somebody's own that no page can run, the images that were drawn beforehand."""
    try:
        return embed(pack_network(folder, precision=precision))
    except LabError:
        plane = read_plane(folder.path) if folder.config().own else None
        if plane is None:
            raise
    return {"plane": plane | sprite(plane.pop("images"), shades=256)}


def _codes(folders: Mapping[str, RunFolder], say: Say) -> dict[str, HeldOut]:
    """The codes of every run that has some."""
    codes: dict[str, HeldOut] = {}
    for name, folder in folders.items():
        try:
            if (own := read_held_out(folder)) is not None:
                codes[name] = own
        except LabError as error:
            say(f"{name} has no latent map: {error}")
    return codes


def _source(name: str, folders: Mapping[str, RunFolder], codes: Mapping[str, HeldOut]) -> str | None:
    """The model whose encoder gives this one its codes."""
    return name if name in codes else next((other for other in codes if decoder_is_from(folders[name], folders[other])), None)


def _lack(folder: RunFolder, has_codes: bool) -> str:
    """Why a model has no codes of the map's images."""
    if folder.config().family == "gan":
        return "encoder"
    return "images" if has_codes else "codes"


def decoder_is_from(folder: RunFolder, source: RunFolder) -> bool:
    """Whether a GAN's generator started from the decoder of this VAE, also when the two were moved together since."""
    origin = getattr(folder.config().train, "generator_from", None)
    if not origin or source.config().family != "vae":
        return False
    beside = folder.path.resolve().parent / Path(origin).name
    return source.path.resolve() in (Path(origin).resolve(), beside)


def _alike(folders: Mapping[str, RunFolder], codes: Mapping[str, HeldOut]) -> dict[str, HeldOut]:
    """The runs with an encoder whose held-out images are those of the first, VAEs before AEs."""
    alike: dict[str, HeldOut] = {}
    first: tuple[Any, Any, HeldOut] | None = None
    for name in sorted(codes, key=lambda name: folders[name].config().family != "vae"):
        environment = folders[name].environment()
        own = (environment.get("data_fingerprint"), environment["image_shape"], codes[name])
        first = first or own
        if own[:2] == first[:2] and np.isin(own[2].number, first[2].number).any():
            alike[name] = codes[name]
    return alike


def _images(folders: Mapping[str, RunFolder], codes: Mapping[str, HeldOut], say: Say, lossless: bool) -> dict[str, Any]:
    """Everything that is about the shared held-out images, exactly as the run has them if `lossless`; grey ones always are."""
    if not codes:
        return {"maps": {}, "labels": None, "numbers": None, "class_names": None, "thumbnails": None, "shape": None, "start": None}
    first = next(iter(codes))
    height, width, channels = image_shape(folders[first])
    index = chosen(list(codes.values()), most_images(list(codes.values()), height * width))
    names = class_names(folders[first])
    label = labels_of(codes[first], index) if names else None
    shape = (height, width, channels)
    pictures = _pictures(folders, codes, index, shape, say)
    return {
        "maps": {name: _map(own, index, len(names or [])) for name, own in codes.items()},
        "labels": None if label is None else label.tolist(),
        "numbers": index.tolist(),
        "class_names": names if label is not None else None,
        "thumbnails": None if pictures is None else sprite(pictures, shades=256, lossless=lossless),
        "shape": list(shape),
        "start": _start(codes[first], index, label, len(names or [])),
    }


def _pictures(
    folders: Mapping[str, RunFolder], codes: Mapping[str, HeldOut], index: Whole, shape: tuple[int, int, int], say: Say
) -> Images | None:
    """The images with these indices, uint8 [N, H, W, C], from the first run that has them."""
    for name, own in codes.items():
        try:
            images = read_thumbnails(folders[name], own, index, shape)
        except LabError as error:
            say(f"{name} gives no pictures of held-out images: {error}")
        else:
            if images is not None:
                return images
    return None


def most_images(runs: Sequence[HeldOut], pixels: int) -> int:
    """How many images keep the page small: fewer where they are large or have many codes."""
    bytes_each = sum(int(codes.mean.shape[1]) * (1 if codes.std is None else 2) for codes in runs)
    return max(1, min(MOST_IMAGES, MOST_PIXELS // pixels, MOST_CODE_BYTES // bytes_each))


def _map(codes: HeldOut, index: Whole, classes: int) -> dict[str, Any]:
    rows = rows_of(codes, index)
    label = codes.label if classes else None
    planes = {"classes": None if label is None else class_plane(codes.mean, label), "widest": widest_plane(codes.mean)}
    means = None if label is None else class_means(codes.mean, label, classes)
    return {
        "mean": quantized(codes.mean[rows]),
        "std": None if codes.std is None else quantized(codes.std[rows]),
        "planes": {
            plane: {"axes": written(axes.astype(np.float32)), "share": round(share_of_variance(codes.mean, axes), 4)}
            for plane, axes in planes.items()
            if axes is not None
        },
        "class_means": None if means is None else written(means.astype(np.float32)),
    }


def _start(codes: HeldOut, index: Whole, label: Whole | None, classes: int) -> dict[str, int | None]:
    """A first image, the most typical one of the class that lies furthest from all others; a second, of a class neither near
    nor far from it; and the nearest class.

    Typical is what lies nearest to the mean code of its class.
    """
    if label is None or codes.label is None or len(np.unique(label)) < 2:
        return {"image": 0, "a": 0, "b": len(index) - 1, "other": None}
    points, means = codes.mean[rows_of(codes, index)], class_means(codes.mean, codes.label, classes)

    def typical(number: int) -> int:
        return int(np.where(label == number, np.linalg.norm(points - means[number], axis=1), np.inf).argmin())

    present = [int(number) for number in np.unique(label) if 0 <= number < classes]
    gaps = np.linalg.norm(means[present][:, None] - means[present][None], axis=2)
    first = int(gaps.sum(1).argmax())
    others = np.argsort(gaps[first])[1:]
    a, b = typical(present[first]), typical(present[others[len(others) // 2]])
    return {"image": a, "a": a, "b": b, "other": present[others[0]]}

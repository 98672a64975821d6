"""Samples against real images: one yardstick for every family, and for images that another program made.

Real images are those of the split, up to 10,000. Beside every value stands its **floor**: what other real images (of the
training split, as many as there are samples where it has so many: `floor_n`) reach by the same measure and extractor. All on
uint8 images, in float64, nothing resized.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.base.errors import LabError, refusal
from latentlab.base.images import Images, as_points, check, is_point
from latentlab.base.seeding import numpy_generator
from latentlab.data import Data, ImageSet
from latentlab.data.arrays import read_npz
from latentlab.data.decode import FORMATS, Undecodable, decode
from latentlab.data.folder import walk
from latentlab.data.points import read_points
from latentlab.measure import Watcher
from latentlab.measure.extractors import Extractor, Seen
from latentlab.measure.metrics import mean_estimate, share_estimate
from latentlab.measure.metrics.classes import (
    entropy_estimate,
    entropy_nats,
    modes_estimate,
    reverse_kl_estimate,
    reverse_kl_nats,
    shares,
    stacked_shares,
)
from latentlab.measure.metrics.features import frechet_distance, frechet_estimate, kid_estimate, moments
from latentlab.measure.metrics.manifold import manifold, manifold_estimate, radii
from latentlab.measure.metrics.pixels import fitting_scales, nearest, pair_similarity
from latentlab.measure.table import FEW, FEWER, Scores, estimate_score

Split = Literal["train", "val", "test"]
Labels = NDArray[np.int64]
MOST = 10_000  # real images of a kind
MOST_FAKES = 50_000  # all pairs of them are looked at
NEIGHBOURS = 5  # k of precision, recall, density and coverage (Naeem et al. 2020)
PER_FEATURE = 10  # images that a Gaussian fitted to D features needs for each of them
LOOKED_UP = 1_000  # samples, and real images, whose nearest training image is looked for
COPY_QUANTILE = 0.01  # nearer to a training image than this share of held-out images: perhaps a copy
GROUPS, WIDE = 20, 512  # left-out groups of the jackknife; half as many where one singular-value decomposition takes seconds
LEAST = 20  # images without which no interval can be given


@dataclass(frozen=True)
class Real:
    """The real images of a comparison."""

    held_out: Images  # [N, H, W, C], of the split
    labels: Labels | None  # [N]
    other: Images  # [M, H, W, C]: as many as there are samples where there are so many, of another split, for the floor
    unseen: Images  # [K, H, W, C]: not of the training split, to tell copies of training images by
    train: ImageSet
    spec: str
    class_names: tuple[str, ...] | None
    shares: NDArray[np.float64] | None  # of each class among the images of the split
    drawn: Labels | None = None  # of a stacked set: the labels of as many other real images as there are samples, whatever their number


def expected_shares(data: Data, split: Split, labels: Labels | None) -> NDArray[np.float64] | None:
    """The share of each class among real images of a split, of which these are the labels [N]; None without classes.

    Those of a stacked set follow from its grey images': of a thousand classes ten thousand labels would tell too little.
    """
    if labels is None or data.class_names is None:
        return None
    if data.stacked is None:
        return shares(labels, len(data.class_names))
    grey: ImageSet = getattr(data.stacked, split)
    assert grey.labels is not None  # noqa: S101 - what the labels are made of
    return stacked_shares(grey.labels, len(data.stacked.class_names or ()), data.shape[2])


def too_small(data: Data, split: Split) -> LabError | None:
    """Why nothing can be said of samples: a split of fewer than 20 images. None where there are enough."""
    for name in (split, "test" if split == "train" else "train"):
        if len(getattr(data, name)) < LEAST:
            size = len(getattr(data, name))
            return refusal(f"the {name} split of {data.spec}", f"of at least {LEAST} images to measure samples with", size, "Add images.")
    return None


def real_images(data: Data, split: Split, samples: int | None) -> Real:
    """The images to hold samples against. `samples` None: as many samples as the other split has, at most 10,000.

    Raises LabError for a split of fewer than 20 images.
    """
    if (refused := too_small(data, split)) is not None:
        raise refused
    held_out: ImageSet = getattr(data, split)
    other = data.test if split == "train" else data.train
    count = min(MOST, len(other), samples or MOST)
    rows = np.arange(min(MOST, len(held_out)))
    labels = None if held_out.labels is None else held_out.labels[rows]
    first = held_out.take(rows), other.take(np.arange(count))
    own = expected_shares(data, split, labels)
    drawn = other.labels[: samples or MOST] if other.labels is not None and data.stacked is not None else None
    return Real(first[0], labels, first[1], first[split == "train"], data.train, data.spec, data.class_names, own, drawn)


def sample_scores(
    fakes: Images,
    real: Real,
    extractors: list[Extractor],
    watch: Watcher,
    beside: Mapping[str, Images] | None = None,
    asked: Labels | None = None,
) -> dict[str, Any]:
    """What scores.json says of samples uint8 [M, H, W, C]: "scores", "extractors" and, with classes that can be shown, "class_shares".

    The names of the first extractor's scores are plain; those of another one end in @ and its name. Of what is `beside` the
    samples, decoded from codes of other sources, it tells the KID alone. `asked` are the classes [M] that the samples were to be of.
    """
    if not LEAST <= len(fakes) <= MOST_FAKES:
        raise refusal("samples", f"at least {LEAST} and at most {MOST_FAKES}", len(fakes), "Draw or give another number.")
    scores: Scores = {}
    result: dict[str, Any] = {"scores": scores, "extractors": {e.identity: e.facts() for e in extractors}}
    for i, extractor in enumerate(extractors):
        advance = watch(f"features by {extractor.identity}", len(fakes) + len(real.held_out) + len(real.other))
        seen = []
        for images in (fakes, real.held_out, real.other):
            seen.append(extractor(images))
            advance(len(images))
        fake, held_out, other = seen
        end = "" if i == 0 else f"@{extractor.identity}"
        scores |= {name + end: entry for name, entry in feature_scores(extractor, fake, held_out, other, watch).items()}
        for name, images in ({} if i else beside or {}).items():
            advance = watch(f"features of {name} by {extractor.identity}", len(images))
            features, unit = extractor(images).features, extractor.unit(held_out.features)
            advance(len(images))
            distance = kid_estimate(features.astype(np.float64), held_out.features.astype(np.float64), unit)
            known = {key: scores["kid"][key] for key in ("extractor", "real", "floor_n", "floor_ci95")}
            scores |= estimate_score(f"kid_{name}", distance, len(images), scores["kid"]["floor"], **known)
        if not (fake.labels is None or other.labels is None or real.shares is None or "class_entropy_nats" in scores):
            by_class, told = class_scores(extractor, fake.labels, other.labels, real, real.shares)
            scores |= by_class
            result |= told
            if asked is not None and real.labels is not None:
                right = share_estimate(int((fake.labels == asked).sum()), len(fakes))
                known_right = float(np.mean(held_out.labels == real.labels))
                scores |= estimate_score(
                    "label_accuracy", right, len(fakes), known_right, extractor=extractor.identity, real=len(real.labels)
                )
    scores |= pixel_scores(fakes, real, watch)
    return result


def feature_scores(extractor: Extractor, fake: Seen, held_out: Seen, other: Seen, watch: Watcher) -> Scores:
    """Frechet distance, KID, precision, recall, density and coverage on one extractor's features."""
    f, r, o = (np.asarray(seen.features, np.float64) for seen in (fake, held_out, other))
    if not np.isfinite(f).all():
        raise refusal("features of the samples", "finite numbers", "NaN or infinity", "The run has diverged; train it anew.")
    common: dict[str, Any] = {"extractor": extractor.identity, "real": len(r), "floor_n": len(o)}
    advance = watch("distances of features", 3)
    few = _too_few(min(len(f), len(r)), extractor.dimensions)
    groups = GROUPS if extractor.dimensions <= WIDE else GROUPS // 2
    floor = frechet_distance(moments(o), moments(r))
    scores = estimate_score("frechet", frechet_estimate(f, r, groups), len(f), floor, **common, note=few)
    advance(1)
    unit = extractor.unit(held_out.features)
    least = kid_estimate(o, r, unit)
    scores |= estimate_score("kid", kid_estimate(f, r, unit), len(f), least.value, **common, floor_ci95=[least.low, least.high])
    advance(1)
    around = radii(r, NEIGHBOURS)
    floors = manifold(r, o, NEIGHBOURS, real_radii=around)
    for name, estimate in manifold_estimate(r, f, NEIGHBOURS, real_radii=around).items():
        scores |= estimate_score(name, estimate, len(f), getattr(floors, name), k=NEIGHBOURS, **common)
    advance(1)
    return scores


def _too_few(images: int, dimensions: int) -> str | None:
    if images >= PER_FEATURE * dimensions:
        return None
    return (FEWER if images <= dimensions else FEW).english.format(images=images, features=dimensions)


def class_scores(
    extractor: Extractor, fake: Labels, other: Labels, real: Real, held_out: NDArray[np.float64]
) -> tuple[Scores, dict[str, Any]]:
    """How evenly the samples fall on the classes, and "class_shares" themselves. The yardstick are the held-out images' shares.

    `fake` and `other` are what the extractor takes samples and other real images for. Of a stacked set, whose shares nobody could
    look at, it tells the modes instead; the papers' KL against even shares is log(modes) less the entropy.
    """
    classes, other = len(held_out), other if real.drawn is None else real.drawn
    drawn, floor = (shares(labels, classes) for labels in (fake, other))
    common: dict[str, Any] = {"extractor": extractor.identity, "real": len(real.held_out), "floor_n": len(other)}
    entropy, kl = entropy_estimate(fake, classes), reverse_kl_estimate(fake, held_out)
    scores = estimate_score("class_entropy_nats", entropy, len(fake), entropy_nats(held_out), **common)
    scores |= estimate_score("class_reverse_kl_nats", kl, len(fake), reverse_kl_nats(floor, held_out), **common)
    if real.drawn is not None:
        found = modes_estimate(fake, classes)
        return scores | estimate_score("modes", found, len(fake), float((floor > 0).sum()), k=classes, **common), {}
    told = {"names": list(real.class_names or ()), "samples": drawn.tolist(), "real": held_out.tolist(), "n": len(fake)}
    return scores, {"class_shares": told}


def pixel_scores(fakes: Images, real: Real, watch: Watcher) -> Scores:
    """Diversity by MS-SSIM, and how near samples come to training images: no features needed."""
    advance = watch("pixels", 3)
    window, scales = fitting_scales(*fakes.shape[1:3])
    similar = pair_similarity(fakes)
    among_real = pair_similarity(real.held_out)
    scores = estimate_score(
        "ms_ssim", similar, len(fakes), among_real.value,
        floor_ci95=[among_real.low, among_real.high], window_pixels=window, scales=scales, real=len(real.held_out),
    )  # fmt: skip
    advance(1)
    # A random choice: files sorted by class would show one class only.
    chosen = numpy_generator(0, "looked-up", len(fakes)).permutation(len(fakes))[:LOOKED_UP]
    looked, unseen = fakes[np.sort(chosen)], real.unseen[:LOOKED_UP]
    distance, _ = nearest(np.concatenate([looked, unseen]), real.train.chunks())
    of_fakes, of_real = distance[: len(looked)], distance[len(looked) :]
    near = float(np.quantile(of_real, COPY_QUANTILE))
    copies = share_estimate(int((of_fakes < near).sum()), len(of_fakes))
    advance(2)
    return scores | estimate_score(
        "nearest_train_distance", mean_estimate(of_fakes), len(looked), float(of_real.mean()),
        train=len(real.train), nearest=float(of_fakes.min()),
        copies={"share": copies.value, "ci95": [copies.low, copies.high], "nearer_than": near, "floor": COPY_QUANTILE},
    )  # fmt: skip


# Images that another program made: read as they are, so that they are measured by the same yardstick.

NEARLY_GREY = 12  # bytes between the channels of a grey image that went through JPEG


def read_images(path: str | Path, shape: tuple[int, int, int]) -> Images:
    """The images of a folder (in order of their names) or of an .npz with `images`, of exactly this (H, W, C); points of a file.

    Nothing is resized, dropped or guessed: how a program resizes would become part of its score. Grey files serve RGB data;
    RGB files serve grey data only where their channels agree. Raises LabError for everything else, naming the file.
    """
    source = Path(path)
    if is_point(shape):
        return as_points(read_points(source)[0], f"points in {source}")
    if source.suffix == ".npz" and source.is_file():
        return _from_npz(source, shape)
    if not source.is_dir():
        raise refusal("--images", "a folder of images, or an .npz file with an array `images`", str(path))
    listing = walk(source)
    if listing.odd:
        name, reason = listing.odd[0]
        raise LabError(f"--images {source / name} must be an image. It is {reason}. Remove it, so that nothing is left out of the measure.")
    if not listing.entries:
        raise refusal("--images", "a folder with JPEG, PNG, WebP, BMP, GIF or TIFF images", str(path), "It holds none.")
    images = np.empty((len(listing.entries), *shape), np.uint8)
    for row, entry in enumerate(listing.entries):
        images[row] = _one(source / entry.path, shape)
    return images


def _from_npz(path: Path, shape: tuple[int, int, int]) -> Images:
    return check(read_npz(path, f"--images {path}")["images"], f"images in {path}", shape)


def _one(path: Path, shape: tuple[int, int, int]) -> Images:
    height, width, channels = shape
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            size = image.size
        if size != (width, height):
            raise refusal(
                f"--images {path}", f"{width} x {height} pixels, as --data is", f"{size[0]} x {size[1]}", "Write your images at that size."
            )
        pixels = decode(content, height, "crop", "auto")
    except LabError:
        raise
    except Exception as error:  # a hostile file can make Pillow's readers raise anything
        reason = str(error) if isinstance(error, Undecodable) else "it is damaged"
        raise LabError(f"--images {path} must be an image that can be read: {reason}. Mend or remove it.") from None
    if channels == 1 and pixels.shape[2] == 3:
        if np.ptp(pixels.astype(np.int16), axis=2).max() > NEARLY_GREY:
            raise refusal(f"--images {path}", "grey, as --data is", "a colour image", "Write your images in grey.")
        return pixels[:, :, 1:2]
    return np.repeat(pixels, channels, 2) if pixels.shape[2] < channels else pixels

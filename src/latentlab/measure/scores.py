"""scores.json: what a run, or a folder of images, reaches on held-out images, each number with its error, unit and count."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.base.errors import memory_for, refusal
from latentlab.base.files import check_writable, replace_json
from latentlab.base.images import Images, is_point
from latentlab.config.field import Field, plain
from latentlab.config.networks import classes_of
from latentlab.config.sources import parse
from latentlab.data import Data, ImageSet
from latentlab.measure import Watcher, unwatched
from latentlab.measure.extractors import Extractor, check_names, extractors_for
from latentlab.measure.likelihood import vae_scores
from latentlab.measure.metrics.classes import knn_accuracy, probe_accuracy
from latentlab.measure.metrics.pixels import fitting_scales, mean_squared_error, psnr, ssim
from latentlab.measure.points import point_scores
from latentlab.measure.quality import Real, Split, real_images, sample_scores, too_small
from latentlab.measure.sources import codes_by_source
from latentlab.measure.table import GROUPS, SQUARED_GAP, Entry, Scores, estimate_score, mean_score, measurements
from latentlab.models.nets import Discriminator, values_of
from latentlab.models.sampling import mixture_codes
from latentlab.runs.forms import SPLITS

if TYPE_CHECKING:
    from latentlab.runs.trained import Trained


NLL_SAMPLES, NLL_IMAGES = 500, 1_000  # importance samples for each image, and images, unless more are asked for
DRAWN = (Field("samples", int | None, minimum=20), Field("nll_samples", int, minimum=0), Field("nll_images", int, minimum=1))
CHUNK = 500
MOST_BESIDE = 2_000  # images from each other source of codes: KID needs no more
RATE_DISTORTION = (("rate", "kl_nats"), ("distortion", "reconstruction_nats"))  # Alemi et al. 2018


@memory_for("the evaluation", "Draw fewer samples.")
def evaluate_run(
    run: Trained,
    split: Split = "test",
    data: Any = None,
    *,
    samples: int | None = None,
    nll_samples: int = NLL_SAMPLES,
    nll_images: int = NLL_IMAGES,
    extractors: str | Sequence[str | Extractor] | None = None,
    watch: Watcher = unwatched,
) -> dict[str, Any]:
    """Measure a run on a split, write it into scores.json and return it. What was measured otherwise is kept there, see `kept`.

    `samples` are drawn from the prior (as many as there are training images, at most 10,000, unless said). `extractors`
    default to the data set's classifier, or to random convolutions where there are no labels; some are named by `extractors_for`.
    """
    check_split(split)
    for field, value in zip(DRAWN, (samples, nll_samples, nll_images), strict=True):
        field.check(plain(value))
    asked = _asked(extractors, run.image_shape)
    check_writable(run.path / "scores.json")
    earlier = measurements(run.folder.scores())
    data = run.folder.same_images(data) if isinstance(data, Data) else run.data(data)
    images: ImageSet = getattr(data, split)
    if not len(images):
        raise refusal("split", "a split that holds images", split, f"{data.spec} has none in it: name another.")
    result = _result(data, split, images) | {"step": run.step, "extractors": {}}
    scores: Scores = {}
    if run.config.family in GROUPS["copy"]:
        scores |= reconstruction_scores(run, images, watch)
    if run.config.family in GROUPS["elbo"]:
        scores |= vae_scores(run, images, nll_samples, nll_images, watch)
        if is_point(images.shape):  # a density in the plane has no dimension's bits to start from
            scores.pop("bits_per_dim", None)
        result["rate_distortion"] = {f"{axis}_nats": scores[name]["value"] for axis, name in RATE_DISTORTION}
    if split != "train":  # the probes learn from training images, and are told nothing by measuring them there
        watch("what codes know of the classes", 1)
        scores |= representation_scores(run, data, images)
    if (refused := too_small(data, split)) is not None:
        result["left_out"] = f"{refused} Nothing is said of samples."
    else:
        real = real_images(data, split, samples)
        count = samples or len(real.other)
        watch(f"{count} samples", 1)
        started = time.perf_counter()
        fakes = run.sample(count, seed=run.config.train.seed + 1)
        result |= {"samples": count, "samples_per_second": count / (time.perf_counter() - started)}
        seen = _seen(fakes, real, asked, data, watch, run)
        scores |= seen.pop("scores")
        if run.config.family == "ae" and "kid" in scores:
            scores["kid_fitted"] = scores["kid"]  # so its samples are drawn
        result |= seen | {"headline": headline(scores)}
    result["scores"] = scores
    replace_json(run.path / "scores.json", kept([*earlier, result]))
    return result


def kept(measured: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What scores.json holds of measurements, oldest first: the fullest one of the newest step, and all others below "others".

    Of two with one protocol the later one is kept: the same step, split, numbers of samples, and extractors.
    """

    def protocol(one: Mapping[str, Any]) -> tuple[Any, ...]:
        """In the order of fullness: newer, on the test split, of more samples, of more importance samples."""
        nll, by = one["scores"].get("nll_nats", {}), sorted(one.get("extractors", {}))
        return one["step"], one["split"] == "test", one.get("samples", 0), nll.get("k", 0), nll.get("n", 0), one["split"], by

    by_protocol = {str(protocol(one)): one for one in measured}
    first, *others = sorted(by_protocol.values(), key=protocol, reverse=True)
    return dict(first) | ({"others": others} if others else {})


def headline(scores: Mapping[str, Entry]) -> str:
    """The measure to go by: KID where images are too few for a Frechet distance, which then says so; for points their own."""
    if "frechet" not in scores:
        return "high_quality_share" if "high_quality_share" in scores else "coverage"
    return "kid" if "note" in scores["frechet"] else "frechet"


def evaluate_images(
    images: Images,
    data: Data,
    split: Split = "test",
    out: Path | None = None,
    *,
    extractors: str | Sequence[str | Extractor] | None = None,
    watch: Watcher = unwatched,
) -> dict[str, Any]:
    """Measure images uint8 [N, H, W, C] that any program made against a split; the same form as a run's scores."""
    check_split(split)
    if images.shape[1:] != data.shape:
        raise refusal("images", f"of shape [N, {', '.join(map(str, data.shape))}], as {data.spec} is", list(images.shape))
    real = real_images(data, split, len(images))
    result = _result(data, split, getattr(data, split)) | {"source": "images", "samples": len(images)}
    result |= _seen(images, real, _asked(extractors, data.shape), data, watch)
    result["headline"] = headline(result["scores"])
    if out is not None:
        replace_json(out, result)
    return result


def _seen(
    fakes: Images, real: Real, asked: Sequence[str | Extractor], data: Data, watch: Watcher, run: Trained | None = None
) -> dict[str, Any]:
    """What is said of samples, of a run or of anybody's: see `sample_scores`, and `point_scores` for points."""
    if is_point(data.shape):
        return point_scores(fakes, real, parse(data.spec).source.mixture)
    beside = decoded_sources(run, data, min(len(fakes), MOST_BESIDE)) if run is not None and run.config.family in GROUPS["copy"] else None
    given = None if run is None else run.drawn_labels(len(fakes), run.config.train.seed + 1)
    return sample_scores(fakes, real, _lookers(asked, data), watch, beside, given)


def _asked(extractors: str | Sequence[str | Extractor] | None, shape: tuple[int, ...]) -> Sequence[str | Extractor]:
    """What shall look, by name or as it is. Raises LabError for a name that there is none of and for points, before the work."""
    chosen = [extractors] if isinstance(extractors, str) else extractors or ()
    if chosen and is_point(shape):
        raise refusal("extractors", "left out with points, which are measured as they are", chosen[0])
    check_names([one for one in chosen if not isinstance(one, Extractor)])
    return chosen


def _lookers(asked: Sequence[str | Extractor], data: Data) -> list[Extractor]:
    return [one if isinstance(one, Extractor) else extractors_for(data, [one])[0] for one in asked] or extractors_for(data)


def check_split(split: str) -> None:
    """Raise LabError for a split that there is none of."""
    if split not in SPLITS:
        raise refusal("split", "one of " + ", ".join(SPLITS), split)


def _result(data: Data, split: str, images: ImageSet) -> dict[str, Any]:
    return {"split": split, "n": len(images), "data": data.spec, "data_fingerprint": data.fingerprint}


def reconstruction_scores(run: Trained, images: ImageSet, watch: Watcher) -> Scores:
    """Error, PSNR and SSIM of reconstructions by the posterior's mean; of points the error alone."""
    advance = watch("reconstructions", len(images))
    errors, similarities = [], []
    if is_point(images.shape):
        gaps = [(run.reconstruct(chunk) - chunk).astype(np.float64) for chunk in images.chunks(CHUNK)]
        return mean_score("reconstruction_mse", np.square(np.concatenate(gaps)).mean((1, 2, 3)), unit=SQUARED_GAP.english)
    given, start = images.labels if classes_of(run.config.model) else None, 0
    for chunk in images.chunks(CHUNK):
        copies = run.reconstruct(chunk, None if given is None else given[start : start + len(chunk)])
        start += len(chunk)
        errors.append(mean_squared_error(chunk, copies))
        similarities.append(ssim(chunk, copies))
        advance(len(chunk))
    mse = np.concatenate(errors)
    window = fitting_scales(*images.shape[:2]).window
    return (
        mean_score("reconstruction_mse", mse)
        | mean_score("psnr", psnr(mse))
        | mean_score("ssim", np.concatenate(similarities), window_pixels=window)
    )


def decoded_sources(run: Trained, data: Data, count: int) -> dict[str, Images]:
    """Images uint8 [count, H, W, C] by the source of their codes, see `measure.sources`: how far short each falls of the data."""
    few = np.arange(min(FITTED, len(data.train)))
    told = data.train.labels[few] if data.train.labels is not None and classes_of(run.config.model) else None
    mean, deviation = run.encode(data.train.take(few), told)
    seed = run.config.train.seed + 1
    labels = run.drawn_labels(count, seed)
    codes = codes_by_source(mean, deviation, count, seed) | {"mixture": mixture_codes(mean, count, seed)}
    return {name: run.decode(own, labels) for name, own in codes.items()}


# What codes know of the classes: k-NN and a linear probe, on an encoder's codes and on a discriminator's features alike.
#
# The measured side of "encoder versus discriminator": both networks read images, only one was asked for a code.

NEIGHBOURS = 5
FITTED = MEASURED = 10_000  # images that k-NN and the probe learn from, and are measured on
Floats = NDArray[np.float32]


def representation_scores(run: Trained, data: Data, images: ImageSet) -> Scores:
    """knn_accuracy and probe_accuracy on a labelled held-out split; their floor is the share of the most frequent class.

    Codes are posterior means (VAE), codes (AE) or the discriminator's last hidden layer (GAN). Fitted on training images. Of a
    stacked set, whose classes are too many to be learned so, the class is that of the first channel. None of an encoder that is told
    the class: its codes know what they were told.
    """
    if images.labels is None or data.train.labels is None or (run.config.family != "gan" and classes_of(run.config.model)):
        return {}
    fit, held_out = (np.arange(min(most, len(s))) for most, s in ((FITTED, data.train), (MEASURED, images)))
    train_labels, labels = data.train.labels[fit], images.labels[held_out]
    if data.stacked is not None:
        one = len(data.class_names or ()) // len(data.stacked.class_names or ())
        train_labels, labels = train_labels // one, labels // one
    if len(np.unique(train_labels)) < 2:
        return {}
    codes = [features(run, s.take(rows)) for s, rows in ((data.train, fit), (images, held_out))]
    most_frequent = float(np.bincount(labels).max() / len(labels))
    known: dict[str, Any] = {"features": described(run), "dimensions": codes[1].shape[1], "fitted": len(fit)}
    knn = knn_accuracy(codes[0], train_labels, codes[1], labels, NEIGHBOURS)
    probe = probe_accuracy(codes[0], train_labels, codes[1], labels)
    return estimate_score("knn_accuracy", knn, len(held_out), most_frequent, k=NEIGHBOURS, **known) | estimate_score(
        "probe_accuracy", probe, len(held_out), most_frequent, **known
    )


def described(run: Trained) -> str:
    """What stands for an image in a run of this family."""
    return {"ae": "code", "vae": "posterior mean", "gan": "discriminator's last hidden layer"}[run.config.family]


def features(run: Trained, images: Images) -> Floats:
    """What stands for images [N, H, W, C]: [N, F]."""
    if run.config.family != "gan":
        return run.encode(images).mean
    discriminator, seen = cast(Discriminator, run.networks()["discriminator"]), values_of(run.image_shape).seen
    with torch.no_grad():
        parts = [discriminator.features(seen(torch.from_numpy(images[i : i + CHUNK]))).numpy() for i in range(0, len(images), CHUNK)]
    return np.concatenate(parts)

"""Every measure once: where it belongs, which way is better, its unit, where it is shown, and how scores.json holds it.

Whatever writes, compares, draws or explains scores iterates over MEASURES. A new measure is a line here, a function that
computes it, and its texts: compare.measure.NAME and measure.NAME with measure.NAME.about and measure.NAME.floor.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentlab.base.texts import Phrase, catalogue, number, significant, text
from latentlab.measure.metrics import Estimate


class Wording(NamedTuple):
    """A unit or a note: in English, as scores.json holds it for every reader, and the key of its text in each language."""

    english: str  # {name} stands for a whole number
    key: str = ""  # none: it is the same in every language

    def phrase(self, written: str) -> Phrase | None:
        """What was written so, with its numbers; None for anything else."""
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>\\d+)", re.escape(self.english))
        match = re.fullmatch(pattern, written)
        return Phrase(self.key, {name: int(count) for name, count in match.groupdict().items()}) if match and self.key else None


SQUARED_ERROR = Wording("squared error per pixel, pixels in [0, 1]", "compare.unit.squared-error")
ROOT_MEAN_SQUARE = Wording("root mean square over pixels in [0, 1]", "compare.unit.root-mean-square")
DECIBEL = Wording("dB")
MEAN_SSIM = Wording("mean SSIM", "compare.unit.ssim")
MS_SSIM_OF_PAIRS = Wording("mean MS-SSIM of pairs", "compare.unit.ms-ssim")
NATS = Wording("nats")
NATS_PER_IMAGE = Wording("nats per image", "compare.unit.nats-per-image")
BITS_PER_DIMENSION = Wording("bits per dimension", "compare.unit.bits-per-dimension")
LATENT_UNITS = Wording("of {all} latent units", "compare.unit.latent-units")
SQUARED_DISTANCE = Wording("squared distance of features", "compare.unit.squared-distance")
SQUARED_MMD = Wording("squared MMD of features × 1,000", "compare.unit.squared-mmd")
SHARE = Wording("share", "compare.unit.share")
MODES = Wording("of {all} modes", "compare.unit.modes")
SQUARED_GAP = Wording("squared error per coordinate", "compare.unit.squared-gap")
SHARE_OF_NEIGHBOURS = Wording("share, k = {k}", "compare.unit.share-k")

GREY = Wording("binary cross-entropy on grey pixels: not a likelihood", "compare.noted.grey")
BYTES = Wording("a likelihood of bytes: it does not compare with one of black and white pixels", "compare.noted.bytes")
_TOO_HIGH = "the distance is far too high; compare with its floor, and go by KID"
FEW = Wording(f"{{images}} images for {{features}} features: {_TOO_HIGH}", "compare.noted.few")
FEWER = Wording(f"{{images}} images for {{features}} features: its covariance is singular and {_TOO_HIGH}", "compare.noted.few")
NOTES = (GREY, BYTES, FEW, FEWER)

# Groups of measures in the order of the report's scoreboard, with the families that they are defined for.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "copy": ("ae", "vae"), "elbo": ("vae",), "samples": ("ae", "vae", "gan"), "codes": ("ae", "vae", "gan"),
}  # fmt: skip


class Measure(NamedTuple):
    """A number of scores.json."""

    name: str
    group: str  # in GROUPS; "" for what the scoreboard tells elsewhere
    unit: Wording
    better: Literal["lower", "higher", "near the floor"] | None = None  # None where no order is meant
    headline: bool = False  # in the table of handed-in reports; of those that are watched, the ones with a curve in every report
    panel: bool = False  # in figures of comparisons
    watched: Literal["log", "linear"] | None = None  # also measured while a run trains: the axis of its curve


MEASURES = (
    Measure("frechet", "samples", SQUARED_DISTANCE, "lower", headline=True, panel=True, watched="log"),
    Measure("kid", "samples", SQUARED_MMD, "lower", headline=True, panel=True, watched="log"),
    Measure("kid_fitted", "samples", SQUARED_MMD, "lower"),
    Measure("kid_mixture", "samples", SQUARED_MMD, "lower"),
    Measure("kid_posterior", "samples", SQUARED_MMD, "lower"),
    Measure("kid_reconstructions", "samples", SQUARED_MMD, "lower"),
    Measure("recall", "samples", SHARE_OF_NEIGHBOURS, "higher", headline=True, panel=True, watched="linear"),
    Measure("precision", "samples", SHARE_OF_NEIGHBOURS, "higher"),
    Measure("density", "samples", SHARE_OF_NEIGHBOURS, "higher"),
    Measure("coverage", "samples", SHARE_OF_NEIGHBOURS, "higher", panel=True),
    Measure("class_entropy_nats", "samples", NATS, "near the floor", watched="linear"),
    Measure("class_reverse_kl_nats", "samples", NATS, "lower", panel=True, watched="linear"),
    Measure("label_accuracy", "samples", SHARE, "higher", headline=True, panel=True),
    Measure("modes", "samples", MODES, "higher", headline=True, panel=True, watched="linear"),
    Measure("high_quality_share", "samples", SHARE, "higher", headline=True, panel=True, watched="linear"),
    Measure("ms_ssim", "samples", MS_SSIM_OF_PAIRS, "near the floor"),
    Measure("nearest_train_distance", "samples", ROOT_MEAN_SQUARE, "near the floor"),
    Measure("reconstruction_mse", "copy", SQUARED_ERROR, "lower", headline=True, panel=True),
    Measure("psnr", "copy", DECIBEL, "higher"),
    Measure("ssim", "copy", MEAN_SSIM, "higher"),
    Measure("negative_elbo_nats", "elbo", NATS_PER_IMAGE, "lower", headline=True, panel=True),
    Measure("reconstruction_nats", "elbo", NATS_PER_IMAGE),
    Measure("kl_nats", "elbo", NATS_PER_IMAGE, headline=True),
    Measure("nll_nats", "elbo", NATS_PER_IMAGE, "lower", panel=True),
    Measure("bits_per_dim", "elbo", BITS_PER_DIMENSION, "lower"),
    Measure("active_units", "", LATENT_UNITS, headline=True),
    Measure("knn_accuracy", "codes", SHARE_OF_NEIGHBOURS, "higher", headline=True),
    Measure("probe_accuracy", "codes", SHARE, "higher"),
)
BY_NAME = {measure.name: measure for measure in MEASURES}
COSTS = ("latent_dim", "parameters", "steps", "epochs", "images_seen", "seconds", "samples_per_second")


def base(score: str) -> tuple[str, str]:
    """The measure and the second extractor that saw it, "" for the first: "frechet@inception-v3" is ("frechet", "inception-v3")."""
    name, _, extractor = score.partition("@")
    return name, extractor


def better(score: str) -> Literal["lower", "higher"] | None:
    """Which way is better; None where no order is meant."""
    measure = BY_NAME.get(base(score)[0])
    return measure.better if measure and measure.better != "near the floor" else None


def ordered(scores: Iterable[str]) -> list[str]:
    """Scores in the table's order, unknown ones last; of one measure the first extractor's before the others'."""
    rank = {name: i for i, name in enumerate(BY_NAME)}
    return sorted(set(scores), key=lambda score: (rank.get(base(score)[0], len(rank)), base(score)))


def present(parts: Iterable[Mapping[str, Any]]) -> list[str]:
    """The scores that some run or group has, in order."""
    return ordered(name for part in parts for name in part["scores"])


def title(score: str, lang: str, entries: Iterable[Mapping[str, Any]] = ()) -> str:
    """A score's title with its unit, and the extractor that saw it: the one in its name, else that of its entries.

    What has no text goes by its own name.
    """
    name, second = base(score)
    key = f"compare.measure.{name}"
    words = text(key, lang) if key in catalogue(lang) else name
    return seen_by(words, second or next((entry["extractor"] for entry in entries if "extractor" in entry), "")).say(lang)


def extractor_words(identity: str) -> Phrase:
    """An extractor as a sentence says it; one that this version does not know by its own name."""
    key = f"extractor.{identity}"
    return Phrase(key) if key in catalogue("en") else Phrase("page.verbatim", {"words": identity})


def seen_by(measure: Phrase | str, extractor: str) -> Phrase:
    """A measure with who saw it: on the features of two extractors it has two scales. "" for one that needs no features."""
    if not extractor:
        return Phrase("page.verbatim", {"words": measure})
    return Phrase("measure.seen", {"measure": measure, "extractor": extractor_words(extractor)})


def unit_words(unit: str, lang: str) -> str:
    """A unit in a language; one of another version or program as it is written."""
    return _said(unit, (*(measure.unit for measure in MEASURES), SQUARED_GAP), lang)


def note_words(note: str, lang: str) -> str:
    """What was noted at a score, in a language; what another version or program noted as it is written."""
    return _said(note, NOTES, lang)


def sampled_words(score: Mapping[str, Any], lang: str) -> str | None:
    """How an NLL was sampled, and how far that can be trusted; None for a score of anything else."""
    sizes, tails = score.get("effective_samples"), score.get("pareto_k")
    if not sizes or not tails or None in sizes.values():
        return None
    told = {name: significant(size, lang, 2) for name, size in sizes.items()} | {"threshold": number(tails["threshold"], lang, 1)}
    return text("measure.nll_nats.sampled", lang, k=number(score["k"], lang), above=number(100 * tails["above"], lang), **told)


def _said(written: str, wordings: Iterable[Wording], lang: str) -> str:
    return next((phrase.say(lang) for wording in wordings if (phrase := wording.phrase(written))), written)


def panels(groups: Iterable[Mapping[str, Any]]) -> list[str]:
    """What has a panel in figures and some group has, each with its other extractors after it; training seconds come last."""
    names = {name for group in groups for name in (*group["scores"], *group["costs"])}
    drawn = [measure.name for measure in MEASURES if measure.panel]
    return [name for main in (*drawn, "seconds") for name in sorted(names) if base(name)[0] == main]


def score_of(group: Mapping[str, Any], measure: str) -> Mapping[str, Any] | None:
    """A group's score or cost by name; None where it is not defined."""
    score: Mapping[str, Any] | None = group["scores"].get(measure) or group["costs"].get(measure)
    return score


def reach(score: Mapping[str, Any]) -> tuple[float, float]:
    """How far the error bar goes below and above the value: one standard deviation over seeds, else the 95 % interval."""
    value = score["value"]
    if "sd" in score:
        return score["sd"], score["sd"]
    low, high = score.get("ci95", (value, value))
    return max(0.0, value - low), max(0.0, high - value)


# A measure's entry in scores.json: value, its error, its floor, its unit and how many images it is made of.

Entry = dict[str, Any]
Scores = dict[str, Entry]
Doubles = NDArray[np.float64]


def unit(name: str, **numbers: int) -> str:
    """The unit of a measure as scores.json holds it, with the numbers that it names."""
    return BY_NAME[name].unit.english.format(**numbers)


def mean_score(name: str, values: Doubles, **more: Any) -> Scores:
    """A measure as the mean of per-image values [N] with its standard error over the images. What is infinite is null."""
    known = {"unit": unit(name), "n": len(values), **more}
    if not np.isfinite(values).all():
        return {name: {"value": None, "ci95": [None, None]} | known}
    stderr = float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else 0.0
    return {name: {"value": float(values.mean()), "stderr": stderr} | known}


def estimate_score(name: str, estimate: Estimate, n: int, floor: float | None = None, *, k: int | None = None, **more: Any) -> Scores:
    """A measure as an estimate with its 95 % interval; `floor` is what real images reach, `k` a number that the unit names.

    What is infinite is null.
    """
    entry: Entry = {"value": finite(estimate.value), "ci95": [finite(estimate.low), finite(estimate.high)]}
    entry |= {"unit": unit(name) if k is None else unit(name, k=k, all=k), "n": n}
    if floor is not None:
        entry["floor"] = finite(floor)
    return {name: entry | {key: value for key, value in more.items() if value is not None}}


def measurements(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each measurement that a scores.json holds, the one that stands for the run first; none of an empty one."""
    first = {key: value for key, value in scores.items() if key != "others"}
    return [first, *scores.get("others", [])] if first else []


def finite(value: float) -> float | None:
    """The value, or None where JSON has no number for it."""
    return float(value) if math.isfinite(value) else None

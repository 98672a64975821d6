"""What a run sees of itself while it trains: pictures, held-out losses, cheap measures of codes and samples, and what is wrong.

The samples are seen by the data set's classifier if the cache has it when the run is created (a training run never waits for
one), else by random convolutions; environment.json pins which, and each line of metrics says it. scores.json, from many more
images, is the place for results.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from latentlab.base.images import Images, as_points, is_point
from latentlab.base.seeding import latents
from latentlab.config.networks import classes_of
from latentlab.config.parts import GANTrain, VAETrain
from latentlab.config.schema import Config
from latentlab.config.sources import parse
from latentlab.data import Data
from latentlab.measure.extractors import Extractor
from latentlab.measure.extractors.networks import cached_classifier, random_convolutions
from latentlab.measure.metrics.classes import active_units, entropy_nats, reverse_kl_nats, shares
from latentlab.measure.metrics.features import frechet_distance, kid, moments
from latentlab.measure.metrics.manifold import manifold
from latentlab.measure.metrics.pixels import mean_pair_distance
from latentlab.measure.points import PUBLISHED, watched
from latentlab.measure.quality import expected_shares
from latentlab.models.engine import Arrays, Engine, one_hot
from latentlab.models.gan import GANLearner
from latentlab.models.learner import Floats, Learner, decode, draw, encode
from latentlab.models.sampling import drawn_classes, of_classes
from latentlab.runs.diagnosis import Diagnosis, Finding
from latentlab.runs.diagnosis.sight import facts_of
from latentlab.show.figures import style
from latentlab.show.figures.plane import ARROWS, MESH, Box, Field, box_of, mesh, pairs_png, plane_png
from latentlab.train.plane import frame_of, head_of

SHOWN = 32  # held-out images whose reconstructions are kept
FOLLOWED, FOLLOWED_NUMBERS = 256, 16_384  # held-out images whose codes are kept at each step, and most numbers of their means
JUDGED, CHANGED = 16, 8  # real images and generated ones whose scores are kept, and of how many the gradient
HELD_OUT_BATCH = 500
CODED = 1_000  # val images whose codes are looked at
PAIRED = 256  # images whose pairs are compared pixel by pixel
NEIGHBOURS = 5
PLANE = 2_000  # held-out points of a picture
LEAST_REAL = 20  # val images without which nothing can be said of samples
LEAST_SHOWN = 64  # fewer samples say nothing of diversity
PER_FEATURE = 10  # images that a Gaussian fitted to D features needs for each of them


def _first(labels: NDArray[np.int64] | None, count: int) -> NDArray[np.int64] | None:
    """The first `count` of labels, if there are any."""
    return None if labels is None else labels[:count]


class Monitor:
    """The eyes of one run: on its networks at an evaluation, and on its rows of metrics, from which come the findings."""

    def __init__(self, config: Config, data: Data, engine: Engine, device: torch.device, environment: Mapping[str, Any]) -> None:
        self.config, self.data, self.engine, self.device = config, data, engine, device
        self.pinned = environment.get("watched_by")
        self.reference: Reference | None = None  # made at the first evaluation that draws samples
        self.class_shares = environment.get("class_shares") if classes_of(config.model) else None
        self.diagnosis = Diagnosis(facts_of(config, environment))
        self.told: list[tuple[str, int, bool]] = []  # findings that the run's consumer knows of

    @property
    def learner(self) -> Learner:
        """The networks as they are now."""
        return self.engine.twin()

    def samples(self, count: int) -> Images:
        """Images of the same z at every step, uint8 [count, H, W, C]."""
        return draw(self.learner, count, self.config.model.latent_dim, self.config.train.seed, self.device, self.class_shares)

    def encode(self, images: Images, labels: NDArray[np.int64] | None = None) -> tuple[Floats, Floats | None]:
        """Images uint8 [N, H, W, C], of classes [N] where a model is given them, to mean and standard deviation of their codes [N, Z]."""
        return encode(self.learner, images, self.device, labels)

    def decode(self, codes: Floats) -> Images:
        """Codes [N, Z] to images uint8 [N, H, W, C]."""
        return decode(self.learner, codes, self.device)

    def codes(self) -> Arrays:
        """Codes of the same held-out images at every step: mean [N, Z], of a VAE std [N, Z], and label [N] where they have some."""
        count = max(SHOWN, min(FOLLOWED, FOLLOWED_NUMBERS // self.config.model.latent_dim))
        labels = _first(self.data.val.labels, count)
        mean, std = self.encode(self.data.val.take(slice(count)), labels)
        return {"mean": mean} | ({} if std is None else {"std": std}) | ({} if labels is None else {"label": labels})

    def reconstructions(self, codes: Arrays) -> tuple[Images, Images]:
        """The same held-out images at every step, and what becomes of them: uint8 [N, H, W, C]. `codes` are theirs."""
        z = of_classes(codes["mean"][:SHOWN], _first(codes.get("label"), SHOWN), self.learner.classes)
        return self.data.val.take(slice(SHOWN)), decode(self.learner, z, self.device)

    def judged(self, made: Images) -> Arrays:
        """How a GAN's discriminator sees the same val images at every step and the first of `samples`: their logits, real and made [J].

        And gradient [G, H, W, C], −∂L/∂x of the generator's loss at the first of these, in 255 steps of its largest size.
        """
        learner, seed, images = cast(GANLearner, self.learner), self.config.train.seed, (made[:JUDGED], self.data.val.take(slice(JUDGED)))
        classes = drawn_classes(len(images[0]), seed, self.class_shares), _first(self.data.val.labels, JUDGED)
        labels = [one_hot(each, learner.classes, self.device) if learner.classes and each is not None else None for each in classes]
        x, real = (torch.from_numpy(each).to(self.device) for each in images)
        logits, moves = learner.field(x, real, labels)
        known = learner.held_out(real, seed, 0, labels[1])["real_logit"]
        steps = (127 * moves[:CHANGED] / moves[:CHANGED].abs().max().clamp_min(1e-30)).nan_to_num().round().permute(0, 2, 3, 1)
        return {"real": known.cpu().numpy(), "made": logits.cpu().numpy(), "gradient": steps.to(torch.int8).cpu().numpy()}

    def half(self) -> Arrays | None:
        """As `judged`, with images [J, H, W, C] of the generator as it trains, not of its average; None but for a GAN of images."""
        learner, size, seed = self.learner, self.config.model.latent_dim, self.config.train.seed
        if not isinstance(learner, GANLearner) or is_point(self.data.shape):
            return None
        z = of_classes(latents(JUDGED, size, seed), drawn_classes(JUDGED, seed, self.class_shares), learner.classes)
        made = learner.decode(torch.from_numpy(z).to(self.device), averaged=False).cpu().numpy()
        learner.networks["generator"].train()  # as it was
        return self.judged(made) | {"images": made}

    def scatter(self) -> tuple[bytes, bytes | None]:
        """Pictures of points: generated ones of the same z at every step among real ones, and held-out ones with what becomes of them."""
        real, color = self.data.val.take(slice(PLANE)), style.FAMILY[self.config.kind]
        made, box = self.samples(self.config.train.sample_count), box_of(real)
        picture = plane_png(box, real, made, self.field(made, box), color)
        if self.config.family == "gan":
            return picture, None
        some = real[: self.config.train.sample_count]
        return picture, pairs_png(box, some, self.decode(self.encode(some)[0]), color)

    @cached_property
    def head(self) -> NDArray[Any]:
        """What `runs/frames.py` keeps of the plane once."""
        return head_of(self.data.val)

    def frame(self) -> NDArray[Any]:
        """What it keeps of the networks as they are now, without the step."""
        return frame_of(self.learner, self.head, self.config.model.latent_dim, self.config.train.seed, self.device)

    def field(self, made: Images, box: Box) -> Field | None:
        """How the discriminator sees the plane, and where it sends the first of some generated points; None without one."""
        if not isinstance(self.learner, GANLearner):
            return None
        real, asked = (torch.from_numpy(points).to(self.device) for points in (self.data.val.take(slice(CODED)), as_points(mesh(box))))
        logits, _ = self.learner.field(asked, real)
        _, moves = self.learner.field(torch.from_numpy(made[:ARROWS]).to(self.device), real)
        return Field(logits.cpu().numpy().reshape(MESH, MESH), moves.cpu().numpy().reshape(-1, 2))

    def evaluate(self) -> dict[str, Any]:
        """Means over the val images, and what else is looked at: a VAE's active units, the diversity of a GAN's samples."""
        val, sums, classes = self.data.val, dict[str, float](), self.learner.classes
        for start in range(0, len(val), HELD_OUT_BATCH):
            images = torch.from_numpy(val.take(slice(start, start + HELD_OUT_BATCH))).to(self.device)
            some = val.labels[start : start + HELD_OUT_BATCH] if classes and val.labels is not None else None
            labels = [] if some is None else [one_hot(some, classes, self.device)]
            for name, values in self.learner.held_out(images, self.config.train.seed, start, *labels).items():
                sums[name] = sums.get(name, 0.0) + float(values.cpu().double().sum())
        means: dict[str, Any] = {name: total / len(val) for name, total in sums.items()}
        if is_point(self.data.shape):
            count = getattr(self.config.train, "measure_samples", PUBLISHED)
            if min(count, len(val)) >= LEAST_SHOWN:
                means |= watched(self.samples(count), val.take(slice(count)), parse(self.config.data.spec).source.mixture)
        match self.config.train:
            case VAETrain():
                means["active_units"] = active_units(self.encode(val.take(slice(CODED)), _first(val.labels, CODED))[0])
            case GANTrain(measure_samples=count) if count >= LEAST_SHOWN and len(val) >= LEAST_REAL and not is_point(self.data.shape):
                extractor = pinned_extractor(self.data, self.pinned) if self.reference is None else None
                if extractor is not None:
                    self.reference = Reference(self.data, count, extractor)
                if self.reference is not None:
                    means |= self.reference.compared(self.samples(count))
        return means

    def news(self) -> tuple[Finding, ...] | None:
        """The findings, if the list is another than what was told last; None if not. Numbers that moved are no news."""
        findings = tuple(self.diagnosis.findings())
        before, self.told = self.told, [(finding.key, finding.since_step, finding.over) for finding in findings]
        return None if self.told == before else findings


def extractor_for(data: Data) -> Extractor:
    """What will look at the samples of a new run: the classifier if the cache has it, else random convolutions."""
    return cached_classifier(data) or random_convolutions(data.shape[2])


def pin(extractor: Extractor) -> dict[str, str]:
    """An extractor as environment.json names it."""
    return {"identity": extractor.identity, "sha256": extractor.sha256}


def pinned_extractor(data: Data, pinned: Mapping[str, Any] | None) -> Extractor | None:
    """The extractor that a run's environment names; None when it is not to be had any more, so that no curve mixes two."""
    candidates = (cached_classifier(data), random_convolutions(data.shape[2])) if pinned else ()
    return next((extractor for extractor in candidates if extractor is not None and pin(extractor) == pinned), None)


class Reference:
    """Val images as an extractor sees them, to hold samples against."""

    def __init__(self, data: Data, samples: int, extractor: Extractor) -> None:
        real = data.val.take(slice(max(1_000, 2 * samples)))
        self.extractor = extractor
        self.features = extractor(real).features
        self.real_pair_distance = mean_pair_distance(real[:PAIRED])
        self.shares = expected_shares(data, "val", data.val.labels)

    def compared(self, images: Images) -> dict[str, Any]:
        """Measures of samples uint8 [N, H, W, C] against the val images."""
        seen = self.extractor(images)
        values: dict[str, Any] = {
            "extractor": self.extractor.identity,
            "samples": len(images),
            "pair_distance": mean_pair_distance(images[:PAIRED]),
            "real_pair_distance": self.real_pair_distance,
        }
        if not np.isfinite(seen.features).all():
            return values
        values["kid"] = kid(seen.features, self.features, self.extractor.unit(self.features))
        fewest = min(len(images), len(self.features))
        if fewest > NEIGHBOURS:
            values["recall"] = manifold(self.features, seen.features, NEIGHBOURS).recall
        if fewest >= PER_FEATURE * self.extractor.dimensions:
            values["frechet"] = frechet_distance(moments(seen.features), moments(self.features))
        if seen.labels is not None and self.shares is not None:
            drawn = shares(seen.labels, len(self.shares))
            values["class_entropy_nats"] = entropy_nats(drawn)
            values["class_reverse_kl_nats"] = reverse_kl_nats(drawn, self.shares)
        return values

"""What a diagnosis needs to know of a run beside its rows of metrics."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from latentlab.config.schema import Config


def setting(default: Any, *names: str) -> Any:
    """A fact that is a field of the configuration, by its dotted name in one family or another."""
    return field(default=default, metadata={"settings": names})


@dataclass(frozen=True)
class Facts:
    """A run's configuration and data as far as verdicts and remedies depend on them."""

    family: str  # "ae", "vae" or "gan"
    latent_dim: int = setting(32, "model.latent_dim")
    learning_rate: float = setting(1e-3, "train.learning_rate", "train.generator_learning_rate")  # a GAN's is its generator's
    discriminator_learning_rate: float = setting(0.0, "train.discriminator_learning_rate")
    beta: float = setting(1.0, "train.beta")
    beta_warmup_steps: int = setting(0, "train.beta_warmup_steps")
    loss: str = setting("", "train.loss")  # a name in GAMES
    label_smoothing: float = setting(1.0, "train.label_smoothing")  # the target of real images
    normalization: str = setting("", "model.discriminator_normalization")
    activation: str = setting("relu", "model.activation")
    generator_updates: int = setting(1, "train.generator_updates")
    discriminator_updates: int = setting(1, "train.discriminator_updates")
    generator_frozen_images: int = setting(0, "train.generator_frozen_images")
    train_limit: int | None = setting(None, "data.train_images")
    own_loss: bool = False  # whether what is minimised is somebody's own
    train_images: int = 0  # how many are learned from; 0: unknown
    classes: int = 0
    pair_distance: float | None = None  # mean RMS pixel distance, in [0, 1], of pairs of training images

    @property
    def measured_only(self) -> bool:
        """Whether the loss in nats is measured and something else minimised: a VAE's with a discriminator."""
        return self.family == "vae" and bool(self.loss)

    def changed(self, settings: Mapping[str, Any]) -> Facts:
        """With fields of the configuration by their dotted names, as a request's line of metrics has them; others are no facts."""
        facts = {name: item.name for item in dataclasses.fields(self) for name in item.metadata.get("settings", ())}
        return dataclasses.replace(self, **{facts[name]: value for name, value in settings.items() if name in facts})


def facts_of(config: Config, environment: Mapping[str, Any]) -> Facts:
    """The facts of a run from its config.json and environment.json; what an old environment lacks is unknown."""
    data = Facts(
        family=config.family,
        own_loss="loss" in dict(config.own),
        train_images=int((environment.get("images") or {}).get("train") or 0),
        classes=len(environment.get("class_names") or ()),
        pair_distance=environment.get("pair_distance"),
    )
    values = {f"{name}.{key}": value for name, part in config.parts() for key, value in vars(part).items()}
    if config.is_judged:  # one rate for all three, and the published game
        values |= {"train.loss": "non-saturating", "train.discriminator_learning_rate": values["train.learning_rate"]}
    known = data.changed(values)
    return dataclasses.replace(known, loss="") if "step" in dict(config.own) else known  # a game that nobody knows


# What the rows of metrics so far show, in a few numbers: fed row by row, so that a long run costs no more at its end.
#
# Everything here is a function of the rows alone, in their order: a resumed run, which reads them back, sees the same.

# Lines of metrics may come every step or every hundred: they are judged as means over at least so many steps, because a
# single batch says little (a healthy GAN, logits of real and generated images: 3.6 apart at most over 20 steps, 5.2 over 5).
WINDOW_STEPS = 20
GROWTH = 1.25  # samples count as more varied than before when their distances have grown by a quarter
LOST_RECALL, HAD_RECALL = 0.1, 0.3  # recall is lost below a tenth of what it was, when that was at least 0.3
FALL = 0.995  # a val loss counts as a new lowest when it is half a percent lower: less is the noise of one sampled z an image
LEARNED = ("generator_loss", "discriminator_loss", "real_logit", "fake_logit", "gradient_norm", "loss_nats")


@dataclass
class Window:
    """Means of train lines over `last` − `first` steps."""

    first: int = 0
    last: int = 0
    sums: dict[str, tuple[float, int]] = field(default_factory=dict)  # of finite values times their steps, and the steps

    def add(self, row: Mapping[str, Any], steps: int) -> None:
        """Take in a line that is the mean of so many steps."""
        self.last += steps
        for name in (*LEARNED, "reconstruction_nats", "kl_nats"):
            if (value := number(row, name)) is not None:
                total, over = self.sums.get(name, (0.0, 0))
                self.sums[name] = total + value * steps, over + steps

    def mean(self, name: str) -> float | None:
        """The mean of a metric; None where no line had a finite one."""
        if name not in self.sums:
            return None
        total, over = self.sums[name]
        return total / over


class Sight:
    """The state of a diagnosis after some rows."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.row: Mapping[str, Any] = {}  # the last line with losses
        self.step = 0
        self.val: Mapping[str, Any] = {}  # the last evaluation
        self.start: float | None = None  # the objective at the first evaluation
        self.window: Window | None = None  # the last whole window
        self.open = Window()
        self.lowest: tuple[float, int] | None = None  # val objective, step
        self.evaluations_since_lowest = 0
        self.widest: tuple[float, int] = (0.0, 0)  # the samples' share of the real pair distance, and the step of its last growth
        self.richest: tuple[float, int] = (0.0, 0)  # the class entropy likewise
        self.fullest: tuple[float, int] = (0.0, 0)  # a VAE's KL likewise
        self.best_recall = 0.0
        self.lost_at: int | None = None  # the evaluation since which recall is lost
        self.released = facts.generator_frozen_images == 0
        self.released_step = 0

    def take(self, row: Mapping[str, Any]) -> set[str]:
        """Take in the next line; what is new after it: "row", "val", "window"."""
        request = row.get("request")
        if isinstance(request, Mapping):
            if request.get("action") == "set" and isinstance(request.get("set"), Mapping):
                self.facts = self.facts.changed(request["set"])
            return set()
        self.row, self.step = row, int(row.get("step", 0))
        if not self.released and row.get("images_seen", 0) >= self.facts.generator_frozen_images:
            self.released, self.released_step, self.open = True, self.step, Window(self.step, self.step)
        if "failure" in row:
            return {"row"}
        if row.get("split") == "val":
            self._evaluated(row)
            return {"row", "val"}
        return {"row", "window"} if self._trained(row) else {"row"}

    def _evaluated(self, row: Mapping[str, Any]) -> None:
        self.val = row
        if (loss := objective(row)) is not None:
            self.start = loss if self.start is None else self.start
            if self.lowest is None or loss < FALL * self.lowest[0]:
                self.lowest, self.evaluations_since_lowest = (loss, self.step), 0
            else:
                self.evaluations_since_lowest += 1
        if (spread := self.spread) is not None and spread > max(GROWTH * self.widest[0], 1e-3):
            self.widest = spread, self.step
        if (entropy := number(row, "class_entropy_nats")) is not None and entropy > max(GROWTH * self.richest[0], 1e-3):
            self.richest = entropy, self.step
        if (kl := number(row, "kl_nats")) is not None and kl > max(GROWTH * self.fullest[0], 1e-3):
            self.fullest = kl, self.step if self.fullest[0] else -1  # the first value has not grown
        if (recall := number(row, "recall")) is not None:
            self.best_recall = max(self.best_recall, recall)
            lost = self.best_recall >= HAD_RECALL and recall < LOST_RECALL * self.best_recall
            self.lost_at = (self.step if self.lost_at is None else self.lost_at) if lost else None

    def _trained(self, row: Mapping[str, Any]) -> bool:
        """Whether a window is whole with this line."""
        if row.get("split") != "train" or self.step <= self.open.last:
            return False
        self.open.add(row, self.step - self.open.last)
        if self.open.last - self.open.first < WINDOW_STEPS:
            return False
        self.window, self.open = self.open, Window(self.open.last, self.open.last)
        return True

    @property
    def spread(self) -> float | None:
        """How far apart pairs of samples are in the last evaluation, as a share of the real images' distance."""
        samples, real = number(self.val, "pair_distance"), number(self.val, "real_pair_distance")
        return samples / real if samples is not None and real else None

    def travelled(self, distance: float, least: int) -> int:
        """The steps in which Adam can move a weight by `distance`: it goes about one learning rate an update (Kingma & Ba 2015,
        section 2.1). A network that has gone less is still the one it started as, however many epochs it took."""
        a_step = self.facts.learning_rate * self.facts.generator_updates
        return max(least, math.ceil(distance / a_step)) if a_step > 0 else least


def objective(row: Mapping[str, Any] | Window) -> float | None:
    """What is minimised, in nats per image, with β = 1 whatever the run's β is; None where a line has none."""
    value = row.mean if isinstance(row, Window) else lambda name: number(row, name)
    reconstruction, kl = value("reconstruction_nats"), value("kl_nats")
    return value("loss_nats") if reconstruction is None or kl is None else reconstruction + kl


def number(row: Mapping[str, Any], name: str) -> float | None:
    """A finite value of a row; None for one that is absent or, as the file writes it, null."""
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None

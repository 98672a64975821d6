"""Each thing that can go wrong as a symptom in the rows: a function of what the rows show, and how long it must last.

Thresholds were set on runs of every preset, healthy ones (digits, MNIST, drawn pictures; some 20 to 1,100 steps; latent 2
to 64) and spoilt ones, between what the two showed: `healthy` and `spoilt` below are the nearest values of each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from latentlab.config import GAMES
from latentlab.runs.diagnosis.sight import WINDOW_STEPS, Facts, Sight, number, objective

COLLAPSED_KL_NATS = 0.5  # healthy ≥ 4.7 from step 10 on (β = 4: 1.4), spoilt (β = 50) ≤ 0.15; users meet 4e-7 (WorldModels#12)
DEAD_SHARE = 1 / 16  # of the units; healthy ≥ 5 of 32: at 50 units a good VAE has 20 active ones (Burda et al. 2016, table 1)
# Of the real images' pair distance (pairs as in Odena et al. 2017, section 4.2, but pixel by pixel, so that any size will do):
SAME_SHARE, ALIKE_SHARE = 0.01, 0.1  # healthy ≥ 0.045 when looked at soon, ≥ 0.72 later; spoilt (one output) 0
FEW_CLASSES = 0.5  # of ln K: fewer than √K classes, evenly drawn; healthy ≥ 0.95
LOST_LOSS = 1.05  # of chance's, which is the discriminator's loss when it says 0 to everything
BEATEN_LOSS = 2.0  # of chance's: here one window is enough; healthy ≤ 1.3, spoilt (batch norm, 748 paintings) ≥ 4.4
OVERSHOT_GAP, OVERSHOT_LOSS = 2.0, 0.7  # the loss as a share of chance's; see discriminator_overshoots
VANISHED = 1e-4  # of the loss (at least 1): healthy ≥ 0.047, spoilt (learning rate 0.05 and up) 0
EXPLODED_START = 2.0  # of the first val loss; healthy ≤ 1, spoilt ≥ 4
EXPLODED_NORM = 100.0  # a GAN's generator; healthy ≤ 7.5, spoilt (conv-gan, discriminator 100 times too fast) ≥ 114
NOT_CARRIED = 0.04  # see over_fitting
CONSTANT_DISTANCE = 0.02  # RMS in [0, 1], five grey levels; healthy (digits, MNIST, drawings) ≥ 0.3, spoilt ≤ 0.005

# How far Adam must have been able to move a weight before a symptom counts: below, a fresh network looks the same.
SOON, MIDWAY, LATER = 0.02, 0.05, 0.1


class Symptom(NamedTuple):
    """What is seen: which sign of it (a key may show in several ways), with the numbers; `since` where it began earlier."""

    evidence: dict[str, float | int]
    sign: str = ""
    since: int | None = None


class Rule(NamedTuple):
    """A key, the kind of row after which it is looked for, how many steps it must last, and how it is seen."""

    key: str
    when: str  # "row", "val" or "window"
    seen: Callable[[Sight], Symptom | None]
    lasting_steps: Callable[[Sight], int] = lambda sight: 0


def not_finite(sight: Sight) -> Symptom | None:
    """A loss, a logit or a gradient that is no number (null in the file), or the update that was refused for it."""
    named = ("loss_nats", "mse", "generator_loss", "discriminator_loss", "real_logit", "fake_logit", "gradient_norm")
    if "failure" not in sight.row and not any(name in sight.row and number(sight.row, name) is None for name in named):
        return None
    rates = {"learning_rate": max(sight.facts.learning_rate, sight.facts.discriminator_learning_rate)}
    return Symptom(rates, "refused" if "failure" in sight.row else "seen")


def constant_data(sight: Sight) -> Symptom | None:
    """Training images (or, for an older GAN run, held-out ones) that hardly differ: there is nothing to model."""
    distance = sight.facts.pair_distance
    if distance is None:
        distance = number(sight.val, "real_pair_distance")
    return Symptom({"pair_distance": distance}) if distance is not None and distance < CONSTANT_DISTANCE else None


def posterior_collapse(sight: Sight) -> Symptom | None:
    """The code says nothing of the image: KL(q(z|x) ‖ p(z)) near 0 and no active unit (Burda et al. 2016, section 5.2).

    While β warms up, and while it still grows, the KL is no verdict: a small network takes its time.
    """
    kl, active = number(sight.val, "kl_nats"), number(sight.val, "active_units")
    if kl is None or kl >= COLLAPSED_KL_NATS or active or sight.step < sight.facts.beta_warmup_steps:
        return None
    if sight.fullest[1] == sight.step:
        return None
    return Symptom({"kl_nats": kl, "latent_dim": sight.facts.latent_dim, "beta": sight.facts.beta})


def dead_units(sight: Sight) -> Symptom | None:
    """Nearly every latent unit rests although some carry information. That a part rests is what a VAE does."""
    active, latent = number(sight.val, "active_units"), sight.facts.latent_dim
    if not active or active > DEAD_SHARE * latent or sight.step < sight.facts.beta_warmup_steps:
        return None
    return Symptom({"active_units": int(active), "latent_dim": latent, "beta": sight.facts.beta})


def mode_collapse(sight: Sight) -> Symptom | None:
    """Samples that are all alike, fall into few classes, or no longer cover what they covered.

    A fresh generator's samples are alike too, but grow apart; so what is still growing is not called.
    """
    spread, recall = sight.spread, number(sight.val, "recall")
    if spread is None or not sight.released:
        return None
    seen: dict[str, float | int] = {"spread": spread}
    start = sight.released_step
    if spread < ALIKE_SHARE and _stalled(sight, sight.widest[1], SOON if spread < SAME_SHARE else LATER):
        return Symptom(seen, "alike", max(start, sight.widest[1]))
    entropy, classes = number(sight.val, "class_entropy_nats"), sight.facts.classes
    if entropy is not None and classes > 2 and entropy < FEW_CLASSES * math.log(classes) and _stalled(sight, sight.richest[1], LATER):
        seen |= {"class_entropy_nats": entropy, "even_entropy_nats": math.log(classes), "classes": classes}
        return Symptom(seen, "classes", max(start, sight.richest[1]))
    if recall is not None and sight.lost_at is not None and _stalled(sight, sight.lost_at, SOON):
        return Symptom(seen | {"recall": recall, "best_recall": sight.best_recall}, "lost", max(start, sight.lost_at))
    return None


def _stalled(sight: Sight, grown_at: int, distance: float) -> bool:
    return sight.step - max(sight.released_step, grown_at) >= sight.travelled(distance, 2 * WINDOW_STEPS)


def discriminator_wins(sight: Sight) -> Symptom | None:
    """Real and generated images so far apart in logits that both losses are flat: it is not a game any more.

    What counts as won is declared with each loss (`GAMES`). The hinge loss (Lim & Ye 2017) is flat from a gap of 2 on (margins
    ±1); windows of 20 steps: healthy ≤ 3.6, spoilt (a discriminator that learns 100 times too fast) 2.3 to 29, where those
    below 5 lose nothing (a loss of 0, healthy ≥ 0.21 of chance's) or overshoot. The non-saturating discriminator at a gap of
    15, ±7.5, has a loss of 0.001 and its gradient goes to 0; healthy ≤ 2.6, spoilt ≥ 60 (the loss of 0 against 100 that users
    report: pytorch/examples#822).
    """
    seen = _window_of_game(sight)
    return Symptom(seen) if seen and GAMES[sight.facts.loss].won(seen["gap"], seen["discriminator_loss"]) else None


def discriminator_overshoots(sight: Sight) -> Symptom | None:
    """Its loss is near chance although real and generated images are far apart on average: it swings from side to side.

    At a steady gap of 2 its loss would be 0 (hinge) or 0.63 (non-saturating): whoever pays so much more is badly wrong in
    between. Windows with that gap: healthy ≤ 0.61 of chance's loss (the first 20 steps), spoilt ≥ 0.79. With smoothed labels
    (Salimans et al. 2016) nobody pays less than their entropy, 0.33 for 0.9, which counts as nothing.
    """
    seen = _window_of_game(sight)
    if seen is None or not OVERSHOT_GAP < seen["gap"] <= GAMES[sight.facts.loss].won_gap:
        return None
    target = sight.facts.label_smoothing
    least = -target * math.log(target) - (1 - target) * math.log(1 - target) if target < 1 else 0.0
    return Symptom(seen) if seen["discriminator_loss"] - least > OVERSHOT_LOSS * (seen["chance"] - least) else None


def discriminator_loses(sight: Sight) -> Symptom | None:
    """It takes generated images for more real than real ones and its loss is above chance: the generator is led nowhere.

    A loss at chance with equal logits is how a good game ends, and is not called.
    """
    seen = _window_of_game(sight)
    return Symptom(seen) if seen and seen["gap"] < 0 and seen["discriminator_loss"] >= LOST_LOSS * seen["chance"] else None


def _lost_for(sight: Sight) -> int:
    """A fresh discriminator may stand a little above chance for a while; one that is badly beaten is called at once."""
    seen = _window_of_game(sight)
    return 0 if seen and seen["discriminator_loss"] >= BEATEN_LOSS * seen["chance"] else sight.travelled(MIDWAY, 2 * WINDOW_STEPS)


def _window_of_game(sight: Sight) -> dict[str, float | int] | None:
    """The discriminator's side of the last window; None for what is no GAN and while the generator is held."""
    game = GAMES.get(sight.facts.loss)
    if sight.window is None or not sight.released or game is None or not game.chance_nats:  # a distance has no chance level
        return None
    real, fake, loss = (sight.window.mean(name) for name in ("real_logit", "fake_logit", "discriminator_loss"))
    if real is None or fake is None or loss is None:
        return None
    return {"real_logit": real, "fake_logit": fake, "gap": real - fake, "discriminator_loss": loss, "chance": game.chance_nats}


def vanishing_gradient(sight: Sight) -> Symptom | None:
    """No gradient reaches the network (a GAN's generator): it stays as it is, good or bad."""
    window = sight.window
    norm, loss = (window.mean("gradient_norm"), window.mean("loss_nats")) if window else (None, None)
    if norm is None or norm >= VANISHED * max(1.0, abs(loss or 0.0)):
        return None
    return Symptom({"gradient_norm": norm, "learning_rate": sight.facts.learning_rate})


def exploding_gradient(sight: Sight) -> Symptom | None:
    """Steps that throw the network about: a loss above what it was before any training, or a generator's huge gradient."""
    window = sight.window
    norm = window.mean("gradient_norm") if window else None
    if window is None or norm is None:
        return None
    rates = {"gradient_norm": norm, "learning_rate": max(sight.facts.learning_rate, sight.facts.discriminator_learning_rate)}
    loss = objective(window)
    if loss is None:
        return Symptom(rates, "generator") if norm > EXPLODED_NORM else None
    if sight.start is None or loss <= EXPLODED_START * sight.start:
        return None
    return Symptom(rates | {"loss_nats": loss, "start_nats": sight.start}, "loss")


def over_fitting(sight: Sight) -> Symptom | None:
    """Of what was learned on training images, a part that does not carry over, while the val loss falls no more.

    The part is (val − train) / (start − train), which no likelihood's floor and no scale enters; healthy ≤ 0.01 (100 epochs
    of digits), spoilt (60 images) ≥ 0.07. And the val loss is not lowest now (Prechelt 1998), by half a percent, for a quarter
    of the run and two evaluations: learning 240 drawings by heart (0.3) is no harm while held-out ones still gain.
    """
    train, val = objective(sight.window) if sight.window else None, objective(sight.val)
    if sight.facts.measured_only or train is None or val is None or sight.start is None or sight.lowest is None or sight.start <= train:
        return None
    share, (lowest, at) = (val - train) / (sight.start - train), sight.lowest
    if share < NOT_CARRIED or sight.evaluations_since_lowest < 2 or 3 * sight.step < 4 * at:
        return None
    seen = {"val_nats": val, "train_nats": train, "lowest_nats": lowest, "best_step": at, "train_images": sight.facts.train_images}
    return Symptom(seen, since=at)


RULES = (
    Rule("not_finite", "row", not_finite),
    Rule("constant_data", "row", constant_data),
    Rule("exploding_gradient", "window", exploding_gradient),
    Rule("vanishing_gradient", "window", vanishing_gradient),
    Rule("discriminator_wins", "window", discriminator_wins),
    Rule("discriminator_overshoots", "window", discriminator_overshoots),
    Rule("discriminator_loses", "window", discriminator_loses, _lost_for),
    Rule("posterior_collapse", "val", posterior_collapse, lambda sight: sight.travelled(SOON, WINDOW_STEPS)),
    Rule("dead_units", "val", dead_units, lambda sight: sight.travelled(LATER, 5 * WINDOW_STEPS)),
    Rule("mode_collapse", "val", mode_collapse),
    Rule("over_fitting", "val", over_fitting),
)
KEYS = tuple(rule.key for rule in RULES)
NOT_CAUSED_BY_CONSTANT_DATA = ("not_finite", "constant_data", "exploding_gradient", "vanishing_gradient")


# The one thing to change: which of a key's remedies fits the configuration, and the numbers that it names.

USUAL_RATE = 1e-3  # Adam's own default (Kingma & Ba 2015) and that of every AE and VAE preset
HIGH_RATE = 0.01
UNEQUAL = 2.0  # one side's learning rate is to blame when it is more than twice the other's
Changes = dict[str, float | int]


def remedy_of(key: str, sign: str, evidence: Mapping[str, float | int], facts: Facts) -> tuple[str, Changes]:
    """The name of a remedy, whose text is diagnosis.KEY.remedy.NAME, and `from` and `to` where it changes a number."""
    match key:
        case "not_finite" | "posterior_collapse" | "dead_units" if facts.own_loss:
            return "own_loss", {}
        case "not_finite" | "exploding_gradient":
            return _slower(facts)
        case "vanishing_gradient" if facts.learning_rate > HIGH_RATE or facts.discriminator_learning_rate > HIGH_RATE:
            return _slower(facts)
        case "vanishing_gradient":
            return ("elu", {}) if facts.activation != "elu" else _slower(facts)
        case "posterior_collapse" if facts.beta > 1 or facts.beta_warmup_steps:
            return _less_kl(facts)
        case "posterior_collapse":
            return "warmup", {"to": 1000}
        case "dead_units" if facts.beta > 1:
            return _less_kl(facts)
        case "dead_units":
            return "latent", _change(facts.latent_dim, max(2, 2 * int(evidence["active_units"])))
        case "mode_collapse" | "discriminator_wins" | "discriminator_overshoots" | "discriminator_loses" if facts.normalization == "batch":
            return "no_batch_norm", {}
        case "mode_collapse" if facts.normalization != "spectral":
            return "spectral", {}
        case "mode_collapse":
            return "generator_rate", _change(facts.learning_rate, _lower(facts.learning_rate, 4))
        case "discriminator_wins" | "discriminator_overshoots" | "discriminator_loses" if facts.measured_only:
            return (
                _slower(facts) if facts.normalization == "spectral" else ("spectral", {})
            )  # a VAE's has no rate and no updates of its own
        case "discriminator_wins" | "discriminator_overshoots":
            return _weaker_discriminator(facts)
        case "discriminator_loses":
            return _stronger_discriminator(facts)
        case "over_fitting":
            return ("more_images", {"from": facts.train_limit}) if facts.train_limit else ("stop", {"to": evidence["best_step"]})
        case _:
            return "other_images", {}


def _change(before: float | int, after: float | int) -> Changes:
    return {"from": before, "to": after}


def _lower(rate: float, times: int) -> float:
    return USUAL_RATE if rate > HIGH_RATE else rate / times


def _slower(facts: Facts) -> tuple[str, Changes]:
    """A lower learning rate of what learns fastest: the usual one, or a tenth where it is not above that."""
    slow = facts.discriminator_learning_rate <= facts.learning_rate
    rate = facts.learning_rate if slow else facts.discriminator_learning_rate
    which = "rate" if facts.family != "gan" else "generator_rate" if slow else "discriminator_rate"
    return which, _change(rate, _lower(rate, 10))


def _less_kl(facts: Facts) -> tuple[str, Changes]:
    if facts.beta > 1:
        return "beta", _change(facts.beta, 1)
    return "longer_warmup", _change(facts.beta_warmup_steps, 4 * facts.beta_warmup_steps)


def _weaker_discriminator(facts: Facts) -> tuple[str, Changes]:
    rate = facts.discriminator_learning_rate
    if rate > UNEQUAL * facts.learning_rate:
        return "discriminator_rate", _change(rate, facts.learning_rate)
    if facts.discriminator_updates > 1:
        return "discriminator_updates", _change(facts.discriminator_updates, 1)
    if facts.normalization != "spectral":
        return "spectral", {}
    return "discriminator_rate", _change(rate, _lower(rate, 4))


def _stronger_discriminator(facts: Facts) -> tuple[str, Changes]:
    rate = facts.discriminator_learning_rate
    if UNEQUAL * rate < facts.learning_rate:
        return "discriminator_rate", _change(rate, facts.learning_rate)
    if facts.generator_updates > 1:
        return "generator_updates", _change(facts.generator_updates, 1)
    return "discriminator_updates", _change(facts.discriminator_updates, facts.discriminator_updates + 1)

"""The one thing to change: which of a key's remedies fits the configuration, and the numbers that it names."""

from __future__ import annotations

from collections.abc import Mapping

from latentlab.diagnosis.facts import Facts

USUAL_RATE = 1e-3  # Adam's own default (Kingma & Ba 2015) and that of every AE and VAE preset
HIGH_RATE = 0.01
UNEQUAL = 2.0  # one side's learning rate is to blame when it is more than twice the other's
Changes = dict[str, float | int]


def remedy_of(key: str, sign: str, evidence: Mapping[str, float | int], facts: Facts) -> tuple[str, Changes]:
    """The name of a remedy, whose text is diagnosis.KEY.remedy.NAME, and `from` and `to` where it changes a number."""
    match key:
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
        case "mode_collapse" if facts.normalization != "spectral":
            return "spectral", {}
        case "mode_collapse":
            return "generator_rate", _change(facts.learning_rate, _lower(facts.learning_rate, 4))
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

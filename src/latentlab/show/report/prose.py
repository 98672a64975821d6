"""What the numbers say: the summary, and each family's strengths and limits. Every sentence is chosen by a comparison.

A usual claim that these runs contradict, or do not settle, is said to be so.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from latentlab.base.texts import catalogue, duration, measured
from latentlab.show.report.context import QUIET_NATS, Context, Facts, Verdict, verdict
from latentlab.show.report.markup import escape, tag

RARE = 0.1  # a class is called missing when samples have less than a tenth of its real share


def summary(c: Context) -> str:
    """The results in a few sentences, before anything else."""
    lines: list[str] = []
    if found := _against(c, "ae", "vae", "reconstruction_mse"):
        values = {kind: c.measured(c.role(kind) or kind, "reconstruction_mse") for kind in ("ae", "vae")}
        lines.append(c.say(f"summary.reconstruct.{found}", **values))
    if said := _sample_distances(c):
        lines.append(said)
    ranked = _ranked(c, "edge_step")
    if ranked and c.real_edges:
        each = c.list([f"{c.name(name)} {c.percent(value / c.real_edges.value)}\u00a0%" for name, value in ranked])
        lines.append(c.say("summary.edges", each=each))
    seconds = sum(facts.seconds for facts in c.facts.values())
    each = c.list([f"{c.name(name)} {duration(facts.seconds, c.lang)}" for name, facts in c.facts.items()])
    lines.append(c.say("summary.time", total=duration(seconds, c.lang), each=each))
    return tag("ul", *(tag("li", line) for line in lines), class_="summary")


def _sample_distances(c: Context) -> str | None:
    """How far each run's samples are from real images: by KID where images are too few for a Frechet distance."""
    frechet = [found for facts in c.facts.values() if (found := facts.score("frechet"))]
    measure = "frechet" if frechet and not any(found.note for found in frechet) else "kid"
    ranked = _ranked(c, measure)
    if len(ranked) < 2:
        return None
    each = c.list([f"{c.name(name)} {c.figures(value, 3)}" for name, value in ranked])
    return c.say("summary.samples", measure=c.plain(f"summary.{measure}"), each=each)


def _ranked(c: Context, score: str) -> list[tuple[str, float]]:
    """The runs that have a score, lowest first."""
    found = [(name, s.value) for name, facts in c.facts.items() if (s := facts.score(score)) is not None]
    return sorted(found, key=lambda pair: pair[1])


def _against(c: Context, a: str, b: str, score: str) -> Verdict | None:
    """Whether the score of the run of kind a is lower or higher than that of kind b; None where one of them has none."""
    this, other = c.role(a), c.role(b)
    if this is None or other is None:
        return None
    first, second = c.facts[this].score(score), c.facts[other].score(score)
    return None if first is None or second is None else verdict(first, second)


def families(c: Context) -> str:
    """Strengths and limits of each run's family."""
    writers: dict[str, Callable[[Context, Facts], tuple[list[str], list[str]]]] = {
        "ae": _autoencoder,
        "vae": _variational,
        "gan": _adversarial,
        "gan-from-vae": _warm_started,
    }
    parts = []
    for name, facts in c.facts.items():
        strengths, limits = writers[c.kind(name)](c, facts)
        columns = [
            tag("div", tag("h4", c.say(f"family.{side}")), tag("ul", *(tag("li", item) for item in items)))
            for side, items in (("strengths", strengths), ("limits", limits))
        ]
        title = tag("h3", c.label(name), tag("span", escape(c.name(name, short=False)), class_="full"))
        parts.append(tag("section", title, tag("div", *columns, class_="two"), class_="family"))
    return "".join(parts)


def _item(c: Context, claim: str, *evidence: str | None) -> str:
    """The usual claim, then what these runs say of it."""
    shown = [tag("span", found, class_="evidence") for found in evidence if found]
    return " ".join([tag("strong", c.say(claim)), *shown])


def _compared(c: Context, key: str, run: str, other: str, score: str, show: Callable[[str, str], str]) -> str | None:
    """Evidence from one score of the runs of two kinds: the text key.lower, key.higher or key.unclear."""
    found = _against(c, run, other, score)
    this, that = c.role(run) or run, c.role(other) or other
    return None if found is None else c.say(f"{key}.{found}", this=show(this, score), other=show(that, score))


def _edges(c: Context, run: str, score: str) -> str:
    found = c.facts[run].score(score)
    return "–" if found is None or c.real_edges is None else c.percent(found.value / c.real_edges.value)


def _autoencoder(c: Context, facts: Facts) -> tuple[list[str], list[str]]:
    evidence = _compared(c, "family.ae.copies.here", "ae", "vae", "reconstruction_mse", c.measured)
    if evidence is None and (error := facts.score("reconstruction_mse")):
        evidence = c.say("family.ae.copies.alone", this=measured(error.value, error.stderr, c.lang))
    strengths = [
        _item(c, "family.ae.copies", evidence),
        _item(c, "family.ae.simple", c.say("family.cost", seconds=duration(facts.seconds, c.lang), steps=c.number(facts.steps))),
    ]
    limits = [
        _item(
            c,
            "family.ae.holes",
            c.say("family.ae.holes.how"),
            _compared(c, "family.ae.holes.here", "ae", "vae", "class_reverse_kl_nats", c.measured),
        ),
        _item(c, "family.ae.no_likelihood"),
    ]
    return strengths, limits


def _variational(c: Context, facts: Facts) -> tuple[list[str], list[str]]:
    kl, elbo = facts.score("kl_nats"), facts.score("negative_elbo_nats")
    code = bound = idle = None
    if kl and facts.active is not None:
        shown = measured(kl.value, kl.stderr, c.lang)
        code = c.say("family.vae.prior.here", kl=shown, active=facts.active, all=facts.latent_dim)
    if facts.quiet is not None:
        key = "family.vae.balance.idle" if facts.quiet else "family.vae.balance.none"
        idle = c.say(key, idle=facts.quiet, all=facts.latent_dim, least=c.number(QUIET_NATS))
    if elbo:
        key = "family.vae.bound.grey" if elbo.note else "family.vae.bound.here"
        bound = c.say(key, elbo=measured(elbo.value, elbo.stderr, c.lang), floor=c.number(elbo.floor or 0.0, 1))
    soft = _compared(c, "family.vae.soft.here", "vae", "gan", "edge_step", lambda run, score: _edges(c, run, score))
    return [_item(c, "family.vae.prior", code), _item(c, "family.vae.bound", bound)], [
        _item(c, "family.vae.soft", soft),
        _item(c, "family.vae.balance", idle),
    ]


def _adversarial(c: Context, facts: Facts) -> tuple[list[str], list[str]]:
    sharp = _compared(c, "family.gan.sharp.here", "gan", "vae", "edge_step", lambda run, score: _edges(c, run, score))
    against = _compared(c, "family.gan.modes.here", "gan", "vae", "class_reverse_kl_nats", c.measured)
    cost = None
    vae = c.role("vae")
    if vae is not None and c.facts[vae].seconds > 0 and facts.seconds > 0:
        ratio = facts.seconds / c.facts[vae].seconds
        key = "family.gan.cost.more" if ratio > 1.1 else "family.gan.cost.less"
        cost = c.say(key, seconds=duration(facts.seconds, c.lang), vae=duration(c.facts[vae].seconds, c.lang), ratio=c.figures(ratio, 2))
    limits = [
        _item(c, "family.gan.modes", _rarest(c, facts), against),
        _item(c, "family.gan.blind"),
        _item(c, "family.gan.game", cost),
    ]
    return [_item(c, "family.gan.sharp", sharp), _item(c, "family.gan.free")], limits


def _rarest(c: Context, facts: Facts) -> str | None:
    """The class that samples show least, and how many are as good as missing."""
    if facts.shares is None or not len(facts.shares.samples):
        return None
    shares = facts.shares
    lowest = int(shares.samples.argmin())
    missing = int((shares.samples < RARE * shares.real).sum())
    return c.say(
        "family.gan.modes.missing" if missing else "family.gan.modes.all",
        name=shares.names[lowest],
        share=c.percent(float(shares.samples[lowest]), 1),
        real=c.percent(float(shares.real[lowest]), 1),
        n=c.number(shares.drawn),
        missing=missing,
        all=len(shares.names),
    )


def _warm_started(c: Context, facts: Facts) -> tuple[list[str], list[str]]:
    start = _compared(c, "family.warm.start.here", "gan-from-vae", "gan", "class_reverse_kl_nats", c.measured)
    sharper = _compared(c, "family.warm.edges.here", "gan-from-vae", "vae", "edge_step", lambda run, score: _edges(c, run, score))
    extra, vae = None, c.role("vae")
    if vae is not None:
        extra = c.say("family.warm.cost.here", seconds=duration(facts.seconds, c.lang), vae=duration(c.facts[vae].seconds, c.lang))
    limits = [_item(c, "family.warm.forgets", _rarest(c, facts)), _item(c, "family.warm.cost", extra)]
    return [_item(c, "family.warm.start", start), _item(c, "family.warm.edges", sharper)], limits


# Background and glossary: what a reader should know of latent spaces, likelihoods and games, and the words of the field.


def background(c: Context) -> str:
    """The paragraphs, by part, and the glossary in the order of its words."""
    parts = [
        tag("h3", c.say(f"background.{part}"))
        + "".join(c.paragraph(key) for key in _numbered(c.lang, f"background.{part}"))
        for part in PARTS
    ]  # fmt: skip
    keys = [key.removeprefix("glossary.") for key in catalogue(c.lang) if key.startswith("glossary.")]
    terms = [key for key in keys if not key.endswith(".is")]
    words = sorted(((c.plain(f"glossary.{term}"), c.say(f"glossary.{term}.is")) for term in terms), key=lambda pair: _plain(pair[0]))
    entries = [tag("dt", escape(word[:1].upper() + word[1:])) + tag("dd", meaning) for word, meaning in words]
    return "".join(parts) + tag("h3", c.say("background.glossary")) + tag("dl", *entries, class_="measures glossary")


PARTS = ("models", "latent", "likelihood", "game", "measuring")


def _plain(word: str) -> str:
    """A word as a dictionary orders it: without case and accents."""
    return "".join(letter for letter in unicodedata.normalize("NFD", word.casefold()) if not unicodedata.combining(letter))


def _numbered(lang: str, start: str) -> list[str]:
    keys = [key for key in catalogue(lang) if key.startswith(start + ".")]
    return sorted(keys, key=lambda key: int(key.rpartition(".")[2]))

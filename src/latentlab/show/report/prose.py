"""The page's prose: the summary, each family's strengths and limits, background and glossary.

Every sentence about these runs is chosen by a comparison. A usual claim that they contradict, or do not settle, is said to
be so.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Mapping

from latentlab.base.texts import catalogue, duration, measured
from latentlab.measure.compare.verdict import COVERING
from latentlab.measure.metrics.classes import ACTIVE_VARIANCE
from latentlab.measure.table import extractor_words
from latentlab.runs.diagnosis import Finding, in_words
from latentlab.show.charts.payload import capital
from latentlab.show.report.context import Context, Difference, Facts, difference
from latentlab.show.report.markup import escape, tag

BACKGROUND = ("models", "latent", "likelihood", "game", "measuring")
RARE = 0.1  # a class is called missing when samples have less than a tenth of its real share


def summary(c: Context) -> str:
    """Five sentences before anything else, each where the runs have its numbers: what went wrong, or that nothing did; how that shows,
    else who reconstructs best; how far samples are from real images; how much of them they cover; what settles nothing.
    """
    sick = {name: alarm for name in c.runs if (alarm := _alarm(c, name)) is not None or not c.facts[name].covers or _failed(c, name)}
    lines = _sick(c, sick) if sick else [_sound(c), _reconstructs(c)]
    lines += [_distances(c, sick), _coverage(c)]
    if (split := c.comparison.get("split")) and (count := (c.comparison.get("images") or {}).get(split)) and len(c.runs) > 1:
        seeds = len({folder.config().train.seed for folder in c.runs.values()})
        key = c.fitting("summary.seeds", "summary.seeds.points") if seeds == 1 else c.fitting("summary.several", "summary.several.points")
        lines.append(c.say(key, n=c.number(count), split=c.plain(f"split.{split}"), seeds=seeds))
    return tag("ol", *(tag("li", line) for line in lines if line), class_="summary")


def _alarm(c: Context, name: str) -> Finding | None:
    """A run's first alarm that is not over."""
    return next((finding for finding in c.findings[name] if not finding.over), None)


def _failed(c: Context, name: str) -> bool:
    return c.runs[name].status().get("state") == "failed"


def _sick(c: Context, sick: Mapping[str, Finding | None]) -> list[str]:
    """What each of them has; of the first that has an alarm how it shows and what to change."""
    known = {name: in_words(alarm, c.lang) for name, alarm in sick.items() if alarm is not None}
    each = [c.plain("summary.sick.alarm", run=c.name(name), name=words.name, when=words.when) for name, words in known.items()]
    each += [c.plain("summary.sick.failed", run=c.name(name)) for name in sick if name not in known and _failed(c, name)]
    if others := [c.name(name) for name in sick if name not in known and not _failed(c, name)]:
        key = c.fitting("summary.sick.recall", "summary.sick.recall.points")
        each.append(c.plain(key, runs=c.list(others), least=c.percent(COVERING)))
    told = [escape(f"{words.evidence} {words.remedy}") for words in known.values()]
    told += [c.say("summary.sick.says")] if others else []
    return [c.say("summary.sick", each=c.list(each)), *told[:1]]


def _sound(c: Context) -> str:
    total = duration(sum(facts.seconds for facts in c.facts.values()), c.lang)
    return c.say("summary.sound" if len(c.runs) > 1 else "summary.sound.one", n=len(c.runs), total=total)


def _reconstructs(c: Context) -> str:
    """Who reconstructs better, or that it is not settled."""
    outcome = _against(c, "ae", "vae", "reconstruction_mse")
    if outcome is None:
        return ""
    return c.say(f"summary.reconstruct.{outcome}", **{kind: _score(c, kind, "reconstruction_mse") for kind in ("ae", "vae")})


def _distances(c: Context, sick: Collection[str]) -> str:
    """How far each sound run's samples are from real images: by KID where images are too few for a Frechet distance."""
    frechet = [facts.score("frechet") for name, facts in c.facts.items() if name not in sick]
    measure = "frechet" if all(score is not None and not score.note for score in frechet) else "kid"
    ranked = [pair for pair in _ranked(c, measure) if pair[0] not in sick]
    if not ranked:
        return c.say("summary.unsound") if _ranked(c, measure) else ""
    each = c.list([f"{c.name(name)} {c.figures(value, 3)}" for name, value in ranked])
    floor = c.facts[ranked[0][0]].scores[measure].floor
    real = "" if floor is None else c.plain("summary.real", floor=c.figures(floor, 3))
    return c.say("summary.samples", measure=c.plain(f"summary.{measure}"), each=each, real=real)


def _coverage(c: Context) -> str:
    """Which share of held-out images the samples of each run come near to."""
    each = [f"{c.name(name)} {c.percent(value)}\u00a0%" for name, value in _ranked(c, "recall")[::-1]]
    return c.say(c.fitting("summary.recall", "summary.recall.points"), each=c.list(each)) if each else ""


def _ranked(c: Context, score: str) -> list[tuple[str, float]]:
    """The runs that have a score, lowest first."""
    known = [(name, own.value) for name, facts in c.facts.items() if (own := facts.score(score)) is not None]
    return sorted(known, key=lambda pair: pair[1])


def _against(c: Context, a: str, b: str, score: str) -> Difference | None:
    """Whether the score of the run of kind a is lower or higher than that of kind b; None where one of them has none."""
    this, other = c.role(a), c.role(b)
    if this is None or other is None:
        return None
    first, second = c.facts[this].score(score), c.facts[other].score(score)
    return None if first is None or second is None else difference(first, second)


def families(c: Context) -> str:
    """Strengths and limits of each run's family, as these runs show them."""
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
        title = tag("h3", c.label(name), tag("span", escape(c.name(name, "")), class_="full"))
        parts.append(tag("section", title, tag("div", *columns, class_="two"), class_="family"))
    return c.paragraph("family.intro") + "".join(parts) + tag("p", c.say("family.seeds"), class_="caution")


def _item(c: Context, claim: str, *evidence: str | None) -> str:
    """The usual claim, then what these runs say of it."""
    return " ".join([tag("strong", c.say(claim)), *(tag("span", said, class_="evidence") for said in evidence if said)])


def _compared(c: Context, key: str, kind: str, other: str, score: str, **told: str) -> str | None:
    """Evidence from one score of the runs of two kinds: the text key.lower, key.higher or key.unclear."""
    outcome = _against(c, kind, other, score)
    return None if outcome is None else c.say(f"{key}.{outcome}", this=_score(c, kind, score), other=_score(c, other, score), **told)


def _score(c: Context, kind: str, score: str) -> str:
    """A score of the run of a kind; how steep edges are as a share of the real images'."""
    run = c.role(kind) or kind
    if score != "edge_step":
        return c.measured(run, score)
    edges = c.facts[run].score(score)
    return "–" if edges is None or c.real_edges is None else c.percent(edges.value / c.real_edges.value)


def _autoencoder(c: Context, facts: Facts) -> tuple[list[str], list[str]]:
    evidence = _compared(c, "family.ae.copies.here", "ae", "vae", "reconstruction_mse")
    if evidence is None and (error := facts.score("reconstruction_mse")):
        evidence = c.say("family.ae.copies.alone", this=measured(error.value, error.stderr, c.lang))
    strengths = [
        _item(c, "family.ae.copies", evidence),
        _item(c, "family.ae.simple", c.say("family.cost", seconds=duration(facts.seconds, c.lang), steps=c.number(facts.steps))),
    ]
    seen = facts.score("kid_fitted")
    by = extractor_words(seen.extractor).say(c.lang) if seen else ""
    limits = [
        _item(
            c,
            "family.ae.holes",
            c.say("family.ae.holes.how"),
            _compared(c, "family.ae.holes.here", "ae", "vae", "kid_fitted", by=by),
            _mixture(c, facts),
        ),
        _item(c, "family.ae.no_likelihood"),
    ]
    return strengths, limits


def _mixture(c: Context, facts: Facts) -> str | None:
    """What another prior makes of the same decoder."""
    mixture, own = facts.score("kid_mixture"), facts.score("kid")
    if mixture is None or own is None:
        return None
    told = {name: measured(score.value, score.stderr, c.lang) for name, score in (("mixture", mixture), ("kid", own))}
    return c.say("family.mixture", by=extractor_words(own.extractor).say(c.lang), **told)


def _variational(c: Context, facts: Facts) -> tuple[list[str], list[str]]:
    kl, elbo = facts.score("kl_nats"), facts.score("negative_elbo_nats")
    code = bound = units = None
    if kl:
        code = c.say("family.vae.prior.here", kl=measured(kl.value, kl.stderr, c.lang))
    if facts.active is not None:
        least = c.number(ACTIVE_VARIANCE)
        units = c.say("family.vae.balance.here", active=facts.active, few=facts.few, all=facts.latent_dim, least=least)
    if elbo:
        key = "family.vae.bound.grey" if elbo.note else "family.vae.bound.here"
        bound = c.say(key, elbo=measured(elbo.value, elbo.stderr, c.lang), floor=c.number(elbo.floor or 0.0, 1))
    soft = _compared(c, "family.vae.soft.here", "vae", "gan", "edge_step")
    return [_item(c, "family.vae.prior", code, _mixture(c, facts)), _item(c, "family.vae.bound", bound)], [
        _item(c, "family.vae.soft", soft),
        _item(c, "family.vae.balance", units),
    ]


def _adversarial(c: Context, facts: Facts) -> tuple[list[str], list[str]]:
    sharp = _compared(c, "family.gan.sharp.here", "gan", "vae", "edge_step")
    against = _compared(c, "family.gan.modes.here", "gan", "vae", "class_reverse_kl_nats")
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
    start = _compared(c, "family.warm.start.here", "gan-from-vae", "gan", "class_reverse_kl_nats")
    sharper = _compared(c, "family.warm.edges.here", "gan-from-vae", "vae", "edge_step")
    extra, vae = None, c.role("vae")
    if vae is not None:
        extra = c.say("family.warm.cost.here", seconds=duration(facts.seconds, c.lang), vae=duration(c.facts[vae].seconds, c.lang))
    limits = [_item(c, "family.warm.forgets", _rarest(c, facts)), _item(c, "family.warm.cost", extra)]
    return [_item(c, "family.warm.start", start), _item(c, "family.warm.edges", sharper)], limits


def background(c: Context) -> str:
    """What a reader should know of latent spaces, likelihoods and games, and the words of the field in their order."""
    parts = [tag("h3", c.say(f"background.{part}")) + c.paragraphs("background", part) for part in BACKGROUND]
    terms = [key.split(".")[1] for key in catalogue(c.lang) if key.startswith("glossary.") and key.endswith(".is")]
    words = {c.plain(f"glossary.{term}"): c.say(f"glossary.{term}.is") for term in terms}
    entries = [tag("dt", escape(capital(word))) + tag("dd", words[word]) for word in sorted(words, key=_plain)]
    return "".join(parts) + tag("h3", c.say("background.glossary")) + tag("dl", *entries, class_="measures glossary")


def _plain(word: str) -> str:
    """A word as a dictionary orders it: without case and accents."""
    return "".join(letter for letter in unicodedata.normalize("NFD", word.casefold()) if not unicodedata.combining(letter))

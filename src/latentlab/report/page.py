"""lab.html: one file that shows what was trained, how it went and what it reached. No torch; it asks nobody for anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from PIL import Image

from latentlab.figures import compare_losses, compare_reconstructions, draw_figures
from latentlab.files import replace_text
from latentlab.report.alarms import alarms
from latentlab.report.context import Context
from latentlab.report.markup import escape, image, tag
from latentlab.report.prose import families, summary
from latentlab.report.scoreboard import balance, measured_here, scoreboard
from latentlab.report.settings import commands, hyperparameters, machine
from latentlab.report.viewer import viewer
from latentlab.runs import RunFolder
from latentlab.texts import duration

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"  # the page asks nobody


def write_page(out: Path, runs: Mapping[str, RunFolder], comparison: Mapping[str, Any], lang: str) -> Path:
    """Write the page to `out` and return it; figures that are missing or in another language are drawn first.

    `runs` has some of "ae", "vae", "gan" and "gan-from-vae"; `comparison` is what comparison.json holds.
    """
    out = Path(out)
    c = Context(out.absolute().parent, runs, comparison, lang)
    for folder in runs.values():
        _drawn_in(folder, lang)
    sections: list[tuple[str, str]] = [
        (name, content)
        for name, write in SECTIONS
        if (content := write(c))
    ]  # fmt: skip
    body = "".join(
        tag("section", tag("h2", tag("span", f"{number}", class_="number"), c.say(f"section.{name}")), content, id=name)
        for number, (name, content) in enumerate(sections, 1)
    )
    contents = tag(
        "nav",
        tag("ol", *(tag("li", tag("a", c.say(f"section.{name}"), href=f"#{name}")) for name, _ in sections)),
        aria_label=c.plain("page.contents"),
    )
    replace_text(out, _document(c, _opening(c) + contents + body + _colophon(c)))
    return out


def _drawn_in(folder: RunFolder, lang: str) -> None:
    """Draw the run's figures unless they are there in this language and newer than its metrics."""
    path = folder.figures / "loss.png"
    if path.is_file() and path.stat().st_mtime >= folder.metrics_file.stat().st_mtime:
        with Image.open(path) as file:
            if file.info.get("Language") == lang:
                return
    draw_figures(folder, lang)


def _document(c: Context, body: str) -> str:
    static = resources.files("latentlab.report").joinpath("static")
    style, script = (static.joinpath(name).read_text(encoding="utf-8") for name in ("lab.css", "lab.js"))
    head = "".join([
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("title", c.say("page.title", data=_data_name(c))),
        f"<style>{style}</style>",
    ])  # fmt: skip
    shown = f"<body><main>{body}</main>\n<script>{script}</script></body>"
    return f'<!doctype html>\n<html lang="{escape(c.lang)}">\n<head>{head}</head>\n{shown}\n</html>\n'


def _data_name(c: Context) -> str:
    return str(c.comparison.get("data") or next((folder.config().data.spec for folder in c.runs.values()), ""))


def _opening(c: Context) -> str:
    environment = next((folder.environment() for folder in c.runs.values()), {})
    height, width, channels = environment.get("image_shape", (0, 0, 0))
    images = c.comparison.get("images") or environment.get("images") or {}
    latent = sorted({facts.latent_dim for facts in c.facts.values()})
    lede = c.say(
        "page.lede",
        runs=c.list([c.one(name) for name in c.runs]),
        data=_data_name(c),
        train=c.number(images.get("train", 0)),
        test=c.number(images.get("test", 0)),
        width=width,
        height=height,
        kind=c.plain("page.grey" if channels == 1 else "page.color"),
        latent=c.list([str(size) for size in latent]),
    )
    title = tag("h1", c.say("page.heading", data=_data_name(c)))
    head = tag("p", "latentlab", class_="kicker") + title + tag("p", lede, class_="lede")
    short = tag("section", tag("h2", c.say("page.short")), summary(c), class_="short")
    return tag("header", head) + short


def _scores(c: Context) -> str:
    return c.paragraph("scoreboard.intro") + scoreboard(c) + balance(c)


def _samples(c: Context) -> str:
    return c.paragraph("viewer.intro") + viewer(c)


def _figure(c: Context, path: Path, alt: str, caption: str, class_: str = "chart") -> str:
    """A figure file on a white card with its caption (HTML)."""
    return tag("figure", tag("div", image(path, alt, class_="zoom"), class_="card"), tag("figcaption", caption), class_=class_)


def _gallery(c: Context, file: str, alt: Callable[[str], str], class_: str) -> str:
    """The same figure of each run that has it, beside each other."""
    held = [(name, folder.figures / file) for name, folder in c.runs.items() if (folder.figures / file).is_file()]
    return tag("div", *(_figure(c, path, alt(name), c.label(name), class_) for name, path in held), class_="gallery wide") if held else ""


def _with_encoder(c: Context) -> dict[str, RunFolder]:
    return {name: folder for name, folder in c.runs.items() if c.facts[name].family != "gan"}


def _reconstructions(c: Context) -> str:
    folders = _with_encoder(c)
    path = compare_reconstructions(
        {c.name(name): folder for name, folder in folders.items()}, c.folder / "figures" / "reconstructions.png", c.lang
    )
    if path is None:
        return ""
    errors = c.list([f"{c.name(name)} {c.measured(name, 'reconstruction_mse')}" for name in folders])
    caption = c.say("reconstructions.caption", errors=errors)
    return c.paragraph("reconstructions.intro") + _figure(c, path, c.plain("reconstructions.alt", errors=errors), caption, "picture")


def _latent(c: Context) -> str:
    def alt(name: str) -> str:
        facts = c.facts[name]
        key = "latent.alt.plane" if facts.latent_dim <= 2 else "latent.alt.projected"
        said = c.plain(key, n=c.number(facts.code_count), run=c.name(name), latent=facts.latent_dim)
        if facts.nearest_same_class is not None:
            said += " " + c.plain("latent.neighbours", each=f"{c.name(name)} {c.percent(facts.nearest_same_class)}\u00a0%")
        return said

    shown = _gallery(c, "latent.png", alt, "chart")
    known = [(name, facts.nearest_same_class) for name, facts in c.facts.items() if facts.nearest_same_class is not None]
    each = c.list([f"{c.name(name)} {c.percent(share)}\u00a0%" for name, share in known])
    said = c.paragraph("latent.neighbours", each=each) if known else ""
    return c.paragraph("latent.intro") + shown + said if shown else ""


def _walks(c: Context) -> str:
    parts = ""
    for file, key in (("latent-grid.png", "grid"), ("interpolations.png", "interpolations")):

        def alt(name: str, key: str = key) -> str:
            return c.plain(f"walks.{key}.alt", run=c.name(name))

        shown = _gallery(c, file, alt, "picture")
        if shown:
            parts += tag("h3", c.say(f"walks.{key}")) + c.paragraph(f"walks.{key}.intro") + shown
    return parts


def _losses(c: Context) -> str:
    parts = c.paragraph("losses.intro") + _gallery(c, "loss.png", lambda name: _loss_alt(c, name), "chart")
    if "ae" in c.runs and "vae" in c.runs:
        path = compare_losses(c.runs["ae"], c.runs["vae"], c.folder / "figures" / "loss-comparison.png", c.lang)
        errors = {name: c.measured(name, "reconstruction_mse") for name in ("ae", "vae")}
        alt = c.plain("losses.compared.alt", **errors)
        parts += (
            tag("h3", c.say("losses.compared"))
            + c.paragraph("losses.compared.intro")
            + _figure(c, path, alt, c.say("losses.compared.caption", **errors))
        )
    if shown := _gallery(c, "kl.png", lambda name: _kl_alt(c, name), "chart"):
        parts += tag("h3", c.say("losses.kl")) + c.paragraph("losses.kl.intro") + shown
    return parts


def _last(c: Context, name: str, split: str, metric: str) -> str:
    """The last recorded value of a metric."""
    values = [row[metric] for row in c.runs[name].metrics() if row.get("split") == split and row.get(metric) is not None]
    return c.figures(values[-1], 4) if values else "–"


def _loss_alt(c: Context, name: str) -> str:
    if c.facts[name].family == "gan":
        values = {
            metric: _last(c, name, "train", metric) for metric in ("generator_loss", "discriminator_loss", "real_logit", "fake_logit")
        }
        return c.plain("losses.alt.gan", run=c.name(name), **values)
    return c.plain("losses.alt", run=c.name(name), loss=_last(c, name, "val", "loss_nats"), mse=_last(c, name, "val", "mse"))


def _kl_alt(c: Context, name: str) -> str:
    facts = c.facts[name]
    return c.plain(
        "losses.kl.alt",
        run=c.name(name),
        kl=_last(c, name, "val", "kl_nats"),
        active=facts.active if facts.active is not None else "–",
        all=facts.latent_dim,
    )


def _families(c: Context) -> str:
    return c.paragraph("family.intro") + families(c) + tag("p", c.say("family.seeds"), class_="caution")


def _settings(c: Context) -> str:
    parts = [
        c.paragraph("settings.intro"),
        tag("h3", c.say("settings.commands")),
        commands(c),
        tag("h3", c.say("settings.machine")),
        machine(c),
    ]
    return "".join(parts) + tag("h3", c.say("settings.fields")) + hyperparameters(c)


def _measures(c: Context) -> str:
    entries = [
        tag("dt", escape(_sentence(c.plain(f"measure.{score}")))) + tag("dd", c.say(f"measure.{score}.about")) for score in measured_here(c)
    ]
    return c.paragraph("measures.intro") + tag("dl", *entries, class_="measures")


def _sentence(words: str) -> str:
    """A phrase with a capital."""
    return words[:1].upper() + words[1:]


def _colophon(c: Context) -> str:
    seconds = sum(facts.seconds for facts in c.facts.values())
    version = next((folder.environment().get("latentlab") for folder in c.runs.values()), None) or ""
    return tag("footer", c.paragraph("page.colophon", version=version, total=duration(seconds, c.lang)))


SECTIONS: tuple[tuple[str, Callable[[Context], str]], ...] = (
    ("comparison", _scores),
    ("samples", _samples),
    ("reconstructions", _reconstructions),
    ("latent-space", _latent),
    ("walks", _walks),
    ("losses", _losses),
    ("diagnosis", alarms),
    ("families", _families),
    ("measures", _measures),
    ("settings", _settings),
)

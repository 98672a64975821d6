"""The parts of the page that show runs: pictures, the live explorer, curves, settings."""

from __future__ import annotations

from typing import Any

from latentlab.explorer.content import explorer_words
from latentlab.figures.records import reconstructed
from latentlab.images import Images, grid
from latentlab.panels import Panel, Phrase
from latentlab.report.context import Context
from latentlab.report.curves import compared_errors, own_curves, sample_quality
from latentlab.report.markup import embedded_json, escape, small_pixels, tag
from latentlab.report.panels import panel_figure
from latentlab.report.prose import families
from latentlab.report.scoreboard import balance, measured_here, scoreboard
from latentlab.report.settings import commands, downloads, hyperparameters, machine
from latentlab.report.viewer import viewer
from latentlab.runs import RunFolder

BAND, BANDS = 8, 2  # reconstructions beside each other, and rows of them


def scores_section(c: Context) -> str:
    """The table, and how samples fall on the classes."""
    remarks = [Phrase.from_json(remark).say(c.lang) for remark in c.comparison.get("remarks", [])]
    told = "".join(tag("p", escape(remark), class_="caution") for remark in remarks)
    if not measured_here(c):
        return (told or c.paragraph("scoreboard.none")) + scoreboard(c)
    return told + c.paragraph("scoreboard.intro") + scoreboard(c) + balance(c)


def explorer_section(c: Context, content: dict[str, Any]) -> str:
    """The live decoders: the map, one z for all models, interpolation, arithmetic. Drawn by explorer.js."""
    if not content["models"]:
        return c.paragraph("page.no_decoder")
    without = [c.name(name) for name in c.runs if name not in {model["name"] for model in content["models"]}]
    missing = c.paragraph("page.without_decoder", runs=c.list(without)) if without else ""
    known = [(name, facts.nearest_same_class) for name, facts in c.facts.items() if facts.nearest_same_class is not None]
    each = c.list([f"{c.name(name)} {c.percent(share)}\u00a0%" for name, share in known])
    said = c.paragraph("latent.neighbours", each=each) if known else ""
    data = embedded_json(explorer_words(c.lang), class_="explorer-words")
    place = tag(
        "div", data, tag("noscript", c.paragraph("page.no_script")), class_="explorer wide", data_content=c.shared.put_json(content)
    )
    return c.paragraph("page.explorer") + missing + said + place


def samples_section(c: Context) -> str:
    """Every kept grid."""
    return c.paragraph("viewer.intro") + viewer(c)


def reconstructions_section(c: Context) -> str:
    """The same held-out images above what each run with an encoder makes of them."""
    folders = {name: folder for name, folder in c.runs.items() if c.facts[name].family != "gan"}
    rows = _reconstruction_rows(c, folders)
    if len(rows) < 2:
        return ""
    errors = c.list([f"{c.name(name)} {c.measured(name, 'reconstruction_mse')}" for name in folders])
    count = min(BAND * BANDS, min(len(images) for _, _, images in rows))
    bands = []
    for start in range(0, count, BAND):
        lines = []
        for which, label, images in rows:
            alt = c.plain("reconstructions.row", which=which, first=start + 1, last=min(start + BAND, count))
            strip = grid(images[start : min(start + BAND, count)], BAND, gap=1)
            lines.append(tag("div", tag("span", label, class_="who"), c.shared.image(small_pixels(strip), alt), class_="row"))
        bands.append(tag("div", *lines, class_="band"))
    caption = tag("figcaption", c.say("reconstructions.caption", errors=errors))
    return c.paragraph("reconstructions.intro") + tag("figure", *bands, caption, class_="copies wide")


def _reconstruction_rows(c: Context, folders: dict[str, RunFolder]) -> list[tuple[str, str, Images]]:
    """(name, label as HTML, images) of the originals and of each run that copied the same ones."""
    pairs = {name: reconstructed(folder) for name, folder in folders.items()}
    pairs = {name: pair for name, pair in pairs.items() if len(pair[0])}
    if not pairs:
        return []
    originals = next(iter(pairs.values()))[0]
    same = [
        (c.name(name), c.label(name), copies)
        for name, (own, copies) in pairs.items()
        if own.shape == originals.shape and bool((own == originals).all())
    ]
    return [(c.plain("figure.original"), c.say("figure.original"), originals), *same]


def losses_section(c: Context) -> str:
    """AE and VAE on one axis, then each run's own curves, then how samples got better."""
    parts = c.paragraph("losses.intro")
    if (compared := compared_errors(c)) is not None:
        parts += tag("h3", c.say("losses.compared")) + c.paragraph("losses.compared.intro") + _charts(c, [compared])
    for name in c.runs:
        if curves := own_curves(c, name):
            parts += tag("h3", c.label(name))
            if c.facts[name].family == "vae":
                parts += c.paragraph("losses.kl.intro")
            parts += _charts(c, curves)
    if quality := sample_quality(c):
        parts += tag("h3", c.say("losses.quality")) + c.paragraph("losses.quality.intro") + _charts(c, quality)
    return parts


def _charts(c: Context, panels: list[Panel]) -> str:
    return tag("div", *(panel_figure(panel, c.lang, c.shared) for panel in panels), class_="charts wide")


def families_section(c: Context) -> str:
    """Strengths and limits of each family, as these runs show them."""
    return c.paragraph("family.intro") + families(c) + tag("p", c.say("family.seeds"), class_="caution")


def settings_section(c: Context) -> str:
    """Commands, configurations to download, machine, every hyperparameter."""
    return "".join([
        c.paragraph("settings.intro"),
        tag("h3", c.say("settings.commands")),
        commands(c),
        downloads(c),
        tag("h3", c.say("settings.machine")),
        machine(c),
        tag("h3", c.say("settings.fields")),
        hyperparameters(c),
    ])  # fmt: skip


def measures_section(c: Context) -> str:
    """What each measure of the table means."""
    entries = [
        tag("dt", escape(_sentence(c.plain(f"measure.{score}")))) + tag("dd", c.say(f"measure.{score}.about")) for score in measured_here(c)
    ]
    return c.paragraph("measures.intro") + tag("dl", *entries, class_="measures") if entries else ""


def _sentence(words: str) -> str:
    """A phrase with a capital."""
    return words[:1].upper() + words[1:]

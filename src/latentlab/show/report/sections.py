"""The parts of the page that show runs: pictures, the live explorer, curves, settings."""

from __future__ import annotations

from typing import Any

from latentlab.base.images import Images, grid
from latentlab.base.texts import Phrase
from latentlab.runs.diagnosis import Finding, diagnose, in_words
from latentlab.runs.diagnosis.sight import facts_of
from latentlab.runs.folder import RunFolder
from latentlab.show.charts.panels import Panel
from latentlab.show.explorer.content import explorer_words
from latentlab.show.figures.records import reconstructed
from latentlab.show.report.context import Context
from latentlab.show.report.curves import compared_errors, own_curves, panel_figure, sample_quality
from latentlab.show.report.markup import embedded_json, escape, small_picture, small_pixels, tag
from latentlab.show.report.prose import families
from latentlab.show.report.scoreboard import balance, measured_here, scoreboard
from latentlab.show.report.settings import commands, downloads, hyperparameters, machine

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


# The sample grids of every run under one slider over training.


def frames(c: Context, name: str, folder: RunFolder) -> list[dict[str, Any]]:
    """Every kept grid of a run: step, epoch, share of the run's training, and the picture."""
    facts = c.facts[name]
    pictures = folder.pictures("samples")
    last = max(facts.steps, pictures[-1][0] if pictures else 0, 1)
    per_step = facts.epochs / facts.steps if facts.steps else 0.0
    return [
        {"step": step, "epoch": round(step * per_step, 2), "share": round(step / last, 5), "src": small_picture(path)}
        for step, path in pictures
    ]


def viewer(c: Context) -> str:
    """Grids side by side, the slider, the play button, and a stepper for each run. Without JavaScript: the last grids."""
    kept = {name: frames(c, name, folder) for name, folder in c.runs.items()}
    kept = {name: list_ for name, list_ in kept.items() if list_}
    if not kept:
        return c.paragraph("viewer.empty")
    panels = [_panel(c, name, list_) for name, list_ in kept.items()]
    words = {
        "play": c.plain("viewer.play"),
        "pause": c.plain("viewer.pause"),
        "share": c.plain("viewer.share", share="{share}"),
        "where": c.plain("viewer.where", step="{step}", epoch="{epoch}", place="{place}", all="{all}"),
    }
    # The last picture of each run stands in its panel already; the script takes it from there.
    stored = c.shared.put_json([[*frames[:-1], frames[-1] | {"src": None}] for frames in kept.values()])
    controls = tag(
        "div",
        tag("button", tag("span", "▶", aria_hidden="true"), " ", tag("span", c.say("viewer.play")), type="button", class_="play"),
        tag("input", type="range", min=0, max=1000, value=1000, aria_label=c.plain("viewer.slider"), class_="time"),
        tag("output", "", class_="share"),
        class_="controls",
        hidden=True,
    )
    caption = tag("figcaption", c.say("viewer.caption"), " ", tag("span", c.say("viewer.keys"), class_="screen"))
    data = embedded_json({"words": words, "lang": c.lang}, class_="words")
    return tag("figure", controls, tag("div", *panels, class_="panels"), caption, data, class_="wide viewer", data_frames=stored)


def _panel(c: Context, name: str, list_: list[dict[str, Any]]) -> str:
    last = list_[-1]
    count = c.runs[name].config().train.sample_count
    alt = c.plain("viewer.alt", n=count, run=c.name(name), step=c.number(last["step"]), epoch=c.number(round(last["epoch"], 1)))
    pattern = c.plain("viewer.alt", n=count, run=c.name(name), step="{step}", epoch="{epoch}")
    shown = c.shared.image(last["src"], alt, data_alt=pattern)
    where = tag(
        "span",
        c.say("viewer.where", step=c.number(last["step"]), epoch=c.number(round(last["epoch"], 1)), place=len(list_), all=len(list_)),
        class_="where",
    )
    steps = [
        tag("button", escape(sign), type="button", data_by=by, aria_label=c.plain(key, run=c.name(name)), hidden=True)
        for sign, by, key in (("‹", -1, "viewer.previous"), ("›", 1, "viewer.next"))
    ]
    return tag("div", tag("h4", c.label(name)), shown, tag("div", steps[0], where, steps[1], class_="stepper"), class_="panel")


# The diagnosis of each run on the page, also when there is nothing to say.


def alarms(c: Context) -> str:
    """Every run's findings, or that there are none."""
    parts = []
    for name, folder in c.runs.items():
        found = run_findings(folder)
        said = tag("ul", *(_alarm(c, finding) for finding in found)) if found else c.paragraph("diagnosis.none")
        parts.append(tag("h3", c.label(name)) + said)
    return c.paragraph("diagnosis.intro") + "".join(parts)


def run_findings(folder: RunFolder) -> list[Finding]:
    """The findings of a run folder."""
    return diagnose(folder.metrics(), facts_of(folder.config(), folder.environment()))


def _alarm(c: Context, finding: Finding) -> str:
    words = in_words(finding, c.lang)
    title = tag("strong", escape(words.name))
    sentences = escape(f"{words.meaning} {words.evidence} {words.remedy}")
    return tag("li", title, ", ", escape(words.when), ". ", sentences)

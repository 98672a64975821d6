"""The parts of the page that show runs: scores, live decoders, pictures, curves, diagnosis, settings."""

from __future__ import annotations

from typing import Any

import numpy as np

from latentlab.base.images import Images, grid, to_pil
from latentlab.base.texts import Phrase
from latentlab.measure.metrics.classes import ACTIVE_VARIANCE
from latentlab.runs.diagnosis import Finding, in_words
from latentlab.runs.folder import RunFolder
from latentlab.show.charts import curves
from latentlab.show.charts.panels import Bars, Panel, Series
from latentlab.show.charts.payload import capital, film_data, reel, rounded
from latentlab.show.explorer.content import explorer_words
from latentlab.show.figures.records import objective, read_codes, reconstructed, unit_kl_nats
from latentlab.show.report.context import Context
from latentlab.show.report.markup import embedded_json, escape, panel_figure, small, small_file, tag
from latentlab.show.report.scoreboard import balance, commands, downloads, hyperparameters, machine, measured_here, scoreboard

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
    if c.of_points:
        return ""
    if not content["models"]:
        return c.paragraph("page.no_decoder")
    without = [c.name(name) for name in c.runs if name not in {model["name"] for model in content["models"]}]
    missing = c.paragraph("page.without_decoder", runs=c.list(without)) if without else ""
    known = [(name, facts.nearest_same_class) for name, facts in c.facts.items() if facts.nearest_same_class is not None]
    each = c.list([f"{c.name(name)} {c.percent(share)}\u00a0%" for name, share in known])
    neighbours = c.paragraph("latent.neighbours", each=each) if known else ""
    return c.paragraph("page.explorer") + missing + neighbours + _live(c, content, "map walk sum")


def follow_section(c: Context, content: dict[str, Any]) -> str:
    """One image through a VAE, and one draw through a GAN, station by station; nothing where no network that reads images is there."""
    reads = any("discriminator" in model or ("encoder" in model and content["thumbnails"]) for model in content["models"])
    return _live(c, content, "follow") if reads and not c.of_points else ""


def _live(c: Context, content: dict[str, Any], parts: str) -> str:
    """The place of parts of the explorer."""
    data, words = c.shared.put_json(content), c.shared.put_json(explorer_words(c.lang))
    no_script = tag("noscript", c.paragraph("page.no_script"))
    return tag("div", no_script, class_="explorer wide", data_content=data, data_words=words, data_parts=parts)


def samples_section(c: Context) -> str:
    """Every kept grid of every run in one film: one slider over all steps, with a play button. Without JavaScript: the last grids."""
    intro = c.paragraph(c.fitting("viewer.intro", "viewer.intro.points"))
    kept = {name: [small_file(path) for _, path in folder.pictures("samples")] for name, folder in c.runs.items()}
    reels = [reel(c.runs[name], c.columns[name], name, c.phrase(name), c.hues[name]) for name in c.runs if kept[name]]
    if not reels:
        return intro + c.paragraph("viewer.empty")
    data = film_data(reels, c.lang)
    last = tag("div", *(_last_grid(c, run, kept[run["name"]][-1]) for run in data["runs"]), class_="film-runs")
    caption = tag("figcaption", c.say(c.fitting("viewer.caption", "viewer.caption.points")))
    # The last picture of each run stands in the page already; the script takes it from there.
    stored = c.shared.put_json({one.name: [*kept[one.name][:-1], None] for one in reels})
    words = embedded_json(data, class_="words")
    return intro + tag("figure", tag("div", last, class_="film"), caption, words, class_="wide viewer", data_frames=stored)


def _last_grid(c: Context, run: dict[str, Any], picture: str) -> str:
    step = run["steps"][-1]
    at = {"step": c.number(step), "epoch": c.number(round(step * (run["epochs_per_step"] or 0.0), 1))}
    label = tag("p", tag("span", class_=f"film-swatch hue-{run['hue']}", aria_hidden="true"), escape(run["label"]), class_="film-label")
    shown = tag("div", c.shared.image(picture, run["alt"].format(**at)), class_="film-frame")
    return tag("div", label, shown, tag("p", c.say("film.where", **at), class_="film-where"), class_="film-run")


def reconstructions_section(c: Context) -> str:
    """The same held-out images above what each run with an encoder makes of them."""
    folders = {name: folder for name, folder in c.runs.items() if c.facts[name].family != "gan"}
    if c.of_points:
        return _pairs(c, folders)
    rows = _reconstruction_rows(c, folders)
    if len(rows) < 2:
        return ""
    errors = c.list([f"{c.name(name)} {c.measured(name, 'reconstruction_mse')}" for name in folders])
    count = min(BAND * BANDS, min(len(images) for _, _, images in rows))
    bands = []
    for start in range(0, count, BAND):
        end = min(start + BAND, count)
        lines = []
        for which, label, images in rows:
            alt = c.plain("reconstructions.row", which=which, first=start + 1, last=end)
            strip = small(to_pil(grid(images[start:end], BAND, gap=1)))
            lines.append(tag("div", tag("span", label, class_="who"), c.shared.image(strip, alt), class_="row"))
        bands.append(tag("div", *lines, class_="band"))
    caption = tag("figcaption", c.say("reconstructions.caption", errors=errors))
    return c.paragraph("reconstructions.intro") + tag("figure", *bands, caption, class_="copies wide")


def _pairs(c: Context, folders: dict[str, RunFolder]) -> str:
    """The last picture of each run's reconstructions of points; "" where there is none."""
    last = {name: kept[-1][1] for name, folder in folders.items() if (kept := folder.pictures("reconstructions"))}
    shown = [
        tag("div", tag("h4", c.label(name)), c.shared.image(small_file(path), c.name(name)), class_="panel") for name, path in last.items()
    ]
    return c.paragraph("reconstructions.intro.points") + tag("figure", tag("div", *shown, class_="panels"), class_="wide") if shown else ""


def _reconstruction_rows(c: Context, folders: dict[str, RunFolder]) -> list[tuple[str, str, Images]]:
    """(name, label as HTML, images) of the originals and of each run that copied the same ones."""
    pairs = {name: pair for name, folder in folders.items() if len((pair := reconstructed(folder))[0])}
    if not pairs:
        return []
    originals = next(iter(pairs.values()))[0]
    same = [(c.name(name), c.label(name), copies) for name, (own, copies) in pairs.items() if np.array_equal(own, originals)]
    return [(c.plain("figure.original"), c.say("figure.original"), originals), *same]


def losses_section(c: Context) -> str:
    """AE and VAE on one axis, then each run's own curves, then how a GAN's samples came nearer to real images."""
    recorded = [curves.Recorded(c.columns[name], c.phrase(name), c.hues[name]) for name in c.runs]
    parts = c.paragraph("losses.intro")
    compared = curves.compared_errors(recorded)
    if len(compared.series) > 1:
        parts += tag("h3", c.say("losses.compared")) + c.paragraph("losses.compared.intro") + _charts(c, [compared])
    drawn = {name: own for name in c.runs if (own := _own_curves(c, name))}
    if not drawn:
        return parts
    parts += tag("h3", c.say("losses.each")) + _charts(c, [own[0] for own in drawn.values()])
    others = ""
    for name, own in drawn.items():
        if own[1:]:
            intro = c.paragraph("losses.kl.intro") if c.facts[name].family == "vae" else ""
            others += tag("h3", c.label(name)) + intro + _charts(c, own[1:])
    if quality := curves.quality_curves(recorded):
        others += tag("h3", c.say("losses.quality")) + c.paragraph("losses.quality.intro") + _charts(c, quality)
    return parts + (tag("details", tag("summary", c.say("losses.others")), others, class_="folded") if others else "")


def _charts(c: Context, panels: list[Panel]) -> str:
    return tag("div", *(panel_figure(panel, c.lang, c.shared) for panel in panels), class_="charts wide")


def _own_curves(c: Context, name: str) -> list[Panel]:
    """What one run minimised, and what else it recorded while it learned."""
    charts = curves.run_charts(c.facts[name].family, objective(c.runs[name]))
    shown = [curves.lines(c.columns[name], chart, c.phrase(name), c.hues[name]) for chart in charts if chart is not curves.GRADIENT]
    return [panel for panel in (*shown, _kl_by_unit(c, name)) if panel is not None]


def _kl_by_unit(c: Context, name: str) -> Bars | None:
    """KL(q(z_j|x) ‖ p(z_j)) of each latent unit of a VAE, largest first."""
    codes = read_codes(c.runs[name])
    per_unit = None if codes is None else unit_kl_nats(codes)
    if per_unit is None:
        return None
    order = np.argsort(-per_unit)
    units = tuple(Phrase("page.verbatim", {"words": str(int(unit))}) for unit in order)
    active = c.facts[name].active
    told = {"active": "–" if active is None else active, "all": len(per_unit), "most": float(per_unit.max()), "least": ACTIVE_VARIANCE}
    summary = Phrase("curves.units.summary", {"run": c.phrase(name)} | told)
    bars = (Series(c.phrase(name), tuple(rounded(per_unit[order])), kind=c.hues[name]),)
    return Bars(Phrase("curves.units"), Phrase("figure.nats"), units, bars, summary)


def diagnosis_section(c: Context) -> str:
    """Every run's findings, or that there are none."""
    parts = []
    for name, findings in c.findings.items():
        told = tag("ul", *(_alarm(c, finding) for finding in findings)) if findings else c.paragraph("diagnosis.none")
        parts.append(tag("div", tag("h3", c.label(name)), told))
    return c.paragraph("diagnosis.intro") + tag("div", *parts, class_="beside wide")


def _alarm(c: Context, finding: Finding) -> str:
    words = in_words(finding, c.lang)
    sentences = escape(f"{words.meaning} {words.evidence} {words.remedy}")
    return tag("li", tag("strong", escape(words.name)), ", ", escape(words.when), ". ", sentences)


def measures_section(c: Context) -> str:
    """What each measure of the table means."""
    entries = [
        tag("dt", escape(capital(c.plain(f"measure.{score}")))) + tag("dd", c.say(f"measure.{score}.about")) for score in measured_here(c)
    ]
    return c.paragraph("measures.intro") + tag("dl", *entries, class_="measures") if entries else ""


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

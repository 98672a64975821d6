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
from latentlab.show.charts.payload import capital, rounded
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
    """Every kept grid of every run, side by side under one slider over training, with a play button, and a stepper for each run.

    Without JavaScript: the last grids.
    """
    intro, where = c.fitting("viewer.intro", "viewer.intro.points"), c.fitting("viewer.where", "viewer.where.points")
    frames = {name: kept for name, folder in c.runs.items() if (kept := _frames(c, name, folder))}
    if not frames:
        return c.paragraph(intro) + c.paragraph("viewer.empty")
    words = {
        "play": c.plain("viewer.play"),
        "pause": c.plain("viewer.pause"),
        "share": c.plain("viewer.share", share="{share}"),
        "where": c.plain(where, step="{step}", epoch="{epoch}", place="{place}", all="{all}"),
    }
    controls = tag(
        "div",
        tag("button", tag("span", "▶", aria_hidden="true"), " ", tag("span", c.say("viewer.play")), type="button", class_="play"),
        tag("input", type="range", min=0, max=1000, value=1000, aria_label=c.plain("viewer.slider"), class_="time"),
        tag("output", "", class_="share"),
        class_="controls",
        hidden=True,
    )
    panels = tag("div", *(_viewer_panel(c, name, kept) for name, kept in frames.items()), class_="panels")
    caption = tag(
        "figcaption", c.say(c.fitting("viewer.caption", "viewer.caption.points")), " ", tag("span", c.say("viewer.keys"), class_="screen")
    )
    data = embedded_json({"words": words, "lang": c.lang}, class_="words")
    # The last picture of each run stands in its panel already; the script takes it from there.
    stored = c.shared.put_json([[*kept[:-1], kept[-1] | {"src": None}] for kept in frames.values()])
    return c.paragraph(intro) + tag("figure", controls, panels, caption, data, class_="wide viewer", data_frames=stored)


def _frames(c: Context, name: str, folder: RunFolder) -> list[dict[str, Any]]:
    """Every kept grid of a run: step, epoch, share of the run's training, and the picture."""
    facts = c.facts[name]
    pictures = folder.pictures("samples")
    last = max(facts.steps, pictures[-1][0] if pictures else 0, 1)
    per_step = facts.epochs / facts.steps if facts.steps else 0.0
    return [
        {"step": step, "epoch": round(step * per_step, 2), "share": round(step / last, 5), "src": small_file(path)}
        for step, path in pictures
    ]


def _viewer_panel(c: Context, name: str, frames: list[dict[str, Any]]) -> str:
    last, run = frames[-1], c.name(name)
    count = c.runs[name].config().train.sample_count
    at = {"step": c.number(last["step"]), "epoch": c.number(round(last["epoch"], 1))}
    key = c.fitting("viewer.alt", "viewer.alt.points")
    pattern = c.plain(key, n=count, run=run, step="{step}", epoch="{epoch}")
    shown = c.shared.image(last["src"], c.plain(key, n=count, run=run, **at), data_alt=pattern)
    where = tag("span", c.say(c.fitting("viewer.where", "viewer.where.points"), **at, place=len(frames), all=len(frames)), class_="where")
    back, on = (
        tag("button", escape(sign), type="button", data_by=by, aria_label=c.plain(key, run=run), hidden=True)
        for sign, by, key in (("‹", -1, "viewer.previous"), ("›", 1, "viewer.next"))
    )
    return tag("div", tag("h4", c.label(name)), shown, tag("div", back, where, on, class_="stepper"), class_="panel")


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
    errors = curves.each_run(recorded, "mse", "val")
    if len(errors) > 1:
        summary = Phrase("curves.compared.summary", {"each": curves.last_values(errors)})
        compared = curves.over_epochs(Phrase("figure.compare.shared"), "figure.loss.mse_axis", errors, summary, log_y=True)
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

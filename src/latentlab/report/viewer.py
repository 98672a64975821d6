"""The sample grids of every run under one slider over training."""

from __future__ import annotations

from typing import Any

from latentlab.report.context import Context
from latentlab.report.markup import embedded_json, escape, small_picture, tag
from latentlab.runs import RunFolder


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

"""Charts as data: numbers and words of panels, metrics as columns, the curves of runs, films, the joined scripts."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from importlib import resources

import numpy as np
import pytest
from fakeruns import fake_rows, fake_run
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab.base.errors import LabError
from latentlab.base.texts import Phrase
from latentlab.show import charts as module
from latentlab.show.charts.columns import Change, Columns, thinned
from latentlab.show.charts.curves import METRICS, Recorded, overlaid, overlays, quality_curves, run_curves
from latentlab.show.charts.panels import Bars, Lines, Series
from latentlab.show.charts.payload import chart_data, chart_table, chart_words, film_data, reel, rounded, to_figures
from latentlab.show.figures.records import objective

EPOCH, NATS = Phrase("figure.epoch"), Phrase("figure.nats")


def said(words: str) -> Phrase:
    return Phrase("page.verbatim", {"words": words})


LOSSES = Lines(
    said("losses"),
    EPOCH,
    NATS,
    (
        Series(said("one"), (400.5, None, 1 / 3), (0.0, 1.0, 2.0), kind="vae"),
        Series(said("other"), (1e-12, 12345678.0, math.nan), (0.0, 1.0, 2.0), (0.0, 1.0, 2.0), (3.0, 4.0, 5.0)),
    ),
    said("both fall"),
    log_y=True,
    marks=((1.0, said("halved")),),
)
DISTANCES = Bars(said("d"), NATS, (said("AE"), said("VAE")), (Series(said("a"), (80.5, None)),), said("s"), lines=((8.5, said("real")),))


# ----------------------------------------------------------------------------------------------------- numbers and words


def test_a_chart_is_its_numbers_and_nothing_else():
    one = {"y": [400.5, None, 0.333333], "hue": "vae", "dash": 0, "mark": 1, "x": [0, 1, 2]}
    other = {"y": [1e-12, 12345700, None], "hue": "1", "dash": 0, "mark": 0, "low": [0, 1, 2], "high": [3, 4, 5], "x": 0}
    assert chart_data(LOSSES) == {
        "kind": "lines", "series": [one, other], "log_x": False, "log_y": True, "categories": False, "marks": [1],
    }  # fmt: skip
    assert '"x": [0, 1, 2]' in json.dumps(chart_data(LOSSES))  # whole numbers have no point
    bar = {"y": [80.5, None], "hue": "1", "dash": 0, "mark": 0}
    assert chart_data(DISTANCES) == {"kind": "bars", "series": [bar], "log_y": False, "levels": [8.5]}
    shifted = Lines(said("β"), EPOCH, NATS, (Series(said("a"), (1.0, 2.0), (0.0, 10.0)),), said("s"), log_x=True)
    assert chart_data(shifted)["categories"] is True


def test_a_chart_says_everything_in_its_language():
    words = chart_words(LOSSES, "fr")
    assert {name: words[name] for name in ("lang", "title", "summary", "series", "x", "marks")} == {
        "lang": "fr", "title": "Losses", "summary": "both fall", "series": ["one", "other"], "x": "époque", "marks": ["halved"],
    }  # fmt: skip
    assert words["y"].startswith("nats par image, ")  # which also says that it is logarithmic
    assert words["ui"]["range"] == "De {low} à {high}."
    bars = chart_words(DISTANCES, "en")
    assert (bars["groups"], bars["levels"], "x" in bars) == (["AE", "VAE"], ["real"], False)


def test_the_table_holds_the_values():
    name, caption, head, rows = chart_table(LOSSES, "en")
    assert (name, head) == ("The numbers", ["epoch", "one", "other"])
    assert rows[0] == ("0", [("400.5", ""), ("1 × 10⁻¹²", "0 to 3")])
    assert caption == "Nats per image, log scale. 1: halved"
    long = Lines(said("l"), EPOCH, NATS, (Series(said("a"), tuple(map(float, range(500))), tuple(map(float, range(500)))),), said("s"))
    rows = chart_table(long, "en").rows
    assert (len(rows), rows[0][0], rows[-1][0]) == (12, "0", "499")


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(finite, max_size=8))
@settings(deadline=None)
def test_numbers_have_six_figures(values):
    """Each is the double of a decimal number of at most six figures, and none such is nearer."""
    found = to_figures(np.array(values, np.float64)).tolist()
    for value, short in zip(values, found, strict=True):
        assert float(f"{short:.6g}") == short
        exact = float(f"{value:.6g}")
        assert abs(short - value) <= abs(exact - value) * (1 + 1e-9) or short == exact


def test_what_is_not_finite_is_left_out():
    assert rounded([None, math.nan, math.inf, 2.0, 0.0, 2.5]) == [None, None, None, 2, 0, 2.5]


# ------------------------------------------------------------------------------------------------------------- columns

value = st.one_of(st.none(), finite, st.integers(-9, 9))
row = st.fixed_dictionaries(
    {"step": st.integers(0, 99), "split": st.sampled_from(("train", "val"))},
    optional={"epoch": finite, "loss_nats": value, "mse": value},
)


@given(st.lists(row, max_size=12), st.integers(0, 12))
@settings(deadline=None)
def test_columns_are_what_is_read_line_by_line(rows, cut):
    """Also when the file grew in between, with columns looked at before."""
    columns = Columns(rows[:cut])
    before = columns.column("train", "mse")
    columns.extend(rows[cut:])
    assert len(columns) == len(rows)
    for split in ("train", "val"):
        for name in ("loss_nats", "mse"):
            points = [(row.get("epoch"), row[name]) for row in rows if row["split"] == split and name in row]
            x, y = np.array(points, np.float64).reshape(-1, 2).T  # None is NaN
            epoch, step, found = columns.column(split, name)
            np.testing.assert_array_equal(epoch, x)
            np.testing.assert_array_equal(found, y)
            assert step.tolist() == [row["step"] for row in rows if row["split"] == split and name in row]
    np.testing.assert_array_equal(before.value, Columns(rows[:cut]).column("train", "mse").value)


def test_only_numbers_are_columns():
    changed = {"id": "a", "action": "set", "set": {"train.learning_rate": 1e-4, "train.beta": 2}}
    columns = Columns([
        {"step": 0, "epoch": 0.0, "split": "val", "kid": 3, "extractor": "classifier", "sound": True},
        {"step": 5, "epoch": 0.5, "split": "train", "request": changed},
        {"step": 6, "epoch": 0.6, "split": "train", "request": {"id": "b", "action": "pause"}},
    ])  # fmt: skip
    assert columns.names("val") == ["kid@classifier"]
    assert columns.names("train") == []
    assert columns.changes == [Change(0.5, "train.learning_rate", 1e-4), Change(0.5, "train.beta", 2.0)]
    assert columns.epochs_per_step == pytest.approx(0.1)
    assert Columns().epochs_per_step is None


@given(st.lists(st.one_of(finite, st.just(math.nan)), min_size=1, max_size=300), st.integers(4, 60))
@settings(deadline=None)
def test_a_thinned_line_keeps_the_ends_of_each_stretch(values, most):
    x, y = np.arange(len(values), dtype=np.float64), np.array(values)
    kept, shown = thinned(x, y, most)
    assert (np.diff(kept) > 0).all()
    np.testing.assert_array_equal(shown, y[kept.astype(int)])
    assert len(kept) <= most + 2
    assert {0, len(x) - 1} <= set(kept)
    if len(values) > most:
        for stretch in np.array_split(np.arange(len(x)), most // 2):
            if np.isfinite(y[stretch]).any():
                here = y[stretch][np.isin(stretch, kept)]
                assert (np.nanmin(here), np.nanmax(here)) == (np.nanmin(y[stretch]), np.nanmax(y[stretch]))


# -------------------------------------------------------------------------------------------------------------- curves


def series_of(panel: Lines) -> list[tuple[str, str]]:
    return [(one.name.key, one.kind) for one in panel.series]


def test_the_curves_of_a_vae():
    rows = [row | ({"gradient_norm": 3.0} if row["split"] == "train" else {}) for row in fake_rows("vae", 4)]
    rows.insert(4, rows[3] | {"request": {"id": "x", "action": "set", "set": {"train.beta": 2.0}}})
    panels = run_curves(rows, "vae", "bernoulli", said("V"), "vae")
    assert [panel.title.key for panel in panels] == ["figure.objective.bernoulli", "losses.kl", "curves.gradients"]
    loss = panels[0]
    assert series_of(loss) == [
        ("curves.loss.val", "vae"), ("curves.loss.train", ""), ("curves.reconstruction", ""), ("curves.kl", ""),
    ]  # fmt: skip
    assert loss.series[0].x == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert loss.series[0].y == (500.0, 300.0, pytest.approx(233.333), 200.0, 180.0)
    assert loss.series[1].y[1] is None  # recorded as null
    assert all([x for x, _ in panel.marks] == [1.0] for panel in panels)
    assert loss.marks[0][1].say("en") == "train.beta set to 2.00"
    assert loss.summary.say("en").startswith("V over epochs; at the end: loss, validation 180, loss, training 180, ")


def test_the_curves_of_a_gan():
    rows = fake_rows("gan", 3)
    assert [panel.title.key for panel in run_curves(rows, "gan", "hinge", said("G"), "gan")] == [
        "figure.objective.hinge", "figure.loss.logits",
    ]  # fmt: skip
    measured = [row | {"kid": 5.0, "recall": 0.5} if row["split"] == "val" else row | {"discriminator_gradient_norm": 1.0} for row in rows]
    panels = run_curves(measured, "gan", "hinge", said("G"), "gan")
    keys = [panel.y_label.key for panel in panels]
    assert keys == ["figure.loss.axis", "figure.loss.logit", "curves.norm", "measure.kid", "measure.recall"]
    assert series_of(panels[1]) == [("figure.loss.real", ""), ("curves.real.val", "gan"), ("figure.loss.fake", "")]
    both = [row | {"frechet": 9.0} if "kid" in row else row for row in measured]
    assert [panel.y_label.key for panel in run_curves(both, "gan", "hinge", said("G"), "gan")][3:] == ["measure.frechet", "measure.recall"]


def test_what_two_extractors_saw_is_never_on_one_axis():
    def recorded(name: str, extractor: str, **more: float) -> Recorded:
        seen = [{"epoch": float(e), "step": e, "split": "val", "kid": 400.0, "recall": 0.5, "extractor": extractor} | more for e in (1, 2)]
        return Recorded(seen, said(name), "gan")

    runs = {"a": recorded("A", "classifier"), "b": recorded("B", "random-convolutions"), "c": recorded("C", "classifier", frechet=9.0)}
    quantities = overlays(run.rows for run in runs.values())
    assert quantities == [
        (f"{measure}@{extractor}", "val") for measure, extractor in (
            ("frechet", "classifier"), ("kid", "classifier"), ("kid", "random-convolutions"), ("recall", "classifier"),
            ("recall", "random-convolutions"),
        )
    ]  # fmt: skip
    panels = {metric: overlaid(runs, metric, split) for metric, split in quantities}
    assert [one.name.say("en") for one in panels["kid@classifier"].series] == ["A", "C"]
    assert [one.name.say("en") for one in panels["kid@random-convolutions"].series] == ["B"]
    assert panels["kid@random-convolutions"].title.say("en") == "Kernel distance (KID), seen by random convolutions, validation"
    assert "selon le classifieur" in panels["kid@classifier"].title.say("fr")
    of_all = {panel.title.say("en"): len(panel.series) for panel in quality_curves(list(runs.values()))}
    assert of_all == {
        "Frechet distance, seen by the classifier, during training": 1,
        "Kernel distance (KID), seen by random convolutions, during training": 1,
        "Recall, seen by the classifier, during training": 2,
        "Recall, seen by random convolutions, during training": 1,
    }


def test_nothing_recorded_is_nothing_shown():
    assert run_curves([], "ae", "mse", said("A"), "ae") == []
    with pytest.raises(LabError, match=r"family must be ae, vae or gan\. Got 'gnn'"):
        run_curves([], "gnn", "mse", said("A"), "ae")


def test_runs_are_laid_over_each_other():
    ae, vae = Columns(fake_rows("ae", 2)), fake_rows("vae", 4)
    runs = {"a": Recorded(ae, said("A"), "ae"), "b": (vae, said("B"), "vae"), "c": (fake_rows("gan", 2), said("C"), "gan")}
    panel = overlaid(runs, "mse", "val")
    assert [(one.name.say("en"), one.kind, len(one.x)) for one in panel.series] == [("A", "ae", 3), ("B", "vae", 5)]
    assert panel.log_y
    assert panel.title.say("fr") == "erreur quadratique par pixel, validation"
    assert overlaid(runs, "kid", "val") is None
    assert overlaid(runs, "mse", "train") is None
    with pytest.raises(LabError, match=r"metric must be one of loss_nats, .* Got 'request'"):
        overlaid(runs, "request", "val")
    assert overlays([ae, vae]) == [
        ("loss_nats", "val"), ("loss_nats", "train"), ("reconstruction_nats", "val"), ("reconstruction_nats", "train"),
        ("kl_nats", "val"), ("kl_nats", "train"), ("mse", "val"),
    ]  # fmt: skip
    for metric in METRICS:
        one = overlaid({"a": ([{"epoch": 1.0, "split": "train", metric: 1.0}], said("A"), "")}, metric, "train")
        assert "{" not in one.summary.say("fr") + one.title.say("en") + one.y_label.say("fr")


# ---------------------------------------------------------------------------------------------------------------- films


def test_a_film_knows_what_was_kept(tmp_path):
    folder = fake_run(tmp_path / "vae", "vae", epochs=3)
    assert objective(folder) == "bernoulli_grey"
    made = reel(folder, Columns(folder.metrics()), "runs/vae", Phrase("run.vae.short"), "vae")
    other = reel(folder, Columns(), "b", said("<b>"), "", "reconstructions")
    data = film_data([made, other], "fr")
    assert data["lang"] == "fr"
    first, second = data["runs"]
    assert first["steps"] == [0, 1, 10, 20, 30]
    assert first["epochs_per_step"] == pytest.approx(0.1)
    assert (first["name"], first["label"], first["hue"]) == ("runs/vae", "VAE", "vae")
    assert (second["epochs_per_step"], second["hue"]) == (None, "5")
    for run in data["runs"]:
        assert {"{step}", "{epoch}"} <= set(re.findall(r"\{\w+\}", run["alt"]))
        assert run["label"] in run["alt"]
    assert json.loads(json.dumps(data)) == data


# -------------------------------------------------------------------------------------------------------------- scripts


def test_the_scripts_stand_alone():
    for script in (module.script(), module.module()):
        assert not re.search(r"^\s*import\b|\bimport\(", script, re.MULTILINE)
    assert "export" not in module.script()
    assert re.findall(r"^export .*", module.module(), re.MULTILINE) == [
        "export const { mount, number, fill, film, chart, player, element, parallel } = latentlabCharts;"
    ]
    assert "parallel" not in module.script().partition("return { mount")[2]


def test_a_host_has_the_palettes_of_the_page():
    page = resources.files("latentlab.show.report").joinpath("static", "lab.css").read_text(encoding="utf-8")
    own = resources.files("latentlab.show.charts").joinpath("static", "host.css").read_text(encoding="utf-8")
    for page_part, own_part in zip(page.split("@media (prefers-color-scheme: dark)", 1), own.split("@media screen", 1), strict=True):
        colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]+)", page_part.split("\n}", 1)[0]))
        held = dict(re.findall(r"--chart-([a-z0-9-]+): (#[0-9a-f]+)", own_part))
        assert {name: colours[name] for name in held} == held
        assert len(held) == 5
    drawn = re.compile(r"\.hue-([\w-]+) { --own: (#[0-9a-f]{6}); }")
    light, dark = module.style().split("@media screen and (prefers-color-scheme: dark)")
    assert dict(drawn.findall(module.host_style().split("@media screen")[-1])) == dict(drawn.findall(dark))
    assert dict(drawn.findall(module.host_style().split("@media screen")[-2])) == dict(drawn.findall(light))


def test_charts_need_no_torch():
    code = (
        "import sys, latentlab.show.charts.curves, latentlab.show.charts.payload, latentlab.show.charts; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rates_and_what_a_vae_plays_for_are_drawn_where_they_were_recorded() -> None:
    def titles(family: str, **told: float) -> list[str]:
        rows = [{"step": at, "epoch": at / 10, "split": "train", "loss_nats": 9.0 - at, **told} for at in (1, 2, 3)]
        return [panel.title.key for panel in run_curves(rows, family, "bernoulli", Phrase("x"), family)]

    assert "curves.rates" not in titles("vae")
    assert "curves.rates" in titles("vae", learning_rate=1e-3)
    assert "curves.rates" in titles("gan", generator_learning_rate=1e-3, generator_loss=1.0)
    game = ["curves.features", "figure.objective.non-saturating", "figure.loss.logits"]
    assert not set(game) & set(titles("vae"))
    played = {"encoder_loss": 20.0, "feature_nats": 3.0, "generator_loss": 1.0, "discriminator_loss": 1.3, "real_logit": 1.0}
    assert [title for title in titles("vae", **played) if title in game] == game

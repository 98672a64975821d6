"""Runs side by side: what is put together, what is refused, what is called better, and the three files that tell it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import refusal_here, run
from fakeruns import coarse_figures, fake_run
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from latentlab.base.errors import LabError
from latentlab.lab.cells import Cell
from latentlab.lab.farm import Evaluation, state
from latentlab.measure.compare import comparison, comparison_of, distinct_names, opened
from latentlab.measure.compare.groups import best, interval, over_seeds
from latentlab.measure.compare.tables import explained, markdown, table
from latentlab.measure.compare.verdict import unsound, verdict
from latentlab.measure.scores import kept
from latentlab.measure.table import MEASURES, measurements, note_words, ordered, panels, unit_words
from latentlab.runs.folder import RunFolder
from latentlab.show.figures import style
from latentlab.show.figures.comparison import shortened, write_comparison
from latentlab.show.figures.swept import draw_swept


@pytest.fixture(autouse=True, scope="module")
def _coarse_figures():
    with coarse_figures():
        yield


def scored(folder: RunFolder, **changes: Any) -> RunFolder:
    """The run with other scores: a number is a score's value, anything else a key of scores.json."""
    content = folder.scores()
    for name, value in changes.items():
        if isinstance(value, int | float) and name not in ("n", "samples", "step", "samples_per_second"):
            content["scores"][name] = {"value": value, "unit": "", "n": 40}
        elif isinstance(value, dict) and "value" in value:
            content["scores"][name] = {"unit": "", "n": 40} | value
        else:
            content[name] = value
    (folder.path / "scores.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def seeds(root: Path, name: str, values: list[float], **changes: Any) -> list[RunFolder]:
    """Runs that differ in their seed and their Frechet distance only."""
    return [
        scored(fake_run(root / f"{name}-seed-{seed}", name, epochs=1, **changes, **{"train.seed": seed}), frechet=value, step=10)
        for seed, value in enumerate(values)
    ]


def compared(folders: list[RunFolder]) -> dict[str, Any]:
    return comparison(opened([folder.path for folder in folders]))


def test_several_protocols_stand_side_by_side_and_alike_ones_are_compared(tmp_path):
    """A quick evaluation hides no full one, and runs are compared by what they were both measured by."""
    full, quick = ({"split": "test", "step": 10, "samples": samples, "scores": {}, "extractors": {}} for samples in (10_000, 100))
    held = kept([full, quick])
    assert (held["samples"], [one["samples"] for one in held["others"]]) == (10_000, [100])
    assert kept([*measurements(held), quick | {"n": 7}])["others"] == [quick | {"n": 7}]  # the same protocol again
    newer = kept([*measurements(held), quick | {"step": 20}])
    assert (newer["step"], [one["samples"] for one in newer["others"]]) == (20, [10_000, 100])
    assert kept([full | {"split": "val"}, quick])["split"] == "test"
    assert measurements({}) == []

    a, b = (scored(fake_run(tmp_path / name, "vae", epochs=1), step=10, samples=2000, frechet=5.0) for name in "ab")
    few = a.scores() | {"samples": 100, "scores": a.scores()["scores"] | {"frechet": {"value": 9.0, "unit": "", "n": 100}}}
    for folder, measured in ((a, [a.scores(), few]), (b, [few])):
        (folder.path / "scores.json").write_text(json.dumps(kept(measured)), encoding="utf-8")
    both = compared([a, b])
    assert (both["samples"], [entry["scores"]["frechet"]["value"] for entry in both["runs"].values()]) == (100, [9.0, 9.0])
    assert "remarks" in (shown := comparison_of(opened([a.path, b.path])))
    assert shown["remarks"] == []
    assert compared([a])["samples"] == 2000
    cell = Cell("a", a.path, a.config(), {})
    a.write_status("finished", 10)
    (a.path / "environment.json").write_text(json.dumps(a.environment() | {"data_fingerprint": few["data_fingerprint"]}))
    assert [state(cell, Evaluation(count, any_nll=True)) for count in (100, 2000, 50)] == ["measured", "measured", "trained"]


def test_a_comparison_reads_the_metrics_of_a_run_once(tmp_path, monkeypatch):
    folders, read, metrics = seeds(tmp_path, "vae", [10.0, 12.0]), [], RunFolder.metrics
    monkeypatch.setattr(RunFolder, "metrics", lambda folder: read.append(folder.path.name) or metrics(folder))
    comparison_of(opened([folder.path for folder in folders]))
    assert sorted(read) == ["vae-seed-0", "vae-seed-1"]


def test_seeds_of_one_configuration_are_one_group(tmp_path):
    folders = [*seeds(tmp_path, "vae", [10.0, 12.0, 17.0]), *seeds(tmp_path, "gan", [5.0])]
    groups = compared(folders)["groups"]
    assert list(groups) == ["vae", "gan-seed-0"]
    frechet = groups["vae"]["scores"]["frechet"]
    assert groups["vae"]["seeds"] == [0, 1, 2]
    assert groups["vae"]["runs"] == ["vae-seed-0", "vae-seed-1", "vae-seed-2"]
    assert frechet["value"] == 13.0
    assert frechet["sd"] == pytest.approx(math.sqrt((9 + 1 + 16) / 2))  # n − 1
    assert frechet["values"] == [10.0, 12.0, 17.0]
    reach = 4.302652729911275 * math.sqrt(13 / 3)  # Student's t of 0.975 with 2 degrees of freedom
    assert frechet["ci95"] == pytest.approx([13 - reach, 13 + reach])
    assert groups["gan-seed-0"]["scores"]["frechet"]["value"] == 5.0
    assert "sd" not in groups["gan-seed-0"]["scores"]["frechet"]


@pytest.mark.parametrize(
    ("changes", "together"),
    [
        ({"train.threads": 3}, True),
        ({"train.device": "cpu"}, True),
        ({"data.root": "/elsewhere"}, True),
        ({"data.offline": True}, True),
        ({"model.latent_dim": 7}, False),
        ({"train.learning_rate": 2e-3}, False),
        ({"train.precision": "fp32"}, False),
    ],
)
def test_what_belongs_to_the_machine_sets_no_runs_apart(tmp_path, changes, together):
    one = fake_run(tmp_path / "one", "vae", epochs=0)
    two = fake_run(tmp_path / "two", "vae", epochs=0, **changes, **{"train.seed": 1})
    assert len(compared([one, two])["groups"]) == (1 if together else 2)


def test_a_run_of_another_length_or_changed_on_the_way_is_no_fellow(tmp_path):
    one, shorter, changed = seeds(tmp_path, "vae", [1.0, 2.0, 3.0])
    scored(shorter, step=9)
    row = one.metrics()[-1] | {"request": {"id": "x", "action": "set", "set": {"train.learning_rate": 1.0}}}
    with open(changed.metrics_file, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    assert [group["runs"] for group in compared([one, shorter, changed])["groups"].values()] == [[one.name], [shorter.name], [changed.name]]


def test_one_seed_twice_is_no_second_draw(tmp_path):
    folders = [fake_run(tmp_path / name, "ae", epochs=0) for name in ("vae-a", "vae-b")]
    assert [group["runs"] for group in compared(folders)["groups"].values()] == [["vae-a"], ["vae-b"]]


def test_generators_from_like_decoders_are_one_group(tmp_path):
    sources = [*seeds(tmp_path / "v", "vae", [1.0, 2.0]), *seeds(tmp_path / "w", "vae", [1.0], latent_dim=5)]
    warm = [
        fake_run(tmp_path / f"warm-{i}", "gan-from-vae", epochs=0, **{"train.seed": i, "train.generator_from": str(source.path)})
        for i, source in enumerate(sources)
    ]
    groups = compared(warm)["groups"]
    assert [group["runs"] for group in groups.values()] == [["warm-0", "warm-1"], ["warm-2"]]
    assert {group["kind"] for group in groups.values()} == {"gan-from-vae"}


def test_an_entry_tells_what_a_run_is_and_cost_when_it_was_measured(tmp_path):
    folder = scored(fake_run(tmp_path / "vae", "vae", epochs=4), step=20, samples_per_second=123.0)
    status = {"state": "finished", "step": 40, "diagnosis": [{"key": "posterior-collapse", "since_step": 10, "evidence": {}}]}
    (folder.path / "status.json").write_text(json.dumps(status), encoding="utf-8")
    found = compared([folder])
    entry = found["runs"]["vae"]
    assert (entry["preset"], entry["family"], entry["latent_dim"], entry["parameters"]) == ("conv-vae", "vae", 32, {"decoder": 1234567})
    assert (entry["steps"], entry["epochs"], entry["images_seen"], entry["seconds"]) == (20, 2.0, 1280, 4.0)
    assert entry["samples_per_second"] == 123.0
    assert entry["diagnosis"] == ["posterior-collapse"]
    assert entry["scores"] == folder.scores()["scores"]
    assert entry["class_shares"]["n"] == 2000
    assert {"data", "split", "images", "runs"} <= set(found)
    assert "posterior-collapse" in markdown(found)
    assert "trained to step 40 since" in markdown(found)


def other_fingerprint(folder: RunFolder) -> None:
    environment = folder.environment() | {"data_fingerprint": "g" * 64}
    (folder.path / "environment.json").write_text(json.dumps(environment), encoding="utf-8")


def unsaid(folder: RunFolder) -> None:
    """Scores of an earlier version, which leave it to the environment to say what the data were."""
    scores = folder.scores()
    del scores["data_fingerprint"]
    (folder.path / "scores.json").write_text(json.dumps(scores))


UNLIKE = {
    "data": (lambda f: (other_fingerprint(f), unsaid(f)), ["data (f in ", "gggggggggggg in "]),
    "data of the scores": (lambda f: scored(f, data_fingerprint="h"), ["data (f in ", "h in "]),
    "split": (lambda f: scored(f, split="val"), ["split (test in ", "val in "]),
    "n": (lambda f: scored(f, n=39), ["held-out images (40 in ", "39 in "]),
    "samples": (lambda f: scored(f, samples=500), ["samples (1000 in ", "500 in "]),
    "extractor": (lambda f: scored(f, extractors={"classifier": {"sha256": "1"}}), ["extractor (classifier 0 in ", "classifier 1 in "]),
    "extractors": (lambda f: scored(f, extractors={}), ["extractor (classifier 0 in ", "none in "]),
    "more extractors": (
        lambda f: scored(f, extractors={"classifier": {"sha256": "0"}, "inception-v3": {"sha256": "2"}}),
        ["classifier 0 + inception-v3 2 in two"],
    ),
    "another first extractor": (  # which saw what bears no extractor's name
        lambda f: scored(f, extractors={"random-convolutions": {"sha256": "3"}, "classifier": {"sha256": "0"}}),
        ["random-convolutions 3 + classifier 0 in two"],
    ),
}


@pytest.mark.parametrize("what", UNLIKE)
def test_runs_that_were_not_measured_alike_are_refused_by_name(tmp_path, what):
    folders = [scored(fake_run(tmp_path / name, "vae", epochs=0), samples=1000) for name in ("one", "two", "three")]
    assert len(compared(folders)["runs"]) == 3
    change, parts = UNLIKE[what]
    change(folders[1])
    with pytest.raises(LabError) as caught:
        compared(folders)
    line = str(caught.value)
    assert line.count("\n") == 0
    for part in [*parts, "one, three", "two"]:
        assert part in line


def test_every_difference_is_named_at_once(tmp_path):
    folders = [fake_run(tmp_path / name, "vae", epochs=0) for name in ("one", "two")]
    scored(folders[1], n=39, split="val")
    with pytest.raises(LabError, match=r"split \(test in one; val in two\) and in held-out images \(40 in one; 39 in two\)"):
        compared(folders)


def test_wrong_input_is_one_line(tmp_path, capsys):
    vae = fake_run(tmp_path / "vae", "vae", epochs=0)
    bare = fake_run(tmp_path / "bare", "vae", epochs=0)
    (bare.path / "scores.json").unlink()
    out = ["--out", tmp_path / "out"]
    assert "at least one run" in refusal_here(capsys, "compare", *out)
    assert "--out" in refusal_here(capsys, "compare", vae.path)
    assert f"`latentlab evaluate {bare.path}` first" in refusal_here(capsys, "compare", vae.path, bare.path, *out)
    assert "'nowhere'" in refusal_here(capsys, "compare", "nowhere", *out)
    assert "named twice" in refusal_here(capsys, "compare", vae.path, tmp_path / "bare" / ".." / "vae", *out)
    assert "'de'" in refusal_here(capsys, "compare", vae.path, "--lang", "de", *out)
    scored(vae, split="val")
    other = fake_run(tmp_path / "other", "ae", epochs=0)
    assert "split (val in vae; test in other)" in refusal_here(capsys, "compare", vae.path, other.path, *out)
    assert "a folder" in refusal_here(capsys, "compare", other.path, "--out", vae.path / "config.json")
    assert not (tmp_path / "out").exists()


def test_the_command_writes_three_files_and_prints_the_table(tmp_path):
    folders = [*seeds(tmp_path, "vae", [30.0, 31.0]), *seeds(tmp_path, "gan", [9.0, 9.5])]
    done = run("compare", *(folder.path for folder in folders), "--out", tmp_path / "out")
    lines = done.stdout.splitlines()
    assert lines[-1] == str(tmp_path / "out")
    assert "\n".join(lines[:-1]).strip() == (tmp_path / "out" / "comparison.md").read_text(encoding="utf-8").strip()
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["groups"]["gan"]["seeds"] == [0, 1]
    with Image.open(tmp_path / "out" / "comparison.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 200


def test_images_made_elsewhere_are_compared(tmp_path):
    gan = scored(fake_run(tmp_path / "gan", "gan", epochs=0), data_fingerprint="f", samples=900)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    content = gan.scores() | {"source": "images", "data": "mnist"}
    (foreign / "scores.json").write_text(json.dumps(content | {"step": None}), encoding="utf-8")
    found = compared([gan, RunFolder(foreign)])
    assert list(found["groups"]) == ["gan", "foreign"]
    assert found["runs"]["foreign"]["source"] == "images"
    assert comparison(opened([foreign]))["data"] == "mnist"
    assert "images made elsewhere" in markdown(found)
    assert "foreign" in table(found)
    write_comparison(tmp_path / "out", opened([gan.path, foreign]))
    scored(RunFolder(foreign), samples=901)
    with pytest.raises(LabError, match=r"samples \(900 in gan; 901 in foreign\)"):
        compared([gan, RunFolder(foreign)])


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=9))
def test_mean_and_deviation_are_those_of_numpy_and_in_any_order(values):
    found, turned = (over_seeds([{"value": v} for v in order]) for order in (values, values[::-1]))
    scale = max(map(abs, values)) + 1
    assert found["value"] == pytest.approx(np.mean(values), abs=1e-9 * scale)
    assert found["sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-6 * scale)
    assert found["ci95"][0] <= found["value"] <= found["ci95"][1]
    assert (found["value"], found["sd"]) == pytest.approx((turned["value"], turned["sd"]))


def test_an_infinite_seed_makes_the_mean_infinite(tmp_path):
    assert over_seeds([{"value": 1.0}, {"value": None}])["value"] is None
    found = compared([scored(folder, frechet={"value": None}) for folder in seeds(tmp_path, "vae", [1.0])])
    assert "∞" in markdown(found)
    write_comparison(tmp_path / "out", opened([tmp_path / "vae-seed-0"]))


def test_a_single_run_keeps_the_interval_of_its_measurement():
    assert interval({"value": 2.0, "ci95": [1.5, 3.0], "stderr": 9.0}) == (1.5, 3.0)
    assert interval({"value": 2.0, "stderr": 0.5}) == pytest.approx((2 - 1.96 * 0.5, 2 + 1.96 * 0.5), abs=1e-4)
    assert interval({"value": 2.0}) is None
    assert interval({"value": None, "stderr": 0.5}) is None
    assert over_seeds([{"value": 2.0, "ci95": [1.5, 3.0], "floor": 1.0}])["ci95"] == [1.5, 3.0]


def group(measure: str, value: float | None, low: float = 0.0, high: float = 0.0) -> dict[str, Any]:
    return {"scores": {measure: {"value": value} | ({"ci95": [low, high]} if (low, high) != (0.0, 0.0) else {})}}


@pytest.mark.parametrize(
    ("measure", "groups", "expected"),
    [
        ("frechet", {"a": (5.0, 4.0, 6.0), "b": (9.0, 7.0, 11.0)}, "a"),
        ("frechet@inception-v3", {"a": (5.0, 4.0, 6.0), "b": (9.0, 7.0, 11.0)}, "a"),
        ("recall", {"a": (5.0, 4.0, 6.0), "b": (9.0, 7.0, 11.0)}, "b"),
        ("frechet", {"a": (5.0, 4.0, 7.5), "b": (9.0, 7.0, 11.0)}, None),  # they meet
        ("frechet", {"a": (5.0, 4.0, 6.0), "b": (9.0, 7.0, 11.0), "c": (6.5, 5.5, 6.6)}, None),  # not against every other
        ("frechet", {"a": (5.0, 4.0, 6.0), "b": (9.0,)}, None),  # one has no interval
        ("frechet", {"a": (5.0, 4.0, 6.0), "b": (None,)}, "a"),  # infinite is worse than any
        ("frechet", {"a": (5.0, 4.0, 6.0)}, None),  # nobody to be better than
        ("kl_nats", {"a": (5.0, 4.0, 6.0), "b": (9.0, 7.0, 11.0)}, None),  # no order is meant
    ],
)
def test_better_is_only_what_the_intervals_separate(measure, groups, expected):
    assert best(measure, {name: group(measure, *score) for name, score in groups.items()}) == expected


def test_the_table_marks_the_best_and_names_units_floors_and_notes(tmp_path):
    close = {"value": 9.0, "ci95": [8.9, 9.1], "floor": 1.75, "extractor": "classifier"}
    a, b = fake_run(tmp_path / "a", "vae", epochs=1), fake_run(tmp_path / "b", "ae", epochs=1)
    scored(a, frechet=close, samples=10_000)
    scored(b, frechet=close | {"value": 30.0, "ci95": [29.0, 31.0]}, samples=10_000)
    text = markdown(compared([a, b]))
    row = next(line for line in text.splitlines() if line.startswith("| Frechet distance"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["Frechet distance, seen by the classifier", "", "lower", "1.75", "**9.00 [8.90, 9.10]**", "30.0 [29.0, 31.0]"]
    assert "not a likelihood" in text
    assert "10\u202f000 samples" in text
    assert "the classifier (sha256 0)" in text
    assert "97.2" in text
    heads = [line for line in text.splitlines() if line.startswith("| measure")]
    assert heads[0].strip("|").split("|")[-1].strip() == "b"
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|") and "preset" not in line}
    assert max(widths) == 9  # the runs' table has eight columns
    assert "Distance de Fréchet, selon le classifieur" in markdown(compared([a, b]), "fr")
    for folder in (a, b):
        scored(folder, kid={"value": 400.0, "extractor": "random-convolutions"})
    assert "\n(Frechet and KID: seen by random convolutions)\n" in table(compared([a, b]))


def test_a_name_with_bars_stays_one_cell(tmp_path):
    found = compared([fake_run(tmp_path / "a|b", "vae", epochs=0)])
    head = next(line for line in markdown(found).splitlines() if line.startswith("| measure"))
    assert r"a\|b" in head


def test_seeds_are_stated_and_their_deviation_shown(tmp_path):
    text = markdown(compared(seeds(tmp_path, "vae", [10.0, 12.0, 17.0])))
    assert "vae (3 seeds)" in text
    assert "13.0 ± 3.6" in text


def test_folders_of_one_name_are_told_apart_by_as_much_as_is_needed(tmp_path):
    paths = [Path(name) for name in ("/r/a/run", "/r/b/run", "/r/other", "/s/b/run")]
    assert distinct_names(paths) == ["a/run", "r/b/run", "other", "s/b/run"]
    with pytest.raises(LabError, match="named twice"):
        distinct_names([tmp_path, tmp_path / "." / "x" / ".."])


def test_how_an_nll_was_sampled_is_noted_beside_it():
    """By run in the terminal, by group over its seeds on the page and in the studio; never without both parts."""
    tails = {"mean": 0.6, "most": 1.2, "threshold": 0.7}

    def score(mean: float, above: float) -> dict[str, Any]:
        sizes = {"effective_samples": {"mean": mean, "least": mean / 10}, "pareto_k": tails | {"above": above}}
        return {"value": 100.0, "unit": "nats per image", "k": 500, "n": 40, **sizes}

    scores = [score(20.0, 0.1), score(40.0, 0.3)]
    runs = {name: {"scores": {"nll_nats": one}, "class_shares": None} for name, one in zip("ab", scores, strict=True)}
    lines = table({"runs": runs}).splitlines()
    assert [line for line in lines if "importance" in line] == [
        f"(NLL (nats), {name}: k = 500 importance samples an image, more where needed; effective {mean} on average, {least} at least; tail "
        f"too heavy to trust (Pareto k > 0.7) for {above}\xa0% of images)"
        for name, mean, least, above in (("a", 20, "2.0", 10), ("b", 40, "4.0", 30))
    ]
    groups = {"g": {"scores": {"nll_nats": over_seeds(scores)}, "runs": ["a", "b"], "best": [], "costs": {}, "diagnosis": []}}
    said = [note for note in explained({"groups": groups, "runs": {}}, "fr") if "importance" in note]
    assert len(said) == 1
    assert "30 effectifs en moyenne, 2,0 au moins" in said[0]
    assert said[0].endswith("pour 20\xa0% des images")
    del runs["b"]["scores"]["nll_nats"]["pareto_k"]
    assert sum("importance" in line for line in table({"runs": runs}).splitlines()) == 1
    assert "effective_samples" not in over_seeds(scores)


@given(st.lists(st.sampled_from("abc"), min_size=3, max_size=3), st.integers(1, 6))
def test_distinct_names_are_distinct(letters, count):
    paths = list({Path("/", *letters[: 1 + i % 3], str(i // 2)) for i in range(count)})
    names = distinct_names(paths)
    assert len(set(names)) == len(paths)
    assert all(str(path).endswith(name) for path, name in zip(paths, names, strict=True))


def test_measures_are_ordered_and_unknown_ones_come_last():
    assert ordered(["zeta", "kid@b", "psnr", "kid", "frechet"]) == ["frechet", "kid", "kid@b", "psnr", "zeta"]


def test_long_names_keep_both_ends():
    assert shortened("a" * 20 + "b" * 20, 11) == "aaaaa…bbbbb"
    assert shortened("short") == "short"


def swept(values: list[Any], seeds_each: int = 2) -> dict[str, Any]:
    scores = {
        v: over_seeds([{"value": float(i + k + 1), "floor": 0.5} for k in range(seeds_each)], "lower")
        for i, v in enumerate(map(str, values))
    }
    groups = {
        str(v): {"kind": "vae", "settings": {"model.f": v}, "scores": {"frechet": scores[str(v)]}, "costs": {"seconds": scores[str(v)]}}
        for v in values
    }
    return {"swept": {"model.f": values}, "groups": groups}


@pytest.mark.parametrize("values", [[2, 8, 512], [1.0, 1.5], ["relu", "tanh", "elu"], [[400], [256, 128]], [7], [None, 5]], ids=str)
def test_a_swept_field_of_any_kind_is_drawn(tmp_path, values):
    path = draw_swept(swept(values), "model.f", tmp_path / "by-f.png", caption="seen by nobody")
    with Image.open(path) as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 100


def test_every_panel_along_a_field_names_it(tmp_path, monkeypatch):
    labels = []
    dress = style.dress
    monkeypatch.setattr(style, "dress", lambda panel, title, x, *rest: (labels.append(x), dress(panel, title, x, *rest)))
    draw_swept(swept([2, 8]), "model.f", tmp_path / "by.png")
    assert labels == ["f"] * len(labels)
    assert len(labels) > 1


def test_two_figures_of_unlike_numbers_differ(tmp_path):
    one, two = (draw_swept(swept([2, 8], n), "model.f", tmp_path / f"{n}.png") for n in (2, 3))
    assert one.read_bytes() != two.read_bytes()


def test_panels_are_the_main_measures_that_there_are():
    groups = [{"scores": {"kid": {}, "kid@inception-v3": {}, "ssim": {}, "frechet": {}}, "costs": {"seconds": {}, "steps": {}}}]
    assert panels(groups) == ["frechet", "kid", "kid@inception-v3", "seconds"]


def test_comparing_needs_no_torch(tmp_path):
    folders = seeds(tmp_path, "vae", [10.0, 12.0])
    code = f"""
import sys
from latentlab.cli import main
assert main(["compare", {str(folders[0].path)!r}, {str(folders[1].path)!r}, "--out", {str(tmp_path / "out")!r}]) == 0
assert "torch" not in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    "odd",
    [{"note": "binary cross-entropy on grey pixels: not a likelihood"}, {"k": 5000}, {"n": 20}],
)
def test_nobody_wins_by_numbers_of_another_kind(odd):
    groups = {"a": group("nll_nats", 5.0, 4.0, 6.0), "b": group("nll_nats", 9.0, 7.0, 11.0)}
    assert best("nll_nats", groups) == "a"
    groups["a"]["scores"]["nll_nats"] |= odd
    assert best("nll_nats", groups) is None


def test_nobody_wins_by_a_frechet_distance_of_too_few_images():
    groups = {"a": group("frechet", 5.0, 4.0, 6.0), "b": group("frechet", 9.0, 7.0, 11.0)}
    for found in groups.values():
        found["scores"]["frechet"]["note"] = "96 images for 128 features"
    assert best("frechet", groups) is None


def test_what_scores_say_in_english_is_told_in_french(tmp_path):
    found = fake_run(tmp_path / "vae", "vae")
    content = found.scores()
    content["scores"]["frechet"] = {
        "value": 30.0, "ci95": [20.0, 40.0], "unit": "squared distance of features", "n": 180,
        "note": "180 images for 12345 features: the distance is far too high; compare with its floor, and go by KID",
    }  # fmt: skip
    content["scores"]["recall"] = {"value": 0.9, "ci95": [0.8, 0.95], "unit": "share, k = 5", "n": 180}
    content["scores"]["psnr"] = {"value": 20.0, "ci95": [19.0, 21.0], "unit": "dB of another program", "n": 180}
    (found.path / "scores.json").write_text(json.dumps(content))
    found.write_status(
        "finished", 40, diagnosis=[{"key": key, "since_step": 3, "evidence": {}} for key in ("posterior_collapse", "of_another_version")]
    )
    told = markdown(comparison({"vae": found}), "fr")
    assert "carré d’une distance entre caractéristiques" in told
    assert "part, k = 5" in told
    assert "180 images pour 12\u202f345 caractéristiques" in told
    assert "dB of another program" in told
    assert "Effondrement de la loi a posteriori, of_another_version" in told
    assert "squared" not in told


def test_every_unit_and_note_that_an_evaluation_writes_is_known():
    """Each unit of the table has a French text, or is the same in both."""
    from latentlab.measure.likelihood import NOT_A_LIKELIHOOD
    from latentlab.measure.quality import _too_few

    units = {measure.unit.english for measure in MEASURES if "{" not in measure.unit.english}
    assert len(units) >= 6
    for unit in units | {"share, k = 5", "of 32 latent units"}:
        assert unit in ("nats", "dB") or unit_words(unit, "fr") != unit, unit
    for note in (NOT_A_LIKELIHOOD, _too_few(50, 128), _too_few(180, 128)):
        assert note is not None
        assert note_words(note, "fr") != note
        assert note_words(note, "en").split(":")[0] == note.split(":")[0]


# ----------------------------------------------------------------------------------------------------------- the verdict


def judged(measure: str, *values: tuple[float, float] | float, **more: list[str]) -> Any:
    """The answer about a measure of groups "a", "b", …: (value, half the width of its interval), or a value alone."""
    groups: dict[str, Any] = {}
    for name, value in zip("abcd", values, strict=False):
        middle, reach = value if isinstance(value, tuple) else (value, None)
        score = {"value": middle} | ({} if reach is None else {"ci95": [middle - reach, middle + reach]})
        part = "costs" if measure == "seconds" else "scores"
        groups[name] = {"scores": {}, "costs": {}, "alarms": more.get(name, [])} | {part: {measure: score}}
    return next(answer for answer in verdict(groups) if answer.measure == measure)


@pytest.mark.parametrize(
    ("measure", "values", "order", "state"),
    [
        ("reconstruction_mse", [(0.004, 0.0001), (0.0027, 0.0001)], "ba", "settled"),  # lower is better
        ("recall", [(0.4, 0.05), (0.6, 0.05)], "ba", "settled"),  # higher is better
        ("kid", [(4.0, 1.0), (3.0, 0.5), (9.0, 1.0)], "bac", "unsettled"),  # 3.0 to 3.5 meet
        ("kid", [(4.0, 0.1), (3.0, 0.5), (3.6, 0.2)], "bca", "unsettled"),  # the second one's interval meets the first one's
        ("seconds", [20.0, 10.0], "ba", "once"),  # nobody knows how far a second time would be
        ("knn_accuracy", [(0.9, 0.01)], "a", "alone"),
        ("knn_accuracy", [], "", "unmeasured"),
    ],
)
def test_a_verdict_is_settled_only_where_no_interval_meets_the_first(measure, values, order, state):
    answer = judged(measure, *values)
    assert ("".join(name for name, _ in answer.ranked), answer.state) == (order, state)


def test_sick_runs_are_not_praised_and_unlike_measures_are_not_ranked():
    values = [(0.4, 0.01), (0.6, 0.01), (0.5, 0.01)]
    assert judged("recall", *values, b=["mode_collapse"]).ranked[0][0] == "c"
    assert judged("recall", *values, a=["x"], b=["x"], c=["x"])[2:] == ([], "unsound")
    few = {name: {"scores": {"recall": {"value": 0.1}, "kid": {"value": at}}, "costs": {}} for at, name in enumerate("ab")}
    assert unsound(few["a"]) == ["uncovered"]
    told = {answer.measure: answer.state for answer in verdict(few)}
    assert told["kid"] == told["recall"] == "unsound"  # samples that cover nothing are close to nothing
    for name, extractor in (("a", "classifier"), ("b", "inception-v3")):
        few[name] = {"scores": {"kid": {"value": 1.0, "ci95": [0.9, 1.1], "extractor": extractor}}, "costs": {}}
    assert {answer.measure: answer.state for answer in verdict(few)}["kid"] == "unlike"


def test_what_is_over_is_no_alarm(tmp_path):
    folder = fake_run(tmp_path / "vae", "vae", epochs=1)
    findings = [{"key": "a", "since_step": 1, "evidence": {}, "until_step": 5}, {"key": "b", "since_step": 1, "evidence": {}}]
    status = {"state": "finished", "step": 10, "diagnosis": findings}
    (folder.path / "status.json").write_text(json.dumps(folder.status() | status), encoding="utf-8")
    group = next(iter(comparison({"vae": folder})["groups"].values()))
    assert (group["diagnosis"], group["alarms"]) == (["a", "b"], ["b"])

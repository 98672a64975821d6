"""VAE → GAN as an experiment: the statistics in closed form, the verdict from made-up curves, and the real thing once."""

from __future__ import annotations

import json
import math
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import PATIENCE, refusal, refusal_here, run, start, wait_until
from hypothesis import given
from hypothesis import strategies as st

from latentlab.base.errors import LabError
from latentlab.base.files import read_json
from latentlab.base.texts import catalogue
from latentlab.config.presets import preset
from latentlab.lab.experiments import finish
from latentlab.lab.experiments.results import ARMS, decide, gather, read_curves, verdict_sentences, write_words
from latentlab.lab.kit import paired

IMAGES = 1000


def test_paired_differences_are_student_s() -> None:
    found = paired(np.array([3.0, 5.0, 4.0]), np.array([1.0, 1.0, 2.0]))
    assert found is not None
    # Differences 2, 4, 2: mean 8/3, sd 2/√3, t₀.₉₇₅(2) = 4.30265.
    reach = 4.30265 * (2 / math.sqrt(3)) / math.sqrt(3)
    assert found.value == pytest.approx(8 / 3)
    assert found.ci95 == pytest.approx((8 / 3 - reach, 8 / 3 + reach), rel=1e-5)
    assert found.sign == "unclear"
    assert paired(np.array([3.0, 3.1, 3.0]), np.ones(3)).sign == "higher"  # type: ignore[union-attr]
    assert paired(np.ones(3), np.array([3.0, 3.1, 3.0])).sign == "lower"  # type: ignore[union-attr]


def test_one_seed_says_nothing_of_chance() -> None:
    found = paired(np.array([1.0]), np.array([9.0]))
    assert found is not None
    assert (found.value, found.ci95, found.sign) == (-8.0, None, "unclear")
    assert paired(np.array([1.0, np.inf]), np.array([1.0, 1.0])) is None


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8), st.floats(-100, 100))
def test_what_all_seeds_share_cancels(values: list[float], shift: float) -> None:
    arm = np.array(values)
    found = paired(arm + shift, arm)
    assert found is not None
    assert found.value == pytest.approx(shift, abs=1e-6)


@pytest.mark.parametrize(
    ("signs", "key"),
    [
        (["better", "better", "better"], "lasting"),
        (["worse", "unclear", "better"], "lasting"),
        (["better", "unclear", "unclear"], "head_start"),
        (["better", "unclear", "worse"], "worse"),
        (["unclear", "unclear", "unclear"], "none"),
        (["worse", "unclear", "unclear"], "early_loss"),
        (["better", "unknown", "better"], "unknown"),
    ],
)
def test_the_verdict_follows_from_the_signs(signs: list[str], key: str) -> None:
    assert decide(signs) == key


def made_up(folder: Path, levels: dict[str, list[float]], seeds: int = 4, balance: float | None = 0.01) -> Path:
    """Run folders whose Frechet distance is, arm by arm, as `levels` says after 0, 1, 3 and 10 epochs, a little noise beside."""
    noise = np.random.default_rng(0)
    for seed in range(seeds):
        shared = {"data.spec": "digits", "train.seed": seed}
        _folder(
            folder / f"vae-seed-{seed}",
            preset("conv-vae", **shared, **{"train.epochs": 2.0}),
            [{"step": 40, "epoch": 2.0, "images_seen": 0, "seconds": 5.0}],
        )
        for arm in ARMS:
            rows = []
            for epoch, level in zip((0, 1, 3, 10), levels[arm], strict=True):
                value = level + noise.normal(scale=0.01)
                rows.append({
                    "step": 20 * epoch, "epoch": epoch * 1.001, "images_seen": epoch * IMAGES, "seconds": 2.0 * epoch,
                    "extractor": "classifier", "samples": 500, "kid": value / 100, "frechet": value, "recall": 1 / (1 + level),
                    "class_reverse_kl_nats": balance,
                })  # fmt: skip
            frozen = {"train.generator_frozen_images": IMAGES} if arm == "frozen" else {}
            _folder(folder / f"{arm}-seed-{seed}", preset("sn-gan", **shared, **frozen), rows)
    return folder


def alike(levels: list[float]) -> dict[str, list[float]]:
    """The same levels for every arm."""
    return {arm: list(levels) for arm in ARMS}


def _folder(path: Path, config: Any, rows: list[dict[str, Any]]) -> None:
    path.mkdir(parents=True)
    (path / "config.json").write_text(config.to_json())
    images = {"train": IMAGES, "val": 100, "test": 100}
    environment = {"data_fingerprint": "f", "image_shape": [28, 28, 1], "images": images}
    (path / "environment.json").write_text(json.dumps(environment))
    (path / "metrics.jsonl").write_text("".join(json.dumps({"split": "val"} | row) + "\n" for row in rows))


def test_a_head_start_that_fades_is_called_so_in_both_languages(tmp_path: Path) -> None:
    levels = {"scratch": [50.0, 20.0, 8.0, 4.0], "warm": [16.0, 9.0, 8.0, 4.0], "frozen": [16.0, 16.0, 5.0, 3.0]}
    folder = made_up(tmp_path, levels)
    result = finish(folder, 4, "fr")
    assert result == read_json(folder / "experiment.json")
    assert result["headline"] == "frechet"
    assert result["verdict"] == {"warm": "head_start", "frozen": "lasting"}
    first = result["differences"]["warm - scratch"]["frechet"]["1"]
    assert first["value"] == pytest.approx(-11, abs=0.05)
    assert (first["sign"], first["seeds"], first["arm"]["mean"]) == ("lower", 4, pytest.approx(9, abs=0.05))
    assert result["start"]["frechet"] == pytest.approx([16.0] * 4, abs=0.1)
    # The VAE's two epochs counted in: warm after 1 epoch (9) against scratch after 3 (8), warm after 8 (4) against scratch after 10.
    assert [(t["arm"], t["epochs"], t["sign"]) for t in result["equal_total"]][:2] == [("warm", 1.0, "higher"), ("frozen", 1.0, "higher")]
    english, french = (" ".join(verdict_sentences(result, lang)) for lang in ("en", "fr"))
    assert "a head start that fades: it is better at epoch 1 (9.00 against 20.0)" in english
    assert "une avance qui s’efface" in french
    words = (folder / "experiment.md").read_text()
    assert "gain durable" in words
    assert "−11,0 [" in words
    assert (folder / "figure.png").stat().st_size > 20_000


def test_the_point_that_is_told_is_one_that_bears_the_verdict_out(tmp_path: Path) -> None:
    levels = {"scratch": [50.0, 20.0, 8.0, 4.0], "warm": [16.0, 40.0, 5.0, 4.0], "frozen": [16.0, 25.0, 8.0, 4.0]}
    result = gather(made_up(tmp_path, levels), 4)
    if result["verdict"]["warm"] == "head_start":  # unless the noise at the last point decides, one time in twenty
        assert re.search(r"better at epoch 3 \((4\.9|5\.0)\d against (7\.9|8\.0)\d\)", verdict_sentences(result, "en")[0])
    assert result["differences"]["warm - scratch"]["frechet"]["1"]["sign"] == "higher"


def test_arms_seen_by_two_extractors_are_refused(tmp_path: Path) -> None:
    folder = made_up(tmp_path, alike([5.0, 2.0, 1.0, 1.0]), seeds=1)
    path = folder / "warm-seed-0" / "metrics.jsonl"
    for most in (2, -1):  # a part of an arm, then the whole of it
        path.write_text(path.read_text().replace('"extractor": "classifier"', '"extractor": "random-convolutions"', most))
        with pytest.raises(LabError, match="must be seen by one extractor"):
            gather(folder, 1)


def test_no_gain_is_said_where_there_is_none(tmp_path: Path) -> None:
    result = gather(made_up(tmp_path, alike([50.0, 20.0, 8.0, 4.0])), 4)
    assert result["verdict"]["warm"] in ("none", "head_start", "early_loss")  # noise may make one interval in twenty leave 0 out
    signs = [at["sign"] for at in result["differences"]["warm - scratch"]["frechet"].values()]
    assert signs.count("unclear") >= 2
    assert "nothing can be said" in verdict_sentences(gather(tmp_path, 1), "en")[0]


def test_an_infinite_value_is_told_and_not_hidden(tmp_path: Path) -> None:
    result = gather(made_up(tmp_path, alike([50.0, 20.0, 8.0, 4.0]), balance=None), 4)
    assert result["differences"]["warm - scratch"]["class_reverse_kl_nats"]["10"] is None
    json.dumps(result, allow_nan=False)
    assert "–" in write_words(result, "en")


def test_arms_measured_at_other_steps_are_refused(tmp_path: Path) -> None:
    folder = made_up(tmp_path, alike([5.0, 2.0, 1.0, 1.0]), seeds=2)
    path = folder / "warm-seed-1" / "metrics.jsonl"
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(LabError, match="measured at the same steps"):
        read_curves({"warm": [folder / "warm-seed-0", folder / "warm-seed-1"]})


def test_every_verdict_and_sign_has_its_words() -> None:
    for lang in ("en", "fr"):
        for key in ("lasting", "head_start", "none", "worse", "early_loss", "unknown"):
            assert f"experiments.vae-to-gan.verdict.{key}" in catalogue(lang)


SMALL = ["--data", "digits", "--seeds", 2, "--epochs", 1, "--vae-epochs", 1, "--frozen-epochs", 0.4, "--samples", 64, "--jobs", 1]


@pytest.mark.slow
def test_the_experiment_runs_stops_and_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "e"
    process = start("experiment", "vae-to-gan", *SMALL, "--out", out)
    wait_until(lambda: (out / "scratch-seed-0" / "metrics.jsonl").exists())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    done = run("experiment", "vae-to-gan", *SMALL, "--out", out)
    assert "kept" in done.stderr
    assert done.stdout.splitlines()[-1] == str(out)
    result = json.loads((out / "experiment.json").read_text())
    assert result["seeds"] == 2
    assert set(result["verdict"]) == {"warm", "frozen"}
    curves = result["curves"]
    assert curves["scratch"]["images_seen"] == curves["warm"]["images_seen"] == curves["frozen"]["images_seen"]  # equal budget
    assert curves["warm"]["values"]["kid"][0][0] == curves["frozen"]["values"]["kid"][0][0] != curves["scratch"]["values"]["kid"][0][0]
    frozen = curves["frozen"]["values"]["kid"][0]
    assert len(set(frozen[: 1 + sum(0 < e <= 0.4 for e in curves["frozen"]["epochs"])])) == 1  # nothing moved while it was frozen
    assert (out / "experiment.md").exists()
    told = refusal("experiment", "vae-to-gan", *SMALL, "--out", out, "--vae-epochs", 2)
    assert re.search(r"vae-seed-0 must have train.epochs 2.0 for this", told)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("gan-to-vae",), "an experiment must be one of vae-to-gan. Got 'gan-to-vae'"),
        (("vae-to-gan", "--seeds", "0"), "--seeds must be an integer of at least 1"),
        (("vae-to-gan", "--epochs", "2", "--frozen-epochs", "2"), "--frozen-epochs must be less than epochs, 2. Got 2.0"),
        (("vae-to-gan", "--lang", "de"), "--lang must be one of en, fr"),
        (("vae-to-gan", "--data", "nonsense"), "nonsense"),
    ],
)
def test_wrong_input_gets_one_line(arguments: tuple[str, ...], told: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert told in refusal_here(capsys, "experiment", *arguments)

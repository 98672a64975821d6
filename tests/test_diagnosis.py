"""The rules on rows made for them; what training, status.json, `show`, the progress line and the page do with the findings."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from diagnosed import (
    BATCH_NORM_ON_PAINTINGS,
    BATCH_NORM_ON_PAINTINGS_ROWS,
    HEALTHY,
    MNIST,
    ONE_MACHINE,
    alarms,
    configuration,
    drawn_folder,
    status_keys,
    trained,
)
from fakeruns import fake_run, placeholder_figures
from hypothesis import given, settings
from hypothesis import strategies as st

from latentlab.base.errors import NonFinite
from latentlab.base.shapes import fits
from latentlab.base.texts import text
from latentlab.cli import main
from latentlab.cli.train import Progress
from latentlab.config.presets import preset
from latentlab.measure.compare import comparison
from latentlab.runs.diagnosis import Diagnosis, diagnose, in_words, line
from latentlab.runs.diagnosis.sight import Facts, facts_of
from latentlab.runs.diagnosis.symptoms import KEYS
from latentlab.runs.folder import RunFolder
from latentlab.runs.forms import FINDING
from latentlab.show.report import write_page
from latentlab.train import open_run, resume, train
from latentlab.train.events import Diagnosed, Ended, Event, Logged
from latentlab.train.loop import events
from latentlab.train.start import create, reopen

Row = dict[str, Any]
VAE, AE = Facts("vae", train_images=1000), Facts("ae", train_images=1000)
GAN = Facts("gan", learning_rate=1e-3, discriminator_learning_rate=1e-3, loss="hinge", normalization="spectral", classes=10)


def row(step: int, split: str, **values: Any) -> Row:
    return {"step": step, "epoch": step / 10, "images_seen": 100 * step, "seconds": 0.1 * step, "split": split} | values


def vae(step: int, kl: float = 12.0, active: int = 20, reconstruction: float = 100.0) -> Row:
    return row(step, "val", loss_nats=reconstruction + kl, reconstruction_nats=reconstruction, kl_nats=kl, mse=0.02, active_units=active)


def samples(step: int, spread: float, **values: Any) -> Row:
    return row(step, "val", real_logit=0.1, pair_distance=0.3 * spread, real_pair_distance=0.3, kid=0.01, **values)


def game(step: int, real: float, fake: float, loss: float, norm: float = 1.0) -> Row:
    values = {"discriminator_loss": loss, "generator_loss": -fake, "real_logit": real, "fake_logit": fake, "gradient_norm": norm}
    return row(step, "train", **values)


def fit(step: int, loss: float, norm: float = 5.0) -> Row:
    return row(step, "train", loss_nats=loss, gradient_norm=norm)


def held(step: int, loss: float) -> Row:
    return row(step, "val", loss_nats=loss, mse=0.02)


def said(rows: list[Row], facts: Facts) -> dict[str, tuple[int, str, str]]:
    """since_step, sign and remedy of each finding."""
    return {f.key: (f.since_step, f.sign, f.remedy) for f in diagnose(rows, facts) if not f.over}


SPOILT: dict[str, tuple[Facts, list[Row], dict[str, tuple[int, str, str]]]] = {
    "beta of 50": (
        Facts("vae", beta=50.0), [vae(0, 0.2, 0), vae(11, 0.1, 0), vae(22, 0.02, 0)], {"posterior_collapse": (0, "", "beta")},
    ),
    "collapse after a slow start": (
        VAE, [vae(0, 0.07, 0), vae(11, 0.13, 0), vae(22, 0.2, 0), vae(60, 0.2, 0), vae(90, 0.2, 0)],
        {"posterior_collapse": (60, "", "warmup")},
    ),
    "collapse at beta 1": (
        VAE, [vae(0, 0.2, 0), vae(100), vae(200, 0.01, 0), vae(300, 0.01, 0)], {"posterior_collapse": (200, "", "warmup")},
    ),
    "collapse after a warm-up": (
        Facts("vae", beta_warmup_steps=90), [vae(90, 0.1, 0), vae(120, 0.1, 0)], {"posterior_collapse": (90, "", "longer_warmup")},
    ),
    "two units of 32": (VAE, [vae(0, 0.2, 0), vae(100, 3.0, 2), vae(200, 3.0, 2)], {"dead_units": (100, "", "latent")}),
    "one output": (GAN, [samples(0, 0.0), samples(22, 0.0), samples(44, 0.0)], {"mode_collapse": (0, "alike", "generator_rate")}),
    "nearly one output": (
        Facts("gan", learning_rate=1e-3, loss="non-saturating", normalization="none"),
        [samples(0, 0.05), samples(60, 0.06), samples(120, 0.055)], {"mode_collapse": (0, "alike", "spectral")},
    ),
    "one class": (
        GAN, [samples(50 * i, 0.9, class_entropy_nats=0.3) for i in range(4)], {"mode_collapse": (0, "classes", "generator_rate")},
    ),
    "modes lost": (
        GAN, [samples(0, 0.2, recall=0.0), samples(100, 0.9, recall=0.8), samples(200, 0.7, recall=0.05), samples(250, 0.7, recall=0.0)],
        {"mode_collapse": (200, "lost", "generator_rate")},
    ),
    "discriminator far ahead": (
        Facts("gan", learning_rate=1e-3, discriminator_learning_rate=0.1, loss="hinge"), [game(20, 7.0, -2.0, 0.7)],
        {"discriminator_wins": (0, "", "discriminator_rate")},
    ),
    "discriminator without a loss": (GAN, [game(20, 1.2, -1.1, 0.3), game(40, 1.3, -1.2, 0.0)],
        {"discriminator_wins": (20, "", "discriminator_rate")},
    ),
    "discriminator too often": (
        Facts("gan", loss="non-saturating", discriminator_learning_rate=1e-3, discriminator_updates=5), [game(20, 60.0, -20.0, 0.0)],
        {"discriminator_wins": (0, "", "discriminator_updates")},
    ),
    "discriminator swings": (GAN, [game(20, 1.6, -0.8, 1.6)], {"discriminator_overshoots": (0, "", "discriminator_rate")}),
    "discriminator behind": (
        Facts("gan", learning_rate=1e-3, discriminator_learning_rate=1e-5, loss="hinge"),
        [game(20 * i, 0.2, 0.8, 2.6) for i in (1, 2, 3)], {"discriminator_loses": (0, "", "discriminator_rate")},
    ),
    "no gradient": (
        Facts("ae", learning_rate=0.05), [held(0, 84.0), fit(20, 44.0, 0.4), fit(40, 42.0, 1e-5)], {"vanishing_gradient": (20, "", "rate")},
    ),
    "a generator without gradient": (GAN, [game(20, 0.1, -0.1, 1.8, norm=0.0)], {"vanishing_gradient": (0, "", "elu")}),
    "thrown about": (
        Facts("ae", learning_rate=0.05), [held(0, 84.0), fit(20, 1e6, 1e7), fit(40, 400.0, 1e4)],
        {"exploding_gradient": (0, "loss", "rate")},
    ),
    "by heart": (
        AE, [held(0, 84.0), fit(100, 8.0), held(100, 10.0), fit(200, 0.5), held(200, 10.4), fit(300, 0.4), held(300, 10.6)],
        {"over_fitting": (100, "", "stop")},
    ),
    "by heart, of few images": (
        Facts("ae", train_limit=60),
        [held(0, 84.0), fit(100, 8.0), held(100, 10.0), fit(200, 0.5), held(200, 10.4), fit(300, 0.4), held(300, 10.6)],
        {"over_fitting": (100, "", "more_images")},
    ),
    "refused": (Facts("vae", learning_rate=5.0), [vae(0), row(3, "train", failure="nan")], {"not_finite": (3, "refused", "rate")}),
    "a null": (AE, [held(0, 84.0), row(20, "train", loss_nats=None, gradient_norm=None)], {"not_finite": (20, "seen", "rate")}),
    "all the same": (
        Facts("vae", beta=50.0, pair_distance=0.005), [vae(0, 0.2, 0), vae(22, 0.1, 0), vae(44, 0.02, 0)],
        {"constant_data": (0, "", "other_images")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILT)
def test_what_was_spoilt_is_called(case):
    facts, rows, expected = SPOILT[case]
    assert said(rows, facts) == expected


WELL: dict[str, tuple[Facts, list[Row]]] = {
    "nothing yet": (VAE, []),
    "a fresh VAE": (VAE, [vae(0, 0.2, 0), vae(6, 0.3, 0), vae(12, 0.6, 0)]),
    "a small KL of active units": (VAE, [vae(0, 0.2, 0), vae(50, 0.3, 5), vae(100, 0.3, 5)]),
    "a slow VAE": (Facts("vae", learning_rate=1e-4), [vae(0, 0.2, 0), vae(60, 0.3, 0), vae(120, 0.4, 0)]),
    "a VAE that warms up": (Facts("vae", beta_warmup_steps=100), [vae(0, 0.2, 0), vae(40, 0.3, 0), vae(80, 0.4, 0)]),
    "half the units rest": (VAE, [vae(step, 20.0, 15) for step in range(0, 1000, 100)]),
    "a fresh generator": (GAN, [samples(0, 0.0, recall=0.0), samples(11, 0.0, recall=0.0), samples(22, 0.002, recall=0.0)]),
    "samples that grow apart": (GAN, [samples(22 * i, 0.002 * 1.5**i) for i in range(10)]),
    "samples alike for a while": (GAN, [samples(0, 0.05), samples(44, 0.05), samples(88, 0.05)]),
    "a generator that is held": (Facts("gan", loss="hinge", generator_frozen_images=9000), [samples(20 * i, 0.0) for i in range(5)]),
    "recall that comes back": (GAN, [samples(50 * i, 0.9, recall=r) for i, r in enumerate((0.0, 0.4, 0.02, 0.3, 0.0))]),
    "few classes at first": (GAN, [samples(0, 0.2, class_entropy_nats=0.1), samples(40, 0.6, class_entropy_nats=0.9)]),
    "a good game": (GAN, [game(20, 1.5, -0.5, 1.2), game(40, 0.2, -0.2, 1.8), game(60, 0.1, 0.1, 2.0), game(80, 0.1, 0.12, 2.02)]),
    "a game at chance": (GAN, [game(20 * i, 0.5, 0.0, 2.3) for i in range(1, 9)]),
    "a steady loss": (AE, [held(0, 84.0), *(fit(20 * i, 40.0 / i, 0.5) for i in range(1, 20))]),
    "one image's step": (AE, [held(0, 84.0), fit(1, 900.0), fit(2, 30.0, 0.0), *(fit(i, 30.0) for i in range(3, 30))]),
    "a small gap": (AE, [held(0, 84.0)] + [r for i in range(1, 20) for r in (fit(50 * i, 2.0), held(50 * i, 2.6))]),
    "still falling": (AE, [held(0, 84.0)] + [r for i in range(1, 20) for r in (fit(50 * i, 9.0 / i), held(50 * i, 12 - 0.2 * i))]),
    "a late lowest": (AE, [held(0, 84.0), fit(280, 1.0), held(300, 9.0), fit(320, 0.9), held(320, 9.1), fit(340, 0.8), held(340, 9.1)]),
    "unequal images": (Facts("gan", loss="hinge", pair_distance=0.3), [samples(0, 0.2)]),
    "an infinite reverse KL": (GAN, [samples(0, 0.9, class_reverse_kl_nats=None), samples(99, 0.9, class_reverse_kl_nats=math.inf)]),
}


@pytest.mark.parametrize("case", WELL)
def test_what_is_well_raises_no_alarm(case):
    facts, rows = WELL[case]
    assert diagnose(rows, facts) == []


def test_a_discriminator_beaten_on_few_pictures_is_called_within_three_epochs_with_its_cause():
    facts = facts_of(preset("art-gan", **BATCH_NORM_ON_PAINTINGS), {"images": {"train": 748}})
    early = [r for r in BATCH_NORM_ON_PAINTINGS_ROWS if r["epoch"] <= 3]
    assert said(early, facts) == {"discriminator_loses": (0, "", "no_batch_norm")}
    assert said(BATCH_NORM_ON_PAINTINGS_ROWS, facts) == {"discriminator_loses": (0, "", "no_batch_norm")}


def test_two_generator_updates_a_step_carry_it_twice_as_far():
    """What is alike after as many updates is called after half as many steps."""
    twice = dataclasses.replace(GAN, generator_updates=2)
    rows = [samples(step, 0.05) for step in (0, 30, 60)]
    assert diagnose(rows, GAN) == []
    assert said(rows, twice) == {"mode_collapse": (0, "alike", "generator_rate")}


def test_a_finding_says_when_it_is_over_and_begins_anew():
    bad, good = [vae(22, 0.1, 0), vae(44, 0.1, 0)], [vae(66)]
    (over,) = diagnose(bad + good, VAE)
    assert (over.since_step, over.until_step) == (22, 66)
    (again,) = diagnose([*bad, *good, vae(88, 0.1, 0), vae(110, 0.1, 0)], VAE)
    assert (again.since_step, again.until_step) == (88, None)


def test_what_was_set_while_training_counts():
    request = row(30, "train", request={"id": "x", "action": "set", "set": {"train.beta": 50.0, "train.learning_rate": 2e-3}})
    (found,) = diagnose([vae(0, 0.2, 0), vae(20), request, vae(40, 0.1, 0), vae(60, 0.1, 0)], VAE)
    assert (found.remedy, found.evidence["from"], found.evidence["to"]) == ("beta", 50.0, 1)
    slower = Facts("gan", learning_rate=1e-3, loss="hinge").changed({"train.generator_learning_rate": 2e-5, "train.unheard_of": 1})
    assert slower.learning_rate == 2e-5


def test_lines_count_by_the_steps_they_cover():
    """Twenty lines of one step weigh as much as one line of twenty; a single bad step among good ones is none."""
    fine = [game(step, 9.0 if step == 7 else 0.4, -0.4, 1.7) for step in range(1, 41)]
    assert diagnose(fine, GAN) == []
    for every in (1, 2, 5, 20):
        rows = [game(step, 7.0, -2.0, 0.7) for step in range(every, 41, every)]
        assert said(rows, GAN) == {"discriminator_wins": (0, "", "discriminator_rate")}, every


def test_the_file_and_the_memory_tell_the_same():
    """What is not finite is a number in memory and null in the file."""
    live = [held(0, 84.0), fit(20, math.nan), held(20, math.inf)]
    written = [{k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in r.items()} for r in live]
    assert diagnose(live, AE) == diagnose(written, AE) != []


def test_a_long_run_is_not_remembered_row_by_row():
    def size(count: int) -> int:
        rows = (r for i in range(count) for r in (fit(20 * i, 50.0 + i % 3), held(20 * i, 50.0 + i % 5)))
        return len(pickle.dumps(Diagnosis(AE, rows).sight))

    assert size(3000) - size(30) < 30


values = st.one_of(st.none(), st.floats(-100, 1000), st.sampled_from([0.0, 1e-9, 1e9, math.inf, math.nan]))
NAMES = (
    "loss_nats", "reconstruction_nats", "kl_nats", "active_units", "gradient_norm", "discriminator_loss", "real_logit",
    "fake_logit", "pair_distance", "real_pair_distance", "recall", "class_entropy_nats",
)  # fmt: skip
metrics = st.lists(st.tuples(st.integers(1, 60), st.booleans(), st.dictionaries(st.sampled_from(NAMES), values)), max_size=25)


def numbered(entries: list[tuple[int, bool, dict[str, Any]]]) -> list[Row]:
    rows, step = [], 0
    for gap, val, found in entries:
        step += gap
        rows.append(row(step, "val" if val else "train", **found))
    return rows


@settings(max_examples=60, deadline=None)
@given(metrics, st.sampled_from([VAE, AE, GAN, Facts("gan", loss="non-saturating", generator_frozen_images=3000)]), st.data())
def test_findings_of_any_rows(entries, facts, data):
    """They lie within the run, grow row by row as at once, do not mind idle requests, and can be written, read and told."""
    rows = numbered(entries)
    found = diagnose(rows, facts)
    last = rows[-1]["step"] if rows else 0
    for finding in found:
        assert 0 <= finding.since_step <= (finding.until_step or last) <= last
        assert fits(json.loads(json.dumps(finding.to_json(), allow_nan=False)), FINDING)  # as readers of status.json ask for it
        for lang in ("en", "fr"):
            assert all(words and "{" not in words for words in in_words(finding, lang))
    kept = Diagnosis(facts)
    cut = data.draw(st.integers(0, len(rows)))
    kept.extend(rows[:cut])
    assert kept.findings() == diagnose(rows[:cut], facts)
    idle = row(rows[cut - 1]["step"] if cut else 0, "train", request={"id": "x", "action": "pause"})
    kept.extend([idle, *rows[cut:]])
    assert kept.findings() == found


def test_findings_name_causes_first():
    rows = [held(0, 84.0), fit(20, 1e6, 1e7), row(21, "train", failure="nan")]
    assert [f.key for f in diagnose(rows, AE)] == ["not_finite", "exploding_gradient"]
    assert KEYS[:2] == ("not_finite", "constant_data")


def test_evidence_is_in_the_words():
    (found,) = diagnose(SPOILT["beta of 50"][1], SPOILT["beta of 50"][0])
    assert found.evidence == {"kl_nats": 0.02, "latent_dim": 32, "beta": 50.0, "from": 50.0, "to": 1}
    told = line(found)
    assert told.startswith("Posterior collapse, since step 0. ")
    assert "0.02 nats" in told
    assert told.endswith("Lower --beta from 50 to 1.")
    french = in_words(found, "fr")
    assert french.when == "depuis le pas 0"
    assert "0,02 nats" in french.evidence
    assert french.remedy == "Baissez «\u202fpoids β du terme KL\u202f» de 50 à 1."


@pytest.mark.parametrize(
    ("case", "typed"),
    [
        ("discriminator far ahead", "--discriminator-learning-rate from 0.1 to 0.001."),
        ("thrown about", "--learning-rate from 0.05 to 0.001."),
        ("one output", "--generator-learning-rate from 0.001 to 0.00025."),
        ("a null", "--learning-rate from 0.001 to 0.0001."),
    ],
)
def test_a_remedy_can_be_typed(case, typed):
    facts, rows, _ = SPOILT[case]
    assert line(diagnose(rows, facts)[0]).endswith(typed)
    french = in_words(diagnose(rows, facts)[0], "fr").remedy  # on a page the field has its name, and a number its comma
    assert "--" not in french
    assert re.search(r"«\s.*taux d’apprentissage.*\s» de 0,\d+ à 0,\d+\.$", french)


@pytest.mark.parametrize("case", SPOILT)
def test_a_remedy_names_options_that_exist(case, capsys):
    from latentlab.cli.parser import Parser, add_config_options

    facts, rows, _ = SPOILT[case]
    parser = Parser("train", "")
    add_config_options(parser)
    known = {option for action in parser._actions for option in action.option_strings}
    for finding in diagnose(rows, facts):
        remedy = in_words(finding, "en", typed=True).remedy
        assert (options := re.findall(r"--[\w.-]*\w", remedy)), remedy
        assert set(options) <= known, remedy


# Real runs, spoilt in earnest.


def assert_called(happened: list[Event], key: str, folder: Path) -> None:
    """The key was found within two evaluations, and status.json and the folder say the same at the end."""
    assert alarms(happened).get(key, 99) <= 2, alarms(happened)
    assert key in status_keys(RunFolder(folder))
    assert [f.to_json() for f in open_run(folder).diagnosis()] == RunFolder(folder).status()["diagnosis"]


def digits(name: str, **changes: Any) -> Any:
    return preset(name, **ONE_MACHINE | {key.replace("__", "."): value for key, value in changes.items()})


@pytest.mark.parametrize(("name", "epochs"), [("mlp-vae", 1.0), pytest.param("conv-vae", 2.0, marks=pytest.mark.slow)])
def test_beta_of_50_collapses_the_posterior(name, epochs, tmp_path):
    """An epoch has eleven steps: too few between two looks at a network whose KL first rises."""
    happened = trained(digits(name, train__beta=50.0, train__steps=33 * round(epochs), train__evaluate_epochs=epochs), tmp_path / "run")
    assert_called(happened, "posterior_collapse", tmp_path / "run")


@pytest.mark.parametrize("name", ["sn-gan", pytest.param("conv-gan", marks=pytest.mark.slow)])
def test_a_generator_with_one_output_has_collapsed(name, tmp_path):
    """The weights that read z are zero and stay so: the rest learns as it likes."""
    small = {"train__steps": 44, "model__channels": (8, 16), "model__discriminator_channels": (8, 16), "train__measure_samples": 64}
    steps = small if name == "sn-gan" else {"train__steps": 220, "train__evaluate_epochs": 10.0}
    session = create(digits(name, **steps), tmp_path / "run")
    for network in (session.engine.twin().networks["generator"], session.engine.twin().averaged["generator"]):
        first = next(m for m in network.modules() if isinstance(m, torch.nn.Linear))
        first.weight.data.zero_()
        if network is session.engine.twin().networks["generator"]:
            first.weight.register_hook(torch.zeros_like)
    assert_called(list(events(session)), "mode_collapse", tmp_path / "run")


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
def test_a_discriminator_that_learns_100_times_too_fast(seed, tmp_path):
    """Spectral normalisation makes it safe again after some forty steps, so the finding may be over by the end."""
    happened = trained(digits("sn-gan", train__discriminator_learning_rate=0.1, train__steps=44, train__seed=seed), tmp_path / "run")
    found = alarms(happened)
    assert min(found.get("discriminator_wins", 99), found.get("discriminator_overshoots", 99)) <= 2, found
    assert seed or "discriminator_wins" in found
    for finding in open_run(tmp_path / "run").diagnosis():
        if finding.key.startswith("discriminator"):
            assert (finding.remedy, finding.evidence["from"], finding.evidence["to"]) == ("discriminator_rate", 0.1, 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("data", [{}, MNIST | {"train.evaluate_epochs": 0.03}], ids=["digits", "mnist"])
@pytest.mark.parametrize("name", ["sn-gan", "conv-gan"])
def test_a_discriminator_that_learns_100_times_too_fast_on_each_set(name, data, tmp_path, request):
    if data:
        request.getfixturevalue("mnist_root")
    rate = 100 * preset(name).train.discriminator_learning_rate
    changes = data | {"train.discriminator_learning_rate": rate, "train.steps": 60}
    assert_called(trained(preset(name, **ONE_MACHINE, **changes), tmp_path / "run"), "discriminator_wins", tmp_path / "run")


@pytest.mark.parametrize("noise", [0.0, 2.0])
@pytest.mark.parametrize("name", ["mlp-vae", "sn-gan"])
def test_a_constant_data_set(name, noise, tmp_path):
    spec = drawn_folder(tmp_path / "images", 30, size=16, noise=noise)
    config = digits(name, data__spec=spec, data__image_size=16, train__steps=6, train__batch_size=8)
    happened = trained(config, tmp_path / "run")
    assert_called(happened, "constant_data", tmp_path / "run")
    assert status_keys(RunFolder(tmp_path / "run")) == ["constant_data"]


def test_a_loss_that_is_not_finite(tmp_path):
    """It is found as training fails, stays in status.json, and is forgotten by a resumed run, which fails the same way."""
    config = digits("mlp-vae", train__learning_rate=5.0, train__steps=20)
    happened: list[Event] = []
    session = create(config, tmp_path / "run")
    with pytest.raises(NonFinite):
        happened.extend(events(session))
    assert alarms(happened) == {"not_finite": 0}
    folder = RunFolder(tmp_path / "run")
    status = folder.status()
    assert (status["state"], status_keys(folder)) == ("failed", ["not_finite"])
    (found,) = open_run(folder.path).diagnosis()
    assert f"step {found.since_step}: the VAE loss" in status["message"]
    assert (found.remedy, found.evidence["to"]) == ("rate", 1e-3)
    before = folder.metrics()
    with pytest.raises(NonFinite):
        resume(folder.path, steps=30)
    assert [r["step"] for r in folder.metrics()] == [r["step"] for r in before]
    assert status_keys(folder) == ["not_finite"]


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("vanishing_gradient", {"train__learning_rate": 0.05}),
        ("over_fitting", {"data__train_images": 40, "train__batch_size": 40, "train__steps": 400, "train__evaluate_epochs": 25.0}),
    ],
)
def test_an_autoencoder_that_is_stuck_or_learns_by_heart(key, changes, tmp_path):
    happened = trained(digits("mlp-ae", **{"train__steps": 44} | changes), tmp_path / "run")
    assert list(alarms(happened)) == [key]
    assert key in status_keys(RunFolder(tmp_path / "run"))


def test_a_gradient_that_explodes(tmp_path):
    small = {"model__channels": (8, 16), "model__hidden": (64,)}
    assert_called(
        trained(digits("conv-ae", train__learning_rate=0.05, train__steps=24, **small), tmp_path / "run"),
        "exploding_gradient",
        tmp_path / "run",
    )


FEW = ("mlp-ae 20", "mlp-vae 22", "mlp-vae 60", "conv-vae 22", "sn-gan 20")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Where the drawings and the VAE of healthy runs lie."""
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        pytest.param(name, changes, id=f"{number}-{name}-{changes['train.steps']}",
                     marks=() if f"{name} {changes['train.steps']}" in FEW else pytest.mark.slow)
        for number, (name, changes) in enumerate(HEALTHY)
    ],
)  # fmt: skip
def test_forty_healthy_runs_raise_no_alarm(name, changes, home, tmp_path, request):
    if changes.get("data.spec") == "mnist":
        request.getfixturevalue("mnist_root")
    assert alarms(trained(configuration(name, changes, home), tmp_path / "run")) == {}
    assert status_keys(RunFolder(tmp_path / "run")) == []


# What is done with the findings.


def test_a_resumed_run_finds_the_same(tmp_path):
    """Stopped at any step, also between two lines; the findings of both ways are equal to the last digit."""
    config = digits("mlp-vae", train__beta=50.0, train__steps=40, train__log_steps=3, model__hidden=(64,))
    whole = train(config, tmp_path / "whole")
    first = []
    session = create(config, tmp_path / "cut")
    for event in events(session, lambda: session.position.step >= 25):
        first.append(event)
    assert isinstance(first[-1], Ended)
    assert RunFolder(tmp_path / "cut").status()["state"] == "stopped"
    assert status_keys(RunFolder(tmp_path / "cut")) == ["posterior_collapse"]
    again = reopen(tmp_path / "cut")
    assert status_keys(RunFolder(tmp_path / "cut")) == ["posterior_collapse"]
    second = list(events(again))
    assert next(e for e in second if isinstance(e, Diagnosed)).findings[0].key == "posterior_collapse"
    cut = open_run(tmp_path / "cut")
    assert cut.diagnosis() == whole.diagnosis() != []
    assert cut.status()["diagnosis"] == whole.status()["diagnosis"] == [f.to_json() for f in whole.diagnosis()]


def test_the_event_comes_once_and_the_status_with_it(tmp_path):
    session = create(digits("mlp-vae", train__beta=50.0, train__steps=44, model__hidden=(64,)), tmp_path / "run")
    seen = []
    for event in events(session):
        if isinstance(event, Diagnosed):
            seen.append((session.position.step, status_keys(session.folder)))
    assert seen == [(23, ["posterior_collapse"])]  # the second evaluation: 1,437 images, 128 a step


def test_status_keeps_its_diagnosis(tmp_path):
    folder, finding = RunFolder(tmp_path), {"key": "x", "since_step": 3, "evidence": {}}
    folder.write_status("running", 5, diagnosis=[finding])
    folder.write_status("finished", 6)
    assert folder.status() | {"pid": 0} == {"state": "finished", "step": 6, "pid": 0, "message": "", "diagnosis": [finding]}
    folder.write_status("finished", 6, diagnosis=[])
    assert folder.status()["diagnosis"] == []
    (tmp_path / "status.json").write_text("{", encoding="utf-8")
    folder.write_status("stopped", 7)
    assert folder.status()["diagnosis"] == []


def test_the_progress_line_says_each_finding_once(capsys):
    found = diagnose(SPOILT["beta of 50"][1], SPOILT["beta of 50"][0])
    progress = Progress("run", 100)
    progress.show(Diagnosed(tuple(found)))
    progress.show(Diagnosed(tuple(found)))
    assert capsys.readouterr().err.splitlines() == [f"latentlab: diagnosis: {line(found[0])}"]
    progress.show(Diagnosed((found[0]._replace(until_step=66),)))
    assert "from step 0 to step 66, over since" in capsys.readouterr().err
    progress.show(Logged(vae(77)))
    assert "Posterior" not in capsys.readouterr().err


def test_show_tells_the_findings_of_any_folder(tmp_path, capsys):
    folder = fake_run(tmp_path / "run", "vae", **{"train.beta": 50.0})
    (folder.path / "scores.json").unlink()
    assert main(["show", str(folder.path)]) == 0
    assert "diagnosis  Posterior" not in capsys.readouterr().out
    rows = [vae(0, 0.2, 0), vae(22, 0.1, 0), row(23, "train", failure="nan")]
    folder.metrics_file.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    assert main(["show", str(folder.path)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [text for text in shown if text.startswith("diagnosis")] == [
        f"diagnosis  {line(f)}" for f in diagnose(rows, facts_of(folder.config(), folder.environment()))
    ]
    folder.metrics_file.write_text("".join(json.dumps(r) + "\n" for r in [vae(0), vae(22)]), encoding="utf-8")
    assert main(["show", str(folder.path)]) == 0
    assert "diagnosis  no alarm" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("lang", "alarm", "none"), [("en", "Posterior collapse", "No alarm"), ("fr", "Effondrement de la loi", "Aucune alerte")]
)
def test_the_page_tells_alarms_and_that_there_are_none(lang, alarm, none, tmp_path):
    ill, well = (fake_run(tmp_path / name, name, **changes) for name, changes in (("vae", {"train.beta": 50.0}), ("gan", {})))
    rows = [vae(0, 0.2, 0), vae(22, 0.1, 0)]
    ill.metrics_file.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    for folder in (ill, well):
        placeholder_figures(folder, lang)
    page = write_page(tmp_path / "lab.html", {"vae": ill, "gan": well}, comparison({"vae": ill, "gan": well}), lang).read_text(
        encoding="utf-8"
    )
    section = re.search(r'<section id="diagnosis"[^>]*>.*?</section>', page, re.DOTALL)
    assert section
    assert section[0].index(alarm) < section[0].index(none)
    assert text("field.train.beta", lang) in section[0]  # what to change, by its name on pages
    assert "--beta" not in section[0]

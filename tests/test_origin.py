"""A run that starts from another one's networks, and one that goes on with changed rates."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import TINY as WORDS
from commands import refusal, run
from conftest import FAMILIES, TINY
from test_own import Drawing, plain_decoder, small
from test_resume import curves, final_sha256, stop_at

import latentlab as ll
from latentlab.base.errors import LabError
from latentlab.config.fitting import arguments
from latentlab.lab.cells import Cell
from latentlab.measure.compare.groups import settings
from latentlab.runs import checkpoints
from latentlab.runs.folder import RunFolder
from latentlab.train.events import Stepped
from latentlab.train.exchange.card import card
from latentlab.train.loop import events
from latentlab.train.start import as_config, create, reopen

pytestmark = pytest.mark.usefixtures("undrawn")
SHORT = {"train.steps": 3, "train.batch_size": 16, "train.threads": 1}


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> dict[str, ll.Run]:
    """A trained run of each family, on 96 digits."""
    root = tmp_path_factory.mktemp("sources")
    return {name: ll.train(ll.preset(name, **TINY | FAMILIES[name] | {"train.steps": 5}), root / name) for name in FAMILIES}


def held(path: Path, step: str) -> dict[str, np.ndarray]:
    return checkpoints.load(path / "checkpoints" / step)[0]


@pytest.mark.parametrize("name", FAMILIES)
def test_networks_start_as_the_run_s_averaged_ones_with_its_model_and_data(name: str, sources, tmp_path: Path) -> None:
    source = sources[name]
    new = ll.train(name, tmp_path / "new", init_from=str(source.path), **SHORT | {"train.seed": 5, "train.ema_halflife_images": 40})
    was, begun = held(source.path, "step-00000005"), held(new.path, "step-00000000")
    networks = [key for key in begun if not key.startswith(("adam.", "average.", "extra.", "window."))]
    assert networks
    for key in networks:
        averaged = was.get(f"average.{key}", was[key])
        assert np.array_equal(begun[key], averaged), key
        assert np.array_equal(begun.get(f"average.{key}", averaged), averaged), key
    assert not any(begun[key].any() for key in begun if key.startswith("adam."))
    assert (new.config.model, new.config.data) == (source.config.model, source.config.data)
    assert new.config.train.init_from == str(source.path)
    assert new.folder.environment()["started_from"] == {"run": name, "step": 5}
    assert any(not np.array_equal(held(new.path, "step-00000003")[key], begun[key]) for key in networks)


def test_what_is_named_stands_also_where_it_is_the_preset_s_own(sources, tmp_path: Path) -> None:
    source = str(sources["conv-vae"].path)
    other = create(as_config("conv-vae", init_from=source, data="digits", **SHORT), tmp_path / "a")
    assert other.config.data == ll.preset("conv-vae").data  # all the digits, not the run's 96
    assert other.config.model == sources["conv-vae"].config.model
    with pytest.raises(LabError, match=r"model\.latent_dim must be 3 as in .*conv-vae, or left out.*Got 32"):
        ll.train("conv-vae", tmp_path / "b", init_from=source, latent_dim=32)
    with pytest.raises(LabError, match=r"model\.binarization must be dynamic as in"):
        ll.train("conv-vae", tmp_path / "b", init_from=source, binarization="none")
    assert not (tmp_path / "b").exists()


def test_what_cannot_be_started_from_is_refused(sources, tmp_path: Path) -> None:
    vae, gan = str(sources["conv-vae"].path), str(sources["sn-gan"].path)
    for preset, changes, says in (
        ("conv-ae", {"init_from": vae}, r"train\.init_from must be a run of the family ae\. Got"),
        ("sn-gan", {"init_from": gan, "generator_from": vae}, r"train\.init_from must be left out beside train\.generator_from"),
        ("conv-vae", {"init_from": str(tmp_path)}, r"a run must be a folder with a config\.json"),
        ("conv-vae", {"init_from": vae, "data.image_size": 20}, r"a run on images of 20 x 20 x 1.*Use --data\.image-size 28\."),
        ("conv-vae", {"init_from": vae, "data.channels": "rgb"}, r"a run on images of 28 x 28 x 3.*Use --data\.channels grey\."),
    ):
        with pytest.raises(LabError, match=says):
            ll.train(preset, tmp_path / "no", **changes, **SHORT)
        assert not (tmp_path / "no").exists()


def test_a_whole_configuration_starts_from_a_run_of_its_own_form(tiny, tmp_path: Path) -> None:
    """Of what is settled by the images it says "auto" still, where the run says what came of it."""
    source = ll.train(tiny("conv-vae"), tmp_path / "source")
    config = tiny("conv-vae", **{"train.init_from": str(source.path)})
    assert config.model != source.config.model
    assert create(config, tmp_path / "new").config.model == source.config.model
    with pytest.raises(LabError, match=r"model\.latent_dim must be 3 as in .*source, or left out"):
        create(config.replace(**{"model.latent_dim": 9}), tmp_path / "other")


def test_it_goes_on_bit_for_bit_when_the_run_that_it_started_from_is_gone(sources, tmp_path: Path) -> None:
    shutil.copytree(sources["sn-gan"].path, tmp_path / "source")
    config = as_config("sn-gan", init_from=str(tmp_path / "source"), **TINY, **{"train.steps": 8, "train.rate_warmup_images": 64})
    straight = ll.train(config, tmp_path / "straight")
    stop_at(create(config, tmp_path / "run"), 4)
    shutil.rmtree(tmp_path / "source")
    ll.resume(tmp_path / "run")
    assert final_sha256(tmp_path / "run") == final_sha256(straight.path)
    assert curves(tmp_path / "run") == curves(straight.path)
    assert settings(straight.folder)["train.init_from"] == "gone"


def test_it_is_told_by_the_options_that_make_it_again(sources, tmp_path: Path) -> None:
    """The data are told also where they are the preset's: without, they would be those of the other run."""
    source = sources["mlp-ae"]
    session = create(as_config("mlp-ae", init_from=str(source.path), data="digits", **SHORT), tmp_path / "digits")
    words = arguments(session.config)
    assert words[words.index("--data.spec") + 1] == "digits"
    assert words[words.index("--train.init_from") + 1] == str(source.path)
    cell = Cell.planned("mlp-ae", "again", {"train.init_from": str(source.path)} | SHORT, tmp_path)
    assert (cell.reads, cell.config.model, cell.config.data) == ([source.path], source.config.model, source.config.data)
    again = Cell.of(tmp_path / "digits", session.config)
    assert as_config("mlp-ae", **again.changes).data.spec == "digits"
    list(events(session))
    said = card(ll.open_run(tmp_path / "digits"), "en")
    assert "Its networks began as those of the run mlp-ae at step 5." in said
    assert "--train.init_from mlp-ae\n" in said
    assert str(source.path) not in said


def test_a_gan_that_began_as_a_decoder_is_tuned_from_itself(sources, tmp_path: Path) -> None:
    warm = ll.train("gan-from-vae", tmp_path / "warm", generator_from=str(sources["conv-vae"].path), **SHORT)
    tuned = warm.finetune(tmp_path / "tuned", generator_learning_rate=1e-5)
    assert (tuned.config.preset, tuned.config.train.generator_from, tuned.config.train.init_from) == ("gan-from-vae", None, str(warm.path))
    key = "generator.layers.0.weight"
    assert np.array_equal(held(tuned.path, "step-00000000")[key], held(warm.path, "step-00000003")[f"average.{key}"])


def test_parts_of_one_s_own_come_along_with_trust(tmp_path: Path, cache) -> None:
    plain = ll.train("conv-vae", tmp_path / "plain", **small(), decoder=plain_decoder())
    tuned = plain.finetune(tmp_path / "tuned")
    assert tuned.config.own == plain.config.own
    assert np.array_equal(
        held(tuned.path, "step-00000000")["decoder.layers.0.weight"],
        held(plain.path, checkpoints.folder_name(plain.step))["average.decoder.layers.0.weight"],
    )
    coded = ll.train("conv-vae", tmp_path / "coded", **small(), decoder=Drawing)
    with pytest.raises(LabError, match="code of somebody's own"):
        ll.open_run(coded.path).finetune(tmp_path / "no")
    assert ll.open_run(coded.path, trust=True).finetune(tmp_path / "yes").config.own == coded.config.own


# Going on with changed rates.


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("conv-vae", {"learning_rate": 3e-3, "beta": 0.5}),
        ("sn-gan", {"generator_learning_rate": 1e-4, "discriminator_learning_rate": 3e-3, "generator_updates": 2}),
    ],
)
def test_changed_by_resume_is_changed_by_a_request_and_stays_so_when_killed(name: str, changed: dict, tiny, tmp_path: Path) -> None:
    config = tiny(name, **{"train.rate_halflife_images": 200})
    session = create(config, tmp_path / "asked")
    for event in events(session):
        if isinstance(event, Stepped) and event.step == 7:
            session.folder.request("set", {f"train.{leaf}": value for leaf, value in changed.items()})
    stop_at(create(config, tmp_path / "run"), 7)
    dotted = {f"train.{leaf}": value for leaf, value in changed.items()}
    session = reopen(tmp_path / "run", settings=dotted)
    for event in events(session):
        if isinstance(event, Stepped) and event.step in (8, 14):
            shutil.copytree(tmp_path / "run", tmp_path / f"killed-{event.step}")
    for path in (tmp_path / "killed-8", tmp_path / "killed-14"):
        ll.resume(path)
    stop_at(create(config, tmp_path / "facade"), 7)
    ll.open_run(tmp_path / "facade").resume(**changed)
    for other in ("run", "killed-8", "killed-14", "facade"):
        assert final_sha256(tmp_path / other) == final_sha256(tmp_path / "asked"), other
        told = [(row["step"], row["request"]["set"]) for row in curves(tmp_path / other) if "set" in row.get("request", {})]
        assert told == [(7, dotted)]


def test_the_commands_start_from_a_run_and_go_on_with_other_rates(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    run("train", "mlp-vae", *WORDS, "--hidden", 9, "--steps", 4, "--out", first)
    run("train", "mlp-vae", "--init-from", first, "--learning-rate", 1e-4, "--steps", 3, "--threads", 1, "--out", second)
    shown = run("show", second).stdout
    assert f'train.init_from                    "{first}"' in shown
    assert '"run": "first", "step": 4' in shown
    assert RunFolder(second).config().model == RunFolder(first).config().model
    assert RunFolder(second).config().data == RunFolder(first).config().data
    said = refusal("train", "mlp-vae", "--init-from", first, "--latent-dim", 3, "--out", tmp_path / "no")
    assert f"--latent-dim must be 2 as in {first}, or left out, with weights from there. Got 3." in said
    run("resume", second, "--steps", 5, "--learning-rate", 1e-5, "--beta", 2)
    [asked] = [row["request"]["set"] for row in RunFolder(second).metrics() if "request" in row]
    assert asked == {"train.learning_rate": 1e-5, "train.beta": 2.0}
    for option, name in (("--batch-size", "train.batch_size"), ("--latent-dim", "model.latent_dim"), ("--seed", "train.seed")):
        said = refusal("resume", second, "--steps", 9, option, 4)
        assert f"must be one of train.beta, train.learning_rate. Got '{name}'. `latentlab train mlp-vae --init-from RUN`" in said
    assert RunFolder(second).config().train.steps == 5

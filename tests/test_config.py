"""The configuration: strict, validated, and the same after a round trip."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import latentlab
from latentlab.base.errors import LabError
from latentlab.config import options
from latentlab.config.parts import OWN, by_leaf, options_source
from latentlab.config.presets import PRESETS, about, preset
from latentlab.config.schema import Config


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_json_and_says_where_it_comes_from(name: str) -> None:
    config = preset(name)
    assert Config.from_json(config.to_json()) == config
    assert config.preset == name
    assert "Source:" in about(name)
    for _, part in config.parts():
        for item in dataclasses.fields(part):
            assert len(item.metadata["help"]) > 3


def test_the_presets_are_trained_as_their_sources_say() -> None:
    ae, vae, art = preset("mlp-ae"), preset("mlp-vae"), preset("art-gan")
    assert (ae.train.learning_rate, ae.train.batch_size, ae.train.epochs, ae.model.reconstruction) == (1e-3, 128, 20, "mse")
    assert (vae.train.learning_rate, vae.train.batch_size, vae.train.epochs, vae.train.beta) == (1e-3, 128, 20, 1.0)
    assert (art.train.label_smoothing, art.train.generator_updates, art.data.image_size) == (0.9, 2, 64)
    assert art.train.generator_learning_rate != art.train.discriminator_learning_rate
    assert preset("conv-gan").train.adam_beta1 == 0.5
    assert preset("sn-gan").train.loss == "hinge"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"loss": "wasserstein", "discriminator_normalization": "none"},
            r"gradient_penalty must be above 0 with the wasserstein.*penalty 10",
        ),
        ({"gradient_penalty": 10.0, "discriminator_normalization": "batch"}, r"train\.gradient_penalty must be 0 with batch norm"),
        ({"r2_weight": 1.0, "discriminator_normalization": "batch"}, r"train\.r2_weight must be 0 with batch norm"),
        ({"packing": 3, "batch_size": 16}, r"model\.packing must be a number that divides the 16 images"),
        ({"packing": 4, "batch_size": 16, "shards": 8}, r"divides the 2 images"),
        ({"loss": "relativistic", "engine": "keras"}, r"train\.loss must be left as it is with Keras"),
        ({"augmentation": "diffaugment", "engine": "keras"}, r"train\.augmentation must be left as it is with Keras"),
        (
            {"augmentation": "shift-mirror", "augmentation_strength": "adaptive", "engine": "keras"},
            r"augmentation_strength must be left as it is",
        ),
        ({"augmentation_strength": "adaptive"}, r"augmentation_strength must be fixed where train\.augmentation is none"),
        ({"discriminator_blocks": 1}, r"discriminator_blocks must be 0 with spectral normalisation.*normalization none"),
        ({"blocks": 1, "model.channels": ()}, r"model\.blocks must be 0 where model\.channels is empty"),
        ({"blocks": 1, "engine": "keras"}, r"model\.blocks must be left as it is with Keras.*--engine torch"),
        ({"packing": 2, "engine": "keras"}, r"model\.packing must be left as it is with Keras"),
    ],
)
def test_what_a_game_s_parts_ask_of_each_other(changes: dict[str, object], said: str) -> None:
    with pytest.raises(LabError, match=said):
        preset("sn-gan").replace(**changes)
    assert preset("sn-gan").replace(loss="wasserstein").train.loss == "wasserstein"  # bounded by its spectral norm


def test_r1_and_batch_norm_in_the_discriminator_are_refused_together() -> None:
    assert preset("art-gan").model.discriminator_normalization == "none"
    with pytest.raises(LabError, match=r"train.r1_weight must be 0 with batch norm in the discriminator.*normalization none"):
        preset("art-gan", discriminator_normalization="batch")


def test_replace_by_dotted_and_by_plain_name() -> None:
    config = preset("mlp-vae", data="mnist", latent_dim=2, epochs=5)
    assert (config.data.spec, config.model.latent_dim, config.train.epochs) == ("mnist", 2, 5)
    assert config.replace(**{"model.hidden": [7, 3]}).model.hidden == (7, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.model.latent_dim = 3


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"model.latent_dim": 0}, "model.latent_dim must be an integer of at least 1"),
        ({"model.latent_dim": 2.0}, "model.latent_dim must be an integer"),
        ({"model.latent_dim": True}, "model.latent_dim must be an integer"),
        ({"train.learning_rate": float("nan")}, "train.learning_rate must be a number of more than 0"),
        ({"train.learning_rate": "fast"}, "train.learning_rate must be a number"),
        ({"train.device": "gpu"}, "train.device must be one of auto, cpu, cuda, mps. Got 'gpu'"),
        ({"model.hidden": (3, 0)}, "model.hidden must be a list in which each is an integer of at least 1"),
        ({"train.threads": "many"}, "train.threads must be an integer of at least 1 and at most 1024 or one of auto"),
        ({"data.image_size": 7}, "data.image_size must be"),
        ({"train.nonsense": 1}, "a field must be one that mlp-vae .vae. has. Got 'train.nonsense'"),
    ],
)
def test_a_wrong_value_is_refused_by_name(changes: dict, text: str) -> None:
    with pytest.raises(LabError, match=text):
        preset("mlp-vae", **changes)


def test_unknown_and_missing_keys_are_refused() -> None:
    values = preset("sn-gan").to_dict()
    for damage in (
        lambda v: v["train"].update(dropout=0.5),
        lambda v: v["model"].pop("latent_dim"),
        lambda v: v.update(extra=1),
        lambda v: v.pop("data"),
        lambda v: v.update(family="vae"),
        lambda v: v.update(family="diffusion"),
        lambda v: v.update(train=[]),
        lambda v: v["train"].update(batch_size="64"),
    ):
        broken = json.loads(json.dumps(values))
        damage(broken)
        with pytest.raises(LabError):
            Config.from_dict(broken)
    for text in ("", "{", "[1]", "null", "7"):
        with pytest.raises(LabError):
            Config.from_json(text)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda c: st.lists(c) | st.dictionaries(st.text(), c))
)
def test_any_json_is_read_or_refused_but_never_crashes(value: object) -> None:
    with pytest.raises(LabError):
        Config.from_dict(value)


def test_none_on_the_command_line_is_nothing_where_nothing_is_allowed() -> None:
    fields = preset("mlp-vae").fields()
    assert fields["data.root"].read("none", "--data-root") is None
    assert fields["data.root"].read("./none", "--data-root") == "./none"
    assert fields["data.image_size"].read("none", "--data.image-size") is None
    with pytest.raises(LabError, match=r"--data must be|--data\.fit must be"):
        fields["data.fit"].read("none", "--data.fit")


def test_the_typed_options_are_those_of_the_fields() -> None:
    """Else: make options."""
    assert Path(options.__file__).read_text(encoding="utf-8") == options_source()
    own = {part for parts in OWN.values() for part in parts}
    assert options.Options.__annotations__.keys() == {"data", *by_leaf(), *own}
    assert "channels" not in by_leaf()  # of the data, and of the model


def test_a_name_that_two_parts_have_is_given_with_its_part() -> None:
    with pytest.raises(LabError, match=r"a field must be named with its part. Got 'channels'. There are data.channels and model.channels"):
        preset("conv-vae", channels=(4, 8))
    assert preset("conv-vae", **{"model.channels": (4, 8)}).model.channels == (4, 8)


def test_editors_are_told_every_option() -> None:
    names = list(inspect.signature(latentlab.train).parameters)
    assert names[:3] == ["what", "out", "data"]
    assert {"epochs", "latent_dim", "beta", "generator_updates", "encoder", "loss", "step"} < set(names)
    assert inspect.signature(latentlab.train.train) == inspect.signature(latentlab.train)

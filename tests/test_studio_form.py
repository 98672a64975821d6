"""The form is drawn from the configuration, its values go through the address, and a link hides what a teacher hides."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from latentlab.base.errors import LabError
from latentlab.base.texts import catalogue, number, reworded
from latentlab.config.field import Field, Unfit, written
from latentlab.config.fitting import arguments
from latentlab.config.layers import parameter_count
from latentlab.config.parts import DataConfig
from latentlab.config.presets import PRESETS, preset
from latentlab.config.schema import Config
from latentlab.config.sources import SOURCES
from latentlab.studio import datasets as sources
from latentlab.studio import state as refused
from latentlab.studio import state as words
from latentlab.studio.form import APART, GROUPS, all_fields, essential, from_address, group, to_address


@pytest.mark.parametrize("name", PRESETS)
def test_every_field_of_the_configuration_is_in_the_form(name: str):
    config = preset(name)
    declared = {f"{part}.{item.name}" for part, holder in config.parts() for item in dataclasses.fields(holder)}
    shown = [one.name for one in all_fields(config)]
    assert set(shown) | {one for one in APART if one in declared} == declared
    assert len(shown) == len(set(shown))
    assert {one.name for one in essential(all_fields(config))} > {"model.latent_dim", "train.epochs"}
    assert {group(one) for one in all_fields(config)} == set(GROUPS)  # so that each is under one of the headings


def test_help_in_the_form_is_the_declarations_own():
    for name in PRESETS:
        for part, holder in preset(name).parts():
            for item in dataclasses.fields(holder):
                assert catalogue("en")[f"help.{part}.{item.name}"] == item.metadata["help"].replace("'", "’")


def changed(name: str, data: st.DataObject) -> Config:
    """A configuration with some fields changed within their bounds."""
    config = preset(name)
    for one in all_fields(config):
        if not data.draw(st.booleans(), one.name):
            continue
        low, high = one.minimum or 0, one.maximum
        if one.choices:
            value = data.draw(st.sampled_from(one.choices))
        elif one.kind is bool:
            value = data.draw(st.booleans())
        elif one.kind is int:
            value = data.draw(st.integers(int(low), int(high if high is not None else 10**6)))
        elif one.kind is float:
            low = max(low, one.above or 0)
            value = data.draw(st.floats(float(low), float(high if high is not None else 1e6), exclude_min=one.above is not None))
        else:
            value = tuple(data.draw(st.lists(st.integers(1, 512), max_size=4)))
        try:
            config = config.replace(**{one.name: value})
        except LabError:
            pass  # two fields that do not go together
    return config


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(sorted(set(PRESETS) - {"gan-from-vae"})), st.data())
def test_a_configuration_survives_the_address_and_the_command_line(name: str, data: st.DataObject):
    config = changed(name, data)
    address = {key: value for key, value in to_address(config).items() if value is not None}
    again, refused = from_address(preset(name), address)
    assert refused == []
    assert again == config
    words = arguments(config)
    values = dict(zip(words[::2], words[1::2], strict=True))
    kinds = {one.name: one for one in all_fields(config)}
    read = {key[2:]: kinds[key[2:]].read(value, key) for key, value in values.items()}
    assert preset(name).replace(**read) == config


def test_what_an_address_cannot_have_is_said_and_left_out():
    config, refused = from_address(preset("mlp-vae"), {"model.latent_dim": "-3", "train.beta": "<script>", "train.seed": "7"})
    assert config == preset("mlp-vae", **{"train.seed": 7})
    assert len(refused) == 2
    assert "'-3'" in str(refused[0])
    assert all("\n" not in str(error) for error in refused)


def test_what_a_field_must_be_is_said_in_every_language(monkeypatch: pytest.MonkeyPatch):
    """In English in the words of the command line; in French each bound is there."""
    for lang in ("en", "fr"):
        monkeypatch.setattr(words, "lang", lambda lang=lang: lang)
        monkeypatch.setattr(refused, "lang", lambda lang=lang: lang)
        for name in PRESETS:
            for one in all_fields(preset(name)):
                said = one.must_be(lang)
                if lang == "en":
                    assert said.replace("\u202f", "") == one.must_be()
                else:
                    assert all(number(bound, lang) in said for bound in one.bounds.values())
    error = Unfit(Field("model.hidden", tuple[int, ...]), "4,x")
    assert refused.told(error) == "model.hidden\xa0: il faut une liste dont chaque élément est un entier. Reçu\xa0: '4,x'."
    monkeypatch.setattr(words, "lang", lambda: "en")
    assert refused.told(error) == str(error)
    assert refused.told(LabError("else")) == "else"


def test_written_and_read_back():
    assert written((32, 64)) == "32,64"
    assert written(None) == "none"
    assert written(True) == "true"


def test_folders_below_the_data_root_are_choices_and_nothing_else_is(tmp_path: Path):
    for name in ("cats/a.png", "cats/b.png", "art/x/one.png", ".hidden/c.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 20, 3), 90, np.uint8)).save(path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "readme.txt").write_text("x")
    assert sources.choices(str(tmp_path)) == [*(name for name, source in SOURCES.items() if not source.placed), "folder:art", "folder:cats"]
    spec = sources.spec_of("folder:cats", str(tmp_path))
    assert spec == f"folder:{tmp_path / 'cats'}"
    assert sources.choice_of(spec, str(tmp_path)) == "folder:cats"
    for name in ("folder:..", "folder:/etc", "folder:empty", "folder:cats/../..", "folder:", "../cats", "folder:.hidden", "folder:C:\\"):
        with pytest.raises(LabError):
            sources.spec_of(name, str(tmp_path))


def test_a_preview_shows_what_training_will_see(tmp_path: Path):
    seen = sources.preview(DataConfig(spec="digits"))
    assert (seen.images.shape, seen.count, seen.shape) == ((sources.SHOWN, 28, 28, 1), 1797, (28, 28, 1))
    assert len(seen.labels) == sources.SHOWN
    for image in range(3):
        path = tmp_path / "set" / "class" / f"{image}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40, 30, 3), (image * 50, 10, 200), np.uint8)).save(path)
    (tmp_path / "set" / "class" / "bad.png").write_bytes(b"no picture")
    seen = sources.preview(DataConfig(spec=f"folder:{tmp_path / 'set'}", image_size=32))
    assert (seen.images.shape, seen.count, seen.odd) == ((3, 32, 32, 3), 4, 1)
    assert seen.notes == ()
    (tmp_path / "set" / "other").mkdir()
    for name in ("other/0.png", "beside.png"):
        Image.fromarray(np.full((40, 30, 3), 9, np.uint8)).save(tmp_path / "set" / name)
    (tmp_path / "set" / "other" / "a.heic").write_bytes(b"x")
    formats, classes = sources.preview(DataConfig(spec=f"folder:{tmp_path / 'set'}", image_size=32)).notes
    unread = "other/a.heic (HEIC n’est pas lu\u00a0: enregistrez-le en JPEG ou PNG)"
    assert reworded(formats, "fr") == f"fichiers inutilisables (1 sur 7)\u00a0: {unread}."
    assert "beside.png" in (reworded(classes, "fr") or "")
    assert sources.shape_of(DataConfig(spec="folder:x"), None) == (64, 64, 1)
    with pytest.raises(LabError):
        sources.preview(DataConfig(spec=f"folder:{tmp_path / 'text'}"))


@pytest.mark.parametrize("name", sorted(set(PRESETS) - {"gan-from-vae"}))
def test_the_drawn_networks_count_every_parameter(name: str, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("streamlit")
    from latentlab.studio import layers as shapes

    monkeypatch.setattr(shapes, "say", lambda key, **values: key)
    config = preset(name)
    for network, layers, start in shapes.starts(config, (28, 28, 1)):
        assert start == ((config.model.latent_dim,) if network in ("decoder", "generator") else (1, 28, 28))
        rows = shapes.rows(layers, start)
        assert sum(row.parameters for row in rows) == parameter_count(layers)
        assert rows[-1].shape == {"encoder": (config.model.latent_dim * (1 + (config.family == "vae")),), "discriminator": (1,)}.get(
            network, (1, 28, 28)
        )

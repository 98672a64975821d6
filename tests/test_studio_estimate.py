"""How long training will take: as long as the last run that was most like it, for so much more or less work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakeruns import fake_run

from latentlab.config.presets import preset

pytest.importorskip("streamlit")

from latentlab.studio import estimate
from latentlab.studio.library import Library

SHAPE = (28, 28, 1)


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    estimate._measured.cache_clear()


def test_work_is_the_products_of_all_passes() -> None:
    dense = preset("mlp-vae", **{"model.hidden": (400,), "model.latent_dim": 20})
    encoder, decoder = 785 * 400 + 401 * 40, 21 * 400 + 401 * 784
    assert estimate.work(dense, SHAPE) == 3 * (encoder + decoder)  # forward once, backward as much as twice
    convolutional = preset("conv-ae", **{"model.channels": (4,), "model.hidden": (), "model.latent_dim": 3, "model.stages": "exact"})
    down, up = (16 * 4 + 4) * 14**2, (4 * 16 + 1) * 14**2  # a kernel of 4 x 4 at each place of the smaller map
    assert estimate.work(convolutional, SHAPE) == 3 * (down + (784 + 1) * 3 + (3 + 1) * 784 + up)
    gan = preset(
        "sn-gan", **{"model.channels": (), "model.hidden": (), "model.discriminator_channels": (), "model.discriminator_hidden": ()}
    )
    drawing, judging = 33 * 784, 785
    assert estimate.work(gan, SHAPE) == drawing + 6 * judging + 3 * (drawing + judging)  # real and generated images, then the generator's
    often = gan.replace(**{"train.discriminator_updates": 3})  # a step of which reads three batches
    assert estimate.work(often, SHAPE) == drawing + 6 * judging + (drawing + judging)
    assert estimate.images_per_step(often) == 3 * gan.train.batch_size


def test_a_run_is_thought_to_take_as_long_as_the_last_one_like_it(tmp_path: Path) -> None:
    library = Library(tmp_path)
    assert 0 < estimate.seconds(preset("mlp-vae"), SHAPE, 1_437, library) < 3_600  # before there is any
    for name, took in (("vae", 40.0), ("ae", 7.0)):
        folder = fake_run(tmp_path / name, name)
        rows = [json.loads(line) for line in folder.metrics_file.read_text(encoding="utf-8").splitlines()]
        rows[-1] |= {"seconds": took, "images_seen": 5_000}
        folder.metrics_file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        (folder.path / "status.json").write_text(json.dumps({"state": "finished", "step": rows[-1]["step"]}), encoding="utf-8")
    estimate._measured.cache_clear()
    config, shape = folder.config(), tuple(folder.environment()["image_shape"])
    assert estimate.seconds(config.replace(**{"train.epochs": 5.0}), shape, 1_000, library) == pytest.approx(7.0)
    assert estimate.seconds(config.replace(**{"train.epochs": 10.0}), shape, 1_000, library) == pytest.approx(14.0)
    vae = fake_run(tmp_path / "again", "vae").config()
    slower = estimate.seconds(vae.replace(**{"train.steps": 100, "train.batch_size": 50}), shape, 1_000, library)
    assert slower == pytest.approx(40.0)
    other = preset("sn-gan")  # of a family that was not trained here: by the last run of all
    assert estimate.seconds(other, shape, 1_000, library) == pytest.approx(
        7.0 / 5_000 / estimate.work(config, shape) * estimate.work(other, shape) * other.train.epochs * 1_000
    )

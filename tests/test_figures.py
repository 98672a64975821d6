from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fakeruns import NAMES, blobs, coarse_figures, fake_codes, fake_run
from PIL import Image

from latentlab.base.images import grid
from latentlab.runs.folder import RunFolder
from latentlab.show.figures import compare_losses, compare_reconstructions, draw_figures, draw_labelled, draw_loss, style
from latentlab.show.figures.latent import apart, draw_kl, thinned
from latentlab.show.figures.records import Codes, active_units, edge_steps, last_samples, reconstructed, unit_kl_nats


@pytest.fixture(autouse=True, scope="module")
def _coarse_figures():
    with coarse_figures():
        yield


def shades(path: Path) -> int:
    """How many colours a picture has: a blank one has one, empty axes a few dozen."""
    with Image.open(path) as picture:
        return len(picture.convert("RGB").getcolors(1 << 24))


@pytest.mark.parametrize(
    ("name", "lang", "expected"),
    [
        ("ae", "en", {"loss.png", "latent.png", "samples.png", "reconstructions.png"}),
        ("vae", "fr", {"loss.png", "kl.png", "latent.png", "samples.png", "reconstructions.png"}),
        ("gan", "en", {"loss.png", "samples.png"}),
    ],
)
def test_a_run_has_its_figures(tmp_path, name, lang, expected):
    folder = fake_run(tmp_path / name, name)
    drawn = draw_figures(folder, lang, tsne=name == "vae")
    assert {path.name for path in drawn} == expected
    for path in drawn:
        assert shades(path) > 60, path.name
    with Image.open(folder.figures / "loss.png") as picture:
        assert picture.info["Language"] == lang
        assert picture.width == round(style.WIDTH_INCHES * style.DPI)
    assert not [path for path in folder.figures.iterdir() if path.name.startswith(".")]


@pytest.fixture
def keys(monkeypatch) -> list[list[str]]:
    """The names of each legend that is drawn, and the titles of panels."""
    found: list[list[str]] = []
    legend, dress = style.legend, style.dress

    def spied(owner, handles, names, *rest, **more):
        found.append(list(names))
        return legend(owner, handles, names, *rest, **more)

    monkeypatch.setattr(style, "legend", spied)
    monkeypatch.setattr(style, "dress", lambda panel, title, *rest, **more: (found.append([title]), dress(panel, title, *rest, **more)))
    return found


def test_generated_images_have_no_validation_in_the_legend(tmp_path, keys):
    draw_loss(fake_run(tmp_path / "gan", "gan"), "en")
    assert ["real images", "real images, validation", "generated images"] in keys
    assert ["generator", "discriminator"] in keys
    draw_loss(fake_run(tmp_path / "vae", "vae"), "en")
    assert ["loss, validation", "loss, training", "reconstruction", "KL"] in keys


def test_units_that_are_active_and_say_nothing_are_told_apart(tmp_path, keys):
    folder = fake_run(tmp_path / "vae", "vae")
    mean = np.zeros((40, 32))
    mean[:, :17] = 3 * (-1) ** np.arange(40)[:, None]
    mean[:, 17:] = 0.2 * (-1) ** np.arange(40)[:, None]  # a variance of 0.04, and 0.02 nats
    np.savez(folder.path / "latents.npz", mean=mean, std=np.ones((40, 32)), index=np.arange(40))
    draw_kl(folder, "en")
    assert ["active: variance of its mean above 0.01"] in keys
    assert ["KL of each unit; in 32 of 32 its mean varies: “active”"] in keys


@pytest.mark.parametrize(("scale", "channels"), [(1, 1), (3, 3)])
def test_labels_stand_beside_pictures_of_whole_pixels(tmp_path, scale, channels):
    images = blobs(6, channels=channels)
    path = draw_labelled(images, ["unit 0", "unit 7"], ["−1 σ", "0 σ", "1 σ"], tmp_path / "a.png", "en", scale)
    with Image.open(path) as picture:
        shown = np.asarray(picture.convert("RGB"))
    wanted = np.broadcast_to(grid(images, 3), (38, 56, channels)).repeat(scale, 0).repeat(scale, 1)
    top, left = (have - want for have, want in zip(shown.shape, wanted.shape[:2], strict=False))
    assert top > 0
    assert left > 0
    assert (shown[top:, left:] == wanted).all()
    assert (shown[top:, :left] < 128).any()  # names of rows
    assert (shown[:top, left:] < 128).any()


def test_a_figure_shows_what_was_recorded(tmp_path):
    one, two = (fake_run(tmp_path / str(epochs), "vae", epochs=epochs) for epochs in (2, 6))
    draw_figures(one, tsne=False)
    draw_figures(two, tsne=False)
    for name in ("loss.png", "kl.png", "samples.png"):
        assert (one.figures / name).read_bytes() != (two.figures / name).read_bytes(), name


@pytest.mark.parametrize("name", ["ae", "vae", "gan"])
def test_a_run_that_hardly_began_is_drawn(tmp_path, name):
    folder = fake_run(tmp_path / name, name, epochs=0)
    rows = folder.metrics_file.read_text().splitlines()
    folder.metrics_file.write_text(rows[0] + "\n")
    (folder.path / "latents.npz").unlink(missing_ok=True)
    assert {path.name for path in draw_figures(folder)} >= {"loss.png", "samples.png"}
    folder.metrics_file.unlink()
    for path in [*folder.samples.iterdir(), *(folder.reconstructions.iterdir() if name != "gan" else [])]:
        path.unlink()
    assert "loss.png" in {path.name for path in draw_figures(folder)}


@pytest.mark.parametrize("size", [1, 2, 3])
def test_latent_spaces_of_few_dimensions(tmp_path, size):
    folder = fake_run(tmp_path / "vae", "vae", latent_dim=size)
    draw_figures(folder)
    with Image.open(folder.figures / "latent.png") as plane:
        assert (plane.height > 1.5 * plane.width) == (size > 2)  # one panel for a plane, PCA and t-SNE beyond


def test_collapsed_codes_unlabelled_images_and_odd_class_names_are_drawn(tmp_path):
    folder = fake_run(tmp_path / "vae", "vae", names=["$x^$", "_b", "<script>", *(f"class {i}" for i in range(40))])
    draw_figures(folder)
    np.savez(folder.path / "latents.npz", mean=np.zeros((40, 8), np.float32), std=np.ones((40, 8), np.float32), index=np.arange(40))
    draw_figures(folder)
    assert shades(folder.figures / "latent.png") > 20


def test_colour_images_are_drawn_in_colour(tmp_path):
    folder = fake_run(tmp_path / "ae", "ae", channels=3)
    picture = blobs(64, 40, 3)
    picture[..., 1:] = 0
    from latentlab.base.images import grid, save_png

    save_png(grid(picture, 8), folder.samples / "step-00000040.png")
    draw_figures(folder, tsne=False)
    with Image.open(folder.figures / "samples.png") as file:
        red, green, _ = np.asarray(file).reshape(-1, 3).T
    assert (red > 200).any()
    assert green.max() < 100


def test_ae_and_vae_are_compared(tmp_path):
    ae, vae = fake_run(tmp_path / "ae", "ae"), fake_run(tmp_path / "vae", "vae")
    assert shades(compare_losses(ae, vae, tmp_path / "losses.png", "fr")) > 60
    path = compare_reconstructions({"AE": ae, "VAE": vae}, tmp_path / "copies.png", "fr")
    alone = compare_reconstructions({"AE": ae}, tmp_path / "alone.png", "fr")
    assert path is not None
    assert alone is not None
    assert shades(path) > 60
    with Image.open(path) as two, Image.open(alone) as one:
        assert two.height > 1.2 * one.height
    assert compare_reconstructions({"GAN": fake_run(tmp_path / "gan", "gan")}, tmp_path / "none.png", "en") is None


def test_cells_come_back_out_of_the_grids(tmp_path):
    folder = fake_run(tmp_path / "vae", "vae")
    np.testing.assert_array_equal(last_samples(folder), blobs(64, 40))
    originals, copies = reconstructed(folder)
    np.testing.assert_array_equal(originals, blobs(24, 99))
    np.testing.assert_array_equal(copies, blobs(24, 99, width=8.0))


def test_the_kl_of_a_unit_is_the_closed_form(tmp_path):
    codes = Codes(np.array([[0.0, 2.0], [0.0, -2.0]]), np.array([[1.0, 1.0], [1.0, 1.0]]), None)
    np.testing.assert_allclose(unit_kl_nats(codes), [0.0, 2.0])
    assert active_units(codes) == 1


def test_blur_lowers_edges_and_more_ink_does_not_raise_them():
    sharp, soft = blobs(50, 3, width=1.0), blobs(50, 3, width=6.0)
    assert edge_steps(soft).mean() < 0.5 * edge_steps(sharp).mean()
    step = np.zeros((2, 16, 16, 1), np.uint8)
    step[0, :, 8:] = step[1, 4:, 2:] = 255
    np.testing.assert_allclose(edge_steps(step), [1.0, 1.0])


def test_thinning_takes_every_class():
    codes = Codes(np.zeros((10_000, 3)), None, np.arange(10_000) % 10)
    mean, label = thinned(codes, 2_000)
    assert len(mean) == 2_000
    assert np.bincount(label).min() > 150


def test_labels_are_moved_apart():
    places = apart(np.array([[0.0, 0.0], [0.3, 0.0], [5.0, 5.0]]), 1.0)
    assert 0.9 < places[1, 0] - places[0, 0] < 1.1
    assert np.linalg.norm(np.subtract(*apart(np.zeros((2, 2)), 1.0))) > 0.9
    np.testing.assert_allclose(places[2], [5.0, 5.0], atol=1e-3)


def test_drawing_needs_no_torch(tmp_path):
    folder = fake_run(tmp_path / "vae", "vae")
    code = f"""
import sys
from pathlib import Path
from latentlab.runs.folder import RunFolder
from latentlab.show.figures import draw_figures
assert "matplotlib" not in sys.modules, "matplotlib is loaded when it is needed"
draw_figures(RunFolder(Path({str(folder.path)!r})))
assert "torch" not in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_codes_that_are_not_finite_are_left_out(tmp_path):
    folder = fake_run(tmp_path / "ae", "ae")
    fake_codes(folder, 4, False, len(NAMES))
    arrays = dict(np.load(folder.path / "latents.npz"))
    arrays["mean"][0] = np.nan
    np.savez(folder.path / "latents.npz", **arrays)
    assert isinstance(folder, RunFolder)
    assert "latent.png" in {path.name for path in draw_figures(folder)}

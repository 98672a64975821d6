"""One thread, a cache of the session's own, and small runs to test with."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import os
import shutil
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import PATIENCE, end_started, run

from latentlab.base.files import lock
from latentlab.data import Data, load_data
from latentlab.measure.extractors import networks

# Two busy cores make two-threaded torch up to 15 times slower than one: also in the commands that tests start.
os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(1)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.hookimpl(tryfirst=True)  # before the slow tests are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest go first, so that the last of two processes is not left alone with one of them; each in its order.

    A list of names goes stale, measured seconds are not there in a fresh clone, and the number of tests says little: test_lab.py
    has four. What a file says of itself does: beside a test that is marked slow the others train, too; a browser takes long,
    and so does what is made once for a whole file. The rest are short, and come last, those of few tests behind.
    """
    files = {path: list(tests) for path, tests in itertools.groupby(items, lambda item: item.path)}

    def rank(path: Path) -> tuple[bool, bool, bool, int]:
        tests = files[path]
        slow = any(test.get_closest_marker("slow") for test in tests)
        browser = any("browser" in getattr(test, "fixturenames", ()) for test in tests)
        shared = 'scope="module"' in path.read_text(encoding="utf-8")
        return not slow, not browser, not shared, -len(tests)

    ranks = {path: rank(path) for path in files}
    items.sort(key=lambda item: ranks[item.path])


# Small enough for a second, large enough to hold every part: warm-up, averaging, several epochs.
TINY = {"data.train_images": 96, "train.batch_size": 16, "train.threads": 1, "train.log_steps": 3, "train.checkpoint_seconds": 0.0}
FAMILIES = {
    "mlp-ae": {"model.hidden": (24,), "model.latent_dim": 3, "train.ema_halflife_images": 40},
    "conv-vae": {
        "model.hidden": (16,),
        "model.channels": (4, 8),
        "model.latent_dim": 3,
        "train.ema_halflife_images": 40,
        "train.beta_warmup_steps": 9,
        "model.binarization": "dynamic",
    },
    "vae-gan": {"model.channels": (4, 8), "model.hidden": (16,), "model.latent_dim": 3, "model.discriminator_channels": (4, 8)},
    "sn-gan": {"model.channels": (4, 8), "model.hidden": (16,), "model.latent_dim": 3, "model.discriminator_channels": (4, 8)},
    "conv-gan": {
        "model.channels": (4, 8),
        "model.latent_dim": 3,
        "model.discriminator_channels": (4, 8),
        "model.discriminator_normalization": "batch",
        "train.generator_updates": 2,
        "train.discriminator_updates": 2,
        "train.label_smoothing": 0.9,
    },
    "art-gan": {
        "data.image_size": None,
        "model.channels": (4, 8),
        "model.latent_dim": 3,
        "model.upsampling": "smooth",
        "model.discriminator_channels": (4, 8),
        "model.discriminator_deviation": True,
        "train.r1_steps": 2,
        "train.rate_halflife_images": 100,
    },
    "robust-gan": {
        "model.channels": (4, 8),
        "model.latent_dim": 3,
        "model.discriminator_channels": (4, 8),
        "train.augmentation": "diffaugment",
        "train.augmentation_strength": "adaptive",
    },
}


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """A test draws the same random numbers whatever ran before it, and leaves no process behind."""
    torch.manual_seed(0)
    yield
    end_started()


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the session's own, which its processes share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each process has its own: a classifier that another one trained meanwhile would look at a run's second half."""
    os.environ["LATENTLAB_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", autouse=True)
def _classifiers(common: Path) -> Iterator[None]:
    """A classifier is trained once for all processes; each has it in its own cache from when it first asked for it."""
    (common / "classifiers").mkdir(exist_ok=True)
    trained = networks._train

    def shared(network: networks.Network, data: Data, path: Path) -> networks.Classifier | None:
        there = common / "classifiers" / f"{networks.LEAST_STEPS}-{path.name}"
        with lock(there.with_suffix(".lock"), PATIENCE, "a classifier is being trained by another process"):
            if not there.with_suffix(".json").exists():
                trained(network, data, there)
        path.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".safetensors", ".json"):
            shutil.copy(there.with_suffix(suffix), path.with_suffix(suffix))
        return networks.cached_classifier(data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "_train", shared)
        yield


@pytest.fixture(scope="module")
def undrawn() -> Iterator[None]:
    """Runs that are trained in this process end without figures, most of a tiny run's time: for files of tests that look at none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("latentlab.train"), "draw_figures", lambda folder: None)
        yield


@pytest.fixture(scope="session")
def quick_lab(common: Path) -> Path:
    """A folder with `lab`, a quick lab, `lab.html`, a copy of its page, and `said`, what the command printed; made once for all."""
    folder = common / "quick-lab"
    folder.mkdir(exist_ok=True)
    with lock(folder / "lock", PATIENCE, "the quick lab is being made by another process"):
        if not (folder / "said").exists():
            with pytest.MonkeyPatch.context() as patch:  # no better classifier than a page needs, in no other test's cache
                patch.setenv("LATENTLAB_CACHE", str(folder / "cache"))
                patch.setattr(networks, "LEAST_STEPS", 150)
                networks.classifier_for(load_data("digits"))
                done = run("lab", "--quick", "--out", folder / "lab")
            shutil.copy(folder / "lab" / "lab.html", folder)
            (folder / "said").write_text(done.stdout, encoding="utf-8")
    return folder


@pytest.fixture
def tiny() -> Callable[..., object]:
    """A small configuration of a family's preset: `tiny("sn-gan", **{"train.steps": 5})`."""
    from latentlab.config.presets import preset
    from latentlab.config.schema import Config

    def made(name: str, **changes: object) -> Config:
        length = {} if {"train.steps", "steps"} & changes.keys() else {"train.epochs": 3.0}
        return preset(name, **TINY | FAMILIES[name] | length | changes)

    return made


@pytest.fixture(scope="session")
def mnist_root() -> Path:
    """Where MNIST lies; the test is skipped where there is none."""
    root = os.environ.get("LATENTLAB_DATA")
    if not root or not (Path(root) / "mnist").is_dir():
        pytest.skip("LATENTLAB_DATA names no folder with mnist/: set it to run the tests on MNIST")
    return Path(root)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the decoded pixels of a test's own folders are kept."""
    monkeypatch.setenv("LATENTLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "folders"


@pytest.fixture
def root(tmp_path: Path, cache: Path) -> Path:
    """A test's own folder of images, which is not there yet."""
    return tmp_path / "pictures"


@pytest.fixture(scope="module")
def fidelity() -> Iterator[types.SimpleNamespace]:
    """torch-fidelity's own functions of features. It imports torchvision, of which these functions use nothing: a stub stands in."""
    if importlib.util.find_spec("torch_fidelity") is None:
        pytest.skip("torch-fidelity is not installed: pip install --no-deps torch-fidelity==0.4.0")
    before = dict(sys.modules)
    try:
        stub = {name: types.ModuleType(f"torchvision.{name}") for name in ("datasets", "transforms", "models")}
        for data_set in ("CIFAR10", "CIFAR100", "STL10"):
            setattr(stub["datasets"], data_set, object)
        functional = types.ModuleType("torchvision.transforms.functional")
        stub["transforms"].functional = functional
        torchvision = types.ModuleType("torchvision")
        vars(torchvision).update(stub)
        sys.modules |= {"torchvision": torchvision, functional.__name__: functional, **{m.__name__: m for m in stub.values()}}
        fid, kid = (importlib.import_module(f"torch_fidelity.metric_{name}") for name in ("fid", "kid"))
        yield types.SimpleNamespace(fid=fid, kid=kid)
    finally:
        for name in set(sys.modules) - set(before):
            if name.split(".")[0] in ("torch_fidelity", "torchvision"):
                del sys.modules[name]
        sys.modules |= {name: module for name, module in before.items() if name.split(".")[0] == "torchvision"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for pages from file://; where there is none, the tests that need it are skipped and say so."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine: install it to test pages in a browser")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        )
        yield found
        found.close()


@pytest.fixture
def tab(browser: Any, server: Any) -> Iterator[Any]:
    """A tab that reads the `server` of the test's own file."""
    from readers import tabs

    with tabs(browser, server) as opened:
        yield opened()

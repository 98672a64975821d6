"""The notebooks: that both languages follow from one source, that they run, and the explorer that stands in them."""

from __future__ import annotations

import ast
import base64
import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from commands import wait_until
from fakeruns import LATENT, untrained_lab
from PIL import Image
from readers import free_port
from test_texts import placeholders, term, terms

import latentlab as ll
from latentlab.base.errors import LabError
from latentlab.base.machine import pick_device
from latentlab.base.texts import text
from latentlab.show.explorer.widget import Explorer

nbformat = pytest.importorskip("nbformat")
ROOT = Path(__file__).parents[1]
# Jupyter's own packages warn of each other.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")


def loaded(path: Path) -> Any:
    """A program that is no part of the package."""
    spec = importlib.util.spec_from_file_location(f"notebooks_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


make = loaded(ROOT / "notebooks" / "make.py")
NAMES, LANGUAGES = make.names(), make.LANGUAGES
EVERY = [(name, lang) for name in NAMES for lang in LANGUAGES]
SOURCES = sorted(path.stem for path in (ROOT / "notebooks" / "source").glob("*.py"))


def committed(name: str, lang: str) -> Any:
    return nbformat.read(make.path(name, lang), 4)


def pairs(name: str) -> list[tuple[Any, Any]]:
    """The cells of a source that stand there in both languages, English and French."""
    own = [cell for cell in make.cells(name) if cell.lang is not None]
    return list(zip(own[::2], own[1::2], strict=True))


# ---------------------------------------------------------------------------------------------- one source, two languages


def test_there_are_the_seven() -> None:
    topics = ("autoencoder", "variational_autoencoder", "gan", "from_vae_to_gan", "compare", "your_own_pictures", "keras")
    assert [f"{number:02d}_{topic}" for number, topic in enumerate(topics, 1)] == NAMES


@pytest.mark.parametrize(("name", "lang"), EVERY)
def test_a_committed_notebook_follows_from_its_source(name: str, lang: str) -> None:
    """After a change of notebooks/source: `python notebooks/make.py`, and `make notebooks` where outputs change."""
    made, found = make.notebook(name, lang), committed(name, lang)
    assert [(c.id, c.cell_type, c.source, c.metadata) for c in found.cells] == [
        (c.id, c.cell_type, c.source, c.metadata) for c in made.cells
    ]
    assert found.metadata == made.metadata
    nbformat.validate(found)
    assert len({cell.id for cell in found.cells}) == len(found.cells)


@pytest.mark.parametrize(("name", "lang"), EVERY)
def test_a_committed_notebook_is_small_and_whole(name: str, lang: str) -> None:
    path, found = make.path(name, lang), committed(name, lang)
    content = path.read_text(encoding="utf-8")
    assert path.stat().st_size <= make.MOST_BYTES
    assert "widgets" not in found.metadata
    assert make.VIEW not in content
    assert re.findall(r'/(?:home|root|work|tmp|Users)/[^"\\]*', content) == []
    counts = [cell.execution_count for cell in found.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "it was not run as it is: make notebooks"
    outputs = [output for cell in found.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]


@pytest.mark.parametrize("name", SOURCES)
def test_every_word_is_there_in_both_languages(name: str) -> None:
    for english, french in pairs(name):
        assert (english.lang, french.lang, english.kind) == ("en", "fr", french.kind), english.text[:60]
        assert re.findall(r"\$\$.*?\$\$", english.text, re.DOTALL) == re.findall(r"\$\$.*?\$\$", french.text, re.DOTALL)
        if english.kind == "markdown":
            for mark in (r"^#+ ", r"^\d+\. ", r"^- ", r"^\|", r"^ +latentlab \w+"):
                assert len(re.findall(mark, english.text, re.MULTILINE)) == len(re.findall(mark, french.text, re.MULTILINE)), english.text
            continue
        one, other = (strings(cell.text) for cell in (english, french))
        assert [(word, places) for word, places, _ in one] == [(word, places) for word, places, _ in other]


def strings(code: str) -> list[tuple[str, list[set[str]], list[str]]]:
    """What a cell of words defines: each name, the placeholders of its strings, and the strings."""
    found = []
    for statement in ast.parse(code).body:
        assert isinstance(statement, ast.Assign), code
        words = [node.value for node in ast.walk(statement.value) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        found.append((ast.unparse(statement.targets[0]), [placeholders(one) for one in words], words))
    return found


def prose(cell: Any) -> str:
    """The words of a cell without code, formulas and addresses."""
    if cell.kind == "code":
        return "\n".join(words for _, _, many in strings(cell.text) for words in many)
    return re.sub(r"```.*?```|\$\$.*?\$\$|\$[^$\n]+(?:\n[^$\n]+)?\$|`[^`]*`|^\|[-|]+\|$", "", cell.text, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", SOURCES)
def test_french_is_set_as_french_is(name: str) -> None:
    for _, french in pairs(name):
        words = prose(french)
        assert not re.search(r"[^\u202f\n][;?!](?=[\s*)]|$)", words), words
        assert not re.search(r"[^\u00a0]:(?=[\s*]|$)", words), words
        assert not re.search(r"«(?!\u202f)|(?<!\u202f)»|[^\u00a0]%", words), words
        assert not re.search(r"\w'\w", words), words


@pytest.mark.parametrize("row", terms(), ids=lambda row: row[0])
def test_notebooks_keep_to_the_terms(row: list[str]) -> None:
    english, french, *avoided = map(term, row)
    for name in SOURCES:
        for cells in pairs(name):
            one, other = map(prose, cells)
            assert not english.search(one) or french.search(other), (row[0], one, other)
            for words, avoid in zip((one, other), avoided, strict=True):
                assert not avoid.search(words), (avoid.search(words), words)


def test_an_unknown_mark_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "07_more.py").write_text("# %% [markdown] de\n# Wörter\n", encoding="utf-8")
    monkeypatch.setattr(make, "HERE", tmp_path)
    with pytest.raises(ValueError, match="markdown"):
        make.cells("07_more")


# ----------------------------------------------------------------------------------------------------------------- they run


def run_through(name: str, lang: str, quick: bool) -> list[Any]:
    pytest.importorskip("nbclient")
    pytest.importorskip("anywidget")
    done = make.execute(make.notebook(name, lang), lang, quick)
    assert [(cell.id, cell.source) for cell in done.cells] == [(cell.id, cell.source) for cell in make.notebook(name, lang).cells]
    return [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]


def lacking(outputs: list[Any]) -> list[str]:
    """What somebody would miss who opens it without a kernel: pictures, words, each explorer as a picture. And errors."""
    shown = [output.data for output in outputs if "data" in output]
    explorers = [data for data in shown if str(data.get("text/plain", "")).startswith("Explorer(")]
    words = "".join(output.text for output in outputs if output.get("name") == "stdout")
    found = {
        "an explorer": bool(explorers),
        "a picture of each explorer": all("image/png" in data for data in explorers),
        "five pictures": sum("image/png" in data for data in shown) >= 5,
        "words": len(words) > 300,
    }
    errors = [output.text for output in outputs if output.get("name") == "stderr"]
    return [what for what, there in found.items() if not there] + errors


SHORT = [pytest.param(name, marks=[] if name in ("01_autoencoder", "03_gan") else [pytest.mark.slow]) for name in NAMES]


@pytest.mark.parametrize("name", SHORT)
def test_a_notebook_runs_in_short(name: str) -> None:
    assert lacking(run_through(name, "fr", quick=True)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_in_full(name: str) -> None:
    assert lacking(run_through(name, "en", quick=False)) == []


def first_cell() -> str:
    """The cell that installs latentlab where it is missing."""
    return str(next(cell.text for cell in make.cells("_setup") if "find_spec" in cell.text))


@pytest.mark.parametrize("offline", [True, False])
def test_a_missing_latentlab_is_installed_from_the_wheel_beside(offline: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[Any], **_: Any) -> SimpleNamespace:
        asked.append([str(word) for word in command[5:]])
        return SimpleNamespace(returncode=int("--no-index" in command and not offline))

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="make wheel"):
        exec(first_cell(), {"NO_WHEEL": "make wheel"})
    (tmp_path / "latentlab-0.1.0-py3-none-any.whl").touch()
    exec(first_cell(), {"NO_WHEEL": "make wheel"})
    packages = ["latentlab-0.1.0-py3-none-any.whl", "anywidget"]
    local = [["--no-index", "--find-links", ".", package] for package in packages]
    assert asked == (local if offline else [local[0], [packages[0]], local[1], [packages[1]]])


def test_a_card_that_cannot_compute_counts_as_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def ones(*_: Any, device: str) -> None:
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nmore")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch, "ones", ones)
    assert pick_device("auto").type == "cpu"
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "no kernel image is available" in said
    with pytest.raises(LabError, match="device"):
        pick_device("cuda")
    assert pick_device("cpu").type == "cpu"


# ------------------------------------------------------------------------------------------------------------- the explorer


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ll.Run]:
    return untrained_lab(tmp_path_factory.mktemp("explored"), **{"train.seed": 3})


def opened(bundle: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))


def test_one_bundle_holds_the_widget_a_picture_and_words(runs: dict[str, ll.Run]) -> None:
    pytest.importorskip("anywidget")
    explorer = ll.explore(*runs.values(), lang="fr")
    bundle, _ = explorer._repr_mimebundle_()
    assert set(bundle) == {make.VIEW, "image/png", "text/plain"}
    assert bundle[make.VIEW]["model_id"] == explorer.widget.model_id
    assert bundle["text/plain"] == "Explorer(AE, VAE, GAN, GAN parti du VAE)"
    assert opened(bundle).width > 900
    assert len(bundle["image/png"]) < 150_000
    assert json.loads(explorer.widget.content) == explorer.content
    assert [("encoder" in model) for model in explorer.content["models"]] == [True, True, False, False]
    assert explorer.widget.lang == "fr"
    assert explorer.z is None
    explorer.widget.point = {"z": [1.0] * LATENT, "code": [2.0] * LATENT}
    assert np.array_equal(explorer.z, np.ones(LATENT))
    assert runs["vae"].decode(explorer.code[None]).shape == (1, 28, 28, 1)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_without_anywidget_there_is_the_picture_and_one_line(lang: str, runs: dict[str, ll.Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    written: list[str] = []
    monkeypatch.setattr("matplotlib.figure.Figure.supxlabel", lambda self, words, **look: written.append(words))
    bundle, _ = runs["gan"].explore(lang)._repr_mimebundle_()
    assert set(bundle) == {"image/png", "text/plain"}
    assert opened(bundle).height > 200
    assert written == [text("notebook.explorer.none", lang)]
    assert "pip install anywidget" in written[0]


def test_what_cannot_be_explored_is_refused(runs: dict[str, ll.Run], tmp_path: Path) -> None:
    with pytest.raises(LabError, match="at least one run"):
        ll.explore()
    with pytest.raises(LabError, match="lang must be one of"):
        runs["vae"].explore("de")
    with pytest.raises(LabError, match="run"):
        ll.explore(tmp_path)
    assert isinstance(ll.explore(runs["vae"].path), Explorer)


LAB = (
    "--no-browser",
    "--ServerApp.token=",
    "--ServerApp.open_browser=False",
    "--LabApp.expose_app_in_browser=True",
    "--LabApp.news_url=None",
)
IDLE = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
RAN = "window.jupyterapp.shell.currentWidget.content.widgets.every((cell) => cell.model.executionCount) && " + IDLE


@pytest.mark.slow
def test_the_explorer_works_in_a_notebook_of_a_browser(browser: Any, runs: dict[str, ll.Run], tmp_path: Path) -> None:
    """JupyterLab, with every other host out of reach: a drag changes the picture, and Python knows the point."""
    pytest.importorskip("jupyterlab")
    pytest.importorskip("anywidget")
    show = [
        f"import json, pathlib, latentlab as ll\nexplorer = ll.explore({str(runs['vae'].path)!r})\n"
        "def tell(change):\n    pathlib.Path('point.json').write_text(json.dumps(change['new']))\n"
        "explorer.widget.observe(tell, 'point')\nexplorer",
    ]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in show])
    made.metadata = make.notebook(NAMES[0], "en").metadata
    nbformat.write(made, tmp_path / "explore.ipynb")
    port = free_port()
    own = {
        f"{name}_DIR": str(tmp_path / name)
        for name in ("JUPYTER_CONFIG", "JUPYTERLAB_SETTINGS", "JUPYTERLAB_WORKSPACES", "JUPYTER_RUNTIME")
    }
    command = [sys.executable, "-m", "jupyterlab", *LAB, "--allow-root", f"--port={port}", f"--ServerApp.root_dir={tmp_path}"]
    with open(tmp_path / "said", "w") as said:
        server = subprocess.Popen(command, env=os.environ | own, stdout=said, stderr=said, cwd=tmp_path)
    try:
        wait_until(lambda: f":{port}/lab" in (tmp_path / "said").read_text())
        page = browser.new_context(viewport={"width": 1300, "height": 1400}).new_page()
        page.set_default_timeout(120_000)
        outside, wrong = [], []
        page.on(
            "request",
            lambda request: (
                None if f"127.0.0.1:{port}" in request.url or request.url[:5] in ("data:", "blob:") else outside.append(request.url)
            ),
        )
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}/doc/tree/explore.ipynb")
        page.wait_for_function(IDLE)
        page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_function(RAN)
        pad = page.locator(".latentlab-widget .explorer-pad")
        pad.scroll_into_view_if_needed()
        image = page.locator(".latentlab-widget [data-model]").first
        pixels = (
            "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].filter((_, k) => k % 4 === 0)"
        )
        wait_until(lambda: (tmp_path / "point.json").is_file())
        before = image.evaluate(pixels)
        box = pad.bounding_box()
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.3 * box["height"], steps=5)
        page.mouse.up()
        wait_until(lambda: image.evaluate(pixels) != before)

        def drawn_is_told() -> bool:
            """The page shows what PyTorch decodes at the point that Python was told."""
            point = json.loads((tmp_path / "point.json").read_text() or "{}")
            if not point:
                return False
            wanted = runs["vae"].decode(np.array([point["code"]], np.float32))[0, :, :, 0].astype(int)
            return bool(np.abs(np.array(image.evaluate(pixels)).reshape(28, 28) - wanted).max() <= 4)

        wait_until(drawn_is_told)
        assert page.locator(".latentlab-widget").get_attribute("class").endswith("explorer-light")
        dots = page.locator(".latentlab-widget .explorer-dots").first
        light = dots.evaluate(pixels)
        page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })")
        wait_until(lambda: page.locator(".latentlab-widget").get_attribute("class").endswith("explorer-dark"))
        wait_until(lambda: dots.evaluate(pixels) != light)
        assert outside == []
        assert wrong == []
        page.context.close()
    finally:
        server.terminate()
        server.wait(30)


# ---------------------------------------------------------------------------------------------------------------- the wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment that holds the wheel, its studio and what they need, in the pinned versions."""
    folder = tmp_path_factory.mktemp("clean")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    source = folder / "source"
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, source], check=True)
    (wheel,) = folder.glob("latentlab-*.whl")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    own = [programs / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*own, "install", "-c", ROOT / "constraints.txt", f"{wheel}[studio]"], check=True)
    return programs


def elsewhere(installed: Path, folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command of the installed latentlab, in a folder that knows nothing of this checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [installed / "latentlab", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True, **options
    )


@pytest.mark.slow
def test_the_wheel_trains_and_shows_the_lab(installed: Path, tmp_path: Path) -> None:
    found = subprocess.run([installed / "python", "-c", "import latentlab; print(latentlab.__file__)"], cwd=tmp_path, capture_output=True)
    assert str(installed.parent) in found.stdout.decode()
    elsewhere(installed, tmp_path, "lab", "--quick")
    page = (tmp_path / "runs" / "lab" / "lab.html").read_text(encoding="utf-8")
    assert "explorer" in page
    code = "import latentlab as ll; print(sorted(ll.explore('runs/lab/vae')._repr_mimebundle_()[0]))"
    told = subprocess.run([installed / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout == "['image/png', 'text/plain']\n"  # anywidget is not asked for


@pytest.mark.slow
def test_the_wheel_opens_the_studio(installed: Path, tmp_path: Path) -> None:
    port = free_port()
    command = [installed / "latentlab", "studio", "--port", str(port), "--runs", str(tmp_path / "runs")]
    with open(tmp_path / "said", "w") as said:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
    try:

        def answers() -> bool:
            assert process.poll() is None, (tmp_path / "said").read_text()
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as page:
                return page.status == 200
            return False

        wait_until(answers)
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.slow
def test_the_wheel_writes_exercises(installed: Path, tmp_path: Path) -> None:
    if "exercise" not in elsewhere(installed, tmp_path, "--help").stdout:
        pytest.skip("latentlab has no command `exercise` yet")
    elsewhere(installed, tmp_path, "exercise", "vae-loss", "--out", "my_vae.py")
    assert (tmp_path / "my_vae.py").is_file()

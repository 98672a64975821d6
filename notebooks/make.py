"""Write the notebooks of both languages from notebooks/source: `python notebooks/make.py [--run] [NAME …]`.

A source is Python with cells, as many editors run them. `# %%` begins code that both languages share, `# %% [markdown] en` words
of one language, `# %% fr` code of one language (the strings that it prints), and `# %% include _setup` puts another source here.
Without --run the outputs are kept of every cell whose code has not changed; with it every notebook is executed anew, on the CPU.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image

HERE = Path(__file__).parent
LANGUAGES = ("en", "fr")
MARK = re.compile(r"# %%(?P<words> \[markdown\])?(?: (?P<lang>en|fr))?(?: include (?P<file>\w+))?")
MOST_BYTES, COLOURS = 400_000, 128  # of a notebook that is committed; of its pictures
FOLDED = {"jupyter": {"source_hidden": True}, "tags": ["hide-input"]}
INLINE = "module://matplotlib_inline.backend_inline"  # a kernel's own, also where who starts it shows no figures
VIEW = "application/vnd.jupyter.widget-view+json"  # nothing without its kernel


@dataclass(frozen=True)
class Cell:
    """One cell of a source; `lang` is None where both languages have it."""

    kind: str  # "markdown" | "code"
    lang: str | None
    text: str
    helps: bool = False  # it comes from _setup

    @property
    def folded(self) -> bool:
        """Whether JupyterLab shows three dots instead of it: code that is no part of the lesson."""
        return self.kind == "code" and (self.helps or self.lang is not None)


def names() -> list[str]:
    """The notebooks, in their order."""
    return sorted(path.stem for path in (HERE / "source").glob("[0-9]*.py"))


def cells(name: str) -> list[Cell]:
    """The cells of a source in their order. Raises ValueError for a mark that is not of the form above."""
    found: list[Cell] = []
    for part in re.split(r"^(?=# %%)", (HERE / "source" / f"{name}.py").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        mark, _, text = part.partition("\n")
        read = MARK.fullmatch(mark)
        if read is None:
            raise ValueError(f"{name}.py: a cell must begin as in the docstring of make.py. Got {mark!r}")
        if read["file"]:
            found += cells(read["file"])
            continue
        if read["words"]:
            text = re.sub(r"^# ?", "", text, flags=re.MULTILINE)
        found.append(Cell("markdown" if read["words"] else "code", read["lang"], text.strip(), name == "_setup"))
    return found


def notebook(name: str, lang: str) -> NotebookNode:
    """A notebook in one language, without outputs. The id of a cell is the hash of what it says, and how often that came before."""
    made = nbformat.v4.new_notebook()
    made.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "accelerator": "GPU",
    }
    seen: dict[str, int] = {}
    for cell in cells(name):
        if cell.lang in (None, lang):
            digest = hashlib.sha256(f"{cell.kind}\n{cell.text}".encode()).hexdigest()[:12]
            seen[digest] = seen.get(digest, 0) + 1
            new = nbformat.v4.new_markdown_cell if cell.kind == "markdown" else nbformat.v4.new_code_cell
            made.cells.append(new(cell.text, id=f"{digest}-{seen[digest]}", metadata=FOLDED if cell.folded else {}))
    return made


def path(name: str, lang: str) -> Path:
    """Where a notebook lies."""
    return HERE / lang / f"{name}.ipynb"


def with_outputs(made: NotebookNode, old: Path) -> NotebookNode:
    """The notebook with the outputs that its cells have in an older file."""
    kept = {cell.id: cell for cell in nbformat.read(old, 4).cells} if old.is_file() else {}
    for cell in made.cells:
        if cell.cell_type == "code" and cell.id in kept:
            cell.outputs, cell.execution_count = kept[cell.id].outputs, kept[cell.id].execution_count
    return made


def execute(made: NotebookNode, lang: str, quick: bool = False) -> NotebookNode:
    """The notebook with the outputs of a run in an empty folder, without a graphics card; `quick` is a short one, for tests.

    Raises nbclient's CellExecutionError.
    """
    from nbclient import NotebookClient

    environment = (
        os.environ
        | {"CUDA_VISIBLE_DEVICES": "", "PYTHONUTF8": "1", "MPLBACKEND": INLINE}
        | ({"LATENTLAB_NOTEBOOK_QUICK": "1"} if quick else {})
    )
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(made, timeout=None, kernel_name="python3", record_timing=False, resources={"metadata": {"path": folder}})
        client.execute(env=environment)
    made.metadata.pop("widgets", None)  # nbclient 0.11 fails on output widgets if it is not to store their state
    for cell in made.cells:
        if cell.cell_type == "code":
            cell.outputs = [one for one in map(still, cell.outputs) if one is not None]
    made.metadata.language_info = {"name": "python"}
    return made


def still(output: NotebookNode) -> NotebookNode | None:
    """An output without what needs a kernel: of a widget its picture; of a bar or a slider, which have none, nothing. Pictures small."""
    data = output.get("data", {})
    if data.pop(VIEW, None) is not None and "image/png" not in data:
        return None
    if "image/png" in data:
        packed = io.BytesIO()
        with Image.open(io.BytesIO(base64.b64decode(data["image/png"]))) as picture:
            picture.convert("RGB").quantize(COLOURS).save(packed, "PNG", optimize=True)
        data["image/png"] = base64.b64encode(packed.getvalue()).decode()
    return output


def main() -> None:
    """Write the notebooks that are asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="the first letters of some; all when left out")
    parser.add_argument("--run", action="store_true", help="execute them anew")
    parser.add_argument("--lang", choices=LANGUAGES, action="append", help="one language only")
    options = parser.parse_args()
    for name in (name for name in names() if not options.names or name.startswith(tuple(options.names))):
        for lang in options.lang or LANGUAGES:
            out = path(name, lang)
            made = notebook(name, lang)
            print(f"{lang}/{out.name} …", file=sys.stderr)
            made = execute(made, lang) if options.run else with_outputs(made, out)
            out.parent.mkdir(exist_ok=True)
            nbformat.write(made, out)


if __name__ == "__main__":
    main()

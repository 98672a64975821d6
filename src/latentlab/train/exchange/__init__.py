"""Networks and records out, in forms that other programs read; known networks in. One table of the formats.

Each writer is handed an opened run, the place, and the language of what people read in it; it returns the files that it wrote.
What a format needs beside latentlab's own is imported when it is written.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import check_writable
from latentlab.base.images import is_point

if TYPE_CHECKING:
    from latentlab.runs.trained import Trained

Writer = Callable[["Trained", Path, str], list[Path]]


@dataclass(frozen=True)
class Format:
    """One form of export, which `latentlab.train.exchange.MODULE.write` writes."""

    module: str
    ending: str  # of the file; "" where a folder is made
    told: str  # what becomes of the run, for the help
    needs: tuple[str, ...] = ()  # packages
    extra: str = "export"  # of latentlab, which brings them


FORMATS = {
    "onnx": Format("onnx_files", ".onnx", "encoder and decoder (or generator) for any ONNX runtime", ("onnx", "onnxscript", "onnxruntime")),
    "keras": Format("keras_files", ".keras", "encoder and decoder (or generator) for plain Keras 3", ("keras",), "keras"),
    "python": Format("python_file", ".py", "one plain PyTorch file and its weights, without latentlab"),
    "safetensors": Format("shared_folder", "", "a folder to publish, with a model card; latentlab reads it as a run"),
    "tensorboard": Format("event_files", "", "curves and pictures for TensorBoard", ("tensorboardX",)),
}


def export(run: Trained, format: str, out: str | Path, lang: str = "en") -> list[Path]:
    """Write a run in one of the FORMATS to the file or new folder `out`; the files or the folder that were written.

    Raises LabError for another format, a place that cannot be, a package that is missing, and a run that has not what is asked for.
    """
    if format not in FORMATS:
        raise refusal("format", "one of " + ", ".join(FORMATS), format)
    if is_point(run.image_shape) and format != "tensorboard":
        raise refusal("format", "tensorboard for a run of points: the others are written for images", format)
    chosen, place = FORMATS[format], Path(out).expanduser()
    if chosen.ending and place.suffix.lower() != chosen.ending:
        raise refusal("out", f"a file that ends in {chosen.ending}", str(out))
    if chosen.ending and place.is_dir():
        raise refusal("out", "a file in a folder, not a folder itself", str(out))
    check_writable(place)
    if missing := [package for package in chosen.needs if importlib.util.find_spec(package) is None]:
        raise LabError(f'--format {format} needs {", ".join(missing)}, not installed here. Run `pip install "latentlab[{chosen.extra}]"`.')
    write = cast(Writer, importlib.import_module(f"{__name__}.{chosen.module}").write)
    return write(run, place, lang)

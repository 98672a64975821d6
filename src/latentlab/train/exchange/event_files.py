"""TensorBoard: the curves, the pictures and the configuration of a run as one event file in a new folder. No torch is needed.

A line of metrics stands at the time when the run was made plus the seconds of training up to it, a picture at that of its file.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from latentlab.base.errors import refusal
from latentlab.base.files import rename
from latentlab.base.images import open_png
from latentlab.runs.folder import new_folder

if TYPE_CHECKING:
    from latentlab.runs.trained import Trained

PLACE = ("step", "epoch", "images_seen", "seconds")  # of a line, no curve
NAME = "events.out.tfevents.{:.0f}.latentlab"  # TensorBoard looks for the middle; the library would write the machine's name


def write(run: Trained, out: Path, lang: str) -> list[Path]:
    """Write the folder; tags are `loss_nats/train`, `loss_nats/val` …, `samples`, `reconstructions` and `config`."""
    from tensorboardX import SummaryWriter

    rows = run.metrics()
    if not rows:
        raise refusal("a run to look at in TensorBoard", "one with curves (metrics.jsonl)", str(run.path), "This one tells no training.")
    began = (run.path / "environment.json").stat().st_mtime
    with new_folder(out) as folder:
        writer = SummaryWriter(str(folder.path), max_queue=1)
        writer.add_text("config", "```json\n" + run.config.portable().to_json() + "```", 0, walltime=began)
        for row in rows:
            curves = {name: value for name, value in row.items() if isinstance(value, int | float) and name not in PLACE}
            for name, value in curves.items():
                writer.add_scalar(f"{name}/{row['split']}", value, row["step"], walltime=began + row["seconds"])
        for kind in ("samples", "reconstructions"):
            for step, path in run.folder.pictures(kind):
                picture = np.asarray(open_png(path).convert("RGB"))
                writer.add_image(kind, picture, step, walltime=path.stat().st_mtime, dataformats="HWC")
        writer.close()
        (written,) = folder.path.glob("events.*")
        rename(written, folder.path / NAME.format(began))
    return [out]

"""A folder to publish: a run as it is sampled from, with a model card. latentlab opens it as any run.

It holds the configuration without where files lie on one machine, the averaged networks as one checkpoint, the scores, samples
drawn anew, and what is somebody's own. Curves, pictures of training, codes and images of the data, and the optimiser's state
stay behind: `resume` refuses it, `latentlab import` begins a run from it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from latentlab.base import __version__
from latentlab.base.files import replace_json, replace_text
from latentlab.base.images import grid, save_png
from latentlab.models.optimiser import apart
from latentlab.runs import checkpoints
from latentlab.runs.code import FOLDER as OWN_FOLDER
from latentlab.runs.folder import new_folder
from latentlab.train.exchange.card import SAMPLES, card

if TYPE_CHECKING:
    from latentlab.runs.trained import Trained

LEFT = ("skipped", "notes")  # of the environment: they name files of the images
SHOWN = 64


def write(run: Trained, out: Path, lang: str) -> list[Path]:
    """Write the folder, whole or not at all."""
    config, samples = run.config.portable(), run.sample(SHOWN)
    tensors = {f"{name}.{key}": value for name, network in run.learner.averaged.items() for key, value in apart(network).items()}
    tensors |= {name: value for name, value in run.learner.tensors().items() if name.startswith("extra.")}
    environment = {key: value for key, value in run.folder.environment().items() if key not in LEFT}
    words, scores, findings = card(run, lang), run.scores, [finding.to_json() for finding in run.diagnosis()]
    with new_folder(out) as folder:
        replace_text(folder.path / "config.json", config.to_json())
        replace_json(folder.path / "environment.json", environment | {"exported": {"latentlab": __version__}})
        state = run.state | {"config_sha256": config.fingerprint(), checkpoints.EXPORTED: True}
        checkpoints.save(folder.checkpoints, run.step, {name: tensor.numpy() for name, tensor in tensors.items()}, state)
        if scores:
            replace_json(folder.path / "scores.json", scores)
        if config.own:
            shutil.copytree(run.path / OWN_FOLDER, folder.path / OWN_FOLDER)
        save_png(grid(samples, 8), folder.path / SAMPLES)
        replace_text(folder.path / "README.md", words)
        folder.write_status("finished", run.step, diagnosis=findings)
    return [out]

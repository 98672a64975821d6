"""The small models that come with the studio, one of each family, trained anew on the embedded digits: `make starters`.

Each is a run folder of what Explore needs: the averaged weights in half precision, the configuration, the codes of held-out images and
their pictures, the scores as `latentlab evaluate` measures them of these very weights. Two latent units: the map is all there is.
The same machine type, torch and this one thread make the same bytes, but for the times in status and scores.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

import latentlab as ll
from latentlab.base.files import replace_json
from latentlab.runs import checkpoints
from latentlab.runs.folder import RunFolder

OUT = Path(__file__).parents[1] / "src" / "latentlab" / "studio" / "starters"
MOST_BYTES = 1_500_000
FORM = {"latent_dim": 2, "hidden": (40,), "model.channels": (16, 32), "threads": 1, "data": "digits"}
CODER = {"steps": 1500, "evaluate_epochs": 60.0}
# Without spectral norm and with R1 in every step: with it two units of noise came to draw a few kinds of digit only.
GAN = {
    "loss": "non-saturating", "r1_weight": 1.0, "r1_steps": 1,
    "discriminator_channels": (16, 32), "discriminator_hidden": (48,), "discriminator_normalization": "none",
}  # fmt: skip
PLAN = {
    "ae": ("conv-ae", FORM | CODER),
    "vae": ("conv-vae", FORM | CODER),
    "gan": ("sn-gan", FORM | {"hidden": (48,), "steps": 2000, "evaluate_epochs": 40.0} | GAN),
    "gan-from-vae": ("gan-from-vae", {"threads": 1, "steps": 1500, "evaluate_epochs": 60.0} | GAN),
}
TOLD = ("reconstruction_mse", "kid", "precision", "recall", "coverage")
MACHINE = ("system", "processor", "source_revision", "checksum")  # of the one that trained them
KEPT = ("latents.npz", "thumbnails.png")


def main() -> int:
    """Train, thin out, measure; refuse to write more than comes with the package."""
    with tempfile.TemporaryDirectory() as made:
        whole, thin = Path(made) / "whole", Path(made) / "thin"
        for name, (preset, settings) in PLAN.items():
            origin = {"generator_from": str(whole / "vae")} if name == "gan-from-vae" else {}
            run = ll.train(preset, whole / name, **settings, **origin)
            run.export("safetensors", thin / name)
            thinned(run.folder, RunFolder(thin / name))
            measured = ll.open_run(thin / name)
            held_out = len(measured.data().test)
            # Also with as many samples as held-out images: the more samples of two units, the nearer each other, the smaller their balls.
            for scores in (measured.evaluate()["scores"], measured.evaluate(samples=held_out)["scores"]):
                print(name, {key: round(scores[key]["value"], 4) for key in TOLD if key in scores}, flush=True)
        size = sum(path.stat().st_size for path in thin.rglob("*") if path.is_file())
        print(f"{size:,} bytes")
        if size > MOST_BYTES:
            print(f"starters: at most {MOST_BYTES:,} bytes. Got {size:,}.", file=sys.stderr)
            return 1
        shutil.rmtree(OUT, ignore_errors=True)
        shutil.copytree(thin, OUT)
    return 0


def thinned(run: RunFolder, folder: RunFolder) -> None:
    """Of an exported run: weights in half precision, no model card, no machine; with the codes and pictures of held-out images."""
    for path in (folder.path / "README.md", folder.path / "samples.png"):
        path.unlink()
    checkpoint = checkpoints.newest(folder.checkpoints, print)
    tensors, state = checkpoints.load(checkpoint)
    checkpoints.save(folder.checkpoints, state["step"], {name: values.astype(np.float16) for name, values in tensors.items()}, state)
    about = {key: value for key, value in folder.environment().items() if key not in MACHINE}
    replace_json(folder.path / "environment.json", about)
    for name in KEPT:
        if (run.path / name).is_file():
            shutil.copy(run.path / name, folder.path / name)


if __name__ == "__main__":
    sys.exit(main())

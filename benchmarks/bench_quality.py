"""What the presets reach on MNIST: 55,000 training images, measured on the 10,000 test images.

| run | target | a plain script |
|---|---|---|
| mlp-vae, latent 20, 3 epochs: BCE + KL, sampled z | ≤ 112.5 nats | 112.4 |
| the same, 10 epochs | ≤ 105.9 | 106.0 |
| mlp-ae, 20 epochs: MSE | ≤ 0.0063 | 0.0065 |
| conv-vae, latent 20, 3 epochs | ≤ 104.5 | 105.9 |

Run: LATENTLAB_DATA=… python benchmarks/bench_quality.py [--seeds N]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from common import report

import latentlab as ll
from latentlab.measure.likelihood import vae_scores
from latentlab.measure.metrics.pixels import mean_squared_error
from latentlab.measure.table import unwatched

ROWS = (
    ("mlp-vae", {"latent_dim": 20, "epochs": 3.0}, "negative_elbo_nats", 112.5),
    ("mlp-vae", {"latent_dim": 20, "epochs": 10.0}, "negative_elbo_nats", 105.9),
    ("mlp-ae", {"epochs": 20.0}, "reconstruction_mse", 0.0063),
    ("conv-vae", {"latent_dim": 20, "epochs": 3.0}, "negative_elbo_nats", 104.5),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    data = ll.load_data("mnist")
    with tempfile.TemporaryDirectory() as folder:
        for number, (preset, changes, score, target) in enumerate(ROWS):
            values = {}
            for seed in range(options.seeds):
                config = ll.preset(preset, data="mnist", seed=seed, precision=options.precision, **changes)
                run = ll.train(config, Path(folder) / f"{number}-{seed}")
                if score == "negative_elbo_nats":
                    values[f"seed {seed}"] = vae_scores(run, data.test, 0, 0, unwatched)["negative_elbo_nats"]["value"]
                else:
                    values[f"seed {seed}"] = float(mean_squared_error(data.test.images, run.reconstruct(data.test.images)).mean())
            seconds = run.metrics()[-1]["seconds"]
            what = f"{preset}, " + ", ".join(f"{name} {value:g}" for name, value in changes.items())
            what += f", {run.folder.environment()['precision']}"
            report(f"{what}: {score}", values, "on the test images", f"≤ {target:g}", at_most=target)
            report(f"{what}: training", seconds, "s")


if __name__ == "__main__":
    main()

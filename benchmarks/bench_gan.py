"""What `sn-gan` reaches on MNIST after 150 seconds of training.

Target: every digit holds 6 % to 16 % of 10,000 samples, as a digit classifier of at least 98.8 % sees them, and the
Frechet distance on the classifier's 128 features to the 10,000 test images is at most 36 (a first small recipe: 36).
Beside it stands the distance of 10,000 training images to the test images: no generator can be expected below it.

Run: LATENTLAB_DATA=… python benchmarks/bench_gan.py [--preset sn-gan] [--seconds 150]
"""

from __future__ import annotations

import argparse
import tempfile

from common import report

import latentlab as ll
from latentlab.measure.extractors.networks import classifier_for
from latentlab.measure.metrics.classes import shares
from latentlab.measure.metrics.features import frechet_distance, moments
from latentlab.train.events import Stepped
from latentlab.train.loop import events
from latentlab.train.start import create

SAMPLES = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="sn-gan")
    parser.add_argument("--seconds", type=float, default=150.0)
    options = parser.parse_args()
    data = ll.load_data("mnist")
    classifier = classifier_for(data)
    report("accuracy of the digit classifier", classifier.accuracy, "of the test images", "≥ 0.988", at_least=0.988)
    real = moments(classifier(data.test.images).features)
    floor = frechet_distance(moments(classifier(data.train.images[:SAMPLES]).features), real)
    report("Frechet distance, 10,000 training images to the test images", floor, "(the floor)")
    with tempfile.TemporaryDirectory() as folder:
        session = create(ll.preset(options.preset, data="mnist", epochs=1000.0, latent_dim=32), f"{folder}/run")
        for event in events(session):
            if isinstance(event, Stepped) and session.position.seconds >= options.seconds:
                break
        run = ll.open_run(f"{folder}/run")
        seen = classifier(run.sample(SAMPLES, seed=1))
        p = session.position
        what = f"{options.preset}, {p.seconds:.0f} s of training, {p.step} steps"
        held = shares(seen.labels, 10)
        report(f"{what}: Frechet distance of 10,000 samples", frechet_distance(moments(seen.features), real), "", "≤ 36", at_most=36.0)
        report(f"{what}: share of the rarest digit", float(held.min()), "of 10,000 samples", "≥ 0.06", at_least=0.06)
        report(f"{what}: share of the commonest digit", float(held.max()), "of 10,000 samples", "≤ 0.16", at_most=0.16)


if __name__ == "__main__":
    main()

"""What a worker process can be told to compute, by name: a closed list and one `match`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latentlab.run import Run


def perform(call: str, run: Run | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Do the task of that name with its settings (and its run, where it has one); the result is JSON."""
    match call, run:
        case "vae-measures", Run():
            from latentlab.questions.vae_measures import measure

            return measure(run, settings)
        case "gradient-variance", Run():
            from latentlab.questions.gradient_variance import measure_variance

            return measure_variance(run, settings)
        case "gradient-bias", None:
            from latentlab.questions.gradient_bias import measure_bias

            return measure_bias(settings)
        case "train-by-estimator", None:
            from latentlab.questions.estimator_training import train_by_estimator

            return train_by_estimator(settings)
        case "generator-measures", Run():
            from latentlab.questions.generator_measures import measure_generator

            return measure_generator(run, settings)
        case "network-measures", Run():
            from latentlab.questions.network_measures import measure_networks

            return measure_networks(run, settings)
        case "family-measures", Run():
            from latentlab.questions.family_measures import measure_family

            return measure_family(run, settings)
        case "stability-measures", Run():
            from latentlab.questions.stability_measures import measure_stability

            return measure_stability(run, settings)
        case _:
            raise ValueError(f"no task {call!r} {'without' if run is None else 'with'} a run")

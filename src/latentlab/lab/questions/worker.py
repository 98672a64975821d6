"""A process that trains and evaluates the runs, and does the tasks, it is told of: one JSON order a line in, one JSON answer out.

It imports torch once for many small runs; a command for each would spend most of a question's minute on starting.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from latentlab.base.errors import LabError
from latentlab.train import Run


def main() -> int:
    """Serve orders until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # nothing else may reach the answers
    for line in sys.stdin:
        try:
            said = {"failed": None, "done": carry_out(json.loads(line))}
        except LabError as error:
            said = {"failed": str(error), "done": None}
        print(json.dumps(said), file=answers, flush=True)
    return 0


def carry_out(order: dict[str, Any]) -> str:
    """Bring an order's run to its end and do its task, whatever of it there is; returns what was done."""
    import torch

    torch.set_num_threads(1)
    done = bring(order) if order["path"] is not None else ""
    return f"{done} {do_task(order)}".strip() if order.get("task") else done


def do_task(order: dict[str, Any]) -> str:
    """Do the task and write its result, unless the same task's result is there; returns what was done."""
    from pathlib import Path

    from latentlab.base.files import replace_json
    from latentlab.train import open_run

    place, task = Path(order["result"]), order["task"]
    try:
        if json.loads(place.read_text(encoding="utf-8"))["task"] == task:
            return "kept"
    except (OSError, ValueError, KeyError):
        pass  # none yet, or damaged
    run = open_run(order["path"]) if order["path"] is not None else None
    replace_json(place, {"task": task, "result": perform(task["call"], run, task["settings"])})
    return "measured"


def bring(order: dict[str, Any]) -> str:
    """Train the run to its end, evaluate it where that is asked, unless both is done already; returns what was done."""
    from pathlib import Path

    from latentlab.config.presets import preset
    from latentlab.lab.cells import is_debris
    from latentlab.measure.scores import evaluate_run
    from latentlab.runs.folder import RunFolder
    from latentlab.train import Run
    from latentlab.train.loop import events
    from latentlab.train.start import create, reopen

    path = Path(order["path"])
    folder = RunFolder(path)
    if path.is_dir() and is_debris(path):
        import shutil

        shutil.rmtree(path)
    if not (path / "config.json").exists():
        session = create(preset(order["preset"], **order["changes"]), path)
        list(events(session))
    elif folder.status().get("state") != "finished":
        list(events(reopen(path)))
    if (state := folder.status().get("state")) != "finished":
        raise LabError(f"it ended {state} ({folder.status().get('message')}). Give --fresh to start over.")
    if order["samples"] is not None and "scores" not in folder.scores():
        run = Run(folder)
        evaluate_run(run, "test", samples=order["samples"], nll_samples=order["nll_samples"], nll_images=order["nll_images"])
    return f"{folder.status()['step']} steps"


if __name__ == "__main__":
    sys.exit(main())


# What a worker process can be told to compute, by name: a closed list and one `match`.


def perform(call: str, run: Run | None, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Do the task of that name with its settings (and its run, where it has one); the result is JSON."""
    match call, run:
        case "vae-measures", Run():
            from latentlab.lab.questions.vae_measures import measure

            return measure(run, settings)
        case "gradient-variance", Run():
            from latentlab.lab.questions.reparameterization.measures import measure_variance

            return measure_variance(run, settings)
        case "gradient-bias", None:
            from latentlab.lab.questions.reparameterization.measures import measure_bias

            return measure_bias(settings)
        case "train-by-estimator", None:
            from latentlab.lab.questions.reparameterization.measures import train_by_estimator

            return train_by_estimator(settings)
        case "generator-measures", Run():
            from latentlab.lab.questions.decoder_as_generator.measures import measure_generator

            return measure_generator(run, settings)
        case "network-measures", Run():
            from latentlab.lab.questions.encoder_vs_discriminator.measures import measure_networks

            return measure_networks(run, settings)
        case "family-measures", Run():
            from latentlab.lab.questions.ae_vs_vae_vs_gan.measures import measure_family

            return measure_family(run, settings)
        case "stability-measures", Run():
            from latentlab.lab.questions.gan_stability.measures import measure_stability

            return measure_stability(run, settings)
        case _:
            raise ValueError(f"no task {call!r} {'without' if run is None else 'with'} a run")

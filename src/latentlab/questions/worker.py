"""A process that trains and evaluates the runs, and does the tasks, it is told of: one JSON order a line in, one JSON answer out.

It imports torch once for many small runs; a command for each would spend most of a question's minute on starting.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from latentlab.errors import LabError


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

    from latentlab.files import replace_json
    from latentlab.questions.tasks import perform
    from latentlab.run import open_run

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

    from latentlab.evaluation.scores import evaluate_run
    from latentlab.jobs import create, events, reopen
    from latentlab.presets import preset
    from latentlab.run import Run
    from latentlab.runs import RunFolder
    from latentlab.sweep.grid import is_debris

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

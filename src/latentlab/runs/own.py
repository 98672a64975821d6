"""The parts of a run that are somebody's own: made anew from its folder, or given again, and tried in a process of their own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.base.errors import Damaged, LabError, refusal
from latentlab.base.images import is_point
from latentlab.config.schema import Config
from latentlab.models.described import Form, built, described
from latentlab.models.own import FUNCTIONS, Own, taken
from latentlab.runs.code import FOLDER, RECORD, Keeper, digest, kept
from latentlab.runs.rebuilt import found

PATIENCE_SECONDS = 300  # for reading somebody's code and one update

if TYPE_CHECKING:
    from latentlab.config.layers import Shape
    from latentlab.runs.folder import RunFolder


def own_of(folder: RunFolder, config: Config, shape: Shape, given: Mapping[str, Any], trust: bool) -> Own | None:
    """The parts of a run that are somebody's own: those that are given again, the others made anew. Raises LabError.

    Without `trust` no code of the run folder is run. What is given must be what the run was made with.
    """
    told, given = dict(config.own), {name: part for name, part in given.items() if part is not None}
    for name in given:
        if name not in told:
            has = ", ".join(told) if told else "none"
            raise refusal("what is given again", f"a part of {folder.path} that is somebody's own: {has}", name, "Leave it out.")
    if not told:
        return None
    again = taken(config, shape, given)
    for name, part in again.parts.items():
        if (says := tell(form_of(name, part))) != told[name]:
            raise refusal(name, f"what the run was made with, {told[name]}", says, "Give that one, or train a new run.")
    parts = again.parts | made(folder.path, [name for name in told if name not in given], trust)
    return Own({name: part for name, part in parts.items() if name not in FUNCTIONS}, parts.get("loss"), parts.get("step"))


def made(path: Path, names: list[str], trust: bool) -> dict[str, Any]:
    """Some parts of a run folder, made anew from what it keeps. Raises LabError."""
    if not names:
        return {}
    forms = kept(path)
    try:
        wanted = {name: forms[name] for name in names}
        find = found(path, trust, wanted)
        return {name: find(form) if name in FUNCTIONS else built(form, find) for name, form in wanted.items()}
    except LabError:
        raise
    except Exception as error:  # a form that is none can raise anything
        raise Damaged(f"{path / FOLDER / RECORD} is damaged ({type(error).__name__}: {error}). Restore it from a copy.") from error


def decoder_of(folder: RunFolder, trust: bool) -> dict[str, Any]:
    """{"generator": the decoder of a run} where that is somebody's own."""
    is_own = "decoder" in dict(folder.config().own)
    return {"generator": made(folder.path, ["decoder"], trust)["decoder"]} if is_own else {}


def own_parts(folder: RunFolder, trust: bool, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a run that are somebody's own: those that are given, the others made anew."""
    return made(folder.path, [name for name, _ in folder.config().own if name not in given], trust) | dict(given)


def form_of(name: str, part: Any) -> Form:
    """The form of a network, or the reference to a function."""
    refer = Keeper().refer
    return refer(part) if name in FUNCTIONS else described(part, refer, name)


def tell(form: Form) -> str:
    """What a configuration says of a part: its name and its digest."""
    return f"{form.get('class', form)['name'].rpartition('.')[2]} ({digest(form)})"


def rehearse(folder: RunFolder, given: Mapping[str, Any]) -> None:
    """Open a new run as anybody will later, code in a process of its own. LabError when that cannot be, or does something else."""
    if not any((folder.path / FOLDER).rglob("*.py")):
        again = outputs(folder, {})
    else:
        code = "import sys; from latentlab.runs.own import judge; judge(sys.argv[1])"
        home = str(Path(__file__).resolve().parents[2])  # nothing of what is somebody's own is found by another way
        environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONWARNINGS": "ignore", "PYTHONPATH": home}
        asked = [sys.executable, "-P", "-c", code, str(folder.path)]
        quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "env": environment}
        try:
            told = subprocess.run(asked, check=False, timeout=PATIENCE_SECONDS, **quiet)
        except subprocess.TimeoutExpired:
            raise LabError(f"what is somebody's own must be read within {PATIENCE_SECONDS} s in a new process. It took longer.") from None
        if told.returncode:
            why = told.stderr.strip().splitlines()[-1:] or [f"exit status {told.returncode}"]
            raise LabError(f"what is somebody's own must be found again when the run is opened later. In a new process: {why[0]}")
        again = told.stdout.rpartition("outputs ")[2].strip()
    if again != outputs(folder, given):
        what = "what is somebody's own must compute the same when the run is opened later"
        raise LabError(f"{what}. In a new process it does not: is a name defined twice, or something changed after it was defined?")


def judge(path: str) -> None:
    """Say what a run's networks give in this process."""
    from latentlab.runs.folder import open_folder

    try:
        print("outputs", outputs(open_folder(path), {}, trust=True))
    except LabError as error:
        sys.exit(str(error))


def outputs(folder: RunFolder, given: Mapping[str, Any], trust: bool = False) -> str:
    """The sha256 of what a run's networks give for a fixed input, and of all that one update leaves, on one thread of the CPU."""
    import torch

    from latentlab.base.machine import threads
    from latentlab.base.seeding import torch_generator
    from latentlab.models.learner import Moment
    from latentlab.models.own import DRAWING, EXAMPLES
    from latentlab.runs.trained import Trained

    run, found = Trained(folder, given, trust), hashlib.sha256()
    height, width, channels = run.image_shape
    source = torch_generator("cpu", 0, "rehearsal")
    size = run.learner.images_per_step, height, width, channels
    if is_point(size[1:]):
        images = torch.randn(size, generator=source)
        x = images[:EXAMPLES].permute(0, 3, 1, 2)
    else:
        images = torch.randint(0, 256, size, generator=source, dtype=torch.uint8)
        x = images[:EXAMPLES].permute(0, 3, 1, 2) / 255
    z = torch.randn(len(x), run.config.model.latent_dim, generator=source)
    with threads(1):
        with torch.no_grad():
            for name, network in run.networks().items():
                out = network(z if name in DRAWING else x)
                for tensor in out if isinstance(out, tuple) else (out,):
                    found.update(tensor.contiguous().numpy().tobytes())
        run.learner.update(images, Moment(0, 0))
    for name, tensor in sorted(run.learner.tensors().items()):
        found.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return found.hexdigest()

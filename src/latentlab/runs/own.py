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
from latentlab.config.schema import Config
from latentlab.models.described import Form, built, described
from latentlab.models.own import FUNCTIONS, Own, taken
from latentlab.runs.code import FOLDER, RECORD, Keeper, digest, found, kept

if TYPE_CHECKING:
    from latentlab.config.layers import Shape
    from latentlab.runs.folder import RunFolder


def own_of(folder: RunFolder, config: Config, shape: Shape, given: Mapping[str, Any], trust: bool) -> Own | None:
    """The parts of a run that are somebody's own: those that are given again, the others made anew. Raises LabError.

    Without `trust` no code of the run folder is run. What is given must be what the run was made with.
    """
    told = dict(config.own)
    for name in given:
        if name not in told:
            has = f"of its parts {', '.join(told)} are" if told else "nothing of it is"
            raise refusal(name, f"left out: {folder.path} was made without, {has} somebody's own", "one")
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
    forms, find = kept(path), found(path, trust)
    try:
        return {name: find(forms[name]) if name in FUNCTIONS else built(forms[name], find) for name in names}
    except (LookupError, TypeError, ValueError, AttributeError, ImportError) as error:  # a form that is none
        raise Damaged(f"{path / FOLDER / RECORD} is damaged or of other code ({type(error).__name__}: {error}). Restore it.") from error


def decoder_of(folder: RunFolder, trust: bool) -> dict[str, Any]:
    """{"generator": the decoder of a run} where that is somebody's own."""
    is_own = "decoder" in dict(folder.config().own)
    return {"generator": made(folder.path, ["decoder"], trust)["decoder"]} if is_own else {}


def form_of(name: str, part: Any) -> Form:
    """The form of a network, or the reference to a function."""
    refer = Keeper().refer
    return refer(part) if name in FUNCTIONS else described(part, refer, name)


def tell(form: Form) -> str:
    """What a configuration says of a part: its name and its digest."""
    return f"{form.get('class', form)['name'].rpartition('.')[2]} ({digest(form)})"


def rehearse(folder: RunFolder, given: Mapping[str, Any]) -> None:
    """Open a new run in a process of its own, as anybody will later. LabError when that cannot be, or gives something else."""
    if not any((folder.path / FOLDER).rglob("*.py")):
        return
    code = "import sys; from latentlab.runs.own import judge; judge(sys.argv[1])"
    quiet = os.environ | {"MPLBACKEND": "Agg", "PYTHONWARNINGS": "ignore"}
    told = subprocess.run([sys.executable, "-P", "-c", code, str(folder.path)], capture_output=True, text=True, check=False, env=quiet)
    if told.returncode or told.stdout.rpartition("outputs ")[2].strip() != outputs(folder, given):
        why = told.stderr.strip().splitlines()[-1:] if told.returncode else ["its networks give something else there."]
        raise LabError(f"what is somebody's own must be found again when the run is opened later. In a new process: {' '.join(why)}")


def judge(path: str) -> None:
    """Say what a run's networks give in this process."""
    from latentlab.runs.folder import open_folder

    try:
        print("outputs", outputs(open_folder(path), {}, trust=True))
    except LabError as error:
        sys.exit(str(error))


def outputs(folder: RunFolder, given: Mapping[str, Any], trust: bool = False) -> str:
    """The sha256 of what a run's networks and its own loss give for a fixed input, on one thread."""
    import torch

    from latentlab.base.machine import threads
    from latentlab.base.seeding import torch_generator
    from latentlab.runs.trained import Trained

    run, found = Trained(folder, given, trust), hashlib.sha256()
    height, width, channels = run.image_shape
    source = torch_generator("cpu", 0, "rehearsal")
    x = torch.rand(4, channels, height, width, generator=source)
    z = torch.randn(4, run.config.model.latent_dim, generator=source)
    with threads(1), torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, network in run.networks().items():
            out = network(x if name in ("encoder", "discriminator") else z)
            for tensor in out if isinstance(out, tuple) else (out,):
                found.update(tensor.contiguous().numpy().tobytes())
        if (loss := getattr(run.learner, "own_loss", None)) is not None:
            found.update(loss(x, 4 * x - 2, z, None if run.config.family == "ae" else -(z**2)).numpy().tobytes())
    return found.hexdigest()

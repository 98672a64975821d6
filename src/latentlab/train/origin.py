"""The run from which another one starts: its model, its data, its averaged weights."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace

import torch

from latentlab.base.errors import refusal
from latentlab.base.texts import reason
from latentlab.config.fitting import fitted
from latentlab.config.layers import Shape
from latentlab.config.schema import Config
from latentlab.models.learner import Learner
from latentlab.models.optimiser import apart, put_back
from latentlab.runs import checkpoints
from latentlab.runs.folder import open_folder
from latentlab.show.explorer import read_tensors


def adopted(base: Config, source: str, is_placed: bool = False) -> Config:
    """A preset with the model of a run of its family, and with its data but where that `is_placed` already. LabError for another family."""
    other = open_folder(source).config()
    if other.family != base.family:
        raise refusal("train.init_from", reason("must.family", family=base.family), source)
    if base.is_judged != other.is_judged:
        raise refusal("train.init_from", reason("must.judged" if base.is_judged else "must.not_judged"), source)
    data = replace(other.data, root=base.data.root or other.data.root, offline=base.data.offline)
    return base.replace(model=other.model, data=base.data if is_placed else data)


def init_origin(config: Config) -> Config:
    """A configuration with the whole place of the run that it starts from. LabError for the first field in which its model is another."""
    if (source := config.train.init_from) is None:
        return config
    folder = open_folder(source)
    settled = fitted(config, tuple(folder.environment()["image_shape"]))  # as that run's is: "auto" has become what it stands for
    for name, (value, other) in settled.differs(adopted(config, source)).items():
        if name.startswith("model."):
            raise refusal(name, reason("must.alike", value=other, source=source), value)
    return config.replace(**{"train.init_from": str(folder.path.resolve())})


def begin_from(learner: Learner, field: str, source: str, names: Mapping[str, str], shape: Shape) -> int:
    """Copy a run's averaged weights into networks and their averages, each from the one that `names` has; the step they are of.

    Raises LabError for weights of other shapes, as those of images of another size have.
    """
    folder = open_folder(source)
    checkpoint = checkpoints.sampled(folder, lambda words: print(f"latentlab: {words}", file=sys.stderr))
    for name, other in names.items():
        found = {key: torch.from_numpy(values) for key, values in read_tensors(checkpoint, other).items() if key.startswith("layers.")}
        if name != other:
            found = {key: value for key, value in found.items() if not key.endswith(".log_scale")}  # a generator has no likelihood
        if {key: value.shape for key, value in apart(learner.networks[name]).items()} != {key: v.shape for key, v in found.items()}:
            height, _, channels = folder.environment()["image_shape"]
            sized = f"--data.image-size {height}" if height != shape[0] else f"--data.channels {'grey' if channels == 1 else 'rgb'}"
            must_be = reason("must.same_images", shape=" x ".join(map(str, shape)))
            raise refusal(field, must_be, source, reason("use", option=sized) if [height, channels] != [shape[0], shape[2]] else "")
        begin_with(learner, name, found)
    return checkpoints.step_of(checkpoint) or 0


def begin_with(learner: Learner, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """Copy weights into a network and its average."""
    for network in (learner.networks[name], learner.averaged[name]):
        put_back(network, tensors)

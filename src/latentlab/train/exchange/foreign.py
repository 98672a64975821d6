"""Somebody else's trained networks as a run: their weights found in a file, matched with a preset's layers, put into a new run folder.

Layers are matched by their shapes, and by their order where several are of one shape. A file that keeps no order (safetensors) is
read by its names, numbers as numbers. Nothing of a file is run: no pickle beyond tensors is opened.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latentlab.base.backends import keras_backend
from latentlab.base.errors import LabError, is_out_of_memory, refusal
from latentlab.base.machine import threads
from latentlab.base.texts import reason
from latentlab.config.schema import Config
from latentlab.models.learner import Learner
from latentlab.models.nets import GaussianEncoder
from latentlab.models.optimiser import apart
from latentlab.runs import checkpoints
from latentlab.runs.folder import open_folder
from latentlab.runs.trained import Trained
from latentlab.show.figures import draw_figures
from latentlab.train.exchange.keras_weights import read_keras
from latentlab.train.loop import finish, start
from latentlab.train.origin import begin_with
from latentlab.train.session import Session
from latentlab.train.start import create

State = dict[str, Tensor]
Layers = dict[str, State]  # a layer's name → its tensors by their names in it

LEAF = re.compile(r"\.?(parametrizations\..+|weight|bias|running_mean|running_var|num_batches_tracked)$")
NESTED = ("state_dict", "model_state_dict", "model", "net", "weights")  # where programs keep a state dict inside another
# Which network a layer belongs to, where its name says so.
TOLD = {"encoder": r"enc", "decoder": r"dec", "generator": r"gen|netg", "discriminator": r"disc|netd|critic"}
MEAN, LOG_VAR, SCALE = r"mu\b|mu_|_mu|mean|loc|fc21$", r"var|fc22$", r"std|sigma|scale"
UNNAMED = {"bias", "num_batches_tracked"}  # what a layer may lack: it is 0 then


def bring(file: str | Path, config: Config, out: str | Path | None = None, mean: str | None = None) -> Session:
    """A finished run at step 0 with the networks of a file, in the form of `config`: measured once, ready to be trained on.

    The file is a state dict (.safetensors, .pt, .pth), a Keras model (.keras, .h5), weights that `export --format python` wrote, or a
    run folder. `mean` names the layer that gives the posterior's mean, where a VAE has two heads and names tell not which. Raises
    LabError.
    """
    path = Path(file).expanduser()
    tensors, ordered = read(path)

    def begin(learner: Learner) -> tuple[dict[str, Any], list[str]]:
        found, notes = matched(tensors, ordered, learner, mean, config.preset, path)
        for name, state in found.items():
            begin_with(learner, name, state)
        file = path if path.is_file() else checkpoints.sampled(open_folder(path), notes.append) / checkpoints.TENSORS
        return {"imported": {"file": path.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}}, notes

    session = create(config, out, begin=begin)
    with session.lock, threads(int(session.config.train.threads)):
        list(start(session))
        list(finish(session, "finished", draw_figures))
    for warning in session.warnings:
        print(f"latentlab: {warning}", file=sys.stderr)
    return session


def read(path: Path) -> tuple[State, bool]:
    """The tensors of a file or a run folder by name, and whether their order is that in which the layers were made. Raises LabError."""
    if path.is_dir():
        averaged = Trained(open_folder(path)).learner.averaged
        return {f"{name}.{key}": value for name, network in averaged.items() for key, value in apart(network).items()}, True
    must = "a state dict: .safetensors, .pt or .pth (torch.save(model.state_dict(), FILE)), Keras's .keras or .h5, or a run folder"
    if not path.is_file():
        raise refusal("a file to import", must, str(path), "It is not there.")
    found: Any
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load

            found, ordered = load(path.read_bytes()), False
        elif path.suffix in (".keras", ".h5"):
            found, ordered = {name: torch.from_numpy(values) for name, values in read_keras(path).items()}, True
        else:
            found, ordered = torch.load(path, map_location="cpu", weights_only=True), True
    except LabError:
        raise
    except ModuleNotFoundError as error:
        raise LabError(reason("keras.missing", what=error.name, backend=keras_backend())) from None
    except OSError as error:
        if path.suffix not in (".keras", ".h5"):  # h5py raises it of what is no such file
            raise
        raise refusal("a file to import", must, str(path), f"It is damaged. ({type(error).__name__})") from None
    except Exception as error:  # a foreign file can make its readers raise anything
        if is_out_of_memory(error):
            raise
        remedy = "It is damaged, or holds more than tensors, which would be code: save its state_dict()."
        raise refusal("a file to import", must, str(path), f"{remedy} ({type(error).__name__})") from None
    while isinstance(found, Mapping) and (inside := [found[key] for key in NESTED if isinstance(found.get(key), Mapping)]):
        found = inside[0]
    tensors = {str(key): value for key, value in found.items() if isinstance(value, Tensor)} if isinstance(found, Mapping) else {}
    if not tensors:
        raise refusal("a file to import", must, str(path), "It holds no tensors by name.")
    if bad := next((key for key, value in tensors.items() if value.is_floating_point() and not bool(value.isfinite().all())), None):
        raise LabError(f"every weight to import must be a finite number. {bad} of {path} has others.")
    return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}, ordered


def matched(
    tensors: State, ordered: bool, learner: Learner, mean: str | None, preset: str, path: Path
) -> tuple[dict[str, State], list[str]]:
    """Each network's state made of a file's tensors, all of which must be used, and what was taken for granted. Raises LabError."""
    left = layers_of({key: value for key, value in tensors.items() if not key.startswith("prior_")})
    left = left if ordered else dict(sorted(left.items(), key=lambda item: natural(item[0])))
    made: dict[str, State] = {}
    notes: list[str] = []
    for name, network in learner.networks.items():
        made[name] = {}
        for place, wanted in layers_of(apart(network)).items():
            fitting = [other for other in left if _fits(left[other], wanted) and _told(other, learner) in (None, name)]
            if not ordered and len({re.sub(r"\d+", "", other) for other in fitting}) > 1:
                raise LabError(
                    f"{path} must tell which of {' and '.join(fitting[:2])} is the {name}'s {place}, for a safetensors file keeps no "
                    "order. Save it by torch.save(model.state_dict(), FILE.pt), which does."
                )
            if fitting:
                layer = left.pop(fitting[0])
            elif pair := _heads(left, wanted, network, learner, mean):
                first, second = (left.pop(head) for head in pair)
                layer = {key: torch.cat([first[key], second[key]]) for key in wanted}
            else:
                raise _misfit(left, learner, name, place, wanted, preset, path)
            notes += [f"{name}.{place}.{key} is not in {path.name}: 0 was taken." for key in wanted if key == "bias" and key not in layer]
            made[name] |= {f"{place}.{key}": layer.get(key, torch.zeros_like(value)) for key, value in wanted.items()}
    if left:
        raise _misfit(left, learner, "", "", {}, preset, path)
    return made, notes


def layers_of(state: Mapping[str, Tensor]) -> Layers:
    """A state by layers, in its order. A tensor that is in no layer of a known kind is one of its own."""
    layers: Layers = {}
    for key, value in state.items():
        leaf = LEAF.search(key)
        layers.setdefault(key[: leaf.start()] if leaf else key, {})[leaf[1] if leaf else ""] = value
    return layers


def natural(name: str) -> list[tuple[int, str]]:
    """By which names are sorted as one counts: fc2 before fc10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _fits(found: State, wanted: State) -> bool:
    """Whether a layer of a file is one of ours: no tensor more, none less but those that stand for nothing."""
    shapes = all(key in wanted and value.shape == wanted[key].shape for key, value in found.items())
    return shapes and wanted.keys() - found.keys() <= UNNAMED


def _told(layer: str, learner: Learner) -> str | None:
    """The network that a layer's name speaks of; None where it speaks of none, or of several."""
    spoken = [name for name in learner.networks if re.search(rf"(^|[._]){TOLD[name]}", layer.lower())]
    return spoken[0] if len(spoken) == 1 else None


def _heads(left: Layers, wanted: State, network: nn.Module, learner: Learner, mean: str | None) -> tuple[str, str] | None:
    """The layers that give a posterior's mean and its log-variance, where ours is one layer. Raises LabError for which is which."""
    if not isinstance(network, GaussianEncoder) or len(wanted["weight"]) % 2:
        return None
    half = {key: value[: len(value) // 2] for key, value in wanted.items()}
    heads = [
        layer for layer in left if left[layer].keys() == half.keys() and _fits(left[layer], half) and _told(layer, learner) != "decoder"
    ]
    if len(heads) < 2:
        return None
    first, second = heads[:2]
    if mean is not None:
        if mean not in (first, second):
            raise refusal("mean", f"{first} or {second}, the layers of that shape", mean)
        return (first, second) if mean == first else (second, first)
    for one, other in ((first, second), (second, first)):
        is_pair = _says(MEAN, one) or _says(LOG_VAR, other)
        if is_pair and not _says(f"{LOG_VAR}|{SCALE}", one) and not _says(f"{MEAN}|{SCALE}", other):
            return one, other
    raise LabError(
        f"one of {first} and {second} must give the mean, the other the log-variance (no deviation). Their names do not say so: "
        f"name the first by --mean {first} or --mean {second} (in Python: mean=)."
    )


def _says(pattern: str, layer: str) -> bool:
    return re.search(pattern, layer.rpartition(".")[2].lower()) is not None


def _misfit(left: Layers, learner: Learner, name: str, place: str, wanted: State, preset: str, path: Path) -> LabError:
    """What is said where a layer has no counterpart: the first that is left, if possible one that speaks of the same network."""
    key = next(iter(wanted), "")
    must = f"the {name}'s {place}.{key} {list(wanted[key].shape)}" if wanted else f"nothing more: {preset} has no other layer"
    got = "nothing more"
    if layer := min(left, key=lambda layer: _told(layer, learner) != name, default=None):
        leaf = key if key in left[layer] else next(iter(left[layer]))
        got = f"{'.'.join(filter(None, (layer, leaf)))} {list(left[layer][leaf].shape)}"
    remedy = "Bring the preset to the file's form by --hidden, --latent-dim, --model.channels and the like, or name another one."
    return refusal(f"{path} as {preset}", must, got, remedy)

"""One plain PyTorch file that a student can read, and its weights beside it: neither needs latentlab.

FILE.py             the networks as `nn.Sequential` of torch's own layers, what can be done with them, and `load()`
FILE.safetensors    their tensors, float32; `FILE.py` holds its sha256 and reads it with the standard library

`python/` has what does not depend on the run, each family's methods apart.
"""

from __future__ import annotations

import hashlib
import inspect
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from safetensors.torch import save
from torch import nn

from latentlab.base import __version__
from latentlab.base.errors import printable, refusal
from latentlab.base.files import replace_bytes, replace_text
from latentlab.base.texts import text
from latentlab.config import MIXED
from latentlab.config.sources import named
from latentlab.models import modules
from latentlab.models.nets import Chain
from latentlab.train.exchange.plain import plain_networks, refuse_own, tensors_of

if TYPE_CHECKING:
    from latentlab.runs.trained import Trained


OURS = (
    modules.Deviation,
    modules.Residual,
    modules.ContinuousBernoulliMean,
    modules.LogisticMixtureMean,
)  # each of which needs nothing beside torch


def write(run: Trained, out: Path, lang: str) -> list[Path]:
    """Write both files. Raises LabError for networks of somebody's own, whose code is theirs to pass on."""
    config, (height, width, channels) = run.config, run.image_shape
    refuse_own(run, "python")
    if not out.stem.isidentifier():
        raise refusal("out", "a file whose name Python can import, such as my_model.py", str(out))
    networks, beside = plain_networks(run), out.with_suffix(".safetensors")
    weights = save(tensors_of(run, networks))
    template, methods = _template("file"), _template(config.family)
    sizes = {"latent_dim": config.model.latent_dim, "shape": f"{channels}, {height}, {width}", "weights": beside.name}
    about = {"preset": config.preset, "data": _plain(named(config.data.spec)), "version": __version__, "step": run.step}
    came = run.folder.environment().get("imported")
    filled = {
        "about": text("exchange.python.imported", lang, file=_plain(came["file"]), **about)
        if came
        else text("exchange.python.about", lang, **about),
        "module": out.stem,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "helpers": _helpers(networks),
        "networks": "\n".join(f"        self.{name} = {_source(network)}" for name, network in networks.items()),
        "model": text(f"exchange.python.{config.family}", lang),
        "methods": methods.substitute({name: _words(f"{config.family}.{name}", lang, sizes) for name in methods.get_identifiers()}),
    } | sizes
    filled |= {name: _words(name, lang, sizes) for name in template.get_identifiers() if name not in filled}
    replace_bytes(beside, weights)
    replace_text(out, template.substitute(filled))
    return [out, beside]


def _template(name: str) -> Template:
    return Template(resources.files(__package__).joinpath("python", f"{name}.py.txt").read_text(encoding="utf-8"))


def _words(key: str, lang: str, sizes: dict[str, object]) -> str:
    return text(f"exchange.python.{key}", lang, **sizes)


def _plain(name: str) -> str:
    """The name of somebody's file or folder as it can stand in a docstring."""
    return printable(name).replace("\\", "/").replace('"', "'")


def _source(network: Chain) -> str:
    """A network as the source that makes it: a layer shows itself as its constructor is called."""
    return "nn.Sequential(\n" + "".join(f"            {_made(layer)},\n" for layer in network.layers) + "        )"


def _made(layer: nn.Module) -> str:
    if isinstance(layer, modules.Residual):
        return "Residual(\n" + "".join(f"                {_made(each)},\n" for each in layer) + "            )"
    return f"{'' if isinstance(layer, OURS) else 'nn.'}{layer!r}"


def _helpers(networks: dict[str, Chain]) -> str:
    """The source of what is no layer of torch's."""
    used = {type(layer) for network in networks.values() for layer in network.layers if isinstance(layer, OURS)}
    sources = (inspect.getsource(kind).replace(": Tensor) -> Tensor", ")").replace("MIXED = MIXED", f"MIXED = {MIXED}") for kind in used)
    return "".join(f"\n\n{source}" for source in sources)

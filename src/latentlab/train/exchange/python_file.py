"""One plain PyTorch file that a student can read, and its weights beside it: neither needs latentlab.

FILE.py             the networks as `nn.Sequential` of torch's own layers, what can be done with them, and `load()`
FILE.safetensors    their tensors, float32; `FILE.py` holds its sha256 and reads it with the standard library
"""

from __future__ import annotations

import hashlib
import inspect
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from safetensors.torch import save
from torch import Tensor

from latentlab.base import __version__
from latentlab.base.errors import LabError, printable, refusal
from latentlab.base.files import replace_bytes, replace_text
from latentlab.base.texts import text
from latentlab.config.sources import named
from latentlab.models import nets
from latentlab.models.autoencoder import AutoencoderLearner
from latentlab.models.nets import Chain
from latentlab.train.exchange.plain import plain_networks

if TYPE_CHECKING:
    from latentlab.runs.trained import Trained

CLASSES = {"ae": "Autoencoder", "vae": "VAE", "gan": "GAN"}
TAKES = {"encode": "images", "decode": "z", "sample": "count, generator=None", "discriminate": "images"}
FROM_PRIOR = "return self.decode(torch.randn(count, LATENT_DIM, generator=generator))"
METHODS: dict[str, dict[str, tuple[str, ...]]] = {  # what each family's class can do, line by line
    "vae": {
        "encode": ("mean, log_var = self.encoder(images).chunk(2, dim=1)", "return mean, log_var"),
        "decode": ("return torch.sigmoid(self.decoder(z))",),
        "sample": (FROM_PRIOR,),
    },
    "ae": {
        "encode": ("return self.encoder(images)",),
        "decode": ("return torch.sigmoid(self.decoder(z))",),
        "sample": (
            "normal = torch.randn(count, LATENT_DIM, generator=generator)",
            "return self.decode(self.prior_mean + normal @ self.prior_scale)",
        ),
    },
    "gan": {
        "decode": ("return torch.sigmoid(self.generator(z))",),
        "sample": (FROM_PRIOR,),
        "discriminate": ("return self.discriminator(2 * images - 1).flatten()",),
    },
}
EXAMPLES = {
    "vae": ("images = model.sample(16)", "mean, log_var = model.encode(images)", "copies = model.decode(mean)"),
    "ae": ("images = model.sample(16)", "codes = model.encode(images)", "copies = model.decode(codes)"),
    "gan": ("images = model.sample(16)", "logits = model.discriminate(images)"),
}
PRIOR = (
    'self.register_buffer("prior_mean", torch.zeros(LATENT_DIM))',
    'self.register_buffer("prior_scale", torch.zeros(LATENT_DIM, LATENT_DIM))',
)


def write(run: Trained, out: Path, lang: str) -> list[Path]:
    """Write both files. Raises LabError for networks of somebody's own, whose code is theirs to pass on."""
    if run.config.own:
        names = ", ".join(name for name, _ in run.config.own)
        raise LabError(
            f"--format python writes networks of known layers. {run.path} has its own {names}, whose code lies in own/. "
            "Use --format safetensors, or onnx."
        )
    if not out.stem.isidentifier():
        raise refusal("out", "a file whose name Python can import, such as my_model.py", str(out))
    networks, beside = plain_networks(run), out.with_suffix(".safetensors")
    weights = save(tensors_of(run, networks))
    values = _values(run, networks, beside.name, lang) | {"module": out.stem, "sha256": hashlib.sha256(weights).hexdigest()}
    template = Template(resources.files(__package__).joinpath("model.py.txt").read_text(encoding="utf-8"))
    replace_bytes(beside, weights)
    replace_text(out, template.substitute(values))
    return [out, beside]


def _values(run: Trained, networks: dict[str, Chain], weights: str, lang: str) -> dict[str, object]:
    """What fills the template, but for its name and the checksum."""
    config, family, (height, width, channels) = run.config, run.config.family, run.image_shape
    sizes = {"latent_dim": config.model.latent_dim, "shape": f"{channels}, {height}, {width}"}
    data = printable(named(config.data.spec)).replace("\\", "/").replace('"', "'")  # somebody's folder, in a docstring

    def say(key: str, **values: object) -> str:
        return text(f"exchange.python.{key}", lang, **values)

    methods = []
    for name, body in METHODS[family].items():
        lines = [f"def {name}(self, {TAKES[name]}):", f'    """{say(f"{family}.{name}", **sizes)}"""', *(f"    {line}" for line in body)]
        methods.append(["@torch.no_grad()", *lines] if name == "sample" else lines)
    made = [f"self.{name} = {_source(network)}" for name, network in networks.items()] + list(PRIOR if family == "ae" else ())
    return {
        "about": say("about", preset=config.preset, data=data, version=__version__, step=run.step),
        "tensors": say("tensors", weights=weights, **sizes),
        "weights": weights,
        "example": "\n".join(f"    {line}" for line in EXAMPLES[family]),
        "latent_dim": config.model.latent_dim,
        "helpers": _helpers(networks),
        "class": CLASSES[family],
        "what": say(f"{family}.class"),
        "networks": "\n".join(f"        {line}" for line in made),
        "methods": "\n\n".join("\n".join(f"    {line}" for line in lines) for lines in methods),
        "load": say("load"),
        "foreign": say("foreign"),
    }


def tensors_of(run: Trained, networks: dict[str, Chain]) -> dict[str, Tensor]:
    """Every number of plain networks by its name there, float32, with an autoencoder's prior."""
    named_tensors = {f"{name}.{key}": value for name, network in networks.items() for key, value in network.layers.state_dict().items()}
    tensors = {key: value.float().contiguous() for key, value in named_tensors.items() if value.is_floating_point()}
    return tensors | (run.learner.prior if isinstance(run.learner, AutoencoderLearner) else {})


def _source(network: Chain) -> str:
    """A network as the source that makes it: a layer shows itself as its constructor is called."""
    layers = [f"{'' if isinstance(layer, nets.Deviation) else 'nn.'}{layer!r}" for layer in network.layers]
    return "nn.Sequential(\n" + "".join(f"            {layer},\n" for layer in layers) + "        )"


def _helpers(networks: dict[str, Chain]) -> str:
    """The source of what is no layer of torch's."""
    used = any(isinstance(layer, nets.Deviation) for network in networks.values() for layer in network.layers)
    source = inspect.getsource(nets.Deviation).replace("x: Tensor) -> Tensor", "x)")
    return f"\n\n{source}" if used else ""

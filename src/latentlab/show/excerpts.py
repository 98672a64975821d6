"""The project's own code beside its equations: functions as their files hold them, read as text, so that torch is not loaded."""

from __future__ import annotations

import ast
import functools
import textwrap
from collections.abc import Sequence
from importlib import resources

VAE, AE = "models/vae.py:VAELearner._losses", "models/autoencoder.py:AutoencoderLearner._losses"
KL = "models/objectives.py:kl_to_standard_normal"
JUDGE, FOOL = "models/gan.py:GANLearner._judge", "models/gan.py:GANLearner._fool"
GAME = JUDGE, "models/objectives.py:non_saturating_discriminator"  # the value that D raises and G lowers
ESTIMATORS = "lab/questions/reparameterization/estimators.py"

# Of each formula of a question, in their order, the functions that do in code what it says; none where no code computes it.
CODE: dict[str, tuple[tuple[str, ...], ...]] = {
    "reparameterization": ((f"{ESTIMATORS}:draw", f"{ESTIMATORS}:pathwise"), (f"{ESTIMATORS}:score",), (VAE,)),
    "kl": ((VAE,), (KL,), ("lab/questions/views.py:aggregate",)),
    "latent-dim": ((AE,), (VAE,), (KL,)),
    "decoder-as-generator": (
        (VAE,),
        (FOOL, "models/objectives.py:hinge_generator"),
        ("lab/questions/decoder_as_generator/__init__.py:moved",),
    ),
    "encoder-vs-discriminator": (
        ("models/nets.py:GaussianEncoder.forward", "models/nets.py:Discriminator.forward"),
        (VAE,),
        GAME,
        (),
    ),
    "ae-vs-vae-vs-gan": ((AE,), (VAE,), GAME),
    "gan-stability": (
        (FOOL, "models/objectives.py:non_saturating_generator"),
        ("models/objectives.py:non_saturating_discriminator",),
        (),
        ("show/explorer/network.py:spectrally_normalized",),
    ),
}

# Of each family, what computes the losses of one image: of a GAN, the score and its gradient.
FOLLOWED = {"ae": (AE,), "vae": (VAE, KL), "gan": (FOOL, "models/gan.py:GANLearner.field")}


@functools.cache
def excerpt(where: str) -> str:
    """The function at "FILE:NAME" or "FILE:CLASS.NAME", without its docstring. Raises KeyError for one that there is none of."""
    file, _, name = where.partition(":")
    text = resources.files("latentlab").joinpath(*file.split("/")).read_text(encoding="utf-8")
    node: ast.AST = ast.parse(text)
    for part in name.split("."):
        found = {one.name: one for one in ast.iter_child_nodes(node) if isinstance(one, ast.FunctionDef | ast.ClassDef)}
        node = found[part]
    if not isinstance(node, ast.FunctionDef):
        raise KeyError(where)
    first = min((node.lineno, *(one.lineno for one in node.decorator_list))) - 1
    lines = text.splitlines()[first : node.end_lineno]
    if ast.get_docstring(node) is not None:
        told = node.body[0]
        del lines[told.lineno - 1 - first : (told.end_lineno or told.lineno) - first]
    return textwrap.dedent("\n".join(lines))


def excerpts(question: str, formula: int) -> tuple[str, str]:
    """The files, below src/latentlab, and the code of the formula of that number, from 1, of a question; "" where there is none."""
    found = CODE[question][formula - 1]
    return ", ".join(dict.fromkeys(where.partition(":")[0] for where in found)), together(found)


def together(functions: Sequence[str]) -> str:
    """The code of functions, one behind the other."""
    return "\n\n".join(map(excerpt, functions))

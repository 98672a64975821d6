"""A trained run as functions of images and codes: sample, encode, decode, reconstruct, interpolate."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import LabError, memory_for, refusal
from latentlab.base.images import Images, as_array, check, is_point
from latentlab.base.seeding import latents
from latentlab.config.field import Field, plain
from latentlab.config.networks import classes_of
from latentlab.config.schema import Config
from latentlab.config.sources import named
from latentlab.models import sampling
from latentlab.runs import checkpoints
from latentlab.runs.diagnosis import Finding, diagnose
from latentlab.runs.diagnosis.sight import facts_of
from latentlab.runs.folder import RunFolder
from latentlab.runs.forms import read_latents

if TYPE_CHECKING:
    import torch

    from latentlab.data import Data
    from latentlab.models.learner import Learner
    from latentlab.models.nets import Chain


Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


# What may be asked of a run.
SAMPLED = {
    field.name: field
    for field in (
        Field("count", int, minimum=1),
        Field("seed", int, minimum=0, maximum=2**31 - 1),
        Field("prior", sampling.Prior),
        Field("truncation", float | None, above=0),
    )
}
STEPS, REACH = Field("steps", int, minimum=2), Field("reach", float, above=0)


class Latents(NamedTuple):
    """What an encoder makes of N images."""

    mean: Floats  # [N, Z]
    std: Floats | None  # [N, Z] for a VAE


class Trained:
    """A trained (or training) run. Its networks are loaded when first asked for: the newest, of one that stopped early the best."""

    def __init__(self, folder: RunFolder, given: Mapping[str, Any] | None = None, trust: bool = False) -> None:
        self.folder = folder
        self.given, self.trust = given or {}, trust  # what of it is somebody's own: see `latentlab.runs.own`

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.folder.path)!r}: {self.in_words()})"

    def in_words(self) -> str:
        """What it is and how far it is: "conv-vae on digits, finished at step 450"."""
        try:
            config, status = self.config, self.status()
            own = f" with its own {', '.join(name for name, _ in config.own)}" if config.own else ""
            return f"{config.preset}{own} on {named(config.data.spec)}, {status.get('state', 'empty')} at step {status.get('step', 0)}"
        except LabError as error:
            return str(error)

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def config(self) -> Config:
        """The whole configuration."""
        return self.folder.config()

    @property
    def scores(self) -> dict[str, Any]:
        """scores.json; empty before `evaluate`."""
        return self.folder.scores()

    def metrics(self) -> list[dict[str, Any]]:
        """Every line of metrics.jsonl."""
        return self.folder.metrics()

    def diagnosis(self) -> list[Finding]:
        """What the metrics say went wrong, causes first; empty when there is no alarm. Also of runs from before it was looked for."""
        return diagnose(self.metrics(), facts_of(self.config, self.folder.environment()))

    def status(self) -> dict[str, Any]:
        """status.json, told truly when the process is gone."""
        return self.folder.status()

    @cached_property
    def _opened(self) -> _Opened:
        return _Opened(self.folder, self.given, self.trust)

    @property
    def learner(self) -> Learner:
        """The trained learner on the CPU."""
        return self._opened.learner

    @property
    def step(self) -> int:
        """The step of the checkpoint that is sampled from."""
        return int(self.state["step"])

    @property
    def state(self) -> dict[str, Any]:
        """The state.json of that checkpoint."""
        return self._opened.state

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return self._opened.shape

    def networks(self) -> dict[str, torch.nn.Module]:
        """Torch modules in evaluation mode, averaged where the run averages.

        {"encoder", "decoder"}, of a VAE-GAN "discriminator" too, or {"generator", "discriminator"}. Decoder and generator: z [N, Z] to
        logits [N, C, H, W]. Of a class-conditional run the class stands behind z, one-hot, and an encoder takes it as a second input.
        """
        from latentlab.models.nets import pictured

        networks = {name: network.eval() for name, network in self._opened.learner.averaged.items()}
        decoder = networks.get("decoder")
        return networks if decoder is None else networks | {"decoder": pictured(cast("Chain", decoder), self.config.objective).eval()}

    @memory_for("what is drawn", "Ask for fewer images at a time.")
    def sample(
        self,
        count: int,
        seed: int = 0,
        label: int | None = None,
        prior: sampling.Prior = "standard",
        truncation: float | None = None,
    ) -> Images:
        """`count` new images uint8 [count, H, W, C], or points float32 [count, 1, 1, 2]; image i depends on (seed, i) alone.

        A VAE and a GAN draw z ~ N(0, I); an autoencoder draws from the Gaussian fitted to its codes of training images.
        "fitted" is that for an autoencoder, and for a VAE a Gaussian fitted to its posteriors of held-out images; "gmm" draws
        from a mixture fitted to the codes of held-out images. `truncation` T brings every component of that z into [−T, T]
        (`sampling.truncated`): the smaller, the more typical the images and the less varied; z is truncated before it
        becomes a code. A class-conditional run draws images of the class `label`, or of classes in the training images' shares.
        """
        given = {"count": count, "seed": seed, "prior": prior, "truncation": truncation}
        for name, field in SAMPLED.items():
            field.check(plain(given[name]))
        labels = self.drawn_labels(count, seed) if label is None else label
        if prior == "gmm" and truncation is not None:
            raise refusal("truncation", "left out with the prior gmm, whose draws have no standard normal z", truncation)
        if prior != "standard" and self.config.family == "gan":
            raise refusal("prior", "standard for a GAN, which has no encoder", prior)
        z = latents(count, self.config.model.latent_dim, seed)
        z = z if truncation is None else sampling.truncated(z, truncation)
        if prior == "standard" or (prior == "fitted" and self.config.family == "ae"):
            return self.decode(self._opened.prior(z), labels)
        if (codes := read_latents(self.path)) is None:
            path = self.path / "latents.npz"
            raise LabError(f"the prior {prior} is fitted to {path}, written when a run finishes. `latentlab resume {self.path}` first.")
        if prior == "fitted":
            return self.decode(sampling.gaussian_codes(z, codes["mean"], codes["std"]), labels)
        return self.decode(sampling.mixture_codes(codes["mean"].astype(np.float32), count, seed), labels)

    def drawn_labels(self, count: int, seed: int = 0) -> Labels | None:
        """The classes of `count` draws, [count]; label i depends on (seed, i) alone. None where no class is given to the networks."""
        if not classes_of(self.config.model):
            return None
        return sampling.drawn_classes(count, seed, self.folder.environment()["class_shares"])

    def encode(self, images: Images, label: int | Labels | None = None) -> Latents:
        """Images uint8 [N, H, W, C], or points [N, 2], to their codes. Raises LabError for a GAN, which has no encoder.

        Of a class-conditional run as of the classes `label`, or of those under which each image is likeliest.
        """
        self.need_encoder("encode")
        images = check(images, shape=self.image_shape)
        if not len(images):
            raise refusal("images", "at least one", list(images.shape))
        return Latents(*self._opened.encode(images, labels=None if label is None else self._labels(label, len(images))))

    def decode(self, z: Any, label: int | Labels | None = None) -> Images:
        """Codes [N, Z] to images uint8 [N, H, W, C], or points float32 [N, 1, 1, 2].

        A class-conditional run draws them of one class, or of N; of class 0 where none is named.
        """
        size = self.config.model.latent_dim
        try:
            codes = as_array(z).astype(np.float32)
        except (TypeError, ValueError):
            raise refusal("z", f"finite numbers of shape [N, {size}]", z) from None
        if codes.ndim != 2 or codes.shape[1] != size or not np.isfinite(codes).all():
            raise refusal("z", f"finite numbers of shape [N, {size}]", list(codes.shape))
        labels = None if label is None else self._labels(label, len(codes))
        given = np.zeros(len(codes), np.int64) if labels is None else labels
        return self._opened.decode(sampling.of_classes(codes, given, classes_of(self.config.model)))

    def _labels(self, label: int | Labels, count: int) -> Labels:
        """One class, or one for each of `count`, as [count]. Raises LabError."""
        classes = classes_of(self.config.model)
        if not classes:
            raise refusal("label", "left out: this run is not conditional on a class", label)
        labels = np.asarray(label)
        if labels.dtype.kind not in "iu" or labels.shape not in ((), (count,)):
            raise refusal("label", f"a class, or {count} of them", label)
        if labels.size and not 0 <= labels.min() <= labels.max() < classes:
            raise refusal("label", f"a class from 0 to {classes - 1}", label)
        return np.broadcast_to(labels, (count,)).astype(np.int64)

    def reconstruct(self, images: Images, label: int | Labels | None = None) -> Images:
        """Images through encoder and decoder, by the posterior's mean: repeatable.

        Of a class-conditional run as of the classes `label`, or of those under which each image is likeliest.
        """
        self.need_encoder("encode")
        if label is None and classes_of(self.config.model):
            label = self._opened.likeliest(check(images, shape=self.image_shape))
        return self.decode(self.encode(images, label).mean, label)

    def interpolate(self, a: Any, b: Any, steps: int = 8, label: int | None = None) -> Images:
        """`steps` images from a to b: images uint8 [H, W, C] to encode, or codes [Z], or seeds (integers) of z.

        Between codes of images the way is a straight line; between z of the prior it is an arc. A class-conditional run stays in one class:
        `label`, or that under which the first image of the two is likeliest.
        """
        STEPS.check(plain(steps))
        if label is None and classes_of(self.config.model) and self.config.family != "gan":
            images = (array for array in map(np.asarray, (a, b)) if array.dtype == np.uint8)
            label = next((int(self._opened.likeliest(check(each[None], shape=self.image_shape))[0]) for each in images), None)
        ends = [self._end(value, label) for value in (a, b)]
        walk = sampling.arc if all(from_prior for _, from_prior in ends) and self.config.family != "ae" else sampling.line
        return self.decode(walk(ends[0][0], ends[1][0], steps), label)

    def _end(self, value: Any, label: int | None) -> tuple[Floats, bool]:
        if isinstance(value, int | np.integer):
            SAMPLED["seed"].check(int(value))
            return self._opened.prior(latents(1, self.config.model.latent_dim, int(value)))[0], True
        array, size = np.asarray(value), self.config.model.latent_dim
        if array.dtype == np.uint8 or is_point(array.shape):
            return self.encode(array[None] if array.ndim == 3 else array, label).mean[0], False
        if array.dtype.kind not in "iuf" or array.size != size or not np.isfinite(array).all():
            raise refusal("an end of the way", f"an image, a code of {size} numbers or a seed", value)
        return np.asarray(array, np.float32).reshape(-1), False

    def traverse(
        self, dims: Sequence[int] | None = None, reach: float = 2.5, steps: int = 9, seed: int | None = None, label: int | None = None
    ) -> Images:
        """Each latent unit in `dims` moved alone by ±reach standard deviations: uint8 [len(dims) * steps, H, W, C].

        The centre is the prior's mean, or the z of `seed` (the default for a GAN, whose mean is no typical draw).
        """
        size = self.config.model.latent_dim
        dims = list(range(min(size, 10))) if dims is None else dims
        some = isinstance(dims, Sequence | np.ndarray) and len(dims) > 0
        if not some or not all(isinstance(d, int | np.integer) and 0 <= d < size for d in dims):
            raise refusal("dims", f"latent units from 0 to {size - 1}", dims)
        for field, value in ((REACH, reach), (STEPS, steps), (SAMPLED["seed"], 0 if seed is None else seed)):
            field.check(plain(value))
        if seed is None and self.config.family == "gan":
            seed = 0
        origin = np.zeros((1, size), np.float32) if seed is None else latents(1, size, seed)
        shifted = self._opened.prior(np.concatenate([origin, np.eye(size, dtype=np.float32)]))
        zero = self._opened.prior(np.zeros((1, size), np.float32))[0]
        scales = np.linalg.norm(shifted[1:] - zero, axis=1) if self.config.family == "ae" else np.ones(size, np.float32)
        walks = sampling.traverse(shifted[0], dims, scales.astype(np.float32), reach, steps)
        return self.decode(walks.reshape(-1, size), label)

    def data(self, given: Any = None) -> Data:
        """The images that this run was made with, loaded anew, from what is given if they lie elsewhere now. LabError for others."""
        return self.folder.data(given)

    def need_encoder(self, purpose: str) -> None:
        """Raise LabError for a GAN, which has no encoder."""
        if self.config.family == "gan":
            raise refusal(f"the run to {purpose} with", "an autoencoder or a VAE: a GAN has no encoder", str(self.path))


class _Opened:
    """The learner of a run on the CPU, from the checkpoint that it is sampled from, and its functions of arrays; no data is needed."""

    def __init__(self, folder: RunFolder, given: Mapping[str, Any], trust: bool) -> None:
        import torch

        from latentlab.models import build
        from latentlab.models.learner import decode, encode, likeliest, prior_codes, whole
        from latentlab.runs.own import own_of

        config, cpu = folder.config(), torch.device("cpu")

        own = own_of(folder, config, folder.environment()["image_shape"], given, trust) if given or config.own else None

        def use(path: Path) -> None:
            tensors, state = checkpoints.load(path)
            with checkpoints.opening(path):
                if state["config_sha256"] != config.fingerprint():
                    raise checkpoints.foreign(path)
                self.shape: tuple[int, int, int] = tuple(state["image_shape"])
                self.state = state
                self.learner = build(config, self.shape, cpu, False, own)
                found = {k: torch.from_numpy(v) for k, v in checkpoints.without_window(tensors).items()}
                self.learner.load_tensors(whole(self.learner, found) if state.get(checkpoints.EXPORTED) else found)

        checkpoints.sampled(folder, lambda text: print(f"latentlab: {text}", file=sys.stderr), use)
        self.prior = partial(prior_codes, self.learner, device=cpu)
        self.decode = partial(decode, self.learner, device=cpu)
        self.encode = partial(encode, self.learner, device=cpu)
        self.likeliest = partial(likeliest, self.learner, device=cpu)

"""A fixed random convolutional network, for images without labels.

Random convolutions tell textures, edges and coarse layout apart, though they know no object: distances on their features
compare low-level statistics, and are labelled so. Their ranking of generative models is known to be of use where no
trained network fits (Naeem et al. 2020, section 4, randomly initialised VGG16).
"""

from __future__ import annotations

import hashlib
import io
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from latentlab.base.errors import LabError, refusal
from latentlab.base.seeding import seed_for
from latentlab.measure.extractors import Extractor
from latentlab.models.nets import to_unit

WIDTHS = (32, 64, 64)


class RandomConvolutions(Extractor):
    """3 x 3 convolutions of 32, 64 and 64 channels with leaky ReLU and 2 x 2 means; then mean and deviation of each channel."""

    identity = "random-convolutions"
    dimensions = 128
    note = "random convolutions, never trained: low-level statistics only"

    def look(self, batch: Tensor) -> tuple[Tensor, None]:
        maps = self.network(2 * to_unit(batch) - 1)  # [n, 64, h, w]
        return torch.cat([maps.mean((2, 3)), maps.std((2, 3), correction=0)], 1), None  # [n, 128]


@lru_cache(maxsize=2)
def random_convolutions(channels: int) -> RandomConvolutions:
    """The network for grey (1) or RGB (3) images: the same weights on every machine."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(0, "random-convolutions", channels))
        layers, deep = list[nn.Module](), channels
        for wide in WIDTHS:
            layer = nn.Conv2d(deep, wide, 3, padding=1)
            nn.init.kaiming_normal_(layer.weight, 0.2)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            layers += [layer, nn.LeakyReLU(0.2), nn.AvgPool2d(2)]
            deep = wide
    network = nn.Sequential(*layers[:-1]).eval().requires_grad_(False)  # the last map keeps its size: its deviation is a feature
    return RandomConvolutions(network, hashlib.sha256(save(network.state_dict())).hexdigest())


# Inception-v3 (2015-12-05) through torch-fidelity, from a weights file that the user gives: latentlab bundles and downloads none.


class Inception(Extractor):
    """The 2,048 features before the last layer. Grey images are tiled to three channels."""

    identity = "inception-v3"
    dimensions = 2048
    resize = "299 x 299, bilinear as in TensorFlow 1, inside the network"

    def look(self, batch: Tensor) -> tuple[Tensor, None]:
        planes = batch.permute(0, 3, 1, 2)  # uint8 [n, C, H, W]
        return self.network(planes.expand(-1, 3, -1, -1) if planes.shape[1] == 1 else planes)[0], None


def inception(weights: str | Path | None, sha256: str | None) -> Inception:
    """The network from a weights file of torch-fidelity's form, whose sha256 must be the one given.

    Raises LabError without a file or a checksum, for another content, and when torch-fidelity is not installed.
    """
    if weights is None or sha256 is None:
        raise LabError(
            "inception-v3 needs --inception-weights FILE and --inception-sha256 HEX (latentlab downloads no weights). Give both."
        )
    path = Path(weights)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise refusal("--inception-weights", "a file that can be read", str(weights), f"({error.strerror})") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256.lower():
        raise refusal("--inception-sha256", f"the sha256 of {path}, {digest}", sha256, "Use the file that the checksum belongs to.")
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except (ImportError, RuntimeError) as error:  # RuntimeError: a torchvision that does not fit this torch
        raise LabError(f"inception-v3 needs torch-fidelity ({error}). Install it with `pip install latentlab[fidelity]`.") from None
    try:
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=_without_code(content))
    except Exception as error:  # whatever a foreign file makes torch raise
        reason = " ".join(str(error).split())[:120]
        raise LabError(
            f"--inception-weights {path} must be Inception weights as torch-fidelity reads them ({reason}). Use its file."
        ) from None
    return Inception(network.eval(), digest)


def _without_code(content: bytes) -> io.BytesIO:
    """The tensors of a weights file as a new file. torch-fidelity unpickles what it is given: a file may hold code, this one cannot."""
    clean = io.BytesIO()
    torch.save(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True), clean)
    clean.seek(0)
    return clean

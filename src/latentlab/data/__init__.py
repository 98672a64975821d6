"""Image sets: sources, decoding, splits and the order of batches. NumPy and Pillow only; torch is never imported here.

image file → source (decode, verify) → `ImageSet` uint8 [N, H, W, C] → `batch_indices(seed, position, …)` → learner
"""

from __future__ import annotations

from latentlab.data.batches import batch_indices
from latentlab.data.information import entropy_floor_nats, is_binary
from latentlab.data.load import load_data
from latentlab.data.named import fetch
from latentlab.data.sets import Data, ImageSet
from latentlab.data.spec import canonical, parse

__all__ = ["Data", "ImageSet", "batch_indices", "canonical", "entropy_floor_nats", "fetch", "is_binary", "load_data", "parse"]

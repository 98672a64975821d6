"""Images that are arrays: in an .npz file, or in Python, where they are kept by their content, so that a run finds them again.

Nothing is resized or guessed: what could be read in two ways is refused.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import cache_folder, replace_bytes
from latentlab.base.images import Images, as_array
from latentlab.config.field import declared
from latentlab.config.parts import DataConfig
from latentlab.config.sources import parse
from latentlab.data.sets import Data, ImageSet, cut_by_content

NEARLY = 1e-3  # by which floats may leave [0, 1], as resizing makes them do


def load_npz(config: DataConfig) -> Data:
    """The `images` and, where there are any, `labels` of an .npz file, split by the content of the images. Raises LabError."""
    path = parse(config.spec).path
    assert path is not None, config.spec  # noqa: S101 - a fault of ours, not the user's
    if config.image_size is not None or config.channels != "auto":
        raise refusal("data.image_size and data.channels", "left out with arrays, which are taken as they are", config.spec)
    arrays = read_npz(path, f"data {path}")
    images = as_bytes(arrays["images"], f"images in {path}")
    sides = declared("data", DataConfig)["data.image_size"]
    if images.shape[1] != images.shape[2] or not sides.fits(images.shape[1]):
        must_be = f"square, of {sides.minimum} to {sides.maximum} pixels a side"
        raise refusal(f"images in {path}", must_be, list(images.shape), "Resize them.")
    labels, names = classes(arrays.get("labels"), len(images), f"labels in {path}")
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    known = "" if labels is None else hashlib.sha256(labels.tobytes()).hexdigest()
    content = f"arrays {images.shape} {hashlib.sha256(''.join(digests).encode()).hexdigest()} {known} {names}"
    return cut_by_content(config, images, labels, names, digests, content)


def read_npz(path: Path, name: str) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file, `images` among them. Raises LabError that calls the file `name`."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as found:
            arrays = {key: found[key] for key in ("images", "labels") if key in found.files}
    except (OSError, ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise LabError(f"{name} cannot be read ({why}). Write it with numpy.savez(file, images=…, labels=…).") from None
    if "images" not in arrays:
        raise refusal(name, "an .npz file with an array `images`, uint8 [N, H, W, C]", str(path))
    return arrays


def as_bytes(images: Any, name: str = "images") -> Images:
    """Images uint8, or floats in [0, 1], [N, H, W] or [N, H, W, C], as uint8 [N, H, W, C]. Raises LabError, naming the mending."""
    array = as_array(images)
    must_be = "uint8, or floats from 0 to 1, of shape [N, H, W] or [N, H, W, C] with C = 1 or 3"
    got = f"{array.dtype} {list(array.shape)}"
    if array.ndim == 4 and array.shape[1] in (1, 3) and array.shape[3] not in (1, 3):
        raise refusal(name, must_be, got, "The channels come last: images.transpose(0, 2, 3, 1).")
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[3] not in (1, 3) or array.dtype.kind not in "uif":
        raise refusal(name, must_be, got)
    if array.dtype == np.uint8 or not array.size:
        return np.ascontiguousarray(array, np.uint8)
    if not np.isfinite(array).all():
        raise refusal(name, must_be, "NaN or infinity", "Mend or remove those images.")
    low, high = float(array.min()), float(array.max())
    span = f"{array.dtype} from {low:.4g} to {high:.4g}"
    if array.dtype.kind != "f":
        raise refusal(name, must_be, span, "If they are bytes: images.astype('uint8').")
    if low < -NEARLY or high > 1 + NEARLY:
        remedy = "If they are bytes: (images / 255)." if high > 1 + NEARLY else "If they are from -1 to 1: (images + 1) / 2."
        raise refusal(name, must_be, span, remedy)
    scaled: Images = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    return scaled


def classes(labels: Any, count: int, name: str = "labels") -> tuple[NDArray[np.int64] | None, tuple[str, ...] | None]:
    """Labels [N], integers or words, as numbers from 0 and the names of the classes in their order. Raises LabError."""
    if labels is None:
        return None, None
    array = as_array(labels)
    if array.shape != (count,) or array.dtype.kind not in "iuU":
        raise refusal(name, f"integers or words, one for each of the {count} images", f"{array.dtype} {list(array.shape)}")
    names, numbers = np.unique(array, return_inverse=True)
    return numbers.astype(np.int64), tuple(map(str, names))


def spec_of(data: Any) -> str:
    """The SPEC of what Python was given as data: a SPEC or a path, images, (images, labels), an `ImageSet`, a torch data set.

    Images are kept in the cache as an .npz file that is named by its content. Raises LabError.
    """
    if isinstance(data, str):
        return data
    if isinstance(data, Path):
        return f"npz:{data}" if data.suffix == ".npz" else f"folder:{data}"
    if isinstance(data, ImageSet):
        return _kept(data.images, data.labels)
    if isinstance(data, tuple) and len(data) == 2:
        return _kept(as_bytes(data[0], "data"), data[1])
    if hasattr(data, "__array__") or isinstance(data, list):
        return _kept(as_bytes(data, "data"), None)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, Mapping):
        return _kept(*_read_through(data))
    raise refusal("data", "a SPEC, a path, an array of images, (images, labels), an ImageSet or a torch Dataset", type(data).__name__)


def _kept(images: Images, labels: Any) -> str:
    arrays: dict[str, Any] = {"images": images}
    if labels is not None:
        classes(labels, len(images))
        own = as_array(labels)
        arrays["labels"] = own.astype(np.int64 if own.dtype.kind in "iu" else str)
    digest = hashlib.sha256(repr([(key, value.dtype.str, value.shape) for key, value in arrays.items()]).encode())
    for value in arrays.values():
        digest.update(np.ascontiguousarray(value).tobytes())
    path = cache_folder() / "arrays" / f"array-{digest.hexdigest()[:16]}.npz"
    if not path.is_file():
        content = io.BytesIO()
        np.savez(content, **arrays)
        replace_bytes(path, content.getvalue())
    return f"npz:{path}"


def _read_through(data: Any) -> tuple[Images, list[Any] | None]:
    """Every item of a torch data set, read once: an image, or (image, label)."""
    if not len(data):
        raise refusal("data", "a data set with images", "one without")
    items = [data[row] for row in range(len(data))]
    first, again = (_image(item) for item in (items[0], data[0]))
    if not np.array_equal(first, again):
        raise refusal("data", "a data set that gives the same image each time", "one that augments", "Give it without random transforms.")
    images = [_image(item) for item in items]
    if len({(image.shape, image.dtype) for image in images}) > 1:
        raise refusal("data", "images of one size", "several", "Resize them, as with torchvision.transforms.Resize.")
    labels = [item[1] for item in items if isinstance(item, tuple | list) and len(item) > 1]
    return as_bytes(np.stack(images), "data"), labels if len(labels) == len(items) else None


def _image(item: Any) -> NDArray[Any]:
    """The image of an item, [H, W] or [H, W, C]; a tensor's channels come first there, as torchvision has them."""
    image = item[0] if isinstance(item, tuple | list) else item
    array = as_array(image)
    is_tensor = hasattr(image, "detach") and array.ndim == 3 and array.shape[0] in (1, 3)
    return array.transpose(1, 2, 0) if is_tensor else array

"""HTML in small pieces. What a function here returns is safe to put into a page; what it takes as text it escapes."""

from __future__ import annotations

import base64
import html
import io
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from latentlab.base.errors import LabError
from latentlab.base.images import compressed

_VOID = {"img", "input", "meta", "br"}


def escape(words: object) -> str:
    """A text as HTML, also inside an attribute."""
    return html.escape(str(words), quote=True)


def tag(element: str, /, *children: str, **attributes: object) -> str:
    """An element with children that are HTML already. Attribute values are escaped here; `class_` is class, `_` is -.

    A True attribute stands alone, a None or False one is left out.
    """
    parts = [element]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        parts.append(written if value is True else f'{written}="{escape(value)}"')
    head = f"<{' '.join(parts)}>"
    return head if element in _VOID else f"{head}{''.join(children)}</{element}>"


def data_uri(content: bytes, kind: str = "image/png") -> str:
    """Bytes as an address that asks nobody for anything."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def image(path: Path, alt: str, **attributes: object) -> str:
    """An image file inside the page, with its size so that nothing moves while it is read."""
    with Image.open(path) as file:
        width, height = file.size
    return tag("img", src=data_uri(path.read_bytes()), alt=alt, width=width, height=height, **attributes)


def small_picture(path: Path) -> str:
    """A picture file as a data URI of a fraction of its size, with losses that are hardly seen."""
    return _read_small(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4096)
def _read_small(path: Path, changed: int) -> str:
    """Read once for both languages of a page. Raises LabError for a file that is no whole picture."""
    try:
        with Image.open(path) as file:
            return _small(file)
    except (UnidentifiedImageError, SyntaxError, OSError) as error:
        raise LabError(f"{path} is damaged ({type(error).__name__}). Delete it: the page is then written without that grid.") from None


def small_pixels(pixels: NDArray[np.uint8]) -> str:
    """Pixels uint8 [H, W, 1 or 3] as `small_picture` writes a file."""
    return _small(Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def small_bytes(content: bytes) -> str:
    """The bytes of a picture file as `small_picture` writes one."""
    with Image.open(io.BytesIO(content)) as file:
        return _small(file)


def _small(picture: Image.Image) -> str:
    content, kind = compressed(picture)
    return data_uri(content, f"image/{kind}")


def embedded_json(value: object, **attributes: object) -> str:
    """Data for a script inside the page; "<" is written so that no element can end or begin in it."""
    content = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return tag("script", content, type="application/json", **attributes)


def table(head: list[str], groups: list[tuple[str, list[list[str]]]], caption: str) -> str:
    """A table of HTML cells whose first column names the row; `groups` are (title, rows), a title of "" is not shown.

    The roles say again what the elements are, because narrow screens lay the rows out anew.
    """
    top = tag("tr", *(tag("th", cell, scope="col", role="columnheader") for cell in head), role="row")
    bodies = []
    for title, rows in groups:
        lines = (
            [tag("tr", tag("th", title, colspan=len(head), scope="rowgroup", role="rowheader"), class_="group", role="row")]
            if title
            else []
        )
        for label, *cells in rows:
            shown = [tag("td", cell, role="cell") for cell in cells]
            lines.append(tag("tr", tag("th", label, scope="row", role="rowheader"), *shown, role="row"))
        bodies.append(tag("tbody", *lines, role="rowgroup"))
    inner = tag("caption", caption) + tag("thead", top, role="rowgroup") + "".join(bodies)
    return tag("table", inner, role="table", style=f"--columns: {len(head) - 1}")


# What both languages of a page need is in the file once: the store that the page's scripts read.
#
# A page has one tree of elements for each language. The first tree holds a picture itself, so that it is seen without
# JavaScript; in the others it is named, and filled in when its tree is first shown.


class Shared:
    """Values and pictures by id. Equal ones have one id and are written once."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}  # content: id
        self._values: dict[str, str] = {}  # id: JSON
        self._shown: set[str] = set()  # ids of pictures that an element of the page holds

    def put_json(self, value: Any) -> str:
        """The id of a value that JSON can hold. Raises ValueError for NaN and infinities, which it cannot."""
        return self._put(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")))

    def put_image(self, data_uri: str) -> str:
        """The id of a picture that only a script shows (the store has its data URI)."""
        return self._put(json.dumps(data_uri))

    def image(self, data_uri: str, alt: str, **attributes: object) -> str:
        """An element that shows a picture: with the picture itself the first time, then with its id as `data-shared`."""
        found = self.put_image(data_uri)
        if found in self._shown:
            return tag("img", data_shared=found, alt=alt, **attributes)
        self._shown.add(found)
        return tag("img", src=data_uri, data_picture=found, alt=alt, **attributes)

    def script(self) -> str:
        """The store as an element, to be written once, after everything that puts into it."""
        held = ",".join(f'"{name}":{value}' for name, value in self._values.items() if name not in self._shown)
        return '<script type="application/json" id="shared">{' + held.replace("<", "\\u003c") + "}</script>"

    def _put(self, content: str) -> str:
        name = self._ids.setdefault(content, f"s{len(self._ids)}")
        self._values[name] = content
        return name

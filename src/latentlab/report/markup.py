"""HTML in small pieces. What a function here returns is safe to put into a page; what it takes as text it escapes."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

from PIL import Image

_VOID = {"img", "input", "meta", "br"}
_SHADES = 16


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
    """A sample grid as a data URI about a third of its size: 16 shades of grey, or JPEG where there are colours."""
    buffer = io.BytesIO()
    with Image.open(path) as file:
        if file.mode == "L":
            last = _SHADES - 1
            shades = Image.frombytes("P", file.size, file.point([round(value * last / 255) for value in range(256)]).tobytes())
            shades.putpalette([round(shade * 255 / last) for shade in range(_SHADES) for _ in range(3)])
            shades.save(buffer, "PNG", bits=4)
            return data_uri(buffer.getvalue())
        file.convert("RGB").save(buffer, "JPEG", quality=85)
    return data_uri(buffer.getvalue(), "image/jpeg")


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

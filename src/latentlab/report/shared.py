"""What both languages of a page need is in the file once: the store that the page's scripts read.

A page has one tree of elements for each language. The first tree holds a picture itself, so that it is seen without
JavaScript; in the others it is named, and filled in when its tree is first shown.
"""

from __future__ import annotations

import json
from typing import Any

from latentlab.report.markup import tag


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

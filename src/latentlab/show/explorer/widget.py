"""The explorer in a notebook: an anywidget where one can run, else a picture of it. No torch.

One mimebundle holds both and a line of text. The picture is what a page without a kernel shows: a repository's, a printed one.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentlab.base.errors import LabError
from latentlab.base.images import as_png, grid
from latentlab.base.texts import text
from latentlab.runs.folder import RunFolder
from latentlab.show import bundle, explorer
from latentlab.show.explorer.codes import class_plane, widest_plane
from latentlab.show.explorer.content import explorer_content, explorer_words
from latentlab.show.figures import style
from latentlab.show.figures.latent import scatter, thinned
from latentlab.show.figures.records import class_names, last_samples, read_codes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS, SIDE = 1_500, 6  # codes in the picture, and samples along a side of each grid
DPI, COLOURS = 100, 128  # a notebook that is kept should stay small


class Explorer:
    """Some runs' latent spaces to walk through; a notebook shows it when it stands last in a cell, in `lang`.

    `runs` are folders by name. With `drawing` there is a pad, and the encoders read what is drawn on it. `left_out` says what
    could not be shown and why. Raises LabError where nothing is left, and for a language that there is not.
    """

    def __init__(self, runs: Mapping[str, RunFolder], lang: str = "en", drawing: bool = True) -> None:
        self.runs, self.lang, self.words = dict(runs), lang, explorer_words(lang)
        self.left_out: list[str] = []
        # In 16 bits: the kernel is near, and small integers take seconds to be chosen.
        self.content = explorer_content(self.runs, precision="fp16", say=self.left_out.append, encoders=drawing)
        if not self.content["models"]:
            raise LabError(" ".join(self.left_out) or "there must be at least one run to explore. Got none.")

    def __repr__(self) -> str:
        return f"Explorer({', '.join(map(self._name, self.content['models']))})"

    @property
    def z(self) -> NDArray[np.float32] | None:
        """The z [Z] of the point that the reader has chosen, which all models share; None where no widget was shown."""
        return self._point("z")

    @property
    def code(self) -> NDArray[np.float32] | None:
        """The same as a code [Z] of the map's model: `run.decode(explorer.code[None])` draws it."""
        return self._point("code")

    def _point(self, part: str) -> NDArray[np.float32] | None:
        point = self.widget.point if self.widget is not None else {}
        return np.array(point[part], np.float32) if point else None

    @cached_property
    def widget(self) -> Any:
        """The anywidget, or None where anywidget is not installed. The content goes over as bytes, once."""
        try:
            import anywidget
            from traitlets import Bytes, Dict, Unicode
        except ImportError:
            return None
        kind = type(
            "LatentlabExplorer",
            (anywidget.AnyWidget,),
            {
                "_esm": explorer.module() + bundle.text("explorer", "widget.js"),
                "_css": explorer.style() + explorer.themes() + bundle.text("explorer", "widget.css"),
                "content": Bytes().tag(sync=True),
                "words": Dict().tag(sync=True),
                "lang": Unicode().tag(sync=True),
                "point": Dict().tag(sync=True),  # {"z" [Z], "code" [Z]}, told by the page
            },
        )
        return kind(content=json.dumps(self.content).encode(), words=self.words, lang=self.lang)

    def picture(self) -> bytes:
        """PNG: the codes of held-out images where a run has some, and samples of every run."""
        models, maps = self.content["models"], self.content["maps"]
        figure = style.blank(max(6.4, 2.1 * len(models) + 3.2 * bool(maps)), 3.1, w_pad=0.08)
        panels: list[Axes] = list(
            figure.subplots(1, len(models) + bool(maps), squeeze=False, width_ratios=[1.5] * bool(maps) + [1] * len(models))[0]
        )
        titles = [self._name(model) for model in models]
        if maps:
            name = next(iter(maps))
            self._map(panels[0], self.runs[name])
            shown = next(model for model in models if model["name"] == name)
            titles.insert(0, text("explorer.map.codes", self.lang, name=self._name(shown)))
        for panel, model in zip(panels[bool(maps) :], models, strict=True):
            images = last_samples(self.runs[model["name"]])[: SIDE * SIDE]
            sheet = grid(images, SIDE, gap=1) if len(images) else np.zeros((1, 1, 1), np.uint8)
            panel.imshow(sheet.squeeze(2) if sheet.shape[2] == 1 else sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        for panel, title in zip(panels, titles, strict=True):
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
            panel.set_title(title, fontsize=10.5, color=style.INK)
        told = "notebook.explorer.still" if self.widget is not None else "notebook.explorer.none"
        figure.supxlabel(text(told, self.lang), fontsize=8.5, color=style.SOFT)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=DPI)
        return as_png(Image.open(drawn).convert("RGB").quantize(COLOURS), optimize=True)

    def _name(self, model: Mapping[str, Any]) -> str:
        return str(model["label"] or self.words[f"model.{model['kind']}"])

    @staticmethod
    def _map(panel: Axes, folder: RunFolder) -> None:
        """The codes on the plane that the explorer begins with."""
        codes = read_codes(folder)
        if codes is None:
            return
        by_class = None if codes.label is None else class_plane(codes.mean, codes.label)
        mean, label = thinned(codes, POINTS)
        scatter(panel, mean @ (widest_plane(codes.mean) if by_class is None else by_class).T, label, class_names(folder))
        panel.set_aspect("equal", adjustable="datalim")

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget's view, the picture, and a line of text: a page shows the first that it can."""
        own = {"image/png": base64.b64encode(self.picture()).decode(), "text/plain": repr(self)}
        shown = None if self.widget is None else self.widget._repr_mimebundle_()
        view, metadata = shown if isinstance(shown, tuple) else (shown or {}, {})  # anywidget before 0.9.10: no pair
        return {**view, **own}, metadata

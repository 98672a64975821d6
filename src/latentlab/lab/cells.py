"""The cells of a sweep: one configuration each, with the name of its folder."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from latentlab.base.errors import LabError, refusal
from latentlab.config.field import ROLES, written
from latentlab.config.fitting import unplaced
from latentlab.config.layers import parameter_count
from latentlab.config.networks import networks
from latentlab.config.parts import every_field
from latentlab.config.presets import preset
from latentlab.config.schema import Config
from latentlab.data import Data
from latentlab.measure.compare.groups import WHERE
from latentlab.runs.folder import RunFolder, open_folder
from latentlab.train.origin import init_origin
from latentlab.train.start import MOST_PARAMETERS, adopt_decoder, as_config, settle

NAME_CHARACTERS = 120  # of a folder's name; file systems allow 255 bytes


@dataclass(frozen=True)
class Cell:
    """One run of a sweep. `changes` are the fields that were given, with this cell's values.

    What `grows` may be shorter in its folder, and is then taken on to the length that it has here.
    """

    name: str
    path: Path
    config: Config
    changes: Mapping[str, Any]
    grows: bool = False

    @classmethod
    def planned(cls, preset_name: str, name: str, changes: Mapping[str, Any], out: Path) -> Cell:
        """The run of a preset with these changes, in a folder below `out`."""
        return cls(name, out / name, init_origin(adopt_decoder(as_config(preset_name, **changes))), changes)

    @classmethod
    def of(cls, path: Path, config: Config) -> Cell:
        """The run of a whole configuration: what it has otherwise than its preset are the changes."""
        found = config.differs(unplaced(preset(config.preset), config))
        return cls(path.name, path, config, {name: value for name, (value, _) in found.items()})

    def shortened(self, share: float) -> Cell:
        """The same run at a share of its length."""
        train = self.config.train
        length = {"train.epochs": share * train.epochs} if train.steps is None else {"train.steps": math.ceil(share * train.steps)}
        return replace(self, config=self.config.replace(**length), changes={**self.changes, **length})

    def further(self) -> list[str]:
        """What takes the run in the folder on to its length here, for `latentlab resume`; nothing where it has that."""
        if not self.grows:
            return []
        there, here = RunFolder(self.path).config().train, self.config.train
        if here.steps is not None:
            return [f"--steps={here.steps}"] if (there.steps or 0) < here.steps else []
        return [f"--epochs={here.epochs}"] if there.epochs < here.epochs else []

    @property
    def reads(self) -> list[Path]:
        """The runs that this one starts from."""
        return [Path(source) for source in self.config.values({"origin"}).values() if source]

    @property
    def log(self) -> Path:
        """What its processes say, beside its folder."""
        return self.path.with_name(self.path.name + ".log")

    def options(self) -> list[str]:
        """The options of `latentlab train` that make this cell."""
        return [f"--{name.replace('_', '-')}={written(value)}" for name, value in self.changes.items()]

    def check(self, data: Data) -> None:
        """Raise LabError when the cell cannot be trained on `data`, or its folder holds another run or anything else."""
        config = settle(self.config, data)
        total = sum(parameter_count(layers) for layers in networks(config.model, data.shape).values())
        if total > MOST_PARAMETERS:
            raise refusal(f"the networks of {self.name}", f"of at most {MOST_PARAMETERS:,} parameters", total, "Use smaller ones.")
        for source in self.reads:
            if tuple(open_folder(source).environment().get("image_shape", data.shape)) != data.shape:
                origin = "--init-from" if config.train.init_from else "--generator-from"
                raise refusal(origin, f"a run on images of {' x '.join(map(str, data.shape))}, as --data is", str(source))
        self._refuse_others(config)

    def _refuse_others(self, config: Config) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise LabError(f"{self.path} must be a folder or nothing. It is a file. Name another --out.")
        if not self.path.exists() or not any(self.path.iterdir()):
            return
        if not (self.path / "config.json").exists():
            raise LabError(f"{self.path} must hold a run of this sweep, but it holds none. Move it away, or name another --out.")
        roles = ROLES - WHERE - ({"length"} if self.grows else set())
        for name, (value, other) in config.differs(RunFolder(self.path).config(), roles).items():
            raise LabError(f"{self.path} must have {name} {value!r} for this sweep. It has {other!r}. Name another --out.")


def refuse_lists(grid: Mapping[str, Sequence[Any]]) -> None:
    """Raise LabError for a list of values of a field that must be the same for all."""
    for name, values in grid.items():
        if every_field()[name].role in WHERE and len(values) > 1:
            raise refusal(name, "one value for the whole sweep: it says where runs train, not what they are", list(values))
        if name.startswith("data.") and len(values) > 1:
            raise refusal(name, "one value for the whole sweep: runs on unlike data cannot be compared", list(values))


def combinations(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination of the values of `grid`, seeds last."""
    ordered = dict(sorted(grid.items(), key=lambda item: item[0] == "train.seed"))
    return [dict(zip(ordered, values, strict=True)) for values in itertools.product(*ordered.values())]


def cells(preset_name: str, grid: Mapping[str, Sequence[Any]], out: Path, chosen: Sequence[dict[str, Any]] | None = None) -> list[Cell]:
    """Combinations of the values of `grid`, by default all. Raises LabError for a value out of bounds or without its fellows."""
    combined = combinations(grid) if chosen is None else chosen
    swept = [name for name, values in grid.items() if len(values) > 1 and name != "train.seed"]
    names = distinct([cell_name(changes, swept, preset(preset_name).train.seed) for changes in combined])
    grid_cells = [Cell.planned(preset_name, name, changes, out) for name, changes in zip(names, combined, strict=True)]
    if any(cell.config.data != grid_cells[0].config.data for cell in grid_cells):
        raise LabError("the runs of a sweep must share their data, but those that --generator-from names do not. Give --data.")
    return grid_cells


def cell_name(changes: Mapping[str, Any], swept: Sequence[str], seed: int) -> str:
    """A folder name such as "latent_dim-8-seed-1"."""
    parts = [f"{every_field()[name].leaf}-{_slug(changes[name])}" for name in swept] + [f"seed-{changes.get('train.seed', seed)}"]
    return "-".join(parts)[-NAME_CHARACTERS:].lstrip("-.")


def _slug(value: Any) -> str:
    words = "x".join(map(str, value)) or "none" if isinstance(value, tuple | list) else written(value)
    words = words.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9.+_-]+", "-", words).strip("-.") or "none"


def distinct(names: Sequence[str]) -> list[str]:
    """Names of which each is found once: later ones of the same letters, large or small, get a number."""
    taken: set[str] = set()
    unique = []
    for name in names:
        number, new = 1, name
        while new.lower() in taken:
            number += 1
            new = f"{name}-{number}"
        taken.add(new.lower())
        unique.append(new)
    return unique


def plain(value: Any) -> Any:
    """A value as JSON holds it."""
    return list(value) if isinstance(value, tuple) else value

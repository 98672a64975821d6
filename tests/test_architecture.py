"""docs/architecture.md names only what is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import latentlab

HOME = Path(latentlab.__file__).parent
TEXT = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
TOLD = re.sub(r"^```.*?^```", "", TEXT, flags=re.MULTILINE | re.DOTALL)
ROOMS = dict(re.findall(r"^\| `(\w+)/` \| (.*) \|$", TEXT, re.MULTILINE))  # what stands in them is named without the room
PLACE = re.compile(r"`((?:\w+/)*(?:\w+/|\w+\.py))`")
INSIDE = [f"{room}/{name}" for room, told in ROOMS.items() for name in PLACE.findall(told) if not (HOME / name).is_file()]
PLACES = sorted({*INSIDE, *PLACE.findall(re.sub(r"^\|.*$", "", TOLD, flags=re.MULTILINE))})
# A file, then names that it defines: `train/loop.py` `step`
NAMED = re.findall(r"`([\w/]+\.py)`((?:(?: |\n +|, | and | \(or )`\w+`)+)", TOLD)


def defined(path: Path) -> set[str]:
    """Every function, class and constant that a file defines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return names | {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def test_there_is_something_to_check() -> None:
    assert len(PLACES) > 10
    assert len(NAMED) > 20


@pytest.mark.parametrize("place", PLACES)
def test_every_folder_and_file_is_there(place: str) -> None:
    assert (HOME / place).exists() or (HOME.parents[1] / place).exists()


@pytest.mark.parametrize(("file", "names"), NAMED)
def test_every_name_is_in_its_file(file: str, names: str) -> None:
    assert set(re.findall(r"`(\w+)`", names)) <= defined(HOME / file)


def test_the_rooms_are_those_of_the_package() -> None:
    rooms = {path.name for path in HOME.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert set(ROOMS) == rooms
    assert len(rooms) == 12

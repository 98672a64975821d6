"""Abstract pictures, drawn: for who has no folder of pictures at hand. Each depends on (seed, its number) alone."""

from __future__ import annotations

import colorsys
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from latentlab.base.errors import refusal
from latentlab.base.files import replace_with
from latentlab.base.seeding import numpy_generator

Random = np.random.Generator
Colour = tuple[int, int, int]
MOST, SMALLEST, LARGEST = 100_000, 16, 1024
SUPERSAMPLED = 2  # drawn so many times as large, for edges without steps


def draw_pictures(out: Path, count: int, size: int, seed: int) -> Iterator[Path]:
    """Write `count` square pictures of `size` pixels into a new or empty folder. Raises LabError for another one."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise refusal("out", "a new or an empty folder", str(out), "Name another: nothing is lost here.")
    out.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path, picture = out / f"art-{number:05d}.png", draw_picture(seed, number, size)
        replace_with(path, lambda beside, picture=picture: picture.save(beside, "PNG"))  # type: ignore[misc]
        yield path


def draw_picture(seed: int, number: int, size: int) -> Image.Image:
    """The picture of a number, RGB of size x size: one of five manners, in a palette of its own, on a ground that is not flat."""
    random = numpy_generator(seed, "art", number)
    side = SUPERSAMPLED * size
    colours = palette(random)
    picture = ground(random, side, colours[0], colours[1])
    MANNERS[int(random.integers(len(MANNERS)))](random, picture, colours[2:])
    picture = picture.resize((size, size), Image.Resampling.LANCZOS)
    grain = random.normal(0, random.uniform(0, 6), (size, size, 1))  # of canvas or paper
    return Image.fromarray((np.asarray(picture) + grain).round().clip(0, 255).astype(np.uint8))


def palette(random: Random) -> list[Colour]:
    """Seven colours that go together: of neighbouring, opposite or three equally distant hues."""
    first = random.random()
    apart = [(0, 0.06, 0.12), (0, 0.5, 0.06), (0, 1 / 3, 2 / 3)][int(random.integers(3))]
    strong, light = random.uniform(0.25, 0.95), random.uniform(0.35, 0.95)
    colours = []
    for _ in range(7):
        hue = (first + apart[int(random.integers(3))] + random.normal(0, 0.02)) % 1
        saturation, value = random.normal(strong, 0.2), random.normal(light, 0.25)
        shade = colorsys.hsv_to_rgb(hue, float(np.clip(saturation, 0, 1)), float(np.clip(value, 0.08, 1)))
        red, green, blue = (round(255 * channel) for channel in shade)
        colours.append((red, green, blue))
    return colours


def ground(random: Random, side: int, one: Colour, other: Colour) -> Image.Image:
    """A ground that passes from one colour to another in some direction, clouded."""
    turn = random.uniform(0, 2 * math.pi)
    rows, columns = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
    along = (columns - 0.5) * math.cos(turn) + (rows - 0.5) * math.sin(turn) + 0.5
    clouds = Image.fromarray((255 * random.random((6, 6))).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    share = np.clip(along + random.uniform(0, 0.6) * (np.asarray(clouds) / 255 - 0.5), 0, 1)[..., None]
    return Image.fromarray(((1 - share) * np.array(one) + share * np.array(other)).astype(np.uint8))


def fields(random: Random, picture: Image.Image, colours: list[Colour]) -> None:
    """Two to four soft fields of colour above each other."""
    side, edges = picture.width, np.sort(random.uniform(0.05, 0.95, int(random.integers(3, 6))))
    mask, layer = Image.new("L", picture.size, 0), picture.copy()
    for index, (top, bottom) in enumerate(itertools.pairwise(edges)):
        left, right = random.uniform(0.04, 0.15), random.uniform(0.85, 0.96)
        box = [round(side * value) for value in (left, top + 0.015, right, max(bottom - 0.015, top + 0.03))]
        ImageDraw.Draw(layer).rectangle(box, fill=colours[index % len(colours)])
        ImageDraw.Draw(mask).rectangle(box, fill=int(random.integers(170, 256)))
    picture.paste(layer, mask=mask.filter(ImageFilter.GaussianBlur(side * random.uniform(0.004, 0.03))))


def shapes(random: Random, picture: Image.Image, colours: list[Colour]) -> None:
    """Circles, triangles and bars that overlap."""
    side = picture.width
    for _ in range(int(random.integers(4, 14))):
        layer, (x, y), reach = picture.copy(), random.uniform(0, side, 2), side * random.uniform(0.04, 0.3)
        draw, colour, turn = ImageDraw.Draw(layer), colours[int(random.integers(len(colours)))], random.uniform(0, 2 * math.pi)
        match int(random.integers(4)):
            case 0:
                draw.ellipse([x - reach, y - reach, x + reach, y + reach], fill=colour)
            case 1:
                draw.ellipse([x - reach, y - reach, x + reach, y + reach], outline=colour, width=max(2, round(reach / 8)))
            case 2:
                corners = [(x + reach * math.cos(turn + k * 2.1), y + reach * math.sin(turn + k * 2.1)) for k in range(3)]
                draw.polygon(corners, fill=colour)
            case _:
                dx, dy = 2 * reach * math.cos(turn), 2 * reach * math.sin(turn)
                draw.line([(x - dx, y - dy), (x + dx, y + dy)], fill=colour, width=max(2, round(reach / random.uniform(3, 12))))
        picture.paste(Image.blend(picture, layer, random.uniform(0.55, 1.0)))


def strokes(random: Random, picture: Image.Image, colours: list[Colour]) -> None:
    """Brush strokes: curves whose width swells and ebbs."""
    side = picture.width
    for _ in range(int(random.integers(12, 45))):
        points = random.uniform(-0.1, 1.1, (4, 2)) * side
        t = np.linspace(0, 1, 240)[:, None]
        curve = (1 - t) ** 3 * points[0] + 3 * t * (1 - t) ** 2 * points[1] + 3 * t**2 * (1 - t) * points[2] + t**3 * points[3]
        width, colour = side * random.uniform(0.006, 0.045), colours[int(random.integers(len(colours)))]
        draw = ImageDraw.Draw(picture)
        for (x, y), swell in zip(curve, np.sin(np.pi * t[:, 0]) + 0.15, strict=True):
            draw.ellipse([x - width * swell, y - width * swell, x + width * swell, y + width * swell], fill=colour)


def waves(random: Random, picture: Image.Image, colours: list[Colour]) -> None:
    """Bands between the levels of a sum of waves that warp each other."""
    side = picture.width
    rows, columns = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
    level = np.zeros((side, side))
    for _ in range(4):
        turn, often, phase = random.uniform(0, 2 * math.pi), random.uniform(2, 9), random.uniform(0, 2 * math.pi)
        level += np.sin(often * (columns * math.cos(turn) + rows * math.sin(turn)) + phase + 0.8 * level)
    bands = np.digitize(level, np.quantile(level, np.sort(random.uniform(0.1, 0.95, len(colours)))))
    painted = np.asarray(picture).copy()
    for index, colour in enumerate(colours, 1):
        painted[bands == index] = colour
    picture.paste(Image.fromarray(painted))


def grid(random: Random, picture: Image.Image, colours: list[Colour]) -> None:
    """Black lines across, some of the boxes between them filled."""
    side, draw = picture.width, ImageDraw.Draw(picture)
    xs, ys = (np.sort(random.uniform(0, side, int(random.integers(2, 6)))) for _ in range(2))
    columns, rows = [0.0, *xs, float(side)], [0.0, *ys, float(side)]
    for left, right in itertools.pairwise(columns):
        for top, bottom in itertools.pairwise(rows):
            if random.random() < 0.45:
                draw.rectangle([left, top, right, bottom], fill=colours[int(random.integers(len(colours)))])
    dark, width = (int(random.integers(0, 60)),) * 3, max(2, round(side * random.uniform(0.006, 0.025)))
    for x in xs:
        draw.line([(x, 0), (x, side)], fill=dark, width=width)
    for y in ys:
        draw.line([(0, y), (side, y)], fill=dark, width=width)


MANNERS: tuple[Callable[[Random, Image.Image, list[Colour]], None], ...] = (fields, shapes, strokes, waves, grid)

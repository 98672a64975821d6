"""Pictures and codes from a trained run: sample, reconstruct, interpolate, traverse, encode."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.base.errors import LabError, refusal
from latentlab.cli.parser import Parser, integers, number, whole
from latentlab.runs.folder import open_folder

if TYPE_CHECKING:
    from latentlab.train import Run


def _open(path: str) -> Run:
    open_folder(path)  # a missing run is refused before torch is loaded
    from latentlab.train import open_run

    return open_run(path)


def _target(text: str | None, endings: tuple[str, ...]) -> Path:
    if text is None:
        raise LabError(f"--out must be a file that ends in {' or '.join(endings)}. Got none. Name one, such as --out picture{endings[0]}.")
    path = Path(text)
    if path.suffix.lower() not in endings:
        raise refusal("--out", f"a file that ends in {' or '.join(endings)}", text)
    if path.is_dir() or (path.parent.exists() and not path.parent.is_dir()):
        raise refusal("--out", "a file in a folder, not a folder itself", text)
    return path


def _finish(path: Path) -> int:
    print(path)
    return 0


def _save_arrays(path: Path, arrays: dict[str, Any]) -> None:
    import numpy as np

    from latentlab.base.files import replace_with

    def write(beside: Path) -> None:
        with open(beside, "wb") as file:
            np.savez_compressed(file, **arrays)

    replace_with(path, write)


def command_sample(arguments: list[str]) -> int:
    """New images."""
    parser = Parser("sample", "Draw new images. Image i depends on (seed, i) alone. An AE draws from a Gaussian fitted to its codes.")
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--count", default="64", metavar="N", help="how many (64)")
    parser.add_argument("--seed", default="0", metavar="S", help="seed of z (0)")
    parser.add_argument("--label", metavar="K", help="class, for a conditional run")
    parser.add_argument("--prior", default="standard", metavar="standard|gmm", help="gmm: a mixture fitted to held-out codes (standard)")
    parser.add_argument("--truncation", metavar="T", help="bring each component of z into [-T, T]: more typical images, less varied")
    parser.add_argument("--out", metavar="FILE", help=".png grid, or .npz with images uint8 [N, H, W, C]")
    found = parser.parse(arguments)
    out = _target(found.out, (".png", ".npz"))
    count, seed = whole(found.count, "--count", 1, 1_000_000), whole(found.seed, "--seed", 0, 2**31 - 1)
    label = whole(found.label, "--label") if found.label is not None else None
    truncation = number(found.truncation, "--truncation", above=0) if found.truncation is not None else None
    if found.prior not in ("standard", "gmm"):
        raise refusal("--prior", "one of standard, gmm", found.prior)
    if out.suffix.lower() == ".png" and count > 10_000:
        raise refusal("--count", "at most 10000 in a .png", count, "Use --out FILE.npz for more.")
    images = _open(found.run).sample(count, seed, label, found.prior, truncation)
    if out.suffix.lower() == ".npz":
        _save_arrays(out, {"images": images})
    else:
        from latentlab.base.images import grid, save_png

        save_png(grid(images), out, zoom=2)
    return _finish(out)


def _picture(parser: Parser, arguments: list[str], draw: Callable[[Run, argparse.Namespace], tuple[Any, int]]) -> int:
    parser.add_argument("--out", metavar="FILE.png", help="where the picture goes")
    found = parser.parse(arguments)
    out = _target(found.out, (".png",))
    images, columns = draw(_open(found.run), found)
    from latentlab.base.images import grid, save_png

    save_png(grid(images, columns), out, zoom=2)
    return _finish(out)


def command_reconstruct(arguments: list[str]) -> int:
    """Held-out images above their reconstructions."""
    parser = Parser("reconstruct", "Images above their reconstructions (AE, VAE).")
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--split", default="test", metavar="train|val|test")
    parser.add_argument("--count", default="32", metavar="N", help="how many images (32)")

    def draw(run: Run, found: argparse.Namespace) -> tuple[Any, int]:
        import numpy as np

        from latentlab.base.images import interleave

        count = whole(found.count, "--count", 1, 10_000)
        split = _split(run, found.split)
        images = split.take(np.arange(min(count, len(split))))
        columns = min(8, len(images))
        return interleave([images, run.reconstruct(images)], columns), columns

    return _picture(parser, arguments, draw)


def _split(run: Run, split: str) -> Any:
    if split not in ("train", "val", "test"):
        raise refusal("--split", "one of train, val, test", split)
    run.need_encoder("encode")
    return getattr(run.data(), split)


def command_interpolate(arguments: list[str]) -> int:
    """The way between two codes."""
    parser = Parser("interpolate", "Images on the way between two z (from seeds), or between two test images (AE, VAE).")
    parser.add_argument("run", metavar="RUN")
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--seeds", metavar="A,B", help="two seeds of z (0,1)")
    ends.add_argument("--indices", metavar="I,J", help="two images of the test split")
    parser.add_argument("--steps", default="8", metavar="N", help="images on the way, both ends included (8)")

    def draw(run: Run, found: argparse.Namespace) -> tuple[Any, int]:
        steps = whole(found.steps, "--steps", 2, 1000)
        if found.indices is None:
            a, b = integers(found.seeds or "0,1", "--seeds", 2)
            if min(a, b) < 0:
                raise refusal("--seeds", "integers of at least 0", found.seeds)
            return run.interpolate(a, b, steps), steps
        test = _split(run, "test")
        pair = integers(found.indices, "--indices", 2)
        if not all(0 <= i < len(test) for i in pair):
            raise refusal("--indices", f"from 0 to {len(test) - 1}, images of the test split", found.indices)
        import numpy as np

        images = test.take(np.array(pair))
        return run.interpolate(images[0], images[1], steps), steps

    return _picture(parser, arguments, draw)


def command_traverse(arguments: list[str]) -> int:
    """Each latent unit moved alone."""
    parser = Parser("traverse", "One row for each latent unit, moved alone around the prior's mean (a GAN: around the z of seed 0).")
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--dims", metavar="I,J,…", help="latent units; default the first ten")
    parser.add_argument("--range", default="2.5", metavar="X", help="how far, in standard deviations (2.5)")
    parser.add_argument("--steps", default="9", metavar="N", help="images in a row (9)")

    def draw(run: Run, found: argparse.Namespace) -> tuple[Any, int]:
        steps = whole(found.steps, "--steps", 2, 1000)
        dims = integers(found.dims, "--dims") if found.dims is not None else None
        return run.traverse(dims, number(found.range, "--range", above=0), steps), steps

    return _picture(parser, arguments, draw)


def command_encode(arguments: list[str]) -> int:
    """Codes of a split."""
    parser = Parser("encode", "Write mean [N, Z], std [N, Z] (VAE) and labels [N] of a split as .npz.")
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--split", default="test", metavar="train|val|test")
    parser.add_argument("--out", metavar="FILE.npz")
    found = parser.parse(arguments)
    out = _target(found.out, (".npz",))
    run = _open(found.run)
    images = _split(run, found.split)
    codes = run.encode(images.images)
    arrays = {"mean": codes.mean}
    if codes.std is not None:
        arrays["std"] = codes.std
    if images.labels is not None:
        arrays["labels"] = images.labels
    else:
        print("latentlab: these images have no labels; the file holds none.", file=sys.stderr)
    _save_arrays(out, arrays)
    return _finish(out)

"""Pictures and codes from a trained run: sample, reconstruct, interpolate, traverse, encode.

`python -m latentlab.cli.draw` holds torch and trained networks, and draws samples for whoever asks on stdin (the studio). A
question is a line of JSON: {"run", "count", "seed", "prior", "truncation"}. The answer is a line of JSON, {"shape", "type"} followed by
the bytes of images uint8 [N, H, W, C] or of points float32 [N, 1, 1, 2], or {"refused"}. It ends when stdin does.
The question {"run", "count", "seed", "game": true} is answered with as many images, half of them held-out ones, and with {"real",
"guessed"}: for each whether it is one, and whether the run's discriminator takes it for one.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.base.errors import LabError, refusal
from latentlab.base.files import check_writable, replace_bytes
from latentlab.base.images import as_arrays, is_point
from latentlab.cli import say
from latentlab.cli.parser import Parser, add_place, add_split, add_trust, add_value
from latentlab.config.networks import classes_of
from latentlab.models.sampling import Prior
from latentlab.runs.folder import open_folder

if TYPE_CHECKING:
    from latentlab.base.images import Images
    from latentlab.train import Run

KEPT = 4  # runs in memory, of those that are drawn from for the studio


def _open(options: argparse.Namespace) -> Run:
    from latentlab.train import open_run

    return open_run(options.run, trust=options.trust)


def _add_run(parser: Parser) -> None:
    parser.add_argument("run", metavar="RUN")
    add_trust(parser)


def _add_label(parser: Parser) -> None:
    add_value(parser, "--label", int, "the class, from 0, of a class-conditional run", metavar="K", minimum=0)


def _need_out(parser: Parser, metavar: str, help: str) -> None:
    parser.need(parser.add_argument("--out", metavar=metavar, help=help))


def _target(options: argparse.Namespace, *endings: str) -> Path:
    """Where the result goes, once the run is known to be there. Raises LabError."""
    open_folder(options.run)
    text = options.out
    if text is None:
        raise LabError(f"--out must be a file that ends in {' or '.join(endings)}. Got none. Name one, such as --out picture{endings[0]}.")
    path = Path(text)
    if path.suffix.lower() not in endings:
        raise refusal("--out", f"a file that ends in {' or '.join(endings)}", text)
    if path.is_dir():
        raise refusal("--out", "a file in a folder, not a folder itself", text)
    check_writable(path)
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


def _save_picture(path: Path, images: Images, scale: int, columns: int | None = None) -> None:
    from latentlab.base.images import grid, save_png
    from latentlab.show.figures.plane import scatter_png

    if is_point(images.shape[1:]):
        replace_bytes(path, scatter_png(images))
    else:
        save_png(grid(images, columns), path, zoom=scale)


def _add_scale(parser: Parser) -> None:
    add_value(parser, "--scale", int, "enlarge a picture so many times, pixel by pixel (2)", 2, minimum=1, maximum=32)


def command_sample(arguments: list[str]) -> int:
    """New images."""
    parser = Parser("sample", "Draw new images. Image i depends on (seed, i) alone. An AE draws from a Gaussian fitted to its codes.")
    _add_run(parser)
    add_value(parser, "--count", int, "how many (64)", 64, minimum=1, maximum=1_000_000)
    add_value(parser, "--seed", int, "seed of z (0)", 0, "S", minimum=0, maximum=2**31 - 1)
    _add_label(parser)
    priors = "fitted: a Gaussian fitted to codes, a VAE's of held-out images, an AE's of training images; gmm: a mixture fitted to held-out"
    add_value(parser, "--prior", Prior, f"{priors} codes (standard)", "standard")
    typical = "bring each component of z into [-T, T]: more typical images, less varied"
    add_value(parser, "--truncation", float, typical, metavar="T", above=0)
    _add_scale(parser)
    _need_out(parser, "FILE", ".png grid, or .npz with images uint8 [N, H, W, C]; of points a scatter, or points float32 [N, 2]")
    options = parser.parse(arguments)
    out = _target(options, ".png", ".npz")
    if out.suffix.lower() == ".png" and options.count > 10_000:
        raise refusal("--count", "at most 10000 in a .png", options.count, "Use --out FILE.npz for more.")
    import numpy as np

    run = _open(options)
    images = run.sample(options.count, options.seed, options.label, options.prior, options.truncation)
    if out.suffix.lower() == ".npz":
        drawn = run.drawn_labels(options.count, options.seed)
        labels = {} if drawn is None else {"labels": drawn if options.label is None else np.full(options.count, options.label)}
        _save_arrays(out, as_arrays(images) | labels)
    else:
        _save_picture(out, images, options.scale)
    return _finish(out)


Drawn = bytes | tuple["Images", int] | tuple["Images", list[str], list[str]]  # a PNG, or images with columns or the labels of both


def _picture(parser: Parser, arguments: list[str], draw: Callable[[Run, argparse.Namespace], Drawn]) -> int:
    _add_scale(parser)
    _need_out(parser, "FILE.png", "where the picture goes")
    options = parser.parse(arguments)
    out = _target(options, ".png")
    match draw(_open(options), options):
        case bytes() as picture:
            replace_bytes(out, picture)
        case images, columns:
            _save_picture(out, images, options.scale, columns)
        case images, _, _ if is_point(images.shape[1:]):
            _save_picture(out, images, options.scale)
        case images, rows, columns:
            from latentlab.show.figures import draw_labelled

            draw_labelled(images, rows, columns, out, "en", options.scale)
    return _finish(out)


def command_reconstruct(arguments: list[str]) -> int:
    """Held-out images above their reconstructions."""
    parser = Parser("reconstruct", "Images above their reconstructions (AE, VAE).")
    _add_run(parser)
    add_split(parser)
    add_place(parser)
    add_value(parser, "--count", int, "how many images (32)", 32, minimum=1, maximum=10_000)

    def draw(run: Run, options: argparse.Namespace) -> Drawn:
        import numpy as np

        from latentlab.base.images import interleave

        split = _split(run, options.split, options.data)
        if options.count > len(split):
            say(f"the {options.split} split has {len(split):,} images, fewer than {options.count:,}: all of them are drawn.")
        images = split.take(np.arange(min(options.count, len(split))))
        columns = min(8, len(images))
        if is_point(images.shape[1:]):
            from latentlab.show.figures.plane import box_of, pairs_png

            return pairs_png(box_of(images), images, run.reconstruct(images))
        labels = split.labels[: len(images)] if split.labels is not None and classes_of(run.config.model) else None
        return interleave([images, run.reconstruct(images, labels)], columns), columns

    return _picture(parser, arguments, draw)


def _split(run: Run, split: str, data: str | None) -> Any:
    run.need_encoder("encode")
    return getattr(run.data(data), split)


def command_interpolate(arguments: list[str]) -> int:
    """The way between two codes."""
    parser = Parser("interpolate", "Images on the way between two z (from seeds), or between two test images (AE, VAE).")
    _add_run(parser)
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--seeds", metavar="A,B", help="two seeds of z (0,1)")
    ends.add_argument("--indices", metavar="I,J", help="two images of the test split")
    add_place(parser)
    add_value(parser, "--steps", int, "images on the way, both ends included (8)", 8, minimum=2, maximum=1000)
    _add_label(parser)

    def draw(run: Run, options: argparse.Namespace) -> Drawn:
        shares = [f"{at / (options.steps - 1):.0%}" for at in range(options.steps)]
        if options.indices is None:
            a, b = _integers(options.seeds or "0,1", "--seeds", 2)
            if min(a, b) < 0:
                raise refusal("--seeds", "integers of at least 0", options.seeds)
            return run.interpolate(a, b, options.steps, options.label), [f"seed {a} → {b}"], shares
        test = _split(run, "test", options.data)
        pair = _integers(options.indices, "--indices", 2)
        if not all(0 <= i < len(test) for i in pair):
            raise refusal("--indices", f"from 0 to {len(test) - 1}, images of the test split", options.indices)
        import numpy as np

        images = test.take(np.array(pair))
        return run.interpolate(images[0], images[1], options.steps, options.label), [f"image {pair[0]} → {pair[1]}"], shares

    return _picture(parser, arguments, draw)


def _integers(text: str, name: str, count: int | None = None) -> list[int]:
    """A list such as "3,14"; exactly `count` of them if given."""
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"-?\d{1,18}", part) for part in parts) or (count is not None and len(parts) != count):
        raise refusal(name, f"{count or 'some'} integers with commas between, such as {','.join(map(str, range(count or 3)))}", text)
    return [int(part) for part in parts]


def command_traverse(arguments: list[str]) -> int:
    """Each latent unit moved alone."""
    parser = Parser("traverse", "One row for each latent unit, moved alone around the prior's mean (a GAN: around the z of seed 0).")
    _add_run(parser)
    parser.add_argument("--dims", metavar="I,J,…", help="latent units; default the first ten")
    add_value(parser, "--range", float, "how far, in standard deviations (2.5)", 2.5, above=0)
    add_value(parser, "--steps", int, "images in a row (9)", 9, minimum=2, maximum=1000)
    _add_label(parser)

    def draw(run: Run, options: argparse.Namespace) -> Drawn:
        size = run.config.model.latent_dim
        dims = list(range(min(size, 10))) if options.dims is None else _integers(options.dims, "--dims")
        values = [f"{(2 * at / (options.steps - 1) - 1) * options.range:+.3g} σ".replace("-", "−") for at in range(options.steps)]
        return run.traverse(dims, options.range, options.steps, label=options.label), [f"unit {unit}" for unit in dims], values

    return _picture(parser, arguments, draw)


def command_encode(arguments: list[str]) -> int:
    """Codes of a split."""
    parser = Parser("encode", "Write mean [N, Z], std [N, Z] (VAE) and labels [N] of a split as .npz.")
    _add_run(parser)
    add_split(parser)
    add_place(parser)
    _need_out(parser, "FILE.npz", "where the codes go")
    options = parser.parse(arguments)
    out = _target(options, ".npz")
    run = _open(options)
    images = _split(run, options.split, options.data)
    codes = run.encode(images.images, images.labels if classes_of(run.config.model) else None)
    arrays = {"mean": codes.mean}
    if codes.std is not None:
        arrays["std"] = codes.std
    if images.labels is not None:
        arrays["labels"] = images.labels
    else:
        say("these images have no labels; the file holds none.")
    _save_arrays(out, arrays)
    return _finish(out)


def serve() -> None:
    """Draw for whoever asks on stdin, until nobody does any more."""
    import torch

    torch.set_num_threads(1)
    opened: dict[Any, Run] = {}
    for line in sys.stdin:
        try:
            asked = json.loads(line)
            # The samples of `latentlab sample` with the same options.
            run, told = _newest(asked["run"], opened), dict[str, list[bool]]()
            if asked.get("game"):
                images, told = mixed(run, asked["count"], asked["seed"])
            else:
                images = run.sample(asked["count"], asked["seed"], asked.get("label"), asked["prior"], asked["truncation"])
        except LabError as error:
            _answer({"refused": str(error)})
        except Exception as error:  # whoever asks next is not to pay for it; the words go to the page
            _answer({"refused": f"{type(error).__name__}: {error}"})
        else:
            _answer({"shape": list(images.shape), "type": images.dtype.name} | told, images.tobytes())


def mixed(run: Run, count: int, seed: int) -> tuple[Images, dict[str, list[bool]]]:
    """`count` images, half of them held out and half drawn, in the order of the seed: which are real, and which the discriminator takes
    for real, by the threshold of its loss, or the higher half where only differences of logits count.

    Raises LabError for a run without a discriminator, and where its images are not there any more.
    """
    import numpy as np
    import torch

    from latentlab.base.seeding import numpy_generator, seed_for
    from latentlab.config import GAMES
    from latentlab.models.nets import to_unit
    from latentlab.models.sampling import of_classes

    judge: Any = run.networks().get("discriminator")
    if judge is None or is_point(run.image_shape):
        raise refusal("a run to play against", "one of images with a discriminator", str(run.path))
    own = seed_for(seed, "game") % 2**31  # not the samples that this seed gives by themselves
    test, drawn = run.data().test, run.sample(count // 2, own)
    rows = numpy_generator(seed, "game-real").permutation(len(test))[: count - len(drawn)]
    order = numpy_generator(seed, "game-order").permutation(len(rows) + len(drawn))
    images, real = np.concatenate([test.take(rows), drawn])[order], (np.arange(len(order)) < len(rows))[order]
    classes = None
    if (labels := run.drawn_labels(len(drawn), own)) is not None and test.labels is not None:
        mixed_labels = np.concatenate([test.labels[rows], labels])[order]
        classes = torch.from_numpy(of_classes(np.zeros((len(order), 0), np.float32), mixed_labels, classes_of(run.config.model)))
    with torch.no_grad():
        logits = judge.alone(to_unit(torch.from_numpy(images)), classes).numpy()
    loss, target = getattr(run.config.train, "loss", "non-saturating"), getattr(run.config.train, "label_smoothing", 1.0)
    threshold = GAMES[loss].threshold(target)
    taken = logits > (np.median(logits) if threshold is None else threshold)
    return images, {"real": real.tolist(), "guessed": taken.tolist()}


def _newest(path: str, opened: dict[Any, Run]) -> Run:
    """A run opened at its newest checkpoint, so that one that goes on training is drawn from as it is now."""
    from latentlab.runs.checkpoints import stamp
    from latentlab.train import open_run

    run = open_run(path)
    key = path, stamp(run.folder.checkpoints)
    if key not in opened:
        while len(opened) >= KEPT:
            del opened[next(iter(opened))]
        opened[key] = run
    return opened[key]


def _answer(head: dict[str, Any], body: bytes = b"") -> None:
    sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + body)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve()

"""Very many images, and images behind an address: how long they take to be read first, to be found again, and whose memory they take.

A folder of 1,000,000 small JPEG files is made where there is none, and decoded into a cache of the benchmark's own, by two processes
as those of one run. Then a process finds it again (`load_data`, nothing else), and a run of two processes trains on it by shard, whose
own memory (RssAnon: mapped pages apart) is looked at ten times a second. Targets: found again in under 5 s, under 1 GB for each process.

WebDataset shards of the first 40,000 of them come from a server on 127.0.0.1, and are read beside the folder of the same images:
streamed and decoded the first time (target: at least 0.6 times as fast), and in batches from the cache (at least 0.95).

Run: python benchmarks/bench_data.py FOLDER [--files N]
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from common import Served, in_turns, report
from PIL import Image

FOLDERS, SIZE, BATCH = 100, 32, 128
SHARDS, IN_SHARD = 20, 2000
LOAD = f"""
import sys, time
from pathlib import Path
from latentlab.data import load_data
started = time.perf_counter()
data = load_data(sys.argv[1], image_size={SIZE})
seconds = time.perf_counter() - started
print(seconds, len(data.train) + len(data.val) + len(data.test))
"""


def make(root: Path, files: int) -> None:
    """Small pictures, no two alike, in folders."""
    base = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3), np.uint8)
    for folder in range(FOLDERS):
        (root / f"{folder:02d}").mkdir(parents=True)
        for file in range(files // FOLDERS):
            number = folder * (files // FOLDERS) + file
            small = base[number % len(base)].copy()
            small.reshape(-1)[:4] = number & 255, (number >> 8) & 255, (number >> 16) & 255, number % 251
            content = io.BytesIO()
            Image.fromarray(small).resize((SIZE, SIZE)).save(content, "JPEG", quality=90)
            (root / f"{folder:02d}" / f"{file:05d}.jpg").write_bytes(content.getvalue())


def own_memory(process: subprocess.Popen[str]) -> int:
    """The anonymous memory of a process, in bytes; 0 where it has ended."""
    try:
        words = Path(f"/proc/{process.pid}/status").read_text().split()
    except OSError:
        return 0
    return 1024 * int(words[words.index("RssAnon:") + 1]) if "RssAnon:" in words else 0


def together(words: list[list[str]], environment: dict[str, str]) -> tuple[list[str], int]:
    """What commands print that run as the processes of one run, and the most memory of its own that one of them took."""
    place = {"WORLD_SIZE": str(len(words)), "LOCAL_WORLD_SIZE": str(len(words)), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29413"}
    processes = [
        subprocess.Popen(each, stdout=subprocess.PIPE, text=True, env=os.environ | environment | place | {"RANK": str(rank)})
        for rank, each in enumerate(words)
    ]
    most = 0
    while any(process.poll() is None for process in processes):
        most = max(most, *map(own_memory, processes))
        time.sleep(0.1)
    return [process.communicate()[0] for process in processes], most


def many(root: Path, files: int, cache: Path) -> None:
    """A folder of very many files: first, again, in training."""
    environment = {"LATENTLAB_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    load = [sys.executable, "-c", LOAD, f"folder:{root}"]
    told, most = together([load, load], environment)
    assert int(told[0].split()[1]) == files, told
    report(f"{files:,} files decoded by two processes", max(float(each.split()[0]) for each in told), "s")
    report(f"{files:,} files decoded by two processes: own memory of one", most / 1e9, "GB", "< 1", at_most=1.0)
    told, most = together([load], environment)
    report(f"{files:,} files found again", float(told[0].split()[0]), "s", "< 5", at_most=5.0)
    with tempfile.TemporaryDirectory() as out:
        asked = f"-m latentlab train mlp-vae --data folder:{root} --data.image-size {SIZE} --steps 1500 --threads 1 --train.shards 2"
        words = [sys.executable, *asked.split(), "--train.order", "shard", "--out", f"{out}/run"]
        _, most = together([words, words], environment)
    report(f"{files:,} files, two processes that train: own memory of one", most / 1e9, "GB", "< 1", at_most=1.0)


def shards(root: Path, place: Path) -> str:
    """Shards of the first images of a folder, and a server of them: its address."""
    pictures = sorted(root.glob("*/*.jpg"))[: SHARDS * IN_SHARD]
    (place / "pictures").mkdir()
    for number in range(SHARDS):
        with tarfile.open(place / f"{number:04d}.tar", "w") as tar:
            for path in pictures[number * IN_SHARD : (number + 1) * IN_SHARD]:
                tar.add(path, f"{path.parent.name}-{path.name}")
                (place / "pictures" / f"{path.parent.name}-{path.name}").hardlink_to(path)
    return f"http://127.0.0.1:{{port}}/{{{{0000..{SHARDS - 1:04d}}}}}.tar"


def serve(spec: str) -> int:
    """Batches from the cache, an epoch of the images for every line on stdin."""
    from latentlab.data import batch_indices, load_data

    train = load_data(spec, image_size=SIZE).train
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        for position in range(0, len(train) - BATCH, BATCH):
            train.take(batch_indices(0, position, BATCH, len(train)))
        print(time.perf_counter() - started, flush=True)
    return 0


def behind_an_address(root: Path, repeats: int) -> None:
    """Shards from a server against the folder of the same images."""
    with tempfile.TemporaryDirectory(dir=root.parent) as temporary:
        place = Path(temporary)
        form = shards(root, place)
        words = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", temporary]
        server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert server.stdout is not None
            port = server.stdout.readline().split("port ")[1].split()[0]
            specs = {"folder": f"folder:{place / 'pictures'}", "shards": form.format(port=port)}
            first: dict[str, list[float]] = {name: [] for name in specs}
            for turn in range(repeats):
                for name, spec in specs.items():
                    told, _ = together([[sys.executable, "-c", LOAD, spec]], {"LATENTLAB_CACHE": str(place / f"cache-{name}-{turn}")})
                    assert int(told[0].split()[1]) == SHARDS * IN_SHARD, told
                    first[name].append(float(told[0].split()[0]))
            ratio = float(np.median(first["folder"]) / np.median(first["shards"]))
            report("shards from a local server against the folder, the first time", ratio, "times as fast", "≥ 0.6", at_least=0.6)
            runs = {
                name: Served(__file__, spec, {"LATENTLAB_CACHE": str(place / f"cache-{name}-0"), "OMP_NUM_THREADS": "1"})
                for name, spec in specs.items()
            }
            medians = in_turns(runs, 2 * repeats + 1)
            ratio = medians["folder"] / medians["shards"]
            report("shards from a local server against the folder, from the cache", ratio, "times as fast", "≥ 0.95", at_least=0.95)
        finally:
            server.terminate()
            server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--serve")
    options = parser.parse_args()
    if options.serve:
        sys.exit(serve(options.serve))
    root = options.folder or parser.error("a FOLDER to make the files in, of a disk with 10 GB free")
    if not root.exists():
        make(root, options.files)
    behind_an_address(root, options.repeats)
    with tempfile.TemporaryDirectory(dir=root.parent) as cache:
        many(root, options.files, Path(cache))


if __name__ == "__main__":
    main()

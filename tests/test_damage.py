"""Damage of every kind: it is named, it stays where it is, and nothing that it changed is shown as the truth."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import refusal_here
from PIL import Image

import latentlab as ll
from latentlab.base import jsonl
from latentlab.base.errors import Damaged, LabError
from latentlab.base.images import open_png
from latentlab.cli import main
from latentlab.data.decoded import Settings, open_decoded
from latentlab.lab.cells import Cell
from latentlab.lab.main import QUICK, finish
from latentlab.lab.questions import seconds_in
from latentlab.runs.folder import RunFolder, list_runs, new_folder
from latentlab.runs.verify import check_run
from latentlab.studio import tasks
from latentlab.train.start import as_config, create, reopen

TINY = {"data.train_images": 96, "train.batch_size": 16, "train.threads": 1, "latent_dim": 3, "hidden": (16,), "train.log_steps": 3}
RECORDS = ("config.json", "environment.json", "status.json", "scores.json", "metrics.jsonl")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small VAE, trained to its end and measured."""
    run = ll.train("mlp-vae", tmp_path_factory.mktemp("damage") / "whole", epochs=2, **TINY)
    run.evaluate(samples=64, nll_samples=2, nll_images=4, extractors="random-convolutions")
    return run.path


@pytest.fixture
def whole(trained: Path, tmp_path: Path) -> RunFolder:
    return RunFolder(Path(shutil.copytree(trained, tmp_path / "runs" / "vae")))


def problems(folder: RunFolder) -> dict[str, str]:
    """What `verify` finds, by the file's path in the run."""
    return {path.relative_to(folder.path).as_posix(): problem for path, problem in check_run(folder) if problem}


def test_a_whole_run_has_no_problem(whole: RunFolder) -> None:
    assert problems(whole) == {}


# Changed, and missing.


def a_digit(text: str, after: str) -> str:
    """The text with one digit changed behind a word."""
    at = next(i for i in range(text.index(after) + len(after), len(text)) if text[i].isdigit())
    return text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]


@pytest.mark.parametrize(
    ("name", "after", "read"),
    [
        ("scores.json", '"kl_nats"', RunFolder.scores),
        ("status.json", '"step"', RunFolder.status),
        ("environment.json", '"train"', RunFolder.environment),
        ("metrics.jsonl", '"loss_nats"', RunFolder.metrics),
        ("metrics.jsonl", '"kl_nats"', RunFolder.metrics),
    ],
)
def test_a_changed_digit_is_never_shown(whole: RunFolder, name: str, after: str, read: Callable[[RunFolder], Any], capsys) -> None:
    read(whole)
    path = whole.path / name
    path.write_text(a_digit(path.read_text(encoding="utf-8"), after), encoding="utf-8")
    with pytest.raises(Damaged, match=name):
        read(whole)
    assert list(problems(whole)) == [name]
    assert name in refusal_here(capsys, "show", whole.path)


def test_what_was_deleted_is_missed(whole: RunFolder) -> None:
    gone = [
        "metrics.jsonl", "latents.npz", "thumbnails.png", "status.json", "samples/step-00000000.png", "samples/step-00000004.png",
        "samples/step-00000012.png", "reconstructions/step-00000001.png",
    ]  # fmt: skip
    for name in gone:
        (whole.path / name).rename(whole.path / "aside")
        assert problems(whole)[name] == "it is missing"
        (whole.path / "aside").rename(whole.path / name)
    lines = whole.metrics_file.read_text(encoding="utf-8").splitlines(keepends=True)
    whole.metrics_file.write_text("".join(lines[: len(lines) // 2]), encoding="utf-8")
    assert "its lines end at step" in problems(whole)["metrics.jsonl"]
    shutil.rmtree(whole.checkpoints / "step-00000012")  # from the one before it samples can still be drawn
    assert problems(whole)["checkpoints/step-00000012"] == "it is missing"


def test_damaged_metrics_are_no_damage_of_checkpoints(whole: RunFolder, capsys) -> None:
    path = whole.metrics_file
    path.write_text(a_digit(path.read_text(encoding="utf-8"), '"kl_nats"'), encoding="utf-8")
    said = refusal_here(capsys, "resume", whole.path, "--epochs", 3)
    assert said.startswith(f"latentlab: {path} line")
    assert "move it away: the checkpoints are whole" in said
    path.unlink()
    assert main(["resume", str(whole.path), "--epochs", "3"]) == 0
    capsys.readouterr()


def test_metrics_that_cannot_be_read_take_no_list_down(whole: RunFolder, capsys) -> None:
    shutil.copytree(whole.path, whole.path.with_name("other"))
    whole.metrics_file.unlink()
    whole.metrics_file.mkdir()
    assert main(["runs", str(whole.path.parent)]) == 0
    said = capsys.readouterr()
    assert "other" in said.out
    assert str(whole.metrics_file) in said.out + said.err


def test_a_configuration_that_was_edited_is_no_longer_that_of_the_checkpoints(whole: RunFolder) -> None:
    path = whole.path / "config.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"beta": 1.0', '"beta": 2.0'), encoding="utf-8")
    assert {name.split("/")[0] for name in problems(whole)} == {"checkpoints"}


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def bomb(path: Path) -> None:
    """A small file that unpacks to 4 GB."""
    if path.suffix == ".npz":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("mean.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, {"descr": "<f4", "fortran_order": False, "shape": (2**20, 2**10)})
            for _ in range(16):  # as a larger one: it is refused before it is unpacked
                member.write(bytes(2**20))
        return
    Image.new("1", (25_000, 25_000)).save(path)


def a_flipped_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [truncated, bomb, a_flipped_bit])
@pytest.mark.parametrize("name", ["latents.npz", "thumbnails.png", "samples/step-00000012.png"])
def test_damaged_arrays_and_pictures_are_named_by_verify_and_by_the_report(
    whole: RunFolder, name: str, harm: Callable[[Path], None], tmp_path: Path, capsys
) -> None:
    """Or the page is written without, and says so."""
    harm(whole.path / name)
    assert list(problems(whole)) == [name]
    capsys.readouterr()
    status = main(["report", str(whole.path), "--out", str(tmp_path / "page.html")])
    said = capsys.readouterr().err.splitlines()
    assert status == (0 if name == "thumbnails.png" else 2)
    assert Path(name).name in said[-1]
    assert all(line.startswith("latentlab: ") for line in said)


def test_every_flipped_bit_of_a_small_png_is_found_or_changes_no_pixel(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12), np.uint8)
    Image.fromarray(pixels).save(path)
    content = path.read_bytes()
    for position in range(len(content)):
        path.write_bytes(content[:position] + bytes([content[position] ^ (1 << position * 5 % 8)]) + content[position + 1 :])
        try:
            assert np.array_equal(np.asarray(open_png(path)), pixels)
        except Damaged:
            continue


def test_a_png_with_flipped_bits_is_skipped_and_named(tmp_path: Path) -> None:
    for number in range(6):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (12, 12), np.uint8)).save(tmp_path / f"{number}.png")
    a_flipped_bit(tmp_path / "3.png")
    data = ll.load_data(f"folder:{tmp_path}", image_size=12)
    assert [line.partition(":")[0] for line in data.skipped] == ["3.png"]
    assert "1 of 6 files could not be used: 3.png" in data.notes[0]


def test_overwritten_pixels_of_the_cache_are_decoded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTLAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "pictures").mkdir()
    for number in range(6):
        Image.fromarray(np.full((12, 12), 40 * number, np.uint8)).save(tmp_path / "pictures" / f"{number}.png")
    settings = Settings(12, "crop", "auto")
    before = np.array(open_decoded(tmp_path / "pictures", settings).images)
    [file] = (tmp_path / "cache").rglob("images.npy")
    about = file.stat()
    with open(file, "r+b") as opened:
        opened.seek(-50, os.SEEK_END)
        opened.write(b"\x07" * 50)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))  # as a failing disk does it, without a new time
    assert np.array_equal(open_decoded(tmp_path / "pictures", settings).images, before)


def test_a_changed_name_in_the_caches_index_gives_no_other_labels(tmp_path: Path, cache: Path) -> None:
    for number in range(12):
        (place := tmp_path / "pictures" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((12, 12), 20 * number, np.uint8)).save(place / f"{number}.png")
    before = ll.load_data(f"folder:{tmp_path / 'pictures'}", image_size=12)
    [names] = cache.rglob("files.npz")
    with np.load(names) as files:
        arrays = dict(files)
    np.savez(names, **arrays | {"labels": 1 - arrays["labels"]})
    [index] = cache.rglob("index.json")
    index.write_text(index.read_text(encoding="utf-8").replace('"a"', '"c"'), encoding="utf-8")
    after = ll.load_data(f"folder:{tmp_path / 'pictures'}", image_size=12)
    assert (after.class_names, after.fingerprint) == (("a", "b"), before.fingerprint)


OTHERS = (
    '{"seconds": "x"}',
    '{"seconds": null}',
    '{"seconds": 1, "ended": 5}',
    "[]",
    '{"key": 5, "stamp": "STAMP", "odd": [], "folders": []}',
)


@pytest.mark.parametrize("content", OTHERS)
def test_small_records_of_another_shape_are_as_none(content: str, tmp_path: Path, cache: Path) -> None:
    (tmp_path / "time.json").write_text(content, encoding="utf-8")
    assert seconds_in(tmp_path / "time.json") == 0.0
    (pictures := tmp_path / "pictures").mkdir()
    for number in range(6):
        Image.fromarray(np.full((12, 12), 40 * number, np.uint8)).save(pictures / f"{number}.png")
    before = open_decoded(pictures, Settings(12, "crop", "auto")).key
    [start] = (cache / "starts").iterdir()
    seen = json.loads(start.read_text(encoding="utf-8"))["stamp"]
    start.write_text(content.replace("STAMP", seen), encoding="utf-8")
    assert open_decoded(pictures, Settings(12, "crop", "auto")).key == before


@pytest.mark.parametrize(
    "changed", [{"subject": 5}, {"subject": None}, {"kind": "x"}, {"arguments": "x"}, {"started": "x"}, {"status": "x"}]
)
def test_a_task_of_another_shape_is_none(changed: dict[str, Any], tmp_path: Path) -> None:
    whole = {"kind": "train", "subject": "vae", "arguments": ["train"], "started": 5.0, "status": None, "pid": 7, "run": None, "reader": ""}
    (tmp_path / "task.json").write_text(json.dumps(whole), encoding="utf-8")
    assert tasks.read(tmp_path) is not None
    (tmp_path / "task.json").write_text(json.dumps(whole | changed), encoding="utf-8")
    assert tasks.read(tmp_path) is None


# One run's damage is its own.


def test_one_damaged_run_among_ten_keeps_the_list(trained: Path, tmp_path: Path, capsys) -> None:
    for number in range(10):
        shutil.copytree(trained, tmp_path / f"run-{number}")
    harms: list[tuple[str, Any]] = [
        ("status.json", '{"state": ["x"]}'), ("metrics.jsonl", '{"step": 1}\n'), ("status.json", "[" * 5000),
        ("config.json", '{"family": []}'), ("config.json", f'{{"family": {10**400}}}'), ("environment.json", None),
        ("scores.json", '{"scores": {"kid": {"value": 1}}}'),
        ("scores.json", '{"scores": {"kid": {"value": 1, "unit": "", "n": 4, "floor": 0, "floor_ci95": [1]}}}'),
        ("scores.json", '{"scores": {}, "others": [{"scores": 5}]}'),
    ]  # fmt: skip
    for name, content in harms:
        path = tmp_path / "run-4" / name
        before = path.read_bytes()
        path.unlink() if content is None else path.write_text(content, encoding="utf-8")
        capsys.readouterr()
        assert main(["runs", str(tmp_path)]) == 0
        lines = capsys.readouterr().out.splitlines()[1:]
        assert len(lines) == 10
        assert [line for line in lines if " finished " not in line] == (
            [lines[4]] if name in ("status.json", "metrics.jsonl", "config.json") else []
        )
        assert name in refusal_here(capsys, "show", tmp_path / "run-4")
        path.write_bytes(before)


def test_looking_at_a_copy_that_may_not_be_written_writes_nothing(whole: RunFolder, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """A run that was killed, on a disk that can only be read: its lock is looked at, not taken."""
    whole.write_status("running", 12)
    opened = open

    def reading(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        if set(mode) & set("wax+"):
            raise PermissionError(13, "Permission denied", str(file))
        return opened(file, mode, *arguments, **named)

    monkeypatch.setattr("builtins.open", reading)
    capsys.readouterr()
    assert main(["runs", str(whole.path.parent)]) == main(["show", str(whole.path)]) == main(["verify", str(whole.path)]) == 0
    assert "stopped" in capsys.readouterr().out
    (whole.path / "lock").unlink()
    assert whole.status()["state"] == "stopped"


def test_a_name_that_no_terminal_can_show_is_shown_and_breaks_no_report(trained: Path, tmp_path: Path, capsys) -> None:
    names = [os.fsdecode(b"r\xff\xfe"), "a\nb", "c\x1b[31md"]
    for name in names:
        shutil.copytree(trained, tmp_path / "odd" / name)
    capsys.readouterr()
    assert main(["runs", str(tmp_path / "odd")]) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert len(said.splitlines()) == 4
    assert main(["report", *(str(tmp_path / "odd" / name) for name in names), "--out", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert r"r\udcff\udcfe" in page
    assert "\x1b" not in page


# Killed.


def test_killed_at_any_event_of_its_creation_a_run_is_absent_or_whole(tmp_path: Path) -> None:
    """Nothing is a dead end: what is there can be continued, and where nothing is, the same command trains."""
    config = as_config("mlp-ae", epochs=1, **TINY)
    seen = {"absent": 0, "whole": 0}
    (tmp_path / "runs").mkdir()
    for nth in range(1, 400):
        out = tmp_path / "runs" / "new"
        if _killed_in_creation(config, out, nth):
            if out.exists():
                session = reopen(out)
                session.lock.close()
                assert problems(RunFolder(out)) == {}
                seen["whole"] += 1
                shutil.rmtree(out)
            else:
                seen["absent"] += 1
                assert list_runs(tmp_path / "runs") == []
            continue
        assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["new"]  # what the killed ones left is gone, too
        break
    assert seen["absent"] > 10
    assert seen["whole"] > 0


def _killed_in_creation(config: ll.Config, out: Path, nth: int) -> bool:
    """Create a run in a process that kills itself at the nth event of the file system below `out`'s parent; whether it came to that."""
    child = os.fork()
    if child == 0:
        count = 0

        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal count
            if event in FILE_EVENTS and arguments and str(out.parent) in str(arguments[0]):
                count += 1
                if count == nth:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(audit)
            create(config, out)
            os._exit(0)
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


FILE_EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "os.listdir", "shutil.rmtree", "glob.glob")


def test_a_run_that_came_into_its_place_meanwhile_is_not_touched(tmp_path: Path) -> None:
    place = tmp_path / "run"

    def meet() -> None:
        with new_folder(place) as folder:
            (folder.path / "config.json").write_text("mine")
            place.mkdir()
            (place / "config.json").write_text("theirs")

    with pytest.raises(LabError, match="came there meanwhile"):
        meet()
    assert [(path.name, path.read_text()) for path in place.iterdir()] == [("config.json", "theirs")]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_lack_of_memory_damages_no_checkpoint(whole: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an older one would be gone on from, and what came after it be lost."""
    from latentlab.models import vae

    def full(*arguments: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(vae.VAELearner, "load_tensors", full)
    with pytest.raises(MemoryError):
        reopen(whole.path, steps=20)


def test_killed_while_its_figures_are_drawn_a_run_is_not_finished_and_resume_draws_them(tmp_path: Path, capsys) -> None:
    config = as_config("mlp-ae", epochs=1, **TINY)
    child = os.fork()
    if child == 0:
        try:
            from latentlab import train

            def killed(folder: RunFolder) -> None:
                (folder.path / f".latents.npz.{os.getpid()}").write_bytes(b"half")
                os.kill(os.getpid(), signal.SIGKILL)

            train.draw_figures = killed
            train.run_to_end(create(config, tmp_path / "run"), lambda event: None)
        finally:
            os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    folder = RunFolder(tmp_path / "run")
    assert folder.status()["state"] == "stopped"
    assert main(["resume", str(folder.path)]) == 0
    assert folder.status()["state"] == "finished"
    assert (folder.figures / "loss.png").is_file()
    assert [path.name for path in folder.path.rglob(".*")] == []
    assert problems(folder) == {}


# The images of a run, and no others.


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(40):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (12, 12), np.uint8)).save(folder / f"{number:02}.png")
    return folder


def test_every_verb_that_reads_the_images_of_a_run_wants_those_it_was_made_with(pictures: Path, tmp_path: Path, capsys) -> None:
    small = {**TINY, "data.train_images": None, "data.image_size": 12}
    run = ll.train("mlp-vae", tmp_path / "run", data=f"folder:{pictures}", epochs=1, **small)
    verbs = [
        ["evaluate", run.path], ["encode", run.path, "--split", "val", "--out", tmp_path / "codes.npz"],
        ["reconstruct", run.path, "--out", tmp_path / "r.png"], ["interpolate", run.path, "--indices", "0,1", "--out", tmp_path / "i.png"],
        ["resume", run.path, "--epochs", "2"],
    ]  # fmt: skip
    Image.new("L", (12, 12)).save(pictures / "new.png")  # the folder grew
    for verb in verbs:
        assert "must hold the images" in refusal_here(capsys, *verb)
    (pictures / "new.png").unlink()
    moved = pictures.rename(tmp_path / "moved")
    for verb in verbs:
        said = refusal_here(capsys, *verb)
        assert "It is not there." in said
        assert "--data folder:PATH" in said
    assert not (run.path / "scores.json").exists()
    for verb in verbs:
        assert main([*map(str, verb), "--data", f"folder:{moved}"]) == 0
    other = ll.load_data("digits")
    with pytest.raises(LabError, match="must hold the images"):
        ll.open_run(run.path).evaluate(data=other)
    [scores] = {ll.open_run(run.path).evaluate(data=f"folder:{moved}", extractors="random-convolutions", nll_samples=0)["data"]}
    assert scores
    with pytest.raises(LabError, match="must hold the images"):  # a lab whose runs are measured draws them anew on what it loaded
        finish(tmp_path, [Cell("run", run.path, run.config, {})], other, "en", print, QUICK, {})


# Fuzzing.

ODD: list[Any] = [None, True, "x", "", -1, 0, 1.5, 10**18, 10**400, 1e308, float("nan"), [], {}, [[]], {"a": {}}, ["x"], "\x00", "é\ud800"]


def fuzzed(source: random.Random, text: str) -> bytes:
    """A JSON text of which something is changed: a value, a key, the form, or some bytes."""
    kind = source.randrange(6)
    if kind == 0:
        content = bytearray(text.encode())
        for _ in range(source.randrange(1, 4)):
            content[source.randrange(len(content))] = source.randrange(256)
        return bytes(content)
    if kind == 1:
        return text.encode()[: source.randrange(len(text))]
    if kind == 2:
        return source.choice([b"", b"[]", b"5", b"null", b"[" * 5000, b"\xff\xfe", b'{"a":' * 3000, b"{}", json.dumps(text).encode()])
    value = json.loads(text)
    value.pop("checksum", None)
    value.pop("crc32", None)
    holder, key = source.choice(list(places(value)))
    if kind == 3 and isinstance(holder, dict):
        del holder[key]
    else:
        holder[key] = source.choice(ODD)
    return json.dumps(value).encode()


def places(value: Any) -> Any:
    """Every place of a JSON value that holds another."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def damage_records(source: random.Random, folder: RunFolder) -> None:
    path = folder.path / source.choice(RECORDS)
    if path.suffix == ".json":
        path.write_bytes(fuzzed(source, path.read_text(encoding="utf-8")))
        return
    lines = path.read_bytes().splitlines()
    if source.random() < 0.5:  # a file without checksums: then it is the shape that must hold
        rows, _ = jsonl.Tail(path).read()
        lines = [json.dumps(row).encode() for row in rows]
    at = source.randrange(len(lines))
    lines[at] = fuzzed(source, lines[at].decode()).replace(b"\n", b"")
    path.write_bytes(b"\n".join(lines) + b"\n")


@pytest.mark.parametrize("count", [120, pytest.param(2_000, marks=pytest.mark.slow)])
def test_fuzzed_records_give_no_traceback(count: int, trained: Path, tmp_path: Path, capsys) -> None:
    source, folder = random.Random(count), RunFolder(tmp_path / "runs" / "vae")
    for _ in range(count):
        if not folder.path.exists():
            shutil.copytree(trained, folder.path)
        for name in RECORDS:
            shutil.copy(trained / name, folder.path / name)
        damage_records(source, folder)
        assert main(["runs", str(tmp_path / "runs")]) == 0
        assert main(["show", str(folder.path)]) in (0, 2)
        if source.random() < 0.2:
            with contextlib.suppress(LabError):
                reopen(folder.path, steps=13).lock.close()
    capsys.readouterr()


@pytest.mark.slow
def test_200_damaged_files_of_every_kind_give_no_traceback(trained: Path, tmp_path: Path, capsys) -> None:
    """Every file of a run, truncated, emptied, with flipped bits, another's or gone: whatever reads it says so in one line."""
    source, folder = random.Random(7), RunFolder(tmp_path / "runs" / "vae")
    files = sorted(path.relative_to(trained) for path in trained.rglob("*") if path.is_file() and path.name != "lock")
    harms: list[Callable[[Path], object]] = [
        truncated, a_flipped_bit, lambda path: path.write_bytes(b""), Path.unlink, lambda path: path.write_bytes(source.randbytes(3000)),
    ]  # fmt: skip
    found = 0
    for _ in range(200):
        shutil.rmtree(folder.path, ignore_errors=True)
        shutil.copytree(trained, folder.path)
        name = source.choice(files)
        source.choice(harms)(folder.path / name)
        found += main(["verify", str(folder.path)]) == 2
        for verb in (
            ["runs", tmp_path / "runs"],
            ["show", folder.path],
            ["sample", folder.path, "--count", 2, "--out", tmp_path / "s.png"],
        ):
            assert main(list(map(str, verb))) in (0, 2)
        if source.random() < 0.2:
            assert main(["report", str(folder.path), "--out", str(tmp_path / "page.html")]) in (0, 2)
    capsys.readouterr()
    assert found >= 180  # a figure that is gone can be drawn again, and says nothing false

"""The run folder: the interface between what trains and what shows. No torch here.

Layout (see `RunFolder`): config.json, environment.json, status.json, lock, metrics.jsonl, samples/, reconstructions/, moments/,
checkpoints/, live/, latents.npz, thumbnails.png, scores.json, notes.json, figures/, control.json.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentlab.base.errors import Busy, Damaged, LabError, printable, refusal
from latentlab.base.files import is_full, lock, read_json_or_nothing, rename, replace_json, replace_text, sync_folder
from latentlab.base.jsonl import Tail, lines
from latentlab.base.texts import reason
from latentlab.config.schema import Config
from latentlab.runs.forms import RECORDS, ROW, STATES, read_record

if TYPE_CHECKING:
    from latentlab.config.parts import DataConfig
    from latentlab.data import Data

ACTIONS = ("stop", "pause", "resume", "step", "phase", "slow", "set")
KILLED = "its process ended without saying so (killed?); `latentlab resume` goes on"
KEPT_REQUESTS = 100
HALF, ASKED = "half.npz", "asked"
REQUEST_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class RunFolder:
    """One run on disk. Opening it reads nothing; every method reads or writes just what it names."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def reconstructions(self) -> Path:
        return self.path / "reconstructions"

    @property
    def moments(self) -> Path:
        return self.path / "moments"

    @property
    def live(self) -> Path:
        return self.path / "live"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def metrics_file(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def name(self) -> str:
        """What it is called, in letters that can be shown."""
        return printable(self.path.name)

    def config(self) -> Config:
        """The configuration that this run was created with. Raises LabError when it is not whole."""
        path = self.path / "config.json"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LabError(f"{path} cannot be read ({type(error).__name__}). Restore it from a copy of the run.") from None
        return Config.from_json(text, str(path))

    def environment(self) -> dict[str, Any]:
        """What the run was trained with: versions, device, threads, data fingerprint. Raises Damaged, also where there is none."""
        try:
            return read_record(self.path, "environment.json")
        except FileNotFoundError:
            raise Damaged(f"{self.path / 'environment.json'} is missing. Restore it from a copy of the run.") from None

    def data(self, given: Any = None, load: Callable[[DataConfig], Data] | None = None) -> Data:
        """The images that the run was made with, loaded anew; where they lie now, if elsewhere, is `given` as `spec_of` takes it.

        Raises LabError where they are not to be found, or are others.
        """
        from latentlab.data import load_data, parse, spec_of

        config = self.config().data
        spec = None if given is None else spec_of(given)
        if spec is not None and parse(spec).source != parse(config.spec).source:
            raise refusal("data", f"where the {config.spec} of {self.path} is now", spec, "Leave it out.")
        place = parse(config.spec).path
        if spec is None and place is not None and not place.exists():
            raise refusal(f"the images of {self.path}", reason("must.there"), str(place), reason("remedy.where"))
        return self.same_images((load or load_data)(config if spec is None else replace(config, spec=spec)))

    def same_images(self, data: Data) -> Data:
        """`data`, if it is what the run was made with: every pixel, label and split. Raises LabError for others."""
        made_with = self.environment()["data_fingerprint"]
        if data.fingerprint != made_with:
            known = {"wanted": str(made_with)[:12], "found": data.fingerprint[:12]}
            raise LabError(reason("images", spec=data.spec, path=self.path, **known))
        return data

    def scores(self) -> dict[str, Any]:
        """The run's scores.json; empty before an evaluation. Raises Damaged."""
        return self._written("scores.json")

    def notes(self) -> dict[str, Any]:
        """What somebody noted of the run: `note`, `tags`. Raises Damaged."""
        return {"note": "", "tags": []} | self._written("notes.json")

    def write_notes(self, tags: list[str], note: str) -> None:
        """Replace what is noted. Raises Damaged for a notes.json that is broken, which stays as it is."""
        if (before := self.notes()) != (now := before | {"tags": tags, "note": note}):
            replace_json(self.path / "notes.json", now, sealed=False)

    def status(self) -> dict[str, Any]:
        """The run's status.json. A "running" run whose process is gone is told as "stopped", with the reason. Raises Damaged."""
        status = self._written("status.json")
        if status.get("state") in ("starting", "running", "paused") and not self.is_locked():
            status |= {"state": "stopped", "message": KILLED}
        return status

    def sampled_step(self) -> int | None:
        """The step of what the run is sampled from: of one that stopped early its best, else its last; None before there is one."""
        status = self.status()
        step: int | None = status.get("sampled", status.get("step"))
        return step

    def _written(self, name: str) -> dict[str, Any]:
        try:
            return read_record(self.path, name)
        except FileNotFoundError:
            return {}

    def write_status(
        self,
        state: str,
        step: int,
        message: str = "",
        diagnosis: list[dict[str, Any]] | None = None,
        live: dict[str, Any] | None = None,
    ) -> None:
        """Replace status.json, keeping its diagnosis where none is given; a full disk is no reason to stop training.

        `live` are further keys, of a run that trains (docs/run-folder.md lists them).
        """
        assert state in STATES, state  # noqa: S101 - a fault of ours, not the user's
        if diagnosis is None:
            diagnosis = read_json_or_nothing(self.path / "status.json", RECORDS["status.json"]).get("diagnosis", [])
        status = {"state": state, "step": step, "pid": os.getpid(), "message": message, "diagnosis": diagnosis}
        try:
            replace_json(self.path / "status.json", status | (live or {}))
        except OSError as error:
            if not is_full(error):
                raise

    def metrics(self) -> list[dict[str, Any]]:
        """Every line of metrics.jsonl, oldest first; a torn last line (a killed writer) is left out. Raises Damaged."""
        tail = Tail(self.metrics_file, ROW)
        rows, _ = tail.read()
        last = tail.last()
        return rows if last is None else [*rows, last]

    def tail(self) -> Tail:
        """metrics.jsonl for one who watches: each read gives the new rows alone, without damaged ones, whose numbers it keeps."""
        return Tail(self.metrics_file, ROW, lenient=True)

    def truncate_metrics(self, step: int) -> None:
        """Forget the lines after `step`, which a resumed run is about to write again; −1 keeps only requests, of step 0."""
        if self.metrics_file.exists():
            kept = [row for row in self.metrics() if row["step"] <= (max(step, 0) if "request" in row else step)]
            replace_text(self.metrics_file, lines(kept, 0)[0])

    def pictures(self, kind: str) -> list[tuple[int, Path]]:
        """The (step, file) of each picture in "samples" or "reconstructions", or of each record in "moments", in order."""
        named = ((re.fullmatch(r"step-(\d{8})\.(?:png|npz)", path.name), path) for path in (self.path / kind).glob("step-*"))
        return sorted((int(match[1]), path) for match, path in named if match)

    def forget_pictures(self, step: int) -> None:
        """Remove pictures and frames of later steps than `step`, which the resumed run draws again, and what was lent to pages."""
        from latentlab.runs import frames  # here: it takes numpy, without which runs are listed

        for kind in ("samples", "reconstructions", "moments"):
            for drawn, path in self.pictures(kind):
                if drawn > step:
                    path.unlink()
        frames.forget(self.path / frames.NAME, step or -1)  # that of step 0 is recorded anew
        (self.path / HALF).unlink(missing_ok=True)
        shutil.rmtree(self.live, ignore_errors=True)

    def tidy(self) -> None:
        """Remove what a killed process left half-written. Call it while holding the run's lock."""
        for path in self.path.rglob(".*.*"):
            if path.name.rpartition(".")[2].isdigit():
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def is_locked(self) -> bool:
        """Whether some process trains this run now."""
        try:
            with self.locked(patience=0.0, shared=True):
                return False
        except Busy:
            return True
        except OSError:  # there is none, or one that nobody here may read: a copy, which nobody trains
            return False

    def locked(self, patience: float = 0.5, shared: bool = False) -> AbstractContextManager[None]:
        """Hold the run's lock. Raises Busy. `shared` is for those who only look whether the run is locked.

        `patience` in seconds outlasts them.
        """
        busy = reason("busy", path=self.path)
        return lock(self.path / "lock", patience, busy, shared)

    def requests(self) -> list[dict[str, Any]]:
        """The requests in control.json; a half-written or foreign file counts as none."""
        requests = read_json_or_nothing(self.path / "control.json").get("requests")
        return [r for r in requests if isinstance(r, dict) and r.get("action") in ACTIONS] if isinstance(requests, list) else []

    def request(self, action: str, settings: dict[str, float] | None = None) -> str:
        """Ask the process that trains this run for something; returns the request's id.

        Any number of processes may ask at once. Those taken long ago are dropped from the file. Raises LabError.
        """
        if action not in ACTIONS:
            raise refusal("an action", "one of " + ", ".join(ACTIONS), action)
        entry: dict[str, Any] = {"id": uuid.uuid4().hex, "action": action}
        if settings is not None:
            entry["set"] = settings
        with self._asking():
            replace_json(self.path / "control.json", {"requests": [*self._recent_requests(), entry]}, sealed=False)
        return str(entry["id"])

    def forget_requests(self) -> None:
        """Drop what was asked of an earlier process, before another one begins."""
        if not (self.path / "control.json").exists():
            return
        with self._asking():
            (self.path / "control.json").unlink(missing_ok=True)

    def _asking(self) -> AbstractContextManager[None]:
        busy = f"{self.path / 'control.json'} must be free to be written, but another process holds it. Try again."
        return lock(self.path / "control.lock", REQUEST_PATIENCE_SECONDS, busy)

    def _recent_requests(self) -> list[dict[str, Any]]:
        """The requests not yet taken, and before them as many taken ones as make up KEPT_REQUESTS."""
        requests = self.requests()
        newest = read_json_or_nothing(self.path / "status.json").get("taken")
        taken = next((n for n, request in enumerate(requests, 1) if request.get("id") == newest), 0) if newest else 0
        return requests[max(0, min(taken, len(requests) + 1 - KEPT_REQUESTS)) :]


class Lent(RunFolder):
    """A run that trains, with the networks that it lends to pages as its checkpoints."""

    @property
    def checkpoints(self) -> Path:
        return self.live


def open_folder(path: str | Path) -> RunFolder:
    """The run in a folder. Raises LabError when there is none."""
    folder = Path(path)
    if not (folder / "config.json").is_file():
        raise refusal("a run", "a folder with a config.json", str(path), "`latentlab runs` lists those under runs/.")
    return RunFolder(folder)


@contextmanager
def new_folder(path: str | Path) -> Iterator[RunFolder]:
    """A folder in which a run is built, beside its place; it comes there, whole, when the block ends, and is gone when that raises.

    So a killed creation leaves nothing that must be continued or removed: what it began is hidden, and the next one of that name
    takes it away. Raises LabError where something is in the place already, or it cannot be written.
    """
    place = Path(path)
    if str(path) in ("", "."):
        raise refusal("out", "the path of a folder that is new or empty", str(path), "Name one, as runs/first.")
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        is_run = (place / "config.json").is_file()
        remedy = f"Continue that run with `latentlab resume {path}`, or name another." if is_run else "Name another."
        raise refusal("out", "a folder that is new or empty", str(path), remedy)
    folder = RunFolder(place.with_name(f".{place.name}.{os.getpid()}"))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        for left in place.parent.glob(f".{glob.escape(place.name)}.*"):
            if left.name.rpartition(".")[2].isdigit() and not RunFolder(left).is_locked():
                shutil.rmtree(left, ignore_errors=True)
        folder.path.mkdir()
    except OSError as error:
        raise LabError(f"{path} cannot be created ({error.strerror}). Name a folder that you may write to.") from None
    try:
        yield folder
        sync_folder(folder.path)
        try:
            os.rename(folder.path, place)
        except OSError:  # into a folder that is there and empty, Windows moves none, nor does Linux where a disk is mounted
            if not place.is_dir():
                raise
            if any(place.iterdir()):
                raise refusal(
                    "out", "a folder that is new or empty", str(path), "Another run came there meanwhile. Name another."
                ) from None
            for entry in sorted(folder.path.iterdir(), key=lambda entry: entry.name == "config.json"):
                rename(entry, place / entry.name)
    finally:
        shutil.rmtree(folder.path, ignore_errors=True)


def next_folder(preset: str, spec: str, under: Path = Path("runs")) -> Path:
    """The default folder of a new run: runs/PRESET-DATA-NNN with the first free number."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", Path(spec.partition(":")[2]).name.removesuffix(".npz") or spec).strip("-").lower() or "data"
    stem = f"{preset}-{slug}-"
    taken = [int(p.name[len(stem) :]) for p in under.glob(stem + "*") if p.name[len(stem) :].isdigit()]
    return under / f"{stem}{max(taken, default=0) + 1:03d}"


def run_paths(path: str | Path) -> list[Path]:
    """The run folder itself, or the runs directly in a folder that is none; at least itself."""
    inner = [] if (Path(path) / "config.json").is_file() else sorted(config.parent for config in Path(path).glob("*/config.json"))
    return inner or [Path(path)]


def list_runs(under: str | Path) -> list[RunFolder]:
    """Every run folder at most three levels below a folder, by path; those in folders whose name begins with a dot are left out."""
    root = Path(under)
    if not root.is_dir():
        raise refusal("a runs folder", "a folder", str(under), "Train something first: `latentlab train mlp-vae`.")
    folders = {p.parent for depth in ("", "*/", "*/*/", "*/*/*/") for p in root.glob(depth + "config.json") if not _is_hidden(p, root)}
    return [RunFolder(path) for path in sorted(folders)]


def _is_hidden(path: Path, root: Path) -> bool:
    """Whether a folder between a root and a path begins with a dot, such as the studio's trash."""
    return any(part.startswith(".") for part in path.relative_to(root).parts)

"""Ray's tasks under the pool's interface: commands and orders on the nodes of a cluster. No torch here.

A node that sees the folder of the runs works in it. For one that does not, their files come and go through a `Keeper` where the
command was typed: what a run has before it starts, what is new after each checkpoint and at its end, always under the path that it
has there. So a run that died with its node goes on elsewhere.
"""

from __future__ import annotations

import functools
import logging
import os
import platform
import signal
import socket
import threading
import traceback
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from latentlab.base import __version__, core_count
from latentlab.base.errors import LabError, refusal
from latentlab.base.files import cache_folder, replace_bytes
from latentlab.base.signals import NUMBERS
from latentlab.lab.keeper import Keeper, Stamps, changes, stamps, take
from latentlab.lab.pool import Answered, Job, Order, Pool, limits

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
try:
    import ray
    from ray.exceptions import RayError, RayTaskError, TaskCancelledError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ModuleNotFoundError:
    raise LabError("--on ray needs Ray, which is not installed: pip install 'latentlab[cluster]'.") from None

RETRIES = 3  # of an order whose node died
CALLS = 50  # commands of a process, which has its libraries loaded once; a GPU's serves one: it keeps the GPU that it first saw
TRIES = 3  # to start Ray
PATIENCE_SECONDS = 10.0  # for a cluster to answer
LOOK_SECONDS = 2.0  # between two looks for a new checkpoint

Main = Callable[[Sequence[str]], int]


@dataclass(frozen=True)
class Site:
    """Where the command was typed, as a task on another node needs it."""

    cwd: str
    versions: Mapping[str, str]
    threads: int = 1
    classifiers: Any = None  # reference to what the cache there holds, file by file
    keeper: Any = None  # None: there is no node but this one
    token: Path | None = None  # who sees it shares the folder


class RayJob(Job):
    """A command that Ray runs somewhere."""

    def __init__(self, log: Path, task: Any) -> None:
        self.log, self.task = log, task
        self.said_from = log.stat().st_size if log.exists() else 0
        self.ended: int | None = None
        self.words = ""

    def status(self) -> int | None:
        """See `Job.status`."""
        if self.ended is None and ray.wait([self.task], timeout=0)[0]:
            with suppress(OSError):
                os.listdir(self.log.parent)  # a network's file system then asks its server what is new there
            try:
                self.ended = int(ray.get(self.task))
            except TaskCancelledError:
                self.ended = 128 + signal.SIGINT
            except RayTaskError as error:
                self.ended, self.words = 2 if isinstance(error.cause, LabError) else 1, str(error.cause)
            except RayError as error:
                self.ended, self.words = -signal.SIGKILL, f"its node or process died ({type(error).__name__})."
            self.lost = self.ended < 0 or self.ended == 128 + signal.SIGTERM  # which is how a node is cleared
        return self.ended

    def stop(self) -> None:
        """See `Job.stop`: it hears Ctrl-C."""
        ray.cancel(self.task)

    def kill(self) -> None:
        """See `Job.kill`."""
        ray.cancel(self.task, force=True)
        ray.wait([self.task])

    def last_words(self) -> str:
        """See `Job.last_words`."""
        return self.words or (super().last_words() if self.log.exists() else "")


@dataclass
class RayPool(Pool):
    """The nodes of a cluster, each run with its CPUs, and a GPU where the cluster has some that runs may use."""

    main: Main
    site: Site
    cpus: list[int]  # of each node
    gpus: int
    tokens: dict[Path, Path] = field(default_factory=dict)
    kept: tuple[list[str], Any] = ([], None)  # the classifiers that were given to Ray last

    def room(self, threads: int) -> int:
        """See `Pool.room`. Raises LabError where no node has so many CPUs."""
        if threads > max(self.cpus):
            raise refusal("train.threads", f"at most {max(self.cpus)}, the CPUs of the cluster's largest node", threads)
        return self.gpus or sum(cpus // threads for cpus in self.cpus)

    def start(self, command: Sequence[str], log: Path, threads: int, run: Path, reads: Sequence[Path] = ()) -> RayJob:
        """See `Pool.start`."""
        own, others = ([str(path.absolute()) for path in paths] for paths in ((run, log), reads))
        return RayJob(log, self._task(_command, threads, 0).remote(self.main, command[3:], self._site(log.parent, threads), own, others))

    def answers(self, program: Sequence[str], orders: deque[Order], log: Path, workers: int) -> Generator[Answered]:
        """See `Pool.answers`. A worker that dies is followed by another, which goes on with its order."""
        given: dict[Any, Order] = {}
        try:
            while orders or given:
                while orders and len(given) < workers:
                    order = orders.popleft()
                    own, others = _places(order, log.parent)
                    given[self._task(_answer, 1, RETRIES).remote(program[-1], order, self._site(log.parent, 1), own, others)] = order
                (task, *_), _ = ray.wait(list(given))
                order, answer = given.pop(task), None
                try:
                    answer, said = ray.get(task)
                except RayError as error:
                    said = f"{error}\n"
                with open(log, "a", encoding="utf-8") as file:
                    file.write(said)
                yield order, answer
        finally:
            orders.clear()
            for task in given:
                ray.cancel(task)
            if given:
                ray.wait(list(given), num_returns=len(given))

    def _task(self, function: Callable[..., Any], threads: int, retries: int) -> Any:
        self.room(threads)
        asked: dict[str, Any] = {"num_cpus": threads, "num_gpus": min(1, self.gpus), "max_retries": retries}
        return _remote(function, 1 if self.gpus else CALLS).options(**asked)

    def _site(self, folder: Path, threads: int) -> Site:
        site = replace(self.site, threads=threads)
        if site.keeper is None:
            return site
        if folder not in self.tokens:
            self.tokens[folder] = folder.absolute() / f".ray-{uuid.uuid4().hex}"
            self.tokens[folder].touch()
        found = sorted((cache_folder() / "classifiers").glob("*.*"))
        if self.kept[1] is None or self.kept[0] != [path.name for path in found]:
            self.kept = [path.name for path in found], ray.put({path.name: path.read_bytes() for path in found})
        return replace(site, classifiers=self.kept[1], token=self.tokens[folder])


@functools.cache
def _remote(function: Callable[..., Any], calls: int) -> Any:
    return ray.remote(max_calls=calls)(function)


@contextmanager
def connected(address: str | None, main: Main, device: str) -> Iterator[RayPool]:
    """A pool of the cluster at an address, or of a Ray that starts on this machine and ends with the block. Raises LabError."""
    if address is not None and "://" in address:
        raise refusal("--ray-address", "auto, or HOST:PORT of a cluster that this machine is a node of", address, "Start Ray here too.")
    if address not in (None, "auto"):
        _knock(address)
    before = {number: signal.getsignal(number) for number in NUMBERS}
    _start(address)
    if threading.current_thread() is threading.main_thread():
        for number, handler in before.items():
            signal.signal(number, handler)  # Ray took some
    pool = None
    try:
        pool = _pool(main, device)
        yield pool
    finally:
        for token in pool.tokens.values() if pool else ():
            token.unlink(missing_ok=True)
        ray.shutdown()


def _start(address: str | None) -> None:
    """Join a cluster, or start one here: a busy machine may need several tries, for Ray's own patience ends after half a minute."""
    new: dict[str, Any] = {} if address else {"num_cpus": core_count(), "include_dashboard": False}
    for left in reversed(range(1 if address else TRIES)):
        try:
            ray.init(address or "local", log_to_driver=False, logging_level=logging.ERROR, **new)
            return
        except Exception as error:  # of which Ray raises many kinds, and this one itself
            why = str(error).strip().partition("\n")[0]
            ray.shutdown()
            if address is not None:
                raise _no_cluster(address, why) from None
            if not left:
                raise LabError(f"Ray cannot start on this machine ({why}). Leave --on ray out.") from None


def _knock(address: str) -> None:
    """Raise LabError where nothing listens at HOST:PORT: Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), PATIENCE_SECONDS).close()
    except (OSError, ValueError) as error:
        raise _no_cluster(address, getattr(error, "strerror", None) or "it is no HOST:PORT") from None


def _no_cluster(address: str, why: str) -> LabError:
    return refusal("--ray-address", "auto, or that of a cluster that answers", address, f"({why}) See docs/cluster.md.")


def _pool(main: Main, device: str) -> RayPool:
    nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    gpus = 0 if device == "cpu" else sum(int(node["Resources"].get("GPU", 0)) for node in nodes)
    if device == "cuda" and not gpus:
        raise refusal("train.device", "one that the cluster has", device, "Its nodes name no GPU. Use --device auto.")
    keeper = None
    if len(nodes) > 1:
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        keeper = ray.remote(Keeper).options(num_cpus=0, scheduling_strategy=here, max_concurrency=1).remote()
    return RayPool(main, Site(os.getcwd(), _versions(), keeper=keeper), [int(node["Resources"].get("CPU", 0)) for node in nodes], gpus)


def _versions() -> dict[str, str]:
    return {"latentlab": __version__} | {name: version(name) for name in ("torch", "numpy")}


def _places(order: Order, folder: Path) -> tuple[list[str], list[str]]:
    """The files that an order makes, and the runs in the folder of the questions that it speaks of."""
    own = [str(Path(order[name]).absolute()) for name in ("path", "result") if order[name]]

    def spoken(value: Any) -> Iterator[str]:
        if isinstance(value, Mapping):
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                yield from spoken(each)
        elif isinstance(value, str) and Path(value).is_absolute() and Path(value).parent == folder.resolve():
            yield value

    return own, [path for path in spoken([order.get("changes"), order["task"]]) if path not in own]


# On the nodes.


def _command(main: Main, arguments: Sequence[str], site: Site, own: list[str], reads: list[str]) -> int:
    """A command of latentlab in this process; `own` are its run and its log."""
    with _there(site, own, reads), open(own[1], "a", buffering=1, encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
        try:
            return main(list(arguments))
        except Exception:
            traceback.print_exc()
            return 1


def _answer(module: str, order: Order, site: Site, own: list[str], reads: list[str]) -> tuple[dict[str, Any], str]:
    """What a module answers to an order, and what was said meanwhile."""
    with _there(site, own, reads), StringIO() as log, redirect_stdout(log), redirect_stderr(log):
        return import_module(module).answer(order), log.getvalue()


@contextmanager
def _there(site: Site, own: list[str], reads: list[str]) -> Iterator[None]:
    """As if where the command was typed, with the files of runs. Raises LabError on a node that has other versions."""
    if (here := _versions()) != site.versions:
        wanted = ", ".join(f"{name} {number}" for name, number in site.versions.items())
        raise LabError(f"node {platform.node()} must have {wanted}, as where the command was typed. It has {', '.join(here.values())}.")
    if site.classifiers is not None:
        for name, content in ray.get(site.classifiers).items():
            if not (path := cache_folder() / "classifiers" / name).exists():
                replace_bytes(path, content)
    os.makedirs(site.cwd, exist_ok=True)
    os.chdir(site.cwd)
    os.environ.update(limits(site.threads))
    with threadpool_limits(site.threads):  # of libraries that are loaded already
        yield from _with_files(site, own, reads)


def _with_files(site: Site, own: list[str], reads: list[str]) -> Iterator[None]:
    """The files of runs come before and go after, on a node that does not see them."""
    if site.keeper is None or site.token is None or site.token.exists():
        yield
        return
    for path in own:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    holder, ended = uuid.uuid4().hex, threading.Event()
    take(ray.get(site.keeper.lend.remote(own, reads, stamps([*own, *reads]), holder)))
    known = stamps(own)

    def send(now: Stamps) -> None:
        nonlocal known
        ray.get(site.keeper.keep.remote(own, holder, changes(now, known)))
        known = now

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            now = stamps(own)
            if any(name.endswith("MANIFEST.json") for name in now.keys() - known.keys()):
                send(now)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        send(stamps(own))

"""Several processes that train one run, by PyTorch's distributed package: gloo on CPUs, NCCL on GPUs.

Rank 0 has the run: its folder, its lock, its requests, its signals. It says before each update which it is; the others read the same
batch, compute their shards and move the same weights, and write nothing. So there is one loop, and it knows nothing of them.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from latentlab.base import __version__
from latentlab.base.errors import LabError, Lost, NonFinite, refusal
from latentlab.base.images import is_point
from latentlab.base.machine import keep_freed_memory, threads
from latentlab.base.processes import place
from latentlab.base.signals import StopFlag
from latentlab.base.texts import reason
from latentlab.config.parts import DataConfig
from latentlab.config.schema import Config
from latentlab.data import Data, canonical, load_data, step_indices
from latentlab.models import build
from latentlab.models.engine import Batch, Losses, TorchEngine
from latentlab.models.learner import Learner, Moment
from latentlab.train.engines import engine_device

PATIENCE = timedelta(seconds=60)  # with a process that hangs within a step; one that ends is known at once
IDLE = timedelta(days=30)  # that rank 0 may take between two orders: a run can be paused


class Group:
    """This process among those of its run. Raises LabError where they do not come together."""

    def __init__(self) -> None:
        self.rank, self.size = place()
        self.lost = False  # one of the others
        here = int(os.environ.get("LOCAL_WORLD_SIZE", self.size))
        self.own_cards = torch.cuda.device_count() >= here  # else gloo carries what several compute on one
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        with self.connected():
            store, rank, size = next(dist.rendezvous("env://", timeout=PATIENCE))  # type: ignore[attr-defined]
            # torchrun may keep its store when it starts all anew, with the addresses of those that ended.
            store = dist.PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"), store)  # type: ignore[attr-defined]
            dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
            self.orders = dist.new_group(backend="gloo", timeout=IDLE)
            self.pairs = self._pairs()

    def __enter__(self) -> Group:
        return self

    def __exit__(self, *raised: object) -> None:
        if self.rank == 0:
            self.tell("end")
        if not self.lost:  # else it would wait for the one that is gone
            dist.destroy_process_group()

    @contextmanager
    def connected(self) -> Iterator[None]:
        """What is said between two processes. Rank 0 is told where the other one is gone; any other ends. Raises Lost.

        Always two: who waits for all in a collective call does not see that somebody else waits for one that is gone.
        """
        try:
            yield
        except RuntimeError:  # of torch: a connection was closed, or nothing came
            self.lost = True
            if self.rank:
                os._exit(1)  # it has written nothing, and torch might wait for what it began to send
            raise Lost(reason("ended")) from None

    def _pairs(self) -> dict[int, Any]:
        """By each power of two, this process with the one whose number differs by it."""
        pairs: dict[int, Any] = {}
        for distance in (1 << bit for bit in range(self.size.bit_length() - 1)):
            for low in range(self.size - distance):
                if not low & distance:  # every process makes every pair
                    made = dist.new_group([low, low + distance], timeout=PATIENCE)
                    pairs |= {distance: made} if self.rank in (low, low + distance) else {}
        return pairs

    def tell(self, *order: Any) -> None:
        """Say something to all others; nothing where one of them is gone."""
        for rank in () if self.lost else range(1, self.size):
            with suppress(Lost), self.connected():
                dist.send_object_list([order], rank, self.orders)

    def hear(self, rank: int = 0) -> Any:
        """What another process says next."""
        order: list[Any] = [None]
        with self.connected():
            dist.recv_object_list(order, rank, self.orders)
        return order[0]

    def answer(self, answer: Any) -> None:
        """Say something to rank 0, which has asked for it."""
        with self.connected():
            dist.send_object_list([answer], 0, self.orders)

    def gathered(self) -> list[Any]:
        """The answers of all others, by rank. Raises Lost."""
        return [self.hear(rank) for rank in range(1, self.size)]

    def add(self, mine: Tensor, distance: int) -> Tensor:
        """The sum of this vector and that of the process whose number differs in one bit. Raises Lost."""
        total = mine if self.own_cards else mine.cpu()
        with self.connected():
            if self.lost:
                raise RuntimeError
            dist.all_reduce(total, group=self.pairs[distance])  # of two, in whatever order
        return total.to(mine.device)

    def read(self, config: DataConfig) -> Data:
        """The images, which all processes decode side by side where they are not decoded yet. Raises what `load_data` raises."""
        self.tell("read", replace(config, spec=canonical(config.spec)))
        return load_data(config)

    def fits(self, config: Config) -> None:
        """Raise LabError where the processes cannot have equally many shards each."""
        if config.train.shards % self.size:
            must_be = reason("must.processes", size=self.size)
            raise refusal("train.shards", must_be, config.train.shards, reason("remedy.processes"))

    def lead(self, learner: Learner, device: torch.device, config: Config, data: Data, bf16: bool) -> Leading:
        """The engine of rank 0, when all others are ready. Raises LabError for the first that cannot follow."""
        facts = {"config": config.to_json(), "spec": data.spec, "bf16": bf16, "data": data.fingerprint, "alike": self.facts(device)}
        self.tell("follow", facts)
        for problem in filter(None, self.gathered()):
            raise LabError(problem)
        learner.shards.share(0, self.size, self.add)
        return Leading(learner, device, self)

    def facts(self, device: torch.device) -> dict[str, Any]:
        """What must be alike in every process."""
        versions = {"latentlab": __version__, "torch": torch.__version__, "numpy": np.__version__}
        return versions | {"device": device.type, "a GPU for each process": self.own_cards}


class Leading(TorchEngine):
    """Rank 0's engine: it says what is computed, then does its own part."""

    def __init__(self, learner: Learner, device: torch.device, group: Group) -> None:
        super().__init__(learner, device)
        self.group, self.is_known = group, False  # whether the others have the weights

    def _say(self, phase: str, moment: Moment) -> None:
        if not self.is_known:
            self.group.tell("load", super().tensors())
            self.is_known = True
        self.group.tell(phase, moment.step, moment.images_seen)

    def update(self, batches: Sequence[Batch], moments: Sequence[Moment]) -> Sequence[Losses]:
        self._say("", moments[0])
        return super().update(batches, moments)

    def run_phase(self, phase: str, batch: Batch, moment: Moment) -> Losses:
        self._say(phase, moment)
        return super().run_phase(phase, batch, moment)

    def set(self, name: str, value: float) -> None:
        super().set(name, value)
        self.group.tell("set", name, value)

    def tensors(self) -> dict[str, NDArray[Any]]:
        """As any engine's. Raises LabError where another process has come to other weights."""
        if self.is_known and not self.group.lost:
            self.group.tell("digest")
            with suppress(Lost):
                mine = digest(self.learner)
                for rank, other in enumerate(self.group.gathered(), 1):
                    if other != mine:
                        raise LabError(reason("drifted", rank=rank))
        return super().tensors()

    def load_tensors(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        super().load_tensors(tensors)
        self.is_known = False


def digest(learner: Learner) -> str:
    """The sha256 of the networks' weights, which every process of a run has alike: processors of two kinds may round otherwise."""
    weights = hashlib.sha256()
    for network in learner.networks.values():
        for parameter in network.parameters():
            weights.update(parameter.detach().cpu().numpy().tobytes())
    return weights.hexdigest()


def follow(group: Group) -> int:
    """What a process does that is not rank 0: what it is told, to the end. Returns the exit status."""
    flag = StopFlag()
    with flag.installed():
        while (told := group.hear())[0] == "read":  # as rank 0 does now: they decode side by side
            with suppress(LabError, OSError):  # which `_ready` tells
                load_data(told[1])
        what, *facts = told
        if what == "end":  # before there was anything to train
            return 0
        try:
            config, data, engine = _ready(group, *facts)
        except (LabError, OSError) as error:
            group.answer(f"process {group.rank} ({platform.node()}): {error}")
            return LabError.exit_status
        group.answer("")
        keep_freed_memory()
        with threads(int(config.train.threads)):
            while flag.signal is None:
                match group.hear():
                    case ("end",):
                        return 0
                    case ("load", tensors):
                        engine.load_tensors(tensors)
                    case ("set", name, value):
                        engine.set(name, value)
                    case ("digest",):
                        group.answer(digest(engine.learner))
                    case (phase, step, seen):
                        batch, moment = own_batch(engine, config, data, seen), Moment(step, seen)
                        with suppress(NonFinite):  # which rank 0 tells
                            engine.run_phase(phase, batch, moment) if phase else engine.update([batch], [moment])
    return 128 + flag.signal


def own_batch(engine: TorchEngine, config: Config, data: Data, position: int) -> Batch:
    """The images of a step [M, H, W, C] and their classes; images of other processes' shards are not read, and black."""
    rows, shards = step_indices(config.train, position, engine.images_per_step, len(data.train)), engine.learner.shards
    mine = np.zeros(len(rows), bool)
    mine.reshape(-1, shards.count, config.train.batch_size // shards.count)[:, list(shards.mine)] = True
    images = np.zeros((len(rows), *data.shape), np.float32 if is_point(data.shape) else np.uint8)
    images[mine] = data.train.take(rows[mine])
    return Batch(images, None if data.train.labels is None else data.train.labels[rows])


def _ready(group: Group, facts: Mapping[str, Any]) -> tuple[Config, Data, TorchEngine]:
    """What a run is computed with here. Raises LabError where it is not what rank 0 has."""
    config = Config.from_json(facts["config"])
    device = engine_device(config, {})
    for name, value in group.facts(device).items():
        if (wanted := facts["alike"][name]) != value:
            raise refusal(name, reason("must.process", value=wanted), value)
    data = load_data(replace(config.data, spec=facts["spec"]))
    if data.fingerprint != facts["data"]:
        known = {"wanted": facts["data"][:12], "found": data.fingerprint[:12]}
        raise LabError(reason("images", spec=data.spec, path="process 0", **known))
    learner = build(config, data.shape, device, facts["bf16"])
    learner.shards.share(group.rank, group.size, group.add)
    return config, data, TorchEngine(learner, device)

"""A batch in equal shards, with the same bits on any number of processes.

Each shard's forward and backward are computed whole by one process. What comes of them (gradients, batch norm's statistics, losses)
is added up in one fixed tree: neighbours, then pairs of pairs. The shards of a process are 2^k neighbours, so that its own sum is a
node of that tree; what is left is recursive doubling between processes. a + b = b + a in IEEE 754: both of a pair get equal bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from latentlab.base.errors import Lost
from latentlab.models.learner import Losses, moved
from latentlab.models.optimiser import Adam, Compute

Computed = Callable[..., Losses]  # of tensors [N, …]: means over the images, the first of which is minimised


class Shards:
    """How the gradient of a batch is computed: whole, or in `count` shards, a power of two that divides the batch."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.alone()

    def alone(self) -> None:
        """This process computes every shard."""
        self.mine, self.distances = range(self.count), list[int]()

    def share(self, rank: int, processes: int, add: Callable[[Tensor, int], Tensor]) -> None:
        """Compute with other processes: `add` gives the sum of a vector and that of the one whose number differs in one bit.

        Where it raises Lost, this process computes what is missing itself, and every shard from then on.
        """
        each = self.count // processes
        self.mine, self.add = range(rank * each, (rank + 1) * each), add
        self.distances = [1 << bit for bit in range(processes.bit_length() - 1)]

    def descend(
        self,
        losses: Computed,
        inputs: Sequence[Tensor],
        adam: Adam,
        step: int,
        what: str,
        networks: Iterable[nn.Module],
        computes: Sequence[Compute] = (),
        hold: bool = False,
    ) -> tuple[Losses, Tensor]:
        """One update down the first of `losses(*inputs)`: these losses, and the gradient's norm. Raises NonFinite before a weight moves.

        `networks` are those whose buffers record the batch; with `hold` no weight moves.
        """
        if self.count == 1:
            told = losses(*inputs)
            backward(next(iter(told.values())), adam, computes)
            told = {name: loss.detach() for name, loss in told.items()}
        else:
            told = self._summed(losses, inputs, adam, [buffer for network in networks for buffer in network.buffers()], computes)
        return told, moved(adam, step, what, next(iter(told.values())), hold)

    def means(self, losses: Computed, inputs: Sequence[Tensor]) -> Losses:
        """The losses alone, every shard computed here."""
        told = [losses(*self._rows(inputs, shard)) for shard in range(self.count)]
        return {name: torch.stack([each[name] for each in told]).mean() for name in told[0]}

    def _rows(self, inputs: Sequence[Tensor], shard: int) -> list[Tensor]:
        size = len(inputs[0]) // self.count
        return [each[shard * size : (shard + 1) * size] for each in inputs]

    def _summed(
        self, losses: Computed, inputs: Sequence[Tensor], adam: Adam, buffers: Sequence[Tensor], computes: Sequence[Compute]
    ) -> Losses:
        """Leave each parameter its gradient and each buffer the mean of what the shards made of it; the losses' means."""
        before = [buffer.clone() for buffer in buffers]
        recorded = [buffer for buffer in buffers if buffer.is_floating_point()]
        names: list[str] = []

        def computed(shard: int) -> list[Tensor]:
            for buffer, start in zip(buffers, before, strict=True):
                buffer.copy_(start)  # so that a count of batches goes up by one
            told = losses(*self._rows(inputs, shard))
            names[:] = told
            first = told[names[0]] / self.count  # a power of two: nothing is rounded
            backward(first, adam, computes, fresh=True)
            gradients = [parameter.grad for _, parameter in adam.named if parameter.grad is not None]
            values = torch.stack([loss.detach() for loss in told.values()])
            return [*gradients, *(buffer / self.count for buffer in recorded), values / self.count]

        try:
            total = self._exchanged(tree(map(computed, self.mine)))
        except Lost:
            self.alone()
            total = tree(map(computed, self.mine))
        for (_, parameter), gradient in zip(adam.named, total, strict=False):
            parameter.grad = gradient
        for buffer, mean in zip(recorded, total[len(adam.named) : -1], strict=True):
            buffer.copy_(mean)
        return dict(zip(names, total[-1].unbind(), strict=True))

    def _exchanged(self, total: list[Tensor]) -> list[Tensor]:
        """The sum over all processes of tensors of this one."""
        for distance in self.distances:
            added = torch.split(self.add(torch.cat([each.reshape(-1) for each in total]), distance), [t.numel() for t in total])
            # Copied to tensors of their own: a product over a view that begins elsewhere in memory may round otherwise.
            torch._foreach_copy_(total, [a.view_as(t) for a, t in zip(added, total, strict=True)])
        return total


def backward(loss: Tensor, adam: Adam, computes: Iterable[Compute] = (), fresh: bool = False) -> None:
    """Give each parameter of an optimiser its gradient; `computes` bring it from bf16 copies, to `fresh` memory each time if asked."""
    for _, parameter in adam.named:
        parameter.grad = None
    loss.backward()  # type: ignore[no-untyped-call]
    for compute in computes:
        compute.collect(fresh)


def tree(parts: Iterable[list[Tensor]]) -> list[Tensor]:
    """The sum of 2^k lists of tensors, pairs first and then pairs of pairs, of which no more than k + 1 are held at once."""
    waiting: list[tuple[int, list[Tensor]]] = []
    for part in parts:
        size, total = 1, part
        while waiting and waiting[-1][0] == size:
            _, before = waiting.pop()
            torch._foreach_add_(before, total)
            size, total = 2 * size, before
        waiting.append((size, total))
    return waiting[0][1]

"""Which of the processes that train together this one is."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import dataclass
from typing import NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from picosam2.errors import InputError

Value = TypeVar("Value")
# Of glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


@dataclass(frozen=True)
class World:
    """One of ``size`` processes that train one network on equal parts of every batch.

    Args:
        rank: of this process, 0 ≤ rank < size; 0 writes the files of the run.
        size: number of processes.
        local_rank: of this process on its machine: the GPU that it takes.
        rendezvous: where they find each other, as ``torch.distributed`` has it.
        own_photographs: whether every process holds its own part of the photographs and draws
            from these; otherwise all hold all of them and share one draw.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    rendezvous: str = "env://"
    own_photographs: bool = False

    @property
    def device(self) -> torch.device:
        """This process's GPU, or the CPU where there is none."""
        if torch.cuda.is_available():
            return torch.device("cuda", self.local_rank)
        return torch.device("cpu")

    @property
    def part(self) -> slice:
        """Which of the shards (or photographs of a folder in COCO format) are this process's."""
        return slice(self.rank, None, self.size) if self.own_photographs else slice(None)

    def join(self) -> None:
        """Meet the others: NCCL between GPUs, gloo between CPUs.

        Raises:
            InputError: there are GPUs, but none for this process.
        """
        if self.device.type == "cuda":
            if self.local_rank >= torch.cuda.device_count():
                raise InputError(f"one process a GPU: at most {torch.cuda.device_count()}")
            torch.cuda.set_device(self.device)
        elif self.size > 1:
            torch.set_num_threads(1)
        if self.size > 1 and not dist.is_initialized():
            backend = "cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo"
            dist.init_process_group(
                backend, init_method=self.rendezvous, rank=self.rank, world_size=self.size
            )

    def gather(self, value: Value) -> list[Value]:
        """The value of every process, by rank; each must ask."""
        if self.size == 1:
            return [value]
        values: list[Value] = [value] * self.size
        dist.all_gather_object(values, value)
        return values

    def parallel(self, network: nn.Module) -> nn.Module:
        """The network, its gradients averaged over the processes."""
        if self.size == 1:
            return network
        return DistributedDataParallel(
            network, broadcast_buffers=False, gradient_as_bucket_view=True
        )

    def average_statistics(self, network: nn.Module) -> None:
        """Give BatchNorm's running statistics their means over the processes."""
        if self.size > 1:
            buffers = [buffer for buffer in network.buffers() if buffer.is_floating_point()]
            flat = torch.cat([buffer.flatten() for buffer in buffers])
            dist.all_reduce(flat)
            means = torch.split(flat / self.size, [buffer.numel() for buffer in buffers])
            for buffer, mean in zip(buffers, means, strict=True):
                buffer.copy_(mean.view_as(buffer))

    def leave(self) -> NoReturn:
        """End this process when all are done."""
        self.gather(self.rank)
        sys.stdout.flush()
        sys.stderr.flush()
        # All is on disk and every process is here: gloo's own teardown can wait for ever.
        os._exit(0)


def keep_freed_memory() -> None:
    """Keep the memory of freed tensors in the process, with glibc.

    It otherwise gives every large activation back to the kernel, which clears it page by page when
    the next one comes: a quarter of a step.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)


def torchrun_world() -> World | None:
    """This process's place where ``torchrun`` started it; None where it did not."""
    if not dist.is_torchelastic_launched():
        return None
    rank, size, local = (int(os.environ[k]) for k in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    return World(rank, size, local, own_photographs=True)

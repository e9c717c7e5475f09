"""One worker process a core, or all in this one."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import torch.multiprocessing
from torch.multiprocessing.spawn import ProcessExitedException
from tqdm import tqdm

from picosam2.errors import InputError
from picosam2.files import replacing, scratch_folder
from picosam2.processes import usable_cores
from picosam2.training.config import TrainConfig
from picosam2.training.loop import RunOptions, Validation, train
from picosam2.training.objects import TrainingObjects
from picosam2.training.world import World


def launch(
    objects: TrainingObjects,
    config: TrainConfig,
    options: RunOptions,
    validation: Validation | None = None,
    processes: int = 1,
) -> None:
    """Start the worker processes and wait for them; a single one trains right here.

    One process a core with one thread each is faster than one process with all threads: it waits
    for the others only once a step (``benchmarks/processes.py``).

    Raises:
        InputError: a worker refused its input.
    """
    if processes == 1:
        train(World(), objects, config, options, validation)
        return
    with scratch_folder() as shared:
        args = (processes, objects.share_memory_(), config, options, validation, shared)
        context = torch.multiprocessing.spawn(  # type: ignore[attr-defined, no-untyped-call]
            _worker, args, nprocs=processes, join=False
        )
        try:
            while not context.join():
                pass
        except ProcessExitedException as error:
            if _refusal(shared).is_file():
                raise InputError(_refusal(shared).read_text()) from None
            raise InputError(f"{error} (out of memory?); run it again to go on") from None
        finally:
            # An interrupt of this process alone must not leave the workers training.
            for process in context.processes:
                process.terminate()


def default_processes(batch: int) -> int:
    """One process for each GPU or usable core, as far as they share the batch evenly."""
    most = torch.cuda.device_count() or usable_cores()
    return max(n for n in range(1, most + 1) if batch % n == 0)


def _refusal(shared: Path) -> Path:
    return shared / "refusal.txt"


def _worker(
    rank: int,
    processes: int,
    objects: TrainingObjects,
    config: TrainConfig,
    options: RunOptions,
    validation: Validation | None,
    shared: Path,
) -> None:
    # PyTorch interrupts the workers when their parent dies; a background job ignores that signal.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # tqdm's own lock is a semaphore, which os._exit would leave behind.
    tqdm.set_lock(threading.RLock())
    try:
        world = World(rank, processes, rank, f"file://{shared}/rendezvous")
        train(world, objects, config, options, validation)
        world.leave()
    except (InputError, OSError) as error:
        # All workers may refuse at once, and the first one's end ends the others.
        with replacing(_refusal(shared)) as temporary:
            temporary.write_text(str(error))
        os._exit(2)

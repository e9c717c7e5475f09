"""Worker processes that end when their work does, or their parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from picosam2.errors import InputError
from picosam2.log import show_log

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

# Forked threads of ONNX Runtime do not work.
SPAWN = multiprocessing.get_context("spawn")


def usable_cores() -> int:
    """Cores that this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextlib.contextmanager
def worker_pool(
    workers: int, initialise: Callable[..., None], *arguments: Any
) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes; leaving the block ends them at once.

    Args:
        workers: how many.
        initialise: called in each with the arguments.
        arguments: picklable.

    Raises:
        InputError: a worker died.
    """
    stop = SPAWN.Event()
    pool = ProcessPoolExecutor(workers, SPAWN, _start, (stop, os.getpid(), initialise, arguments))
    try:
        yield pool
    except BrokenProcessPool:
        raise InputError("a worker died (out of memory?); run it again to go on") from None
    finally:
        # After an error nothing waits for what the others do; after the last task they do nothing.
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _start(
    stop: Event, parent: int, initialise: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    # Ctrl-C reaches every process; the parent alone says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(stop, parent), daemon=True).start()
    show_log()
    initialise(*arguments)


def _follow(stop: Event, parent: int) -> None:
    """End the worker when told to, or when its parent was killed: it would wait for ever."""
    while os.getppid() == parent and not stop.wait(0.5):
        pass
    os._exit(1)

"""Worker processes on this machine; a single one works right here."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from picosam2.data.shards import Problems
from picosam2.errors import InputError
from picosam2.labelling.config import LabelConfig
from picosam2.labelling.shard import Job, label_shard
from picosam2.teacher import load_teacher
from picosam2.teacher.base import Teacher

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Event

    from picosam2.labelling.executors import Progress

POLL_SECONDS = 0.5


def label_locally(
    jobs: list[Job], teacher: str, config: LabelConfig, workers: int, progress: Progress
) -> Iterator[Problems]:
    """Label shards on this machine; see ``Executor``.

    Raises:
        InputError: bad input, or a worker died.
    """
    if workers == 1 or len(jobs) < 2:
        loaded = load_teacher(teacher)
        for job in jobs:
            yield label_shard(job, loaded, config, progress)
        return
    # Forked threads of ONNX Runtime do not work.
    context = multiprocessing.get_context("spawn")
    counts: SimpleQueue[int] = context.SimpleQueue()
    stop = context.Event()
    pool = ProcessPoolExecutor(
        workers, context, _start_worker, (teacher, config, counts, stop, os.getpid())
    )
    try:
        waiting = {pool.submit(_label, job) for job in jobs}
        while waiting:
            done, waiting = wait(waiting, POLL_SECONDS, FIRST_COMPLETED)
            while not counts.empty():
                progress(counts.get())
            for future in done:
                yield future.result()
    except BrokenProcessPool:
        raise InputError("a worker died (out of memory?); run it again to go on") from None
    finally:
        # Nothing waits for the shards of the others after an error; after the last, there is none.
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


_teacher_name: str
_teacher: Teacher | None = None
_config: LabelConfig
_counts: SimpleQueue[int]


def _start_worker(
    teacher: str, config: LabelConfig, counts: SimpleQueue[int], stop: Event, parent: int
) -> None:
    global _teacher_name, _config, _counts
    # Ctrl-C reaches every process; the parent alone says so.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_follow, args=(parent, stop), daemon=True).start()
    _teacher_name, _config, _counts = teacher, config, counts


def _follow(parent: int, stop: Event) -> None:
    """End the worker when told to, or when its parent was killed: it would wait for ever."""
    while os.getppid() == parent and not stop.wait(1):
        pass
    os._exit(1)


def _label(job: Job) -> Problems:
    global _teacher
    # Not when the worker starts: there, a missing teacher would only break the pool.
    _teacher = _teacher or load_teacher(_teacher_name)
    return label_shard(job, _teacher, _config, _counts.put)

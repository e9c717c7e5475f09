"""Worker processes on this machine; a single one works right here."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from typing import TYPE_CHECKING

from picosam2.data.problems import LeftOut
from picosam2.labelling.config import LabelConfig
from picosam2.labelling.shard import Job, label_shard
from picosam2.processes import SPAWN, worker_pool
from picosam2.teacher import load_teacher
from picosam2.teacher.base import Teacher

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

    from picosam2.labelling.executors import Progress

POLL_SECONDS = 0.5


def label_locally(
    jobs: list[Job], teacher: str, config: LabelConfig, workers: int, progress: Progress
) -> Iterator[list[LeftOut]]:
    """Label shards on this machine; see ``Executor``.

    Raises:
        InputError: bad input, or a worker died.
    """
    if workers == 1 or len(jobs) < 2:
        loaded = load_teacher(teacher)
        for job in jobs:
            yield label_shard(job, loaded, config, progress)
        return
    counts: SimpleQueue[int] = SPAWN.SimpleQueue()
    with worker_pool(workers, _start_worker, teacher, config, counts) as pool:
        waiting = {pool.submit(_label, job) for job in jobs}
        while waiting:
            done, waiting = wait(waiting, POLL_SECONDS, FIRST_COMPLETED)
            while not counts.empty():
                progress(counts.get())
            for future in done:
                yield future.result()


_teacher_name: str
_teacher: Teacher | None = None
_config: LabelConfig
_counts: SimpleQueue[int]


def _start_worker(teacher: str, config: LabelConfig, counts: SimpleQueue[int]) -> None:
    global _teacher_name, _config, _counts
    _teacher_name, _config, _counts = teacher, config, counts


def _label(job: Job) -> list[LeftOut]:
    global _teacher
    # Not when the worker starts: there, a missing teacher would only break the pool.
    _teacher = _teacher or load_teacher(_teacher_name)
    return label_shard(job, _teacher, _config, _counts.put)

"""A Ray cluster: one teacher an actor; the shard of an actor that dies is done again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import ray
from ray.util import ActorPool

from picosam2.data.problems import LeftOut
from picosam2.errors import InputError
from picosam2.labelling.config import LabelConfig
from picosam2.labelling.shard import Job, label_shard
from picosam2.teacher import load_teacher, uses_gpu
from picosam2.teacher.base import Teacher

if TYPE_CHECKING:
    from picosam2.labelling.executors import Progress

RETRIES = 3


class Labeller:
    """A teacher that waits for shards."""

    def __init__(self, teacher: str, config: LabelConfig) -> None:
        self._name, self._config = teacher, config
        self._teacher: Teacher | None = None

    def label(self, job: Job) -> tuple[list[LeftOut], list[int]]:
        """Label one shard; also the numbers of objects of its photographs."""
        # Not in __init__, whose errors arrive as the death of the actor.
        self._teacher = self._teacher or load_teacher(self._name)
        counts: list[int] = []
        return label_shard(job, self._teacher, self._config, counts.append), counts


def label_with_ray(
    jobs: list[Job], teacher: str, config: LabelConfig, workers: int, progress: Progress
) -> Iterator[list[LeftOut]]:
    """Label shards on the cluster of ``$RAY_ADDRESS``, or on a Ray of its own; see ``Executor``.

    Progress comes shard by shard. Each actor takes a GPU where the cluster has any that the
    teacher can use. A shard whose workers die again and again is given up.

    Raises:
        InputError: bad input, more workers than the cluster has room for, or a shard given up.
    """
    ray.init(ignore_reinit_error=True, log_to_driver=False)
    has = ray.cluster_resources()  # type: ignore[no-untyped-call]
    gpus = 1 if uses_gpu(teacher) and has.get("GPU") else 0
    room = int(has["GPU"] if gpus else has.get("CPU", 0))
    workers = min(workers, len(jobs))
    if workers > room:
        ray.shutdown()
        # Actors without a place would wait for ever, and their shards with them.
        raise InputError(f"the cluster has room for {room} workers: use --workers {room}")
    actor = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=-1, max_task_retries=RETRIES)(
        Labeller
    )
    pool = ActorPool([actor.remote(teacher, config) for _ in range(workers)])
    try:
        for left_out, counts in pool.map_unordered(lambda a, job: a.label.remote(job), jobs):
            for count in counts:
                progress(count)
            yield left_out
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, InputError):
            raise InputError(str(error.cause)) from None
        raise
    except ray.exceptions.RayActorError:
        raise InputError(
            f"a shard's worker died {RETRIES + 1} times (out of memory?); run it again to go on"
        ) from None
    finally:
        ray.shutdown()

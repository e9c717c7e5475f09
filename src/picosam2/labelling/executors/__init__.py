"""Who labels the shards: one file an engine, all with the same call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from picosam2.data.problems import LeftOut
from picosam2.labelling.config import LabelConfig
from picosam2.labelling.shard import Job

Progress = Callable[[int], None]


class Executor(Protocol):
    """Labels shards with a number of teachers at work at the same time."""

    def __call__(
        self, jobs: list[Job], teacher: str, config: LabelConfig, workers: int, progress: Progress
    ) -> Iterator[list[LeftOut]]:
        """Give what was left out of each shard as it is done.

        Args:
            jobs: the shards.
            teacher: a name for ``load_teacher``.
            config: of the search for unknown objects.
            workers: teachers, one thread each.
            progress: called with the number of objects of each photograph that is done.
        """


def find_executor(name: str) -> Executor:
    """The executor of a name in ``EXECUTORS``."""
    if name == "ray":
        from picosam2.labelling.executors.ray import label_with_ray

        return label_with_ray
    from picosam2.labelling.executors.local import label_locally

    return label_locally

"""One shard in, one shard out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from picosam2.data.photograph import Photograph
from picosam2.data.shards import Problems, read_shard, writing_shard
from picosam2.errors import InputError
from picosam2.labelling.config import LabelConfig
from picosam2.labelling.photograph import label_photograph
from picosam2.teacher.base import Teacher


@dataclass(frozen=True)
class Job:
    """A shard to label.

    Args:
        source: path or address of the shard.
        target: path or address of the labelled one.
    """

    source: str
    target: str


def label_shard(
    job: Job,
    teacher: Teacher,
    config: LabelConfig,
    done: Callable[[int], None],
) -> Problems:
    """Label a shard; the result appears under its name when it is whole.

    Args:
        job: from where to where.
        teacher: who answers.
        config: of the search for unknown objects.
        done: called after each photograph with the number of its objects.

    Returns:
        What was left out.

    Raises:
        InputError: the shard cannot be opened, or the result cannot be written.
    """
    problems = Problems()
    with writing_shard(job.target) as shard:
        for sample in read_shard(job.source, problems):
            assert sample.photograph is not None
            try:
                image = Photograph(sample.record, sample.photograph).load()
            except InputError as error:
                problems.add(job.source, sample.key, error)
                continue
            record, soft = label_photograph(teacher, image, sample.record, config)
            shard.add(sample.key, record, sample.photograph.read(), soft)
            done(len(record.annotations))
    return problems

"""One shard in, one shard out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from picosam2.data.problems import Kind, LeftOut, Problems
from picosam2.data.shards import photograph_of, read_shard, writing_shard
from picosam2.errors import InputError
from picosam2.labelling.config import LabelConfig
from picosam2.labelling.left_out import keep_left_out
from picosam2.labelling.photograph import label_photograph
from picosam2.teacher.base import Teacher


@dataclass(frozen=True)
class Job:
    """A shard to label.

    Args:
        source: path or address of the shard.
        target: path or address of the labelled one.
        strict: whether to refuse the first thing that would be left out.
    """

    source: str
    target: str
    strict: bool = False


def label_shard(
    job: Job,
    teacher: Teacher,
    config: LabelConfig,
    done: Callable[[int], None],
) -> list[LeftOut]:
    """Label a shard; the result appears under its name when it is whole.

    Args:
        job: from where to where.
        teacher: who answers.
        config: of the search for unknown objects.
        done: called after each photograph with the number of its objects.

    Returns:
        What was left out; it is kept beside the result (:mod:`picosam2.labelling.left_out`).

    Raises:
        InputError: the shard cannot be opened, the result cannot be written, or something has to
            be left out of a strict job.
    """
    problems = Problems(job.strict)
    with writing_shard(job.target) as shard:
        for sample in read_shard(job.source, problems):
            photograph = photograph_of(sample)
            try:
                image = photograph.load()
            except InputError as error:
                image_id = photograph.image_id
                problems.add(Kind.DAMAGED, job.source, sample.key, error, image=image_id)
                continue
            record, soft = label_photograph(teacher, image, sample.record, config)
            shard.add(sample.key, record, photograph.encoded.read(), soft)
            done(len(record.annotations))
        # Before the shard appears: one that is there is not labelled, nor its losses noted, again.
        keep_left_out(job.target, problems.entries)
    return problems.entries

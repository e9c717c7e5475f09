"""Labelling any number of shards: what is left to do, who does it, how far it is."""

from __future__ import annotations

from dataclasses import dataclass

import fsspec
from tqdm import tqdm

from picosam2.data.problems import Problems
from picosam2.data.shards import find_shards, list_photographs
from picosam2.data.storage import base_name, beneath, exists, is_address, readable
from picosam2.errors import InputError
from picosam2.labelling.config import LabelConfig
from picosam2.labelling.executors import find_executor
from picosam2.labelling.left_out import gather_left_out
from picosam2.labelling.record import keep_record, make_record
from picosam2.labelling.shard import Job


@dataclass
class Outcome:
    """What a run did.

    Args:
        photographs: labelled by it.
        objects: of these, known or found.
        left_out: photographs and objects that could not be labelled.
        shards_before: shards that were there already.
    """

    photographs: int = 0
    objects: int = 0
    left_out: int = 0
    shards_before: int = 0


def label(
    source: str,
    out: str,
    teacher: str,
    config: LabelConfig,
    executor: str,
    workers: int,
    problems: Problems | None = None,
) -> Outcome:
    """Label the shards of ``source`` into ``out``; what is there already is not done again.

    Shards are written whole and depend on nothing but their input, so that a run may be killed and
    started again, and several may work on one output. ``left-out.jsonl`` beside the labels says
    what had to be left out, by this run or before.

    Args:
        source: folder of shards or one shard, a path or an address.
        out: folder, a path or an address.
        teacher: a name for ``load_teacher``.
        config: of the search for unknown objects.
        executor: a name in ``EXECUTORS``.
        workers: teachers at work at the same time, one thread each.
        problems: where to note what this run leaves out.

    Raises:
        InputError: bad input, nothing left to label, ``out`` holds other labels, or a worker died.
    """
    problems = Problems() if problems is None else problems
    shards = find_shards(source)
    # Workers on a cluster have folders of their own to be in.
    out = out if is_address(out) else _path(out)
    if _path(out) in {_path(shard).rpartition("/")[0] for shard in shards}:
        raise InputError(f"{out} holds the shards themselves: give another --out")
    jobs = [Job(shard, beneath(out, base_name(shard)), problems.strict) for shard in shards]
    todo = [job for job in jobs if not exists(job.target)]
    ready = {job.source for job in jobs} - {job.source for job in todo}
    keep_record(out, make_record(teacher, config), bool(ready))
    for job in jobs:
        if job.source in ready:
            _check_same_photographs(job)
    outcome = Outcome(shards_before=len(ready))
    if not todo:
        # A kill may have come after the last shard and before this.
        gather_left_out(out, [job.target for job in jobs])
        return outcome
    # On an object store, reading all headers would be reading everything twice.
    local = not is_address(source)
    total = sum(1 for job in todo for _ in list_photographs(job.source)) if local else None
    bar = tqdm(total=total, desc=f"labelling {len(todo)}/{len(jobs)} shards", unit="image")

    def progress(count: int) -> None:
        outcome.photographs += 1
        outcome.objects += count
        bar.set_postfix(objects=outcome.objects, refresh=False)
        bar.update()

    labelled = find_executor(executor)(todo, teacher, config, workers, progress)
    with bar:
        for done, left_out in enumerate(labelled, start=1):
            outcome.left_out += len(left_out)
            problems.extend(left_out)
            if not local:
                bar.total = round(outcome.photographs / done * len(todo))
    gather_left_out(out, [job.target for job in jobs])
    if not outcome.photographs and problems.entries:
        raise InputError(f"no photograph of {source} can be labelled")
    return outcome


def _path(location: str) -> str:
    """Absolute, so that two names of one folder are equal."""
    if not location:
        raise InputError("give a folder, not an empty name")
    with readable(location):
        return str(fsspec.url_to_fs(location)[1]).rstrip("/")


def _check_same_photographs(job: Job) -> None:
    """Refuse labels of other photographs under the name of a shard, by the first of them."""
    first = next(list_photographs(job.target), None)
    if first is not None and first not in list_photographs(job.source):
        raise InputError(
            f"{job.target} holds labels of other photographs than {job.source}: use another --out"
        )

"""Labelling any number of shards: what is left to do, who does it, how far it is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import fsspec
import msgspec
from tqdm import tqdm

from picosam2.data.shards import Problems, count_photographs, find_shards
from picosam2.data.source import say_problems
from picosam2.data.storage import base_name, beneath, exists, readable, writing
from picosam2.errors import InputError
from picosam2.labelling.config import LabelConfig
from picosam2.labelling.executors import find_executor
from picosam2.labelling.shard import Job
from picosam2.record import versions

RECORD_FILE = "labels.json"


def label(
    source: str, out: str, teacher: str, config: LabelConfig, executor: str, workers: int
) -> None:
    """Label the shards of ``source`` into ``out``; what is there already is not done again.

    Shards are written whole and depend on nothing but their input, so that a run may be killed and
    started again, and several may work on one output.

    Args:
        source: folder of shards or one shard, a path or an address.
        out: folder, a path or an address.
        teacher: a name for ``load_teacher``.
        config: of the search for unknown objects.
        executor: a name in ``EXECUTORS``.
        workers: teachers at work at the same time, one thread each.

    Raises:
        InputError: bad input, ``out`` holds other labels, or a worker died.
    """
    shards = find_shards(source)
    if _path(out) in {_path(shard).rpartition("/")[0] for shard in shards}:
        raise InputError(f"{out} holds the shards themselves: give another --out")
    jobs = [Job(shard, beneath(out, base_name(shard))) for shard in shards]
    todo = [job for job in jobs if not exists(job.target)]
    run = {"teacher": teacher, "config": asdict(config)}
    _check_record(out, run, some_done=len(todo) < len(jobs))
    if not todo:
        return
    total = sum(count_photographs(job.source) for job in todo)
    objects = 0
    bar = tqdm(total=total, desc=f"labelling {len(todo)}/{len(jobs)} shards", unit="image")

    def progress(count: int) -> None:
        nonlocal objects
        objects += count
        bar.set_postfix(objects=objects, refresh=False)
        bar.update()

    problems = Problems()
    with bar:
        for left_out in find_executor(executor)(todo, teacher, config, workers, progress):
            problems.messages += left_out.messages
    say_problems(problems)


def _path(location: str) -> str:
    """Absolute, so that two names of one folder are equal."""
    with readable(location):
        return str(fsspec.url_to_fs(location)[1]).rstrip("/")


def _check_record(out: str, run: dict[str, Any], some_done: bool) -> None:
    """Write what makes the labels beside them; refuse a folder with labels made otherwise."""
    location = beneath(out, RECORD_FILE)
    content = run | {"versions": versions("numpy", "pillow", "onnxruntime")}
    if not (some_done and exists(location)):
        with writing(location) as path:
            path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n")
        return
    with readable(location), fsspec.open(location, "rb") as stream:
        earlier = msgspec.json.decode(stream.read(), type=dict[str, Any])
    if {key: earlier.get(key) for key in run} != msgspec.to_builtins(run):
        raise InputError(f"{out} holds labels by another teacher or setting: use another --out")

"""One training run from the command line: data, record, workers, resume."""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

from picosam2.data.header import Exif
from picosam2.data.problems import Problems
from picosam2.data.source import Source, open_source
from picosam2.errors import InputError
from picosam2.output import write_json
from picosam2.record import data_record, git_commit, versions
from picosam2.training.config import TrainConfig
from picosam2.training.loop import RunOptions, train
from picosam2.training.losses import LOSSES
from picosam2.training.objects import load_objects
from picosam2.training.processes import default_processes, launch
from picosam2.training.retention import Retention
from picosam2.training.start import Start
from picosam2.training.state import STATE_FILE
from picosam2.training.validation import Validator
from picosam2.training.world import World, torchrun_world

RECORD_FILE = "run.json"


def run_training(
    data: tuple[str, ...],
    out: Path,
    config: TrainConfig,
    start: Start,
    val: Path | None,
    processes: int | None,
    problems: Problems | None = None,
    exif: Exif = "auto",
    retention: Retention | None = None,
) -> None:
    """Train, or go on with the run in ``out``.

    Args:
        data: ``DIR`` or ``DIR:SHARE``, one for each folder.
        out: folder of the run; holds its record, state, log and weights.
        config: what the run is.
        start: where the first weights come from.
        val: folder to validate on.
        processes: worker processes; one a core (or GPU) when None. Under ``torchrun`` it has
            started them, and each opens its own part of the data.
        problems: where to note what is left out of the data; ``left-out.jsonl`` in ``out`` has it.
        exif: ``ignore`` takes every photograph as it is stored.
        retention: the networks whose answers are kept.

    Raises:
        InputError: bad options or data, or ``out`` holds a run of other data or with another
            configuration.
    """
    if not 0 < config.lr <= 1:
        raise InputError(f"--lr must be above 0 and at most 1, not {config.lr}")
    if config.loss not in LOSSES:
        raise InputError(f"unknown --loss {config.loss}: choose from {', '.join(LOSSES)}")
    retention = retention or Retention()
    if retention.inits and config.loss != "soft":
        raise InputError(f"--retain needs --loss soft, not {config.loss}")
    torchrun = torchrun_world()
    if torchrun and processes:
        raise InputError("torchrun sets the number of processes: leave out --processes")
    world = torchrun or World()
    count = world.size if torchrun else processes or default_processes(config.batch)
    if config.batch % count:
        raise InputError(f"--batch {config.batch} cannot be split over {count} processes")
    world.join()
    problems = Problems() if problems is None else problems
    folders, shares = parse_data(data, world, problems, exif)
    config = replace(config, model=start.config(config.model))
    retention.networks(config.model, world.device)
    run = {
        "config": config.to_dict(),
        "init": start.init,
        "init_sha256": start.digest,
        "retained_sha256": retention.digests,
        "data": data_record(folders, shares, world.gather),
    }
    earlier = _earlier_starts(out, run) if (out / STATE_FILE).is_file() else []
    first = world.rank == 0
    validator = (
        Validator(open_source(val, problems=problems, exif=exif), out) if val and first else None
    )
    objects = load_objects(folders, shares, config.seed)
    for entries in world.gather(problems.entries):
        problems.extend(entries)
    this = {
        "versions": versions("torch", "numpy", "opencv-python-headless", "pycocotools"),
        "commit": git_commit(),
        "processor": platform.processor() or platform.machine(),
        "processes": count,
        "left_out": problems.counts,
    }
    taught = any(world.gather(bool(objects.teacher_share.any())))
    if config.loss != "supervised" and not taught:
        message = "needs a teacher's labels: picosam2 label makes them"
        raise InputError(f"--loss {config.loss} {message}")
    if first:
        problems.say()
        problems.write(out)
        write_json(out / RECORD_FILE, {**run, "starts": [*earlier, this]})
    options = RunOptions(out, start, retention)
    if torchrun:
        train(world, objects, config, options, validator)
        world.leave()
    else:
        launch(objects, config, options, validator, count)


def parse_data(
    data: tuple[str, ...], world: World, problems: Problems, exif: Exif = "auto"
) -> tuple[list[Source], list[float]]:
    """This process's folders, and their shares in the samples.

    Args:
        data: ``DIR`` or ``DIR:SHARE``; without shares they are as the folders' objects.
        world: says which part of each folder to open.
        problems: where to note what is left out.
        exif: ``ignore`` takes every photograph as it is stored.

    Raises:
        InputError: a share is no positive number, or a folder is missing or broken or has no
            part for some process.
    """
    parts = [_split_share(name) for name in data]
    given = [bool(folder) for folder, _, _ in parts]
    if any(given) and not all(given):
        raise InputError("give every --data a share (DIR:SHARE) or none")
    if not any(given):
        folders = [_open_part(name, world, problems, exif) for name in data]
        objects = [sum(len(p.objects) for p in folder) for folder in folders]
        return folders, [float(sum(world.gather(count))) for count in objects]
    try:
        shares = [float(share) for _, _, share in parts]
    except ValueError:
        raise InputError(f"a share must be a number: {' '.join(data)}") from None
    if not all(0 < share < float("inf") for share in shares):
        raise InputError(f"a share must be above 0: {' '.join(data)}")
    return [_open_part(folder, world, problems, exif) for folder, _, _ in parts], shares


def _split_share(name: str) -> tuple[str, str, str]:
    """Folder, colon and share; an address's own colon, and a folder's, are none before a share."""
    folder, colon, share = name.rpartition(":")
    if share.startswith("//") or Path(name).exists():
        return "", "", name
    return folder, colon, share


def _open_part(location: str, world: World, problems: Problems, exif: Exif) -> Source:
    source = open_source(location, world.part, problems, exif)
    if not min(world.gather(len(source))):
        message = f"has nothing for some of the {world.size} processes"
        raise InputError(f"{location} {message}: take fewer, or smaller shards (--per-shard)")
    return source


def _earlier_starts(out: Path, run: dict[str, Any]) -> list[Any]:
    """The record of the starts so far of the run in ``out``; ``samples`` may have changed since.

    Raises:
        InputError: the state there is of another run, or its record is missing or damaged.
    """
    try:
        earlier = json.loads((out / RECORD_FILE).read_text())
        earlier["config"]["samples"] = run["config"]["samples"]
        for key, value in json.loads(json.dumps(run)).items():
            if earlier[key] != value:
                raise InputError(f"{out} holds a run with another {key}: use another --out")
        return list(earlier["starts"])
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        message = f"{out} holds a state without a whole {RECORD_FILE}: use another --out"
        raise InputError(message) from None

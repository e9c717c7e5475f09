"""One training run from the command line: data, record, workers, resume."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

from picosam2.dataset import CocoFolder
from picosam2.errors import InputError
from picosam2.output import write_json
from picosam2.record import data_record, git_commit, versions
from picosam2.training.config import TrainConfig
from picosam2.training.loop import RunOptions
from picosam2.training.objects import load_objects
from picosam2.training.processes import launch
from picosam2.training.state import STATE_FILE
from picosam2.training.validation import Validator

RECORD_FILE = "run.json"


def run_training(
    data: tuple[str, ...],
    out: Path,
    config: TrainConfig,
    init: Path | None,
    val: Path | None,
    processes: int | None,
) -> None:
    """Train, or go on with the run in ``out``.

    Args:
        data: ``DIR`` or ``DIR:SHARE``, one for each folder.
        out: folder of the run; holds its record, state, log and weights.
        config: what the run is.
        init: weights to start from.
        val: folder to validate on.
        processes: worker processes; one a core when None.

    Raises:
        InputError: bad data, or ``out`` holds a run of other data or another configuration.
    """
    processes = processes or os.cpu_count() or 1
    if config.batch % processes:
        raise InputError(f"--batch {config.batch} cannot be split over {processes} processes")
    folders, shares = parse_data(data)
    record = {
        "config": config.to_dict(),
        "init": str(init) if init else None,
        "data": data_record(folders, shares),
        "versions": versions("torch", "numpy", "opencv-python-headless", "pycocotools", "pillow"),
        "commit": git_commit(),
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "processes": processes,
        },
    }
    record = json.loads(json.dumps(record))
    _check_resume(out, record)
    validator = Validator(CocoFolder(val), out) if val else None
    objects = load_objects(folders, shares, config.seed)
    write_json(out / RECORD_FILE, record)
    launch(objects, config, RunOptions(out, processes, init), validator)


def parse_data(data: tuple[str, ...]) -> tuple[list[CocoFolder], list[float]]:
    """Folders and their shares from ``DIR`` or ``DIR:SHARE``; without shares, by their objects."""
    parts = [name.rpartition(":") for name in data]
    given = [bool(folder) for folder, _, _ in parts]
    if any(given) and not all(given):
        raise InputError("give every --data a share (DIR:SHARE) or none")
    if not any(given):
        folders = [CocoFolder(name) for name in data]
        return folders, [float(sum(len(p.objects) for p in folder)) for folder in folders]
    try:
        shares = [float(share) for _, _, share in parts]
    except ValueError:
        raise InputError(f"a share must be a number: {' '.join(data)}") from None
    if not all(0 < share < float("inf") for share in shares):
        raise InputError(f"a share must be above 0: {' '.join(data)}")
    return [CocoFolder(folder) for folder, _, _ in parts], shares


def _check_resume(out: Path, record: dict[str, Any]) -> None:
    """Refuse to go on with a run that is not this one; ``samples`` may change."""
    if not (out / STATE_FILE).is_file():
        return
    try:
        earlier = json.loads((out / RECORD_FILE).read_text())
    except (OSError, ValueError):
        raise InputError(
            f"{out} holds a state without its {RECORD_FILE}: use another --out"
        ) from None
    earlier["config"]["samples"] = record["config"]["samples"]
    for key in ("config", "data", "init"):
        if earlier[key] != record[key]:
            raise InputError(f"{out} holds a run with another {key}: use another --out")

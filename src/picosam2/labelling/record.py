"""What made the labels of a folder, written beside them: other labels are not mixed in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import fsspec
import msgspec

from picosam2.data.storage import beneath, exists, readable, writing
from picosam2.errors import InputError
from picosam2.labelling.config import LabelConfig
from picosam2.record import git_commit, versions
from picosam2.teacher import teacher_packages

RECORD_FILE = "labels.json"
# What decides about the labels; the rest is for people.
DECISIVE = ("teacher", "config")


def make_record(teacher: str, config: LabelConfig) -> dict[str, Any]:
    """Teacher, config, versions and commit, as JSON-ready values."""
    return {
        "teacher": teacher,
        "config": asdict(config),
        "versions": versions("numpy", "pillow", *teacher_packages(teacher)),
        "git_commit": git_commit(),
    }


def read_record(folder: str) -> bytes | None:
    """The record beside labels; None where there is none.

    Raises:
        InputError: it cannot be read.
    """
    location = beneath(folder, RECORD_FILE)
    if not exists(location):
        return None
    with readable(location), fsspec.open(location, "rb") as stream:
        return bytes(stream.read())


def write_record(folder: str, content: bytes) -> None:
    """Put a record beside labels.

    Raises:
        InputError: it cannot be written.
    """
    with writing(beneath(folder, RECORD_FILE)) as path:
        path.write_bytes(content)


def keep_record(folder: str, record: dict[str, Any], some_done: bool) -> None:
    """Write the record of a folder; refuse a folder with labels made otherwise.

    Args:
        folder: of the labels, a path or an address.
        record: of ``make_record``.
        some_done: whether some labels are there.

    Raises:
        InputError: there are other labels, or it cannot be written.
    """
    content = read_record(folder) if some_done else None
    if content is None:
        write_record(folder, msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")
        return
    with readable(beneath(folder, RECORD_FILE)):
        earlier = msgspec.json.decode(content, type=dict[str, Any])
    now = msgspec.to_builtins(record)
    if any(earlier.get(key) != now[key] for key in DECISIVE):
        raise InputError(f"{folder} holds labels by another teacher or setting: use another --out")

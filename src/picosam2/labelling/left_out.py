"""What was left out of labelled shards: kept shard by shard, so that a run may be killed."""

from __future__ import annotations

import fsspec
import msgspec

from picosam2.data.problems import LeftOut, write_left_out
from picosam2.data.storage import base_name, beneath, exists, readable, writing

FOLDER = "left-out"


def keep_left_out(target: str, entries: list[LeftOut]) -> None:
    """Keep what was left out of one shard, where there is anything.

    Args:
        target: path or address of the labelled shard.
        entries: what was left out.

    Raises:
        InputError: it cannot be written.
    """
    if entries:
        with writing(_place(target)) as path:
            path.write_bytes(msgspec.json.encode(entries))


def gather_left_out(out: str, targets: list[str]) -> None:
    """Write ``left-out.jsonl`` beside labelled shards: all that was left out of any of them.

    Args:
        out: folder of the labels, a path or an address.
        targets: paths or addresses of the labelled shards.

    Raises:
        InputError: it cannot be written, or what was kept is damaged.
    """
    entries: list[LeftOut] = []
    for target in targets:
        location = _place(target)
        if exists(location):
            with readable(location), fsspec.open(location, "rb") as stream:
                entries += msgspec.json.decode(stream.read(), type=list[LeftOut])
    write_left_out(out, entries)


def _place(target: str) -> str:
    folder = target.rpartition("/")[0]
    return beneath(beneath(folder, FOLDER), f"{base_name(target)}.json")

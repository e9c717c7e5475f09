"""Where photographs come from: a folder in COCO format or shards, behind one interface."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import click
from tqdm import tqdm

from picosam2.data.coco import CocoFolder
from picosam2.data.photograph import Photograph
from picosam2.data.records import encode_record
from picosam2.data.shards import Problems, find_shards, read_shard
from picosam2.data.storage import is_address

ALL = slice(None)


class Source(Protocol):
    """Annotated photographs in a fixed order; iterating reads no pixels."""

    @property
    def location(self) -> str:
        """Path or address."""

    @property
    def name(self) -> str:
        """What the record of a run calls it."""

    @property
    def digests(self) -> list[str]:
        """SHA-256 of the annotations of each of its files."""

    @property
    def digest(self) -> str:
        """SHA-256 of all its annotations: :func:`combine_digests` of ``digests``."""

    @property
    def photographs(self) -> list[Photograph]:
        """All of them."""

    def __iter__(self) -> Iterator[Photograph]: ...
    def __len__(self) -> int: ...


class ShardFolder:
    """The shards of a folder (or one shard), indexed; photographs are read when asked for.

    Args:
        location: folder or tar, a path or an address on any file system of ``fsspec``.
        part: which of the shards, in the order of their names.

    Attributes:
        problems: what was left out; the caller says so.

    Raises:
        InputError: there are no shards, or they cannot be read.
    """

    def __init__(self, location: str | Path, part: slice = ALL) -> None:
        self.location = str(location)
        self.problems = Problems()
        self.shards = find_shards(self.location)[part]
        self.photographs: list[Photograph] = []
        self.digests: list[str] = []
        bar = tqdm(self.shards, desc="indexing shards", unit="shard", delay=2)
        for shard in bar:
            digest = hashlib.sha256()
            for sample in read_shard(shard, self.problems):
                digest.update(sample.key.encode() + b"\0" + encode_record(sample.record))
                assert sample.photograph is not None
                self.photographs.append(Photograph(sample.record, sample.photograph, sample.soft))
            self.digests.append(digest.hexdigest())

    @property
    def digest(self) -> str:
        """SHA-256 of all annotations."""
        return combine_digests(self.digests)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return Path(self.location).resolve().name

    def __len__(self) -> int:
        return len(self.photographs)

    def __iter__(self) -> Iterator[Photograph]:
        return iter(self.photographs)


def combine_digests(digests: list[str]) -> str:
    """One digest for the files of a source; that of a single file stays as it is."""
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def open_source(location: str | Path, part: slice = ALL) -> Source:
    """Open a folder in COCO format, a folder of shards or one shard.

    What had to be left out of shards is said on standard error.

    Args:
        location: path, or address on any file system of ``fsspec``.
        part: which shards to open, or which photographs of a folder in COCO format.

    Raises:
        InputError: it is none of these, or cannot be read.
    """
    path = Path(location)
    if not is_address(str(location)) and path.suffix != ".tar" and not any(path.glob("*.tar")):
        return CocoFolder(path, part)
    folder = ShardFolder(location, part)
    say_problems(folder.problems)
    return folder


def say_problems(problems: Problems) -> None:
    """Name on standard error what was left out."""
    for message in problems.messages:
        click.echo(f"left out: {message}", err=True)


def count_annotations(source: Source) -> dict[str, Any]:
    """Images, objects, masks by source, and sizes of the photographs, as JSON-ready values."""
    images = [p.record.image for p in source]
    annotations = [a for p in source for a in p.record.annotations]
    sides = sorted(max(image.width, image.height) for image in images)
    return {
        "images": len(images),
        "objects": len(annotations),
        "crowds": sum(a.iscrowd for a in annotations),
        "masks": dict(Counter(a.source or "teacher" for a in annotations if a.segmentation)),
        "only_boxes": sum(a.segmentation is None for a in annotations),
        "teacher_prompts": sum(len(a.teacher) for a in annotations),
        "soft_targets": sum(a.soft is not None for a in annotations),
        "longest_side": {"min": sides[0], "median": sides[len(sides) // 2], "max": sides[-1]}
        if sides
        else None,
        "splits": dict(Counter(image.split or "unknown" for image in images)),
        "sha256": source.digest,
    }

"""Where photographs come from: a folder in COCO format or shards, behind one interface."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from picosam2.data.coco import ALL, CocoFolder, digest_with
from picosam2.data.header import Exif
from picosam2.data.photograph import Photograph
from picosam2.data.problems import Kind, Problems
from picosam2.data.records import encode_record
from picosam2.data.shards import find_shards, photograph_of, read_shard
from picosam2.data.storage import is_address
from picosam2.errors import InputError


class Source(Protocol):
    """Annotated photographs in a fixed order; iterating reads no pixels.

    Attributes:
        photographs: all of them that can be taken.
        problems: what was left out.
    """

    photographs: list[Photograph]
    problems: Problems

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

    def __iter__(self) -> Iterator[Photograph]: ...
    def __len__(self) -> int: ...


class ShardFolder:
    """The shards of a folder (or one shard), indexed; photographs are read when asked for.

    Args:
        location: folder or tar, a path or an address on any file system of ``fsspec``.
        part: which of the shards, in the order of their names.
        problems: where to note what is left out.
        exif: ``ignore`` takes every photograph as it is stored.

    Attributes:
        problems: what was left out; the caller says so.

    Raises:
        InputError: there are no shards, or they cannot be read.
    """

    def __init__(
        self,
        location: str | Path,
        part: slice = ALL,
        problems: Problems | None = None,
        exif: Exif = "auto",
    ) -> None:
        self.location = str(location)
        self.problems = Problems() if problems is None else problems
        self.shards = find_shards(self.location)[part]
        self.photographs: list[Photograph] = []
        self.digests: list[str] = []
        bar = tqdm(self.shards, desc="indexing shards", unit="shard", delay=2)
        for shard in bar:
            digest = hashlib.sha256()
            for sample in read_shard(shard, self.problems, exif=exif):
                name = sample.key.encode("utf-8", "surrogateescape")
                digest.update(name + b"\0" + encode_record(sample.record))
                self.photographs.append(photograph_of(sample))
            self.digests.append(digest_with(digest.hexdigest(), exif))

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


def open_source(
    location: str | Path,
    part: slice = ALL,
    problems: Problems | None = None,
    exif: Exif = "auto",
) -> Source:
    """Open a folder in COCO format, a folder of shards or one shard.

    Args:
        location: path, or address on any file system of ``fsspec``.
        part: which shards to open, or which photographs of a folder in COCO format.
        problems: where to note what is left out; the caller says so. None says it right here, on
            standard error.
        exif: ``ignore`` takes every photograph as it is stored.

    Raises:
        InputError: it is none of these, or cannot be read.
    """
    noted = Problems() if problems is None else problems
    path = Path(location)
    source: Source
    try:
        if is_address(str(location)) or path.suffix == ".tar" or any(path.glob("*.tar")):
            source = ShardFolder(location, part, noted, exif)
        else:
            source = CocoFolder(path, part, noted, exif)
    finally:
        if problems is None:
            noted.say()
    return source


def leave_out_damaged(source: Source, photographs: Iterable[Photograph]) -> bool:
    """Decode photographs; those that cannot be are noted and taken out of their source.

    Args:
        source: where they are from.
        photographs: those to decode.

    Returns:
        Whether there was one.
    """
    damaged = {id(photograph) for photograph in photographs if not _decodes(source, photograph)}
    if damaged:
        source.photographs = [p for p in source.photographs if id(p) not in damaged]
    return bool(damaged)


def _decodes(source: Source, photograph: Photograph) -> bool:
    try:
        photograph.load()
    except InputError as error:
        note_damaged(source, photograph, error)
        return False
    return True


def note_damaged(source: Source, photograph: Photograph, error: InputError) -> None:
    """Note a photograph of a source that cannot be decoded."""
    image = photograph.record.image
    source.problems.add(Kind.DAMAGED, source.location, image.file_name, error, image=image.image_id)


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

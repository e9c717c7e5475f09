"""Shards: tar files of ``KEY.jpg`` + ``KEY.json`` (and ``KEY.soft.png``), one KEY a photograph.

The layout is SA-1B's and WebDataset's, so that the ``webdataset`` library reads them too. They are
read and written with Python's own ``tarfile``: ``webdataset`` (1.0) ends silently at a damaged
header and drops what it cannot pair; here every loss is counted and named.
"""

from __future__ import annotations

import contextlib
import glob
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import fsspec

from picosam2.data.records import decode_record, encode_record
from picosam2.data.schema import Record
from picosam2.data.storage import base_name, beneath, is_address, readable, writing
from picosam2.errors import InputError
from picosam2.images import open_image

PHOTOGRAPH, RECORD, SOFT = "jpg", "json", "soft.png"
# WebDataset's rule: the key ends at the first dot of the name.
MEMBER = re.compile(r"^(?:\./)?((?:.*/|)[^.]+)[.]([^/]*)$")
# WebDataset skips such names: facts about the shard as a whole.
META = re.compile(r"^__[^/]*__$")
BLOCK = 512


@dataclass(frozen=True)
class TarBlob:
    """The bytes of one member of a tar."""

    shard: str
    name: str
    offset: int
    size: int

    def read(self) -> bytes:
        """All of them."""
        with fsspec.open(self.shard, "rb") as stream:
            stream.seek(self.offset)
            return bytes(stream.read(self.size))

    def __str__(self) -> str:
        return f"{self.name} in {self.shard}"


@dataclass(frozen=True)
class Sample:
    """One KEY of a shard.

    Args:
        key: its name in the shard.
        record: the photograph's facts and objects.
        photograph: its JPEG; None in a file of labels.
        soft: the tiles of the teacher's logits, where there are any.
    """

    key: str
    record: Record
    photograph: TarBlob | None
    soft: TarBlob | None = None


@dataclass
class Problems:
    """What had to be left out.

    Args:
        messages: where and why, one line each.
    """

    messages: list[str] = field(default_factory=list)

    def add(self, shard: str, name: str, reason: object) -> None:
        """Note that ``name`` in ``shard`` is left out."""
        self.messages.append(f"{name} in {shard}: {' '.join(str(reason).split())}")


def find_shards(location: str) -> list[str]:
    """The tar files of a folder (sorted), or the one tar file, on any file system of ``fsspec``.

    Raises:
        InputError: there is none.
    """
    with readable(location):
        fs, path = fsspec.url_to_fs(location)
        if path.endswith(".tar") and fs.isfile(path):
            return [location if is_address(location) else path]
        found = sorted(fs.glob(f"{glob.escape(path)}/*.tar"))
        if not found:
            raise InputError(f"no shards (*.tar) in {location}: picosam2 data import makes them")
        # By their own names, so that chains of protocols (simplecache::s3://...) stay whole.
        folder = location if is_address(location) else path
        return [beneath(folder, base_name(name)) for name in found]


def list_photographs(shard: str) -> Iterator[tuple[str, int]]:
    """Key and bytes of each photograph in a shard, as far as it can be read, by headers alone.

    Raises:
        InputError: the shard cannot be opened.
    """
    with readable(shard), fsspec.open(shard, "rb") as stream:
        for name, blob in _members(stream, shard, Problems()):
            match = MEMBER.match(name)
            if match and match.group(2).lower() in (PHOTOGRAPH, "jpeg"):
                yield match.group(1), blob.size


def read_meta(shard: str, name: str) -> bytes | None:
    """What ``ShardWriter.add_meta`` stored under a name; None where there is nothing.

    Raises:
        InputError: the shard cannot be opened.
    """
    with readable(shard), fsspec.open(shard, "rb") as stream:
        for member, blob in _members(stream, shard, Problems()):
            if member == f"__{name}__":
                return blob.read()
    return None


def read_shard(shard: str, problems: Problems, photographs: bool = True) -> Iterator[Sample]:
    """The photographs of a shard, in its order, each checked.

    Args:
        shard: path or address of the tar.
        problems: where to note what is left out: a photograph without JSON or the other way round,
            a damaged one, JSON that is not the schema's, a key that comes twice, and the rest of a
            shard whose tar structure is damaged.
        photographs: whether there must be photographs; files of labels have none.

    Raises:
        InputError: the shard cannot be opened.
    """
    with readable(shard), fsspec.open(shard, "rb") as stream:
        groups: dict[str, dict[str, TarBlob]] = {}
        for name, blob in _members(stream, shard, problems):
            if META.match(name):
                continue
            match = MEMBER.match(name)
            if match is None:
                problems.add(shard, name, "has no KEY.extension")
                continue
            key, extension = match.group(1), match.group(2).lower().replace("jpeg", PHOTOGRAPH)
            if extension in groups.setdefault(key, {}):
                problems.add(shard, name, "comes twice; the first is taken")
                continue
            groups[key][extension] = blob
        for key, blobs in groups.items():
            try:
                yield _checked_sample(key, blobs, stream, photographs)
            # Pillow and msgspec raise many kinds of errors for damaged content.
            except Exception as error:
                problems.add(shard, key, error)


def _members(stream: IO[bytes], shard: str, problems: Problems) -> Iterator[tuple[str, TarBlob]]:
    """Name and place of every file; unlike tarfile, it tells where the structure breaks off."""
    try:
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            for member in tar:
                if member.isreg():
                    place = member.offset_data
                    yield member.name, TarBlob(shard, member.name, place, member.size)
            end = tar.offset
    except tarfile.TarError as error:
        problems.add(shard, "the tar", f"{error}; what follows is lost")
        return
    stream.seek(end)
    if stream.read(BLOCK) != bytes(BLOCK):
        size = stream.seek(0, io.SEEK_END)
        lost = max(0, size - end)
        problems.add(shard, "the tar", f"damaged at byte {end}: {lost} bytes after it are lost")


def _checked_sample(
    key: str, blobs: dict[str, TarBlob], stream: IO[bytes], photographs: bool
) -> Sample:
    def content(extension: str) -> bytes:
        if extension not in blobs:
            raise ValueError(f"has no .{extension}")
        stream.seek(blobs[extension].offset)
        read = stream.read(blobs[extension].size)
        if len(read) < blobs[extension].size:
            raise ValueError(f".{extension} is cut off")
        return read

    record = decode_record(content(RECORD))
    if photographs:
        _check_jpeg(content(PHOTOGRAPH), record)
    return Sample(key, record, blobs.get(PHOTOGRAPH), blobs.get(SOFT))


def _check_jpeg(content: bytes, record: Record) -> None:
    """Header, size and end; decoding it all would take fifty times as long."""
    with open_image(io.BytesIO(content), "the photograph") as image:
        size = image.size
    if size != (record.image.width, record.image.height):
        raise ValueError(f"the photograph is {size[0]}×{size[1]}, its JSON says otherwise")
    if content[:2] == b"\xff\xd8" and b"\xff\xd9" not in content[-64:]:
        raise ValueError("the photograph is cut off")


class ShardWriter:
    """Adds photographs to an open shard; equal content gives equal bytes."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def add(
        self, key: str, record: Record, photograph: bytes | None, soft: bytes | None = None
    ) -> None:
        """Add one KEY.

        Args:
            key: without dots.
            record: the photograph's facts and objects.
            photograph: its JPEG; None in a file of labels.
            soft: a PNG with the tiles of the teacher's logits.
        """
        members = {PHOTOGRAPH: photograph, RECORD: encode_record(record), SOFT: soft}
        for extension, content in members.items():
            if content is not None:
                self._add(f"{key}.{extension}", content)

    def add_meta(self, name: str, content: bytes) -> None:
        """Add a fact about the shard as a whole, which readers of photographs skip."""
        self._add(f"__{name}__", content)

    def _add(self, name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        self._tar.addfile(info, io.BytesIO(content))


@contextlib.contextmanager
def writing_shard(location: str) -> Iterator[ShardWriter]:
    """A new shard that appears under its name when the block ends well.

    Args:
        location: path, or address on any file system of ``fsspec``.

    Raises:
        InputError: it cannot be written.
    """
    with writing(location) as path, tarfile.open(path, "w") as tar:
        yield ShardWriter(tar)

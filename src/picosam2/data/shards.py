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
from dataclasses import dataclass
from typing import IO, Any

import fsspec

from picosam2.data.header import Exif, annotated_upright, read_header
from picosam2.data.photograph import Photograph
from picosam2.data.problems import BrokenError, Kind, Problems
from picosam2.data.records import decode_record, encode_record
from picosam2.data.schema import Record
from picosam2.data.storage import base_name, beneath, is_address, readable, writing
from picosam2.errors import InputError

PHOTOGRAPH, RECORD, SOFT = "jpg", "json", "soft.png"
# WebDataset's rule: the key ends at the first dot of the name.
MEMBER = re.compile(r"^(?:\./)?((?:.*/|)[^.]+)[.]([^/]*)$")
# WebDataset skips such names: facts about the shard as a whole.
META = re.compile(r"^__[^/]*__$")
BLOCK = 512


@dataclass(frozen=True)
class TarBlob:
    """The bytes of one member of a tar.

    Args:
        shard: path or address of the tar.
        name: of the member.
        offset: of its content, in bytes.
        size: of its content as far as it is there, in bytes.
        whole: whether all of it is there.
    """

    shard: str
    name: str
    offset: int
    size: int
    whole: bool = True

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
        upright: whether it is annotated as EXIF turns the photograph, and not as it is stored.
    """

    key: str
    record: Record
    photograph: TarBlob | None
    soft: TarBlob | None = None
    upright: bool = False


def photograph_of(sample: Sample) -> Photograph:
    """What is read of a sample that has a photograph."""
    assert sample.photograph is not None
    return Photograph(sample.record, sample.photograph, sample.soft, sample.upright)


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


def read_shard(
    shard: str, problems: Problems, photographs: bool = True, exif: Exif = "auto"
) -> Iterator[Sample]:
    """The photographs of a shard, in its order, each checked.

    Args:
        shard: path or address of the tar.
        problems: where to note what is left out: a photograph without JSON or the other way round,
            a damaged one, JSON that is not the schema's, a single broken object of it, a key that
            comes twice, and the rest of a shard whose tar structure is damaged.
        photographs: whether there must be photographs; files of labels have none.
        exif: ``ignore`` takes every photograph as it is stored.

    Raises:
        InputError: the shard cannot be opened, or ``problems`` are refused.
    """
    with readable(shard), fsspec.open(shard, "rb") as stream:
        groups: dict[str, dict[str, TarBlob]] = {}
        for name, blob in _members(stream, shard, problems):
            if META.match(name):
                continue
            match = MEMBER.match(name)
            if match is None:
                problems.add(Kind.MEMBER, shard, name, "has no KEY.extension")
                continue
            key, extension = match.group(1), match.group(2).lower().replace("jpeg", PHOTOGRAPH)
            if extension in groups.setdefault(key, {}):
                problems.add(Kind.DUPLICATE, shard, name, "comes twice; the first is taken")
                continue
            groups[key][extension] = blob
        for key, blobs in groups.items():
            reader = _Reader(shard, key, blobs, stream, problems, exif)
            try:
                sample = reader.sample(photographs)
            except BrokenError as error:
                problems.add(error.kind, shard, key, error, **reader.ids)
                continue
            yield sample


def _members(stream: IO[bytes], shard: str, problems: Problems) -> Iterator[tuple[str, TarBlob]]:
    """Name and place of every file; unlike tarfile, it tells where the structure breaks off."""
    bounded = Bounded(stream)
    end = 0
    try:
        with tarfile.open(fileobj=bounded, mode="r:") as tar:  # type: ignore[arg-type]
            for member in tar:
                # A size below zero would lead back to a header that was read before.
                if member.size < 0 or tar.offset <= end:
                    raise tarfile.ReadError(f"{member.name} has the size {member.size}")
                end = tar.offset
                if member.issparse():
                    problems.add(Kind.MEMBER, shard, member.name, "is a sparse file")
                elif member.isreg():
                    place = member.offset_data
                    size = max(0, min(member.size, bounded.size - place))
                    whole = size == member.size
                    yield member.name, TarBlob(shard, member.name, place, size, whole)
            end = tar.offset
    except InputError:
        raise
    # tarfile lets through what its headers' numbers and text raise.
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, EOFError) as error:
        problems.add(Kind.SHARD, shard, "the tar", f"{error}; what follows is lost")
        return
    stream.seek(min(end, bounded.size))
    if stream.read(BLOCK) != bytes(BLOCK):
        lost = max(0, bounded.size - end)
        reason = f"damaged at byte {end}: {lost} bytes after it are lost"
        problems.add(Kind.SHARD, shard, "the tar", reason)


class Bounded(io.RawIOBase):
    """A stream that is never asked for more than it holds, whatever a header says.

    Python's own files first make room for as many bytes as they are asked for.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.size = stream.seek(0, io.SEEK_END)
        stream.seek(0)

    def read(self, size: int | None = -1) -> bytes:
        """At most ``size`` bytes, or all that are left."""
        left = max(0, self.size - self._stream.tell())
        return self._stream.read(left if size is None or size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the stream, or to its end where it is shorter."""
        if whence == io.SEEK_SET:
            if offset < 0:
                raise ValueError(f"a header leads to byte {offset}")
            offset = min(offset, self.size)
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        """The place in the stream."""
        return self._stream.tell()


class _Reader:
    """Reads and checks one KEY of an open shard."""

    def __init__(
        self,
        shard: str,
        key: str,
        blobs: dict[str, TarBlob],
        stream: IO[bytes],
        problems: Problems,
        exif: Exif,
    ) -> None:
        self._shard, self._key, self._blobs = shard, key, blobs
        self._stream, self._problems, self._exif = stream, problems, exif
        self.ids: dict[str, Any] = {}

    def sample(self, photographs: bool) -> Sample:
        """The photograph and its objects; broken objects are noted.

        Raises:
            BrokenError: it cannot be taken.
        """
        record = decode_record(self._content(RECORD), self._note)
        self.ids = {"image": record.image.image_id}
        upright = False
        if photographs:
            image = record.image
            header = read_header(self._content(PHOTOGRAPH), "the photograph")
            size = image.width, image.height
            upright = annotated_upright(header, *size, self._key, self._exif, self._problems)
        soft = self._blobs.get(SOFT)
        if soft is not None and not soft.whole:
            raise BrokenError(Kind.TEACHER, f".{SOFT} is cut off")
        return Sample(self._key, record, self._blobs.get(PHOTOGRAPH), soft, upright)

    def _note(self, error: BrokenError, ids: dict[str, Any]) -> None:
        self._problems.add(error.kind, self._shard, self._key, error, **ids)

    def _content(self, extension: str) -> bytes:
        kind = Kind.IMAGE if extension == RECORD else Kind.MISSING
        if extension not in self._blobs:
            raise BrokenError(kind, f"has no .{extension}")
        blob = self._blobs[extension]
        if not blob.whole:
            raise BrokenError(Kind.DAMAGED, f".{extension} is cut off")
        self._stream.seek(blob.offset)
        return self._stream.read(blob.size)


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

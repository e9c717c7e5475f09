"""What readers leave out: the first are named, all are written down, and counted by kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
import fsspec
import msgspec

from picosam2.data.storage import beneath, readable, writing
from picosam2.errors import InputError

LEFT_OUT_FILE = "left-out.jsonl"
# On the terminal; the file has all of them.
NAMED = 10

Id = int | float | str | None


class Kind(StrEnum):
    """Why something is left out."""

    MISSING = "missing photograph"
    DAMAGED = "damaged photograph"
    SIZE = "another size"
    IMAGE = "broken image record"
    ANNOTATION = "broken annotation"
    BOX = "broken box"
    SEGMENTATION = "broken segmentation"
    MASK = "broken mask picture"
    DUPLICATE = "duplicate id"
    ORPHAN = "annotation without photograph"
    CATEGORY = "broken category"
    TEACHER = "broken teacher's label"
    MEMBER = "unusable member of a shard"
    SHARD = "damaged shard"
    PROMPT = "unusable prompt"


# What is lost with these is an object; with the others, a photograph or more.
OF_OBJECTS = {
    Kind.ANNOTATION,
    Kind.BOX,
    Kind.SEGMENTATION,
    Kind.MASK,
    Kind.ORPHAN,
    Kind.TEACHER,
}


class BrokenError(ValueError):
    """One object or photograph that cannot be taken.

    Args:
        kind: what is wrong with it.
        reason: one line.
    """

    def __init__(self, kind: Kind, reason: object) -> None:
        super().__init__(" ".join(str(reason).split()))
        self.kind = kind


class LeftOut(msgspec.Struct, frozen=True):
    """One thing that was left out: a line of ``left-out.jsonl``.

    Args:
        source: the folder, annotation file or shard that it is in.
        file: its photograph's name there, or its own.
        ids: what the source calls it: ``image`` and ``annotation``, as far as they apply.
        kind: why, in a word; one of ``Kind``.
        reason: why, in a line.
    """

    source: str
    file: str
    ids: dict[str, Id | list[Id]]
    kind: Kind
    reason: str

    def __str__(self) -> str:
        annotation = f"annotation {self.ids['annotation']}: " if "annotation" in self.ids else ""
        return f"{self.file} in {self.source}: {annotation}{self.reason}"


@dataclass
class Problems:
    """Collects what had to be left out of one run's data.

    Args:
        strict: refuse the first instead.
        entries: what was left out, in the order it was found.
        unclear: photographs whose EXIF says that they lie on their side or head, where the
            annotation's size does not tell whether it knows; they count as upright.
    """

    strict: bool = False
    entries: list[LeftOut] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    _seen: set[bytes] = field(default_factory=set, repr=False)
    _said: int = field(default=0, repr=False)

    @property
    def messages(self) -> list[str]:
        """One line each."""
        return [str(entry) for entry in self.entries]

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return dict(Counter(str(entry.kind) for entry in self.entries))

    def add(
        self, kind: Kind, source: object, file: str, reason: object, **ids: Id | list[Id]
    ) -> None:
        """Note that something is left out; what was noted before is not noted again.

        Raises:
            InputError: ``strict``.
        """
        line = " ".join(_printable(str(reason)).split())
        entry = LeftOut(_printable(str(source)), _printable(file), _known(ids), kind, line)
        self.extend([entry])

    def extend(self, entries: list[LeftOut]) -> None:
        """Note what another process left out.

        Raises:
            InputError: ``strict``.
        """
        for entry in entries:
            if self.strict:
                raise InputError(f"{entry} ({entry.kind}; --strict)")
            key = msgspec.json.encode(entry)
            if key not in self._seen:
                self._seen.add(key)
                self.entries.append(entry)

    def lost_objects(self) -> bool:
        """Whether an object was left out whose photograph was not."""
        return any(entry.kind in OF_OBJECTS for entry in self.entries)

    def say(self) -> None:
        """Name the first ten on standard error, and how many there are of each kind."""
        new, first = self.entries[self._said :], self._said
        self._said = len(self.entries)
        for entry in new[: max(0, NAMED - first)]:
            click.echo(f"left out: {entry}", err=True)
        if new:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.counts.items())
            click.echo(f"left out: {len(self.entries)} in all: {kinds}", err=True)
        if self.unclear:
            click.echo(
                f"EXIF says that {self.unclear[0]} is turned ({len(self.unclear)} such photographs)"
                ", the annotation's size does not tell whether it knows: taken as upright; "
                "--exif ignore takes them as stored",
                err=True,
            )
            self.unclear.clear()

    def write(self, folder: str | Path) -> None:
        """Write ``left-out.jsonl`` into a folder, a path or an address.

        Where nothing was left out there is none, and one of an earlier run goes.

        Raises:
            InputError: it cannot be written.
        """
        write_left_out(folder, self.entries)


def write_left_out(folder: str | Path, entries: list[LeftOut]) -> None:
    """Write entries as ``left-out.jsonl``; see :meth:`Problems.write`."""
    location = beneath(str(folder), LEFT_OUT_FILE)
    if entries:
        with writing(location) as path:
            path.write_bytes(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))
        return
    with readable(location):
        fs, path_there = fsspec.url_to_fs(location)
        if fs.isfile(path_there):
            fs.rm_file(path_there)


def _known(ids: dict[str, Id | list[Id]]) -> dict[str, Id | list[Id]]:
    return {name: _id(value) for name, value in ids.items() if value is not None}


def _id(value: Any) -> Any:
    """An id, or a list of them, as it is, but for text that UTF-8 cannot hold."""
    if isinstance(value, list):
        return [_id(part) for part in value]
    return _printable(value) if isinstance(value, str) else value


def _printable(text: str) -> str:
    """Without what UTF-8 cannot hold, which JSON can smuggle in."""
    return text.encode("utf-8", "backslashreplace").decode()

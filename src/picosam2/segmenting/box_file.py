"""A detector's boxes from a file: COCO's results, or lines of text."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from picosam2.data.problems import Kind, Problems
from picosam2.errors import InputError
from picosam2.segmenting.photos import PhotoFile

HEADER = "file,x0,y0,x1,y1"


@dataclass(frozen=True)
class GivenBox:
    """A box around an object.

    Args:
        corners: x0, y0, x1, y1 in pixels, x1 and y1 the far edges.
        image_id: what the file calls the photograph.
        category_id: what the file calls the kind of object.
    """

    corners: tuple[float, ...]
    image_id: int | str | None = None
    category_id: int | None = None


class _Result(msgspec.Struct):
    bbox: tuple[float, float, float, float]
    image_id: int | str | None = None
    file_name: str | None = None
    category_id: int | None = None


def read_boxes(
    path: Path, photos: Sequence[PhotoFile], problems: Problems
) -> dict[str, list[GivenBox]]:
    """The boxes of each photograph, by its name; those of other photographs are passed over.

    COCO's results are a JSON list of ``bbox`` (x, y, width, height) with ``file_name`` or
    ``image_id``, and ``category_id`` if there is one. A photograph goes by its path below the
    folder that was given, its file name, the same without suffix, or, as COCO's own, by its number
    with leading zeros. Lines of text are ``file,x0,y0,x1,y1``; a first line that says so is a
    header.

    Args:
        path: of the file.
        photos: that it may be about.
        problems: where to note entries of a JSON list that are no boxes.

    Raises:
        InputError: the file cannot be read, is of another kind, fits no photograph, or means two
            by one name.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    # Windows' programs begin text with a byte order mark.
    content = content.removeprefix(BOM_UTF8)
    if content.lstrip().startswith((b"[", b"{")):
        named = _from_json(path, content, problems)
    else:
        named = _from_text(path, content)
    index = _by_every_name(photos)
    boxes: dict[str, list[GivenBox]] = {}
    for key, box in named:
        meant = _meant(key, index)
        if not meant and _meant(_without_number(key), index):
            raise InputError(f"{path}: {key} has a field too many: lines are {HEADER} and no more")
        if len(meant) > 1:
            raise InputError(f"{path}: {key} is {meant[0]} and {meant[1]}: give the path")
        for name in meant:
            boxes.setdefault(name, []).append(box)
    if not boxes:
        example = f", such as {named[0][0]}" if named else ""
        if named and _without_number(named[0][0]):
            example += f": lines are {HEADER} and no more"
        raise InputError(f"{path} has no box of the given photographs{example}")
    return boxes


def _from_json(path: Path, content: bytes, problems: Problems) -> list[tuple[str, GivenBox]]:
    try:
        # Python's own parser takes NaN, which is then the fault of its box alone.
        results = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a list of COCO results with bbox: {error}") from None
    if not isinstance(results, list):
        kind = type(results).__name__
        raise InputError(f"{path} is not a list of COCO results with bbox: it is a {kind}")
    boxes = []
    for number, result in enumerate(results):
        try:
            boxes.append(_named_box(result))
        except ValueError as error:
            reason = f"entry {number} is not a COCO result with bbox: {error}"
            problems.add(Kind.PROMPT, path.parent, path.name, reason)
    if results and not boxes:
        raise InputError(f"{path} has no box that can be used: see what is left out")
    return boxes


def _named_box(given: Any) -> tuple[str, GivenBox]:
    """A box, and what it calls its photograph.

    Raises:
        ValueError: it is none, or names no photograph.
    """
    # Not strict: numbers may be written as 139.0.
    result = msgspec.convert(given, _Result, strict=False)
    key = result.image_id if result.file_name is None else result.file_name
    if key is None:
        raise ValueError("it has neither file_name nor image_id: give one")
    x, y, width, height = result.bbox
    corners = (x, y, x + width, y + height)
    return str(key), GivenBox(corners, result.image_id, result.category_id)


def _from_text(path: Path, content: bytes) -> list[tuple[str, GivenBox]]:
    boxes = []
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path} is neither JSON nor text in UTF-8") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip() or (number == 1 and line.replace(" ", "") == HEADER):
            continue
        # A file's name may have commas.
        name, *parts = line.rsplit(",", 4)
        try:
            corners = tuple(float(part) for part in parts)
        except ValueError:
            corners = ()
        if len(corners) != 4:
            raise InputError(f"{path}: line {number} is not {HEADER}: {line[:80]!r}")
        boxes.append((name.strip(), GivenBox(corners)))
    return boxes


def _meant(key: str, index: dict[str, list[str]]) -> list[str]:
    """The photographs of a name, by ``_by_every_name``."""
    # Paths below this folder may begin with it, and Windows' have backslashes.
    portable = (PurePosixPath(name).as_posix() for name in (key, key.replace("\\", "/")))
    return next((index[name] for name in (key, *portable) if name in index), [])


def _without_number(key: str) -> str:
    """A name without the number behind its last comma, or nothing.

    A score as a sixth field makes the first corner part of the name.
    """
    name, _, number = key.rpartition(",")
    try:
        float(number)
    except ValueError:
        return ""
    return name.strip()


def _by_every_name(photos: Sequence[PhotoFile]) -> dict[str, list[str]]:
    """Photographs' names by what a file of boxes may call them; whole names go first."""
    index: dict[str, list[str]] = {}
    for photo in photos:
        stem = photo.path.stem
        number = {str(int(stem))} if stem.isascii() and stem.isdigit() else set()
        for key in {photo.path.name, stem, photo.path.as_posix()} | number:
            index.setdefault(key, []).append(photo.name)
    return index | {photo.name: [photo.name] for photo in photos}

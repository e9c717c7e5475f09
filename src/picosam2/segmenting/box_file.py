"""A detector's boxes from a file: COCO's results, or lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

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


def read_boxes(path: Path, photos: Sequence[PhotoFile]) -> dict[str, list[GivenBox]]:
    """The boxes of each photograph, by its name; those of other photographs are passed over.

    COCO's results are a JSON list of ``bbox`` (x, y, width, height) with ``file_name`` or
    ``image_id``, and ``category_id`` if there is one. A photograph goes by its path below the
    folder that was given, its file name, the same without suffix, or, as COCO's own, by its number
    with leading zeros. Lines of text are ``file,x0,y0,x1,y1``; a first line that says so is a
    header.

    Raises:
        InputError: the file cannot be read, is of another kind, fits no photograph, or means two
            by one name.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    read = _from_json if content.lstrip().startswith((b"[", b"{")) else _from_text
    named = read(path, content)
    index = _by_every_name(photos)
    boxes: dict[str, list[GivenBox]] = {}
    for key, box in named:
        meant = index.get(key, [])
        if len(meant) > 1:
            raise InputError(f"{path}: {key} is {meant[0]} and {meant[1]}: give the path")
        for name in meant:
            boxes.setdefault(name, []).append(box)
    if not boxes:
        example = f", such as {named[0][0]}" if named else ""
        raise InputError(f"{path} has no box of the given photographs{example}")
    return boxes


def _from_json(path: Path, content: bytes) -> list[tuple[str, GivenBox]]:
    try:
        results = msgspec.json.decode(content, type=list[_Result])
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a list of COCO results with bbox: {error}") from None
    boxes = []
    for number, result in enumerate(results):
        key = result.image_id if result.file_name is None else result.file_name
        if key is None:
            raise InputError(f"{path}: entry {number} has neither file_name nor image_id: give one")
        x, y, width, height = result.bbox
        corners = (x, y, x + width, y + height)
        boxes.append((str(key), GivenBox(corners, result.image_id, result.category_id)))
    return boxes


def _from_text(path: Path, content: bytes) -> list[tuple[str, GivenBox]]:
    boxes = []
    try:
        lines = content.decode("utf-8-sig").splitlines()
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
        boxes.append((PurePosixPath(name.strip()).as_posix(), GivenBox(corners)))
    return boxes


def _by_every_name(photos: Sequence[PhotoFile]) -> dict[str, list[str]]:
    """Photographs' names by what a file of boxes may call them; whole names go first."""
    index: dict[str, list[str]] = {}
    for photo in photos:
        stem = photo.path.stem
        number = {str(int(stem))} if stem.isascii() and stem.isdigit() else set()
        for key in {photo.path.name, stem, photo.path.as_posix()} | number:
            index.setdefault(key, []).append(photo.name)
    return index | {photo.name: [photo.name] for photo in photos}

"""Photographs without annotation."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from picosam2.data.header import Exif
from picosam2.data.importers.candidate import Candidate, Found
from picosam2.data.picture import read_picture
from picosam2.data.problems import Problems
from picosam2.data.schema import ImageInfo, Record
from picosam2.errors import InputError
from picosam2.images import SUFFIXES


def find_photos(
    source: str, split: str | None, _problems: Problems, exif: Exif = "auto"
) -> list[Candidate]:
    """Every image file below a folder, sorted.

    Raises:
        InputError: it is not a folder.
    """
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: give a folder of photographs")
    return [
        Candidate(
            path.relative_to(folder).as_posix(),
            partial(_read, path, folder, number, split, exif),
            number,
        )
        for number, path in enumerate(image_files(folder), start=1)
    ]


def image_files(folder: Path) -> list[Path]:
    """The files below a folder that are named as images, sorted; hidden ones are passed over."""
    return [
        path
        for path in visible_files(folder, "*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]


def visible_files(folder: Path, pattern: str) -> list[Path]:
    """What is below a folder under names of a pattern, sorted; hidden ones are passed over."""
    return sorted(
        path
        for path in folder.rglob(pattern)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _read(path: Path, folder: Path, image_id: int, split: str | None, exif: Exif) -> Found:
    picture, (width, height) = read_picture(path, exif)
    name = path.relative_to(folder).as_posix()
    return Found(Record(ImageInfo(image_id, width, height, name, split=split), []), picture)

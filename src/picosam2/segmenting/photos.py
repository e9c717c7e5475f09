"""Which photographs are meant: files, folders and patterns."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from picosam2.data.importers.photos import image_files
from picosam2.errors import InputError
from picosam2.images import SUFFIXES

# A result of an earlier run, which may lie beside its photograph.
_RESULT = re.compile(r"(?P<photo>.+)\.(mask|overlay|cutout)(\.\d+)?\.png")


@dataclass(frozen=True)
class PhotoFile:
    """A photograph to segment.

    Args:
        path: its file.
        name: what results are named after: its file name, below the folder that was given.
    """

    path: Path
    name: str


def is_lone(given: Sequence[Path]) -> bool:
    """Whether one file was named: it is then an error that it is broken."""
    return len(given) == 1 and given[0].exists() and not given[0].is_dir()


def find_photos(given: Sequence[Path]) -> list[PhotoFile]:
    """The photographs of files, folders (all below, without results of earlier runs) and patterns.

    Raises:
        InputError: there is no such file, none in a folder or by a pattern, or two would be named
            alike.
    """
    found: dict[Path, PhotoFile] = {}
    for path in given:
        for photo in _expand(path):
            found.setdefault(photo.path.resolve(), photo)
    names: dict[str, Path] = {}
    for photo in found.values():
        other = names.setdefault(photo.name, photo.path)
        if other != photo.path:
            raise InputError(
                f"results of {other} and {photo.path} would have the same names: "
                "give the folder above both"
            )
    return list(found.values())


def _expand(path: Path) -> list[PhotoFile]:
    if path.is_dir():
        photos = [p for p in image_files(path) if not _is_result(p)]
        if not photos:
            raise InputError(f"no photograph in {path}: give a folder of photographs")
        return [PhotoFile(photo, photo.relative_to(path).as_posix()) for photo in photos]
    if path.exists():
        return [PhotoFile(path, path.name)]
    if not glob.has_magic(str(path)):
        raise InputError(f"no such file: {path}")
    # Unlike Path.glob, it passes over hidden files.
    matches = [Path(p) for p in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
    photos = [p for p in matches if p.is_file() and not _is_result(p)]
    if not photos:
        raise InputError(f"no file matches {path}")
    above = _fixed_part(path)
    return [PhotoFile(photo, photo.relative_to(above).as_posix()) for photo in photos]


def _fixed_part(pattern: Path) -> Path:
    """The folder above a pattern's first wildcard."""
    return next(parent for parent in pattern.parents if not glob.has_magic(str(parent)))


def _is_result(path: Path) -> bool:
    made_of = _RESULT.fullmatch(path.name)
    return bool(made_of and Path(made_of["photo"]).suffix.lower() in SUFFIXES)

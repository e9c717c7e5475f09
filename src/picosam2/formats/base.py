"""What a format is asked for, and what it is given."""

from __future__ import annotations

import glob
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from picosam2.data.rle import decode_rle
from picosam2.data.schema import Rle
from picosam2.errors import InputError


@dataclass(frozen=True)
class Photograph:
    """A photograph that was segmented.

    Args:
        path: its file.
        name: what results are named after: its file name, below the folder that was given.
        pixels: H×W×3 uint8 RGB.
        points: x, y of each click in pixels.
        labels: 1 (on the object) or 0 of each.
        boxes: x0, y0, x1, y1 in pixels, each.
    """

    path: Path
    name: str
    pixels: NDArray[np.uint8]
    points: Sequence[tuple[float, ...]] = ()
    labels: Sequence[int] = ()
    boxes: Sequence[tuple[float, ...]] = ()

    @property
    def size(self) -> tuple[int, int]:
        """H, W in pixels."""
        height, width = self.pixels.shape[:2]
        return height, width


@dataclass(frozen=True)
class Found:
    """One object of a photograph.

    Args:
        rle: its mask.
        score: predicted IoU in 0..1.
        logits: H×W float32, above 0 is object; only for formats that need them.
        image_id: what the file of boxes calls the photograph.
        category_id: what the file of boxes calls the kind of object.
    """

    rle: Rle
    score: float
    logits: NDArray[np.float32] | None = None
    image_id: int | str | None = None
    category_id: int | None = None

    @property
    def mask(self) -> NDArray[np.bool_]:
        """H×W bool."""
        return decode_rle(self.rle)


@dataclass(frozen=True)
class Target:
    """Where results go, and how.

    Args:
        folder: of files a photograph.
        file: of formats that write one file for all photographs; ``-`` is standard output.
        lone: whether there is one photograph with one object, by the prompt's kind.
        numbered: whether a photograph's objects are numbered in the names of their files.
        tolerance: how far a simplified polygon may leave the mask's outline, in pixels.
        categories: that the file of boxes has.
    """

    folder: Path
    file: str
    lone: bool = False
    numbered: bool = False
    tolerance: float = 1.0
    categories: frozenset[int] = frozenset()

    def category(self, found: Found, unknown: int) -> int:
        """The number of an object's category.

        Args:
            found: the object.
            unknown: of objects whose category nobody told, where no other object has it; else these
                get a number of their own, above all others.
        """
        if found.category_id is not None:
            return found.category_id
        return max(self.categories) + 1 if unknown in self.categories else unknown

    def picture(self, name: str, what: str, number: int | None) -> Path:
        """The path of a picture of the photograph, or of its object of that number (from 1)."""
        suffix = f".{number:03}" if self.numbered and number is not None else ""
        return self.folder / f"{name}.{what}{suffix}.png"


class Format(ABC):
    """Writes what was found in one photograph after another.

    Args:
        target: where to, and how.
    """

    needs_logits = False
    # Of formats whose readers look for ``photo.SUFFIX`` beside ``photo.jpg``.
    suffix: str | None = None

    def __init__(self, target: Target) -> None:
        self.target = target

    @abstractmethod
    def add(self, photo: Photograph, objects: Iterable[Found]) -> Iterator[tuple[str, Path]]:
        """Write a photograph's objects, one by one; give what was written, and where.

        Raises:
            InputError: a file cannot be written.
        """

    def finish(self) -> Iterator[tuple[str, Path]]:
        """Write what is about all photographs.

        Raises:
            InputError: the file cannot be written.
        """
        yield from ()

    def check(self, names: Sequence[str]) -> None:
        """Refuse photographs of these names, before any is segmented.

        Raises:
            InputError: two of them would be written to the same file, as ``a.jpg`` and ``a.png``.
        """
        if self.suffix is None:
            return
        seen: dict[Path, str] = {}
        for name in names:
            other = seen.setdefault(self.path(name), name)
            if other != name:
                raise InputError(
                    f"{other} and {name} would both be written to {self.path(name)}, where readers "
                    "of this format look: segment them one by one, each with another --out"
                )

    def path(self, name: str) -> Path:
        """Where a photograph's own file is written, of formats that have a ``suffix``."""
        assert self.suffix is not None
        return self.target.folder / PurePosixPath(name).with_suffix(self.suffix)

    def written(self, name: str) -> set[Path]:
        """Files that a photograph's results would be written over: its own, or what links lead to.

        Pictures in the place of earlier ones are left out: a mask may be corrected again and again.
        """
        if self.suffix is not None:
            return {self.path(name)}
        there = self.target.folder.glob(f"{glob.escape(name)}.*.png")
        return {path for path in there if path.is_symlink()}

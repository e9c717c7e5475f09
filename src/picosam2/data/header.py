"""A photograph's file without its pixels: whether it is whole, and fits its annotation."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from PIL import Image

from picosam2.data.places import is_file
from picosam2.data.problems import BrokenError, Kind, Problems
from picosam2.errors import InputError
from picosam2.images import open_image

Exif = Literal["auto", "ignore"]

ORIENTATION = 0x0112
# EXIF's orientations that exchange width and height.
ON_ITS_SIDE = {5, 6, 7, 8}
TURNED = {2, 3, 4} | ON_ITS_SIDE
TAIL = 64
# How a whole file of a format ends, somewhere in its last bytes.
ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}


@dataclass(frozen=True)
class Header:
    """What is known of an image file that has not been decoded.

    Args:
        size: width and height in pixels, as stored.
        orientation: EXIF's, 1 where it is upright or nothing is said.
    """

    size: tuple[int, int]
    orientation: int = 1

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height in pixels, as people see it."""
        width, height = self.size
        return (height, width) if self.orientation in ON_ITS_SIDE else (width, height)


def read_header(source: Path | bytes, name: str) -> Header:
    """Read and check the head and the end of an image file.

    Args:
        source: the file or its content.
        name: of the file, for messages.

    Raises:
        BrokenError: it is missing, no image, too large, or cut off.
    """
    try:
        if isinstance(source, Path) and not is_file(source):
            # Devices and pipes are no photographs either: reading them might never end.
            raise BrokenError(Kind.MISSING, f"there is no file {source}")
        with source.open("rb") if isinstance(source, Path) else io.BytesIO(source) as stream:
            with open_image(stream, name) as image:
                header = Header(image.size, orientation(image))
                kind = image.format or ""
            if ENDS.get(kind, b"") not in _tail(stream):
                # Cut off, or something comes after its end, such as a phone's film.
                _decode(stream, name)
    except BrokenError:
        raise
    except InputError as error:
        raise BrokenError(Kind.DAMAGED, error) from None
    # Pillow raises OSError, SyntaxError, ValueError and more for damaged files.
    except Exception as error:
        raise BrokenError(Kind.DAMAGED, f"cannot read {name}: {error or repr(error)}") from None
    return header


def _decode(stream: IO[bytes], name: str) -> None:
    with open_image(stream, name) as image:
        try:
            image.load()
        except OSError as error:
            raise BrokenError(Kind.DAMAGED, f"{name} is cut off: {error}") from None


def _tail(stream: IO[bytes]) -> bytes:
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - TAIL))
    return stream.read()


def orientation(image: Image.Image) -> int:
    """EXIF's orientation of an opened image; 1 where it is upright, or EXIF is damaged."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    # Pillow's reader of EXIF raises many kinds of errors; the pixels may be whole.
    except Exception:
        return 1
    return value if value in TURNED else 1


def annotated_upright(
    header: Header, width: int, height: int, name: str, exif: Exif, problems: Problems
) -> bool:
    """Whether an annotation is of the photograph as people see it, or of the stored pixels.

    Its width and height decide. Where both have the same size (squares, and what stands on its head
    or is mirrored) it counts as upright, which is noted as unclear.

    Args:
        header: of the photograph's file.
        width: of the annotation.
        height: of the annotation.
        name: of the photograph, for messages.
        exif: ``ignore`` takes every photograph as it is stored.
        problems: where to note what is unclear.

    Returns:
        True where EXIF's orientation has to be applied.

    Raises:
        BrokenError: the annotation is of neither size.
    """
    said, stored, upright = (width, height), header.size, header.upright_size
    if header.orientation == 1 or exif == "ignore":
        upright = stored
    if said not in (stored, upright):
        turned = f" ({_as_text(upright)} upright, by EXIF)" if upright != stored else ""
        hidden = ", EXIF is ignored" if exif == "ignore" and header.orientation != 1 else ""
        raise BrokenError(
            Kind.SIZE,
            f"the photograph is {_as_text(stored)}{turned}, its annotation says "
            f"{_as_text(said)}{hidden}",
        )
    if header.orientation == 1 or exif == "ignore":
        return False
    if stored == upright:
        problems.unclear.append(name)
    return said == upright


def _as_text(size: tuple[int, int]) -> str:
    return "×".join(map(str, size))

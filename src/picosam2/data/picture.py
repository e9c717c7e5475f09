"""The picture of a photograph on its way into a shard: as it is where that can be, else as JPEG."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.data.header import ENDS, TAIL, Exif, Header, orientation, read_header
from picosam2.data.problems import BrokenError, Kind
from picosam2.data.reduction import reduce_record, reduced_size
from picosam2.data.schema import Record
from picosam2.images import open_image
from picosam2.pixels import to_rgb

# The bytes of an image file, or H×W×3 uint8 RGB.
Picture = bytes | NDArray[np.uint8]

JPEG_QUALITY = 95
END_OF_JPEG = ENDS["JPEG"]


def read_picture(path: Path, exif: Exif) -> tuple[Picture, tuple[int, int]]:
    """A photograph as people see it, and its width and height.

    Args:
        path: of the file.
        exif: ``ignore`` gives it as it is stored.

    Raises:
        BrokenError: the file is missing, not an image, damaged or too large.
    """
    header = read_header(path, path.name)
    content = path.read_bytes()
    upright = exif == "auto" and header.orientation != 1
    with open_image(io.BytesIO(content), path.name) as image:
        if header.orientation == 1 and _may_stay(image, content):
            return content, image.size
        try:
            pixels = to_rgb(image, upright)
        # Pillow's decoders raise OSError, SyntaxError, ValueError and more for damaged files.
        except Exception as error:
            raise BrokenError(Kind.DAMAGED, f"cannot read the photograph: {error}") from None
    return pixels, (pixels.shape[1], pixels.shape[0])


def store_picture(
    record: Record, picture: Picture, max_side: int | None, upright: bool = False
) -> tuple[Record, bytes]:
    """What goes into the shard: the record, and a JPEG of its size that has been decoded once.

    Args:
        record: the photograph's facts and objects.
        picture: its picture.
        max_side: pixels of the longest side that it is reduced to, where it is longer.
        upright: whether EXIF has to turn the picture, where it is the bytes of a file.

    Raises:
        BrokenError: the picture is damaged.
    """
    size = (record.image.width, record.image.height)
    small = reduced_size(*size, max_side)
    if isinstance(picture, bytes):
        try:
            with open_image(io.BytesIO(picture), "the photograph") as image:
                image.load()
                if small == size and not upright and _may_stay(image, picture):
                    return record, picture
                # Masks are drawn on the pixels as they are stored where nothing else is known.
                picture = to_rgb(image, upright)
        # Pillow's decoders raise OSError, SyntaxError, ValueError and more for damaged files.
        except Exception as error:
            raise BrokenError(Kind.DAMAGED, f"cannot read the photograph: {error}") from None
    image = Image.fromarray(picture)
    if small != size:
        record = reduce_record(record, *small)
        image = image.resize(small, Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    image.save(encoded, format="JPEG", quality=JPEG_QUALITY, subsampling=0)
    return record, encoded.getvalue()


def _may_stay(image: Image.Image, content: bytes) -> bool:
    """Whether it is a JPEG that every reader shows alike and ``read_shard`` takes as whole.

    A shard's reader tells by the size whether EXIF has to turn a photograph: where that does not
    tell, the pixels are written as they are meant, without EXIF.
    """
    is_whole = END_OF_JPEG in content[-TAIL:]
    header = Header(image.size, orientation(image))
    is_clear = header.orientation == 1 or header.upright_size != header.size
    return image.format == "JPEG" and image.mode in ("RGB", "L") and is_whole and is_clear

"""The picture of a photograph on its way into a shard: as it is where that can be, else as JPEG."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.data.reduction import reduce_record, reduced_size
from picosam2.data.schema import Record
from picosam2.images import load_image, open_image
from picosam2.pixels import to_rgb

# The bytes of an image file, or H×W×3 uint8 RGB.
Picture = bytes | NDArray[np.uint8]

JPEG_QUALITY = 95
ORIENTATION = 0x0112
END_OF_JPEG, TAIL = b"\xff\xd9", 64


def read_upright(path: Path) -> tuple[Picture, tuple[int, int]]:
    """A photograph as people see it, and its width and height.

    Raises:
        InputError: the file is not an image, damaged or too large.
        OSError: it is missing.
    """
    content = path.read_bytes()
    with open_image(io.BytesIO(content), "it") as image:
        upright = image.getexif().get(ORIENTATION, 1) == 1
        if upright and _may_stay(image, content):
            return content, image.size
    pixels = load_image(path)
    return pixels, (pixels.shape[1], pixels.shape[0])


def store_picture(record: Record, picture: Picture, max_side: int | None) -> tuple[Record, bytes]:
    """What goes into the shard: the record, and a JPEG of its size that has been decoded once.

    Args:
        record: the photograph's facts and objects.
        picture: its picture.
        max_side: pixels of the longest side that it is reduced to, where it is longer.

    Raises:
        ValueError: the picture is damaged, or of another size than the record says.
        OSError: it is damaged.
    """
    size = (record.image.width, record.image.height)
    small = reduced_size(*size, max_side)
    if isinstance(picture, bytes):
        with open_image(io.BytesIO(picture), "the photograph") as image:
            if image.size != size:
                found, said = ("×".join(map(str, pair)) for pair in (image.size, size))
                raise ValueError(f"the photograph is {found}, its annotation says {said}")
            image.load()
            if small == size and _may_stay(image, picture):
                return record, picture
            # Masks of annotated photographs are drawn on the pixels as they are stored.
            picture = to_rgb(image, upright=False)
    image = Image.fromarray(picture)
    if small != size:
        record = reduce_record(record, *small)
        image = image.resize(small, Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    image.save(encoded, format="JPEG", quality=JPEG_QUALITY, subsampling=0)
    return record, encoded.getvalue()


def _may_stay(image: Image.Image, content: bytes) -> bool:
    """Whether it is a JPEG that every reader shows alike and ``read_shard`` takes as whole."""
    is_whole = END_OF_JPEG in content[-TAIL:]
    return image.format == "JPEG" and image.mode in ("RGB", "L") and is_whole

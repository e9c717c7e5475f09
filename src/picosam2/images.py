"""Photographs from files: any kind of image as upright 8-bit RGB."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from picosam2.decoding import leave_unturned
from picosam2.errors import InputError
from picosam2.levels import Range
from picosam2.pixels import to_rgb

# How files of photographs are named, for all that look for them in folders. HEIC is listed although
# Pillow cannot read it: such files are then named, not passed over.
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"}
SUFFIXES |= {".jp2", ".avif", ".heic", ".heif", ".ppm", ".pgm", ".tga"}
MAX_PIXELS = 500_000_000
_PILLOWS_LIMIT = threading.Lock()


def load_image(path: str | Path, value_range: Range | None = None) -> NDArray[np.uint8]:
    """Read a photograph, upright, as :func:`picosam2.pixels.to_rgb` converts it.

    Args:
        path: a file in any format that Pillow reads, at most 500 megapixels.
        value_range: the values that become black and white.

    Returns:
        H×W×3 uint8 RGB.

    Raises:
        InputError: the file is missing, not an image, truncated or too large; the range is empty.
    """
    try:
        with open_image(path, str(path)) as image:
            return to_rgb(image, value_range=value_range, name=str(path), consume=True)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except InputError:
        raise
    # Pillow's decoders raise OSError, SyntaxError, ValueError and more for damaged files.
    except Exception as error:
        raise InputError(f"cannot read the image {path}: {error}") from None


@contextlib.contextmanager
def open_image(
    source: str | Path | IO[bytes], name: str, kinds: tuple[str, ...] | None = None
) -> Iterator[Image.Image]:
    """Open an image of at most 500 megapixels; Pillow by itself refuses from 179 on.

    Args:
        source: the file.
        name: of the file, for messages.
        kinds: Pillow's names of the formats that are read; None for all.

    Raises:
        InputError: it is larger, or not an image.
        Exception: what Pillow raises for a damaged one.
    """
    try:
        image = _open_of_any_size(source, kinds)
    except UnidentifiedImageError:
        raise InputError(f"{name} is not an image, or of a kind not read here") from None
    with image:
        leave_unturned(image)
        if image.width * image.height > MAX_PIXELS:
            raise InputError(
                f"{name} has {image.width}×{image.height} pixels; "
                f"the limit is {MAX_PIXELS // 10**6} megapixels: reduce it first"
            )
        yield image


def _open_of_any_size(source: str | Path | IO[bytes], kinds: tuple[str, ...] | None) -> Image.Image:
    """Pillow refuses from 179 megapixels on, by a number that all threads share."""
    with _PILLOWS_LIMIT:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(source, formats=kinds)
        finally:
            Image.MAX_IMAGE_PIXELS = limit

"""Photographs from files: any kind of image as upright 8-bit RGB."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from picosam2.errors import InputError

MAX_PIXELS = 500_000_000


def load_image(path: str | Path) -> NDArray[np.uint8]:
    """Read a photograph.

    EXIF rotation is applied; CMYK, palette, grey and 16-bit images are converted; transparent
    pixels are laid on white.

    Args:
        path: a file in any format that Pillow reads, at most 500 megapixels.

    Returns:
        H×W×3 uint8 RGB.

    Raises:
        InputError: the file is missing, not an image, truncated or too large.
    """
    try:
        with open_image(path, str(path)) as image:
            return to_rgb(image)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}") from None
    except InputError:
        raise
    # Pillow's decoders raise OSError, SyntaxError, ValueError and more for damaged files.
    except Exception as error:
        raise InputError(f"cannot read the image {path}: {error}") from None


@contextlib.contextmanager
def open_image(source: str | Path | IO[bytes], name: str) -> Iterator[Image.Image]:
    """Open an image of at most 500 megapixels; Pillow by itself refuses from 179 on.

    Args:
        source: the file.
        name: of the file, for messages.

    Raises:
        InputError: it is larger, or not an image.
        Exception: what Pillow raises for a damaged one.
    """
    with warnings.catch_warnings():
        # Pillow warns from 90 megapixels on; the limit here is ours.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with Image.open(source) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise InputError(
                        f"{name} has {image.width}×{image.height} pixels; "
                        f"the limit is {MAX_PIXELS // 10**6} megapixels: reduce it first"
                    )
                yield image
        except UnidentifiedImageError:
            raise InputError(f"{name} is not an image, or of a kind not read here") from None
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def to_rgb(image: Image.Image, upright: bool = True) -> NDArray[np.uint8]:
    """A PIL image of any mode as H×W×3 uint8 RGB, with its EXIF rotation applied if ``upright``."""
    if upright:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        return np.repeat(_to_8_bit(np.asarray(image))[..., None], 3, axis=-1)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(background, image)
    return np.asarray(image.convert("RGB"))


def _to_8_bit(grey: NDArray[np.generic]) -> NDArray[np.uint8]:
    """16-bit grey by its high byte; values already within 0..255 stay as they are."""
    values = grey.astype(np.float64)
    if values.max() > 255:
        values = values / 257
    return np.rint(values).clip(0, 255).astype(np.uint8)

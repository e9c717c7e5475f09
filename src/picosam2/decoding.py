"""Decoding a colour photograph in the memory that its pixels stay in.

Pillow decodes to 4 bytes a pixel, which a copy with 3 would join: 7, where photographs of 100
megapixels and more are read. Here Pillow decodes into memory of ours, and the 3 bytes that are
wanted move up in it.
"""

from __future__ import annotations

import mmap
import os

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

# Smaller ones are not worth a mapping of their own, of which a process has only so many.
MIN_PIXELS = 2**22
# What moves at once.
BLOCK_PIXELS = 2**18
# Pillow's modes of 4 bytes a pixel that are colour as it is, and what it calls such memory.
MODES = {"RGB": "RGBX", "RGBA": "RGBA"}
# Its decoders that write into any such memory: those of JPEG, PNG and plain pixels.
DECODERS = {"jpeg", "zip", "raw"}


def leave_unturned(image: Image.Image) -> None:
    """Have an opened TIFF decoded as it is stored, as Pillow decodes all other formats.

    Pillow says a TIFF's size as its orientation turns it and turns the pixels too, once they are
    decoded: who then asks EXIF would turn it again, and could not have it as it is stored.

    Raises:
        Exception: what Pillow raises for damaged EXIF.
    """
    if isinstance(image, TiffImageFile):
        # It is read while the file is open.
        image.getexif()
        image._size = image._tile_size
        # What turns it.
        vars(image)["load_end"] = lambda: None


def decode_in_place(image: Image.Image) -> NDArray[np.uint8] | None:
    """The pixels of an image that is not decoded yet and is not used afterwards.

    Args:
        image: its own pixels are lost; what it says about itself stays.

    Returns:
        H×W×3 uint8 RGB as stored, transparent pixels laid on white; None where the image is of
        another kind: it is then whole.

    Raises:
        Exception: what Pillow raises for a damaged image.
    """
    tiles = getattr(image, "tile", None)
    if not tiles or image.mode not in MODES or "transparency" in image.info:
        return None
    if image.width * image.height < MIN_PIXELS:
        return None
    # A TIFF that Pillow is going to turn has other pixels until then.
    if getattr(image, "_tile_size", image.size) != image.size:
        return None
    if not DECODERS.issuperset(tile[0] for tile in tiles):
        return None
    width, height = image.size
    memory = _allocate(4 * width * height)
    mode = MODES[image.mode]
    pixels = np.frombuffer(memory, np.uint8)
    own = Image.frombuffer(mode, image.size, pixels, "raw", mode, 0, 1).im
    image.im = own
    image.load()
    # Some files of plain pixels are mapped by Pillow instead.
    if image.im is not own:
        return None
    return _compact(memory, width, height, mode)


def _allocate(size: int) -> mmap.mmap:
    """Memory of this process alone, of which parts can be given back."""
    if os.name == "posix":
        return mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, size)


def _compact(memory: mmap.mmap, width: int, height: int, mode: str) -> NDArray[np.uint8]:
    count = width * height
    pixels = np.frombuffer(memory, np.uint8).reshape(count, 4)
    colours = np.frombuffer(memory, np.uint8, 3 * count).reshape(count, 3)
    for start in range(0, count, BLOCK_PIXELS):
        block = pixels[start : start + BLOCK_PIXELS]
        image = Image.frombuffer(mode, (len(block), 1), block, "raw", mode, 0, 1)
        if mode == "RGBA":
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
        # The bytes are a copy: where they go overlaps where they were.
        moved = np.frombuffer(image.tobytes("raw", "RGB"), np.uint8)
        colours[start : start + BLOCK_PIXELS] = moved.reshape(-1, 3)
    unused = -(-3 * count // mmap.PAGESIZE) * mmap.PAGESIZE
    if hasattr(mmap, "MADV_DONTNEED") and unused < len(memory):
        memory.madvise(mmap.MADV_DONTNEED, unused, len(memory) - unused)
    return colours.reshape(height, width, 3)

"""PIL images of any mode, and arrays of any number type, as 8-bit RGB without large copies."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.decoding import decode_in_place, leave_unturned
from picosam2.errors import InputError
from picosam2.levels import Range, find_levels, given_levels

ORIENTATION = 0x0112
# Pillow holds 4 bytes a pixel beside the result's 3: a copy of the whole would be one too many.
STRIP_PIXELS = 2**18
# Where pixels are only moved, a strip is no copy: larger ones are turned faster.
MOVED_PIXELS = 2**22
# Of 16-bit colour Pillow reads one byte of each value, the high one; its name says where that is.
DEEP_COLOUR = {"RGB;16B": "RGB;16L", "RGB;16L": "RGB;16B"}
DEEP_COLOUR["RGB;16N"] = "RGB;16B" if np.little_endian else "RGB;16L"

# The rows of a slice: rows×W×3, or ×1 where the image is grey.
Strips = Callable[[slice], NDArray[Any]]

_LOG = logging.getLogger(__name__)
# The upright pixels as they are stored, by EXIF orientation.
_STORED: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}


def to_rgb(
    image: Image.Image,
    upright: bool = True,
    value_range: Range | None = None,
    name: str = "the image",
    consume: bool = False,
) -> NDArray[np.uint8]:
    """A PIL image of any mode as H×W×3 uint8 RGB.

    CMYK, palette and grey images are converted, transparent pixels laid on white, and values of
    more than 8 bits shown as :func:`picosam2.levels.find_levels` says: a line of the log tells.

    Args:
        image: opened or decoded; it is decoded.
        upright: whether its EXIF rotation is applied.
        value_range: the values that become black and white, instead.
        name: for the log.
        consume: the image is not used afterwards: its memory becomes the result's.

    Raises:
        InputError: the range is empty.
        Exception: what Pillow raises for a damaged image.
    """
    _rescale_transparency(image)
    low_bytes = _low_bytes(image)
    colour = decode_in_place(image) if consume else None
    image.load()
    width, height = image.size
    # After decoding: a PNG may have it behind its pixels.
    orientation = image.getexif().get(ORIENTATION, 1) if upright else 1
    # Each strip is read before it is overwritten.
    given = low_bytes if colour is None else colour
    if given is not None and orientation not in _STORED:
        result = given
    else:
        turned = orientation in (5, 6, 7, 8)
        result = np.empty((width, height, 3) if turned else (height, width, 3), np.uint8)
    stored = _STORED[orientation](result) if orientation in _STORED else result
    only_moved = colour is not None and low_bytes is None and value_range is None
    at_once = MOVED_PIXELS if only_moved else STRIP_PIXELS
    clear = image.info.get("transparency") if image.mode.startswith("I") else None
    _fill(stored, _strips_of(image, colour, low_bytes), value_range, name, at_once, clear)
    return result


def array_to_rgb(
    array: NDArray[Any], value_range: Range | None = None, name: str = "the image"
) -> NDArray[np.uint8]:
    """An array of any real number type as H×W×3 uint8 RGB; one that is so already as it is.

    Args:
        array: H×W, H×W×1 or H×W×3.
        value_range: as of :func:`to_rgb`.
        name: for the log.

    Raises:
        InputError: the array has another shape or type, or the range is empty.
    """
    if array.dtype.kind not in "buif":
        raise InputError(f"the image must be an array of numbers or a PIL image, not {array.dtype}")
    if not (array.ndim == 2 or array.shape[2:] in ((1,), (3,))) or 0 in array.shape:
        raise InputError(f"the image must have the shape H×W×3 or H×W, not {array.shape}")
    if array.dtype == np.uint8 and array.shape[2:] == (3,) and value_range is None:
        return array
    pixels = array[..., None] if array.ndim == 2 else array
    if pixels.dtype == bool:
        pixels = pixels * np.uint8(255)
    result = np.empty((*array.shape[:2], 3), np.uint8)
    _fill(result, lambda rows: pixels[rows], value_range, name)
    return result


def _fill(
    target: NDArray[np.uint8],
    strips: Strips,
    value_range: Range | None,
    name: str,
    at_once: int = STRIP_PIXELS,
    clear: int | None = None,
) -> None:
    """Fill a picture; deep values that are ``clear`` are transparent: they become white."""
    height, width, _ = target.shape
    step = max(1, at_once // width)
    slices = [slice(top, min(top + step, height)) for top in range(0, height, step)]
    levels = None if value_range is None else given_levels(value_range)
    kind = strips(slice(0, 1)).dtype
    if levels is None and kind != np.uint8:
        read = map(strips, slices)
        # A transparent value says nothing about the photograph's depth.
        opaque = read if clear is None else (np.where(s == clear, 0, s) for s in read)
        levels = find_levels(opaque, height * width)
    if levels is not None:
        # The log's reader tells alike ones from the format: the numbers are arguments.
        _LOG.warning(
            f"%s: {levels.reason}: %g became black, %g white "
            "(--range LOW,HIGH, value_range set others)",
            name, levels.low, levels.high,
        )  # fmt: skip
    shown: Callable[[NDArray[Any]], NDArray[np.uint8]] = levels or (lambda values: values)
    if levels is not None and kind.kind == "u" and kind.itemsize <= 2:
        # Looking up is several times as fast as computing.
        shown = levels(np.arange(2**16)).__getitem__
    for rows in slices:
        values = strips(rows)
        laid = shown(values) if clear is None else np.where(values == clear, 255, shown(values))
        strip = np.broadcast_to(laid.astype(np.uint8, copy=False), target[rows].shape)
        # Pixel by pixel, not value by value: turning a photograph takes a third of the time.
        target[rows].view("V3")[..., 0] = np.ascontiguousarray(strip).view("V3")[..., 0]


def _strips_of(
    image: Image.Image, colour: NDArray[np.uint8] | None, low_bytes: NDArray[np.uint8] | None
) -> Strips:
    transparent = image.has_transparency_data

    def shown(rows: slice) -> NDArray[Any]:
        if colour is not None:
            return colour[rows]
        strip = image.crop((0, rows.start, image.width, rows.stop))
        if strip.mode == "F" or strip.mode.startswith("I"):
            return np.asarray(strip)[..., None]
        if transparent:
            strip = strip.convert("RGBA")
            strip = Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip)
        return np.asarray(strip.convert("RGB"))

    def deep(rows: slice) -> NDArray[Any]:
        assert low_bytes is not None
        values: NDArray[Any] = shown(rows).astype(np.uint16) << 8 | low_bytes[rows]
        return values

    return shown if low_bytes is None else deep


def _rescale_transparency(image: Image.Image) -> None:
    """Give the transparent value of a PNG as its pixels are decoded, where Pillow does not."""
    key, tiles = image.info.get("transparency"), getattr(image, "tile", ())
    kind = tiles[0][3] if tiles else None
    # Grey of 2 and 4 bits is spread to 8; of 16-bit colour the high byte is read.
    if kind in ("L;2", "L;4") and isinstance(key, int):
        image.info["transparency"] = key * (85 if kind == "L;2" else 17)
    if isinstance(kind, str) and kind in DEEP_COLOUR and isinstance(key, tuple):
        image.info["transparency"] = tuple(value >> 8 for value in key)


def _low_bytes(image: Image.Image) -> NDArray[np.uint8] | None:
    """H×W×3: what Pillow leaves out of 16-bit colour; None of other images."""
    name, stream = getattr(image, "filename", ""), getattr(image, "fp", None)
    if not any(_other_byte(tile[3]) for tile in getattr(image, "tile", ())):
        return None
    if isinstance(stream, io.BytesIO):
        twin: Any = Image.open(io.BytesIO(stream.getvalue()))
    elif name:
        twin = Image.open(name)
    else:
        return None
    with twin:
        if "load_end" in vars(image):
            leave_unturned(twin)
        twin.tile = [
            getattr(type(tile), "_make", tuple)((*tile[:3], _other_byte(tile[3]) or tile[3]))
            for tile in twin.tile
        ]
        low_bytes = decode_in_place(twin)
        if low_bytes is None:
            low_bytes = np.empty((twin.height, twin.width, 3), np.uint8)
            _fill(low_bytes, _strips_of(twin, None, None), None, "")
        return low_bytes


def _other_byte(decoder: Any) -> Any:
    """A decoder's arguments, the raw mode among them, for the other byte of each value."""
    if isinstance(decoder, tuple) and decoder and decoder[0] in DEEP_COLOUR:
        return DEEP_COLOUR[decoder[0]], *decoder[1:]
    return DEEP_COLOUR.get(decoder) if isinstance(decoder, str) else None

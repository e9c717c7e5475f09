"""Prompt ↔ crop geometry: the prompt encoder of PicoSAM2, pure NumPy.

The network never sees the prompt. It sees a square crop whose centre *is* the prompt, so that the
prompt always lies at (48.0, 48.0) of 96 (PicoSAM2, section 3: fixed-point prompt encoding). This
module chooses the crops, cuts them from the image, and puts the network's logits back.

Coordinates are continuous, as in COCO: pixel i spans [i, i+1) and its centre is i + 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CROP_SIZE = 96
BOX_PADDING = 0.1
# The logit of pixels that no crop has seen: a probability of 1e-14.
OUTSIDE_LOGIT = -32.0
# The share of a crop's side that narrowing leaves, before the region is moved into the frame.
REGION_KEEP = 0.125
_BLOCK_PIXELS = 2**22
_BLOCK_ROWS = 32
_PASTED_ROWS = 64


@dataclass(frozen=True)
class Crop:
    """The square [x − side/2, x + side/2) × [y − side/2, y + side/2) of an image.

    Args:
        x: column of the centre in pixels, continuous.
        y: row of the centre in pixels, continuous.
        side: length of the sides in pixels, above 0.
    """

    x: float
    y: float
    side: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.x) and math.isfinite(self.y) and 0 < self.side < math.inf):
            raise ValueError(f"a crop needs a finite centre and a positive side: {self}")

    @property
    def left(self) -> float:
        """X of the left edge in pixels."""
        return self.x - self.side / 2

    @property
    def top(self) -> float:
        """Y of the upper edge in pixels."""
        return self.y - self.side / 2

    def within(self, outer: Crop, size: int) -> Crop:
        """Where it lies in the pixels of another crop that is shown at size×size."""
        scale = size / outer.side
        return Crop((self.x - outer.left) * scale, (self.y - outer.top) * scale, self.side * scale)


@dataclass(frozen=True)
class Region:
    """A rectangle of whole pixels inside a frame: what a sensor can look at, scaled to a square.

    Args:
        x: column of the first pixel.
        y: row of the first pixel.
        width: in pixels, at least 1.
        height: in pixels, at least 1.
    """

    x: int
    y: int
    width: int
    height: int


def fit_region(crop: Crop, frame_size: tuple[int, int], keep: float = REGION_KEEP) -> Region:
    """The region for a crop that may leave the frame: narrowed around its centre, each way alone.

    Args:
        crop: what one would like to see; its centre (the prompt) lies inside the frame.
        frame_size: H, W of the frame in pixels.
        keep: a side is narrowed to no less than this share of the crop's, then moved into the
            frame (the prompt is then not at the centre).

    Returns:
        A region that contains the crop's centre; square where the crop lies inside the frame.
    """
    height, width = frame_size
    x, columns = _fit_side(crop.x, crop.side, width, keep)
    y, rows = _fit_side(crop.y, crop.side, height, keep)
    return Region(x, y, columns, rows)


def _fit_side(centre: float, side: float, length: int, keep: float) -> tuple[int, int]:
    """First pixel and number of pixels along one axis of a frame of ``length`` pixels."""
    room = 2 * min(centre, length - centre)
    size = max(1, min(length, round(min(side, max(room, keep * side)))))
    return max(0, min(length - size, math.floor(centre - size / 2 + 0.5))), size


def click_crops(x: float, y: float, sides: Sequence[float]) -> list[Crop]:
    """Crops of several sides around one click, in pixels."""
    return [Crop(x, y, side) for side in sides]


def box_crop(box: Sequence[float], padding: float = BOX_PADDING) -> Crop:
    """The square crop around a box.

    Args:
        box: x0, y0, x1, y1 in pixels; x1 and y1 are the far edges. A box smaller than a pixel
            counts as one pixel.
        padding: added on each side, as a share of the box's longer side (PicoSAM3: 10 %).
    """
    x0, y0, x1, y1 = box
    side = (1 + 2 * padding) * max(x1 - x0, y1 - y0, 1.0)
    return Crop((x0 + x1) / 2, (y0 + y1) / 2, side)


def cut(image: NDArray[np.uint8], crop: Crop, size: int = CROP_SIZE) -> NDArray[np.uint8]:
    """Resample a crop to the network's input.

    A triangle filter: bilinear where the crop is enlarged, as wide as an output pixel needs
    (anti-aliased) where it is shrunk, exact where it is neither. Black outside the image.

    Args:
        image: H×W×C uint8.
        crop: any square, also across the border or larger than the image.
        size: side of the result in pixels.

    Returns:
        size×size×C uint8.
    """
    height, width, channels = image.shape
    step = crop.side / size
    rows, row_weights = _taps(crop.top, step, size)
    columns, column_weights = _taps(crop.left, step, size)
    x0, x1 = _clip_range(columns, width)
    if x0 >= x1:
        return np.zeros((size, size, channels), np.uint8)
    lines = np.zeros((size, (x1 - x0) * channels), np.float32)
    # Blocks of output rows keep the matrices narrow, and never hold a large photograph in float.
    limit = _BLOCK_PIXELS / (step * lines.shape[1])
    count = max(1, min(size, math.ceil(_BLOCK_ROWS / step), int(limit)))
    for start in range(0, size, count):
        block = slice(start, start + count)
        y0, y1 = _clip_range(rows[block], height)
        if y0 < y1:
            vertical = _matrix(rows[block] - y0, row_weights[block], y1 - y0)
            pixels = image[y0:y1, x0:x1].astype(np.float32)
            np.matmul(vertical, pixels.reshape(y1 - y0, -1), out=lines[block])
    horizontal = _matrix(columns - x0, column_weights, x1 - x0)
    planes = lines.reshape(size, x1 - x0, channels).transpose(2, 0, 1).reshape(-1, x1 - x0)
    result = (planes @ horizontal.T).reshape(channels, size, size)
    return np.rint(result).astype(np.uint8).transpose(1, 2, 0)


def look_up(
    picture: NDArray[np.float32] | NDArray[np.bool_],
    crop: Crop,
    image_size: tuple[int, int],
    size: int = CROP_SIZE,
) -> NDArray[np.float32]:
    """What a mask of the whole image is in a crop: as :func:`cut`, for logits of any resolution.

    Args:
        picture: h×w float32 logits that span the image, or bool.
        crop: in the image's pixels.
        image_size: H, W of the image in pixels.
        size: side of the result in pixels.

    Returns:
        size×size float32: logits, of bool −½ to ½; 0 outside the image.
    """
    taps, windows = [], []
    for low, inputs, full in zip((crop.top, crop.left), picture.shape, image_size, strict=True):
        scale = inputs / full
        index, weights = _taps(low * scale, crop.side * scale / size, size)
        first, last = _clip_range(index, inputs)
        taps.append(_matrix(index - first, weights, last - first))
        windows.append(slice(first, max(first, last)))
    offset = np.float32(0.5 if picture.dtype == bool else 0.0)
    values = picture[tuple(windows)].astype(np.float32) - offset
    result: NDArray[np.float32] = taps[0] @ values @ taps[1].T
    return result


def paste(
    logits: NDArray[np.float32],
    crop: Crop,
    image_size: tuple[int, int],
    output_size: tuple[int, int] | None = None,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Put a crop's logits back into the image: the inverse of :func:`cut`.

    Args:
        logits: S×S float32, the network's answer to the crop.
        crop: where the crop lies.
        image_size: H, W of the image in pixels.
        output_size: h, w of the result, which always spans the whole image; H, W when None.
        out: h×w float32 to write to.

    Returns:
        h×w float32; ``OUTSIDE_LOGIT`` where the crop does not reach.
    """
    size = output_size or image_size
    result = np.empty(size, np.float32) if out is None else out
    result.fill(OUTSIDE_LOGIT)
    for rows, columns, values in _paste_blocks(logits, crop, image_size, size):
        result[rows, columns] = values
    return result


def paste_mask(
    logits: NDArray[np.float32],
    crop: Crop,
    image_size: tuple[int, int],
    out: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """As :func:`paste`, then ``> 0``: H×W bool, without the whole image in float."""
    result = np.empty(image_size, bool) if out is None else out
    result.fill(False)
    # What lies between logits that are not above 0 is not either: the rest need not be computed.
    window = _positive_window(logits, math.ceil(len(logits) / crop.side) + 1)
    for rows, columns, values in _paste_blocks(logits, crop, image_size, image_size, window):
        np.greater(values, 0, out=result[rows, columns])
    return result


def paste_region(
    logits: NDArray[np.float32],
    region: Region,
    frame_size: tuple[int, int],
    output_size: tuple[int, int] | None = None,
) -> NDArray[np.float32]:
    """As :func:`paste`, for the answer to a region, which need not be square."""
    height, width = frame_size
    across, down = region.width, region.height
    # Pixels counted `down` across and `across` down make the region a square, in whole numbers.
    square = Crop((region.x + across / 2) * down, (region.y + down / 2) * across, across * down)
    return paste(logits, square, (height * across, width * down), output_size or frame_size)


def _paste_blocks(
    logits: NDArray[np.float32],
    crop: Crop,
    image_size: tuple[int, int],
    output_size: tuple[int, int],
    window: tuple[slice, slice] | None = None,
) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
    """Rows, columns and values of the output; only what a window of the logits decides."""
    size = len(logits)
    parts = window or (slice(0, size), slice(0, size))
    # The last part ends where the crop does, to the last bit.
    (rows, vertical), (columns, horizontal) = (
        _inverse(
            low + crop.side * part.start / size, low + crop.side * part.stop / size, i / o, part, o
        )
        for low, part, i, o in zip(
            (crop.top, crop.left), parts, image_size, output_size, strict=True
        )
    )
    index, weights = horizontal
    wide = logits[parts] @ _matrix(index, weights, parts[1].stop - parts[1].start).T
    index, weights = vertical
    # A row of the output is of two or three rows of the crop: blocks that few of these decide.
    count = max(1, min(_BLOCK_PIXELS // max(1, wide.shape[1]), _PASTED_ROWS))
    for start in range(0, len(index), count):
        block = slice(start, start + count)
        low, high = int(index[block].min()), int(index[block].max()) + 1
        first = rows.start + start
        taps = _matrix(index[block] - low, weights[block], high - low)
        yield slice(first, first + len(taps)), columns, taps @ wide[low:high]


def _positive_window(logits: NDArray[np.float32], ring: int) -> tuple[slice, slice]:
    """Rows and columns that hold all logits above 0, and a ring of others; one at least."""
    parts = []
    for axis in (1, 0):
        on = np.flatnonzero((logits > 0).any(axis=axis))
        first, last = (int(on[0]), int(on[-1])) if len(on) else (0, 0)
        parts.append(slice(max(0, first - ring), min(len(logits), last + 1 + ring)))
    return parts[0], parts[1]


def _inverse(
    low: float, high: float, scale: float, part: slice, outputs: int
) -> tuple[slice, tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """The outputs whose centres lie in [low, high), and their taps of a part of a crop.

    ``scale`` is the size of an output pixel in image pixels.
    """
    inputs, side = part.stop - part.start, high - low
    first = max(0, math.ceil(low / scale - 0.5))
    last = min(outputs, math.ceil(high / scale - 0.5))
    step = scale * inputs / side
    start = (first * scale - low) * inputs / side
    index, weights = _taps(start, step, max(0, last - first))
    return slice(first, max(first, last)), (index.clip(0, inputs - 1), weights)


def _taps(start: float, step: float, count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Input pixels and weights of ``count`` output pixels, each ``step`` input pixels wide.

    Returns:
        count×K int64 input indices (they may lie outside the input) and count×K float32
        weights, whose rows sum to 1.
    """
    centres = start + (np.arange(count) + 0.5) * step - 0.5
    radius = max(1.0, step)
    first = np.ceil(centres - radius).astype(np.int64)
    index = first[:, None] + np.arange(math.floor(2 * radius) + 1)
    weights = np.maximum(0.0, 1 - np.abs(index - centres[:, None]) / radius)
    return index, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _clip_range(index: NDArray[np.int64], length: int) -> tuple[int, int]:
    """The range of valid pixels that the taps touch; empty when they touch none."""
    return min(max(0, int(index.min())), length), max(0, min(length, int(index.max()) + 1))


def _matrix(
    index: NDArray[np.int64], weights: NDArray[np.float32], inputs: int
) -> NDArray[np.float32]:
    """Taps as a dense outputs×inputs matrix; taps outside the input are dropped (black)."""
    inputs = max(0, inputs)
    inside = (index >= 0) & (index < inputs)
    cells = (index + inputs * np.arange(len(index))[:, None])[inside]
    matrix = np.bincount(cells, weights[inside], minlength=len(index) * inputs)
    return matrix.reshape(len(index), inputs).astype(np.float32)

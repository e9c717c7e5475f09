"""The soft target: the teacher's logits around one object, 8 bits at 64×64."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.images import open_image

TILE = 64
# Beyond ±8 a sigmoid is 0 or 1 to three digits, and the runs of equal values compress.
STEPS_PER_LOGIT = 16
ZERO = 128


def soft_square(bbox: tuple[float, float, float, float]) -> tuple[float, float, float]:
    """The square a tile covers: x0, y0 and side, twice the longer side of a box (x, y, w, h)."""
    x, y, width, height = bbox
    side = 2 * max(width, height, 1.0)
    return x + (width - side) / 2, y + (height - side) / 2, side


def soft_tile(
    logits: NDArray[np.float32],
    image_shape: tuple[int, int],
    square: tuple[float, float, float],
) -> NDArray[np.uint8]:
    """The teacher's logits over a square of the photograph.

    Args:
        logits: S×S float32 over the whole photograph, whatever its shape.
        image_shape: height and width of the photograph.
        square: x0, y0 and side in pixels of the photograph; outside of it the tile holds the
            least value.

    Returns:
        64×64 uint8; 128 is logit 0, 16 steps a logit, so that 8 bits hold −8 to 7.94.
    """
    height, width = image_shape
    size = logits.shape[0]
    x0, y0, side = square
    scale = np.array([size / width, size / height])
    corners = (x0 * scale[0], y0 * scale[1], (x0 + side) * scale[0], (y0 + side) * scale[1])
    # Pillow takes a box inside the image only: pad by what the square has outside.
    pad_x = 1 + int(max(0, -corners[0], corners[2] - size))
    pad_y = 1 + int(max(0, -corners[1], corners[3] - size))
    padded = np.pad(logits.clip(-8, 8), [(pad_y, pad_y), (pad_x, pad_x)], mode="edge")
    box = (corners[0] + pad_x, corners[1] + pad_y, corners[2] + pad_x, corners[3] + pad_y)
    tile = Image.fromarray(padded).resize((TILE, TILE), Image.Resampling.BILINEAR, box=box)
    centres = (np.arange(TILE) + 0.5) * side / TILE
    levels = np.rint(np.asarray(tile) * STEPS_PER_LOGIT + ZERO)
    values: NDArray[np.uint8] = levels.clip(0, 255).astype(np.uint8)
    outside_x = (x0 + centres < 0) | (x0 + centres >= width)
    outside_y = (y0 + centres < 0) | (y0 + centres >= height)
    values[outside_y] = 0
    values[:, outside_x] = 0
    return values


def tile_logits(tile: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The logits of a tile, 64×64 float32 in −8..7.94."""
    return (tile.astype(np.float32) - np.float32(ZERO)) / np.float32(STEPS_PER_LOGIT)


def encode_tiles(tiles: list[NDArray[np.uint8]]) -> bytes:
    """Tiles as one grey PNG, 64 pixels wide, one below the other."""
    buffer = io.BytesIO()
    Image.fromarray(np.vstack(tiles)).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def decode_tiles(png: bytes) -> NDArray[np.uint8]:
    """The tiles of ``KEY.soft.png``, N×64×64 uint8.

    Raises:
        ValueError: not such a picture.
    """
    try:
        with open_image(io.BytesIO(png), "the picture of soft targets") as image:
            width, height = image.size
            if image.mode != "L" or width != TILE or height % TILE:
                size = f"{height}×{width} {image.mode}"
                raise ValueError(f"soft targets of {size}, not N·{TILE}×{TILE} grey")
            return np.asarray(image).reshape(-1, TILE, TILE)
    except ValueError:
        raise
    # Pillow's decoders raise OSError, SyntaxError and more for damaged files.
    except Exception as error:
        raise ValueError(f"soft targets that are damaged: {error}") from None

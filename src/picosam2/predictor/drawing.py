"""From readings to masks of the whole image."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from picosam2.data.rle import encode_mask, rle_area, rle_json
from picosam2.errors import InputError
from picosam2.predictor.boxes import keep_within
from picosam2.predictor.prompts import LOW_RESOLUTION, Click, GivenMask
from picosam2.predictor.readings import Before, Merge, Reading
from picosam2.prompt import OUTSIDE_LOGIT, paste, paste_mask

# Masks and logits of one call take at most this many bytes.
MAX_BYTES = 256_000_000
# Logits of masks that were given as bool.
GIVEN_LOGIT = 8.0

Answer = tuple[NDArray[np.bool_] | NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def check_bytes(masks: int, size: tuple[int, int], return_logits: bool) -> None:
    """Refuse what would take too much memory.

    Args:
        masks: how many.
        size: H, W of the image in pixels.
        return_logits: whether they are float32.

    Raises:
        InputError: more than ``MAX_BYTES``.
    """
    each = size[0] * size[1] * (4 if return_logits else 1) + LOW_RESOLUTION**2 * 4
    # One prompt's masks are given whatever the image's size.
    if masks > 3 and masks * each > MAX_BYTES:
        raise InputError(
            f"{masks} masks of {size[1]}×{size[0]} pixels would take {masks * each / 1e6:.0f} MB: "
            "predict_rle gives them one by one"
        )


def draw_rle(reading: Reading, size: tuple[int, int]) -> tuple[dict[str, Any], int]:
    """A reading as COCO RLE, and its area; its mask, large where the image is, is let go."""
    mask = np.empty(size, bool)
    draw_mask(reading, size, mask)
    rle = encode_mask(mask)
    return rle_json(rle), rle_area(rle)


def draw(
    answers: list[list[Reading]], size: tuple[int, int], count: int, return_logits: bool
) -> Answer:
    """B prompts' readings as B×C masks of the image; where there are too few, the last again."""
    masks = np.empty((len(answers), count, *size), np.float32 if return_logits else bool)
    logits = np.empty((len(answers), count, LOW_RESOLUTION, LOW_RESOLUTION), np.float32)
    scores = np.empty((len(answers), count), np.float32)
    draw_one: Callable[..., None] = draw_logits if return_logits else draw_mask
    for prompt, readings in enumerate(answers):
        for place in range(count):
            if place >= len(readings):
                for result in (masks, logits, scores):
                    result[prompt, place] = result[prompt, place - 1]
                continue
            reading = readings[place]
            draw_one(reading, size, masks[prompt, place])
            draw_logits(reading, size, logits[prompt, place])
            # Of what the crop shows, nothing may be left in the image or in the box.
            scores[prompt, place] = reading.score if masks[prompt, place].max() > 0 else 0.0
    return masks, scores, logits


def draw_mask(reading: Before, size: tuple[int, int], out: NDArray[np.bool_]) -> None:
    """Draw a reading's mask of the image.

    Args:
        reading: what was answered; or a mask that was given, H×W bool.
        size: H, W of the image in pixels.
        out: H×W bool.
    """
    if isinstance(reading, GivenMask):
        np.copyto(out, reading.picture)
        return
    if reading.merge is None:
        paste_mask(reading.logits, reading.crop, size, out=out)
    else:
        added, removed = _changes(reading, reading.merge)
        np.copyto(out, reading.merge.mask.picture)
        out |= paste_mask(added, reading.crop, size)
        out &= ~paste_mask(removed, reading.crop, size)
    if reading.bounds is not None:
        keep_within(out, reading.bounds, size, False)
    for row, column, positive in _clicked(reading.clicks):
        out[row, column] = positive


def draw_logits(reading: Before, size: tuple[int, int], out: NDArray[np.float32]) -> None:
    """Draw a reading's logits of the image.

    Args:
        reading: what was answered; or a mask that was given, h×w bool.
        size: H, W of the image in pixels.
        out: h×w float32, of the whole image.
    """
    if isinstance(reading, GivenMask):
        np.copyto(out, given_logits(reading.picture > 0))
        return
    if reading.merge is None:
        paste(reading.logits, reading.crop, size, out.shape, out=out)
    else:
        shares = reading.merge.mask.picture.astype(np.float32)
        if out.shape != size:
            shares = np.asarray(
                Image.fromarray(shares).resize(out.shape[::-1], Image.Resampling.BOX)
            )
        np.copyto(out, GIVEN_LOGIT * (2 * shares - 1))
        for values, sign in zip(_changes(reading, reading.merge), (1, -1), strict=True):
            change = paste(values, reading.crop, size, out.shape)
            np.copyto(out, sign * change, where=change > 0)
    if reading.bounds is not None:
        keep_within(out, reading.bounds, size, OUTSIDE_LOGIT)
    if out.shape == size:
        for row, column, positive in _clicked(reading.clicks):
            if (out[row, column] > 0) != positive:
                out[row, column] = GIVEN_LOGIT if positive else -GIVEN_LOGIT


def given_logits(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Logits of a mask that is known without them."""
    return np.where(mask, np.float32(GIVEN_LOGIT), np.float32(-GIVEN_LOGIT))


def _changes(reading: Reading, merge: Merge) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Above 0 where pixels become object, and where they cease to be, in the crop's pixels."""
    logits, outside = reading.logits, np.float32(OUTSIDE_LOGIT)
    # A pixel more: between two pixels of the crop lie several of the image.
    added, removed = (ndimage.binary_dilation(part) for part in (merge.added, merge.removed))
    return np.where(added, logits, outside), np.where(removed, -logits, outside)


def _clicked(clicks: tuple[Click, ...]) -> list[tuple[int, int, bool]]:
    """Row and column of the pixels that were clicked, and whether on the object."""
    return [(math.floor(click.y), math.floor(click.x), click.positive) for click in clicks]

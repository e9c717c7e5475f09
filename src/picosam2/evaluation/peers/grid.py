"""Everything mode of SAM-like peers: the same grid of clicks that ours gets, and suppression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from picosam2.automatic.grid import point_grid
from picosam2.automatic.suppression import suppress
from picosam2.data.rle import encode_mask
from picosam2.evaluation.segmenter import BOX_NMS_THRESHOLD, POINTS_PER_SIDE, Found, Mask
from picosam2.masks import mask_extent

BATCH = 64
# N×2 points in pixels to N×K×h×w float32 logits and N×K predicted IoUs.
Decode = Callable[[NDArray[np.float64]], tuple[NDArray[np.float32], NDArray[np.float32]]]


def masks_of_grid(
    decode: Decode, size: tuple[int, int], to_mask: Callable[[NDArray[np.float32]], Mask]
) -> list[Found]:
    """What a peer finds with clicks on a grid, best first; all thresholds at 0.

    Args:
        decode: the peer on a batch of clicks.
        size: H, W of the photograph.
        to_mask: h×w logits to the photograph's mask.
    """
    points = point_grid(POINTS_PER_SIDE) * [size[1], size[0]]
    logits, scores = [], []
    for start in range(0, len(points), BATCH):
        answer, predicted_iou = decode(points[start : start + BATCH])
        # In steps of 1/8: thousands of masks are held until the best are known.
        low = np.rint(answer * 8).clip(-128, 127).astype(np.int8)
        logits.append(low.reshape(-1, *answer.shape[2:]))
        scores.append(predicted_iou.ravel())
    masks, values = np.concatenate(logits), np.concatenate(scores).astype(np.float64)
    boxes = np.array([mask_extent(mask > 0) or (0, 0, 0, 0) for mask in masks])
    filled = np.flatnonzero(boxes[:, 2] > 0)
    kept = filled[suppress(boxes[filled], values[filled], BOX_NMS_THRESHOLD)]
    return [
        Found(encode_mask(to_mask(masks[index].astype(np.float32))), float(values[index]))
        for index in kept
    ]

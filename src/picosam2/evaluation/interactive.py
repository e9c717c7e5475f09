"""Clicks, one after the other, as a patient user gives them: protocols ``noc`` and ``mask_fix``.

Each further click is the centre of the most interior pixel of the largest 4-connected region where
the mask is wrong (Number of Clicks, NoC: Xu et al. 2016, arXiv 1603.04042, as RITM measures it).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from picosam2.damage import damage_to
from picosam2.evaluation.metrics import mean_interval
from picosam2.evaluation.segmenter import Click, Interactive, Mask
from picosam2.masks import mask_extent, mask_iou, most_interior_pixel, next_click

MOST_CLICKS = 20
# So many are always given, so that there is a mean IoU after each of them.
LEAST_CLICKS = 8
ENOUGH = 0.90
TARGETS = (0.80, 0.85, 0.90)
# IoU with the true mask of the one that ``mask_fix`` begins with.
DAMAGED = (0.75, 0.85)
# A click that costs a mask more than this has made it worse.
WORSE = 0.02


def click_until_good(segmenter: Interactive, truth: Mask) -> tuple[Mask, float, list[float]]:
    """Click on an object until its IoU reaches 0.90: at least 8 times, at most 20.

    Returns:
        The last mask, its predicted IoU, and the IoU after each click.
    """
    x, y = most_interior_pixel(truth)
    clicks: list[Click] = [(x + 0.5, y + 0.5, True)]
    ious: list[float] = []
    while True:
        mask, score = segmenter.clicks(clicks)
        ious.append(mask_iou(mask, truth))
        following = next_click(mask, truth)
        if following is None or _is_enough(ious):
            return mask, score, ious
        clicks.append(following)


def correct_until_good(
    segmenter: Interactive, truth: Mask, seed: Sequence[int]
) -> tuple[Mask, float, list[float]]:
    """Give a damaged mask (IoU 0.75 to 0.85), and click until its IoU reaches 0.90, as above.

    Returns:
        The last mask, its predicted IoU, and the IoU at first and after each click.
    """
    mask, score = damage_object(truth, np.random.default_rng(seed)), 0.0
    ious = [mask_iou(mask, truth)]
    for answer in correct(segmenter, mask, truth):
        mask, score = answer
        ious.append(mask_iou(mask, truth))
        if _is_enough(ious[1:]):
            break
    return mask, score, ious


def correct(segmenter: Interactive, mask: Mask, truth: Mask) -> Iterator[tuple[Mask, float]]:
    """A mask and its predicted IoU after each click on it, until nothing is wrong with it."""
    clicks: list[Click] = []
    while (following := next_click(mask, truth)) is not None:
        clicks.append(following)
        mask, score = segmenter.correct(mask, clicks)
        yield mask, score


def damage_object(truth: Mask, rng: np.random.Generator) -> Mask:
    """The mask of an object, moved, scaled, roughened, bitten and leaked."""
    found = mask_extent(truth)
    assert found is not None
    x0, y0, x1, y1 = found
    height, width = y1 - y0, x1 - x0
    window = (slice(max(0, y0 - height), y1 + height), slice(max(0, x0 - width), x1 + width))
    result = np.zeros_like(truth)
    result[window] = damage_to(truth[window], rng, *DAMAGED)
    return result


def describe_clicks(ious: Sequence[Sequence[float]], seed: int) -> dict[str, Any]:
    """The figures of an interactive protocol.

    Args:
        ious: of each object, after each click.
        seed: of the bootstrap.

    Returns:
        ``noc80``, ``noc85``, ``noc90``: ``mean``, ``ci95`` and ``failed``, the share of objects
        that 20 clicks do not bring there; ``curve``: the mean IoU after each of 20 clicks, of which
        those that were not given change nothing; ``worse``: the share of objects that a click cost
        more than 0.02 of IoU, after each.
    """
    # A damaged mask has an IoU before the first click, too.
    length = max(MOST_CLICKS, *map(len, ious))
    curves = np.array([[*row, *[row[-1]] * (length - len(row))] for row in ious])
    figures: dict[str, Any] = {}
    for target in TARGETS:
        reached = curves >= target
        counts = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, MOST_CLICKS)
        figures[f"noc{round(100 * target)}"] = {
            "mean": float(counts.mean()),
            "ci95": mean_interval(counts.astype(np.float64), seed),
            "failed": float((~reached.any(axis=1)).mean()),
        }
    return figures | {
        "curve": curves.mean(axis=0).tolist(),
        "worse": (np.diff(curves, axis=1) < -WORSE).mean(axis=0).tolist(),
    }


def _is_enough(ious: Sequence[float]) -> bool:
    return len(ious) >= MOST_CLICKS or (len(ious) >= LEAST_CLICKS and max(ious) >= ENOUGH)

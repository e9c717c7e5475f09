"""Who answers which prompt, and which pixels count: one entry a protocol.

A protocol asks a segmenter, whose image is set, about one object, and says what the true mask of
the same pixels is. Masks are H×W of the photograph, or 96×96 of a crop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from picosam2.data.rle import decode_rle, encode_mask, to_coco
from picosam2.data.schema import Annotation
from picosam2.errors import InputError
from picosam2.evaluation.interactive import click_until_good, correct_until_good
from picosam2.evaluation.segmenter import Interactive, Mask, Segmenter
from picosam2.masks import extent_centre, most_interior_pixel
from picosam2.prompt import CROP_SIZE, Crop, cut


@dataclass(frozen=True)
class Case:
    """One object to segment.

    Args:
        image: H×W×3 uint8.
        mask: H×W bool, the object's true mask, not empty.
        annotation: the object in the annotation file.
        image_id: of its photograph.
        native_scale: stored size / original size of the photograph.
        seed: of what a protocol draws.
    """

    image: NDArray[np.uint8]
    mask: Mask
    annotation: Annotation
    image_id: int = 0
    native_scale: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Protocol:
    """One way of asking.

    Args:
        ask: the answer of a segmenter, as a mask and its predicted IoU; of an interactive protocol
            also the IoU after each click.
        truth: the true mask of the same pixels.
        on_crop: whether the network is shown the protocol's own crop.
        promptless: whether nothing is said about the object.
        interactive: whether it goes on clicking.
    """

    ask: Callable[[Any, Case], tuple[Mask, float] | tuple[Mask, float, list[float]]]
    truth: Callable[[Case], Mask]
    on_crop: bool = False
    promptless: bool = False
    interactive: bool = False


def find_protocols(names: list[str]) -> list[str]:
    """Names without repetitions.

    Raises:
        InputError: there is none, or one is unknown.
    """
    names = ["noc" if name in NOC else name for name in names]
    if not names:
        raise InputError(f"no protocol: choose from {', '.join(PROTOCOLS)}")
    for name in names:
        if name not in PROTOCOLS:
            raise InputError(f"unknown protocol {name}: choose from {', '.join(PROTOCOLS)}")
    return list(dict.fromkeys(names))


def paper96_window(case: Case) -> tuple[slice, slice]:
    """Rows and columns of the paper code's window: cut off at the border, 96 pixels from there.

    ``left = max(0, cx − 48)``, ``right = min(W, left + 96)``, the same for rows.
    """
    x, y = extent_centre(case.mask)
    height, width = case.mask.shape
    side = round(CROP_SIZE * case.native_scale)
    left, top = max(0, x - side // 2), max(0, y - side // 2)
    return slice(top, min(height, top + side)), slice(left, min(width, left + side))


def _crop96(case: Case) -> Crop:
    """96 native pixels around the object."""
    x, y = extent_centre(case.mask)
    return Crop(x, y, CROP_SIZE * case.native_scale)


def _crop96_truth(case: Case) -> Mask:
    return cut(case.mask[..., None] * np.uint8(255), _crop96(case))[..., 0] > 127


def _ask_crop96(segmenter: Segmenter, case: Case) -> tuple[Mask, float]:
    return _ask_network(segmenter, cut(case.image, _crop96(case)))


def _paper96_truth(case: Case) -> Mask:
    window = case.mask[paper96_window(case)]
    rows, columns = (
        ((np.arange(CROP_SIZE) + 0.5) * side / CROP_SIZE).astype(int) for side in window.shape
    )
    return window[np.ix_(rows, columns)]


def _ask_paper96(segmenter: Segmenter, case: Case) -> tuple[Mask, float]:
    window = Image.fromarray(case.image[paper96_window(case)])
    stretched = window.resize((CROP_SIZE, CROP_SIZE), Image.Resampling.BILINEAR)
    return _ask_network(segmenter, np.asarray(stretched))


def _ask_network(segmenter: Segmenter, crop: NDArray[np.uint8]) -> tuple[Mask, float]:
    assert segmenter.network is not None
    logits, scores = segmenter.network(crop[None])
    return logits[0] > 0, float(scores[0])


def _whole(case: Case) -> Mask:
    return case.mask


def _ask_click(segmenter: Segmenter, case: Case) -> tuple[Mask, float]:
    """The centre of the most interior pixel."""
    x, y = most_interior_pixel(case.mask)
    return segmenter.click(x + 0.5, y + 0.5)


def _ask_box(segmenter: Segmenter, case: Case, jitter: float = 0.0) -> tuple[Mask, float]:
    """The annotation's box; an empty one, or one outside the photograph, gets an empty mask."""
    x0, y0, x1, y1 = box = jittered_box(case, jitter)
    height, width = case.mask.shape
    if not (x0 < x1 and y0 < y1 and x0 < width and y0 < height and x1 > 0 and y1 > 0):
        return np.zeros_like(case.mask), 0.0
    return segmenter.box(box)


def jittered_box(case: Case, jitter: float) -> tuple[float, float, float, float]:
    """The annotation's box (xyxy), each side moved by uniform(−j, j) × the box's width or height.

    Drawn from the seed and the ids of photograph and annotation, so that it is the same whatever
    else is measured; clipped to the photograph.
    """
    x, y, width, height = case.annotation.bbox
    if not jitter:
        return x, y, x + width, y + height
    entropy = [case.seed, abs(case.image_id), abs(case.annotation.id), round(jitter * 100)]
    moved = np.random.default_rng(entropy).uniform(-jitter, jitter, 4)
    x0, y0, x1, y1 = np.array([x, y, x + width, y + height]) + moved * np.tile([width, height], 2)
    rows, columns = case.mask.shape
    return max(0.0, x0), max(0.0, y0), min(float(columns), x1), min(float(rows), y1)


def _ask_everything(segmenter: Segmenter, case: Case, first: int) -> tuple[Mask, float]:
    """The mask that fits the object best among the first that are found without a prompt.

    Its mAP, the mean over the thresholds of the share of objects that it reaches, is SAM's average
    recall at ``first`` masks.
    """
    found = segmenter.everything()[:first]
    if not found:
        return np.zeros_like(case.mask), 0.0
    truth = to_coco(encode_mask(case.mask))
    ious = coco_mask.iou([to_coco(mask.rle) for mask in found], [truth], [0])[:, 0]
    best = found[int(ious.argmax())]
    return decode_rle(best.rle), best.score


def _ask_noc(segmenter: Interactive, case: Case) -> tuple[Mask, float, list[float]]:
    return click_until_good(segmenter, case.mask)


def _ask_mask_fix(segmenter: Interactive, case: Case) -> tuple[Mask, float, list[float]]:
    """The damage is drawn from the seed and the ids, whatever else is measured."""
    seed = [case.seed, abs(case.image_id), abs(case.annotation.id)]
    return correct_until_good(segmenter, case.mask, seed)


PROTOCOLS = {
    "crop96": Protocol(_ask_crop96, _crop96_truth, on_crop=True),
    "paper96": Protocol(_ask_paper96, _paper96_truth, on_crop=True),
    "click": Protocol(_ask_click, _whole),
    "box": Protocol(_ask_box, _whole),
    "box_j05": Protocol(partial(_ask_box, jitter=0.05), _whole),
    "box_j10": Protocol(partial(_ask_box, jitter=0.10), _whole),
    "box_j20": Protocol(partial(_ask_box, jitter=0.20), _whole),
    "box_j30": Protocol(partial(_ask_box, jitter=0.30), _whole),
    "everything100": Protocol(partial(_ask_everything, first=100), _whole, promptless=True),
    "everything": Protocol(partial(_ask_everything, first=1000), _whole, promptless=True),
    "noc": Protocol(_ask_noc, _whole, interactive=True),
    "mask_fix": Protocol(_ask_mask_fix, _whole, interactive=True),
}
# Figures of ``noc``, which may be asked for by their names.
NOC = ("noc80", "noc85", "noc90")

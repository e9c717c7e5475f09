"""Who answers which prompt, and where the IoU is taken: one function a protocol.

Each takes the predictor, whose image is set, the photograph's pixels and the object's mask, and
gives the IoU and the predicted IoU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.data.schema import Annotation
from picosam2.errors import InputError
from picosam2.masks import extent_centre, mask_iou, most_interior_pixel
from picosam2.predictor import Predictor
from picosam2.prompt import CROP_SIZE, Crop, cut


@dataclass(frozen=True)
class Case:
    """One object to segment.

    Args:
        image: H×W×3 uint8.
        mask: H×W bool, the object's true mask, not empty.
        annotation: the object in the annotation file.
        native_scale: stored size / original size of the photograph.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    annotation: Annotation
    native_scale: float


def crop96(predictor: Predictor, case: Case) -> tuple[float, float]:
    """The network on the crop of 96 native pixels around the object; IoU inside the crop."""
    x, y = extent_centre(case.mask)
    crop = Crop(x, y, CROP_SIZE * case.native_scale)
    logits, scores = predictor.runtime(cut(case.image, crop)[None])
    truth = cut(case.mask[..., None] * np.uint8(255), crop)[..., 0] > 127
    return mask_iou(logits[0] > 0, truth), float(scores[0])


def paper96(predictor: Predictor, case: Case) -> tuple[float, float]:
    """As the paper's code: the window is cut off at the border and stretched to 96×96."""
    x, y = extent_centre(case.mask)
    height, width = case.mask.shape
    side = round(CROP_SIZE * case.native_scale)
    left, top = max(0, x - side // 2), max(0, y - side // 2)
    right, bottom = min(width, left + side), min(height, top + side)
    window = case.image[top:bottom, left:right]
    logits, scores = predictor.runtime(_stretch(window)[None])
    rows = (np.arange(CROP_SIZE) + 0.5) * (bottom - top) / CROP_SIZE
    columns = (np.arange(CROP_SIZE) + 0.5) * (right - left) / CROP_SIZE
    truth = case.mask[top:bottom, left:right][np.ix_(rows.astype(int), columns.astype(int))]
    return mask_iou(logits[0] > 0, truth), float(scores[0])


def click(predictor: Predictor, case: Case) -> tuple[float, float]:
    """One click at the centre of the most interior pixel; IoU over the image."""
    x, y = most_interior_pixel(case.mask)
    masks, scores, _ = predictor.predict([[x + 0.5, y + 0.5]], [1], multimask_output=False)
    return mask_iou(masks[0], case.mask), float(scores[0])


def box(predictor: Predictor, case: Case) -> tuple[float, float]:
    """The annotation's box; IoU over the image. A box that the predictor refuses scores 0."""
    x, y, width, height = case.annotation.bbox
    corners = [x, y, x + width, y + height]
    try:
        masks, scores, _ = predictor.predict(box=corners, multimask_output=False)
    except InputError:
        return 0.0, 0.0
    return mask_iou(masks[0], case.mask), float(scores[0])


def _stretch(window: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A window of any shape as 96×96, bilinear."""
    image = Image.fromarray(window).resize((CROP_SIZE, CROP_SIZE), Image.Resampling.BILINEAR)
    return np.asarray(image)


PROTOCOLS: dict[str, Callable[[Predictor, Case], tuple[float, float]]] = {
    "crop96": crop96,
    "paper96": paper96,
    "click": click,
    "box": box,
}

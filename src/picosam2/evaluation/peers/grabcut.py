"""GrabCut (Rother et al. 2004) as OpenCV has it: the classic, without any learning."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from picosam2.evaluation.segmenter import Found, Mask
from picosam2.graph import Graph

ITERATIONS = 5
# Half the side of the square that a click may fill, the paper's crop, and of the part of it that
# is object at first.
CLICK_REACH = 48.0
CLICK_OBJECT = 12.0
# What is beyond the longer side of the prompt around it is not looked at; what is left is reduced
# to this many pixels.
SURROUNDINGS = 1.0
MAX_SIDE = 256
OBJECT = (cv2.GC_FGD, cv2.GC_PR_FGD)


Box = tuple[float, float, float, float]


class GrabCutSegmenter:
    """Box: its inside may be object. Click: a small square around it is, a crop around that may be.

    The rest is background. Where nothing is left (its colour models often collapse on small
    objects), the answer is what it began with. Its predicted IoU is 0.5 always: it has none.

    Args:
        threads: CPU threads of one call; 0 for all cores.
    """

    network = None
    finds_everything = False
    corrects = False

    def __init__(self, threads: int = 1) -> None:
        cv2.setNumThreads(threads or -1)
        self._image = np.empty((0, 0, 3), np.uint8)

    @property
    def description(self) -> dict[str, Any]:
        """Version and settings."""
        return {
            "name": "GrabCut (OpenCV)",
            "opencv": cv2.__version__,
            "iterations": ITERATIONS,
            "click_reach": CLICK_REACH,
            "click_object": CLICK_OBJECT,
            "surroundings": SURROUNDINGS,
            "max_side": MAX_SIDE,
        }

    @property
    def image_graphs(self) -> list[Graph]:
        """None: it is no network."""
        return []

    @property
    def prompt_graphs(self) -> list[Graph]:
        """None: it is no network."""
        return []

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """See ``Segmenter``."""
        self._image = np.ascontiguousarray(image[..., ::-1])

    def click(self, x: float, y: float) -> tuple[Mask, float]:
        """See ``Segmenter``."""
        hint = np.full(self._image.shape[:2], cv2.GC_BGD, np.uint8)
        for reach, kind in ((CLICK_REACH, cv2.GC_PR_BGD), (CLICK_OBJECT, cv2.GC_PR_FGD)):
            hint[_slices(x - reach, y - reach, x + reach, y + reach)] = kind
        hint[int(y), int(x)] = cv2.GC_FGD
        return self._cut(hint, (x - CLICK_REACH, y - CLICK_REACH, x + CLICK_REACH, y + CLICK_REACH))

    def box(self, corners: tuple[float, float, float, float]) -> tuple[Mask, float]:
        """See ``Segmenter``."""
        hint = np.full(self._image.shape[:2], cv2.GC_BGD, np.uint8)
        hint[_slices(*corners)] = cv2.GC_PR_FGD
        return self._cut(hint, corners)

    def everything(self) -> list[Found]:
        """Nothing: it needs a prompt."""
        return []

    def _cut(self, hint: NDArray[np.uint8], prompt: Box) -> tuple[Mask, float]:
        x0, y0, x1, y1 = prompt
        around = SURROUNDINGS * max(x1 - x0, y1 - y0)
        part = _slices(x0 - around, y0 - around, x1 + around, y1 + around)
        first = np.isin(hint, OBJECT)
        height, width = first[part].shape
        scale = min(1.0, MAX_SIDE / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(self._image[part], size, interpolation=cv2.INTER_AREA)
        labels: Any = cv2.resize(hint[part], size, interpolation=cv2.INTER_NEAREST)
        begins = np.isin(labels, OBJECT)
        if begins.all() or not begins.any():
            # Nothing to tell apart: a box as large as the photograph, or too thin when reduced.
            return first, 0.5
        # Its clustering draws from OpenCV's global generator.
        cv2.setRNGSeed(0)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        labels, *_ = cv2.grabCut(
            small, labels, (0, 0, 0, 0), *models, ITERATIONS, cv2.GC_INIT_WITH_MASK
        )
        # A click's own pixel is always left.
        if np.count_nonzero(np.isin(labels, OBJECT)) <= 1:
            return first, 0.5
        mask = np.zeros_like(first)
        full = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
        mask[part] = np.isin(full, OBJECT)
        return mask, 0.5


def _slices(x0: float, y0: float, x1: float, y1: float) -> tuple[slice, slice]:
    """Rows and columns of a box, rounded outwards."""
    return (
        slice(max(0, math.floor(y0)), max(0, math.ceil(y1))),
        slice(max(0, math.floor(x0)), max(0, math.ceil(x1))),
    )

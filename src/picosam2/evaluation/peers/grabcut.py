"""GrabCut (Rother et al. 2004) as OpenCV has it: the classic, without any learning."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from picosam2.evaluation.segmenter import Mask
from picosam2.graph import Graph

ITERATIONS = 5
# Half the side of the square that a click may fill, the paper's crop, and of the part of it that
# is object at first.
CLICK_REACH = 48.0
CLICK_OBJECT = 12.0


class GrabCutSegmenter:
    """Box: its inside may be object. Click: a small square around it is, a crop around that may be.

    The rest of the photograph is background. Where nothing is left (its colour models often
    collapse on small objects), the answer is what it began with. Its predicted IoU is 0.5 always:
    it has none.

    Args:
        threads: CPU threads of one call; 0 for all cores.
    """

    network = None

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
        return self._cut(hint)

    def box(self, corners: tuple[float, float, float, float]) -> tuple[Mask, float]:
        """See ``Segmenter``."""
        hint = np.full(self._image.shape[:2], cv2.GC_BGD, np.uint8)
        hint[_slices(*corners)] = cv2.GC_PR_FGD
        return self._cut(hint)

    def _cut(self, hint: NDArray[np.uint8]) -> tuple[Mask, float]:
        first = np.isin(hint, (cv2.GC_FGD, cv2.GC_PR_FGD))
        if first.all():
            return first, 0.5
        # Its clustering draws from OpenCV's global generator.
        cv2.setRNGSeed(0)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        labels, *_ = cv2.grabCut(
            self._image, hint, (0, 0, 0, 0), *models, ITERATIONS, cv2.GC_INIT_WITH_MASK
        )
        mask = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD))
        # A click's own pixel is always left.
        return (mask if np.count_nonzero(mask) > 1 else first), 0.5


def _slices(x0: float, y0: float, x1: float, y1: float) -> tuple[slice, slice]:
    """Rows and columns of a box, rounded outwards."""
    return (
        slice(max(0, math.floor(y0)), max(0, math.ceil(y1))),
        slice(max(0, math.floor(x0)), max(0, math.ceil(x1))),
    )

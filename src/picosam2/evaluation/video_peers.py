"""Who follows an object in the protocol ``video``: the tracker, and what it is measured against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.errors import InputError
from picosam2.evaluation.peers import open_segmenter
from picosam2.evaluation.segmenter import Segmenter
from picosam2.evaluation.video import Follows
from picosam2.masks import mask_extent
from picosam2.predictor import Predictor
from picosam2.video import Tracker

Mask = NDArray[np.bool_]
Extent = tuple[float, float, float, float]

TITLES = {
    "tracker": "PicoSAM2's tracker",
    "boxed": "the first look's network, boxed by the last mask",
    "mil": "the same, boxed by OpenCV's MIL tracker",
    "sam2-tiny": "SAM 2 Hiera-Tiny's image model, boxed by the last mask",
}


class TrackerFollows:
    """This package's tracker."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def start(self, frame: NDArray[np.uint8], prompt: dict[str, Any]) -> Mask:
        """See ``Follows``."""
        return self.tracker.start(frame, **prompt).mask

    def update(self, frame: NDArray[np.uint8]) -> Mask:
        """See ``Follows``."""
        return self.tracker.update(frame).mask


class BoxFollows:
    """An image model that is given the box of its last mask; of an empty one, the box before."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self._box: Extent = (0.0, 0.0, 1.0, 1.0)

    def start(self, frame: NDArray[np.uint8], prompt: dict[str, Any]) -> Mask:
        """See ``Follows``."""
        self.segmenter.set_image(frame)
        if "mask" in prompt:
            mask: Mask = prompt["mask"]
        elif "points" in prompt:
            mask, _ = self.segmenter.click(*prompt["points"][0])
        else:
            x0, y0, x1, y1 = map(float, prompt["box"])
            mask, _ = self.segmenter.box((x0, y0, x1, y1))
        return self._take(mask)

    def update(self, frame: NDArray[np.uint8]) -> Mask:
        """See ``Follows``."""
        self.segmenter.set_image(frame)
        return self._take(self.segmenter.box(self._box)[0])

    def _take(self, mask: Mask) -> Mask:
        self._box = mask_extent(mask) or self._box
        return mask


class MilFollows(BoxFollows):
    """An image model that is given the boxes of OpenCV's MIL tracker (Babenko et al. 2009)."""

    def start(self, frame: NDArray[np.uint8], prompt: dict[str, Any]) -> Mask:
        """See ``Follows``."""
        import cv2

        mask = super().start(frame, prompt)
        x0, y0, x1, y1 = map(round, self._box)
        # Its negative examples are drawn from OpenCV's global generator.
        cv2.setRNGSeed(0)
        self._mil = cv2.TrackerMIL.create()
        self._mil.init(np.ascontiguousarray(frame[..., ::-1]), (x0, y0, x1 - x0, y1 - y0))
        return mask

    def update(self, frame: NDArray[np.uint8]) -> Mask:
        """See ``Follows``."""
        found, box = self._mil.update(np.ascontiguousarray(frame[..., ::-1]))
        if not found:
            return np.zeros(frame.shape[:2], bool)
        x, y, width, height = box
        rows, columns = frame.shape[:2]
        corners = max(0, x), max(0, y), min(columns, x + width), min(rows, y + height)
        if corners[2] <= corners[0] or corners[3] <= corners[1]:
            return np.zeros((rows, columns), bool)
        self.segmenter.set_image(frame)
        return self.segmenter.box(corners)[0]


def weights_digests(weights: str) -> dict[str, str]:
    """SHA-256 of the networks that follow, as ``weights_sha256`` and ``correcting_sha256``."""
    predictor = Predictor.from_pretrained(weights)
    assert predictor.corrector is not None
    return {
        "weights_sha256": predictor.runtime.digest,
        "correcting_sha256": predictor.corrector.digest,
    }


def follows(name: str, weights: str, threads: int) -> Callable[[], Follows]:
    """What makes one who follows.

    Args:
        name: one of ``TITLES``.
        weights: of our networks.
        threads: CPU threads; 0 for all cores.

    Raises:
        InputError: an unknown name, or what it needs is missing.
    """
    if name == "tracker":
        tracker = Tracker(Predictor.from_pretrained(weights, threads=threads))
        return lambda: TrackerFollows(tracker)
    if name in ("boxed", "mil"):
        ours = open_segmenter(weights, threads)
        return lambda: (BoxFollows if name == "boxed" else MilFollows)(ours)
    if name == "sam2-tiny":
        sam2 = open_segmenter(name, threads)
        return lambda: BoxFollows(sam2)
    raise InputError(f"nobody follows by the name {name}: choose from {', '.join(TITLES)}")

"""Floors: what answering without looking gets, in the crops that the network is shown."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from picosam2.evaluation.segmenter import PredictorSegmenter
from picosam2.predictor import Predictor, PredictorConfig
from picosam2.predictor.boxes import BoxConfig
from picosam2.predictor.drawing import given_logits
from picosam2.prompt import CROP_SIZE

# A click without a known size gets the paper's crop of 96 pixels; a box as always.
ONE_CROP = PredictorConfig(
    click_sides=(0.0,),
    min_side=CROP_SIZE,
    refine="never",
    box=BoxConfig(slope=0.0, shifts=(0.0,)),
)


class Floor:
    """A runtime that gives every crop one mask.

    Args:
        name: ``whole-crop`` or ``centred-disc`` (of half the crop's side).
    """

    def __init__(self, name: str) -> None:
        self.digest = name
        self.scores: dict[str, Any] = {}
        self.marks_boxes = False
        offsets = np.arange(CROP_SIZE) + 0.5 - CROP_SIZE / 2
        distance = np.hypot(offsets[:, None], offsets[None])
        inside = distance < CROP_SIZE / 4 if name == "centred-disc" else distance >= 0
        self._logits = given_logits(inside)

    def __call__(self, crops: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """See :class:`picosam2.runtime.Runtime`."""
        return np.repeat(self._logits[None], len(crops), 0), np.full(len(crops), 0.5, np.float32)


class FloorSegmenter(PredictorSegmenter):
    """A floor in the predictor, so that its masks lie where the network's would.

    Args:
        name: as ``Floor`` has it.
    """

    finds_everything = False

    def __init__(self, name: str) -> None:
        super().__init__(Predictor(Floor(name), ONE_CROP))

    @property
    def description(self) -> dict[str, Any]:
        """Which one, and how prompts become crops."""
        settings = dataclasses.asdict(self.predictor.config)
        return {"name": self.predictor.runtime.digest, "predictor": settings}

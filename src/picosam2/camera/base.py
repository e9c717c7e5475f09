"""What is asked of a camera with a network in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from picosam2.prompt import Region

# A new region is in force at the third frame read after it was set. Raspberry Pi's and Sony's
# documents do not say; Sony's own example of a moving region waits 3 frames at 30 frames a second.
SETTLE_FRAMES = 3


@dataclass(frozen=True)
class Frame:
    """What a camera says about one frame.

    Args:
        logits: 96×96 float32, the network's answer to the region in force (above 0 is object);
            None where the camera gave no answer with this frame.
        score: predicted IoU of that mask in 0..1.
        inference_ms: time of the network in the sensor; None where it is not known.
        dsp_ms: time of the sensor's signal processor around the network; None as well.
        image: the frame's pixels, RGB uint8 of the preview's size; None where they are not read.
    """

    logits: NDArray[np.float32] | None
    score: float = 0.0
    inference_ms: float | None = None
    dsp_ms: float | None = None
    image: NDArray[np.uint8] | None = None


class Camera(Protocol):
    """Runs the network on one region of every frame."""

    @property
    def frame_size(self) -> tuple[int, int]:
        """H, W in pixels of the full frame, in which regions and prompts are given."""

    @property
    def preview_size(self) -> tuple[int, int]:
        """H, W in pixels of pictures and of masks to show; they span the full frame."""

    @property
    def min_side(self) -> int:
        """Side of the smallest useful region in pixels."""

    def set_region(self, region: Region) -> None:
        """Look at this region: in force ``SETTLE_FRAMES`` reads from now at the latest."""

    def read(self) -> Frame | None:
        """Wait for the next frame; None when there is none left."""

    def show(self, mask: NDArray[np.bool_] | None) -> None:
        """Draw a mask of the preview's size over the preview; None clears it."""

    def close(self) -> None:
        """Stop the camera."""

"""A camera that plays files and runs the network on the CPU, with the sensor's own steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice, repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from picosam2.camera.base import SETTLE_FRAMES, Frame
from picosam2.errors import InputError
from picosam2.images import SUFFIXES, load_image
from picosam2.levels import Range
from picosam2.predictor import PredictorConfig
from picosam2.prompt import CROP_SIZE, Region
from picosam2.runtime import Runtime
from picosam2.video.frames import open_frames

# A single photograph stands still for a second, long enough to be found and looked at again.
STILL_FRAMES = 30
# A file of these is one picture; a GIF may be a video.
STILL = SUFFIXES - {".gif"}


class ReplayCamera:
    """Runs the network on one region of every frame that is played.

    As the sensor does: the region is cut from the full-resolution frame at whole pixels, scaled to
    96×96 and rounded to 8 bits, and a new region comes into force only some frames later.

    Args:
        frames: H×W×3 uint8 RGB, all of one size.
        runtime: the network.
        delay: how many frames are read after ``set_region`` before the region is in force.

    Raises:
        InputError: there is no frame; on reading, a frame of another size.
    """

    def __init__(
        self,
        frames: Iterable[NDArray[np.uint8]],
        runtime: Runtime,
        delay: int = SETTLE_FRAMES - 1,
    ) -> None:
        iterator = iter(frames)
        first = next(iterator, None)
        if first is None:
            raise InputError("there is no frame to play")
        self._frames = chain([first], iterator)
        self._runtime = runtime
        height, width = first.shape[:2]
        self.frame_size = self.preview_size = height, width
        self.min_side = round(PredictorConfig.min_side)
        self._region = Region(0, 0, width, height)
        self._last: tuple[Region, Frame] | None = None
        self._regions = deque([self._region] * delay, maxlen=delay + 1)

    def set_region(self, region: Region) -> None:
        """See ``Camera``."""
        self._region = region

    def read(self) -> Frame | None:
        """See ``Camera``. The time is None: that of a CPU says nothing about the sensor."""
        image = next(self._frames, None)
        if image is None:
            return None
        if image.shape[:2] != self.frame_size:
            (h, w), (height, width) = image.shape[:2], self.frame_size
            raise InputError(
                f"the frames differ in size, {w}×{h} after {width}×{height}: play one size only"
            )
        self._regions.append(self._region)
        region = self._regions[0]
        # A photograph that stands still needs no second look at the same region.
        if self._last is None or region != self._last[0] or image is not self._last[1].image:
            logits, scores = self._runtime(scale_region(image, region)[None])
            self._last = region, Frame(logits[0], float(scores[0]), image=image)
        return self._last[1]

    def show(self, mask: NDArray[np.bool_] | None) -> None:
        """Nothing: there is no preview to draw on."""

    def close(self) -> None:
        """Nothing is open."""


def scale_region(frame: NDArray[np.uint8], region: Region) -> NDArray[np.uint8]:
    """A region of an H×W×3 frame as the network's 96×96×3 uint8 input.

    How the sensor scales is not documented: a triangle filter, anti-aliased where it shrinks.
    """
    pixels = frame[region.y : region.y + region.height, region.x : region.x + region.width]
    image = Image.fromarray(pixels).resize((CROP_SIZE, CROP_SIZE), Image.Resampling.BILINEAR)
    return np.asarray(image)


def play(
    path: Path, frames: int | None = None, value_range: Range | None = None
) -> Iterator[NDArray[np.uint8]]:
    """The frames of a folder of images (by name), of a video, or of one image again and again.

    Args:
        path: what to play.
        frames: stop after so many; None plays all, ``STILL_FRAMES`` of one image.
        value_range: the values that become black and white in every frame; None decides for each
            image by itself, where it has more than 8 bits.

    Yields:
        H×W×3 uint8 RGB.

    Raises:
        InputError: there is nothing to play, or it cannot be read.
    """
    if path.is_file() and path.suffix.lower() in STILL:
        return repeat(load_image(path, value_range), frames or STILL_FRAMES)
    return islice((pixels for _, pixels in open_frames(path, value_range).play()), frames)

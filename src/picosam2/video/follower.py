"""One object from frame to frame: where to look, what of the answer to believe."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from picosam2.following import Patience, State
from picosam2.predictor.corrections import extent_of, mask_in
from picosam2.predictor.drawing import given_logits
from picosam2.predictor.prior import make_prior
from picosam2.predictor.readings import Before, Extent, Reading
from picosam2.prompt import CROP_SIZE, Crop, cut
from picosam2.video.colours import Colours
from picosam2.video.config import TrackerConfig
from picosam2.video.motion import depth_in, follow_mask

# Pixels of the crop from the edge of the expected mask at which its say is full.
DEPTH = 4.0


@dataclass(frozen=True)
class Look:
    """A crop that the networks are asked about.

    Args:
        crop: of the frame.
        pixels: 96×96×3 uint8 RGB.
        expected: 96×96 bool, where the object should be; None while it is searched.
        trust: how far that is known from its motion, in 0..1.
    """

    crop: Crop
    pixels: NDArray[np.uint8]
    expected: NDArray[np.bool_] | None = None
    trust: float = 0.0

    @property
    def prior(self) -> NDArray[np.int8] | None:
        """96×96×2 int8 for the correcting network; None where the first look is asked alone."""
        return None if self.expected is None else make_prior(self.expected, [], CROP_SIZE)


@dataclass(frozen=True)
class Seen:
    """What the networks said about a look.

    Args:
        logits: 96×96 float32 of the first look.
        score: its predicted IoU in 0..1.
        corrected: 96×96 float32 of the correcting network; None where it was not asked.
        corrected_score: its predicted IoU.
    """

    logits: NDArray[np.float32]
    score: float
    corrected: NDArray[np.float32] | None = None
    corrected_score: float = 0.0


class Follower:
    """Follows an object whose mask in a frame is known.

    Args:
        frame: H×W×3 uint8 RGB.
        known: its mask there.
        score: predicted IoU of that mask in 0..1.
        config: how.
    """

    def __init__(
        self, frame: NDArray[np.uint8], known: Before, score: float, config: TrackerConfig
    ) -> None:
        self.config = config
        self._size = frame.shape[0], frame.shape[1]
        self._patience = Patience(config.lost_score, config.patience)
        self._motion = np.zeros(2)
        self._places = itertools.count()
        self.last: Extent = (0.0, 0.0, float(frame.shape[1]), float(frame.shape[0]))
        self.colours: Colours | None = None
        # In pixels of the frame: of the last mask, and of what it was before it was partly hidden.
        self._area = self._whole = 0.0
        self.correct(frame, known, score)

    def correct(self, frame: NDArray[np.uint8], known: Before, score: float) -> None:
        """Take a mask that a person gave or corrected for what the object is."""
        self.before, self.score = known, score
        self._seen: Look | None = None
        found = extent_of(known, self._size)
        if found is None:
            # Not here: it may come back, if it was seen before.
            self._patience.misses = self.config.patience
            return
        self.last = found
        self._patience.find()
        crop = self._around(found, np.zeros(2))
        mask = mask_in(known, crop, self._size)
        self._seen = Look(crop, cut_quickly(frame, crop))
        self._area = self._whole = 0.0
        self._remember_area(self._seen, mask)
        self.colours = Colours.of(self._seen.pixels, given_logits(mask))

    @property
    def state(self) -> State:
        """``found``, ``unsure`` (this frame's mask is doubtful) or ``lost``."""
        return self._patience.state

    def looks(self, frame: NDArray[np.uint8]) -> list[Look]:
        """What to ask the networks about the next frame."""
        if self.state == "lost":
            crops = self._search()
            return [Look(crop, cut_quickly(frame, crop)) for crop in crops]
        crop = self._around(self.last, self.config.momentum * self._motion)
        return [self._expect(crop, cut_quickly(frame, crop))]

    def take(self, looks: Sequence[Look], seen: Sequence[Seen]) -> Reading | None:
        """The mask of the frame; None while the object is lost.

        Args:
            looks: what was asked.
            seen: what came of it.
        """
        readings = [self._read(look, said) for look, said in zip(looks, seen, strict=True)]
        if self.state == "lost":
            return self._find(looks, readings)
        ((reading, alike, colours),) = readings
        found = extent_of(reading, self._size)
        believed = reading.score if alike >= self.config.alike else 0.0
        state = self._patience.see(believed, found is None)
        self.score = reading.score
        if state == "lost":
            self._motion[:] = 0
            return None
        if state == "found" and found is not None:
            self._accept(looks[0], reading, found, colours)
        return reading

    def _expect(self, crop: Crop, pixels: NDArray[np.uint8]) -> Look:
        """What to look at, and where the object should be in it."""
        if self.config.rigid and self._seen is not None:
            mask = mask_in(self.before, self._seen.crop, self._size)
            moved, trust = follow_mask(self._seen.pixels, mask, pixels)
            if trust:
                return Look(crop, pixels, moved, trust)
        return Look(crop, pixels, mask_in(self.before, crop, self._size))

    def _accept(self, look: Look, reading: Reading, found: Extent, colours: Colours) -> None:
        motion = _centre(found) - _centre(self.last)
        self._motion = (self._motion + motion) / 2
        self.before, self.last, self._seen = reading, found, look
        self._remember_area(look, reading.logits > 0)
        if reading.score >= self.config.sure and self.colours is not None:
            self.colours = self.colours.blend(colours, self.config.learning)

    def _find(
        self, looks: Sequence[Look], readings: list[tuple[Reading, float, Colours]]
    ) -> Reading | None:
        """The object again, if it is in one of the crops."""
        look, (reading, alike, _) = max(
            zip(looks, readings, strict=True), key=lambda both: both[1][0].score * both[1][1]
        )
        found = extent_of(reading, self._size)
        if (
            found is None
            or reading.score < self.config.found_score
            or alike < self.config.found_alike
        ):
            self.score = 0.0
            return None
        self._patience.find()
        self._motion[:] = 0
        self.before, self.last, self._seen = reading, found, look
        self._remember_area(look, reading.logits > 0)
        self.score = reading.score
        return reading

    def _read(self, look: Look, seen: Seen) -> tuple[Reading, float, Colours]:
        """A mask, how its colours are like the object's (0..1), and its colours."""
        share = self.config.correcting if seen.corrected is not None else 0.0
        logits, score = (1 - share) * seen.logits, (1 - share) * seen.score
        if seen.corrected is not None:
            logits, score = logits + share * seen.corrected, score + share * seen.corrected_score
        if self.colours is not None:
            logits = logits + self.config.colours * self.colours.likelihood(look.pixels)
        if look.expected is not None:
            logits = self._as_expected(logits, look, look.expected)
        logits = logits.astype(np.float32)
        reading = Reading(look.crop, logits, float(score) if (logits > 0).any() else 0.0)
        colours = Colours.of(look.pixels, logits)
        alike = 0.0 if self.colours is None else self.colours.likeness(colours)
        return reading, alike, colours

    def _as_expected(
        self, logits: NDArray[np.float32], look: Look, expected: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Logits that do not stray from where the object should be, or grow beyond its area."""
        if look.trust:
            depth = np.clip(depth_in(expected) / DEPTH, -1, 1)
            logits = logits + self.config.rigid * look.trust * depth
        # An object that was partly hidden may be as large again as it was.
        most = max(self.config.change * self._area, self._whole) * (CROP_SIZE / look.crop.side) ** 2
        if np.count_nonzero(logits > 0) <= most:
            return logits
        level = np.partition(logits, -int(most) - 1, axis=None)[-int(most) - 1]
        # Not where all are equally sure: none would be left.
        return logits - level if level < logits.max() else logits

    def _remember_area(self, look: Look, mask: NDArray[np.bool_]) -> None:
        """Keep the area of the mask in a crop, and how large the object was before it fell."""
        area = np.count_nonzero(mask) * (look.crop.side / CROP_SIZE) ** 2
        if area * self.config.change < self._area:
            self._whole = max(self._whole, self._area)
        elif area * self.config.change >= self._whole:
            self._whole = area
        self._area = area

    def _side(self, found: Extent) -> float:
        x0, y0, x1, y1 = found
        return max(self.config.min_side, self.config.margin * max(x1 - x0, y1 - y0))

    def _around(self, found: Extent, motion: NDArray[np.float64]) -> Crop:
        x, y = _centre(found) + motion
        return Crop(float(x), float(y), self._side(found))

    def _search(self) -> list[Crop]:
        """Where it was last, and a few of the places around it and in the frame, in turns."""
        side = self._side(self.last)
        height, width = self._size
        x, y = _centre(self.last)
        crops = [Crop(float(np.clip(x, 0, width)), float(np.clip(y, 0, height)), side)]
        columns, rows = (max(1, round(2 * length / side)) for length in (width, height))
        for place in itertools.islice(self._places, self.config.searched - 1):
            # A step that shares no factor with the number of places visits all of them.
            index = place * _stride(columns * rows) % (columns * rows)
            row, column = divmod(index, columns)
            crops.append(Crop((column + 0.5) * width / columns, (row + 0.5) * height / rows, side))
        return crops


def cut_quickly(frame: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    """As :func:`picosam2.prompt.cut`, from every n-th pixel of every n-th row of a large crop.

    Args:
        frame: H×W×3 uint8 RGB.
        crop: of it; two pixels a side at least are read for one of the result's.

    Returns:
        96×96×3 uint8.
    """
    step = int(crop.side / (2 * CROP_SIZE))
    if step < 2:
        return cut(frame, crop)
    # A triangle reaches a pixel of the result, which is less than three steps, beyond the crop.
    (x0, x1), (y0, y1) = (
        (max(0, int(low) - 3 * step), max(0, int(low + crop.side) + 3 * step))
        for low in (crop.left, crop.top)
    )
    seen = frame[y0 + step // 2 : y1 : step, x0 + step // 2 : x1 : step]
    pixels = np.empty(seen.shape, np.uint8)
    # One channel after the other: a copy of three bytes at a time takes twice as long.
    for channel in range(seen.shape[2]):
        pixels[..., channel] = seen[..., channel]
    x, y = (
        (centre - first - step // 2 - 0.5) / step + 0.5
        for centre, first in ((crop.x, x0), (crop.y, y0))
    )
    return cut(pixels, Crop(x, y, crop.side / step))


def _centre(found: Extent) -> NDArray[np.float64]:
    x0, y0, x1, y1 = found
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2])


def _stride(count: int) -> int:
    """Near the golden section of ``count``, and without a common factor with it."""
    stride = max(1, round(0.618 * count))
    while np.gcd(stride, count) != 1:
        stride += 1
    return stride

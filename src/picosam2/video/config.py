"""How an object is followed."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from picosam2.errors import InputError

# Without them a crop or a mask has no size.
NOT_ZERO = ("margin", "min_side", "change")


@dataclass(frozen=True)
class TrackerConfig:
    """How an object is followed; the defaults were chosen on simulated motion (docs/video.md).

    Args:
        margin: side of the crop, as a multiple of the longer side of the last mask.
        min_side: smallest crop, in pixels.
        correcting: share of the correcting network in the logits; the rest is the first look's.
        colours: what the colours seen before add to the logits (times a log-likelihood ratio).
        rigid: what a mask that moved as one piece adds to the logits inside, and takes outside; 0
            estimates no motion, and needs no OpenCV.
        change: largest factor by which the mask's area grows from frame to frame.
        momentum: share of the last motion that is expected again.
        sure: predicted IoU from which the colours of a mask are learnt.
        learning: share of a frame in the colours that are remembered.
        lost_score: a mask of a lower predicted IoU counts as a miss, as an empty one does.
        alike: a mask whose colours are less like those that were learnt counts as a miss (0..1).
        patience: misses in a row before the object is lost.
        searched: crops a frame in which a lost object is searched.
        found_score: predicted IoU from which a lost object may be found again.
        found_alike: the same of its colours.
        non_overlap_masks: whether a pixel belongs to one object at most (SAM 2's name, and its
            default).

    Raises:
        InputError: a number is below 0 or not finite, or a crop would have no side.
    """

    margin: float = 1.6
    min_side: float = 24.0
    correcting: float = 0.85
    colours: float = 1.0
    rigid: float = 8.0
    change: float = 1.1
    momentum: float = 1.0
    sure: float = 0.7
    learning: float = 0.05
    lost_score: float = 0.25
    alike: float = 0.55
    patience: int = 3
    searched: int = 6
    found_score: float = 0.5
    found_alike: float = 0.75
    non_overlap_masks: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < math.inf or (not value and field.name in NOT_ZERO):
                raise InputError(f"{field.name} must not be {value!r}: see TrackerConfig")

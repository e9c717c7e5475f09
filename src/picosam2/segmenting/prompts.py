"""What is asked about a photograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from picosam2.segmenting.box_file import GivenBox


@dataclass(frozen=True)
class Prompts:
    """What is asked about a photograph.

    Args:
        points: x, y of clicks on or beside one object, in pixels; with at most one box.
        labels: 1 (on the object) or 0 of each.
        mask: of that object, which the clicks correct: a file, or H×W bool.
        boxes: around an object each.
        everything: find all objects, without a prompt.
    """

    points: Sequence[tuple[float, ...]] = ()
    labels: Sequence[int] = ()
    mask: Path | NDArray[np.bool_] | None = None
    boxes: Sequence[GivenBox] = ()
    everything: bool = False

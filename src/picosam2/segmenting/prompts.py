"""What is asked about a photograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from picosam2.segmenting.box_file import GivenBox


@dataclass(frozen=True)
class Prompts:
    """What is asked about a photograph: one kind of prompt.

    Args:
        point: x, y of a click in pixels.
        boxes: around an object each.
        everything: find all objects, without a prompt.
    """

    point: tuple[float, ...] | None = None
    boxes: Sequence[GivenBox] = ()
    everything: bool = False

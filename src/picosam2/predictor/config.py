"""How a prompt becomes crops."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from picosam2.errors import InputError
from picosam2.predictor.boxes import MARKED, BoxConfig
from picosam2.prompt import BOX_PADDING


@dataclass(frozen=True)
class PredictorConfig:
    """How a prompt becomes crops; the defaults were chosen on ``coco-dev``.

    Args:
        click_sides: sides of the crops that answer a click, as shares of the image's longer side.
        min_side: smallest crop, in pixels.
        refine: when the click's best mask is looked at again in a crop fitted to it: where its
            crop cut it off (``"cut"``: pays for large objects), ``"always"`` or ``"never"``.
        refine_margin: side of the refining crop, as a multiple of the first mask's longer side.
        widening: the same where the first crops were all object.
        component: whether only the connected component under the click is kept.
        box_paddings: paddings of the crops that answer a box; a single mask uses the first.
        box: how masks are fitted to a box that the network was not shown.
        marked_box: the same of weights that are shown it; the margin is that of ``box``.
        correction_margins: sides of the crops that answer later clicks, as multiples of the longer
            side of what the mask before and the clicks cover; a single mask uses the first.
        correction_sure: of a mask that is given pixel by pixel, only pixels change whose logits are
            farther from 0, and those around them (``benchmarks/merging.py``).
        batch: crops that the network sees at once, at most.

    Raises:
        InputError: a side, padding or margin is none that a crop can have.
    """

    click_sides: tuple[float, ...] = (0.06, 0.12, 0.24, 0.48)
    min_side: float = 24.0
    refine: Literal["never", "cut", "always"] = "cut"
    refine_margin: float = 1.6
    widening: float = 2.5
    component: bool = True
    box_paddings: tuple[float, ...] = (BOX_PADDING, 0.0, 0.3)
    box: BoxConfig = field(default_factory=BoxConfig)
    marked_box: BoxConfig = MARKED
    correction_margins: tuple[float, ...] = (1.6, 1.2, 2.4)
    correction_sure: float = 3.5
    batch: int = 64

    def fit(self, marks_boxes: bool) -> BoxConfig:
        """How masks of weights that are shown boxes, or not, are fitted to them."""
        return replace(self.marked_box, margin=self.box.margin) if marks_boxes else self.box

    def __post_init__(self) -> None:
        # A side or margin of 0 makes the smallest crop; a box may be cut down, but not to nothing.
        least = {"click_sides": 0.0, "box_paddings": -0.4, "correction_margins": 0.0}
        for name, bound in least.items():
            values = getattr(self, name)
            if not values or not all(bound <= value < math.inf for value in values):
                raise InputError(f"{name} must be numbers of at least {bound:g}, not {values!r}")
        for name, bound in {
            "min_side": 0.0,
            "refine_margin": 0.0,
            "widening": 0.0,
            "batch": 0.5,
        }.items():
            if not bound < getattr(self, name) < math.inf:
                raise InputError(f"{name} must be above 0, not {getattr(self, name)!r}")

"""Where to look next: a click's scales one region a frame, then the region follows the mask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from picosam2.camera.base import SETTLE_FRAMES
from picosam2.following import Patience, State
from picosam2.masks import keep_touching, mask_extent
from picosam2.predictor import PredictorConfig
from picosam2.predictor.boxes import fit_to_box
from picosam2.predictor.prompts import Box, Click, read_prompts
from picosam2.prompt import Crop, Region, box_crop, click_crops, fit_region

Extent = tuple[float, float, float, float]


@dataclass(frozen=True)
class SessionConfig:
    """How a session looks for an object and follows it.

    The defaults were chosen on ``coco-dev``; ``drift`` also on pans over the example photographs.

    Args:
        click_sides: sides of the regions that answer a click, as shares of the frame's longer side.
        follow: whether the region moves with the mask; else it stays where the prompt was answered
            best.
        margin: side of a following region, as a multiple of the mask's longer side.
        drift: the region moves when its centre is off by this share of its longer side.
        scale: another size is tried when the region's is off by this factor or cuts the mask off.
        box_gain: what another size must add to the predicted IoU to be kept after a box, which told
            the size; after a click it must be no worse.
        hold: frames for which no other size is tried after one was given up.
        fall: loss of predicted IoU that ends ``hold`` early.
        lost_score: a mask of a lower predicted IoU counts as a miss, as an empty one does.
        patience: misses in a row before the object is searched again.
    """

    click_sides: tuple[float, ...] = PredictorConfig.click_sides
    follow: bool = True
    margin: float = PredictorConfig.refine_margin
    drift: float = 0.1
    scale: float = 2.0
    box_gain: float = 0.1
    hold: int = 30
    fall: float = 0.05
    lost_score: float = 0.15
    patience: int = 3


@dataclass(frozen=True)
class Answer:
    """The network's answer to one region: logits S×S and predicted IoU in 0..1."""

    region: Region
    logits: NDArray[np.float32]
    score: float

    @property
    def extent(self) -> Extent | None:
        """The mask's x0, y0, x1, y1 in pixels of the frame; None where it is empty."""
        found = mask_extent(self.logits > 0)
        if found is None:
            return None
        x0, y0, x1, y1 = found
        across = self.region.width / self.logits.shape[1]
        down = self.region.height / self.logits.shape[0]
        return (
            self.region.x + x0 * across,
            self.region.y + y0 * down,
            self.region.x + x1 * across,
            self.region.y + y1 * down,
        )


class Session:
    """One object, from its prompt on: it is told what the camera read, and says where to look.

    Attributes:
        region: where the camera should look now.
        status: ``searching`` for the first answer, ``found``, ``unsure`` (the last frame's mask was
            none to go by), or ``lost`` (it goes on searching where the object was last).
        answer: the mask to show; None before the first answer and while the object is lost.
        first_answer: frames that the camera has to read until there is one.

    Args:
        frame_size: H, W of the frame in pixels.
        point: x, y of a click in pixels of the frame; or
        box: x0, y0, x1, y1.
        min_side: of the smallest region, in pixels.
        config: how to look and follow.

    Raises:
        InputError: the prompt lies outside the frame, or is empty.
    """

    def __init__(
        self,
        frame_size: tuple[int, int],
        *,
        point: Sequence[float] | None = None,
        box: Sequence[float] | None = None,
        min_side: float = PredictorConfig.min_side,
        config: SessionConfig | None = None,
    ) -> None:
        self.config = config or SessionConfig()
        self.status: Literal["searching"] | State = "searching"
        self.answer: Answer | None = None
        self._frame_size = frame_size
        self._min_side = min_side
        self._patience = Patience(self.config.lost_score, self.config.patience)
        self._hold, self._held_score = 0, 0.0
        self._before: Answer | None = None
        self._steady = False
        self._gain = 0.0 if box is None else self.config.box_gain
        # Bounds the mask as long as the region is the box's own.
        self._box: Extent | None = None
        self._box_region: Region | None = None
        points = None if point is None else [point]
        prompt = read_prompts(points, None, box, None, True, frame_size)[0].first
        if isinstance(prompt, Box):
            self._anchor: Extent = prompt.corners
            self._box = self._anchor
            self._search([box_crop(self._anchor)])
            self._box_region = self.region
        elif isinstance(prompt, Click):
            self._anchor = prompt.x, prompt.y, prompt.x, prompt.y
            self._search(click_crops(prompt.x, prompt.y, self._sides()))
        self.first_answer = SETTLE_FRAMES * (1 + len(self._pending))

    @property
    def steady(self) -> bool:
        """Whether the region stays where it is as long as the picture does."""
        return self.status in ("found", "unsure") and (not self.config.follow or self._steady)

    def read(self, logits: NDArray[np.float32], score: float) -> None:
        """Take what the camera said about one more frame.

        Args:
            logits: S×S float32, above 0 is object.
            score: predicted IoU in 0..1.
        """
        self._frames += 1
        # Until then the answer may be to the region before.
        if self._frames < SETTLE_FRAMES:
            return
        answer = Answer(self.region, self._read_mask(logits), score)
        if self.status in ("found", "unsure"):
            self._follow(answer)
        else:
            self._collect(answer)

    def _sides(self) -> list[float]:
        longer = max(self._frame_size)
        return [max(self._min_side, longer * share) for share in self.config.click_sides]

    def _search(self, crops: Sequence[Crop]) -> None:
        """Look at these crops one after the other."""
        regions = [fit_region(crop, self._frame_size) for crop in crops]
        self._pending = list(dict.fromkeys(regions))
        self._seen: list[Answer] = []
        self._look(self._pending.pop(0))

    def _look(self, region: Region) -> None:
        self.region = region
        self._frames = 0

    def _collect(self, answer: Answer) -> None:
        """One more scale of a search; after the last the best is kept."""
        self._seen.append(answer)
        if self._pending:
            self._look(self._pending.pop(0))
            return
        best = max(self._seen, key=lambda seen: seen.score)
        # A prompt's first answer is shown even where it is poor: the user meant something there.
        if self.status == "lost" and self._is_miss(best):
            self._search_again()
            return
        self.status = "found"
        self._patience.find()
        self._accept(best)

    def _follow(self, answer: Answer) -> None:
        before, self._before = self._before, None
        if before is not None and answer.score < before.score + self._gain:
            self._hold, self._held_score = self.config.hold, before.score
            self._look(before.region)
            return
        self.status = self._patience.see(answer.score, answer.extent is None)
        if self.status == "found":
            self._accept(answer)
        elif self.status == "lost":
            self.answer, self._box = None, None
            self._search_again()

    def _is_miss(self, answer: Answer) -> bool:
        return self._patience.is_miss(answer.score, answer.extent is None)

    def _accept(self, answer: Answer) -> None:
        self.answer = answer
        fell = answer.score < self._held_score - self.config.fall
        self._hold = 0 if fell else max(0, self._hold - 1)
        if answer.region != self._box_region:
            self._box = None
        region = self._next_region(answer) if self.config.follow else answer.region
        self._steady = region == self.region
        if not self._steady:
            self._look(region)

    def _search_again(self) -> None:
        """The click's scales where the object was last."""
        x0, y0, x1, y1 = self._anchor
        self._search(click_crops((x0 + x1) / 2, (y0 + y1) / 2, self._sides()))

    def _next_region(self, answer: Answer) -> Region:
        """The answer's own region where the mask sits well in it, else one around the mask."""
        extent, region = answer.extent, answer.region
        if extent is None:
            return region
        x0, y0, x1, y1 = extent
        # Parts of the next mask that lie wholly beside this one are not taken for the object.
        self._anchor = extent
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        old = max(region.width, region.height)
        side = max(self._min_side, self.config.margin * max(x1 - x0, y1 - y0))
        resized = self._is_cut(answer) or max(side / old, old / side) > self.config.scale
        if resized and not self._hold:
            # Half way down only: a mask that fails for one frame does not take the region with it.
            wanted = fit_region(Crop(x, y, max(side, math.sqrt(side * old))), self._frame_size)
            self._before = answer if wanted != region else None
            return wanted
        wanted = fit_region(Crop(x, y, old), self._frame_size)
        drift = max(
            abs((wanted.x - region.x) + (wanted.width - region.width) / 2),
            abs((wanted.y - region.y) + (wanted.height - region.height) / 2),
        )
        return wanted if drift > self.config.drift * old else region

    def _is_cut(self, answer: Answer) -> bool:
        """Whether the mask reaches an edge of its region beyond which the frame goes on."""
        mask, region = answer.logits > 0, answer.region
        height, width = self._frame_size
        return bool(
            (mask[0].any() and region.y > 0)
            or (mask[-1].any() and region.y + region.height < height)
            or (mask[:, 0].any() and region.x > 0)
            or (mask[:, -1].any() and region.x + region.width < width)
        )

    def _read_mask(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Fitted to the prompt's box; else what touches the anchor, all where nothing does."""
        if self._box is not None and self.region == self._box_region:
            return fit_to_box(logits, self._in_region(self._box, len(logits)))
        x0, y0, x1, y1 = self._in_region(self._anchor, len(logits))
        return keep_touching(logits, (_whole(y0, y1), _whole(x0, x1)))

    def _in_region(self, extent: Extent, size: int) -> Extent:
        """An extent of the frame in the pixels of the region's size×size logits."""
        x0, y0, x1, y1 = extent
        region = self.region
        across, down = size / region.width, size / region.height
        left, right = (x0 - region.x) * across, (x1 - region.x) * across
        return left, (y0 - region.y) * down, right, (y1 - region.y) * down


def _whole(low: float, high: float) -> slice:
    """The pixels that [low, high] touches."""
    return slice(max(0, math.floor(low)), max(0, math.floor(high) + 1))

"""SAM's automatic mask generator on the crop-prompted network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from picosam2.automatic.candidates import Candidate, is_square, make_candidate
from picosam2.automatic.grid import grid_crops, layer_windows, point_crops
from picosam2.automatic.suppression import suppress
from picosam2.data.rle import decode_rle, rle_area, rle_bbox, rle_json
from picosam2.errors import InputError
from picosam2.pixels import array_to_rgb, to_rgb
from picosam2.predictor import Predictor
from picosam2.predictor.readings import keep_component, read_click
from picosam2.prompt import Crop, cut

# Shares of the longer side: a click's, and one for what fills the photograph.
SIDES = (0.06, 0.12, 0.24, 0.48, 0.96)
# 341 windows in all: each further layer has four times those before it.
MOST_LAYERS = 4

# Called with the crops looked at and their number; True ends the search.
Progress = Callable[[int, int], bool | None]


class AutomaticMaskGenerator:
    """Finds the objects of a photograph: clicks on a grid, then the best of what overlaps.

    The arguments are those of Segment Anything's ``SamAutomaticMaskGenerator``; ``generate`` gives
    its list. Unlike there, each of five crop scales has a grid of its own (``grid.grid_crops``):
    large crops need fewer points.

    Args:
        predictor: with trained weights.
        points_per_side: of the densest grid.
        points_per_batch: crops that the network sees at once.
        pred_iou_thresh: masks of a lower predicted IoU are dropped, in 0..1.
        stability_score_thresh: masks of a lower stability score are dropped, in 0..1.
        stability_score_offset: of the thresholds of that score, in logits.
        box_nms_thresh: of two masks whose boxes overlap by more (IoU), the better stays.
        crop_n_layers: further searches: layer i looks at 2^i × 2^i windows of the photograph; 4 at
            most.
        crop_nms_thresh: as ``box_nms_thresh``, between windows; smaller windows' masks go first.
        crop_overlap_ratio: of windows, as a share of the photograph's shorter side.
        crop_n_points_downscale_factor: layer i has this to the power of i times fewer points.
        point_grids: instead of ``points_per_side``: for each layer N×2, x and y in 0..1.
        min_mask_region_area: holes and islands of fewer pixels are filled and removed.
        output_mode: ``"binary_mask"`` (H×W bool) or ``"coco_rle"``.

    Raises:
        InputError: an argument is out of its range.
    """

    def __init__(
        self,
        predictor: Predictor,
        points_per_side: int | None = 32,
        points_per_batch: int = 64,
        pred_iou_thresh: float = 0.5,
        stability_score_thresh: float = 0.5,
        stability_score_offset: float = 1.0,
        box_nms_thresh: float = 0.7,
        crop_n_layers: int = 0,
        crop_nms_thresh: float = 0.7,
        crop_overlap_ratio: float = 512 / 1500,
        crop_n_points_downscale_factor: int = 1,
        point_grids: list[NDArray[np.float64]] | None = None,
        min_mask_region_area: int = 0,
        output_mode: Literal["binary_mask", "coco_rle"] = "binary_mask",
    ) -> None:
        if (points_per_side is None) == (point_grids is None):
            raise InputError("give points_per_side or point_grids, and the other as None")
        counts = {
            "points_per_side": (1 if points_per_side is None else points_per_side, 1),
            "points_per_batch": (points_per_batch, 1),
            "crop_n_points_downscale_factor": (crop_n_points_downscale_factor, 1),
            "crop_n_layers": (crop_n_layers, 0),
            "min_mask_region_area": (min_mask_region_area, 0),
        }
        for name, (count, least) in counts.items():
            if not _is_number(count) or not count >= least or count % 1:
                raise InputError(f"{name} must be a whole number, at least {least}, not {count!r}")
        if crop_n_layers > MOST_LAYERS:
            raise InputError(f"crop_n_layers must be at most {MOST_LAYERS}, not {crop_n_layers}")
        shares = {
            "pred_iou_thresh": pred_iou_thresh,
            "stability_score_thresh": stability_score_thresh,
            "box_nms_thresh": box_nms_thresh,
            "crop_nms_thresh": crop_nms_thresh,
            "crop_overlap_ratio": crop_overlap_ratio,
        }
        for name, share in shares.items():
            if not _is_number(share) or not 0 <= share <= 1:
                raise InputError(f"{name} must be in 0..1, not {share!r}")
        offset = stability_score_offset
        if not _is_number(offset) or not 0 <= offset < math.inf:
            raise InputError(f"stability_score_offset must be at least 0, not {offset!r}")
        if point_grids is not None:
            point_grids = [_grid(grid) for grid in point_grids]
            if len(point_grids) <= crop_n_layers:
                raise InputError(f"point_grids needs {crop_n_layers + 1} grids, one for each layer")
        if output_mode not in ("binary_mask", "coco_rle"):
            raise InputError(f"output_mode must be binary_mask or coco_rle, not {output_mode}")
        self.predictor = predictor
        self.points_per_side = points_per_side
        self.points_per_batch = points_per_batch
        self.pred_iou_thresh = pred_iou_thresh
        self.stability_score_thresh = stability_score_thresh
        self.stability_score_offset = stability_score_offset
        self.box_nms_thresh = box_nms_thresh
        self.crop_n_layers = crop_n_layers
        self.crop_nms_thresh = crop_nms_thresh
        self.crop_overlap_ratio = crop_overlap_ratio
        self.crop_n_points_downscale_factor = crop_n_points_downscale_factor
        self.point_grids = point_grids
        self.min_mask_region_area = min_mask_region_area
        self.output_mode = output_mode

    def generate(
        self, image: NDArray[Any] | Image.Image, progress: Progress | None = None
    ) -> list[dict[str, Any]]:
        """The objects of an image, best first.

        Args:
            image: as :meth:`Predictor.set_image` takes it; the predictor's own image stays.
            progress: called after each batch with the crops looked at and their number; where it
                returns True, the search ends with what was found.

        Returns:
            A dict for each mask: ``segmentation`` (H×W bool, or COCO RLE), ``area`` in pixels,
            ``bbox`` (x, y, width, height), ``predicted_iou``, ``stability_score``,
            ``point_coords`` ([[x, y]]) and ``crop_box``, the window (x, y, width, height).

        Raises:
            ValueError: the image has another shape or type.
        """
        pixels = to_rgb(image) if isinstance(image, Image.Image) else array_to_rgb(image)
        size = pixels.shape[:2]
        searches = list(self._searches(size))
        total = sum(len(crops) for _, crops in searches)
        found: list[Candidate] = []
        done = 0
        for window, crops in searches:
            x0, y0, x1, y1 = window
            part = pixels[y0:y1, x0:x1]
            in_window: list[Candidate] = []
            stopped = False
            for start in range(0, len(crops), self.points_per_batch):
                batch = crops[start : start + self.points_per_batch]
                in_window += self._look(part, batch, window)
                done += len(batch)
                if progress and progress(done, total):
                    stopped = True
                    break
            scores = np.array([c.score for c in in_window])
            found += _best(in_window, scores, self.box_nms_thresh)
            if stopped:
                break
        if self.crop_n_layers:
            # As in SAM: of two windows' masks, the smaller window's has been seen more closely.
            areas = np.array(
                [(c.window[2] - c.window[0]) * (c.window[3] - c.window[1]) for c in found]
            )
            found = _best(found, 1 / areas, self.crop_nms_thresh)
        found.sort(key=lambda candidate: -candidate.score)
        records = (self._record(candidate, size) for candidate in found)
        return [record for record in records if record["area"]]

    def _searches(
        self, size: tuple[int, int]
    ) -> Iterator[tuple[tuple[int, int, int, int], list[Crop]]]:
        """The windows of all layers, each with the crops to look at."""
        min_side = self.predictor.config.min_side
        for layer in range(self.crop_n_layers + 1):
            for window in layer_windows(size, layer, self.crop_overlap_ratio):
                x0, y0, x1, y1 = window
                shape = (y1 - y0, x1 - x0)
                if self.point_grids is not None:
                    yield window, point_crops(shape, self.point_grids[layer], SIDES, min_side)
                    continue
                assert self.points_per_side is not None
                factor = self.crop_n_points_downscale_factor**layer
                count = max(1, self.points_per_side // factor)
                yield window, grid_crops(shape, count, SIDES, min_side)

    def _look(
        self, pixels: NDArray[np.uint8], crops: list[Crop], window: tuple[int, int, int, int]
    ) -> Iterator[Candidate]:
        """What one batch finds in a window, above the thresholds."""
        logits, scores = self.predictor.runtime(np.stack([cut(pixels, crop) for crop in crops]))
        model = self.predictor.scores["click"]
        for crop, answer, score in zip(crops, logits, scores.tolist(), strict=True):
            reading = read_click(crop, answer, score, model)
            if reading.score < self.pred_iou_thresh:
                continue
            reading = keep_component(reading, crop.x, crop.y)
            if is_square(reading, pixels.shape[:2]):
                continue
            found = make_candidate(reading, self.stability_score_offset, window)
            if found is not None and found.stability >= self.stability_score_thresh:
                yield found

    def _record(self, candidate: Candidate, size: tuple[int, int]) -> dict[str, Any]:
        rle = candidate.to_rle(size, self.min_mask_region_area)
        x0, y0, x1, y1 = candidate.window
        return {
            "segmentation": decode_rle(rle) if self.output_mode == "binary_mask" else rle_json(rle),
            "area": rle_area(rle),
            "bbox": list(rle_bbox(rle)),
            "predicted_iou": candidate.score,
            "stability_score": candidate.stability,
            "point_coords": [list(candidate.point)],
            "crop_box": [x0, y0, x1 - x0, y1 - y0],
        }


def _best(
    candidates: list[Candidate], scores: NDArray[np.float64], threshold: float
) -> list[Candidate]:
    """Those that no better one overlaps."""
    if not candidates:
        return []
    boxes = np.array([candidate.box for candidate in candidates])
    return [candidates[index] for index in suppress(boxes, scores, threshold)]


def _is_number(value: object) -> bool:
    return isinstance(value, Real)


def _grid(points: ArrayLike) -> NDArray[np.float64]:
    """N×2 points in 0..1.

    Raises:
        InputError: they are something else.
    """
    try:
        grid = np.asarray(points, np.float64)
    except (TypeError, ValueError):
        grid = np.zeros(0)
    if grid.ndim != 2 or grid.shape[1] != 2 or not ((grid >= 0) & (grid <= 1)).all():
        raise InputError("point_grids must be N×2 arrays of x and y in 0..1, one for each layer")
    return grid

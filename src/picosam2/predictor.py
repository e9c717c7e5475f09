"""Segment an object from a click or a box: SAM 2's interface on the crop-prompted network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy import ndimage
from threadpoolctl import ThreadpoolController

from picosam2.errors import InputError
from picosam2.images import to_rgb
from picosam2.masks import mask_iou
from picosam2.prompt import BOX_PADDING, Crop, box_crop, click_crops, cut, paste, paste_mask
from picosam2.runtime import Runtime
from picosam2.runtime.engines import open_runtime
from picosam2.weights import DEFAULT_MODEL

LOW_RESOLUTION = 256
# Two readings of a prompt whose masks agree more than this are one reading.
SAME_READING_IOU = 0.8
# The geometry's matrices are small: BLAS threads would wait for each other longer than they work.
_BLAS = ThreadpoolController()


@dataclass(frozen=True)
class PredictorConfig:
    """How a prompt becomes crops; the defaults were chosen on ``coco-dev``.

    Args:
        click_sides: sides of the crops that answer a click, as shares of the image's longer side.
        min_side: smallest crop, in pixels.
        refine: when the click's best mask is looked at again in a crop fitted to it: where its
            crop cut it off (``"cut"``: pays for large objects), ``"always"`` or ``"never"``.
        refine_margin: side of the refining crop, as a multiple of the first mask's longer side.
        component: whether only the connected component under the click is kept, or those that
            touch the box.
        box_paddings: paddings of the crops that answer a box; a single mask uses the first.
    """

    click_sides: tuple[float, ...] = (0.06, 0.12, 0.24, 0.48)
    min_side: float = 24.0
    refine: Literal["never", "cut", "always"] = "cut"
    refine_margin: float = 1.6
    component: bool = True
    box_paddings: tuple[float, ...] = (BOX_PADDING, 0.0, 0.3)


@dataclass(frozen=True)
class _Reading:
    """One answer to a prompt: the logits (S×S) of a crop, and their predicted IoU."""

    crop: Crop
    logits: NDArray[np.float32]
    score: float


class Predictor:
    """Segments objects in one image after another.

    Args:
        runtime: the network on an engine.
        config: how prompts become crops.
    """

    def __init__(self, runtime: Runtime, config: PredictorConfig | None = None) -> None:
        self.runtime = runtime
        self.config = config or PredictorConfig()
        self.forward_passes = 0
        self._image: NDArray[np.uint8] | None = None

    @classmethod
    def from_pretrained(
        cls, weights: str | Path = DEFAULT_MODEL, *, engine: str | None = None, threads: int = 0
    ) -> Predictor:
        """A predictor with trained weights.

        Args:
            weights: ``"int8"`` or ``"fp32"`` for the models in the package, or a file that
                ``picosam2 train`` or ``picosam2 export`` made (``.safetensors``, ``.onnx``,
                ``.xml``, ``.tflite``, ``.pte``).
            engine: ``"onnx"``, ``"openvino"``, ``"litert"``, ``"executorch"``, ``"torch"`` or
                ``"auto"``, the fastest that is installed; by default the one that the file was
                made for, for the models in the package ONNX Runtime.
            threads: CPU threads; 0 for all cores.

        Raises:
            InputError: the file is missing or broken, or the engine is not installed or does not
                run it.
        """
        return cls(open_runtime(weights, engine, threads))

    def set_image(self, image: NDArray[np.uint8] | Image.Image) -> None:
        """Choose the image that the next prompts are about.

        Args:
            image: H×W×3 uint8 RGB, or a PIL image of any mode (its EXIF rotation is applied).

        Raises:
            ValueError: the array has another shape or type.
        """
        if isinstance(image, Image.Image):
            image = to_rgb(image)
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
            kind = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
            raise InputError(
                f"the image must be an H×W×3 uint8 RGB array or a PIL image, not {kind}"
            )
        if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise InputError(f"the image must have the shape H×W×3, not {image.shape}")
        self._image = image

    def predict(
        self,
        point_coords: ArrayLike | None = None,
        point_labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        mask_input: ArrayLike | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
    ) -> tuple[NDArray[np.bool_] | NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Segment the object at a point or in a box.

        Args:
            point_coords: 1×2, x and y of a click in pixels, 0 ≤ x < W and 0 ≤ y < H.
            point_labels: 1 integer, 1 (the click is on the object); None means 1.
            box: x0, y0, x1, y1 in pixels, x1 and y1 the far edges; instead of a point. What lies
                outside the image is cut off.
            mask_input: not supported yet.
            multimask_output: give up to three different readings of the prompt instead of one.
            return_logits: give logits instead of masks.

        Returns:
            Masks C×H×W bool (or logits float32), best first; scores C float32, the predicted IoU
            over the whole image in 0..1; logits C×256×256 float32 of the whole image. C is 3 with
            ``multimask_output``, else 1; where fewer readings differ, the last is repeated.

        Raises:
            ValueError: a prompt outside the image, empty, not finite or not supported yet.
            RuntimeError: no image was set.
        """
        if self._image is None:
            raise RuntimeError("call set_image before predict")
        height, width = size = self._image.shape[:2]
        self.forward_passes = 0
        count = 3 if multimask_output else 1
        if mask_input is not None:
            raise InputError("mask_input is not supported yet: give one point or one box")
        if box is not None and point_coords is not None:
            raise InputError("a point together with a box is not supported yet: give one of them")
        with _BLAS.limit(limits=1, user_api="blas"):
            if box is not None:
                readings = self._read_box(check_box(box, width, height), count)
            else:
                point = check_point(point_coords, point_labels, width, height)
                readings = self._read_click(*point, count)
            readings += [readings[-1]] * (count - len(readings))
            draw: Callable[..., NDArray[Any]] = paste if return_logits else paste_mask
            masks = np.stack([draw(r.logits, r.crop, size) for r in readings])
            low = (LOW_RESOLUTION, LOW_RESOLUTION)
            low_logits = np.stack([paste(r.logits, r.crop, size, low) for r in readings])
        return masks, np.array([r.score for r in readings], np.float32), low_logits

    def _read_click(self, x: float, y: float, count: int) -> list[_Reading]:
        assert self._image is not None
        config, longer = self.config, max(self._image.shape[:2])
        sides = sorted({max(config.min_side, longer * share) for share in config.click_sides})
        readings = sorted(self._run(click_crops(x, y, sides)), key=lambda r: -r.score)
        # One look at the masks is enough where only the best is asked for.
        readings = [
            self._keep_component(r, x, y) for r in (readings if count > 1 else readings[:1])
        ]
        readings = _different(readings, count)
        if config.refine == "never":
            return readings
        crops = [
            _fitted(reading, config.refine_margin, config.min_side)
            if config.refine == "always" or _is_cut(reading)
            else None
            for reading in readings
        ]
        second = self._run([crop for crop in crops if crop is not None])
        refined = iter(self._keep_component(reading, x, y) for reading in second)
        readings = [
            reading if crop is None else next(refined)
            for reading, crop in zip(readings, crops, strict=True)
        ]
        return _different(readings, count)

    def _read_box(self, box: tuple[float, ...], count: int) -> list[_Reading]:
        crops = [box_crop(box, padding) for padding in self.config.box_paddings[:count]]
        return _different([self._keep_inside(r, box) for r in self._run(crops)], count)

    def _run(self, crops: Sequence[Crop]) -> list[_Reading]:
        if not crops:
            return []
        assert self._image is not None
        self.forward_passes += len(crops)
        logits, scores = self.runtime(np.stack([cut(self._image, crop) for crop in crops]))
        return [_Reading(c, z, float(s)) for c, z, s in zip(crops, logits, scores, strict=True)]

    def _keep_component(self, reading: _Reading, x: float, y: float) -> _Reading:
        """Drop what is not connected to the object under the click."""
        if not self.config.component:
            return reading
        size = len(reading.logits)
        column = int((x - reading.crop.left) * size / reading.crop.side)
        row = int((y - reading.crop.top) * size / reading.crop.side)
        if not (0 <= row < size and 0 <= column < size) or reading.logits[row, column] <= 0:
            return reading
        labels, _ = ndimage.label(reading.logits > 0)
        return _without(reading, (labels > 0) & (labels != labels[row, column]))

    def _keep_inside(self, reading: _Reading, box: tuple[float, ...]) -> _Reading:
        """Drop what lies wholly outside the box; the mask may still go beyond it."""
        if not self.config.component:
            return reading
        size = len(reading.logits)
        scale = size / reading.crop.side
        # Rounded outwards: what touches the box is kept.
        x0, x1 = ((x - reading.crop.left) * scale for x in box[::2])
        y0, y1 = ((y - reading.crop.top) * scale for y in box[1::2])
        labels, count = ndimage.label(reading.logits > 0)
        inside = labels[
            max(0, math.floor(y0)) : math.ceil(y1), max(0, math.floor(x0)) : math.ceil(x1)
        ]
        if count < 2 or not inside.any():
            return reading
        return _without(reading, (labels > 0) & ~np.isin(labels, inside))


def _without(reading: _Reading, pixels: NDArray[np.bool_]) -> _Reading:
    """The reading with these pixels taken from its mask."""
    logits = np.where(pixels, -np.abs(reading.logits), reading.logits)
    return _Reading(reading.crop, logits, reading.score)


def _different(readings: list[_Reading], count: int) -> list[_Reading]:
    """The best ``count`` readings whose masks differ, best first."""
    chosen: list[_Reading] = []
    for reading in sorted(readings, key=lambda r: -r.score):
        if all(_overlap(reading, other) <= SAME_READING_IOU for other in chosen):
            chosen.append(reading)
    return chosen[:count]


def _overlap(a: _Reading, b: _Reading) -> float:
    """IoU of two readings, on the pixels of the larger crop."""
    small, large = sorted((a, b), key=lambda r: r.crop.side)
    size = len(large.logits)
    scale = size / large.crop.side
    crop = Crop(
        (small.crop.x - large.crop.left) * scale,
        (small.crop.y - large.crop.top) * scale,
        small.crop.side * scale,
    )
    return mask_iou(paste_mask(small.logits, crop, (size, size)), large.logits > 0)


def _is_cut(reading: _Reading) -> bool:
    """Whether the mask reaches the border of its crop, so that the object may go on beyond."""
    mask = reading.logits > 0
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def _fitted(reading: _Reading, margin: float, min_side: float) -> Crop | None:
    """The crop for a second look at a mask; None where the mask is empty or fitted already."""
    rows, columns = (np.flatnonzero((reading.logits > 0).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    crop, scale = reading.crop, reading.crop.side / len(reading.logits)
    x0, x1 = crop.left + columns[0] * scale, crop.left + (columns[-1] + 1) * scale
    y0, y1 = crop.top + rows[0] * scale, crop.top + (rows[-1] + 1) * scale
    side = max(min_side, margin * max(x1 - x0, y1 - y0))
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    shift = max(abs(x - crop.x), abs(y - crop.y))
    if abs(side / crop.side - 1) < 0.1 and shift < 0.05 * side:
        return None
    return Crop(x, y, side)


def _numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{what} must be numbers, not {values!r}") from None
    if not np.isfinite(array).all():
        raise InputError(f"{what} must be finite numbers, not {array.tolist()}")
    return array


def check_point(
    point_coords: ArrayLike | None, point_labels: ArrayLike | None, width: int, height: int
) -> tuple[float, float]:
    """The x and y of one positive click, checked against the image's size in pixels.

    Raises:
        InputError: it is missing, outside the image, negative, or there are several.
    """
    if point_coords is None:
        raise InputError("give a prompt: one point or one box")
    points = _numbers(point_coords, "point_coords")
    if points.shape != (1, 2):
        raise InputError(
            f"point_coords must have the shape 1×2, not {points.shape}: "
            "several points are not supported yet"
        )
    labels = _numbers([1] if point_labels is None else point_labels, "point_labels")
    if labels.shape != (1,) or labels[0] not in (0, 1):
        raise InputError("point_labels must be one label for each point, 1 or 0")
    if labels[0] == 0:
        raise InputError("a negative click is not supported yet: give one point with label 1")
    x, y = points[0].tolist()
    if not (0 <= x < width and 0 <= y < height):
        raise InputError(
            f"the point ({x:g}, {y:g}) is outside the image of {width}×{height} pixels"
        )
    return x, y


def check_box(box: ArrayLike, width: int, height: int) -> tuple[float, ...]:
    """The x0, y0, x1, y1 of a box, cut to the image's size in pixels.

    Raises:
        InputError: it is empty, outside the image, or not four finite numbers.
    """
    corners = _numbers(box, "box")
    if corners.size != 4:
        raise InputError(f"box must be x0, y0, x1, y1, not {corners.size} numbers")
    x0, y0, x1, y1 = corners.reshape(4).tolist()
    if x1 <= x0 or y1 <= y0:
        raise InputError(
            f"the box {x0:g},{y0:g},{x1:g},{y1:g} is empty: x0 < x1 and y0 < y1 are needed"
        )
    if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
        raise InputError(f"the box is outside the image of {width}×{height} pixels")
    return max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1)

"""Segment an object from a click or a box: SAM 2's interface on the crop-prompted network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from threadpoolctl import ThreadpoolController

from picosam2.boxes import BoxConfig, keep_within
from picosam2.errors import InputError
from picosam2.levels import Range
from picosam2.pixels import array_to_rgb, to_rgb
from picosam2.prompt import (
    BOX_PADDING,
    OUTSIDE_LOGIT,
    Crop,
    box_crop,
    click_crops,
    cut,
    paste,
    paste_mask,
)
from picosam2.readings import (
    Reading,
    different,
    fitted,
    has_outline,
    is_cut,
    keep_component,
    read_box,
    read_click,
)
from picosam2.runtime import Runtime
from picosam2.runtime.engines import open_runtime
from picosam2.scores import ScoreModel, read_models
from picosam2.weights import DEFAULT_MODEL

LOW_RESOLUTION = 256
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
        component: whether only the connected component under the click is kept.
        box_paddings: paddings of the crops that answer a box; a single mask uses the first.
        box: how masks are fitted to a box.
    """

    click_sides: tuple[float, ...] = (0.06, 0.12, 0.24, 0.48)
    min_side: float = 24.0
    refine: Literal["never", "cut", "always"] = "cut"
    refine_margin: float = 1.6
    component: bool = True
    box_paddings: tuple[float, ...] = (BOX_PADDING, 0.0, 0.3)
    box: BoxConfig = field(default_factory=BoxConfig)


class Predictor:
    """Segments objects in one image after another.

    Args:
        runtime: the network on an engine.
        config: how prompts become crops.
        scores: how the IoU of a mask is predicted after a ``click`` and after a ``box``; None for
            what came with the weights (their sidecar), else the network's own predicted IoU.
    """

    def __init__(
        self,
        runtime: Runtime,
        config: PredictorConfig | None = None,
        scores: Mapping[str, ScoreModel] | None = None,
    ) -> None:
        self.runtime = runtime
        self.config = config or PredictorConfig()
        self.scores = scores or read_models(runtime.scores)
        self.forward_passes = 0
        self._image: NDArray[np.uint8] | None = None

    @classmethod
    def from_pretrained(
        cls, weights: str | Path = DEFAULT_MODEL, *, engine: str | None = None, threads: int = 0
    ) -> Predictor:
        """A predictor with trained weights.

        Args:
            weights: ``"paper"`` (INT8) or ``"paper-fp32"`` for the models in the package, or a file
                that
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

    def set_image(
        self, image: NDArray[Any] | Image.Image, value_range: Range | None = None
    ) -> None:
        """Choose the image that the next prompts are about.

        Args:
            image: H×W×3 uint8 RGB, which is not copied; or H×W×3 or H×W of any real number type; or
                a PIL image of any mode (its EXIF rotation is applied). Values of more than 8 bits
                are shown as :func:`picosam2.levels.find_levels` says.
            value_range: the values that become black and white, instead.

        Raises:
            ValueError: the array has another shape or type, or the range is empty.
        """
        if isinstance(image, Image.Image):
            self._image = to_rgb(image, value_range=value_range)
        elif isinstance(image, np.ndarray):
            self._image = array_to_rgb(image, value_range)
        else:
            kind = type(image).__name__
            raise InputError(f"the image must be an array or a PIL image, not {kind}")

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
            masks = np.empty((count, *size), np.float32 if return_logits else bool)
            for reading, mask in zip(readings, masks, strict=True):
                draw(reading.logits, reading.crop, size, out=mask)
            low = (LOW_RESOLUTION, LOW_RESOLUTION)
            low_logits = np.stack([paste(r.logits, r.crop, size, low) for r in readings])
        for reading, mask, low_mask in zip(readings, masks, low_logits, strict=True):
            if reading.bounds is not None:
                outside = OUTSIDE_LOGIT if return_logits else False
                keep_within(mask, reading.bounds, size, outside)
                keep_within(low_mask, reading.bounds, size, OUTSIDE_LOGIT)
        return masks, np.array([r.score for r in readings], np.float32), low_logits

    def _read_click(self, x: float, y: float, count: int) -> list[Reading]:
        assert self._image is not None
        config, longer = self.config, max(self._image.shape[:2])
        sides = sorted({max(config.min_side, longer * share) for share in config.click_sides})
        readings = sorted(self._read_clicks(click_crops(x, y, sides)), key=lambda r: -r.score)
        readings = [reading for reading in readings if has_outline(reading)] or readings
        # One look at the masks is enough where only the best is asked for.
        readings = [
            self._keep_component(r, x, y) for r in (readings if count > 1 else readings[:1])
        ]
        readings = different(readings, count)
        if config.refine == "never":
            return readings
        crops = [
            fitted(reading, config.refine_margin, config.min_side)
            if config.refine == "always" or is_cut(reading)
            else None
            for reading in readings
        ]
        second = self._read_clicks([crop for crop in crops if crop is not None])
        refined = iter(self._keep_component(reading, x, y) for reading in second)
        readings = [
            reading if crop is None else next(refined)
            for reading, crop in zip(readings, crops, strict=True)
        ]
        return different(readings, count)

    def _read_box(self, box: tuple[float, ...], count: int) -> list[Reading]:
        crops = [box_crop(box, padding) for padding in self.config.box_paddings[:count]]
        readings = [
            read_box(*answer, box, self.config.box, self.scores["box"])
            for answer in self._run(crops)
        ]
        return different(readings, count)

    def _read_clicks(self, crops: Sequence[Crop]) -> list[Reading]:
        return [read_click(*answer, self.scores["click"]) for answer in self._run(crops)]

    def _run(self, crops: Sequence[Crop]) -> Iterator[tuple[Crop, NDArray[np.float32], float]]:
        """Each crop with the network's logits and predicted IoU."""
        if not crops:
            return iter(())
        assert self._image is not None
        self.forward_passes += len(crops)
        logits, scores = self.runtime(np.stack([cut(self._image, crop) for crop in crops]))
        return zip(crops, logits, scores.tolist(), strict=True)

    def _keep_component(self, reading: Reading, x: float, y: float) -> Reading:
        return keep_component(reading, x, y) if self.config.component else reading


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
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise InputError(
            "point_coords must have the shape 1×2, [[x, y]], not "
            f"{'×'.join(map(str, points.shape)) or 'a single number'}"
        )
    if len(points) > 1:
        raise InputError(f"{len(points)} points are given: several points are not supported yet")
    labels = _numbers([1] if point_labels is None else point_labels, "point_labels")
    if labels.shape != (1,):
        raise InputError(f"point_labels must be one label for each point, not {labels.tolist()}")
    if labels[0] not in (0, 1):
        raise InputError(
            f"point_labels must be 1 (on the object) or 0 (not on it), not {labels[0]:g}"
        )
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
    if corners.shape not in ((4,), (1, 4)):
        shape = "×".join(map(str, corners.shape)) or "a single number"
        raise InputError(f"box must be four numbers, x0, y0, x1, y1, not {shape}")
    x0, y0, x1, y1 = corners.reshape(4).tolist()
    if x1 <= x0 or y1 <= y0:
        raise InputError(
            f"the box {x0:g},{y0:g},{x1:g},{y1:g} is empty: x0 < x1 and y0 < y1 are needed"
        )
    if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
        raise InputError(f"the box is outside the image of {width}×{height} pixels")
    return max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1)

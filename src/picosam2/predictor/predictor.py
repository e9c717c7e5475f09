"""Segment objects from clicks or boxes: SAM 2's interface on the crop-prompted network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from picosam2.data.rle import encode_mask, rle_json
from picosam2.errors import InputError
from picosam2.levels import Range
from picosam2.pixels import array_to_rgb, to_rgb
from picosam2.predictor.boxes import keep_within
from picosam2.predictor.config import PredictorConfig
from picosam2.predictor.looks import by_score, choose, first_crops, one_component, second_crops
from picosam2.predictor.prompts import Box, Prompt, read_prompts
from picosam2.predictor.readings import Reading, different, read_box, read_click
from picosam2.predictor.scores import ScoreModel, read_models
from picosam2.predictor.sharing import OneBlasThread, ThreadState
from picosam2.prompt import OUTSIDE_LOGIT, Crop, cut, paste, paste_mask
from picosam2.runtime import Runtime
from picosam2.runtime.engines import open_runtime
from picosam2.weights import DEFAULT_MODEL

LOW_RESOLUTION = 256
# Masks and logits of one call take at most this many bytes.
MAX_BYTES = 256_000_000
# Prompts that ``predict_rle`` answers at once.
RLE_BATCH = 16
_ONE_BLAS_THREAD = OneBlasThread()

Image8 = NDArray[np.uint8]
Answer = tuple[NDArray[np.bool_] | NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


class Predictor:
    """Segments objects in one image after another.

    Threads may share it: each has an image of its own. ``clone``, ``copy.deepcopy`` and ``pickle``
    give further predictors, without an image.

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
        self._of_thread = ThreadState()

    @classmethod
    def from_pretrained(
        cls, weights: str | Path = DEFAULT_MODEL, *, engine: str | None = None, threads: int = 0
    ) -> Predictor:
        """A predictor with trained weights.

        Args:
            weights: the name of a model in the package (``picosam2.weights.BUNDLED``: a network in
                INT8, or with ``-fp32``), or a file that ``picosam2 train`` or ``picosam2 export``
                made (``.safetensors``, ``.onnx``, ``.xml``, ``.tflite``, ``.pte``).
            engine: ``"onnx"``, ``"openvino"``, ``"litert"``, ``"executorch"``, ``"torch"`` or
                ``"auto"``, the fastest that is installed; by default the one that the file was
                made for, for the models in the package ONNX Runtime.
            threads: CPU threads; 0 for all cores.

        Raises:
            InputError: the file is missing or broken, or the engine is not installed or does not
                run it.
        """
        return cls(open_runtime(weights, engine, threads))

    def clone(self) -> Predictor:
        """Another predictor with the same network, which is in memory once; without an image."""
        return Predictor(self.runtime, self.config, self.scores)

    def __reduce__(self) -> tuple[Any, ...]:
        return Predictor, (self.runtime, self.config, self.scores)

    @property
    def device(self) -> str:
        """``"cpu"``: SAM 2's predictor says where its network is."""
        return "cpu"

    @property
    def forward_passes(self) -> int:
        """Crops that the network saw in this thread's last call."""
        return self._of_thread.forward_passes

    def set_image(
        self, image: NDArray[Any] | Image.Image, value_range: Range | None = None
    ) -> None:
        """Choose the image that this thread's next prompts are about.

        Args:
            image: H×W×3 or H×W of any real number type, or a PIL image of any mode (its EXIF
                rotation is applied). Values of more than 8 bits are shown as
                :func:`picosam2.levels.find_levels` says. An array is copied, unless it is not
                writeable.
            value_range: the values that become black and white, instead.

        Raises:
            ValueError: the array has another shape or type, or the range is empty.
        """
        self._of_thread.image = _own_rgb(image, value_range)

    def set_image_batch(self, image_list: Sequence[NDArray[Any] | Image.Image]) -> None:
        """Choose the images that ``predict_batch`` is about.

        Args:
            image_list: each as ``set_image`` takes it.

        Raises:
            ValueError: an array has another shape or type, or there is none.
        """
        if not len(image_list):
            raise InputError("image_list is empty: give at least one image")
        self._of_thread.images = [_own_rgb(image, None) for image in image_list]

    def reset_predictor(self) -> None:
        """Forget this thread's images."""
        self._of_thread.image, self._of_thread.images = None, []

    def predict(
        self,
        point_coords: ArrayLike | None = None,
        point_labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        mask_input: ArrayLike | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
        normalize_coords: bool = True,
    ) -> Answer:
        """Segment the object at a point or in a box, or B of them.

        Args:
            point_coords: 1×2, or B×1×2: x and y of a click in pixels, 0 ≤ x < W and 0 ≤ y < H.
            point_labels: 1, or B×1: 1 (the click is on the object); None means 1.
            box: 4, or B×4: x0, y0, x1, y1 in pixels, x1 and y1 the far edges; instead of a point.
                What lies outside the image is cut off.
            mask_input: not supported yet.
            multimask_output: give up to three different readings of a prompt instead of one.
            return_logits: give logits instead of masks.
            normalize_coords: False where coordinates are shares of the image, 0..1.

        Returns:
            Masks C×H×W bool (or logits float32); scores C float32, the predicted IoU over the whole
            image in 0..1; logits C×256×256 float32 of the whole image. For B > 1 each has B in
            front. C is 3 with ``multimask_output``, else 1; the first mask is the same. Where fewer
            readings differ, the last is repeated.

        Raises:
            ValueError: a wrong shape; a prompt outside the image, empty, not finite or not
                supported yet; or masks of more than 256 MB (``predict_rle`` gives them one by one).
            RuntimeError: no image was set in this thread.
        """
        image = self._image()
        prompts = read_prompts(
            point_coords, point_labels, box, mask_input, normalize_coords, image.shape[:2]
        )
        count = 3 if multimask_output else 1
        _check_bytes(len(prompts) * count, image.shape[:2], return_logits)
        with _ONE_BLAS_THREAD:
            readings = self._answer(image, prompts, count)
            answer = _draw(readings, image.shape[:2], count, return_logits)
        if len(prompts) > 1:
            return answer
        masks, scores, logits = answer
        return masks[0], scores[0], logits[0]

    def predict_batch(
        self,
        point_coords_batch: Sequence[ArrayLike] | None = None,
        point_labels_batch: Sequence[ArrayLike] | None = None,
        box_batch: Sequence[ArrayLike] | None = None,
        mask_input_batch: Sequence[ArrayLike] | None = None,
        multimask_output: bool = True,
        return_logits: bool = False,
        normalize_coords: bool = True,
    ) -> tuple[list[Any], list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """As ``predict``, on each image of ``set_image_batch``.

        Args:
            point_coords_batch: for each image what ``predict`` takes as ``point_coords``.
            point_labels_batch: the same of ``point_labels``.
            box_batch: the same of ``box``.
            mask_input_batch: not supported yet.
            multimask_output: as ``predict`` has it.
            return_logits: as ``predict`` has it.
            normalize_coords: as ``predict`` has it.

        Returns:
            Masks, scores and logits of each image, in three lists.

        Raises:
            ValueError: as ``predict``, or a list has not one entry for each image.
            RuntimeError: no images were set in this thread.
        """
        state = self._of_thread
        if not state.images:
            raise RuntimeError("call set_image_batch before predict_batch")
        lists = {
            "point_coords_batch": point_coords_batch,
            "point_labels_batch": point_labels_batch,
            "box_batch": box_batch,
            "mask_input_batch": mask_input_batch,
        }
        count = len(state.images)
        for name, values in lists.items():
            if values is not None and len(values) != count:
                raise InputError(f"{name} needs one entry for each of {count} images")
        nothing: list[Any] = [None] * count
        rows = zip(*(values or nothing for values in lists.values()), strict=True)
        answers, passes, single = [], 0, state.image
        try:
            for image, (points, labels, box, mask) in zip(state.images, rows, strict=True):
                state.image = image
                answers.append(
                    self.predict(
                        points,
                        labels,
                        box,
                        mask,
                        multimask_output,
                        return_logits,
                        normalize_coords,
                    )
                )
                passes += state.forward_passes
        finally:
            state.image = single
        state.forward_passes = passes
        masks, scores, logits = zip(*answers, strict=True)
        return list(masks), list(scores), list(logits)

    def predict_rle(
        self,
        point_coords: ArrayLike | None = None,
        point_labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        normalize_coords: bool = True,
    ) -> Iterator[tuple[dict[str, Any], float]]:
        """The best mask of each of any number of prompts, as COCO RLE, one by one.

        Args:
            point_coords: as ``predict`` has it.
            point_labels: as ``predict`` has it.
            box: as ``predict`` has it.
            normalize_coords: as ``predict`` has it.

        Yields:
            COCO's compressed RLE (``size`` and ``counts``) and the predicted IoU in 0..1.

        Raises:
            ValueError: as ``predict``.
            RuntimeError: no image was set in this thread.
        """
        image = self._image()
        size = image.shape[:2]
        prompts = read_prompts(point_coords, point_labels, box, None, normalize_coords, size)
        return self._rles(image, prompts)

    def _rles(
        self, image: Image8, prompts: Sequence[Prompt]
    ) -> Iterator[tuple[dict[str, Any], float]]:
        for start in range(0, len(prompts), RLE_BATCH):
            with _ONE_BLAS_THREAD:
                found = self._answer(image, prompts[start : start + RLE_BATCH], 1)
            for readings in found:
                yield _draw_rle(readings, image.shape[:2]), readings[0].score

    def _image(self) -> Image8:
        image = self._of_thread.image
        if image is None:
            raise RuntimeError("call set_image before predict, in the same thread")
        return image

    def _answer(self, image: Image8, prompts: Sequence[Prompt], count: int) -> list[list[Reading]]:
        """For each prompt its readings, the best first; all prompts' crops in common batches."""
        self._of_thread.forward_passes = 0
        config, size = self.config, image.shape[:2]
        crops = [first_crops(prompt, size, config, count) for prompt in prompts]
        first = iter(self._read(image, prompts, crops))
        chosen = [
            choose(prompt, list(islice(first, len(looks))), config, count)
            for prompt, looks in zip(prompts, crops, strict=True)
        ]
        again = [
            second_crops(prompt, readings, config)
            for prompt, readings in zip(prompts, chosen, strict=True)
        ]
        wanted = [[crop for crop in looks if crop is not None] for looks in again]
        second = iter(self._read(image, prompts, wanted))
        result = []
        for prompt, readings, looks in zip(prompts, chosen, again, strict=True):
            best, *others = (
                reading if crop is None else one_component(prompt, next(second), config)
                for reading, crop in zip(readings, looks, strict=True)
            )
            result.append(different([best, *by_score(others)], count))
        return result

    def _read(
        self, image: Image8, prompts: Sequence[Prompt], crops: Sequence[Sequence[Crop]]
    ) -> list[Reading]:
        """What the network says about each prompt's crops, one after the other."""
        asked = [(p, crop) for p, looks in zip(prompts, crops, strict=True) for crop in looks]
        readings: list[Reading] = []
        for start in range(0, len(asked), self.config.batch):
            part = asked[start : start + self.config.batch]
            logits, scores = self.runtime(np.stack([cut(image, crop) for _, crop in part]))
            self._of_thread.forward_passes += len(part)
            for (prompt, crop), answer, score in zip(part, logits, scores.tolist(), strict=True):
                readings.append(self._interpret(prompt, crop, answer, score))
        return readings

    def _interpret(
        self, prompt: Prompt, crop: Crop, logits: NDArray[np.float32], score: float
    ) -> Reading:
        if isinstance(prompt, Box):
            model = self.scores["box"]
            return read_box(crop, logits, score, prompt.corners, self.config.box, model)
        return read_click(crop, logits, score, self.scores["click"])


def _own_rgb(image: NDArray[Any] | Image.Image, value_range: Range | None) -> Image8:
    """H×W×3 uint8 that nobody else writes to."""
    if isinstance(image, Image.Image):
        return to_rgb(image, value_range=value_range)
    if not isinstance(image, np.ndarray):
        raise InputError(f"the image must be an array or a PIL image, not {type(image).__name__}")
    pixels = array_to_rgb(image, value_range)
    return (
        pixels.copy() if pixels.flags.writeable and np.may_share_memory(pixels, image) else pixels
    )


def _check_bytes(masks: int, size: tuple[int, int], return_logits: bool) -> None:
    each = size[0] * size[1] * (4 if return_logits else 1) + LOW_RESOLUTION**2 * 4
    # One prompt's masks are given whatever the image's size.
    if masks > 3 and masks * each > MAX_BYTES:
        raise InputError(
            f"{masks} masks of {size[1]}×{size[0]} pixels would take {masks * each / 1e6:.0f} MB: "
            "predict_rle gives them one by one"
        )


def _draw_rle(readings: list[Reading], size: tuple[int, int]) -> dict[str, Any]:
    """The best reading as COCO RLE; its mask, which is large where the image is, is let go."""
    with _ONE_BLAS_THREAD:
        masks, _, _ = _draw([readings], size, 1, return_logits=False)
    rle = encode_mask(masks[0, 0].astype(bool, copy=False))
    return rle_json(rle)


def _draw(
    answers: list[list[Reading]], size: tuple[int, int], count: int, return_logits: bool
) -> Answer:
    """B prompts' readings as B×C masks of the image; where there are too few, the last again."""
    low_size = (LOW_RESOLUTION, LOW_RESOLUTION)
    draw: Callable[..., NDArray[Any]] = paste if return_logits else paste_mask
    masks = np.empty((len(answers), count, *size), np.float32 if return_logits else bool)
    logits = np.empty((len(answers), count, *low_size), np.float32)
    scores = np.empty((len(answers), count), np.float32)
    for prompt, readings in enumerate(answers):
        for place in range(count):
            if place >= len(readings):
                for result in (masks, logits, scores):
                    result[prompt, place] = result[prompt, place - 1]
                continue
            reading, mask, low = readings[place], masks[prompt, place], logits[prompt, place]
            draw(reading.logits, reading.crop, size, out=mask)
            paste(reading.logits, reading.crop, size, low_size, out=low)
            if reading.bounds is not None:
                keep_within(mask, reading.bounds, size, OUTSIDE_LOGIT if return_logits else False)
                keep_within(low, reading.bounds, size, OUTSIDE_LOGIT)
            scores[prompt, place] = reading.score
    return masks, scores, logits

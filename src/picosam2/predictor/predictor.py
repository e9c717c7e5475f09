"""Segment objects from clicks or boxes: SAM 2's interface on the crop-prompted network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from picosam2.errors import InputError
from picosam2.levels import Range
from picosam2.pixels import array_to_rgb, to_rgb
from picosam2.predictor.asking import Asking, Step
from picosam2.predictor.config import PredictorConfig
from picosam2.predictor.drawing import Answer, check_bytes, draw, draw_rle
from picosam2.predictor.prompts import Prompt, read_prompts
from picosam2.predictor.readings import Reading
from picosam2.predictor.scores import ScoreModel, read_models
from picosam2.predictor.sharing import ONE_BLAS_THREAD, ThreadState
from picosam2.runtime import Corrector, Runtime
from picosam2.runtime.engines import open_runtime
from picosam2.runtime.lazy import LazyCorrector
from picosam2.weights import CORRECTING_MODEL, DEFAULT_MODEL

# Prompts that ``predict_rle`` answers at once.
RLE_BATCH = 16

Image8 = NDArray[np.uint8]


class Predictor:
    """Segments objects in one image after another.

    Threads may share it: each has an image of its own. ``clone``, ``copy.deepcopy`` and ``pickle``
    give further predictors, without an image.

    Args:
        runtime: the network on an engine.
        config: how prompts become crops.
        scores: how the IoU of a mask is predicted after a ``click`` and after a ``box``; None for
            what came with the weights (their sidecar), else the network's own predicted IoU.
        corrector: answers what comes after the first look: further clicks, and masks to correct;
            None where these are refused.
    """

    def __init__(
        self,
        runtime: Runtime,
        config: PredictorConfig | None = None,
        scores: Mapping[str, ScoreModel] | None = None,
        corrector: Corrector | None = None,
    ) -> None:
        self.runtime = runtime
        self.corrector = corrector
        self.config = config or PredictorConfig()
        self.scores = scores or read_models(runtime.scores)
        self._of_thread = ThreadState()

    @classmethod
    def from_pretrained(
        cls,
        weights: str | Path = DEFAULT_MODEL,
        *,
        engine: str | None = None,
        threads: int = 0,
        correcting: str | Path = CORRECTING_MODEL,
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
            correcting: the same of the network that answers what comes after the first look; it is
                opened when it is first needed.

        Raises:
            InputError: the file is missing or broken, or the engine is not installed or does not
                run it.
        """
        runtime = open_runtime(weights, engine, threads)
        return cls(runtime, corrector=LazyCorrector(correcting, engine, threads))

    def clone(self) -> Predictor:
        """Another predictor with the same network, which is in memory once; without an image."""
        return Predictor(self.runtime, self.config, self.scores, self.corrector)

    def __reduce__(self) -> tuple[Any, ...]:
        return Predictor, (self.runtime, self.config, self.scores, self.corrector)

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
        self._of_thread.steps = {}

    def set_image_batch(self, image_list: Sequence[NDArray[Any] | Image.Image]) -> None:
        """Choose the images that ``predict_batch`` is about.

        Args:
            image_list: each as ``set_image`` takes it.

        Raises:
            ValueError: an array has another shape or type, or there is none.
        """
        if not len(image_list):
            raise InputError("image_list is empty: give at least one image")
        if isinstance(image_list, np.ndarray) and image_list.ndim < 4:
            raise InputError("image_list must be a list of images: for one call set_image")
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
        """Segment the object that clicks, a box or a mask are about, or B of them.

        The first click on the object, or the box, is answered by the first look; each further click
        corrects the mask before it, in order. Clicks are obeyed: positive ones are inside the mask,
        negative ones are not. A call that repeats the clicks of the one before it and adds to them
        computes what is new.

        Args:
            point_coords: N×2, or B×N×2: x and y of clicks in pixels, 0 ≤ x < W and 0 ≤ y < H.
            point_labels: N, or B×N: 1 (on the object), 0 (not on it) or -1 (no point, where objects
                have different numbers of clicks); None means 1.
            box: 4, or B×4: x0, y0, x1, y1 in pixels, x1 and y1 the far edges.
                What lies outside the image is cut off.
            mask_input: a mask to correct: 1×256×256 or B×1×256×256 logits of the whole image, as
                this method gives them; or H×W or B×H×W bool (or uint8 of 0 and 1, or 0 and 255), of
                which only what the clicks concern changes. Without clicks either is answered anew
                as a whole; with a box, what lies outside it goes. One mask counts for all prompts.
            multimask_output: give up to three different readings of a prompt instead of one.
            return_logits: give logits instead of masks.
            normalize_coords: False where coordinates are shares of the image, 0..1.

        Returns:
            Masks C×H×W bool (or logits float32); scores C float32, the predicted IoU over the whole
            image in 0..1, 0 of a mask without a pixel; logits C×256×256 float32 of the whole image.
            For B > 1 each has B in front. C is 3 with ``multimask_output``, else 1; the first mask
            is the same. Where fewer readings differ, the last is repeated.

        Raises:
            ValueError: a wrong shape; a prompt outside the image, empty or not finite; negative
                clicks alone; or masks of more than 256 MB (``predict_rle`` gives them one by one).
            RuntimeError: no image was set in this thread.
        """
        image = self._image()
        prompts = read_prompts(
            point_coords, point_labels, box, mask_input, normalize_coords, image.shape[:2]
        )
        count = 3 if multimask_output else 1
        check_bytes(len(prompts) * count, image.shape[:2], return_logits)
        with ONE_BLAS_THREAD:
            readings = self._answer(image, prompts, count)
            answer = draw(readings, image.shape[:2], count, return_logits)
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
            mask_input_batch: the same of ``mask_input``.
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
        given = (nothing if values is None else values for values in lists.values())
        rows = zip(*given, strict=True)
        answers, passes, single, steps = [], 0, state.image, state.steps
        try:
            for image, (points, labels, box, mask) in zip(state.images, rows, strict=True):
                state.image, state.steps = image, {}
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
            state.image, state.steps = single, steps
        state.forward_passes = passes
        masks, scores, logits = zip(*answers, strict=True)
        return list(masks), list(scores), list(logits)

    def predict_rle(
        self,
        point_coords: ArrayLike | None = None,
        point_labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        mask_input: ArrayLike | None = None,
        normalize_coords: bool = True,
    ) -> Iterator[tuple[dict[str, Any], float]]:
        """The best mask of each of any number of prompts, as COCO RLE, one by one.

        What is yielded is about the image of this call, whatever is set while it is iterated.

        Args:
            point_coords: as ``predict`` has it.
            point_labels: as ``predict`` has it.
            box: as ``predict`` has it; an array of 0×4, of a detector that found nothing, yields
                nothing.
            mask_input: as ``predict`` has it.
            normalize_coords: as ``predict`` has it.

        Yields:
            COCO's compressed RLE (``size`` and ``counts``) and the predicted IoU in 0..1.

        Raises:
            ValueError: as ``predict``.
            RuntimeError: no image was set in this thread.
        """
        image = self._image()
        size = image.shape[:2]
        no_box = tuple(getattr(box, "shape", ())) == (0, 4)
        if no_box and point_coords is None and mask_input is None:
            return iter(())
        prompts = read_prompts(point_coords, point_labels, box, mask_input, normalize_coords, size)
        return self._rles(image, self._of_thread.steps, prompts)

    def _rles(
        self, image: Image8, steps: Mapping[Step, Reading], prompts: Sequence[Prompt]
    ) -> Iterator[tuple[dict[str, Any], float]]:
        for start in range(0, len(prompts), RLE_BATCH):
            with ONE_BLAS_THREAD:
                asking = self._asking(image, steps)
                found = asking.answer(prompts[start : start + RLE_BATCH], 1)
            steps = asking.taken
            self._of_thread.forward_passes = asking.forward_passes
            # Another image may have been set since.
            if self._of_thread.image is image:
                self._of_thread.steps = asking.taken
            for best, *_ in found:
                with ONE_BLAS_THREAD:
                    rle, area = draw_rle(best, image.shape[:2])
                yield rle, best.score if area else 0.0

    def _image(self) -> Image8:
        image = self._of_thread.image
        if image is None:
            raise RuntimeError("call set_image before predict, in the same thread")
        return image

    def _answer(self, image: Image8, prompts: Sequence[Prompt], count: int) -> list[list[Reading]]:
        """For each prompt its readings, the best first."""
        state = self._of_thread
        asking = self._asking(image, state.steps)
        readings = asking.answer(prompts, count)
        state.steps, state.forward_passes = asking.taken, asking.forward_passes
        return readings

    def _asking(self, image: Image8, steps: Mapping[Step, Reading]) -> Asking:
        return Asking(self.runtime, self.corrector, self.config, self.scores, image, steps)


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

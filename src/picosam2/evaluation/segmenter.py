"""What is measured: anything that answers a click or a box with a mask."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from picosam2.automatic import AutomaticMaskGenerator
from picosam2.data.rle import rle_from_json
from picosam2.data.schema import Rle
from picosam2.graph import Graph
from picosam2.predictor import Predictor
from picosam2.prompt import CROP_SIZE
from picosam2.runtime import Runtime
from picosam2.runtime.onnx import OnnxRuntime

Mask = NDArray[np.bool_]
# x, y in pixels, and whether it is on the object.
Click = tuple[float, float, bool]

# Of the protocols ``everything``: SAM's grid and suppression, for all alike.
POINTS_PER_SIDE = 32
BOX_NMS_THRESHOLD = 0.7


@dataclass(frozen=True)
class Found:
    """A mask that was found without a prompt.

    Args:
        rle: of the photograph.
        score: predicted IoU in 0..1.
    """

    rle: Rle
    score: float


class Segmenter(Protocol):
    """Answers prompts about one photograph after another."""

    @property
    def description(self) -> dict[str, Any]:
        """Which one it is and what decides about its answers, JSON-ready."""

    @property
    def network(self) -> Runtime | None:
        """What answers the protocols' own crops; None where there is no such network."""

    @property
    def finds_everything(self) -> bool:
        """Whether it is made to be asked without a prompt."""

    @property
    def corrects(self) -> bool:
        """Whether it is ``Interactive``."""

    @property
    def image_graphs(self) -> list[Graph]:
        """What runs once a photograph; none where it is no ONNX model."""

    @property
    def prompt_graphs(self) -> list[Graph]:
        """What runs for every prompt (of our network: for every crop)."""

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Choose the photograph, H×W×3 uint8 RGB."""

    def click(self, x: float, y: float) -> tuple[Mask, float]:
        """The mask (H×W) of the object at a point, and its predicted IoU in 0..1."""

    def box(self, corners: tuple[float, float, float, float]) -> tuple[Mask, float]:
        """The mask (H×W) of the object in a box (xyxy in pixels), and its predicted IoU."""

    def everything(self) -> list[Found]:
        """What is found without a prompt, best first."""


class Interactive(Protocol):
    """A segmenter that takes what comes after the first click."""

    def clicks(self, clicks: Sequence[Click]) -> tuple[Mask, float]:
        """The mask (H×W) after all clicks, and its predicted IoU; they begin with the last call's.

        Args:
            clicks: the first one on the object.
        """

    def correct(self, mask: Mask, clicks: Sequence[Click]) -> tuple[Mask, float]:
        """A mask corrected by clicks, and its predicted IoU.

        Args:
            mask: H×W bool: at first a given one, then what the last call gave.
            clicks: all that were given so far.
        """


def as_prompt(clicks: Sequence[Click]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points N×2 and labels N."""
    return np.array([c[:2] for c in clicks]), np.array([c[2] for c in clicks], np.int64)


class PredictorSegmenter:
    """This package's predictor.

    Args:
        predictor: with the weights to measure.
    """

    finds_everything = True

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self._image = np.empty((0, 0, 3), np.uint8)
        self._found: list[Found] | None = None

    @property
    def description(self) -> dict[str, Any]:
        """Digests of the weights, and how prompts become crops."""
        corrector = self.predictor.corrector
        correcting = {} if corrector is None else {"correcting_sha256": corrector.digest}
        return {
            "name": "PicoSAM2",
            "weights_sha256": self.predictor.runtime.digest,
            **correcting,
            "predictor": dataclasses.asdict(self.predictor.config),
            "scores": {k: dataclasses.asdict(v) for k, v in self.predictor.scores.items()},
        }

    @property
    def network(self) -> Runtime:
        """The network itself."""
        return self.predictor.runtime

    @property
    def corrects(self) -> bool:
        """Whether it has a correcting network."""
        return self.predictor.corrector is not None

    @property
    def image_graphs(self) -> list[Graph]:
        """None: a photograph is not embedded."""
        return []

    @property
    def prompt_graphs(self) -> list[Graph]:
        """The network on one crop."""
        runtime = self.predictor.runtime
        if not isinstance(runtime, OnnxRuntime):
            return []
        return [Graph(runtime.path, {"image": (1, 3, CROP_SIZE, CROP_SIZE)})]

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """See ``Segmenter``."""
        self.predictor.set_image(image)
        self._image, self._found = image, None

    def click(self, x: float, y: float) -> tuple[Mask, float]:
        """See ``Segmenter``."""
        return self._predict([[x, y]], [1])

    def box(self, corners: tuple[float, float, float, float]) -> tuple[Mask, float]:
        """See ``Segmenter``."""
        return self._predict(box=corners)

    def clicks(self, clicks: Sequence[Click]) -> tuple[Mask, float]:
        """See ``Interactive``."""
        return self._predict(*as_prompt(clicks))

    def correct(self, mask: Mask, clicks: Sequence[Click]) -> tuple[Mask, float]:
        """See ``Interactive``."""
        return self._predict(*as_prompt(clicks), mask=mask)

    def _predict(
        self,
        points: Any = None,
        labels: Any = None,
        box: Any = None,
        mask: Mask | None = None,
    ) -> tuple[Mask, float]:
        masks, scores, _ = self.predictor.predict(
            points, labels, box=box, mask_input=mask, multimask_output=False
        )
        return masks[0].astype(bool, copy=False), float(scores[0])

    def everything(self) -> list[Found]:
        """See ``Segmenter``."""
        if self._found is None:
            generator = AutomaticMaskGenerator(
                self.predictor,
                POINTS_PER_SIDE,
                pred_iou_thresh=0.0,
                stability_score_thresh=0.0,
                box_nms_thresh=BOX_NMS_THRESHOLD,
                output_mode="coco_rle",
            )
            self._found = [
                Found(rle_from_json(record["segmentation"]), record["predicted_iou"])
                for record in generator.generate(self._image)
            ]
        return self._found

"""CVAT's auto-annotation (``cvat-sdk``): a mask around every object of a frame.

``cvat-cli task auto-annotate TASK --function-module picosam2.integrations.cvat_everything``
"""

from __future__ import annotations

from collections.abc import Sequence

import cvat_sdk.auto_annotation as cvataa
from cvat_sdk.masks import encode_mask
from PIL import Image

from picosam2.automatic import AutomaticMaskGenerator
from picosam2.predictor import Predictor
from picosam2.weights import DEFAULT_MODEL

LABEL = 1


class Everything:
    """CVAT's detection function: what ``AutomaticMaskGenerator`` finds, best first.

    Args:
        predictor: with trained weights.
        label: the name of all objects, which the task must have: the network knows no kinds.
    """

    def __init__(self, predictor: Predictor, label: str = "object") -> None:
        self._generator = AutomaticMaskGenerator(predictor)
        self.spec = cvataa.DetectionFunctionSpec(
            labels=[cvataa.label_spec(label, LABEL, type="mask")]
        )

    def detect(
        self, _: cvataa.DetectionFunctionContext, image: Image.Image
    ) -> Sequence[cvataa.DetectionAnnotation]:
        """The objects of a frame.

        Args:
            image: of any mode.
        """
        return [
            cvataa.mask(LABEL, encode_mask(found["segmentation"]))
            for found in self._generator.generate(image)
        ]


def create(
    weights: str = DEFAULT_MODEL, label: str = "object", threads: int = 0
) -> cvataa.DetectionFunction:
    """The function, as ``cvat-cli -p weights=str:small`` opens it.

    Args:
        weights: as ``Predictor.from_pretrained`` takes them.
        label: the name of all objects.
        threads: of the CPU; 0 for all cores.
    """
    return Everything(Predictor.from_pretrained(weights, threads=threads), label)

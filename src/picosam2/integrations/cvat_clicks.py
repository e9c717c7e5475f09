"""CVAT's interaction (``cvat-sdk``): a mask from clicks and a box, on an agent of one's own.

``cvat-cli function create-native NAME --function-module picosam2.integrations.cvat_clicks``
"""

from __future__ import annotations

import cvat_sdk.auto_annotation as cvataa
import numpy as np
from cvat_sdk import models
from cvat_sdk.masks import encode_mask
from numpy.typing import NDArray
from PIL import Image

from picosam2.integrations.cvat_prompts import predictor_arguments
from picosam2.pixels import to_rgb
from picosam2.predictor import Predictor
from picosam2.weights import DEFAULT_MODEL

CONFIDENCE = cvataa.InteractionResultAttributes.CONFIDENCE


class Clicks:
    """CVAT's interaction function: one object from positive and negative points and a box.

    Args:
        predictor: with trained weights.
    """

    # A box alone is enough; what says nothing about the object's place, the predictor refuses.
    spec = cvataa.InteractionFunctionSpec(min_pos_points=0, min_neg_points=0, min_bounding_boxes=0)

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    def preprocess_image(
        self, _: cvataa.InteractionFunctionContext, image: Image.Image
    ) -> NDArray[np.uint8]:
        """The frame as H×W×3 uint8 RGB: nothing else can be done before a prompt is known."""
        pixels = to_rgb(image)
        # So that the predictor needs no copy of its own.
        pixels.setflags(write=False)
        return pixels

    def detect(
        self,
        _: cvataa.InteractionFunctionContext,
        pp_image: NDArray[np.uint8],
        prompts: cvataa.InteractionPrompts,
    ) -> list[cvataa.InteractionResultShape]:
        """The mask, with its predicted IoU as the confidence; nothing where it is empty.

        Raises:
            InputError: a prompt is outside the frame, or none says where the object is.
        """
        asked = predictor_arguments(prompts.pos_points, prompts.neg_points, prompts.bounding_box)
        self._predictor.set_image(pp_image)
        masks, scores, _ = self._predictor.predict(**asked)
        if not masks[0].any():
            return []
        confidence = models.AttributeValRequest(
            spec_id=int(CONFIDENCE), value=f"{float(scores[0]):.4f}"
        )
        return [
            cvataa.InteractionResultShape(
                type="mask", points=encode_mask(masks[0]), attributes=[confidence]
            )
        ]


def create(
    weights: str = DEFAULT_MODEL, threads: int = 0
) -> cvataa.InteractionFunction[NDArray[np.uint8]]:
    """The function, as ``cvat-cli -p weights=str:small`` opens it.

    Args:
        weights: as ``Predictor.from_pretrained`` takes them.
        threads: of the CPU; 0 for all cores.
    """
    return Clicks(Predictor.from_pretrained(weights, threads=threads))

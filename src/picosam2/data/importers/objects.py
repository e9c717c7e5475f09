"""Annotations of objects that are known by their mask alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from picosam2.data.rle import encode_mask, rle_bbox
from picosam2.data.schema import Annotation

# Ids of annotations are the image's id and the number of the object in it.
OBJECTS_AN_IMAGE = 100_000


def mask_annotation(
    image_id: int,
    number: int,
    mask: NDArray[np.bool_],
    category_id: int | None = None,
    category: str | None = None,
) -> Annotation:
    """An object that a person drew.

    Args:
        image_id: of the photograph.
        number: of the object in the photograph.
        mask: H×W, with at least one pixel.
        category_id: number of its class.
        category: name of its class.
    """
    rle = encode_mask(mask)
    return Annotation(
        id=image_id * OBJECTS_AN_IMAGE + number,
        bbox=rle_bbox(rle),
        segmentation=rle,
        area=float(mask.sum()),
        source="human",
        category_id=category_id,
        category=category,
    )

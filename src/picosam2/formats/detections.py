"""Masks as Roboflow's ``supervision`` takes them, to draw, track, count and convert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from picosam2.data.rle import check_rle, decode_rle
from picosam2.data.schema import Rle
from picosam2.errors import InputError
from picosam2.masks import mask_extent

if TYPE_CHECKING:
    from supervision import Detections


def to_supervision(
    masks: NDArray[np.bool_] | Iterable[Any], scores: ArrayLike | None = None
) -> Detections:
    """Masks as ``supervision.Detections``; needs the package ``supervision``.

    Args:
        masks: N×H×W or N×1×H×W bool, as ``Predictor.predict`` gives them; or an iterable of what
            else gives masks: records of ``AutomaticMaskGenerator.generate`` or of
            ``picosam2 segment --format rle``, or pairs (COCO RLE, score) of
            ``Predictor.predict_rle``.
            Of several readings of one prompt give one: ``masks[:1]``.
        scores: N or N×1, the predicted IoU in 0..1, of an array of masks.

    Returns:
        ``xyxy`` N×4 float32 in pixels (x1 and y1 the far edges), ``mask`` N×H×W bool,
        ``confidence`` N float32 (None where an array comes without scores) and, where all records
        have a ``category_id``, ``class_id`` N int. Empty masks are left out.

    Raises:
        InputError: a wrong shape, scores of another number, masks of several sizes, or something
            that is no record.
        ModuleNotFoundError: ``supervision`` is not installed.
    """
    from supervision import Detections

    classes: NDArray[np.int64] | None = None
    if isinstance(masks, np.ndarray):
        stack = _stack(masks)
        confidence = None if scores is None else _confidence(scores, len(stack))
    elif scores is not None:
        raise InputError("records have scores of their own: give scores with an array of masks")
    else:
        records = [_record(item) for item in masks]
        if not records:
            return Detections.empty()
        if len({mask.shape for mask, _, _ in records}) > 1:
            raise InputError("the masks are of several sizes: give those of one photograph")
        stack = np.stack([mask for mask, _, _ in records])
        confidence = np.array([score for _, score, _ in records], np.float32)
        kinds = [kind for _, _, kind in records if kind is not None]
        classes = np.array(kinds) if len(kinds) == len(records) else None
    kept = stack.any(axis=(1, 2))
    if not kept.any():
        return Detections.empty()
    stack = stack[kept]
    return Detections(
        xyxy=np.array([mask_extent(mask) for mask in stack], np.float32),
        mask=stack,
        confidence=None if confidence is None else confidence[kept],
        class_id=None if classes is None else classes[kept],
    )


def _stack(masks: NDArray[Any]) -> NDArray[np.bool_]:
    if masks.ndim == 4 and masks.shape[1] == 1:
        masks = masks[:, 0]
    if masks.ndim != 3 or masks.dtype != bool:
        shape = "×".join(map(str, masks.shape))
        raise InputError(f"masks must be N×H×W bool, one an object, not {shape} {masks.dtype}")
    return masks


def _confidence(scores: ArrayLike, count: int) -> NDArray[np.float32]:
    confidence = np.asarray(scores, np.float32)
    if confidence.shape not in ((count,), (count, 1)):
        raise InputError(f"scores must be one for each of {count} masks")
    return confidence.reshape(count)


def _record(item: Any) -> tuple[NDArray[np.bool_], float, int | None]:
    """The mask, score and category of a record, or of a pair."""
    if isinstance(item, Mapping):
        category = item.get("category_id")
        item = item.get("segmentation"), item.get("predicted_iou", item.get("score"))
    else:
        category = None
    try:
        segmentation, score = item
        if isinstance(segmentation, np.ndarray):
            return segmentation.astype(bool, copy=False), float(score), category
        height, width = segmentation["size"]
        rle = Rle((height, width), segmentation["counts"])
        check_rle(rle, height, width)
        return decode_rle(rle), float(score), category
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"not a record with a mask and a score: {error}") from None

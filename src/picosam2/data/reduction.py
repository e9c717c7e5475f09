"""Smaller records: sizes, boxes, points and masks scaled as the photograph is."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from picosam2.data.rle import decode_rle, encode_mask
from picosam2.data.schema import Annotation, Record, Rle, SoftTarget, TeacherMask

Scale = tuple[float, float]
Box = tuple[float, float, float, float]


def reduced_size(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """Width and height with the longest side at most ``max_side`` pixels, and the same shape."""
    if max_side is None or max(width, height) <= max_side:
        return width, height
    scale = max_side / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def reduce_record(record: Record, width: int, height: int) -> Record:
    """The record of the photograph at another size.

    Objects and teacher's answers whose mask has no pixel left are left out. ``original_size`` is
    that before the first reduction.

    Args:
        record: at the present size.
        width: in pixels, to come.
        height: in pixels, to come.
    """
    image = record.image
    scale = (width / image.width, height / image.height)
    info = msgspec.structs.replace(
        image,
        width=width,
        height=height,
        original_size=image.original_size or (image.width, image.height),
    )
    annotations = (_reduce_annotation(a, scale, (height, width)) for a in record.annotations)
    return Record(info, [a for a in annotations if a is not None])


def reduce_mask(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    """A smaller mask: object where it covers half of the pixel's area or more.

    Args:
        mask: H×W.
        height: of the result.
        width: of the result.

    Returns:
        height×width.
    """
    reduced = np.zeros((height, width), bool)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return reduced
    # Only where the object is: most objects are much smaller than their photograph.
    top, bottom, row_edges = _pixels_over(rows, height, mask.shape[0])
    left, right, column_edges = _pixels_over(columns, width, mask.shape[1])
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    sums = _sums_between(_sums_between(part, row_edges).T, column_edges).T
    pixel = (mask.shape[0] / height) * (mask.shape[1] / width)
    # Rounding errors must not decide where exactly half is covered.
    reduced[top:bottom, left:right] = sums >= pixel * (0.5 - 1e-9)
    return reduced


def _pixels_over(
    place: NDArray[np.int64], length: int, full: int
) -> tuple[int, int, NDArray[np.float64]]:
    """First and last (exclusive) small pixel over the object, and their edges within its extent."""
    first, last = int(place[0]), int(place[-1]) + 1
    start, stop = first * length // full, -(-last * length // full)
    edges = np.arange(start, stop + 1) * (full / length) - first
    return start, stop, edges.clip(0, last - first)


def _sums_between(values: NDArray[np.generic], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums along the first axis between neighbours of ``edges``, which may cut through pixels."""
    total = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, dtype=float, out=total[1:])
    below = np.minimum(edges.astype(int), len(values) - 1)
    at_edges = total[below] + (edges - below)[:, None] * (total[below + 1] - total[below])
    return np.diff(at_edges, axis=0)


def _reduce_annotation(
    annotation: Annotation, scale: Scale, size: tuple[int, int]
) -> Annotation | None:
    mask = annotation.segmentation and _reduce_rle(annotation.segmentation, size)
    if mask is None and annotation.segmentation is not None:
        return None
    answers = (_reduce_answer(answer, scale, size) for answer in annotation.teacher)
    return msgspec.structs.replace(
        annotation,
        bbox=_scale_box(annotation.bbox, scale),
        segmentation=mask,
        area=annotation.area * scale[0] * scale[1],
        point_coords=_scale_points(annotation.point_coords, scale),
        teacher=[answer for answer in answers if answer is not None],
        soft=annotation.soft and _scale_soft(annotation.soft, scale),
    )


def _reduce_answer(answer: TeacherMask, scale: Scale, size: tuple[int, int]) -> TeacherMask | None:
    mask = _reduce_rle(answer.segmentation, size)
    if mask is None:
        return None
    return msgspec.structs.replace(
        answer,
        segmentation=mask,
        point_coords=_scale_points(answer.point_coords, scale),
        box=answer.box and _scale_box(answer.box, scale),
    )


def _reduce_rle(rle: Rle, size: tuple[int, int]) -> Rle | None:
    mask = reduce_mask(decode_rle(rle), *size)
    return encode_mask(mask) if mask.any() else None


def _scale_box(box: Box, scale: Scale) -> Box:
    """Of x, y, width, height as of x0, y0, x1, y1."""
    return box[0] * scale[0], box[1] * scale[1], box[2] * scale[0], box[3] * scale[1]


def _scale_points(
    points: list[tuple[float, float]] | None, scale: Scale
) -> list[tuple[float, float]] | None:
    return points and [(x * scale[0], y * scale[1]) for x, y in points]


def _scale_soft(soft: SoftTarget, scale: Scale) -> SoftTarget:
    """Tiles are squares: the side follows the mean of the two scales, which differ by rounding."""
    x, y, side = soft.square
    square = (x * scale[0], y * scale[1], side * (scale[0] + scale[1]) / 2)
    return msgspec.structs.replace(soft, square=square)

"""SAM 2's prompt arguments, of one prompt or of B, as prompts that the predictor answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from picosam2.errors import InputError


@dataclass(frozen=True)
class Click:
    """One click on the object.

    Args:
        x: column in the image's pixels, continuous.
        y: row.
    """

    x: float
    y: float


@dataclass(frozen=True)
class Box:
    """A box around the object.

    Args:
        corners: x0, y0, x1, y1 in the image's pixels, x1 and y1 the far edges; inside the image.
    """

    corners: tuple[float, float, float, float]


Prompt = Click | Box


def read_prompts(
    point_coords: ArrayLike | None,
    point_labels: ArrayLike | None,
    box: ArrayLike | None,
    mask_input: ArrayLike | None,
    normalize_coords: bool,
    size: tuple[int, int],
) -> list[Prompt]:
    """The prompts of one call, in SAM 2's shapes.

    Args:
        point_coords: 1×2, or B×1×2: x and y of one click each.
        point_labels: 1, or B×1: 1; None means 1.
        box: 4, or B×4: x0, y0, x1, y1.
        mask_input: not supported yet.
        normalize_coords: whether coordinates are pixels; else they are shares of the image, 0..1.
        size: H, W of the image in pixels.

    Returns:
        B prompts; one where there is no B.

    Raises:
        InputError: a wrong shape, a prompt outside the image, empty, not finite, or of a kind that
            is not supported yet.
    """
    if mask_input is not None:
        raise InputError("mask_input is not supported yet: give one point or one box")
    height, width = size
    scale = np.array([1.0, 1.0] if normalize_coords else [width, height])
    points = None if point_coords is None else _numbers(point_coords, "point_coords")
    # SAM 2's callers give empty arrays beside a box.
    if points is not None and not points.size and box is not None:
        points = None
    if points is None and box is None:
        raise InputError("give a prompt: one point or one box")
    if points is not None and box is not None:
        raise InputError("a point together with a box is not supported yet: give one of them")
    if points is None:
        assert box is not None
        corners = _boxes(box) * np.tile(scale, 2)
        return [Box(check_box(row, width, height)) for row in corners.tolist()]
    points = _points(points, point_labels) * scale
    return [Click(*check_point(x, y, width, height)) for x, y in points.tolist()]


def _points(points: NDArray[np.float64], point_labels: ArrayLike | None) -> NDArray[np.float64]:
    """B×2: the one click of each prompt."""
    if points.ndim not in (2, 3) or points.shape[-1] != 2 or not points.size:
        raise InputError(
            f"point_coords must have the shape 1×2, [[x, y]], or B×1×2, not {_shape(points)}"
        )
    labels = _numbers(
        np.ones(points.shape[:-1]) if point_labels is None else point_labels, "point_labels"
    )
    if labels.shape != points.shape[:-1]:
        raise InputError(
            f"point_labels must be one label for each point, {_shape(points[..., 0])}, "
            f"not {_shape(labels)}"
        )
    if not np.isin(labels, (0, 1)).all():
        wrong = labels[~np.isin(labels, (0, 1))][0]
        raise InputError(f"point_labels must be 1 (on the object) or 0 (not on it), not {wrong:g}")
    if points.shape[-2] > 1:
        count = points.shape[-2]
        raise InputError(f"{count} points are given: several points are not supported yet")
    if not labels.all():
        raise InputError("a negative click is not supported yet: give one point with label 1")
    return points.reshape(-1, 2)


def _boxes(box: ArrayLike) -> NDArray[np.float64]:
    """B×4."""
    boxes = _numbers(box, "box")
    if boxes.ndim not in (1, 2) or boxes.shape[-1:] != (4,) or not boxes.size:
        raise InputError(f"box must be four numbers, x0, y0, x1, y1, or B×4, not {_shape(boxes)}")
    return boxes.reshape(-1, 4)


def _numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{what} must be numbers, not {values!r}") from None
    if not np.isfinite(array).all():
        raise InputError(f"{what} must be finite numbers, not {array.tolist()}")
    return array


def _shape(array: NDArray[np.float64]) -> str:
    return "×".join(map(str, array.shape)) or "a single number"


def check_point(x: float, y: float, width: int, height: int) -> tuple[float, float]:
    """A click that lies in an image of that size in pixels.

    Raises:
        InputError: it does not.
    """
    if not (0 <= x < width and 0 <= y < height):
        raise InputError(
            f"the point ({x:g}, {y:g}) is outside the image of {width}×{height} pixels"
        )
    return x, y


def check_box(
    corners: tuple[float, ...] | list[float], width: int, height: int
) -> tuple[float, float, float, float]:
    """The x0, y0, x1, y1 of a box, cut to the image's size in pixels.

    Raises:
        InputError: it is empty, or outside the image.
    """
    x0, y0, x1, y1 = corners
    if x1 <= x0 or y1 <= y0:
        raise InputError(
            f"the box {x0:g},{y0:g},{x1:g},{y1:g} is empty: x0 < x1 and y0 < y1 are needed"
        )
    if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
        raise InputError(f"the box is outside the image of {width}×{height} pixels")
    return max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1)

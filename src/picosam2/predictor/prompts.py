"""SAM 2's prompt arguments, of one prompt or of B, as prompts that the predictor answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from picosam2.errors import InputError

# Side of the logits that SAM 2 gives and takes, whatever the image's size.
LOW_RESOLUTION = 256


@dataclass(frozen=True)
class Click:
    """One click.

    Args:
        x: column in the image's pixels, continuous.
        y: row.
        positive: whether it is on the object; else it says what is not part of it.
    """

    x: float
    y: float
    positive: bool = True


@dataclass(frozen=True)
class Box:
    """A box around the object.

    Args:
        corners: x0, y0, x1, y1 in the image's pixels, x1 and y1 the far edges; inside the image.
    """

    corners: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class GivenMask:
    """A mask to correct.

    Args:
        picture: h×w float32 logits of the whole image, above 0 is object; or H×W bool, of which
            what the clicks, if there are any, do not concern stays as it is.
    """

    picture: NDArray[np.float32] | NDArray[np.bool_]

    @property
    def is_final(self) -> bool:
        """Whether its pixels are the image's own."""
        return self.picture.dtype == bool

    @cached_property
    def is_empty(self) -> bool:
        """Whether no pixel is object."""
        return not self.picture.max() > 0


First = Click | Box | GivenMask


@dataclass(frozen=True)
class Prompt:
    """What is said about one object.

    Args:
        first: answered by the first look; a mask is taken as it is.
        clicks: what is said after that, in order.
        within: x0, y0, x1, y1 of the box that was given, in the image's pixels; None for none.
    """

    first: First
    clicks: tuple[Click, ...] = ()
    within: tuple[float, float, float, float] | None = None

    @property
    def needs_correction(self) -> bool:
        """Whether the first look alone does not answer it."""
        return bool(self.clicks) or isinstance(self.first, GivenMask)


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
        point_coords: N×2, or B×N×2: x and y of the clicks on or beside one object each.
        point_labels: N, or B×N: 1 (on the object), 0 (not on it) or -1 (no point); None means 1.
        box: 4, or B×4: x0, y0, x1, y1.
        mask_input: 1×256×256 or B×1×256×256 logits, or H×W or B×H×W bool; one for all B, too.
        normalize_coords: whether coordinates are pixels; else they are shares of the image, 0..1.
        size: H, W of the image in pixels.

    Returns:
        B prompts; one where there is no B.

    Raises:
        InputError: a wrong shape, different numbers of prompts, a prompt outside the image, empty
            or not finite, or nothing that says where the object is.
    """
    height, width = size
    scale = np.array([1.0, 1.0] if normalize_coords else [width, height])
    points = None if point_coords is None else _numbers(point_coords, "point_coords")
    # SAM 2's callers give empty arrays beside a box.
    if points is not None and not points.size and (box is not None or mask_input is not None):
        points = None
    if points is None and box is None and mask_input is None:
        raise InputError("give a prompt: points, a box or a mask")
    clicks = [] if points is None else _clicks(points, point_labels, scale, size)
    boxes = [] if box is None else (_boxes(box) * np.tile(scale, 2)).tolist()
    masks = [] if mask_input is None else _masks(mask_input, size)
    if len(masks) == 1:
        masks *= max(1, len(clicks), len(boxes))
    counts = {
        name: len(values)
        for name, values in (("point_coords", clicks), ("box", boxes), ("mask_input", masks))
        if values
    }
    count = max(counts.values())
    if set(counts.values()) != {count}:
        told = ", ".join(f"{number} in {name}" for name, number in counts.items())
        raise InputError(f"as many prompts are needed in each argument, not {told}")
    prompts = []
    for row in range(count):
        further = clicks[row] if clicks else ()
        within = check_box(boxes[row], width, height) if boxes else None
        first: First
        # A mask without a pixel, as a first look may give it, says nothing beside other prompts.
        alone = within is None and not any(click.positive for click in further)
        if masks and (alone or not masks[row].is_empty):
            first = masks[row]
        elif within is not None:
            first = Box(within)
        else:
            first, further = _first_click(further)
        prompts.append(Prompt(first, further, within))
    return prompts


def _first_click(clicks: tuple[Click, ...]) -> tuple[Click, tuple[Click, ...]]:
    """The first click on the object, and the others."""
    if not clicks:
        raise InputError("give a prompt: a point that is one (label 1), a box or a mask")
    for place, click in enumerate(clicks):
        if click.positive:
            return click, clicks[:place] + clicks[place + 1 :]
    raise InputError("negative clicks alone do not say where the object is: give one with label 1")


def _clicks(
    points: NDArray[np.float64],
    point_labels: ArrayLike | None,
    scale: NDArray[np.float64],
    size: tuple[int, int],
) -> list[tuple[Click, ...]]:
    """The clicks of each of B prompts, without SAM's padding points."""
    if points.ndim not in (2, 3) or points.shape[-1] != 2 or not points.size:
        raise InputError(
            f"point_coords must have the shape N×2, [[x, y], ...], or B×N×2, not {_shape(points)}"
        )
    labels = _numbers(
        np.ones(points.shape[:-1]) if point_labels is None else point_labels, "point_labels"
    )
    if labels.shape != points.shape[:-1]:
        raise InputError(
            f"point_labels must be one label for each point, {_shape(points[..., 0])}, "
            f"not {_shape(labels)}"
        )
    known = np.isin(labels, (-1, 0, 1))
    if not known.all():
        raise InputError(
            "point_labels must be 1 (on the object), 0 (not on it) or -1 (no point), "
            f"not {labels[~known][0]:g}"
        )
    count = points.shape[-2]
    rows = (points * scale).reshape(-1, count, 2).tolist()
    height, width = size
    return [
        tuple(
            Click(*check_point(x, y, width, height), bool(label))
            for (x, y), label in zip(row, own, strict=True)
            if label >= 0
        )
        for row, own in zip(rows, labels.reshape(-1, count).tolist(), strict=True)
    ]


def _masks(mask_input: ArrayLike, size: tuple[int, int]) -> list[GivenMask]:
    array = np.asarray(mask_input)
    if array.dtype == np.uint8 and array.shape[-2:] == size:
        array = _as_bool(array)
    if array.dtype == bool:
        if array.shape[-2:] != size or array.ndim not in (2, 3):
            raise InputError(
                f"a mask_input of bool must have the image's shape, {size[0]}×{size[1]}, "
                f"not {_shape(array)}"
            )
        return [GivenMask(mask) for mask in array.reshape(-1, *size)]
    logits = _numbers(mask_input, "mask_input").astype(np.float32)
    side = LOW_RESOLUTION
    if logits.ndim not in (3, 4) or logits.shape[-3:] != (1, side, side):
        raise InputError(
            f"mask_input must be 1×{side}×{side} logits, as predict gives them, "
            f"B×1×{side}×{side}, or bool of the image's shape, {size[0]}×{size[1]}, "
            f"not {_shape(logits)} of {array.dtype}"
        )
    return [GivenMask(mask) for mask in logits.reshape(-1, side, side)]


def _as_bool(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """A mask of 0 and 1, or of 0 and 255."""
    highest = mask.max(initial=0)
    if highest not in (0, 1, 255) or not np.isin(mask, (0, highest)).all():
        raise InputError("a mask_input of uint8 must be of 0 and 1, or of 0 and 255")
    return mask > 0


def _boxes(box: ArrayLike) -> NDArray[np.float64]:
    """B×4."""
    boxes = _numbers(box, "box")
    if boxes.ndim not in (1, 2) or boxes.shape[-1:] != (4,) or not boxes.size:
        raise InputError(f"box must be four numbers, x0, y0, x1, y1, or B×4, not {_shape(boxes)}")
    return boxes.reshape(-1, 4)


def _numbers(values: ArrayLike, what: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{what} must be numbers, not {values!r:.60}") from None
    finite = np.isfinite(array)
    if not finite.all():
        raise InputError(f"{what} must be finite numbers, not {array[~finite][0]:g}")
    return array


def _shape(array: NDArray[Any]) -> str:
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

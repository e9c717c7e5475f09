"""What a form asks about its photograph."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

import msgspec

from picosam2.segmenting.box_file import GivenBox
from picosam2.segmenting.prompts import Prompts
from picosam2.serving.refusals import Refused
from picosam2.serving.uploads import Form

T = TypeVar("T")

# Each click after the first is a look of its own.
MOST_POINTS = 256
MOST_BOXES = 1000

Pair = tuple[float, float]
Corners = tuple[float, float, float, float]
PROMPTS = ("points", "labels", "box", "boxes")
# Options of AutomaticMaskGenerator, with the range that is allowed here.
EVERYTHING: dict[str, tuple[type, float, float]] = {
    "points_per_side": (int, 1, 64),
    "pred_iou_thresh": (float, 0, 1),
    "stability_score_thresh": (float, 0, 1),
    "box_nms_thresh": (float, 0, 1),
    "crop_n_layers": (int, 0, 2),
    "min_mask_region_area": (int, 0, 10**9),
}


def check_names(form: Form, texts: Collection[str], files: Collection[str]) -> None:
    """Refuse a field that is not known: it would be passed over in silence.

    Raises:
        Refused: 422.
    """
    for name in form.texts.keys() - set(texts):
        kind = "is a file: send it as one" if name in files else "is not known here"
        raise Refused(422, f"the field {name} {kind}; fields are {', '.join(texts)}")
    for name in form.files.keys() - set(files):
        raise Refused(422, f"there is no file {name} here; files are {', '.join(files)}")


def read_prompts(form: Form) -> Prompts:
    """Points, labels, box or boxes of a form; its mask is not decoded yet.

    Args:
        form: each field's text is JSON.

    Raises:
        Refused: 422, a field is not what it should be, or the fields do not fit each other.
    """
    has_mask = "mask" in form.files
    points: list[Pair] = _read(form, "points", list[Pair], [])
    labels: list[int] = _read(form, "labels", list[int], [1] * len(points))
    boxes: list[Corners] = _read(form, "boxes", list[Corners], [])
    if "box" in form.texts:
        if boxes:
            raise Refused(422, "give box or boxes, not both")
        boxes = [_read(form, "box", Corners, (0.0, 0.0, 0.0, 0.0))]
    if not points and not boxes and not has_mask:
        raise Refused(422, "give a prompt: points, a box, boxes or a mask")
    if len(points) > MOST_POINTS or len(boxes) > MOST_BOXES:
        raise Refused(422, f"give at most {MOST_POINTS} points and {MOST_BOXES} boxes")
    if (points or has_mask) and len(boxes) > 1:
        raise Refused(422, "clicks and masks are about one object: give one box with them")
    if len(labels) != len(points):
        raise Refused(422, f"give as many labels as points: {len(points)}, not {len(labels)}")
    return Prompts(points, labels, None, [GivenBox(box) for box in boxes])


def is_about_one(form: Form) -> bool:
    """Whether the answer is a record alone and not a list, which ``boxes`` have, if only one."""
    return "boxes" not in form.texts


def read_options(form: Form) -> dict[str, Any]:
    """The options of ``AutomaticMaskGenerator`` in a form.

    Raises:
        Refused: 422, one is no number, or out of its range.
    """
    options = {}
    for name, (kind, low, high) in EVERYTHING.items():
        if name in form.texts:
            options[name] = _read(form, name, kind, low)
            if not low <= options[name] <= high:
                raise Refused(422, f"{name} must be {low:g} to {high:g}, not {options[name]:g}")
    return options


def _read(form: Form, name: str, kind: Any, default: T) -> T:
    if name not in form.texts:
        return default
    try:
        value: T = msgspec.json.decode(form.texts[name], type=kind)
    except (ValueError, RecursionError) as error:
        raise Refused(422, f"{name} is not {_EXAMPLES.get(name, 'a number')}: {error}") from None
    return value


_EXAMPLES = {
    "points": "JSON such as [[320, 240]]",
    "labels": "JSON such as [1, 0]",
    "box": "JSON such as [100, 80, 400, 300]",
    "boxes": "JSON such as [[100, 80, 400, 300]]",
}

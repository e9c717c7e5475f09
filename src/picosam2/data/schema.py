"""What a shard's JSON holds: SA-1B's format, with a few fields of COCO's and the teacher's.

SA-1B (Segment Anything, arXiv 2304.02643, data sheet): ``image`` and ``annotations``; masks are
COCO RLE of the image's size. Fields that this schema does not name are ignored.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Rle(msgspec.Struct, frozen=True):
    """A mask as COCO's compressed RLE.

    Args:
        size: height and width in pixels.
        counts: the runs, column by column, as pycocotools compresses them.
    """

    size: tuple[int, int]
    counts: str


class SoftTarget(msgspec.Struct, frozen=True):
    """The teacher's logits around one object, in ``KEY.soft.png``.

    Args:
        tile: which 64×64 tile of the picture, counted from the top.
        square: x0, y0 and side in pixels of the part of the image that the tile covers.
    """

    tile: int
    square: tuple[float, float, float]


class TeacherMask(msgspec.Struct, frozen=True, omit_defaults=True):
    """A teacher's answer to one prompt: of its masks, the one it expects to be the best.

    Args:
        segmentation: the mask.
        predicted_iou: the teacher's own estimate, in 0..1.
        stability_score: IoU of the mask cut at a higher and at a lower logit, in 0..1.
        point_coords: the click, [[x, y]], where that was the prompt.
        box: the box, xyxy, where that was the prompt.
    """

    segmentation: Rle
    predicted_iou: float
    stability_score: float
    point_coords: list[tuple[float, float]] | None = None
    box: tuple[float, float, float, float] | None = None


class Annotation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One object of a photograph.

    Args:
        id: COCO's or SA-1B's id of the annotation.
        bbox: x, y, width, height in pixels.
        segmentation: the mask; None where only the box is known.
        area: the mask's pixels (COCO: the polygon's area).
        iscrowd: 1 where the mask covers a crowd instead of one object.
        source: who drew the mask; None in SA-1B's own files, whose masks are a teacher's.
        category_id: COCO's number of the class.
        category: its name.
        predicted_iou: of a teacher's mask, as ``TeacherMask`` has it.
        stability_score: of a teacher's mask, as ``TeacherMask`` has it.
        point_coords: the click that gave a teacher's mask, [[x, y]].
        teacher: the teacher's answers to prompts made from this object.
        soft: where the teacher's logits of this object are.
    """

    id: int
    bbox: tuple[float, float, float, float]
    segmentation: Rle | None = None
    area: float = 0.0
    iscrowd: int = 0
    source: Literal["human", "teacher"] | None = None
    category_id: int | None = None
    category: str | None = None
    predicted_iou: float | None = None
    stability_score: float | None = None
    point_coords: list[tuple[float, float]] | None = None
    teacher: list[TeacherMask] = []
    soft: SoftTarget | None = None


class ImageInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """The photograph.

    Args:
        image_id: COCO's or SA-1B's id.
        width: in pixels, as stored.
        height: in pixels, as stored.
        file_name: its name where it came from.
        original_size: width and height before it was reduced; None where it was not.
        split: the public split it belongs to, such as ``val2017``.
    """

    image_id: int
    width: int
    height: int
    file_name: str
    original_size: tuple[int, int] | None = None
    split: str | None = None


class Record(msgspec.Struct, frozen=True):
    """One photograph and its objects: the JSON of one ``KEY`` in a shard."""

    image: ImageInfo
    annotations: list[Annotation]

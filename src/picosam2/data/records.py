"""Records as JSON: read with every check, written the same way every time."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from picosam2.data.keys import as_number
from picosam2.data.problems import BrokenError, Kind
from picosam2.data.rle import check_rle
from picosam2.data.schema import Annotation, ImageInfo, Record, Rle, TeacherMask
from picosam2.images import MAX_PIXELS

MAX_SIDE = 10**6
# Pixels: further away is no place in a photograph.
FARTHEST = 10**7

Given = TypeVar("Given")
# Takes what is wrong with an object, and the object's ids.
Note = Callable[[BrokenError, dict[str, Any]], None]


def decode_record(content: bytes, note: Note | None = None) -> Record:
    """Read and check one JSON file of a shard.

    Args:
        content: the file.
        note: takes the objects that are left out; None refuses the record of which one is broken.

    Raises:
        ValueError: not JSON, not this schema, or values that contradict each other; one line.
    """
    try:
        record = msgspec.json.decode(content, type=Record)
    except (ValueError, RecursionError) as error:
        if note is None:
            raise BrokenError(Kind.IMAGE, f"its record is broken: {error}") from None
        return _decode_whole_objects(content, note)
    check_image(record.image)
    kept = []
    for annotation in record.annotations:
        try:
            check_annotation(annotation, record.image)
            kept.append((annotation, annotation.id))
        except BrokenError as error:
            if note is None:
                raise BrokenError(error.kind, f"annotation {annotation.id}: {error}") from None
            note(error, {"image": record.image.image_id, "annotation": annotation.id})
    return _with_unique(record.image, kept, note)


def _decode_whole_objects(content: bytes, note: Note) -> Record:
    """Object by object, those that are the schema's; NaN is no JSON but often written."""
    try:
        # JSON can smuggle in halves of characters, which nothing could write again.
        text = json.dumps(json.loads(content), ensure_ascii=False)
        given = json.loads(text.encode("utf-8", "replace"))
        image = msgspec.convert(given["image"], ImageInfo)
        annotations = list(given["annotations"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise BrokenError(Kind.IMAGE, f"its record is broken: {reason}") from None
    check_image(image)
    kept = []
    for entry in annotations:
        number = entry.get("id") if isinstance(entry, dict) else None
        shown = number if isinstance(number, int | float | str) else None
        try:
            annotation = msgspec.convert(entry, Annotation)
            check_annotation(annotation, image)
            kept.append((annotation, shown))
        except BrokenError as error:
            note(error, {"image": image.image_id, "annotation": shown})
        except (ValueError, RecursionError) as error:
            broken = BrokenError(Kind.ANNOTATION, error)
            note(broken, {"image": image.image_id, "annotation": shown})
    return _with_unique(image, kept, note)


def _with_unique(image: ImageInfo, kept: list[tuple[Annotation, Any]], note: Note | None) -> Record:
    def twice(error: BrokenError, number: Any) -> None:
        if note is None:
            raise error
        note(error, {"image": image.image_id, "annotation": number})

    return Record(image, [annotation for annotation, _ in unique_annotations(kept, twice)])


def encode_record(record: Record) -> bytes:
    """The JSON of a record; equal records give equal bytes."""
    return msgspec.json.encode(record)


def unique_annotations(
    annotations: Iterable[tuple[Annotation, Given]], note: Callable[[BrokenError, Given], None]
) -> list[tuple[Annotation, Given]]:
    """The annotations of one photograph without those whose id came before.

    Args:
        annotations: each with what ``note`` is to know of it.
        note: takes those that are left out.
    """
    seen: set[int] = set()
    kept = []
    for annotation, given in annotations:
        if annotation.id in seen:
            reason = f"its photograph has two annotations {annotation.id}; the first is taken"
            note(BrokenError(Kind.DUPLICATE, reason), given)
            continue
        seen.add(annotation.id)
        kept.append((annotation, given))
    return kept


def check_image(image: ImageInfo) -> None:
    """Refuse a photograph whose size is none.

    Raises:
        BrokenError: it has no pixels, or more than photographs may have.
    """
    _check_number(image.image_id, Kind.IMAGE)
    for name, (width, height) in (
        ("size", (image.width, image.height)),
        ("original size", image.original_size or (1, 1)),
    ):
        if not (0 < width < MAX_SIDE and 0 < height < MAX_SIDE):
            raise BrokenError(
                Kind.IMAGE, f"image {image.image_id} has an {name} of {width}×{height} pixels"
            )
    if image.width * image.height > MAX_PIXELS:
        raise BrokenError(
            Kind.IMAGE, f"it has {image.width}×{image.height} pixels, more than {MAX_PIXELS}"
        )


def check_annotation(annotation: Annotation, image: ImageInfo) -> None:
    """Refuse an object whose values contradict each other or its photograph.

    Raises:
        BrokenError: a box that is none, a mask that does not fit, a number that is none, or a
            teacher's label that lacks a part.
    """
    _check_number(annotation.id, Kind.ANNOTATION)
    _check_number(annotation.category_id or 0, Kind.ANNOTATION)
    if not _are_places(annotation.bbox) or min(annotation.bbox[2:]) < 0:
        raise BrokenError(Kind.BOX, f"it has the box {list(annotation.bbox)}")
    if annotation.segmentation is not None:
        _check_mask(annotation.segmentation, image, Kind.SEGMENTATION)
    numbers = (annotation.area, annotation.predicted_iou, annotation.stability_score)
    if not all(math.isfinite(value) for value in numbers if value is not None):
        raise BrokenError(Kind.ANNOTATION, "its area or scores are no finite numbers")
    if annotation.point_coords and not all(_are_places(xy) for xy in annotation.point_coords):
        raise BrokenError(Kind.ANNOTATION, f"it has the clicks {annotation.point_coords}")
    for answer in annotation.teacher:
        _check_answer(answer, image)
    if annotation.soft is not None:
        tile, square = annotation.soft.tile, annotation.soft.square
        if tile < 0 or not _are_places(square) or square[2] <= 0:
            raise BrokenError(Kind.TEACHER, f"its soft target is tile {tile} of {list(square)}")
        if annotation.source == "human" and not annotation.teacher:
            raise BrokenError(Kind.TEACHER, "it has a soft target without the teacher's answer")


def _check_answer(answer: TeacherMask, image: ImageInfo) -> None:
    _check_mask(answer.segmentation, image, Kind.TEACHER)
    if not (math.isfinite(answer.predicted_iou) and math.isfinite(answer.stability_score)):
        raise BrokenError(Kind.TEACHER, "the teacher's scores are no finite numbers")
    places = [answer.box or (), *(answer.point_coords or ())]
    if not all(_are_places(place) for place in places):
        raise BrokenError(Kind.TEACHER, f"the teacher was asked about {places}")


def _check_number(number: int, kind: Kind) -> None:
    try:
        as_number(number)
    except ValueError as error:
        raise BrokenError(kind, error) from None


def _check_mask(mask: Rle, image: ImageInfo, kind: Kind) -> None:
    try:
        check_rle(mask, image.height, image.width)
    except ValueError as error:
        raise BrokenError(kind, error) from None


def _are_places(values: Iterable[float]) -> bool:
    """Whether all are numbers of pixels; what is not a number is none."""
    return all(abs(value) < FARTHEST for value in values)
